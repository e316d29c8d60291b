use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

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
        findings.extend(group_of_no_path(ingress));
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

/// Where ingress-nginx is told what to ask for in place of the path.
const REWRITE: &str = "nginx.ingress.kubernetes.io/rewrite-target";

/// A rewrite that asks for a group of the path (`/$2`) where no path has as many.
fn group_of_no_path(ingress: &Desired) -> Option<Finding> {
    let target = ingress.object.annotation(REWRITE)?;
    let asked = target
        .split('$')
        .skip(1)
        .filter_map(|rest| rest.chars().next()?.to_digit(10))
        .max()
        .filter(|asked| *asked > 0)?;
    let rules = ingress.object.list_at("/spec/rules").iter();
    let paths: Vec<&str> = rules
        .flat_map(|rule| rule["http"]["paths"].as_array().into_iter().flatten())
        .map(|path| path["path"].as_str().unwrap_or_default())
        .collect();
    let groups = |path: &str| {
        let opened = path.match_indices('(').filter(|(at, _)| !path[..*at].ends_with('\\'));
        opened.filter(|(at, _)| !path[at + 1..].starts_with("?:")).count()
    };
    if paths.is_empty() || paths.iter().any(|path| groups(path) >= asked as usize) {
        return None;
    }
    Some(
        RULE.finding(format!(
            "Ingress `{}` rewrites to `{target}`, and no path of it has a group ${asked}",
            ingress.object.name()
        ))
        .because("what stood in its place is empty, so every request asks for the same page")
        .help("write the path as a pattern with as many groups: `/api(/|$)(.*)`")
        .at(ingress.spot_at(&format!("metadata.annotations[{REWRITE}]"))),
    )
}

/// Whether a path holds what only a pattern has.
fn is_pattern(path: &str) -> bool {
    path.contains(['(', ')', '|', '*', '$', '^', '[', '\\', '?'])
}
