//! Stateful sets: pods with names, in order (`pkg/controller/statefulset`).

mod identity;

use std::collections::BTreeMap;

use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::claims;
use super::desk::{Desk, EventType, Found, Outcome, earliest};
use super::fields::{count, deleting, int, label, name, namespace, set_count, text};
use super::history;
use super::kind::{CLAIM, POD, STATEFUL_SET};
use super::loops::{After, Loop, Wake};
use super::pods::{available_at, is_available, is_ready};
use super::queue::Role;
use super::rollout::wanted;
use super::{orphans, pod_control};

pub(super) use identity::ordinal;

/// The label that ties a pod to a revision.
pub(super) const REVISION_LABEL: &str = "controller-revision-hash";

/// Missing pods made in one reconciliation.
const MOST_MISSING: usize = 500;

/// The set and its two revisions, as one reconciliation sees them.
struct Update<'a> {
    set: &'a Value,
    current: Found,
    update: Found,
}

/// A place in the set: a pod that is there, or one that is to be made.
#[derive(Clone)]
enum Slot {
    There(Found),
    Missing(Value),
}

impl Slot {
    fn pod(&self) -> &Value {
        match self {
            Self::There(pod) => pod,
            Self::Missing(pod) => pod,
        }
    }
}

/// Whether to go on with the other pods of the set.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Wait,
}

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::StatefulSet,
    kinds: &[STATEFUL_SET],
    wakes: &[
        Wake { after: After::These(&[POD.id]), queue: |call| orphans::adopting(call, &STATEFUL_SET) },
        Wake {
            after: After::These(&[CLAIM.id]),
            queue: |call| call.look_at_all(&STATEFUL_SET, call.object().namespace()),
        },
    ],
};

/// Brings one stateful set a step further.
pub(super) fn reconcile(desk: &mut Desk<'_>, namespace_: &str, name_: &str) -> Result<Outcome, Status> {
    desk.speaks_as("statefulset-controller");
    let Some(found) = desk.get(&STATEFUL_SET, namespace_, name_) else { return Ok(Outcome::done()) };
    let set = found.value();
    let candidates =
        desk.list_claimable(&POD, set).into_iter().filter(|pod| ordinal(name(set), name(pod)).is_some()).collect();
    let pods = claims::claim(desk, &POD, set, set.pointer("/spec/selector"), candidates)?;
    let mut known = history::revisions(desk, set)?;
    let draft = history::Draft { set, collisions: count(set, "/status/collisionCount") };
    let (update, collisions) = history::current(desk, &draft, &mut known)?;
    let recorded = text(set, "/status/currentRevision");
    let current = known.iter().find(|r| name(r) == recorded).unwrap_or(&update).clone();
    let work = Update { set, current, update };
    let (mut slots, mut condemned) = work.places(&pods);
    let result = work.process(desk, &mut slots, &mut condemned);
    let mut status = work.status(desk, &slots, &condemned, collisions);
    // A pod replaced for the update no longer counts as current before it is seen to go.
    if let Ok(replaced) = &result
        && *replaced > 0
    {
        let left = (count(&status, "/currentReplicas") - replaced).max(0);
        set_count(&mut status, "currentReplicas", left);
    }
    work.write_status(desk, status)?;
    result?;
    let live = |r: &Value| {
        name(r) == name(&work.current)
            || name(r) == name(&work.update)
            || pods.iter().any(|pod| label(pod, REVISION_LABEL) == Some(name(r)))
    };
    history::truncate(desk, set, &known, live)?;
    let min_ready = count(set, "/spec/minReadySeconds");
    let next = pods.iter().filter_map(|p| available_at(p, min_ready)).filter(|at| *at > desk.now());
    Ok(Outcome::again_at(next.fold(None, |first, at| earliest(first, Some(at)))))
}

