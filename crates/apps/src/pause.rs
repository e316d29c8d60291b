//! An Application that somebody has paused: it is compared and told of, and does not sync by itself until it goes on.

use landfall_object::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The annotation that pauses an Application: where it lives, so that every controller and every person sees it.
pub const PAUSE_ANNOTATION: &str = "landfall.dev/pause";

/// Who has paused an Application, when and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who paused it.
    #[serde(default)]
    pub by: String,
    /// When, RFC 3339.
    #[serde(default)]
    pub at: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl Pause {
    /// That of an Application, if it has one; what cannot be read pauses all the same.
    pub fn of(application: &Object) -> Option<Self> {
        let text = application.annotation(PAUSE_ANNOTATION)?;
        Some(serde_json::from_str(text).unwrap_or_default())
    }

    /// As it stands in the annotation.
    pub fn written(&self) -> String {
        serde_json::to_value(self).unwrap_or(Value::Null).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pause_is_read_as_it_was_written_and_one_that_cannot_be_read_is_one_too() {
        let mut object =
            Object::from_value(json!({"kind": "Application", "metadata": {"name": "shop"}})).expect("a map");
        assert_eq!(Pause::of(&object), None);
        let pause = Pause { by: "anna".into(), at: "then".into(), reason: "a freeze".into() };
        object.set_annotation(PAUSE_ANNOTATION, pause.written());
        assert_eq!(Pause::of(&object), Some(pause));
        object.set_annotation(PAUSE_ANNOTATION, "true");
        assert_eq!(Pause::of(&object), Some(Pause::default()));
    }
}
