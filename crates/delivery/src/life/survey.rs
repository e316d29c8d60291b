//! What a cluster knows of a Secret.

use std::collections::{BTreeMap, BTreeSet};

use async_recursion::async_recursion as boxed;
use jiff::Timestamp;
use landfall_cluster::{Cluster, Error, ListOptions};
use landfall_diag::{Diagnose as _, Diagnostic};
use landfall_object::{Gvk, Object, ObjectKey, STOOD_IN};
use landfall_secrets::{Declared, Keyring, Ledger, Masked, PlainSecret, Recorded, Sealed, Traces, sealed_form};
use serde::Serialize;

use super::controller::SealingController;
use super::former::{Former, living, of_print, readable};
use super::remembered::remembered;
use super::sent::Sent;
use super::site::{Consumer, Site};
use super::writer::RESTARTED;

/// What a cluster knows of a Secret.
#[derive(Debug, Default)]
pub struct Survey {
    /// The Secret, where it lives and is no stand-in of a simulation.
    pub secret: Option<Object>,
    /// Its values.
    pub live: BTreeMap<String, Masked>,
    /// The sealing keys.
    pub keyring: Keyring,
    /// Why the sealing keys could not be read.
    pub unread: Option<String>,
    /// What is remembered.
    pub ledger: Ledger,
    /// Claims of the namespace that are bound.
    pub bound: Vec<String>,
    /// What was delivered of the SealedSecret that makes it.
    pub sent: Sent,
    /// Keys whose new value was found though nobody has said that it was written: who wrote it was killed. `ledger` has them as done.
    pub found: BTreeSet<String>,
    /// Where keys live that are generated once, where it is not as they are declared ([`Survey::seek`]).
    pub former: BTreeMap<String, Former>,
}

/// A workload whose pods run with a value from before a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Stale {
    /// The workload.
    pub workload: ObjectKey,
    /// The keys that changed since its pods began.
    pub keys: Vec<String>,
    /// How far before that they began.
    pub began: Began,
}

/// When pods began that read a value which changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Began {
    /// Before it changed: they run with the value before.
    Before,
    /// Within the same second, which is all that a cluster tells: they may.
    Within,
}

/// What a workload that runs pods may be.
const WORKLOADS: [(&str, &str); 3] = [("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet")];

impl Stale {
    /// In a sentence.
    pub fn words(&self) -> String {
        let (workload, keys) = (&self.workload, self.keys.join(", "));
        match self.began {
            Began::Before => format!("{workload} runs with the value of {keys} from before its change"),
            Began::Within => {
                format!(
                    "{workload} began in the second in which {keys} changed, and may run with the value from before"
                )
            }
        }
    }
}

fn told(error: &Error) -> Diagnostic {
    error.diagnose()
}

impl Survey {
    /// Asks a cluster.
    ///
    /// # Errors
    /// The cluster does not answer, or refuses what must be known.
    #[boxed]
    pub async fn make(
        cluster: &Cluster,
        controller: &SealingController,
        namespace: &str,
        target: &str,
    ) -> Result<Self, Diagnostic> {
        let secret = living(cluster, namespace, target).await.map_err(|error| told(&error))?;
        let live = secret.as_ref().and_then(|secret| PlainSecret::read(secret.value()).ok().flatten());
        let (keyring, unread) = controller.keyring(cluster).await?;
        let claims = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
        let bound = match cluster.list(&Gvk::new("", "v1", "PersistentVolumeClaim"), &claims).await {
            Ok(claims) => claims,
            Err(error) if error.code() == Some(403) => Vec::new(),
            Err(error) => return Err(told(&error)),
        };
        let is_bound = |claim: &&Object| claim.str_at("/status/phase") == Some("Bound");
        Ok(Self {
            secret,
            live: live.map(|live| live.data).unwrap_or_default(),
            keyring,
            unread,
            ledger: remembered(cluster, &controller.namespace).await?,
            bound: bound.iter().filter(is_bound).map(|claim| claim.name().to_owned()).collect(),
            sent: Sent::ask(cluster, namespace, target).await?,
            found: BTreeSet::new(),
            former: BTreeMap::new(),
        })
    }

