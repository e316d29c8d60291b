//! Objects that others' owners answer for: what an Application of a protected project has delivered is changed by Applications of
//! that project alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_engine::{Live, Plan};
use landfall_object::{Object, ObjectKey};

use crate::Error;
use crate::tracking::{instance_name, owner};

/// Applications whose objects are nobody else's to change, by what they are called on them, each with its protected project; clones
/// share them. An Application's name counts, and not its uid: what it has delivered outlives it, and names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Barred(Arc<BTreeMap<String, String>>);

/// An object that a plan would change, and must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Theirs {
    key: ObjectKey,
    other: String,
    project: String,
}

impl Barred {
    /// These Applications, each with its project.
    pub fn new(instances: BTreeMap<String, String>) -> Self {
        Barred(Arc::new(instances))
    }

    /// The Application of another project that an object belongs to, and that project.
    fn whose<'b>(&'b self, live: &'b Object) -> Option<(&'b str, &'b str)> {
        if self.0.is_empty() {
            return None;
        }
        let other = owner(live)?;
        self.0.get(other).map(|project| (other, project.as_str()))
    }

    /// Whether an object belongs to one of them.
    pub(crate) fn has(&self, live: &Object) -> bool {
        self.whose(live).is_some()
    }

    /// Of what a plan changes, deletes or runs as a hook: what belongs to one of them.
    pub(crate) fn among(&self, plan: &Plan, live: &Live) -> Vec<Theirs> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let acting = plan.steps().filter(|step| step.action.acts());
        let theirs = acting.filter_map(|step| {
            let (other, project) = self.whose(live.get(&step.key)?)?;
            Some(Theirs { key: step.key.clone(), other: other.to_owned(), project: project.to_owned() })
        });
        theirs.collect()
    }
}

impl Theirs {
    /// Why an Application's plan is not carried out.
    pub(crate) fn refused(&self, application: &Object) -> Error {
        let Theirs { key, other, project } = self.clone();
        let name = instance_name(application.namespace().unwrap_or_default(), application.name());
        let other = if other == name { format!("an earlier {other}") } else { other };
        Error::Barred { name, key: Box::new(key), other, project }
    }
}
