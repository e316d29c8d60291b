//! Values changed by their shape: what an upgrade brings.

use serde_json::{Map, Value};

use crate::dice::Dice;

/// How many values one upgrade changes.
const CHANGES: usize = 3;

/// New values for a few of a chart's values, drawn by a seed: a number is another number, a truth its opposite, a text
/// another text of its shape. Empty where the chart has nothing to change.
pub(super) fn changed(values: &Value, seed: u64) -> Value {
    let mut leaves = Vec::new();
    collect(values, &mut Vec::new(), &mut leaves);
    let mut dice = Dice::new(seed);
    let mut changes = Value::Object(Map::new());
    for _ in 0..CHANGES.min(leaves.len()) {
        let (path, value) = leaves.swap_remove(dice.below(leaves.len()));
        let other = other(value, &mut dice);
        set(&mut changes, &path, other);
    }
    changes
}

/// Leaves below mappings; a list is changed only whole, and so not at all.
fn collect<'v>(value: &'v Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, &'v Value)>) {
    match value {
        Value::Object(map) if path.len() < 6 => {
            for (key, value) in map {
                path.push(key.clone());
                collect(value, path, leaves);
                path.pop();
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => leaves.push((path.clone(), value)),
        _ => {}
    }
}

fn other(value: &Value, dice: &mut Dice) -> Value {
    match value {
        Value::Bool(truth) => (!truth).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => (number + 1 + dice.below(3) as i64).into(),
            None => (number.as_f64().unwrap_or_default() + 0.5).into(),
        },
        Value::String(text) => shaped(text, dice).into(),
        other => other.clone(),
    }
}

/// A text of the same shape: letters for letters, digits for digits, and all else as it was.
fn shaped(text: &str, dice: &mut Dice) -> String {
    if text.is_empty() {
        return dice.pick(&["set", "on\n", "1"]).to_owned();
    }
    let mut left = 4;
    text.chars()
        .rev()
        .map(|c| {
            let new = match c {
                'a'..='y' => (c as u8 + 1) as char,
                '1'..='8' => (c as u8 + 1) as char,
                _ => return c,
            };
            left -= i32::from(left > 0);
            if left > 0 { new } else { c }
        })
        .collect::<Vec<char>>()
        .into_iter()
        .rev()
        .collect()
}

fn set(into: &mut Value, path: &[String], value: Value) {
    let Some((last, above)) = path.split_last() else { return };
    let mut here = into;
    for step in above {
        if !here[step.as_str()].is_object() {
            here[step.as_str()] = Value::Object(Map::new());
        }
        here = &mut here[step.as_str()];
    }
    here[last.as_str()] = value;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_keep_their_shape_and_change() {
        let values = json!({"a": 1, "b": {"c": "v1.2.3", "d": true}});
        let new = changed(&values, 1);
        assert_ne!(new["a"], values["a"]);
        assert_eq!(new["b"]["d"], false);
        let (old, new) = ("v1.2.3", new["b"]["c"].as_str().expect("a text").to_owned());
        assert_eq!(old.len(), new.len());
        assert!(new.starts_with('v') && new != old, "{new}");
        assert_eq!(changed(&json!({"l": [1]}), 1), json!({}));
    }
}
