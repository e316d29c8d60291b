use landfall_diag::{Finding, Severity};
use landfall_object::ports::{Asker, lost_ports, port_names};

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF172",
    title: "probes and hooks ask for a port that their container has",
    severity: Severity::Error,
    why: "The kubelet looks a port's name up among the ports of the probed container alone. A probe that finds none is \
          thrown away, neither passed nor failed: a pod with such a readiness or startup probe never becomes ready and is \
          never restarted, and one with such a liveness probe is never looked after.",
    advice: "Give the container's port that name, or use one that it has, or its number.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            let known: Vec<&str> = port_names(container.value).collect();
            for lost in lost_ports(container.value) {
                let message = format!(
                    "the {} of container `{}` asks for port `{}`, which the container does not have",
                    lost.asker.word(),
                    container.name,
                    lost.name
                );
                let mut finding = RULE
                    .finding(message)
                    .weighing(if lost.asker.holds_up() { Severity::Error } else { Severity::Warning })
                    .because(consequence(lost.asker))
                    .at(desired.spot_at(&format!("{}.{}", container.path, lost.field)));
                if let Some(near) = landfall_diag::nearest(lost.name, known.iter().copied()) {
                    finding = finding.help(format!("did you mean `{near}`?"));
                } else if !known.is_empty() {
                    finding = finding.help(format!("use one of its ports: {}", known.join(", ")));
                }
                findings.push(finding);
            }
        }
    }
    findings
}

fn consequence(asker: Asker) -> &'static str {
    match asker {
        Asker::Startup => "the container never counts as started, so the pod never becomes ready",
        Asker::Readiness => "the pod never becomes ready",
        Asker::Liveness => "nobody notices when the program hangs",
        Asker::PostStart => "the container is killed as soon as it has started, again and again",
        Asker::PreStop => "the program is stopped without being told before",
    }
}
