//! What a delivery does beside its plan: services rolled by name, and the health of what did not change.

use std::collections::BTreeMap;

use landfall_cluster::{JobWait, readiness};
use landfall_diag::Diagnose;
use landfall_engine::{
    Action, Desired, DesiredPhase, Item, Live, Method, PhaseRuns, Plan, Task, Unrecorded, WaitFor, plan,
};
use landfall_object::health::{HealthStatus, assess};
use landfall_object::{Object, ObjectKey};

use crate::content::{is_service, is_workload};
use crate::session::Session;
use crate::summary::{Deed, Outcome, UnitSummary, changes};
use crate::unit::Unit;
use crate::up::{Ready, UpOptions};

impl Session {
    /// The pod templates of the named services as they are live.
    pub(crate) async fn templates(
        &self,
        one: &Ready<'_>,
        services: &[String],
    ) -> BTreeMap<ObjectKey, serde_json::Value> {
        let mut templates = BTreeMap::new();
        for rendered in one.shown().objects.iter().filter(|it| is_service(&it.object, services)) {
            let key = rendered.object.key();
            if let Ok(Some(live)) = self.cluster.get(&key).await {
                templates.insert(key, live.at("/spec/template").cloned().unwrap_or_default());
            }
        }
        templates
    }

    /// Rolls the named services that the delivery has not rolled already, and waits for them.
    pub(crate) async fn restart(
        &self,
        one: &Ready<'_>,
        options: &UpOptions,
        before: &BTreeMap<ObjectKey, serde_json::Value>,
        summary: &mut UnitSummary,
    ) {
        for (key, template) in before {
            let live = match self.cluster.get(key).await {
                Ok(Some(live)) => live,
                Ok(None) => continue,
                Err(error) => {
                    summary.outcome = Outcome::Failed;
                    summary.diagnostics.push(error.diagnose());
                    return;
                }
            };
            if live.at("/spec/template") != Some(template) {
                continue;
            }
            if !self.restart_one(one.unit, &live, options, summary).await {
                return;
            }
        }
    }

    async fn restart_one(&self, unit: &Unit, live: &Object, options: &UpOptions, summary: &mut UnitSummary) -> bool {
        let mut object = live.clone();
        let stamp = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        if let Some(template) = object.at_mut("/spec/template/metadata").and_then(serde_json::Value::as_object_mut) {
            let annotations = template.entry("annotations").or_insert_with(|| serde_json::json!({}));
            annotations["kubectl.kubernetes.io/restartedAt"] = stamp.into();
        }
        let key = live.key();
        let mut items = vec![Item {
            wave: 0,
            task: Task::Apply {
                object,
                previous: Some(live.clone()),
                method: Method::ThreeWay { manager: "landfall".to_owned() },
            },
            why: "asked for by name".to_owned(),
        }];
        if options.wait {
            items.push(Item {
                wave: 1,
                task: Task::Wait {
                    keys: vec![key.clone()],
                    wait: WaitFor::Rollout(JobWait::Ignore),
                    timeout: options.restart_timeout.as_secs().max(1),
                },
                why: "the rollout".to_owned(),
            });
        }
        self.run_items(unit, Deed::Restart, items, &Live::new([live.clone()]), summary).await
    }

    /// An unchanged unit must be as healthy as a delivered one: workloads that are not ready are waited for.
    pub(crate) async fn wait_for_health(
        &self,
        unit: &Unit,
        live: &Live,
        options: &UpOptions,
        summary: &mut UnitSummary,
    ) {
        let late: Vec<ObjectKey> = live
            .iter()
            .filter(|object| is_workload(object) && !readiness(object, JobWait::Ignore).is_ready())
            .map(Object::key)
            .collect();
        if late.is_empty() {
            return;
        }
        let wait = Task::Wait {
            keys: late,
            wait: WaitFor::Rollout(JobWait::Ignore),
            timeout: options.timeout.as_secs().max(1),
        };
        let items = vec![Item { wave: 0, task: wait, why: "nothing changed, but it is not ready".to_owned() }];
        if self.run_items(unit, Deed::Step(Action::Wait), items, live, summary).await {
            summary.outcome = Outcome::Unchanged;
        }
    }

    /// Waits until what is sealed has been opened, and fails where it does not open: pods that run with the values from before are
    /// ready all the same. Where no controller has spoken of one yet nobody may ever, and it is left to the pods that need it.
    pub(crate) async fn wait_for_sealed(
        &self,
        unit: &Unit,
        delivered: &Plan,
        options: &UpOptions,
        summary: &mut UnitSummary,
    ) {
        let sealed: Vec<ObjectKey> = delivered
            .steps()
            .filter(|step| matches!(step.task, Task::Apply { .. }))
            .map(|step| step.key.clone())
            .filter(|key| (key.gvk.group.as_str(), key.gvk.kind.as_str()) == ("bitnami.com", "SealedSecret"))
            .collect();
        if sealed.is_empty() {
            return;
        }
        let live = match self.cluster.get_all(&sealed).await {
            Ok(live) => live,
            Err(error) => return summary.broken_off(error.diagnose()),
        };
        let is_late = |object: &&Object| {
            let health = assess(object).map(|health| health.status);
            object.at("/status").is_some() && health.is_some_and(|status| status != HealthStatus::Healthy)
        };
        let late: Vec<ObjectKey> = live.iter().filter(is_late).map(Object::key).collect();
        if late.is_empty() {
            return;
        }
        let wait = Task::Wait { keys: late, wait: WaitFor::Health, timeout: options.timeout.as_secs().max(1) };
        let items = vec![Item { wave: 0, task: wait, why: "until what is sealed is opened".to_owned() }];
        let (outcome, told) = (summary.outcome, summary.changes.len());
        if self.run_items(unit, Deed::Step(Action::Wait), items, &Live::new(live), summary).await {
            summary.outcome = outcome;
            summary.changes.truncate(told);
        }
    }

    /// Carries a small plan out under the unit's name; says whether it went well.
    async fn run_items(
        &self,
        unit: &Unit,
        deed: Deed,
        items: Vec<Item>,
        live: &Live,
        summary: &mut UnitSummary,
    ) -> bool {
        let kind = deed.word();
        let desired = Desired {
            target: format!("{kind} {}/{}", unit.namespace, unit.name),
            kind: kind.to_owned(),
            phases: vec![DesiredPhase { name: kind.to_owned(), runs: PhaseRuns::OnSuccess, items }],
            home: String::new(),
            timeout: landfall_engine::DEFAULT_GOING,
        };
        let plan = match plan(&desired, live) {
            Ok(plan) => plan,
            Err(error) => {
                summary.broken_off(error.diagnose());
                return false;
            }
        };
        // One left open belongs to a process that is dead: nobody else delivers here, and its steps come again.
        let abandoned = self.trying().abandon(&desired.target).await;
        let result = match abandoned {
            Ok(()) => self.conduct(&unit.name, &Unrecorded, &plan).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(report) => {
                let mut done = changes(&plan, Some(&report));
                for change in &mut done {
                    change.action = deed;
                }
                summary.changes.extend(done);
                match &report.failure {
                    None => {
                        summary.outcome = Outcome::Delivered;
                        true
                    }
                    Some(failure) => {
                        self.tell_failure(summary, failure, failure.diagnose()).await;
                        false
                    }
                }
            }
            Err(error) => {
                summary.broken_off(error.diagnose());
                false
            }
        }
    }
}
