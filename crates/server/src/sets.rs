//! ApplicationSets: their generators are asked, and what they generate is put on the cluster.
//!
//! ```text
//! watches of ApplicationSets and Applications, references that move, time
//!        ▼
//!   Keeper      which set is to be looked at, and how: with what is known, or asking all again
//!        ▼
//!   answers.rs  repositories, clusters, forges.rs, plugins.rs   each within a time
//!        ▼
//!   apps::sets  expand, changes, conditions              pure
//!        ▼
//!   believed.rs  what of protected projects counts because an owner stands behind the set
//!   applied.rs  Applications created, changed, deleted; the set's status
//! ```
//!
//! Invariants: one look at a set at a time, and none waits for another set's; whatever a generator's answer fails with,
//! nothing is deleted; what is to be deleted goes through `apps::held`.

mod answers;
mod applied;
mod believed;
mod forges;
mod plugins;

pub(crate) use self::applied::error_in;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use landfall_apps::sets::{Answers, ApplicationSet, Question};
use landfall_cluster::{Change, Interest};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_source::repository_key;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Sender, UnboundedReceiver, channel};
use tokio_util::task::TaskTracker;

use crate::errands::Work;
use crate::ground::application_kind;
use crate::happened::Happened;

/// Looks at sets at once.
const LOOKING: usize = 4;
/// The annotation by which somebody asks for a look at a set.
const REFRESH: &str = "argocd.argoproj.io/application-set-refresh";
/// Seconds between two looks that only the cluster's Applications have asked for.
const PAUSE: i64 = 1;
/// Seconds after which it is looked again which clusters there are.
const CLUSTERS: u64 = 30;
/// Seconds after which a look that failed is tried again.
const FAILED: u64 = 60;

/// The kind of ApplicationSets.
pub(crate) fn set_kind() -> Gvk {
    Gvk::new("argoproj.io", "v1alpha1", "ApplicationSet")
}

/// How a set is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// With the answers that are known.
    Known,
    /// Asking everybody again.
    Fresh,
}

/// A set, and what is known of it.
struct Kept {
    object: Object,
    /// What its generators were answered with last.
    answers: Answers<'static>,
    /// What they asked.
    asked: BTreeSet<Question>,
    /// When it is to be looked at with what is known.
    known_at: Option<Timestamp>,
    /// When everybody is to be asked again.
    fresh_at: Option<Timestamp>,
    looking: bool,
}

/// A look that has ended.
struct Looked {
    key: ObjectKey,
    answers: Answers<'static>,
    asked: BTreeSet<Question>,
    /// Seconds after which everybody is to be asked again.
    again: Option<u64>,
}

