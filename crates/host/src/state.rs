//! The state directory: one folder at the system's root, one opener at a time.
//!
//! ```text
//! .landfall/  .gitignore  made-here.json  cluster.db  store.db  store.key  endpoint.json  token  lock
//!             delivery.lock  delivery.json  made-cluster  serve.json  webhook.json  kubeconfig  server.log  cache/
//!             aside/1  what was found in its place and is not ours
//! ```
//!
//! It is ours where we made it in this very place ([`origin`]); what else stands there is moved aside unread, or, where
//! the user named the directory, left as it is ([`taking`]). What is removed is what we write ([`contents`]). Files are
//! their owner's alone.
//!
//! Whoever opens the embedded cluster holds `lock` for as long as it is open. Who finds it held talks to the
//! address in `endpoint.json`; an endpoint without a held lock is stale and is removed.

mod access;
mod contents;
mod origin;
mod serving;
mod taking;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_recursion::async_recursion as boxed;
use landfall_diag::{Code, Diagnostic, code};
use serde::{Deserialize, Serialize};

pub use self::access::Access;
pub(crate) use self::contents::private_file;
use self::contents::remove_entry;
pub use self::origin::Chosen;
use self::origin::{Maker, Marker, Origin};
pub use self::serving::{Said, Serving};
use crate::lock_file;
use landfall_source::make_private_directory;

/// The state directory of one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

/// Where a running embedded cluster listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The serving process.
    pub pid: u32,
    /// The Kubernetes API, as `https://127.0.0.1:6443`.
    pub server: String,
    /// The ingress for HTTP, as `127.0.0.1:8080`.
    pub http: Option<std::net::SocketAddr>,
    /// The ingress for HTTPS.
    pub https: Option<std::net::SocketAddr>,
    /// The version of the serving binary.
    pub version: String,
    /// When it began to serve, RFC 3339: with the pid, which server it is.
    #[serde(default)]
    pub started: String,
}

impl Endpoint {
    /// The address of the Kubernetes API, which is one of this machine's own.
    fn address(&self) -> Option<std::net::SocketAddr> {
        let address: std::net::SocketAddr = self.server.strip_prefix("https://")?.parse().ok()?;
        address.ip().is_loopback().then_some(address)
    }

    /// Whether somebody listens there.
    pub fn listens(&self) -> bool {
        let patience = Duration::from_secs(2);
        self.address().is_some_and(|address| std::net::TcpStream::connect_timeout(&address, patience).is_ok())
    }
}

/// What has become of a server that was talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It serves.
    Serves,
    /// It has ended, and nobody serves.
    Ended,
    /// It has ended, and another process serves.
    Replaced(u32),
    /// The state directory was removed, and the cluster with it.
    Forgotten,
}

/// The right to open the embedded cluster; given back when dropped.
#[derive(Debug)]
pub struct Lock {
    file: fs::File,
    path: PathBuf,
    endpoint: PathBuf,
}

/// Whether a lock that this process holds still stands where others find it.
#[derive(Debug)]
pub(crate) struct Standing {
    file: fs::File,
    path: PathBuf,
}

impl Standing {
    /// Whether it does.
    pub(crate) fn holds(&self) -> bool {
        lock_file::stands_at(&self.file, &self.path)
    }
}

impl StateDir {
    /// The directory at a path that may not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        StateDir { path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file inside it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether it exists.
    pub fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Makes the directory with its marker and its own `.gitignore`, for its owner only; one that is there already and is
    /// not Landfall's keeps its mode.
    pub fn create(&self) -> Result<(), Diagnostic> {
        self.settle()
    }

    /// Makes the directory for what is fetched.
    pub fn create_cache(&self) -> Result<PathBuf, Diagnostic> {
        self.create()?;
        let cache = self.file(contents::CACHE);
        make_private_directory(&cache).map_err(|error| {
            self.unwritten(code::STATE_UNMADE, format!("`{}` cannot be made", cache.display()), &error)
        })?;
        Ok(cache)
    }

