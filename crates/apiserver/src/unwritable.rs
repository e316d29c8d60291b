//! Why a cluster that is kept on disk takes nothing more.

use std::path::Path;
use std::sync::Arc;

/// Why nothing can be written to disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// The disk is full.
    #[error("{}", landfall_diag::disk_full_words(directory))]
    Full {
        /// The directory of the store's file.
        directory: Arc<Path>,
    },
    /// Something else, in words.
    #[error("{0}")]
    Otherwise(Arc<str>),
}

impl Unwritable {
    /// A failure of the store.
    pub(crate) fn of(error: &landfall_store::Error) -> Self {
        match error {
            landfall_store::Error::Full { directory, .. } => Self::Full { directory: Arc::from(directory.as_path()) },
            other => Self::Otherwise(Arc::from(other.to_string())),
        }
    }
}
