//! Middlewares: redirects, rewrites and headers, from Traefik's objects and from annotations.

use landfall_apiserver::World;
use regex::Regex;
use serde_json::Value;

use crate::controllers::fields::{annotation, entries, int, list, name, namespace, text, truth};
use crate::operators::traefik::MIDDLEWARE;

/// The deepest chain of middlewares.
const DEEPEST: usize = 8;

/// Kinds of Traefik's that leave an answer as it is: a simulated container reads no header and is never in trouble.
const TRANSPARENT: [&str; 4] = ["compress", "contentType", "passTLSClientCert", "retry"];

/// Fields of Traefik's `headers` that refuse a request or send it elsewhere.
const DECIDING_HEADERS: [&str; 5] = ["allowedHosts", "sslRedirect", "sslTemporaryRedirect", "sslHost", "sslForceHost"];

/// What nginx's annotations begin with.
const NGINX: &str = "nginx.ingress.kubernetes.io/";

/// nginx's annotations that decide who gets in or what is answered, besides those that begin with `auth-` and the like.
const DECIDING_ANNOTATIONS: [&str; 10] = [
    "allowlist-source-range",
    "app-root",
    "custom-http-errors",
    "default-backend",
    "denylist-source-range",
    "enable-modsecurity",
    "from-to-www-redirect",
    "satisfy",
    "temporal-redirect",
    "whitelist-source-range",
];

/// Something that is done to a request or its answer.
#[derive(Clone, Debug)]
pub(crate) enum Middleware {
    /// Sends the client to another scheme.
    RedirectScheme { scheme: String, port: Option<String>, permanent: bool },
    /// Sends the client to another address.
    RedirectRegex { regex: Regex, replacement: String, permanent: bool },
    /// Gives the request another path.
    ReplacePath(String),
    /// Gives the request a path made from its own.
    ReplacePathRegex { regex: Regex, replacement: String },
    /// Takes the first of these prefixes off the path.
    StripPrefix(Vec<String>),
    /// Takes what matches at the beginning off the path.
    StripPrefixRegex(Vec<Regex>),
    /// Puts something before the path.
    AddPrefix(String),
    /// Adds headers to the answer; an empty value takes one away.
    ResponseHeaders(Vec<(String, String)>),
    /// Named, but not there: the request is refused, as Traefik drops the whole route.
    Missing(String),
    /// Decides who gets in or what is answered, and is not simulated; named in the answer's header.
    NotSimulated(String),
}

/// What comes of a request after all its middlewares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// The client is sent elsewhere, if it comes past what stands before that and is not simulated.
    Redirect { status: u16, location: String, not_simulated: Vec<String> },
    /// The request goes on with this path.
    On { path: String, headers: Vec<(String, String)>, not_simulated: Vec<String> },
    /// A middleware is missing.
    Refused(String),
}

/// The request as middlewares see it.
pub(crate) struct Passing<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) host: &'a str,
    /// Path with query.
    pub(crate) path: &'a str,
    /// The port on which this ingress has TLS, when it is not the usual one.
    pub(crate) tls_port: Option<u16>,
}

impl Middleware {
    /// The middlewares an Ingress's annotations ask for; `path` is that of the rule.
    pub(crate) fn of_ingress(world: &World, ingress: &Value, path: &str) -> Vec<Self> {
        let mut found = Vec::new();
        if wants_tls(ingress) {
            found.push(Self::RedirectScheme { scheme: "https".to_owned(), port: None, permanent: true });
        }
        if let Some(to) = annotation(ingress, "nginx.ingress.kubernetes.io/permanent-redirect")
            && let Ok(regex) = Regex::new("^.*$")
        {
            let replacement = to.replace('$', "$$");
            found.push(Self::RedirectRegex { regex, replacement, permanent: true });
        }
        if let Some(target) = annotation(ingress, "nginx.ingress.kubernetes.io/rewrite-target") {
            if target.contains('$') {
                if let Ok(regex) = Regex::new(&format!("^(?:{path})")) {
                    found.push(Self::ReplacePathRegex { regex, replacement: braced(target) });
                }
            } else {
                found.push(Self::ReplacePath(target.to_owned()));
            }
        }
        let deciding = entries(ingress, "/metadata/annotations").filter(|(key, value)| decides(key, value));
        found.extend(deciding.map(|(key, _)| Self::NotSimulated(format!("annotation {key}"))));
        let named = annotation(ingress, "traefik.ingress.kubernetes.io/router.middlewares").unwrap_or_default();
        for reference in named.split(',').map(str::trim).filter(|r| !r.is_empty()) {
            found.extend(Self::by_provider_name(world, namespace(ingress), reference));
        }
        found
    }

