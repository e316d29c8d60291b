use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use landfall_cluster::{DeleteOptions, Deleted, Patch, Propagation, Scope, WriteOptions};
use landfall_object::{Object, ObjectKey};

use crate::Error;
use crate::change::{Write, left_by, write_over};
use crate::desired::{Method, Task};
use crate::event::{Event, Pending};
use crate::executor::Executor;
use crate::once::{self, Held};
use crate::plan::{Plan, Step};
use crate::planning::Live;
use crate::report::{Failure, FailureKind, StepResult};
use crate::stop::Stop;
use crate::wait::{Judge, Watched};

/// What a step did.
pub(crate) struct Effect {
    pub(crate) result: StepResult,
    pub(crate) uid: Option<String>,
}

impl Effect {
    fn of(result: StepResult, object: &Object) -> Self {
        Effect { result, uid: object.uid().map(str::to_owned) }
    }

    fn none(result: StepResult) -> Self {
        Effect { result, uid: None }
    }
}

/// From so many objects on, those of a segment are read together.
const AT_HAND: usize = 4;
/// How often a write is tried again when somebody else wrote in between.
const CONFLICTS: u32 = 5;
/// How often a request is tried again when the cluster is busy or a webhook does not answer yet.
const RETRIES: u32 = 4;
/// How long a new kind may take to be served; as Helm waits for a chart's `crds/`.
const ESTABLISHED: Duration = Duration::from_secs(60);
/// How often it is asked whether a kind is served that others bring.
const SERVED: Duration = Duration::from_secs(1);

