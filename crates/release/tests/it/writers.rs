//! Each call by which the engine writes or deletes (`docs/writers.md`), at a Secret that was planned for when nothing of it was
//! generated once, and is generated once when the write comes.

use std::sync::Arc;
use std::time::Duration;

use landfall_cluster::{Patch, Propagation, WriteOptions};
use landfall_engine::{
    DeletePolicy, Desired, DesiredPhase, FailureKind, Hook, Item, Killed, Live, Method, PhaseRuns, Probe, Recovery,
    Task, Unrecorded, plan,
};
use landfall_object::Object;
use serde_json::{Value, json};

use crate::place::Place;

/// The process dies when it is about to write.
struct AboutToWrite;

impl Probe for AboutToWrite {
    fn reach(&self, point: std::fmt::Arguments<'_>) -> Result<(), Killed> {
        let point = point.to_string();
        if point.starts_with("before effect") || point.starts_with("before removal") {
            Err(Killed(point))
        } else {
            Ok(())
        }
    }
}

fn secret(place: &Place, value: &str) -> Object {
    let metadata = json!({"name": "keys", "namespace": place.namespace});
    Object::from_value(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"PEPPER": value}}))
        .expect("a map")
}

/// Plans a task, is killed before its write, and goes on with it after the key has become one that is generated once.
async fn driven(what: &str, task: impl FnOnce(&Place, &Object) -> Task) {
    let place = Place::new().await;
    let live = place.cluster.create(&secret(&place, "b25l"), &WriteOptions::default()).await.expect("created");
    let item = Item { wave: 0, task: task(&place, &live), why: what.to_owned() };
    let phases = vec![DesiredPhase { name: "one".into(), runs: PhaseRuns::OnSuccess, items: vec![item] }];
    let desired = Desired { target: "writers".into(), kind: "test".into(), phases, home: String::new(), timeout: 5 };
    let planned = plan(&desired, &Live::new([live.clone()])).expect("planned");
    let (conductor, mut told) = place.conductor(Arc::new(AboutToWrite));
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    conductor.run(&Unrecorded, &planned).await.expect_err("is killed");
    drop(conductor);
    drain.await.expect("ends");

    let once = Patch::Merge(json!({"metadata": {"annotations": {"landfall.dev/once": "PEPPER"}}}));
    place.cluster.patch(&live.key(), &once, &WriteOptions::default()).await.expect("patched");
    let (conductor, mut told) = place.conductor(Arc::new(landfall_engine::NoProbe));
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    let recovery = conductor.recover(&Unrecorded, "writers", Duration::from_secs(900)).await.expect("recovers");
    let Recovery::Resumed(report) = recovery else { panic!("{what}: {recovery:?}") };
    drop(conductor);
    drain.await.expect("ends");
    let failure = report.failure.as_ref().unwrap_or_else(|| panic!("{what}: {report:?}"));
    assert_eq!(failure.kind, FailureKind::Guard, "{what}: {failure:?}");
    assert!(
        failure.message.contains("Secret ") && failure.message.contains("PEPPER generated once"),
        "{what}: {failure:?}"
    );
    let after = place.get("v1", "Secret", "keys").await.unwrap_or_else(|| panic!("{what}: it is gone"));
    assert_eq!((after.uid(), after.at("/data/PEPPER")), (live.uid(), Some(&Value::from("b25l"))), "{what}");
}

#[tokio::test]
async fn every_writer_of_the_engine_is_refused_at_a_key_generated_once() {
    let manager = || "test".to_owned();
    let methods = [
        Method::ThreeWay { manager: manager() },
        Method::ServerSide { manager: manager(), force: true },
        Method::Replace { manager: manager() },
        Method::Recreate { manager: manager() },
    ];
    for method in methods {
        driven(&format!("{method:?}"), |place, live| Task::Apply {
            object: secret(place, "dHdv"),
            previous: Some(live.clone()),
            method,
        })
        .await;
    }
    for propagation in [Propagation::Background, Propagation::Foreground, Propagation::Orphan] {
        driven(&format!("{propagation:?}"), |_, live| Task::Delete { key: live.key(), propagation }).await;
    }
    driven("a hook made anew", |place, _| {
        Task::Hook(Box::new(Hook {
            id: 0,
            object: secret(place, "dHdv"),
            delete: vec![DeletePolicy::BeforeHookCreation],
            log: Vec::new(),
            criterion: Default::default(),
            timeout: 5,
            manager: manager(),
        }))
    })
    .await;
}

/// What is only created when it is not there replaces nothing.
#[tokio::test]
async fn what_is_ensured_leaves_a_key_generated_once_as_it_is() {
    let place = Place::new().await;
    let live = place.cluster.create(&secret(&place, "b25l"), &WriteOptions::default()).await.expect("created");
    let once = Patch::Merge(json!({"metadata": {"annotations": {"landfall.dev/once": "PEPPER"}}}));
    place.cluster.patch(&live.key(), &once, &WriteOptions::default()).await.expect("patched");
    let item = Item { wave: 0, task: Task::Ensure { object: secret(&place, "dHdv") }, why: "ensured".to_owned() };
    let phases = vec![DesiredPhase { name: "one".into(), runs: PhaseRuns::OnSuccess, items: vec![item] }];
    let desired = Desired { target: "writers".into(), kind: "test".into(), phases, home: String::new(), timeout: 5 };
    // Planned for a cluster where it was not there yet.
    let planned = plan(&desired, &Live::default()).expect("planned");
    let (conductor, mut told) = place.conductor(Arc::new(landfall_engine::NoProbe));
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    let _ended = conductor.run(&Unrecorded, &planned).await;
    drop(conductor);
    drain.await.expect("ends");
    let after = place.get("v1", "Secret", "keys").await.expect("there");
    assert_eq!(after.at("/data/PEPPER"), Some(&Value::from("b25l")));
}
