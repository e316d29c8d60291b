//! What an Application is held against: its project, of Argo CD's own namespace, or nothing at all.

use super::accounts::{declared, has};
use super::*;

fn project(name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "AppProject"), Some("argocd"), name)
}

/// A project that lets everything through but what `more` says.
fn open(name: &str, namespace: &str, annotations: Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {
            "sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    })
}

fn condition<'o>(application: &'o Object, kind: &str) -> Option<&'o str> {
    let found = application.list_at("/status/conditions").iter().find(|it| it["type"] == kind);
    found.and_then(|it| it["message"].as_str())
}

#[test]
fn a_project_that_is_not_there_or_is_deleted_lets_nothing_through() {
    let forge = Forge::shop(AUTOMATED);
    forge.change("apps/shop.yaml", "project: default", "project: team");
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    let is_unknown = |it: &Object| {
        condition(it, "InvalidSpecError") == Some("Application referencing project team which does not exist")
            && it.str_at("/status/sync/status") == Some("Unknown")
    };
    let unknown = server.until(&cluster, &key, is_unknown);
    assert_eq!(condition(&unknown, "ComparisonError"), None, "it is said once");
    forge.sandbox.run(&["app", "get", "shop"]).says("project team which does not exist");
    forge.sandbox.run(&["app", "explain", "shop"]).says("project team which does not exist");
    // Nor does somebody's wish pass.
    server.patch(&cluster, &key, json!({"operation": {"sync": {"revision": "main"}}}));
    let failed = server.until(&cluster, &key, |it| it.str_at("/status/operationState/phase") == Some("Failed"));
    let message = failed.str_at("/status/operationState/message").expect("told");
    assert!(message.contains("project team which does not exist"), "{message}");
    assert!(server.get(&cluster, &web()).is_none(), "nothing was delivered");

    // It comes: what it permits is delivered; a commit whose sync has failed is not tried again by itself.
    let first = forge.change("chart/values.yaml", "replicas: 1", "replicas: 3");
    server.puts(open("team", "argocd", json!({})));
    server.until(&cluster, &key, |it| is_synced(it, &first) && condition(it, "InvalidSpecError").is_none());

    // It goes: what was delivered stays, and nothing more comes.
    server.delete(&cluster, &project("team"));
    server.until(&cluster, &key, is_unknown);
    forge.change("chart/values.yaml", "replicas: 3", "replicas: 2");
    forge.sandbox.run(&["app", "refresh", "shop"]).exits(0);
    server.until(&cluster, &key, |it| it.at("/metadata/annotations/argocd.argoproj.io~1refresh").is_none());
    server.until(&cluster, &key, is_unknown);
    assert_eq!(server.get(&cluster, &web()).and_then(|it| it.i64_at("/spec/replicas")), Some(3));
    server.puts(open("team", "argocd", json!({})));
    server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(2));
}

#[test]
fn a_project_of_another_namespace_bounds_nobody_and_who_lives_there_is_let_in_by_its_project() {
    let forge = Forge::shop("{syncOptions: [CreateNamespace=true]}");
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.puts(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}}));
    let mut narrow = open("narrow", "argocd", json!({}));
    narrow["spec"]["destinations"] = json!([{"server": "*", "namespace": "elsewhere"}]);
    narrow["spec"]["sourceNamespaces"] = json!(["team-*"]);
    server.puts(narrow);
    server.puts(open("closed", "argocd", json!({})));
    // Whoever may write there has made wide ones of the same names.
    for name in ["narrow", "closed", "own", "default"] {
        server.puts(open(name, "team-a", json!({"landfall.dev/protected": "true"})));
    }
    let there = |name: &str| ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "Application"), Some("team-a"), name);
    let refused = |name: &str, kind: &str, why: &str| {
        server.puts(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": format!("web-{name}"), "namespace": "team-a"},
            "spec": {
                "project": name, "source": {"repoURL": SHOP, "targetRevision": "main", "path": "chart"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
                "syncPolicy": {"automated": {}, "syncOptions": ["CreateNamespace=true"]},
            },
        }));
        server.until(&cluster, &there(&format!("web-{name}")), |it| {
            condition(it, kind).is_some_and(|told| told.contains(why))
                && it.str_at("/status/sync/status") == Some("Unknown")
        });
    };
    refused("narrow", "ComparisonError", "do not match any of the allowed destinations in project 'narrow'");
    refused("closed", "ComparisonError", "in namespace 'team-a' is not permitted to use project 'closed'");
    refused("own", "InvalidSpecError", "Application referencing project own which does not exist");
    refused("default", "InvalidSpecError", "Application referencing project default which does not exist");
    // Nor is the project that Argo CD itself makes one for every namespace.
    server.puts(open("default", "argocd", json!({})));
    server.until(&cluster, &there("web-default"), |it| {
        condition(it, "ComparisonError").is_some_and(|told| told.contains("is not permitted to use project 'default'"))
    });
    let deployment = |name: &str| ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), name);
    for name in ["narrow", "closed", "own", "default"] {
        assert!(server.get(&cluster, &deployment(&format!("web-{name}"))).is_none(), "{name} was delivered");
    }
    // It was protected by nobody: what is asked for there is no owner's affair.
    let log = server.audit();
    assert!(!has(&log, "unknown", "application.policy", "refused"), "{log:#?}");
}

