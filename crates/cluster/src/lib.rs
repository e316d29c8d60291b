//! A connection to any cluster: discovery, reads and writes of objects, watches, readiness, logs.
//!
//! ```text
//! Cluster ── kube::Client (a kubeconfig's, or the embedded cluster in process: the same type)
//!   discovery.rs   kind → resource, scope and verbs; remembered, asked again when a kind is not known
//!   objects.rs     get, list, create, replace, patch, apply, delete of landfall_object::Object
//!   observe.rs     list + watch of several kinds as one stream of changes, resuming by itself
//!   readiness.rs   is this object ready, not yet, or never going to be (pure)
//!   stuck.rs       why a pod can never start (pure)
//!   several.rs     many objects in few requests; recent.rs: the same again, a moment later, in none
//!   evidence.rs    what a person needs to see of something that failed: pod, container, reason, events, log
//!   logs.rs        logs of a container, to the end or followed
//!   forward.rs     connections to ports of pods
//!   exec.rs        a command in a container, and how it ended
//!   leave.rs       the leave to write, where processes take turns; without it nothing is sent that changes something
//!   under_way.rs   connections that end rather than send what was on its way when its leave ended
//!   service.rs     what a service answers, through the API server
//! ```
//!
//! Knows neither Helm nor Argo, and never asks which kind of cluster it talks to.

mod connecting;
mod crash;
mod discovery;
mod error;
mod evidence;
mod exec;
mod forward;
mod leave;
mod logs;
mod objects;
mod observe;
mod readiness;
mod recent;
mod service;
mod several;
mod stuck;
mod under_way;

pub use discovery::{Resource, Scope, ServerVersion};
pub use error::Error;
pub use evidence::{EventLine, Evidence};
pub use exec::Executed;
pub use forward::PodPort;
pub use leave::Leave;
pub use logs::LogOptions;
pub use objects::{DeleteOptions, Deleted, DryRun, FieldValidation, ListOptions, Patch, Propagation, WriteOptions};
pub use observe::{Change, Interest};
pub use readiness::{JobWait, Readiness, readiness};
pub use recent::Recent;
pub use stuck::{Outlook, Stuck, stuck_pod};
pub use under_way::client;

use std::sync::Arc;
use std::time::Duration;

/// How long an answer may take; a watch or a log that is followed, until it begins.
const ANSWER: Duration = Duration::from_secs(60);

/// A connection to a cluster; cheap to clone, clones share what discovery has learnt.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: kube::Client,
    pub(crate) known: Arc<discovery::Known>,
    /// What people call it, where there are several.
    pub(crate) name: Option<Arc<str>>,
    /// Where pages are kept for a moment, for who asks for the same again.
    pub(crate) recent: Option<Arc<Recent>>,
}

impl Cluster {
    /// A cluster behind any client.
    pub fn new(client: kube::Client) -> Self {
        Cluster { client, known: Arc::default(), name: None, recent: None }
    }

    /// The same, for who asks often which kinds are served and of which version the server is: an answer holds so long, and until
    /// [`Cluster::forget_discovery`].
    #[must_use]
    pub fn remembering(self, lasts: Duration) -> Self {
        Cluster { known: Arc::new(discovery::Known::lasting(lasts)), ..self }
    }

    /// The same as one among several: who is told that it does not answer is told which.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Cluster { name: Some(name.into()), ..self }
    }

    /// Waits for the answer to a request: a server's own limit is a minute, and one that has not answered by then is
    /// hung, or the network eats its answers.
    pub(crate) async fn answered<T>(
        &self,
        action: &str,
        answer: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        self.answered_within(ANSWER, action, answer).await
    }

    pub(crate) async fn answered_within<T>(
        &self,
        within: Duration,
        action: &str,
        answer: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        let action = match &self.name {
            Some(name) => format!("{action} at {name}"),
            None => action.to_owned(),
        };
        match tokio::time::timeout(within, answer).await {
            Ok(answer) => answer.map_err(|error| Error::from_kube(&action, error)),
            Err(_) => Err(Error::Silent { action, within }),
        }
    }

    /// The client itself, for what this room does not offer.
    pub fn client(&self) -> &kube::Client {
        &self.client
    }

    /// The namespace used when nobody names one.
    pub fn default_namespace(&self) -> &str {
        self.client.default_namespace()
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("default_namespace", &self.default_namespace()).finish_non_exhaustive()
    }
}
