//! The controller of SealedSecrets: it opens them as Bitnami's does, with the keys of that, and stands back while that is there.
//!
//! ```text
//! SealedSecrets, Secrets, Deployments ──watched──► what is due ──► secrets::control decides ──► Secret, event, status
//!                                        │
//!                                        └─► stock.rs: the original is there ──► nothing is written
//! sealing keys (kube-system) ──► Keyring ──► desk.rs: what listener.rs answers kubeseal with
//! ```
//!
//! What is decided is `landfall_secrets::control`'s, which the embedded cluster's twin carries out as well. Of Secrets nothing is
//! kept but the keys and a digest of what was written last.

mod desk;
mod listener;
mod pace;
mod stock;
mod writing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use landfall_cluster::{Change, Cluster, Interest, ListOptions};
use landfall_delivery::Session;
use landfall_engine::Clock;
use landfall_host::{Audience, Notice};
use landfall_object::{Gvk, Object};
use landfall_secrets::control::{self, KEY_NAMESPACE, Refusal, SERVICE};
use landfall_secrets::{KEY_LABEL, KEY_PREFIX, Keyring};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

pub(crate) use desk::Desk;
pub(crate) use listener::serve;

use crate::options::Sealing;
use stock::Stock;

/// The field manager of what it writes.
pub(crate) const MANAGER: &str = control::KEEPER;

/// How often it is looked whether SealedSecrets are served by now, or may be read.
const LOOK: Duration = Duration::from_secs(10);
/// How often it is looked whether a new key is due, when nothing happens.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// SealedSecrets that are dealt with before what has happened meanwhile is heard.
const AT_ONCE: usize = 16;
/// How often one is tried again that the cluster would not let be written, as `--max-unseal-retries`.
const RETRIES: u32 = 5;

/// Namespace and name.
type Name = (String, String);
type Digest = [u8; 32];

/// What is known of a SealedSecret.
struct Known {
    object: Object,
    /// What of it was dealt with.
    dealt: Option<Digest>,
    /// The data of its Secret, as it was when it was dealt with.
    data: Option<Digest>,
    /// Whether it opened.
    opened: bool,
    /// When it is to be dealt with.
    due: Option<Timestamp>,
    tries: u32,
}

impl Known {
    /// Whether its Secret could not be written: whoever changes that may have let it be taken over.
    fn is_refused(&self) -> bool {
        self.dealt.is_some() && !self.opened
    }
}

/// Keeps the Secrets of a cluster's SealedSecrets.
pub(crate) struct Keeper {
    cluster: Cluster,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    mode: Sealing,
    desk: Arc<Desk>,
    audience: Arc<dyn Audience>,
    known: BTreeMap<Name, Known>,
    stock: Stock,
    /// Whether the keys have changed since they were read.
    stale: bool,
    /// Whether all that is there is known: nothing is written before.
    listed: Listed,
    /// When it was last looked whether the cluster is an embedded one that opens its own.
    twin_asked: Option<Timestamp>,
}

/// What has been listed at least once.
#[derive(Default)]
struct Listed {
    sealed: bool,
    deployments: bool,
}

impl Keeper {
    pub(crate) fn new(
        (session, cluster): (&Session, Cluster),
        mode: Sealing,
        desk: Arc<Desk>,
        audience: Arc<dyn Audience>,
    ) -> Self {
        let Session { clock, stop, .. } = session;
        Keeper {
            cluster,
            clock: Arc::clone(clock),
            stop: stop.clone(),
            mode,
            desk,
            audience,
            known: BTreeMap::new(),
            stock: Stock::new(clock.now()),
            stale: true,
            listed: Listed::default(),
            twin_asked: None,
        }
    }

    fn say(&self, words: impl Into<String>) {
        self.audience.tell(&Notice::Sealing(words.into()));
    }

    /// Works until it is told to stop. Where SealedSecrets are not served, or may not be read, it waits for that.
    pub(crate) async fn run(mut self) {
        let mut told = String::new();
        loop {
            let ended = match self.cluster.resource(&sealed_kind()).await {
                Ok(_) => self.watch().await,
                Err(landfall_cluster::Error::NoMatch { .. }) => None,
                Err(error) => Some(error.to_string()),
            };
            if self.stop.is_cancelled() {
                return;
            }
            if let Some(why) = ended.filter(|why| *why != told) {
                self.say(format!("none is opened: {why}"));
                told = why;
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.clock.sleep(LOOK) => {}
            }
        }
    }

