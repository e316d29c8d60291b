//! Cron jobs: jobs made by the clock (`pkg/controller/cronjob`).

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use landfall_apiserver::{DeleteOptions, Propagation, Status, rfc3339};
use landfall_object::Schedule;
use serde_json::{Value, json};

use super::desk::{Desk, EventType, Found, Outcome};
use super::fields::{
    annotate, child, condition, controller_reference, created, deleting, instant, int, is_controlled_by, list, map,
    name, namespace, text, truth, uid,
};
use super::job::finished;
use super::kind::{CRON_JOB, JOB};
use super::loops::Loop;
use super::queue::Role;

const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/// Missed runs after which somebody should look.
const TOO_MANY: usize = 100;

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop { role: Role::CronJob, kinds: &[CRON_JOB], wakes: &[] };

/// Brings one cron job up to date.
pub(super) fn reconcile(desk: &mut Desk<'_>, namespace_: &str, name_: &str) -> Result<Outcome, Status> {
    desk.speaks_as("cronjob-controller");
    let Some(found) = desk.get(&CRON_JOB, namespace_, name_) else { return Ok(Outcome::done()) };
    let mut cron_job = found.value().clone();
    let jobs: Vec<Found> =
        desk.list_claimable(&JOB, &cron_job).into_iter().filter(|job| is_controlled_by(job, &cron_job)).collect();
    note_jobs(desk, &mut cron_job, &jobs);
    let outcome = if deleting(&cron_job) { Outcome::done() } else { run(desk, &mut cron_job, &jobs)? };
    clean_up(desk, &cron_job, &jobs)?;
    if cron_job.get("status") != found.get("status") {
        desk.update_status(&CRON_JOB, cron_job)?;
    }
    Ok(outcome)
}

/// Takes ended and vanished jobs off the list of active ones, and names those that somebody else made.
fn note_jobs(desk: &mut Desk<'_>, cron_job: &mut Value, jobs: &[Found]) {
    for job in jobs {
        let known = list(cron_job, "/status/active").iter().any(|reference| text(reference, "/uid") == job.uid());
        let message = format!("Saw a job that the controller did not create or forgot: {}", job.name());
        if !known && finished(job).is_none() && !desk.was_said(cron_job, "UnexpectedJob", &message) {
            desk.event(cron_job, EventType::Warning, "UnexpectedJob", &message);
        }
    }
    let mut active: Vec<Value> = list(cron_job, "/status/active").to_vec();
    active.retain(|reference| {
        let job = jobs.iter().find(|j| j.uid() == text(reference, "/uid"));
        match job.map(|j| (j, finished(j))) {
            Some((_, None)) => true,
            Some((job, Some(_))) => {
                let end = if condition(job, "Complete").is_some() { "Complete" } else { "Failed" };
                let message = format!("Saw completed job: {}, condition: {end}", job.name());
                desk.event(cron_job, EventType::Normal, "SawCompletedJob", &message);
                false
            }
            None => {
                let message = format!("Active job went missing: {}", text(reference, "/name"));
                desk.event(cron_job, EventType::Normal, "MissingJob", &message);
                false
            }
        }
    });
    let successes = jobs.iter().filter(|j| condition(j, "Complete").is_some());
    let last = successes.filter_map(|j| text(j, "/status/completionTime").parse::<Timestamp>().ok()).max();
    let status = child(cron_job, "status");
    if let Some(last) = last.filter(|last| instant(status, "/lastSuccessfulTime").is_none_or(|known| known < *last)) {
        status["lastSuccessfulTime"] = rfc3339(last).into();
    }
    set_active(status, active);
}

fn set_active(status: &mut Value, active: Vec<Value>) {
    if active.is_empty() {
        if let Some(status) = status.as_object_mut() {
            status.remove("active");
        }
    } else {
        status["active"] = active.into();
    }
}

