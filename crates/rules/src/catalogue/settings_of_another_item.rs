use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_object::references::references;

use super::secret_that_nobody_reads::is_spoken_of;
use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF396",
    title: "what is made for each item takes what is made for the same item",
    severity: Severity::Warning,
    why: "A template that makes a workload for each item of a list, and another that makes its settings, give both the item's \
          name. Where the workload of one item names the settings of another, it runs with those, and what is set for it \
          reaches nobody.",
    advice: "Write the item's name behind the reference, too.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let made: Vec<&Desired> = made(subject, unit).collect();
        let workloads: Vec<&Desired> = made.iter().copied().filter(|it| pod_template(&it.object).is_some()).collect();
        if workloads.len() < 2 {
            continue;
        }
        for kind in ["ConfigMap", "Secret"] {
            let all: Vec<&Desired> = made.iter().copied().filter(|it| it.object.kind() == kind).collect();
            for own in all.iter().copied().filter(|it| it.object.group().is_empty()) {
                let Some((workload, other, field)) = taken_instead(unit, own, &all, &workloads) else { continue };
                if is_spoken_of(subject, own) {
                    continue;
                }
                // Where both hold the same, nothing runs otherwise yet.
                let weight = if holds_alike(&own.object, &other.object) { Severity::Info } else { RULE.severity };
                let (name, takes) = (own.object.name(), if field.contains(".volumes[") { "mounts" } else { "reads" });
                findings.push(
                    RULE.finding(format!(
                        "{} `{}` {takes} {kind} `{}`, and nobody reads `{name}`, which is made for it",
                        workload.object.kind(),
                        workload.object.name(),
                        other.object.name()
                    ))
                    .weighing(weight)
                    .because("it runs with what is set for another, and what is set for it changes nothing")
                    .help(format!("name `{name}` there"))
                    .at(workload.spot_at(&field)),
                );
            }
        }
    }
    findings
}

/// What the templates of a unit make that stays, but for those of others' charts.
fn made<'s>(subject: &Subject<'s>, unit: &'s DesiredUnit) -> impl Iterator<Item = &'s Desired> {
    let subject = *subject;
    unit.objects.iter().filter(move |it| it.role == Role::Manifest && !subject.is_borrowed(it))
}

/// The workload of the item that an object is made for, the object of another item that it takes in its place, and the field.
fn taken_instead<'s>(
    unit: &DesiredUnit,
    own: &Desired,
    all: &[&'s Desired],
    workloads: &[&'s Desired],
) -> Option<(&'s Desired, &'s Desired, String)> {
    let mut others = all.iter().copied().filter(|it| is_made_alike(unit, it, own));
    others.find_map(|other| {
        workloads.iter().find_map(|second| {
            let mut firsts = workloads.iter().filter(|first| {
                is_made_alike(unit, first, second) && are_of_two_items((**first, other), (*second, own))
            });
            let field = firsts.find_map(|first| taken_by_both(&first.object, &second.object, &other.object))?;
            Some((*second, other, field))
        })
    })
}

/// Whether two objects are of one kind and namespace, and made by one template under two names.
fn is_made_alike(unit: &DesiredUnit, one: &Desired, other: &Desired) -> bool {
    let (first, second) = (&one.object, &other.object);
    first.kind() == second.kind()
        && first.group() == second.group()
        && first.namespace() == second.namespace()
        && first.name() != second.name()
        && unit.template_of(one).is_some_and(|path| unit.template_of(other) == Some(path))
}

/// Whether two Secrets or ConfigMaps hold the same.
fn holds_alike(one: &Object, other: &Object) -> bool {
    ["/data", "/stringData", "/binaryData"].iter().all(|map| one.at(map) == other.at(map))
}

/// Whether a workload and its settings, and those of another item, are called after their items: the names of each pair are one
/// name, or what the second has behind the first's is the same.
fn are_of_two_items(one: (&Desired, &Desired), other: (&Desired, &Desired)) -> bool {
    let names = |(workload, settings): (&Desired, &Desired)| {
        (workload.object.name().to_owned(), settings.object.name().to_owned())
    };
    let ((first, its), (second, own)) = (names(one), names(other));
    let behind = second.strip_prefix(first.as_str()).filter(|it| it.starts_with('-'));
    let is_one_name = first == its && second == own;
    is_one_name || behind.is_some_and(|it| own.strip_prefix(its.as_str()) == Some(it))
}

/// The field in which two workloads both take an object.
fn taken_by_both(one: &Object, other: &Object, taken: &Object) -> Option<String> {
    let fields = |workload: &Object| -> Vec<String> {
        let all = references(workload).into_iter();
        all.filter(|it| {
            it.kind == taken.kind() && it.name == taken.name() && it.namespace.as_deref() == taken.namespace()
        })
        .map(|it| it.path)
        .collect()
    };
    let first = fields(one);
    fields(other).into_iter().find(|it| first.contains(it))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(kind: &str, name: &str) -> Desired {
        let object = Object::from_value(json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}));
        Desired { object: object.expect("a map"), role: Role::Manifest, unit: "shop".to_owned() }
    }

    #[test]
    fn items_are_told_by_what_stands_behind_the_first_ones_names() {
        let are = |first: &str, its: &str, second: &str, own: &str| {
            let (first, second) = (named("DaemonSet", first), named("DaemonSet", second));
            let (its, own) = (named("ConfigMap", its), named("ConfigMap", own));
            are_of_two_items((&first, &its), (&second, &own))
        };
        assert!(are("agent", "agent", "agent-blue", "agent-blue"));
        assert!(are("agent", "agent-settings", "agent-blue", "agent-settings-blue"));
        assert!(are("blue", "blue", "green", "green"));
        assert!(!are("agent", "agent-files", "agent-blue", "agent-scripts"));
        assert!(!are("agent", "base", "agent-blue", "base-green"));
    }
}
