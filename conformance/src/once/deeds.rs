//! What is done in a sequence: each deed by the writers' own entrances.

pub(super) mod argo;
mod tried;
mod written;

use std::sync::Arc;
use std::time::Duration;

use landfall_cluster::{Patch, Propagation};
use landfall_delivery::restore;
use landfall_engine::{
    Criterion, DeletePolicy, Desired, DesiredPhase, Hook, Item, Live, Method, PhaseRuns, Task, Unrecorded, plan,
};
use landfall_object::{Gvk, ONCE_ANNOTATION, Object, ObjectKey};
use landfall_release::{
    Content, DeployOptions, Force, HookRecord, InstallOptions, OwnershipCheck, RollbackOptions, UninstallOptions,
    UpgradeOptions, Wait,
};
use landfall_secrets::{Backup, MANAGED, PATCH, PlainSecret, Scope, Sealing, seal};
use serde_json::{Value, json};

use super::ground::{KEY, KillAt, NAME, Sequence, by_hand, engine, told};

/// Values in base64.
pub(super) const VALUES: [&str; 3] = ["b25l", "dHdv", "dGhyZWU="];
/// What no writer of ours may do; the suite has to see each.
pub(super) const FAULTS: [&str; 4] = ["another value", "no protection", "deleted", "made anew"];

/// The Secret as a manifest has it.
pub(super) fn secret(namespace: &str, value: &str, is_guarded: bool) -> Value {
    let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": NAME, "namespace": namespace}, "data": {KEY: value, "OTHER": "eA=="}});
    if is_guarded {
        secret["metadata"]["annotations"] = json!({ONCE_ANNOTATION: KEY});
    }
    secret
}

/// Does what no writer of ours may do.
pub(super) async fn fault(sequence: &Sequence<'_>, fault: &str) -> anyhow::Result<()> {
    let key = sequence.key();
    match fault {
        "another value" => sequence.patch_by_hand(&key, json!({"data": {KEY: VALUES[1]}})).await?,
        "no protection" => {
            sequence.patch_by_hand(&key, json!({"metadata": {"annotations": {ONCE_ANNOTATION: null}}})).await?;
        }
        "deleted" => sequence.delete_by_hand(&key).await?,
        _ => {
            sequence.delete_by_hand(&key).await?;
            sequence.ground.create(secret(&sequence.namespace, VALUES[0], true)).await?;
        }
    }
    Ok(())
}

/// A deed that was done.
pub(super) struct Done {
    /// Its name in [`super::covered`].
    pub(super) deed: &'static str,
    /// What it was, and how it ended.
    pub(super) told: String,
}

/// Does one thing, and says what and how it ended; the first one makes the Secret, mostly.
pub(super) async fn one(sequence: &mut Sequence<'_>, is_first: bool) -> Done {
    if is_first && sequence.begins_staged() {
        return Done { deed: "overtaken", told: format!("overtaken: {}", left_behind(sequence).await) };
    }
    let sort = match is_first {
        true => [0, 0, 0, 0, 2, 3, 4, 6, 24][sequence.dice.below(9)],
        false => 1 + sequence.dice.below(23),
    };
    let (deed, told) = match sort {
        0 => match sequence.dice.percent(70) {
            true => ("overtaken", overtaken(sequence).await),
            false => ("synced", argo::overtaken(sequence).await),
        },
        1..=5 => ("planned", planned(sequence, is_first).await),
        6 | 7 => ("installed", installed(sequence, is_first).await),
        8 => ("rolled back", rolled_back(sequence).await),
        9 | 10 => ("uninstalled", uninstalled(sequence).await),
        11..=13 => ("synced", argo::synced(sequence).await),
        14 => ("removed", argo::removed(sequence).await),
        15 => ("restored", restored(sequence).await),
        16 => ("sealed", sealed(sequence).await),
        17 | 18 => ("opened by the server", written::opened(sequence).await),
        19 => ("lived", written::lived(sequence).await),
        20 => ("certified", certified(sequence).await),
        21 => ("database", written::database(sequence).await),
        22 => ("by a person", by_a_person(sequence).await),
        24 => ("tried", tried::tried(sequence).await),
        _ => ("gone on with", sequence.recover().await),
    };
    Done { deed, told: format!("{deed}: {told}") }
}

