//! Who calls whom: addresses of Services that stand in variables and in the files of ConfigMaps and Secrets.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use landfall_object::references::references;
use landfall_object::{Object, is_subdomain};
use serde_json::Value;

use crate::decoded::texts;
use crate::pods::PodTemplate;
use crate::subject::{Desired, Found, Subject};

/// An address of a Service, written down somewhere.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The Service.
    pub service: Found<'a>,
    /// The port that is called.
    pub port: u64,
    /// The field where it is written.
    pub field: String,
    /// The ConfigMap or Secret that a workload takes as a whole, for whatever in it concerns it.
    pub shared: Option<(String, String)>,
}

/// The calls that an object spells out: the variables of its containers, or its data.
pub fn calls<'a>(subject: &Subject<'a>, object: &Object, template: Option<&PodTemplate<'_>>) -> Vec<Call<'a>> {
    let mut groups: Vec<Vec<(String, String, String)>> = Vec::new();
    if let Some(template) = template {
        for container in template.containers() {
            let variables = container.env().filter_map(|(at, name, variable)| {
                let value = variable["value"].as_str()?;
                Some((name.to_owned(), value.to_owned(), format!("{}.env[{at}].value", container.path)))
            });
            groups.push(variables.collect());
        }
    } else if object.group().is_empty() && matches!(object.kind(), "ConfigMap" | "Secret") {
        let entry = |(key, text, field): (&str, String, String)| (key.to_owned(), text, field);
        groups.push(texts(object).into_iter().map(entry).collect());
    }
    let mut found = Vec::new();
    for group in &groups {
        for (name, text, field) in group {
            if name.to_ascii_uppercase().contains("IMAGE") {
                continue;
            }
            for address in addresses(text) {
                let service = service(subject, object.namespace(), &address.host);
                let Some((service, port)) = service.zip(address.port) else { continue };
                found.push(Call { service, port, field: field.clone(), shared: None });
            }
        }
        found.extend(pairs(subject, object, group));
    }
    found
}

/// The calls that stand in the commands and arguments of containers.
pub fn called_by_words<'a>(subject: &Subject<'a>, object: &Object, template: &PodTemplate<'_>) -> Vec<Call<'a>> {
    let mut found = Vec::new();
    for container in template.containers() {
        for list in ["command", "args"] {
            let words = container.value[list].as_array().into_iter().flatten().enumerate();
            for (at, text) in words.filter_map(|(at, word)| Some((at, word.as_str()?))) {
                // What stands without a port may be given one by another word.
                let is_written =
                    |it: &Address| it.port.is_some_and(|port| text.contains(&format!("{}:{port}", it.host)));
                let of = |address: Address| {
                    let service = service(subject, object.namespace(), &address.host);
                    service.zip(address.port).filter(|_| is_written(&address))
                };
                let field = || format!("{}.{list}[{at}]", container.path);
                let called = addresses(text).into_iter().filter_map(of);
                found.extend(called.map(|(service, port)| Call { service, port, field: field(), shared: None }));
            }
        }
    }
    found
}

/// A host that settings spell out, whoever it is.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// The port, where one is written or its scheme has one.
    pub port: Option<u64>,
    /// The field where it is written.
    pub field: String,
    /// The option, the variable or the key that it is written for; empty where it stands by itself.
    pub by: String,
    /// The path behind it, where it is written as a URL of the web.
    pub path: Option<String>,
}

/// A text that an object gives to programs.
#[derive(Debug, Clone)]
pub struct Said {
    /// The text.
    pub text: String,
    /// The field where it stands.
    pub field: String,
    /// The option, the variable or the key that it is written for; empty where it stands by itself.
    pub by: String,
}

/// The texts that an object gives to programs: the variables and arguments of its containers, or its data; what is called an
/// image is none.
pub fn said(object: &Object, template: Option<&PodTemplate<'_>>) -> Vec<Said> {
    let mut all = Vec::new();
    if let Some(template) = template {
        for container in template.containers() {
            all.extend(container.env().filter(|(_, name, _)| !is_of_image(name)).filter_map(|(at, name, variable)| {
                let text = variable["value"].as_str()?.to_owned();
                Some(Said { text, field: format!("{}.env[{at}].value", container.path), by: name.to_owned() })
            }));
            for list in ["command", "args"] {
                let words = container.value[list].as_array().map(Vec::as_slice).unwrap_or_default();
                all.extend(words.iter().enumerate().filter_map(|(at, word)| {
                    let (text, by) = (word.as_str()?.to_owned(), option(words, at).to_owned());
                    Some(Said { text, field: format!("{}.{list}[{at}]", container.path), by })
                }));
            }
        }
    } else if object.group().is_empty() && matches!(object.kind(), "ConfigMap" | "Secret") {
        let data = texts(object).into_iter().filter(|(key, _, _)| !is_of_image(key));
        all.extend(data.map(|(key, text, field)| Said { text, field, by: key.to_owned() }));
    }
    all
}

