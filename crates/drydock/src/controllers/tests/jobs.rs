use serde_json::{Value, json};

use super::super::fields::{condition, count, list, text};
use super::Stage;

fn job(name: &str, spec: Value) -> Value {
    let mut job = json!({"metadata": {"name": name}, "spec": {"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "run", "image": "app:1"}]}}}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        job["spec"][key] = value.clone();
    }
    job
}

#[test]
fn a_job_completes_in_the_recorded_order() {
    let mut stage = Stage::plain();
    let before = stage.world.version();
    stage.create("jobs.batch", job("migrate", json!({})));
    stage.rest();
    let mut seen: Vec<String> = Vec::new();
    for event in stage.world.events_since(before).expect("kept") {
        if &*event.object_ref.resource == "jobs.batch" {
            let o = &event.object;
            let conditions: Vec<&str> = list(o, "/status/conditions").iter().map(|c| text(c, "/type")).collect();
            let line = format!(
                "active {} uncounted {} succeeded {} [{}]",
                count(o, "/status/active"),
                list(o, "/status/uncountedTerminatedPods/succeeded").len(),
                count(o, "/status/succeeded"),
                conditions.join(" "),
            );
            if seen.last() != Some(&line) {
                seen.push(line);
            }
        }
    }
    assert_eq!(
        seen,
        [
            "active 0 uncounted 0 succeeded 0 []",
            "active 1 uncounted 0 succeeded 0 []",
            "active 0 uncounted 1 succeeded 0 [SuccessCriteriaMet]",
            "active 0 uncounted 0 succeeded 1 [SuccessCriteriaMet Complete]",
        ]
    );
    let pod = &stage.list("pods")[0];
    assert!(list(pod, "/metadata/finalizers").is_empty());
    assert_eq!(
        stage.events("migrate"),
        [format!("SuccessfulCreate Created pod: {}", pod.name()), "Completed Job completed".to_owned(),]
    );
}

#[test]
fn a_failing_job_backs_off_and_gives_up() {
    let mut stage = Stage::with(json!({}), &["job/migrate=fail:3"]);
    stage.create("jobs.batch", job("shop-migrate-1", json!({"backoffLimit": 1})));
    stage.pass(5);
    assert_eq!(count(&stage.find("jobs.batch", "shop-migrate-1"), "/status/failed"), 1);
    assert_eq!(stage.list("pods").len(), 1);
    stage.pass(10);
    let failed = stage.find("jobs.batch", "shop-migrate-1");
    assert_eq!(count(&failed, "/status/failed"), 2, "{:#}", failed.value());
    let condition = condition(&failed, "Failed").expect("it failed");
    assert_eq!(text(condition, "/reason"), "BackoffLimitExceeded");
    assert_eq!(text(condition, "/message"), "Job has reached the specified backoff limit");
    let kinds: Vec<&str> = list(&failed, "/status/conditions").iter().map(|c| text(c, "/type")).collect();
    assert_eq!(kinds, ["FailureTarget", "Failed"]);
    assert_eq!(count(&stage.list("pods")[0], "/status/containerStatuses/0/state/terminated/exitCode"), 3);
}

#[test]
fn a_job_ends_at_its_deadline() {
    let mut stage = Stage::with(json!({}), &["job/migrate=hang"]);
    stage.create("jobs.batch", job("migrate", json!({"activeDeadlineSeconds": 180})));
    stage.pass(179);
    assert_eq!(count(&stage.find("jobs.batch", "migrate"), "/status/active"), 1);
    stage.pass(40);
    let failed = stage.find("jobs.batch", "migrate");
    assert_eq!(text(condition(&failed, "Failed").expect("it failed"), "/reason"), "DeadlineExceeded");
    assert!(stage.list("pods").is_empty());
}

#[test]
fn an_indexed_job_runs_each_index_once() {
    let mut stage = Stage::plain();
    let spec = json!({"completions": 5, "parallelism": 2, "completionMode": "Indexed"});
    stage.create("jobs.batch", job("many", spec));
    stage.rest();
    let done = stage.find("jobs.batch", "many");
    assert_eq!(text(&done, "/status/completedIndexes"), "0-4");
    assert_eq!(count(&done, "/status/succeeded"), 5);
    let hosts: Vec<String> = stage.list("pods").iter().map(|p| text(p, "/spec/hostname").to_owned()).collect();
    assert_eq!(hosts, ["many-0", "many-1", "many-2", "many-3", "many-4"]);
}

#[test]
fn a_finished_job_goes_when_its_time_is_up() {
    let mut stage = Stage::plain();
    stage.create("jobs.batch", job("smoke", json!({"ttlSecondsAfterFinished": 3600})));
    stage.pass(3599);
    assert_eq!(stage.names("jobs.batch"), ["smoke"]);
    stage.pass(2);
    assert!(stage.list("jobs.batch").is_empty());
    assert!(stage.list("pods").is_empty());
}

#[test]
fn a_job_that_goes_at_once_is_seen_to_be_finished() {
    let mut stage = Stage::plain();
    stage.create("jobs.batch", job("certgen", json!({"ttlSecondsAfterFinished": 0})));
    stage.rest();
    assert_eq!(count(&stage.find("jobs.batch", "certgen"), "/status/succeeded"), 1);
    stage.pass(2);
    assert!(stage.list("jobs.batch").is_empty());
}

#[test]
fn a_cron_job_makes_jobs_by_the_clock_and_keeps_three() {
    let mut stage = Stage::plain();
    stage.create(
        "cronjobs.batch",
        json!({"metadata": {"name": "tick"}, "spec": {
            "schedule": "*/5 * * * *", "jobTemplate": job("x", json!({})),
        }}),
    );
    stage.pass(60 * 31);
    assert_eq!(stage.list("jobs.batch").len(), 3);
    let tick = stage.find("cronjobs.batch", "tick");
    assert_eq!(text(&tick, "/status/lastScheduleTime"), "2026-01-01T00:30:00Z");
    assert!(list(&tick, "/status/active").is_empty());
}

#[test]
fn a_day_that_never_comes_is_an_invalid_schedule() {
    let mut stage = Stage::plain();
    let spec = json!({"schedule": "59 23 31 2 *", "jobTemplate": job("x", json!({}))});
    stage.create("cronjobs.batch", json!({"metadata": {"name": "never"}, "spec": spec}));
    assert_eq!(stage.rest(), None);
    let said =
        "InvalidSchedule invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second";
    assert_eq!(stage.events("never"), [said]);
}
