//! Every verb with `-o` prints JSON and YAML in the one envelope that `docs/output.md` describes.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use serde_json::Value;

use super::sandbox::{Ran, Sandbox, ran, small_chart};

/// How each verb with `-o` is tried, in this order; several ways for what prints several things. `FORMAT` is what is asked
/// for.
const VERBS: &[&[&str]] = &[
    &["addon", "list"],
    &["addon", "status"],
    &["addon", "install"],
    &["bootstrap", "--dry-run"],
    &["bootstrap"],
    &["build"],
    &["cluster", "status"],
    &["cluster", "create", "none", "--driver", "k3d", "--kubeconfig", "none/kubeconfig"],
    &["cluster", "delete", "none", "--driver", "k3d", "--kubeconfig", "none/kubeconfig"],
    &["cluster", "delete", "none", "--driver", "k3d", "--kubeconfig", "none/kubeconfig", "--yes"],
    &["cluster", "kubeconfig"],
    &["cluster", "snapshot"],
    &["cluster", "fork", "copy-FORMAT"],
    &["cluster", "operator", "off", "traefik"],
    &["cluster", "stop"],
    &["cluster", "reset"],
    &["agent", "status", "--root", "edge"],
    &["edge", "list"],
    &["edge", "import", "none"],
    &["edge", "get", "one"],
    &["edge", "explain", "one"],
    &["edge", "enable", "one", "--yes"],
    &["edge", "disable", "one", "--yes"],
    &["edge", "quarantine", "one", "--yes"],
    &["edge", "reenroll", "one", "--yes"],
    &["edge", "rotate", "one", "--yes"],
    &["edge", "revoke", "one", "--yes"],
    &["edge", "label", "one", "site=berlin"],
    &["edge", "remove", "one", "--yes"],
    &["edge", "token", "create", "workshop"],
    &["edge", "token", "list"],
    &["edge", "token", "revoke", "one"],
    &["edge", "keys", "init", "keys"],
    &["edge", "keys", "show"],
    &["edge", "keys", "renew", "--targets-key", "none"],
    &["edge", "release", "add", "none"],
    &["edge", "release", "list"],
    &["edge", "release", "yank", "1.0.0", "--yes"],
    &["edge", "release", "consent", "1.0.0", "--key-file", "none"],
    &["edge", "campaign", "create", "1.0.0"],
    &["edge", "campaign", "list"],
    &["edge", "campaign", "get", "one"],
    &["edge", "campaign", "start", "one"],
    &["edge", "campaign", "pause", "one"],
    &["edge", "campaign", "resume", "one"],
    &["edge", "campaign", "approve", "one"],
    &["edge", "campaign", "abort", "one"],
    &["edge", "campaign", "abort", "one", "--yes"],
    &["edge", "campaign", "retry", "one"],
    &["edge", "campaign", "rollback", "one"],
    &["edge", "campaign", "rollback", "one", "--yes"],
    &[
        "edge",
        "release",
        "build",
        "--release",
        "1.0.0",
        "--artifact",
        "linux/x64=none",
        "--key-file",
        "none",
        "--out",
        "none",
    ],
    &["env", "list"],
    &["env", "diff", "local", "other"],
    &["env", "diff", "local", "other", "--exit-code"],
    &["images", "list"],
    &["images", "set", "1.0.1"],
    &["images", "set", "latest"],
    &["images", "scan"],
    &["migrate", "images"],
    &["promote", "--to", "local", "--dry-run"],
    &["hold"],
    &["hold", "1.0.0", "--reason", "bad"],
    &["hold", "--release", "0.9.0"],
    &["pipeline"],
    &["history", "--promotions"],
    &["scale", "shop=2", "--dry-run"],
    &["scale", "shop=2"],
    &["version", "check", "1.0.0"],
    &["version", "next", "--from", "1.0.0", "--channel", "stable"],
    &["rules"],
    &["secrets", "init"],
    &["secrets", "set", "KEY"],
    &["secrets", "rotate", "KEY"],
    &["secrets", "check"],
    &["secrets", "audit"],
    &["secrets", "pending"],
    &["secrets", "bootstrap"],
    &["secrets", "cert"],
    &["secrets", "backup", "keys.age", "--recipients-file", "nobody.txt"],
    &["secrets", "restore", "keys.age", "--identity", "key.txt"],
    &["secrets", "drill", "keys.age", "--identity", "key.txt"],
    &["explain", "deploy/shop", "spec.replicas"],
    &["explain", "replicas"],
    &["explain", "LF103"],
    &["explain", "LF0203"],
    &["explain", "deploy/nothing"],
    &["graph"],
    &["state"],
    &["rehearse"],
    &["preview", "HEAD~1..HEAD"],
    &["doctor", "tools", "secrets"],
    &["plan"],
    &["plan", "--exit-code"],
    &["plan", "--env", "nowhere"],
    &["plan", "--out", "FORMAT.plan"],
    &["apply", "FORMAT.plan", "--dry-run"],
    &["apply", "FORMAT.plan"],
    &["apply", "landfall.yaml"],
    &["init"],
    &["init", "shop", "--dry-run"],
    &["diff"],
    &["diff", "--exit-code"],
    &["down"],
    &["rollback"],
    &["up", "--dry-run"],
    &["up"],
    &["up", "shop", "--set", "replicas=2"],
    &["up", "--only-that"],
    &["status"],
    &["history"],
    &["history", "nothing"],
    &["smoke"],
    &["rollback", "--dry-run"],
    &["rollback"],
    &["forward", "shop"],
    &["down", "--dry-run"],
    &["down", "--keep-data"],
    &["cluster", "start"],
    &["cluster", "status"],
    &["cluster", "kubeconfig"],
    &["cluster", "kubeconfig", "--path"],
    &["cluster", "kubeconfig", "--merge"],
    &["cluster", "snapshot"],
    &["cluster", "snapshot", "before.json"],
    &["cluster", "fork", "copy-FORMAT"],
    &["cluster", "operator", "off", "traefik"],
    &["cluster", "operator", "on", "traefik"],
    &["cluster", "operator", "on", "nothing"],
    &["cluster", "stop"],
    &["cluster", "start"],
    &["cluster", "reset", "--yes"],
    &["app", "list"],
    &["app", "get", "shop"],
    &["app", "diff", "shop"],
    &["app", "explain", "shop"],
    &["app", "events", "shop"],
    &["app", "history", "shop"],
    &["app", "sync", "shop"],
    &["app", "sync", "shop", "--dry-run"],
    &["app", "rollback", "shop"],
    &["app", "pin", "shop"],
    &["app", "policy", "shop", "--manual"],
    &["app", "pause", "shop"],
    &["app", "delete", "shop", "--yes"],
    &["app", "refresh", "shop"],
    &["app", "wait", "shop"],
    &["app", "terminate", "shop"],
    &["serve", "install"],
    &["repo", "add", "https://git.example.com/a.git", "--token-file", "nothing"],
    &["repo", "list", "--credentials"],
    &["repo", "remove", "https://git.example.com/a.git"],
    &["access", "matrix"],
    &["access", "prove", "--as", "nobody"],
    &["access", "kubeconfig", "--service-account", "default/default"],
    &["account", "create", "anna-FORMAT"],
    &["account", "list"],
    &["account", "disable", "nobody"],
    &["account", "enable", "nobody"],
    &["account", "password", "nobody"],
    &["migrate", "argocd"],
    &["webhook", "secret", "rotate"],
    &["token", "create", "ci"],
    &["token", "list"],
    &["token", "revoke", "nobody"],
    &["down", "--yes"],
];

