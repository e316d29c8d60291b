//! Where this process works: which environment, which cluster, whether it may, and what is kept here.
//!
//! ```text
//! TargetQuery, PlaceQuery ─► Host::place ─► Place ─► permit ─► Host::connect ─► Connection ─► Session (delivery)
//!                              state ◄── StateDir              server: who hosts the embedded cluster
//!                                                              play, offers: what is declared and assumed on it
//! ```
//!
//! The command line and a server ask the same functions. Invariants: nothing is printed here and no process is ended; what is
//! told on the way goes to an [`Audience`], what fails is a [`Failure`]; environment, directory and state come in with the
//! [`Host`]; which cluster it is asks [`ClusterChoice`] alone.

mod charts;
mod cluster_choice;
mod connection;
mod deliverer;
mod delivering;
mod env;
mod failure;
mod identities;
mod kubeconfig;
mod lock_file;
mod notice;
mod offers;
mod permit;
mod place;
mod play;
mod probe;
mod state;
mod version;
mod waiting;
mod whereabouts;
mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use landfall_delivery::Typed;
use landfall_engine::Probe;
use landfall_source::Network;
use tokio_util::sync::CancellationToken;

pub use charts::{HelmHomes, docker_credentials};
pub use cluster_choice::{ClusterChoice, Protection, RemoteContext};
pub use connection::{
    Announcement, Connection, Hosting, ServeOptions, in_memory, nodes, open, persisted, serve, spawn, stop_server,
};
pub use deliverer::Deliverer;
pub use delivering::{Delivering, LONGEST, SHORT};
pub use env::{Env, patience, program, words};
pub use failure::{Failure, ending_of, failed};
pub use kubeconfig::{
    Merged as MergedKubeconfig, Reading, Unreadable, client_of, files as kubeconfig_files, has_context,
    merge as merge_kubeconfig, merged as merged_kubeconfig,
};
pub use lock_file::hold as hold_file;
pub use notice::{Audience, Notice};
pub use offers::{Operators, TakenForGranted};
pub use permit::{Act, Answer, Consent, Permit, Uncommitted};
pub use place::{Place, PlaceQuery};
pub use play::{PLAY, declared_play};
pub use state::{Access, Chosen, Endpoint, Kept, Lock, Said, Serving, StateDir};
pub use version::VERSION;
pub use waiting::Waiting;
pub use work::{AtWork, Work};

/// What this process works with: nothing in this room asks the system for any of it.
#[derive(Clone)]
pub struct Host {
    /// The environment's variables.
    pub env: Env,
    /// The working directory.
    pub directory: PathBuf,
    /// The state directory that was named; else the system's own.
    pub state: Option<PathBuf>,
    /// Set by the first Ctrl-C or SIGTERM.
    pub stop: CancellationToken,
    /// What is under way that wants an end.
    pub work: Work,
    /// A test's hook; absent otherwise.
    pub probe: Option<Arc<dyn Probe>>,
    /// What this process fetches with.
    pub network: Network,
    /// How what is not asynchronous waits.
    pub waiting: Waiting,
    /// Who is told what happens on the way.
    pub audience: Arc<dyn Audience>,
    /// What was typed, for advice.
    pub command: Typed,
}

impl Host {
    /// A process that has only begun: nothing is under way, nobody is asked yet.
    pub fn new(env: &Env, directory: PathBuf, state: Option<PathBuf>, audience: Arc<dyn Audience>) -> Self {
        Host {
            env: env.clone(),
            directory,
            state,
            stop: CancellationToken::new(),
            work: Work::default(),
            probe: None,
            network: Network::default(),
            waiting: Waiting::default(),
            audience,
            command: Typed::default(),
        }
    }

    fn tell(&self, notice: &Notice) {
        self.audience.tell(notice);
    }
}

/// A path as a word of a command that can be pasted into a shell.
pub fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    // What no shell can be told (a NUL byte) is shown as it is.
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), |quoted| quoted.into_owned())
}
