//! What an operator does with releases, campaigns and an edge that does not come along: the rows of the requirements, one test each.

use landfall_fleet::{PublicKey, sha256_hex, verify_legacy};
use landfall_store::{FleetWrite, Location, PresenceRow, Store};

use super::*;

/// The address of an artifact within what `build` makes.
const AGENT: &str = "edge-agent-v1.1.0";

impl Fleet {
    /// Asks what an operator asks, as whoever runs the server.
    fn restarted(mut self, sandbox: &Sandbox, meanwhile: impl FnOnce()) -> Fleet {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        meanwhile();
        serve(sandbox)
    }
}

#[test]
fn lp_069_a_build_has_a_manifest_checksums_and_a_signature_for_each_platform() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    drop(fleet);
    sandbox.write("linux.tar.gz", "bytes for linux");
    sandbox.write("windows.zip", "bytes for windows");
    let words = ["edge", "release", "build", "--release", "1.1.0", "--artifact", "linux/x64=linux.tar.gz"];
    let more = ["--artifact", "windows/amd64=windows.zip", "--key-file", "keys/targets.pem", "--out", "dist"];
    let base = ["--base-url", "https://releases.example.com/v1.1.0/"];
    sandbox.run(&[&words[..], &more, &base].concat()).exits(0);
    let read = |name: &str| std::fs::read_to_string(sandbox.root().join(name)).unwrap_or_else(|_| panic!("no {name}"));
    let manifest: Value = serde_json::from_str(&read("dist/manifest.json")).expect("JSON");
    assert_eq!((&manifest["version"], &manifest["signatureAlgorithm"]), (&json!("1.1.0"), &json!("ed25519")));
    let key = PublicKey::of_pem(&read("keys/targets.pub.pem")).expect("a key");
    let mut sums = String::new();
    for (at, (platform, arch, file, bytes)) in [
        ("linux", "x64", format!("{AGENT}-linux-x64-service.tar.gz"), "bytes for linux"),
        ("win32", "x64", format!("{AGENT}-win32-x64-service.zip"), "bytes for windows"),
    ]
    .into_iter()
    .enumerate()
    {
        let artifact = &manifest["artifacts"][at];
        let sha256 = sha256_hex(bytes.as_bytes());
        assert_eq!(read(&format!("dist/{file}")), bytes);
        let signature = read(&format!("dist/{file}.sig"));
        assert!(verify_legacy(&key, &sha256, signature.trim()), "{file} is signed by another");
        let expected = json!({
            "version": "1.1.0", "platform": platform, "arch": arch, "installType": "service", "checksum": sha256,
            "url": format!("https://releases.example.com/v1.1.0/{file}"), "signature": signature.trim(),
            "signatureAlgorithm": "ed25519", "signingKeyId": artifact["signingKeyId"], "sizeBytes": bytes.len(),
        });
        assert_eq!(*artifact, expected);
        sums.push_str(&format!("{sha256}  {file}\n"));
    }
    assert_eq!(manifest["artifacts"].as_array().map(Vec::len), Some(2));
    assert_eq!(read("dist/SHA256SUMS"), sums);
}

