//! The request by which a step would write, sent with `dryRun=All`.

use std::time::Duration;

use landfall_cluster::{DryRun, WriteOptions};
use landfall_object::Object;

use super::Objection;
use super::tried::object_of;
use super::verdict::{Surroundings, Verdict};
use crate::Error;
use crate::act::carry_immutable;
use crate::change::{Write, write_over};
use crate::desired::{DeletePolicy, Hook, Method, Task};
use crate::executor::Executor;
use crate::hooks::named;
use crate::plan::{Plan, Step};

/// How often a request is sent again while the server is too busy to answer, or somebody writes in between.
const RETRIES: u32 = 2;

impl Executor {
    /// Tries one step and judges the answer.
    pub(super) async fn ask(&self, plan: &Plan, step: &Step, surroundings: &Surroundings) -> Result<Verdict, Error> {
        let mut tries = 0;
        loop {
            let answer = match &step.task {
                Task::Apply { object, previous, method } => {
                    self.try_apply(plan, step, previous.as_ref(), object, method).await
                }
                Task::Ensure { object } => self.cluster.create(object, &options(None)).await.map(drop),
                Task::Hook(hook) => {
                    if let Some(objection) = self.in_the_way(plan, step, hook).await? {
                        return Ok(Verdict::Refused { objection, fields: Vec::new() });
                    }
                    self.try_hook(step, hook).await
                }
                Task::Delete { .. } | Task::Keep { .. } | Task::Wait { .. } => Ok(()),
            };
            let Err(error) = answer else { return Ok(Verdict::Accepted) };
            if error.is_unreachable() {
                return Err(Error::Cluster(error));
            }
            let passes = matches!(error.code(), Some(429 | 503 | 504))
                || (error.is_conflict() && !crate::act::is_apply_conflict(&error));
            if passes && tries < RETRIES {
                tries += 1;
                self.sleep(Duration::from_millis(250 << tries)).await;
                continue;
            }
            let object = object_of(step);
            return Ok(surroundings.judge(object, &error));
        }
    }

    async fn try_apply(
        &self,
        plan: &Plan,
        step: &Step,
        previous: Option<&Object>,
        desired: &Object,
        method: &Method,
    ) -> Result<(), landfall_cluster::Error> {
        let options = options(Some(method.manager()));
        let key = &step.key;
        // What was not there when the plan was made is asked for once more when it is made.
        let live = match plan.uid_seen(key) {
            Some(_) => self.cluster.get(key).await?,
            None => None,
        };
        let Some(live) = live else { return self.create(desired, method, &options).await.map(drop) };
        if live.deletion_timestamp().is_some() {
            return self.try_under_another_name(desired, &options).await;
        }
        match write_over(previous, desired, &live, method) {
            Write::Nothing => Ok(()),
            Write::Patch(patch) => match self.cluster.patch(key, &patch, &options).await {
                Err(error) if self.may_make_anew((desired, method), &live, &error).await => Ok(()),
                answer => answer.map(drop),
            },
            Write::Replace => {
                let mut body = desired.clone();
                if let Some(version) = live.resource_version() {
                    body.metadata_mut().insert("resourceVersion".into(), version.into());
                }
                carry_immutable(&live, &mut body);
                self.cluster.replace(&body, &options).await.map(drop)
            }
            Write::Recreate => self.try_under_another_name(desired, &options).await,
        }
    }

    /// Whether an object goes for another one that the server would take, where it has refused to change it.
    pub(crate) async fn may_make_anew(
        &self,
        (desired, method): (&Object, &Method),
        live: &Object,
        error: &landfall_cluster::Error,
    ) -> bool {
        method.may_recreate(live, error)
            && crate::once::deletion(&self.cluster, live, "once-recreate").await.is_ok()
            && self.try_under_another_name(desired, &options(Some(method.manager()))).await.is_ok()
    }

    async fn try_hook(&self, step: &Step, hook: &Hook) -> Result<(), landfall_cluster::Error> {
        let object = named(hook, step);
        let options = options(Some(&hook.manager));
        match self.cluster.get(&object.key()).await? {
            Some(_) => self.try_under_another_name(&object, &options).await,
            None => self.cluster.create(&object, &options).await.map(drop),
        }
    }

    /// Why a hook cannot be created: an object of its name is there, and nothing takes it away before.
    async fn in_the_way(&self, plan: &Plan, step: &Step, hook: &Hook) -> Result<Option<Objection>, Error> {
        let object = named(hook, step);
        let key = object.key();
        if hook.delete.contains(&DeletePolicy::BeforeHookCreation) && object.kind() != "CustomResourceDefinition" {
            return Ok(None);
        }
        let live = match self.cluster.get(&key).await {
            Ok(Some(live)) => live,
            Ok(None) | Err(landfall_cluster::Error::NoMatch { .. }) => return Ok(None),
            Err(error) if error.is_unreachable() => return Err(Error::Cluster(error)),
            Err(_) => return Ok(None),
        };
        let goes = live.deletion_timestamp().is_some() || live.at("/spec/ttlSecondsAfterFinished").is_some();
        let taken = plan.steps().take_while(|other| other.id != step.id).any(|other| match &other.task {
            Task::Delete { key: gone, .. } => *gone == key,
            Task::Hook(other) => other.object.key() == key,
            _ => false,
        });
        if goes || taken {
            return Ok(None);
        }
        let resource = self.cluster.resource_of(&key).await.map(|resource| resource.gvr.group_resource());
        let resource = resource.unwrap_or_else(|_| key.gvk.kind.to_lowercase());
        Ok(Some(Objection::InTheWay { resource, name: key.name }))
    }

    /// Tries an object whose namesake will have gone by then.
    async fn try_under_another_name(
        &self,
        desired: &Object,
        options: &WriteOptions,
    ) -> Result<(), landfall_cluster::Error> {
        self.cluster.create(&under_another_name(desired), options).await.map(drop)
    }
}

fn options(manager: Option<&str>) -> WriteOptions {
    WriteOptions { field_manager: manager.map(str::to_owned), dry_run: DryRun::Server, ..WriteOptions::default() }
}

/// The object as another one beside its live namesake: without what only one of the two can have.
fn under_another_name(object: &Object) -> Object {
    let mut other = object.clone();
    // Names of objects whose pods bear them are at most 63 long.
    let short: String = object.name().chars().take(50).collect();
    other.set_name(format!("{}-tried", short.trim_end_matches(['-', '.'])));
    if (object.group(), object.kind()) == ("", "Service")
        && let Some(spec) = other.map_mut().get_mut("spec").and_then(|spec| spec.as_object_mut())
    {
        for field in ["clusterIP", "clusterIPs", "healthCheckNodePort"] {
            if spec.get(field).is_some_and(|value| value != "None") {
                spec.remove(field);
            }
        }
        for port in spec.get_mut("ports").and_then(|ports| ports.as_array_mut()).into_iter().flatten() {
            if let Some(port) = port.as_object_mut() {
                port.remove("nodePort");
            }
        }
    }
    other
}
