//! What is set as an annotation and comes out as a label.

use landfall_diag::Spot;
use landfall_rules::{DesiredUnit, SettingFault};
use serde_json::Value;

use super::samples::NOTED;

/// What is wrong where the sample of an annotation stands among labels, and not among the annotations beside them.
pub(super) fn misplaced(desired: &DesiredUnit) -> Vec<SettingFault> {
    let objects = desired.objects.iter().filter_map(|it| {
        let field = labelled(it.object.value(), "")?;
        let spot = Spot { field: Some(format!("{field}[{NOTED}]")), ..Spot::object(None, it.object.key()) };
        let words = format!(
            "what is set as an annotation of {} `{}` comes out as a label, in `{field}`",
            it.object.kind(),
            it.object.name()
        );
        Some(SettingFault { words, spot: Some(spot), place: None, wants_more: false })
    });
    objects.collect()
}

/// The first labels that hold the sample of an annotation.
fn labelled(value: &Value, path: &str) -> Option<String> {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(map) => {
            let has = |key: &str| map.get(key).is_some_and(|it| it.get(NOTED).is_some());
            if has("labels") && !has("annotations") {
                return Some(below("labels"));
            }
            map.iter().find_map(|(key, inner)| labelled(inner, &below(key)))
        }
        Value::Array(list) => list.iter().enumerate().find_map(|(at, inner)| labelled(inner, &format!("{path}[{at}]"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_annotation_among_labels_is_seen_wherever_they_are() {
        let noted = json!({NOTED: "probe"});
        assert_eq!(labelled(&json!({"metadata": {"labels": noted}}), "").as_deref(), Some("metadata.labels"));
        let template = json!({"spec": {"template": {"metadata": {"annotations": {"a": "b"}, "labels": noted}}}});
        assert_eq!(labelled(&template, "").as_deref(), Some("spec.template.metadata.labels"));
        for right in [
            json!({"metadata": {"annotations": noted}}),
            json!({"metadata": {"annotations": noted, "labels": noted}}),
            json!({"metadata": {"labels": {"example.com/probe": "probe"}}}),
        ] {
            assert_eq!(labelled(&right, ""), None);
        }
    }
}
