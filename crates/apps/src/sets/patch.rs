//! `templatePatch`: a strategic merge patch of an Application.

use serde_json::{Map, Value};

/// The Application with the patch in it; its project stays, whatever the patch says.
pub(crate) fn patched(mut application: Value, text: &str) -> Result<Value, String> {
    let failed = |why: String| format!("invalid templatePatch {text:?}: {why}");
    let patch = match landfall_yaml::to_json(text).map_err(|error| failed(error.to_string()))? {
        Value::Object(patch) => patch,
        Value::Null => return Ok(application),
        _ => return Err(failed("it is no map".to_owned())),
    };
    for part in ["metadata", "spec"] {
        if patch.get(part).is_some_and(|part| !part.is_object() && !part.is_null()) {
            return Err(failed(format!("{part} is no map")));
        }
    }
    let project = application.pointer("/spec/project").cloned();
    if let Value::Object(map) = &mut application {
        merge(map, &patch, &mut Vec::new());
    }
    match (project, application.get_mut("spec")) {
        (Some(project), Some(spec)) => spec["project"] = project,
        (None, Some(Value::Object(spec))) => drop(spec.remove("project")),
        _ => {}
    }
    Ok(application)
}

/// Lists are replaced, but for those that Kubernetes' own metadata merges.
fn merge(into: &mut Map<String, Value>, patch: &Map<String, Value>, at: &mut Vec<String>) {
    if patch.get("$patch").and_then(Value::as_str) == Some("replace") {
        *into = patch.iter().filter(|(key, _)| *key != "$patch").map(|(k, v)| (k.clone(), v.clone())).collect();
        return;
    }
    for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        at.push(key.clone());
        match value {
            Value::Null => drop(into.remove(key)),
            Value::Object(map) if map.get("$patch").and_then(Value::as_str) == Some("delete") => {
                drop(into.remove(key));
            }
            Value::Object(map) => {
                let under = into.entry(key.as_str()).or_insert_with(|| Value::Object(Map::new()));
                if !under.is_object() {
                    *under = Value::Object(Map::new());
                }
                if let Value::Object(under) = under {
                    merge(under, map, at);
                }
            }
            Value::Array(items) if at.join("/") == "metadata/finalizers" => {
                let there = into.entry(key.as_str()).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(there) = there {
                    let new: Vec<Value> = items.iter().filter(|item| !there.contains(item)).cloned().collect();
                    there.extend(new);
                }
            }
            other => drop(into.insert(key.clone(), other.clone())),
        }
        at.pop();
    }
}
