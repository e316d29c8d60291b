use landfall_diag::{Finding, Severity};

use crate::calls::hosts;
use crate::rule::Rule;
use crate::subject::Subject;

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
        let Some(host) = called.iter().find(|host| is_clusters(&host.name)) else { continue };
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
