use std::collections::BTreeSet;

use landfall_object::{Object, ObjectKey, mask};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::change::FieldChange;
use crate::desired::{PhaseRuns, Task};

/// What will be done, in which order and why; plain data that prints, serialises and diffs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What is delivered to.
    pub target: String,
    /// The verb.
    pub kind: String,
    /// In order.
    pub phases: Vec<Phase>,
    /// The namespace of objects that name none and whose kinds are served only when it is their turn; empty where there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub home: String,
    /// Seconds that an object in the way may take to go.
    #[serde(default = "crate::desired::default_going")]
    pub timeout: u64,
    /// The live objects that the plan was made from.
    pub seen: Vec<Seen>,
    /// SHA-256 over the desired state and the live objects seen, hexadecimal.
    pub digest: String,
}

/// A phase of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// The front door's name for it.
    pub name: String,
    /// When it runs.
    pub runs: PhaseRuns,
    /// In ascending order.
    pub waves: Vec<Wave>,
}

/// A wave of a phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wave {
    /// Its number.
    pub number: i32,
    /// In order.
    pub steps: Vec<Step>,
}

/// A live object as the plan saw it; serialises without the digest of a Secret, which confirms a guess at its values.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Seen {
    /// Which.
    pub key: ObjectKey,
    /// The digest of what it declares (`live_digest`); absent when there was none.
    pub digest: Option<String>,
    /// Its uid, with which it may be deleted; absent when there was none.
    pub uid: Option<String>,
}

/// As a [`Seen`] is written down.
#[derive(Serialize)]
struct Written<'s> {
    key: &'s ObjectKey,
    digest: Option<&'s str>,
    uid: Option<&'s str>,
}

impl Seen {
    fn revealed(&self) -> Written<'_> {
        Written { key: &self.key, digest: self.digest.as_deref(), uid: self.uid.as_deref() }
    }
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = self.revealed();
        if mask::is_secret(&Object::new(&self.key)) {
            written.digest = written.digest.map(|_| mask::MASK);
        }
        written.serialize(serializer)
    }
}

/// What a step does, as far as can be told beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The object is created.
    Create,
    /// The object is changed.
    Change,
    /// The object is replaced as a whole: a new one in its place.
    Replace,
    /// The object is as it is to be.
    Unchanged,
    /// The object is deleted.
    Delete,
    /// The object stays although it is no longer wanted.
    Keep,
    /// There is nothing to delete.
    Absent,
    /// A hook runs.
    Hook,
    /// Objects are waited for.
    Wait,
}

impl Action {
    /// Whether the step touches the cluster.
    pub fn acts(self) -> bool {
        matches!(self, Action::Create | Action::Change | Action::Replace | Action::Delete | Action::Hook)
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Change => "change",
            Action::Replace => "replace",
            Action::Unchanged => "unchanged",
            Action::Delete => "delete",
            Action::Keep => "keep",
            Action::Absent => "absent",
            Action::Hook => "hook",
            Action::Wait => "wait",
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `0001`, `0002`, ...: the same for the same plan, and its name in the journal.
    pub id: String,
    /// What it does.
    pub action: Action,
    /// The object it is about; the first one of a wait.
    pub key: ObjectKey,
    /// Why, in a few words.
    pub why: String,
    /// What changes, values of secrets masked.
    pub changes: Vec<FieldChange>,
    /// What was desired.
    #[serde(serialize_with = "crate::desired::as_shown")]
    pub task: Task,
}

impl Plan {
    /// The plan as JSON with the values of its Secrets, from which it can be carried out: for the sealed journal of a run
    /// that is not over, and for nobody else. As it serialises otherwise, those are masked, and so are the digests of
    /// live Secrets, by which a value could be guessed.
    ///
    /// # Errors
    /// When something of it is no JSON.
    pub fn revealed(&self) -> serde_json::Result<Value> {
        let mut plan = serde_json::to_value(self)?;
        for (phase, at) in self.phases.iter().enumerate() {
            for (wave, at) in at.waves.iter().enumerate() {
                for (step, at) in at.steps.iter().enumerate() {
                    plan["phases"][phase]["waves"][wave]["steps"][step]["task"] = at.task.revealed()?;
                }
            }
        }
        plan["seen"] = self.seen.iter().map(|seen| serde_json::to_value(seen.revealed())).collect::<Result<_, _>>()?;
        Ok(plan)
    }

    /// All steps in order, those for failure included.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.phases.iter().flat_map(|phase| &phase.waves).flat_map(|wave| &wave.steps)
    }

    /// Whether the cluster is as desired: no object would be created, changed or deleted (hooks aside).
    pub fn changes_nothing(&self) -> bool {
        !self.steps().any(|step| step.action.acts() && step.action != Action::Hook)
    }

    /// Takes the steps out that write these objects, and what would wait for them.
    pub fn leave_out(&mut self, keys: &BTreeSet<ObjectKey>) {
        for wave in self.phases.iter_mut().flat_map(|phase| &mut phase.waves) {
            wave.steps.retain_mut(|step| match &mut step.task {
                Task::Wait { keys: waited, .. } => {
                    waited.retain(|key| !keys.contains(key));
                    !waited.is_empty()
                }
                _ => !keys.contains(&step.key),
            });
        }
    }

    /// How many steps do that.
    pub fn count(&self, action: Action) -> usize {
        self.steps().filter(|step| step.action == action).count()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Desired, DesiredPhase, Hook, Item, Live, Method, PhaseRuns, plan};

    fn secret(name: &str, value: &str) -> Object {
        let copy = json!({"kubectl.kubernetes.io/last-applied-configuration": value});
        Object::from_value(json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": value},
            "metadata": {"name": name, "namespace": "shop", "annotations": copy}}))
        .expect("a map")
    }

    #[test]
    fn what_is_shown_of_a_plan_holds_no_value_of_a_secret_and_what_is_carried_out_does() {
        let method = Method::ThreeWay { manager: "helm".into() };
        let hook = Hook {
            id: 0,
            object: secret("c", "hunter4"),
            delete: Vec::new(),
            log: Vec::new(),
            criterion: crate::Criterion::Completion,
            timeout: 1,
            manager: "helm".into(),
        };
        let tasks = [
            Task::Apply { object: secret("a", "hunter2"), previous: Some(secret("a", "hunter3")), method },
            Task::Ensure { object: secret("b", "hunter5") },
            Task::Hook(Box::new(hook)),
        ];
        let items = tasks.into_iter().map(|task| Item { wave: 0, task, why: "templates/keys.yaml".into() }).collect();
        let desired = Desired {
            target: "release shop/shop".into(),
            kind: "upgrade".into(),
            phases: vec![DesiredPhase { name: "resources".into(), runs: PhaseRuns::OnSuccess, items }],
            home: String::new(),
            timeout: 1,
        };
        let plan = plan(&desired, &Live::new([secret("a", "hunter1")])).expect("it can be planned");
        let journalled = plan.revealed().expect("serialises");
        let whole = journalled.to_string();
        let shown = serde_json::to_string(&plan).expect("serialises");
        assert!(["hunter2", "hunter3", "hunter4", "hunter5"].iter().all(|value| whole.contains(value)), "{whole}");
        assert!(!shown.contains("hunter"), "{shown}");
        let digest = plan.seen.iter().find_map(|seen| seen.digest.clone()).expect("one is there");
        assert!(whole.contains(&digest) && !shown.contains(&digest), "{shown}");
        assert!(shown.contains(&plan.digest), "{shown}");
        assert_eq!(serde_json::from_value::<Plan>(journalled).expect("a plan"), plan);
    }
}
