#[cfg(unix)]
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_diag::is_mutant;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::database::is_away;
use crate::seal::Seal;
use crate::statement::Connections;
use crate::{DatabaseAddress, Error, migrations};

/// Where a database lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a file, created when absent (its directory must exist).
    File(PathBuf),
    /// In memory, gone with the value.
    Memory,
}

/// What a database is for: which of the small stores have their tables in it, and what a returned write has survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// All of them. A commit has survived the death of the machine: it is synchronised to disk.
    #[default]
    Everything,
    /// One delivery that is forgotten with it: journal, history and facts. Most of what making all tables takes is saved.
    Delivery,
    /// The objects of an embedded cluster. A commit has survived the death of the process; a power cut may lose the last
    /// ones, never the file.
    Cluster,
}

/// The open database that the small stores share; cheap to clone, all clones share its connections.
#[derive(Debug, Clone)]
pub struct Pool {
    pub(crate) connections: Connections,
    kept: Kept,
    /// What keeps the bodies of operations from other readers of the file.
    pub(crate) seal: Seal,
}

/// Bytes of a page, with which a file of SQLite begins, and of what a write-ahead log begins with.
const PAGE: u64 = 4096;
const LOG_HEADER: u64 = 32;

/// Whether a file is one whose tables nobody has ever made, so that it holds nothing: all of them are made in one transaction, and who
/// begins with a full disk has none. It is not opened, which wants room.
pub fn is_unmade(path: &Path) -> bool {
    let bytes = |path: &Path| path.metadata().map_or(0, |about| about.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    bytes(path) <= PAGE && bytes(Path::new(&log)) <= LOG_HEADER
}

/// What keeps the rows, for who is told of a failure.
#[derive(Debug, Clone)]
enum Kept {
    InMemory,
    InFile(PathBuf),
    /// By a server, as it is shown to people.
    ByServer(String),
}

impl Pool {
    /// Opens a database of PostgreSQL that several processes share, creating or migrating the tables of every small store.
    ///
    /// Nothing that has to be sealed is written or read before [`Pool::seal_with`] has said with what.
    ///
    /// # Errors
    /// [`Error::Connect`] when it is not there or does not let us in, [`Error::TooNew`] when a later version wrote it.
    pub async fn open_database(address: &DatabaseAddress) -> Result<Pool, Error> {
        let connections = Connections::Postgres(address.connect().await?);
        let pool = Pool { connections, kept: Kept::ByServer(address.shown()), seal: Seal::to_be_given() };
        migrations::run(&pool, Purpose::Everything).await?;
        Ok(pool)
    }

    /// Says by which key the bodies of operations are sealed that a server keeps; one that was said before stays.
    ///
    /// # Errors
    /// [`Error::Key`] when it is no key.
    pub fn seal_with(&self, key: &[u8]) -> Result<(), Error> {
        self.seal.give(key)
    }

    /// Opens a database whose writes survive the machine, creating or migrating the tables of every small store.
    ///
    /// # Errors
    /// [`Error::Open`] when the file cannot be used, [`Error::TooNew`] when a later version wrote it.
    #[boxed]
    pub async fn open(location: Location) -> Result<Pool, Error> {
        Pool::open_for(location, Purpose::Everything).await
    }

    /// Opens one for a purpose.
    ///
    /// # Errors
    /// As [`Pool::open`].
    #[boxed]
    pub async fn open_for(location: Location, purpose: Purpose) -> Result<Pool, Error> {
        let path = match &location {
            Location::File(path) => path.clone(),
            Location::Memory => PathBuf::from(":memory:"),
        };
        if location != Location::Memory {
            keep_private(&path);
        }
        let options = match &location {
            Location::File(path) => SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(match purpose {
                    Purpose::Everything | Purpose::Delivery => SqliteSynchronous::Full,
                    Purpose::Cluster => SqliteSynchronous::Normal,
                })
                .busy_timeout(Duration::from_secs(5)),
            Location::Memory => SqliteConnectOptions::new().in_memory(true).synchronous(SqliteSynchronous::Off),
        }
        .foreign_keys(true);
        let options = match purpose {
            // What an operation needed goes with it, from the file too; a cluster's state need not pay for that.
            Purpose::Everything | Purpose::Delivery => options.pragma("secure_delete", "ON"),
            Purpose::Cluster => options,
        };
        // One connection: a memory database lives in its connection, and serialised writes are never busy.
        let opened = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(|source| Error::of_file(&path, source, |source| Error::Open { path: path.clone(), source }))?;
        let (kept, seal) = match location {
            Location::File(path) => (Kept::InFile(path.clone()), Seal::beside(&path)),
            Location::Memory => (Kept::InMemory, Seal::default()),
        };
        let pool = Pool { connections: Connections::Sqlite(opened), kept, seal };
        migrations::run(&pool, purpose).await?;
        Ok(pool)
    }

    /// Whether it is kept in a file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kept, Kept::InFile(_))
    }

    /// What a failed statement means.
    pub(crate) fn failed(&self, what: &'static str) -> impl FnOnce(sqlx::Error) -> Error + use<> {
        let kept = self.kept.clone();
        move |source| match kept {
            Kept::InFile(file) => Error::of_file(&file, source, Error::sql(what)),
            Kept::ByServer(database) if is_away(&source) => Error::Away { what, database, source },
            Kept::InMemory | Kept::ByServer(_) => Error::sql(what)(source),
        }
    }

    /// Closes the connections, writing back the log; other clones can no longer be used.
    #[boxed]
    pub async fn close(&self) {
        self.connections.close().await;
    }
}

