use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Finding, Severity};
use landfall_object::schema::Schemas;
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF287",
    title: "rights are to groups, resources and verbs that there are",
    severity: Severity::Warning,
    why: "The API takes any word in a role. A right to `pod`, to `deployments` of the core group or to `lists` is a right to \
          nothing: the role is there, its binding is there, and the program is refused when it asks. So is one to read what is \
          only ever created, as a command within a pod is.",
    advice: "Write resources in the plural, with the group that they are of (`\"\"` for the core, no version), and verbs as the \
             API has them.",
    check,
};

/// The verbs that the API asks authorizers for.
const VERBS: &[&str] = &[
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
    "approve",
    "sign",
    "attest",
];

/// What is asked for by `create` alone: the group and the resource.
const CREATED: &[(&str, &str)] = &[
    ("", "pods/exec"),
    ("", "pods/attach"),
    ("", "pods/portforward"),
    ("", "pods/eviction"),
    ("", "pods/binding"),
    ("", "serviceaccounts/token"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
];

/// Those of them that servers before 1.35 open for `get`, too, where a program speaks WebSocket.
const STREAMS: &[&str] = &["pods/exec", "pods/attach", "pods/portforward"];

/// Words in the name of a role, or in its labels, that say that it is there for reading.
const READING: &[&str] = &["view", "viewer", "read", "reader", "readonly", "ro"];

/// Groups that earlier versions served and charts still allow beside the ones of today.
const GONE: &[&str] = &["extensions"];

/// The resources of each built-in group.
type Served = BTreeMap<String, BTreeSet<String>>;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let roles: Vec<&Desired> = ["Role", "ClusterRole"]
        .into_iter()
        .flat_map(|kind| subject.of_kind("rbac.authorization.k8s.io", kind))
        .collect();
    if roles.is_empty() {
        return Vec::new();
    }
    let mut findings: Vec<Finding> = roles.iter().flat_map(|role| of_no_namespace(subject, role)).collect();
    let mut served = Served::new();
    for group in Schemas::builtin().group_versions() {
        let all = served.entry(group.group.clone()).or_default();
        all.extend(group.resources.iter().map(|it| it.name.clone()));
    }
    findings.extend(roles.iter().flat_map(|role| told(role, &served)));
    findings.extend(roles.iter().flat_map(|role| never_created(role, &roles)));
    findings
}

/// Rights to what is created and never read, in a rule that does not give `create`, where no other role of the unit does.
fn never_created(role: &Desired, roles: &[&Desired]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if is_for_reading(role) {
        return findings;
    }
    let (kind, name) = (role.object.kind(), role.object.name());
    let of_unit = || roles.iter().filter(|it| it.unit == role.unit).flat_map(|it| it.object.list_at("/rules"));
    for (at, rule) in role.object.list_at("/rules").iter().enumerate() {
        for (index, resource) in words(rule, "resources").enumerate() {
            let is_it = |(group, known): &&(&str, &str)| *known == resource && has(rule, "apiGroups", group);
            let Some((group, _)) = CREATED.iter().find(is_it) else { continue };
            if of_unit().any(|it| creates(it, group, resource)) {
                continue;
            }
            let (severity, cause) = match STREAMS.contains(&resource) {
                true => {
                    (Severity::Info, "it is opened by `create`; `get` lets WebSockets alone in, and that before 1.35")
                }
                false => (Severity::Warning, "it is asked for by `create` alone, so whoever has the role is refused"),
            };
            findings.push(
                RULE.finding(format!("{kind} `{name}` gives rights to `{resource}` without `create`"))
                    .weighing(severity)
                    .because(cause)
                    .help("add `create` to its verbs, or leave the resource out")
                    .at(role.spot_at(&format!("rules[{at}].resources[{index}]"))),
            );
        }
    }
    findings
}

/// Whether a rule allows to create a resource, or a part of one.
fn creates(rule: &Value, group: &str, resource: &str) -> bool {
    let (whole, part) = resource.split_once('/').unwrap_or((resource, ""));
    let is_meant = |it: &str| it == resource || it == format!("{whole}/*") || it == format!("*/{part}");
    has(rule, "verbs", "create")
        && has(rule, "apiGroups", group)
        && words(rule, "resources").any(|it| it == "*" || is_meant(it))
}

