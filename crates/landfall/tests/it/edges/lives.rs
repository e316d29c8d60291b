//! Edges and releases that go while a campaign is under way.

use super::*;

fn member(sandbox: &Sandbox, name: &str, edge: &str) -> Value {
    let told = campaign(sandbox, name);
    let members = told["members"].as_array().cloned().unwrap_or_default();
    members.into_iter().find(|it| it["edge"] == edge).unwrap_or_else(|| panic!("{edge} in {told}"))
}

fn cause(sandbox: &Sandbox, edge: &str, cause: &str) -> String {
    let told = sandbox.run(&["edge", "explain", edge, "-o", "json"]).exits(0).json();
    let found = told["data"]["findings"].as_array().into_iter().flatten().find(|it| it["cause"] == cause);
    let found = found.unwrap_or_else(|| panic!("{cause} in {told}"));
    format!("{} · {}", found["text"].as_str().unwrap_or_default(), found["next"].as_str().unwrap_or_default())
}

fn beginning(sandbox: &Sandbox) -> (Fleet, String) {
    let fleet = serve(sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(sandbox, "1.1.0");
    let token = token(sandbox, &[]);
    (fleet, token)
}

/// A campaign of all edges in one wave, which rests with its first failure.
fn begin(sandbox: &Sandbox) {
    let create = ["edge", "campaign", "create", "1.1.0", "--name", "spring", "--waves", "100%", "--max-failures", "0"];
    sandbox.run(&create).exits(0);
}

#[test]
fn an_edge_that_is_removed_leaves_its_past_to_nobody() {
    let sandbox = Sandbox::empty();
    let (fleet, token) = beginning(&sandbox);
    let gone = fleet.enroll(&token, "edge-gone");
    begin(&sandbox);
    assert_eq!(fleet.beat(&gone, json!({})).json()["targetVersion"], "1.1.0");
    fleet.beat(&gone, json!({"upgradeStatus": "FAILED", "reason": "checksum"}));
    sandbox.run(&["edge", "remove", "edge-gone", "--yes"]).exits(0);
    let new = fleet.enroll(&token, "edge-new");
    let told = sandbox.run(&["edge", "get", "edge-new", "-o", "json"]).exits(0).json();
    let events: Vec<&str> =
        told["data"]["events"].as_array().into_iter().flatten().filter_map(|it| it["text"].as_str()).collect();
    assert_eq!(events, ["enrolled with the token workshop"], "what happened to another edge");
    // What is tried again is tried with the edges that the campaign was made for.
    sandbox.run(&["edge", "campaign", "retry", "spring"]).exits(0);
    assert_eq!(fleet.beat(&new, json!({})).json()["targetVersion"], Value::Null);
}

#[test]
fn an_edge_that_is_revoked_during_its_download_has_not_failed_and_goes_on_once_it_has_enrolled_again() {
    let sandbox = Sandbox::empty();
    let (mut fleet, token) = beginning(&sandbox);
    let [edge, other] = ["edge-a", "edge-b"].map(|device| fleet.enroll(&token, device));
    begin(&sandbox);
    for edge in [&edge, &other] {
        assert_eq!(fleet.beat(edge, json!({})).json()["targetVersion"], "1.1.0");
        fleet.beat(edge, json!({"upgradeStatus": "DOWNLOADING"}));
    }
    sandbox.run(&["edge", "revoke", "edge-a", "--yes"]).exits(0);
    drop(fleet);
    fleet = serve(&sandbox);
    assert_eq!(fleet.beat(&edge, json!({"upgradeStatus": "VERIFYING"})).status, 401);
    let at = member(&sandbox, "spring", "edge-a");
    assert_eq!((&at["state"], &at["reason"]), (&json!("SKIPPED_OFFLINE"), &json!("its credentials were revoked")));
    assert!(cause(&sandbox, "edge-a", "no-credential").contains("landfall edge reenroll edge-a"));
    assert_eq!(campaign(&sandbox, "spring")["state"], "RUNNING");
    let other = Edge { version: "1.1.0".to_owned(), ..other };
    fleet.beat(&other, json!({"upgradeStatus": "SUCCEEDED"}));
    assert_eq!(campaign(&sandbox, "spring")["state"], "COMPLETED");
    sandbox.run(&["edge", "reenroll", "edge-a", "--yes"]).exits(0);
    let edge = fleet.enroll(&token, "edge-a");
    assert_eq!(fleet.beat(&edge, json!({})).json()["targetVersion"], "1.1.0");
    let edge = Edge { version: "1.1.0".to_owned(), ..edge };
    fleet.beat(&edge, json!({"upgradeStatus": "SUCCEEDED"}));
    assert_eq!(member(&sandbox, "spring", "edge-a")["state"], "SUCCEEDED");
}

#[test]
fn a_campaign_whose_release_is_withdrawn_says_so_and_offers_it_to_nobody_who_comes_later() {
    let sandbox = Sandbox::empty();
    let (mut fleet, token) = beginning(&sandbox);
    let [_late, early] = ["edge-late", "edge-early"].map(|device| fleet.enroll(&token, device));
    begin(&sandbox);
    sandbox.run(&["edge", "revoke", "edge-late", "--yes"]).exits(0);
    fleet.beat(&early, json!({}));
    let early = Edge { version: "1.1.0".to_owned(), ..early };
    fleet.beat(&early, json!({"upgradeStatus": "SUCCEEDED"}));
    assert_eq!(campaign(&sandbox, "spring")["state"], "COMPLETED");
    let begun = fleet.enroll(&token, "edge-begun");
    sandbox.run(&["edge", "campaign", "create", "1.1.0", "--name", "summer", "--edge", "edge-begun"]).exits(0);
    fleet.beat(&begun, json!({}));
    fleet.beat(&begun, json!({"upgradeStatus": "DOWNLOADING"}));
    sandbox.run(&["edge", "release", "yank", "1.1.0", "--yes"]).exits(0);
    drop(fleet);
    fleet = serve(&sandbox);
    assert_eq!(campaign(&sandbox, "summer")["pauseReason"], "RELEASE_YANKED");
    for verb in ["resume", "retry"] {
        let told = sandbox.run(&["edge", "campaign", verb, "summer"]).exits(5).says("its release was withdrawn");
        assert!(told.stderr.contains("landfall edge campaign abort summer"), "{}", told.all());
    }
    // What had begun may still tell how it ended.
    let begun = Edge { version: "1.1.0".to_owned(), ..begun };
    fleet.beat(&begun, json!({"upgradeStatus": "SUCCEEDED"}));
    assert_eq!(member(&sandbox, "summer", "edge-begun")["state"], "SUCCEEDED");
    // Who comes back to a campaign that has ended is not brought to what was withdrawn meanwhile.
    sandbox.run(&["edge", "reenroll", "edge-late", "--yes"]).exits(0);
    let late = fleet.enroll(&token, "edge-late");
    assert_eq!(fleet.beat(&late, json!({})).json()["targetVersion"], Value::Null);
    assert_eq!(member(&sandbox, "spring", "edge-late")["state"], "SKIPPED_OFFLINE", "it was offered");
    assert!(cause(&sandbox, "edge-late", "unfit").contains("the release was withdrawn"));
}

#[test]
fn a_way_back_that_the_existing_agent_does_not_know_is_refused_with_one_that_it_does() {
    let sandbox = Sandbox::empty();
    let (fleet, token) = beginning(&sandbox);
    registered_release(&sandbox, "1.0.0");
    let edge = fleet.enroll(&token, "edge-a");
    begin(&sandbox);
    fleet.beat(&edge, json!({}));
    let edge = Edge { version: "1.1.0".to_owned(), ..edge };
    fleet.beat(&edge, json!({"upgradeStatus": "SUCCEEDED"}));
    let told = sandbox.run(&["edge", "campaign", "rollback", "spring", "--yes"]).exits(5);
    assert!(told.stderr.contains("under a version that is newer"), "{}", told.all());
    assert!(!told.stderr.contains("edge release consent"), "no consent helps: {}", told.all());
}

#[test]
fn an_edge_that_a_campaign_passes_by_is_told_what_brings_it_along() {
    let sandbox = Sandbox::empty();
    let (fleet, token) = beginning(&sandbox);
    let [edge, _other] = ["edge-a", "edge-b"].map(|device| fleet.enroll(&token, device));
    begin(&sandbox);
    sandbox.run(&["edge", "disable", "edge-a", "--yes"]).exits(0);
    sandbox.run(&["edge", "enable", "edge-a", "--yes"]).exits(0);
    assert_eq!(fleet.beat(&edge, json!({})).json()["targetVersion"], Value::Null);
    let told = cause(&sandbox, "edge-a", "left-out");
    let (text, next) = told.split_once(" · ").expect("both");
    assert!(text.contains("passes it by, while spring goes on: the edge was disabled"), "{told}");
    sandbox.run(&next.split(' ').skip(1).collect::<Vec<_>>()).exits(0);
    assert_eq!(fleet.beat(&edge, json!({})).json()["targetVersion"], "1.1.0");
    sandbox.run(&["edge", "campaign", "abort", "spring", "--yes"]).exits(0);
    assert!(cause(&sandbox, "edge-b", "well").contains("no campaign has anything more to bring to it"));
}
