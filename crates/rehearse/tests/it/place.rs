//! Where a finding is, as a fixture says it: `Deployment/api (shop), container api, spec.replicas; templates/api.yaml:8; values.yaml:2`.

use landfall_diag::{Finding, Place, Spot};

use crate::fixture::Scene;

/// The first place of a finding: object, container, field; the template's line; the lines of values; a file's line.
pub(crate) fn told(finding: &Finding) -> String {
    let Some(spot) = finding.spot() else { return "nowhere".to_owned() };
    let mut text = String::new();
    if spot.object.is_some() {
        text.push_str(&spot.name());
    }
    if let Some(container) = &spot.container {
        text.push_str(&format!(", container {container}"));
    }
    if let Some(field) = &spot.field {
        text.push_str(&format!(", {field}"));
    }
    let line = |place: &Place| format!("{}:{}", place.file, place.line);
    let places = spot.template.iter().chain(spot.file.iter()).map(line);
    let values = spot.values.iter().map(|value| value.place.as_ref().map_or(value.text.clone(), line));
    let mut told: Vec<String> = Vec::new();
    for place in places.chain(values) {
        if told.contains(&place) {
            continue;
        }
        told.push(place.clone());
        let between = if text.is_empty() { "" } else { "; " };
        text.push_str(&format!("{between}{place}"));
    }
    text
}

/// What is missing of the place of a mutated fault, beside the place that the fault itself has.
pub(crate) fn lost(mutated: &Finding, itself: &Finding, scene: &Scene) -> Option<String> {
    let (now, was) = (mutated.spot().cloned().unwrap_or_default(), itself.spot().cloned().unwrap_or_default());
    let missing = [
        ("object", was.object.is_some() && now.object.is_none()),
        ("container", was.container.is_some() && now.container.is_none()),
        ("field", was.field.is_some() && now.field.is_none()),
        ("line of a template", was.template.is_some() && now.template.is_none()),
        ("line of a file", was.file.is_some() && now.file.is_none()),
    ];
    let lost = missing.iter().find(|(_, is_lost)| *is_lost).map(|(what, _)| format!("without the {what}"));
    lost.or_else(|| beside_the_files(&now, scene)).map(|why| format!("{} is {why}", told(mutated)))
}

/// A place that no file of the scene has.
fn beside_the_files(spot: &Spot, scene: &Scene) -> Option<String> {
    let values = spot.values.iter().filter_map(|value| value.place.as_ref());
    let mut places = spot.template.iter().chain(&spot.file).chain(values);
    let is_there = |place: &Place| {
        // What the environment of a bare chart declares stands in a project file that the fixture does not write out.
        if place.file == "landfall.yaml" && scene.declaration().is_some() {
            return true;
        }
        let trees = std::iter::once(&scene.files).chain(&scene.base);
        let mut files = trees.flat_map(|files| files.iter()).filter(|(path, _)| {
            // A template of a chart is told from the chart's own directory where the target is the chart.
            path.as_str() == place.file || place.file.ends_with(&format!("/{path}"))
        });
        files.any(|(_, text)| text.lines().count() >= place.line as usize)
    };
    places.find(|place| !is_there(place)).map(|place| format!("at {}:{}, which no file has", place.file, place.line))
}
