//! From a chart and values to manifests (helm: `pkg/engine`, `pkg/action`).

mod before;
mod execute;
mod not_at_hand;
mod one;
mod output;
mod renderable;
pub(crate) mod side_by_side;

use std::sync::Arc;

use landfall_gotemplate::{Func, FuncError, Limits, Map, Type};

use crate::capabilities::Capabilities;
use crate::chart::{Chart, Crd, File, LeftOut};
use crate::dependency;
use crate::dialect::Dialect;
use crate::error::{ChartError, Mismatch, in_dependencies, in_helm4s_words};
use crate::functions::Lookup;
use crate::manifest::{Hook, Manifest, Readings, documents, sort_manifests};
use crate::origin::{Origins, Source};
use crate::provenance::Provenance;
use crate::rendered_file::Files;
use crate::schema::{self, SchemaDocuments};
use crate::values::coalesce::{Nulls, coalesce_values, deep_copy_map};
use crate::values::{ValueLayers, read_values_traced};
use crate::warning::{Warning, Warnings};

pub use before::Before;
pub(crate) use execute::{Strictness, execute, execute_with};
pub(crate) use not_at_hand::NotAtHand;
pub use output::{HookChoice, OutputFile, TemplateOptions};

/// The name of the file whose text is shown after an installation.
const NOTES: &str = "NOTES.txt";

/// Whether a template makes notes.
fn is_notes(path: &str) -> bool {
    path.ends_with(NOTES)
}

/// What `.Release` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// The release's name.
    pub name: String,
    /// The namespace it goes to.
    pub namespace: String,
    /// From 1.
    pub revision: i64,
    /// Install or upgrade.
    pub operation: Operation,
}

impl ReleaseInfo {
    /// A first installation.
    pub fn install(name: impl Into<String>, namespace: impl Into<String>) -> Self {
        ReleaseInfo { name: name.into(), namespace: namespace.into(), revision: 1, operation: Operation::Install }
    }

    /// Checks the name as Helm does.
    ///
    /// # Errors
    /// No name, or one that is too long or not made of DNS labels.
    pub fn check_name(&self) -> Result<(), ChartError> {
        check_release_name(&self.name)
    }
}

/// Whether a release's name is one (helm: `chartutil.ValidateReleaseName`).
///
/// # Errors
/// No name, or one that is too long or not made of DNS labels.
pub fn check_release_name(name: &str) -> Result<(), ChartError> {
    let is_label = |label: &str| {
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = label.as_bytes();
        bytes.first().is_some_and(|b| word(*b))
            && bytes.last().is_some_and(|b| word(*b))
            && bytes.iter().all(|b| word(*b) || *b == b'-')
    };
    if name.is_empty() {
        return Err(ChartError::NoReleaseName);
    }
    if name.len() > 53 || !name.split('.').all(is_label) {
        return Err(ChartError::ReleaseName(name.to_owned()));
    }
    Ok(())
}

/// Makes a release's name from a template (`--name-template`), which sees the function library and no values.
///
/// # Errors
/// Go's words for a template that cannot be read or fails.
pub fn release_name(template: &str, context: &landfall_sprig::Context) -> Result<String, ChartError> {
    let mut funcs = landfall_sprig::funcs();
    // Sprig's own, which Helm replaces where charts are rendered.
    funcs.insert("fail", Func::new(&[Type::String], |_, args| Err(FuncError::new(args.str(0)))));
    let mut set = landfall_gotemplate::Set::new("name-template", funcs, landfall_gotemplate::MissingKey::Invalid);
    let failed = |error: String| ChartError::NameTemplate(error);
    set.parse("name-template", template.as_bytes()).map_err(|error| failed(error.to_string()))?;
    let nothing = landfall_gotemplate::Value::nil();
    let text = set
        .execute("name-template", &nothing, &mut context.clone(), Limits::default())
        .map_err(|error| failed(error.to_string()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What is being done with a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It is new.
    Install,
    /// It is there already.
    Upgrade,
    /// Neither is said (lint).
    Neither,
}

/// Whether values are held against the charts' schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SchemaCheck {
    /// They are.
    #[default]
    Validate,
    /// They are not (`--skip-schema-validation`).
    Skip,
}

/// Whose notes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NotesFrom {
    /// The root chart's.
    #[default]
    Root,
    /// Subcharts' too (`--render-subchart-notes`).
    All,
}

