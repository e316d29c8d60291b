//! One task that owns all that is known: it takes in what has happened, steps the machines and sends errands.

mod acting;
mod refreshing;
mod seeing;
mod sharing;
mod weighing;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use landfall_apps::machine::{self, End, Freshness, Observation, Past};
use landfall_apps::{Application, Operation, PIN_ANNOTATION, refused_operation};
use landfall_cluster::{Change, Interest};
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedSender, unbounded_channel};
use tokio_util::task::TaskTracker;

use crate::api::{Line, Name};
use crate::board::Board;
use crate::checks::Known;
use crate::entry::{ALONGSIDE, Alone, Entry, Writing, digest_of};
use crate::errands::{Work, comparison, is_terminating};
use crate::ground::application_kind;
use crate::happened::{Found, Happened};
use crate::live::Lives;
use crate::news::{self, Standing};
use crate::others;
use crate::projects::{Projects, Weighed};
use crate::repositories::is_of;
use crate::settings::ArgoSettings;

/// Every Application is looked at once in this many seconds, whatever is told of it.
const LOOKED_AT: u64 = 180;
/// In turns of so many seconds.
const TURN: u64 = 3;
/// Who stands as before at another commit is told of that after so many milliseconds, and so many more for each Application: what
/// a push has changed goes first, and the API server is not asked for a hundred writes at once. At most so many in all.
const TOLD_AFTER: u64 = 300;
const TOLD_EACH: u64 = 50;
const TOLD_WITHIN: u64 = 20_000;
/// Observations that are taken in before the machines are stepped.
const BATCH: usize = 256;

/// The annotation of an Application that is left alone.
const SKIP: &str = "argocd.argoproj.io/skip-reconcile";

/// The owner of all that is known.
pub(crate) struct Controller {
    work: Arc<Work>,
    entries: BTreeMap<ObjectKey, Entry>,
    live: Lives,
    told: Sender<Happened>,
    happened: Receiver<Happened>,
    board: Arc<Board>,
    tasks: TaskTracker,
    /// What Applications are held against.
    projects: Projects,
    /// Who keeps ApplicationSets hears of references that have moved.
    sets: UnboundedSender<Vec<String>>,
    /// Who keeps the outbox of news hears how Applications stand.
    news: UnboundedSender<news::Seen>,
    /// What is to be told to machines.
    pending: BTreeMap<ObjectKey, Vec<Observation>>,
    /// The turn of regular looks.
    turn: u64,
    /// The greatest number that an errand of an Application had which is gone.
    former: u64,
    /// Held by who changes what an Application has delivered: one of its name that follows waits for the former's end.
    alone: BTreeMap<ObjectKey, Weak<Alone>>,
    /// Whether the Applications of the cluster are known.
    listed: bool,
    /// The Applications as they were seen last while another controller keeps them; nothing is done about them.
    observed: Option<BTreeMap<ObjectKey, Object>>,
    /// The shards whose Applications are kept here, as they stood after that was so.
    taken: BTreeSet<u32>,
    /// Those that are held, and it is being looked how they stand.
    taking: BTreeSet<u32>,
    /// The Applications that other replicas keep, as they were seen last.
    others: BTreeMap<ObjectKey, Object>,
}

/// Takes from an Application who wrote which of its fields: nobody here asks for it, and it is a third of it.
fn without_managers(object: &mut Object) {
    object.metadata_mut().remove("managedFields");
}

impl Controller {
    pub(crate) fn new(
        work: Arc<Work>,
        told: Sender<Happened>,
        happened: Receiver<Happened>,
        board: Arc<Board>,
    ) -> Self {
        let ((sets, moved), tasks) = (unbounded_channel(), TaskTracker::new());
        tasks.spawn(crate::sets::keep(Arc::clone(&work), moved, told.clone()));
        let taken = work.shards.held().into_iter().filter(|_| !work.shards.is_shared()).collect();
        let (news, stands) = unbounded_channel();
        tasks.spawn(news::keep(Arc::clone(&work), stands));
        let live = Lives::judged_by(work.settings.health(&work.session.clock));
        Controller {
            work,
            projects: Projects::default(),
            sets,
            news,
            entries: BTreeMap::new(),
            live,
            told,
            happened,
            board,
            tasks,
            pending: BTreeMap::new(),
            turn: 0,
            former: 0,
            alone: BTreeMap::new(),
            listed: false,
            observed: None,
            taken,
            taking: BTreeSet::new(),
            others: BTreeMap::new(),
        }
    }

