//! What the verbs of a secret's life work with: what is declared, the file that holds it, where it is to be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use landfall_delivery::life::{Examined, SealingController, Site, State, Survey, carrying};
use landfall_delivery::{Overrides, Selection, StandIn};
use landfall_diag::{Diagnostic, Place as Spot, code, nearest};
use landfall_host::{Connection, Failure, Hosting, Place, PlaceQuery, Protection};
use landfall_project::{ContextName, EnvironmentName, Namespace, ObjectName, ProjectFile, Secrets};
use landfall_secrets::{Declared, Holder, HolderError, Masked, Sealed};
use landfall_yaml::Step;

use crate::context::Context;
use crate::looked::{environment_of, project_of};

/// Which declared Secret, and which cluster it is for.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DeclaredArgs {
    /// The environment of landfall.yaml (default: `local`, else the only one)
    #[arg(long, env = "LANDFALL_ENV", value_name = "NAME")]
    env: Option<EnvironmentName>,
    /// The kubeconfig's context (default: the environment's)
    #[arg(long, value_name = "NAME")]
    context: Option<ContextName>,
    /// The kubeconfig's path
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<String>,
    /// The namespace of the Secret (default: where what is delivered makes or reads it)
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<Namespace>,
    /// Which of the environment's Secrets, by its name (default: the first)
    #[arg(long, value_name = "NAME")]
    secret: Option<ObjectName>,
    /// A directory that stands in for a repository of an Application
    #[arg(long = "repo", value_name = "URL=DIR")]
    repos: Vec<String>,
    /// The namespace of the sealing controller
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-system")]
    controller_namespace: String,
    /// The name of the sealing controller's service
    #[arg(long, value_name = "NAME", default_value = "sealed-secrets-controller")]
    controller_name: String,
}

/// The file that holds the sealed values.
#[derive(Debug, Clone)]
pub(super) struct HeldIn {
    /// Where it is.
    pub(super) path: PathBuf,
    /// As the project file names it.
    pub(super) shown: String,
    /// What is in it.
    pub(super) holder: Holder,
}

/// What is done with a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Its controller is asked for a certificate.
    Seals,
    /// It is looked at.
    Looks,
}

/// A declared Secret, before its cluster is asked.
pub(super) struct Scene {
    pub(super) place: Place,
    pub(super) environment: String,
    pub(super) way: Way,
    pub(super) declared: Declared,
    pub(super) held: Option<HeldIn>,
    pub(super) site: Site,
    pub(super) namespace: String,
    pub(super) controller: SealingController,
}

impl DeclaredArgs {
    /// Reads what is declared, and looks in what is delivered for where it is to be.
    ///
    /// # Errors
    /// Nothing is declared, it contradicts itself, its file cannot be read, or its namespace is not known.
    pub(super) async fn scene(&self, context: &Context) -> Result<Scene, Failure> {
        let query = PlaceQuery {
            environment: self.env.clone(),
            revision: None,
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
            ..PlaceQuery::default()
        };
        let place = context.host.place(None, &query).await?;
        let (environment, secrets, among) = declared_in(&place, self.secret.as_deref())?;
        let whole = Way { environment: environment.clone(), among };
        let declared = read(&place, &whole, &secrets)?;
        let held = held_in(&place, &secrets)?;
        let mut selection = Selection {
            environment: Some(environment.clone()),
            charts: context.host.remote_charts(&place),
            documents: context.host.schema_documents(),
            ..Selection::default()
        };
        for pair in &self.repos {
            let (url, directory) = pair.rsplit_once('=').ok_or_else(|| {
                Failure::usage(Diagnostic::error(code::BAD_REPOSITORY_PAIR, format!("--repo {pair} is not URL=DIR")))
            })?;
            selection
                .repositories
                .push(StandIn::open(url, &context.host.directory.join(directory)).map_err(Failure::from)?);
        }
        let units =
            place.target.units(&selection, &Overrides::default(), &context.host.default_namespace(&place)).await;
        let site = Site::find(&units.unwrap_or_default(), &declared.target);
        let asked = self.namespace.as_ref().or(secrets.namespace.as_ref()).map(ToString::to_string);
        let of_releases = || {
            let (_, environment) = environment_of(&place)?;
            let mut named = environment.releases.iter().map(|release| release.namespace.as_ref());
            let first = named.next()??;
            named.all(|other| other == Some(first)).then(|| first.to_string())
        };
        let Some(namespace) = site.namespace(asked.as_deref()).or_else(of_releases) else {
            let text = format!("it is not known in which namespace `{}` is to be", declared.target);
            let mut diagnostic = Diagnostic::error(code::WHICH_SECRET_NAMESPACE, text);
            if !site.unread.is_empty() {
                diagnostic = diagnostic.note(format!("could not be rendered: {}", site.unread.join(", ")));
            }
            if site.namespaces.len() > 1 {
                diagnostic = diagnostic.listing("namespaces", &site.namespaces);
            }
            return Err(Failure::usage(diagnostic.help("say it: -n NAMESPACE")));
        };
        let controller =
            SealingController { namespace: self.controller_namespace.clone(), name: self.controller_name.clone() };
        Ok(Scene { place, environment, way: whole, declared, held, site, namespace, controller })
    }
}

