//! Simulated operators beside real ones.

use landfall_apiserver::{Actor, ObjectRef, Part};
use serde_json::{Value, json};

use super::super::fields::{annotation, condition, text};
use super::super::{ControlPlane, Controllers};
use super::Stage;
use crate::operators::standing::Operators;

const SEALED: &str = "sealedsecrets.bitnami.com";
const CERTIFICATES: &str = "certificates.cert-manager.io";

fn with(group: &str, operators: Operators) -> Stage {
    let mut stage = Stage::new(ControlPlane { operators, ..ControlPlane::default() });
    for definition in landfall_object::operators::definitions(group) {
        stage.create("customresourcedefinitions.apiextensions.k8s.io", definition);
    }
    stage.rest();
    stage
}

fn sealed(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"encryptedData": {"A": "AgB"}}})
}

/// Writes as a program of another name does.
fn write(stage: &mut Stage, manager: &str, resource: &str, name: &str, part: Part, change: impl FnOnce(&mut Value)) {
    let object = ObjectRef { resource: resource.into(), namespace: "shop".into(), name: name.into() };
    stage.world.modify(&Actor::system(manager), &object, part, change).expect("written");
    stage.rest();
}

fn record(stage: &Stage) -> Value {
    let found = stage.world.find("configmaps", "kube-system", "landfall-operators");
    found.map_or(Value::Null, |map| map["data"].clone())
}

#[test]
fn a_twin_stands_back_when_somebody_else_writes_a_status() {
    let mut stage = with("bitnami.com", Operators::UntilReal);
    stage.create(SEALED, sealed("keys"));
    stage.rest();
    assert!(annotation(&stage.find("secrets", "keys"), landfall_object::SIMULATED).is_some());
    let no_key =
        json!({"conditions": [{"type": "Synced", "status": "False", "message": "no key could decrypt secret (A)"}]});
    write(&mut stage, "controller", SEALED, "keys", Part::Status, |sealed| sealed["status"] = no_key);
    let synced = stage.find(SEALED, "keys");
    assert_eq!(text(condition(&synced, "Synced").expect("set"), "/status"), "False", "theirs stays");
    assert_eq!(stage.names("secrets"), Vec::<String>::new(), "what only pretended is gone");
    let said = stage.events("keys").into_iter().find(|event| event.starts_with("StoodBack")).expect("said");
    assert!(said.contains("controller wrote the status of SealedSecret shop/keys"), "{said}");
    assert!(text(&record(&stage), "/sealed-secrets").contains("stood-back"), "{}", record(&stage));
    stage.create(SEALED, sealed("more"));
    stage.rest();
    assert!(stage.find(SEALED, "more")["status"].is_null());
    // Another process that opens the same cluster.
    stage.controllers = Controllers::new(
        ControlPlane::default(),
        crate::behaviour::Behaviour::default().into(),
        landfall_apiserver::Credentials::generate().expect("keys").into(),
    );
    stage.create(SEALED, sealed("later"));
    stage.rest();
    assert_eq!(stage.names("secrets"), Vec::<String>::new());
    // Told to act again, it does.
    let record =
        ObjectRef { resource: "configmaps".into(), namespace: "kube-system".into(), name: "landfall-operators".into() };
    stage.world.delete(&stage.actor, &record, &landfall_apiserver::DeleteOptions::default()).expect("deleted");
    stage.rest();
    assert_eq!(stage.names("secrets"), ["keys", "later", "more"]);
}

#[test]
fn a_twin_stands_back_when_its_secret_is_filled_and_leaves_it_alone() {
    let mut stage = with("bitnami.com", Operators::UntilReal);
    for name in ["keys", "others"] {
        stage.create(SEALED, sealed(name));
    }
    stage.rest();
    // The real one says nothing new in the status when it agrees with the twin's.
    write(&mut stage, "controller", "secrets", "keys", Part::Main, |secret| {
        secret["data"] = json!({"A": "cmVhbA=="});
        secret["metadata"].as_object_mut().expect("a map").remove("annotations");
    });
    assert_eq!(stage.find("secrets", "keys")["data"], json!({"A": "cmVhbA=="}));
    assert_eq!(stage.names("secrets"), ["keys"], "the placeholder of the other one went");
    assert!(text(&record(&stage), "/sealed-secrets").contains("controller wrote Secret shop/keys"));
}

