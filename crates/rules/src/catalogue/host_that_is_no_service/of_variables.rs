//! Hosts that variables are given by a bare name, beside variables that are given their ports.

use landfall_diag::Finding;
use landfall_object::is_subdomain;

use super::names::Names;
use super::{RULE, unanswered};
use crate::calls::Host;
use crate::pods::{Container, ContainerRole, PodTemplate};
use crate::subject::{Desired, Subject};

/// What a variable for a host has in the place of `_PORT`, or `PORT`, in the name of the one for its port.
const OF_A_HOST: &[&str] = &["_HOSTNAME", "_HOST", "_SERVER", "_ADDRESS", "HOST"];

/// The ports below are those of the machine's own services.
const LOWEST: u16 = 80;

/// A host that a variable is given, with the port of the variable beside it.
struct Given {
    host: Host,
    /// Whether the variable is called after a host, not after the server itself: `RELAY_HOST`, not `RELAY`.
    is_called_so: bool,
}

/// Variables that are given a host by a bare name, which is no Service.
pub(super) fn of_variables<'a>(names: &Names<'a>, desired: &'a Desired, template: &PodTemplate<'_>) -> Vec<Finding> {
    let subject = &names.subject;
    let given: Vec<Given> = template.containers().iter().flat_map(hosts_given).collect();
    given
        .into_iter()
        .filter(|it| !is_hostname(subject, &it.host.name))
        .filter(|it| it.is_called_so || is_nearly_a_service(subject, desired, &it.host.name))
        .filter_map(|Given { host, .. }| {
            unanswered(names, desired, &host).or_else(|| of_a_container(names, desired, template, &host))
        })
        .collect()
}

/// The hosts that the variables of a container are given, each beside a variable with its port.
fn hosts_given(container: &Container<'_>) -> Vec<Given> {
    let set: Vec<(usize, &str, &str)> = container
        .env()
        .filter_map(|(at, name, variable)| Some((at, name, variable["value"].as_str()?.trim())))
        .collect();
    let port_of = |stem: &str| {
        set.iter().find_map(|(_, name, text)| {
            let is_its_port = matches!(name.strip_prefix(stem), Some("_PORT" | "PORT"));
            text.parse::<u16>().ok().filter(|port| is_its_port && *port >= LOWEST)
        })
    };
    let mut found = Vec::new();
    for (at, variable, name) in set.iter().filter(|(_, _, text)| is_bare(text)) {
        let stem = OF_A_HOST.iter().find_map(|ending| variable.strip_suffix(*ending)).filter(|it| !it.is_empty());
        let Some(port) = stem.and_then(port_of).or_else(|| port_of(variable)) else { continue };
        let field = format!("{}.env[{at}].value", container.path);
        let (name, by) = ((*name).to_owned(), (*variable).to_owned());
        let host = Host { name, port: Some(u64::from(port)), field, by, path: None };
        found.push(Given { host, is_called_so: stem.is_some() });
    }
    found
}

/// Whether a text is the bare name of a host; the full one of a Service is told without its port.
fn is_bare(text: &str) -> bool {
    let is_word = matches!(text, "true" | "false" | "localhost");
    is_subdomain(text) && text.starts_with(|it: char| it.is_ascii_lowercase()) && !is_word && !text.contains(".svc")
}

/// Whether pods are called so on the machine that they are themselves.
fn is_hostname(subject: &Subject<'_>, name: &str) -> bool {
    subject.pods().any(|(_, template)| template.spec["hostname"] == name)
}

/// Whether a name is that of a Service of the release with something in front or behind, or the other way round.
fn is_nearly_a_service(subject: &Subject<'_>, desired: &Desired, name: &str) -> bool {
    let is_longer = |one: &str, other: &str| {
        one.strip_prefix(other).is_some_and(|rest| rest.starts_with('-'))
            || one.strip_suffix(other).is_some_and(|rest| rest.ends_with('-'))
    };
    let mut own = subject.of_kind("", "Service").filter(|it| it.unit == desired.unit);
    own.any(|it| is_longer(it.object.name(), name) || is_longer(name, it.object.name()))
}

