use landfall_diag::{Finding, Severity};
use landfall_object::references::account;
use serde_json::Value;

use crate::pods::{ContainerRole, PodTemplate, image_parts, is_lasting};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF370",
    title: "what runs a program's image runs under the program's account",
    severity: Severity::Info,
    why: "A migration that runs the same image as the server mostly needs what the server may do: its pull secrets, its cloud role, its \
          rights. Without `serviceAccountName` it runs under `default`, which has none of them; and so does a workload whose \
          `serviceAccountName` is written and comes out empty.",
    advice: "Set the same `serviceAccountName` on the one that lacks it.",
    check,
};

/// The account of whoever names none.
const DEFAULT: &str = "default";

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What a chart from a repository runs is its author's business.
    for (desired, template) in subject.pods().filter(|(it, _)| !subject.is_borrowed(it)) {
        if account(template.spec) != DEFAULT || template.spec["automountServiceAccountToken"] == false {
            continue;
        }
        findings.extend(match desired.object.kind() {
            "Job" | "CronJob" => job(subject, desired, &template),
            kind if is_lasting(kind) => emptied(subject, desired, &template),
            _ => None,
        });
    }
    findings
}

/// A job of a program's image that names no account.
fn job(subject: &Subject<'_>, job: &Desired, template: &PodTemplate<'_>) -> Option<Finding> {
    let (server, its_account) = siblings(subject, job, template).into_iter().next()?;
    let (kind, name) = (job.object.kind(), job.object.name());
    Some(
        RULE.finding(format!(
            "{kind} `{name}` names no serviceAccountName, and {} `{}` of the same image runs under `{its_account}`",
            server.object.kind(),
            server.object.name()
        ))
        .because("it runs under `default`, without what that account may do")
        .at(job.spot_at(template.path)),
    )
}

/// A workload whose account is written and comes out empty, where the release makes the one that its like runs under.
fn emptied(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Option<Finding> {
    let is_empty = |it: &Value| it.is_null() || it == "";
    let is_written = template.spec.get("serviceAccountName").is_some_and(is_empty);
    if !is_written || desired.role != Role::Manifest {
        return None;
    }
    let is_made = |name: &str| {
        let made = subject.desired("", "ServiceAccount", desired.object.namespace(), name);
        made.is_some_and(|it| it.unit == desired.unit)
    };
    let (sibling, its_account) =
        siblings(subject, desired, template).into_iter().find(|(_, account)| is_made(account))?;
    let (kind, name) = (desired.object.kind(), desired.object.name());
    Some(
        RULE.finding(format!(
            "the serviceAccountName of {kind} `{name}` is empty, and {} `{}` of the same image runs under `{its_account}`",
            sibling.object.kind(),
            sibling.object.name()
        ))
        .weighing(Severity::Warning)
        .because("it runs under `default`, without what that account may do")
        .help("name the account as the other one does")
        .at(desired.spot_at(&format!("{}.serviceAccountName", template.path))),
    )
}

/// The lasting workloads of a unit that have an image in common with a pod and run under an account of their own, each with
/// that account.
fn siblings<'a>(subject: &Subject<'a>, desired: &Desired, template: &PodTemplate<'_>) -> Vec<(&'a Desired, &'a str)> {
    let own = images(template);
    let lasting = subject.pods().filter(|(it, _)| {
        it.role == Role::Manifest
            && it.unit == desired.unit
            && it.object.namespace() == desired.object.namespace()
            && is_lasting(it.object.kind())
    });
    let same = lasting
        .filter(|(_, other)| account(other.spec) != DEFAULT && images(other).iter().any(|image| own.contains(image)));
    same.map(|(it, other)| (it, account(other.spec))).collect()
}

/// The images of a pod's own programs.
fn images<'a>(template: &PodTemplate<'a>) -> Vec<&'a str> {
    let own = template.containers().into_iter().filter(|it| it.role == ContainerRole::Main);
    own.map(|it| image_parts(it.image()).1).filter(|it| !it.is_empty()).collect()
}
