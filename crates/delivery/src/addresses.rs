//! Where what was delivered can be reached: the hosts and paths of its Ingress rules and passed checks, tried once.

use std::time::Duration;

use landfall_object::Object;

use crate::checks::{CheckResult, Routes, SIMULATED_HEADER, Verdict};
use crate::summary::Address;

/// The addresses that answer with 2xx or 3xx.
///
/// Without routes (a real cluster's public names) nothing is tried and nothing is claimed.
pub(crate) async fn answering(objects: &[&Object], checks: &[CheckResult], routes: &Routes) -> Vec<Address> {
    if routes.is_empty() {
        return Vec::new();
    }
    let mut wanted: Vec<(String, String)> = Vec::new();
    for check in checks.iter().filter(|check| check.verdict == Verdict::Passed) {
        wanted.push((check.name.clone(), check.address.clone()));
    }
    for object in objects {
        wanted.extend(rules(object));
    }
    let mut found: Vec<Address> = Vec::new();
    for (name, url) in wanted {
        let Ok(url) = reqwest::Url::parse(&url) else { continue };
        let Some(shown) = through(&url, routes) else { continue };
        if found.iter().any(|known| known.url == shown) {
            continue;
        }
        if let Some((status, simulated)) = attempt(&url, routes).await
            && (200..400).contains(&status)
        {
            found.push(Address { name, url: shown, status, simulated });
        }
    }
    found
}

/// The host and path of each rule of an Ingress.
fn rules(object: &Object) -> Vec<(String, String)> {
    if object.kind() != "Ingress" {
        return Vec::new();
    }
    let secured: Vec<&str> = object
        .list_at("/spec/tls")
        .iter()
        .flat_map(|tls| tls["hosts"].as_array().into_iter().flatten())
        .filter_map(|host| host.as_str())
        .collect();
    let mut urls = Vec::new();
    for rule in object.list_at("/spec/rules") {
        let host = rule["host"].as_str().filter(|host| !host.contains('*')).unwrap_or("localhost");
        let scheme = if secured.contains(&host) { "https" } else { "http" };
        for path in rule["http"]["paths"].as_array().into_iter().flatten() {
            let service = path["backend"]["service"]["name"].as_str().unwrap_or("?").to_owned();
            let path = path["path"].as_str().unwrap_or("/");
            if !path.contains(['(', '*', '?', '[']) {
                urls.push((service, format!("{scheme}://{host}{path}")));
            }
        }
    }
    urls
}

/// The address as a person types it: with the port that is really listened on, when it is not the usual one.
fn through(url: &reqwest::Url, routes: &Routes) -> Option<String> {
    let address = route(url, routes)?;
    let mut url = url.clone();
    let usual = if url.scheme() == "https" { 443 } else { 80 };
    let port = (address.port() != usual).then_some(address.port());
    url.set_port(port).ok()?;
    Some(url.to_string())
}

fn route(url: &reqwest::Url, routes: &Routes) -> Option<std::net::SocketAddr> {
    if url.scheme() == "https" { routes.https } else { routes.http }
}

async fn attempt(url: &reqwest::Url, routes: &Routes) -> Option<(u16, bool)> {
    let address = route(url, routes)?;
    let host = url.host_str()?;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(2))
        .resolve(host, address)
        .tls_danger_accept_invalid_certs(true)
        .build()
        .ok()?;
    let mut asked = url.clone();
    asked.set_port(Some(address.port())).ok()?;
    let answer = client.get(asked).header("host", host).send().await.ok()?;
    let simulated = answer.headers().contains_key(SIMULATED_HEADER);
    Some((answer.status().as_u16(), simulated))
}