/// Deletes ended jobs beyond the history limits, oldest first.
fn clean_up(desk: &mut Desk<'_>, cron_job: &Value, jobs: &[Found]) -> Result<(), Status> {
    for (kind, field, default) in
        [("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)]
    {
        let limit = int(cron_job, &format!("/spec/{field}")).unwrap_or(default);
        let mut ended: Vec<&Found> =
            jobs.iter().filter(|j| condition(j, kind).is_some_and(|c| text(c, "/status") == "True")).collect();
        ended.sort_by_key(|j| (instant(j, "/status/startTime").unwrap_or(created(j)), j.name().to_owned()));
        let excess = ended.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        for job in ended.into_iter().take(excess).filter(|j| !deleting(j)) {
            delete(desk, cron_job, job)?;
        }
    }
    Ok(())
}

fn delete(desk: &mut Desk<'_>, cron_job: &Value, job: &Found) -> Result<(), Status> {
    let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    desk.delete_with(&JOB, job.namespace(), job.name(), options)?;
    desk.event(cron_job, EventType::Normal, "SuccessfulDelete", &format!("Deleted job {}", job.name()));
    Ok(())
}

/// Makes the job whose time has come, and says when to look again.
fn run(desk: &mut Desk<'_>, cron_job: &mut Value, jobs: &[Found]) -> Result<Outcome, Status> {
    let zone_name = text(cron_job, "/spec/timeZone").to_owned();
    let zone = if zone_name.is_empty() { Some(TimeZone::UTC) } else { TimeZone::get(&zone_name).ok() };
    let Some(zone) = zone else {
        let message = format!("invalid timeZone: \"{zone_name}\": unknown time zone {zone_name}");
        desk.event(cron_job, EventType::Warning, "UnknownTimeZone", &message);
        return Ok(Outcome::done());
    };
    if truth(cron_job, "/spec/suspend") {
        return Ok(Outcome::done());
    }
    let written = text(cron_job, "/spec/schedule").to_owned();
    let Some(schedule) = Schedule::parse(&written) else {
        let message = format!("unparseable schedule: \"{written}\"");
        desk.event(cron_job, EventType::Warning, "UnparseableSchedule", &message);
        return Ok(Outcome::done());
    };
    let now = desk.now();
    let earliest = earliest(cron_job, now);
    if schedule.next(earliest, &zone).is_none() {
        // The 31st of February, say.
        let message =
            format!("invalid schedule: {written} : time difference between two schedules is less than 1 second");
        desk.event(cron_job, EventType::Warning, "InvalidSchedule", &message);
        return Ok(Outcome::done());
    }
    let again = |from: Timestamp| Outcome::again_at(schedule.next(from, &zone));
    let Some(due) = last_due(desk, cron_job, earliest, &schedule, &zone) else { return Ok(again(now)) };
    let deadline = int(cron_job, "/spec/startingDeadlineSeconds").map(SignedDuration::from_secs);
    if deadline.is_some_and(|d| due.checked_add(d).is_ok_and(|latest| latest < now)) {
        let when = due.strftime("%a, %d %b %Y %H:%M:%S +0000");
        let message = format!("Missed scheduled time to start a job: {when}");
        desk.event(cron_job, EventType::Warning, "MissSchedule", &message);
        return Ok(again(now));
    }
    let minute = due.as_second() / 60;
    let job_name = format!("{}-{minute}", name(cron_job));
    if list(cron_job, "/status/active").iter().any(|j| text(j, "/name") == job_name)
        || instant(cron_job, "/status/lastScheduleTime") == Some(due)
    {
        return Ok(again(now));
    }
    let active: Vec<Value> = list(cron_job, "/status/active").to_vec();
    match text(cron_job, "/spec/concurrencyPolicy") {
        "Forbid" if !active.is_empty() => {
            let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
            desk.event(cron_job, EventType::Normal, "JobAlreadyActive", message);
            return Ok(again(now));
        }
        "Replace" => {
            for job in jobs.iter().filter(|j| active.iter().any(|a| text(a, "/uid") == j.uid())) {
                delete(desk, cron_job, job)?;
            }
            set_active(child(cron_job, "status"), Vec::new());
        }
        _ => {}
    }
    let made = match desk.create(&JOB, job(cron_job, &job_name, due, &zone_name, &zone)) {
        Ok(made) => {
            desk.event(cron_job, EventType::Normal, "SuccessfulCreate", &format!("Created job {job_name}"));
            made
        }
        Err(refusal) if refusal.is_already_exists() => {
            // One of ours that the status has not heard of is taken in, another's is left alone.
            match desk.get(&JOB, namespace(cron_job), &job_name).filter(|job| is_controlled_by(job, cron_job)) {
                Some(there) => there,
                None => return Ok(again(now)),
            }
        }
        Err(refusal) if super::pod_control::is_namespace_terminating(&refusal) => return Ok(again(now)),
        Err(refusal) => {
            let message = format!("Error creating job: {}", refusal.message);
            desk.event(cron_job, EventType::Warning, "FailedCreate", &message);
            return Err(refusal);
        }
    };
    let mut active: Vec<Value> = list(cron_job, "/status/active").to_vec();
    active.push(json!({
        "apiVersion": "batch/v1", "kind": "Job", "name": job_name, "namespace": namespace(&made), "uid": uid(&made),
        "resourceVersion": text(&made, "/metadata/resourceVersion"),
    }));
    let status = child(cron_job, "status");
    status["active"] = active.into();
    status["lastScheduleTime"] = rfc3339(due).into();
    Ok(again(now))
}

/// From when on runs count: the last one, the creation, or as long ago as one may start late.
fn earliest(cron_job: &Value, now: Timestamp) -> Timestamp {
    let earliest = instant(cron_job, "/status/lastScheduleTime").unwrap_or(created(cron_job));
    let Some(deadline) = int(cron_job, "/spec/startingDeadlineSeconds") else { return earliest };
    now.checked_sub(SignedDuration::from_secs(deadline)).map_or(earliest, |limit| earliest.max(limit))
}

/// The latest time that has come since `earliest`, if any (`mostRecentScheduleTime`).
fn last_due(
    desk: &mut Desk<'_>,
    cron_job: &Value,
    earliest: Timestamp,
    schedule: &Schedule,
    zone: &TimeZone,
) -> Option<Timestamp> {
    let now = desk.now();
    let mut due = schedule.next(earliest, zone).filter(|at| *at <= now)?;
    let mut missed = 0_usize;
    while let Some(later) = schedule.next(due, zone).filter(|at| *at <= now) {
        due = later;
        missed += 1;
        // A minute's schedule left for months: only the last run matters.
        if missed > 100_000 {
            break;
        }
    }
    if missed > TOO_MANY {
        let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
        desk.event(cron_job, EventType::Warning, "TooManyMissedTimes", message);
    }
    Some(due)
}

fn job(cron_job: &Value, job_name: &str, due: Timestamp, zone_name: &str, zone: &TimeZone) -> Value {
    let template = cron_job.pointer("/spec/jobTemplate").cloned().unwrap_or_default();
    let mut job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name,
            "namespace": namespace(cron_job),
            "ownerReferences": [controller_reference(cron_job)],
        },
        "spec": template.get("spec").cloned().unwrap_or_else(|| json!({})),
    });
    for part in ["labels", "annotations"] {
        if let Some(entries) = map(&template, &format!("/metadata/{part}")) {
            job["metadata"][part] = Value::Object(entries.clone());
        }
    }
    let shown = if zone_name.is_empty() {
        rfc3339(due)
    } else {
        due.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    };
    annotate(&mut job, SCHEDULED, &shown);
    job
}
