//! Patterns of Kyverno's that ask a kind for a field which it does not have.

use std::collections::BTreeSet;

use landfall_diag::Finding;
use landfall_object::Gvk;
use landfall_object::schema::{Node, Schemas, Structure};
use serde_json::Value;

use super::RULE;
use crate::subject::Desired;

/// What stands in front of a key in brackets. ORIGIN: <https://kyverno.io/docs/writing-policies/validate/#anchors>.
const MARKS: &[&str] = &["", "=", "^", "+", "X", "<"];

/// A field that a pattern asks for in vain.
#[derive(Debug, PartialEq, Eq)]
struct Unknown {
    /// Where it stands below the pattern, as it is written: `spec.=(hostPort)`.
    at: String,
    /// Its name.
    name: String,
}

/// Rules of a policy whose pattern asks the one kind that they are for what objects of that kind do not have.
pub(super) fn asked_in_vain(desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    if object.group() != "kyverno.io" || !matches!(object.kind(), "Policy" | "ClusterPolicy") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, rule) in object.list_at("/spec/rules").iter().enumerate() {
        let pattern = &rule["validate"]["pattern"];
        let Some(kind) = kind_of(&rule["match"]).filter(|_| pattern.is_object()) else { continue };
        let Some(Unknown { at: below, name }) = unknown_to(kind, pattern) else { continue };
        findings.push(
            RULE.finding(format!(
                "rule `{}` of {} `{}` asks for `{below}`, and {kind} has no field `{name}` there",
                rule["name"].as_str().unwrap_or_default(),
                object.kind(),
                object.name()
            ))
            .because("no object has it: the rule lets all of them pass, or none")
            .help(format!("write the path that `{name}` has in {kind}"))
            .at(desired.spot_at(&format!("spec.rules[{at}].validate.pattern.{below}"))),
        );
    }
    findings
}

/// The one kind that a rule is for, where it is for no other and is named without a pattern.
fn kind_of(matched: &Value) -> Option<&str> {
    let several = ["any", "all"].into_iter().filter_map(|field| matched[field].as_array()).flatten();
    let filters = several.chain([matched]).map(|it| &it["resources"]["kinds"]);
    let kinds: BTreeSet<Option<&str>> = filters.filter_map(Value::as_array).flatten().map(Value::as_str).collect();
    let mut kinds = kinds.into_iter();
    let (Some(Some(kind)), None) = (kinds.next(), kinds.next()) else { return None };
    kind.bytes().all(|it| it.is_ascii_alphanumeric()).then_some(kind)
}

/// The first field of a pattern that a kind of Kubernetes' own does not have, in any group and version that has such a kind.
fn unknown_to(kind: &str, pattern: &Value) -> Option<Unknown> {
    let schemas = Schemas::builtin();
    let groups = schemas.group_versions().iter();
    let served = groups.filter(|group| group.resources.iter().any(|it| it.kind == kind));
    let gvks: Vec<Gvk> = served.map(|group| Gvk::new(&*group.group, &*group.version, kind)).collect();
    let mut all = gvks.iter().filter_map(|gvk| schemas.kind(gvk)).map(|node| unknown(&node, pattern, ""));
    let first = all.next()??;
    all.all(|it| it.is_some()).then_some(first)
}

/// The first key of a pattern that a schema does not know at its place.
fn unknown(node: &Node<'_>, pattern: &Value, at: &str) -> Option<Unknown> {
    match pattern {
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            let name = name_of(key).filter(|it| !(at.is_empty() && matches!(*it, "apiVersion" | "kind")))?;
            let below = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            match node.field(name) {
                Some(field) => unknown(&field, value, &below),
                None if matches!(node.structure(), Structure::Fields { .. }) => {
                    Some(Unknown { at: below, name: name.to_owned() })
                }
                None => None,
            }
        }),
        Value::Array(list) => {
            let item = node.item();
            list.iter().enumerate().find_map(|(index, value)| unknown(&item, value, &format!("{at}[{index}]")))
        }
        _ => None,
    }
}

/// The name that a key of a pattern asks for, without what Kyverno reads around it; none where it stands for several.
fn name_of(key: &str) -> Option<&str> {
    let name = match key.split_once('(') {
        Some((mark, rest)) => rest.strip_suffix(')').filter(|_| MARKS.contains(&mark))?,
        None => key,
    };
    (!name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric())).then_some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_has_a_name_within_its_marks() {
        for (key, name) in
            [("spec", "spec"), ("=(hostPort)", "hostPort"), ("X(hostPath)", "hostPath"), ("(image)", "image")]
        {
            assert_eq!(name_of(key), Some(name), "{key}");
        }
        for key in ["", "*", "a/b", "=(a*)", "=(a", "?(a)", "{{ a }}"] {
            assert_eq!(name_of(key), None, "{key}");
        }
    }

    #[test]
    fn a_rule_is_for_one_kind() {
        assert_eq!(kind_of(&json!({"resources": {"kinds": ["Pod"]}})), Some("Pod"));
        assert_eq!(kind_of(&json!({"any": [{"resources": {"kinds": ["Pod"]}}]})), Some("Pod"));
        for matched in [
            json!({}),
            json!({"resources": {"kinds": ["Pod", "Deployment"]}}),
            json!({"any": [{"resources": {"kinds": ["*"]}}]}),
            json!({"any": [{"resources": {"kinds": ["Pod"]}}, {"resources": {"kinds": ["Job"]}}]}),
        ] {
            assert_eq!(kind_of(&matched), None, "{matched}");
        }
    }

    #[test]
    fn a_field_is_asked_for_where_its_kind_has_it() {
        let told = |pattern: Value| unknown_to("Pod", &pattern).map(|it| it.at);
        assert_eq!(told(json!({"spec": {"=(hostPort)": ">0"}})).as_deref(), Some("spec.=(hostPort)"));
        assert_eq!(
            told(json!({"spec": {"containers": [{"=(port)": [{}]}]}})).as_deref(),
            Some("spec.containers[0].=(port)")
        );
        for fine in [
            json!({"kind": "Pod", "metadata": {"labels": {"app": "?*"}}}),
            json!({"spec": {"containers": [{"=(ports)": [{"=(hostPort)": ">0"}]}], "=(hostNetwork)": "false"}}),
            json!({"spec": {"=(securityContext)": {"=(supplementalGroups)": [">=0"]}, "*": "a"}}),
        ] {
            assert_eq!(told(fine.clone()), None, "{fine}");
        }
        assert_eq!(unknown_to("Widget", &json!({"spec": {"a": 1}})), None);
    }
}
