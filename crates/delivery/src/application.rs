//! Argo `Application`s as units: which charts and manifests, from where, with which values.

mod children;
mod dependencies;
mod directory;
mod kustomize;
mod manifests;
mod sets;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use landfall_apps::sets::ApplicationSet;
use landfall_apps::{
    Application, BuildEnvironment, Fault, FieldStep, HelmSource, Operation, Project, SECRET_TYPE, Source,
};
use landfall_chart::{Chart, KubeVersion, Part, SchemaCheck};
use landfall_diag::{Code, Diagnose, Diagnostic, Place, code};
use landfall_object::{Object, mask};
use landfall_source::{FetchedChart, SourceError, SourceTree, aside, read_archive, repository_key};
use landfall_yaml::Step;

use crate::target::join;
use crate::unit::{
    BoundApplication, ChartSource, Door, NotRun, Overrides, RenderSettings, Selection, Unit, UnitSource, add_overrides,
    load_chart,
};
use crate::up::Candidate;
use crate::{Target, TargetKind};

pub(crate) use dependencies::{fill_from_beside, stand_in_from_beside};

/// Files that make a directory one for Kustomize.
pub(crate) const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// An Application while it is read.
struct Reading<'t> {
    target: &'t Target,
    selection: &'t Selection,
    /// The manifest that holds it.
    file: &'t str,
    application: &'t Application,
    /// Where each `ref` leads: a tree, and the path of the repository's root in it.
    references: BTreeMap<&'t str, Checkout>,
}

/// A repository's files: those of a stand-in, of a fetched chart, or the target's own, and the path of the repository's
/// root in them.
#[derive(Clone)]
struct Checkout {
    stand_in: Option<Arc<SourceTree>>,
    root: String,
    /// The archive whose files they are, when they are a packed chart.
    archive: Option<Arc<FetchedChart>>,
}

impl Checkout {
    fn of(stand_in: Option<Arc<SourceTree>>, root: &str) -> Self {
        Checkout { stand_in, root: root.to_owned(), archive: None }
    }
}

impl Checkout {
    /// What a source is taken at: its commit, or its chart's version.
    fn revision<'a>(&'a self, target: &'a Target, source: &'a Source) -> &'a str {
        match &self.archive {
            Some(_) => &source.target_revision,
            None => self.files(target).revision().sha().unwrap_or_default(),
        }
    }

    fn files<'a>(&'a self, target: &'a Target) -> &'a SourceTree {
        self.stand_in.as_deref().unwrap_or(&target.source)
    }

    /// A path of it as people are told it: of the target's own tree as seen from where they stand.
    fn shown(&self, target: &Target, path: &str) -> String {
        if self.stand_in.is_none() { target.shown(path) } else { path.to_owned() }
    }
}

impl Target {
    pub(crate) async fn applications(
        &self,
        files: &[String],
        selection: &Selection,
        overrides: &Overrides,
    ) -> Result<Vec<Candidate>, Vec<Diagnostic>> {
        let (mut found, mut sets) = (Vec::new(), Vec::new());
        let mut projects = BTreeMap::new();
        for one in self.argo_objects(files)? {
            if Project::is(&one.object) {
                let project = Project::parse(&one.object).map_err(|error| vec![error.diagnose()])?;
                projects.insert(project.name.clone(), project);
            } else if ApplicationSet::is(&one.object) {
                sets.push(one);
            } else {
                found.push((one.path, one.object, one.faults));
            }
        }
        let mut units = Vec::new();
        for one in sets {
            match self.generated(&one, selection) {
                Ok(generated) => found.extend(generated),
                Err(diagnostics) => units.push((one.object.name().to_owned(), Err(diagnostics))),
            }
        }
        for (path, object, faults) in found {
            let name = object.name().to_owned();
            if !faults.is_empty() {
                units.push((name, Err(faults)));
                continue;
            }
            let unit = match Application::parse(&object) {
                Ok(application) => {
                    let sources = self.sources_of(&path, &application, selection, overrides).await;
                    let project = projects.get(&application.project).cloned();
                    sources.map(|sources| unit_of(application, project, sources))
                }
                Err(error) => Err(vec![at_file(error.diagnose(), &path)]),
            };
            units.push((name, unit));
        }
        Ok(units)
    }

