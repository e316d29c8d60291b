//! Of servers that share no database one keeps a cluster's Applications: whoever holds the lease beside them. The others look on until it
//! is given back, or until nobody has renewed it for its length. Those that share one hold it together, under one name.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use landfall_apps::Project;
use landfall_cluster::{Cluster, Error, WriteOptions};
use landfall_engine::Clock;
use landfall_object::{Object, ObjectKey};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::lease::{self, Purpose, Seen};
use crate::ground::MANAGER;

/// Who kept the Applications last: it stays when the lease is given back.
const KEEPER: &str = "landfall.dev/keeper";
/// How long an answer about the lease may take.
const ANSWER: Duration = Duration::from_secs(3);

/// Whose turn it is.
pub(crate) struct Turn {
    cluster: Cluster,
    clock: Arc<dyn Clock>,
    /// What this process is called: whoever is started again with the same state has it still, and who shares a database has it with
    /// the others.
    name: String,
    /// Whether others of the same name go on with it.
    is_shared: bool,
    known: Mutex<Known>,
    /// Who had it when it was looked last, where that was another one.
    other: parking_lot::Mutex<Option<String>>,
    /// Whether another one kept them before it was this one's turn.
    follows: AtomicBool,
    /// What this one has caught up with since: what it leaves open from then on is its own to go on with.
    caught_up: parking_lot::Mutex<HashSet<(String, String)>>,
}

#[derive(Default)]
struct Known {
    /// The lease as it was seen last.
    seen: Option<Seen>,
    /// What is wrong with it, told once.
    trouble: Option<String>,
}

impl Turn {
    /// Of a process of that name.
    pub(crate) fn new(cluster: Cluster, name: String, clock: Arc<dyn Clock>) -> Self {
        Turn {
            cluster,
            clock,
            name,
            is_shared: false,
            known: Mutex::default(),
            other: Default::default(),
            follows: AtomicBool::default(),
            caught_up: Default::default(),
        }
    }

    /// Of the processes that share the Applications among themselves by leases of a namespace.
    pub(crate) fn of_replicas(cluster: Cluster, namespace: &str, clock: Arc<dyn Clock>) -> Self {
        Turn { is_shared: true, ..Turn::new(cluster, format!("those that share a database in {namespace}"), clock) }
    }

    /// The other server whose turn it was when it was looked last; nothing where it is this one's.
    pub(crate) fn other(&self) -> Option<String> {
        self.other.lock().clone()
    }

    /// Whether another server kept an Application until it was this one's turn: what this one had left open in its own journal is older
    /// than what was delivered since. No more once it [has caught up](Self::caught_up).
    pub(crate) fn follows_another(&self, application: &(String, String)) -> bool {
        self.follows.load(Ordering::Relaxed) && !self.caught_up.lock().contains(application)
    }

    /// What was open of an Application, by namespace and name, is given up.
    pub(crate) fn caught_up(&self, application: (String, String)) {
        self.caught_up.lock().insert(application);
    }

    /// Takes the lease where it is free, or renews it; gives who has it otherwise. Where nobody says so, it is this one's turn: an
    /// account that may do nothing about leases keeps its Applications as before.
    pub(crate) async fn take(&self) -> Option<String> {
        let mut known = self.known.lock().await;
        let taken = self.taken(&mut known.seen).await;
        let (other, trouble) = match taken {
            Ok(other) => (other, None),
            // As it was: who cannot be asked renews nothing either.
            Err(error) => (self.other(), Some(error)),
        };
        let trouble = trouble.map(|error| error.to_string());
        if let Some(why) = trouble.as_ref().filter(|why| known.trouble.as_ref() != Some(why)) {
            tracing::warn!("whether another server keeps the Applications of this cluster cannot be seen: {why}");
        }
        known.trouble = trouble;
        let before = std::mem::replace(&mut *self.other.lock(), other.clone());
        // Where several have the turn together, another one of them may have taken it.
        if self.is_shared && before.is_some() && other.is_none() {
            self.follow();
        }
        other
    }

