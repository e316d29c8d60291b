//! The SENS example: two repositories, two environments on one cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::rendered::{containers, find, kinds, pods, template, the};
use super::sandbox::Sandbox;

const CHART: &str = "product/infra/helm/sens-platform";
const PRODUCT: &str = "https://git.example.com/sens/sens-platform.git";
const INFRA: &str = "https://git.example.com/sens/sens-platform-infra.git";

fn sandbox() -> Sandbox {
    Sandbox::example("sens-platform")
}

fn render(environment: &str, more: &[&str]) -> Vec<Value> {
    let (release, namespace) = (format!("sens-platform-{environment}"), format!("sens-{environment}"));
    let values = format!("infra/environments/{environment}/values.yaml");
    let mut all = vec![release.as_str(), CHART, "-n", &namespace, "-f", &values];
    all.extend(more);
    template(&sandbox(), &all)
}

fn yaml(path: &str) -> Value {
    landfall_yaml::to_json_all(&sandbox().read(path)).expect("YAML").remove(0)
}

fn names(objects: &[Value]) -> BTreeSet<(String, String)> {
    let name = |object: &Value| {
        let part = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
        (part("/kind"), part("/metadata/name"))
    };
    objects.iter().map(name).collect()
}

fn hosts(objects: &[Value]) -> BTreeSet<String> {
    let rules = |object: &Value| object.pointer("/spec/rules").and_then(Value::as_array).cloned().unwrap_or_default();
    objects.iter().flat_map(rules).filter_map(|rule| rule["host"].as_str().map(str::to_owned)).collect()
}

#[test]
fn se_001_both_environments_are_declared_with_their_namespaces() {
    let file = yaml("infra/landfall.yaml");
    let environments = file["environments"].as_object().expect("environments");
    assert_eq!(environments.keys().collect::<Vec<_>>(), ["production", "test"]);
    for environment in ["test", "production"] {
        let application = yaml(&format!("infra/argocd/sens-{environment}/application.yaml"));
        assert_eq!(application["spec"]["destination"]["namespace"], format!("sens-{environment}"));
    }
}

#[test]
fn se_003_se_006_keys_are_ignored_and_no_secret_stands_in_either_repository() {
    for repository in ["product", "infra"] {
        let ignored = sandbox().read(&format!("{repository}/.gitignore"));
        for pattern in ["ssh-private", "ssh-private.*", "*.pem", "*.key"] {
            assert!(ignored.lines().any(|line| line == pattern), "{repository}: {pattern}");
        }
    }
    for environment in ["test", "production"] {
        assert!(!kinds(&render(environment, &[])).contains_key("Secret"), "{environment}");
    }
}

#[test]
fn se_007_the_bootstrap_makes_the_four_namespaces_and_the_restricted_account() {
    let objects = template(&sandbox(), &["sens-bootstrap", "infra/bootstrap", "-n", "kube-system"]);
    for namespace in ["argocd", "cert-manager", "sens-test", "sens-production"] {
        assert!(find(&objects, "Namespace", namespace).is_some(), "{namespace}");
    }
    let role = the(&objects, "Role", "deploy-test");
    assert_eq!(role["metadata"]["namespace"], "sens-test");
    assert!(!kinds(&objects).contains_key("ClusterRole") && !kinds(&objects).contains_key("Secret"));
}

#[test]
fn se_008_the_environments_share_no_name_secret_volume_or_host() {
    let (test, production) = (render("test", &[]), render("production", &[]));
    assert!(names(&test).is_disjoint(&names(&production)));
    assert!(hosts(&test).is_disjoint(&hosts(&production)));
    let secrets = |objects: &[Value]| -> BTreeSet<String> {
        let tls = objects.iter().filter_map(|object| object.pointer("/spec/tls/0/secretName"));
        let env = pods(objects).into_iter().flat_map(|(_, pod)| containers(pod).cloned().collect::<Vec<_>>());
        let read: Vec<String> = env
            .flat_map(|container| container["env"].as_array().cloned().unwrap_or_default())
            .filter_map(|env| env.pointer("/valueFrom/secretKeyRef/name")?.as_str().map(str::to_owned))
            .collect();
        tls.filter_map(Value::as_str).map(str::to_owned).chain(read).collect()
    };
    assert_eq!(secrets(&test).len(), 3);
    assert!(secrets(&test).is_disjoint(&secrets(&production)));
}

