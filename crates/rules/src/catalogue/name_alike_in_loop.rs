use landfall_diag::{Finding, Severity};

use super::value_that_prints_nothing::{Dot, operand};
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Action, actions, delivered_texts, unquoted, words};

pub(super) static RULE: Rule = Rule {
    id: "LF344",
    title: "what is made for each item has a name of its own",
    severity: Severity::Warning,
    why: "A manifest within `range` is made once for each item. Where its name says nothing of the item, the second one is the same \
          object again: Helm refuses the release, or the last item takes the place of the others. With one item, which is what charts \
          are tried with, nothing is wrong.",
    advice: "Put something of the item into the name.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        for (at, name, list) in alike(&text.text) {
            let place = text.place(at);
            let finding = RULE
                .finding(format!("each item of `{list}` makes an object of the same name, `{name}`"))
                .keyed(format!("{} {list} {name}", place.file))
                .because("the second item's is there already when it is to be made")
                .at(spot(place));
            findings.push(finding);
        }
    }
    findings
}

/// The names of manifests within a `range` over values that say nothing of the item: where they stand, what they are, over what.
fn alike(text: &str) -> Vec<(usize, &str, String)> {
    let all: Vec<Action<'_>> = actions(text).collect();
    let mut found = Vec::new();
    for (first, action) in all.iter().enumerate().filter(|(_, it)| it.word() == "range") {
        let over = action.inner.rsplit_once(":=").map_or(action.rest(), |(_, list)| list.trim());
        let Some(list) = operand(over, &Dot::Root) else { continue };
        let Some(last) = end_of(&all, first) else { continue };
        let body = action.end..all[last].start;
        // What ends with the first item is made once.
        if all[first + 1..last].iter().any(|it| matches!(it.word(), "break")) {
            continue;
        }
        let inside = &all[first..last];
        for (at, document) in documents(&text[body.clone()]) {
            let at = body.start + at;
            let Some((name_at, name)) = field(document, "name") else { continue };
            let namespace = field(document, "namespace").map(|(_, it)| it).unwrap_or_default();
            let is_constant = |written: &str| !written.is_empty() && says_nothing(written, inside);
            let is_alike = is_constant(name) && (namespace.is_empty() || is_constant(namespace));
            if is_alike && !is_of_one_item(text, inside, at + name_at) {
                found.push((at + name_at, name, list.clone()));
            }
        }
    }
    found
}

