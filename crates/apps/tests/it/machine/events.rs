//! What happens to an Application, drawn at random.

use landfall_apps::machine::{Activity, Automation, Freshness};
use landfall_apps::{Application, Project, Retry, Windows};
use landfall_object::Object;
use proptest::prelude::*;

/// What may happen next.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Push { empty: bool },
    Revert,
    BranchGone,
    BranchBack,
    Policy { automation: Option<Automation> },
    OtherSource,
    Ask { retries: i64, partial: bool },
    Terminate,
    Refresh(Freshness),
    Drift,
    Orphan,
    Answer { which: usize, well: bool },
    Overtake,
    Does(Activity),
    Pass { seconds: u64 },
    Kill,
    KillAndLose,
    Delete { cascades: bool },
    Vanish,
}

pub(super) fn automation() -> impl Strategy<Value = Option<Automation>> {
    let some =
        (any::<bool>(), any::<bool>(), any::<bool>(), 0i64..3).prop_map(|(prune, self_heal, allow_empty, limit)| {
            Automation { prune, self_heal, allow_empty, retry: Retry { limit, ..Retry::default() } }
        });
    prop_oneof![1 => Just(None), 5 => some.prop_map(Some)]
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let freshness = prop_oneof![Just(Freshness::Recent), Just(Freshness::Latest), Just(Freshness::Hard)];
    let activity = prop_oneof![Just(Activity::Acts), Just(Activity::RunsHook), Just(Activity::Waits)];
    prop_oneof![
        8 => (0u8..8).prop_map(|of| Event::Push { empty: of == 0 }),
        2 => Just(Event::Revert),
        1 => Just(Event::BranchGone),
        2 => Just(Event::BranchBack),
        3 => automation().prop_map(|automation| Event::Policy { automation }),
        1 => Just(Event::OtherSource),
        3 => (0i64..3, any::<bool>()).prop_map(|(retries, partial)| Event::Ask { retries, partial }),
        1 => Just(Event::Terminate),
        2 => freshness.prop_map(Event::Refresh),
        6 => Just(Event::Drift),
        2 => Just(Event::Orphan),
        40 => (0usize..4, 0u8..4).prop_map(|(which, of)| Event::Answer { which, well: of > 0 }),
        4 => Just(Event::Overtake),
        6 => activity.prop_map(Event::Does),
        8 => (1u64..400).prop_map(|seconds| Event::Pass { seconds }),
        2 => Just(Event::Kill),
        1 => Just(Event::KillAndLose),
    ]
}

/// A project's sync windows, as they are about an Application; none without any.
fn windows(written: serde_json::Value) -> Windows {
    let object = |kind: &str, spec: serde_json::Value| {
        let object = serde_json::json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": "shop"}, "spec": spec,
        });
        Object::from_value(object).expect("a map")
    };
    let source = serde_json::json!({"repoURL": "https://git.example.com/a", "path": "x"});
    let application = Application::parse(&object("Application", serde_json::json!({"source": source})));
    let project = Project::parse(&object("AppProject", serde_json::json!({"syncWindows": written})));
    project.expect("a project").windows(&application.expect("an application"))
}

/// Nothing is synced in the first ten minutes of each third of an hour, but for what somebody asks for, perhaps.
pub(super) fn closed_now_and_then(by_hand: bool) -> Windows {
    windows(serde_json::json!([{
        "kind": "deny", "schedule": "*/20 * * * *", "duration": "10m", "applications": ["*"], "manualSync": by_hand,
    }]))
}

pub(super) fn any_windows() -> impl Strategy<Value = Windows> {
    prop_oneof![2 => Just(Windows::default()), 1 => any::<bool>().prop_map(closed_now_and_then)]
}

pub(super) fn ending() -> impl Strategy<Value = Vec<Event>> {
    let removed = prop_oneof![
        any::<bool>().prop_map(|cascades| vec![Event::Delete { cascades }]),
        Just(vec![Event::Vanish]),
        any::<bool>().prop_map(|cascades| vec![Event::Delete { cascades }, Event::Kill]),
    ];
    prop_oneof![4 => Just(Vec::new()), 1 => removed]
}
