mod follows_alone;
mod headless;
mod listened;
mod undeclared;

use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::references::{Reference, references};
use serde_json::Value;

use super::measured_at_another_port::{chooses, in_front};
use super::unseen_settings::{changes, find};
use super::variable_that_a_file_asks_for::mounts;
use crate::decoded::texts;
use crate::operated::is_operated;
use crate::pods::{Container, ContainerRole, PodTemplate, pod_template, selects};
use crate::rule::Rule;
use crate::subject::{Desired, Found, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF186",
    title: "probes and Services ask for a port that a container opens",
    severity: Severity::Warning,
    why: "A number is taken as it is: nothing says that a probe or a Service asks for a port where nobody listens. The pod \
          is never ready or is killed again and again, and whoever calls the Service is refused.",
    advice: "Use a port that the container declares; refer to it by its name, so that both change together.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        findings.extend(measured_elsewhere(subject, desired, &template));
        findings.extend(opened_twice(desired, &template));
        findings.extend(undeclared::asked(subject, desired, &template));
        findings.extend(listened::elsewhere(subject, desired, &template));
        for container in template.containers() {
            findings.extend(moved_alone(subject, desired, &container));
            findings.extend(told_otherwise(subject, desired, &template, &container));
            findings.extend(follows_alone::follows_alone(subject, desired, &container));
            findings.extend(asked_of_the_node(desired, &template, &container));
            for (field, port) in probed(&container) {
                let declared = declared(std::slice::from_ref(&template));
                if declared.contains(&port) || !opens_some(&container) || speaks_of(subject, desired, &template, port) {
                    continue;
                }
                let was = was_declared(subject, desired, port);
                findings.push(
                    RULE.finding(format!(
                        "the {} of container `{}` asks at port {port}, which it does not open",
                        word(field),
                        container.name
                    ))
                    .weighing(weight(was || in_front(subject, desired, &template, port).is_some()))
                    .because(match field {
                        "livenessProbe" => "nobody answers there, so the container is killed again and again",
                        "startupProbe" => "nobody answers there, so the container never counts as started",
                        _ => "nobody answers there, so the pod never becomes ready",
                    })
                    .help(format!("its ports are {}", listed(&own(&container))))
                    .at(desired.spot_at(&format!("{}.{field}", container.path))),
                );
            }
        }
    }
    for service in subject.of_kind("", "Service") {
        findings.extend(behind(subject, service));
    }
    findings
}

/// One port that two containers of a pod declare: they share one network.
fn opened_twice(desired: &Desired, template: &PodTemplate<'_>) -> Option<Finding> {
    let mut seen: Vec<(&str, u64, String)> = Vec::new();
    for container in template.containers().into_iter().filter(|it| it.role != ContainerRole::Init) {
        for (at, port) in container.value["ports"].as_array().into_iter().flatten().enumerate() {
            let Some(number) = port["containerPort"].as_u64() else { continue };
            let protocol = port["protocol"].as_str().unwrap_or("TCP").to_owned();
            let other =
                seen.iter().find(|(name, known, by)| *name != container.name && *known == number && *by == protocol);
            if let Some((other, ..)) = other {
                return Some(
                    RULE.finding(format!(
                        "containers `{other}` and `{}` of one pod both open port {number}",
                        container.name
                    ))
                    .because("they share one address: whoever comes second cannot open it, and ends")
                    .help("give one of them another port")
                    .at(desired.spot_at(&format!("{}.ports[{at}].containerPort", container.path))),
                );
            }
            seen.push((container.name, number, protocol));
        }
    }
    None
}

