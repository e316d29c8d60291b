use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, Evidence, ListOptions, PodPort, stuck_pod};
use landfall_diag::Diagnose;
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc::Sender};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::find::matches;
use super::{Forward, Pods, TargetPort};

/// How long a connection waits for a pod that is ready.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(250);
/// How often it is looked whether the pods of open connections are still there.
const LIVING: Duration = Duration::from_secs(2);
/// Connections at once; more wait to be accepted.
const MOST: usize = 256;

/// What happens to a forward.
#[derive(Debug, Clone)]
pub enum ForwardEvent {
    /// Connections go to this pod from now on.
    Pod {
        /// Its name.
        pod: String,
        /// Whether another one, or nothing, stood there before.
        again: bool,
    },
    /// A connection found no pod, or the pod does not answer on the port.
    Failed {
        /// Why.
        why: String,
        /// What can be seen of the pod that should have answered.
        evidence: Option<Box<Evidence>>,
    },
}

/// A pod and the port in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chosen {
    pod: String,
    uid: String,
    port: u16,
}

impl Forward {
    /// Carries the connections of a listener until stopped.
    #[boxed]
    pub async fn serve(
        self,
        cluster: Cluster,
        listener: TcpListener,
        events: Sender<ForwardEvent>,
        stop: CancellationToken,
    ) {
        let serving = Arc::new(Serving { forward: self, cluster, events, last: Mutex::new(None) });
        let open = TaskTracker::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept(), if open.len() < MOST => match accepted {
                    Ok((connection, _)) => {
                        let (serving, stop) = (Arc::clone(&serving), stop.clone());
                        open.spawn(async move {
                            tokio::select! {
                                () = serving.carry(connection) => {}
                                () = stop.cancelled() => {}
                            }
                        });
                    }
                    // Too many open files, for one: others will close.
                    Err(_) => tokio::time::sleep(LOOK).await,
                },
                // A slot has become free, perhaps.
                () = tokio::time::sleep(LOOK), if open.len() >= MOST => {}
            }
        }
        open.close();
        open.wait().await;
    }
}

struct Serving {
    forward: Forward,
    cluster: Cluster,
    events: Sender<ForwardEvent>,
    /// The pod that the last connection went to.
    last: Mutex<Option<String>>,
}

impl Serving {
    async fn carry(&self, mut connection: TcpStream) {
        let (chosen, port) = match self.connect().await {
            Ok(found) => found,
            Err((why, pod)) => {
                let evidence = match pod {
                    Some(pod) => Some(Box::new(self.cluster.evidence(&pod, "NotReady", &why).await)),
                    None => None,
                };
                return self.tell(ForwardEvent::Failed { why, evidence }).await;
            }
        };
        self.reached(&chosen.pod).await;
        let carried = tokio::select! {
            carried = port.carry(&mut connection) => carried,
            // The server does not always say that a pod has gone, and a client that keeps its connection would wait.
            () = self.gone(&chosen) => return,
        };
        if let Err(error) = carried {
            let why = format!("pod {} does not answer on port {}: {error}", chosen.pod, chosen.port);
            let key = ObjectKey::new(Gvk::new("", "v1", "Pod"), Some(self.forward.namespace.as_str()), &chosen.pod);
            let pod = self.cluster.get(&key).await.ok().flatten();
            let evidence = match pod {
                Some(pod) => Some(Box::new(self.cluster.evidence(&pod, "NoAnswer", &why).await)),
                None => None,
            };
            self.tell(ForwardEvent::Failed { why, evidence }).await;
        }
    }

