//! An issuer that answers on loopback, with keys that change, and tokens that are not quite right.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use landfall_diag::code;
use landfall_engine::WallClock;
use parking_lot::Mutex as Lock;
use serde_json::json;

use super::*;

/// What the issuer answers at which path, and how often it was asked.
#[derive(Default)]
pub(in crate::accounts) struct Answers {
    pub(in crate::accounts) bodies: BTreeMap<String, Value>,
    asked: BTreeMap<String, usize>,
    /// Whether it hangs up on whoever asks.
    pub(in crate::accounts) is_silent: bool,
    /// The body of the last exchange.
    exchange: String,
}

pub(in crate::accounts) struct There {
    pub(in crate::accounts) address: String,
    pub(in crate::accounts) answers: Arc<Lock<Answers>>,
}

/// A server that answers until the test is over.
pub(in crate::accounts) fn there() -> There {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let answers: Arc<Lock<Answers>> = Arc::default();
    let told = Arc::clone(&answers);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = Vec::new();
            let mut part = [0; 4096];
            while let Ok(read) = stream.read(&mut part) {
                request.extend_from_slice(&part[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.to_lowercase();
                let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.and_then(|it| it.trim().parse().ok()).unwrap_or(0);
                if read == 0 || body.len() >= length {
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    let mut told = told.lock();
                    *told.asked.entry(path.clone()).or_default() += 1;
                    if path == "/token" {
                        told.exchange = body.to_owned();
                    }
                    let answer = told.bodies.get(&path).cloned();
                    if told.is_silent {
                        break;
                    }
                    let (status, body) = match answer {
                        Some(body) => ("200 OK", body.to_string()),
                        None => ("404 Not Found", String::new()),
                    };
                    let _gone = write!(
                        stream,
                        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    break;
                }
            }
        }
    });
    let base = address.clone();
    let places = json!({
        "issuer": base, "authorization_endpoint": format!("{base}/auth"), "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/keys"),
    });
    answers.lock().bodies.insert("/.well-known/openid-configuration".to_owned(), places);
    There { address, answers }
}

pub(in crate::accounts) struct Signer {
    pub(in crate::accounts) key: EncodingKey,
    pub(in crate::accounts) jwk: Jwk,
}

pub(in crate::accounts) fn signer(kid: &str) -> Signer {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
    let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key");
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public key");
    jwk.common.key_id = Some(kid.to_owned());
    Signer { key, jwk }
}

impl There {
    pub(in crate::accounts) fn has_keys(&self, signers: &[&Signer]) {
        let keys: Vec<&Jwk> = signers.iter().map(|signer| &signer.jwk).collect();
        self.answers.lock().bodies.insert("/keys".to_owned(), json!({"keys": keys}));
    }

    pub(in crate::accounts) fn asked(&self, path: &str) -> usize {
        self.answers.lock().asked.get(path).copied().unwrap_or_default()
    }

    fn issuer(&self) -> Issuer {
        let _provider = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let options = IssuerOptions {
            issuer: self.address.clone(),
            client: "landfall".to_owned(),
            secret: "hunter2".to_owned(),
            own_address: "http://127.0.0.1:8480/".to_owned(),
        };
        Issuer::new(options, &Network::default(), Arc::new(WallClock)).expect("made")
    }

    fn claims(&self, nonce: &str) -> Value {
        let now = Timestamp::now().as_second();
        json!({
            "iss": self.address, "aud": "landfall", "sub": "u-1", "nonce": nonce, "iat": now, "exp": now + 300,
            "email": "anna@example.com", "email_verified": true, "groups": ["team", "role:admin"],
        })
    }
}

pub(in crate::accounts) fn token(signer: &Signer, kid: &str, claims: &Value) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::ES256) };
    jsonwebtoken::encode(&header, claims, &signer.key).expect("signed")
}

fn parameter(location: &str, name: &str) -> String {
    let (_, query) = location.split_once('?').expect("a query");
    let mut pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    pairs.find(|(key, _)| key == name).unwrap_or_else(|| panic!("no {name} in {location}")).1
}

fn groups() -> Vec<String> {
    vec!["groups".to_owned()]
}

