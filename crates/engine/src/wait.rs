mod refused;
mod unbound;
mod vanished;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use landfall_cluster::{Change, Interest, JobWait, Outlook, Readiness, Stuck, readiness, stuck_pod};
use landfall_object::{Gvk, HealthStatus, Object, ObjectKey};
use unbound::UNBOUND;
use vanished::Vanished;

use crate::desired::{Task, WaitFor};
use crate::entry::{Intent, Outcome};
use crate::event::{Event, Pending};
use crate::executor::{Executor, Stop, recorded};
use crate::journal::Journal;
use crate::plan::{Plan, Step};
use crate::report::{Failure, FailureKind, StepResult};
use crate::{Error, Live};

/// By what objects are judged while they are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judge {
    Rollout(JobWait),
    Health,
    Completion,
    Deletion,
}

/// An object to wait for; of another uid it is another object.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) key: ObjectKey,
    pub(crate) uid: Option<String>,
}

impl Watched {
    pub(crate) fn named(key: ObjectKey) -> Self {
        Watched { key, uid: None }
    }
}

/// How long a controller may fail to create pods before that is taken as final: a service account of a new namespace
/// appears a moment after it.
const FAILING_TO_CREATE: Duration = Duration::from_secs(10);
/// How long a pod that was stuck before anything was waited for may take to show that it is no longer: its image may
/// have been pushed, its memory raised meanwhile, and its kubelet looks again only now and then.
const STALE: Duration = Duration::from_secs(10);
/// How often a container is started again, with all else ready, before it is taken for one that always crashes.
const RESTARTS_ALONE: i64 = 2;
/// The deadline of a rollout that sets none, in seconds.
const PROGRESS_DEADLINE: i64 = 600;
/// The reason of a rollout that has outlived its deadline.
const PAST_DEADLINE: &str = "ProgressDeadlineExceeded";
/// How many objects that are not ready are looked into when time is up.
const LOOKED_INTO: usize = 3;

/// Whether something is waited for itself or only explains what is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matter {
    Object,
    Around,
}

/// What an evaluation has found.
enum Verdict {
    Done,
    Pending(Vec<Pending>),
    Failed { key: ObjectKey, at: Box<Object>, reason: String, message: String },
}

/// The observed objects.
#[derive(Default)]
struct Scene {
    objects: BTreeMap<ObjectKey, Object>,
    /// What was deleted during this wait, as it was last: a job may be gone as soon as it is complete.
    departed: BTreeMap<ObjectKey, Object>,
    /// Jobs that are gone and whose end nothing was seen of.
    vanished: BTreeMap<ObjectKey, Vanished>,
    listed: BTreeSet<Interest>,
    /// When the delivery began that waits; the wait's own beginning where that is not known.
    begun: Option<Timestamp>,
    /// Since when a workload has been failing to create its pods.
    failing: BTreeMap<ObjectKey, Timestamp>,
    /// Older pods that were stuck when they were first seen, by uid, with their story so far.
    stale: Option<BTreeMap<String, String>>,
    /// Since when nothing but crashing workloads is waited for.
    alone: Option<Timestamp>,
    /// Workloads whose pods have crashed during this wait.
    crashed: BTreeSet<ObjectKey>,
}

impl Executor {
    /// A wait of a plan.
    pub(crate) async fn run_wait(
        &self,
        step: &Step,
        keys: &[ObjectKey],
        wait: WaitFor,
        timeout: Duration,
        plan: &Plan,
        journal: &mut Journal<'_>,
    ) -> Result<(), Stop> {
        if let Some(outcome) = journal.outcome(&step.id).cloned() {
            return recorded(outcome)?.map(|_| ()).map_err(Stop::Failed);
        }
        journal.intend(vec![(step.id.clone(), Intent::Wait { keys: keys.len() })]).await?;
        self.tell(Event::StepStarted { id: step.id.clone(), action: step.action, key: step.key.clone() }).await;
        let judge = match wait {
            WaitFor::Rollout(jobs) => Judge::Rollout(jobs),
            WaitFor::Health => Judge::Health,
            WaitFor::Deletion => Judge::Deletion,
        };
        let watched: Vec<Watched> = keys
            .iter()
            .map(|key| Watched {
                key: key.clone(),
                // Only what the plan saw has to go; a successor of the same name may be there.
                uid: if wait == WaitFor::Deletion { plan.uid_seen(key).map(str::to_owned) } else { None },
            })
            .collect();
        let result = self.wait(step, &watched, judge, timeout, &secrets_to_come(plan)).await;
        let (outcome, result) = match result {
            Ok(()) => (Outcome::done(StepResult::Ready), Ok(())),
            Err(Stop::Failed(failure)) => (Outcome::failed(&failure), Err(Stop::Failed(failure))),
            Err(broken) => return Err(broken),
        };
        journal.conclude(vec![(step.id.clone(), outcome)]).await?;
        // What failed is told by its own name, not by that of the first one that was waited for.
        let (key, told) = match &result {
            Err(Stop::Failed(failure)) => (failure.key.clone(), StepResult::Failed),
            _ => (step.key.clone(), StepResult::Ready),
        };
        self.tell(Event::StepDone { id: step.id.clone(), key, result: told }).await;
        result
    }

