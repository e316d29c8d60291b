use jiff::Timestamp;
use jiff::tz::TimeZone;
use landfall_diag::{Finding, Severity};
use landfall_object::Schedule;

use super::unseen_settings::find;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF196",
    title: "schedules fire, and not while the last run is at work",
    severity: Severity::Warning,
    why: "A schedule is only read when its time comes. One that names the 31st of February is never due, and a deadline \
          below ten seconds is missed each time: the backup that was planned is never made, and nothing fails.",
    advice: "Write a schedule that comes, and set `concurrencyPolicy` to what is meant when a run takes longer than usual.",
    check,
};

/// The controller looks every ten seconds.
const LOOKS: i64 = 10;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Ok(now) = subject.today.to_zoned(TimeZone::UTC).map(|day| day.timestamp()) else { return Vec::new() };
    subject.of_kind("batch", "CronJob").flat_map(|job| told(subject, job, now)).collect()
}

fn told(subject: &Subject<'_>, job: &Desired, now: Timestamp) -> Vec<Finding> {
    let object = &job.object;
    let name = object.name();
    if object.bool_at("/spec/suspend") == Some(true) {
        return suspended(subject, job).into_iter().collect();
    }
    let Some(written) = object.str_at("/spec/schedule") else { return Vec::new() };
    // One that cannot be read is the API's to refuse.
    let Some(schedule) = Schedule::parse(written) else { return Vec::new() };
    let mut findings = Vec::new();
    let Some(first) = schedule.next(now, &TimeZone::UTC) else {
        findings.push(
            RULE.finding(format!("CronJob `{name}` is never due: `{written}` names no day that there is"))
                .weighing(Severity::Error)
                .because("it never runs")
                .at(job.spot_at("spec.schedule")),
        );
        return findings;
    };
    if let Some(deadline) = object.i64_at("/spec/startingDeadlineSeconds").filter(|deadline| *deadline < LOOKS) {
        findings.push(
            RULE.finding(format!("CronJob `{name}` has {deadline} s to be started in"))
                .because("the controller looks every ten seconds: it comes too late most of the time")
                .help("set startingDeadlineSeconds to some minutes, or leave it out")
                .at(job.spot_at("spec.startingDeadlineSeconds")),
        );
    }
    if let Some(hour) = each_minute_of(written) {
        let message = match hour.starts_with("*/") {
            true => format!("CronJob `{name}` is due in each minute of the hours `{hour}`"),
            false => format!("CronJob `{name}` is due sixty times in the hour {hour}, and then for the day no more"),
        };
        findings.push(
            RULE.finding(message)
                .because("the first field is the minute: with `*` there it is due in each of them")
                .help(format!(
                    "for once an hour that is meant write a minute: `0 {}`",
                    written.split_once(' ').map_or("", |it| it.1)
                ))
                .at(job.spot_at("spec.schedule")),
        );
    }
    let longest = object.i64_at("/spec/jobTemplate/spec/activeDeadlineSeconds");
    let between = schedule.next(first, &TimeZone::UTC).map(|second| second.as_second() - first.as_second());
    let overlaps = object.str_at("/spec/concurrencyPolicy").unwrap_or("Allow") == "Allow";
    if let (Some(longest), Some(between), true) = (longest, between, overlaps)
        && longest > between
    {
        findings.push(
            RULE.finding(format!("CronJob `{name}` is due every {between} s, and may run for {longest} s"))
                .weighing(Severity::Info)
                .because("a run that takes its time is still at work when the next one begins")
                .help("say what is meant: `concurrencyPolicy: Forbid`, or `Replace`")
                .at(job.spot_at("spec.schedule")),
        );
    }
    findings
}

/// The hours that a schedule names while it leaves the minute open.
fn each_minute_of(written: &str) -> Option<&str> {
    let mut fields = written.split_ascii_whitespace();
    let (minute, hour) = (fields.next()?, fields.next()?);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit() || it == b',');
    (minute == "*" && is_number(hour.strip_prefix("*/").unwrap_or(hour))).then_some(hour)
}

/// A CronJob that is switched off: by this change, or from its birth on.
fn suspended(subject: &Subject<'_>, job: &Desired) -> Option<Finding> {
    let object = &job.object;
    let old = find(subject.base?, "batch", "CronJob", object.namespace(), object.name());
    let ran = old.is_some_and(|old| old.bool_at("/spec/suspend") != Some(true));
    // One that was so before is nothing of this change's.
    if old.is_some() && !ran {
        return None;
    }
    let finding = RULE.finding(format!("CronJob `{}` is suspended", object.name()));
    let finding = match ran {
        true => finding.because("it ran until now, and is never due from this change on"),
        false => finding.weighing(Severity::Info).because("it is never due until somebody lets it go"),
    };
    Some(finding.help("set `suspend: false`, or leave the CronJob out").at(job.spot_at("spec.suspend")))
}
