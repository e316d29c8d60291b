//! The sealed-secrets controller's twin with keys: what opens, what does not, and what it answers over HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_apiserver::{Actor, HttpAnswer, ServiceRequest};
use landfall_object::{ONCE_ANNOTATION, SIMULATED};
use landfall_secrets::{KeySize, PlainSecret, Scope, Sealing, SealingKey, seal};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::super::fields::{annotation, condition, text, uid};
use super::Stage;
use crate::operators::sealed_secrets;

const SEALED: &str = "sealedsecrets.bitnami.com";

fn stage() -> Stage {
    let mut stage = Stage::plain();
    for definition in landfall_object::operators::definitions("bitnami.com") {
        stage.create("customresourcedefinitions.apiextensions.k8s.io", definition);
    }
    stage.rest();
    stage
}

fn key(stage: &Stage) -> SealingKey {
    SealingKey::generate(KeySize::Rsa2048, stage.world.now()).expect("a key")
}

fn keep(stage: &mut Stage, key: &SealingKey) {
    // As somebody restores one.
    let kubectl = Actor::system("kubectl");
    stage.world.create(&kubectl, "secrets", key.to_secret("kube-system")).expect("a valid object");
    stage.rest();
}

fn sealed(key: &SealingKey, scope: Scope, name: &str) -> Value {
    let secret = PlainSecret::read(&json!({
        "kind": "Secret", "type": "Opaque", "stringData": {"A": "one", "B": "two"},
        "metadata": {"name": name, "namespace": "shop", "labels": {"x": "y"}},
    }));
    let how = Sealing { scope, ..Sealing::default() };
    seal(secret.expect("fine").expect("a Secret"), key.private.public(), &how).expect("sealed")
}

fn synced(stage: &Stage, name: &str) -> (String, String) {
    let sealed = stage.find(SEALED, name);
    let condition = condition(&sealed, "Synced").expect("a condition");
    (text(condition, "/status").to_owned(), text(condition, "/message").to_owned())
}

fn value(stage: &Stage, name: &str, key: &str) -> String {
    let secret = stage.find("secrets", name);
    String::from_utf8(STANDARD.decode(text(&secret, &format!("/data/{key}"))).expect("base64")).expect("text")
}

const TRUE: (&str, &str) = ("True", "");

fn is(found: &(String, String), wanted: (&str, &str)) -> bool {
    (found.0.as_str(), found.1.as_str()) == wanted
}

#[test]
fn what_its_keys_open_becomes_the_true_secret_in_every_scope() {
    let mut stage = stage();
    let own = key(&stage);
    keep(&mut stage, &own);
    for scope in Scope::ALL {
        stage.create(SEALED, sealed(&own, scope, scope.name()));
        stage.rest();
        assert!(is(&synced(&stage, scope.name()), TRUE));
        let secret = stage.find("secrets", scope.name());
        assert_eq!(value(&stage, scope.name(), "A"), "one");
        assert_eq!((text(&secret, "/metadata/labels/x"), annotation(&secret, SIMULATED)), ("y", None));
        let owner = &secret["metadata"]["ownerReferences"][0];
        assert_eq!(
            (text(owner, "/kind"), text(owner, "/uid")),
            ("SealedSecret", uid(&stage.find(SEALED, scope.name())))
        );
        assert_eq!(stage.events(scope.name()), ["Unsealed SealedSecret unsealed successfully"]);
    }
}

#[test]
fn a_certificate_and_a_sealed_secret_of_one_name_do_not_stop_the_time() {
    let mut stage = stage();
    for definition in landfall_object::operators::definitions("cert-manager.io") {
        stage.create("customresourcedefinitions.apiextensions.k8s.io", definition);
    }
    let own = key(&stage);
    keep(&mut stage, &own);
    stage.create("issuers.cert-manager.io", json!({"metadata": {"name": "own"}, "spec": {"selfSigned": {}}}));
    stage.create(SEALED, sealed(&own, Scope::Strict, "keys"));
    stage.rest();
    stage.create(
        "certificates.cert-manager.io",
        json!({"metadata": {"name": "keys"}, "spec": {"secretName": "keys", "dnsNames": ["a.example.com"],
               "issuerRef": {"name": "own", "kind": "Issuer"}}}),
    );
    stage.pass(600);
    assert_eq!(value(&stage, "keys", "A"), "one");
    let issued = stage.find("certificates.cert-manager.io", "keys")["status"]["revision"].as_i64().expect("issued");
    assert!(issued < 250, "{issued} certificates in ten minutes");
}

