//! In what an Application differs from what is live, field by field, and what wants each field so.

use async_recursion::async_recursion as boxed;
use landfall_apps::{Stay, SyncStatus};
use landfall_diag::Diagnostic;
use landfall_engine::{Action, Task};
use landfall_object::Object;
use landfall_source::aside;
use serde_json::Value;

use crate::explain::{Explainer, FieldStory, ObjectName};
use crate::session::Session;
use crate::summary::{Change, Deed, changes};
use crate::unit::Unit;

/// In what an Application differs from what is live.
#[derive(Debug, Clone)]
pub struct Differences {
    /// As a whole; differences that do not count are none.
    pub status: SyncStatus,
    /// Object by object, in the order of a sync; hooks take no part.
    pub objects: Vec<Difference>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// In what one object differs.
#[derive(Debug, Clone)]
pub struct Difference {
    /// What a sync would do with it, with the fields.
    pub change: Change,
    /// What wants each of the fields so, where a template and its values say it: one a field.
    pub stories: Vec<Option<FieldStory>>,
}

/// Fields of one object whose origin is looked up; of more it is not told.
const MOST_STORIES: usize = 200;

impl Session {
    /// In what an Application differs from what is live, and what wants it so; nothing is changed.
    ///
    /// # Errors
    /// It does not render, or its project does not permit what it delivers.
    #[boxed]
    pub async fn differences(&self, unit: &Unit) -> Result<Differences, Vec<Diagnostic>> {
        let (prepared, ..) = self.prepare_alone(unit).await?;
        // Differences that the Application ignores are none.
        let differing: Vec<_> =
            prepared.resources().iter().filter(|one| one.sync == SyncStatus::OutOfSync).map(|one| &one.key).collect();
        let mut found: Vec<(Change, Option<Object>)> = Vec::new();
        for change in changes(&prepared.plan, None) {
            if change.action == Deed::Step(Action::Hook) || !differing.contains(&&change.object) {
                continue;
            }
            let wanted =
                prepared.plan.steps().filter(|step| step.key == change.object).find_map(|step| match &step.task {
                    Task::Apply { object, .. } | Task::Ensure { object } => Some(object.clone()),
                    _ => None,
                });
            found.push((change, wanted));
        }
        let told = found.iter().any(|(change, _)| !change.fields.is_empty());
        let unit = unit.clone();
        let work = move || {
            // What renders for the comparison may not render without a cluster: then the fields alone are told.
            let explainer = told.then(|| Explainer::of(&unit).ok()).flatten();
            found.into_iter().map(|(change, wanted)| explained(explainer.as_ref(), change, wanted.as_ref())).collect()
        };
        let objects = aside(work)
            .await
            .map_err(|broken| vec![Diagnostic::error(landfall_diag::code::BUG, broken.to_string())])?;
        let status = prepared.status();
        let kept = prepared.resources().iter().filter_map(|one| match &one.stays {
            Some(Stay::Good(why)) => Some(format!("{} is no longer in the source and stays: {why}", one.key)),
            _ => None,
        });
        let notes = prepared.notes.iter().cloned().chain(kept).collect();
        Ok(Differences { status, objects, notes })
    }
}

fn explained(explainer: Option<&Explainer>, change: Change, wanted: Option<&Object>) -> Difference {
    let stories = change.fields.iter().enumerate().map(|(index, field)| {
        let (explainer, wanted) = (explainer.filter(|_| index < MOST_STORIES)?, wanted?);
        let steps = steps_in(wanted.value(), &field.path)?;
        let stories = explainer.explain(&ObjectName::of(wanted.value()), &steps);
        stories.into_iter().find_map(|story| story.fields.into_iter().next())
    });
    let stories = stories.collect();
    Difference { change, stories }
}

/// The steps to a field that a change names: list entries by their place, where the change has their names, and keys with
/// dots in one piece.
fn steps_in(value: &Value, path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('.').unwrap_or(path);
    if path.is_empty() {
        return Some(Vec::new());
    }
    let (step, inner, rest) = match value {
        Value::Object(map) => {
            let fits = |key: &&String| {
                let rest = path.strip_prefix(key.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let key = map.keys().filter(fits).max_by_key(|key| key.len())?;
            (key.clone(), map.get(key)?, &path[key.len()..])
        }
        Value::Array(list) => {
            let (name, rest) = path.strip_prefix('[')?.split_once(']')?;
            let by_name = list.iter().position(|item| item["name"].as_str() == Some(name));
            let at = by_name.or_else(|| name.parse().ok())?;
            (at.to_string(), list.get(at)?, rest)
        }
        _ => return None,
    };
    let mut steps = vec![step];
    steps.extend(steps_in(inner, rest)?);
    Some(steps)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_changed_field_is_found_in_what_is_wanted_by_names_and_dotted_keys() {
        let object = json!({
            "metadata": {"annotations": {"a.io": "no", "a.io/b.c": "x"}},
            "spec": {"containers": [{"name": "log"}, {"name": "web", "args": ["a", "b"]}]},
        });
        let steps = |path: &str| steps_in(&object, path).map(|steps| steps.join("|"));
        assert_eq!(steps("metadata.annotations.a.io/b.c").as_deref(), Some("metadata|annotations|a.io/b.c"));
        assert_eq!(steps("spec.containers[web].args[1]").as_deref(), Some("spec|containers|1|args|1"));
        assert_eq!(steps("spec.containers[db].args[1]"), None);
        assert_eq!(steps("spec.replicas"), None);
    }
}
