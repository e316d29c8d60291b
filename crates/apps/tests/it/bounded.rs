//! What a project does not let its Applications have, what others' owners answer for, and what of a sync is no part of its objects.

use landfall_apps::{
    Application, Barred, HookType, Operation, PartingRequest, Project, ResourceName, SyncRequest, SyncStatus,
};
use landfall_cluster::Propagation;
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};

use crate::place::Place;
use crate::sync::config;

fn secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"a": "b"}})
}

/// A project that lets its Applications have all of the namespace but Secrets.
fn without_secrets(place: &Place) -> Project {
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "default", "namespace": "argocd"},
        "spec": {
            "sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": place.namespace}],
            "namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}],
        },
    });
    Project::parse(&Object::from_value(object).expect("a map")).expect("a project")
}

/// The same Application with another field.
fn with(application: &Application, (part, field): (&str, &str), value: Value) -> Application {
    let mut object = application.object.clone().into_value();
    object[part][field] = value;
    Application::parse(&Object::from_value(object).expect("a map")).expect("an application")
}

#[tokio::test]
async fn what_lies_outside_of_the_project_is_neither_pruned_nor_taken_along() {
    let mut place = Place::new().await;
    let application = place.application(&[]);
    let all = [config("goes", json!({"a": "1"})), config("stays", json!({"a": "1"})), secret("outside")];
    place.sync(&application, &all).await;

    let request =
        SyncRequest { project: Some(without_secrets(&place)), ..place.request(&[config("stays", json!({"a": "1"}))]) };
    let prepared = place.applications.prepare(&application, request).await.expect("prepares");
    let told = format!("Secret {}/outside is outside the bounds of project default and stays", place.namespace);
    assert_eq!(prepared.notes, std::slice::from_ref(&told));
    assert_eq!(prepared.status(), SyncStatus::OutOfSync, "the other one goes");
    place.conductor.run(&place.applications, &prepared).await.expect("runs");
    assert!(place.get("v1", "ConfigMap", "goes").await.is_none());
    assert!(place.get("v1", "Secret", "outside").await.is_some());

    // It is in sync with what it cannot take away, and knows of it as before.
    let request =
        SyncRequest { project: Some(without_secrets(&place)), ..place.request(&[config("stays", json!({"a": "1"}))]) };
    let prepared = place.applications.prepare(&application, request).await.expect("prepares");
    assert_eq!((prepared.status(), prepared.notes.as_slice()), (SyncStatus::Synced, std::slice::from_ref(&told)));

    let project = without_secrets(&place);
    let removal = place.applications.prepare_delete(&application, Propagation::Background, Some(&project)).await;
    let removal = removal.expect("prepares");
    assert_eq!(removal.notes, std::slice::from_ref(&told));
    place.conductor.run(&place.applications, &removal).await.expect("runs");
    assert!(place.get("v1", "ConfigMap", "stays").await.is_none());
    assert!(place.get("v1", "Secret", "outside").await.is_some());
}

/// gitops-engine, pkg/sync/sync_context.go: autoCreateNamespace, whatever is selected.
#[tokio::test]
async fn a_sync_of_some_objects_makes_the_namespace_too() {
    let place = Place::new().await;
    let namespace = format!("{}-made", place.namespace);
    let destination = json!({"server": "https://kubernetes.default.svc", "namespace": namespace});
    let application = with(&place.application(&["CreateNamespace=true"]), ("spec", "destination"), destination);
    let chosen = ResourceName {
        group: String::new(),
        kind: "ConfigMap".to_owned(),
        namespace: String::new(),
        name: "one".to_owned(),
    };
    let operation = Operation { resources: vec![chosen], ..Operation::default() };
    let objects = [config("one", json!({})), config("other", json!({}))];
    let request = SyncRequest { operation, ..place.request(&objects) };
    let prepared = place.applications.prepare(&application, request).await.expect("prepares");
    place.conductor.run(&place.applications, &prepared).await.expect("runs");
    for (name, is_there) in [("one", true), ("other", false)] {
        let key = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(&namespace), name);
        assert_eq!(place.applications.cluster.get(&key).await.expect("reads").is_some(), is_there, "{name}");
    }
}

