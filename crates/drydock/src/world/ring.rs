//! The last events, for watches and controllers.

use std::collections::VecDeque;
use std::sync::Arc;

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

#[derive(Clone)]
pub(crate) struct Ring {
    events: VecDeque<Arc<Event>>,
    capacity: usize,
    /// The newest version whose event is no longer here.
    forgotten: u64,
}

impl Ring {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { events: VecDeque::new(), capacity: capacity.max(1), forgotten: 0 }
    }

    pub(crate) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.max(1);
    }

    pub(crate) fn push(&mut self, event: Arc<Event>) {
        if self.events.len() >= self.capacity
            && let Some(oldest) = self.events.pop_front()
        {
            self.forgotten = oldest.version;
        }
        self.events.push_back(event);
    }

    /// Says that nothing up to `version` is remembered.
    pub(crate) fn start_after(&mut self, version: u64) {
        self.events.clear();
        self.forgotten = version;
    }

    pub(crate) fn since(&self, version: u64) -> Result<impl DoubleEndedIterator<Item = &Arc<Event>>, Status> {
        if version < self.forgotten {
            return Err(Status::expired(format!("too old resource version: {version} ({})", self.forgotten)));
        }
        let start = self.events.partition_point(|event| event.version <= version);
        Ok(self.events.range(start..))
    }
}