    /// The Applications, sets of them and projects that files hold.
    fn argo_objects(&self, files: &[String]) -> Result<Vec<ArgoObject>, Vec<Diagnostic>> {
        self.held(files).map(|(found, _)| found)
    }

    /// The same, and what stands beside them.
    fn held(&self, files: &[String]) -> Result<(Vec<ArgoObject>, Vec<Beside>), Vec<Diagnostic>> {
        let (mut found, mut beside) = (Vec::new(), Vec::new());
        for path in files {
            let bytes = self.source.read(path).map_err(|error| vec![error.diagnose()])?.unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let documents = landfall_yaml::documents(&text).map(|part| part.and_then(|part| part.to_json()));
            let documents = match documents.collect::<Result<Vec<_>, _>>() {
                Ok(documents) => documents,
                // Somebody has named the others, and it lies beside them.
                Err(_) if matches!(self.kind, TargetKind::Applications(_)) => {
                    beside.push(Beside { file: self.shown(path), object: None });
                    continue;
                }
                Err(error) => {
                    let words = mask::words_about(&text, error.to_string());
                    let told = format!("`{}` is not valid YAML", self.shown(path));
                    return Err(vec![Diagnostic::error(code::MANIFEST_NOT_YAML, told).note(words)]);
                }
            };
            for (index, document) in documents.into_iter().enumerate() {
                let Ok(object) = Object::from_value(document) else { continue };
                let is_application = object.kind() == "Application" && object.group() == "argoproj.io";
                if !is_application && !Project::is(&object) && !ApplicationSet::is(&object) {
                    // What names no kind is no object: values, perhaps.
                    if !object.kind().is_empty() && !object.api_version().is_empty() {
                        beside.push(Beside { file: self.shown(path), object: Some(object) });
                    }
                    continue;
                }
                let faults = match Application::parse(&object) {
                    Err(landfall_apps::Error::Unfit { faults, .. }) if is_application => {
                        faults.iter().map(|fault| told(fault, object.name(), &self.shown(path), &text, index)).collect()
                    }
                    _ => Vec::new(),
                };
                found.push(ArgoObject { path: self.shown(path), object, faults });
            }
        }
        Ok((found, beside))
    }

