use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Action, actions, delivered_texts, unquoted, words};

pub(super) static RULE: Rule = Rule {
    id: "LF349",
    title: "what is text already is not written as YAML once more",
    severity: Severity::Warning,
    why: "`tpl`, `include` and `printf` give text. `toYaml` makes one text of it, in quotes or behind `|-`: where a list of containers or a \
          table of labels belongs stands a text then, and the API refuses it as soon as somebody sets the value.",
    advice: "Leave `toYaml` out, or give it what `fromYaml` reads.",
    check,
};

/// Fields of Kubernetes' own that are lists or tables, and never a text.
const NO_TEXTS: &[&str] = &[
    "affinity",
    "annotations",
    "containers",
    "env",
    "envFrom",
    "imagePullSecrets",
    "initContainers",
    "labels",
    "livenessProbe",
    "matchLabels",
    "nodeSelector",
    "ports",
    "readinessProbe",
    "resources",
    "rules",
    "securityContext",
    "selector",
    "startupProbe",
    "tolerations",
    "topologySpreadConstraints",
    "volumeClaimTemplates",
    "volumeMounts",
    "volumes",
];

/// Functions that give text, whatever they are given.
const TEXTS: &[&str] = &["tpl", "include", "printf", "print", "toYaml", "toJson", "join", "quote", "indent", "nindent"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        for (at, field, function) in rewritten(&text.text) {
            let place = text.place(at);
            let finding = RULE
                .finding(format!("`{field}` is given the text of `{function}`, written as YAML once more"))
                .keyed(format!("{} {field} {function}", place.file))
                .because("it is one text then, and no list or table")
                .at(spot(place));
            findings.push(finding);
        }
    }
    findings
}

/// Where a field that is no text is given one, with the field and what gives the text.
fn rewritten(text: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        let Some(function) = written_again(action.inner) else { continue };
        let field = field_above(text, &action).filter(|field| NO_TEXTS.contains(field));
        found.extend(field.map(|field| (action.start, field, function)));
    }
    found
}

/// The key in whose place an action stands, where it is alone in its line, or behind the key.
fn field_above<'t>(text: &'t str, action: &Action<'_>) -> Option<&'t str> {
    let own = action.line;
    let ahead = text[own..action.start].trim();
    if !ahead.is_empty() {
        return ahead.strip_suffix(':').map(|key| key.trim_start_matches("- "));
    }
    let says_nothing = |line: &str| line.is_empty() || (line.starts_with("{{") && line.ends_with("}}"));
    let line = text[..own].lines().rev().map(str::trim).find(|line| !says_nothing(line))?;
    line.strip_suffix(':').map(|key| key.trim_start_matches("- "))
}

/// What gives the text that `toYaml` is given; none where something else is.
fn written_again(inner: &str) -> Option<&str> {
    let known = |word: &str| TEXTS.iter().copied().find(|it| *it == word);
    let said = unquoted(inner);
    if let Some((_, given)) = said.split_once("toYaml") {
        let given = given.trim_start();
        if let Some(given) = given.strip_prefix('(') {
            // What the brackets hold is text where its last stage gives one.
            let whole = &given[..closing(given)?];
            return known(words(last_stage(whole)).first()?);
        }
    }
    let (before, _) = said.split_once("| toYaml")?;
    known(words(last_stage(before)).first()?)
}

/// Where the bracket is closed that was open at the beginning.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.char_indices().find_map(|(at, letter)| {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        (depth == 0).then_some(at)
    })
}

/// The last stage of a pipeline; a bar within brackets is another one's.
fn last_stage(text: &str) -> &str {
    let mut depth = 0;
    let mut from = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 0 => from = at + 1,
            _ => {}
        }
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<(&str, &str)> {
        rewritten(text).into_iter().map(|(_, field, function)| (field, function)).collect()
    }

    #[test]
    fn text_that_is_written_as_yaml_is_told_where_a_list_or_table_belongs() {
        for (text, told) in [
            ("initContainers:\n{{ toYaml ( tpl .Values.x . ) | indent 8 }}\n", ("initContainers", "tpl")),
            ("labels:\n  {{- include \"x\" . | toYaml | nindent 4 }}\n", ("labels", "include")),
            ("env:\n{{- if .x }}\n{{ toYaml (.Values.x | quote) | indent 8 }}\n{{ end }}", ("env", "quote")),
            ("volumes: {{ toYaml (tpl (toYaml .Values.x) .) | nindent 8 }}\n", ("volumes", "tpl")),
        ] {
            assert_eq!(fields(text), [told], "{text}");
        }
    }

    #[test]
    fn what_is_no_text_or_may_be_one_is_left_alone() {
        for text in [
            "env:\n{{ toYaml .Values.x | indent 8 }}\n",
            "env:\n{{ tpl (toYaml .Values.x) . | indent 8 }}\n",
            "env:\n{{ toYaml (include \"x\" . | fromYaml) | indent 8 }}\n",
            "env:\n{{ toYaml (fromYaml (tpl .Values.x .)) | indent 8 }}\n",
            "config.yaml: {{ toYaml (tpl .Values.x .) | nindent 4 }}\n",
            "name:\n  {{ include \"x\" . | toYaml }}\n",
            "env:\n- name: A\n  value: {{ tpl .x . | toYaml }}\n",
            "env:\n- {{ toYaml (default dict .x) }}\n",
        ] {
            assert_eq!(fields(text), [], "{text}");
        }
    }
}
