mod pulled;
mod resourced;
mod restricted;

use landfall_chart::HookEvent;
use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::value_that_prints_nothing::value_at;
use crate::pods::PodTemplate;
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Role, Subject};

pub(super) use self::pulled::left_without_secrets;

pub(super) static RULE: Rule = Rule {
    id: "LF374",
    title: "what is set for all pods reaches all of them",
    severity: Severity::Info,
    why: "`nodeSelector` and `tolerations` at the top of the values are for everything that a chart runs. A job that does not take them \
          waits on a cluster whose free nodes are tainted, and a hook that waits holds up the whole release. Without the `imagePullSecrets` \
          that are set its image cannot be pulled from a private registry, and without the `securityContext` it is not let into a \
          namespace that asks for one. `resources` that only the init containers take do not bound the server that runs behind them.",
    advice: "Print the setting into each pod's template.",
    check,
};

/// Settings of a chart's top that say where pods may go.
const PLACES: &[&str] = &["nodeSelector", "tolerations", "priorityClassName", "schedulerName"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let [rendered] = unit.rendered.charts.as_slice() else { continue };
        for setting in PLACES {
            let is_given = value_at(&rendered.values, setting).is_some_and(|it| it.truth());
            if !is_given {
                continue;
            }
            let own = subject.pods().filter(|(it, _)| it.unit == unit.name && !subject.is_borrowed(it));
            let (with, without): (Vec<_>, Vec<_>) = own.partition(|(_, template)| is_set(&template.spec[*setting]));
            let Some((first, _)) = with.first() else { continue };
            for (desired, template) in without {
                let (kind, name) = (desired.object.kind(), desired.object.name());
                findings.push(
                    RULE.finding(format!("{kind} `{name}` does not take the `{setting}` that is set"))
                        .keyed(format!("{setting} {kind}/{name}"))
                        .because(format!(
                            "{} `{}` does, and this one goes wherever it fits",
                            first.object.kind(),
                            first.object.name()
                        ))
                        .at(desired.spot_at(template.path)),
                );
            }
        }
        findings.extend(pulled::told(subject, unit));
        findings.extend(resourced::told(subject, unit, rendered));
        findings.extend(restricted::told(subject, unit, rendered));
    }
    findings
}

/// The pods of a chart itself, with none of the charts below it: their settings are their own. A test is no part of what is delivered.
fn pods_of_root<'s>(subject: &Subject<'s>, unit: &DesiredUnit) -> Vec<(&'s Desired, PodTemplate<'s>)> {
    let is_of_root = |desired: &Desired| {
        let mut made = unit.rendered.objects.iter().chain(&unit.rendered.hooks);
        made.any(|it| !it.path.contains("/charts/") && it.object.is_at(&desired.key()))
    };
    let is_test = |desired: &Desired| match &desired.role {
        Role::Hook { events, .. } => events.iter().all(|it| *it == HookEvent::Test),
        _ => false,
    };
    subject.pods().filter(|(it, _)| it.unit == unit.name && !is_test(it) && is_of_root(it)).collect()
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}
