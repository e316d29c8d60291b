use std::path::Path;
use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use landfall_apps::{Application, Operation, Project, Source};
use landfall_chart::{Chart, KubeVersion, Part, SchemaCheck, SchemaDocuments, SetFlag, ValueLayers};
use landfall_diag::{Code, Diagnose, Diagnostic, Place, code};
use landfall_object::Object;
use landfall_project::{Environment, ProjectFile, ReleaseSpec};
use landfall_secrets::sops::SopsKeys;
use landfall_source::{Fetched, RemoteCharts, SourceTree, lend_vendored, repository_key};
use landfall_yaml::Step;

use crate::application::{fill_from_beside, stand_in_from_beside};
use crate::target::{at_revision, join, working_tree};
use crate::{Candidate, Target, TargetKind, opened};

/// Values given on the command line, read already.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Values files: the name as typed, and the text.
    pub files: Vec<(String, String)>,
    /// Lines of the `--set` family other than `--set-file`, in order.
    pub sets: Vec<(SetFlag, String)>,
    /// `--set-file` lines with the files they name and what those hold, or why they cannot be read.
    pub set_files: Vec<(String, Vec<NamedFile>)>,
}

/// A file named on the command line, and what it holds or why it cannot be read.
pub type NamedFile = (String, Result<String, String>);

/// What narrows a delivery down.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The environment of a system.
    pub environment: Option<String>,
    /// The release's name of a bare chart.
    pub release: Option<String>,
    /// The namespace of a bare chart.
    pub namespace: Option<String>,
    /// Releases, applications or services left out.
    pub skip: Vec<String>,
    /// Directories that stand in for repositories of Applications.
    pub repositories: Vec<StandIn>,
    /// How charts are asked for that Applications take from chart repositories and registries.
    pub charts: RemoteCharts,
    /// Whether values are held against charts' schemas.
    pub schema: SchemaCheck,
    /// The documents that charts' schemas refer to by address.
    pub documents: SchemaDocuments,
    /// Who opens values files and manifests that SOPS has encrypted.
    pub sops: SopsKeys,
    /// Whether a commit's charts take the archives of dependencies that git does not keep from the working tree's `charts/`: to look at
    /// a change, not to deliver it. What is nowhere at hand is done without then.
    pub lends_vendored: bool,
}

/// A directory in place of a repository.
#[derive(Debug, Clone)]
pub struct StandIn {
    /// The repository's address.
    pub address: String,
    /// The revision, as sources name it, that it stands in for; any when absent.
    pub revision: Option<String>,
    /// The files that the directory belongs to.
    pub tree: Arc<SourceTree>,
    /// Where in them the directory lies: it is the repository's root, even inside of another repository.
    pub root: String,
}

impl StandIn {
    /// Opens a directory in place of a repository.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn open(address: impl Into<String>, directory: &Path) -> Result<Self, Diagnostic> {
        let (tree, root) = working_tree(directory)?;
        Ok(StandIn { address: address.into(), revision: None, tree: Arc::new(tree), root })
    }

    /// A commit of the repository that a directory belongs to, bare or checked out, in place of what sources call
    /// `revision` of an address.
    ///
    /// # Errors
    /// There is no repository, or no such commit in it.
    pub fn at_commit(address: &str, revision: &str, directory: &Path, commit: &str) -> Result<Self, Diagnostic> {
        let (tree, root) = at_revision(directory, commit)?;
        Ok(StandIn { address: address.to_owned(), revision: Some(revision.to_owned()), tree: Arc::new(tree), root })
    }

    /// The same of a repository that was fetched: the files of one commit, which goes when nobody reads from it any more.
    ///
    /// # Errors
    /// There is no such commit in it.
    pub fn fetched(address: &str, revision: &str, fetched: &Arc<Fetched>, commit: &str) -> Result<Self, Diagnostic> {
        let tree = SourceTree::open_shared(fetched, commit).map_err(|error| error.diagnose())?;
        let (tree, revision) = (Arc::new(tree), Some(revision.to_owned()));
        Ok(StandIn { address: address.to_owned(), revision, tree, root: String::new() })
    }

    /// Whether it stands in for a source.
    pub(crate) fn serves(&self, source: &Source) -> bool {
        let same = self.revision.as_ref().is_none_or(|revision| *revision == source.target_revision);
        same && repository_key(&self.address) == repository_key(&source.repo_url)
    }
}

