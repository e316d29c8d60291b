use serde_json::{Map, Number, Value};

use super::{Additional, Structural};
use crate::FieldError;
use crate::time;

impl Structural {
    /// Everything the schema objects to, in the words of kube-openapi's validator.
    pub(crate) fn validate(&self, value: &Value) -> Vec<FieldError> {
        let mut errors = Vec::new();
        self.check(value, "", &mut errors);
        errors
    }

    /// Lists of type set and map: no item twice.
    pub(crate) fn validate_lists(&self, value: &Value, path: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        self.check_lists(value, path, &mut errors);
        errors
    }

    fn type_names(&self) -> Vec<&str> {
        if self.int_or_string {
            vec!["integer", "string"]
        } else if self.kind.is_empty() {
            Vec::new()
        } else {
            vec![&self.kind]
        }
    }

    fn check(&self, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        let types = self.type_names();
        if value.is_null() {
            if !types.is_empty() && !self.nullable {
                errors.push(wrong_type(path, &types.join(","), "null"));
            }
            self.check_enum(value, path, errors);
            return;
        }
        let found = type_name(value);
        let fits = types.iter().any(|wanted| {
            *wanted == found
                || *wanted == "number" && found == "integer"
                || *wanted == "integer"
                    && value.as_f64().is_some_and(|number| found == "number" && number.fract() == 0.0)
        });
        // A text with a format is judged by its format alone.
        let formatted = !self.format.is_empty() && (value.is_string() || value.is_array());
        let numeric = types.iter().any(|wanted| matches!(*wanted, "number" | "integer"));
        if !types.is_empty() && !fits && (numeric || !formatted) {
            errors.push(wrong_type(path, &types.join(","), found));
        }
        self.check_combinations(value, path, errors);
        match value {
            Value::String(text) => self.check_text(text, path, errors),
            Value::Number(number) => self.check_number(number, path, errors),
            Value::Array(items) => self.check_items(items, path, errors),
            _ => {}
        }
        self.check_enum(value, path, errors);
        if let Value::Object(map) = value {
            self.check_fields(map, path, errors);
        }
    }

    fn check_enum(&self, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        if self.enum_values.is_empty() || self.enum_values.contains(value) {
            return;
        }
        let allowed: Vec<String> = self
            .enum_values
            .iter()
            .map(|allowed| allowed.as_str().map_or_else(|| allowed.to_string(), str::to_owned))
            .collect();
        let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
        errors.push(FieldError::not_supported(field(path), value.clone(), &allowed));
    }

    fn check_combinations(&self, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        let failures = |schema: &Self| {
            let mut errors = Vec::new();
            schema.check(value, path, &mut errors);
            errors
        };
        if !self.any_of.is_empty() {
            let all: Vec<Vec<FieldError>> = self.any_of.iter().map(failures).collect();
            if all.iter().all(|errors| !errors.is_empty()) {
                errors.push(root_error(format!("{path:?} must validate at least one schema (anyOf)")));
                errors.extend(all.into_iter().next().unwrap_or_default());
            }
        }
        if !self.one_of.is_empty() {
            let all: Vec<Vec<FieldError>> = self.one_of.iter().map(failures).collect();
            let valid = all.iter().filter(|errors| errors.is_empty()).count();
            if valid != 1 {
                let found = if valid == 0 {
                    "Found none valid".to_owned()
                } else {
                    format!("Found {valid} valid alternatives")
                };
                errors.push(root_error(format!("{path:?} must validate one and only one schema (oneOf). {found}")));
                if valid == 0 {
                    errors.extend(all.into_iter().next().unwrap_or_default());
                }
            }
        }
        if !self.all_of.is_empty() {
            let all: Vec<Vec<FieldError>> = self.all_of.iter().map(failures).collect();
            let valid = all.iter().filter(|errors| errors.is_empty()).count();
            errors.extend(all.into_iter().flatten());
            if valid != self.all_of.len() {
                let none = if valid == 0 { ". None validated" } else { "" };
                errors.push(root_error(format!("{path:?} must validate all the schemas (allOf){none}")));
            }
        }
        if self.not.as_ref().is_some_and(|not| failures(not).is_empty()) {
            errors.push(root_error(format!("{path:?} must not validate the schema (not)")));
        }
    }

    fn check_text(&self, text: &str, path: &str, errors: &mut Vec<FieldError>) {
        let length = text.chars().count() as u64;
        if let Some(most) = self.limits.max_length.filter(|most| length > *most) {
            errors.push(FieldError::too_long(field(path), usize::try_from(most).unwrap_or(usize::MAX)));
        }
        if let Some(least) = self.limits.min_length.filter(|least| length < *least) {
            errors.push(invalid(path, text, format!("should be at least {least} chars long")));
        }
        if let Some((pattern, Some(regex))) = &self.pattern
            && !regex.is_match(text)
        {
            errors.push(invalid(path, text, format!("should match '{pattern}'")));
        }
        if !fits_format(&self.format, text) {
            let detail = format!("{} in body must be of type {}: {}", field(path), self.format, crate::go_quote(text));
            errors.push(FieldError::type_invalid(field(path), text, detail));
        }
    }

