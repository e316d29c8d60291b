//! How a campaign goes: what two hundred edges meet with.

use landfall_fleet::campaign::{
    Action, Campaign, CampaignState, MemberState, Observation, PauseReason, Spec, Waits, order, step,
};
use landfall_fleet::protocol::FailureClass;
use landfall_fleet::{UpgradeStatus, Window, Windows};

const START: i64 = 1_780_000_000;

fn seen(edge: i64, version: &str, ready: bool) -> Observation {
    Observation::Seen { edge, version: version.to_owned(), ready }
}

fn said(edge: i64, status: UpgradeStatus, version: &str, failure: Option<FailureClass>) -> Observation {
    Observation::Reported {
        edge,
        attempt: None,
        status,
        version: version.to_owned(),
        failure,
        reason: failure.map(|class| format!("{class:?}")),
    }
}

/// A campaign and the time.
struct Run {
    campaign: Campaign,
    now: i64,
}

impl Run {
    fn of(waves: &str, edges: i64, adjust: impl FnOnce(&mut Spec)) -> Self {
        let mut spec = Spec::new("edge-agent", "1.2.0", waves).expect("waves");
        spec.waves.iter_mut().for_each(|wave| wave.soak_seconds = 0);
        adjust(&mut spec);
        let mut run = Run { campaign: Campaign::new(spec, (1..=edges).collect()), now: START };
        run.tell(Observation::Start);
        run
    }

    fn tell(&mut self, observation: Observation) -> Vec<Action> {
        let (campaign, actions) = step(self.campaign.clone(), &[observation], self.now);
        self.campaign = campaign;
        actions
    }

    /// Whether an idle edge is told to upgrade.
    fn offered(&mut self, edge: i64) -> bool {
        self.tell(seen(edge, "1.1.0", true)).iter().any(|it| matches!(it, Action::Offer { .. }))
    }

    fn upgrade(&mut self, edge: i64, end: UpgradeStatus) {
        for status in [UpgradeStatus::Downloading, UpgradeStatus::Verifying, UpgradeStatus::Restarting] {
            self.tell(said(edge, status, "1.1.0", None));
        }
        let version = if end == UpgradeStatus::Succeeded { "1.2.0" } else { "1.1.0" };
        self.tell(said(edge, end, version, None));
    }

    fn state(&self) -> (CampaignState, Option<PauseReason>) {
        (self.campaign.standing().state, self.campaign.standing().pause_reason)
    }

    fn member(&self, edge: i64) -> MemberState {
        self.campaign.member(edge).expect("a member").state
    }
}

#[test]
fn lp_087_of_two_hundred_edges_two_crash_and_the_rest_follow_after_a_resumption() {
    let mut run = Run::of("1,10%,100%", 200, |spec| {
        spec.waves.iter_mut().for_each(|wave| {
            wave.max_failures = Some(1);
            wave.max_failure_percent = None;
        })
    });
    let (busy, crashing) = ([3, 40, 80, 120, 199], [15, 18]);
    let mut paused = 0;
    for _round in 0..400 {
        for edge in 1..=200 {
            if run.member(edge) == MemberState::Succeeded {
                continue;
            }
            if busy.contains(&edge) && paused == 0 {
                assert!(!run.tell(seen(edge, "1.1.0", false)).iter().any(|it| matches!(it, Action::Offer { .. })));
                continue;
            }
            if run.offered(edge) {
                let end = if crashing.contains(&edge) { UpgradeStatus::RolledBack } else { UpgradeStatus::Succeeded };
                run.upgrade(edge, end);
            }
        }
        match run.state() {
            (CampaignState::Paused, reason) => {
                assert_eq!((reason, paused), (Some(PauseReason::Failures), 0), "once, and for the two");
                assert_eq!(crashing.map(|edge| run.member(edge)), [MemberState::RolledBack; 2]);
                assert!(!run.offered(200), "nothing is offered while it rests");
                paused += 1;
                run.tell(Observation::Resume);
            }
            (CampaignState::Completed, _) => break,
            _ => run.now += 1,
        }
    }
    assert_eq!((run.state().0, paused), (CampaignState::Completed, 1));
    let counts: u32 = run.campaign.counts().iter().map(|counts| counts.succeeded).sum();
    assert_eq!(counts, 198);
    assert!(run.campaign.members().iter().all(|it| it.attempt <= 1), "nobody was upgraded twice");
}

