//! What belongs to the root and is asked of an item or of a part.

use super::{Dot, moved, operand};
use crate::texts::{Action, actions, unquoted, words};

/// What stands at the root alone.
const OF_THE_ROOT: &[&str] = &["Values", "Release", "Chart", "Capabilities", "Files"];

/// Something of the root that a template asks of what `range` or `with` gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Where the action begins.
    pub(super) at: usize,
    /// As it is written: `.Values.annotations`.
    pub(super) path: String,
    /// Of what: `range .Values.jobs`.
    pub(super) of: String,
}

/// The places where a template asks an item, or a part of the values, for what only the root has: it stops there. `has_key` says whether
/// the values have a key of that name somewhere.
pub(super) fn asked_of_items(text: &str, has_key: &dyn Fn(&str) -> bool) -> Vec<Asked> {
    let mut found = Vec::new();
    // What moved the dot away from the root in each block that is open; none where it may be there.
    let mut dots: Vec<Option<&str>> = Vec::new();
    // Variables that stand for a part or an item.
    let mut items: Vec<&str> = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        if let Some(of) = dots.last().copied().flatten() {
            found.extend(of_root(&action, has_key).map(|path| Asked { at: action.start, path, of: of.to_owned() }));
        }
        let around = dots.last().copied().flatten();
        match action.word() {
            "if" => dots.push(around),
            "with" | "range" => {
                let is_part = is_part(&action, &items, around.is_some());
                if let Some((names, _)) = action.rest().split_once(":=").filter(|_| is_part) {
                    items.extend(names.rsplit(',').next().map(str::trim));
                }
                dots.push(is_part.then_some(action.inner));
            }
            // Whoever calls it hands over what he likes.
            "define" | "block" => dots.push(None),
            "else" => {
                dots.pop();
                let around = dots.last().copied().flatten();
                dots.push(if action.rest().starts_with("with") { None } else { around });
            }
            "end" => drop(dots.pop()),
            // What is given something else stands for that.
            name if name.starts_with('$') => items.retain(|item| *item != name),
            _ => {}
        }
    }
    found
}

/// What an action asks its dot for that is the root's.
fn of_root(action: &Action<'_>, has_key: &dyn Fn(&str) -> bool) -> Option<String> {
    let said = unquoted(action.inner);
    let found = words(&said).into_iter().find(|word| {
        let mut steps = word.strip_prefix('.').unwrap_or_default().split('.');
        // A part may have no `Values` without anybody's harm, where nothing is read of it.
        steps.next().is_some_and(|first| OF_THE_ROOT.contains(&first) && !has_key(first)) && steps.next().is_some()
    });
    found.map(str::to_owned)
}

/// Tables that a template prints for each item of a list without a condition, and asks for elsewhere: the list, the key, and the line,
/// from 1.
pub(super) fn unasked(text: &str) -> Vec<(String, String, u32)> {
    let all: Vec<Action<'_>> = actions(text).filter(|it| !it.is_comment()).collect();
    let asks = |action: &Action<'_>, key: &str| {
        matches!(action.word(), "if" | "with" | "else") && words(action.inner).iter().any(|it| step_of(it) == Some(key))
    };
    let mut found = Vec::new();
    // The list whose items the dot stands for in each block that is open, and what the block asks for.
    let mut open: Vec<(Option<String>, Action<'_>)> = Vec::new();
    for action in &all {
        match action.word() {
            "range" => open.push((operand(action.rest(), &Dot::Root), *action)),
            "if" => open.push((open.last().and_then(|(list, _)| list.clone()), *action)),
            "with" | "define" | "block" => open.push((None, *action)),
            "end" => drop(open.pop()),
            "toYaml" => {
                let Some(list) = open.last().and_then(|(list, _)| list.clone()) else { continue };
                let Some(key) = words(action.rest()).first().and_then(|it| step_of(it)) else { continue };
                let is_asked = open.iter().any(|(_, around)| asks(around, key));
                if !is_asked && all.iter().any(|it| asks(it, key)) {
                    let line = u32::try_from(text[..action.start].matches('\n').count()).unwrap_or(0) + 1;
                    found.push((list, key.to_owned(), line));
                }
            }
            _ => {}
        }
    }
    found
}

