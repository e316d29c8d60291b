use std::collections::{BTreeMap, BTreeSet};

use landfall_cluster::{JobWait, ListOptions, Propagation, Scope};
use landfall_engine::{
    Criterion, DeletePolicy, Desired, DesiredPhase, Hook, Item, Live, LogPolicy, Method, PhaseRuns, Task, WaitFor,
    kinds_defined, once_keys,
};
use landfall_object::order::{HelmOrder, uninstall_key};
use landfall_object::{Gvk, Object, ObjectKey};

use crate::manifest::{ManifestObject, hook_objects, manifest_objects};
use crate::ownership::{self, is_kept};
use crate::prepare::{Apply, ArgoHooks, DeployOptions, Force, HookRuns, OwnershipCheck, Pods, UninstallOptions, Wait};
use crate::record::target;
use crate::{CrdFile, Error, HookRecord, Record, Releases};

/// The field manager's name: Helm's own, so that either can go on where the other stopped.
const MANAGER: &str = "helm";

/// A moment at which hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    PreInstall,
    PostInstall,
    PreUpgrade,
    PostUpgrade,
    PreRollback,
    PostRollback,
    PreDelete,
    PostDelete,
    Test,
}

impl Moment {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Moment::PreInstall => "pre-install",
            Moment::PostInstall => "post-install",
            Moment::PreUpgrade => "pre-upgrade",
            Moment::PostUpgrade => "post-upgrade",
            Moment::PreRollback => "pre-rollback",
            Moment::PostRollback => "post-rollback",
            Moment::PreDelete => "pre-delete",
            Moment::PostDelete => "post-delete",
            Moment::Test => "test",
        }
    }

    fn is_of(self, event: &str) -> bool {
        event == self.word() || (self == Moment::Test && event == "test-success")
    }
}

