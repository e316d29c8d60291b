//! Whether a schema is one at all.

use serde_json::Value as Json;

use super::draft::Draft;
use super::words::quoted;

/// How deep a schema may nest.
const MAX_DEPTH: usize = 500;

/// Checks the keywords whose values would otherwise be passed over in silence; the error is in the manner of Helm's
/// validator, which holds a schema against its draft's own schema.
pub(super) fn check(schema: &Json) -> Result<(), String> {
    let mut problems = Vec::new();
    look(schema, "", &mut problems, 0);
    if problems.is_empty() {
        return Ok(());
    }
    let name = match Draft::of(schema) {
        Draft::D4 => "http://json-schema.org/draft-04/schema#",
        Draft::D6 => "http://json-schema.org/draft-06/schema#",
        Draft::D7 => "http://json-schema.org/draft-07/schema#",
        Draft::D2019 => "https://json-schema.org/draft/2019-09/schema#",
        Draft::D2020 => "https://json-schema.org/draft/2020-12/schema#",
    };
    Err(format!(
        "\"file:///values.schema.json#\" is not valid against metaschema: jsonschema validation failed with '{name}'\n{}",
        problems.join("\n")
    ))
}

/// Whether an address is that of a draft's own schema, which validators carry along.
pub(super) fn is_a_drafts_own(address: &str) -> bool {
    let name = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"));
    name.is_some_and(|name| name.starts_with("json-schema.org/draft"))
}

fn look(schema: &Json, at: &str, problems: &mut Vec<String>, depth: usize) {
    let Json::Object(keywords) = schema else {
        if !schema.is_boolean() {
            problems.push(format!("- at {}: want boolean or object", quoted(at)));
        }
        return;
    };
    if depth > MAX_DEPTH {
        problems.push(format!("- at {}: nested too deeply", quoted(at)));
        return;
    }
    for (keyword, value) in keywords {
        let at = format!("{at}/{}", keyword.replace('~', "~0").replace('/', "~1"));
        match keyword.as_str() {
            "type" => {
                const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
                let known = |value: &Json| value.as_str().is_some_and(|name| TYPES.contains(&name));
                let fits = match value {
                    Json::Array(names) => names.iter().all(known),
                    name => known(name),
                };
                if !fits {
                    problems.push(format!(
                        "- at {}: value must be one of {}",
                        quoted(&at),
                        TYPES.map(quoted).join(", ")
                    ));
                }
            }
            "pattern" => {
                if let Some(pattern) = value.as_str()
                    && regex::Regex::new(pattern).is_err()
                {
                    problems.push(format!("- at {}: {} is not valid regex", quoted(&at), quoted(pattern)));
                }
            }
            "properties" | "patternProperties" | "definitions" | "$defs" | "dependentSchemas" => {
                for (name, below) in value.as_object().into_iter().flatten() {
                    look(below, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), problems, depth + 1);
                }
                if !value.is_object() {
                    problems.push(format!("- at {}: got {}, want object", quoted(&at), word(value)));
                }
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => match value {
                Json::Array(all) => {
                    all.iter()
                        .enumerate()
                        .for_each(|(n, below)| look(below, &format!("{at}/{n}"), problems, depth + 1));
                }
                other => problems.push(format!("- at {}: got {}, want array", quoted(&at), word(other))),
            },
            "required" => {
                if !value.is_array() && !value.is_boolean() {
                    problems.push(format!("- at {}: got {}, want array", quoted(&at), word(value)));
                } else if value.is_boolean() {
                    problems.push(format!("- at {}: got boolean, want array", quoted(&at)));
                }
            }
            "not"
            | "if"
            | "then"
            | "else"
            | "additionalProperties"
            | "contains"
            | "propertyNames"
            | "additionalItems"
            | "unevaluatedProperties"
            | "unevaluatedItems" => {
                look(value, &at, problems, depth + 1);
            }
            "items" => match value {
                Json::Array(all) => {
                    all.iter()
                        .enumerate()
                        .for_each(|(n, below)| look(below, &format!("{at}/{n}"), problems, depth + 1));
                }
                below => look(below, &at, problems, depth + 1),
            },
            _ => {}
        }
    }
}

fn word(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}
