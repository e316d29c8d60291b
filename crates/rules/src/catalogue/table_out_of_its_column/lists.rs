//! Lists of values that are printed in a column where no list is open.

use std::mem;

use landfall_chart::Rendered;
use landfall_diag::{Finding, Spot};

use super::{RULE, Told, given_to_helper, is_block_mark};
use crate::catalogue::value_that_prints_nothing::{Dot, moved, operand, value_at};
use crate::subject::DesiredUnit;
use crate::texts::{Action, Text, actions, own_texts, unquoted, words};

/// Words of actions that print nothing themselves.
const SILENT: &[&str] = &["if", "with", "range", "else", "end", "break", "continue"];

/// What is found in the templates of a unit's chart.
pub(super) fn of_chart(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let mut findings = Vec::new();
    for text in own_texts(rendered) {
        for (at, words, because) in lists(&text.text, &|path: &str| is_list(rendered, &text, path)) {
            let place = text.place(at);
            findings.push(
                RULE.finding(words.as_str())
                    .keyed(format!("{} {words}", place.file))
                    .because(because)
                    .help("print it in the column of the items above it (`nindent`)")
                    .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
            );
        }
    }
    findings
}

/// Whether the values have a list at a path, seen from the chart that a template belongs to.
fn is_list(rendered: &Rendered, text: &Text<'_>, path: &str) -> bool {
    let parts = &rendered.processed.dependencies;
    let part = parts.iter().find(|it| text.path.starts_with(&format!("{}/", it.location)));
    let whole = part.map_or_else(|| path.to_owned(), |part| format!("{}.{path}", part.name()));
    value_at(&rendered.values, &whole).is_some_and(|it| it.as_list().is_some())
}

/// The lists of values that are printed where no list of their column is open; `is_list` says of a path whether it is one.
fn lists(text: &str, is_list: &dyn Fn(&str) -> bool) -> Vec<Told> {
    let lines = lines(text);
    let mut found = Vec::new();
    let mut dots: Vec<Dot> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let dot = dots.last().unwrap_or(&Dot::Root);
        let listed = line.alone().and_then(|action| printed(action, dot)).filter(|(path, _)| is_list(path));
        if let Some((path, column)) = listed
            && let Some(items) = missed(&lines[..at], column)
        {
            found.push((
                line.start,
                format!(
                    "what `.Values.{path}` gives stands in column {column}, and the list's items in column {items}"
                ),
                "no list is open in that column: the manifest cannot be read as soon as there is an item".to_owned(),
            ));
        }
        line.actions.iter().filter(|it| !it.is_comment()).for_each(|action| moved(action.inner, &mut dots));
    }
    found
}

/// The path of the values that an action writes as a list and nothing else, and the column of the items.
fn printed(action: &Action<'_>, dot: &Dot) -> Option<(String, usize)> {
    let said = unquoted(action.inner);
    let all = words(&said);
    let [ahead @ .., "nindent", columns] = all.as_slice() else { return None };
    let column = columns.parse().ok()?;
    let word = given_to_helper(action.inner).or_else(|| written_alone(ahead))?;
    let path = match (word, dot) {
        (".", Dot::At(path)) => path.clone(),
        _ => operand(word, dot)?,
    };
    Some((path, column))
}

/// What `toYaml` is given, where nothing else is done with it; `tpl` is given the root beside.
fn written_alone<'w>(all: &[&'w str]) -> Option<&'w str> {
    if !all.contains(&"toYaml") {
        return None;
    }
    let rest: Vec<&str> = all.iter().copied().filter(|it| !matches!(*it, "toYaml" | "tpl" | "trim")).collect();
    match rest.as_slice() {
        [word] => Some(*word),
        [word, "." | "$"] if all.contains(&"tpl") => Some(*word),
        _ => None,
    }
}

