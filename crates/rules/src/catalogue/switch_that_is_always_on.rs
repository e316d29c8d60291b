mod made_when_off;
mod table_for_its_switch;

use std::collections::BTreeSet;

use landfall_chart::{Rendered, Values};
use landfall_diag::{Finding, Severity, Spot};

use self::made_when_off::made_when_off;
use self::table_for_its_switch::tables_for_their_switches;
use super::branch_never_taken::{Condition, actions, conditions, mentions};
use super::value_that_prints_nothing::{Dot, operand, value_at};
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Text, own_texts, unquoted, words};

pub(super) static RULE: Rule = Rule {
    id: "LF289",
    title: "what is switched off is off",
    severity: Severity::Warning,
    why: "A condition takes every text for true that is not empty, `\"false\"` as well; and `default true` takes a switch that is \
          off for one that was not given. Either way what was switched off is delivered, and nothing says so. `default 1` takes 0 \
          for nothing likewise: replicas cannot be none, nor a user root.",
    advice: "Write `false` without quotes; in a template ask for the value itself, with its default in values.yaml.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in &unit.rendered.charts {
            findings.extend(texts(&unit.name, rendered));
            findings.extend(defaults(&unit.name, rendered));
            findings.extend(noughts(&unit.name, rendered));
            findings.extend(made(&unit.name, rendered));
            findings.extend(tables(&unit.name, rendered));
        }
    }
    findings
}

/// Values that are the text of a switch that is off, which a condition asks for.
fn texts(unit: &str, rendered: &Rendered) -> Vec<Finding> {
    let chart = &rendered.processed;
    let mut told = BTreeSet::new();
    let mut findings = Vec::new();
    for file in chart.templates.iter().filter(|file| !file.name.ends_with("NOTES.txt")) {
        let text = file.text();
        for (condition, path) in conditions(&text).iter().flat_map(|it| it.paths.iter().map(move |path| (it, path))) {
            let Some((said, origin)) = text_at(&rendered.values, path) else { continue };
            let is_off = matches!(said.to_ascii_lowercase().as_str(), "false" | "no" | "off");
            let meant = nearly_a_switch(path, &said);
            // What is printed where it is set is a text, and no switch: `updateMode: "Off"`.
            let is_text = prints(condition, path);
            if (!is_off && meant.is_none()) || is_text || !told.insert(path.clone()) {
                continue;
            }
            let source = rendered.provenance.as_ref().and_then(|it| it.source(origin));
            let place = source.and_then(|source| source.place().cloned());
            let spot = place.map_or_else(Spot::default, Spot::file);
            findings.push(
                RULE.finding(format!("`{path}` is the text `{said}`, which a condition takes for true"))
                    .keyed(path.clone())
                    .because("every text that is not empty is true to a template, so what it switches is on")
                    .help(match meant {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("write `{said}` without quotes"),
                    })
                    .at(Spot { unit: Some(unit.to_owned()), ..spot }),
            );
        }
    }
    findings
}

/// Whether one of the actions of a condition's branch, each on its line, prints a path of the values.
fn prints(condition: &Condition, path: &str) -> bool {
    let is_rest = |word: &str| word.starts_with('.') && path.ends_with(word);
    condition.inner.lines().any(|action| {
        let said = unquoted(action);
        let all = words(&said);
        let is_asked = matches!(all.first(), Some(&("if" | "else" | "with" | "range" | "end")));
        // Within `with` the dot is the value itself.
        let is_dot = !condition.is_if && all.contains(&".");
        !is_asked && (is_dot || mentions(&said, path) || all.iter().any(|it| is_rest(it)))
    })
}

/// Objects that are made where a switch says that none is.
fn made(unit: &str, rendered: &Rendered) -> Vec<Finding> {
    let mut findings = Vec::new();
    for text in own_texts(rendered) {
        for made in made_when_off(&text) {
            findings.push(
                RULE.finding(format!(
                    "a {} is made where `{}` is off, and none where `{}` does not hold",
                    made.kind, made.switch, made.within
                ))
                .keyed(format!("{} {}", text.path, made.switch))
                .because("the `else` stands behind the `end` of the condition that it belongs to")
                .help(format!("put the `else` in front of the `end` of `if {}`", made.within))
                .at(Spot { unit: Some(unit.to_owned()), ..Spot::file(text.place(made.at)) }),
            );
        }
    }
    findings
}

