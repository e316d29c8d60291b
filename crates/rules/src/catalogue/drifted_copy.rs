use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Finding, Severity, Spot};

use crate::decoded::texts;
use crate::pods::pod_template;
use crate::routes::{all_routes, covers};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};
use crate::workflows::workflows;

pub(super) static RULE: Rule = Rule {
    id: "LF130",
    title: "what is written down twice says the same twice",
    severity: Severity::Warning,
    why: "A host name stands in the routes, in settings and in redirect addresses; a file is copied so that another tool \
          finds it. Then one of them is changed: users are sent to a name that nobody serves any more.",
    advice: "Write it down once and derive the rest from it, or change the other places too.",
    check,
};

/// The smallest text that is worth comparing with other files.
const LEAST: usize = 200;
/// The largest file that is read.
const MOST: usize = 1024 * 1024;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = hosts(subject);
    findings.extend(copies(subject));
    findings
}

/// Addresses of hosts that lie beside routed ones and are not routed themselves.
fn hosts(subject: &Subject<'_>) -> Vec<Finding> {
    let routes = all_routes(subject);
    let routed: BTreeSet<String> = routes.iter().flat_map(|(_, route)| route.hosts.iter().cloned()).collect();
    if routed.is_empty() {
        return Vec::new();
    }
    let allowed: Vec<&str> = subject
        .environment
        .and_then(|(_, environment)| environment.hosts.as_ref()?.allow.as_ref())
        .map(|allow| allow.iter().collect())
        .unwrap_or_default();
    let domains: BTreeSet<&str> = routed.iter().filter_map(|host| domain(host)).collect();
    let is_lost = |host: &str| {
        let ours = domain(host).is_some_and(|domain| domains.contains(domain));
        let served = routed.iter().any(|name| covers(name, host) || covers(host, name));
        // The domain itself may well be served by somebody else; a name below it is this system's.
        let above = routed.iter().any(|name| name.ends_with(&format!(".{host}")));
        ours && !served && !above && !allowed.iter().any(|name| covers(name, host))
    };
    let mut by_host: BTreeMap<String, Vec<Spot>> = BTreeMap::new();
    for desired in subject.objects() {
        for (text, field) in written(desired) {
            for host in web_hosts(&text).into_iter().filter(|host| is_lost(host)) {
                by_host.entry(host).or_default().push(desired.spot_at(&field));
            }
        }
    }
    // What a workflow builds into an image, or asks afterwards, is written down once more.
    for workflow in subject.files.map(workflows).unwrap_or_default() {
        let lines = workflow.text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'));
        for (at, line) in lines {
            for host in web_hosts(line).into_iter().filter(|host| is_lost(host)) {
                let line = u32::try_from(at).unwrap_or(u32::MAX - 1) + 1;
                by_host.entry(host).or_default().push(Spot::file(landfall_diag::Place::line(&workflow.path, line)));
            }
        }
    }
    let served = routed.iter().map(String::as_str).collect::<Vec<_>>();
    by_host
        .into_iter()
        .map(|(host, places)| {
            let near = landfall_diag::nearest(&host, served.iter().copied());
            let help = match near {
                Some(near) => format!("did you mean `{near}`? Or route `{host}`, or list it under `hosts.allow`"),
                None => format!("route `{host}`, list it under `hosts.allow`, or use one of {}", served.join(", ")),
            };
            let finding = RULE
                .finding(format!("`{host}` is written down, and no route serves it"))
                .because("who follows that address finds nobody")
                .help(help);
            places.into_iter().fold(finding, Finding::at)
        })
        .collect()
}

/// The texts of settings: variables, and the data of ConfigMaps.
fn written(desired: &Desired) -> Vec<(String, String)> {
    if let Some(template) = pod_template(&desired.object) {
        let containers = template.containers();
        return containers
            .iter()
            .flat_map(|container| {
                container.env().filter_map(|(at, _, variable)| {
                    Some((variable["value"].as_str()?.to_owned(), format!("{}.env[{at}].value", container.path)))
                })
            })
            .collect();
    }
    if desired.object.group().is_empty() && desired.object.kind() == "ConfigMap" {
        return texts(&desired.object).into_iter().map(|(_, text, field)| (text, field)).collect();
    }
    Vec::new()
}