/// A variable that said the declared port at the base, and says another one now, which is declared nowhere.
fn told_otherwise(
    subject: &Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
) -> Option<Finding> {
    let object = &desired.object;
    let old = pod_template(find(subject.base?, object.group(), object.kind(), object.namespace(), object.name())?)?;
    let before = old.containers().into_iter().find(|it| it.name == container.name)?;
    let number = |variable: &Value| variable["value"].as_str().and_then(|text| text.trim().parse::<u64>().ok());
    let (was, is) = (own(&before), own(container));
    container.env().find_map(|(at, name, variable)| {
        // A Service that leads there by number finds it: what is declared is a note that was left.
        let now = number(variable).filter(|now| !is.contains(now) && !is_led_to(subject, desired, template, *now))?;
        let (_, _, earlier) = before.env().find(|(_, other, _)| *other == name)?;
        let then = number(earlier).filter(|then| was.contains(then) && is.contains(then) && *then != now)?;
        name.to_ascii_uppercase().contains("PORT").then(|| {
            RULE.finding(format!(
                "container `{}` is told of port {now} by `{name}`, and declares {then}",
                container.name
            ))
            .because("both were the same before the change: what leads to the declared port finds nobody there")
            .help("declare the port that the program is told to open")
            .at(desired.spot_at(&format!("{}.env[{at}].value", container.path)))
        })
    })
}

/// Whether a Service in front of a pod leads to a port of it by its number.
fn is_led_to(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>, port: u64) -> bool {
    subject.of_kind("", "Service").map(|it| &it.object).any(|service| {
        service.namespace() == desired.object.namespace()
            && chooses(service, template)
            && service.list_at("/spec/ports").iter().any(|it| it["targetPort"].as_u64() == Some(port))
    })
}

/// The annotation by which Prometheus is customarily told where to ask.
const SCRAPED: &str = "prometheus.io/port";

/// A port that a pod is to be measured at and that none of its containers opens.
fn measured_elsewhere(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Option<Finding> {
    let annotations = template.annotations()?;
    let port: u64 = annotations.get(SCRAPED)?.as_str()?.trim().parse().ok()?;
    if annotations.get("prometheus.io/scrape").is_some_and(|it| it == "false") {
        return None;
    }
    let own = declared(std::slice::from_ref(template));
    // The annotation itself says the port; what else is told decides.
    if own.is_empty() || own.contains(&port) || is_told(subject, desired, template, port) {
        return None;
    }
    // LF261 tells of the Service's port.
    if in_front(subject, desired, template, port).is_some() {
        return None;
    }
    let metadata = template.path.strip_suffix("spec").unwrap_or_default();
    Some(
        RULE.finding(format!(
            "{} `{}` is to be measured at port {port}, which no container opens",
            desired.object.kind(),
            desired.object.name()
        ))
        .weighing(weight(was_declared(subject, desired, port)))
        .because("nobody answers there, so nothing is measured")
        .help(format!("its ports are {}", listed(&own)))
        .at(desired.spot_at(&format!("{metadata}metadata.annotations[{SCRAPED}]"))),
    )
}

/// Probes of an address that is the node's own: the kubelet asks, and not the pod.
fn asked_of_the_node(desired: &Desired, template: &PodTemplate<'_>, container: &Container<'_>) -> Vec<Finding> {
    if template.spec["hostNetwork"] == true {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        for how in ["httpGet", "tcpSocket"] {
            let host = container.value.pointer(&format!("/{probe}/{how}/host")).and_then(Value::as_str);
            let Some(host) = host.filter(|host| matches!(*host, "localhost" | "127.0.0.1" | "::1" | "0.0.0.0")) else {
                continue;
            };
            findings.push(
                RULE.finding(format!("the {} of container `{}` asks `{host}`", word(probe), container.name))
                    .because("the kubelet asks, and that is its own node: nobody answers there, or somebody else does")
                    .help("leave the host out: the pod's own address is asked then")
                    .at(desired.spot_at(&format!("{}.{probe}.{how}.host", container.path))),
            );
        }
    }
    findings
}

/// A port that a container declares otherwise than in the base, while all that its program is and is told stays as it was.
fn moved_alone(subject: &Subject<'_>, desired: &Desired, container: &Container<'_>) -> Option<Finding> {
    let base = subject.base?;
    let object = &desired.object;
    let old = pod_template(find(base, object.group(), object.kind(), object.namespace(), object.name())?)?;
    let before = old.containers().into_iter().find(|it| it.name == container.name)?;
    let same = ["image", "command", "args", "env", "envFrom", "volumeMounts"];
    let told = references(object).into_iter().filter(|it| matches!(it.kind.as_str(), "ConfigMap" | "Secret"));
    let is_told_otherwise = |it: landfall_object::references::Reference| {
        changes(subject, base, &it.kind, it.namespace.as_deref(), &it.name, None)
    };
    if same.iter().any(|field| container.value[*field] != before.value[*field])
        || told.into_iter().any(is_told_otherwise)
    {
        return None;
    }
    let (was, is) = (own(&before), own(container));
    let gone: Vec<u64> = was.difference(&is).copied().collect();
    let new: Vec<u64> = is.difference(&was).copied().collect();
    let ([gone], [new]) = (gone.as_slice(), new.as_slice()) else { return None };
    let ports = container.value["ports"].as_array()?;
    let at = ports.iter().position(|port| port["containerPort"].as_u64() == Some(*new))?;
    Some(
        RULE.finding(format!(
            "container `{}` declares port {new} in place of {gone}, and nothing else of it changes",
            container.name
        ))
        .weighing(Severity::Info)
        .because("a declared port opens nothing: the program listens where it did, unless it was wrong before")
        .help("tell the program its new port, or leave the old one declared")
        .at(desired.spot_at(&format!("{}.ports[{at}].containerPort", container.path))),
    )
}

fn word(field: &str) -> &'static str {
    match field {
        "livenessProbe" => "liveness probe",
        "startupProbe" => "startup probe",
        _ => "readiness probe",
    }
}

