//! An application's sync on its way to a plan.

use std::collections::{BTreeSet, HashSet};

use landfall_engine::{Action, Desired, Kinds, Live, Look, MadeNamespace, Places, Plan, Report, Sight, Wish};
use landfall_object::health::Rulebook;
use landfall_object::{Gvk, Object, ObjectKey};

use crate::barred::{Barred, Theirs};
use crate::compile::{Choices, Compiled, HealthWait, SharedObject, Target, compile_part, is_resource_of};
use crate::descendants::{Descendants, delivers};
use crate::keeper::Course;
use crate::kept::{Semantics, Stay, Stays, stays};
use crate::status::{ResourceStatus, SyncStatus, compared};
use crate::{Application, Error, Operation, Project};

/// What is to be synced.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncRequest {
    /// The rendered objects.
    pub targets: Vec<Target>,
    /// What they were rendered from, a commit or a chart's version: one a source, or one for all.
    pub revisions: Vec<String>,
    /// Whether objects no longer wanted are deleted; the Application's own policy when absent.
    pub prune: Option<bool>,
    /// Whose health is waited for.
    pub wait: HealthWait,
    /// Seconds that each wave and each hook may take.
    pub timeout: u64,
    /// Who asked for it, and for which objects.
    pub operation: Operation,
    /// How often it was tried before.
    pub attempt: u32,
    /// Within whose bounds objects are pruned; within nobody's where no project is known.
    pub project: Option<Project>,
}

/// A sync ready to be shown and carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedSync {
    /// What will be done.
    pub plan: Plan,
    /// The live objects that the plan was made from.
    pub live: Live,
    /// What a user should know.
    pub notes: Vec<String>,
    /// Whether the cluster is as the source says, differences that the Application ignores aside.
    pub(crate) status: SyncStatus,
    /// Each object, with the same differences aside; hooks take no part.
    pub(crate) resources: Vec<ResourceStatus>,
    pub(crate) course: Course,
    /// What must not be shared, and is.
    pub(crate) shared: Option<SharedObject>,
    /// What it would change that others' owners answer for.
    pub(crate) theirs: Vec<Theirs>,
}

impl PreparedSync {
    /// What an application's deletion does: nothing is compared there.
    pub(crate) fn of_deletion(plan: Plan, live: Live, course: Course, notes: Vec<String>) -> Self {
        PreparedSync {
            status: status_of(&plan, &Stays::new()),
            resources: Vec::new(),
            theirs: Vec::new(),
            plan,
            live,
            notes,
            shared: None,
            course,
        }
    }

    /// With what it would change that others' owners answer for.
    pub(crate) fn beside(mut self, barred: &Barred) -> Self {
        self.theirs = barred.among(&self.plan, &self.live);
        self
    }

    /// Takes the namespaces that were made for its trial as what the plan saw.
    pub fn adopt(&mut self, made: &[MadeNamespace]) {
        self.plan.adopt(made);
    }

    /// Whether it may be carried out, and not only be looked at.
    ///
    /// # Errors
    /// [`Error::Shared`] under `FailOnSharedResource=true`, and [`Error::Barred`].
    pub fn check(&self) -> Result<(), Error> {
        if let Some(theirs) = self.theirs.first() {
            return Err(theirs.refused(&self.course.application));
        }
        self.shared.as_ref().map_or(Ok(()), |shared| Err(shared.refused()))
    }

    /// Whether the cluster is as the source says, differences that the Application ignores aside.
    pub fn status(&self) -> SyncStatus {
        self.status
    }

    /// Each object against the live state, differences that the Application ignores aside; hooks take no part.
    pub fn resources(&self) -> &[ResourceStatus] {
        &self.resources
    }
}

/// How a sync has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Synced {
    /// What the engine did.
    pub report: Report,
    /// Objects that were kept although the source no longer names them.
    pub kept: Vec<ObjectKey>,
}

