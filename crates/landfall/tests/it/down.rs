use super::sandbox::{Sandbox, small_chart};

#[test]
fn lp_024_down_leaves_no_state() {
    let sandbox = Sandbox::luckyplans();
    sandbox.run(&["up"]).exits(0);
    sandbox.run(&["down", "--yes"]).exits(0);
    assert!(!sandbox.root().join(".landfall").exists());
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
