use std::collections::BTreeSet;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_object::{Gvk, Object, ObjectKey};
use serde::{Deserialize, Serialize};

use crate::objects::event_time;
use crate::{Cluster, ListOptions, LogOptions, Stuck, stuck_pod};

/// Lines kept of a log.
const LOG_LINES: u32 = 20;
/// How long is looked.
const LOOKING: Duration = Duration::from_secs(10);
/// Events kept of an object.
const EVENTS: usize = 10;

/// An event about an object, as one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// RFC 3339.
    pub at: String,
    /// `Normal` or `Warning`.
    pub kind: String,
    /// `FailedScheduling`, `BackOff`.
    pub reason: String,
    /// In words.
    pub message: String,
    /// How often.
    pub count: i64,
}

/// What a person needs to see of something that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The object that was waited for, as the user wrote it.
    pub object: ObjectKey,
    /// The pod in which it shows.
    pub pod: Option<String>,
    /// The container in which it shows.
    pub container: Option<String>,
    /// `ImagePullBackOff`, `BackoffLimitExceeded`, `Timeout`.
    pub reason: String,
    /// In words.
    pub message: String,
    /// The container's image.
    pub image: Option<String>,
    /// The last events, oldest first.
    pub events: Vec<EventLine>,
    /// The last lines of the container's log.
    pub log: Vec<String>,
    /// Whether the log is that of the container before its last restart.
    pub previous: bool,
}

impl Evidence {
    /// The reason of what did not become ready in time, where nothing else can be seen.
    pub const TIMEOUT: &str = "Timeout";

    /// The pod, its container and image, and what shows there; `None` when it shows in no pod.
    pub fn in_pod(&self) -> Option<String> {
        let mut place = self.pod.clone()?;
        if let Some(container) = &self.container {
            place.push_str(&format!(", container {container}"));
        }
        if let Some(image) = &self.image {
            place.push_str(&format!(", image {image}"));
        }
        Some(format!("{place}: {}: {}", self.reason, self.message))
    }

    /// Why the pod does not run, and which container of it: in the same words for every pod that fails of it, whatever that is
    /// called and of whatever version. Nothing where no pod is stuck.
    pub fn cause(&self) -> Option<String> {
        let container = self.pod.as_ref().and(self.container.as_deref()).unwrap_or_default();
        match self.reason.as_str() {
            _ if self.pod.is_none() => None,
            Evidence::TIMEOUT => None,
            // What is said of an image names it, and what is said of a crash its pod.
            "InvalidImageName" | "ImagePullBackOff" | "ErrImageNeverPull" => {
                let image = self.image.as_deref().unwrap_or_default();
                Some(format!("{container}: {}: {}", self.reason, repository(image)))
            }
            "CrashLoopBackOff" => {
                let ended = self.message.split_once(" (").map_or(self.message.as_str(), |(ended, _)| ended);
                Some(format!("{container}: {}: {ended}", self.reason))
            }
            reason => Some(format!("{container}: {reason}: {}", self.message)),
        }
    }
}

/// Leaves the pods of a Deployment's last revision: what is wrong with those before it is past. All where that cannot be told.
fn keep_newest(pods: &mut Vec<Object>) {
    let made = |pod: &Object| pod.creation_timestamp().unwrap_or_default().to_owned();
    let Some(last) = pods.iter().map(made).max() else { return };
    let revision = |pod: &Object| pod.label("pod-template-hash").map(str::to_owned);
    let newest: BTreeSet<Option<String>> = pods.iter().filter(|pod| made(pod) == last).map(revision).collect();
    pods.retain(|pod| newest.contains(&revision(pod)));
}

/// An image without its tag and digest.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let name = image.rfind('/').map_or(0, |at| at + 1);
    match image.get(name..).and_then(|name| name.find(':')) {
        Some(at) => image.get(..name + at).unwrap_or(image),
        None => image,
    }
}

impl Cluster {
    /// Collects what can be seen of an object that failed or did not become ready; what cannot be read is left out.
    #[boxed]
    pub async fn evidence(&self, object: &Object, reason: &str, message: &str) -> Evidence {
        let mut evidence = Evidence {
            object: object.key(),
            pod: None,
            container: None,
            reason: reason.to_owned(),
            message: message.to_owned(),
            image: None,
            events: Vec::new(),
            log: Vec::new(),
            previous: false,
        };
        // Time was up before, mostly: what cannot be read soon is left out too.
        let _read = tokio::time::timeout(LOOKING, self.look_into(object, &mut evidence)).await;
        evidence
    }

