//! Structural schemas of custom resource definitions: pruning, defaulting and validation.

mod default;
mod prune;
mod rules;
mod validate;

pub use default::unfit_defaults;

use std::collections::BTreeMap;

use regex::Regex;
use rules::Rule;
use serde_json::Value;

/// One node of a structural schema, with what validation needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Structural {
    /// `object`, `array`, `string`, `integer`, `number`, `boolean`, or empty.
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(super) nullable: bool,
    pub(super) default: Option<Value>,
    pub(super) properties: BTreeMap<String, Structural>,
    pub(super) additional: Additional,
    pub(crate) items: Option<Box<Structural>>,
    pub(super) required: Vec<String>,
    pub(super) enum_values: Vec<Value>,
    pub(super) limits: Limits,
    pub(super) pattern: Option<(String, Option<Regex>)>,
    pub(super) all_of: Vec<Structural>,
    pub(super) any_of: Vec<Structural>,
    pub(super) one_of: Vec<Structural>,
    pub(super) not: Option<Box<Structural>>,
    pub(super) int_or_string: bool,
    pub(super) preserve_unknown: bool,
    pub(super) embedded: bool,
    pub(crate) list_type: String,
    pub(super) list_keys: Vec<Box<str>>,
    pub(super) atomic_map: bool,
    pub(super) rules: Vec<Rule>,
}

/// What fields beyond the declared ones may be.
#[derive(Debug, Clone, Default)]
pub(super) enum Additional {
    /// Nothing said: they are pruned.
    #[default]
    Unsaid,
    /// `true`: anything.
    Anything,
    /// `false`: none.
    Nothing,
    /// Values of that schema.
    Schema(Box<Structural>),
}

/// Bounds of numbers, texts, lists and maps.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    pub(super) minimum: Option<f64>,
    pub(super) exclusive_minimum: bool,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_maximum: bool,
    pub(super) multiple_of: Option<f64>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) min_items: Option<u64>,
    pub(super) max_items: Option<u64>,
    pub(super) min_properties: Option<u64>,
    pub(super) max_properties: Option<u64>,
}

/// Schemas nested deeper than this are cut off: they are hostile.
const DEEPEST: usize = 120;

impl Structural {
    /// Reads `openAPIV3Schema`.
    pub(crate) fn parse(schema: &Value) -> Self {
        Self::read(schema, 0)
    }

    fn read(schema: &Value, depth: usize) -> Self {
        if depth > DEEPEST {
            return Self { preserve_unknown: true, ..Self::default() };
        }
        let below = |value: &Value| Self::read(value, depth + 1);
        let text = |field: &str| schema.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let flag = |field: &str| schema.get(field).and_then(Value::as_bool) == Some(true);
        let number = |field: &str| schema.get(field).and_then(Value::as_f64);
        let count = |field: &str| schema.get(field).and_then(Value::as_u64);
        let list = |field: &str| schema.get(field).and_then(Value::as_array).into_iter().flatten();
        let texts = |field: &str| list(field).filter_map(Value::as_str);
        let properties = schema.get("properties").and_then(Value::as_object);
        Self {
            kind: text("type"),
            format: text("format"),
            nullable: flag("nullable"),
            default: schema.get("default").filter(|default| !default.is_null()).cloned(),
            properties: properties.into_iter().flatten().map(|(name, value)| (name.clone(), below(value))).collect(),
            additional: match schema.get("additionalProperties") {
                Some(Value::Bool(true)) => Additional::Anything,
                Some(Value::Bool(false)) => Additional::Nothing,
                Some(schema @ Value::Object(_)) => Additional::Schema(Box::new(below(schema))),
                _ => Additional::Unsaid,
            },
            items: schema.get("items").filter(|items| items.is_object()).map(|items| Box::new(below(items))),
            required: texts("required").map(str::to_owned).collect(),
            enum_values: list("enum").cloned().collect(),
            limits: Limits {
                minimum: number("minimum"),
                exclusive_minimum: flag("exclusiveMinimum"),
                maximum: number("maximum"),
                exclusive_maximum: flag("exclusiveMaximum"),
                multiple_of: number("multipleOf"),
                min_length: count("minLength"),
                max_length: count("maxLength"),
                min_items: count("minItems"),
                max_items: count("maxItems"),
                min_properties: count("minProperties"),
                max_properties: count("maxProperties"),
            },
            pattern: schema
                .get("pattern")
                .and_then(Value::as_str)
                .filter(|pattern| !pattern.is_empty())
                .map(|pattern| (pattern.to_owned(), Regex::new(pattern).ok())),
            all_of: list("allOf").map(below).collect(),
            any_of: list("anyOf").map(below).collect(),
            one_of: list("oneOf").map(below).collect(),
            not: schema.get("not").filter(|not| not.is_object()).map(|not| Box::new(below(not))),
            int_or_string: flag("x-kubernetes-int-or-string"),
            preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
            embedded: flag("x-kubernetes-embedded-resource"),
            list_type: text("x-kubernetes-list-type"),
            list_keys: texts("x-kubernetes-list-map-keys").map(Into::into).collect(),
            atomic_map: text("x-kubernetes-map-type") == "atomic",
            rules: Rule::read(schema),
        }
    }
}
