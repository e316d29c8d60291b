use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use landfall_chart::{
    Capabilities, KubeVersion, Lookup, Manifest, Operation, Part, Readings, ReleaseInfo, RenderOptions, RenderedUnit,
    Tracing, render,
};
use landfall_cluster::Cluster;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_object::Object;
use landfall_source::Surroundings;

use crate::drawn::Draws;
use crate::lookup::LiveLookup;
use crate::opened::refuse_ciphertext;
use crate::session::Offers;
use crate::unit::{Door, RenderSettings, Unit, UnitSource};

/// Which revision a rendering is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// From 1.
    pub revision: i64,
    /// Install or upgrade.
    pub operation: Operation,
}

/// What a cluster offers to templates.
///
/// # Errors
/// When the cluster cannot be asked.
#[boxed]
pub async fn capabilities(cluster: &Cluster) -> Result<Capabilities, landfall_cluster::Error> {
    let version = cluster.version().await?;
    // As it is told: what stands behind the numbers (`-eks-…`, `+k3s1`) is seen by templates and constraints.
    let kube_version = KubeVersion {
        normalized: version.git_version.clone(),
        version: version.git_version,
        major: version.major,
        minor: version.minor,
    };
    Ok(Capabilities { kube_version, api_versions: cluster.api_versions().await?, ..Capabilities::default() })
}

/// Renders a unit against a cluster, and what it offers: its capabilities and its live objects for `lookup`. With `tracing` off its fields have
/// no origins; `draws` notes whether its templates drew anything, and what `readings` hold is not read again. Of the machine its
/// templates see `surroundings`.
///
/// # Errors
/// What the chart refuses with, at the place in the user's file where that is known.
#[boxed]
pub async fn render_unit(
    unit: &Unit,
    turn: Turn,
    capabilities: &Capabilities,
    (cluster, offers): (&Cluster, Option<&Arc<dyn Offers>>),
    (tracing, draws): (Tracing, &Draws),
    (surroundings, readings): (Surroundings, &Option<Readings>),
) -> Result<RenderedUnit, Vec<Diagnostic>> {
    // Argo CD renders without a cluster: `lookup` finds nothing.
    let lookup: Option<Arc<dyn Lookup>> = match unit.door {
        Door::Release => Some(Arc::new(LiveLookup::of(cluster).offering(offers.cloned()))),
        Door::Application(_) => None,
    };
    let surroundings = landfall_source::noticed(surroundings(), draws);
    let readings = readings.clone();
    let options = RenderOptions { lookup, tracing, readings, ..RenderOptions::new(surroundings) };
    let (blocking, capabilities) = (unit.clone(), capabilities.clone());
    let mut whole =
        tokio::task::spawn_blocking(move || render_with(&blocking, turn, &capabilities, &options)).await.map_err(
            |error| vec![Diagnostic::error(code::BUG, "rendering ended unexpectedly").note(error.to_string())],
        )??;
    for rendered in whole.objects.iter_mut().chain(&mut whole.hooks) {
        // A kind that is not known yet (its CRD comes with the delivery) keeps the namespace it names.
        if let Ok(placed) = cluster.place(rendered.object.clone(), &unit.namespace).await {
            rendered.object = placed;
        }
    }
    Ok(whole)
}

/// Renders a unit without any cluster.
///
/// # Errors
/// As [`render_unit`].
pub fn render_offline(unit: &Unit) -> Result<RenderedUnit, Vec<Diagnostic>> {
    let turn = Turn { revision: 1, operation: Operation::Install };
    render_with(unit, turn, &Capabilities::default(), &RenderOptions::new(landfall_source::surroundings()))
}

/// Renders a unit with everything that templates may see given by the caller; namespaces stay as they are written.
///
/// # Errors
/// As [`render_unit`].
pub fn render_with(
    unit: &Unit,
    turn: Turn,
    capabilities: &Capabilities,
    options: &RenderOptions,
) -> Result<RenderedUnit, Vec<Diagnostic>> {
    render_unlike(unit, turn, capabilities, options, &|_| false)
}

/// The same without a chart's manifests and hooks whose texts are known: those are not even read.
///
/// # Errors
/// As [`render_unit`].
pub fn render_unlike(
    unit: &Unit,
    turn: Turn,
    capabilities: &Capabilities,
    options: &RenderOptions,
    is_known: &dyn Fn(&str) -> bool,
) -> Result<RenderedUnit, Vec<Diagnostic>> {
    let mut whole = RenderedUnit::default();
    for source in &unit.sources {
        match source {
            UnitSource::Manifests { manifests, not_run, .. } => {
                whole.not_run.extend(not_run.iter().map(|it| it.what.clone()));
                for manifest in manifests.iter().filter(|it| !unit.is_followed(&it.object)) {
                    whole.add_plain(&manifest.path, manifest.object.clone());
                }
            }
            UnitSource::Chart(source) => {
                let release = release_info(unit, &source.settings, turn);
                let mut capabilities = seen_by(unit, &source.settings, capabilities);
                if matches!(unit.door, Door::Release)
                    && turn.operation == Operation::Install
                    && source.settings.crds == Part::Taken
                {
                    capabilities = capabilities.with_definitions_of(&source.chart);
                }
                let settings = &source.settings;
                let options =
                    RenderOptions { schema: settings.schema, documents: settings.documents.clone(), ..options.clone() };
                let mut rendered = render(&source.chart, &source.values, &release, &capabilities, &options)
                    .map_err(|error| vec![error.diagnose()])?;
                let mut manifests = rendered.manifests.iter().chain(rendered.hooks.iter().map(|hook| &hook.manifest));
                if let Some(error) = manifests.find_map(Manifest::refused) {
                    return Err(vec![error.diagnose()]);
                }
                rendered.manifests.retain(|it| !is_known(&it.text));
                rendered.hooks.retain(|it| !is_known(&it.manifest.text));
                if !unit.followed.is_empty() {
                    let stays = |object: &Object| !unit.is_followed(object);
                    rendered.manifests.retain(|it| Object::from_value(it.object()).is_ok_and(|it| stays(&it)));
                }
                whole.add_chart(rendered, settings.crds, settings.tests);
            }
        }
    }
    refuse_ciphertext(unit, &whole)?;
    Ok(whole)
}

fn release_info(unit: &Unit, settings: &RenderSettings, turn: Turn) -> ReleaseInfo {
    ReleaseInfo {
        name: settings.release.as_ref().unwrap_or(&unit.name).clone(),
        namespace: settings.namespace.as_ref().unwrap_or(&unit.namespace).clone(),
        revision: turn.revision,
        operation: turn.operation,
    }
}

/// The capabilities as a release's templates see them, or as an Application wants its own to.
fn seen_by(unit: &Unit, settings: &RenderSettings, cluster: &Capabilities) -> Capabilities {
    let mut capabilities = cluster.clone();
    // Argo CD hands on the numbers of a version alone (parseKubeVersion).
    if matches!(unit.door, Door::Application(_))
        && let Ok(numbers) = KubeVersion::parse(&capabilities.kube_version.version)
    {
        capabilities.kube_version = numbers;
    }
    if let Some(version) = settings.kube_version.as_ref().or(unit.meant_for.as_ref()) {
        capabilities.kube_version = version.clone();
    }
    if !settings.api_versions.is_empty() {
        capabilities.api_versions = Capabilities::default().with_api_versions(&settings.api_versions).api_versions;
    }
    capabilities
}