    /// Works until it is told to stop, and then waits for what is under way, at most so long.
    pub(crate) async fn run(mut self, ending: Duration) {
        let (clock, stop) = (Arc::clone(&self.work.session.clock), self.work.session.stop.clone());
        self.work.repositories.look_out();
        let home = self.work.session.cluster.clone();
        let turn = self.work.turn.clone();
        let other = others::keeps(&home, turn.as_deref()).await;
        self.elsewhere(other.clone());
        self.tasks.spawn(others::watch((home, turn), other, self.told.clone(), stop.clone()));
        let all = |gvk: Gvk| Interest { gvk, namespace: None, name: None };
        // Projects first: whoever is held against none of them yet might begin what may not be.
        self.list_projects().await;
        self.work.settings.list(&self.work.session.cluster).await;
        let mut settings = self.work.session.cluster.observe(vec![ArgoSettings::interest()]);
        let mut projects = self.work.session.cluster.observe(vec![all(Projects::kind())]);
        let mut applications = self.work.session.cluster.observe_as(vec![all(application_kind())], |mut object| {
            without_managers(&mut object);
            Some(object)
        });
        let mut turns = tokio::time::interval(Duration::from_secs(TURN));
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let now = clock.now();
            let wake = self.entries.values().filter_map(|entry| entry.wake).min();
            let until = wake.and_then(|wake| Duration::try_from(wake.duration_since(now)).ok());
            let woken = async {
                match (wake, until) {
                    (Some(_), until) => clock.sleep(until.unwrap_or_default()).await,
                    (None, _) => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                change = applications.next() => match change {
                    Some(Ok(change)) => {
                        self.learn(&change).await;
                        self.changed(change);
                    }
                    Some(Err(error)) => {
                        tracing::error!("Applications cannot be watched: {error}");
                        break;
                    }
                    None => break,
                },
                Some(change) = projects.next() => self.project_changed(change),
                Some(change) = settings.next() => self.settings_changed(change),
                Some(happened) = self.happened.recv() => {
                    self.note(happened);
                    for _ in 0..BATCH {
                        let Ok(happened) = self.happened.try_recv() else { break };
                        self.note(happened);
                    }
                }
                _ = turns.tick() => {
                    self.shards_changed();
                    self.look_in_turn();
                    self.work.recents.tidy();
                }
                () = woken => self.wake(clock.now()),
            }
            self.step(clock.now());
        }
        stop.cancel();
        self.tasks.close();
        // What was begun is in the journal; what does not end in time is gone on with by the next process.
        let _in_time = tokio::time::timeout(ending, self.tasks.wait()).await;
    }

    fn observe(&mut self, key: &ObjectKey, observation: Observation) {
        self.pending.entry(key.clone()).or_default().push(observation);
    }

    /// Takes note of a change of an Application.
    fn changed(&mut self, change: Change) {
        match change {
            Change::Listed(_, objects) => {
                let there: Vec<ObjectKey> = objects.iter().map(Object::key).collect();
                let known = self.entries.keys().chain(self.others.keys());
                let known = known.chain(self.observed.iter().flat_map(BTreeMap::keys));
                let gone: Vec<ObjectKey> = known.filter(|key| !there.contains(key)).cloned().collect();
                gone.iter().for_each(|key| self.gone(key));
                objects.into_iter().for_each(|object| self.application(object));
                self.listed = true;
            }
            Change::Applied(object) => self.application(object),
            Change::Deleted(object) => self.gone(&object.key()),
            Change::Interrupted(why) => tracing::warn!("watch of Applications: {why}"),
        }
    }

    /// Takes note of whether another controller lives: as long as one does, this one looks on.
    fn elsewhere(&mut self, other: Option<String>) {
        self.work.stands_back.store(other.is_some(), Ordering::Relaxed);
        self.board.note(|told| told.elsewhere.clone_from(&other));
        match (other, self.observed.take()) {
            (Some(_), Some(observed)) => self.observed = Some(observed),
            (Some(other), None) => {
                tracing::warn!(
                    "{other} keeps the Applications of this cluster: nothing is done from here until it is gone"
                );
                self.pending.clear();
                let mut observed = BTreeMap::new();
                for (key, entry) in std::mem::take(&mut self.entries) {
                    // What is under way is in the journal, and gone on with when it is our turn again.
                    entry.running.iter().for_each(|running| running.stop.cancel());
                    self.former = self.former.max(entry.state.last_number());
                    observed.insert(key, entry.object);
                }
                self.observed = Some(observed);
            }
            (None, Some(observed)) => {
                tracing::warn!(
                    "no other controller keeps the Applications of this cluster any more: they are kept from here"
                );
                observed.into_values().for_each(|object| self.application(object));
            }
            (None, None) => {}
        }
    }