/// Where the items of the list stand that is open above a line, where one that is printed in a column goes past them; none where it
/// does not, or where nobody knows.
fn missed(lines: &[Line<'_>], column: usize) -> Option<usize> {
    let above = above(lines);
    let nearest = (*above.first()?)?;
    let is_open = nearest.open_key().is_some_and(|key| key <= column);
    if is_open || nearest.is_call() || nearest.may_hold(column) {
        return None;
    }
    let at = above.iter().position(|it| it.is_none_or(|it| it.column <= column))?;
    let (passed, rest) = above.split_at(at);
    let stop = rest.first().copied().flatten()?;
    let is_of_text = passed.iter().flatten().any(|it| it.begins_text()) || is_within_text(stop, rest);
    let is_at_home = stop.is_item() && stop.column == column;
    let is_known = stop.is_item() || (stop.is_key() && (stop.goes_on.is_some() || !stop.text.contains("{{")));
    let is_unclear = !is_known || stop.may_hold(column);
    if is_of_text || is_at_home || is_unclear {
        return None;
    }
    // The lowest of what stands between is what the key in that column holds.
    match passed.iter().flatten().min_by_key(|it| it.column).filter(|it| it.is_item()) {
        Some(item) => Some(item.column),
        None if stop.is_item() => Some(stop.column),
        None => item_around(stop, &rest[1..]),
    }
}

/// The column of the item whose key a line is; a table that is no item may be what was meant.
fn item_around(line: Written<'_>, above: &[Option<Written<'_>>]) -> Option<usize> {
    let around = above.iter().find(|it| it.is_none_or(|it| it.column < line.column)).copied().flatten()?;
    (around.is_item() && around.content() == line.column).then_some(around.column)
}

/// Whether a line stands in a text: what that is written in is its own business.
fn is_within_text(line: Written<'_>, above: &[Option<Written<'_>>]) -> bool {
    let mut column = line.column;
    line.begins_text()
        || above.iter().flatten().any(|it| {
            let is_around = it.column < column;
            column = column.min(it.column);
            is_around && it.begins_text()
        })
}

/// The lines of YAML above a place in the same document, the nearest first, without those in other branches of what is open there;
/// none stands for one that is not known before it is printed.
fn above<'t>(lines: &[Line<'t>]) -> Vec<Option<Written<'t>>> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut is_in_branch = true;
    for line in lines.iter().rev() {
        match line.said() {
            Said::Printed(written) if written.text.starts_with("---") => return found,
            Said::Printed(written) if is_in_branch => found.push(Some(written)),
            Said::Unknown if is_in_branch => found.push(None),
            _ => {}
        }
        for action in line.actions.iter().rev() {
            match word(action) {
                "end" => depth += 1,
                "if" | "with" | "range" | "define" | "block" if depth > 0 => depth -= 1,
                "if" | "with" | "range" => is_in_branch = true,
                // What stands above a definition is printed somewhere else.
                "define" | "block" => return found,
                "else" if depth == 0 => is_in_branch = false,
                _ => {}
            }
        }
    }
    found
}

/// A line of a template, with the whole of the actions that begin in it.
struct Line<'t> {
    start: usize,
    text: &'t str,
    actions: Vec<Action<'t>>,
}

/// The lines of a text; what breaks within an action breaks no line.
fn lines(text: &str) -> Vec<Line<'_>> {
    let mut found = Vec::new();
    let mut within = Vec::new();
    let (mut start, mut at) = (0, 0);
    for action in actions(text).map(Some).chain([None]) {
        let until = action.map_or(text.len(), |it| it.start);
        while let Some(end) = text[at..until].find('\n').map(|from| at + from) {
            found.push(Line { start, text: &text[start..end], actions: mem::take(&mut within) });
            (start, at) = (end + 1, end + 1);
        }
        if let Some(action) = action {
            within.push(action);
            at = action.end;
        }
    }
    found.push(Line { start, text: &text[start..], actions: within });
    found
}

/// What a line of a template is to what stands below it.
enum Said<'t> {
    /// Nothing of it is printed.
    Nothing,
    /// It is a line of YAML.
    Printed(Written<'t>),
    /// What it prints is not known.
    Unknown,
}