/// The keys that a template prints of each item of a list of the values, whatever the item is: the list's path, and the key.
pub fn printed_of_items(text: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut dots: Vec<Dot> = Vec::new();
    // The list that each open block goes through, and what an item is called there; none where it goes through none.
    let mut open: Vec<Option<(String, &str)>> = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        match action.word() {
            "range" => open.push(gone_through(&action, dots.last().unwrap_or(&Dot::Root))),
            "if" | "with" | "define" | "block" => open.push(None),
            "else" => {
                open.pop();
                open.push(None);
            }
            "end" => drop(open.pop()),
            _ => {
                let of_item = open.last().and_then(Option::as_ref);
                found.extend(of_item.and_then(|(list, item)| Some((steps(list), printed(&action, item)?))));
            }
        }
        moved(action.inner, &mut dots);
    }
    found
}

fn steps(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

/// The list of the values that a `range` goes through, and the variable that stands for an item; empty where it has none.
fn gone_through<'t>(action: &Action<'t>, dot: &Dot) -> Option<(String, &'t str)> {
    let (names, of) = action.rest().split_once(":=").unwrap_or(("", action.rest()));
    let item = names.rsplit(',').next().unwrap_or_default().trim();
    Some((operand(of.trim(), dot)?, item))
}

/// The key of an item that an action prints, be it in quotes.
fn printed(action: &Action<'_>, item: &str) -> Option<String> {
    let said = unquoted(action.inner);
    let all = words(&said);
    if all.iter().any(|it| matches!(*it, "default" | "coalesce" | "ternary" | ":=" | "=")) {
        return None;
    }
    let word = all.into_iter().find(|it| !matches!(*it, "quote" | "squote"))?;
    let of_variable = word.strip_prefix(item).filter(|_| !item.is_empty());
    of_variable.or(Some(word)).and_then(step_of).map(str::to_owned)
}

/// The only step of a word that asks the dot for something: `.spec`.
fn step_of(word: &str) -> Option<&str> {
    word.strip_prefix('.').filter(|step| !step.is_empty() && !step.contains('.') && !OF_THE_ROOT.contains(step))
}

/// Functions that give an item or a part of what they are given.
const TAKING: &[&str] = &[
    "default",
    "index",
    "get",
    "first",
    "last",
    "sortAlpha",
    "uniq",
    "keys",
    "until",
    "untilStep",
    "int",
    "splitList",
];

