use std::cell::OnceCell;

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use crate::operated::is_operated;
use crate::pods::{PodTemplate, pod_template, selects};
use crate::rule::Rule;
use crate::subject::{Desired, Found, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF182",
    title: "what chooses pods by their labels chooses some",
    severity: Severity::Warning,
    why: "A disruption budget, a network policy, a spread constraint or an affinity whose selector takes no pod is accepted \
          and does nothing: the drain that it was to slow down takes all pods at once, and the door that it was to close \
          stays open.",
    advice: "Select labels that the pod templates bear.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (group, kind, field) in
        [("policy", "PodDisruptionBudget", "spec.selector"), ("networking.k8s.io", "NetworkPolicy", "spec.podSelector")]
    {
        for chooser in subject.of_kind(group, kind) {
            findings.extend(empty_choice(subject, chooser, field));
        }
    }
    let borne = OnceCell::new();
    for policy in subject.of_kind("networking.k8s.io", "NetworkPolicy") {
        findings.extend(peers(subject, policy));
        findings.extend(namespaces(policy, borne.get_or_init(|| named_so(subject))));
    }
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        findings.extend(spread(desired, &template));
        findings.extend(affinities(subject, desired, &template));
    }
    findings
}

/// A budget or policy that chooses no pod of its namespace.
fn empty_choice(subject: &Subject<'_>, chooser: &Desired, field: &str) -> Option<Finding> {
    let object = &chooser.object;
    let selector = object.at(&format!("/{}", field.replace('.', "/"))).filter(|it| !is_everything(it))?;
    let mut beside = pods_of(subject, object.namespace());
    if object.kind() == "PodDisruptionBudget" {
        // What a hook runs, a test above all, is gone when a node is drained.
        let hooks: Vec<&Object> =
            subject.objects().filter(|it| matches!(it.role, Role::Hook { .. })).map(|it| &it.object).collect();
        beside.retain(|template| !hooks.iter().any(|hook| std::ptr::eq(*hook, template.owner)));
    }
    let own = subject.pods().any(|(desired, _)| {
        desired.unit == chooser.unit && desired.object.namespace() == object.namespace() && is_lasting(&desired.object)
    });
    // Where the unit has no pods of its own here, somebody else's are meant.
    if !own || beside.iter().any(|template| template.is_selected_by(selector)) || is_operated(subject, &chooser.unit) {
        return None;
    }
    // Labels that no pod here bears under any value are those of somebody who is not seen.
    let near = near(&beside, selector)
        .or_else(|| short_key(&beside, selector))
        .or_else(|| one_too_many(&own_pods(subject, chooser), selector))
        .or_else(|| of_the_objects(&own_pods(subject, chooser), selector))
        .or_else(|| of_its_own_labels(subject, chooser, selector))?;
    Some(
        RULE.finding(format!("{} `{}` selects no pod", object.kind(), object.name()))
            .because(near)
            .at(chooser.spot_at(field)),
    )
}

/// Peers of a policy, in its own namespace, that are nobody, where somebody nearly is: whoever has other labels altogether may come
/// from elsewhere.
fn peers(subject: &Subject<'_>, policy: &Desired) -> Vec<Finding> {
    let object = &policy.object;
    let beside = pods_of(subject, object.namespace());
    if beside.is_empty() || is_operated(subject, &policy.unit) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (direction, list, word) in [("ingress", "from", "in"), ("egress", "to", "out")] {
        for (at, rule) in object.list_at(&format!("/spec/{direction}")).iter().enumerate() {
            for (index, peer) in rule[list].as_array().into_iter().flatten().enumerate() {
                let Some(selector) = peer.get("podSelector").filter(|it| !it.is_null() && !is_everything(it)) else {
                    continue;
                };
                let is_here = peer["namespaceSelector"].is_null() && peer["ipBlock"].is_null();
                if !is_here || beside.iter().any(|template| template.is_selected_by(selector)) {
                    continue;
                }
                let Some(near) = misspelt(&beside, selector).or_else(|| short_key(&beside, selector)) else { continue };
                findings.push(
                    RULE.finding(format!("NetworkPolicy `{}` lets {word} pods that are not there", object.name()))
                        .because(near)
                        .help("write the labels as the pods that are meant bear them")
                        .at(policy.spot_at(&format!("spec.{direction}[{at}].{list}[{index}].podSelector"))),
                );
            }
        }
    }
    findings
}