/// Whether a list of a rule has a word, or all of them.
fn has(rule: &Value, field: &str, wanted: &str) -> bool {
    words(rule, field).any(|it| it == "*" || it == wanted)
}

/// Whether a role says, by its name or its labels, that it is there for reading.
fn is_for_reading(role: &Desired) -> bool {
    let says = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.split(|it: char| !it.is_ascii_alphanumeric()).any(|word| READING.contains(&word))
    };
    let labels = role.object.labels().into_iter().flatten();
    let mut labels = labels.flat_map(|(key, value)| [key.as_str(), value.as_str().unwrap_or_default()]);
    says(role.object.name()) || labels.any(says)
}

/// Resources of no namespace that a role of one names, and that no role of the whole cluster gives beside it.
fn of_no_namespace(subject: &Subject<'_>, role: &Desired) -> Vec<Finding> {
    if role.object.kind() != "Role" {
        return Vec::new();
    }
    let gives =
        |rule: &Value, group: &str, resource: &str| has(rule, "apiGroups", group) && has(rule, "resources", resource);
    let everywhere = |group: &str, resource: &str| {
        let of_cluster = subject.of_kind("rbac.authorization.k8s.io", "ClusterRole").filter(|it| it.unit == role.unit);
        of_cluster.into_iter().any(|it| it.object.list_at("/rules").iter().any(|rule| gives(rule, group, resource)))
    };
    let mut findings = Vec::new();
    for (at, rule) in role.object.list_at("/rules").iter().enumerate() {
        for (index, resource) in words(rule, "resources").enumerate() {
            let groups: Vec<&str> = words(rule, "apiGroups").collect();
            // What several groups may have is meant of the one that has it in namespaces.
            let [group] = groups.as_slice() else { continue };
            let verbs: Vec<&str> = words(rule, "verbs").collect();
            if !is_of_no_namespace(subject, group, resource, &verbs) || everywhere(group, resource) {
                continue;
            }
            findings.push(
                RULE.finding(format!(
                    "Role `{}` gives rights to `{resource}`, which are of no namespace",
                    role.object.name()
                ))
                .weighing(Severity::Info)
                .because("a role of one namespace does not reach them, so whoever has it is refused there")
                .help("give it in a ClusterRole, by a ClusterRoleBinding")
                .at(role.spot_at(&format!("rules[{at}].resources[{index}]"))),
            );
        }
    }
    findings
}

/// Whether a resource is one of the whole cluster: a built-in one, or one that is defined so by what is delivered.
fn is_of_no_namespace(subject: &Subject<'_>, group: &str, resource: &str, verbs: &[&str]) -> bool {
    // A namespace is read with the rights within it, one by one.
    if group.is_empty() && resource == "namespaces" {
        return verbs.iter().any(|verb| matches!(*verb, "list" | "watch"));
    }
    let built_in = Schemas::builtin().group_versions().iter().filter(|it| it.group == group).find_map(|it| {
        let known = it.resources.iter().find(|known| known.name == resource)?;
        Some(!known.namespaced)
    });
    let defined = || {
        let definitions = subject.of_kind("apiextensions.k8s.io", "CustomResourceDefinition").map(|it| &it.object);
        definitions.into_iter().any(|it| {
            it.str_at("/spec/group") == Some(group)
                && it.str_at("/spec/names/plural") == Some(resource)
                && it.str_at("/spec/scope") == Some("Cluster")
        })
    };
    built_in.unwrap_or_else(defined)
}

