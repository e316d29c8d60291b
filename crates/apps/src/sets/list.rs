//! `list`: elements that are written down.

use serde_json::{Map, Value};

use super::generators::Run;
use super::params::{Param, Params, params_of};

pub(crate) fn params(run: &Run<'_>, spec: &Value) -> Result<Vec<Params>, String> {
    let elements = spec.get("elements").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut found = Vec::new();
    for element in elements {
        found.push(match element {
            Value::Object(element) if run.templates.is_go() => params_of(element),
            Value::Object(element) => texts(element)?,
            // As Argo CD: an element without anything is one without parameters.
            Value::Null => Params::new(),
            _ => return Err("error unmarshalling list element: no map".to_owned()),
        });
    }
    if let Some(text) = spec.get("elementsYaml").and_then(Value::as_str).filter(|text| !text.is_empty()) {
        let failed = |why: String| format!("error unmarshalling decoded ElementsYaml {why}");
        match landfall_yaml::to_json(text).map_err(|error| failed(error.to_string()))? {
            Value::Array(items) => {
                for item in &items {
                    let item = item.as_object().ok_or_else(|| failed("it holds what is no map".to_owned()))?;
                    found.push(params_of(item));
                }
            }
            Value::Null => {}
            _ => return Err(failed("it is no list".to_owned())),
        }
    }
    Ok(found)
}

/// Without Go templates all is a text, and `values` is the one map.
fn texts(element: &Map<String, Value>) -> Result<Params, String> {
    let text = |key: &str, value: &Value| match value {
        Value::String(text) => Ok(Param::text(text)),
        _ => Err(format!("error parsing value as string: {key} is none")),
    };
    let mut params = Params::new();
    for (key, value) in element {
        match (key.as_str(), value) {
            ("values", Value::Object(values)) => {
                for (name, value) in values {
                    let name = format!("values.{name}");
                    params.insert(name.clone(), text(&name, value)?);
                }
            }
            ("values", _) => return Err("error parsing values map".to_owned()),
            _ => drop(params.insert(key.clone(), text(key, value)?)),
        }
    }
    Ok(params)
}
