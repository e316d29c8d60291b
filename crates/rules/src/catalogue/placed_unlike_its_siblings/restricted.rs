//! Containers that are not given the restrictions which are set for all of a chart.

use landfall_chart::{Rendered, values_to_json};
use landfall_diag::Finding;
use serde_json::{Map, Value};

use super::{RULE, pods_of_root};
use crate::operated::walk;
use crate::pods::{Container, PodTemplate, image_parts};
use crate::subject::{Desired, DesiredUnit, Subject};

/// What charts call the restrictions of their containers.
const SETTINGS: &[&str] = &["securityContext", "containerSecurityContext"];

/// A container, its pod and whose that is.
type Placed<'s> = (&'s Desired, PodTemplate<'s>, Container<'s>);

pub(super) fn told(subject: &Subject<'_>, unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let values = values_to_json(&rendered.values);
    let mut findings = Vec::new();
    for setting in SETTINGS {
        let Some(given) = given(&values[*setting]) else { continue };
        let all: Vec<Placed<'_>> = pods_of_root(subject, unit)
            .into_iter()
            .flat_map(|(desired, template)| template.containers().into_iter().map(move |it| (desired, template, it)))
            .collect();
        let (with, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(.., it)| holds(&context(it.value), &given));
        let Some((first, _, like)) = with.first() else { continue };
        let images: Vec<&str> = with.iter().map(|(.., it)| image_parts(it.image()).1).collect();
        let is_one_of_many = has_parts(rendered, &values, setting);
        for (desired, template, container) in rest {
            // Another program may have restrictions of its own in the values, and be given none.
            let is_meant = !is_one_of_many || images.contains(&image_parts(container.image()).1);
            let is_bare = context(container.value).is_empty() && !holds(&context(template.spec), &given);
            if !is_meant || !is_bare || is_of_values(&values, container.name) {
                continue;
            }
            let (kind, name) = (desired.object.kind(), desired.object.name());
            findings.push(
                RULE.finding(format!(
                    "container `{}` of {kind} `{name}` does not take the `{setting}` that is set",
                    container.name
                ))
                .keyed(format!("{setting} {kind}/{name} {}", container.name))
                .because(format!(
                    "container `{}` of {} `{}` does, and this one runs without any",
                    like.name,
                    first.object.kind(),
                    first.object.name()
                ))
                .at(desired.spot_at(&container.path)),
            );
        }
    }
    findings
}

/// What a setting says, without the switch that charts put beside it.
fn given(setting: &Value) -> Option<Map<String, Value>> {
    let mut given = setting.as_object()?.clone();
    let is_off = given.remove("enabled").is_some_and(|it| it == false);
    given.retain(|_, value| !value.is_null());
    (!is_off && !given.is_empty()).then_some(given)
}

/// The restrictions of a container, or of a pod.
fn context(value: &Value) -> Map<String, Value> {
    value["securityContext"].as_object().cloned().unwrap_or_default()
}

/// Whether restrictions are those that are set, or more.
fn holds(context: &Map<String, Value>, given: &Map<String, Value>) -> bool {
    given.iter().all(|(key, value)| context.get(key) == Some(value))
}

/// Whether a chart's values have restrictions for parts of it as well, other charts' left out.
fn has_parts(rendered: &Rendered, values: &Value, setting: &str) -> bool {
    let chart = &rendered.processed;
    let declared = chart.declared().flat_map(|it| [it.name.as_str(), it.alias.as_str()]);
    let below: Vec<&str> = declared.chain(chart.dependencies.iter().map(|it| it.name())).collect();
    let mut found = false;
    walk(values, "", &mut |path, key, _| {
        let is_part = path != key && SETTINGS.contains(&key);
        found |= is_part;
        found || path == setting || below.contains(&path)
    });
    found
}

/// Whether somebody wrote a container into the values as a whole: it is theirs.
fn is_of_values(values: &Value, container: &str) -> bool {
    match values {
        Value::Object(map) => {
            let is_it = map.get("name").is_some_and(|it| it == container) && map.contains_key("image");
            is_it || map.values().any(|it| is_of_values(it, container))
        }
        Value::Array(list) => list.iter().any(|it| is_of_values(it, container)),
        _ => false,
    }
}
