//! A token for a product's CI: test's files are its own, production's are not.

use super::*;

fn declared(name: &str, path: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: \"{SHOP}\", targetRevision: main, path: {path}}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: {name}}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}\n"
    )
}

#[test]
fn se_065_a_token_for_tests_paths_deploys_test_and_changes_nothing_that_reads_productions() {
    let sandbox = Sandbox::empty();
    for environment in ["test", "production"] {
        small_chart(&sandbox, &format!("envs/{environment}"), "web");
        sandbox.write(&format!("apps/{environment}.yaml"), &declared(environment, &format!("envs/{environment}")));
    }
    let forge = Forge::of(sandbox);
    forge.sandbox.git(&["branch", "other"]);
    forge.sandbox.git(&["push", "-q", "origin", "other"]);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    for name in ["test", "production"] {
        server.until(&cluster, &application(name), |it| it.str_at("/status/sync/status") == Some("OutOfSync"));
    }
    let words =
        ["token", "create", "product-ci", "--scope", "read", "--scope", "sync", "--path", "envs/test", "-o", "name"];
    let token = forge.sandbox.run(&words).exits(0).stdout.trim().to_owned();
    let bearer = ("Authorization", format!("Bearer {token}"));
    let asks = |method: &str, path: &str, body: &str| {
        server.ask(method, &format!("/api/v1/{path}"), &[(bearer.0, &bearer.1)], body)
    };
    let changes =
        |name: &str, verb: &str, body: &str| asks("POST", &format!("applications/argocd/{name}/{verb}"), body).0;
    assert_eq!(changes("test", "sync", "{}"), 202);
    server.until(&cluster, &application("test"), |it| it.str_at("/status/sync/status") == Some("Synced"));
    // Production is looked at, and not changed: by no verb, at no revision, from no branch.
    assert_eq!(asks("GET", "applications/argocd/production", "").0, 200);
    let (status, why) = asks("POST", "applications/argocd/production/sync", "{}");
    assert!(status == 403 && why.contains("is bound to paths, and argocd/production reads others"), "{status} {why}");
    for (verb, body) in [
        ("sync", r#"{"revisions": ["other"]}"#),
        ("sync", r#"{"prune": true}"#),
        ("rollback", "{}"),
        ("refresh", "{}"),
        ("terminate", "{}"),
        ("pin", r#"{"revisions": ["main"]}"#),
        ("policy", "{}"),
        ("pause", "{}"),
        ("delete", "{}"),
    ] {
        let status = changes("production", verb, body);
        assert!(status == 403, "{verb} {body}: {status}");
        assert!(server.get(&cluster, &application("production")).expect("there").at("/operation").is_none(), "{verb}");
    }
    for path in ["applications/argocd/test/../production/sync", "applications/argocd/%70roduction/sync"] {
        let (status, said) = asks("POST", path, "{}");
        assert!((400..500).contains(&status), "{path}: {status} {said}");
        assert!(server.get(&cluster, &application("production")).expect("there").at("/operation").is_none(), "{path}");
    }
    assert_eq!(asks("POST", "holds", r#"{"tag": "1.0.0", "reason": "mine"}"#).0, 403);
    // Whatever it is called: what counts is what it reads when it is asked for.
    for (path, expected) in [
        ("envs/test/../production", 403),
        ("./envs/production", 403),
        ("envs/Test", 403),
        ("envs/testing", 403),
        ("./envs//test/", 202),
    ] {
        server.patch(&cluster, &application("test"), json!({"spec": {"source": {"path": path}}}));
        assert_eq!(changes("test", "refresh", "{}"), expected, "{path}");
    }
    let files =
        json!({"spec": {"source": {"path": "envs/test", "helm": {"valueFiles": ["../production/values.yaml"]}}}});
    server.patch(&cluster, &application("test"), files);
    assert_eq!(changes("test", "sync", "{}"), 403);
    server.patch(&cluster, &application("production"), json!({"spec": {"source": {"path": "envs/test"}}}));
    assert_eq!(changes("production", "refresh", "{}"), 202, "it reads test's now");
    forge.sandbox.run(&["token", "list"]).exits(0).says("envs/test");
    for bad in ["../envs", "/envs", "!envs/production", "envs//test"] {
        let words = ["token", "create", "ci", "--path", bad];
        forge.sandbox.run(&words).exits(2).says("does not bound a token");
    }
}
