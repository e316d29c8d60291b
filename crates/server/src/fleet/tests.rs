//! What a day, an end of a token and ten thousand edges are to the server, by a clock that is set and without a second's wait.

use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, header};
use futures::future::BoxFuture;
use http_body_util::BodyExt as _;
use landfall_fleet::protocol::Installed;
use landfall_fleet::{Credential, CredentialKind, Platform};
use landfall_store::{EdgeTokenRow, FleetWrite, Location, Store};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::answers::Answer;
use super::device::{NotEnrolled, Wish};
use super::*;

const START: i64 = 1_780_000_000;
const DAY: i64 = 24 * 3600;

/// A clock that is set by hand.
struct ByHand(Mutex<jiff::Timestamp>);

impl Clock for ByHand {
    fn now(&self) -> jiff::Timestamp {
        *self.0.lock()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

struct World {
    control: Arc<Control>,
    clock: Arc<ByHand>,
    store: Store,
    stop: CancellationToken,
    _directory: tempfile::TempDir,
}

impl World {
    async fn open() -> Self {
        let store = Store::open(Location::Memory).await.expect("opened");
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(ByHand(Mutex::new(jiff::Timestamp::from_second(START).expect("a time"))));
        let stop = CancellationToken::new();
        let stores = (store.fleet.clone(), store.audit.clone());
        let options = FleetOptions { poll_seconds: 15, ..FleetOptions::default() };
        let control = Control::open(stores, clock.clone(), directory.path().join("fleet"), options, stop.clone());
        let control = control.await.expect("opened");
        World { control, clock, store, stop, _directory: directory }
    }

    fn set(&self, seconds: i64) {
        *self.clock.0.lock() = jiff::Timestamp::from_second(seconds).expect("a time");
    }

    /// Mints a token as an operator does, with no more than is asked.
    async fn token(&self, expires_at: Option<i64>) -> String {
        let credential = Credential::of_random(CredentialKind::Enrollment, [1; 4], [2; 24]);
        let row = EdgeTokenRow {
            id: "t1".to_owned(),
            prefix: credential.prefix.clone(),
            digest: credential.digest(&self.control.keys.peppers[0]),
            label: "workshop".to_owned(),
            labels: "[]".to_owned(),
            max_uses: None,
            used_count: 0,
            expires_at,
            created_at: START,
            created_by: "test".to_owned(),
            last_used_at: None,
            revoked_at: None,
        };
        self.control.ledger.write(vec![FleetWrite::Token(row)]).await.expect("written");
        credential.reveal()
    }

    async fn enroll(&self, token: &str, number: usize) -> Result<(String, String), NotEnrolled> {
        let wish = Wish {
            token: token.to_owned(),
            device_number: format!("edge-{number:05}"),
            display_name: format!("Edge {number}"),
            platform: Platform::new("linux", "x64", ""),
            labels: Vec::new(),
            presence: super::book::Presence { boot_id: "enrolled".to_owned(), ..Default::default() },
        };
        self.control.enroll(wish).await
    }

    async fn check_in(&self, credential: &str, sequence: u64) -> (u16, Value) {
        self.report(credential, sequence, Value::Null).await
    }

    async fn report(&self, credential: &str, sequence: u64, progress: Value) -> (u16, Value) {
        let mut body = json!({"bootId": "boot-1", "sequence": sequence, "platform": "linux", "arch": "x64",
            "installed": [{"product": "edge-agent", "version": "1.0.0"}], "state": "IDLE"});
        if progress.is_object() {
            body["progress"] = progress;
        }
        let mut headers = HeaderMap::new();
        let bearer = HeaderValue::from_str(&format!("Bearer {credential}")).expect("a header");
        headers.insert(header::AUTHORIZATION, bearer);
        read(self.control.answer_check_in(&headers, body.to_string().as_bytes()).await).await
    }

    async fn close(self) {
        self.stop.cancel();
        self.control.ledger.close().await;
        self.store.close().await;
    }
}

async fn read(answer: Answer) -> (u16, Value) {
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&bytes).expect("JSON"))
}

