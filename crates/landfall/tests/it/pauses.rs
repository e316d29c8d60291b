//! `landfall app pause` and `app delete`: who stops an Application says so, and what goes with it is told first.

use serde_json::json;

use super::serving::{AUTOMATED, Forge, SHOP, application, is_synced, web};

#[test]
fn a_paused_application_is_compared_and_does_not_sync_until_it_goes_on() {
    let forge = Forge::shop(AUTOMATED);
    let first = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    forge.sandbox.run(&["app", "pause", "shop", "--reason", "a freeze"]).exits(0).says("does not sync by itself");
    let told = forge.sandbox.run(&["app", "get", "shop", "-o", "json"]).exits(0).json();
    assert_eq!((&told["data"]["pause"]["by"], &told["data"]["pause"]["reason"]), (&json!("local"), &json!("a freeze")));
    let second = forge.change("chart/values.yaml", "replicas: 1", "replicas: 2");
    server.patch(&cluster, &web(), json!({"spec": {"replicas": 7}}));
    server.until(&cluster, &application("shop"), |it| {
        it.str_at("/status/sync/status") == Some("OutOfSync")
            && it.str_at("/status/sync/revision") == Some(second.as_str())
    });
    forge.sandbox.run(&["app", "refresh", "shop"]).exits(0);
    assert_eq!(server.get(&cluster, &web()).and_then(|it| it.i64_at("/spec/replicas")), Some(7), "nobody heals it");
    // Who asks for a sync gets one.
    forge.sandbox.run(&["app", "get", "shop"]).exits(0).says("paused by local").says("a freeze");
    forge.sandbox.run(&["app", "pause", "shop", "--release"]).exits(0).says("goes on");
    server.until(&cluster, &application("shop"), |it| is_synced(it, &second));
    server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(2));
}

#[test]
fn lp_121_what_goes_with_an_application_is_told_first_and_goes_or_stays_as_was_asked() {
    let forge = Forge::shop(AUTOMATED);
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: uploads}\nspec:\n  accessModes: [ReadWriteOnce]\n  resources: {requests: {storage: 1Gi}}\n";
    forge.sandbox.write("chart/templates/claim.yaml", claim);
    forge.sandbox.commit("with a claim");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let looked = forge.sandbox.run(&["app", "delete", "shop", "--dry-run"]).exits(0);
    let first = looked.stdout.lines().nth(1).unwrap_or_default().to_owned();
    assert!(first.contains("PersistentVolumeClaim/uploads goes   may hold data"), "{}", looked.all());
    forge.sandbox.run(&["app", "delete", "shop"]).exits(2).says("needs a yes").says("--dry-run");
    forge.sandbox.run(&["app", "delete", "shop", "--objects", "gone"]).exits(2);
    assert!(server.get(&cluster, &application("shop")).is_some());
    // The Application alone, whatever finalizers it had.
    let wish = json!({"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}});
    server.patch(&cluster, &application("shop"), wish);
    forge.sandbox.run(&["app", "delete", "shop", "--objects", "stay", "--yes"]).exits(0).says("is gone").says("stays");
    assert!(server.get(&cluster, &application("shop")).is_none() && server.get(&cluster, &web()).is_some());
}

#[test]
fn an_application_without_a_finalizer_takes_along_what_it_delivered_where_that_is_asked() {
    let forge = Forge::shop(AUTOMATED);
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let gone = forge.sandbox.run(&["app", "delete", "shop", "--yes", "-o", "json"]).exits(0).json();
    assert_eq!((&gone["data"]["deleted"], &gone["data"]["objects"]), (&json!("gone"), &json!("foreground")));
    assert!(server.get(&cluster, &application("shop")).is_none() && server.get(&cluster, &web()).is_none());
    forge.sandbox.run(&["app", "delete", "shop", "--yes"]).exits(2).says("there is no Application shop");
}
