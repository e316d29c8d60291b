//! The edge's server from outside: agents enroll and check in, campaigns go on, processes are killed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::sandbox::Sandbox;

mod back;
mod databases;
mod deltas;
mod keys;
mod lives;
mod looks;
mod rows;
mod threats;

/// A server of the fleet alone.
struct Fleet {
    child: Child,
    address: String,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn serve(sandbox: &Sandbox) -> Fleet {
    serve_with(sandbox, &[])
}

fn serve_with(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Fleet {
    let words = ["serve", "--only", "fleet", "--listen", "127.0.0.1:0", "--edge-url", "https://edges.example.com"];
    let log = std::fs::File::create(sandbox.root().join("../serve.log")).expect("made");
    let mut child = sandbox
        .command(&words)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("the binary runs");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut first).expect("says something");
    let address = first.trim().strip_prefix("ready http://").map(str::to_owned);
    let log = || std::fs::read_to_string(sandbox.root().join("../serve.log")).unwrap_or_default();
    Fleet { child, address: address.unwrap_or_else(|| panic!("{first:?} is not ready: {}", log())) }
}

/// An answer: its status, its head and its body.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}: {}", self.status, String::from_utf8_lossy(&self.body)))
    }
}

impl Fleet {
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).expect("connected");
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: edges.example.com\r\nconnection: close\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        let at = answer.windows(4).position(|it| it == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..at]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
        Answer { status, head, body: answer[at + 4..].to_vec() }
    }

    fn post(&self, path: &str, credential: &str, body: &Value) -> Answer {
        self.ask("POST", path, &[("authorization", &format!("Bearer {credential}"))], &body.to_string())
    }

    /// As whoever the server runs for.
    fn operator(&self, sandbox: &Sandbox, path: &str, body: &Value) -> Answer {
        self.operator_sends(sandbox, path, &body.to_string())
    }

    fn operator_sends(&self, sandbox: &Sandbox, path: &str, body: &str) -> Answer {
        self.ask("POST", path, &[("authorization", &operators_word(sandbox))], body)
    }

    fn operator_gets(&self, sandbox: &Sandbox, path: &str) -> Answer {
        self.ask("GET", path, &[("authorization", &operators_word(sandbox))], "")
    }

    fn register(&self, token: &str, device: &str) -> Answer {
        let body = json!({"deviceNumber": device, "displayName": device, "platform": "linux", "arch": "x64", "edgeVersion": "1.0.0"});
        self.post("/internal/edges/register", token, &body)
    }

    /// A heartbeat of an existing agent.
    fn beat(&self, edge: &Edge, more: Value) -> Answer {
        let mut body = json!({
            "workerId": edge.id, "deviceNumber": edge.device, "currentVersion": edge.version, "platform": "linux", "arch": "x64",
            "installType": "service", "activeTask": false, "runtimeState": "IDLE", "uptimeSeconds": 1,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        self.post("/internal/edges/connectivity", &edge.credential, &body)
    }

    fn enroll(&self, token: &str, device: &str) -> Edge {
        let answer = self.register(token, device);
        assert_eq!(answer.status, 201, "{}", answer.json());
        let told = answer.json();
        let of = |at: &str| told[at].as_str().expect("a text").to_owned();
        Edge {
            id: of("workerId"),
            device: of("deviceNumber"),
            credential: of("credential"),
            version: "1.0.0".to_owned(),
        }
    }
}

/// What lets the owner of a sandbox in.
fn operators_word(sandbox: &Sandbox) -> String {
    let serving = std::fs::read_to_string(sandbox.root().join(".landfall/serve.json")).expect("it says where it is");
    let serving: Value = serde_json::from_str(&serving).expect("JSON");
    format!("Bearer {}", serving["token"].as_str().expect("a token"))
}

/// An existing agent, as far as it can be seen.
struct Edge {
    id: String,
    device: String,
    credential: String,
    version: String,
}

fn token(sandbox: &Sandbox, words: &[&str]) -> String {
    let words = [&["edge", "token", "create", "workshop"], words].concat();
    sandbox.run(&words).exits(0).stdout.trim().to_owned()
}

fn registered_release(sandbox: &Sandbox, version: &str) {
    let artifact = format!("agent-{version}.tar.gz");
    sandbox.write(&artifact, &format!("bytes of {version}"));
    let target = format!("linux/x64={artifact}");
    let out = format!("dist-{version}");
    let key = "keys/targets.pem";
    sandbox
        .run(&[
            "edge",
            "release",
            "build",
            "--release",
            version,
            "--artifact",
            &target,
            "--key-file",
            key,
            "--out",
            &out,
        ])
        .exits(0);
    sandbox.run(&["edge", "release", "add", &out, "--key-file", key]).exits(0);
}

fn campaign(sandbox: &Sandbox, name: &str) -> Value {
    sandbox.run(&["edge", "campaign", "get", name, "-o", "json"]).exits(0).json()["data"].clone()
}

#[test]
fn lp_077_a_token_enrolls_as_often_as_it_says_and_nothing_else_does() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    let token = token(&sandbox, &["--max-uses", "2"]);
    let body = r#"{"message":"Invalid registration token","error":"Unauthorized","statusCode":401}"#;
    let made_up = format!("etr_live_00000000_{}", "0".repeat(48));
    for bad in ["", "etr_live_no", &made_up] {
        let answer = fleet.register(bad, "edge-a-000001");
        assert_eq!((answer.status, String::from_utf8_lossy(&answer.body).as_ref()), (401, body), "{bad}");
    }
    // A registration that fails uses nothing up.
    let nameless =
        fleet.post("/internal/edges/register", &token, &json!({"deviceNumber": "edge-a-000001", "displayName": " "}));
    assert_eq!((nameless.status, nameless.json()["error"].clone()), (400, json!("Bad Request")));
    let edge = fleet.enroll(&token, "edge-a-000001");
    // LP-83: nobody takes an identity with a token.
    let taken = fleet.register(&token, "edge-a-000001");
    assert_eq!((taken.status, taken.json()["error"].clone()), (409, json!("Conflict")));
    fleet.enroll(&token, "edge-a-000002");
    assert_eq!(fleet.register(&token, "edge-a-000003").status, 401, "it is used up");
    let listed = sandbox.run(&["edge", "token", "list", "-o", "json"]).exits(0);
    assert_eq!(listed.json()["data"]["tokens"][0]["state"], "used up");
    let id = listed.json()["data"]["tokens"][0]["id"].as_str().expect("an id").to_owned();
    sandbox.run(&["edge", "token", "revoke", &id]).exits(0);
    assert_eq!(fleet.beat(&edge, json!({})).status, 201);
}

