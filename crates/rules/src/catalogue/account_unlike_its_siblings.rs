use landfall_diag::{Finding, Severity};
use landfall_object::references::account;

use crate::pods::{ContainerRole, PodTemplate, image_parts};
use crate::rule::Rule;
use crate::subject::{Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF370",
    title: "a job of a program runs under the program's account",
    severity: Severity::Info,
    why: "A migration that runs the same image as the server mostly needs what the server may do: its pull secrets, its cloud role, its \
          rights. Without `serviceAccountName` it runs under `default`, which has none of them.",
    advice: "Set the same `serviceAccountName` on the job.",
    check,
};

/// The account of whoever names none.
const DEFAULT: &str = "default";

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What a chart from a repository runs is its author's business.
    let jobs =
        subject.pods().filter(|(it, _)| matches!(it.object.kind(), "Job" | "CronJob") && !subject.is_borrowed(it));
    for (job, template) in jobs {
        if account(template.spec) != DEFAULT || template.spec["automountServiceAccountToken"] == false {
            continue;
        }
        let lasting = subject.pods().filter(|(it, _)| {
            it.role == Role::Manifest
                && it.unit == job.unit
                && it.object.namespace() == job.object.namespace()
                && matches!(it.object.kind(), "Deployment" | "StatefulSet" | "DaemonSet")
        });
        let same = lasting.filter(|(_, other)| {
            account(other.spec) != DEFAULT && images(other).iter().any(|it| images(&template).contains(it))
        });
        let Some((server, of_server)) = same.into_iter().next() else { continue };
        let (kind, name) = (job.object.kind(), job.object.name());
        findings.push(
            RULE.finding(format!(
                "{kind} `{name}` names no serviceAccountName, and {} `{}` of the same image runs under `{}`",
                server.object.kind(),
                server.object.name(),
                account(of_server.spec)
            ))
            .because("it runs under `default`, without what that account may do")
            .at(job.spot_at(template.path)),
        );
    }
    findings
}

/// The images of a pod's own programs.
fn images<'a>(template: &PodTemplate<'a>) -> Vec<&'a str> {
    let own = template.containers().into_iter().filter(|it| it.role == ContainerRole::Main);
    own.map(|it| image_parts(it.image()).1).filter(|it| !it.is_empty()).collect()
}