#[test]
fn a_value_that_no_key_opens_is_told_as_the_original_tells_it_and_opens_once_its_key_is_restored() {
    let mut stage = stage();
    let (own, lost) = (key(&stage), key(&stage));
    keep(&mut stage, &own);
    stage.create(SEALED, sealed(&lost, Scope::Strict, "keys"));
    stage.rest();
    let why = "no key could decrypt secret (A, B)";
    assert!(is(&synced(&stage, "keys"), ("False", why)), "{:?}", synced(&stage, "keys"));
    assert_eq!(stage.events("keys"), [format!("ErrUnsealFailed Failed to unseal: {why}")]);
    assert!(!stage.names("secrets").contains(&"keys".to_owned()));
    stage.pass(3600);
    keep(&mut stage, &lost);
    assert!(is(&synced(&stage, "keys"), TRUE));
    assert_eq!(value(&stage, "keys", "B"), "two");
}

#[test]
fn placeholders_become_true_values_when_a_key_comes_and_a_deleted_secret_comes_back() {
    let mut stage = stage();
    let own = key(&stage);
    stage.create(SEALED, sealed(&own, Scope::Strict, "keys"));
    stage.rest();
    assert_eq!(value(&stage, "keys", "A"), "~simulated");
    stage.pass(60);
    keep(&mut stage, &own);
    assert_eq!(value(&stage, "keys", "A"), "one");
    assert_eq!(annotation(&stage.find("secrets", "keys"), SIMULATED), None);
    stage.pass(60);
    stage.delete("secrets", "shop", "keys");
    stage.rest();
    assert_eq!(value(&stage, "keys", "A"), "one");
}

/// LP-131: a Secret of the same name that may be taken over is taken over as it is, so that its pods keep running.
#[test]
fn a_plain_secret_is_taken_over_with_its_uid_where_it_says_so_and_else_refused() {
    let mut stage = stage();
    let own = key(&stage);
    keep(&mut stage, &own);
    stage.create("secrets", json!({"metadata": {"name": "keys"}, "stringData": {"OLD": "kept"}}));
    let before = uid(&stage.find("secrets", "keys")).to_owned();
    stage.create(SEALED, sealed(&own, Scope::Strict, "keys"));
    stage.rest();
    let why = "failed update: Resource \"keys\" already exists and is not managed by SealedSecret";
    assert!(is(&synced(&stage, "keys"), ("False", why)), "{:?}", synced(&stage, "keys"));
    assert_eq!(value(&stage, "keys", "OLD"), "kept");
    stage.change("secrets", "keys", |secret| {
        secret["metadata"]["annotations"] = json!({"sealedsecrets.bitnami.com/managed": "true"});
    });
    stage.rest();
    assert!(is(&synced(&stage, "keys"), TRUE), "{:?}", synced(&stage, "keys"));
    let after = stage.find("secrets", "keys");
    assert_eq!((uid(&after), value(&stage, "keys", "A").as_str()), (before.as_str(), "one"));
    assert!(after["data"].get("OLD").is_none(), "it is replaced whole, as the original does");
}

#[test]
fn a_patched_secret_keeps_its_own_keys_and_a_skipped_owner_outlives_what_made_it() {
    let mut stage = stage();
    let own = key(&stage);
    keep(&mut stage, &own);
    let patch = json!({"name": "keys", "annotations": {"sealedsecrets.bitnami.com/patch": "true"}});
    stage.create("secrets", json!({"metadata": patch, "stringData": {"OLD": "kept"}}));
    stage.create(SEALED, sealed(&own, Scope::Strict, "keys"));
    let mut alone = sealed(&own, Scope::Strict, "alone");
    alone["spec"]["template"]["metadata"]["annotations"] =
        json!({"sealedsecrets.bitnami.com/skip-set-owner-references": "true"});
    stage.create(SEALED, alone);
    stage.rest();
    assert_eq!((value(&stage, "keys", "OLD").as_str(), value(&stage, "keys", "A").as_str()), ("kept", "one"));
    for name in ["keys", "alone"] {
        assert!(stage.find("secrets", name)["metadata"].get("ownerReferences").is_none());
        stage.delete(SEALED, "shop", name);
    }
    stage.pass(60);
    assert_eq!(value(&stage, "alone", "B"), "two");
}