impl Executor {
    /// What a few requests tell of the objects of steps, or what was `just` read does.
    pub(crate) async fn at_hand<'l>(&self, plan: &Plan, steps: &[Step], just: Option<&'l Live>) -> AtHand<'l> {
        let going: Vec<Object> = steps.iter().filter_map(|step| going(plan, step)).collect();
        let held = match going.is_empty() {
            true => Held::default(),
            false => Held::look(&self.cluster, &going).await,
        };
        AtHand { held, ..self.live_at_hand(plan, steps, just).await }
    }

    /// What is to be applied to what is there may turn out to be as it should be already, and what is not there yet is made without
    /// another look.
    async fn live_at_hand<'l>(&self, plan: &Plan, steps: &[Step], just: Option<&'l Live>) -> AtHand<'l> {
        if let Some(live) = just {
            let asked = plan.seen.iter().map(|seen| seen.key.clone()).collect();
            return AtHand { live: Cow::Borrowed(live), asked, held: Held::default() };
        }
        let is_read = |step: &&Step| match &step.task {
            Task::Apply { method: Method::ServerSide { .. }, .. } => true,
            Task::Apply { .. } => plan.uid_seen(&step.key).is_none(),
            _ => false,
        };
        let keys: Vec<ObjectKey> = steps.iter().filter(is_read).map(|step| step.key.clone()).collect();
        if keys.len() < AT_HAND {
            return AtHand::default();
        }
        // Each step asks by itself where this told nothing.
        match self.cluster.get_all(&keys).await {
            Ok(objects) => {
                let (live, asked) = (Cow::Owned(Live::new(objects)), keys.into_iter().collect());
                AtHand { live, asked, held: Held::default() }
            }
            Err(_) => AtHand::default(),
        }
    }

    /// Carries one repeatable step out; at hand is what was known a moment ago.
    pub(crate) async fn act(&self, plan: &Plan, step: &Step, at_hand: &AtHand<'_>) -> Result<Effect, Stop> {
        self.probe.reach(format_args!("before effect {}", step.id))?;
        let moment = at_hand.of(&step.key);
        let effect = match &step.task {
            Task::Apply { object, previous, method } => match moment {
                Moment::There(live) if is_as_applied((plan, step), (previous.as_ref(), object, method), live) => {
                    Effect::of(StepResult::Unchanged, live)
                }
                _ => {
                    let object = &*self.placed(plan, step, object).await?;
                    self.apply((plan, step), (previous.as_ref(), object, method), moment).await?
                }
            },
            Task::Ensure { object } => self.ensure(plan, step, object).await?,
            Task::Delete { key, propagation } => self.delete(plan, step, (key, *propagation), &at_hand.held).await?,
            Task::Keep { .. } => Effect::none(StepResult::Kept),
            Task::Hook(_) | Task::Wait { .. } => Effect::none(StepResult::Ready),
        };
        self.probe.reach(format_args!("after effect {}", step.id))?;
        if let Task::Apply { object, .. } | Task::Ensure { object } = &step.task {
            self.learn_kinds(step, object).await?;
        }
        Ok(effect)
    }

    /// After a new kind: discovery starts afresh, and the kind has to be served before anything of it is written.
    async fn learn_kinds(&self, step: &Step, object: &Object) -> Result<(), Stop> {
        match (object.group(), object.kind()) {
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                let watched = [Watched::named(object.key())];
                let judge = Judge::Rollout(landfall_cluster::JobWait::Ignore);
                self.wait(step, &watched, judge, ESTABLISHED, &[]).await?;
                self.cluster.forget_discovery();
            }
            ("apiregistration.k8s.io", "APIService") => self.cluster.forget_discovery(),
            _ => {}
        }
        Ok(())
    }

    /// The object where its kind lives, of a plan that has kinds to come: one that was not served when the plan was made is waited for, as long as an object
    /// may take, and only then it is known whether it lives in a namespace.
    async fn placed<'o>(&self, plan: &Plan, step: &Step, object: &'o Object) -> Result<Cow<'o, Object>, Stop> {
        if plan.home.is_empty() {
            return Ok(Cow::Borrowed(object));
        }
        let (key, began) = (&step.key, self.clock.now());
        let patience = Duration::from_secs(plan.timeout);
        let mut told = false;
        let scope = loop {
            match self.cluster.resource_of(key).await {
                Ok(resource) => break resource.scope,
                Err(landfall_cluster::Error::NoMatch { .. })
                    if self.clock.now().duration_since(began).unsigned_abs() < patience =>
                {
                    if self.stop.is_cancelled() {
                        return Err(Error::Interrupted.into());
                    }
                    // What waits gives way to what comes.
                    if !std::mem::replace(&mut told, true) {
                        let missing = format!("{} is not served yet", key.gvk.api_version());
                        let pending = vec![Pending { key: key.clone(), missing }];
                        self.tell(Event::Waiting { id: step.id.clone(), pending, total: 1, since: began }).await;
                    }
                    tokio::select! {
                        () = self.sleep(SERVED) => {}
                        () = self.stop.cancelled() => self.hold(),
                    }
                }
                // The write says what is wrong.
                Err(_) => return Ok(Cow::Borrowed(object)),
            }
        };
        match (scope, &key.namespace) {
            (Scope::Namespaced, None) => Ok(Cow::Owned(scope.place(object.clone(), &plan.home))),
            // Nobody has asked whether objects of the cluster itself may be written.
            (Scope::Cluster, Some(namespace)) => {
                let said = format!("{} live in no namespace, and it names {namespace}: leave it out", key.gvk.kind);
                Err(self.failed(step, key, FailureKind::Refused, said))
            }
            _ => Ok(Cow::Borrowed(object)),
        }
    }

    /// Keys where their kinds live, now that those are served.
    pub(crate) async fn placed_keys(&self, plan: &Plan, keys: &[ObjectKey]) -> Vec<ObjectKey> {
        let mut placed = keys.to_vec();
        for key in placed.iter_mut().filter(|key| key.namespace.is_none() && !plan.home.is_empty()) {
            if self.cluster.resource_of(key).await.is_ok_and(|resource| resource.scope == Scope::Namespaced) {
                key.namespace = Some(plan.home.clone());
            }
        }
        placed
    }

    async fn apply(
        &self,
        (plan, step): (&Plan, &Step),
        (previous, desired, method): (Option<&Object>, &Object, &Method),
        moment: Moment<'_>,
    ) -> Result<Effect, Stop> {
        let key = &desired.key();
        let options = WriteOptions { field_manager: Some(method.manager().to_owned()), ..WriteOptions::default() };
        let mut is_absent = matches!(moment, Moment::Absent) && is_creation_harmless(desired, method);
        let (mut conflicts, mut is_remade) = (0, false);
        loop {
            let live = match std::mem::take(&mut is_absent) {
                true => None,
                false => {
                    self.retried(|| self.cluster.get(key)).await.map_err(|error| self.refused(step, key, &error))?
                }
            };
            let Some(live) = live else {
                return match self.retried(|| self.create(desired, method, &options)).await {
                    Ok(object) => Ok(Effect::of(StepResult::Created, &object)),
                    Err(error) if error.is_already_exists() && conflicts < CONFLICTS => {
                        conflicts += 1;
                        continue;
                    }
                    Err(error) => Err(self.refused(step, key, &error)),
                };
            };
            if live.deletion_timestamp().is_some() {
                self.wait_until_gone(step, key, live.uid(), Duration::from_secs(plan.timeout)).await?;
                continue;
            }
            let next = left_by(previous, desired, &live, method);
            once::again(&live, &next).map_err(|violation| guarded(step, &violation))?;
            let write = match write_over(previous, desired, &live, method) {
                // A resumed run finds the new object of a replacement that was made before.
                Write::Recreate if plan.uid_seen(key) != live.uid() => {
                    let manager = method.manager().to_owned();
                    write_over(previous, desired, &live, &Method::ThreeWay { manager })
                }
                write => write,
            };
            let is_ours = is_made_ahead(plan, step, &live);
            let written = match write {
                Write::Nothing if is_ours => return Ok(Effect::of(StepResult::Created, &live)),
                Write::Nothing => return Ok(Effect::of(StepResult::Unchanged, &live)),
                Write::Patch(patch) => self.retried(|| self.cluster.patch(key, &patch, &options)).await,
                Write::Replace => {
                    let mut body = desired.clone();
                    if let Some(version) = live.resource_version() {
                        body.metadata_mut().insert("resourceVersion".into(), version.into());
                    }
                    carry_immutable(&live, &mut body);
                    self.retried(|| self.cluster.replace(&body, &options)).await
                }
                Write::Recreate => {
                    // In between there is nothing, and nobody who would put the value back.
                    let may_go = once::deletion(&self.cluster, &live, "once-recreate").await;
                    may_go.map_err(|violation| guarded(step, &violation))?;
                    let going = Duration::from_secs(plan.timeout);
                    self.remove(step, key, live.uid(), Propagation::Foreground, going).await?;
                    continue;
                }
            };
            match written {
                Ok(object) => {
                    let same = object.resource_version() == live.resource_version();
                    let result = match (is_ours, same) {
                        (true, _) => StepResult::Created,
                        (false, true) => StepResult::Unchanged,
                        (false, false) => StepResult::Changed,
                    };
                    return Ok(Effect::of(result, &object));
                }
                // Gone in between, or written by somebody else: look again.
                Err(error)
                    if conflicts < CONFLICTS
                        && (error.is_not_found() || (error.is_conflict() && !is_apply_conflict(&error))) =>
                {
                    conflicts += 1;
                }
                // What is to come is tried first: in between there is nothing.
                Err(error) if !is_remade && self.may_make_anew((desired, method), &live, &error).await => {
                    is_remade = true;
                    let may_go = once::deletion(&self.cluster, &live, "once-recreate").await;
                    may_go.map_err(|violation| guarded(step, &violation))?;
                    let going = Duration::from_secs(plan.timeout);
                    self.remove(step, key, live.uid(), Propagation::Foreground, going).await?;
                }
                Err(error) => return Err(self.refused(step, key, &error)),
            }
        }
    }

    pub(crate) async fn create(
        &self,
        desired: &Object,
        method: &Method,
        options: &WriteOptions,
    ) -> Result<Object, landfall_cluster::Error> {
        match method {
            Method::ServerSide { force, .. } => {
                let body = desired.value().clone();
                let patch = if *force { Patch::ForceApply(body) } else { Patch::Apply(body) };
                self.cluster.patch(&desired.key(), &patch, options).await
            }
            Method::OrRecreate { first } => Box::pin(self.create(desired, first, options)).await,
            _ => self.cluster.create(desired, options).await,
        }
    }

    async fn ensure(&self, plan: &Plan, step: &Step, desired: &Object) -> Result<Effect, Stop> {
        let options = WriteOptions::default();
        let found = self.retried(|| self.cluster.get(&step.key)).await;
        if let Some(live) = found.map_err(|error| self.refused(step, &step.key, &error))? {
            let result = if is_made_ahead(plan, step, &live) { StepResult::Created } else { StepResult::Unchanged };
            return Ok(Effect::of(result, &live));
        }
        match self.retried(|| self.cluster.create(desired, &options)).await {
            Ok(object) => Ok(Effect::of(StepResult::Created, &object)),
            Err(error) if error.is_already_exists() => Ok(Effect::none(StepResult::Unchanged)),
            Err(error) => Err(self.refused(step, &step.key, &error)),
        }
    }

    async fn delete(
        &self,
        plan: &Plan,
        step: &Step,
        (key, how): (&ObjectKey, Propagation),
        held: &Held,
    ) -> Result<Effect, Stop> {
        if let Err(landfall_cluster::Error::NoMatch { .. }) = self.cluster.resource_of(key).await {
            return Ok(Effect::none(StepResult::Absent));
        }
        let live = self.retried(|| self.cluster.get(key)).await.map_err(|error| self.refused(step, key, &error))?;
        let Some(live) = live else { return Ok(Effect::none(StepResult::Absent)) };
        // Another object of the same name is not the one that the plan saw.
        if plan.uid_seen(key) != live.uid() {
            return Ok(Effect::none(StepResult::Absent));
        }
        let may_go = once::deletion_among(held, &live, "once-delete");
        may_go.map_err(|violation| guarded(step, &violation))?;
        let options =
            DeleteOptions { propagation: how, uid: live.uid().map(str::to_owned), ..DeleteOptions::default() };
        match self.retried(|| self.cluster.delete(key, &options)).await {
            Ok(Deleted::Absent) => Ok(Effect::none(StepResult::Absent)),
            Ok(_) => Ok(Effect::of(StepResult::Deleted, &live)),
            Err(error) if error.is_conflict() => Ok(Effect::none(StepResult::Absent)),
            Err(error) => Err(self.refused(step, key, &error)),
        }
    }

    /// Deletes an object and waits until it is gone, no longer than `going`; one of another uid is left alone.
    pub(crate) async fn remove(
        &self,
        step: &Step,
        key: &ObjectKey,
        uid: Option<&str>,
        how: Propagation,
        going: Duration,
    ) -> Result<(), Stop> {
        let options = DeleteOptions { propagation: how, uid: uid.map(str::to_owned), ..DeleteOptions::default() };
        match self.retried(|| self.cluster.delete(key, &options)).await {
            Ok(Deleted::Absent) => Ok(()),
            Ok(Deleted::Gone | Deleted::Terminating(_)) => self.wait_until_gone(step, key, uid, going).await,
            Err(error) if error.is_conflict() => Ok(()),
            Err(error) => Err(self.refused(step, key, &error)),
        }
    }

    async fn wait_until_gone(
        &self,
        step: &Step,
        key: &ObjectKey,
        uid: Option<&str>,
        going: Duration,
    ) -> Result<(), Stop> {
        let gone = match self.cluster.get(key).await {
            Ok(None) => true,
            Ok(Some(object)) => object.uid() != uid,
            Err(_) => false,
        };
        if gone {
            return Ok(());
        }
        let watched = [Watched { key: key.clone(), uid: uid.map(str::to_owned) }];
        self.wait(step, &watched, Judge::Deletion, going, &[]).await
    }

    /// Tries a request again while the cluster is too busy, restarts, or a webhook of a fresh install is not up yet.
    pub(crate) async fn retried<T, F>(&self, request: impl Fn() -> F) -> Result<T, landfall_cluster::Error>
    where
        F: Future<Output = Result<T, landfall_cluster::Error>>,
    {
        let mut tries = 0;
        loop {
            match request().await {
                Err(error) if tries < RETRIES && !self.stop.is_cancelled() && is_passing(&error) => {
                    tries += 1;
                    tokio::select! {
                        () = self.sleep(Duration::from_millis(250 << tries)) => {}
                        // What is to end does not wait for what may come back.
                        () = self.stop.cancelled() => self.hold(),
                    }
                }
                other => return other,
            }
        }
    }
}

