use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::measured_at_another_port::chooses;
use crate::calls::{Host, hosts, option, service};
use crate::pods::{Container, ContainerRole, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF385",
    title: "what is served below a path is asked for there",
    severity: Severity::Warning,
    why: "A program that is told to serve all its pages below a path answers 404 at all others. A probe that \
          still asks for `/` kills it again and again, and an address that was written without the path reaches \
          nothing.",
    advice: "Put the path in front wherever the program is asked, from the same value.",
    check,
};

/// How a program is told to serve everything below a path.
struct Moving {
    /// The option without its hyphens, or the variable.
    name: &'static str,
    /// Whether it is a URL, whose path counts where nothing else says one.
    is_url: bool,
    /// Whether the root is answered all the same, with a redirection.
    sends_on: bool,
}

/// ORIGIN: `alertmanager --help`, `prometheus --help` (both serve below the external URL's path unless told otherwise),
/// <https://docs.victoriametrics.com/#list-of-command-line-flags>, <https://www.keycloak.org/server/all-config>,
/// <https://github.com/mongo-express/mongo-express-docker#configuration>,
/// <https://docs.sonarsource.com/sonarqube-server/latest/setup-and-upgrade/environment-variables/>,
/// <https://docs.spring.io/spring-boot/appendix/application-properties/> (`server.servlet.context-path`).
const MOVING: &[Moving] = &[
    Moving { name: "web.route-prefix", is_url: false, sends_on: true },
    Moving { name: "web.external-url", is_url: true, sends_on: true },
    Moving { name: "http.pathPrefix", is_url: false, sends_on: false },
    Moving { name: "http-relative-path", is_url: false, sends_on: true },
    Moving { name: "KC_HTTP_RELATIVE_PATH", is_url: false, sends_on: true },
    Moving { name: "ME_CONFIG_SITE_BASEURL", is_url: false, sends_on: false },
    Moving { name: "SONAR_WEB_CONTEXT", is_url: false, sends_on: false },
    Moving { name: "SERVER_SERVLET_CONTEXT_PATH", is_url: false, sends_on: false },
];

/// A path below which a container serves everything.
struct Served {
    /// With a slash in front and none behind.
    path: String,
    /// The option or variable, as it is written.
    by: String,
    sends_on: bool,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers().iter().filter(|it| it.role != ContainerRole::Init) {
            if let Some(served) = served(container) {
                findings.extend(probes(desired, container, &served));
            }
        }
        if desired.role != Role::Manifest {
            continue;
        }
        for host in hosts(&desired.object, Some(&template)) {
            findings.extend(called_beside(subject, desired, &template, &host));
        }
    }
    findings
}

/// Where a container serves everything; none where that is the root.
fn served(container: &Container<'_>) -> Option<Served> {
    let mut told: Vec<(String, &str)> =
        container.env().filter_map(|(_, name, it)| Some((name.to_owned(), it["value"].as_str()?))).collect();
    for list in ["command", "args"] {
        let words: &[Value] = container.value[list].as_array().map(Vec::as_slice).unwrap_or_default();
        told.extend(words.iter().enumerate().filter_map(|(at, word)| {
            let text = word.as_str()?;
            let value = if text.starts_with('-') { text.split_once('=')?.1 } else { text };
            Some((option(words, at).to_owned(), value))
        }));
    }
    let (moving, by, text) = MOVING.iter().find_map(|moving| {
        let (by, text) = told.iter().find(|(by, _)| by.trim_start_matches('-') == moving.name)?;
        Some((moving, by, if moving.is_url { path_of(text)? } else { text }))
    })?;
    let path = format!("/{}", text.trim().trim_matches('/'));
    // What a variable or a shell puts in is not known.
    let is_known = path.len() > 1 && !path.contains(['$', '{', ' ']);
    is_known.then(|| Served { path, by: by.clone(), sends_on: moving.sends_on })
}

/// What stands behind the host of a URL, where anything does.
fn path_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    Some(&rest[rest.find('/')?..])
}

