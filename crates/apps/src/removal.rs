//! The removal of all that an application delivered.

use std::collections::BTreeSet;

use landfall_cluster::Propagation;
use landfall_engine::{
    DEFAULT_GOING, Desired, DesiredPhase, Item, Live, Look, PhaseRuns, Places, Plan, Sight, Task, Wish,
};
use landfall_object::{Gvk, Object};

use crate::keeper::Course;
use crate::kept::{Stays, outlives};
use crate::sync::{PreparedSync, status_of};
use crate::{Application, Error, Operation};

/// An application that goes, on its way to a plan.
pub(crate) struct Removal {
    target: String,
    course: Course,
    tracked: Vec<Object>,
    propagation: Propagation,
}

impl Removal {
    pub(crate) fn new(application: &Application, tracked: Vec<Object>, propagation: Propagation) -> Self {
        let course = Course {
            application: application.object.clone(),
            revisions: Vec::new(),
            resources: Vec::new(),
            kept: Vec::new(),
            deletes: true,
            operation: Operation::default(),
            attempt: 0,
        };
        Removal { target: application.target(), course, tracked, propagation }
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
        let (tracked, propagation) = (&mut self.tracked, self.propagation);
        tracked.sort_by_key(|live| {
            std::cmp::Reverse((crate::annotations::wave(live), landfall_object::order::sync_key(live)))
        });
        let items = tracked
            .iter()
            .map(|live| {
                let key = live.key();
                let own = crate::ResourceOptions::of(live);
                let once = landfall_engine::once_keys(live);
                let (task, why) = if own.no_delete {
                    (Task::Keep { key }, "Delete=false".to_owned())
                } else if outlives(live) {
                    (Task::Keep { key }, "helm.sh/resource-policy: keep".to_owned())
                } else if !once.is_empty() {
                    (Task::Keep { key }, format!("kept: {} generated once", once.join(", ")))
                } else {
                    (Task::Delete { key, propagation }, "the application is deleted".to_owned())
                };
                Item { wave: 0, task, why }
            })
            .collect::<Vec<_>>();
        let phases = vec![DesiredPhase { name: "Delete".into(), runs: PhaseRuns::OnSuccess, items }];
        let (target, home) = (self.target.clone(), String::new());
        Ok(Desired { target, kind: "delete".into(), phases, home, timeout: DEFAULT_GOING })
    }

    fn prepared(self, plan: Plan, live: Live) -> Result<PreparedSync, Error> {
        Ok(PreparedSync {
            status: status_of(&plan, &Stays::new()),
            resources: Vec::new(),
            plan,
            live,
            notes: Vec::new(),
            course: self.course,
        })
    }
}
