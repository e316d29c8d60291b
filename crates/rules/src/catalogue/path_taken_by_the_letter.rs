use landfall_diag::{Finding, Severity};

use crate::routes::TRAEFIK;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF292",
    title: "paths of an Ingress or IngressRoute are patterns only where they may be",
    severity: Severity::Warning,
    why: "A path of type `Prefix` or `Exact` is compared letter by letter. One that is written as a pattern fits no \
          request, and controllers that check the type refuse the whole Ingress. Traefik's `Path` and `PathPrefix` \
          are compared so, too.",
    advice: "Use `pathType: ImplementationSpecific` for a pattern that the controller reads, or a plain path.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for group in TRAEFIK {
        findings.extend(subject.of_kind(group, "IngressRoute").flat_map(matchers));
    }
    for ingress in subject.of_kind("networking.k8s.io", "Ingress") {
        findings.extend(group_of_no_path(ingress));
        findings.extend(left_open(ingress));
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

/// Matchers of Traefik's whose path holds a pattern. ORIGIN:
/// doc.traefik.io/traefik/reference/routing-configuration/http/routing/rules-and-priority (`Path`, `PathPrefix`);
/// version 2 took patterns in braces: `/{name:[a-z]+}`.
fn matchers(route: &Desired) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, entry) in route.object.list_at("/spec/routes").iter().enumerate() {
        let text = entry["match"].as_str().unwrap_or_default();
        let Some((matcher, path)) = paths_of(text).into_iter().find(|(_, path)| is_pattern(&without_braces(path)))
        else {
            continue;
        };
        findings.push(
            RULE.finding(format!("IngressRoute `{}` gives {matcher} the pattern `{path}`", route.object.name()))
                .keyed(format!("{} {matcher} {path}", route.object.name()))
                .because("Traefik compares it letter by letter, so no request fits, and another route takes it or none")
                .help(format!("write {matcher} once for each path, joined by `||`, or use PathRegexp (Traefik 3)"))
                .at(route.spot_at(&format!("spec.routes[{at}].match"))),
        );
    }
    findings
}

/// The paths that a matcher of Traefik's compares letter by letter, each with what compares it.
fn paths_of(text: &str) -> Vec<(&'static str, &str)> {
    let mut found = Vec::new();
    for matcher in ["PathPrefix", "Path"] {
        for (at, _) in text.match_indices(matcher) {
            let is_whole = !text[..at].ends_with(|it: char| it.is_ascii_alphanumeric());
            let inner =
                text[at + matcher.len()..].trim_start().strip_prefix('(').filter(|_| is_whole).map(str::trim_start);
            let quote = inner.and_then(|it| it.chars().next()).filter(|it| matches!(it, '`' | '"'));
            let path = inner.zip(quote).and_then(|(inner, quote)| inner[1..].split_once(quote));
            found.extend(path.map(|(path, _)| (matcher, path)));
        }
    }
    found
}

/// A path without what stands in braces.
fn without_braces(path: &str) -> String {
    let mut depth = 0_usize;
    let mut out = String::new();
    for letter in path.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            letter if depth == 0 => out.push(letter),
            _ => {}
        }
    }
    out
}

/// A path with a bracket too many or too few: it is no pattern.
fn left_open(ingress: &Desired) -> Option<Finding> {
    let rules = ingress.object.list_at("/spec/rules").iter().enumerate();
    let mut paths = rules.flat_map(|(rule, entry)| {
        let paths = entry["http"]["paths"].as_array().into_iter().flatten().enumerate();
        paths.map(move |(at, path)| (format!("spec.rules[{rule}].http.paths[{at}].path"), path["path"].as_str()))
    });
    let (field, path) = paths.find_map(|(field, path)| Some((field, path.filter(|path| !is_balanced(path))?)))?;
    let finding = RULE
        .finding(format!("Ingress `{}` has the path `{path}`, whose brackets do not match", ingress.object.name()))
        .because("it is no pattern, and the controller leaves the route out or refuses it");
    Some(finding.at(ingress.spot_at(&field)))
}

/// Whether each bracket of a pattern is closed, and none that was not opened; what stands in `[…]` and behind `\\` is itself.
fn is_balanced(path: &str) -> bool {
    let (mut open, mut is_class, mut is_escaped) = (0_usize, false, false);
    for letter in path.chars() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ']' if is_class => is_class = false,
            _ if is_class => {}
            '[' => is_class = true,
            '(' => open += 1,
            ')' if open == 0 => return false,
            ')' => open -= 1,
            _ => {}
        }
    }
    open == 0 && !is_class
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_of_a_path_match() {
        for well in ["/", "/(.*)", "/a(/|$)(.*)", "/[()]", "/\\(", "/x[^/]+"] {
            assert!(is_balanced(well), "{well}");
        }
        for not in ["/(.*))", "/((.*)", "/[a", "/a)"] {
            assert!(!is_balanced(not), "{not}");
        }
    }

    #[test]
    fn patterns_in_matchers_are_told_from_paths() {
        let of = |text: &str| paths_of(text).into_iter().filter(|(_, path)| is_pattern(&without_braces(path))).count();
        assert_eq!(of("Host(`a.example.com`) && PathPrefix(`/(a|b)`)"), 1);
        assert_eq!(of("Path( \"/a/.*\") || PathPrefix(`/b`)"), 1);
        for fine in [
            "PathPrefix(`/.well-known`)",
            "PathRegexp(`^/(a|b)`)",
            "Path(`/{id:[0-9]+}/x`)",
            "HostRegexp(`a|b`)",
            "Path(",
        ] {
            assert_eq!(of(fine), 0, "{fine}");
        }
    }
}