#[test]
fn lp_070_a_release_that_is_not_as_it_must_be_is_refused_with_400() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    sandbox.write("agent.tar.gz", "bytes of 1.1.0");
    let words = ["edge", "release", "build", "--release", "1.1.0", "--artifact", "linux/x64=agent.tar.gz"];
    sandbox.run(&[&words[..], &["--key-file", "keys/targets.pem", "--out", "dist"]].concat()).exits(0);
    let text = std::fs::read_to_string(sandbox.root().join("dist/manifest.json")).expect("built");
    let good: Value = serde_json::from_str(&text).expect("JSON");
    let releases = "/api/v1/edge/releases";
    let with = |pointer: &str, value: Value| {
        let mut release = good.clone();
        *release.pointer_mut(pointer).expect("it is there") = value;
        release
    };
    // Its first letter changes the first byte of the signature, whatever that was.
    let signature = good["artifacts"][0]["signature"].as_str().expect("signed").to_owned();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let mut twice = good.clone();
    twice["artifacts"] = json!([good["artifacts"][0], good["artifacts"][0]]);
    sandbox.write(
        "flipped/manifest.json",
        &with("/artifacts/0/signature", json!(format!("{other}{}", &signature[1..]))).to_string(),
    );
    sandbox.write(&format!("flipped/{AGENT}-linux-x64-service.tar.gz"), "bytes of 1.1.0");
    // The bytes are there from here on: what is refused now is refused for what it says.
    sandbox
        .run(&["edge", "release", "add", "flipped", "--key-file", "keys/targets.pem"])
        .exits(2)
        .says("signature of none");
    for (release, why) in [
        (with("/artifacts/0/signature", json!(format!("{other}{}", &signature[1..]))), "signature of none"),
        (with("/artifacts/0/checksum", json!("abc")), "no checksum"),
        (with("/artifacts/0/url", json!("http://releases.example.com/agent.tar.gz")), "not https"),
        (twice, "two artifacts"),
        (with("/version", json!("1.1")), "1.1"),
        (with("/version", json!("latest")), "latest"),
        (with("/artifacts", json!([])), "at least one artifact"),
        (with("/artifacts/0/signatureAlgorithm", json!("rsa")), "ed25519"),
        (with("/artifacts/0/sizeBytes", json!(1)), "size"),
        (good.clone(), "without signed targets"),
    ] {
        let answer = fleet.operator(&sandbox, releases, &release);
        assert_eq!(answer.status, 400, "{why}: {}", answer.json());
        assert!(answer.json().to_string().contains(why), "{why}: {}", answer.json());
    }
    assert_eq!(sandbox.run(&["edge", "release", "list", "-o", "name"]).exits(0).stdout, "");
    sandbox.run(&["edge", "release", "add", "dist", "--key-file", "keys/targets.pem"]).exits(0);
    let again = fleet.operator(&sandbox, releases, &good);
    assert_eq!(again.status, 400, "what is registered never changes: {}", again.json());
}

#[test]
fn lp_072_a_campaign_begins_with_its_waves_made_and_its_first_one_waiting() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.1.0");
    let token = token(&sandbox, &[]);
    let edges: Vec<Edge> = (0..20).map(|number| fleet.enroll(&token, &format!("edge-{number:03}-000000"))).collect();
    let words = ["edge", "campaign", "create", "1.1.0", "--name", "spring", "--waves", "1,15%,100%"];
    let preview = sandbox.run(&[&words[..], &["--dry-run", "-o", "json"]].concat()).exits(0).json()["data"].clone();
    sandbox.run(&["edge", "campaign", "get", "spring"]).exits(2).says("there is no campaign spring");
    sandbox.run(&["edge", "campaign", "get", "spring 2027"]).exits(2).says("there is no campaign spring 2027");
    // Half of a fleet is brought nowhere without a yes, from a draft neither.
    sandbox.run(&words).exits(2).says("bringing 20 of 20 edges to edge-agent 1.1.0 needs a yes");
    sandbox.run(&["edge", "campaign", "create", "1.1.0", "--name", "later", "--draft"]).exits(0);
    sandbox.run(&["edge", "campaign", "start", "later"]).exits(2).says("needs a yes");
    sandbox.run(&["edge", "campaign", "abort", "later", "--yes"]).exits(0);
    sandbox.run(&["edge", "campaign", "get", "spring"]).exits(2).says("there is no campaign spring");
    sandbox.run(&[&words[..], &["--yes"]].concat()).exits(0);
    let told = campaign(&sandbox, "spring");
    let table = sandbox.run(&["edge", "campaign", "get", "spring"]).exits(0).stdout;
    let columns: Vec<&str> = table.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!((columns[3], columns[5], &told["wave"]), ("RUNNING", "1", &json!(0)), "people count from one: {table}");
    assert_eq!((&told["state"], &told["wave"]), (&json!("RUNNING"), &json!(0)), "{told}");
    // What was shown before is what was begun.
    let shown = preview["edges"].as_array().expect("edges").len();
    assert_eq!((&preview["count"], &preview["spec"], shown), (&told["edges"], &told["spec"], edges.len()));
    let counts: Vec<_> = told["waves"].as_array().expect("waves").iter().map(|wave| &wave["counts"]).collect();
    let assigned: Vec<_> = counts.iter().map(|it| it["assigned"].as_u64()).collect();
    assert_eq!(assigned, [Some(1), Some(2), Some(17)], "{told}");
    for wave in counts {
        assert_eq!((&wave["queued"], &wave["underWay"]), (&wave["assigned"], &json!(0)), "{told}");
    }
    // All check in, and one is told: the first wave is one edge.
    let targets = edges.iter().map(|edge| fleet.beat(edge, json!({})).json()["targetVersion"].clone());
    assert_eq!(targets.filter(|target| *target == "1.1.0").count(), 1);
}

