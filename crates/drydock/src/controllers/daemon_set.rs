//! Daemon sets: a pod on every node that will have it (`pkg/controller/daemon`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::desk::{Desk, EventType, Found, Outcome, earliest};
use super::fields::{
    annotation, child, count, deleting, is_controlled_by, label, list, name, namespace, set_count, set_label, text,
    truth,
};
use super::history;
use super::kind::{DAEMON_SET, NODE, POD};
use super::pod_control;
use super::pods::{available_at, is_available, is_ready, is_terminated};
use super::rollout::{Rounding, scaled};
use super::{claims, selector};
use crate::scheduler::{matches_node_selection, tolerates};
use crate::status::Status;
use crate::strategy::TEMPLATE_GENERATION;

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
        let candidates = desk
            .list(&POD, namespace(self.set))
            .into_iter()
            .filter(|pod| is_controlled_by(pod, self.set) || selector::matches(wanted, pod))
            .collect();
        self.by_node.clear();
        for pod in claims::claim(desk, &POD, self.set, wanted, candidates)? {
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
        match required.get_mut("nodeSelectorTerms").and_then(Value::as_array_mut) {
            Some(terms) => terms.iter_mut().for_each(|term| term["matchFields"] = here.clone()),
            None => required["nodeSelectorTerms"] = json!([{"matchFields": here}]),
        }
        let mut tolerations = list(spec, "/tolerations").to_vec();
        let network = ("node.kubernetes.io/network-unavailable", "NoSchedule");
        let extra = truth(spec, "/hostNetwork").then_some(network);
        for (key, effect) in TOLERATED.into_iter().chain(extra) {
            tolerations.push(json!({"key": key, "operator": "Exists", "effect": effect}));
        }
        spec["tolerations"] = tolerations.into();
        pod
    }

    /// Makes pods where they are missing, removes those that should not be.
    fn manage(&self, desk: &mut Desk<'_>) -> Result<(), Status> {
        let mut missing = Vec::new();
        for node in &self.nodes {
            let wish = self.wish(node);
            let pods = self.by_node.get(node.name()).map_or(&[][..], Vec::as_slice);
            let ended: Vec<&Found> =
                pods.iter().filter(|p| text(p, "/status/phase") == "Failed" && !deleting(p)).collect();
            for pod in &ended {
                let message = format!(
                    "Found failed daemon pod {}/{} on node {}, will try to kill it",
                    pod.namespace(),
                    pod.name(),
                    node.name()
                );
                desk.event(self.set, EventType::Warning, "FailedDaemonPod", &message);
                pod_control::delete(desk, pod, self.set)?;
            }
            let mut alive: Vec<&Found> = pods.iter().filter(|p| !is_terminated(p) && !deleting(p)).collect();
            let surge = self.limits().0 > 0;
            if wish.run && pods.is_empty() {
                missing.push(self.pod(node));
            } else if wish.keep && !surge {
                alive.sort_by_key(|p| (super::fields::created(p), p.name().to_owned()));
                for surplus in alive.iter().skip(1) {
                    pod_control::delete(desk, surplus, self.set)?;
                }
            } else if !wish.keep {
                for pod in alive {
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

    /// Replaces outdated pods within the limits (`rollingUpdate`).
    fn roll(&self, desk: &mut Desk<'_>) -> Result<(), Status> {
        let (surge, unavailable) = self.limits();
        let min_ready = count(self.set, "/spec/minReadySeconds");
        let now = desk.now();
        let usable = |pod: &Value| is_available(pod, min_ready, now) && !deleting(pod);
        if surge > 0 {
            let mut surging = 0;
            let mut to_make = Vec::new();
            for node in self.nodes.iter().filter(|n| self.wish(n).run) {
                let pods = self.by_node.get(node.name()).map_or(&[][..], Vec::as_slice);
                let alive = || pods.iter().filter(|p| !deleting(p) && !is_terminated(p));
                let (new, old) = (alive().find(|p| self.is_new(p)), alive().find(|p| !self.is_new(p)));
                match (new, old) {
                    (Some(new), Some(old)) if usable(new) => pod_control::delete(desk, old, self.set)?,
                    (Some(_), Some(_)) => surging += 1,
                    (None, Some(old)) if !usable(old) => pod_control::delete(desk, old, self.set)?,
                    (None, Some(_)) => to_make.push(node),
                    _ => {}
                }
            }
            for node in to_make.into_iter().take(usize::try_from(surge - surging).unwrap_or(0)) {
                pod_control::create(desk, self.pod(node), self.set)?;
            }
            return Ok(());
        }
        let mut missing = 0;
        let mut candidates = Vec::new();
        for node in self.nodes.iter().filter(|n| self.wish(n).run) {
            let pods = self.by_node.get(node.name()).map_or(&[][..], Vec::as_slice);
            match pods.iter().find(|p| !is_terminated(p)) {
                Some(pod) if deleting(pod) => missing += 1,
                Some(pod) if self.is_new(pod) => missing += i64::from(!usable(pod)),
                Some(pod) if !usable(pod) => {
                    missing += 1;
                    pod_control::delete(desk, pod, self.set)?;
                }
                Some(pod) => candidates.push(pod.clone()),
                None => missing += 1,
            }
        }
        for pod in candidates.into_iter().take(usize::try_from(unavailable - missing).unwrap_or(0)) {
            pod_control::delete(desk, &pod, self.set)?;
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
            let mut oldest: Vec<&Found> = pods.iter().filter(|p| !deleting(p)).collect();
            oldest.sort_by_key(|p| super::fields::created(p));
            if let Some(pod) = oldest.first() {
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
