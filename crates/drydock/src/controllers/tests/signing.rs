use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};

use super::super::fields::{condition, text};
use super::Stage;

const REQUESTS: &str = "certificatesigningrequests.certificates.k8s.io";

/// A request for a user of a group, for this signer.
fn request(user: &str, group: &str, signer: &str, usages: Value) -> Value {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, user);
    params.distinguished_name.push(DnType::OrganizationName, group);
    let key = KeyPair::generate().expect("a key");
    let pem = params.serialize_request(&key).expect("a request").pem().expect("text");
    let spec = json!({"request": STANDARD.encode(pem), "signerName": signer, "usages": usages, "username": "jane"});
    json!({"metadata": {"name": "jane"}, "spec": spec})
}

fn approve(stage: &mut Stage) {
    let mut object = stage.find(REQUESTS, "jane").value().clone();
    object["status"]["conditions"] =
        json!([{"type": "Approved", "status": "True", "reason": "Because", "message": "of the test"}]);
    let reference =
        landfall_apiserver::ObjectRef { resource: REQUESTS.into(), namespace: String::new(), name: "jane".to_owned() };
    let actor = stage.actor.clone();
    let approved = |there: &mut Value| *there = object;
    stage.world.modify(&actor, &reference, landfall_apiserver::Part::Approval, approved).expect("approved");
    stage.rest();
}

#[test]
fn an_approved_request_becomes_a_certificate() {
    let mut stage = Stage::plain();
    let usages = json!(["client auth", "digital signature"]);
    stage.create(REQUESTS, request("jane", "ops", "kubernetes.io/kube-apiserver-client", usages));
    stage.rest();
    assert_eq!(text(&stage.find(REQUESTS, "jane"), "/status/certificate"), "");
    approve(&mut stage);
    let pem = STANDARD.decode(text(&stage.find(REQUESTS, "jane"), "/status/certificate")).expect("base64");
    assert!(pem.starts_with(b"-----BEGIN CERTIFICATE-----"), "{}", String::from_utf8_lossy(&pem));
}

#[test]
fn a_request_that_its_signer_does_not_take_fails_and_says_why() {
    for (user, signer, usages, why) in [
        ("jane", "kube-apiserver-client", json!(["server auth"]), "invalid usage for client certificate: server auth"),
        (
            "jane",
            "kube-apiserver-client",
            json!(["digital signature"]),
            "missing required usage for client certificate: client auth",
        ),
        (
            "jane",
            "kube-apiserver-client-kubelet",
            json!(["client auth", "digital signature"]),
            "subject common name does not begin with system:node:",
        ),
        (
            "system:node:a",
            "kube-apiserver-client-kubelet",
            json!(["client auth"]),
            "usages did not match [client auth digital signature key encipherment]",
        ),
        (
            "system:node:a",
            "kubelet-serving",
            json!(["server auth", "digital signature"]),
            "DNS or IP subjectAltName is required",
        ),
    ] {
        let mut stage = Stage::plain();
        stage.create(REQUESTS, request(user, "system:nodes", &format!("kubernetes.io/{signer}"), usages));
        approve(&mut stage);
        let found = stage.find(REQUESTS, "jane");
        let failed = condition(&found, "Failed").expect("it failed");
        assert_eq!(text(failed, "/message"), why);
        assert_eq!(text(&found, "/status/certificate"), "");
    }
}

#[test]
fn a_request_for_somebody_elses_signer_is_left_to_them() {
    let mut stage = Stage::plain();
    stage.create(REQUESTS, request("jane", "ops", "example.com/own", json!(["client auth"])));
    approve(&mut stage);
    assert_eq!(text(&stage.find(REQUESTS, "jane"), "/status/certificate"), "");
}
