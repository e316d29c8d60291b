//! Takes, renews and gives back shards: a task beside the controller.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use landfall_cluster::{Change, Cluster, DeleteOptions, Error, Interest, Leave, WriteOptions};
use landfall_engine::Clock;
use landfall_object::Object;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::lease::{self, LEAVE, LENGTH, Purpose, RENEWED, Seen};
use super::placing::share_of;
use super::{FIRST, Held, Shards};
use crate::ground::MANAGER;
use crate::happened::Happened;

/// How often it is looked what is due.
const LOOK: Duration = Duration::from_millis(500);
/// How long an answer about a lease may take.
const ANSWER: Duration = Duration::from_secs(3);
/// How long a shard stays free for those who have less before somebody takes it who has enough.
const FOR_OTHERS: Duration = Duration::from_secs(3);
/// How long a replica has had too many before it gives one back: others that begin or end meanwhile are seen.
const TOO_MANY: Duration = Duration::from_secs(4);
/// How long is waited for what is under way when the process ends, before the shards are given back.
const ENDING: Duration = Duration::from_secs(1);
/// How long an answer that is on its way then is waited for: what it says of a lease is what that is given back by.
const ON_ITS_WAY: Duration = Duration::from_millis(250);
/// How long is waited at the end for answers to what is on its way to clusters, before a shard is given back.
const SETTLED: Duration = Duration::from_millis(500);
/// What is said of a database that is waited for in vain.
const SILENT: &str = "the database does not answer";
/// After how long the lease of a replica that is gone is cleared away.
const CLEARED: Duration = Duration::from_secs(60);

/// Among whom it takes turns.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Where the leases stand.
    pub(crate) namespace: String,
    /// What this process is called, and no other, nor itself when it is started again.
    pub(crate) replica: String,
}

/// Keeps the leases of this process.
pub(crate) struct Keeper {
    cluster: Cluster,
    store: landfall_store::Shards,
    settings: Settings,
    shards: Arc<Shards>,
    told: Sender<Happened>,
    clock: Arc<dyn Clock>,
    /// By names, as others may have changed them.
    seen: BTreeMap<String, Seen>,
    /// Shards that are held.
    mine: BTreeMap<u32, Mine>,
    /// The lease by which others know that this process lives, and when it was renewed last.
    alive: Option<(Object, Instant)>,
    /// Since when it has more than its share.
    too_many: Option<Instant>,
    /// What is told once, until it is another thing.
    trouble: Option<String>,
    /// Nothing is taken before.
    pause: Instant,
    /// Whether the database did not answer when it was asked last: nothing is taken until it does, and others do not count on
    /// this process.
    is_deaf: bool,
    /// Whether the leases that are there are known.
    listed: bool,
}

/// A shard that is held.
struct Mine {
    lease: Object,
    held: Held,
    /// When it was tried last to renew it.
    tried: Instant,
}

/// What has come of trying to renew one.
enum Renewal {
    /// It is held on.
    Renewed,
    /// It is ours, and not renewed: somebody has written something else into it.
    Changed,
    /// Nobody knows; it is tried again.
    Unknown(String),
    /// Somebody else has it.
    Lost(String),
}

impl Keeper {
    pub(crate) fn new(
        (cluster, store): (Cluster, landfall_store::Shards),
        settings: Settings,
        shards: Arc<Shards>,
        told: Sender<Happened>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Keeper {
            cluster,
            store,
            settings,
            shards,
            told,
            clock,
            seen: BTreeMap::new(),
            mine: BTreeMap::new(),
            alive: None,
            too_many: None,
            trouble: None,
            pause: Instant::now(),
            is_deaf: false,
            listed: false,
        }
    }

