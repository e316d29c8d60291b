//! Operations of which the status says that they are under way, and nobody works on.

use std::path::PathBuf;

use landfall_cluster::WriteOptions;
use landfall_object::Object;
use serde_json::json;

use super::{AUTOMATED, Forge, SHOP, application, is_synced, killed_at, points, refused};

const PHASE: &str = "/status/operationState/phase";
const MESSAGE: &str = "/status/operationState/message";

/// A server that was killed when all was written but that its sync has ended; the revision.
fn killed() -> (Forge, String) {
    let before = |point: &String| point.contains("before record ended");
    killed_at(points().iter().position(before).expect("reached") + 1)
}

/// Takes away what the server has kept of its work.
fn rob(forge: &Forge) {
    let state = forge.sandbox.root().join(".landfall");
    let of_store = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("store.db"));
    let lost: Vec<PathBuf> =
        std::fs::read_dir(state).expect("listed").map(|entry| entry.expect("read").path()).filter(of_store).collect();
    assert!(!lost.is_empty());
    lost.iter().for_each(|path| std::fs::remove_file(path).expect("removed"));
}

fn has_ended(application: &Object) -> bool {
    !matches!(application.str_at(PHASE), Some("Running" | "Terminating"))
}

#[test]
fn a_sync_whose_journal_is_lost_is_carried_out_anew_although_nothing_differs_any_more() {
    let (forge, revision) = killed();
    rob(&forge);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let ended = server.until(&server.cluster(), &application("shop"), |it| is_synced(it, &revision) && has_ended(it));
    assert_eq!(ended.str_at(PHASE), Some("Succeeded"), "{:#}", ended.value());
    assert_eq!(ended.list_at("/status/history").len(), 1);
}

#[test]
fn one_that_was_to_be_terminated_is_not_gone_on_with_whether_its_journal_is_there_or_lost() {
    for is_lost in [false, true] {
        let (forge, revision) = killed();
        if is_lost {
            rob(&forge);
        }
        let asked = json!({"status": {"operationState": {"phase": "Terminating"}}});
        let state = forge.sandbox.root().join(".landfall");
        super::super::inspection::patch(&state, &application("shop"), asked);
        let server = forge.serve(&["apps"], SHOP, &[]);
        let is_over = |it: &Object| is_synced(it, &revision) && has_ended(it);
        let ended = server.until(&server.cluster(), &application("shop"), is_over);
        assert_eq!((ended.str_at(PHASE), ended.str_at(MESSAGE)), (Some("Failed"), Some("Operation terminated")));
        assert!(ended.list_at("/status/history").is_empty(), "{:#}", ended.value());
        drop(server);
        let left = super::super::inspection::end_state(&state, "shop");
        assert!(!left.iter().any(|line| line.starts_with("still open")), "{left:?}");
    }
}

#[test]
fn what_waits_for_its_next_try_says_that_a_new_commit_has_made_it_needless() {
    let (forge, server, _) = refused();
    // What is wanted is what is there: no other operation follows.
    let back = forge.change("chart/templates/all.yaml", "matchLabels: {other:", "matchLabels: {app:");
    let ended = server.until(&server.cluster(), &application("shop"), |it| is_synced(it, &back) && has_ended(it));
    let message = ended.str_at(MESSAGE).unwrap_or_default();
    assert_eq!((ended.str_at(PHASE), message), (Some("Failed"), format!("superseded by {back}").as_str()));
}

#[test]
fn what_waits_for_its_next_try_is_over_when_that_finds_nothing_left_to_do() {
    let forge = Forge::shop(AUTOMATED);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/sync/status") == Some("Synced"));
    let late = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late, namespace: elsewhere}\ndata: {a: b}\n";
    forge.sandbox.write("chart/templates/late.yaml", late);
    forge.sandbox.commit("into a namespace that is not there");
    let revision = forge.push();
    server.until(&cluster, &application("shop"), |it| it.i64_at("/status/operationState/retryCount") == Some(1));
    // Somebody makes by hand what the next try would.
    let tracked = json!({"argocd.argoproj.io/tracking-id": "shop:/ConfigMap:elsewhere/late"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}});
    let by_hand = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"},
        "metadata": {"name": "late", "namespace": "elsewhere", "annotations": tracked},
    });
    for object in [namespace, by_hand] {
        let object = Object::from_value(object).expect("a map");
        server.runtime.block_on(cluster.create(&object, &WriteOptions::default())).expect("created");
    }
    let ended = server.until(&cluster, &application("shop"), |it| is_synced(it, &revision) && has_ended(it));
    assert_eq!(ended.str_at(PHASE), Some("Succeeded"), "{:#}", ended.value());
    assert_eq!(ended.list_at("/status/history").len(), 1, "nothing was delivered: {:#}", ended.value());
}