/// A host that is a container of pods behind a Service of another name, which has the port.
fn of_a_container(names: &Names<'_>, desired: &Desired, template: &PodTemplate<'_>, host: &Host) -> Option<Finding> {
    let subject = &names.subject;
    let (name, namespace) = (host.name.as_str(), desired.object.namespace()?);
    let is_there = subject.find("", "Service", Some(namespace), name).is_some();
    let is_own = template.containers().iter().any(|it| it.name == name);
    if name.contains('.') || is_there || is_own || names.is_elsewhere(name, namespace) {
        return None;
    }
    let runs = |it: &Container<'_>| it.name == name && it.role != ContainerRole::Init;
    let beside = subject.pods().filter(|(it, _)| it.unit == desired.unit && it.object.namespace() == Some(namespace));
    let mut around = beside.map(|(_, pods)| pods).filter(|pods| pods.containers().iter().any(runs));
    let service = around.find_map(|pods| leading_to(subject, namespace, &pods, host.port))?;
    if names.is_of_sibling(name) {
        return None;
    }
    Some(
        RULE.finding(format!("`{name}` is no Service of the release"))
            .keyed(host.name.clone())
            .because(format!(
                "the container `{name}` runs in the pods of Service `{service}`, and has no name of its own"
            ))
            .help(format!("call `{service}`"))
            .at(desired.spot_at(&host.field)),
    )
}

/// The Service that leads to pods by a port.
fn leading_to<'s>(
    subject: &Subject<'s>,
    namespace: &str,
    pods: &PodTemplate<'_>,
    port: Option<u64>,
) -> Option<&'s str> {
    let leads = |it: &&'s Desired| {
        let selector = it.object.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()));
        let mut ports = it.object.list_at("/spec/ports").iter().map(|it| it["port"].as_u64());
        it.object.namespace() == Some(namespace)
            && selector.is_some_and(|selector| pods.is_selected_by(selector))
            && ports.any(|it| it == port)
    };
    subject.of_kind("", "Service").find(leads).map(|it| it.object.name())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn given(env: &[(&str, &str)]) -> Vec<(String, Option<u64>, bool)> {
        let env: Vec<_> = env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let value = json!({"env": env});
        let container = Container { name: "web", path: "c".to_owned(), role: ContainerRole::Main, value: &value };
        hosts_given(&container).into_iter().map(|it| (it.host.name, it.host.port, it.is_called_so)).collect()
    }

    #[test]
    fn a_host_stands_beside_its_port() {
        let relay = |is_called_so| [("relay".to_owned(), Some(7000), is_called_so)];
        assert_eq!(given(&[("X_HOST", "relay"), ("X_PORT", "7000")]), relay(true));
        assert_eq!(given(&[("PGHOST", "relay"), ("PGPORT", "7000")]), relay(true));
        assert_eq!(given(&[("X_SERVER_PORT", "7000"), ("X_SERVER", " relay ")]), relay(true));
        assert_eq!(given(&[("X", "relay"), ("XPORT", "7000")]), relay(false));
    }

    #[test]
    fn what_is_no_bare_name_or_has_no_port_is_no_host() {
        for (host, port) in
            [("localhost", "7000"), ("0.0.0.0", "7000"), ("db.shop.svc", "7000"), ("a b", "7000"), ("relay", "7")]
        {
            assert!(given(&[("X_HOST", host), ("X_PORT", port)]).is_empty(), "{host}:{port}");
        }
        assert!(given(&[("HOST", "relay"), ("PORT", "7000")]).is_empty());
        assert!(given(&[("X_HOST", "relay"), ("Y_PORT", "7000")]).is_empty());
    }
}
