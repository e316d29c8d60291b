mod names;
mod never_called;
mod of_variables;
mod turned_round;

use std::collections::HashSet;

use landfall_diag::{Finding, Severity};

use self::names::Names;
use self::never_called::is_never_called;
use self::of_variables::of_variables;
use self::turned_round::turned_round;
use super::unseen_settings::find;
use crate::calls::{Host, named_hosts, said};
use crate::pods::{PodTemplate, pod_template};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF187",
    title: "addresses of the release's own Services name Services that it has",
    severity: Severity::Warning,
    why: "Services are called by names that the chart makes up: with the release's name in front, or another namespace. An \
          address that was written by hand, or before a Service was renamed, resolves to nothing, and the caller says only \
          that it cannot connect.",
    advice: "Make the address by the template that names the Service.",
    check,
};

/// The addresses of a delivery that are followed, of those that differ; behind them a text is a list of hosts and no setting.
const MOST_HOSTS: usize = 1_000;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let names = Names::new(subject);
    let mut findings = Vec::new();
    let mut left = MOST_HOSTS;
    for desired in subject.objects() {
        let template = pod_template(&desired.object);
        for text in said(&desired.object, template.as_ref()) {
            let mut known = HashSet::new();
            let of_text = named_hosts(&text).into_iter().filter(|it| known.insert((it.name.clone(), it.port)));
            for host in of_text.take(left) {
                left -= 1;
                let found = unanswered(&names, desired, &host);
                findings.extend(found.filter(|_| !is_never_called(subject, &text.text, &host.name)));
            }
        }
        if let Some(template) = &template {
            findings.extend(of_variables(&names, desired, template));
        }
        if let Some(template) = template.filter(|_| desired.object.kind() == "StatefulSet") {
            findings.extend(pods_of_another_name(subject, desired, &template));
        }
        findings.extend(turned_round(subject, desired));
    }
    findings
}

/// Variables that list as many pods as a StatefulSet has, by another name than its own and than anybody's.
fn pods_of_another_name(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Vec<Finding> {
    let object = &desired.object;
    let replicas = object.at("/spec/replicas").and_then(serde_json::Value::as_u64).unwrap_or(1);
    let mut findings = Vec::new();
    for container in template.containers() {
        for (at, name, variable) in container.env() {
            let Some(of) = variable["value"].as_str().and_then(|text| listed(text, replicas)) else { continue };
            let is_there = subject.find("apps", "StatefulSet", object.namespace(), of).is_some();
            if of == object.name() || is_there {
                continue;
            }
            findings.push(
                RULE.finding(format!("`{name}` lists the pods of StatefulSet `{of}`, which is not there"))
                    .keyed(of.to_owned())
                    .because(format!("the pods are called `{}-0` and so on: none of the names resolves", object.name()))
                    .at(desired.spot_at(&format!("{}.env[{at}].value", container.path))),
            );
        }
    }
    findings
}

/// The name in front of the numbers of a list of so many pods, two at least: `db-0,db-1`.
fn listed(text: &str, replicas: u64) -> Option<&str> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    let of = names.first()?.strip_suffix("-0")?;
    let fits = names.iter().zip(0..).all(|(name, at)| *name == format!("{of}-{at}"));
    (fits && replicas > 1 && names.len() as u64 == replicas).then_some(of)
}

