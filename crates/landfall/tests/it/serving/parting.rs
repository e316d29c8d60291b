//! What others change of an Application's finalizers while the hooks of its deletion run.

use super::*;

/// A hook that runs until somebody lets it, and whose object stays behind.
const FAREWELL: &str = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: farewell, annotations: {argocd.argoproj.io/hook: PreDelete, argocd.argoproj.io/hook-delete-policy: BeforeHookCreation}}\nspec: {suspend: true, backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: run, image: \"shop/farewell:1\"}]}}}\n";

#[test]
fn what_somebody_takes_off_while_hooks_of_a_deletion_run_stays_off_and_the_hooks_run_once() {
    let forge = Forge::shop(AUTOMATED);
    let held = "name: shop, finalizers: [resources-finalizer.argocd.argoproj.io, example.com/hold],";
    forge.sandbox.edit("apps/shop.yaml", "name: shop,", held);
    forge.sandbox.write("chart/templates/farewell.yaml", FAREWELL);
    forge.sandbox.commit("a hook");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    let waits = |it: &Object| it.finalizers().any(|it| it == "pre-delete-finalizer.argocd.argoproj.io");
    server.until(&cluster, &key, |it| {
        is_synced(it, &revision) && waits(it) && it.str_at("/status/operationState/phase") == Some("Succeeded")
    });
    server.delete(&cluster, &key);
    let job = ObjectKey::new(Gvk::new("batch", "v1", "Job"), Some("shop"), "farewell");
    let first = server.until(&cluster, &job, |_| true);
    // Nobody holds it any more, and its objects are to stay.
    server.patch(&cluster, &key, json!({"metadata": {"finalizers": ["pre-delete-finalizer.argocd.argoproj.io"]}}));
    server.patch(&cluster, &job, json!({"spec": {"suspend": false}}));
    server.until_gone(&cluster, &key);
    let left = server.get(&cluster, &job).expect("it stays behind");
    assert_eq!(left.uid(), first.uid(), "it ran once");
    assert!(server.get(&cluster, &web()).is_some_and(|it| it.deletion_timestamp().is_none()), "its objects stay");
}