/// A Secret in one of the ways in which manifests have it.
pub(super) fn any_secret(sequence: &mut Sequence<'_>, is_first: bool) -> Object {
    let value = VALUES[if is_first { 0 } else { sequence.dice.below(VALUES.len()) }];
    let is_guarded = is_first || sequence.dice.percent(60);
    let mut secret = secret(&sequence.namespace, value, is_guarded);
    if !is_first
        && sequence.dice.percent(15)
        && let Some(data) = secret["data"].as_object_mut()
    {
        data.remove(KEY);
    }
    if sequence.dice.percent(15) {
        secret["metadata"]["annotations"][MANAGED] = "true".into();
    }
    Object::from_value(secret).unwrap_or_else(|_| Object::new(&sequence.key()))
}

/// What was planned while nothing of it was generated once, and is gone on with when it is: no plan has seen it coming.
async fn overtaken(sequence: &mut Sequence<'_>) -> String {
    let plain = secret(&sequence.namespace, VALUES[0], false);
    if let Err(error) = sequence.ground.create(plain).await {
        return format!("overtaken: {error}");
    }
    let task = any_task(sequence, false);
    let what = format!("overtaken: {}", named(&task));
    let planned = match planned_for(sequence, task, true).await {
        Ok(planned) => planned,
        Err(error) => return format!("{what} is not planned: {error}"),
    };
    format!("{what} {}", guarded_between(sequence, &planned, 1).await)
}

/// What a hook has made, and would leave nothing of: it is guarded as the hook is about to be cleaned up.
async fn left_behind(sequence: &mut Sequence<'_>) -> String {
    let object = secret(&sequence.namespace, VALUES[0], false);
    let hook = Hook {
        id: 0,
        object: Object::from_value(object).unwrap_or_else(|_| Object::new(&sequence.key())),
        delete: vec![DeletePolicy::HookSucceeded],
        log: Vec::new(),
        criterion: Criterion::default(),
        timeout: 5,
        manager: "once".to_owned(),
    };
    match planned_for(sequence, Task::Hook(Box::new(hook)), true).await {
        // It is made first.
        Ok(planned) => format!("a hook {}", guarded_between(sequence, &planned, 2).await),
        Err(error) => format!("a hook is not planned: {error}"),
    }
}

/// Kills a plan before its effect of that number, guards the Secret, and goes on.
async fn guarded_between(sequence: &mut Sequence<'_>, planned: &landfall_engine::Plan, effect: usize) -> String {
    let probe = KillAt::before_effect(effect);
    let conductor = sequence.conductor(Arc::clone(&probe) as Arc<dyn landfall_engine::Probe>);
    let _killed = conductor.run(&Unrecorded, planned).await;
    let guarded = json!({"metadata": {"annotations": {ONCE_ANNOTATION: KEY}}});
    let guarded = sequence.patch_by_hand(&sequence.key(), guarded).await;
    sequence.keep().await;
    let went_on = sequence.recover().await;
    format!("{}, guarded {}, {went_on}", probe.killed().unwrap_or_default(), guarded.is_ok())
}

async fn planned(sequence: &mut Sequence<'_>, is_first: bool) -> String {
    let task = any_task(sequence, is_first);
    let what = format!("plan {}", named(&task));
    // One that was planned before the key was there, or guarded, is refused as it runs.
    let is_seen = sequence.dice.percent(80);
    let planned = match planned_for(sequence, task, is_seen).await {
        Ok(planned) => planned,
        Err(error) => return format!("{what} is not planned: {error}"),
    };
    let probe = sequence.kill();
    let conductor = sequence.conductor(Arc::clone(&probe) as Arc<dyn landfall_engine::Probe>);
    match conductor.run(&Unrecorded, &planned).await {
        Ok(report) => format!("{what} {}", told(report.failure.map(|it| it.message))),
        Err(error) => format!("{what} {}", engine(&error, probe.killed())),
    }
}

