use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use landfall_chart::Dialect;
use landfall_cluster::Propagation;
use landfall_engine::{Desired, Live, MadeNamespace, Plan, plan};
use serde::{Deserialize, Serialize};

use crate::codec::SYSTEM_LABELS;
use crate::compile::{Compiler, Moment};
use crate::{Content, Error, Info, Record, Releases, Status, validate_release_name};

/// What is waited for after the objects are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// Nothing.
    #[default]
    No,
    /// Workloads ready, claims bound, load balancers served.
    Ready,
    /// The same, and Jobs completed.
    ReadyAndJobs,
}

/// Whether hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HookRuns {
    /// They do.
    #[default]
    Run,
    /// They do not (`--no-hooks`).
    Skip,
}

/// Whether objects are replaced as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Force {
    /// They are patched.
    #[default]
    No,
    /// They are replaced (`--force`).
    Replace,
}

/// What becomes of a changed object that is a hook of Argo CD, and to Helm an object like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ArgoHooks {
    /// It is patched, as Helm does; a Job refuses that.
    #[default]
    Patched,
    /// It is made anew, as Argo CD does.
    Remade,
}

/// What happens to objects that exist and are not the release's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnershipCheck {
    /// The operation is refused.
    #[default]
    Strict,
    /// As [`OwnershipCheck::Strict`], but the release's own namespace is taken where nobody has marked it as theirs:
    /// something had to make it before the release could, a first Secret for example.
    AdoptNamespace,
    /// They are taken into the release (`--take-ownership`).
    Take,
}

/// Who merges what is wanted with what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Apply {
    /// We do, as Helm 3.
    #[default]
    ClientSide,
    /// The server does, as Helm 4.
    ServerSide,
    /// The server does, and gives us the fields that others own (`--force-conflicts`).
    ServerSideTakingOver,
}

impl Apply {
    /// As Helm 4 records it (`apply_method`).
    pub fn word(self) -> &'static str {
        match self {
            Apply::ClientSide => "csa",
            Apply::ServerSide | Apply::ServerSideTakingOver => "ssa",
        }
    }
}

/// What becomes of the objects behind one that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remainder {
    /// They are left alone.
    #[default]
    LeftAlone,
    /// They are written, as Helm does.
    Written,
}

/// What becomes of the pods of objects that are updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pods {
    /// Their controllers see to them.
    #[default]
    LeftAlone,
    /// They are deleted, so that they are made anew (`--recreate-pods`).
    Recreated,
}

/// What install, upgrade and rollback have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployOptions {
    /// Whether hooks run.
    pub hooks: HookRuns,
    /// What is waited for.
    pub wait: Wait,
    /// The time each wait and each hook may take.
    pub timeout: Duration,
    /// Whether objects are replaced.
    pub force: Force,
    /// What becomes of Argo CD's hooks.
    pub argo_hooks: ArgoHooks,
    /// What happens to foreign objects.
    pub ownership: OwnershipCheck,
    /// A description in place of Helm's.
    pub description: Option<String>,
    /// Whether a failure is undone (`--atomic`): an install is uninstalled, an upgrade rolled back.
    pub atomic: bool,
    /// Whether objects created by a failed attempt are deleted (`--cleanup-on-fail`).
    pub cleanup_on_fail: bool,
    /// How many revisions are kept; 0 keeps all.
    pub max_history: usize,
    /// Who merges.
    pub apply: Apply,
    /// Whose manner the record is written in: Helm 4's says who merged.
    pub dialect: Dialect,
    /// What becomes of the objects behind one that fails.
    pub remainder: Remainder,
    /// What becomes of the pods of updated objects.
    pub pods: Pods,
}

impl Default for DeployOptions {
    fn default() -> Self {
        DeployOptions {
            hooks: HookRuns::Run,
            wait: Wait::No,
            timeout: Duration::from_secs(300),
            force: Force::No,
            argo_hooks: ArgoHooks::Patched,
            ownership: OwnershipCheck::Strict,
            description: None,
            atomic: false,
            cleanup_on_fail: false,
            max_history: 10,
            apply: Apply::ClientSide,
            dialect: Dialect::V3,
            remainder: Remainder::LeftAlone,
            pods: Pods::LeftAlone,
        }
    }
}