    /// Watches until all objects are as judged, one can never be, or time is up.
    ///
    /// `to_come` names Secrets that a controller will make, so that their absence is no reason to give up.
    pub(crate) async fn wait(
        &self,
        step: &Step,
        watched: &[Watched],
        judge: Judge,
        timeout: Duration,
        to_come: &[(String, String)],
    ) -> Result<(), Stop> {
        if watched.is_empty() {
            return Ok(());
        }
        let (objects, around) = interests(watched, judge);
        let expected = objects.len() + around.len();
        // What is around the objects explains them; where it may not be read, the wait does without.
        let around = self.cluster.observe(around).map(|change| (Matter::Around, change));
        let objects = self.cluster.observe(objects).map(|change| (Matter::Object, change));
        let mut changes = futures::stream::select(objects, around);
        let mut unreadable = 0;
        let mut scene = Scene { begun: Some(self.begun()), ..Scene::default() };
        let since = self.clock.now();
        let mut deadline = self.clock.sleep(timeout);
        let mut patience = self.clock.sleep(FAILING_TO_CREATE);
        let mut told: Vec<Pending> = Vec::new();
        loop {
            let (mut late, mut looks) = (false, false);
            self.let_go();
            tokio::select! {
                biased;
                Some(first) = changes.next() => {
                    // What has arrived already is taken before anything is judged.
                    let mut next = Some(first);
                    while let Some((matter, change)) = next {
                        match change {
                            Ok(Change::Interrupted(reason)) => self.tell(Event::Interrupted { reason }).await,
                            Ok(change) => scene.take(change),
                            Err(landfall_cluster::Error::NoMatch { .. }) if judge == Judge::Deletion => {
                                self.hold();
                                return Ok(());
                            }
                            Err(_) if matter == Matter::Around => unreadable += 1,
                            Err(error) => {
                                self.hold();
                                return Err(self.refused(step, &watched[0].key, &error));
                            }
                        }
                        next = futures::FutureExt::now_or_never(changes.next()).flatten();
                    }
                }
                () = &mut patience => {
                    patience = self.clock.sleep(FAILING_TO_CREATE);
                    looks = true;
                }
                () = self.stop.cancelled() => return Err(Error::Interrupted.into()),
                () = &mut deadline => late = true,
            }
            self.hold();
            if scene.listed.len() + unreadable < expected && !late {
                continue;
            }
            if self.look_for_vanished(&mut scene, watched, judge).await {
                patience = self.clock.sleep(vanished::BETWEEN_LOOKS);
            }
            if looks && let Some((key, at, message)) = self.look_for_refused(&scene, watched, judge).await {
                return Err(self.never_ready(step, key, &at, "FailedCreate", &message).await);
            }
            match scene.judge(watched, judge, self.clock.now()) {
                Verdict::Done => return Ok(()),
                Verdict::Failed { key, at, reason, message } => {
                    return Err(self.never_ready(step, key, &at, &reason, &message).await);
                }
                Verdict::Pending(pending) => {
                    if late {
                        return Err(self.timed_out(step, &scene, pending, timeout).await);
                    }
                    if let Some((key, pod, mut stuck)) = scene.stuck(watched, judge, &pending, since, self.clock.now())
                        && (stuck.outlook != Outlook::Curable || self.is_final(&pod, &mut stuck, to_come).await)
                    {
                        let message = told_stuck(&pod, &stuck);
                        return Err(self.never_ready(step, key, &pod, &stuck.reason, &message).await);
                    }
                    if pending != told {
                        told.clone_from(&pending);
                        let total = watched.len();
                        self.tell(Event::Waiting { id: step.id.clone(), pending, total, since }).await;
                    }
                }
            }
        }
    }

