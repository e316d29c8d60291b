//! A place: what is delivered, to which environment and cluster, and where state lives.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use async_recursion::async_recursion as boxed;
use landfall_delivery::{DirectorySource, Target, TargetKind, TargetPlace, TargetQuery, Viewpoint, slug};
use landfall_diag::{Code, Diagnostic, code};
use landfall_project::{ContextName, Environment, EnvironmentName, RemoteCluster};

use crate::cluster_choice::{ClusterChoice, Protection, RemoteContext};
use crate::env::patience;
use crate::failure::Failure;
use crate::notice::Notice;
use crate::state::{Chosen, Kept, Lock, StateDir};
use crate::whereabouts::STATE;
use crate::{Host, kubeconfig};

/// A target, its environment and where it is delivered to.
#[derive(Debug)]
pub struct Place {
    /// What is delivered.
    pub target: Target,
    /// The environment's name, when the target is a system.
    pub environment: Option<String>,
    /// Where state lives.
    pub state: StateDir,
    /// Which cluster.
    pub cluster: ClusterChoice,
}

/// What narrows a place down, as flags or a request say it.
#[derive(Debug, Clone, Default)]
pub struct PlaceQuery {
    /// The environment of landfall.yaml.
    pub environment: Option<EnvironmentName>,
    /// The git revision instead of the working tree.
    pub revision: Option<String>,
    /// The kubeconfig's context.
    pub context: Option<ContextName>,
    /// The kubeconfig's path.
    pub kubeconfig: Option<String>,
    /// Which files take part where a directory holds plain manifests.
    pub directory: DirectorySource,
}

/// The codes of a repository or revision that cannot be read.
const NO_REVISION: &[Code] = &[code::BAD_REPOSITORY, code::NO_COMMIT];

fn chart_name(target: &Target) -> Option<String> {
    chart_named_in(&target.source.read(&target.path("Chart.yaml")).ok()??)
}

fn chart_named_in(text: &[u8]) -> Option<String> {
    let chart = landfall_yaml::to_json(&String::from_utf8_lossy(text)).ok()?;
    chart["name"].as_str().map(str::to_owned)
}

/// Where else in a target's files a `landfall.yaml` declares an environment, and what that is called: the directory and the file.
fn declaring(target: &Target, environment: &str) -> Vec<(String, String)> {
    let files = target.source.glob(&format!("**/{}", landfall_project::FILE_NAME)).unwrap_or_default();
    let declares = |path: &&String| {
        let text = target.source.read(path).ok().flatten().unwrap_or_default();
        landfall_project::parse_bytes(path, &text).is_ok_and(|file| file.system.environments.contains_key(environment))
    };
    let shown = |path: String| {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let directory = Some(target.viewpoint.shown(directory)).filter(|shown| !shown.is_empty());
        (directory.unwrap_or_else(|| ".".to_owned()), target.viewpoint.shown(&path))
    };
    files.iter().filter(declares).take(MOST_DECLARING).cloned().map(shown).collect()
}

/// How many other files are named that declare an environment.
const MOST_DECLARING: usize = 3;

/// Largest `landfall.yaml` whose system's name is asked for, in bytes.
const LARGEST: u64 = 4 << 20;

impl Place {
    /// What the system is called in books that are of several ([`landfall_delivery::system_key`]), when the target is one.
    pub fn system(&self) -> Option<String> {
        let TargetKind::System(file) = &self.target.kind else { return None };
        Some(landfall_delivery::system_key(self.target.source.origin().as_deref(), &file.system))
    }

    /// The environment's declaration, when the target is a system.
    pub fn declared(&self) -> Option<&Environment> {
        match &self.target.kind {
            TargetKind::System(file) => file.system.environments.get(self.environment.as_deref()?),
            _ => None,
        }
    }
}