#[test]
fn lp_076_success_is_the_version_that_runs_and_not_a_claim() {
    let mut run = Run::of("100%", 3, |_| {});
    assert!((1..=3).all(|edge| run.offered(edge)));
    // It says so, and another version runs.
    run.tell(said(1, UpgradeStatus::Succeeded, "1.1.0", None));
    assert_eq!(run.member(1), MemberState::Failed);
    // It has not said so, for its report got lost, and the version runs.
    run.tell(said(2, UpgradeStatus::Downloading, "1.1.0", None));
    run.tell(seen(2, "1.2.0", true));
    assert_eq!(run.member(2), MemberState::Succeeded);
    run.tell(said(3, UpgradeStatus::Restarting, "1.1.0", None));
    run.tell(said(3, UpgradeStatus::Downloading, "1.1.0", None));
    assert_eq!(run.member(3), MemberState::Restarting, "a report that is late changes nothing");
    let again = run.tell(said(1, UpgradeStatus::Failed, "1.1.0", None));
    assert!(matches!(again[..], [Action::Ignored { .. }]), "what is final stays, however often it is said: {again:?}");
}

#[test]
fn lp_075_a_busy_edge_is_told_nothing_until_it_is_idle() {
    let mut run = Run::of("100%", 1, |_| {});
    for _ in 0..40 {
        assert!(run.tell(seen(1, "1.1.0", false)).is_empty());
        run.now += 15;
    }
    assert_eq!((run.member(1), run.campaign.waits(1, run.now)), (MemberState::Queued, Some(Waits::Edge)));
    assert!(run.offered(1));
}

#[test]
fn waves_open_one_after_the_other_and_rest_in_between() {
    let mut run = Run::of("1,50%,100%", 4, |spec| spec.waves[0].soak_seconds = 600);
    assert!(run.offered(1) && !run.offered(2));
    assert_eq!(run.campaign.waits(2, run.now), Some(Waits::Wave(1)));
    run.upgrade(1, UpgradeStatus::Succeeded);
    run.now += 599;
    run.tell(Observation::Tick);
    assert_eq!(run.campaign.standing().wave, 0);
    run.now += 1;
    run.tell(Observation::Tick);
    assert_eq!(run.campaign.standing().wave, 1);
    assert!(run.offered(2) && !run.offered(3));
}

#[test]
fn a_wave_that_needs_a_word_waits_for_it() {
    let mut run = Run::of("1,100%", 2, |spec| spec.waves[1].approval = true);
    assert!(run.offered(1));
    run.upgrade(1, UpgradeStatus::Succeeded);
    assert_eq!(run.state(), (CampaignState::Paused, Some(PauseReason::Approval)));
    run.tell(Observation::Approve { wave: 1 });
    run.tell(Observation::Approve { wave: 1 });
    assert_eq!((run.state(), run.campaign.standing().wave), ((CampaignState::Running, None), 1));
    assert!(run.offered(2));
}

#[test]
fn limits_hold_how_many_are_under_way_and_when() {
    let mut run = Run::of("100%", 3, |spec| {
        spec.max_concurrent = Some(2);
        spec.windows = Windows(vec![Window::parse("daily 00:00 24h").expect("a window")]);
    });
    assert!(run.offered(1) && run.offered(2) && !run.offered(3));
    assert_eq!(run.campaign.waits(3, run.now), Some(Waits::Concurrency(2)));
    run.upgrade(1, UpgradeStatus::Succeeded);
    assert!(run.offered(3));
    let mut shut =
        Run::of("100%", 1, |spec| spec.windows = Windows(vec![Window::parse("daily 03:00 1m").expect("a window")]));
    assert!(!shut.offered(1));
    assert!(matches!(shut.campaign.waits(1, shut.now), Some(Waits::Window(Some(_)))));
}

