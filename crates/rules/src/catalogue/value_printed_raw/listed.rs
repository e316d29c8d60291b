//! Lists of values that a template prints as they are: `[a b]`.

use std::collections::BTreeSet;

use landfall_chart::Rendered;
use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::{RULE, visit};
use crate::catalogue::value_that_prints_nothing::{Dot, bare_path, value_at};
use crate::decoded::texts;
use crate::subject::{Desired, DesiredUnit, Role};
use crate::texts::{actions, own_texts, words};

/// Functions that write a list as somebody reads it.
const WRITING: &[&str] = &["toYaml", "toJson", "toRawJson", "toToml"];

/// A list of values that a template prints by its path, and how Go writes it.
struct Listed {
    path: String,
    words: String,
}

/// The fields of a unit's objects that hold a list in Go's words.
pub(super) fn listed(unit: &DesiredUnit) -> Vec<Finding> {
    let mut findings = Vec::new();
    for listed in unit.rendered.charts.iter().flat_map(printed) {
        let Some((desired, field)) = unit.objects.iter().find_map(|it| Some((it, field(it, &listed.words)?))) else {
            continue;
        };
        let (kind, name) = (desired.object.kind(), desired.object.name());
        findings.push(
            RULE.finding(format!(
                "the list `{}` is printed into `{field}` of {kind} `{name}` as one word",
                listed.path
            ))
            .weighing(Severity::Warning)
            .keyed(listed.path)
            .because("Go writes a list as `[a b]`, which is neither a list to anybody nor its items")
            .help("print it with `join`, `toJson` or `toYaml`, or go through it with `range`")
            .at(desired.spot_at(&field)),
        );
    }
    findings
}

/// The lists of several items that templates print as they are.
fn printed(rendered: &Rendered) -> Vec<Listed> {
    let mut paths = BTreeSet::new();
    for text in own_texts(rendered) {
        for action in actions(&text.text).filter(|it| !words(it.inner).iter().any(|it| WRITING.contains(it))) {
            paths.extend(bare_path(action.inner, &Dot::Root));
        }
    }
    let as_list = |path: String| {
        let values = landfall_chart::values_to_json(&rendered.values);
        let value = path.split('.').try_fold(&values, |here, step| here.get(step))?;
        let words = in_go(value.as_array()?)?;
        Some(Listed { path, words })
    };
    let is_list = |path: &String| value_at(&rendered.values, path).is_some_and(|it| it.as_list().is_some());
    paths.into_iter().filter(is_list).filter_map(as_list).collect()
}

/// A list of texts as Go writes it; none of one item, which may be one of YAML, or of anything else.
fn in_go(list: &[Value]) -> Option<String> {
    let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    let texts = texts.filter(|it| it.len() > 1 && it.iter().all(|it| !it.is_empty()))?;
    Some(format!("[{}]", texts.join(" ")))
}

/// The field of an object in whose text some words stand; what is in a Secret is read first.
fn field(desired: &Desired, words: &str) -> Option<String> {
    if desired.role == Role::Definition {
        return None;
    }
    let kept = texts(&desired.object).into_iter().find(|(_, text, _)| text.contains(words)).map(|(_, _, field)| field);
    let mut found = None;
    visit(desired.object.value(), String::new(), &mut |path, text| {
        if found.is_none() && text.contains(words) && !path.starts_with("metadata.annotations") {
            found = Some(path.to_owned());
        }
    });
    kept.or(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_of_several_texts_is_told_by_its_words() {
        let words = |value: Value| in_go(value.as_array().expect("a list"));
        assert_eq!(words(json!(["a", "b c"])).as_deref(), Some("[a b c]"));
        for value in [json!([]), json!(["a"]), json!([1, 2]), json!(["a", {"b": 1}]), json!(["", "a"])] {
            assert_eq!(words(value.clone()), None, "{value}");
        }
    }
}
