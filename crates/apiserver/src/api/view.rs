//! Objects in the form that was negotiated.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::Call;
use super::accept::{Encoding, Form};
use super::answer::Answer;
use super::target::Target;
use crate::convert;
use crate::resource::{Registry, Resource};
use crate::status::Status;
use crate::table;
use crate::world::Stored;

/// How much of the object a table's row carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    None,
    Metadata,
    Object,
}

impl Include {
    pub(crate) fn of(call: &Call) -> Result<Self, Status> {
        match call.query.get("includeObject") {
            "" | "Metadata" => Ok(Self::Metadata),
            "None" => Ok(Self::None),
            "Object" => Ok(Self::Object),
            other => Err(Status::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: must be 'Metadata', 'Object', 'None', or empty"
            ))),
        }
    }
}

/// One object under a code.
pub(crate) fn object(
    registry: &Registry,
    resource: &Resource,
    stored: &Arc<Stored>,
    call: &Call,
    code: u16,
    now: jiff::Timestamp,
) -> Result<Answer, Status> {
    call.remarks.stands_at(stored.version());
    if call.accept.form == Form::Whole && call.accept.encoding == Encoding::Json && same_shape(registry, resource) {
        let mut out = Vec::new();
        stored.write_json(&resource.api_version(), &mut out);
        out.push(b'\n');
        return Ok(Answer::bytes(code, "application/json", Bytes::from(out)));
    }
    let value = shown(registry, resource, stored.value(), call, now)?;
    Ok(Answer::value(code, &value, call.accept.encoding))
}

/// The value that a client gets for one object.
pub(crate) fn shown(
    registry: &Registry,
    resource: &Resource,
    stored: &Value,
    call: &Call,
    now: jiff::Timestamp,
) -> Result<Value, Status> {
    let object = convert::from_storage(registry, resource, stored);
    Ok(match call.accept.form {
        Form::Whole => object.into_owned(),
        Form::Metadata => metadata(&object),
        Form::Table => {
            let mut table = table::of(resource, std::iter::once(&*object), now);
            attach(&mut table, std::iter::once(&*object), Include::of(call)?);
            table["metadata"] = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            table
        }
    })
}

/// A scale in the form that was negotiated.
pub(crate) fn scale(scale: Value, call: &Call, now: jiff::Timestamp) -> Result<Value, Status> {
    Ok(match call.accept.form {
        Form::Whole => scale,
        Form::Metadata => metadata(&scale),
        Form::Table => {
            let mut table = table::of_scale(&scale, now);
            attach(&mut table, std::iter::once(&scale), Include::of(call)?);
            table["metadata"] = json!({"resourceVersion": scale["metadata"]["resourceVersion"]});
            table
        }
    })
}

/// Puts objects into the rows of a table.
pub(crate) fn attach<'a>(table: &mut Value, objects: impl Iterator<Item = &'a Value>, include: Include) {
    let rows = table["rows"].as_array_mut().into_iter().flatten();
    for (row, object) in rows.zip(objects) {
        row["object"] = match include {
            Include::None => Value::Null,
            Include::Metadata => metadata(object),
            Include::Object => object.clone(),
        };
    }
}

/// `PartialObjectMetadata` of an object.
pub(crate) fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// True when the version asked for differs from the stored one in its name at most.
pub(crate) fn same_shape(registry: &Registry, resource: &Resource) -> bool {
    registry.stored(&resource.id).is_none_or(|stores| {
        stores.version == resource.version && stores.group == resource.group || resource.custom.is_some()
    })
}

/// The warning of a deprecated custom version.
pub(crate) fn deprecation(target: &Target<'_>) -> Vec<String> {
    let resource = target.resource;
    let built_in = match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "ComponentStatus") => Some("v1 ComponentStatus is deprecated in v1.19+"),
        ("", "Endpoints") => Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"),
        _ => None,
    };
    let custom = resource.custom.as_ref().and_then(|custom| custom.deprecation.clone());
    built_in.map(str::to_owned).or(custom).into_iter().collect()
}
