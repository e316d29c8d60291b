//! What evidence says of an image: what was found while it ran, by checks as they are declared on the branch, and nothing else.

use super::super::scales::git;
use super::{COMMIT, COMMITTED, PROPOSED, Place, place};

const TESTED: &str = "0.5.0-alpha.1.1";
const BEFORE: &str = "0.5.0-alpha.0.9";

/// A place with one check that only an earlier build passes.
fn picky() -> Place {
    let place = place(COMMITTED);
    place.town.publish("acme/web", BEFORE, COMMIT);
    let from = "          ports: [{name: http, containerPort: 8080}]";
    let tag = r#"          env: [{name: TAG, value: "{{ .Values.image }}"}]"#;
    place.shop.edit("chart/templates/all.yaml", from, &format!("{tag}\n{from}"));
    place.shop.edit(
        "landfall.yaml",
        "checks: [{name: web rolls out, rollout: shop-test/Deployment/web, timeout: 3s}]",
        "simulate: {web: {logs: ['orders by {{ .env.TAG }}']}}\n    checks: [{name: orders, logs: shop-test/Deployment/web, contains: alpha.0.9, timeout: 1s}]",
    );
    place.push("changed");
    // The book knows both, because somebody has asked their registry.
    place.shop.edit("test.yaml", TESTED, BEFORE);
    place.push("changed");
    place.promote(&[]).exits(5);
    place.shop.edit("test.yaml", BEFORE, TESTED);
    place.push("changed");
    place.promote(&[]).exits(5);
    place
}

impl Place {
    fn image(&self, tag: &str) -> String {
        format!("{}/acme/web:{tag}", self.town.host())
    }
}

#[test]
fn what_is_checked_proves_nothing_of_an_image_that_something_else_runs_in_place_of() {
    let place = picky();
    let before = format!("image={}", place.image(BEFORE));
    let set = ["up", "--env", "test", "--set", before.as_str()];
    place.shop.run(&set).exits(0).says("proves nothing of it").says("does not run: Deployment/web runs");
    place.shop.run(&["up", "--env", "test"]).exits(4);
    place.promote(&[]).exits(5).says("the check `orders` of test has failed");
    let is_refused = || {
        for more in [&[][..], &["--recorded"], &["--dry-run"]] {
            let refused = place.promote(more).exits(5).says("LF0974").says("does not run in test any more");
            assert!(refused.all().contains(&place.image(BEFORE)), "{}", refused.all());
        }
        assert_eq!((place.commits("main"), place.town.digest("acme/web", "0.5.0")), (4, None));
    };
    // What git declares is not what a hand has delivered.
    place.shop.run(&set).exits(0).says("proves nothing of it");
    is_refused();
    place.shop.run(&["up", "--env", "test"]).exits(4);
    place.promote(&["--recorded"]).exits(5).says("has failed");
    // Nor is what the cluster was rolled back to.
    place.shop.run(&["rollback", "web", "--env", "test", "--yes"]).exits(0);
    place.shop.run(&["smoke", "--env", "test"]).exits(0).says("proves nothing of it");
    is_refused();
}

#[test]
fn a_check_that_is_loosened_where_it_is_made_is_not_the_one_that_is_asked() {
    let place = picky();
    place.shop.run(&["up", "--env", "test"]).exits(4);
    let declared = place.shop.read("landfall.yaml");
    place.shop.edit("landfall.yaml", "contains: alpha.0.9", "contains: orders");
    place.shop.run(&["smoke", "--env", "test"]).exits(0);
    place.promote(&["--recorded"]).exits(5).says("the check `orders` of test has failed");
    place.shop.write("landfall.yaml", &declared);
    // Where the branch asks another one since, it is made again, as it is there.
    place.shop.edit("landfall.yaml", "contains: alpha.0.9", "contains: orders by");
    place.push("changed");
    place.promote(&["--recorded"]).exits(5).says("as it is not declared on the branch");
    place.promote(&[]).exits(0);
    assert!(git(&place.bare, &["show", "main:production.yaml"]).contains("web:0.5.0'"));
}