#[test]
fn a_twin_stands_back_for_whoever_holds_the_lease() {
    let mut stage = with("cert-manager.io", Operators::UntilReal);
    stage.create(
        "leases.coordination.k8s.io",
        json!({"metadata": {"name": "cert-manager-controller", "namespace": "kube-system"},
            "spec": {"holderIdentity": "host-external-cert-manager-controller", "leaseDurationSeconds": 60}}),
    );
    stage.rest();
    stage.create("issuers.cert-manager.io", json!({"metadata": {"name": "own"}, "spec": {"selfSigned": {}}}));
    stage.rest();
    assert!(stage.find("issuers.cert-manager.io", "own")["status"].is_null());
    assert!(text(&record(&stage), "/cert-manager").contains("holds the lease kube-system/cert-manager-controller"));
}

#[test]
fn a_twin_that_is_alone_acts_whatever_others_have_written() {
    let mut stage = with("bitnami.com", Operators::Alone);
    stage.create(SEALED, sealed("keys"));
    stage.rest();
    write(&mut stage, "controller", SEALED, "keys", Part::Status, |sealed| sealed["status"] = json!({}));
    assert_eq!(record(&stage), Value::Null);
    let synced = stage.find(SEALED, "keys");
    assert_eq!(text(condition(&synced, "Synced").expect("set"), "/status"), "True");
}

#[test]
fn an_operator_that_is_switched_off_does_nothing_until_it_is_switched_on() {
    let mut stage = with("bitnami.com", Operators::UntilReal);
    let play = |off: &[&str]| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "landfall-play", "namespace": "kube-system"},
            "data": {"play": json!({"operatorsOff": off}).to_string()}})
    };
    stage.create("configmaps", play(&["sealed-secrets"]));
    stage.rest();
    stage.create(SEALED, sealed("keys"));
    stage.rest();
    assert_eq!(stage.names("secrets"), Vec::<String>::new());
    stage.world.update(&stage.actor, "configmaps", play(&[])).expect("changed");
    stage.rest();
    assert_eq!(stage.names("secrets"), ["keys"]);
}

#[test]
fn a_secret_that_somebody_else_made_is_touched_only_as_its_annotations_allow() {
    let mut stage = with("bitnami.com", Operators::UntilReal);
    let secret = |name: &str, key: &str| json!({"metadata": {"name": name, "annotations": {key: "true"}}, "data": {"B": "Yg=="}});
    for (name, key) in [
        ("foreign", "example.com/x"),
        ("patched", "sealedsecrets.bitnami.com/patch"),
        ("managed", "sealedsecrets.bitnami.com/managed"),
    ] {
        stage.create("secrets", secret(name, key));
        stage.create(SEALED, sealed(name));
    }
    stage.rest();
    let data = |name: &str| stage.find("secrets", name)["data"].clone();
    assert_eq!(data("foreign"), json!({"B": "Yg=="}));
    assert_eq!(data("patched"), json!({"A": "fnNpbXVsYXRlZA==", "B": "Yg=="}));
    assert_eq!(data("managed"), json!({"A": "fnNpbXVsYXRlZA=="}));
    let why = stage.find(SEALED, "foreign");
    let why = condition(&why, "Synced").expect("set");
    assert!(text(why, "/message").contains("already exists and is not managed by SealedSecret"), "{why}");
    assert!(stage.find("secrets", "patched")["metadata"]["ownerReferences"].is_null());
    assert_eq!(text(&stage.find("secrets", "managed"), "/metadata/ownerReferences/0/name"), "managed");
}

#[test]
fn the_address_of_an_ingress_is_left_to_the_controller_that_writes_it() {
    let mut stage = Stage::plain();
    for class in ["nginx", "other"] {
        stage.create(
            "ingressclasses.networking.k8s.io",
            json!({"metadata": {"name": class}, "spec": {"controller": "k8s.io/x"}}),
        );
        stage.create(
            "ingresses.networking.k8s.io",
            json!({"metadata": {"name": class}, "spec": {"ingressClassName": class, "defaultBackend":
                {"service": {"name": "web", "port": {"number": 80}}}}}),
        );
    }
    stage.rest();
    let address = |stage: &Stage, name: &str| {
        text(&stage.find("ingresses.networking.k8s.io", name), "/status/loadBalancer/ingress/0/ip").to_owned()
    };
    assert_eq!(address(&stage, "nginx"), "10.0.0.1");
    write(&mut stage, "nginx-ingress-controller", "ingresses.networking.k8s.io", "nginx", Part::Status, |ingress| {
        ingress["status"]["loadBalancer"]["ingress"] = json!([{"ip": "192.0.2.1"}]);
    });
    assert_eq!(address(&stage, "nginx"), "192.0.2.1");
    stage.change("ingresses.networking.k8s.io", "other", |ingress| ingress["metadata"]["labels"] = json!({"a": "b"}));
    stage.rest();
    assert_eq!(address(&stage, "other"), "10.0.0.1");
    assert!(text(&record(&stage), "/ingress.nginx").contains("stood-back"));
}

