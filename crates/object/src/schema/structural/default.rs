use serde_json::Value;

use super::{Additional, Structural};
use crate::FieldError;

/// What is wrong with the defaults of a definition's `openAPIV3Schema`: those that do not fit what they stand for, by the path below the
/// schema (`apiextensions-apiserver/pkg/apiserver/schema/defaulting/validation.go`). Defaults of metadata are not looked at.
pub fn unfit_defaults(schema: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    Structural::parse(schema).check_defaults("", Place::Resource, &mut errors);
    errors
}

/// Whether a schema is that of a whole resource.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Resource,
    Field,
}

impl Structural {
    fn check_defaults(&self, path: &str, place: Place, errors: &mut Vec<FieldError>) {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if let Some(default) = &self.default {
            let at = below("default");
            let mut pruned = default.clone();
            if !self.prune(&mut pruned).is_empty() {
                errors.push(FieldError::invalid(&*at, default.clone(), "must not have unknown fields"));
            }
            errors.extend(self.validate(default).into_iter().map(|error| {
                let inner = if error.field.is_empty() { at.clone() } else { format!("{at}.{}", error.field) };
                FieldError { field: inner, ..error }
            }));
        }
        if let Some(items) = &self.items {
            items.check_defaults(&below("items"), Place::Field, errors);
        }
        let is_resource = place == Place::Resource || self.embedded;
        for (name, property) in &self.properties {
            if !is_resource || !matches!(name.as_str(), "metadata" | "apiVersion" | "kind") {
                property.check_defaults(&below(&format!("properties[{name}]")), Place::Field, errors);
            }
        }
    }

    /// Fills in the defaults of what is missing, or null where null is not allowed.
    pub(crate) fn default_values(&self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (name, property) in &self.properties {
                    if let Some(default) = &property.default {
                        let missing = match map.get(name) {
                            None => true,
                            Some(value) => value.is_null() && !property.nullable,
                        };
                        if missing {
                            map.insert(name.clone(), default.clone());
                        }
                    }
                }
                for (name, inner) in map.iter_mut() {
                    match (self.properties.get(name), &self.additional) {
                        (Some(property), _) => property.default_values(inner),
                        (None, Additional::Schema(schema)) => schema.default_item(inner),
                        _ => {}
                    }
                }
                // A null where none is allowed counts as missing.
                map.retain(|name, inner| {
                    let schema = match (self.properties.get(name), &self.additional) {
                        (Some(property), _) => Some(property),
                        (None, Additional::Schema(schema)) => Some(&**schema),
                        _ => None,
                    };
                    !(inner.is_null() && schema.is_some_and(|schema| !schema.nullable))
                });
            }
            Value::Array(items) => {
                if let Some(schema) = &self.items {
                    items.iter_mut().for_each(|item| schema.default_item(item));
                }
            }
            _ => {}
        }
    }

    fn default_item(&self, item: &mut Value) {
        if item.is_null()
            && !self.nullable
            && let Some(default) = &self.default
        {
            *item = default.clone();
        }
        self.default_values(item);
    }
}
