//! `graph`, `state`, `env list`, `env diff`, `smoke`: what is looked at without changing anything.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rendered::template;
use super::sandbox::{Ran, Sandbox, small_chart};

fn edges(ran: &Ran) -> Vec<(String, String, String)> {
    let json = ran.json();
    let edges = json["data"]["edges"].as_array().cloned().unwrap_or_default();
    let text = |edge: &Value, field: &str| edge[field].as_str().unwrap_or_default().to_owned();
    edges.iter().map(|edge| (text(edge, "from"), text(edge, "to"), text(edge, "how"))).collect()
}

#[test]
fn lp_003_the_graph_has_each_edge_and_none_of_them_dangles() {
    let sandbox = Sandbox::luckyplans();
    let ran = sandbox.run(&["graph", "-o", "json"]).exits(0);
    let edges = edges(&ran);
    let calls = |from: &str, to: &str| {
        let (from, to) = (format!("luckyplans/Deployment/{from}"), format!("luckyplans/Service/{to}"));
        edges.iter().any(|(a, b, how)| *a == from && *b == to && how == "calls")
    };
    for (from, to) in [
        ("api-gateway", "redis"),
        ("api-gateway", "keycloak"),
        ("api-gateway", "minio"),
        ("service-core", "redis"),
        ("keycloak", "postgresql"),
    ] {
        assert!(calls(from, to), "{from} → {to} is missing in {edges:#?}");
    }
    let refers = |from: &str, kind: &str| edges.iter().any(|(a, b, _)| a.contains(from) && b.contains(kind));
    assert!(refers("minio", "PersistentVolumeClaim/"), "{edges:#?}");
    let dangling: Vec<Value> = ran.json()["data"]["edges"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|it| it["leads"] == "nowhere")
        .cloned()
        .collect();
    assert!(dangling.is_empty(), "{dangling:#?}");
    sandbox.run(&["graph"]).exits(0).says("0 of them lead nowhere");
    let dot = sandbox.run(&["graph", "-o", "dot"]).exits(0).stdout;
    assert!(dot.starts_with("digraph ") && dot.trim_end().ends_with('}'), "{dot}");
    assert!(sandbox.run(&["graph", "-o", "mermaid"]).exits(0).stdout.starts_with("graph LR\n"));
}

#[test]
fn an_edge_that_leads_nowhere_is_shown() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.edit(
        "shop/templates/all.yaml",
        "envFrom: [{configMapRef: {name: {{ .Release.Name }}}}]",
        "envFrom: [{configMapRef: {name: other}}]",
    );
    sandbox.run(&["graph", "./shop"]).exits(0).says("other   ! not there").says("1 of them leads nowhere");
}

#[test]
fn ez_029_what_holds_data_is_listed_with_its_guarantee() {
    let sandbox = Sandbox::example("ezscale-website");
    let ran = sandbox.run(&["state", "--env", "us-prod", "-o", "json"]).exits(0);
    let keeps = ran.json()["data"]["keeps"].as_array().cloned().unwrap_or_default();
    assert_eq!(keeps.len(), 6, "{keeps:#?}");
    let row = |text: &str| {
        let found = keeps.iter().find(|it| {
            it["holds"].as_str().unwrap_or_default().contains(text)
                || it["object"]["name"].as_str().unwrap_or_default().contains(text)
        });
        found.unwrap_or_else(|| panic!("{text} in {keeps:#?}")).clone()
    };
    assert_eq!(row("the database")["guarantee"], "kept");
    assert_eq!(row("ezscale-website-prod")["guarantee"], "outside");
    assert!(row("APP_KEY")["lost_by"].to_string().contains("sessions"));
    assert!(row("oauth-private.key and oauth-public.key")["lost_by"].to_string().contains("access token"));
    assert_eq!(row("ezscale-website-secrets")["guarantee"], "kept");
}

#[test]
fn ez_062_a_queue_that_may_be_lost_says_how_much_that_matters() {
    let sandbox = Sandbox::example("ezscale-website");
    let ran = sandbox.run(&["state", "--env", "us-prod"]).exits(0);
    let line = ran.stdout.lines().find(|line| line.contains("valkey")).unwrap_or_default().to_owned();
    assert!(line.contains("important") && line.contains("deleting the claim"), "{}", ran.all());
}

#[test]
fn lp_009_environments_are_listed_and_compared_by_object() {
    let sandbox = Sandbox::luckyplans();
    let list = sandbox.run(&["env", "list"]).exits(0);
    for text in ["local", "embedded", "prod", "k3d-luckyplans-prod (protected)", "commit-sha", "auto"] {
        assert!(list.stdout.contains(text), "{text} in {}", list.all());
    }
    let diff = sandbox.run(&["env", "diff", "local", "prod", "-o", "json"]).exits(0).json();
    let objects = diff["data"]["objects"].as_array().cloned().unwrap_or_default();
    assert!(!objects.is_empty());
    for object in &objects {
        let has_fields = object["fields"].as_array().is_some_and(|fields| !fields.is_empty());
        assert_eq!(object["what"] == "differs", has_fields, "{object}");
    }
    sandbox.run(&["env", "diff", "local", "local", "--exit-code"]).exits(0);
    sandbox.run(&["env", "diff", "local", "prod", "--exit-code"]).exits(3);
    sandbox.run(&["env", "diff", "local", "prd"]).exits(2).says("did you mean `prod`?");
}