    /// Takes for done what was intended of a Secret, where the value is there: on the cluster, or among `sealed`, which its file holds.
    ///
    /// # Errors
    /// A fingerprint cannot be computed.
    pub fn settle(
        &mut self,
        namespace: &str,
        target: &str,
        sealed: &BTreeMap<String, Masked>,
    ) -> Result<(), Diagnostic> {
        let Some(recorded) = self.ledger.of(namespace, target).filter(|it| !it.intended.is_empty()) else {
            return Ok(());
        };
        let failed =
            |error: landfall_secrets::CryptoError| Diagnostic::error(landfall_diag::code::UNSEALED, error.to_string());
        self.found = recorded.written(&[&self.live, sealed]).map_err(failed)?;
        let recorded = self.ledger.of_mut(namespace, target);
        self.found.iter().for_each(|key| recorded.carry_out(key));
        Ok(())
    }

    /// Looks for what was generated once, lives under another name or at another place than it is declared, and opens here no more.
    ///
    /// # Errors
    /// The cluster does not answer; a fingerprint cannot be computed.
    #[boxed]
    pub async fn seek(
        &mut self,
        cluster: &Cluster,
        declared: &Declared,
        entries: &BTreeMap<String, String>,
        (namespace, label): (&str, &[u8]),
    ) -> Result<(), Diagnostic> {
        let is_gone = |name: &str| {
            let written = entries.get(name).map(String::as_str);
            let is_shut = matches!(self.sealed(written, label), Sealed::Absent | Sealed::Placeholder | Sealed::Closed);
            is_shut && self.live.get(name).is_none_or(|value| value.reveal().is_empty())
        };
        let print = |name: &str| declared.keys.get(name)?.fingerprint.clone();
        let once = declared.once().filter(|name| is_gone(name));
        let sought: Vec<_> = once.filter_map(|name| Some((name.to_owned(), print(name)?))).collect();
        if sought.is_empty() {
            return Ok(());
        }
        let own = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(namespace), &*declared.target);
        let all = readable(cluster, namespace).await?;
        for (name, print) in sought {
            if let Some(former) = of_print(&all, &own, &name, &print)? {
                self.former.insert(name, former);
            }
        }
        Ok(())
    }

    /// What is known of a key, with how it stands in the file that holds it.
    pub fn traces(&self, key: &str, written: Option<&str>, label: &[u8], site: &Site) -> Traces {
        let owners = site.consumers.iter().filter(|consumer| consumer.keys.is_some() && consumer.reads(key));
        let claims: BTreeSet<&String> =
            owners.flat_map(|owner| self.bound.iter().filter(|claim| owner.holds(claim))).collect();
        Traces {
            live: self.live.get(key).filter(|value| !value.reveal().is_empty()).cloned(),
            sealed: self.sealed(written, label),
            given: None,
            former: None,
            orphan: None,
            claims: claims.into_iter().cloned().collect(),
        }
    }

    fn sealed(&self, written: Option<&str>, label: &[u8]) -> Sealed {
        let Some(written) = written.filter(|written| !written.is_empty()) else { return Sealed::Absent };
        let Ok(bytes) = sealed_form(written) else { return Sealed::Placeholder };
        match self.keyring.open(&bytes, label) {
            Ok((value, _)) => Sealed::Open(value),
            Err(_) if self.unread.is_some() => Sealed::Unseen,
            Err(_) => Sealed::Closed,
        }
    }

    /// The sealing keys that are in use, by their fingerprints, the newest first.
    pub fn sealing_keys(&self) -> Vec<String> {
        self.keyring.keys().iter().map(|key| key.private.public().fingerprint()).collect()
    }

    /// What is to be saved and is in no backup: sealing keys by their fingerprints, and keys that are generated once.
    pub fn unsaved(&self) -> Vec<String> {
        let mut names = self.sealing_keys();
        names.extend(self.secret.iter().flat_map(landfall_secrets::saved_names));
        let unsaved = self.ledger.unsaved(names.iter().map(String::as_str));
        unsaved.into_iter().map(str::to_owned).collect()
    }

    /// When a key was last given a value, as the ledger has it, else the Secret's own managers.
    pub fn changed(&self, namespace: &str, target: &str, key: &str) -> Option<Timestamp> {
        let remembered = self.ledger.of(namespace, target).and_then(|recorded| recorded.changed.get(key)).copied();
        remembered.or_else(|| written(self.secret.as_ref()?, key))
    }

    /// Whether the value that a key was given last has been seen in the cluster's Secret.
    pub(super) fn has_arrived(&self, namespace: &str, target: &str, key: &str) -> bool {
        self.ledger.of(namespace, target).is_some_and(|recorded| recorded.arrived.contains_key(key))
    }

    /// Whether a key was given a value here before: where its file has nothing of it any more, somebody has dropped it.
    pub fn has_written(&self, namespace: &str, target: &str, key: &str) -> bool {
        self.ledger.of(namespace, target).is_some_and(|recorded| recorded.changed.contains_key(key))
    }

    /// The workloads of a namespace whose pods began before a key that they read was changed.
    ///
    /// # Errors
    /// The cluster does not answer.
    #[boxed]
    pub async fn stale(&self, cluster: &Cluster, namespace: &str, target: &str) -> Result<Vec<Stale>, Diagnostic> {
        let Some(secret) = &self.secret else { return Ok(Vec::new()) };
        match self.ledger.of(namespace, target) {
            Some(recorded) => stale_of(cluster, recorded, secret).await,
            // Nothing is remembered where the store was lost with the cluster; what stood in for the values is told all the same.
            None if secret.annotation(STOOD_IN).is_some() => stale_of(cluster, &Recorded::default(), secret).await,
            None => Ok(Vec::new()),
        }
    }
}