#[test]
fn an_edge_that_was_not_there_is_left_out_and_caught_up_with() {
    let mut run = Run::of("100%", 2, |spec| spec.timeouts.offline = 3600);
    assert!(run.offered(1));
    run.upgrade(1, UpgradeStatus::Succeeded);
    run.now += 3600;
    run.tell(Observation::Tick);
    assert_eq!((run.member(2), run.state().0), (MemberState::SkippedOffline, CampaignState::Completed));
    assert!(run.offered(2), "it comes back, and is brought to the version all the same");
    run.upgrade(2, UpgradeStatus::Succeeded);
    assert_eq!(run.member(2), MemberState::Succeeded);
}

#[test]
fn what_is_silent_too_long_counts_as_failed_and_may_still_say_better() {
    let mut run = Run::of("100%", 2, |spec| spec.waves[0].max_failures = Some(5));
    assert!(run.offered(1) && run.offered(2));
    run.tell(said(1, UpgradeStatus::Restarting, "1.1.0", None));
    run.now += 600;
    run.tell(Observation::Tick);
    assert_eq!(run.member(1), MemberState::TimedOut);
    run.tell(seen(1, "1.2.0", true));
    assert_eq!(run.member(1), MemberState::Succeeded);
    // An offer that is not taken up three times is a failure, too.
    for _ in 0..3 {
        run.now += 900;
        run.tell(Observation::Tick);
        run.offered(2);
    }
    assert_eq!(run.member(2), MemberState::Failed);
    assert!(run.campaign.member(2).is_some_and(landfall_fleet::campaign::Member::needs_operator));
}

#[test]
fn a_network_is_tried_again_and_a_wrong_signature_is_not() {
    let mut run = Run::of("100%", 2, |spec| spec.waves[0].max_failures = Some(5));
    assert!(run.offered(1) && run.offered(2));
    run.tell(said(2, UpgradeStatus::Failed, "1.1.0", Some(FailureClass::Verification)));
    assert_eq!(run.member(2), MemberState::Failed);
    for wait in [300, 1800] {
        run.tell(said(1, UpgradeStatus::Failed, "1.1.0", Some(FailureClass::Network)));
        assert_eq!(run.member(1), MemberState::Queued);
        assert!(!run.offered(1));
        run.now += wait;
        assert!(run.offered(1));
    }
    run.tell(said(1, UpgradeStatus::Failed, "1.1.0", Some(FailureClass::Network)));
    assert_eq!(run.member(1), MemberState::Failed);
    assert_eq!(run.state(), (CampaignState::Paused, Some(PauseReason::ThresholdMissed)));
    run.tell(Observation::Retry);
    assert_eq!(run.state(), (CampaignState::Running, None));
    assert!(run.offered(1) && run.offered(2));
    assert_eq!(run.campaign.member(1).map(|it| it.attempt), Some(4));
}

#[test]
fn an_aborted_campaign_offers_nothing_and_a_withdrawn_release_is_not_resumed() {
    let mut run = Run::of("100%", 3, |_| {});
    assert!(run.offered(1));
    run.tell(said(1, UpgradeStatus::Restarting, "1.1.0", None));
    run.tell(Observation::Yanked);
    assert_eq!(run.state(), (CampaignState::Paused, Some(PauseReason::ReleaseYanked)));
    run.tell(Observation::Resume);
    assert_eq!(run.state().0, CampaignState::Paused);
    run.tell(Observation::Abort);
    assert_eq!((run.state().0, run.member(2)), (CampaignState::Aborted, MemberState::Cancelled));
    assert!(!run.offered(2) && run.campaign.attempt_of(1).is_none());
    run.tell(said(1, UpgradeStatus::Succeeded, "1.2.0", None));
    assert_eq!(run.member(1), MemberState::Succeeded, "what was under way still tells how it ended");
    assert_eq!(run.campaign.reversal(), [("1.1.0".to_owned(), vec![1])]);
}