#[test]
fn a_certificate_is_issued_once_by_its_authority() {
    let mut stage = with("cert-manager.io", Operators::UntilReal);
    stage.create("issuers.cert-manager.io", json!({"metadata": {"name": "own"}, "spec": {"selfSigned": {}}}));
    stage
        .create("issuers.cert-manager.io", json!({"metadata": {"name": "ca"}, "spec": {"ca": {"secretName": "root"}}}));
    let certificate = |name: &str, issuer: &str, is_ca: bool| {
        json!({"metadata": {"name": name}, "spec": {"secretName": name, "commonName": name, "isCA": is_ca,
            "duration": "2h", "issuerRef": {"name": issuer}}})
    };
    stage.create(CERTIFICATES, certificate("leaf", "ca", false));
    stage.create(CERTIFICATES, certificate("root", "own", true));
    stage.rest();
    let leaf = stage.find(CERTIFICATES, "leaf");
    assert_eq!(text(condition(&leaf, "Ready").expect("set"), "/status"), "True", "{}", leaf["status"]);
    assert_eq!(leaf["status"]["revision"], 1);
    assert_eq!(stage.find("secrets", "leaf")["data"]["ca.crt"], stage.find("secrets", "root")["data"]["tls.crt"]);
    stage.change(CERTIFICATES, "leaf", |leaf| leaf["spec"]["usages"] = json!(["server auth"]));
    stage.rest();
    assert_eq!(stage.find(CERTIFICATES, "leaf")["status"]["revision"], 2);
    stage.change(CERTIFICATES, "leaf", |leaf| leaf["spec"]["revisionHistoryLimit"] = json!(3));
    stage.rest();
    assert_eq!(stage.find(CERTIFICATES, "leaf")["status"]["revision"], 2);
}

#[test]
fn a_placeholder_is_no_value_that_was_generated_once_unless_a_person_says_so() {
    let mut stage = with("bitnami.com", Operators::UntilReal);
    let mut guarded = sealed("once");
    guarded["spec"]["template"] = json!({"metadata": {"annotations": {"landfall.dev/once": "A"}}});
    stage.create(SEALED, guarded);
    stage.create(SEALED, sealed("keys"));
    stage.create(SEALED, sealed("mine"));
    stage.rest();
    assert_eq!(stage.names("secrets"), ["keys", "mine", "once"]);
    assert_eq!(stage.find("secrets", "once")["metadata"]["annotations"]["landfall.dev/once"], Value::Null);
    write(&mut stage, "kubectl", "secrets", "mine", Part::Main, |secret| {
        secret["metadata"]["annotations"]["landfall.dev/once"] = "A".into();
    });
    let status = json!({"conditions": [{"type": "Synced", "status": "True"}]});
    write(&mut stage, "controller", SEALED, "keys", Part::Status, |sealed| sealed["status"] = status);
    assert_eq!(stage.names("secrets"), ["mine"]);
}

#[test]
fn a_certificate_is_not_issued_into_a_secret_with_a_key_generated_once() {
    let mut stage = with("cert-manager.io", Operators::UntilReal);
    stage.create("issuers.cert-manager.io", json!({"metadata": {"name": "own"}, "spec": {"selfSigned": {}}}));
    let keys = json!({"metadata": {"name": "keys", "annotations": {"landfall.dev/once": "tls.key"}},
        "type": "kubernetes.io/tls", "data": {"tls.key": "b25l", "tls.crt": "b25l"}});
    stage.create("secrets", keys);
    let issuer = json!({"name": "own"});
    let spec = json!({"secretName": "keys", "commonName": "keys", "issuerRef": issuer});
    stage.create(CERTIFICATES, json!({"metadata": {"name": "keys"}, "spec": spec}));
    stage.rest();
    assert_eq!(stage.find("secrets", "keys")["data"]["tls.key"], "b25l");
}