    async fn taken(&self, seen: &mut Option<Seen>) -> Result<Option<String>, Error> {
        let now = Instant::now();
        let Some(found) = self.read().await? else {
            return match self.write(None).await {
                Ok(lease) => {
                    *seen = Some(Seen { lease, at: now });
                    Ok(None)
                }
                // Where nobody has made the namespace there is nothing to keep yet.
                Err(error) if error.is_not_found() => Ok(None),
                // Another one was quicker.
                Err(error) if error.is_already_exists() => self.stands(seen, now).await,
                Err(error) => Err(error),
            };
        };
        self.see(seen, found, now);
        let Some(stands) = seen.as_ref() else { return Ok(None) };
        if stands.holder(now).is_some_and(|holder| holder != self.name) {
            return Ok(Some(shown(&stands.lease)));
        }
        let keeper = stands.lease.annotation(KEEPER).filter(|keeper| *keeper != self.name).is_some();
        match self.write(Some(&stands.lease)).await {
            Ok(lease) => {
                if keeper {
                    self.follow();
                }
                *seen = Some(Seen { lease, at: now });
                Ok(None)
            }
            Err(error) if error.is_conflict() || error.is_not_found() => self.stands(seen, now).await,
            Err(error) => Err(error),
        }
    }

    /// Another one has kept the Applications until now.
    fn follow(&self) {
        self.caught_up.lock().clear();
        self.follows.store(true, Ordering::Relaxed);
    }

    /// Who has the lease, where another one has just written it.
    async fn stands(&self, seen: &mut Option<Seen>, now: Instant) -> Result<Option<String>, Error> {
        let Some(found) = self.read().await? else { return Ok(None) };
        self.see(seen, found, now);
        let other = seen.as_ref().filter(|seen| seen.holder(now).is_some_and(|holder| holder != self.name));
        Ok(other.map(|seen| shown(&seen.lease)))
    }

    fn see(&self, seen: &mut Option<Seen>, lease: Object, at: Instant) {
        // What has not changed is as old as it was.
        let is_same = seen.as_ref().is_some_and(|seen| seen.lease.resource_version() == lease.resource_version());
        if !is_same {
            *seen = Some(Seen { lease, at });
        }
    }

    async fn read(&self) -> Result<Option<Object>, Error> {
        let key = key();
        let read = timeout(ANSWER, self.cluster.get(&key)).await;
        read.unwrap_or_else(|_| Err(Error::Silent { action: format!("read {key}"), within: ANSWER }))
    }

    async fn write(&self, before: Option<&Object>) -> Result<Object, Error> {
        let mut wanted =
            lease::held((before, &Purpose::Server, Project::HOME), (&self.name, 1, None), self.clock.now());
        wanted.set_annotation(KEEPER, &*self.name);
        self.put(before.is_some(), &wanted).await
    }

    async fn put(&self, is_there: bool, wanted: &Object) -> Result<Object, Error> {
        let options = WriteOptions { field_manager: Some(MANAGER.to_owned()), ..WriteOptions::default() };
        let written = async {
            match is_there {
                true => self.cluster.replace(wanted, &options).await,
                false => self.cluster.create(wanted, &options).await,
            }
        };
        let silent = |_| Err(Error::Silent { action: format!("renew {}", wanted.key()), within: ANSWER });
        timeout(ANSWER, written).await.unwrap_or_else(silent)
    }

    /// Gives the lease back, so that another one goes on at once; not where others have it, too.
    pub(crate) async fn give_back(&self) {
        if self.is_shared {
            return;
        }
        let known = self.known.lock().await;
        let Some(seen) = known.seen.as_ref().filter(|seen| lease::holder(&seen.lease) == Some(&self.name)) else {
            return;
        };
        if let Err(error) = self.put(true, &lease::given_back(&seen.lease)).await
            && !error.is_conflict()
            && !error.is_not_found()
        {
            tracing::warn!("that this server has ended is seen by others in {} s: {error}", lease::LENGTH.as_secs());
        }
    }
}

fn key() -> ObjectKey {
    Purpose::Server.key(Project::HOME)
}

/// Who holds a lease, for people.
fn shown(lease: &Object) -> String {
    format!(
        "another Landfall server ({}, Lease {}/{})",
        lease::holder(lease).unwrap_or("nobody"),
        Project::HOME,
        lease.name()
    )
}