/// Where there is nothing to print on: the command line cannot be read.
const UNREADABLE: &[&[&str]] = &[&["up", "--only-that"]];

fn system() -> Sandbox {
    let mut sandbox = Sandbox::empty();
    sandbox.stays(".landfall");
    small_chart(&sandbox, "shop", "shop");
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: shop, chart: shop, namespace: shop}]\n    checks: [{name: rolled-out, rollout: deployment/shop}]\n  other:\n    releases: [{name: shop, chart: shop, namespace: shop, set: {replicas: 3}}]\n");
    sandbox.commit("Begin");
    sandbox.edit("shop/values.yaml", "color: blue", "color: green");
    sandbox.commit("Turn green");
    sandbox
}

/// The verbs that help lists, and those of theirs, that take `-o`.
fn verbs_with_output(sandbox: &Sandbox, verb: &[String], found: &mut BTreeSet<Vec<String>>) {
    let words: Vec<&str> = verb.iter().map(String::as_str).chain(["--help"]).collect();
    let help = sandbox.run(&words).exits(0).stdout;
    if help.contains("--output <FORMAT>") {
        found.insert(verb.to_vec());
    }
    let below = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for name in below.filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        let name = name.split_whitespace().next().expect("a line that is not empty has a word");
        if name != "help" {
            verbs_with_output(sandbox, &[verb, &[name.to_owned()]].concat(), found);
        }
    }
}

#[test]
fn every_verb_with_an_output_is_tried_here() {
    let mut found = BTreeSet::new();
    verbs_with_output(&Sandbox::empty(), &[], &mut found);
    assert!(found.len() >= 25, "the search is broken: {found:?}");
    let is_tried = |verb: &&Vec<String>| {
        VERBS.iter().any(|words| verb.iter().zip(*words).all(|(a, b)| a == b) && words.len() >= verb.len())
    };
    let missing: Vec<_> = found.iter().filter(|verb| !is_tried(verb)).collect();
    assert!(missing.is_empty(), "no line in VERBS: {missing:?}");
}

