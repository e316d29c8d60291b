use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;
use crate::synced::is_synced;

pub(super) static RULE: Rule = Rule {
    id: "LF150",
    title: "no name counts on the release's revision where there is none",
    severity: Severity::Warning,
    why: "Argo CD renders every revision as the first: `.Release.Revision` is 1 in each sync. A Job that takes its name from it \
          has the same name each time, so the second sync finds it done and does not run it, or is refused its change.",
    advice: "Take the name from what changes (the image's tag, a checksum), or let the hook's delete policy make room: \
             `argocd.argoproj.io/hook-delete-policy: BeforeHookCreation`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let named = unit.objects.iter().filter(|desired| unit.counts_revisions(desired));
        let named: Vec<_> = named.collect();
        if named.is_empty() || !is_synced(subject, unit) {
            continue;
        }
        findings.extend(named.into_iter().map(|desired| {
            let (kind, name) = (desired.object.kind(), desired.object.name());
            RULE.finding(format!("the name of {kind} `{name}` counts the release's revisions"))
                .because("under Argo CD it is the same in every sync")
                .at(desired.spot_at("metadata.name"))
        }));
    }
    findings
}
