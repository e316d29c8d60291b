use super::sandbox::{Sandbox, small_chart};

#[test]
fn lp_024_down_leaves_no_state() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up"]).exits(0);
    sandbox.run(&["down", "--yes"]).exits(0);
    assert!(!sandbox.root().join(".landfall").exists());
}

#[test]
fn lp_024_a_plain_uninstall_keeps_the_namespace_the_claims_and_the_secret() {
    let sandbox = Sandbox::luckyplans().interactive();
    sandbox.run(&["up", "--skip", "observability"]).exits(0);
    sandbox.run(&["uninstall", "luckyplans", "-n", "luckyplans"]).exits(0);
    sandbox.run(&["cluster", "stop"]).exits(0);
    let left = super::inspection::end_state(&sandbox.root().join(".landfall"), "luckyplans");
    let there = |what: &str| left.iter().any(|line| line.starts_with(what));
    assert!(super::inspection::namespaces(&sandbox.root().join(".landfall")).contains(&"luckyplans".to_owned()));
    assert!(there("PersistentVolumeClaim postgresql-data ") && there("PersistentVolumeClaim minio-data "), "{left:#?}");
    assert!(there("Secret luckyplans-secrets "), "{left:#?}");
    assert!(!there("Deployment "), "{left:#?}");
}

#[test]
fn down_keeps_the_volumes_when_asked() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up"]).exits(0);
    sandbox.run(&["down", "--yes", "--keep-data"]).exits(0).says("postgresql-data");
    assert!(sandbox.root().join(".landfall/cluster.db").exists());
    sandbox.run(&["up"]).exits(0);
}

#[test]
fn down_without_anything_is_done() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.run(&["down", "web", "--yes"]).exits(0);
}

#[test]
fn what_a_server_keeps_is_landfalls_and_goes_too() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.run(&["up", "web", "--once"]).exits(0);
    sandbox.run(&["webhook", "secret", "rotate"]).exits(0);
    assert!(sandbox.root().join(".landfall/webhook.json").exists());
    sandbox.run(&["cluster", "reset", "--yes"]).exits(0).lacks("not Landfall's");
    assert!(!sandbox.root().join(".landfall").exists());
}
