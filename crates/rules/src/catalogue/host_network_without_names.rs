use landfall_diag::{Finding, Severity};
use landfall_object::references::references;

use crate::calls::{calls_of, hosts};
use crate::pods::PodTemplate;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF198",
    title: "pods that call the cluster's names ask its name server",
    severity: Severity::Warning,
    why: "A pod with `hostNetwork` asks the node's own name server unless it is told otherwise, and that one knows no \
          Service: whatever it calls by the name of a Service does not resolve. So does any pod whose `dnsPolicy` is `Default`, which \
          is not the default.",
    advice: "Set `dnsPolicy: ClusterFirstWithHostNet`, or `ClusterFirst` where the pod has a network of its own.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let policy = template.spec["dnsPolicy"].as_str().unwrap_or("ClusterFirst");
        let on_node = template.spec["hostNetwork"] == true;
        if policy != "Default" && !(on_node && policy == "ClusterFirst") {
            continue;
        }
        let object = &desired.object;
        let is_clusters = |name: &str| {
            let mut parts = name.trim_end_matches('.').split('.');
            let (first, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
            let is_service = |namespace: Option<&str>| subject.find("", "Service", namespace, first).is_some();
            match (second, third) {
                (None, _) => is_service(object.namespace()),
                (Some(namespace), None) => is_service(Some(namespace)),
                (_, Some(third)) => third == "svc",
            }
        };
        let called = hosts(object, Some(&template));
        let Some(host) = called.iter().find(|host| is_clusters(&host.name)) else {
            // Settings that a pod of the node's network mounts may be for others, too.
            findings.extend((!on_node).then(|| by_settings(subject, desired, &template)).flatten());
            continue;
        };
        findings.push(
            RULE.finding(format!(
                "{} `{}` {} and calls `{}`, a name of the cluster's",
                object.kind(),
                object.name(),
                if policy == "Default" { "asks the node's name server" } else { "runs on the node's network" },
                host.name
            ))
            .because("the node's name server does not know it")
            .at(desired.spot_at(&host.field)),
        );
    }
    findings
}

/// A Service that the settings of a pod name, which nobody else takes.
fn by_settings(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Option<Finding> {
    let object = &desired.object;
    let takes = |other: &Desired, kind: &str, name: &str| {
        references(&other.object).iter().any(|it| it.kind == kind && it.name == name)
    };
    let is_own = |(kind, name): &(String, String)| {
        let mut others = subject.pods().map(|(other, _)| other).filter(|other| other.key() != desired.key());
        !others.any(|other| takes(other, kind, name))
    };
    let call = calls_of(subject, desired, template).into_iter().find(|it| it.shared.as_ref().is_some_and(is_own))?;
    let (kind, source) = call.shared.as_ref()?;
    Some(
        RULE.finding(format!(
            "{} `{}` asks the node's name server, and {kind} `{source}` lets it call Service `{}`",
            object.kind(),
            object.name(),
            call.service.object().name()
        ))
        .because("its `dnsPolicy` is `Default`: the node's name server does not know the name")
        .at(desired.spot_at(&format!("{}.dnsPolicy", template.path))),
    )
}
