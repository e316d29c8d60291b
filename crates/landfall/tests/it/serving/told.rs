//! News: what people hear of Applications, each change once.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use super::accounts::first_password;
use super::{AUTOMATED, Forge, SHOP, application};

/// What was said to a server, in the order in which it was.
pub(super) type Said = Arc<Mutex<Vec<String>>>;

/// A server on loopback: each conversation is a text.
pub(super) fn listen(talk: fn(TcpStream, &dyn Fn() -> bool) -> Option<String>, refusals: usize) -> (u16, Said) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let said = Said::default();
    let (kept, left) = (Arc::clone(&said), Mutex::new(refusals));
    // Lives as long as the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let refuses = || {
                let mut left = left.lock().expect("not poisoned");
                let refuses = *left > 0;
                *left = left.saturating_sub(1);
                refuses
            };
            if let Some(text) = talk(stream, &refuses) {
                kept.lock().expect("not poisoned").push(text);
            }
        }
    });
    (port, said)
}

/// One request over HTTP: its first line, `Authorization` or `X-Landfall-News`, and its body, where it is taken.
pub(super) fn http(mut stream: TcpStream, refuses: &dyn Fn() -> bool) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length, mut token) = (String::new(), 0, String::new());
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" | "x-landfall-news" => token = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let refused = refuses();
    let status = if refused { "503 Later" } else { "200 OK" };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
    (!refused).then(|| format!("{}|{token}|{}", first.trim_end(), String::from_utf8_lossy(&body)))
}

/// One message over SMTP.
fn smtp(mut stream: TcpStream, _: &dyn Fn() -> bool) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut said = String::new();
    write!(stream, "220 here\r\n").ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        said.push_str(&line);
        match line.split([' ', '\r', ':']).next()? {
            "EHLO" => write!(stream, "250-here\r\n250 AUTH PLAIN\r\n").ok()?,
            "AUTH" => write!(stream, "235 welcome\r\n").ok()?,
            "DATA" => {
                write!(stream, "354 go on\r\n").ok()?;
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).ok()?;
                    if line == ".\r\n" {
                        break;
                    }
                    said.push_str(&line);
                }
                write!(stream, "250 taken\r\n").ok()?;
            }
            "QUIT" => {
                let _gone = write!(stream, "221 bye\r\n");
                return Some(said);
            }
            _ => write!(stream, "250 well\r\n").ok()?,
        }
    }
}

