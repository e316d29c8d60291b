use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::{Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF266",
    title: "annotations for pods stand on pods",
    severity: Severity::Warning,
    why: "What injects, measures or evicts pods reads the annotations of the pods. On the Deployment or CronJob that makes them \
          they are accepted and nobody reads them: the sidecar that was to stay away is there, and the job never ends; what was \
          to be measured is not.",
    advice: "Move the annotation into the pods' template (`spec.template.metadata.annotations`).",
    check,
};

/// Annotations that are read from pods, and who reads them: names only. One that ends in `/` or `-` stands for all that begin so.
const OF_PODS: &[(&str, &str)] = &[
    // ORIGIN: istio.io/latest/docs/reference/config/annotations: "Resource Types: Pod".
    ("sidecar.istio.io/", "Istio"),
    ("traffic.sidecar.istio.io/", "Istio"),
    // ORIGIN: developer.hashicorp.com/vault/docs/platform/k8s/injector/annotations: "annotations of the pod".
    ("vault.hashicorp.com/agent-", "Vault's injector"),
    // ORIGIN: the example of a configuration that comes with Prometheus (prometheus-kubernetes.yml): pods, Services and Ingresses.
    ("prometheus.io/scrape", "Prometheus"),
    // ORIGIN: kubernetes/autoscaler, cluster-autoscaler/FAQ.md: "annotation on the pod".
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "the autoscaler of nodes"),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        // A hook's pods come and go; a pod has its own.
        if desired.role == Role::Definition || desired.object.kind() == "Pod" {
            continue;
        }
        let Some(annotations) = desired.object.at("/metadata/annotations").and_then(|it| it.as_object()) else {
            continue;
        };
        for name in annotations.keys() {
            let Some((known, reader)) = OF_PODS.iter().find(|(known, _)| is_of(name, known)) else { continue };
            // Where the pods have one of them, too, somebody wants to see it above.
            if template.annotations().is_some_and(|own| own.keys().any(|own| is_of(own, known))) {
                continue;
            }
            // What is measured by its Service is measured.
            let by_service = || {
                let beside = subject.of_kind("", "Service").filter(|it| it.unit == desired.unit);
                let annotations = beside.filter_map(|it| it.object.at("/metadata/annotations")?.as_object());
                annotations.flat_map(|it| it.keys()).any(|name| is_of(name, known))
            };
            if known.starts_with("prometheus.io/") && by_service() {
                continue;
            }
            let (kind, own) = (desired.object.kind(), desired.object.name());
            findings.push(
                RULE.finding(format!("{kind} `{own}` has the annotation `{name}`, and its pods do not"))
                    .because(format!("{reader} reads it from the pods alone"))
                    .at(desired.spot_at(&format!("metadata.annotations[{name}]"))),
            );
        }
    }
    findings
}

fn is_of(name: &str, known: &str) -> bool {
    if known.ends_with(['/', '-']) { name.starts_with(known) } else { name == known }
}
