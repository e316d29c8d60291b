//! Declared checks after a sync of the server's.

use serde_json::{Value, json};

use super::{AUTOMATED, Forge, SHOP, Server, application, web};

/// A system whose pods say which image they run, and a check that wants one of version 1.
fn checked(policy: &str, more: &str) -> Forge {
    let forge = Forge::shop(policy);
    forge.sandbox.write(
        "landfall.yaml",
        &format!(
            r#"apiVersion: landfall.dev/v1
kind: System
name: shop
environments:
  local:
    applications: apps/*.yaml
    simulate: {{shop: {{logs: ["running {{{{ .image }}}}"]}}}}
    checks: [{{name: version one, logs: shop, contains: "app:1.", timeout: 3s}}]
{more}"#
        ),
    );
    forge.sandbox.commit("checks");
    forge.push();
    forge
}

/// What is told of the Application once its checks say so.
#[track_caller]
fn until_checks(server: &Server, so: impl Fn(&Value) -> bool) -> Value {
    let (name, token) = server.own_token();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(90);
    loop {
        let (_, said) = server.ask("GET", "/api/v1/applications/argocd/shop", &[(name, &token)], "");
        let detail: Value = serde_json::from_str(&said).unwrap_or_default();
        if so(&detail["checks"]) {
            return detail;
        }
        assert!(std::time::Instant::now() < deadline, "it never came: {detail:#}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn lp_113_what_fails_its_checks_is_degraded_says_why_and_is_gone_back_from() {
    let forge = checked(AUTOMATED, "    onSmokeFailure: revert\n");
    let first = forge.push();
    let server = forge.serve(&["."], SHOP, &[]);
    let cluster = server.cluster();
    let passed = until_checks(&server, |checks| checks["delivery"] == 0);
    assert_eq!(passed["checks"]["results"][0]["verdict"], "passed", "{passed:#}");
    assert_eq!(passed["checks"]["environment"], "local");
    forge.change("chart/values.yaml", "app:1.0.0", "app:2.0.0");
    let failed = until_checks(&server, |checks| checks["delivery"] == 1 && checks["followed"].is_string());
    let result = &failed["checks"]["results"][0];
    assert_eq!((&result["verdict"], &result["name"]), (&json!("failed"), &json!("version one")));
    assert_eq!(result["reason"], "no line of its log contains \"app:1.\"");
    assert_eq!(failed["checks"]["followed"], "gone back to the delivery before");
    // What was delivered before is delivered again, stays, and passes.
    let back = until_checks(&server, |checks| checks["delivery"] == 2);
    assert_eq!(back["checks"]["results"][0]["verdict"], "passed", "{back:#}");
    assert_eq!((&back["pinned"], &back["pin"]["by"]), (&json!([first]), &json!("declared-checks")));
    server
        .until(&cluster, &web(), |it| it.str_at("/spec/template/spec/containers/0/image") == Some("example/app:1.0.0"));
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/health/status") == Some("Healthy"));
    let logs = forge.sandbox.run(&["app", "logs", "shop", "--hook", "checks"]).exits(0);
    assert!(logs.stdout.contains("passed log of shop"), "{}", logs.all());
}

#[test]
fn se_074_a_hold_stays_with_what_failed_and_a_manual_environment_checks_what_somebody_asked_for() {
    let forge = checked("{syncOptions: [CreateNamespace=true]}", "    onSmokeFailure: hold\n    sync: manual\n");
    let revision = forge.change("chart/values.yaml", "app:1.0.0", "app:2.0.0");
    let server = forge.serve(&["."], SHOP, &[]);
    let cluster = server.cluster();
    let key = application("shop");
    server.until(&cluster, &key, |it| it.str_at("/status/sync/status") == Some("OutOfSync"));
    // What is merged is seen, and neither delivered nor checked.
    let revision = {
        let merged = forge.change("chart/values.yaml", "replicas: 1", "replicas: 2");
        server.until(&cluster, &key, |it| {
            it.str_at("/status/sync/revision") == Some(&*merged)
                && it.str_at("/status/sync/status") == Some("OutOfSync")
        });
        assert_ne!(merged, revision);
        merged
    };
    let unchecked = until_checks(&server, |_| true);
    assert!(unchecked["checks"]["results"].as_array().is_none_or(Vec::is_empty), "{unchecked:#}");
    assert!(server.get(&cluster, &web()).is_none(), "nothing was delivered");
    let wish = json!({"operation": {"initiatedBy": {"username": "anna"}, "sync": {"revision": "main"}}});
    server.patch(&cluster, &key, wish);
    let held = until_checks(&server, |checks| checks["followed"] == "held");
    assert_eq!(held["pinned"], json!([revision]));
    let told = server.until(&cluster, &key, |it| {
        let conditions = it.list_at("/status/conditions");
        it.str_at("/status/health/status") == Some("Degraded") && conditions.iter().any(|it| it["type"] == "SmokeError")
    });
    let message = told.list_at("/status/conditions").iter().find(|it| it["type"] == "SmokeError").cloned();
    assert_eq!(message.unwrap_or_default()["message"], "check version one: no line of its log contains \"app:1.\"");
    let why = forge.sandbox.run(&["app", "explain", "shop"]).exits(0);
    assert!(why.stdout.contains("SmokeError") && why.stdout.contains("--hook checks"), "{}", why.all());
}
