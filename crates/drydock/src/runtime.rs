//! Running the simulated control plane over the world, step by step and in a fixed order.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use landfall_apiserver::{ObjectRef, World};
use parking_lot::Mutex;

use crate::behaviour::Behaviour;

/// One simulated controller.
///
/// A step reads what changed (by its own cursor into [`World::events_since`]), acts on timers that are due, writes
/// through the same functions as clients do, and returns. It never waits.
pub trait Controller: Send {
    /// Acts on the present state; returns when it wants to be called even though nothing has changed.
    fn step(&mut self, world: &mut World) -> Option<Timestamp>;

    /// The same controller with what it remembers, for a fork of the world that it has seen.
    fn fork(&self, behaviour: &Arc<Behaviour>) -> Box<dyn Controller>;
}

/// Controllers and what they wait for.
pub struct Runtime {
    slots: Vec<Slot>,
    restless: Option<Restless>,
    /// With the machine's clock: when controllers that do not come to rest get their next turn.
    again: Option<Timestamp>,
}

/// Controllers that answer each other for ever at one instant: what they write in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restless {
    /// The objects, as `secrets shop/tls`, sorted.
    pub objects: Vec<String>,
}

impl std::fmt::Display for Restless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is written again and again, without an end", self.objects.join(", "))
    }
}

struct Slot {
    controller: Box<dyn Controller>,
    /// The newest version that the controller has seen.
    seen: Option<u64>,
    wake: Option<Timestamp>,
}

/// Rounds at one instant, beside one for each object, after which controllers count as restless: that they answer each
/// other forever is a bug, and must not hang whoever waits. A full cluster settles in some hundred.
const MAX_ROUNDS: usize = 500;

/// Of how many rounds at the end it is told who wrote what.
const TOLD_ROUNDS: usize = 8;

/// How long restless controllers pause on the machine's clock.
const PAUSE: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

impl Runtime {
    /// A runtime of these controllers, stepped in this order.
    pub fn new(controllers: Vec<Box<dyn Controller>>) -> Self {
        let slots = controllers.into_iter().map(|controller| Slot { controller, seen: None, wake: None }).collect();
        Self { slots, restless: None, again: None }
    }

    /// The same controllers for a fork of the world, where they go on rather than look at everything again.
    pub(crate) fn fork(&self, behaviour: &Arc<Behaviour>) -> Self {
        let fork = |slot: &Slot| Slot { controller: slot.controller.fork(behaviour), seen: slot.seen, wake: slot.wake };
        Self { slots: self.slots.iter().map(fork).collect(), restless: self.restless.clone(), again: None }
    }

    /// The controllers that did not come to rest, once some did not.
    pub fn restless(&self) -> Option<&Restless> {
        self.restless.as_ref()
    }

    /// Steps controllers until none has anything to do at the present time; returns the next instant at which one
    /// has. The world is locked for one step at a time.
    ///
    /// Controllers that do not come to rest are told by [`Runtime::restless`]. On a virtual clock, which stands still
    /// until they do, none is stepped any more; on the machine's clock they pause.
    pub fn settle(&mut self, world: &Mutex<World>) -> Option<Timestamp> {
        // Asked only of what did not come to rest before: most worlds do, and this runs after each write.
        if self.restless.is_some() {
            let world = world.lock();
            match self.again {
                Some(again) if world.now() < again => return Some(again),
                None if world.clock().as_virtual().is_some() => return None,
                _ => {}
            }
        }
        let mut rounds = 0;
        while self.round(world) {
            rounds += 1;
            if rounds >= MAX_ROUNDS && rounds >= MAX_ROUNDS + world.lock().total() {
                return self.give_up(world);
            }
        }
        (self.restless, self.again) = (None, None);
        self.next_wake()
    }

    /// Says who does not come to rest, and when they get their next turn, if ever.
    fn give_up(&mut self, world: &Mutex<World>) -> Option<Timestamp> {
        let restless = self.observed(world);
        tracing::error!("the simulated controllers do not come to rest: {restless}");
        self.restless = Some(restless);
        let world = world.lock();
        self.again = match world.clock().as_virtual() {
            Some(_) => None,
            None => world.now().checked_add(PAUSE).ok(),
        };
        self.again
    }