/// Whether what a block moves the dot to is a part of the values, or an item of one, and never the root.
fn is_part(action: &Action<'_>, items: &[&str], is_within: bool) -> bool {
    let of = action.inner.rsplit_once(":=").map_or(action.rest(), |(_, of)| of);
    let said = unquoted(of);
    let mut reads = false;
    words(&said).into_iter().all(|word| {
        let rest = word.strip_prefix("$.").or_else(|| word.strip_prefix('.')).unwrap_or_default();
        let is_value = rest.strip_prefix("Values.").is_some_and(|rest| !rest.is_empty());
        let is_of_item = items.contains(&word.split('.').next().unwrap_or_default());
        let is_of_part = is_of_item || is_within && word.starts_with('.') && !rest.is_empty();
        reads |= is_value || is_of_part;
        is_value || is_of_part || TAKING.contains(&word) || word.starts_with('"') || word.parse::<i64>().is_ok()
    }) && reads
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        asked_of_items(text, &|key| key == "Files").into_iter().map(|it| it.path).collect()
    }

    #[test]
    fn what_is_the_roots_is_not_an_items() {
        for (text, path) in [
            ("{{ range .Values.jobs }}{{ .Values.a | toJson }}{{ end }}", ".Values.a"),
            ("{{ range $i, $v := $.Values.jobs }}{{ if .Release.IsInstall }}{{ end }}{{ end }}", ".Release.IsInstall"),
            (
                "{{ range $k, $v := .Values.a }}{{ range $j, $w := $v.b }}{{ with .Values.c }}{{ end }}{{ end }}{{ end }}",
                ".Values.c",
            ),
            ("{{ with .Values.a }}{{ range .list }}{{ default .Chart.Name .name }}{{ end }}{{ end }}", ".Chart.Name"),
            ("{{ with .Values.a }}{{ with .Values.b }}{{ end }}{{ end }}", ".Values.b"),
            ("{{ with index .Values.list 0 }}{{ (.Values.b) }}{{ end }}", ".Values.b"),
        ] {
            assert_eq!(paths(text), [path], "{text}");
        }
    }

    #[test]
    fn where_the_dot_may_be_the_root_nothing_is_said() {
        for text in [
            "{{ range .Values.jobs }}{{ $.Values.a }}{{ end }}{{ .Values.b }}",
            "{{ with $ }}{{ .Values.a }}{{ end }}",
            "{{ with . }}{{ .Values.a }}{{ end }}",
            "{{ with $root }}{{ .Values.a }}{{ end }}",
            "{{ range .Values.jobs }}{{ with $ }}{{ .Values.a }}{{ end }}{{ end }}",
            "{{ range list $ . }}{{ .Values.a }}{{ end }}",
            "{{ with .Values.a }}{{ end }}{{ .Values.a }}",
            "{{ with .Values.a }}a{{ else }}{{ .Values.b }}{{ end }}",
            "{{ define \"x\" }}{{ .Values.a }}{{ end }}",
            "{{ range .Values.jobs }}{{ tpl \"{{ .Values.a }}\" $ }}{{ end }}",
            "{{ range .Values.jobs }}{{ .Files.name }}{{ end }}",
            "{{ range $name, $_ := include \"x\" . | fromYaml }}{{ .Values.a }}{{ end }}",
            "{{ range .Values.jobs }}{{ $x.Values.a }}{{/* .Values.b */}}{{ end }}",
        ] {
            assert_eq!(paths(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_is_printed_of_each_item_without_being_asked_for_is_told() {
        let told = |text| unasked(text).into_iter().map(|(list, key, _)| format!("{list} {key}")).collect::<Vec<_>>();
        let text = "{{ range .Values.sites }}{{ if .small }}a{{ end }}\nb:\n{{ toYaml .small | indent 2 }}{{ end }}";
        assert_eq!(told(text), ["sites small"]);
        for text in [
            "{{ range .Values.sites }}{{ if .small }}\n{{ toYaml .small | indent 2 }}{{ end }}{{ end }}",
            "{{ range .Values.sites }}\n{{ toYaml .small | indent 2 }}{{ end }}",
            "{{ if .small }}{{ end }}{{ with .Values.sites }}{{ toYaml .small }}{{ end }}",
        ] {
            assert_eq!(told(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_is_printed_of_items_whatever_they_are_is_their_form() {
        let told = |text| {
            let all = printed_of_items(text).into_iter();
            all.map(|(list, key)| format!("{} {key}", list.join("."))).collect::<Vec<_>>()
        };
        for text in [
            "{{ range .Values.web.envFrom }}- {{ .type }}Ref:{{ end }}",
            "{{ range $i, $it := $.Values.web.envFrom }}- {{ $it.type | quote }}Ref:{{ end }}",
            "{{ with .Values.web }}{{ range .envFrom }}{{ if .name }}{{ .name }}{{ end }}{{ quote .type }}{{ end }}{{ .b }}{{ end }}",
        ] {
            assert_eq!(told(text), ["web.envFrom type"], "{text}");
        }
        for text in [
            "{{ range .Values.env }}{{ if .name }}{{ .name }}{{ else }}{{ .key }}{{ end }}{{ end }}",
            "{{ range .Values.env }}{{ .name | default \"a\" }}{{ $a := .key }}{{ . }}{{ .a.b }}{{ $.Values.c }}{{ end }}",
            "{{ range .Values.env }}{{ range .list }}{{ .name }}{{ end }}{{ end }}{{ .name }}",
            "{{ range include \"x\" . }}{{ .name }}{{ end }}",
        ] {
            assert_eq!(told(text), Vec::<String>::new(), "{text}");
        }
    }
}
