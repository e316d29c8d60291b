use std::path::PathBuf;

use landfall_diag::{Diagnose, Diagnostic};

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
    pub(crate) fn sql(what: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
        move |source| Error::Sql { what, source }
    }
}

impl Diagnose for Error {
    fn diagnose(&self) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(480, self.to_string());
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            diagnostic = diagnostic.note(error.to_string());
            cause = error.source();
        }
        match self {
            Error::TooNew { .. } => diagnostic.help("use the newer landfall, or another state directory (--state DIR)"),
            Error::Open { .. } => {
                diagnostic.help("check the directory's permissions, or choose another with --state DIR")
            }
            _ => diagnostic,
        }
    }
}
