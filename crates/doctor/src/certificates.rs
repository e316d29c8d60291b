//! Certificates: what hosts serve, what the cluster's issuers are about, and how near an authority's limit is.

use jiff::Timestamp;
use landfall_diag::Severity;
use landfall_object::Object;
use landfall_rules::Inventory;
use landfall_rules::place::OUTSIDE;
use landfall_rules::routes::covers;
use landfall_source::{Handshake, ServedCertificate};

use crate::{Area, Observation};

/// Days before its end at which a certificate is told of; an authority renews it 30 days before.
const SOON: i64 = 30;
/// Certificates for the same names that Let's Encrypt signs within a week.
const DUPLICATES: usize = 5;
/// A week.
const WEEK: i64 = 7 * 24 * 3600;

/// What is said of a host's certificate.
pub fn certificates_of(host: &str, served: &Handshake, now: Timestamp, is_protected: bool) -> Observation {
    let wrong =
        |severity, seen: String, cause: &str| Observation::wrong(Area::Tls, &OUTSIDE, severity, host, seen, cause);
    let (names, issuer, until) = match served {
        Handshake::Served(ServedCertificate { names, issuer, until, .. }) => (names, issuer, until),
        Handshake::Failed(why) => return Observation::not_checked(Area::Tls, host, why.as_str()),
    };
    let days = (until - now.as_second()).div_euclid(24 * 3600);
    if days < 0 {
        return wrong(
            Severity::Error,
            format!("its certificate ended {} days ago", -days),
            "browsers refuse to show the site",
        );
    }
    if !names.iter().any(|name| covers(name, host)) {
        let seen = format!(
            "serves a certificate of {}",
            if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
        );
        return wrong(Severity::Error, seen, "browsers refuse to show the site");
    }
    let lower = issuer.to_ascii_lowercase();
    if lower.contains("staging") || lower.contains("traefik default") || lower.contains("fake") {
        let severity = if is_protected { Severity::Error } else { Severity::Warning };
        return wrong(
            severity,
            format!("its certificate is signed by {issuer}, which nobody trusts"),
            "browsers refuse to show the site",
        )
        .help("name the production issuer, and let the certificate be issued anew");
    }
    if days <= SOON {
        return wrong(
            Severity::Warning,
            format!("its certificate ends in {days} days"),
            "it should have been renewed by now",
        )
        .help("kubectl describe certificate,order,challenge -A says why it was not");
    }
    Observation::fine(Area::Tls, host, format!("good for {days} days, signed by {issuer}"))
}

/// What the cluster's own objects say of certificates: issuers, pending challenges, and an authority's limit.
pub fn issued(live: &Inventory, now: Timestamp) -> Vec<Observation> {
    let mut seen = Vec::new();
    for kind in ["ClusterIssuer", "Issuer"] {
        seen.extend(live.of_kind("cert-manager.io", kind).filter_map(issuer));
    }
    for certificate in live.of_kind("cert-manager.io", "Certificate") {
        let what = format!("Certificate {}/{}", certificate.namespace().unwrap_or_default(), certificate.name());
        seen.push(match condition(certificate, "Ready") {
            Some((true, _)) => Observation::fine(
                Area::Tls,
                what,
                certificate
                    .str_at("/status/notAfter")
                    .map_or_else(|| "is ready".to_owned(), |until| format!("is ready, until {until}")),
            ),
            Some((false, why)) => {
                let pending = pending(live, certificate);
                let seen = format!("is not ready: {}", pending.unwrap_or(why));
                Observation::wrong(
                    Area::Tls,
                    &OUTSIDE,
                    Severity::Error,
                    what,
                    seen,
                    "its hosts are served without a certificate that is trusted",
                )
                .help("landfall doctor dns --in-cluster: the authority reaches what the name leads to")
            }
            None => Observation::told(Area::Tls, what, "has not been looked at by its controller yet"),
        });
    }
    seen.extend(limits(live, now));
    seen
}

/// Whether an issuer is about what its name says.
fn issuer(object: &Object) -> Option<Observation> {
    let server = object.str_at("/spec/acme/server")?;
    let what = format!("{} {}", object.kind(), object.name());
    let (named, is) = (object.name().contains("staging"), server.contains("staging"));
    Some(if named != is {
        let seen = format!("asks {server}");
        let cause = if named {
            "what is meant to try things out spends the production authority's limit"
        } else {
            "what it signs is trusted by nobody"
        };
        Observation::wrong(Area::Tls, &OUTSIDE, Severity::Warning, what, seen, cause)
            .help("correct `spec.acme.server`, or the issuer's name")
    } else {
        Observation::fine(Area::Tls, what, format!("asks {server}"))
    })
}

fn condition(object: &Object, kind: &str) -> Option<(bool, String)> {
    let condition = object.list_at("/status/conditions").iter().find(|condition| condition["type"] == kind)?;
    let message = condition["message"].as_str().unwrap_or("no reason given").to_owned();
    Some((condition["status"] == "True", message))
}

/// Why a certificate is not there yet: the first of its challenges that waits.
fn pending(live: &Inventory, certificate: &Object) -> Option<String> {
    let hosts: Vec<&str> = certificate.list_at("/spec/dnsNames").iter().filter_map(|name| name.as_str()).collect();
    live.of_kind("acme.cert-manager.io", "Challenge")
        .filter(|challenge| challenge.namespace() == certificate.namespace())
        .filter(|challenge| challenge.str_at("/spec/dnsName").is_some_and(|name| hosts.contains(&name)))
        .find(|challenge| challenge.str_at("/status/state") != Some("valid"))
        .map(|challenge| {
            let host = challenge.str_at("/spec/dnsName").unwrap_or_default();
            let state = challenge.str_at("/status/state").unwrap_or("pending");
            let why = challenge.str_at("/status/reason").unwrap_or("no reason given");
            format!("the challenge for {host} is {state}: {why}")
        })
}

