//! Differences that do not count: fields by pointers, by expressions, and those of other managers.

use landfall_object::Object;
use serde_json::{Map, Value};

use crate::Application;
use crate::expression::Expression;
use crate::glob::fits;

/// How a note ends about something in an Application that has no effect here.
pub const NOT_ACTED_ON: &str = " is not acted on";

/// What of an Application's `ignoreDifferences` has no effect, in words.
pub(crate) fn ignored_in_vain(application: &Application) -> Vec<String> {
    let expressions = application.ignore_differences.iter().flat_map(|rule| &rule.jq_path_expressions);
    let unknown = expressions.filter(|it| Expression::parse(it).is_none());
    unknown.map(|it| format!("ignoreDifferences by the expression `{it}`{NOT_ACTED_ON}")).collect()
}

/// Fields whose differences do not count are delivered as they are.
pub(crate) fn respect_ignored(application: &Application, object: &mut Object, live: &Object) {
    for rule in &application.ignore_differences {
        let fits = fits(&rule.kind, object.kind())
            && fits(&rule.group, object.group())
            && (rule.name.is_empty() || rule.name == object.name())
            && (rule.namespace.is_empty() || Some(rule.namespace.as_str()) == object.namespace());
        if !fits {
            continue;
        }
        for pointer in &rule.json_pointers {
            let Some(value) = live.at(pointer).cloned() else { continue };
            if let Some(field) = object.at_mut(pointer) {
                *field = value;
            }
        }
        for expression in rule.jq_path_expressions.iter().filter_map(|it| Expression::parse(it)) {
            change(object, |value| expression.carry(value, live.value()));
        }
        for entry in live.list_at("/metadata/managedFields") {
            let manager = entry["manager"].as_str().unwrap_or_default();
            if rule.managed_fields_managers.iter().any(|known| known == manager) {
                change(object, |value| carry_owned(value, live.value(), &entry["fieldsV1"]));
            }
        }
    }
}

fn change(object: &mut Object, how: impl FnOnce(&mut Value)) {
    let mut value = object.value().clone();
    how(&mut value);
    if let Value::Object(map) = value {
        *object = Object::from_map(map);
    }
}

/// Puts what a manager owns (`FieldsV1`) into an object that has it, too (gitops-engine, util/argo/managedfields): what only
/// one of both has is nobody's opinion against another's.
fn carry_owned(into: &mut Value, live: &Value, owned: &Value) {
    let Some(owned) = owned.as_object() else { return };
    for (element, inside) in owned {
        let Some((kind, name)) = element.split_at_checked(2) else { continue };
        let both = match (kind, &mut *into, live) {
            ("f:", Value::Object(into), Value::Object(live)) => into.get_mut(name).zip(live.get(name)),
            ("k:", Value::Array(into), Value::Array(live)) => {
                let Ok(Value::Object(keys)) = serde_json::from_str(name) else { continue };
                let live = live.iter().find(|item| has_keys(item, &keys));
                into.iter_mut().find(|item| has_keys(item, &keys)).zip(live)
            }
            ("i:", Value::Array(into), Value::Array(live)) => {
                let Ok(index) = name.parse::<usize>() else { continue };
                into.get_mut(index).zip(live.get(index))
            }
            // An item of a set is there or not: it has no value that could differ.
            _ => None,
        };
        let Some((into, live)) = both else { continue };
        // A list or map that is owned as one has nothing below it.
        match inside.as_object().is_none_or(Map::is_empty) {
            true => *into = live.clone(),
            false => carry_owned(into, live, inside),
        }
    }
}

/// Whether an item of a list is the one that these keys name; what the cluster fills in the manifest need not say.
fn has_keys(item: &Value, keys: &Map<String, Value>) -> bool {
    let mut same = 0;
    keys.iter().all(|(key, value)| match item.get(key) {
        Some(own) => {
            same += 1;
            own == value
        }
        None => true,
    }) && same > 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn application(rule: Value) -> Application {
        let spec = json!({"destination": {}, "source": {"repoURL": "https://git.example.com/a.git", "path": "."},
            "ignoreDifferences": [rule]});
        let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"}, "spec": spec});
        Application::parse(&Object::from_value(object).expect("a map")).expect("an Application")
    }

    fn deployment(replicas: u32, image: &str, port: Value, fields: Value) -> Object {
        let containers = json!([{"name": "web", "image": image, "ports": [port]}]);
        Object::from_value(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "managedFields": fields},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}}}))
        .expect("a map")
    }

    #[test]
    fn fields_of_other_managers_are_delivered_as_they_are_and_no_others() {
        let entry = |manager: &str, operation: &str, fields: Value| json!({"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields});
        let container = |inside: Value| json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": inside}}}}});
        let port = json!({"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}});
        let fields = json!([
            entry("autoscaler", "Update", json!({"f:spec": {"f:replicas": {}, "f:paused": {}}})),
            entry("sidecar", "Apply", container(json!({".": {}, "f:image": {}, "f:ports": port}))),
            entry("kubectl-edit", "Update", json!({"f:spec": {"f:replicas": {}}})),
        ]);
        let live = deployment(5, "web:2", json!({"containerPort": 80, "protocol": "TCP", "name": "live"}), fields);
        let wanted = || deployment(1, "web:1", json!({"containerPort": 80, "name": "wanted"}), json!([]));
        let respected = |managers: Value| {
            let mut object = wanted();
            let rule = json!({"group": "apps", "kind": "Deployment", "managedFieldsManagers": managers});
            respect_ignored(&application(rule), &mut object, &live);
            let at = |pointer: &str| object.at(pointer).cloned().unwrap_or_default();
            let container = "/spec/template/spec/containers/0";
            (at("/spec/replicas"), at(&format!("{container}/image")), at(&format!("{container}/ports/0/name")))
        };
        assert_eq!(respected(json!(["autoscaler"])), (json!(5), json!("web:1"), json!("wanted")));
        assert_eq!(respected(json!(["sidecar"])), (json!(1), json!("web:2"), json!("live")));
        assert_eq!(respected(json!(["nobody"])), (json!(1), json!("web:1"), json!("wanted")));
        let mut bare = wanted();
        respect_ignored(
            &application(json!({"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["autoscaler"]})),
            &mut bare,
            &live,
        );
        assert_eq!(bare.at("/spec/paused"), None, "what the manifest does not say it does not say now");
    }

    #[test]
    fn what_has_no_effect_is_named() {
        let rule = json!({"kind": "Deployment", "jqPathExpressions": ["del(.spec.replicas)", ".spec.replicas"],
            "managedFieldsManagers": ["autoscaler"]});
        let said = ignored_in_vain(&application(rule));
        assert_eq!(said, ["ignoreDifferences by the expression `del(.spec.replicas)` is not acted on"]);
    }
}
