//! Who comes with what is not theirs: tokens, numbers, credentials, requests and machines, against the real server.

use super::*;

/// Puts our own agent onto a machine: its home, and what it said.
fn agent(sandbox: &Sandbox, fleet: &Fleet, home: &str, device: &str, token: &str) -> (std::path::PathBuf, i32, String) {
    let root = sandbox.root().join(home);
    let server = format!("http://{}", fleet.address);
    let mut words = vec!["agent", "enroll", "--root", root.to_str().expect("UTF-8"), "--server", &server];
    words.extend(["--plain-http", "--name", "Gate 7", "--device-number", device, "--token-stdin"]);
    let mut child = sandbox
        .command(&words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // Who refuses before it reads has closed its end.
    let _unread = child.stdin.take().expect("piped").write_all(token.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (root, output.status.code().unwrap_or(-1), said)
}

fn credential_of(root: &std::path::Path) -> String {
    let text = std::fs::read_to_string(root.join("credential.json")).expect("kept");
    let at = text.find("wk_live_").expect("a credential");
    text[at..].split('"').next().expect("its end").to_owned()
}

fn check_in(fleet: &Fleet, credential: &str, boot: &str, sequence: u64, more: Value) -> Answer {
    let mut body = json!({"bootId": boot, "sequence": sequence, "platform": "linux", "arch": "x64",
        "installed": [{"product": "edge-agent", "version": "1.0.0"}], "state": "IDLE"});
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    fleet.post("/edge/v1/check-in", credential, &body)
}

#[test]
fn lp_083_our_own_agent_takes_no_number_that_is_anothers_until_an_operator_allows_it_once() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    let token = token(&sandbox, &["--max-uses", "3"]);
    let (first, code, said) = agent(&sandbox, &fleet, "first", "edge-gate-7", &token);
    assert_eq!(code, 0, "{said}");
    let credential = credential_of(&first);
    assert_eq!(check_in(&fleet, &credential, "boot-1", 1, json!({})).status, 200);
    // Another machine with a good token and the first one's number.
    let (second, code, said) = agent(&sandbox, &fleet, "second", "edge-gate-7", &token);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the number edge-gate-7 exists already"), "{said}");
    for file in ["agent.json", "credential.json"] {
        assert!(!second.join(file).exists(), "{file} was made for a number that is another's");
    }
    let listed = sandbox.run(&["edge", "token", "list", "-o", "json"]).exits(0).json();
    assert_eq!(listed["data"]["tokens"][0]["usedCount"], 1, "what was refused has used the token");
    assert_eq!(check_in(&fleet, &credential, "boot-1", 2, json!({})).status, 200, "the first one goes on");
    // An operator allows it, and it is allowed once.
    sandbox.run(&["edge", "reenroll", "edge-gate-7", "--yes"]).exits(0);
    let (second, code, said) = agent(&sandbox, &fleet, "second", "edge-gate-7", &token);
    assert_eq!(code, 0, "{said}");
    assert_eq!(check_in(&fleet, &credential, "boot-1", 3, json!({})).status, 401, "the first one's has ended");
    assert_eq!(check_in(&fleet, &credential_of(&second), "boot-2", 1, json!({})).status, 200);
    assert_eq!(agent(&sandbox, &fleet, "third", "edge-gate-7", &token).1, 1);
}

#[test]
fn lp_078_a_token_s_limits_are_on_the_page_and_the_command_line_and_hold_for_a_hundred_at_once() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    // As the page's form sends it.
    let serving = std::fs::read_to_string(sandbox.root().join(".landfall/serve.json")).expect("it says where it is");
    let serving: Value = serde_json::from_str(&serving).expect("JSON");
    let operator = serving["token"].as_str().expect("a token");
    let wish = json!({"label": "from the page", "maxUses": 10, "expiresAt": "2399-12-24T18:00:00.000Z"});
    let minted = fleet.post("/api/v1/edge/tokens", operator, &wish);
    assert_eq!(minted.status, 200, "{}", minted.json());
    let token = minted.json()["token"].as_str().expect("told once").to_owned();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let (fleet, token) = (&fleet, token.as_str());
        let asked: Vec<_> = (0..100)
            .map(|number| scope.spawn(move || fleet.register(token, &format!("edge-{number:03}")).status))
            .collect();
        asked.into_iter().map(|it| it.join().expect("answered")).collect()
    });
    let taken = answers.iter().filter(|status| **status == 201).count();
    assert_eq!((taken, answers.iter().filter(|status| **status == 401).count()), (10, 90), "{answers:?}");
    let page = fleet.ask("GET", "/edges", &[("authorization", &format!("Bearer {operator}"))], "");
    let page = String::from_utf8_lossy(&page.body).into_owned();
    for cell in ["from the page", "used up", "<td>10</td>", "<td>2399-12-24T18:00:00Z</td>"] {
        assert!(page.contains(cell), "{cell} is not on the page: {page}");
    }
    assert!(!page.contains(&token), "the page tells the token");
    let id = minted.json()["id"].as_str().expect("an id").to_owned();
    for words in [&["edge", "token", "list"][..], &["edge", "token", "revoke", &id]] {
        let told = sandbox.run(words).exits(0).stdout;
        for cell in ["from the page", "10", "2399-12-24T18:00:00Z"] {
            assert!(told.contains(cell), "{words:?}: {cell}: {told}");
        }
    }
    for bad in [json!({"label": "x", "expiresAt": "2001-01-01T00:00:00Z"}), json!({"label": "x", "maxUses": 0})] {
        assert_eq!(fleet.post("/api/v1/edge/tokens", operator, &bad).status, 400, "{bad}");
    }
}