/// A line of YAML.
#[derive(Clone, Copy)]
struct Written<'t> {
    /// Where it begins.
    column: usize,
    text: &'t str,
    /// The column in which what an action prints goes on below the line; 0 where nobody knows which.
    goes_on: Option<usize>,
}

impl<'t> Line<'t> {
    /// The action that is all there is in the line.
    fn alone(&self) -> Option<&Action<'t>> {
        let [action] = self.actions.as_slice() else { return None };
        let ahead = &self.text[..action.start - self.start];
        let behind = &self.text[action.end - self.start..];
        (ahead.trim().is_empty() && behind.trim().is_empty()).then_some(action)
    }

    fn said(&self) -> Said<'t> {
        let text = self.text.trim();
        if text.is_empty() || text.starts_with('#') {
            return Said::Nothing;
        }
        if !text.starts_with("{{") {
            let column = self.text.len() - self.text.trim_start().len();
            return Said::Printed(Written { column, text, goes_on: self.actions.iter().filter_map(goes_on).min() });
        }
        let mut at = 0;
        let is_silent = self.actions.iter().all(|action| {
            let between = &self.text[at..action.start - self.start];
            at = action.end - self.start;
            between.trim().is_empty() && prints_nothing(action)
        });
        if is_silent && self.text[at..].trim().is_empty() {
            return Said::Nothing;
        }
        match self.alone().and_then(goes_on).filter(|column| *column > 0) {
            Some(column) => Said::Printed(Written { column, text, goes_on: Some(column) }),
            None => Said::Unknown,
        }
    }
}

impl<'t> Written<'t> {
    /// Whether it is what an action prints, and nothing else.
    fn is_call(self) -> bool {
        self.text.starts_with("{{")
    }

    /// Whether what an action prints in it may be a list in a column, or end in a key for one.
    fn may_hold(self, column: usize) -> bool {
        self.goes_on.is_some_and(|it| it <= column)
    }

    fn is_item(self) -> bool {
        self.text == "-" || self.text.starts_with("- ")
    }

    fn is_key(self) -> bool {
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            !name.is_empty() && bytes.all(|it| it.is_ascii_alphanumeric() || b"-_./\"'".contains(&it))
        };
        let ends = |rest: &str| rest.is_empty() || rest.starts_with(' ');
        self.text.split_once(':').is_some_and(|(name, rest)| is_name(name) && ends(rest))
    }

    /// The column of what stands in an item.
    fn content(self) -> usize {
        let inside = self.text.strip_prefix('-').unwrap_or(self.text);
        self.column + self.text.len() - inside.trim_start().len()
    }

    /// The column of a key without a value, which may be an item's first.
    fn open_key(self) -> Option<usize> {
        let key = self.uncommented().strip_suffix(':')?;
        let name = key.trim_start_matches(['-', ' ']);
        Some(self.column + key.len() - name.len())
    }

    /// Whether what stands below it is the lines of a text.
    fn begins_text(self) -> bool {
        self.uncommented().rsplit(' ').next().is_some_and(is_block_mark)
    }

    fn uncommented(self) -> &'t str {
        self.text.split(" #").next().unwrap_or_default().trim_end()
    }
}

/// The word that says what an action is.
fn word<'t>(action: &Action<'t>) -> &'t str {
    action.word().split('(').next().unwrap_or_default()
}

fn prints_nothing(action: &Action<'_>) -> bool {
    let inner = action.inner;
    let is_given = inner.starts_with('$') && (inner.contains(":=") || inner.contains(" = "));
    is_given || action.is_comment() || SILENT.contains(&word(action))
}

