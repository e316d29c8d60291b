//! Schemas of definitions: structural enough to prune by, and nothing in them that the real server would not take.

use std::collections::BTreeSet;

use landfall_object::FieldError;
use landfall_object::schema::unfit_defaults;
use serde_json::Value;

use super::super::at::{At, Errors};

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Field,
    Item,
}

/// Whether objects can be pruned by a schema.
pub(super) fn structural(errors: &mut Errors, schema: &At<'_>) {
    shape(errors, schema, Level::Root);
}

/// What is refused in a schema that objects can be pruned by (`ValidateDefaults`, `ValidateCustomResourceDefinitionOpenAPISchema`).
pub(super) fn rules(errors: &mut Errors, schema: &At<'_>) {
    for mut error in unfit_defaults(schema.value) {
        error.field = format!("{}.{}", schema.path, error.field);
        errors.push(error);
    }
    node(errors, schema);
}

fn shape(errors: &mut Errors, schema: &At<'_>, level: Level) {
    let kind = schema.get("type");
    let free = ["x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"];
    let typed = !kind.is_empty() || level != Level::Root && free.iter().any(|flag| schema.get(flag).flag());
    if !typed {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Field => "must not be empty for specified object fields",
            Level::Item => "must not be empty for specified array items",
        };
        errors.required(kind.path.clone(), detail);
    } else if level == Level::Root && kind.text() != "object" {
        errors.invalid(&kind, "must be object at the root");
    }
    patterns(errors, schema);
    for (_, property) in schema.get("properties").entries() {
        shape(errors, &property, Level::Field);
    }
    let additional = schema.get("additionalProperties");
    if additional.value.is_object() {
        shape(errors, &additional, Level::Field);
    }
    let items = schema.get("items");
    if items.value.is_object() {
        shape(errors, &items, Level::Item);
    } else if kind.text() == "array" {
        errors.required(items.path, "must be specified");
    }
}

/// Expressions that Go cannot read, of the node itself and of what it says about its value in other ways.
fn patterns(errors: &mut Errors, schema: &At<'_>) {
    let pattern = schema.get("pattern");
    if !pattern.is_empty()
        && let Err(why) = landfall_sprig::go_expression(pattern.text())
    {
        errors.invalid(&pattern, format!("must be a valid regular expression, but isn't: {why}"));
    }
    for field in ["anyOf", "allOf", "oneOf"] {
        schema.get(field).items().for_each(|nested| nested_patterns(errors, &nested));
    }
    nested_patterns(errors, &schema.get("not"));
}

fn nested_patterns(errors: &mut Errors, schema: &At<'_>) {
    if !schema.value.is_object() {
        return;
    }
    patterns(errors, schema);
    for below in [schema.get("items"), schema.get("additionalProperties")] {
        nested_patterns(errors, &below);
    }
    for (_, property) in schema.get("properties").entries() {
        nested_patterns(errors, &property);
    }
}

