//! Plans that somebody approved: what is delivered must be exactly them.

use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Diagnostic, code};
use landfall_object::ObjectKey;
use landfall_secrets::{CryptoError, Fingerprint, Masked};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::UnitPlan;

/// Plans as they were shown to somebody, values of Secrets masked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Approved(Vec<ApprovedUnit>);

/// The plan of a unit, as it was shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ApprovedUnit {
    name: String,
    namespace: String,
    revision: i64,
    plan: Value,
    /// A fingerprint of the whole plan, where masks hide something of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hidden: Option<String>,
}

/// The whole plan, where masks hide something of it.
fn hidden(plan: &UnitPlan) -> Option<Masked> {
    let whole = plan.plan.revealed().ok()?;
    let shown = serde_json::to_value(&plan.plan).ok()?;
    (whole != shown).then(|| Masked::new(whole.to_string().into_bytes()))
}

impl ApprovedUnit {
    fn of(plan: &UnitPlan) -> Self {
        ApprovedUnit {
            name: plan.name.clone(),
            namespace: plan.namespace.clone(),
            revision: plan.revision,
            plan: serde_json::to_value(&plan.plan).unwrap_or_default(),
            hidden: None,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.revision == other.revision && self.digest().is_some_and(|digest| other.digest() == Some(digest))
    }

    /// Whether what masks hide is the same.
    fn hides_same(&self, whole: Option<&Masked>) -> bool {
        match (&self.hidden, whole) {
            (None, None) => true,
            (Some(print), Some(whole)) => {
                Fingerprint::parse(print).is_some_and(|print| print.is_of(whole).unwrap_or_default())
            }
            _ => false,
        }
    }

    fn digest(&self) -> Option<&str> {
        self.plan["digest"].as_str()
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The live objects that it was made from.
    fn seen(&self) -> BTreeMap<String, &Value> {
        let seen = self.plan["seen"].as_array().into_iter().flatten();
        seen.map(|seen| (key(&seen["key"]), seen)).collect()
    }

    /// What its steps do, by phase, wave and object.
    fn tasks(&self) -> BTreeMap<(String, i64, String), &Value> {
        fn list(value: &Value) -> impl Iterator<Item = &Value> {
            value.as_array().into_iter().flatten()
        }
        let mut tasks = BTreeMap::new();
        for phase in list(&self.plan["phases"]) {
            for wave in list(&phase["waves"]) {
                let number = wave["number"].as_i64().unwrap_or_default();
                // What is waited for is what was written.
                for step in list(&wave["steps"]).filter(|step| step["action"] != "wait") {
                    let name = phase["name"].as_str().unwrap_or_default().to_owned();
                    tasks.insert((name, number, key(&step["key"])), &step["task"]);
                }
            }
        }
        tasks
    }

    /// What would be written otherwise now.
    fn steps_otherwise(&self, now: &Self) -> Vec<String> {
        let mut told = Vec::new();
        let (shown, found) = (self.tasks(), now.tasks());
        for (at, task) in &shown {
            match found.get(at).map(|found| first_difference(&task_object(task), &task_object(found), String::new())) {
                None => told.push(format!("{} is no longer among what would be done", at.2)),
                Some(Some(place)) => told.push(format!("{} would be written otherwise: {place}", at.2)),
                Some(None) => {}
            }
        }
        told.extend(found.keys().filter(|at| !shown.contains_key(*at)).map(|at| format!("{} has come to it", at.2)));
        told
    }

    /// What is otherwise now than when it was shown, for people.
    fn differences(&self, now: &Self) -> Vec<String> {
        let mut told = Vec::new();
        if self.revision != now.revision {
            let before = self.revision.saturating_sub(1);
            told.push(format!(
                "the last revision of {} was {before} when it was planned, and is {} now",
                self.shown(),
                now.revision.saturating_sub(1)
            ));
        }
        let (shown, found) = (self.seen(), now.seen());
        for (key, seen) in &shown {
            let Some(found) = found.get(key) else { continue };
            let word = match (seen["uid"].as_str(), found["uid"].as_str()) {
                (None, Some(_)) => "is there now, and was not",
                (Some(_), None) => "was there, and is not any more",
                (Some(before), Some(after)) if before != after => "is another one than it was",
                _ if seen["digest"] != found["digest"] => "was changed on the cluster",
                _ => continue,
            };
            told.push(format!("{key} {word}"));
        }
        // What is to be written hangs on the revision that it is written over.
        if self.revision == now.revision {
            told.extend(self.steps_otherwise(now));
        }
        if told.is_empty() {
            // All that the masks hide is values of Secrets.
            let tasks = self.tasks();
            let secrets: Vec<&str> =
                tasks.keys().map(|at| at.2.as_str()).filter(|key| key.starts_with("Secret ")).collect();
            told.push(match secrets.as_slice() {
                [] => "what it is delivered with was changed".to_owned(),
                secrets => format!(
                    "a value of {} is another one, live or as it would be written; what a template draws anew at each \
                     rendering cannot be planned beforehand",
                    secrets.join(", ")
                ),
            });
        }
        told
    }
}

impl Approved {
    /// Plans as they are shown now.
    ///
    /// # Errors
    /// There is no randomness for a fingerprint.
    pub fn of(plans: &[UnitPlan]) -> Result<Self, CryptoError> {
        let unit = |plan: &UnitPlan| {
            let print = hidden(plan).map(|whole| Fingerprint::of(&whole)).transpose()?;
            Ok(ApprovedUnit { hidden: print.map(|print| print.to_string()), ..ApprovedUnit::of(plan) })
        };
        plans.iter().map(unit).collect::<Result<_, _>>().map(Approved)
    }

    /// Whether what would be done now is what was approved.
    ///
    /// # Errors
    /// A [`code::PLAN_OUTDATED`] for each unit whose plan is another one now, that has come, or that is gone.
    pub fn permit(&self, plans: &[UnitPlan]) -> Result<(), Vec<Diagnostic>> {
        let is_unit = |unit: &ApprovedUnit, plan: &UnitPlan| unit.name == plan.name && unit.namespace == plan.namespace;
        let mut told = Vec::new();
        for unit in &self.0 {
            match plans.iter().find(|plan| is_unit(unit, plan)) {
                Some(plan) => told.extend(outdated(unit, &ApprovedUnit::of(plan), hidden(plan).as_ref())),
                None => {
                    told.push(refusal(unit).note(format!("{} is not among what is delivered any more", unit.shown())))
                }
            }
        }
        let new = plans.iter().filter(|plan| !self.0.iter().any(|unit| is_unit(unit, plan)));
        told.extend(new.map(|plan| came(&ApprovedUnit::of(plan))));
        if told.is_empty() { Ok(()) } else { Err(told) }
    }

    /// The same for one unit that could be planned only after what comes before it.
    ///
    /// # Errors
    /// As [`Approved::permit`].
    pub(super) fn permit_one(&self, plan: &UnitPlan) -> Result<(), Vec<Diagnostic>> {
        let now = ApprovedUnit::of(plan);
        let Some(unit) = self.0.iter().find(|unit| unit.name == now.name && unit.namespace == now.namespace) else {
            return Err(vec![came(&now)]);
        };
        outdated(unit, &now, hidden(plan).as_ref()).map_or(Ok(()), |told| Err(vec![told]))
    }
}

fn came(unit: &ApprovedUnit) -> Diagnostic {
    refusal(unit).note(format!("{} was not among what was planned", unit.shown()))
}

fn outdated(unit: &ApprovedUnit, now: &ApprovedUnit, hidden: Option<&Masked>) -> Option<Diagnostic> {
    if unit.is_same(now) && unit.hides_same(hidden) {
        return None;
    }
    Some(unit.differences(now).into_iter().fold(refusal(unit), Diagnostic::note))
}

fn refusal(unit: &ApprovedUnit) -> Diagnostic {
    Diagnostic::refused(code::PLAN_OUTDATED, format!("the plan of {} is out of date", unit.shown()))
        .help("`landfall plan --out FILE` shows and saves what would be done now")
}

/// A key as it serialises, for people.
fn key(value: &Value) -> String {
    ObjectKey::deserialize(value).map_or_else(|_| value.to_string(), |key| key.to_string())
}

/// The object that a task writes.
fn task_object(task: &Value) -> Value {
    task.get("object").unwrap_or(task).clone()
}

/// The path of the first field in which two values differ.
fn first_difference(one: &Value, other: &Value, path: String) -> Option<String> {
    if one == other {
        return None;
    }
    match (one, other) {
        (Value::Object(fields), Value::Object(others)) => {
            let names: BTreeSet<&String> = fields.keys().chain(others.keys()).collect();
            names.into_iter().find_map(|name| {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                first_difference(
                    &fields.get(name).cloned().unwrap_or_default(),
                    &others.get(name).cloned().unwrap_or_default(),
                    below,
                )
            })
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => items
            .iter()
            .zip(others)
            .enumerate()
            .find_map(|(at, (one, other))| first_difference(one, other, format!("{path}[{at}]"))),
        _ => Some(path),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn unit(digest: &str, live: Option<(&str, &str)>, replicas: u32) -> ApprovedUnit {
        let of = json!({"gvk": {"group": "apps", "version": "v1", "kind": "Deployment"}, "namespace": "shop", "name": "web"});
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": replicas}});
        let task = json!({"task": "apply", "object": object});
        ApprovedUnit {
            name: "web".to_owned(),
            namespace: "shop".to_owned(),
            revision: 2,
            plan: json!({
                "digest": digest,
                "seen": [{"key": of, "digest": live.map(|it| it.0), "uid": live.map(|it| it.1)}],
                "phases": [{"name": "resources", "waves": [{"number": 0, "steps": [{"key": of, "task": task}]}]}],
            }),
            hidden: None,
        }
    }

    #[test]
    fn what_is_otherwise_is_named_with_its_field() {
        let shown = unit("a", Some(("x", "1")), 1);
        assert!(outdated(&shown, &shown.clone(), None).is_none());
        for (now, told) in [
            (unit("b", Some(("y", "1")), 1), "Deployment.apps shop/web was changed on the cluster"),
            (unit("b", Some(("x", "2")), 1), "Deployment.apps shop/web is another one than it was"),
            (unit("b", None, 1), "Deployment.apps shop/web was there, and is not any more"),
            (unit("b", Some(("x", "1")), 3), "Deployment.apps shop/web would be written otherwise: spec.replicas"),
            (unit("b", Some(("x", "1")), 1), "what it is delivered with was changed"),
            (
                ApprovedUnit { revision: 4, ..shown.clone() },
                "the last revision of shop/web was 1 when it was planned, and is 3 now",
            ),
        ] {
            let found = outdated(&shown, &now, None).map(|it| it.notes).unwrap_or_default();
            assert_eq!(found, [told.to_owned()], "{now:?}");
        }
    }

    #[test]
    fn what_masks_hide_is_told_apart() {
        let value = |text: &str| Masked::from(text.as_bytes());
        let print = Fingerprint::of(&value("one")).expect("random").to_string();
        let shown = ApprovedUnit { hidden: Some(print), ..unit("a", None, 1) };
        assert!(outdated(&shown, &shown.clone(), Some(&value("one"))).is_none());
        for other in [Some(value("two")), None] {
            assert!(outdated(&shown, &shown.clone(), other.as_ref()).is_some());
        }
        assert!(outdated(&unit("a", None, 1), &shown, Some(&value("one"))).is_some());
    }

    #[test]
    fn a_plan_without_a_digest_is_the_same_as_none() {
        let shown = ApprovedUnit { plan: json!({}), ..unit("a", None, 1) };
        assert!(outdated(&shown, &shown.clone(), None).is_some());
    }
}