/// The workloads of all Secrets of which something is remembered, whose pods began before a key that they read was changed.
///
/// # Errors
/// The cluster does not answer.
#[boxed]
pub async fn all_stale(cluster: &Cluster, namespace: &str) -> Result<Vec<Stale>, Diagnostic> {
    let mut found = Vec::new();
    for (place, recorded) in remembered(cluster, namespace).await?.secrets {
        let Some((home, name)) = place.split_once('/').filter(|_| !recorded.changed.is_empty()) else { continue };
        if let Some(secret) = living(cluster, home, name).await.map_err(|error| told(&error))? {
            found.extend(stale_of(cluster, &recorded, &secret).await?);
        }
    }
    Ok(found)
}

async fn stale_of(cluster: &Cluster, recorded: &Recorded, secret: &Object) -> Result<Vec<Stale>, Diagnostic> {
    let within = ListOptions { namespace: secret.namespace().map(str::to_owned), ..ListOptions::default() };
    let pods = cluster.list(&Gvk::new("", "v1", "Pod"), &within).await.map_err(|error| told(&error))?;
    let mut workloads = Vec::new();
    for (group, kind) in WORKLOADS {
        workloads.extend(cluster.list(&Gvk::new(group, "v1", kind), &within).await.map_err(|error| told(&error))?);
    }
    let mut recorded = recorded.clone();
    recorded.arrived.extend(arrivals(&recorded, secret));
    met(&mut recorded, secret);
    Ok(stale_among(&recorded, secret, &workloads, &pods))
}

