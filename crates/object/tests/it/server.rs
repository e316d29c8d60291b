use landfall_object::merge::managed::{self, OnConflict, Writer};
use landfall_object::merge::{json_patch, merge_patch, strategic};
use landfall_object::schema::Schemas;
use landfall_object::{Gvk, Object, defaults};
use serde_json::{Map, Value, json};

const SCRIPTS: &str = include_str!("../cases/server/scripts.json");
const GOLDEN: &str = include_str!("../cases/server/golden.json");
const TIME: &str = "2026-01-01T00:00:00Z";

/// Just enough of a server: one object, no admission, no allocation.
struct Server {
    schemas: Schemas,
    live: Option<Value>,
}

fn query<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = path.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

impl Server {
    fn answer(&mut self, step: &Value) -> Result<Value, String> {
        let text = |field: &str| step[field].as_str().unwrap_or_default();
        let (path, body) = (text("path"), &step["body"]);
        let manager = query(path, "fieldManager").unwrap_or("recorder");
        let gvk = match &self.live {
            Some(live) => kind_of(live),
            None => kind_of(body),
        };
        let api_version = gvk.api_version();
        let writer = Writer { manager, api_version: &api_version, subresource: "", time: TIME, reset: &[&["status"]] };
        if gvk.kind == "CustomResourceDefinition" && query(path, "dryRun").is_none() {
            let definition = Object::from_value(body.clone()).map_err(|error| error.to_string())?;
            self.schemas.join(&definition).map_err(|error| error.to_string())?;
            return Ok(Value::Null);
        }
        let schemas = self.schemas.clone();
        let node = schemas.kind(&gvk).ok_or("no such kind")?;
        let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let patched = match (text("method"), text("type")) {
            ("POST", _) => {
                let decoded = self.schemas.decode(&gvk, body).map_err(|error| handled(&gvk, &error.to_string()))?;
                if !decoded.findings.is_empty() && query(path, "fieldValidation") == Some("Strict") {
                    return Err(handled(&gvk, &format!("strict decoding error: {}", decoded.findings.join(", "))));
                }
                let mut object = Object::from_value(decoded.value).map_err(|error| error.to_string())?;
                defaults::apply(&mut object, &self.schemas);
                self.validated(&gvk, object.value())?;
                let mut created = managed::update(None, object.value(), node, &writer);
                created["metadata"]["uid"] = json!("u");
                created["metadata"]["namespace"] = json!("default");
                created
            }
            ("PATCH", "application/apply-patch+yaml") => {
                let on_conflict =
                    if query(path, "force") == Some("true") { OnConflict::Force } else { OnConflict::Refuse };
                let applied = managed::apply(self.live.as_ref(), body, node, &writer, on_conflict)
                    .map_err(|error| error.to_string())?;
                let mut object = self.completed(&gvk, &applied)?;
                object["metadata"]["uid"] = json!("u");
                object["metadata"]["namespace"] = json!("default");
                object
            }
            ("PATCH", kind) => {
                let live = self.live.clone().ok_or("nothing to patch")?;
                let patched = match kind {
                    "application/merge-patch+json" => merge_patch::apply(&live, body),
                    "application/json-patch+json" => {
                        let operations = json_patch::parse(body).map_err(|error| error.to_string())?;
                        json_patch::apply(&live, &operations).map_err(|error| error.to_string())?
                    }
                    _ => Value::Object(
                        strategic::apply(&map(&live), &map(body), node).map_err(|error| error.to_string())?,
                    ),
                };
                let completed = self.completed(&gvk, &patched)?;
                managed::update(Some(&live), &completed, node, &writer)
            }
            _ => return Ok(Value::Null),
        };
        self.live = Some(patched.clone());
        Ok(patched)
    }

    /// A custom resource against its schema, refused as the server refuses it.
    fn validated(&self, gvk: &Gvk, value: &Value) -> Result<(), String> {
        let errors: Vec<String> = self.schemas.validate_custom(gvk, value).iter().map(ToString::to_string).collect();
        let list = match errors.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let name = value["metadata"]["name"].as_str().unwrap_or_default();
        Err(format!("{}.{} {name:?} is invalid: {list}", gvk.kind, gvk.group))
    }

