//! Values written as protobuf bodies.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::MAGIC;
use crate::Gvk;
use crate::schema::{Field, Schemas, Shape, Table, Type};
use crate::time::{self, Moment};

impl Schemas {
    /// Writes an object of a built-in kind as a protobuf body with its envelope; `None` for a kind without field numbers and for a value
    /// that is not of its kind's shape.
    pub fn encode_protobuf(&self, object: &Value) -> Option<Vec<u8>> {
        let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
        let node = self.kind(&Gvk::from_api_version(text("apiVersion"), text("kind")))?;
        let (table, ty) = node.ty().filter(|(_, ty)| !ty.custom)?;
        let mut raw = Vec::new();
        fields(table, ty, &[], object.as_object()?, &mut raw)?;
        let mut meta = Vec::new();
        bytes(&mut meta, 1, text("apiVersion").as_bytes());
        bytes(&mut meta, 2, text("kind").as_bytes());
        let mut body = MAGIC.to_vec();
        bytes(&mut body, 1, &meta);
        bytes(&mut body, 2, &raw);
        bytes(&mut body, 3, b"");
        bytes(&mut body, 4, b"");
        Some(body)
    }
}

/// The numbers that lead to a field, outermost first.
fn numbers(field: &Field) -> impl Iterator<Item = u64> + use<> {
    let packed = field.number;
    (0..4).rev().map(move |level| packed >> (16 * level) & 0xffff).skip_while(|number| *number == 0)
}

/// Writes the fields of `ty` that stand in the inlined message that `prefix` leads to.
fn fields(table: &Table, ty: &Type, prefix: &[u64], map: &Map<String, Value>, out: &mut Vec<u8>) -> Option<()> {
    let mut inlined = Vec::new();
    for field in ty.fields() {
        let Some(value) = map.get(&*field.json).filter(|value| !value.is_null()) else { continue };
        let path: Vec<u64> = numbers(field).collect();
        let Some(rest) = path.strip_prefix(prefix) else { continue };
        match *rest {
            [number] => write(table, &field.shape, number, value, out)?,
            [number, ..] if !inlined.contains(&number) => {
                inlined.push(number);
                let mut inner = Vec::new();
                fields(table, ty, &[prefix, &[number]].concat(), map, &mut inner)?;
                bytes(out, number, &inner);
            }
            _ => {}
        }
    }
    Some(())
}

/// Writes a field: its key and its value, once for each item of a list or map.
fn write(table: &Table, shape: &Shape, number: u64, value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match shape {
        Shape::List { item, wrapped: true, .. } => {
            let mut inner = Vec::new();
            for value in value.as_array()? {
                write(table, item, 1, value, &mut inner)?;
            }
            bytes(out, number, &inner);
        }
        Shape::List { item, .. } => {
            for value in value.as_array()? {
                write(table, item, number, value, out)?;
            }
        }
        Shape::Map { item, .. } => {
            for (key, value) in value.as_object()? {
                let mut entry = Vec::new();
                bytes(&mut entry, 1, key.as_bytes());
                if !value.is_null() {
                    write(table, item, 2, value, &mut entry)?;
                }
                bytes(out, number, &entry);
            }
        }
        Shape::Bool => integer(out, number, u64::from(value.as_bool()?)),
        Shape::Int32 | Shape::Int64 => integer(out, number, whole(value)?),
        Shape::Float => {
            varint(out, number << 3 | 1);
            out.extend_from_slice(&value.as_f64()?.to_bits().to_le_bytes());
        }
        Shape::Str(_) => bytes(out, number, value.as_str()?.as_bytes()),
        Shape::Bytes => {
            bytes(out, number, &base64::engine::general_purpose::STANDARD.decode(value.as_str()?).ok()?);
        }
        shape => {
            let mut inner = Vec::new();
            message(table, shape, value, &mut inner)?;
            bytes(out, number, &inner);
        }
    }
    Some(())
}

