//! What an Application tells of itself while a sync waits.

use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::Value;

use super::{AUTOMATED, Forge, SHOP, application};

/// A hook that runs until somebody lets it.
const PREPARE: &str = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: prepare, annotations: {helm.sh/hook: \"pre-install,pre-upgrade\"}}\nspec: {suspend: true, backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: run, image: \"shop/prepare:1\"}]}}}\n";

fn text<'o>(object: &'o Object, field: &str) -> &'o str {
    object.str_at(&format!("/status/{field}")).unwrap_or_default()
}

fn waits(application: &Object) -> bool {
    text(application, "operationState/message") == "waiting for completion of hook batch/Job/prepare"
}

fn hook(application: &Object) -> Value {
    application.at("/status/operationState/syncResult/resources/0").cloned().unwrap_or_default()
}

#[test]
fn while_a_hook_runs_it_stands_as_it_does_and_not_as_before_and_who_ends_the_sync_ends_the_hook() {
    let forge = Forge::shop(AUTOMATED);
    forge.sandbox.write("chart/templates/prepare.yaml", PREPARE);
    forge.sandbox.commit("a hook");
    let first = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let key = application("shop");
    let stands = |it: &Object| (text(it, "sync/status").to_owned(), text(it, "sync/revision").to_owned());
    let first_waits = |it: &Object| waits(it) && stands(it) == ("OutOfSync".to_owned(), first.clone());
    let began = server.until(&cluster, &key, first_waits);
    assert_eq!(text(&began, "health/status"), "Missing", "nothing of it is there yet: {:#}", began.value());
    assert_eq!((&hook(&began)["hookType"], &hook(&began)["hookPhase"]), (&"PreSync".into(), &"Running".into()));
    forge.sandbox.run(&["app", "terminate", "shop", "--yes"]).exits(0);
    let ended = server.until(&cluster, &key, |it| text(it, "operationState/phase") == "Failed");
    assert_eq!(text(&ended, "operationState/message"), "Operation terminated");
    assert_eq!((&hook(&ended)["hookPhase"], &hook(&ended)["message"]), (&"Failed".into(), &"Terminated".into()));
    let job = ObjectKey::new(Gvk::new("batch", "v1", "Job"), Some("shop"), "prepare");
    assert_eq!(server.get(&cluster, &job), None, "it was ended, and does not run on");
}

#[test]
fn what_the_cluster_would_refuse_is_told_object_by_object_though_nothing_was_begun() {
    let forge = Forge::shop(AUTOMATED);
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine}\ndata: {a: b}\n";
    forge.sandbox.write("chart/templates/fine.yaml", config);
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: Refused}\nspec: {ports: [{port: 80}]}\n";
    forge.sandbox.write("chart/templates/refused.yaml", service);
    forge.sandbox.write("chart/templates/prepare.yaml", &PREPARE.replace("name: prepare", "name: Not-A-Name"));
    forge.sandbox.commit("two names that are none");
    forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let failed = server.until(&cluster, &application("shop"), |it| {
        it.list_at("/status/operationState/syncResult/resources").iter().any(|entry| entry["status"] == "SyncFailed")
    });
    let entries = failed.list_at("/status/operationState/syncResult/resources");
    let told: Vec<[&str; 5]> = entries
        .iter()
        .map(|entry| ["kind", "name", "syncPhase", "hookPhase", "hookType"].map(|it| entry[it].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(
        told,
        [["Job", "Not-A-Name", "PreSync", "Failed", "PreSync"], ["Service", "Refused", "Sync", "Failed", "-"]],
        "{entries:#?}"
    );
    let message = entries[1]["message"].as_str().unwrap_or_default();
    assert!(message.contains("metadata.name") && message.contains("Refused"), "{message}");
    let config = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("shop"), "fine");
    assert_eq!(server.get(&cluster, &config), None, "nothing was begun");
}
