//! What a forge says of a push, and what whoever is none may say.

use sha2::{Digest as _, Sha256};

use super::*;

/// HMAC with SHA-256 (RFC 2104), hexadecimal.
fn signed(secret: &str, body: &str) -> String {
    let mut block = [0u8; 64];
    block[..secret.len()].copy_from_slice(secret.as_bytes());
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(body).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn count(server: &Server, outcome: &str) -> u64 {
    metric(server, &format!("landfall_webhook_total{{outcome=\"{outcome}\"}}"))
}

fn metric(server: &Server, named: &str) -> u64 {
    let (name, token) = server.own_token();
    let (_, metrics) = server.ask("GET", "/metrics", &[(name, &token)], "");
    let line = format!("{named} ");
    metrics.lines().find_map(|it| it.strip_prefix(&line)).map_or(0, |count| count.parse().expect("a number"))
}

fn push_of(address: &str) -> String {
    json!({"ref": "refs/heads/main", "repository": {"clone_url": address, "git_http_url": address}}).to_string()
}

#[test]
fn se_046_what_github_gitlab_and_gitea_send_to_their_address_has_the_repository_looked_at() {
    let forge = Forge::shop(AUTOMATED);
    let server = forge.serve(&["apps"], SHOP, &[("LANDFALL_WEBHOOK_SECRET", "known")]);
    let cluster = server.cluster();
    let first = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    let body = push_of(SHOP);
    let (hub, plain) = (format!("sha256={}", signed("known", &body)), signed("known", &body));
    for (number, (color, headers)) in [
        ("red", [("X-GitHub-Event", "push"), ("X-Hub-Signature-256", hub.as_str())]),
        ("green", [("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", "known")]),
        ("white", [("X-Gitea-Event", "push"), ("X-Gitea-Signature", plain.as_str())]),
    ]
    .into_iter()
    .enumerate()
    {
        let text = forge.sandbox.read("chart/values.yaml");
        let (front, _) = text.split_once("settings:").expect("settings");
        forge.sandbox.write("chart/values.yaml", &format!("{front}settings: {{color: {color}}}\n"));
        forge.sandbox.commit(color);
        let revision = forge.push();
        let json = [&headers[..], &[("Content-Type", "application/json")]].concat();
        let (status, said) = server.ask("POST", "/api/webhook", &json, &body);
        assert!(status == 200 && said.contains("are looked at"), "{headers:?}: {status} {said}");
        assert_eq!(count(&server, "push"), number as u64 + 1);
        server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
        // The same with another body: it was not this that was signed.
        if headers[1].0 != "X-Gitlab-Token" {
            assert_eq!(server.ask("POST", "/api/webhook", &headers, &format!("{body} ")).0, 401, "{headers:?}");
        }
    }
}

#[test]
fn a_push_is_compared_by_who_reads_what_it_changed_and_is_told_of_by_all() {
    let forge = Forge::shop(AUTOMATED);
    small_chart(&forge.sandbox, "other", "other");
    let other = forge.sandbox.read("apps/shop.yaml");
    let other = other.replace("name: shop", "name: other").replace("path: chart", "path: other");
    let other = other.replace("namespace: shop", "namespace: other");
    forge.sandbox.write("apps/other.yaml", &other);
    forge.sandbox.commit("two of them");
    let first = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    for name in ["shop", "other"] {
        server.until(&cluster, &application(name), |it| is_synced(it, &first));
    }
    let unchanged = || metric(&server, "landfall_app_unchanged_total");
    let pushed = |revision: &str| {
        for name in ["shop", "other"] {
            server.until(&cluster, &application(name), |it| is_synced(it, revision));
        }
    };
    // Whoever is looked at in its turn at that moment, or has changed, is compared all the same: it need not be the first push.
    let spared = |by: u64, push: &dyn Fn(usize) -> String| {
        (0..5).any(|number| {
            let before = unchanged();
            pushed(&push(number));
            unchanged() == before + by
        })
    };
    let is_spared = spared(1, &|number| {
        let [from, to] = [number + 1, number + 2].map(|count| format!("replicas: {count}"));
        let revision = forge.change("chart/values.yaml", &from, &to);
        server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == i64::try_from(number + 2).ok());
        revision
    });
    assert!(is_spared, "the other one reads nothing of it: {}", unchanged());
    let replicas = server.get(&cluster, &web()).and_then(|it| it.i64_at("/spec/replicas"));
    // What neither of them reads is compared by neither, and both tell of it.
    let is_spared = spared(2, &|number| {
        forge.sandbox.write("README.md", &format!("words {number}\n"));
        forge.sandbox.commit("words");
        forge.push()
    });
    assert!(is_spared, "nobody reads it: {}", unchanged());
    // What is live is looked at all the same.
    server.patch(&cluster, &web(), json!({"spec": {"replicas": 9}}));
    server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == replicas);
}

