//! Another path with the same key that the file of a condition reads.

use landfall_chart::Chart;

use super::{actions, is_decoration, is_of_a_part, mentions, reads, without_brackets};

/// The one path with a step more, among those beside a path that only conditions ask for, that the same text reads; none where
/// anything asks for both.
pub(super) fn in_the_same_file(
    chart: &Chart,
    text: &str,
    all: &[String],
    path: &str,
    beside: &[String],
) -> Option<String> {
    let steps: Vec<&str> = path.split('.').collect();
    let text = without_brackets(text);
    let mut near = beside.iter().filter(|it| it.split('.').count() == steps.len() + 1 && mentions(&text, it));
    let only = near.next()?;
    let first = only.split('.').next().unwrap_or_default();
    let is_foreign = first == "global" || is_of_a_part(chart, first) || is_decoration(&steps);
    if near.next().is_some() || is_foreign {
        return None;
    }
    let is_of_both = |text: &String| actions(text).any(|(_, action)| mentions(action, path) && mentions(action, only));
    let is_clear = all.iter().all(|text| is_asked_for_alone(text, &steps) && !is_of_both(text));
    is_clear.then(|| only.clone())
}

/// Whether a text reads a path in conditions and nowhere else: what is printed is heard.
pub(super) fn is_asked_for_alone(text: &str, path: &[&str]) -> bool {
    actions(text).filter(|(_, action)| reads(action, path)).all(|(_, action)| {
        let mut words = action.trim_start_matches(['-', ' ', '\n', '\t']).split_ascii_whitespace();
        match words.next() {
            Some("if") => true,
            Some("else") => words.next() == Some("if"),
            first => first.is_some_and(|word| word.starts_with("/*")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_asked_for_alone_where_nothing_prints_it_or_its_table() {
        let is_alone = |text: &str| is_asked_for_alone(text, &["web", "files"]);
        assert!(is_alone(
            "{{- if .Values.web.files }}a{{ else if not .Values.web.files -}}b{{ end }}{{ .Values.web.filesOf }}"
        ));
        assert!(is_alone("{{- /* .Values.web.files */}}{{ .Values.other.files }}"));
        for text in [
            "{{ .Values.web.files }}",
            "{{ with .Values.web.files }}{{ . }}{{ end }}",
            "{{ toYaml .Values.web }}",
            "{{ if .Values.web.files }}{{ range .Values.web.files }}{{ . }}{{ end }}{{ end }}",
        ] {
            assert!(!is_alone(text), "{text}");
        }
    }
}
