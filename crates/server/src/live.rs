//! What is live of the Applications' objects: a row each, without bodies; one watch a kind, in each cluster.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::StreamExt as _;
use landfall_apps::{Claims, ResourceName};
use landfall_cluster::{Change, Cluster, Interest};
use landfall_object::{Gvk, Object};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::connections::Destination;
use crate::happened::{Happened, Seen};
use crate::row::Row;
use crate::settings::Scripted;

/// What follows for an Application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Follows {
    /// One of its objects fares otherwise.
    Health,
    /// One of its objects is declared otherwise.
    Difference,
}

/// What is live in each cluster, by its address.
pub(crate) struct Lives {
    clusters: BTreeMap<Arc<str>, Live>,
    /// By what objects are judged.
    rules: Scripted,
    /// What is known of a cluster that nothing is known of.
    nothing: Live,
}

impl Lives {
    /// Nothing is known yet; by these rules objects will be judged.
    pub(crate) fn judged_by(rules: Scripted) -> Self {
        Lives { clusters: BTreeMap::new(), rules, nothing: Live::default() }
    }

    /// What is live in a cluster.
    pub(crate) fn of(&self, server: &str) -> &Live {
        self.clusters.get(server).unwrap_or(&self.nothing)
    }

    /// Watches a kind in a cluster, if nobody does.
    pub(crate) fn watch(&mut self, gvk: &Gvk, destination: &Destination, told: &Sender<Happened>) {
        if let Ok(cluster) = &destination.cluster {
            let live = || Live { claims: destination.claims.clone(), ..Live::default() };
            let live = self.clusters.entry(Arc::clone(&destination.server)).or_insert_with(live);
            live.watch(gvk, (&destination.server, cluster, &self.rules), told, &destination.stop);
        }
    }

    /// Takes note, and says for which Applications, by what their objects know them, something follows.
    pub(crate) fn note(&mut self, server: &str, seen: Seen) -> Vec<(Box<str>, Follows)> {
        self.clusters.get_mut(server).map(|live| live.note(seen)).unwrap_or_default()
    }

    /// What a kind's list shows has been taken note of, and what follows as well: who waits for that hears of it.
    pub(crate) fn noted(&self, server: &str, gvk: &Gvk) {
        let watched =
            self.clusters.get(server).and_then(|live| live.watched.get(&(gvk.group.clone(), gvk.kind.clone())));
        if let Some(watched) = watched {
            watched.listed.send_replace(true);
        }
    }

    /// Tells when all of a kind is known; nothing where nobody watches it, or it is known already.
    pub(crate) fn listing(&self, server: &str, gvk: &Gvk) -> Option<watch::Receiver<bool>> {
        let watched = self.clusters.get(server)?.watched.get(&(gvk.group.clone(), gvk.kind.clone()))?;
        (watched.ended.is_some() && !*watched.listed.borrow()).then(|| watched.listed.subscribe())
    }

    /// Forgets a cluster that is reached otherwise now, or no more.
    pub(crate) fn forget(&mut self, server: &str) {
        if let Some(live) = self.clusters.remove(server) {
            live.claims.forget();
        }
    }

    /// How many kinds are watched, and how many rows there are.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.clusters.values().map(Live::size).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}

/// The objects of all Applications in one cluster.
#[derive(Default)]
pub(crate) struct Live {
    rows: HashMap<Arc<ResourceName>, Row>,
    watched: BTreeMap<(String, String), Watched>,
    /// The same objects by whose they say they are.
    claims: Claims,
}

struct Watched {
    /// Whether all of it is known, and what follows from that.
    listed: watch::Sender<bool>,
    ended: Option<CancellationToken>,
}

impl Live {
    /// Watches a kind, if nobody does.
    fn watch(
        &mut self,
        gvk: &Gvk,
        (server, cluster, rules): (&Arc<str>, &Cluster, &Scripted),
        told: &Sender<Happened>,
        stop: &CancellationToken,
    ) {
        let known = self.watched.entry((gvk.group.clone(), gvk.kind.clone()));
        let watched = known.or_insert(Watched { listed: watch::Sender::new(false), ended: None });
        if watched.ended.is_some() {
            return;
        }
        let ended = stop.child_token();
        watched.ended = Some(ended.clone());
        self.claims.watches(gvk);
        let watched = (Arc::clone(server), cluster.clone(), rules.clone());
        tokio::spawn(follow(gvk.clone(), watched, told.clone(), ended));
    }

