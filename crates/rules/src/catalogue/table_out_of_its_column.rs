mod beside;
mod lists;

use landfall_diag::{Finding, Severity};

use self::beside::beside;
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Action, actions, delivered_texts, unquoted, words};

pub(super) static RULE: Rule = Rule {
    id: "LF379",
    title: "what belongs below a key stands further in than the key, and all of it alike",
    severity: Severity::Warning,
    why: "`nindent` with the column of the key itself makes siblings of what was to be its children: the key is null, and what was set \
          below it is dropped as fields that nobody knows. Blanks in front of `indent` move the first line alone, so that the second \
          one ends what the first began. A list beside the column of the items above it ends them, and the manifest cannot be read.",
    advice: "Indent by two more than the key (`nindent`), a list as the items above it, and put nothing in front of `indent`.",
    check,
};

/// Fields of Kubernetes' own that are tables, and lists in nobody's kinds (`limits` and `labels` are in some).
const TABLES: &[&str] = &[
    "affinity",
    "annotations",
    "dnsConfig",
    "lifecycle",
    "livenessProbe",
    "matchLabels",
    "nodeAffinity",
    "nodeSelector",
    "podAffinity",
    "podAntiAffinity",
    "readinessProbe",
    "requests",
    "resources",
    "securityContext",
    "startupProbe",
    "strategy",
    "updateStrategy",
];

/// Tables of texts, which hold no tables.
const OF_TEXTS: &[&str] = &["annotations", "labels", "matchLabels", "nodeSelector"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        let first_lines = shifted(&text.text).into_iter().map(|it| (it, true));
        let others = siblings(&text.text).into_iter().chain(nested(&text.text)).chain(behind_mark(&text.text));
        let others = others.map(|it| (it, false));
        for ((at, words, because), is_first_line) in others.chain(first_lines) {
            let place = text.place(at);
            let key = format!("{} {words}", place.file);
            let finding = RULE.finding(words).keyed(key).because(because).at(spot(place));
            // Who writes one so writes them all so.
            findings.push(if is_first_line { finding.of_family("first line") } else { finding });
        }
    }
    for unit in subject.units {
        findings.extend(unit.rendered.charts.iter().flat_map(|rendered| lists::of_chart(unit, rendered)));
        findings.extend(unit.objects.iter().flat_map(|desired| beside(unit, desired)));
    }
    findings
}

/// What is found in a template: where, what it is, and what comes of it.
type Told = (usize, String, String);

/// Tables that are written in the column of their key, or in front of it.
fn siblings(text: &str) -> Vec<Told> {
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        let Some((of, column)) = written(&action) else { continue };
        let Some((key, at)) = key_above(text, &action).filter(|(key, _)| TABLES.contains(key)) else { continue };
        // The resources that rights are to are a list.
        let is_of_rights = key == "resources" && text.contains("apiGroups");
        if column <= at && !is_of_rights {
            found.push((
                action.start,
                format!("what `{of}` gives is written beside `{key}`, not below it"),
                format!("the key stands in column {at}, and what belongs to it in column {column}: `{key}` is null"),
            ));
        }
    }
    found
}

/// Tables whose first line stands further in than the others: the blanks in front of the action are put in front of it alone.
fn shifted(text: &str) -> Vec<Told> {
    let mut found = Vec::new();
    // Up to where an action takes the blanks behind it away.
    let mut trimmed: Option<usize> = None;
    for action in actions(text).filter(|it| !it.is_comment()) {
        let is_trimmed = action.trims.0 || trimmed.is_some_and(|from| text[from..action.start].trim().is_empty());
        trimmed = action.trims.1.then_some(action.end);
        if is_trimmed {
            continue;
        }
        let said = unquoted(action.inner);
        let all = words(&said);
        let [.., "indent", columns] = all.as_slice() else { continue };
        let ahead = &text[action.line..action.start];
        let is_table = all.contains(&"toYaml") && columns.parse::<usize>().is_ok_and(|columns| columns > 0);
        // Of a text in a block `trim` takes the first line's blanks away, and those ahead give them back.
        let is_of_a_block = action.inner.contains("trimAll \"|\"") && all.contains(&"trim");
        if ahead.is_empty() || !ahead.trim().is_empty() || !is_table || is_of_a_block {
            continue;
        }
        let of = subject_of(&all).unwrap_or(".");
        found.push((
            action.start,
            format!(
                "the first line of what `toYaml {of}` gives stands {} columns further in than the others",
                ahead.len()
            ),
            format!(
                "`indent {columns}` moves each line, and the blanks in front of the action its first one once more"
            ),
        ));
    }
    found
}

/// Functions that may print the end of a line first.
const OWN_LINES: &[&str] =
    &["include", "template", "print", "printf", "println", "nindent", ".Files.Get", "$.Files.Get"];

