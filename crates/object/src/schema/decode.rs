//! Reads a body as the API server's typed decoding does: type errors in Go's words, unknown and duplicate fields in
//! the order they occur, and the value that Go's structs would print again (empty optional fields gone, fields
//! without `omitempty` present, quantities and times in canonical form).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::table::{Field, Shape, Table, Type};
use super::{Node, Origin, Schemas};
use crate::{Gvk, Quantity, time};

/// A decoded body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The value as the typed round trip leaves it.
    pub value: Value,
    /// What strict decoding objects to, in order: `unknown field "spec.x"`, `duplicate field "data.a"`.
    pub findings: Vec<String>,
}

/// A body that cannot be read as its kind; the text is the API server's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No schema is known for the kind.
    #[error("no kind \"{}\" is registered for version \"{}\"", .0.kind, .0.api_version())]
    UnknownKind(Gvk),
    /// The text is not JSON.
    #[error("{0}")]
    Syntax(String),
    /// A value has the wrong type.
    #[error("{0}")]
    Type(String),
    /// The bytes are not the kind's protobuf message.
    #[error("{0}")]
    Protobuf(String),
}

/// Strict decoding stops listing here, as Go's does.
const MOST_FINDINGS: usize = 100;

impl Schemas {
    /// Reads JSON text as `gvk`.
    pub fn decode_json(&self, gvk: &Gvk, text: &[u8]) -> Result<Decoded, DecodeError> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let decoded = if self.is_custom(gvk) {
            self.read_custom(gvk, &mut reader)?
        } else {
            self.kind(gvk).ok_or_else(|| DecodeError::UnknownKind(gvk.clone()))?.read(&mut reader)?
        };
        reader.end().map_err(|error| DecodeError::Syntax(error.to_string()))?;
        Ok(decoded)
    }

    /// Reads a value as `gvk`.
    pub fn decode(&self, gvk: &Gvk, value: &Value) -> Result<Decoded, DecodeError> {
        if self.is_custom(gvk) {
            return self.read_custom(gvk, value);
        }
        self.kind(gvk).ok_or_else(|| DecodeError::UnknownKind(gvk.clone()))?.decode(value)
    }

    /// A custom resource: any JSON, `metadata` typed, unknown fields pruned.
    fn read_custom<'de, D>(&self, gvk: &Gvk, reader: D) -> Result<Decoded, DecodeError>
    where
        D: Deserializer<'de, Error = serde_json::Error>,
    {
        let context = Context { all_duplicates: true, ..Context::default() };
        let mut decoded = context.read(Node::deduced(), reader)?;
        let Value::Object(map) = &mut decoded.value else {
            return Err(DecodeError::Type("the body is not a JSON object".to_owned()));
        };
        if let Some(metadata) = map.get("metadata") {
            let metadata = self.decode_metadata(metadata)?;
            decoded.findings.extend(metadata.findings);
            map.insert("metadata".to_owned(), metadata.value);
        }
        for path in self.prune(gvk, &mut decoded.value) {
            decoded.findings.push(format!("unknown field {}", Value::from(path)));
        }
        Ok(decoded)
    }

    /// Reads only `metadata`, as custom resources have it read.
    pub fn decode_metadata(&self, metadata: &Value) -> Result<Decoded, DecodeError> {
        let table = Table::builtin();
        let context = Context { stack: vec!["metadata".to_owned()], ..Context::default() };
        context.read(Node::of_type(table, table.object_meta), metadata)
    }
}

impl Node<'_> {
    /// Reads a value as this type.
    pub fn decode(&self, value: &Value) -> Result<Decoded, DecodeError> {
        self.read(value)
    }

    fn read<'de, D: Deserializer<'de, Error = serde_json::Error>>(&self, reader: D) -> Result<Decoded, DecodeError> {
        Context::default().read(*self, reader)
    }
}

#[derive(Default)]
struct Context {
    /// Segments of the place, for strict findings: `.name` without its dot, or `[0]`.
    stack: Vec<String>,
    /// Struct fields on the way, for type errors.
    structs: Vec<Box<str>>,
    struct_name: String,
    findings: Vec<String>,
    error: Option<String>,
    /// Report duplicates where no schema is known, too.
    all_duplicates: bool,
}

