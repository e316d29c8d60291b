use std::collections::BTreeMap;

use landfall_chart::HookEvent;
use landfall_diag::{Finding, Severity};
use landfall_object::ObjectKey;

use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF190",
    title: "no object is made twice, as a hook or as a manifest",
    severity: Severity::Error,
    why: "Helm makes hooks by themselves and keeps no account of them. An object of the same kind and name that belongs to \
          the release, too, is there already when the one or the other is to be made: the installation stops, or the hook \
          deletes what the release has made, first of all.",
    advice: "Give one of the two another name, or take the hook's annotation away.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let mut named: BTreeMap<ObjectKey, Vec<&Desired>> = BTreeMap::new();
        for desired in unit.objects.iter().filter(|it| it.role != Role::Definition && !it.object.name().is_empty()) {
            named.entry(desired.key()).or_default().push(desired);
        }
        for same in named.values().filter(|same| same.len() > 1) {
            let manifest = same.iter().find(|it| it.role == Role::Manifest);
            let hooks: Vec<&Desired> = same.iter().copied().filter(|it| deploys(it)).collect();
            let (kind, name) = (same[0].object.kind(), same[0].object.name());
            if let (Some(manifest), Some(hook)) = (manifest, hooks.iter().find(|hook| !is_gone(hook))) {
                findings.push(
                    RULE.finding(format!("{kind} `{name}` is a hook and belongs to the release, too"))
                        .because(
                            "whichever is made second finds the other, and the delivery stops there or replaces it",
                        )
                        .at(hook.spot())
                        .at(manifest.spot()),
                );
            } else if let [one, other, ..] =
                same.iter().copied().filter(|it| it.role == Role::Manifest).collect::<Vec<_>>().as_slice()
            {
                findings.push(
                    RULE.finding(format!("{kind} `{name}` is written twice in one release"))
                        .because("the second is there already when it is to be made, and the delivery does not begin")
                        .help("leave one of the two out, or give it a name of its own")
                        .at(one.spot().field("metadata.name"))
                        .at(other.spot().field("metadata.name")),
                );
            } else if let Some((one, other)) = at_one_moment(&hooks) {
                findings.push(
                    RULE.finding(format!("hook {kind} `{name}` is made twice at one moment"))
                        .weighing(Severity::Warning)
                        .because("the second deletes the first, which may still be at work")
                        .help("give the two hooks names of their own")
                        .at(one.spot())
                        .at(other.spot()),
                );
            }
        }
    }
    findings
}

/// Whether a hook runs with deliveries, not only when somebody asks for a test.
fn deploys(desired: &Desired) -> bool {
    matches!(&desired.role, Role::Hook { events, .. } if events.iter().any(|event| !is_test(event)))
}

fn is_test(event: &HookEvent) -> bool {
    matches!(event, HookEvent::Test)
}

/// Whether a hook is deleted as soon as it has done its work, before the release's own objects come.
fn is_gone(hook: &Desired) -> bool {
    let policy = hook.object.annotation("helm.sh/hook-delete-policy").unwrap_or_default();
    let early = matches!(&hook.role, Role::Hook { events, .. }
        if events.iter().all(|event| matches!(event, HookEvent::PreInstall | HookEvent::PreUpgrade | HookEvent::PreRollback)));
    early && policy.split(',').any(|it| it.trim() == "hook-succeeded")
}

/// Two hooks that share a moment.
fn at_one_moment<'a>(hooks: &[&'a Desired]) -> Option<(&'a Desired, &'a Desired)> {
    let events = |hook: &'a Desired| match &hook.role {
        Role::Hook { events, .. } => events.as_slice(),
        _ => &[],
    };
    hooks.iter().enumerate().find_map(|(at, one)| {
        let other =
            hooks[at + 1..].iter().find(|other| events(other).iter().any(|event| events(one).contains(event)))?;
        Some((*one, *other))
    })
}