    /// A few rounds more, of which it is kept who writes what.
    fn observed(&mut self, world: &Mutex<World>) -> Restless {
        let before = world.lock().version();
        for _ in 0..TOLD_ROUNDS {
            self.round(world);
        }
        let world = world.lock();
        let written: BTreeSet<String> =
            world.events_since(before).into_iter().flatten().map(|event| told(&event.object_ref)).collect();
        Restless { objects: written.into_iter().collect() }
    }

    /// Steps each controller that has something to do once; false when none had.
    fn round(&mut self, world: &Mutex<World>) -> bool {
        let mut worked = false;
        for slot in &mut self.slots {
            let mut world = world.lock();
            let due = slot.wake.is_some_and(|wake| wake <= world.now());
            if slot.seen == Some(world.version()) && !due {
                continue;
            }
            let before = world.version();
            slot.wake = slot.controller.step(&mut world);
            // What the controller wrote itself it sees in the next round.
            slot.seen = Some(before);
            worked |= world.version() != before || due;
            if world.version() == before && slot.wake.is_some_and(|wake| wake <= world.now()) {
                // Due again at once without having written: one more round at most, by the clock's next tick.
                slot.wake = world.now().checked_add(jiff::SignedDuration::from_millis(1)).ok();
            }
        }
        worked
    }

    /// The earliest instant a controller waits for.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.slots.iter().filter_map(|slot| slot.wake).min()
    }
}

fn told(object: &ObjectRef) -> String {
    match object.namespace.is_empty() {
        true => format!("{} {}", object.resource, object.name),
        false => format!("{} {}/{}", object.resource, object.namespace, object.name),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use landfall_apiserver::Clock;
    use landfall_apiserver::Randomness;
    use landfall_apiserver::{Actor, Settings};

    /// Writes its word whenever it finds another one.
    #[derive(Clone)]
    struct Stubborn(&'static str);

    impl Controller for Stubborn {
        fn step(&mut self, world: &mut World) -> Option<Timestamp> {
            let mut map = world.find("configmaps", "shop", "flag")?.value().clone();
            if map["data"]["colour"] != self.0 {
                map["data"]["colour"] = self.0.into();
                world.update(&Actor::system("test"), "configmaps", map).expect("a valid change");
            }
            None
        }

        fn fork(&self, _: &Arc<Behaviour>) -> Box<dyn Controller> {
            Box::new(self.clone())
        }
    }

    fn world(clock: Clock) -> Mutex<World> {
        let mut world = World::new(clock, Randomness::from_seed(1), Settings::default());
        let actor = Actor::system("test");
        world.create(&actor, "namespaces", json!({"metadata": {"name": "shop"}})).expect("a namespace");
        let map = json!({"metadata": {"name": "flag", "namespace": "shop"}, "data": {"colour": "white"}});
        world.create(&actor, "configmaps", map).expect("a map");
        Mutex::new(world)
    }

    #[test]
    fn who_fights_for_ever_is_told_and_waited_for_by_nobody() {
        let world = world(Clock::virtual_clock());
        let mut fighting = Runtime::new(vec![Box::new(Stubborn("red")), Box::new(Stubborn("blue"))]);
        assert_eq!(fighting.settle(&world), None);
        let told = Restless { objects: vec!["configmaps shop/flag".to_owned()] };
        assert_eq!(fighting.restless(), Some(&told));
        let version = world.lock().version();
        assert_eq!((fighting.settle(&world), world.lock().version()), (None, version));
    }

    #[test]
    fn on_the_machines_clock_who_fights_pauses() {
        let world = world(Clock::Real);
        let mut fighting = Runtime::new(vec![Box::new(Stubborn("red")), Box::new(Stubborn("blue"))]);
        let again = fighting.settle(&world).expect("a pause");
        assert!(again > world.lock().now());
        let version = world.lock().version();
        assert_eq!((fighting.settle(&world), world.lock().version()), (Some(again), version));
    }

    #[test]
    fn one_that_is_content_comes_to_rest() {
        let world = world(Clock::virtual_clock());
        let mut calm = Runtime::new(vec![Box::new(Stubborn("red"))]);
        calm.settle(&world);
        assert_eq!(calm.restless(), None);
    }
}
