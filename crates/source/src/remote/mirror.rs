//! A repository elsewhere, as far as it was wanted: a bare repository here that newer commits are added to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;

use super::asking::{Asking, Wanted};
use super::references::{References, is_full_hash, is_hash};
use super::{Fetched, fetched_aside, watched};
use crate::access::PATIENCE;
use crate::account::GitRemote;
use crate::aside::aside;
use crate::error::SourceError;
use crate::network::Network;

/// Fetches into one directory; each leaves a pack. Then another directory takes its place, and the first goes when
/// nobody reads from it any more.
const MOST_FETCHES: u32 = 64;

/// All branches and tags, and `HEAD`.
const ALL: [&str; 3] = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", "HEAD"];

/// A repository elsewhere, as far as it was fetched.
#[derive(Debug)]
pub struct Mirror {
    below: PathBuf,
    pub(super) patience: Duration,
    pub(super) network: Network,
    current: Option<Generation>,
    fetches: u64,
}

/// One directory of it.
#[derive(Debug)]
struct Generation {
    place: Arc<Fetched>,
    fetches: u32,
    holds: Holds,
}

/// What of the commits' histories a directory has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Nothing: each is there alone.
    Tips,
    /// All.
    Histories,
}

impl Mirror {
    /// One of which nothing is fetched yet; its directories will lie below this one.
    pub fn new(network: &Network, below: PathBuf, patience: Option<Duration>) -> Self {
        Mirror { below, patience: patience.unwrap_or(PATIENCE), network: network.clone(), current: None, fetches: 0 }
    }

    /// How often commits were fetched since this was last asked.
    pub fn take_fetches(&mut self) -> u64 {
        std::mem::take(&mut self.fetches)
    }

    /// What the server says its references are, those of `further` full names among them; nothing is fetched.
    ///
    /// # Errors
    /// The server cannot be reached, or does not take the account.
    #[boxed]
    pub async fn references(&mut self, remote: &GitRemote, further: &[String]) -> Result<References, SourceError> {
        let place = Arc::clone(&self.generation(Holds::Tips).await?.place);
        let mut specifications: Vec<String> = ALL.map(str::to_owned).to_vec();
        specifications.extend(further.iter().cloned());
        let server = self.ask(remote, &place, specifications, Wanted::References).await?;
        Ok(References::of(&server))
    }

