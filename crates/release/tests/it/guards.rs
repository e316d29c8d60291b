//! Each way in which an operation writes or deletes, tried at a Secret with a key that is generated once; and Secrets that become
//! SealedSecrets.

use landfall_cluster::WriteOptions;
use landfall_engine::{Action, Plan};
use landfall_object::{Object, SIMULATED};
use landfall_release::{
    Content, DeployOptions, Error, InstallOptions, OwnershipCheck, RollbackOptions, UninstallOptions, UpgradeOptions,
};
use serde_json::{Value, json};

use crate::charts::{content, deployment, hook, web};
use crate::deliver::waiting;
use crate::place::Place;

const HELD: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\n  annotations:\n    landfall.dev/once: PEPPER\nstringData:\n  PEPPER: one\n";

fn install() -> InstallOptions {
    InstallOptions { deploy: waiting(), ..InstallOptions::default() }
}

fn upgrade() -> UpgradeOptions {
    UpgradeOptions { deploy: waiting() }
}

fn manifest(objects: &[&str]) -> Content {
    content(objects.iter().map(|object| format!("---\n# Source: web/templates/x.yaml\n{object}")).collect())
}

async fn pepper(place: &Place) -> Option<String> {
    let secret = place.get("v1", "Secret", "keys").await?;
    secret.str_at("/data/PEPPER").map(str::to_owned)
}

const ONE: Option<&str> = Some("b25l");

async fn create(place: &Place, object: Value) -> Object {
    let object = Object::from_value(object).expect("a map");
    place.cluster.create(&object, &WriteOptions::default()).await.expect("created")
}

async fn with_sealed_secrets(place: &Place) {
    for definition in landfall_object::operators::definitions("bitnami.com") {
        let object = Object::from_value(definition).expect("a map");
        match place.cluster.create(&object, &WriteOptions::default()).await {
            Err(error) if !error.is_already_exists() => panic!("{error}"),
            _ => place.cluster.forget_discovery(),
        }
    }
}

fn sealed(name: &str) -> String {
    format!(
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: {name}\nspec:\n  encryptedData: {{A: AgB}}\n"
    )
}

#[tokio::test]
async fn a_hook_that_is_cleaned_up_leaves_what_it_has_generated_once() {
    let place = Place::new().await;
    let mut with_hook = web("shop/web:1");
    let mut made = hook("keys", "Secret", &["pre-install", "pre-upgrade"], HELD);
    made.delete_policies = vec!["hook-succeeded".into()];
    with_hook.hooks = vec![made.clone()];
    let prepared = place.releases().prepare_install("web", with_hook.clone(), &install()).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    assert_eq!(pepper(&place).await.as_deref(), ONE);
    // Nor is it made anew before the next run.
    made.delete_policies = vec!["before-hook-creation".into()];
    with_hook.hooks = vec![made];
    let refused = place.releases().prepare_upgrade("web", with_hook, &upgrade()).await;
    assert!(matches!(refused, Err(Error::Engine(landfall_engine::Error::Once(_)))), "{refused:?}");
    assert_eq!(pepper(&place).await.as_deref(), ONE);
}

#[tokio::test]
async fn what_a_failed_operation_has_generated_once_outlives_its_cleaning_up_and_its_undoing() {
    let place = Place::new().await;
    let prepared = place.releases().prepare_install("web", web("shop/web:1"), &install()).await.expect("prepares");
    place.run(&prepared).await.expect("runs");
    let stuck =
        deployment("shop/web:2").replace("      containers:", "      nodeSelector: {no: such-node}\n      containers:");
    for (cleanup_on_fail, atomic) in [(true, false), (false, true)] {
        let deploy = DeployOptions { cleanup_on_fail, atomic, ..waiting() };
        let content = manifest(&[HELD, &stuck]);
        let prepared =
            place.releases().prepare_upgrade("web", content, &UpgradeOptions { deploy }).await.expect("prepares");
        assert!(!place.run(&prepared).await.expect("runs").succeeded());
        assert_eq!(pepper(&place).await.as_deref(), ONE, "cleanup {cleanup_on_fail}, atomic {atomic}");
    }
}

