//! A workload drawn from a seed, and what happens to it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::dice::Dice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
    Job,
    Autoscaler,
    CronJob,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Deployment, Self::StatefulSet, Self::DaemonSet, Self::Job, Self::Autoscaler, Self::CronJob];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
            Self::Job => "job",
            Self::Autoscaler => "autoscaler",
            Self::CronJob => "cronjob",
        }
    }

    /// Group, version and plural as in a path.
    pub(super) fn collection(self) -> &'static str {
        match self {
            Self::Deployment | Self::Autoscaler => "/apis/apps/v1/{ns}/deployments",
            Self::StatefulSet => "/apis/apps/v1/{ns}/statefulsets",
            Self::DaemonSet => "/apis/apps/v1/{ns}/daemonsets",
            Self::Job => "/apis/batch/v1/{ns}/jobs",
            Self::CronJob => "/apis/batch/v1/{ns}/cronjobs",
        }
    }
}

/// What happens to the workload or to one of its pods. Of pods that could be meant, the first by rank is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    Create,
    /// Fields of the workload are changed.
    Change(Value),
    /// A pod of the newest revision that is not ready gets ready.
    Ready,
    /// A ready pod of the newest revision is so no longer.
    Unready,
    /// A pod that is not at an end ends well.
    Succeed,
    /// A pod that is not at an end ends badly.
    Fail,
    /// A pod is deleted.
    Lose,
    /// An autoscaler is made for the workload.
    Autoscale(Value),
    /// Until the cron job has made its next job.
    Tick,
}

impl Action {
    /// How long the answer may take: pods of failing jobs come again only after a while, and cron jobs each minute.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(match self {
            Self::Tick => 80,
            Self::Autoscale(_) => 45,
            Self::Fail => 30,
            _ => 20,
        })
    }

    /// Whether a snapshot shows what the action is to bring about, where nothing else would.
    pub(super) fn is_answered(&self, seen: &Value) -> bool {
        match self {
            Self::Tick => seen["jobs"].as_array().is_some_and(|jobs| !jobs.is_empty()),
            Self::Autoscale(_) => seen["autoscaler"]["conditions"].as_array().is_some_and(|list| !list.is_empty()),
            _ => true,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) kind: Kind,
    pub(super) seed: u64,
    /// How often it was played before.
    pub(super) before: usize,
    pub(super) object: Value,
    pub(super) actions: Vec<Action>,
    /// How many nodes daemon sets find.
    pub(super) nodes: usize,
}

/// The workload's name.
pub(super) const NAME: &str = "w";