    fn size(&self) -> (usize, usize) {
        (self.watched.len(), self.rows.len())
    }

    /// What is known of an object; nothing when it is not there, or its kind is not listed yet.
    pub(crate) fn row(&self, name: &ResourceName) -> Option<&Row> {
        self.rows.get(name)
    }

    /// Whether all objects of a kind are known that belong to somebody.
    pub(crate) fn is_listed(&self, name: &ResourceName) -> bool {
        let kind = (name.group.clone(), name.kind.clone());
        self.watched.get(&kind).is_some_and(|watched| *watched.listed.borrow())
    }

    fn note(&mut self, seen: Seen) -> Vec<(Box<str>, Follows)> {
        match seen {
            Seen::Applied(name, row, _) => self.applied(name, row),
            Seen::Deleted(name, _) => self.deleted(&name),
            Seen::Listed(gvk, rows) => {
                let of_kind = |name: &&Arc<ResourceName>| name.group == gvk.group && name.kind == gvk.kind;
                let gone: Vec<Arc<ResourceName>> = {
                    let there: std::collections::HashSet<&ResourceName> = rows.iter().map(|(name, _)| name).collect();
                    self.rows.keys().filter(of_kind).filter(|name| !there.contains(&***name)).cloned().collect()
                };
                let mut follows: Vec<_> = gone.iter().flat_map(|name| self.deleted(name)).collect();
                for (name, row) in rows {
                    follows.extend(self.applied(name, row));
                }
                follows
            }
            Seen::Unwatched(gvk, _) => {
                // It is tried again when somebody next wants it watched.
                self.watched.remove(&(gvk.group, gvk.kind));
                Vec::new()
            }
        }
    }

    fn applied(&mut self, name: ResourceName, row: Row) -> Vec<(Box<str>, Follows)> {
        let name = Arc::new(name);
        let before = match row.owner {
            // What belongs to nobody costs nothing.
            None => self.rows.remove(&name),
            Some(_) => self.rows.insert(Arc::clone(&name), row.clone()),
        };
        let mut follows = Vec::new();
        let of_before = before.as_ref().and_then(|before| before.owner.clone());
        if of_before != row.owner {
            of_before.iter().for_each(|owner| self.claims.withdrawn(owner, &name));
            row.owner.iter().for_each(|owner| self.claims.made(owner, &name));
            follows.extend(of_before.map(|owner| (owner, Follows::Difference)));
        }
        if let Some(owner) = row.owner.clone() {
            match before {
                Some(before) if before == row => {}
                Some(before) if before.digest == row.digest && before.owner == row.owner => {
                    follows.push((owner, Follows::Health));
                }
                _ => follows.push((owner, Follows::Difference)),
            }
        }
        follows
    }

