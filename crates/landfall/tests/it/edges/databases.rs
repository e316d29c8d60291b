//! The fleet in a database of PostgreSQL.

use serde_json::json;

use super::super::sandbox::Sandbox;
use super::{Fleet, serve_with, token};

#[test]
fn a_database_that_is_none_or_is_not_there_serves_nobody() {
    let sandbox = Sandbox::empty();
    let serve = |url: &str| sandbox.run(&["serve", "--only", "fleet", "--listen", "127.0.0.1:0", "--database", url]);
    serve("garbage").exits(2).says("postgres://USER@HOST");
    serve("postgres://nobody@127.0.0.1:1/fleet").exits(1).says("127.0.0.1:1/fleet cannot be used");
    sandbox.run(&["serve", "--only", "fleet", "--shards", "2"]).exits(2).says("--shards");
}

#[test]
#[ignore = "wants PostgreSQL: conformance database -- cargo test -- --ignored postgres"]
fn postgres_keeps_the_fleet_for_one_server_at_a_time() {
    let url = std::env::var("LANDFALL_TEST_DATABASE").expect("LANDFALL_TEST_DATABASE names a server of PostgreSQL");
    let (first, second) = (Sandbox::empty(), Sandbox::empty());
    let beside = |sandbox: &Sandbox| serve_with(sandbox, &[("LANDFALL_DATABASE", &url)]);
    let fleet = beside(&first);
    let token = token(&first, &["--max-uses", "3"]);
    let edge = fleet.enroll(&token, "edge-001-000000");
    assert!(!first.root().join(".landfall/store.db").exists(), "nothing is kept in a file");
    let words = ["serve", "--only", "fleet", "--listen", "127.0.0.1:0", "--database", &url];
    second.run(&words).exits(1).says("another server serves the edges");
    // Killed: the next one knows what this one knew.
    let killed = |mut fleet: Fleet| {
        fleet.child.kill().expect("killed");
        fleet.child.wait().expect("ended");
    };
    killed(fleet);
    let fleet = beside(&first);
    assert_eq!(fleet.beat(&edge, json!({})).status, 201);
    assert_eq!(first.run(&["edge", "list", "-o", "name"]).exits(0).stdout.trim(), "edge-001-000000");
}
