//! The simulated kubelet: pods go through the phases that a real one takes them through, but no process runs.
//!
//! ```text
//! assigned ─► ContainerCreating ─► init containers, one by one ─► containers ─► probes ─► Ready
//!                │ volumes            │ image, references            │ exit, restart, back-off
//!                └ FailedMount        └ ErrImagePull, CreateContainerConfigError
//! ```
//!
//! Each reconciliation takes a pod one visible step further and writes its status, so that watchers see the phases.
//! What a container answers is what the project declares; what is not declared is taken as passing, and the pod says so
//! in its annotation [`SIMULATED`](landfall_object::SIMULATED).

mod address;
mod answers;
mod container;
mod hooks;
mod image;
mod probe;
mod programs;
mod references;
mod registration;
mod status;
mod termination;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use landfall_apiserver::Status;
use landfall_object::references::Program;
use landfall_object::{Assumption, SIMULATED, Simulated};
use serde_json::Value;

use crate::behaviour::{Behaviour, Play};
use crate::controllers::census::Census;
use crate::controllers::desk::{Desk, Outcome, earliest};
use crate::controllers::fields::{annotate, annotation, deleting, list, text};
use crate::controllers::kind::{NODE, POD};
use crate::controllers::nodes::is_simulated;
use crate::controllers::pods::is_terminated;
use crate::operators::standing::Operators;

pub(crate) use answers::container_of_port;
pub use image::ImageReference;
pub(crate) use registration::register;

/// What the kubelet remembers; all of it can be lost.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kubelet {
    /// Probes under way by pod, container and kind.
    probes: BTreeMap<(String, String, probe::ProbeKind), probe::Progress>,
    /// Pulls that failed, by pod and container.
    pulls: BTreeMap<(String, String), image::FailedPull>,
    /// Images that a node has.
    images: BTreeSet<(String, String)>,
    /// What was last reported of a pod that waits, so that it is said once.
    reported: BTreeMap<(String, String), String>,
    /// When containers last started and ended, by pod and container; their statuses say it in whole seconds.
    instants: BTreeMap<(String, String, Edge), Timestamp>,
    /// The last address given to a pod.
    last_address: u32,
    /// Programs that run, or ran, and may create Secrets.
    programs: Vec<Program>,
    /// Pods that have been asked whether they are such programs, by uid.
    asked: BTreeSet<String>,
    /// Whether operators that are not simulated may be there.
    operators: Operators,
}

/// An edge of a container's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edge {
    Start,
    End,
}

/// One pod in the kubelet's hands.
pub(crate) struct Work<'a, 'w> {
    pub(crate) desk: &'a mut Desk<'w>,
    pub(crate) memory: &'a mut Kubelet,
    /// All pods.
    pub(crate) census: &'a Census,
    pub(crate) play: &'a Play,
    /// The pod as the world has it.
    pub(crate) pod: &'a Value,
    /// The status that is being worked out.
    pub(crate) status: Value,
    /// What was assumed of its containers.
    pub(crate) assumed: BTreeSet<Assumption>,
    /// When to look again.
    pub(crate) again: Option<Timestamp>,
}

impl Kubelet {
    /// A kubelet that takes the place of operators as far as it is let.
    pub(crate) fn beside(operators: Operators) -> Self {
        Self { operators, ..Self::default() }
    }

    /// Takes one pod a step further.
    pub(crate) fn reconcile(
        &mut self,
        desk: &mut Desk<'_>,
        behaviour: &Behaviour,
        census: &Census,
        namespace: &str,
        name: &str,
    ) -> Result<Outcome, Status> {
        let Some(found) = desk.get(&POD, namespace, name) else { return Ok(Outcome::done()) };
        let pod = found.value();
        if text(pod, "/spec/nodeName").is_empty() {
            return Ok(Outcome::done());
        }
        let node = desk.get(&NODE, "", text(pod, "/spec/nodeName"));
        if node.as_ref().is_some_and(|node| !is_simulated(node)) {
            return Ok(Outcome::done());
        }
        desk.speaks_as("kubelet");
        let play = behaviour.play();
        let mut work = Work {
            desk,
            memory: self,
            census,
            play: &play,
            pod,
            status: pod.get("status").cloned().unwrap_or_default(),
            assumed: assumptions(pod),
            again: None,
        };
        if deleting(pod) {
            return work.terminate();
        }
        // Where the node is not there, no kubelet is that could run it.
        if is_terminated(pod) || node.is_none() {
            return Ok(Outcome::done());
        }
        work.take_what_others_make();
        work.advance();
        work.remember_program();
        work.write()
    }