/// Writes what stands in a message of its own.
fn message(table: &Table, shape: &Shape, value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match shape {
        Shape::Quantity => match value {
            Value::String(text) => bytes(out, 1, text.as_bytes()),
            other => bytes(out, 1, other.to_string().as_bytes()),
        },
        Shape::IntOrString => match value {
            Value::String(text) => {
                integer(out, 1, 1);
                bytes(out, 3, text.as_bytes());
            }
            other => {
                integer(out, 1, 0);
                integer(out, 2, whole(other)?);
            }
        },
        Shape::Time | Shape::MicroTime => {
            let Moment { seconds, nanos } = time::parse(value.as_str()?)?;
            integer(out, 1, seconds as u64);
            integer(out, 2, u64::from(nanos));
        }
        Shape::Raw | Shape::Any | Shape::FieldsV1 => bytes(out, 1, value.to_string().as_bytes()),
        Shape::PropsOrArray => match value {
            Value::Array(schemas) => {
                for schema in schemas {
                    props(table, 2, schema, out)?;
                }
            }
            schema => props(table, 1, schema, out)?,
        },
        Shape::PropsOrBool => match value {
            Value::Bool(allows) => integer(out, 1, u64::from(*allows)),
            schema => {
                integer(out, 1, 1);
                props(table, 2, schema, out)?;
            }
        },
        Shape::PropsOrStrings => match value {
            Value::Array(names) => {
                for name in names {
                    bytes(out, 2, name.as_str()?.as_bytes());
                }
            }
            schema => props(table, 1, schema, out)?,
        },
        Shape::Ref { id, .. } => fields(table, table.types.get(*id as usize)?, &[], value.as_object()?, out)?,
        _ => return None,
    }
    Some(())
}

fn props(table: &Table, number: u64, schema: &Value, out: &mut Vec<u8>) -> Option<()> {
    let ty = table.types.iter().find(|ty| ty.name.ends_with(".v1.JSONSchemaProps"))?;
    let mut inner = Vec::new();
    fields(table, ty, &[], schema.as_object()?, &mut inner)?;
    bytes(out, number, &inner);
    Some(())
}

/// An integer in two's complement, as varints carry negative ones.
fn whole(value: &Value) -> Option<u64> {
    value.as_i64().map(|number| number as u64)
}

fn integer(out: &mut Vec<u8>, number: u64, value: u64) {
    varint(out, number << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, number: u64, value: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let schemas = Schemas::builtin();
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "d", "namespace": "n", "labels": {"a": "b", "c": ""}, "creationTimestamp": "2026-01-02T03:04:05Z",
                "managedFields": [{"manager": "m", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}}}],
            },
            "spec": {
                "replicas": 0, "selector": {"matchLabels": {"a": "b"}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
                    "containers": [{"name": "c", "image": "i", "args": ["x", ""], "env": [{"name": "E", "value": "v"}],
                        "resources": {"limits": {"cpu": "100m", "memory": "1Gi"}}, "ports": [{"containerPort": 80, "name": "http"}],
                        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "initialDelaySeconds": 3},
                        "securityContext": {"runAsUser": -1, "privileged": false}}],
                    "volumes": [{"name": "s", "secret": {"secretName": "x", "defaultMode": 420}}, {"name": "e", "emptyDir": {}}],
                }},
            },
            "status": {},
        });
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "AAH/"}});
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "ws.e.io"},
            "spec": {"group": "e.io", "scope": "Namespaced", "names": {"plural": "ws", "kind": "W"}, "versions": [{
                "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "n": {"type": "number", "maximum": 1.5, "default": {"a": [1]}},
                    "m": {"type": "object", "additionalProperties": {"type": "string"}},
                    "l": {"type": "array", "items": {"type": "string"}},
                }}},
            }]},
        });
        for object in [deployment, secret, definition] {
            let body = schemas.encode_protobuf(&object).expect("a built-in kind");
            let (_, decoded) = schemas.decode_protobuf(&body).expect("reads");
            let plain = schemas.decode_json(&gvk(&object), object.to_string().as_bytes()).expect("decodes");
            assert_eq!(decoded.value, plain.value);
        }
    }

    #[test]
    fn kinds_without_numbers_are_not_written() {
        assert_eq!(Schemas::builtin().encode_protobuf(&json!({"apiVersion": "e.io/v1", "kind": "W"})), None);
        assert_eq!(
            Schemas::builtin().encode_protobuf(&json!({"apiVersion": "v1", "kind": "Secret", "data": [1]})),
            None
        );
    }

    fn gvk(object: &Value) -> Gvk {
        Gvk::from_api_version(object["apiVersion"].as_str().expect("text"), object["kind"].as_str().expect("text"))
    }
}