/// Conditions that ask for a table in place of its switch, each at its line.
fn tables(unit: &str, rendered: &Rendered) -> Vec<Finding> {
    let told = tables_for_their_switches(rendered).into_iter().map(|it| {
        let (table, switch) = (&it.table, &it.switch);
        RULE.finding(format!(
            "a condition asks for the table `{table}`, which is never empty; its switch is `{switch}`"
        ))
        .keyed(format!("{table} {}:{}", it.place.file, it.place.line))
        .because(format!(
            "a table that declares anything is true to a template, so `{switch}: false` is not heard there"
        ))
        .help(format!("ask for `.Values.{switch}`"))
        .at(Spot { unit: Some(unit.to_owned()), ..Spot::file(it.place) })
    });
    told.collect()
}

/// What a text that stands where a switch is expected was to be: `fals` is a text, and true.
fn nearly_a_switch(path: &str, said: &str) -> Option<&'static str> {
    let key = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_switch =
        ["enabled", "enable", "create", "install", "disabled", "disable"].iter().any(|it| key.ends_with(it));
    let said = said.to_ascii_lowercase();
    let is_word = said != "true" && said != "false";
    landfall_diag::slip(&said, ["true", "false"]).filter(|_| is_switch && is_word)
}

/// The text that stands at a path of values, and where it comes from.
fn text_at(values: &Values, path: &str) -> Option<(String, landfall_chart::Origin)> {
    let value = value_at(values, path)?;
    Some((value.as_str()?.to_string_lossy().into_owned(), value.origin()))
}

/// What is said of actions of the templates, each at its line: of which path, and what there is to say.
fn of_actions(unit: &str, rendered: &Rendered, said: impl Fn(&str) -> Option<(String, Finding)>) -> Vec<Finding> {
    let chart = &rendered.processed;
    let mut findings = Vec::new();
    for file in chart.templates.iter().filter(|file| !file.name.ends_with("NOTES.txt")) {
        let text = Text { path: chart.path_of(&file.name), text: file.text() };
        for (start, action) in actions(&text.text) {
            let Some((path, finding)) = said(action) else { continue };
            let spot = Spot { unit: Some(unit.to_owned()), ..Spot::file(text.place(start)) };
            findings.push(finding.keyed(format!("{path} {}", file.name)).at(spot));
        }
    }
    findings
}

/// Conditions with `default true` of a value that is declared as true or false.
fn defaults(unit: &str, rendered: &Rendered) -> Vec<Finding> {
    of_actions(unit, rendered, |action| {
        let path = defaulted(action).filter(|path| is_switch(&rendered.values, path))?;
        let finding = RULE
            .finding(format!("`{path}` cannot be switched off: `default true` takes `false` for nothing"))
            .because("`default` gives its own value for false, too")
            .help(format!("ask for `.Values.{path}` itself: values.yaml declares it"));
        Some((path, finding))
    })
}

/// What is done to a switch that is printed, and leaves it what it is.
const PRINTING: &[&str] = &["quote", "squote", "toString", "lower", "toYaml", "toJson", "b64enc", "upper", "title"];

/// The path of `if default true .Values.a` and of `if .Values.a | default true`, also where it is printed, with quotes or without.
fn defaulted(action: &str) -> Option<String> {
    let words: Vec<&str> = action
        .split(|letter: char| letter.is_whitespace() || "()|".contains(letter))
        .filter(|it| !it.is_empty() && *it != "-")
        .collect();
    let asked = match words.as_slice() {
        ["if" | "with", "default", "true", path] | ["if" | "with", path, "default", "true"] => path,
        ["else", "if", "default", "true", path] | ["else", "if", path, "default", "true"] => path,
        ["default", "true" | "\"true\"", path, rest @ ..] | [path, "default", "true" | "\"true\"", rest @ ..]
            if rest.iter().all(|it| PRINTING.contains(it)) =>
        {
            path
        }
        _ => return None,
    };
    operand(asked, &Dot::Root)
}

/// Numbers of which nought means something of its own: nobody, none at all, not to be kept.
const NOUGHTS: &[&str] = &[
    "runasuser",
    "runasgroup",
    "fsgroup",
    "replicas",
    "replicacount",
    "backofflimit",
    "revisionhistorylimit",
    "successfuljobshistorylimit",
    "failedjobshistorylimit",
    "terminationgraceperiodseconds",
    "ttlsecondsafterfinished",
];

