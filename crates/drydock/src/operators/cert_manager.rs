//! cert-manager, simulated: issuers get ready, certificates become self-signed secrets that say what they are.

pub(crate) mod issued;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use issued::{Authority, Signing, Term};
use jiff::Timestamp;
use landfall_apiserver::{ObjectRef, Status, rfc3339};
use landfall_object::SIMULATED;
use serde_json::{Value, json};

use crate::controllers::desk::{Agent, Desk, EventType, Found, Outcome};
use crate::controllers::fields::{
    annotation, child, controller_reference, deleting, entries, instant, is_controlled_by, list, map, name, namespace,
    text,
};
use crate::controllers::kind::{INGRESS, Kind, SECRET, kinds};
use crate::operators::{DEFINITIONS, Twin, Wake, Within};

kinds! {
    ISSUER = "cert-manager.io" "v1" "Issuer" "issuers.cert-manager.io" namespaced;
    CLUSTER_ISSUER = "cert-manager.io" "v1" "ClusterIssuer" "clusterissuers.cert-manager.io" cluster;
    CERTIFICATE = "cert-manager.io" "v1" "Certificate" "certificates.cert-manager.io" namespaced;
}

/// cert-manager.
pub(crate) const TWIN: Twin = Twin {
    name: "cert-manager",
    agent: Agent::Operator("cert-manager-simulated"),
    kinds: &[CERTIFICATE, ISSUER, CLUSTER_ISSUER],
    leases: &["cert-manager-controller"],
    queue: &[ISSUER, CLUSTER_ISSUER, CERTIFICATE, INGRESS],
    wakes: &[
        Wake {
            after: &["secrets", DEFINITIONS],
            queue: &[CERTIFICATE, ISSUER, CLUSTER_ISSUER],
            within: Within::Namespace,
        },
        Wake { after: &[ISSUER.id, CLUSTER_ISSUER.id], queue: &[CERTIFICATE], within: Within::Namespace },
    ],
    reconcile,
};

/// Where cluster issuers look for their secrets.
const HOME: &str = "cert-manager";

/// After how long a certificate whose secret is another one's is looked at again (cert-manager: the trigger controller).
const SECRET_IS_LOOKED_AT_AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_mins(3);

/// What is said of a certificate that is good.
const UP_TO_DATE: &str = "Certificate is up to date and has not expired";

/// Looks at an issuer, a certificate, or an ingress that asks for one.
fn reconcile(desk: &mut Desk<'_>, object: &ObjectRef) -> Result<Outcome, Status> {
    match &*object.resource {
        id if id == ISSUER.id => issuer(desk, &ISSUER, &object.namespace, &object.name),
        id if id == CLUSTER_ISSUER.id => issuer(desk, &CLUSTER_ISSUER, "", &object.name),
        id if id == CERTIFICATE.id => certificate(desk, &object.namespace, &object.name),
        id if id == INGRESS.id => ingress(desk, &object.namespace, &object.name),
        _ => Ok(Outcome::done()),
    }
}

fn issuer(desk: &mut Desk<'_>, kind: &Kind, namespace_: &str, name_: &str) -> Result<Outcome, Status> {
    let Some(issuer) = desk.get(kind, namespace_, name_).filter(|i| !deleting(i)) else { return Ok(Outcome::done()) };
    let finding = if issuer.pointer("/spec/acme").is_some() {
        ("True", "ACMEAccountRegistered", "The ACME account was registered with the ACME server (simulated)".to_owned())
    } else if issuer.pointer("/spec/ca").is_some() {
        match authority(desk, &issuer, namespace_) {
            Ok(_) => ("True", "KeyPairVerified", "Signing CA verified (simulated)".to_owned()),
            Err(Unsigned { reason, message }) => ("False", reason, message),
        }
    } else if issuer.pointer("/spec/selfSigned").is_some() {
        ("True", "IsReady", String::new())
    } else {
        ("True", "Simulated", "simulated".to_owned())
    };
    let mut status = json!({"conditions": [condition(desk, &issuer, "Ready", finding.0, finding.1, &finding.2)]});
    if let Some(acme) = issuer.pointer("/spec/acme") {
        status["acme"] = json!({"lastRegisteredEmail": text(acme, "/email"), "uri": "simulated://acme/account"});
    }
    write_status(desk, kind, &issuer, status)?;
    Ok(Outcome::done())
}

