//! One Application by itself, as whoever keeps it in sync needs it: compared, synced, brought to an end, removed.
//!
//! The same steps that `up` takes for many, so that both do the same.

use std::collections::{BTreeMap, BTreeSet};

use async_recursion::async_recursion as boxed;
use landfall_apps::{Application, DeletionHooks, HookType, PreparedSync, ResourceStatus, SyncStatus, delivers};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_engine::{Fate, Kinds, Recovery};
use landfall_object::{Object, ObjectKey};

use super::checked::definitions;
use super::{Ready, UpOptions};
use crate::history::Reverted;
use crate::images::{images_in, images_of};
use crate::session::Session;
use crate::summary::{Outcome, UnitSummary};
use crate::unit::{Door, Unit};

/// How an Application stands against its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// As a whole; differences that do not count are none.
    pub status: SyncStatus,
    /// Each object, hooks left out.
    pub resources: Vec<ResourceStatus>,
    /// The images of its objects, sorted.
    pub images: Vec<String>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// The Applications and ApplicationSets among its objects, as its source has them.
    pub children: Vec<Object>,
    /// For which moments of its deletion its source has hooks.
    pub deletion_hooks: DeletionHooks,
}

/// What an Application's source shows beside what is to be done.
pub(super) struct Shown {
    pub(super) images: Vec<String>,
    children: Vec<Object>,
    deletion_hooks: DeletionHooks,
}

/// How a sync has ended.
#[derive(Debug, Clone)]
pub enum SyncEnd {
    /// Well.
    Succeeded,
    /// There was nothing to do, and nothing was written.
    Unchanged,
    /// It was begun, and failed; the Application's status says so.
    Failed(Vec<Diagnostic>),
    /// It was not begun, and nothing was touched.
    NotBegun(Vec<Diagnostic>),
    /// The live state changed while it was prepared; nothing was touched.
    Overtaken,
    /// It was told to stop; what it had begun is open in the journal.
    Stopped,
}

impl Session {
    /// Compares an Application with what is live, and changes nothing.
    ///
    /// # Errors
    /// It does not render, or its project does not permit what it delivers.
    #[boxed]
    pub async fn compare(&self, unit: &Unit) -> Result<Compared, Vec<Diagnostic>> {
        let (prepared, Shown { images, children, deletion_hooks }) = self.prepare_alone(unit).await?;
        let (status, resources) = (prepared.status(), prepared.resources().to_vec());
        Ok(Compared { status, resources, images, notes: prepared.notes, children, deletion_hooks })
    }

    /// The images of what an Application's source has, sorted.
    ///
    /// # Errors
    /// It does not render, or the cluster cannot be asked what it serves.
    #[boxed]
    pub async fn images_of(&self, unit: &Unit) -> Result<Vec<String>, Vec<Diagnostic>> {
        let capabilities = self.capabilities().await?;
        Ok(images_in(self.make_ready(unit, &capabilities).await?.shown()))
    }

    /// Prepares an Application's sync, and says what its source shows besides.
    pub(super) async fn prepare_alone(&self, unit: &Unit) -> Result<(PreparedSync, Shown), Vec<Diagnostic>> {
        let Door::Application(bound) = &unit.door else { return Err(no_application(unit)) };
        let capabilities = self.capabilities().await?;
        let mut ready = vec![(0, self.make_ready(unit, &capabilities).await?)];
        self.offer(&ready).await?;
        expect_own_kinds(&mut ready);
        let one = &ready[0].1;
        let prepared = self.prepare_sync(bound, one, &UpOptions::default()).await?;
        let objects = one.shown().objects.iter().map(|one| &one.object);
        let children = objects.filter(|it| delivers(it)).cloned();
        let deletion_hooks = one.deletion_hooks();
        Ok((prepared, Shown { images: images_in(one.shown()), children: children.collect(), deletion_hooks }))
    }

    /// Syncs an Application: rendered, checked and tried as a whole before the first thing is touched. Says besides which
    /// fields it has set back that somebody else had written.
    #[boxed]
    pub async fn sync_alone(&self, unit: &Unit, options: &UpOptions) -> (SyncEnd, Vec<Reverted>) {
        match self.try_sync(unit, options).await {
            Ok(summary) => {
                let reverted = Reverted::by(&summary);
                let end = end_of(summary);
                let is_done = matches!(end, SyncEnd::Succeeded);
                (end, if is_done { reverted } else { Vec::new() })
            }
            Err(_) if self.stop.is_cancelled() => (SyncEnd::Stopped, Vec::new()),
            Err(diagnostics) => (not_begun(diagnostics), Vec::new()),
        }
    }

    async fn try_sync(&self, unit: &Unit, options: &UpOptions) -> Result<UnitSummary, Vec<Diagnostic>> {
        let capabilities = self.capabilities().await?;
        let mut ready = vec![(0, self.make_ready(unit, &capabilities).await?)];
        self.offer(&ready).await?;
        let mut told = BTreeMap::new();
        self.check_objects(&mut ready, &mut told, options).await?;
        expect_own_kinds(&mut ready);
        let (mut courses, tried) = self.look_ahead(&mut ready, &mut told, options, None).await?;
        let fate = if self.stop.is_cancelled() { Fate::TakenBack } else { Fate::Kept };
        if let Err(diagnostics) = self.conclude(&tried, 0, fate).await {
            self.tell_unconcluded(diagnostics).await;
        }
        match fate {
            Fate::TakenBack => Err(vec![landfall_engine::Error::Interrupted.diagnose()]),
            Fate::Kept => Ok(self.deliver(&ready[0].1, courses.remove(&0), options).await),
        }
    }