    /// Works until it is told to stop, and gives everything back then: as soon as nothing is under way any more, or at once
    /// after a moment.
    pub(crate) async fn run(mut self, stop: CancellationToken, idle: CancellationToken) {
        let all = Interest { gvk: lease::kind(), namespace: Some(self.settings.namespace.clone()), name: None };
        let mut leases = self.cluster.observe(vec![all]);
        let mut turns = tokio::time::interval(LOOK);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = turns.tick() => {}
                change = leases.next() => match change {
                    Some(Ok(change)) => self.note(change),
                    Some(Err(error)) => self.say(Some(format!("leases cannot be watched: {error}"))),
                    None => break,
                },
            }
            let told = async {
                stop.cancelled().await;
                tokio::time::sleep(ON_ITS_WAY).await;
            };
            tokio::select! {
                () = told => break,
                () = self.turn() => {}
            }
        }
        self.hand_over(&idle).await;
    }

    fn note(&mut self, change: Change) {
        let at = Instant::now();
        match change {
            Change::Listed(_, leases) => {
                let there: Vec<&str> = leases.iter().map(Object::name).collect();
                self.seen.retain(|name, _| there.contains(&name.as_str()));
                leases.into_iter().for_each(|lease| self.see(lease, at));
                self.listed = true;
            }
            Change::Applied(lease) => self.see(lease, at),
            Change::Deleted(lease) => drop(self.seen.remove(lease.name())),
            Change::Interrupted(why) => tracing::debug!("watch of leases: {why}"),
        }
    }

    fn see(&mut self, lease: Object, at: Instant) {
        if Purpose::of(&lease).is_none() {
            return;
        }
        let before = self.seen.get(lease.name());
        // What was listed again and has not changed is as old as it was.
        let is_same = before.is_some_and(|before| before.lease.resource_version() == lease.resource_version());
        if !is_same {
            self.seen.insert(lease.name().to_owned(), Seen { lease, at });
        }
    }

    /// Says what is wrong, once, and when it is over.
    fn say(&mut self, trouble: Option<String>) {
        if self.trouble != trouble {
            match (&trouble, &self.trouble) {
                (Some(trouble), _) => tracing::warn!("{trouble}"),
                (None, Some(_)) => tracing::warn!("leases and database answer again"),
                (None, None) => {}
            }
            self.trouble = trouble;
        }
    }

    /// Does what is due.
    async fn turn(&mut self) {
        if !self.listed {
            return;
        }
        self.live().await;
        self.renew().await;
        let now = Instant::now();
        let living = self.living(now);
        let share = share_of(&self.settings.replica, &living, self.shards.count());
        self.give_back_what_is_too_many(share, now).await;
        self.take(share, now).await;
        self.clear(now).await;
    }

    /// The other replicas that live.
    fn living(&self, now: Instant) -> Vec<String> {
        let replicas = self.seen.values().filter(|seen| seen.shards() == Some(self.shards.count()));
        replicas
            .filter_map(|seen| match Purpose::of(&seen.lease)? {
                Purpose::Replica(name) => seen.holder(now).map(|_| name),
                Purpose::Shard(_) | Purpose::Server => None,
            })
            .collect()
    }

    /// Says that this process lives.
    async fn live(&mut self) {
        let now = Instant::now();
        if self.is_deaf || self.alive.as_ref().is_some_and(|(_, at)| now.duration_since(*at) < RENEWED * 2) {
            return;
        }
        let purpose = Purpose::Replica(self.settings.replica.clone());
        // One that was written without our hearing of it is there all the same.
        let seen = || self.seen.get(&purpose.key(&self.settings.namespace).name).map(|seen| &seen.lease);
        let before = self.alive.as_ref().map(|(lease, _)| lease).or_else(seen);
        let wanted = self.wanted(before, &purpose, None);
        match self.write(before, &wanted).await {
            Ok(lease) => self.alive = Some((lease, now)),
            // It is written anew when somebody has cleared it away.
            Err(_) => self.alive = None,
        }
    }

    /// Asks the database whether it is there. Who does not reach it takes no shard, not even to try: it would hold what others
    /// could keep; and says that it does not live, so that they take it all.
    async fn hear(&mut self) -> Result<(), String> {
        let why = match timeout(ANSWER, self.store.answers()).await {
            Ok(Ok(())) => {
                self.is_deaf = false;
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => SILENT.to_owned(),
        };
        self.is_deaf = true;
        if let Some((lease, _)) = self.alive.take() {
            let _past_by_itself = timeout(ANSWER, self.cluster.delete(&lease.key(), &DeleteOptions::default())).await;
        }
        Err(format!("{why}: nothing is delivered from here until it does"))
    }

    fn wanted(&self, before: Option<&Object>, purpose: &Purpose, epoch: Option<i64>) -> Object {
        let Settings { namespace, replica } = &self.settings;
        lease::held((before, purpose, namespace), (replica, self.shards.count(), epoch), self.clock.now())
    }

    /// Makes or replaces a lease, as it was when it was seen.
    async fn write(&self, before: Option<&Object>, wanted: &Object) -> Result<Object, Error> {
        let options = WriteOptions { field_manager: Some(MANAGER.to_owned()), ..WriteOptions::default() };
        let written = async {
            match before {
                Some(_) => self.cluster.replace(wanted, &options).await,
                None => self.cluster.create(wanted, &options).await,
            }
        };
        match timeout(ANSWER, written).await {
            Ok(written) => written,
            Err(_) => Err(Error::Silent { action: format!("renew {}", wanted.key()), within: ANSWER }),
        }
    }

    /// Renews what is held and due, and lets go of what is not held any more.
    async fn renew(&mut self) {
        let now = Instant::now();
        let keeper = &*self;
        let due = keeper.mine.iter().filter(|(_, mine)| now.duration_since(mine.tried) >= RENEWED);
        let renewals: Vec<(u32, (Option<Object>, Renewal))> =
            join_all(due.map(|(number, mine)| async move { (*number, keeper.renewal(*number, mine).await) })).await;
        let (mut trouble, mut lost, mut is_well) = (None, Vec::new(), false);
        for (number, (lease, renewal)) in renewals {
            let Some(mine) = self.mine.get_mut(&number) else { continue };
            // What was written is what is given back, whatever the database says.
            if let Some(lease) = lease {
                mine.lease = lease;
            }
            mine.tried = now;
            match renewal {
                Renewal::Renewed => {
                    // What was answered late was held from when it was asked for.
                    mine.held.leave.extend(now + LEAVE);
                    is_well = true;
                }
                Renewal::Changed => mine.tried = now - RENEWED,
                Renewal::Unknown(why) => trouble = Some(why),
                Renewal::Lost(why) => lost.push((number, why)),
            }
        }
        if trouble.is_some() || is_well {
            self.say(trouble);
        }
        for (number, mine) in &self.mine {
            if !mine.held.leave.holds() && !lost.iter().any(|(lost, _)| lost == number) {
                lost.push((*number, "it was not renewed in time, or its journal could not be written".to_owned()));
            }
        }
        // Each ends at once, before it is waited for anything.
        for (number, _) in &lost {
            if let Some(mine) = self.mine.get(number) {
                mine.held.leave.end();
            }
        }
        for (number, why) in lost {
            tracing::warn!("shard {number} is let go: {why}");
            self.let_go(number, Duration::ZERO).await;
        }
    }

    /// Renews one: by its lease and by the epoch of its journal. With it comes the lease where it is known how it stands by now.
    async fn renewal(&self, number: u32, mine: &Mine) -> (Option<Object>, Renewal) {
        let purpose = Purpose::Shard(number);
        let Some(fence) = &mine.held.fence else { return (None, Renewal::Lost("it has no fence".to_owned())) };
        let wanted = self.wanted(Some(&mine.lease), &purpose, Some(fence.epoch));
        let holds = async {
            match timeout(ANSWER, self.store.holds(fence)).await {
                Ok(holds) => holds.map_err(|error| error.to_string()),
                Err(_) => Err(SILENT.to_owned()),
            }
        };
        let (written, holds) = tokio::join!(self.write(Some(&mine.lease), &wanted), holds);
        match (written, holds) {
            (written, Ok(false)) => {
                (written.ok(), Renewal::Lost("its journal is written by another replica, or begun anew".to_owned()))
            }
            (Ok(lease), Ok(true)) => (Some(lease), Renewal::Renewed),
            (Err(error), _) if error.is_conflict() || error.is_not_found() => self.adopted(&purpose).await,
            (Err(error), _) => (None, Renewal::Unknown(format!("shard {number} cannot be renewed: {error}"))),
            (Ok(lease), Err(why)) => {
                (Some(lease), Renewal::Unknown(format!("shard {number} cannot be renewed: {why}")))
            }
        }
    }

    /// Somebody has written into a lease of ours: whether it is ours all the same.
    async fn adopted(&self, purpose: &Purpose) -> (Option<Object>, Renewal) {
        match timeout(ANSWER, self.cluster.get(&purpose.key(&self.settings.namespace))).await {
            Ok(Ok(Some(lease))) if self.is_ours(&lease) => (Some(lease), Renewal::Changed),
            Ok(Ok(found)) => {
                let by = found.as_ref().and_then(lease::holder).unwrap_or("nobody");
                (None, Renewal::Lost(format!("{by} holds its lease")))
            }
            Ok(Err(error)) => (None, Renewal::Unknown(error.to_string())),
            Err(_) => (None, Renewal::Unknown("the cluster does not answer".to_owned())),
        }
    }

    fn is_ours(&self, lease: &Object) -> bool {
        lease::holder(lease) == Some(self.settings.replica.as_str())
    }

    /// Gives a lease back as it stands by now, where it is still ours: what was written into it when the process was told to end, or
    /// by somebody else, may not have been heard of yet.
    async fn give_back(&self, lease: &Object) -> Result<Option<Object>, Error> {
        match self.write(Some(lease), &lease::given_back(lease)).await {
            Err(error) if error.is_conflict() => {}
            Err(error) if error.is_not_found() => return Ok(None),
            given => return given.map(Some),
        }
        let found = timeout(ANSWER, self.cluster.get(&lease.key())).await;
        let silent = |_| Err(Error::Silent { action: format!("read {}", lease.key()), within: ANSWER });
        let found = found.unwrap_or_else(silent)?;
        match found.filter(|lease| self.is_ours(lease)) {
            Some(lease) => self.write(Some(&lease), &lease::given_back(&lease)).await.map(Some),
            None => Ok(None),
        }
    }

    /// Ends what a shard is held by, and tells the controller. The lease is given back where it is still ours and what was on its way
    /// has been answered; otherwise it is free when its time is over, by which what may still arrive has arrived.
    async fn let_go(&mut self, number: u32, within: Duration) {
        let Some(mine) = self.mine.remove(&number) else { return };
        let is_settled = mine.held.leave.settle(within).await;
        self.shards.remove(number);
        self.tell();
        if !is_settled {
            tracing::info!("shard {number} is free when its lease ends: a write for it was not answered");
            return;
        }
        if let Ok(Some(lease)) = self.give_back(&mine.lease).await {
            self.see(lease, Instant::now());
        }
    }

    /// Tells the controller; one that is too busy to hear it looks by itself.
    fn tell(&self) {
        let _later = self.told.try_send(Happened::Shards);
    }

    /// Gives one shard back where others have fewer.
    async fn give_back_what_is_too_many(&mut self, share: u32, now: Instant) {
        if self.mine.len() <= share as usize {
            self.too_many = None;
            return;
        }
        let since = *self.too_many.get_or_insert(now);
        if now.duration_since(since) < TOO_MANY {
            return;
        }
        self.too_many = None;
        // The first one goes last: what is done once has the most to begin anew with.
        if let Some(number) = self.mine.keys().next_back().copied() {
            tracing::info!("shard {number} is given to another replica");
            self.let_go(number, ANSWER).await;
        }
    }

    /// Takes shards that are free, up to its share; what nobody else takes, too.
    async fn take(&mut self, share: u32, now: Instant) {
        if now < self.pause {
            return;
        }
        let others = self.seen.values().filter(|seen| matches!(Purpose::of(&seen.lease), Some(Purpose::Shard(_))));
        let other = others
            .filter(|seen| seen.holder(now).is_some_and(|holder| holder != self.settings.replica))
            .find_map(|seen| seen.shards().filter(|shards| *shards != self.shards.count()));
        if let Some(other) = other {
            let count = self.shards.count();
            return self.say(Some(format!(
                "this replica waits: others keep the Applications in {other} shards, and it was told of {count} (--shards)"
            )));
        }
        let free: Vec<u32> = (FIRST..self.shards.count()).filter(|number| self.is_free(*number, share, now)).collect();
        if free.is_empty() && !self.is_deaf {
            return;
        }
        if let Err(why) = self.take_all(free).await {
            self.pause = Instant::now() + RENEWED;
            self.say(Some(why));
        }
    }

    async fn take_all(&mut self, free: Vec<u32>) -> Result<(), String> {
        self.hear().await?;
        for number in free {
            self.take_one(number).await?;
        }
        Ok(())
    }

    fn is_free(&self, number: u32, share: u32, now: Instant) -> bool {
        if self.mine.contains_key(&number) {
            return false;
        }
        let key = Purpose::Shard(number).key(&self.settings.namespace);
        let has_enough = self.mine.len() >= share as usize;
        match self.seen.get(&key.name) {
            Some(seen) if seen.holder(now).is_some() => false,
            Some(seen) => !has_enough || seen.free_for(now) >= FOR_OTHERS,
            None => !has_enough,
        }
    }

    /// Takes a free shard: the lease first, then the journal, from which everybody else is shut out then.
    async fn take_one(&mut self, number: u32) -> Result<(), String> {
        let purpose = Purpose::Shard(number);
        let key = purpose.key(&self.settings.namespace);
        let before = self.seen.get(&key.name).cloned();
        let began = Instant::now();
        let wanted = self.wanted(before.as_ref().map(|seen| &seen.lease), &purpose, None);
        let lease = match self.write(before.as_ref().map(|seen| &seen.lease), &wanted).await {
            Ok(lease) => lease,
            // Another one was quicker.
            Err(error) if error.is_conflict() || error.is_already_exists() || error.is_not_found() => return Ok(()),
            Err(error) => return Err(format!("shard {number} cannot be taken: {error}")),
        };
        self.see(lease.clone(), began);
        let known = before.as_ref().map(Seen::epoch).unwrap_or_default();
        let take =
            || self.store.take((i64::from(number), i64::from(self.shards.count())), &self.settings.replica, known);
        let taken = async {
            let taken = match take().await {
                // A database that was lost and is there again has no tables; whoever makes them has no reason to wait then.
                Err(error) if !error.is_for_another_time() => match self.store.prepare().await {
                    Ok(()) => take().await,
                    Err(why) => Err(why),
                },
                taken => taken,
            };
            taken.map_err(|error| error.to_string())
        };
        let fence = timeout(ANSWER, taken).await.unwrap_or_else(|_| Err(SILENT.to_owned()));
        let held = match fence {
            Ok(fence) => Held { fence: Some(fence), leave: Leave::until(began + LEAVE) },
            Err(error) => {
                // Whoever reaches the database may have it.
                if let Ok(Some(lease)) = self.give_back(&lease).await {
                    self.see(lease, Instant::now());
                }
                return Err(format!("{error}: nothing is delivered from here until it does"));
            }
        };
        let epoch = held.fence.as_ref().map(|fence| fence.epoch).unwrap_or_default();
        tracing::info!("shard {number} is kept from here (epoch {epoch})");
        self.say(None);
        self.shards.put(number, held.clone());
        self.mine.insert(number, Mine { lease, held, tried: began });
        self.tell();
        Ok(())
    }

    /// Clears away the leases of replicas that are long gone.
    async fn clear(&mut self, now: Instant) {
        if !self.shards.is_first() {
            return;
        }
        let is_gone = |seen: &&Seen| {
            matches!(Purpose::of(&seen.lease), Some(Purpose::Replica(_))) && seen.free_for(now) > CLEARED + LENGTH
        };
        let gone: Vec<Object> = self.seen.values().filter(is_gone).map(|seen| seen.lease.clone()).collect();
        for lease in gone {
            let version = lease.resource_version().map(str::to_owned);
            let options = DeleteOptions { resource_version: version, ..DeleteOptions::default() };
            let _others_do_it = timeout(ANSWER, self.cluster.delete(&lease.key(), &options)).await;
            self.seen.remove(lease.name());
        }
    }

    /// Gives everything back at the end: when nothing is under way any more, or when that takes too long, for nothing is written
    /// without leave.
    async fn hand_over(mut self, idle: &CancellationToken) {
        let _in_time = timeout(ENDING, idle.cancelled()).await;
        let mine = std::mem::take(&mut self.mine);
        let settled = join_all(mine.values().map(|mine| mine.held.leave.settle(SETTLED))).await;
        let mut unsettled = Vec::new();
        for ((number, mine), is_settled) in mine.into_iter().zip(settled) {
            self.shards.remove(number);
            if !is_settled {
                tracing::warn!("shard {number} is free in {} s: a write for it was not answered", LENGTH.as_secs());
                unsettled.push(mine.lease.name().to_owned());
            }
            self.see(mine.lease, Instant::now());
        }
        // Those, too, that were just being taken.
        let is_shard = |lease: &&Object| matches!(Purpose::of(lease), Some(Purpose::Shard(_)));
        let shards = self.seen.values().map(|seen| &seen.lease).filter(is_shard);
        let may_begin = |lease: &&Object| self.is_ours(lease) && !unsettled.iter().any(|name| name == lease.name());
        let ours: Vec<&Object> = shards.filter(may_begin).collect();
        let keeper = &self;
        let given = ours.into_iter().map(|lease| async move {
            if let Err(error) = keeper.give_back(lease).await {
                tracing::warn!("a shard could not be given back, and is free in {} s: {error}", LENGTH.as_secs());
            }
        });
        let gone = async {
            if let Some((lease, _)) = &keeper.alive {
                let _cleared_later = keeper.cluster.delete(&lease.key(), &DeleteOptions::default()).await;
            }
        };
        let _in_time = timeout(ANSWER, async { tokio::join!(join_all(given), gone) }).await;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use http_body_util::BodyExt as _;
    use kube::client::Body;
    use landfall_engine::WallClock;
    use landfall_store::{Location, Store};
    use parking_lot::Mutex;
    use serde_json::{Value, json};
    use tokio::sync::mpsc::channel;

    use super::*;

    /// The leases of an API server, by their names.
    #[derive(Default)]
    struct Leases {
        there: BTreeMap<String, Value>,
        version: u64,
        /// How long it takes until what was written is answered.
        late: Duration,
    }

    impl Leases {
        fn answer(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
            let refused = |code: u16, reason: &str| {
                (
                    code,
                    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}),
                )
            };
            let name = path.rsplit('/').next().unwrap_or_default();
            match (method, name) {
                ("GET", "v1") => {
                    let leases = json!({"name": "leases", "kind": "Lease", "namespaced": true, "verbs": ["get", "list", "watch"]});
                    (
                        200,
                        json!({"kind": "APIResourceList", "groupVersion": "coordination.k8s.io/v1", "resources": [leases]}),
                    )
                }
                ("GET", "leases") => {
                    let items: Vec<&Value> = self.there.values().collect();
                    let metadata = json!({"resourceVersion": self.version.to_string()});
                    (
                        200,
                        json!({"kind": "LeaseList", "apiVersion": "coordination.k8s.io/v1", "metadata": metadata, "items": items}),
                    )
                }
                ("GET", name) => self.there.get(name).map_or_else(|| refused(404, "NotFound"), |it| (200, it.clone())),
                ("DELETE", name) => self.there.remove(name).map_or_else(|| refused(404, "NotFound"), |it| (200, it)),
                _ => {
                    let wanted: Value = serde_json::from_slice(body).expect("an object");
                    let name = wanted["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                    let before = self.there.get(&name).map(|it| it["metadata"]["resourceVersion"].clone());
                    match before {
                        Some(_) if method == "POST" => refused(409, "AlreadyExists"),
                        Some(before) if before != wanted["metadata"]["resourceVersion"] => refused(409, "Conflict"),
                        _ => (200, self.put(name, wanted)),
                    }
                }
            }
        }

        fn put(&mut self, name: String, mut lease: Value) -> Value {
            self.version += 1;
            lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.there.insert(name, lease.clone());
            lease
        }

        fn shard(&self) -> Value {
            self.there.get("landfall-shard-0").cloned().unwrap_or_default()
        }

        /// Who holds the one shard, as others read it.
        fn holder(&self) -> Option<String> {
            self.shard()["spec"]["holderIdentity"].as_str().map(str::to_owned)
        }
    }

    fn served(leases: &Arc<Mutex<Leases>>) -> Cluster {
        let asked = Arc::clone(leases);
        let service = tower::service_fn(move |request: Request<Body>| {
            let leases = Arc::clone(&asked);
            async move {
                let (head, body) = request.into_parts();
                if head.uri.query().is_some_and(|query| query.contains("watch=")) {
                    // Nothing happens.
                    std::future::pending::<Infallible>().await;
                }
                let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                let (code, answer) = leases.lock().answer(head.method.as_str(), head.uri.path(), &body);
                let late = leases.lock().late;
                if head.method != "GET" {
                    tokio::time::sleep(late).await;
                }
                let response = Response::builder().status(code).header("content-type", "application/json");
                Ok::<_, kube::Error>(response.body(Body::from(answer.to_string().into_bytes())).expect("an answer"))
            }
        });
        Cluster::new(kube::Client::new(service, "default"))
    }

    /// A replica of that name, which has seen what is there.
    async fn replica(name: &str, leases: &Arc<Mutex<Leases>>, store: &Store) -> Keeper {
        let (told, _unheard) = channel(8);
        let settings = Settings { namespace: "landfall".to_owned(), replica: name.to_owned() };
        let shards = Arc::new(Shards::shared(1, name.to_owned()));
        let mut keeper =
            Keeper::new((served(leases), store.shards.clone()), settings, shards, told, Arc::new(WallClock));
        keeper.listed = true;
        keeper.turn().await;
        keeper
    }

    async fn database() -> Store {
        Store::open(Location::Memory).await.expect("a database")
    }

    fn idle() -> CancellationToken {
        let idle = CancellationToken::new();
        idle.cancel();
        idle
    }

    /// The lease was written, what was answered about it thrown away, and so it could not be given back: others waited for its end.
    #[tokio::test]
    async fn a_shard_that_the_database_said_nothing_of_is_given_back_by_the_lease_that_was_written_last() {
        for is_told_to_end in [true, false] {
            let (leases, store) = (Arc::default(), database().await);
            let mut keeper = replica("a", &leases, &store).await;
            assert_eq!(leases.lock().holder().as_deref(), Some("a"));
            keeper.mine.get_mut(&0).expect("it is held").tried -= RENEWED;
            store.close().await;
            let before = leases.lock().shard();
            keeper.turn().await;
            assert_ne!(leases.lock().shard(), before, "it was renewed");
            if is_told_to_end {
                keeper.hand_over(&idle()).await;
            } else {
                keeper.let_go(0, Duration::ZERO).await;
            }
            assert_eq!(leases.lock().holder(), None);
        }
    }

    /// It made the tables, and waited two seconds all the same: who was told to end meanwhile was followed so much later.
    #[tokio::test]
    async fn a_database_that_has_lost_its_tables_gets_them_and_the_shard_is_taken_in_the_same_turn() {
        // It has none of shards.
        let (leases, store) = (Arc::<Mutex<Leases>>::default(), Store::of_a_delivery().await.expect("a database"));
        let keeper = replica("a", &leases, &store).await;
        assert_eq!(leases.lock().holder().as_deref(), Some("a"));
        let fence = keeper.mine.get(&0).and_then(|mine| mine.held.fence.clone()).expect("it is held");
        assert!(store.shards.holds(&fence).await.expect("it answers"));
        assert_eq!(keeper.trouble, None);
    }

    #[tokio::test]
    async fn a_shard_into_whose_lease_somebody_has_written_is_given_back_and_anothers_is_left_alone() {
        let (leases, store) = (Arc::<Mutex<Leases>>::default(), database().await);
        let keeper = replica("a", &leases, &store).await;
        let mut lease = leases.lock().shard();
        lease["metadata"]["annotations"]["note"] = json!("read by a person");
        leases.lock().put("landfall-shard-0".to_owned(), lease);
        keeper.hand_over(&idle()).await;
        assert_eq!(leases.lock().holder(), None);
        assert_eq!(leases.lock().shard()["metadata"]["annotations"]["note"], "read by a person");

        let keeper = replica("b", &leases, &store).await;
        let mut lease = leases.lock().shard();
        lease["spec"]["holderIdentity"] = json!("c");
        leases.lock().put("landfall-shard-0".to_owned(), lease);
        keeper.hand_over(&idle()).await;
        assert_eq!(leases.lock().holder().as_deref(), Some("c"));
    }

    /// Told to end while the first answer about it is on its way.
    #[tokio::test]
    async fn a_shard_that_was_just_being_taken_is_given_back() {
        let (leases, store) = (Arc::<Mutex<Leases>>::default(), database().await);
        let (told, _unheard) = channel(8);
        let settings = Settings { namespace: "landfall".to_owned(), replica: "a".to_owned() };
        let shards = Arc::new(Shards::shared(1, "a".to_owned()));
        let keeper = Keeper::new((served(&leases), store.shards.clone()), settings, shards, told, Arc::new(WallClock));
        let stop = CancellationToken::new();
        leases.lock().late = Duration::from_millis(50);
        let running = tokio::spawn(keeper.run(stop.clone(), idle()));
        while leases.lock().holder().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
        running.await.expect("it ends");
        assert_eq!(leases.lock().holder(), None);
        assert!(!leases.lock().shard().is_null());
    }
}
