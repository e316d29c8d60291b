//! Deltas between releases, from the command that makes them to whoever fetches them.

use std::convert::Infallible;

use landfall_fleet::delta::{Ends, apply};
use landfall_fleet::{SigningKey, sha256_hex};
use serde_json::{Value, json};

use super::super::sandbox::Sandbox;
use super::{campaign, serve, token};

/// A program that differs from version to version in little.
fn program(version: u32) -> String {
    let lines = (0..4000_u32).map(|line| format!("{:08x}\n", line.wrapping_mul(2_654_435_761)));
    format!("#!/bin/sh\n{}exit {version}\n", lines.collect::<String>())
}

/// Builds and adds a release of the program; gives what was said.
fn release(sandbox: &Sandbox, version: &str, bytes: &str, more: &[&str]) -> String {
    sandbox.write("agent", bytes);
    let (out, key) = (format!("dist-{version}"), "keys/targets.pem");
    let build = ["edge", "release", "build", "--release", version, "--artifact", "linux/x64=agent"];
    sandbox.run(&[&build[..], &["--key-file", key, "--out", &out]].concat()).exits(0);
    let add = ["edge", "release", "add", &out, "--key-file", key];
    sandbox.run(&[&add[..], more].concat()).exits(0).all()
}

fn deltas(sandbox: &Sandbox, version: &str) -> Vec<Value> {
    let listed = sandbox.run(&["edge", "release", "list", "-o", "json"]).exits(0).json();
    let releases = listed["data"]["releases"].as_array().cloned().unwrap_or_default();
    let found = releases.into_iter().find(|it| it["version"] == version).expect("it is listed");
    found["artifacts"][0]["deltas"].as_array().cloned().expect("told")
}

struct Memory<'a>(&'a [u8], Vec<u8>);

impl Ends for Memory<'_> {
    type Error = Infallible;
    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<(), Infallible> {
        let at = usize::try_from(at).expect("within");
        buffer.copy_from_slice(&self.0[at..at + buffer.len()]);
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.1.extend_from_slice(bytes);
        Ok(())
    }
}

#[test]
fn a_release_comes_with_deltas_from_those_before_it_and_the_existing_agent_hears_of_none() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    let edge = fleet.enroll(&token(&sandbox, &[]), "edge-a-000001");
    release(&sandbox, "1.0.0", &program(0), &[]);
    let said = release(&sandbox, "1.1.0", &program(1), &[]);
    assert!(said.contains("a delta from 1.0.0") && !said.contains("no delta"), "{said}");
    let said = release(&sandbox, "1.2.0", &program(2), &["--deltas", "1"]);
    assert!(said.contains("a delta from 1.1.0") && !said.contains("from 1.0.0"), "{said}");
    release(&sandbox, "1.3.0", &program(3), &["--deltas", "0"]);
    let strange = program(9).bytes().rev().map(|byte| char::from(byte ^ 3)).collect::<String>();
    let said = release(&sandbox, "1.4.0", &strange, &[]);
    assert!(said.contains("no delta from 1.3.0") && said.contains("no delta from 1.1.0"), "{said}");
    let of = |version: &str| deltas(&sandbox, version).iter().map(|it| it["from"].clone()).collect::<Vec<_>>();
    assert_eq!(of("1.0.0").len(), 0);
    assert_eq!(of("1.1.0"), [json!("1.0.0")]);
    assert_eq!(of("1.2.0"), [json!("1.1.0")]);
    assert_eq!((of("1.3.0").len(), of("1.4.0").len()), (0, 0));
    let size = deltas(&sandbox, "1.1.0")[0]["sizeBytes"].as_u64().expect("a size");
    assert!(size < 200, "{size}");

    // What was signed leads to bytes that are served with ranges, and make the one release of the other.
    let bearer = format!("Bearer {}", edge.credential);
    let get = |path: &str, more: &[(&str, &str)]| {
        fleet.ask("GET", path, &[&[("authorization", bearer.as_str())], more].concat(), "")
    };
    let targets = get("/edge/v1/metadata/targets", &[]).json();
    let target = &targets["signed"]["targets"]["edge-agent/1.1.0/edge-agent-v1.1.0-linux-x64-service"];
    let delta = &target["custom"]["deltas"][0];
    assert_eq!((&delta["to"]["sha256"], &delta["to"]["length"]), (&target["hashes"]["sha256"], &target["length"]));
    assert_eq!(delta["base"], json!(sha256_hex(program(0).as_bytes())));
    let path = format!("/edge/v1/artifacts/{}/delta", delta["sha256"].as_str().expect("a digest"));
    assert_eq!(fleet.ask("GET", &path, &[], "").status, 401);
    let whole = get(&path, &[]);
    assert_eq!((whole.status, whole.body.len() as u64), (200, size));
    let tag = format!("\"{}\"", delta["sha256"].as_str().expect("a digest"));
    let rest = get(&path, &[("range", "bytes=9-"), ("if-range", &tag)]);
    assert_eq!((rest.status, rest.body.as_slice()), (206, &whole.body[9..]));
    let (from, to) = (program(0), program(1));
    let mut memory = Memory(from.as_bytes(), Vec::new());
    apply(whole.body.as_slice(), (from.len() as u64, to.len() as u64), &mut memory).expect("a good one");
    assert!(memory.1 == to.as_bytes());

    // The existing agent is told what it always was.
    sandbox.run(&["edge", "campaign", "create", "1.2.0", "--name", "it", "--yes"]).exits(0);
    assert_eq!(campaign(&sandbox, "it")["state"], "RUNNING");
    let told = fleet.beat(&edge, json!({}));
    let release = told.json()["release"].clone();
    assert_eq!(release["checksum"], json!(sha256_hex(program(2).as_bytes())));
    assert!(!String::from_utf8_lossy(&told.body).contains("delta"), "{}", told.json());

    // An operator may read an artifact's bytes, an edge not by that way.
    let artifact = format!("/api/v1/edge/artifacts/{}", sha256_hex(program(0).as_bytes()));
    assert_eq!(get(&artifact, &[]).status, 401);
    let nothing = fleet.operator_gets(&sandbox, &format!("/api/v1/edge/artifacts/{}", "0".repeat(64)));
    assert_eq!(nothing.status, 404, "{}", nothing.json());
    assert_eq!(fleet.operator_gets(&sandbox, &artifact).body, program(0).as_bytes());
}