fn is_of_image(name: &str) -> bool {
    name.to_ascii_uppercase().contains("IMAGE")
}

/// The hosts of the addresses that an object spells out: in the variables and arguments of its containers, or in its data.
pub fn hosts(object: &Object, template: Option<&PodTemplate<'_>>) -> Vec<Host> {
    said(object, template).iter().flat_map(addressed).collect()
}

/// The hosts of the addresses in one such text, and the full names of Services that stand by themselves there, without scheme and
/// port.
pub fn named_hosts(said: &Said) -> Vec<Host> {
    let alone = |name: &str| Host {
        name: name.to_owned(),
        port: None,
        field: said.field.clone(),
        by: said.by.clone(),
        path: None,
    };
    let mut found = addressed(said);
    found.extend(full_names(&said.text).into_iter().map(alone));
    found
}

/// Whether the API's server is to ask a Service, as an object of one of some kinds tells it: a webhook, a group of kinds.
pub(crate) fn is_asked_by_the_api(subject: &Subject<'_>, kinds: &[&str], service: &str) -> bool {
    let telling = subject.objects().filter(|it| kinds.contains(&it.object.kind()));
    telling.flat_map(|it| references(&it.object)).any(|it| it.kind == "Service" && it.name == service)
}

/// The kinds that tell it of webhooks.
pub(crate) const WEBHOOKS: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The hosts of the addresses in a text.
fn addressed(said: &Said) -> Vec<Host> {
    let text = below_pods(&said.text);
    let host = |it: Address| Host {
        name: it.host,
        port: it.port,
        field: said.field.clone(),
        by: said.by.clone(),
        path: it.path,
    };
    addresses(&text).into_iter().map(host).collect()
}

/// The full names of Services that stand in a text without scheme and port: `psql -h db.shop.svc.cluster.local`. What a remark
/// says, or what is looked for in another text, is nobody's address.
fn full_names(text: &str) -> BTreeSet<&str> {
    let is_remark = |line: &str| ["#", "//", ";", "-- ", "*"].iter().any(|mark| line.trim_start().starts_with(*mark));
    let lines = text.lines().filter(|line| line.contains(".svc") && !line.contains("grep ") && !is_remark(line));
    lines.flat_map(|line| line.match_indices(".svc").filter_map(move |(at, _)| full_name(line, at))).collect()
}

/// The full name of a Service around a place in a line; none where it is put together with something, or part of an address.
fn full_name(line: &str, at: usize) -> Option<&str> {
    let before = line[..at].trim_end_matches(is_of_host);
    let after = line[at..].trim_start_matches(is_of_host);
    let is_begun = before.is_empty() || before.ends_with(|it: char| it.is_whitespace() || "\"'`=,([".contains(it));
    let is_ended = after.is_empty()
        || after.starts_with(":$")
        || after.starts_with(|it: char| it.is_whitespace() || "\"'`,;)]\\".contains(it));
    let name = line[before.len()..line.len() - after.len()].trim_end_matches('.');
    let parts: Vec<&str> = name.split('.').collect();
    let is_full = matches!(parts.as_slice(), [_, _, "svc"] | [_, _, "svc", "cluster", "local"]);
    (is_begun && is_ended && is_full && is_subdomain(name)).then_some(name)
}

/// The option that a word of a command line is for: its own beginning, or the word before it.
pub fn option(words: &[Value], at: usize) -> &str {
    let word = |at: usize| words.get(at).and_then(Value::as_str).filter(|it| it.starts_with('-'));
    match word(at) {
        Some(own) => own.split('=').next().unwrap_or_default(),
        None => at.checked_sub(1).and_then(word).filter(|it| !it.contains('=')).unwrap_or_default(),
    }
}

/// A text without the names of pods in front of their Service's, where a variable names them: `$(HOSTNAME).db`.
fn below_pods(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    while let Some(start) = text.find("://$(") {
        let Some(end) = text[start..].find(").").map(|at| start + at) else { break };
        text.to_mut().replace_range(start + 3..end + 2, "");
    }
    text
}