impl Plan {
    /// The uid that an object had when the plan was made.
    pub(crate) fn uid_seen(&self, key: &ObjectKey) -> Option<&str> {
        self.seen.iter().find(|seen| seen.key == *key).and_then(|seen| seen.uid.as_deref())
    }
}

/// What a few requests told of the objects of steps, before the first of them.
#[derive(Default)]
pub(crate) struct AtHand<'l> {
    live: Cow<'l, Live>,
    /// What was asked for: it is not there where it is not among what is live.
    asked: BTreeSet<ObjectKey>,
    /// What would go with what is to be deleted.
    held: Held,
}

/// An object as it was a moment ago.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment<'l> {
    There(&'l Object),
    Absent,
    Unknown,
}

impl AtHand<'_> {
    pub(crate) fn of(&self, key: &ObjectKey) -> Moment<'_> {
        match self.live.get(key) {
            Some(object) => Moment::There(object),
            None if self.asked.contains(key) => Moment::Absent,
            None => Moment::Unknown,
        }
    }
}

/// Whether what is made where a moment ago nothing was does no harm should somebody have made it meanwhile: a creation is refused then,
/// and an apply changes what it would have changed after another look, but for values that may never change.
fn is_creation_harmless(desired: &Object, method: &Method) -> bool {
    let is_secret = desired.group().is_empty() && desired.kind() == "Secret";
    !(is_secret && matches!(method, Method::ServerSide { .. } | Method::OrRecreate { .. }))
}

