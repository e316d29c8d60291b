//! The certificates of hosts that are asked from outside: waited for, and what is wrong with one is named.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landfall_source::{Handshake, handshake};

use super::{CheckResult, Verdict};

/// The longest pause between two looks.
const PAUSE: Duration = Duration::from_secs(10);
/// How long a host may take to show its certificate.
const SHOWN: Duration = Duration::from_secs(5);

/// The hosts of these addresses that are asked over TLS, each once.
pub(super) fn origins(urls: &[reqwest::Url]) -> Vec<reqwest::Url> {
    let mut seen = BTreeSet::new();
    let over_tls = urls.iter().filter(|url| url.scheme() == "https");
    over_tls.filter(|url| seen.insert(name(url))).filter_map(|url| url.join("/").ok()).collect()
}

/// What a host is called: with its port where that is not the usual one.
pub(super) fn name(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Waits until a host serves a certificate that is trusted, whatever it answers.
pub(super) async fn wait(client: &reqwest::Client, origin: &reqwest::Url, patience: Duration) -> CheckResult {
    let started = Instant::now();
    let mut pause = Duration::from_millis(250);
    let mut tries = 0;
    let verdict = loop {
        tries += 1;
        let error = match client.head(origin.clone()).send().await {
            Ok(_) => break Verdict::Passed,
            Err(error) => error,
        };
        if started.elapsed() + pause >= patience {
            break Verdict::Failed { reason: fault(origin, &error).await };
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE);
    };
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let name = format!("certificate of {}", name(origin));
    CheckResult { name, address: origin.to_string(), verdict, simulated: false, tries, elapsed_ms }
}

/// Why nobody answers: what is wrong with the certificate, where it is that, else the innermost cause.
pub(super) async fn fault(url: &reqwest::Url, error: &reqwest::Error) -> String {
    let (Some(host), true) = (url.host_str(), is_about_certificate(error)) else { return words(error) };
    match handshake(host, url.port_or_known_default().unwrap_or(443), SHOWN).await {
        Handshake::Served(served) => served.fault(host, Timestamp::now()),
        Handshake::Failed(_) => words(error),
    }
}

fn is_about_certificate(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        // An error of input and output hides what it was made of from its own source; one may be made of another.
        let mut within = one.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        while let Some(inner) = within.and_then(|it| it.downcast_ref::<std::io::Error>()) {
            within = inner.get_ref();
        }
        let tls = one.downcast_ref::<rustls::Error>().or_else(|| within.and_then(|it| it.downcast_ref()));
        if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        cause = one.source();
    }
    false
}

/// The innermost cause of an error of the HTTP client; its own words repeat the address.
pub(super) fn words(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    source.to_string()
}