    fn check_number(&self, number: &Number, path: &str, errors: &mut Vec<FieldError>) {
        let Some(value) = number.as_f64() else { return };
        if self.kind == "integer" && value.fract() != 0.0 {
            let place = field(path);
            errors.push(root_error(format!("Checked value must be of type integer (default format) in {place}")));
        }
        let limits = &self.limits;
        if let Some(most) = limits.maximum {
            let exclusive = limits.exclusive_maximum;
            if value > most || exclusive && value >= most {
                let words = if exclusive { "less than" } else { "less than or equal to" };
                errors.push(invalid(path, number.clone(), format!("should be {words} {}", plain(most))));
            }
        }
        if let Some(least) = limits.minimum {
            let exclusive = limits.exclusive_minimum;
            if value < least || exclusive && value <= least {
                let words = if exclusive { "greater than" } else { "greater than or equal to" };
                errors.push(invalid(path, number.clone(), format!("should be {words} {}", plain(least))));
            }
        }
        if let Some(factor) = limits.multiple_of
            && factor > 0.0
            && (value / factor).fract() != 0.0
        {
            errors.push(invalid(path, number.clone(), format!("should be a multiple of {}", plain(factor))));
        }
    }

    fn check_items(&self, items: &[Value], path: &str, errors: &mut Vec<FieldError>) {
        if let Some(schema) = &self.items {
            for (at, item) in items.iter().enumerate() {
                schema.check(item, &format!("{path}[{at}]"), errors);
            }
        }
        let size = items.len() as u64;
        if let Some(least) = self.limits.min_items.filter(|least| size < *least) {
            errors.push(invalid(path, size, format!("should have at least {least} items")));
        }
        if let Some(most) = self.limits.max_items.filter(|most| size > *most) {
            errors.push(FieldError::too_many(field(path), items.len(), usize::try_from(most).unwrap_or(usize::MAX)));
        }
    }

    fn check_fields(&self, map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
        let size = map.len() as u64;
        if let Some(least) = self.limits.min_properties.filter(|least| size < *least) {
            errors.push(invalid(path, size, format!("should have at least {least} properties")));
        }
        if let Some(most) = self.limits.max_properties.filter(|most| size > *most) {
            errors.push(FieldError::too_many(field(path), map.len(), usize::try_from(most).unwrap_or(usize::MAX)));
        }
        match &self.additional {
            Additional::Nothing => {
                for key in map.keys().filter(|key| !self.properties.contains_key(*key)) {
                    let detail = format!("{path}.{key} in body is a forbidden property");
                    errors.push(FieldError::invalid(field(path), key.as_str(), detail));
                }
            }
            Additional::Schema(schema) => {
                for (key, value) in map.iter().filter(|(key, _)| !self.properties.contains_key(*key)) {
                    schema.check(value, &format!("{path}.{key}"), errors);
                }
            }
            Additional::Unsaid | Additional::Anything => {}
        }
        for (name, schema) in &self.properties {
            if let Some(value) = map.get(name) {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                schema.check(value, &below, errors);
            }
        }
        for name in self.required.iter().filter(|name| !map.contains_key(*name)) {
            errors.push(FieldError::required(field(&format!("{path}.{name}")), ""));
        }
    }

    fn check_lists(&self, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    match (self.properties.get(key), &self.additional) {
                        (Some(schema), _) => schema.check_lists(value, &below, errors),
                        (None, Additional::Schema(schema)) => {
                            schema.check_lists(value, &format!("{path}[{key}]"), errors)
                        }
                        _ => {}
                    }
                }
            }
            Value::Array(items) => {
                let keys: Vec<Value> = match self.list_type.as_str() {
                    "set" => items.clone(),
                    "map" => items.iter().map(|item| self.key_of(item)).collect(),
                    _ => Vec::new(),
                };
                for (at, key) in keys.iter().enumerate() {
                    // Each repeated item is reported once, where it occurs the second time.
                    if keys[..at].iter().filter(|earlier| *earlier == key).count() == 1 {
                        errors.push(FieldError::duplicate(format!("{path}[{at}]"), key.clone()));
                    }
                }
                if let Some(schema) = &self.items {
                    for (at, item) in items.iter().enumerate() {
                        schema.check_lists(item, &format!("{path}[{at}]"), errors);
                    }
                }
            }
            _ => {}
        }
    }

    pub(crate) fn key_of(&self, item: &Value) -> Value {
        let keys = self.list_keys.iter().filter_map(|key| Some((key.to_string(), item.get(&**key)?.clone())));
        Value::Object(keys.collect())
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Paths begin with a dot inside the validator, not in messages.
fn field(path: &str) -> String {
    path.trim_start_matches('.').to_owned()
}

fn root_error(detail: String) -> FieldError {
    FieldError::invalid("", "", detail)
}

fn wrong_type(path: &str, wanted: &str, found: &str) -> FieldError {
    let detail = format!("{} in body must be of type {wanted}: {found:?}", field(path));
    FieldError::type_invalid(field(path), found, detail)
}

fn invalid(path: &str, value: impl Into<Value>, words: String) -> FieldError {
    FieldError::invalid(field(path), value, format!("{} in body {words}", field(path)))
}

fn plain(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number:.0}") } else { number.to_string() }
}

fn fits_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => time::parse(text).is_some(),
        "date" => text.len() == 10 && time::parse(&format!("{text}T00:00:00Z")).is_some(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "cidr" => text.split_once('/').is_some_and(|(address, bits)| {
            let most = match address.parse::<std::net::IpAddr>() {
                Ok(std::net::IpAddr::V4(_)) => 32,
                Ok(std::net::IpAddr::V6(_)) => 128,
                Err(_) => return false,
            };
            bits.parse::<u8>().is_ok_and(|bits| bits <= most)
        }),
        "uuid" => {
            let hex: String = text.chars().filter(|c| *c != '-').collect();
            hex.len() == 32 && hex.chars().all(|c| c.is_ascii_hexdigit())
        }
        "byte" => {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.decode(text).is_ok()
        }
        "email" => text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()),
        _ => true,
    }
}