    fn gone(&mut self, key: &ObjectKey) {
        let was_others = self.others.remove(key).is_some();
        if self.observed.as_mut().and_then(|observed| observed.remove(key)).is_some() || was_others {
            let now = self.work.session.clock.now();
            self.board.gone(key.namespace.as_deref().unwrap_or_default(), &key.name, now);
        }
        self.observe(key, Observation::Gone);
    }

    fn application(&mut self, mut object: Object) {
        without_managers(&mut object);
        let key = object.key();
        let (mut observations, mut doubts) = (Vec::new(), Vec::new());
        if let Some(observed) = &mut self.observed {
            self.board.stands(Line::of(&object), self.work.session.clock.now());
            observed.insert(key, object);
            return;
        }
        if !self.is_ours(&key) {
            self.let_go(&key);
            self.board.stands(Line::of(&object), self.work.session.clock.now());
            self.others.insert(key, object);
            return;
        }
        self.others.remove(&key);
        if object.annotation(SKIP) == Some("true") {
            // It is left alone, and there all the same.
            self.board.stands(Line::of(&object), self.work.session.clock.now());
            return;
        }
        if self.entries.get(&key).is_some_and(|entry| entry.object.uid() != object.uid()) {
            // The one before it is gone, and nobody has said so.
            self.gone(&key);
            self.step(self.work.session.clock.now());
        }
        let is_new = !self.entries.contains_key(&key);
        let settings = self.work.settings.now();
        let before = self.entries.get(&key).map(|entry| entry.object.annotation(PIN_ANNOTATION).map(str::to_owned));
        if before.is_some_and(|before| before.as_deref() != object.annotation(PIN_ANNOTATION)) {
            // What its revisions lead to is another thing now.
            observations.push(Observation::Refreshed(Freshness::Latest));
        }
        let (former, alone) = (self.former, self.alone(&key));
        let connections = &self.work.connections;
        let entry =
            self.entries.entry(key.clone()).or_insert_with(|| Entry::new(object.clone(), connections, former, alone));
        if is_new {
            observations.push(Observation::Restored(Box::new(Past::of(&object))));
            // What it delivered before is watched at once: until it is compared nobody knows what it delivers now.
            let known = object.list_at("/status/resources").iter().filter_map(landfall_apps::resource_key);
            let known: Vec<Gvk> = known.map(|key| key.gvk).collect();
            known.iter().for_each(|gvk| self.live.watch(gvk, &entry.destination, &self.told));
            // What the lists show is no change to who has not looked yet.
            let kinds: BTreeSet<&Gvk> = known.iter().collect();
            let listings = kinds.into_iter().filter_map(|gvk| self.live.listing(&entry.destination.server, gvk));
            entry.listings = listings.collect();
        } else if is_terminating(&object) && !is_terminating(&entry.object) {
            observations.push(Observation::Terminated);
            if entry.running.is_none() {
                // It waited for its next try, or could not be brought to an end: nobody else writes down that it is over.
                let patch = json!({
                    "operation": Value::Null,
                    "status": {"operationState": {"phase": "Failed", "message": "Operation terminated"}},
                });
                let (work, told) = (Arc::clone(&self.work), self.told.clone());
                let (key, alone) = (Arc::new(key.clone()), Arc::clone(&entry.alone));
                let application = entry.application.clone();
                self.tasks.spawn(async move {
                    let _alone = alone.lock().await;
                    if let Ok(application) = &application
                        && let Err(why) = work.close(application).await
                    {
                        tracing::warn!("{} is open in the journal as before: {why}", application.name);
                    }
                    write(work, told, key, patch).await;
                });
            }
        }
        entry.takes(object, connections);
        let carried = entry.object.at("/operation").filter(|operation| !operation.is_null()).cloned();
        if let Ok(application) = &entry.application {
            let Weighed { wanted, doubt, unbounded } = self.projects.weigh(&self.work.orders, &settings, application);
            entry.not_acted_on = settings.told();
            entry.side_door = doubt.as_ref().map(|doubt| doubt.why.clone());
            entry.unbounded = unbounded;
            doubts.extend(doubt.map(|doubt| ("application.policy", doubt)));
            observations.push(Observation::Wanted(wanted));
            // What is under way takes its own wish off the Application when it ends.
            if carried.is_none() && entry.carried.is_some() && !entry.state.is_syncing() {
                observations.push(Observation::Withdrawn);
            } else if carried != entry.carried && carried.is_some() {
                let counts = match self.projects.is_protected(&self.work.orders, application) {
                    true => self.work.orders.answers(&entry.object),
                    false => Ok(()),
                };
                match (counts, Operation::carried(&entry.object)) {
                    (Err(doubt), _) => {
                        let why = format!("refused: the project is protected, and {}", doubt.why);
                        refuse(&self.work, &self.told, &self.tasks, application, &why);
                        doubts.push(("application.operation", doubt));
                    }
                    (Ok(()), Ok(Some(operation))) => observations.push(Observation::Requested(operation)),
                    (Ok(()), Ok(None)) => {}
                    (Ok(()), Err(refused)) => {
                        refuse(&self.work, &self.told, &self.tasks, application, &refused.to_string());
                    }
                }
            }
            if carried.is_none() && entry.carried.is_some() {
                let (work, ended) = (Arc::clone(&self.work), format!("{}/{}", application.namespace, application.name));
                self.tasks.spawn(async move { work.orders.end(&ended).await });
            }
            entry.carried = carried;
        } else if let Some((application, _)) = entry.abandoned(connections) {
            // It cannot be synced any more, and goes all the same.
            let wanted = self.projects.weigh(&self.work.orders, &self.work.settings.now(), &application).wanted;
            observations.push(Observation::Wanted(wanted));
        }
        for (action, doubt) in doubts {
            self.doubted(&key, action, &doubt);
        }
        observations.extend(self.asked_to_look(&key));
        self.pending.entry(key).or_default().extend(observations);
    }

