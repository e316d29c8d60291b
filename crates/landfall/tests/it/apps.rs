//! `landfall app`, the server's API and its tokens, through the binary and over HTTP.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use landfall_object::{Gvk, ObjectKey};
use serde_json::{Value, json};

use super::sandbox::{Ran, Sandbox};
use super::serving::{AUTOMATED, Forge, SHOP, Server, application, is_synced, web};

#[test]
fn where_nothing_is_no_application_is_listed_and_nothing_is_left_behind() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["app", "list"]).exits(0).says("no Application is here");
    let listed = sandbox.run(&["app", "list", "-o", "json"]).exits(0).json();
    assert_eq!(listed["data"]["total"], 0);
    let told = sandbox.run(&["app", "get", "shop"]).all();
    assert!(!told.contains("LF0480"), "{told}");
    assert!(!sandbox.root().join(".landfall").exists());
}

const MANUAL: &str = "{syncOptions: [CreateNamespace=true]}";

/// Runs a verb until what it prints is as it is wanted; the test fails with what it printed last.
#[track_caller]
fn until(forge: &Forge, words: &[&str], so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let ran = forge.sandbox.run(&[words, &["-o", "json"]].concat());
        let document = ran.json();
        if so(&document["data"]) {
            return document["data"].clone();
        }
        assert!(Instant::now() < deadline, "it never came: {}", ran.all());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Issues a token.
fn token(forge: &Forge, words: &[&str]) -> String {
    let ran = forge.sandbox.run(&[&["token", "create"], words, &["-o", "name"]].concat()).exits(0);
    ran.stdout.trim().to_owned()
}

fn bearer(token: &str) -> [(&'static str, String); 1] {
    [("Authorization", format!("Bearer {token}"))]
}

fn ask(server: &Server, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
    let headers = bearer(token);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (status, text) = server.ask(method, path, &headers, body);
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[test]
fn an_application_is_listed_compared_synced_and_explained_where_its_server_runs() {
    let forge = Forge::shop(MANUAL);
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let differs = until(&forge, &["app", "list"], |data| data["items"][0]["sync"] == "OutOfSync");
    assert_eq!((&differs["total"], &differs["by_health"]), (&json!(1), &json!({"Missing": 1})));
    assert_eq!(differs["items"][0]["repository"], "git.example.com/shop");
    forge.sandbox.run(&["app", "list"]).exits(0).says("argocd/shop").says("OutOfSync");
    let diff = forge.sandbox.run(&["app", "diff", "shop", "--exit-code", "-o", "json"]).exits(3).json();
    let actions: Vec<&Value> =
        diff["data"]["objects"].as_array().expect("a list").iter().map(|it| &it["action"]).collect();
    assert_eq!(actions, ["create", "create", "create"], "{diff:#}");
    let why = forge.sandbox.run(&["app", "explain", "shop"]).exits(0).says("does not sync by itself");
    why.says("landfall app sync argocd/shop");
    forge
        .sandbox
        .run(&["app", "wait", "shop", "--sync", "--timeout", "1s"])
        .exits(4)
        .says("waited for in vain: it is OutOfSync");
    forge.sandbox.run(&["app", "terminate", "shop"]).exits(1).says("no operation of argocd/shop is under way");
    // Nothing has changed by looking.
    let cluster = server.cluster();
    assert!(server.get(&cluster, &web()).is_none());
    forge.sandbox.run(&["app", "sync", "shop", "--dry-run"]).exits(0).says("create Deployment/shop");
    assert!(server.get(&cluster, &web()).is_none());

    let synced = forge.sandbox.run(&["app", "sync", "shop", "-o", "json"]).exits(0).json();
    assert_eq!(synced["data"][0]["seen"]["last_operation"]["phase"], "Succeeded", "{synced:#}");
    assert_eq!(synced["data"][0]["seen"]["last_operation"]["initiated_by"], "local");
    let done = forge.sandbox.run(&["app", "wait", "shop", "--timeout", "60s", "-o", "json"]).exits(0).json();
    assert_eq!(done["data"][0]["revisions"], json!([revision]));
    let history = forge.sandbox.run(&["app", "history", "shop", "-o", "json"]).exits(0).json();
    assert_eq!((history["data"][0]["id"].clone(), &history["data"][0]["current"]), (json!(0), &json!(true)));
    forge.sandbox.run(&["app", "events", "shop"]).exits(0).says("as delivery 0, asked for by local");
    forge.sandbox.run(&["app", "get", "shop"]).exits(0).says("Deployment/shop").says("Synced");
    forge.sandbox.run(&["app", "explain", "shop"]).exits(0).says("nothing is wrong with it");
    forge.sandbox.run(&["app", "get", "shpo"]).exits(2).says("did you mean `shop`?");
    forge.sandbox.run(&["__complete", "--", "app", "get", "=s"]).exits(0).says("shop");

    forge.sandbox.run(&["app", "logs", "shop", "deployment/shop"]).exits(0).says("simulated");
    forge.sandbox.run(&["app", "logs", "shop", "nothing"]).exits(1).says("deployment/shop");
    let mut follows = forge.sandbox.command(&["app", "logs", "shop", "-f"]);
    let mut follows = follows.stdout(std::process::Stdio::piped()).spawn().expect("started");
    let mut first = String::new();
    let said = follows.stdout.take().expect("piped");
    BufReader::new(said).read_line(&mut first).expect("it says something");
    follows.kill().expect("killed");
    follows.wait().expect("ended");
    assert!(first.contains("simulated"), "{first}");

    // An edit by hand: who wrote it, and which values line wants it otherwise.
    server.patch(&cluster, &web(), json!({"spec": {"replicas": 5}}));
    let edited = until(&forge, &["app", "diff", "shop"], |data| data["objects"][0]["fields"][0]["live"] == 5);
    let field = &edited["objects"][0]["fields"][0];
    assert_eq!((&field["path"], &field["wanted"]), (&json!("spec.replicas"), &json!(1)), "{edited:#}");
    assert_eq!(field["owner"]["manager"], "kubectl-edit", "{edited:#}");
    assert_eq!(field["wanted_by"][0]["value"], "replicas", "{edited:#}");
    let at = field["wanted_by"][0]["at"].as_str().expect("a place");
    assert!(at.contains("values.yaml:1"), "{at}");
    forge.sandbox.run(&["app", "diff", "shop"]).exits(0).says("written by kubectl-edit").says("wanted by");

    // Without a server the same is asked of the cluster itself.
    let (code, ..) = server.terminate();
    assert_eq!(code, Some(0));
    assert!(!forge.sandbox.root().join(".landfall/serve.json").exists());
    let alone = forge.sandbox.run(&["app", "list", "-o", "json"]).exits(0).json();
    assert_eq!(alone["data"]["items"][0]["name"], "shop", "{alone:#}");
    let repository = format!("{SHOP}={}", forge.bare.display());
    let diff = forge.sandbox.run(&["app", "diff", "shop", "--repo", &repository, "-o", "json"]).exits(0).json();
    assert_eq!(diff["data"]["objects"], edited["objects"], "{diff:#}");
    forge.sandbox.run(&["app", "sync", "shop"]).exits(6).says("no server runs here");
}

#[test]
fn lp_66_a_rollback_pins_what_syncs_by_itself_until_it_is_released() {
    let forge = Forge::shop(AUTOMATED);
    let first = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    forge.sandbox.run(&["app", "rollback", "shop"]).exits(1).says("no earlier delivery to go back to");
    let second = forge.change("chart/values.yaml", "replicas: 1", "replicas: 2");
    server.until(&cluster, &application("shop"), |it| is_synced(it, &second));
    forge.sandbox.run(&["app", "rollback", "shop", "--dry-run"]).exits(0).says("spec.replicas");
    let back = forge.sandbox.run(&["app", "rollback", "shop", "-o", "json"]).exits(0).json();
    assert_eq!(back["data"][0]["seen"]["last_operation"]["initiated_by"], "local", "{back:#}");
    assert_eq!(
        (&back["data"][0]["pinned"], &back["data"][0]["revisions"]),
        (&json!(true), &json!([first])),
        "{back:#}"
    );
    server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(1));
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    // Neither a new commit nor a look takes it forward, and drift is put right where it is.
    let third = forge.change("chart/values.yaml", "replicas: 2", "replicas: 3");
    forge.sandbox.run(&["app", "refresh", "shop"]).exits(0);
    server.patch(&cluster, &web(), json!({"spec": {"replicas": 7}}));
    server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(1));
    let pinned = forge.sandbox.run(&["app", "get", "shop", "-o", "json"]).exits(0).json();
    assert_eq!((&pinned["data"]["pinned"], &pinned["data"]["pin"]["by"]), (&json!([first]), &json!("local")));
    forge.sandbox.run(&["app", "sync", "shop", "--revision", &third]).exits(5).says("is pinned to");
    forge.sandbox.run(&["app", "pin", "shop", "--release"]).exits(0).says("released");
    server.until(&cluster, &application("shop"), |it| is_synced(it, &third));
    server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(3));
    forge.sandbox.run(&["app", "wait", "shop", "--timeout", "60s"]).exits(0);
    forge.sandbox.run(&["app", "sync", "shop", "--revision", &first]).exits(5).says("would be undone at once");

    // What was delivered from another source, or is no longer there, is not gone back to.
    server.patch(&cluster, &application("shop"), json!({"spec": {"source": {"helm": {"releaseName": "other"}}}}));
    let refused = forge.sandbox.run(&["app", "rollback", "shop", "1"]).exits(5);
    refused.says("its sources have changed since: spec.source.helm").says("nothing was changed");
    server.patch(&cluster, &application("shop"), json!({"spec": {"source": {"helm": null}}}));
    let gone = json!({"status": {"history": [
        {"id": 8, "revision": "0123456789012345678901234567890123456789", "source": {"repoURL": SHOP, "path": "chart", "targetRevision": "main"}},
        {"id": 9, "revision": third, "source": {"repoURL": SHOP, "path": "chart", "targetRevision": "main"}},
    ]}});
    forge.sandbox.run(&["app", "wait", "shop", "--timeout", "60s"]).exits(0);
    server.patch(&cluster, &application("shop"), gone);
    let refused = forge.sandbox.run(&["app", "rollback", "shop", "8"]).exits(5);
    refused.says("what it delivered cannot be delivered any more");
}

