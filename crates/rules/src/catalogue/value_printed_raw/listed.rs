//! Lists of values that a template prints as they are: `[a b]`.

use std::collections::BTreeSet;

use landfall_chart::{Rendered, Values, values_to_json};
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
    paths.into_iter().filter_map(|path| Some(Listed { words: words_at(rendered, &path)?, path })).collect()
}

/// What Go makes of a list at a path of the values, as templates left them or, where one of them has taken it away, found them.
fn words_at(rendered: &Rendered, path: &str) -> Option<String> {
    let is_list = |values: &&Values| value_at(values, path).is_some_and(|it| it.as_list().is_some());
    let both = std::iter::once(&rendered.values).chain(&rendered.values_found);
    both.filter(is_list).find_map(|values| {
        let values = values_to_json(values);
        in_go(path.split('.').try_fold(&values, |here, step| here.get(step))?.as_array()?)
    })
}

/// A list of texts as Go writes it; none of one item, which may be one of YAML, or of anything else.
fn in_go(list: &[Value]) -> Option<String> {
    let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    let texts = texts.filter(|it| it.len() > 1 && it.iter().all(|it| !it.is_empty()))?;
    Some(format!("[{}]", texts.join(" ")))
}

/// The field of an object in whose text some words stand, or that YAML has read as a list of all of them as one; what is in a
/// Secret is read first.
fn field(desired: &Desired, words: &str) -> Option<String> {
    if desired.role == Role::Definition {
        return None;
    }
    let kept = texts(&desired.object).into_iter().find(|(_, text, _)| text.contains(words)).map(|(_, _, field)| field);
    let mut found = None;
    let is_one_item = |path: &str, text: &str| path.ends_with("[0]") && words.get(1..words.len() - 1) == Some(text);
    visit(desired.object.value(), String::new(), &mut |path, text| {
        let is_told = text.contains(words) || is_one_item(path, text);
        if found.is_none() && is_told && !path.starts_with("metadata.annotations") {
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