/// The name of what a step is to delete.
fn going(plan: &Plan, step: &Step) -> Option<Object> {
    let Task::Delete { key, .. } = &step.task else { return None };
    plan.uid_seen(key).map(|_| Object::new(key))
}

/// Whether there is nothing to be written over an object, which stays.
fn is_as_applied(
    (plan, step): (&Plan, &Step),
    (previous, desired, method): (Option<&Object>, &Object, &Method),
    live: &Object,
) -> bool {
    let stays = live.deletion_timestamp().is_none() && !is_made_ahead(plan, step, live);
    stays && write_over(previous, desired, live, method) == Write::Nothing
}

/// Whether the plan's own trial made an object that the plan creates, ahead of its turn.
fn is_made_ahead(plan: &Plan, step: &Step, live: &Object) -> bool {
    step.action == crate::Action::Create && live.uid().is_some() && plan.uid_seen(&step.key) == live.uid()
}

fn is_passing(error: &landfall_cluster::Error) -> bool {
    // A kind that is not served yet comes with a CRD of the same plan; unknown kinds are refused before planning.
    matches!(error.code(), Some(429 | 500 | 502 | 503 | 504))
        // What has waited a minute for an answer does not wait for another.
        || (error.is_unreachable() && !error.is_silence())
        || matches!(error, landfall_cluster::Error::NoMatch { .. })
}

