use landfall_chart::HookEvent;
use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::{Door, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF110",
    title: "no Helm hook runs in both of Argo CD's phases",
    severity: Severity::Warning,
    why: "Argo CD knows no difference between installing and upgrading: `pre-install` and `pre-upgrade` both become \
          PreSync, `post-install` and `post-upgrade` both become PostSync. A hook with one of each runs twice in every \
          sync, and on an empty cluster its first run waits for what the sync has yet to create.",
    advice: "Give the hook one side only, or deliver with Landfall's own engine, which tells an install from an upgrade.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let synced = matches!(unit.door, Door::Application(_));
        for desired in &unit.objects {
            let Role::Hook { events, .. } = &desired.role else { continue };
            let named = |wanted: [HookEvent; 2]| events.iter().find(|event| wanted.contains(event)).map(|it| it.name());
            let before = named([HookEvent::PreInstall, HookEvent::PreUpgrade]);
            let after = named([HookEvent::PostInstall, HookEvent::PostUpgrade]);
            let (Some(before), Some(after)) = (before, after) else { continue };
            let kind = desired.object.kind();
            let name = desired.object.name();
            findings.push(
                RULE.finding(format!("hook {kind} `{name}` is both {before} and {after}"))
                    .weighing(if synced { Severity::Warning } else { Severity::Info })
                    .because("Argo CD would run it before and after every sync; Helm and Landfall run it once")
                    .at(desired.spot_at("metadata.annotations[helm.sh/hook]")),
            );
        }
    }
    findings
}