    fn note(&mut self, happened: Happened) {
        match happened {
            Happened::Moved(addresses, revision) => {
                self.pass_on(&addresses, revision.as_deref());
                self.work.repositories.moved(addresses.iter().map(String::as_str));
                self.moved(&addresses, revision.as_deref());
            }
            Happened::Polled(address) => self.moved(&[address], None),
            Happened::Connected(clusters) => self.connected(&clusters),
            Happened::Live(server, seen) => self.seen(&server, seen),
            Happened::Observed(key, observation) => {
                if let (Observation::Ended { number, end }, Some(entry)) = (&observation, self.entries.get_mut(&*key))
                    && entry.state.works_on(*number)
                {
                    entry.running = None;
                    // What was compared before says nothing of afterwards.
                    entry.found = None;
                    entry.deletion_error = None;
                    let phase = match end {
                        End::Succeeded(_) => Some("Succeeded"),
                        End::Failed { .. } | End::Stopped => Some("Failed"),
                        End::Overtaken | End::NothingOpen => None,
                    };
                    let counted =
                        phase.map(|phase| (key.namespace.clone().unwrap_or_default(), key.name.clone(), phase));
                    self.board.note(|told| {
                        if let Some(counted) = counted {
                            *told.syncs.entry(counted).or_default() += 1;
                        }
                    });
                }
                self.observe(&key, observation);
            }
            Happened::Found(key, number, result, took) => self.found(&key, number, result, took),
            Happened::Alike(key, number, revisions) => self.alike(&key, number, revisions),
            Happened::Written(key, written) => self.written(&key, written),
            Happened::Elsewhere(other) => self.elsewhere(other),
            Happened::Shards => self.shards_changed(),
            Happened::Taken(shards, objects) => self.took(&shards, objects),
            Happened::SaidAnew => self.weigh_anew(&BTreeSet::new()),
            Happened::Announced(addresses, revision) => {
                self.work.repositories.moved(addresses.iter().map(String::as_str));
                self.moved(&addresses, revision.as_deref());
            }
            Happened::TagMoved(key, moved) => {
                if let Some(entry) = self.entries.get_mut(&*key) {
                    entry.moved = Some(moved);
                }
                self.observe(&key, Observation::Tick);
            }
            Happened::Unseen(key, unseen) => {
                if let Some(entry) = self.entries.get_mut(&*key) {
                    entry.unseen = unseen;
                }
            }
            Happened::Checked(key, last) => {
                if let Some(entry) = self.entries.get_mut(&*key) {
                    entry.checks = Known { last: Some(last), busy: false };
                }
                self.observe(&key, Observation::Tick);
            }
            Happened::Stays(key, number, why) => {
                if let Some(entry) = self.entries.get_mut(&*key).filter(|entry| entry.state.works_on(number)) {
                    entry.deletion_error = Some(why);
                }
                self.observe(&key, Observation::Ended { number, end: End::Overtaken });
            }
        }
    }

