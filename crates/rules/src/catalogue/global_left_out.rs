use std::collections::BTreeMap;

use landfall_chart::Rendered;
use landfall_diag::{Finding, Severity, Spot};

use super::value_that_prints_nothing::value_at;
use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};
use crate::texts::{actions, own_texts, words};

pub(super) static RULE: Rule = Rule {
    id: "LF425",
    title: "a setting that a global one stands in for is asked for with it",
    severity: Severity::Warning,
    why: "Where one template takes `global.watch` if `web.watch` is not set, and another asks for `web.watch` alone, whoever sets the \
          global one gets half of it: the program is told to watch, and the role that lets it is not printed.",
    advice: "Ask for both in each place, best by a helper.",
    check,
};

/// The function by which one value stands in for another.
const STANDS_IN: &[&str] = &["default", "or", "coalesce"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let own = |unit| move |rendered| of_chart(unit, rendered);
    subject.units.iter().flat_map(|unit| unit.rendered.charts.iter().flat_map(own(unit))).collect()
}

fn of_chart(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let texts = own_texts(rendered);
    let pairs: BTreeMap<&str, &str> = texts.iter().flat_map(|text| together(&text.text)).collect();
    if pairs.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for text in &texts {
        for action in actions(&text.text).filter(|it| it.of_block() == Some("if")) {
            let asked = action.inner["if".len()..].trim();
            let Some(path) = path_of(asked) else { continue };
            let Some(global) = pairs.get(path).filter(|global| value_at(&rendered.values, global).is_some()) else {
                continue;
            };
            findings.push(
                RULE.finding(format!("`{path}` is asked for alone, and elsewhere `{global}` stands in for it"))
                    .keyed(format!("{} {path}", text.path))
                    .because(format!("whoever sets `{global}` is not heard here"))
                    .help(format!("ask for `{path}` or `{global}`"))
                    .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(text.place(action.start)) }),
            );
        }
    }
    findings
}

/// The values of a text with the global ones of the same name that stand in for them.
fn together(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        let words = words(action.inner);
        let mut paths = words.iter().filter_map(|word| path_of(word));
        let (Some(one), Some(other), None) = (paths.next(), paths.next(), paths.next()) else { continue };
        let (own, global) = if one.starts_with("global.") { (other, one) } else { (one, other) };
        let key = |path: &'_ str| path.rsplit('.').next().map(str::to_owned);
        let is_pair = global.starts_with("global.")
            && !own.starts_with("global.")
            && own.contains('.')
            && key(own) == key(global);
        if is_pair && words.iter().any(|word| STANDS_IN.contains(word)) {
            found.push((own, global));
        }
    }
    found
}

fn path_of(word: &str) -> Option<&str> {
    let path = word.trim_start_matches('$').strip_prefix(".Values.")?;
    path.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_')).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_global_value_stands_in_for_one_of_its_name() {
        assert_eq!(together("{{ .Values.a.watch | default .Values.global.watch }}"), [("a.watch", "global.watch")]);
        assert_eq!(together("{{ if or $.Values.global.watch .Values.a.watch }}"), [("a.watch", "global.watch")]);
        for text in [
            "{{ .Values.a.watch | default .Values.global.look }}",
            "{{ and .Values.a.watch .Values.global.watch }}",
            "{{ .Values.watch | default .Values.global.watch }}",
            "{{ coalesce .Values.a.watch .Values.b.watch .Values.global.watch }}",
        ] {
            assert!(together(text).is_empty(), "{text}");
        }
    }
}