/// The plan of one task, for what is there or for an empty cluster.
async fn planned_for(
    sequence: &Sequence<'_>,
    task: Task,
    is_seen: bool,
) -> Result<landfall_engine::Plan, landfall_engine::Error> {
    let item = Item { wave: 0, task, why: "once".to_owned() };
    let phases = vec![DesiredPhase { name: "one".to_owned(), runs: PhaseRuns::OnSuccess, items: vec![item] }];
    let desired =
        Desired { target: sequence.target(), kind: "once".to_owned(), phases, home: String::new(), timeout: 5 };
    let live = match is_seen {
        true => sequence.ground.cluster.get_all(&desired.keys()).await.unwrap_or_default(),
        false => Vec::new(),
    };
    plan(&desired, &Live::new(live))
}

fn any_task(sequence: &mut Sequence<'_>, is_first: bool) -> Task {
    let wanted = any_secret(sequence, is_first);
    let manager = "once".to_owned();
    let previous = if sequence.dice.percent(50) { Some(any_secret(sequence, false)) } else { None };
    let propagation = [Propagation::Background, Propagation::Foreground, Propagation::Orphan][sequence.dice.below(3)];
    let other = |kind: Gvk, namespaced: bool, name: &str| {
        ObjectKey::new(kind, namespaced.then_some(sequence.namespace.as_str()), name)
    };
    let keys = [
        other(Gvk::new("", "v1", "Secret"), true, NAME),
        other(Gvk::new("", "v1", "Namespace"), false, &sequence.namespace),
        other(Gvk::new("bitnami.com", "v1alpha1", "SealedSecret"), true, NAME),
        other(Gvk::new("cert-manager.io", "v1", "Certificate"), true, NAME),
    ];
    let apply = |method: Method| Task::Apply { object: wanted.clone(), previous: previous.clone(), method };
    match if is_first { 0 } else { sequence.dice.below(12) } {
        0 | 1 => apply(Method::ThreeWay { manager }),
        2 => apply(Method::ServerSide { manager, force: true }),
        3 => apply(Method::ServerSide { manager, force: false }),
        4 => apply(Method::Replace { manager }),
        5 => apply(Method::Recreate { manager }),
        6 => Task::Ensure { object: wanted.clone() },
        7..=9 => Task::Delete { key: keys[sequence.dice.below(keys.len())].clone(), propagation },
        _ => {
            let all = [DeletePolicy::BeforeHookCreation, DeletePolicy::HookSucceeded, DeletePolicy::HookFailed];
            let delete = all.into_iter().filter(|_| sequence.dice.percent(50)).collect();
            let hook = Hook {
                id: 0,
                object: wanted.clone(),
                delete,
                log: Vec::new(),
                criterion: Criterion::default(),
                timeout: 5,
                manager,
            };
            Task::Hook(Box::new(hook))
        }
    }
}

fn named(task: &Task) -> String {
    match task {
        Task::Apply { object, method, .. } => format!("apply {} {method:?}", object.value()["data"]),
        Task::Delete { key, propagation } => format!("delete {key} {propagation:?}"),
        Task::Hook(hook) => format!("hook {} {:?}", hook.object.value()["data"], hook.delete),
        Task::Ensure { object } => format!("ensure {}", object.value()["data"]),
        Task::Keep { .. } | Task::Wait { .. } => "waits".to_owned(),
    }
}

fn deploy(sequence: &mut Sequence<'_>) -> DeployOptions {
    let force = [Force::No, Force::No, Force::Replace][sequence.dice.below(3)];
    let ownership = [OwnershipCheck::Strict, OwnershipCheck::Take, OwnershipCheck::Take][sequence.dice.below(3)];
    DeployOptions {
        wait: Wait::No,
        timeout: Duration::from_secs(5),
        force,
        ownership,
        atomic: sequence.dice.percent(25),
        cleanup_on_fail: sequence.dice.percent(25),
        max_history: sequence.dice.below(4),
        ..DeployOptions::default()
    }
}

