//! What probes and metrics may read: counts and words, kept by the controller.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// What is told of the server.
#[derive(Debug, Default)]
pub(crate) struct Board {
    told: Mutex<Told>,
}

/// The same at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// Whether the Applications of the cluster are known.
    pub(crate) ready: bool,
    /// By namespace and name.
    pub(crate) applications: BTreeMap<(String, String), Line>,
    /// Syncs that ended, by Application and Argo CD's phase.
    pub(crate) syncs: BTreeMap<(String, String, &'static str), u64>,
    /// Comparisons: how many, and how long all of them took, in seconds.
    pub(crate) compared: (u64, f64),
    /// Events of watches.
    pub(crate) events: u64,
    /// Kinds that are watched, and objects that are known.
    pub(crate) live: (usize, usize),
    /// How often repositories elsewhere were fetched from, and how often they were asked for their references.
    pub(crate) asked: (u64, u64),
    /// Webhooks, by what became of them.
    pub(crate) webhooks: BTreeMap<&'static str, u64>,
}

/// An Application in one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its project.
    pub(crate) project: String,
    /// Where it delivers to.
    pub(crate) destination: String,
    /// Where it comes from.
    pub(crate) repository: String,
    /// Argo CD's word.
    pub(crate) sync: String,
    /// Argo CD's word.
    pub(crate) health: String,
    /// `sync` while one is under way.
    pub(crate) operation: &'static str,
}

impl Board {
    /// Changes it.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock());
    }

    /// As it is now.
    pub(crate) fn read(&self) -> Told {
        self.told.lock().clone()
    }

    /// Whether the Applications of the cluster are known.
    pub(crate) fn is_ready(&self) -> bool {
        self.told.lock().ready
    }
}