/// What `indent` writes behind the mark of a block of text, because the action takes the end of that line away.
fn behind_mark(text: &str) -> Vec<Told> {
    let mut found = Vec::new();
    for action in actions(text).filter(|it| it.trims.0 && !it.is_comment()) {
        let said = unquoted(action.inner);
        let all = words(&said);
        let [given @ .., "indent", columns] = all.as_slice() else { continue };
        let is_moved = columns.parse::<usize>().is_ok_and(|columns| columns > 0);
        let ahead = text[..action.start].trim_end();
        let line = ahead[line_start(ahead, ahead.len())..].trim_start();
        let is_marked = line.rsplit_once(": ").is_some_and(|(_, mark)| is_block_mark(mark.trim_start()));
        let Some(of) = given.iter().find(|it| it.starts_with(['.', '$'])) else { continue };
        if !is_moved || !is_marked || line.starts_with('#') || given.iter().any(|it| OWN_LINES.contains(it)) {
            continue;
        }
        found.push((
            action.start,
            format!("what `{of}` prints begins on the line of `{line}`"),
            format!(
                "`{{{{-` takes the line's end away, and `indent {columns}` brings none: the manifest cannot be read"
            ),
        ));
    }
    found
}

/// Whether a word begins a text of lines: `|`, `>-`, `|2`.
fn is_block_mark(word: &str) -> bool {
    let rest = word.strip_prefix(['|', '>']);
    rest.is_some_and(|rest| rest.bytes().all(|it| it.is_ascii_digit() || matches!(it, b'-' | b'+')))
}

/// `annotations:` below `labels:` and the like: a table among texts, which the API refuses.
fn nested(text: &str) -> Vec<Told> {
    let mut found = Vec::new();
    if text.contains("kind: CustomResourceDefinition") {
        return found;
    }
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', '{']) {
            continue;
        }
        let column = line.len() - line.trim_start().len();
        above.retain(|(other, _)| *other < column);
        let Some(key) = bare.strip_suffix(':') else {
            // What has a value holds no keys; what it is, is a step all the same.
            above.push((column, ""));
            continue;
        };
        let parent = above.last().map_or("", |(_, key)| key);
        if matches!(key, "annotations" | "labels") && OF_TEXTS.contains(&parent) {
            found.push((
                start,
                format!("`{key}` stands below `{parent}`, which holds texts alone"),
                "the API refuses a table there: it belongs beside it".to_owned(),
            ));
        }
        above.push((column, key));
    }
    found
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// What an action writes as YAML, and in which column; none where it writes nothing, or in the middle of a line.
fn written(action: &Action<'_>) -> Option<(String, usize)> {
    let said = unquoted(action.inner);
    let all = words(&said);
    let column: usize = match all.as_slice() {
        [.., "nindent", columns] => columns.parse().ok()?,
        // In front of it is its own line's beginning.
        [.., "indent", columns] if action.start == action.line => columns.parse().ok()?,
        _ => return None,
    };
    if matches!(action.word(), "if" | "with" | "range") {
        return None;
    }
    let of = match all.contains(&"toYaml") {
        true => format!("toYaml {}", subject_of(&all).unwrap_or(".")),
        false => given_to_helper(action.inner)?.to_owned(),
    };
    Some((of, column))
}

/// What the helper is given that renders the texts within values: `include "common.tplvalues.render" (dict "value" .Values.x "context" $)`.
fn given_to_helper(inner: &str) -> Option<&str> {
    let all = words(inner);
    let ["include", helper, "dict", given @ ..] = all.as_slice() else { return None };
    let at = given.iter().position(|it| *it == "\"value\"")?;
    let value = given.get(at + 1).copied().filter(|it| it.starts_with(['.', '$']))?;
    helper.ends_with("tplvalues.render\"").then_some(value)
}

/// What `toYaml` is given.
fn subject_of<'w>(all: &[&'w str]) -> Option<&'w str> {
    let at = all.iter().position(|it| *it == "toYaml")?;
    let next = all.get(at + 1).filter(|it| it.starts_with(['.', '$']));
    next.or_else(|| all.get(at.checked_sub(1)?)).copied()
}

/// The key in front of an action in its line, or alone in the line above it, and its column.
fn key_above<'t>(text: &'t str, action: &Action<'_>) -> Option<(&'t str, usize)> {
    let own = action.line;
    let ahead = &text[own..action.start];
    let line = match ahead.trim().is_empty() {
        false => ahead,
        true => {
            let says_nothing = |line: &&str| {
                let line = line.trim();
                line.is_empty() || (line.starts_with("{{") && line.ends_with("}}") && opens(line))
            };
            text[..own].lines().rev().find(|line| !says_nothing(line))?
        }
    };
    let bare = line.trim_end();
    let name = bare.trim_start().trim_start_matches("- ");
    let key = name.strip_suffix(':')?;
    Some((key, bare.len() - name.len()))
}

