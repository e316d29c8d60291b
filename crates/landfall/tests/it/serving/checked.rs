//! Declared checks after a sync of the server's.

use landfall_cluster::WriteOptions;
use landfall_object::Object;
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

/// Waits until what followed a failed check is announced in such words.
#[track_caller]
fn until_announced(server: &Server, words: &str) {
    let is_it = |it: &Value| {
        it["action"] == "application.follow" && it["detail"]["announced"].as_str().is_some_and(|it| it.contains(words))
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !server.audit().iter().any(is_it) {
        assert!(std::time::Instant::now() < deadline, "it was never announced: {:#?}", server.audit());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn lp_112_lp_113_what_fails_its_checks_is_degraded_says_why_and_is_gone_back_from() {
    let forge = checked(AUTOMATED, "    onSmokeFailure: revert\n");
    let first = forge.push();
    let server = forge.serve(&["."], SHOP, &[]);
    let cluster = server.cluster();
    let passed = until_checks(&server, |checks| checks["delivery"] == 0);
    assert_eq!(passed["checks"]["results"][0]["verdict"], "passed", "{passed:#}");
    assert_eq!(passed["checks"]["environment"], "local");
    forge.change("chart/values.yaml", "app:1.0.0", "app:2.0.0");
    // What was delivered before is delivered again, stays, and passes: within moments, so that only what is kept tells what failed.
    let back = until_checks(&server, |checks| checks["delivery"] == 2);
    assert_eq!(back["checks"]["results"][0]["verdict"], "passed", "{back:#}");
    assert_eq!((&back["pinned"], &back["pin"]["by"]), (&json!([first]), &json!("declared-checks")));
    assert_eq!(back["pin"]["why"], "check version one: no line of its log contains \"app:1.\"");
    until_announced(&server, "gone back to the delivery before");
    server
        .until(&cluster, &web(), |it| it.str_at("/spec/template/spec/containers/0/image") == Some("example/app:1.0.0"));
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/health/status") == Some("Healthy"));
    let logs = forge.sandbox.run(&["app", "logs", "shop", "--hook", "checks"]).exits(0);
    assert!(logs.stdout.contains("passed log of shop"), "{}", logs.all());
}

/// It was not pinned, so that the next sync delivered what had failed; and nobody was told that it had been gone back from.
#[test]
fn what_is_gone_back_from_stays_back_also_where_somebody_syncs_and_everybody_hears_of_it() {
    let forge = checked("{syncOptions: [CreateNamespace=true]}", "    onSmokeFailure: revert\n    sync: manual\n");
    let first = forge.push();
    let server = forge.serve(&["."], SHOP, &[]);
    let sync = ["app", "sync", "shop", "--yes"];
    forge.sandbox.run(&sync).exits(0);
    until_checks(&server, |checks| checks["delivery"] == 0 && checks["at"].is_string());
    forge.change("chart/values.yaml", "app:1.0.0", "app:2.0.0");
    forge.sandbox.run(&sync);
    let back = until_checks(&server, |checks| checks["delivery"] == 2);
    assert_eq!((&back["pinned"], &back["pin"]["by"]), (&json!([first]), &json!("declared-checks")), "{back:#}");
    let got = forge.sandbox.run(&["app", "get", "shop"]).exits(0);
    assert!(got.stdout.contains("by declared-checks") && got.stdout.contains("check version one: "), "{}", got.all());
    until_announced(&server, "gone back to the delivery before");
    // A sync does not take it forward again.
    forge.sandbox.run(&sync);
    let image = server.get(&server.cluster(), &web());
    let image = image.and_then(|it| it.str_at("/spec/template/spec/containers/0/image").map(str::to_owned));
    assert_eq!(image.as_deref(), Some("example/app:1.0.0"));
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

/// What a repository declares to be checked reaches no further than what it may deliver.
#[test]
fn a_check_looks_into_no_namespace_that_its_project_may_not_deliver_to() {
    let forge = checked(AUTOMATED, "");
    let declared = forge.sandbox.read("landfall.yaml").replace(
        "checks: [",
        "checks: [{name: theirs, logs: kube-public/deployment/victim, contains: canary, timeout: 1s}, {name: by name, logs: victim, contains: canary, timeout: 1s}, {name: rolled, rollout: kube-public/deployment/victim, timeout: 1s}, ",
    );
    let declared = declared.replace("simulate: {", "simulate: {victim: {logs: [canary]}, ");
    forge.sandbox.write("landfall.yaml", &declared);
    let app = forge.sandbox.read("apps/shop.yaml").replace("project: default", "project: team");
    assert!(app.contains("project: team"), "{app}");
    forge.sandbox.write("apps/shop.yaml", &app);
    forge.sandbox.write(
        "apps/project.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: team, namespace: argocd}\nspec:\n  sourceRepos: [\"*\"]\n  destinations: [{server: \"*\", namespace: shop}]\n  clusterResourceWhitelist: [{group: \"*\", kind: \"*\"}]\n",
    );
    forge.sandbox.commit("a team, and checks of others");
    forge.push();
    let server = forge.serve(&["."], SHOP, &[]);
    let cluster = server.cluster();
    let victim = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "victim", "namespace": "kube-public"},
        "spec": {"selector": {"matchLabels": {"app": "victim"}}, "template": {
            "metadata": {"labels": {"app": "victim"}}, "spec": {"containers": [{"name": "c", "image": "example/victim:1"}]},
        }},
    });
    let victim = Object::from_value(victim).expect("a map");
    server.runtime.block_on(cluster.create(&victim, &WriteOptions::default())).expect("created");
    let detail = until_checks(&server, |checks| checks["delivery"] == 0);
    let results = detail["checks"]["results"].as_array().expect("results");
    let of = |name: &str| results.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{detail:#}"));
    let bounds = "namespace kube-public is not one that the Application's project may deliver to";
    assert_eq!((&of("theirs")["verdict"], &of("theirs")["reason"]), (&json!("failed"), &json!(bounds)));
    assert_eq!((&of("rolled")["verdict"], &of("rolled")["reason"]), (&json!("failed"), &json!(bounds)));
    assert_eq!((&of("by name")["verdict"], &of("by name")["reason"]), (&json!("failed"), &json!("victim has no pods")));
    assert_eq!(of("version one")["verdict"], "passed", "{detail:#}");
    // Whoever types it here is bounded by the cluster alone.
    let smoke = forge.sandbox.run(&["smoke", "--only", "theirs"]);
    assert!(!smoke.all().contains("is not one that the Application's project"), "{}", smoke.all());
}

/// What a repository declares to be checked asks nothing of the server's own machine, nor of what is reachable from there alone.
#[test]
fn a_check_of_a_repository_asks_no_address_that_is_not_public() {
    let forge = checked(AUTOMATED, "");
    let declared = forge.sandbox.read("landfall.yaml").replace(
        "checks: [",
        "checks: [{name: metadata, http: \"http://169.254.169.254/latest\", timeout: 1s}, {name: written otherwise, http: \"http://0x7f000002/\", timeout: 1s}, ",
    );
    forge.sandbox.write("landfall.yaml", &declared);
    forge.sandbox.commit("checks of what is inside");
    forge.push();
    let server = forge.serve(&["."], SHOP, &[("LANDFALL_CHECK_NETWORKS", "192.0.2.0/24")]);
    let detail = until_checks(&server, |checks| checks["delivery"] == 0);
    let results = detail["checks"]["results"].as_array().expect("results");
    let of = |name: &str| results.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{detail:#}"));
    for (name, address) in [("metadata", "169.254.169.254"), ("written otherwise", "127.0.0.2")] {
        let reason = of(name)["reason"].as_str().unwrap_or_default();
        assert!(reason.starts_with(&format!("{address} is no public address")), "{reason}");
        assert!(reason.ends_with(&format!("--check-networks {address}")), "{reason}");
    }
    assert_eq!(of("version one")["verdict"], "passed", "{detail:#}");
}

#[test]
fn checks_that_have_not_ended_are_told_as_that_and_not_as_none() {
    let forge = checked(AUTOMATED, "");
    forge.change("landfall.yaml", "contains: \"app:1.\", timeout: 3s", "contains: never, timeout: 600s");
    let server = forge.serve(&["."], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| !it.list_at("/status/history").is_empty());
    let asked = forge.sandbox.run(&["app", "logs", "shop", "--hook", "checks"]).exits(1);
    assert!(
        asked.stderr.contains("the checks after delivery 0 (") && asked.stderr.contains("have not ended"),
        "{}",
        asked.all()
    );
    assert!(!asked.all().contains("declare `checks:`"), "{}", asked.all());
}

/// A system that tells its version at an address, and a check of it.
fn versioned() -> Forge {
    let forge = checked(AUTOMATED, "    onSmokeFailure: revert\n");
    let declared = forge.sandbox.read("landfall.yaml");
    let (before, _) = declared.split_once("    simulate:").expect("is there");
    let said = r#"    simulate: {shop: {http: [{path: /version, json: {version: '{{ .env.VERSION }}'}}]}}
    checks: [{name: version, http: "http://shop.test/version", version: {image: app}, timeout: 3s}]
    onSmokeFailure: revert
"#;
    forge.sandbox.write("landfall.yaml", &format!("{before}{said}"));
    forge.sandbox.write(
        "chart/templates/route.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: shop}\nspec: {rules: [{host: shop.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {name: http}}}}]}}]}\n",
    );
    let pods = "          envFrom: [";
    let told =
        "          env: [{name: VERSION, value: {{ .Values.image | splitList \":\" | last }}}]\n          envFrom: [";
    forge.sandbox.edit("chart/templates/all.yaml", pods, told);
    forge.sandbox.commit("a version");
    forge.push();
    forge
}

/// The images are those of the delivery, and neither of the one before nor of what is compared with by now.
#[test]
fn a_version_is_held_against_the_image_of_the_very_delivery() {
    let forge = versioned();
    let server = forge.serve(&["."], SHOP, &[]);
    let first = until_checks(&server, |checks| checks["delivery"] == 0 && checks["at"].is_string());
    assert_eq!(first["checks"]["results"][0]["verdict"], "passed", "{first:#}");
    for (delivery, (from, to)) in [("app:1.0.0", "app:2.0.0"), ("app:2.0.0", "app:3.0.0")].into_iter().enumerate() {
        forge.change("chart/values.yaml", from, to);
        let next = until_checks(&server, |checks| checks["delivery"] == delivery + 1 && checks["at"].is_string());
        assert_eq!(next["checks"]["results"][0]["verdict"], "passed", "{next:#}");
    }
    forge.sandbox.edit("chart/templates/all.yaml", "{{ .Values.image | splitList \":\" | last }}", "3.0.0");
    forge.change("chart/values.yaml", "app:3.0.0", "app:4.0.0");
    let stuck = until_checks(&server, |checks| checks["delivery"] == 3 && checks["at"].is_string());
    assert_eq!(stuck["checks"]["results"][0]["reason"], "it tells the version \"3.0.0\", wanted \"4.0.0\"");
}

#[test]
fn nobody_is_told_that_it_is_well_before_its_checks_have_ended() {
    let forge = checked(AUTOMATED, "");
    let server = forge.serve(&["."], SHOP, &[]);
    let cluster = server.cluster();
    let key = application("shop");
    server.until(&cluster, &key, |it| it.str_at("/status/health/status") == Some("Healthy"));
    forge.sandbox.edit("landfall.yaml", "contains: \"app:1.\", timeout: 3s", "contains: never, timeout: 3s");
    let next = forge.change("chart/values.yaml", "app:1.0.0", "app:1.0.1");
    server.until(&cluster, &key, |it| {
        it.list_at("/status/history").last().is_some_and(|last| last["revision"] == next.as_str())
    });
    let waited = forge.sandbox.run(&["app", "wait", "shop", "--timeout", "12s"]);
    assert_ne!(waited.code, 0, "{}", waited.all());
    assert!(waited.all().contains("Degraded") || waited.all().contains("version one"), "{}", waited.all());
}

/// A check that runs a command talks to the API over a connection: it is the one that others were told of.
#[test]
fn a_system_whose_checks_run_commands_is_found_where_its_kubeconfig_says() {
    let forge = checked(AUTOMATED, "");
    let declared = forge.sandbox.read("landfall.yaml");
    let more = declared.replace(
        "checks: [",
        "checks: [{name: command, exec: {workload: deployment/shop, argv: [\"true\"]}, timeout: 1s}, ",
    );
    forge.sandbox.write("landfall.yaml", &more);
    forge.sandbox.commit("a command");
    forge.push();
    let server = forge.serve(&["."], SHOP, &[]);
    server.until(&server.cluster(), &application("shop"), |it| !it.list_at("/status/history").is_empty());
    forge.sandbox.run(&["cluster", "status"]).exits(0);
    forge.sandbox.run(&["app", "list"]).exits(0).says("shop");
}