    /// Makes the directory for what is fetched to be written to.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create_writer_cache(&self) -> Result<PathBuf, Diagnostic> {
        let writer = self.create_cache()?.join("writer");
        make_private_directory(&writer).map_err(|error| {
            self.unwritten(code::STATE_UNMADE, format!("`{}` cannot be made", writer.display()), &error)
        })?;
        Ok(writer)
    }

    /// What is told of something that cannot be written here: that the disk is full, where it is.
    fn unwritten(&self, code: Code, what: String, error: &io::Error) -> Diagnostic {
        if landfall_diag::is_full(error.kind()) {
            return landfall_diag::disk_full(&self.path).note(what);
        }
        Diagnostic::error(code, what).note(error.to_string())
    }

    /// Takes the lock, or `None` when another process has it.
    pub fn try_lock(&self) -> Result<Option<Lock>, Diagnostic> {
        self.create()?;
        let path = self.file("lock");
        let held = lock_file::hold(&path).map_err(|error| self.unlockable(&path, &error))?;
        let Some(file) = held else { return Ok(None) };
        let endpoint = self.file("endpoint.json");
        // Nobody serves while we hold the lock: whatever stands there is stale.
        remove_if_present(&endpoint)?;
        Ok(Some(Lock { file, path, endpoint }))
    }

    /// Why a lock cannot be taken.
    pub(crate) fn unlockable(&self, path: &Path, error: &io::Error) -> Diagnostic {
        self.unwritten(code::STATE_UNLOCKED, format!("`{}` cannot be locked", path.display()), error)
    }

    /// Whether there is a cluster: one lies here, or is served.
    pub fn has_cluster(&self) -> bool {
        self.endpoint().is_some() || self.file("cluster.db").exists()
    }

    /// Whether this user's Landfall keeps a cluster here.
    pub(crate) fn is_used(&self) -> bool {
        self.has_cluster() && Origin::of(&self.path, Chosen::ByTree) == Origin::Ours
    }

    /// Whether some process has the cluster open.
    pub fn is_open(&self) -> bool {
        lock_file::is_held(&self.file("lock"))
    }

    /// What has become of a server.
    pub(crate) fn fate_of(&self, server: &Endpoint) -> Fate {
        if !self.has_cluster() {
            return Fate::Forgotten;
        }
        match self.endpoint() {
            // A server says where it listens for as long as it holds the lock.
            _ if !self.is_open() => Fate::Ended,
            None => Fate::Ended,
            Some(now) if (now.pid, &now.started) == (server.pid, &server.started) => Fate::Serves,
            Some(now) => Fate::Replaced(now.pid),
        }
    }

    /// The endpoint of the process that holds the lock, when it has written one: an address of this machine's own.
    pub fn endpoint(&self) -> Option<Endpoint> {
        let endpoint: Endpoint = serde_json::from_slice(&fs::read(self.file("endpoint.json")).ok()?).ok()?;
        endpoint.address().is_some().then_some(endpoint)
    }

    /// Waits until the process that holds the lock has said where it listens.
    #[boxed]
    pub async fn wait_for_endpoint(&self, patience: Duration) -> Option<Endpoint> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(endpoint) = self.endpoint() {
                return Some(endpoint);
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until nobody holds the lock; `None` when somebody still does at the deadline.
    #[boxed]
    pub async fn wait_for_lock(&self, patience: Duration) -> Result<Option<Lock>, Diagnostic> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(lock) = self.try_lock()? {
                return Ok(Some(lock));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Writes a file of the state directory in one step, readable by its owner only.
    pub fn write_private(&self, name: &str, content: &[u8]) -> Result<PathBuf, Diagnostic> {
        let path = self.file(name);
        let temporary = self.file(&format!(".{name}.{}.new", std::process::id()));
        let write = || -> io::Result<()> {
            let mut file = private_file(&temporary)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|error| {
            // What was written of it helps nobody, and takes room.
            let _left = fs::remove_file(&temporary);
            self.unwritten(code::STATE_UNWRITTEN, format!("`{}` cannot be written", path.display()), &error)
        })?;
        Ok(path)
    }

    /// What to say when nothing more can be written here; tried out with a file of 16 KiB.
    pub fn full(&self) -> Option<Diagnostic> {
        let trial = self.file(&format!(".room.{}", std::process::id()));
        let tried = private_file(&trial).and_then(|mut file| {
            file.write_all(&[0; 16 * 1024])?;
            file.sync_all()
        });
        let _gone = fs::remove_file(&trial);
        let error = tried.err()?;
        landfall_diag::is_full(error.kind()).then(|| landfall_diag::disk_full(&self.path))
    }

    /// Removes what is only kept to be quicker, or to be looked at: what was fetched, and the server's log.
    pub fn make_room(&self) {
        // What cannot be removed takes its room as before.
        let _fetched = fs::remove_dir_all(self.file("cache"));
        let _log = fs::remove_file(self.file("server.log"));
    }

    /// Removes what Landfall has put into the directory but for what is kept, and the directory where it made it and nothing
    /// is in it any more; gives the names of what stays that is not Landfall's.
    pub(crate) fn remove(&self, _held: Lock, kept: Kept) -> Result<Vec<String>, Diagnostic> {
        // A link is removed with what it leads to.
        let real = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let removed = match kept {
            Kept::Nothing => remove_own(&real),
            Kept::Book => remove_beside_book(&real),
        };
        if removed.is_ok() && self.path.is_symlink() && !self.path.exists() {
            let _gone = fs::remove_file(&self.path);
        }
        removed.map(|left| left.iter().map(|name| name.to_string_lossy().into_owned()).collect()).map_err(|error| {
            Diagnostic::error(
                code::STATE_UNREMOVED,
                format!("the state directory `{}` cannot be removed", self.path.display()),
            )
            .note(error.to_string())
        })
    }
}

/// What stays of a state directory whose embedded cluster is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// The store: what is known of every environment of the system, and not of that cluster alone.
    Book,
}