/// How a release is installed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstallOptions {
    /// What all have in common.
    pub deploy: DeployOptions,
    /// Whether the namespace is created when it is absent.
    pub create_namespace: bool,
    /// Whether the name of an uninstalled or failed release may be used again (`--replace`).
    pub replace: bool,
    /// Whether the files under `crds/` are left out.
    pub skip_crds: bool,
    /// Whether it is only tried (`--dry-run`): the name may be taken.
    pub rehearsal: bool,
}

/// How a release is upgraded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpgradeOptions {
    /// What all have in common.
    pub deploy: DeployOptions,
}

/// How a release is rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollbackOptions {
    /// What all have in common.
    pub deploy: DeployOptions,
    /// The revision to go back to; 0 is the one before the last.
    pub revision: i64,
}

/// How a release is uninstalled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UninstallOptions {
    /// Whether hooks run.
    pub hooks: HookRuns,
    /// Whether the records are kept.
    pub keep_history: bool,
    /// Whether the objects' end is waited for.
    pub wait: bool,
    /// The time each wait and each hook may take.
    pub timeout: Duration,
    /// What becomes of dependents.
    pub propagation: Propagation,
    /// Whether volume claims stay, as if their chart had asked for it.
    pub keep_claims: bool,
    /// A description in place of Helm's.
    pub description: Option<String>,
    /// What becomes of the objects behind one that fails.
    pub remainder: Remainder,
}

impl Default for UninstallOptions {
    fn default() -> Self {
        UninstallOptions {
            hooks: HookRuns::Run,
            keep_history: false,
            wait: false,
            timeout: Duration::from_secs(300),
            propagation: Propagation::Background,
            keep_claims: false,
            description: None,
            remainder: Remainder::LeftAlone,
        }
    }
}

/// Which test hooks run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestFilter {
    /// Only this one (`name=…`).
    Only(String),
    /// All but this one (`!name=…`).
    Not(String),
}

/// How a release is tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOptions {
    /// The time each hook may take.
    pub timeout: Duration,
    /// Which hooks run; all when empty.
    pub filters: Vec<TestFilter>,
}

/// What kind of operation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verb {
    Install,
    Upgrade,
    Rollback,
    Uninstall,
    Test,
}

/// All that has to be known to keep an operation's records, also by a process that resumes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Course {
    pub(crate) verb: Verb,
    /// The record that the operation writes.
    pub(crate) record: Record,
    /// Its labels, which a record does not carry.
    pub(crate) labels: BTreeMap<String, String>,
    /// The revision that the operation starts from.
    pub(crate) from: Option<i64>,
    pub(crate) description: Option<String>,
    pub(crate) create_namespace: bool,
    pub(crate) keep_history: bool,
    pub(crate) max_history: usize,
    pub(crate) atomic: bool,
    pub(crate) cleanup_on_fail: bool,
    pub(crate) timeout_seconds: u64,
    /// How a failure is undone: as the operation itself was to be done.
    #[serde(default)]
    pub(crate) no_hooks: bool,
    #[serde(default)]
    pub(crate) wait_for_jobs: bool,
    #[serde(default)]
    pub(crate) force_replace: bool,
    #[serde(default)]
    pub(crate) apply: Apply,
    #[serde(default)]
    pub(crate) helm_4: bool,
    #[serde(default)]
    pub(crate) remainder: Remainder,
}

/// An operation ready to be shown and carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What will be done.
    pub plan: Plan,
    /// The record that will be written.
    pub record: Record,
    /// The deployed record that it follows.
    pub current: Option<Record>,
    /// The live objects that the plan was made from.
    pub live: Live,
    pub(crate) course: Course,
}

impl Prepared {
    /// Takes the namespaces that were made for its trial as what the plan saw.
    pub fn adopt(&mut self, made: &[MadeNamespace]) {
        self.plan.adopt(made);
    }

    /// Whether `up` has nothing to do: chart, values, manifest and hooks are those of the deployed revision, and no
    /// live object would change.
    pub fn is_noop(&self) -> bool {
        let deployed = self.current.as_ref().filter(|current| current.info.status == Status::Deployed);
        deployed.is_some_and(|current| current.delivers_the_same(&self.record)) && self.plan.changes_nothing()
    }
}

