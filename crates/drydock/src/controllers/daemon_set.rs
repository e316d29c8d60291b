//! Daemon sets: a pod on every node that will have it (`pkg/controller/daemon`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_apiserver::{Status, TEMPLATE_GENERATION};
use serde_json::{Value, json};

use super::claims;
use super::desk::{Desk, EventType, Found, Outcome, earliest};
use super::fields::{
    annotation, child, count, created, deleting, label, list, name, namespace, set_count, set_label, text, truth,
};
use super::history;
use super::kind::{DAEMON_SET, NODE, POD};
use super::loops::{After, Loop, Wake};
use super::pods::{available_at, is_available, is_ready, is_terminated};
use super::queue::Role;
use super::rollout::{Rounding, scaled};
use super::{orphans, pod_control};
use crate::scheduler::{matches_node_selection, tolerates};

const REVISION_LABEL: &str = "controller-revision-hash";
const GENERATION_LABEL: &str = "pod-template-generation";

/// Taints that daemon pods live with.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// The set with its pods by node, as one reconciliation sees them.
struct Work<'a> {
    set: &'a Value,
    hash: String,
    nodes: Vec<Found>,
    by_node: BTreeMap<String, Vec<Found>>,
}

/// What becomes of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Wish {
    run: bool,
    keep: bool,
}

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::DaemonSet,
    kinds: &[DAEMON_SET],
    wakes: &[
        Wake { after: After::These(&[POD.id]), queue: |call| orphans::adopting(call, &DAEMON_SET) },
        Wake { after: After::These(&[NODE.id]), queue: |call| call.look_at_all(&DAEMON_SET, "") },
    ],
};

/// Brings one daemon set a step further.
pub(super) fn reconcile(desk: &mut Desk<'_>, namespace_: &str, name_: &str) -> Result<Outcome, Status> {
    desk.speaks_as("daemonset-controller");
    let Some(found) = desk.get(&DAEMON_SET, namespace_, name_) else { return Ok(Outcome::done()) };
    let set = found.value();
    if deleting(set) {
        return Ok(Outcome::done());
    }
    let mut known = history::revisions(desk, set)?;
    let draft = history::Draft { set, collisions: count(set, "/status/collisionCount") };
    let (current, collisions) = history::current(desk, &draft, &mut known)?;
    let hash = history::hash(&current).to_owned();
    let mut work = Work { set, hash, nodes: desk.list(&NODE, ""), by_node: BTreeMap::new() };
    work.observe(desk)?;
    let mut refused = work.manage(desk).err();
    if refused.is_none() && text(set, "/spec/updateStrategy/type") != "OnDelete" {
        work.observe(desk)?;
        refused = work.roll(desk).err();
    }
    work.observe(desk)?;
    let live = |r: &Value| {
        history::hash(r) == work.hash || work.pods().any(|pod| label(pod, REVISION_LABEL) == Some(history::hash(r)))
    };
    history::truncate(desk, set, &known, live)?;
    let next = work.write_status(desk, collisions)?;
    match refused {
        Some(refusal) => Err(refusal),
        None => Ok(Outcome::again_at(next)),
    }
}