/// Whether a line of actions opens a block and does nothing else: what another one prints may stand between.
fn opens(line: &str) -> bool {
    actions(line).all(|action| matches!(action.word(), "if" | "with"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(found: Vec<Told>) -> Vec<String> {
        found.into_iter().map(|(_, words, _)| words).collect()
    }

    #[test]
    fn a_table_in_the_column_of_its_key_is_told() {
        for text in [
            "  - name: a\n    securityContext:\n    {{- toYaml .Values.x | nindent 4 }}\n",
            "    securityContext:\n    {{- with .Values.x }}\n    {{- toYaml .Values.x | nindent 4 }}\n    {{- end }}\n",
            "  - securityContext: {{- toYaml .Values.x | nindent 4 }}\n",
            "    securityContext:\n{{ toYaml .Values.x | indent 4 }}\n",
            "    securityContext: {{ .Values.x | toYaml | nindent 2 }}\n",
        ] {
            let told = ["what `toYaml .Values.x` gives is written beside `securityContext`, not below it"];
            assert_eq!(words_of(siblings(text)), told, "{text}");
        }
        let helper = "    securityContext: {{- include \"common.tplvalues.render\" (dict \"value\" .Values.x \"context\" $) | nindent 4 }}\n";
        assert_eq!(
            words_of(siblings(helper)),
            ["what `.Values.x` gives is written beside `securityContext`, not below it"]
        );
        for text in [
            "    securityContext:\n      {{- toYaml .Values.x | nindent 6 }}\n",
            "    env:\n    {{- toYaml .Values.x | nindent 4 }}\n",
            "    labels:\n    {{- include \"x\" . | nindent 4 }}\n",
            "    resources:\n      a: b\n    {{- toYaml .Values.x | nindent 4 }}\n",
            "    labels:\n      {{- include \"x\" . | nindent 6 }}\n    {{- toYaml .Values.x | nindent 4 }}\n",
            "    resources: {}\n    {{- toYaml .Values.x | nindent 4 }}\n",
            "    annotations:\n    {{- end }}\n    {{- toYaml .Values.x | nindent 4 }}\n",
        ] {
            assert_eq!(words_of(siblings(text)), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn blanks_in_front_of_indent_move_the_first_line() {
        let told = ["the first line of what `toYaml .Values.x` gives stands 2 columns further in than the others"];
        assert_eq!(words_of(shifted("affinity:\n  {{ toYaml .Values.x | indent 6 }}\n")), told);
        for text in [
            "affinity:\n{{ toYaml .Values.x | indent 6 }}\n",
            "affinity:\n  {{- toYaml .Values.x | nindent 6 }}\n",
            "affinity:\n  {{- toYaml .Values.x | indent 6 }}\n",
            "a: {{ toYaml .Values.x | indent 6 }}\n",
            "  {{ include \"x\" . | indent 6 }}\n",
            "affinity:\n{{- with .x -}}\n  {{ toYaml . | indent 6 }}\n",
            "a: |\n  {{ toYaml .Values.x | trimAll \"|\" | trim | indent 4 }}\n",
        ] {
            assert_eq!(words_of(shifted(text)), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_begins_behind_the_mark_of_a_block_is_told() {
        for (text, key) in [
            ("data:\n  a.yaml: |\n    {{- .Values.x | indent 4 }}\n", "a.yaml: |"),
            ("data:\n  a: >-2\n    {{- tpl (toYaml .Values.x) . | indent 4 }}\n", "a: >-2"),
        ] {
            let told = [format!("what `.Values.x` prints begins on the line of `{key}`")];
            assert_eq!(words_of(behind_mark(text)), told, "{text}");
        }
        for text in [
            "data:\n  a: |\n    {{- .Values.x | nindent 4 }}\n",
            "data:\n  a: |\n{{ .Values.x | indent 4 }}\n",
            "data:\n  a: |\n    b\n    {{- .Values.x | indent 4 }}\n",
            "data:\n  a: |\n    {{- include \"x\" . | indent 4 }}\n",
            "data:\n  a: |\n    {{- .Files.Get \"x\" | indent 4 }}\n",
            "data:\n  a:\n    {{- .Values.x | indent 4 }}\n",
            "data:\n  a: b|\n    {{- .Values.x | indent 4 }}\n",
        ] {
            assert_eq!(words_of(behind_mark(text)), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_table_among_texts_is_told() {
        let text = "metadata:\n  labels:\n    {{- include \"x\" . | nindent 4 }}\n  {{- with .x }}\n    annotations:\n      a: b\n  {{- end }}\n";
        assert_eq!(words_of(nested(text)), ["`annotations` stands below `labels`, which holds texts alone"]);
        for text in [
            "metadata:\n  labels:\n    a: b\n  annotations:\n    a: b\n",
            "labels:\n  a: b\n  annotations: none\n",
            "labels:\n  app:\n    annotations:\n      a: b\n",
            "template:\n  metadata:\n    annotations:\n    labels:\n      a: b\n",
        ] {
            assert_eq!(words_of(nested(text)), Vec::<String>::new(), "{text}");
        }
    }
}
