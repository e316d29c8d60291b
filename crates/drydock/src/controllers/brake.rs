//! Simulated operators that undo each other's work: each acts on what the other wrote, and neither is ever done.
//!
//! The real ones lose time over it, and other things happen meanwhile; here both would act again and again at one instant, and
//! that instant would never end. So an item that has changed the cluster often within a second is left alone for a while, for
//! twice as long each time (as client-go's work queue does with what fails), and from the beginning once it was calm.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::LONGEST_RETRY;
use super::queue::{Item, Role};

/// How many changes of one item within [`WITHIN`] are work, and no quarrel.
const MOST: u32 = 16;
/// The time in which changes are counted, and the first pause.
const WITHIN: SignedDuration = SignedDuration::from_secs(1);

/// What operators' items have changed of late.
#[derive(Clone, Debug, Default)]
pub(super) struct Brakes {
    known: BTreeMap<Item, Brake>,
}

#[derive(Clone, Copy, Debug)]
struct Brake {
    /// Since when changes are counted; a time to come where the item is left alone until then.
    since: Timestamp,
    changes: u32,
    /// The last pause.
    pause: SignedDuration,
}

impl Brake {
    fn is_calm(&self, now: Timestamp) -> bool {
        let quiet = WITHIN.max(self.pause.saturating_mul(2));
        self.since.checked_add(quiet).is_ok_and(|end| end < now)
    }
}

impl Brakes {
    /// Until when an item is left alone.
    pub(super) fn until(&self, item: &Item, now: Timestamp) -> Option<Timestamp> {
        self.known.get(item).map(|brake| brake.since).filter(|since| *since > now)
    }

    /// Notes that the cluster was changed for an item.
    pub(super) fn changed(&mut self, item: &Item, now: Timestamp) {
        if !matches!(item.role, Role::Operator(_)) {
            return;
        }
        self.known.retain(|_, brake| !brake.is_calm(now));
        let fresh = Brake { since: now, changes: 0, pause: SignedDuration::ZERO };
        let brake = self.known.entry(item.clone()).or_insert(fresh);
        brake.changes += 1;
        if brake.changes > MOST {
            let pause = brake.pause.saturating_mul(2).clamp(WITHIN, LONGEST_RETRY);
            let since = now.checked_add(pause).unwrap_or(Timestamp::MAX);
            *brake = Brake { since, changes: 0, pause };
        }
    }
}

#[cfg(test)]
mod tests {
    use landfall_apiserver::ObjectRef;

    use super::*;

    fn item(role: Role) -> Item {
        let object = ObjectRef { resource: "secrets".into(), namespace: "a".into(), name: "x".into() };
        Item { role, object }
    }

    fn second(at: i64) -> Timestamp {
        Timestamp::from_second(at).expect("in range")
    }

    /// Changes an item as often as it may be at one instant, and gives until when it is left alone then.
    fn quarrel(brakes: &mut Brakes, at: i64) -> Option<Timestamp> {
        let item = item(Role::Operator(0));
        for _ in 0..=MOST {
            assert_eq!(brakes.until(&item, second(at)), None);
            brakes.changed(&item, second(at));
        }
        brakes.until(&item, second(at))
    }

    #[test]
    fn an_item_that_is_changed_without_end_is_left_alone_for_longer_and_longer() {
        let mut brakes = Brakes::default();
        assert_eq!(quarrel(&mut brakes, 100), Some(second(101)));
        assert_eq!(quarrel(&mut brakes, 101), Some(second(103)));
        assert_eq!(quarrel(&mut brakes, 103), Some(second(107)));
        assert_eq!(quarrel(&mut brakes, 200), Some(second(201)), "it was calm in between");
    }

    #[test]
    fn work_in_its_time_and_work_of_the_cluster_itself_are_never_held_up() {
        let mut brakes = Brakes::default();
        for at in 0..100 {
            brakes.changed(&item(Role::Operator(0)), second(2 * at));
            assert_eq!(brakes.until(&item(Role::Operator(0)), second(2 * at)), None);
        }
        for _ in 0..1000 {
            brakes.changed(&item(Role::ReplicaSet), second(1000));
        }
        assert_eq!(brakes.until(&item(Role::ReplicaSet), second(1000)), None);
    }
}