    /// What stands in the files of a target's Applications and is none, nor a set of them or a project.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn beside(&self, environment: Option<&str>) -> Result<Vec<Beside>, Vec<Diagnostic>> {
        self.held(&self.application_files(environment)?).map(|(_, beside)| beside)
    }

    /// The files of a target's Applications; a bare chart has none.
    fn application_files(&self, environment: Option<&str>) -> Result<Vec<String>, Vec<Diagnostic>> {
        Ok(match &self.kind {
            TargetKind::Applications(files) => files.clone(),
            TargetKind::System(file) => {
                let name = environment.unwrap_or_default();
                let declared = file.system.environments.get(name);
                let files = declared.map(|it| self.declared_files(file, name, it)).transpose()?;
                files.unwrap_or_default().concat()
            }
            TargetKind::Chart | TargetKind::Manifests(_) => Vec::new(),
        })
    }

    /// The Applications and projects that a target declares, as objects to be put on a cluster: projects first, each in
    /// a namespace.
    ///
    /// # Errors
    /// All that cannot be read; a bare chart declares none.
    pub fn declared_objects(&self, environment: Option<&str>) -> Result<Vec<Object>, Vec<Diagnostic>> {
        let files = self.application_files(environment)?;
        let (mut objects, mut wrong) = (Vec::new(), Vec::new());
        for one in self.argo_objects(&files)? {
            let read = if Project::is(&one.object) {
                Project::parse(&one.object).map(drop)
            } else if ApplicationSet::is(&one.object) {
                ApplicationSet::parse(&one.object).map(drop)
            } else {
                Application::parse(&one.object).map(drop)
            };
            match read {
                Err(_) if !one.faults.is_empty() => wrong.extend(one.faults),
                Err(error) => wrong.push(at_file(error.diagnose(), &one.path)),
                Ok(()) => objects.push(one.object),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        for object in &mut objects {
            if object.namespace().is_none_or(str::is_empty) {
                object.set_namespace("argocd");
            }
        }
        objects.sort_by_key(|object| !Project::is(object));
        Ok(objects)
    }

    async fn sources_of(
        &self,
        path: &str,
        application: &Application,
        selection: &Selection,
        overrides: &Overrides,
    ) -> Result<Vec<UnitSource>, Vec<Diagnostic>> {
        let references = BTreeMap::new();
        let mut reading = Reading { target: self, selection, file: path, application, references };
        for source in application.sources.iter().filter(|source| !source.reference.is_empty()) {
            let checkout = reading.checkout(source).await?;
            reading.references.insert(&source.reference, checkout);
        }
        let mut sources = Vec::new();
        for source in &application.sources {
            // A source that only others refer to brings no manifests of its own.
            if !source.reference.is_empty() && source.path.is_empty() && source.chart.is_empty() {
                continue;
            }
            sources.push(reading.source(source, overrides).await?);
        }
        Ok(sources)
    }

    /// The files of a repository: a stand-in's, or the target's own when it is their origin.
    fn checkout_of(&self, source: &Source, selection: &Selection) -> Option<Checkout> {
        let wanted = repository_key(&source.repo_url);
        if let Some(own) = selection.repositories.iter().find(|own| own.serves(source)) {
            // The repository that is delivered from stands in for itself: at the revision that is delivered.
            let itself = own.tree.is_of_the_same_repository(&self.source);
            return Some(Checkout::of(Some(own.tree.clone()).filter(|_| !itself), &own.root));
        }
        let own = self.source.origin().map(|origin| repository_key(&origin));
        if own.as_deref() == Some(wanted.as_str()) {
            return Some(Checkout::of(None, ""));
        }
        // What is delivered without an Application comes from where it lies.
        if matches!(self.kind, TargetKind::Manifests(_)) {
            return Some(Checkout::of(None, ""));
        }
        // A system's own applications name its own repository; before it has a remote there is none to compare.
        let system_without_remote = own.is_none() && matches!(self.kind, crate::TargetKind::System(_));
        system_without_remote.then(|| Checkout::of(None, &self.directory))
    }
}

/// An Application or a project that a file holds.
struct ArgoObject {
    /// The file, as a person at the terminal would type it.
    path: String,
    object: Object,
    /// Names and addresses of an Application that are none, at their lines.
    faults: Vec<Diagnostic>,
}

/// What stands in a file of Applications and is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// The file, as a person at the terminal would type it.
    pub file: String,
    /// The object; nothing where the file is no YAML.
    pub object: Option<Object>,
}

impl Beside {
    /// The Secret by which a repository or another cluster is reached, to be put where it is looked for; one that SOPS has encrypted is
    /// none yet.
    pub fn credential(&self) -> Option<Object> {
        let secret = self.object.as_ref().filter(|it| it.kind() == "Secret" && it.group().is_empty())?;
        if secret.label(SECRET_TYPE).is_none() || secret.at("/sops").is_some() {
            return None;
        }
        let mut secret = secret.clone();
        if secret.namespace().is_none_or(str::is_empty) {
            secret.set_namespace(Project::HOME);
        }
        Some(secret)
    }
}

impl std::fmt::Display for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.object {
            Some(object) => write!(f, "{} {} in `{}`", object.kind(), object.name(), self.file),
            None => write!(f, "`{}`, which is not valid YAML,", self.file),
        }
    }
}

impl Unit {
    /// The unit of an Application that a cluster holds: everything that it is made from lies in the repositories of the
    /// selection, or is fetched as charts.
    ///
    /// # Errors
    /// What it names is not there, or cannot be read.
    #[boxed]
    pub async fn of_application(
        application: Application,
        project: Option<Project>,
        selection: &Selection,
    ) -> Result<Self, Vec<Diagnostic>> {
        let place = application.target();
        let sources = Target::nowhere().sources_of(&place, &application, selection, &Overrides::default()).await?;
        Ok(unit_of(application, project, sources))
    }
}