    /// Who could not be asked is asked again, and whose cluster is reached otherwise is compared there.
    fn connected(&mut self, clusters: &[Arc<str>]) {
        clusters.iter().for_each(|server| self.live.forget(server));
        self.work.repositories.connected();
        let mut told = Vec::new();
        for (key, entry) in &mut self.entries {
            let reconnects = entry.reconnects(&self.work.connections);
            if reconnects && let Ok(application) = &entry.application {
                let wanted = self.projects.weigh(&self.work.orders, &self.work.settings.now(), application).wanted;
                told.push((key.clone(), Observation::Wanted(wanted)));
            }
            if reconnects || entry.state.comparison_error().is_some() {
                told.push((key.clone(), Observation::Refreshed(Freshness::Latest)));
            }
        }
        told.into_iter().for_each(|(key, observation)| self.observe(&key, observation));
    }

    fn moved(&mut self, addresses: &[String], revision: Option<&str>) {
        // Nobody hears it when the process ends.
        let _ending = self.sets.send(addresses.to_vec());
        let keys: Vec<ObjectKey> = self
            .entries
            .iter()
            .filter(|(_, entry)| {
                let sources = entry.application.as_ref().map(|application| application.sources.as_slice());
                sources.unwrap_or_default().iter().any(|source| {
                    let named = source.target_revision.as_str();
                    let touched = revision.is_none_or(|moved| named.is_empty() || named == "HEAD" || named == moved);
                    touched && addresses.iter().any(|address| is_of(source, address))
                })
            })
            .map(|(key, _)| key.clone())
            .collect();
        keys.iter().for_each(|key| self.observe(key, Observation::Moved));
    }

    /// What was found before is found at other revisions, too: all that was read is the same there.
    fn alike(&mut self, key: &ObjectKey, number: u64, revisions: Vec<String>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if !entry.state.compares(number) {
            return;
        }
        self.board.note(|told| told.alike += 1);
        // Only the end of an operation takes it away, and nobody waits for this answer after that.
        let Some(found) = &mut entry.found else { return };
        found.revisions = revisions;
        let result = Ok(comparison(&found.compared));
        self.observe(key, Observation::Compared { number, result });
    }

    fn found(&mut self, key: &ObjectKey, number: u64, result: Result<Found, String>, took: Duration) {
        self.board.note(|told| {
            told.compared.0 += 1;
            told.compared.1 += took.as_secs_f64();
        });
        let Some(entry) = self.entries.get_mut(key) else { return };
        let mut says_anew = false;
        let compared = match result {
            Ok(found) => {
                // What a protected parent's branch says of its children counts as long as the parent itself does.
                if let Ok(application) = &entry.application {
                    let is_protected = self.projects.is_protected(&self.work.orders, application);
                    let believed = is_protected && self.work.orders.accepts(&entry.object);
                    let children = believed.then_some(found.compared.children.as_slice());
                    let parent = format!("{}/{}", application.namespace, application.name);
                    says_anew = self.work.orders.says(&parent, children);
                    if says_anew && self.work.shards.is_shared() {
                        let work = Arc::clone(&self.work);
                        self.tasks.spawn(async move { work.orders.share(&work.session.store.facts, &parent).await });
                    }
                }
                for one in &found.compared.resources {
                    self.live.watch(&one.key.gvk, &entry.destination, &self.told);
                }
                for note in &found.compared.notes {
                    tracing::info!("{key}: {note}");
                }
                let compared = comparison(&found.compared);
                if !entry.state.is_syncing() && entry.state.compares(number) {
                    entry.found = Some(found);
                }
                Ok(compared)
            }
            Err(why) => Err(why),
        };
        if says_anew {
            // Sets that it speaks of are looked at, too; nobody hears it when the process ends.
            let _ending = self.sets.send(Vec::new());
            self.weigh_anew(&BTreeSet::new());
        }
        self.observe(key, Observation::Compared { number, result: compared });
    }

    fn written(&mut self, key: &ObjectKey, written: Result<Option<Object>, String>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.writing = Writing::No;
        match written {
            // What was written into the one before it says nothing of this one.
            Ok(Some(object)) if object.uid() != entry.object.uid() => {}
            // What was answered is at least as new as what the watch told before.
            Ok(Some(object)) => {
                if let Some((_, version)) = &mut entry.wrote {
                    *version = object.resource_version().map(str::to_owned);
                }
                // Most often the watch has told of it before; then both are one object, and stay one.
                let is_newer = object.resource_version() != entry.object.resource_version();
                if let Some(status) = object.status().filter(|_| is_newer) {
                    entry.object.map_mut().insert("status".to_owned(), status.clone());
                }
            }
            Ok(None) => {}
            Err(why) => tracing::warn!("the status of {key} cannot be written: {why}"),
        }
        // Whatever happened meanwhile is told now.
        self.observe(key, Observation::Tick);
    }