    /// Brings to an end what an earlier process left open on an Application; says how that ended, if there was something.
    ///
    /// # Errors
    /// Cluster or database did not answer: it is open as before.
    #[boxed]
    pub async fn finish_open(&self, application: &Application) -> Result<Option<SyncEnd>, Vec<Diagnostic>> {
        match self.bring_to_end(&application.name, &self.applications(), application).await {
            Ok(Recovery::Clean) => Ok(None),
            Ok(Recovery::Resumed(synced)) => Ok(Some(match &synced.report.failure {
                None => SyncEnd::Succeeded,
                Some(failure) => SyncEnd::Failed(vec![failure.diagnose()]),
            })),
            Ok(Recovery::Repaired(never)) => match *never {},
            Err(_) if self.stop.is_cancelled() => Ok(Some(SyncEnd::Stopped)),
            Err(error) if error.is_for_another_time() => Err(vec![error.diagnose()]),
            Err(error) => {
                // What cannot be gone on with would be in the way of everything else.
                let mut diagnostics = vec![error.diagnose()];
                diagnostics.extend(self.abandon(application).await.err().into_iter().flatten());
                Ok(Some(SyncEnd::NotBegun(diagnostics)))
            }
        }
    }

    /// Ends for good what is open on an Application: nothing goes on with it.
    ///
    /// # Errors
    /// The journal cannot be written.
    #[boxed]
    pub async fn abandon(&self, application: &Application) -> Result<(), Vec<Diagnostic>> {
        let (conductor, target) = (self.trying(), application.target());
        // What cannot be read of it is ended all the same.
        let _hooks = conductor.end_hooks(&target).await;
        conductor.abandon(&target).await.map_err(|error| vec![error.diagnose()])
    }

    /// Runs the hooks of an Application's deletion of one moment, [`HookType::PreDelete`] or [`HookType::PostDelete`], as its source
    /// has them.
    ///
    /// # Errors
    /// It does not render, its project does not permit what it delivers, or the cluster cannot be asked.
    #[boxed]
    pub async fn part_alone(&self, unit: &Unit, moment: HookType) -> Result<SyncEnd, Vec<Diagnostic>> {
        let Door::Application(bound) = &unit.door else { return Err(no_application(unit)) };
        let capabilities = self.capabilities().await?;
        let ready = self.make_ready(unit, &capabilities).await?;
        Ok(end_of(self.part_with(unit, bound, &ready, moment).await?))
    }

    /// Removes all that an Application delivered, as far as its project lets it; says besides what stays for that.
    ///
    /// # Errors
    /// Its project is not there, or the cluster cannot be asked before anything is removed.
    #[boxed]
    pub async fn remove_alone(&self, unit: &Unit) -> Result<(SyncEnd, Vec<String>), Vec<Diagnostic>> {
        let Door::Application(bound) = &unit.door else { return Err(no_application(unit)) };
        let (summary, notes) = self.remove_application(unit, bound).await?;
        Ok((end_of(summary), notes))
    }

    /// The images that what belongs to an Application says to be run, as it lives.
    ///
    /// # Errors
    /// What the cluster refuses with.
    #[boxed]
    pub async fn live_images(&self, application: &Application) -> Result<BTreeSet<String>, Vec<Diagnostic>> {
        let tracked = self.applications().tracked(application).await.map_err(|error| vec![error.diagnose()])?;
        Ok(images_of(&tracked))
    }

    /// The objects that belong to an Application, as far as they are live.
    ///
    /// # Errors
    /// What the cluster refuses with.
    #[boxed]
    pub async fn belongings(&self, application: &Application) -> Result<Vec<ObjectKey>, Vec<Diagnostic>> {
        let tracked = self.applications().tracked(application).await.map_err(|error| vec![error.diagnose()])?;
        Ok(tracked.iter().map(landfall_object::Object::key).collect())
    }
}

fn no_application(unit: &Unit) -> Vec<Diagnostic> {
    vec![Diagnostic::error(code::NO_APPLICATION_OBJECT, format!("{} is a release and no Application", unit.name))]
}

fn expect_own_kinds(ready: &mut [(usize, Ready<'_>)]) {
    let kinds = Kinds::defined(&definitions(ready).collect::<Vec<_>>());
    for (_, one) in ready {
        one.expected.clone_from(&kinds);
    }
}

fn not_begun(diagnostics: Vec<Diagnostic>) -> SyncEnd {
    match diagnostics.iter().any(|it| it.code == code::LIVE_CHANGED) {
        true => SyncEnd::Overtaken,
        false => SyncEnd::NotBegun(diagnostics),
    }
}

fn end_of(summary: UnitSummary) -> SyncEnd {
    match summary.outcome {
        Outcome::Delivered => SyncEnd::Succeeded,
        Outcome::Unchanged => SyncEnd::Unchanged,
        Outcome::Interrupted | Outcome::NotBegun => SyncEnd::Stopped,
        // What failed in one of its steps has a report of it; otherwise no step was begun.
        Outcome::Failed if summary.changes.is_empty() && summary.failure.is_none() => not_begun(summary.diagnostics),
        Outcome::Failed => SyncEnd::Failed(summary.diagnostics),
    }
}
