//! A release's operation as the engine's phases.

use std::collections::{BTreeMap, BTreeSet};

use landfall_cluster::{JobWait, Propagation};
use landfall_engine::{Criterion, Desired, DesiredPhase, Hook, Item, Method, PhaseRuns, Task, WaitFor};
use landfall_object::order::{HelmOrder, uninstall_key};
use landfall_object::{Gvk, Object, ObjectKey};

use crate::CrdFile;
use crate::manifest::ManifestObject;
use crate::moment::{HookObject, Moment};
use crate::options::{Apply, ArgoHooks, DeployOptions, Force, Wait};
use crate::ownership::is_kept;
use crate::section::{Leaving, Section};

/// The field manager's name: Helm's own, so that either can go on where the other stopped.
const MANAGER: &str = "helm";

/// Compiles placed objects.
pub(crate) struct Compiler<'a> {
    namespace: &'a str,
    deploy: &'a DeployOptions,
    phases: Vec<DesiredPhase>,
    /// Written objects, to be waited for.
    written: Vec<ObjectKey>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(namespace: &'a str, deploy: &'a DeployOptions) -> Self {
        Compiler { namespace, deploy, phases: Vec::new(), written: Vec::new() }
    }

    /// Adds a section; `pods` are those that are made anew.
    pub(crate) fn section(&mut self, section: Section, pods: &[ObjectKey]) {
        match section {
            Section::Definitions(files) => self.definitions(files),
            Section::Namespace => self.namespace(),
            Section::Hooks(moment, hooks) => self.hooks(moment, hooks),
            Section::Resources { objects, before, .. } => {
                self.resources(&objects, &before);
                self.recreate(pods);
            }
            Section::Wait => self.wait(),
            Section::Removal { before, leaving } => self.removal(before, &leaving),
            Section::Broken(_) => {}
        }
    }

    /// The wish, under that name in the journal.
    pub(crate) fn finish(self, target: String, kind: &str) -> Desired {
        let timeout = self.deploy.timeout.as_secs();
        Desired { target, kind: kind.to_owned(), phases: self.phases, home: String::new(), timeout }
    }

    fn phase(&mut self, name: &str, items: Vec<Item>) {
        if !items.is_empty() {
            self.phases.push(DesiredPhase { name: name.to_owned(), runs: PhaseRuns::OnSuccess, items });
        }
    }

    /// The files under `crds/`: created when absent, never changed.
    fn definitions(&mut self, files: Vec<CrdFile>) {
        let items = files.into_iter().flat_map(|CrdFile { path, objects }| {
            objects.into_iter().map(move |object| Item { wave: 0, task: Task::Ensure { object }, why: path.clone() })
        });
        self.phase("crds", items.collect());
    }

    /// The release's namespace, created when absent and labelled as Helm does.
    fn namespace(&mut self) {
        let task = Task::Ensure { object: namespace_object(self.namespace) };
        self.phase("namespace", vec![Item { wave: 0, task, why: "the release's namespace".into() }]);
    }

    /// The hooks of a moment, in their order.
    fn hooks(&mut self, moment: Moment, hooks: Vec<HookObject>) {
        let timeout = self.deploy.timeout.as_secs();
        let item = |HookObject { id, path, object, delete, log }| {
            let (criterion, manager) = (Criterion::Completion, MANAGER.into());
            let hook = Hook { id, object, delete, log, criterion, timeout, manager };
            Item { wave: 0, task: Task::Hook(Box::new(hook)), why: path }
        };
        self.phase(moment.word(), hooks.into_iter().map(item).collect());
    }

    /// The objects wanted, over those delivered before; what is no longer wanted goes after them.
    fn resources(&mut self, objects: &[ManifestObject], before: &[ManifestObject]) {
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
            then.iter().zip(before).rev().map(|(key, entry)| (key.without_version(), &entry.object)).collect();
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

    /// Deletes pods, for their controllers to make them anew.
    fn recreate(&mut self, pods: &[ObjectKey]) {
        let item = |key: &ObjectKey| Item {
            wave: 0,
            task: Task::Delete { key: key.clone(), propagation: Propagation::Background },
            why: "is made anew (--recreate-pods)".into(),
        };
        self.phase("pods", pods.iter().map(item).collect());
    }

    /// Waits for what was written, when asked to.
    fn wait(&mut self) {
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
    fn removal(&mut self, mut before: Vec<ManifestObject>, options: &Leaving) {
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
}

/// The labels by which an object finds its pods (kubectl: `SelectorsForObject`).
pub(crate) fn pod_selector(object: &Object) -> Option<String> {
    let labels = match object.kind() {
        "ReplicaSet" | "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => object.at("/spec/selector/matchLabels"),
        "ReplicationController" | "Service" => object.at("/spec/selector"),
        _ => None,
    }?;
    let labels = labels.as_object().filter(|labels| !labels.is_empty())?;
    let pairs = labels.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
    Some(pairs.collect::<Vec<_>>().join(","))
}

/// The namespace as `--create-namespace` makes it.
pub(crate) fn namespace_object(name: &str) -> Object {
    let mut object = Object::new(&ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, name));
    object.set_label("name", name);
    object
}
