//! A Service that leads to other pods than at the base.

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use super::super::unseen_settings::find;
use super::RULE;
use crate::pods::{ContainerRole, PodTemplate, pod_template, selects};
use crate::subject::{Desired, DesiredUnit, Role, Subject};

/// Labels by which traffic is moved from some pods to others on purpose.
const MOVED_BY: &[&str] = &["version", "color", "colour", "slot", "track", "stage", "revision", "role", "variant"];

/// A workload that a Service led to at the base, that is delivered still, and that it leads to no more.
pub(super) fn lost(subject: &Subject<'_>, service: &Desired) -> Option<(String, String)> {
    let base = subject.base?;
    let before = selected_at(base, old(base, &service.object)?);
    before.into_iter().find(|(kind, name)| {
        let still = subject.desired("apps", kind, service.object.namespace(), name);
        still.is_some_and(|it| !takes(&service.object, &it.object))
    })
}

/// What the change takes from a Service, and what it gives to it beside that.
pub(super) fn otherwise(subject: &Subject<'_>, service: &Desired, now: &[&PodTemplate<'_>]) -> Option<Finding> {
    let base = subject.base?;
    let before = old(base, &service.object)?;
    if is_moved(before, &service.object) {
        return None;
    }
    let field = "spec.selector";
    if let Some((kind, name)) = lost(subject, service) {
        let taken_on = subject.of_kind("", "Service").any(|other| {
            let it = subject.desired("apps", &kind, service.object.namespace(), &name);
            let is_new = old(base, &other.object).is_none_or(|old| it.is_some_and(|it| !takes(old, &it.object)));
            is_new && it.is_some_and(|it| takes(&other.object, &it.object))
        });
        return (!taken_on).then(|| {
            RULE.finding(format!("Service `{}` leads to the pods of {kind} `{name}` no more", service.object.name()))
                .weighing(Severity::Warning)
                .because("it did before the change, and both are there still")
                .help("make spec.selector equal to labels of the pod template that should answer")
                .at(service.spot_at(field))
        });
    }
    let was = selected_at(base, before);
    if was.is_empty() {
        return None;
    }
    let images: Vec<&str> = now
        .iter()
        .filter(|template| was.iter().any(|(kind, name)| is_of(template, kind, name)))
        .flat_map(|template| images_of(template))
        .collect();
    let other = now.iter().find(|template| {
        let (kind, name) = (template.owner.kind(), template.owner.name());
        find(base, "apps", kind, template.owner.namespace(), name).is_some()
            && !was.iter().any(|(kind, name)| is_of(template, kind, name))
            && answers(&service.object, template)
            && !images_of(template).all(|image| images.contains(&image))
    })?;
    Some(
        RULE.finding(format!(
            "Service `{}` leads to the pods of {} `{}`, too",
            service.object.name(),
            other.owner.kind(),
            other.owner.name()
        ))
        .weighing(Severity::Warning)
        .because("it did not before the change, and another program runs there: requests go to either by chance")
        .help("select by a label that only the pods have that should answer")
        .at(service.spot_at(field)),
    )
}

fn old<'a>(base: &'a [DesiredUnit], service: &Object) -> Option<&'a Object> {
    find(base, "", "Service", service.namespace(), service.name())
}

/// The workloads that a Service of the base leads to.
fn selected_at(base: &[DesiredUnit], service: &Object) -> Vec<(String, String)> {
    let objects = base.iter().flat_map(|unit| &unit.objects).filter(|it| it.role == Role::Manifest);
    objects
        .filter(|it| takes(service, &it.object) && it.object.group() == "apps")
        .map(|it| (it.object.kind().to_owned(), it.object.name().to_owned()))
        .collect()
}

fn takes(service: &Object, workload: &Object) -> bool {
    let selector = || service.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()));
    service.namespace() == workload.namespace()
        && selector()
            .zip(pod_template(workload))
            .is_some_and(|(selector, template)| selects(selector, template.labels()))
}

fn is_of(template: &PodTemplate<'_>, kind: &str, name: &str) -> bool {
    template.owner.kind() == kind && template.owner.name() == name
}

/// Whether the two selectors differ in labels alone by which traffic is moved.
fn is_moved(before: &Object, now: &Object) -> bool {
    let labels = |object: &Object| object.at("/spec/selector").and_then(Value::as_object).cloned().unwrap_or_default();
    let (before, now) = (labels(before), labels(now));
    let differ: Vec<&String> =
        before.keys().chain(now.keys()).filter(|label| before.get(*label) != now.get(*label)).collect();
    let is_customary = |label: &&String| label.rsplit('/').next().is_some_and(|last| MOVED_BY.contains(&last));
    !differ.is_empty() && differ.iter().all(is_customary)
}

/// Whether a pod is among those that a port of the Service is passed on to: one that is named goes to pods with that name alone.
fn answers(service: &Object, template: &PodTemplate<'_>) -> bool {
    let containers = template.containers();
    let names: Vec<&str> = containers
        .iter()
        .filter(|it| it.role != ContainerRole::Init)
        .flat_map(|it| it.ports().map(|(_, name)| name).collect::<Vec<_>>())
        .collect();
    service.list_at("/spec/ports").iter().any(|port| match port["targetPort"].as_str() {
        Some(name) if name.parse::<u16>().is_err() => names.contains(&name),
        _ => true,
    })
}

fn images_of<'a>(template: &PodTemplate<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let containers = template.containers().into_iter().filter(|it| it.role == ContainerRole::Main);
    containers.map(|it| it.image().split(['@', ':']).next().unwrap_or_default())
}