fn told(role: &Desired, served: &Served) -> Vec<Finding> {
    let mut findings = Vec::new();
    let object = &role.object;
    let (kind, name) = (object.kind(), object.name());
    let rules = object.list_at("/rules");
    for (at, rule) in rules.iter().enumerate() {
        for (index, group) in words(rule, "apiGroups").enumerate().filter(|(_, group)| is_no_group(group)) {
            let meant = match group.split_once('/').map_or(group, |(group, _)| group) {
                "core" | "v1" => "",
                other => other,
            };
            findings.push(
                RULE.finding(format!("{kind} `{name}` gives rights in the group `{group}`, which there is not"))
                    .because("nothing is of that group, so the right is to nothing")
                    .help(format!("did you mean `\"{meant}\"`?"))
                    .at(role.spot_at(&format!("rules[{at}].apiGroups[{index}]"))),
            );
        }
        for (index, verb) in words(rule, "verbs").enumerate().filter(|(_, verb)| !VERBS.contains(verb) && *verb != "*")
        {
            // Other words are verbs that a server of its own may ask for.
            let Some(meant) = near_verb(verb) else { continue };
            findings.push(
                RULE.finding(format!("{kind} `{name}` allows to `{verb}`, which nobody asks for"))
                    .because("no request has that verb, so whoever has the role is refused")
                    .help(format!("did you mean `{meant}`?"))
                    .at(role.spot_at(&format!("rules[{at}].verbs[{index}]"))),
            );
        }
        findings.extend(resources(role, rules, at, served));
    }
    findings
}

/// Resources that none of the groups of their rule has, where a slip or another group shows what was meant.
fn resources(role: &Desired, rules: &[Value], at: usize, served: &Served) -> Vec<Finding> {
    let rule = &rules[at];
    let groups: Vec<&str> = words(rule, "apiGroups").collect();
    if !groups.iter().any(|group| served.contains_key(*group)) {
        return parts(role, rules, at);
    }
    let known: Vec<&BTreeSet<String>> = groups.iter().filter_map(|group| served.get(*group)).collect();
    // What a group of somebody's own has is not known here; what is gone has had much.
    if known.is_empty() || known.len() != groups.len() || groups.iter().any(|group| GONE.contains(group)) {
        return Vec::new();
    }
    let (kind, name) = (role.object.kind(), role.object.name());
    let mut findings = Vec::new();
    for (index, written) in words(rule, "resources").enumerate() {
        let resource = written.split('/').next().unwrap_or_default();
        if resource == "*" || resource.is_empty() || known.iter().any(|all| all.contains(resource)) {
            continue;
        }
        let spot = role.spot_at(&format!("rules[{at}].resources[{index}]"));
        let elsewhere: Vec<&str> =
            served.iter().filter(|(_, all)| all.contains(resource)).map(|(group, _)| group.as_str()).collect();
        let finding = if let Some(group) = elsewhere.first() {
            // Charts that worked with many versions name each resource in a rule of each group.
            let is_given = |rule: &Value| {
                words(rule, "resources").any(|it| it.split('/').next() == Some(resource) || it == "*")
                    && words(rule, "apiGroups").any(|it| elsewhere.contains(&it) || it == "*" || GONE.contains(&it))
            };
            if rules.iter().any(is_given) {
                continue;
            }
            let own = groups.iter().map(|group| called(group)).collect::<Vec<_>>().join(", ");
            RULE.finding(format!("{kind} `{name}` gives rights to `{resource}` of {own}, which has none"))
                .because(format!("`{resource}` are of {}, and whoever has the role is refused there", called(group)))
                .help(format!("did you mean the group `\"{group}\"`?"))
        } else {
            let all = known.iter().flat_map(|all| all.iter().map(String::as_str));
            let Some(meant) = near_resource(resource, all) else { continue };
            RULE.finding(format!("{kind} `{name}` gives rights to `{resource}`, which there is not"))
                .because("the API knows the resource by another name, so the right is to nothing")
                .help(format!("did you mean `{meant}`?"))
        };
        findings.push(finding.at(spot));
    }
    findings
}