#[test]
fn a_campaign_of_another_product_says_nothing_to_who_has_nothing_of_it() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    sandbox.write("kiosk", "bytes of a kiosk");
    let build =
        ["edge", "release", "build", "--product", "kiosk", "--release", "1.1.0", "--artifact", "linux/x64=kiosk"];
    sandbox.run(&[&build[..], &["--key-file", "keys/targets.pem", "--out", "dist"]].concat()).exits(0);
    sandbox.run(&["edge", "release", "add", "dist", "--key-file", "keys/targets.pem"]).exits(0);
    let token = token(&sandbox, &[]);
    let existing = fleet.enroll(&token, "edge-001-000000");
    fleet.beat(&existing, json!({}));
    let words = ["edge", "campaign", "create", "1.1.0", "--product", "kiosk", "--waves", "100%", "--yes", "-o", "json"];
    let planned = sandbox.run(&[&words[..], &["--dry-run"]].concat()).all();
    assert!(planned.contains("nothing of that product is installed there"), "{planned}");
    sandbox.run(&words);
    assert_eq!(fleet.beat(&existing, json!({})).json()["targetVersion"], Value::Null);
}

#[test]
fn lp_074_an_intent_is_told_where_the_version_differs_and_fits_and_nowhere_else() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.1.0");
    let token = token(&sandbox, &[]);
    let edges: Vec<Edge> = ["1.0.0", "1.1.0", "1.2.0", "1.0.0"]
        .iter()
        .enumerate()
        .map(|(number, version)| {
            let edge = fleet.enroll(&token, &format!("edge-{number:03}-000000"));
            Edge { version: (*version).to_owned(), ..edge }
        })
        .collect();
    let other = json!({"platform": "win32"});
    let beats = |at: usize| fleet.beat(&edges[at], if at == 3 { other.clone() } else { json!({}) }).json();
    for at in 0..4 {
        assert_eq!(beats(at)["targetVersion"], Value::Null, "there is no campaign");
    }
    sandbox.run(&["edge", "campaign", "create", "1.1.0", "--waves", "100%"]).exits(0);
    let told = beats(0);
    assert_eq!(told["targetVersion"], "1.1.0", "{told}");
    let keys: Vec<_> = told["release"].as_object().expect("a release").keys().map(String::as_str).collect();
    let mut fields = [
        "version",
        "platform",
        "arch",
        "installType",
        "url",
        "checksum",
        "signature",
        "signatureAlgorithm",
        "signingKeyId",
        "sizeBytes",
    ];
    fields.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, fields);
    assert_eq!(told["release"]["checksum"], sha256_hex(b"bytes of 1.1.0"));
    for (at, why) in [(1, "it runs it already"), (2, "it runs a newer one"), (3, "nothing there is for its machine")] {
        let told = beats(at);
        assert_eq!((&told["targetVersion"], &told["release"]), (&Value::Null, &Value::Null), "{why}: {told}");
    }
}

