use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Address, Components, Connections, ContainerName, ContextName, Facts, Glob, HeaderName, HostPattern, HttpMethod,
    ImageRepository, LoggedCheck, Maturity, Namespace, ObjectName, OnSmokeFailure, Operators, PrintsCheck, ReleaseName,
    Secrets, Simulated, SimulatedName, Span, TreePath, Url, VersionCheck, WorkloadRef,
};

/// One place where the system runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// The cluster: `embedded`, or a context of the kubeconfig.
    #[serde(default, skip_serializing_if = "ClusterTarget::is_unset")]
    pub cluster: ClusterTarget,
    /// Helm releases delivered here, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<ReleaseSpec>,
    /// Argo `Application` files (globs from the file's directory) delivered here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applications: Option<OneOrMany<Glob>>,
    /// Operators that the system leans on, installed by `landfall addon install`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<AddonSpec>,
    /// Images built from this repository, by service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = ObjectName::shape()))]
    pub build: BTreeMap<String, Build>,
    /// What containers do on the embedded cluster, by the name of their workload; nothing else is pretended.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = SimulatedName::shape()))]
    pub simulate: BTreeMap<String, Simulated>,
    /// Which operators are simulated on the embedded cluster; each is, until the real one acts there.
    #[serde(default, skip_serializing_if = "Operators::is_empty")]
    pub operators: Operators,
    /// Whether changes in git are delivered without being asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<Sync>,
    /// Which image tags may run here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Images>,
    /// What the public host names must resolve to, and which there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Hosts>,
    /// What is true of the place, for `landfall doctor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// Which components may be public, and which may not be here at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<Components>,
    /// Servers with a limit of connections, and who opens how many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<Connections>,
    /// How far the place has come, by what customers rely on: `{backup: open, restore: done}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub maturity: BTreeMap<String, Maturity>,
    /// The keys this environment needs, and how they come to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Secrets>,
    /// Checks run after each delivery.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// What the server does when one fails after a sync: `alert` (tell it), `hold` or `revert`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_smoke_failure: Option<OnSmokeFailure>,
}

/// The cluster an environment lives on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClusterTarget {
    /// The cluster inside Landfall's own process.
    #[default]
    #[serde(skip)]
    Unset,
    /// A word: only `embedded`.
    Named(ClusterName),
    /// A context of the kubeconfig.
    Remote(RemoteCluster),
}

/// A cluster that needs no kubeconfig.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClusterName {
    /// The cluster inside Landfall's own process.
    Embedded,
}

/// A cluster reached through a kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteCluster {
    /// The kubeconfig's context; a command that points elsewhere is refused.
    pub context: ContextName,
    /// Whether the environment refuses uncommitted changes and asks for its name before it changes.
    #[serde(default)]
    pub protected: bool,
}

impl ClusterTarget {
    fn is_unset(&self) -> bool {
        *self == ClusterTarget::Unset
    }

    /// The remote cluster, or `None` for the embedded one.
    pub fn remote(&self) -> Option<&RemoteCluster> {
        match self {
            ClusterTarget::Remote(remote) => Some(remote),
            ClusterTarget::Unset | ClusterTarget::Named(ClusterName::Embedded) => None,
        }
    }
}

/// A Helm release of the system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseSpec {
    /// The release's name.
    pub name: ReleaseName,
    /// The chart's directory, from the file's directory.
    pub chart: TreePath,
    /// Where it is installed; created when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Values files, later ones win; paths from the chart's directory first, then from the file's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<TreePath>,
    /// Single values (`path: value`), stronger than the files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, serde_json::Value>,
    /// Whether its failure leaves the rest of the system delivered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// An operator that the system leans on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddonSpec {
    /// Its name, as `landfall addon list` shows it.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its chart's version; the newest one when absent, and the installed one once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub version: Option<String>,
    /// Its chart's directory, from the file's directory, instead of its maintainers' repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<TreePath>,
    /// Where it is installed, when not where it is by custom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// One image build.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Build {
    /// The build context's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<TreePath>,
    /// The Dockerfile, from the file's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<TreePath>,
    /// The stage of the Dockerfile that is built, when it is not the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub target: Option<String>,
    /// Build arguments: name of the argument to the values path it is read from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
    /// The image's repository, when it is not the one the workload of this name uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRepository>,
}

