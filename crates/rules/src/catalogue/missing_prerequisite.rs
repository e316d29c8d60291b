use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Finding, Severity};
use landfall_object::Gvk;
use landfall_object::operators::kinds_of;
use landfall_object::references::{Need, Reference, references};

use crate::classes::is_assumed;
use crate::operated::{is_of_an_operator, may_run_pods, walk};
use crate::pods::pod_template;
use crate::routes::TRAEFIK;
use crate::rule::Rule;
use crate::subject::{Desired, Found, Known, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF132",
    title: "what the cluster must have is there: kinds, issuers, classes, middlewares",
    severity: Severity::Error,
    why: "A release with an object of a kind that the cluster does not serve is refused as a whole. An issuer, a class \
          or a middleware that is missing refuses nothing: the certificate is never signed, the volume never bound, \
          the route answers 404.",
    advice: "Install what is missing first, or correct the name.",
    check,
};

/// What this rule answers for, and what does not work without it.
const PREREQUISITES: &[(&str, &str, &str)] = &[
    ("cert-manager.io", "ClusterIssuer", "the certificate is never signed"),
    ("cert-manager.io", "Issuer", "the certificate is never signed"),
    ("storage.k8s.io", "StorageClass", "the claim is never bound, and its pods stay Pending"),
    ("scheduling.k8s.io", "PriorityClass", "no pod is created without it"),
    ("node.k8s.io", "RuntimeClass", "no pod is created without it"),
    ("networking.k8s.io", "IngressClass", "no controller takes the Ingress up"),
    ("k8s.mariadb.com", "MariaDB", "its databases, accounts and rights are never made"),
    ("traefik.io", "Middleware", "Traefik leaves the route out, and it answers 404"),
    ("traefik.io", "TLSOption", "Traefik leaves the route out, and it answers 404"),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = kinds(subject);
    let has_classes = subject.after("networking.k8s.io", "IngressClass").next().is_some();
    for desired in subject.objects() {
        for reference in references(&desired.object).into_iter().chain(classes(desired)) {
            let is = |(group, kind, _): &&(&str, &str, &str)| *group == reference.group && *kind == reference.kind;
            let Some((group, kind, cause)) = PREREQUISITES.iter().find(is) else { continue };
            if reference.need == Need::Optional {
                continue;
            }
            let namespace = reference.namespace.as_deref();
            let groups: &[&str] = if *group == "traefik.io" { &TRAEFIK } else { std::slice::from_ref(group) };
            let found = groups.iter().find_map(|group| subject.find(group, kind, namespace, &reference.name));
            if found.is_some_and(|found| !is_assumed(found.object())) {
                continue;
            }
            // Of a cluster that was not read nothing is known but what is delivered into the object's own namespace.
            let own = namespace.is_some() && namespace == desired.object.namespace();
            let severity = match (subject.cluster.known, *kind, own) {
                // A controller that has declared no class may take any up.
                (Known::Live, "IngressClass", _) if !has_classes => continue,
                (Known::Live, "IngressClass", _) => Severity::Warning,
                // LF103 tells of them.
                (Known::Live, "PriorityClass" | "RuntimeClass", _) => continue,
                (Known::Live, _, _) => Severity::Error,
                (Known::Assumed, "IngressClass", _) => continue,
                (Known::Assumed, _, true) => Severity::Warning,
                (Known::Assumed, _, false) => Severity::Info,
            };
            let place = namespace.map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
            let name = &reference.name;
            let (state, help) = match subject.cluster.known {
                Known::Live => (
                    "is neither delivered nor on the cluster",
                    format!("create {kind} `{name}` first, or correct the name"),
                ),
                Known::Assumed => (
                    "is not delivered, and the cluster was not read",
                    "rehearse with `--from live` to see whether the cluster has it".to_owned(),
                ),
            };
            findings.push(
                RULE.finding(format!("{kind} `{name}`{place} {state}"))
                    .weighing(severity)
                    .because(*cause)
                    .help(help)
                    .at(desired.spot_at(&reference.path)),
            );
        }
        findings.extend(across_namespaces(subject, desired));
    }
    findings
}

/// The storage classes that an operator's resource names for the claims which are made of it.
fn classes(desired: &Desired) -> Vec<Reference> {
    let mut found = Vec::new();
    if !may_run_pods(desired.object.group()) {
        return found;
    }
    walk(desired.object.value(), "", &mut |path, key, value| {
        let name = value.as_str().filter(|_| matches!(key, "storageClass" | "storageClassName"));
        // A shop for objects has classes, too, in capitals: `STANDARD_IA`.
        if let Some(name) = name.filter(|it| landfall_object::is_object_name(it)) {
            found.push(Reference {
                group: "storage.k8s.io".to_owned(),
                kind: "StorageClass".to_owned(),
                namespace: None,
                name: name.to_owned(),
                key: None,
                path: path.to_owned(),
                need: Need::Later,
            });
        }
        false
    });
    found
}

