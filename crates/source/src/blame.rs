//! Which commit wrote a line.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::ControlFlow;

use gix::ObjectId;
use landfall_chart::Budget;

use crate::{SourceTree, renamed};

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

/// A version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVersion {
    /// The commit that brought it.
    pub commit: LineCommit,
    /// Where the file was then.
    pub path: String,
    /// What it says; what is no text is read as well as it can be.
    pub text: String,
}

/// The versions of a file that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileHistory {
    /// Newest first.
    pub versions: Vec<FileVersion>,
    /// Whether it was followed to its beginning, and not only as far as a shallow clone or our patience goes.
    pub is_whole: bool,
}

/// How many commits are looked at before it is left open.
const MOST_COMMITS: usize = 2_000;
/// Versions of one file that are read.
const MOST_VERSIONS: usize = 500;

impl SourceTree {
    /// The commit that brought a line (from 1) into a file: the oldest one, going back from the tree's own commit,
    /// whose version of the file has the line.
    ///
    /// `None` when there is no git, the line is not committed, or history is longer than anyone wants to wait for.
    pub fn line_commit(&self, path: &str, line: u32) -> Option<LineCommit> {
        self.lineage().line_commit(path, line)
    }

    /// The same for many lines: what is read of the history is kept.
    pub fn lineage(&self) -> Lineage<'_> {
        Lineage { tree: self, commits: HashMap::new(), entries: HashMap::new(), files: HashMap::new() }
    }
}

impl SourceTree {
    /// A file as the branch itself has had it: in the tree's own commit and in those before it by their first parents, each version
    /// once, newest first. What was merged counts from then on, and not what led to it elsewhere; a file that was renamed is
    /// followed to where it was before.
    ///
    /// Nothing where there is no git, or the file is in no commit; no more than anybody wants to wait for.
    pub fn versions(&self, path: &str) -> Vec<Vec<u8>> {
        let (mut seen, mut found, mut budget) = (HashSet::new(), Vec::new(), Budget::default());
        self.lineage().walk(path, |repository, passed| {
            if let Some(blob) = passed.blob
                && seen.insert(blob)
            {
                let size = repository.find_header(blob).map_or(0, |header| header.size());
                if budget.unpacked(size).is_err() {
                    return ControlFlow::Break(());
                }
                found.extend(repository.find_object(blob).ok().map(|object| object.data.clone()));
            }
            ControlFlow::Continue(())
        });
        found
    }
}

/// The history behind a tree, of which each commit, directory and version of a file is read once.
pub struct Lineage<'t> {
    tree: &'t SourceTree,
    /// Each commit's parents and its directory.
    commits: HashMap<ObjectId, Option<(Vec<ObjectId>, ObjectId)>>,
    /// What lies in a directory by a name.
    entries: HashMap<(ObjectId, String), Option<ObjectId>>,
    files: HashMap<String, Versions>,
}

/// A commit on the way back, and what it has at a path.
struct Passed<'p> {
    commit: ObjectId,
    /// Where the file was then.
    path: &'p str,
    blob: Option<ObjectId>,
    /// Whether the one before it has something else there, as far as that is known.
    is_brought: bool,
}

/// What is known of one file.
#[derive(Default)]
struct Versions {
    /// The lines of each version, as their hashes.
    lines: HashMap<ObjectId, HashSet<u64>>,
    /// What reading them may still take.
    budget: Budget,
}