#[tokio::test]
async fn somebody_is_signed_in_by_the_issuer_and_only_by_the_sign_in_that_was_begun() {
    let (there, keys) = (there(), signer("a"));
    there.has_keys(&[&keys]);
    let issuer = there.issuer();
    let begun = issuer.begin().await.expect("begun");
    assert!(begun.location.starts_with(&format!("{}/auth?", there.address)), "{}", begun.location);
    assert_eq!(parameter(&begun.location, "code_challenge_method"), "S256");
    assert_eq!(parameter(&begun.location, "redirect_uri"), "http://127.0.0.1:8480/api/v1/session/issuer/back");
    let (state, nonce) = (parameter(&begun.location, "state"), parameter(&begun.location, "nonce"));
    let id_token = token(&keys, "a", &there.claims(&nonce));
    there.answers.lock().bodies.insert("/token".to_owned(), json!({"id_token": id_token}));
    let back = format!("code=c&state={state}");
    let who = issuer.end(&begun.kept, &back, &groups()).await.expect("signed in");
    assert_eq!((who.name.as_str(), who.issuer.as_str()), ("anna@example.com", there.address.as_str()));
    assert_eq!(who.groups, ["u-1", "team"], "a role is no group");
    let exchange = there.answers.lock().exchange.clone();
    let verifier = form_urlencoded::parse(exchange.as_bytes()).into_owned().find(|(key, _)| key == "code_verifier");
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expect("a verifier").1.as_bytes()));
    assert_eq!(challenge, parameter(&begun.location, "code_challenge"));
    // Another state, two of them, somebody else's beginning, one of another process, none.
    let other = issuer.begin().await.expect("begun");
    let elsewhere = there.issuer();
    for (kept, query, at) in [
        (&begun.kept, "code=c&state=x".to_owned(), &issuer),
        (&begun.kept, format!("{back}&state={state}"), &issuer),
        (&begun.kept, format!("error=access_denied&state={state}"), &issuer),
        (&begun.kept, format!("state={state}"), &issuer),
        (&other.kept, back.clone(), &issuer),
        (&begun.kept, back.clone(), &elsewhere),
        (&String::new(), back.clone(), &issuer),
        (&format!("{}x", begun.kept), back.clone(), &issuer),
    ] {
        let refused = at.end(kept, &query, &groups()).await.expect_err("refused");
        assert_eq!(refused.code, code::ISSUER_FAILED, "{query}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_quite_right_signs_in_nobody() {
    let (there, keys, foreign) = (there(), signer("a"), signer("a"));
    there.has_keys(&[&keys]);
    let issuer = there.issuer();
    let good = there.claims("n");
    assert!(issuer.verified(&token(&keys, "a", &good), "n").await.is_ok());
    let with = |claim: &str, value: Value| {
        let mut claims = good.clone();
        match value {
            Value::Null => drop(claims.as_object_mut().expect("a map").remove(claim)),
            value => claims[claim] = value,
        }
        token(&keys, "a", &claims)
    };
    let now = Timestamp::now().as_second();
    let parts: Vec<String> = token(&keys, "a", &good).split('.').map(str::to_owned).collect();
    let header = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", header(json!({"alg": "none", "typ": "JWT"})), parts[1]);
    // The public key as the secret of a symmetric signature.
    let public = serde_json::to_vec(&keys.jwk).expect("JSON");
    let symmetric = Header { kid: Some("a".to_owned()), ..Header::new(Algorithm::HS256) };
    let confused = jsonwebtoken::encode(&symmetric, &good, &EncodingKey::from_secret(&public)).expect("signed");
    for (what, token) in [
        ("somebody else's signature", token(&foreign, "a", &good)),
        ("no signature", unsigned),
        ("a signature with what everybody knows", confused),
        ("a signature cut off", format!("{}.{}.", parts[0], parts[1])),
        ("another issuer", with("iss", json!("https://evil.example.com"))),
        ("no issuer", with("iss", Value::Null)),
        ("another audience", with("aud", json!("other"))),
        ("no audience", with("aud", Value::Null)),
        ("an audience too many", with("aud", json!(["landfall", "other"]))),
        ("another party", with("azp", json!("other"))),
        ("a past time", with("exp", json!(now - 61))),
        ("no end", with("exp", Value::Null)),
        ("a time to come", with("iat", json!(now + 600))),
        ("not before later", with("nbf", json!(now + 600))),
        ("another nonce", with("nonce", json!("m"))),
        ("no nonce", with("nonce", Value::Null)),
        ("nobody", with("sub", Value::Null)),
        ("no token", String::new()),
    ] {
        let refused = issuer.verified(&token, "n").await;
        assert_eq!(refused.map_err(|it| it.code), Err(code::ISSUER_FAILED), "{what}");
    }
    let claims = |claim: &str, value: Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        issuer.who(&claims, &groups())
    };
    assert!(claims("sub", json!("")).is_err());
    assert!(claims("email", json!("role:admin")).is_err());
    let unverified = claims("email_verified", json!(false)).expect("somebody");
    assert_eq!(unverified.name, "u-1");
}

