//! What is to be looked at: now, in order, and later, by the clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use landfall_apiserver::ObjectRef;

/// Which controller is to look at an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Role {
    Garbage,
    Namespace,
    Node,
    Deployment,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    Claim,
    Volume,
    Service,
    Ingress,
    Budget,
    Autoscaler,
    Quota,
    Signer,
    Token,
    ApiService,
    Scheduler,
    Kubelet,
    /// A simulated operator, by its place in [`crate::operators::ALL`].
    Operator(usize),
}

/// One object for one controller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Item {
    pub(super) role: Role,
    pub(super) object: ObjectRef,
}

/// Items to be looked at, each at most once.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    now: VecDeque<Item>,
    queued: BTreeSet<Item>,
    due: BTreeMap<Item, Timestamp>,
    by_time: BTreeSet<(Timestamp, Item)>,
}

impl Queue {
    /// Adds an item unless it waits already.
    pub(super) fn push(&mut self, role: Role, object: ObjectRef) {
        let item = Item { role, object };
        if self.queued.insert(item.clone()) {
            self.now.push_back(item);
        }
    }

    /// The next item; its timer is taken off.
    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.now.pop_front()?;
        self.queued.remove(&item);
        self.forget(&item);
        Some(item)
    }

    /// Adds the item when its time has come; a later time replaces an earlier one.
    pub(super) fn at(&mut self, at: Timestamp, item: Item) {
        self.forget(&item);
        self.by_time.insert((at, item.clone()));
        self.due.insert(item, at);
    }

    /// Takes an item's timer off.
    pub(super) fn forget(&mut self, item: &Item) {
        if let Some(at) = self.due.remove(item) {
            self.by_time.remove(&(at, item.clone()));
        }
    }

    /// Queues all items whose time has come, in the order of their times.
    pub(super) fn take_due(&mut self, now: Timestamp) {
        while let Some((at, item)) = self.by_time.first().cloned()
            && at <= now
        {
            self.by_time.pop_first();
            self.due.remove(&item);
            self.push(item.role, item.object);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.now.len() + self.due.len()
    }

    /// The earliest time an item waits for.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str) -> ObjectRef {
        ObjectRef { resource: "pods".into(), namespace: "a".into(), name: name.into() }
    }

    #[test]
    fn an_item_waits_once_and_leaves_in_order() {
        let mut queue = Queue::default();
        for name in ["x", "y", "x"] {
            queue.push(Role::Kubelet, pod(name));
        }
        let order: Vec<String> = std::iter::from_fn(|| queue.pop()).map(|item| item.object.name).collect();
        assert_eq!(order, ["x", "y"]);
    }

    #[test]
    fn timers_queue_items_when_due() {
        let mut queue = Queue::default();
        let second = |s| Timestamp::from_second(s).expect("in range");
        let item = Item { role: Role::Kubelet, object: pod("x") };
        queue.at(second(10), item.clone());
        queue.at(second(5), item);
        assert_eq!(queue.next_due(), Some(second(5)));
        queue.take_due(second(4));
        assert!(queue.pop().is_none());
        queue.take_due(second(5));
        assert!(queue.pop().is_some());
        assert_eq!(queue.next_due(), None);
    }
}
