mod manifest;

use landfall_chart::HookEvent;
use landfall_diag::{Finding, Severity};
use landfall_object::references::{Need, references};

use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF380",
    title: "what pods do not start without is made with upgrades, too",
    severity: Severity::Info,
    why: "A hook of `pre-install` runs once in the life of a release. A Secret that is made by it alone is missing in every release that \
          comes from a version without it, and where somebody has deleted it: the new pods wait for it and never start. What a \
          template prints with the installation alone is gone with the first upgrade: Helm deletes what a release no longer has.",
    advice: "Write `helm.sh/hook: pre-install,pre-upgrade` and keep the value that is there (`lookup`), or make it an ordinary manifest.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for made in subject.objects().filter(|it| is_of_first_day(it) && !subject.is_borrowed(it)) {
        let Some(user) = user(subject, made) else { continue };
        let (kind, name) = (made.object.kind(), made.object.name());
        findings.push(
            RULE.finding(format!(
                "{kind} `{name}` is made by `pre-install` alone, and {} `{}` does not start without it",
                user.object.kind(),
                user.object.name()
            ))
            .because("a release of a version without it is upgraded and gets none")
            .at(made.spot_at("metadata.annotations[helm.sh/hook]")),
        );
    }
    findings.extend(manifest::of_first_day(subject));
    findings
}

/// Whether a Secret or ConfigMap is a hook of the first installation and of nothing else.
fn is_of_first_day(desired: &Desired) -> bool {
    let Role::Hook { events, .. } = &desired.role else { return false };
    desired.object.group().is_empty()
        && matches!(desired.object.kind(), "Secret" | "ConfigMap")
        && !events.is_empty()
        && events.iter().all(|it| *it == HookEvent::PreInstall)
}

/// A workload that lasts and does not start without an object.
fn user<'a>(subject: &Subject<'a>, made: &Desired) -> Option<&'a Desired> {
    let needs = |user: &Desired| {
        references(&user.object).iter().any(|it| {
            it.need == Need::Start
                && it.group.is_empty()
                && it.kind == made.object.kind()
                && it.name == made.object.name()
                && it.namespace.as_deref() == made.object.namespace()
        })
    };
    let lasting = subject.pods().map(|(desired, _)| desired).filter(|it| it.role == Role::Manifest);
    lasting.into_iter().find(|it| it.unit == made.unit && needs(it))
}
