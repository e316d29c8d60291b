//! What a command runs in: environment, working directory, terminal, and where state lives.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall_delivery::{Target, TargetKind, TargetPlace, TargetQuery, slug};
use landfall_diag::{Code, Diagnostic, code};
use landfall_project::{Environment, RemoteCluster};
use tokio_util::sync::CancellationToken;

use crate::cli::{ClusterArgs, GlobalArgs, TargetArgs};
use crate::env::Env;
use crate::failure::Failure;
use crate::interrupt::Work;
use crate::probe::Points;
use crate::state::{Chosen, Lock, StateDir};
use crate::ui::Ui;

/// What a command runs in.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The environment's variables.
    pub(crate) env: Env,
    /// The working directory.
    pub(crate) cwd: PathBuf,
    /// The terminal.
    pub(crate) ui: Ui,
    /// Flags that every command takes.
    pub(crate) global: GlobalArgs,
    /// Set by the first Ctrl-C or SIGTERM.
    pub(crate) stop: CancellationToken,
    /// What is under way that wants an end.
    pub(crate) work: Work,
    /// A test's hook; absent otherwise.
    pub(crate) probe: Option<Arc<Points>>,
}

/// A target, its environment and where it is delivered to.
#[derive(Debug)]
pub(crate) struct Place {
    /// What is delivered.
    pub(crate) target: Target,
    /// The environment's name, when the target is a system.
    pub(crate) environment: Option<String>,
    /// Where state lives.
    pub(crate) state: StateDir,
    /// Which cluster.
    pub(crate) cluster: ClusterChoice,
}

/// Which cluster a command acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClusterChoice {
    /// The one in our own process.
    Embedded,
    /// A context of the kubeconfig.
    Context {
        /// Its name.
        name: String,
        /// The kubeconfig's path, when not the usual one.
        kubeconfig: Option<PathBuf>,
        /// Whether the environment is protected.
        protected: bool,
    },
}

/// The codes of a repository or revision that cannot be read.
const NO_REVISION: &[Code] = &[code::BAD_REPOSITORY, code::NO_COMMIT];

fn chart_name(target: &Target) -> Option<String> {
    let text = target.source.read(&target.path("Chart.yaml")).ok()??;
    let chart = landfall_yaml::to_json(&String::from_utf8_lossy(&text)).ok()?;
    chart["name"].as_str().map(str::to_owned)
}

impl Place {
    /// The environment's declaration, when the target is a system.
    pub(crate) fn declared(&self) -> Option<&Environment> {
        match &self.target.kind {
            TargetKind::System(file) => file.system.environments.get(self.environment.as_deref()?),
            _ => None,
        }
    }
}

impl Context {
    /// Where the state of a place lives: `--state`, else `.landfall` at its root, else the personal state directory.
    ///
    /// # Errors
    /// What stands there can be neither used nor moved aside.
    pub(crate) fn state_of(&self, place: &TargetPlace) -> Result<StateDir, Failure> {
        if let Some(directory) = &self.global.state {
            return self.take(self.cwd.join(directory), Chosen::ByUser);
        }
        if let Some(root) = place.root(&self.cwd) {
            return self.take(root.join(".landfall"), Chosen::ByTree);
        }
        let TargetPlace::Remote(remote) = place else {
            return self.take(self.cwd.join(".landfall"), Chosen::ByTree);
        };
        let base = match (self.env.get("XDG_STATE_HOME"), self.env.get("HOME")) {
            (Some(state), _) if !state.is_empty() => PathBuf::from(state),
            (_, Some(home)) if !home.is_empty() => Path::new(home).join(".local/state"),
            _ => {
                return Err(Failure::usage(
                    Diagnostic::error(
                        code::NO_PLACE_FOR_STATE,
                        "there is no place for the state of a system given by address",
                    )
                    .help("set HOME, XDG_STATE_HOME or LANDFALL_STATE"),
                ));
            }
        };
        self.take(base.join("landfall").join(slug(&remote.shown())), Chosen::ByUser)
    }

    /// Comes to a state directory, and says what was found there that is not ours.
    ///
    /// # Errors
    /// What stands there can be neither used nor moved aside.
    pub(crate) fn take(&self, path: PathBuf, chosen: Chosen) -> Result<StateDir, Failure> {
        let taken = StateDir::take(path, chosen).map_err(Failure::from)?;
        if let Some(told) = &taken.told {
            self.ui.diagnostic(told);
        }
        Ok(taken.state)
    }

