//! Where what was delivered can be reached: the hosts and paths of its Ingress rules and passed checks, tried once.

use std::time::Duration;

use landfall_object::Object;

use crate::checks::{CheckResult, NOT_SIMULATED_HEADER, NetworkReach, Routes, SIMULATED_HEADER, Verdict};
use crate::summary::Address;

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The addresses that answer with 2xx or 3xx; none on whose way something stands that is not simulated, because
/// nobody knows what would be answered there.
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
    let mut asked: Vec<(String, reqwest::Url, String)> = Vec::new();
    for (name, url) in wanted {
        let Ok(url) = reqwest::Url::parse(&url) else { continue };
        let Some(shown) = through(&url, routes) else { continue };
        if asked.iter().all(|(_, _, known)| *known != shown) {
            asked.push((name, url, shown));
        }
    }
    let Ok(client) = routes.client(asked.iter().map(|(_, url, _)| url), &NetworkReach::Anywhere) else {
        return Vec::new();
    };
    let answers = futures::future::join_all(asked.iter().map(|(_, url, _)| attempt(&client, url, routes))).await;
    let mut found = Vec::new();
    for ((name, _, url), answer) in asked.into_iter().zip(answers) {
        if let Some((status, simulated)) = answer
            && (200..400).contains(&status)
        {
            found.push(Address { name, url, status, simulated });
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
    let address = routes.of(url)?;
    let mut url = url.clone();
    let usual = if url.scheme() == "https" { 443 } else { 80 };
    let port = (address.port() != usual).then_some(address.port());
    url.set_port(port).ok()?;
    Some(url.to_string())
}

async fn attempt(client: &reqwest::Client, url: &reqwest::Url, routes: &Routes) -> Option<(u16, bool)> {
    let mut asked = url.clone();
    asked.set_port(Some(routes.of(url)?.port())).ok()?;
    let answer = client.get(asked).header("host", url.host_str()?).timeout(PATIENCE).send().await.ok()?;
    if answer.headers().contains_key(NOT_SIMULATED_HEADER) {
        return None;
    }
    let simulated = answer.headers().contains_key(SIMULATED_HEADER);
    Some((answer.status().as_u16(), simulated))
}
