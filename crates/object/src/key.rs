use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Gvk;

/// Which object: kind, namespace (none for cluster-scoped kinds) and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Group, version and kind.
    pub gvk: Gvk,
    /// The namespace; `None` for cluster-scoped objects and for manifests that leave it to the context.
    pub namespace: Option<String>,
    /// The name; empty when the server is to generate it.
    pub name: String,
}

impl ObjectKey {
    /// The key of `name` in `namespace`.
    pub fn new(gvk: Gvk, namespace: Option<&str>, name: impl Into<String>) -> Self {
        Self { gvk, namespace: namespace.filter(|ns| !ns.is_empty()).map(str::to_owned), name: name.into() }
    }

    /// The same object whatever its version: group, kind, namespace and name, for comparing across API versions.
    pub fn without_version(&self) -> (&str, &str, Option<&str>, &str) {
        (&self.gvk.group, &self.gvk.kind, self.namespace.as_deref(), &self.name)
    }
}

impl fmt::Display for ObjectKey {
    /// `Deployment.apps shop/web`, `Namespace shop`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.gvk.kind)?;
        if !self.gvk.group.is_empty() {
            write!(f, ".{}", self.gvk.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " {namespace}/{}", self.name),
            None => write!(f, " {}", self.name),
        }
    }
}