fn condition(desk: &Desk<'_>, object: &Value, kind: &str, status: &str, reason: &str, message: &str) -> Value {
    let since = crate::controllers::fields::condition(object, kind)
        .filter(|c| text(c, "/status") == status)
        .map_or_else(|| rfc3339(desk.now()).into(), |c| c["lastTransitionTime"].clone());
    let mut made = json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
    });
    if let Some(generation) = object.pointer("/metadata/generation") {
        made["observedGeneration"] = generation.clone();
    }
    made
}

fn write_status(desk: &mut Desk<'_>, kind: &Kind, object: &Found, status: Value) -> Result<(), Status> {
    if object.get("status") != Some(&status) {
        let mut changed = object.value().clone();
        changed["status"] = status;
        desk.update_status(kind, changed)?;
    }
    Ok(())
}

fn certificate(desk: &mut Desk<'_>, namespace_: &str, name_: &str) -> Result<Outcome, Status> {
    let Some(certificate) = desk.get(&CERTIFICATE, namespace_, name_).filter(|c| !deleting(c)) else {
        return Ok(Outcome::done());
    };
    let secret = desk.get(&SECRET, namespace_, text(&certificate, "/spec/secretName"));
    if let Some(owner) = other_owner(desk, &certificate, secret.as_ref()) {
        return wait_for_secret(desk, &certificate, secret.is_some(), &owner);
    }
    let renewal = instant(&certificate, "/status/renewalTime");
    if renewal.is_some_and(|at| at > desk.now())
        && secret.as_ref().is_some_and(|secret| issued::fits(&certificate, secret))
    {
        // Whatever has become of the issuer since.
        stay_ready(desk, &certificate)?;
        return Ok(until(desk, renewal));
    }
    let wanted = text(&certificate, "/spec/issuerRef/name").to_owned();
    let cluster_wide = text(&certificate, "/spec/issuerRef/kind") == "ClusterIssuer";
    let (kind, within) = if cluster_wide { (CLUSTER_ISSUER, "") } else { (ISSUER, namespace_) };
    let issuer = desk.get(&kind, within, &wanted);
    let ready = issuer.as_ref().is_some_and(|i| crate::controllers::fields::is_true(i, "Ready"));
    if !ready {
        if issuer.is_none() && desk.first_reported(&certificate, "IssuerNotFound").is_none() {
            let message = format!(
                "Referenced \"{}\" not found: {}.cert-manager.io \"{wanted}\" not found",
                kind.kind,
                kind.kind.to_ascii_lowercase(),
            );
            desk.event(&certificate, EventType::Warning, "IssuerNotFound", &message);
        }
        let why = "Issuing certificate as Secret does not exist";
        let status = json!({"conditions": [
            condition(desk, &certificate, "Issuing", "True", "DoesNotExist", why),
            condition(desk, &certificate, "Ready", "False", "DoesNotExist", why),
        ]});
        write_status(desk, &CERTIFICATE, &certificate, status)?;
        return Ok(Outcome::done());
    }
    let authority = match issuer.as_ref().map(|issuer| authority(desk, issuer, within)) {
        Some(Ok(Signing::Pair(authority))) => Some(authority),
        _ => None,
    };
    issue(desk, &certificate, secret.as_ref(), &kind, authority.as_deref())
}

/// The certificate whose secret it is, where that is another one of the same `secretName`: the one that the secret says it
/// was issued for, else the oldest (cert-manager: `CertificateOwnsSecret`). Two that both issued would write over each other
/// without end.
fn other_owner(desk: &Desk<'_>, certificate: &Found, secret: Option<&Found>) -> Option<String> {
    let wanted = text(certificate, "/spec/secretName");
    let mut rivals = desk.list(&CERTIFICATE, namespace(certificate));
    rivals.retain(|rival| text(rival, "/spec/secretName") == wanted);
    rivals.sort_by_key(|rival| (instant(rival, "/metadata/creationTimestamp"), name(rival).to_owned()));
    let named = secret.and_then(|secret| annotation(secret, "cert-manager.io/certificate-name"));
    let owner = rivals.iter().find(|rival| named == Some(name(rival))).or(rivals.first())?;
    Some(name(owner).to_owned()).filter(|owner| owner != name(certificate))
}

