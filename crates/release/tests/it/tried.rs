//! The namespace that is made for a trial, taken back while others use it: what they have put there stays.

use std::sync::Arc;

use landfall_cluster::{Patch, WriteOptions};
use landfall_engine::{
    Concluded, Desired, DesiredPhase, Fate, Item, Killed, Live, NoProbe, PhaseRuns, Plan, Probe, Task, Trial,
    Unrecorded, plan,
};
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::json;

use crate::place::Place;

const NEW: &str = "fresh";

fn namespace() -> ObjectKey {
    ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, NEW)
}

fn secret(name: &str) -> Object {
    let metadata = json!({"name": name, "namespace": NEW, "annotations": {"landfall.dev/once": "PEPPER"}});
    Object::from_value(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"PEPPER": "b25l"}}))
        .expect("a map")
}

/// A plan that brings the namespace, and something into it.
fn bringing(target: &str) -> Plan {
    let item = |object| Item { wave: 0, task: Task::Ensure { object }, why: "tried".to_owned() };
    let items = vec![item(Object::new(&namespace())), item(secret(target))];
    let phases = vec![DesiredPhase { name: "one".into(), runs: PhaseRuns::OnSuccess, items }];
    let desired = Desired { target: target.into(), kind: "test".into(), phases, home: String::new(), timeout: 5 };
    plan(&desired, &Live::default()).expect("planned")
}

async fn tried(place: &Place, plan: &Plan, probe: Arc<dyn Probe>) -> Result<Trial, landfall_engine::Error> {
    place.conductor(probe).0.try_out(&[plan]).await
}

async fn taken_back(place: &Place, trial: &Trial, probe: Arc<dyn Probe>) -> Concluded {
    place.conductor(probe).0.conclude_trial(trial, 0, Fate::TakenBack).await.expect("concluded")
}

async fn is_there(place: &Place, key: &ObjectKey) -> bool {
    place.cluster.get(key).await.expect("reads").is_some_and(|live| live.deletion_timestamp().is_none())
}