/// Makes the state directory that a cache lies in, with its marker, and the cache.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_cache(cache: &Path) -> io::Result<()> {
    let Some(directory) = cache.parent() else { return make_private_directory(cache) };
    StateDir::at(directory).create_cache().map(drop).map_err(|diagnostic| io::Error::other(diagnostic.message))
}

/// Removes what is of the embedded cluster in a directory, and gives what is not Landfall's.
fn remove_beside_book(directory: &Path) -> io::Result<Vec<OsString>> {
    let (own, others) = contents::sorted(directory)?;
    for name in own.iter().filter(|name| !name.to_str().is_some_and(contents::is_of_book)) {
        remove_entry(&directory.join(name))?;
    }
    Ok(others)
}

/// Removes what is Landfall's in a directory, and gives what is not.
fn remove_own(directory: &Path) -> io::Result<Vec<OsString>> {
    let made_here = Marker::here(directory).is_some_and(|marker| marker.directory == Maker::Landfall);
    let (_, others) = contents::sorted(directory)?;
    if made_here && others.is_empty() {
        // Away with it in one step: whoever comes now begins afresh, and does not find half of it. A directory that is a
        // mount cannot be moved.
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let gone = directory.with_file_name(format!("{name}.gone.{}", std::process::id()));
        if fs::rename(directory, &gone).is_ok() {
            fs::remove_dir_all(&gone)?;
            return Ok(Vec::new());
        }
    }
    let (own, others) = contents::sorted(directory)?;
    // Beside other files in a directory of ours, marker and `.gitignore` go on saying whose it is.
    let stays = made_here && !others.is_empty();
    for name in own {
        let is_ignore = name == contents::IGNORE;
        let is_kept =
            (stays && (is_ignore || name == contents::MARKER)) || (is_ignore && !contents::is_own_ignore(directory));
        if !is_kept {
            remove_entry(&directory.join(name))?;
        }
    }
    if made_here && !stays {
        let _mounted = fs::remove_dir(directory);
    }
    Ok(others)
}

