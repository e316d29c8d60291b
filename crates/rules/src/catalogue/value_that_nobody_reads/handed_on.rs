//! Templates that are nothing but calls of others which are not at hand: those read whatever they like.

use std::borrow::Cow;
use std::collections::BTreeSet;

use landfall_chart::Chart;

use crate::texts::actions;

/// Whether a template of a chart hands all of its values on to templates that are not at hand, and does nothing else.
pub(super) fn hands_all_on(chart: &Chart) -> bool {
    let left = chart.without.templates.iter().map(|left| Cow::Borrowed(left.text.as_str()));
    let texts: Vec<Cow<'_, str>> = chart.templates.iter().map(|file| file.text()).chain(left).collect();
    let all: Vec<BTreeSet<String>> = texts.iter().filter_map(|text| only_calls(text)).collect();
    if all.is_empty() {
        return false;
    }
    let at_hand: BTreeSet<String> = chart
        .with_parts()
        .into_iter()
        .flat_map(|part| part.templates.iter().flat_map(|file| defined(&file.text())).collect::<Vec<_>>())
        .chain(texts.iter().flat_map(|text| defined(text)))
        .collect();
    all.iter().flatten().any(|name| !at_hand.contains(name))
}

/// The templates that a text calls with all there is, where beside comments and blanks it has nothing else.
fn only_calls(text: &str) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut from = 0;
    let mut rest = String::new();
    for action in actions(text) {
        rest.push_str(&text[from..action.start]);
        from = action.end;
        if !action.is_comment() {
            names.insert(called(action.inner)?);
        }
    }
    rest.push_str(&text[from..]);
    let is_nothing = |line: &str| line.trim().is_empty() || line.trim() == "---" || line.trim().starts_with('#');
    (!names.is_empty() && rest.lines().all(is_nothing)).then_some(names)
}

/// The template that an action calls with the root, where it does nothing but that.
fn called(inner: &str) -> Option<String> {
    let call = inner.split('|').next()?.trim();
    let given = ["include ", "template "].iter().find_map(|word| call.strip_prefix(word))?.trim_start();
    let (name, with) = given.strip_prefix('"')?.split_once('"')?;
    matches!(with.trim(), "." | "$").then(|| name.to_owned())
}

/// The templates that a text defines.
fn defined(text: &str) -> Vec<String> {
    let defines = actions(text).filter(|action| matches!(action.word(), "define" | "block"));
    defines.filter_map(|action| action.inner.split('"').nth(1).map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_only_calls_where_nothing_else_stands_in_it() {
        let calls = |text: &str| only_calls(text).map(|names| names.into_iter().collect::<Vec<_>>().join(" "));
        for (text, names) in [
            ("{{- include \"common.all\" . -}}\n", "common.all"),
            ("{{/* Everything. */}}\n# all\n---\n{{ template \"a\" $ }}\n{{ include \"b\" . | nindent 0 }}\n", "a b"),
        ] {
            assert_eq!(calls(text).as_deref(), Some(names), "{text}");
        }
        for text in [
            "name: {{ include \"common.names.fullname\" . }}\n",
            "{{ include \"common.labels\" (dict \"context\" $) }}\n",
            "{{ include \"common.all\" .Values.web }}\n",
            "{{ if .Values.web }}{{ include \"common.all\" . }}{{ end }}\n",
            "# nothing\n",
        ] {
            assert_eq!(calls(text), None, "{text}");
        }
        assert_eq!(defined("{{- define \"a\" -}}{{ end }}{{ block \"b\" . }}{{ end }}"), ["a", "b"]);
    }
}
