//! Paths that lead through a table which nobody declares: rendering ends at the line that reads one.

use std::borrow::Cow;
use std::collections::BTreeSet;

use landfall_chart::{Chart, Rendered};
use landfall_diag::{Finding, Place, Spot};

use super::fuller::readers;
use super::{RULE, Spoken, commented, is_missing, is_of_a_part, is_written_of, mentions};
use crate::catalogue::value_that_prints_nothing::declares;
use crate::subject::DesiredUnit;
use crate::texts::{Action, actions, gather, unquoted, words};

/// A path that leads through a table of nobody's.
struct Led {
    place: Place,
    path: String,
    /// In how many more places something is read through the same table.
    more: usize,
}

impl Led {
    /// The table at the top of the values.
    fn table(&self) -> &str {
        table_of(&self.path)
    }
}

/// What is found of the tables that nobody declares, but of those that are told already.
pub(super) fn of_no_table(unit: &DesiredUnit, rendered: &Rendered, is_told: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let led = through_nothing(rendered).into_iter();
    led.filter(|it| !is_told(it.table()) && !is_told_by_a_setting(unit, &it.place))
        .map(|it| told(unit, rendered, it))
        .collect()
}

fn told(unit: &DesiredUnit, rendered: &Rendered, led: Led) -> Finding {
    let table = led.table().to_owned();
    let reached = "rendering ends as soon as the line is reached";
    let why = match led.more {
        0 => reached.to_owned(),
        more => format!("{reached}; something is read through `{table}` in {more} more places"),
    };
    let finding = RULE
        .finding(format!("no values file declares `{table}`, through which a template reads `{}`", led.path))
        .because(why)
        .keyed(format!("through {table}"));
    // What stands below the table may be declared at the top.
    let below: Vec<&str> = led.path.split('.').skip(1).collect();
    let finding = match below.len() > 1 && declares(&rendered.values, &below) {
        true => finding.help(format!("did you mean `{}`?", below.join("."))),
        false => finding,
    };
    finding.at(Spot { unit: Some(unit.name.clone()), ..Spot::file(led.place) })
}

/// Whether a setting was tried with which something is wrong at the line.
fn is_told_by_a_setting(unit: &DesiredUnit, place: &Place) -> bool {
    let mut places = unit.other_settings.iter().flat_map(|it| &it.faults).filter_map(|it| it.place.as_ref());
    places.any(|it| it.file == place.file && it.line == place.line)
}

/// The first path that a chart's own templates read through each table that nobody declares.
fn through_nothing(rendered: &Rendered) -> Vec<Led> {
    let chart = &rendered.processed;
    let readers = readers(chart);
    // A chart without values of its own is given them by somebody who is not at hand.
    let has_values = !chart.values.keys().is_empty();
    if chart.metadata.kind == "library" || !has_values || readers.iter().any(|text| makes_values(text)) {
        return Vec::new();
    }
    let spoken_of = chart.raw_file("values.yaml").map(|file| commented(&file.text())).unwrap_or_default();
    let called = called(&readers);
    let mut own = Vec::new();
    gather(chart, &mut own);
    let mut found: Vec<Led> = Vec::new();
    for text in &own {
        for (at, path) in deep_reads(&text.text, &called) {
            if let Some(before) = found.iter_mut().find(|it| it.table() == table_of(&path)) {
                before.more += 1;
            } else if is_through_nothing(rendered, &readers, &spoken_of, &path) {
                found.push(Led { place: text.place(at), path, more: 0 });
            }
        }
    }
    found
}

