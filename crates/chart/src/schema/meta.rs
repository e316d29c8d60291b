//! Whether a schema is one at all.

use serde_json::Value as Json;

use super::documents::Documents;
use super::draft::Draft;
use super::evaluate::{self, Evaluator};
use super::metaschema;
use super::words::quoted;

/// How deep a schema may nest.
const MAX_DEPTH: usize = 500;

/// Holds a schema against its draft's own (`metaschema.rs`), and its patterns against what can be read; the error is Helm's
/// validator's.
pub(super) fn check(schema: &Json) -> Result<(), String> {
    let draft = Draft::of(schema);
    let documents = Documents::default();
    // What is too large to be judged is left to those who use it.
    let unfit = Evaluator::new(metaschema::of(draft), &documents).run(schema).unwrap_or_default();
    let mut said = evaluate::block(&unfit);
    if said.is_empty() {
        let mut problems = Vec::new();
        look(schema, "", &mut problems, 0);
        said = problems.join("\n");
    }
    if said.is_empty() {
        return Ok(());
    }
    Err(format!(
        "\"file:///values.schema.json#\" is not valid against metaschema: jsonschema validation failed with '{}'\n{said}",
        draft.address()
    ))
}

/// Whether an address is that of a draft's own schema, which validators carry along.
pub(super) fn is_a_drafts_own(address: &str) -> bool {
    let name = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"));
    name.is_some_and(|name| name.starts_with("json-schema.org/draft"))
}

/// Looks for patterns that cannot be read, wherever schemas stand.
fn look(schema: &Json, at: &str, problems: &mut Vec<String>, depth: usize) {
    let Json::Object(keywords) = schema else { return };
    if depth > MAX_DEPTH {
        problems.push(format!("- at {}: nested too deeply", quoted(at)));
        return;
    }
    for (keyword, value) in keywords {
        let at = format!("{at}/{}", escaped(keyword));
        match (keyword.as_str(), value) {
            ("pattern", Json::String(pattern)) if regex::Regex::new(pattern).is_err() => {
                problems.push(format!("- at {}: {} is not valid regex", quoted(&at), quoted(pattern)));
            }
            ("properties" | "patternProperties" | "definitions" | "$defs" | "dependentSchemas", Json::Object(all)) => {
                for (name, below) in all {
                    look(below, &format!("{at}/{}", escaped(name)), problems, depth + 1);
                }
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems" | "items", Json::Array(all)) => {
                for (number, below) in all.iter().enumerate() {
                    look(below, &format!("{at}/{number}"), problems, depth + 1);
                }
            }
            (
                "not"
                | "if"
                | "then"
                | "else"
                | "additionalProperties"
                | "contains"
                | "propertyNames"
                | "additionalItems"
                | "items"
                | "unevaluatedProperties"
                | "unevaluatedItems",
                below,
            ) => look(below, &at, problems, depth + 1),
            _ => {}
        }
    }
}

fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}