/// A certificate whose secret is another one's is not issued; it says so, and is looked at again as the real one is.
fn wait_for_secret(desk: &mut Desk<'_>, certificate: &Found, is_issued: bool, owner: &str) -> Result<Outcome, Status> {
    let (reason, message) = if is_issued {
        let message = format!(
            "Secret was issued for {owner:?}. If this message is not transient, you might have two conflicting Certificates \
             pointing to the same secret."
        );
        ("IncorrectCertificate", message)
    } else {
        ("DoesNotExist", "Issuing certificate as Secret does not exist".to_owned())
    };
    let status = json!({"conditions": [condition(desk, certificate, "Ready", "False", reason, &message)]});
    write_status(desk, &CERTIFICATE, certificate, status)?;
    Ok(until(desk, desk.now().checked_add(SECRET_IS_LOOKED_AT_AGAIN).ok()))
}

/// Says of a certificate that needs nothing that its present specification was looked at.
fn stay_ready(desk: &mut Desk<'_>, certificate: &Found) -> Result<(), Status> {
    let mut status = certificate["status"].clone();
    status["conditions"] = json!([condition(desk, certificate, "Ready", "True", "Ready", UP_TO_DATE)]);
    write_status(desk, &CERTIFICATE, certificate, status)
}

/// On the machine's clock the certificate is looked at when it is to be renewed. Virtual time would jump from one renewal to
/// the next for ever: there it is made when something else happens after its time.
fn until(desk: &Desk<'_>, renewal: Option<Timestamp>) -> Outcome {
    Outcome::again_at(renewal.filter(|_| desk.is_real_time()))
}

/// What a CA issuer signs with; a placeholder for issuers of other kinds.
fn authority(desk: &Desk<'_>, issuer: &Value, within: &str) -> Result<Signing, Unsigned> {
    let Some(ca) = issuer.pointer("/spec/ca") else { return Ok(Signing::Placeholder) };
    let (within, secret) = (if within.is_empty() { HOME } else { within }, text(ca, "/secretName"));
    let Some(found) = desk.get(&SECRET, within, secret) else {
        let message = format!("Error getting keypair for CA issuer: secrets \"{secret}\" not found");
        return Err(Unsigned { reason: "ErrGetKeyPair", message });
    };
    let error =
        |why| Unsigned { reason: "ErrInvalidKeyPair", message: format!("Error getting keypair for CA issuer: {why}") };
    issued::signing(&found).map_err(error)
}

/// Why a CA issuer cannot sign.
struct Unsigned {
    reason: &'static str,
    message: String,
}