fn unit_of(application: Application, project: Option<Project>, sources: Vec<UnitSource>) -> Unit {
    let namespace = match application.destination.namespace.as_str() {
        "" => "default".to_owned(),
        namespace => namespace.to_owned(),
    };
    let name = application.name.clone();
    let (revisions, operation, attempt) = (Vec::new(), Operation::default(), 0);
    let bound = BoundApplication { application, project, revisions, operation, attempt };
    let door = Door::Application(Box::new(bound));
    Unit { name, namespace, optional: true, door, sources, lent: Vec::new(), followed: Vec::new(), meant_for: None }
}

/// A fault of an Application at its line.
fn told(fault: &Fault, name: &str, file: &str, text: &str, document: usize) -> Diagnostic {
    let steps: Vec<Step<'_>> = fault
        .path
        .iter()
        .map(|step| match *step {
            FieldStep::Key(key) => Step::Key(key),
            FieldStep::Index(index) => Step::Index(index),
        })
        .collect();
    let documents = landfall_yaml::parse(text).unwrap_or_default();
    let place = match documents.get(document).and_then(|document| document.at(&steps)) {
        Some(node) => {
            let (start, end) = (node.span().start, node.span().end);
            let end = if end.line() == start.line() { end.column() } else { 0 };
            Place::line(file, start.line() as u32).columns(start.column() as u32, end as u32).source_from(text)
        }
        None => Place::file(file),
    };
    let message = format!("Application {name}: `{}` cannot be `{}`", fault.field(), fault.text);
    let diagnostic = Diagnostic::error(code::UNFIT, message).primary(place, &fault.unfit.wanted);
    diagnostic.did_you_mean(fault.unfit.near.as_ref())
}

fn at_file(diagnostic: Diagnostic, path: &str) -> Diagnostic {
    diagnostic.primary(Place::file(path), "this Application")
}