impl Lineage<'_> {
    /// The commit that brought a line (from 1) into a file, as [`SourceTree::line_commit`] has it.
    pub fn line_commit(&mut self, path: &str, line: u32) -> Option<LineCommit> {
        let path = crate::path::clean(path).ok()?;
        let bytes = self.tree.read(&path).ok()??;
        let text = String::from_utf8_lossy(&bytes).lines().nth(line.checked_sub(1)? as usize)?.to_owned();
        if text.trim().is_empty() {
            return None;
        }
        let (repository, start) = self.tree.history()?;
        let mut versions = self.files.remove(&path).unwrap_or_default();
        let search = Search { repository: &repository, path: &path, line: hash(&text), versions: &mut versions };
        let found = self.origin(search, start);
        self.files.insert(path, versions);
        found
    }

    /// The versions of a file along each commit's first parent: what the branch itself has said, one after the other, whatever the
    /// file was called then.
    pub fn file_history(&mut self, path: &str) -> FileHistory {
        let (mut versions, mut budget) = (Vec::new(), Budget::default());
        let is_whole = self.walk(path, |repository, passed| {
            if passed.is_brought {
                versions.extend(version(repository, &passed, &mut budget));
            }
            match versions.len() >= MOST_VERSIONS || budget.unpacked_left() == 0 {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        FileHistory { versions, is_whole }
    }

    /// Goes back from the tree's own commit by each one's first parent, for as long as `visit` goes on and no further than anybody wants
    /// to wait for; `true` when it came to the beginning.
    fn walk(&mut self, path: &str, mut visit: impl FnMut(&gix::Repository, Passed<'_>) -> ControlFlow<()>) -> bool {
        let (Ok(mut path), Some((repository, start))) = (crate::path::clean(path), self.tree.history()) else {
            return false;
        };
        let (mut commit, mut blob) = (start, self.entry(&repository, &path, start));
        for _ in 0..MOST_COMMITS {
            let Some((parents, _)) = self.commit(&repository, commit) else { return false };
            let parent = parents.first().copied();
            // A shallow clone names parents that it does not have.
            let is_cut = parent.is_some_and(|parent| self.commit(&repository, parent).is_none());
            let mut before = parent.and_then(|parent| self.entry(&repository, &path, parent));
            let mut named = path.clone();
            if let (Some(there), None, Some(parent)) = (blob, before, parent.filter(|_| !is_cut))
                && let (Some((_, new)), Some((_, old))) =
                    (self.commit(&repository, commit), self.commit(&repository, parent))
                && let Some(was) = renamed::moved_from(&repository, (old, new), (&path, there))
            {
                before = self.entry(&repository, &was, parent);
                named = was;
            }
            let flow = visit(&repository, Passed { commit, path: &path, blob, is_brought: is_cut || blob != before });
            match parent {
                None => return true,
                Some(parent) if !is_cut && flow.is_continue() => (commit, blob, path) = (parent, before, named),
                Some(_) => return false,
            }
        }
        false
    }

    fn origin(&mut self, mut search: Search<'_>, start: ObjectId) -> Option<LineCommit> {
        let mut at = start;
        if !self.has_line(&mut search, at) {
            return None;
        }
        for _ in 0..MOST_COMMITS {
            if search.versions.budget.unpacked_left() == 0 {
                return None;
            }
            let (parents, _) = self.commit(search.repository, at)?;
            match parents.into_iter().find(|parent| self.has_line(&mut search, *parent)) {
                Some(parent) => at = parent,
                None if search.versions.budget.unpacked_left() == 0 => return None,
                None => return told(search.repository, at),
            }
        }
        None
    }

    fn has_line(&mut self, search: &mut Search<'_>, commit: ObjectId) -> bool {
        self.blob(search, commit).is_some_and(|blob| search.has_line(blob))
    }

    fn blob(&mut self, search: &Search<'_>, commit: ObjectId) -> Option<ObjectId> {
        self.entry(search.repository, search.path, commit)
    }

    /// What lies at a path in a commit.
    fn entry(&mut self, repository: &gix::Repository, path: &str, commit: ObjectId) -> Option<ObjectId> {
        let (_, mut at) = self.commit(repository, commit)?;
        for name in path.split('/') {
            // Most directories are the same in the next commit.
            let key = (at, name.to_owned());
            let look = || Some(repository.find_tree(at).ok()?.find_entry(name)?.object_id());
            at = (*self.entries.entry(key).or_insert_with(look))?;
        }
        Some(at)
    }

    fn commit(&mut self, repository: &gix::Repository, id: ObjectId) -> Option<(Vec<ObjectId>, ObjectId)> {
        let read = || {
            let commit = repository.find_commit(id).ok()?;
            Some((commit.parent_ids().map(gix::Id::detach).collect(), commit.tree_id().ok()?.detach()))
        };
        self.commits.entry(id).or_insert_with(read).clone()
    }
}

/// One line that is looked for.
struct Search<'s> {
    repository: &'s gix::Repository,
    path: &'s str,
    line: u64,
    versions: &'s mut Versions,
}

impl Search<'_> {
    fn has_line(&mut self, blob: ObjectId) -> bool {
        if let Some(known) = self.versions.lines.get(&blob) {
            return known.contains(&self.line);
        }
        let size = self.repository.find_header(blob).map_or(0, |header| header.size());
        if self.versions.budget.unpacked(size).is_err() {
            // There is nothing left to go on with.
            self.versions.budget = Budget::spent();
            return false;
        }
        let object = self.repository.find_object(blob);
        let lines = object.map(|it| String::from_utf8_lossy(&it.data).lines().map(hash).collect::<HashSet<u64>>());
        let lines = lines.unwrap_or_default();
        let has = lines.contains(&self.line);
        self.versions.lines.insert(blob, lines);
        has
    }
}

fn version(repository: &gix::Repository, passed: &Passed<'_>, budget: &mut Budget) -> Option<FileVersion> {
    let blob = passed.blob?;
    budget.unpacked(repository.find_header(blob).ok()?.size()).ok()?;
    let text = String::from_utf8_lossy(&repository.find_object(blob).ok()?.data).into_owned();
    Some(FileVersion { commit: told(repository, passed.commit)?, path: passed.path.to_owned(), text })
}

fn told(repository: &gix::Repository, commit: ObjectId) -> Option<LineCommit> {
    let found = repository.find_commit(commit).ok()?;
    let subject = found.message().ok()?.summary().to_string();
    let author = found.author().ok()?.name.to_string();
    Some(LineCommit { sha: commit.to_string(), author, subject, seconds: found.time().ok()?.seconds })
}

fn hash(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
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

    #[test]
    fn the_versions_of_a_file_are_told_from_the_newest_to_the_oldest_as_far_as_they_are_here() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("whole");
        std::fs::create_dir_all(root.join("a")).expect("made");
        git(&root, &["init", "-q"]);
        for (file, text) in [("a/v.yaml", "1"), ("other", "x"), ("a/v.yaml", "2"), ("a/v.yaml", "1")] {
            std::fs::write(root.join(file), text).expect("written");
            git(&root, &["add", "."]);
            git(&root, &["commit", "-q", "-m", &format!("{file} {text}")]);
        }
        let told = |root: &Path| {
            let history = SourceTree::open_directory(root).expect("opens").lineage().file_history("a/v.yaml");
            (history.versions.into_iter().map(|it| it.text).collect::<Vec<_>>(), history.is_whole)
        };
        assert_eq!(told(&root), (["1", "2", "1"].map(str::to_owned).to_vec(), true));
        let url = format!("file://{}", root.display());
        git(dir.path(), &["clone", "-q", "--depth", "2", &url, "shallow"]);
        assert_eq!(told(&dir.path().join("shallow")), (["1", "2"].map(str::to_owned).to_vec(), false));
        git(dir.path(), &["init", "-q", "empty"]);
        assert_eq!(told(&dir.path().join("empty")), (Vec::new(), false));
    }

    #[test]
    fn a_file_is_told_as_the_branch_itself_has_had_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path();
        git(root, &["init", "-q", "-b", "main"]);
        let commit = |text: &str| {
            std::fs::write(root.join("values.yaml"), text).expect("written");
            git(root, &["commit", "-q", "-a", "-m", text]);
        };
        std::fs::write(root.join("values.yaml"), "").expect("written");
        git(root, &["add", "."]);
        commit("first");
        git(root, &["checkout", "-q", "-b", "side"]);
        commit("never on it");
        commit("merged");
        git(root, &["checkout", "-q", "main"]);
        git(root, &["commit", "-q", "--allow-empty", "-m", "other"]);
        git(root, &["merge", "-q", "--no-ff", "-m", "merge", "side"]);
        let tree = SourceTree::open_commit(root, "HEAD").expect("opens");
        let told: Vec<String> =
            tree.versions("values.yaml").into_iter().map(|it| String::from_utf8(it).expect("text")).collect();
        assert_eq!(told, ["merged", "first"]);
        assert!(tree.versions("none.yaml").is_empty());
    }

    #[test]
    fn a_file_that_was_renamed_has_its_past() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path();
        git(root, &["init", "-q"]);
        let commit = |subject: &str| {
            git(root, &["add", "-A"]);
            git(root, &["commit", "-q", "-m", subject]);
        };
        let text = |tag: &str| format!("# values\nimage:\n  tag: {tag}\nreplicas: 2\n");
        std::fs::write(root.join("prod.yaml"), text("1")).expect("written");
        std::fs::write(root.join("other.yaml"), "other: 1\n").expect("written");
        commit("one");
        std::fs::write(root.join("prod.yaml"), text("2")).expect("written");
        commit("two");
        // As it is, and with its tag changed at once.
        std::fs::create_dir_all(root.join("env/eu")).expect("made");
        git(root, &["mv", "prod.yaml", "env/prod.yaml"]);
        git(root, &["rm", "-q", "other.yaml"]);
        commit("moved");
        git(root, &["mv", "env/prod.yaml", "env/eu/values.yaml"]);
        std::fs::write(root.join("env/eu/values.yaml"), text("3")).expect("written");
        commit("three");
        let tree = SourceTree::open_directory(root).expect("opens");
        let history = tree.lineage().file_history("env/eu/values.yaml");
        let told: Vec<(&str, &str)> =
            history.versions.iter().map(|it| (it.commit.subject.as_str(), it.path.as_str())).collect();
        assert_eq!(told, [("three", "env/eu/values.yaml"), ("two", "prod.yaml"), ("one", "prod.yaml")]);
        assert!(history.is_whole);
        assert_eq!(tree.versions("env/eu/values.yaml").len(), 3);
        // What only begins where others end has none.
        std::fs::write(root.join("new.yaml"), "a: 1\nb: 2\n").expect("written");
        git(root, &["rm", "-q", "env/eu/values.yaml"]);
        commit("four");
        let tree = SourceTree::open_directory(root).expect("opens");
        assert_eq!(tree.versions("new.yaml").len(), 1);
    }

    #[test]
    fn each_version_of_a_file_is_read_once_for_all_of_its_lines() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path();
        git(root, &["init", "-q"]);
        std::fs::create_dir(root.join("chart")).expect("made");
        for text in ["a: 1\nb: 1\n", "a: 1\nb: 2\n", "x: 0\na: 1\nb: 2\n"] {
            let long = format!("{text}c: {}\n", "c".repeat(4096));
            std::fs::write(root.join("chart/values.yaml"), long).expect("written");
            git(root, &["add", "."]);
            git(root, &["commit", "-q", "-m", text.lines().next().expect("a line")]);
        }
        let tree = SourceTree::open_directory(root).expect("opens");
        let mut lineage = tree.lineage();
        let mut left = Vec::new();
        for line in [2, 1, 3] {
            let told = lineage.line_commit("chart/values.yaml", line);
            assert_eq!(told, tree.line_commit("chart/values.yaml", line));
            assert!(told.is_some());
            left.push(lineage.files["chart/values.yaml"].budget.unpacked_left());
        }
        assert!(left[0] < Budget::default().unpacked_left() && left.iter().all(|it| *it == left[0]), "{left:?}");
    }
}
