//! What a commit changed.

use landfall_chart::Budget;

use crate::SourceTree;

/// A file that a commit changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Its path.
    pub path: String,
    /// What it was; `None` where it is new.
    pub before: Option<Vec<u8>>,
    /// What it is; `None` where it is gone.
    pub after: Option<Vec<u8>>,
}

/// A commit with what it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitChanges {
    /// Its full id.
    pub sha: String,
    /// Its first line.
    pub subject: String,
    /// The files, by path.
    pub files: Vec<FileChange>,
}

/// A commit of more files is not looked into.
const MOST_FILES: usize = 64;

impl SourceTree {
    /// What a commit of the tree's repository changed against its only parent; the commit is named by the first letters
    /// of its id, seven at the least.
    ///
    /// `None` when there is no such commit, it is a merge or the first one, or it changed more files than anybody reads.
    pub fn commit_changes(&self, id: &str) -> Option<CommitChanges> {
        let is_id =
            (7..=40).contains(&id.len()) && id.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it));
        if !is_id {
            return None;
        }
        if let Some(told) = self.told_commits().iter().find(|told| told.sha.starts_with(id)) {
            return Some(told.clone());
        }
        let (repository, _) = self.history()?;
        let commit = repository.rev_parse_single(id).ok()?.object().ok()?.try_into_commit().ok()?;
        let sha = commit.id.to_string();
        let mut parents = commit.parent_ids();
        let (parent, other) = (parents.next()?, parents.next());
        if !sha.starts_with(id) || other.is_some() {
            return None;
        }
        let trees = [parent.object().ok()?.try_into_commit().ok()?.tree_id().ok()?, commit.tree_id().ok()?];
        let [before, after] = trees.map(|tree| Some(tree.detach()));
        let mut files = Vec::new();
        differing(&repository, (before, after), "", (0, &mut Budget::default()), &mut files)?;
        let subject = commit.message().ok()?.summary().to_string();
        Some(CommitChanges { sha, subject, files })
    }
}

/// The files in which two trees differ; `None` when they are too many, or too much to be read.
fn differing(
    repository: &gix::Repository,
    (before, after): (Option<gix::ObjectId>, Option<gix::ObjectId>),
    path: &str,
    (depth, budget): (usize, &mut Budget),
    found: &mut Vec<FileChange>,
) -> Option<()> {
    budget.directory(depth).ok()?;
    let [old, new] = [entries(repository, before)?, entries(repository, after)?];
    budget.steps((old.len() + new.len()) as u64).ok()?;
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (was, is) = (old.get(name), new.get(name));
        if was == is {
            continue;
        }
        if found.len() >= MOST_FILES {
            return None;
        }
        let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        let tree = |it: Option<&Entry>| it.filter(|(_, mode)| mode.is_tree()).map(|(id, _)| *id);
        if tree(was).is_some() || tree(is).is_some() {
            differing(repository, (tree(was), tree(is)), &below, (depth + 1, budget), found)?;
        }
        let mut blob = |it: Option<&Entry>| -> Option<Option<Vec<u8>>> {
            let Some((id, _)) = it.filter(|(_, mode)| !mode.is_tree()) else { return Some(None) };
            let Ok(header) = repository.find_header(*id) else { return Some(None) };
            budget.file(&below, header.size()).ok()?;
            Some(repository.find_object(*id).ok().map(|mut object| std::mem::take(&mut object.data)))
        };
        let (before, after) = (blob(was)?, blob(is)?);
        if before.is_some() || after.is_some() {
            found.push(FileChange { path: below, before, after });
        }
    }
    Some(())
}

/// An object of a tree, and what it is.
type Entry = (gix::ObjectId, gix::objs::tree::EntryMode);

/// What lies in a tree by its names.
pub(crate) fn entries(
    repository: &gix::Repository,
    tree: Option<gix::ObjectId>,
) -> Option<std::collections::BTreeMap<String, Entry>> {
    let Some(tree) = tree else { return Some(std::collections::BTreeMap::new()) };
    let tree = repository.find_object(tree).ok()?.try_into_tree().ok()?;
    tree.iter().map(|entry| entry.ok().map(|it| (it.filename().to_string(), (it.object_id(), it.mode())))).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::SourceTree;

    #[test]
    fn a_commit_says_which_files_it_changed() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = directory.path();
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(arguments).current_dir(at);
            let done = command.output().expect("git runs");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8_lossy(&done.stdout).trim().to_owned()
        };
        let write = |path: &str, text: &str| {
            let path = at.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        git(&["init", "-q"]);
        write("a/values.yaml", "tag: one\n");
        write("b.txt", "b\n");
        git(&["add", "."]);
        git(&["commit", "-qm", "first"]);
        write("a/values.yaml", "tag: two\n");
        std::fs::remove_file(at.join("b.txt")).expect("removed");
        git(&["add", "-A"]);
        git(&["commit", "-qm", "second"]);
        let sha = git(&["rev-parse", "HEAD"]);
        let tree = SourceTree::open_directory(at).expect("a tree");
        let changes = tree.commit_changes(&sha[..9]).expect("a commit");
        assert_eq!((changes.sha.as_str(), changes.subject.as_str()), (sha.as_str(), "second"));
        let paths: Vec<(&str, bool)> = changes.files.iter().map(|it| (it.path.as_str(), it.after.is_some())).collect();
        assert_eq!(paths, [("a/values.yaml", true), ("b.txt", false)]);
        assert_eq!(changes.files[0].before.as_deref(), Some(b"tag: one\n".as_slice()));
        assert!(tree.commit_changes(&git(&["rev-parse", "HEAD^"])).is_none(), "the first has nothing before it");
        assert!(tree.commit_changes("0123456789").is_none());
        assert!(tree.commit_changes("HEAD").is_none(), "a name is no id");
    }
}