fn issue(
    desk: &mut Desk<'_>,
    certificate: &Found,
    secret: Option<&Found>,
    issuer: &Kind,
    authority: Option<&Authority>,
) -> Result<Outcome, Status> {
    let term = Term::of(certificate, desk.now());
    let kept = secret.map(|secret| secret.value());
    let issued = issued::issue(certificate, term, kept, authority)
        .map_err(|error| Status::internal(format!("a simulated certificate could not be made: {error}")))?;
    let encode = |text: &str| STANDARD.encode(text);
    let secret_name = text(certificate, "/spec/secretName");
    let mut made = secret.map_or_else(
        || {
            json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                "metadata": {"name": secret_name, "namespace": namespace(certificate),
                             "labels": {"controller.cert-manager.io/fao": "true"}},
            })
        },
        |secret| secret.value().clone(),
    );
    // What others keep in the Secret is theirs: the real one applies these three.
    let data = child(&mut made, "data");
    for (key, value) in [("tls.crt", &issued.certificate), ("tls.key", &issued.key), ("ca.crt", &issued.authority)] {
        data[key] = encode(value).into();
    }
    for (part, pointer) in
        [("annotations", "/spec/secretTemplate/annotations"), ("labels", "/spec/secretTemplate/labels")]
    {
        for (key, value) in entries(certificate, pointer) {
            child(child(&mut made, "metadata"), part)[key] = value.into();
        }
    }
    let annotations = child(child(&mut made, "metadata"), "annotations");
    for (key, value) in [
        ("cert-manager.io/certificate-name", name(certificate)),
        ("cert-manager.io/issuer-name", text(certificate, "/spec/issuerRef/name")),
        ("cert-manager.io/issuer-kind", issuer.kind),
        ("cert-manager.io/issuer-group", text(certificate, "/spec/issuerRef/group")),
        ("cert-manager.io/common-name", text(certificate, "/spec/commonName")),
        ("cert-manager.io/alt-names", &issued::alt_names(certificate).join(",")),
        ("cert-manager.io/ip-sans", &issued::names(certificate, "ipAddresses").join(",")),
        ("cert-manager.io/uri-sans", &issued::names(certificate, "uris").join(",")),
        (SIMULATED, if authority.is_some() { "signed by a simulated issuer" } else { "self-signed" }),
        (issued::ISSUED_FOR, &issued::fingerprint(certificate)),
    ] {
        annotations[key] = value.into();
    }
    if secret.is_some() {
        desk.update(&SECRET, made)?;
    } else {
        desk.event(certificate, EventType::Normal, "Issuing", "Issuing certificate as Secret does not exist");
        desk.create(&SECRET, made)?;
    }
    let revision = certificate.pointer("/status/revision").and_then(Value::as_i64).unwrap_or(0) + 1;
    let status = json!({
        "conditions": [condition(desk, certificate, "Ready", "True", "Ready", UP_TO_DATE)],
        "notBefore": rfc3339(term.not_before),
        "notAfter": rfc3339(term.not_after),
        "renewalTime": rfc3339(term.renewal),
        "revision": revision,
    });
    write_status(desk, &CERTIFICATE, certificate, status)?;
    let issued = "The certificate has been successfully issued (simulated)";
    desk.event(certificate, EventType::Normal, "Issuing", issued);
    Ok(until(desk, Some(term.renewal)))
}

/// An ingress that names an issuer gets a certificate for each of its secrets.
fn ingress(desk: &mut Desk<'_>, namespace_: &str, name_: &str) -> Result<Outcome, Status> {
    let Some(ingress) = desk.get(&INGRESS, namespace_, name_).filter(|i| !deleting(i)) else {
        return Ok(Outcome::done());
    };
    let cluster_wide = annotation(&ingress, "cert-manager.io/cluster-issuer");
    let Some(issuer) = cluster_wide.or_else(|| annotation(&ingress, "cert-manager.io/issuer")) else {
        return Ok(Outcome::done());
    };
    if desk.world().resource(CERTIFICATE.id).is_err() {
        return Ok(Outcome::done());
    }
    let kind = if cluster_wide.is_some() { "ClusterIssuer" } else { "Issuer" };
    for tls in list(&ingress, "/spec/tls").iter().filter(|t| !text(t, "/secretName").is_empty()) {
        let secret = text(tls, "/secretName");
        let spec = json!({
            "secretName": secret,
            "dnsNames": tls.get("hosts").cloned().unwrap_or_else(|| json!([])),
            "issuerRef": {"name": issuer, "kind": kind, "group": "cert-manager.io"},
            "usages": ["digital signature", "key encipherment"],
        });
        match desk.get(&CERTIFICATE, namespace_, secret) {
            None => {
                let mut made = json!({
                    "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
                    "metadata": {"name": secret, "namespace": namespace_,
                                 "ownerReferences": [controller_reference(&ingress)]},
                    "spec": spec,
                });
                if let Some(labels) = map(&ingress, "/metadata/labels") {
                    made["metadata"]["labels"] = Value::Object(labels.clone());
                }
                desk.create(&CERTIFICATE, made)?;
                let message = format!("Successfully created Certificate \"{secret}\"");
                desk.event(&ingress, EventType::Normal, "CreateCertificate", &message);
            }
            Some(there) if is_controlled_by(&there, &ingress) && there.get("spec") != Some(&spec) => {
                let mut changed = there.value().clone();
                changed["spec"] = spec;
                desk.update(&CERTIFICATE, changed)?;
            }
            Some(_) => {}
        }
    }
    Ok(Outcome::done())
}
