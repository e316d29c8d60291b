//! Where sequences are played, and what is judged after each deed.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use landfall_apps::Applications;
use landfall_cluster::{Cluster, DeleteOptions, Patch, WriteOptions};
use landfall_drydock::{Clock as Time, ControlPlane, Options};
use landfall_engine::{Clock, Conductor, Error, Killed, Probe, Recovery, Unrecorded};
use landfall_object::{Gvk, Object, ObjectKey, once_keys};
use landfall_release::Releases;
use landfall_secrets::{KeySize, Keyring, SealingKey};
use landfall_store::{Location, Store};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::deeds::Done;
use super::{Course, deeds};
use crate::dice::Dice;

/// The Secret that everything is tried at, and its key.
pub(super) const NAME: &str = "keys";
pub(super) const KEY: &str = "PEPPER";
/// How many deeds a sequence has, at least, and how many more at most.
const DEEDS: (usize, usize) = (6, 9);
/// One sequence of so many is begun without the dice.
const STAGED: u64 = 500;

/// An embedded cluster, with SealedSecrets, certificates and a sealing key.
pub(super) struct Ground {
    embedded: landfall_drydock::Cluster,
    pub(super) cluster: Cluster,
    store: Store,
    pub(super) sealing: SealingKey,
    pub(super) keyring: Keyring,
}

/// The embedded cluster's clock, for the engine.
struct Virtual(landfall_drydock::Cluster);

impl Clock for Virtual {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> futures::future::BoxFuture<'static, ()> {
        let cluster = self.0.clone();
        let until = cluster.now().saturating_add(duration).unwrap_or(jiff::Timestamp::MAX);
        Box::pin(async move { cluster.sleep_until(until).await })
    }

    fn hold(&self) -> Box<dyn Send> {
        Box::new(self.0.hold())
    }
}

impl Ground {
    pub(super) async fn new() -> anyhow::Result<Self> {
        let options =
            Options { clock: Time::virtual_clock(), control_plane: ControlPlane::default(), ..Options::default() };
        let embedded = landfall_drydock::Cluster::open(options).await?;
        let cluster = Cluster::new(embedded.client());
        let sealing = SealingKey::generate(KeySize::Rsa2048, embedded.now())?;
        let store = Store::open(Location::Memory).await?;
        let (keyring, _) = Keyring::of_secrets([&sealing.to_secret("kube-system")]);
        let ground = Ground { embedded, cluster, store, sealing, keyring };
        for group in ["bitnami.com", "cert-manager.io", "k8s.mariadb.com", "argoproj.io"] {
            for definition in landfall_object::operators::definitions(group) {
                ground.create(definition).await?;
            }
        }
        ground.create(ground.sealing.to_secret("kube-system")).await?;
        ground.embedded.settle();
        ground.cluster.forget_discovery();
        Ok(ground)
    }

    pub(super) fn close(self) {
        self.embedded.stop();
    }

    pub(super) async fn create(&self, object: Value) -> anyhow::Result<Object> {
        let object = Object::from_value(object).context("a map is wanted")?;
        let made = self.cluster.create(&object, &by_hand()).await;
        Ok(made?)
    }

    /// Lets the cluster's own controllers come to rest.
    pub(super) fn settle(&self) {
        self.embedded.settle();
    }
}

/// As a person writes.
pub(super) fn by_hand() -> WriteOptions {
    WriteOptions { field_manager: Some("kubectl".to_owned()), ..WriteOptions::default() }
}

/// Ends a run at one of its points.
pub(super) struct KillAt {
    left: AtomicUsize,
    /// Only points of this beginning count.
    of: &'static str,
    pub(super) at: Mutex<Option<String>>,
}

impl KillAt {
    /// At the point of that number, from 1; at none for 0.
    pub(super) fn new(number: usize) -> Arc<Self> {
        Arc::new(KillAt { left: AtomicUsize::new(number), of: "", at: Mutex::new(None) })
    }