/// Keeps the sets of a cluster until the session is told to stop; `moved` are addresses of repositories whose references
/// have moved.
/// `says` hears that what counts of protected Applications may be something else now. An empty list of addresses means every set, with
/// what is known.
pub(crate) async fn keep(work: Arc<Work>, mut moved: UnboundedReceiver<Vec<String>>, says: Sender<Happened>) {
    let (clock, stop) = (Arc::clone(&work.session.clock), work.session.stop.clone());
    let all = |gvk: Gvk| Interest { gvk, namespace: None, name: None };
    let mut sets = work.session.cluster.observe(vec![all(set_kind())]);
    // Of the list, those that sets have made; nobody asks for it as long as there is no set.
    let made = |object: Object| set_of(&object).is_some().then_some(object);
    let mut applications = work.session.cluster.observe_as(vec![all(application_kind())], made);
    let (told, mut looked) = channel(64);
    let mut keeper = Keeper {
        work,
        says,
        kept: BTreeMap::new(),
        told,
        looking: Arc::new(Semaphore::new(LOOKING)),
        tasks: TaskTracker::new(),
    };
    loop {
        let now = clock.now();
        let due = match keeper.stands_back() {
            true => now.checked_add(SignedDuration::from_secs(PAUSE)).ok(),
            false => keeper.kept.values().filter(|kept| !kept.looking).filter_map(Kept::due).min(),
        };
        let woken = async {
            match due {
                Some(at) => clock.sleep(Duration::try_from(at.duration_since(now)).unwrap_or_default()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            change = sets.next() => match change {
                Some(Ok(change)) => keeper.set_changed(change, now),
                Some(Err(error)) => {
                    tracing::warn!("ApplicationSets are not acted on: {error}");
                    break;
                }
                None => break,
            },
            Some(change) = applications.next(), if !keeper.kept.is_empty() => match change {
                Ok(Change::Applied(object) | Change::Deleted(object)) => keeper.application_changed(&object, now),
                Ok(Change::Listed(_, objects)) => objects.iter().for_each(|it| keeper.application_changed(it, now)),
                Ok(Change::Interrupted(_)) | Err(_) => {}
            },
            Some(addresses) = moved.recv() => keeper.moved(&addresses, now),
            Some(one) = looked.recv() => keeper.looked(one, now),
            () = woken => {}
        }
        if !keeper.stands_back() {
            keeper.look(clock.now());
        }
    }
    keeper.tasks.close();
    keeper.tasks.wait().await;
}

/// The set that has made an Application.
fn set_of(object: &Object) -> Option<ObjectKey> {
    let owner = object.controller().filter(|owner| owner.kind == "ApplicationSet")?;
    Some(ObjectKey::new(set_kind(), object.namespace(), &*owner.name))
}

struct Keeper {
    work: Arc<Work>,
    says: Sender<Happened>,
    kept: BTreeMap<ObjectKey, Kept>,
    told: Sender<Looked>,
    looking: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Keeper {
    /// Whether another controller keeps them, or another replica.
    fn stands_back(&self) -> bool {
        // Of several replicas one expands sets: whoever keeps the first shard.
        self.work.stands_back.load(std::sync::atomic::Ordering::Relaxed) || !self.work.shards.is_first()
    }

    fn set_changed(&mut self, change: Change, now: Timestamp) {
        match change {
            Change::Listed(_, objects) => {
                let there: BTreeSet<ObjectKey> = objects.iter().map(Object::key).collect();
                self.kept.retain(|key, _| there.contains(key));
                objects.into_iter().for_each(|object| self.set(object, now));
            }
            Change::Applied(object) => self.set(object, now),
            Change::Deleted(object) => drop(self.kept.remove(&object.key())),
            Change::Interrupted(why) => tracing::warn!("watch of ApplicationSets: {why}"),
        }
    }

    fn set(&mut self, object: Object, now: Timestamp) {
        let key = object.key();
        let Some(kept) = self.kept.get_mut(&key) else {
            let (answers, asked) = (Answers::default(), BTreeSet::new());
            let kept = Kept { object, answers, asked, known_at: None, fresh_at: Some(now), looking: false };
            self.kept.insert(key, kept);
            return;
        };
        // What it is itself writes its status: that is no news.
        let said = |object: &Object| {
            let asks = object.annotation(REFRESH).is_some();
            (
                object.spec().cloned(),
                object.annotations().cloned(),
                object.deletion_timestamp().map(str::to_owned),
                asks,
            )
        };
        let (before, after) = (said(&kept.object), said(&object));
        kept.object = object;
        if after.0 != before.0 || after.3 {
            kept.wants(Look::Fresh, now);
        } else if after != before {
            kept.wants(Look::Known, now);
        }
    }

    fn application_changed(&mut self, object: &Object, now: Timestamp) {
        let Some(key) = set_of(object) else { return };
        let soon = now.checked_add(SignedDuration::from_secs(PAUSE)).unwrap_or(now);
        if let Some(kept) = self.kept.get_mut(&key) {
            kept.wants(Look::Known, soon);
        }
    }

    fn moved(&mut self, addresses: &[String], now: Timestamp) {
        let moved: Vec<String> = addresses.iter().map(|address| repository_key(address)).collect();
        if addresses.is_empty() {
            self.kept.values_mut().for_each(|kept| kept.wants(Look::Known, now));
        }
        for kept in self.kept.values_mut() {
            let is_of = |question: &Question| match question {
                Question::Files { repository, .. } => moved.contains(&repository_key(repository)),
                Question::Clusters | Question::PullRequests(_) | Question::Plugin(_) => false,
            };
            if kept.asked.iter().any(is_of) {
                kept.wants(Look::Fresh, now);
            }
        }
    }

    fn looked(&mut self, one: Looked, now: Timestamp) {
        let Some(kept) = self.kept.get_mut(&one.key) else { return };
        (kept.looking, kept.answers, kept.asked) = (false, one.answers, one.asked);
        let clusters = kept.asked.contains(&Question::Clusters).then_some(CLUSTERS);
        if let Some(seconds) = one.again.into_iter().chain(clusters).min() {
            let after = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            kept.wants(Look::Fresh, now.checked_add(after).unwrap_or(Timestamp::MAX));
        }
    }

    /// Looks at all sets that it is time for.
    fn look(&mut self, now: Timestamp) {
        for (key, kept) in &mut self.kept {
            if kept.looking || kept.due().is_none_or(|at| at > now) {
                continue;
            }
            kept.looking = true;
            // What was known is known no longer where everybody is asked again.
            let mut known = std::mem::take(&mut kept.answers);
            if kept.fresh_at.take_if(|at| *at <= now).is_some() {
                known = Answers::default();
            }
            kept.known_at = None;
            let (work, told, places) = (Arc::clone(&self.work), self.told.clone(), Arc::clone(&self.looking));
            let (key, object, says) = (key.clone(), kept.object.clone(), self.says.clone());
            self.tasks.spawn(async move {
                let _place = places.acquire().await;
                let stop = work.session.stop.clone();
                let looked = tokio::select! {
                    () = stop.cancelled() => return,
                    looked = look_at(&work, key, &object, (known, &says)) => looked,
                };
                // Nobody is told when the process ends.
                let _ending = told.send(looked).await;
            });
        }
    }
}

impl Kept {
    /// Wants a look at some time; an earlier one of the same kind does for both.
    fn wants(&mut self, look: Look, at: Timestamp) {
        let place = match look {
            Look::Known => &mut self.known_at,
            Look::Fresh => &mut self.fresh_at,
        };
        *place = Some(place.map_or(at, |there| there.min(at)));
    }

    /// When it is to be looked at next.
    fn due(&self) -> Option<Timestamp> {
        self.known_at.into_iter().chain(self.fresh_at).min()
    }
}

/// One look at a set: asks, expands, applies, tells.
async fn look_at(
    work: &Work,
    key: ObjectKey,
    object: &Object,
    (known, says): (Answers<'static>, &Sender<Happened>),
) -> Looked {
    let set = match ApplicationSet::parse(object) {
        Ok(set) => set,
        Err(error) => {
            applied::tell_unread(work, object, &error.to_string()).await;
            return Looked { key, answers: known, asked: BTreeSet::new(), again: None };
        }
    };
    if object.deletion_timestamp().is_some() {
        let gone = applied::let_go(work, &set).await;
        if let Err(why) = &gone {
            tracing::warn!("{key} cannot be let go: {why}");
        }
        let again = gone.is_err().then_some(FAILED);
        return Looked { key, answers: known, asked: BTreeSet::new(), again };
    }
    let (expansion, answers, asked) = answers::expanded(work, &set, known).await;
    if believed::say(work, &set, &expansion, &asked) {
        // Nobody hears it when the process ends.
        let _ending = says.send(Happened::SaidAnew).await;
    }
    let is_done = applied::apply(work, &set, expansion).await;
    if object.annotation(REFRESH).is_some()
        && let Err(why) = work.seen(&key, REFRESH).await
    {
        tracing::warn!("{key}: {why}");
    }
    let again = set.asks_again().into_iter().chain((!is_done).then_some(FAILED)).min();
    Looked { key, answers, asked, again }
}
