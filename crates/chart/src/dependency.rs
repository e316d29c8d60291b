//! Which subcharts take part, under which name, and what they lift into their parent
//! (helm: `pkg/chartutil/dependencies.go`).

use landfall_gotemplate::{Map, Value};
use landfall_sprig::{Constraint, Version};

use crate::chart::Chart;
use crate::dialect::Dialect;
use crate::error::Mismatch;
use crate::metadata::Dependency;
use crate::values::coalesce::{Nulls, coalesce_values, deep_copy_map, tables};
use crate::warning::Warnings;

/// Whether a version satisfies a constraint; false when either cannot be read (helm: `IsCompatibleRange`).
pub fn is_compatible(constraint: &str, version: &str) -> bool {
    match (Constraint::parse(constraint), Version::parse(version)) {
        (Ok(constraint), Ok(version)) => constraint.check(&version),
        _ => false,
    }
}

/// Whether a text is a version constraint.
pub fn is_constraint(text: &str) -> bool {
    Constraint::parse(text).is_ok()
}

/// Whether a text is a version with all its numbers and nothing in front.
pub fn is_strict_version(text: &str) -> bool {
    Version::parse_strict(text).is_ok()
}

/// Applies aliases, conditions, tags and import-values to a chart that is about to be rendered.
pub(crate) fn process(
    chart: &mut Chart,
    values: &Map,
    dialect: Dialect,
    warnings: &mut Warnings,
) -> Result<(), Mismatch> {
    enable(chart, values, "", dialect, warnings)?;
    import_all(chart, warnings)
}

/// Keeps the enabled dependencies, renamed by their aliases.
///
/// Gives what was declared with names as they are after aliasing: Helm 3 shares these entries between two aliases of one
/// chart, and so the second sees what became of them; it also leaves the subcharts of an aliased chart below the path of
/// its own name.
fn enable(
    chart: &mut Chart,
    values: &Map,
    path: &str,
    dialect: Dialect,
    warnings: &mut Warnings,
) -> Result<Option<Vec<Dependency>>, Mismatch> {
    if !chart.without.dependencies.is_empty() {
        switch_what_is_not_at_hand(chart, values, path, dialect);
    }
    if chart.metadata.dependencies.is_empty() {
        return Ok(None);
    }
    let mut declared = std::mem::take(&mut chart.metadata.dependencies);
    let loaded = std::mem::take(&mut chart.dependencies);
    // Charts that lie in charts/ without being declared come first; each is remembered with the place of its original.
    let mut taking_part: Vec<(usize, Chart)> = loaded
        .iter()
        .enumerate()
        .filter(|(_, existing)| {
            !declared.iter().any(|wanted| {
                existing.name() == wanted.name && is_compatible(&wanted.version, &existing.metadata.version)
            })
        })
        .map(|(place, existing)| (place, existing.clone()))
        .collect();
    for wanted in &mut declared {
        let found = loaded.iter().enumerate().find(|(_, existing)| {
            existing.name() == wanted.name && is_compatible(&wanted.version, &existing.metadata.version)
        });
        if let Some((place, found)) = found {
            let mut copy = found.clone();
            if !wanted.alias.is_empty() {
                if dialect == Dialect::V3 {
                    copy.loaded_name.get_or_insert_with(|| found.metadata.name.clone());
                }
                copy.metadata.name.clone_from(&wanted.alias);
            }
            taking_part.push((place, copy));
        }
        if !wanted.alias.is_empty() {
            wanted.name.clone_from(&wanted.alias);
        }
        wanted.enabled = true;
    }
    chart.loaded_name = None;
    chart.dependencies = taking_part.iter().map(|(_, chart)| chart.clone()).collect();
    let coalesced = coalesce_values(chart, values, Nulls::of(dialect), warnings)?;
    switch_by_tags(&mut declared, &coalesced, warnings);
    switch_by_conditions(&mut declared, &coalesced, path, warnings);
    let disabled = |name: &str| declared.iter().any(|it| !it.enabled && it.name == name);
    taking_part.retain(|(_, chart)| !disabled(chart.name()));
    let kept: Vec<Dependency> = declared.iter().filter(|it| !disabled(&it.name)).cloned().collect();
    let mut seen: Vec<(usize, Vec<Dependency>)> = Vec::new();
    let mut dependencies = Vec::with_capacity(taking_part.len());
    for (place, mut subchart) in taking_part {
        if dialect == Dialect::V3
            && let Some((_, after)) = seen.iter().find(|(other, _)| *other == place)
        {
            subchart.metadata.dependencies.clone_from(after);
        }
        let path = format!("{path}{}.", subchart.name());
        if let Some(after) = enable(&mut subchart, &coalesced, &path, dialect, warnings)? {
            seen.retain(|(other, _)| *other != place);
            seen.push((place, after));
        }
        dependencies.push(subchart);
    }
    chart.switched_off = declared.iter().filter(|it| disabled(&it.name)).cloned().collect();
    chart.metadata.dependencies = kept;
    chart.dependencies = dependencies;
    Ok(Some(declared))
}