/// The hosts of web addresses in a text, in lower case.
fn web_hosts(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for scheme in ["https://", "http://", "wss://", "ws://"] {
        for (at, _) in text.match_indices(scheme) {
            let rest = &text[at + scheme.len()..];
            let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || "-.".contains(letter)));
            let host = rest[..end.unwrap_or(rest.len())].trim_end_matches('.').to_ascii_lowercase();
            // `${HOST}.example.com` and the like are made at run time.
            let made = end.is_some_and(|end| rest[end..].starts_with(['$', '{', '%', '<', '*', '@']));
            if host.contains('.') && !made && host.parse::<std::net::IpAddr>().is_err() {
                found.push(host);
            }
        }
    }
    found
}

/// The part of a host that its owner shares with the owner's other hosts: the last two labels; none of names that
/// live in clusters or on one machine.
fn domain(host: &str) -> Option<&str> {
    if host.ends_with(".local") || host.ends_with(".svc") || host.ends_with(".localhost") || host.ends_with(".internal")
    {
        return None;
    }
    let (start, _) = host.rmatch_indices('.').nth(1).map_or((0, ""), |(at, dot)| (at + 1, dot));
    Some(&host[start..]).filter(|domain| domain.contains('.'))
}

/// Files of the repository that were copies of what is delivered and are not any more.
fn copies(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(files) = subject.files else { return Vec::new() };
    let mut findings = Vec::new();
    let mut listed: Option<Vec<String>> = None;
    for unit in subject.units {
        let Some(chart) = &unit.chart else { continue };
        for file in chart.files.iter() {
            let Some(name) = file.name.rsplit('/').next().filter(|_| file.text().len() >= LEAST) else { continue };
            // Only what is delivered as it stands matters.
            let text = file.text();
            let delivered = unit.objects.iter().find_map(|desired| {
                let of_data = matches!(desired.object.kind(), "ConfigMap" | "Secret");
                let all = if of_data { texts(&desired.object) } else { Vec::new() };
                all.into_iter().find(|(_, it, _)| it.trim() == text.trim()).map(|(_, _, field)| (desired, field))
            });
            let Some((desired, field)) = delivered else { continue };
            let paths = listed.get_or_insert_with(|| files.glob("**/*").unwrap_or_default());
            for path in paths.iter().filter(|path| path.rsplit('/').next() == Some(name)) {
                let Ok(Some(bytes)) = files.read(path) else { continue };
                let Some(other) = String::from_utf8(bytes).ok().filter(|text| text.len() <= MOST) else { continue };
                if other.trim() == text.trim() || !resembles(&text, &other) {
                    continue;
                }
                let line = text.lines().zip(other.lines()).position(|(one, two)| one != two).unwrap_or(0);
                findings.push(
                    RULE.finding(format!("`{path}` differs from the copy of it that is delivered"))
                        .because("whoever reads the other one is told something else")
                        .at(desired.spot_at(&field))
                        .at(Spot::file(landfall_diag::Place::line(path, line as u32 + 1))),
                );
            }
        }
    }
    findings
}

/// Whether most lines of one text stand in the other, too.
fn resembles(one: &str, other: &str) -> bool {
    let lines = |text: &str| -> BTreeSet<String> {
        text.lines().map(str::trim).filter(|line| line.len() > 3).map(str::to_owned).collect()
    };
    let (one, other) = (lines(one), lines(other));
    let shared = one.intersection(&other).count();
    shared >= 4 && shared * 4 >= one.len().max(other.len()) * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_addresses_are_seen_and_made_up_ones_are_not() {
        assert_eq!(
            web_hosts("x=https://App.example.com/login,http://b.example.com:80"),
            ["app.example.com", "b.example.com"]
        );
        assert!(web_hosts("https://${HOST} https://user@h.example.com https://10.0.0.1/ http://redis:6379").is_empty());
        assert_eq!(domain("a.b.example.com"), Some("example.com"));
        assert_eq!(domain("example.com"), Some("example.com"));
        assert_eq!(domain("web.shop.svc"), None);
        assert_eq!(domain("localhost"), None);
    }
}