#[test]
fn lp_079_a_token_is_told_once_and_lies_nowhere() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    let token = token(&sandbox, &["--max-uses", "2"]);
    fleet.enroll(&token, "edge-a-000001");
    for words in [&["edge", "token", "list"][..], &["edge", "token", "list", "-o", "json"], &["audit"]] {
        let told = sandbox.run(words);
        assert!(!told.stdout.contains(&token) && !told.stderr.contains(&token), "{words:?}: {}", told.stdout);
    }
    // What only somebody who was told the token has: its last word.
    let secret = token.rsplit('_').next().expect("a last word");
    let home = sandbox.root().parent().expect("the sandbox's own folder");
    let (mut open, mut databases) = (vec![home.to_owned()], 0);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                databases += usize::from(bytes.starts_with(b"SQLite format 3\0"));
                let holds = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!holds, "{} holds the token", path.display());
            }
        }
    }
    assert!(databases > 0, "no database was read");
}

#[test]
fn lp_081_a_revoked_token_enrolls_nobody_and_the_edges_that_it_enrolled_go_on() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    let revoked = token(&sandbox, &["--max-uses", "5"]);
    let edge = fleet.enroll(&revoked, "edge-a-000001");
    let listed = sandbox.run(&["edge", "token", "list", "-o", "json"]).exits(0).json();
    let id = listed["data"]["tokens"][0]["id"].as_str().expect("its id");
    let other = token(&sandbox, &["--max-uses", "5"]);
    sandbox.run(&["edge", "token", "revoke", id]).exits(0).says("edge-a-000001");
    assert_eq!(fleet.register(&revoked, "edge-a-000002").status, 401, "it has four uses left, and is revoked");
    assert_eq!(fleet.beat(&edge, json!({})).status, 201);
    fleet.enroll(&other, "edge-a-000002");
}