/// Makes a database its owner's alone before SQLite opens it: SQLite gives what it puts beside it the same mode. The file
/// is never opened where it exists already, for closing it would end the locks that this process has on it.
///
/// What cannot be made is told when it is opened.
#[cfg(unix)]
fn keep_private(path: &Path) {
    if is_mutant("private-stores") {
        return;
    }
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    if !made.is_err_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists) {
        return;
    }
    for ending in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(ending);
        let Ok(mode) = fs::metadata(&file).map(|meta| meta.permissions().mode()) else { continue };
        if mode & 0o077 != 0 {
            let _anothers = fs::set_permissions(&file, fs::Permissions::from_mode(mode & 0o700));
        }
    }
}

#[cfg(not(unix))]
fn keep_private(_path: &Path) {}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_file_whose_tables_nobody_has_made_is_told_from_every_other() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("store.db");
        for length in [0, 4096] {
            fs::write(&file, vec![0; length]).expect("written");
            assert!(is_unmade(&file), "{length}");
        }
        // What a process has committed that was killed then may stand in the log alone.
        let log = directory.path().join("store.db-wal");
        fs::write(&log, [0; 33]).expect("written");
        assert!(!is_unmade(&file));
        for gone in [&file, &log] {
            fs::remove_file(gone).expect("removed");
        }
        let pool = Pool::open(Location::File(file.clone())).await.expect("opened");
        assert!(!is_unmade(&file), "while it is open");
        pool.close().await;
        assert!(!is_unmade(&file));
    }

    fn modes(directory: &Path) -> Vec<(String, u32)> {
        let entries = fs::read_dir(directory).expect("listed").map(|entry| entry.expect("an entry"));
        let mut modes: Vec<(String, u32)> = entries
            .map(|entry| {
                let mode = entry.metadata().expect("there").permissions().mode() & 0o777;
                (entry.file_name().to_string_lossy().into_owned(), mode)
            })
            .collect();
        modes.sort();
        modes
    }

    #[tokio::test]
    async fn a_store_and_what_lies_beside_it_are_their_owners_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("store.db");
        let wanted = ["store.db", "store.db-shm", "store.db-wal"].map(|name| (name.to_owned(), 0o600));
        let pool = Pool::open(Location::File(path.clone())).await.expect("opened");
        assert_eq!(modes(directory.path()), wanted);
        // One that an earlier version has left open to others.
        for (name, _) in &wanted {
            fs::set_permissions(directory.path().join(name), fs::Permissions::from_mode(0o644)).expect("changed");
        }
        let again = Pool::open(Location::File(path)).await.expect("opened");
        assert_eq!(modes(directory.path()), wanted);
        pool.close().await;
        again.close().await;
    }
}