    /// A connection to a pod that is ready, waiting for one if need be; else why there is none, and the pod that should
    /// have been.
    async fn connect(&self) -> Result<(Chosen, PodPort), (String, Option<Object>)> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (why, pod) = match self.pods().await {
                Err(why) => (why, None),
                Ok(pods) => match self.choose(&pods) {
                    // One that cannot start, or starts again and again, does not come in a moment.
                    Err(why)
                        if !pods.is_empty() && pods.iter().all(|pod| stuck_pod(pod).is_some() || has_crashed(pod)) =>
                    {
                        return Err((why, newest(&pods)));
                    }
                    Err(why) => (why, newest(&pods)),
                    Ok(chosen) => match self.cluster.open_port(&self.forward.namespace, &chosen.pod, chosen.port).await
                    {
                        Ok(port) => return Ok((chosen, port)),
                        Err(error) => {
                            (error.diagnose().notes.first().cloned().unwrap_or_else(|| error.to_string()), None)
                        }
                    },
                },
            };
            if tokio::time::Instant::now() >= deadline {
                return Err((why, pod));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The pods that may answer.
    async fn pods(&self) -> Result<Vec<Object>, String> {
        let selector = match &self.forward.pods {
            Pods::Labelled(labels) => {
                let terms: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                Some(terms.join(","))
            }
            Pods::Named(_) => None,
        };
        let options = ListOptions {
            namespace: Some(self.forward.namespace.clone()),
            label_selector: selector,
            ..ListOptions::default()
        };
        let pods = self.cluster.list(&Gvk::new("", "v1", "Pod"), &options).await.map_err(|error| error.to_string())?;
        Ok(pods
            .into_iter()
            .filter(|pod| match &self.forward.pods {
                Pods::Labelled(labels) => matches(pod, labels),
                Pods::Named(name) => pod.name() == name,
            })
            .collect())
    }

    /// The first pod that is ready, else the first that runs.
    fn choose(&self, pods: &[Object]) -> Result<Chosen, String> {
        let mut running: Vec<&Object> = pods.iter().filter(|pod| runs(pod)).collect();
        running.sort_by_key(|pod| (!is_ready(pod), pod.name().to_owned()));
        let Some(pod) = running.first() else {
            let states: BTreeSet<String> = pods.iter().map(state).collect();
            let states: Vec<String> = states.into_iter().collect();
            let what = &self.forward.what;
            return Err(match states.as_slice() {
                [] => format!("{what} has no pods"),
                states => format!("no pod of {what} runs ({})", states.join(", ")),
            });
        };
        let port = match &self.forward.port {
            TargetPort::Number(number) => *number,
            TargetPort::Named(name) => named_port(pod, name)
                .ok_or_else(|| format!("no container of pod {} calls a port `{name}`", pod.name()))?,
        };
        Ok(Chosen { pod: pod.name().to_owned(), uid: pod.uid().unwrap_or_default().to_owned(), port })
    }

    /// Ends when a pod is no longer there.
    async fn gone(&self, chosen: &Chosen) {
        let key = ObjectKey::new(Gvk::new("", "v1", "Pod"), Some(self.forward.namespace.as_str()), &chosen.pod);
        loop {
            tokio::time::sleep(LIVING).await;
            match self.cluster.get(&key).await {
                Ok(Some(pod)) if pod.uid() == Some(chosen.uid.as_str()) => {}
                Ok(_) => return,
                // The API server's own restart does not end connections; that of the node does, and they say so.
                Err(_) => {}
            }
        }
    }

    async fn reached(&self, pod: &str) {
        let mut last = self.last.lock().await;
        if last.as_deref() == Some(pod) {
            return;
        }
        let again = last.replace(pod.to_owned()).is_some();
        drop(last);
        self.tell(ForwardEvent::Pod { pod: pod.to_owned(), again }).await;
    }

    async fn tell(&self, event: ForwardEvent) {
        // Nobody listening is no reason to stop.
        let _unheard = self.events.send(event).await;
    }
}

fn runs(pod: &Object) -> bool {
    pod.str_at("/status/phase") == Some("Running")
        && pod.at("/metadata/deletionTimestamp").is_none()
        && pod.list_at("/status/containerStatuses").iter().any(|status| status.pointer("/state/running").is_some())
}

fn is_ready(pod: &Object) -> bool {
    pod.list_at("/status/conditions")
        .iter()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Whether a container has ended with an error and does not run again yet.
fn has_crashed(pod: &Object) -> bool {
    pod.list_at("/status/containerStatuses").iter().any(|status| {
        let ended = ["/state/terminated/exitCode", "/lastState/terminated/exitCode"];
        status.pointer("/state/running").is_none()
            && ended.iter().any(|pointer| status.pointer(pointer).and_then(Value::as_i64).is_some_and(|code| code != 0))
    })
}

/// What a pod is at, as its containers say: `CrashLoopBackOff`, else its phase.
fn state(pod: &Object) -> String {
    let waiting = pod
        .list_at("/status/containerStatuses")
        .iter()
        .find_map(|status| status.pointer("/state/waiting/reason").and_then(Value::as_str));
    waiting.or(pod.str_at("/status/phase")).unwrap_or("Unknown").to_owned()
}

fn newest(pods: &[Object]) -> Option<Object> {
    pods.iter().max_by_key(|pod| pod.creation_timestamp().unwrap_or_default().to_owned()).cloned()
}

fn named_port(pod: &Object, name: &str) -> Option<u16> {
    let containers = pod.list_at("/spec/containers").iter().chain(pod.list_at("/spec/initContainers"));
    let mut ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let port = ports.find(|port| port["name"] == name)?;
    port["containerPort"].as_u64()?.try_into().ok()
}