/// Where in the project file a Secret is declared.
#[derive(Debug, Clone)]
pub(super) struct Way {
    environment: String,
    /// Its place beside the first one.
    among: Option<usize>,
}

impl Way {
    /// The steps to a key, and to a field of it.
    pub(super) fn to<'s>(&'s self, key: &'s str, field: Option<&'s str>) -> Vec<Step<'s>> {
        let mut way = ["environments", &self.environment, "secrets"].map(Step::Key).to_vec();
        if let Some(index) = self.among {
            way.extend([Step::Key("also"), Step::Index(index)]);
        }
        way.extend([Step::Key("keys"), Step::Key(key)]);
        way.extend(field.map(Step::Key));
        way
    }
}

fn declared_in(place: &Place, asked: Option<&str>) -> Result<(String, Secrets, Option<usize>), Failure> {
    let found = environment_of(place).map(|(name, environment)| (name.to_owned(), environment.secrets.clone()));
    match found {
        Some((name, Some(secrets))) => {
            let all = || secrets.all().map(|(_, one)| one.target.as_str());
            let wanted = asked.unwrap_or(secrets.target.as_str());
            let found = secrets.all().find(|(_, one)| one.target == *wanted);
            let found = found.map(|(among, one)| (name.clone(), one.clone(), among));
            found.ok_or_else(|| {
                let text = format!("environment `{name}` declares no Secret `{wanted}`");
                let diagnostic = Diagnostic::error(code::NO_SECRETS, text).listing("Secrets", all());
                Failure::usage(diagnostic.did_you_mean(nearest(wanted, all())))
            })
        }
        Some((name, None)) => Err(Failure::usage(
            Diagnostic::error(code::NO_SECRETS, format!("environment `{name}` declares no secrets")).help(
                "declare them under `secrets:`, as\nsecrets:\n  target: shop-secrets\n  file: chart/values.prod.yaml\n  path: sealedSecrets.encryptedData\n  keys:\n    SESSION_SECRET: {generate: {random: 48}}",
            ),
        )),
        None => Err(Failure::usage(
            Diagnostic::error(code::NO_SECRETS, "secrets are declared in a landfall.yaml, and there is none here")
                .help("`landfall secrets seal` seals what is no system's"),
        )),
    }
}

fn read(place: &Place, way: &Way, secrets: &Secrets) -> Result<Declared, Failure> {
    Declared::of(secrets).map_err(|wrong| {
        let told = wrong.into_iter().map(|one| {
            let diagnostic = Diagnostic::error(code::DECLARATION, format!("`{}` contradicts itself", one.key));
            match project_of(place).map(|file| key_place(file, way, &one.key, Some(one.field))) {
                Some(spot) => diagnostic.primary(spot, one.problem),
                None => diagnostic.note(one.problem),
            }
        });
        Failure { ending: landfall_diag::Ending::Usage, diagnostics: told.collect() }
    })
}

/// Where a key is declared.
fn key_place(file: &ProjectFile, way: &Way, key: &str, field: Option<&str>) -> Spot {
    let narrow = file.place(&way.to(key, field));
    if narrow.line == 0 { file.place(&way.to(key, None)) } else { narrow }
}

fn held_in(place: &Place, secrets: &Secrets) -> Result<Option<HeldIn>, Failure> {
    let Some(file) = &secrets.file else { return Ok(None) };
    let path = on_disk(place, file)?;
    let refused = |problem: String, help: Option<&str>| {
        let diagnostic = Diagnostic::error(code::HELD, format!("{file} cannot hold sealed values")).note(problem);
        Failure::from(help.into_iter().fold(diagnostic, Diagnostic::help))
    };
    let nowhere = secrets.path.is_none().then_some("say where in it they are, as `path: sealedSecrets.encryptedData`");
    let failed = |problem: String| refused(problem, nowhere);
    let bytes = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| failed("it is not text in UTF-8".to_owned()))?;
    let holder = Holder::of(text, secrets.path.as_deref(), &secrets.target).map_err(|error| match error {
        HolderError::Encrypted => refused(
            error.to_string(),
            Some("name a values file for them that SOPS leaves alone: they are sealed already"),
        ),
        _ => failed(error.to_string()),
    })?;
    Ok(Some(HeldIn { path, shown: file.to_string(), holder }))
}

/// A file of the target, where it can be written.
fn on_disk(place: &Place, file: &str) -> Result<PathBuf, Failure> {
    match place.target.source.directory_on_disk() {
        Some(root) => Ok(root.join(place.target.path(file))),
        None => Err(Failure::usage(
            Diagnostic::error(code::HELD, "sealed values are written into a working tree, and this is none")
                .help("work in a clone of the repository"),
        )),
    }
}

