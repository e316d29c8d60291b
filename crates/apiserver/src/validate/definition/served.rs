//! What a version says beside its schema: columns, subresources, fields to select by; and how versions are converted.

use serde_json::Value;

use super::super::at::{At, Errors};
use super::super::names;

/// The printer's columns (`ValidateCustomResourceColumnDefinition`).
pub(super) fn columns(errors: &mut Errors, columns: &At<'_>) {
    const TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
    const FORMATS: &[&str] = &["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
    for column in columns.items() {
        let (name, kind, format) = (column.get("name"), column.get("type"), column.get("format"));
        if name.is_empty() {
            errors.required(name.path, "");
        }
        let types = format!("must be one of {}", TYPES.join(","));
        if kind.is_empty() {
            errors.required(kind.path, &types);
        } else if !TYPES.contains(&kind.text()) {
            errors.invalid(&kind, types);
        }
        if !format.is_empty() && !FORMATS.contains(&format.text()) {
            errors.invalid(&format, format!("must be one of {}", FORMATS.join(",")));
        }
        let path = At::new(column.get("jsonPath").value, column.child("JSONPath"));
        if path.is_empty() {
            errors.required(path.path, "");
        } else {
            simple_path(errors, &path);
        }
    }
}

fn simple_path(errors: &mut Errors, path: &At<'_>) -> bool {
    let is_simple = path.text().starts_with('.');
    if !is_simple {
        errors.invalid(path, "must be a simple json path starting with .");
    }
    is_simple
}

/// Where a scale is kept (`ValidateCustomResourceDefinitionSubresources`).
pub(super) fn subresources(errors: &mut Errors, subresources: &At<'_>) {
    let scale = subresources.get("scale");
    if !scale.is_set() {
        return;
    }
    let fields: [(&str, &[&str], &str); 3] = [
        ("specReplicasPath", &[".spec."], "should be a json path under .spec"),
        ("statusReplicasPath", &[".status."], "should be a json path under .status"),
        ("labelSelectorPath", &[".spec.", ".status."], "should be a json path under either .spec or .status"),
    ];
    for (field, parents, detail) in fields {
        let path = scale.get(field);
        if path.is_empty() {
            if field != "labelSelectorPath" {
                errors.required(path.path, "");
            }
        } else if simple_path(errors, &path) && !parents.iter().any(|parent| path.text().starts_with(parent)) {
            errors.invalid(&path, detail);
        }
    }
}

/// Fields that objects can be selected by (`ValidateCustomResourceSelectableFields`).
pub(super) fn selectable(errors: &mut Errors, fields: &At<'_>, schema: &Value) {
    const MOST: usize = 8;
    let mut seen: Vec<&str> = Vec::new();
    for field in fields.items() {
        let path = field.get("jsonPath");
        if path.is_empty() {
            errors.required(path.path, "");
            continue;
        }
        let found = match field_of(schema, path.text()) {
            Ok(found) => found,
            Err(why) => {
                errors.invalid(&path, format!("is an invalid path: {why}"));
                continue;
            }
        };
        if path.text().split('.').nth(1) == Some("metadata") {
            errors.invalid(&path, "must not point to fields in metadata");
        }
        if !matches!(found["type"].as_str(), Some("string" | "boolean" | "integer")) {
            errors.invalid(
                &path,
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
            );
        }
        if seen.contains(&path.text()) {
            errors.duplicate(&path);
        } else {
            seen.push(path.text());
        }
    }
    if seen.len() > MOST {
        errors.push(landfall_object::FieldError::too_many(fields.path.clone(), seen.len(), MOST));
    }
}

/// The schema that a path of names leads to (`ValidFieldPath` without array notation).
fn field_of<'s>(schema: &'s Value, path: &str) -> Result<&'s Value, String> {
    if path.contains('[') {
        return Err("array notation is not allowed".to_owned());
    }
    let Some(names) = path.strip_prefix('.') else {
        return Err(format!("expected [ or . but got: {}", path.split('.').next().unwrap_or_default()));
    };
    names.split('.').try_fold(schema, |schema, name| {
        let below = match schema.get("properties") {
            _ if name.is_empty() => return Err("unexpected end of JSON path".to_owned()),
            Some(properties) => properties.get(name),
            None => schema.get("additionalProperties").filter(|additional| additional.is_object()),
        };
        below.ok_or_else(|| "does not refer to a valid field".to_owned())
    })
}

/// How objects of one version become those of another (`validateCustomResourceConversion`).
pub(super) fn conversion(errors: &mut Errors, conversion: &At<'_>) {
    if !conversion.is_set() {
        return;
    }
    let strategy = conversion.get("strategy");
    errors.one_of(&strategy, &["None", "Webhook"]);
    // The server's own form has these two beside the strategy.
    let webhook = conversion.get("webhook");
    let client = At::new(webhook.get("clientConfig").value, conversion.child("webhookClientConfig"));
    let versions = webhook.get("conversionReviewVersions");
    let versions = At::new(versions.value, conversion.child("conversionReviewVersions"));
    if strategy.text() != "Webhook" {
        let detail = "should not be set when strategy is not set to Webhook";
        for said in [client, versions].into_iter().filter(|said| !said.is_empty()) {
            errors.forbidden(said.path, detail);
        }
        return;
    }
    if !client.is_set() {
        errors.required(client.path, "required when strategy is set to Webhook");
    } else if client.get("url").is_set() == client.get("service").is_set() {
        errors.required(client.path, "exactly one of url or service is required");
    }
    if versions.is_empty() {
        return errors.required(versions.path, "");
    }
    for version in versions.items() {
        errors.each(&version, names::dns_1035_label(version.text()));
    }
    if !versions.items().any(|version| matches!(version.text(), "v1" | "v1beta1")) {
        errors.invalid(&versions, "must include at least one of v1, v1beta1");
    }
}
