//! What is told on the way, to whoever listens; what fails is an error instead.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use landfall_diag::{Diagnostic, seconds};

use crate::deliverer::Deliverer;

/// Something that a person may want to know while work goes on.
#[derive(Debug, Clone)]
pub enum Notice {
    /// What was found and is not ours.
    Found(Box<Diagnostic>),
    /// A state directory stays, because of what is in it.
    Keeps {
        /// The directory.
        directory: PathBuf,
        /// What is not Landfall's.
        names: Vec<String>,
    },
    /// A base revision has nothing in a target's place.
    AllNew {
        /// The revision as it was named.
        revision: String,
        /// Why nothing was found there.
        why: String,
    },
    /// A base revision has a target elsewhere.
    Moved {
        /// The revision as it was named.
        revision: String,
        /// The chart's name.
        chart: String,
        /// Where it lay then.
        directory: String,
    },
    /// A document that a schema of values refers to cannot be reached.
    Unchecked {
        /// Its address.
        address: String,
    },
    /// Somebody else delivers, and is waited for.
    Waits {
        /// Who that is, where it was said.
        who: Option<Deliverer>,
        /// How long, at most.
        patience: Duration,
    },
    /// What a server sees and does as the controller of SealedSecrets.
    Sealing(String),
}

/// In words; of a diagnostic its message alone.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Found(diagnostic) => f.write_str(&diagnostic.message),
            Notice::Keeps { directory, names } => {
                write!(f, "{} keeps what is not Landfall's: {}", directory.display(), names.join(", "))
            }
            Notice::AllNew { revision, why } => {
                write!(f, "{revision} has nothing in its place ({why}): all of it is new")
            }
            Notice::Moved { revision, chart, directory } => {
                write!(f, "{revision} has chart `{chart}` in `{directory}`: it was moved")
            }
            Notice::Unchecked { address } => {
                write!(f, "values are not checked against {address}: it cannot be reached")
            }
            Notice::Sealing(words) => write!(f, "SealedSecrets: {words}"),
            Notice::Waits { who, patience } => {
                let who = who.as_ref().map_or_else(|| "it does not say who it is".to_owned(), Deliverer::shown);
                let patience = seconds(*patience);
                write!(
                    f,
                    "another delivery of this system is under way ({who}); waiting for its end, at most {patience}"
                )
            }
        }
    }
}

/// Whoever is told what happens on the way: a terminal, a log, an event stream.
pub trait Audience: Send + Sync {
    /// Tells it.
    fn tell(&self, notice: &Notice);
}
