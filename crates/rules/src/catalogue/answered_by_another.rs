use landfall_diag::{Finding, Severity, Spot};

use crate::pods::ContainerRole;
use crate::routes::{Route, all_routes, leads_to};
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF170",
    title: "the pages of a server are routed to it",
    severity: Severity::Info,
    why: "A host that is shared by path sends everything that no path names to the one at `/`. Pages of a known server \
          whose path was forgotten then answer with somebody else's front page, not with an error.",
    advice: "Route the path to the server too, or leave it out knowingly: an administrator's console need not be public.",
    check,
};

/// A server whose pages lie under several paths.
struct Server {
    /// The last part of the image's name.
    image: &'static str,
    /// Its name.
    name: &'static str,
    /// A path without which it serves nobody: one that has it routed means to be reached.
    entry: &'static str,
    /// Other paths, each with what is not reached without it (Keycloak: "Exposed path recommendations").
    pages: &'static [(&'static str, &'static str)],
}

const SERVERS: &[Server] = &[Server {
    image: "keycloak",
    name: "Keycloak",
    entry: "/realms",
    pages: &[("/resources", "styles and scripts of its pages"), ("/admin", "the administration console")],
}];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let routes = all_routes(subject);
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let containers = template.containers();
        let main = containers.iter().filter(|it| it.role == ContainerRole::Main);
        let found =
            main.filter_map(|it| Some((it, SERVERS.iter().find(|server| server.image == name_of(it.image()))?)));
        for (container, server) in found {
            let own: Vec<&Route<'_>> =
                routes.iter().map(|(_, route)| route).filter(|route| leads_to(subject, route, &template)).collect();
            for entry in own.iter().filter(|route| takes(route, server.entry) && !takes(route, "/other")) {
                for (path, page) in server.pages {
                    let of_host = || routes.iter().map(|(_, route)| route).filter(|route| route.hosts == entry.hosts);
                    let Some(taker) = of_host().filter(|route| takes(route, path)).max_by_key(|route| length(route))
                    else {
                        continue;
                    };
                    if own.iter().any(|route| std::ptr::eq(*route, taker)) {
                        continue;
                    }
                    let host = entry.hosts.first().map_or("*", String::as_str);
                    let to = taker.services.first().map_or("nothing", |(_, name, _)| *name);
                    findings.push(
                        RULE.finding(format!("`{host}{path}` of {} goes to Service `{to}`", server.name))
                            .because(format!("{page} cannot be reached at this host"))
                            .at(spot_of(subject, entry))
                            .at(desired.spot_at(&format!("{}.image", container.path))),
                    );
                }
            }
        }
    }
    findings
}

/// Whether a route takes a path, by a prefix that can be read.
fn takes(route: &Route<'_>, path: &str) -> bool {
    let Some((kind, prefix)) = &route.path else { return route.plain };
    let prefix = prefix.trim_end_matches('/');
    let is_plain = prefix.chars().all(|letter| letter.is_ascii_alphanumeric() || "/-_.~".contains(letter));
    let below = path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    route.plain && is_plain && below && (kind != "Exact" || prefix == path)
}

fn length(route: &Route<'_>) -> usize {
    route.path.as_ref().map_or(0, |(_, path)| path.trim_end_matches('/').len())
}

/// The last part of an image's name, without its tag.
fn name_of(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    let image = image.rsplit('/').next().unwrap_or(image);
    image.split(':').next().unwrap_or(image)
}

/// The route's field, with the unit that delivers it where one does.
fn spot_of(subject: &Subject<'_>, route: &Route<'_>) -> Spot {
    let object = route.object;
    let desired = subject.desired(object.group(), object.kind(), object.namespace(), object.name());
    match desired {
        Some(desired) => desired.spot_at(&route.field),
        None => Spot::object(None, object.key()).field(&*route.field),
    }
}
