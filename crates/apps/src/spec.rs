use landfall_object::{Object, ObjectKey};
use serde::Deserialize;
use serde_json::Value;

use crate::{Error, ResourceOptions};

/// An Argo CD Application, as far as one delivery needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// The namespace that the Application itself lives in.
    pub namespace: String,
    /// Its project.
    pub project: String,
    /// Where it delivers to.
    pub destination: Destination,
    /// What it delivers; several are laid over each other, a later one winning.
    pub sources: Vec<Source>,
    /// How it is kept in sync.
    pub policy: SyncPolicy,
    /// Differences that do not count.
    pub ignore_differences: Vec<IgnoreDifference>,
    /// The object as it was read.
    pub object: Object,
}

/// Where an Application delivers to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Destination {
    /// The API server's address.
    pub server: String,
    /// The cluster's name.
    pub name: String,
    /// The namespace for objects that name none.
    pub namespace: String,
}

/// One source.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Source {
    /// A git repository, a chart repository, or an OCI registry.
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    /// The directory in a git repository.
    pub path: String,
    /// A branch, tag, commit, or a chart's version or range.
    pub target_revision: String,
    /// The chart in a chart repository.
    pub chart: String,
    /// The name by which other sources' value files reach this one.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Settings for Helm.
    pub helm: Option<HelmSource>,
    /// Settings for Kustomize, not interpreted.
    pub kustomize: Option<Value>,
    /// Settings for plain directories.
    pub directory: Option<DirectorySource>,
    /// A plugin, not interpreted.
    pub plugin: Option<Value>,
}

/// Settings for Helm.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HelmSource {
    /// Values files, relative to the chart, or `$ref/path`.
    pub value_files: Vec<String>,
    /// As `--set` and `--set-string`.
    pub parameters: Vec<HelmParameter>,
    /// As `--set-file`.
    pub file_parameters: Vec<FileParameter>,
    /// The release's name; the Application's when empty.
    pub release_name: String,
    /// Values as YAML text.
    pub values: String,
    /// Values as an object; wins over `values`.
    pub values_object: Option<Value>,
    /// Whether a values file may be missing.
    pub ignore_missing_value_files: bool,
    /// Whether `crds/` is left out.
    #[serde(rename = "skipCrds")]
    pub skip_crds: bool,
    /// Whether test hooks are left out.
    pub skip_tests: bool,
    /// Whether the values' schema is not checked.
    pub skip_schema_validation: bool,
    /// The namespace to render for; the destination's when empty.
    pub namespace: String,
    /// The Kubernetes version to render for.
    pub kube_version: String,
    /// API versions to render for.
    pub api_versions: Vec<String>,
}

/// A value set by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HelmParameter {
    /// The path.
    pub name: String,
    /// The value.
    pub value: String,
    /// Whether it stays a text whatever it looks like.
    pub force_string: bool,
}

/// A value read from a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FileParameter {
    /// The path of the value.
    pub name: String,
    /// The file.
    pub path: String,
}

/// Settings for plain directories.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DirectorySource {
    /// Whether subdirectories are read.
    pub recurse: bool,
    /// Only files of this glob.
    pub include: String,
    /// No files of this glob.
    pub exclude: String,
    /// Settings for Jsonnet, not interpreted: its files are refused, and where there are none they say nothing.
    pub jsonnet: Option<Value>,
}

/// How an Application is kept in sync.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SyncPolicy {
    /// Whether and how it syncs by itself.
    pub automated: Option<Automated>,
    /// Options as written: `CreateNamespace=true`.
    pub sync_options: Vec<String>,
    /// Labels and annotations for a namespace it creates.
    pub managed_namespace_metadata: Option<Value>,
    /// How often a sync that fails is tried again, as written.
    pub retry: Option<Value>,
}

/// Automated sync.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Automated {
    /// Whether objects no longer wanted are deleted.
    pub prune: Option<bool>,
    /// Whether drift is put right.
    pub self_heal: Option<bool>,
    /// Whether everything may be pruned.
    pub allow_empty: Option<bool>,
    /// Off when false; on when absent.
    pub enabled: Option<bool>,
}

