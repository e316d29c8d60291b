//! Running the simulated control plane over the world, step by step and in a fixed order.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::behaviour::Behaviour;
use crate::world::World;

/// One simulated controller.
///
/// A step reads what changed (by its own cursor into [`World::events_since`]), acts on timers that are due, writes
/// through the same functions as clients do, and returns. It never waits.
pub trait Controller: Send {
    /// The name, for logs.
    fn name(&self) -> &'static str;

    /// Acts on the present state; returns when it wants to be called even though nothing has changed.
    fn step(&mut self, world: &mut World) -> Option<Timestamp>;

    /// The same controller with what it remembers, for a fork of the world that it has seen.
    fn fork(&self, behaviour: &Arc<Behaviour>) -> Box<dyn Controller>;
}

/// Controllers and what they wait for.
pub struct Runtime {
    slots: Vec<Slot>,
}

struct Slot {
    controller: Box<dyn Controller>,
    /// The newest version that the controller has seen.
    seen: Option<u64>,
    wake: Option<Timestamp>,
}

/// Rounds after which a settling world is left alone: controllers that answer each other forever are a bug, and
/// must not hang whoever waits.
const MAX_ROUNDS: usize = 100_000;

impl Runtime {
    /// A runtime of these controllers, stepped in this order.
    pub fn new(controllers: Vec<Box<dyn Controller>>) -> Self {
        let slots = controllers.into_iter().map(|controller| Slot { controller, seen: None, wake: None }).collect();
        Self { slots }
    }

    /// The same controllers for a fork of the world, where they go on rather than look at everything again.
    pub(crate) fn fork(&self, behaviour: &Arc<Behaviour>) -> Self {
        let fork = |slot: &Slot| Slot { controller: slot.controller.fork(behaviour), seen: slot.seen, wake: slot.wake };
        Self { slots: self.slots.iter().map(fork).collect() }
    }

    /// Steps controllers until none has anything to do at the present time; returns the next instant at which one
    /// has. The world is locked for one step at a time.
    pub fn settle(&mut self, world: &Mutex<World>) -> Option<Timestamp> {
        for _ in 0..MAX_ROUNDS {
            if !self.round(world) {
                return self.next_wake();
            }
        }
        tracing::error!("the simulated controllers do not come to rest");
        self.next_wake()
    }

    /// Steps each controller that has something to do once; false when none had.
    pub fn round(&mut self, world: &Mutex<World>) -> bool {
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
