//! The routes into a cluster that objects declare: host, path, TLS, and the Services behind.

use landfall_object::Object;
use serde_json::Value;

use crate::pods::PodTemplate;
use crate::subject::{Found, Subject};

/// The groups under which Traefik has served its kinds.
pub const TRAEFIK: [&str; 2] = ["traefik.io", "traefik.containo.us"];

/// One route: some hosts and a path, to some Services.
#[derive(Debug, Clone)]
pub struct Route<'a> {
    /// The Ingress or IngressRoute.
    pub object: &'a Object,
    /// The field that declares it: `spec.rules[0].http.paths[1]`.
    pub field: String,
    /// Its hosts, in lower case; empty for any.
    pub hosts: Vec<String>,
    /// How the path is matched, and the path; none where it is not asked for.
    pub path: Option<(String, String)>,
    /// Whether host and path are all that it asks for.
    pub plain: bool,
    /// Whether it is served over TLS.
    pub secure: bool,
    /// The Secret of its certificate.
    pub secret: Option<&'a str>,
    /// The Services behind: namespace, name and port.
    pub services: Vec<(Option<&'a str>, &'a str, String)>,
}

/// The routes of an object; none for other kinds.
pub fn routes(object: &Object) -> Vec<Route<'_>> {
    match (object.group(), object.kind()) {
        ("networking.k8s.io" | "extensions", "Ingress") => ingress(object),
        (group, "IngressRoute") if TRAEFIK.contains(&group) => ingress_route(object),
        _ => Vec::new(),
    }
}

/// All routes that there will be after the change.
pub fn all_routes<'a>(subject: &Subject<'a>) -> Vec<(Found<'a>, Route<'a>)> {
    let kinds = [
        ("networking.k8s.io", "Ingress"),
        ("extensions", "Ingress"),
        (TRAEFIK[0], "IngressRoute"),
        (TRAEFIK[1], "IngressRoute"),
    ];
    let objects = kinds.into_iter().flat_map(|(group, kind)| subject.after(group, kind));
    objects.flat_map(|found| routes(found.object()).into_iter().map(move |route| (found, route))).collect()
}

/// The host of a route that leads to pods with this template.
pub fn exposure<'r, 'a>(
    subject: &Subject<'a>,
    routes: &'r [(Found<'a>, Route<'a>)],
    template: &PodTemplate<'a>,
) -> Option<&'r Route<'a>> {
    routes.iter().map(|(_, route)| route).find(|route| leads_to(subject, route, template))
}

/// Whether a route leads to pods with this template.
pub fn leads_to(subject: &Subject<'_>, route: &Route<'_>, template: &PodTemplate<'_>) -> bool {
    let namespace = template.owner.namespace();
    route.services.iter().filter(|(of, _, _)| *of == namespace).any(|(of, name, _)| {
        let service = subject.find("", "Service", *of, name);
        service.and_then(|found| found.object().at("/spec/selector")).is_some_and(|selector| {
            selector.as_object().is_some_and(|map| !map.is_empty()) && template.is_selected_by(selector)
        })
    })
}

impl Route<'_> {
    /// `shop.example.com/api`, for people.
    pub fn address(&self) -> String {
        let path = self.path.as_ref().map_or("/", |(_, path)| path);
        format!("{}{path}", self.hosts.first().map_or("*", String::as_str))
    }
}

/// Whether a name of a certificate (`*.example.com` too) is good for a host.
pub fn covers(name: &str, host: &str) -> bool {
    let (name, host) = (name.to_ascii_lowercase(), host.to_ascii_lowercase());
    match name.strip_prefix("*.") {
        Some(parent) => host == name || host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => name == host,
    }
}

fn ingress<'a>(object: &'a Object) -> Vec<Route<'a>> {
    let tls = object.list_at("/spec/tls");
    // An entry without hosts is the certificate of all of them.
    let entry = |host: &str| {
        tls.iter().find(|entry| {
            let hosts = entry["hosts"].as_array().map(Vec::as_slice).unwrap_or_default();
            hosts.is_empty() || hosts.iter().filter_map(Value::as_str).any(|name| host.is_empty() || covers(name, host))
        })
    };
    let mut found = Vec::new();
    let namespace = object.namespace();
    let mut add = |host: &str, field: String, path: Option<(String, String)>, backend: &'a Value| {
        let entry = entry(host);
        // Versions before v1 wrote the two beside each other.
        let name = backend.pointer("/service/name").or_else(|| backend.get("serviceName")).and_then(Value::as_str);
        found.push(Route {
            object,
            field,
            hosts: Some(host.to_ascii_lowercase()).filter(|host| !host.is_empty()).into_iter().collect(),
            path,
            plain: true,
            secure: entry.is_some(),
            secret: entry.and_then(|entry| entry["secretName"].as_str()),
            services: name.map(|name| (namespace, name, port(backend))).into_iter().collect(),
        });
    };
    for field in ["defaultBackend", "backend"] {
        if let Some(backend) = object.value().pointer("/spec").and_then(|spec| spec.get(field)) {
            add("", format!("spec.{field}"), None, backend);
        }
    }
    for (at, rule) in object.list_at("/spec/rules").iter().enumerate() {
        let paths = rule.pointer("/http/paths").and_then(Value::as_array);
        for (index, path) in paths.into_iter().flatten().enumerate() {
            let kind = path["pathType"].as_str().unwrap_or("ImplementationSpecific").to_owned();
            let text = path["path"].as_str().unwrap_or("/").to_owned();
            let field = format!("spec.rules[{at}].http.paths[{index}]");
            add(rule["host"].as_str().unwrap_or_default(), field, Some((kind, text)), &path["backend"]);
        }
    }
    found
}