#[test]
fn what_belongs_to_a_protected_project_is_taken_out_of_it_by_an_owner_alone() {
    let forge = Forge::shop("{syncOptions: [CreateNamespace=true]}");
    forge.sandbox.edit("apps/shop.yaml", "project: default", "project: prod");
    forge.sandbox.write("apps/project.yaml", &declared("prod", "landfall.dev/protected: \"true\"", ""));
    forge.sandbox.write("apps/anything.yaml", &declared("anything", "", ""));
    let policy = "p, role:owner, applications, *, */*, allow\np, role:else, applications, *, anything/*, allow\np, role:else, applications, get, */*, allow\n";
    forge.sandbox.write("policy.csv", policy);
    forge.sandbox.commit("protected");
    forge.push();
    let server = forge.serve(&["apps", "--policy", "policy.csv"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    server.until(&cluster, &key, |it| it.str_at("/status/sync/status") == Some("OutOfSync"));
    let issued = forge.sandbox.run(&["token", "create", "else", "--role", "role:else", "-o", "name"]).exits(0);
    let bearer = format!("Bearer {}", issued.stdout.trim());
    for other in ["anything", "default"] {
        let policy = json!({"project": other, "syncPolicy": {"automated": {"prune": true, "selfHeal": true}}});
        server.patch(&cluster, &key, json!({"spec": policy}));
        let held = server.until(&cluster, &key, |it| {
            condition(it, "SideDoorWarning").is_some_and(|why| why.contains(&format!("and names {other}")))
        });
        assert!(condition(&held, "SideDoorWarning").is_some_and(|why| why.contains("it belongs to project prod")));
        server.patch(&cluster, &key, json!({"operation": {"sync": {"revision": "main"}}}));
        server.until(&cluster, &key, |it| it.str_at("/status/operationState/phase") == Some("Error"));
    }
    // Without a way to sync by itself, too.
    server.patch(&cluster, &key, json!({"spec": {"project": "anything", "syncPolicy": {"automated": null}}}));
    server
        .until(&cluster, &key, |it| condition(it, "SideDoorWarning").is_some_and(|why| why.contains("names anything")));
    // Who may do everything in the project that it names is no owner of the one that it belongs to.
    for path in ["sync", "policy"] {
        let path = format!("/api/v1/applications/argocd/shop/{path}");
        let told = server.tell("POST", &path, &[("Authorization", &bearer)], &json!({}));
        assert_eq!(told.status, 403, "{path}");
    }
    assert!(server.get(&cluster, &web()).is_none(), "nothing was delivered");
    let log = server.audit();
    assert!(has(&log, "unknown", "application.policy", "refused, announced"), "{log:#?}");
    assert!(has(&log, "unknown", "application.operation", "refused, announced"), "{log:#?}");

    // After a restart it belongs there as before, and an owner lets it leave.
    let (code, ..) = server.terminate();
    assert_eq!(code, Some(0));
    let server = forge.serve(&["--policy", "policy.csv"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &key, |it| condition(it, "SideDoorWarning").is_some());
    forge.sandbox.run(&["app", "policy", "shop", "--automated"]).exits(0);
    server.until(&cluster, &web(), |it| it.str_at("/metadata/name") == Some("shop"));
    server.until(&cluster, &key, |it| condition(it, "SideDoorWarning").is_none());
}
