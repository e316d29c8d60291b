//! Ports that are spelled out, beside a variable of the same number that follows a value.

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::{RULE, names};
use crate::decoded::texts;
use crate::pods::{Container, ContainerRole};
use crate::subject::{Desired, DesiredUnit, Role, Subject};
use crate::texts::{actions, own_charts, words};

/// Words of values that say another port than the program's own.
const OF_OTHERS: &[&str] = &["service", "external", "public", "ingress", "proxy", "node", "host", "upstream"];

/// A variable of a container, and where it stands.
struct Variable<'s> {
    name: String,
    text: String,
    keeper: &'s Desired,
    field: String,
}

/// A port of a container that stays where it is when a value moves its program to another one.
pub(super) fn follows_alone(subject: &Subject<'_>, desired: &Desired, container: &Container<'_>) -> Option<Finding> {
    let unit = subject.unit(&desired.unit)?;
    if desired.role != Role::Manifest || container.role == ContainerRole::Init || subject.is_borrowed(desired) {
        return None;
    }
    let variables = variables(subject, desired, container);
    let ports = container.value["ports"].as_array()?.iter().enumerate();
    let ports = ports.filter_map(|(at, port)| Some((at, port["containerPort"].as_u64()?)));
    ports.filter(|(_, port)| !is_given(container, *port)).find_map(|(at, port)| {
        let (variable, path) = variables.iter().find_map(|it| Some((it, value_of(unit, it, port)?)))?;
        let field = format!("{}.ports[{at}].containerPort", container.path);
        is_spelled_out(unit, desired, &field, port).then(|| {
            RULE.finding(format!(
                "`{}` follows `.Values.{path}`, and the containerPort {port} of container `{}` does not",
                variable.name, container.name
            ))
            .weighing(Severity::Info)
            .because(
                "whoever sets the value moves the program alone: what leads to the declared port finds nobody there",
            )
            .help(format!("print `.Values.{path}` as the container's port, too"))
            .at(desired.spot_at(&field))
            .at(variable.keeper.spot_at(&variable.field))
        })
    })
}

/// Whether a container's words name a port: then the variable is not all that the program is told.
fn is_given(container: &Container<'_>, port: u64) -> bool {
    let lists = ["command", "args"].into_iter().flat_map(|list| container.value[list].as_array().into_iter().flatten());
    lists.filter_map(Value::as_str).any(|word| names(word, port))
}

/// The variables of a container whose names say that they are ports, its own and those of ConfigMaps that it takes as a whole.
fn variables<'s>(subject: &Subject<'s>, desired: &'s Desired, container: &Container<'_>) -> Vec<Variable<'s>> {
    let mut found: Vec<Variable<'s>> = Vec::new();
    for (at, name, variable) in container.env() {
        let Some(text) = variable["value"].as_str() else { continue };
        let field = format!("{}.env[{at}].value", container.path);
        found.push(Variable { name: name.to_owned(), text: text.to_owned(), keeper: desired, field });
    }
    for source in container.env_from().filter(|it| it.kind == "ConfigMap") {
        let map = subject.desired("", source.kind, desired.object.namespace(), source.name);
        for (keeper, (key, text, field)) in
            map.into_iter().flat_map(|map| texts(&map.object).into_iter().map(move |text| (map, text)))
        {
            found.push(Variable { name: key.to_owned(), text, keeper, field });
        }
    }
    found.retain(|it| it.name.to_ascii_uppercase().ends_with("PORT"));
    found
}

/// The value that a variable is printed from, where it says the port, as it is or by default.
fn value_of(unit: &DesiredUnit, variable: &Variable<'_>, port: u64) -> Option<String> {
    let origin = unit.rendered.origin(&variable.keeper.key(), &variable.field)?;
    let line = origin.template.filter(|_| origin.sources.len() == 1)?.source?;
    let path = only_value(&line)?;
    let is_of_others = path.split(['.', '_']).any(|step| {
        let step = step.to_ascii_lowercase();
        OF_OTHERS.iter().any(|word| step.starts_with(word))
    });
    let is_meant = || variable.text.trim() == port.to_string() || is_default(unit, path, port);
    (!is_of_others && is_meant()).then(|| path.to_owned())
}

/// The one value that a line prints: `web.port` of `PORT: {{ .Values.web.port | quote }}`.
fn only_value(line: &str) -> Option<&str> {
    let all: Vec<&str> = actions(line).flat_map(|action| words(action.inner)).collect();
    if all.iter().any(|word| matches!(*word, "include" | "template" | "tpl" | "toYaml" | "default" | "ternary" | "if"))
    {
        return None;
    }
    let mut paths = all.into_iter().filter_map(|word| word.trim_start_matches('$').strip_prefix(".Values."));
    let (path, None) = (paths.next()?, paths.next()) else { return None };
    Some(path)
}

/// Whether a chart of a unit has the port as the default of a value: what its own file of values says, whatever is set.
fn is_default(unit: &DesiredUnit, path: &str, port: u64) -> bool {
    let pointer = format!("/{}", path.replace('.', "/"));
    let mut charts = unit.rendered.charts.iter().flat_map(|rendered| own_charts(&rendered.processed));
    charts.any(|chart| {
        let file = chart.raw.iter().find(|file| file.name == "values.yaml");
        let values = file.and_then(|file| landfall_yaml::to_json(&file.text()).ok()).unwrap_or_default();
        let declared = values.pointer(&pointer).map(ToString::to_string).unwrap_or_default();
        declared.trim_matches('"') == port.to_string()
    })
}

/// Whether a template says a port by itself.
fn is_spelled_out(unit: &DesiredUnit, desired: &Desired, field: &str, port: u64) -> bool {
    let origin = unit.rendered.origin(&desired.key(), field);
    let own = origin.filter(|origin| origin.sources.is_empty() && origin.built_in.is_empty());
    let line = own.and_then(|origin| origin.template?.source).unwrap_or_default();
    line.contains("containerPort") && !line.contains("{{") && names(&line, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_prints_one_value() {
        assert_eq!(only_value("  WEB_PORT: {{ .Values.web.port | quote }}"), Some("web.port"));
        assert_eq!(only_value("  WEB_PORT: \"{{ $.Values.port }}\""), Some("port"));
        for other in [
            "  WEB_PORT: 8080",
            "  {{- toYaml .Values.env }}",
            "  WEB_PORT: {{ .Values.port | default .Values.web.port }}",
            "  WEB_PORT: {{ include \"web.port\" . }}",
            "  A: {{ .Values.a }}{{ .Values.b }}",
        ] {
            assert_eq!(only_value(other), None, "{other}");
        }
    }
}
