//! What each draft demands of a schema, as a schema: the keywords and what each takes, of the drafts' own
//! specifications (json-schema.org). In the shape in which their schemas are built, because the errors show it: one schema up to
//! draft 7, vocabularies since.

use std::sync::LazyLock;

use serde_json::{Map, Value as Json, json};

use super::draft::Draft;

/// A draft's schema for schemas.
pub(super) fn of(draft: Draft) -> &'static Json {
    static ALL: LazyLock<[Json; 5]> = LazyLock::new(|| {
        [whole(Draft::D4), whole(Draft::D6), whole(Draft::D7), vocabularies(Draft::D2019), vocabularies(Draft::D2020)]
    });
    &ALL[match draft {
        Draft::D4 => 0,
        Draft::D6 => 1,
        Draft::D7 => 2,
        Draft::D2019 => 3,
        Draft::D2020 => 4,
    }]
}

/// The same for many keywords.
fn each<'k>(keywords: impl IntoIterator<Item = &'k str>, takes: &Json) -> Vec<(String, Json)> {
    keywords.into_iter().map(|keyword| (keyword.to_owned(), takes.clone())).collect()
}

fn schema() -> Json {
    json!({"$ref": "#"})
}

fn schemas() -> Json {
    json!({"$ref": "#/definitions/schemaArray"})
}

fn strings() -> Json {
    json!({"$ref": "#/definitions/stringArray"})
}

fn by_name() -> Json {
    json!({"type": "object", "additionalProperties": schema()})
}

/// What several keywords take. The older drafts write a count that is nothing by default as two demands.
fn definitions(draft: Draft) -> Json {
    let is_old = draft <= Draft::D7;
    let count = json!({"type": "integer", "minimum": 0});
    let or_nothing = if is_old { json!({"allOf": [{"$ref": "#/definitions/count"}, {}]}) } else { count.clone() };
    let mut strings = json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true});
    if draft == Draft::D4 {
        strings["minItems"] = json!(1);
    }
    json!({
        "count": count,
        "countOrNothing": or_nothing,
        "schemaArray": {"type": "array", "minItems": 1, "items": schema()},
        "stringArray": strings,
        "simpleTypes": {"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]},
    })
}

/// The keywords of which numbers, lengths and the like are demanded.
fn assertions(draft: Draft) -> Map<String, Json> {
    let (number, boolean) = (json!({"type": "number"}), json!({"type": "boolean"}));
    let bound = if draft == Draft::D4 { &boolean } else { &number };
    let several = if draft <= Draft::D6 {
        json!({"type": "array", "minItems": 1, "uniqueItems": true})
    } else {
        json!({"type": "array"})
    };
    let above_zero = match draft {
        Draft::D4 => json!({"type": "number", "minimum": 0, "exclusiveMinimum": true}),
        _ => json!({"type": "number", "exclusiveMinimum": 0}),
    };
    let types = json!({"anyOf": [
        {"$ref": "#/definitions/simpleTypes"},
        {"type": "array", "items": {"$ref": "#/definitions/simpleTypes"}, "minItems": 1, "uniqueItems": true},
    ]});
    let mut keywords: Map<String, Json> = each(["maximum", "minimum"], &number)
        .into_iter()
        .chain(each(["exclusiveMaximum", "exclusiveMinimum"], bound))
        .chain(each(["maxLength", "maxItems", "maxProperties"], &json!({"$ref": "#/definitions/count"})))
        .chain(each(["minLength", "minItems", "minProperties"], &json!({"$ref": "#/definitions/countOrNothing"})))
        .chain(each(["uniqueItems"], &boolean))
        .chain(each(["pattern"], &json!({"type": "string"})))
        .chain(each(["required"], &strings()))
        .chain(each(["enum"], &several))
        .chain(each(["multipleOf"], &above_zero))
        .chain(each(["type"], &types))
        .collect();
    if draft >= Draft::D2019 {
        keywords.extend(each(["maxContains", "minContains"], &json!({"$ref": "#/definitions/count"})));
        keywords.extend(each(["dependentRequired"], &json!({"type": "object", "additionalProperties": strings()})));
    }
    keywords
}

/// The keywords that hold schemas.
fn applicators(draft: Draft) -> Map<String, Json> {
    let further = if draft == Draft::D4 { json!({"anyOf": [{"type": "boolean"}, schema()]}) } else { schema() };
    let mut keywords: Map<String, Json> = each(["allOf", "anyOf", "oneOf"], &schemas())
        .into_iter()
        .chain(each(["not"], &schema()))
        .chain(each(["properties", "patternProperties"], &by_name()))
        .chain(each(["additionalProperties"], &further))
        .collect();
    let either = json!({"anyOf": [schema(), schemas()]});
    match draft {
        Draft::D2020 => {
            keywords.extend(each(["items"], &schema()));
            keywords.extend(each(["prefixItems"], &schemas()));
        }
        _ => {
            keywords.extend(each(["items"], &either));
            keywords.extend(each(["additionalItems"], &further));
        }
    }
    if draft >= Draft::D6 {
        keywords.extend(each(["contains", "propertyNames"], &schema()));
    }
    if draft >= Draft::D7 {
        keywords.extend(each(["if", "then", "else"], &schema()));
    }
    if draft >= Draft::D2019 {
        keywords.extend(each(["dependentSchemas"], &by_name()));
    }
    if draft == Draft::D2019 {
        keywords.extend(each(["unevaluatedItems", "unevaluatedProperties"], &schema()));
    }
    keywords
}