#[test]
fn lp_071_a_machine_that_a_release_is_not_made_for_is_refused_and_told() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.1.0");
    let token = token(&sandbox, &[]);
    let other = json!({"deviceNumber": "edge-win", "displayName": "win", "platform": "win32", "arch": "x64", "edgeVersion": "1.0.0"});
    let answer = fleet.post("/internal/edges/register", &token, &other);
    let windows = Edge {
        id: answer.json()["workerId"].as_str().expect("an id").to_owned(),
        device: "edge-win".to_owned(),
        credential: answer.json()["credential"].as_str().expect("a credential").to_owned(),
        version: "1.0.0".to_owned(),
    };
    let linux = fleet.enroll(&token, "edge-linux");
    let why = "the release has no artifact for its platform";
    // Alone it is refused, by name or as all that is selected, and nothing is made.
    for words in [&["--edge", "edge-win"][..], &["--selector", "platform=win32"]] {
        let words = [&["edge", "campaign", "create", "1.1.0"], words].concat();
        sandbox.run(&words).exits(2).says(why).says("edge-win");
    }
    sandbox.run(&["edge", "campaign", "create", "9.9.9"]).exits(2).says("not registered");
    assert_eq!(sandbox.run(&["edge", "campaign", "list", "-o", "name"]).exits(0).stdout, "");
    // Beside one that fits it is left out, which is told, and is never offered anything.
    let both = ["edge", "campaign", "create", "1.1.0", "--waves", "100%", "--edge", "edge-win,edge-linux"];
    sandbox.run(&[&both[..], &["--dry-run"]].concat()).exits(0).says(why);
    sandbox.run(&both).exits(0).says("edge-win").says(why);
    assert_eq!(fleet.beat(&windows, json!({"platform": "win32"})).json()["targetVersion"], Value::Null);
    assert_eq!(fleet.beat(&linux, json!({})).json()["targetVersion"], "1.1.0");
}