impl Host {
    /// Where the state of a place lives: `--state`, else `.landfall` at its root, else the personal state directory
    /// (see `whereabouts`).
    ///
    /// # Errors
    /// What stands there can be neither used nor moved aside.
    pub fn state_of(&self, place: &TargetPlace) -> Result<StateDir, Failure> {
        if let Some(directory) = &self.state {
            return self.take(self.directory.join(directory), Chosen::ByUser);
        }
        match (self.root(place), place) {
            (Some(root), _) => self.take(root.join(STATE), Chosen::ByTree),
            (None, TargetPlace::Remote(remote)) => {
                self.take(self.personal()?.join(slug(&remote.shown())), Chosen::ByUser)
            }
            (None, _) => self.take(self.directory.join(STATE), Chosen::ByTree),
        }
    }

    /// Comes to a state directory, and says what was found there that is not ours.
    ///
    /// # Errors
    /// What stands there can be neither used nor moved aside.
    pub fn take(&self, path: PathBuf, chosen: Chosen) -> Result<StateDir, Failure> {
        let taken = StateDir::take(path, chosen).map_err(Failure::from)?;
        if let Some(told) = taken.told {
            self.tell(&Notice::Found(Box::new(told)));
        }
        Ok(taken.state)
    }

    /// Removes what Landfall keeps in a state directory, and says what stays there that is not Landfall's.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn forget(&self, state: &StateDir, held: Lock, kept: Kept) -> Result<(), Failure> {
        if kept == Kept::Nothing {
            self.forget_notes(state);
        }
        let left = state.remove(held, kept).map_err(Failure::from)?;
        if !left.is_empty() {
            self.tell(&Notice::Keeps { directory: state.path().to_owned(), names: left });
        }
        Ok(())
    }

    /// The state directory of the working directory's system.
    pub fn state_here(&self) -> Result<StateDir, Failure> {
        let query = self.query(None, None);
        self.state_of(&TargetPlace::of(&query).map_err(Failure::from)?)
    }

    /// What was asked for, as the delivery room takes it.
    pub fn query(&self, target: Option<&str>, reference: Option<&str>) -> TargetQuery {
        TargetQuery {
            target: target.map(str::to_owned),
            working_directory: self.directory.clone(),
            reference: reference.map(str::to_owned),
            cache: PathBuf::new(),
            patience: patience(&self.env),
            network: self.network.clone(),
            directory: DirectorySource::default(),
            command: self.command.clone(),
        }
    }

    /// Reads a target and chooses its environment and cluster.
    #[boxed]
    pub async fn place(&self, target: Option<&str>, query: &PlaceQuery) -> Result<Place, Failure> {
        let mut wanted = self.query(target, query.revision.as_deref());
        wanted.directory = query.directory.clone();
        let place = TargetPlace::of(&wanted).map_err(Failure::from)?;
        let state = self.state_of(&place)?;
        wanted.cache = state.file("cache");
        if matches!(place, TargetPlace::Remote(_)) {
            state.create_cache().map_err(Failure::from)?;
        }
        let target = Target::load(&place, &wanted).await.map_err(Failure::from)?;
        let environment = self.environment(&target, query)?;
        let cluster = self.cluster_choice(&target, environment.as_deref(), query)?;
        Ok(Place { target, environment, state, cluster })
    }

    /// The place of a target that was read otherwise, chosen as [`Host::place`] chooses it.
    ///
    /// # Errors
    /// It has no such environment, or that lives on another cluster than was named.
    pub fn place_of(&self, target: Target, query: &PlaceQuery, state: StateDir) -> Result<Place, Failure> {
        let environment = self.environment(&target, query)?;
        let cluster = self.cluster_choice(&target, environment.as_deref(), query)?;
        Ok(Place { target, environment, state, cluster })
    }

    /// What a base revision has in a target's place: the target itself, or the chart of the same name wherever it lay
    /// then; nothing where it is new. Says so where it is not simply there.
    #[boxed]
    pub async fn place_before(
        &self,
        target: Option<&str>,
        query: &PlaceQuery,
        head: &Place,
    ) -> Result<Option<Place>, Failure> {
        let failure = match self.place(target, query).await {
            Ok(place) => return Ok(Some(place)),
            Err(failure) => failure,
        };
        // Neither the repository nor the revision can be read: that is a slip, and no news.
        if failure.diagnostics.iter().any(|it| NO_REVISION.contains(&it.code)) {
            return Err(failure);
        }
        let why = failure.diagnostics.first().map(|it| it.message.clone()).unwrap_or_default();
        let wanted = self.query(target, query.revision.as_deref());
        let revision = query.revision.as_deref().unwrap_or("the base");
        // What is neither checked out nor in the base stands where the head has it.
        let newer = head.target.source.revision();
        let place = TargetPlace::of(&wanted).or_else(|_| TargetPlace::of(&self.query(target, newer.sha())));
        let place = place.map_err(Failure::from)?;
        let chart = chart_name(&head.target).filter(|_| matches!(head.target.kind, TargetKind::Chart));
        let moved = chart.and_then(|name| Some((Target::chart_named(&name, &place, &wanted)?, name)));
        let Some((moved, name)) = moved else {
            self.tell(&Notice::AllNew { revision: revision.to_owned(), why });
            return Ok(None);
        };
        self.tell(&Notice::Moved { revision: revision.to_owned(), chart: name, directory: moved.directory.clone() });
        let environment = self.environment(&moved, query)?;
        let cluster = self.cluster_choice(&moved, environment.as_deref(), query)?;
        Ok(Some(Place { target: moved, environment, state: self.state_of(&place)?, cluster }))
    }

    /// As [`Host::place`] for what only looks at what is delivered: no more than the `landfall.yaml` is read, and
    /// a place without one is the working directory with its embedded cluster.
    #[boxed]
    pub async fn declared_place(&self, target: Option<&str>, query: &PlaceQuery) -> Result<Place, Failure> {
        let mut wanted = self.query(target, query.revision.as_deref());
        let place = TargetPlace::of(&wanted).map_err(Failure::from)?;
        let state = self.state_of(&place)?;
        wanted.cache = state.file("cache");
        let target = Target::declared(&place, &wanted).await.map_err(Failure::from)?;
        let environment = self.environment(&target, query)?;
        let cluster = self.cluster_choice(&target, environment.as_deref(), query)?;
        Ok(Place { target, environment, state, cluster })
    }

    /// The cluster of a command that is about a cluster rather than about a system: the context that `--context` or
    /// `--kubeconfig` name; else the environment's, where there is a landfall.yaml; else the embedded cluster that was
    /// started here; else the kubeconfig's current context, as Helm's verbs have it. Here is the target, where there is
    /// one.
    #[boxed]
    pub async fn cluster_place(&self, target: Option<&str>, query: &PlaceQuery) -> Result<Place, Failure> {
        let explicit = query.environment.is_none() && (query.context.is_some() || query.kubeconfig.is_some());
        let declared = PlaceQuery {
            context: query.context.clone().filter(|_| !explicit),
            kubeconfig: query.kubeconfig.clone().filter(|_| !explicit),
            revision: None,
            ..query.clone()
        };
        let mut place = match self.declared_place(target, &declared).await {
            // Which of several environments is meant matters only where none of the flags has said it.
            Err(_) if explicit => self.nowhere()?,
            place => place?,
        };
        let is_system = matches!(place.target.kind, TargetKind::System(_));
        let chosen = explicit || (!is_system && !place.state.has_cluster());
        if !chosen {
            return Ok(place);
        }
        let kubeconfig = query.kubeconfig.as_ref().map(|path| self.directory.join(path));
        let named = match &query.context {
            Some(name) => Some(name.to_string()),
            None if explicit => Some(kubeconfig::current_context(&self.env, kubeconfig.as_deref())?),
            None => kubeconfig::current_context(&self.env, None).ok(),
        };
        if let Some(name) = named {
            // A context that a protected environment names stays protected, however it is reached.
            let protected = match &place.target.kind {
                TargetKind::System(file) => file.system.environments.values().any(|environment| {
                    environment.cluster.remote().is_some_and(|remote| remote.protected && remote.context == name)
                }),
                _ => false,
            };
            let protection = Protection::of(protected);
            place.cluster = context_of(name, kubeconfig, protection);
        }
        Ok(place)
    }

    /// A place without a system, for what is about the state directory alone.
    ///
    /// # Errors
    /// What stands there can be neither used nor moved aside.
    pub fn nowhere(&self) -> Result<Place, Failure> {
        let source = landfall_source::SourceTree::from_tree("nowhere", landfall_chart::Tree::new());
        let state = match &self.state {
            Some(directory) => self.take(self.directory.join(directory), Chosen::ByUser)?,
            None => {
                let root = self.project_root().unwrap_or_else(|| self.directory.clone());
                self.take(root.join(STATE), Chosen::ByTree)?
            }
        };
        Ok(Place {
            target: Target {
                source,
                directory: String::new(),
                viewpoint: Viewpoint::Top,
                kind: TargetKind::Applications(Vec::new()),
            },
            environment: None,
            state,
            cluster: ClusterChoice::embedded(),
        })
    }

    /// The name of the chart in a directory; none where none lies there, or it cannot be read.
    pub fn chart_name(&self, directory: &str) -> Option<String> {
        let file = File::open(self.directory.join(directory).join("Chart.yaml")).ok()?;
        let mut text = Vec::new();
        file.take(landfall_project::MOST_BYTES as u64).read_to_end(&mut text).ok()?;
        chart_named_in(&text)
    }

    /// The directory of the landfall.yaml, or what stands in for it.
    pub fn project_root(&self) -> Option<PathBuf> {
        self.root(&TargetPlace::of(&self.query(None, None)).ok()?)
    }

    /// The address of the repository that lies here, as its remote `origin` has it; nothing where none does.
    pub fn origin(&self) -> Option<String> {
        let root = self.project_root().unwrap_or_else(|| self.directory.clone());
        landfall_source::SourceTree::open_directory(&root).ok()?.origin()
    }

    /// What the system that lies here is called in books that are of several ([`landfall_delivery::system_key`]); nothing where none does.
    pub fn system(&self) -> Option<String> {
        let file = self.project_root()?.join(landfall_project::FILE_NAME);
        let bytes = landfall_source::read_bounded(&file, LARGEST).ok()?;
        let file = landfall_project::parse_bytes(landfall_project::FILE_NAME, &bytes).ok()?;
        Some(landfall_delivery::system_key(self.origin().as_deref(), &file.system))
    }

    /// Where a unit goes that names no namespace: the context's own, else `default`.
    pub fn default_namespace(&self, place: &Place) -> String {
        let named = place
            .cluster
            .remote()
            .and_then(|context| kubeconfig::namespace(&self.env, &context.name, context.kubeconfig.as_deref()));
        named.unwrap_or_else(|| "default".to_owned())
    }

    fn environment(&self, target: &Target, query: &PlaceQuery) -> Result<Option<String>, Failure> {
        let TargetKind::System(file) = &target.kind else {
            return match &query.environment {
                None => Ok(None),
                Some(name) => Err(Failure::usage(
                    Diagnostic::error(
                        code::NEEDS_PROJECT_FILE,
                        format!("--env {name} needs a landfall.yaml, and there is none here"),
                    )
                    .help("leave --env out, or give the directory with the landfall.yaml"),
                )),
            };
        };
        let known = || file.system.environments.keys().map(String::as_str);
        match &query.environment {
            Some(name) if file.system.environments.contains_key(name.as_str()) => Ok(Some(name.to_string())),
            Some(name) => {
                let mut diagnostic = Diagnostic::error(
                    code::NO_ENVIRONMENT,
                    format!("there is no environment `{name}` in {}", file.file),
                )
                .listing("environments", known());
                if let Some(near) = landfall_diag::nearest(name, known()) {
                    diagnostic = diagnostic.did_you_mean(Some(near));
                }
                for (directory, path) in declaring(target, name) {
                    diagnostic = diagnostic.note(format!("`{path}` declares it"));
                    // What is in a commit, an archive or elsewhere is no directory to work in.
                    if target.source.directory_on_disk().is_some() {
                        let command = self.command.in_directory(&directory);
                        diagnostic = diagnostic.help(format!("`{command} --env {name}`"));
                    }
                }
                Err(Failure::usage(diagnostic))
            }
            None => match file.system.default_environment() {
                Some(name) => Ok(Some(name.to_owned())),
                None if known().next().is_none() => Err(Failure::usage(
                    Diagnostic::error(code::WHICH_ENVIRONMENT, format!("{} declares no environment", file.file))
                        .help("declare one under `environments:`, as `local: {releases: [{name: NAME, chart: DIR}]}`"),
                )),
                None => Err(Failure::usage(
                    Diagnostic::error(
                        code::WHICH_ENVIRONMENT,
                        format!("{} has several environments and none is called `local`", file.file),
                    )
                    .listing("environments", known())
                    .help("say which: --env NAME"),
                )),
            },
        }
    }

    /// The cluster: the environment's own; a flag may only confirm it. Without an environment, `--context`, else the
    /// current context of `--kubeconfig`, else the embedded cluster. `KUBECONFIG` alone never chooses a real cluster.
    fn cluster_choice(
        &self,
        target: &Target,
        environment: Option<&str>,
        query: &PlaceQuery,
    ) -> Result<ClusterChoice, Failure> {
        let kubeconfig = query.kubeconfig.as_ref().map(|path| self.directory.join(path));
        let TargetKind::System(file) = &target.kind else {
            return Ok(match (&query.context, &kubeconfig) {
                (Some(name), _) => context_of(name.to_string(), kubeconfig, Protection::Open),
                (None, Some(file)) => {
                    let name = kubeconfig::current_context(&self.env, Some(file))?;
                    context_of(name, kubeconfig, Protection::Open)
                }
                (None, None) => ClusterChoice::embedded(),
            });
        };
        let environment = environment.unwrap_or_default();
        let declared = file.system.environments.get(environment).and_then(|environment| environment.cluster.remote());
        let refuse = |wanted: &str, flag: &str, given: &str| {
            Failure::from(
                Diagnostic::refused(
                    code::OTHER_CLUSTER,
                    format!("environment `{environment}` lives on {wanted}, and {flag} says `{given}`"),
                )
                .primary(
                    file.place(&[
                        landfall_yaml::Step::Key("environments"),
                        landfall_yaml::Step::Key(environment),
                        landfall_yaml::Step::Key("cluster"),
                    ]),
                    "declared here",
                )
                .note("nothing was changed")
                .help(format!("leave {flag} out, or name the environment of that cluster with --env")),
            )
        };
        match (declared, &query.context) {
            (Some(RemoteCluster { context, .. }), Some(given)) if given != context => {
                Err(refuse(&format!("the context `{context}`"), "--context", given))
            }
            (None, Some(given)) => Err(refuse("the embedded cluster", "--context", given)),
            (Some(RemoteCluster { context, protected }), _) => {
                Ok(context_of(context.to_string(), kubeconfig, Protection::of(*protected)))
            }
            (None, None) => match &query.kubeconfig {
                Some(given) => Err(refuse("the embedded cluster", "--kubeconfig", given)),
                None => Ok(ClusterChoice::embedded()),
            },
        }
    }
}

fn context_of(name: String, kubeconfig: Option<PathBuf>, protection: Protection) -> ClusterChoice {
    ClusterChoice::of(RemoteContext { name, kubeconfig, protection })
}