impl Work<'_> {
    fn pods(&self) -> impl Iterator<Item = &Found> {
        self.by_node.values().flatten()
    }

    fn observe(&mut self, desk: &mut Desk<'_>) -> Result<(), Status> {
        let wanted = self.set.pointer("/spec/selector");
        let candidates = desk.list_claimable(&POD, self.set);
        self.by_node.clear();
        for pod in claims::claim(desk, &POD, self.set, wanted, candidates)? {
            if deleting(&pod) && is_terminated(&pod) {
                continue;
            }
            self.by_node.entry(node_of(&pod)).or_default().push(pod);
        }
        Ok(())
    }

    /// Whether a node should have a pod, and may keep one it has (`NodeShouldRunDaemonPod`).
    fn wish(&self, node: &Value) -> Wish {
        let pod = self.pod(node);
        if !matches_node_selection(&pod, node) {
            return Wish { run: false, keep: false };
        }
        let mut wish = Wish { run: true, keep: true };
        for taint in list(node, "/spec/taints").iter().filter(|t| !tolerates(&pod, t)) {
            match text(taint, "/effect") {
                "NoExecute" => return Wish { run: false, keep: false },
                "NoSchedule" => wish.run = false,
                _ => {}
            }
        }
        wish
    }

    fn pod(&self, node: &Value) -> Value {
        let template = self.set.pointer("/spec/template").cloned().unwrap_or_default();
        let mut pod = pod_control::from_template(&template, self.set);
        set_label(&mut pod, REVISION_LABEL, &self.hash);
        if let Some(generation) = annotation(self.set, TEMPLATE_GENERATION) {
            set_label(&mut pod, GENERATION_LABEL, generation);
        }
        let spec = child(&mut pod, "spec");
        let here = json!([{"key": "metadata.name", "operator": "In", "values": [name(node)]}]);
        let required =
            child(child(child(spec, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution");
        // What the template demands of nodes was looked at before the pod was made (`ReplaceDaemonSetPodNodeNameNodeAffinity`).
        required["nodeSelectorTerms"] = json!([{"matchFields": here}]);
        let mut tolerations = list(spec, "/tolerations").to_vec();
        let network = ("node.kubernetes.io/network-unavailable", "NoSchedule");
        let extra = truth(spec, "/hostNetwork").then_some(network);
        for (key, effect) in TOLERATED.into_iter().chain(extra) {
            tolerations.push(json!({"key": key, "operator": "Exists", "effect": effect}));
        }
        spec["tolerations"] = tolerations.into();
        pod
    }

    /// Makes pods where they are missing, removes those that should not be (`podsShouldBeOnNode`).
    fn manage(&self, desk: &mut Desk<'_>) -> Result<(), Status> {
        let mut missing = Vec::new();
        let surging = self.limits().0 > 0;
        for node in &self.nodes {
            let wish = self.wish(node);
            let pods = self.by_node.get(node.name()).map_or(&[][..], Vec::as_slice);
            if wish.run && pods.is_empty() {
                missing.push(self.pod(node));
            } else if wish.keep {
                let alive = self.without_ended(desk, node, pods)?;
                if alive.is_empty() && surging && wish.run {
                    missing.push(self.pod(node));
                }
                for surplus in self.surplus(&alive, surging, desk.now()) {
                    pod_control::delete(desk, surplus, self.set)?;
                }
            } else {
                for pod in pods.iter().filter(|pod| !deleting(pod)) {
                    pod_control::delete(desk, pod, self.set)?;
                }
            }
        }
        for pods in self.by_node.iter().filter(|(node, _)| !self.nodes.iter().any(|n| n.name() == node.as_str())) {
            for pod in pods.1.iter().filter(|p| !deleting(p) && !is_terminated(p)) {
                pod_control::delete(desk, pod, self.set)?;
            }
        }
        let (_, refused) = pod_control::slow_start(missing.len(), |index| {
            match pod_control::create(desk, missing[index].clone(), self.set) {
                Err(refusal) if !pod_control::is_namespace_terminating(&refusal) => Err(refusal),
                _ => Ok(()),
            }
        });
        refused.map_or(Ok(()), Err)
    }

    /// The pods of a node that run or are to run, oldest first; those that ended are removed.
    fn without_ended<'p>(
        &self,
        desk: &mut Desk<'_>,
        node: &Found,
        pods: &'p [Found],
    ) -> Result<Vec<&'p Found>, Status> {
        let mut alive = Vec::new();
        for pod in pods.iter().filter(|pod| !deleting(pod)) {
            let (kind, reason, how, wish) = match text(pod, "/status/phase") {
                "Failed" => (EventType::Warning, "FailedDaemonPod", "failed", "kill"),
                "Succeeded" => (EventType::Normal, "SucceededDaemonPod", "succeeded", "delete"),
                _ => {
                    alive.push(pod);
                    continue;
                }
            };
            let (within, name, node) = (pod.namespace(), pod.name(), node.name());
            let message = format!("Found {how} daemon pod {within}/{name} on node {node}, will try to {wish} it");
            desk.event(self.set, kind, reason, &message);
            pod_control::delete(desk, pod, self.set)?;
        }
        alive.sort_by(|a, b| by_age_and_place(a, b));
        Ok(alive)
    }

    /// Which of a node's pods are too many: all but the oldest; while surging, all but the oldest of either revision,
    /// and the old one as soon as it is no longer ready or the new one is available.
    fn surplus<'p>(&self, alive: &[&'p Found], surging: bool, now: Timestamp) -> Vec<&'p Found> {
        if !surging {
            return alive.iter().skip(1).copied().collect();
        }
        let (mut new, mut old, mut surplus) = (None, None, Vec::new());
        for pod in alive {
            let first = if self.is_new(pod) { &mut new } else { &mut old };
            match first {
                None => *first = Some(*pod),
                Some(_) => surplus.push(*pod),
            }
        }
        if let (Some(new), Some(old)) = (new, old)
            && (!is_ready(old) || is_available(new, count(self.set, "/spec/minReadySeconds"), now))
        {
            surplus.push(old);
        }
        surplus
    }

    /// Surge and unavailable pods allowed.
    fn limits(&self) -> (i64, i64) {
        let desired = self.nodes.iter().filter(|n| self.wish(n).run).count() as i64;
        let rolling = |field: &str| self.set.pointer(&format!("/spec/updateStrategy/rollingUpdate/{field}"));
        let surge = scaled(rolling("maxSurge"), desired, 0, Rounding::Up);
        let unavailable = scaled(rolling("maxUnavailable"), desired, 1, Rounding::Up);
        if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
    }

    fn is_new(&self, pod: &Value) -> bool {
        label(pod, REVISION_LABEL) == Some(self.hash.as_str())
    }

    /// The one new and the one old pod of a node; `None` where there are more of either (`findUpdatedPodsOnNode`).
    fn revisions_on<'p>(&self, pods: &'p [Found]) -> Option<(Option<&'p Found>, Option<&'p Found>)> {
        let (mut new, mut old) = (None, None);
        for pod in pods.iter().filter(|pod| !deleting(pod)) {
            let slot = if self.is_new(pod) { &mut new } else { &mut old };
            if slot.replace(pod).is_some() {
                return None;
            }
        }
        Some((new, old))
    }

    /// Replaces outdated pods within the limits (`rollingUpdate`).
    fn roll(&self, desk: &mut Desk<'_>) -> Result<(), Status> {
        let (surge, unavailable) = self.limits();
        if surge > 0 { self.roll_by_surge(desk, surge) } else { self.roll_in_place(desk, unavailable) }
    }

    fn roll_in_place(&self, desk: &mut Desk<'_>, unavailable: i64) -> Result<(), Status> {
        let min_ready = count(self.set, "/spec/minReadySeconds");
        let mut missing = 0;
        let (mut replaced, mut candidates) = (Vec::new(), Vec::new());
        for pods in self.by_node.values() {
            match self.revisions_on(pods) {
                None | Some((None, None) | (Some(_), Some(_))) => missing += 1,
                Some((Some(new), None)) => missing += i64::from(!is_available(new, min_ready, desk.now())),
                Some((None, Some(old))) if !is_available(old, min_ready, desk.now()) => {
                    replaced.push(old.clone());
                    missing += 1;
                }
                Some((None, Some(_))) if missing >= unavailable => {}
                Some((None, Some(old))) => candidates.push(old.clone()),
            }
        }
        candidates.truncate(usize::try_from(unavailable - missing).unwrap_or(0));
        for pod in replaced.iter().chain(&candidates) {
            pod_control::delete(desk, pod, self.set)?;
        }
        Ok(())
    }

    fn roll_by_surge(&self, desk: &mut Desk<'_>, surge: i64) -> Result<(), Status> {
        let (min_ready, now) = (count(self.set, "/spec/minReadySeconds"), desk.now());
        let available = |pod: &Value| is_available(pod, min_ready, now);
        let (mut surging, mut serving) = (0, 0);
        let (mut ended, mut stray) = (Vec::new(), Vec::new());
        let (mut needed, mut candidates) = (Vec::new(), Vec::new());
        for (name, pods) in &self.by_node {
            let Some((new, old)) = self.revisions_on(pods) else {
                surging += 1;
                continue;
            };
            serving += i64::from(old.or(new).is_some_and(|pod| available(pod)));
            let Some(old) = old else { continue };
            let node = self.nodes.iter().find(|node| node.name() == name);
            match (new, node.filter(|node| self.wish(node).run)) {
                (Some(new), _) if available(new) => ended.push(old.clone()),
                (Some(_), _) => surging += 1,
                (None, Some(node)) if !available(old) => needed.push(node),
                (None, Some(node)) => candidates.push(node),
                (None, None) if !available(old) => ended.push(old.clone()),
                (None, None) => stray.push(old.clone()),
            }
        }
        // Pods where none should be go only when enough serve elsewhere.
        let desired = self.nodes.iter().filter(|node| self.wish(node).run).count() as i64;
        stray.truncate(usize::try_from(serving - desired).unwrap_or(0));
        for pod in ended.iter().chain(&stray) {
            pod_control::delete(desk, pod, self.set)?;
        }
        candidates.truncate(usize::try_from(surge - surging).unwrap_or(0));
        for node in needed.into_iter().chain(candidates) {
            pod_control::create(desk, self.pod(node), self.set)?;
        }
        Ok(())
    }

    fn write_status(&self, desk: &mut Desk<'_>, collisions: i64) -> Result<Option<Timestamp>, Status> {
        let min_ready = count(self.set, "/spec/minReadySeconds");
        let now = desk.now();
        let (mut desired, mut current, mut stray, mut ready, mut available, mut updated) = (0, 0, 0, 0, 0, 0);
        for node in &self.nodes {
            let pods = self.by_node.get(node.name()).map_or(&[][..], Vec::as_slice);
            let scheduled = !pods.is_empty();
            if !self.wish(node).run {
                stray += i64::from(scheduled);
                continue;
            }
            desired += 1;
            current += i64::from(scheduled);
            if let Some(pod) = pods.iter().min_by(|a, b| by_age_and_place(a, b)) {
                ready += i64::from(is_ready(pod));
                available += i64::from(is_available(pod, min_ready, now));
                updated += i64::from(self.is_new(pod));
            }
        }
        let mut status = json!({
            "currentNumberScheduled": current,
            "desiredNumberScheduled": desired,
            "numberMisscheduled": stray,
            "numberReady": ready,
        });
        set_count(&mut status, "observedGeneration", count(self.set, "/metadata/generation"));
        set_count(&mut status, "updatedNumberScheduled", updated);
        set_count(&mut status, "numberAvailable", available);
        set_count(&mut status, "numberUnavailable", desired - available);
        set_count(&mut status, "collisionCount", collisions);
        if let Some(known) = self.set.pointer("/status/conditions") {
            status["conditions"] = known.clone();
        }
        if self.set.get("status") != Some(&status)
            && let Some(there) = desk.get(&DAEMON_SET, namespace(self.set), name(self.set))
        {
            let mut changed = there.value().clone();
            changed["status"] = status;
            desk.update_status(&DAEMON_SET, changed)?;
        }
        let next = self.pods().filter_map(|p| available_at(p, min_ready)).filter(|at| *at > now);
        Ok(next.fold(None, |first, at| earliest(first, Some(at))))
    }
}

/// Those that have a node first, then the oldest (`podByCreationTimestampAndPhase`).
fn by_age_and_place(a: &Value, b: &Value) -> std::cmp::Ordering {
    let waits = |pod: &Value| text(pod, "/spec/nodeName").is_empty();
    waits(a).cmp(&waits(b)).then_with(|| created(a).cmp(&created(b))).then_with(|| name(a).cmp(name(b)))
}

/// The node a daemon pod is on or meant for.
fn node_of(pod: &Value) -> String {
    let assigned = text(pod, "/spec/nodeName");
    if !assigned.is_empty() {
        return assigned.to_owned();
    }
    let required = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    list(pod, required)
        .iter()
        .flat_map(|term| list(term, "/matchFields"))
        .find(|field| text(field, "/key") == "metadata.name")
        .map(|field| text(field, "/values/0").to_owned())
        .unwrap_or_default()
}
