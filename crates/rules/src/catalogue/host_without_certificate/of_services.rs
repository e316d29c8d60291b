//! Certificates that a release makes for its own Services, and the names that stand in them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::Finding;
use landfall_object::is_label;

use crate::catalogue::host_that_is_no_service::with_front;
use crate::operated::is_operated;
use crate::rule::Rule;
use crate::siblings::is_of_sibling;
use crate::subject::{Desired, Subject};

/// Certificates whose names within the cluster are those of no Service, while the release has Services.
pub(super) fn of_services(subject: &Subject<'_>, rule: &Rule) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        subject.of_kind("", "Secret").filter_map(|secret| of_another(subject, secret, rule)).collect();
    for certificate in subject.of_kind("cert-manager.io", "Certificate") {
        findings.extend(without_front(subject, certificate, rule));
    }
    findings
}

/// The names of a certificate of cert-manager's that are those of no Service, where one of the release has something in front of
/// the name, and is not named itself.
fn without_front(subject: &Subject<'_>, certificate: &Desired, rule: &Rule) -> Vec<Finding> {
    let object = &certificate.object;
    let Some(namespace) = object.namespace() else { return Vec::new() };
    let entries = object.list_at("/spec/dnsNames").iter().enumerate();
    let listed: Vec<(usize, &str)> = entries.filter_map(|(at, name)| Some((at, name.as_str()?))).collect();
    let beside = subject.of_kind("", "Service").filter(|it| it.unit == certificate.unit);
    let here = beside.filter(|it| it.object.namespace() == Some(namespace));
    let services: Vec<&str> = here.map(|it| it.object.name()).collect();
    if listed.is_empty() || is_operated(subject, &certificate.unit) {
        return Vec::new();
    }
    let is_named = |service: &str| {
        let names = [service.to_owned(), format!("{service}.{namespace}")];
        listed.iter().any(|(_, it)| service_in(it, namespace) == Some(service) || names.iter().any(|name| name == it))
    };
    let mut findings = Vec::new();
    for (at, entry) in &listed {
        let Some(name) = service_in(entry, namespace) else { continue };
        let Some(service) = with_front(subject, &certificate.unit, &services, name) else { continue };
        let is_there = subject.find("", "Service", Some(namespace), name).is_some();
        if service.len() < name.len() || is_there || is_named(service) || is_of_sibling(subject, name) {
            continue;
        }
        findings.push(
            rule.finding(format!("Certificate `{}` is for `{entry}`, which is no Service", object.name()))
                .because(format!(
                    "whoever calls Service `{service}` by its name and looks at the certificate refuses it"
                ))
                .help(format!("name `{service}{}`", &entry[name.len()..]))
                .at(certificate.spot_at(&format!("spec.dnsNames[{at}]"))),
        );
    }
    findings
}

/// The Service of a namespace whose full name an entry of a certificate is.
fn service_in<'n>(entry: &'n str, namespace: &str) -> Option<&'n str> {
    let (name, rest) = entry.split_once('.')?;
    let behind = rest.strip_prefix(namespace)?.strip_prefix(".svc")?;
    let is_all = behind.is_empty() || behind.starts_with('.');
    (is_all && is_label(name)).then_some(name)
}

fn of_another(subject: &Subject<'_>, secret: &Desired, rule: &Rule) -> Option<Finding> {
    let namespace = secret.object.namespace()?;
    let certificate = decoded(secret.object.at("/data")?.get("tls.crt")?.as_str()?)?;
    let names = names_within(&certificate, namespace);
    let first = names.first()?;
    let is_there = |name: &String| subject.find("", "Service", Some(namespace), name).is_some();
    let mut beside = subject.of_kind("", "Service").filter(|it| it.unit == secret.unit);
    let own = beside.find(|it| it.object.namespace() == Some(namespace))?;
    if names.iter().any(is_there) || is_operated(subject, &secret.unit) {
        return None;
    }
    Some(
        rule.finding(format!(
            "the certificate of Secret `{}` is for `{first}.{namespace}.svc`, which is no Service",
            secret.object.name()
        ))
        .because("whoever calls a Service of the release by its name and looks at the certificate refuses it")
        .help(format!("sign it for what is called, `{}` for one", own.object.name()))
        .at(secret.spot_at("data[tls.crt]")),
    )
}

/// The bytes of the first certificate of a Secret's key.
fn decoded(data: &str) -> Option<Vec<u8>> {
    let text = String::from_utf8(STANDARD.decode(data.trim()).ok()?).ok()?;
    let (_, body) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let body: String = body.split_once("-----END")?.0.split_ascii_whitespace().collect();
    STANDARD.decode(body).ok()
}

/// The tag of a DNS name among a certificate's alternative names; its length follows in one byte.
const DNS_NAME: u8 = 0x82;

/// The names of Services of a namespace that a certificate holds (`NAME.NAMESPACE.svc`): alternative names stand in it as they
/// are written.
fn names_within(certificate: &[u8], namespace: &str) -> Vec<String> {
    let ending = format!(".{namespace}.svc");
    let mut names: Vec<String> = Vec::new();
    for (at, _) in certificate.iter().enumerate().filter(|(_, tag)| **tag == DNS_NAME) {
        let Some(length) = certificate.get(at + 1).map(|length| usize::from(*length)) else { continue };
        let Some(text) = certificate.get(at + 2..at + 2 + length).and_then(|it| std::str::from_utf8(it).ok()) else {
            continue;
        };
        let before = text.find(&ending).map(|end| &text[..end]);
        // In front of a Service stand its pods.
        let name = before.and_then(|name| name.rsplit('.').next()).filter(|name| !name.is_empty() && *name != "*");
        if let Some(name) = name.filter(|name| !names.iter().any(|it| it == name)) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_is_a_services_own() {
        for entry in ["db.shop.svc", "db.shop.svc.cluster.local"] {
            assert_eq!(service_in(entry, "shop"), Some("db"), "{entry}");
        }
        for entry in
            ["db", "db.shop", "db.other.svc", "*.shop.svc", "db-0.db.shop.svc", "db.shop.svcs", "db.shopping.svc"]
        {
            assert_eq!(service_in(entry, "shop"), None, "{entry}");
        }
    }

    #[test]
    fn names_are_found_behind_their_tag_and_length() {
        let named = |name: &str| [&[DNS_NAME, u8::try_from(name.len()).expect("short")], name.as_bytes()].concat();
        let names = ["db.shop", "db.shop.svc", "*.db-all.shop.svc.cluster.local", "x.other.svc"];
        let bytes: Vec<u8> = names.into_iter().flat_map(named).chain([b'0', DNS_NAME]).collect();
        assert_eq!(names_within(&bytes, "shop"), ["db", "db-all"]);
    }
}
