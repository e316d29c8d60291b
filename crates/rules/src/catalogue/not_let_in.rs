use landfall_diag::{Finding, Severity};
use landfall_object::pod_security::{LevelVersion, Pod, Policy, told, violations};
use serde_json::json;

use crate::pods::PodTemplate;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF173",
    title: "pods meet the Pod Security Standard of their namespace",
    severity: Severity::Error,
    why: "A namespace that enforces a level refuses every pod below it. The workload itself is taken, with a warning at \
          most, so the delivery looks well and no pod ever comes.",
    advice: "Set what the message names in the pod's or container's securityContext, or deliver into a namespace whose \
             label `pod-security.kubernetes.io/enforce` allows it.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    subject.pods().filter_map(|(desired, template)| judge(subject, desired, &template)).collect()
}

fn judge(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Option<Finding> {
    let namespace = desired.object.namespace()?;
    let found = subject.find("", "Namespace", None, namespace)?;
    let (policy, _) = Policy::of_labels(found.object().at("/metadata/labels")?);
    let annotations = json!(template.annotations());
    let pod = Pod { annotations: &annotations, spec: template.spec };
    let wrong = |level: LevelVersion| Some(told(&violations(level, pod))).filter(|text| !text.is_empty());
    let (level, severity, what, consequence) = if let Some(what) = wrong(policy.enforce) {
        (policy.enforce, Severity::Error, what, "the pods are refused, and none ever comes")
    } else {
        (policy.warn, Severity::Warning, wrong(policy.warn)?, "the cluster takes it and warns")
    };
    let (verb, mode) = match severity {
        Severity::Error => ("violates", "enforces"),
        _ => ("would violate", "warns of"),
    };
    Some(
        RULE.finding(format!("{verb} PodSecurity `{level}`, which namespace `{namespace}` {mode}: {what}"))
            .weighing(severity)
            .because(consequence)
            .at(desired.spot_at(template.path)),
    )
}