    async fn never_ready(&self, step: &Step, key: ObjectKey, at: &Object, reason: &str, message: &str) -> Stop {
        let mut evidence = self.cluster.evidence(at, reason, message).await;
        evidence.object = key.clone();
        self.tell(Event::Evidence(Box::new(evidence.clone()))).await;
        Stop::Failed(Box::new(Failure {
            step: step.id.clone(),
            key,
            kind: FailureKind::NeverReady,
            hook: None,
            message: message.to_owned(),
            evidence: vec![evidence],
            further: Vec::new(),
        }))
    }

    async fn timed_out(&self, step: &Step, scene: &Scene, pending: Vec<Pending>, timeout: Duration) -> Stop {
        let mut evidence = Vec::new();
        for entry in pending.iter().take(LOOKED_INTO) {
            if let Some(object) = scene.objects.get(&entry.key) {
                let found = self.cluster.evidence(object, "Timeout", &entry.missing).await;
                self.tell(Event::Evidence(Box::new(found.clone()))).await;
                evidence.push(found);
            }
        }
        let what: Vec<String> = pending.iter().map(|entry| format!("{}: {}", entry.key, entry.missing)).collect();
        let key = pending.first().map_or_else(|| step.key.clone(), |entry| entry.key.clone());
        Stop::Failed(Box::new(Failure {
            step: step.id.clone(),
            key,
            kind: FailureKind::Timeout,
            hook: None,
            message: format!("timed out after {} s waiting for {}", timeout.as_secs(), what.join("; ")),
            evidence,
            further: Vec::new(),
        }))
    }

    /// Whether a pod that misses a Secret, a ConfigMap, a key of one, a claim or a volume will go on missing it.
    async fn is_final(&self, pod: &Object, stuck: &mut Stuck, to_come: &[(String, String)]) -> bool {
        let namespace = pod.namespace().unwrap_or("default");
        if stuck.message.contains(UNBOUND) {
            let Some(why) = self.never_bound(pod).await else { return false };
            stuck.message = why;
            return true;
        }
        let Some((kind, name, field)) = missing_reference(&stuck.message) else {
            return stuck.reason == "CreateContainerConfigError";
        };
        if to_come.iter().any(|(home, secret)| home == namespace && *secret == name) {
            return false;
        }
        let key = ObjectKey::new(Gvk::new("", "v1", kind), Some(namespace), name);
        match self.cluster.get(&key).await {
            Ok(None) => true,
            Ok(Some(object)) => field.is_some_and(|field| {
                let holds = |map: &str| object.at(map).and_then(|map| map.get(&field)).is_some();
                !holds("/data") && !holds("/binaryData")
            }),
            Err(_) => false,
        }
    }
}

fn told_stuck(pod: &Object, stuck: &Stuck) -> String {
    let mut text = format!("pod {}", pod.name());
    if let Some(container) = &stuck.container {
        text.push_str(&format!(", container {container}"));
    }
    text.push_str(&format!(": {}: {}", stuck.reason, stuck.message));
    if let Some(image) = &stuck.image
        && !stuck.message.contains(image.as_str())
    {
        text.push_str(&format!(" (image {image})"));
    }
    text
}

/// Kind, name and key in the kubelet's words (pkg/kubelet/kuberuntime: `secret "x" not found`, `couldn't find key K in
/// Secret ns/x`), or the scheduler's (`persistentvolumeclaim "x" not found`).
fn missing_reference(message: &str) -> Option<(&'static str, String, Option<String>)> {
    let kind_of = |word: &str| match word {
        "secret" | "Secret" => Some("Secret"),
        "configmap" | "ConfigMap" => Some("ConfigMap"),
        "persistentvolumeclaim" => Some("PersistentVolumeClaim"),
        _ => None,
    };
    if let Some((_, rest)) = message.split_once("couldn't find key ") {
        let mut words = rest.split_whitespace();
        let field = words.next()?.to_owned();
        let kind = words.nth(1).and_then(kind_of)?;
        let place = words.next()?;
        let name = place.rsplit('/').next()?.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        return Some((kind, name.to_owned(), Some(field)));
    }
    let (head, rest) = message.split_once('"')?;
    let (name, rest) = rest.split_once('"')?;
    let kind = head.split_whitespace().last().and_then(kind_of)?;
    rest.contains("not found").then(|| (kind, name.to_owned(), None))
}

