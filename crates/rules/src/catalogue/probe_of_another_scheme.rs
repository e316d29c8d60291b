use landfall_diag::{Finding, Severity};

use crate::calls::{WEBHOOKS, is_asked_by_the_api};
use crate::pods::{Container, PodTemplate, image_parts};
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF355",
    title: "probes speak as the port does that they ask at",
    severity: Severity::Warning,
    why: "A probe without a scheme asks in plain HTTP. A port that is called `https` answers that with an error, and one that is called \
          `http` does not understand TLS; a database or a cache at its own port understands neither. The probe fails, and the pod never \
          becomes ready or is killed again and again.",
    advice: "Set `scheme: HTTPS` beside the port of a probe that asks over TLS, or ask at the other port; a server that speaks no HTTP is \
             asked by `tcpSocket` or its own client in `exec`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                if let Some(server) = of_no_http(&container, probe) {
                    findings.push(
                        RULE.finding(format!("the {probe} of container `{}` asks {server} over HTTP", container.name))
                            .because("it speaks a protocol of its own at that port, so the probe fails")
                            .help("ask by `tcpSocket`, or by its own client in `exec`")
                            .at(desired.spot_at(&format!("{}.{probe}.httpGet", container.path))),
                    );
                    continue;
                }
                let Some((called, scheme)) = asked(&container, probe) else { continue };
                let is_secure = scheme.eq_ignore_ascii_case("HTTPS");
                if is_secure == (called == "https") || (is_secure && is_webhook(subject, &template)) {
                    continue;
                }
                findings.push(
                    RULE.finding(format!(
                        "the {probe} of container `{}` asks in {} at the port that is called `{called}`",
                        container.name,
                        if is_secure { "TLS" } else { "plain HTTP" }
                    ))
                    .because("what listens there does not understand it, so the probe fails")
                    .help(format!("`scheme: {}`", if is_secure { "HTTP" } else { "HTTPS" }))
                    .at(desired.spot_at(&format!("{}.{probe}.httpGet", container.path))),
                );
            }
        }
    }
    findings
}

/// Whether the API asks these pods as a webhook: it does so over TLS, whatever their port is called.
fn is_webhook(subject: &Subject<'_>, template: &PodTemplate<'_>) -> bool {
    subject.of_kind("", "Service").any(|it| {
        let selector = &it.object.value()["spec"]["selector"];
        let leads = selector.is_object() && template.is_selected_by(selector);
        leads && is_asked_by_the_api(subject, &WEBHOOKS, it.object.name())
    })
}

/// Servers that speak no HTTP at their port, by what their images are called.
// ORIGIN: iana.org/assignments/service-names-port-numbers, and what the official images of Docker Hub expose.
const OF_NO_HTTP: &[(u64, &str, &[&str])] = &[
    (3306, "MySQL", &["mysql", "mariadb", "percona-server"]),
    (5432, "PostgreSQL", &["postgres", "postgresql"]),
    (5672, "RabbitMQ", &["rabbitmq"]),
    (6379, "Redis", &["redis", "valkey", "keydb"]),
    (11211, "memcached", &["memcached"]),
    (27017, "MongoDB", &["mongo", "mongodb"]),
];

/// The server that a probe asks over HTTP and that speaks none.
fn of_no_http(container: &Container<'_>, probe: &str) -> Option<&'static str> {
    let port = container.value.pointer(&format!("/{probe}/httpGet/port"))?;
    let by_name = || container.ports().find(|(_, name)| port == *name).map(|(number, _)| number);
    let number = port.as_u64().or_else(|| port.as_str()?.parse().ok()).or_else(by_name)?;
    let (_, path) = image_parts(container.image());
    let called = path.rsplit('/').next().unwrap_or_default();
    let (_, server, _) = OF_NO_HTTP.iter().find(|(own, _, names)| *own == number && names.contains(&called))?;
    Some(server)
}

/// How the port is called that a probe asks over HTTP, where its name says what it speaks, and over which scheme.
fn asked<'c>(container: &Container<'c>, probe: &str) -> Option<(&'c str, &'c str)> {
    let get = container.value.pointer(&format!("/{probe}/httpGet"))?;
    let named = get["port"].as_str().filter(|port| port.parse::<u64>().is_err());
    let number = get["port"].as_u64().or_else(|| get["port"].as_str()?.parse().ok());
    let by_number = || container.ports().find(|(port, _)| Some(*port) == number).map(|(_, name)| name);
    let called = named.or_else(by_number)?;
    let is_own = container.ports().any(|(_, name)| name == called);
    (is_own && matches!(called, "http" | "https")).then(|| (called, get["scheme"].as_str().unwrap_or("HTTP")))
}
