//! Settings that let a program listen at another port than its container declares.

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::super::variable_that_a_file_asks_for::mounts;
use super::{RULE, declared, is_told};
use crate::decoded::texts;
use crate::pods::{Container, ContainerRole, PodTemplate};
use crate::subject::{Desired, Role, Subject};

/// A container that declares one port, which nothing tells it, while the only place where its settings let it listen
/// is another one. The program may open both: it is an info.
pub(super) fn elsewhere(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Vec<Finding> {
    if desired.role != Role::Manifest {
        return Vec::new();
    }
    let all = declared(std::slice::from_ref(template));
    let mut findings = Vec::new();
    for container in template.containers().iter().filter(|it| it.role != ContainerRole::Init) {
        let mut own = container.ports().map(|(port, _)| port);
        let (Some(own), None) = (own.next(), own.next()) else { continue };
        let heard = heard(subject, desired, template, container);
        let Some((port, setting, map, field)) = heard.first() else { continue };
        let is_alone = heard.iter().all(|(other, ..)| other == port);
        if !is_alone || all.contains(port) || is_told(subject, desired, template, own) {
            continue;
        }
        findings.push(
            RULE.finding(format!(
                "container `{}` declares port {own}, and `{setting}` in its settings lets it listen at {port}",
                container.name
            ))
            .weighing(Severity::Info)
            .because("nothing that it is told names the declared port: whoever is sent there finds nobody")
            .help("let the setting and the container's port come from one value")
            .at(map.spot_at(field))
            .at(desired.spot_at(&format!("{}.ports[0].containerPort", container.path))),
        );
    }
    findings
}

/// Where the files that a container mounts let it listen: the port, the setting, the file's object and field.
fn heard<'s>(
    subject: &Subject<'s>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
) -> Vec<(u64, String, &'s Desired, String)> {
    let mut found = Vec::new();
    for volume in template.volumes().iter().filter(|it| mounts(container, it)) {
        let sources = [("ConfigMap", &volume["configMap"]["name"]), ("Secret", &volume["secret"]["secretName"])];
        let named = sources.into_iter().find_map(|(kind, name)| Some((kind, name.as_str()?)));
        let Some(map) = named.and_then(|(kind, name)| subject.desired("", kind, desired.object.namespace(), name))
        else {
            continue;
        };
        for (_, text, field) in texts(&map.object).into_iter().filter(|(key, ..)| is_seen(container, volume, key)) {
            found.extend(listening(&text).into_iter().map(|(port, setting)| (port, setting, map, field.clone())));
        }
    }
    found
}

/// Whether a container mounts a key of a volume: all of them, or this one.
fn is_seen(container: &Container<'_>, volume: &Value, key: &str) -> bool {
    let mounts = container.value["volumeMounts"].as_array().into_iter().flatten();
    mounts.filter(|it| it["name"] == volume["name"]).any(|it| it["subPath"].as_str().is_none_or(|part| part == key))
}

/// The words that a setting for a program's own address is made of; any other one says that it is for something
/// beside it.
const WORDS: &[&str] =
    &["bind", "listen", "listener", "to", "on", "address", "addr", "host", "port", "http", "server", "web"];
/// The sections of a file that are of the program as a whole.
const SECTIONS: &[&str] = &["", "global", "default", "main", "server", "http", "web"];

/// Where a file lets a program listen, with the settings that say so.
fn listening(text: &str) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    let mut section = String::new();
    for line in text.lines() {
        let plain = line.trim();
        if let Some(name) = plain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim().to_ascii_lowercase();
            continue;
        }
        if plain.starts_with(['#', ';', '/']) || !SECTIONS.contains(&&*section) {
            continue;
        }
        let pair = match plain.strip_suffix(';').and_then(|it| it.strip_prefix("listen ")) {
            // As nginx has it: `listen 8080 default_server;`.
            Some(rest) => Some(("listen", rest.split_whitespace().next().unwrap_or_default())),
            None => plain.split_once('=').or_else(|| line.split_once(':').filter(|_| line == plain)),
        };
        let Some((key, value)) = pair.map(|(key, value)| (key.trim(), value.trim())) else { continue };
        let Some(port) = is_own_address(key).then(|| port(value)).flatten() else { continue };
        found.push((port, format!("{key} = {value}")));
    }
    found
}

fn is_own_address(key: &str) -> bool {
    let lower = key.trim_matches(['"', '\'']).to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|it: char| !it.is_ascii_alphanumeric()).filter(|it| !it.is_empty()).collect();
    words.iter().any(|it| matches!(*it, "bind" | "listen")) && words.iter().all(|it| WORDS.contains(it))
}

/// The port of an address that is every one of the machine's.
fn port(value: &str) -> Option<u64> {
    let value = value.trim_matches(['"', '\'']);
    let (host, port) = value.rsplit_once(':').unwrap_or(("", value));
    let is_any = matches!(host, "" | "0.0.0.0" | "*" | "[::]" | "::");
    port.parse::<u16>().ok().filter(|it| is_any && *it > 0).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_where_a_program_listens() {
        let ports = |text: &str| listening(text).into_iter().map(|(port, _)| port).collect::<Vec<_>>();
        assert_eq!(ports("[global]\n  bind to = 0.0.0.0:19999\n[plugins]\n  bind to = :1\n"), [19999]);
        assert_eq!(ports("server {\n  listen 8080 default_server;\n  listen [::]:8080;\n}"), [8080, 8080]);
        assert_eq!(ports("listen-address: \":9000\"\nmetrics:\n  listen: :9100\n"), [9000]);
        for none in
            ["bind to = localhost:80", "metrics_listen = :80", "# listen = :80", "listen 10.0.0.1:80;", "a = :80"]
        {
            assert!(ports(none).is_empty(), "{none}");
        }
    }
}