    /// `shop-redirect@kubernetescrd`: namespace and name are joined by a dash, so all cuts are tried.
    fn by_provider_name(world: &World, own: &str, reference: &str) -> Vec<Self> {
        let joined = reference.split('@').next().unwrap_or(reference);
        let object = joined.match_indices('-').find_map(|(at, _)| {
            let (namespace, name) = (&joined[..at], &joined[at + 1..]);
            world.find(MIDDLEWARE.id, namespace, name)
        });
        match object.or_else(|| world.find(MIDDLEWARE.id, own, joined)) {
            Some(object) => Self::read(world, &object, 0),
            None => vec![Self::Missing(reference.to_owned())],
        }
    }

    /// The middlewares an IngressRoute or a chain names.
    pub(crate) fn of_references(world: &World, own: &str, references: &[Value]) -> Vec<Self> {
        Self::referenced(world, own, references, 0)
    }

    fn referenced(world: &World, own: &str, references: &[Value], depth: usize) -> Vec<Self> {
        let mut found = Vec::new();
        for reference in references {
            let within = Some(text(reference, "/namespace")).filter(|n| !n.is_empty()).unwrap_or(own);
            match world.find(MIDDLEWARE.id, within, text(reference, "/name")) {
                Some(object) if depth < DEEPEST => found.extend(Self::read(world, &object, depth + 1)),
                _ => found.push(Self::Missing(format!("{within}-{}@kubernetescrd", text(reference, "/name")))),
            }
        }
        found
    }

    fn read(world: &World, object: &Value, depth: usize) -> Vec<Self> {
        let mut found = Vec::new();
        let label = format!("{}-{}@kubernetescrd", namespace(object), name(object));
        for (kind, spec) in object.get("spec").and_then(Value::as_object).into_iter().flatten() {
            if TRANSPARENT.contains(&kind.as_str()) {
                continue;
            }
            let regexes = |pointer: &str| -> Option<Vec<Regex>> {
                let written = list(spec, pointer).iter().filter_map(Value::as_str);
                written.map(|r| Regex::new(&format!("^(?:{r})")).ok()).collect()
            };
            let words = |pointer: &str| -> Vec<String> {
                list(spec, pointer).iter().filter_map(Value::as_str).map(str::to_owned).collect()
            };
            let permanent = truth(spec, "/permanent");
            let made = match kind.as_str() {
                "redirectScheme" => Some(Self::RedirectScheme {
                    scheme: text(spec, "/scheme").to_owned(),
                    port: spec.get("port").map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned)),
                    permanent,
                }),
                "redirectRegex" => Regex::new(text(spec, "/regex")).ok().map(|regex| Self::RedirectRegex {
                    regex,
                    replacement: braced(text(spec, "/replacement")),
                    permanent,
                }),
                "replacePath" => Some(Self::ReplacePath(text(spec, "/path").to_owned())),
                "replacePathRegex" => Regex::new(text(spec, "/regex"))
                    .ok()
                    .map(|regex| Self::ReplacePathRegex { regex, replacement: braced(text(spec, "/replacement")) }),
                "stripPrefix" => Some(Self::StripPrefix(words("/prefixes"))),
                "stripPrefixRegex" => regexes("/regex").map(Self::StripPrefixRegex),
                "addPrefix" => Some(Self::AddPrefix(text(spec, "/prefix").to_owned())),
                "headers" => {
                    let deciding = DECIDING_HEADERS.iter().filter(|field| is_set(spec, field));
                    found.extend(
                        deciding.map(|field| Self::NotSimulated(format!("middleware {label} (headers.{field})"))),
                    );
                    Some(Self::ResponseHeaders(response_headers(spec)))
                }
                "chain" => {
                    found.extend(Self::referenced(world, namespace(object), list(spec, "/middlewares"), depth));
                    continue;
                }
                _ => None,
            };
            found.push(made.unwrap_or_else(|| Self::NotSimulated(format!("middleware {label} ({kind})"))));
        }
        found
    }
}

