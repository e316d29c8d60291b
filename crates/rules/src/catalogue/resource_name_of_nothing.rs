use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use super::right_to_nothing::words;
use crate::pods::{PodTemplate, is_lasting};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF184",
    title: "rights name what is delivered",
    severity: Severity::Warning,
    why: "A role that allows a Secret or ConfigMap by name allows no other. Where the name is another one than the object's, \
          whoever has the role is refused, at run time and often only once it matters. A binding gives a Role of its own \
          namespace, and a ClusterRole only where it says that it is one; else it gives nothing. Nor does it where no pod \
          runs under the account that it names.",
    advice: "Write the object's name into `resourceNames`, from the same template that names the object; put a binding into \
             the namespace of its Role; name the account in the pod's `serviceAccountName`.",
    check,
};

/// Resources that are allowed by name, and their kinds.
const NAMED: &[(&str, &str, &str)] = &[
    ("", "secrets", "Secret"),
    ("", "configmaps", "ConfigMap"),
    ("", "services", "Service"),
    ("", "serviceaccounts", "ServiceAccount"),
    ("", "persistentvolumeclaims", "PersistentVolumeClaim"),
    ("apps", "deployments", "Deployment"),
    ("apps", "statefulsets", "StatefulSet"),
    ("apps", "daemonsets", "DaemonSet"),
    ("batch", "cronjobs", "CronJob"),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for role in subject.of_kind(RBAC, "Role") {
        for (at, rule) in role.object.list_at("/rules").iter().enumerate() {
            for (index, name) in words(rule, "resourceNames").enumerate() {
                findings.extend(missing(subject, role, rule, name, &format!("rules[{at}].resourceNames[{index}]")));
            }
        }
    }
    for kind in ["RoleBinding", "ClusterRoleBinding"] {
        findings.extend(subject.of_kind(RBAC, kind).filter_map(|binding| bound_to_nothing(subject, binding)));
        findings.extend(subject.of_kind(RBAC, kind).filter_map(|binding| used_by_nobody(subject, binding)));
    }
    findings.extend(subject.of_kind("", "ServiceAccount").filter_map(|account| left_alone(subject, account)));
    findings
}

const RBAC: &str = "rbac.authorization.k8s.io";

/// A binding whose role is delivered, and not where the binding looks for it. What nobody here delivers may be a cluster's own.
fn bound_to_nothing(subject: &Subject<'_>, binding: &Desired) -> Option<Finding> {
    let role = &binding.object.value()["roleRef"];
    let (kind, name) = (role["kind"].as_str()?, role["name"].as_str()?);
    let (own, other) = match kind {
        "Role" => (binding.object.namespace(), "ClusterRole"),
        "ClusterRole" => (None, "Role"),
        _ => return None,
    };
    if subject.find(RBAC, kind, own, name).is_some() {
        return None;
    }
    let called = |kind| subject.of_kind(RBAC, kind).map(|it| &it.object).filter(|it| it.name() == name);
    let elsewhere = called(kind).find_map(Object::namespace).map(|it| format!("delivered in `{it}` alone"));
    let is_other = || called(other).next().map(|_| format!("a {other}"));
    let Some(is) = elsewhere.or_else(is_other) else { return misnamed(subject, binding, kind, name) };
    Some(
        RULE.finding(format!(
            "{} `{}` gives {kind} `{name}`, which is {is}",
            binding.object.kind(),
            binding.object.name()
        ))
        .because("whom it names has none of those rights")
        .at(binding.spot_at("roleRef")),
    )
}

