//! The machine in random interleavings, against a world that keeps its own books.
//!
//! `PROPTEST_CASES` says how many (256 where nobody does; 10,000 on demand).

#[path = "machine/days.rs"]
mod days;
#[path = "machine/events.rs"]
mod events;
#[path = "machine/world.rs"]
mod world;

use jiff::{SignedDuration, Timestamp};
use landfall_apps::machine::{
    Action, Activity, Automation, Comparison, End, Freshness, Observation, Removal, State, step,
};
use landfall_apps::{Retry, Windows};
use proptest::prelude::*;

use events::{Event, any_windows, automation, closed_now_and_then, ending, event};
use world::{Open, World};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_whatever_order_an_application_is_synced_as_its_policy_says(
        first in automation(),
        windows in any_windows(),
        events in prop::collection::vec(event(), 1..60),
        last in ending(),
    ) {
        let mut world = World::within(first, windows);
        for event in events {
            world.happen(event);
        }
        let removed = !last.is_empty();
        for event in last {
            world.happen(event);
        }
        world.settle();
        if !removed {
            world.check_settled();
        } else if world.wanted.removal == Removal::Cascades {
            prop_assert!(world.state.is_at_rest() && world.open.is_empty());
        }
    }
}

fn all(automation: Automation) -> World {
    let mut world = World::new(Some(automation));
    world.settle();
    assert_eq!(world.delivered, Some(world.tip()));
    world
}

fn heals() -> Automation {
    Automation { prune: true, self_heal: true, allow_empty: false, retry: Retry { limit: 2, ..Retry::default() } }
}

#[test]
fn a_commit_that_comes_while_a_sync_waits_for_health_takes_its_place_and_one_during_a_hook_does_not() {
    for (activity, gives_way) in [(Activity::Waits, true), (Activity::RunsHook, false), (Activity::Acts, false)] {
        let mut world = all(heals());
        world.happen(Event::Push { empty: false });
        while !matches!(world.works(), Some(Open::Sync(_))) {
            world.answer(0, true);
        }
        world.happen(Event::Does(activity));
        world.happen(Event::Push { empty: false });
        let at = world.open.iter().position(|open| matches!(open, Open::Resolve { .. })).expect("it is asked for");
        world.answer(at, true);
        assert_eq!(format!("{:?}", world.state).contains("superseded by commit 2"), gives_way, "{activity:?}");
    }
}

#[test]
fn a_commit_alone_has_the_files_compared_and_what_else_has_changed_everything() {
    let until_compared = |world: &mut World| {
        while !world.open.iter().any(|open| matches!(open, Open::Compare { .. })) {
            world.answer(0, true);
        }
    };
    for (between, of_files) in [
        (None, 1),
        (Some(Event::Drift), 0),
        (Some(Event::Refresh(Freshness::Recent)), 0),
        (Some(Event::Policy { automation: None }), 0),
    ] {
        let mut world = all(heals());
        let before = world.of_files;
        world.happen(Event::Push { empty: false });
        let told = format!("{between:?}");
        between.into_iter().for_each(|event| world.happen(event));
        until_compared(&mut world);
        assert_eq!(world.of_files - before, of_files, "{told}");
    }
    // What could not be compared is known of nothing.
    let mut world = all(heals());
    world.happen(Event::Push { empty: false });
    until_compared(&mut world);
    let before = world.of_files;
    let at = world.open.iter().position(|open| matches!(open, Open::Compare { .. })).expect("it is compared");
    world.answer(at, false);
    world.happen(Event::Push { empty: false });
    until_compared(&mut world);
    assert_eq!(world.of_files, before);
}