/// The namespaces that bear `name`.
fn named_so<'a>(subject: &Subject<'a>) -> Vec<&'a Object> {
    subject.after("", "Namespace").map(Found::object).filter(|it| it.label("name").is_some()).collect()
}

/// Peers of a policy in namespaces that are chosen by `name`, a label that people give to namespaces and nobody else does.
fn namespaces(policy: &Desired, named_so: &[&Object]) -> Vec<Finding> {
    let object = &policy.object;
    let is_borne = |wanted: &Value| named_so.iter().any(|it| selects(wanted, it.labels()));
    let mut findings = Vec::new();
    for (direction, list, word) in [("ingress", "from", "in"), ("egress", "to", "out")] {
        for (at, rule) in object.list_at(&format!("/spec/{direction}")).iter().enumerate() {
            for (index, peer) in rule[list].as_array().into_iter().flatten().enumerate() {
                let selector = &peer["namespaceSelector"];
                let Some(name) = selector["matchLabels"]["name"].as_str().filter(|_| !is_borne(selector)) else {
                    continue;
                };
                findings.push(
                    RULE.finding(format!(
                        "NetworkPolicy `{}` lets {word} the namespace that bears `name: {name}`, and no namespace does so by itself",
                        object.name()
                    ))
                    .weighing(Severity::Info)
                    .keyed(format!("{} {direction} {name}", object.name()))
                    .because("every namespace bears its name as `kubernetes.io/metadata.name`, and `name` only where somebody wrote it")
                    .help(format!("did you mean `kubernetes.io/metadata.name: {name}`?"))
                    .at(policy.spot_at(&format!("spec.{direction}[{at}].{list}[{index}].namespaceSelector"))),
                );
            }
        }
    }
    findings
}

/// No shorter value is taken for a slip of another one.
const SHORTEST: usize = 5;

/// The pods that bear all that a selector asks for, but for one value that is a slip away from theirs.
fn misspelt(beside: &[PodTemplate<'_>], selector: &Value) -> Option<String> {
    let wanted = selector["matchLabels"].as_object().filter(|it| !it.is_empty())?;
    if !selector["matchExpressions"].is_null() {
        return None;
    }
    beside.iter().find_map(|template| {
        let mut missed = wanted.iter().filter(|(key, value)| label(template, key) != value.as_str());
        let ((key, value), None) = (missed.next()?, missed.next()) else { return None };
        let (value, borne) = (value.as_str()?, label(template, key)?);
        // A short name is a slip away from too many others, and `web-2` is another one than `web`.
        let letters = |text: &str| text.chars().filter(char::is_ascii_alphabetic).collect::<String>();
        if value.len().min(borne.len()) < SHORTEST || letters(value) == letters(borne) {
            return None;
        }
        landfall_diag::slip(value, [borne])?;
        let owner = template.owner;
        Some(format!(
            "it asks for `{key}: {value}`, and the pods of {} `{}` bear `{borne}`",
            owner.kind(),
            owner.name()
        ))
    })
}

/// Constraints that do not count the pods that they spread.
fn spread(desired: &Desired, template: &PodTemplate<'_>) -> Vec<Finding> {
    let constraints = template.spec["topologySpreadConstraints"].as_array().into_iter().flatten().enumerate();
    let idle = constraints.filter(|(_, constraint)| match constraint.get("labelSelector").filter(|it| !it.is_null()) {
        Some(selector) => !is_everything(selector) && !template.is_selected_by(selector),
        // Without a selector no pod is counted.
        None => true,
    });
    idle.map(|(at, constraint)| {
        let field = format!("{}.topologySpreadConstraints[{at}]", template.path);
        let key = constraint["topologyKey"].as_str().unwrap_or_default();
        let has = constraint.get("labelSelector").is_some_and(|it| !it.is_null());
        let object = &desired.object;
        RULE.finding(format!(
            "{} `{}` spreads its pods over `{key}` without counting them",
            object.kind(),
            object.name()
        ))
        .because(if has {
            "its labelSelector takes none of its own pods, so all of them may run in one place"
        } else {
            "a constraint without labelSelector counts no pods, so all of them may run in one place"
        })
        .help("select the labels of the pod template")
        .at(desired.spot_at(&if has { format!("{field}.labelSelector") } else { field }))
    })
    .collect()
}

/// Affinities to pods that are nowhere in the delivery, while others bear the same labels with other values.
fn affinities(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let object = &desired.object;
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (list, term) in [
            ("requiredDuringSchedulingIgnoredDuringExecution", ""),
            ("preferredDuringSchedulingIgnoredDuringExecution", ".podAffinityTerm"),
        ] {
            let terms = template.spec.pointer(&format!("/affinity/{kind}/{list}")).and_then(Value::as_array);
            for (at, entry) in terms.into_iter().flatten().enumerate() {
                let inner = if term.is_empty() { entry } else { &entry["podAffinityTerm"] };
                let elsewhere = ["namespaces", "namespaceSelector"].iter().any(|field| !inner[*field].is_null());
                let Some(selector) = inner.get("labelSelector").filter(|it| !it.is_null() && !is_everything(it)) else {
                    continue;
                };
                let beside = pods_of(subject, object.namespace());
                if elsewhere || beside.iter().any(|template| template.is_selected_by(selector)) {
                    continue;
                }
                // An operator's own pods are not seen, and other releases' are somebody else's.
                let is_meant = || {
                    near(&[*template], selector).is_some()
                        || (kind == "podAntiAffinity" && are_its_own(template, selector, desired))
                };
                if is_operated(subject, &desired.unit) || !is_meant() {
                    continue;
                }
                let word = if kind == "podAffinity" { "near" } else { "away from" };
                findings.push(
                    RULE.finding(format!(
                        "{} `{}` wants its pods {word} pods that are not there",
                        object.kind(),
                        object.name()
                    ))
                    .because("no pod of the delivery bears these labels, so they run wherever there is room")
                    .at(desired.spot_at(&format!("{}.affinity.{kind}.{list}[{at}]{term}.labelSelector", template.path))),
                );
            }
        }
    }
    findings
}

