use landfall_chart::{Chart, Rendered};
use landfall_diag::{Finding, Place, Severity, Spot};
use landfall_yaml::Node;

use super::value_that_prints_nothing::{bare_paths, value_at};
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::actions;

pub(super) static RULE: Rule = Rule {
    id: "LF377",
    title: "no chart takes the defaults of its parts away by a key without a value",
    severity: Severity::Warning,
    why: "`port:` with nothing behind it is null, and a null in the values of a chart takes the default of the chart below away. What \
          was written to show that there is such a key empties it: the part prints nothing there, an option without its argument, a \
          port that is none.",
    advice: "Comment the key out, or give it the value that the part has by itself.",
    check,
};

/// A key of a chart's values that is null, where the part that it is for has a value and prints it.
struct Taken {
    /// From the chart on: `queue.service.port`.
    path: String,
    part: String,
    /// What the part has.
    default: String,
    place: Place,
    /// The part's template that prints it.
    printed_by: String,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for taken in unit.rendered.charts.iter().flat_map(taken) {
            let Taken { path, part, default, place, printed_by } = taken;
            let finding = RULE
                .finding(format!("`{path}` is null, which takes the default `{default}` of `{part}` away"))
                .keyed(path)
                .because(format!("`{printed_by}` prints nothing in its place"));
            findings.push(finding.at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }));
        }
    }
    findings
}

fn taken(rendered: &Rendered) -> Vec<Taken> {
    let root = &rendered.processed;
    let Some(file) = root.raw_file("values.yaml") else { return Vec::new() };
    let text = file.text();
    let Ok(Some(document)) = landfall_yaml::parse_first(&text) else { return Vec::new() };
    let mut found = Vec::new();
    for part in &root.dependencies {
        let Some(given) = document.root().get(part.name()) else { continue };
        let Some(own) = part.raw_file("values.yaml").and_then(|it| landfall_yaml::to_json(&it.text()).ok()) else {
            continue;
        };
        let mut nulls = Vec::new();
        gather(given.target(), "", &mut nulls);
        for (below, line) in nulls {
            let path = format!("{}.{below}", part.name());
            // Whoever installs it may have given a value after all.
            if value_at(&rendered.values, &path).is_some_and(|it| !it.is_nil()) {
                continue;
            }
            let default = below.split('.').try_fold(&own, |here, step| here.get(step)).and_then(said);
            let Some((default, printed_by)) = default.zip(printing(part, &below)) else { continue };
            let source = text.lines().nth(line as usize - 1).map(str::to_owned);
            let place = Place { source, ..Place::line(root.path_of("values.yaml"), line) };
            found.push(Taken { path, part: part.name().to_owned(), default, place, printed_by });
        }
    }
    found
}

/// The paths below a node behind whose key nothing is written, with their lines.
fn gather(node: Node<'_>, path: &str, found: &mut Vec<(String, u32)>) {
    for (key, value) in node.entries() {
        let Some(name) = key.target().text() else { continue };
        let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let value = value.target();
        // Who writes `null` means it.
        let is_bare = value.text() == Some("") && value.span().range().is_empty();
        if is_bare {
            found.push((below, u32::try_from(key.span().start.line()).unwrap_or(1)));
        } else {
            gather(value, &below, found);
        }
    }
}

/// A default that says something.
fn said(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) if !text.is_empty() => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The template of a part that prints a path as it is, where none asks first whether there is a value.
fn printing(part: &Chart, path: &str) -> Option<String> {
    let templates = || part.templates.iter().filter(|file| !file.name.ends_with("NOTES.txt"));
    let asked = format!(".Values.{path}");
    let asks =
        |text: &str| actions(text).any(|it| matches!(it.word(), "if" | "with" | "else") && it.inner.contains(&asked));
    if templates().any(|file| asks(&file.text())) {
        return None;
    }
    let prints = |text: &str| bare_paths(text).into_iter().any(|(_, printed)| printed == path);
    templates().find(|file| prints(&file.text())).map(|file| part.path_of(&file.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_nothing_behind_them_are_found_and_what_is_written_as_null_is_meant() {
        let text = "a:\n  b:\n  c: null\n  d: \"\"\n  e: 1\nf: # later\ng: {}\nh: [1]\n";
        let document = landfall_yaml::parse_first(text).expect("YAML").expect("a document");
        let mut found = Vec::new();
        gather(document.root(), "", &mut found);
        assert_eq!(found, [("a.b".to_owned(), 2), ("f".to_owned(), 6)]);
    }
}
