//! Selectors in queries and in objects.

use landfall_drydock::LabelSelector;

pub(crate) fn selector(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    if let Ok(selector) = LabelSelector::parse(text) {
        let labels = serde_json::json!({"app": "web", "tier": "", "n": "3"});
        let _matches = selector.matches(&labels);
    }
    if let Ok(value) = serde_json::from_str(text) {
        let _matches = LabelSelector::from_value(&value).matches(&value);
    }
}
