use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of object: API group (empty for core), version and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gvk {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version inside the group, such as `v1`.
    pub version: String,
    /// The kind, such as `Deployment`.
    pub kind: String,
}

impl Gvk {
    /// The kind `kind` of `group` at `version`.
    pub fn new(group: impl Into<String>, version: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// Reads the `apiVersion` (`v1`, `apps/v1`) and `kind` of a manifest.
    pub fn from_api_version(api_version: &str, kind: impl Into<String>) -> Self {
        let (group, version) = split_api_version(api_version);
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.into() }
    }

    /// What a manifest writes as `apiVersion`.
    pub fn api_version(&self) -> String {
        join_api_version(&self.group, &self.version)
    }
}

impl fmt::Display for Gvk {
    /// As the API server prints it: `apps/v1, Kind=Deployment`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, Kind={}", self.api_version(), self.kind)
    }
}

/// A served resource: API group (empty for core), version and plural name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gvr {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version inside the group.
    pub version: String,
    /// The plural name, such as `deployments`.
    pub resource: String,
}

impl Gvr {
    /// The resource `resource` of `group` at `version`.
    pub fn new(group: impl Into<String>, version: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { group: group.into(), version: version.into(), resource: resource.into() }
    }

    /// What a manifest of this resource writes as `apiVersion`.
    pub fn api_version(&self) -> String {
        join_api_version(&self.group, &self.version)
    }

    /// The name error messages use: `deployments.apps`, `pods`.
    pub fn group_resource(&self) -> String {
        if self.group.is_empty() { self.resource.clone() } else { format!("{}.{}", self.resource, self.group) }
    }
}

impl fmt::Display for Gvr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, Resource={}", self.api_version(), self.resource)
    }
}

/// Splits `apps/v1` into group and version; `v1` has the empty group.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

fn join_api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_version_without_a_slash_is_the_core_group() {
        let gvk = Gvk::from_api_version("v1", "Pod");
        assert_eq!((gvk.group.as_str(), gvk.version.as_str()), ("", "v1"));
        assert_eq!(gvk.to_string(), "v1, Kind=Pod");
        assert_eq!(Gvk::from_api_version("apps/v1", "Deployment").to_string(), "apps/v1, Kind=Deployment");
    }
}
