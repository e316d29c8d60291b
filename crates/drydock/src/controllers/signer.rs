//! Certificates for approved requests, from the cluster's own authority (`pkg/controller/certificates/signer`).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use landfall_apiserver::{Credentials, Grant, Status, rfc3339};
use rcgen::{CertificateSigningRequestParams, DnType, DnValue, SanType};
use serde_json::{Value, json};

use super::desk::{Desk, Found, Outcome};
use super::fields::{child, condition, int, list, text};
use super::kind::SIGNING_REQUEST;
use super::loops::Loop;
use super::queue::Role;
use super::usages::{Usages, meaning};

/// How long a certificate is good when less is not asked for (`--cluster-signing-duration`).
const LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);
/// The shortest life, whatever is asked for.
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);
/// A certificate is good from a little before it was made, for clocks that are behind.
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);
/// A life that is shorter than this is not shortened by the backdating.
const SHORT: SignedDuration = SignedDuration::from_hours(8);

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop { role: Role::Signer, kinds: &[SIGNING_REQUEST], wakes: &[] };

/// Signs a request that is approved and names a signer of the control plane's own.
pub(super) fn reconcile(desk: &mut Desk<'_>, credentials: &Credentials, name: &str) -> Result<Outcome, Status> {
    let Some(found) = desk.get(&SIGNING_REQUEST, "", name) else { return Ok(Outcome::done()) };
    let holds = |kind| condition(&found, kind).is_some_and(|c| text(c, "/status") == "True");
    if !holds("Approved") || holds("Denied") || holds("Failed") || !text(&found, "/status/certificate").is_empty() {
        return Ok(Outcome::done());
    }
    let Some(signer) = text(&found, "/spec/signerName").strip_prefix("kubernetes.io/").and_then(Signer::of) else {
        return Ok(Outcome::done());
    };
    // A request that cannot be read was refused when it was made.
    let Some(request) = parse(text(&found, "/spec/request")) else { return Ok(Outcome::done()) };
    let usages: BTreeSet<&str> = list(&found, "/spec/usages").iter().filter_map(Value::as_str).collect();
    let mut changed = found.value().clone();
    match signer.check(&request, &usages).and_then(|()| granted(&found, &usages, desk.now())) {
        Ok(grant) => {
            let certificate = credentials.sign(request, grant).map_err(Status::internal)?;
            child(&mut changed, "status")["certificate"] = STANDARD.encode(certificate).into();
        }
        Err(why) => {
            let now = rfc3339(desk.now());
            let failed = json!({
                "type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": why,
                "lastUpdateTime": now, "lastTransitionTime": now,
            });
            if let Some(conditions) = child(&mut changed, "status")["conditions"].as_array_mut() {
                conditions.push(failed);
            }
        }
    }
    desk.update_status(&SIGNING_REQUEST, changed)?;
    Ok(Outcome::done())
}

/// The request within an object: base64 of PEM.
fn parse(encoded: &str) -> Option<CertificateSigningRequestParams> {
    let pem = STANDARD.decode(encoded).ok()?;
    CertificateSigningRequestParams::from_pem(std::str::from_utf8(&pem).ok()?).ok()
}

/// The signers of the control plane's own.
#[derive(Clone, Copy)]
enum Signer {
    Client,
    KubeletClient,
    KubeletServing,
    LegacyUnknown,
}