    fn deleted(&mut self, name: &ResourceName) -> Vec<(Box<str>, Follows)> {
        let owner = self.rows.remove(name).and_then(|row| row.owner);
        owner.iter().for_each(|owner| self.claims.withdrawn(owner, name));
        owner.map(|owner| (owner, Follows::Difference)).into_iter().collect()
    }
}

/// Watches a kind in all namespaces; what is said of an object is worked out here, off the controller's task.
async fn follow(
    gvk: Gvk,
    (server, cluster, mut rules): (Arc<str>, Cluster, Scripted),
    told: Sender<Happened>,
    stop: CancellationToken,
) {
    let named = |object: &Object, rules: &Scripted| (ResourceName::from(&object.key()), Row::of(object, rules));
    let observe = |rules: &Scripted| {
        let rules = rules.clone();
        let owned = move |object: Object| landfall_apps::owner(&object).is_some().then(|| named(&object, &rules));
        cluster.observe_as(vec![Interest { gvk: gvk.clone(), namespace: None, name: None }], owned)
    };
    let mut changes = observe(&rules);
    loop {
        let change = tokio::select! {
            () = stop.cancelled() => return,
            () = rules.changed(&gvk) => {
                // Nothing is kept that could be judged anew.
                changes = observe(&rules);
                continue;
            }
            change = changes.next() => change,
        };
        let seen = match change {
            Some(Ok(Change::Listed(_, rows))) => Seen::Listed(gvk.clone(), rows),
            Some(Ok(Change::Applied(object))) => {
                let (name, row) = named(&object, &rules);
                Seen::Applied(name, row, version_of(&object))
            }
            Some(Ok(Change::Deleted(object))) => Seen::Deleted(ResourceName::from(&object.key()), version_of(&object)),
            Some(Ok(Change::Interrupted(why))) => {
                tracing::warn!("watch of {}: {why}", gvk.kind);
                continue;
            }
            Some(Err(error)) => Seen::Unwatched(gvk.clone(), error.to_string()),
            None => return,
        };
        if told.send(Happened::Live(Arc::clone(&server), seen)).await.is_err() {
            return;
        }
    }
}

/// The number of the state that a watch tells of, where the server numbers them.
fn version_of(object: &Object) -> Option<u64> {
    object.resource_version()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use landfall_object::HealthStatus;

    use super::*;

    fn row(owner: Option<&str>, digest: &str, health: HealthStatus) -> Row {
        Row { owner: owner.map(Into::into), digest: digest.into(), health: Some((health, "".into())), counts: true }
    }

    #[test]
    fn only_what_belongs_to_somebody_is_kept_and_what_follows_hangs_on_what_changed() {
        let mut live = Live::default();
        let web = ResourceName { group: "apps".into(), kind: "Deployment".into(), ..ResourceName::default() };
        let applied = |row: Row| Seen::Applied(web.clone(), row, None);
        assert_eq!(live.note(applied(row(None, "1", HealthStatus::Healthy))), []);
        assert_eq!(live.size().1, 0);
        let shop: Box<str> = "shop".into();
        let healthy = row(Some("shop"), "1", HealthStatus::Healthy);
        assert_eq!(live.note(applied(healthy.clone())), [(shop.clone(), Follows::Difference)]);
        assert_eq!(live.note(applied(healthy)), []);
        let ill = row(Some("shop"), "1", HealthStatus::Degraded);
        assert_eq!(live.note(applied(ill)), [(shop.clone(), Follows::Health)]);
        let scaled = row(Some("shop"), "2", HealthStatus::Degraded);
        assert_eq!(live.note(applied(scaled)), [(shop.clone(), Follows::Difference)]);
        let taken = row(Some("other"), "2", HealthStatus::Degraded);
        let both = [(shop, Follows::Difference), ("other".into(), Follows::Difference)];
        let claimed = |live: &Live| ["shop", "other"].map(|owner| live.claims.of(owner).len());
        live.claims.watches(&Gvk::new("apps", "v1", "Deployment"));
        assert_eq!(claimed(&live), [1, 0]);
        assert_eq!(live.note(applied(taken)), both);
        assert_eq!(claimed(&live), [0, 1]);
        let gone = Seen::Listed(Gvk::new("apps", "v1", "Deployment"), Vec::new());
        assert_eq!(live.note(gone), [("other".into(), Follows::Difference)]);
        assert_eq!(claimed(&live), [0, 0]);
    }
}
