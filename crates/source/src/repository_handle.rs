use std::cell::RefCell;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::SourceError;
use crate::git;

/// Repositories that a thread keeps open; the one that was used longest ago gives way.
const MOST_OPEN: usize = 4;

/// How a repository is found from a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The one around it.
    Around,
    /// The one around it, or the bare one that it is itself.
    Named,
    /// The bare one of ours that it is.
    Own,
}

impl Way {
    fn open(self, place: &Path) -> Result<gix::Repository, SourceError> {
        match self {
            Way::Around => git::around(place),
            Way::Named => git::cached(place),
            Way::Own => git::own(place),
        }
    }
}

/// A repository of git that any thread may read.
///
/// gix's own handles stay on the thread that opened them, or start threads of their own for everything they do (its feature
/// `parallel`), which a command that looks at one working tree would pay for. So each thread opens the repository once, when
/// it first reads from it, in the same way from the same place, and all handles of that place share what it opened: opening costs
/// a dozen files, and closing as much as there are threads.
pub(crate) struct RepositoryHandle {
    place: PathBuf,
    way: Way,
    mark: u64,
}

/// A repository that a thread has open.
struct Open {
    place: PathBuf,
    way: Way,
    /// What [`mark`] came to when it was opened.
    mark: u64,
    repository: Rc<gix::Repository>,
}

impl Open {
    fn is_of(&self, place: &Path, way: Way) -> bool {
        self.way == way && self.place == place
    }
}

thread_local! {
    /// What this thread has open; the last is the one that was used last.
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

impl RepositoryHandle {
    /// A handle of the repository that is found from a place.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub(crate) fn new(place: &Path, way: Way) -> Result<Self, SourceError> {
        let known = OPEN.with_borrow(|open| {
            let marks = open.iter().filter(|open| open.is_of(place, way));
            let mut current = marks.map(|open| (open.mark, mark(place, &open.repository)));
            current.find(|(then, now)| then == now).map(|(mark, _)| mark)
        });
        match known {
            Some(mark) => Ok(RepositoryHandle { place: place.to_owned(), way, mark }),
            None => Ok(RepositoryHandle::of(way.open(place)?, place, way)),
        }
    }

    /// A handle of a repository that was found from a place.
    pub(crate) fn of(repository: gix::Repository, place: &Path, way: Way) -> Self {
        let handle = RepositoryHandle { place: place.to_owned(), way, mark: mark(place, &repository) };
        handle.keep(Rc::new(repository));
        handle
    }

    /// The repository as this thread has it open.
    ///
    /// # Errors
    /// It is no longer there, where it is opened first.
    pub(crate) fn here(&self) -> Result<Rc<gix::Repository>, SourceError> {
        let known = OPEN.with_borrow_mut(|open| {
            let at = open.iter().position(|open| open.mark == self.mark && open.is_of(&self.place, self.way))?;
            open[at..].rotate_left(1);
            open.last().map(|open| Rc::clone(&open.repository))
        });
        match known {
            Some(repository) => Ok(repository),
            None => Ok(self.keep(Rc::new(self.way.open(&self.place)?))),
        }
    }

    fn keep(&self, repository: Rc<gix::Repository>) -> Rc<gix::Repository> {
        let RepositoryHandle { place, way, mark } = self;
        let opened = Open { place: place.clone(), way: *way, mark: *mark, repository: Rc::clone(&repository) };
        // What gives way is closed when nothing is borrowed any more.
        let _former = OPEN.with_borrow_mut(|open| {
            let former = (open.len() >= MOST_OPEN).then(|| open.remove(0));
            open.push(opened);
            former
        });
        repository
    }
}

