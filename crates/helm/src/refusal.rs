//! What `install` and `upgrade` by our own name look at before anything is begun; the helm persona keeps Helm's order.

use landfall_chart::{ReleaseInfo, Rendered, Tracing, Values};
use landfall_delivery::{Brought, Part, RenderedUnit, trial, unserved};
use landfall_diag::{Diagnose, Diagnostic};
use landfall_engine::Fate;
use landfall_release::Prepared;

use super::Stop;
use super::deploy::{self, Asked, Rendering};
use super::journal::Journal;
use super::session::{Session, told};

/// What a chart was rendered from, to render it again with where each field comes from.
pub(super) struct Source<'a> {
    /// The chart and the values.
    pub(super) asked: &'a Asked,
    /// Values of an earlier revision.
    pub(super) recorded: Option<Values>,
    /// How.
    pub(super) rendering: Rendering,
    /// For which revision.
    pub(super) release: ReleaseInfo,
    /// Whether the chart's `crds/` are installed.
    pub(super) crds: Part,
}

impl Source<'_> {
    /// The rendering with the place of each field; `None` where a program had the last word on the manifest.
    pub(super) async fn traced(&self) -> Option<RenderedUnit> {
        if self.rendering.post_renderer.is_some() {
            return None;
        }
        let mut rendering = self.rendering.clone();
        rendering.options.tracing = Tracing::On;
        let rendered = deploy::rendered(self.asked, self.recorded.clone(), rendering, self.release.clone()).await;
        let (outcome, _) = rendered.ok()?;
        Some(RenderedUnit::of_chart(outcome.ok()?, self.crds))
    }
}

/// Refuses what is of an apiVersion that nobody serves, with the line that writes it.
pub(super) async fn refuse_unserved(
    session: &Session<'_>,
    rendered: Rendered,
    source: &Source<'_>,
) -> Result<(), Stop> {
    if session.as_helm() || source.rendering.post_renderer.is_some() {
        return Ok(());
    }
    let unit = RenderedUnit::of_chart(rendered, source.crds);
    let definitions: Vec<_> = unit.defined().collect();
    let brought = Brought::of(unit.all_objects().chain(&definitions));
    let found = unserved(unit.all_objects(), &brought, session.cluster()).await;
    let found = found.map_err(|error| Stop::said(error.to_string(), error.diagnose()))?;
    if found.is_empty() {
        return Ok(());
    }
    let traced = source.traced().await;
    let places = |key: &_, path: &str| traced.as_ref().map(|unit| unit.places(key, path)).unwrap_or_default();
    let refusals: Vec<Diagnostic> = found.iter().map(|finding| finding.diagnostic(places)).collect();
    Err(Stop::Refused(refusals))
}

/// Tries every object of every phase at the cluster, and refuses the operation when one would not be taken.
pub(super) async fn refuse_invalid(
    session: &Session<'_>,
    prepared: &mut Prepared,
    journal: &Journal,
    source: &Source<'_>,
) -> Result<(), Stop> {
    if session.as_helm() {
        return Ok(());
    }
    let (conductor, listener) = session.conductor(journal);
    let tried = match conductor.try_out(&[&prepared.plan]).await {
        Ok(trial) => {
            prepared.adopt(&trial.made);
            let fate = if trial.is_refused() { Fate::TakenBack } else { Fate::Kept };
            conductor.conclude_trial(&trial, 0, fate).await.map(|concluded| (trial, concluded))
        }
        Err(error) => Err(error),
    };
    drop(conductor);
    let _ended = listener.await;
    let (trial, concluded) = tried.map_err(|error| told(&error.into()))?;
    for remark in trial::remarks(&trial, 0) {
        session.world.printer.diagnostic(&remark);
    }
    if !trial.is_refused() {
        return Ok(());
    }
    let traced = source.traced().await;
    let places = |key: &_, path: &str| traced.as_ref().map(|unit| unit.places(key, path)).unwrap_or_default();
    let mut refusals = trial::refusals(&trial, 0, places);
    refusals.extend(trial::taken_back(&concluded));
    Err(Stop::Refused(refusals))
}
