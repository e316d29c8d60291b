use std::collections::{BTreeMap, BTreeSet};

use landfall_object::{BORN_ANNOTATION, ONCE_ANNOTATION, Object, ObjectKey, mark_born};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::change::{changes_of_live, left_by, predict};
use crate::desired::{Desired, DesiredPhase, Item, Task};
use crate::digest::{hex, live_digest};
use crate::handover::handed_over;
use crate::plan::{Action, Phase, Plan, Seen, Step, Wave};
use crate::{Error, once};

/// The objects as they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    objects: BTreeMap<ObjectKey, Object>,
}

impl Live {
    /// These objects; all others are absent.
    pub fn new(objects: impl IntoIterator<Item = Object>) -> Self {
        Live { objects: objects.into_iter().map(|object| (object.key(), object)).collect() }
    }

    /// An object.
    pub fn get(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects.get(key)
    }

    /// All objects.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }
}

impl Desired {
    /// The objects that a plan has to know the live state of.
    pub fn keys(&self) -> Vec<ObjectKey> {
        self.keys_of(|_| true).into_iter().collect()
    }

    fn keys_of(&self, wanted: impl Fn(&Task) -> bool) -> BTreeSet<ObjectKey> {
        let mut keys = BTreeSet::new();
        for item in self.phases.iter().flat_map(|phase| &phase.items).filter(|item| wanted(&item.task)) {
            match &item.task {
                Task::Apply { object, .. } | Task::Ensure { object } => drop(keys.insert(object.key())),
                Task::Delete { key, .. } => drop(keys.insert(key.clone())),
                Task::Hook(hook) if !hook.object.name().is_empty() => drop(keys.insert(hook.object.key())),
                Task::Hook(_) | Task::Keep { .. } | Task::Wait { .. } => {}
            }
        }
        keys
    }
}

/// Compiles a wish against what is there; pure, and the same for the same inputs.
///
/// # Errors
/// [`Error::Twice`] when two items write one object, [`Error::Nameless`], [`Error::Generated`], and [`Error::Once`] when a key generated
/// once would be changed or removed.
pub fn plan(desired: &Desired, live: &Live) -> Result<Plan, Error> {
    let handed_over = handed_over(desired, live);
    let desired = handed_over.as_ref().unwrap_or(desired);
    let mut written = BTreeSet::new();
    let mut number = 0;
    let mut phases = Vec::new();
    for phase in &desired.phases {
        phases.push(plan_phase(phase, live, &mut number, &mut written)?);
    }
    // What only has to be there may come and go until then: two deliveries may begin with one new namespace.
    let seen: Vec<Seen> = desired
        .keys_of(|task| !matches!(task, Task::Ensure { .. }))
        .into_iter()
        .map(|key| {
            let current = live.get(&key);
            let uid = current.and_then(Object::uid).map(str::to_owned);
            Seen { digest: current.map(live_digest), uid, key }
        })
        .collect();
    let digest = hex(&Sha256::digest(json!({"desired": desired, "seen": seen}).to_string()));
    Ok(Plan {
        target: desired.target.clone(),
        kind: desired.kind.clone(),
        phases,
        home: desired.home.clone(),
        timeout: desired.timeout,
        seen,
        digest,
    })
}

fn plan_phase(
    phase: &DesiredPhase,
    live: &Live,
    number: &mut usize,
    written: &mut BTreeSet<ObjectKey>,
) -> Result<Phase, Error> {
    let mut waves: BTreeMap<i32, Vec<&Item>> = BTreeMap::new();
    for item in &phase.items {
        waves.entry(item.wave).or_default().push(item);
    }
    let mut planned = Vec::new();
    for (wave, items) in waves {
        let mut steps = Vec::new();
        for item in items {
            *number += 1;
            steps.push(plan_item(item, live, format!("{number:04}"), written)?);
        }
        planned.push(Wave { number: wave, steps });
    }
    Ok(Phase { name: phase.name.clone(), runs: phase.runs, waves: planned })
}

