mod domain;
mod neighbour;
mod port;

use landfall_chart::Values;
use landfall_diag::{Finding, Place, Severity, Spot};

use super::branch_never_taken::actions;
use super::value_that_prints_nothing::value_at;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF351",
    title: "a value that is asked for is printed",
    severity: Severity::Warning,
    why: "`{{ if .Values.retries }}` around `retries: 3` prints 3, whatever was set: the number that was once tried stands where \
          its value belongs. The setting is declared and read, so nothing says that it is not heard. So it is with the domain of a \
          cluster that is spelt out beside the value for it, with a port that a program is told and a container spells out, and with a \
          variable that is called after one value and printed from its neighbour.",
    advice: "Print the value in the place of the constant.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in unit.rendered.charts.iter().filter(|it| it.processed.metadata.kind != "library") {
            findings.extend(domain::spelt_out(unit, rendered));
            findings.extend(neighbour::printed_for_it(unit, rendered));
            findings.extend(port::spelt_out(unit, rendered));
            let chart = &rendered.processed;
            for file in chart.templates.iter().filter(|file| !file.name.ends_with("NOTES.txt")) {
                let text = file.text();
                for Constant { path, said, line } in constants(&text, &rendered.values) {
                    let source = text.lines().nth(line).map(str::to_owned);
                    let number = u32::try_from(line + 1).unwrap_or(0);
                    let place = Place { source, ..Place::line(chart.path_of(&file.name), number) };
                    findings.push(
                        RULE.finding(format!("`{path}` is asked for, and `{said}` is printed"))
                            .keyed(format!("{path} {}", file.name))
                            .because("whatever the value is, the same constant stands there")
                            .help(format!("print `.Values.{path}`"))
                            .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
                    );
                }
            }
        }
    }
    findings
}

/// A constant under the name of the value that is asked for around it.
#[derive(Debug, PartialEq, Eq)]
struct Constant {
    path: String,
    said: String,
    /// From nought.
    line: usize,
}

/// Three lines: a condition on a value that is a number or a text, its name with a constant of the same kind, the end.
fn constants(text: &str, values: &Values) -> Vec<Constant> {
    let lines: Vec<&str> = text.lines().collect();
    let made: Vec<Made<'_>> = actions(text).filter_map(Made::of).collect();
    let found = lines.windows(3).enumerate().filter_map(|(at, three)| {
        let [begin, middle, end] = three else { return None };
        let asked = lone_action(begin)?.strip_prefix("if ")?.trim();
        if lone_action(end)? != "end" || asked.contains(char::is_whitespace) {
            return None;
        }
        let (key, said) = middle.trim_start().trim_start_matches("- ").split_once(": ")?;
        if asked.rsplit('.').next() != Some(key) {
            return None;
        }
        let path =
            path_of(asked, made.iter().rev().skip_while(|it| it.at >= begin.as_ptr().addr() - text.as_ptr().addr()))?;
        let said = said.split(" #").next().unwrap_or(said).trim();
        let value = value_at(values, &path)?;
        let number = |text: &str| text.trim_matches(['"', '\'']).parse::<f64>().is_ok();
        let is_alike = match value.as_str() {
            Some(text) => !text.to_string_lossy().is_empty() && !number(said) && said.starts_with(['"', '\'']),
            None => value.as_bool().is_none() && value.as_map().is_none() && value.as_list().is_none() && number(said),
        };
        (is_alike && !said.contains("{{")).then(|| Constant { path, said: said.to_owned(), line: at + 1 })
    });
    found.collect()
}

/// The action that is all there is in a line.
fn lone_action(line: &str) -> Option<&str> {
    let inner = line.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{")).then(|| inner.trim_matches(['-', ' ']))
}

/// A variable that is made.
struct Made<'t> {
    /// Where.
    at: usize,
    name: &'t str,
    of: &'t str,
}

impl<'t> Made<'t> {
    fn of((at, action): (usize, &'t str)) -> Option<Self> {
        let (name, of) = action.trim_matches(['-', ' ']).split_once(":=")?;
        Some(Made { at, name: name.trim(), of: of.trim() })
    }
}

/// The path of the values that a condition asks for; a variable stands for what it was made of: the first of those before, backwards.
fn path_of<'m>(asked: &str, mut before: impl Iterator<Item = &'m Made<'m>>) -> Option<String> {
    let values = |word: &str| word.trim_start_matches('$').strip_prefix(".Values.").map(str::to_owned);
    if let Some(path) = values(asked) {
        return Some(path);
    }
    let (variable, rest) =
        asked.split_once('.').filter(|(variable, _)| variable.len() > 1 && variable.starts_with('$'))?;
    let made = before.find(|it| it.name == variable)?.of;
    Some(format!("{}.{rest}", values(made)?))
}