#[test]
fn every_route_wants_a_token_that_is_for_it_and_every_change_names_who_made_it() {
    let forge = Forge::shop(MANUAL);
    let keys = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {password: hunter2-in-git}\n";
    forge.sandbox.write("chart/templates/keys.yaml", keys);
    forge.sandbox.commit("with a secret");
    forge.push();
    let server = forge.serve(&["apps"], SHOP, &[("LANDFALL_WEBHOOK_SECRET", "s")]);
    until(&forge, &["app", "list"], |data| data["items"][0]["sync"] == "OutOfSync");
    let reads = token(&forge, &["reads", "--scope", "read"]);
    let syncs = token(&forge, &["syncs", "--scope", "sync"]);
    let others = token(&forge, &["others", "--scope", "read", "--scope", "sync", "--project", "other-*"]);
    let (status, document) = ask(&server, "GET", "/api/v1/openapi.json", &reads, "");
    assert_eq!(status, 200);
    let (mut behind, mut open) = (0, Vec::new());
    for (pattern, methods) in document["paths"].as_object().expect("paths") {
        let path = pattern.replace("{namespace}", "argocd").replace("{name}", "shop");
        for (method, described) in methods.as_object().expect("methods") {
            let method = method.to_uppercase();
            let Some(scope) = described["x-landfall-scope"].as_str() else {
                open.push(pattern.clone());
                continue;
            };
            behind += 1;
            let told = format!("{method} {path}");
            let (status, why) = server.ask(&method, &path, &[], "{}");
            assert_eq!(status, 401, "{told}: {why}");
            let (status, _) = ask(&server, &method, &path, "lf_000000000000_bm90aGluZw", "{}");
            assert_eq!(status, 401, "{told} with a token that nobody issued");
            // Whether it syncs by itself, whether it is there at all, and what changes edges, is for roles: a token without one may
            // none of it.
            let is_of_edges = pattern.starts_with("/api/v1/edge/") || pattern == "/edges";
            let is_for_roles = ["/policy", "/pause", "/delete"].iter().any(|ending| pattern.ends_with(ending));
            if is_for_roles || is_of_edges && method == "POST" {
                for token in [&reads, &syncs, &others] {
                    let (status, why) = ask(&server, &method, &path, token, "{}");
                    assert_eq!((status, &why["code"]), (403, &json!("LF0745")), "{told}");
                }
                continue;
            }
            let (small, right) = if scope == "read" { (&syncs, &reads) } else { (&reads, &syncs) };
            let (status, why) = ask(&server, &method, &path, small, "{}");
            assert_eq!((status, &why["code"]), (403, &json!("LF0723")), "{told}");
            if is_of_edges {
                let (status, why) = ask(&server, &method, &path, &others, "{}");
                assert_eq!((status, &why["code"]), (403, &json!("LF0723")), "{told}: an edge is no project's");
                continue;
            }
            // What is known of versions is no Application's; whoever writes it down is asked for the environment (`promotions.rs`).
            let book = ["ledger", "evidence", "holds", "promotions", "versions/check", "versions/next"];
            if book.iter().any(|name| pattern == &format!("/api/v1/{name}")) {
                for token in [&others, right] {
                    let (status, why) = ask(&server, &method, &path, token, "{}");
                    assert!(matches!(status, 200 | 400) && !why.to_string().contains("shop"), "{told}: {status} {why}");
                }
                continue;
            }
            // Of a project that it is not for, a token finds nothing, or less.
            let (status, why) = if pattern == "/api/v1/stream" {
                (200, json!({}))
            } else {
                ask(&server, &method, &path, &others, "{}")
            };
            match pattern.as_str() {
                "/metrics" | "/api/v1/audit" => assert_eq!((status, &why["code"]), (403, &json!("LF0723")), "{told}"),
                "/api/v1/applications" => assert_eq!((status, &why["total"]), (200, &json!(0)), "{told}"),
                "/" => assert!(status == 200 && !why.to_string().contains("shop"), "{told}: {why}"),
                "/api/v1/openapi.json" | "/api/v1/stream" => assert_eq!(status, 200, "{told}"),
                _ => assert_eq!((status, &why["code"]), (404, &json!("LF0720")), "{told}: {why}"),
            }
            // And with the right one it is no longer a matter of who asks.
            if method == "GET" && pattern != "/api/v1/stream" {
                let (status, why) = ask(&server, &method, &path, right, "");
                assert!(status == 200 || (pattern.ends_with("/logs") && status == 422), "{told}: {status} {why}");
                assert!(!why.to_string().contains("hunter2"), "{told}: {why}");
            }
        }
    }
    assert!(behind >= 17, "{document:#}");
    // What devices ask is held to credentials of their own (`edges.rs`).
    open.retain(|path| !path.starts_with("/internal/edges/") && !path.starts_with("/edge/v1/"));
    open.sort();
    let session =
        ["", "", "/end", "/issuer", "/issuer/back", "/job", "/password"].map(|path| format!("/api/v1/session{path}"));
    let others = ["/api/webhook", "/healthz", "/readyz", "/version"].map(str::to_owned);
    assert_eq!(open, [&session[..], &others].concat());

    // The page is plain, and its policy forbids what it does not have.
    let (_, page) = ask(&server, "GET", "/", &reads, "");
    let page = page.as_str().expect("text");
    assert!(page.contains("argocd/shop") && !page.contains("<script"), "{page}");

    // What was refused and what was done: by whom.
    let (status, accepted) =
        ask(&server, "POST", "/api/v1/applications/argocd/shop/sync", &syncs, r#"{"prune": true}"#);
    assert_eq!((status, &accepted["change"]), (202, &json!("sync")), "{accepted}");
    let synced = until(&forge, &["app", "get", "shop"], |data| data["sync"] == "Synced" && data["under_way"] == false);
    assert_eq!(synced["last_operation"]["initiated_by"], "syncs");
    let keys = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some("shop"), "keys");
    server.patch(&server.cluster(), &keys, json!({"stringData": {"password": "hunter2-by-hand"}}));
    let masked = until(&forge, &["app", "diff", "shop"], |data| data["objects"][0]["name"] == "keys");
    let (live, wanted) = ("aHVudGVyMi1ieS1oYW5k", "aHVudGVyMi1pbi1naXQ=");
    let told = masked.to_string();
    assert!(!["hunter2", live, wanted].iter().any(|secret| told.contains(secret)), "{masked:#}");
    assert!(told.contains("data.password"), "{masked:#}");
    let (_, log) = ask(&server, "GET", "/api/v1/audit?limit=500", &reads, "");
    let entries = log.as_array().expect("a list");
    let has = |actor: &str, action: &str, outcome: &str| {
        let is = |it: &Value, field: &str, text: &str| it[field].as_str().is_some_and(|it| it.starts_with(text));
        entries.iter().any(|it| is(it, "actor", actor) && is(it, "action", action) && is(it, "outcome", outcome))
    };
    assert!(has("syncs", "application.sync", "accepted"), "{log:#}");
    assert!(has("reads", "application.sync", "refused"), "{log:#}");
    assert!(has("others", "application.rollback", "refused"), "{log:#}");
    assert!(has("local", "token.issue", "done"), "{log:#}");
    assert!(!log.to_string().contains(syncs.rsplit('_').next().expect("a secret half")), "a secret is in the log");
    let store = std::fs::read(forge.sandbox.root().join(".landfall/store.db")).expect("read");
    let secret = reads.rsplit('_').next().expect("a secret half").as_bytes();
    assert!(!store.windows(secret.len()).any(|part| part == secret), "a secret is in the store");
}

