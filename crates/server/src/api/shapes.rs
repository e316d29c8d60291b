//! What the API takes and answers: types with a version, from which its OpenAPI document is made.
//!
//! Fields are only ever added. Nothing here can hold a secret: of sources no values are told, of Secrets no data, of
//! addresses no passwords.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An Application, by what nobody else is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Name {
    /// The namespace that it lives in itself.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Applications, as they were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listing {
    /// This page.
    pub items: Vec<Line>,
    /// How many there are on all pages.
    pub total: usize,
    /// How many stand before this page.
    pub offset: usize,
    /// How many of all pages stand how against their source.
    pub by_sync: BTreeMap<String, usize>,
    /// How many of all pages fare how.
    pub by_health: BTreeMap<String, usize>,
    /// The sets of Applications that err, whatever they have generated before and on whatever page that is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erring_sets: Vec<ErringSet>,
}

/// An ApplicationSet that cannot generate its Applications, or put in place what it generates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErringSet {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What is wrong with it, and what to type where something waits for an approval.
    pub message: String,
}

/// An Application in one line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// The namespace that it lives in itself.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its project.
    pub project: String,
    /// `Synced`, `OutOfSync` or `Unknown`.
    pub sync: String,
    /// `Healthy`, `Progressing`, `Degraded`, `Suspended`, `Missing` or `Unknown`.
    pub health: String,
    /// The phase of the operation that is under way: `Running`, `Terminating`; absent where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Where it comes from: the first source's repository, without user and password.
    pub repository: String,
    /// The path or chart in it.
    pub path: String,
    /// The revision that it follows.
    pub target_revision: String,
    /// What it was compared with: a commit or version for each source.
    pub revisions: Vec<String>,
    /// The cluster that it delivers to, by address or name.
    pub cluster: String,
    /// The namespace that it delivers to.
    pub destination: String,
    /// Whether it syncs by itself.
    pub automated: bool,
    /// The revisions to which it is pinned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<String>,
    /// Since when it fares so, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// An Application with all that is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Detail {
    /// In one line.
    #[serde(flatten)]
    pub line: Line,
    /// Its sources.
    pub sources: Vec<SourceLine>,
    /// How it syncs by itself: `prune`, `self-heal`, `allow-empty`.
    pub automation: Vec<String>,
    /// Its sync options.
    pub sync_options: Vec<String>,
    /// What is wrong with it, or to be known.
    pub conditions: Vec<ConditionLine>,
    /// Its objects.
    pub resources: Vec<ResourceLine>,
    /// The images of its objects.
    pub images: Vec<String>,
    /// The operation under way, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_operation: Option<OperationLine>,
    /// Whether an operation was asked for that has not ended.
    pub under_way: bool,
    /// Whether somebody has asked for a look that was not taken yet.
    pub refreshing: bool,
    /// Who pinned it and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<PinLine>,
    /// Who paused it and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<PauseLine>,
    /// When it was compared last, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_at: Option<String>,
    /// Whether it is being deleted.
    pub being_deleted: bool,
    /// The ApplicationSet that generates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated_by: Option<String>,
    /// What the declared checks found that were made last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<ChecksLine>,
}

/// What the declared checks found after a delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChecksLine {
    /// The delivery's number in the history.
    pub delivery: i64,
    /// When they had ended, RFC 3339.
    pub at: String,
    /// The environment that declares them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What each found.
    pub results: Vec<CheckLine>,
    /// Why they could not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What followed from a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed: Option<String>,
}

/// A declared check and what it found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckLine {
    /// Its name.
    pub name: String,
    /// What it asked.
    pub address: String,
    /// `passed`, `failed` or `not-simulated`.
    pub verdict: String,
    /// Why it has not passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether a simulated container answered.
    pub simulated: bool,
}

/// A source; values are left out, for they may be secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceLine {
    /// The repository, without user and password.
    pub repository: String,
    /// The directory in it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The chart in it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chart: String,
    /// The branch, tag, commit, version or range.
    pub target_revision: String,
    /// The name by which other sources reach it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// The values files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value_files: Vec<String>,
}