#[track_caller]
pub(super) fn until(said: &Said, what: &str) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let now = said.lock().expect("not poisoned").clone();
        if now.iter().any(|text| text.contains(what)) {
            return now;
        }
        assert!(Instant::now() < deadline, "{what:?} was never told: {now:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How many news say that, for a receiver that knows each by its identity: where a server dies between an answer and its note
/// of it, that one post is made again under the same.
pub(super) fn count(said: &Said, what: &str) -> usize {
    let said = said.lock().expect("not poisoned");
    let identities = said.iter().filter(|text| text.contains(what)).map(|text| text.split('|').nth(1));
    identities.collect::<BTreeSet<_>>().len()
}

#[test]
fn failures_and_their_end_are_told_once_each_also_across_a_kill() {
    let forge = Forge::shop(AUTOMATED);
    let ((slack, told), (mail, mails)) = (listen(http, 1), listen(smtp, 0));
    let hook = format!("http://127.0.0.1:{slack}/services/T0/secret");
    let mail = format!("smtp://ops:hunter2@127.0.0.1:{mail}?from=ops@example.com&to=anna@example.com");
    let variables = [("LANDFALL_NEWS_SLACK", hook.as_str()), ("LANDFALL_NEWS_MAIL", mail.as_str())];
    let server = forge.serve(&["apps"], SHOP, &variables);
    let cluster = server.cluster();
    let key = application("shop");
    server.until(&cluster, &key, |it| it.str_at("/status/health/status") == Some("Healthy"));
    forge.change("chart/templates/all.yaml", "{{ .Values.image }}", "{{ fail \"not <today>\" }}");
    // The webhook refuses the first post: it is made again.
    let first = until(&told, "cannot be compared");
    assert!(first[0].contains("not &lt;today&gt;"), "{first:#?}");
    let mailed = until(&mails, "Message-ID: <");
    assert!(mailed[0].contains("RCPT TO:<anna@example.com>"), "{mailed:#?}");
    let body =
        mailed[0].split("auto-generated\r\n\r\n").nth(1).unwrap_or_default().lines().take_while(|it| *it != "QUIT");
    let body: String = body.collect();
    let text = base64::engine::general_purpose::STANDARD.decode(body).expect("a body");
    assert!(String::from_utf8_lossy(&text).contains("landfall app explain argocd/shop"));
    drop(server);
    // The next process knows what was told.
    let server = forge.serve(&["apps"], SHOP, &variables);
    let cluster = server.cluster();
    server.until(&cluster, &key, |it| it.str_at("/status/conditions/0/type") == Some("ComparisonError"));
    forge.change("chart/templates/all.yaml", "{{ fail \"not <today>\" }}", "example/app:1.0.1");
    until(&told, "is well again");
    until(&mails, "Subject: ");
    // By now the first is noted, if not before the kill: no process tells it again.
    let posts = || told.lock().expect("not poisoned").iter().filter(|it| it.contains("cannot be compared")).count();
    let before = posts();
    drop(server);
    let server = forge.serve(&["apps"], SHOP, &variables);
    let cluster = server.cluster();
    server.until(&cluster, &key, |it| it.str_at("/status/health/status") == Some("Healthy"));
    let stale = json!({"revisions": [forge.push()], "by": "anna", "at": "2026-01-01T00:00:00Z"}).to_string();
    server.patch(&cluster, &key, json!({"metadata": {"annotations": {"landfall.dev/pin": stale}}}));
    until(&told, "has been pinned for more than a day");
    let broken = json!({"by": "anna", "at": "t", "deed": "upgrade of release shop", "reason": "outage"}).to_string();
    server.patch(&cluster, &key, json!({"metadata": {"annotations": {"landfall.dev/break-glass": broken}}}));
    until(&told, "anna has gone past the guards of argocd/shop: upgrade of release shop");
    let counts =
        ["cannot be compared", "is well again", "pinned for more", "past the guards"].map(|it| count(&told, it));
    assert_eq!((counts, posts()), ([1; 4], before), "{:#?}", told.lock());
    let log = std::fs::read_to_string(forge.sandbox.root().join("../serve.log")).expect("read");
    assert!(!log.contains("T0/secret") && !log.contains("hunter2"), "{log}");
}

#[test]
fn a_commit_has_its_status_at_its_own_forge_alone() {
    let (port, told) = listen(http, 0);
    let host = format!("http://127.0.0.1:{port}");
    let address = format!("{host}/acme/shop.git");
    let forge = Forge::shop(AUTOMATED);
    forge.change("apps/shop.yaml", SHOP, &address);
    let variables =
        [("LANDFALL_FORGE_TOKEN", "t0ken"), ("LANDFALL_FORGE_HOST", host.as_str()), ("LANDFALL_FORGE_KIND", "gitea")];
    let server = forge.serve(&["apps"], &address, &variables);
    let cluster = server.cluster();
    let key = application("shop");
    server.until(&cluster, &key, |it| it.str_at("/status/health/status") == Some("Healthy"));
    let broken = forge.change("chart/templates/all.yaml", "{{ .Values.image }}", "{{ fail \"not today\" }}");
    let said = until(&told, &format!("/statuses/{broken}"));
    let (head, body) = said[0].rsplit_once('|').expect("a body");
    assert_eq!(head, format!("POST /api/v1/repos/acme/shop/statuses/{broken} HTTP/1.1|token t0ken"));
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((&body["state"], &body["context"]), (&json!("failure"), &json!("landfall/argocd/shop")), "{body:#}");
    let mended = forge.change("chart/templates/all.yaml", "{{ fail \"not today\" }}", "example/app:1.0.1");
    let said = until(&told, &format!("/statuses/{mended}"));
    assert!(said.last().is_some_and(|it| it.contains("\"success\"")), "{said:#?}");
}

#[test]
fn a_repository_that_its_project_leads_it_away_from_is_neither_read_nor_told_anything_by_a_token() {
    let (port, told) = listen(http, 0);
    let (host, hook) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{port}/slack"));
    let address = format!("{host}/acme/shop.git");
    let forge = Forge::shop(AUTOMATED);
    forge.change("apps/shop.yaml", SHOP, &address);
    forge.change("apps/shop.yaml", "project: default", "project: team");
    // What lies in the repository is not told either: this path does not.
    forge.change("apps/shop.yaml", "path: chart", "path: nowhere");
    let project = |repository: &str| {
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
            "metadata": {"name": "team", "namespace": "argocd"},
            "spec": {"sourceRepos": [repository], "destinations": [{"server": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}]},
        })
    };
    let others = project("https://git.example.com/team/*").to_string();
    forge.sandbox.write("apps/team.yaml", &others);
    forge.sandbox.commit("a project");
    let revision = forge.push();
    let variables = [
        ("LANDFALL_FORGE_TOKEN", "t0ken"),
        ("LANDFALL_FORGE_HOST", host.as_str()),
        ("LANDFALL_FORGE_KIND", "gitea"),
        ("LANDFALL_NEWS_SLACK", hook.as_str()),
    ];
    let server = forge.serve(&["apps"], &address, &variables);
    let (cluster, key) = (server.cluster(), application("shop"));
    let why = |it: &landfall_object::Object| {
        let conditions = it.list_at("/status/conditions").iter();
        conditions.filter_map(|it| it["message"].as_str().map(str::to_owned)).collect::<Vec<_>>().join("; ")
    };
    let refused = server.until(&cluster, &key, |it| why(it).contains("is not permitted in project 'team'"));
    assert!(!why(&refused).contains("nowhere"), "{}", why(&refused));
    assert_eq!(refused.str_at("/status/sync/revision").unwrap_or_default(), "");
    until(&told, "cannot be compared");
    assert_eq!(count(&told, "/statuses/"), 0, "{:#?}", told.lock());
    // Once it may, both are.
    let team = landfall_object::Gvk::new("argoproj.io", "v1alpha1", "AppProject");
    let team = landfall_object::ObjectKey::new(team, Some("argocd"), "team");
    server.patch(&cluster, &team, json!({"spec": {"sourceRepos": [address]}}));
    let there = server.until(&cluster, &key, |it| why(it).contains("nowhere"));
    assert!(!why(&there).contains("not permitted"), "{}", why(&there));
    until(&told, &format!("/statuses/{revision}"));
}

