//! What runs before the change: nothing, what a base revision delivers, or a cluster as it was read.

use landfall_delivery::{Candidate, HookRuns, UpOptions};
use landfall_diag::Diagnostic;
use landfall_project::Environment;
use landfall_rules::{DesiredUnit, Start};

use super::ground::{Ground, play};
use super::verdict::first_words;
use super::{From, Request, render_units};
use crate::earlier::surroundings_of_the_base;
use crate::snapshot::Snapshot;
use crate::stage::{Attempt, Stage};
use crate::trial::Trial;

/// What runs before the change.
pub(super) struct Running {
    pub(super) stage: Stage,
    pub(super) start: Start,
    /// What the base revision delivers, where there is one.
    pub(super) units: Option<Vec<DesiredUnit>>,
    /// How it was delivered itself, onto an empty cluster.
    pub(super) trial: Option<Trial>,
    /// What is to be known of it.
    pub(super) notes: Vec<String>,
}

impl Running {
    /// Makes it run.
    pub(super) async fn stand(request: &Request<'_>, ground: &Ground<'_>) -> Result<Option<Self>, Vec<Diagnostic>> {
        match &request.from {
            From::Empty => Ok(None),
            From::Base { revision, candidates, environment, .. } => {
                Self::delivered(request, ground, revision, candidates, *environment).await.map(Some)
            }
            From::Cluster(snapshot) => Self::read(request, ground, snapshot).await.map(Some),
        }
    }

    async fn delivered(
        request: &Request<'_>,
        ground: &Ground<'_>,
        revision: &str,
        candidates: &[Candidate],
        environment: Option<&Environment>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let play = play(environment, &[])?;
        let options = UpOptions { revision: revision.to_owned(), ..request.options.clone() };
        let mut notes = Vec::new();
        let mut stage = ground.empty.fork(Some(play.clone()));
        let attempt = Attempt {
            start: Start::Empty,
            candidates: &ground.played.base,
            objects: &ground.played.base_objects,
            environment,
            options: &options,
            stop: &request.stop,
            surroundings: surroundings_of_the_base,
        };
        let stood = stage.attempt(&attempt).await?;
        if !stood.came_up() {
            // It runs all the same, or nobody would change it: on a cluster with a past.
            stage = ground.empty.fork(Some(play));
            let options = &put_there(options.clone());
            stage.stand(&Attempt { environment: None, options, ..attempt }).await?;
            notes.push(format!(
                "{revision} does not install on an empty cluster ({}): what it delivers was put there without its hooks",
                first_words(&stood)
            ));
        }
        stage.rest().await?;
        // As the change is rendered, for the cluster that is meant: whatever asks for its kinds is answered alike.
        let units = render_units(candidates, &ground.empty.inventory(), &ground.cluster, &ground.offline).ok();
        Ok(Running { stage, start: Start::Revision(revision.to_owned()), units, trial: Some(stood), notes })
    }

    async fn read(request: &Request<'_>, ground: &Ground<'_>, snapshot: &Snapshot) -> Result<Self, Vec<Diagnostic>> {
        let (play, readings) = (play(request.declared(), &[])?, ground.offline.readings.clone());
        Ok(Running {
            stage: Stage::of(snapshot, request.head, play, readings).await?,
            start: Start::Cluster(snapshot.name.clone()),
            units: None,
            trial: None,
            notes: snapshot.unread.iter().map(|kind| format!("not read of the cluster: {kind}")).collect(),
        })
    }
}

/// Delivers the objects alone: no hook runs, and nothing is waited for.
fn put_there(options: UpOptions) -> UpOptions {
    UpOptions { wait: false, hooks: HookRuns::Skip, ..options }
}
