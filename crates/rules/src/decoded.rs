//! The values of Secrets and ConfigMaps, decoded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::Object;
use serde_json::Value;

/// A value of a Secret or ConfigMap as text; none when the key is missing, or its value is no text.
pub fn text_of(object: &Object, key: &str) -> Option<String> {
    let at = |map: &str| object.at(map).and_then(|map| map.get(key));
    if let Some(text) = at("/stringData") {
        return text.as_str().map(str::to_owned);
    }
    decoded(object, at("/data")?)
}

/// All keys with the values that are text, and the field each stands in.
pub fn texts(object: &Object) -> Vec<(&str, String, String)> {
    let map = |field: &'static str| object.at(field).and_then(Value::as_object).into_iter().flatten();
    let written = map("/stringData")
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?.to_owned(), format!("stringData[{key}]"))));
    let data =
        map("/data").filter_map(|(key, value)| Some((key.as_str(), decoded(object, value)?, format!("data[{key}]"))));
    written.chain(data).collect()
}

fn decoded(object: &Object, value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value.is_null().then_some(""))?;
    if object.kind() != "Secret" {
        return Some(text.to_owned());
    }
    String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()
}

/// A Secret as the API gives it back: all of its values in `data`, in base64.
pub fn as_stored(mut object: Object) -> Object {
    if object.kind() != "Secret" || !object.group().is_empty() {
        return object;
    }
    let Some(Value::Object(written)) = object.map_mut().remove("stringData") else { return object };
    let data = object.map_mut().entry("data").or_insert_with(|| serde_json::json!({}));
    for (key, value) in written {
        data[key] = STANDARD.encode(value.as_str().unwrap_or_default()).into();
    }
    object
}