/// Fields of JSON schema that definitions may not use, with what is said of each.
const UNSUPPORTED: &[&str] = &["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];

fn node(errors: &mut Errors, schema: &At<'_>) {
    if !schema.value.is_object() {
        return;
    }
    let kind = schema.get("type");
    if !kind.is_empty() {
        errors.one_of_if_set(&kind, &["array", "boolean", "integer", "number", "object", "string"]);
    }
    for field in UNSUPPORTED {
        let found = schema.get(field);
        if !found.is_empty() {
            errors.forbidden(found.path, format!("{field} is not supported"));
        }
    }
    let items = schema.get("items");
    if items.value.is_array() {
        errors.forbidden(items.path.clone(), "items must be a schema object and not an array");
    }
    if schema.get("uniqueItems").flag() {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.forbidden(schema.child("uniqueItems"), why);
    }
    let (additional, properties) = (schema.get("additionalProperties"), schema.get("properties"));
    let is_closed_or_typed = additional.value.is_object() || additional.value == &Value::Bool(false);
    if is_closed_or_typed && !properties.is_empty() {
        errors.forbidden(additional.path.clone(), "additionalProperties and properties are mutual exclusive");
    }
    node(errors, &additional);
    properties.entries().for_each(|(_, property)| node(errors, &property));
    node(errors, &schema.get("not"));
    for field in ["allOf", "oneOf", "anyOf"] {
        schema.get(field).items().for_each(|nested| node(errors, &nested));
    }
    node(errors, &items);
    merging(errors, schema);
}

/// How lists and maps are merged.
fn merging(errors: &mut Errors, schema: &At<'_>) {
    let preserved = schema.get("x-kubernetes-preserve-unknown-fields");
    if preserved.value == &Value::Bool(false) {
        errors.invalid(&preserved, "must be true or undefined");
    }
    let kind = schema.get("type");
    let (map, list) = (schema.get("x-kubernetes-map-type"), schema.get("x-kubernetes-list-type"));
    for (said, wanted) in [(&map, "object"), (&list, "array")] {
        if said.is_set() && kind.text() != wanted {
            let field = said.path.rsplit('.').next().unwrap_or_default();
            let detail = format!("must be {wanted} if {field} is specified");
            if kind.is_empty() {
                errors.required(kind.path.clone(), &detail);
            } else {
                errors.invalid(&kind, detail);
            }
        }
    }
    errors.one_of_if_set(&map, &["atomic", "granular"]);
    let items = schema.get("items");
    if list.text() == "set" && kind.text() == "array" {
        let (below, field) = match items.get("type").text() {
            "array" => (items.get("x-kubernetes-list-type"), "x-kubernetes-list-type"),
            "object" => (items.get("x-kubernetes-map-type"), "x-kubernetes-map-type"),
            _ => (At::new(&Value::Null, ""), ""),
        };
        let is_atomic = below.text() == "atomic" || !below.is_set() && field != "x-kubernetes-map-type";
        if !is_atomic {
            let said = items.get("x-kubernetes-list-type").value.clone();
            let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
            errors.push(FieldError::invalid(below.path, said, detail));
        }
    }
    errors.one_of_if_set(&list, &["atomic", "set", "map"]);
    let keys = schema.get("x-kubernetes-list-map-keys");
    if !keys.is_empty() {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        if !list.is_set() {
            errors.required(list.path.clone(), detail);
        } else if list.text() != "map" {
            errors.invalid(&list, detail);
        }
    }
    if list.text() == "map" {
        keyed(errors, schema, &keys, &items);
    }
    if matches!(list.text(), "set" | "map") && items.get("nullable").flag() {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {}", list.text());
        errors.forbidden(items.child("nullable"), detail);
    }
}

/// Lists whose items are found by the values of some of their fields.
fn keyed(errors: &mut Errors, schema: &At<'_>, keys: &At<'_>, items: &At<'_>) {
    if keys.is_empty() {
        errors.required(keys.path.clone(), "must not be empty if x-kubernetes-list-type is map");
    }
    if !items.value.is_object() {
        return errors.required(schema.child("items"), "must have a schema if x-kubernetes-list-type is map");
    }
    let (kind, properties) = (items.get("type"), items.get("properties"));
    if kind.text() != "object" {
        return errors.invalid(&kind, "must be object if parent array's x-kubernetes-list-type is map");
    }
    let mut seen = BTreeSet::new();
    for key in keys.items() {
        let property = properties.value.get(key.text());
        let at = |field: &str| format!("{}.{field}", properties.key(key.text()));
        let Some(property) = property else {
            errors.invalid(keys, "entries must all be names of item properties");
            continue;
        };
        if matches!(property["type"].as_str(), Some("array" | "object")) {
            let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
            errors.push(FieldError::invalid(at("type"), kind.value.clone(), detail));
        }
        if !seen.insert(key.text()) {
            errors.invalid(keys, "must not contain duplicate entries");
        }
        let is_required = items.get("required").items().any(|required| required.text() == key.text());
        if !is_required && property.get("default").is_none_or(Value::is_null) {
            let detail =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.required(at("default"), detail);
        }
        if property["nullable"] == true {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.forbidden(at("nullable"), detail);
        }
    }
}
