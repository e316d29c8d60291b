//! What runs later, run once: each CronJob of a delivery makes a Job on a copy of the cluster, as `kubectl create job --from`
//! does, and what becomes of it is looked at.

use std::time::Duration;

use jiff::Timestamp;
use landfall_cluster::Cluster;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_rules::Inventory;
use serde_json::Value;

use super::Stage;
use crate::trial::Unrun;

/// How long a Job is given to come as far as it comes.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// What a Job's name may have, with what its pods are called by.
const LONGEST_NAME: usize = 52;
/// Why a container waits that no waiting brings further.
const NEVER: &[&str] = &["InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"];

impl Stage {
    /// Runs each CronJob of a delivery once, on a copy; answers those that cannot run.
    pub(super) async fn run_scheduled(&self, delivered: &[Object]) -> Vec<Unrun> {
        let there = self.inventory();
        let wanted = delivered.iter().filter(|it| it.group() == "batch" && it.kind() == "CronJob");
        let brought: Vec<&Object> = wanted.filter_map(|it| there.of(&it.key())).collect();
        if brought.is_empty() {
            return Vec::new();
        }
        let aside = self.fork(None);
        let cluster = Cluster::new(aside.drydock.client());
        let (mut unrun, mut begun) = (Vec::new(), Vec::new());
        for scheduled in brought {
            let job = once(scheduled);
            match cluster.create(&job, &Default::default()).await {
                Ok(_) => begun.push((scheduled.key(), job.key())),
                Err(error) => {
                    unrun.push(Unrun { object: scheduled.key(), container: None, why: error.to_string() });
                }
            }
        }
        let until = aside.drydock.now().saturating_add(LONGEST).unwrap_or(Timestamp::MAX);
        aside.drydock.sleep_until(until).await;
        aside.drydock.settle();
        let after = aside.inventory();
        unrun.extend(begun.into_iter().filter_map(|(scheduled, job)| held_up(&after, scheduled, &job)));
        unrun
    }
}

/// The Job that a CronJob makes when its time comes.
fn once(scheduled: &Object) -> Object {
    let template = scheduled.at("/spec/jobTemplate").cloned().unwrap_or_default();
    let name: String = scheduled.name().chars().take(LONGEST_NAME).collect();
    let mut job = Object::new(&ObjectKey::new(
        Gvk::new("batch", "v1", "Job"),
        scheduled.namespace(),
        format!("{name}-rehearsed").as_str(),
    ));
    for (field, given) in
        [("labels", &template["metadata"]["labels"]), ("annotations", &template["metadata"]["annotations"])]
    {
        if given.is_object() {
            job.metadata_mut().insert(field.to_owned(), given.clone());
        }
    }
    job.set_annotation("cronjob.kubernetes.io/instantiate", "manual");
    job.map_mut().insert("spec".to_owned(), template["spec"].clone());
    job
}

/// Why a Job has not come to its end and never will.
fn held_up(after: &Inventory, scheduled: ObjectKey, job: &ObjectKey) -> Option<Unrun> {
    let live = after.of(job)?;
    let is = |kind: &str| live.condition(kind).is_some_and(|it| it["status"] == "True");
    if is("Complete") {
        return None;
    }
    let owned = |pod: &&Object| {
        pod.namespace() == live.namespace()
            && pod.owner_references().iter().any(|it| Some(it.uid.as_str()) == live.uid())
    };
    let mut pods = after.of_kind("", "Pod").filter(owned).peekable();
    if pods.peek().is_none() {
        // Admission has refused each of its pods; its controller says why.
        let of = |event: &&Object| {
            event.str_at("/involvedObject/name") == Some(live.name()) && event.str_at("/reason") == Some("FailedCreate")
        };
        let told = after.of_kind("", "Event").find(of)?;
        let why = told.str_at("/message").unwrap_or_default().to_owned();
        return Some(Unrun { object: scheduled, container: None, why });
    }
    let statuses = pods.flat_map(|pod| {
        ["/status/initContainerStatuses", "/status/containerStatuses"].into_iter().flat_map(|list| pod.list_at(list))
    });
    let waiting = statuses.filter_map(|status| Some((status, status.pointer("/state/waiting")?)));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (status, state) = waiting
        .into_iter()
        .find(|(_, state)| state["reason"].as_str().is_some_and(|reason| NEVER.contains(&reason)))?;
    let why = match text(&state["message"]) {
        message if message.is_empty() => text(&state["reason"]),
        message => format!("{}: {message}", text(&state["reason"])),
    };
    Some(Unrun { object: scheduled, container: Some(text(&status["name"])), why })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scheduled_job_is_made_as_its_template_says() {
        let scheduled = Object::from_value(json!({
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "backup", "namespace": "shop"},
            "spec": {"jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"backoffLimit": 1}}},
        }))
        .expect("an object");
        let job = once(&scheduled);
        assert_eq!((job.kind(), job.name(), job.namespace()), ("Job", "backup-rehearsed", Some("shop")));
        assert_eq!((job.label("a"), job.i64_at("/spec/backoffLimit")), (Some("b"), Some(1)));
    }
}
