//! Events: counted when equal, combined when similar, held back when too many, as client-go's recorder does
//! (`tools/record/events_cache.go`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use landfall_apiserver::{Actor, DeleteOptions, ObjectRef, World, rfc3339};
use serde_json::{Value, json};

use super::event_type::EventType;
use super::fields::{created, instant, name, namespace, text, uid};
use super::kind::EVENT;

/// Distinct messages of one kind after which they are combined.
const SIMILAR: usize = 10;
/// How long messages count as similar.
const INTERVAL: SignedDuration = SignedDuration::from_secs(600);
/// How long an event is kept.
const LIFE: SignedDuration = SignedDuration::from_secs(3600);
/// Events about one object that may come at once.
const BURST: f64 = 25.0;
/// Events about one object per second in the long run.
const RATE: f64 = 1.0 / 300.0;

/// What is to be said about an object.
pub(crate) struct Report<'a> {
    pub(crate) about: &'a Value,
    pub(crate) path: &'a str,
    pub(crate) kind: EventType,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    pub(crate) component: &'static str,
    pub(crate) host: &'a str,
}

/// What the recorder remembers in order to count, combine and hold back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Correlator {
    similar: BTreeMap<Topic, Similar>,
    recorded: BTreeMap<(Topic, String), Recorded>,
    allowance: BTreeMap<(&'static str, String), Allowance>,
}