#[test]
fn lp_110_x_03_an_application_is_asked_about_from_elsewhere_until_its_token_is_revoked() {
    let forge = Forge::shop(AUTOMATED);
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let reads = token(&forge, &["reads", "--scope", "read"]);
    let others = token(&forge, &["others", "--project", "other-*"]);
    let elsewhere = Sandbox::empty();
    elsewhere.write("token", &format!("{reads}\n"));
    let url = format!("http://{}", server.address);
    let there = ["--server", &url, "--token-file", "token"];
    let list = |words: &[&str]| -> Ran { elsewhere.run(&[&["app"], words, &there].concat()) };
    list(&["wait", "shop", "--timeout", "60s"]).exits(0);
    let got = list(&["get", "shop", "-o", "json"]).exits(0).json();
    let told = ["sync", "health"].map(|field| got["data"][field].as_str().unwrap_or_default().to_owned());
    assert_eq!((told, &got["data"]["revisions"]), (["Synced", "Healthy"].map(str::to_owned), &json!([revision])));
    // Argo CD's line for it stands in the documentation beside ours.
    let page = include_str!("../../../../docs/from-argo-cd.md");
    let row = page.lines().find(|line| line.contains("`argocd app get shop --grpc-web --server HOST`")).expect("a row");
    assert!(row.contains("`landfall app get shop --server https://HOST`"), "{row}");
    // The same of the cluster itself, without the server in between.
    let itself = ["--context", "landfall", "--kubeconfig", ".landfall/kubeconfig"];
    let direct = |words: &[&str]| forge.sandbox.run(&[&["app"], words, &itself].concat());
    let seen = direct(&["get", "shop", "-o", "json"]).exits(0).json();
    for field in ["sync", "health", "revisions", "resources", "sources"] {
        assert_eq!(seen["data"][field], got["data"][field], "{field}");
    }
    direct(&["sync", "shop"]).exits(2).says("needs a yes");
    direct(&["refresh", "shop"]).exits(0).says("looked at");
    elsewhere.write("token", &others);
    list(&["list"]).exits(0).says("no Application is here");
    elsewhere.write("token", &format!("{reads}\n"));
    list(&["sync", "shop", "--yes"]).exits(5).says("the token `reads` is not for `sync`");
    list(&["sync", "shop"]).exits(2).says("needs a yes");
    elsewhere.run(&["app", "list", "--server", &url]).exits(2).says("wants a token");
    let by_variable = elsewhere.command(&["app", "list", "--server", &url]).env("LANDFALL_TOKEN", &reads).output();
    assert!(by_variable.expect("it runs").status.success());
    elsewhere
        .run(&["app", "list", "--server", "http://landfall.example.com", "--token-file", "token"])
        .exits(5)
        .says("everybody on the way");
    // An image that nobody can name: from the Application to the pod and its event, with what to type.
    forge.change("chart/values.yaml", "image: example/app:1.0.0", "image: example/App:1.0.0");
    let way = ["app", "explain", "shop", "--server", &url, "--token-file"];
    forge.sandbox.write(".landfall/reads", &reads);
    let why = until(&forge, &[&way[..], &[".landfall/reads"]].concat(), |data| {
        let steps = data["causes"].as_array().into_iter().flatten().flat_map(|it| it["steps"].as_array());
        steps.flatten().any(|step| step["level"] == "event")
    });
    let cause = why["causes"].as_array().expect("a list").iter().find(|it| it["steps"].to_string().contains("event"));
    let cause = cause.expect("just seen");
    let levels: Vec<&str> =
        cause["steps"].as_array().expect("steps").iter().filter_map(|it| it["level"].as_str()).collect();
    assert_eq!(levels[..4], ["application", "object", "pod", "event"], "{why:#}");
    assert!(cause.to_string().contains("InvalidImageName"), "{why:#}");
    assert!(!cause["advice"].as_array().expect("a list").is_empty(), "{why:#}");
    forge.sandbox.run(&["token", "revoke", "reads"]).exits(0);
    list(&["list"]).exits(5).says("revoked");
    forge.sandbox.run(&["token", "list"]).exits(0).says("revoked").says("other-*");
    forge.sandbox.run(&["token", "revoke", "reads"]).exits(2).says("no token `reads`");
    drop(server);
    list(&["list"]).exits(6).says("does not answer");
}

