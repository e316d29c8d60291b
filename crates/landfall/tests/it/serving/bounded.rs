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

/// The Application becomes one of a protected project.
fn protected(forge: &Forge) {
    forge.sandbox.edit("apps/shop.yaml", "project: default", "project: prod");
    forge.sandbox.write("apps/project.yaml", &declared("prod", "landfall.dev/protected: \"true\"", ""));
}

/// What is committed, served until an Application is in sync with it.
fn synced(forge: &Forge, name: &str) -> (Server, Cluster, ObjectKey, String) {
    forge.sandbox.commit("protected");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application(name));
    server.until(&cluster, &key, |it| is_synced(it, &revision));
    (server, cluster, key, revision)
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
    protected(&forge);
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

#[test]
fn an_application_of_a_protected_project_goes_as_an_owner_says_and_by_nobodys_delete() {
    let forge = Forge::shop(AUTOMATED);
    protected(&forge);
    let (server, cluster, key, _) = synced(&forge, "shop");
    // Who may write Applications says that what they delivered goes along, and deletes one; another project's name is no way past it.
    let along = json!({"finalizers": ["resources-finalizer.argocd.argoproj.io"]});
    server.patch(&cluster, &key, json!({"metadata": along, "spec": {"project": "default"}}));
    server.delete(&cluster, &key);
    let is_held =
        |it: &Object| condition(it, "DeletionError").is_some_and(|why| why.contains("nobody asked for its deletion"));
    server.until(&cluster, &key, is_held);
    let log = server.audit();
    assert!(has(&log, "unknown", "application.delete", "refused, announced"), "{log:#?}");
    // A restart forgets nothing of it.
    let (code, ..) = server.terminate();
    assert_eq!(code, Some(0));
    let server = forge.serve(&[], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &key, is_held);
    assert!(server.get(&cluster, &web()).is_some(), "production was taken along");
    // Its owner lets it go, with what it delivered.
    forge.sandbox.run(&["app", "delete", "shop", "--yes"]).exits(0).says("is gone");
    server.until_gone(&cluster, &key);
    assert!(server.get(&cluster, &web()).is_none(), "it stays");
}

#[test]
fn a_child_of_a_protected_project_goes_as_its_parent_names_it_no_longer() {
    let forge = Forge::shop(AUTOMATED);
    let child = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: child, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}}\nspec:\n  project: prod\n  source: {{repoURL: \"{SHOP}\", targetRevision: main, path: chart}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: shop}}\n  syncPolicy: {AUTOMATED}\n"
    );
    forge.sandbox.write("root/child.yaml", &child);
    forge.sandbox.write("root/more.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n");
    forge.sandbox.edit("apps/shop.yaml", "path: chart", "path: root");
    protected(&forge);
    let (server, cluster, key, _) = synced(&forge, "child");
    let approved = json!({"metadata": {"annotations": {"landfall.dev/approve-deletion": "any"}}});
    server.patch(&cluster, &application("shop"), approved);
    std::fs::remove_file(forge.sandbox.root().join("root/child.yaml")).expect("removed");
    forge.sandbox.commit("without it");
    forge.push();
    forge.sandbox.run(&["app", "refresh", "shop"]).exits(0);
    server.until_gone(&cluster, &key);
    assert!(server.get(&cluster, &web()).is_none(), "it stays");
    let log = server.audit();
    assert!(!has(&log, "unknown", "application.delete", "refused, announced"), "{log:#?}");
}