impl Lock {
    /// Says that nobody serves here any more, and keeps the lock until the process has ended.
    pub(crate) fn keep(self) {
        self.retract();
        // Dropped, it would be let go; leaked, the system does that, after everything else of the process has gone.
        let _until_the_end: &'static mut Lock = Box::leak(Box::new(self));
    }

    fn retract(&self) {
        // Where the directory was removed under this process, another one's address may stand there by now.
        if self.stands() {
            let _gone = fs::remove_file(&self.endpoint);
        }
    }

    /// Whether the lock's file is still the one that others find.
    pub(crate) fn stands(&self) -> bool {
        lock_file::stands_at(&self.file, &self.path)
    }

    /// The same, to be asked apart from the lock.
    pub(crate) fn standing(&self) -> Option<Standing> {
        Some(Standing { file: self.file.try_clone().ok()?, path: self.path.clone() })
    }

    /// Says where the cluster listens.
    pub(crate) fn publish(&self, state: &StateDir, endpoint: &Endpoint) -> Result<(), Diagnostic> {
        let text = serde_json::to_vec_pretty(endpoint).map_err(|error| {
            Diagnostic::error(code::STATE_UNWRITTEN, "the endpoint cannot be written").note(error.to_string())
        })?;
        state.write_private("endpoint.json", &text)?;
        // Where the directory was removed meanwhile, the address is none; another one's is not ours to remove.
        if !self.stands() && fs::read(&self.endpoint).is_ok_and(|there| there == text) {
            let _gone = fs::remove_file(&self.endpoint);
        }
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The endpoint goes first: who sees the lock free must not find an old address.
        self.retract();
        let _unlocked = self.file.unlock();
    }
}

fn remove_if_present(path: &Path) -> Result<(), Diagnostic> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Diagnostic::error(code::STATE_UNREMOVED, format!("`{}` cannot be removed", path.display()))
                .note(error.to_string()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    #[test]
    fn the_lock_is_held_by_one_opener_at_a_time() {
        let dir = scratch();
        let state = StateDir::at(dir.path().join("state"));
        let held = state.try_lock().expect("lockable").expect("free");
        assert!(state.try_lock().expect("lockable").is_none());
        drop(held);
        assert!(state.try_lock().expect("lockable").is_some());
    }

    #[test]
    fn a_stale_endpoint_is_removed_by_the_next_opener() {
        let dir = scratch();
        let state = StateDir::at(dir.path().join("state"));
        state.create().expect("made");
        fs::write(state.file("endpoint.json"), b"{\"pid\":1}").expect("written");
        let _held = state.try_lock().expect("lockable").expect("free");
        assert!(!state.file("endpoint.json").exists());
    }

    #[test]
    fn an_address_that_is_written_where_the_lock_is_gone_is_taken_back() {
        let dir = scratch();
        let state = StateDir::at(dir.path().join("state"));
        state.create().expect("made");
        let endpoint = Endpoint {
            pid: 1,
            server: "https://127.0.0.1:1".to_owned(),
            http: None,
            https: None,
            version: String::new(),
            started: String::new(),
        };
        let held = state.try_lock().expect("lockable").expect("free");
        held.publish(&state, &endpoint).expect("written");
        assert!(state.file("endpoint.json").exists());
        fs::remove_dir_all(state.path()).expect("removed");
        state.create().expect("made");
        held.publish(&state, &endpoint).expect("written");
        assert!(!state.file("endpoint.json").exists());
    }

    #[test]
    fn private_files_are_readable_by_their_owner_only() {
        let dir = scratch();
        let state = StateDir::at(dir.path().join("state"));
        state.create().expect("made");
        let path = state.write_private("token", b"x").expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        #[cfg(not(unix))]
        assert!(path.exists());
    }
}