#[test]
fn lp_073_the_existing_agent_is_answered_as_its_own_gateway_does() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    let edge = fleet.enroll(&token(&sandbox, &[]), "edge-my-edge-01-kf8p8z");
    let answer = fleet.beat(&edge, json!({}));
    assert_eq!(answer.status, 201);
    assert_eq!(
        String::from_utf8_lossy(&answer.body),
        r#"{"targetVersion":null,"release":null,"upgradeStatus":"IDLE","upgradeMessage":null}"#
    );
    assert!(answer.head.contains("content-type: application/json; charset=utf-8"), "{}", answer.head);
    let next = fleet.post("/internal/edges/tasks/next", &edge.credential, &json!({"workerId": edge.id}));
    assert_eq!((next.status, String::from_utf8_lossy(&next.body).as_ref()), (201, r#"{"success":true,"task":null}"#));
    let refusals = [
        (fleet.beat(&edge, json!({"workerId": "another"})), 403, "workerId does not match authenticated worker"),
        (fleet.beat(&edge, json!({"deviceNumber": ""})), 400, "deviceNumber is required"),
        (fleet.beat(&edge, json!({"deviceNumber": "edge-x"})), 403, "deviceNumber does not match worker"),
        (
            fleet.post("/internal/edges/tasks/undefined/heartbeat", &edge.credential, &json!({"workerId": edge.id})),
            404,
            "Task not found",
        ),
        (fleet.post("/internal/edges/nope", &edge.credential, &json!({})), 404, "Cannot POST /internal/edges/nope"),
        (fleet.ask("GET", "/internal/edges/register", &[], ""), 404, "Cannot GET /internal/edges/register"),
        (fleet.ask("POST", "/internal/edges/connectivity", &[], "{}"), 401, "Missing worker credential"),
        (fleet.post("/internal/edges/connectivity", "wk_live_nothing", &json!({})), 401, "Invalid worker credential"),
    ];
    for (answer, status, message) in refusals {
        assert_eq!(
            (answer.status, answer.json()["message"].clone(), answer.json()["statusCode"].clone()),
            (status, json!(message), json!(status))
        );
    }
    let large = format!("{{\"lastError\":\"{}\"}}", "x".repeat(70_000));
    let bearer = format!("Bearer {}", edge.credential);
    let answer = fleet.ask("POST", "/internal/edges/connectivity", &[("authorization", &bearer)], &large);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, text.as_str()), (413, r#"{"statusCode":413,"message":"request entity too large"}"#));
    let listed = sandbox.run(&["edge", "list", "-o", "json"]).exits(0).json();
    let line = &listed["data"]["edges"][0];
    assert_eq!(
        (&line["deviceNumber"], &line["connectivity"], &line["version"]),
        (&json!(edge.device), &json!("ONLINE"), &json!("1.0.0"))
    );
    sandbox.run(&["edge", "revoke", &edge.device, "--yes"]).exits(0);
    assert_eq!(fleet.beat(&edge, json!({})).status, 401);
}

#[test]
fn lp_087_a_campaign_survives_kills_loses_nothing_and_repeats_nothing() {
    let sandbox = Sandbox::empty();
    let mut fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.1.0");
    let token = token(&sandbox, &[]);
    let mut edges: Vec<Edge> =
        (0..200).map(|number| fleet.enroll(&token, &format!("edge-{number:03}-000000"))).collect();
    sandbox.run(&["edge", "campaign", "create", "9.9.9"]).exits(2).says("not registered");
    sandbox
        .run(&[
            "edge",
            "campaign",
            "create",
            "1.1.0",
            "--name",
            "spring",
            "--waves",
            "100%",
            "--max-failures",
            "1",
            "--yes",
        ])
        .exits(0);
    let (busy, crashing) = ([20, 21, 22, 23, 24], [30, 31]);
    let (mut offers, mut kills, mut paused) = (vec![0; 200], 0, 0);
    for round in 0..60 {
        for (number, edge) in edges.iter_mut().enumerate() {
            if busy.contains(&number) && paused == 0 {
                let told = fleet.beat(edge, json!({"activeTask": true, "runtimeState": "BUSY"})).json();
                assert_eq!(told["targetVersion"], Value::Null, "a busy edge is told nothing");
                continue;
            }
            let told = fleet.beat(edge, json!({})).json();
            if told["targetVersion"] != "1.1.0" {
                continue;
            }
            offers[number] += 1;
            let release = &told["release"];
            let url = release["url"].as_str().expect("an address");
            let path = url.strip_prefix("https://edges.example.com").expect("ours");
            assert!(path.contains("/edge-agent-v1.1.0-linux-x64-service.tar.gz?"), "{path}");
            if number == 0 {
                let fetched = fleet.ask("GET", path, &[], "");
                assert_eq!((fetched.status, fetched.body.as_slice()), (200, b"bytes of 1.1.0".as_slice()));
                assert!(!fetched.head.contains("content-encoding"), "{}", fetched.head);
                let part = fleet.ask("GET", path, &[("range", "bytes=9-")], "");
                assert_eq!((part.status, part.body.as_slice()), (206, b"1.1.0".as_slice()));
                let forged = path.replace("&b=0", "&b=1");
                assert_eq!(fleet.ask("GET", &forged, &[], "").status, 401, "a link that others made");
            }
            for status in ["DOWNLOADING", "VERIFYING", "RESTARTING"] {
                let answer = fleet.beat(edge, json!({"upgradeStatus": status, "runtimeState": "UPGRADING"}));
                assert_eq!((answer.status, answer.json()["upgradeStatus"].clone()), (201, json!(status)));
            }
            if number % 40 == 3 && kills < 4 {
                // What was answered is on disk.
                kills += 1;
                fleet.child.kill().expect("killed");
                fleet.child.wait().expect("ended");
                fleet = serve(&sandbox);
                let one = sandbox.run(&["edge", "get", &edge.device, "-o", "json"]).exits(0).json();
                assert_eq!(one["data"]["upgradeStatus"], "RESTARTING");
            }
            if crashing.contains(&number) {
                let reason = "upgrade boot confirmation failed for 1.1.0";
                fleet
                    .beat(edge, json!({"upgradeStatus": "ROLLED_BACK", "reason": reason, "runtimeState": "UPGRADING"}));
            } else {
                edge.version = "1.1.0".to_owned();
                fleet.beat(edge, json!({"upgradeStatus": "SUCCEEDED", "runtimeState": "UPGRADING"}));
            }
        }
        let told = campaign(&sandbox, "spring");
        if told["state"] == "PAUSED" {
            assert_eq!((told["pauseReason"].clone(), paused), (json!("FAILURES"), 0), "{told}");
            assert_eq!(told["counts"]["rolledBack"], 2);
            let why = sandbox.run(&["edge", "explain", "edge-030-000000"]).exits(0);
            assert!(why.stdout.contains("rolled-back"), "{}", why.stdout);
            sandbox.run(&["edge", "campaign", "resume", "spring"]).exits(0);
            paused = 1;
        }
        if told["state"] == "COMPLETED" {
            break;
        }
        assert!(round < 59, "{told}");
    }
    let told = campaign(&sandbox, "spring");
    assert_eq!((&told["counts"]["succeeded"], &told["counts"]["rolledBack"], paused), (&json!(198), &json!(2), 1));
    assert!(kills >= 3 && offers.iter().all(|offered| *offered <= 1), "{kills} kills, {offers:?}");
}

#[test]
fn lp_44_devices_that_the_products_own_gateway_knew_go_on_while_two_peppers_verify() {
    let sandbox = Sandbox::empty();
    let fleet = serve_with(&sandbox, &[("WORKER_CREDENTIAL_PEPPER", "test-pepper")]);
    let secret = "0123456789abcdef".repeat(3);
    // What the gateway has kept of it: HMAC-SHA-256 under its pepper, by Node's crypto.
    let digest = "86e2dcc8df608f1ae4c85b3e0961abfcfcd2e0f1f63d0b1d996823b33215829a";
    let tables = json!({
        "workers": [
            {"id": "cabc", "name": "Old One", "deviceNumber": "edge-old-1", "platform": "linux", "arch": "x64",
             "version": "1.4.0", "status": "ACTIVE", "lastSeenAt": "2026-06-30T12:00:00.123", "upgradeStatus": "SUCCEEDED"},
            {"id": "cdef", "name": "Never onboarded", "deviceNumber": null, "status": "ACTIVE"},
        ],
        "worker_credentials": [{"workerId": "cabc", "keyPrefix": "0a1b2c3d", "keyHash": digest, "status": "ACTIVE"}],
        "edge_enrollment_tokens": [{"id": "tok1", "label": "old", "tokenPrefix": "11112222", "tokenHash": digest,
            "status": "ACTIVE", "maxUses": 1, "usedCount": 0}],
    });
    sandbox.write("fleet.json", &tables.to_string());
    let imported = sandbox.run(&["edge", "import", "fleet.json", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&imported["data"]["edges"], imported["data"]["leftOut"][0]["worker"].clone()),
        (&json!(1), json!("cdef"))
    );
    let edge = Edge {
        id: "cabc".to_owned(),
        device: "edge-old-1".to_owned(),
        credential: format!("wk_live_0a1b2c3d_{secret}"),
        version: "1.4.0".to_owned(),
    };
    assert_eq!(fleet.beat(&edge, json!({})).status, 201);
    fleet.enroll(&format!("etr_live_11112222_{secret}"), "edge-new-1");
    assert_eq!(fleet.register(&format!("etr_live_11112222_{secret}"), "edge-new-2").status, 401);
    // Again changes nothing; the pepper may change, and what was kept under the one before is taken.
    assert_eq!(sandbox.run(&["edge", "import", "fleet.json", "-o", "json"]).exits(0).json()["data"]["known"], 1);
    drop(fleet);
    // LP-44: another pepper alone verifies nothing that was kept under the one before; beside it, it does.
    let fleet = serve_with(&sandbox, &[("WORKER_CREDENTIAL_PEPPER", "a-new-pepper")]);
    assert_eq!(fleet.beat(&edge, json!({})).status, 401);
    drop(fleet);
    let fleet = serve_with(
        &sandbox,
        &[("WORKER_CREDENTIAL_PEPPER", "a-new-pepper"), ("WORKER_CREDENTIAL_PEPPER_PREVIOUS", "test-pepper")],
    );
    assert_eq!(fleet.beat(&edge, json!({})).status, 201);
    drop(fleet);
    let fleet = serve_with(&sandbox, &[("WORKER_CREDENTIAL_PEPPER", "a-new-pepper")]);
    assert_eq!(fleet.beat(&edge, json!({})).status, 201, "it was kept anew when it was used");
}

#[test]
fn our_own_agent_checks_in_and_gets_another_credential_and_a_copy_of_it_is_seen() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "2.0.0");
    let token = token(&sandbox, &["--label", "site=berlin"]);
    let installed = json!([{"product": "edge-agent", "version": "1.0.0"}]);
    let wish = json!({"token": token, "deviceNumber": "edge-own", "displayName": "Own", "platform": "linux", "arch": "x86_64", "installed": installed});
    let enrolled = fleet.ask("POST", "/edge/v1/enroll", &[], &wish.to_string());
    assert_eq!(enrolled.status, 201, "{}", enrolled.json());
    let enrolled = enrolled.json();
    assert!(enrolled["root"].as_str().is_some_and(|root| root.contains("\"_type\":\"root\"")));
    let credential = enrolled["credential"].as_str().expect("a credential").to_owned();
    let check_in = |credential: &str, boot: &str, sequence: u64, more: Value| {
        let mut body = json!({"bootId": boot, "sequence": sequence, "platform": "linux", "arch": "x64", "installed": installed, "state": "IDLE"});
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        fleet.post("/edge/v1/check-in", credential, &body)
    };
    sandbox.run(&["edge", "campaign", "create", "2.0.0", "--selector", "site=berlin", "--waves", "100%"]).exits(0);
    let told = check_in(&credential, "boot-1", 1, json!({})).json();
    let desired = &told["desired"];
    assert_eq!(
        (&desired["version"], &desired["target"]),
        (&json!("2.0.0"), &json!("edge-agent/2.0.0/edge-agent-v2.0.0-linux-x64-service.tar.gz"))
    );
    assert_eq!(told["metadata"], json!({"root": 1, "timestamp": 2, "targets": 2}));
    let url = desired["url"].as_str().expect("a path");
    assert_eq!(fleet.ask("GET", url, &[], "").status, 401);
    let bearer = format!("Bearer {credential}");
    assert_eq!(fleet.ask("GET", url, &[("authorization", &bearer)], "").body, b"bytes of 2.0.0");
    for path in ["root/1", "timestamp", "targets"] {
        assert_eq!(fleet.ask("GET", &format!("/edge/v1/metadata/{path}"), &[], "").status, 200, "{path}");
    }
    // What was said before changes nothing when it is said again.
    let progress = json!({"progress": {"attempt": desired["attempt"], "status": "DOWNLOADING"}});
    assert_eq!(check_in(&credential, "boot-1", 2, progress).json()["desired"]["attempt"], desired["attempt"]);
    let replayed = json!({"progress": {"attempt": desired["attempt"], "status": "FAILED"}});
    assert_eq!(check_in(&credential, "boot-1", 2, replayed).json()["desired"], Value::Null);
    let own = sandbox.run(&["edge", "get", "edge-own", "-o", "json"]).exits(0).json();
    assert_eq!(own["data"]["upgradeStatus"], "DOWNLOADING");
    // LP-84: another credential, told until it is used; the old one ends with that.
    sandbox.run(&["edge", "rotate", "edge-own", "--yes"]).exits(0);
    let first = check_in(&credential, "boot-1", 3, json!({})).json()["credential"]["credential"].clone();
    let again = check_in(&credential, "boot-1", 4, json!({})).json()["credential"]["credential"].clone();
    assert!(first.is_string() && first == again);
    let next = first.as_str().expect("a credential");
    assert_eq!(check_in(next, "boot-1", 5, json!({})).status, 200);
    assert_eq!(check_in(&credential, "boot-1", 6, json!({})).status, 401);
    // Two machines with one credential take turns.
    check_in(next, "boot-2", 1, json!({}));
    assert_eq!(
        sandbox.run(&["edge", "get", "edge-own", "-o", "json"]).json()["data"]["cloneSuspected"],
        false,
        "a reboot is none"
    );
    check_in(next, "boot-1", 7, json!({}));
    assert_eq!(sandbox.run(&["edge", "get", "edge-own", "-o", "json"]).json()["data"]["cloneSuspected"], true);
    sandbox.run(&["edge", "disable", "edge-own", "--yes"]).exits(0);
    assert_eq!(check_in(next, "boot-1", 8, json!({})).status, 403);
    sandbox.run(&["edge", "explain", "edge-own"]).exits(0).says("not-active");
}
