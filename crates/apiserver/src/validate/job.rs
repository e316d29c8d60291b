//! Jobs and CronJobs (`pkg/apis/batch/validation`).

use landfall_object::FieldError;
use serde_json::{Value, json};

use super::at::{At, Errors, ordered};
use super::pod;
use super::schedule;
use super::{metadata, names};

const NO_MATCH: &str = "`selector` does not match template `labels`";
/// The most pods at once, and the most failed indexes, of an indexed job.
const MOST_INDEXED: i64 = 100_000;
/// The most of both where there are more completions than that.
const MOST_OF_MANY: i64 = 10_000;
const MOST_RULES: usize = 20;
const MOST_EXIT_CODES: usize = 255;

/// Whether a job's selector is its own business or the server's.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Selector {
    Checked,
    Generated,
}

pub(super) fn job(errors: &mut Errors, spec: &At<'_>, selector: Selector) {
    for field in ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"] {
        errors.nonnegative(&spec.get(field));
    }
    errors.nonnegative(&spec.get("backoffLimitPerIndex"));
    errors.nonnegative(&spec.get("maxFailedIndexes"));
    if spec.get("maxFailedIndexes").is_set() && !spec.get("backoffLimitPerIndex").is_set() {
        errors.required(spec.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
    managed_by(errors, &spec.get("managedBy"));
    completion_mode(errors, spec);
    let rules = spec.dig("podFailurePolicy.rules");
    let count = rules.items().count();
    if count > MOST_RULES {
        errors.push(FieldError::too_many(rules.path.clone(), count, MOST_RULES));
    }
    for rule in rules.items() {
        failure_rule(errors, &rule, spec);
    }
    let success = spec.get("successPolicy");
    if success.is_set() {
        success_policy(errors, &success, spec);
    }
    errors.one_of_if_set(&spec.get("podReplacementPolicy"), &["Failed", "TerminatingOrFailed"]);
    pod::template(errors, &spec.get("template"));
    restart_policy(errors, spec);
    if selector == Selector::Checked {
        let selector = spec.get("selector");
        if selector.is_set() {
            metadata::selector(errors, &selector);
        } else {
            errors.required(selector.path.clone(), "");
        }
        let labels = spec.dig("template.metadata.labels");
        if metadata::is_readable(&selector) && !metadata::matches(&selector, &labels) {
            errors.invalid(&labels, NO_MATCH);
        }
    }
}

fn managed_by(errors: &mut Errors, manager: &At<'_>) {
    if !manager.is_set() {
        return;
    }
    match manager.text().split_once('/') {
        _ if manager.is_empty() => errors.required(manager.path.clone(), ""),
        Some((host, path)) if !host.is_empty() && !path.is_empty() => {
            for message in names::dns_subdomain(host) {
                errors.push(FieldError::invalid(manager.path.clone(), host, message));
            }
        }
        _ => errors.invalid(manager, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
    if manager.text().len() > 63 {
        errors.push(FieldError::too_long(manager.path.clone(), 63));
    }
}

fn completion_mode(errors: &mut Errors, spec: &At<'_>) {
    let mode = spec.get("completionMode");
    errors.one_of_if_set(&mode, &["NonIndexed", "Indexed"]);
    let (completions, parallelism) = (spec.get("completions"), spec.get("parallelism"));
    let (per_index, failed) = (spec.get("backoffLimitPerIndex"), spec.get("maxFailedIndexes"));
    if matches!(mode.text(), "" | "NonIndexed") {
        for at in [&per_index, &failed] {
            if at.is_set() {
                errors.invalid(at, "requires indexed completion mode");
            }
        }
    }
    if mode.text() != "Indexed" {
        return;
    }
    if !completions.is_set() {
        errors.required(completions.path.clone(), "when completion mode is Indexed");
    }
    let above = |at: &At<'_>, most: i64| at.int().is_some_and(|value| value > most);
    if above(&parallelism, MOST_INDEXED) {
        let detail = format!("must be less than or equal to {MOST_INDEXED} when completion mode is Indexed");
        errors.invalid(&parallelism, detail);
    }
    if completions.int().is_some_and(|completions| above(&failed, completions)) {
        errors.invalid(&failed, "must be less than or equal to completions");
    }
    if above(&failed, MOST_INDEXED) {
        errors.invalid(&failed, format!("must be less than or equal to {MOST_INDEXED}"));
    }
    if above(&completions, MOST_INDEXED) && per_index.is_set() {
        if !failed.is_set() {
            let detail = format!("must be specified when completions is above {MOST_INDEXED}");
            errors.required(failed.path.clone(), &detail);
        }
        for at in [&parallelism, &failed] {
            if above(at, MOST_OF_MANY) {
                errors.invalid(at, format!("must be less than or equal to {MOST_OF_MANY} when completions are above {MOST_INDEXED} and used with backoff limit per index"));
            }
        }
    }
}

fn restart_policy(errors: &mut Errors, spec: &At<'_>) {
    let policy = spec.dig("template.spec.restartPolicy");
    match policy.text() {
        "" | "Always" => errors.required(policy.path.clone(), "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if spec.get("podFailurePolicy").is_set() => {
            errors.invalid(&policy, "only \"Never\" is supported when podFailurePolicy is specified");
        }
        "OnFailure" | "Never" => {}
        other => errors.push(FieldError::not_supported(policy.path.clone(), other, &["OnFailure", "Never"])),
    }
}

const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];

fn failure_rule(errors: &mut Errors, rule: &At<'_>, spec: &At<'_>) {
    let action = rule.get("action");
    match action.text() {
        "" => errors.required(action.path.clone(), "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]"),
        "FailIndex" if !spec.get("backoffLimitPerIndex").is_set() => {
            errors.invalid(&action, "requires the backoffLimitPerIndex to be set");
        }
        _ => errors.one_of_if_set(&action, &ACTIONS),
    }
    let (codes, conditions) = (rule.get("onExitCodes"), rule.get("onPodConditions"));
    if codes.is_set() {
        exit_codes(errors, &codes, spec);
    }
    let count = conditions.items().count();
    if count > MOST_RULES {
        errors.push(FieldError::too_many(conditions.path.clone(), count, MOST_RULES));
    }
    for condition in conditions.items() {
        let (kind, status) = (condition.get("type"), condition.get("status"));
        for message in names::qualified_name(kind.text()) {
            errors.push(FieldError::invalid(kind.path.clone(), kind.text(), message));
        }
        if status.is_empty() {
            errors.required(status.path.clone(), "valid values: [\"False\" \"True\" \"Unknown\"]");
        } else {
            errors.one_of_if_set(&status, &["False", "True", "Unknown"]);
        }
    }
    let detail = match (codes.is_set(), count > 0) {
        (true, true) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (false, false) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    let mut error = FieldError::invalid(rule.path.clone(), Value::Null, detail);
    error.bad_value = None;
    errors.push(error);
}

fn exit_codes(errors: &mut Errors, codes: &At<'_>, spec: &At<'_>) {
    let (operator, container, values) = (codes.get("operator"), codes.get("containerName"), codes.get("values"));
    if operator.is_empty() {
        errors.required(operator.path.clone(), "valid values: [\"In\" \"NotIn\"]");
    } else {
        errors.one_of_if_set(&operator, &["In", "NotIn"]);
    }
    let known = ["template.spec.containers", "template.spec.initContainers"]
        .into_iter()
        .any(|list| spec.dig(list).items().any(|one| one.get("name").text() == container.text()));
    if container.is_set() && !known {
        errors.invalid(&container, "must be one of the container or initContainer names in the pod template");
    }
    let numbers: Vec<i64> = values.items().filter_map(|value| value.int()).collect();
    if numbers.is_empty() {
        errors.invalid(&values, "at least one value is required");
    } else if numbers.len() > MOST_EXIT_CODES {
        errors.push(FieldError::too_many(values.path.clone(), numbers.len(), MOST_EXIT_CODES));
    }
    for (at, value) in values.items().enumerate() {
        let number = value.int().unwrap_or(0);
        if operator.text() == "In" && number == 0 {
            errors.invalid(&value, "must not be 0 for the In operator");
        }
        if numbers.iter().take(at).any(|earlier| *earlier == number) {
            errors.duplicate(&value);
        }
    }
    if !numbers.is_sorted() {
        errors.invalid(&values, "must be ordered");
    }
}

fn success_policy(errors: &mut Errors, policy: &At<'_>, spec: &At<'_>) {
    let rules = policy.get("rules");
    if spec.get("completionMode").text() != "Indexed" {
        let shown: Vec<String> = rules
            .items()
            .map(|rule| {
                let value = json!({"SucceededIndexes": rule.get("succeededIndexes").value,
                    "SucceededCount": rule.get("succeededCount").value});
                ordered(&value, &["SucceededIndexes", "SucceededCount"])
            })
            .collect();
        let error = FieldError::invalid(policy.path.clone(), policy.value.clone(), "requires indexed completion mode");
        errors.push(error.shown_as(format!("{{\"Rules\":[{}]}}", shown.join(","))));
        return;
    }
    let count = rules.items().count();
    if count == 0 {
        errors.required(rules.path.clone(), "at least one rules must be specified when the successPolicy is specified");
    }
    if count > MOST_RULES {
        errors.push(FieldError::too_many(rules.path.clone(), count, MOST_RULES));
    }
    let Some(completions) = spec.get("completions").int() else { return };
    for rule in rules.items() {
        let (wanted, indexes) = (rule.get("succeededCount"), rule.get("succeededIndexes"));
        if !wanted.is_set() && !indexes.is_set() {
            errors.required(rule.path.clone(), "at least one of succeededCount or succeededIndexes must be specified");
        }
        let mut total = 0;
        if indexes.is_set() {
            match count_indexes(indexes.text(), completions) {
                Ok(count) => total = count,
                Err(error) => errors.invalid(&indexes, format!("error parsing succeededIndexes: {error}")),
            }
        }
        errors.nonnegative(&wanted);
        if wanted.int().is_some_and(|wanted| wanted > completions) {
            errors.invalid(
                &wanted,
                format!("must be less than or equal to {completions} (the number of specified completions)"),
            );
        }
        if indexes.is_set() && wanted.int().is_some_and(|wanted| wanted > total) {
            errors.invalid(&wanted, format!("must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"));
        }
    }
}

/// How many indexes `0-2,5` names.
fn count_indexes(text: &str, completions: i64) -> Result<i64, String> {
    let (mut total, mut last) = (0, None);
    if text.is_empty() {
        return Ok(total);
    }
    for interval in text.split(',') {
        let ends: Vec<&str> = interval.split('-').collect();
        if ends.len() > 2 {
            return Err(format!(
                "the fragment {interval:?} violates the requirement that an index interval can have at most two parts separated by '-'"
            ));
        }
        let read = |text: &str| match text.parse::<i64>() {
            Err(_) => Err(format!("cannot convert string to integer for index: {text:?}")),
            Ok(index) if index >= completions => Err(format!("too large index: {text:?}")),
            Ok(index) => Ok(index),
        };
        let backwards = |previous: i64, current: i64| {
            Err(format!("non-increasing order, previous: {previous}, current: {current}"))
        };
        let first = read(ends[0])?;
        let end = match ends.get(1) {
            Some(end) => {
                let end = read(end)?;
                if first >= end {
                    return backwards(first, end);
                }
                end
            }
            None => first,
        };
        if let Some(last) = last
            && last >= first
        {
            return backwards(last, first);
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

/// What may change in a job.
pub(super) fn job_update(errors: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let same = |errors: &mut Errors, field: &str| errors.immutable(&new.get(field), &old.get(field));
    let completions = new.get("completions");
    if new.get("completionMode").text() != "Indexed" {
        same(errors, "completions");
    } else if completions.is_set()
        && completions.value != old.get("completions").value
        && completions.value != new.get("parallelism").value
    {
        errors.invalid(&completions, "can only be modified in tandem with spec.parallelism");
    }
    same(errors, "selector");
    if !old.get("suspend").flag() {
        same(errors, "template");
    }
    for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] {
        same(errors, field);
    }
}

pub(super) fn cron_job(errors: &mut Errors, object: &At<'_>, old: Option<&At<'_>>) {
    let spec = object.get("spec");
    let schedule = spec.get("schedule");
    if schedule.is_empty() {
        errors.required(schedule.path.clone(), "");
    } else {
        if let Some(error) = schedule::schedule_error(schedule.text()) {
            errors.invalid(&schedule, error);
        }
        let zoned = old.is_some_and(|old| old.dig("spec.schedule").text().contains("TZ"));
        if schedule.text().contains("TZ") && !zoned {
            errors.invalid(&schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
        } else if schedule.text().contains("TZ") && spec.get("timeZone").is_set() {
            errors.invalid(&schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule");
        }
    }
    errors.nonnegative(&spec.get("startingDeadlineSeconds"));
    let zone = spec.get("timeZone");
    if zone.is_set() && old.is_none_or(|old| old.dig("spec.timeZone").value != zone.value) {
        errors.each(&zone, schedule::zone_errors(zone.text()));
    }
    errors.one_of(&spec.get("concurrencyPolicy"), &["Allow", "Forbid", "Replace"]);
    let template = spec.dig("jobTemplate.spec");
    job(errors, &template, Selector::Generated);
    let selector = template.get("selector");
    if selector.is_set() {
        errors.invalid_ordered(&selector, &["matchLabels", "matchExpressions"], "`selector` will be auto-generated");
    }
    let manual = template.get("manualSelector");
    if manual.flag() {
        errors.push(FieldError::not_supported(manual.path.clone(), true, &["nil", "false"]));
    }
    errors.nonnegative(&spec.get("successfulJobsHistoryLimit"));
    errors.nonnegative(&spec.get("failedJobsHistoryLimit"));
    let name = object.dig("metadata.name");
    // The job's name gets eleven characters more.
    if old.is_none() && name.text().len() > 52 {
        errors.invalid(&name, "must be no more than 52 characters");
    }
}
