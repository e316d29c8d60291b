//! Where several replicas share the Applications: which of them are kept here, from when on, and what is told to the others.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use landfall_cluster::{Change, ListOptions};
use landfall_object::{Object, ObjectKey};
use serde_json::json;

use super::Controller;
use crate::ground::application_kind;
use crate::happened::Happened;
use crate::shards::shard_of;

/// How long lies between two tries to see how the Applications of a shard stand.
const AGAIN: Duration = Duration::from_secs(1);
/// How long is waited for what other replicas have let be accepted.
const PATIENCE: Duration = Duration::from_secs(3);

impl Controller {
    /// Whether an Application is kept here: its shard is held, and it is known how it stood after that was taken.
    pub(super) fn is_ours(&self, key: &ObjectKey) -> bool {
        let shards = &self.work.shards;
        if !shards.is_shared() {
            return true;
        }
        let shard = shard_of(key.namespace.as_deref().unwrap_or_default(), &key.name, shards.count());
        self.taken.contains(&shard) && shards.keeps(key)
    }

    /// Ends what is done for an Application from here: whoever keeps it goes on from the journal.
    pub(super) fn let_go(&mut self, key: &ObjectKey) {
        if let Some(entry) = self.entries.remove(key) {
            entry.running.iter().for_each(|running| running.stop.cancel());
            self.former = self.former.max(entry.state.last_number());
            self.pending.remove(key);
        }
    }

    /// Takes note of which shards are held: those that are not any more are let go at once, those that are new are taken as they
    /// stand from now on, for what was seen before may be what another replica has dealt with.
    pub(super) fn shards_changed(&mut self) {
        if !self.work.shards.is_shared() {
            return;
        }
        let held: BTreeSet<u32> = self.work.shards.held().into_iter().collect();
        self.board.note(|told| told.shards.clone_from(&held));
        let gone: Vec<u32> = self.taken.difference(&held).copied().collect();
        if !gone.is_empty() {
            self.taken.retain(|shard| held.contains(shard));
            let keys: Vec<ObjectKey> = self.entries.keys().filter(|key| !self.is_ours(key)).cloned().collect();
            for key in keys {
                let object = self.entries.get(&key).map(|entry| entry.object.clone());
                self.let_go(&key);
                self.others.extend(object.map(|object| (key, object)));
            }
        }
        let new: Vec<u32> =
            held.difference(&self.taken).filter(|shard| !self.taking.contains(shard)).copied().collect();
        if new.is_empty() {
            return;
        }
        self.taking.extend(&new);
        let (work, told) = (Arc::clone(&self.work), self.told.clone());
        self.tasks.spawn(async move {
            let listed = async {
                loop {
                    let refreshed = work.orders.refresh(&work.session.store.facts, |_| false).await;
                    let listed = work.session.cluster.list(&application_kind(), &ListOptions::default()).await;
                    match (refreshed, listed) {
                        (Ok(_), Ok(objects)) => return objects,
                        _ => tokio::time::sleep(AGAIN).await,
                    }
                }
            };
            tokio::select! {
                () = work.session.stop.cancelled() => {}
                objects = listed => drop(told.send(Happened::Taken(new, objects)).await),
            }
        });
    }

    /// Takes over the Applications of these shards, as they stand.
    pub(super) fn took(&mut self, shards: &[u32], objects: Vec<Object>) {
        let held = self.work.shards.held();
        for shard in shards {
            self.taking.remove(shard);
            if held.contains(shard) {
                self.taken.insert(*shard);
            }
        }
        for object in objects {
            let key = object.key();
            if self.entries.contains_key(&key) || !self.is_ours(&key) {
                continue;
            }
            // What the watch has told meanwhile may be newer.
            let version = |object: &Object| object.resource_version().and_then(|it| it.parse::<u64>().ok());
            let newer = self.others.remove(&key).filter(|other| version(other) > version(&object));
            self.application(newer.unwrap_or(object));
        }
    }

    /// Learns what other replicas have let be accepted, before it is asked for: an order is kept before its operation is written.
    pub(super) async fn learn(&self, change: &Change) {
        let Change::Applied(object) = change else { return };
        if !self.work.shards.is_shared() || !self.is_ours(&object.key()) {
            return;
        }
        let (project, orders) = (object.str_at("/spec/project").unwrap_or_default(), &self.work.orders);
        if self.projects.is_named_protected(orders, project) || orders.owner_of(object).is_some() {
            let keeps = |parent: &str| self.work.shards.keeps_named(parent);
            let refresh = orders.refresh(&self.work.session.store.facts, keeps);
            let _as_it_was_known = tokio::time::timeout(PATIENCE, refresh).await;
        }
    }

    /// Tells the other replicas that references have moved: whoever keeps the Applications has not heard it.
    pub(super) fn pass_on(&self, addresses: &[String], revision: Option<&str>) {
        if !self.work.shards.is_shared() {
            return;
        }
        let text = json!({"from": self.work.shards.replica(), "moved": addresses, "revision": revision}).to_string();
        let work = Arc::clone(&self.work);
        self.tasks.spawn(async move {
            if let Err(error) = work.session.store.shards.announce(&text).await {
                tracing::warn!("other replicas hear of a push by their own looks: {error}");
            }
        });
    }
}