/// Numbers that are printed with a `default` of another one, so that they cannot be nought.
fn noughts(unit: &str, rendered: &Rendered) -> Vec<Finding> {
    of_actions(unit, rendered, |action| {
        let (path, other) = never_nought(action)?;
        let key = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        if !NOUGHTS.contains(&key.as_str()) {
            return None;
        }
        let finding = RULE
            .finding(format!("`{path}` cannot be 0: `default {other}` takes 0 for nothing"))
            .weighing(Severity::Info)
            .because("`default` gives its own value for nought, too, and nought means something here")
            .help(format!("declare {other} in values.yaml and print `.Values.{path}` itself, or ask by `hasKey`"));
        Some((path, finding))
    })
}

/// The path of `.Values.a | default 30` and of `default 30 .Values.a`, where it is printed, and the number.
fn never_nought(action: &str) -> Option<(String, u64)> {
    let words: Vec<&str> = action
        .split(|letter: char| letter.is_whitespace() || "()|".contains(letter))
        .filter(|it| !it.is_empty() && *it != "-" && *it != "int" && *it != "int64")
        .collect();
    let (path, other) = match words.as_slice() {
        ["default", other, path, rest @ ..] | [path, "default", other, rest @ ..]
            if rest.iter().all(|it| PRINTING.contains(it)) =>
        {
            (path, other)
        }
        _ => return None,
    };
    let other = other.trim_matches('"').parse().ok().filter(|other| *other != 0)?;
    Some((operand(path, &Dot::Root)?, other))
}

fn is_switch(values: &Values, path: &str) -> bool {
    value_at(values, path).is_some_and(|value| value.as_bool().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_of_true_is_seen_however_it_is_written() {
        for action in [
            " if default true .Values.a.b ",
            "- if (.Values.a.b | default true) -",
            " else if default true $.Values.a.b ",
            " .Values.a.b | default \"true\" | quote ",
            "- default true .Values.a.b -",
        ] {
            assert_eq!(defaulted(action).as_deref(), Some("a.b"), "{action}");
        }
        for action in [
            " if .Values.a.b ",
            " if and (default true .Values.a) .Values.b ",
            " default \"yes\" .Values.a ",
            " default true .Values.a | ternary 1 2 ",
        ] {
            assert_eq!(defaulted(action), None, "{action}");
        }
    }

    #[test]
    fn a_slip_of_a_switch_is_none() {
        assert_eq!(nearly_a_switch("a.assets.enabled", "fals"), Some("false"));
        assert_eq!(nearly_a_switch("rbac.create", "tru"), Some("true"));
        for (path, said) in [("a.enabled", "true"), ("a.enabled", "auto"), ("a.layout", "tree"), ("a.enabled", "")] {
            assert_eq!(nearly_a_switch(path, said), None, "{path}: {said}");
        }
    }

    #[test]
    fn a_text_that_is_printed_where_it_is_set_is_no_switch() {
        let is_printed = |text: &str| {
            let found = conditions(text);
            found.first().is_some_and(|it| it.paths.first().is_some_and(|path| prints(it, path)))
        };
        for text in [
            "{{ if .Values.a.mode }}mode: {{ .Values.a.mode | quote }}{{ end }}",
            "{{ with .Values.a.mode }}mode: {{ . }}{{ end }}",
            "{{ if $.Values.a.mode }}{{ with .Values.a }}mode: {{ .mode }}{{ end }}{{ end }}",
        ] {
            assert!(is_printed(text), "{text}");
        }
        for text in [
            "{{ if .Values.a.on }}name: {{ include \"x\" . }}{{ end }}",
            "{{ if .Values.a.on }}{{ if .Values.a.on }}b: c{{ end }}{{ end }}",
            "{{ if .Values.a.on }}b: {{ .Values.b.on }}{{ end }}{{ .Values.a.on }}",
        ] {
            assert!(!is_printed(text), "{text}");
        }
    }

    #[test]
    fn a_number_with_a_default_is_never_nought() {
        for action in [
            " .Values.a.user | default 185 ",
            "- default 185 $.Values.a.user | quote ",
            " int (default 185 .Values.a.user) ",
        ] {
            assert_eq!(never_nought(action), Some(("a.user".to_owned(), 185)), "{action}");
        }
        for action in [
            " .Values.a.user | default 0 ",
            " .Values.a.user ",
            " if .Values.a.user | default 1 ",
            " .Values.a | default .Values.b ",
        ] {
            assert_eq!(never_nought(action), None, "{action}");
        }
    }
}