#[tokio::test]
async fn what_must_not_be_shared_is_compared_and_not_synced() {
    let mut place = Place::new().await;
    let application = place.application(&["FailOnSharedResource=true"]);
    let other = with(&place.application(&[]), ("metadata", "name"), json!(format!("other-{}", place.namespace)));
    place.sync(&other, &[config("both", json!({"a": "1"}))]).await;
    let prepared = place.prepare(&application, &[config("both", json!({"a": "1"}))]).await;
    assert_eq!(prepared.status(), SyncStatus::OutOfSync);
    assert!(prepared.notes.iter().any(|note| note.contains(" is part of applications ")), "{:?}", prepared.notes);
    let refused = prepared.check().expect_err("it is shared").to_string();
    assert!(refused.starts_with("Shared resource found: "), "{refused}");
    // Without the option it is taken over, as it is told.
    let free = place.application(&[]);
    place.prepare(&free, &[config("both", json!({"a": "1"}))]).await.check().expect("it is told alone");
}

/// A ConfigMap that is a hook of this moment.
fn hook(name: &str, moment: &str) -> Value {
    let mut hook = config(name, json!({"a": "2"}));
    hook["metadata"]["annotations"] = json!({"argocd.argoproj.io/hook": moment});
    hook
}

#[tokio::test]
async fn what_others_owners_answer_for_is_not_written_nor_deleted_nor_run_over_by_a_hook() {
    let mut place = Place::new().await;
    let production = with(&place.application(&[]), ("metadata", "name"), json!("production"));
    let delivered = [config("both", json!({"a": "1"})), config("own", json!({"a": "1"}))];
    place.sync(&production, &delivered).await;
    let instance = production.instance();
    place.applications.barred = Barred::new([(instance.clone(), "prod".to_owned())].into());
    let other = place.application(&[]);
    let refused = |prepared: &landfall_apps::PreparedSync| prepared.check().expect_err("it is theirs").to_string();

    // Wanted as it is, it stays whose it is, and nothing is in the way.
    let same = place.prepare(&other, &[config("both", json!({"a": "1"})), config("mine", json!({"a": "1"}))]).await;
    same.check().expect("nothing of it is written");
    place.conductor.run(&place.applications, &same).await.expect("runs");
    let same = place.prepare(&other, &[config("both", json!({"a": "1"})), config("mine", json!({"a": "1"}))]).await;
    assert_eq!(same.status(), SyncStatus::Synced);
    let both = place.get("v1", "ConfigMap", "both").await.expect("there");
    assert_eq!(landfall_apps::owner(&both), Some(instance.as_str()));

    let changed = place.prepare(&other, &[config("both", json!({"a": "2"}))]).await;
    let told = format!("ConfigMap {}/both, which is {instance}'s, whose project prod is protected", place.namespace);
    assert!(refused(&changed).ends_with(&told), "{}", refused(&changed));
    assert_eq!(changed.status(), SyncStatus::OutOfSync, "it is compared as ever");
    let run_over = place.prepare(&other, &[hook("both", "PreSync")]).await;
    assert!(refused(&run_over).ends_with(&told));
    let request = PartingRequest {
        targets: place.request(&[hook("both", "PostDelete")]).targets,
        moment: HookType::PostDelete,
        timeout: 60,
    };
    let parting = place.applications.prepare_parting(&other, request).await.expect("prepares");
    assert!(refused(&parting).ends_with(&told));

    // Another Application of that name has none of it either.
    let again = production.clone();
    let own = [config("both", json!({"a": "2"})), config("own", json!({"a": "1"}))];
    assert!(
        refused(&place.prepare(&again, &own).await).contains(&format!("is an earlier {instance}'s, whose project"))
    );
    assert!(refused(&place.prepare(&again, &own[1..]).await).contains("/both"), "pruned");
    let removal = place.applications.prepare_delete(&again, Propagation::Background, None).await.expect("prepares");
    assert!(removal.check().is_err());

    // Those of that project do with it what they like.
    place.applications.barred = Barred::default();
    place.prepare(&other, &[config("both", json!({"a": "2"}))]).await.check().expect("its own project's");
}

#[tokio::test]
async fn an_object_that_asks_for_a_name_to_be_made_is_refused_for_that() {
    let place = Place::new().await;
    let nameless = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "one-"}, "data": {}});
    let prepared = place.applications.prepare(&place.application(&[]), place.request(&[nameless])).await;
    let told = prepared.expect_err("refused").to_string();
    assert!(told.contains("has a generateName and no name"), "{told}");
}
