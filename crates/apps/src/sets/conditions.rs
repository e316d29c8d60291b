//! What an ApplicationSet's status says, in Argo CD's words (applicationset/controllers/applicationset_controller.go).

use landfall_object::Object;
use serde_json::{Value, json};

use super::changes::is_own;
use super::{ApplicationSet, Failure, Reason};

/// How many of the things that could not be done a condition tells.
const TOLD: usize = 3;

/// How a set stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is as it is generated.
    UpToDate,
    /// It could not be generated.
    NotGenerated(Failure),
    /// It was generated, and something of it could not be, or is not yet to be.
    NotApplied(Failure),
}

/// `status.conditions`; a condition that says the same as before keeps its time. `now` is in RFC 3339.
pub fn conditions(set: &ApplicationSet, outcome: &Outcome, now: &str) -> Value {
    let before = set.object.list_at("/status/conditions");
    let told = |kind: &str, is_so: bool, reason: &str, message: &str| {
        let status = if is_so { "True" } else { "False" };
        let same = before.iter().find(|it| {
            it["type"] == kind && it["status"] == status && it["reason"] == reason && it["message"] == message
        });
        let since = same.and_then(|it| it["lastTransitionTime"].as_str()).unwrap_or(now);
        json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since})
    };
    const GENERATED: (&str, &str) = ("ParametersGenerated", "Successfully generated parameters for all Applications");
    const UP_TO_DATE: (&str, &str) = ("ApplicationSetUpToDate", "All applications have been generated successfully");
    const ERROR: &str = "ErrorOccurred";
    let generated = told("ParametersGenerated", true, GENERATED.0, GENERATED.1);
    let fields = set.not_acted_on();
    let not_acted_on = (!fields.is_empty())
        .then(|| told("FieldsNotActedOn", true, "NotActedOn", &format!("not acted on: {}", fields.join(", "))));
    // In the order of their types, as Argo CD keeps them; ours last.
    let mut conditions = match outcome {
        Outcome::UpToDate => vec![
            told(ERROR, false, UP_TO_DATE.0, UP_TO_DATE.1),
            generated,
            told("ResourcesUpToDate", true, UP_TO_DATE.0, UP_TO_DATE.1),
        ],
        Outcome::NotGenerated(Failure { reason, message }) => vec![
            told(ERROR, true, reason.word(), message),
            told("ParametersGenerated", false, ERROR, message),
            told("ResourcesUpToDate", false, ERROR, &format!("its Applications stay as they are: {message}")),
        ],
        Outcome::NotApplied(Failure { reason, message }) => {
            vec![told(ERROR, true, reason.word(), message), generated, told("ResourcesUpToDate", false, ERROR, message)]
        }
    };
    conditions.extend(not_acted_on);
    Value::Array(conditions)
}

/// `status.resources`: the set's Applications among those of its namespace, by name.
pub fn resources(set: &ApplicationSet, current: &[Object]) -> Vec<Value> {
    let mut own: Vec<&Object> = current.iter().filter(|live| is_own(set, live)).collect();
    own.sort_by_key(|live| live.name().to_owned());
    own.into_iter()
        .map(|live| {
            let mut entry = json!({
                "group": "argoproj.io", "version": "v1alpha1", "kind": "Application",
                "namespace": live.namespace(), "name": live.name(),
                "status": live.str_at("/status/sync/status").unwrap_or_default(),
            });
            if let Some(health) = live.str_at("/status/health/status") {
                entry["health"] = json!({"status": health});
            }
            entry
        })
        .collect()
}

impl Outcome {
    /// That of what could not be done; nothing when all could. Of many only some are told, by the first one's reason.
    pub fn of(failures: Vec<(Reason, String)>) -> Self {
        let more = failures.len().saturating_sub(TOLD);
        let Some((reason, _)) = failures.first() else { return Outcome::UpToDate };
        let reason = *reason;
        let told: Vec<String> = failures.into_iter().take(TOLD).map(|(_, message)| message).collect();
        let message = told.join("; ");
        let message = if more > 0 { format!("{message} (and {more} more)") } else { message };
        Outcome::NotApplied(Failure { reason, message })
    }
}