/// A binding whose only account is delivered with it and used by nobody, while the workload of its name runs without an account of
/// its own.
fn used_by_nobody(subject: &Subject<'_>, binding: &Desired) -> Option<Finding> {
    let [account] = binding.object.list_at("/subjects") else { return None };
    let (kind, name) = (account["kind"].as_str()?, account["name"].as_str()?);
    let namespace = account["namespace"].as_str().or(binding.object.namespace());
    let delivered = subject.desired("", "ServiceAccount", namespace, name)?;
    if kind != "ServiceAccount" || delivered.unit != binding.unit || is_named_elsewhere(subject, name) {
        return None;
    }
    let beside = || subject.pods().filter(|(it, _)| it.unit == binding.unit && it.object.namespace() == namespace);
    let bare = |(it, template): &(&Desired, PodTemplate<'_>)| {
        it.role == Role::Manifest
            && it.object.name() == name
            && template.spec["serviceAccountName"].as_str().is_none_or(str::is_empty)
            && template.spec["serviceAccount"].as_str().is_none_or(str::is_empty)
            && template.spec["automountServiceAccountToken"] != false
    };
    let (pod, _) = beside().find(bare)?;
    let (kind, pod) = (pod.object.kind(), pod.object.name());
    Some(
        RULE.finding(format!(
            "{} `{}` is for ServiceAccount `{name}`, which no pod runs under",
            binding.object.kind(),
            binding.object.name()
        ))
        .because(format!("the pods of {kind} `{pod}` run under `default`, and have none of those rights"))
        .at(binding.spot_at("subjects[0].name")),
    )
}

/// An account that nothing speaks of, beside workloads that all run without one of their own. What is annotated or carries pull
/// secrets was to do something for them.
fn left_alone(subject: &Subject<'_>, account: &Desired) -> Option<Finding> {
    let object = &account.object;
    let is_bound = ["RoleBinding", "ClusterRoleBinding"]
        .iter()
        .flat_map(|kind| subject.of_kind(RBAC, kind))
        .any(|it| it.object.list_at("/subjects").iter().any(|who| who["name"] == object.name()));
    if account.role != Role::Manifest || is_bound || is_named_elsewhere(subject, object.name()) {
        return None;
    }
    let mut beside = subject.pods().filter(|(it, _)| {
        is_lasting(it.object.kind()) && it.unit == account.unit && it.object.namespace() == object.namespace()
    });
    let has_none = |(_, template): &(&Desired, PodTemplate<'_>)| {
        ["serviceAccountName", "serviceAccount"]
            .iter()
            .all(|field| template.spec[*field].as_str().is_none_or(|name| name.is_empty() || name == "default"))
    };
    let first = beside.next().filter(has_none)?;
    if !beside.all(|it| has_none(&it)) {
        return None;
    }
    let carries = object.annotations().is_some_and(|it| it.keys().any(|key| !key.contains("helm.sh/")))
        || !object.list_at("/imagePullSecrets").is_empty();
    let pod = &first.0.object;
    let finding = RULE
        .finding(format!("no pod runs under ServiceAccount `{}`", object.name()))
        .because(format!("the pods of {} `{}` run under `default`, and nothing else names it", pod.kind(), pod.name()))
        .at(account.spot_at("metadata.name"));
    Some(if carries { finding } else { finding.weighing(Severity::Info) })
}

/// Whether anything but bindings speaks of an account: pods, kinds of operators, options, tokens.
fn is_named_elsewhere(subject: &Subject<'_>, name: &str) -> bool {
    fn names(value: &Value, key: &str, name: &str) -> bool {
        match value {
            Value::Object(map) => map.iter().any(|(key, value)| names(value, key, name)),
            Value::Array(list) => list.iter().any(|value| names(value, key, name)),
            Value::String(text) => {
                let says =
                    |text: &str| text.to_ascii_lowercase().replace(['-', '_', '.'], "").contains("serviceaccount");
                text.contains(name) && ((text == name && says(key)) || says(text))
            }
            _ => false,
        }
    }
    let others = subject.objects().filter(|it| it.object.group() != RBAC && it.object.kind() != "ServiceAccount");
    others.into_iter().any(|it| names(it.object.value(), "", name))
}

/// The roles that every cluster has.
const BUILT_IN: &[&str] = &["cluster-admin", "admin", "edit", "view"];

