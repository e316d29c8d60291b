//! Plans are pure data.

use landfall_cluster::Propagation;
use landfall_engine::{
    Action, Desired, DesiredPhase, Error, Item, Live, Method, PhaseRuns, Plan, Task, live_digest, plan,
};
use landfall_object::Object;
use serde_json::{Value, json};

fn object(value: Value) -> Object {
    Object::from_value(value).expect("a map")
}

fn config(name: &str, data: Value) -> Object {
    object(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data}),
    )
}

fn apply(object: Object) -> Item {
    let method = Method::ThreeWay { manager: "helm".into() };
    Item {
        wave: 0,
        task: Task::Apply { previous: Some(object.clone()), object, method },
        why: "templates/x.yaml".into(),
    }
}

fn delete(object: &Object) -> Item {
    let task = Task::Delete { key: object.key(), propagation: Default::default() };
    Item { wave: 0, task, why: "no longer in the chart".into() }
}

fn desired(items: Vec<Item>) -> Desired {
    let phases = vec![DesiredPhase { name: "resources".into(), runs: PhaseRuns::OnSuccess, items }];
    Desired { target: "release shop/web".into(), kind: "upgrade".into(), phases, home: String::new(), timeout: 120 }
}

#[test]
fn a_plan_says_what_is_created_changed_left_and_deleted_and_why() {
    let live = Live::new([config("a", json!({"x": "1"})), config("b", json!({"x": "1"})), config("d", json!({}))]);
    let items = vec![
        apply(config("a", json!({"x": "2"}))),
        apply(config("b", json!({"x": "1"}))),
        apply(config("c", json!({}))),
        delete(&config("d", json!({}))),
        delete(&config("e", json!({}))),
    ];
    let plan = plan(&desired(items), &live).expect("plans");
    let actions: Vec<Action> = plan.steps().map(|step| step.action).collect();
    let expected = [Action::Change, Action::Unchanged, Action::Create, Action::Delete, Action::Absent];
    assert_eq!(actions, expected);
    let first = plan.steps().next().expect("a step");
    assert_eq!((first.id.as_str(), first.why.as_str()), ("0001", "templates/x.yaml"));
    assert_eq!(first.changes[0].path, "data.x");
    assert!(!plan.changes_nothing());
}

#[test]
fn a_plan_survives_being_written_down() {
    let live = Live::new([config("a", json!({"x": "1"}))]);
    let plan = plan(&desired(vec![apply(config("a", json!({"x": "2"})))]), &live).expect("plans");
    let text = plan.revealed().expect("is written").to_string();
    assert_eq!(serde_json::from_str::<Plan>(&text).expect("is read"), plan);
}

#[test]
fn the_digest_follows_what_was_declared_and_nothing_else() {
    let wish = desired(vec![apply(config("a", json!({"x": "2"})))]);
    let digest = |live: &Object| plan(&wish, &Live::new([live.clone()])).expect("plans").digest;
    let live = config("a", json!({"x": "1"}));
    let mut observed = live.clone();
    observed.metadata_mut().insert("resourceVersion".into(), "17".into());
    observed.metadata_mut().insert("managedFields".into(), json!([]));
    observed.map_mut().insert("status".into(), json!({"seen": true}));
    assert_eq!(digest(&live), digest(&observed));
    assert_eq!(live_digest(&live), live_digest(&observed));
    assert_ne!(digest(&live), digest(&config("a", json!({"x": "other"}))));
    let mut remade = live.clone();
    remade.metadata_mut().insert("uid".into(), "new".into());
    assert_ne!(digest(&live), digest(&remade));
}

#[test]
fn one_object_is_not_written_twice() {
    let wish = desired(vec![apply(config("a", json!({}))), apply(config("a", json!({"x": "1"})))]);
    assert!(matches!(plan(&wish, &Live::default()), Err(Error::Twice(_))));
}

#[test]
fn values_of_secrets_stay_out_of_what_a_plan_shows() {
    let secret = |value: &str| {
        object(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}, "data": {"key": value}}),
        )
    };
    let plan = plan(&desired(vec![apply(secret("bmV3"))]), &Live::new([secret("b2xk")])).expect("plans");
    let shown = serde_json::to_string(&plan.steps().next().expect("a step").changes).expect("is written");
    assert!(shown.contains("data.key") && !shown.contains("bmV3") && !shown.contains("b2xk"), "{shown}");
}

