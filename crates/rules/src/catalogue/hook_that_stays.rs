use landfall_chart::HookEvent;
use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF262",
    title: "a hook that has failed is not in the way of the next one",
    severity: Severity::Warning,
    why: "Helm makes each hook anew, and deletes the last one first only where nothing else is said. With `hook-succeeded` alone \
          a hook that has failed stays, and every delivery after it is refused because the hook is there already: also the \
          one that mends it, and the way back.",
    advice: "Say `before-hook-creation,hook-succeeded` as its `helm.sh/hook-delete-policy`.",
    check,
};

const POLICY: &str = "helm.sh/hook-delete-policy";

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for desired in unit.objects.iter().filter(|it| runs_with_deliveries(it)) {
            let object = &desired.object;
            let annotations = object.at("/metadata/annotations").and_then(|it| it.as_object());
            let Some(policy) = annotations.and_then(|it| it.get(POLICY)).and_then(|it| it.as_str()) else { continue };
            // A name of its own each time is never there already.
            let is_named_anew = object.name().is_empty() || unit.counts_revisions(desired) || is_drawn(unit, desired);
            if !stays(policy) || is_named_anew {
                continue;
            }
            findings.push(
                RULE.finding(format!(
                    "hook {} `{}` stays when it fails (`{POLICY}: {policy}`)",
                    object.kind(),
                    object.name()
                ))
                .because("the next delivery finds it there already, and is refused")
                .at(desired.spot_at(&format!("metadata.annotations[{POLICY}]"))),
            );
        }
    }
    findings
}

/// Whether it is a program that runs before or after a delivery; a test is run by hand, and deleted by hand.
fn runs_with_deliveries(desired: &Desired) -> bool {
    let runs = matches!(desired.object.kind(), "Job" | "Pod");
    let of_deliveries = |event: &HookEvent| {
        matches!(
            event,
            HookEvent::PreInstall
                | HookEvent::PostInstall
                | HookEvent::PreUpgrade
                | HookEvent::PostUpgrade
                | HookEvent::PreRollback
                | HookEvent::PostRollback
        )
    };
    runs && matches!(&desired.role, Role::Hook { events, .. } if events.iter().any(of_deliveries))
}

/// Whether a hook with these policies is still there once it has failed, and in the way of the next.
fn stays(policy: &str) -> bool {
    let mut policies = policy.split(',').map(str::trim).filter(|it| !it.is_empty()).peekable();
    policies.peek().is_some() && policies.all(|it| it == "hook-succeeded")
}

/// Whether another rendering calls it otherwise.
fn is_drawn(unit: &crate::DesiredUnit, desired: &Desired) -> bool {
    let key = desired.object.key();
    unit.again.as_ref().is_some_and(|again| !again.hooks.iter().any(|it| it.object.key() == key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_kept_on_failure_and_never_made_room_for_stays() {
        assert!(stays("hook-succeeded") && stays(" hook-succeeded,"));
        for policy in ["before-hook-creation", "before-hook-creation,hook-succeeded", "hook-succeeded,hook-failed", ""]
        {
            assert!(!stays(policy), "{policy}");
        }
    }
}