    /// Watches, and does what follows; why it could not go on.
    async fn watch(&mut self) -> Option<String> {
        (self.known, self.listed, self.stale) = (BTreeMap::new(), Listed::default(), true);
        let all = |gvk: Gvk| Interest { gvk, namespace: None, name: None };
        let interests = [sealed_kind(), secret_kind(), deployment_kind()].map(all);
        let mut changes = self.cluster.observe(interests.into());
        let (clock, stop) = (Arc::clone(&self.clock), self.stop.clone());
        loop {
            let now = clock.now();
            let is_known = self.listed.sealed && self.listed.deployments;
            let next = self.known.values().filter_map(|known| known.due).min().filter(|_| is_known);
            let until = next.and_then(|due| Duration::try_from(due.duration_since(now)).ok());
            let until = if next.is_some() { until.unwrap_or_default() } else { HOUSEKEEPING };
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                change = changes.next() => {
                    let mut next = Some(change);
                    while let Some(change) = next {
                        match change {
                            Some(Ok(change)) => self.note(change),
                            Some(Err(error)) => {
                                let what = error.to_string();
                                // Without it nobody knows of the original but by what it writes.
                                if !what.contains("deployments") {
                                    return Some(what);
                                }
                                self.say(format!("whether their own controller is there is not looked at: {what}"));
                                self.listed.deployments = true;
                            }
                            None => return None,
                        }
                        next = changes.next().now_or_never();
                    }
                }
                () = clock.sleep(until) => {}
            }
            if let Err(error) = self.work().await {
                self.say(format!("none is opened for now: {error}"));
                tokio::select! {
                    () = stop.cancelled() => return None,
                    () = clock.sleep(LOOK) => {}
                }
            }
        }
    }

    fn note(&mut self, change: Change) {
        match change {
            Change::Listed(interest, objects) if interest.gvk == sealed_kind() => {
                let there: Vec<Name> = objects.iter().map(name_of).collect();
                self.known.retain(|name, _| there.contains(name));
                objects.into_iter().for_each(|object| self.sealed(object));
                self.listed.sealed = true;
            }
            Change::Listed(interest, objects) if interest.gvk == deployment_kind() => {
                self.stock.list(&objects);
                self.listed.deployments = true;
            }
            Change::Listed(_, secrets) => {
                self.stale = true;
                let there: Vec<Name> = secrets.iter().map(name_of).collect();
                let gone: Vec<Name> = self.known.keys().filter(|name| !there.contains(name)).cloned().collect();
                gone.iter().for_each(|name| self.queue(name));
                secrets.iter().for_each(|secret| self.secret(secret));
            }
            Change::Applied(object) => match object.kind() {
                "SealedSecret" => self.sealed(object),
                "Deployment" => self.stock.see(&object),
                _ => self.secret(&object),
            },
            Change::Deleted(object) => match object.kind() {
                "SealedSecret" => drop(self.known.remove(&name_of(&object))),
                "Deployment" => self.stock.lose(&object),
                _ => {
                    self.stale |= is_key(&object);
                    self.queue(&name_of(&object));
                }
            },
            Change::Interrupted(why) => tracing::warn!("watch of SealedSecrets: {why}"),
        }
    }

    fn sealed(&mut self, object: Object) {
        self.stock.see_status(&object);
        let (name, digest, now) = (name_of(&object), digest_of(&object), self.clock.now());
        match self.known.get_mut(&name) {
            Some(known) if known.object.uid() == object.uid() => {
                if known.dealt != Some(digest) {
                    (known.due, known.tries) = (Some(now), 0);
                }
                known.object = object;
            }
            _ => {
                let known = Known { object, dealt: None, data: None, opened: false, due: Some(now), tries: 0 };
                self.known.insert(name, known);
            }
        }
    }

    /// A Secret that is otherwise than it was left is looked at; labels and annotations are others' to add, but for the one that
    /// protects a key while the Secret has an owner.
    fn secret(&mut self, secret: &Object) {
        if is_key(secret) {
            self.stale = true;
        }
        let now = self.clock.now();
        if let Some(known) = self.known.get_mut(&name_of(secret))
            && (known.data.is_some_and(|data| data != data_of(secret.value()))
                || known.is_refused()
                || control::freed(secret.value()).is_some())
        {
            known.due.get_or_insert(now);
        }
    }

    fn queue(&mut self, name: &Name) {
        let now = self.clock.now();
        if let Some(known) = self.known.get_mut(name) {
            known.due.get_or_insert(now);
        }
    }

    /// Reads the keys, makes one where that is due, and deals with what is.
    async fn work(&mut self) -> Result<(), landfall_cluster::Error> {
        if self.stale {
            self.read_keys().await?;
        }
        if !self.listed.sealed || !self.listed.deployments {
            return Ok(());
        }
        self.look_for_twin().await?;
        let now = self.clock.now();
        if self.mode == Sealing::Kept && !self.stands_back() && control::is_key_due(self.desk.keyring().newest(), now) {
            if let Some(words) = writing::make_key(&self.cluster, now).await? {
                self.say(words);
            }
            self.read_keys().await?;
        }
        let due = |(_, known): &(&Name, &Known)| known.due.is_some_and(|due| due <= now);
        let names: Vec<Name> = self.known.iter().filter(due).take(AT_ONCE).map(|(name, _)| name.clone()).collect();
        for name in names {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            self.deal(&name).await;
        }
        Ok(())
    }

    /// Asks an embedded cluster, however it is reached, whether it opens its own: of two controllers one would undo what the other does.
    async fn look_for_twin(&mut self) -> Result<(), landfall_cluster::Error> {
        let now = self.clock.now();
        let is_fresh = |at: Timestamp| now.duration_since(at).unsigned_abs() < HOUSEKEEPING;
        if self.twin_asked.is_some_and(is_fresh) {
            return Ok(());
        }
        let acts = match self.cluster.version().await?.is_embedded() {
            // It answers for its controller as long as that acts, and for nobody's else.
            true => self.cluster.ask_service(SERVICE.0, SERVICE.1, "/healthz").await.is_ok(),
            false => false,
        };
        self.stock.see_twin(acts);
        self.twin_asked = Some(now);
        Ok(())
    }

    /// Whether the original is there; said once each way.
    fn stands_back(&mut self) -> bool {
        if let Some(news) = self.stock.news() {
            match news {
                Some(because) => self.say(format!("they are left to their own controller: {because}")),
                None => {
                    self.say("their own controller is gone: they are opened from now on");
                    let now = self.clock.now();
                    self.known.values_mut().for_each(|known| known.due = Some(now));
                }
            }
        }
        self.desk.stands_back(self.stock.is_there());
        self.stock.is_there()
    }

    async fn read_keys(&mut self) -> Result<(), landfall_cluster::Error> {
        let options = ListOptions { namespace: Some(KEY_NAMESPACE.to_owned()), ..ListOptions::default() };
        let secrets = self.cluster.list(&secret_kind(), &options).await?;
        let (keyring, unusable) = Keyring::of_secrets(secrets.iter().map(Object::value));
        for (name, why) in unusable {
            self.say(format!("the sealing key Secret {KEY_NAMESPACE}/{name} is passed over: {why}"));
        }
        let prints = |ring: &Keyring| -> Vec<String> {
            ring.keys().iter().map(|key| key.private.public().fingerprint()).collect()
        };
        if prints(&keyring) != prints(&self.desk.keyring()) {
            // What did not open may do now.
            let now = self.clock.now();
            self.known.values_mut().filter(|known| !known.opened).for_each(|known| known.due = Some(now));
            self.desk.keys(keyring);
        }
        self.stale = false;
        Ok(())
    }

    /// Deals with one SealedSecret.
    async fn deal(&mut self, name: &Name) {
        let is_back = self.stands_back();
        let Some(known) = self.known.get_mut(name) else { return };
        known.due = None;
        if known.object.deletion_timestamp().is_some() || (is_back && self.mode == Sealing::Kept) {
            return;
        }
        let (sealed, now) = (known.object.clone(), self.clock.now());
        let (keyring, value) = (self.desk.keyring(), sealed.value().clone());
        // An operation with a private key takes a millisecond or some, and there may be hundreds.
        let made = tokio::task::spawn_blocking(move || control::opened(&value, &keyring, now)).await;
        let Ok(made) = made else { return tracing::error!("a bug of ours: {}/{} is not opened", name.0, name.1) };
        let dealt = writing::deal(&self.cluster, &sealed, made, self.mode, now).await;
        let Some(known) = self.known.get_mut(name) else { return };
        match dealt {
            Ok(dealt) => {
                if let Some(words) = dealt.would {
                    self.audience.tell(&Notice::Sealing(words));
                }
                (known.dealt, known.tries) = (Some(digest_of(&sealed)), 0);
                (known.data, known.opened) = (dealt.data, dealt.refusal.is_none());
                self.desk.dealt(name, dealt.refusal.as_ref());
            }
            Err(error) => {
                known.tries += 1;
                self.desk.failed(name);
                if known.tries > RETRIES {
                    let refusal = Refusal::given_up(sealed.value(), &error.to_string());
                    if let Err(error) = writing::deny(&self.cluster, &sealed, &refusal, now).await {
                        self.say(format!("the condition of {}/{} cannot be written: {error}", name.0, name.1));
                    }
                    self.say(format!("{}/{} is given up until it changes: {error}", name.0, name.1));
                    return;
                }
                // Somebody else wrote in between: at once; else a second, two, four …
                let wait = if error.is_conflict() || error.is_already_exists() { 0 } else { 1 << (known.tries - 1) };
                known.due = now.checked_add(jiff::SignedDuration::from_secs(wait)).ok();
            }
        }
    }
}