#[test]
fn an_edge_whose_credentials_are_revoked_has_not_failed_and_is_caught_up_with_once_it_has_enrolled_again() {
    let mut run = Run::of("1,100%", 3, |spec| spec.waves[0].max_failures = Some(0));
    assert!(run.offered(1));
    run.tell(said(1, UpgradeStatus::Downloading, "1.1.0", None));
    run.tell(Observation::Revoked { edge: 1 });
    assert_eq!((run.member(1), run.campaign.under_way()), (MemberState::SkippedOffline, 0));
    assert_eq!(run.campaign.member(1).and_then(|it| it.reason.as_deref()), Some("its credentials were revoked"));
    // The wave that was this edge alone holds nobody up, and what is overdue is nothing of it.
    run.now += 7200;
    run.tell(Observation::Tick);
    assert_eq!((run.member(1), run.state()), (MemberState::SkippedOffline, (CampaignState::Running, None)));
    assert!(run.offered(2), "the next wave is open");
    run.upgrade(2, UpgradeStatus::Succeeded);
    run.tell(Observation::Revoked { edge: 2 });
    assert_eq!(run.member(2), MemberState::Succeeded, "it has come to the version already");
    assert!(run.offered(1), "it has enrolled again");
    run.upgrade(1, UpgradeStatus::Succeeded);
    assert_eq!(run.member(1), MemberState::Succeeded);
}

#[test]
fn a_withdrawn_release_is_not_tried_again() {
    let mut run = Run::of("100%", 2, |spec| spec.waves[0].max_failures = Some(5));
    assert!(run.offered(1));
    run.tell(said(1, UpgradeStatus::Failed, "1.1.0", Some(FailureClass::Verification)));
    run.tell(Observation::Yanked);
    assert!(run.tell(Observation::Retry).is_empty());
    assert_eq!((run.member(1), run.state().0), (MemberState::Failed, CampaignState::Paused));
}

#[test]
fn each_edge_goes_back_to_what_it_ran() {
    let mut run = Run::of("100%", 3, |_| {});
    for (edge, version) in [(1, "1.0.0"), (2, "1.1.0"), (3, "1.1.0")] {
        run.tell(seen(edge, version, true));
    }
    run.upgrade(1, UpgradeStatus::Succeeded);
    run.upgrade(2, UpgradeStatus::Succeeded);
    run.tell(said(3, UpgradeStatus::Failed, "1.1.0", Some(FailureClass::Other)));
    assert_eq!(run.campaign.reversal(), [("1.0.0".to_owned(), vec![1]), ("1.1.0".to_owned(), vec![2])]);
}

#[test]
fn what_is_written_down_is_the_same_campaign() {
    let mut run = Run::of("1,100%", 5, |_| {});
    run.offered(1);
    run.upgrade(1, UpgradeStatus::Succeeded);
    run.offered(2);
    let (spec, standing) = (run.campaign.spec(), run.campaign.standing());
    let again = |value: serde_json::Value| value;
    let spec = serde_json::from_value(again(serde_json::to_value(spec).expect("JSON"))).expect("a spec");
    let standing = serde_json::from_value(again(serde_json::to_value(standing).expect("JSON"))).expect("a standing");
    assert_eq!(Campaign::restore(spec, standing, run.campaign.members().to_vec()), run.campaign);
    let shuffled = order("c1", vec![("a".to_owned(), 1), ("b".to_owned(), 2), ("c".to_owned(), 3)]);
    assert_eq!(shuffled, order("c1", vec![("c".to_owned(), 3), ("a".to_owned(), 1), ("b".to_owned(), 2)]));
}