/// A conflict about who owns a field does not pass by itself.
pub(crate) fn is_apply_conflict(error: &landfall_cluster::Error) -> bool {
    match error {
        landfall_cluster::Error::Api { status, .. } => status
            .details
            .iter()
            .flat_map(|details| &details.causes)
            .any(|cause| cause.reason == "FieldManagerConflict"),
        _ => false,
    }
}

/// Fields that the server fills in once and refuses to lose in a replacement.
pub(crate) fn carry_immutable(live: &Object, body: &mut Object) {
    if live.kind() == "Service" && live.group().is_empty() {
        for field in ["clusterIP", "clusterIPs"] {
            let kept = live.at(&format!("/spec/{field}")).cloned();
            if let (Some(value), Some(spec)) =
                (kept, body.map_mut().get_mut("spec").and_then(|spec| spec.as_object_mut()))
                && !spec.contains_key(field)
                && spec.get("type").and_then(|kind| kind.as_str()) != Some("ExternalName")
            {
                spec.insert(field.into(), value);
            }
        }
    }
}

fn guarded(step: &Step, violation: &once::OnceViolation) -> Stop {
    Stop::Failed(Box::new(Failure {
        step: step.id.clone(),
        key: step.key.clone(),
        kind: FailureKind::Guard,
        hook: None,
        message: violation.to_string(),
        evidence: Vec::new(),
        pending: 0,
        held_up: Vec::new(),
        further: Vec::new(),
    }))
}
