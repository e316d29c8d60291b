use std::cell::OnceCell;
use std::collections::BTreeSet;

use landfall_chart::HookEvent;
use landfall_diag::{Finding, Severity};
use landfall_object::references::{Need, Reference, provides, references};
use serde_json::Value;

use crate::calls::calls_of;
use crate::pods::{Container, PodTemplate, pod_template};
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Door, Found, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF108",
    title: "nothing waits for what comes after it",
    severity: Severity::Error,
    why: "A hook before the installation runs before any object of its release is there: a migration that needs the \
          ConfigMap, the account or the database of the same release can never pass on an empty cluster. The same holds \
          for a wave that needs an object of a later one.",
    advice: "Run the hook after the installation (and before upgrades), or make what it needs a hook of a lower weight.",
    check,
};

/// What a pod cannot start without.
const KINDS: &[&str] = &["Secret", "ConfigMap", "PersistentVolumeClaim", "ServiceAccount"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for desired in &unit.objects {
            match &desired.role {
                Role::Hook { events, weight } if events.contains(&HookEvent::PreInstall) => {
                    findings.extend(hook(subject, unit, desired, *weight));
                }
                Role::Manifest if matches!(unit.door, Door::Application(_)) => {
                    findings.extend(waved(subject, unit, desired));
                }
                _ => {}
            }
        }
    }
    findings
}

/// What a hook before the installation needs of the installation.
fn hook(subject: &Subject<'_>, unit: &DesiredUnit, hook: &Desired, weight: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = hook.object.name();
    for reference in needs(hook) {
        if is_there(subject, unit, &reference) {
            continue;
        }
        let earlier = |it: &&Desired| match &it.role {
            Role::Hook { events, weight: other } => events.contains(&HookEvent::PreInstall) && *other <= weight,
            Role::Definition => true,
            Role::Manifest => false,
        };
        let makers: Vec<&Desired> = unit.objects.iter().filter(|it| makes(it, &reference)).collect();
        if makers.is_empty() || makers.iter().any(earlier) {
            continue;
        }
        findings.push(
            RULE.finding(format!(
                "hook `{name}` needs {} `{}`, which its own release creates later",
                reference.kind, reference.name
            ))
            .because("on an empty cluster the hook's pod never starts, and the installation ends at its deadline")
            .at(hook.spot_at(&reference.path)),
        );
    }
    let Some(template) = pod_template(&hook.object) else { return findings };
    let unasked = OnceCell::new();
    for call in calls_of(subject, hook, &template) {
        let Found::Desired(service) = call.service else { continue };
        // What stands in a file is read by whoever reads the file for something else, too.
        if call.shared.is_some() && call.field.contains(".volumes[") {
            continue;
        }
        let object = &service.object;
        let is_later = service.unit == unit.name && service.role == Role::Manifest;
        if !is_later || subject.before.get("", "Service", object.namespace(), object.name()).is_some() {
            continue;
        }
        let finding = RULE
            .finding(format!("hook `{name}` calls Service `{}`, which its own release creates later", object.name()));
        let finding = match unasked.get_or_init(|| self::unasked(&template)).contains(&call.field) {
            true => finding.weighing(Severity::Warning).because(
                "on an empty cluster nothing answers; no command of the hook names the variable, and whether its program asks there is \
                 not seen",
            ),
            false => finding.because("on an empty cluster nothing answers, and the installation ends at its deadline"),
        };
        findings.push(finding.at(hook.spot_at(&call.field)));
    }
    findings
}

/// The variables of a pod with an address of the web that no command or argument beside them names: a program has settings for servers
/// that it does not ask in a hook. A database is what a migration is there for.
fn unasked(template: &PodTemplate<'_>) -> BTreeSet<String> {
    let is_of_the_web = |value: &str| value.starts_with("http://") || value.starts_with("https://");
    let of = |container: &Container<'_>| {
        let said = ["command", "args"].map(|field| container.value[field].as_array());
        let said: Vec<&str> = said.into_iter().flatten().flatten().filter_map(Value::as_str).collect();
        let is_named = |name: &str| said.iter().any(|it| it.contains(name));
        let of_one = |(at, name, variable): (usize, &str, &Value)| {
            let is_unasked = variable["value"].as_str().is_some_and(is_of_the_web) && !is_named(name);
            is_unasked.then(|| format!("{}.env[{at}].value", container.path))
        };
        container.env().filter_map(of_one).collect::<Vec<_>>()
    };
    template.containers().iter().flat_map(of).collect()
}

/// What a wave needs of a later one.
fn waved(subject: &Subject<'_>, unit: &DesiredUnit, desired: &Desired) -> Vec<Finding> {
    let mut findings = Vec::new();
    for reference in needs(desired) {
        if is_there(subject, unit, &reference) {
            continue;
        }
        let makers: Vec<&Desired> =
            unit.objects.iter().filter(|it| it.role == Role::Manifest && makes(it, &reference)).collect();
        let Some(first) = makers.iter().map(|maker| wave(maker)).min() else { continue };
        if first <= wave(desired) {
            continue;
        }
        let (kind, name) = (desired.object.kind(), desired.object.name());
        findings.push(
            RULE.finding(format!(
                "{kind} `{name}` of wave {} needs {} `{}` of wave {first}",
                wave(desired),
                reference.kind,
                reference.name
            ))
            .because("its pods cannot start, so its wave never becomes healthy, so the later wave never comes")
            .help(format!("put {} `{}` into wave {} or earlier", reference.kind, reference.name, wave(desired)))
            .at(desired.spot_at(&reference.path)),
        );
    }
    findings
}

fn needs(desired: &Desired) -> Vec<Reference> {
    let all = references(&desired.object).into_iter();
    all.filter(|it| it.need == Need::Start && it.group.is_empty() && KINDS.contains(&it.kind.as_str())).collect()
}

/// Whether something is on the cluster already, or an earlier unit brings it.
fn is_there(subject: &Subject<'_>, unit: &DesiredUnit, reference: &Reference) -> bool {
    let namespace = reference.namespace.as_deref();
    let earlier = subject.units.iter().take_while(|other| other.name != unit.name);
    subject.before.get("", &reference.kind, namespace, &reference.name).is_some()
        || earlier.flat_map(|other| &other.objects).any(|it| makes(it, reference))
}

/// Whether an object is what is referred to, or makes an operator create it.
fn makes(maker: &Desired, reference: &Reference) -> bool {
    let object = &maker.object;
    let is_it = object.group() == reference.group
        && object.kind() == reference.kind
        && object.name() == reference.name
        && object.namespace() == reference.namespace.as_deref();
    is_it
        || provides(object).iter().any(|provided| {
            provided.kind == reference.kind
                && provided.name == reference.name
                && provided.namespace == reference.namespace
        })
}

/// The wave of an object under Argo CD.
fn wave(desired: &Desired) -> i64 {
    let text = desired.object.annotation("argocd.argoproj.io/sync-wave");
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