    fn look_in_turn(&mut self) {
        let turns = LOOKED_AT / TURN;
        self.turn = (self.turn + 1) % turns;
        let due = |key: &&ObjectKey| place_of(key) % turns == self.turn;
        let keys: Vec<ObjectKey> = self.entries.keys().filter(due).cloned().collect();
        keys.iter().for_each(|key| self.observe(key, Observation::Refreshed(Freshness::Latest)));
    }

    fn wake(&mut self, now: Timestamp) {
        let due = |(_, entry): &(&ObjectKey, &Entry)| entry.wake.is_some_and(|wake| wake <= now);
        let keys: Vec<ObjectKey> = self.entries.iter().filter(due).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| self.observe(key, Observation::Tick));
    }

    /// Steps every machine that was told something, and does what follows.
    fn step(&mut self, now: Timestamp) {
        for (key, observations) in std::mem::take(&mut self.pending) {
            let is_gone = observations.contains(&Observation::Gone);
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.wake = None;
            let (state, actions) = machine::step(std::mem::take(&mut entry.state), observations, now);
            entry.state = state;
            for action in actions {
                self.act(&key, action);
            }
            if is_gone {
                if let Some(gone) = self.entries.remove(&key) {
                    self.former = self.former.max(gone.state.last_number());
                }
                self.alone.retain(|_, right| right.strong_count() > 0);
                self.board.gone(key.namespace.as_deref().unwrap_or_default(), &key.name, now);
                // Nobody hears it when the process ends.
                let name = Name { namespace: key.namespace.clone().unwrap_or_default(), name: key.name.clone() };
                let _ending = self.news.send(news::Seen::Gone(name.to_string()));
                continue;
            }
            self.tell(&key, now);
            self.end_look(&key, now);
            self.check(&key);
        }
        let (size, asked) = (self.live.size(), self.work.repositories.counts());
        let listed = self.listed;
        // Only now is each of them told of.
        self.board.note(|told| (told.live, told.asked, told.ready) = (size, asked, listed));
    }

    /// The right to change what an Application delivers: the same as long as anybody of its name is at work.
    fn alone(&mut self, key: &ObjectKey) -> Arc<Alone> {
        let right = self.alone.get(key).and_then(Weak::upgrade).unwrap_or_default();
        self.alone.insert(key.clone(), Arc::downgrade(&right));
        right
    }

    /// Writes an Application's status where it is not told yet.
    fn tell(&mut self, key: &ObjectKey, now: Timestamp) {
        let within = (TOLD_EACH * self.entries.len() as u64).min(TOLD_WITHIN);
        let Some(entry) = self.entries.get_mut(key) else { return };
        let pen = self.work.session.pens.of(key);
        let ended = entry.running.as_ref().map_or_else(|| pen.ended(), |running| running.pen.1);
        if entry.writing == Writing::No
            && pen.ended() == ended
            && let Some(status) = entry.status(&self.live, now)
            && !holds_back(entry, &status, (key, within), now)
        {
            entry.writing = Writing::Once;
            let mut told = status["status"].clone();
            if let Some(told) = told.as_object_mut() {
                told.retain(|field, _| !ALONGSIDE.contains(&field.as_str()));
            }
            entry.wrote = Some((digest_of(&told), None));
            let (work, told, key) = (Arc::clone(&self.work), self.told.clone(), Arc::new(key.clone()));
            self.tasks.spawn(async move {
                let written = work.tell(&key, status, (&pen, ended)).await;
                // Nobody is told when the process ends.
                let _ending = told.send(Happened::Written(key, written)).await;
            });
        }
        self.board.stands(Line::of(&entry.object), now);
        let mut standing = Standing::of(&entry.object);
        standing.moved.clone_from(&entry.moved);
        // Nor does a forge's token tell anything of a repository that its project leads it away from.
        if !entry.application.as_ref().is_ok_and(|application| self.projects.permits(application)) {
            standing.is_of_no_commit();
        }
        if entry.standing.as_ref() != Some(&standing) {
            entry.standing = Some(standing.clone());
            // Nobody hears it when the process ends.
            let _ending = self.news.send(news::Seen::Stands(Box::new(standing)));
        }
    }
}