/// One thing that is delivered as a whole: a release of a chart, or an Application.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The release's or Application's name.
    pub name: String,
    /// Where its namespaced objects go.
    pub namespace: String,
    /// Whether its failure leaves the rest of the system delivered.
    pub optional: bool,
    /// By which rules it is delivered.
    pub door: Door,
    /// What it is made from: one chart for a release, one or several sources for an Application, a later one winning.
    pub sources: Vec<UnitSource>,
    /// Archives of the working tree that stand in for dependencies which the commit does not have.
    pub lent: Vec<String>,
    /// The Applications and projects that it renders and that are delivered themselves, as units of their own: kinds and
    /// names.
    pub followed: Vec<(String, String)>,
    /// The Kubernetes that it is looked at for, where the cluster that it is tried on stands in for another one: templates
    /// see it, and what is gone only later counts as served.
    pub meant_for: Option<KubeVersion>,
}

/// By which rules a unit is delivered.
#[derive(Debug, Clone)]
pub enum Door {
    /// Helm's: hooks by weight, install order, revisions.
    Release,
    /// Argo CD's: phases, waves, prune.
    Application(Box<BoundApplication>),
}

/// An Application, and the bounds that its project sets.
#[derive(Debug, Clone)]
pub struct BoundApplication {
    /// The Application.
    pub application: Application,
    /// Its project, when that is among what is delivered.
    pub project: Option<Project>,
    /// What its sources are at, one a source; what is delivered as a whole where that is not said.
    pub revisions: Vec<String>,
    /// Who asks for its sync, and for which of its objects.
    pub operation: Operation,
    /// How often that was tried before.
    pub attempt: u32,
}

/// One source of a unit.
#[derive(Debug, Clone)]
pub enum UnitSource {
    /// A chart to be rendered.
    Chart(Box<ChartSource>),
    /// Manifests as they are.
    Manifests {
        /// They.
        manifests: Vec<PlainManifest>,
        /// The kustomizations that they were built by, as they are shown, the outermost first; none where they lie there so.
        kustomizations: Vec<String>,
        /// What was left out of the kustomizations, because another program would make it.
        not_run: Vec<NotRun>,
    },
}

/// What only another program than Kustomize would make of a kustomization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRun {
    /// The file that names it.
    pub kustomization: String,
    /// `ksops secrets`, `chart redis`.
    pub what: String,
}

/// A chart and how it is rendered.
#[derive(Debug, Clone)]
pub struct ChartSource {
    /// The chart.
    pub chart: Chart,
    /// The values on top of the chart's own.
    pub values: ValueLayers,
    /// What an Application says beyond the values.
    pub settings: RenderSettings,
}

/// How a chart is rendered where the usual way does not do.
#[derive(Debug, Clone, Default)]
pub struct RenderSettings {
    /// The name that templates see as `.Release.Name`, when not the unit's.
    pub release: Option<String>,
    /// The namespace that templates see, when not the unit's.
    pub namespace: Option<String>,
    /// Whether values are held against schemas.
    pub schema: SchemaCheck,
    /// The documents that schemas refer to by address.
    pub documents: SchemaDocuments,
    /// Whether the chart's `crds/` take part.
    pub crds: Part,
    /// Whether test hooks take part.
    pub tests: Part,
    /// The Kubernetes version that templates see, when not the cluster's.
    pub kube_version: Option<KubeVersion>,
    /// The API versions that templates see; the cluster's when empty.
    pub api_versions: Vec<String>,
}

/// An object read from a file as it is.
#[derive(Debug, Clone)]
pub struct PlainManifest {
    /// The file's path.
    pub path: String,
    /// The object.
    pub object: Object,
}