#[test]
fn lp_067_what_an_application_delivers_is_not_changed_directly_but_for_a_reason_that_is_audited_and_announced() {
    let forge = Forge::shop(AUTOMATED);
    let (slack, told) = listen(http, 0);
    let hook = format!("http://127.0.0.1:{slack}/");
    let variables = [("LANDFALL_NEWS_SLACK", hook.as_str())];
    let server = forge.serve(&["apps"], SHOP, &variables);
    let key = application("shop");
    server.until(&server.cluster(), &key, |it| it.str_at("/status/health/status") == Some("Healthy"));
    server.terminate();
    let upgrade = ["upgrade", "--install", "shop", "chart", "-n", "shop", "--set", "replicas=2", "--take-ownership"];
    let refused = forge.sandbox.run(&upgrade).exits(5).says("is delivered by the Application argocd/shop");
    assert!(refused.stderr.contains("LF0771") && refused.stderr.contains("--break-glass"), "{}", refused.all());
    forge.sandbox.run(&["uninstall", "shop", "-n", "shop"]).exits(5).says("argocd/shop");
    forge.sandbox.run(&["helm", "uninstall", "shop", "-n", "shop"]).exits(1).says("argocd/shop");
    let other = ["upgrade", "--install", "other", "chart", "-n", "other", "--create-namespace"];
    forge.sandbox.run(&other).exits(0);
    let broken = [&upgrade[..], &["--break-glass", "the forge is down"]].concat();
    forge.sandbox.run(&broken).exits(0).says("this is audited and announced");
    let server = forge.serve(&["apps"], SHOP, &variables);
    let said = until(&told, "past the guards of argocd/shop: upgrade of release shop");
    assert!(said.iter().any(|it| it.contains("reason: the forge is down")), "{said:#?}");
    let (name, token) = server.own_token();
    let (_, audit) = server.ask("GET", "/api/v1/audit", &[(name, &token)], "");
    let audit: Value = serde_json::from_str(&audit).expect("JSON");
    let entries: Vec<(&str, &str)> = audit
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| Some((it["action"].as_str()?, it["outcome"].as_str()?)))
        .collect();
    assert!(entries.contains(&("release.break-glass", "done")), "{audit:#}");
    assert!(entries.contains(&("release.break-glass.seen", "announced")), "{audit:#}");
    // The server has the right to deliver as long as it lives: nobody waits for its end in an emergency.
    let again = ["upgrade", "other", "chart", "-n", "other", "--set", "replicas=3"];
    let ran = forge.sandbox.run(&again).exits(0);
    assert!(!ran.all().contains("waiting for its end"), "{}", ran.all());
    let broken = [&upgrade[..], &["--break-glass", "still down"]].concat();
    forge.sandbox.run(&broken).exits(0).says("this is audited and announced");
}