/// A task whose Secret says what its keys are known again by that are generated once, and claims nothing else of them.
fn marked(task: &Task, live: &Live) -> Option<Task> {
    let mut task = task.clone();
    let (object, current) = match &mut task {
        Task::Apply { object, .. } => {
            let current = live.get(&object.key());
            (object, current)
        }
        // Both come to be as they stand here, or not at all.
        Task::Ensure { object } => (object, None),
        Task::Hook(hook) => (&mut hook.object, None),
        Task::Delete { .. } | Task::Keep { .. } | Task::Wait { .. } => return None,
    };
    mark_born(object, current);
    Some(task)
}

/// Whether a task writes a Secret that has, or claims to have, keys that are generated once.
fn is_marked(task: &Task) -> bool {
    let object = match task {
        Task::Apply { object, .. } | Task::Ensure { object } => object,
        Task::Hook(hook) => &hook.object,
        Task::Delete { .. } | Task::Keep { .. } | Task::Wait { .. } => return false,
    };
    [ONCE_ANNOTATION, BORN_ANNOTATION].into_iter().any(|mark| object.annotation(mark).is_some())
}

fn plan_item(item: &Item, live: &Live, id: String, written: &mut BTreeSet<ObjectKey>) -> Result<Step, Error> {
    let marked = Some(&item.task).filter(|task| is_marked(task)).and_then(|task| marked(task, live));
    let marked = marked.map(|task| Item { task, ..item.clone() });
    let item = marked.as_ref().unwrap_or(item);
    let mut changes = Vec::new();
    let (action, key) = match &item.task {
        Task::Apply { object, previous, method } => {
            let key = named(object)?;
            if !written.insert(key.clone()) {
                return Err(Error::Twice(Box::new(key)));
            }
            match live.get(&key) {
                None => (Action::Create, key),
                Some(current) => {
                    let next = predict(previous.as_ref(), object, Some(current), method);
                    once::guard(Some(current), Some(&left_by(previous.as_ref(), object, current, method)))?;
                    changes = changes_of_live(current, &next, method.manager());
                    let action = match (changes.is_empty(), method) {
                        (true, _) => Action::Unchanged,
                        (_, crate::Method::Recreate { .. }) => Action::Replace,
                        _ => Action::Change,
                    };
                    (action, key)
                }
            }
        }
        Task::Ensure { object } => {
            let key = named(object)?;
            (if live.get(&key).is_some() { Action::Unchanged } else { Action::Create }, key)
        }
        Task::Delete { key, .. } => match live.get(key) {
            Some(current) => {
                once::guard(Some(current), None)?;
                (Action::Delete, key.clone())
            }
            None => (Action::Absent, key.clone()),
        },
        Task::Keep { key } => (Action::Keep, key.clone()),
        Task::Hook(hook) => {
            if hook.object.name().is_empty() && hook.object.generate_name().is_none() {
                return Err(Error::Nameless(hook.object.kind().to_owned()));
            }
            let key = hook.object.key();
            if let Some(current) = live.get(&key) {
                once::guard(Some(current), None).map_err(once::OnceViolation::by_its_hook)?;
            }
            (Action::Hook, key)
        }
        Task::Wait { keys, .. } => {
            let first = keys.first().cloned();
            (Action::Wait, first.unwrap_or_else(|| ObjectKey::new(landfall_object::Gvk::new("", "", ""), None, "")))
        }
    };
    Ok(Step { id, action, key, why: item.why.clone(), changes, task: item.task.clone() })
}

fn named(object: &Object) -> Result<ObjectKey, Error> {
    match (object.name(), object.generate_name()) {
        ("", Some(_)) => Err(Error::Generated(object.kind().to_owned())),
        ("", None) => Err(Error::Nameless(object.kind().to_owned())),
        _ => Ok(object.key()),
    }
}