#[test]
fn se_050_exactly_the_documented_hosts_are_public() {
    let mut all = hosts(&render("test", &[]));
    all.extend(hosts(&render("production", &[])));
    all.extend(hosts(&[yaml("infra/argocd/access/ingress.yaml")]));
    let expected = ["api.dev.sens", "api.sens", "argo.sens", "docs.dev.sens", "docs.sens"];
    assert_eq!(all, expected.iter().map(|name| format!("{name}.example.com")).collect());
}

#[test]
fn se_051_database_bus_broker_and_workers_are_reached_from_inside_only() {
    for environment in ["test", "production"] {
        let objects = render(environment, &[]);
        for service in objects.iter().filter(|object| object["kind"] == "Service") {
            assert_eq!(service["spec"]["type"], "ClusterIP");
        }
        let backends: BTreeSet<&str> = objects
            .iter()
            .filter_map(|object| object.pointer("/spec/rules/0/http/paths/0/backend/service/name")?.as_str())
            .collect();
        let prefix = format!("sens-platform-{environment}");
        assert_eq!(backends, BTreeSet::from([format!("{prefix}-docs").as_str(), &format!("{prefix}-platform-api")]));
    }
}

#[test]
fn se_052_the_mock_broker_is_in_test_only_and_the_counts_are_the_documented_ones() {
    let counts = |objects: &[Value]| {
        kinds(objects).into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect::<BTreeMap<_, _>>()
    };
    let expect = |counts: &[(&str, usize)]| counts.iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect();
    let (test, production) = (render("test", &[]), render("production", &[]));
    assert_eq!(counts(&test), expect(&[("Deployment", 5), ("Ingress", 2), ("Service", 5), ("StatefulSet", 2)]));
    assert_eq!(counts(&production), expect(&[("Deployment", 4), ("Ingress", 2), ("Service", 4), ("StatefulSet", 2)]));
    assert!(find(&test, "Deployment", "sens-platform-test-mock-mqtt-broker").is_some());
    assert!(!production.iter().any(|object| object.to_string().contains("mock-mqtt")));
}

#[test]
fn se_055_se_057_every_pod_with_an_own_image_pulls_with_the_secret_and_the_database_reads_its_password() {
    for environment in ["test", "production"] {
        let objects = render(environment, &[]);
        for (name, pod) in pods(&objects) {
            if containers(pod).any(|c| c["image"].as_str().is_some_and(|image| image.starts_with("registry."))) {
                assert_eq!(pod["imagePullSecrets"], json!([{"name": "ghcr-pull"}]), "{name}");
            }
        }
        let set = the(&objects, "StatefulSet", &format!("sens-platform-{environment}-timescaledb"));
        let env = set.pointer("/spec/template/spec/containers/0/env").and_then(Value::as_array).expect("env");
        let password = env.iter().find(|env| env["name"] == "POSTGRES_PASSWORD").expect("set");
        let wanted = json!({"name": format!("sens-{environment}-timescaledb-auth"), "key": "postgres-password"});
        assert_eq!(password["valueFrom"]["secretKeyRef"], wanted);
    }
}

#[test]
fn se_081_a_render_with_other_values_holds_none_of_this_servers_names() {
    let values = format!("{CHART}/ci/test-values.yaml");
    let objects = template(&sandbox(), &["x", CHART, "-f", &values]);
    let all: String = objects.iter().map(Value::to_string).collect();
    for name in ["traefik", "letsencrypt", "local-path", "sens.example.com", "ghcr-pull", "sens-test"] {
        assert!(!all.contains(name), "{name}");
    }
    let set = the(&objects, "StatefulSet", "x-nats");
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"], "fast");
}

#[test]
fn se_081_the_charts_own_defaults_name_no_class_issuer_or_host() {
    let objects = template(&sandbox(), &["x", CHART]);
    assert!(!kinds(&objects).contains_key("Ingress"));
    let all: String = objects.iter().map(Value::to_string).collect();
    assert!(!all.contains("storageClassName") && !all.contains("issuer"));
}

