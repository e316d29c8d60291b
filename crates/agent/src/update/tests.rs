use super::*;
use crate::journal::Packing;

fn target(version: &str, counter: u64) -> Target {
    Target {
        version: version.to_owned(),
        counter,
        sha256: format!("{counter:064x}"),
        size: 10,
        url: "/x".to_owned(),
        packing: Packing::Program,
        program: "x".to_owned(),
        downgrade: false,
        attempt: Some(format!("attempt-{counter}")),
        delta: None,
    }
}

fn running(version: &str, counter: u64) -> Journal {
    Journal {
        active: Some(Slot::A),
        a: Some(Installed::from(&target(version, counter))),
        floor: counter,
        ..Journal::default()
    }
}

fn trying(journal: &Journal, target: &Target) -> Journal {
    let fetching = offered(journal, target, 0).expect("offered");
    let ready = unpacked(&fetched(&fetching, target), target);
    start(&ready, 0).0
}

#[test]
fn a_version_that_is_well_becomes_the_active_one() {
    let next = target("2.0.0", 2);
    let tried = trying(&running("1.0.0", 1), &next);
    assert_eq!(tried.active, Some(Slot::A), "until it is well, the one before is what a power cut leaves");
    let done = well(&tried);
    assert_eq!((done.active, done.version(), done.floor), (Some(Slot::B), Some("2.0.0"), 2));
    assert_eq!(done.reports.last().map(|report| report.outcome), Some(Outcome::Succeeded));
    assert_eq!(done.a.as_ref().map(|slot| slot.version.as_str()), Some("1.0.0"), "the one before stays in its slot");
}

#[test]
fn lp_088_three_starts_without_a_word_bring_the_version_before_back() {
    let mut journal = trying(&running("1.0.0", 1), &target("2.0.0", 2));
    for _ in 1..BOOTS {
        let (next, started) = start(&journal, 0);
        assert_eq!(started, Start { slot: Some(Slot::B), trial: true });
        journal = next;
    }
    let (reverted, started) = start(&journal, 0);
    assert_eq!(started, Start { slot: Some(Slot::A), trial: false });
    let report = reverted.reports.last().expect("told");
    assert_eq!((report.outcome, report.failure), (Outcome::RolledBack, Some(FailureClass::Boot)));
    // It is not tried again, until the server begins another attempt.
    assert!(matches!(offered(&reverted, &target("2.0.0", 2), u64::MAX), Err(Declined::Failed { again: None, .. })));
    let again = Target { attempt: Some("another".to_owned()), ..target("2.0.0", 2) };
    assert!(offered(&reverted, &again, 0).is_ok());
}

#[test]
fn what_is_ready_is_not_started_unless_it_is_handed_over() {
    let next = target("2.0.0", 2);
    let fetching = offered(&running("1.0.0", 1), &next, 0).expect("offered");
    let ready = unpacked(&fetched(&fetching, &next), &next);
    assert_eq!(start_again(&ready, 0), (ready.clone(), Start { slot: Some(Slot::A), trial: false }));
    // What is tried goes on to be tried, and is counted.
    let tried = start(&ready, 0).0;
    assert_eq!(start_again(&tried, 0), start(&tried, 0));
}

#[test]
fn an_older_release_needs_a_signed_consent() {
    let journal = running("2.0.0", 2);
    let old = target("1.0.0", 1);
    assert!(matches!(offered(&journal, &old, 0), Err(Declined::Older { counter: 1, floor: 2, .. })));
    let allowed = Target { downgrade: true, ..old };
    let done = well(&trying(&journal, &allowed));
    assert_eq!((done.version(), done.floor), (Some("1.0.0"), 1), "the consent is to stay there, too");
}

#[test]
fn a_failure_that_may_pass_is_tried_again_later_and_later_and_not_for_ever() {
    let mut journal = running("1.0.0", 1);
    let next = target("2.0.0", 2);
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..TRIES {
        journal = given_up(
            &offered(&journal, &next, now).expect("offered"),
            "no route",
            FailureClass::Network,
            Lasting::ForNow,
            now,
        );
        let Err(Declined::Failed { again, .. }) = offered(&journal, &next, now) else { panic!("taken at once") };
        if let Some(again) = again {
            pauses.push(again - now);
            now = again;
        }
    }
    assert_eq!(pauses, [PAUSE, 2 * PAUSE, 4 * PAUSE, 8 * PAUSE]);
    assert!(matches!(offered(&journal, &next, u64::MAX), Err(Declined::Failed { again: None, .. })));
}

#[test]
fn an_end_is_told_until_it_is_known_and_once() {
    let journal = well(&trying(&running("1.0.0", 1), &target("2.0.0", 2)));
    assert_eq!(well(&journal), journal, "a second word changes nothing");
    assert_eq!(journal.reports.len(), 1);
    assert!(delivered(&journal).reports.is_empty());
    let refused_once = refused(&journal, "9.9.9", Some("x"), "no");
    assert_eq!(refused(&refused_once, "9.9.9", Some("x"), "no"), refused_once);
}

#[test]
fn another_version_waits_while_one_is_under_way() {
    let journal = offered(&running("1.0.0", 1), &target("2.0.0", 2), 0).expect("offered");
    assert!(matches!(offered(&journal, &target("3.0.0", 3), 0), Err(Declined::UnderWay { .. })));
    assert!(matches!(offered(&running("1.0.0", 1), &target("1.0.0", 1), 0), Err(Declined::Runs { .. })));
}