/// Secrets that a controller makes from an object of the plan.
fn secrets_to_come(plan: &Plan) -> Vec<(String, String)> {
    let objects = plan.steps().filter_map(|step| match &step.task {
        Task::Apply { object, .. } | Task::Ensure { object } => Some(object),
        _ => None,
    });
    objects
        .filter_map(|object| {
            let name = match object.kind() {
                "SealedSecret" => object.str_at("/spec/template/metadata/name").unwrap_or(object.name()),
                "ExternalSecret" => object.str_at("/spec/target/name").unwrap_or(object.name()),
                "Certificate" => object.str_at("/spec/secretName")?,
                _ => return None,
            };
            Some((object.namespace()?.to_owned(), name.to_owned()))
        })
        .collect()
}

/// What has to be watched: the objects, and below workloads the pods in which their troubles show.
fn interests(watched: &[Watched], judge: Judge) -> (Vec<Interest>, Vec<Interest>) {
    let mut groups: BTreeMap<(Gvk, Option<String>), BTreeSet<String>> = BTreeMap::new();
    let mut below: BTreeSet<Interest> = BTreeSet::new();
    for Watched { key, .. } in watched {
        groups.entry((key.gvk.clone(), key.namespace.clone())).or_default().insert(key.name.clone());
        if judge == Judge::Deletion {
            continue;
        }
        let mut watch = |gvk: Gvk| below.insert(Interest { gvk, namespace: key.namespace.clone(), name: None });
        match (key.gvk.group.as_str(), key.gvk.kind.as_str()) {
            ("apps", "Deployment") => {
                watch(Gvk::new("apps", "v1", "ReplicaSet"));
                watch(Gvk::new("", "v1", "Pod"));
            }
            ("apps", _) | ("batch", "Job") | ("", "ReplicationController") => {
                watch(Gvk::new("", "v1", "Pod"));
            }
            ("", "PersistentVolumeClaim") => {
                watch(Gvk::new("", "v1", "Pod"));
                below.insert(Interest { gvk: storage_class(), namespace: None, name: None });
            }
            _ => {}
        }
    }
    let mut interests: BTreeSet<Interest> = groups
        .into_iter()
        .map(|((gvk, namespace), names)| {
            let alone = names.len() == 1;
            Interest { gvk, namespace, name: names.into_iter().next().filter(|_| alone) }
        })
        .collect();
    let mut around = Vec::new();
    for whole in below {
        let same = |interest: &Interest| (&interest.gvk, &interest.namespace) == (&whole.gvk, &whole.namespace);
        if interests.iter().any(same) {
            interests.retain(|interest| !same(interest));
            interests.insert(whole);
        } else {
            around.push(whole);
        }
    }
    (interests.into_iter().collect(), around)
}

fn storage_class() -> Gvk {
    Gvk::new("storage.k8s.io", "v1", "StorageClass")
}