    /// When something is about to be written, for that many times, from 1.
    pub(super) fn before_effect(number: usize) -> Arc<Self> {
        Arc::new(KillAt { left: AtomicUsize::new(number), of: "before effect", at: Mutex::new(None) })
    }

    pub(super) fn killed(&self) -> Option<String> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Probe for KillAt {
    fn reach(&self, point: fmt::Arguments<'_>) -> Result<(), Killed> {
        let point = point.to_string();
        if !point.starts_with(self.of) {
            return Ok(());
        }
        match self.left.load(Ordering::Relaxed) {
            0 => Ok(()),
            1 => {
                *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(point.clone());
                Err(Killed(point))
            }
            more => {
                self.left.store(more - 1, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

static OPERATIONS: AtomicU64 = AtomicU64::new(0);

/// One sequence, in a namespace of its own.
pub(super) struct Sequence<'g> {
    pub(super) ground: &'g Ground,
    pub(super) namespace: String,
    pub(super) dice: Dice,
    seed: u64,
    /// What must not change: the uid and the value, in base64.
    kept: Option<(String, String)>,
    course: Course,
}

impl<'g> Sequence<'g> {
    pub(super) async fn new(ground: &'g Ground, seed: u64) -> anyhow::Result<Self> {
        let namespace = format!("once-{seed:x}");
        ground.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})).await?;
        Ok(Sequence { ground, namespace, dice: Dice::new(seed), seed, kept: None, course: Course::default() })
    }

    /// Whether it begins with what the dice come to in fewer than one of some thousand.
    pub(super) fn begins_staged(&self) -> bool {
        self.seed % STAGED == STAGED / 2
    }

    /// Plays it to its end, or to what is wrong.
    pub(super) async fn play(&mut self) -> Course {
        let count = DEEDS.0 + self.dice.below(DEEDS.1);
        for number in 0..count {
            let was_guarded = self.kept.is_some();
            let Done { deed, told } = deeds::one(self, number == 0).await;
            self.ground.settle();
            // Some are guarded in their course.
            let is_guarded = was_guarded || self.kept.is_some();
            self.course.guarded += usize::from(is_guarded);
            self.course.refused += usize::from(is_guarded && told.contains("generated once"));
            self.course.killed += usize::from(is_guarded && told.contains("killed"));
            if is_guarded {
                self.course.deeds.insert(deed);
            }
            self.course.told.push(told);
            if let Some(wrong) = self.judge().await {
                self.course.wrong = Some(wrong);
                break;
            }
        }
        std::mem::take(&mut self.course)
    }

    /// Guards a key, does what no writer of ours may do, and tells what was seen.
    pub(super) async fn with_fault(&mut self, fault: &str) -> anyhow::Result<Option<String>> {
        self.ground.create(deeds::secret(&self.namespace, deeds::VALUES[0], true)).await?;
        anyhow::ensure!(self.judge().await.is_none(), "it is judged before anything is wrong");
        deeds::fault(self, fault).await?;
        Ok(self.judge().await)
    }

    /// What is wrong with the Secret; nothing where no key of it was guarded.
    async fn judge(&mut self) -> Option<String> {
        let live = match self.ground.cluster.get(&self.key()).await {
            Ok(live) => live,
            Err(error) => return Some(format!("the Secret cannot be read: {error}")),
        };
        let guarded = live.as_ref().filter(|live| once_keys(live).iter().any(|key| key == KEY));
        let now = guarded.and_then(|live| {
            let value = live.at("/data")?.get(KEY)?.as_str()?;
            Some((live.uid()?.to_owned(), value.to_owned()))
        });
        match (&self.kept, now) {
            (None, now) => {
                self.kept = now;
                None
            }
            (Some(kept), Some(now)) if *kept == now => None,
            (Some(kept), now) => Some(format!("{kept:?} has become {now:?}")),
        }
    }

    /// Takes note of what is guarded now, in the middle of a deed.
    pub(super) async fn keep(&mut self) {
        // Nothing was kept before: there is nothing to be wrong.
        let _nothing = self.judge().await;
    }

    pub(super) fn key(&self) -> ObjectKey {
        ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(&self.namespace), NAME)
    }

    pub(super) async fn secret(&self) -> Option<Object> {
        self.ground.cluster.get(&self.key()).await.ok().flatten()
    }

    pub(super) fn releases(&self) -> Releases {
        Releases::new(self.ground.cluster.clone(), &*self.namespace, self.clock())
    }

    pub(super) fn applications(&self) -> Applications {
        let Ground { cluster, store, .. } = self.ground;
        Applications {
            semantics: Default::default(),
            excluded: Default::default(),
            health: Default::default(),
            cluster: cluster.clone(),
            home: cluster.clone(),
            store: store.clone(),
            clock: self.clock(),
            expected: landfall_engine::Kinds::default(),
            pens: Default::default(),
            claims: Default::default(),
            barred: Default::default(),
            given_as_live: false,
        }
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        self.ground.embedded.now()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(Virtual(self.ground.embedded.clone()))
    }

    pub(super) fn conductor(&self, probe: Arc<dyn Probe>) -> Conductor {
        // What is told is heard by nobody.
        let (events, _) = tokio::sync::mpsc::channel(1);
        Conductor {
            cluster: self.ground.cluster.clone(),
            store: self.ground.store.clone(),
            events,
            clock: self.clock(),
            probe,
            health: Default::default(),
            stop: CancellationToken::new(),
            new_id: Arc::new(|| format!("op-{:09}", OPERATIONS.fetch_add(1, Ordering::Relaxed))),
        }
    }

    /// The point at which the next deed is killed; none in two of three.
    pub(super) fn kill(&mut self) -> Arc<KillAt> {
        let number = if self.dice.percent(50) { 1 + self.dice.below(14) } else { 0 };
        KillAt::new(number)
    }

    /// Goes on with what was killed before.
    pub(super) async fn recover(&mut self) -> String {
        let conductor = self.conductor(Arc::new(landfall_engine::NoProbe));
        let plan = conductor.recover(&Unrecorded, &self.target(), Duration::ZERO).await;
        let plan = match plan {
            Ok(Recovery::Resumed(report)) => format!("resumed {}", told(report.failure.map(|it| it.message))),
            Ok(_) => "clean".to_owned(),
            Err(error) => error.to_string(),
        };
        let release = match conductor.recover(&self.releases(), "web", Duration::ZERO).await {
            Ok(Recovery::Resumed(ended)) => format!("resumed {}", told(ended.report.failure.map(|it| it.message))),
            Ok(_) => "clean".to_owned(),
            Err(error) => error.to_string(),
        };
        let application = match deeds::argo::plain(&self.namespace) {
            None => "none".to_owned(),
            Some(application) => match conductor.recover(&self.applications(), &application, Duration::ZERO).await {
                Ok(Recovery::Resumed(ended)) => format!("resumed {}", told(ended.report.failure.map(|it| it.message))),
                Ok(_) => "clean".to_owned(),
                Err(error) => error.to_string(),
            },
        };
        format!("goes on: plan {plan}; release {release}; application {application}")
    }

    /// What plans of this sequence deliver to.
    pub(super) fn target(&self) -> String {
        format!("once {}", self.namespace)
    }

    pub(super) async fn delete_by_hand(&self, key: &ObjectKey) -> Result<(), landfall_cluster::Error> {
        self.ground.cluster.delete(key, &DeleteOptions::default()).await.map(drop)
    }

    pub(super) async fn patch_by_hand(&self, key: &ObjectKey, patch: Value) -> Result<(), landfall_cluster::Error> {
        self.ground.cluster.patch(key, &Patch::Merge(patch), &by_hand()).await.map(drop)
    }
}

/// How something ended.
pub(super) fn told(failure: Option<String>) -> String {
    failure.map_or_else(|| "and done".to_owned(), |why| format!("and refused: {why}"))
}

/// How an operation of the engine ended.
pub(super) fn engine(error: &Error, killed: Option<String>) -> String {
    match killed {
        Some(point) => format!("killed at {point}"),
        None => format!("refused: {error}"),
    }
}
