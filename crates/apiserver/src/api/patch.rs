//! Patches: JSON patch, merge patch, strategic merge patch, apply.

use std::sync::Arc;

use landfall_object::Gvk;
use landfall_object::merge::managed::OnConflict;
use landfall_object::merge::{json_patch, merge_patch, strategic};
use landfall_object::schema::Schemas;
use serde_json::{Value, json};

use super::answer::Answer;
use super::body::{self, FieldValidation};
use super::target::Target;
use super::{Call, duplicates, view};
use crate::managers::{self, Apply};
use crate::plane::Plane;
use crate::status::{FieldError, Status};
use crate::world::{Create, Effect, Part, Stored, Tracking, Update, VersionRule, World};

/// The most operations a JSON patch may have (`maxJSONPatchOperations`).
const MAX_OPERATIONS: usize = 10_000;

#[derive(Clone, Copy, PartialEq)]
enum PatchKind {
    Json,
    Merge,
    Strategic,
    Apply,
}

fn kind_of(call: &Call, custom: bool) -> Result<PatchKind, Status> {
    match body::media_type(&call.headers).as_str() {
        "application/json-patch+json" => Ok(PatchKind::Json),
        "application/merge-patch+json" => Ok(PatchKind::Merge),
        "application/strategic-merge-patch+json" if !custom => Ok(PatchKind::Strategic),
        "application/apply-patch+yaml" => Ok(PatchKind::Apply),
        _ if custom => Err(Status::unsupported_media_type(
            "the body of the request was in an unknown format - accepted media types include: \
             application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )),
        // Refused by the route, before anything is known of the object.
        _ => {
            let mut status = Status::unsupported_media_type("415: Unsupported Media Type");
            status.details = Some(Box::default());
            Err(status)
        }
    }
}

pub(crate) fn patch(plane: &Arc<Plane>, call: &Call, target: &Target<'_>, part: Part) -> Result<Answer, Status> {
    let kind = kind_of(call, target.resource.custom.is_some())?;
    let effect = call.query.effect("PatchOptions")?;
    call.check_manager("PatchOptions")?;
    let validation = FieldValidation::of(&call.query, "PatchOptions")?;
    let mut errors = Vec::new();
    if kind == PatchKind::Apply {
        if call.query.get("fieldManager").is_empty() {
            errors.push(FieldError::required("fieldManager", "is required for apply patch"));
        }
    } else if call.query.has("force") {
        errors.push(FieldError::forbidden("force", "may not be specified for non-apply patch"));
    }
    if !errors.is_empty() {
        return Err(Status::invalid("meta.k8s.io", "PatchOptions", "", errors));
    }
    call.remarks.warn_all(view::deprecation(target));
    let mut world = plane.world.lock();
    let (stored, code) = if kind == PatchKind::Apply {
        apply(&mut world, call, target, part, effect, validation)?
    } else {
        let actor = call.actor();
        let update = Update {
            actor: &actor,
            resource: target.resource,
            namespace: &target.path.namespace,
            name: &target.path.name,
            part,
            effect,
            tracking: Tracking::Update,
            version_rule: VersionRule::Unconditional,
            remarks: &call.remarks,
        };
        let stored = world.update_as(update, |world, live| {
            let gvk = Gvk::new(&*target.resource.group, &*target.resource.version, &*target.resource.kind);
            let (patched, found) = patched(world.schemas(), call, kind, &gvk, live, target.resource.custom.is_some())?;
            if kind == PatchKind::Json && !patched.is_object() {
                return Err(without_version(&patched));
            }
            let (object, findings) = read_back(world.schemas(), target, &patched)
                .map_err(|status| if kind == PatchKind::Strategic { restored(status, &call.body) } else { status })?;
            let found = found.into_iter().chain(findings).collect();
            let refuse = |why: &str| {
                let error = FieldError::invalid("patch", patched.to_string(), why);
                Status::invalid("", "", "", vec![error])
            };
            // A strategic patch is read back by a converter that asks for no kind.
            if kind != PatchKind::Strategic && target.resource.custom.is_none() {
                body::check_same_kind(world.schemas(), &patched, &gvk).map_err(|why| refuse(&why))?;
            }
            call.remarks.warn_all(validation.judge(found, refuse)?);
            Ok(object)
        })?;
        (stored, 200)
    };
    let (registry, now) = (world.registry().clone(), world.now());
    drop(world);
    view::object(&registry, target.resource, &stored, call, code, now)
}

/// The patched value of something that is not a stored object, such as a Scale.
pub(crate) fn plain(schemas: &Schemas, call: &Call, gvk: &Gvk, live: &Value) -> Result<Value, Status> {
    let kind = kind_of(call, false)?;
    if kind == PatchKind::Apply {
        let text = body::yaml_to_json(&call.body)?;
        let applied: Value = serde_json::from_slice(&text).map_err(|error| Status::bad_request(error.to_string()))?;
        return Ok(merge_patch::apply(live, &applied));
    }
    patched(schemas, call, kind, gvk, live, false).map(|(value, _)| value)
}

fn patched(
    schemas: &Schemas,
    call: &Call,
    kind: PatchKind,
    gvk: &Gvk,
    live: &Value,
    custom: bool,
) -> Result<(Value, Vec<String>), Status> {
    let mut findings = Vec::new();
    let patch = duplicates::parse(&call.body, &mut findings).map_err(|error| {
        let why = if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() };
        Status::bad_request(format!("error decoding patch: {why}"))
    })?;
    match kind {
        PatchKind::Json => {
            let operations = json_patch::parse(&patch).map_err(|error| match error {
                json_patch::JsonPatchError::NotAList => Status::bad_request(
                    "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
                ),
                _ => Status::unprocessable(),
            })?;
            if operations.len() > MAX_OPERATIONS {
                return Err(Status::too_large(format!(
                    "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
                    operations.len()
                )));
            }
            Ok((json_patch::apply(live, &operations).map_err(|_| Status::unprocessable())?, Vec::new()))
        }
        PatchKind::Merge => {
            if !patch.is_object() {
                let found = match &patch {
                    Value::Array(_) => "array",
                    Value::String(_) => "string",
                    Value::Bool(_) => "bool",
                    _ => "number",
                };
                return Err(Status::bad_request(format!(
                    "error decoding patch: json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
                )));
            }
            Ok((merge_patch::apply(live, &patch), findings))
        }
        PatchKind::Strategic | PatchKind::Apply => {
            let schema = if custom { None } else { schemas.kind(gvk) };
            let Some(schema) = schema else {
                return Err(Status::unsupported_media_type("strategic merge patch is not supported for this kind"));
            };
            let (Some(original), Some(patch)) = (live.as_object(), patch.as_object()) else {
                return Err(Status::bad_request("error decoding patch: a strategic merge patch must be an object"));
            };
            let merged = strategic::apply(original, patch, schema).map_err(|error| match error {
                strategic::StrategicError::Malformed(_) => {
                    Status { message: error.to_string(), ..Status::unprocessable() }
                }
                error => Status::plain_error(error.to_string()),
            })?;
            Ok((Value::Object(merged), findings))
        }
    }
}

/// A JSON patch may leave no object, of which nobody can tell the kind (`runtime/serializer/json/meta.go`).
fn without_version(patched: &Value) -> Status {
    let why = "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type struct { \
               APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
    Status::invalid("", "", "", vec![FieldError::invalid("patch", patched.to_string(), why)])
}

/// Strategic merges are read back by another converter, with words of its own (`runtime/converter.go`).
fn restored(status: Status, patch: &[u8]) -> Status {
    let Some(rest) = status.message.split("json: cannot unmarshal ").nth(1) else { return status };
    let found = rest.split(' ').next().unwrap_or_default();
    let wanted = rest.rsplit("of type ").next().unwrap_or_default();
    let why = if wanted.starts_with("map[") {
        format!("cannot restore map from {found}")
    } else if wanted.starts_with("[]") {
        format!("cannot restore slice from {found}")
    } else if wanted.starts_with(|c: char| c.is_ascii_lowercase()) && !wanted.contains('.') {
        format!("cannot convert {found} to {wanted}")
    } else {
        format!("cannot restore struct from: {found}")
    };
    let error = FieldError::invalid("patch", String::from_utf8_lossy(patch).into_owned(), why);
    Status::invalid("", "", "", vec![error])
}

/// What the typed round trip makes of a patched object, with strict findings.
fn read_back(schemas: &Schemas, target: &Target<'_>, patched: &Value) -> Result<(Value, Vec<String>), Status> {
    let resource = target.resource;
    let refuse = |why: String| {
        let error = FieldError::invalid("patch", patched.to_string(), why);
        Status::invalid("", "", "", vec![error])
    };
    let gvk = Gvk::new(&*resource.group, &*resource.version, &*resource.kind);
    let decoded = schemas.decode(&gvk, patched).map_err(|error| refuse(error.to_string()))?;
    Ok((decoded.value, decoded.findings))
}

/// Keys that a configuration sets twice, of which all but the last would be lost: found once it could be applied, as
/// `applyPatchToCurrentObject` does (`apiserver/pkg/endpoints/handlers/patch.go`).
fn check_repeated(call: &Call, validation: FieldValidation) -> Result<(), Status> {
    let found = || crate::yaml_text::check_repeated(&call.body);
    match validation {
        FieldValidation::Ignore => Ok(()),
        FieldValidation::Warn => {
            if let Err(error) = found() {
                call.remarks.warn_all(warnings_of(&error));
            }
            Ok(())
        }
        FieldValidation::Strict => {
            found().map_err(|error| Status::bad_request(format!("error strict decoding YAML: {error}")))
        }
    }
}

/// What go-yaml says on several lines, each as a warning of its own (`parseYAMLWarnings` in `handlers/rest.go`).
fn warnings_of(error: &str) -> Vec<String> {
    let mut lines = error.lines();
    let first = lines.next().unwrap_or_default();
    let rest: Vec<String> = lines.map(|line| line.trim().to_owned()).collect();
    if rest.is_empty() { vec![first.to_owned()] } else { rest }
}

fn apply(
    world: &mut World,
    call: &Call,
    target: &Target<'_>,
    part: Part,
    effect: Effect,
    validation: FieldValidation,
) -> Result<(Arc<Stored>, u16), Status> {
    let (resource, path) = (target.resource, target.path);
    let text = body::yaml_to_json(&call.body)?;
    let mut applied: Value =
        serde_json::from_slice(&text).map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")))?;
    if !applied.is_object() {
        return Err(Status::bad_request("error decoding YAML: the body must be an object"));
    }
    let (kind, version) =
        (applied["kind"].as_str().unwrap_or_default(), applied["apiVersion"].as_str().unwrap_or_default());
    if kind.is_empty() && version.is_empty() {
        return Err(Status::bad_request("invalid object type: /, Kind="));
    }
    let given = Gvk::from_api_version(version, kind);
    let is_known = resource.custom.is_some() || world.schemas().kind(&given).is_some();
    if kind != resource.kind || !is_known {
        let slash = if version.contains('/') { "" } else { "/" };
        return Err(Status::bad_request(format!("invalid object type: {slash}{version}, Kind={kind}")));
    }
    if applied["metadata"].get("managedFields").is_some_and(|fields| !fields.is_null() && fields != &json!([])) {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    if !applied["metadata"].is_object() {
        applied["metadata"] = json!({});
    }
    let given = applied["metadata"]["name"].as_str().unwrap_or_default();
    if given.is_empty() {
        applied["metadata"]["name"] = json!(path.name);
    } else if given != path.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({})",
            path.name
        )));
    }
    // The configuration stays as it was given; only a namespace that contradicts the path is refused.
    crate::world::settle_namespace(resource, &path.namespace, &mut applied.clone())?;
    let actor = call.actor();
    let request = Apply {
        resource,
        applied: &applied,
        manager: &actor.manager,
        subresource: part.subresource(),
        on_conflict: if call.query.flag("force") { OnConflict::Force } else { OnConflict::Refuse },
    };
    if world.find(&resource.id, &path.namespace, &path.name).is_none() {
        if part != Part::Main {
            return Err(Status::not_found(&path.group, &path.resource, &path.name));
        }
        if applied["metadata"]["uid"].as_str().is_some_and(|uid| !uid.is_empty()) {
            let why = format!(
                "uid mismatch: the provided object specified uid {}, and no existing object was found",
                applied["metadata"]["uid"].as_str().unwrap_or_default()
            );
            return Err(Status::conflict(&path.group, &path.resource, &path.name, &why));
        }
        let object = managers::apply(world, None, &request)?;
        check_repeated(call, validation)?;
        let (object, findings) = read_back(world.schemas(), target, &object)?;
        call.remarks.warn_all(validation.judge(findings, |why| Status::bad_request(why))?);
        let create = Create {
            actor: &actor,
            resource,
            namespace: &path.namespace,
            asked: &path.name,
            object,
            effect,
            tracking: Tracking::Done,
            remarks: &call.remarks,
        };
        return Ok((world.create_as(create)?, 201));
    }
    let update = Update {
        actor: &actor,
        resource,
        namespace: &path.namespace,
        name: &path.name,
        part,
        effect,
        tracking: Tracking::Done,
        version_rule: VersionRule::Unconditional,
        remarks: &call.remarks,
    };
    let stored = world.update_as(update, |world, live| {
        let object = managers::apply(world, Some(live), &request)?;
        check_repeated(call, validation)?;
        read_back(world.schemas(), target, &object).map(|(object, _)| object)
    })?;
    Ok((stored, 200))
}
