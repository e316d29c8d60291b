//! A campaign in random interleavings: what must always be so.

use landfall_fleet::UpgradeStatus;
use landfall_fleet::campaign::{Action, Campaign, CampaignState, MemberState, Observation, Spec, step};
use landfall_fleet::protocol::FailureClass;
use proptest::prelude::*;

const EDGES: i64 = 12;

fn observation() -> impl Strategy<Value = Observation> {
    let edge = 1..=EDGES;
    let version = prop_oneof![Just("1.1.0".to_owned()), Just("1.2.0".to_owned())];
    let status = prop_oneof![
        Just(UpgradeStatus::Downloading),
        Just(UpgradeStatus::Verifying),
        Just(UpgradeStatus::Restarting),
        Just(UpgradeStatus::Succeeded),
        Just(UpgradeStatus::Failed),
        Just(UpgradeStatus::RolledBack),
    ];
    let failure = prop_oneof![Just(None), Just(Some(FailureClass::Network)), Just(Some(FailureClass::Boot))];
    prop_oneof![
        10 => (edge.clone(), version.clone(), any::<bool>()).prop_map(|(edge, version, ready)| Observation::Seen { edge, version, ready }),
        10 => (edge.clone(), status, version, failure).prop_map(|(edge, status, version, failure)| Observation::Reported {
            edge, attempt: None, status, version, failure, reason: None,
        }),
        5 => Just(Observation::Tick),
        1 => Just(Observation::Pause),
        2 => Just(Observation::Resume),
        1 => Just(Observation::Retry),
        1 => edge.clone().prop_map(|edge| Observation::Left { edge }),
        1 => edge.prop_map(|edge| Observation::Revoked { edge }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_must_always_be_so(happened in prop::collection::vec((observation(), 0_i64..1200), 1..120)) {
        let mut spec = Spec::new("edge-agent", "1.2.0", "1,50%,100%").expect("waves");
        spec.max_concurrent = Some(3);
        let mut now = 1_780_000_000;
        let (mut campaign, _) = step(Campaign::new(spec, (1..=EDGES).collect()), &[Observation::Start], now);
        for (observation, passed) in happened {
            now += passed;
            let before = campaign.clone();
            let (next, actions) = step(campaign, std::slice::from_ref(&observation), now);
            for action in &actions {
                if let Action::Offer { edge, attempt } = action {
                    let (was, is) = (before.member(*edge).expect("a member"), next.member(*edge).expect("a member"));
                    let ready = matches!(&observation, Observation::Seen { edge: seen, ready: true, .. } if seen == edge);
                    prop_assert!(ready, "only an idle edge that was seen is offered anything");
                    prop_assert!(was.wave <= before.standing().wave, "its wave is open");
                    prop_assert!(before.standing().state == CampaignState::Running
                        || (before.standing().state == CampaignState::Completed && was.state == MemberState::SkippedOffline));
                    prop_assert_eq!(*attempt, was.attempt + 1);
                    prop_assert!(was.not_before <= now && is.state == MemberState::Offered);
                }
            }
            prop_assert!(next.under_way() <= 3, "no more than may are under way");
            prop_assert!(next.standing().epoch >= before.standing().epoch);
            for member in next.members() {
                let was = before.member(member.edge).expect("a member");
                if was.state.is_final() && member.state != was.state {
                    let retried = matches!(observation, Observation::Retry) && was.state.is_failure();
                    let late = matches!(
                        (was.state, member.state),
                        (MemberState::TimedOut, MemberState::Succeeded | MemberState::RolledBack)
                            | (MemberState::Succeeded, MemberState::RolledBack)
                    );
                    prop_assert!(retried || late, "{:?} became {:?} by {:?}", was.state, member.state, observation);
                }
                if member.state == MemberState::Succeeded && was.state != MemberState::Succeeded {
                    let runs = matches!(&observation, Observation::Seen { version, .. } | Observation::Reported { version, .. } if version == "1.2.0");
                    prop_assert!(runs, "success is the version that runs");
                }
            }
            // The counters, counted anew from the members as they would be read from the store.
            let counted = Campaign::restore(next.spec().clone(), next.standing().clone(), next.members().to_vec());
            prop_assert_eq!(counted.counts(), next.counts());
            campaign = next;
        }
    }
}
