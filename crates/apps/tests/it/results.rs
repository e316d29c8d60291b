//! What an Application's status tells of the objects and hooks of a sync, while it runs and afterwards.

use std::sync::Arc;
use std::time::Duration;

use landfall_apps::Application;
use landfall_engine::{NoProbe, Recovery};
use landfall_object::Object;
use serde_json::{Value, json};

use crate::place::Place;
use crate::sync::{HOOK, KilledAt, OPTIONS, WAVE, annotated, config, deployment, job, knows_applications, on_no_node};

/// An Application that the cluster knows.
async fn place() -> (Place, Application) {
    let place = Place::new().await;
    knows_applications(&place.applications.home).await;
    let application = place.application(&[]);
    place.applications.home.create(&application.object, &Default::default()).await.expect("creates");
    (place, application)
}

async fn live(place: &Place, application: &Application) -> Object {
    place.applications.home.get(&application.key()).await.expect("reads").expect("is there")
}

/// What its status tells of each: `phase kind/name status hookPhase`, with `(hook)` behind hooks.
async fn told(place: &Place, application: &Application) -> Vec<String> {
    let object = live(place, application).await;
    let entries = object.list_at("/status/operationState/syncResult/resources").iter();
    let told = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or("none").to_owned();
        if let Some(hook) = entry["hookType"].as_str() {
            assert_eq!(hook, text("syncPhase"));
        }
        let hook = if entry["hookType"].is_string() { " (hook)" } else { "" };
        let name = format!("{}/{}", text("kind"), text("name"));
        format!("{} {name} {} {}{hook}", text("syncPhase"), text("status"), text("hookPhase"))
    };
    entries.map(told).collect()
}

/// Runs until it is killed at a point, from the first step or from where it was left.
async fn killed(place: &mut Place, application: &Application, objects: &[Value], point: &'static str) {
    place.conductor.probe = Arc::new(KilledAt(point));
    let open = place.applications.store.journal.running_operation(&application.target()).await.expect("reads");
    let ended = match open {
        None => {
            let prepared = place.prepare(application, objects).await;
            place.conductor.run(&place.applications, &prepared).await.map(drop)
        }
        Some(_) => place.conductor.recover(&place.applications, application, Duration::ZERO).await.map(drop),
    };
    ended.expect_err("it was killed");
    place.conductor.probe = Arc::new(NoProbe);
}

fn everything() -> [Value; 5] {
    let mut generated = job("", &[(HOOK, "Sync")]);
    generated["metadata"] = json!({"generateName": "seed-", "annotations": generated["metadata"]["annotations"]});
    let gone = [("helm.sh/hook", "pre-upgrade,pre-install"), ("helm.sh/hook-delete-policy", "hook-succeeded")];
    [
        job("smoke", &[(HOOK, "PostSync")]),
        annotated(deployment("shop/web:1"), &[(WAVE, "1")]),
        config("settings", json!({"a": "1"})),
        job("migrate", &gone),
        generated,
    ]
}

#[tokio::test]
async fn objects_and_hooks_are_listed_in_the_order_in_which_they_came() {
    let (mut place, application) = place().await;
    let (synced, _) = place.sync(&application, &everything()).await;
    assert_eq!(synced.report.failure, None);
    let object = live(&place, &application).await;
    let entries = object.list_at("/status/operationState/syncResult/resources");
    let seed = entries[2]["name"].as_str().expect("named").to_owned();
    assert!(seed.len() > "seed-".len(), "{seed}");
    let expected = [
        "PreSync Job/migrate Synced Succeeded (hook)".to_owned(),
        "Sync ConfigMap/settings Synced Succeeded".to_owned(),
        format!("Sync Job/{seed} Synced Succeeded (hook)"),
        "Sync Deployment/web Synced Succeeded".to_owned(),
        "PostSync Job/smoke Synced Succeeded (hook)".to_owned(),
    ];
    assert_eq!(told(&place, &application).await, expected);
    let web = json!({
        "group": "apps", "version": "v1", "kind": "Deployment", "namespace": place.namespace, "name": "web",
        "status": "Synced", "message": "deployment.apps/web created", "hookPhase": "Succeeded", "syncPhase": "Sync",
        "images": ["shop/web:1"],
    });
    assert_eq!(entries[3], web);
    assert_eq!(entries[0]["message"], "job.batch/migrate created");
    // The next one tells of itself alone.
    let (synced, _) = place.sync(&application, &[config("settings", json!({"a": "2"}))]).await;
    assert_eq!(synced.report.failure, None);
    let object = live(&place, &application).await;
    let messages = object.list_at("/status/operationState/syncResult/resources").iter();
    let messages: Vec<_> = messages.map(|entry| entry["message"].as_str().unwrap_or_default()).collect();
    assert_eq!(messages, ["configmap/settings configured", "pruned"]);
}