/// The first step of a path.
fn table_of(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

/// Whether nobody declares the table at the top of a path, or speaks of it, and nothing asks whether it is there.
fn is_through_nothing(rendered: &Rendered, readers: &[Cow<'_, str>], spoken_of: &[Spoken], path: &str) -> bool {
    let chart = &rendered.processed;
    let table = table_of(path);
    let two: Vec<&str> = path.split('.').take(2).collect();
    is_missing(rendered, spoken_of, &[table])
        && !is_of_a_part(chart, table)
        && !spoken_of.iter().any(|it| it.name == table)
        && !is_in_a_file(chart, table)
        && !is_written_of(chart, &two.join("."))
        && !readers.iter().any(|text| mentions(text, table) || is_taken_by_name(text, table))
}

/// Whether another file of values has a key at its top, be it in a comment.
fn is_in_a_file(chart: &Chart, key: &str) -> bool {
    let is_of_values = |name: &str| {
        let is_elsewhere = ["templates/", "charts/", "crds/"].iter().any(|folder| name.starts_with(folder));
        !is_elsewhere && [".yaml", ".yml"].iter().any(|ending| name.ends_with(ending))
    };
    let has = |line: &str| {
        let line = line.trim_start_matches(['#', ' ']).trim_start_matches("- ");
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    let at_the_top = |line: &&str| !line.starts_with(' ');
    chart.raw.iter().filter(|file| is_of_values(&file.name)).any(|file| file.text().lines().filter(at_the_top).any(has))
}

/// Functions that take a table by its name, or ask whether it is there.
const TAKING: &[&str] = &["hasKey", "dig", "get", "index", "pluck", "pick", "set"];

/// Whether an action of a text gives a name to a function that takes something by it.
fn is_taken_by_name(text: &str, name: &str) -> bool {
    let quoted = [format!("\"{name}\""), format!("`{name}`")];
    let is_of = |inner: &str| quoted.iter().any(|it| inner.contains(it.as_str()));
    actions(text).any(|action| is_of(action.inner) && words(action.inner).iter().any(|word| TAKING.contains(word)))
}

/// Templates of libraries that put other values in place of those that are given.
const MAKING: &[&str] = &["loader.init\"", "values.init\"", "values.setup\""];

/// Whether a text puts other values in place of those that are given, adds to them, or hands on those of a part as if they
/// were all.
fn makes_values(text: &str) -> bool {
    actions(text).filter(|it| !it.is_comment()).any(|action| {
        let changes = |word: &&str| *word == "set" || word.to_ascii_lowercase().contains("merge");
        let is_whole = || words(action.inner).iter().any(|word| word.ends_with(".Values"));
        action.inner.contains("\"Values\"")
            || action.inner.contains(".Subcharts")
            || MAKING.iter().any(|name| action.inner.contains(name))
            || (words(action.inner).iter().any(changes) && is_whole())
    })
}

/// The actions of a text, comments left out, each with the `define` that it stands in.
fn placed(text: &str) -> Vec<(Action<'_>, Option<&str>)> {
    let mut open: Vec<Option<&str>> = Vec::new();
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        match action.word().split('(').next().unwrap_or_default() {
            "define" => open.push(action.inner.split('"').nth(1)),
            "if" | "with" | "range" | "block" => open.push(None),
            "end" => drop(open.pop()),
            _ => {}
        }
        found.push((action, open.iter().find_map(|it| *it)));
    }
    found
}

/// The names of the templates that an action calls.
fn called_by(inner: &str) -> impl Iterator<Item = &str> {
    let calls = ["include \"", "template \"", "block \""].into_iter();
    calls.flat_map(move |call| inner.split(call).skip(1).filter_map(|rest| rest.split('"').next()))
}

/// The templates that are called by what is rendered, itself or through others.
fn called(readers: &[Cow<'_, str>]) -> BTreeSet<String> {
    let mut within: Vec<(String, String)> = Vec::new();
    let mut reached = BTreeSet::new();
    for text in readers {
        for (action, owner) in placed(text) {
            let names = called_by(action.inner).map(str::to_owned);
            match owner {
                Some(owner) => within.extend(names.map(|name| (owner.to_owned(), name))),
                None => reached.extend(names),
            }
        }
    }
    loop {
        let (now, later): (Vec<_>, Vec<_>) = within.into_iter().partition(|(owner, _)| reached.contains(owner));
        if now.is_empty() {
            return reached;
        }
        reached.extend(now.into_iter().map(|(_, name)| name));
        within = later;
    }
}

/// The paths of two steps and more that a text reads of the root's values, with their places; what stands in a template that
/// nothing calls is read by nobody.
fn deep_reads(text: &str, called: &BTreeSet<String>) -> Vec<(usize, String)> {
    let is_reached = |owner: &Option<&str>| owner.is_none_or(|name| called.contains(name));
    let reached = placed(text).into_iter().filter(|(_, owner)| is_reached(owner));
    reached.flat_map(|(action, _)| deep_paths(action.inner).into_iter().map(move |path| (action.start, path))).collect()
}

/// The paths of two steps and more that an action reads of the root's values.
fn deep_paths(inner: &str) -> Vec<String> {
    let said = unquoted(inner);
    let is_step = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.');
    // What hands its own values on is not the root: `$part.Values.a`.
    let is_of_root = |at: usize| !said[..at].ends_with(|it: char| is_step(it) || it == ')');
    let reads = said.match_indices(".Values.").filter(|(at, _)| is_of_root(*at));
    let paths = reads.map(|(at, read)| &said[at + read.len()..]);
    let paths = paths.map(|rest| &rest[..rest.find(|it| !is_step(it)).unwrap_or(rest.len())]);
    paths.filter(|path| path.contains('.') && path.split('.').all(|step| !step.is_empty())).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let called = called(&[Cow::Borrowed(text)]);
        deep_reads(text, &called).into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn a_path_is_read_wherever_something_is_rendered() {
        assert_eq!(
            read(
                "{{ $_ := set $it \"x\" .Values.gone.a }}{{ include \"x\" (dict \"b\" $.Values.gone.b.c) }}{{ .Values.a }}"
            ),
            ["gone.a", "gone.b.c"]
        );
        assert_eq!(read("{{/* .Values.gone.a */}}{{ fail \"no .Values.gone.a\" }}{{ $part.Values.gone.a }}"), [""; 0]);
        let helpers = "{{ define \"a\" }}{{ .Values.gone.a }}{{ end }}{{ define \"b\" }}{{ include \"a\" . }}{{ end }}";
        assert_eq!(read(helpers), [""; 0]);
        assert_eq!(read(&format!("{helpers}{{{{ template \"b\" . }}}}")), ["gone.a"]);
    }

    #[test]
    fn values_are_made_where_all_of_them_are_changed_or_handed_on_as_others() {
        for text in [
            "{{ $_ := set $ \"Values\" .Values.own }}",
            "{{ $_ := mergeOverwrite .Values $own }}",
            "{{ include \"a\" .Subcharts.db }}",
            "{{- include \"common.values.setup\" . }}",
            "{{ $_ := set .Values \"a\" dict }}",
        ] {
            assert!(makes_values(text), "{text}");
        }
        for text in ["{{ merge $it .Values.web }}", "{{/* merge .Values */}}", "{{ toYaml .Values }}"] {
            assert!(!makes_values(text), "{text}");
        }
        assert!(
            is_taken_by_name("{{ if hasKey $v \"gone\" }}", "gone")
                && is_taken_by_name("{{ dig `gone` 1 $v }}", "gone")
        );
        assert!(!is_taken_by_name("{{ include \"x\" (dict \"gone\" 1) }}", "gone"));
    }
}
