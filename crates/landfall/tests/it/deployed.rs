//! The chart of the server itself.

use super::sandbox::Sandbox;

fn chart() -> Sandbox {
    let sandbox = Sandbox::empty();
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/chart");
    let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(sandbox.root().join("chart")).status();
    assert!(copied.expect("cp runs").success());
    sandbox
}

const EVERYTHING: &str = "ingress.enabled=true,alerts.enabled=true,serviceMonitor.enabled=true,dashboard.enabled=true,rootPath=/landfall,kubeseal.enabled=true";

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
        "name: landfall-sealing",
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

/// What the pod's container is started with.
fn arguments(sandbox: &Sandbox, values: &str) -> Vec<String> {
    sandbox.write("values.yaml", values);
    let text = sandbox.run(&["template", "landfall", "./chart", "-f", "values.yaml"]).exits(0).stdout;
    let deployment = text.split("---\n").find(|it| it.contains("kind: Deployment")).expect("rendered");
    let deployment = landfall_yaml::to_json(deployment).expect("YAML");
    let args = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().expect("arguments").clone();
    args.iter().map(|it| it.as_str().expect("texts").to_owned()).collect()
}

/// With every value that leads to a flag.
const TOLD: &str = r#"
rootPath: /landfall
url: https://landfall.example.com
issuer: {url: https://id.example.com, client: landfall}
policy: |
  g, anna, role:owner
argoStrict: true
unsignedWebhooks: true
checkNetworks: [10.0.0.0/8, "fd00::/8"]
sealing: observe
kubeseal: {enabled: true, port: 8082}
edge: {url: https://edges.example.com, poll: 30, proxies: [10.1.0.0/16, 10.2.0.1]}
database: {secret: landfall-database}
ciIdentities:
  - issuer: https://token.actions.githubusercontent.com
    audience: https://landfall.example.com
    identities: []
"#;

#[test]
fn every_flag_of_the_server_has_its_value_in_the_chart() {
    let sandbox = chart();
    let told = arguments(&sandbox, TOLD);
    let follows =
        |flag: &str| told.iter().position(|it| it == flag).and_then(|at| told.get(at + 1)).map(String::as_str);
    assert_eq!(follows("--check-networks"), Some("10.0.0.0/8,fd00::/8"));
    assert_eq!(follows("--edge-proxy"), Some("10.1.0.0/16,10.2.0.1"));
    assert_eq!(follows("--edge-poll"), Some("30"));
    assert_eq!(follows("--sealing"), Some("observe"));
    // Of a person at a terminal; of a directory that a pod has not; the address of a database is a secret and stands in a variable; a pod's
    // own namespace is where leases lie; the fleet alone is served without a cluster.
    let others = [
        "--directory",
        "--color",
        "--quiet",
        "--verbose",
        "--help",
        "--env",
        "--repo",
        "--database",
        "--lease-namespace",
        "--only",
    ];
    let help = sandbox.run(&["serve", "--help"]).exits(0).stdout;
    let flags = help.lines().filter_map(|line| line.trim_start().strip_prefix('-').map(|rest| format!("-{rest}")));
    let flags = flags.filter_map(|line| line.split([' ', '.']).find(|word| word.starts_with("--")).map(str::to_owned));
    let missing: Vec<String> = flags.filter(|flag| !others.contains(&flag.as_str()) && !told.contains(flag)).collect();
    assert!(missing.is_empty(), "{missing:?} of\n{told:?}");
    // Nothing is told that nobody has asked for.
    let plain = arguments(&sandbox, "{}");
    assert_eq!(plain.last().map(String::as_str), Some("0.0.0.0:8480"), "{plain:?}");
}

#[test]
fn the_server_takes_what_the_chart_tells_it() {
    let sandbox = chart();
    let mut told = arguments(&sandbox, &TOLD.replace("database: {secret: landfall-database}", ""));
    sandbox.write("policy.csv", "g, anna, role:owner\n");
    for argument in &mut told {
        match argument.as_str() {
            "/state" => *argument = ".landfall".to_owned(),
            "/etc/landfall/policy.csv" => *argument = "policy.csv".to_owned(),
            "/etc/landfall/kubeconfig" => *argument = "there-is-none".to_owned(),
            _ => {}
        }
    }
    let at = told.iter().position(|it| it == "--ci-identities").expect("told");
    told.drain(at..at + 2);
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    // All of it is understood: what is wrong is the cluster.
    sandbox.run(&told).exits(6).says("there-is-none");
}

#[test]
fn what_the_chart_has_no_value_for_is_refused_by_its_name() {
    let sandbox = chart();
    for (set, said) in [
        ("argoStrict=perhaps", "argoStrict"),
        ("checkNetworks={intranet}", "checkNetworks"),
        ("unsignedWebhook=true", "unsignedWebhook"),
        ("edge.url=http://edges.example.com", "edge"),
    ] {
        let refused = sandbox.run(&["template", "landfall", "./chart", "--set", set]);
        assert!(refused.exits(1).stderr.contains(said), "{set}");
    }
}