#[tokio::test]
async fn what_has_been_done_is_told_while_it_runs_and_after_each_kill() {
    let (mut place, application) = place().await;
    let objects = everything();
    let migrate = |standing: &str| format!("PreSync Job/migrate Synced {standing} (hook)");
    let settings = |standing: &str| format!("Sync ConfigMap/settings Synced {standing}");
    killed(&mut place, &application, &objects, "before outcome 0001").await;
    assert_eq!(told(&place, &application).await, [migrate("Running")]);
    let message = "/status/operationState/message";
    let waits = live(&place, &application).await.str_at(message).map(str::to_owned);
    assert_eq!(waits.as_deref(), Some("waiting for completion of hook batch/Job/migrate"));
    // The hook has ended and is not made again; what comes behind it is waited for.
    killed(&mut place, &application, &objects, "before outcome 0003").await;
    assert_eq!(told(&place, &application).await, [migrate("Succeeded"), settings("Running")]);
    let waits = live(&place, &application).await.str_at(message).map(str::to_owned);
    assert_eq!(waits.as_deref(), Some("waiting for healthy state of /ConfigMap/settings"));
    // Whatever has become of the status meanwhile: the journal knows it.
    let emptied = landfall_cluster::Patch::Merge(json!({"status": {"operationState": {"syncResult": null}}}));
    place.applications.home.patch(&application.key(), &emptied, &Default::default()).await.expect("is patched");
    killed(&mut place, &application, &objects, "after record begun").await;
    assert_eq!(told(&place, &application).await, [migrate("Succeeded"), settings("Running")]);
    let recovered = place.conductor.recover(&place.applications, &application, Duration::ZERO).await;
    assert!(matches!(recovered.expect("goes on"), Recovery::Resumed(_)));
    let all = told(&place, &application).await;
    assert_eq!(all.len(), 5, "{all:?}");
    assert!(all.iter().all(|it| it.contains("Synced Succeeded")), "{all:?}");
}

#[tokio::test]
async fn a_hook_that_failed_is_told_with_its_reason_and_what_was_not_begun_is_not() {
    let (mut place, application) = place().await;
    let objects = [
        on_no_node(job("migrate", &[(HOOK, "PreSync")])),
        config("settings", json!({})),
        job("tell", &[(HOOK, "SyncFail")]),
    ];
    let (synced, _) = place.sync(&application, &objects).await;
    let failure = synced.report.failure.expect("fails");
    let expected = ["PreSync Job/migrate Synced Failed (hook)", "SyncFail Job/tell Synced Succeeded (hook)"];
    assert_eq!(told(&place, &application).await, expected);
    let object = live(&place, &application).await;
    let entries = object.list_at("/status/operationState/syncResult/resources");
    assert_eq!(entries[0]["message"].as_str(), Some(failure.message.as_str()));
}

#[tokio::test]
async fn what_is_refused_what_never_gets_well_and_what_goes_or_stays_are_told_apart() {
    let (mut place, application) = place().await;
    let kept = annotated(config("kept", json!({})), &[(OPTIONS, "Prune=false")]);
    let (synced, _) = place.sync(&application, &[config("a", json!({})), config("b", json!({})), kept]).await;
    assert_eq!(synced.report.failure, None);
    let stuck = on_no_node(job("stuck", &[]));
    let (synced, _) = place.sync(&application, &[config("a", json!({})), stuck, config("z", json!({}))]).await;
    assert!(synced.report.failure.is_some());
    let mut all = told(&place, &application).await;
    all.sort();
    let expected = [
        "Sync ConfigMap/a Synced Running",
        "Sync ConfigMap/b Pruned Succeeded",
        "Sync ConfigMap/kept PruneSkipped Succeeded",
        "Sync ConfigMap/z Synced Running",
        "Sync Job/stuck Synced Failed",
    ];
    assert_eq!(all, expected);
    let bad = annotated(config("Not_A_Name", json!({})), &[]);
    let (synced, _) = place.sync(&application, &[bad]).await;
    assert!(synced.report.failure.is_some());
    let all = told(&place, &application).await;
    assert!(all.contains(&"Sync ConfigMap/Not_A_Name SyncFailed Failed".to_owned()), "{all:?}");
    let state = live(&place, &application).await;
    let entries = state.list_at("/status/operationState/syncResult/resources").iter();
    let mut refused = entries.filter(|entry| entry["name"] == "Not_A_Name");
    let why = refused.next().and_then(|entry| entry["message"].as_str()).unwrap_or_default();
    assert!(why.contains("Not_A_Name"), "{why}");
}

#[tokio::test]
async fn a_hook_that_is_suspended_has_not_done_its_work() {
    let (mut place, application) = place().await;
    let mut paused = job("migrate", &[(HOOK, "PreSync")]);
    paused["spec"]["suspend"] = true.into();
    let (synced, _) = place.sync(&application, &[paused, config("settings", json!({}))]).await;
    assert!(synced.report.failure.is_some(), "nobody has let it go on");
    assert_eq!(told(&place, &application).await, ["PreSync Job/migrate Synced Failed (hook)"]);
}

#[tokio::test]
async fn a_hook_of_a_sync_that_is_ended_for_good_goes_and_one_that_has_ended_stays() {
    let (mut place, application) = place().await;
    let mut paused = job("migrate", &[(HOOK, "PreSync"), (WAVE, "1")]);
    paused["spec"]["suspend"] = true.into();
    let objects = [job("seed", &[(HOOK, "PreSync")]), paused, config("settings", json!({}))];
    killed(&mut place, &application, &objects, "after outcome 0002.made").await;
    assert!(place.get("batch/v1", "Job", "migrate").await.is_some());
    place.conductor.end_hooks(&application.target()).await.expect("ends");
    place.conductor.end_hooks(&application.target()).await.expect("a second time, too");
    assert_eq!(place.get("batch/v1", "Job", "migrate").await, None);
    assert!(place.get("batch/v1", "Job", "seed").await.is_some(), "it has done its work");
}