#[test]
fn lp_091_five_faults_are_told_apart_and_each_has_something_to_type() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.1.0");
    let token = token(&sandbox, &[]);
    let names = ["stale", "stuck", "changed", "dead", "reverted", "good"];
    let edges: Vec<Edge> = names.iter().map(|name| fleet.enroll(&token, &format!("edge-{name}"))).collect();
    let [stale, stuck, changed, dead, reverted, good] = &edges[..] else { panic!("six edges") };
    for edge in &edges {
        fleet.beat(edge, json!({}));
    }
    let words = ["edge", "campaign", "create", "1.1.0", "--waves", "100%", "--max-failures", "9"];
    sandbox.run(&words).exits(0);
    let waits = &sandbox.run(&["edge", "explain", &good.device, "-o", "json"]).exits(0).json()["data"]["findings"][0];
    let next = waits["next"].as_str().expect("what to do");
    assert_eq!(waits["cause"], "target-waits-for-edge");
    assert!(next.starts_with("wait") && !next.contains("activeTask"), "nothing keeps it busy: {next}");
    let busy = json!({"activeTask": true, "runtimeState": "BUSY", "activeTaskId": "t1"});
    assert_eq!(fleet.beat(stuck, busy.clone()).json()["targetVersion"], Value::Null);
    let report = |edge: &Edge, statuses: &[&str], reason: &str| {
        assert_eq!(fleet.beat(edge, json!({})).json()["targetVersion"], "1.1.0");
        for status in statuses {
            let mut more = json!({"upgradeStatus": status, "runtimeState": "UPGRADING"});
            if status.ends_with('D') {
                more["reason"] = json!(reason);
            }
            assert_eq!(fleet.beat(edge, more).status, 201);
        }
    };
    report(changed, &["DOWNLOADING", "FAILED"], "Upgrade artifact checksum mismatch");
    report(dead, &["DOWNLOADING", "VERIFYING", "RESTARTING"], "");
    let reason = "upgrade boot confirmation failed for 1.1.0";
    report(reverted, &["DOWNLOADING", "VERIFYING", "RESTARTING", "ROLLED_BACK"], reason);
    report(good, &["DOWNLOADING", "VERIFYING", "RESTARTING"], "");
    let good = Edge {
        version: "1.1.0".to_owned(),
        id: good.id.clone(),
        device: good.device.clone(),
        credential: good.credential.clone(),
    };
    fleet.beat(&good, json!({"upgradeStatus": "SUCCEEDED"}));
    // Two minutes in which nothing was heard of two of them: what the server's own file says of them is that much older.
    let fleet = fleet.restarted(&sandbox, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let store = Store::open(Location::File(sandbox.root().join(".landfall/store.db"))).await.expect("opened");
            let known = store.fleet.edges(0, 100).await.expect("read");
            // A server that was killed may not have written yet when it heard them.
            let quiet = known.edges.iter().filter(|row| [&stale.id, &dead.id].contains(&&row.id));
            let writes: Vec<FleetWrite> = quiet
                .map(|row| {
                    let installed = r#"[{"product":"edge-agent","version":"1.0.0","installType":"service"}]"#;
                    FleetWrite::Presence(PresenceRow {
                        number: row.number,
                        seen_at: row.enrolled_at - 120,
                        installed: installed.to_owned(),
                        runtime_state: "IDLE".to_owned(),
                        ..PresenceRow::default()
                    })
                })
                .collect();
            assert_eq!(writes.len(), 2);
            store.fleet.write(&writes).await.expect("written");
            store.close().await;
        });
    });
    fleet.beat(stuck, busy);
    for (edge, cause, next) in [
        (stale, "stale", "systemctl status"),
        (stuck, "target-waits-for-edge", "activeTask"),
        (changed, "verification-failed", "landfall edge keys show"),
        (dead, "restart-failed", "journal"),
        (reverted, "rolled-back", "landfall edge campaign retry"),
        (&good, "well", ""),
    ] {
        let told = sandbox.run(&["edge", "explain", &edge.device, "-o", "json"]).exits(0).json();
        let findings = told["data"]["findings"].as_array().expect("findings");
        assert_eq!(findings[0]["cause"], cause, "{}: {told}", edge.device);
        assert!(findings[0]["next"].as_str().is_some_and(|it| it.contains(next)), "{}: {told}", edge.device);
        // What is not so is not told: the stale one waits for the same campaign, and nothing else.
        let others = findings.iter().skip(1).filter(|it| it["cause"] != "target-waits-for-edge");
        assert_eq!(others.count(), 0, "{}: {told}", edge.device);
    }
}