#[tokio::test]
async fn a_trials_namespace_goes_when_nothing_is_in_it_and_stays_with_what_somebody_has_put_there() {
    let place = Place::new().await;
    let trial = tried(&place, &bringing("a"), Arc::new(NoProbe)).await.expect("tried");
    assert!(is_there(&place, &namespace()).await);
    let concluded = taken_back(&place, &trial, Arc::new(NoProbe)).await;
    assert_eq!(concluded, Concluded { gone: vec![namespace()], left: Vec::new() });
    assert!(!is_there(&place, &namespace()).await);

    let trial = tried(&place, &bringing("a"), Arc::new(NoProbe)).await.expect("tried");
    place.cluster.create(&secret("theirs"), &WriteOptions::default()).await.expect("created");
    let concluded = taken_back(&place, &trial, Arc::new(NoProbe)).await;
    assert_eq!(concluded, Concluded { gone: Vec::new(), left: vec![namespace()] });
    assert!(is_there(&place, &secret("theirs").key()).await);
    let marks = async || {
        let live = place.cluster.get(&namespace()).await.expect("reads").expect("there");
        live.annotations().map(|all| all.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
    };
    assert_eq!(marks().await, [landfall_engine::LEFT_OF_TRIAL], "it is told of until somebody delivers into it");
    tried(&place, &bringing("a"), Arc::new(NoProbe)).await.expect("tried");
    assert_eq!(marks().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_trials_namespace_that_somebody_has_labelled_stays() {
    let place = Place::new().await;
    let trial = tried(&place, &bringing("a"), Arc::new(NoProbe)).await.expect("tried");
    let label = Patch::Merge(json!({"metadata": {"labels": {"team": "shop"}}}));
    place.cluster.patch(&namespace(), &label, &WriteOptions::default()).await.expect("patched");
    assert_eq!(taken_back(&place, &trial, Arc::new(NoProbe)).await.left, [namespace()]);
    assert!(is_there(&place, &namespace()).await);
}

/// The process dies at the points of a name.
struct DiesAt(&'static str);

impl Probe for DiesAt {
    fn reach(&self, point: std::fmt::Arguments<'_>) -> Result<(), Killed> {
        let point = point.to_string();
        if point.starts_with(self.0) { Err(Killed(point)) } else { Ok(()) }
    }
}

#[tokio::test]
async fn what_a_killed_trial_has_left_is_taken_back_by_the_next_only_if_it_is_empty() {
    for point in ["after effect trial", "after outcome", "before removal of trial"] {
        for is_used in [false, true] {
            let place = Place::new().await;
            let probe: Arc<dyn Probe> = Arc::new(DiesAt(point));
            if let Ok(trial) = tried(&place, &bringing("a"), Arc::clone(&probe)).await {
                let (conductor, _told) = place.conductor(probe);
                conductor.conclude_trial(&trial, 0, Fate::TakenBack).await.expect_err(point);
            }
            if is_used {
                place.cluster.create(&secret("theirs"), &WriteOptions::default()).await.expect("created");
            }
            let trial = tried(&place, &bringing("a"), Arc::new(NoProbe)).await.expect("tried");
            let concluded = taken_back(&place, &trial, Arc::new(NoProbe)).await;
            assert_eq!(concluded.gone.is_empty(), is_used, "{point}: {concluded:?}");
            assert_eq!(is_there(&place, &secret("theirs").key()).await, is_used, "{point}");
        }
    }
}

/// Somebody else tries a delivery into the namespace at the worst point: it has been found empty and is about to go.
struct ComesBetween {
    place: Arc<Place>,
    runtime: tokio::runtime::Handle,
}

impl Probe for ComesBetween {
    fn reach(&self, point: std::fmt::Arguments<'_>) -> Result<(), Killed> {
        if point.to_string() == "before removal of trial" {
            let (place, runtime) = (Arc::clone(&self.place), self.runtime.clone());
            let other = std::thread::spawn(move || {
                runtime.block_on(async { tried(&place, &bringing("b"), Arc::new(NoProbe)).await.expect("tried") })
            });
            let other = other.join().expect("ends");
            assert!(!other.is_refused() && other.made.is_empty(), "{other:?}");
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_deliveries_into_one_new_namespace_the_refused_one_takes_nothing_from_the_other() {
    let place = Arc::new(Place::new().await);
    let trial = tried(&place, &bringing("a"), Arc::new(NoProbe)).await.expect("tried");
    let between = ComesBetween { place: Arc::clone(&place), runtime: tokio::runtime::Handle::current() };
    assert_eq!(taken_back(&place, &trial, Arc::new(between)).await.left, [namespace()]);

    // What another trial has made and left marked is a namespace like any other for who delivers.
    let mut other = bringing("b");
    let again = tried(&place, &other, Arc::new(NoProbe)).await.expect("tried");
    other.adopt(&again.made);
    let (conductor, mut told) = place.conductor(Arc::new(NoProbe));
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    let live = Live::new(place.cluster.get(&namespace()).await.expect("reads"));
    let item = Item { wave: 0, task: Task::Ensure { object: secret("b") }, why: "delivered".to_owned() };
    let phases = vec![DesiredPhase { name: "one".into(), runs: PhaseRuns::OnSuccess, items: vec![item] }];
    let desired = Desired { target: "b".into(), kind: "test".into(), phases, home: String::new(), timeout: 5 };
    conductor.run(&Unrecorded, &plan(&desired, &live).expect("planned")).await.expect("delivered");
    drop(conductor);
    drain.await.expect("ends");
    assert!(is_there(&place, &secret("b").key()).await);
}

#[tokio::test]
async fn who_delivers_without_a_trial_takes_the_namespace_from_the_trial_that_has_made_it() {
    let place = Place::new().await;
    let trial = tried(&place, &bringing("a"), Arc::new(NoProbe)).await.expect("tried");
    let item = Item { wave: 0, task: Task::Ensure { object: secret("b") }, why: "delivered".to_owned() };
    let phases = vec![DesiredPhase { name: "one".into(), runs: PhaseRuns::OnSuccess, items: vec![item] }];
    let desired = Desired { target: "b".into(), kind: "test".into(), phases, home: String::new(), timeout: 5 };
    // It dies before it has written anything there.
    let (conductor, _told) = place.conductor(Arc::new(DiesAt("before record begun")));
    let planned = plan(&desired, &Live::default()).expect("planned");
    conductor.run(&Unrecorded, &planned).await.expect_err("killed");
    assert_eq!(taken_back(&place, &trial, Arc::new(NoProbe)).await.left, [namespace()]);
}
