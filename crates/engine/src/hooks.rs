use std::time::Duration;

use jiff::Timestamp;
use landfall_cluster::{LogOptions, Propagation, WriteOptions};
use landfall_object::{Object, ObjectKey};
use sha2::{Digest, Sha256};

use crate::desired::{Criterion, DeletePolicy, Hook, LogPolicy, Task};
use crate::digest::hex;
use crate::entry::{Intent, Outcome};
use crate::event::Event;
use crate::executor::Executor;
use crate::journal::Journal;
use crate::ledger::{HookPhase, HookRun};
use crate::plan::{Plan, Step};
use crate::report::{Failure, FailureKind, HookEnd, StepResult};
use crate::standing::so_far;
use crate::stop::{Stop, recorded};
use crate::wait::{Judge, Watched};

impl Executor {
    /// Runs a hook to its end, or goes on with one that an earlier process began.
    ///
    /// Whether a live object is this run's own is decided by its uid: the intent keeps the uid of what was there
    /// before, so any other object of that name was created by this operation.
    pub(crate) async fn run_hook(
        &self,
        plan: &Plan,
        step: &Step,
        hook: &Hook,
        journal: &mut Journal<'_>,
    ) -> Result<(), Stop> {
        if let Some(outcome) = journal.outcome(&step.id).cloned() {
            return match recorded(outcome)? {
                Ok(_) => Ok(()),
                Err(failure) => {
                    self.clean_up_failed(step, hook, journal).await?;
                    Err(Stop::Failed(failure))
                }
            };
        }
        let object = named(hook, step);
        let key = object.key();
        self.tell(Event::StepStarted { id: step.id.clone(), action: step.action, key: key.clone() }).await;
        if journal.intent(&step.id).is_none() {
            let live =
                self.retried(|| self.cluster.get(&key)).await.map_err(|error| self.refused(step, &key, &error))?;
            let before = live.as_ref().and_then(Object::uid).map(str::to_owned);
            let intent = Intent::Hook { key: key.clone(), before, started: self.clock.now() };
            journal.intend(vec![(step.id.clone(), intent)]).await?;
        }
        let (before, started): (Option<String>, Timestamp) = match journal.intent(&step.id) {
            Some(Intent::Hook { before, started, .. }) => (before.clone(), *started),
            _ => return Err(not_a_hooks(step)),
        };
        let mut run = HookRun { id: hook.id, key: key.clone(), phase: HookPhase::Running, started, completed: None };
        self.ledger.hook(&run).await?;
        let ended = match self.make_hook(step, hook, &object, before.as_deref(), journal).await {
            Ok(uid) => {
                self.ledger.reached(&so_far(plan, journal)).await?;
                let judge = match hook.criterion {
                    Criterion::Completion => Judge::Completion,
                    Criterion::Health => Judge::HookHealth,
                };
                let watched = [Watched { key: key.clone(), uid }];
                self.wait(step, &watched, judge, Duration::from_secs(hook.timeout), &[]).await
            }
            Err(stop) => Err(stop),
        };
        run.completed = Some(self.clock.now());
        match ended {
            Ok(()) => {
                if hook.log.contains(&LogPolicy::HookSucceeded) {
                    self.tell_log(&key).await;
                }
                run.phase = HookPhase::Succeeded;
                self.ledger.hook(&run).await?;
                journal.conclude(vec![(step.id.clone(), Outcome::done(StepResult::HookSucceeded))]).await?;
                self.tell(Event::StepDone { id: step.id.clone(), key, result: StepResult::HookSucceeded }).await;
                Ok(())
            }
            Err(Stop::Failed(mut failure)) => {
                let end = match failure.kind {
                    FailureKind::NeverReady => Some(HookEnd::Failed),
                    FailureKind::Timeout => Some(HookEnd::TimedOut),
                    _ => None,
                };
                if end.is_some() {
                    (failure.kind, failure.hook) = (FailureKind::Hook, end);
                }
                if hook.log.contains(&LogPolicy::HookFailed) {
                    self.tell_log(&key).await;
                }
                run.phase = HookPhase::Failed;
                self.ledger.hook(&run).await?;
                journal.conclude(vec![(step.id.clone(), Outcome::failed(&failure))]).await?;
                self.tell(Event::StepDone { id: step.id.clone(), key, result: StepResult::Failed }).await;
                self.clean_up_failed(step, hook, journal).await?;
                Err(Stop::Failed(failure))
            }
            Err(broken) => Err(broken),
        }
    }

