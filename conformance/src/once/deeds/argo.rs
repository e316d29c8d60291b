//! What Applications do: synced in every way that Argo CD's options ask for, pruned, and deleted.

use std::sync::Arc;

use landfall_apps::{Application, HealthWait, Operation, PreparedSync, SyncRequest, Target};
use landfall_cluster::Propagation;
use landfall_object::{ONCE_ANNOTATION, Object};
use serde_json::{Value, json};

use super::super::ground::{KEY, KillAt, Sequence, engine, told};
use super::{VALUES, any_secret, sealed_secret, secret};

const HOOKS: [&str; 4] = ["PreSync", "Sync", "PostSync", "SyncFail"];
const DELETED: [&str; 3] = ["HookSucceeded", "HookFailed", "BeforeHookCreation"];
/// Of an object, or of the whole Application.
const OPTIONS: [&str; 6] = [
    "Replace=true",
    "Force=true,Replace=true",
    "ServerSideApply=true",
    "Prune=false",
    "Delete=false",
    "PruneLast=true",
];

/// The sequence's Application, with sync options of its own.
fn application(sequence: &mut Sequence<'_>) -> anyhow::Result<Application> {
    let options: Vec<&str> = OPTIONS[..3].iter().copied().filter(|_| sequence.dice.percent(20)).collect();
    let mut spec = json!({
        "project": "default",
        "source": {"repoURL": "https://git.example.com/shop.git", "path": "deploy", "targetRevision": "main"},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": sequence.namespace},
        "syncPolicy": {"automated": {"prune": true, "selfHeal": true, "allowEmpty": true}, "syncOptions": options},
    });
    if sequence.dice.percent(20) {
        spec["ignoreDifferences"] = json!([{"group": "", "kind": "Secret", "jsonPointers": ["/data"]}]);
    }
    let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": format!("shop-{}", sequence.namespace), "namespace": sequence.namespace}, "spec": spec});
    Ok(Application::parse(&Object::from_value(object)?)?)
}

/// Asks for something of Argo CD's in an object's annotations.
fn annotate(sequence: &mut Sequence<'_>, object: &mut Object) {
    if sequence.dice.percent(25) {
        object.set_annotation("argocd.argoproj.io/hook", HOOKS[sequence.dice.below(HOOKS.len())]);
        let deleted: Vec<&str> = DELETED.into_iter().filter(|_| sequence.dice.percent(50)).collect();
        if !deleted.is_empty() {
            object.set_annotation("argocd.argoproj.io/hook-delete-policy", deleted.join(","));
        }
    }
    if sequence.dice.percent(40) {
        object.set_annotation("argocd.argoproj.io/sync-options", OPTIONS[sequence.dice.below(OPTIONS.len())]);
    }
    if sequence.dice.percent(20) {
        object.set_annotation("argocd.argoproj.io/sync-wave", "-1");
    }
}