/// Ports of a Service behind which no container listens.
fn behind(subject: &Subject<'_>, service: &Desired) -> Vec<Finding> {
    let object = &service.object;
    let headless = object.str_at("/spec/clusterIP") == Some("None");
    let Some(selector) = object.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()))
    else {
        return Vec::new();
    };
    let beside: Vec<(&Desired, PodTemplate<'_>)> = subject
        .pods()
        .filter(|(desired, template)| {
            desired.role == Role::Manifest
                && desired.object.namespace() == object.namespace()
                && selects(selector, template.labels())
        })
        .collect();
    let templates: Vec<PodTemplate<'_>> = beside.iter().map(|(_, template)| *template).collect();
    let known = declared(&templates);
    // Of pods that declare nothing, or that somebody else may add to, nothing is known.
    if known.is_empty() || is_operated(subject, &service.unit) {
        return Vec::new();
    }
    if headless {
        return headless::astray(subject, service, &beside);
    }
    let mut findings = Vec::new();
    for (at, port) in object.list_at("/spec/ports").iter().enumerate() {
        let target = match port.get("targetPort").filter(|it| !it.is_null()) {
            Some(Value::String(text)) => text.parse().ok(),
            Some(target) => target.as_u64(),
            None => port["port"].as_u64(),
        };
        findings.extend(spoken_otherwise(service, &templates, at, port));
        let Some(target) = target.filter(|target| !known.contains(target)) else { continue };
        if beside.iter().any(|(desired, template)| speaks_of(subject, desired, template, target)) {
            findings.extend(called_alike(service, &templates, at, port));
            continue;
        }
        let (field, help) = match (port["targetPort"].is_null(), known.len()) {
            (true, 1) => ("port", format!("say where it leads: `targetPort: {}`", listed(&known))),
            (true, _) => {
                ("port", format!("say where it leads in `targetPort`: the pods' ports are {}", listed(&known)))
            }
            (false, _) => ("targetPort", format!("the pods' ports are {}", listed(&known))),
        };
        let was = beside.iter().any(|(desired, _)| was_declared(subject, desired, target));
        findings.push(
            RULE.finding(format!("no pod of Service `{}` opens port {target}", object.name()))
                // A Service that says its own port twice has most likely the pod's forgotten.
                .weighing(weight(was || port["port"].as_u64() == Some(target)))
                .because("connections to the Service are refused by the pod")
                .help(help)
                .at(service.spot_at(&format!("spec.ports[{at}].{field}"))),
        );
    }
    findings
}

