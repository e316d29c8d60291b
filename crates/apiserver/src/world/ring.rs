//! The last events, for watches and controllers.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp};

use super::{ObjectRef, Stored};
use crate::status::Status;

/// In which way an object changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was created.
    Added,
    /// It was changed.
    Modified,
    /// It is gone.
    Deleted,
}

impl Change {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One write.
#[derive(Clone, Debug)]
pub struct Event {
    /// The resource version that the write made.
    pub version: u64,
    /// What happened.
    pub change: Change,
    /// To which object.
    pub object_ref: ObjectRef,
    /// The object after the write; for [`Change::Deleted`] its last state under the new resource version.
    pub object: Arc<Stored>,
    /// The object before the write.
    pub previous: Option<Arc<Stored>>,
}

/// Events are kept at least this long, where capacity allows: as long as etcd keeps revisions for a kube-apiserver.
const KEPT_FOR: SignedDuration = SignedDuration::from_mins(5);

/// As many events are kept however old they are: what one slow reader may lie behind.
const ALWAYS_KEPT: usize = 4096;

#[derive(Clone)]
pub(crate) struct Ring {
    /// What an earlier process has seen, older than all `events`.
    past: Option<Arc<Past>>,
    /// With the time of each.
    events: VecDeque<(Timestamp, Arc<Event>)>,
    capacity: usize,
    /// The newest version whose event is no longer here.
    forgotten: u64,
}

/// Events as they were written down; read when somebody asks for them, which hardly anybody does.
pub(crate) struct Past {
    /// Versions and texts, oldest first.
    rows: Vec<(u64, Vec<u8>)>,
    read: fn(u64, &[u8]) -> Option<Event>,
    events: OnceLock<Option<Vec<Arc<Event>>>>,
}

impl Past {
    pub(crate) fn new(rows: Vec<(u64, Vec<u8>)>, read: fn(u64, &[u8]) -> Option<Event>) -> Self {
        Self { rows, read, events: OnceLock::new() }
    }

    fn newest(&self) -> Option<u64> {
        self.rows.last().map(|(version, _)| *version)
    }

    /// All of them; none when one cannot be read.
    fn events(&self) -> Option<&[Arc<Event>]> {
        let read = || self.rows.iter().map(|(version, text)| (self.read)(*version, text).map(Arc::new)).collect();
        self.events.get_or_init(read).as_deref()
    }
}

impl Ring {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { past: None, events: VecDeque::new(), capacity: capacity.max(1), forgotten: 0 }
    }

    pub(crate) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.max(1);
    }

    pub(crate) fn push(&mut self, now: Timestamp, event: Arc<Event>) {
        let is_old = |at: &Timestamp| now.duration_since(*at) > KEPT_FOR;
        while let Some((at, oldest)) = self.events.front()
            && (self.events.len() >= self.capacity || (self.events.len() >= ALWAYS_KEPT && is_old(at)))
        {
            self.forgotten = oldest.version;
            self.past = None;
            self.events.pop_front();
        }
        self.events.push_back((now, event));
    }

    /// Says that nothing is remembered up to `version` but what the past holds.
    pub(crate) fn start_after(&mut self, version: u64, past: Past) {
        self.events.clear();
        self.forgotten = past.rows.first().map_or(version, |(first, _)| first.saturating_sub(1));
        self.past = past.newest().map(|_| Arc::new(past));
    }

    pub(crate) fn since(&self, version: u64) -> Result<impl DoubleEndedIterator<Item = &Arc<Event>>, Status> {
        let expired = || Status::expired(format!("too old resource version: {version} ({})", self.forgotten));
        if version < self.forgotten {
            return Err(expired());
        }
        let past = match &self.past {
            Some(past) if past.newest().is_some_and(|newest| version < newest) => past.events().ok_or_else(expired)?,
            _ => &[],
        };
        let past = &past[past.partition_point(|event| event.version <= version)..];
        let start = self.events.partition_point(|(_, event)| event.version <= version);
        Ok(past.iter().chain(self.events.range(start..).map(|(_, event)| event)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(version: u64) -> Event {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
        Event {
            version,
            change: Change::Modified,
            object_ref: ObjectRef { resource: "configmaps".into(), namespace: "n".into(), name: "a".into() },
            object: Arc::new(Stored::new(object, version)),
            previous: None,
        }
    }

    fn seen(ring: &Ring, version: u64) -> Option<Vec<u64>> {
        ring.since(version).ok().map(|events| events.map(|event| event.version).collect())
    }

    #[test]
    fn old_events_go_and_the_last_ones_stay() {
        let mut ring = Ring::new(65_536);
        let begin = Timestamp::UNIX_EPOCH;
        for version in 1..=10_000 {
            ring.push(begin, Arc::new(event(version)));
        }
        assert_eq!(seen(&ring, 0).map(|seen| seen.len()), Some(10_000), "young ones are kept, however many");
        ring.push(begin + SignedDuration::from_mins(6), Arc::new(event(10_001)));
        assert_eq!(seen(&ring, 0), None);
        assert_eq!(seen(&ring, 10_001 - ALWAYS_KEPT as u64).map(|seen| seen.len()), Some(ALWAYS_KEPT));
    }

    #[test]
    fn an_earlier_processs_events_are_read_when_asked_for() {
        let rows = |broken: u64| (5..8).map(|version| (version, vec![u8::from(version != broken)])).collect();
        let read: fn(u64, &[u8]) -> Option<Event> = |version, text| (text == [1]).then(|| event(version));
        let mut ring = Ring::new(100);
        ring.start_after(7, Past::new(rows(0), read));
        ring.push(Timestamp::UNIX_EPOCH, Arc::new(event(8)));
        assert_eq!(seen(&ring, 3), None);
        assert_eq!(seen(&ring, 4), Some(vec![5, 6, 7, 8]));
        assert_eq!(seen(&ring, 6), Some(vec![7, 8]));
        assert_eq!(seen(&ring, 7), Some(vec![8]));
        ring.start_after(7, Past::new(rows(6), read));
        assert_eq!(seen(&ring, 5), None, "what cannot be read is as good as forgotten");
        assert_eq!(seen(&ring, 7), Some(Vec::new()));
    }
}