impl Scene {
    /// Whether a claim rightly waits: its class binds on first use, and no pod uses it yet.
    ///
    /// Helm waits for such a claim until its time is up; one that only a CronJob uses would never let it end.
    fn awaits_first_consumer(&self, claim: &Object) -> bool {
        let classes = || self.objects.values().filter(|object| object.kind() == "StorageClass");
        let class = match claim.str_at("/spec/storageClassName") {
            Some(name) => classes().find(|class| class.name() == name),
            None => {
                classes().find(|class| class.annotation("storageclass.kubernetes.io/is-default-class") == Some("true"))
            }
        };
        let on_first_use =
            class.is_some_and(|class| class.str_at("/volumeBindingMode") == Some("WaitForFirstConsumer"));
        let used = self.objects.values().any(|pod| {
            pod.kind() == "Pod"
                && pod.namespace() == claim.namespace()
                && pod.list_at("/spec/volumes").iter().any(|volume| {
                    volume.pointer("/persistentVolumeClaim/claimName").and_then(|name| name.as_str())
                        == Some(claim.name())
                })
        });
        on_first_use && !used && claim.str_at("/spec/volumeName").is_none()
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Listed(interest, objects) => {
                self.objects.retain(|key, _| {
                    key.gvk != interest.gvk
                        || (interest.namespace.is_some() && key.namespace != interest.namespace)
                        || interest.name.as_ref().is_some_and(|name| *name != key.name)
                });
                self.objects.extend(objects.into_iter().map(|object| (object.key(), object)));
                self.listed.insert(interest);
            }
            Change::Applied(object) => drop(self.objects.insert(object.key(), object)),
            Change::Deleted(object) => {
                self.objects.remove(&object.key());
                self.departed.insert(object.key(), object);
            }
            Change::Interrupted(_) => {}
        }
    }

    fn judge(&mut self, watched: &[Watched], judge: Judge, now: Timestamp) -> Verdict {
        let mut pending = Vec::new();
        for Watched { key, uid } in watched {
            let Some(object) = self.there(key, uid.as_deref()).cloned() else {
                match (judge, self.vanished.get(key)) {
                    (Judge::Deletion, _) | (_, Some(Vanished::Complete)) => {}
                    // Its end does not matter.
                    (Judge::Rollout(JobWait::Ignore), _) if vanished::is_job(key) => {}
                    _ if self.ended_before_it_went(key, uid.as_deref(), judge) => {}
                    (_, Some(Vanished::Looking(_))) => {
                        pending.push(Pending { key: key.clone(), missing: "is gone, its end is looked for".into() });
                    }
                    (_, Some(Vanished::Failed { reason, message })) => {
                        return Verdict::Failed {
                            key: key.clone(),
                            at: Box::new(Object::new(key)),
                            reason: reason.clone(),
                            message: message.clone(),
                        };
                    }
                    // A hook's object that is gone will not come to an end.
                    (Judge::Completion | Judge::Health, _) if uid.is_some() => {
                        return Verdict::Failed {
                            key: key.clone(),
                            at: Box::new(Object::new(key)),
                            reason: "Deleted".into(),
                            message: "it was deleted while it was waited for".into(),
                        };
                    }
                    _ => pending.push(Pending { key: key.clone(), missing: "does not exist".into() }),
                }
                continue;
            };
            match judged(&object, judge) {
                Readiness::Ready => {
                    self.failing.remove(key);
                }
                Readiness::NotYet(_)
                    if object.kind() == "PersistentVolumeClaim" && self.awaits_first_consumer(&object) => {}
                Readiness::NotYet(missing) => {
                    self.failing.remove(key);
                    pending.push(Pending { key: key.clone(), missing });
                }
                Readiness::Failed(message) => {
                    let reason = failure_reason(&object);
                    if reason == "FailedCreate" {
                        let since = *self.failing.entry(key.clone()).or_insert(now);
                        let patience = jiff::SignedDuration::try_from(FAILING_TO_CREATE).unwrap_or_default();
                        if now.duration_since(since) < patience {
                            pending.push(Pending { key: key.clone(), missing: message });
                            continue;
                        }
                    }
                    // What it waited for may come with this very delivery; its pods say when it does not.
                    if reason == PAST_DEADLINE && self.was_late_before(&object) {
                        pending.push(Pending { key: key.clone(), missing: message });
                        continue;
                    }
                    return Verdict::Failed { key: key.clone(), at: Box::new(object), reason, message };
                }
            }
        }
        if pending.is_empty() { Verdict::Done } else { Verdict::Pending(pending) }
    }

    /// The object of that key, when it is of that uid where one is known.
    fn there(&self, key: &ObjectKey, uid: Option<&str>) -> Option<&Object> {
        self.objects.get(key).filter(|object| uid.is_none() || object.uid() == uid)
    }

    /// Whether a rollout has outlived a deadline that began before this delivery did.
    fn was_late_before(&self, object: &Object) -> bool {
        let Some(condition) = object.condition("Progressing") else { return false };
        let told = condition["lastUpdateTime"].as_str().or(condition["lastTransitionTime"].as_str());
        let told = told.and_then(|time| time.parse::<Timestamp>().ok());
        // What is late by this delivery is late a whole deadline after it began.
        let deadline = object.i64_at("/spec/progressDeadlineSeconds").unwrap_or(PROGRESS_DEADLINE);
        told.zip(self.begun).is_some_and(|(told, begun)| told.as_second() < begun.as_second() + deadline)
    }

    /// Whether an object that is gone was ready when it went, as a job is that is deleted once it is finished
    /// (`ttlSecondsAfterFinished: 0`).
    fn ended_before_it_went(&self, key: &ObjectKey, uid: Option<&str>, judge: Judge) -> bool {
        let last = self.departed.get(key).filter(|last| uid.is_none() || last.uid() == uid);
        last.is_some_and(|last| last.kind() == "Job" && judged(last, judge) == Readiness::Ready)
    }

    /// A pod of a watched workload's current revision that can never start, or only when another object appears.
    fn stuck(
        &mut self,
        watched: &[Watched],
        judge: Judge,
        pending: &[Pending],
        since: Timestamp,
        now: Timestamp,
    ) -> Option<(ObjectKey, Object, Stuck)> {
        if judge == Judge::Deletion {
            return None;
        }
        let pods = self.objects.values().filter(|object| object.kind() == "Pod" && object.group().is_empty());
        let found: Vec<(ObjectKey, Object, Stuck)> = pods
            .filter_map(|pod| {
                let stuck = stuck_pod(pod)?;
                Some((self.owner_of(pod, watched)?, pod.clone(), stuck))
            })
            .collect();
        self.forget_what_was(&found, since, now);
        // Between two crashes a container runs for a moment; what crashed before does not stop to be what is waited for.
        let crashing = found.iter().filter(|(_, _, stuck)| matches!(stuck.outlook, Outlook::Crashing { .. }));
        self.crashed.extend(crashing.map(|(owner, _, _)| owner.clone()));
        let alone = pending.iter().all(|one| self.crashed.contains(&one.key));
        self.alone = if alone { self.alone.or(Some(now)) } else { None };
        let mut curable = None;
        for (owner, pod, stuck) in found {
            if self.is_stale(&pod) {
                continue;
            }
            match stuck.outlook {
                Outlook::Hopeless => return Some((owner, pod, stuck)),
                // Everything else was ready when it started once more, and it crashed again.
                Outlook::Crashing { restarts, last_start } => {
                    let ready_before = self.alone.map(|at| at.as_second());
                    let again =
                        last_start.map(|at| at.as_second()).is_some_and(|at| ready_before.is_some_and(|it| it <= at));
                    if restarts >= RESTARTS_ALONE && again {
                        return Some((owner, pod, stuck));
                    }
                }
                Outlook::Curable => drop(curable.get_or_insert((owner, pod, stuck))),
            }
        }
        curable
    }

    /// Keeps in mind which pods were stuck before the delivery began, until they show something new or enough time has
    /// passed. What the delivery itself made is news from its first moment, however long before this wait.
    fn forget_what_was(&mut self, found: &[(ObjectKey, Object, Stuck)], since: Timestamp, now: Timestamp) {
        let uid = |pod: &Object| pod.uid().unwrap_or_default().to_owned();
        let begun = self.begun.unwrap_or(since);
        let older = |pod: &Object| {
            let created = pod.creation_timestamp().and_then(|text| text.parse::<Timestamp>().ok());
            created.is_some_and(|at| at.as_second() < begun.as_second())
        };
        let stale = self.stale.get_or_insert_with(|| {
            found.iter().filter(|(_, pod, _)| older(pod)).map(|(_, pod, _)| (uid(pod), story(pod))).collect()
        });
        let grace = jiff::SignedDuration::try_from(STALE).unwrap_or_default();
        let patient = now.duration_since(since) < grace;
        // A crash of before is old news however long one waits: only the next one tells.
        let keeps = |stuck: &Stuck| patient || stuck.reason == "CrashLoopBackOff";
        stale.retain(|known, before| {
            found.iter().any(|(_, pod, stuck)| uid(pod) == *known && story(pod) == *before && keeps(stuck))
        });
    }

    fn is_stale(&self, pod: &Object) -> bool {
        let uid = pod.uid().unwrap_or_default();
        self.stale.as_ref().is_some_and(|stale| stale.contains_key(uid))
    }

    /// The watched object that a pod belongs to, when it is of its current revision.
    fn owner_of(&self, pod: &Object, watched: &[Watched]) -> Option<ObjectKey> {
        let is = |key: &ObjectKey, kind: &str, name: &str| {
            key.gvk.kind == kind && key.name == name && key.namespace.as_deref() == pod.namespace()
        };
        let find = |kind: &str, name: &str| watched.iter().map(|entry| &entry.key).find(|key| is(key, kind, name));
        if let Some(key) = find("Pod", pod.name()) {
            return Some(key.clone());
        }
        let owner = pod.controller()?;
        if let Some(key) = find(&owner.kind, &owner.name) {
            let object = self.objects.get(key)?;
            let revision = object.str_at("/status/updateRevision");
            let label = pod.label("controller-revision-hash");
            let old = owner.kind == "StatefulSet" && revision.is_some() && label.is_some() && revision != label;
            return (!old).then(|| key.clone());
        }
        if owner.kind != "ReplicaSet" {
            return None;
        }
        let namespace = pod.namespace();
        let set = self.objects.values().find(|object| {
            object.kind() == "ReplicaSet" && object.name() == owner.name && object.namespace() == namespace
        })?;
        let deployment = set.controller()?;
        let key = find(&deployment.kind, &deployment.name)?;
        let object = self.objects.get(key)?;
        const REVISION: &str = "deployment.kubernetes.io/revision";
        let observed = object.i64_at("/status/observedGeneration").unwrap_or(0) >= object.generation().unwrap_or(0);
        let current = set.annotation(REVISION) == object.annotation(REVISION);
        (observed && current && set.i64_at("/spec/replicas") != Some(0)).then(|| key.clone())
    }
}