/// A new Application of another project that rendered what production had, synced by itself, replaced production.
#[test]
fn what_a_protected_project_has_delivered_is_changed_by_no_application_of_another_one() {
    let forge = Forge::shop(AUTOMATED);
    protected(&forge);
    let (server, cluster, key, revision) = synced(&forge, "shop");
    let other = |name: &str, parameters: Value| {
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": name, "namespace": "argocd", "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
            "spec": {
                "project": "default",
                "source": {
                    "repoURL": SHOP, "targetRevision": "main", "path": "chart",
                    "helm": {"releaseName": "shop", "parameters": parameters},
                },
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
                "syncPolicy": {"automated": {"prune": true, "selfHeal": true}, "retry": {"limit": 0}},
            },
        })
    };
    let is_productions = || {
        let live = server.get(&cluster, &web()).expect("there");
        assert_eq!(live.i64_at("/spec/replicas"), Some(1));
        assert!(
            live.annotation("argocd.argoproj.io/tracking-id").is_some_and(|id| id.starts_with("shop:")),
            "{live:?}"
        );
    };
    server.puts(other("evil", json!([{"name": "replicas", "value": "3"}])));
    let held = server.until(&cluster, &application("evil"), |it| {
        condition(it, "SyncError").is_some_and(|why| why.contains("whose project prod is protected"))
    });
    assert_eq!(held.str_at("/status/sync/status"), Some("OutOfSync"), "it is compared as ever");
    is_productions();
    forge.sandbox.run(&["app", "sync", "evil", "--yes"]).exits(1).says("whose project prod is protected");
    is_productions();
    let log = server.audit();
    assert!(has(&log, "argocd/evil", "application.sync", "refused, announced"), "{log:#?}");
    // It goes, and leaves what is not its own; one that says the same as production is in nobody's way.
    server.delete(&cluster, &application("evil"));
    server.until_gone(&cluster, &application("evil"));
    is_productions();
    server.puts(other("twin", json!([])));
    server.until(&cluster, &application("twin"), |it| is_synced(it, &revision));
    is_productions();

    // Production's Application is made anew in another project, after a restart, too: what it has delivered is production's still.
    let (code, ..) = server.terminate();
    assert_eq!(code, Some(0));
    let server = forge.serve(&[], SHOP, &[]);
    let cluster = server.cluster();
    server.patch(&cluster, &key, json!({"metadata": {"finalizers": null}}));
    server.delete(&cluster, &key);
    server.until_gone(&cluster, &key);
    server.puts(other("shop", json!([{"name": "replicas", "value": "3"}])));
    server.until(&cluster, &key, |it| condition(it, "SyncError").is_some_and(|why| why.contains("project prod")));
    assert_eq!(server.get(&cluster, &web()).and_then(|it| it.i64_at("/spec/replicas")), Some(1));
    server.delete(&cluster, &key);
    server.until(&cluster, &key, |it| condition(it, "DeletionError").is_some_and(|why| why.contains("project prod")));
    assert!(server.get(&cluster, &web()).is_some(), "it was taken along");
    let log = server.audit();
    assert!(has(&log, "argocd/shop", "application.sync", "refused, announced"), "{log:#?}");
}

/// A shop of plain manifests: one file with two ConfigMaps.
fn plain() -> Forge {
    let forge = Forge::shop(AUTOMATED);
    forge.sandbox.edit("apps/shop.yaml", "path: chart", "path: plain");
    forge.sandbox.edit("apps/shop.yaml", "project: default", "project: team");
    forge.sandbox.edit(
        "apps/shop.yaml",
        "name: shop,",
        "name: shop, finalizers: [resources-finalizer.argocd.argoproj.io],",
    );
    let config = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: b}}\n");
    forge.sandbox.write("plain/all.yaml", &format!("{}---\n{}", config("first"), config("second")));
    forge
        .sandbox
        .write("plain/secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {a: b}\n");
    forge.sandbox.commit("plain");
    forge.push();
    forge
}

fn of_shop(kind: &str, name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("", "v1", kind), Some("shop"), name)
}

#[test]
fn a_document_whose_kind_cannot_be_read_deletes_nothing() {
    let forge = plain();
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    server.puts(open("team", "argocd", json!({})));
    server.until(&cluster, &key, |it| is_synced(it, &revision));
    forge.change(
        "plain/all.yaml",
        "kind: ConfigMap\nmetadata: {name: second}",
        "knd: ConfigMap\nmetadata: {name: second}",
    );
    let told = server.until(&cluster, &key, |it| condition(it, "ComparisonError").is_some());
    let why = condition(&told, "ComparisonError").expect("told");
    assert!(why.contains("Failed to unmarshal \"plain/all.yaml\": Object 'Kind' is missing"), "{why}");
    assert!(server.get(&cluster, &of_shop("ConfigMap", "second")).is_some(), "it was pruned");
    let mended = forge.change("plain/all.yaml", "knd:", "kind:");
    server.until(&cluster, &key, |it| is_synced(it, &mended) && condition(it, "ComparisonError").is_none());
}