#[test]
fn se_048_a_webhook_without_a_signature_is_refused_unless_a_switch_lets_it_in() {
    let forge = Forge::shop(AUTOMATED);
    let body = push_of(SHOP);
    let event = ("X-Gitea-Event", "push");
    let ping = [("X-Gitea-Event", "ping")];
    // Neither a secret nor the switch.
    let server = forge.serve(&["apps"], SHOP, &[]);
    for headers in [vec![event], vec![event, ("X-Gitlab-Token", "")], vec![event, ("X-Gitea-Signature", "00")]] {
        let (status, why) = server.ask("POST", "/api/webhook", &headers, &body);
        assert!(status == 401 && why.contains("knows no secret"), "{status} {why}");
    }
    drop(server);
    // A secret: who does not know it is refused, by whichever way.
    let secret = [("LANDFALL_WEBHOOK_SECRET", "known")];
    let server = forge.serve(&["apps"], SHOP, &secret);
    let (good, wrong) = (signed("known", &body), signed("unknown", &body));
    for (headers, expected) in [
        (vec![event], 401),
        (vec![event, ("X-Gitea-Signature", &wrong)], 401),
        (vec![event, ("X-Gitea-Signature", &good[..62])], 401),
        (vec![event, ("X-Gitlab-Token", "")], 401),
        (vec![event, ("X-Gitea-Signature", &good)], 200),
    ] {
        assert_eq!(server.ask("POST", "/api/webhook", &headers, &body).0, expected, "{headers:?}");
    }
    assert_eq!((count(&server, "refused"), count(&server, "push")), (4, 1));
    drop(server);
    // The switch: who does not sign is let in, who signs wrongly is not.
    let server = forge.serve(&["apps", "--unsigned-webhooks"], SHOP, &secret);
    assert_eq!(server.ask("POST", "/api/webhook", &[event], &body).0, 200);
    assert_eq!(server.ask("POST", "/api/webhook", &ping, "{}").0, 200);
    assert_eq!(server.ask("POST", "/api/webhook", &[event, ("X-Gitea-Signature", &wrong)], &body).0, 401);
    assert_eq!(server.ask("POST", "/api/webhook", &[event, ("X-Gitea-Signature", &good)], &body).0, 200);
    assert_eq!((count(&server, "unsigned"), count(&server, "refused"), count(&server, "push")), (1, 1, 1));
    drop(server);
    // The switch alone: a signature is nothing that could be looked at.
    let server = forge.serve(&["apps", "--unsigned-webhooks"], SHOP, &[]);
    assert_eq!(server.ask("POST", "/api/webhook", &[event, ("X-Gitea-Signature", &wrong)], &body).0, 200);
}

#[test]
fn se_047_a_forged_payload_brings_nothing_that_git_does_not_have_and_leads_nowhere() {
    let forge = Forge::shop(AUTOMATED);
    let server = forge.serve(&["apps", "--unsigned-webhooks"], SHOP, &[]);
    let cluster = server.cluster();
    let first = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    listener.set_nonblocking(true).expect("set");
    let here = listener.local_addr().expect("an address");
    let event = [("X-GitHub-Event", "push")];
    let forged = json!({"ref": "refs/heads/elsewhere", "after": "0123456789012345678901234567890123456789",
        "commits": [{"id": "0123456789012345678901234567890123456789"}], "repository": {"clone_url": SHOP}});
    for body in [forged.to_string(), push_of(&format!("http://{here}/shop.git"))] {
        for _ in 0..100 {
            assert_eq!(server.ask("POST", "/api/webhook", &event, &body).0, 200);
        }
    }
    assert_eq!(count(&server, "unsigned"), 200);
    // All of that has been acted on, or waits, when what comes after it is delivered.
    let next = forge.change("chart/values.yaml", "color: blue", "color: red");
    let delivered = server.until(&cluster, &application("shop"), |it| is_synced(it, &next));
    assert_eq!(delivered.list_at("/status/history").len(), 2, "{:#}", delivered.into_value());
    assert_eq!(listener.accept().map(drop).map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock));
}

#[test]
fn se_097_a_push_that_a_killed_server_was_told_of_or_missed_is_delivered_by_the_next_one() {
    let forge = Forge::shop(AUTOMATED);
    let secret = [("LANDFALL_WEBHOOK_SECRET", "known")];
    let mut server = forge.serve(&["apps"], SHOP, &secret);
    let first = forge.push();
    server.until(&server.cluster(), &application("shop"), |it| is_synced(it, &first));
    let headers = [("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", "known")];
    // Taken, and killed at once: whatever it had begun is gone on with.
    let told = forge.change("chart/values.yaml", "color: blue", "color: red");
    assert_eq!(server.ask("POST", "/api/webhook", &headers, &push_of(SHOP)).0, 200);
    server.child.kill().expect("killed");
    server.child.wait().expect("it dies");
    drop(server);
    let mut server = forge.serve(&["apps"], SHOP, &secret);
    let cluster = server.cluster();
    let synced = server.until(&cluster, &application("shop"), |it| is_synced(it, &told));
    assert_eq!(synced.list_at("/status/history").len(), 2, "{:#}", synced.value());
    // Killed first: nobody is told, and the next one finds it.
    server.child.kill().expect("killed");
    server.child.wait().expect("it dies");
    assert!(TcpStream::connect(&server.address).is_err(), "nobody listens");
    drop(server);
    let missed = forge.change("chart/values.yaml", "color: red", "color: green");
    let server = forge.serve(&["apps"], SHOP, &secret);
    let cluster = server.cluster();
    let synced = server.until(&cluster, &application("shop"), |it| is_synced(it, &missed));
    assert_eq!(synced.list_at("/status/history").len(), 3, "{:#}", synced.value());
}
