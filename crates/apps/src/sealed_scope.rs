//! How far what is sealed may be moved by the Applications of a project: a value that opens anywhere could be taken out of another
//! project's repository and opened in a namespace of one's own.

use landfall_object::Object;

/// On metadata, as sealed-secrets reads it: the wider one wins, and only the text `true` counts.
const WIDE: [(&str, SealedScope); 2] = [
    ("sealedsecrets.bitnami.com/cluster-wide", SealedScope::ClusterWide),
    ("sealedsecrets.bitnami.com/namespace-wide", SealedScope::NamespaceWide),
];

/// A scope beyond the one name that a value was sealed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SealedScope {
    /// Any name in its namespace.
    NamespaceWide,
    /// Anywhere.
    ClusterWide,
}

impl SealedScope {
    /// As kubeseal's `--scope` calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            SealedScope::NamespaceWide => "namespace-wide",
            SealedScope::ClusterWide => "cluster-wide",
        }
    }

    /// What an annotation of a project allows: names with commas between them; what is no scope allows nothing.
    pub(crate) fn allowed(text: &str) -> Vec<Self> {
        let known = |name: &str| WIDE.into_iter().map(|(_, scope)| scope).find(|scope| scope.name() == name);
        text.split(',').filter_map(|name| known(name.trim())).collect()
    }

    /// The wide scope of a SealedSecret; nothing for a strict one, and for every other object.
    pub(crate) fn of(object: &Object) -> Option<Self> {
        if object.group() != "bitnami.com" || object.kind() != "SealedSecret" {
            return None;
        }
        WIDE.into_iter().find(|(annotation, _)| object.annotation(annotation) == Some("true")).map(|(_, scope)| scope)
    }
}
