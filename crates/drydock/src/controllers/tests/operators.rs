use serde_json::{Value, json};

use super::super::fields::{annotation, condition, text};
use super::Stage;

fn with_definitions(groups: &[&str]) -> Stage {
    let mut stage = Stage::plain();
    for group in groups {
        for definition in landfall_object::operators::definitions(group) {
            stage.create("customresourcedefinitions.apiextensions.k8s.io", definition);
        }
    }
    stage.rest();
    stage
}

fn custom(stage: &mut Stage, id: &str, object: Value) {
    stage.create(id, object);
}

#[test]
fn a_certificate_waits_for_its_issuer_and_becomes_a_marked_secret() {
    let mut stage = with_definitions(&["cert-manager.io"]);
    custom(
        &mut stage,
        "certificates.cert-manager.io",
        json!({"metadata": {"name": "web"}, "spec": {
        "secretName": "web-tls", "dnsNames": ["a.example.com"], "issuerRef": {"name": "le", "kind": "ClusterIssuer"}}}),
    );
    stage.rest();
    let ready = |stage: &Stage| {
        let certificate = stage.find("certificates.cert-manager.io", "web");
        text(condition(&certificate, "Ready").expect("set"), "/status").to_owned()
    };
    assert_eq!(ready(&stage), "False");
    custom(
        &mut stage,
        "clusterissuers.cert-manager.io",
        json!({"metadata": {"name": "le"}, "spec": {
        "acme": {"email": "a@example.com", "server": "https://acme.example.com", "privateKeySecretRef": {"name": "k"}}}}),
    );
    stage.rest();
    assert_eq!(ready(&stage), "True");
    let secret = stage.find("secrets", "web-tls");
    assert_eq!(text(&secret, "/type"), "kubernetes.io/tls");
    assert_eq!(annotation(&secret, landfall_object::SIMULATED), Some("self-signed"));
}

#[test]
fn of_two_certificates_for_one_secret_the_older_is_issued_and_nobody_writes_for_ever() {
    let mut stage = with_definitions(&["cert-manager.io"]);
    custom(
        &mut stage,
        "clusterissuers.cert-manager.io",
        json!({"metadata": {"name": "own"}, "spec": {"selfSigned": {}}}),
    );
    for (name, host) in [("a", "a.example.com"), ("b", "b.example.com")] {
        custom(
            &mut stage,
            "certificates.cert-manager.io",
            json!({"metadata": {"name": name}, "spec": {
            "secretName": "shared", "dnsNames": [host], "issuerRef": {"name": "own", "kind": "ClusterIssuer"}}}),
        );
    }
    stage.rest();
    let said = |stage: &Stage, name: &str| {
        let certificate = stage.find("certificates.cert-manager.io", name);
        let ready = condition(&certificate, "Ready").expect("set");
        (text(ready, "/reason").to_owned(), certificate.pointer("/status/revision").cloned())
    };
    assert_eq!(said(&stage, "a"), ("Ready".to_owned(), Some(json!(1))));
    assert_eq!(said(&stage, "b"), ("IncorrectCertificate".to_owned(), None));
    assert_eq!(annotation(&stage.find("secrets", "shared"), "cert-manager.io/certificate-name"), Some("a"));
}

#[test]
fn a_sealed_secret_gives_its_keys_but_no_values() {
    let mut stage = with_definitions(&["bitnami.com"]);
    custom(
        &mut stage,
        "sealedsecrets.bitnami.com",
        json!({"metadata": {"name": "keys"}, "spec": {
        "encryptedData": {"A": "AgB", "B": "AgC"}, "template": {"metadata": {"labels": {"x": "y"}}, "type": "Opaque"}}}),
    );
    stage.rest();
    let secret = stage.find("secrets", "keys");
    assert_eq!(secret["data"], json!({"A": "fnNpbXVsYXRlZA==", "B": "fnNpbXVsYXRlZA=="}));
    assert_eq!(text(&secret, "/metadata/labels/x"), "y");
    let sealed = stage.find("sealedsecrets.bitnami.com", "keys");
    assert_eq!(text(condition(&sealed, "Synced").expect("set"), "/status"), "True");
    stage.change("sealedsecrets.bitnami.com", "keys", |s| s["spec"]["encryptedData"] = json!({"A": "AgB"}));
    stage.rest();
    assert_eq!(stage.find("secrets", "keys")["data"], json!({"A": "fnNpbXVsYXRlZA=="}));
}

#[test]
fn a_route_says_what_it_misses() {
    let mut stage = with_definitions(&["traefik.io"]);
    custom(
        &mut stage,
        "ingressroutes.traefik.io",
        json!({"metadata": {"name": "web"}, "spec": {"routes": [{
        "kind": "Rule", "match": "Host(`a`)", "services": [{"name": "web", "port": 80}],
        "middlewares": [{"name": "https"}]}]}}),
    );
    stage.rest();
    assert_eq!(
        stage.events("web"),
        [
            "ServiceNotFound kubernetes service not found: shop/web",
            "MiddlewareNotFound middleware \"shop-https@kubernetescrd\" does not exist",
        ]
    );
}

#[test]
fn what_an_operator_that_is_not_simulated_would_make_is_made_when_a_pod_needs_it() {
    let mut stage = Stage::plain();
    stage.create(
        "customresourcedefinitions.apiextensions.k8s.io",
        json!({"metadata": {"name": "externalsecrets.external-secrets.io"}, "spec": {
            "group": "external-secrets.io", "scope": "Namespaced",
            "names": {"kind": "ExternalSecret", "plural": "externalsecrets", "singular": "externalsecret", "listKind": "ExternalSecretList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}),
    );
    stage.rest();
    let mut app = super::deployment("app", 1);
    app["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "app-secrets", "key": "TOKEN"}}}]);
    stage.create("deployments.apps", app);
    stage.rest();
    assert_eq!(text(&stage.list("pods")[0], "/status/phase"), "Pending", "nobody makes it");
    custom(
        &mut stage,
        "externalsecrets.external-secrets.io",
        json!({"metadata": {"name": "app"}, "spec": {"target": {"name": "app-secrets"}}}),
    );
    stage.pass(60);
    let secret = stage.find("secrets", "app-secrets");
    assert_eq!(secret["data"], json!({"TOKEN": "fnNpbXVsYXRlZA=="}));
    assert_eq!(annotation(&secret, landfall_object::SIMULATED), Some("made for ExternalSecret app"));
    assert_eq!(text(&stage.list("pods")[0], "/status/phase"), "Running");
}