/// Says of the dependencies that are not at hand which would take part.
fn switch_what_is_not_at_hand(chart: &mut Chart, values: &Map, path: &str, dialect: Dialect) {
    // What there is to warn of is told with the values themselves.
    let unheard = &mut Warnings::default();
    let Ok(coalesced) = coalesce_values(chart, values, Nulls::of(dialect), unheard) else { return };
    switch_by_tags(&mut chart.without.dependencies, &coalesced, unheard);
    switch_by_conditions(&mut chart.without.dependencies, &coalesced, path, unheard);
}

fn switch_by_tags(declared: &mut [Dependency], values: &Map, warnings: &mut Warnings) {
    let Some(tags) = table(values, b"tags") else { return };
    for dependency in declared {
        let (mut on, mut off) = (false, false);
        for tag in &dependency.tags {
            let Some(value) = tags.get(tag) else { continue };
            match value.as_bool() {
                Some(true) => on = true,
                Some(false) => off = true,
                None => warnings.add(
                    "dependencies.go:95",
                    format!("Warning: Tag '{tag}' for chart {} returned non-bool value", dependency.name),
                ),
            }
        }
        dependency.enabled = on || !off;
    }
}

fn switch_by_conditions(declared: &mut [Dependency], values: &Map, path: &str, warnings: &mut Warnings) {
    for dependency in declared {
        for condition in dependency.condition.trim().split(',').filter(|condition| !condition.is_empty()) {
            let Some(value) = path_value(values, format!("{path}{condition}").as_bytes()) else { continue };
            match value.as_bool() {
                Some(truth) => {
                    dependency.enabled = truth;
                    break;
                }
                None => warnings.add(
                    "dependencies.go:64",
                    format!(
                        "Warning: Condition path '{condition}' for chart {} returned non-bool value",
                        dependency.name
                    ),
                ),
            }
        }
    }
}

/// The table at a dotted path (helm: `Values.Table`); the error is the name of the first part that is none.
pub(crate) fn table_at(values: &Map, path: &[u8]) -> Result<Map, Vec<u8>> {
    let mut here = values.clone();
    for key in path.split(|byte| *byte == b'.') {
        here = match here.get(key).and_then(|value| value.as_map().cloned()) {
            Some(table) => table,
            None => return Err(key.to_vec()),
        };
    }
    Ok(here)
}

fn table(values: &Map, path: &[u8]) -> Option<Map> {
    table_at(values, path).ok()
}

/// What stands at a dotted path, if it is there and no table (helm: `Values.PathValue`).
pub(crate) fn path_value(values: &Map, path: &[u8]) -> Option<Value> {
    let (table, key) = match path.iter().rposition(|byte| *byte == b'.') {
        None => (values.clone(), path),
        Some(at) => (self::table(values, &path[..at])?, &path[at + 1..]),
    };
    table.get(key).filter(|value| value.as_map().is_none())
}

/// Lifts values from children into parents, bottom up.
fn import_all(chart: &mut Chart, warnings: &mut Warnings) -> Result<(), Mismatch> {
    for dependency in &mut chart.dependencies {
        import_all(dependency, warnings)?;
    }
    import(chart, warnings)
}

fn import(chart: &mut Chart, warnings: &mut Warnings) -> Result<(), Mismatch> {
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let values = coalesce_values(chart, &Map::new(), Nulls::Keep, warnings)?;
    let imported = Map::new();
    for dependency in &mut chart.metadata.dependencies {
        let mut pairs = Vec::new();
        for wanted in &dependency.import_values {
            let (child, parent, place) = match wanted {
                serde_json::Value::String(name) => (format!("exports.{name}"), ".".to_owned(), "dependencies.go:287"),
                serde_json::Value::Object(pair) => {
                    let text = |key: &str| match pair.get(key) {
                        None | Some(serde_json::Value::Null) => "<nil>".to_owned(),
                        Some(serde_json::Value::String(text)) => text.clone(),
                        Some(other) => other.to_string(),
                    };
                    (text("child"), text("parent"), "dependencies.go:270")
                }
                _ => continue,
            };
            pairs.push(serde_json::json!({"child": child, "parent": parent}));
            match table_at(&values, format!("{}.{child}", dependency.name).as_bytes()) {
                Err(key) => {
                    let from = if place == "dependencies.go:270" {
                        format!(" from chart {}", dependency.name)
                    } else {
                        String::new()
                    };
                    let key = landfall_gotemplate::format::quote(&key);
                    warnings.add(place, format!("Warning: ImportValues missing table{from}: {key} is not a table"));
                }
                Ok(found) => {
                    let placed = if parent == "." {
                        found
                    } else {
                        parent.split('.').rev().fold(found, |inner, key| {
                            let outer = Map::new();
                            outer.insert(key, inner);
                            outer
                        })
                    };
                    tables(&imported, &placed, "", Nulls::Keep, warnings);
                }
            }
        }
        // From here on the chart says it in full: to templates, and in the release's record.
        dependency.import_values = pairs;
    }
    let own = deep_copy_map(&values);
    tables(&own, &imported, "", Nulls::Keep, warnings);
    chart.values = own;
    Ok(())
}
