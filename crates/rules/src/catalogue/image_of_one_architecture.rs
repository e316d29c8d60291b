use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF359",
    title: "an image of one architecture is asked for on its nodes alone",
    severity: Severity::Info,
    why: "A tag that ends in `-amd64` or `-arm64` is built for one kind of processor. On a node of another kind its program cannot be \
          run (`exec format error`), and the pod is started again and again.",
    advice: "Use the tag without the ending, which has an image for each, or bind the pod to nodes by `kubernetes.io/arch`.",
    check,
};

/// How architectures are called in tags.
const ARCHITECTURES: &[&str] =
    &["amd64", "x86_64", "arm64", "aarch64", "arm64v8", "armv7", "armhf", "ppc64le", "s390x", "386"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let is_bound = template.spec["nodeName"].is_string()
            || ["nodeSelector", "affinity"]
                .iter()
                .any(|field| template.spec[*field].to_string().contains("kubernetes.io/arch"));
        for container in template.containers().into_iter().filter(|_| !is_bound) {
            let image = container.image().split('@').next().unwrap_or_default();
            let Some((_, tag)) = image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) else { continue };
            let is_one = |it: &&&str| {
                tag.strip_suffix(**it).is_some_and(|rest| rest.is_empty() || rest.ends_with(['-', '_', '.']))
            };
            let Some(architecture) = ARCHITECTURES.iter().find(is_one) else { continue };
            let is_common = matches!(*architecture, "amd64" | "x86_64");
            findings.push(
                RULE.finding(format!(
                    "image `{image}` is for {architecture} alone, and its pods may come onto any node"
                ))
                .weighing(if is_common { Severity::Info } else { Severity::Warning })
                .because("on a node of another architecture its program cannot be run")
                .at(desired.spot_at(&format!("{}.image", container.path))),
            );
        }
    }
    findings
}