impl Unit {
    /// Its charts, each with what it is rendered with.
    pub fn charts(&self) -> impl Iterator<Item = &ChartSource> {
        self.sources.iter().filter_map(|source| match source {
            UnitSource::Chart(source) => Some(&**source),
            UnitSource::Manifests { .. } => None,
        })
    }

    /// The same, to be changed.
    pub fn charts_mut(&mut self) -> impl Iterator<Item = &mut ChartSource> {
        self.sources.iter_mut().filter_map(|source| match source {
            UnitSource::Chart(source) => Some(&mut **source),
            UnitSource::Manifests { .. } => None,
        })
    }

    /// The manifests that it takes as they are, each with the kustomizations that have built it.
    pub fn manifests(&self) -> impl Iterator<Item = (&PlainManifest, &[String])> {
        self.sources.iter().flat_map(|source| {
            let (manifests, kustomizations) = match source {
                UnitSource::Manifests { manifests, kustomizations, .. } => (&manifests[..], &kustomizations[..]),
                UnitSource::Chart(_) => (&[][..], &[][..]),
            };
            manifests.iter().map(move |manifest| (manifest, kustomizations))
        })
    }

    /// What was left out of its kustomizations.
    pub fn not_run(&self) -> impl Iterator<Item = &NotRun> {
        self.sources.iter().flat_map(|source| match source {
            UnitSource::Manifests { not_run, .. } => &not_run[..],
            UnitSource::Chart(_) => &[],
        })
    }

    /// The first of its charts: a release's only one.
    pub fn chart(&self) -> Option<&Chart> {
        self.charts().next().map(|source| &source.chart)
    }

    /// The names of the values files that its charts are rendered with.
    pub fn value_files(&self) -> impl Iterator<Item = &str> {
        self.charts().flat_map(|source| source.values.file_names())
    }

    /// The same with its values held against the charts' schemas, or not.
    fn held_to(mut self, schema: SchemaCheck) -> Self {
        self.charts_mut().for_each(|source| source.settings.schema = schema);
        self
    }

    /// A release of a chart.
    pub(crate) fn release(
        name: String,
        namespace: String,
        chart: Chart,
        values: ValueLayers,
        documents: &SchemaDocuments,
    ) -> Self {
        let settings = RenderSettings { documents: documents.clone(), ..RenderSettings::default() };
        let source = ChartSource { chart, values, settings };
        Unit {
            name,
            namespace,
            optional: false,
            door: Door::Release,
            sources: vec![UnitSource::Chart(Box::new(source))],
            lent: Vec::new(),
            followed: Vec::new(),
            meant_for: None,
        }
    }
}

impl Target {
    /// What is delivered: each release and Application with its chart and values.
    ///
    /// Applications fail one by one, so each has a result of its own.
    ///
    /// # Errors
    /// When the target as a whole cannot be read.
    #[boxed]
    pub async fn units(
        &self,
        selection: &Selection,
        overrides: &Overrides,
        default_namespace: &str,
    ) -> Result<Vec<Candidate>, Vec<Diagnostic>> {
        let mut units = Vec::new();
        match &self.kind {
            TargetKind::Chart => {
                let unit = self.bare_chart(selection, overrides, default_namespace);
                let name = match &unit {
                    Ok(unit) => unit.name.clone(),
                    Err(_) => selection.release.clone().unwrap_or_else(|| "chart".to_owned()),
                };
                units.push((name, unit));
            }
            TargetKind::System(file) => {
                let name = selection.environment.as_deref().unwrap_or_default();
                let Some(environment) = file.system.environments.get(name) else {
                    return Err(vec![Diagnostic::error(
                        code::NO_ENVIRONMENT,
                        format!("there is no environment `{name}`"),
                    )]);
                };
                for (index, release) in environment.releases.iter().enumerate() {
                    let at = |steps: &[Step<'_>]| {
                        let release =
                            [Step::Key("environments"), Step::Key(name), Step::Key("releases"), Step::Index(index)];
                        file.place(&[&release[..], steps].concat())
                    };
                    units.push((
                        release.name.to_string(),
                        self.system_release(release, at, selection, overrides, default_namespace),
                    ));
                }
                for files in self.declared_files(file, name, environment)? {
                    units.extend(self.applications(&files, selection, overrides).await?);
                }
            }
            TargetKind::Applications(files) => units.extend(self.applications(files, selection, overrides).await?),
            TargetKind::Manifests(rules) => {
                units.push(self.manifests(rules, selection, overrides, default_namespace).await);
            }
        }
        self.follow(&mut units, selection).await;
        check_skips(&selection.skip, &units)?;
        units.retain(|(name, _)| !selection.skip.contains(name));
        Ok(units)
    }