#[test]
fn what_only_has_to_be_there_is_nothing_that_a_plan_was_made_from() {
    let ensure = |object: Object| Item { wave: 0, task: Task::Ensure { object }, why: "crds/x.yaml".into() };
    let (only, both) = (config("only", json!({})), config("both", json!({})));
    let wish = desired(vec![ensure(only), ensure(both.clone())]);
    assert_eq!(wish.keys().len(), 2);
    assert_eq!(plan(&wish, &Live::default()).expect("plans").seen, []);
    let mut wish = desired(vec![ensure(config("only", json!({})))]);
    wish.phases.push(DesiredPhase { name: "then".into(), runs: PhaseRuns::OnSuccess, items: vec![apply(both)] });
    let plan = plan(&wish, &Live::default()).expect("plans");
    assert_eq!(plan.seen.iter().map(|seen| seen.key.name.as_str()).collect::<Vec<_>>(), ["both"]);
}

fn secret(name: &str, annotations: Value) -> Object {
    object(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"A": "YQ=="},
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations}}))
}

fn sealed(name: &str) -> Object {
    object(json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
        "metadata": {"name": name, "namespace": "shop"}, "spec": {"encryptedData": {"A": "AgB"}}}))
}

/// LP-131: never pruned and then missing, and never refused by the controller either.
#[test]
fn a_secret_that_becomes_a_sealed_secret_of_its_name_is_handed_over_before_that_is_applied() {
    let live = Live::new([secret("keys", json!({})), secret("other", json!({}))]);
    let items = || {
        vec![
            apply(config("a", json!({}))),
            apply(sealed("keys")),
            delete(&secret("keys", json!({}))),
            delete(&secret("other", json!({}))),
        ]
    };
    let plan = plan(&desired(items()), &live).expect("plans");
    let said: Vec<(Action, &str, &str)> =
        plan.steps().map(|step| (step.action, step.key.gvk.kind.as_str(), step.key.name.as_str())).collect();
    let wanted = [
        (Action::Create, "ConfigMap", "a"),
        (Action::Change, "Secret", "keys"),
        (Action::Create, "SealedSecret", "keys"),
        (Action::Delete, "Secret", "other"),
    ];
    assert_eq!(said, wanted);
    let step = plan.steps().nth(1).expect("the second");
    assert_eq!(step.why, "handed over to the SealedSecret keys");
    let paths: Vec<&str> = step.changes.iter().map(|change| change.path.as_str()).collect();
    assert!(paths.iter().all(|path| path.starts_with("metadata.annotations")), "{paths:?}");
}

/// The way back: the controller would put its own values back, as long as its SealedSecret is there.
#[test]
fn a_sealed_secret_that_becomes_a_plain_one_lets_go_of_it_before_that_is_written() {
    let live = Live::new([secret("keys", json!({})), sealed("keys"), sealed("other")]);
    let mut wanted = secret("keys", json!({"meta.helm.sh/release-name": "shop"}));
    wanted.map_mut().insert("data".to_owned(), json!({"A": "Yg=="}));
    let items = vec![apply(config("a", json!({}))), apply(wanted), delete(&sealed("keys")), delete(&sealed("other"))];
    let plan = plan(&desired(items), &live).expect("plans");
    let said: Vec<(Action, &str, &str)> =
        plan.steps().map(|step| (step.action, step.key.gvk.kind.as_str(), step.key.name.as_str())).collect();
    let expected = [
        (Action::Create, "ConfigMap", "a"),
        (Action::Delete, "SealedSecret", "keys"),
        (Action::Wait, "SealedSecret", "keys"),
        (Action::Change, "Secret", "keys"),
        (Action::Delete, "SealedSecret", "other"),
    ];
    assert_eq!(said, expected);
    let how = |index: usize| match plan.steps().nth(index).map(|step| &step.task) {
        Some(Task::Delete { propagation, .. }) => Some(*propagation),
        _ => None,
    };
    assert_eq!(how(1), Some(Propagation::Orphan), "its Secret stays");
    assert_eq!(how(4), Some(Propagation::Background));
}

#[test]
fn a_secret_with_a_key_generated_once_is_not_handed_over() {
    let held = secret("keys", json!({"landfall.dev/once": "A"}));
    let live = Live::new([held.clone()]);
    let refused = plan(&desired(vec![apply(sealed("keys")), delete(&held)]), &live);
    assert!(matches!(refused, Err(Error::Once(_))), "{refused:?}");
}