/// What a repository that is open would not hear of by itself comes to: that another one lies at its place, that its settings are
/// others, or that there are more packs, for which it has room only as it was opened. References and loose objects it reads afresh.
fn mark(place: &Path, repository: &gix::Repository) -> u64 {
    let common = repository.common_dir();
    let mut mark = DefaultHasher::new();
    for path in [
        place.join(".git"),
        common.join("config"),
        common.join("objects"),
        common.join("objects/info/alternates"),
        common.join("objects/pack"),
        common.join("refs/replace"),
    ] {
        let Ok(there) = fs::symlink_metadata(&path) else {
            false.hash(&mut mark);
            continue;
        };
        // Directories move with all that comes into them: of objects only the packs count.
        let moves = there.is_file() || path.ends_with("pack") || path.ends_with("replace");
        moves.then(|| (there.len(), there.modified().ok())).hash(&mut mark);
        #[cfg(unix)]
        std::os::unix::fs::MetadataExt::ino(&there).hash(&mut mark);
    }
    mark.finish()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(at: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(arguments).current_dir(at);
        let done = command.output().expect("git runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// A bare repository with a commit of an empty tree, and that commit.
    fn bare(at: &Path) -> String {
        fs::create_dir_all(at).expect("made");
        git(at, &["init", "-q", "--bare"]);
        commit(at, "first")
    }

    fn commit(at: &Path, message: &str) -> String {
        let tree = git(at, &["hash-object", "-t", "tree", "-w", "/dev/null"]);
        git(at, &["commit-tree", "-m", message, &tree])
    }

    fn open(place: &Path) -> Rc<gix::Repository> {
        RepositoryHandle::new(place, Way::Named).expect("a repository").here().expect("it is open")
    }

    fn has(repository: &gix::Repository, commit: &str) -> bool {
        let id = gix::ObjectId::from_hex(commit.as_bytes()).expect("an id");
        repository.find_object(id).is_ok()
    }

    #[test]
    fn a_range_of_versions_is_the_newest_tag_that_it_allows() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("one");
        bare(&place);
        let tagged = ["v1.0.0", "v1.2.0", "v1.10.1", "v2.0.0-rc.1", "other"].map(|tag| {
            let commit = commit(&place, tag);
            git(&place, &["tag", tag, &commit]);
            commit
        });
        let branch = commit(&place, "a branch");
        git(&place, &["branch", "5.x", &branch]);
        let of = |revision: &str| Some(crate::SourceTree::open_commit(&place, revision).ok()?.revision().to_string());
        for range in ["v1.x", "^1.0.0", ">=1.0.0 <2.0.0", "*"] {
            assert_eq!(of(range).as_ref(), Some(&tagged[2]), "{range}");
        }
        assert_eq!((of("~1.2").as_ref(), of("other").as_ref()), (Some(&tagged[1]), Some(&tagged[4])));
        // No tag fits, and a branch is called so; a version is a tag's name alone.
        assert_eq!((of("5.x"), of("1.0.0"), of("7.x")), (Some(branch), None, None));
    }

    #[test]
    fn a_thread_opens_a_repository_once_for_all_that_read_from_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let [one, other] = ["one", "other"].map(|name| directory.path().join(name));
        let [first, _] = [&one, &other].map(|place| bare(place));
        let opened = open(&one);
        assert!(Rc::ptr_eq(&opened, &open(&one)), "the handle of before is gone, and it is open still");
        assert!(!Rc::ptr_eq(&opened, &open(&other)));
        assert!(has(&opened, &first));
        let second = commit(&one, "second");
        assert!(Rc::ptr_eq(&opened, &open(&one)), "a loose object is seen as it is open");
        assert!(has(&opened, &second));
        let own = RepositoryHandle::new(&one, Way::Own).expect("a repository").here().expect("it is open");
        assert!(!Rc::ptr_eq(&opened, &own), "found in another way, it may be another one");
    }

    #[test]
    fn what_it_would_not_hear_of_has_a_repository_opened_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("it");
        let first = bare(&place);
        git(&place, &["update-ref", "refs/heads/main", &first]);
        let opened = open(&place);
        git(&place, &["repack", "-qad"]);
        let packed = open(&place);
        assert!(!Rc::ptr_eq(&opened, &packed), "there is a pack more");
        git(&place, &["config", "remote.origin.url", "https://git.example.com/it.git"]);
        let configured = open(&place);
        assert!(!Rc::ptr_eq(&packed, &configured));
        assert_eq!(git::origin(&configured).as_deref(), Some("https://git.example.com/it.git"));
        fs::rename(&place, directory.path().join("gone")).expect("moved");
        let second = bare(&place);
        let another = open(&place);
        assert!(!Rc::ptr_eq(&configured, &another), "another one lies there");
        assert_eq!(git::origin(&another), None);
        assert!(has(&another, &second));
    }

    #[test]
    fn of_many_repositories_those_stay_open_that_were_used_last() {
        let directory = tempfile::tempdir().expect("a directory");
        let places: Vec<PathBuf> = (0..=MOST_OPEN).map(|number| directory.path().join(number.to_string())).collect();
        places.iter().for_each(|place| drop(bare(place)));
        let first = open(&places[0]);
        places[1..MOST_OPEN].iter().for_each(|place| drop(open(place)));
        assert!(Rc::ptr_eq(&first, &open(&places[0])));
        let _one_more = open(&places[MOST_OPEN]);
        assert!(Rc::ptr_eq(&first, &open(&places[0])), "it was used last");
        assert_eq!(OPEN.with_borrow(Vec::len), MOST_OPEN);
        assert!(OPEN.with_borrow(|open| open.iter().all(|open| open.place != places[1])), "it gave way");
    }
}
