//! Rules in the Common Expression Language (`x-kubernetes-validations`), after `apiextensions-apiserver/pkg/apiserver/schema/cel`.

use std::sync::Arc;

use serde_json::Value;

use super::{Additional, Structural};
use crate::FieldError;
use crate::cel::{Bindings, Budget, Program, Typing, Val};
use crate::field_error::Reason;

/// Steps that all rules of one object may take together.
const STEPS: u64 = 2_000_000;

/// One rule of one place.
#[derive(Debug, Clone)]
pub(in crate::schema) struct Rule {
    text: String,
    message: String,
    reason: Option<Reason>,
    /// Where the error shows, below the rule's place: `.spec.size`.
    path: String,
    optional_old: bool,
    program: Result<Arc<Program>, String>,
    message_program: Option<Arc<Program>>,
}

impl Rule {
    /// Reads the rules of one schema node.
    pub(super) fn read(schema: &Value) -> Vec<Self> {
        let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
        rules.into_iter().flatten().filter_map(Self::of).collect()
    }

    fn of(rule: &Value) -> Option<Self> {
        let text = |field: &str| rule.get(field).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        let program = |text: &str| Program::parse(text).map(Arc::new);
        let (own, expression) = (text("rule"), text("messageExpression"));
        (!own.is_empty()).then(|| Self {
            program: program(&own),
            message_program: (!expression.is_empty()).then(|| program(&expression).ok()).flatten(),
            message: text("message"),
            path: text("fieldPath"),
            optional_old: rule.get("optionalOldSelf").and_then(Value::as_bool) == Some(true),
            reason: match rule.get("reason").and_then(Value::as_str) {
                Some("FieldValueForbidden") => Some(Reason::Forbidden),
                Some("FieldValueRequired") => Some(Reason::Required),
                Some("FieldValueDuplicate") => Some(Reason::Duplicate),
                _ => None,
            },
            text: own,
        })
    }

    /// What stands for the rule in errors of its evaluation.
    fn name(&self) -> &str {
        if self.message.is_empty() { &self.text } else { &self.message }
    }

    fn words(&self, bindings: &Bindings<'_>, budget: &Budget) -> String {
        let computed = self.message_program.as_ref().and_then(|program| program.evaluate(bindings, budget).ok());
        if let Some(Val::Text(text)) = computed {
            let text = text.trim();
            if !text.is_empty() && !text.contains('\n') && text.len() <= 5 * 1024 {
                return text.to_owned();
            }
        }
        if self.message.is_empty() { format!("failed rule: {}", self.text) } else { self.message.clone() }
    }
}

impl Typing for Structural {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn format(&self) -> &str {
        &self.format
    }

    fn is_unordered(&self) -> bool {
        matches!(self.list_type.as_str(), "set" | "map")
    }

    fn items(&self) -> Option<&dyn Typing> {
        self.items.as_deref().map(|items| items as &dyn Typing)
    }

    fn below(&self, name: &str) -> Option<&dyn Typing> {
        Structural::below(self, name).map(|below| below as &dyn Typing)
    }
}

impl Structural {
    /// The schema of a field or of a map's value.
    pub(crate) fn below(&self, name: &str) -> Option<&Self> {
        match (self.properties.get(name), &self.additional) {
            (Some(schema), _) => Some(schema),
            (None, Additional::Schema(schema)) => Some(schema),
            _ => None,
        }
    }

    /// Whether any rule stands here or below.
    pub(crate) fn has_rules(&self) -> bool {
        let additional = match &self.additional {
            Additional::Schema(schema) => schema.has_rules(),
            _ => false,
        };
        !self.rules.is_empty()
            || additional
            || self.items.as_ref().is_some_and(|items| items.has_rules())
            || self.properties.values().any(Self::has_rules)
    }

    /// The rules that are not understood and therefore not checked, each with why.
    pub(crate) fn misunderstood(&self) -> Vec<String> {
        let own = self.rules.iter().filter_map(|rule| {
            let why = rule.program.as_ref().err()?;
            Some(format!("{}: {why}", rule.text))
        });
        let additional = match &self.additional {
            Additional::Schema(schema) => Some(&**schema),
            _ => None,
        };
        let below = self.properties.values().chain(self.items.as_deref()).chain(additional);
        own.chain(below.flat_map(Self::misunderstood)).collect()
    }

