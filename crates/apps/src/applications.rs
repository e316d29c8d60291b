//! The Applications of a cluster: what is known of them, and how the engine carries their operations out.

use std::convert::Infallible;
use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, ListOptions, Propagation};
use landfall_engine::{Begun, Clock, Door, Kinds, Plan, Report, StepResult};
use landfall_object::health::Rulebook;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_store::Store;

use crate::barred::Barred;
use crate::claims::Claims;
use crate::compile::is_resource_of;
use crate::descendants::Descendants;
use crate::excluded::{ExcludedKinds, told};
use crate::guard::{APPROVAL, CONFIRMED, is_confirmed};
use crate::keeper::{Course, FACTS, HOOK_FACTS, Keeper, seconds};
use crate::kept::Semantics;
use crate::parting::{Parting, PartingRequest};
use crate::pens::Pens;
use crate::removal::Removal;
use crate::status::resource_key;
use crate::sync::{PreparedSync, Sync, SyncRequest, Synced};
use crate::tracking::is_elsewhere;
use crate::{Application, Error, Project};

/// Applications of a cluster, to be compared and synced.
pub struct Applications {
    /// The cluster that they deliver to.
    pub cluster: Cluster,
    /// The cluster that holds their own objects.
    pub home: Cluster,
    /// What belongs to an application whose object the cluster does not hold.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Kinds that are not served yet and come before the sync.
    pub expected: Kinds,
    /// Whose meaning counts.
    pub semantics: Semantics,
    /// Kinds that they leave alone.
    pub excluded: Arc<ExcludedKinds>,
    /// By what their objects are judged.
    pub health: Rulebook,
    /// Whose turn it is to write into them.
    pub pens: Pens,
    /// What objects say of whose they are.
    pub claims: Claims,
    /// Whose objects are nobody else's to change.
    pub barred: Barred,
    /// Whether an Application is given as it is where it lives: it is not asked for once more to prepare its sync.
    pub given_as_live: bool,
}

/// How what is live is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As it is now.
    Fresh,
    /// As it was read a moment ago, where that is kept: the plan that is made of it is held against what is there.
    Lately,
}

impl Applications {
    /// The live objects that belong to an application: those that its status names and, where the store knows more,
    /// those, as far as they carry its tracking annotation; and what says so of itself where its kind is watched.
    ///
    /// # Errors
    /// What the cluster refuses with.
    #[boxed]
    pub async fn tracked(&self, application: &Application) -> Result<Vec<Object>, Error> {
        self.tracked_by(application, self.read(application).await?.as_ref(), (None, Reading::Fresh)).await
    }

    /// The same, with the Application as it is where it lives. What only says of itself that it belongs to it does so within the
    /// bounds of its project, as Argo CD takes it (controller/state.go): outside them it says whatever it likes.
    async fn tracked_by(
        &self,
        application: &Application,
        live: Option<&Object>,
        (project, reading): (Option<&Project>, Reading),
    ) -> Result<Vec<Object>, Error> {
        let told = live.map(|live| live.list_at("/status/resources")).unwrap_or_default();
        let mut keys: Vec<ObjectKey> = told.iter().filter_map(resource_key).collect();
        if let Some(known) = self.store.facts.get(FACTS, &application.target()).await? {
            let known: Vec<ObjectKey> = serde_json::from_value(known).unwrap_or_default();
            keys.extend(known);
        }
        keys.sort();
        keys.dedup();
        let mut objects = match reading {
            Reading::Fresh => self.cluster.get_all(&keys).await?,
            Reading::Lately => self.cluster.get_all_lately(&keys).await?,
        };
        objects.retain(|object| application.owns(object));
        let is_known = |claimed: &ObjectKey| keys.iter().any(|key| key.without_version() == claimed.without_version());
        let is_bound = |claimed: &ObjectKey| project.is_none_or(|project| project.permits_live(application, claimed));
        let mut claimed = self.claims.of(&application.instance());
        claimed.retain(|key| !is_known(key) && is_bound(key));
        claimed.sort();
        for key in claimed {
            // What it may not read is not its own, whatever it says; nothing else waits for that.
            let found = self.cluster.get(&key).await.ok().flatten();
            objects.extend(found.filter(|live| is_resource_of(application, live) && !is_elsewhere(live)));
        }
        Ok(objects)
    }

    /// The live objects of its hooks, as far as they carry its tracking annotation.
    async fn hooks_of(&self, application: &Application) -> Result<Vec<Object>, Error> {
        let known = self.store.facts.get(HOOK_FACTS, &application.target()).await?;
        let keys: Vec<ObjectKey> = known.and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default();
        let objects = self.cluster.get_all(&keys).await?;
        Ok(objects.into_iter().filter(|object| application.owns(object)).collect())
    }

    /// The application with what somebody approved of on it where it lives, and what was delivered last.
    fn approved(application: &Application, live: Option<&Object>) -> Application {
        let mut application = application.clone();
        for name in [APPROVAL, CONFIRMED] {
            if application.object.annotation(name).is_none()
                && let Some(approval) = live.and_then(|live| live.annotation(name))
            {
                application.object.set_annotation(name, approval);
            }
        }
        // What was confirmed before the last delivery was confirmed of other objects.
        let delivered = live.and_then(|live| live.list_at("/status/history").last()?["deployedAt"].as_str());
        if delivered.is_some() && !is_confirmed(&application.object, delivered) {
            application.object.set_annotation(CONFIRMED, "");
        }
        application
    }