/// A port of a Service that leads to a number which no container has, while the containers' port of its name is another one.
fn called_alike(service: &Desired, templates: &[PodTemplate<'_>], at: usize, port: &Value) -> Option<Finding> {
    let name = port["name"].as_str().filter(|name| !name.is_empty())?;
    // The API takes 0 for nothing, and the Service's own port in its place.
    let target = port["targetPort"].as_u64().filter(|target| *target > 0)?;
    let containers: Vec<Container<'_>> = templates.iter().flat_map(PodTemplate::containers).collect();
    let mut alike: Vec<u64> =
        containers.iter().flat_map(Container::ports).filter(|(_, known)| *known == name).map(|(own, _)| own).collect();
    alike.dedup();
    let ([own], false) = (alike.as_slice(), declared(templates).contains(&target)) else { return None };
    Some(
        RULE.finding(format!(
            "port `{name}` of Service `{}` leads to {target}, and its pods' `{name}` is {own}",
            service.object.name()
        ))
        .because("nobody listens at that number, so connections are refused by the pod")
        .help(format!("`targetPort: {name}`"))
        .at(service.spot_at(&format!("spec.ports[{at}].targetPort"))),
    )
}

/// A port of a Service that speaks another protocol than all the containers' ports of that number or name.
fn spoken_otherwise(service: &Desired, templates: &[PodTemplate<'_>], at: usize, port: &Value) -> Option<Finding> {
    let protocol = |port: &Value| port["protocol"].as_str().unwrap_or("TCP").to_owned();
    let target = port.get("targetPort").filter(|it| !it.is_null()).unwrap_or(&port["port"]);
    let number = target.as_u64().or_else(|| target.as_str()?.parse().ok());
    let is_meant = |own: &Value| match number {
        Some(number) => own["containerPort"].as_u64() == Some(number),
        None => own["name"] == *target,
    };
    let containers = templates.iter().flat_map(PodTemplate::containers);
    let ports = containers.flat_map(|it| it.value["ports"].as_array().cloned().unwrap_or_default());
    let meant: Vec<String> = ports.filter(is_meant).map(|own| protocol(&own)).collect();
    let wanted = protocol(port);
    let other = meant.first().filter(|_| meant.iter().all(|own| *own != wanted))?;
    // Other protocols than these two are asked for by who knows what they are.
    if ![wanted.as_str(), other].iter().all(|it| matches!(*it, "TCP" | "UDP")) {
        return None;
    }
    // One port for both protocols is often declared once in the pod.
    let number = port["port"].as_u64();
    let own = service.object.list_at("/spec/ports");
    if own.iter().any(|it| it["port"].as_u64() == number && protocol(it) == *other) {
        return None;
    }
    Some(
        RULE.finding(format!(
            "Service `{}` takes {wanted} at port {}, and its pods have {other} there",
            service.object.name(),
            port["port"]
        ))
        .because(format!("what comes in over {other} is not passed on, and what is passed on nobody answers"))
        .help(format!("`protocol: {other}`"))
        .at(service.spot_at(&format!("spec.ports[{at}].protocol"))),
    )
}

/// What is certain is a warning; a program may well open a port that nobody has declared.
fn weight(is_certain: bool) -> Severity {
    if is_certain { RULE.severity } else { Severity::Info }
}

/// Whether the base's pods of a workload declare a port: then the change has taken it away.
fn was_declared(subject: &Subject<'_>, desired: &Desired, port: u64) -> bool {
    let object = &desired.object;
    let old =
        subject.base.and_then(|base| find(base, object.group(), object.kind(), object.namespace(), object.name()));
    old.and_then(pod_template).is_some_and(|template| declared(std::slice::from_ref(&template)).contains(&port))
}

/// The ports that the probes of a container ask for by number.
fn probed(container: &Container<'_>) -> Vec<(&'static str, u64)> {
    let port = |probe: &'static str| {
        let asked = ["httpGet", "tcpSocket", "grpc"];
        let of = |how: &&str| container.value.pointer(&format!("/{probe}/{how}/port"));
        // Another host's port is asked for.
        let elsewhere = container.value.pointer(&format!("/{probe}/httpGet/host")).is_some_and(|it| !it.is_null());
        let port = asked.iter().find_map(of)?;
        let port = port.as_u64().or_else(|| port.as_str()?.parse().ok())?;
        (!elsewhere).then_some((probe, port))
    };
    ["startupProbe", "readinessProbe", "livenessProbe"].into_iter().filter_map(port).collect()
}

fn own(container: &Container<'_>) -> BTreeSet<u64> {
    container.ports().map(|(number, _)| number).collect()
}

fn opens_some(container: &Container<'_>) -> bool {
    container.ports().next().is_some()
}

/// The ports that the containers of pods declare: they share one network.
fn declared(templates: &[PodTemplate<'_>]) -> BTreeSet<u64> {
    let containers = templates.iter().flat_map(PodTemplate::containers).filter(|it| it.role != ContainerRole::Init);
    containers.flat_map(|container| own(&container)).collect()
}

fn listed(ports: &BTreeSet<u64>) -> String {
    ports.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether a Secret is mounted that holds a certificate, as its name says, and no settings.
fn is_certificate(reference: &Reference) -> bool {
    let mut words = reference.name.split(|letter: char| !letter.is_ascii_alphanumeric());
    reference.kind == "Secret"
        && reference.path.contains("volumes[")
        && words.any(|word| matches!(word, "cert" | "certs" | "certificate" | "certificates" | "tls" | "ca"))
}

/// Whether a text has a number in it.
fn names(text: &str, port: u64) -> bool {
    let word = port.to_string();
    text.match_indices(&word).any(|(at, _)| {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        !digit(text.as_bytes()[..at].last()) && !digit(text.as_bytes().get(at + word.len()))
    })
}

/// Whether what a pod is told names the port: then a container may well listen there without declaring it.
fn speaks_of(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>, port: u64) -> bool {
    let mut annotations = template.annotations().into_iter().flatten();
    annotations.any(|(_, value)| value.as_str().is_some_and(|text| names(text, port)))
        || is_told(subject, desired, template, port)
}

/// Whether its containers are told of a port, by words, variables or settings.
fn is_told(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>, port: u64) -> bool {
    let names = |text: &str| names(text, port);
    let told = |container: &Container<'_>| {
        let lists = ["command", "args"].iter().flat_map(|list| container.value[*list].as_array().into_iter().flatten());
        lists.filter_map(Value::as_str).any(names)
            || container.env().any(|(_, _, it)| it["value"].as_str().is_some_and(names))
    };
    let settings = || {
        let wanted =
            references(&desired.object).into_iter().filter(|it| matches!(it.kind.as_str(), "ConfigMap" | "Secret"));
        wanted.into_iter().any(|it| {
            if is_certificate(&it) || !reaches_a_container(template, &it) {
                return false;
            }
            match subject.find("", &it.kind, it.namespace.as_deref(), &it.name) {
                // Of a Secret that is not delivered only the keys are known, on a cluster as in a play.
                Some(Found::Before(object)) if object.kind() == "Secret" => true,
                Some(found) => texts(found.object()).iter().any(|(_, text, _)| names(text)),
                None => true,
            }
        })
    };
    template.containers().iter().any(told) || settings()
}

/// Whether a container gets what its pod refers to: a volume that none mounts tells it nothing, and neither does what
/// images are pulled with.
fn reaches_a_container(template: &PodTemplate<'_>, reference: &Reference) -> bool {
    let Some(field) = reference.path.strip_prefix(template.path).and_then(|rest| rest.strip_prefix('.')) else {
        return true;
    };
    if field.starts_with("imagePullSecrets[") {
        return false;
    }
    let at = field.strip_prefix("volumes[").and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
    let volume = at.and_then(|at| template.volumes().get(at));
    volume.is_none_or(|volume| template.containers().iter().any(|container| mounts(container, volume)))
}