/// The calls of a workload: what its variables say, and the ConfigMaps and Secrets that it takes.
pub fn calls_of<'a>(subject: &Subject<'a>, workload: &'a Desired, template: &PodTemplate<'a>) -> Vec<Call<'a>> {
    let mut found = calls(subject, &workload.object, Some(template));
    let mut seen: Vec<(String, String)> = Vec::new();
    for reference in references(&workload.object) {
        let id = (reference.kind.clone(), reference.name.clone());
        if !matches!(reference.kind.as_str(), "ConfigMap" | "Secret") || seen.contains(&id) {
            continue;
        }
        seen.push(id);
        let Some(source) = subject.desired("", &reference.kind, reference.namespace.as_deref(), &reference.name) else {
            continue;
        };
        let written = calls(subject, &source.object, None);
        let shared = (reference.kind.clone(), reference.name.clone());
        let through = |call| Call { field: reference.path.clone(), shared: Some(shared.clone()), ..call };
        found.extend(written.into_iter().map(through));
    }
    found
}

/// `X_HOST` beside `X_PORT`.
fn pairs<'a>(subject: &Subject<'a>, object: &Object, group: &[(String, String, String)]) -> Vec<Call<'a>> {
    let by_name: BTreeMap<&str, (&str, &str)> =
        group.iter().map(|(name, text, field)| (name.as_str(), (text.as_str(), field.as_str()))).collect();
    let mut found = Vec::new();
    for (name, (host, _)) in &by_name {
        let Some(prefix) = name.strip_suffix("HOST") else { continue };
        let Some((port, field)) = by_name.get(format!("{prefix}PORT").as_str()) else { continue };
        let host = host.trim();
        let host_is_name = !host.is_empty() && host.chars().all(is_of_host);
        let Some(service) = Some(host).filter(|_| host_is_name).and_then(|it| service(subject, object.namespace(), it))
        else {
            continue;
        };
        let Ok(port) = port.trim().parse() else { continue };
        found.push(Call { service, port, field: (*field).to_owned(), shared: None });
    }
    found
}

/// The Service of a name as pods of a namespace see it.
pub fn service<'a>(subject: &Subject<'a>, namespace: Option<&str>, host: &str) -> Option<Found<'a>> {
    let parts: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let (name, namespace) = match parts.as_slice() {
        [name] => (*name, namespace?),
        [name, namespace] | [name, namespace, "svc", ..] | [_, name, namespace, "svc", ..] => (*name, *namespace),
        _ => return None,
    };
    subject.find("", "Service", Some(namespace), name)
}

#[derive(Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: Option<u64>,
    /// What stands behind the host of a URL of the web.
    path: Option<String>,
}

/// Addresses in a text: URLs anywhere, `host:port` where the text is nothing else, or a line gives it to a setting,
/// or the host is a Service's full name.
fn addresses(text: &str) -> Vec<Address> {
    let is_edge = |letter: char| letter.is_whitespace() || "\"'`,;<>()[]{}|\\=".contains(letter);
    let is_short = !text.trim().contains(char::is_whitespace);
    let mut found = Vec::new();
    for line in text.split('\n') {
        // nginx puts addresses together: `set $server http://web;`, and the port where it is used.
        let is_put_together = line.trim_start().starts_with("set $");
        for token in line.split(is_edge).filter(|token| !token.is_empty()) {
            let (scheme, rest) = token.split_once("://").map_or((None, token), |(scheme, rest)| (Some(scheme), rest));
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let authority = authority.rsplit('@').next().unwrap_or_default();
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, port.parse::<u16>().ok().map(u64::from)),
                None => (authority, None),
            };
            if host.is_empty() || !host.chars().all(is_of_host) {
                continue;
            }
            let by_scheme = match scheme {
                Some("http" | "ws") => Some(80),
                Some("https" | "wss") => Some(443),
                _ => None,
            };
            let has_colon = authority.contains(':');
            let port = if has_colon { port } else { by_scheme };
            if !has_colon && is_put_together {
                continue;
            }
            // `redis:7` is an image.
            let is_alone = || is_short || host.contains(".svc") || is_all_of_a_setting(line, token);
            let is_address = scheme.is_some() || (port.is_some_and(|port| port >= 80) && is_alone());
            if is_address {
                let path = by_scheme.map(|_| rest[rest.find(['/', '?', '#']).unwrap_or(rest.len())..].to_owned());
                found.push(Address { host: host.to_owned(), port, path });
            }
        }
    }
    found
}

