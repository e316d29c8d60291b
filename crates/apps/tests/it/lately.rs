//! What was read a moment ago, and is not read again.

use std::sync::Arc;
use std::time::Duration;

use landfall_apps::SyncStatus;
use landfall_cluster::{Cluster, Patch, Recent};
use landfall_object::{Gvk, ObjectKey};
use serde_json::{Value, json};

use crate::place::{Heard, Place, heard};
use crate::sync::config;

/// A place whose cluster keeps what it reads, what was asked of it, and the cluster as somebody else has it.
async fn place() -> (Place, Heard, Cluster) {
    let mut place = Place::new().await;
    let others = place.conductor.cluster.clone();
    let (cluster, asked) = heard(&others, |_| Box::pin(async {}));
    let cluster = cluster.keeping(Arc::new(Recent::new(Duration::from_secs(600))));
    place.conductor.cluster = cluster.clone();
    place.applications.cluster = cluster;
    (place, asked, others)
}

fn settings(text: &str) -> Vec<Value> {
    (0..5).map(|number| config(&format!("c{number}"), json!({"x": text}))).collect()
}

/// How many pages were asked for since the last question; what is waited for is watched by whole lists besides.
fn pages(asked: &Heard) -> usize {
    let said = std::mem::take(&mut *asked.lock().expect("not poisoned"));
    let is_page = |said: &&String| said.contains("/configmaps?limit=") && !said.contains("?limit=500");
    said.iter().filter(is_page).count()
}

#[tokio::test]
async fn a_sync_reads_no_page_that_its_comparison_has_read_nor_does_the_comparison_that_follows_it() {
    let (mut place, asked, _) = place().await;
    let application = place.application(&[]);
    for text in ["1", "2"] {
        let compared = place.prepare(&application, &settings(text)).await;
        assert_eq!((compared.status(), pages(&asked)), (SyncStatus::OutOfSync, 1), "{text}");
        let (synced, _) = place.sync(&application, &settings(text)).await;
        assert!(synced.report.succeeded(), "{:?}", synced.report);
        // Once before the first effect, once for how all stand afterwards.
        assert_eq!(pages(&asked), 2, "{text}");
        let compared = place.prepare(&application, &settings(text)).await;
        assert_eq!((compared.status(), pages(&asked)), (SyncStatus::Synced, 0), "{text}");
    }
    let compared = place.prepare(&application, &settings("2")).await;
    assert_eq!((compared.status(), pages(&asked)), (SyncStatus::Synced, 1), "a page is given out once");
}

#[tokio::test]
async fn what_somebody_changes_after_the_comparison_is_not_written_over() {
    let (mut place, asked, others) = place().await;
    let application = place.application(&[]);
    place.sync(&application, &settings("1")).await;
    place.prepare(&application, &settings("1")).await;
    pages(&asked);
    place.prepare(&application, &settings("2")).await;
    assert_eq!(pages(&asked), 1);
    let key = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(&place.namespace), "c3");
    let theirs = Patch::Merge(json!({"data": {"x": "theirs"}}));
    others.patch(&key, &theirs, &Default::default()).await.expect("changed by hand");
    let prepared = place.prepare(&application, &settings("2")).await;
    assert_eq!(pages(&asked), 0, "it is planned from what was read before");
    let refused = place.conductor.run(&place.applications, &prepared).await.expect_err("it is another one by now");
    let is_so = matches!(refused, landfall_apps::Error::Engine(landfall_engine::Error::LiveChanged { .. }));
    assert!(is_so, "{refused}");
    let live = place.get("v1", "ConfigMap", "c3").await.expect("there");
    assert_eq!(live.str_at("/data/x"), Some("theirs"));
    let (synced, _) = place.sync(&application, &settings("2")).await;
    assert!(synced.report.succeeded(), "{:?}", synced.report);
}

#[tokio::test]
async fn who_watches_an_application_gives_it_as_it_is_and_it_is_not_asked_for() {
    let mut place = Place::new().await;
    let known = json!({"version": "v1", "kind": "ConfigMap", "namespace": place.namespace, "name": "c0"});
    let mut application = place.application(&[]);
    place.sync(&application, &settings("1")).await;
    // What it has delivered is known of its status alone.
    let facts = &place.applications.store.facts;
    facts.remove("application-resources", &application.target()).await.expect("removed");
    application.object.map_mut().insert("status".to_owned(), json!({"resources": [known]}));
    let others = &settings("1")[1..];
    let compared = place.prepare(&application, others).await;
    assert_eq!(compared.resources().len(), 4, "nobody has put it there");
    place.applications.given_as_live = true;
    let compared = place.prepare(&application, others).await;
    assert_eq!((compared.resources().len(), compared.status()), (5, SyncStatus::OutOfSync));
}
