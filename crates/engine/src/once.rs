//! The guard over keys that are generated once: `object`'s, which every writer of Secrets asks, and what deleting something else
//! would take along.

use landfall_cluster::{Cluster, ListOptions};
use landfall_diag::is_mutant;
use landfall_object::{Gvk, Object};

pub use landfall_object::OnceViolation;
pub(crate) use landfall_object::once_guard as guard;

/// The guard right before a write: what was planned may be older than the protection.
///
/// # Errors
/// [`OnceViolation`].
pub(crate) fn again(live: &Object, next: &Object) -> Result<(), OnceViolation> {
    if is_mutant("once-write") {
        return Ok(());
    }
    guard(Some(live), Some(next))
}

/// Whether an object may be deleted: not a Secret that holds a key generated once, and nothing with which the cluster would delete
/// such a one: its namespace, its owner, or the definition of its owner's kind.
///
/// Where Secrets cannot be listed nobody can know, and it may. `place` is the name by which `conformance once` opens the guard of
/// one writer.
///
/// # Errors
/// [`OnceViolation`], about the Secret.
pub(crate) async fn deletion(cluster: &Cluster, live: &Object, place: &str) -> Result<(), OnceViolation> {
    if is_mutant(place) {
        return Ok(());
    }
    guard(Some(live), None)?;
    let Some(follows) = Follows::of(live).filter(|_| !is_mutant("once-followers")) else { return Ok(()) };
    let options = ListOptions { namespace: follows.namespace(live), ..ListOptions::default() };
    let secrets = cluster.list(&Gvk::new("", "v1", "Secret"), &options).await.unwrap_or_default();
    secrets.iter().filter(|secret| follows.takes(secret)).try_for_each(|secret| guard(Some(secret), None))
}

/// Which Secrets go when an object goes.
enum Follows {
    /// All of a namespace.
    Namespace,
    /// Those that it owns.
    Owner(String),
    /// Those that objects of its group and kind own.
    Definition(String, String),
}

impl Follows {
    /// Nothing for what owns no Secrets: the cluster's own kinds.
    fn of(live: &Object) -> Option<Self> {
        match (live.group(), live.kind()) {
            ("", "Namespace") => Some(Follows::Namespace),
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                let text = |pointer| live.str_at(pointer).map(str::to_owned);
                Some(Follows::Definition(text("/spec/group")?, text("/spec/names/kind")?))
            }
            (group, _) if group.contains('.') && !group.ends_with(".k8s.io") => {
                live.uid().map(|uid| Follows::Owner(uid.to_owned()))
            }
            _ => None,
        }
    }

    fn namespace(&self, live: &Object) -> Option<String> {
        match self {
            Follows::Namespace => Some(live.name().to_owned()),
            Follows::Owner(_) => live.namespace().map(str::to_owned),
            Follows::Definition(..) => None,
        }
    }

    fn takes(&self, secret: &Object) -> bool {
        let owners = || secret.list_at("/metadata/ownerReferences").iter();
        match self {
            Follows::Namespace => true,
            Follows::Owner(uid) => owners().any(|owner| owner["uid"] == uid.as_str()),
            Follows::Definition(group, kind) => owners().any(|owner| {
                let version = owner["apiVersion"].as_str().unwrap_or_default();
                owner["kind"] == kind.as_str() && version.split_once('/').is_some_and(|(known, _)| known == group)
            }),
        }
    }
}