/// What a pod's containers have been through: restarts, and what each waits for.
fn story(pod: &Object) -> String {
    let statuses = pod.list_at("/status/initContainerStatuses").iter().chain(pod.list_at("/status/containerStatuses"));
    let of =
        |status: &serde_json::Value| format!("{} {};", status["restartCount"], status["state"]["waiting"]["reason"]);
    statuses.map(of).collect()
}

fn judged(object: &Object, judge: Judge) -> Readiness {
    match judge {
        Judge::Rollout(jobs) => readiness(object, jobs),
        Judge::Health => health(object),
        Judge::Completion => match (object.group(), object.kind()) {
            ("batch", "Job") => readiness(object, JobWait::Complete),
            ("", "Pod") => match object.str_at("/status/phase") {
                Some("Succeeded") => Readiness::Ready,
                Some("Failed") => readiness(object, JobWait::Complete),
                phase => Readiness::NotYet(format!("pod is {}", phase.unwrap_or("Pending"))),
            },
            _ => Readiness::Ready,
        },
        Judge::Deletion => {
            let held: Vec<&str> = object.finalizers().collect();
            let by = if held.is_empty() { String::new() } else { format!(", held by {}", held.join(", ")) };
            Readiness::NotYet(format!("is still there{by}"))
        }
    }
}

