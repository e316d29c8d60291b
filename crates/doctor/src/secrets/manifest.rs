//! The values of Secrets in manifests: of those that can be read, and of templates by their lines.

use landfall_yaml::{Kind, Node};

use super::{decoded, is_value, line_number};

/// The fields of a Secret that hold values.
const FIELDS: [&str; 2] = ["data", "stringData"];

/// The lines that hold a value of a Secret, and its key.
pub(super) fn values(text: &str) -> Vec<(u32, String)> {
    if !text.contains("Secret") {
        return Vec::new();
    }
    match landfall_yaml::parse(text) {
        Ok(documents) => {
            let mut found = Vec::new();
            documents.iter().for_each(|document| of_object(document.root(), text, &mut found));
            found
        }
        Err(_) => of_lines(text),
    }
}

fn of_object(object: Node<'_>, text: &str, found: &mut Vec<(u32, String)>) {
    if !matches!(object.kind(), Kind::Mapping(_)) {
        return;
    }
    for item in object.get("items").into_iter().filter(|items| matches!(items.kind(), Kind::Sequence(_))) {
        item.items().for_each(|item| of_object(item, text, found));
    }
    if object.get("kind").and_then(|kind| kind.text()) != Some("Secret") {
        return;
    }
    for field in FIELDS {
        let Some(values) = object.get(field).filter(|values| matches!(values.kind(), Kind::Mapping(_))) else {
            continue;
        };
        for (key, value) in values.entries() {
            let (Some(name), Some(value), at) = (key.text(), value.text(), value.span().range().start) else {
                continue;
            };
            if is_secret(field, name, value) {
                found.push((line_number(text[..at].matches('\n').count()), name.to_owned()));
            }
        }
    }
}

/// A template is no YAML: below `data:` of a document that says that it is a Secret, a line gives a value.
fn of_lines(text: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let mut first = 0;
    for document in text.split("\n---") {
        let is_one = document.lines().any(|line| {
            line.split_once(':')
                .is_some_and(|(key, value)| key == "kind" && value.trim().trim_matches(['"', '\'']) == "Secret")
        });
        let mut field = None;
        for (index, line) in document.lines().enumerate().filter(|_| is_one) {
            let Some((key, value)) = line.split_once(':') else { continue };
            if !line.starts_with([' ', '\t', '{', '#']) {
                field = FIELDS.into_iter().find(|field| *field == key);
            } else if let Some(field) = field {
                let (name, value) = (key.trim().trim_matches(['"', '\'']), value.trim().trim_matches(['"', '\'']));
                if is_secret(field, name, value) {
                    found.push((line_number(first + index), name.to_owned()));
                }
            }
        }
        first += document.matches('\n').count() + 1;
    }
    found
}

fn is_secret(field: &str, name: &str, value: &str) -> bool {
    match field {
        "data" => decoded(value).is_some_and(|value| is_value(name, value.trim_end())),
        _ => is_value(name, value),
    }
}
