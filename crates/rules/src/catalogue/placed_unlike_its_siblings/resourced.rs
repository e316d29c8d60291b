//! Containers that go on without the resources which are set for them, and which their pod's init containers alone are given.

use landfall_chart::Rendered;
use landfall_diag::Finding;
use serde_json::Value;

use super::{RULE, is_set, pods_of_root};
use crate::pods::{Container, ContainerRole, PodTemplate, is_lasting};
use crate::subject::{Desired, DesiredUnit, Role, Subject};
use crate::texts::{own_texts, text_of};

pub(super) fn told(subject: &Subject<'_>, unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let texts = own_texts(rendered);
    let lasts = |(it, _): &(&Desired, PodTemplate<'_>)| it.role == Role::Manifest && is_lasting(it.object.kind());
    let mut findings = Vec::new();
    for (desired, template) in pods_of_root(subject, unit).into_iter().filter(lasts) {
        let containers = template.containers();
        let (main, ahead): (Vec<_>, Vec<_>) = containers
            .iter()
            .filter(|it| it.role != ContainerRole::Sidecar)
            .partition(|it| it.role == ContainerRole::Main);
        let Some(first) = main.first().filter(|_| !main.iter().any(|it| is_set(&it.value["resources"]))) else {
            continue;
        };
        let taken = ahead.iter().find_map(|it| Some((setting_of(unit, rendered, desired, it)?, it)));
        let Some((setting, init)) = taken.filter(|(setting, _)| is_for(setting, desired, &main)) else { continue };
        if text_of(unit, desired, &texts).is_none_or(|text| may_take_others(&text.text)) {
            continue;
        }
        let (kind, name) = (desired.object.kind(), desired.object.name());
        findings.push(
            RULE.finding(format!("`{setting}` reach the init containers of {kind} `{name}` alone"))
                .keyed(format!("{setting} {kind}/{name}"))
                .because(format!("container `{}` goes on without any, whatever is set", first.name))
                .help("print them into the container that goes on, too")
                .at(desired.spot_at(&first.path))
                .at(desired.spot_at(&format!("{}.resources", init.path))),
        );
    }
    findings
}

/// The value that the resources of a container are printed from: `web.resources`.
fn setting_of(unit: &DesiredUnit, rendered: &Rendered, desired: &Desired, container: &Container<'_>) -> Option<String> {
    let provenance = rendered.provenance.as_ref()?;
    let field = leaf(&container.value["resources"], format!("{}.resources", container.path))?;
    let origin = unit.rendered.origin(&desired.key(), &field)?;
    origin.data.iter().find_map(|it| above_resources(provenance.path_of(*it)?))
}

/// The first field of a table that holds a value.
fn leaf(value: &Value, path: String) -> Option<String> {
    match value {
        Value::Object(map) => {
            let mut plain = map.iter().filter(|(key, _)| !key.contains(['.', '/']));
            plain.find_map(|(key, value)| leaf(value, format!("{path}.{key}")))
        }
        Value::String(_) | Value::Number(_) => Some(path),
        _ => None,
    }
}

/// The `resources` that a value lies in: `web.resources` of `web.resources.limits.cpu`.
fn above_resources(path: &str) -> Option<String> {
    let whole = format!(".{path}.");
    let (table, _) = whole.split_once(".resources.")?;
    Some(format!("{table}.resources").trim_start_matches('.').to_owned())
}

/// Whether a setting is the chart's or the workload's own: one for what is done ahead bears another name.
fn is_for(setting: &str, desired: &Desired, main: &[&Container<'_>]) -> bool {
    let bare = |name: &str| name.to_ascii_lowercase().replace(['-', '_', '.'], "");
    let Some((table, _)) = setting.rsplit_once('.') else { return true };
    let part = bare(table.rsplit('.').next().unwrap_or(table));
    let named = main.iter().map(|it| it.name).chain([desired.object.name()]);
    !bare(table).contains("init") && !part.is_empty() && named.into_iter().any(|it| bare(it).contains(&part))
}

/// Whether the containers that go on may take resources of their own under other settings, as far as their template says.
fn may_take_others(text: &str) -> bool {
    let mut own = text.lines().map(str::trim).skip_while(|line| *line != "containers:").skip(1).peekable();
    if own.peek().is_none() {
        return true;
    }
    let mut has_image = false;
    for line in own.take_while(|line| *line != "initContainers:") {
        let is_made_elsewhere = line.starts_with("{{") && line.contains("include") && line.contains("ontainer");
        if line.contains("resources") || is_made_elsewhere {
            return true;
        }
        has_image |= line.trim_start_matches("- ").starts_with("image:");
    }
    !has_image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_in_the_resources_of_a_part_or_of_the_chart() {
        assert_eq!(above_resources("web.resources.limits.cpu").as_deref(), Some("web.resources"));
        assert_eq!(above_resources("resources").as_deref(), Some("resources"));
        assert_eq!(above_resources("web.limits.cpu"), None);
    }

    #[test]
    fn containers_that_speak_of_resources_may_take_them() {
        let ahead = "initContainers:\n  - name: a\n    resources: {}\n";
        assert!(!may_take_others(&format!("{ahead}containers:\n  - name: web\n    image: web:1\n")));
        assert!(!may_take_others(&format!("containers:\n  - image: web:1\n{ahead}")));
        for own in [
            "containers:\n  - image: web:1\n    resources: {{ toJson .Values.resources }}\n",
            "containers:\n  {{- include \"web.container\" . | nindent 2 }}\n",
            "containers:\n",
            "",
        ] {
            assert!(may_take_others(&format!("{ahead}{own}")), "{own}");
        }
    }
}