fn unanswered<'a>(names: &Names<'a>, desired: &'a Desired, host: &Host) -> Option<Finding> {
    let subject = &names.subject;
    let own = desired.object.namespace()?;
    let parts: Vec<&str> = host.name.trim_end_matches('.').split('.').collect();
    let (name, namespace) = match parts.as_slice() {
        [name] => (*name, own),
        [name, namespace] if *namespace == own => (*name, own),
        [name, namespace, "svc"] | [name, namespace, "svc", "cluster", "local"] => (*name, *namespace),
        _ => return None,
    };
    if subject.find("", "Service", Some(namespace), name).is_some() {
        return None;
    }
    // What the base delivered under this very name is nobody else's.
    if subject.base.is_some_and(|base| find(base, "", "Service", Some(namespace), name).is_some()) {
        return Some(
            RULE.finding(format!("`{}` is no Service of the release any more", host.name))
                .keyed(host.name.clone())
                .because("the change takes the Service away, or gives it another name, and this still calls it")
                .help("make the address by what names the Service")
                .at(desired.spot_at(&host.field)),
        );
    }
    if namespace == own
        && let Some(finding) = left_out(names, desired, host, name)
    {
        return Some(finding);
    }
    if names.is_elsewhere(name, namespace) {
        return None;
    }
    let services = names.services(&desired.unit, own);
    let finding = RULE
        .finding(format!("`{}` is no Service of the release", host.name))
        .keyed(host.name.clone())
        .because("the name resolves to nothing, and whoever calls it is refused")
        .at(desired.spot_at(&host.field));
    // The same name in the release's own namespace.
    if namespace != own {
        let here = services.contains(&name) && !subject.objects().any(|it| it.object.namespace() == Some(namespace));
        return here.then(|| finding.help(format!("Service `{name}` is delivered into {own}: `{name}.{own}.svc`")));
    }
    let by_prefix = with_front(subject, &desired.unit, &services, name);
    let near = by_prefix.or_else(|| {
        let close = landfall_diag::nearest(name, services.iter().copied())?;
        is_slip(name, close).then_some(close)
    });
    // What bears the name of one of them in front is made for the release, and is not there.
    let near = near.or_else(|| {
        let front = |service: &&&str| name.strip_prefix(**service).is_some_and(|rest| rest.starts_with('-'));
        services.iter().filter(front).max_by_key(|it| it.len()).copied()
    });
    // So is what bears the release's, where one of its Services has the port.
    let near = near.or_else(|| {
        let is_own = name.strip_prefix(&*desired.unit).is_some_and(|rest| rest.starts_with('-'));
        let port = host.port.filter(|_| is_own)?;
        let has = |service: &&&str| {
            let there = subject.find("", "Service", Some(own), service);
            there
                .is_some_and(|it| it.object().list_at("/spec/ports").iter().any(|it| it["port"].as_u64() == Some(port)))
        };
        let alike = |service: &&&str| service.bytes().rev().zip(name.bytes().rev()).take_while(|(a, b)| a == b).count();
        services.iter().filter(has).max_by_key(alike).copied()
    })?;
    // Who asks for another port means another server: a database of the chart's name, say.
    let opens = |port: u64| {
        let service = subject.find("", "Service", Some(own), near);
        service.is_none_or(|it| it.object().list_at("/spec/ports").iter().any(|it| it["port"].as_u64() == Some(port)))
    };
    let is_meant = host.port.is_none_or(opens) && !names.is_of_sibling(name);
    is_meant.then(|| finding.help(format!("did you mean `{near}`?")))
}

/// The Service that is meant by a name which lacks what a chart puts in front of its own ones, or has it once more: the release's
/// name, the chart's, or both. An abbreviation of one of several names nothing.
pub(super) fn with_front<'s>(subject: &Subject<'_>, unit: &str, services: &[&'s str], name: &str) -> Option<&'s str> {
    let chart = subject.unit(unit).and_then(|unit| unit.chart.as_ref()).map_or("", |chart| chart.name());
    let is_front = |front: &str| {
        let front = front.strip_suffix('-').unwrap_or_default();
        front == unit || front == chart || front == format!("{unit}-{chart}")
    };
    let is_longer = |service: &&str| {
        service.strip_suffix(name).is_some_and(is_front) || name.strip_suffix(*service).is_some_and(is_front)
    };
    let mut alike = services.iter().copied().filter(is_longer);
    alike.next().filter(|_| alike.next().is_none())
}

/// A call of a Service whose very name a template of the same chart spells out, and that is not delivered with these
/// values: the part of the release that it belongs to is switched off, and the address is not.
fn left_out<'a>(names: &Names<'a>, desired: &'a Desired, host: &Host, name: &str) -> Option<Finding> {
    let is_hook = matches!(desired.role, Role::Hook { .. });
    // One in another namespace is there, and called wrongly; that is another fault.
    if is_hook || host.by.is_empty() || names.is_service(name) {
        return None;
    }
    let file = names.spelled_out(&desired.unit, name)?;
    if names.is_named_otherwise(name) {
        return None;
    }
    Some(
        RULE.finding(format!("`{}` calls `{name}`, a Service that is not delivered with these values", host.by))
            .keyed(format!("{} {name}", host.by))
            .because(format!(
                "`{file}` makes it only under a condition that does not hold: the name resolves to nothing"
            ))
            .help("leave the address out under the same condition")
            .at(desired.spot_at(&host.field)),
    )
}

/// Whether two names differ by a slip, not by a number: `db-0` and `db-1` are two.
fn is_slip(one: &str, other: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>();
    letters(one) != letters(other) && one.len() > 3
}