#[test]
fn a_project_that_was_narrowed_is_noticed_at_once_and_what_is_outside_of_it_stays() {
    let forge = plain();
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    server.puts(open("team", "argocd", json!({})));
    server.until(&cluster, &key, |it| is_synced(it, &revision));
    let since = Instant::now();
    let narrow = json!({"spec": {"namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}]}});
    server.patch(&cluster, &project("team"), narrow);
    server.until(&cluster, &key, |it| {
        condition(it, "ComparisonError")
            .is_some_and(|why| why.contains("Resource :Secret is not permitted in project team"))
    });
    assert!(since.elapsed() < Duration::from_secs(60), "it was looked at in its turn");

    // No longer wanted it stays, and so it does when the Application goes.
    forge.sandbox.git(&["rm", "-q", "plain/secret.yaml"]);
    forge.sandbox.commit("without the secret");
    let without = forge.push();
    let synced =
        server.until(&cluster, &key, |it| is_synced(it, &without) && condition(it, "OutsideProjectWarning").is_some());
    let why = condition(&synced, "OutsideProjectWarning").expect("told");
    assert!(why.contains("Secret shop/keys is outside the bounds of project team"), "{why}");
    assert!(server.get(&cluster, &of_shop("Secret", "keys")).is_some());
    server.delete(&cluster, &key);
    server.until_gone(&cluster, &key);
    server.until_gone(&cluster, &of_shop("ConfigMap", "first"));
    assert!(server.get(&cluster, &of_shop("Secret", "keys")).is_some(), "it was taken along");
    let log = server.audit();
    assert!(log.iter().any(|it| it.to_string().contains("is outside the bounds of project team")), "{log:#?}");
}

#[test]
fn argo_cds_settings_that_have_no_effect_are_told_and_bounds_of_another_project_let_nothing_through() {
    let forge = plain();
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    let mut team = open("team", "argocd", json!({}));
    team["metadata"]["labels"] = json!({"team": "a"});
    server.puts(team);
    server.until(&cluster, &key, |it| is_synced(it, &revision) && condition(it, "NotActedOnWarning").is_none());
    let bounds = "- labelSelector: {matchLabels: {team: a}}\n  projectName: bounds\n";
    let settings = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("argocd"), "argocd-cm");
    server.puts(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": {"kustomize.buildOptions": "--enable-helm", "resource.compareoptions": "a: b", "globalProjects": bounds}}),
    );
    let told = server.until(&cluster, &key, |it| condition(it, "InvalidSpecError").is_some());
    let why = condition(&told, "InvalidSpecError").expect("told");
    assert!(why.contains("project team has bounds of project bounds, too (globalProjects of argocd-cm)"), "{why}");
    let vain = "kustomize.buildOptions, resource.compareoptions of argocd-cm is not acted on";
    server.until(&cluster, &key, |it| condition(it, "NotActedOnWarning") == Some(vain));
    server.patch(&cluster, &key, json!({"operation": {"sync": {"revision": "main"}}}));
    server.until(&cluster, &key, |it| {
        let message = it.str_at("/status/operationState/message").unwrap_or_default();
        message.contains("globalProjects") && it.str_at("/status/operationState/phase") == Some("Failed")
    });
    server.delete(&cluster, &settings);
    server.until(&cluster, &key, |it| {
        condition(it, "InvalidSpecError").is_none()
            && condition(it, "NotActedOnWarning").is_none()
            && it.str_at("/status/sync/status") == Some("Synced")
    });
}

#[test]
fn kinds_that_argo_cd_is_told_to_exclude_are_neither_delivered_nor_deleted() {
    let forge = plain();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    let settings = |kinds: &str| {
        let text = format!("### As Argo CD is installed\n- apiGroups: ['', discovery.k8s.io]\n  kinds: [{kinds}]\n");
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"},
            "data": {"resource.exclusions": text}})
    };
    server.puts(settings("Endpoints, EndpointSlice"));
    server.puts(open("team", "argocd", json!({})));
    let revision = forge.push();
    // Who delivers nothing of them is told nothing.
    let synced = server.until(&cluster, &key, |it| is_synced(it, &revision));
    for kind in ["NotActedOnWarning", "ExcludedResourceWarning"] {
        assert_eq!(condition(&synced, kind), None);
    }
    let of_secrets = settings("Secret");
    let file = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("argocd"), "argocd-cm");
    server.patch(&cluster, &file, json!({"data": of_secrets["data"]}));
    let lists = |it: &Object| it.list_at("/status/resources").iter().any(|it| it["kind"] == "Secret");
    server.until(&cluster, &key, |it| {
        condition(it, "ExcludedResourceWarning") == Some("Resource /Secret keys is excluded in the settings")
            && it.str_at("/status/sync/status") == Some("Synced")
            && !lists(it)
    });
    assert!(server.get(&cluster, &of_shop("Secret", "keys")).is_some(), "it was pruned");
    server.delete(&cluster, &of_shop("Secret", "keys"));
    server.patch(&cluster, &key, json!({"operation": {"sync": {"revision": "main"}}}));
    server.until(&cluster, &key, |it| {
        it.at("/operation").is_none() && it.str_at("/status/operationState/phase") == Some("Succeeded")
    });
    assert!(server.get(&cluster, &of_shop("Secret", "keys")).is_none(), "it was delivered");
    // What is no longer excluded is delivered at once.
    server.delete(&cluster, &file);
    server.until(&cluster, &of_shop("Secret", "keys"), |_| true);
    server.until(&cluster, &key, |it| condition(it, "ExcludedResourceWarning").is_none() && lists(it));
    // Nor does it go with its Application, and that is told.
    server.puts(of_secrets);
    server.until(&cluster, &key, |it| condition(it, "ExcludedResourceWarning").is_some());
    server.delete(&cluster, &key);
    server.until_gone(&cluster, &key);
    server.until_gone(&cluster, &of_shop("ConfigMap", "first"));
    assert!(server.get(&cluster, &of_shop("Secret", "keys")).is_some(), "it was taken along");
}