    fn completed(&self, gvk: &Gvk, value: &Value) -> Result<Value, String> {
        let decoded = self.schemas.decode(gvk, value).map_err(|error| error.to_string())?;
        let mut object = Object::from_value(decoded.value).map_err(|error| error.to_string())?;
        defaults::apply(&mut object, &self.schemas);
        Ok(object.into_value())
    }
}

fn kind_of(value: &Value) -> Gvk {
    let text = |field: &str| value[field].as_str().unwrap_or_default();
    Gvk::from_api_version(text("apiVersion"), text("kind"))
}

fn handled(gvk: &Gvk, error: &str) -> String {
    let Gvk { version, kind, .. } = gvk;
    format!("{kind} in version {version:?} cannot be handled as a {kind}: {error}")
}

/// Takes out what a server chooses: identity, times, and what the script says is chosen.
fn masked(mut value: Value, ignore: &[&str]) -> Value {
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "namespace", "selfLink"] {
            metadata.remove(field);
        }
        for entry in metadata.get_mut("managedFields").and_then(Value::as_array_mut).into_iter().flatten() {
            if entry.get("time").is_some() {
                entry["time"] = json!("T");
            }
        }
    }
    // Entries are sorted by their times, which are not ours to choose.
    if let Some(Value::Array(entries)) = value.pointer_mut("/metadata/managedFields") {
        entries.sort_by_key(|entry| format!("{}{}", entry["manager"], entry["operation"]));
    }
    for pointer in ignore {
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        if let Some(Value::Object(map)) = value.pointer_mut(parent) {
            map.remove(field);
        }
    }
    value
}

fn difference(path: &str, ours: &Value, theirs: &Value) -> String {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys());
            let differs = |key: &&String| a.get(*key) != b.get(*key);
            let null = Value::Null;
            let mut keys = keys;
            keys.find(differs).map_or_else(String::new, |key| {
                difference(&format!("{path}/{key}"), a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(0);
            difference(&format!("{path}/{at}"), &a[at], &b[at])
        }
        _ => format!("{path}: ours {ours}, server {theirs}"),
    }
}

#[test]
fn decoding_defaults_patches_and_ownership_are_the_real_servers() {
    let scripts: Vec<Map<String, Value>> = serde_json::from_str(SCRIPTS).expect("scripts are JSON");
    let golden: Vec<Map<String, Value>> = serde_json::from_str(GOLDEN).expect("the golden is JSON");
    assert_eq!(scripts.len(), golden.len(), "record the scripts again");
    let (mut compared, mut failures) = (0, Vec::new());
    for (script, golden) in scripts.iter().zip(&golden) {
        let mut server = Server { schemas: Schemas::builtin(), live: None };
        let ignore: Vec<&str> =
            script.get("ignore").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let steps = script["steps"].as_array().expect("steps");
        let answers = golden["answers"].as_array().expect("answers");
        for (at, (step, theirs)) in steps.iter().zip(answers).enumerate() {
            let joins = step["path"].as_str().is_some_and(|path| path.ends_with("/customresourcedefinitions"));
            if step["method"] == "DELETE" || joins {
                drop(server.answer(step).map(drop));
                continue;
            }
            compared += 1;
            let name = format!("{} [{at}]", script["name"]);
            let code = theirs["code"].as_u64().unwrap_or(0);
            match server.answer(step) {
                Ok(ours) if code < 300 => {
                    let (ours, theirs) = (masked(ours, &ignore), masked(theirs["body"].clone(), &ignore));
                    if ours != theirs {
                        failures.push(format!("{name}: {}", difference("", &ours, &theirs)));
                    }
                }
                Err(ours) if code >= 300 => {
                    if theirs["body"]["message"] != ours.as_str() {
                        failures.push(format!("{name}: ours {ours}, server {}", theirs["body"]["message"]));
                    }
                }
                ours => failures.push(format!("{name}: ours {ours:?}, server {}", theirs["body"])),
            }
        }
    }
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
}