/// Whether a place in a loop, whose actions are `inside`, stands in a branch for the one item that is called so: its condition
/// compares something of the item with a constant.
fn is_of_one_item(text: &str, inside: &[Action<'_>], at: usize) -> bool {
    let mut open: Vec<&Action<'_>> = Vec::new();
    for action in inside.iter().skip(1).take_while(|it| it.start < at) {
        match action.word() {
            "if" | "with" | "range" | "define" | "block" => open.push(action),
            "else" => {
                if let Some(last) = open.last_mut() {
                    *last = action;
                }
            }
            "end" => {
                open.pop();
            }
            _ => {}
        }
    }
    open.iter().any(|it| compares(it.inner) && !says_nothing(&text[it.start..it.end], inside))
}

/// Whether an action compares something with a constant: `if eq .name "web"`.
fn compares(inner: &str) -> bool {
    let said = unquoted(inner);
    let all = words(&said);
    let is_equal = all.contains(&"eq") && !all.contains(&"not");
    is_equal && all.iter().any(|it| it.starts_with(['"', '`']) || it.parse::<i64>().is_ok())
}

/// Where the block that an action opens ends.
fn end_of(all: &[Action<'_>], first: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, action) in all.iter().enumerate().skip(first) {
        match action.word() {
            "if" | "with" | "range" | "define" | "block" => depth += 1,
            "end" => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The manifests of a text that begin in it behind `---`, or are all of it up to one, with where each begins.
fn documents(body: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut from, mut at) = (0, 0);
    let mut is_apart = false;
    for line in body.split_inclusive('\n') {
        if line.trim_end() == "---" {
            found.push((from, &body[from..at]));
            from = at + line.len();
            is_apart = true;
        }
        at += line.len();
    }
    found.push((from, &body[from..]));
    let is_manifest = |text: &str| {
        let has = |key: &str| text.lines().any(|line| line.starts_with(key));
        has("kind:") && has("apiVersion:") && has("metadata:")
    };
    found.retain(|(_, text)| is_apart && is_manifest(text));
    found
}

/// What a manifest says for a field of its metadata, and where: `metadata: {name: a}` or a line of its own below.
fn field<'t>(document: &'t str, key: &str) -> Option<(usize, &'t str)> {
    let mut at = 0;
    let mut is_within = false;
    for line in document.split_inclusive('\n') {
        let start = at;
        at += line.len();
        if let Some(rest) = line.strip_prefix("metadata:") {
            is_within = true;
            let offset = rest.find(&format!("{key}: ")).filter(|_| rest.trim_start().starts_with('{'));
            if let Some(offset) = offset.filter(|offset| rest[..*offset].ends_with(['{', ' '])) {
                let value = &rest[offset + key.len() + 2..];
                let end = flow_end(value);
                return Some((start + line.len() - rest.len() + offset, value[..end].trim().trim_matches(['"', '\''])));
            }
        } else if is_within && line.starts_with(|it: char| it.is_ascii_alphabetic()) {
            return None;
        } else if is_within
            && let Some(value) =
                line.strip_prefix("  ").and_then(|it| it.strip_prefix(key)).and_then(|it| it.strip_prefix(':'))
        {
            return Some((start, value.trim().trim_matches(['"', '\''])));
        }
    }
    None
}

/// Where a value within `{` ends.
fn flow_end(value: &str) -> usize {
    let mut open = 0;
    let mut letters = value.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let is_twice = letters.peek().is_some_and(|(_, next)| *next == letter);
        match letter {
            '{' if is_twice => {
                open += 1;
                letters.next();
            }
            '}' if is_twice && open > 0 => {
                open -= 1;
                letters.next();
            }
            ',' | '}' | '\n' if open == 0 => return at,
            _ => {}
        }
    }
    value.len()
}

/// Whether what is written is the same for each item of a loop, whose actions are `inside`: it reads from the root alone, and from
/// variables that nothing sets in the loop.
fn says_nothing(written: &str, inside: &[Action<'_>]) -> bool {
    if written.contains("{{") != written.contains("}}") {
        return false;
    }
    let is_set_inside = |variable: &str| {
        let name = variable.trim_start_matches('$').split('.').next().unwrap_or_default();
        inside.iter().any(|it| {
            it.inner.split_once('=').is_some_and(|(names, _)| {
                let mut names = names.split(|it: char| !(it.is_ascii_alphanumeric() || matches!(it, '_' | '$')));
                names.any(|it| it.strip_prefix('$') == Some(name))
            })
        })
    };
    // Something that a loop changes as it goes (`set $x "n" …`) is named there.
    let is_changed = |variable: &str| inside.iter().any(|it| it.inner.contains("set ") && it.inner.contains(variable));
    actions(written).all(|action| {
        let said = unquoted(action.inner);
        let said = said.as_str();
        words(said).iter().all(|word| match word.strip_prefix('$') {
            Some("") => true,
            Some(rest) if rest.starts_with('.') => true,
            Some(_) => !is_set_inside(word) && !is_changed(word),
            None => !word.starts_with('.') && !DRAWING.iter().any(|it| word.starts_with(it)),
        })
    })
}

/// Functions that give something else each time.
const DRAWING: &[&str] = &["rand", "uuidv4", "now", "gen"];

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str) -> String {
        format!("---\napiVersion: batch/v1\nkind: CronJob\nmetadata:\n  labels: {{a: b}}\n  name: {name}\nspec: {{}}\n")
    }

    #[test]
    fn a_name_that_says_nothing_of_the_item_is_told() {
        let outside = "{{ $full := .Release.Name }}";
        for name in ["{{ $.Release.Name }}", "web", "{{ include \"x\" $ }}-job", "\"{{ $full }}\""] {
            for list in [".Values.jobs", "$i, $job := .Values.jobs", "$name, $job := $.Values.jobs"] {
                let text = format!("{outside}{{{{- range {list} }}}}\n{}{{{{- end }}}}\n", manifest(name));
                assert_eq!(alike(&text).len(), 1, "{text}");
            }
        }
        let inline = "{{- range .Values.jobs }}\n---\napiVersion: v1\nkind: A\nmetadata: {name: \"{{ $.Release.Name }}\", labels: {a: {{ .a }}}}\n{{- end }}\n";
        assert_eq!(alike(inline)[0].1, "{{ $.Release.Name }}");
    }

    #[test]
    fn a_name_of_the_items_own_is_left_alone() {
        for name in
            ["{{ .name }}", "{{ $.Release.Name }}-{{ $job.name }}", "x-{{ $i }}", "{{ include \"x\" . }}", "{{ $own }}"]
        {
            let text = format!(
                "{{{{- range $i, $job := .Values.jobs }}}}{{{{ $own := .name }}}}\n{}{{{{- end }}}}\n",
                manifest(name)
            );
            assert_eq!(alike(&text), [], "{text}");
        }
        let apart = "{{- range .Values.spaces }}\n---\napiVersion: v1\nkind: A\nmetadata:\n  name: x\n  namespace: {{ . }}\n{{- end }}\n";
        assert_eq!(alike(apart), []);
        let of_one = |condition: &str| {
            let name = "{{ $.Release.Name }}";
            format!(
                "{{{{- range $job := .Values.jobs }}}}\n{{{{- if {condition} }}}}\n{}{{{{- end }}}}\n{{{{- end }}}}\n",
                manifest(name)
            )
        };
        for condition in ["eq $job.name \"a\"", "and $.Values.x (eq .name \"a\")", "eq (int .at) 1"] {
            assert_eq!(alike(&of_one(condition)), [], "{condition}");
        }
        for condition in ["$job.enabled", "eq $.Values.x \"a\"", "not (eq $job.name \"a\")", "eq .a .b"] {
            assert_eq!(alike(&of_one(condition)).len(), 1, "{condition}");
        }
        let beside = "apiVersion: v1\nkind: A\nmetadata:\n  name: x\ndata:\n{{- range .Values.a }}\n  {{ . }}: a\n{{- end }}\n---\n{{- with .Values.b }}\napiVersion: v1\nkind: A\nmetadata:\n  name: x\n{{- end }}\n";
        assert_eq!(alike(beside), []);
    }
}
