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
    Renewed(Box<Object>),
    /// It is ours, and not renewed: somebody has written something else into it.
    Changed(Box<Object>),
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
            tokio::select! {
                () = stop.cancelled() => break,
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
                Purpose::Shard(_) => None,
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
        let renewals: Vec<(u32, Renewal)> =
            join_all(due.map(|(number, mine)| async move { (*number, keeper.renewal(*number, mine).await) })).await;
        let (mut trouble, mut lost, mut is_well) = (None, Vec::new(), false);
        for (number, renewal) in renewals {
            let Some(mine) = self.mine.get_mut(&number) else { continue };
            mine.tried = now;
            match renewal {
                Renewal::Renewed(lease) => {
                    mine.lease = *lease;
                    // What was answered late was held from when it was asked for.
                    mine.held.leave.extend(now + LEAVE);
                    is_well = true;
                }
                Renewal::Changed(lease) => (mine.lease, mine.tried) = (*lease, now - RENEWED),
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
        for (number, why) in lost {
            tracing::warn!("shard {number} is let go: {why}");
            self.let_go(number).await;
        }
    }

    /// Renews one: by its lease and by the epoch of its journal.
    async fn renewal(&self, number: u32, mine: &Mine) -> Renewal {
        let purpose = Purpose::Shard(number);
        let Some(fence) = &mine.held.fence else { return Renewal::Lost("it has no fence".to_owned()) };
        let wanted = self.wanted(Some(&mine.lease), &purpose, Some(fence.epoch));
        let holds = async {
            match timeout(ANSWER, self.store.holds(fence)).await {
                Ok(holds) => holds.map_err(|error| error.to_string()),
                Err(_) => Err(SILENT.to_owned()),
            }
        };
        let (written, holds) = tokio::join!(self.write(Some(&mine.lease), &wanted), holds);
        match (written, holds) {
            (_, Ok(false)) => Renewal::Lost("its journal is written by another replica, or begun anew".to_owned()),
            (Ok(lease), Ok(true)) => Renewal::Renewed(Box::new(lease)),
            (Err(error), _) if error.is_conflict() || error.is_not_found() => self.adopted(&purpose).await,
            (Err(error), _) => Renewal::Unknown(format!("shard {number} cannot be renewed: {error}")),
            (Ok(_), Err(why)) => Renewal::Unknown(format!("shard {number} cannot be renewed: {why}")),
        }
    }

    /// Somebody has written into a lease of ours: whether it is ours all the same.
    async fn adopted(&self, purpose: &Purpose) -> Renewal {
        match timeout(ANSWER, self.cluster.get(&purpose.key(&self.settings.namespace))).await {
            Ok(Ok(Some(lease))) if lease::holder(&lease) == Some(self.settings.replica.as_str()) => {
                Renewal::Changed(Box::new(lease))
            }
            Ok(Ok(found)) => {
                let by = found.as_ref().and_then(lease::holder).unwrap_or("nobody");
                Renewal::Lost(format!("{by} holds its lease"))
            }
            Ok(Err(error)) => Renewal::Unknown(error.to_string()),
            Err(_) => Renewal::Unknown("the cluster does not answer".to_owned()),
        }
    }

    /// Ends what a shard is held by, and tells the controller; the lease is given back where it is still ours.
    async fn let_go(&mut self, number: u32) {
        let Some(mine) = self.mine.remove(&number) else { return };
        mine.held.leave.end();
        self.shards.remove(number);
        self.tell();
        let back = lease::given_back(&mine.lease);
        if let Ok(lease) = self.write(Some(&mine.lease), &back).await {
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
            self.let_go(number).await;
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
        let taken = self.store.take((i64::from(number), i64::from(self.shards.count())), &self.settings.replica, known);
        let taken = async {
            match taken.await {
                Err(error) if !error.is_for_another_time() => {
                    // A database that was lost and is there again has no tables.
                    let prepared = self.store.prepare().await;
                    Err(prepared.err().unwrap_or(error).to_string())
                }
                taken => taken.map_err(|error| error.to_string()),
            }
        };
        let fence = timeout(ANSWER, taken).await.unwrap_or_else(|_| Err(SILENT.to_owned()));
        let held = match fence {
            Ok(fence) => Held { fence: Some(fence), leave: Leave::until(began + LEAVE) },
            Err(error) => {
                // Whoever reaches the database may have it.
                if let Ok(lease) = self.write(Some(&lease), &lease::given_back(&lease)).await {
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
        for (number, mine) in std::mem::take(&mut self.mine) {
            mine.held.leave.end();
            self.shards.remove(number);
            self.see(mine.lease, Instant::now());
        }
        // Those, too, that were just being taken.
        let is_ours = |lease: &&Object| {
            let is_shard = matches!(Purpose::of(lease), Some(Purpose::Shard(_)));
            is_shard && lease::holder(lease) == Some(self.settings.replica.as_str())
        };
        let ours: Vec<&Object> = self.seen.values().map(|seen| &seen.lease).filter(is_ours).collect();
        let keeper = &self;
        let given = ours.into_iter().map(|lease| async move {
            let back = lease::given_back(lease);
            if let Err(error) = keeper.write(Some(lease), &back).await {
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