/// Differences that do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IgnoreDifference {
    /// The API group, a glob.
    pub group: String,
    /// The kind, a glob.
    pub kind: String,
    /// The name; all when empty.
    pub name: String,
    /// The namespace; all when empty.
    pub namespace: String,
    /// The fields.
    pub json_pointers: Vec<String>,
    /// Fields by jq expressions.
    pub jq_path_expressions: Vec<String>,
    /// Fields of these managers.
    pub managed_fields_managers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    project: String,
    #[serde(default)]
    destination: Destination,
    source: Option<Source>,
    #[serde(default)]
    sources: Vec<Source>,
    sync_policy: Option<SyncPolicy>,
    #[serde(default)]
    ignore_differences: Vec<IgnoreDifference>,
    source_hydrator: Option<Value>,
}

impl Application {
    /// Reads an Application; fields that are not known are left to Argo CD.
    ///
    /// # Errors
    /// [`Error::NotAnApplication`], [`Error::Spec`], [`Error::Unfit`].
    pub fn parse(object: &Object) -> Result<Self, Error> {
        if object.api_version() != "argoproj.io/v1alpha1" || object.kind() != "Application" {
            return Err(Error::NotAnApplication { key: Box::new(object.key()) });
        }
        let failed = |reason: String| Error::Spec { name: object.name().to_owned(), reason };
        if object.name().is_empty() {
            return Err(failed("it has no name".into()));
        }
        let faults = crate::fault::faults(object);
        if !faults.is_empty() {
            return Err(Error::Unfit { name: object.name().to_owned(), faults });
        }
        let spec = object.spec().ok_or_else(|| failed("it has no spec".into()))?;
        let spec = Spec::deserialize(spec).map_err(|error| failed(format!("spec: {error}")))?;
        // It comes before every other source: whatever else stands there is not what is meant.
        if spec.source_hydrator.is_some() {
            let why = "spec.sourceHydrator: no branch is filled with what manifests render to here";
            return Err(failed(format!("{why}; name in spec.source what is to be delivered")));
        }
        // As Argo CD: `source` does not count when `sources` is set.
        let sources = if spec.sources.is_empty() { spec.source.into_iter().collect() } else { spec.sources };
        if sources.is_empty() {
            return Err(failed("spec.source is missing".into()));
        }
        for source in &sources {
            if source.repo_url.is_empty() {
                return Err(failed("spec.source.repoURL is missing".into()));
            }
        }
        if !spec.destination.server.is_empty() && !spec.destination.name.is_empty() {
            return Err(failed("spec.destination names both a server and a cluster".into()));
        }
        Ok(Application {
            name: object.name().to_owned(),
            namespace: object.namespace().unwrap_or("argocd").to_owned(),
            project: if spec.project.is_empty() { "default".into() } else { spec.project },
            destination: spec.destination,
            sources,
            policy: spec.sync_policy.unwrap_or_default(),
            ignore_differences: spec.ignore_differences,
            object: object.clone(),
        })
    }

    /// Its key.
    pub fn key(&self) -> ObjectKey {
        let mut key = self.object.key();
        key.namespace = Some(self.namespace.clone());
        key
    }

    /// What the engine knows it by.
    pub fn target(&self) -> String {
        format!("application {}/{}", self.namespace, self.name)
    }

    /// The name of the application that the engine knows by that.
    pub(crate) fn name_of(target: &str) -> Option<&str> {
        target.strip_prefix("application ")?.rsplit_once('/').map(|(_, name)| name)
    }

    /// The name of the release that a Helm source is rendered as.
    pub fn release_name(&self, source: &Source) -> String {
        let named = source.helm.as_ref().map(|helm| helm.release_name.as_str()).filter(|name| !name.is_empty());
        named.unwrap_or(&self.name).to_owned()
    }

    /// Whether it syncs by itself.
    pub fn is_automated(&self) -> bool {
        self.policy.automated.is_some_and(|automated| automated.enabled.unwrap_or(true))
    }

    /// The same with fields whose differences do not count delivered as they are.
    #[must_use]
    pub(crate) fn respecting_ignored(mut self) -> Self {
        self.policy.sync_options.push("RespectIgnoreDifferences=true".into());
        self
    }

