//! Causes that a real API server gave for wrong objects, against ours.

use landfall_object::schema::Schemas;
use landfall_object::{Gvk, Object, defaults};
use serde_json::{Map, Value, json};

use super::{of_create, of_update};

const SCRIPTS: &str = include_str!("../../tests/cases/validation/scripts.json");
const GOLDEN: &str = include_str!("../../tests/cases/validation/golden.json");

fn completed(schemas: &Schemas, gvk: &Gvk, body: &Value) -> Value {
    let decoded = schemas.decode(gvk, body).expect("cases decode");
    let mut object = Object::from_value(decoded.value).expect("a map");
    defaults::apply(&mut object, schemas);
    let mut value = object.into_value();
    value["metadata"]["namespace"] = json!("default");
    if gvk.kind == "Job" {
        // The strategy makes the selector and the labels that it selects.
        value["spec"]["selector"] = json!({"matchLabels": {"controller-uid": "u"}});
        if !value["spec"]["template"]["metadata"]["labels"].is_object() {
            value["spec"]["template"]["metadata"]["labels"] = json!({});
        }
        value["spec"]["template"]["metadata"]["labels"]["controller-uid"] = json!("u");
    }
    value
}

/// Causes as a set: the real server walks its maps in random order.
fn causes(answer: &Value) -> Vec<String> {
    let causes = answer.pointer("/body/details/causes").and_then(Value::as_array);
    let text = |cause: &Value, field: &str| cause[field].as_str().unwrap_or_default().to_owned();
    let mut causes: Vec<String> = causes
        .into_iter()
        .flatten()
        .map(|cause| format!("{} {}: {}", text(cause, "reason"), text(cause, "field"), text(cause, "message")))
        .collect();
    causes.sort();
    causes
}

#[test]
fn causes_are_the_real_servers() {
    let scripts: Vec<Map<String, Value>> = serde_json::from_str(SCRIPTS).expect("scripts are JSON");
    let golden: Vec<Map<String, Value>> = serde_json::from_str(GOLDEN).expect("the golden is JSON");
    assert_eq!(scripts.len(), golden.len(), "record the scripts again");
    let schemas = Schemas::builtin();
    let (mut compared, mut failures) = (0, Vec::new());
    for (script, golden) in scripts.iter().zip(&golden) {
        let mut live: Option<Value> = None;
        let steps = script["steps"].as_array().expect("steps");
        for (step, answer) in steps.iter().zip(golden["answers"].as_array().expect("answers")) {
            let body = &step["body"];
            if step["method"] == "DELETE" {
                continue;
            }
            let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
            let gvk = Gvk::from_api_version(&text("apiVersion"), text("kind"));
            let mut new = completed(&schemas, &gvk, body);
            let mut ours: Vec<String> = match &live {
                None => of_create(&gvk, &new),
                Some(live) => {
                    // What the server keeps and allocates is not in the request.
                    for (field, value) in live["metadata"].as_object().into_iter().flatten() {
                        if new["metadata"].get(field).is_none() {
                            new["metadata"][field] = value.clone();
                        }
                    }
                    of_update(&gvk, &new, live)
                }
            }
            .iter()
            .map(|error| format!("{} {}: {}", error.reason.cause(), field(&error.field), error.message()))
            .collect();
            ours.sort();
            ours.dedup();
            let mut theirs = causes(answer);
            theirs.dedup();
            compared += 1;
            if ours != theirs {
                let (extra, missing): (Vec<_>, Vec<_>) = (
                    ours.iter().filter(|cause| !theirs.contains(cause)).collect(),
                    theirs.iter().filter(|cause| !ours.contains(cause)).collect(),
                );
                failures
                    .push(format!("{}\n    ours alone: {extra:#?}\n    server alone: {missing:#?}", script["name"]));
            }
            if theirs.is_empty() {
                live = Some(new);
            }
        }
    }
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
}

fn field(path: &str) -> &str {
    if path.is_empty() { "<nil>" } else { path }
}