#[test]
fn what_runs_to_its_end_is_seen_as_well_as_what_stays() {
    let place = place(COMMITTED);
    let host = place.town.host();
    for tag in ["0.4.0", TESTED] {
        for name in ["init", "migrate", "jobs"] {
            place.town.publish(&format!("acme/{name}"), tag, &format!("{name}{tag}"));
        }
    }
    for file in ["test.yaml", "production.yaml"] {
        let tag = if file == "test.yaml" { TESTED } else { "0.4.0" };
        place.shop.edit(
            file,
            &format!("image: '{host}/acme/web:{tag}'"),
            &format!("image: '{host}/acme/web:{tag}'\ntag: {tag}"),
        );
    }
    let containers = "      containers:\n        - name: app";
    let init = format!("      initContainers: [{{name: init, image: \"{host}/acme/init:{{{{ .Values.tag }}}}\"}}]\n");
    place.shop.edit("chart/templates/all.yaml", containers, &format!("{init}{containers}"));
    let job = |name: &str| {
        format!(
            "template: {{spec: {{restartPolicy: Never, containers: [{{name: {name}, image: \"{host}/acme/{name}:{{{{ .Values.tag }}}}\"}}]}}}}"
        )
    };
    for policy in ["before-hook-creation", "hook-succeeded"] {
        place.shop.write(
            &format!("chart/templates/{policy}.yaml"),
            &format!(
                "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {policy}, annotations: {{helm.sh/hook: \"pre-install,pre-upgrade\", helm.sh/hook-delete-policy: {policy}}}}}\nspec: {{{}}}\n",
                job("migrate")
            ),
        );
    }
    place.shop.write(
        "chart/templates/jobs.yaml",
        &format!(
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: jobs}}\nspec: {{schedule: \"0 3 1 1 *\", jobTemplate: {{spec: {{{}}}}}}}\n",
            job("jobs")
        ),
    );
    place.shop.edit(
        "landfall.yaml",
        "    checks:",
        "    simulate: {migrate: {exit: 0}, init: {exit: 0}, jobs: {exit: 0}}\n    checks:",
    );
    place.push("changed");
    place.shop.run(&["up", "--env", "test"]).exits(0);
    let refused = place.promote(&["--dry-run"]).exits(5).says("acme/jobs:0.5.0-alpha.1.1@");
    let refused = refused
        .says("never seen running in test (CronJob/jobs has not fired with it yet; once by hand")
        .says("create job --from=cronjob/jobs");
    let never = refused.all().matches("never seen running").count();
    assert_eq!(never, refused.all().matches("acme/jobs:0.5.0-alpha.1.1@").count(), "{}", refused.all());
    // Where a workload runs the same image, that is where it has proved itself.
    place.shop.edit("chart/templates/jobs.yaml", "/acme/jobs:", "/acme/migrate:");
    place.push("changed");
    place.shop.run(&["up", "--env", "test"]).exits(0);
    place.promote(&["--dry-run"]).exits(0);
}

#[test]
fn what_was_merged_is_withdrawn_by_nothing_and_what_goes_back_by_hand_has_a_line_of_its_own() {
    let place = place(PROPOSED).delivered();
    place.promote(&[]).exits(0);
    let branch = "landfall/promote-production-0.5.0";
    let head = git(&place.bare, &["rev-parse", branch]).trim().to_owned();
    git(&place.bare, &["update-ref", "refs/heads/main", &head]);
    place.town.merge(1, &head);
    let history = || place.run_as("ada", &["history", "--promotions", "-o", "json"]).exits(0).json();
    let state = |history: &serde_json::Value, at: usize| history["data"][at]["state"].as_str().map(str::to_owned);
    assert_eq!(state(&history(), 0).as_deref(), Some("merged"));
    let statuses = place.town.statuses().len();
    let held = place.run_as("ada", &["hold", "0.5.0", "--reason", "loses orders"]).exits(0);
    let held = held.says("pull request 1 was merged as").says("production has 0.5.0");
    assert!(!held.all().contains("is withdrawn") && held.all().contains("landfall rollback --env production"));
    assert_eq!((state(&history(), 0).as_deref(), place.town.statuses().len()), (Some("merged"), statuses));
    // Back by hand, as everybody reads afterwards.
    place.shop.git(&["pull", "-q", "../git/acme/shop.git", "main"]);
    place.run_as("ada", &["rollback", "--env", "production", "--to", "0.4.0", "--yes"]).exits(0);
    let told = history();
    let back = told["data"].as_array().into_iter().flatten().find(|line| line["state"] == "set-back");
    let back = back.unwrap_or_else(|| panic!("{told:#}"));
    assert_eq!((back["to"].as_str(), back["tag"].as_str()), (Some("production"), Some("0.4.0")));
    assert!(back["events"][0]["said"].as_str().is_some_and(|said| said.starts_with("0.5.0 -> 0.4.0 by ")), "{back:#}");
}

#[test]
fn what_was_merged_is_found_on_the_branch_by_the_promotion_that_is_made_again() {
    let place = place(PROPOSED).delivered();
    place.promote(&[]).exits(0);
    let head = git(&place.bare, &["rev-parse", "landfall/promote-production-0.5.0"]).trim().to_owned();
    git(&place.bare, &["update-ref", "refs/heads/main", &head]);
    place.promote(&[]).exits(0).says("it is so already").says("is on main");
    let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    assert_eq!(history["data"][0]["state"], "merged", "{history:#}");
    assert_eq!(history["data"][0]["detail"]["request"]["number"], 1);
}

#[test]
fn a_check_that_could_not_be_made_is_left_out_once_and_stands_in_no_book() {
    let place = place(COMMITTED);
    place.shop.edit(
        "landfall.yaml",
        "checks: [",
        "checks: [{name: db, exec: {workload: shop-test/Deployment/web, argv: [pg_isready]}, timeout: 1s}, ",
    );
    place.push("changed");
    place.shop.run(&["up", "--env", "test", "--allow-unsimulated"]).exits(0);
    place.promote(&["--dry-run"]).exits(5).says("it could not be made").says("--allow-unsimulated");
    place.promote(&["--dry-run", "--allow-unsimulated"]).exits(0).says("check db: taken as seen");
    place.promote(&["--recorded"]).exits(5).says("the check `db` of test was never made");
}
