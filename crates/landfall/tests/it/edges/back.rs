//! A campaign that has ended, or rests, and the way back from it.

use super::*;

/// An edge with our own agent, as far as the server sees it.
pub(super) struct Own {
    credential: String,
    sequence: u64,
}

impl Own {
    pub(super) fn enroll(fleet: &Fleet, token: &str, device: &str, version: &str) -> Own {
        let wish = json!({"token": token, "deviceNumber": device, "displayName": device, "platform": "linux",
            "arch": "x86_64", "installed": installed(version)});
        let enrolled = fleet.ask("POST", "/edge/v1/enroll", &[], &wish.to_string());
        assert_eq!(enrolled.status, 201, "{}", enrolled.json());
        Own { credential: enrolled.json()["credential"].as_str().expect("a credential").to_owned(), sequence: 0 }
    }

    pub(super) fn check_in(&mut self, fleet: &Fleet, version: &str) -> Value {
        self.sequence += 1;
        let body = json!({"bootId": "boot-1", "sequence": self.sequence, "platform": "linux", "arch": "x64",
            "installed": installed(version), "state": "IDLE"});
        let answer = fleet.post("/edge/v1/check-in", &self.credential, &body);
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["desired"]["version"].clone()
    }
}

fn installed(version: &str) -> Value {
    match version {
        "" => json!([]),
        version => json!([{"product": "edge-agent", "version": version}]),
    }
}

#[test]
fn a_campaign_that_has_ended_is_rolled_back_in_sight_or_not_at_all() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.0.0");
    registered_release(&sandbox, "1.1.0");
    let token = token(&sandbox, &[]);
    let mut edge = Own::enroll(&fleet, &token, "edge-old", "1.0.0");
    let mut fresh = Own::enroll(&fleet, &token, "edge-fresh", "");
    for (name, device) in [("spring", "edge-old"), ("first", "edge-fresh")] {
        sandbox.run(&["edge", "campaign", "create", "1.1.0", "--name", name, "--edge", device]).exits(0);
    }
    assert_eq!((edge.check_in(&fleet, "1.0.0"), fresh.check_in(&fleet, "")), (json!("1.1.0"), json!("1.1.0")));
    edge.check_in(&fleet, "1.1.0");
    fresh.check_in(&fleet, "1.1.0");
    // One edge is the whole campaign: it has ended with it, whatever the later waves would rest for.
    for name in ["spring", "first"] {
        assert_eq!(campaign(&sandbox, name)["state"], "COMPLETED");
    }
    // Nothing ran there before.
    sandbox
        .run(&["edge", "campaign", "rollback", "first", "--yes"])
        .exits(5)
        .says("no edge of it is known to have run another");
    // Nobody has signed that it may go back.
    sandbox
        .run(&["edge", "campaign", "rollback", "spring", "--yes"])
        .exits(5)
        .says("landfall edge release consent 1.0.0");
    sandbox.run(&["edge", "release", "consent", "1.0.0", "--key-file", "keys/targets.pem"]).exits(0);
    sandbox
        .run(&["edge", "campaign", "rollback", "spring", "--yes"])
        .exits(0)
        .says("back to 1.0.0: spring-back-to-1.0.0 of 1");
    assert_eq!(edge.check_in(&fleet, "1.1.0"), "1.0.0");
    sandbox.run(&["edge", "campaign", "rollback", "spring", "--yes"]).exits(5).says("rolled back already");
    edge.check_in(&fleet, "1.0.0");
    assert_eq!(campaign(&sandbox, "spring-back-to-1.0.0")["state"], "COMPLETED");
}

#[test]
fn of_two_ways_back_the_one_that_is_missing_is_made() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    ["1.0.0", "1.0.1", "1.1.0"].iter().for_each(|version| registered_release(&sandbox, version));
    let token = token(&sandbox, &[]);
    let mut edges = ["1.0.0", "1.0.1"].map(|version| Own::enroll(&fleet, &token, &format!("edge-{version}"), version));
    sandbox.run(&["edge", "campaign", "create", "1.1.0", "--name", "spring", "--waves", "100%"]).exits(0);
    for (edge, version) in edges.iter_mut().zip(["1.0.0", "1.0.1"]) {
        assert_eq!(edge.check_in(&fleet, version), "1.1.0");
        edge.check_in(&fleet, "1.1.0");
        sandbox.run(&["edge", "release", "consent", version, "--key-file", "keys/targets.pem"]).exits(0);
    }
    let back = ["edge", "campaign", "rollback", "spring", "--yes"];
    sandbox.run(&back).exits(0).says("spring-back-to-1.0.0").says("spring-back-to-1.0.1");
    sandbox.run(&back).exits(5).says("rolled back already");
    // As if the server had been killed before it made the second.
    sandbox.run(&["edge", "campaign", "abort", "spring-back-to-1.0.1", "--yes"]).exits(0);
    let again = sandbox.run(&back).exits(0).says("spring-back-to-1.0.1");
    assert!(!again.stderr.contains("spring-back-to-1.0.0"), "{}", again.all());
    assert_eq!(edges[1].check_in(&fleet, "1.1.0"), "1.0.1");
}

#[test]
fn a_campaign_that_soaks_says_until_when() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.1.0");
    let token = token(&sandbox, &[]);
    let mut edges = ["edge-a", "edge-b"].map(|device| Own::enroll(&fleet, &token, device, "1.0.0"));
    sandbox
        .run(&["edge", "campaign", "create", "1.1.0", "--name", "spring", "--waves", "1,100%", "--soak", "9h"])
        .exits(0);
    for edge in &mut edges {
        if edge.check_in(&fleet, "1.0.0") == "1.1.0" {
            edge.check_in(&fleet, "1.1.0");
        }
    }
    let told = campaign(&sandbox, "spring");
    assert_eq!(told["state"], "RUNNING");
    let until = told["soaksUntil"].as_str().unwrap_or_else(|| panic!("{told}"));
    for words in [&["edge", "campaign", "get", "spring"][..], &["edge", "campaign", "list"]] {
        let told = sandbox.run(words).exits(0);
        assert!(told.stdout.contains(&format!("soaks until {until}")), "{}", told.stdout);
    }
}
