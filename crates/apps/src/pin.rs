//! An Application that stays at a revision, whatever its sources say, until it is released.

use landfall_object::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The annotation that pins an Application: where it lives, so that every controller and every person sees it.
pub const PIN_ANNOTATION: &str = "landfall.dev/pin";

/// To which revisions an Application is pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// One a source.
    pub revisions: Vec<String>,
    /// Who pinned it.
    #[serde(default)]
    pub by: String,
    /// When, RFC 3339.
    #[serde(default)]
    pub at: String,
    /// The delivery that it was rolled back to, where that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<i64>,
    /// Why it stays, where that was said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A pin that cannot be read: nothing is synced by it, and nothing past it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the annotation {PIN_ANNOTATION} cannot be read: {why}")]
pub struct BadPin {
    /// What is wrong with it.
    pub why: String,
}

impl Pin {
    /// That of an Application, if it has one.
    ///
    /// # Errors
    /// [`BadPin`]: something stands there that is none.
    pub fn of(application: &Object) -> Result<Option<Self>, BadPin> {
        let Some(text) = application.annotation(PIN_ANNOTATION) else { return Ok(None) };
        let pin: Pin = serde_json::from_str(text).map_err(|error| BadPin { why: error.to_string() })?;
        if pin.revisions.is_empty() || pin.revisions.iter().any(|revision| revision.trim().is_empty()) {
            return Err(BadPin { why: "it names no revision".to_owned() });
        }
        Ok(Some(pin))
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

    fn application(pin: Option<&str>) -> Object {
        let mut object =
            Object::from_value(json!({"kind": "Application", "metadata": {"name": "shop"}})).expect("a map");
        if let Some(pin) = pin {
            object.set_annotation(PIN_ANNOTATION, pin);
        }
        object
    }

    #[test]
    fn a_pin_is_read_as_it_was_written_and_what_is_none_is_no_release() {
        let pin = Pin {
            revisions: vec!["abc".to_owned()],
            by: "anna".to_owned(),
            at: "now".to_owned(),
            delivery: Some(3),
            why: String::new(),
        };
        assert_eq!(Pin::of(&application(Some(&pin.written()))), Ok(Some(pin)));
        assert_eq!(Pin::of(&application(None)), Ok(None));
        for text in ["", "abc", "{}", r#"{"revisions": []}"#, r#"{"revisions": [" "]}"#] {
            assert!(Pin::of(&application(Some(text))).is_err(), "{text}");
        }
    }
}
