//! The hooks of an application's deletion: what runs before what it delivered goes, and what runs after.

use std::collections::BTreeSet;

use landfall_engine::{Desired, DesiredPhase, Live, Look, PhaseRuns, Places, Plan, Sight, Wish};
use landfall_object::{Gvk, Object};

use crate::annotations::{HookType, runs_at_deletion};
use crate::compile::{Target, deletion_items};
use crate::keeper::Course;
use crate::sync::PreparedSync;
use crate::{Application, Error};

/// Which moments of its deletion an application has hooks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeletionHooks {
    /// Before what it delivered goes.
    pub before: bool,
    /// After that.
    pub after: bool,
}

impl DeletionHooks {
    /// Those among rendered objects.
    pub fn among<'o>(objects: impl Iterator<Item = &'o Object>) -> Self {
        objects.fold(DeletionHooks::default(), |known, object| DeletionHooks {
            before: known.before || runs_at_deletion(object, HookType::PreDelete),
            after: known.after || runs_at_deletion(object, HookType::PostDelete),
        })
    }
}

/// What runs of an application's deletion at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct PartingRequest {
    /// The rendered objects; those that are no hooks of that moment are left out.
    pub targets: Vec<Target>,
    /// [`HookType::PreDelete`] or [`HookType::PostDelete`].
    pub moment: HookType,
    /// Seconds that each hook may take.
    pub timeout: u64,
}

/// Such hooks on their way to a plan.
pub(crate) struct Parting {
    application: Application,
    request: PartingRequest,
    course: Course,
    home: String,
}

impl Parting {
    /// `home` is the namespace of objects where neither they nor the application name one.
    pub(crate) fn new(application: &Application, mut request: PartingRequest, home: &str) -> Self {
        request.targets.retain(|target| runs_at_deletion(&target.object, request.moment));
        let own = &application.destination.namespace;
        let home = if own.is_empty() { home.to_owned() } else { own.to_string() };
        let course = Course::of_deletion(application);
        Parting { application: application.clone(), request, course, home }
    }
}

impl Wish for Parting {
    type Prepared = PreparedSync;
    type Error = Error;

    fn home(&self) -> &str {
        &self.home
    }

    fn kinds(&self) -> BTreeSet<Gvk> {
        self.request.targets.iter().map(|target| target.object.gvk()).collect()
    }

    fn place(&mut self, places: Places) -> Result<Look, Error> {
        for target in &mut self.request.targets {
            let key = target.object.key();
            target.object =
                places.place(target.object.clone()).map_err(|_| Error::UnknownKind { key: Box::new(key) })?;
        }
        Ok(Look::default())
    }

    fn compile(&mut self, _: &Sight) -> Result<Desired, Error> {
        let PartingRequest { targets, moment, timeout } = &self.request;
        let items = deletion_items(&self.application, targets, *moment, *timeout);
        let phases = vec![DesiredPhase { name: moment.word().into(), runs: PhaseRuns::OnSuccess, items }];
        let (target, home) = (self.application.target(), self.home.clone());
        Ok(Desired { target, kind: "delete".into(), phases, home, timeout: *timeout })
    }

    fn prepared(self, plan: Plan, live: Live) -> Result<PreparedSync, Error> {
        Ok(PreparedSync::of_deletion(plan, live, self.course, Vec::new()))
    }
}
