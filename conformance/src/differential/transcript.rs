//! What one side answered to one script.

use serde_json::{Map, Value, json};

/// Answers in the order of the steps.
#[derive(Debug, Clone)]
pub(crate) struct Transcript {
    /// Seconds since 1970 when the side was started: nothing in it is older.
    pub(crate) side_since: i64,
    pub(crate) exchanges: Vec<Exchange>,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) step: String,
    pub(crate) status: u16,
    /// The headers that matter, in name order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
    /// Seconds since 1970 when the answer was whole.
    pub(crate) received: i64,
}

/// What came after the headers.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Json(Value),
    /// Not JSON.
    Text(String),
    /// The events of a watch.
    Events(Vec<Value>),
    /// No answer: the connection failed.
    None(String),
}

impl Exchange {
    /// The answer as one value, the shape in which it is normalised and compared.
    pub(crate) fn value(&self) -> Value {
        let headers: Map<String, Value> =
            self.headers.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
        let (key, body) = match &self.body {
            Body::Json(value) => ("body", value.clone()),
            Body::Text(text) => ("text", Value::String(text.clone())),
            Body::Events(events) => ("events", Value::Array(events.clone())),
            Body::None(why) => ("failed", Value::String(why.clone())),
        };
        json!({"status": self.status, "headers": headers, key: body})
    }
}