/// A sync on its way to a plan.
pub(crate) struct Sync {
    application: Application,
    request: SyncRequest,
    /// Live objects that belong to the application; after the look, the targets' live objects, too.
    tracked: Vec<Object>,
    home: String,
    expected: Kinds,
    /// Below what of it would go, as far as anything that delivers others would.
    descendants: Descendants,
    semantics: Semantics,
    /// By what its objects are judged.
    health: Rulebook,
    notes: Vec<String>,
    resources: Vec<ObjectKey>,
    kept: Stays,
    shared: Option<SharedObject>,
    /// Whose objects are nobody else's to change.
    barred: Barred,
}

impl Sync {
    /// `home` is the namespace of objects where neither they nor the application name one.
    pub(crate) fn new(
        application: &Application,
        request: SyncRequest,
        tracked: Vec<Object>,
        home: &str,
        expected: Kinds,
    ) -> Self {
        let own = &application.destination.namespace;
        let home = if own.is_empty() { home.to_owned() } else { own.to_string() };
        let (notes, resources, kept) = (Vec::new(), Vec::new(), Stays::new());
        let (application, semantics) = (application.clone(), Semantics::Own);
        let (descendants, health) = (Descendants::default(), Rulebook::default());
        Sync {
            application,
            request,
            tracked,
            home,
            expected,
            descendants,
            semantics,
            health,
            notes,
            resources,
            kept,
            shared: None,
            barred: Barred::default(),
        }
    }

    /// With objects that are nobody else's to change.
    pub(crate) fn beside(mut self, barred: &Barred) -> Self {
        self.barred = barred.clone();
        self
    }

    /// Whether something that delivers others is no longer wanted: others go along with it.
    pub(crate) fn takes_others_along(&self) -> bool {
        let is_target = |live: &Object| {
            let mut targets = self.request.targets.iter().map(|target| &target.object);
            let is_here = |target: &Object| target.namespace().is_none_or(|own| Some(own) == live.namespace());
            targets.any(|it| delivers(it) && it.kind() == live.kind() && it.name() == live.name() && is_here(it))
        };
        self.tracked.iter().any(|live| delivers(live) && !is_target(live))
    }

    /// With what is below.
    pub(crate) fn above(mut self, descendants: Descendants) -> Self {
        self.descendants = descendants;
        self
    }

    /// With that meaning where ours differs.
    pub(crate) fn meant(mut self, semantics: Semantics) -> Self {
        self.semantics = semantics;
        self
    }

    /// With those rules of health.
    pub(crate) fn judged_by(mut self, rules: &Rulebook) -> Self {
        self.health = rules.clone();
        self
    }

    /// Kinds that come before the sync or with it.
    fn coming(&self) -> Kinds {
        let mut kinds = Kinds::defined(self.request.targets.iter().map(|target| &target.object));
        kinds.extend(self.expected.clone());
        kinds
    }

    fn prune(&self) -> bool {
        let automated = self.application.policy.automated.unwrap_or_default();
        self.request.prune.unwrap_or_else(|| automated.prune.unwrap_or(false))
    }

    /// Whether an automated sync would take everything away that there is.
    fn wipes_out(&self) -> bool {
        let automated = self.application.policy.automated.unwrap_or_default();
        let options = self.application.options();
        let owned = self.tracked.iter().filter(|live| is_resource_of(&self.application, live));
        let project = self.request.project.as_ref();
        let is_outside =
            |live: &&Object| project.is_some_and(|project| !project.permits_live(&self.application, &live.key()));
        let owned = owned.filter(|live| stays(live, &options, self.semantics).is_none() && !is_outside(live)).count();
        self.prune()
            && self.request.targets.is_empty()
            && owned > 0
            && !automated.allow_empty.unwrap_or(false)
            && self.request.prune.is_none()
    }

    fn compiled(&self, application: &Application) -> Result<Compiled, Error> {
        let SyncRequest { targets, wait, timeout, .. } = &self.request;
        let (prune, semantics, project) = (self.prune(), self.semantics, self.request.project.as_ref());
        let (descendants, barred) = (&self.descendants, &self.barred);
        let choices = Choices { prune, wait: *wait, timeout: *timeout, semantics, project, descendants, barred };
        compile_part(application, targets.clone(), &self.tracked, choices, &self.request.operation)
    }
}

impl Wish for Sync {
    type Prepared = PreparedSync;
    type Error = Error;