impl Update<'_> {
    /// One slot for each wanted ordinal, and the pods beyond them, highest ordinal first.
    fn places(&self, pods: &[Found]) -> (Vec<Slot>, Vec<Slot>) {
        let start = count(self.set, "/spec/ordinals/start");
        let end = start + wanted(self.set);
        let mut by_ordinal: BTreeMap<i64, Found> = BTreeMap::new();
        for pod in pods {
            if let Some(ordinal) = ordinal(name(self.set), name(pod)) {
                by_ordinal.insert(ordinal, pod.clone());
            }
        }
        let condemned = by_ordinal
            .iter()
            .filter(|(ordinal, _)| !(start..end).contains(*ordinal))
            .rev()
            .map(|(_, pod)| Slot::There(pod.clone()))
            .collect();
        // Only so many missing ones at a time: a set may ask for billions.
        let mut slots = Vec::new();
        let mut next = start;
        let mut missing = MOST_MISSING;
        let there = by_ordinal.into_iter().filter(|(ordinal, _)| (start..end).contains(ordinal));
        for (ordinal, pod) in there.map(|(ordinal, pod)| (ordinal, Some(pod))).chain([(end, None)]) {
            for absent in (next..ordinal).take(missing) {
                slots.push(Slot::Missing(self.pod(absent)));
                missing -= 1;
            }
            slots.extend(pod.map(Slot::There));
            next = ordinal + 1;
        }
        (slots, condemned)
    }

    /// The pod of an ordinal, at the revision the update strategy gives it (`newVersionedStatefulSetPod`).
    fn pod(&self, ordinal: i64) -> Value {
        let start = count(self.set, "/spec/ordinals/start");
        let rolling = self.set.pointer("/spec/updateStrategy/rollingUpdate");
        let kept = match rolling {
            None if text(self.set, "/spec/updateStrategy/type") == "RollingUpdate" => {
                ordinal < start + count(self.set, "/status/currentReplicas")
            }
            Some(rolling) => ordinal < start + count(rolling, "/partition"),
            None => false,
        };
        let revision = if kept { &self.current } else { &self.update };
        identity::pod(self.set, &history::template(revision, self.set), ordinal, name(revision))
    }

    fn is_monotonic(&self) -> bool {
        text(self.set, "/spec/podManagementPolicy") != "Parallel"
    }

    fn is_unavailable(&self, desk: &Desk<'_>, pod: &Value) -> bool {
        !is_available(pod, count(self.set, "/spec/minReadySeconds"), desk.now()) || deleting(pod)
    }

    fn runs_and_is_available(&self, desk: &Desk<'_>, pod: &Value) -> bool {
        text(pod, "/status/phase") == "Running"
            && is_available(pod, count(self.set, "/spec/minReadySeconds"), desk.now())
    }

    /// Works through slots, condemned pods and the update (`updateStatefulSet`); pods replaced for the update.
    fn process(&self, desk: &mut Desk<'_>, slots: &mut [Slot], condemned: &mut [Slot]) -> Result<i64, Status> {
        if deleting(self.set) {
            return Ok(0);
        }
        let first_unavailable = slots
            .iter()
            .chain(condemned.iter().rev())
            .find(|slot| self.is_unavailable(desk, slot.pod()))
            .map(|slot| name(slot.pod()).to_owned());
        let monotonic = self.is_monotonic();
        let mut waits = false;
        for slot in slots.iter_mut() {
            if self.process_replica(desk, slot)? == Next::Wait {
                waits = true;
                if monotonic {
                    return Ok(0);
                }
            }
        }
        if waits {
            return Ok(0);
        }
        for slot in condemned.iter_mut() {
            if self.process_condemned(desk, slot.pod(), first_unavailable.as_deref())? == Next::Wait {
                waits = true;
                if monotonic {
                    return Ok(0);
                }
            }
        }
        if waits || text(self.set, "/spec/updateStrategy/type") == "OnDelete" {
            return Ok(0);
        }
        self.replace_outdated(desk, slots)
    }

    fn process_replica(&self, desk: &mut Desk<'_>, slot: &mut Slot) -> Result<Next, Status> {
        let monotonic = self.is_monotonic();
        if matches!(text(slot.pod(), "/status/phase"), "Failed" | "Succeeded") {
            if !deleting(slot.pod()) {
                self.delete_pod(desk, slot.pod())?;
            }
            return Ok(Next::Wait);
        }
        if let Slot::Missing(pod) = slot {
            let made = self.create_pod(desk, pod)?;
            *slot = Slot::There(made);
            if monotonic {
                return Ok(Next::Wait);
            }
        }
        if text(slot.pod(), "/status/phase") == "Pending" {
            self.create_claims(desk, slot.pod())?;
        }
        if !monotonic {
            return Ok(Next::GoOn);
        }
        let usable = is_ready(slot.pod()) && self.runs_and_is_available(desk, slot.pod());
        Ok(if deleting(slot.pod()) || !usable { Next::Wait } else { Next::GoOn })
    }

    fn process_condemned(
        &self,
        desk: &mut Desk<'_>,
        pod: &Value,
        first_unavailable: Option<&str>,
    ) -> Result<Next, Status> {
        let monotonic = self.is_monotonic();
        if deleting(pod) {
            return Ok(if monotonic { Next::Wait } else { Next::GoOn });
        }
        if monotonic && !self.runs_and_is_available(desk, pod) && first_unavailable != Some(name(pod)) {
            return Ok(Next::Wait);
        }
        self.delete_pod(desk, pod)?;
        Ok(Next::Wait)
    }

    /// Deletes the outdated pod of the highest ordinal, unless one above it is not available yet.
    ///
    /// `maxUnavailable` is not heeded, as on a 1.36 server, where its feature gate is off.
    fn replace_outdated(&self, desk: &mut Desk<'_>, slots: &[Slot]) -> Result<i64, Status> {
        let partition = count(self.set, "/spec/updateStrategy/rollingUpdate/partition");
        let first = count(self.set, "/spec/ordinals/start") + partition;
        let above = |slot: &&Slot| ordinal(name(self.set), name(slot.pod())).is_some_and(|o| o >= first);
        for slot in slots.iter().rev().take_while(above) {
            let outdated = label(slot.pod(), REVISION_LABEL) != Some(name(&self.update));
            if outdated && !deleting(slot.pod()) {
                self.delete_pod(desk, slot.pod())?;
                return Ok(1);
            }
            if self.is_unavailable(desk, slot.pod()) {
                return Ok(0);
            }
        }
        Ok(0)
    }

    fn create_pod(&self, desk: &mut Desk<'_>, pod: &Value) -> Result<Found, Status> {
        let result = self.create_claims(desk, pod).and_then(|()| pod_control::create_within_limit(desk, pod.clone()));
        if !result.as_ref().is_err_and(Status::is_already_exists) {
            self.report(desk, "Create", &format!("Pod {}", name(pod)), "successful", result.as_ref().err());
        }
        result
    }

    fn delete_pod(&self, desk: &mut Desk<'_>, pod: &Value) -> Result<(), Status> {
        let result = desk.delete(&POD, namespace(pod), name(pod));
        self.report(desk, "Delete", &format!("Pod {}", name(pod)), "successful", result.as_ref().err());
        result
    }

    fn create_claims(&self, desk: &mut Desk<'_>, pod: &Value) -> Result<(), Status> {
        for claim in identity::claims(self.set, pod) {
            if let Some(there) = desk.get(&CLAIM, namespace(&claim), name(&claim)) {
                if deleting(&there) {
                    let why = format!("pvc {} is being deleted", name(&claim));
                    return Err(Status::plain_error(why));
                }
                continue;
            }
            let what = format!("Claim {} Pod {}", name(&claim), name(pod));
            let result = desk.create(&CLAIM, claim).map(|_| ());
            self.report(desk, "Create", &what, "success", result.as_ref().err());
            result?;
        }
        Ok(())
    }

    fn report(&self, desk: &mut Desk<'_>, verb: &str, what: &str, success: &str, refused: Option<&Status>) {
        let set = name(self.set);
        match refused {
            None => {
                let message = format!("{verb} {what} in StatefulSet {set} {success}");
                desk.event(self.set, EventType::Normal, &format!("Successful{verb}"), &message);
            }
            Some(refusal) => {
                let message = format!("{verb} {what} in StatefulSet {set} failed error: {}", refusal.message);
                desk.event(self.set, EventType::Warning, &format!("Failed{verb}"), &message);
            }
        }
    }

    /// The counters, with the current revision moved on when the update is complete.
    fn status(&self, desk: &Desk<'_>, slots: &[Slot], condemned: &[Slot], collisions: i64) -> Value {
        let there: Vec<&Value> =
            slots.iter().chain(condemned).filter(|slot| matches!(slot, Slot::There(_))).map(Slot::pod).collect();
        let sum = |counts: &dyn Fn(&Value) -> bool| there.iter().filter(|pod| counts(pod)).count() as i64;
        let min_ready = count(self.set, "/spec/minReadySeconds");
        let running = |pod: &Value| text(pod, "/status/phase") == "Running" && is_ready(pod);
        let (current, update) = (name(&self.current).to_owned(), name(&self.update));
        let replicas = there.len() as i64;
        let ready = sum(&running);
        let available = sum(&|pod| running(pod) && is_available(pod, min_ready, desk.now()));
        let at = |pod: &Value, revision: &str| !deleting(pod) && label(pod, REVISION_LABEL) == Some(revision);
        let updated = sum(&|pod| at(pod, update));
        let (mut current_replicas, mut current_revision) = (sum(&|pod| at(pod, &current)), current.clone());
        let want = wanted(self.set);
        let rolling = text(self.set, "/spec/updateStrategy/type") == "RollingUpdate";
        if rolling && updated == want && ready == want && replicas == want {
            current_replicas = updated;
            current_revision = update.to_owned();
        }
        let mut status = json!({
            "replicas": replicas,
            "availableReplicas": available,
            "collisionCount": collisions,
            "currentRevision": current_revision,
            "updateRevision": update,
        });
        set_count(&mut status, "observedGeneration", int(self.set, "/metadata/generation").unwrap_or(0));
        set_count(&mut status, "readyReplicas", ready);
        set_count(&mut status, "currentReplicas", current_replicas);
        set_count(&mut status, "updatedReplicas", updated);
        if let Some(conditions) = self.set.pointer("/status/conditions") {
            status["conditions"] = conditions.clone();
        }
        status
    }

    fn write_status(&self, desk: &mut Desk<'_>, status: Value) -> Result<(), Status> {
        if self.set.get("status") != Some(&status) {
            let mut changed = self.set.clone();
            changed["status"] = status;
            desk.update_status(&STATEFUL_SET, changed)?;
        }
        Ok(())
    }
}