/// Whether a line gives a word of it, and nothing else, to a setting: `destination = relay:7000`.
fn is_all_of_a_setting(line: &str, token: &str) -> bool {
    let Some(start) = (token.as_ptr() as usize).checked_sub(line.as_ptr() as usize) else { return false };
    let (Some(before), Some(after)) = (line.get(..start), line.get(start + token.len()..)) else { return false };
    let is_around = |letter: char| letter.is_whitespace() || "\"'".contains(letter);
    let before = before.trim_end_matches(is_around);
    let Some(key) = before.strip_suffix(['=', ':']).map(str::trim) else { return false };
    let is_key = key.starts_with(|it: char| it.is_ascii_alphabetic())
        && key.chars().all(|it| it.is_ascii_alphanumeric() || " _-.".contains(it))
        && !key.to_ascii_lowercase().contains("image");
    is_key && after.trim_matches(|it: char| is_around(it) || ";,".contains(it)).is_empty()
}

fn is_of_host(letter: char) -> bool {
    letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-' || letter == '.'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Vec<(String, Option<u64>)> {
        addresses(text).into_iter().map(|address| (address.host, address.port)).collect()
    }

    #[test]
    fn a_url_has_a_path_and_a_word_its_option() {
        let path = |text: &str| addresses(text).into_iter().next().and_then(|it| it.path);
        assert_eq!(path("http://web:80/a/b?c"), Some("/a/b?c".to_owned()));
        assert_eq!(path("https://web"), Some(String::new()));
        assert_eq!(path("redis://web:80/1"), None);
        let words = serde_json::json!(["serve", "--url=http://a", "--to", "http://b", "c"]);
        let words = words.as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!([0, 1, 3, 4].map(|at| option(words, at)), ["", "--url", "--to", ""]);
    }

    #[test]
    fn addresses_are_urls_and_hosts_with_ports() {
        assert_eq!(seen("redis://:pw@cache:6379/0"), [("cache".to_owned(), Some(6379))]);
        assert_eq!(seen("http://login.shop.svc"), [("login.shop.svc".to_owned(), Some(80))]);
        assert_eq!(seen("a:9092,b:9092").len(), 2);
        assert_eq!(seen("targets: [\"login.shop.svc:8080\"]\nimage: cache:6379").len(), 1);
        assert!(seen("location / {\n  set $server http://web.shop.svc;\n}").is_empty());
        assert_eq!(seen("  proxy_pass http://web.shop.svc;").len(), 1);
        assert_eq!(seen("[stream]\n  destination = relay:7000\n  memory = ram\n"), [("relay".to_owned(), Some(7000))]);
        assert_eq!(seen("a: 1\nserver: 'relay:7000'\n").len(), 1);
        for none in ["a: 1\nimage: relay:7000\n", "a: 1\nb = relay:7000 and more\n", "# see relay:7000\nb: c\n"] {
            assert!(seen(none).is_empty(), "{none}");
        }
        assert!(seen("cache:7").is_empty());
        assert!(seen("http://${HOST}:80").is_empty());
        assert!(seen("postgres://cache").iter().all(|(_, port)| port.is_none()));
    }

    #[test]
    fn full_names_stand_by_themselves() {
        let named = |text: &str| full_names(text).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let script =
            "psql -h db.shop.svc.cluster.local -U x\nping \"db.shop.svc.cluster.local\" && nc cache.shop.svc:$PORT";
        assert_eq!(named(script), ["cache.shop.svc", "db.shop.svc.cluster.local"]);
        assert_eq!(named("--to=db.shop.svc,db.shop.svc."), ["db.shop.svc"]);
        for none in [
            "# see db.shop.svc",
            "echo \"$URL\" | grep -q \"db.shop.svc\"",
            "http://db.shop.svc",
            "db.shop.svc:5432",
            "db-0.db.shop.svc",
            "${NAME}.shop.svc",
            "${FRONT}-db.shop.svc",
            "$FRONTdb.shop.svc",
            "db.shop.svc.${DOMAIN}",
            "*.shop.svc",
            "me@db.shop.svc",
            "db.shop.svc/app:1",
            "db.shop.svcs",
            "é.shop.svc",
        ] {
            assert_eq!(named(none), [""; 0], "{none}");
        }
    }
}