/// Remembers what came to a Secret past us, where that was not looked at as it is now.
pub(super) fn met(recorded: &mut Recorded, secret: &Object) {
    let seen = format!("{} {}", secret.uid().unwrap_or_default(), secret.resource_version().unwrap_or_default());
    if recorded.seen == seen {
        return;
    }
    let live = PlainSecret::read(secret.value()).ok().flatten().map(|live| live.data).unwrap_or_default();
    let mut met = recorded.clone();
    let meet = |met: &mut Recorded| -> Result<(), landfall_secrets::CryptoError> {
        for key in met.came_otherwise(&live)? {
            if let (Some(value), Some(at)) = (live.get(&key), written(secret, &key)) {
                met.meet(&key, value, at)?;
            }
        }
        Ok(())
    };
    // What cannot be computed is looked at the next time.
    if meet(&mut met).is_ok() {
        met.seen = seen;
        *recorded = met;
    }
}

/// When the values came to a Secret that its keys were given last, of those that nobody has seen there before: no later than the
/// Secret was written.
pub(super) fn arrivals(recorded: &Recorded, secret: &Object) -> BTreeMap<String, Timestamp> {
    let Ok(Some(live)) = PlainSecret::read(secret.value()) else { return BTreeMap::new() };
    let is_there = |key: &&str| live.data.get(*key).is_some_and(|value| recorded.is_latest(key, value) == Ok(true));
    let seen = recorded.awaited().filter(is_there);
    seen.filter_map(|key| Some((key.to_owned(), written(secret, key)?))).collect()
}

/// Those of the workloads whose pods began before a key that they read got the value that the Secret has.
fn stale_among(recorded: &Recorded, secret: &Object, workloads: &[Object], pods: &[Object]) -> Vec<Stale> {
    let (namespace, target) = (secret.namespace().unwrap_or_default(), secret.name());
    let made: Option<Timestamp> = secret.creation_timestamp().and_then(|text| text.parse().ok());
    let stood_in: Option<Timestamp> = secret.annotation(STOOD_IN).and_then(|text| text.parse().ok());
    let data = secret.value().get("data").and_then(serde_json::Value::as_object);
    let held = data.filter(|_| stood_in.is_some()).into_iter().flatten().map(|(key, _)| key);
    let keys: BTreeSet<&String> = recorded.changed.keys().chain(held).collect();
    // A Secret that was made after a change never had another value.
    let since = |key: &str| {
        let moved = recorded.moved.get(key).map(|moved| moved.at).filter(|at| Some(*at) > made);
        let given = || {
            recorded.changed.get(key).filter(|changed| Some(**changed) > made)?;
            recorded.arrived.get(key).copied()
        };
        moved.or_else(given).max(stood_in)
    };
    let mut found = Vec::new();
    for workload in workloads {
        let Some(consumer) = Consumer::of(workload, namespace, target) else { continue };
        let running = pods.iter().filter(|pod| is_of(pod, workload) && pod.deletion_timestamp().is_none());
        let Some(started) = running.filter_map(began).min() else { continue };
        let read = keys.iter().copied().filter(|key| consumer.reads(key));
        let changed: Vec<(&String, Timestamp)> =
            read.filter_map(|key| Some((key, since(key)?))).filter(|(_, since)| started <= *since).collect();
        if changed.is_empty() {
            continue;
        }
        let is_before = changed.iter().any(|(_, since)| started.as_second() < since.as_second());
        let keys = changed.into_iter().map(|(key, _)| key.clone()).collect();
        let began = if is_before { Began::Before } else { Began::Within };
        found.push(Stale { workload: workload.key(), keys, began });
    }
    found
}

/// The workloads of a namespace that read one of these keys.
///
/// # Errors
/// The cluster does not answer.
#[boxed]
pub async fn running(
    cluster: &Cluster,
    namespace: &str,
    target: &str,
    keys: &BTreeSet<String>,
) -> Result<Vec<Stale>, Diagnostic> {
    let within = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
    let mut found = Vec::new();
    if keys.is_empty() {
        return Ok(found);
    }
    for (group, kind) in WORKLOADS {
        let workloads = cluster.list(&Gvk::new(group, "v1", kind), &within).await.map_err(|error| told(&error))?;
        for workload in workloads {
            let Some(consumer) = Consumer::of(&workload, namespace, target) else { continue };
            let read: Vec<String> = keys.iter().filter(|key| consumer.reads(key)).cloned().collect();
            if !read.is_empty() {
                found.push(Stale { workload: workload.key(), keys: read, began: Began::Before });
            }
        }
    }
    Ok(found)
}