/// Healthy by the rules that an Application's user knows; what has no health is healthy once it is there.
fn health(object: &Object) -> Readiness {
    let Some(health) = landfall_object::health::assess(object) else { return Readiness::Ready };
    let told = |usual: &str| if health.message.is_empty() { usual.to_owned() } else { health.message.clone() };
    match health.status {
        HealthStatus::Healthy | HealthStatus::Suspended => Readiness::Ready,
        HealthStatus::Progressing | HealthStatus::Missing => Readiness::NotYet(told("progressing")),
        HealthStatus::Degraded => Readiness::Failed(told("degraded")),
        HealthStatus::Unknown => Readiness::NotYet(told("its health is not known")),
    }
}

fn failure_reason(object: &Object) -> String {
    let failed = ["Failed", "ReplicaFailure"]
        .iter()
        .find_map(|kind| object.condition(kind).filter(|condition| condition["status"].as_str() == Some("True")));
    let stalled = || object.condition("Progressing").filter(|condition| condition["status"].as_str() == Some("False"));
    failed.or_else(stalled).and_then(|condition| condition["reason"].as_str()).unwrap_or("Failed").to_owned()
}

/// Kept for front doors that show what is live.
impl From<Vec<Object>> for Live {
    fn from(objects: Vec<Object>) -> Self {
        Live::new(objects)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_kubelets_and_the_schedulers_words_name_what_is_missing() {
        let name = |text: &str| missing_reference(text).map(|(kind, name, field)| format!("{kind} {name} {field:?}"));
        assert_eq!(name("secret \"db\" not found").as_deref(), Some("Secret db None"));
        assert_eq!(
            name("couldn't find key JWT_SECRET in Secret shop/luckyplans-secrets").as_deref(),
            Some("Secret luckyplans-secrets Some(\"JWT_SECRET\")")
        );
        assert_eq!(name("configmap \"c\" not found").as_deref(), Some("ConfigMap c None"));
        let claim = "0/1 nodes are available: persistentvolumeclaim \"data-db-0\" not found. not found";
        assert_eq!(name(claim).as_deref(), Some("PersistentVolumeClaim data-db-0 None"));
        assert_eq!(name("pod has unbound immediate PersistentVolumeClaims"), None);
        assert_eq!(name("something else"), None);
    }

    fn object(value: serde_json::Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    /// A scene with one crashing pod, looked at by a wait that began at 00:00:13.
    fn looked_at(begun: &str, created: &str, restarts: i64) -> Option<Stuck> {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let pod = object(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web-1", "namespace": "shop", "uid": "u", "creationTimestamp": created},
            "status": {"containerStatuses": [{"name": "web", "restartCount": restarts,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
                "lastState": {"terminated": {"exitCode": 1, "startedAt": "2026-01-01T00:00:12Z"}}}]},
        }));
        let key = pod.key();
        let mut scene = Scene { begun: Some(at(begun)), ..Scene::default() };
        scene.objects.insert(key.clone(), pod);
        let pending = [Pending { key: key.clone(), missing: "not ready".into() }];
        let (watched, judge) = ([Watched::named(key)], Judge::Rollout(JobWait::Ignore));
        let (since, now) = (at("2026-01-01T00:00:13.1Z"), at("2026-01-01T00:00:13.2Z"));
        scene.stuck(&watched, judge, &pending, since, now).map(|(_, _, stuck)| stuck)
    }