    /// The files that an environment declares as its Applications', pattern by pattern.
    pub(crate) fn declared_files(
        &self,
        file: &ProjectFile,
        name: &str,
        environment: &Environment,
    ) -> Result<Vec<Vec<String>>, Vec<Diagnostic>> {
        let mut all = Vec::new();
        for pattern in environment.applications.iter().flat_map(landfall_project::OneOrMany::iter) {
            let files = self.source.glob(&self.path(pattern)).map_err(|error| vec![error.diagnose()])?;
            if files.is_empty() {
                return Err(vec![
                    Diagnostic::error(code::NO_MATCHING_FILE, format!("`{pattern}` matches no file")).primary(
                        file.place(&[Step::Key("environments"), Step::Key(name), Step::Key("applications")]),
                        "declared here",
                    ),
                ]);
            }
            all.push(files);
        }
        Ok(all)
    }

    fn bare_chart(
        &self,
        selection: &Selection,
        overrides: &Overrides,
        default_namespace: &str,
    ) -> Result<Unit, Vec<Diagnostic>> {
        let (chart, lent) = self.chart(&self.directory, selection)?;
        let mut values = ValueLayers::new();
        add_overrides(&mut values, overrides, &selection.sops)?;
        let name = selection.release.clone().unwrap_or_else(|| chart.name().to_owned());
        let namespace = selection.namespace.clone().unwrap_or_else(|| default_namespace.to_owned());
        Ok(Unit {
            lent,
            ..Unit::release(name, namespace, chart, values, &selection.documents).held_to(selection.schema)
        })
    }

    /// A chart of the target, with what it lacks and the working tree has, where that is wanted.
    fn chart(&self, directory: &str, selection: &Selection) -> Result<(Chart, Vec<String>), Vec<Diagnostic>> {
        let mut chart = load_chart(&self.source, directory, &self.shown(directory))?;
        fill_from_beside(&mut chart, &self.source, directory)?;
        let mut lent = Vec::new();
        if selection.lends_vendored
            && let Some(vendored) = self.source.in_working_tree(&join(directory, "charts"))
        {
            lent = lend_vendored(&mut chart, &vendored);
        }
        if selection.lends_vendored {
            stand_in_from_beside(&mut chart, &self.source, directory, &|path: &str| self.shown(path));
            chart.do_without_missing();
        }
        Ok((chart, lent))
    }

