use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF287",
    title: "a path is written as its type reads it",
    severity: Severity::Warning,
    why: "A path of the type `Prefix` or `Exact` is compared letter by letter: `/api/*` is the page `*` below `/api`, and no \
          request asks for that. Controllers that read wildcards do so where the type is `ImplementationSpecific`; some \
          refuse the Ingress, others answer each request with 404.",
    advice: "Leave the `*` out (`Prefix` takes all that is below), or make the type `ImplementationSpecific`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ingress in subject.of_kind("networking.k8s.io", "Ingress") {
        let object = &ingress.object;
        // Who reads paths as patterns, whatever their type, is told so by an annotation.
        let annotations = object.at("/metadata/annotations").and_then(|it| it.as_object()).into_iter().flatten();
        if annotations.map(|(name, _)| name).any(|name| ["regex", "rewrite"].iter().any(|it| name.contains(it))) {
            continue;
        }
        for (rule, at) in object.list_at("/spec/rules").iter().zip(0..) {
            for (path, index) in rule["http"]["paths"].as_array().into_iter().flatten().zip(0..) {
                let (written, kind) = (path["path"].as_str().unwrap_or_default(), path["pathType"].as_str());
                let Some(kind) = kind.filter(|kind| matches!(*kind, "Prefix" | "Exact")) else { continue };
                if !written.ends_with("/*") {
                    continue;
                }
                let finding = RULE
                    .finding(format!(
                        "Ingress `{}` routes `{written}` as {kind}, which knows no wildcard",
                        object.name()
                    ))
                    .because("`*` is a letter there: no request is routed, or the controller refuses the path");
                findings.push(finding.at(ingress.spot_at(&format!("spec.rules[{at}].http.paths[{index}].path"))));
            }
        }
    }
    findings
}
