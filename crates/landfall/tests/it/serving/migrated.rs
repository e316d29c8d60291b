//! A server stands back while Argo CD's controller lives, takes over when it rests, and gives back.

use std::time::{Duration, Instant};

use landfall_cluster::{Cluster, ListOptions};
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::json;

use super::{AUTOMATED, Forge, SHOP, Server, application, web};

fn controller() -> Object {
    let labels = json!({"app.kubernetes.io/name": "argocd-application-controller"});
    Object::from_value(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "argocd-application-controller", "namespace": "argocd", "labels": labels},
        "spec": {
            "replicas": 1, "serviceName": "argocd", "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "controller", "image": "example/argocd:v3"}]},
            },
        },
    }))
    .expect("a map")
}

#[track_caller]
fn until_stands_back(server: &Server, stands_back: bool) {
    let (name, token) = server.own_token();
    let wanted = format!("\nlandfall_stands_back {}\n", u8::from(stands_back));
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (_, metrics) = server.ask("GET", "/metrics", &[(name, &token)], "");
        if metrics.contains(&wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "it never came to {wanted:?}: {metrics}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What tells whether anybody has touched what runs: the Deployment's and its pods' identity, and its generation.
fn untouched(server: &Server, cluster: &Cluster) -> Vec<(String, Option<i64>)> {
    let deployment = server.get(cluster, &web()).expect("there");
    let options = ListOptions { namespace: Some("shop".to_owned()), ..ListOptions::default() };
    let pods = server.runtime.block_on(cluster.list(&Gvk::new("", "v1", "Pod"), &options)).expect("listed");
    let of = |object: &Object| (object.uid().unwrap_or_default().to_owned(), object.i64_at("/metadata/generation"));
    std::iter::once(&deployment).chain(&pods).map(of).collect()
}

#[test]
fn argo_cds_applications_are_taken_over_without_touching_what_runs_and_given_back() {
    let forge = Forge::shop(AUTOMATED);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let key = application("shop");
    server.until(&cluster, &key, |it| it.str_at("/status/health/status") == Some("Healthy"));
    forge.sandbox.run(&["migrate", "argocd", "--yes"]).exits(2).says("no controller of Argo CD");
    let options = landfall_cluster::WriteOptions::default();
    server.runtime.block_on(cluster.create(&controller(), &options)).expect("created");
    until_stands_back(&server, true);
    // The other one keeps them: nothing of this is done from here.
    server.patch(&cluster, &web(), json!({"spec": {"replicas": 3}}));
    let refused = forge.sandbox.run(&["migrate", "argocd", "--yes"]).exits(5);
    assert!(refused.stderr.contains("argocd/shop: change Deployment/"), "{}", refused.all());
    let looked = forge.sandbox.run(&["migrate", "argocd", "--dry-run", "-o", "json"]).exits(0).json();
    assert_eq!(looked["data"]["controllers"][0]["replicas"], 1, "{looked:#}");
    assert_eq!(server.get(&cluster, &web()).expect("there").i64_at("/spec/replicas"), Some(3));
    server.patch(&cluster, &web(), json!({"spec": {"replicas": 1}}));
    server.until(&cluster, &web(), |it| it.i64_at("/status/replicas") == Some(1));
    let before = untouched(&server, &cluster);
    forge.sandbox.run(&["migrate", "argocd", "--yes"]).exits(0).says("rests; it had 1 replicas");
    until_stands_back(&server, false);
    // It is looked at from here: the wish for that goes.
    let refresh = json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}});
    server.patch(&cluster, &key, refresh);
    server.until(&cluster, &key, |it| {
        it.annotation("argocd.argoproj.io/refresh").is_none() && it.str_at("/status/sync/status") == Some("Synced")
    });
    assert_eq!(untouched(&server, &cluster), before);
    server.patch(&cluster, &web(), json!({"spec": {"replicas": 2}}));
    server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(1));
    server.until(&cluster, &key, |it| it.str_at("/status/sync/status") == Some("Synced"));
    let before = untouched(&server, &cluster);
    forge.sandbox.run(&["migrate", "argocd", "--back", "--yes"]).exits(0).says("runs again with 1 replicas");
    until_stands_back(&server, true);
    assert_eq!(untouched(&server, &cluster), before);
    forge.sandbox.run(&["migrate", "argocd", "--back", "--yes"]).exits(2).says("was laid to rest");
}

#[test]
fn lp_119_a_claim_that_is_there_neither_shrinks_nor_is_waited_for() {
    let forge = Forge::shop(AUTOMATED);
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}}\n";
    forge.sandbox.write("chart/templates/claim.yaml", claim);
    forge.sandbox.commit("a claim");
    let first = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let key = application("shop");
    server.until(&cluster, &key, |it| super::is_synced(it, &first));
    let data = ObjectKey::new(Gvk::new("", "v1", "PersistentVolumeClaim"), Some("shop"), "data");
    for (from, to, why) in [("5Gi", "3Gi", "no claim can shrink"), ("3Gi", "9Gi", "9Gi is wanted")] {
        let revision = forge.change("chart/templates/claim.yaml", from, to);
        let told = server.until(&cluster, &key, |it| {
            let conditions = it.list_at("/status/conditions");
            super::is_synced(it, &revision) && conditions.iter().any(|it| it["type"] == "ClaimSizeWarning")
        });
        let condition = told.list_at("/status/conditions").iter().find(|it| it["type"] == "ClaimSizeWarning");
        assert!(
            condition.is_some_and(|it| it["message"].as_str().is_some_and(|it| it.contains(why))),
            "{condition:#?}"
        );
        assert_ne!(told.str_at("/status/operationState/phase"), Some("Failed"));
        let claim = server.get(&cluster, &data).expect("there");
        assert_eq!(claim.str_at("/spec/resources/requests/storage"), Some("5Gi"));
    }
}