    /// Fields that are not acted on, from the object's root, each once.
    pub fn not_acted_on(&self) -> Vec<String> {
        crate::sets::application_not_acted_on(&self.object)
    }

    /// How many fields of its specification say something: what [`Application::not_acted_on`] is a part of.
    pub fn field_count(&self) -> usize {
        crate::sets::field_count(&self.object)
    }

    /// Whether an object of its may be of a kind that is served only once others run.
    pub fn may_come_later(&self, object: &Object) -> bool {
        self.options().skip_missing || ResourceOptions::of(object).options.skip_missing
    }

    /// Its sync options.
    pub fn options(&self) -> SyncOptions {
        SyncOptions::parse(self.policy.sync_options.iter().map(String::as_str))
    }
}

/// Sync options of an Application (docs/user-guide/sync-options.md).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncOptions {
    /// `CreateNamespace=true`
    pub create_namespace: bool,
    /// `Prune=false`
    pub no_prune: bool,
    /// `Prune=confirm`
    pub prune_confirmed: bool,
    /// `Delete=false`
    pub no_delete: bool,
    /// `Delete=confirm`
    pub delete_confirmed: bool,
    /// `PruneLast=true`
    pub prune_last: bool,
    /// `Replace=true`
    pub replace: bool,
    /// `Force=true`: delete and create where the server refuses a change, with `Replace=true` in any case.
    pub force: bool,
    /// `ServerSideApply=false`
    pub no_server_side: bool,
    /// `RespectIgnoreDifferences=true`
    pub respect_ignore_differences: bool,
    /// `FailOnSharedResource=true`
    pub fail_on_shared: bool,
    /// `SkipDryRunOnMissingResource=true`
    pub skip_missing: bool,
    /// `Validate=false`
    pub no_validation: bool,
    /// `PrunePropagationPolicy=…`; foreground when absent.
    pub propagation: landfall_cluster::Propagation,
    /// Options that are not acted on, as written.
    pub not_acted_on: Vec<String>,
}

impl Default for SyncOptions {
    fn default() -> Self {
        SyncOptions {
            create_namespace: false,
            no_prune: false,
            prune_confirmed: false,
            no_delete: false,
            delete_confirmed: false,
            prune_last: false,
            replace: false,
            force: false,
            no_server_side: false,
            respect_ignore_differences: false,
            fail_on_shared: false,
            skip_missing: false,
            no_validation: false,
            propagation: landfall_cluster::Propagation::Foreground,
            not_acted_on: Vec::new(),
        }
    }
}

impl SyncOptions {
    /// Reads options; later ones win.
    pub fn parse<'a>(options: impl Iterator<Item = &'a str>) -> Self {
        use landfall_cluster::Propagation;
        let mut read = SyncOptions::default();
        for option in options {
            let option = option.trim();
            let (name, value) = option.split_once('=').unwrap_or((option, "true"));
            let on = value == "true";
            match name {
                "CreateNamespace" => read.create_namespace = on,
                "Prune" => (read.no_prune, read.prune_confirmed) = (value == "false", value == "confirm"),
                "Delete" if matches!(value, "true" | "false" | "confirm") => {
                    (read.no_delete, read.delete_confirmed) = (value == "false", value == "confirm");
                }
                "PruneLast" => read.prune_last = on,
                "Replace" => read.replace = on,
                "Force" => read.force = on,
                "ServerSideApply" => read.no_server_side = value == "false",
                "RespectIgnoreDifferences" => read.respect_ignore_differences = on,
                "FailOnSharedResource" => read.fail_on_shared = on,
                "SkipDryRunOnMissingResource" => read.skip_missing = on,
                "PrunePropagationPolicy" => {
                    read.propagation = match value {
                        "background" => Propagation::Background,
                        "orphan" => Propagation::Orphan,
                        _ => Propagation::Foreground,
                    }
                }
                // Without meaning here: only differences are written in any case, and the server validates.
                "ApplyOutOfSyncOnly" | "" => {}
                "Validate" => read.no_validation = value == "false",
                _ => read.not_acted_on.push(option.to_owned()),
            }
        }
        read
    }
}