#[test]
fn lp_086_an_edge_in_quarantine_and_one_in_a_task_get_no_target() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.1.0");
    let token = token(&sandbox, &[]);
    let edges = ["edge-a", "edge-b", "edge-c"].map(|device| fleet.enroll(&token, device));
    sandbox.run(&["edge", "campaign", "create", "1.1.0", "--name", "up", "--waves", "100%"]).exits(0);
    let target = |edge: &Edge, more: Value| fleet.beat(edge, more).json()["targetVersion"].clone();
    let [quarantined, busy, told] = &edges;
    // Before it was told, and after: neither goes on.
    assert_eq!(target(told, json!({})), "1.1.0");
    sandbox.run(&["edge", "quarantine", "edge-a", "--yes"]).exits(0);
    sandbox.run(&["edge", "quarantine", "edge-c", "--yes"]).exits(0);
    assert_eq!((target(quarantined, json!({})), target(told, json!({}))), (Value::Null, Value::Null));
    for more in [json!({"activeTask": true}), json!({"runtimeState": "BUSY", "activeTaskId": "t1"})] {
        assert_eq!(target(busy, more), Value::Null);
    }
    assert_eq!(target(busy, json!({})), "1.1.0", "it is idle");
    let states = |name: &str| {
        let told = campaign(&sandbox, "up");
        let members = told["members"].as_array().expect("members");
        members.iter().find(|it| it["edge"] == name).expect("a member")["state"].clone()
    };
    assert_eq!((states("edge-a"), states("edge-c")), (json!("CANCELLED"), json!("CANCELLED")));
    sandbox.run(&["edge", "campaign", "create", "1.1.0", "--edge", "edge-a"]).exits(2).says("in quarantine");
    // Its tasks are the product's own: none is handed out here, in quarantine or not.
    for edge in &edges {
        let next = fleet.post("/internal/edges/tasks/next", &edge.credential, &json!({"workerId": edge.id}));
        assert_eq!(next.json()["task"], Value::Null);
    }
}

#[test]
fn what_was_said_in_an_earlier_start_of_an_agent_changes_nothing_when_it_is_said_again() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.1.0");
    let token = token(&sandbox, &[]);
    let (root, code, said) = agent(&sandbox, &fleet, "first", "edge-gate-7", &token);
    assert_eq!(code, 0, "{said}");
    let credential = credential_of(&root);
    check_in(&fleet, &credential, "boot-1", 1, json!({}));
    sandbox.run(&["edge", "campaign", "create", "1.1.0", "--name", "up", "--waves", "100%"]).exits(0);
    let attempt = check_in(&fleet, &credential, "boot-1", 2, json!({})).json()["desired"]["attempt"].clone();
    let failed = json!({"progress": {"attempt": attempt, "status": "DOWNLOADING"}});
    assert_eq!(check_in(&fleet, &credential, "boot-1", 3, failed.clone()).status, 200);
    // It starts again and goes on; then somebody says once more what was heard of the start before.
    let restarting = json!({"progress": {"attempt": attempt, "status": "VERIFYING"}});
    check_in(&fleet, &credential, "boot-2", 1, restarting);
    let repeated =
        check_in(&fleet, &credential, "boot-1", 3, json!({"progress": {"attempt": attempt, "status": "FAILED"}}));
    assert_eq!(repeated.json()["desired"], Value::Null);
    let edge = sandbox.run(&["edge", "get", "edge-gate-7", "-o", "json"]).exits(0).json()["data"].clone();
    assert_eq!((&edge["upgradeStatus"], &edge["cloneSuspected"]), (&json!("VERIFYING"), &json!(false)), "{edge}");
    assert_eq!(campaign(&sandbox, "up")["members"][0]["state"], "VERIFYING");
    // A second machine does not repeat: it goes on, and is seen.
    check_in(&fleet, &credential, "boot-1", 4, json!({}));
    let edge = sandbox.run(&["edge", "get", "edge-gate-7", "-o", "json"]).exits(0).json()["data"].clone();
    assert_eq!(edge["cloneSuspected"], true);
}

