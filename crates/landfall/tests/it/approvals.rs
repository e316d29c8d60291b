//! A plan that is saved is carried out exactly, or not at all.

use landfall_object::{Gvk, ObjectKey};

use super::inspection::patch;
use super::sandbox::{Sandbox, small_chart};

fn shop() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    small_chart(&sandbox, "api", "api");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}, {name: api, chart: api, namespace: shop}]\n    checks: [{name: up, rollout: shop/deployment/web}]\n",
    );
    sandbox.commit("Begin");
    sandbox
}

fn deployment() -> ObjectKey {
    ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), "web")
}

#[test]
fn a_saved_plan_is_carried_out_once_and_is_out_of_date_then() {
    let sandbox = shop();
    let saved = sandbox.run(&["plan", "--out", "../first.plan"]).exits(0).says("landfall apply");
    assert!(saved.stdout.contains("Deployment/web"), "{}", saved.all());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(sandbox.root().join("../first.plan")).expect("written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    sandbox.run(&["plan", "--out", "../first.plan"]).exits(1).says("it is there already");
    sandbox.run(&["apply", "../first.plan", "--dry-run"]).exits(0).says("Deployment/web");
    sandbox.run(&["status"]).lacks("web in shop");
    sandbox.run(&["apply", "../first.plan"]).exits(0).says("delivered").says("passed");
    // What it says is done: to do it again is another plan.
    let again =
        sandbox.run(&["apply", "../first.plan"]).exits(5).says("LF0446").says("the plan of shop/web is out of date");
    again.says("the last revision of shop/web was 0 when it was planned, and is 1 now").says("nothing was changed");
    sandbox.run(&["history", "web", "-o", "json"]).exits(0).lacks("\"revision\": 2");
}

#[test]
fn what_has_changed_on_the_cluster_or_in_the_tree_is_named_and_nothing_is_done() {
    let sandbox = shop();
    sandbox.run(&["up"]).exits(0);
    sandbox.edit("web/values.yaml", "replicas: 1", "replicas: 2");
    sandbox.commit("Two");
    sandbox.run(&["plan", "--out", "../two.plan"]).exits(0).says("spec.replicas 1 → 2");
    // The cluster.
    let state = sandbox.root().join(".landfall");
    patch(&state, &deployment(), serde_json::json!({"spec": {"replicas": 5}}));
    let told =
        sandbox.run(&["apply", "../two.plan"]).exits(5).says("Deployment.apps shop/web was changed on the cluster");
    told.says("nothing was changed").lacks("shop/api");
    patch(&state, &deployment(), serde_json::json!({"spec": {"replicas": 1}}));
    sandbox.run(&["apply", "../two.plan", "--dry-run"]).exits(0);
    // The tree, as far as it is delivered.
    sandbox.edit("web/values.yaml", "replicas: 2", "replicas: 3");
    let told = sandbox.run(&["apply", "../two.plan"]).exits(5);
    told.says("Deployment.apps shop/web would be written otherwise: spec.replicas");
    sandbox.edit("web/values.yaml", "replicas: 3", "replicas: 2");
    // What landfall.yaml says, which no rendering shows.
    sandbox.edit("landfall.yaml", "rollout: shop/deployment/web", "rollout: shop/deployment/api");
    sandbox.run(&["apply", "../two.plan"]).exits(5).says("something else of the environment: `checks`");
    sandbox.edit("landfall.yaml", "rollout: shop/deployment/api", "rollout: shop/deployment/web");
    // What is not delivered is none of its business, but is said.
    sandbox.write("README", "x");
    sandbox.run(&["apply", "../two.plan"]).exits(0).says("the tree was at").says("spec.replicas 1 → 2");
}

#[test]
fn values_that_were_typed_are_those_of_the_plan() {
    let sandbox = shop();
    sandbox.write("../more.yaml", "replicas: 3\n");
    sandbox
        .run(&["plan", "./web", "-n", "here", "-f", "../more.yaml", "--set", "color=red", "--out", "../web.plan"])
        .exits(0);
    sandbox.run(&["apply", "../web.plan"]).exits(0).says("web → embedded/here");
    let given = sandbox.run(&["helm", "get", "values", "web", "-n", "here", "-o", "json"]).exits(0).stdout;
    assert!(given.contains("\"color\":\"red\"") && given.contains("\"replicas\":3"), "{given}");
}

#[test]
fn what_is_no_plan_is_refused_and_so_is_one_that_cannot_be_kept() {
    let sandbox = shop();
    sandbox.run(&["apply"]).exits(2);
    sandbox.run(&["apply", "none.plan"]).exits(2).says("LF0899").says("landfall plan --out FILE");
    sandbox.run(&["apply", "web"]).exits(2).says("it is not a file");
    for text in ["", "{}", "[1]", "{\"schema\": \"landfall.dev/v1/SavedPlan\"}", "\u{0}"] {
        sandbox.write("../broken.plan", text);
        sandbox.run(&["apply", "../broken.plan"]).exits(2).says("it does not hold what a plan holds");
    }
    sandbox.run(&["plan", "-f", "-", "--out", "../stdin.plan"]).exits(2).says("standard input");
    sandbox.run(&["plan", "--out", "none/there.plan"]).exits(1).says("LF0896");
    // One that somebody has cut or changed is none of ours.
    sandbox.run(&["plan", "--out", "../cut.plan"]).exits(0);
    let whole = sandbox.read("../cut.plan");
    sandbox.write("../cut.plan", &whole[..whole.len() / 2]);
    sandbox.run(&["apply", "../cut.plan"]).exits(2);
    sandbox.write("../cut.plan", whole.replacen("\"digest\":\"", "\"digest\":\"0", 1).as_str());
    sandbox.run(&["apply", "../cut.plan"]).exits(5);
}

/// What a Secret would hold stands in no plan; that it is another one is seen all the same.
#[test]
fn a_plan_holds_no_value_of_a_secret_and_knows_another_one() {
    let sandbox = shop();
    sandbox.write(
        "web/templates/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {TOKEN: {{ .Values.token | quote }}}\n",
    );
    sandbox.edit("web/values.yaml", "replicas: 1", "token: canary-one\nreplicas: 1");
    sandbox.run(&["plan", "--out", "../one.plan"]).exits(0);
    let plan = sandbox.read("../one.plan");
    assert!(!plan.contains("canary") && !plan.contains("Y2FuYXJ5"), "{plan}");
    sandbox.edit("web/values.yaml", "canary-one", "canary-two");
    let told = sandbox.run(&["apply", "../one.plan"]).exits(5).says("a value of Secret shop/keys is another one");
    told.lacks("canary");
    sandbox.edit("web/values.yaml", "canary-two", "canary-one");
    sandbox.run(&["apply", "../one.plan"]).exits(0).lacks("canary");
    // What a template draws and lives already stays, and is what was planned.
    sandbox.edit("web/templates/secret.yaml", ".Values.token | quote", "randAlphaNum 12 | quote");
    sandbox.run(&["plan", "--out", "../kept.plan"]).exits(0);
    sandbox.run(&["apply", "../kept.plan"]).exits(0).lacks("canary");
    // What does not live yet is another one at each rendering.
    sandbox.edit("web/templates/secret.yaml", "{name: keys}", "{name: others}");
    sandbox.run(&["plan", "--out", "../drawn.plan"]).exits(0);
    sandbox.run(&["apply", "../drawn.plan"]).exits(5).says("what a template draws anew");
}
