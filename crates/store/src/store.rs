use std::path::PathBuf;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::{Error, migrations};

/// Where a store lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a file, created when absent (its directory must exist).
    File(PathBuf),
    /// In memory, gone with the value.
    Memory,
}

/// What a returned write has survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The death of the machine: every commit is synchronised to disk.
    #[default]
    Machine,
    /// The death of the process; a power cut may lose the last commits, never the file.
    Process,
}

/// An open store; cheap to clone, all clones share one connection.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: SqlitePool,
    /// Absent in memory.
    file: Option<PathBuf>,
}

impl Store {
    /// Opens a store whose writes survive the machine, creating or migrating its tables.
    ///
    /// # Errors
    /// [`Error::Open`] when the file cannot be used, [`Error::TooNew`] when a later version wrote it.
    pub async fn open(location: Location) -> Result<Store, Error> {
        Store::open_with(location, Durability::Machine).await
    }

    /// Opens a store with a chosen durability.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(location: Location, durability: Durability) -> Result<Store, Error> {
        let path = match &location {
            Location::File(path) => path.clone(),
            Location::Memory => PathBuf::from(":memory:"),
        };
        let options = match &location {
            Location::File(path) => SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(match durability {
                    Durability::Machine => SqliteSynchronous::Full,
                    Durability::Process => SqliteSynchronous::Normal,
                })
                .busy_timeout(Duration::from_secs(5)),
            Location::Memory => SqliteConnectOptions::new().in_memory(true).synchronous(SqliteSynchronous::Off),
        }
        .foreign_keys(true);
        // One connection: a memory database lives in its connection, and serialised writes are never busy.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(|source| Error::of_file(&path, source, |source| Error::Open { path: path.clone(), source }))?;
        let file = matches!(location, Location::File(_)).then_some(path);
        let store = Store { pool, file };
        migrations::run(&store).await?;
        Ok(store)
    }

    /// What a failed statement means.
    pub(crate) fn failed(&self, what: &'static str) -> impl FnOnce(sqlx::Error) -> Error + use<> {
        let file = self.file.clone();
        move |source| match file {
            Some(file) => Error::of_file(&file, source, Error::sql(what)),
            None => Error::sql(what)(source),
        }
    }

    /// Closes the connection, writing back the log; other clones can no longer be used.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
