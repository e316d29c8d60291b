//! What somebody changed by hand: named before it is set back, and afterwards.

use kube::api::{Api, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::discovery::ApiResource;
use serde_json::{Value, json};

use super::sandbox::{Sandbox, small_chart};

/// Writes into the Deployment `web` as somebody at a terminal does, past all deliveries.
fn edit(kubeconfig: &str, manager: &str, body: Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let config = kube::config::Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(config, &options).await.expect("a configuration");
        let client = kube::Client::try_from(config).expect("a client");
        let kind = ApiResource {
            plural: "deployments".into(),
            ..ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk("apps", "v1", "Deployment"))
        };
        let deployments: Api<DynamicObject> = Api::namespaced_with(client, "default", &kind);
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        deployments.patch("web", &params, &Patch::Merge(body)).await.expect("edited");
    });
}

#[test]
fn lp_054_a_manual_edit_is_named_reverted_and_recorded() {
    let sandbox = Sandbox::empty().interactive();
    small_chart(&sandbox, "web", "web");
    sandbox.run(&["up", "web"]).exits(0);
    let kubeconfig = sandbox.run(&["cluster", "kubeconfig"]).exits(0).stdout;
    sandbox.run(&["plan", "web"]).exits(0).says("no changes");
    edit(&kubeconfig, "kubectl-edit", json!({"spec": {"replicas": 3}}));
    let plan = sandbox.run(&["plan", "web"]).exits(0).says("spec.replicas 3 → 1");
    let written = plan.stdout.lines().find(|line| line.contains("was written by kubectl-edit at 20"));
    assert!(written.is_some_and(|line| line.contains("spec.replicas")), "{}", plan.all());
    let up = sandbox.run(&["up", "web", "-o", "json"]).exits(0).json();
    let changes = up["data"]["units"][0]["changes"].as_array().expect("changes");
    let [change] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((&change["object"]["name"], &change["fields"][0]["path"]), (&json!("web"), &json!("spec.replicas")));
    assert_eq!(change["fields"][0]["by"]["manager"], "kubectl-edit");
    let history = sandbox.run(&["history", "-o", "json"]).exits(0).json();
    let (last, first) = (&history["data"][0], &history["data"][1]);
    assert_eq!((&last["revision"], &last["reverted"][0]["field"]), (&json!(2), &json!("spec.replicas")), "{history}");
    assert_eq!(last["reverted"][0]["by"]["manager"], "kubectl-edit");
    assert_eq!(first["reverted"], Value::Null);
    sandbox.run(&["history"]).exits(0).says("kubectl-edit's Deployment/web spec.replicas set back");
    sandbox.run(&["plan", "web"]).exits(0).says("no changes");
    // What we write ourselves is nobody's edit.
    sandbox.edit("web/values.yaml", "replicas: 1", "replicas: 2");
    let plan = sandbox.run(&["plan", "web"]).exits(0).says("spec.replicas 1 → 2");
    assert!(!plan.stdout.contains("was written by"), "{}", plan.all());
    sandbox.run(&["down", "--yes"]).exits(0);
}