    /// Creates the hook's object, unless this operation has done so already, and answers its uid.
    async fn make_hook(
        &self,
        step: &Step,
        hook: &Hook,
        object: &Object,
        before: Option<&str>,
        journal: &mut Journal<'_>,
    ) -> Result<Option<String>, Stop> {
        let made = format!("{}.made", step.id);
        if let Some(outcome) = journal.outcome(&made) {
            return Ok(outcome.uid().map(str::to_owned));
        }
        let key = object.key();
        journal.intend(vec![(made.clone(), Intent::HookObject { key: key.clone() })]).await?;
        let live = self.retried(|| self.cluster.get(&key)).await.map_err(|error| self.refused(step, &key, &error))?;
        let own = match live {
            Some(live) if live.uid() != before => Some(live),
            Some(live) => {
                let kind = live.kind() == "CustomResourceDefinition";
                // As Helm: a CRD is never deleted for a hook, its objects would go with it.
                if hook.delete.contains(&DeletePolicy::BeforeHookCreation) && !kind {
                    crate::once::deletion(&self.cluster, &live, "once-hook-anew")
                        .await
                        .map_err(|violation| self.failed(step, &key, FailureKind::Guard, violation.to_string()))?;
                    self.probe.reach(format_args!("before removal {}", step.id))?;
                    let going = Duration::from_secs(hook.timeout);
                    self.remove(step, &key, live.uid(), Propagation::Background, going).await?;
                    self.probe.reach(format_args!("after removal {}", step.id))?;
                }
                None
            }
            None => None,
        };
        let own = match own {
            Some(own) => own,
            None => {
                let options = WriteOptions { field_manager: Some(hook.manager.clone()), ..WriteOptions::default() };
                self.probe.reach(format_args!("before effect {}", step.id))?;
                let created = self.retried(|| self.cluster.create(object, &options)).await;
                self.probe.reach(format_args!("after effect {}", step.id))?;
                created.map_err(|error| self.refused(step, &key, &error))?
            }
        };
        journal.conclude(vec![(made, Outcome::Made { uid: own.uid().map(str::to_owned) })]).await?;
        Ok(own.uid().map(str::to_owned))
    }

    async fn clean_up_failed(&self, step: &Step, hook: &Hook, journal: &mut Journal<'_>) -> Result<(), Stop> {
        if hook.delete.contains(&DeletePolicy::HookFailed) {
            self.clean_up_hook(step, journal, DeletePolicy::HookFailed).await?;
        }
        Ok(())
    }

    /// Deletes a hook's object when its policies say so; what cannot be deleted stays and is no failure.
    pub(crate) async fn clean_up_hook(
        &self,
        step: &Step,
        journal: &mut Journal<'_>,
        policy: DeletePolicy,
    ) -> Result<(), Stop> {
        let Task::Hook(hook) = &step.task else { return Ok(()) };
        if !hook.delete.contains(&policy) || hook.object.kind() == "CustomResourceDefinition" {
            return Ok(());
        }
        let name = format!("{}.cleanup", step.id);
        if journal.outcome(&name).is_some() {
            return Ok(());
        }
        let uid = journal.outcome(&format!("{}.made", step.id)).and_then(|made| made.uid().map(str::to_owned));
        let Some(uid) = uid else { return Ok(()) };
        let key = named(hook, step).key();
        journal.intend(vec![(name.clone(), Intent::HookObject { key: key.clone() })]).await?;
        self.probe.reach(format_args!("before effect {name}"))?;
        let going = Duration::from_secs(hook.timeout);
        let is_held = match self.cluster.get(&key).await {
            Ok(Some(live)) => crate::once::deletion(&self.cluster, &live, "once-hook-gone").await.is_err(),
            _ => false,
        };
        let removed = match is_held {
            true => Ok(()),
            false => self.remove(step, &key, Some(&uid), Propagation::Background, going).await,
        };
        self.probe.reach(format_args!("after effect {name}"))?;
        match removed {
            Ok(()) | Err(Stop::Failed(_)) => {}
            Err(broken) => return Err(broken),
        }
        let result = if is_held { StepResult::Unchanged } else { StepResult::Deleted };
        journal.conclude(vec![(name, Outcome::done(result))]).await?;
        Ok(())
    }

    async fn tell_log(&self, key: &ObjectKey) {
        let Ok(Some(object)) = self.cluster.get(key).await else { return };
        for pod in self.cluster.pods_of(&object).await {
            for container in pod.list_at("/spec/containers") {
                let container = container["name"].as_str().unwrap_or_default();
                let options = LogOptions { container: Some(container.to_owned()), ..LogOptions::default() };
                let namespace = pod.namespace().unwrap_or("default");
                if let Ok(text) = self.cluster.logs(namespace, pod.name(), &options).await {
                    let container = container.to_owned();
                    self.tell(Event::HookLog { key: key.clone(), container, text }).await;
                }
            }
        }
    }

    pub(crate) fn failed(&self, step: &Step, key: &ObjectKey, kind: FailureKind, message: String) -> Stop {
        Stop::Failed(Box::new(Failure {
            step: step.id.clone(),
            key: key.clone(),
            kind,
            hook: None,
            message,
            evidence: Vec::new(),
            pending: 0,
            held_up: Vec::new(),
            further: Vec::new(),
        }))
    }
}

/// A hook's step whose intent is another step's.
fn not_a_hooks(step: &Step) -> Stop {
    let what = format!("step {}: a hook, and its intent is not one's", step.id);
    Stop::Broken(crate::Error::Store(landfall_store::Error::Damaged { what }))
}

/// The hook's object with a name: a generated one is derived from the hook, so that a resumed run finds it again.
pub(crate) fn named(hook: &Hook, step: &Step) -> Object {
    let mut object = hook.object.clone();
    if object.name().is_empty()
        && let Some(prefix) = object.generate_name()
    {
        let digest = hex(&Sha256::digest(format!("{} {}", step.id, hook.object.value())));
        let name = format!("{prefix}{}", &digest[..8]);
        object.set_name(name);
        object.metadata_mut().remove("generateName");
    }
    object
}
