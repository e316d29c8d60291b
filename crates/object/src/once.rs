//! Keys of Secrets that are generated once and never replaced.

use crate::Object;

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
