//! `landfall scale`: a commit on the branch, and no other byte.

use std::path::PathBuf;
use std::process::Command;

use super::sandbox::{Sandbox, small_chart};

/// A system whose repository has a bare one elsewhere.
pub(super) fn shop() -> (Sandbox, PathBuf) {
    let shop = Sandbox::empty();
    small_chart(&shop, "chart", "web");
    shop.write(
        "prod.yaml",
        "# production\nreplicas: 2   # measured in March\n\nimage: 'ghcr.io/acme/web:1.0.0' # by the pipeline\n",
    );
    shop.write("test.yaml", "settings: {color: red}\n");
    shop.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  prod:\n    cluster: embedded\n    releases: [{name: web, chart: chart, namespace: shop, values: [prod.yaml]}]\n    images: {policy: semver, channel: stable}\n  test:\n    cluster: embedded\n    releases: [{name: web, chart: chart, namespace: shop-test, values: [test.yaml]}]\n",
    );
    shop.commit("first");
    let bare = shop.root().join("../shop.git");
    shop.git(&["clone", "-q", "--bare", ".", "../shop.git"]);
    shop.git(&["remote", "add", "origin", "../shop.git"]);
    (shop, bare)
}

pub(super) fn git(directory: &PathBuf, words: &[&str]) -> String {
    let output = Command::new("git").args(words).current_dir(directory).output().expect("git runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn how_many_replicas_a_workload_has_is_a_commit_of_its_environments_own_file() {
    let (shop, bare) = shop();
    let before = git(&bare, &["show", "main:prod.yaml"]);
    let looked =
        shop.run(&["scale", "web=3", "--env", "prod", "--dry-run"]).exits(0).says("prod.yaml:2  replicas: 2 -> 3");
    assert!(looked.stdout.contains("--dry-run"), "{}", looked.all());
    assert_eq!(git(&bare, &["rev-list", "--count", "main"]).trim(), "1");
    let done = shop.run(&["scale", "web=3", "--env", "prod", "-o", "json"]).exits(0).json();
    assert_eq!(done["data"]["written"]["result"], "pushed");
    assert_eq!(done["data"]["written"]["files"], serde_json::json!(["prod.yaml"]));
    assert_eq!(git(&bare, &["show", "main:prod.yaml"]), before.replace("replicas: 2 ", "replicas: 3 "));
    let told = git(&bare, &["log", "-1", "--format=%s%n%b", "main"]);
    assert!(told.starts_with("Scale web to 3 in prod\n") && told.contains("Landfall-Cause: scale"), "{told}");
    // Nothing of the working tree, and nothing a second time.
    assert!(shop.read("prod.yaml").contains("replicas: 2 "));
    shop.run(&["scale", "web=3", "--env", "prod"]).exits(0).says("nothing to do on main: it is so already");
    assert_eq!(git(&bare, &["rev-list", "--count", "main"]).trim(), "2");
    // The chart's default holds for every environment: this one gets a line of its own.
    shop.run(&["scale", "deployment/web=4", "--env", "test"]).exits(0);
    assert_eq!(git(&bare, &["show", "main:test.yaml"]), "settings: {color: red}\nreplicas: 4\n");
    assert!(git(&bare, &["show", "main:chart/values.yaml"]).contains("replicas: 1\n"));
    git(&bare, &["fsck", "--strict"]);
}

#[test]
fn whether_there_is_anything_to_do_the_branch_says_and_not_a_clone_that_lies_behind_it() {
    let (shop, bare) = shop();
    shop.edit("prod.yaml", "replicas: 2 ", "replicas: 7 ");
    shop.commit("busy");
    shop.git(&["push", "-q", "origin", "HEAD:main"]);
    shop.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let words = ["scale", "web=2", "--env", "prod"];
    shop.run(&[&words[..], &["--dry-run"]].concat()).exits(0).says("asked without --dry-run").lacks("nothing to do");
    shop.run(&words).exits(0).says("prod.yaml:2  replicas: 7 -> 2").lacks("nothing to do");
    assert!(git(&bare, &["show", "main:prod.yaml"]).contains("replicas: 2 "));
    shop.run(&words).exits(0).says("nothing to do on main: it is so already");
}

#[test]
fn what_cannot_be_scaled_is_told_with_its_reason_and_nothing_is_written() {
    let (shop, bare) = shop();
    shop.run(&["scale", "wbe=3", "--env", "prod"]).exits(2).says("did you mean `web`?");
    shop.run(&["scale", "web", "--env", "prod"]).exits(2).says("web=3");
    shop.run(&["scale", "web=many", "--env", "prod"]).exits(2).says("no number of replicas");
    shop.write(
        "chart/templates/scaler.yaml",
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  minReplicas: 2\n  maxReplicas: 5\n  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]\n",
    );
    shop.run(&["scale", "web=3", "--env", "prod"]).exits(5).says("LF0972").says("minReplicas");
    assert_eq!(git(&bare, &["rev-list", "--count", "main"]).trim(), "1");
}
