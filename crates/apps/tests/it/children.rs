//! Applications of applications: a parent that shrinks deletes none of its children by accident.

use landfall_apps::{APPROVAL, Application, HealthWait, TRACKING_ANNOTATION, Target, compile};
use landfall_engine::Task;
use landfall_object::Object;
use serde_json::json;

fn parent(approval: Option<&str>) -> Application {
    let mut object = Object::from_value(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "root", "namespace": "argocd"},
        "spec": {
            "project": "default", "source": {"repoURL": "https://git.example.com/apps", "path": "apps"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "argocd"},
            "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
        },
    }))
    .expect("a map");
    if let Some(approval) = approval {
        object.set_annotation(APPROVAL, approval);
    }
    Application::parse(&object).expect("an application")
}

/// A child, finalizers and all, as it is live or, without a tracking annotation, as it is rendered.
fn child(kind: &str, name: &str, is_live: bool) -> Object {
    let mut object = Object::from_value(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": "argocd", "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
        "spec": {},
    }))
    .expect("a map");
    if is_live {
        object.set_annotation(TRACKING_ANNOTATION, format!("root:argoproj.io/{kind}:argocd/{name}"));
    }
    object
}

/// Names of what is deleted and of what is kept, and the notes, when of ten live children the first few are wanted.
fn pruned(application: &Application, wanted: usize) -> (Vec<String>, Vec<String>, Vec<String>) {
    let names: Vec<String> = (0..10).map(|number| format!("child-{number}")).collect();
    let mut tracked: Vec<Object> = names.iter().map(|name| child("Application", name, true)).collect();
    let mut config = Object::from_value(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old", "namespace": "argocd"}}),
    )
    .expect("a map");
    config.set_annotation(TRACKING_ANNOTATION, "root:/ConfigMap:argocd/old");
    tracked.push(config);
    let targets =
        names.iter().take(wanted).map(|name| Target { object: child("Application", name, false), path: "apps".into() });
    let compiled = compile(application, targets.collect(), &tracked, true, HealthWait::Never, 60).expect("compiled");
    let (mut deleted, mut kept) = (Vec::new(), Vec::new());
    for item in compiled.desired.phases.iter().flat_map(|phase| &phase.items) {
        match &item.task {
            Task::Delete { key, .. } => deleted.push(key.name.clone()),
            Task::Keep { key } => kept.push(key.name.clone()),
            _ => {}
        }
    }
    deleted.sort();
    kept.sort();
    (deleted, kept, compiled.notes)
}

#[test]
fn a_fifth_of_the_children_goes() {
    let (deleted, kept, notes) = pruned(&parent(None), 8);
    assert_eq!((deleted, kept, notes), (vec!["child-8".into(), "child-9".into(), "old".into()], vec![], vec![]));
}

#[test]
fn more_than_a_fifth_stays_and_the_note_says_what_to_type() {
    for wanted in [0, 1, 5, 7] {
        let (deleted, kept, notes) = pruned(&parent(None), wanted);
        assert_eq!(deleted, ["old"], "what is no Application goes as ever");
        assert_eq!(kept.len(), 10 - wanted);
        let note = notes.first().expect("a note");
        let begins = format!("{} of 10 Applications would be deleted (child-{wanted}", 10 - wanted);
        assert!(note.starts_with(&begins), "{note}");
        let (_, typed) =
            note.split_once("kubectl annotate application root -n argocd --overwrite ").expect("a command");
        let approval = typed.strip_prefix(APPROVAL).and_then(|rest| rest.strip_prefix('=')).expect("a value");
        let (deleted, kept, _) = pruned(&parent(Some(approval)), wanted);
        assert_eq!((deleted.len(), kept.len()), (11 - wanted, 0), "what was approved goes");
        let (_, kept, _) = pruned(&parent(Some(approval)), if wanted == 5 { 4 } else { 5 });
        assert!(kept.len() >= 5, "what was not approved stays");
    }
}

#[test]
fn the_last_set_of_a_parent_stays_too() {
    let application = parent(None);
    let tracked = [child("ApplicationSet", "shops", true)];
    let other = Object::from_value(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "namespace": "argocd"}}),
    )
    .expect("a map");
    let targets = vec![Target { object: other, path: "x".into() }];
    let compiled = compile(&application, targets, &tracked, true, HealthWait::Never, 60).expect("compiled");
    let deletes = compiled
        .desired
        .phases
        .iter()
        .flat_map(|phase| &phase.items)
        .any(|item| matches!(item.task, Task::Delete { .. }));
    assert!(!deletes && compiled.notes.len() == 1, "{:?}", compiled.notes);
}
