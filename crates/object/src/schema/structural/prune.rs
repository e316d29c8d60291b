use serde_json::Value;

use super::{Additional, Structural};

/// Fields every resource has, whatever its schema says.
fn is_meta(field: &str) -> bool {
    matches!(field, "apiVersion" | "kind" | "metadata")
}

impl Structural {
    /// Removes what the schema does not know; returns the paths of what was removed, sorted.
    pub(crate) fn prune(&self, value: &mut Value) -> Vec<String> {
        let mut pruner = Pruner { removed: Vec::new(), path: String::new() };
        pruner.value(value, Some(self), true);
        pruner.removed.sort();
        pruner.removed
    }
}

struct Pruner {
    removed: Vec<String>,
    path: String,
}

impl Pruner {
    fn at(&mut self, segment: &str, work: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if !self.path.is_empty() && !segment.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(segment);
        work(self);
        self.path.truncate(length);
    }

    fn remove(&mut self, field: &str) {
        self.at(field, |this| this.removed.push(this.path.clone()));
    }

    fn value(&mut self, value: &mut Value, schema: Option<&Structural>, resource: bool) {
        let keeps = schema.is_some_and(|schema| schema.preserve_unknown);
        match value {
            Value::Object(map) => {
                let embedded = resource || schema.is_some_and(|schema| schema.embedded);
                let keys: Vec<String> = map.keys().cloned().collect();
                for key in keys {
                    if embedded && is_meta(&key) {
                        continue;
                    }
                    let below = schema.and_then(|schema| schema.properties.get(&key));
                    let additional = schema.map(|schema| &schema.additional);
                    let inner = match (below, additional) {
                        (Some(below), _) => Some(Some(below)),
                        (None, Some(Additional::Schema(below))) => Some(Some(&**below)),
                        // `true` allows the field and, as it has no schema, nothing below it.
                        (None, Some(Additional::Anything)) => Some(None),
                        _ => None,
                    };
                    match (inner, map.get_mut(&key)) {
                        (Some(below), Some(inner)) => self.at(&key, |this| this.value(inner, below, false)),
                        _ if keeps => {}
                        _ => {
                            map.remove(&key);
                            if !is_meta(&key) || !self.path.is_empty() {
                                self.remove(&key);
                            }
                        }
                    }
                }
            }
            Value::Array(items) => {
                let below = schema.and_then(|schema| schema.items.as_deref());
                if keeps && below.is_none() {
                    return;
                }
                for (at, item) in items.iter_mut().enumerate() {
                    self.at(&format!("[{at}]"), |this| this.value(item, below, false));
                }
            }
            _ => {}
        }
    }
}
