//! Access and token reviews: asked and answered, never stored.

use std::sync::Arc;

use landfall_object::Gvk;
use serde_json::{Value, json};

use super::Call;
use super::answer::Answer;
use super::body::{self, FieldValidation};
use super::identity::{of_token, user_info};
use super::target::Target;
use super::token::{INVALID, ISSUER};
use crate::plane::Plane;
use crate::rbac::{self, Attributes, Decision};
use crate::resource::Resource;
use crate::status::{FieldError, Status};
use crate::world::{Authorization, User};

/// True for the kinds that are only asked.
pub(crate) fn is_review(resource: &Resource) -> bool {
    matches!(resource.group.as_str(), "authentication.k8s.io" | "authorization.k8s.io")
}

pub(crate) fn create(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let resource = target.resource;
    let gvk = Gvk::new(&*resource.group, &*resource.version, &*resource.kind);
    let validation = FieldValidation::of(&call.query, "CreateOptions")?;
    let (mut review, findings) = body::typed(&plane.schemas(), &gvk, &call.headers, &call.body, validation)?;
    call.remarks.warn_all(findings);
    review["metadata"] =
        review.get("metadata").filter(|metadata| metadata.is_object()).cloned().unwrap_or_else(|| json!({}));
    let spec = review["spec"].clone();
    review["status"] = match resource.plural.as_str() {
        "selfsubjectreviews" => json!({"userInfo": user_info(&call.user)}),
        "tokenreviews" => token_review(plane, &spec)?,
        "selfsubjectrulesreviews" => rules_review(plane, &call.user, spec["namespace"].as_str().unwrap_or_default()),
        "selfsubjectaccessreviews" => access(plane, resource, Some(&call.user), &spec)?,
        "localsubjectaccessreviews" => {
            let namespace = spec["resourceAttributes"]["namespace"].as_str().unwrap_or_default();
            if namespace != target.path.namespace {
                let field = "spec.resourceAttributes.namespace";
                let error = FieldError::invalid(field, namespace, "must match metadata.namespace");
                return Err(Status::invalid(&resource.group, "", "", vec![error]));
            }
            access(plane, resource, None, &spec)?
        }
        _ => access(plane, resource, None, &spec)?,
    };
    if resource.plural == "selfsubjectrulesreviews" {
        // The real server makes this answer anew (`pkg/registry/authorization/selfsubjectrulesreview`).
        review["metadata"] = json!({});
        review["spec"] = json!({});
        return Ok(Answer::value(201, &review, call.accept.encoding));
    }
    let world = plane.world.lock();
    if resource.plural == "selfsubjectreviews" {
        review["metadata"]["creationTimestamp"] = json!(crate::clock::rfc3339(world.now()));
    }
    // Even what is never stored says who set it.
    let status = review["status"].take();
    if let Some(map) = review.as_object_mut() {
        map.remove("status");
    }
    crate::managers::record_update(&world, resource, None, &mut review, &call.actor().manager, "");
    drop(world);
    review["status"] = status;
    Ok(Answer::value(201, &review, call.accept.encoding))
}

fn token_review(plane: &Plane, spec: &Value) -> Result<Value, Status> {
    let token = spec["token"].as_str().unwrap_or_default();
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let asked: Vec<&str> = spec["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let asked = if asked.is_empty() { vec![ISSUER] } else { asked };
    // The real server reads the token from a header made of it, of which the first word counts.
    let token = token.split_whitespace().next().unwrap_or_default();
    Ok(match of_token(plane, token, &asked) {
        Ok((user, audiences)) => {
            json!({"authenticated": true, "user": user_info(&user), "audiences": audiences})
        }
        Err(why) if why == INVALID => json!({"user": {}, "error": why}),
        Err(why) => json!({"user": {}, "error": format!("[{INVALID}, {why}]")}),
    })
}

fn subject(spec: &Value) -> Result<User, FieldError> {
    let list = |field: &str| -> Vec<String> {
        spec[field].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let user = User {
        name: spec["user"].as_str().unwrap_or_default().to_owned(),
        groups: list("groups"),
        uid: spec["uid"].as_str().unwrap_or_default().to_owned(),
        extra: Default::default(),
    };
    if user.name.is_empty() && user.groups.is_empty() {
        return Err(FieldError::invalid("spec.user", "", "at least one of user or group must be specified"));
    }
    Ok(user)
}

/// Whether somebody may: who is given, or else whom the review names.
fn access(plane: &Plane, resource: &Resource, user: Option<&User>, spec: &Value) -> Result<Value, Status> {
    let mut errors = Vec::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (asked, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if asked.is_object() == path.is_object() {
        let why = if asked.is_object() {
            "cannot be specified in combination with resourceAttributes"
        } else {
            "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        };
        let field = if asked.is_object() { "spec.nonResourceAttributes" } else { "spec.resourceAttributes" };
        errors.push(FieldError::invalid(field, Value::Null, why));
    }
    let named = if user.is_none() { subject(spec).map_err(|error| errors.push(error)).ok() } else { None };
    if !errors.is_empty() {
        return Err(Status::invalid(&resource.group, "", "", errors));
    }
    let Some(user) = user.or(named.as_ref()) else { return Ok(json!({"allowed": false})) };
    let attributes = if asked.is_object() {
        Attributes {
            verb: text(&asked["verb"]),
            group: text(&asked["group"]),
            namespace: text(&asked["namespace"]),
            resource: text(&asked["resource"]),
            subresource: text(&asked["subresource"]),
            name: text(&asked["name"]),
            path: None,
        }
    } else {
        Attributes::path(&text(&path["verb"]), &text(&path["path"]))
    };
    let (allowed, reason) = match rbac::decide(&plane.world.lock(), user, &attributes) {
        Decision::Allowed(reason) => (true, reason),
        Decision::NoOpinion(reason) => (false, reason),
    };
    let mut status = json!({"allowed": allowed});
    if !reason.is_empty() {
        status["reason"] = json!(reason);
    }
    Ok(status)
}

fn rules_review(plane: &Plane, user: &User, namespace: &str) -> Value {
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    // Who may everything by a role binding is told of it once, by its rule.
    if plane.world.lock().settings().authorization == Authorization::AlwaysAllow {
        resources.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        paths.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
    }
    rbac::visit_rules(&plane.world.lock(), user, namespace, &mut |rule| {
        if rule["resources"].as_array().is_some_and(|list| !list.is_empty()) {
            let mut shown =
                json!({"verbs": rule["verbs"], "apiGroups": rule["apiGroups"], "resources": rule["resources"]});
            if rule["resourceNames"].as_array().is_some_and(|list| !list.is_empty()) {
                shown["resourceNames"] = rule["resourceNames"].clone();
            }
            resources.push(shown);
        }
        if rule["nonResourceURLs"].as_array().is_some_and(|list| !list.is_empty()) {
            paths.push(json!({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}));
        }
        true
    });
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}
