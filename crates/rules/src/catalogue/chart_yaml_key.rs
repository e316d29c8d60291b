use landfall_chart::Chart;
use landfall_diag::{Finding, Place, Severity, Spot, slip};

use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};
use crate::texts::own_charts;

pub(super) static RULE: Rule = Rule {
    id: "LF415",
    title: "Chart.yaml is written with the keys that are read",
    severity: Severity::Warning,
    why: "Helm passes over a key of Chart.yaml that it does not know: `dependancies` brings no chart, and `kubeVersions` refuses \
          no cluster. One that differs in small letters and capitals alone is read by Helm and by nobody else who looks for it: \
          `appversion` is no version to a catalogue of charts or to what keeps them up to date.",
    advice: "Write the key as Helm's documentation does.",
    check,
};

/// The keys of Chart.yaml. ORIGIN: helm.sh/docs/topics/charts ("The Chart.yaml File"), and `engine` of Helm 2.
const KNOWN: &[&str] = &[
    "apiVersion",
    "name",
    "version",
    "kubeVersion",
    "description",
    "type",
    "keywords",
    "home",
    "sources",
    "dependencies",
    "maintainers",
    "icon",
    "appVersion",
    "deprecated",
    "annotations",
    "condition",
    "tags",
    "engine",
];

/// Shorter words are too near to each other.
const LONG_ENOUGH: usize = 6;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    subject.units.iter().flat_map(of_unit).collect()
}

fn of_unit(unit: &DesiredUnit) -> Vec<Finding> {
    let charts = unit.rendered.charts.iter().flat_map(|rendered| own_charts(&rendered.processed));
    charts.flat_map(|chart| of_chart(unit, chart)).collect()
}

fn of_chart(unit: &DesiredUnit, chart: &Chart) -> Vec<Finding> {
    let Some(file) = chart.raw_file("Chart.yaml") else { return Vec::new() };
    let text = file.text();
    let told = misspelt(&text).into_iter().map(|(key, known, line)| {
        let is_read = key.eq_ignore_ascii_case(known);
        let source = text.lines().nth(line.saturating_sub(1)).map(str::to_owned);
        let place = Place { source, ..Place::line(chart.path_of("Chart.yaml"), u32::try_from(line).unwrap_or(1)) };
        RULE.finding(format!("`{key}` of Chart.yaml is no key that is known: `{known}` is"))
            .weighing(if is_read { Severity::Info } else { RULE.severity })
            .keyed(format!("{} {key}", place.file))
            .because(match is_read {
                true => "Helm does not look at capitals, and whoever else reads the file does",
                false => "Helm passes over it: what it says is not heard",
            })
            .help(format!("write `{known}`"))
            .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) })
    });
    told.collect()
}

/// The keys at the top of a Chart.yaml that are nearly a known one which is not there, with that one and the line, from 1.
fn misspelt(text: &str) -> Vec<(String, &'static str, usize)> {
    let Ok(Some(document)) = landfall_yaml::parse_first(text) else { return Vec::new() };
    let root = document.root();
    let keys: Vec<(&str, usize)> =
        root.entries().filter_map(|(key, _)| Some((key.target().text()?, key.span().start.line()))).collect();
    let is_there = |known: &str| keys.iter().any(|(key, _)| *key == known);
    let unknown = keys.iter().filter(|(key, _)| !KNOWN.contains(key));
    let found = unknown.filter_map(|(key, line)| {
        let known = meant(key).filter(|known| !is_there(known))?;
        Some(((*key).to_owned(), known, *line))
    });
    found.collect()
}

/// The known key that a word was meant to be.
fn meant(key: &str) -> Option<&'static str> {
    let alike = KNOWN.iter().copied().find(|known| known.eq_ignore_ascii_case(key));
    let long = || KNOWN.iter().copied().filter(|known| known.len() >= LONG_ENOUGH);
    alike.or_else(|| slip(key, long()).filter(|_| key.len() >= LONG_ENOUGH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_meant_where_it_is_nearly_a_known_one_that_is_missing() {
        assert_eq!(misspelt("name: a\nappversion: \"1\"\n"), [("appversion".to_owned(), "appVersion", 2)]);
        assert_eq!(misspelt("dependancies: []\n"), [("dependancies".to_owned(), "dependencies", 1)]);
        for text in ["appversion: 1\nappVersion: 1\n", "apiVersion: v2\nlicense: MIT\nhomes: x\n", "- a\n", ""] {
            assert!(misspelt(text).is_empty(), "{text}");
        }
    }
}
