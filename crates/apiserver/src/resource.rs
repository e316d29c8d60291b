//! What is served: resources, their names, verbs and rules.

mod registry;

use std::sync::Arc;

use serde_json::Value;

pub use registry::Registry;

/// One resource in one version.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The API group; empty for core.
    pub group: String,
    /// The version, e.g. `v1`.
    pub version: String,
    /// The plural name used in paths.
    pub plural: String,
    /// The kind.
    pub kind: String,
    /// Namespaced or not.
    pub scope: Scope,
    /// The singular name.
    pub singular: String,
    /// Short names such as `deploy`.
    pub short_names: Vec<String>,
    /// Categories such as `all`.
    pub categories: Vec<String>,
    /// The verbs, sorted.
    pub verbs: Vec<String>,
    /// Subresources, sorted by name.
    pub subresources: Vec<Subresource>,
    /// Whether `metadata.generation` is kept.
    pub tracks_generation: bool,
    /// Whether a PUT may create.
    pub creates_on_update: bool,
    /// Whether a PUT must carry a resource version.
    pub requires_version: bool,
    /// Under which name the objects are kept: `plural` or `plural.group` of the version that stores.
    pub id: Arc<str>,
    /// What only resources from a CustomResourceDefinition have.
    pub custom: Option<Arc<CustomResource>>,
}

/// Whether objects live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In none.
    Cluster,
}

/// A part of an object with a path of its own.
#[derive(Clone, Debug)]
pub struct Subresource {
    /// The last path element, e.g. `status`.
    pub name: String,
    /// Group of the kind it takes and gives; empty together with the version when it is the resource's own.
    pub group: String,
    /// Version of that kind.
    pub version: String,
    /// The kind it takes and gives.
    pub kind: String,
    /// The verbs, sorted.
    pub verbs: Vec<String>,
}

/// What a CustomResourceDefinition's version says beyond the names.
#[derive(Clone, Debug, Default)]
pub struct CustomResource {
    /// The CRD's name.
    pub crd: String,
    /// The structural schema (`openAPIV3Schema`).
    pub schema: Value,
    /// `spec.preserveUnknownFields` or a root with `x-kubernetes-preserve-unknown-fields`.
    pub preserve_unknown: bool,
    /// `additionalPrinterColumns`.
    pub columns: Vec<Value>,
    /// JSON paths of `selectableFields`, with the leading dot.
    pub selectable_fields: Vec<String>,
    /// The scale subresource's paths, when declared.
    pub scale: Option<ScalePaths>,
    /// The version that stores.
    pub storage_version: String,
    /// The warning for a deprecated version.
    pub deprecation: Option<String>,
    /// False for a version that only stores.
    pub served: bool,
}

/// Where a custom resource keeps what `/scale` shows, as JSON paths with the leading dot.
#[derive(Clone, Debug, Default)]
pub struct ScalePaths {
    /// Desired replicas.
    pub spec_replicas: String,
    /// Observed replicas.
    pub status_replicas: String,
    /// The selector as a string; may be absent.
    pub label_selector: Option<String>,
}

impl Resource {
    /// `group/version`, or the bare version for core.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// False for a version of a definition that is kept and not served.
    pub fn is_served(&self) -> bool {
        self.custom.as_ref().is_none_or(|custom| custom.served)
    }

    /// True when objects live in namespaces.
    pub fn is_namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    /// The subresource of that name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }

    /// True when the resource serves the verb.
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    /// True when `/status` exists, so that the main path leaves the status alone and the other way round.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }

    /// `plural.group`, or the bare plural for core: how messages name the resource.
    pub fn qualified(&self) -> String {
        crate::status::qualified(&self.plural, &self.group)
    }
}