/// What the source has: the Secret in some way or none, a SealedSecret, the namespace, something that fails.
fn targets(sequence: &mut Sequence<'_>) -> Vec<Target> {
    let turn = sequence.dice.below(1000).to_string();
    let mut values =
        vec![json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"}, "data": {"turn": turn}})];
    let mut objects = Vec::new();
    match sequence.dice.below(8) {
        0..=3 => {
            let mut wanted = any_secret(sequence, false);
            annotate(sequence, &mut wanted);
            objects.push(wanted);
        }
        4 => values.push(sealed_secret(sequence)),
        _ => {}
    }
    if sequence.dice.percent(15) {
        values.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": sequence.namespace}}));
    }
    if sequence.dice.percent(15) {
        values.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"}, "spec": {"ports": [{"port": 0}]}}));
    }
    objects.extend(values.into_iter().filter_map(|value| Object::from_value(value).ok()));
    objects.into_iter().map(|object| Target { object, path: "deploy/x.yaml".to_owned() }).collect()
}

fn request(sequence: &mut Sequence<'_>, targets: Vec<Target>) -> SyncRequest {
    let wait = [HealthWait::Every, HealthWait::Followed, HealthWait::Never][sequence.dice.below(3)];
    let prune = [None, Some(true), Some(false)][sequence.dice.below(3)];
    let revisions = vec!["0123456789abcdef0123456789abcdef01234567".to_owned()];
    SyncRequest {
        targets,
        revisions,
        prune,
        wait,
        timeout: 5,
        operation: Operation::default(),
        attempt: 0,
        project: None,
    }
}

async fn carried_out(sequence: &Sequence<'_>, prepared: &PreparedSync, probe: &Arc<KillAt>) -> String {
    let conductor = sequence.conductor(Arc::clone(probe) as Arc<dyn landfall_engine::Probe>);
    match conductor.run(&sequence.applications(), prepared).await {
        Ok(synced) => told(synced.report.failure.map(|it| it.message)),
        Err(landfall_apps::Error::Engine(error)) => engine(&error, probe.killed()),
        Err(error) => format!("refused: {error}"),
    }
}

/// Makes the Application known to the cluster, once.
async fn known(sequence: &Sequence<'_>, application: &Application) {
    // Who has made it already is refused.
    let _there = sequence.ground.create(application.object.value().clone()).await;
}

/// A sync, perhaps killed.
pub(super) async fn synced(sequence: &mut Sequence<'_>) -> String {
    let application = match application(sequence) {
        Ok(application) => application,
        Err(error) => return format!("is no Application: {error}"),
    };
    known(sequence, &application).await;
    let targets = targets(sequence);
    let request = request(sequence, targets);
    match sequence.applications().prepare(&application, request).await {
        Err(error) => format!("is not begun: {error}"),
        Ok(prepared) => {
            let probe = sequence.kill();
            carried_out(sequence, &prepared, &probe).await
        }
    }
}

/// The Application goes with all that it has delivered.
pub(super) async fn removed(sequence: &mut Sequence<'_>) -> String {
    let application = match application(sequence) {
        Ok(application) => application,
        Err(error) => return format!("is no Application: {error}"),
    };
    let how = [Propagation::Background, Propagation::Foreground, Propagation::Orphan][sequence.dice.below(3)];
    match sequence.applications().prepare_delete(&application, how, None).await {
        Err(error) => format!("is not begun: {error}"),
        Ok(prepared) => {
            let probe = sequence.kill();
            carried_out(sequence, &prepared, &probe).await
        }
    }
}

/// What was prepared while nothing was generated once, and is gone on with when something is.
pub(super) async fn overtaken(sequence: &mut Sequence<'_>) -> String {
    let application = match application(sequence) {
        Ok(application) => application,
        Err(error) => return format!("is no Application: {error}"),
    };
    known(sequence, &application).await;
    let plain = secret(&sequence.namespace, VALUES[0], false);
    let first = Object::from_value(plain).map(|object| vec![Target { object, path: "deploy/x.yaml".to_owned() }]);
    let first = request(sequence, first.unwrap_or_default());
    let put = match sequence.applications().prepare(&application, first).await {
        Ok(prepared) => carried_out(sequence, &prepared, &KillAt::new(0)).await,
        Err(error) => return format!("is not begun: {error}"),
    };
    let prepared = match sequence.dice.percent(30) {
        true => sequence.applications().prepare_delete(&application, Propagation::Background, None).await,
        false => {
            let targets = targets(sequence);
            let request = request(sequence, targets);
            sequence.applications().prepare(&application, request).await
        }
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return format!("{put}; the second one is not begun: {error}"),
    };
    let probe = KillAt::before_effect(1);
    let killed = carried_out(sequence, &prepared, &probe).await;
    let guarded = json!({"metadata": {"annotations": {ONCE_ANNOTATION: KEY}}});
    let guarded = sequence.patch_by_hand(&sequence.key(), guarded).await.is_ok();
    sequence.keep().await;
    format!("{put}; {killed}, guarded {guarded}, {}", sequence.recover().await)
}

/// An Application of the sequence's name, to go on with what it was killed at.
pub(in super::super) fn plain(namespace: &str) -> Option<Application> {
    let spec: Value = json!({"project": "default", "source": {"repoURL": "https://git.example.com/shop.git", "path": "deploy"},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace}});
    let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": format!("shop-{namespace}"), "namespace": namespace}, "spec": spec});
    Application::parse(&Object::from_value(object).ok()?).ok()
}
