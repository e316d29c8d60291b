//! YAML: read, written again, edited in place; and the project file on top of it.

use landfall_yaml::{Scalar, Step, edit as editing};

/// No text makes the reader panic, and every node's span lies in the text.
pub(crate) fn read(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let _refused = landfall_yaml::to_json(text);
    let _refused = landfall_yaml::to_json_strict(text);
    let _refused = landfall_yaml::Value::parse_all(text);
    for document in landfall_yaml::parse(text).unwrap_or_default() {
        assert!(text.get(document.root().span().range()).is_some(), "a span lies outside of the text");
        for comment in document.comments() {
            assert!(comment.span.text(text).starts_with('#'), "a comment begins with something else");
        }
    }
    for part in landfall_yaml::documents(text).map_while(Result::ok) {
        assert!(text[part.offset..].starts_with(part.text), "a part lies elsewhere");
        let _refused = part.to_json();
    }
}

/// What was read can be written, and what was written is read as the same value.
pub(crate) fn round_trip(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let Ok(value) = landfall_yaml::to_json(text) else { return };
    // Characters that JSON lets through and YAML refuses make writing fail, and next-line characters are folded.
    let awkward = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    // Helm's writer leaves a key `<<` plain, which reads as a merge.
    if value.to_string().contains(awkward) || has_merge_key(&value) {
        return;
    }
    let Ok(written) = landfall_yaml::emit_value(&value) else { return };
    assert_eq!(landfall_yaml::to_json(&written).expect("what was written can be read"), value);
}

fn has_merge_key(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(map) => map.iter().any(|(key, value)| key == "<<" || has_merge_key(value)),
        serde_json::Value::Array(list) => list.iter().any(has_merge_key),
        _ => false,
    }
}

/// An edit that is handed out changes what it was asked to: a text, a key and a value.
pub(crate) fn edit(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let mut parts = crate::parts(text);
    let (Some(file), Some(key), Some(value)) = (parts.next(), parts.next(), parts.next()) else { return };
    let path = [Step::Key(key)];
    let new = Scalar::Str(value.into());
    for changed in [editing::set(file, &path, &new), editing::set_or_insert(file, &path, &new)].into_iter().flatten() {
        if let Ok(read) = landfall_yaml::to_json(&changed) {
            assert_eq!(read[key], value, "the edit is not what was asked for");
        }
    }
    let _refused = editing::remove(file, &path);
    let _refused = editing::append(file, &path, &new);
}

/// A project file is read or refused with places.
pub(crate) fn project(bytes: &[u8]) {
    let _refused = landfall_project::parse_bytes("landfall.yaml", bytes);
}