/// Whether it is not told yet that an Application stands as before at another commit: each has its own moment within so many
/// milliseconds. It wakes then.
fn holds_back(entry: &mut Entry, status: &Value, (key, within): (&ObjectKey, u64), now: Timestamp) -> bool {
    // Whoever has asked for a look waits for what it says.
    if !entry.is_as_before(status) || entry.look.is_some() {
        entry.tells_at = None;
        return false;
    }
    let at = *entry.tells_at.get_or_insert_with(|| {
        let after = Duration::from_millis(TOLD_AFTER + place_of(key) % within.max(1));
        now.checked_add(after).unwrap_or(now)
    });
    let is_early = now < at;
    if is_early {
        entry.wake = Some(entry.wake.map_or(at, |wake| wake.min(at)));
    } else {
        entry.tells_at = None;
    }
    is_early
}

/// A number by which Applications are spread over time.
fn place_of(key: &ObjectKey) -> u64 {
    let mut place = DefaultHasher::new();
    key.hash(&mut place);
    place.finish()
}

/// Takes an operation off an Application that cannot be carried out, and says why.
fn refuse(work: &Arc<Work>, told: &Sender<Happened>, tasks: &TaskTracker, application: &Application, why: &str) {
    let patch = refused_operation(&application.object, why, work.session.clock.now());
    tasks.spawn(write(Arc::clone(work), told.clone(), Arc::new(application.key()), patch));
}

/// Merges into an Application, and tells what it is then.
async fn write(work: Arc<Work>, told: Sender<Happened>, key: Arc<ObjectKey>, patch: Value) {
    let written = work.write(&key, patch).await;
    // Nobody is told when the process ends.
    let _ending = told.send(Happened::Written(key, written)).await;
}

#[cfg(test)]
mod tests {
    use landfall_chart::SchemaDocuments;
    use landfall_cluster::Cluster;
    use landfall_delivery::Session;
    use landfall_source::{Network, RemoteCharts};
    use landfall_store::{Location, Store};
    use tokio::sync::mpsc::channel;

    use super::*;
    use crate::connections::Connections;
    use crate::recents::Recents;
    use std::sync::atomic::AtomicBool;

    use crate::news::Sinks;
    use crate::repositories::Repositories;

    /// A controller of a cluster that does not answer.
    async fn controller() -> Controller {
        let _provider = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = kube::Config::new("http://127.0.0.1:9".parse().expect("an address"));
        let cluster = Cluster::new(kube::Client::try_from(config).expect("a client"));
        let store = Store::open(Location::Memory).await.expect("opened");
        let session = Session::new(cluster, store, channel(1).0);
        let (told, happened) = channel(64);
        let connections = Arc::new(Connections::new(session.cluster.clone(), &session.stop));
        let (charts, listening) = (RemoteCharts::default(), (told.clone(), session.stop.clone()));
        let known = Arc::clone(&connections);
        let repositories = Repositories::new(Vec::new(), charts, "/nowhere".into(), known, listening);
        let (documents, network) = (SchemaDocuments::default(), Network::default());
        let roles = Arc::new(crate::accounts::Roles::new(None).expect("nothing is fixed"));
        let clock = Arc::clone(&session.clock);
        let orders = crate::accounts::Orders::load(session.store.orders.clone(), Arc::clone(&clock)).await;
        let orders = Arc::new(orders.expect("loaded"));
        let alarms =
            Arc::new(crate::alarms::Alarms::new((session.store.audit.clone(), session.store.news.clone()), clock));
        let work = Work {
            session,
            repositories,
            connections,
            documents,
            sops: Default::default(),
            network,
            declared: Vec::new(),
            origin: None,
            sinks: Sinks::default(),
            reach: landfall_delivery::NetworkReach::default(),
            roles,
            settings: ArgoSettings::default(),
            orders,
            alarms,
            registries: crate::admitted::Registries::new(landfall_source::Network::default(), Vec::new()),
            shards: Arc::new(crate::shards::Shards::alone()),
            stands_back: AtomicBool::default(),
            turn: None,
            recents: Recents::default(),
        };
        Controller::new(Arc::new(work), told, happened, Arc::new(Board::new(0)))
    }