/// D6: also what is sealed may not replace a key that is generated once, nor take its protection away.
#[test]
fn a_key_generated_once_survives_a_sealed_secret_of_another_value() {
    let mut stage = stage();
    let own = key(&stage);
    keep(&mut stage, &own);
    let held = json!({"name": "keys", "annotations":
        {ONCE_ANNOTATION: "A", "sealedsecrets.bitnami.com/managed": "true"}});
    stage.create("secrets", json!({"metadata": held, "stringData": {"A": "first"}}));
    stage.create(SEALED, sealed(&own, Scope::Strict, "keys"));
    stage.rest();
    let why = "failed update: Secret shop/keys holds A generated once, which would be changed";
    assert!(is(&synced(&stage, "keys"), ("False", why)), "{:?}", synced(&stage, "keys"));
    assert_eq!(value(&stage, "keys", "A"), "first");
    let same = json!({"name": "same", "annotations":
        {ONCE_ANNOTATION: "A", "sealedsecrets.bitnami.com/managed": "true"}});
    stage.create("secrets", json!({"metadata": same, "stringData": {"A": "one"}}));
    stage.create(SEALED, sealed(&own, Scope::Strict, "same"));
    stage.rest();
    assert!(is(&synced(&stage, "same"), TRUE), "{:?}", synced(&stage, "same"));
    assert_eq!(annotation(&stage.find("secrets", "same"), ONCE_ANNOTATION), Some("A"));
}

/// The original compares `spec` alone: a scope that was changed by its annotation is not looked at again.
#[test]
fn a_scope_that_is_changed_by_its_annotation_is_looked_at_again() {
    let mut stage = stage();
    let own = key(&stage);
    keep(&mut stage, &own);
    stage.create(SEALED, sealed(&own, Scope::Strict, "keys"));
    stage.rest();
    stage.pass(60);
    stage.change(SEALED, "keys", |sealed| Scope::ClusterWide.write(&mut sealed["metadata"]));
    stage.rest();
    assert_eq!(synced(&stage, "keys").0, "False");
}

#[test]
fn an_immutable_secret_says_that_it_must_be_made_anew() {
    let mut stage = stage();
    let own = key(&stage);
    keep(&mut stage, &own);
    let mut first = sealed(&own, Scope::Strict, "keys");
    first["spec"]["template"]["immutable"] = true.into();
    stage.create(SEALED, first);
    stage.rest();
    assert!(is(&synced(&stage, "keys"), TRUE));
    let next = sealed(&own, Scope::Strict, "keys");
    stage.change(SEALED, "keys", |it| {
        it["spec"]["encryptedData"] = json!({"A": next["spec"]["encryptedData"]["B"]});
    });
    stage.rest();
    let (status, message) = synced(&stage, "keys");
    assert!(status == "False" && message.ends_with("field is immutable when `immutable` is set"), "{message}");
    assert_eq!(value(&stage, "keys", "A"), "one");
}

/// What the API server has against the Secret is told of this generation, as the original tells it, and what may be put right is.
#[test]
fn what_the_server_refuses_is_told_in_its_words() {
    let mut stage = stage();
    let own = key(&stage);
    keep(&mut stage, &own);
    stage.create(SEALED, sealed(&own, Scope::Strict, "keys"));
    stage.rest();
    assert!(is(&synced(&stage, "keys"), TRUE));
    stage.pass(60);
    stage.change(SEALED, "keys", |it| it["spec"]["template"]["type"] = "foo/bar".into());
    stage.rest();
    let (status, message) = synced(&stage, "keys");
    assert!(status == "False" && message.starts_with("Secret \"keys\" is invalid: type: "), "{status} {message}");
    assert_eq!(stage.find(SEALED, "keys")["status"]["observedGeneration"], 2);
    assert_eq!(stage.events("keys").last(), Some(&format!("ErrUpdateFailed {message}")));
    // Whoever deletes the Secret lets it be made anew.
    stage.pass(60);
    stage.delete("secrets", "shop", "keys");
    stage.rest();
    assert!(is(&synced(&stage, "keys"), TRUE), "{:?}", synced(&stage, "keys"));
    // One that never comes to be.
    let mut without = sealed(&own, Scope::Strict, "tls");
    without["spec"]["template"]["type"] = "kubernetes.io/tls".into();
    stage.create(SEALED, without);
    stage.rest();
    let (status, message) = synced(&stage, "tls");
    assert!(status == "False" && message.starts_with("Secret \"tls\" is invalid: "), "{status} {message}");
    assert_eq!(stage.events("tls"), [format!("ErrUpdateFailed {message}")]);
}

