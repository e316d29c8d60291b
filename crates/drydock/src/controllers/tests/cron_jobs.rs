use serde_json::{Value, json};

use super::super::fields::{list, text};
use super::Stage;

/// A cron job every five minutes; its jobs' container is called `work`.
fn cron_job(spec: Value) -> Value {
    let mut made = json!({"metadata": {"name": "tick"}, "spec": {
        "schedule": "*/5 * * * *",
        "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "work", "image": "w:1"}]}}}},
    }});
    for (key, value) in spec.as_object().into_iter().flatten() {
        made["spec"][key] = value.clone();
    }
    made
}

/// Jobs that take eight minutes.
fn slow(spec: Value) -> Stage {
    let mut stage = Stage::with(json!({"work": {"runs": "8m"}}), &[]);
    stage.create("cronjobs.batch", cron_job(spec));
    stage
}

fn said(stage: &Stage) -> Vec<String> {
    stage.events("tick")
}

#[test]
fn jobs_overlap_where_they_may() {
    let mut stage = slow(json!({"concurrencyPolicy": "Allow"}));
    stage.pass(60 * 11);
    assert_eq!(list(&stage.find("cronjobs.batch", "tick"), "/status/active").len(), 2);
    let job = stage.list("jobs.batch")[0].clone();
    assert_eq!(text(&job, "/metadata/labels/a"), "b");
    assert_eq!(
        super::super::fields::annotation(&job, "batch.kubernetes.io/cronjob-scheduled-timestamp"),
        Some("2026-01-01T00:05:00Z")
    );
}

#[test]
fn a_job_still_running_keeps_the_next_from_starting_where_forbidden() {
    let mut stage = slow(json!({"concurrencyPolicy": "Forbid"}));
    stage.pass(60 * 11);
    assert_eq!(stage.list("jobs.batch").len(), 1);
    let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
    assert!(said(&stage).contains(&format!("JobAlreadyActive {message}")), "{:?}", said(&stage));
}

#[test]
fn a_job_still_running_makes_way_for_the_next_where_replaced() {
    let mut stage = slow(json!({"concurrencyPolicy": "Replace"}));
    stage.pass(60 * 11);
    let jobs = stage.names("jobs.batch");
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let started = said(&stage).iter().filter(|event| event.starts_with("SuccessfulCreate")).count();
    assert_eq!(started, 2);
    assert!(said(&stage).iter().any(|event| event.starts_with("SuccessfulDelete Deleted job tick-")));
}

#[test]
fn a_suspended_one_starts_nothing_and_afterwards_only_the_last_missed_time() {
    let mut stage = Stage::plain();
    stage.create("cronjobs.batch", cron_job(json!({"suspend": true})));
    stage.pass(60 * 31);
    assert!(stage.names("jobs.batch").is_empty());
    stage.change("cronjobs.batch", "tick", |tick| tick["spec"]["suspend"] = json!(false));
    stage.rest();
    assert_eq!(stage.names("jobs.batch").len(), 1);
    assert_eq!(text(&stage.find("cronjobs.batch", "tick"), "/status/lastScheduleTime"), "2026-01-01T00:30:00Z");
}

#[test]
fn a_start_that_is_too_late_is_left_out() {
    let mut stage = Stage::plain();
    stage.create("cronjobs.batch", cron_job(json!({"suspend": true, "startingDeadlineSeconds": 20})));
    stage.pass(60 * 31);
    stage.change("cronjobs.batch", "tick", |tick| tick["spec"]["suspend"] = json!(false));
    stage.rest();
    assert!(stage.names("jobs.batch").is_empty(), "30 minutes past was more than 20 seconds ago");
    stage.pass(60 * 5);
    assert_eq!(stage.names("jobs.batch").len(), 1);
}

#[test]
fn the_time_zone_decides_what_the_hour_is() {
    let mut stage = Stage::plain();
    stage.create("cronjobs.batch", cron_job(json!({"schedule": "30 9 * * *", "timeZone": "Asia/Kolkata"})));
    stage.pass(60 * 60 * 6);
    let tick = stage.find("cronjobs.batch", "tick");
    assert_eq!(text(&tick, "/status/lastScheduleTime"), "2026-01-01T04:00:00Z");
    let job = stage.list("jobs.batch")[0].clone();
    assert_eq!(
        super::super::fields::annotation(&job, "batch.kubernetes.io/cronjob-scheduled-timestamp"),
        Some("2026-01-01T09:30:00+05:30")
    );
}

#[test]
fn the_histories_are_as_long_as_asked_for() {
    let mut stage = Stage::with(json!({}), &["cronjob/tick=fail"]);
    let mut tick = cron_job(json!({"failedJobsHistoryLimit": 2}));
    tick["spec"]["jobTemplate"]["spec"]["backoffLimit"] = json!(0);
    stage.create("cronjobs.batch", tick);
    stage.pass(60 * 31);
    assert_eq!(stage.names("jobs.batch").len(), 2);
    assert!(said(&stage).iter().any(|event| event.ends_with("condition: Failed")), "{:?}", said(&stage));
}

#[test]
fn a_job_made_by_hand_from_it_is_noticed_and_counts_for_its_success() {
    let mut stage = Stage::plain();
    stage.create("cronjobs.batch", cron_job(json!({"suspend": true})));
    let tick = stage.find("cronjobs.batch", "tick");
    let by_hand = json!({
        "metadata": {
            "name": "now", "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "tick",
                                 "uid": tick.uid(), "controller": true}],
        },
        "spec": tick["spec"]["jobTemplate"]["spec"],
    });
    stage.create("jobs.batch", by_hand);
    stage.pass(10);
    assert!(
        said(&stage).contains(&"UnexpectedJob Saw a job that the controller did not create or forgot: now".to_owned())
    );
    assert!(!text(&stage.find("cronjobs.batch", "tick"), "/status/lastSuccessfulTime").is_empty());
}
