use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A label selector whose values may be any text: clusters are told apart by addresses, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Selector {
    match_labels: BTreeMap<String, String>,
    match_expressions: Vec<Requirement>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Requirement {
    key: String,
    operator: String,
    values: Vec<String>,
}

impl Selector {
    /// That of a generator; `None` where it has none.
    pub(crate) fn of(generator: &Value) -> Result<Option<Self>, String> {
        Selector::read(generator, "selector")
    }

    /// That of a field.
    pub(crate) fn read(of: &Value, field: &str) -> Result<Option<Self>, String> {
        let Some(written) = of.get(field).filter(|it| !it.is_null()) else { return Ok(None) };
        let failed = |why: String| format!("error parsing label selector: {why}");
        let selector = Selector::deserialize(written).map_err(|error| failed(error.to_string()))?;
        for requirement in &selector.match_expressions {
            let wants_values = match requirement.operator.as_str() {
                "In" | "NotIn" => true,
                "Exists" | "DoesNotExist" => false,
                // What is no operator selects nothing; nothing is deleted because of a slip of the pen.
                other => return Err(failed(format!("{other:?} is not a valid label selector operator"))),
            };
            if wants_values == requirement.values.is_empty() {
                return Err(failed(format!("{}: values are wrong for {}", requirement.key, requirement.operator)));
            }
        }
        Ok(Some(selector))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    pub(crate) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|wanted| {
                let label = labels.get(&wanted.key);
                match wanted.operator.as_str() {
                    "In" => label.is_some_and(|label| wanted.values.contains(label)),
                    "NotIn" => label.is_none_or(|label| !wanted.values.contains(label)),
                    "Exists" => label.is_some(),
                    _ => label.is_none(),
                }
            })
    }
}