/// Runs a verb; of one that does not end by itself, what it prints at first.
fn run(sandbox: &Sandbox, words: &[&str], format: &str) -> Ran {
    let words: Vec<String> = words.iter().map(|word| word.replace("FORMAT", format)).collect();
    let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["-o", format]).collect();
    if words[0] != "forward" {
        return sandbox.run(&arguments);
    }
    let mut child = sandbox.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let (mut stdout, mut more) = (String::new(), true);
    while more && document(&stdout, format).is_none_or(|it| it.get("elapsed_ms").is_none()) {
        more = lines.read_line(&mut stdout).expect("read") > 0;
    }
    child.kill().expect("killed, if it has not ended");
    let mut ended = ran(child.wait_with_output().expect("ended"));
    lines.read_to_string(&mut stdout).expect("read");
    ended.stdout = stdout;
    ended.code = ended.code.max(0);
    ended
}

fn document(text: &str, format: &str) -> Option<Value> {
    match format {
        "json" => serde_json::from_str(text).ok(),
        _ => landfall_yaml::to_json_strict(text).ok(),
    }
}

/// Fails the test unless that is an envelope, and says how the command ended.
#[track_caller]
fn assert_envelope(words: &[&str], format: &str, ended: &Ran) -> Value {
    let told = || format!("{words:?} -o {format}: {}", ended.all());
    let document = document(&ended.stdout, format).unwrap_or_else(|| panic!("no {format}: {}", told()));
    let fields = document.as_object().unwrap_or_else(|| panic!("no object: {}", told()));
    for field in ["schema", "ok", "exit", "data"] {
        assert!(fields.contains_key(field), "no `{field}`: {}", told());
    }
    let known = ["schema", "ok", "exit", "data", "elapsed_ms"];
    assert!(fields.keys().all(|field| known.contains(&field.as_str())), "more than is documented: {}", told());
    let kind = document["schema"].as_str().and_then(|schema| schema.strip_prefix("landfall.dev/v1/"));
    assert!(kind.is_some_and(|kind| kind.bytes().all(|byte| byte.is_ascii_alphanumeric())), "schema: {}", told());
    assert_eq!(document["exit"], ended.code, "{}", told());
    assert_eq!(document["ok"], ended.code == 0, "{}", told());
    if kind == Some("Failure") {
        assert_ne!(ended.code, 0, "{}", told());
        let diagnostics = document["data"]["diagnostics"].as_array().unwrap_or_else(|| panic!("{}", told()));
        assert!(!diagnostics.is_empty(), "{}", told());
        for diagnostic in diagnostics {
            let code = diagnostic["code"].as_str().unwrap_or_default();
            assert!(ended.stderr.contains(code) && code.starts_with("LF"), "{}", told());
        }
    }
    document
}

/// What `docs/output.md` says that a verb prints, as kinds.
fn documented(words: &[&str]) -> BTreeSet<String> {
    let groups = ["addon", "cluster", "env", "images", "migrate", "version"];
    let verb = words[..if groups.contains(&words[0]) { 2 } else { 1 }].join(" ");
    let quoted = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let rows = include_str!("../../../../docs/output.md").lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| {
        let mut cells = row.split(" | ");
        Some((quoted(&format!("`{}", cells.next()?)), quoted(cells.next()?)))
    });
    let is_meant = |said: &String| *said == verb || said.starts_with(&format!("{verb} "));
    rows.filter(|(verbs, _)| verbs.iter().any(is_meant)).flat_map(|(_, kinds)| kinds).collect()
}

#[test]
fn every_document_is_in_the_envelope_as_json_and_as_yaml() {
    let sandbox = system();
    for words in VERBS {
        let mut schemas = Vec::new();
        for format in ["json", "yaml"] {
            let ended = run(&sandbox, words, format);
            if UNREADABLE.contains(words) {
                assert!(ended.code == 2 && ended.stdout.is_empty(), "{words:?}: {}", ended.all());
                continue;
            }
            let document = assert_envelope(words, format, &ended);
            let schema = document["schema"].as_str().unwrap_or_default().to_owned();
            let kind = schema.trim_start_matches("landfall.dev/v1/");
            let told = documented(words);
            assert!(kind == "Failure" || told.contains(kind), "{words:?}: {kind}, and documented are {told:?}");
            schemas.push(schema);
        }
        assert!(schemas.windows(2).all(|pair| pair[0] == pair[1]), "{words:?}: {schemas:?}");
    }
}

#[test]
fn where_nothing_is_every_verb_says_so_in_the_envelope() {
    for words in VERBS.iter().filter(|words| !UNREADABLE.contains(words)) {
        let mut sandbox = Sandbox::empty();
        sandbox.stays(".landfall");
        let ended = run(&sandbox, words, "json");
        assert_envelope(words, "json", &ended);
    }
}