impl Reading<'_> {
    fn wrong(&self, code: Code, message: String) -> Vec<Diagnostic> {
        vec![at_file(Diagnostic::error(code, message), self.file)]
    }

    fn name(&self) -> &str {
        &self.application.name
    }

    /// Where a source's files are: a repository that stands here, or a chart that is fetched.
    async fn checkout(&self, source: &Source) -> Result<Checkout, Vec<Diagnostic>> {
        let repository = &source.repo_url;
        let name = self.name();
        if !source.chart.is_empty() || repository.starts_with("oci://") {
            return self.fetched(source).await;
        }
        self.target.checkout_of(source, self.selection).ok_or_else(|| {
            let text = format!("Application {name} comes from {repository}, which is not this repository");
            vec![
                at_file(Diagnostic::error(code::NO_CHECKOUT, text), self.file)
                    .note("spec.source.repoURL names it")
                    .help(format!("let a checkout stand in: --repo {repository}=DIR")),
            ]
        })
    }

    /// A chart from a chart repository or a registry, by the address of the repository or of the chart itself.
    async fn fetched(&self, source: &Source) -> Result<Checkout, Vec<Diagnostic>> {
        let charts = &self.selection.charts;
        let fetch = async {
            let chart = charts.fetch(&source.repo_url, &source.chart, &source.target_revision).await?;
            let unpack = move || read_archive(&chart.place, &chart.bytes).map(|tree| (chart, tree));
            aside(unpack).await?
        };
        let (chart, tree) = fetch.await.map_err(|error: SourceError| {
            vec![at_file(error.diagnose(), self.file).note(format!("Application {} takes it from there", self.name()))]
        })?;
        let files = SourceTree::from_tree(chart.place.clone(), tree);
        Ok(Checkout { stand_in: Some(Arc::new(files)), root: String::new(), archive: Some(Arc::new(chart)) })
    }

    /// Reads one source; what it is follows from what it names and from its directory, as Argo CD detects it.
    async fn source(&self, source: &Source, overrides: &Overrides) -> Result<UnitSource, Vec<Diagnostic>> {
        let name = self.name();
        if source.plugin.is_some() {
            return Err(self.wrong(
                code::NOT_RENDERED,
                format!("Application {name} is rendered by a plugin; plugins are not run"),
            ));
        }
        let checkout = self.checkout(source).await?;
        let files = checkout.files(self.target);
        // A packed chart has no directories to choose from.
        let directory = match checkout.archive {
            Some(_) => String::new(),
            None => match source.path.trim_matches('/') {
                "." => checkout.root.clone(),
                path => join(&checkout.root, path.strip_prefix("./").unwrap_or(path)),
            },
        };
        if !files.is_directory(&directory) {
            let text = format!("Application {name}: there is no directory `{}` in {}", source.path, files.place());
            return Err(vec![
                at_file(Diagnostic::error(code::NO_CHART_THERE, text), self.file)
                    .note(format!("argocd: {}: app path does not exist", source.path)),
            ]);
        }
        let entries = files.entries(&directory).map_err(|error| vec![error.diagnose()])?;
        let holds = |name: &str| entries.iter().any(|entry| entry == name);
        if source.kustomize.is_some() || KUSTOMIZATIONS.iter().any(|name| holds(name)) && source.directory.is_none() {
            let environment = BuildEnvironment::of(self.application, source, checkout.revision(self.target, source));
            let settings = source.kustomize.as_ref().map(|settings| environment.fill_kustomize(settings));
            let (manifests, judged) = self.kustomized(settings.as_ref(), files, (&checkout.root, &directory)).await?;
            let shown = |path: &String| checkout.shown(self.target, &join(&checkout.root, path));
            let kustomizations = judged.led_to.iter().map(shown).collect();
            let not_run =
                judged.not_run.into_iter().map(|it| NotRun { kustomization: shown(&it.kustomization), ..it }).collect();
            return Ok(UnitSource::Manifests { manifests, kustomizations, not_run });
        }
        if source.directory.is_some() || !(holds("Chart.yaml") || source.helm.is_some()) {
            let manifests = self.plain_directory(source, files, &directory)?;
            return Ok(UnitSource::Manifests { manifests, kustomizations: Vec::new(), not_run: Vec::new() });
        }
        let mut chart = match &checkout.archive {
            Some(archive) => {
                Chart::load_archive(&archive.place, &archive.bytes).map_err(|error| vec![error.diagnose()])?
            }
            None => load_chart(files, &directory, &checkout.shown(self.target, &directory))?,
        };
        let filled = dependencies::fill(&mut chart, files, &directory, &self.selection.charts).await;
        match self.selection.lends_vendored {
            true => chart.do_without_missing(),
            false => filled?,
        }
        let helm = source.helm.clone().unwrap_or_default();
        let environment = BuildEnvironment::of(self.application, source, checkout.revision(self.target, source));
        let mut values = self.values(&helm, &environment, &checkout, &directory)?;
        add_overrides(&mut values, overrides, &self.selection.sops)?;
        let settings = self.settings(&helm)?;
        Ok(UnitSource::Chart(Box::new(ChartSource { chart, values, settings })))
    }

    fn settings(&self, helm: &HelmSource) -> Result<RenderSettings, Vec<Diagnostic>> {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let part = |left_out: bool| if left_out { Part::LeftOut } else { Part::Taken };
        let kube_version = given(&helm.kube_version)
            .map(|text| {
                KubeVersion::parse(&text).map_err(|error| {
                    self.wrong(code::BAD_KUBE_VERSION, format!("spec.source.helm.kubeVersion: {error}"))
                })
            })
            .transpose()?;
        Ok(RenderSettings {
            release: given(&helm.release_name),
            namespace: given(&helm.namespace),
            documents: self.selection.documents.clone(),
            schema: if helm.skip_schema_validation { SchemaCheck::Skip } else { self.selection.schema },
            crds: part(helm.skip_crds),
            tests: part(helm.skip_tests),
            kube_version,
            api_versions: helm.api_versions.clone(),
        })
    }
}