impl Releases {
    /// Prepares a first installation.
    ///
    /// # Errors
    /// [`Error::InvalidName`], [`Error::NameInUse`], [`Error::Foreign`], [`Error::Build`], [`Error::Manifest`], and
    /// what planning refuses.
    pub async fn prepare_install(
        &self,
        name: &str,
        content: Content,
        options: &InstallOptions,
    ) -> Result<Prepared, Error> {
        validate_release_name(name)?;
        check_labels(&content)?;
        let history = self.history(name).await?;
        let last = history.last();
        if let Some(last) = last {
            let free = options.replace && matches!(last.info.status, Status::Uninstalled | Status::Failed);
            if !free && !options.rehearsal {
                return Err(Error::NameInUse { name: name.to_owned() });
            }
        }
        let now = self.clock.now();
        let info = begun(&content, now);
        let crds = if options.skip_crds { Vec::new() } else { content.crds.clone() };
        let version = match last {
            Some(last) if !options.rehearsal => last.version + 1,
            _ => 1,
        };
        let record = self.new_record(name, content, info, version, &options.deploy);
        let mut compiler = Compiler::new(self, &options.deploy, "install");
        compiler.crds(&crds);
        if options.create_namespace {
            compiler.namespace();
        }
        compiler.hooks(&record, Moment::PreInstall).await?;
        let objects = compiler.build("release", &record.manifest).await?;
        compiler.resources(objects, Vec::new());
        compiler.wait();
        compiler.hooks(&record, Moment::PostInstall).await?;
        let desired = compiler.finish(name);
        let course =
            course(Verb::Install, &record, last.map(|last| last.version), &options.deploy, options.create_namespace);
        self.prepared(desired, record, None, course, &options.deploy, "install").await
    }

    /// Prepares an upgrade.
    ///
    /// # Errors
    /// [`Error::NothingDeployed`], [`Error::Pending`], and as [`Releases::prepare_install`].
    pub async fn prepare_upgrade(
        &self,
        name: &str,
        content: Content,
        options: &UpgradeOptions,
    ) -> Result<Prepared, Error> {
        validate_release_name(name)?;
        check_labels(&content)?;
        let (last, base) = self.base_of(name).await?;
        let now = self.clock.now();
        let info = Info {
            first_deployed: base.info.first_deployed,
            last_deployed: Some(now),
            description: "Preparing upgrade".into(),
            status: Status::PendingUpgrade,
            notes: content.notes.clone(),
            ..Info::default()
        };
        let mut content = content;
        // Labels of the last revision stay; an empty value takes one away (`--labels x=null`).
        let mut labels = base.labels.clone();
        for (label, value) in std::mem::take(&mut content.labels) {
            if value == "null" {
                labels.remove(&label)
            } else {
                labels.insert(label, value)
            };
        }
        content.labels = labels;
        let record = self.new_record(name, content, info, last.version + 1, &options.deploy);
        let mut compiler = Compiler::new(self, &options.deploy, "upgrade");
        compiler.hooks(&record, Moment::PreUpgrade).await?;
        let objects = compiler.build("new release", &record.manifest).await?;
        let before = compiler.build_current(&base.manifest).await?;
        let pods = compiler.pods(&objects).await?;
        compiler.resources(objects, before);
        compiler.recreate(pods);
        compiler.wait();
        compiler.hooks(&record, Moment::PostUpgrade).await?;
        let desired = compiler.finish(name);
        let course = course(Verb::Upgrade, &record, Some(base.version), &options.deploy, false);
        self.prepared(desired, record, Some(base), course, &options.deploy, "update").await
    }