#[tokio::test]
async fn a_rollback_to_another_value_is_refused() {
    let place = Place::new().await;
    let plain = HELD.replace("landfall.dev/once: PEPPER", "a: b").replace("PEPPER: one", "PEPPER: zero");
    let prepared = place.releases().prepare_install("web", manifest(&[&plain]), &install()).await.expect("prepares");
    place.run(&prepared).await.expect("runs");
    let prepared = place.releases().prepare_upgrade("web", manifest(&[HELD]), &upgrade()).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let options = RollbackOptions { deploy: waiting(), revision: 0 };
    let refused = place.releases().prepare_rollback("web", &options).await;
    assert!(matches!(refused, Err(Error::Engine(landfall_engine::Error::Once(_)))), "{refused:?}");
    assert_eq!(pepper(&place).await.as_deref(), ONE);
}

/// What the cluster itself would delete with something else is as much deleted by whoever deletes that.
#[tokio::test]
async fn neither_its_namespace_nor_its_owner_nor_the_owners_definition_goes() {
    let place = Place::new().await;
    with_sealed_secrets(&place).await;
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: holders.example.com\nspec:\n  group: example.com\n  scope: Namespaced\n  names: {kind: Holder, plural: holders, singular: holder, listKind: HolderList}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}\n";
    let own = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}}}\n", place.namespace);
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";
    let deploy = DeployOptions { ownership: OwnershipCheck::AdoptNamespace, ..waiting() };
    let adopting = InstallOptions { deploy: deploy.clone(), create_namespace: true, ..InstallOptions::default() };
    let prepared = place
        .releases()
        .prepare_install("web", manifest(&[&own, definition, config]), &adopting)
        .await
        .expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let holder = create(
        &place,
        json!({"apiVersion": "example.com/v1", "kind": "Holder", "metadata": {"name": "h", "namespace": place.namespace}}),
    )
    .await;
    create(
        &place,
        json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"PEPPER": "one"}, "metadata": {
            "name": "keys", "namespace": place.namespace, "annotations": {"landfall.dev/once": "PEPPER"},
            "ownerReferences": [{"apiVersion": "example.com/v1", "kind": "Holder", "name": "h", "uid": holder.uid()}],
        }}),
    )
    .await;
    for kept in [&[config, &own][..], &[config, definition]] {
        let options = UpgradeOptions { deploy: deploy.clone() };
        let prepared = place.releases().prepare_upgrade("web", manifest(kept), &options).await.expect("prepares");
        assert_eq!(stays(&prepared.plan).len(), 1, "what went before is no longer the release's");
        assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
        assert_eq!(pepper(&place).await.as_deref(), ONE);
        let whole = manifest(&[&own, definition, config]);
        let deploy = DeployOptions { ownership: OwnershipCheck::Take, ..deploy.clone() };
        let again = place.releases().prepare_upgrade("web", whole, &UpgradeOptions { deploy }).await.expect("prepares");
        assert_eq!(place.run(&again).await.expect("runs").report.failure, None);
    }
    let prepared = place.releases().prepare_uninstall("web", &UninstallOptions::default()).await.expect("prepares");
    let said = stays(&prepared.plan);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|(_, why)| why.contains("/keys would go, which holds PEPPER generated once")), "{said:?}");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    assert_eq!(pepper(&place).await.as_deref(), ONE);
    assert!(place.get("v1", "ConfigMap", "web").await.is_none(), "the rest is gone");
}

/// What a plan lets stay, and why.
fn stays(plan: &Plan) -> Vec<(String, String)> {
    let kept = plan.steps().filter(|step| step.action == Action::Keep);
    kept.map(|step| (step.key.to_string(), step.why.clone())).collect()
}

