//! Conditions of dependencies that ask for a value which no values file declares: such a dependency is on, whatever was meant.

use landfall_chart::{Chart, Dependency, Rendered};
use landfall_diag::{Finding, Place, Severity, Spot, slip};
use serde_json::Value;

use super::{RULE, Spoken, commented, is_undeclared, is_written_of};
use crate::subject::DesiredUnit;

/// What switches a dependency in the table of its own.
const SWITCHES: &[&str] = &["enabled", "enable"];

/// What is found of the dependencies of a chart whose conditions find no value; tags may switch them otherwise.
pub(super) fn of_no_value(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let chart = &rendered.processed;
    if chart.metadata.kind == "library" {
        return Vec::new();
    }
    let file = chart.raw_file("values.yaml").map(|file| file.text()).unwrap_or_default();
    let spoken_of = commented(&file);
    let own = landfall_yaml::to_json(&file).unwrap_or_default();
    let mut told: Vec<&str> = Vec::new();
    let mut findings = Vec::new();
    for part in chart.declared().filter(|it| it.enabled && it.tags.is_empty()) {
        let condition = part.condition.trim();
        if !told.contains(&condition) && finds_nothing(rendered, &spoken_of, condition) {
            told.push(condition);
            findings.push(finding(unit, chart, part, &own));
        }
    }
    findings
}

fn finding(unit: &DesiredUnit, chart: &Chart, part: &Dependency, own: &Value) -> Finding {
    let condition = part.condition.trim();
    let name = if part.alias.is_empty() { &part.name } else { &part.alias };
    let meant = paths(condition).into_iter().find_map(|path| meant(own, part, path));
    RULE.finding(format!("no values file declares `{condition}`, which is the condition of the dependency `{name}`"))
        .weighing(if meant.is_some() { RULE.severity } else { Severity::Info })
        .keyed(format!("{name} {condition}"))
        .because("a dependency whose condition finds no value is on, whatever else is set")
        .help(match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("declare `{condition}` in values.yaml"),
        })
        .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place(chart, condition)) })
}

/// The paths of a condition, the first of which that is there decides.
fn paths(condition: &str) -> Vec<&str> {
    condition.split(',').map(str::trim).filter(|path| !path.is_empty()).collect()
}

/// Whether a condition asks for something, and nobody declares any of it or speaks of it.
fn finds_nothing(rendered: &Rendered, spoken_of: &[Spoken], condition: &str) -> bool {
    let paths = paths(condition);
    let is_nobodys = |path: &&str| {
        let steps: Vec<&str> = path.split('.').collect();
        is_undeclared(rendered, spoken_of, &steps) && !is_written_of(&rendered.processed, path)
    };
    !paths.is_empty() && paths.iter().all(is_nobodys)
}

/// The value that a path of a condition is meant for: the switch in the dependency's own table, or the path with the dependency's
/// name where it begins with a slip of that.
fn meant(own: &Value, part: &Dependency, path: &str) -> Option<String> {
    let names: Vec<&str> = [part.alias.as_str(), part.name.as_str()].into_iter().filter(|it| !it.is_empty()).collect();
    let switched = names.iter().find_map(|name| {
        let word = SWITCHES.iter().find(|word| own[*name][**word].is_boolean())?;
        Some(format!("{name}.{word}"))
    });
    switched.or_else(|| {
        let (first, rest) = path.split_once('.')?;
        let near = slip(first, names.iter().copied()).filter(|near| *near != first)?;
        Some(format!("{near}.{rest}"))
    })
}

/// The line that a dependency's condition is written in.
fn place(chart: &Chart, condition: &str) -> Place {
    let of = |name: &str| {
        let text = chart.raw_file(name)?.text();
        let is_its = |line: &str| line.contains("condition") && line.contains(condition);
        let (at, line) = text.lines().enumerate().find(|(_, line)| is_its(line))?;
        let number = u32::try_from(at).unwrap_or(0) + 1;
        Some(Place { source: Some(line.to_owned()), ..Place::line(chart.path_of(name), number) })
    };
    let found = of("Chart.yaml").or_else(|| of("requirements.yaml"));
    found.unwrap_or_else(|| Place::file(chart.path_of("Chart.yaml")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_has_several_paths_with_commas_between() {
        assert_eq!(paths("cache.enabled, global.cache"), ["cache.enabled", "global.cache"]);
        assert!(paths(" , ").is_empty());
    }

    #[test]
    fn a_condition_is_meant_for_the_switch_of_its_dependency() {
        let cache = Dependency { name: "cache".to_owned(), ..Dependency::default() };
        let of = |own: Value, path: &str| meant(&own, &cache, path);
        let own = serde_json::json!({"cache": {"enabled": false}});
        assert_eq!(of(own, "cahce.enabled").as_deref(), Some("cache.enabled"));
        assert_eq!(of(Value::Null, "cahce.on").as_deref(), Some("cache.on"));
        assert_eq!(of(serde_json::json!({"cache": {"size": 1}}), "cache.enabled"), None);
        assert_eq!(of(Value::Null, "store.enabled"), None);
    }
}