impl Context {
    fn read<'de, D>(mut self, node: Node<'_>, reader: D) -> Result<Decoded, DecodeError>
    where
        D: Deserializer<'de, Error = serde_json::Error>,
    {
        let value = Seed { node, context: &mut self }
            .deserialize(reader)
            .map_err(|error| DecodeError::Syntax(error.to_string()))?;
        match self.error {
            Some(error) => Err(DecodeError::Type(error)),
            None => {
                self.findings.truncate(MOST_FINDINGS);
                Ok(Decoded { value, findings: self.findings })
            }
        }
    }

    fn place(&self, name: &str) -> String {
        let mut place = String::new();
        for segment in self.stack.iter().map(String::as_str).chain([name]) {
            if !place.is_empty() && !segment.starts_with('[') {
                place.push('.');
            }
            place.push_str(segment);
        }
        place
    }

    fn finding(&mut self, what: &str, name: &str) {
        if self.findings.len() < MOST_FINDINGS {
            let text = format!("{what} field {}", serde_json::Value::from(self.place(name)));
            if !self.findings.contains(&text) {
                self.findings.push(text);
            }
        }
    }

    /// Keeps the first error; Go reads on after a type error and reports the first.
    fn fail(&mut self, error: String) -> Value {
        self.error.get_or_insert(error);
        Value::Null
    }

    fn mismatch(&mut self, found: &str, wanted: &str) -> Value {
        let error = if self.structs.is_empty() {
            format!("json: cannot unmarshal {found} into Go value of type {wanted}")
        } else {
            let path = self.structs.join(".");
            format!("json: cannot unmarshal {found} into Go struct field {}.{path} of type {wanted}", self.struct_name)
        };
        self.fail(error)
    }
}

struct Seed<'c, 'a> {
    node: Node<'a>,
    context: &'c mut Context,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What is expected at a place, without the table.
enum Wanted<'a> {
    Anything,
    Object(&'a Table, &'a Type),
    Shape(&'a Table, &'a Shape),
}

