//! What is watched for a wait: the objects, and what explains them.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use landfall_cluster::{Change, Cluster, Error, Interest};
use landfall_object::Gvk;

use super::unbound::storage_class;
use super::{Judge, Scene, Watched};

/// Whether something is waited for itself or only explains what is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matter {
    Object,
    Around,
}

/// A change that has arrived.
pub(super) struct News {
    matter: Matter,
    change: Result<Change, Error>,
}

/// Why nothing more is waited for.
pub(super) enum Ended {
    /// What is to go is of a kind that is not served: it has gone.
    Unserved,
    /// An object may not be watched.
    Refused(Error),
}

/// The changes of all that is watched.
pub(super) struct Watching {
    news: BoxStream<'static, News>,
    /// How many lists have to come before anything is judged.
    expected: usize,
    /// How many of them cannot be read.
    unreadable: usize,
}

impl Watching {
    pub(super) fn of(cluster: &Cluster, watched: &[Watched], judge: Judge) -> Self {
        let (objects, around) = interests(watched, judge);
        let expected = objects.len() + around.len();
        // What is around the objects explains them; where it may not be read, the wait does without.
        let around = cluster.observe(around).map(|change| News { matter: Matter::Around, change });
        let objects = cluster.observe(objects).map(|change| News { matter: Matter::Object, change });
        Watching { news: futures::stream::select(objects, around).boxed(), expected, unreadable: 0 }
    }

    pub(super) async fn next(&mut self) -> Option<News> {
        self.news.next().await
    }

    /// Takes a change into the scene, and all that have arrived with it, before anything is judged; answers why the
    /// connection broke in between.
    pub(super) fn take(&mut self, first: News, scene: &mut Scene, judge: Judge) -> Result<Vec<String>, Ended> {
        let mut interruptions = Vec::new();
        let mut next = Some(first);
        while let Some(News { matter, change }) = next {
            match change {
                Ok(Change::Interrupted(reason)) => interruptions.push(reason),
                Ok(change) => scene.take(change),
                Err(Error::NoMatch { .. }) if judge == Judge::Deletion => return Err(Ended::Unserved),
                Err(_) if matter == Matter::Around => self.unreadable += 1,
                Err(error) => return Err(Ended::Refused(error)),
            }
            next = self.news.next().now_or_never().flatten();
        }
        Ok(interruptions)
    }

    /// Whether everything that can be read has been listed.
    pub(super) fn has_seen_all(&self, scene: &Scene) -> bool {
        scene.listed.len() + self.unreadable >= self.expected
    }
}

/// What has to be watched: the objects, and below workloads the pods in which their troubles show.
fn interests(watched: &[Watched], judge: Judge) -> (Vec<Interest>, Vec<Interest>) {
    let mut groups: BTreeMap<(Gvk, Option<String>), BTreeSet<String>> = BTreeMap::new();
    let mut below: BTreeSet<Interest> = BTreeSet::new();
    for Watched { key, .. } in watched {
        groups.entry((key.gvk.clone(), key.namespace.clone())).or_default().insert(key.name.clone());
        if judge == Judge::Deletion {
            continue;
        }
        let mut watch = |gvk: Gvk| below.insert(Interest { gvk, namespace: key.namespace.clone(), name: None });
        match (key.gvk.group.as_str(), key.gvk.kind.as_str()) {
            ("apps", "Deployment") => {
                watch(Gvk::new("apps", "v1", "ReplicaSet"));
                watch(Gvk::new("", "v1", "Pod"));
            }
            ("apps", _) | ("batch", "Job") | ("", "ReplicationController") => {
                watch(Gvk::new("", "v1", "Pod"));
            }
            ("", "PersistentVolumeClaim") => {
                watch(Gvk::new("", "v1", "Pod"));
                below.insert(Interest { gvk: storage_class(), namespace: None, name: None });
            }
            _ => {}
        }
    }
    let mut interests: BTreeSet<Interest> = groups
        .into_iter()
        .map(|((gvk, namespace), names)| {
            let alone = names.len() == 1;
            Interest { gvk, namespace, name: names.into_iter().next().filter(|_| alone) }
        })
        .collect();
    let mut around = Vec::new();
    for whole in below {
        let same = |interest: &Interest| (&interest.gvk, &interest.namespace) == (&whole.gvk, &whole.namespace);
        if interests.iter().any(same) {
            interests.retain(|interest| !same(interest));
            interests.insert(whole);
        } else {
            around.push(whole);
        }
    }
    (interests.into_iter().collect(), around)
}
