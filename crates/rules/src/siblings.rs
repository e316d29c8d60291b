//! The charts that lie beside those that are delivered, in the same repository.

use std::collections::BTreeSet;

use landfall_chart::Chart;

use crate::subject::Subject;

/// Files that are larger describe no chart.
const LARGEST: usize = 64 * 1024;

/// Whether a name is one that another chart of the repository, which this delivery has no part of, gives its objects: its own name, or
/// that with something behind it.
pub(crate) fn is_of_sibling(subject: &Subject<'_>, name: &str) -> bool {
    let Some(files) = subject.files else { return false };
    let mut own = BTreeSet::new();
    for rendered in subject.units.iter().flat_map(|unit| &unit.rendered.charts) {
        collect(&rendered.processed, &mut own);
    }
    let begins = |chart: &str| {
        name.strip_prefix(chart).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) && !own.contains(chart)
    };
    files.glob("**/Chart.yaml").unwrap_or_default().iter().any(|path| {
        let Ok(Some(bytes)) = files.read(path) else { return false };
        if bytes.len() > LARGEST || bytes.is_empty() {
            return false;
        }
        let described = String::from_utf8(bytes).ok().and_then(|text| landfall_yaml::to_json(&text).ok());
        described.is_some_and(|it| it["name"].as_str().is_some_and(|chart| !chart.is_empty() && begins(chart)))
    })
}

/// The names of a chart and of the dependencies that it is rendered with.
fn collect<'c>(chart: &'c Chart, names: &mut BTreeSet<&'c str>) {
    names.insert(chart.name());
    chart.dependencies.iter().for_each(|part| collect(part, names));
}
