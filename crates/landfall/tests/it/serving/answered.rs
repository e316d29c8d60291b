//! What is said to those who ask something of an Application that it cannot give, or not now.

use super::*;

/// A shop that is delivered when somebody says so.
fn by_hand() -> Forge {
    Forge::shop("{syncOptions: [CreateNamespace=true]}")
}

fn compared(server: &Server, cluster: &Cluster) -> Object {
    server.until(cluster, &application("shop"), |it| it.str_at("/status/sync/status") == Some("OutOfSync"))
}

#[test]
fn a_sync_of_objects_that_there_are_not_is_refused() {
    let forge = by_hand();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    let seen = compared(&server, &cluster);
    assert_eq!(seen.str_at("/status/controllerNamespace"), Some("argocd"));
    let refused = forge.sandbox.run(&["app", "sync", "shop", "--resource", "apps:Deployment:shops"]).exits(2);
    refused.says("has no object of those that are named: apps:Deployment:shops").says("did you mean `apps:Deployment:");
    let untouched = server.get(&cluster, &key).expect("there");
    assert!(untouched.at("/operation").is_none() && untouched.at("/status/operationState").is_none());

    // Written past the API it fails, and says why.
    let nothing = json!([{"group": "apps", "kind": "Deployment", "name": "nothing"}]);
    server.patch(&cluster, &key, json!({"operation": {"sync": {"resources": nothing}}}));
    let failed = server.until(&cluster, &key, |it| it.at("/status/operationState/finishedAt").is_some());
    assert_eq!(failed.str_at("/status/operationState/phase"), Some("Failed"));
    let why = failed.str_at("/status/operationState/message").expect("told");
    assert!(why.contains("No matching app resources found: apps:Deployment:nothing names none"), "{why}");
    assert!(server.get(&cluster, &web()).is_none());
    // Nobody's name is left out, and not made up.
    forge.sandbox.run(&["app", "get", "shop"]).says("operation Failed").lacks("nobody");

    forge.sandbox.run(&["app", "sync", "shop", "--resource", "apps:Deployment:shop/shop"]).exits(0);
    assert!(server.get(&cluster, &web()).is_some());
}

#[test]
fn who_waits_for_a_window_is_told_which_and_until_when() {
    let forge = by_hand();
    // The second opens before the first closes.
    let hour = 3600;
    let opened = jiff::Timestamp::now().as_second() / hour * hour;
    let at = |hours: i64| jiff::Timestamp::from_second(opened + hours * hour).expect("a time").to_string();
    let daily = |hours: i64| format!("0 {} * * *", &at(hours)[11..13]);
    let (first, second) = (daily(0), daily(2));
    let project = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: default, namespace: argocd}}\nspec:\n  sourceRepos: ['*']\n  destinations: [{{server: '*', namespace: '*'}}]\n  clusterResourceWhitelist: [{{group: '*', kind: '*'}}]\n  syncWindows:\n  - {{kind: deny, schedule: '{first}', duration: 3h, applications: ['*'], description: CHG-7}}\n  - {{kind: deny, schedule: '{second}', duration: 4h, applications: ['*']}}\n"
    );
    forge.sandbox.write("apps/project.yaml", &project);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    compared(&server, &cluster);
    let waited = forge.sandbox.run(&["app", "sync", "shop", "--timeout", "5s"]);
    assert_ne!(waited.code, 0, "{}", waited.stderr);
    let waited = waited.says(&format!(
        "argocd/shop waits: Sync operation blocked by sync window: deny `{first}` for 3h, UTC (CHG-7), until {} at the earliest",
        at(6)
    ));
    assert_eq!(waited.stderr.matches(" waits: ").count(), 1, "{}", waited.stderr);
}

#[test]
fn words_of_several_lines_stay_on_theirs() {
    let forge = by_hand();
    let server = forge.serve(&["apps"], SHOP, &[]);
    compared(&server, &server.cluster());
    let reason = "a freeze\n  operation Succeeded to 1234567";
    forge.sandbox.run(&["app", "pause", "shop", "--reason", reason]).exits(0);
    let shown = forge.sandbox.run(&["app", "get", "shop"]).exits(0);
    assert!(!shown.stdout.lines().any(|line| line.starts_with("  operation Succeeded")), "{}", shown.stdout);
    shown.says(": a freeze operation Succeeded to 1234567   landfall app pause argocd/shop --release");
}

#[test]
fn what_the_api_does_not_know_is_refused_and_not_read_as_nothing() {
    let forge = by_hand();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    compared(&server, &cluster);
    let issued =
        forge.sandbox.run(&["token", "create", "anna", "--scope", "read", "--scope", "sync", "-o", "name"]).exits(0);
    let bearer = format!("Bearer {}", issued.stdout.trim());
    let tell = |method: &str, path: &str, body: &Value| {
        server.tell(method, &format!("/api/v1/applications{path}"), &[("Authorization", &bearer)], body)
    };
    let refused = tell("POST", "/argocd/shop/sync", &json!([]));
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert!(refused.body.to_string().contains("LF0734"), "{}", refused.body);
    assert!(server.get(&cluster, &key).is_some_and(|it| it.at("/operation").is_none()));
    for query in ["?sync=Bogus", "?health=fine", "?sync="] {
        let refused = tell("GET", query, &Value::Null);
        assert_eq!(refused.status, 400, "{query}: {}", refused.body);
    }
    let found = tell("GET", "?sync=outofsync", &Value::Null);
    assert_eq!((found.status, &found.body["total"]), (200, &json!(1)), "{}", found.body);
}