/// The column in which what an action prints goes on below its line, as far as it does; 0 where nobody knows which.
fn goes_on(action: &Action<'_>) -> Option<usize> {
    let said = unquoted(action.inner);
    let all = words(&said);
    if let [.., "nindent", columns] = all.as_slice() {
        return Some(columns.parse().unwrap_or(0));
    }
    let may = |it: &&str| matches!(*it, "toYaml" | "indent" | "if" | "with" | "range");
    (action.trims.0 || all.iter().any(may)).then_some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let is_list = |path: &str| path.ends_with("extra");
        lists(text, &is_list).into_iter().map(|(_, words, _)| words).collect()
    }

    #[test]
    fn a_list_that_goes_past_the_items_above_it_is_told() {
        let helper =
            "{{- include \"common.tplvalues.render\" (dict \"value\" .Values.extra \"context\" $) | nindent 4 }}";
        let by_helper = format!("env:\n  - name: A\n    value: b\n  {helper}\n");
        for (text, column, items) in [
            ("env:\n  - name: A\n    valueFrom:\n      x: y\n    {{- toYaml .Values.extra | nindent 4 }}\n", 4, 2),
            (
                "env:\n  {{- if .a }}\n  - name: A\n    value: b\n  {{- end }}\n  {{- with .Values.extra }}\n  {{- toYaml . | nindent 0 }}\n  {{- end }}\n",
                0,
                2,
            ),
            ("env:\n  - name: A # b\n    {{- tpl (toYaml .Values.extra) $ | nindent 3 }}\n", 3, 2),
            (by_helper.as_str(), 4, 2),
            (
                "- name: A\n  x:\n    {{- include \"a\" . | nindent 4 }}\n  y: {{- .z | nindent 4 }}\n  {{- toYaml .Values.extra | nindent 2 }}\n",
                2,
                0,
            ),
        ] {
            let words =
                format!("what `.Values.extra` gives stands in column {column}, and the list's items in column {items}");
            assert_eq!(told(text), [words], "{text}");
        }
    }

    #[test]
    fn a_list_in_its_column_is_left_alone_and_one_of_which_nobody_knows() {
        for text in [
            "env:\n  - name: A\n    value: b\n  {{- toYaml .Values.extra | nindent 2 }}\n",
            "env:\n  # none\n  {{- /* none\nat all */}}\n  {{- with .Values.extra }}\n  {{- toYaml . | nindent 6 }}\n  {{- end }}\n",
            "env:\n{{- toYaml .Values.extra | nindent 0 }}\n",
            "- env: # own\n  {{- toYaml .Values.extra | nindent 2 }}\n",
            "env:\n  - name: A\n    value: b\n    {{- toYaml .Values.other | nindent 4 }}\n",
            "env:\n  - name: A\n    value: b\n    {{- toYaml (first .Values.extra) | nindent 4 }}\n",
            "env:\n  - name: A\n    {{- include \"a\" . | nindent 4 }}\n    {{- toYaml .Values.extra | nindent 4 }}\n",
            "env:\n  - name: A\n    x: {{- include \"a\" . | nindent 4 }}\n    {{- toYaml .Values.extra | nindent 4 }}\n",
            "volumes: {{ if .a }}[]{{ end }}\n  {{- toYaml .Values.extra | nindent 2 }}\n",
            "labels:\n  a: b\n  {{- toYaml .Values.extra | nindent 2 }}\n",
            "a: |\n  - b: c\n    d: e\n    {{- toYaml .Values.extra | nindent 4 }}\n",
            "- a: b\n---\n  {{- toYaml .Values.extra | nindent 2 }}\n",
            "- a: b\n{{- define \"x\" }}\n  {{- toYaml .Values.extra | nindent 2 }}\n{{- end }}\n",
            "env:\n{{- if .a }}\n  - name: A\n{{- else }}\n{{- toYaml .Values.extra | nindent 0 }}\n{{- end }}\n",
            "env:\n  - {{ .a }}\n  {{- range .Values.extra }}\n  {{- toYaml . | nindent 4 }}\n  {{- end }}\n",
        ] {
            assert_eq!(told(text), Vec::<String>::new(), "{text}");
        }
    }
}