/// Kinds that nothing serves.
fn kinds(subject: &Subject<'_>) -> Vec<Finding> {
    let delivered = subject.of_kind("apiextensions.k8s.io", "CustomResourceDefinition").map(|it| &it.object);
    let live = subject.before.of_kind("apiextensions.k8s.io", "CustomResourceDefinition");
    let defined: BTreeSet<(&str, &str)> = delivered
        .chain(live)
        .filter_map(|definition| Some((definition.str_at("/spec/group")?, definition.str_at("/spec/names/kind")?)))
        .collect();
    let served = |gvk: &Gvk| subject.cluster.kinds.iter().any(|kind| kind.group == gvk.group && kind.kind == gvk.kind);
    // Groups without a dot, and those of Kubernetes itself, have no definitions: a missing kind there was removed.
    // One operator brings all kinds of its group.
    let mut missing: BTreeMap<&str, Vec<&Desired>> = BTreeMap::new();
    let mut findings = Vec::new();
    for desired in subject.objects() {
        let gvk = desired.object.gvk();
        if !is_of_an_operator(&gvk.group) || defined.contains(&(gvk.group.as_str(), gvk.kind.as_str())) || served(&gvk)
        {
            continue;
        }
        if let Some(meant) = in_other_letters(subject, &defined, &gvk) {
            findings.push(
                RULE.finding(format!("the kind `{}` of {} is written `{meant}`", gvk.kind, gvk.group))
                    .because("the API tells small letters from capitals: it has no such kind, and the whole release is refused")
                    .help(format!("write `kind: {meant}`"))
                    .at(desired.spot_at("kind")),
            );
            continue;
        }
        missing.entry(desired.object.group()).or_default().push(desired);
    }
    let (severity, help) = match subject.cluster.known {
        Known::Live => (Severity::Error, "install the operator that brings it first"),
        Known::Assumed => (Severity::Info, "rehearse with `--from live` to see whether the cluster has it"),
    };
    let finding = |(group, users): (&str, Vec<&Desired>)| {
        let kinds: BTreeSet<&str> = users.iter().map(|desired| desired.object.kind()).collect();
        let kinds: Vec<&str> = kinds.into_iter().collect();
        let what = match kinds.as_slice() {
            [kind] => format!("the kind {kind} of {group} comes with no definition"),
            kinds => format!("the kinds {} of {group} come with no definition", kinds.join(", ")),
        };
        let finding = RULE
            .finding(what)
            .weighing(severity)
            .because("where the cluster does not have it, the whole release is refused")
            .help(help);
        users.into_iter().fold(finding, |finding, desired| finding.at(desired.spot()))
    };
    findings.extend(missing.into_iter().map(finding));
    findings
}

/// The kind of the same group that differs from one that nothing serves in small letters and capitals alone: among those that are
/// defined, served, or published by the group's operator.
fn in_other_letters(subject: &Subject<'_>, defined: &BTreeSet<(&str, &str)>, gvk: &Gvk) -> Option<String> {
    let written = defined.iter().filter(|(group, _)| *group == gvk.group).map(|(_, kind)| *kind);
    let served = subject.cluster.kinds.iter().filter(|it| it.group == gvk.group).map(|it| it.kind.as_str());
    let known: Vec<&str> = written.chain(served).chain(kinds_of(&gvk.group)).collect();
    // One that both spellings are published of is there in either.
    if known.contains(&gvk.kind.as_str()) {
        return None;
    }
    known.into_iter().find(|kind| kind.eq_ignore_ascii_case(&gvk.kind)).map(str::to_owned)
}

/// Middlewares of other namespaces, which Traefik leaves out unless it is told to take them.
fn across_namespaces(subject: &Subject<'_>, desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    if object.kind() != "IngressRoute" || !TRAEFIK.contains(&object.group()) {
        return Vec::new();
    }
    let mut foreign = references(object)
        .into_iter()
        .filter(|it| it.kind == "Middleware" && it.namespace.as_deref() != object.namespace())
        .peekable();
    if foreign.peek().is_none() {
        return Vec::new();
    }
    let allowed = crosses_namespaces(subject);
    let severity = match allowed {
        Some(true) => return Vec::new(),
        Some(false) => Severity::Error,
        None => Severity::Warning,
    };
    foreign
        .map(|reference| {
            let namespace = reference.namespace.as_deref().unwrap_or_default();
            let message = format!("Middleware `{}` of namespace {namespace} is used from another namespace", reference.name);
            RULE.finding(message)
                .weighing(severity)
                .because("Traefik leaves such a route out unless it runs with allowCrossNamespace")
                .help("start Traefik with --providers.kubernetescrd.allowCrossNamespace=true, or copy the Middleware here")
                .at(desired.spot_at(&reference.path))
        })
        .collect()
}

/// Whether Traefik takes references across namespaces; none when no Traefik is seen.
fn crosses_namespaces(subject: &Subject<'_>) -> Option<bool> {
    let kinds = ["Deployment", "DaemonSet"].into_iter().flat_map(|kind| subject.after("apps", kind));
    let mut seen = None;
    for words in kinds.filter_map(words_of) {
        if !words.iter().any(|word| word.starts_with("--providers.kubernetescrd")) {
            continue;
        }
        let flag = "--providers.kubernetescrd.allowcrossnamespace";
        let allowed =
            words.iter().any(|word| word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest == "=true"));
        seen = Some(seen.unwrap_or(false) || allowed);
    }
    seen
}

/// Commands and arguments of a workload's containers, in lower case.
fn words_of(found: Found<'_>) -> Option<Vec<String>> {
    let template = pod_template(found.object())?;
    let containers = template.containers();
    let words = containers.iter().flat_map(|container| {
        ["command", "args"].into_iter().flat_map(|field| container.value[field].as_array().into_iter().flatten())
    });
    Some(words.filter_map(|word| word.as_str()).map(str::to_ascii_lowercase).collect())
}