    async fn read(&self, application: &Application) -> Result<Option<Object>, Error> {
        match self.home.get(&application.key()).await {
            Ok(live) => Ok(live),
            // A cluster without Argo CD's kinds: the store alone remembers.
            Err(landfall_cluster::Error::NoMatch { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The applications that were delivered from here, by name, with the objects that belong to each.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn delivered(&self) -> Result<Vec<(String, Vec<ObjectKey>)>, Error> {
        let facts = self.store.facts.of(FACTS).await?;
        let read = |(target, keys): (String, serde_json::Value)| {
            Some((Application::name_of(&target)?.to_owned(), serde_json::from_value(keys).ok()?))
        };
        Ok(facts.into_iter().filter_map(read).collect())
    }

    /// Who delivers or generates whom.
    async fn descendants(&self) -> Result<Descendants, Error> {
        let mut all = Vec::new();
        for kind in ["Application", "ApplicationSet"] {
            match self.cluster.list(&Gvk::new("argoproj.io", "v1alpha1", kind), &ListOptions::default()).await {
                Ok(objects) => all.extend(objects),
                Err(landfall_cluster::Error::NoMatch { .. }) => {}
                // Who delivers as somebody that may not look knows its own children alone.
                Err(error) if error.code() == Some(403) => return Ok(Descendants::default()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Descendants::of(&all))
    }

    /// Prepares a sync; also the way to compare.
    ///
    /// # Errors
    /// [`Error::UnknownKind`], [`Error::Shared`], [`Error::WipesOut`], and what planning refuses.
    #[boxed]
    pub async fn prepare(&self, application: &Application, request: SyncRequest) -> Result<PreparedSync, Error> {
        let read;
        let live = match self.given_as_live {
            true => Some(&application.object),
            false => {
                read = self.read(application).await?;
                read.as_ref()
            }
        };
        let by = (request.project.as_ref(), Reading::Lately);
        let mut tracked = self.tracked_by(application, live, by).await?;
        tracked.retain(|object| !self.excluded.excludes(application, &object.key()));
        let application = &Applications::approved(application, live);
        let home = self.cluster.default_namespace();
        let mut sync = Sync::new(application, request, tracked, home, self.expected.clone()).meant(self.semantics);
        sync = sync.judged_by(&self.health).beside(&self.barred);
        if sync.takes_others_along() {
            sync = sync.above(self.descendants().await?);
        }
        landfall_engine::prepare(&self.cluster, sync).await
    }

    /// Prepares the removal of all that an application delivered, in reverse order; what its project does not let it have stays,
    /// and so does what is excluded.
    ///
    /// # Errors
    /// What planning refuses.
    #[boxed]
    pub async fn prepare_delete(
        &self,
        application: &Application,
        propagation: Propagation,
        project: Option<&Project>,
    ) -> Result<PreparedSync, Error> {
        let live = self.read(application).await?;
        let mut tracked = self.tracked_by(application, live.as_ref(), (project, Reading::Fresh)).await?;
        tracked.extend(self.hooks_of(application).await?);
        tracked.sort_by_cached_key(Object::key);
        tracked.dedup_by_key(|object| object.key());
        let is_excluded = |object: &mut Object| self.excluded.excludes(application, &object.key());
        let stay: Vec<Object> = tracked.extract_if(.., is_excluded).collect();
        let application = &Applications::approved(application, live.as_ref());
        let removal = Removal::new(application, tracked, propagation, project);
        let mut prepared = landfall_engine::prepare(&self.cluster, removal).await?.beside(&self.barred);
        prepared.notes.extend(stay.iter().map(|object| format!("{} and stays", told(&object.key()))));
        Ok(prepared)
    }

    /// Prepares the hooks that run before or after all that an application delivered goes.
    ///
    /// # Errors
    /// [`Error::UnknownKind`], and what planning refuses.
    #[boxed]
    pub async fn prepare_parting(
        &self,
        application: &Application,
        request: PartingRequest,
    ) -> Result<PreparedSync, Error> {
        let home = self.cluster.default_namespace();
        let parting = Parting::new(application, request, home);
        Ok(landfall_engine::prepare(&self.cluster, parting).await?.beside(&self.barred))
    }

    /// All Applications that the cluster holds; none where it does not know the kind.
    ///
    /// # Errors
    /// What the cluster refuses with; an Application that cannot be read is left out.
    #[boxed]
    pub async fn list(&self) -> Result<Vec<Application>, Error> {
        let gvk = landfall_object::Gvk::new("argoproj.io", "v1alpha1", "Application");
        match self.home.list(&gvk, &ListOptions::default()).await {
            Ok(objects) => Ok(objects.iter().filter_map(|object| Application::parse(object).ok()).collect()),
            Err(landfall_cluster::Error::NoMatch { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Door for Applications {
    type Target = Application;
    type Operation = PreparedSync;
    type Course = Course;
    type Keeper = Keeper;
    type Ended = Synced;
    type Repaired = Infallible;
    type Error = Error;

    fn target(&self, application: &Application) -> String {
        application.target()
    }

    fn parts(prepared: &PreparedSync) -> (&Plan, &Course) {
        (&prepared.plan, &prepared.course)
    }

    fn keeper(&self, course: &Course, plan: &Plan, begun: Begun) -> Keeper {
        let (started, resumed) = match begun {
            Begun::Now(at) => (at, false),
            Begun::Before(at) => (at, true),
        };
        Keeper {
            started: seconds(started),
            resumed,
            cluster: self.cluster.clone(),
            home: self.home.clone(),
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            health: self.health.clone(),
            course: course.clone(),
            plan: plan.clone(),
            pens: self.pens.clone(),
        }
    }

    fn ended(&self, _: &Keeper, report: Report, _: Option<Synced>) -> Synced {
        Synced { kept: report.with(StepResult::Kept).cloned().collect(), report }
    }
}