/// Whether an annotation of nginx's decides who gets in or what is answered.
fn decides(key: &str, value: &str) -> bool {
    let Some(name) = key.strip_prefix(NGINX) else { return false };
    let begins = ["auth-", "canary", "global-rate-limit", "limit-"].iter().any(|start| name.starts_with(start));
    let is_slower_only = name.starts_with("limit-rate");
    value != "false"
        && !is_slower_only
        && (begins || name.ends_with("-snippet") || DECIDING_ANNOTATIONS.contains(&name))
}

/// Whether a field has a value that means something.
fn is_set(spec: &Value, field: &str) -> bool {
    match spec.get(field) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(all)) => !all.is_empty(),
        Some(_) => true,
    }
}

/// Go's `$1` as the regex crate wants it: `${1}`, so that `$1x` is not taken for a name.
fn braced(replacement: &str) -> String {
    let mut out = String::with_capacity(replacement.len());
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            out.push_str("${");
            out.push_str(&after[..digits]);
            out.push('}');
            rest = &after[digits..];
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// The answer's headers of Traefik's `headers` middleware.
fn response_headers(spec: &Value) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> =
        entries(spec, "/customResponseHeaders").map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    if let Some(seconds) = int(spec, "/stsSeconds").filter(|s| *s > 0) {
        let mut value = format!("max-age={seconds}");
        if truth(spec, "/stsIncludeSubdomains") {
            value.push_str("; includeSubDomains");
        }
        if truth(spec, "/stsPreload") {
            value.push_str("; preload");
        }
        headers.push(("strict-transport-security".to_owned(), value));
    }
    for (flag, header, value) in [
        ("/frameDeny", "x-frame-options", "DENY"),
        ("/contentTypeNosniff", "x-content-type-options", "nosniff"),
        ("/browserXssFilter", "x-xss-protection", "1; mode=block"),
    ] {
        if truth(spec, flag) {
            headers.push((header.to_owned(), value.to_owned()));
        }
    }
    for (field, header) in [
        ("/customFrameOptionsValue", "x-frame-options"),
        ("/contentSecurityPolicy", "content-security-policy"),
        ("/referrerPolicy", "referrer-policy"),
        ("/permissionsPolicy", "permissions-policy"),
    ] {
        if !text(spec, field).is_empty() {
            headers.push((header.to_owned(), text(spec, field).to_owned()));
        }
    }
    headers
}

/// Takes a request through its middlewares.
pub(crate) fn pass(middlewares: &[Middleware], request: &Passing<'_>) -> Passed {
    let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
    let mut path = path.to_owned();
    let mut headers = Vec::new();
    let mut not_simulated = Vec::new();
    let code = |permanent: bool| if permanent { 308 } else { 307 };
    let with_query = |path: &str| if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    for middleware in middlewares {
        match middleware {
            Middleware::RedirectScheme { scheme, port, permanent } => {
                if scheme == request.scheme {
                    continue;
                }
                let host = request.host.rsplit_once(':').map_or(request.host, |(host, port)| {
                    if port.bytes().all(|b| b.is_ascii_digit()) { host } else { request.host }
                });
                let own = request.tls_port.filter(|_| scheme == "https").map(|p| p.to_string());
                let port = match port.clone().or(own) {
                    Some(port) if !(scheme == "https" && port == "443" || scheme == "http" && port == "80") => {
                        format!(":{port}")
                    }
                    _ => String::new(),
                };
                // Traefik answers GET with 301 and 302, and everything else so that the method is kept.
                let location = format!("{scheme}://{host}{port}{}", with_query(&path));
                return Passed::Redirect { status: code(*permanent), location, not_simulated };
            }
            Middleware::RedirectRegex { regex, replacement, permanent } => {
                let url = format!("{}://{}{}", request.scheme, request.host, with_query(&path));
                let location = regex.replace(&url, replacement.as_str()).into_owned();
                if regex.is_match(&url) && location != url {
                    return Passed::Redirect { status: code(*permanent), location, not_simulated };
                }
            }
            Middleware::ReplacePath(to) => path.clone_from(to),
            Middleware::ReplacePathRegex { regex, replacement } => {
                path = regex.replace(&path, replacement.as_str()).into_owned();
            }
            Middleware::StripPrefix(prefixes) => {
                if let Some(rest) = prefixes.iter().find_map(|prefix| path.strip_prefix(prefix.as_str())) {
                    path = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
                }
            }
            Middleware::StripPrefixRegex(regexes) => {
                if let Some(found) = regexes.iter().find_map(|regex| regex.find(&path)) {
                    let rest = path[found.end()..].to_owned();
                    path = if rest.starts_with('/') { rest } else { format!("/{rest}") };
                }
            }
            Middleware::AddPrefix(prefix) => path = format!("{prefix}{path}"),
            Middleware::ResponseHeaders(more) => headers.extend(more.iter().cloned()),
            Middleware::Missing(which) => return Passed::Refused(which.clone()),
            Middleware::NotSimulated(which) => not_simulated.push(which.clone()),
        }
    }
    Passed::On { path: with_query(&path), headers, not_simulated }
}