/// Whether a pod is a workload's: by its labels, as the workload's selector has them.
fn is_of(pod: &Object, workload: &Object) -> bool {
    let wanted = workload.at("/spec/selector/matchLabels").and_then(serde_json::Value::as_object);
    wanted.is_some_and(|wanted| {
        !wanted.is_empty() && wanted.iter().all(|(name, value)| pod.label(name) == value.as_str())
    })
}

/// When a pod began: as the cluster tells, which is to the second, and not before its workload was restarted for it.
fn began(pod: &Object) -> Option<Timestamp> {
    let started: Timestamp = pod.str_at("/status/startTime").or_else(|| pod.creation_timestamp())?.parse().ok()?;
    let restarted = pod.annotation(RESTARTED).and_then(|text| text.parse().ok());
    Some(restarted.map_or(started, |restarted| started.max(restarted)))
}

/// When a key of a Secret was last written: by who manages its field, else when the Secret was made.
fn written(secret: &Object, key: &str) -> Option<Timestamp> {
    let field = format!("f:{key}");
    let entries = secret.list_at("/metadata/managedFields").iter();
    let owning =
        entries.filter(|entry| entry.pointer("/fieldsV1/f:data").is_some_and(|data| data.get(&field).is_some()));
    let latest = owning.filter_map(|entry| entry["time"].as_str()?.parse().ok()).max();
    latest.or_else(|| secret.creation_timestamp()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    fn workload(name: &str, key: &str) -> Object {
        object(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"spec": {"containers": [
                {"name": "a", "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "keys", "key": key}}}]}]}}}}))
    }

    fn pod(app: &str, began: &str) -> Object {
        object(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": app, "namespace": "shop", "labels": {"app": app}},
            "status": {"startTime": format!("2027-01-01T{began}Z")}}),
        )
    }

    fn recorded(changed: &[(&str, &str, &str)]) -> Recorded {
        let at = |time: &str| -> Timestamp { format!("2027-01-01T{time}Z").parse().expect("a time") };
        let mut recorded = Recorded::default();
        for (key, changed, arrived) in changed {
            recorded.change(key, [], at(changed));
            if !arrived.is_empty() {
                recorded.arrived.insert((*key).to_owned(), at(arrived));
            }
        }
        recorded
    }

    fn secret(written: &str) -> Object {
        object(json!({"apiVersion": "v1", "kind": "Secret", "data": {"A": "YQ==", "B": "YQ==", "C": "YQ=="},
            "metadata": {"name": "keys", "namespace": "shop", "creationTimestamp": "2027-01-01T08:00:00Z",
                "managedFields": [{"time": format!("2027-01-01T{written}Z"), "fieldsV1": {"f:data": {"f:A": {}, "f:B": {}, "f:C": {}}}}]}}))
    }

    /// LP-40, LP-43: who runs with the value before is told, who reads another key or began afterwards is not.
    #[test]
    fn who_began_before_the_value_was_delivered_runs_with_the_one_before() {
        let secret = secret("10:30:00");
        let mut recorded = recorded(&[("A", "10:00:00", ""), ("B", "09:00:00", "09:10:00"), ("C", "07:00:00", "")]);
        recorded.arrived.extend(arrivals(&recorded, &secret));
        let workloads = [
            workload("early", "A"),
            workload("between", "A"),
            workload("late", "A"),
            workload("other", "B"),
            workload("first", "C"),
        ];
        let pods = [
            pod("early", "08:30:00"),
            pod("between", "10:15:00"),
            pod("late", "10:45:00"),
            pod("other", "09:30:00"),
            pod("first", "08:00:00"),
        ];
        let told = |pods: &[Object]| -> Vec<String> {
            let stale = stale_among(&recorded, &secret, &workloads, pods);
            stale.iter().map(|one| format!("{} {}", one.workload.name, one.keys.join(","))).collect()
        };
        assert_eq!(told(&pods), ["early A", "between A"]);
        assert_eq!(told(&[pod("other", "08:45:00")]), ["other B"]);
        assert_eq!(told(&[]), Vec::<String>::new());
        // Where a placeholder stood until the sealing key came back, whoever began before runs with that, of every key.
        let mut secret = secret;
        secret.set_annotation(STOOD_IN, "2027-01-01T10:30:00Z");
        let stale = stale_among(&Recorded::default(), &secret, &workloads, &pods);
        let names: Vec<&str> = stale.iter().map(|one| one.workload.name.as_str()).collect();
        assert_eq!(names, ["early", "between", "other", "first"]);
    }

    /// Each key by itself: what came with an earlier delivery is not told again for a later one, and of two that came together both
    /// are.
    #[test]
    fn a_value_counts_from_when_it_came_and_not_from_when_the_secret_or_the_file_was_written() {
        let workloads = [workload("web", "A")];
        let told = |recorded: &Recorded, secret: &Object, began: &str| {
            let mut recorded = recorded.clone();
            recorded.arrived.extend(arrivals(&recorded, secret));
            !stale_among(&recorded, secret, &workloads, &[pod("web", began)]).is_empty()
        };
        let seen = recorded(&[("A", "09:00:00", "09:05:00")]);
        assert!(!told(&seen, &secret("10:00:00"), "09:10:00"), "the Secret was written again for another key");
        assert!(told(&seen, &secret("10:00:00"), "09:05:00"), "within the same second nobody knows");
        let at = |began: &str| {
            let stale = stale_among(&seen, &secret("10:00:00"), &workloads, &[pod("web", began)]);
            stale.first().map(|one| one.began)
        };
        assert_eq!((at("09:05:00"), at("09:04:59")), (Some(Began::Within), Some(Began::Before)));
        let mut restarted = pod("web", "09:05:00");
        restarted.set_annotation(RESTARTED, "2027-01-01T09:05:00.25Z");
        assert!(stale_among(&seen, &secret("10:00:00"), &workloads, &[restarted]).is_empty(), "for that value");
        let both = recorded(&[("A", "09:00:00", ""), ("B", "09:20:00", "")]);
        assert!(told(&both, &secret("09:30:00"), "09:10:00"), "it was restarted before the value came");
        let mut other = recorded(&[("A", "09:00:00", "")]);
        other.know("A", &landfall_secrets::Fingerprint::of(&Masked::from(&b"b"[..])).expect("made"));
        assert!(!told(&other, &secret("10:00:00"), "08:30:00"), "it has not come yet");
    }

    /// LP-40: sealed by kubeseal, or written by hand, in place of a value that had come: nobody has given it here.
    #[test]
    fn a_value_that_came_past_us_counts_from_when_the_secret_was_written_and_is_met_once() {
        let mut recorded = recorded(&[("A", "09:00:00", "09:05:00")]);
        recorded.know("A", &landfall_secrets::Fingerprint::of(&Masked::from(&b"ours"[..])).expect("made"));
        let told = |recorded: &Recorded, secret: &Object, began: &str| {
            let mut recorded = recorded.clone();
            met(&mut recorded, secret);
            !stale_among(&recorded, secret, &[workload("web", "A")], &[pod("web", began)]).is_empty()
        };
        let theirs = secret("10:00:00");
        assert!(told(&recorded, &theirs, "09:30:00") && !told(&recorded, &theirs, "10:30:00"));
        met(&mut recorded, &theirs);
        let mut later = secret("11:00:00");
        later.set_resource_version("2");
        assert!(!told(&recorded, &later, "10:30:00"), "it was written again for another key");
    }
}