/// The keywords that describe.
fn descriptions(draft: Draft) -> Map<String, Json> {
    let boolean = json!({"type": "boolean"});
    let mut keywords: Map<String, Json> =
        each(["title", "description"], &json!({"type": "string"})).into_iter().collect();
    if draft >= Draft::D7 {
        keywords.extend(each(["examples"], &json!({"type": "array"})));
        keywords.extend(each(["readOnly", "writeOnly"], &boolean));
    }
    if draft >= Draft::D2019 {
        keywords.extend(each(["deprecated"], &boolean));
    }
    keywords
}

/// A text that is written in one way.
fn written(pattern: &str) -> Json {
    json!({"type": "string", "pattern": pattern})
}

/// The name of a place within a document.
fn anchor(draft: Draft) -> Json {
    written(if draft == Draft::D2019 { "^[A-Za-z][-A-Za-z0-9.:_]*$" } else { "^[A-Za-z_][-A-Za-z0-9._]*$" })
}

/// Names, references and remarks.
fn names(draft: Draft) -> Map<String, Json> {
    let string = json!({"type": "string"});
    let mut keywords: Map<String, Json> = each(["$schema"], &string).into_iter().collect();
    if draft == Draft::D4 {
        keywords.extend(each(["id", "$ref"], &string));
    } else {
        keywords.extend(each(["$ref"], &string));
        // A name of its own within a document is an `$anchor` since.
        let id = if draft >= Draft::D2019 { written("^[^#]*#?$") } else { string.clone() };
        keywords.extend(each(["$id"], &id));
    }
    if draft >= Draft::D7 {
        keywords.extend(each(["$comment"], &string));
    }
    if draft >= Draft::D2019 {
        keywords.extend(each(["$defs"], &by_name()));
        keywords.extend(each(["$anchor"], &anchor(draft)));
        keywords.extend(each(["$vocabulary"], &json!({"type": "object", "additionalProperties": {"type": "boolean"}})));
    }
    match draft {
        Draft::D2019 => {
            keywords.extend(each(["$recursiveRef"], &string));
            keywords.extend(each(["$recursiveAnchor"], &json!({"type": "boolean"})));
        }
        Draft::D2020 => {
            keywords.extend(each(["$dynamicRef"], &string));
            keywords.extend(each(["$dynamicAnchor"], &anchor(draft)));
        }
        _ => {}
    }
    keywords
}

/// What the text of a value is written in.
fn contents(draft: Draft) -> Map<String, Json> {
    let mut keywords: Map<String, Json> =
        each(["contentMediaType", "contentEncoding"], &json!({"type": "string"})).into_iter().collect();
    if draft >= Draft::D2019 {
        keywords.extend(each(["contentSchema"], &schema()));
    }
    keywords
}

/// What stood in earlier drafts, and where a name depends on others.
fn earlier(draft: Draft) -> Map<String, Json> {
    let either = json!({"anyOf": [schema(), strings()]});
    let mut keywords: Map<String, Json> = each(["definitions"], &by_name())
        .into_iter()
        .chain(each(["dependencies"], &json!({"type": "object", "additionalProperties": either})))
        .collect();
    if draft == Draft::D2020 {
        keywords.extend(each(["$recursiveRef"], &json!({"type": "string"})));
        keywords.extend(each(["$recursiveAnchor"], &anchor(draft)));
    }
    keywords
}

/// One schema with all keywords.
fn whole(draft: Draft) -> Json {
    let mut keywords = names(draft);
    for part in [assertions(draft), applicators(draft), descriptions(draft), earlier(draft)] {
        keywords.extend(part);
    }
    keywords.extend(each(["format"], &json!({"type": "string"})));
    if draft == Draft::D7 {
        keywords.extend(contents(draft));
    }
    let mut whole = json!({
        "$schema": draft.address(),
        "definitions": definitions(draft),
        "type": ["object", "boolean"],
        "properties": keywords,
    });
    if draft == Draft::D4 {
        whole["type"] = json!("object");
        whole["dependencies"] = json!({"exclusiveMaximum": ["maximum"], "exclusiveMinimum": ["minimum"]});
    }
    whole
}

/// One schema for each group of keywords, all of which a schema has to fit.
fn vocabularies(draft: Draft) -> Json {
    let types = json!(["object", "boolean"]);
    let mut groups = vec![names(draft), applicators(draft)];
    if draft == Draft::D2020 {
        groups.push(each(["unevaluatedItems", "unevaluatedProperties"], &schema()).into_iter().collect());
    }
    groups.push(assertions(draft));
    groups.push(descriptions(draft));
    groups.push(each(["format"], &json!({"type": "string"})).into_iter().collect());
    groups.push(contents(draft));
    let mut defined = definitions(draft);
    let mut all = Vec::new();
    for (number, keywords) in groups.into_iter().enumerate() {
        let name = format!("vocabulary{number}");
        all.push(json!({"$ref": format!("#/definitions/{name}")}));
        defined[name] = json!({"type": types, "properties": keywords});
    }
    json!({"$schema": draft.address(), "definitions": defined, "type": types, "allOf": all, "properties": earlier(draft)})
}
