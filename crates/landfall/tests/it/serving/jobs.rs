//! A CI job at the server: its runner gives it a token, the issuer's keys are on loopback, nothing is stored at the forge.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::super::sandbox::{Ran, ran};
use super::{Forge, SHOP, application, rustls_provider, serve};

const POLICY: &str = "p, role:deploy-test, applications, get, default/*, allow
p, role:deploy-test, applications, sync, default/*, allow
";
/// By what the runner knows its job.
const JOB: &str = "canary-of-the-runner";

/// An issuer, and the runner that gives a job what it has signed.
struct Issuer {
    address: String,
    key: EncodingKey,
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time");
    i64::try_from(since.as_secs()).expect("a time")
}

fn signed(key: &EncodingKey, issuer: &str, audience: &str, repository: &str) -> String {
    let now = now();
    let claims = json!({
        "iss": issuer, "aud": audience, "sub": format!("repo:{repository}:ref:refs/heads/main"), "iat": now, "exp": now + 300,
        "repository": repository, "ref": "refs/heads/main", "run_id": "4711",
    });
    let header = Header { kid: Some("a".to_owned()), ..Header::new(Algorithm::ES256) };
    jsonwebtoken::encode(&header, &claims, key).expect("signed")
}

impl Issuer {
    fn new() -> Self {
        let _ring = rustls_provider();
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key");
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public key");
        jwk.common.key_id = Some("a".to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (own, signs) = (address.clone(), key.clone());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (mut request, mut part) = (Vec::new(), [0; 4096]);
                while !request.windows(4).any(|it| it == b"\r\n\r\n") {
                    match stream.read(&mut part) {
                        Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
                        _ => break,
                    }
                }
                let text = String::from_utf8_lossy(&request).into_owned();
                let target = text.split(' ').nth(1).unwrap_or_default();
                let is_job = text.to_lowercase().contains(&format!("authorization: bearer {JOB}"));
                let answer = match target {
                    // As GitHub does it: the address of its keys, and no place where anybody signs in.
                    "/.well-known/openid-configuration" => json!({"issuer": own, "jwks_uri": format!("{own}/keys")}),
                    "/keys" => json!({"keys": [jwk]}),
                    "/runner/shop?v=1&audience=landfall" if is_job => {
                        json!({"value": signed(&signs, &own, "landfall", "acme/shop"), "count": 1})
                    }
                    "/runner/other?v=1&audience=landfall" if is_job => {
                        json!({"value": signed(&signs, &own, "landfall", "acme/other")})
                    }
                    _ => Value::Null,
                };
                let status = if answer.is_null() { "403 Forbidden" } else { "200 OK" };
                let body = answer.to_string();
                let _gone = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Issuer { address, key }
    }

    fn declared(&self) -> String {
        format!(
            "apiVersion: landfall.dev/v1\nkind: CiIdentities\nissuers:\n  - issuer: {}\n    audience: landfall\n    identities:\n      - name: shop-release\n        role: role:deploy-test\n        claims: {{repository: acme/shop, ref: refs/heads/main}}\n",
            self.address
        )
    }
}

#[test]
fn se_045_a_ci_job_syncs_by_its_forges_word_and_with_no_stored_token() {
    let issuer = Issuer::new();
    let forge = Forge::shop("{syncOptions: [CreateNamespace=true]}");
    forge.sandbox.write("policy.csv", POLICY);
    forge.sandbox.write("ci.yaml", &issuer.declared());
    let server = forge.serve(&["apps", "--policy", "policy.csv", "--ci-identities", "ci.yaml"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/sync/status").is_some());
    let url = format!("http://{}", server.address);
    let job = |words: &[&str], variables: &[(&str, &str)]| -> Ran {
        let words = [words, &["--server", &url]].concat();
        let mut command = forge.sandbox.command(&words);
        command.env("LANDFALL_AUDIENCE", "landfall").envs(variables.iter().copied());
        ran(command.output().expect("the binary runs"))
    };
    let runner = |which: &str| format!("{}/runner/{which}?v=1", issuer.address);
    let (shop, other) = (runner("shop"), runner("other"));
    let of = |url: &'static str, token: &'static str| -> [(&'static str, &'static str); 2] {
        [("ACTIONS_ID_TOKEN_REQUEST_URL", url), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token)]
    };
    let (shop, other): (&'static str, &'static str) = (shop.leak(), other.leak());
    // GitHub's way, and Forgejo's: the runner is asked.
    job(&["app", "sync", "shop", "--yes"], &of(shop, JOB)).exits(0);
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/sync/status") == Some("Synced"));
    // GitLab's: the job has it.
    let given = signed(&issuer.key, &issuer.address, "landfall", "acme/shop");
    job(&["app", "list"], &[("LANDFALL_ID_TOKEN", &given)]).exits(0).says("shop");
    // It may what its role may, and no more.
    job(&["app", "delete", "shop", "--yes"], &of(shop, JOB)).exits(5).says("LF0745");
    // Another repository's job, a token for somebody else, one that the runner does not know, none at all.
    job(&["app", "list"], &of(other, JOB)).exits(5).says("LF0752").says("repo:acme/other:ref:refs/heads/main");
    let foreign = signed(&issuer.key, &issuer.address, "https://elsewhere.example.com", "acme/shop");
    job(&["app", "list"], &[("LANDFALL_ID_TOKEN", &foreign)]).exits(5).says("LF0750");
    let unknown = job(&["app", "list"], &of(shop, "guessed")).exits(5).says("gives this CI job no token");
    assert!(!unknown.all().contains("guessed"), "{}", unknown.all());
    job(&["app", "list"], &[]).exits(2).says("wants a token");
    // A token that was given goes before.
    job(&["app", "list"], &[("LANDFALL_TOKEN", "lf_0123456789ab_x"), ("LANDFALL_ID_TOKEN", &given)]).exits(5);

    // Who it was and which run stands in the audit log, and the token can be seen and taken back.
    let (name, token) = server.own_token();
    let (_, log) = server.ask("GET", "/api/v1/audit?limit=500", &[(name, &token)], "");
    let log: Vec<Value> = serde_json::from_str(&log).expect("a list");
    let by = |action: &str| log.iter().find(|it| it["actor"] == "shop-release" && it["action"] == action);
    let entered = by("session.job").expect("it is written down");
    assert_eq!(
        (&entered["outcome"], &entered["detail"]["claims"]["run_id"]),
        (&json!("done"), &json!("4711")),
        "{entered}"
    );
    assert!(by("application.sync").is_some(), "{log:?}");
    let listed = forge.sandbox.run(&["token", "list", "-o", "json"]).exits(0);
    assert!(listed.stdout.contains("shop-release") && listed.stdout.contains("role:deploy-test"), "{}", listed.all());
    let said = std::fs::read_to_string(forge.sandbox.root().join("../serve.log")).expect("read");
    for secret in [JOB, given.as_str(), foreign.as_str()] {
        assert!(!said.contains(secret) && !listed.stdout.contains(secret), "a token is told: {said}");
    }
}

#[test]
fn se_045_what_lets_in_every_branch_of_a_repository_is_not_served() {
    let issuer = Issuer::new();
    let forge = Forge::shop("{}");
    forge.sandbox.write("ci.yaml", &issuer.declared().replace(", ref: refs/heads/main", ""));
    forge
        .sandbox
        .run(&["serve", "apps", "--repo", &format!("{SHOP}={}", forge.bare.display()), "--ci-identities", "ci.yaml"])
        .exits(2)
        .says("LF0753")
        .says("every branch and pull request")
        .says("nothing was changed");
    let server = serve(&forge.sandbox, &["apps", "--repo", &format!("{SHOP}={}", forge.bare.display())], &[]);
    let (status, _) = server.ask("POST", "/api/v1/session/job", &[], "{\"token\": \"x\"}");
    assert_eq!(status, 404, "nobody is let in where nothing is declared");
}