#[test]
fn a_release_whose_delta_was_not_uploaded_as_it_is_signed_is_refused() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    release(&sandbox, "1.0.0", &program(0), &[]);
    // The bytes of the next one are there, and one that names another delta than was uploaded is signed rightly.
    sandbox.write("agent", &program(1));
    let build = ["edge", "release", "build", "--release", "1.1.0", "--artifact", "linux/x64=agent"];
    sandbox.run(&[&build[..], &["--key-file", "keys/targets.pem", "--out", "dist"]].concat()).exits(0);
    let key = SigningKey::of_pem(&sandbox.read("keys/targets.pem")).expect("a key");
    let manifest: Value = serde_json::from_str(&sandbox.read("dist/manifest.json")).expect("JSON");
    let (old, new) = (sha256_hex(program(0).as_bytes()), sha256_hex(program(1).as_bytes()));
    let uploaded = fleet.operator_sends(&sandbox, &format!("/api/v1/edge/artifacts/{new}"), &program(1));
    assert_eq!(uploaded.status, 201, "{}", uploaded.json());
    let published = fleet.operator_gets(&sandbox, "/api/v1/edge/metadata").json();
    let targets: Value = serde_json::from_str(published["targets"].as_str().expect("signed")).expect("JSON");
    let mut next = targets["signed"].clone();
    next["version"] = json!(next["version"].as_u64().expect("a version") + 1);
    let file = "edge-agent-v1.1.0-linux-x64-service";
    let size = program(1).len();
    next["targets"][format!("edge-agent/1.1.0/{file}")] = json!({
        "length": size, "hashes": {"sha256": new},
        "custom": {
            "product": "edge-agent", "version": "1.1.0", "counter": 2, "platform": "linux", "arch": "x64",
            "installType": "service", "fileName": file,
            "deltas": [{
                "format": "landfall-delta-1", "version": "1.0.0", "base": old, "from": {"sha256": old, "length": program(0).len()},
                "to": {"sha256": new, "length": size}, "sha256": sha256_hex(b"never uploaded"), "length": 14,
            }],
        },
    });
    let signed = landfall_fleet::Signed::by(&next, &[&key]).expect("canonical").to_text();
    let mut wish = manifest;
    wish["targets"] = json!(signed);
    let refused = fleet.operator(&sandbox, "/api/v1/edge/releases", &wish);
    assert_eq!(refused.status, 400, "{}", refused.json());
    assert!(refused.json().to_string().contains("delta from 1.0.0"), "{}", refused.json());
    let bytes = fleet.operator_sends(
        &sandbox,
        &format!("/api/v1/edge/artifacts/{}", sha256_hex(b"never uploaded")),
        "never uploaded",
    );
    assert_eq!(bytes.status, 201, "{}", bytes.json());
    let taken = fleet.operator(&sandbox, "/api/v1/edge/releases", &wish);
    assert_eq!(taken.status, 200, "{}", taken.json());
}
