//! Which Applications this process keeps where several share them.
//!
//! ```text
//! Lease (Kubernetes), one a shard and one a replica ──watched──► keeper.rs ──► who takes, renews, gives back
//!        lease.rs: what stands in one                               │
//! store: shard ─ epoch, holder ◄── taken, looked at with each renewal
//!                                                                   ▼
//!                                     Shards: what is held now ──► controller: whose Applications
//!                                                              ──► errands: leave to write, fence of the journal
//! placing.rs   an Application → its shard; a replica's share
//! hearing.rs   what replicas tell each other: pushes, orders and policies
//! key.rs       what the journal is sealed with: a Secret that the replicas share
//! turn.rs      servers that share nothing: one of them keeps all Applications, the others look on
//! ```
//!
//! A lease says who may begin; two things keep whoever had it before from writing: its leave to write ends before the lease does,
//! by the clock of its own machine, and the epoch of its journal is past once another one has taken the shard. Invariant: nothing
//! is sent to a cluster for an Application whose shard is not held, and no journal is written by two.

mod hearing;
mod keeper;
mod key;
mod lease;
mod placing;
mod turn;

use std::collections::BTreeMap;

use landfall_cluster::Leave;
use landfall_object::ObjectKey;
use landfall_store::Fence;
use parking_lot::Mutex;

pub(crate) use hearing::hear;
pub(crate) use keeper::{Keeper, Settings};
pub(crate) use key::journal_key;
pub(crate) use placing::shard_of;
pub(crate) use turn::Turn;

/// The shards that this process keeps.
#[derive(Debug)]
pub(crate) struct Shards {
    count: u32,
    held: Mutex<BTreeMap<u32, Held>>,
    /// What this process is called, where others keep the rest.
    replica: Option<String>,
}

/// A shard that is held.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// By what its journal is written; nothing where nobody else could.
    pub(crate) fence: Option<Fence>,
    /// The leave to write for it.
    pub(crate) leave: Leave,
}

/// The number of the shard whose holder does what is there once: ApplicationSets, SealedSecrets, posts of news.
const FIRST: u32 = 0;

impl Shards {
    /// Of a process that keeps all Applications, alone.
    pub(crate) fn alone() -> Self {
        let held = Held { fence: None, leave: Leave::without_end() };
        Shards { count: 1, held: Mutex::new(BTreeMap::from([(FIRST, held)])), replica: None }
    }

    /// Of one that holds none of so many yet.
    pub(crate) fn shared(count: u32, replica: String) -> Self {
        Shards { count, held: Mutex::default(), replica: Some(replica) }
    }

    /// Whether others keep the rest.
    pub(crate) fn is_shared(&self) -> bool {
        self.replica.is_some()
    }

    /// What this process is called among those that share.
    pub(crate) fn replica(&self) -> &str {
        self.replica.as_deref().unwrap_or_default()
    }

    /// How many there are in all.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// What is held of the shard that an Application belongs to.
    pub(crate) fn of(&self, namespace: &str, name: &str) -> Option<Held> {
        let shard = if self.is_shared() { shard_of(namespace, name, self.count) } else { FIRST };
        self.held.lock().get(&shard).filter(|held| held.leave.holds()).cloned()
    }

    /// Whether this process keeps an Application.
    pub(crate) fn keeps(&self, key: &ObjectKey) -> bool {
        self.of(key.namespace.as_deref().unwrap_or_default(), &key.name).is_some()
    }

    /// Whether it keeps the one that is named `NAMESPACE/NAME`.
    pub(crate) fn keeps_named(&self, application: &str) -> bool {
        let (namespace, name) = application.split_once('/').unwrap_or_default();
        self.of(namespace, name).is_some()
    }

    /// The leave of whoever keeps an Application; one that has ended where that is another process.
    pub(crate) fn leave_of(&self, key: &ObjectKey) -> Leave {
        let held = self.of(key.namespace.as_deref().unwrap_or_default(), &key.name);
        held.map_or_else(Leave::ended, |held| held.leave)
    }

    /// Whether what is done once is done here.
    pub(crate) fn is_first(&self) -> bool {
        self.held.lock().get(&FIRST).is_some_and(|held| held.leave.holds())
    }

    /// The leave of whoever does what is done once; one that has ended where that is another process.
    pub(crate) fn leave_of_first(&self) -> Leave {
        self.held.lock().get(&FIRST).map_or_else(Leave::ended, |held| held.leave.clone())
    }

    /// Ends what a shard is held by, because the journal of one of its Applications could not be written: whoever takes it next,
    /// this process or another, goes on from there.
    pub(crate) fn doubt(&self, namespace: &str, name: &str) {
        if let (true, Some(held)) = (self.is_shared(), self.of(namespace, name)) {
            held.leave.end();
        }
    }

    /// The numbers of those that are held.
    pub(crate) fn held(&self) -> Vec<u32> {
        self.held.lock().iter().filter(|(_, held)| held.leave.holds()).map(|(number, _)| *number).collect()
    }

    fn put(&self, number: u32, held: Held) {
        self.held.lock().insert(number, held);
    }

    fn remove(&self, number: u32) {
        self.held.lock().remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_alone_keeps_all_and_a_shared_one_what_it_holds() {
        assert!(Shards::alone().of("argocd", "shop").is_some() && Shards::alone().is_first());
        let shards = Shards::shared(4, "a".to_owned());
        assert!(shards.of("argocd", "shop").is_none() && !shards.is_first());
        let leave = Leave::without_end();
        let mine = shard_of("argocd", "shop", 4);
        shards.put(mine, Held { fence: None, leave: leave.clone() });
        assert!(shards.of("argocd", "shop").is_some());
        assert_eq!(shards.held(), [mine]);
        assert!(shards.keeps_named("argocd/shop") && !shards.keeps_named("shop"));
        leave.end();
        assert!(shards.of("argocd", "shop").is_none(), "a leave that has ended keeps nothing");
        assert!(shards.held().is_empty());
    }
}