impl Signer {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "kube-apiserver-client" => Self::Client,
            "kube-apiserver-client-kubelet" => Self::KubeletClient,
            "kubelet-serving" => Self::KubeletServing,
            "legacy-unknown" => Self::LegacyUnknown,
            _ => return None,
        })
    }

    /// Whether the signer signs such a request; else why not, in the real one's words.
    fn check(self, request: &CertificateSigningRequestParams, usages: &BTreeSet<&str>) -> Result<(), String> {
        match self {
            Self::LegacyUnknown => Ok(()),
            Self::Client => {
                let strange = |usage: &&&str| !["digital signature", "key encipherment", "client auth"].contains(usage);
                match usages.iter().find(strange) {
                    Some(usage) => Err(format!("invalid usage for client certificate: {usage}")),
                    None if usages.contains("client auth") => Ok(()),
                    None => Err("missing required usage for client certificate: client auth".to_owned()),
                }
            }
            Self::KubeletClient => {
                of_nodes(request)?;
                let kinds = san_kinds(request);
                if let Some(kind) = ["DNS", "Email", "IP", "URI"].into_iter().find(|kind| kinds.contains(kind)) {
                    return Err(format!("{kind} subjectAltNames are not allowed"));
                }
                named_as_node(request)?;
                exactly(usages, "client auth")
            }
            Self::KubeletServing => {
                of_nodes(request)?;
                let kinds = san_kinds(request);
                if !kinds.contains("DNS") && !kinds.contains("IP") {
                    return Err("DNS or IP subjectAltName is required".to_owned());
                }
                if let Some(kind) = ["Email", "URI"].into_iter().find(|kind| kinds.contains(kind)) {
                    return Err(format!("{kind} subjectAltNames are not allowed"));
                }
                exactly(usages, "server auth")?;
                named_as_node(request)
            }
        }
    }
}

fn subject(request: &CertificateSigningRequestParams, kind: &DnType) -> String {
    match request.params.distinguished_name.get(kind) {
        Some(DnValue::Utf8String(text)) => text.clone(),
        Some(DnValue::PrintableString(text)) => text.as_str().to_owned(),
        Some(DnValue::Ia5String(text)) => text.as_str().to_owned(),
        _ => String::new(),
    }
}

fn of_nodes(request: &CertificateSigningRequestParams) -> Result<(), String> {
    if subject(request, &DnType::OrganizationName) == "system:nodes" {
        return Ok(());
    }
    Err("subject organization is not system:nodes".to_owned())
}

fn named_as_node(request: &CertificateSigningRequestParams) -> Result<(), String> {
    if subject(request, &DnType::CommonName).starts_with("system:node:") {
        return Ok(());
    }
    Err("subject common name does not begin with system:node:".to_owned())
}

fn san_kinds(request: &CertificateSigningRequestParams) -> BTreeSet<&'static str> {
    let names = request.params.subject_alt_names.iter();
    names
        .map(|name| match name {
            SanType::Rfc822Name(_) => "Email",
            SanType::DnsName(_) => "DNS",
            SanType::URI(_) => "URI",
            SanType::IpAddress(_) => "IP",
            _ => "other",
        })
        .collect()
}

/// Digital signature and this one; key encipherment may be there.
fn exactly(usages: &BTreeSet<&str>, purpose: &str) -> Result<(), String> {
    let mut left = usages.clone();
    let there = left.remove("digital signature") & left.remove(purpose);
    left.remove("key encipherment");
    if there && left.is_empty() {
        return Ok(());
    }
    let mut wanted = ["digital signature", "key encipherment", purpose];
    wanted.sort_unstable();
    Err(format!("usages did not match [{}]", wanted.join(" ")))
}

/// What the certificate will be good for, and when.
fn granted(request: &Found, usages: &BTreeSet<&str>, now: Timestamp) -> Result<Grant, String> {
    let asked = int(request, "/spec/expirationSeconds").map(SignedDuration::from_secs);
    let life = asked.map_or(LIFE, |asked| asked.clamp(SHORTEST, LIFE));
    let end = if life < SHORT { life } else { life - BACKDATE };
    let mut granted = Usages::default();
    for usage in usages {
        match meaning(usage) {
            Some(usage) => granted.add(usage),
            None => return Err(format!("unrecognized usage values: [{usage:?}]")),
        }
    }
    Ok(Grant {
        usages: granted.keys,
        purposes: granted.purposes,
        not_before: now.checked_sub(BACKDATE).unwrap_or(now),
        not_after: now.checked_add(end).unwrap_or(now),
    })
}