    fn home(&self) -> &str {
        &self.home
    }

    fn kinds(&self) -> BTreeSet<Gvk> {
        let coming = self.coming();
        let kinds = self.request.targets.iter().map(|target| target.object.gvk());
        kinds.filter(|gvk| !coming.contains(gvk)).collect()
    }

    fn place(&mut self, mut places: Places) -> Result<Look, Error> {
        places.expect(self.coming());
        for target in &mut self.request.targets {
            let key = target.object.key();
            match places.place(target.object.clone()) {
                Ok(placed) => target.object = placed,
                // Others bring its kind while they run: where it lives is known when it is its turn.
                Err(_) if self.application.may_come_later(&target.object) => {}
                Err(_) => return Err(Error::UnknownKind { key: Box::new(key) }),
            }
        }
        let known: HashSet<ObjectKey> = self.tracked.iter().map(Object::key).collect();
        let is_new = |key: &ObjectKey| !key.name.is_empty() && !known.contains(key);
        let objects = self.request.targets.iter().map(|target| target.object.key()).filter(is_new).collect();
        Ok(Look { objects, ..Look::default() })
    }

    fn seen(&self) -> &[Object] {
        &self.tracked
    }

    fn compile(&mut self, sight: &Sight) -> Result<Desired, Error> {
        self.tracked.extend(sight.objects.iter().cloned());
        if self.wipes_out() {
            return Err(Error::WipesOut);
        }
        let operation = &self.request.operation;
        let takes = |live: &Object| is_resource_of(&self.application, live) && operation.takes(&live.key());
        if operation.is_partial()
            && !self.request.targets.iter().any(|target| operation.takes(&target.object.key()))
            && !self.tracked.iter().any(takes)
        {
            let names = operation.resources.iter().map(ToString::to_string).collect();
            return Err(Error::NothingNamed { names });
        }
        let Compiled { desired, notes, resources, kept, shared } = self.compiled(&self.application)?;
        (self.notes, self.resources, self.kept, self.shared) = (notes, resources, kept, shared);
        Ok(desired)
    }

    fn prepared(self, plan: Plan, live: Live) -> Result<PreparedSync, Error> {
        // What planning itself lets stay is in sync as well: no sync would take it.
        let held = plan.steps().filter(|step| step.action == Action::Keep && !self.kept.contains_key(&step.key));
        let mut kept = self.kept.clone();
        kept.extend(held.map(|step| (step.key.clone(), Stay::Good(step.why.replace("kept: ", "")))));
        let kept = &kept;
        let mut status = status_of(&plan, kept);
        let judged = (&self.health, &self.application.options());
        let mut resources = compared(&plan, &live, kept, judged);
        if status == SyncStatus::OutOfSync && !self.application.ignore_differences.is_empty() {
            // Compared as if ignored fields were delivered as they are; a sync that has other reasons writes them, too.
            let lenient = self.compiled(&self.application.clone().respecting_ignored())?;
            let lenient = landfall_engine::plan(&lenient.desired, &live)?;
            (status, resources) = (status_of(&lenient, kept), compared(&lenient, &live, kept, judged));
        }
        let good = |key: &ObjectKey| matches!(kept.get(key), Some(Stay::Good(_)));
        let stays = plan.steps().filter(|step| step.action == Action::Keep).map(|step| step.key.clone());
        let stays = stays.filter(good).collect();
        let course = Course {
            kept: stays,
            application: self.application.object,
            revisions: self.request.revisions,
            resources: self.resources,
            deletes: false,
            operation: self.request.operation,
            attempt: self.request.attempt,
        };
        let prepared = PreparedSync {
            plan,
            live,
            notes: self.notes,
            status,
            resources,
            course,
            shared: self.shared,
            theirs: Vec::new(),
        };
        Ok(prepared.beside(&self.barred))
    }
}

fn status_of(plan: &Plan, kept: &Stays) -> SyncStatus {
    let differs =
        plan.steps().any(|step| step.action == Action::Keep && kept.get(&step.key).is_some_and(Stay::differs));
    if plan.changes_nothing() && !differs { SyncStatus::Synced } else { SyncStatus::OutOfSync }
}