#[test]
fn se_098_the_documentation_is_served_in_both_environments_by_the_same_chart() {
    for environment in ["test", "production"] {
        let name = format!("sens-platform-{environment}-docs");
        let objects = render(environment, &[]);
        for kind in ["Deployment", "Service", "Ingress"] {
            the(&objects, kind, &name);
        }
    }
}

#[test]
fn se_067_production_waits_for_a_person_and_test_does_not() {
    let policy = |environment: &str| {
        yaml(&format!("infra/argocd/sens-{environment}/application.yaml"))["spec"]["syncPolicy"]["automated"].clone()
    };
    assert_eq!(policy("test"), json!({"prune": true, "selfHeal": true}));
    assert_eq!(policy("production"), Value::Null);
}

#[test]
fn se_001_se_072_se_073_se_098_one_cluster_carries_both_environments_and_every_check_passes() {
    let sandbox = sandbox();
    let up = sandbox.run(&["up", "-o", "json"]).exits(0).json();
    assert_eq!(up["data"]["units"].as_array().map(Vec::len), Some(3), "{up:#}");
    let checks = up["data"]["checks"].as_array().expect("checks");
    assert_eq!(checks.len(), 24);
    for check in checks {
        assert_eq!(check["verdict"], "passed", "{check:#}");
    }
    // Five addresses of the API and three of the documentation, in each environment.
    let declared = landfall_yaml::to_json_all(&sandbox.read("landfall.yaml")).expect("YAML").remove(0);
    let declared = declared["environments"]["local"]["checks"].as_array().expect("checks").clone();
    let passed = |host: &str| {
        let of = declared.iter().filter_map(|check| Some((check["name"].as_str()?, check["http"].as_str()?)));
        let of = of.filter(|(name, _)| checks.iter().any(|it| it["name"] == *name && it["verdict"] == "passed"));
        of.filter_map(|(_, url)| url.strip_prefix(&format!("https://{host}")))
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    for domain in ["dev.sens.example.com", "sens.example.com"] {
        let paths = |all: &[&str]| all.iter().map(|path| (*path).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(passed(&format!("api.{domain}")), paths(&["/healthz", "/readyz", "/version", "/test", "/metrics"]));
        assert_eq!(passed(&format!("docs.{domain}")), paths(&["/healthz", "/readyz", "/"]));
    }
    // One that answers otherwise does not pass.
    let wrong = sandbox.read("landfall.yaml").replace("{path: /metrics, body", "{path: /metrics, status: 503, body");
    sandbox.write("landfall.yaml", &wrong);
    let smoke = sandbox.run(&["smoke", "--only", "test api metrics", "-o", "json"]);
    assert_eq!(smoke.code, 4, "{}", smoke.all());
}

#[test]
fn se_071_se_078_se_079_the_database_and_the_bus_are_asked_and_what_nobody_declared_is_not_passed() {
    let sandbox = sandbox();
    let ready = "          - {argv: [pg_isready, -U, sens_platform, -d, sens_platform], stdout: \"/var/run/postgresql:5432 - accepting connections\\n\"}\n";
    sandbox.edit("landfall.yaml", &format!("        exec:\n{ready}"), "        logs: [started]\n");
    sandbox.edit("landfall.yaml", "stdout: '{\"status\":\"ok\"}'", "stdout: '{\"status\":\"unavailable\"}'");
    let text = sandbox.read("landfall.yaml").replace("contains: ok}", "contains: ok, timeout: 1ms}");
    sandbox.write("landfall.yaml", &text);
    let up = sandbox.run(&["up", "-o", "json"]).exits(4).json();
    let checks = up["data"]["checks"].as_array().expect("checks");
    let verdict = |name: &str| checks.iter().find(|check| check["name"] == name).expect("made")["verdict"].clone();
    for environment in ["test", "production"] {
        assert_eq!(verdict(&format!("{environment} database")), "not-simulated", "{checks:#?}");
        assert_eq!(verdict(&format!("{environment} bus")), "failed", "{checks:#?}");
        for well in ["api rolled out", "docs rolled out", "api ready"] {
            assert_eq!(verdict(&format!("{environment} {well}")), "passed", "{checks:#?}");
        }
    }
}

#[test]
fn the_product_alone_is_delivered_from_its_own_repository() {
    let sandbox = sandbox();
    let up = sandbox.run(&["up", "product", "-o", "json"]).exits(0).json();
    assert_eq!(up["ok"], true, "{up:#}");
}

#[test]
fn se_004_se_005_se_082_each_environment_is_delivered_by_its_application_with_checkouts_for_both_repositories() {
    let sandbox = sandbox();
    let (product, infra) = (format!("{PRODUCT}=product"), format!("{INFRA}=infra"));
    for (environment, version) in [("test", "0.5.0-alpha.123.1"), ("production", "0.4.0")] {
        let run = ["up", "infra", "--env", environment, "--repo", &product, "--repo", &infra, "-o", "json"];
        let up = sandbox.run(&run).exits(0).json();
        let units: Vec<&str> =
            up["data"]["units"].as_array().expect("units").iter().filter_map(|unit| unit["name"].as_str()).collect();
        assert_eq!(units, ["sens-bootstrap", &format!("sens-platform-{environment}")], "{up:#}");
        let checks = up["data"]["checks"].as_array().expect("checks");
        assert!(checks.iter().all(|check| check["verdict"] == "passed"), "{version}: {checks:#?}");
    }
}

/// Delivers an environment from its Application, and gives one check's verdict and reason.
fn checked(sandbox: &Sandbox, environment: &str, code: i32, check: &str) -> (Value, String) {
    let (product, infra) = (format!("{PRODUCT}=product"), format!("{INFRA}=infra"));
    let run = ["up", "infra", "--env", environment, "--repo", &product, "--repo", &infra, "-o", "json"];
    let up = sandbox.run(&run).exits(code).json();
    let checks = up["data"]["checks"].as_array().expect("checks");
    let made = checks.iter().find(|it| it["name"] == check).unwrap_or_else(|| panic!("{checks:#?}"));
    (made["verdict"].clone(), made["reason"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn se_075_the_version_that_answers_is_the_tag_that_is_to_run_in_test_and_in_production() {
    let sandbox = sandbox();
    for (environment, tag) in [("test", "0.5.0-alpha.123.1"), ("production", "0.4.0")] {
        assert_eq!(checked(&sandbox, environment, 0, "api version").0, "passed");
        let told = sandbox.read("infra/landfall.yaml");
        sandbox.write("infra/landfall.yaml", &told.replace("{{ .env.APP_VERSION }}", "0.3.9"));
        let (verdict, why) = checked(&sandbox, environment, 4, "api version");
        let wanted = format!("it tells the version \"0.3.9\", wanted \"{tag}\"");
        assert!(verdict == "failed" && why.contains(&wanted), "{verdict} {why}");
        sandbox.write("infra/landfall.yaml", &told);
    }
}

#[test]
fn se_076_a_request_to_the_test_endpoint_is_found_in_the_log() {
    let sandbox = sandbox();
    assert_eq!(checked(&sandbox, "test", 0, "api test").0, "passed");
    // Another line than the one that is wanted, and none at all.
    let declared = sandbox.read("infra/landfall.yaml");
    let line = "\"message\":\"test endpoint called\"";
    assert!(declared.contains(line), "{declared}");
    sandbox.write("infra/landfall.yaml", &declared.replace(line, "\"message\":\"something else\""));
    let (verdict, why) = checked(&sandbox, "test", 4, "api test");
    assert!(verdict == "failed" && why.contains("newer than the request contains \"test endpoint called\""), "{why}");
    let silent = declared.replace(", logs: ['{\"level\":\"info\",\"message\":\"test endpoint called\"}']", "");
    assert_ne!(silent, declared);
    sandbox.write("infra/landfall.yaml", &silent);
    let (verdict, why) = checked(&sandbox, "test", 4, "api test");
    assert!(verdict == "not-simulated" && why.contains("declares no line"), "{verdict} {why}");
}
