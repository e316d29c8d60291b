//! CI jobs of a forge whose issuer answers on loopback: who is let in, and who is not.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use landfall_store::{Location, Store};
use parking_lot::Mutex;
use serde_json::json;

use super::*;
use crate::accounts::issuer::tests::{Signer, There, signer, there, token};
use crate::accounts::{Accounts, Roles};
use crate::gate::{Gate, Token};

const SERVER: &str = "https://landfall.example.com";

/// A clock that is set by hand.
struct ByHand(Mutex<Timestamp>);

impl Clock for ByHand {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }

    fn sleep(&self, _: Duration) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl ByHand {
    fn passes(&self, seconds: i64) {
        let mut now = self.0.lock();
        *now = now.checked_add(jiff::SignedDuration::from_secs(seconds)).expect("a time");
    }
}

fn declared(address: &str) -> String {
    format!(
        "apiVersion: landfall.dev/v1\nkind: CiIdentities\nissuers:\n- issuer: {address}\n  audience: {SERVER}\n  identities:\n  - name: shop-release\n    role: role:deploy-test\n    projects: [test]\n    claims:\n      repository: acme/shop\n      ref: [refs/heads/main, refs/heads/release-*]\n      job_workflow_ref: acme/shop/.github/workflows/release.yaml@refs/heads/main\n  - name: docs\n    role: role:docs\n    lasts: 5m\n    claims: {{repository_id: '42', ref_protected: 'true'}}\n"
    )
}

struct Place {
    there: There,
    keys: Signer,
    clock: Arc<ByHand>,
    jobs: Jobs,
}

fn place() -> Place {
    let _provider = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (there, keys) = (there(), signer("a"));
    there.has_keys(&[&keys]);
    let clock = Arc::new(ByHand(Mutex::new("2026-03-01T12:00:00Z".parse().expect("a time"))));
    let of_jobs = Arc::clone(&clock) as Arc<dyn Clock>;
    let jobs = Jobs::parse(&declared(&there.address), &Network::default(), &of_jobs).expect("declared");
    Place { there, keys, clock, jobs }
}

impl Place {
    /// What GitHub says of a job of the release's workflow.
    fn claims(&self) -> Value {
        let now = self.clock.now().as_second();
        json!({
            "iss": self.there.address, "aud": SERVER, "sub": "repo:acme/shop:ref:refs/heads/main", "jti": "1",
            "iat": now, "nbf": now - 5, "exp": now + 300, "repository": "acme/shop", "repository_id": "7",
            "ref": "refs/heads/main", "ref_protected": "true", "sha": "1a2b3c", "run_id": "99",
            "job_workflow_ref": "acme/shop/.github/workflows/release.yaml@refs/heads/main",
        })
    }

    fn with(&self, changed: &[(&str, Value)]) -> String {
        let mut claims = self.claims();
        for (claim, value) in changed {
            match value {
                Value::Null => drop(claims.as_object_mut().expect("a map").remove(*claim)),
                value => claims[*claim] = value.clone(),
            }
        }
        token(&self.keys, "a", &claims)
    }

    async fn refusal(&self, token: &str) -> landfall_diag::Code {
        self.jobs.job(token, None).await.expect_err("refused").code
    }
}

#[tokio::test]
async fn se_045_a_job_becomes_what_is_declared_for_its_repository_branch_and_workflow() {
    let place = place();
    let job = place.jobs.job(&place.with(&[]), None).await.expect("let in");
    assert_eq!((job.identity.name.as_str(), job.identity.role.as_str()), ("shop-release", "role:deploy-test"));
    assert_eq!(job.identity.projects, ["test"]);
    assert_eq!(
        (&job.told["run_id"], &job.told["sha"], &job.told["aud"]),
        (&json!("99"), &json!("1a2b3c"), &Value::Null)
    );
    let branch = place.with(&[("ref", json!("refs/heads/release-2"))]);
    assert!(place.jobs.job(&branch, None).await.is_ok());
    // A number and a truth are claims as good as texts.
    let docs =
        place.with(&[("repository", json!("acme/docs")), ("repository_id", json!(42)), ("ref_protected", json!(true))]);
    assert_eq!(place.jobs.job(&docs, None).await.expect("let in").identity.name, "docs");
    // One that can be both has to say which.
    let both = place.with(&[("repository_id", json!("42"))]);
    assert_eq!(place.refusal(&both).await, code::NO_CI_IDENTITY);
    assert_eq!(place.jobs.job(&both, Some("docs")).await.expect("let in").identity.name, "docs");
    let other = place.jobs.job(&place.with(&[]), Some("docs")).await.expect_err("refused");
    assert_eq!(other.code, code::NO_CI_IDENTITY, "it cannot be what it is not");
}

