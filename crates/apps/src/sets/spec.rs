use landfall_object::{Object, ObjectKey};
use serde::Deserialize;
use serde_json::Value;

use super::fields;
use crate::Error;

/// An Argo CD ApplicationSet.
#[derive(Debug, Clone, PartialEq)]
pub struct ApplicationSet {
    /// Its name.
    pub name: String,
    /// The namespace that it and its Applications live in.
    pub namespace: String,
    /// Its generators as they are written: their texts may be templates.
    pub(crate) generators: Vec<Value>,
    pub(crate) template: Value,
    pub(crate) template_patch: Option<String>,
    pub(crate) go_template: bool,
    pub(crate) go_template_options: Vec<String>,
    pub(crate) policy: SetPolicy,
    pub(crate) preserved: Preserved,
    pub(crate) ignored: Vec<Ignored>,
    /// The object as it was read.
    pub object: Object,
}

/// What may be done to Applications that are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplicationsSync {
    /// They are created, changed and deleted.
    #[default]
    Sync,
    /// They are created, and left alone then.
    CreateOnly,
    /// They are created and changed.
    CreateUpdate,
    /// They are created and deleted.
    CreateDelete,
}

impl ApplicationsSync {
    /// Whether one that is there is changed.
    pub fn updates(self) -> bool {
        matches!(self, ApplicationsSync::Sync | ApplicationsSync::CreateUpdate)
    }

    /// Whether one that is no longer generated is deleted.
    pub fn deletes(self) -> bool {
        matches!(self, ApplicationsSync::Sync | ApplicationsSync::CreateDelete)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SetPolicy {
    pub(crate) preserve_resources_on_deletion: bool,
    pub(crate) applications_sync: Option<ApplicationsSync>,
}

/// Labels and annotations of Applications that are left as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Preserved {
    pub(crate) annotations: Vec<String>,
    pub(crate) labels: Vec<String>,
}

/// Fields of Applications that are left as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Ignored {
    pub(crate) name: String,
    pub(crate) json_pointers: Vec<String>,
    pub(crate) jq_path_expressions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    generators: Vec<Value>,
    #[serde(default)]
    template: Value,
    template_patch: Option<String>,
    #[serde(default)]
    go_template: bool,
    #[serde(default)]
    go_template_options: Vec<String>,
    sync_policy: Option<SetPolicy>,
    preserved_fields: Option<Preserved>,
    #[serde(default)]
    ignore_application_differences: Vec<Ignored>,
}

impl ApplicationSet {
    /// Whether the object is an ApplicationSet.
    pub fn is(object: &Object) -> bool {
        object.group() == "argoproj.io" && object.kind() == "ApplicationSet"
    }

    /// Reads an ApplicationSet; its generators are read when they are expanded.
    ///
    /// # Errors
    /// [`Error::NotAnApplication`], [`Error::SetSpec`].
    pub fn parse(object: &Object) -> Result<Self, Error> {
        if object.api_version() != "argoproj.io/v1alpha1" || !Self::is(object) {
            return Err(Error::NotAnApplication { key: Box::new(object.key()) });
        }
        let failed = |reason: String| Error::SetSpec { name: object.name().to_owned(), reason };
        if object.name().is_empty() {
            return Err(failed("it has no name".into()));
        }
        let spec = object.spec().ok_or_else(|| failed("it has no spec".into()))?;
        let spec = Spec::deserialize(spec).map_err(|error| failed(format!("spec: {error}")))?;
        if spec.generators.is_empty() {
            return Err(failed("spec.generators names none".into()));
        }
        if !spec.template.is_object() {
            return Err(failed("spec.template is missing".into()));
        }
        Ok(ApplicationSet {
            name: object.name().to_owned(),
            namespace: object.namespace().unwrap_or("argocd").to_owned(),
            generators: spec.generators,
            template: spec.template,
            template_patch: spec.template_patch,
            go_template: spec.go_template,
            go_template_options: spec.go_template_options,
            policy: spec.sync_policy.unwrap_or_default(),
            preserved: spec.preserved_fields.unwrap_or_default(),
            ignored: spec.ignore_application_differences,
            object: object.clone(),
        })
    }

    /// Its key.
    pub fn key(&self) -> ObjectKey {
        let mut key = self.object.key();
        key.namespace = Some(self.namespace.clone());
        key
    }

    /// What may be done to Applications that are there.
    pub fn applications_sync(&self) -> ApplicationsSync {
        self.policy.applications_sync.unwrap_or_default()
    }

    /// The seconds after which its generators are asked again; nothing where only changes of the cluster count.
    pub fn asks_again(&self) -> Option<u64> {
        self.generators.iter().filter_map(fields::asks_again).min()
    }

    /// Fields that are not acted on, from the object's root, each once.
    pub fn not_acted_on(&self) -> Vec<String> {
        fields::not_acted_on(self.object.spec().unwrap_or(&Value::Null))
    }

    /// How many fields it has that say something: what [`ApplicationSet::not_acted_on`] is a part of.
    pub fn field_count(&self) -> usize {
        fields::count(self.object.spec().unwrap_or(&Value::Null))
    }
}