/// The collector follows owners of every kind, and owners of owners.
#[tokio::test]
async fn an_owner_of_a_built_in_kind_and_an_owner_of_an_owner_stay_with_what_is_generated_once() {
    let place = Place::new().await;
    let config = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    let (first, other, plain) = (config("first"), config("other"), config("plain"));
    let all = manifest(&[&first, &other, &plain]);
    let prepared = place.releases().prepare_install("web", all, &install()).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let of = |owner: &Object| json!([{"apiVersion": owner.api_version(), "kind": owner.kind(), "name": owner.name(), "uid": owner.uid()}]);
    let owner = place.get("v1", "ConfigMap", "first").await.expect("there");
    let middle = json!({"name": "middle", "namespace": place.namespace, "ownerReferences": of(&owner)});
    let middle = create(&place, json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": middle})).await;
    for (name, owner) in [("keys", &middle), ("others", &place.get("v1", "ConfigMap", "other").await.expect("there"))] {
        create(
            &place,
            json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"PEPPER": "one"}, "metadata": {
                "name": name, "namespace": place.namespace, "annotations": {"landfall.dev/once": "PEPPER"},
                "ownerReferences": of(owner),
            }}),
        )
        .await;
    }
    let prepared = place.releases().prepare_upgrade("web", manifest(&[&plain]), &upgrade()).await.expect("prepares");
    let said = stays(&prepared.plan);
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    // What comes to be owned after it was planned is found again right before the deletion.
    let prepared = place.releases().prepare_uninstall("web", &UninstallOptions::default()).await.expect("prepares");
    assert_eq!(stays(&prepared.plan), []);
    let late = json!({"name": "late", "namespace": place.namespace, "annotations": {"landfall.dev/once": "PEPPER"},
        "ownerReferences": of(&place.get("v1", "ConfigMap", "plain").await.expect("there"))});
    create(&place, json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"PEPPER": "one"}, "metadata": late}))
        .await;
    let said = format!("{:?}", place.run(&prepared).await.expect("runs").report.failure);
    assert!(said.contains("/late holds PEPPER generated once, which would be deleted"), "{said}");
    for name in ["keys", "others", "late"] {
        assert!(place.get("v1", "Secret", name).await.is_some(), "{name}");
    }
}

/// A Secret that its chart no longer has is kept and named, whichever verb finds it so.
#[tokio::test]
async fn a_secret_that_left_its_chart_stays_and_is_named() {
    let place = Place::new().await;
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";
    let prepared =
        place.releases().prepare_install("web", manifest(&[HELD, config]), &install()).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let prepared = place.releases().prepare_upgrade("web", manifest(&[config]), &upgrade()).await.expect("prepares");
    let named = (format!("Secret {}/keys", place.namespace), "kept: PEPPER generated once".to_owned());
    assert_eq!(stays(&prepared.plan), [named]);
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    assert_eq!(pepper(&place).await.as_deref(), ONE);
}

/// What a manifest says that a key was at its birth is the value that an upgrade could put there later.
#[tokio::test]
async fn a_birth_that_a_manifest_claims_is_not_believed() {
    let place = Place::new().await;
    // Of `evil`.
    let print = "f829048a5a972c3e6ef6f8fc545c6149";
    let claims = HELD.replace("once: PEPPER", &format!("once: PEPPER\n    landfall.dev/once-born: PEPPER={print}"));
    let prepared = place.releases().prepare_install("web", manifest(&[&claims]), &install()).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let evil = manifest(&[&claims.replace("PEPPER: one", "PEPPER: evil")]);
    let refused = place.releases().prepare_upgrade("web", evil, &upgrade()).await;
    assert!(matches!(refused, Err(Error::Engine(landfall_engine::Error::Once(_)))), "{refused:?}");
    // The same again is no change, stale as what it claims may be.
    let prepared = place.releases().prepare_upgrade("web", manifest(&[&claims]), &upgrade()).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    assert_eq!(pepper(&place).await.as_deref(), ONE);
}

/// LP-131: from a Secret to a SealedSecret of its name and back, without a moment in which there is none.
#[tokio::test]
async fn a_secret_becomes_a_sealed_one_and_a_plain_one_again_and_keeps_its_uid() {
    let place = Place::new().await;
    with_sealed_secrets(&place).await;
    let plain = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\nstringData:\n  A: one\n";
    let prepared = place.releases().prepare_install("web", manifest(&[plain]), &install()).await.expect("prepares");
    place.run(&prepared).await.expect("runs");
    let before = place.get("v1", "Secret", "keys").await.expect("there");
    let prepared =
        place.releases().prepare_upgrade("web", manifest(&[&sealed("keys")]), &upgrade()).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let secret = place.get("v1", "Secret", "keys").await.expect("it is always there");
        assert_eq!(secret.uid(), before.uid());
        if secret.annotation(SIMULATED).is_some() {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the controller never took it over: {:?}", secret.value());
        tokio::task::yield_now().await;
    }
    // The controller has taken Helm's marks away with all other annotations.
    let deploy = DeployOptions { ownership: OwnershipCheck::Take, ..waiting() };
    let options = UpgradeOptions { deploy };
    let prepared = place.releases().prepare_upgrade("web", manifest(&[plain]), &options).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let back = place.get("v1", "Secret", "keys").await.expect("there");
    assert_eq!((back.uid(), back.str_at("/data/A")), (before.uid(), Some("b25l")));
    assert!(place.get("bitnami.com/v1alpha1", "SealedSecret", "keys").await.is_none());
}