#[test]
fn a_look_is_over_once_it_is_compared_or_known_why_not_and_waits_for_no_sync() {
    let refresh = || Event::Refresh(Freshness::Latest);
    let mut world = all(heals());
    world.happen(refresh());
    while !matches!(world.open.as_slice(), [Open::Compare { .. }]) {
        assert!(world.state.is_looking(), "{:?}", world.state);
        world.answer(0, true);
    }
    // Another wish during a look has a look of its own.
    world.happen(refresh());
    for _ in 0..3 {
        assert!(world.state.is_looking(), "{:?}", world.state);
        world.answer(0, true);
    }
    assert!(!world.state.is_looking(), "{:?}", world.state);
    // The source cannot be asked: what stands is told with that.
    world.happen(refresh());
    let at = world.open.iter().position(|open| matches!(open, Open::Resolve { .. })).expect("it is asked for");
    world.answer(at, false);
    assert!(!world.state.is_looking() && world.state.comparison_error().is_some(), "{:?}", world.state);
    // A sync may take as long as it likes.
    world.settle();
    world.happen(Event::Push { empty: false });
    while !matches!(world.works(), Some(Open::Sync(_))) {
        world.answer(0, true);
    }
    world.happen(refresh());
    let at = world.open.iter().position(|open| matches!(open, Open::Resolve { .. })).expect("it is asked for");
    world.answer(at, true);
    assert!(!world.state.is_looking() && world.state.is_syncing(), "{:?}", world.state);
}

#[test]
fn a_sync_that_fails_at_a_revision_is_tried_again_and_then_left_until_the_next_commit() {
    let mut world = all(heals());
    world.happen(Event::Push { empty: false });
    let mut failed = 0;
    for _ in 0..50 {
        if let Some(at) = world.open.iter().position(|open| matches!(open, Open::Sync(_))) {
            world.answer(at, false);
            failed += 1;
        } else if !world.open.is_empty() {
            world.answer(0, true);
        } else if let Some(at) = world.wakes.iter().min().copied() {
            world.now = at;
            world.tell(vec![Observation::Tick]);
        }
    }
    assert_eq!(failed, 3, "the first time and two more");
    assert_eq!(world.state.sync_error(), Some("Failed last sync attempt to commit 1: it broke"));
    world.happen(Event::Push { empty: false });
    world.settle();
    assert_eq!((world.state.sync_error(), world.delivered.clone()), (None, Some(world.tip())));
}

#[test]
fn a_comparison_that_could_not_be_made_is_made_again_ever_later_until_it_succeeds() {
    let mut world = all(heals());
    world.happen(Event::Push { empty: false });
    let mut failed = Vec::new();
    while failed.len() < 5 {
        if let Some(at) = world.open.iter().position(|open| matches!(open, Open::Compare { .. })) {
            world.answer(at, false);
            failed.push(world.now);
        } else if !world.open.is_empty() {
            world.answer(0, true);
        } else {
            world.now = world.wakes.iter().min().copied().expect("it wants to be woken");
            world.tell(vec![Observation::Tick]);
        }
    }
    let gaps: Vec<i64> = failed.windows(2).map(|two| two[1].duration_since(two[0]).as_secs()).collect();
    assert_eq!(gaps, [3, 6, 12, 24]);
    assert_eq!(world.state.comparison_error(), Some("it does not render"));
    world.settle();
    assert_eq!((world.state.comparison_error(), world.delivered.clone()), (None, Some(world.tip())));
}

#[test]
fn what_would_prune_everything_is_not_synced_by_itself() {
    let mut world = all(heals());
    world.happen(Event::Push { empty: true });
    world.settle();
    assert_eq!(world.state.sync_error(), Some("auto-sync will wipe out all resources"));
    assert_eq!(world.delivered, Some(vec!["commit 0".to_owned()]));
}

#[test]
fn a_sync_that_waits_for_its_next_try_is_ended_also_before_the_next_process_has_looked() {
    let mut world = all(heals());
    world.happen(Event::Ask { retries: 1, partial: false });
    let at = world.open.iter().position(|open| matches!(open, Open::Sync(_))).expect("it is begun");
    world.answer(at, false);
    world.happen(Event::Kill);
    world.happen(Event::Terminate);
    world.settle();
    assert_eq!((world.begun, world.waiting.is_none()), (1, true));
    world.check_settled();
}