impl Served {
    /// Whether a path is below it, or answered all the same.
    fn answers(&self, path: &str) -> bool {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let is_below = path.strip_prefix(&*self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_below || (self.sends_on && matches!(path, "" | "/"))
    }
}

/// Probes of the program's own port that ask beside its path.
fn probes(desired: &Desired, container: &Container<'_>, served: &Served) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (probe, word) in
        [("startupProbe", "startup probe"), ("readinessProbe", "readiness probe"), ("livenessProbe", "liveness probe")]
    {
        let asked = &container.value[probe]["httpGet"];
        let path = asked["path"].as_str().unwrap_or("/");
        if asked.is_null()
            || !asked["host"].is_null()
            || !is_first_port(container, &asked["port"])
            || served.answers(path)
        {
            continue;
        }
        findings.push(
            RULE.finding(format!(
                "the {word} of container `{}` asks for `{path}`, and all that it serves is below `{}`",
                container.name, served.path
            ))
            .because(format!("`{}` moves it there, so the probe is answered with 404", served.by))
            .at(desired.spot_at(&format!("{}.{probe}.httpGet.path", container.path))),
        );
    }
    findings
}

/// Whether a port is the first of a container, where its pages are; others may be for its keepers.
fn is_first_port(container: &Container<'_>, port: &Value) -> bool {
    container.ports().next().is_some_and(|(number, name)| port.as_u64() == Some(number) || port.as_str() == Some(name))
}

/// An address of a Service whose pods serve everything below a path that the address leaves out.
fn called_beside(subject: &Subject<'_>, desired: &Desired, caller: &PodTemplate<'_>, host: &Host) -> Option<Finding> {
    let path = host.path.as_deref()?;
    let called = service(subject, desired.object.namespace(), &host.name)?.object();
    let port = called.list_at("/spec/ports").iter().find(|it| it["port"].as_u64() == host.port)?;
    let target = port.get("targetPort").filter(|it| !it.is_null()).unwrap_or(&port["port"]);
    let served = subject
        .pods()
        .filter(|(it, template)| it.object.namespace() == called.namespace() && chooses(called, template))
        .flat_map(|(_, template)| template.containers())
        .filter(|container| is_first_port(container, target))
        .find_map(|container| served(&container))?;
    let is_answered = !matches!(path, "" | "/") && served.answers(path);
    // A path that a program is told of apart from the address is put behind it there.
    if is_answered || caller.containers().iter().any(|it| says(it, &served.path)) {
        return None;
    }
    let by = if host.by.is_empty() { "an argument" } else { &host.by };
    Some(
        RULE.finding(format!(
            "`{by}` calls Service `{}` at `{}`, and all that its pods serve is below `{}`",
            called.name(),
            if path.is_empty() { "/" } else { path },
            served.path
        ))
        .keyed(format!("{by} {} {path}", called.name()))
        .because(format!("`{}` moves it there, so the call is answered with 404", served.by))
        .at(desired.spot_at(&host.field)),
    )
}

/// Whether a container is told of a path by any word or variable, and not by the host of a URL alone.
fn says(container: &Container<'_>, path: &str) -> bool {
    let has = |text: &str| text.replace("://", ":").contains(path);
    let mut lists = ["command", "args"].iter().flat_map(|list| container.value[*list].as_array().into_iter().flatten());
    lists.any(|word| word.as_str().is_some_and(has))
        || container.env().any(|(_, _, variable)| variable["value"].as_str().is_some_and(has))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(value: &Value) -> Option<String> {
        let container = Container { name: "web", path: String::new(), role: ContainerRole::Main, value };
        served(&container).map(|it| it.path)
    }

    #[test]
    fn a_container_is_told_where_to_serve_by_options_and_variables() {
        assert_eq!(path(&json!({"args": ["--web.route-prefix=/alarms/"]})), Some("/alarms".to_owned()));
        assert_eq!(path(&json!({"args": ["--web.external-url", "https://a.example.com/b"]})), Some("/b".to_owned()));
        assert_eq!(path(&json!({"env": [{"name": "SONAR_WEB_CONTEXT", "value": "sonar"}]})), Some("/sonar".to_owned()));
        for none in [
            json!({"args": ["--web.route-prefix=/", "--web.external-url=https://a.example.com/b"]}),
            json!({"args": ["--web.external-url=https://a.example.com"]}),
            json!({"args": ["--web.route-prefix=$(PREFIX)"]}),
            json!({"env": [{"name": "ME_CONFIG_SITE_BASEURL", "value": "/"}]}),
            json!({}),
        ] {
            assert_eq!(path(&none), None, "{none}");
        }
    }

    #[test]
    fn a_path_is_answered_below_and_at_the_root_where_it_sends_on() {
        let served = |sends_on| Served { path: "/a".to_owned(), by: String::new(), sends_on };
        assert!(served(false).answers("/a") && served(false).answers("/a/b?c") && served(true).answers("/"));
        assert!(!served(false).answers("/") && !served(true).answers("/ab") && !served(true).answers("/b"));
    }
}
