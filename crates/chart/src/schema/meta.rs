//! Whether a schema is one at all.

use serde_json::Value as Json;

use super::documents::Documents;
use super::draft::Draft;
use super::evaluate::{self, Evaluator};
use super::metaschema;
use super::words::{escaped, quoted};

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
                    if keyword == "patternProperties" && regex::Regex::new(name).is_err() {
                        let name = quoted(name);
                        problems.push(format!(
                            "- at {}: invalid propertyName {name}\n  - at '': {name} is not valid regex",
                            quoted(&at)
                        ));
                    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As Helm 3.22.0 says it of the same schemas.
    #[test]
    fn what_is_no_schema_by_its_draft_is_told_as_helm_tells_it() {
        let told = |draft: &str, below: Json| {
            check(&json!({"$schema": draft, "properties": {"a": below}}))
                .err()
                .map(|said| said.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>())
        };
        let (d4, d7) = ("http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-07/schema#");
        let (d2019, d2020) =
            ("https://json-schema.org/draft/2019-09/schema", "https://json-schema.org/draft/2020-12/schema");
        let examples = json!({"type": "object", "examples": {"team": "example"}});
        assert_eq!(
            told(d2019, examples.clone()).as_deref(),
            Some(
                "- at '': 'allOf' failed\n  - at '/properties/a': 'allOf' failed\n    - at '/properties/a/examples': got object, want array\n"
            )
        );
        assert_eq!(
            told(d7, examples.clone()).as_deref(),
            Some("- at '/properties/a/examples': got object, want array\n")
        );
        assert_eq!(told(d4, examples), None);
        assert_eq!(
            told(d7, json!({"properties": {"b": {"minLength": -1}}})).as_deref(),
            Some(
                "- at '/properties/a/properties/b/minLength': 'allOf' failed\n  - at '/properties/a/properties/b/minLength': minimum: got -1, want 0\n"
            )
        );
        assert_eq!(
            told(d4, json!({"required": []})).as_deref(),
            Some("- at '/properties/a/required': minItems: got 0, want 1\n")
        );
        assert_eq!(told(d7, json!({"required": []})), None);
        assert_eq!(
            told(d4, json!({"exclusiveMinimum": 5, "minimum": 1})).as_deref(),
            Some("- at '/properties/a/exclusiveMinimum': got number, want boolean\n")
        );
        assert_eq!(
            told(d2020, json!({"items": [{}]})).map(|said| said.contains("got array, want boolean or object")),
            Some(true)
        );
        assert_eq!(told(d2019, json!({"items": [{}]})), None);
        assert_eq!(
            told(d2020, json!({"pattern": "("})).as_deref(),
            Some("- at '/properties/a/pattern': '(' is not valid regex\n")
        );
        assert_eq!(
            told(d7, json!({"patternProperties": {"(": {}}})).as_deref(),
            Some(
                "- at '/properties/a/patternProperties': invalid propertyName '('\n  - at '': '(' is not valid regex\n"
            )
        );
        // What generators of schemas write for draft 7 names places in a way that later drafts have another keyword for.
        let named = json!({"$id": "#/properties/a"});
        let unfit = "- at '': 'allOf' failed\n  - at '/properties/a': 'allOf' failed\n    - at '/properties/a/$id': '#/properties/a' does not match pattern '^[^#]*#?$'\n";
        for (draft, said) in [(d4, None), (d7, None), (d2019, Some(unfit)), (d2020, Some(unfit))] {
            assert_eq!(told(draft, named.clone()).as_deref(), said, "{draft}");
        }
        assert_eq!(told(d2020, json!({"$id": "a#", "$anchor": "_a", "$dynamicAnchor": "a"})), None);
        assert!(
            told(d2019, json!({"$anchor": "_a"})).is_some_and(|said| said.contains("'^[A-Za-z][-A-Za-z0-9.:_]*$'"))
        );
        for below in [json!({"$anchor": "1"}), json!({"$dynamicAnchor": "1"}), json!({"$recursiveAnchor": "1"})] {
            assert!(told(d2020, below).is_some_and(|said| said.contains("'^[A-Za-z_][-A-Za-z0-9._]*$'")));
        }
        for draft in [d4, d7, d2019, d2020] {
            assert_eq!(
                told(
                    draft,
                    json!({"type": ["string", "null"], "enum": ["a", null], "default": 1, "x-own": {"anything": [1]}})
                ),
                None
            );
        }
    }
}