/// What a chart renders: the Secret in some way or none, the namespace, and something that may fail.
fn content(sequence: &mut Sequence<'_>, is_first: bool) -> Content {
    let mut objects = vec![json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {
        "turn": sequence.dice.below(1000).to_string()}})];
    let mut hooks = Vec::new();
    let wanted = any_secret(sequence, is_first).into_value();
    match if is_first { 0 } else { sequence.dice.below(8) } {
        0..=3 => objects.push(wanted),
        4 => objects.push(sealed_secret(sequence)),
        5 => {
            let policies = ["before-hook-creation", "hook-succeeded", "hook-failed"];
            let policies = policies.into_iter().filter(|_| sequence.dice.percent(50)).map(str::to_owned).collect();
            let when = ["pre-install", "pre-upgrade", "post-upgrade", "pre-rollback", "post-delete"];
            hooks.push(HookRecord {
                name: NAME.to_owned(),
                kind: "Secret".to_owned(),
                path: "web/templates/hook.yaml".to_owned(),
                manifest: landfall_yaml::emit(&wanted).unwrap_or_default(),
                events: when.into_iter().map(str::to_owned).collect(),
                delete_policies: policies,
                ..HookRecord::default()
            });
        }
        _ => {}
    }
    if sequence.dice.percent(20) {
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": sequence.namespace}}));
    }
    if sequence.dice.percent(20) {
        // The server refuses it, and what came before it is undone.
        objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 0}]}}));
    }
    let manifest = objects
        .iter()
        .map(|object| {
            format!("---\n# Source: web/templates/x.yaml\n{}", landfall_yaml::emit(object).unwrap_or_default())
        })
        .collect();
    let metadata = json!({"apiVersion": "v2", "name": "web", "version": "0.1.0"});
    let chart = json!({"metadata": metadata, "lock": null, "templates": [], "values": {}, "schema": null, "files": []});
    Content { chart, manifest, hooks, ..Content::default() }
}

async fn installed(sequence: &mut Sequence<'_>, is_first: bool) -> String {
    let content = content(sequence, is_first);
    let deploy = DeployOptions { atomic: false, ..deploy(sequence) };
    let releases = sequence.releases();
    let has_release = releases.last("web").await.is_ok();
    let (what, prepared) = match has_release {
        true => {
            let deploy = DeployOptions { atomic: sequence.dice.percent(25), ..deploy };
            ("upgrade", releases.prepare_upgrade("web", content, &UpgradeOptions { deploy }).await)
        }
        false => {
            let options = InstallOptions { deploy, ..InstallOptions::default() };
            ("install", releases.prepare_install("web", content, &options).await)
        }
    };
    carried_out(sequence, what, prepared).await
}

async fn rolled_back(sequence: &mut Sequence<'_>) -> String {
    let options = RollbackOptions {
        deploy: deploy(sequence),
        revision: i64::try_from(sequence.dice.below(4)).unwrap_or_default(),
    };
    let prepared = sequence.releases().prepare_rollback("web", &options).await;
    carried_out(sequence, "rollback", prepared).await
}

async fn uninstalled(sequence: &mut Sequence<'_>) -> String {
    let options = UninstallOptions {
        wait: sequence.dice.percent(50),
        keep_history: sequence.dice.percent(30),
        timeout: Duration::from_secs(5),
        ..UninstallOptions::default()
    };
    let prepared = sequence.releases().prepare_uninstall("web", &options).await;
    carried_out(sequence, "uninstall", prepared).await
}

async fn carried_out(
    sequence: &mut Sequence<'_>,
    what: &str,
    prepared: Result<landfall_release::Prepared, landfall_release::Error>,
) -> String {
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return format!("{what} is not begun: {error}"),
    };
    let probe = sequence.kill();
    let conductor = sequence.conductor(Arc::clone(&probe) as Arc<dyn landfall_engine::Probe>);
    match conductor.run(&sequence.releases(), &prepared).await {
        Ok(ended) => format!("{what} {}", told(ended.report.failure.map(|it| it.message))),
        Err(landfall_release::Error::Engine(error)) => format!("{what} {}", engine(&error, probe.killed())),
        Err(error) => format!("{what} refused: {error}"),
    }
}

async fn restored(sequence: &mut Sequence<'_>) -> String {
    let mut saved = any_secret(sequence, false);
    saved.set_annotation(ONCE_ANNOTATION, KEY);
    let backup = Backup::of([&saved]);
    match restore(&sequence.ground.cluster, &backup, &[]).await {
        Ok(restored) => format!("restore created {}", restored.created.len()),
        Err(refused) => format!("restore refused: {}", refused.iter().map(|it| it.message.clone()).collect::<String>()),
    }
}

