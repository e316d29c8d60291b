use serde_json::Value;

use super::{Additional, Structural};

impl Structural {
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
