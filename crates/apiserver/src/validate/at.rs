use landfall_object::FieldError;
use serde_json::Value;

/// A value with the path that leads to it; what is not there is null.
#[derive(Clone)]
pub(super) struct At<'v> {
    pub(super) value: &'v Value,
    pub(super) path: String,
}

static NULL: Value = Value::Null;

impl<'v> At<'v> {
    pub(super) fn new(value: &'v Value, path: impl Into<String>) -> Self {
        Self { value, path: path.into() }
    }

    /// A field below.
    pub(super) fn get(&self, name: &str) -> At<'v> {
        At { value: self.value.get(name).unwrap_or(&NULL), path: self.child(name) }
    }

    /// A field further below: `metadata.labels`.
    pub(super) fn dig(&self, names: &str) -> At<'v> {
        names.split('.').fold(self.clone(), |at, name| at.get(name))
    }

    pub(super) fn child(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The path of a map's key.
    pub(super) fn key(&self, key: &str) -> String {
        format!("{}[{key}]", self.path)
    }

    pub(super) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// Whether it is missing, null, an empty text, list or map.
    pub(super) fn is_empty(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        }
    }

    pub(super) fn text(&self) -> &'v str {
        self.value.as_str().unwrap_or_default()
    }

    pub(super) fn int(&self) -> Option<i64> {
        self.value.as_i64()
    }

    pub(super) fn flag(&self) -> bool {
        self.value.as_bool() == Some(true)
    }

    pub(super) fn items(&self) -> impl Iterator<Item = At<'v>> + use<'v> {
        let path = self.path.clone();
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(move |(at, value)| At { value, path: format!("{path}[{at}]") })
    }

    /// The entries of a map, each with the map's key as path: `limits[cpu]`.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'v str, At<'v>)> + use<'v> {
        let path = self.path.clone();
        let entries = self.value.as_object().into_iter().flatten();
        entries.map(move |(key, value)| (key.as_str(), At { value, path: format!("{path}[{key}]") }))
    }
}

/// A map's text with its fields in that order; lists of maps likewise.
pub(super) fn ordered(value: &Value, order: &[&str]) -> String {
    match value {
        Value::Object(map) => {
            let fields: Vec<String> = order
                .iter()
                .filter_map(|name| map.get(*name).map(|value| format!("{}:{value}", Value::from(*name))))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| ordered(item, order)).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

/// The errors found so far.
#[derive(Default)]
pub(super) struct Errors(pub(super) Vec<FieldError>);

impl Errors {
    pub(super) fn push(&mut self, error: FieldError) {
        self.0.push(error);
    }

    pub(super) fn required(&mut self, path: impl Into<String>, detail: &str) {
        self.push(FieldError::required(path, detail));
    }

    pub(super) fn invalid(&mut self, at: &At<'_>, detail: impl Into<String>) {
        self.push(FieldError::invalid(at.path.clone(), at.value.clone(), detail));
    }

    pub(super) fn forbidden(&mut self, path: impl Into<String>, detail: impl Into<String>) {
        self.push(FieldError::forbidden(path, detail));
    }

    pub(super) fn duplicate(&mut self, at: &At<'_>) {
        self.push(FieldError::duplicate(at.path.clone(), at.value.clone()));
    }

    /// An invalid map, its fields shown in the order of the Go struct.
    pub(super) fn invalid_ordered(&mut self, at: &At<'_>, order: &[&str], detail: impl Into<String>) {
        let error = FieldError::invalid(at.path.clone(), at.value.clone(), detail);
        self.push(error.shown_as(ordered(at.value, order)));
    }

    /// One invalid error for each message.
    pub(super) fn each(&mut self, at: &At<'_>, messages: Vec<String>) {
        for message in messages {
            self.invalid(at, message);
        }
    }

    /// Required when empty, else one of the listed values.
    pub(super) fn one_of(&mut self, at: &At<'_>, supported: &[&str]) {
        if at.text().is_empty() {
            self.required(at.path.clone(), "");
        } else {
            self.one_of_if_set(at, supported);
        }
    }

    /// One of the listed values, when there is one.
    pub(super) fn one_of_if_set(&mut self, at: &At<'_>, supported: &[&str]) {
        if at.is_set() && !supported.contains(&at.text()) {
            self.push(FieldError::not_supported(at.path.clone(), at.value.clone(), supported));
        }
    }

    pub(super) fn nonnegative(&mut self, at: &At<'_>) {
        if at.int().is_some_and(|value| value < 0) {
            self.invalid(at, "must be greater than or equal to 0");
        }
    }

    pub(super) fn in_range(&mut self, at: &At<'_>, least: i64, most: i64) {
        if at.int().is_some_and(|value| value < least || value > most) {
            self.invalid(at, format!("must be between {least} and {most}, inclusive"));
        }
    }

    pub(super) fn immutable(&mut self, new: &At<'_>, old: &At<'_>) {
        if new.value != old.value {
            self.invalid(new, "field is immutable");
        }
    }
}