/// Its template says nothing of what the Secret says itself.
#[test]
fn a_secret_that_is_protected_itself_gets_no_owner_and_loses_the_one_that_it_has() {
    let mut stage = stage();
    let own = key(&stage);
    keep(&mut stage, &own);
    let managed = json!({ONCE_ANNOTATION: "A", "sealedsecrets.bitnami.com/managed": "true"});
    let values = json!({"A": "one", "B": "two"});
    stage.create("secrets", json!({"metadata": {"name": "taken", "annotations": managed}, "stringData": values}));
    let patched = json!({ONCE_ANNOTATION: "C", "sealedsecrets.bitnami.com/managed": "true", "sealedsecrets.bitnami.com/patch": "true"});
    stage.create(
        "secrets",
        json!({"metadata": {"name": "patched", "annotations": patched}, "stringData": {"C": "three"}}),
    );
    for name in ["taken", "patched", "owned", "refused"] {
        stage.create(SEALED, sealed(&own, Scope::Strict, name));
    }
    stage.rest();
    stage.pass(60);
    for name in ["owned", "refused"] {
        assert!(!stage.find("secrets", name)["metadata"]["ownerReferences"].is_null());
        stage.change("secrets", name, |it| it["metadata"]["annotations"] = json!({ONCE_ANNOTATION: "A"}));
        if name == "refused" {
            // Before anybody has looked it is of another value, too.
            stage
                .change(SEALED, name, |it| it["spec"]["encryptedData"]["A"] = it["spec"]["encryptedData"]["B"].clone());
        }
        stage.rest();
    }
    for name in ["taken", "patched", "owned", "refused"] {
        let secret = stage.find("secrets", name);
        assert_eq!(secret["metadata"].get("ownerReferences"), None, "{name}");
        assert_eq!(synced(&stage, name).0, if name == "refused" { "False" } else { "True" }, "{name}");
        stage.pass(60);
        stage.delete(SEALED, "shop", name);
        stage.rest();
        assert_eq!(uid(&stage.find("secrets", name)), uid(&secret), "{name}");
    }
    // One that comes again takes it on, and settles.
    stage.create(SEALED, sealed(&own, Scope::Strict, "taken"));
    stage.rest();
    assert!(is(&synced(&stage, "taken"), TRUE), "{:?}", synced(&stage, "taken"));
}

/// The garbage collector saw the owners go, though their kind can no longer be asked for.
#[test]
fn what_objects_of_a_definition_own_goes_with_it_and_what_is_generated_once_does_not() {
    let mut stage = stage();
    let own = key(&stage);
    keep(&mut stage, &own);
    stage.create(SEALED, sealed(&own, Scope::Strict, "owned"));
    let mut once = sealed(&own, Scope::Strict, "once");
    once["spec"]["template"]["metadata"]["annotations"] = json!({ONCE_ANNOTATION: "A"});
    stage.create(SEALED, once);
    stage.rest();
    stage.delete("customresourcedefinitions.apiextensions.k8s.io", "", SEALED);
    stage.rest();
    let left = stage.names("secrets");
    assert!(left.contains(&"once".to_owned()) && !left.contains(&"owned".to_owned()), "{left:?}");
}

fn ask(stage: &mut Stage, name: &str, path: &str, body: &str) -> Option<HttpAnswer> {
    ask_as(stage, "curl", name, path, body)
}

fn ask_as(stage: &mut Stage, agent: &str, name: &str, path: &str, body: &str) -> Option<HttpAnswer> {
    let world = std::mem::replace(&mut stage.world, Stage::plain().world);
    let world = Mutex::new(world);
    let method = if body.is_empty() { "GET" } else { "POST" };
    let request = ServiceRequest { namespace: "kube-system", name, method, path, agent, body: body.as_bytes() };
    let answer = sealed_secrets::answer(&world, &request);
    stage.world = world.into_inner();
    answer
}