/// Whether a rendering remembers where its bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tracing {
    /// It does not, and costs nothing.
    #[default]
    Off,
    /// It does; see [`Rendered::provenance`].
    On,
}

/// How to render.
#[derive(Debug, Clone)]
pub struct RenderOptions {
    /// Helm 3's or Helm 4's manner; the chart and the values should have been loaded in the same.
    pub dialect: Dialect,
    /// Whether schemas are checked.
    pub schema: SchemaCheck,
    /// The documents that schemas refer to by address.
    pub documents: SchemaDocuments,
    /// Whose notes are kept.
    pub notes: NotesFrom,
    /// Whether provenance is kept.
    pub tracing: Tracing,
    /// What earlier renderings have printed, where this one is not the only one.
    pub readings: Option<Readings>,
    /// What earlier renderings have read and printed, where this one differs from them by its values alone.
    pub before: Option<Before>,
    /// What answers `lookup`; without it every answer is empty.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// What templates may use.
    pub limits: Limits,
    /// Clock, random numbers and host names for the function library.
    pub sprig: landfall_sprig::Context,
}

impl RenderOptions {
    /// Renders as Helm 3 does, without a cluster and without provenance.
    pub fn new(sprig: landfall_sprig::Context) -> Self {
        Self {
            dialect: Dialect::default(),
            schema: SchemaCheck::default(),
            documents: SchemaDocuments::default(),
            notes: NotesFrom::default(),
            tracing: Tracing::default(),
            readings: None,
            before: None,
            lookup: None,
            limits: Limits::default(),
            sprig,
        }
    }

    /// The documents of a rendered file.
    fn documents(&self, path: &str, text: &str) -> Result<Vec<Manifest>, ChartError> {
        match &self.readings {
            Some(readings) => readings.documents(path, text, self.dialect),
            None => documents(path, text, self.dialect),
        }
    }
}

/// A rendered chart.
#[derive(Debug)]
pub struct Rendered {
    /// The chart's name.
    pub chart: String,
    /// The chart as conditions, tags and imports left it: what a release records.
    pub processed: Chart,
    /// Objects in order of installation.
    pub manifests: Vec<Manifest>,
    /// Hooks, sorted by kind as Helm keeps them.
    pub hooks: Vec<Hook>,
    /// The notes' text.
    pub notes: String,
    /// Custom resource definitions of `crds/`, not rendered.
    pub crds: Vec<Crd>,
    /// What Helm would have written to stderr.
    pub warnings: Vec<Warning>,
    /// The values as templates left them.
    pub values: Map,
    /// The values as templates found them, where some template may have changed them.
    pub values_found: Option<Map>,
    /// What the user gave, merged; this is what a release records.
    pub user_values: Map,
    /// Templates that could not do without charts that are not at hand, where they are done without.
    pub left_out: Vec<LeftOut>,
    /// Where bytes come from, when asked for.
    pub provenance: Option<Provenance>,
    pub(crate) dialect: Dialect,
}

/// A chart ready for its templates.
pub(crate) struct Prepared {
    pub(crate) chart: Chart,
    pub(crate) values: Map,
    pub(crate) user_values: Map,
    pub(crate) origins: Origins,
}

/// Renders a chart as an installation or upgrade would.
///
/// Steps and their order are Helm's: library check, dependencies present, conditions, tags and imports, coalescing,
/// schemas, Kubernetes version, templates, notes, manifests.
///
/// # Errors
/// The first thing that Helm refuses.
pub fn render(
    chart: &Chart,
    values: &ValueLayers,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
    options: &RenderOptions,
) -> Result<Rendered, ChartError> {
    render_warning(chart, values, release, capabilities, options, &mut Warnings::default())
}

