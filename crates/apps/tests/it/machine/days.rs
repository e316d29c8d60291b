//! Three days of an Application's life, in as many seconds: pushes, edits by hand, restarts, watches that tell nothing.
//!
//! Every Application is looked at each 180 s whatever is told of it; what no watch has told is found then.

use super::*;

/// A generator of random numbers: the same days on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

const DAYS: i64 = 3;
/// Every Application is looked at once in so many seconds.
const LOOKED_AT: i64 = 180;

fn lived(seed: u64) -> usize {
    let mut dice = Dice(seed);
    let mut world = World::within(Some(heals()), Windows::default());
    let end = world.now + SignedDuration::from_hours(24 * DAYS);
    let (mut looked, mut largest_first_day, mut largest) = (world.now, 0, 0);
    let mut happened = 0;
    while world.now < end {
        happened += 1;
        match dice.below(20) {
            0 | 1 => world.happen(Event::Push { empty: false }),
            2 => world.happen(Event::Revert),
            3 => world.happen(Event::BranchGone),
            4 | 5 => world.happen(Event::BranchBack),
            6 | 7 => world.happen(Event::Drift),
            // Nobody is told.
            8 | 9 => world.drift = true,
            10 => world.happen(Event::Kill),
            11 => world.happen(Event::Overtake),
            12 => world.happen(Event::Ask { retries: 1, partial: false }),
            13 => world.happen(Event::Does(if dice.below(2) == 0 { Activity::Waits } else { Activity::Acts })),
            _ => {
                let well = dice.below(8) > 0;
                world.happen(Event::Answer { which: usize::try_from(dice.below(3)).expect("small"), well });
            }
        }
        world.happen(Event::Pass { seconds: 1 + dice.below(60) });
        if world.now.duration_since(looked).as_secs() >= LOOKED_AT {
            looked = world.now;
            world.happen(Event::Refresh(Freshness::Latest));
        }
        // What is kept is told by its text: nothing in it may grow with the days.
        let size = format!("{:?}", world.state).len();
        largest = largest.max(size);
        if world.now < Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24) {
            largest_first_day = largest;
        }
        assert!(world.open.len() < 16, "errands pile up: {:?}", world.open);
    }
    world.happen(Event::BranchBack);
    world.happen(Event::Refresh(Freshness::Latest));
    world.settle();
    world.check_settled();
    assert!(largest < largest_first_day * 3 / 2, "{largest_first_day} bytes on the first day, {largest} on the last");
    happened
}

#[test]
fn after_three_days_of_everything_nothing_is_lost_and_nothing_has_grown() {
    for seed in 0..20 {
        let happened = lived(seed);
        assert!(happened > 5_000, "{happened} things happened");
    }
}