impl Scene {
    /// What values are bound to when they are sealed.
    pub(super) fn label(&self) -> Vec<u8> {
        self.site.scope().label(&self.namespace, &self.declared.target)
    }

    /// The Secret, as it is named in messages.
    pub(super) fn shown(&self) -> String {
        format!("{}/{}", self.namespace, self.declared.target)
    }

    /// What takes its keys over from the Secret in which they lived before.
    pub(super) fn carrying(&self, from: &str) -> String {
        let secret = self.way.among.map(|_| self.declared.target.as_str());
        carrying(Some(&self.environment), secret, from)
    }

    /// Whether the environment is protected.
    pub(super) fn is_protected(&self) -> bool {
        let declared = environment_of(&self.place).and_then(|(_, environment)| environment.cluster.remote());
        declared.is_some_and(|remote| remote.protected)
            || self.place.cluster.remote().is_some_and(|remote| remote.protection == Protection::Protected)
    }

    /// The texts that stand for keys in the file.
    pub(super) fn entries(&self) -> BTreeMap<String, String> {
        self.held.as_ref().and_then(|held| held.holder.entries().ok()).unwrap_or_default()
    }

    /// Where a key is declared.
    pub(super) fn spot(&self, key: &str) -> Option<Spot> {
        project_of(&self.place).map(|file| key_place(file, &self.way, key, None))
    }

    /// Refuses a key that is not declared.
    pub(super) fn check_key(&self, key: &str) -> Result<(), Failure> {
        if self.declared.keys.contains_key(key) {
            return Ok(());
        }
        let known = || self.declared.keys.keys().map(String::as_str);
        let text = format!("`{key}` is no key of `{}` in environment `{}`", self.declared.target, self.environment);
        Err(Failure::usage(
            Diagnostic::error(code::NO_SECRETS, text)
                .did_you_mean(nearest(key, known()))
                .listing("keys", known())
                .help(format!("or declare it under `environments.{}.secrets.keys`", self.environment)),
        ))
    }

    /// The project file, where it can be written.
    pub(super) fn project_path(&self) -> Result<PathBuf, Failure> {
        on_disk(&self.place, landfall_project::FILE_NAME)
    }

    /// The directory in which git is asked.
    pub(super) fn directory(&self) -> Result<PathBuf, Failure> {
        Ok(self.project_path()?.parent().map(Path::to_path_buf).unwrap_or_default())
    }

    /// Connects to its cluster; where something is to be sealed for one that offers to simulate the controller, it does.
    pub(super) async fn connect(&self, context: &Context, reach: Reach) -> Result<Connection, Failure> {
        let hosting = if context.host.env.is_ci() { Hosting::InProcess } else { Hosting::Background };
        let mut connection = context.host.connect(&self.place, hosting, &[]).await?;
        if self.held.is_some() && reach == Reach::Seals {
            let offered = SealingController::offered(&connection.cluster, connection.offers()).await;
            if let Err(diagnostic) = offered {
                connection.close().await;
                return Err(Failure::from(diagnostic));
            }
        }
        Ok(connection)
    }

    /// What its cluster knows.
    pub(super) async fn survey(&self, connection: &Connection) -> Result<Survey, Failure> {
        let survey = Survey::make(&connection.cluster, &self.controller, &self.namespace, &self.declared.target);
        let mut survey = survey.await.map_err(Failure::from)?;
        let sealed = self.known(&survey);
        survey.settle(&self.namespace, &self.declared.target, &sealed).map_err(Failure::from)?;
        let (entries, label) = (self.entries(), self.label());
        let at = (self.namespace.as_str(), label.as_slice());
        survey.seek(&connection.cluster, &self.declared, &entries, at).await.map_err(Failure::from)?;
        Ok(survey)
    }

    /// The keys that do not live as they are declared, and how they stand.
    pub(super) fn amiss(&self, survey: &Survey) -> Vec<(String, State)> {
        let (entries, label) = (self.entries(), self.label());
        let examined = Examined {
            declared: &self.declared,
            entries: self.held.as_ref().map(|_| &entries),
            label: &label,
            site: &self.site,
            namespace: &self.namespace,
            survey: Some(survey),
            stale: &[],
            now: jiff::Timestamp::now(),
        };
        let is_amiss = |state: State| !state.is_there();
        let rows = examined.examine().rows.into_iter().map(|row| (row.key, row.state));
        rows.filter(|(key, state)| is_amiss(*state) && !self.declared.is_former(key)).collect()
    }

    /// All values that are known: as they are sealed in the file, else as they live.
    pub(super) fn known(&self, survey: &Survey) -> BTreeMap<String, Masked> {
        let (entries, label) = (self.entries(), self.label());
        let value = |key: &String| {
            let traces = survey.traces(key, entries.get(key).map(String::as_str), &label, &self.site);
            match traces.sealed {
                Sealed::Open(value) => Some(value),
                _ => traces.live,
            }
        };
        self.declared.keys.keys().filter_map(|key| Some((key.clone(), value(key)?))).collect()
    }
}
