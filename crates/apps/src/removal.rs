//! The removal of all that an application delivered.

use std::collections::BTreeSet;

use landfall_cluster::Propagation;
use landfall_engine::{
    DEFAULT_GOING, Desired, DesiredPhase, Item, Live, Look, PhaseRuns, Places, Plan, Sight, Task, Wish,
};
use landfall_object::{Gvk, Object, ObjectKey};

use crate::compile::OUTSIDE;
use crate::guard::{confirm, is_confirmed};
use crate::keeper::Course;
use crate::kept::outlives;
use crate::sync::PreparedSync;
use crate::{Application, Error, Project, ResourceOptions, SyncOptions};

/// An application that goes, on its way to a plan.
pub(crate) struct Removal {
    target: String,
    /// What counts of all that says nothing else of itself.
    options: SyncOptions,
    course: Course,
    tracked: Vec<Object>,
    /// What its project does not let it have: it stays.
    outside: BTreeSet<ObjectKey>,
    /// Its project's name.
    project: String,
    propagation: Propagation,
}

impl Removal {
    pub(crate) fn new(
        application: &Application,
        tracked: Vec<Object>,
        propagation: Propagation,
        project: Option<&Project>,
    ) -> Self {
        let course = Course::of_deletion(application);
        let options = application.options();
        let is_outside = |key: &ObjectKey| project.is_some_and(|project| !project.permits_live(application, key));
        let outside = tracked.iter().map(Object::key).filter(is_outside).collect();
        let (target, project) = (application.target(), application.project.clone());
        Removal { target, options, course, tracked, outside, project, propagation }
    }
}

/// Why an object outlives its application.
fn outlasts(live: &Object) -> Option<String> {
    let once = landfall_engine::once_keys(live);
    match () {
        () if ResourceOptions::of(live).options.no_delete => Some("Delete=false".to_owned()),
        () if outlives(live) => Some("helm.sh/resource-policy: keep".to_owned()),
        () if !once.is_empty() => Some(format!("kept: {} generated once", once.join(", "))),
        () => None,
    }
}

impl Removal {
    /// Why an object stays.
    fn stays(&self, live: &Object) -> Option<String> {
        let outside = self.outside.contains(&live.key()).then(|| format!("outside of project {}", self.project));
        let by_default = self.options.no_delete && !ResourceOptions::of(live).names_delete;
        outside
            .or_else(|| outlasts(live))
            .or_else(|| by_default.then(|| "Delete=false, as the application says of all of it".to_owned()))
    }

    /// Holds all of it back while something of it waits for somebody's confirmation, given since the application was to go.
    fn check_confirmed(&self) -> Result<(), Error> {
        let application = &self.course.application;
        if is_confirmed(application, application.str_at("/metadata/deletionTimestamp")) {
            return Ok(());
        }
        let is_marked = |live: &&Object| ResourceOptions::of(live).is_confirmed_to_go(&self.options);
        let waits = self.tracked.iter().filter(|live| self.stays(live).is_none()).filter(is_marked);
        let waits: Vec<String> = waits.map(|live| live.key().to_string()).collect();
        let command = confirm(application.name(), application.namespace().unwrap_or(crate::Project::HOME));
        if waits.is_empty() { Ok(()) } else { Err(Error::Unconfirmed { waits, command }) }
    }
}

impl Wish for Removal {
    type Prepared = PreparedSync;
    type Error = Error;

    /// Live objects have their namespaces.
    fn home(&self) -> &str {
        ""
    }

    fn kinds(&self) -> BTreeSet<Gvk> {
        BTreeSet::new()
    }

    fn place(&mut self, _: Places) -> Result<Look, Error> {
        Ok(Look::default())
    }

    fn compile(&mut self, _: &Sight) -> Result<Desired, Error> {
        self.check_confirmed()?;
        let propagation = self.propagation;
        self.tracked.sort_by_key(|live| {
            std::cmp::Reverse((crate::annotations::wave(live), landfall_object::order::sync_key(live)))
        });
        let items = self
            .tracked
            .iter()
            .map(|live| {
                let key = live.key();
                let (task, why) = match self.stays(live) {
                    Some(why) => (Task::Keep { key }, why),
                    None => (Task::Delete { key, propagation }, "the application is deleted".to_owned()),
                };
                Item { wave: 0, task, why }
            })
            .collect::<Vec<_>>();
        let phases = vec![DesiredPhase { name: "Delete".into(), runs: PhaseRuns::OnSuccess, items }];
        let (target, home) = (self.target.clone(), String::new());
        Ok(Desired { target, kind: "delete".into(), phases, home, timeout: DEFAULT_GOING })
    }

    fn prepared(self, plan: Plan, live: Live) -> Result<PreparedSync, Error> {
        let notes = self.outside.iter().map(|key| format!("{key}{OUTSIDE} {} and stays", self.project)).collect();
        Ok(PreparedSync::of_deletion(plan, live, self.course, notes))
    }
}