pub(super) fn sealed_secret(sequence: &mut Sequence<'_>) -> Value {
    let value = VALUES[sequence.dice.below(VALUES.len())];
    let mut annotations = json!({});
    for (key, value) in [(ONCE_ANNOTATION, KEY), (landfall_secrets::SKIP_OWNER, "true")] {
        if sequence.dice.percent(40) {
            annotations[key] = value.into();
        }
    }
    let plain = json!({"kind": "Secret", "type": "Opaque", "data": {KEY: value},
        "metadata": {"name": NAME, "namespace": sequence.namespace, "annotations": annotations}});
    let how = Sealing { scope: Scope::Strict, ..Sealing::default() };
    let sealed = PlainSecret::read(&plain)
        .ok()
        .flatten()
        .and_then(|plain| seal(plain, sequence.ground.sealing.private.public(), &how).ok());
    sealed.unwrap_or_default()
}

/// A SealedSecret that a person applies; the Secret may be marked for it.
async fn sealed(sequence: &mut Sequence<'_>) -> String {
    if sequence.dice.percent(50) {
        let mark = if sequence.dice.percent(50) { MANAGED } else { PATCH };
        let marked = json!({"metadata": {"annotations": {mark: "true"}}});
        let _absent = sequence.patch_by_hand(&sequence.key(), marked).await;
    }
    let sealed = sealed_secret(sequence);
    let key = ObjectKey::new(Gvk::new("bitnami.com", "v1alpha1", "SealedSecret"), Some(&sequence.namespace), NAME);
    let applied = sequence.ground.cluster.patch(&key, &Patch::ForceApply(sealed), &by_hand()).await;
    sequence.ground.settle();
    match applied {
        Err(error) => format!("sealed refused: {error}"),
        Ok(_) => {
            let sealed = sequence.ground.cluster.get(&key).await.ok().flatten();
            let condition =
                sealed.as_ref().and_then(|it| it.str_at("/status/conditions/0/message")).unwrap_or_default();
            format!("sealed: {condition}")
        }
    }
}

/// A certificate that wants its key and chain in the Secret.
async fn certified(sequence: &mut Sequence<'_>) -> String {
    let issuer = json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "spec": {"selfSigned": {}},
        "metadata": {"name": "own", "namespace": sequence.namespace}});
    let _there = sequence.ground.create(issuer).await;
    let certificate = json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": NAME, "namespace": sequence.namespace},
        "spec": {"secretName": NAME, "commonName": format!("web-{}", sequence.dice.below(9)), "issuerRef": {"name": "own"}}});
    let key = ObjectKey::new(Gvk::new("cert-manager.io", "v1", "Certificate"), Some(&sequence.namespace), NAME);
    let applied = sequence.ground.cluster.patch(&key, &Patch::ForceApply(certificate), &by_hand()).await;
    sequence.ground.settle();
    told(applied.err().map(|error| error.to_string()))
}

/// What a person does who goes past Landfall, and what a Secret without an owner outlives.
async fn by_a_person(sequence: &mut Sequence<'_>) -> String {
    match sequence.dice.below(3) {
        0 => {
            let guarded = json!({"metadata": {"annotations": {ONCE_ANNOTATION: KEY}}});
            let done = sequence.patch_by_hand(&sequence.key(), guarded).await;
            format!("a person guards it {}", told(done.err().map(|error| error.to_string())))
        }
        _ => {
            let owned =
                sequence.secret().await.is_some_and(|live| !live.list_at("/metadata/ownerReferences").is_empty());
            if owned {
                return "a person leaves its owner alone".to_owned();
            }
            let key =
                ObjectKey::new(Gvk::new("bitnami.com", "v1alpha1", "SealedSecret"), Some(&sequence.namespace), NAME);
            let done = sequence.delete_by_hand(&key).await;
            format!("a person deletes the SealedSecret {}", told(done.err().map(|error| error.to_string())))
        }
    }
}
