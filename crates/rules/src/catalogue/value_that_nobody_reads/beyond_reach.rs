//! What templates speak of that were left out for want of another chart, with the helpers that they call.

use std::borrow::Cow;
use std::collections::BTreeSet;

use landfall_chart::Chart;

use crate::texts::{actions, named_templates};

/// Whether a template that was left out speaks of a word, or a helper that it leads to does, through however many others.
pub(super) fn is_spoken_of(chart: &Chart, word: &str) -> bool {
    let left: Vec<&str> = chart.without.templates.iter().map(|it| it.text.as_str()).collect();
    if left.is_empty() {
        return false;
    }
    let parts = chart.with_parts();
    let files: Vec<Cow<'_, str>> =
        parts.iter().flat_map(|part| part.templates.iter()).map(|file| file.text()).collect();
    let helpers: Vec<(&str, &str)> =
        files.iter().map(|text| &**text).chain(left.iter().copied()).flat_map(helpers).collect();
    leads_to(left, &helpers, word)
}

/// Whether a text has a word in an action, or a helper does that is called from there.
fn leads_to<'t>(texts: Vec<&'t str>, helpers: &[(&str, &'t str)], word: &str) -> bool {
    let mut ahead = texts;
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    while let Some(text) = ahead.pop() {
        for action in actions(text) {
            if action.inner.contains(word) {
                return true;
            }
            for name in called(action.inner) {
                if seen.insert(name) {
                    ahead.extend(helpers.iter().filter(|(own, _)| *own == name).map(|(_, body)| *body));
                }
            }
        }
    }
    false
}

/// The templates that an action calls by their names.
fn called(inner: &str) -> Vec<&str> {
    let calls = ["include \"", "template \""].into_iter();
    calls
        .flat_map(|call| inner.match_indices(call))
        .filter_map(|(at, call)| inner[at + call.len()..].split('"').next())
        .collect()
}

/// The named templates of a text, each with what stands in it.
fn helpers(text: &str) -> impl Iterator<Item = (&str, &str)> {
    named_templates(text).into_iter().map(move |it| (it.name, &text[it.body]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_that_is_called_from_another_one_is_reached() {
        let tpl = concat!(
            "{{- define \"web.port\" -}}{{- if .Values.db.enabled -}}{{ include \"db.port\" .Subcharts.db }}{{- else -}}",
            "{{ .Values.externalDb.port }}{{- end -}}{{- end -}}\n",
            "{{ define \"web.url\" }}db:{{ template \"web.port\" . }}{{ end }}\n",
            "{{ define \"web.other\" }}{{ .Values.other }}{{ end }}\n",
        );
        let reaches = |left: &str, word: &str| leads_to(vec![left], &helpers(tpl).collect::<Vec<_>>(), word);
        let left = "url: {{ include \"web.url\" . | quote }}\n";
        assert!(reaches(left, "externalDb"));
        assert!(!reaches(left, "other"));
        assert!(reaches("{{ .Values.other }}", "other"));
        assert!(!reaches("{{ include \"elsewhere\" . }}", "other"));
        let round = "{{ define \"a\" }}{{ include \"b\" . }}{{ end }}{{ define \"b\" }}{{ include \"a\" . }}{{ end }}";
        assert!(!leads_to(vec!["{{ include \"a\" . }}"], &helpers(round).collect::<Vec<_>>(), "other"));
    }
}
