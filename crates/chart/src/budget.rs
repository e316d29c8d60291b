//! What may be read of a tree that somebody else wrote.

/// Most files that are read into one tree, archives inside of it included.
pub const MAX_TREE_FILES: u64 = 250_000;

/// Most bytes that are read into one tree, names included, archives inside of it unpacked.
pub const MAX_TREE_BYTES: u64 = 256 * 1024 * 1024;

/// Most work that reading one tree may take: about the number of names that are looked at.
pub const MAX_TREE_STEPS: u64 = 2_000_000;

/// Most values in the `values.yaml` and other YAML files of a chart and all its dependencies.
pub const MAX_TREE_VALUES: u64 = landfall_yaml::MAX_NODES as u64;

/// How deep directories, links and archives may lie in each other.
pub const MAX_TREE_DEPTH: usize = 64;

/// Steps that opening a directory takes, beside one for each name in it.
const DIRECTORY: u64 = 16;

/// Bytes that are unpacked in one step.
const UNPACKED: u64 = 1024;

/// What is still left of what reading a tree may take.
///
/// Time is counted in steps and not measured, so that the same tree ends the same way on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    files: u64,
    bytes: u64,
    steps: u64,
    values: u64,
}

/// A budget that is used up; displays as a sentence's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Spent {
    /// Too many files.
    #[error("it holds more than {MAX_TREE_FILES} files, archives and links followed")]
    Files,
    /// Too many bytes.
    #[error("it holds more than {} MiB, archives and links followed", MAX_TREE_BYTES >> 20)]
    Bytes,
    /// Too much work.
    #[error(
        "reading it takes more than {MAX_TREE_STEPS} steps: its directories, links or archives lead to one another again and again"
    )]
    Steps,
    /// Too many values in YAML files.
    #[error("its YAML files hold more than {MAX_TREE_VALUES} values")]
    Values,
    /// Nested too deep.
    #[error("it is nested more than {MAX_TREE_DEPTH} deep")]
    Depth,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { files: MAX_TREE_FILES, bytes: MAX_TREE_BYTES, steps: MAX_TREE_STEPS, values: MAX_TREE_VALUES }
    }
}

impl Budget {
    /// A budget of which nothing is left.
    pub fn spent() -> Self {
        Budget { files: 0, bytes: 0, steps: 0, values: 0 }
    }

    /// Counts a file that is about to be read, with the length of its path.
    ///
    /// # Errors
    /// One file or its bytes are too many.
    pub fn file(&mut self, path: &str, size: u64) -> Result<(), Spent> {
        self.files = self.files.checked_sub(1).ok_or(Spent::Files)?;
        self.bytes = self.bytes.checked_sub(size.saturating_add(path.len() as u64)).ok_or(Spent::Bytes)?;
        Ok(())
    }

    /// Counts a path that is kept until something is done with it.
    ///
    /// # Errors
    /// It is too much with all the others.
    pub fn path(&mut self, length: usize) -> Result<(), Spent> {
        self.bytes = self.bytes.checked_sub(length as u64).ok_or(Spent::Bytes)?;
        Ok(())
    }

    /// Counts a directory that is about to be read, at a depth counted from 0.
    ///
    /// # Errors
    /// It lies too deep, or is one too many.
    pub fn directory(&mut self, depth: usize) -> Result<(), Spent> {
        if depth > MAX_TREE_DEPTH {
            return Err(Spent::Depth);
        }
        self.steps(DIRECTORY)
    }

    /// Counts names that were looked at, whatever became of them.
    ///
    /// # Errors
    /// They are too many.
    pub fn steps(&mut self, steps: u64) -> Result<(), Spent> {
        self.steps = self.steps.checked_sub(steps).ok_or(Spent::Steps)?;
        Ok(())
    }

    /// Counts bytes that were unpacked, whatever became of them.
    ///
    /// # Errors
    /// They are too many.
    pub fn unpacked(&mut self, bytes: u64) -> Result<(), Spent> {
        self.steps(bytes / UNPACKED)
    }

    /// Counts values of a YAML file that was read.
    ///
    /// # Errors
    /// They are too many.
    pub fn values(&mut self, values: u64) -> Result<(), Spent> {
        self.values = self.values.checked_sub(values).ok_or(Spent::Values)?;
        Ok(())
    }

    /// Bytes that may still be read.
    pub fn bytes_left(&self) -> u64 {
        self.bytes
    }

    /// Bytes that may still be unpacked.
    pub fn unpacked_left(&self) -> u64 {
        self.steps.saturating_mul(UNPACKED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_is_said() {
        let mut budget = Budget::default();
        assert_eq!(budget.file("a", MAX_TREE_BYTES - 2), Ok(()));
        assert_eq!(budget.bytes_left(), 1);
        assert_eq!(budget.file("ab", 0), Err(Spent::Bytes));
        assert_eq!(budget.directory(MAX_TREE_DEPTH), Ok(()));
        assert_eq!(budget.directory(MAX_TREE_DEPTH + 1), Err(Spent::Depth));
        assert_eq!(budget.steps(MAX_TREE_STEPS), Err(Spent::Steps));
        assert_eq!(budget.values(MAX_TREE_VALUES + 1), Err(Spent::Values));
        let refused = (0..=MAX_TREE_FILES).try_for_each(|_| budget.file("", 0));
        assert_eq!(refused, Err(Spent::Files));
        assert_eq!(Spent::Bytes.to_string(), "it holds more than 256 MiB, archives and links followed");
    }
}