/// Whether the labels of an affinity are a workload's usual ones: who keeps its pods apart means its own, and these do not bear them.
fn are_its_own(template: &PodTemplate<'_>, selector: &Value, desired: &Desired) -> bool {
    const USUAL: &[&str] = &[
        "app",
        "name",
        "component",
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/component",
    ];
    let wanted = selector["matchLabels"].as_object();
    let is_usual = wanted.is_some_and(|it| !it.is_empty() && it.keys().all(|key| USUAL.contains(&key.as_str())));
    is_usual
        && selector["matchExpressions"].is_null()
        && !template.is_selected_by(selector)
        && is_lasting(&desired.object)
}

/// The pods that there will be in a namespace.
fn pods_of<'a>(subject: &Subject<'a>, namespace: Option<&str>) -> Vec<PodTemplate<'a>> {
    let delivered = subject.pods().map(|(_, template)| template);
    let before = subject.staying().filter_map(pod_template);
    delivered.chain(before).filter(|template| template.owner.namespace() == namespace).collect()
}

/// In what a selector differs from the pods that come nearest to it: one bears each of its labels.
fn near(beside: &[PodTemplate<'_>], selector: &Value) -> Option<String> {
    let wanted: Vec<(&str, Option<&str>)> = match selector["matchLabels"].as_object().or(selector.as_object()) {
        Some(map) => map.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        None => return None,
    };
    let terms = selector["matchExpressions"].as_array().into_iter().flatten();
    let asked: Vec<&str> = terms.filter_map(|term| term["key"].as_str()).collect();
    let is_plain = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_none();
    let wanted = if is_plain { wanted } else { Vec::new() };
    let bears = |template: &&PodTemplate<'_>, key: &str| template.labels().is_some_and(|it| it.contains_key(key));
    let meant = beside
        .iter()
        .filter(|it| wanted.iter().all(|(key, _)| bears(it, key)) && asked.iter().all(|key| bears(it, key)))
        .max_by_key(|it| {
            let same = |(key, value): &&(&str, Option<&str>)| label(it, key) == *value;
            wanted.iter().filter(same).count()
        })?;
    let owner = meant.owner;
    let differs = wanted.iter().find(|(key, value)| label(meant, key) != *value);
    Some(match differs {
        Some((key, Some(value))) => format!(
            "it asks for `{key}: {value}`, and the pods of {} `{}` bear `{}`",
            owner.kind(),
            owner.name(),
            label(meant, key).unwrap_or_default()
        ),
        _ => format!("the pods of {} `{}` bear other values", owner.kind(), owner.name()),
    })
}

/// The pods of a unit that stay.
fn own_pods<'a>(subject: &Subject<'a>, chooser: &Desired) -> Vec<PodTemplate<'a>> {
    let own = subject.pods().filter(|(desired, _)| {
        desired.unit == chooser.unit
            && desired.object.namespace() == chooser.object.namespace()
            && is_lasting(&desired.object)
    });
    own.map(|(_, template)| template).collect()
}

