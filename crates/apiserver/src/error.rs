//! Why a cluster could not be opened or served.

/// Why a cluster could not be opened or served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state on disk could not be read or written.
    #[error("the embedded cluster's state could not be {doing}")]
    Store {
        /// `opened`, `read` or `written`.
        doing: &'static str,
        /// What the store said.
        #[source]
        source: landfall_store::Error,
    },
    /// What is in memory cannot be written to disk.
    #[error(transparent)]
    Unwritten(#[from] crate::unwritable::Unwritable),
    /// What was read back is not what was written.
    #[error("the embedded cluster's state is damaged at {key}")]
    Damaged {
        /// The row.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A key or certificate could not be made.
    #[error("a certificate of the embedded cluster could not be made")]
    Certificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The machine gives no randomness for keys.
    #[error("the machine gives no randomness for keys")]
    Entropy,
    /// The address could not be bound.
    #[error("the embedded cluster's API could not be served on {address}")]
    Listen {
        /// The address asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What a new cluster begins with was refused by the cluster itself.
    #[error("the embedded cluster could not be prepared: {0}")]
    Bootstrap(#[from] crate::status::Status),
}

impl Error {
    /// What is told of a disk that is full, where that is what went wrong.
    pub fn full_disk(&self) -> Option<landfall_diag::Diagnostic> {
        match self {
            Self::Store { source: landfall_store::Error::Full { directory, .. }, .. } => {
                Some(landfall_diag::disk_full(directory))
            }
            Self::Unwritten(crate::unwritable::Unwritable::Full { directory }) => {
                Some(landfall_diag::disk_full(directory))
            }
            _ => None,
        }
    }

    pub(crate) fn certificate(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Certificate(Box::new(source))
    }
}