    /// Forgets a pod that is gone.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.probes.retain(|(pod, _, _), _| pod != uid);
        self.pulls.retain(|(pod, _), _| pod != uid);
        self.reported.retain(|(pod, _), _| pod != uid);
        self.instants.retain(|(pod, _, _), _| pod != uid);
        self.asked.remove(uid);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.probes.len()
            + self.pulls.len()
            + self.images.len()
            + self.reported.len()
            + self.instants.len()
            + self.programs.len()
            + self.asked.len()
    }

    /// Starts all probes and pulls anew: what containers answer has changed.
    pub(crate) fn forget_probes(&mut self) {
        self.probes.clear();
        self.pulls.clear();
    }
}

impl Work<'_, '_> {
    /// Works out the next status.
    fn advance(&mut self) {
        if text(&self.status, "/startTime").is_empty() {
            status::begin(self);
            return;
        }
        if self.is_past_deadline() || self.volumes_are_missing() {
            return;
        }
        self.settle_sandbox();
        if self.run_init_containers() {
            self.run_containers();
        }
        status::summarise(self);
    }

    fn write(&mut self) -> Result<Outcome, Status> {
        let mut changed = self.pod.clone();
        changed["status"] = self.status.take();
        if changed.pointer("/status/containerStatuses").is_some() && self.has_started(&changed) {
            annotate(&mut changed, SIMULATED, &self.mark());
        }
        if changed != *self.pod {
            self.desk.update_status(&POD, changed)?;
        }
        Ok(Outcome::again_at(self.again))
    }

    fn has_started(&self, pod: &Value) -> bool {
        let statuses = list(pod, "/status/containerStatuses").iter().chain(list(pod, "/status/initContainerStatuses"));
        annotation(self.pod, SIMULATED).is_some() || statuses.into_iter().any(|s| s.pointer("/state/waiting").is_none())
    }

    /// What the annotation says: that containers are simulated, and what was taken for granted.
    fn mark(&self) -> String {
        Simulated::Containers(self.assumed.clone()).to_string()
    }
}

/// What earlier steps assumed of the pod.
fn assumptions(pod: &Value) -> BTreeSet<Assumption> {
    match annotation(pod, SIMULATED).map(Simulated::read) {
        Some(Simulated::Containers(assumed)) => assumed,
        _ => BTreeSet::new(),
    }
}

impl Work<'_, '_> {
    /// Looks at the pod again at an instant, or earlier if something else asks for that.
    pub(crate) fn again(&mut self, at: Option<Timestamp>) {
        self.again = earliest(self.again, at);
    }

    /// The pod's uid, by which things are remembered.
    pub(crate) fn uid(&self) -> String {
        text(self.pod, "/metadata/uid").to_owned()
    }

    /// Remembers that a container has just started or ended.
    pub(crate) fn keep_instant(&mut self, container: &str, edge: Edge) {
        self.memory.instants.insert((self.uid(), container.to_owned(), edge), self.desk.now());
    }

    /// The exact instant that a status shows in whole seconds; what is shown where nothing finer is remembered.
    pub(crate) fn exactly(&self, container: &str, edge: Edge, shown: Timestamp) -> Timestamp {
        let known = self.memory.instants.get(&(self.uid(), container.to_owned(), edge)).copied();
        known.filter(|exact| exact.as_second() == shown.as_second()).unwrap_or(shown)
    }

    /// Whether this is news about a part of the pod; the same is said only once.
    pub(crate) fn is_news(&mut self, part: &str, message: &str) -> bool {
        let key = (self.uid(), part.to_owned());
        let before = self.memory.reported.insert(key, message.to_owned());
        before.as_deref() != Some(message)
    }
}
