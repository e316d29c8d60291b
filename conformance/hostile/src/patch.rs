//! Patches: JSON, merge, strategic, three-way and structured, of one document by another.

use landfall_object::merge::{json_patch, managed, merge_patch, strategic};
use landfall_object::schema::Schemas;
use landfall_object::{Gvk, Object};
use serde_json::Value;

/// A document and a JSON patch: what comes out is no larger than what went in and may be copied.
pub(crate) fn json(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let mut parts = crate::parts(text);
    let (Some(document), Some(patch)) = (parts.next(), parts.next()) else { return };
    let (Ok(document), Ok(patch)) = (serde_json::from_str::<Value>(document), serde_json::from_str::<Value>(patch))
    else {
        return;
    };
    let Ok(operations) = json_patch::parse(&patch) else { return };
    let Ok(patched) = json_patch::apply(&document, &operations) else { return };
    let size = |value: &Value| value.to_string().len();
    // Every copy brings its name besides, which stands in the patch.
    let most = size(&document) + 2 * size(&patch) + json_patch::MOST_COPIED;
    assert!(size(&patched) <= most, "{} bytes came of {most}", size(&patched));
    assert_eq!(json_patch::apply(&document, &operations).as_ref(), Ok(&patched), "once more gives something else");
}

/// A kind, a document and a patch.
pub(crate) fn patch(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let mut parts = crate::parts(text);
    let (Some(kind), Some(document), Some(patch)) = (parts.next(), parts.next(), parts.next()) else { return };
    let (Ok(document), Ok(patch)) = (serde_json::from_str::<Value>(document), serde_json::from_str::<Value>(patch))
    else {
        return;
    };
    if let Ok(operations) = json_patch::parse(&patch) {
        let _refused = json_patch::apply(&document, &operations);
    }
    let merged = merge_patch::apply(&document, &patch);
    let schemas = Schemas::builtin();
    let (version, kind) = kind.split_once(' ').unwrap_or(("v1", kind));
    let gvk = Gvk::from_api_version(version, kind);
    let (Value::Object(from), Value::Object(to)) = (&document, &patch) else { return };
    let difference = merge_patch::diff(from, to);
    if let Value::Object(merged) = &merged {
        let _diff = merge_patch::diff(merged, &difference);
    }
    if let Some(node) = schemas.kind(&gvk) {
        let _refused = strategic::apply(from, to, node);
        if let Ok(made) = strategic::two_way(from, to, node) {
            let _refused = strategic::apply(from, &made, node);
        }
        let writer = managed::Writer {
            manager: "m",
            api_version: version,
            subresource: "",
            time: "2020-01-01T00:00:00Z",
            reset: &[],
        };
        for on_conflict in [managed::OnConflict::Refuse, managed::OnConflict::Force] {
            let _refused = managed::apply(Some(&document), &patch, node, &writer, on_conflict);
        }
        let _updated = managed::update(Some(&document), &patch, node, &writer);
    }
    if let Ok(fields) = managed::FieldSet::from_fields_v1(&patch) {
        let again = managed::FieldSet::from_fields_v1(&fields.to_fields_v1());
        assert_eq!(again.as_ref().map(managed::FieldSet::paths), Ok(fields.paths()), "fields are not what they were");
    }
    if let Ok(object) = Object::from_value(document.clone()) {
        let _health = landfall_object::health::assess(&object);
    }
}
