//! What a rehearsal shows of a delivery, and that it shows the same each time.

use landfall_rehearse::{RULES, Rehearsal};

use crate::fixture::{Files, Scene};

const WEB: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  strategy: {type: {{ .Values.strategy }}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "registry.example.com/web:{{ .Values.tag }}", readinessProbe: {httpGet: {path: /, port: 80}, initialDelaySeconds: 20}}
"#;

const JOB: &str = r#"apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: "pre-upgrade,post-install", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: migrate, image: "registry.example.com/migrate:1.0.0"}]}
"#;

const CLAIM: &str = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n";

fn files(values: &str, further: &[(&str, &str)]) -> Files {
    let fixed = [
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("values.yaml", values),
        ("templates/web.yaml", WEB),
        ("templates/job.yaml", JOB),
    ];
    fixed.iter().chain(further).map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn upgrade(base: Files, head: Files) -> Rehearsal {
    let scene = Scene {
        files: head,
        base: Some(base),
        live: Vec::new(),
        protected: false,
        environment: None,
        namespace: "shop".to_owned(),
        rehearsed: true,
    };
    scene.rehearsal(RULES).expect("it is rehearsed")
}

#[test]
fn the_same_rehearsal_takes_the_same_steps() {
    let rehearse = || {
        let base = files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[("templates/claim.yaml", CLAIM)]);
        let rehearsal = upgrade(base, files("tag: 1.1.0\nstrategy: RollingUpdate\n", &[]));
        serde_json::to_value(&rehearsal).expect("JSON")
    };
    assert_eq!(rehearse(), rehearse());
}

#[test]
fn restarts_hooks_waits_and_losses_are_told() {
    let base = files("tag: 1.0.0\nstrategy: Recreate\n", &[("templates/claim.yaml", CLAIM)]);
    let rehearsal = upgrade(base, files("tag: 1.1.0\nstrategy: Recreate\n", &[]));
    assert!(rehearsal.would_deliver);
    let trial = &rehearsal.trials[0];
    let actions: Vec<String> = trial
        .impact
        .changes
        .iter()
        .map(|it| format!("{} {}/{}", it.action, it.object.gvk.kind, it.object.name))
        .collect();
    assert_eq!(actions, ["hook Job/migrate", "change Deployment/web", "delete PersistentVolumeClaim/data"]);
    let restart = &trial.impact.restarts[0];
    assert_eq!((restart.object.name.as_str(), restart.pods, restart.lowest_ready), ("web", 2, Some(0)));
    assert_eq!(trial.impact.losses[0].object.name, "data");
    let hook = trial.waits.iter().find(|wait| wait.is_hook).expect("the hook");
    assert_eq!(hook.phase, "pre-upgrade");
    let wait = trial.waits.iter().find(|wait| !wait.is_hook).expect("the rollout");
    assert!(wait.seconds >= 20 && wait.objects[0].name == "web", "{wait:?}");
}

#[test]
fn a_rolling_update_never_has_fewer_ready() {
    let base = files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[]);
    let rehearsal = upgrade(base, files("tag: 1.1.0\nstrategy: RollingUpdate\n", &[]));
    assert_eq!(rehearsal.trials[0].impact.restarts[0].lowest_ready, None);
}
