use landfall_diag::{Finding, Severity, Spot};
use landfall_yaml::Step;

use crate::routes::{Route, TRAEFIK, all_routes, covers};
use crate::rule::Rule;
use crate::subject::{Found, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF137",
    title: "a declared check asks for what is delivered",
    severity: Severity::Warning,
    why: "A check of an address that no route serves, or that expects 200 where the route redirects, fails on a system \
          that is well. After a false alarm or two nobody looks at the true one.",
    advice: "Correct the address or what the check expects, or route what it asks for.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some((name, environment)) = subject.environment else { return Vec::new() };
    let routes = all_routes(subject);
    // Without any route the system is reached some other way, which is not seen here.
    if routes.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, check) in environment.checks.iter().enumerate() {
        let Some((scheme, host, path)) = check.http.as_deref().and_then(parts) else { continue };
        let of_host: Vec<&(Found<'_>, Route<'_>)> = routes
            .iter()
            .filter(|(_, route)| route.hosts.is_empty() || route.hosts.iter().any(|name| covers(name, &host)))
            .collect();
        let serving: Vec<&&(Found<'_>, Route<'_>)> =
            of_host.iter().filter(|(_, route)| !route.plain || takes(route, &path)).collect();
        let (what, why) = if of_host.is_empty() {
            (format!("no route serves the host `{host}`"), "nobody answers")
        } else if serving.is_empty() {
            (format!("no route of `{host}` leads to `{path}`"), "the controller answers 404")
        } else if scheme == "http"
            && check.status.is_some_and(|status| (200..300).contains(&status))
            && serving.iter().all(|(found, route)| sends_to_https(subject, found, route))
        {
            (
                format!("`{host}` redirects plain HTTP, and the check wants {}", check.status.unwrap_or(200)),
                "it is answered with a redirect",
            )
        } else {
            continue;
        };
        let steps = [Step::Key("environments"), Step::Key(name), Step::Key("checks"), Step::Index(index)];
        let mut finding = RULE.finding(format!("check `{}` cannot pass: {what}", check.name)).because(why);
        if let Some(file) = subject.project {
            finding = finding.at(Spot::file(file.place(&steps)));
        }
        let hosts: Vec<&str> = routes.iter().flat_map(|(_, route)| &route.hosts).map(String::as_str).collect();
        if of_host.is_empty()
            && let Some(near) = landfall_diag::nearest(&host, hosts)
        {
            finding = finding.help(format!("did you mean `{near}`?"));
        }
        for (found, route) in of_host.iter().take(1) {
            finding = finding.at(found.spot_at(&route.field));
        }
        findings.push(finding);
    }
    findings
}

/// Scheme, host and path of a web address.
fn parts(address: &str) -> Option<(&str, String, String)> {
    let (scheme, rest) = address.split_once("://")?;
    let (authority, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next()?.split(':').next()?.to_ascii_lowercase();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    (!host.is_empty()).then(|| (scheme, host, path.to_owned()))
}

/// Whether a route takes a path: exactly, or by its elements; what is matched by patterns may take any.
fn takes(route: &Route<'_>, path: &str) -> bool {
    let Some((kind, text)) = &route.path else { return true };
    match kind.as_str() {
        "Exact" | "Path" => text == path,
        "PathPrefix" => path.starts_with(text.as_str()),
        "Prefix" => {
            let text = text.trim_end_matches('/');
            path == text || path.strip_prefix(text).is_some_and(|rest| rest.starts_with('/')) || text.is_empty()
        }
        // What the controller makes of it is its own: letters of patterns, or a prefix.
        _ => text.contains(['(', '*', '[', '?', '^', '$']) || path.starts_with(text.trim_end_matches('/')),
    }
}

fn sends_to_https(subject: &Subject<'_>, found: &Found<'_>, route: &Route<'_>) -> bool {
    let object = found.object();
    if object.annotation("nginx.ingress.kubernetes.io/force-ssl-redirect") == Some("true") {
        return true;
    }
    if object.kind() == "Ingress" {
        let listed = object.annotation("traefik.ingress.kubernetes.io/router.middlewares").unwrap_or_default();
        return listed.split(',').map(str::trim).any(|name| {
            let Some(name) = name.strip_suffix("@kubernetescrd") else { return false };
            subject.objects().any(|it| {
                it.object.kind() == "Middleware"
                    && format!("{}-{}", it.object.namespace().unwrap_or_default(), it.object.name()) == name
                    && is_redirect(&it.object)
            })
        });
    }
    let pointer = format!("/{}/middlewares", route.field.replace(['.', '['], "/").replace(']', ""));
    object.list_at(&pointer).iter().any(|reference| {
        let namespace = reference["namespace"].as_str().or(object.namespace());
        let name = reference["name"].as_str().unwrap_or_default();
        let found = TRAEFIK.iter().find_map(|group| subject.find(group, "Middleware", namespace, name));
        found.is_some_and(|found| is_redirect(found.object()))
    })
}

fn is_redirect(middleware: &landfall_object::Object) -> bool {
    middleware.str_at("/spec/redirectScheme/scheme") == Some("https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let wanted = Some(("https", "a.example.com".to_owned(), "/x/y".to_owned()));
        assert_eq!(parts("https://u@A.example.com:8443/x/y?z=1#k"), wanted);
        assert_eq!(parts("http://h"), Some(("http", "h".to_owned(), "/".to_owned())));
        assert_eq!(parts("h/x"), None);
    }
}