/// A binding to a role that nobody delivers, beside one of its kind that is delivered and bound by nobody; or to a slip of one that
/// every cluster has.
fn misnamed(subject: &Subject<'_>, binding: &Desired, kind: &str, name: &str) -> Option<Finding> {
    if name.starts_with("system:") || BUILT_IN.contains(&name) {
        return None;
    }
    let finding = RULE
        .finding(format!(
            "{} `{}` gives {kind} `{name}`, which nobody delivers",
            binding.object.kind(),
            binding.object.name()
        ))
        .at(binding.spot_at("roleRef"));
    if let Some(meant) = landfall_diag::slip(name, BUILT_IN.iter().copied()).filter(|_| kind == "ClusterRole") {
        return Some(
            finding.because("every cluster has one that is written nearly so").help(format!("did you mean `{meant}`?")),
        );
    }
    let namespace = binding.object.namespace();
    let bindings: Vec<&Desired> = ["RoleBinding", "ClusterRoleBinding"]
        .into_iter()
        .flat_map(|it| subject.of_kind(RBAC, it))
        .filter(|it| it.object.str_at("/roleRef/kind") == Some(kind))
        .collect();
    let is_bound = |role: &Object| {
        bindings.iter().any(|it| {
            let reaches = kind == "ClusterRole" || it.object.namespace() == role.namespace();
            reaches && it.object.str_at("/roleRef/name") == Some(role.name())
        })
    };
    let gathers = |role: &Object| {
        role.labels()
            .into_iter()
            .flatten()
            .any(|(label, _)| label.starts_with("rbac.authorization.k8s.io/aggregate-to-"))
    };
    let mut free = subject
        .of_kind(RBAC, kind)
        .filter(|it| it.unit == binding.unit)
        .map(|it| &it.object)
        .filter(|it| (kind == "ClusterRole" || it.namespace() == namespace) && !is_bound(it) && !gathers(it));
    let (Some(meant), None) = (free.next(), free.next()) else {
        // The roles of a whole cluster come from anywhere; those of a namespace come with who uses them.
        let is_own = kind == "Role" && namespace.is_some_and(|it| !it.starts_with("kube-"));
        return is_own
            .then(|| finding.because("whom it names has none of those rights, unless somebody else brings the role"));
    };
    Some(
        finding
            .because(format!("whom it names has none of those rights, and nobody has those of `{}`", meant.name()))
            .help(format!("did you mean `{}`?", meant.name())),
    )
}

fn missing(subject: &Subject<'_>, role: &Desired, rule: &Value, name: &str, field: &str) -> Option<Finding> {
    let namespace = role.object.namespace();
    let asked: Vec<(&str, &str, &str)> = NAMED
        .iter()
        .filter(|(group, resource, _)| {
            words(rule, "resources").any(|it| it == *resource) && words(rule, "apiGroups").any(|it| it == *group)
        })
        .copied()
        .collect();
    // Of several kinds, one may be meant that is not delivered.
    let [(group, _, kind)] = asked.as_slice() else { return None };
    if subject.find(group, kind, namespace, name).is_some() || is_made_later(subject, role, kind, name) {
        return None;
    }
    let named_already: Vec<&str> = words(rule, "resourceNames").collect();
    let beside = subject.of_kind(group, kind).map(|it| &it.object);
    let free =
        beside.filter(|it| it.namespace() == namespace).map(Object::name).filter(|it| !named_already.contains(it));
    let near = landfall_diag::nearest(name, free)?;
    Some(
        RULE.finding(format!("Role `{}` allows {kind} `{name}`, which is not there", role.object.name()))
            .because(format!("`{near}` is delivered, and whoever has the role is refused when asking for it"))
            .help(format!("did you mean `{near}`?"))
            .at(role.spot_at(field)),
    )
}

/// Whether a program is told the name, and may make the object itself.
fn is_made_later(subject: &Subject<'_>, role: &Desired, kind: &str, name: &str) -> bool {
    let plural = NAMED.iter().find(|(_, _, known)| *known == kind).map_or("", |(_, resource, _)| *resource);
    let creates = subject.objects().filter(|it| matches!(it.object.kind(), "Role" | "ClusterRole")).any(|it| {
        it.unit == role.unit
            && it.object.list_at("/rules").iter().any(|rule| {
                words(rule, "verbs").any(|verb| matches!(verb, "create" | "*"))
                    && words(rule, "resources").any(|resource| resource == plural || resource == "*")
            })
    });
    let told = || {
        subject.pods().any(|(_, template)| {
            template.containers().iter().any(|container| {
                ["args", "command"].iter().any(|list| words(container.value, list).any(|word| word.contains(name)))
                    || container.env().any(|(_, _, it)| it["value"].as_str().is_some_and(|text| text.contains(name)))
            })
        })
    };
    creates || told()
}
