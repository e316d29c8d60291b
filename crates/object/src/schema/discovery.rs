use crate::Gvk;

/// One served group version.
#[derive(Debug, Clone)]
pub struct GroupVersion {
    /// The API group; empty for core.
    pub group: String,
    /// The version.
    pub version: String,
    /// Its resources, by name.
    pub resources: Vec<Resource>,
}

/// One resource of a group version.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The plural name: `deployments`.
    pub name: String,
    /// The kind: `Deployment`.
    pub kind: String,
    /// The singular name: `deployment`.
    pub singular: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// The verbs it answers, sorted.
    pub verbs: Vec<String>,
    /// Names `kubectl` accepts: `deploy`.
    pub short_names: Vec<String>,
    /// Groups of resources it belongs to: `all`.
    pub categories: Vec<String>,
    /// `storageVersionHash` in discovery; empty where nothing is stored.
    pub storage_hash: String,
    /// `status`, `scale`, `log`, ...
    pub subresources: Vec<Subresource>,
}

impl Resource {
    /// The subresource of that name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }
}

/// A part of a resource with a URL of its own.
#[derive(Debug, Clone)]
pub struct Subresource {
    /// `status`, `scale`, `log`, ...
    pub name: String,
    /// The kind its bodies have.
    pub gvk: Gvk,
    /// The verbs it answers.
    pub verbs: Vec<String>,
}
