//! What is simulated is never passed.

use super::sandbox::{Sandbox, small_chart};

/// A chart with a route, and checks in front of it.
fn shop(simulate: &str, checks: &str) -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write(
        "shop/templates/route.yaml",
        r#"{{- if .Values.middleware }}
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: guard}
spec: {{ toJson .Values.middleware }}
---
{{- end }}
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: shop}
spec:
  routes:
    - match: Host(`shop.example.com`)
      kind: Rule
      {{- if .Values.middleware }}
      middlewares: [{name: guard}]
      {{- end }}
      services: [{name: {{ .Release.Name }}, port: 80}]
"#,
    );
    sandbox.write(
        "landfall.yaml",
        &format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{{name: shop, chart: shop, namespace: shop}}]\n    simulate: {simulate}\n    checks:\n{checks}"
        ),
    );
    sandbox.commit("first");
    sandbox
}

const HOME: &str = "      - {name: home, http: \"http://shop.example.com/\", timeout: 5s}\n";

#[test]
fn a_check_through_a_middleware_that_is_not_simulated_is_not_passed() {
    let sandbox = shop("{shop: {http: [{path: /}]}}", HOME);
    sandbox.run(&["up"]).exits(0).says("passed ~");
    for (middleware, word) in [
        ("middleware.basicAuth.secret=users", "basicAuth"),
        ("middleware.forwardAuth.address=http://sso/auth", "forwardAuth"),
        ("middleware.ipAllowList.sourceRange[0]=10.0.0.0/8", "ipAllowList"),
        ("middleware.plugin.bouncer.enabled=true", "plugin"),
    ] {
        let up = sandbox.run(&["up", "--set", middleware]).exits(4).says("not simulated").says(word);
        assert!(
            !up.stdout.contains("passed") && !up.stdout.contains("\n~ home"),
            "no address is claimed: {}",
            up.all()
        );
    }
    sandbox
        .run(&["up", "--set", "middleware.basicAuth.secret=users", "--allow-unsimulated"])
        .exits(0)
        .says("not simulated");
    sandbox.run(&["up", "--set", "middleware.stripPrefix.prefixes[0]=/v1"]).exits(0).says("passed ~");
}

#[test]
fn a_rollout_without_pods_is_not_passed() {
    let sandbox = shop("{}", "      - {name: rolled, rollout: deployment/shop, timeout: 1ms}\n");
    sandbox.run(&["up"]).exits(0).says("passed ~");
    sandbox.run(&["up", "--set", "replicas=0"]).exits(4).says("shop has no pods");
}

#[test]
fn a_log_that_nobody_declares_is_neither_held_nor_missed() {
    // The cluster's own word about the container holds that text, and the container says nothing.
    let checks = "      - {name: said, logs: shop, contains: simulated, timeout: 1ms}\n";
    shop("{}", checks).run(&["up"]).exits(4).says("not simulated").says("declares no log");
    shop("{shop: {logs: [ready]}}", checks).run(&["up"]).exits(4).says("no line of its log contains");
    shop("{shop: {logs: [all is simulated]}}", checks).run(&["up"]).exits(0).says("passed ~");
}

#[test]
fn a_command_in_a_container_can_be_checked_where_no_server_stays() {
    let checks = "      - {name: command, exec: {workload: deployment/shop, argv: [check]}, contains: all well}\n";
    let sandbox = shop("{shop: {exec: [{argv: [check], stdout: all well}]}}", checks);
    sandbox.run(&["up"]).exits(0).says("passed ~");
    sandbox.run(&["up", "--once"]).exits(0).says("passed ~");
    sandbox.edit("landfall.yaml", "argv: [check]}, contains", "argv: [other]}, contains");
    sandbox.run(&["up"]).exits(4).says("not simulated").says("1 check could not be made: command");
}
