//! What a URL path names (apiserver `pkg/endpoints/request/requestinfo.go`).

/// A path below `/api/v1` or `/apis/GROUP/VERSION`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    /// The namespace; empty for none.
    pub(crate) namespace: String,
    pub(crate) resource: String,
    /// The object's name; empty for the collection.
    pub(crate) name: String,
    /// The subresource; empty for the object itself.
    pub(crate) subresource: String,
    /// Whether it is one of the old paths below `watch`, which watch whatever the query says.
    pub(crate) is_watch: bool,
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Path {
    /// `/api` or `/apis`.
    Groups { legacy: bool },
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1` or `/apis/GROUP/VERSION`.
    Resources { group: String, version: String },
    /// Objects.
    Resource(ResourcePath),
    /// Everything else, e.g. `/version`.
    Other(String),
}

pub(crate) fn parse(path: &str) -> Path {
    // What stands empty between two slashes is a name that is not there: `/namespaces//pods` are those of all namespaces.
    let segments: Vec<String> = path.trim_matches('/').split('/').map(super::query::percent_decode).collect();
    let words: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (group, version, rest) = match words.as_slice() {
        ["api"] => return Path::Groups { legacy: true },
        ["apis"] => return Path::Groups { legacy: false },
        ["apis", "", ..] => return Path::Other(path.to_owned()),
        ["api", version] => return Path::Resources { group: String::new(), version: (*version).to_owned() },
        ["apis", group] => return Path::Group((*group).to_owned()),
        ["apis", group, version] => {
            return Path::Resources { group: (*group).to_owned(), version: (*version).to_owned() };
        }
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Path::Other(path.to_owned()),
    };
    let mut out = ResourcePath { group: group.to_owned(), version: version.to_owned(), ..ResourcePath::default() };
    let rest = match rest {
        ["watch", below @ ..] if !below.is_empty() => {
            out.is_watch = true;
            below
        }
        rest => rest,
    };
    let rest = match rest {
        ["namespaces", namespace, third, ..] if *third != "status" && *third != "finalize" => {
            out.namespace = (*namespace).to_owned();
            &rest[2..]
        }
        rest => rest,
    };
    out.resource = rest.first().copied().unwrap_or_default().to_owned();
    out.name = rest.get(1).copied().unwrap_or_default().to_owned();
    out.subresource = rest.get(2).copied().unwrap_or_default().to_owned();
    Path::Resource(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &str) -> ResourcePath {
        match parse(path) {
            Path::Resource(resource) => resource,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn paths_name_objects() {
        let pod = resource("/api/v1/namespaces/default/pods/a/log");
        assert_eq!(
            (pod.namespace.as_str(), pod.resource.as_str(), pod.name.as_str(), pod.subresource.as_str()),
            ("default", "pods", "a", "log")
        );
        let namespace = resource("/api/v1/namespaces/x/status");
        assert_eq!((namespace.resource.as_str(), namespace.name.as_str()), ("namespaces", "x"));
        assert_eq!(namespace.subresource, "status");
        assert_eq!(resource("/api/v1/namespaces/x").name, "x");
        assert_eq!(resource("/apis/apps/v1/deployments").group, "apps");
        let watched = resource("/api/v1/watch/namespaces/default/pods/a");
        assert!(watched.is_watch && !pod.is_watch);
        assert_eq!((watched.resource.as_str(), watched.name.as_str()), ("pods", "a"));
        assert_eq!(resource("/api/v1/namespaces//pods").resource, "pods");
        assert_eq!(resource("/api//v1/pods").version, "");
        assert_eq!(parse("/api/v1/"), Path::Resources { group: String::new(), version: "v1".to_owned() });
        assert_eq!(parse("/apis/apps"), Path::Group("apps".to_owned()));
    }
}
