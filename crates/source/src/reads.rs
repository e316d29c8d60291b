//! What was read from a commit, so that the next commit can be asked whether any of it is another.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::SourceError;
use crate::git::CommitTree;

/// What was asked of the files of a commit, and what the answers came to. What is not among them, an answer could not depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSet(BTreeMap<Question, Print>);

impl ReadSet {
    /// How many questions there were.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a commit answers every question in the same way.
    pub(crate) fn holds_for(&self, tree: &CommitTree) -> bool {
        self.0.iter().all(|(question, print)| question.still_comes_to(print, tree))
    }
}

/// What can be asked of the files of a commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    /// What is in this file?
    File(String),
    /// Is this a directory?
    IsDirectory(String),
    /// What is in all files below this directory?
    Directory(String),
    /// Which names are in this directory?
    Entries(String),
    /// Which files match this glob?
    Glob(String),
    /// Where does the commit come from?
    History,
}

/// What an answer came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Print {
    /// A file or a directory with this id; none where there is none.
    Object(Option<gix::ObjectId>),
    /// A directory of this id from which links lead elsewhere, in a tree of that one.
    Linked(gix::ObjectId, gix::ObjectId),
    /// Yes or no.
    Is(bool),
    /// These names.
    Names(Vec<String>),
    /// It could not be answered, or is never the same for another commit.
    Unknown,
}

impl Question {
    fn print(&self, tree: &CommitTree) -> Print {
        let print = match self {
            Question::File(path) => tree.file_id(path).map(Print::Object),
            Question::IsDirectory(path) => Ok(Print::Is(tree.is_directory(path))),
            Question::Directory(path) => tree.directory_print(path),
            Question::Entries(path) => tree.entries(path).map(Print::Names),
            Question::Glob(pattern) => crate::source_tree::glob_of_commit(tree, pattern).map(Print::Names),
            Question::History => Ok(Print::Unknown),
        };
        print.unwrap_or(Print::Unknown)
    }

    fn still_comes_to(&self, print: &Print, tree: &CommitTree) -> bool {
        match (self, print) {
            (_, Print::Unknown) => false,
            // A directory of the same id has the same files, and as many links: it is not gone through again.
            (Question::Directory(path), Print::Object(Some(id))) => {
                tree.directory_id(path).is_ok_and(|is| is == Some(*id))
            }
            _ => self.print(tree) == *print,
        }
    }
}

/// Where it is noted what is asked.
#[derive(Debug, Default)]
pub(crate) struct Notebook(Mutex<ReadSet>);

impl Notebook {
    /// Notes a question, and what its answer comes to.
    pub(crate) fn note(&self, question: Question, tree: &CommitTree) {
        let is_known = self.0.lock().0.contains_key(&question);
        if !is_known {
            let print = question.print(tree);
            self.0.lock().0.insert(question, print);
        }
    }

    /// Notes a question to which the answer is at hand.
    pub(crate) fn answered(&self, question: Question, answer: &Result<Vec<String>, SourceError>) {
        let print = answer.as_ref().map_or(Print::Unknown, |names| Print::Names(names.clone()));
        self.0.lock().0.insert(question, print);
    }

    /// What was noted.
    pub(crate) fn reads(&self) -> ReadSet {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use crate::SourceTree;

    fn git(at: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(arguments).current_dir(at);
        let done = command.output().expect("git runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    fn commit(at: &Path) -> SourceTree {
        git(at, &["add", "-A"]);
        git(at, &["commit", "-qm", "a", "--allow-empty"]);
        let head = git(at, &["rev-parse", "HEAD"]);
        SourceTree::open_commit(at, &head).expect("a commit")
    }

    fn write(at: &Path, path: &str, text: &str) {
        let path = at.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    #[test]
    fn another_commit_reads_alike_as_long_as_nothing_that_was_asked_has_another_answer() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = directory.path();
        git(at, &["init", "-q"]);
        for path in ["a/one.yaml", "a/deep/two.yaml", "b/values.yaml", "c/x.json", "d/e"] {
            write(at, path, "first\n");
        }
        let first = commit(at);
        assert!(first.reads().expect("a commit").is_empty());
        first.directory("a").expect("read");
        first.read("b/values.yaml").expect("read");
        assert_eq!(first.read("b/other.yaml").expect("read"), None);
        first.entries("d").expect("read");
        first.glob("c/*.yaml").expect("read");
        assert!(first.is_directory("c"));
        let reads = first.reads().expect("a commit");
        assert_eq!(reads.len(), 7, "{reads:?}");
        let alike = |path: &str, text: &str| {
            write(at, path, text);
            let is = commit(at).reads_alike(&reads);
            git(at, &["revert", "--no-edit", "HEAD"]);
            is
        };
        for (path, text) in [("f", "new\n"), ("c/x.json", "other\n"), ("d/e", "other\n"), ("b/third.yaml", "new\n")] {
            assert!(alike(path, text), "{path} was not read");
        }
        for path in
            ["a/one.yaml", "a/deep/two.yaml", "a/deep/three", "b/values.yaml", "b/other.yaml", "c/new.yaml", "d/f"]
        {
            assert!(!alike(path, "other\n"), "{path} was read, or missed");
        }
        // What is asked of where a commit comes from is never alike.
        let told = commit(at);
        let head = git(at, &["rev-parse", "HEAD"]);
        assert_eq!(told.full_hash(&head), Some(head));
        assert!(!commit(at).reads_alike(&told.reads().expect("a commit")));
        assert!(SourceTree::from_tree("memory", Default::default()).reads().is_none());
    }

    #[cfg(unix)]
    #[test]
    fn what_links_lead_to_was_read_too() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = directory.path();
        git(at, &["init", "-q"]);
        write(at, "a/one.yaml", "first\n");
        write(at, "shared/values.yaml", "first\n");
        std::os::unix::fs::symlink("../shared", at.join("a/shared")).expect("linked");
        std::os::unix::fs::symlink("shared/values.yaml", at.join("values.yaml")).expect("linked");
        let first = commit(at);
        first.directory("a").expect("read");
        let directory = first.reads().expect("a commit");
        let second = commit(at);
        second.read("values.yaml").expect("read");
        let file = second.reads().expect("a commit");
        let same = commit(at);
        assert!(same.reads_alike(&directory) && same.reads_alike(&file));
        write(at, "shared/values.yaml", "second\n");
        let after = commit(at);
        assert!(!after.reads_alike(&directory) && !after.reads_alike(&file));
    }
}
