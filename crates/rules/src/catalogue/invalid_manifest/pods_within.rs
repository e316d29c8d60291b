//! Containers within an operator's resource that no pod may have: the API refuses the pod that the operator makes of them.

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use super::RULE;
use crate::operated::{is_of_an_operator, walk};
use crate::subject::{Desired, Role};

/// What no pod may have.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    /// The field that has it for the second time.
    field: String,
    /// What it is: "container `web` mounts two volumes at `/data`".
    words: String,
}

/// Paths, names and ports that containers of an operator's resource have twice.
pub(super) fn pods_within(desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    if desired.role == Role::Definition || !is_of_an_operator(object.group()) {
        return Vec::new();
    }
    let told = |Refused { field, words }: Refused| {
        RULE.finding(format!("{words} in {} `{}`", object.kind(), object.name()))
            .weighing(Severity::Warning)
            .because("the API refuses a pod of this kind, so the operator cannot make it of what stands here")
            .help("leave one of the two out, or give it another name or path")
            .at(desired.spot_at(&field))
    };
    refused(object).into_iter().map(told).collect()
}

/// What is wrong with the containers that stand somewhere below the top of a resource.
fn refused(object: &Object) -> Vec<Refused> {
    let mut found = Vec::new();
    walk(object.value(), "", &mut |path, key, value| {
        let is_list = matches!(key, "containers" | "initContainers") && path.contains('.');
        let Some(containers) = value.as_array().filter(|it| is_list && it.iter().all(is_container)) else {
            return false;
        };
        for (at, name) in again(containers, "name") {
            found.push(Refused {
                field: format!("{path}[{at}].name"),
                words: format!("two containers are called `{name}`"),
            });
        }
        for (index, container) in containers.iter().enumerate() {
            let named = container["name"].as_str().unwrap_or_default();
            for (at, mounted) in again(list(container, "volumeMounts"), "mountPath") {
                found.push(Refused {
                    field: format!("{path}[{index}].volumeMounts[{at}].mountPath"),
                    words: format!("container `{named}` mounts two volumes at `{mounted}`"),
                });
            }
            for (at, port) in again(list(container, "ports"), "name") {
                found.push(Refused {
                    field: format!("{path}[{index}].ports[{at}].name"),
                    words: format!("container `{named}` calls two ports `{port}`"),
                });
            }
        }
        true
    });
    found
}

/// Whether an entry of a list is a container as pods have it.
fn is_container(entry: &Value) -> bool {
    entry["name"].is_string() && entry["image"].is_string()
}

/// The entries of a list whose text of a key another one in front of them has, too; a slash at its end says nothing.
fn again<'v>(entries: &'v [Value], key: &str) -> Vec<(usize, &'v str)> {
    let (mut seen, mut found) = (Vec::new(), Vec::new());
    for (at, entry) in entries.iter().enumerate() {
        let text = bare(entry[key].as_str().unwrap_or_default());
        if seen.contains(&text) && !text.is_empty() {
            found.push((at, text));
        }
        seen.push(text);
    }
    found
}

/// A path without the slash at its end; the root stays what it is.
fn bare(path: &str) -> &str {
    path.strip_suffix('/').filter(|it| !it.is_empty()).unwrap_or(path)
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(containers: &Value) -> Vec<String> {
        let object = json!({"apiVersion": "example.com/v1", "kind": "Gate", "metadata": {"name": "gate"},
            "spec": {"pods": [{"spec": {"containers": containers}}]}});
        let object = Object::from_value(object).expect("a map");
        refused(&object).into_iter().map(|it| format!("{} {}", it.field, it.words)).collect()
    }

    #[test]
    fn what_a_container_has_twice_is_told() {
        let mounts = json!([{"name": "a", "mountPath": "/data"}, {"name": "b", "mountPath": "/data/"}]);
        assert_eq!(
            of(&json!([{"name": "web", "image": "a:1", "volumeMounts": mounts}])),
            ["spec.pods[0].spec.containers[0].volumeMounts[1].mountPath container `web` mounts two volumes at `/data`"]
        );
        let ports = json!([{"name": "http", "containerPort": 1}, {"name": "http", "containerPort": 2}]);
        assert_eq!(
            of(&json!([{"name": "web", "image": "a:1", "ports": ports}, {"name": "web", "image": "b:1"}])),
            [
                "spec.pods[0].spec.containers[1].name two containers are called `web`",
                "spec.pods[0].spec.containers[0].ports[1].name container `web` calls two ports `http`"
            ]
        );
    }

    #[test]
    fn what_is_there_once_or_is_no_container_is_left_alone() {
        let mounts = json!([{"name": "a", "mountPath": "/data"}, {"name": "a", "mountPath": "/data/b"}]);
        let ports = json!([{"containerPort": 1}, {"containerPort": 2}]);
        for containers in [
            json!([{"name": "web", "image": "a:1", "volumeMounts": mounts, "ports": ports}, {"name": "b", "image": "a:1"}]),
            json!([{"name": "web"}, {"name": "web"}]),
            json!(["web", "web"]),
            json!([]),
        ] {
            assert_eq!(of(&containers), [""; 0], "{containers}");
        }
    }
}