/// Every text in a document.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn what_an_edge_says_commands_no_terminal_and_tells_no_secret() {
    const TITLE: &str = "\u{1b}]0;mine\u{7}\u{202e}";
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    let token = token(&sandbox, &[]);
    let name = format!("Gate{TITLE} 7");
    let said = json!({"deviceNumber": "edge-a", "displayName": name, "platform": format!("linux{TITLE}"),
        "arch": format!("x64{TITLE}"), "edgeVersion": format!("1.0.0{TITLE}")});
    let answer = fleet.post("/internal/edges/register", &token, &said);
    assert_eq!(answer.status, 201, "{}", answer.json());
    let of = |at: &str| answer.json()[at].as_str().expect("a text").to_owned();
    let edge =
        Edge { id: of("workerId"), device: of("deviceNumber"), credential: of("credential"), version: String::new() };
    let reason = format!("{TITLE}GET https://edges.example.com/x?sig=word with {} failed", edge.credential);
    let more = json!({"currentVersion": format!("1.0.1{TITLE}"), "lastError": reason, "reason": reason, "upgradeStatus": "FAILED",
        "runtimeState": "ERROR", "activeTaskId": format!("t{TITLE}"), "platform": format!("linux{TITLE}"), "installType": TITLE});
    assert_eq!(fleet.beat(&edge, more).status, 201);
    let documents = [&["edge", "list"][..], &["edge", "get", "edge-a"], &["edge", "explain", "edge-a"]];
    for words in documents {
        let told = sandbox.run(&[words, &["-o", "json"]].concat()).exits(0).json();
        let found = texts(&told["data"]);
        assert!(
            found.iter().any(|text| text.contains("edge-a") || text.contains("https://edges.example.com/x")),
            "{told}"
        );
        for text in found {
            assert!(!text.contains(|it: char| it.is_control() || it == '\u{202e}'), "{words:?}: {text:?}");
            assert!(!text.contains(&edge.credential) && !text.contains("sig=word"), "{words:?}: {text:?}");
        }
    }
}

#[test]
fn whoever_guesses_waits_by_address_and_whoever_is_known_does_not() {
    let sandbox = Sandbox::empty();
    let fleet = super::serve_with(&sandbox, &[("LANDFALL_EDGE_PROXY", "127.0.0.0/8")]);
    let token = token(&sandbox, &[]);
    let edge = fleet.enroll(&token, "edge-known");
    let from = |address: &str, path: &str, bearer: &str, body: &Value| {
        let bearer = format!("Bearer {bearer}");
        fleet.ask("POST", path, &[("authorization", &bearer), ("x-forwarded-for", address)], &body.to_string())
    };
    let wish =
        |device: &str| json!({"deviceNumber": device, "displayName": device, "platform": "linux", "arch": "x64"});
    let register = "/internal/edges/register";
    let wrong = || from("203.0.113.7", register, "lfenroll_00000000_nothing", &wish("edge-wrong"));
    // One more may come with each second that this takes.
    let mut guesses = 0;
    let limited = loop {
        guesses += 1;
        assert!(guesses < 2000, "nobody is held back");
        if wrong().status == 429 {
            let answer = from("203.0.113.7", register, &token, &wish(&format!("edge-{guesses}")));
            if answer.status == 429 {
                break answer;
            }
        }
    };
    assert!(guesses > 60, "{guesses}");
    assert!(limited.head.contains("retry-after: 30"), "{}", limited.head);
    assert_eq!(limited.json()["error"], "Too Many Requests");
    // Another address has its own count, and its guess is answered as ever.
    assert_eq!(from("203.0.113.8", register, "lfenroll_00000000_nothing", &wish("edge-wrong")).status, 401);
    assert_eq!(from("203.0.113.8", register, &token, &wish("edge-other")).status, 201);
    // Who is known is answered, whatever its neighbours do.
    let beat = json!({
        "workerId": edge.id, "deviceNumber": edge.device, "currentVersion": edge.version, "platform": "linux", "arch": "x64",
        "installType": "service", "activeTask": false, "runtimeState": "IDLE", "uptimeSeconds": 1,
    });
    assert_eq!(from("203.0.113.7", "/internal/edges/connectivity", &edge.credential, &beat).status, 201);
}
