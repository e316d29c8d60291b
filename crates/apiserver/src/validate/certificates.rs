//! Requests for certificates: who is answered is answered once (`pkg/apis/certificates/validation`).

use serde_json::Value;

use crate::status::FieldError;
use crate::world::Part;

const APPROVAL: [&str; 2] = ["Approved", "Denied"];

/// What is wrong with a change of one part of a request.
pub(super) fn update(part: Part, object: &Value, live: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let count = |request: &Value, kind: &str| {
        let conditions = request["status"]["conditions"].as_array();
        conditions.into_iter().flatten().filter(|condition| condition["type"] == kind).count()
    };
    let conditions = "status.conditions";
    for kind in APPROVAL.into_iter().chain(["Failed"]) {
        if count(object, kind) < count(live, kind) {
            let why = format!("updates may not remove a condition of type {kind:?}");
            errors.push(FieldError::forbidden(conditions, why));
        }
    }
    if part != Part::Approval {
        for kind in APPROVAL {
            if count(object, kind) > count(live, kind) {
                let why = format!("updates may not add a condition of type {kind:?}");
                errors.push(FieldError::forbidden(conditions, why));
            }
        }
    }
    let text = |request: &Value| request["status"]["certificate"].as_str().unwrap_or_default().to_owned();
    if text(object) != text(live) {
        let why = match (part, text(live).is_empty()) {
            (Part::Status, true) => None,
            (Part::Status, false) => Some("updates may not modify existing certificate content"),
            _ => Some("updates may not set certificate content"),
        };
        errors.extend(why.map(|why| FieldError::forbidden("status.certificate", why)));
    }
    errors
}