#[test]
fn an_edge_that_is_asked_for_by_what_people_call_it_is_named_by_its_number() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    let token = token(&sandbox, &[]);
    let body = json!({"deviceNumber": "edge-gate-7-k3x", "displayName": "Gate 7", "platform": "linux", "arch": "x64", "edgeVersion": "1.0.0"});
    assert_eq!(fleet.post("/internal/edges/register", &token, &body).status, 201);
    for words in [&["edge", "explain", "Gate 7"][..], &["edge", "remove", "gate 7", "--yes"]] {
        sandbox.run(words).exits(2).says("edge-gate-7-k3x");
    }
    sandbox.run(&["edge", "explain", "edge-gate-7-k3y"]).exits(2).says("did you mean").says("edge-gate-7-k3x");
    sandbox.run(&["edge", "explain", "nothing-of-the-kind"]).exits(2).says("landfall edge list");
}

#[test]
fn what_is_advised_for_an_edge_that_has_failed_works_and_ends_with_the_failure() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.1.0");
    let token = token(&sandbox, &[]);
    let mut edge = fleet.enroll(&token, "edge-001-000000");
    fleet.beat(&edge, json!({}));
    let create = ["edge", "campaign", "create", "1.1.0", "--name", "spring", "--waves", "100%", "--max-failures", "9"];
    sandbox.run(&create).exits(0);
    let members = || campaign(&sandbox, "spring")["members"][0].clone();
    assert_eq!((&members()["state"], &members()["since"]), (&json!("QUEUED"), &Value::Null), "nothing was said to it");
    assert_eq!(fleet.beat(&edge, json!({})).json()["targetVersion"], "1.1.0");
    fleet.beat(&edge, json!({"upgradeStatus": "DOWNLOADING"}));
    fleet.beat(&edge, json!({"upgradeStatus": "FAILED", "reason": "a disk is full"}));
    // People and pipes read the same: the edges of a campaign and an edge's story are data.
    let get = sandbox.run(&["edge", "campaign", "get", "spring"]).exits(0).stdout;
    assert!(get.contains("edge-001-000000  wave 1  FAILED  a disk is full"), "{get}");
    let story = sandbox.run(&["edge", "get", &edge.device]).exits(0).stdout;
    assert!(story.contains("enrolled with the token workshop"), "{story}");
    let advised = || {
        let told = sandbox.run(&["edge", "explain", "edge-001-000000", "-o", "json"]).exits(0).json();
        told["data"]["findings"][0].clone()
    };
    assert_eq!(advised()["next"], "landfall edge campaign retry spring");
    sandbox.run(&["edge", "campaign", "abort", "spring", "--yes"]).exits(0);
    let next = advised()["next"].as_str().expect("words").to_owned();
    assert_eq!(next, "landfall edge campaign create 1.1.0 --product edge-agent --edge edge-001-000000");
    // As it was typed.
    sandbox.run(&next.split(' ').skip(1).collect::<Vec<_>>()).exits(0);
    assert_eq!(fleet.beat(&edge, json!({})).json()["targetVersion"], "1.1.0");
    for status in ["DOWNLOADING", "VERIFYING", "RESTARTING"] {
        fleet.beat(&edge, json!({"upgradeStatus": status}));
    }
    edge.version = "1.1.0".to_owned();
    fleet.beat(&edge, json!({"upgradeStatus": "SUCCEEDED"}));
    assert_eq!(advised()["cause"], "well", "that it failed once is over: {}", advised());
}