/// What one look at a SealedSecret has come to.
pub(crate) struct Dealt {
    /// The data of the Secret now; nothing where there is none, or where it is not ours.
    data: Option<Digest>,
    refusal: Option<Refusal>,
    /// What would be written, where it is only looked at.
    would: Option<String>,
}

/// Deals with one SealedSecret as the controller does: it is opened with these keys, its Secret judged and written, its condition
/// told. Why there is no Secret of it, or not the one that is sealed; nothing where all is well.
///
/// # Errors
/// What the cluster refuses with.
pub async fn open_sealed(
    cluster: &Cluster,
    sealed: &Object,
    keyring: &Keyring,
    now: Timestamp,
) -> Result<Option<Refusal>, landfall_cluster::Error> {
    let made = control::opened(sealed.value(), keyring, now);
    Ok(writing::deal(cluster, sealed, made, Sealing::Kept, now).await?.refusal)
}

fn sealed_kind() -> Gvk {
    Gvk::new("bitnami.com", "v1alpha1", "SealedSecret")
}

fn secret_kind() -> Gvk {
    Gvk::new("", "v1", "Secret")
}

fn deployment_kind() -> Gvk {
    Gvk::new("apps", "v1", "Deployment")
}

fn name_of(object: &Object) -> Name {
    (object.namespace().unwrap_or_default().to_owned(), object.name().to_owned())
}

/// Whether a Secret holds a sealing key, in use or not: one that was taken out of use closes what it opened.
fn is_key(secret: &Object) -> bool {
    secret.namespace() == Some(KEY_NAMESPACE) && (secret.label(KEY_LABEL).is_some() || secret.name() == KEY_PREFIX)
}

/// What of a SealedSecret its Secret follows from; its status is not among it.
fn digest_of(sealed: &Object) -> Digest {
    let annotations = sealed.at("/metadata/annotations").unwrap_or(&Value::Null);
    let spec = sealed.spec().unwrap_or(&Value::Null);
    Sha256::digest(format!("{annotations}\n{spec}\n{:?}", sealed.deletion_timestamp())).into()
}

fn data_of(secret: &Value) -> Digest {
    Sha256::digest(secret.get("data").unwrap_or(&Value::Null).to_string()).into()
}