    /// Removes what Landfall keeps in a state directory, and says what stays there.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub(crate) fn forget(&self, state: &StateDir, held: Lock) -> Result<(), Failure> {
        let left = state.remove(held).map_err(Failure::from)?;
        if !left.is_empty() {
            let told = format!("{} keeps what is not Landfall's: {}", state.path().display(), left.join(", "));
            self.ui.status(&told);
        }
        Ok(())
    }

    /// The state directory of the working directory's system.
    pub(crate) fn state_here(&self) -> Result<StateDir, Failure> {
        let query = self.query(None, None);
        self.state_of(&TargetPlace::of(&query).map_err(Failure::from)?)
    }

    /// What was asked for, as the delivery room takes it.
    pub(crate) fn query(&self, target: Option<&str>, reference: Option<&str>) -> TargetQuery {
        TargetQuery {
            target: target.map(str::to_owned),
            working_directory: self.cwd.clone(),
            reference: reference.map(str::to_owned),
            cache: PathBuf::new(),
            patience: crate::helm::environment::patience(&|name| self.env.get(name).map(str::to_owned)),
        }
    }

    /// Reads a target and chooses its environment and cluster.
    pub(crate) fn place(&self, target: Option<&str>, args: &TargetArgs) -> Result<Place, Failure> {
        let mut query = self.query(target, args.reference.as_deref());
        let place = TargetPlace::of(&query).map_err(Failure::from)?;
        let state = self.state_of(&place)?;
        query.cache = state.file("cache");
        if matches!(place, TargetPlace::Remote(_)) {
            state.create_cache().map_err(Failure::from)?;
        }
        let target = Target::load(&place, &query).map_err(Failure::from)?;
        let environment = self.environment(&target, args)?;
        let cluster = self.cluster_choice(&target, environment.as_deref(), args)?;
        Ok(Place { target, environment, state, cluster })
    }

    /// What a base revision has in a target's place: the target itself, or the chart of the same name wherever it lay
    /// then; nothing where it is new. Says so where it is not simply there.
    pub(crate) fn place_before(
        &self,
        target: Option<&str>,
        args: &TargetArgs,
        head: &Place,
    ) -> Result<Option<Place>, Failure> {
        let failure = match self.place(target, args) {
            Ok(place) => return Ok(Some(place)),
            Err(failure) => failure,
        };
        // Neither the repository nor the revision can be read: that is a slip, and no news.
        if failure.diagnostics.iter().any(|it| NO_REVISION.contains(&it.code)) {
            return Err(failure);
        }
        let why = failure.diagnostics.first().map(|it| it.message.clone()).unwrap_or_default();
        let query = self.query(target, args.reference.as_deref());
        let revision = args.reference.as_deref().unwrap_or("the base");
        // What is neither checked out nor in the base stands where the head has it.
        let newer = head.target.source.revision();
        let place = TargetPlace::of(&query).or_else(|_| TargetPlace::of(&self.query(target, newer.sha())));
        let place = place.map_err(Failure::from)?;
        let chart = chart_name(&head.target).filter(|_| matches!(head.target.kind, TargetKind::Chart));
        let moved = chart.and_then(|name| Some((Target::chart_named(&name, &place, &query)?, name)));
        let Some((moved, name)) = moved else {
            self.ui.status(&format!("{revision} has nothing in its place ({why}): all of it is new"));
            return Ok(None);
        };
        self.ui.status(&format!("{revision} has chart `{name}` in `{}`: it was moved", moved.directory));
        let environment = self.environment(&moved, args)?;
        let cluster = self.cluster_choice(&moved, environment.as_deref(), args)?;
        Ok(Some(Place { target: moved, environment, state: self.state_of(&place)?, cluster }))
    }

    /// As [`Context::place`] for what only looks at what is delivered: no more than the `landfall.yaml` is read, and
    /// a place without one is the working directory with its embedded cluster.
    pub(crate) fn declared_place(&self, target: Option<&str>, args: &TargetArgs) -> Result<Place, Failure> {
        let mut query = self.query(target, args.reference.as_deref());
        let place = TargetPlace::of(&query).map_err(Failure::from)?;
        let state = self.state_of(&place)?;
        query.cache = state.file("cache");
        let target = Target::declared(&place, &query).map_err(Failure::from)?;
        let environment = self.environment(&target, args)?;
        let cluster = self.cluster_choice(&target, environment.as_deref(), args)?;
        Ok(Place { target, environment, state, cluster })
    }

    /// The cluster of a command that is about a cluster rather than about a system: the context that `--context` or
    /// `--kubeconfig` name; else the environment's, where there is a landfall.yaml; else the embedded cluster that was
    /// started here; else the kubeconfig's current context, as Helm's verbs have it.
    pub(crate) fn cluster_place(&self, args: &ClusterArgs) -> Result<Place, Failure> {
        let explicit = args.env.is_none() && (args.context.is_some() || args.kubeconfig.is_some());
        let target = TargetArgs {
            env: args.env.clone(),
            context: args.context.clone().filter(|_| !explicit),
            kubeconfig: args.kubeconfig.clone(),
            namespace: args.namespace.clone(),
            ..TargetArgs::default()
        };
        let mut place = match self.declared_place(None, &target) {
            // Which of several environments is meant matters only where none of the flags has said it.
            Err(_) if explicit => self.nowhere()?,
            place => place?,
        };
        let started_here = place.state.endpoint().is_some() || place.state.file("cluster.db").exists();
        let is_system = matches!(place.target.kind, TargetKind::System(_));
        let chosen = explicit || (!is_system && !started_here);
        if !chosen {
            return Ok(place);
        }
        let kubeconfig = args.kubeconfig.as_ref().map(|path| self.cwd.join(path));
        let named = match &args.context {
            Some(name) => Some(name.to_string()),
            None if explicit => Some(crate::kubeconfig::current_context(&self.env, kubeconfig.as_deref())?),
            None => crate::kubeconfig::current_context(&self.env, None).ok(),
        };
        if let Some(name) = named {
            // A context that a protected environment names stays protected, however it is reached.
            let protected = match &place.target.kind {
                TargetKind::System(file) => file.system.environments.values().any(|environment| {
                    environment.cluster.remote().is_some_and(|remote| remote.protected && remote.context == name)
                }),
                _ => false,
            };
            place.cluster = ClusterChoice::Context { name, kubeconfig, protected };
        }
        Ok(place)
    }

    /// A place without a system.
    fn nowhere(&self) -> Result<Place, Failure> {
        let source = landfall_source::SourceTree::from_tree("nowhere", landfall_chart::Tree::new());
        let state = match &self.global.state {
            Some(directory) => self.take(self.cwd.join(directory), Chosen::ByUser)?,
            None => {
                let root = self.project_root().unwrap_or_else(|| self.cwd.clone());
                self.take(root.join(".landfall"), Chosen::ByTree)?
            }
        };
        Ok(Place {
            target: Target {
                source,
                directory: String::new(),
                shown: String::new(),
                kind: TargetKind::Applications(Vec::new()),
            },
            environment: None,
            state,
            cluster: ClusterChoice::Embedded,
        })
    }

    /// The directory of the landfall.yaml, or what stands in for it.
    pub(crate) fn project_root(&self) -> Option<PathBuf> {
        TargetPlace::of(&self.query(None, None)).ok()?.root(&self.cwd)
    }

    /// Where a unit goes that names no namespace: the context's own, else `default`.
    pub(crate) fn default_namespace(&self, place: &Place) -> String {
        let named = match &place.cluster {
            ClusterChoice::Embedded => None,
            ClusterChoice::Context { name, kubeconfig, .. } => {
                crate::kubeconfig::namespace(&self.env, name, kubeconfig.as_deref())
            }
        };
        named.unwrap_or_else(|| "default".to_owned())
    }

    fn environment(&self, target: &Target, args: &TargetArgs) -> Result<Option<String>, Failure> {
        let TargetKind::System(file) = &target.kind else {
            return match &args.env {
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
        match &args.env {
            Some(name) if file.system.environments.contains_key(name.as_str()) => Ok(Some(name.to_string())),
            Some(name) => {
                let mut diagnostic = Diagnostic::error(
                    code::NO_ENVIRONMENT,
                    format!("there is no environment `{name}` in {}", file.file),
                )
                .note(format!("environments: {}", known().collect::<Vec<_>>().join(", ")));
                if let Some(near) = landfall_diag::nearest(name, known()) {
                    diagnostic = diagnostic.help(format!("did you mean `--env {near}`?"));
                }
                Err(Failure::usage(diagnostic))
            }
            None => match file.system.default_environment() {
                Some(name) => Ok(Some(name.to_owned())),
                None => Err(Failure::usage(
                    Diagnostic::error(
                        code::WHICH_ENVIRONMENT,
                        format!("{} has several environments and none is called `local`", file.file),
                    )
                    .note(format!("environments: {}", known().collect::<Vec<_>>().join(", ")))
                    .help("say which: --env NAME"),
                )),
            },
        }
    }

    /// The cluster: the environment's own; a flag may only confirm it. Without an environment, `--context`, else
    /// the embedded cluster. `KUBECONFIG` alone never chooses a real cluster.
    fn cluster_choice(
        &self,
        target: &Target,
        environment: Option<&str>,
        args: &TargetArgs,
    ) -> Result<ClusterChoice, Failure> {
        let kubeconfig = args.kubeconfig.as_ref().map(|path| self.cwd.join(path));
        let TargetKind::System(file) = &target.kind else {
            return Ok(match &args.context {
                Some(name) => ClusterChoice::Context { name: name.to_string(), kubeconfig, protected: false },
                None => ClusterChoice::Embedded,
            });
        };
        let environment = environment.unwrap_or_default();
        let declared = file.system.environments.get(environment).and_then(|environment| environment.cluster.remote());
        let refuse = |wanted: &str, given: &str| {
            Failure::from(
                Diagnostic::refused(
                    code::OTHER_CLUSTER,
                    format!("environment `{environment}` lives on {wanted}, and --context says `{given}`"),
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
                .help("leave --context out, or name the environment of that context with --env"),
            )
        };
        match (declared, &args.context) {
            (Some(RemoteCluster { context, .. }), Some(given)) if given != context => {
                Err(refuse(&format!("the context `{context}`"), given))
            }
            (None, Some(given)) => Err(refuse("the embedded cluster", given)),
            (Some(RemoteCluster { context, protected }), _) => {
                Ok(ClusterChoice::Context { name: context.to_string(), kubeconfig, protected: *protected })
            }
            (None, None) => Ok(ClusterChoice::Embedded),
        }
    }
}