#[tokio::test]
async fn a_new_key_is_fetched_when_it_is_met_and_one_that_is_gone_counts_no_more() {
    let (there, first, second) = (there(), signer("first"), signer("second"));
    there.has_keys(&[&first]);
    let issuer = there.issuer();
    let claims = there.claims("n");
    for _ in 0..3 {
        assert!(issuer.verified(&token(&first, "first", &claims), "n").await.is_ok());
    }
    assert_eq!((there.asked("/keys"), there.asked("/.well-known/openid-configuration")), (1, 1));
    // Names that nobody has do not make it ask again and again.
    for n in 0..5 {
        assert!(issuer.verified(&token(&second, &format!("made-up-{n}"), &claims), "n").await.is_err());
    }
    assert_eq!(there.asked("/keys"), 1, "not within ten seconds");
    there.has_keys(&[&second]);
    *issuer.keys.last_look().await = Some(Timestamp::UNIX_EPOCH);
    assert!(issuer.verified(&token(&second, "second", &claims), "n").await.is_ok());
    assert_eq!(there.asked("/keys"), 2);
    assert!(issuer.verified(&token(&first, "first", &claims), "n").await.is_err(), "it was taken out");
}

#[tokio::test]
async fn a_sign_in_that_one_replica_has_begun_ends_at_another_one_of_the_same_store_and_at_nobody_elses() {
    let (there, keys) = (there(), signer("a"));
    there.has_keys(&[&keys]);
    let store = landfall_store::Store::open(landfall_store::Location::Memory).await.expect("a store");
    let shared = || async { there.issuer().shared(&store.facts).await.expect("shared") };
    let (one, other) = (shared().await, shared().await);
    let begun = one.begin().await.expect("begun");
    let (state, nonce) = (parameter(&begun.location, "state"), parameter(&begun.location, "nonce"));
    let id_token = token(&keys, "a", &there.claims(&nonce));
    there.answers.lock().bodies.insert("/token".to_owned(), json!({"id_token": id_token}));
    let back = format!("code=c&state={state}");
    assert!(there.issuer().end(&begun.kept, &back, &groups()).await.is_err(), "it has another store");
    let who = other.end(&begun.kept, &back, &groups()).await.expect("signed in");
    assert_eq!(who.name, "anna@example.com");
}

#[tokio::test]
async fn an_issuer_that_is_down_has_refused_nobody() {
    let (there, keys) = (there(), signer("a"));
    there.has_keys(&[&keys]);
    let issuer = there.issuer();
    there.answers.lock().is_silent = true;
    let silent = issuer.begin().await.map(drop).expect_err("it is down");
    assert_eq!((silent.code, silent.message.as_str()), (code::ISSUER_SILENT, "the issuer does not answer"));
    there.answers.lock().is_silent = false;
    let begun = issuer.begin().await.expect("begun");
    there.answers.lock().is_silent = true;
    let back = format!("code=c&state={}", parameter(&begun.location, "state"));
    let silent = issuer.end(&begun.kept, &back, &groups()).await.map(drop).expect_err("it is down");
    assert_eq!(silent.code, code::ISSUER_SILENT);
}

#[tokio::test]
async fn an_issuer_that_calls_itself_otherwise_or_is_not_spoken_to_safely_is_none() {
    let there = there();
    let mut places = there.answers.lock().bodies["/.well-known/openid-configuration"].clone();
    places["issuer"] = json!("https://other.example.com");
    there.answers.lock().bodies.insert("/.well-known/openid-configuration".to_owned(), places.clone());
    assert!(there.issuer().begin().await.is_err());
    places["issuer"] = json!(there.address);
    places["token_endpoint"] = json!("http://192.0.2.1/token");
    there.answers.lock().bodies.insert("/.well-known/openid-configuration".to_owned(), places);
    assert!(there.issuer().begin().await.is_err());
    let options = IssuerOptions {
        issuer: "http://dex.example.com".to_owned(),
        client: "landfall".to_owned(),
        secret: String::new(),
        own_address: "https://landfall.example.com".to_owned(),
    };
    assert!(Issuer::new(options, &Network::default(), Arc::new(WallClock)).is_err());
}
