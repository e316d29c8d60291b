//! Operators that charts rely on, simulated: they act on their kinds only where their definitions are installed.
//!
//! One operator is one file: its [`Twin`] says which kinds are its own, what it is queued for, what wakes it and what it
//! does. It stands in [`ALL`], and nowhere else.

pub(crate) mod cert_manager;
pub(crate) mod mariadb;
pub(crate) mod sealed_secrets;
pub(crate) mod standing;
pub(crate) mod traefik;

use landfall_apiserver::{ObjectRef, Status};

use crate::controllers::desk::{Agent, Desk, Outcome};
use crate::controllers::kind::Kind;

/// An operator that is simulated.
#[derive(Debug)]
pub(crate) struct Twin {
    /// As it is called on the command line and in `landfall.yaml`.
    pub(crate) name: &'static str,
    /// Who writes for it.
    pub(crate) agent: Agent,
    /// The kinds that are its own: somebody else who writes their status is the real one.
    pub(crate) kinds: &'static [Kind],
    /// The leases by which the real one's replicas agree who works.
    pub(crate) leases: &'static [&'static str],
    /// The kinds whose objects it looks at, each time one changes.
    pub(crate) queue: &'static [Kind],
    /// After which changes of others it looks again.
    pub(crate) wakes: &'static [Wake],
    /// Looks at one object.
    pub(crate) reconcile: fn(&mut Desk<'_>, &ObjectRef) -> Result<Outcome, Status>,
}

/// A change after which an operator looks at objects again.
#[derive(Debug)]
pub(crate) struct Wake {
    /// The resources that change, as `secrets` or `issuers.cert-manager.io`.
    pub(crate) after: &'static [&'static str],
    /// The kinds that are looked at.
    pub(crate) queue: &'static [Kind],
    /// Where they are.
    pub(crate) within: Within,
}

/// Where objects are that a change concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    /// In the namespace of what changed, and those that are in none; all of them when that is in none.
    Namespace,
    /// Everywhere.
    Everywhere,
}

/// The resource of custom resource definitions: with a new one there may be objects to look at.
pub(crate) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// All operators that are simulated, in the order in which they are told.
pub(crate) const ALL: &[Twin] = &[cert_manager::TWIN, sealed_secrets::TWIN, mariadb::TWIN, traefik::TWIN];

/// Whether an operator looks at others of its objects again after a change of this resource's.
pub(crate) fn wakes_operators(resource: &str) -> bool {
    ALL.iter().flat_map(|twin| twin.wakes).any(|wake| wake.after.contains(&resource))
}

impl PartialEq for Twin {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Twin {}
