//! What is counted, for metrics.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use landfall_fleet::UpgradeStatus;
use parking_lot::Mutex;

use super::Control;
use super::book::Connectivity;

/// What is counted.
#[derive(Default)]
pub(crate) struct Numbers {
    counters: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    heartbeats: std::sync::atomic::AtomicU64,
}

impl Numbers {
    /// One more, of a name and what it is of.
    pub(crate) fn count(&self, name: &'static str, of: &'static str) {
        *self.counters.lock().entry((name, of)).or_default() += 1;
    }

    /// More of a name.
    pub(crate) fn add(&self, name: &'static str, of: &'static str, much: u64) {
        *self.counters.lock().entry((name, of)).or_default() += much;
    }

    /// One more heartbeat was answered.
    pub(crate) fn heartbeat(&self) {
        self.heartbeats.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Control {
    /// The metrics of the fleet, as Prometheus reads them.
    pub(crate) fn metrics(&self) -> String {
        let now = self.now();
        let mut by: BTreeMap<Connectivity, u64> = Connectivity::ALL.map(|it| (it, 0)).into();
        let mut silent = 0;
        for edge in self.book.all() {
            let edge = edge.now.lock();
            let connectivity = Connectivity::of(edge.presence.seen_at, now);
            *by.entry(connectivity).or_default() += 1;
            if connectivity == Connectivity::Offline && edge.row.upgrade_status == UpgradeStatus::Restarting {
                silent += 1;
            }
        }
        let mut text = String::new();
        let mut metric = |name: &str, kind: &str, about: &str, values: &[(String, u64)]| {
            let _ = writeln!(text, "# HELP {name} {about}\n# TYPE {name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let plain = |value: u64| [(String::new(), value)];
        let edges: Vec<_> =
            by.iter().map(|(it, count)| (format!("{{connectivity=\"{}\"}}", it.word()), *count)).collect();
        metric("landfall_edge_edges", "gauge", "Edges by whether they are there.", &edges);
        metric(
            "landfall_edge_silent_after_update",
            "gauge",
            "Edges that are offline since they began a new version.",
            &plain(silent),
        );
        let heartbeats = self.numbers.heartbeats.load(std::sync::atomic::Ordering::Relaxed);
        metric("landfall_edge_heartbeats_total", "counter", "Heartbeats that were answered.", &plain(heartbeats));
        metric("landfall_edge_writes_waiting", "gauge", "What waits to be written.", &plain(self.ledger.waiting()));
        metric(
            "landfall_edge_presence_unwritten",
            "gauge",
            "Edges that were heard since presence was written last.",
            &plain(self.book.unwritten() as u64),
        );
        let states = self.campaigns.states();
        let states: Vec<_> = states.iter().map(|(state, count)| (format!("{{state=\"{state}\"}}"), *count)).collect();
        metric("landfall_edge_campaigns", "gauge", "Campaigns by what they are at.", &states);
        let left = self.releases.expires_in(now);
        let left: Vec<_> = left.iter().map(|(role, left)| (format!("{{role=\"{role}\"}}"), *left)).collect();
        metric("landfall_edge_metadata_expiry_seconds", "gauge", "How long signed metadata is still good.", &left);
        let counters = self.numbers.counters.lock().clone();
        let mut names: Vec<&str> = counters.keys().map(|(name, _)| *name).collect();
        names.dedup();
        for name in names {
            let values: Vec<_> = counters
                .iter()
                .filter(|((of, _), _)| *of == name)
                .map(|((_, of), value)| {
                    (if of.is_empty() { String::new() } else { format!("{{result=\"{of}\"}}") }, *value)
                })
                .collect();
            metric(name, "counter", "Counted since the server began.", &values);
        }
        text
    }
}
