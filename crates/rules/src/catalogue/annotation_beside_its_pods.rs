use landfall_diag::{Finding, Severity};

use crate::pods::PodTemplate;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF266",
    title: "annotations stand where they are read: those for pods on pods",
    severity: Severity::Warning,
    why: "What injects, measures or evicts pods reads the annotations of the pods. On the Deployment or CronJob that makes them \
          they are accepted and nobody reads them: the sidecar that was to stay away is there, and the job never ends; what was \
          to be measured is not. What makes load balancers reads some from Services alone, and others from Ingresses. What orders a \
          delivery reads its hooks and waves from the objects that it delivers, and from no pod.",
    advice: "Move the annotation into the pods' template (`spec.template.metadata.annotations`), or to the kind that it is read from.",
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

/// Annotations that are read from Services or from Ingresses and that are written to the other ones as well: of which they are, and who
/// reads them.
const OF_KINDS: &[(&str, &str, &str)] = &[
    // ORIGIN: cloud.google.com/kubernetes-engine/docs/how-to/ingress-configuration: BackendConfig "in an annotation of the Service",
    // FrontendConfig "in an annotation of the Ingress".
    ("cloud.google.com/backend-config", "Service", "Google's controller of load balancers"),
    ("beta.cloud.google.com/backend-config", "Service", "Google's controller of load balancers"),
    ("cloud.google.com/app-protocols", "Service", "Google's controller of load balancers"),
    ("networking.gke.io/v1beta1.FrontendConfig", "Ingress", "Google's controller of load balancers"),
    ("networking.gke.io/managed-certificates", "Ingress", "Google's controller of load balancers"),
    ("kubernetes.io/ingress.global-static-ip-name", "Ingress", "Google's controller of load balancers"),
    // ORIGIN: kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations: "to specific Ingress objects".
    ("nginx.ingress.kubernetes.io/", "Ingress", "ingress-nginx"),
    // ORIGIN: kubernetes.io/docs/reference/labels-annotations-taints: "Used on: Service", "Used on: Ingress".
    ("kubernetes.io/ingress.class", "Ingress", "the Ingress controller"),
    ("service.beta.kubernetes.io/aws-load-balancer-", "Service", "the cloud's controller"),
    ("service.beta.kubernetes.io/azure-load-balancer-", "Service", "the cloud's controller"),
];

/// Annotations that are read from the objects of a delivery and never from the pods that they make, and who reads them.
const OF_OBJECTS: &[(&str, &str)] = &[
    // ORIGIN: argo-cd.readthedocs.io/en/stable/user-guide/sync-waves, …/sync-options: "resource", "any manifest".
    ("argocd.argoproj.io/hook", "Argo CD"),
    ("argocd.argoproj.io/hook-delete-policy", "Argo CD"),
    ("argocd.argoproj.io/sync-wave", "Argo CD"),
    ("argocd.argoproj.io/sync-options", "Argo CD"),
    // ORIGIN: helm.sh/docs/topics/charts_hooks: "metadata.annotations" of a template's resource.
    ("helm.sh/hook", "Helm"),
    ("helm.sh/hook-weight", "Helm"),
    ("helm.sh/hook-delete-policy", "Helm"),
    ("helm.sh/resource-policy", "Helm"),
];

/// What stands on a Service and is read from Ingresses, or the other way round.
fn of_another_kind(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects().filter(|it| matches!(it.object.kind(), "Service" | "Ingress")) {
        let (kind, own) = (desired.object.kind(), desired.object.name());
        let Some(annotations) = desired.object.at("/metadata/annotations").and_then(|it| it.as_object()) else {
            continue;
        };
        let told = annotations.keys().filter_map(|name| {
            let is_this = |(known, read_from, _): &&(&str, &str, &str)| *read_from != kind && is_of(name, known);
            let (_, read_from, reader) = OF_KINDS.iter().find(is_this)?;
            Some(
                RULE.finding(format!("{kind} `{own}` has the annotation `{name}`, which is read from its {read_from}"))
                    .because(format!("{reader} does not look for it here"))
                    .help(format!("move it to the {read_from}"))
                    .at(desired.spot_at(&format!("metadata.annotations[{name}]"))),
            )
        });
        findings.extend(told);
    }
    findings
}

/// What a workload's pods have and is read from the workload, which has nothing of its reader's.
fn of_the_workload(desired: &Desired, template: &PodTemplate<'_>) -> Vec<Finding> {
    let own = desired.object.at("/metadata/annotations").and_then(|it| it.as_object());
    let above = template.path.strip_suffix("spec").unwrap_or_default();
    let (kind, name) = (desired.object.kind(), desired.object.name());
    let told = template.annotations().into_iter().flat_map(|it| it.keys()).filter_map(|annotation| {
        let (known, reader) = OF_OBJECTS.iter().find(|(known, _)| annotation.as_str() == *known)?;
        // Where the workload has one of its reader's, somebody wants to see it below.
        let prefix = &known[..=known.find('/')?];
        if own.is_some_and(|own| own.keys().any(|it| it.starts_with(prefix))) {
            return None;
        }
        Some(
            RULE.finding(format!("the pods of {kind} `{name}` have the annotation `{annotation}`, and it has not"))
                .because(format!("{reader} reads it from the objects that it delivers, and makes no pod itself"))
                .help(format!("move it to `metadata.annotations` of the {kind}"))
                .at(desired.spot_at(&format!("{above}metadata.annotations[{annotation}]"))),
        )
    });
    told.collect()
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = of_another_kind(subject);
    for (desired, template) in subject.pods() {
        // A hook's pods come and go; a pod has its own.
        if desired.role == Role::Definition || desired.object.kind() == "Pod" {
            continue;
        }
        findings.extend(of_the_workload(desired, &template));
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
