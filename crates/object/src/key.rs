use std::fmt;

use landfall_diag::{KindName, ObjectName};
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

impl From<ObjectKey> for ObjectName {
    fn from(ObjectKey { gvk, namespace, name }: ObjectKey) -> Self {
        let Gvk { group, version, kind } = gvk;
        ObjectName { gvk: KindName { group, version, kind }, namespace, name }
    }
}

impl From<&ObjectName> for ObjectKey {
    fn from(object: &ObjectName) -> Self {
        let KindName { group, version, kind } = object.gvk.clone();
        ObjectKey { gvk: Gvk { group, version, kind }, namespace: object.namespace.clone(), name: object.name.clone() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_an_object_as_its_key_does() {
        let key = ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), "web");
        let name = ObjectName::from(key.clone());
        assert_eq!(serde_json::to_string(&name).ok(), serde_json::to_string(&key).ok());
        assert_eq!(ObjectKey::from(&name), key);
    }
}
