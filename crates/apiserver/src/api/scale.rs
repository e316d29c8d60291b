//! `/scale`: replicas of anything that has them.

use std::sync::Arc;

use landfall_object::Gvk;
use landfall_object::merge::managed::OnConflict;
use serde_json::{Value, json};

use super::answer::Answer;
use super::body::{self, FieldValidation};
use super::target::Target;
use super::{Call, patch, view};
use crate::managers::{self, Apply};
use crate::plane::Plane;
use crate::resource::{Resource, ScalePaths};
use crate::selector::LabelSelector;
use crate::status::{FieldError, Status};
use crate::world::{Part, Tracking, Update, VersionRule};

pub(crate) fn scale(plane: &Arc<Plane>, call: &Call, target: &Target<'_>, verb: &str) -> Result<Answer, Status> {
    let paths = paths(target.resource);
    let path = target.path;
    let mut world = plane.world.lock();
    if verb == "get" {
        let object = world.get(&target.resource.id, &path.namespace, &path.name)?;
        let scale = scale_of(target.resource, &paths, object.value())?;
        return Ok(Answer::value(200, &view::scale(scale, call, world.now())?, call.accept.encoding));
    }
    let effect = call.query.effect("UpdateOptions")?;
    let actor = call.actor();
    let request = Update {
        actor: &actor,
        resource: target.resource,
        namespace: &path.namespace,
        name: &path.name,
        part: Part::Scale,
        effect,
        tracking: Tracking::Update,
        version_rule: VersionRule::Unconditional,
        remarks: &call.remarks,
    };
    let gvk = Gvk::new("autoscaling", "v1", "Scale");
    let apply = body::media_type(&call.headers) == "application/apply-patch+yaml";
    let request = Update { tracking: if apply { Tracking::Done } else { request.tracking }, ..request };
    let stored = world.update_as(request, |world, live| {
        let shown = scale_of(target.resource, &paths, live)?;
        let wanted = if verb == "update" {
            body::typed(world.schemas(), &gvk, &call.headers, &call.body, FieldValidation::Warn)?.0
        } else {
            let patched = patch::plain(world.schemas(), call, &gvk, &shown)?;
            world.schemas().decode(&gvk, &patched).map_err(|error| Status::bad_request(error.to_string()))?.value
        };
        let mut object = live.clone();
        let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
        if replicas < 0 {
            let error = FieldError::invalid("spec.replicas", replicas, "must be greater than or equal to 0");
            return Err(Status::invalid("autoscaling", "Scale", &path.name, vec![error]));
        }
        let uid = wanted["metadata"]["uid"].as_str().unwrap_or_default();
        if !uid.is_empty() {
            object["metadata"]["uid"] = json!(uid);
        }
        match wanted["metadata"]["resourceVersion"].as_str() {
            Some(version) if !version.is_empty() => object["metadata"]["resourceVersion"] = json!(version),
            _ => {}
        }
        if apply {
            let metadata = json!({"name": path.name});
            let mut applied =
                json!({"apiVersion": target.resource.api_version(), "kind": target.resource.kind, "metadata": metadata});
            set_at(&mut applied, &paths.spec_replicas, json!(replicas));
            let apply = Apply {
                resource: target.resource,
                applied: &applied,
                manager: &actor.manager,
                subresource: "scale",
                on_conflict: if call.query.flag("force") { OnConflict::Force } else { OnConflict::Refuse },
            };
            return managers::apply(world, Some(live), &apply);
        }
        set_at(&mut object, &paths.spec_replicas, json!(replicas));
        Ok(object)
    })?;
    let scale = view::scale(scale_of(target.resource, &paths, stored.value())?, call, world.now())?;
    drop(world);
    Ok(Answer::value(200, &scale, call.accept.encoding))
}

fn paths(resource: &Resource) -> ScalePaths {
    resource.custom.as_ref().and_then(|custom| custom.scale.clone()).unwrap_or_else(|| ScalePaths {
        spec_replicas: ".spec.replicas".to_owned(),
        status_replicas: ".status.replicas".to_owned(),
        label_selector: None,
    })
}

fn scale_of(resource: &Resource, paths: &ScalePaths, object: &Value) -> Result<Value, Status> {
    let metadata = &object["metadata"];
    let replicas = at(object, &paths.spec_replicas).and_then(Value::as_i64);
    if resource.custom.is_some() && replicas.is_none() {
        return Err(Status::internal(format!("the spec replicas field {:?} does not exist", paths.spec_replicas)));
    }
    let selector = match &paths.label_selector {
        Some(path) => at(object, path).and_then(Value::as_str).unwrap_or_default().to_owned(),
        None if resource.custom.is_some() => String::new(),
        None if resource.plural == "replicationcontrollers" => {
            LabelSelector::from_labels(&object["spec"]["selector"]).to_string()
        }
        None => LabelSelector::from_value(&object["spec"]["selector"]).to_string(),
    };
    let mut shown = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {},
        "status": {"replicas": at(object, &paths.status_replicas).and_then(Value::as_i64).unwrap_or(0)},
    });
    if !metadata["namespace"].is_null() {
        shown["metadata"]["namespace"] = metadata["namespace"].clone();
    }
    if let Some(replicas) = replicas.filter(|replicas| *replicas != 0) {
        shown["spec"]["replicas"] = json!(replicas);
    }
    if !selector.is_empty() {
        shown["status"]["selector"] = json!(selector);
    }
    Ok(shown)
}

fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|part| !part.is_empty()).try_fold(object, |value, part| value.get(part))
}

fn set_at(object: &mut Value, path: &str, value: Value) {
    let mut place = object;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        if !place.is_object() && !place.is_null() {
            return;
        }
        place = &mut place[part];
    }
    *place = value;
}