#[test]
fn a_server_of_the_fleet_alone_says_what_it_can_be_asked() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    assert_eq!(fleet.ask("GET", "/api/v1/openapi.json", &[], "").status, 401);
    let document = fleet.operator_gets(&sandbox, "/api/v1/openapi.json");
    assert_eq!(document.status, 200);
    let document = document.json();
    for path in ["/api/v1/edge/edges", "/edge/v1/check-in", "/api/v1/openapi.json", "/metrics"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    assert!(document["components"]["schemas"]["NewCampaign"].is_object());
    assert_eq!(document["paths"]["/api/v1/applications"], Value::Null, "there are none here");
}

#[test]
fn what_says_nothing_is_not_taken() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    for none in ["", " "] {
        sandbox.run(&["edge", "token", "create", none]).exits(2).says("what it is for");
    }
    let empty = sandbox.run(&["edge", "list"]).exits(0).all();
    assert!(empty.contains("there are no edges") && !empty.contains("0 of 0"), "{empty}");
    // A success that nobody was told to have is none.
    let edge = fleet.enroll(&token(&sandbox, &[]), "edge-001-000000");
    fleet.beat(&edge, json!({"upgradeStatus": "SUCCEEDED"}));
    let listed = sandbox.run(&["edge", "list", "-o", "json"]).exits(0).json();
    assert_eq!(listed["data"]["edges"][0]["upgradeStatus"], "IDLE");
}

#[test]
fn a_build_writes_within_its_directory_and_beside_no_other_release() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    drop(fleet);
    sandbox.write("agent", "bytes");
    let build = |version: &str, artifact: &str, more: &[&str]| {
        let words = ["edge", "release", "build", "--release", version, "--artifact", artifact];
        sandbox.run(&[&words[..], &["--key-file", "keys/targets.pem", "--out", "dist"], more].concat())
    };
    for bad in ["../x/x64=agent", "linux/..=agent", "linux/x64/service/more=agent"] {
        build("1.0.0", bad, &[]).exits(2).says("is not PLATFORM/ARCH");
    }
    build("1.0.0", "linux/x64=agent", &["--product", "../kiosk"]).exits(2).says("is no product");
    assert!(!sandbox.root().join("dist").exists());
    build("1.0.0", "linux/x64=agent", &[]).exits(0);
    build("1.0.0", "linux/x64=agent", &[]).exits(0);
    build("1.1.0", "linux/x64=agent", &[]).exits(2).says("has the files of edge-agent 1.0.0");
    build("1.0.0", "linux/x64=agent", &["--product", "kiosk"]).exits(2).says("edge-agent 1.0.0");
}

#[test]
fn a_server_of_the_fleet_alone_begins_nothing_without_the_database_that_it_is_to_use() {
    let sandbox = Sandbox::empty();
    let serve = ["serve", "--only", "fleet", "--listen", "127.0.0.1:0"];
    for database in ["garbage", "postgres://nobody@127.0.0.1:1/edges?sslmode=disable"] {
        let ran = sandbox.run(&[&serve[..], &["--database", database]].concat());
        assert!(ran.code != 0 && !ran.stdout.contains("ready"), "{database}: {}", ran.all());
        assert!(!sandbox.root().join(".landfall").exists(), "{database}");
    }
    sandbox.run(&[&serve[..], &["--shards", "2"]].concat()).exits(2).says("--shards");
}