    /// Prepares a rollback: the contents of an earlier revision as a new one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoRevision`], and as [`Releases::prepare_install`].
    pub async fn prepare_rollback(&self, name: &str, options: &RollbackOptions) -> Result<Prepared, Error> {
        validate_release_name(name)?;
        let history = self.history(name).await?;
        let Some(current) = history.last().cloned() else { return Err(Error::NotFound { name: name.to_owned() }) };
        let version = if options.revision == 0 { current.version - 1 } else { options.revision };
        let Some(target) = history.iter().find(|record| record.version == version) else {
            return Err(Error::NoRevision { name: name.to_owned(), version });
        };
        let mut record = target.clone();
        record.version = current.version + 1;
        record.further = apply_method(&options.deploy);
        record.info = Info {
            first_deployed: current.info.first_deployed,
            last_deployed: Some(self.clock.now()),
            // As Helm, the description says where it went, not how it ended.
            description: options.deploy.description.clone().unwrap_or_else(|| format!("Rollback to {version}")),
            status: Status::PendingRollback,
            notes: target.info.notes.clone(),
            further: match options.deploy.dialect {
                Dialect::V3 => BTreeMap::new(),
                Dialect::V4 => [("rollback_revision".to_owned(), version.into())].into(),
            },
            ..Info::default()
        };
        let mut compiler = Compiler::new(self, &options.deploy, "rollback");
        compiler.hooks(&record, Moment::PreRollback).await?;
        let objects = compiler.build("new release", &record.manifest).await?;
        let before = compiler.build_current(&current.manifest).await?;
        let pods = compiler.pods(&objects).await?;
        compiler.resources(objects, before);
        compiler.recreate(pods);
        compiler.wait();
        compiler.hooks(&record, Moment::PostRollback).await?;
        let desired = compiler.finish(name);
        let course = course(Verb::Rollback, &record, Some(current.version), &options.deploy, false);
        // Helm does not ask for ownership on the way back.
        let deploy = DeployOptions { ownership: OwnershipCheck::Take, ..options.deploy.clone() };
        self.prepared(desired, record, Some(current), course, &deploy, "rollback").await
    }

    /// Prepares the removal of a release.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::AlreadyDeleted`].
    pub async fn prepare_uninstall(&self, name: &str, options: &UninstallOptions) -> Result<Prepared, Error> {
        let mut record = self.last(name).await?;
        if record.info.status == Status::Uninstalled && options.keep_history {
            return Err(Error::AlreadyDeleted { name: name.to_owned() });
        }
        record.info.deleted = Some(self.clock.now());
        let gone_already = record.info.status == Status::Uninstalled;
        record.info.status = Status::Uninstalling;
        record.info.description = "Deletion in progress (or silently failed)".into();
        let deploy = DeployOptions {
            hooks: options.hooks,
            timeout: options.timeout,
            remainder: options.remainder,
            ..DeployOptions::default()
        };
        let mut compiler = Compiler::new(self, &deploy, "uninstall");
        if !gone_already {
            compiler.hooks(&record, Moment::PreDelete).await?;
            let before = compiler.build_current(&record.manifest).await?;
            compiler.removal(before, options);
            compiler.hooks(&record, Moment::PostDelete).await?;
        }
        let desired = compiler.finish(name);
        let mut course = course(Verb::Uninstall, &record, Some(record.version), &deploy, false);
        course.keep_history = options.keep_history;
        course.description.clone_from(&options.description);
        let current = record.clone();
        self.prepared(desired, record, Some(current), course, &deploy, "uninstall").await
    }