/// Parts (`widgets/status`) of resources of somebody's own that the role does not name, where it names one that is written nearly so.
fn parts(role: &Desired, rules: &[Value], at: usize) -> Vec<Finding> {
    let rule = &rules[at];
    let is_of_these =
        |other: &&Value| words(other, "apiGroups").any(|group| words(rule, "apiGroups").any(|it| it == group));
    let named: Vec<&str> = rules.iter().filter(is_of_these).flat_map(|it| words(it, "resources")).collect();
    let wholes: Vec<&str> = named.iter().copied().filter(|it| !it.contains('/')).collect();
    let (kind, name) = (role.object.kind(), role.object.name());
    let mut findings = Vec::new();
    for (index, written) in words(rule, "resources").enumerate() {
        let Some((resource, part)) = written.split_once('/').filter(|(it, _)| !wholes.contains(it) && *it != "*")
        else {
            continue;
        };
        // Another role may name it; a slip of one that has no such part beside it does not.
        let is_bare = |it: &&str| !named.iter().any(|other| other.split_once('/') == Some((*it, part)));
        let Some(meant) = landfall_diag::slip(resource, wholes.iter().copied().filter(is_bare)) else { continue };
        findings.push(
            RULE.finding(format!("{kind} `{name}` gives rights to `{written}`, and to no `{resource}`"))
                .because("the role names another resource that is written nearly so, and whoever has it is refused at its part")
                .help(format!("did you mean `{meant}/{part}`?"))
                .at(role.spot_at(&format!("rules[{at}].resources[{index}]"))),
        );
    }
    findings
}

/// Whether a word is a group's version or a nickname, and no group.
fn is_no_group(group: &str) -> bool {
    group.contains('/') || matches!(group, "core" | "v1")
}

fn called(group: &str) -> String {
    if group.is_empty() { "the core group".to_owned() } else { format!("the group `{group}`") }
}

/// The verb that was meant: one letter too many, too few or in the wrong place, or its other form (`lists`, `getting`).
fn near_verb(verb: &str) -> Option<&'static str> {
    let lower = verb.to_lowercase();
    let inflected = VERBS.iter().copied().find(|known| {
        ["s", "es", "ed", "ing"].iter().any(|end| lower.strip_suffix(end).is_some_and(|stem| stem == *known))
    });
    let same = VERBS.iter().copied().find(|known| *known == lower);
    same.or(inflected).or_else(|| landfall_diag::slip(&lower, VERBS.iter().copied().filter(|known| known.len() > 3)))
}

/// The resource that was meant: its plural, its lower case, or a slip of it.
fn near_resource<'a>(resource: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let lower = resource.to_lowercase();
    let plural = known.clone().find(|it| {
        *it == lower
            || [format!("{lower}s"), format!("{lower}es")].iter().any(|many| many == it)
            || lower.strip_suffix('y').is_some_and(|stem| *it == format!("{stem}ies"))
    });
    plural.or_else(|| landfall_diag::slip(&lower, known.filter(|it| it.len() > 4)))
}

/// The texts of a list.
pub(super) fn words<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v str> {
    value[field].as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_is_meant_where_it_is_a_slip_away() {
        for (written, meant) in
            [("lists", "list"), ("listes", "list"), ("wacth", "watch"), ("Get", "get"), ("updates", "update")]
        {
            assert_eq!(near_verb(written), Some(meant), "{written}");
        }
        for other in ["proxy", "reset", "set", "post", "issue"] {
            assert_eq!(near_verb(other), None, "{other}");
        }
    }

    #[test]
    fn a_part_is_created_by_its_name_or_with_all_others() {
        let creates = |resource: &str, verb: &str| {
            let rule = serde_json::json!({"apiGroups": [""], "resources": [resource], "verbs": ["get", verb]});
            super::creates(&rule, "", "pods/exec")
        };
        for resource in ["pods/exec", "pods/*", "*/exec", "*"] {
            assert!(creates(resource, "create") && creates(resource, "*") && !creates(resource, "list"), "{resource}");
        }
        assert!(!creates("pods", "create") && !creates("pods/attach", "create"));
    }

    #[test]
    fn a_resource_is_meant_by_its_plural() {
        let known = ["pods", "services", "ingresses", "networkpolicies", "endpoints"];
        for (written, meant) in [
            ("pod", "pods"),
            ("Services", "services"),
            ("ingress", "ingresses"),
            ("networkpolicy", "networkpolicies"),
            ("enpoints", "endpoints"),
        ] {
            assert_eq!(near_resource(written, known.into_iter()), Some(meant), "{written}");
        }
        assert_eq!(near_resource("widgets", known.into_iter()), None);
    }
}