/// As [`render`]; what Helm would have written to stderr before it refused is left in `warnings`.
///
/// # Errors
/// As [`render`].
pub fn render_warning(
    chart: &Chart,
    values: &ValueLayers,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
    options: &RenderOptions,
    warnings: &mut Warnings,
) -> Result<Rendered, ChartError> {
    warnings.0.clone_from(&chart.warnings);
    let mut origins = if options.tracing == Tracing::On { Origins::on() } else { Origins::off() };
    let user_values = values.merge_traced(&mut origins)?;
    let layers = Layers { layers: values, origins };
    told(options, render_merged(chart, user_values, layers, release, capabilities, options, warnings))
}

/// The outcome with its error in the dialect's words.
fn told<T>(options: &RenderOptions, outcome: Result<T, ChartError>) -> Result<T, ChartError> {
    match options.dialect {
        Dialect::V3 => outcome,
        Dialect::V4 => outcome.map_err(in_helm4s_words),
    }
}

/// Renders a chart with values that are already one map, such as those a release recorded.
///
/// # Errors
/// As [`render`].
pub fn render_values(
    chart: &Chart,
    values: Map,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
    options: &RenderOptions,
) -> Result<Rendered, ChartError> {
    let layers = ValueLayers::new();
    let origins = if options.tracing == Tracing::On { Origins::on() } else { Origins::off() };
    let layers = Layers { layers: &layers, origins };
    let mut warnings = Warnings(chart.warnings.clone());
    told(options, render_merged(chart, values, layers, release, capabilities, options, &mut warnings))
}

struct Layers<'a> {
    layers: &'a ValueLayers,
    origins: Origins,
}

/// Checks that Helm makes before it begins with a release.
fn check_installable(chart: &Chart) -> Result<(), ChartError> {
    if !matches!(chart.metadata.kind.as_str(), "" | "application") {
        return Err(ChartError::NotInstallable { kind: chart.metadata.kind.clone() });
    }
    let missing = chart.missing_dependencies();
    if !missing.is_empty() {
        return Err(ChartError::MissingDependencies {
            names: missing.into_iter().map(str::to_owned).collect(),
            location: chart.location.clone(),
        });
    }
    Ok(())
}

fn render_merged(
    chart: &Chart,
    user_values: Map,
    layers: Layers<'_>,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
    options: &RenderOptions,
    warnings: &mut Warnings,
) -> Result<Rendered, ChartError> {
    check_installable(chart)?;
    release.check_name()?;
    let prepared = prepare(chart, user_values, layers.layers, layers.origins, options, warnings)?;
    check_kube_version(&prepared.chart, capabilities)?;
    let values_found = changes_values(&prepared.chart).then(|| deep_copy_map(&prepared.values));
    let mut files = execute(&prepared, release, capabilities, options, warnings)
        .map_err(|error| crate::evidence::add(error, &prepared.chart, layers.layers, &prepared.values))?;
    let left_out = std::mem::take(&mut files.left_out);
    let notes = take_notes(&mut files, prepared.chart.name(), options.notes);
    let documents = files.documents(options)?;
    let sorted = match sort_manifests(documents, options.dialect, warnings) {
        Ok(sorted) => sorted,
        Err(error) if options.tracing == Tracing::On => {
            let provenance = Provenance::new(files, prepared.origins, &prepared.chart, &prepared.values);
            return Err(crate::evidence::add_lines(error, &provenance, &prepared.chart));
        }
        Err(error) => {
            // The second rendering only serves the message; what differs in it (random values) is of no matter.
            let traced = RenderOptions { tracing: Tracing::On, ..options.clone() };
            let mut origins = Origins::on();
            let user_values = layers.layers.merge_traced(&mut origins).unwrap_or_default();
            let again = prepare(chart, user_values, layers.layers, origins, &traced, &mut Warnings::default())
                .and_then(|prepared| {
                    Ok((execute(&prepared, release, capabilities, &traced, &mut Warnings::default())?, prepared))
                });
            return Err(match again {
                Ok((files, again)) => {
                    let provenance = Provenance::new(files, again.origins, &again.chart, &again.values);
                    crate::evidence::add_lines(error, &provenance, &prepared.chart)
                }
                Err(_) => error,
            });
        }
    };
    let provenance = (options.tracing == Tracing::On)
        .then(|| Provenance::new(files, prepared.origins, &prepared.chart, &prepared.values));
    Ok(Rendered {
        chart: prepared.chart.name().to_owned(),
        manifests: sorted.manifests,
        hooks: sorted.hooks,
        notes,
        crds: prepared.chart.crds(),
        left_out,
        processed: prepared.chart,
        warnings: std::mem::take(&mut warnings.0),
        values: prepared.values,
        values_found,
        user_values: prepared.user_values,
        provenance,
        dialect: options.dialect,
    })
}