/// The pods of the unit that bear all that a selector asks for but one label, which none of them has under any value, while it asks
/// for all that their workload selects them by, or by the application's name. Labels of somebody's own domain are given by a controller.
fn one_too_many(own: &[PodTemplate<'_>], selector: &Value) -> Option<String> {
    let wanted = selector["matchLabels"].as_object().filter(|it| it.len() > 1)?;
    if !selector["matchExpressions"].is_null() {
        return None;
    }
    own.iter().find_map(|template| {
        let mut missed = wanted.iter().filter(|(key, value)| label(template, key) != value.as_str());
        let ((key, value), None) = (missed.next()?, missed.next()) else { return None };
        let is_plain = !key.contains('/') || key.starts_with("app.kubernetes.io/");
        let chosen_by = template.owner.at("/spec/selector/matchLabels").and_then(Value::as_object);
        let is_whole =
            chosen_by.is_some_and(|it| !it.is_empty() && it.iter().all(|(key, value)| wanted.get(key) == Some(value)));
        // Or for the application by its name, whatever part of it is meant.
        let is_named = wanted.keys().any(|it| it != key && matches!(it.as_str(), "app" | "app.kubernetes.io/name"));
        let is_borne = own.iter().any(|it| it.labels().is_some_and(|labels| labels.contains_key(key)));
        let owner = template.owner;
        (is_plain && (is_whole || is_named) && !is_borne).then(|| {
            format!(
                "it asks for `{key}: {}`, which the pods of {} `{}` do not bear",
                value.as_str().unwrap_or_default(),
                owner.kind(),
                owner.name()
            )
        })
    })
}

/// Labels that say of an object by what it was made, which a chart gives to its objects and not to its pods.
///
/// ORIGIN: <https://helm.sh/docs/chart_best_practices/labels/>, <https://v2.helm.sh/docs/chart_best_practices/#labels-and-annotations>
const OF_OBJECTS: &[&str] = &[
    "helm.sh/chart",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/part-of",
    "chart",
    "heritage",
];

/// The pods of the unit that bear all that a selector asks for but labels that only objects are given: those of the workload were
/// taken for those of its pods.
fn of_the_objects(own: &[PodTemplate<'_>], selector: &Value) -> Option<String> {
    let wanted = selector["matchLabels"].as_object()?;
    if !selector["matchExpressions"].is_null() {
        return None;
    }
    own.iter().find_map(|template| {
        let missed: Vec<&String> =
            wanted.iter().filter(|(key, value)| label(template, key) != value.as_str()).map(|(key, _)| key).collect();
        let chosen_by = template.owner.at("/spec/selector/matchLabels").and_then(Value::as_object)?;
        let is_whole = !chosen_by.is_empty() && chosen_by.iter().all(|(key, value)| wanted.get(key) == Some(value));
        let is_of_objects = |key: &&String| OF_OBJECTS.contains(&key.as_str()) && label(template, key).is_none();
        let owner = template.owner;
        (is_whole && !missed.is_empty() && missed.iter().all(is_of_objects)).then(|| {
            let missed: Vec<String> = missed.iter().map(|it| format!("`{it}`")).collect();
            format!(
                "it asks for {}, which the pods of {} `{}` do not bear",
                missed.join(" and "),
                owner.kind(),
                owner.name()
            )
        })
    })
}

/// Keys that say by themselves which application is meant.
const OF_APPLICATIONS: &[&str] = &["app", "k8s-app", "name", "app.kubernetes.io/name"];

/// What a budget asks for that no pod of its unit bears, where its own unit is meant all the same: it bears all of that itself, or
/// it asks for nothing but the application's name. A policy may well be for somebody else's pods.
fn of_its_own_labels(subject: &Subject<'_>, chooser: &Desired, selector: &Value) -> Option<String> {
    let object = &chooser.object;
    let wanted = selector["matchLabels"].as_object().filter(|it| !it.is_empty())?;
    if object.kind() != "PodDisruptionBudget" || !selector["matchExpressions"].is_null() {
        return None;
    }
    let own = own_pods(subject, chooser);
    let is_borne = |key: &str| own.iter().any(|it| it.labels().is_some_and(|labels| labels.contains_key(key)));
    let (key, value) = wanted.iter().find(|(key, _)| !is_borne(key))?;
    let value = value.as_str()?;
    let are_its_own = wanted.iter().all(|(key, value)| value.as_str().is_some_and(|it| object.label(key) == Some(it)));
    let is_the_application =
        wanted.len() == 1 && OF_APPLICATIONS.contains(&key.as_str()) && is_name_of_unit(subject, &chooser.unit, value);
    (are_its_own || is_the_application).then(|| match are_its_own {
        true => {
            format!("it asks for `{key}: {value}`, which stands on itself, and no pod of the release bears `{key}`")
        }
        false => {
            format!("it asks for `{key}: {value}`, the application's name, and no pod of the release bears `{key}`")
        }
    })
}

/// Whether a word is the name of a unit, of its chart, or of both together, as charts call what is theirs.
fn is_name_of_unit(subject: &Subject<'_>, unit: &str, word: &str) -> bool {
    let chart = subject.unit(unit).and_then(|it| it.chart.as_ref()).map(landfall_chart::Chart::name);
    word == unit || chart.is_some_and(|chart| word == chart || word == format!("{unit}-{chart}"))
}

/// Labels of charts for Helm 2, and what they are called since.
///
/// ORIGIN: <https://v2.helm.sh/docs/chart_best_practices/#labels-and-annotations>, <https://helm.sh/docs/chart_best_practices/labels/>
const OLD_KEYS: &[(&str, &str)] =
    &[("app", "app.kubernetes.io/name"), ("release", "app.kubernetes.io/instance"), ("chart", "helm.sh/chart")];

/// The pods that bear all that a selector asks for, but some of it under another key: a longer or a shorter one (`component` for
/// `app.kubernetes.io/component`), or the one that it is called by since.
fn short_key(beside: &[PodTemplate<'_>], selector: &Value) -> Option<String> {
    let wanted = selector["matchLabels"].as_object().filter(|it| it.len() > 1)?;
    if !selector["matchExpressions"].is_null() {
        return None;
    }
    let last = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
    let is_meant = |asked: &str, borne: &str| {
        asked != borne
            && (last(asked) == last(borne)
                || OLD_KEYS.iter().any(|(old, new)| (asked, borne) == (*old, *new) || (asked, borne) == (*new, *old)))
    };
    beside.iter().find_map(|template| {
        let (borne, missed): (Vec<_>, Vec<_>) =
            wanted.iter().partition(|(key, value)| label(template, key) == value.as_str());
        let labels = template.labels()?;
        let mut meant = missed.iter().map(|(key, value)| {
            let under = labels.iter().find(|(other, it)| it == value && is_meant(key, other));
            under.map(|(other, _)| (key.as_str(), other.as_str()))
        });
        let (key, other) = meant.next()??;
        let all = meant.all(|it| it.is_some());
        let owner = template.owner;
        (all && !borne.is_empty())
            .then(|| format!("it asks for `{key}`, and the pods of {} `{}` bear `{other}`", owner.kind(), owner.name()))
    })
}

fn label<'a>(template: &PodTemplate<'a>, key: &str) -> Option<&'a str> {
    template.labels()?.get(key)?.as_str()
}

/// Whether a selector takes every pod.
fn is_everything(selector: &Value) -> bool {
    selects(selector, None)
        && selector["matchLabels"].as_object().is_none_or(serde_json::Map::is_empty)
        && selector["matchExpressions"].as_array().is_none_or(Vec::is_empty)
}

/// Whether its pods run as long as it is there.
fn is_lasting(object: &Object) -> bool {
    !matches!(object.kind(), "Job" | "CronJob")
}
