//! What is asked of all pods at once, kept from change to change: with a thousand pods, looking at each of them whenever one is
//! placed was most of what a rehearsal took.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use landfall_apiserver::{Change, Event, Stored, World};
use serde_json::Value;

use super::fields::{list, name, namespace, text};
use super::kind::POD;
use super::pods::is_terminated;
use crate::scheduler::{Demand, add, claims_of, share, subtract};

/// `namespace/name`, which is the order of the world's lists.
type Key = String;

/// All pods that have not ended, by what is asked of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pods: BTreeMap<Key, Line>,
    /// What the pods of a node ask for together, each of them one of `pods`.
    used: BTreeMap<String, Demand>,
    /// Those that have no node.
    waiting: BTreeSet<Key>,
    /// Those of them that have claims, which may promise them one.
    claiming: BTreeSet<Key>,
    /// Those that keep others off.
    repelling: BTreeSet<Key>,
    /// Who has an address; of two that have one the address is free when both are gone.
    addresses: BTreeMap<u32, BTreeSet<Key>>,
}

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// Empty where it has none.
    node: String,
    share: Demand,
    address: Option<u32>,
}

/// Where a pod says whom it does not stand beside.
const REPELS: &str = "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution";

impl Census {
    /// Counts all pods anew.
    pub(super) fn take(&mut self, world: &World) {
        *self = Self::default();
        for pod in world.list(POD.qualified(), None) {
            self.enter(pod);
        }
    }

    /// Takes a change in.
    pub(super) fn note(&mut self, event: &Event) {
        if &*event.object_ref.resource != POD.qualified() {
            return;
        }
        let pod = &event.object;
        self.strike(&key(pod));
        if event.change != Change::Deleted {
            self.enter(pod);
        }
    }

    /// Without what is used of nothing any more, so that two can be compared.
    #[cfg(test)]
    pub(super) fn sorted_out(&self) -> Self {
        let mut sorted = self.clone();
        sorted.used.values_mut().for_each(|used| used.retain(|_, amount| *amount != 0));
        sorted.used.retain(|_, used| !used.is_empty());
        sorted
    }

    fn enter(&mut self, pod: &Stored) {
        if is_terminated(pod) {
            return;
        }
        let key = key(pod);
        let node = text(pod, "/spec/nodeName").to_owned();
        let share = share(pod);
        if node.is_empty() {
            if !claims_of(pod).is_empty() {
                self.claiming.insert(key.clone());
            }
            self.waiting.insert(key.clone());
        } else {
            add(self.used.entry(node.clone()).or_default(), &share);
        }
        if !list(pod, REPELS).is_empty() {
            self.repelling.insert(key.clone());
        }
        let address = text(pod, "/status/podIP").parse::<Ipv4Addr>().ok().map(u32::from);
        if let Some(address) = address {
            self.addresses.entry(address).or_default().insert(key.clone());
        }
        self.pods.insert(key, Line { node, share, address });
    }

    fn strike(&mut self, key: &Key) {
        let Some(line) = self.pods.remove(key) else { return };
        for of in [&mut self.waiting, &mut self.claiming, &mut self.repelling] {
            of.remove(key);
        }
        if let Some(used) = self.used.get_mut(&line.node) {
            subtract(used, &line.share);
        }
        if let Some(address) = line.address
            && let Some(who) = self.addresses.get_mut(&address)
        {
            who.remove(key);
            if who.is_empty() {
                self.addresses.remove(&address);
            }
        }
    }

    /// What the pods on a node ask for together, their number as `pods` among it.
    pub(crate) fn used(&self, node: &str) -> Demand {
        self.used.get(node).cloned().unwrap_or_default()
    }

    /// Pods without a node.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&str, &str)> {
        self.waiting.iter().filter_map(|key| key.split_once('/'))
    }

    /// Pods without a node whose claims may promise them one, but for `pod` itself.
    pub(crate) fn claiming(&self, pod: &Value) -> impl Iterator<Item = (&str, &str)> {
        others(&self.claiming, pod)
    }

    /// Pods that keep others off, but for `pod` itself.
    pub(crate) fn repelling(&self, pod: &Value) -> impl Iterator<Item = (&str, &str)> {
        others(&self.repelling, pod)
    }

    /// Whether a pod that has not ended has an address.
    pub(crate) fn has_address(&self, address: u32) -> bool {
        self.addresses.contains_key(&address)
    }
}

fn key(pod: &Value) -> Key {
    format!("{}/{}", namespace(pod), name(pod))
}

/// Namespaces and names of all but `pod`.
fn others<'a>(keys: &'a BTreeSet<Key>, pod: &Value) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    let own = key(pod);
    keys.iter().filter(move |key| **key != own).filter_map(|key| key.split_once('/'))
}
