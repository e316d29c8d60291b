use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use landfall_diag::{Diagnose, Diagnostic, code};

/// What the store could not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened or created.
    #[error("cannot open the store {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A server's database cannot be connected to.
    #[error("the database {database} cannot be used")]
    Connect {
        /// Which, without the password.
        database: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A server's database is not there any more, or not yet again.
    #[error("cannot {what}: the database {database} does not answer")]
    Away {
        /// The operation in words.
        what: &'static str,
        /// Which, without the password.
        database: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Somebody else has taken the shard of Applications that was to be written for.
    #[error("another replica keeps shard {shard} (epoch {epoch} is past): nothing was written")]
    Fenced {
        /// The shard.
        shard: i64,
        /// The epoch in which this process kept it.
        epoch: i64,
    },
    /// What is to be sealed has no key, or what was given is none.
    #[error("there is no key to seal the journal with")]
    NoKey,
    /// The file was written by a later version of this program.
    #[error("the store was written by a newer version (schema {found}, this program knows {known})")]
    TooNew {
        /// The schema number in the file.
        found: i64,
        /// The highest schema number known here.
        known: i64,
    },
    /// A statement failed.
    #[error("cannot {what} in the store")]
    Sql {
        /// The operation in words.
        what: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// There is no room to write: the disk is full, or a quota or limit of the system's is reached.
    #[error("{}", landfall_diag::disk_full_words(directory))]
    Full {
        /// The directory of the store's file.
        directory: PathBuf,
        /// SQLite's words.
        #[source]
        source: sqlx::Error,
    },
    /// The key of the journal cannot be read or made.
    #[error("the key of the journal, `{}`, cannot be used", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A row's JSON could not be read.
    #[error("the store holds a damaged row: {what}")]
    Damaged {
        /// Which row.
        what: String,
    },
    /// Something with this identity is there already.
    #[error("the store already holds {what}")]
    Exists {
        /// What.
        what: String,
    },
    /// Nothing with this identity is there.
    #[error("the store does not hold {what}")]
    Missing {
        /// What.
        what: String,
    },
}

impl Error {
    /// Whether the database is away, or somebody else has taken over what was to be written: nothing is lost, and whoever keeps
    /// it then goes on from the journal.
    pub fn is_for_another_time(&self) -> bool {
        matches!(self, Error::Away { .. } | Error::Fenced { .. })
    }

    /// Whether the file could be opened, and not be read, written or looked at: as it is with a disk that fails, or with a file that
    /// was removed meanwhile.
    pub fn is_of_the_disk(&self) -> bool {
        match self {
            Error::Open { source, .. } | Error::Sql { source, .. } => kind_of(source) == Some(IO),
            _ => false,
        }
    }

    pub(crate) fn sql(what: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
        move |source| Error::Sql { what, source }
    }

    /// What a failure to use a file means: that there is no room, or what `otherwise` makes of it.
    pub(crate) fn of_file(file: &Path, source: sqlx::Error, otherwise: impl FnOnce(sqlx::Error) -> Error) -> Error {
        let directory = file.parent().unwrap_or(file);
        if is_out_of_room(&source, file, directory) {
            return Error::Full { directory: directory.to_owned(), source };
        }
        otherwise(source)
    }
}

/// The kind of SQLite's failures of input and output.
const IO: u32 = 10;

/// Whether SQLite could not write for want of room. It has a code for `ENOSPC` only; a quota, a limit of file sizes and
/// memory that cannot be mapped come as failures of input and output, and are tried out.
fn is_out_of_room(error: &sqlx::Error, file: &Path, directory: &Path) -> bool {
    const FULL: u32 = 13;
    const CANNOT_OPEN: u32 = 14;
    match kind_of(error) {
        Some(FULL) => true,
        Some(IO | CANNOT_OPEN) => has_no_room(file, directory),
        _ => false,
    }
}

/// The kind of a failure of SQLite's.
fn kind_of(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // The lower byte is the kind, what is above tells more of it.
    code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff)
}

/// Whether a file as long as this one cannot be made longer beside it.
fn has_no_room(file: &Path, directory: &Path) -> bool {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let log = PathBuf::from(format!("{}-wal", file.display()));
    let trial = directory.join(format!(".room.{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut made = std::fs::File::create(&trial)?;
        made.seek(SeekFrom::Start(length(file).max(length(&log))))?;
        made.write_all(&[0; 64 * 1024])?;
        made.sync_all()
    };
    let tried = write();
    let _gone = std::fs::remove_file(&trial);
    tried.is_err_and(|error| landfall_diag::is_full(error.kind()))
}

impl Diagnose for Error {
    fn diagnose(&self) -> Diagnostic {
        let mut diagnostic = match self {
            Error::Full { directory, .. } => landfall_diag::disk_full(directory),
            Error::Key { path, source } if landfall_diag::is_full(source.kind()) => {
                landfall_diag::disk_full(path.parent().unwrap_or(path))
            }
            _ => Diagnostic::error(code::STORE, self.to_string()),
        };
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            diagnostic = diagnostic.note(error.to_string());
            cause = error.source();
        }
        match self {
            Error::TooNew { .. } => diagnostic
                .note("nothing was changed")
                .help("use the newer landfall, or another state directory (--state DIR) or database (--database URL)"),
            Error::Connect { .. } => diagnostic.note("nothing was changed").help(
                "check that it runs, its name, the user and the password: psql with the same address says the same",
            ),
            Error::Damaged { .. } => diagnostic.help(
                "remove `store.db` in the state directory: what is delivered stays, and the next delivery starts anew",
            ),
            Error::Open { .. } => {
                diagnostic.help("check the directory's permissions, or choose another with --state DIR")
            }
            Error::Key { path, source } if source.kind() == std::io::ErrorKind::NotFound => diagnostic
                .note("without it, what a broken off delivery was about to do cannot be read, nor gone on with")
                .help(format!(
                    "put it back, or remove `{}`: what is delivered stays, and the next delivery starts anew",
                    path.with_extension("db").display()
                )),
            _ => diagnostic,
        }
    }
}
