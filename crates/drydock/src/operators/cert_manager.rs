//! cert-manager, simulated: issuers get ready, certificates become self-signed secrets that say what they are.

use jiff::{SignedDuration, Timestamp};
use landfall_object::SIMULATED;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::controllers::desk::{Desk, EventType, Found, Outcome};
use crate::controllers::fields::{
    annotation, child, controller_reference, deleting, entries, instant, is_controlled_by, list, map, name, namespace,
    text,
};
use crate::controllers::kind::{CERTIFICATE, CLUSTER_ISSUER, INGRESS, ISSUER, Kind, SECRET};
use crate::simulation::parse_duration;
use crate::status::Status;
use crate::world::ObjectRef;

/// How long a certificate is good when nothing is said: 90 days.
const LIFE: SignedDuration = SignedDuration::from_hours(2160);
/// Where cluster issuers look for their secrets.
const HOME: &str = "cert-manager";

/// Looks at an issuer, a certificate, or an ingress that asks for one.
pub(crate) fn reconcile(desk: &mut Desk<'_>, object: &ObjectRef) -> Result<Outcome, Status> {
    desk.speaks_as("cert-manager-simulated");
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
    let secrets = if namespace_.is_empty() { HOME } else { namespace_ };
    let finding = if issuer.pointer("/spec/acme").is_some() {
        ("True", "ACMEAccountRegistered", "The ACME account was registered with the ACME server (simulated)".to_owned())
    } else if let Some(ca) = issuer.pointer("/spec/ca") {
        let secret = text(ca, "/secretName");
        if desk.get(&SECRET, secrets, secret).is_some() {
            ("True", "KeyPairVerified", "Signing CA verified (simulated)".to_owned())
        } else {
            let why = format!("Error getting keypair for CA issuer: secrets \"{secret}\" not found");
            ("False", "ErrGetKeyPair", why)
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
    let secret_name = text(&certificate, "/spec/secretName");
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
    let renewal = instant(&certificate, "/status/renewalTime");
    let secret = desk.get(&SECRET, namespace_, secret_name);
    let names = names_of(&certificate);
    let fits = secret.as_ref().is_some_and(|s| {
        annotation(s, "cert-manager.io/alt-names") == Some(names.join(",").as_str())
            && annotation(s, "cert-manager.io/issuer-name") == Some(wanted.as_str())
    });
    if fits && renewal.is_some_and(|at| at > desk.now()) {
        return Ok(Outcome::done());
    }
    issue(desk, &certificate, secret.as_ref(), &names, &kind)
}

fn names_of(certificate: &Value) -> Vec<String> {
    let common = text(certificate, "/spec/commonName");
    let mut names: Vec<String> =
        list(certificate, "/spec/dnsNames").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if names.is_empty() && !common.is_empty() {
        names.push(common.to_owned());
    }
    names
}

/// A key and a self-signed certificate for these names, as PEM.
pub(crate) fn self_signed(names: &[String], not_after: Timestamp) -> Option<(String, String)> {
    // Names that cannot stand in a certificate are left out rather than failing all.
    let valid: Vec<String> = names.iter().filter(|n| n.is_ascii() && !n.is_empty()).cloned().collect();
    let mut params = CertificateParams::new(valid.clone()).ok()?;
    let common = valid.first().cloned().unwrap_or_else(|| "simulated".to_owned());
    params.distinguished_name.push(DnType::CommonName, common);
    params.distinguished_name.push(DnType::OrganizationName, "Landfall simulated");
    let date = not_after.to_zoned(jiff::tz::TimeZone::UTC).date();
    params.not_after =
        rcgen::date_time_ymd(date.year().into(), u8::try_from(date.month()).ok()?, u8::try_from(date.day()).ok()?);
    let key = KeyPair::generate().ok()?;
    let certificate = params.self_signed(&key).ok()?;
    Some((certificate.pem(), key.serialize_pem()))
}

fn issue(
    desk: &mut Desk<'_>,
    certificate: &Found,
    secret: Option<&Found>,
    names: &[String],
    issuer: &Kind,
) -> Result<Outcome, Status> {
    let now = desk.now();
    let life = parse_duration(text(certificate, "/spec/duration")).unwrap_or(LIFE);
    let not_after = now.checked_add(life).unwrap_or(now);
    let early = parse_duration(text(certificate, "/spec/renewBefore")).filter(|e| *e < life).unwrap_or(life / 3);
    let renewal = not_after.checked_sub(early).unwrap_or(not_after);
    let Some((pem, key)) = self_signed(names, not_after) else {
        return Err(Status::internal("a simulated certificate could not be made"));
    };
    let encode = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
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
    made["data"] = json!({"tls.crt": encode(&pem), "tls.key": encode(&key), "ca.crt": encode(&pem)});
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
        ("cert-manager.io/alt-names", &names.join(",")),
        ("cert-manager.io/ip-sans", ""),
        ("cert-manager.io/uri-sans", ""),
        (SIMULATED, "self-signed"),
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
    let message = "Certificate is up to date and has not expired";
    let status = json!({
        "conditions": [condition(desk, certificate, "Ready", "True", "Ready", message)],
        "notBefore": rfc3339(now),
        "notAfter": rfc3339(not_after),
        "renewalTime": rfc3339(renewal),
        "revision": revision,
    });
    write_status(desk, &CERTIFICATE, certificate, status)?;
    let issued = "The certificate has been successfully issued (simulated)";
    desk.event(certificate, EventType::Normal, "Issuing", issued);
    // Nobody is woken for the renewal: virtual time would jump from one to the next for ever. It is made when the
    // certificate is looked at after its time.
    Ok(Outcome::done())
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
