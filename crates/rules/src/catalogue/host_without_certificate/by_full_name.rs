//! Certificates that are good for a Service's pods and for its short name, and not for the full name by which it is called.

use std::collections::BTreeSet;

use landfall_diag::Finding;
use landfall_object::Object;
use landfall_object::references::references;
use serde_json::Value;

use crate::calls::{Said, said};
use crate::pods::pod_template;
use crate::routes::covers;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

/// Certificates of cert-manager's that hold a Service's name, and not the one by which somebody calls it.
pub(super) fn by_full_name(subject: &Subject<'_>, rule: &Rule) -> Vec<Finding> {
    let certificates: Vec<&Desired> = certificates(subject).collect();
    if certificates.is_empty() {
        return Vec::new();
    }
    let texts: Vec<(&Desired, Said)> = subject.objects().flat_map(with_full_names).collect();
    let is_leaf = |it: &&&Desired| it.object.bool_at("/spec/isCA") != Some(true);
    certificates.iter().filter(is_leaf).flat_map(|it| uncovered(subject, it, &texts, rule)).collect()
}

fn certificates<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a Desired> + use<'a> {
    subject.of_kind("cert-manager.io", "Certificate")
}

/// The texts of an object that name Services in full; none where it looks at no certificate.
fn with_full_names(desired: &Desired) -> Vec<(&Desired, Said)> {
    let template = pod_template(&desired.object);
    let all = said(&desired.object, template.as_ref());
    if all.iter().any(|it| trusts_anybody(&it.text) || trusts_anybody(&it.by)) {
        return Vec::new();
    }
    all.into_iter().filter(|it| it.text.contains(".svc")).map(|it| (desired, it)).collect()
}

/// Whether a text says that certificates are not looked at.
fn trusts_anybody(text: &str) -> bool {
    const WORDS: &[&str] = &["insecure", "skipverify", "nocheckcertificate", "rejectunauthorized"];
    let bare: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    WORDS.iter().any(|word| bare.contains(word))
}

fn uncovered(subject: &Subject<'_>, certificate: &Desired, texts: &[(&Desired, Said)], rule: &Rule) -> Vec<Finding> {
    let object = &certificate.object;
    let (Some(namespace), Some(secret)) = (object.namespace(), object.str_at("/spec/secretName")) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for service in subject.of_kind("", "Service").filter(|it| it.object.namespace() == Some(namespace)) {
        let name = service.object.name();
        let full = format!("{name}.{namespace}.svc");
        let is_full =
            |host: &str| host.strip_prefix(&*full).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let is_of_it = |listed: &str| listed == name || listed.strip_prefix("*.").is_some_and(is_full);
        if !listed(object).any(is_of_it) {
            continue;
        }
        let secrets = secrets_behind(subject, &service.object);
        if !secrets.contains(secret) {
            continue;
        }
        // What the pods hold beside it may be what they show.
        let shown = certificates(subject).map(|it| &it.object).filter(|it| {
            it.namespace() == Some(namespace) && it.str_at("/spec/secretName").is_some_and(|it| secrets.contains(it))
        });
        let names: Vec<&str> = shown.flat_map(|it| listed(it).chain(it.str_at("/spec/commonName"))).collect();
        let is_missed = |host: &str| is_full(host) && !names.iter().any(|name| covers(name, host));
        let call = texts.iter().find_map(|(caller, said)| Some((caller, said, called(&said.text, is_missed)?)));
        let Some((caller, said, host)) = call else { continue };
        findings.push(
            rule.finding(format!(
                "Certificate `{}` does not cover `{host}`, by which Service `{name}` is called",
                object.name()
            ))
            .because("whoever calls it so and looks at the certificate refuses it")
            .help(format!("name `{host}` in `spec.dnsNames`, too: a wildcard stands for pods alone"))
            .at(certificate.spot_at("spec.dnsNames"))
            .at(caller.spot_at(&said.field)),
        );
    }
    findings
}

/// The names of a certificate.
fn listed(certificate: &Object) -> impl Iterator<Item = &str> {
    certificate.list_at("/spec/dnsNames").iter().filter_map(Value::as_str)
}

/// The Secrets that the pods of a Service take.
fn secrets_behind(subject: &Subject<'_>, service: &Object) -> BTreeSet<String> {
    let selector = service.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()));
    let Some(selector) = selector else { return BTreeSet::new() };
    let pods = subject.pods().filter(|(_, template)| template.is_selected_by(selector));
    let here = pods.filter(|(it, _)| it.object.namespace() == service.namespace());
    let taken = here.flat_map(|(it, _)| references(&it.object)).filter(|it| it.kind == "Secret");
    taken.map(|it| it.name).collect()
}

/// The first host of some that a text calls over TLS: `https://db.shop.svc.cluster.local`.
fn called(text: &str, is_meant: impl Fn(&str) -> bool) -> Option<&str> {
    let spoken =
        text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.split_whitespace().any(is_lax));
    spoken.flat_map(hosts).find(|host| is_meant(host))
}

/// Whether a word is `-k` of curl's, alone or among others.
fn is_lax(word: &str) -> bool {
    let letters = word.strip_prefix('-').unwrap_or_default();
    letters.len() < 6 && letters.contains('k') && letters.bytes().all(|it| it.is_ascii_alphabetic())
}

/// The hosts of a line that are called over TLS.
fn hosts(line: &str) -> Vec<&str> {
    let host = |(at, mark): (usize, &str)| {
        let scheme = line[..at].rsplit(|it: char| !it.is_ascii_alphanumeric() && it != '+').next()?;
        let authority = line[at + mark.len()..].split(is_end).next()?;
        let host = authority.rsplit('@').next()?.split(':').next()?.trim_end_matches('.');
        is_of_tls(scheme).then_some(host)
    };
    line.match_indices("://").filter_map(host).collect()
}

fn is_of_tls(scheme: &str) -> bool {
    matches!(scheme, "https" | "wss" | "rediss" | "amqps") || scheme.ends_with("+ssl")
}

fn is_end(letter: char) -> bool {
    letter.is_whitespace() || "/?#\"'`,;()<>[]{}|\\".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_called_over_tls_by_their_schemes() {
        let line = "--a https://db.shop.svc:8443/ -b=pulsar+ssl://x:6651,http://y amqps://me:pw@mq.shop.svc./v";
        assert_eq!(hosts(line), ["db.shop.svc", "x", "mq.shop.svc"]);
        let is_meant = |host: &str| host.starts_with("db.");
        assert_eq!(called("a\nhttps://db.x\n", is_meant), Some("db.x"));
        for none in ["# https://db.x", "curl -sk https://db.x", "http://db.x", "https://web.x"] {
            assert_eq!(called(none, is_meant), None, "{none}");
        }
    }

    #[test]
    fn who_trusts_anybody_says_so() {
        for lax in ["insecure_skip_verify: true", "tlsAllowInsecureConnection", "NODE_TLS_REJECT_UNAUTHORIZED"] {
            assert!(trusts_anybody(lax), "{lax}");
        }
        assert!(!trusts_anybody("https://db.shop.svc sslmode=verify-full"));
    }
}
