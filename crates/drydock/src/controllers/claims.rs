//! Whose object is it: adopting orphans that match, releasing owned ones that no longer do
//! (`controller_ref_manager.go`).

use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::desk::{Desk, Found};
use super::fields::{child, controller_of, controller_reference, deleting, is_controlled_by, list, text, uid};
use super::kind::Kind;
use super::selector;

/// The candidates that `owner` controls after adopting and releasing by its selector.
pub(super) fn claim(
    desk: &mut Desk<'_>,
    kind: &Kind,
    owner: &Value,
    wanted: Option<&Value>,
    candidates: Vec<Found>,
) -> Result<Vec<Found>, Status> {
    let mut claimed = Vec::new();
    for candidate in candidates {
        let matching = |candidate: &Value| selector::matches(wanted, candidate);
        if is_controlled_by(&candidate, owner) {
            if matching(&candidate) || deleting(owner) {
                claimed.push(candidate);
            } else {
                release(desk, kind, owner, &candidate)?;
            }
        } else if controller_of(&candidate).is_none()
            && matching(&candidate)
            && !deleting(owner)
            && !deleting(&candidate)
            && !super::pods::is_terminated(&candidate)
        {
            claimed.push(adopt(desk, kind, owner, &candidate)?);
        }
    }
    Ok(claimed)
}

fn adopt(desk: &mut Desk<'_>, kind: &Kind, owner: &Value, orphan: &Value) -> Result<Found, Status> {
    let mut adopted = orphan.clone();
    let reference = controller_reference(owner);
    let metadata = child(&mut adopted, "metadata");
    match metadata.get_mut("ownerReferences").and_then(Value::as_array_mut) {
        Some(references) => references.push(reference),
        None => metadata["ownerReferences"] = json!([reference]),
    }
    desk.update(kind, adopted)
}

fn release(desk: &mut Desk<'_>, kind: &Kind, owner: &Value, object: &Value) -> Result<(), Status> {
    let mut released = object.clone();
    let kept: Vec<Value> = list(object, "/metadata/ownerReferences")
        .iter()
        .filter(|reference| text(reference, "/uid") != uid(owner))
        .cloned()
        .collect();
    let metadata = child(&mut released, "metadata");
    if kept.is_empty() {
        super::fields::remove(&mut released, "/metadata", "ownerReferences");
    } else {
        metadata["ownerReferences"] = kept.into();
    }
    match desk.update(kind, released) {
        Err(refusal) if !refusal.is_not_found() => Err(refusal),
        _ => Ok(()),
    }
}
