//! How long ago something was.

use std::time::Duration;

/// How long ago a time was, as people read it.
pub(crate) fn ago(at: &str) -> String {
    let Ok(at) = at.parse::<jiff::Timestamp>() else { return at.to_owned() };
    let passed = Duration::try_from(jiff::Timestamp::now().duration_since(at)).unwrap_or_default();
    match passed.as_secs() {
        seconds @ 0..=119 => format!("{seconds}s ago"),
        120..=7199 => format!("{}m ago", passed.as_secs() / 60),
        7200..=172_799 => format!("{}h ago", passed.as_secs() / 3600),
        _ => format!("{}d ago", passed.as_secs() / 86_400),
    }
}
