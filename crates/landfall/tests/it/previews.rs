//! `preview` for a terminal, and charts that lay elsewhere at the base.

use super::sandbox::{Sandbox, small_chart};

/// A chart that was moved, and its image raised, in the last commit.
fn moved() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "deploy/old/shop", "shop");
    small_chart(&sandbox, "deploy/other", "other");
    sandbox.commit("Begin");
    sandbox.git(&["mv", "deploy/old/shop", "charts"]);
    sandbox.edit("charts/values.yaml", "app:1.0.0", "app:1.1.0");
    sandbox.commit("Move");
    sandbox
}

#[test]
fn a_chart_that_was_moved_is_found_at_the_base_by_its_name_and_said_to_be() {
    let sandbox = moved();
    let words = "HEAD~1 has chart `shop` in `deploy/old/shop`: it was moved";
    let ran = sandbox.run(&["rehearse", "HEAD~1..HEAD", "./charts"]).exits(0).says(words);
    assert!(ran.stdout.contains("upgrade from"), "{}", ran.all());
    assert!(ran.stdout.contains("~ Deployment/shop") && ran.stdout.contains("restarts"), "{}", ran.all());
    let ran = sandbox.run(&["preview", "HEAD~1..HEAD", "./charts", "-o", "text"]).exits(0).says(words);
    assert!(ran.stdout.contains("preview: 0 created, 1 changed, 0 deleted, 2 unchanged"), "{}", ran.all());
    assert!(!ran.stdout.contains("it was moved"), "data stays data: {}", ran.stdout);
}

#[test]
fn a_chart_that_the_base_has_nowhere_or_twice_is_new() {
    let sandbox = moved();
    small_chart(&sandbox, "fresh", "fresh");
    small_chart(&sandbox, "copies/one", "shop");
    sandbox.commit("Add");
    let new = "HEAD~1 has nothing in its place (";
    let ran = sandbox.run(&["rehearse", "HEAD~1..HEAD", "./fresh"]).exits(0).says(new).says("all of it is new");
    assert!(ran.stdout.contains("first install on an empty cluster"), "{}", ran.all());
    let ran = sandbox.run(&["preview", "HEAD~1..HEAD", "./fresh", "-o", "text"]).exits(0).says(new);
    assert!(ran.stdout.contains("preview: 3 created, 0 changed, 0 deleted, 0 unchanged"), "{}", ran.all());
    // Two charts of the name: which of them was moved nobody knows.
    sandbox.git(&["mv", "copies/one", "copies/two"]);
    sandbox.commit("Move a copy");
    sandbox.run(&["preview", "HEAD~1..HEAD", "./copies/two", "-o", "text"]).says(new).says("3 created");
}

#[test]
fn a_preview_for_a_terminal_says_what_it_fails_for() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write(
        "shop/templates/claim.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n",
    );
    sandbox.edit("shop/values.yaml", "app:1.0.0", "app:latest");
    sandbox.commit("Keep data");
    std::fs::remove_file(sandbox.root().join("shop/templates/claim.yaml")).expect("removed");
    sandbox.edit("shop/values.yaml", "replicas: 1", "replicas: 3");
    sandbox.edit(
        "shop/templates/all.yaml",
        "ports: [{name: http, containerPort: 8080}]",
        "ports: [{name: http, containerPort: 8080}]\n          resources: {requests: {cpu: 100m}}",
    );
    sandbox.commit("Drop data");
    let ran = sandbox.run(&["preview", "HEAD~1..HEAD", "./shop", "-o", "text", "-n", "web"]).exits(1);
    for line in [
        "preview: 0 created, 1 changed, 1 deleted, 2 unchanged",
        "  changed  Deployment/shop in web: its pods restart",
        "  deleted  PersistentVolumeClaim/data in web: loses the volume",
        "  requests.cpu of all replicas: 300m, before 0",
        "its base had these already, which do not count: 1 warning",
    ] {
        assert!(ran.stdout.contains(line), "{line:?}\n{}", ran.all());
    }
}

#[test]
fn dependencies_that_git_does_not_keep_come_from_the_working_tree_where_a_change_is_only_looked_at() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write("parts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 0.1.0\n");
    sandbox.write("parts/db/templates/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db}\n");
    let declared = "dependencies:\n- {name: db, version: ^0.1.0, repository: \"https://charts.example\"}\n";
    sandbox.write("shop/Chart.yaml", &format!("apiVersion: v2\nname: shop\nversion: 0.1.0\n{declared}"));
    sandbox.write(".gitignore", "*.tgz\n");
    sandbox.commit("Begin");
    sandbox.edit("shop/values.yaml", "replicas: 1", "replicas: 2");
    sandbox.commit("Scale");
    sandbox.run(&["rehearse", "HEAD~1..HEAD", "./shop"]).exits(0).lacks("cleanly").says("landfall dependency build");
    sandbox.run(&["preview", "HEAD~1..HEAD", "./shop"]).exits(0).says("## ⚠️ 1 changed").says("dependency db ^0.1.0");
    sandbox.run(&["helm", "package", "parts/db", "-d", "shop/charts"]).exits(0);
    let said = "shop/charts/db-0.1.0.tgz is the working tree's: git does not keep it";
    sandbox.run(&["rehearse", "HEAD~1..HEAD", "./shop"]).exits(0).says(said).says("spec.replicas 1 → 2");
    let ran = sandbox.run(&["preview", "HEAD~1..HEAD", "./shop", "-o", "text"]).exits(0).says(said);
    assert!(ran.stdout.contains("preview: 0 created, 1 changed, 0 deleted, 3 unchanged"), "{}", ran.all());
    // What is delivered is the commit, and nothing that lies beside it.
    sandbox.run(&["up", "./shop", "--ref", "HEAD"]).exits(1).says("not in charts/: db");
}