impl Scenario {
    pub(super) fn draw(kind: Kind, seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ (kind as u64 + 1).wrapping_mul(0x1_0001));
        let mut scenario = Self { kind, seed, before: 0, object: Value::Null, actions: vec![Action::Create], nodes: 0 };
        match kind {
            Kind::Deployment => scenario.deployment(&mut dice),
            Kind::StatefulSet => scenario.stateful_set(&mut dice),
            Kind::DaemonSet => scenario.daemon_set(&mut dice),
            Kind::Job => scenario.job(&mut dice),
            Kind::Autoscaler => scenario.autoscaler(&mut dice),
            Kind::CronJob => scenario.cron_job(&mut dice),
        }
        scenario
    }

    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.kind.name(), self.seed)
    }

    pub(super) fn namespace(&self) -> String {
        match self.before {
            0 => format!("{}-{}", self.kind.name(), self.seed),
            before => format!("{}-{}-{before}", self.kind.name(), self.seed),
        }
    }

    /// The path of a kind's collection in the scenario's namespace.
    pub(super) fn path(&self, collection: &str) -> String {
        collection.replace("{ns}", &format!("namespaces/{}", self.namespace()))
    }

    fn actions(&mut self, action: Action, count: usize) {
        self.actions.extend(std::iter::repeat_n(action, count));
    }

    fn deployment(&mut self, dice: &mut Dice) {
        let replicas = 1 + dice.below(5);
        let strategy = match dice.below(5) {
            0 => json!({"type": "Recreate"}),
            _ => {
                let surge = dice.below(3);
                let unavailable = if surge == 0 { 1 + dice.below(2) } else { dice.below(3) };
                let amount = |dice: &mut Dice, count: usize| match dice.percent(30) && count > 0 {
                    true => json!(format!("{}%", count * 25)),
                    false => json!(count),
                };
                json!({"type": "RollingUpdate", "rollingUpdate":
                    {"maxSurge": amount(dice, surge), "maxUnavailable": amount(dice, unavailable)}})
            }
        };
        self.object = workload("apps/v1", "Deployment", template("a", "Always"));
        self.object["spec"]["replicas"] = json!(replicas);
        self.object["spec"]["strategy"] = strategy;
        self.object["spec"]["revisionHistoryLimit"] = json!(1 + dice.below(3));
        let ready_first = dice.below(replicas + 1);
        self.actions(Action::Ready, ready_first);
        self.actions.push(change_image("b"));
        let ready_second = 1 + dice.below(replicas);
        self.actions(Action::Ready, ready_second);
        if dice.percent(40) {
            self.actions.push(Action::Unready);
        }
        if dice.percent(30) {
            self.actions.push(Action::Lose);
        }
        let scaled = dice.below(7);
        self.actions.push(Action::Change(json!({"spec": {"replicas": scaled}})));
        match dice.below(3) {
            0 => self.actions.push(change_image("a")),
            1 => {
                self.actions.push(Action::Change(json!({"spec": {"paused": true}})));
                self.actions.push(change_image("c"));
                self.actions.push(Action::Change(json!({"spec": {"replicas": scaled + 1}})));
                self.actions.push(Action::Change(json!({"spec": {"paused": false}})));
            }
            _ => self.actions.push(change_image("c")),
        }
        self.actions(Action::Ready, scaled.max(2) + 1);
    }

    fn stateful_set(&mut self, dice: &mut Dice) {
        let replicas = 1 + dice.below(4);
        self.object = workload("apps/v1", "StatefulSet", template("a", "Always"));
        let spec = &mut self.object["spec"];
        spec["serviceName"] = json!(NAME);
        spec["replicas"] = json!(replicas);
        spec["podManagementPolicy"] = json!(*dice.pick(&[&"OrderedReady", &"Parallel"]));
        let partition = dice.below(replicas + 1);
        spec["updateStrategy"] = match dice.below(5) {
            0 => json!({"type": "OnDelete"}),
            _ => json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}),
        };
        if dice.percent(30) {
            spec["ordinals"] = json!({"start": 1 + dice.below(3)});
        }
        let ready = replicas - usize::from(dice.percent(25));
        self.actions(Action::Ready, ready);
        self.actions.push(change_image("b"));
        let more = 1 + dice.below(replicas);
        self.actions(Action::Ready, more);
        if dice.percent(50) {
            self.actions.push(Action::Lose);
            self.actions.push(Action::Ready);
        }
        let lowered = json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}});
        self.actions.push(Action::Change(lowered));
        self.actions(Action::Ready, replicas);
        self.actions.push(Action::Change(json!({"spec": {"replicas": dice.below(6)}})));
        self.actions(Action::Ready, 3);
    }

    fn daemon_set(&mut self, dice: &mut Dice) {
        self.nodes = 1 + dice.below(4);
        self.object = workload("apps/v1", "DaemonSet", template("a", "Always"));
        let spec = &mut self.object["spec"];
        spec["template"]["spec"]["nodeSelector"] = json!({"trace": self.seed.to_string()});
        spec["updateStrategy"] = match dice.below(5) {
            0 => json!({"type": "OnDelete"}),
            1 => {
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1 + dice.below(2), "maxUnavailable": 0}})
            }
            _ => json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1 + dice.below(2)}}),
        };
        let ready = self.nodes - usize::from(dice.percent(25));
        self.actions(Action::Ready, ready);
        self.actions.push(change_image("b"));
        let more = self.nodes + dice.below(2);
        self.actions(Action::Ready, more);
        if dice.percent(50) {
            self.actions.push(Action::Lose);
        }
        self.actions(Action::Ready, 2);
    }

    fn job(&mut self, dice: &mut Dice) {
        let completions = 1 + dice.below(4);
        self.object = workload("batch/v1", "Job", template("a", "Never"));
        let spec = &mut self.object["spec"];
        if let Some(spec) = spec.as_object_mut() {
            spec.remove("selector");
        }
        spec["completions"] = json!(completions);
        spec["parallelism"] = json!(1 + dice.below(3));
        // The second failure waits for ten seconds, the third for twenty.
        let limit = dice.below(3);
        spec["backoffLimit"] = json!(limit);
        if dice.percent(50) {
            spec["completionMode"] = json!("Indexed");
        }
        self.actions.push(Action::Ready);
        let well = dice.below(completions);
        self.actions(Action::Succeed, well);
        match dice.below(4) {
            0 => self.actions(Action::Fail, limit + 1),
            1 => {
                self.actions.push(Action::Change(json!({"spec": {"suspend": true}})));
                self.actions.push(Action::Change(json!({"spec": {"suspend": false}})));
            }
            2 => self.actions(Action::Fail, usize::from(limit > 0)),
            _ => {}
        }
        self.actions(Action::Succeed, completions);
    }

    fn autoscaler(&mut self, dice: &mut Dice) {
        let replicas = 1 + dice.below(5);
        self.object = workload("apps/v1", "Deployment", template("a", "Always"));
        self.object["spec"]["replicas"] = json!(replicas);
        let least = 1 + dice.below(4);
        let most = least + dice.below(3);
        self.actions(Action::Ready, replicas);
        self.actions.push(Action::Autoscale(json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": NAME},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
                "minReplicas": least,
                "maxReplicas": most,
                "metrics": [{"type": "Resource", "resource":
                    {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
            },
        })));
        self.actions(Action::Ready, 1);
    }

    fn cron_job(&mut self, dice: &mut Dice) {
        let mut job = template("a", "Never");
        if let Some(metadata) = job.as_object_mut() {
            metadata.remove("metadata");
        }
        self.object = json!({
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": NAME},
            "spec": {
                "schedule": "* * * * *",
                "concurrencyPolicy": *dice.pick(&[&"Allow", &"Forbid", &"Replace"]),
                "jobTemplate": {"spec": {"template": job}},
            },
        });
        self.actions.push(Action::Tick);
        self.actions.push(Action::Change(json!({"spec": {"suspend": true}})));
        self.actions.push(if dice.percent(50) { Action::Succeed } else { Action::Ready });
    }
}

fn workload(version: &str, kind: &str, template: Value) -> Value {
    json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": NAME},
        "spec": {"selector": {"matchLabels": {"app": NAME}}, "template": template},
    })
}

fn template(image: &str, restart: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": NAME}},
        "spec": {
            "restartPolicy": restart,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": image, "resources": {"requests": {"cpu": "1m"}}}],
        },
    })
}

fn change_image(image: &str) -> Action {
    let containers = json!([{"name": "c", "image": image, "resources": {"requests": {"cpu": "1m"}}}]);
    Action::Change(json!({"spec": {"template": {"spec": {"containers": containers}}}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_scenario_every_time() {
        for kind in Kind::ALL {
            let (one, again) = (Scenario::draw(kind, 7), Scenario::draw(kind, 7));
            assert_eq!((one.object, one.actions), (again.object, again.actions));
        }
        assert_ne!(Scenario::draw(Kind::Deployment, 1).object, Scenario::draw(Kind::Deployment, 2).object);
    }
}
