//! What is to be written, and what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::Timestamp;
use landfall_diag::{Diagnose, Diagnostic, code};

use super::commit::{Person, Signing};
use crate::SourceTree;
use crate::error::SourceError;

/// A commit that somebody wants on a branch.
#[derive(Clone)]
pub struct Write {
    /// The branch's short name.
    pub branch: String,
    /// The branch on whose tip its own one stands: with this commit and no other one. It is made where there is none of its name,
    /// and made anew where all that is on it is of Landfall; without one the commit goes onto what is there.
    pub starts_at: Option<String>,
    /// The only paths that it may change.
    pub allowed: AllowedPaths,
    /// What it changes, asked anew for each tip that the branch comes to.
    pub change: Change,
    /// What of the branch the change reads.
    pub reads: Reads,
    /// Which commit led to it, where one did: one of Landfall's own leads to nothing.
    pub cause: Option<String>,
    /// Whether forges are asked to build nothing for it.
    pub builds: Builds,
    /// Who is said to have made it.
    pub author: Person,
    /// What it is signed with.
    pub signing: Signing,
    /// When it is said to be made.
    pub at: Timestamp,
}

/// What a commit changes on the tip of a branch.
pub type Change = Arc<dyn Fn(&SourceTree) -> Result<Edited, Diagnostic> + Send + Sync>;

/// What a change makes of a tip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited {
    /// Other files.
    Files(Edits),
    /// Nothing, and why: it is so already, or something newer is there.
    Nothing(String),
}

/// Files with their new content, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edits {
    /// The commit's first line.
    pub subject: String,
    /// What stands below it; may be empty.
    pub body: String,
    /// Lines at its end, as `Landfall-Cause: image`.
    pub trailers: Vec<(String, String)>,
    /// The files by their paths.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What of a branch a change reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reads {
    /// Its tip.
    #[default]
    Tip,
    /// What its files said before, too.
    History,
}

/// Whether forges build something for a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Builds {
    /// As they do for any.
    #[default]
    Asked,
    /// Not, where they heed `[skip ci]`.
    Skipped,
}

/// Paths that a commit may change, as globs from the repository's root.
#[derive(Debug, Clone)]
pub struct AllowedPaths {
    globs: Vec<String>,
    set: GlobSet,
}

impl AllowedPaths {
    /// Reads globs: `*` stays within a directory, `**` does not.
    ///
    /// # Errors
    /// The text that is no glob.
    pub fn parse<I: IntoIterator<Item = T>, T: Into<String>>(globs: I) -> Result<Self, String> {
        let globs: Vec<String> = globs.into_iter().map(Into::into).collect();
        let mut set = GlobSetBuilder::new();
        for glob in &globs {
            set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(|_| glob.clone())?);
        }
        let set = set.build().map_err(|error| error.to_string())?;
        Ok(AllowedPaths { globs, set })
    }

    /// These files and no others, whatever their names.
    pub fn exactly<I: IntoIterator<Item = T>, T: Into<String>>(paths: I) -> Self {
        AllowedPaths { globs: paths.into_iter().map(Into::into).collect(), set: GlobSet::empty() }
    }

    /// Whether a path may be changed. What git keeps for itself never may.
    pub fn allow(&self, path: &str) -> bool {
        let is_gits = path.split('/').any(|part| part.eq_ignore_ascii_case(".git") || part == "..");
        !is_gits && (self.globs.iter().any(|glob| glob == path) || self.set.is_match(path))
    }
}

impl std::fmt::Display for AllowedPaths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.globs.join(", "))
    }
}

impl std::fmt::Debug for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Write")
            .field("branch", &self.branch)
            .field("allowed", &self.allowed.globs)
            .finish_non_exhaustive()
    }
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// The branch has it.
    Pushed {
        /// The commit.
        commit: String,
        /// The tip that its change has read.
        parent: String,
        /// The files that it changes.
        files: Vec<String>,
        /// How often the branch was read for it.
        attempts: u32,
    },
    /// There was nothing to do.
    Nothing {
        /// The tip that was read.
        head: String,
        /// Why.
        why: String,
    },
    /// The branch takes no commit from this account: what the server said.
    Protected {
        /// Its words.
        said: String,
    },
    /// The server asks for a login, and there is none.
    NoToken,
    /// On a branch that is to have this one commit there are commits of others.
    Foreign {
        /// The commit that the branch is at.
        head: String,
        /// Those of others, newest first: the beginning of the hash, who made it, and its first line.
        commits: Vec<String>,
    },
    /// What led to it was made by Landfall itself.
    Echo {
        /// The commit that led to it.
        commit: String,
    },
}

/// Why something could not be written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The repository cannot be reached or read.
    #[error("{0}")]
    Source(Arc<SourceError>),
    /// The repository has no such branch.
    #[error("the repository has no branch `{branch}`")]
    NoBranch {
        /// The branch.
        branch: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// The change would change a path that it may not.
    #[error("the commit would change `{path}`, which {why}")]
    Outside {
        /// The path.
        path: String,
        /// Why not.
        why: String,
    },
    /// The change itself says no.
    #[error("{}", .0.message)]
    Change(Box<Diagnostic>),
    /// Others moved the branch without end.
    #[error("`{branch}` was moved by others {attempts} times while a commit was made for it")]
    Contended {
        /// The branch.
        branch: String,
        /// How often it was tried.
        attempts: u32,
        /// What the server said last.
        said: String,
    },
    /// The commit could not be signed.
    #[error("the commit cannot be signed: {0}")]
    Unsigned(String),
}

impl From<SourceError> for WriteError {
    fn from(error: SourceError) -> Self {
        WriteError::Source(Arc::new(error))
    }
}

impl Diagnose for WriteError {
    fn diagnose(&self) -> Diagnostic {
        match self {
            WriteError::Source(error) => error.diagnose(),
            WriteError::NoBranch { nearest, .. } => {
                let diagnostic = Diagnostic::error(code::NO_BRANCH, self.to_string());
                match nearest {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help("name another one with --branch"),
                }
            }
            WriteError::Outside { .. } => {
                Diagnostic::refused(code::WRITE_OUTSIDE, self.to_string()).note("nothing was written")
            }
            WriteError::Change(diagnostic) => (**diagnostic).clone(),
            WriteError::Contended { said, .. } => Diagnostic::error(code::BRANCH_MOVES, self.to_string())
                .note(said.clone())
                .note("nothing was written")
                .help("run the same command again"),
            WriteError::Unsigned(_) => {
                Diagnostic::error(code::UNSIGNED_COMMIT, self.to_string()).note("nothing was written")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_allowed_by_name_or_by_glob_and_gits_own_never() {
        let allowed = AllowedPaths::parse(["test/**", "charts/*/values.yaml"]).expect("globs");
        assert!(allowed.allow("test/a/b.yaml") && allowed.allow("charts/web/values.yaml"));
        for path in ["production/a.yaml", "charts/web/templates/values.yaml", "test/.git/config", "test/../x", "testx"]
        {
            assert!(!allowed.allow(path), "{path}");
        }
        let exactly = AllowedPaths::exactly(["a[1].yaml"]);
        assert!(exactly.allow("a[1].yaml") && !exactly.allow("a1.yaml"));
        assert_eq!(AllowedPaths::parse(["a[", "b"]).map(drop), Err("a[".to_owned()));
    }
}