    async fn look_into(&self, object: &Object, evidence: &mut Evidence) {
        let mut pods = self.pods_of(object).await;
        if object.kind() == "Deployment" {
            keep_newest(&mut pods);
        }
        // The pod that says most: one that is stuck, else one that failed, else the newest that is not ready.
        let chosen = pods.iter().max_by_key(|pod| {
            let failed = pod.str_at("/status/phase") == Some("Failed") || crashed_container(pod).is_some();
            let ready = crate::readiness(pod, crate::JobWait::Ignore).is_ready();
            (stuck_pod(pod).is_some(), failed, !ready, pod.creation_timestamp().unwrap_or_default().to_owned())
        });
        if let Some(pod) = chosen {
            let stuck = stuck_pod(pod);
            self.look_into_pod(pod, stuck.as_ref(), evidence).await;
        }
        let own = self.event_lines(object).await;
        evidence.events.splice(0..0, own);
        evidence.events.sort_by(|a, b| a.at.cmp(&b.at));
        let surplus = evidence.events.len().saturating_sub(EVENTS);
        evidence.events.drain(..surplus);
    }

    /// The pods that an object runs: itself, or those its selector finds; a Job's and a Deployment's alike.
    #[boxed]
    pub async fn pods_of(&self, object: &Object) -> Vec<Object> {
        if object.kind() == "Pod" && object.group().is_empty() {
            return vec![object.clone()];
        }
        let labels = object.at("/spec/selector/matchLabels").or_else(|| {
            // A ReplicationController's selector is the map itself; a Service's is not about what it runs.
            if object.kind() == "ReplicationController" { object.at("/spec/selector") } else { None }
        });
        let Some(labels) = labels.and_then(|labels| labels.as_object()).filter(|labels| !labels.is_empty()) else {
            return Vec::new();
        };
        let selector: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
        let options = ListOptions {
            namespace: object.namespace().map(str::to_owned),
            label_selector: Some(selector.join(",")),
            ..ListOptions::default()
        };
        self.list(&Gvk::new("", "v1", "Pod"), &options).await.unwrap_or_default()
    }

    async fn look_into_pod(&self, pod: &Object, stuck: Option<&Stuck>, evidence: &mut Evidence) {
        evidence.pod = Some(pod.name().to_owned());
        if let Some(stuck) = stuck {
            evidence.container = stuck.container.clone();
            evidence.reason = stuck.reason.clone();
            evidence.message = stuck.message.clone();
            evidence.image = stuck.image.clone();
        } else if let Some(name) = crashed_container(pod).or_else(|| first_container(pod)) {
            evidence.container = Some(name.to_owned());
            evidence.image = pod
                .list_at("/spec/containers")
                .iter()
                .find(|container| container["name"].as_str() == Some(name))
                .and_then(|container| container["image"].as_str())
                .map(str::to_owned);
        }
        evidence.events = self.event_lines(pod).await;
        let Some(container) = &evidence.container else { return };
        let restarted =
            pod.list_at("/status/containerStatuses").iter().chain(pod.list_at("/status/initContainerStatuses")).any(
                |status| {
                    status["name"].as_str() == Some(container)
                        && status["restartCount"].as_i64().unwrap_or(0) > 0
                        && status.pointer("/state/running").is_none()
                },
            );
        let namespace = pod.namespace().unwrap_or("default");
        for previous in [restarted, !restarted] {
            let options = LogOptions {
                container: Some(container.clone()),
                previous,
                tail_lines: Some(LOG_LINES),
                ..LogOptions::default()
            };
            if let Ok(text) = self.logs(namespace, pod.name(), &options).await
                && !text.is_empty()
            {
                evidence.log = text.lines().map(str::to_owned).collect();
                evidence.previous = previous;
                return;
            }
        }
    }

    async fn event_lines(&self, object: &Object) -> Vec<EventLine> {
        let events = self.events_of(object).await.unwrap_or_default();
        let surplus = events.len().saturating_sub(EVENTS);
        events.into_iter().skip(surplus).map(|event| event_line(&event)).collect()
    }
}

impl EventLine {
    /// The line of an Event object.
    pub fn of(event: &Object) -> Self {
        event_line(event)
    }
}

fn event_line(event: &Object) -> EventLine {
    EventLine {
        at: event_time(event).to_owned(),
        kind: event.str_at("/type").unwrap_or_default().to_owned(),
        reason: event.str_at("/reason").unwrap_or_default().to_owned(),
        message: event.str_at("/message").unwrap_or_default().trim().to_owned(),
        count: event.i64_at("/count").unwrap_or(1),
    }
}

/// A container that ended with an error.
fn crashed_container(pod: &Object) -> Option<&str> {
    pod.list_at("/status/initContainerStatuses")
        .iter()
        .chain(pod.list_at("/status/containerStatuses"))
        .find(|status| {
            ["/state/terminated/exitCode", "/lastState/terminated/exitCode"].iter().any(|pointer| {
                status.pointer(pointer).and_then(serde_json::Value::as_i64).is_some_and(|code| code != 0)
            })
        })
        .and_then(|status| status["name"].as_str())
}

fn first_container(pod: &Object) -> Option<&str> {
    pod.list_at("/spec/containers").first().and_then(|container| container["name"].as_str())
}