fn port(backend: &Value) -> String {
    let port = backend.pointer("/service/port");
    let port =
        port.and_then(|port| port.get("number").or_else(|| port.get("name"))).or_else(|| backend.get("servicePort"));
    port.map(|port| port.as_str().map_or_else(|| port.to_string(), str::to_owned)).unwrap_or_default()
}

fn ingress_route(object: &Object) -> Vec<Route<'_>> {
    let secure = object.at("/spec/tls").is_some_and(|tls| !tls.is_null());
    object
        .list_at("/spec/routes")
        .iter()
        .enumerate()
        .map(|(at, route)| {
            let matched = Matcher::parse(route["match"].as_str().unwrap_or_default());
            let services = route["services"].as_array().into_iter().flatten();
            let services = services.filter(|it| it["kind"].as_str().unwrap_or("Service") == "Service");
            Route {
                object,
                field: format!("spec.routes[{at}]"),
                hosts: matched.hosts,
                path: matched.path,
                plain: matched.plain,
                secure,
                secret: object.str_at("/spec/tls/secretName"),
                services: services
                    .filter_map(|it| {
                        let port = it["port"].as_str().map_or_else(|| it["port"].to_string(), str::to_owned);
                        Some((it["namespace"].as_str().or(object.namespace()), it["name"].as_str()?, port))
                    })
                    .collect(),
            }
        })
        .collect()
}

/// What an expression of Traefik asks for.
struct Matcher {
    hosts: Vec<String>,
    path: Option<(String, String)>,
    plain: bool,
}

impl Matcher {
    fn parse(text: &str) -> Self {
        let mut matcher = Matcher { hosts: Vec::new(), path: None, plain: !text.contains('!') };
        let mut groups = 0_usize;
        let mut or_outside = false;
        let mut rest = text;
        let mut word = String::new();
        while let Some(letter) = rest.chars().next() {
            let after = &rest[letter.len_utf8()..];
            match letter {
                '(' if !word.is_empty() => {
                    let (arguments, after) = arguments(after);
                    match word.as_str() {
                        "Host" => matcher.hosts.extend(arguments.iter().map(|host| host.to_ascii_lowercase())),
                        "Path" | "PathPrefix" if matcher.path.is_none() && arguments.len() == 1 => {
                            matcher.path = Some((word.clone(), arguments[0].clone()));
                        }
                        _ => matcher.plain = false,
                    }
                    word.clear();
                    rest = after;
                    continue;
                }
                '(' => groups += 1,
                ')' => groups = groups.saturating_sub(1),
                '|' if groups == 0 => or_outside = true,
                _ => {}
            }
            if letter.is_ascii_alphanumeric() {
                word.push(letter)
            } else {
                word.clear()
            }
            rest = after;
        }
        // `Host(a) && Path(b) || Host(c)`: which path belongs to which host is not told apart here.
        matcher.plain &= !(or_outside && matcher.path.is_some());
        matcher
    }
}

/// The quoted arguments up to the closing parenthesis, and what follows it.
fn arguments(text: &str) -> (Vec<String>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        match letter {
            ')' => return (found, after),
            '`' | '"' | '\'' => match after.split_once(letter) {
                Some((argument, after)) => {
                    found.push(argument.to_owned());
                    rest = after;
                    continue;
                }
                None => return (found, ""),
            },
            _ => rest = after,
        }
    }
    (found, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_traefik_are_read_as_far_as_they_are_plain() {
        let matcher = Matcher::parse("(Host(`a.example.com`) || Host(`B.example.com`)) && PathPrefix(`/api`)");
        assert_eq!(matcher.hosts, ["a.example.com", "b.example.com"]);
        assert_eq!(matcher.path, Some(("PathPrefix".to_owned(), "/api".to_owned())));
        assert!(matcher.plain);
        for other in ["Host(`a`) && Headers(`X`, `y`)", "Host(`a`) && Path(`/b`) || Host(`c`)", "!Host(`a`)", "Host(`a"]
        {
            assert!(!Matcher::parse(other).plain || other == "Host(`a", "{other}");
        }
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        assert!(covers("*.example.com", "Shop.example.com"));
        assert!(!covers("*.example.com", "a.shop.example.com"));
        assert!(!covers("*.example.com", "example.com"));
        assert!(covers("*.example.com", "*.example.com"));
    }
}