    fn application(uid: &str) -> Object {
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd", "uid": uid},
            "spec": {"project": "default", "destination": {"namespace": "shop", "server": "https://kubernetes.default.svc"},
                "source": {"repoURL": "https://git.invalid/shop.git", "path": "deploy"}},
        }))
        .expect("a map")
    }

    #[tokio::test]
    async fn se_046_a_push_has_the_applications_of_its_repository_and_branch_looked_at_at_once() {
        let mut controller = controller().await;
        let key = application("first").key();
        controller.application(application("first"));
        controller.step(Timestamp::UNIX_EPOCH);
        let looked = |controller: &mut Controller, address: &str, branch: &str| {
            controller.pending.clear();
            controller.note(Happened::Moved(vec![address.to_owned()], Some(branch.to_owned())));
            controller.pending.get(&key).is_some_and(|told| told.contains(&Observation::Moved))
        };
        assert!(looked(&mut controller, "https://git.invalid/shop.git", "main"));
        assert!(looked(&mut controller, "ssh://git@git.invalid/shop", "main"), "another spelling of it");
        assert!(!looked(&mut controller, "https://git.invalid/other.git", "main"));
    }

    #[tokio::test]
    async fn what_a_comparison_will_see_is_no_reason_for_another_one() {
        let mut controller = controller().await;
        let key = application("first").key();
        let map = json!({"group": "", "kind": "ConfigMap", "version": "v1", "namespace": "shop", "name": "settings"});
        let mut object = application("first");
        object.map_mut().insert("status".to_owned(), json!({"resources": [map]}));
        controller.application(object);
        let entry = &controller.entries[&key];
        let (server, unread) = (Arc::clone(&entry.destination.server), Arc::clone(&entry.unread));
        assert_eq!(entry.listings.len(), 1, "its first comparison waits for the list of its kind");
        let mut changes = |digest: &str| {
            controller.pending.clear();
            let row =
                crate::row::Row { owner: Some("shop".into()), digest: digest.into(), health: None, counts: false };
            let name =
                landfall_apps::ResourceName { kind: "ConfigMap".into(), name: "settings".into(), ..Default::default() };
            let listed = crate::happened::Seen::Listed(Gvk::new("", "v1", "ConfigMap"), vec![(name, row)]);
            controller.note(Happened::Live(Arc::clone(&server), listed));
            controller.pending.get(&key).is_some_and(|told| told.contains(&Observation::LiveChanged))
        };
        unread.store(true, Ordering::Release);
        assert!(!changes("one"), "it waits for its place yet");
        unread.store(false, Ordering::Release);
        assert!(changes("two"), "it has read, or nobody compares");
        assert!(*controller.entries[&key].listings[0].borrow(), "who waits hears of the list");
    }

    #[tokio::test]
    async fn a_wish_is_looked_for_once_it_is_taken_and_another_one_beside_it() {
        let mut controller = controller().await;
        let key = application("first").key();
        let mut looks = |words: &str| {
            let mut object = application("first");
            object.set_annotation("argocd.argoproj.io/refresh", words);
            controller.application(object);
            controller.pending.remove(&key).unwrap_or_default().into_iter().find_map(|told| match told {
                Observation::Refreshed(freshness) => Some(freshness),
                _ => None,
            })
        };
        assert_eq!(looks("hard"), None, "it is to be taken first");
        assert_eq!(looks("hard@7"), Some(Freshness::Hard));
        assert_eq!(looks("hard@7"), None, "it is under way");
        assert_eq!(looks("hard"), None);
        assert_eq!(looks("hard@9"), Some(Freshness::Hard), "somebody has asked again meanwhile");
        assert_eq!(looks("normal@11"), Some(Freshness::Latest));
    }

    #[tokio::test]
    async fn one_that_takes_the_place_of_another_unseen_begins_behind_it_and_when_that_has_ended() {
        let mut controller = controller().await;
        let key = application("first").key();
        let now = Timestamp::UNIX_EPOCH;
        controller.application(application("first"));
        controller.step(now);
        let former = &controller.entries[&key];
        let (last, alone) = (former.state.last_number(), Arc::clone(&former.alone));
        assert!((1..=last).any(|number| former.state.works_on(number)), "it looks what was left open");
        let at_work = alone.lock().await;
        // The watch was interrupted: nobody says that the former is gone.
        controller.application(application("second"));
        controller.step(now);
        let next = &controller.entries[&key];
        assert_eq!(next.object.uid(), Some("second"));
        assert!(!(1..=last).any(|number| next.state.works_on(number)), "its numbers are its own");
        assert!((last + 1..=next.state.last_number()).any(|number| next.state.works_on(number)));
        assert!(next.alone.try_lock().is_err(), "who still works for the former is waited for");
        drop(at_work);
        // What is late for the former ends nothing of the next one's.
        for number in 1..=last {
            let late = Observation::Ended { number, end: End::Succeeded(Vec::new()) };
            controller.note(Happened::Observed(Arc::new(key.clone()), late));
        }
        let counted = controller.board.read().syncs;
        assert!(counted.is_empty(), "{counted:?}");
    }
}