/// Whether a template's text says that it sets something in the values, or takes something away from them.
struct ChangesValues(bool);

/// Whether a template of a chart, or of one below it, changes the values that others read after it.
fn changes_values(chart: &Chart) -> bool {
    let says = |text: &str| ["set .Values", "set $.Values"].iter().any(|it| text.contains(it));
    let changes = |file: &File| file.noted(|text| ChangesValues(says(text))).0;
    chart.with_parts().iter().any(|part| part.templates.iter().any(changes))
}

/// Applies dependencies and brings values together.
pub(crate) fn prepare(
    chart: &Chart,
    user_values: Map,
    layers: &ValueLayers,
    mut origins: Origins,
    options: &RenderOptions,
    warnings: &mut Warnings,
) -> Result<Prepared, ChartError> {
    let mut chart = chart.clone();
    if options.tracing == Tracing::On {
        trace_defaults(&mut chart, options.dialect, &mut origins);
    }
    let mismatch = |mismatch: Mismatch| {
        let setting = layers.history(&[&mismatch.name]).pop().map(Box::new);
        ChartError::Mismatch { mismatch, setting }
    };
    dependency::process(&mut chart, &user_values, options.dialect, warnings).map_err(|found| {
        let error = mismatch(found);
        if options.dialect == Dialect::V4 { in_dependencies(error) } else { error }
    })?;
    let nulls = Nulls::of(options.dialect);
    let values = coalesce_values(&chart, &user_values, nulls, warnings).map_err(mismatch)?;
    if options.schema == SchemaCheck::Validate {
        schema::validate(&chart, &values, &options.documents)
            .map_err(|failure| schema::explain(failure, &chart, layers))?;
    }
    Ok(Prepared { chart, values, user_values, origins })
}

fn trace_defaults(chart: &mut Chart, dialect: Dialect, origins: &mut Origins) {
    chart.values = chart.stood_for(read_values_traced(chart, dialect, origins));
    for dependency in &mut chart.dependencies {
        trace_defaults(dependency, dialect, origins);
    }
}

fn check_kube_version(chart: &Chart, capabilities: &Capabilities) -> Result<(), ChartError> {
    let wanted = &chart.metadata.kube_version;
    let found = &capabilities.kube_version.version;
    if wanted.is_empty() || dependency::is_compatible(wanted, &capabilities.kube_version.normalized) {
        return Ok(());
    }
    let place = match chart.raw_file("Chart.yaml") {
        Some(file) => crate::error::key_place(file, &chart.location, &["kubeVersion"]),
        None => landfall_diag::Place::file(&chart.location),
    };
    Err(ChartError::KubeVersion { wanted: wanted.clone(), found: found.clone(), place: Box::new(place) })
}

/// Takes the notes out of the rendered files; the root chart's are kept, others only when asked for.
fn take_notes(files: &mut Files, root: &str, from: NotesFrom) -> String {
    let own = format!("{root}/templates/{NOTES}");
    let mut notes = String::new();
    for (path, text) in files.take(is_notes) {
        if from == NotesFrom::All || path == own {
            if !notes.is_empty() {
                notes.push('\n');
            }
            notes.push_str(&text);
        }
    }
    notes
}

impl Rendered {
    /// Where the value of a field of an object comes from; `None` without provenance.
    ///
    /// `path` leads from the object's root: `["spec", "replicas"]`, with numbers for items of lists.
    pub fn origin_of(&self, manifest: &Manifest, path: &[&str]) -> Option<crate::provenance::FieldOrigin> {
        self.provenance.as_ref()?.origin_of(manifest, path)
    }

    /// Where the source of a value is; `None` without provenance.
    pub fn source(&self, origin: landfall_gotemplate::Origin) -> Option<Source> {
        self.provenance.as_ref()?.source(origin)
    }
}