#[tokio::test]
async fn se_045_other_repositories_branches_and_workflows_are_nobody() {
    let place = place();
    for (what, changed) in [
        ("another repository", vec![("repository", json!("acme/other"))]),
        ("one whose name goes on", vec![("repository", json!("acme/shop-2"))]),
        ("one of somebody else", vec![("repository", json!("evil/acme/shop"))]),
        ("several repositories", vec![("repository", json!(["acme/shop", "evil/shop"]))]),
        ("no repository", vec![("repository", Value::Null)]),
        ("a pull request", vec![("ref", json!("refs/pull/1/merge"))]),
        ("a tag of the branch's name", vec![("ref", json!("refs/tags/main"))]),
        ("a branch below", vec![("ref", json!("refs/heads/release-2/evil"))]),
        ("a branch with all of it in its name", vec![("ref", json!("refs/heads/x/refs/heads/main"))]),
        ("another workflow", vec![("job_workflow_ref", json!("acme/shop/.github/workflows/x.yaml@refs/heads/main"))]),
        (
            "the workflow of a branch",
            vec![("job_workflow_ref", json!("acme/shop/.github/workflows/release.yaml@refs/heads/x"))],
        ),
        ("case", vec![("repository", json!("Acme/shop"))]),
    ] {
        assert_eq!(place.refusal(&place.with(&changed)).await, code::NO_CI_IDENTITY, "{what}");
    }
}