/// What was said while another process went on with it was not heard, and then written over.
#[test]
fn what_is_being_gone_on_with_is_ended_when_somebody_says_so_and_does_not_begin_again() {
    for kill in [Event::Kill, Event::KillAndLose] {
        let mut world = all(heals());
        world.happen(Event::Push { empty: false });
        until_sync(&mut world);
        world.happen(kill);
        let open = |open: &Open| matches!(open, Open::Recover { .. });
        assert!(world.works().is_some_and(open), "{:?}", world.open);
        world.happen(Event::Terminate);
        assert!(!world.open.iter().any(open), "{:?}", world.open);
        world.settle();
        world.check_settled();
        assert_ne!(world.delivered, Some(world.tip()), "it was begun again");
        assert!(world.state.sync_error().is_some_and(|why| why.contains("Operation terminated")));
    }
}

/// It had been found that its journal is lost when somebody ended it: it is written down that it is over, and not begun anew.
#[test]
fn what_is_ended_when_it_is_too_late_to_stop_it_is_given_up_where_it_would_begin_anew() {
    let mut world = all(heals());
    world.happen(Event::Push { empty: false });
    until_sync(&mut world);
    world.happen(Event::KillAndLose);
    world.ends_recovery = true;
    world.tell(vec![Observation::Terminated]);
    world.answer(0, true);
    assert_eq!(world.waiting, None, "it was given up");
    world.settle();
    assert_ne!(world.delivered, Some(world.tip()), "it was begun again");
}

#[test]
fn what_was_under_way_is_carried_out_anew_where_its_journal_is_lost() {
    let mut world = all(heals());
    world.happen(Event::Push { empty: false });
    let before = until_sync(&mut world);
    world.happen(Event::KillAndLose);
    let after = until_sync(&mut world);
    assert_eq!((after, world.delivered.clone()), (before, Some(vec!["commit 0".to_owned()])));
    world.settle();
    assert_eq!(world.delivered, Some(vec!["commit 1".to_owned()]));
    // Neither is it waited for, where a new commit has come meanwhile.
    world.happen(Event::Push { empty: false });
    until_sync(&mut world);
    world.happen(Event::Push { empty: false });
    world.happen(Event::KillAndLose);
    world.settle();
    assert_eq!(world.delivered, Some(vec!["commit 3".to_owned()]));
    world.check_settled();
}

#[test]
fn drift_that_a_recovered_sync_has_put_right_is_counted() {
    let mut world = all(heals());
    world.happen(Event::Drift);
    while !matches!(world.works(), Some(Open::Sync(_))) {
        world.answer(0, true);
    }
    world.happen(Event::Kill);
    world.settle();
    assert_eq!(world.heals, 1);
    // The world sees to it that the next time comes two seconds later.
    world.happen(Event::Drift);
    world.settle();
    assert_eq!((world.heals, world.drift), (2, false));
}

/// Goes on until a sync is under way; says when it began.
fn until_sync(world: &mut World) -> Timestamp {
    for _ in 0..20 {
        if matches!(world.works(), Some(Open::Sync(_))) {
            return world.now;
        } else if !world.open.is_empty() {
            world.answer(0, true);
        } else {
            world.now = world.wakes.iter().min().copied().expect("it wants to be woken");
            world.tell(vec![Observation::Tick]);
        }
    }
    panic!("no sync begins: {:?}", world.state);
}