/// How often the same names were asked for within a week.
fn limits(live: &Inventory, now: Timestamp) -> Vec<Observation> {
    let mut orders: Vec<(Vec<String>, usize)> = Vec::new();
    for order in live.of_kind("acme.cert-manager.io", "Order") {
        let made = order.creation_timestamp().and_then(|text| text.parse::<Timestamp>().ok());
        if made.is_none_or(|made| now.as_second() - made.as_second() > WEEK) {
            continue;
        }
        let mut names: Vec<String> =
            order.list_at("/spec/dnsNames").iter().filter_map(|name| name.as_str()).map(str::to_owned).collect();
        names.sort();
        match orders.iter_mut().find(|(known, _)| *known == names) {
            Some((_, count)) => *count += 1,
            None => orders.push((names, 1)),
        }
    }
    orders
        .into_iter()
        .map(|(names, count)| {
            let what = format!("orders for {}", names.join(", "));
            let seen = format!("{count} of {DUPLICATES} within a week");
            match count + 1 >= DUPLICATES {
                true => Observation::wrong(
                    Area::Tls,
                    &OUTSIDE,
                    Severity::Warning,
                    what,
                    seen,
                    "the authority signs no more for these names until a week has passed",
                )
                .help("use the staging issuer until it works"),
                false => Observation::told(Area::Tls, what, seen),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use landfall_source::handshake;
    use serde_json::json;

    use super::*;
    use crate::State;

    fn object(value: serde_json::Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().expect("a time")
    }

    #[test]
    fn lp_125_a_staging_issuer_asks_the_staging_authority() {
        let issuer = |name: &str, server: &str| {
            let object = object(json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
                "metadata": {"name": name}, "spec": {"acme": {"server": server}}}));
            issued(&[object].into_iter().collect(), now()).remove(0).state
        };
        let (real, trial) = ("https://acme.example.com/directory", "https://acme-staging.example.com/directory");
        assert_eq!(issuer("letsencrypt-staging", trial), State::Fine);
        assert_eq!(issuer("letsencrypt", real), State::Fine);
        assert_eq!(issuer("letsencrypt-staging", real), State::Wrong);
        assert_eq!(issuer("letsencrypt", trial), State::Wrong);
    }

    #[test]
    fn a_pending_challenge_is_the_reason_and_orders_are_counted() {
        let order = |at: &str, name: &str| {
            object(json!({"apiVersion": "acme.cert-manager.io/v1", "kind": "Order",
                "metadata": {"name": name, "namespace": "shop", "creationTimestamp": at}, "spec": {"dnsNames": ["a.example.com"]}}))
        };
        let live: Inventory = [
            object(json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "a", "namespace": "shop"},
                "spec": {"dnsNames": ["a.example.com"]}, "status": {"conditions": [{"type": "Ready", "status": "False", "message": "issuing"}]}})),
            object(json!({"apiVersion": "acme.cert-manager.io/v1", "kind": "Challenge", "metadata": {"name": "c", "namespace": "shop"},
                "spec": {"dnsName": "a.example.com"}, "status": {"state": "pending", "reason": "self check failed"}})),
            order("2026-11-19T00:00:00Z", "1"),
            order("2026-11-18T00:00:00Z", "2"),
            order("2026-11-17T00:00:00Z", "3"),
            order("2026-11-16T00:00:00Z", "4"),
            order("2026-11-01T00:00:00Z", "5"),
        ]
        .into_iter()
        .collect();
        let seen = issued(&live, now());
        assert!(seen[0].seen.contains("self check failed"), "{seen:?}");
        assert!(seen[1].seen.starts_with("4 of 5") && seen[1].state == State::Wrong, "{seen:?}");
    }

    #[tokio::test]
    async fn lp_010_each_host_answers_with_a_certificate_of_its_own() {
        let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("signed");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key.into())
            .expect("a certificate");
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _served = acceptor.accept(stream).await;
            }
        });
        let served = handshake("localhost", port, Duration::from_secs(5)).await;
        assert!(matches!(&served, Handshake::Served(it) if it.names == ["localhost"]), "{served:?}");
        assert_eq!(certificates_of("localhost", &served, Timestamp::now(), true).state, State::Fine);
        let other = certificates_of("api.example.com", &served, Timestamp::now(), true);
        assert!(other.seen.contains("serves a certificate of localhost"), "{other:?}");
        let Handshake::Served(served) = served else { return };
        let at = |days: i64| {
            Handshake::Served(ServedCertificate { until: now().as_second() + days * 24 * 3600, ..served.clone() })
        };
        assert!(certificates_of("localhost", &at(-1), now(), true).seen.contains("ended"));
        assert!(certificates_of("localhost", &at(30), now(), true).seen.contains("ends in 30 days"));
        assert_eq!(certificates_of("localhost", &at(31), now(), true).state, State::Fine);
        let gone = handshake("127.0.0.1", 1, Duration::from_secs(2)).await;
        assert_eq!(certificates_of("h", &gone, now(), true).state, State::NotChecked);
    }
}
