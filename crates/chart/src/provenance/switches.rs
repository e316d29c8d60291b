//! Which values switch a subchart on.

use std::collections::BTreeMap;

use landfall_gotemplate::{Map, Origin};

use crate::chart::Chart;
use crate::dependency::{path_value, table_at};

/// The values that switched charts on, by the path of their templates.
pub(super) fn of(chart: &Chart, values: &Map) -> BTreeMap<String, Vec<Origin>> {
    let mut switches = BTreeMap::new();
    collect(chart, values, &format!("{}/", chart.name()), "", &mut switches);
    switches
}

fn collect(chart: &Chart, values: &Map, path: &str, scope: &str, switches: &mut BTreeMap<String, Vec<Origin>>) {
    for child in &chart.dependencies {
        let below = format!("{path}charts/{}/", child.name());
        let declared = chart.metadata.dependencies.iter().filter(|declared| declared.name == child.name());
        let mut by = Vec::new();
        for dependency in declared {
            let conditions = dependency.condition.trim().split(',').filter(|condition| !condition.is_empty());
            by.extend(
                conditions
                    .filter_map(|condition| path_value(values, format!("{scope}{condition}").as_bytes()))
                    .map(|value| value.origin()),
            );
            if let Ok(tags) = table_at(values, b"tags") {
                by.extend(dependency.tags.iter().filter_map(|tag| tags.get(tag)).map(|value| value.origin()));
            }
        }
        by.retain(|origin| *origin != Origin::NONE);
        if !by.is_empty() {
            switches.insert(below.clone(), by);
        }
        collect(child, values, &below, &format!("{scope}{}.", child.name()), switches);
    }
}
