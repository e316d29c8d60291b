mod password_of_a_server;
mod plain_values;

use landfall_diag::{Finding, Severity};
use landfall_object::references::references;
use serde_json::Value;

use self::password_of_a_server::without_its_password;
use self::plain_values::in_plain_values;
use super::migration_on_the_first_day::migrates;
use crate::pods::{Container, ContainerRole, EnvFrom, image_parts, is_lasting};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF383",
    title: "what migrates is given the Secrets of its program",
    severity: Severity::Info,
    why: "A migration opens the database that its program opens. Where the address comes from a Secret that only the program is given by \
          `envFrom`, the migration has none, or the one of a default. So has any program that is told of a server by the ConfigMap of its \
          sibling, and not of the password that stands beside it there.",
    advice: "Print the same `envFrom` into the container that migrates.",
    check,
};

/// A container and whose it is.
struct Placed<'s> {
    desired: &'s Desired,
    container: Container<'s>,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What a chart from a repository runs is its author's business.
    let all: Vec<Placed<'_>> = subject
        .pods()
        .filter(|(desired, _)| !subject.is_borrowed(desired))
        .flat_map(|(desired, template)| template.containers().into_iter().map(move |it| (desired, it)))
        .map(|(desired, container)| Placed { desired, container })
        .collect();
    for one in all.iter().filter(|it| is_before_others(it) && migrates(&it.container, it.desired)) {
        let own = secrets(one.container.value);
        let beside = all.iter().filter(|it| is_server(it) && is_beside(it, one));
        let given = beside.flat_map(|it| from_secrets(it.container.value).into_iter().map(move |name| (it, name)));
        // What is given one of them was thought of.
        let given: Vec<(&Placed<'_>, &str)> = given.collect();
        let Some((server, secret)) = given.first().filter(|_| !given.iter().any(|(_, it)| own.contains(it))) else {
            continue;
        };
        let (kind, name) = (one.desired.object.kind(), one.desired.object.name());
        findings.push(
            RULE.finding(format!(
                "container `{}` of {kind} `{name}` migrates without Secret `{secret}`, which is in the `envFrom` of its program",
                one.container.name
            ))
            .because(format!(
                "container `{}` of {} `{}` runs the same image with it",
                server.container.name,
                server.desired.object.kind(),
                server.desired.object.name()
            ))
            .at(one.desired.spot_at(&one.container.path)),
        );
    }
    findings.extend(all.iter().filter_map(|server| prepared_with_more(server, &all)));
    findings.extend(without_its_password(subject, &all));
    findings.extend(in_plain_values(subject, &all));
    findings
}

/// A program without any `envFrom`, where what prepares it runs the same image with one.
fn prepared_with_more(server: &Placed<'_>, all: &[Placed<'_>]) -> Option<Finding> {
    let is_given = server.container.value["envFrom"].as_array().is_some_and(|list| !list.is_empty());
    if is_given || !is_server(server) {
        return None;
    }
    let before = all.iter().filter(|it| is_before_others(it) && is_beside(server, it));
    let taken = before.flat_map(|it| it.container.env_from().map(move |from| (it, from)));
    let mut taken = taken.filter(|(_, from)| !from.is_optional);
    let (one, EnvFrom { kind, name, .. }) = taken.find(|(_, from)| !is_named(server, from.kind, from.name))?;
    Some(
        RULE.finding(format!(
            "container `{}` of {} `{}` runs without {kind} `{name}`, which is in the `envFrom` of what prepares it",
            server.container.name,
            server.desired.object.kind(),
            server.desired.object.name()
        ))
        .because(format!(
            "container `{}` of {} `{}` runs the same image with it",
            one.container.name,
            one.desired.object.kind(),
            one.desired.object.name()
        ))
        .help("print the same `envFrom` into the container of the program")
        .at(server.desired.spot_at(&server.container.path)),
    )
}

/// Whether a program is given anything of a Secret or ConfigMap: a variable, or a file.
fn is_named(server: &Placed<'_>, kind: &str, name: &str) -> bool {
    let is_it = |kind_of: &str, name_of: &str| kind_of == kind && name_of == name;
    let all = references(&server.desired.object);
    let is_of_pod = all.iter().any(|it| is_it(&it.kind, &it.name) && it.path.contains(".volumes["));
    is_of_pod || server.container.value.to_string().contains(&format!("\"{name}\""))
}

/// Whether a container ends before a program begins: one of a job, or one that prepares its pod.
fn is_before_others(it: &Placed<'_>) -> bool {
    it.container.role == ContainerRole::Init
        || (it.container.role == ContainerRole::Main && it.desired.object.kind() == "Job")
}

/// Whether a container is a program that lasts.
fn is_server(it: &Placed<'_>) -> bool {
    it.container.role == ContainerRole::Main
        && it.desired.role == Role::Manifest
        && is_lasting(it.desired.object.kind())
}

/// Whether two run the same image for one release; one that prepares its pod is held against that pod alone.
fn is_beside(server: &Placed<'_>, one: &Placed<'_>) -> bool {
    let (own, other) = (image_parts(one.container.image()).1, image_parts(server.container.image()).1);
    !own.is_empty() && own == other && is_with(server, one)
}

/// Whether two run for one release; one that prepares its pod is held against that pod alone.
fn is_with(server: &Placed<'_>, one: &Placed<'_>) -> bool {
    let is_of_its_pod = one.container.role != ContainerRole::Init || server.desired.key() == one.desired.key();
    is_of_its_pod
        && server.desired.unit == one.desired.unit
        && server.desired.object.namespace() == one.desired.object.namespace()
}

/// The variables of a container that come from keys of Secrets, one by one, with what each refers to.
fn from_keys(container: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let all = container["env"].as_array().into_iter().flatten();
    all.filter_map(|variable| Some((variable["name"].as_str()?, variable.pointer("/valueFrom/secretKeyRef")?)))
}

/// How a container and whose it is are called.
fn called(it: &Placed<'_>) -> String {
    format!("container `{}` of {} `{}`", it.container.name, it.desired.object.kind(), it.desired.object.name())
}

/// The Secrets whose keys are a container's variables, each as a whole, and that have to be there.
fn from_secrets(container: &Value) -> Vec<&str> {
    let all = container["envFrom"].as_array().into_iter().flatten().map(|it| &it["secretRef"]);
    all.filter(|it| it["optional"] != true).filter_map(|it| it["name"].as_str()).collect()
}

/// The Secrets that a container has variables from.
fn secrets(container: &Value) -> Vec<&str> {
    let keys = container["env"].as_array().into_iter().flatten();
    let single = keys.filter_map(|it| it.pointer("/valueFrom/secretKeyRef/name")?.as_str());
    let whole = container["envFrom"].as_array().into_iter().flatten();
    whole.filter_map(|it| it.pointer("/secretRef/name")?.as_str()).chain(single).collect()
}