/// Listens to a server's changes.
struct Listener(BufReader<TcpStream>);

impl Listener {
    fn at(server: &Server, last: Option<&str>) -> Self {
        let (name, token) = server.own_token();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let mut stream = TcpStream::connect(&server.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        write!(stream, "GET /api/v1/stream HTTP/1.1\r\nHost: it\r\n{name}: {token}\r\n{last}\r\n").expect("asked");
        Listener(BufReader::new(stream))
    }

    /// The next event: its id, its name and what it holds.
    fn next(&mut self) -> (String, String, Value) {
        let (mut id, mut event) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).expect("within the time") > 0, "the stream has ended");
            let line = line.trim_end();
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.to_owned();
            } else if let Some(text) = line.strip_prefix("event: ") {
                event = text.to_owned();
            } else if let Some(text) = line.strip_prefix("data: ") {
                return (id, event, serde_json::from_str(text).expect("JSON"));
            }
        }
    }
}

#[test]
fn changes_are_told_as_they_happen_and_gone_on_with_where_one_stopped() {
    let forge = Forge::shop(MANUAL);
    let server = forge.serve(&["apps"], SHOP, &[]);
    until(&forge, &["app", "list"], |data| data["items"][0]["sync"] == "OutOfSync");
    let mut listener = Listener::at(&server, None);
    let (start, event, _) = listener.next();
    assert_eq!(event, "ready");
    forge.sandbox.run(&["app", "sync", "shop"]).exits(0);
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(_, _, data): &(String, String, Value)| data["application"]["sync"] != "Synced") {
        seen.push(listener.next());
    }
    assert!(seen.iter().all(|(_, event, data)| event == "application" && data["gone"] == false), "{seen:#?}");
    // The same once more, for one who was away, and from the middle.
    for from in [0, seen.len() / 2] {
        let last = if from == 0 { start.as_str() } else { seen[from - 1].0.as_str() };
        let mut again = Listener::at(&server, Some(last));
        for wanted in &seen[from..] {
            assert_eq!(&again.next(), wanted);
        }
    }
    let (_, event, _) = Listener::at(&server, Some("1-1")).next();
    assert_eq!(event, "reset", "of another run nothing can be told");
    let (code, took, _) = server.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "who listens does not hold it up: {took:?}");
}