    /// Everything that the rules object to; `old` is the value before an update.
    pub(crate) fn validate_rules(&self, value: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut check = Check { budget: Budget::steps(STEPS), errors: Vec::new() };
        check.value(self, value, old, "");
        check.errors
    }
}

struct Check {
    budget: Budget,
    errors: Vec<FieldError>,
}

impl Check {
    fn value(&mut self, schema: &Structural, value: &Value, old: Option<&Value>, path: &str) {
        if value.is_null() || self.budget.is_spent() {
            return;
        }
        let old = old.filter(|old| !old.is_null());
        for rule in &schema.rules {
            self.rule(rule, schema, value, old, path);
        }
        match value {
            Value::Object(map) => {
                for (key, below) in map {
                    let Some(inner) = schema.below(key) else { continue };
                    let place = match schema.properties.contains_key(key) {
                        true if path.is_empty() => key.clone(),
                        true => format!("{path}.{key}"),
                        false => format!("{path}[{key}]"),
                    };
                    self.value(inner, below, old.and_then(|old| old.get(key)), &place);
                }
            }
            Value::Array(items) => {
                let Some(inner) = &schema.items else { return };
                for (at, item) in items.iter().enumerate() {
                    // Only items of lists with keys have a counterpart.
                    let counterpart = (schema.list_type == "map").then_some(old).flatten().and_then(Value::as_array);
                    let key = schema.key_of(item);
                    let before = counterpart.into_iter().flatten().find(|known| schema.key_of(known) == key);
                    self.value(inner, item, before, &format!("{path}[{at}]"));
                }
            }
            _ => {}
        }
    }

    fn rule(&mut self, rule: &Rule, schema: &Structural, value: &Value, old: Option<&Value>, path: &str) {
        let Ok(program) = &rule.program else { return };
        let transition = program.mentions("oldSelf");
        if transition && old.is_none() && !rule.optional_old {
            return;
        }
        let mut bindings = vec![("self", Val::of(value, Some(schema)))];
        let before = old.map(|old| Val::of(old, Some(schema)));
        match (before, rule.optional_old) {
            (before, true) => bindings.push(("oldSelf", Val::Optional(before.map(Arc::new)))),
            (Some(before), false) => bindings.push(("oldSelf", before)),
            (None, false) => {}
        }
        let kind = || Value::from(schema.kind.as_str());
        let error = match program.evaluate(&bindings, &self.budget) {
            Ok(Val::Bool(true)) => return,
            Ok(_) => {
                // What did not change may stay as it is.
                if !transition && old == Some(value) {
                    return;
                }
                let words = rule.words(&bindings, &self.budget);
                let place = format!("{path}{}", rule.path);
                let place = place.trim_start_matches('.').to_owned();
                let shown = (!matches!(schema.kind.as_str(), "object" | "array")).then(|| value.clone());
                match rule.reason {
                    Some(Reason::Forbidden) => FieldError::forbidden(place, words),
                    Some(Reason::Required) => FieldError::required(place, words),
                    Some(Reason::Duplicate) => {
                        FieldError { bad_value: shown, ..FieldError::duplicate(place, Value::Null) }
                    }
                    _ => FieldError { bad_value: shown, ..FieldError::invalid(place, Value::Null, words) },
                }
            }
            Err(_) if self.budget.is_spent() => {
                let why =
                    "validation failed due to running out of cost budget, no further validation rules will be run";
                FieldError::invalid(path, kind(), why)
            }
            Err(why) if why.starts_with("no such overload") => {
                let why = format!(
                    "'{why}': call arguments did not match a supported operator, function or macro signature for rule: {}",
                    rule.name()
                );
                FieldError::invalid(path, kind(), why)
            }
            Err(why) => FieldError::invalid(path, kind(), format!("{why} evaluating rule: {}", rule.name())),
        };
        self.errors.push(error);
    }
}
