//! A Secret that the cluster fills in with the token of a ServiceAccount.

use super::sandbox::Sandbox;

const ROBOT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: robot-token\n  annotations: {kubernetes.io/service-account.name: robot}\ntype: kubernetes.io/service-account-token\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: robot}\nspec:\n  selector: {matchLabels: {app: robot}}\n  template:\n    metadata: {labels: {app: robot}}\n    spec:\n      serviceAccountName: robot\n      containers:\n        - name: robot\n          image: registry.example.com/robot:1.2.3\n          env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: robot-token, key: KEY}}}]\n";

fn robot(key: &str) -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("robot/Chart.yaml", "apiVersion: v2\nname: robot\nversion: 0.1.0\n");
    sandbox.write("robot/templates/robot.yaml", &ROBOT.replace("KEY", key));
    sandbox
}

#[test]
fn a_pod_that_takes_the_token_of_its_account_is_delivered_and_starts() {
    let sandbox = robot("token");
    let told = sandbox.run(&["rehearse", "robot", "--from", "empty"]).exits(0);
    assert!(!told.all().contains("robot-token"), "{}", told.all());
    sandbox.run(&["up", "robot", "--once"]).exits(0);
}

#[test]
fn a_key_that_no_cluster_fills_in_is_missed_as_before() {
    let sandbox = robot("tokens");
    sandbox
        .run(&["up", "robot", "--once"])
        .exits(5)
        .says("LF0530")
        .says("robot-token[tokens]")
        .says("did you mean `token`?");
}
