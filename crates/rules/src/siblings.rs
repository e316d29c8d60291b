//! The charts that lie beside those that are delivered, in the same repository.

use std::collections::BTreeSet;

use landfall_chart::Chart;

use crate::subject::Subject;

/// Files that are larger describe no chart.
const LARGEST: usize = 64 * 1024;

/// Whether a name is one that another chart of the repository, which this delivery has no part of, gives its objects: its own name, or
/// that with something behind it.
pub(crate) fn is_of_sibling(subject: &Subject<'_>, name: &str) -> bool {
    is_of(&siblings(subject), name)
}

/// Whether one of some charts gives its objects a name.
pub(crate) fn is_of(charts: &[String], name: &str) -> bool {
    let begins = |chart: &String| name.strip_prefix(&**chart).is_some_and(|it| it.is_empty() || it.starts_with('-'));
    charts.iter().any(begins)
}

/// The names of the repository's charts that this delivery has no part of.
pub(crate) fn siblings(subject: &Subject<'_>) -> Vec<String> {
    let Some(files) = subject.files else { return Vec::new() };
    let mut own = BTreeSet::new();
    for rendered in subject.units.iter().flat_map(|unit| &unit.rendered.charts) {
        collect(&rendered.processed, &mut own);
    }
    let named = |path: &String| {
        let bytes = files.read(path).ok()??;
        if bytes.len() > LARGEST || bytes.is_empty() {
            return None;
        }
        let described = landfall_yaml::to_json(&String::from_utf8(bytes).ok()?).ok()?;
        let name = described["name"].as_str().filter(|it| !it.is_empty() && !own.contains(it))?;
        Some(name.to_owned())
    };
    files.glob("**/Chart.yaml").unwrap_or_default().iter().filter_map(named).collect()
}

/// The names of a chart and of the dependencies that it is rendered with.
fn collect<'c>(chart: &'c Chart, names: &mut BTreeSet<&'c str>) {
    names.insert(chart.name());
    chart.dependencies.iter().for_each(|part| collect(part, names));
}