/// Something that is wrong with an Application, or to be known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionLine {
    /// `ComparisonError`, `SyncError`, `InvalidSpecError`, `DeletionError` or a warning.
    pub kind: String,
    /// In words.
    pub message: String,
    /// Since when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// An object, by what nobody else is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ObjectLine {
    /// The API group; empty for the core one.
    #[serde(default)]
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl std::fmt::Display for ObjectLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// An object of an Application, and how it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceLine {
    /// Which.
    #[serde(flatten)]
    pub object: ObjectLine,
    /// `Synced` or `OutOfSync`.
    pub sync: String,
    /// How it fares; absent for kinds without health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// Why it fares so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether the source no longer names it, so that pruning would delete it.
    #[serde(default)]
    pub requires_pruning: bool,
    /// Why it stays although the source no longer names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// An operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperationLine {
    /// `Running`, `Terminating`, `Succeeded`, `Failed` or `Error`.
    pub phase: String,
    /// In words.
    pub message: String,
    /// What it delivers.
    pub revisions: Vec<String>,
    /// Who asked for it: `automation`, or a name.
    pub initiated_by: String,
    /// When it began, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// How often it was tried again.
    pub retries: u64,
}

/// A pause.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PauseLine {
    /// By whom.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A pin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PinLine {
    /// To what.
    pub revisions: Vec<String>,
    /// By whom.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// The delivery that it was rolled back to, where that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<i64>,
    /// Why it stays, where that was said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// In what an Application differs from what is live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// Which Application.
    pub application: Name,
    /// What it was compared with.
    pub revisions: Vec<String>,
    /// `Synced` or `OutOfSync`.
    pub sync: String,
    /// The objects that differ, in the order of a sync; hooks take no part.
    pub objects: Vec<ObjectDiff>,
    /// What is to be known.
    pub notes: Vec<String>,
}

/// In what one object differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectDiff {
    /// Which.
    #[serde(flatten)]
    pub object: ObjectLine,
    /// What a sync would do: `create`, `change`, `replace`, `delete`, `keep`.
    pub action: String,
    /// Why.
    pub why: String,
    /// Field by field; values of Secrets are masked.
    pub fields: Vec<FieldDiff>,
}

/// In what one field differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldDiff {
    /// `spec.template.spec.containers[web].image`
    pub path: String,
    /// What is live; absent when nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Value>,
    /// What is wanted; absent when it is to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Value>,
    /// Who wrote what is live, where that was not the delivery itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerLine>,
    /// What wants it so: the values that count, with their lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wanted_by: Vec<WantLine>,
    /// The template's line that writes it, `templates/web.yaml:12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// Who wrote a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OwnerLine {
    /// The field manager: `kubectl-edit`, `kube-controller-manager`.
    pub manager: String,
    /// Since when, RFC 3339, where that is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// A value that a field is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WantLine {
    /// The path in the values.
    pub value: String,
    /// Where it is said: `values.prod.yaml:12:3`.
    pub at: String,
}

/// Why an Application stands as it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// Which Application.
    pub application: Name,
    /// How it stands against its source.
    pub sync: String,
    /// How it fares.
    pub health: String,
    /// What keeps it from standing well, what weighs most first.
    pub causes: Vec<Cause>,
}

/// A way from the Application to what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// The way, the root cause last.
    pub steps: Vec<CauseStep>,
    /// What to type or to edit.
    pub advice: Vec<String>,
}

/// A step on that way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CauseStep {
    /// `application`, `operation`, `object`, `pod`, `event` or `log`.
    pub level: String,
    /// What it is called.
    pub name: String,
    /// What it says.
    pub says: String,
}

/// An event of an object of an Application, or of what that has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventEntry {
    /// RFC 3339.
    pub at: String,
    /// `Normal` or `Warning`.
    pub kind: String,
    /// `FailedScheduling`, `BackOff`.
    pub reason: String,
    /// Of which object.
    pub object: ObjectLine,
    /// In words.
    pub message: String,
    /// How often.
    pub count: i64,
}

/// A delivery of an Application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// Its number, by which it is rolled back to.
    pub id: i64,
    /// What was delivered.
    pub revisions: Vec<String>,
    /// When it ended, RFC 3339.
    pub deployed_at: String,
    /// Who asked for it: `automation`, or a name.
    pub initiated_by: String,
    /// From where.
    pub sources: Vec<SourceLine>,
    /// Whether it is what is delivered now.
    pub current: bool,
}

/// A line of a container's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogEntry {
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// What it says.
    pub line: String,
}

