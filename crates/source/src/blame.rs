//! Which commit wrote a line.

use std::collections::HashMap;

use landfall_chart::Budget;

use crate::SourceTree;

/// The commit that brought a line into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineCommit {
    /// Its full id.
    pub sha: String,
    /// Who wrote it, by name.
    pub author: String,
    /// Its first line.
    pub subject: String,
    /// When it was made, in seconds since 1970.
    pub seconds: i64,
}

/// How many commits are looked at before it is left open.
const MOST_COMMITS: usize = 2_000;

impl SourceTree {
    /// The commit that brought a line (from 1) into a file: the oldest one, going back from the tree's own commit,
    /// whose version of the file has the line.
    ///
    /// `None` when there is no git, the line is not committed, or history is longer than anyone wants to wait for.
    pub fn line_commit(&self, path: &str, line: u32) -> Option<LineCommit> {
        let path = crate::path::clean(path).ok()?;
        let bytes = self.read(&path).ok()??;
        let text = String::from_utf8_lossy(&bytes).lines().nth(line.checked_sub(1)? as usize)?.to_owned();
        if text.trim().is_empty() {
            return None;
        }
        let (repository, start) = self.history()?;
        Search { repository: &repository, path: &path, line: &text, seen: HashMap::new(), budget: Budget::default() }
            .origin(start)
    }
}

struct Search<'a> {
    repository: &'a gix::Repository,
    path: &'a str,
    line: &'a str,
    /// Versions of the file that were looked at, and whether they have the line.
    seen: HashMap<gix::ObjectId, bool>,
    /// What reading them may still take.
    budget: Budget,
}

impl Search<'_> {
    fn origin(&mut self, start: gix::ObjectId) -> Option<LineCommit> {
        let mut at = start;
        if !self.has_line(at) {
            return None;
        }
        for _ in 0..MOST_COMMITS {
            if self.budget.unpacked_left() == 0 {
                return None;
            }
            let parents: Vec<gix::ObjectId> =
                self.repository.find_commit(at).ok()?.parent_ids().map(gix::Id::detach).collect();
            match parents.into_iter().find(|parent| self.has_line(*parent)) {
                Some(parent) => at = parent,
                None if self.budget.unpacked_left() == 0 => return None,
                None => return self.told(at),
            }
        }
        None
    }

    fn has_line(&mut self, commit: gix::ObjectId) -> bool {
        self.blob(commit).is_some_and(|blob| {
            if let Some(known) = self.seen.get(&blob) {
                return *known;
            }
            let size = self.repository.find_header(blob).map_or(0, |header| header.size());
            if self.budget.unpacked(size).is_err() {
                // There is nothing left to go on with.
                self.budget = Budget::spent();
                return false;
            }
            let has = self
                .repository
                .find_object(blob)
                .is_ok_and(|object| String::from_utf8_lossy(&object.data).lines().any(|line| line == self.line));
            self.seen.insert(blob, has);
            has
        })
    }

    fn blob(&self, commit: gix::ObjectId) -> Option<gix::ObjectId> {
        let tree = self.repository.find_commit(commit).ok()?.tree().ok()?;
        Some(tree.lookup_entry_by_path(self.path).ok()??.object_id())
    }

    fn told(&self, commit: gix::ObjectId) -> Option<LineCommit> {
        let found = self.repository.find_commit(commit).ok()?;
        let subject = found.message().ok()?.summary().to_string();
        let author = found.author().ok()?.name.to_string();
        Some(LineCommit { sha: commit.to_string(), author, subject, seconds: found.time().ok()?.seconds })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn git(directory: &Path, arguments: &[&str]) {
        let done = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(arguments)
            .current_dir(directory)
            .output()
            .expect("git runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    #[test]
    fn a_line_is_traced_to_the_commit_that_brought_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path();
        git(root, &["init", "-q"]);
        for (text, subject) in [("a: 1\nb: 1\n", "first"), ("a: 1\nb: 2\n", "second"), ("x: 0\na: 1\nb: 2\n", "third")]
        {
            std::fs::write(root.join("values.yaml"), text).expect("written");
            git(root, &["add", "."]);
            git(root, &["commit", "-q", "-m", subject]);
        }
        let tree = SourceTree::open_directory(root).expect("opens");
        let subject = |line| tree.line_commit("values.yaml", line).map(|commit| commit.subject);
        assert_eq!([subject(1), subject(2), subject(3)].map(Option::unwrap_or_default), ["third", "first", "second"]);
        std::fs::write(root.join("values.yaml"), "x: 0\na: 7\n").expect("written");
        assert_eq!(subject(2), None, "not committed");
        assert_eq!(SourceTree::open_commit(root, "HEAD~1").expect("opens").line_commit("values.yaml", 9), None);
    }
}
