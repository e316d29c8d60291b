use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF292",
    title: "paths of an Ingress are patterns only where they may be",
    severity: Severity::Warning,
    why: "A path of type `Prefix` or `Exact` is compared letter by letter. One that is written as a pattern fits no request, and \
          controllers that check the type refuse the whole Ingress.",
    advice: "Use `pathType: ImplementationSpecific` for a pattern that the controller reads, or a plain path.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ingress in subject.of_kind("networking.k8s.io", "Ingress") {
        // Who reads all paths as patterns, whatever their type, is told so by an annotation.
        let mut annotations = ingress.object.annotations().into_iter().flatten().map(|(name, _)| name);
        if annotations.any(|name| ["regex", "rewrite"].iter().any(|it| name.contains(it))) {
            continue;
        }
        for (rule, entry) in ingress.object.list_at("/spec/rules").iter().enumerate() {
            for (at, path) in entry["http"]["paths"].as_array().into_iter().flatten().enumerate() {
                let (Some(written), Some(by)) = (path["path"].as_str(), path["pathType"].as_str()) else { continue };
                if !matches!(by, "Prefix" | "Exact") || !is_pattern(written) {
                    continue;
                }
                let field = format!("spec.rules[{rule}].http.paths[{at}].path");
                findings.push(
                    RULE.finding(format!(
                        "Ingress `{}` has the pattern `{written}` as a path of type {by}",
                        ingress.object.name()
                    ))
                    .because("the type is compared letter by letter, so no request fits, or the controller refuses it")
                    .at(ingress.spot_at(&field)),
                );
            }
        }
    }
    findings
}

/// Whether a path holds what only a pattern has.
fn is_pattern(path: &str) -> bool {
    path.contains(['(', ')', '|', '*', '$', '^', '[', '\\', '?'])
}