#[test]
fn lp_098_what_differs_between_local_and_production_is_shown() {
    let sandbox = Sandbox::luckyplans();
    let text = sandbox.run(&["env", "diff", "local", "prod"]).exits(0).stdout;
    for (what, words) in [
        ("node's environment", "NODE_ENV"),
        ("hosts", "app.example.com"),
        ("certificates", "Certificate/"),
        ("registry", "ghcr.io"),
        ("sealed secrets", "SealedSecret/"),
        ("replicas", "spec.replicas"),
        ("TLS", "spec.tls"),
    ] {
        assert!(text.contains(words), "{what}: {words} in\n{text}");
    }
}

#[test]
fn a_secret_is_not_shown_where_environments_differ() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write(
        "shop/templates/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {TOKEN: {{ .Values.token | quote }}}\n",
    );
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  a: {releases: [{name: shop, chart: shop, namespace: a, set: {token: hunter2}}]}\n  b: {releases: [{name: shop, chart: shop, namespace: b, set: {token: hunter3}}]}\n");
    let ran = sandbox.run(&["env", "diff", "a", "b"]).exits(0).says("Secret/keys");
    assert!(!ran.all().contains("hunter"), "{}", ran.all());
}

#[test]
fn declared_checks_are_made_when_they_are_asked_for() {
    let sandbox = Sandbox::empty().interactive();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write(
        "landfall.yaml",
        r#"apiVersion: landfall.dev/v1
kind: System
name: shop
environments:
  local:
    releases: [{name: shop, chart: shop, namespace: shop}]
    simulate:
      shop:
        logs: [ready to serve]
        exec: [{argv: [check], stdout: "all well\n"}, {argv: [broken], stdout: "no\n", exit: 3}]
    checks:
      - {name: rolled out, rollout: shop/deployment/shop}
      - {name: command, exec: {workload: deployment/shop, argv: [check]}, contains: all well}
      - {name: log, logs: shop, contains: ready to serve}
"#,
    );
    sandbox.commit("Begin");
    sandbox.run(&["up"]).exits(0).says("check command").says("passed");
    let smoke = sandbox.run(&["smoke", "-o", "json"]).exits(0).json();
    let verdicts: Vec<&str> =
        smoke["data"]["checks"].as_array().into_iter().flatten().filter_map(|it| it["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["passed", "passed", "passed"]);
    sandbox.run(&["smoke"]).exits(0).says("3 checks: 3 passed ~");
    sandbox.edit("landfall.yaml", "argv: [check]}, contains: all well}", "argv: [broken]}, timeout: 1ms}");
    sandbox.edit("landfall.yaml", "contains: ready to serve}", "contains: never said, timeout: 1ms}");
    sandbox.run(&["smoke"]).exits(4).says("it ended with 3").says("no line of its log contains \"never said\"");
    sandbox.run(&["smoke", "--only", "rolled out"]).exits(0);
    sandbox.run(&["smoke", "--only", "roled out"]).exits(2).says("did you mean `rolled out`?");
    sandbox.edit("landfall.yaml", "argv: [broken]}, timeout", "argv: [undeclared]}, timeout");
    sandbox.run(&["smoke", "--only", "command"]).exits(4).says("not simulated");
}

#[test]
fn lp_130_a_switch_changes_exactly_what_it_is_about() {
    let sandbox = Sandbox::luckyplans();
    let render = |more: &[&str]| -> BTreeSet<String> {
        let all = [&["luckyplans", "infrastructure/helm/luckyplans", "-n", "luckyplans"], more].concat();
        let name = |object: &Value| format!("{}/{}", object["kind"], object["metadata"]["name"]).replace('"', "");
        template(&sandbox, &all).iter().map(name).collect()
    };
    let plain = render(&[]);
    for (switch, wanted) in [
        ("ingress.enabled=false", &["-Ingress/luckyplans-ingress"][..]),
        ("certManager.enabled=true", &["+ClusterIssuer/letsencrypt-prod"]),
        ("keycloak.enabled=false", &["-ConfigMap/keycloak-realm-config", "-Deployment/keycloak", "-Service/keycloak"]),
        ("redis.enabled=false", &["-Deployment/redis", "-NetworkPolicy/redis", "-Service/redis"]),
        ("smokeTest.enabled=true", &["+Job/smoke-test"]),
        (
            "legacyV0.enabled=true",
            &["+ConfigMap/legacy-v0-proxy-config", "+Deployment/legacy-v0-api", "+Service/legacy-v0-api"],
        ),
        ("sealedSecrets.enabled=true", &["+SealedSecret/luckyplans-secrets", "-Secret/luckyplans-secrets"]),
    ] {
        let flipped = render(&["--set", switch]);
        let gone = plain.difference(&flipped).map(|name| format!("-{name}"));
        let mut changed: Vec<String> = flipped.difference(&plain).map(|name| format!("+{name}")).chain(gone).collect();
        changed.sort();
        assert_eq!(changed, wanted, "{switch}");
    }
}

#[test]
fn ez_005_nothing_is_written_beside_the_state() {
    let sandbox = Sandbox::example("ezscale-website");
    sandbox.run(&["up", "--env", "local"]).exits(0);
    let status = std::process::Command::new("git")
        .args(["status", "--porcelain"])
        .current_dir(sandbox.root())
        .output()
        .expect("git runs");
    assert_eq!(String::from_utf8_lossy(&status.stdout), "");
}