/// A sync that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SyncWish {
    /// One a source; what the Application follows where none is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<String>,
    /// Whether objects that the source no longer names are deleted.
    pub prune: bool,
    /// The objects that alone take part, `GROUP:KIND:NAME` or `GROUP:KIND:NAMESPACE/NAME`; all where none is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Whether hooks are left out.
    pub without_hooks: bool,
    /// Sync options on top of the Application's own, `Replace=true`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// How often it is tried again when it fails; never where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
    /// Why it delivers what may not run there: audited, announced, and in the book of promotions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
}

/// A rollback that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RollbackWish {
    /// The delivery to go back to; the one before the present one where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Whether objects that the delivery did not have are deleted.
    pub prune: bool,
    /// Why it is to stay there: it is pinned then, also where it does not sync by itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A look that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RefreshWish {
    /// Whether nothing that was kept of the sources is used.
    pub hard: bool,
}

/// A pin that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PinWish {
    /// One a source; what is delivered now where none is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<String>,
    /// Whether the Application is let go of instead: it follows its sources again.
    pub release: bool,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// How an Application is to sync by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyWish {
    /// Whether it does.
    pub automated: AutomatedWish,
    /// Whether what the source no longer names is deleted then.
    pub prune: bool,
    /// Whether drift is put right then.
    pub self_heal: bool,
}

/// Whether an Application is to sync by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AutomatedWish {
    /// As it is declared now: an owner has looked at it.
    #[default]
    Accept,
    /// It does.
    On,
    /// It does not.
    Off,
}

/// A pause that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PauseWish {
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Whether the Application goes on instead.
    pub release: bool,
}

/// A deletion that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeleteWish {
    /// What becomes of the objects that it delivered.
    pub objects: Objects,
}

/// What becomes of an Application's objects with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Objects {
    /// They go first, and what depends on them before them; then the Application.
    #[default]
    Foreground,
    /// They go first; what depends on them goes by and by.
    Background,
    /// They stay, and the Application goes.
    Stay,
}

/// A change that was asked for and is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// Of which Application.
    pub application: Name,
    /// What: `sync`, `rollback`, `refresh`, `terminate`, `pin`, `release`, `policy`, `pause`, `resume`, `delete`.
    pub change: String,
    /// What is delivered, where that is known already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<String>,
    /// Whether the Application is pinned from now on.
    #[serde(default)]
    pub pinned: bool,
}

/// A change of an Application, as the stream tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// When, RFC 3339.
    pub at: String,
    /// Whether it is gone.
    pub gone: bool,
    /// As it is now, or was last.
    pub application: Line,
}

/// Something that somebody changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditLine {
    /// Counted from 1.
    pub number: i64,
    /// RFC 3339.
    pub at: String,
    /// Who.
    pub actor: String,
    /// What: `application.sync`, `token.issue`.
    pub action: String,
    /// To what: `argocd/shop`.
    pub target: String,
    /// What it was asked with.
    pub detail: Value,
    /// How it ended, in words; absent where the process did not live to say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// Why something that was asked for was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The diagnostic's code; `landfall explain LF0720` tells more.
    pub code: String,
    /// What could not be done.
    pub message: String,
    /// Further facts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What to type or to edit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

/// What is asked of a list of Applications.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Of these projects alone.
    pub projects: Vec<String>,
    /// That stand so against their source.
    pub sync: Vec<String>,
    /// That fare so.
    pub health: Vec<String>,
    /// Of that name alone.
    pub name: Option<String>,
    /// In that namespace alone.
    pub namespace: Option<String>,
    /// Whose repository this is.
    pub repository: Option<String>,
    /// Whose name, project, repository or path has this in it.
    pub search: Option<String>,
    /// By what they are sorted: `name`, `project`, `sync`, `health`, `since`; from the end with `-` in front.
    pub sort: Option<String>,
    /// How many are left out in front.
    pub offset: usize,
    /// How many there are at most on the page.
    pub limit: Option<usize>,
}

/// Which logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Of that object alone, `deployment/web` or `web`.
    pub object: Option<String>,
    /// Of that container alone.
    pub container: Option<String>,
    /// The last lines of each container.
    pub tail: Option<u32>,
    /// Of the containers' earlier run.
    pub previous: bool,
    /// With times.
    pub timestamps: bool,
    /// Of a hook of that name, or what the declared `checks` found.
    pub hook: Option<String>,
}