#[test]
fn a_status_that_names_what_lies_outside_of_the_project_takes_nothing_along() {
    let forge = plain();
    let server = forge.serve(&[], SHOP, &[]);
    let cluster = server.cluster();
    for name in ["argocd", "team-a", "elsewhere", "shop"] {
        server.puts(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    }
    let mut team = open("team", "argocd", json!({}));
    team["spec"]["destinations"] = json!([{"server": "*", "namespace": "shop"}]);
    team["spec"]["sourceNamespaces"] = json!(["team-a"]);
    server.puts(team);
    let of = |namespace: &str, name: &str| ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(namespace), name);
    // Whoever writes its status writes what it has delivered; the mark on the objects is another's slip.
    let forged = |name: &str, path: &str| {
        for namespace in ["elsewhere", "shop"] {
            let mark = format!("team-a_{name}:/ConfigMap:{namespace}/of-{name}");
            server.puts(json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": format!("of-{name}"), "namespace": namespace,
                    "annotations": {"argocd.argoproj.io/tracking-id": mark}},
            }));
        }
        let named = |namespace: &str| json!({"version": "v1", "kind": "ConfigMap", "namespace": namespace, "name": format!("of-{name}"), "status": "Synced"});
        server.puts(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": name, "namespace": "team-a", "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
            "spec": {
                "project": "team", "source": {"repoURL": SHOP, "targetRevision": "main", "path": path},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
                "syncPolicy": {"automated": {"prune": true}},
            },
            "status": {"resources": [named("elsewhere"), named("shop")]},
        }));
        ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "Application"), Some("team-a"), name)
    };
    let stays = |name: &str| {
        server.until_gone(&cluster, &of("shop", name));
        assert!(server.get(&cluster, &of("elsewhere", name)).is_some(), "{name} was taken along");
    };
    // By pruning, and with the Application; what lies within the project shows that the status was believed.
    let pruned = forged("pruned", "plain");
    server.until(&cluster, &pruned, |it| {
        condition(it, "OutsideProjectWarning").is_some_and(|why| why.contains("ConfigMap elsewhere/of-pruned"))
    });
    stays("of-pruned");
    server.delete(&cluster, &pruned);
    server.until_gone(&cluster, &pruned);
    stays("of-pruned");
    let deleted = forged("deleted", "nowhere");
    server.until(&cluster, &deleted, |it| condition(it, "ComparisonError").is_some());
    server.delete(&cluster, &deleted);
    server.until_gone(&cluster, &deleted);
    stays("of-deleted");
}

#[test]
fn who_may_sync_and_not_look_learns_nothing_of_what_there_is() {
    let forge = plain();
    let policy = "p, role:blind, applications, sync, */*, allow\n";
    forge.sandbox.write("policy.csv", policy);
    let server = forge.serve(&["apps", "--policy", "policy.csv"], SHOP, &[]);
    let issued = forge.sandbox.run(&["token", "create", "blind", "--role", "role:blind", "-o", "name"]).exits(0);
    let bearer = format!("Bearer {}", issued.stdout.trim());
    for verb in ["sync", "terminate"] {
        for name in ["shop", "none"] {
            let path = format!("/api/v1/applications/argocd/{name}/{verb}");
            let told = server.tell("POST", &path, &[("Authorization", &bearer)], &json!({}));
            assert_eq!(told.status, 404, "{path}");
        }
    }
}
