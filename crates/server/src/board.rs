//! What probes and metrics may read: counts and words, kept by the controller.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::api::{Changed, Line};
use crate::feed::Feed;

/// What is told of the server.
#[derive(Debug)]
pub(crate) struct Board {
    told: Mutex<Told>,
    /// Its changes, for who listens.
    pub(crate) feed: Feed,
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
    /// Commits that had nothing else for an Application, so that it was not compared.
    pub(crate) alike: u64,
    /// The controller for which this server stands back.
    pub(crate) elsewhere: Option<String>,
    /// The shards that are kept here, where replicas share the Applications.
    pub(crate) shards: BTreeSet<u32>,
    /// Events of watches.
    pub(crate) events: u64,
    /// Kinds that are watched, and objects that are known.
    pub(crate) live: (usize, usize),
    /// How often repositories elsewhere were fetched from, and how often they were asked for their references.
    pub(crate) asked: (u64, u64),
    /// Webhooks, by what became of them.
    pub(crate) webhooks: BTreeMap<&'static str, u64>,
}

impl Board {
    /// That of a run of the server, by its number.
    pub(crate) fn new(run: u64) -> Self {
        Board { told: Mutex::default(), feed: Feed::new(run) }
    }

    /// Takes an Application's line, and tells it where it is another one.
    pub(crate) fn stands(&self, line: Line, at: Timestamp) {
        let named = (line.namespace.clone(), line.name.clone());
        let before = self.told.lock().applications.insert(named, line.clone());
        if before.as_ref() != Some(&line) {
            self.tell(line, false, at);
        }
    }

    /// Takes an Application away.
    pub(crate) fn gone(&self, namespace: &str, name: &str, at: Timestamp) {
        let before = self.told.lock().applications.remove(&(namespace.to_owned(), name.to_owned()));
        if let Some(line) = before {
            self.tell(line, true, at);
        }
    }

    fn tell(&self, application: Line, gone: bool, at: Timestamp) {
        let at = at.round(jiff::Unit::Millisecond).unwrap_or(at).to_string();
        self.feed.tell(Changed { at, gone, application });
    }

    /// How every Application stands.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.told.lock().applications.values().cloned().collect()
    }

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
