use landfall_diag::{Finding, Place, Severity, Spot};
use landfall_yaml::{Error, Node};

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF294",
    title: "a values file has each key once",
    severity: Severity::Error,
    why: "Of two equal keys the last one counts, whole: what the first one says is gone, with everything below it. It happens when \
          blocks are merged or pasted, and no tool says so.",
    advice: "Merge the two blocks of the key into one.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in &unit.rendered.charts {
            let chart = &rendered.processed;
            if let Some(file) = chart.raw_file("values.yaml") {
                findings.extend(told(&unit.name, &chart.path_of("values.yaml"), &file.text()));
            }
        }
        for path in &unit.value_files {
            let bytes = subject.files.and_then(|files| files.read(path).ok().flatten());
            if let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
                findings.extend(told(&unit.name, path, &text));
            }
        }
    }
    findings
}

/// Keys that a file has twice in one mapping.
fn told(unit: &str, path: &str, text: &str) -> Vec<Finding> {
    // Strict reading counts a key beside a merge as written twice; it only overrides.
    if text.contains("<<:") || !matches!(landfall_yaml::to_json_strict(text), Err(Error::Duplicates(_))) {
        return Vec::new();
    }
    let Ok(Some(document)) = landfall_yaml::parse_first(text) else { return Vec::new() };
    let mut found = Vec::new();
    look(document.root(), document.source(), "", &mut found);
    let of = |(key, line, alike): (String, usize, bool)| {
        let line = u32::try_from(line).unwrap_or(1);
        let source = text.lines().nth(line as usize - 1).map(str::to_owned);
        let place = Place { source, ..Place::line(path.to_owned(), line) };
        RULE.finding(format!("`{key}` stands twice in one place"))
            .keyed(format!("{path} {key}"))
            .weighing(if alike { Severity::Warning } else { RULE.severity })
            .because(match alike {
                true => "the later one counts",
                false => "the later one counts, and what the first one says is dropped",
            })
            .at(Spot { unit: Some(unit.to_owned()), ..Spot::file(place) })
    };
    found.into_iter().map(of).collect()
}

fn look(node: Node<'_>, source: &str, path: &str, found: &mut Vec<(String, usize, bool)>) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (key, value) in node.entries() {
        let Some(name) = key.target().text() else { continue };
        let step = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let said = value.span().text(source).trim();
        let before: Vec<&str> = seen.iter().filter(|(other, _)| *other == name).map(|(_, said)| *said).collect();
        if !before.is_empty() {
            found.push((step.clone(), key.span().start.line(), before.iter().all(|other| *other == said)));
        }
        seen.push((name, said));
        look(value, source, &step, found);
    }
    for (at, item) in node.items().enumerate() {
        look(item, source, &format!("{path}[{at}]"), found);
    }
}
