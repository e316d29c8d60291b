//! Services rolled by name: what the delivery has not rolled already gets a new pod template.

use std::collections::BTreeMap;

use landfall_diag::Diagnose;
use landfall_engine::{
    Desired, DesiredPhase, Executor, Item, Live, Method, PhaseRuns, RunOptions, Task, WaitFor, plan,
};
use landfall_object::{Object, ObjectKey};

use crate::content::is_service;
use crate::session::{Session, operation_id};
use crate::summary::{Outcome, UnitSummary, changes};
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
        for rendered in one.next.objects.iter().filter(|it| is_service(&it.object, services)) {
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
                    wait: WaitFor::Rollout(landfall_cluster::JobWait::Ignore),
                    timeout: options.restart_timeout.as_secs().max(1),
                },
                why: "the rollout".to_owned(),
            });
        }
        let desired = Desired {
            target: format!("restart {}/{}", unit.namespace, key.name),
            kind: "restart".to_owned(),
            phases: vec![DesiredPhase { name: "restart".to_owned(), runs: PhaseRuns::OnSuccess, items }],
        };
        let (events, forward) = self.engine_events(&unit.name);
        let result = match plan(&desired, &Live::new([live.clone()])) {
            Ok(plan) => {
                let executor = Executor::new(self.cluster.clone(), self.store.clone(), events)
                    .clock(std::sync::Arc::clone(&self.clock))
                    .probe(std::sync::Arc::clone(&self.probe))
                    .stop(self.stop.clone());
                let operation = operation_id(self.clock.as_ref());
                let options = RunOptions { operation, detail: serde_json::Value::Null };
                executor.run(&plan, options).await.map(|report| (plan, report))
            }
            Err(error) => {
                drop(events);
                Err(error)
            }
        };
        let _ended = forward.await;
        match result {
            Ok((plan, report)) => {
                let mut restarted = changes(&plan, Some(&report));
                for change in &mut restarted {
                    change.action = "restart".to_owned();
                }
                summary.changes.extend(restarted);
                match &report.failure {
                    None => {
                        summary.outcome = Outcome::Delivered;
                        true
                    }
                    Some(failure) => {
                        summary.outcome = Outcome::Failed;
                        summary.diagnostics.push(failure.diagnose());
                        summary.failure = self.failure_report(&unit.namespace, failure.evidence.clone()).await;
                        false
                    }
                }
            }
            Err(error) => {
                summary.outcome = Outcome::Failed;
                summary.diagnostics.push(error.diagnose());
                false
            }
        }
    }
}