    /// A directory that has a commit: what is there already is not fetched again.
    ///
    /// # Errors
    /// The server cannot be reached, does not take the account, or has no such commit.
    #[boxed]
    pub async fn commit(&mut self, remote: &GitRemote, hash: &str) -> Result<Arc<Fetched>, SourceError> {
        if let Some(current) = &self.current
            && has(&current.place, hash).await?.is_some()
        {
            return Ok(Arc::clone(&current.place));
        }
        let tip = match self.fetch(remote, hash).await {
            Ok(place) if has(&place, hash).await?.is_some() => return Ok(place),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        // Not every server gives a commit by its hash: then with all branches.
        let whole = self.everything(remote).await.map_err(|error| tip.unwrap_or(error))?;
        match has(&whole, hash).await? {
            Some(_) => Ok(whole),
            None => Err(no_such(hash)),
        }
    }

    /// A directory that has a commit with nothing before it, where the server gives it by its hash.
    ///
    /// # Errors
    /// The server cannot be reached, or does not take the account.
    pub(crate) async fn alone(&mut self, remote: &GitRemote, hash: &str) -> Result<Option<Arc<Fetched>>, SourceError> {
        if let Some(current) = &self.current
            && has(&current.place, hash).await?.is_some()
        {
            return Ok(Some(Arc::clone(&current.place)));
        }
        // A server says the same of a commit that it does not have and of one that it does not give.
        let Ok(place) = self.fetch(remote, hash).await else { return Ok(None) };
        Ok(has(&place, hash).await?.is_some().then_some(place))
    }

    /// Whether a commit is among those that lead to another one; everything is fetched for it.
    ///
    /// # Errors
    /// The server cannot be reached, or does not take the account.
    pub(crate) async fn leads_to(&mut self, remote: &GitRemote, commit: &str, tip: &str) -> Result<bool, SourceError> {
        let whole = self.everything(remote).await?;
        let (commit, tip) = (commit.to_owned(), tip.to_owned());
        Ok(aside(move || crate::git::leads_to(whole.path(), &commit, &tip)).await?)
    }

    /// A directory that has a commit with all that led to it.
    ///
    /// # Errors
    /// As [`Mirror::commit`].
    #[boxed]
    pub async fn history(&mut self, remote: &GitRemote, hash: &str) -> Result<Arc<Fetched>, SourceError> {
        if let Some(current) = self.current.as_ref().filter(|current| current.holds == Holds::Histories)
            && has(&current.place, hash).await?.is_some()
        {
            return Ok(Arc::clone(&current.place));
        }
        let whole = self.everything(remote).await?;
        match has(&whole, hash).await? {
            Some(_) => Ok(whole),
            None => Err(no_such(hash)),
        }
    }

    /// The full hash of a commit whose beginning was named; everything is fetched for it, once.
    ///
    /// # Errors
    /// As [`Mirror::commit`].
    #[boxed]
    pub async fn full_hash(&mut self, remote: &GitRemote, beginning: &str) -> Result<String, SourceError> {
        if is_full_hash(beginning) || !is_hash(beginning) {
            return Err(no_such(beginning));
        }
        if let Some(current) = self.current.as_ref().filter(|current| current.holds == Holds::Histories)
            && let Some(hash) = has(&current.place, beginning).await?
        {
            return Ok(hash);
        }
        let whole = self.everything(remote).await?;
        has(&whole, beginning).await?.ok_or_else(|| no_such(beginning))
    }

    /// A directory of its own that has what a clone of this machine has, and nothing of that clone's configuration.
    ///
    /// # Errors
    /// The clone cannot be read.
    pub(crate) async fn beside(&mut self, clone: &Path) -> Result<Arc<Fetched>, SourceError> {
        let place = Arc::new(fetched_aside(&self.below).await?);
        let (directory, clone) = (place.path().to_owned(), clone.to_owned());
        aside(move || {
            let read = |source| SourceError::Read { path: clone.clone(), source };
            gix::init_bare(&directory)
                .map_err(|error| SourceError::Git { path: directory.clone(), why: error.to_string() })?;
            let objects = clone.join("objects").canonicalize().map_err(read)?;
            let mut line = objects.into_os_string().into_encoded_bytes();
            line.push(b'\n');
            std::fs::write(directory.join("objects/info/alternates"), line).map_err(read)?;
            let shallow = clone.join("shallow");
            if shallow.exists() {
                std::fs::copy(&shallow, directory.join("shallow")).map_err(read)?;
            }
            Ok::<_, SourceError>(())
        })
        .await??;
        Ok(place)
    }

    async fn fetch(&mut self, remote: &GitRemote, hash: &str) -> Result<Arc<Fetched>, SourceError> {
        let generation = self.generation(Holds::Tips).await?;
        generation.fetches += 1;
        let wanted = match generation.holds {
            Holds::Tips => Wanted::Tips,
            Holds::Histories => Wanted::Histories,
        };
        let place = Arc::clone(&generation.place);
        // The reference is what later fetches build on.
        self.ask(remote, &place, vec![format!("+{hash}:refs/landfall/{hash}")], wanted).await?;
        Ok(place)
    }

    async fn everything(&mut self, remote: &GitRemote) -> Result<Arc<Fetched>, SourceError> {
        let generation = self.generation(Holds::Histories).await?;
        generation.fetches += 1;
        let place = Arc::clone(&generation.place);
        self.ask(remote, &place, ALL[..2].iter().map(|one| (*one).to_owned()).collect(), Wanted::Histories).await?;
        Ok(place)
    }

    /// The directory in use, or a new one where that has had its time or holds too little.
    async fn generation(&mut self, least: Holds) -> Result<&mut Generation, SourceError> {
        let fits =
            |one: &Generation| one.fetches < MOST_FETCHES && (least == Holds::Tips || one.holds == Holds::Histories);
        let current = match self.current.take().filter(fits) {
            Some(current) => current,
            None => {
                let place = Arc::new(fetched_aside(&self.below).await?);
                let directory = place.path().to_owned();
                let made = move || {
                    gix::init_bare(&directory)
                        .map(drop)
                        .map_err(|error| SourceError::Git { path: directory, why: error.to_string() })
                };
                aside(made).await??;
                Generation { place, fetches: 0, holds: least }
            }
        };
        Ok(self.current.insert(current))
    }

    async fn ask(
        &mut self,
        remote: &GitRemote,
        place: &Arc<Fetched>,
        specifications: Vec<String>,
        wanted: Wanted,
    ) -> Result<Vec<gix::protocol::handshake::Ref>, SourceError> {
        let asking = Asking::new(&self.network, remote, self.patience).await?;
        if wanted != Wanted::References {
            self.fetches += 1;
        }
        let shown = asking.shown();
        let place = Arc::clone(place);
        let work = move |gauge, interrupted: &std::sync::atomic::AtomicBool| {
            asking.ask(place.path(), &specifications, wanted, gauge, interrupted)
        };
        watched(&self.network, shown, self.patience, self.patience, work).await
    }
}

/// The full hash of a commit that a directory has, by its hash or the beginning of it.
async fn has(place: &Arc<Fetched>, hash: &str) -> Result<Option<String>, SourceError> {
    let (place, hash) = (Arc::clone(place), hash.to_owned());
    let look = move || found(place.path(), &hash);
    Ok(aside(look).await?)
}

fn found(directory: &Path, hash: &str) -> Option<String> {
    let tree = crate::git::CommitTree::open_own(directory, hash).ok()?;
    Some(tree.sha())
}

fn no_such(revision: &str) -> SourceError {
    SourceError::Revision { revision: revision.to_owned(), nearest: None, shallow: false }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::SourceTree;
    use crate::account::Accounts;

    fn git(directory: &Path, words: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(words).current_dir(directory);
        let ended = command.output().expect("git runs");
        assert!(ended.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).expect("text").trim().to_owned()
    }

    fn commit(directory: &Path, path: &str, text: &str) -> String {
        std::fs::write(directory.join(path), text).expect("written");
        git(directory, &["add", "-A"]);
        git(directory, &["commit", "-q", "-m", path]);
        git(directory, &["rev-parse", "HEAD"])
    }

    fn packs(place: &Fetched) -> usize {
        let packs = std::fs::read_dir(place.path().join("objects/pack")).expect("packs");
        packs
            .filter(|entry| entry.as_ref().is_ok_and(|it| it.path().extension().is_some_and(|end| end == "pack")))
            .count()
    }

    #[tokio::test]
    async fn newer_commits_are_added_and_what_is_there_is_not_fetched_again() {
        let (there, here) = (tempfile::tempdir().expect("there"), tempfile::tempdir().expect("here"));
        git(there.path(), &["init", "-q", "-b", "main"]);
        let large = "a line\n".repeat(20_000);
        commit(there.path(), "large", &large);
        let first = commit(there.path(), "a", "1");
        let remote = Accounts::default().remote(&format!("file://{}", there.path().display()));
        let mut mirror = Mirror::new(&Network::default(), here.path().to_owned(), None);
        let references = mirror.references(&remote, &[]).await.expect("told");
        assert_eq!(references.commit("main"), Some(first.clone()));
        let place = mirror.commit(&remote, &first).await.expect("fetched");
        assert_eq!(packs(&place), 1);
        let again = mirror.commit(&remote, &first).await.expect("there");
        assert_eq!((packs(&again), place.path()), (1, again.path()));
        let second = commit(there.path(), "a", "2");
        git(there.path(), &["tag", "-a", "v1.0.0", "-m", "one"]);
        let references = mirror.references(&remote, &[]).await.expect("told");
        assert_eq!(references.commit("1.x"), Some(second.clone()), "a tag is what it tags");
        let newer = mirror.commit(&remote, &second).await.expect("fetched");
        assert_eq!((packs(&newer), newer.path()), (2, place.path()));
        let read = |hash: &str| {
            let tree = SourceTree::open_shared(&newer, hash).expect("there");
            tree.read("a").expect("read").expect("there")
        };
        assert_eq!((read(&first), read(&second)), (b"1".to_vec(), b"2".to_vec()));
        let sizes = std::fs::read_dir(newer.path().join("objects/pack")).expect("packs");
        let smallest =
            sizes.map(|entry| entry.expect("read")).filter(|it| it.path().extension().is_some_and(|end| end == "pack"));
        let smallest = smallest.map(|it| it.metadata().expect("read").len()).min();
        assert!(smallest < Some(2_000), "only what is new: {smallest:?}");
    }

    #[tokio::test]
    async fn a_commit_by_the_beginning_of_its_hash_and_one_that_is_not_there() {
        let (there, here) = (tempfile::tempdir().expect("there"), tempfile::tempdir().expect("here"));
        git(there.path(), &["init", "-q", "-b", "main"]);
        let first = commit(there.path(), "a", "1");
        commit(there.path(), "a", "2");
        let remote = Accounts::default().remote(&format!("file://{}", there.path().display()));
        let mut mirror = Mirror::new(&Network::default(), here.path().to_owned(), None);
        assert_eq!(mirror.full_hash(&remote, &first[..8]).await.expect("found"), first);
        assert!(mirror.full_hash(&remote, "main").await.is_err());
        let none = "0123456789abcdef0123456789abcdef01234567";
        let error = mirror.commit(&remote, none).await.expect_err("not there");
        assert!(!error.to_string().is_empty());
        let gone = Accounts::default().remote(&format!("file://{}/none", there.path().display()));
        assert!(mirror.references(&gone, &[]).await.is_err());
    }

    #[tokio::test]
    async fn a_directory_that_has_had_its_time_goes_with_its_last_reader() {
        let (there, here) = (tempfile::tempdir().expect("there"), tempfile::tempdir().expect("here"));
        git(there.path(), &["init", "-q", "-b", "main"]);
        let first = commit(there.path(), "a", "1");
        let remote = Accounts::default().remote(&format!("file://{}", there.path().display()));
        let mut mirror = Mirror::new(&Network::default(), here.path().to_owned(), None);
        let old = mirror.commit(&remote, &first).await.expect("fetched");
        mirror.current.as_mut().expect("there").fetches = MOST_FETCHES;
        let second = commit(there.path(), "a", "2");
        let new = mirror.commit(&remote, &second).await.expect("fetched");
        assert_ne!(old.path(), new.path());
        let path = old.path().to_owned();
        assert!(path.is_dir(), "somebody reads from it");
        drop(old);
        assert!(!path.exists());
    }
}
