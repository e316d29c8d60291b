//! The chart of the server itself.

use super::sandbox::Sandbox;

fn chart() -> Sandbox {
    let sandbox = Sandbox::empty();
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/chart");
    let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(sandbox.root().join("chart")).status();
    assert!(copied.expect("cp runs").success());
    sandbox
}

const EVERYTHING: &str =
    "ingress.enabled=true,alerts.enabled=true,serviceMonitor.enabled=true,dashboard.enabled=true,rootPath=/landfall";

#[test]
fn its_own_rehearsal_is_clean() {
    let sandbox = chart();
    sandbox.run(&["lint", "./chart"]).exits(0).says("0 chart(s) failed");
    sandbox.run(&["rehearse", "./chart", "-n", "landfall"]).exits(0).says("no findings");
    let all = sandbox.run(&["template", "landfall", "./chart", "-n", "landfall", "--set", EVERYTHING]).exits(0).stdout;
    for wanted in [
        "kind: PodDisruptionBudget",
        "kind: NetworkPolicy",
        "kind: ServiceMonitor",
        "kind: PrometheusRule",
        "kind: ClusterRole\n",
        "path: /readyz",
        "- --root-path\n            - /landfall",
    ] {
        assert!(all.contains(wanted), "{wanted}\n{all}");
    }
}

#[test]
fn t12_one_replica_on_sqlite_is_recreated_and_never_rolled() {
    let sandbox = chart();
    let text = sandbox.run(&["template", "landfall", "./chart"]).exits(0).stdout;
    let deployment = text.split("---\n").find(|it| it.contains("kind: Deployment")).expect("rendered");
    let deployment = landfall_yaml::to_json(deployment).expect("YAML");
    assert_eq!(deployment["spec"]["replicas"], 1);
    assert_eq!(deployment["spec"]["strategy"], serde_json::json!({"type": "Recreate"}));
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
}

#[test]
fn se_045_the_jobs_that_are_let_in_are_declared_in_its_values() {
    let sandbox = chart();
    let claims = "{repository: acme/shop, ref: refs/heads/main}";
    let values = format!(
        "ciIdentities:\n  - issuer: https://token.actions.githubusercontent.com\n    audience: https://landfall.example.com\n    identities:\n      - {{name: shop, role: \"role:deploy\", claims: {claims}}}\n"
    );
    let rendered = |values: &str| {
        sandbox.write("values.yaml", values);
        sandbox.run(&["template", "landfall", "./chart", "-f", "values.yaml"]).exits(0).stdout
    };
    let text = rendered(&values);
    assert!(text.contains("- --ci-identities\n            - /etc/landfall/ci-identities.yaml\n"), "{text}");
    assert!(text.contains("checksum/ci-identities: "), "{text}");
    assert!(!rendered("{}").contains("ci-identities"), "nobody is let in where nothing is declared");
    // The server reads what the chart writes: it gets as far as to what is wrong with it.
    let text = rendered(&values.replace(", ref: refs/heads/main", ""));
    let config = text.split("---\n").find(|it| it.contains("kind: ConfigMap")).expect("rendered");
    let config = landfall_yaml::to_json(config).expect("YAML");
    sandbox.write("ci.yaml", config["data"]["ci-identities.yaml"].as_str().expect("a file"));
    sandbox.run(&["serve", "--ci-identities", "ci.yaml"]).exits(2).says("LF0753").says("every branch and pull request");
}
