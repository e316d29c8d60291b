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
