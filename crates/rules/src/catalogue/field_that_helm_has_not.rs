use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};

use super::value_that_prints_nothing::{Dot, moved};
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Text, actions, delivered_texts, unquoted, words};

pub(super) static RULE: Rule = Rule {
    id: "LF366",
    title: "templates ask Helm for what it has",
    severity: Severity::Warning,
    why: "At the top of a template there are `.Values`, `.Release`, `.Chart`, `.Files`, `.Capabilities`, `.Template` and `.Subcharts`. \
          Anything else is nothing there: text of another template language (`{{ .namespace }}` in a dashboard or an alert) is taken \
          for Helm's own, and what was meant for later is printed empty.",
    advice: "Write what is another program's as text: `{{ \"{{ .namespace }}\" }}`, or keep it in a file that `.Files.Get` reads.",
    check,
};

/// What there is at the top of a template.
// ORIGIN: helm.sh/docs/chart_template_guide/builtin_objects.
const FIELDS: &[&str] = &["Values", "Release", "Chart", "Files", "Capabilities", "Template", "Subcharts"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let texts: Vec<_> = delivered_texts(subject).collect();
    // Whoever puts something there knows what it is.
    if texts.iter().any(|(text, _)| puts_something(&text.text)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (text, spot) in &texts {
        let mut told = BTreeSet::new();
        for (at, field, is_printed) in unknown(text).into_iter().filter(|(_, field, _)| told.insert(field.clone())) {
            let place = text.place(at);
            let finding = RULE
                .finding(format!("`.{field}` is asked of Helm, which has no such field"))
                .keyed(format!("{} {field}", place.file));
            let finding = match is_printed {
                true => finding.because("it is printed as nothing"),
                false => finding
                    .because("there is nothing at any time, so what hangs on it is never printed")
                    .help(format!("did you mean `.Values.{field}`?")),
            };
            findings.push(finding.at(spot(place)));
        }
    }
    findings
}

/// Whether a text puts fields of its own beside Helm's.
fn puts_something(text: &str) -> bool {
    actions(text).any(|action| {
        let words = words(action.inner);
        words.windows(2).any(|pair| {
            matches!(
                pair[0],
                "set" | "unset" | "merge" | "mergeOverwrite" | "mustMerge" | "mustMergeOverwrite" | "deepCopy"
            ) && matches!(pair[1], "." | "$")
        })
    })
}

/// The fields that a text asks for at its top and that Helm has not, with where they stand and whether one is printed by itself.
fn unknown(text: &Text<'_>) -> Vec<(usize, String, bool)> {
    let mut found = Vec::new();
    let mut dots: Vec<Dot> = Vec::new();
    // In a template of its own the dot is whatever it is given.
    let (mut depth, mut defined) = (0_usize, None);
    for action in actions(&text.text) {
        let word = action.word();
        let at_top = defined.is_none() && matches!(dots.last().unwrap_or(&Dot::Root), Dot::Root);
        if at_top && !action.is_comment() {
            let printed = printed(action.inner);
            let others = asked(action.inner).into_iter().filter(|field| Some(field) != printed.as_ref());
            found.extend(others.map(|field| (action.start, field, false)));
            found.extend(printed.clone().map(|field| (action.start, field, true)));
        }
        match word {
            "define" | "block" if defined.is_none() => defined = Some(depth),
            _ => {}
        }
        match word {
            "if" | "with" | "range" | "define" | "block" => depth += 1,
            "end" => {
                depth = depth.saturating_sub(1);
                if defined == Some(depth) {
                    defined = None;
                }
            }
            _ => {}
        }
        moved(action.inner, &mut dots);
    }
    found
}

/// The field that an action prints and nothing else, functions behind it left aside.
fn printed(inner: &str) -> Option<String> {
    let bare = unquoted(inner);
    unknown_field(words(&bare).first()?).map(str::to_owned)
}

/// The fields that a block asks for, or that it hands on to a function.
fn asked(inner: &str) -> Vec<String> {
    // What stands behind a bracket that is closed is a field of what the brackets give.
    let bare = unquoted(inner).replace(").", ") ");
    words(&bare).into_iter().filter_map(unknown_field).map(str::to_owned).collect()
}

fn unknown_field(word: &str) -> Option<&str> {
    let field = word.strip_prefix('.')?.split('.').next()?;
    let is_name = field.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    (is_name && !FIELDS.contains(&field)).then_some(field)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn what_helm_has_not_is_told_at_the_top_alone() {
        let of = |text: &str| {
            let text = Text { path: "a.yaml".to_owned(), text: Cow::Borrowed(text) };
            unknown(&text).into_iter().map(|(_, field, _)| field).collect::<Vec<_>>()
        };
        assert_eq!(
            of("{{ if .tolerations }}{{ toYaml .tolerations | nindent 8 }}{{ end }}"),
            ["tolerations", "tolerations"]
        );
        assert_eq!(of("{{ with .Values.a }}{{ .b }}{{ end }}{{ range .hosts }}{{ .name }}{{ end }}"), ["hosts"]);
        assert_eq!(
            of("a: {{ .namespace }}\n{{ if .Values.x }}b: {{ .labels.app | quote }}{{ end }}"),
            ["namespace", "labels"]
        );
        for text in [
            "a: {{ .Values.a }} {{ .Release.Name }}",
            "{{ range .Values.a }}{{ .name }}{{ end }}",
            "{{ with .Values.a }}{{ .name }}{{ end }}",
            "{{ define \"x\" }}{{ .name }}{{ if .a }}{{ .b }}{{ end }}{{ end }}",
            "{{ \"{{ .namespace }}\" }} {{ `{{ .pod }}` }} {{/* .x */}}",
            "{{ $x.name }} {{ . }} {{ 1.5 }}",
            "{{ (include \"x\" . | fromYaml).hosts }} {{ (index .Values.a 0).name | quote }}",
        ] {
            assert!(of(text).is_empty(), "{text}");
        }
    }
}