#[tokio::test]
async fn se_045_a_token_that_is_not_quite_right_lets_nobody_in() {
    let place = place();
    let now = place.clock.now().as_second();
    let good = place.claims();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = |alg: &str| format!("{}.{}.", part(&json!({"alg": alg, "typ": "JWT", "kid": "a"})), part(&good));
    // The issuer's public key, which everybody has, as the secret of a symmetric signature: in each shape that it comes in.
    let confused = |secret: &[u8]| {
        let header = Header { kid: Some("a".to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &good, &EncodingKey::from_secret(secret)).expect("signed")
    };
    let public = serde_json::to_vec(&place.keys.jwk).expect("JSON");
    let x = serde_json::to_value(&place.keys.jwk).expect("JSON")["x"].as_str().expect("a half").to_owned();
    let whole = place.with(&[]);
    let (signed, signature) = whole.rsplit_once('.').expect("a signature");
    let (head, _) = signed.split_once('.').expect("a head");
    let mut evil = good.clone();
    evil["repository"] = json!("acme/other");
    // A key that the token brings along is the token's, and none of the issuer's.
    let own = signer("a");
    let brought = Header { kid: Some("a".to_owned()), jwk: Some(own.jwk.clone()), ..Header::new(Algorithm::ES256) };
    let brought = jsonwebtoken::encode(&brought, &good, &own.key).expect("signed");
    for (what, token) in [
        ("another audience", place.with(&[("aud", json!("https://other.example.com"))])),
        ("the audience that GitHub takes by itself", place.with(&[("aud", json!("https://github.com/acme"))])),
        ("no audience", place.with(&[("aud", Value::Null)])),
        ("an issuer that is not declared", place.with(&[("iss", json!("https://evil.example.com"))])),
        ("no issuer", place.with(&[("iss", Value::Null)])),
        ("a past time", place.with(&[("exp", json!(now - 61))])),
        ("no end", place.with(&[("exp", Value::Null)])),
        ("an end that is none", place.with(&[("exp", json!("never"))])),
        (
            "the end of all time",
            format!("{}.{}.{signature}", head, part(&json!({"iss": place.there.address, "exp": i64::MAX}))),
        ),
        ("a time to come", place.with(&[("nbf", json!(now + 600))])),
        ("nobody", place.with(&[("sub", Value::Null)])),
        ("no signature", unsigned("none")),
        ("no signature, in other letters", unsigned("nOnE")),
        ("no signature under a name that takes one", unsigned("ES256")),
        ("a signature with the key's document", confused(&public)),
        ("a signature with half of the key", confused(x.as_bytes())),
        ("somebody else's signature", token(&signer("a"), "a", &good)),
        ("a key of its own", brought),
        ("other claims under a signature", format!("{head}.{}.{signature}", part(&evil))),
        ("a key that is not there", token(&place.keys, "b", &good)),
        ("two parts", signed.to_owned()),
        ("nothing", String::new()),
        ("what is none", "lf_0123456789ab_c2VjcmV0".to_owned()),
    ] {
        assert_eq!(place.refusal(&token).await, code::ISSUER_FAILED, "{what}");
    }
    assert!(place.jobs.job(&whole, None).await.is_ok(), "the right one is let in all the same");
}

#[tokio::test]
async fn se_045_a_key_for_something_else_signs_nothing() {
    let place = place();
    let mut keys = json!({"keys": [place.keys.jwk]});
    for (field, value) in [("use", json!("enc")), ("alg", json!("ES384"))] {
        let mut other = keys["keys"][0].clone();
        other[field] = value;
        other["kid"] = json!(field);
        keys["keys"].as_array_mut().expect("a list").push(other);
    }
    place.there.answers.lock().bodies.insert("/keys".to_owned(), keys);
    for kid in ["use", "alg"] {
        let token = token(&place.keys, kid, &place.claims());
        assert_eq!(place.refusal(&token).await, code::ISSUER_FAILED, "{kid}");
    }
    assert!(place.jobs.job(&place.with(&[]), None).await.is_ok());
}

#[tokio::test]
async fn se_045_keys_change_and_a_key_that_was_taken_back_is_soon_none() {
    let place = place();
    assert!(place.jobs.job(&place.with(&[]), None).await.is_ok());
    let next = signer("b");
    place.there.has_keys(&[&place.keys, &next]);
    place.clock.passes(11);
    assert!(
        place.jobs.job(&token(&next, "b", &place.claims()), None).await.is_ok(),
        "a new one is fetched when it is met"
    );
    assert_eq!(place.there.asked("/keys"), 2);
    // Both are known; the first one is taken back, and nobody meets a name that is not known.
    place.there.has_keys(&[&next]);
    place.clock.passes(5 * 60);
    assert_eq!(place.refusal(&place.with(&[])).await, code::ISSUER_FAILED, "it was taken back");
    assert!(place.jobs.job(&token(&next, "b", &place.claims()), None).await.is_ok());
}

#[tokio::test]
async fn se_045_an_issuer_that_is_down_lets_nobody_in_and_everybody_again_when_it_is_back() {
    let place = place();
    place.there.answers.lock().is_silent = true;
    let refused = place.jobs.job(&place.with(&[]), None).await.expect_err("refused");
    assert!(refused.message.contains("does not answer"), "{refused:?}");
    place.there.answers.lock().is_silent = false;
    assert!(place.jobs.job(&place.with(&[]), None).await.is_ok(), "it was asked anew");
    // Keys that were read last for as long as they may, and no longer.
    place.there.answers.lock().is_silent = true;
    place.clock.passes(4 * 60);
    assert!(place.jobs.job(&place.with(&[]), None).await.is_ok());
    place.clock.passes(2 * 60);
    assert_eq!(place.refusal(&place.with(&[])).await, code::ISSUER_SILENT);
    place.there.answers.lock().is_silent = false;
    place.clock.passes(10);
    assert!(place.jobs.job(&place.with(&[]), None).await.is_ok());
}

#[tokio::test]
async fn se_045_what_a_job_becomes_ends_and_its_token_makes_no_other_one_after_its_own_end() {
    let place = place();
    let store = Store::open(Location::Memory).await.expect("opened");
    let clock = Arc::clone(&place.clock) as Arc<dyn Clock>;
    let accounts = Arc::new(Accounts::new(store.accounts.clone(), Arc::clone(&clock)));
    let roles =
        Arc::new(Roles::new(Some("p, role:deploy-test, applications, sync, */*, allow".to_owned())).expect("a policy"));
    let local = Token::random().expect("random");
    let gate = Gate::new(store.tokens.clone(), clock, (accounts, roles), (&local, "local"));
    let given = place.with(&[]);
    let job = place.jobs.job(&given, None).await.expect("let in");
    let (token, row) = gate.token_for(&job).expect("made");
    gate.issue(&row).await.expect("issued");
    let mut headers = ::http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", token.revealed()).parse().expect("a header"));
    let post = ::http::Method::POST;
    let actor = gate.known(&post, &headers).await.map_err(|refused| refused.status).expect("known");
    let sync = crate::actor::Permission::SYNC;
    assert_eq!(actor.name, "shop-release");
    assert!(actor.may(sync, ("test", "argocd", "shop")));
    assert!(!actor.may(sync, ("production", "argocd", "shop")), "the role may, the identity is for test alone");
    place.clock.passes(14 * 60);
    assert!(gate.known(&post, &headers).await.is_ok());
    place.clock.passes(60);
    assert!(gate.known(&post, &headers).await.is_err(), "it has ended");
    assert_eq!(place.refusal(&given).await, code::ISSUER_FAILED, "and is not made anew by what is past its time");
    // What has ended long ago is not listed for ever; what somebody issued by hand is.
    place.clock.passes(25 * 3600);
    let job = place.jobs.job(&place.with(&[]), None).await.expect("let in");
    let (_, row) = gate.token_for(&job).expect("made");
    gate.issue(&row).await.expect("issued");
    assert_eq!(store.tokens.all().await.expect("read"), [row]);
}

#[tokio::test]
async fn se_045_a_jobs_token_is_exchanged_as_often_as_is_declared_also_across_a_restart_and_by_many_at_once() {
    let place = place();
    let directory = tempfile::tempdir().expect("a directory");
    let file = || Location::File(directory.path().join("store.db"));
    let store = Store::open(file()).await.expect("opened");
    let now = || place.clock.now();
    let jobs = &place.jobs;
    let job = |token: String| async move { jobs.job(&token, None).await.expect("let in") };
    let first = place.with(&[]);
    let at_once = [job(first.clone()).await, job(first.clone()).await, job(first.clone()).await];
    let tried = futures::future::join_all(at_once.iter().map(|job| job.exchange(&store.facts, now()))).await;
    assert_eq!(tried.iter().filter(|it| it.is_ok()).count(), 1, "{tried:?}");
    assert!(tried.iter().flat_map(|it| it.as_ref().err()).all(|it| it.code == code::ISSUER_FAILED));
    drop(store);
    let store = Store::open(file()).await.expect("opened again");
    assert!(job(first.clone()).await.exchange(&store.facts, now()).await.is_err(), "a restart forgets it");
    // Another number is another token; one without a number is good until its end.
    assert!(job(place.with(&[("jti", json!("2"))])).await.exchange(&store.facts, now()).await.is_ok());
    for _ in 0..2 {
        assert!(job(place.with(&[("jti", Value::Null)])).await.exchange(&store.facts, now()).await.is_ok());
    }
    // As often as its identity says.
    let mut several = job(place.with(&[("jti", json!("3"))])).await;
    several.identity.exchanges = 2;
    for fine in [true, true, false] {
        assert_eq!(several.exchange(&store.facts, now()).await.is_ok(), fine);
    }
    // What would be refused by its time is not kept.
    place.clock.passes(6 * 60 + 1);
    assert!(job(place.with(&[("jti", json!("4"))])).await.exchange(&store.facts, now()).await.is_ok());
    assert_eq!(store.facts.of(EXCHANGED).await.expect("read").len(), 1);
}

#[test]
fn se_045_what_would_let_in_whom_nobody_means_is_not_declared() {
    let _provider = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let clock: Arc<dyn Clock> = Arc::new(landfall_engine::WallClock);
    let good = declared("https://token.actions.githubusercontent.com");
    let read = |text: &str| Jobs::parse(text, &Network::default(), &clock).map(drop).map_err(|it| it.notes.join("\n"));
    assert_eq!(read(&good), Ok(()));
    for (from, to, why) in [
        ("      repository: acme/shop\n", "", "no repository is named"),
        ("repository: acme/shop", "repository: acme/*", "no repository is named"),
        ("repository_id: '42', ref_protected: 'true'", "repository_id: '42'", "every branch and pull request"),
        ("repository_id: '42', ref_protected: 'true'", "project_path: acme/docs, ref: main", "every branch"),
        ("refs/heads/main, refs", "'*', refs", "say anything"),
        ("[refs/heads/main, refs/heads/release-*]", "[]", "say anything"),
        ("repository: acme/shop", "repository: acme/shop\n      iss: https://github.com", "looked at in any case"),
        ("role: role:docs", "role: docs", "is no role"),
        ("lasts: 5m", "lasts: 2h", "at most 1h"),
        ("lasts: 5m", "lasts: 0s", "more than nothing"),
        ("lasts: 5m", "exchanges: 0", "a number from 1"),
        ("lasts: 5m", "exchanges: 51", "a number from 1"),
        ("name: docs", "name: shop-release", "declared twice"),
        ("name: docs", "name: 'a b'", "a name has"),
        ("projects: [test]", "scopes: [admin]", "there is no scope"),
        ("projects: [test]", "project: [test]", "unknown field"),
        ("audience: https://landfall.example.com", "audience: ''", "meant for somebody"),
        ("https://token", "http://token", "everybody on the way"),
        ("kind: CiIdentities", "kind: Identities", "it begins with"),
    ] {
        assert!(good.contains(from), "{from}");
        let told = read(&good.replacen(from, to, 1)).expect_err(to);
        assert!(told.contains(why), "{to}: {told}");
    }
    let tagged = good
        .replace("repository_id: '42', ref_protected: 'true'", "project_path: acme/docs, ref: main, ref_type: branch");
    assert_eq!(read(&tagged), Ok(()), "GitLab's branch by its name, when it is said to be one");
}