    fn system_release(
        &self,
        release: &ReleaseSpec,
        at: impl Fn(&[Step<'_>]) -> Place,
        selection: &Selection,
        overrides: &Overrides,
        default_namespace: &str,
    ) -> Result<Unit, Vec<Diagnostic>> {
        let directory = self.path(&release.chart);
        let named = |told: Vec<Diagnostic>, code: Code, steps: &[Step<'_>]| -> Vec<Diagnostic> {
            let place = |one: Diagnostic| if one.code == code { one.primary(at(steps), "named here") } else { one };
            told.into_iter().map(place).collect()
        };
        let chart = self.chart(&directory, selection);
        let (chart, lent) = chart.map_err(|told| named(told, code::NO_CHART_THERE, &[Step::Key("chart")]))?;
        let mut values = ValueLayers::new();
        for (index, file) in release.values.iter().enumerate() {
            let read = self.values_file(&directory, file);
            let steps = [Step::Key("values"), Step::Index(index)];
            let (path, text) = read.map_err(|told| named(told, code::NO_VALUES_FILE, &steps))?;
            opened::add_values(&mut values, &selection.sops, path, text)?;
        }
        for (path, value) in &release.set {
            values.set(SetFlag::Json, format!("{path}={value}"));
        }
        add_overrides(&mut values, overrides, &selection.sops)?;
        let namespace = release.namespace.as_deref().unwrap_or(default_namespace).to_owned();
        let unit = Unit::release(release.name.to_string(), namespace, chart, values, &selection.documents)
            .held_to(selection.schema);
        Ok(Unit { optional: release.optional, lent, ..unit })
    }

    /// A values file of a release: from the chart's directory first, then from the project file's.
    fn values_file(&self, chart: &str, file: &str) -> Result<(String, String), Vec<Diagnostic>> {
        for path in [join(chart, file), self.path(file)] {
            if let Some(bytes) = self.source.read(&path).map_err(|error| vec![error.diagnose()])? {
                return Ok((self.shown(&path), String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        Err(vec![
            Diagnostic::error(code::NO_VALUES_FILE, format!("the values file `{file}` is not there")).note(format!(
                "looked for {} and {}",
                join(chart, file),
                self.path(file)
            )),
        ])
    }
}

/// Loads a chart from files.
pub(crate) fn load_chart(source: &SourceTree, directory: &str, location: &str) -> Result<Chart, Vec<Diagnostic>> {
    if !source.is_directory(directory) {
        let told =
            Diagnostic::error(code::NO_CHART_THERE, format!("there is no chart `{directory}` in {}", source.place()));
        return Err(vec![match submodule_of(source, directory) {
            Some(module) => told
                .note(format!(
                    "`{module}` is a git submodule: a commit names it, and its files are another repository's"
                ))
                .help("put the chart into this repository, or deliver from a checkout that has its submodules"),
            None => told,
        }]);
    }
    let tree = source.directory(directory).map_err(|error| vec![error.diagnose()])?;
    Chart::load(&tree, location).map_err(|error| vec![error.diagnose()])
}

/// The submodule that a directory is in, by its path.
fn submodule_of(source: &SourceTree, directory: &str) -> Option<String> {
    let text = String::from_utf8(source.read(".gitmodules").ok()??).ok()?;
    let paths = text.lines().filter_map(|line| line.trim().strip_prefix("path")?.trim_start().strip_prefix('='));
    let is_above =
        |path: &&str| directory.strip_prefix(*path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    paths.map(str::trim).find(is_above).map(str::to_owned)
}

pub(crate) fn add_overrides(
    values: &mut ValueLayers,
    overrides: &Overrides,
    keys: &SopsKeys,
) -> Result<(), Vec<Diagnostic>> {
    for (name, text) in &overrides.files {
        opened::add_values(values, keys, name.clone(), text.clone())?;
    }
    for (flag, text) in &overrides.sets {
        values.set(*flag, text.clone());
    }
    for (text, files) in &overrides.set_files {
        values.set_file(text.clone(), &mut |path| {
            files
                .iter()
                .find(|(name, _)| name == path)
                .map_or_else(|| Err(format!("open {path}: no such file or directory")), |(_, content)| content.clone())
        });
    }
    Ok(())
}

fn check_skips(skips: &[String], units: &[Candidate]) -> Result<(), Vec<Diagnostic>> {
    let known = || units.iter().map(|(name, _)| name.as_str());
    for skip in skips {
        if !known().any(|name| name == skip) {
            let diagnostic = Diagnostic::error(
                code::NOTHING_TO_SKIP,
                format!("--skip {skip}: there is no release or application of that name"),
            )
            .listing("there are", known())
            .did_you_mean(landfall_diag::nearest(skip, known()));
            return Err(vec![diagnostic]);
        }
    }
    Ok(())
}