#[test]
fn its_service_gives_a_certificate_opens_and_seals_anew_under_the_newest_key() {
    let mut stage = stage();
    let name = "sealed-secrets-controller";
    let certificate = |stage: &mut Stage| {
        let answer = ask(stage, name, "/v1/cert.pem", "").expect("answered");
        assert_eq!((answer.status, answer.headers[0].1.as_str()), (200, "application/x-pem-file"));
        landfall_secrets::Certificate::parse(&answer.body).expect("a certificate")
    };
    let old = key(&stage);
    keep(&mut stage, &old);
    assert_eq!(certificate(&mut stage).pem(), old.certificate.as_ref().expect("its own").pem());
    let strict = sealed(&old, Scope::Strict, "keys");
    let status = |stage: &mut Stage, body: &str| ask(stage, name, "/v1/verify", body).expect("answered").status;
    assert_eq!(status(&mut stage, &strict.to_string()), 200);
    let foreign = sealed(&key(&stage), Scope::Strict, "keys").to_string();
    assert_eq!(status(&mut stage, &foreign), 409);
    assert_eq!(status(&mut stage, "{}"), 500);
    assert_eq!(status(&mut stage, &format!("{strict}\n---\n{strict}")), 500);
    stage.pass(31 * 24 * 3600);
    let renewed = certificate(&mut stage);
    assert_ne!(renewed.pem(), old.certificate.as_ref().expect("its own").pem());
    assert_eq!(certificate(&mut stage).pem(), renewed.pem(), "it is kept");
    let anew = ask(&mut stage, name, "/v1/rotate", &strict.to_string()).expect("answered");
    let anew: Value = serde_json::from_slice(&anew.body).expect("JSON");
    assert_ne!(anew["spec"]["encryptedData"], strict["spec"]["encryptedData"]);
    stage.create(SEALED, anew);
    stage.rest();
    assert!(is(&synced(&stage, "keys"), TRUE));
    assert_eq!(ask(&mut stage, name, "/v1/rotate", &foreign).expect("answered").status, 500);
    assert_eq!(ask(&mut stage, name, "/v1/nope", "").expect("answered").status, 404);
    assert!(ask(&mut stage, "another", "/v1/cert.pem", "").is_none());
}

#[test]
fn it_answers_nothing_where_sealed_secrets_are_not_served_or_the_real_one_acts() {
    let mut plain = Stage::plain();
    assert!(ask(&mut plain, "sealed-secrets-controller", "/healthz", "").is_none());
    let mut stage = stage();
    assert_eq!(ask(&mut stage, "sealed-secrets-controller", "/healthz", "").expect("answered").body, b"ok\n");
    let entry = r#"{"state":"stood-back","since":"2026-01-01T00:00:00Z","because":"x"}"#;
    let record = json!({"name": "landfall-operators", "namespace": "kube-system"});
    stage.create("configmaps", json!({"metadata": record, "data": {"sealed-secrets": entry}}));
    assert!(ask(&mut stage, "sealed-secrets-controller", "/healthz", "").is_none());
}

#[test]
fn kubeseal_alone_is_shown_a_service_that_is_not_there_and_a_real_one_wins() {
    let mut stage = Stage::plain();
    let (name, kubeseal) = ("sealed-secrets-controller", "kubeseal");
    let shown = |stage: &Stage, agent: &str, namespace: &str, name: &str| {
        sealed_secrets::service_for(&stage.world, namespace, name, agent)
    };
    // Before anything is delivered, under the name that it was told.
    for (namespace, name) in [("kube-system", name), ("kube-system", "sealed-secrets"), ("vault", "sealer")] {
        let service = shown(&stage, kubeseal, namespace, name).expect("shown");
        assert_eq!((text(&service, "/spec/ports/0/name"), text(&service, "/metadata/name")), ("http", name));
        assert!(shown(&stage, "kubeseal-0.38.4", namespace, name).is_some());
        for other in ["helm", "kubectl", "Helm", "curl", "", "my-kubeseal"] {
            assert!(shown(&stage, other, namespace, name).is_none(), "{other}");
        }
    }
    let given = ask_as(&mut stage, kubeseal, "sealed-secrets", "/v1/cert.pem", "").expect("answered");
    assert_eq!(given.status, 200);
    assert!(ask_as(&mut stage, "kubectl", "sealed-secrets", "/v1/cert.pem", "").is_none());
    let service = |name: &str, is: &str| {
        json!({"metadata": {"name": name, "namespace": "kube-system"},
            "spec": {"selector": {"app.kubernetes.io/name": is}, "ports": [{"name": "web", "port": 80}]}})
    };
    stage.create("services", service("sealed-secrets", "sealed-secrets"));
    stage.create("services", service(name, "web"));
    for name in ["sealed-secrets", name] {
        assert!(shown(&stage, kubeseal, "kube-system", name).is_none(), "{name}");
    }
    assert!(ask_as(&mut stage, kubeseal, "sealed-secrets", "/v1/cert.pem", "").is_some_and(|same| same == given));
    assert!(ask_as(&mut stage, kubeseal, name, "/v1/cert.pem", "").is_none());
    let entry = r#"{"state":"stood-back","since":"2026-01-01T00:00:00Z","because":"x"}"#;
    let record = json!({"name": "landfall-operators", "namespace": "kube-system"});
    stage.create("configmaps", json!({"metadata": record, "data": {"sealed-secrets": entry}}));
    assert!(shown(&stage, kubeseal, "vault", "sealer").is_none());
    assert!(ask_as(&mut stage, kubeseal, "sealed-secrets", "/v1/cert.pem", "").is_none());
}
