//! Keys of Secrets that are generated once and never replaced, and the guard over them.

use landfall_diag::{Diagnose, Diagnostic, code};
use serde_json::Value;

use crate::{Object, ObjectKey};

/// The annotation of a Secret that names its keys that are generated once and never replaced (design D6).
pub const ONCE_ANNOTATION: &str = "landfall.dev/once";

/// The keys of a live Secret that are generated once and have a value.
pub fn once_keys(live: &Object) -> Vec<String> {
    if live.kind() != "Secret" || !live.group().is_empty() {
        return Vec::new();
    }
    let has_value = |key: &&str| live.at("/data").and_then(|data| data.get(key)).is_some_and(|value| !value.is_null());
    live.annotation(ONCE_ANNOTATION)
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|key| !key.is_empty() && has_value(key))
        .map(str::to_owned)
        .collect()
}

/// A step would change or remove a key that is generated once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} holds {} generated once, which {verb}", keys.join(", "))]
pub struct OnceViolation {
    /// The Secret.
    pub key: Box<ObjectKey>,
    /// Its keys; never their values.
    pub keys: Vec<String>,
    /// What would have happened: `would be changed`.
    pub verb: &'static str,
}

impl Diagnose for OnceViolation {
    fn diagnose(&self) -> Diagnostic {
        Diagnostic::refused(code::ONCE, self.to_string())
            .note("data made with the old value could never be read again")
            .help("put the value back that the cluster has: such a key is made once and kept")
    }
}

fn data<'a>(secret: &'a Object, key: &str) -> Option<&'a Value> {
    secret.at("/data")?.get(key).filter(|value| !value.is_null())
}

/// Whether a live object may become `next`, or go when there is none: the one guard, which all writers of Secrets ask.
///
/// # Errors
/// [`OnceViolation`] when a key generated once would be changed, removed, or lose its protection.
pub fn once_guard(live: Option<&Object>, next: Option<&Object>) -> Result<(), OnceViolation> {
    let Some(live) = live else { return Ok(()) };
    let keys = once_keys(live);
    if keys.is_empty() {
        return Ok(());
    }
    let violation = |keys: Vec<String>, verb| OnceViolation { key: Box::new(live.key()), keys, verb };
    let Some(next) = next else {
        return Err(violation(keys, "would be deleted"));
    };
    let changed: Vec<String> = keys
        .iter()
        // stringData overrides data when both are written.
        .filter(|key| data(next, key) != data(live, key) || overridden(live, next, key))
        .cloned()
        .collect();
    if !changed.is_empty() {
        return Err(violation(changed, "would be changed"));
    }
    let still = once_keys(next);
    let unprotected: Vec<String> = keys.into_iter().filter(|key| !still.contains(key)).collect();
    if unprotected.is_empty() { Ok(()) } else { Err(violation(unprotected, "would lose their protection")) }
}

fn overridden(live: &Object, next: &Object, key: &str) -> bool {
    let Some(text) = next.at("/stringData").and_then(|data| data.get(key)).and_then(Value::as_str) else {
        return false;
    };
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    data(live, key).and_then(Value::as_str) != Some(&encoded)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(annotation: &str, data: Value) -> Object {
        Object::from_value(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n", "annotations": {ONCE_ANNOTATION: annotation}}, "data": data})).expect("a map")
    }

    #[test]
    fn a_key_generated_once_can_be_created_but_neither_changed_nor_removed() {
        let live = secret("PEPPER", json!({"PEPPER": "YQ==", "OTHER": "Yg=="}));
        assert!(once_guard(None, Some(&live)).is_ok());
        assert!(once_guard(Some(&live), Some(&secret("PEPPER", json!({"PEPPER": "YQ==", "OTHER": "eA=="})))).is_ok());
        for next in [json!({"PEPPER": "eA=="}), json!({"OTHER": "Yg=="})] {
            let refused = once_guard(Some(&live), Some(&secret("PEPPER", next))).expect_err("refused");
            assert_eq!(refused.to_string(), "Secret n/s holds PEPPER generated once, which would be changed");
        }
        assert!(once_guard(Some(&live), None).is_err());
        assert!(once_guard(Some(&live), Some(&secret("", json!({"PEPPER": "YQ=="})))).is_err());
    }

    #[test]
    fn a_declared_key_without_a_value_may_still_be_generated() {
        let live = secret("PEPPER", json!({}));
        assert!(once_guard(Some(&live), Some(&secret("PEPPER", json!({"PEPPER": "YQ=="})))).is_ok());
    }
}
