use super::sandbox::{Sandbox, small_chart};

const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\nclusters:\n- {name: c, cluster: {server: \"https://127.0.0.1:9\"}}\nusers:\n- {name: u, user: {}}\ncontexts:\n- {name: k3d-luckyplans-prod, context: {cluster: c, user: u}}\n- {name: other, context: {cluster: c, user: u}}\ncurrent-context: k3d-luckyplans-prod\n";

#[test]
fn lp_045_a_missing_secret_key_is_refused_before_anything_is_applied() {
    let sandbox = Sandbox::luckyplans();
    sandbox.edit("infrastructure/helm/luckyplans/values.yaml", "  WORKER_CREDENTIAL_PEPPER: dev-pepper\n", "");
    sandbox
        .run(&["up"])
        .exits(5)
        .says("Deployment/api-gateway")
        .says("luckyplans-secrets[WORKER_CREDENTIAL_PEPPER]")
        .says("container api-gateway");
    let status = sandbox.run(&["status", "-o", "json"]);
    assert!(!status.stdout.contains("\"outcome\": \"deployed\""), "{}", status.all());
}

#[test]
fn lp_128_a_context_other_than_the_environments_is_refused_and_changes_nothing() {
    let sandbox = Sandbox::luckyplans();
    sandbox.write("../kubeconfig", KUBECONFIG);
    sandbox
        .run(&["up", "--env", "prod", "--context", "other", "--kubeconfig", "../kubeconfig"])
        .exits(5)
        .says("k3d-luckyplans-prod")
        .says("nothing was changed");
    sandbox.run(&["up", "--context", "k3d-luckyplans-prod", "--kubeconfig", "../kubeconfig"]).exits(5);
}

#[test]
fn a_kubeconfig_in_the_environment_never_sends_up_to_a_real_cluster() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("kubeconfig", KUBECONFIG);
    let mut command = sandbox.command(&["up", "web"]);
    command.env("KUBECONFIG", sandbox.root().join("kubeconfig"));
    let ran = super::sandbox::ran(command.output().expect("runs"));
    ran.exits(0).says("embedded");
}

#[test]
fn a_context_that_is_not_in_the_kubeconfig_is_named_with_those_that_are() {
    let sandbox = Sandbox::luckyplans();
    sandbox.write("../kubeconfig", &KUBECONFIG.replace("k3d-luckyplans-prod", "k3d-luckyplans-prd"));
    sandbox
        .run(&["plan", "--env", "prod", "--kubeconfig", "../kubeconfig"])
        .exits(6)
        .says("did you mean `k3d-luckyplans-prd`?");
}

#[test]
fn a_protected_environment_refuses_uncommitted_changes() {
    let sandbox = Sandbox::luckyplans();
    sandbox.write("../kubeconfig", KUBECONFIG);
    sandbox.write("infrastructure/helm/luckyplans/templates/extra.yaml", "# not committed\n");
    sandbox.run(&["up", "--env", "prod", "--kubeconfig", "../kubeconfig", "--yes"]).exits(5).says("--dirty");
}

#[test]
fn a_cluster_that_does_not_answer_is_unreachable() {
    let sandbox = Sandbox::luckyplans();
    sandbox.write("../kubeconfig", KUBECONFIG);
    sandbox.run(&["plan", "--env", "prod", "--kubeconfig", "../kubeconfig"]).exits(6);
}

#[test]
fn of_hundreds_of_references_that_lead_nowhere_each_is_told_and_the_first_with_their_lines() {
    let sandbox = Sandbox::empty();
    let references: String = (0..201).map(|at| format!("        - secretRef: {{name: s{at}}}\n")).collect();
    sandbox.write("it/Chart.yaml", "apiVersion: v2\nname: it\nversion: 0.1.0\n");
    sandbox.write(
        "it/templates/it.yaml",
        &format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: it}}\nspec:\n  containers:\n    - name: it\n      image: registry.example.com/it:1.2.3\n      envFrom:\n{references}"),
    );
    let told = sandbox.run(&["up", "it", "--once"]).exits(5);
    let all = told.all();
    assert_eq!(all.matches("refused[LF0530]").count(), 201, "{all}");
    assert_eq!(all.matches("it/templates/it.yaml:").count(), 200, "{all}");
}
