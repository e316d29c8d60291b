//! What was meant by a field that a kind does not have, where the schema shows it.

use landfall_chart::path_steps;
use landfall_object::schema::Node;
use serde_json::Value;

/// What to do about a field that is dropped, where a known one is one edit, one word or one level away; `None` where
/// nothing shows what was meant, or nothing is lost.
pub(super) fn meant(root: Node<'_>, object: &Value, field: &str) -> Option<String> {
    let steps = path_steps(field);
    let (name, above) = steps.split_last()?;
    let pointer = steps
        .iter()
        .fold(String::new(), |pointer, step| format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1")));
    if object.pointer(&pointer).is_some_and(is_empty) {
        return None;
    }
    // The node of each step from the root on; lists and maps are steps of their own.
    let mut nodes = vec![root];
    for step in above {
        let node = nodes.last()?;
        let below = match step.parse::<usize>() {
            Ok(_) => node.item(),
            Err(_) => node.field(step)?,
        };
        nodes.push(below);
    }
    let parent = nodes.last()?;
    let known: Vec<&str> = parent.field_names().collect();
    if known.is_empty() {
        return None;
    }
    if let Some(near) = landfall_diag::slip(name, known.iter().copied()).or_else(|| shorter_or_longer(name, &known)) {
        return Some(format!("did you mean `{near}`?"));
    }
    let has = |node: Node<'_>| node.field_names().any(|known| known == name);
    // One level further in, through a list or not.
    let inside = known.iter().find(|known| parent.field(known).is_some_and(|child| has(child) || has(child.item())));
    if let Some(inside) = inside {
        return Some(format!("it belongs below `{inside}`: indent it further"));
    }
    // One level further out: the next one around it that has fields at all.
    let around = nodes.iter().rev().skip(1).find(|node| node.field_names().next().is_some())?;
    has(*around).then(|| "it belongs one level further out: take its indentation back".to_owned())
}

/// A name that has one word more or less at its end: `terminationGracePeriod` of `terminationGracePeriodSeconds`.
fn shorter_or_longer<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let is_word = |rest: &str| {
        let mut letters = rest.chars();
        letters.next().is_some_and(char::is_uppercase) && letters.all(char::is_lowercase)
    };
    let mut fitting = known.iter().filter(|known| {
        let rest = known.strip_prefix(name).or_else(|| name.strip_prefix(**known));
        rest.is_some_and(is_word)
    });
    let first = fitting.next()?;
    fitting.next().is_none().then_some(*first)
}

/// Whether nothing is lost with a value.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use landfall_object::Gvk;
    use landfall_object::schema::Schemas;
    use serde_json::json;

    use super::*;

    fn of(field: &str) -> Option<String> {
        let schemas = Schemas::builtin();
        let root = schemas.kind(&Gvk::new("apps", "v1", "Deployment")).expect("built in");
        meant(root, &json!({}), field)
    }

    #[test]
    fn a_field_one_edit_one_word_or_one_level_away_is_named() {
        assert_eq!(of("spec.replica").as_deref(), Some("did you mean `replicas`?"));
        let period = of("spec.template.spec.terminationGracePeriod");
        assert_eq!(period.as_deref(), Some("did you mean `terminationGracePeriodSeconds`?"));
        let inside = of("spec.template.spec.containers[0].secretKeyRef");
        assert_eq!(inside, None, "two levels in");
        let inside = of("spec.template.spec.containers[0].env[0].secretKeyRef");
        assert_eq!(inside.as_deref(), Some("it belongs below `valueFrom`: indent it further"));
        let outside = of("spec.template.spec.containers[0].volumes");
        assert_eq!(outside.as_deref(), Some("it belongs one level further out: take its indentation back"));
        assert_eq!(of("spec.template.spec.containers[0].flavour"), None);
    }

    #[test]
    fn nothing_is_lost_with_nothing() {
        let schemas = Schemas::builtin();
        let root = schemas.kind(&Gvk::new("apps", "v1", "Deployment")).expect("built in");
        assert_eq!(meant(root, &json!({"spec": {"replica": null}}), "spec.replica"), None);
        assert!(meant(root, &json!({"spec": {"replica": 2}}), "spec.replica").is_some());
    }
}
