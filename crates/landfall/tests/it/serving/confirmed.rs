//! What goes only once somebody has confirmed it, and what is delivered although it is written twice.

use super::*;

const MARKED: &str = "{argocd.argoproj.io/sync-options: \"Prune=confirm,Delete=confirm\"}";

fn config(name: &str, annotations: &str, text: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {annotations}}}\ndata: {{text: {text}}}\n"
    )
}

fn there(name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("shop"), name)
}

fn condition<'o>(application: &'o Object, kind: &str) -> Option<&'o str> {
    let found = application.list_at("/status/conditions").iter().find(|it| it["type"] == kind);
    found.and_then(|it| it["message"].as_str())
}

/// Confirms it as a person does, later than everything so far.
fn confirm(server: &Server, cluster: &Cluster) {
    std::thread::sleep(Duration::from_millis(1100));
    let now = jiff::Timestamp::now().to_string();
    let annotations = json!({"argocd.argoproj.io/deletion-approved": now});
    server.patch(cluster, &application("shop"), json!({"metadata": {"annotations": annotations}}));
}

#[test]
fn what_is_marked_confirm_is_pruned_and_deleted_once_somebody_has_confirmed_it() {
    let forge = Forge::shop(AUTOMATED);
    forge.sandbox.edit("apps/shop.yaml", "path: chart", "path: plain");
    forge.sandbox.edit(
        "apps/shop.yaml",
        "name: shop,",
        "name: shop, finalizers: [resources-finalizer.argocd.argoproj.io],",
    );
    for name in ["first", "second"] {
        forge.sandbox.write(&format!("plain/{name}.yaml"), &config(name, MARKED, "a"));
    }
    // Of its pruning alone, which counts for its Application's end, too.
    let pruned = "{argocd.argoproj.io/sync-options: Prune=confirm}";
    forge.sandbox.write("plain/third.yaml", &config("third", pruned, "a"));
    forge.sandbox.write("plain/stays.yaml", &config("stays", "{}", "a"));
    forge.sandbox.commit("marked");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    let synced =
        server.until(&cluster, &key, |it| is_synced(it, &revision) && !it.list_at("/status/resources").is_empty());
    let marked = synced.list_at("/status/resources").iter().filter(|it| it["requiresDeletionConfirmation"] == true);
    let marked: Vec<&str> = marked.filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(marked, ["first", "second", "third"]);

    // No longer named: it is kept, and the Application says what it waits for.
    forge.sandbox.git(&["rm", "-q", "plain/first.yaml"]);
    forge.sandbox.commit("without the first");
    let without = forge.change("plain/stays.yaml", "text: a", "text: b");
    server.until(&cluster, &there("stays"), |it| it.str_at("/data/text") == Some("b"));
    let waits = server.until(&cluster, &key, |it| {
        it.str_at("/status/sync/revision") == Some(without.as_str()) && condition(it, "DeletionHeldWarning").is_some()
    });
    assert_eq!(waits.str_at("/status/sync/status"), Some("OutOfSync"));
    let why = condition(&waits, "DeletionHeldWarning").expect("told");
    assert!(why.contains("ConfigMap shop/first") || why.contains("first"), "{why}");
    assert!(why.contains("argocd.argoproj.io/deletion-approved"), "{why}");
    let entry = waits.list_at("/status/resources").iter().find(|it| it["name"] == "first").cloned();
    assert_eq!(entry.expect("listed")["requiresPruning"], true);
    // A time before the last delivery confirms nothing of it.
    let old = json!({"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": "2020-01-01T00:00:00Z"}}});
    server.patch(&cluster, &key, old);
    forge.sandbox.run(&["app", "sync", "shop", "--prune"]).exits(0);
    server.until(&cluster, &key, |it| {
        it.at("/operation").is_none_or(Value::is_null)
            && it.at("/status/operationState/operation/initiatedBy/automated").is_none()
            && it.str_at("/status/operationState/phase") == Some("Succeeded")
    });
    assert!(server.get(&cluster, &there("first")).is_some(), "nobody has confirmed it");
    confirm(&server, &cluster);
    server.until_gone(&cluster, &there("first"));
    server.until(&cluster, &key, |it| is_synced(it, &without) && condition(it, "DeletionHeldWarning").is_none());

    // With the Application goes nothing that waits, nor the Application itself.
    std::thread::sleep(Duration::from_millis(1100));
    server.delete(&cluster, &key);
    let held = server.until(&cluster, &key, |it| condition(it, "DeletionError").is_some());
    let why = condition(&held, "DeletionError").expect("told");
    assert!(why.contains("waiting for deletion confirmation of") && why.contains("second"), "{why}");
    assert!(why.contains("third") && !why.contains("stays"), "{why}");
    assert!(server.get(&cluster, &there("second")).is_some() && server.get(&cluster, &there("stays")).is_some());
    confirm(&server, &cluster);
    server.until_gone(&cluster, &key);
    assert!(server.get(&cluster, &there("second")).is_none());
}

/// Argo CD's default of an Application, of which an object may say otherwise (docs/user-guide/sync-options.md).
#[test]
fn what_an_application_says_is_not_deleted_outlives_it() {
    let forge = Forge::shop("{automated: {prune: true}, syncOptions: [CreateNamespace=true, Delete=false]}");
    forge.sandbox.edit("apps/shop.yaml", "path: chart", "path: plain");
    forge.sandbox.write("plain/stays.yaml", &config("stays", "{}", "a"));
    let goes = "{argocd.argoproj.io/sync-options: \"Delete=true\"}";
    forge.sandbox.write("plain/goes.yaml", &config("goes", goes, "a"));
    forge.sandbox.commit("for ever");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    let synced = server.until(&cluster, &key, |it| is_synced(it, &revision));
    assert!(condition(&synced, "NotActedOnWarning").is_none(), "{synced:?}");
    forge.sandbox.run(&["app", "delete", "shop", "--yes"]).exits(0).says("what it delivered stays");
    assert!(server.get(&cluster, &there("stays")).is_some());
    assert!(server.get(&cluster, &there("goes")).is_none());
}

#[test]
fn an_object_that_is_written_twice_is_told_of_and_the_last_one_counts() {
    let forge = Forge::shop(AUTOMATED);
    forge.sandbox.edit("apps/shop.yaml", "path: chart", "path: plain");
    forge.sandbox.write("plain/a.yaml", &config("same", "{}", "first"));
    forge.sandbox.write("plain/b.yaml", &config("same", "{}", "last"));
    forge.sandbox.commit("twice");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    let told = server
        .until(&cluster, &key, |it| is_synced(it, &revision) && condition(it, "RepeatedResourceWarning").is_some());
    let why = condition(&told, "RepeatedResourceWarning").expect("told");
    assert!(why.contains("same") && why.contains("appears more than once"), "{why}");
    assert_eq!(server.get(&cluster, &there("same")).as_ref().and_then(|it| it.str_at("/data/text")), Some("last"));
}