type Topic = (&'static str, String, String, EventType, String);

#[derive(Clone, Debug)]
struct Similar {
    messages: BTreeSet<String>,
    last: Timestamp,
}

#[derive(Clone, Debug)]
struct Recorded {
    name: String,
    count: i64,
    first: Timestamp,
    last: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Allowance {
    left: f64,
    at: Timestamp,
}

impl Correlator {
    /// Writes the report as a new event, as one more of an earlier one, or not at all.
    pub(super) fn record(&mut self, world: &mut World, actor: &Actor, now: Timestamp, report: &Report<'_>) {
        let topic: Topic = (
            report.component,
            uid(report.about).to_owned(),
            report.path.to_owned(),
            report.kind,
            report.reason.to_owned(),
        );
        let similar = self.similar.entry(topic.clone()).or_insert(Similar { messages: BTreeSet::new(), last: now });
        if now.duration_since(similar.last) > INTERVAL {
            similar.messages.clear();
        }
        similar.last = now;
        similar.messages.insert(report.message.to_owned());
        let combined = similar.messages.len() >= SIMILAR;
        if combined {
            // One of the messages is forgotten, so that the count stays at the limit.
            similar.messages.pop_first();
        }
        if !self.admit(report, now) {
            return;
        }
        let (message, counted_as) = if combined {
            (format!("(combined from similar events): {}", report.message), String::new())
        } else {
            (report.message.to_owned(), report.message.to_owned())
        };
        let key = (topic, counted_as);
        if let Some(known) = self.recorded.get_mut(&key) {
            known.count += 1;
            known.last = now;
            let (name, count) = (known.name.clone(), known.count);
            if count_again(world, actor, now, report, &name, count, &message) {
                return;
            }
        }
        let name = format!("{}.{:x}", name(report.about), serial(world, now));
        self.recorded.insert(key, Recorded { name: name.clone(), count: 1, first: now, last: now });
        // An event that is refused, as in a namespace on its way out, is dropped like a real recorder's.
        let _ = world.create(actor, EVENT.qualified(), event(report, &name, &message, now));
    }

    /// Whether the object's allowance of events permits one more.
    fn admit(&mut self, report: &Report<'_>, now: Timestamp) -> bool {
        let key = (report.component, uid(report.about).to_owned());
        let allowance = self.allowance.entry(key).or_insert(Allowance { left: BURST, at: now });
        let passed = now.duration_since(allowance.at).as_secs_f64().max(0.0);
        allowance.left = (allowance.left + passed * RATE).min(BURST);
        allowance.at = now;
        if allowance.left < 1.0 {
            return false;
        }
        allowance.left -= 1.0;
        true
    }

    /// Forgets what was said about an object that is gone.
    pub(super) fn forget(&mut self, uid: &str) {
        self.similar.retain(|topic, _| topic.1 != uid);
        self.recorded.retain(|(topic, _), _| topic.1 != uid);
        self.allowance.retain(|(_, about), _| about != uid);
    }

    /// Forgets what was last said so long ago that its event is gone.
    pub(super) fn expire(&mut self, now: Timestamp) {
        let recent = |last: Timestamp| now.duration_since(last) <= LIFE;
        self.similar.retain(|_, similar| recent(similar.last));
        self.recorded.retain(|_, recorded| recent(recorded.last));
        // An allowance is whole again long before.
        let refilled =
            |allowance: &Allowance| allowance.left + now.duration_since(allowance.at).as_secs_f64() * RATE >= BURST;
        self.allowance.retain(|_, allowance| !refilled(allowance));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.similar.len() + self.recorded.len() + self.allowance.len()
    }

    /// Whether this was recorded about an object.
    pub(super) fn has_recorded(&self, uid: &str, reason: &str, message: &str) -> bool {
        self.recorded.keys().any(|(topic, said)| topic.1 == uid && topic.4 == reason && said == message)
    }

    /// Since when the recorder has counted an event of that reason about an object.
    pub(super) fn first_seen(&self, uid: &str, reason: &str) -> Option<Timestamp> {
        self.recorded.iter().filter(|((t, _), _)| t.1 == uid && t.4 == reason).map(|(_, r)| r.first).min()
    }
}

/// Deletes events that nothing has been added to for an hour, as the API server's store does.
pub(super) fn expire(world: &mut World, now: Timestamp) {
    let old: Vec<ObjectRef> = world
        .list(EVENT.id, None)
        .filter(|event| {
            let last = instant(event, "/lastTimestamp").or_else(|| instant(event, "/eventTime"));
            let last = last.unwrap_or_else(|| created(event));
            now.duration_since(last) > LIFE
        })
        .map(|event| ObjectRef {
            resource: EVENT.id.into(),
            namespace: event.namespace().to_owned(),
            name: event.name().to_owned(),
        })
        .collect();
    let actor = Actor::system("kube-apiserver");
    for event in old {
        // One that is gone already is fine.
        let _ = world.delete(&actor, &event, &DeleteOptions::default());
    }
}

/// A number that names an event: the instant, moved on by the resource version so that no two are equal.
fn serial(world: &World, now: Timestamp) -> i128 {
    now.as_nanosecond() + i128::from(world.version() % 1000)
}

/// The namespace of events about an object: its own, or `default`.
fn home(about: &Value) -> String {
    let own = namespace(about);
    if own.is_empty() { "default".to_owned() } else { own.to_owned() }
}

fn count_again(
    world: &mut World,
    actor: &Actor,
    now: Timestamp,
    report: &Report<'_>,
    name: &str,
    count: i64,
    message: &str,
) -> bool {
    let Some(there) = world.find(EVENT.qualified(), &home(report.about), name) else { return false };
    let mut event = there.value().clone();
    event["count"] = count.into();
    event["lastTimestamp"] = rfc3339(now).into();
    event["message"] = message.into();
    world.update(actor, EVENT.qualified(), event).is_ok()
}

fn event(report: &Report<'_>, name: &str, message: &str, now: Timestamp) -> Value {
    let about = report.about;
    let mut involved = json!({
        "kind": text(about, "/kind"),
        "name": super::fields::name(about),
        "uid": uid(about),
        "apiVersion": text(about, "/apiVersion"),
        "resourceVersion": text(about, "/metadata/resourceVersion"),
    });
    if !namespace(about).is_empty() {
        involved["namespace"] = namespace(about).into();
    }
    if !report.path.is_empty() {
        involved["fieldPath"] = report.path.into();
    }
    let mut source = json!({"component": report.component});
    if !report.host.is_empty() {
        source["host"] = report.host.into();
    }
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": home(about)},
        "involvedObject": involved,
        "reason": report.reason,
        "message": message,
        "source": source,
        "firstTimestamp": rfc3339(now),
        "lastTimestamp": rfc3339(now),
        "count": 1,
        "type": report.kind.as_str(),
        "eventTime": null,
        "reportingComponent": report.component,
        "reportingInstance": report.host,
    })
}