#[test]
fn se_049_se_099_a_rotated_secret_opens_the_webhook_beside_the_old_one_and_only_pushes_do_anything() {
    let forge = Forge::shop(AUTOMATED);
    let server = forge.serve(&["apps", "--root-path", "/landfall"], SHOP, &[("LANDFALL_WEBHOOK_SECRET", "of old")]);
    let hook = |secret: &str, event: &str| {
        let headers = [("X-Gitlab-Token", secret), ("X-Gitea-Event", event), ("Content-Type", "application/json")];
        server.ask("POST", "/landfall/api/webhook", &headers, "{}").0
    };
    assert_eq!((hook("of old", "ping"), hook("of old", "issues"), hook("other", "ping")), (200, 202, 401));
    let (name, token) = server.own_token();
    let (_, metrics) = server.ask("GET", "/landfall/metrics", &[(name, &token)], "");
    assert!(metrics.contains("landfall_webhook_total{outcome=\"ignored\"} 1\n"), "{metrics}");
    let rotated = forge.sandbox.run(&["webhook", "secret", "rotate", "-o", "json"]).exits(0).json();
    let secret = rotated["data"]["secret"].as_str().expect("shown once").to_owned();
    assert_eq!(secret.len(), 64);
    // Without a restart, and both for a day.
    assert_eq!((hook(&secret, "ping"), hook("of old", "ping")), (200, 200));
    let shown = forge.sandbox.run(&["webhook", "secret", "rotate", "--overlap", "0s"]).exits(0);
    let last = shown.stdout.trim().to_owned();
    assert_eq!(
        (hook(&last, "ping"), hook(&secret, "ping")),
        (200, 401),
        "without an overlap the former is refused at once"
    );
    assert_eq!(server.ask("GET", "/landfall/healthz", &[], "").0, 200);
    // Who shares the host with others has a cookie for its own path alone.
    let password = first_password(&forge, &["ada"]);
    let wish = json!({"name": "ada", "password": password});
    let signed = server.tell("POST", "/landfall/api/v1/session", &[("X-Landfall-Request", "1")], &wish);
    assert!(signed.status == 200 && signed.head.contains("Path=/landfall;"), "{}", signed.head);
    assert_eq!(server.ask("GET", "/healthz", &[], "").0, 200);
    let (ended, took, _) = server.terminate();
    assert_eq!(ended, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}