#[test]
fn a_sync_that_is_overtaken_again_and_again_begins_ever_later_until_it_comes_through() {
    let mut world = all(heals());
    world.happen(Event::Push { empty: false });
    let mut before = until_sync(&mut world);
    let gaps: Vec<i64> = (0..10)
        .map(|_| {
            world.happen(Event::Overtake);
            let began = until_sync(&mut world);
            began.duration_since(std::mem::replace(&mut before, began)).as_secs()
        })
        .collect();
    assert_eq!(gaps, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    world.settle();
    assert_eq!(world.delivered, Some(world.tip()));
    world.happen(Event::Push { empty: false });
    let pushed = world.now;
    assert_eq!(until_sync(&mut world), pushed, "what came through is held back no longer");
}

#[test]
fn commits_that_follow_one_another_faster_than_they_become_healthy_are_delivered_ever_more_slowly() {
    let mut world = all(heals());
    let mut began = Vec::new();
    for _ in 0..5 {
        world.happen(Event::Push { empty: false });
        let at = world.open.iter().position(|open| matches!(open, Open::Resolve { .. })).expect("it is asked for");
        world.answer(at, true);
        world.stopped();
        began.push(until_sync(&mut world).as_second());
        world.happen(Event::Does(Activity::Waits));
    }
    let gaps: Vec<i64> = began.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(gaps, [0, 1, 2, 4]);
}

#[test]
fn what_somebody_asked_for_is_carried_out_although_it_was_overtaken() {
    let mut world = all(heals());
    world.happen(Event::Ask { retries: 0, partial: false });
    until_sync(&mut world);
    world.happen(Event::Overtake);
    until_sync(&mut world);
    let Some(Open::Sync(begun)) = world.works() else { panic!("it is begun again") };
    assert!(!begun.operation.is_automated());
    world.settle();
    world.check_settled();
}

#[test]
fn a_late_answer_to_an_application_that_is_gone_is_none_to_the_next_one_of_its_name() {
    let begin = |state: State| {
        let wanted = World::new(Some(heals())).wanted;
        let seen = vec![Observation::Restored(Box::default()), Observation::Wanted(wanted)];
        step(state, seen, Timestamp::UNIX_EPOCH)
    };
    let numbers = |actions: &[Action]| -> Vec<u64> {
        let number = |action: &Action| match action {
            Action::Recover { number } | Action::Resolve { number, .. } => Some(*number),
            _ => None,
        };
        actions.iter().filter_map(number).collect()
    };
    let (former, asked) = begin(State::default());
    let late = numbers(&asked);
    let (former, _) = step(former, vec![Observation::Gone], Timestamp::UNIX_EPOCH);
    let (next, asked) = begin(State::behind(former.last_number()));
    assert_eq!((late.len(), numbers(&asked).iter().filter(|number| late.contains(number)).count()), (2, 0));
    let answers = late.iter().flat_map(|number| {
        let result = Ok(vec!["a commit of the former".to_owned()]);
        [
            Observation::Ended { number: *number, end: End::NothingOpen },
            Observation::Resolved { number: *number, result },
            Observation::Compared { number: *number, result: Ok(Comparison::Synced) },
        ]
    });
    let (after, actions) = step(next.clone(), answers.collect(), Timestamp::UNIX_EPOCH);
    assert_eq!((after, actions), (next, Vec::new()));
}

#[test]
fn a_closed_window_holds_back_what_is_due_until_it_opens_and_says_so() {
    let mut world = World::within(Some(heals()), closed_now_and_then(false));
    let begins = |world: &World| world.open.iter().any(|open| matches!(open, Open::Sync(_)));
    while !world.open.is_empty() {
        assert!(!begins(&world), "it is the first minute of the hour");
        world.answer(0, true);
    }
    let why = world.state.closed().expect("it says so").to_owned();
    assert!(why.contains("deny `*/20 * * * *` for 10m, UTC"), "{why}");
    world.happen(Event::Ask { retries: 0, partial: false });
    assert!(!begins(&world), "nor does what somebody asks for");
    world.tell(vec![Observation::Withdrawn]);
    (world.carried, world.asked) = (None, 0);
    let opens = world.wakes.iter().min().copied().expect("it is to be woken");
    assert_eq!(opens.duration_since(Timestamp::UNIX_EPOCH).as_secs(), 600);
    world.settle();
    assert_eq!((world.delivered.clone(), world.state.closed()), (Some(world.tip()), None));
    assert_eq!(world.begun, 0, "what was withdrawn is not begun");
}

#[test]
fn a_window_that_lets_hands_through_holds_back_the_policy_alone() {
    let mut world = World::within(None, closed_now_and_then(true));
    world.settle();
    world.happen(Event::Ask { retries: 0, partial: false });
    world.settle();
    assert_eq!((world.begun, world.now), (1, Timestamp::UNIX_EPOCH));
}
