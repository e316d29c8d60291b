//! How a wait fails: with the evidence, taken before anything is undone.

use std::time::Duration;

use landfall_cluster::Evidence;
use landfall_object::{Object, ObjectKey};

use super::Scene;
use crate::event::{Event, Pending};
use crate::executor::Executor;
use crate::plan::Step;
use crate::report::{Failure, FailureKind};
use crate::stop::Stop;

/// How many objects that are not ready are looked into when time is up.
const LOOKED_INTO: usize = 3;

impl Executor {
    pub(super) async fn never_ready(
        &self,
        step: &Step,
        key: ObjectKey,
        at: &Object,
        reason: &str,
        message: &str,
    ) -> Stop {
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
            pending: 0,
            held_up: Vec::new(),
            further: Vec::new(),
        }))
    }

    pub(super) async fn timed_out(&self, step: &Step, scene: &Scene, pending: Vec<Pending>, timeout: Duration) -> Stop {
        let mut evidence = Vec::new();
        for entry in pending.iter().take(LOOKED_INTO) {
            if let Some(object) = scene.objects.get(&entry.key) {
                let found = self.cluster.evidence(object, Evidence::TIMEOUT, &entry.missing).await;
                self.tell(Event::Evidence(Box::new(found.clone()))).await;
                evidence.push(found);
            }
        }
        let mut held_up = Vec::new();
        let mut what = Vec::new();
        for entry in &pending {
            let held = scene.held_up_by(&entry.key);
            let by = held.iter().map(|it| format!(", held up by pod {} of the revision before", it.pod.name));
            what.push(format!("{}: {}{}", entry.key, entry.missing, by.collect::<String>()));
            held_up.extend(held);
        }
        let key = pending.first().map_or_else(|| step.key.clone(), |entry| entry.key.clone());
        Stop::Failed(Box::new(Failure {
            step: step.id.clone(),
            key,
            kind: FailureKind::Timeout,
            hook: None,
            message: format!("timed out after {} s waiting for {}", timeout.as_secs(), what.join("; ")),
            evidence,
            pending: pending.len(),
            held_up,
            further: Vec::new(),
        }))
    }
}