    #[test]
    fn a_crash_before_the_wait_but_in_the_same_delivery_is_no_old_news() {
        let (earlier, same_second) = ("2026-01-01T00:00:11Z", "2026-01-01T00:00:12Z");
        assert!(looked_at("2026-01-01T00:00:12.7Z", same_second, 3).is_some());
        assert!(looked_at("2026-01-01T00:00:12.7Z", same_second, 1).is_none(), "one restart may be a start");
        assert!(looked_at("2026-01-01T00:00:12.7Z", earlier, 3).is_none(), "it crashed before this delivery");
    }

    #[test]
    fn a_rollout_that_was_late_before_the_delivery_is_waited_for() {
        let begun: Timestamp = "2026-01-01T00:10:00.5Z".parse().expect("a time");
        let judged = |told: &str| {
            let late = object(json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "store", "namespace": "shop", "generation": 1},
                "spec": {"replicas": 1, "progressDeadlineSeconds": 60},
                "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "conditions": [
                    {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                        "message": "late", "lastUpdateTime": told, "lastTransitionTime": told}]},
            }));
            let mut scene = Scene { begun: Some(begun), ..Scene::default() };
            scene.objects.insert(late.key(), late.clone());
            [Judge::Rollout(JobWait::Ignore), Judge::Health]
                .map(|judge| scene.judge(&[Watched::named(late.key())], judge, begun))
        };
        for verdict in judged("2026-01-01T00:09:59Z").into_iter().chain(judged("2026-01-01T00:10:00Z")) {
            assert!(matches!(verdict, Verdict::Pending(_)), "what it waited for may come now");
        }
        for verdict in judged("2026-01-01T00:11:00Z") {
            assert!(matches!(verdict, Verdict::Failed { .. }), "this delivery is late itself");
        }
    }

    #[test]
    fn a_job_that_was_complete_when_it_was_deleted_has_ended() {
        let job = |end: serde_json::Value| {
            object(json!({
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": "certgen", "namespace": "shop", "uid": "u"},
                "spec": {"ttlSecondsAfterFinished": 0}, "status": {"conditions": end},
            }))
        };
        let ended = |end: serde_json::Value, uid: &str, judge: Judge| {
            let mut scene = Scene::default();
            scene.take(Change::Applied(job(json!([]))));
            scene.take(Change::Deleted(job(end)));
            let watched = [Watched { key: job(json!([])).key(), uid: Some(uid.into()) }];
            matches!(scene.judge(&watched, judge, Timestamp::UNIX_EPOCH), Verdict::Done)
        };
        let complete = || json!([{"type": "Complete", "status": "True"}]);
        assert!(ended(complete(), "u", Judge::Completion));
        assert!(ended(complete(), "u", Judge::Rollout(JobWait::Complete)));
        assert!(!ended(complete(), "another", Judge::Completion));
        assert!(!ended(json!([]), "u", Judge::Completion), "it never came to its end");
        assert!(!ended(json!([{"type": "Failed", "status": "True"}]), "u", Judge::Completion));
    }
}