#[test]
fn a_campaign_that_nobody_is_left_of_has_ended_and_one_that_soaks_says_until_when() {
    // Of one edge the first wave is all of it: there is nothing to soak for, and nothing to approve.
    let mut run = Run::of("1,10%,100%", 1, |spec| {
        spec.waves.iter_mut().for_each(|wave| wave.soak_seconds = 900);
        spec.waves[1].approval = true;
        spec.waves[2].approval = true;
    });
    assert!(run.offered(1));
    run.upgrade(1, UpgradeStatus::Succeeded);
    assert_eq!(run.state(), (CampaignState::Completed, None));
    assert_eq!((run.campaign.standing().finished_at, run.campaign.soaks_until()), (Some(START), None));
    // Of two the second waits in the third wave: the soak is for it, and the wave between is nobody's.
    let mut run = Run::of("1,10%,100%", 2, |spec| {
        spec.waves.iter_mut().for_each(|wave| wave.soak_seconds = 900);
        spec.waves[1].approval = true;
    });
    assert_eq!(run.campaign.soaks_until(), None, "its first wave has not ended");
    let first = run.campaign.members()[0].edge;
    assert!(run.offered(first));
    run.now += 60;
    run.upgrade(first, UpgradeStatus::Succeeded);
    assert_eq!((run.state().0, run.campaign.soaks_until()), (CampaignState::Running, Some(START + 960)));
    run.tell(Observation::Pause);
    assert_eq!(run.campaign.soaks_until(), None, "somebody has stopped it, which is another reason");
    run.tell(Observation::Resume);
    run.now = START + 959;
    run.tell(Observation::Tick);
    assert_eq!((run.campaign.standing().wave, run.campaign.soaks_until()), (0, Some(START + 960)));
    run.now = START + 960;
    run.tell(Observation::Tick);
    assert_eq!((run.campaign.standing().wave, run.state()), (2, (CampaignState::Running, None)));
    assert_eq!(run.campaign.soaks_until(), None);
}

#[test]
fn what_has_ended_and_still_waits_for_edges_that_come_back_can_be_given_up() {
    let mut run = Run::of("100%", 2, |_| {});
    assert!(run.offered(1));
    run.upgrade(1, UpgradeStatus::Succeeded);
    run.now += 25 * 3600;
    run.tell(Observation::Tick);
    assert_eq!((run.state().0, run.member(2)), (CampaignState::Completed, MemberState::SkippedOffline));
    let ended = run.campaign.standing().finished_at;
    run.now += 60;
    run.tell(Observation::Abort);
    assert_eq!((run.state().0, run.member(2)), (CampaignState::Aborted, MemberState::Cancelled));
    assert_eq!(run.campaign.standing().finished_at, ended);
    assert!(!run.offered(2), "it comes back, and what was given up is not brought to it");
    // Where nobody is awaited any more, there is nothing to give up.
    let mut run = Run::of("100%", 1, |_| {});
    assert!(run.offered(1));
    run.upgrade(1, UpgradeStatus::Succeeded);
    run.tell(Observation::Abort);
    assert_eq!(run.state().0, CampaignState::Completed);
}

#[test]
fn an_edge_that_went_back_to_what_a_campaign_brought_has_not_gone_back_from_it() {
    let mut run = Run::of("100%", 1, |_| {});
    assert!(run.offered(1));
    run.upgrade(1, UpgradeStatus::Succeeded);
    run.now += 60;
    // The existing agent names no attempt: this is of another campaign's 1.3.0, which did not start.
    let actions = run.tell(said(1, UpgradeStatus::RolledBack, "1.2.0", None));
    assert_eq!((run.member(1), run.state().0), (MemberState::Succeeded, CampaignState::Completed), "{actions:?}");
    // And this one is of its own.
    run.tell(said(1, UpgradeStatus::RolledBack, "1.1.0", None));
    assert_eq!(run.member(1), MemberState::RolledBack);
}
