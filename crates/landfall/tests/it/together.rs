//! Several commands on one system at once, and a server that others have started.

use std::process::{Child, Stdio};

use serde_json::Value;

use super::sandbox::{Sandbox, ran};

fn start(sandbox: &Sandbox, args: &[&str]) -> Child {
    let mut command = sandbox.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("started")
}

fn revisions(sandbox: &Sandbox) -> Vec<(String, u64)> {
    let history = sandbox.run(&["history", "-o", "json"]).exits(0).json();
    let rows = history["data"].as_array().expect("rows").clone();
    let of = |row: &Value| (row["name"].as_str().unwrap_or_default().to_owned(), row["revision"].as_u64().unwrap_or(0));
    rows.iter().map(of).collect()
}

#[test]
fn two_ups_at_once_deliver_once_and_the_second_finds_nothing_to_do() {
    for sandbox in [Sandbox::luckyplans(), Sandbox::luckyplans().interactive()] {
        let up = ["up", "-o", "json"];
        let (first, second) = (start(&sandbox, &up), start(&sandbox, &up));
        let both = [first, second].map(|up| ran(up.wait_with_output().expect("ended")).exits(0).json());
        let outcomes = |up: &Value| -> Vec<String> {
            let units = up["data"]["units"].as_array().expect("units");
            units.iter().map(|unit| unit["outcome"].as_str().unwrap_or_default().to_owned()).collect()
        };
        let mut ended = both.iter().map(outcomes).collect::<Vec<_>>();
        ended.sort();
        assert_eq!(ended, [["delivered", "delivered"], ["unchanged", "unchanged"]]);
        assert_eq!(revisions(&sandbox), [("luckyplans".to_owned(), 1), ("observability".to_owned(), 1)]);
    }
}

#[test]
fn up_talks_to_a_server_that_runs_already() {
    let sandbox = Sandbox::luckyplans().interactive();
    sandbox.run(&["cluster", "start"]).exits(0);
    let pid = || {
        let status = sandbox.run(&["cluster", "status", "-o", "json"]).exits(0).json();
        status["data"]["endpoint"]["pid"].as_u64()
    };
    let before = pid();
    assert!(before.is_some());
    sandbox.run(&["up", "--skip", "observability"]).exits(0);
    assert_eq!(pid(), before);
    // A command that would host the cluster itself talks to the one who does, too.
    let up = sandbox.run(&["up", "--skip", "observability", "--once", "-o", "json"]).exits(0).json();
    assert_eq!(up["data"]["units"][0]["outcome"], "unchanged", "{up:#}");
    assert_eq!(pid(), before);
}

#[test]
fn an_up_that_changes_nothing_leaves_no_server_of_its_own() {
    let sandbox = Sandbox::luckyplans().interactive();
    sandbox.write(
        "broken/Chart.yaml",
        "apiVersion: v2\nname: broken\nversion: 0.1.0\ndependencies: [{name: redis, version: 1.x}]\n",
    );
    let runs = || sandbox.run(&["cluster", "status", "-o", "json"]).json()["data"]["endpoint"]["pid"].as_u64();
    sandbox.run(&["up", "broken", "--state", ".landfall"]).exits(1);
    assert_eq!(runs(), None);
    sandbox.run(&["up", "--dry-run"]).exits(0);
    assert_eq!(runs(), None);
    sandbox.run(&["cluster", "start"]).exits(0);
    let before = runs();
    assert!(before.is_some());
    sandbox.run(&["up", "--dry-run"]).exits(0);
    assert_eq!(runs(), before, "whoever started it needs it");
}

#[test]
fn a_server_that_was_killed_is_started_again_with_all_that_it_held() {
    let sandbox = Sandbox::luckyplans().interactive();
    sandbox.run(&["up", "--skip", "observability"]).exits(0);
    sandbox.kill_server(".landfall");
    let up = sandbox.run(&["up", "--skip", "observability", "-o", "json"]).exits(0).json();
    assert_eq!(up["data"]["units"][0]["outcome"], "unchanged", "{up:#}");
    assert_eq!(up["data"]["units"][0]["revision"], 1);
}

#[test]
fn a_server_that_is_just_dying_is_waited_for_and_started_again() {
    let sandbox = Sandbox::luckyplans().interactive();
    sandbox.run(&["up", "--skip", "observability"]).exits(0);
    let endpoint = sandbox.read(".landfall/endpoint.json");
    sandbox.kill_server(".landfall");
    // As the kernel takes a process apart: nobody listens any more, and the lock is still held.
    let lock = std::fs::File::options().write(true).open(sandbox.root().join(".landfall/lock")).expect("there");
    lock.lock().expect("free once the server is gone");
    sandbox.write(".landfall/endpoint.json", &endpoint);
    let up = std::thread::scope(|scope| {
        let up = scope.spawn(|| sandbox.run(&["up", "--skip", "observability", "-o", "json"]));
        std::thread::sleep(std::time::Duration::from_millis(300));
        lock.unlock().expect("held");
        up.join().expect("ran")
    });
    assert_eq!(up.exits(0).json()["data"]["units"][0]["outcome"], "unchanged");
}
