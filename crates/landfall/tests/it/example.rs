//! The example holds what the LuckyPlans documents name, in both environments.

use serde_json::Value;

use super::rendered::{find, kinds, template};
use super::sandbox::Sandbox;

const CHART: &str = "infrastructure/helm/luckyplans";

fn render(arguments: &[&str]) -> Vec<Value> {
    let mut all = vec!["luckyplans", CHART, "-n", "luckyplans"];
    all.extend(arguments);
    template(&Sandbox::luckyplans(), &all)
}

fn production() -> Vec<Value> {
    render(&["-f", &format!("{CHART}/values.prod.yaml")])
}

#[test]
fn lp_001_one_chart_renders_for_both_environments() {
    let (local, production) = (kinds(&render(&[])).len(), production().len());
    assert!(local > 5 && production > 30, "{local} kinds, {production} objects");
}

#[test]
fn lp_001_both_environments_are_byte_for_byte_what_helm_has_rendered() {
    let sandbox = Sandbox::luckyplans();
    let production = format!("{CHART}/values.prod.yaml");
    for (more, recorded) in [
        (&[][..], include_str!("cases/luckyplans/local.yaml")),
        (&["-f", &production], include_str!("cases/luckyplans/prod.yaml")),
    ] {
        let rendered = sandbox.run(&[&["template", "luckyplans", CHART, "-n", "luckyplans"], more].concat()).exits(0);
        let differs = rendered.stdout.lines().zip(recorded.lines()).find(|(ours, helms)| ours != helms);
        assert!(rendered.stdout == recorded, "{more:?}: the first line that differs (ours, helm's): {differs:?}");
    }
}

#[test]
fn lp_092_the_documented_objects_are_there_with_their_switches() {
    let local = render(&[]);
    let production = production();
    let expected: &[(&str, usize, usize)] = &[
        ("Namespace", 1, 1),
        ("ConfigMap", 3, 4),
        ("Secret", 1, 0),
        ("SealedSecret", 0, 1),
        ("Deployment", 7, 8),
        ("Service", 6, 7),
        ("PersistentVolumeClaim", 2, 2),
        ("NetworkPolicy", 1, 1),
        ("Ingress", 1, 1),
        ("Middleware", 0, 2),
        ("ClusterIssuer", 0, 1),
        ("Certificate", 0, 4),
        ("PodDisruptionBudget", 0, 2),
        ("Job", 1, 2),
    ];
    let (local, production) = (kinds(&local), kinds(&production));
    for (kind, here, there) in expected {
        assert_eq!(local.get(kind).copied().unwrap_or(0), *here, "{kind} on a laptop");
        assert_eq!(production.get(kind).copied().unwrap_or(0), *there, "{kind} in production");
    }
}

#[test]
fn lp_093_services_have_the_documented_ports_and_service_core_has_none() {
    let objects = render(&[]);
    let port = |name: &str| find(&objects, "Service", name).map(|service| service["spec"]["ports"][0]["port"].clone());
    assert_eq!(port("web"), Some(3000.into()));
    assert_eq!(port("api-gateway"), Some(3001.into()));
    assert_eq!(port("redis"), Some(6379.into()));
    assert_eq!(port("service-core"), None);
    assert!(find(&objects, "Deployment", "service-core").is_some());
}

#[test]
fn lp_094_a_managed_redis_takes_the_place_of_the_own_one() {
    let objects = render(&["--set", "redis.enabled=false,config.redisHost=redis.example.com"]);
    assert!(objects.iter().all(|object| object["metadata"]["name"] != "redis"));
    let config = find(&objects, "ConfigMap", "luckyplans-config").expect("there");
    assert_eq!(config["data"]["REDIS_HOST"], "redis.example.com");
    let images: String = objects.iter().map(Value::to_string).collect();
    assert!(!images.contains("bitnami/"));
}

#[test]
fn lp_097_images_have_a_registry_in_front_when_there_is_one() {
    let image = |objects: &[Value]| {
        find(objects, "Deployment", "api-gateway").expect("there")["spec"]["template"]["spec"]["containers"][0]["image"]
            .clone()
    };
    assert_eq!(image(&render(&[])), "luckyplans/api-gateway:latest");
    let set = "image.registry=ghcr.io,image.owner=OWNER,apiGateway.image.tag=sha-abc1234";
    assert_eq!(image(&render(&["--set", set])), "ghcr.io/OWNER/api-gateway:sha-abc1234");
}

#[test]
fn the_namespace_the_volumes_and_the_secret_survive_an_uninstall() {
    let objects = render(&[]);
    for (kind, name) in [
        ("Namespace", "luckyplans"),
        ("PersistentVolumeClaim", "postgresql-data"),
        ("PersistentVolumeClaim", "minio-data"),
        ("Secret", "luckyplans-secrets"),
    ] {
        let object = find(&objects, kind, name).expect("there");
        assert_eq!(object["metadata"]["annotations"]["helm.sh/resource-policy"], "keep", "{kind}/{name}");
    }
}