/// Whether the Ingress asks for plain requests to be sent to TLS.
fn wants_tls(ingress: &Value) -> bool {
    let forced = |key: &str| annotation(ingress, key) == Some("true");
    let has_tls = !list(ingress, "/spec/tls").is_empty();
    forced("nginx.ingress.kubernetes.io/force-ssl-redirect")
        || (has_tls && forced("nginx.ingress.kubernetes.io/ssl-redirect"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(middlewares: &[Middleware], path: &str) -> Passed {
        pass(middlewares, &Passing { scheme: "http", host: "a.example:8080", path, tls_port: Some(8443) })
    }

    #[test]
    fn redirects_keep_path_and_query_and_find_the_port() {
        let redirect = Middleware::RedirectScheme { scheme: "https".into(), port: None, permanent: true };
        assert_eq!(
            on(&[redirect], "/x?y=1"),
            Passed::Redirect {
                status: 308,
                location: "https://a.example:8443/x?y=1".into(),
                not_simulated: Vec::new()
            }
        );
    }

    #[test]
    fn what_stands_before_a_redirect_and_is_not_simulated_is_told_and_what_stands_behind_it_is_not() {
        let redirect = Middleware::RedirectScheme { scheme: "https".into(), port: None, permanent: true };
        let auth = Middleware::NotSimulated("auth".into());
        let told = |middlewares: &[Middleware]| match on(middlewares, "/") {
            Passed::Redirect { not_simulated, .. } => not_simulated,
            other => panic!("{other:?}"),
        };
        assert_eq!(told(&[auth.clone(), redirect.clone()]), ["auth"]);
        assert!(told(&[redirect, auth]).is_empty());
    }

    #[test]
    fn annotations_that_only_tune_nginx_decide_nothing() {
        for (name, value, wanted) in [
            ("auth-url", "https://sso.example.com/auth", true),
            ("auth-type", "basic", true),
            ("whitelist-source-range", "10.0.0.0/8", true),
            ("limit-rps", "5", true),
            ("limit-rate", "500", false),
            ("configuration-snippet", "deny all;", true),
            ("enable-modsecurity", "true", true),
            ("enable-modsecurity", "false", false),
            ("proxy-body-size", "8m", false),
            ("proxy-read-timeout", "60", false),
            ("ssl-redirect", "true", false),
        ] {
            assert_eq!(decides(&format!("{NGINX}{name}"), value), wanted, "{name}: {value}");
        }
        assert!(!decides("example.com/auth-url", "https://sso.example.com"), "another's annotation");
    }

    #[test]
    fn paths_are_rewritten_in_order() {
        let rewrite = Middleware::ReplacePathRegex {
            regex: Regex::new("^/docs/(.*)").expect("valid"),
            replacement: braced("/$1"),
        };
        let path = |passed: Passed| match passed {
            Passed::On { path, .. } => path,
            other => panic!("{other:?}"),
        };
        assert_eq!(path(on(&[rewrite], "/docs/a/b?c")), "/a/b?c");
        let strip = Middleware::StripPrefix(vec!["/api".into()]);
        assert_eq!(path(on(&[strip, Middleware::AddPrefix("/v1".into())], "/api/x")), "/v1/x");
    }

    #[test]
    fn a_missing_middleware_refuses_the_request() {
        assert_eq!(on(&[Middleware::Missing("a".into())], "/"), Passed::Refused("a".into()));
    }
}