#[tokio::test]
async fn lp_084_an_old_credential_is_good_for_a_day_beside_the_one_that_follows_and_no_longer() {
    let world = World::open().await;
    let token = world.token(None).await;
    let Ok((id, old)) = world.enroll(&token, 1).await else { panic!("not enrolled") };
    assert_eq!(world.check_in(&old, 1).await.0, 200);
    // An operator asks for another one; the day begins when the edge is told, however long it was away.
    let edge = world.control.book.find(&id).expect("known");
    edge.now.lock().row.rotate = true;
    world.set(START + 40 * DAY);
    let (status, told) = world.check_in(&old, 2).await;
    let next = told["credential"]["credential"].as_str().expect("told").to_owned();
    assert_eq!((status, &told["credential"]["oldExpiresAt"]), (200, &json!(START + 41 * DAY)));
    world.set(START + 41 * DAY - 1);
    assert_eq!(world.check_in(&old, 3).await.0, 200, "the last second of its day");
    world.set(START + 41 * DAY);
    assert_eq!(world.check_in(&old, 4).await.0, 401, "its day is over");
    // The edge has kept what it was told, and goes on with it.
    assert_eq!(world.check_in(&next, 5).await.0, 200);
    let (_, told) = world.check_in(&next, 6).await;
    assert_eq!(told["credential"], Value::Null, "nothing follows any more");
    world.close().await;
}

#[tokio::test]
async fn lp_078_a_token_enrolls_until_its_last_second_and_not_after() {
    let world = World::open().await;
    let token = world.token(Some(START + 60)).await;
    world.set(START + 59);
    assert!(world.enroll(&token, 1).await.is_ok());
    world.set(START + 60);
    assert!(matches!(world.enroll(&token, 2).await, Err(NotEnrolled::BadToken)));
    world.close().await;
}

/// What ten thousand edges cost that check in every 15 seconds: nothing is written for a check-in that changes nothing, and
/// of each edge one row for all of its check-ins between two flushes, in one transaction.
#[tokio::test]
async fn lp_073_check_ins_of_ten_thousand_edges_write_nothing_but_one_row_each_for_all_of_them() {
    const EDGES: usize = 10_000;
    let world = World::open().await;
    let token = world.token(None).await;
    // One is enrolled as any is; the others are known as they would be read from the store.
    let Ok((id, _)) = world.enroll(&token, 0).await else { panic!("not enrolled") };
    let first = world.control.book.find(&id).expect("known");
    let row = first.now.lock().row.clone();
    let edges: Vec<_> = (1..=EDGES)
        .map(|number| {
            let number_of_row = row.number + i64::try_from(number).expect("small");
            let row = landfall_store::EdgeRow {
                number: number_of_row,
                id: format!("e{number}"),
                device_number: format!("edge-{number:05}"),
                ..row.clone()
            };
            world.control.book.take_over(row, super::book::Presence { seen_at: START, ..Default::default() }, &[]);
            world.control.book.by_number(number_of_row).expect("known")
        })
        .collect();
    let _before = world.control.book.take_heard();
    let before = world.control.ledger.waiting();
    for beat in 1..=4_u64 {
        world.set(START + 15 * i64::try_from(beat).expect("small"));
        for edge in &edges {
            let heard = super::hearing::Heard {
                installed: vec![Installed {
                    product: "edge-agent".to_owned(),
                    version: "1.0.0".to_owned(),
                    install_type: "service".to_owned(),
                }],
                boot: Some(("boot-1".to_owned(), beat)),
                ..Default::default()
            };
            let told = world.control.hear(edge, heard).await.expect("heard");
            assert!(told.desired.is_none() && !told.is_replay);
        }
        assert_eq!(world.control.ledger.waiting(), before, "a check-in that changes nothing was written");
    }
    let rows = world.control.book.take_heard();
    assert_eq!(rows.len(), EDGES, "one row for an edge, however often it was heard");
    let last = START + 60;
    assert!(rows.iter().all(|row| matches!(row, FleetWrite::Presence(row) if row.seen_at == last)));
    world.close().await;
}

/// A disk that is full, a store that is gone: an edge says again what was not written.
#[tokio::test]
async fn what_cannot_be_written_is_not_answered_as_if_it_were() {
    let world = World::open().await;
    let token = world.token(None).await;
    let Ok((_, credential)) = world.enroll(&token, 1).await else { panic!("not enrolled") };
    world.store.close().await;
    let failed = json!({"attempt": "c1.1", "status": "FAILED", "reason": "no space"});
    let (status, told) = world.report(&credential, 1, failed).await;
    assert_eq!((status, &told["error"]["code"]), (503, &json!("unavailable")), "{told}");
    // What changes nothing needs no disk: an edge is heard, and its machine is not taken for a dead one.
    assert_eq!(world.check_in(&credential, 2).await.0, 200);
    // Nobody is enrolled either.
    assert!(matches!(world.enroll(&token, 2).await, Err(NotEnrolled::Unwritten)));
}
