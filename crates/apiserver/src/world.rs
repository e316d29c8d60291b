//! The state of the cluster and the one path by which it changes.
//!
//! ```text
//! handler or controller ─► create · update · patch · delete ─► commit ─► maps, ring of events, ownership index
//!                           (admission, defaults, validation,      │
//!                            managed fields, preconditions)        └─► rv + 1, subscribers woken
//! ```
//!
//! Everything here is synchronous and does no I/O. A fork shares all objects and copies a map when it first writes to it.

mod commit;
mod create;
mod delete;
mod import;
mod ownership;
mod part;
mod read;
mod ring;
mod stored;
mod tracking;
mod update;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use landfall_object::schema::Schemas;

use crate::clock::Clock;
use crate::randomness::Randomness;
use crate::resource::{Registry, Resource};
use crate::status::Status;

pub(crate) use create::{Create, needs_name, settle_namespace};
pub(crate) use delete::Deleted;
pub use delete::{DeleteOptions, Propagation};
pub use part::Part;
pub(crate) use ring::Past;
pub use ring::{Change, Event};
pub use stored::Stored;
pub(crate) use tracking::Tracking;
pub(crate) use update::{Update, VersionRule};

/// Objects of one resource, by `namespace/name`, or by name where there is no namespace.
pub(crate) type Objects = BTreeMap<Box<str>, Arc<Stored>>;

/// The cluster's state: objects, history, names served.
pub struct World {
    registry: Arc<Registry>,
    schemas: Arc<Schemas>,
    objects: BTreeMap<Arc<str>, Arc<Objects>>,
    dependents: Arc<HashMap<Box<str>, Vec<ObjectRef>>>,
    ring: ring::Ring,
    version: u64,
    clock: Clock,
    random: Randomness,
    settings: Arc<Settings>,
    changed: tokio::sync::watch::Sender<u64>,
}

/// What is fixed for the life of a cluster.
#[derive(Clone, Debug)]
pub struct Settings {
    /// First two octets of service addresses; the range is a /16.
    pub service_network: [u8; 2],
    /// First two octets of pod addresses; the range is a /16.
    pub pod_network: [u8; 2],
    /// How many events are kept at most for watches that fell behind; of those older than five minutes, only the last
    /// 4,096.
    pub history: usize,
    /// Who decides what a user may.
    pub authorization: Authorization,
    /// Admission plug-ins that do not run, by name.
    pub disabled_admission: Vec<String>,
    /// PEM of the authority that signs the served certificate; goes into `kube-root-ca.crt`.
    pub authority: String,
}

/// Who decides what a user may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// Roles and bindings.
    #[default]
    Rbac,
    /// Everything is allowed.
    AlwaysAllow,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            service_network: [10, 43],
            pod_network: [10, 42],
            history: 65_536,
            authorization: Authorization::Rbac,
            disabled_admission: Vec::new(),
            authority: String::new(),
        }
    }
}

/// Who writes, and under which name the fields written are recorded.
#[derive(Clone, Debug, Default)]
pub struct Actor {
    /// The authenticated user.
    pub user: User,
    /// The field manager; at most 128 printable characters.
    pub manager: String,
}

/// `authentication.k8s.io/v1 UserInfo`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// The user's UID; may be empty.
    pub uid: String,
    /// Groups, `system:authenticated` among them.
    pub groups: Vec<String>,
    /// Further attributes.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Actor {
    /// A part of the control plane, e.g. `kube-controller-manager`, with all rights.
    pub fn system(manager: &str) -> Self {
        Self {
            user: User {
                name: format!("system:{manager}"),
                groups: vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
                ..User::default()
            },
            manager: manager.to_owned(),
        }
    }
}

/// Names one object: the resource's storage id, namespace (empty for none) and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Storage id such as `pods` or `deployments.apps`.
    pub resource: Arc<str>,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// Whether a write is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// It is.
    #[default]
    Commit,
    /// Everything is checked and answered, nothing is kept (`dryRun=All`).
    DryRun,
}

impl World {
    /// An empty cluster: not even the namespaces of the system.
    pub fn new(clock: Clock, random: Randomness, settings: Settings) -> Self {
        Self {
            registry: Arc::new(Registry::builtin()),
            schemas: Arc::new(Schemas::builtin()),
            objects: BTreeMap::new(),
            dependents: Arc::default(),
            ring: ring::Ring::new(settings.history),
            version: 1,
            clock,
            random,
            settings: Arc::new(settings),
            changed: tokio::sync::watch::Sender::new(1),
        }
    }

    /// A world that starts with this state and then goes its own way.
    pub fn fork(&self) -> Self {
        Self {
            registry: self.registry.clone(),
            schemas: self.schemas.clone(),
            objects: self.objects.clone(),
            dependents: self.dependents.clone(),
            ring: self.ring.clone(),
            version: self.version,
            clock: self.clock.fork(),
            random: self.random.clone(),
            settings: self.settings.clone(),
            changed: tokio::sync::watch::Sender::new(self.version),
        }
    }

    /// The present instant of the cluster's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The generator of suffixes, UIDs and the like.
    pub fn random(&mut self) -> &mut Randomness {
        &mut self.random
    }

    /// What is served.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Takes the time from another clock from now on.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// Puts other settings in place of those that it was made with.
    pub fn configure(&mut self, settings: Settings) {
        self.ring.set_capacity(settings.history);
        self.settings = Arc::new(settings);
    }

    /// What is known about kinds, custom ones among them.
    pub fn schemas(&self) -> &Arc<Schemas> {
        &self.schemas
    }

    pub(crate) fn replace_registry(&mut self, registry: Registry, schemas: Schemas) {
        self.registry = Arc::new(registry);
        self.schemas = Arc::new(schemas);
    }

    /// What is fixed for the life of the cluster.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The resource version of the newest write.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// A receiver that shows the newest resource version and wakes with each write.
    pub fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The resource that stores under `id` (`pods`, `deployments.apps`), or 404.
    pub fn resource(&self, id: &str) -> Result<Arc<Resource>, Status> {
        self.registry.stored(id).cloned().ok_or_else(Status::no_such_resource)
    }
}

/// The key of an object within its resource.
pub(crate) fn key(namespace: &str, name: &str) -> Box<str> {
    if namespace.is_empty() { name.into() } else { format!("{namespace}/{name}").into() }
}