impl<'a> Seed<'_, 'a> {
    fn wanted(&self) -> Wanted<'a> {
        if let Some((table, ty)) = self.node.ty() {
            return Wanted::Object(table, ty);
        }
        match self.node.origin {
            Origin::Shape(table, shape) => Wanted::Shape(table, shape),
            _ => Wanted::Anything,
        }
    }

    fn go_type(&self) -> String {
        match self.wanted() {
            Wanted::Anything => "interface {}".to_owned(),
            Wanted::Object(_, ty) => ty.go_type(),
            Wanted::Shape(table, shape) => go_type(table, shape),
        }
    }

    fn number(self, number: Number) -> Value {
        match self.wanted() {
            Wanted::Shape(_, shape) => match shape {
                Shape::Int32 if number.as_i64().is_some_and(|value| i32::try_from(value).is_ok()) => {
                    Value::Number(number)
                }
                Shape::Int64 if number.as_i64().is_some() => Value::Number(number),
                Shape::Int32 | Shape::Int64 => {
                    let wanted = self.go_type();
                    self.context.mismatch(&format!("number {number}"), &wanted)
                }
                Shape::Float | Shape::Any | Shape::Raw => Value::Number(number),
                Shape::Quantity => self.quantity(&number.to_string()),
                Shape::IntOrString => match number.as_i64().filter(|value| i32::try_from(*value).is_ok()) {
                    Some(_) => Value::Number(number),
                    None => self.context.mismatch(&format!("number {number}"), "int32"),
                },
                Shape::Time | Shape::MicroTime => {
                    self.context.fail("json: cannot unmarshal number into Go value of type string".to_owned())
                }
                _ => {
                    let wanted = self.go_type();
                    self.context.mismatch("number", &wanted)
                }
            },
            Wanted::Object(_, ty) => self.context.mismatch("number", &ty.go_type()),
            Wanted::Anything => Value::Number(number),
        }
    }

    fn quantity(self, text: &str) -> Value {
        match text.trim().parse::<Quantity>() {
            Ok(quantity) => Value::String(quantity.to_string()),
            Err(error) => self.context.fail(error.to_string()),
        }
    }

    fn time(self, text: &str, layout: time::Layout) -> Value {
        match time::parse_as(text, layout) {
            Ok(moment) if layout == time::Layout::Seconds => Value::String(time::seconds_text(moment)),
            Ok(moment) => Value::String(time::micros_text(moment)),
            Err(error) => self.context.fail(error),
        }
    }

    fn text(self, text: String) -> Value {
        match self.wanted() {
            Wanted::Shape(_, shape) => match shape {
                Shape::Str(_) | Shape::Any | Shape::Raw | Shape::PropsOrStrings | Shape::IntOrString => {
                    Value::String(text)
                }
                Shape::Quantity => self.quantity(&text),
                Shape::Time => self.time(&text, time::Layout::Seconds),
                Shape::MicroTime => self.time(&text, time::Layout::Micros),
                Shape::Bytes => match canonical_base64(&text) {
                    Ok(canonical) => Value::String(canonical),
                    Err(at) => self.context.fail(format!("illegal base64 data at input byte {at}")),
                },
                _ => {
                    let wanted = self.go_type();
                    self.context.mismatch("string", &wanted)
                }
            },
            Wanted::Object(_, ty) => self.context.mismatch("string", &ty.go_type()),
            Wanted::Anything => Value::String(text),
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(match self.wanted() {
            Wanted::Anything | Wanted::Shape(_, Shape::Bool | Shape::Any | Shape::Raw | Shape::PropsOrBool) => {
                Value::Bool(value)
            }
            Wanted::Shape(_, Shape::Quantity) => self.quantity(if value { "true" } else { "false" }),
            Wanted::Shape(_, Shape::IntOrString) => self.context.mismatch("bool", "int32"),
            _ => {
                let wanted = self.go_type();
                self.context.mismatch("bool", &wanted)
            }
        })
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(self.number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(self.number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        match Number::from_f64(value) {
            Some(number) => Ok(self.number(number)),
            None => Err(E::custom("a number is out of range")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(self.text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(self.text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let item = match self.wanted() {
            Wanted::Anything | Wanted::Shape(_, Shape::Any | Shape::Raw | Shape::PropsOrStrings) => Node::deduced(),
            Wanted::Shape(_, Shape::List { .. }) => self.node.item(),
            Wanted::Shape(_, Shape::PropsOrArray) => Node::deduced(),
            Wanted::Shape(_, Shape::Quantity) => {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(self.quantity("["));
            }
            _ => {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                let wanted = self.go_type();
                return Ok(self.context.mismatch("array", &wanted));
            }
        };
        let mut list = Vec::new();
        let context = self.context;
        loop {
            context.stack.push(format!("[{}]", list.len()));
            let value = items.next_element_seed(Seed { node: item, context: &mut *context })?;
            context.stack.pop();
            let Some(value) = value else { break };
            list.push(if value.is_null() { zero_node(item) } else { value });
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        match self.wanted() {
            Wanted::Object(table, ty) => read_object(self.context, table, ty, entries),
            Wanted::Anything
            | Wanted::Shape(
                _,
                Shape::Map { .. }
                | Shape::Any
                | Shape::Raw
                | Shape::FieldsV1
                | Shape::PropsOrArray
                | Shape::PropsOrBool
                | Shape::PropsOrStrings,
            ) => {
                let item = match self.wanted() {
                    Wanted::Shape(table, Shape::Map { item, .. }) => Some(Node::of_shape(table, item)),
                    _ => None,
                };
                let mut map = Map::new();
                while let Some(key) = entries.next_key::<String>()? {
                    if (item.is_some() || self.context.all_duplicates) && map.contains_key(&key) {
                        self.context.finding("duplicate", &key);
                    }
                    self.context.stack.push(key);
                    let value = entries.next_value_seed(Seed {
                        node: item.unwrap_or_else(Node::deduced),
                        context: &mut *self.context,
                    })?;
                    let key = self.context.stack.pop().ok_or_else(|| A::Error::custom("the place was lost"))?;
                    let value = match item {
                        Some(item) if value.is_null() => zero_node(item),
                        _ => value,
                    };
                    map.insert(key, value);
                }
                Ok(Value::Object(map))
            }
            Wanted::Shape(_, shape) => {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                if matches!(shape, Shape::Quantity) {
                    return Ok(self.quantity("{"));
                }
                let wanted = self.go_type();
                Ok(self.context.mismatch("object", &wanted))
            }
        }
    }
}

fn read_object<'de, A: MapAccess<'de>>(
    context: &mut Context,
    table: &Table,
    ty: &Type,
    mut entries: A,
) -> Result<Value, A::Error> {
    let mut map = Map::new();
    let mut nulls: Vec<String> = Vec::new();
    while let Some(key) = entries.next_key::<String>()? {
        let Some(field) = ty.field(&key) else {
            if ty.open {
                map.insert(key, entries.next_value()?);
            } else {
                entries.next_value::<IgnoredAny>()?;
                context.finding("unknown", &key);
            }
            continue;
        };
        if map.contains_key(&key) || nulls.contains(&key) {
            context.finding("duplicate", &key);
        }
        let outer = std::mem::replace(&mut context.struct_name, ty.go_name().to_owned());
        let embedded = embedded_name(ty, field);
        if let Some(name) = embedded {
            context.structs.push(name.into());
        }
        context.structs.push(field.json.clone());
        context.stack.push(key);
        let value =
            entries.next_value_seed(Seed { node: Node::of_shape(table, &field.shape), context: &mut *context })?;
        let key = context.stack.pop().ok_or_else(|| A::Error::custom("the place was lost"))?;
        context.structs.pop();
        if embedded.is_some() {
            context.structs.pop();
        }
        context.struct_name = outer;
        if value.is_null() {
            nulls.push(key);
        } else {
            map.insert(key, value);
        }
    }
    if !ty.custom {
        complete(table, ty, &mut map);
    }
    Ok(Value::Object(map))
}

/// The embedded Go struct a field stands in: type errors name it on the way.
fn embedded_name(ty: &Type, field: &Field) -> Option<&'static str> {
    if field.number >> 16 == 0 {
        return None;
    }
    Some(match ty.go_name() {
        "Probe" => "ProbeHandler",
        "Volume" => "VolumeSource",
        "PersistentVolumeSpec" => "PersistentVolumeSource",
        "IngressRule" => "IngressRuleValue",
        "EphemeralContainer" => "EphemeralContainerCommon",
        "RuleWithOperations" => "Rule",
        "ConfigMapEnvSource"
        | "SecretEnvSource"
        | "ConfigMapKeySelector"
        | "SecretKeySelector"
        | "ConfigMapProjection"
        | "SecretProjection"
        | "ConfigMapVolumeSource" => "LocalObjectReference",
        _ => return None,
    })
}

/// Leaves what Go's encoder would print of the struct: drops empty optional fields, adds fields that are always there.
fn complete(table: &Table, ty: &Type, map: &mut Map<String, Value>) {
    for field in ty.fields() {
        match map.get(&*field.json) {
            Some(value) => {
                if field.omitempty && !field.pointer && is_empty(&field.shape, value) && !keeps_empty(ty, field, value)
                {
                    map.remove(&*field.json);
                }
            }
            None => {
                if let Some(zero) = always_printed(table, field) {
                    map.insert(field.json.to_string(), zero);
                }
            }
        }
    }
}

/// Lists that defaults tell apart from lists that are not given, until they are refused for being empty.
fn keeps_empty(ty: &Type, field: &Field, value: &Value) -> bool {
    &*ty.name == "io.k8s.api.autoscaling.v2.HPAScalingRules" && &*field.json == "policies" && value.is_array()
}

fn is_empty(shape: &Shape, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value && !matches!(shape, Shape::Any | Shape::PropsOrBool),
        Value::Number(number) => {
            matches!(shape, Shape::Int32 | Shape::Int64 | Shape::Float) && number.as_f64() == Some(0.0)
        }
        Value::String(text) => text.is_empty() && matches!(shape, Shape::Str(_) | Shape::Bytes),
        Value::Array(items) => items.is_empty() && matches!(shape, Shape::List { .. }),
        Value::Object(map) => map.is_empty() && matches!(shape, Shape::Map { .. }),
    }
}

fn always_printed(table: &Table, field: &Field) -> Option<Value> {
    if field.pointer {
        return (!field.omitempty).then_some(Value::Null);
    }
    if field.omitzero {
        return None;
    }
    let is_struct = matches!(
        field.shape,
        Shape::Ref { .. }
            | Shape::Meta
            | Shape::Time
            | Shape::MicroTime
            | Shape::Quantity
            | Shape::IntOrString
            | Shape::Raw
    );
    if field.omitempty && !is_struct {
        return None;
    }
    Some(match &field.shape {
        Shape::List { .. } | Shape::Map { .. } => Value::Null,
        shape => zero(table, shape),
    })
}

/// The fields of an object nothing was set in; a custom kind has none.
pub(super) fn empty_object(node: Node<'_>) -> Map<String, Value> {
    let mut map = Map::new();
    if let Some((table, ty)) = node.ty()
        && !ty.custom
    {
        complete(table, ty, &mut map);
    }
    map
}

fn zero_node(node: Node<'_>) -> Value {
    match node.origin {
        Origin::Shape(table, shape) => zero(table, shape),
        _ => Value::Null,
    }
}

/// What Go prints for the zero value.
fn zero(table: &Table, shape: &Shape) -> Value {
    match shape {
        Shape::Str(_) => Value::String(String::new()),
        Shape::Bool => Value::Bool(false),
        Shape::Int32 | Shape::Int64 | Shape::Float | Shape::IntOrString => Value::from(0),
        Shape::Quantity => Value::from("0"),
        Shape::Ref { id, .. } => {
            let mut map = Map::new();
            if let Some(ty) = table.types.get(*id as usize) {
                complete(table, ty, &mut map);
            }
            Value::Object(map)
        }
        Shape::Meta => Value::Object(Map::new()),
        _ => Value::Null,
    }
}

fn go_type(table: &Table, shape: &Shape) -> String {
    match shape {
        Shape::Str(Some(named)) => {
            table.named.get(usize::from(*named)).map_or("string", |named| &*named.name).to_owned()
        }
        Shape::Str(None) | Shape::Time | Shape::MicroTime => "string".to_owned(),
        Shape::Bytes => "[]uint8".to_owned(),
        Shape::Bool => "bool".to_owned(),
        Shape::Int32 | Shape::IntOrString => "int32".to_owned(),
        Shape::Int64 => "int64".to_owned(),
        Shape::Float => "float64".to_owned(),
        Shape::Quantity => "resource.Quantity".to_owned(),
        Shape::FieldsV1 => "v1.FieldsV1".to_owned(),
        Shape::Raw => "runtime.RawExtension".to_owned(),
        Shape::Any => "v1.JSON".to_owned(),
        Shape::PropsOrArray => "v1.JSONSchemaPropsOrArray".to_owned(),
        Shape::PropsOrBool => "v1.JSONSchemaPropsOrBool".to_owned(),
        Shape::PropsOrStrings => "v1.JSONSchemaPropsOrStringArray".to_owned(),
        Shape::Ref { id, .. } => table.types.get(*id as usize).map(Type::go_type).unwrap_or_default(),
        Shape::Meta => "v1.ObjectMeta".to_owned(),
        Shape::List { item, .. } => format!("[]{}", go_type(table, item)),
        Shape::Map { item, .. } if matches!(**item, Shape::Quantity) => "v1.ResourceList".to_owned(),
        Shape::Map { item, .. } => format!("map[string]{}", go_type(table, item)),
    }
}

/// Base64 with line breaks removed, as Go reads and prints it; or where it is wrong.
fn canonical_base64(text: &str) -> Result<String, usize> {
    use base64::Engine as _;
    let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    match base64::engine::general_purpose::STANDARD.decode(&clean) {
        Ok(_) => Ok(clean),
        Err(base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _)) => Err(at),
        Err(_) => Err(clean.len() / 4 * 4),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decode(api_version: &str, kind: &str, text: &str) -> Result<Decoded, String> {
        let gvk = Gvk::from_api_version(api_version, kind);
        Schemas::builtin().decode_json(&gvk, text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn unknown_and_duplicate_fields_are_found_in_order() {
        let decoded =
            decode("v1", "ConfigMap", r#"{"metadata":{"name":"a","foo":1},"data":{"x":"1","x":"2"},"zip":0}"#);
        let findings = decoded.expect("decodes").findings;
        assert_eq!(
            findings,
            [r#"unknown field "metadata.foo""#, r#"duplicate field "data.x""#, r#"unknown field "zip""#]
        );
        let text = r#"{"spec":{"containers":[{"name":"c","imge":"x"}]}}"#;
        assert_eq!(
            decode("v1", "Pod", text).expect("decodes").findings,
            [r#"unknown field "spec.containers[0].imge""#]
        );
    }

    #[test]
    fn a_wrong_type_is_named_as_go_names_it() {
        assert_eq!(
            decode("apps/v1", "Deployment", r#"{"spec":{"replicas":"3"}}"#).expect_err("a string"),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
        );
        assert_eq!(
            decode("v1", "Pod", r#"{"spec":{"containers":[{"name":"c","env":[{"name":"A","value":1}]}]}}"#)
                .expect_err("a number"),
            "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string"
        );
        assert_eq!(
            decode("v1", "ConfigMap", r#"{"data":{"a":true}}"#).expect_err("a bool"),
            "json: cannot unmarshal bool into Go struct field ConfigMap.data of type string"
        );
        assert_eq!(
            decode("v1", "Pod", r#"{"spec":{"restartPolicy":1}}"#).expect_err("a number"),
            "json: cannot unmarshal number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy"
        );
    }

    #[test]
    fn the_value_is_what_go_would_print_again() {
        let text = r#"{"metadata":{"name":"d","labels":{},"annotations":null},"spec":{"selector":{"matchLabels":{"a":"b"}},
            "template":{"spec":{"containers":[{"name":"c","args":[],"resources":{"limits":{"cpu":"1000m","memory":1024}}}]}}}}"#;
        assert_eq!(
            decode("apps/v1", "Deployment", text).expect("decodes").value,
            json!({"metadata": {"name": "d"}, "status": {}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "strategy": {},
                "template": {"metadata": {}, "spec": {"containers": [
                    {"name": "c", "resources": {"limits": {"cpu": "1", "memory": "1024"}}}]}}}})
        );
    }
}
