//! What a day, an end of a token and ten thousand edges are to the server, by a clock that is set and without a second's wait.

use std::collections::BTreeMap;
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, header};
use futures::future::BoxFuture;
use http_body_util::BodyExt as _;
use landfall_fleet::campaign::{Campaign, CampaignState, MemberState, Observation, PauseReason, Spec};
use landfall_fleet::protocol::Installed;
use landfall_fleet::{Credential, CredentialKind, Platform, Signed, Target, TargetCustom, Targets};
use landfall_store::{ArtifactRow, CampaignRow, EdgeTokenRow, FleetWrite, Location, MemberRow, ReleaseRow, Store};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::answers::Answer;
use super::device::{NotEnrolled, Wish};
use super::releases::Release;
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
    directory: Arc<tempfile::TempDir>,
}

impl World {
    async fn open() -> Self {
        let directory = Arc::new(tempfile::tempdir().expect("a directory"));
        Self::over(Store::open(Location::Memory).await.expect("opened"), directory).await
    }

    /// What begins after a server that was killed: its store, and nothing of its memory.
    async fn after_a_kill(self) -> Self {
        Self::over(self.store.clone(), Arc::clone(&self.directory)).await
    }

    async fn over(store: Store, directory: Arc<tempfile::TempDir>) -> Self {
        let clock = Arc::new(ByHand(Mutex::new(jiff::Timestamp::from_second(START).expect("a time"))));
        let stop = CancellationToken::new();
        let stores = (store.fleet.clone(), store.audit.clone());
        let options = FleetOptions { poll_seconds: 15, ..FleetOptions::default() };
        let control = Control::open(stores, clock.clone(), directory.path().join("fleet"), options, stop.clone());
        let control = control.await.expect("opened");
        World { control, clock, store, stop, directory }
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
    let row = first.now.lock().edge_row();
    let edges: Vec<_> = (1..=EDGES)
        .map(|number| {
            let number_of_row = row.number + i64::try_from(number).expect("small");
            let row = landfall_store::EdgeRow {
                number: number_of_row,
                id: format!("e{number}"),
                device_number: format!("edge-{number:05}"),
                ..row.clone()
            };
            // An agent that has spoken before: a start of it is written when it begins.
            let presence = super::book::Presence { seen_at: START, boot_id: "boot-1".to_owned(), ..Default::default() };
            world.control.book.take_over(row, presence, &[]);
            world.control.book.by_number(number_of_row).expect("known")
        })
        .collect();
    let _before = world.control.book.take_heard(usize::MAX);
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
    let rows = world.control.book.take_heard(usize::MAX);
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

/// Whether a check-in is known to have been said before.
async fn is_said_again(world: &World, id: &str, boot: &str, sequence: u64) -> bool {
    let edge = world.control.book.find(id).expect("known");
    let heard = super::hearing::Heard { boot: Some((boot.to_owned(), sequence)), ..Default::default() };
    world.control.hear(&edge, heard).await.expect("heard").is_replay
}

#[tokio::test]
async fn what_earlier_starts_of_an_agent_said_is_known_after_a_kill_of_the_server() {
    let world = World::open().await;
    let token = world.token(None).await;
    let Ok((id, _)) = world.enroll(&token, 1).await else { panic!("not enrolled") };
    for start in 0..super::starts::STARTS + 2 {
        for sequence in 1..=3 {
            assert!(!is_said_again(&world, &id, &format!("start-{start}"), sequence).await);
        }
    }
    let world = world.after_a_kill().await;
    for start in 1..=super::starts::STARTS {
        assert!(is_said_again(&world, &id, &format!("start-{start}"), 3).await, "start-{start}");
    }
    let suspected = |world: &World| world.control.book.find(&id).expect("known").now.lock().rare().cloned_at;
    assert_eq!(suspected(&world), None);
    // A start that was over before the kill and speaks on after it is another machine.
    assert!(!is_said_again(&world, &id, "start-1", 4).await);
    assert_eq!(suspected(&world), Some(START));
    world.close().await;
}

/// Campaigns as they lie in a store: each with what its one member, or who is not of it, is at.
async fn put_campaigns(world: &World, campaigns: &[(i64, CampaignState, &str)]) {
    let mut writes = Vec::new();
    for (index, (edge, state, member)) in campaigns.iter().enumerate() {
        let number = i64::try_from(index).expect("few") + 1;
        let version = format!("2.0.{number}");
        let spec = Spec::new("edge-agent", &version, "100%").expect("a specification");
        let mut standing = Campaign::new(spec.clone(), vec![*edge]).standing().clone();
        standing.state = *state;
        let row = CampaignRow {
            id: format!("c{number}"),
            number,
            name: format!("campaign-{number}"),
            selector: String::new(),
            spec: serde_json::to_string(&spec).expect("JSON"),
            standing: serde_json::to_string(&standing).expect("JSON"),
            created_at: START,
            created_by: "test".to_owned(),
            undoes: String::new(),
        };
        let member = MemberRow {
            campaign: row.id.clone(),
            edge: *edge,
            place: 0,
            wave: 0,
            state: (*member).to_owned(),
            attempt: 1,
            unanswered: 0,
            since: START - DAY,
            epoch: 0,
            not_before: 0,
            previous_version: Some("1.0.0".to_owned()),
            failure: None,
            reason: None,
        };
        writes.extend([FleetWrite::Campaign(row), FleetWrite::Member(member)]);
    }
    world.store.fleet.write(&writes).await.expect("written");
}

#[tokio::test]
async fn what_a_killed_server_had_not_told_its_campaigns_is_told_them_by_the_next() {
    let world = World::open().await;
    let token = world.token(None).await;
    let mut rows = Vec::new();
    for number in 1..=4 {
        let Ok((id, _)) = world.enroll(&token, number).await else { panic!("not enrolled") };
        rows.push(world.control.book.find(&id).expect("known").now.lock().edge_row());
    }
    let running = |state| move |row: &landfall_store::EdgeRow| (row.number, CampaignState::Running, state);
    let campaigns: Vec<_> = rows.iter().map(running("DOWNLOADING")).collect();
    put_campaigns(&world, &campaigns).await;
    // A release is withdrawn, an edge is disabled, one is revoked and one removed; and the power is gone.
    let withdrawn = ReleaseRow {
        product: "edge-agent".to_owned(),
        version: "2.0.1".to_owned(),
        counter: 1,
        notes: String::new(),
        added_at: START,
        added_by: "test".to_owned(),
        yanked_at: Some(START),
    };
    let mut writes = vec![FleetWrite::Release(withdrawn), FleetWrite::Forget(rows[3].number)];
    writes.push(FleetWrite::Edge(landfall_store::EdgeRow { lifecycle: "DISABLED".to_owned(), ..rows[1].clone() }));
    for row in world.control.book.credentials_of(rows[2].number) {
        writes.push(FleetWrite::Credential(landfall_store::CredentialRow { revoked_at: Some(START), ..row }));
    }
    world.store.fleet.write(&writes).await.expect("written");
    let world = world.after_a_kill().await;
    let stands = |name: &str, row: &landfall_store::EdgeRow| {
        let slot = world.control.campaigns.find(name).expect("there");
        let looked = slot.look(|it| (it.standing().pause_reason, it.member(row.number).expect("a member").state));
        looked.expect("looked at")
    };
    assert_eq!(stands("c1", &rows[0]).0, Some(PauseReason::ReleaseYanked));
    let members = [("c2", &rows[1]), ("c3", &rows[2]), ("c4", &rows[3])].map(|(name, row)| stands(name, row).1);
    assert_eq!(members, [MemberState::Cancelled, MemberState::SkippedOffline, MemberState::Cancelled]);
    world.close().await;
}

#[tokio::test]
async fn of_a_large_campaign_those_are_told_that_have_failed() {
    let world = World::open().await;
    let campaigns = [(600, CampaignState::Running, "TIMED_OUT")];
    put_campaigns(&world, &campaigns).await;
    let contents = world.store.fleet.load().await.expect("read");
    let queued = |number: i64| {
        let state = if number == 555 { "DOWNLOADING" } else { "QUEUED" }.to_owned();
        FleetWrite::Member(MemberRow { edge: number, place: number - 600, state, ..contents.members[0].clone() })
    };
    let members: Vec<_> = (1..600).map(queued).collect();
    world.store.fleet.write(&members).await.expect("written");
    let world = world.after_a_kill().await;
    let slot = world.control.campaigns.find("c1").expect("there");
    let states = |query: &str| {
        let told = world.control.members(&slot, query);
        told.iter().map(|it| it["state"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let told = states("");
    assert_eq!((told.len(), told.iter().filter(|state| *state == "TIMED_OUT").count()), (500, 1));
    assert_eq!(states("limit=1"), ["TIMED_OUT"]);
    world.close().await;
}

#[tokio::test]
async fn a_heartbeat_looks_at_the_campaigns_that_it_may_change_and_at_no_other() {
    let world = World::open().await;
    let token = world.token(None).await;
    let Ok((id, credential)) = world.enroll(&token, 1).await else { panic!("not enrolled") };
    let Ok((other, _)) = world.enroll(&token, 2).await else { panic!("not enrolled") };
    let number = |world: &World, id: &str| world.control.book.find(id).expect("known").number;
    let (mine, others) = (number(&world, &id), number(&world, &other));
    let mut campaigns = Vec::new();
    for _ in 0..100 {
        campaigns.push((mine, CampaignState::Completed, "SUCCEEDED"));
        campaigns.push((others, CampaignState::Running, "QUEUED"));
        campaigns.push((mine, CampaignState::Aborted, "CANCELLED"));
    }
    campaigns.push((mine, CampaignState::Completed, "FAILED"));
    campaigns.push((mine, CampaignState::Running, "RESTARTING"));
    put_campaigns(&world, &campaigns).await;
    let world = world.after_a_kill().await;
    let heard_by = |world: &World| {
        let slots = world.control.campaigns.following.of(mine);
        slots.iter().map(|slot| slot.row.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(heard_by(&world), ["c302"]);
    // It runs what that campaign brought; for ten minutes it may say that it went back.
    let mut body = json!({"bootId": "boot-1", "sequence": 1, "platform": "linux", "arch": "x64",
        "installed": [{"product": "edge-agent", "version": "2.0.302"}], "state": "IDLE"});
    let said = async |world: &World, body: &Value| {
        let mut headers = HeaderMap::new();
        let bearer = HeaderValue::from_str(&format!("Bearer {credential}")).expect("a header");
        headers.insert(header::AUTHORIZATION, bearer);
        read(world.control.answer_check_in(&headers, body.to_string().as_bytes()).await).await.0
    };
    let at = |world: &World, id: &str| {
        let slot = world.control.campaigns.find(id).expect("there");
        slot.look(|it| it.member(mine).expect("a member").state).expect("looked at")
    };
    assert_eq!((said(&world, &body).await, at(&world, "c302")), (200, MemberState::Succeeded));
    world.set(START + 600);
    body["sequence"] = 2.into();
    assert_eq!((said(&world, &body).await, heard_by(&world).len()), (200, 1));
    world.set(START + 601);
    body["sequence"] = 3.into();
    assert_eq!((said(&world, &body).await, heard_by(&world).len()), (200, 0));
    // Who is asked to try again is heard again.
    let failed = world.control.campaigns.find("c301").expect("there");
    world.control.changed(&failed, &[Observation::Retry]).await.expect("asked");
    assert_eq!((heard_by(&world), at(&world, "c301")), (vec!["c301".to_owned()], MemberState::Queued));
    // A report on a campaign that hears it no more is counted as what it is.
    body["sequence"] = 4.into();
    body["progress"] = json!({"attempt": "c1.1", "status": "DOWNLOADING"});
    assert_eq!(said(&world, &body).await, 200);
    assert!(world.control.metrics().contains("landfall_edge_ignored_reports_total 1"));
    assert_eq!((at(&world, "c1"), heard_by(&world).len()), (MemberState::Succeeded, 1));
    world.close().await;
}

#[tokio::test]
async fn a_thousand_edges_that_enroll_at_once_are_each_enrolled_once() {
    const EDGES: usize = 1000;
    let world = World::open().await;
    let token = world.token(None).await;
    let told = futures::future::join_all((0..EDGES).map(|number| world.enroll(&token, number % (EDGES / 2)))).await;
    let done = told.iter().filter(|it| it.is_ok()).count();
    let taken = told.iter().filter(|it| matches!(it, Err(NotEnrolled::Taken))).count();
    assert_eq!((done, taken), (EDGES / 2, EDGES / 2));
    let contents = world.store.fleet.load().await.expect("read");
    let known = world.store.fleet.edges(0, 1000).await.expect("read");
    assert_eq!((known.edges.len(), contents.tokens[0].used_count), (EDGES / 2, 500));
    world.close().await;
}

/// A release of one artifact with a delta to it, as it lies in the store; its files came at a time.
fn release_with_a_delta(world: &World, version: i64, at: i64) -> (Release, (String, Target)) {
    let of = |what: &str| landfall_fleet::sha256_hex(format!("{what} {version}").as_bytes());
    let (product, text) = ("edge-agent".to_owned(), format!("1.{version}.0"));
    for digest in [of("artifact"), of("delta")] {
        put_file(world, &digest, at);
    }
    let artifact = ArtifactRow {
        product: product.clone(),
        version: text.clone(),
        platform: "linux".to_owned(),
        arch: "x64".to_owned(),
        install_type: "service".to_owned(),
        file_name: "agent".to_owned(),
        sha256: of("artifact"),
        size: 3,
        legacy_signature: None,
        legacy_key: None,
    };
    let row = ReleaseRow {
        product: product.clone(),
        version: text.clone(),
        counter: version,
        notes: String::new(),
        added_at: START,
        added_by: "test".to_owned(),
        yanked_at: None,
    };
    let custom = TargetCustom {
        product: product.clone(),
        version: text.clone(),
        counter: version.unsigned_abs(),
        platform: Platform::new("linux", "x64", "service"),
        file_name: "agent".to_owned(),
        deltas: vec![json!({"format": "of a later version", "sha256": of("delta")})],
    };
    let target = (format!("{product}/{text}/agent"), Target::new(&of("artifact"), 3, custom));
    (Release { row, artifacts: vec![artifact] }, target)
}

fn put_file(world: &World, name: &str, at: i64) {
    let path = world.control.artifact_path(name);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    std::fs::write(&path, "abc").expect("written");
    let at = std::time::UNIX_EPOCH + Duration::from_secs(at.unsigned_abs());
    std::fs::File::options().write(true).open(path).expect("opened").set_modified(at).expect("changed");
}

#[tokio::test]
async fn deltas_to_old_and_withdrawn_releases_go_from_the_disk_and_artifacts_stay() {
    let world = World::open().await;
    let newest = i64::try_from(super::collecting::LED_TO).expect("few") + 4;
    // A campaign brings the first one, another one has brought the second.
    let world = {
        put_campaigns(&world, &[(1, CampaignState::Paused, "QUEUED"), (1, CampaignState::Completed, "SUCCEEDED")])
            .await;
        world.after_a_kill().await
    };
    let mut targets = Targets::new(1, jiff::Timestamp::from_second(START).expect("a time"));
    let mut releases = BTreeMap::new();
    for version in 1..=newest {
        let (mut release, (path, mut target)) = release_with_a_delta(&world, version, START);
        if version <= 2 {
            release.row.version = format!("2.0.{version}");
            target.custom.version.clone_from(&release.row.version);
        }
        release.row.yanked_at = (version == newest).then_some(START);
        targets.targets.insert(path, target);
        releases.insert(("edge-agent".to_owned(), release.row.version.clone()), release);
    }
    let strange = ["aa".repeat(32), "0123456789abcdef.part".to_owned(), "a note".to_owned()];
    strange.iter().for_each(|name| put_file(&world, name, START));
    put_file(&world, &"bb".repeat(32), START + 1);
    // What has run out is kept as if it had not.
    let text = Signed::by(&targets, &[]).expect("a document").to_text();
    world.control.releases.publish_for_test(releases, text);
    let is_there = |what: &str, version: i64| {
        world.control.artifact_path(&landfall_fleet::sha256_hex(format!("{what} {version}").as_bytes())).exists()
    };
    let fresh = super::collecting::FRESH;
    world.set(START + fresh);
    assert_eq!(world.control.collect().await, 0, "what came within a day stays");
    let on_disk = || -> u64 {
        let directory = world.control.artifact_path("a note");
        let entries = std::fs::read_dir(directory.parent().expect("a directory")).expect("listed");
        entries.map(|entry| entry.and_then(|entry| entry.metadata()).map_or(0, |meta| meta.len())).sum()
    };
    let before = on_disk();
    world.set(START + fresh + 1);
    // Deltas to 2 and 3 and the one that is withdrawn; 1 has a campaign. And what nobody knows. Some of it may go in the turn that the
    // server takes by itself.
    assert!(world.control.collect().await <= 3 * 5);
    assert_eq!(before - on_disk(), 3 * 5);
    let left: Vec<i64> = (1..=newest).filter(|version| is_there("delta", *version)).collect();
    assert_eq!(left, [vec![1], (4..newest).collect()].concat());
    assert!((1..=newest).all(|version| is_there("artifact", version)), "what is registered stays");
    let there = |name: &str| world.control.artifact_path(name).exists();
    assert_eq!(strange.map(|name| there(&name)), [false, false, true]);
    assert!(there(&"bb".repeat(32)), "it may be of a release that is just being registered");
    world.close().await;
}