    /// Prepares a run of the last revision's test hooks.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn prepare_test(&self, name: &str, options: &TestOptions) -> Result<Prepared, Error> {
        let record = self.last(name).await?;
        let deploy = DeployOptions { timeout: options.timeout, ..DeployOptions::default() };
        let mut compiler = Compiler::new(self, &deploy, "test");
        let only: Vec<&String> = options
            .filters
            .iter()
            .filter_map(|filter| if let TestFilter::Only(name) = filter { Some(name) } else { None })
            .collect();
        let not: Vec<&String> = options
            .filters
            .iter()
            .filter_map(|filter| if let TestFilter::Not(name) = filter { Some(name) } else { None })
            .collect();
        let is_wanted =
            |hook: &crate::HookRecord| (only.is_empty() || only.contains(&&hook.name)) && !not.contains(&&hook.name);
        compiler.hooks_where(&record, Moment::Test, is_wanted).await?;
        let desired = compiler.finish(name);
        let course = course(Verb::Test, &record, Some(record.version), &deploy, false);
        let current = record.clone();
        self.prepared(desired, record, Some(current), course, &deploy, "test").await
    }

    /// The last revision and the one an upgrade starts from (pkg/action/upgrade.go, prepareUpgrade).
    ///
    /// # Errors
    /// [`Error::NothingDeployed`], [`Error::Pending`].
    pub async fn base_of(&self, name: &str) -> Result<(Record, Record), Error> {
        let history = self.history(name).await?;
        let Some(last) = history.last().cloned() else {
            return Err(Error::NothingDeployed { name: name.to_owned() });
        };
        if last.info.status.is_pending() {
            let since = last.info.last_deployed.unwrap_or_else(|| self.clock.now());
            let age = self.clock.now().as_second() - since.as_second();
            return Err(Error::Pending { name: name.to_owned(), status: last.info.status, age });
        }
        if last.info.status == Status::Deployed {
            return Ok((last.clone(), last));
        }
        if let Some(deployed) = history.iter().rev().find(|record| record.info.status == Status::Deployed) {
            return Ok((last, deployed.clone()));
        }
        if matches!(last.info.status, Status::Failed | Status::Superseded) {
            return Ok((last.clone(), last));
        }
        Err(Error::NothingDeployed { name: name.to_owned() })
    }

    fn new_record(&self, name: &str, content: Content, info: Info, version: i64, deploy: &DeployOptions) -> Record {
        record_of(name, &self.namespace, content, info, version, deploy)
    }

    async fn prepared(
        &self,
        mut desired: Desired,
        record: Record,
        current: Option<Record>,
        course: Course,
        deploy: &DeployOptions,
        verb: &'static str,
    ) -> Result<Prepared, Error> {
        // What has no name cannot be asked for; it is refused below.
        let mut keys = desired.keys();
        keys.retain(|key| !key.name.is_empty());
        let mut live = Live::new(self.cluster.get_all(&keys).await?);
        let keys = crate::compile::settle(&mut desired, &live, &record, deploy.ownership, verb)?;
        if !keys.is_empty() {
            live = Live::new(live.iter().cloned().chain(self.cluster.get_all(&keys).await?));
        }
        let plan = plan(&desired, &live)?;
        Ok(Prepared { plan, record, current, live, course })
    }
}

fn course(verb: Verb, record: &Record, from: Option<i64>, deploy: &DeployOptions, create_namespace: bool) -> Course {
    Course {
        verb,
        record: record.clone(),
        labels: record.labels.clone(),
        from,
        description: deploy.description.clone(),
        create_namespace,
        keep_history: false,
        max_history: deploy.max_history,
        atomic: deploy.atomic,
        cleanup_on_fail: deploy.cleanup_on_fail,
        timeout_seconds: deploy.timeout.as_secs(),
        no_hooks: deploy.hooks == HookRuns::Skip,
        wait_for_jobs: deploy.wait == Wait::ReadyAndJobs,
        force_replace: deploy.force == Force::Replace,
        apply: deploy.apply,
        helm_4: deploy.dialect == Dialect::V4,
        remainder: deploy.remainder,
    }
}

/// The record of a first installation that no cluster is asked about, as Helm 4's `install --dry-run=client` shows it.
///
/// # Errors
/// [`Error::InvalidName`] and [`Error::SystemLabel`].
pub fn first_record(
    name: &str,
    namespace: &str,
    content: Content,
    deploy: &DeployOptions,
    now: Timestamp,
) -> Result<Record, Error> {
    validate_release_name(name)?;
    check_labels(&content)?;
    let info = begun(&content, now);
    Ok(record_of(name, namespace, content, info, 1, deploy))
}

/// What is recorded of an installation that has begun.
fn begun(content: &Content, now: Timestamp) -> Info {
    Info {
        first_deployed: Some(now),
        last_deployed: Some(now),
        description: "Initial install underway".into(),
        status: Status::PendingInstall,
        notes: content.notes.clone(),
        ..Info::default()
    }
}

fn record_of(
    name: &str,
    namespace: &str,
    content: Content,
    info: Info,
    version: i64,
    deploy: &DeployOptions,
) -> Record {
    Record {
        name: name.to_owned(),
        info,
        chart: content.chart,
        config: content.config,
        manifest: content.manifest,
        hooks: content.hooks,
        version,
        namespace: namespace.to_owned(),
        further: apply_method(deploy),
        labels: content.labels,
    }
}

fn apply_method(deploy: &DeployOptions) -> BTreeMap<String, serde_json::Value> {
    match deploy.dialect {
        Dialect::V3 => BTreeMap::new(),
        Dialect::V4 => [("apply_method".to_owned(), deploy.apply.word().into())].into(),
    }
}

fn check_labels(content: &Content) -> Result<(), Error> {
    if content.labels.keys().any(|label| SYSTEM_LABELS.contains(&label.as_str())) {
        return Err(Error::SystemLabel);
    }
    Ok(())
}