/// Whether git's changes are delivered without being asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Sync {
    /// `auto` or `manual`.
    Mode(SyncMode),
    /// `manual` by named owners.
    Owned {
        /// `auto` or `manual`.
        mode: SyncMode,
        /// Who may deliver.
        owners: Vec<String>,
    },
}

/// How deliveries start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyncMode {
    /// Each change in git is delivered.
    Auto,
    /// A person starts each delivery.
    Manual,
}

/// Which image tags may run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Images {
    /// The tags' shape.
    pub policy: ImagePolicy,
    /// With `semver`: the channel, one of `alpha`, `rc`, `stable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Which published tags `landfall images scan` chooses, by repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow: Vec<Follow>,
}

/// Which of a repository's published tags is chosen, by one of `semver`, `numerical`, `alphabetical` and `newest`; or which
/// version of a chart, by `semver`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Follow {
    /// The repository of images, without a tag: `ghcr.io/acme/web`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Instead of images: a chart by its name, where Applications take it from a repository of charts (`targetRevision`) and
    /// charts depend on it (`Chart.yaml`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
    /// The highest version of a range, as `>=1.2 <2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<String>,
    /// By size, as numbers of any length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerical: Option<TagOrder>,
    /// By their letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alphabetical: Option<TagOrder>,
    /// By when their images were made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newest: bool,
    /// The tags that are looked at, as a regular expression (RE2); all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<String>,
    /// The tags that are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<String>,
    /// What of a tag is compared, with the groups of `include`: `$ts`; the whole tag when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<String>,
}

/// Which end of an order is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TagOrder {
    /// The largest.
    Asc,
    /// The smallest.
    Desc,
}

/// The shape of image tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImagePolicy {
    /// `sha-<commit>`.
    CommitSha,
    /// Both: `sha-<commit>` from pipelines, semantic versions by hand.
    CommitShaOrSemver,
    /// Semantic versions.
    Semver,
}

/// How finished a version must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// `x.y.z-alpha.…`
    Alpha,
    /// `x.y.z-rc.…`
    Rc,
    /// `x.y.z`
    Stable,
}

/// What public host names must resolve to, and which there may be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hosts {
    /// An address, or several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<OneOrMany<Address>>,
    /// The only host names that may be routed here, `*.example.com` for any one label; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<OneOrMany<HostPattern>>,
}

/// A check made after each delivery: one question, and what its answer must be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// The check's name in reports.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The address asked; or one of `exec`, `logs` and `rollout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Url>,
    /// The request's method; `GET`, or `POST` when there is a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// The request's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The request's headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = HeaderName::shape()))]
    pub headers: BTreeMap<String, String>,
    /// The status the answer must have; any of 200–399 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<u16>,
    /// Where the answer must send on to; its status is one of 300–399 then, where none is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<Url>,
    /// The version that the answer must tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionCheck>,
    /// A line that the request must leave in a log within 10 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged: Option<LoggedCheck>,
    /// A command run in a container, which must end with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecCheck>,
    /// The value of a Secret that the command of `exec` must print, and nothing else: who keeps a copy of it has the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prints: Option<PrintsCheck>,
    /// The workload whose log must hold the text of `contains`: `NAME`, `KIND/NAME` or `NAMESPACE/KIND/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<WorkloadRef>,
    /// The workload that must be rolled out and available, named as for `logs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<WorkloadRef>,
    /// The release or Application that it is about: where that is left out of a delivery, so is the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseName>,
    /// A text the answer's body, the command's output or the log must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub contains: Option<String>,
    /// How long the check may take in all, tries included, as `30s` or `2m`; 30 s when absent, 10 s for a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// A command run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecCheck {
    /// The workload: `NAME`, `KIND/NAME` or `NAMESPACE/KIND/NAME`.
    pub workload: WorkloadRef,
    /// The container; the first one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerName>,
    /// The command and its arguments.
    #[schemars(length(min = 1))]
    pub argv: Vec<String>,
}

/// One text or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T = String> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T: AsRef<str>> OneOrMany<T> {
    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let slice = match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many.as_slice(),
        };
        slice.iter().map(T::as_ref)
    }
}
