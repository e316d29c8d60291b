//! What requests have left in the logs of containers.
//!
//! It lives as long as the process: the objects of the cluster are kept, what simulated containers have said is not.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use landfall_apiserver::LogLine;
use serde_json::Value;

use crate::controllers::fields::text;

/// Lines that are kept of one container, the newest.
const MOST_LINES: usize = 1_000;
/// Containers of which lines are kept.
const MOST_CONTAINERS: usize = 500;

/// A time, moved behind another one: a virtual clock stands still between two requests, and which line came later is told by its time.
pub(crate) fn later(at: Timestamp, than: Timestamp) -> Timestamp {
    at.max(than.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(than))
}

/// Lines by the pod's uid and the container's name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(BTreeMap<(String, String), VecDeque<LogLine>>);

impl Diary {
    /// Writes down what a request leaves in a container's log.
    pub(crate) fn write(&mut self, pod: &Value, container: &str, lines: impl Iterator<Item = LogLine>) {
        let mut lines = lines.peekable();
        if lines.peek().is_none() {
            return;
        }
        let key = (text(pod, "/metadata/uid").to_owned(), container.to_owned());
        if !self.0.contains_key(&key) && self.0.len() >= MOST_CONTAINERS {
            self.0.pop_first();
        }
        let kept = self.0.entry(key).or_default();
        for mut line in lines {
            if let Some(last) = kept.back() {
                line.at = later(line.at, last.at);
            }
            kept.push_back(line);
        }
        while kept.len() > MOST_LINES {
            kept.pop_front();
        }
    }

    /// The lines of one of a container's lives, which ended then, if it has ended.
    pub(crate) fn read(&self, pod: &Value, container: &str, life: (Timestamp, Option<Timestamp>)) -> Vec<LogLine> {
        let (began, ended) = life;
        let key = (text(pod, "/metadata/uid").to_owned(), container.to_owned());
        let kept = self.0.get(&key).into_iter().flatten();
        kept.filter(|line| began <= line.at && ended.is_none_or(|ended| line.at <= ended)).cloned().collect()
    }
}