/// Compiles a release's operation to what the engine desires.
pub(crate) struct Compiler<'a> {
    releases: &'a Releases,
    deploy: &'a DeployOptions,
    kind: &'static str,
    phases: Vec<DesiredPhase>,
    /// Kinds that come with the release's own CRDs, or with what is delivered before it.
    scopes: BTreeMap<(String, String), Scope>,
    /// Written objects, to be waited for.
    written: Vec<ObjectKey>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(releases: &'a Releases, deploy: &'a DeployOptions, kind: &'static str) -> Self {
        let scopes = (*releases.expected).clone();
        Compiler { releases, deploy, kind, phases: Vec::new(), scopes, written: Vec::new() }
    }

    fn phase(&mut self, name: &str, items: Vec<Item>) {
        if !items.is_empty() {
            self.phases.push(DesiredPhase { name: name.to_owned(), runs: PhaseRuns::OnSuccess, items });
        }
    }

    /// The files under `crds/`: created when absent, never changed.
    pub(crate) fn crds(&mut self, files: &[CrdFile]) {
        let items: Vec<Item> = files
            .iter()
            .flat_map(|file| file.objects.iter().map(move |object| (file, object)))
            .map(|(file, object)| Item {
                wave: 0,
                task: Task::Ensure { object: object.clone() },
                why: file.path.clone(),
            })
            .collect();
        self.phase("crds", items);
        self.learn_scopes();
    }

    fn learn_scopes(&mut self) {
        let items = self.phases.iter().flat_map(|phase| &phase.items);
        let objects = items.filter_map(|item| match &item.task {
            Task::Apply { object, .. } | Task::Ensure { object } => Some(object),
            _ => None,
        });
        self.scopes.extend(kinds_defined(objects));
    }

    /// The release's namespace, created when absent and labelled as Helm does.
    pub(crate) fn namespace(&mut self) {
        let task = Task::Ensure { object: namespace_object(&self.releases.namespace) };
        self.phase("namespace", vec![Item { wave: 0, task, why: "the release's namespace".into() }]);
    }

    /// The hooks of a moment, by weight and name.
    pub(crate) async fn hooks(&mut self, record: &Record, moment: Moment) -> Result<(), Error> {
        self.hooks_where(record, moment, |_| true).await
    }

    pub(crate) async fn hooks_where(
        &mut self,
        record: &Record,
        moment: Moment,
        wanted: impl Fn(&HookRecord) -> bool,
    ) -> Result<(), Error> {
        if self.deploy.hooks == HookRuns::Skip {
            return Ok(());
        }
        let mut hooks: Vec<(usize, &HookRecord)> = record
            .hooks
            .iter()
            .enumerate()
            .filter(|(_, hook)| hook.events.iter().any(|event| moment.is_of(event)) && wanted(hook))
            .collect();
        hooks.sort_by(|(_, a), (_, b)| a.weight.cmp(&b.weight).then_with(|| a.name.cmp(&b.name)));
        let mut items = Vec::new();
        let mut objects = Vec::new();
        for (id, hook) in hooks {
            objects.extend(hook_objects(&hook.path, &hook.manifest)?.into_iter().map(|object| (id, hook, object)));
        }
        for (id, hook, mut object) in objects {
            object = match self.place(object.clone()).await {
                Ok(placed) => placed,
                // A hook before it may bring the kind; most kinds live in a namespace.
                Err(landfall_cluster::Error::NoMatch { .. }) => {
                    if object.namespace().is_none() {
                        object.set_namespace(&*self.releases.namespace);
                    }
                    object
                }
                Err(source) => return Err(Error::Cluster(source)),
            };
            let mut delete: Vec<DeletePolicy> =
                hook.delete_policies.iter().filter_map(|word| delete_policy(word)).collect();
            if delete.is_empty() {
                delete.push(DeletePolicy::BeforeHookCreation);
            }
            let log = hook.output_log_policies.iter().filter_map(|word| log_policy(word)).collect();
            let task = Task::Hook(Box::new(Hook {
                id,
                object,
                delete,
                log,
                criterion: Criterion::Completion,
                timeout: self.deploy.timeout.as_secs(),
                manager: MANAGER.into(),
            }));
            items.push(Item { wave: 0, task, why: hook.path.clone() });
        }
        self.phase(moment.word(), items);
        Ok(())
    }

    /// The objects of a manifest, each in its namespace.
    pub(crate) async fn build(&mut self, which: &'static str, manifest: &str) -> Result<Vec<ManifestObject>, Error> {
        let mut objects = manifest_objects(manifest).map_err(|error| match error {
            unset @ Error::Unset { .. } => Error::Unbuilt { which, source: Box::new(unset) },
            other => other,
        })?;
        self.scopes.extend(kinds_defined(objects.iter().map(|entry| &entry.object)));
        let mut sources = Vec::new();
        for entry in &mut objects {
            match self.place(entry.object.clone()).await {
                Ok(object) => entry.object = object,
                Err(source @ landfall_cluster::Error::NoMatch { .. }) => sources.push(source),
                Err(source) => return Err(Error::Cluster(source)),
            }
        }
        if sources.is_empty() { Ok(objects) } else { Err(Error::Build { which, sources }) }
    }

    /// The objects of the manifest that runs; kinds that are served no more are left out.
    pub(crate) async fn build_current(&mut self, manifest: &str) -> Result<Vec<ManifestObject>, Error> {
        let mut placed = Vec::new();
        for entry in manifest_objects(manifest)? {
            match self.place(entry.object).await {
                Ok(object) => placed.push(ManifestObject { path: entry.path, object }),
                Err(landfall_cluster::Error::NoMatch { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(placed)
    }

    async fn place(&self, mut object: Object) -> Result<Object, landfall_cluster::Error> {
        let gvk = object.gvk();
        match self.scopes.get(&(gvk.group.clone(), gvk.kind.clone())) {
            Some(Scope::Namespaced) => {
                if object.namespace().is_none() {
                    object.set_namespace(&*self.releases.namespace);
                }
                Ok(object)
            }
            Some(Scope::Cluster) => {
                object.metadata_mut().remove("namespace");
                Ok(object)
            }
            None => self.releases.cluster.place(object, &self.releases.namespace).await,
        }
    }

    /// The objects wanted, over those delivered before; what is no longer wanted goes after them.
    pub(crate) fn resources(&mut self, objects: Vec<ManifestObject>, before: Vec<ManifestObject>) {
        let manager = MANAGER.to_owned();
        let method = match (self.deploy.force, self.deploy.apply) {
            (Force::Replace, _) => Method::Replace { manager },
            (Force::No, Apply::ClientSide) => Method::ThreeWay { manager },
            (Force::No, Apply::ServerSide) => Method::ServerSide { manager, force: false },
            (Force::No, Apply::ServerSideTakingOver) => Method::ServerSide { manager, force: true },
        };
        let now: Vec<ObjectKey> = objects.iter().map(|entry| entry.object.key()).collect();
        let then: Vec<ObjectKey> = before.iter().map(|entry| entry.object.key()).collect();
        let mut items = Vec::new();
        // Of alike ones the first counts.
        let last: BTreeMap<_, &Object> =
            then.iter().zip(&before).rev().map(|(key, entry)| (key.without_version(), &entry.object)).collect();
        for (entry, key) in objects.iter().zip(&now) {
            let previous = last.get(&key.without_version()).map(|object| Object::clone(object));
            let remade = self.deploy.argo_hooks == ArgoHooks::Remade && entry.object.is_remade_by_argo();
            let method = if remade { Method::Recreate { manager: MANAGER.to_owned() } } else { method.clone() };
            let task = Task::Apply { object: entry.object.clone(), previous, method };
            items.push(Item { wave: 0, task, why: entry.path.clone() });
            self.written.push(key.clone());
        }
        let kept: BTreeSet<_> = now.iter().map(ObjectKey::without_version).collect();
        for key in then {
            if !kept.contains(&key.without_version()) {
                let task = Task::Delete { key, propagation: Propagation::Background };
                items.push(Item { wave: 0, task, why: "no longer in the chart".into() });
            }
        }
        self.phase("resources", items);
    }

    /// The pods that objects select, where they are to be made anew (helm: `recreate`).
    pub(crate) async fn pods(&self, objects: &[ManifestObject]) -> Result<Vec<ObjectKey>, Error> {
        let mut pods: Vec<ObjectKey> = Vec::new();
        if self.deploy.pods == Pods::LeftAlone {
            return Ok(pods);
        }
        for entry in objects {
            let Some(label_selector) = pod_selector(&entry.object) else { continue };
            let options = ListOptions {
                namespace: entry.object.key().namespace,
                label_selector: Some(label_selector),
                ..ListOptions::default()
            };
            let found = self.releases.cluster.list(&Gvk::new("", "v1", "Pod"), &options).await?;
            pods.extend(found.iter().map(Object::key));
        }
        pods.sort();
        pods.dedup();
        Ok(pods)
    }

    /// Deletes pods, for their controllers to make them anew.
    pub(crate) fn recreate(&mut self, pods: Vec<ObjectKey>) {
        let item = |key| Item {
            wave: 0,
            task: Task::Delete { key, propagation: Propagation::Background },
            why: "is made anew (--recreate-pods)".into(),
        };
        self.phase("pods", pods.into_iter().map(item).collect());
    }

    /// Waits for what was written, when asked to.
    pub(crate) fn wait(&mut self) {
        let jobs = match self.deploy.wait {
            Wait::No => return,
            Wait::Ready => JobWait::Ignore,
            Wait::ReadyAndJobs => JobWait::Complete,
        };
        let keys = std::mem::take(&mut self.written);
        if keys.is_empty() {
            return;
        }
        let task = Task::Wait { keys, wait: WaitFor::Rollout(jobs), timeout: self.deploy.timeout.as_secs() };
        self.phase("wait", vec![Item { wave: 0, task, why: "until all is ready".into() }]);
    }

    /// All objects go, in uninstall order, but those that their policy keeps.
    pub(crate) fn removal(&mut self, before: Vec<ManifestObject>, options: &UninstallOptions) {
        let mut before = before;
        before.sort_by_key(|entry| uninstall_key(entry.object.kind(), HelmOrder::V3));
        let mut items = Vec::new();
        let mut keys = Vec::new();
        for entry in before {
            let key = entry.object.key();
            let (task, why) = if is_kept(&entry.object) {
                (Task::Keep { key }, "kept due to the resource policy".to_owned())
            } else if options.keep_claims && entry.object.kind() == "PersistentVolumeClaim" {
                (Task::Keep { key }, "kept with its data".to_owned())
            } else {
                keys.push(key.clone());
                (Task::Delete { key, propagation: options.propagation }, "uninstalled".to_owned())
            };
            items.push(Item { wave: 0, task, why });
        }
        self.phase("resources", items);
        if options.wait && !keys.is_empty() {
            let task = Task::Wait { keys, wait: WaitFor::Deletion, timeout: self.deploy.timeout.as_secs() };
            self.phase("wait", vec![Item { wave: 0, task, why: "until all is gone".into() }]);
        }
    }

    pub(crate) fn finish(self, name: &str) -> Desired {
        Desired {
            target: target(&self.releases.namespace, name),
            kind: self.kind.to_owned(),
            phases: self.phases,
            timeout: self.deploy.timeout.as_secs(),
        }
    }
}

/// The labels by which an object finds its pods (kubectl: `SelectorsForObject`).
fn pod_selector(object: &Object) -> Option<String> {
    let labels = match object.kind() {
        "ReplicaSet" | "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => object.at("/spec/selector/matchLabels"),
        "ReplicationController" | "Service" => object.at("/spec/selector"),
        _ => None,
    }?;
    let labels = labels.as_object().filter(|labels| !labels.is_empty())?;
    let pairs = labels.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
    Some(pairs.collect::<Vec<_>>().join(","))
}

/// Settles what depends on the live objects: whose they are, marks of the release, and what is kept.
///
/// Answers the keys whose live state is now needed and was not read: none today, for front doors that add objects.
pub(crate) fn settle(
    desired: &mut Desired,
    live: &Live,
    record: &Record,
    ownership: OwnershipCheck,
    verb: &'static str,
) -> Result<Vec<ObjectKey>, Error> {
    let mut kept = Vec::new();
    for item in desired.phases.iter_mut().flat_map(|phase| &mut phase.items) {
        match &mut item.task {
            Task::Apply { object, previous, .. } => {
                if object.name().is_empty() {
                    let namespace = object.namespace().unwrap_or_default().to_owned();
                    return Err(Error::Nameless { verb, kind: object.kind().to_owned(), namespace });
                }
                if let Some(current) = live.get(&object.key())
                    && previous.is_none()
                    && !ownership::is_taken(current, ownership, &record.namespace)
                {
                    ownership::check(current, verb, &record.name, &record.namespace)?;
                }
                ownership::mark(object, &record.name, &record.namespace);
            }
            Task::Delete { key, .. } => {
                let Some(current) = live.get(key) else { continue };
                let why = if is_kept(current) {
                    "kept due to the resource policy".to_owned()
                } else if verb == "uninstall" && !once_keys(current).is_empty() {
                    format!("kept: {} generated once", once_keys(current).join(", "))
                } else {
                    continue;
                };
                kept.push(key.clone());
                item.task = Task::Keep { key: key.clone() };
                item.why = why;
            }
            _ => {}
        }
    }
    // What is kept will not go: it is not waited for.
    for item in desired.phases.iter_mut().flat_map(|phase| &mut phase.items) {
        if let Task::Wait { keys, wait: WaitFor::Deletion, .. } = &mut item.task {
            keys.retain(|key| !kept.contains(key));
        }
    }
    for phase in &mut desired.phases {
        phase.items.retain(|item| !matches!(&item.task, Task::Wait { keys, .. } if keys.is_empty()));
    }
    Ok(Vec::new())
}

/// The namespace as `--create-namespace` makes it.
pub(crate) fn namespace_object(name: &str) -> Object {
    let mut object = Object::new(&ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, name));
    object.set_label("name", name);
    object
}

fn delete_policy(word: &str) -> Option<DeletePolicy> {
    match word {
        "before-hook-creation" => Some(DeletePolicy::BeforeHookCreation),
        "hook-succeeded" => Some(DeletePolicy::HookSucceeded),
        "hook-failed" => Some(DeletePolicy::HookFailed),
        _ => None,
    }
}

fn log_policy(word: &str) -> Option<LogPolicy> {
    match word {
        "hook-succeeded" => Some(LogPolicy::HookSucceeded),
        "hook-failed" => Some(LogPolicy::HookFailed),
        _ => None,
    }
}
