//! What an edge believes: each attack on signed metadata, refused.

use jiff::Timestamp as Instant;
use landfall_fleet::{
    Consent, Distrust, Platform, PublicKey, Role, Root, Signed, SigningKey, Target, TargetCustom, Targets, Timestamp,
    Trust, Unsigned, Wanted, sha256_hex,
};

const NOW: i64 = 1_780_000_000;
const DAY: i64 = 86_400;

fn key(number: u8) -> SigningKey {
    SigningKey::of_seed([number; 32]).expect("a key")
}

fn at(seconds: i64) -> Instant {
    Instant::from_second(seconds).expect("a time")
}

fn root(version: u64, root: &[&SigningKey], targets: &[&SigningKey], timestamp: &SigningKey) -> Root {
    let public = |keys: &[&SigningKey]| keys.iter().map(|key| key.public()).collect::<Vec<PublicKey>>();
    let roles = [
        (Role::Root, public(root), root.len()),
        (Role::Targets, public(targets), targets.len()),
        (Role::Timestamp, vec![timestamp.public()], 1),
    ];
    Root::new(version, at(NOW + 365 * DAY), &roles)
}

fn signed<T: serde::Serialize>(document: &T, keys: &[&SigningKey]) -> Vec<u8> {
    Signed::by(document, keys).expect("canonical").to_text().into_bytes()
}

fn linux() -> Platform {
    Platform::new("linux", "x86_64", "")
}

fn target(version: &str, counter: u64, platform: Platform, bytes: &[u8]) -> Target {
    let custom = TargetCustom {
        product: "agent".to_owned(),
        version: version.to_owned(),
        counter,
        platform,
        file_name: format!("agent-{version}.tar.gz"),
        deltas: Vec::new(),
    };
    Target::new(&sha256_hex(bytes), bytes.len() as u64, custom)
}

fn targets(version: u64, all: &[Target]) -> Targets {
    let mut targets = Targets::new(version, at(NOW + 180 * DAY));
    targets.targets = all.iter().map(|it| (it.path(), it.clone())).collect();
    targets
}

fn wanted<'a>(version: &'a str, platform: &'a Platform, floor: u64) -> Wanted<'a> {
    Wanted { product: "agent", version, platform, floor }
}

/// Root 1, timestamp 3: two releases.
struct World {
    root: SigningKey,
    targets: SigningKey,
    timestamp: SigningKey,
    trust: Trust,
    published: Vec<u8>,
}

fn world() -> World {
    let (root_key, targets_key, timestamp_key) = (key(1), key(2), key(3));
    let mut trust =
        Trust::begin(&signed(&root(1, &[&root_key], &[&targets_key], &timestamp_key), &[&root_key])).expect("a root");
    let all = [target("1.0.0", 1, linux(), b"one"), target("2.0.0", 2, linux(), b"two")];
    let published = signed(&targets(5, &all), &[&targets_key]);
    let timestamp = signed(&Timestamp::new(3, at(NOW + 3 * DAY), &published, 5), &[&timestamp_key]);
    trust.timestamp(&timestamp, NOW).expect("taken");
    trust.targets(&published, NOW).expect("taken");
    World { root: root_key, targets: targets_key, timestamp: timestamp_key, trust, published }
}

#[test]
fn what_is_signed_for_a_machine_is_found_and_nothing_else() {
    let world = world();
    let found = world.trust.target(wanted("2.0.0", &linux(), 0), NOW).expect("signed");
    assert_eq!((found.sha256(), found.length), (sha256_hex(b"two").as_str(), 3));
    let other = Platform::new("win32", "x64", "");
    assert!(matches!(world.trust.target(wanted("2.0.0", &other, 0), NOW), Err(Distrust::NoArtifact { .. })));
    assert!(matches!(world.trust.target(wanted("9.9.9", &linux(), 0), NOW), Err(Distrust::NoArtifact { .. })));
}

#[test]
fn old_bytes_under_a_new_version_are_not_believed() {
    let mut world = world();
    // Whoever holds the server relabels what was signed as 1.0.0, and cannot sign the targets.
    let forged = targets(6, &[target("9.9.9", 9, linux(), b"one")]);
    let forged = signed(&forged, &[&world.timestamp]);
    let timestamp = signed(&Timestamp::new(4, at(NOW + DAY), &forged, 6), &[&world.timestamp]);
    world.trust.timestamp(&timestamp, NOW).expect("the server may say that there are new targets");
    let refused = world.trust.targets(&forged, NOW);
    assert_eq!(
        refused,
        Err(Distrust::Unsigned { role: Role::Targets, why: Unsigned::Threshold { found: 0, needed: 1 } })
    );
    // A path that says something else than what it leads to leads nowhere.
    let mut mixed = targets(6, &[]);
    mixed.targets.insert("agent/9.9.9/agent.tar.gz".to_owned(), target("1.0.0", 1, linux(), b"one"));
    let mixed = signed(&mixed, &[&world.targets]);
    let timestamp = signed(&Timestamp::new(5, at(NOW + DAY), &mixed, 6), &[&world.timestamp]);
    world.trust.timestamp(&timestamp, NOW).expect("taken");
    world.trust.targets(&mixed, NOW).expect("signed");
    for version in ["9.9.9", "1.0.0"] {
        assert!(matches!(world.trust.target(wanted(version, &linux(), 0), NOW), Err(Distrust::NoArtifact { .. })));
    }
}

#[test]
fn metadata_that_goes_back_is_refused() {
    let mut world = world();
    let older = signed(&Timestamp::new(2, at(NOW + 3 * DAY), &world.published, 5), &[&world.timestamp]);
    assert_eq!(world.trust.timestamp(&older, NOW), Err(Distrust::Older { role: Role::Timestamp, found: 2, known: 3 }));
    let before = signed(&targets(4, &[]), &[&world.targets]);
    let newer = signed(&Timestamp::new(4, at(NOW + 3 * DAY), &before, 4), &[&world.timestamp]);
    assert_eq!(world.trust.timestamp(&newer, NOW), Err(Distrust::Older { role: Role::Targets, found: 4, known: 5 }));
}

#[test]
fn metadata_that_has_run_out_stops_upgrades() {
    let mut world = world();
    let later = NOW + 3 * DAY;
    assert!(matches!(
        world.trust.target(wanted("2.0.0", &linux(), 0), later),
        Err(Distrust::Expired { role: Role::Timestamp, .. })
    ));
    let frozen = signed(&Timestamp::new(4, at(later), &world.published, 5), &[&world.timestamp]);
    assert!(matches!(world.trust.timestamp(&frozen, later), Err(Distrust::Expired { .. })));
    let renewed = signed(&Timestamp::new(4, at(later + DAY), &world.published, 5), &[&world.timestamp]);
    world.trust.timestamp(&renewed, later).expect("taken");
    assert!(world.trust.target(wanted("2.0.0", &linux(), 0), later).is_ok());
    let years = NOW + 400 * DAY;
    assert!(matches!(world.trust.timestamp(&renewed, years), Err(Distrust::Expired { role: Role::Root, .. })));
}

#[test]
fn targets_that_the_timestamp_does_not_name_are_refused() {
    let mut world = world();
    let other = signed(&targets(5, &[target("3.0.0", 3, linux(), b"three")]), &[&world.targets]);
    assert!(matches!(world.trust.targets(&other, NOW), Err(Distrust::NotNamed(_))));
    let mut longer = world.published.clone();
    longer.push(b' ');
    assert_eq!(world.trust.targets(&longer, NOW), Err(Distrust::NotNamed("they have another length")));
    let endless = vec![b' '; (10 << 20) + 1];
    let timestamp = signed(&Timestamp::new(4, at(NOW + DAY), &endless, 6), &[&world.timestamp]);
    world.trust.timestamp(&timestamp, NOW).expect("taken");
    assert!(matches!(world.trust.targets(&endless, NOW), Err(Distrust::TooLong { role: Role::Targets, .. })));
}

#[test]
fn an_older_release_wants_consent_that_was_signed_and_has_not_run_out() {
    let mut world = world();
    let refused = world.trust.target(wanted("1.0.0", &linux(), 2), NOW);
    assert_eq!(refused, Err(Distrust::Downgrade { version: "1.0.0".to_owned(), counter: 1, floor: 2 }));
    let all = [target("1.0.0", 1, linux(), b"one"), target("2.0.0", 2, linux(), b"two")];
    let mut consenting = targets(6, &all);
    let expires = at(NOW + DAY).to_string();
    consenting.downgrades.push(Consent { product: "agent".to_owned(), version: "1.0.0".to_owned(), expires });
    let consenting = signed(&consenting, &[&world.targets]);
    let timestamp = signed(&Timestamp::new(4, at(NOW + 3 * DAY), &consenting, 6), &[&world.timestamp]);
    world.trust.timestamp(&timestamp, NOW).expect("taken");
    world.trust.targets(&consenting, NOW).expect("taken");
    assert!(world.trust.target(wanted("1.0.0", &linux(), 2), NOW).is_ok());
    assert!(matches!(world.trust.target(wanted("1.0.0", &linux(), 2), NOW + DAY), Err(Distrust::Downgrade { .. })));
}

#[test]
fn a_root_follows_one_by_one_and_is_signed_by_old_and_new_keys() {
    let mut world = world();
    let (new_root, new_targets) = (key(11), key(12));
    let next = |version| root(version, &[&new_root], &[&new_targets], &world.timestamp);
    let of_old = signed(&next(2), &[&world.root]);
    let of_new = signed(&next(2), &[&new_root]);
    let skipped = signed(&next(3), &[&world.root, &new_root]);
    for refused in [&of_old, &of_new] {
        assert!(matches!(world.trust.clone().next_root(refused), Err(Distrust::Unsigned { role: Role::Root, .. })));
    }
    assert_eq!(world.trust.clone().next_root(&skipped), Err(Distrust::NotNext { found: 3, known: 1 }));
    world.trust.next_root(&signed(&next(2), &[&world.root, &new_root])).expect("it follows");
    // Targets of a key that is no longer named are not believed any more.
    assert!(matches!(world.trust.target(wanted("2.0.0", &linux(), 0), NOW), Err(Distrust::NoTargets)));
    let refused = world.trust.targets(&world.published, NOW);
    assert!(matches!(refused, Err(Distrust::Unsigned { role: Role::Targets, .. })));
}

#[test]
fn two_keys_are_wanted_where_the_root_says_so() {
    let (root_key, one, two, timestamp) = (key(1), key(2), key(4), key(3));
    let mut trust =
        Trust::begin(&signed(&root(1, &[&root_key], &[&one, &two], &timestamp), &[&root_key])).expect("a root");
    for (keys, found) in [(vec![&one], Some(1)), (vec![&one, &one], Some(1)), (vec![&one, &two], None)] {
        let published = signed(&targets(1, &[]), &keys);
        trust.timestamp(&signed(&Timestamp::new(1, at(NOW + DAY), &published, 1), &[&timestamp]), NOW).expect("taken");
        let taken = trust.targets(&published, NOW).err();
        let expected = found
            .map(|found| Distrust::Unsigned { role: Role::Targets, why: Unsigned::Threshold { found, needed: 2 } });
        assert_eq!(taken, expected);
    }
}

#[test]
fn a_kind_of_metadata_is_not_taken_for_another() {
    let mut world = world();
    // One key for two roles must not make their documents one.
    let shared = key(5);
    let mut trust =
        Trust::begin(&signed(&root(1, &[&world.root], &[&shared], &shared), &[&world.root])).expect("a root");
    let published = signed(&targets(1, &[]), &[&shared]);
    assert!(matches!(trust.timestamp(&published, NOW), Err(Distrust::Unsigned { .. })));
    assert!(world.trust.timestamp(b"not json", NOW).is_err());
    assert!(Trust::begin(&signed(&root(1, &[&key(9)], &[&shared], &shared), &[&shared])).is_err());
}

#[test]
fn a_server_that_counted_ahead_is_left_behind_by_a_root_with_another_timestamp_key() {
    let mut world = world();
    // Whoever took the server signs with its one key, as far ahead as numbers go, and names targets that nobody has.
    let ahead = Timestamp::new(u64::MAX, at(NOW + 3 * DAY), b"nothing", u64::MAX);
    world.trust.timestamp(&signed(&ahead, &[&world.timestamp]), NOW).expect("its key is the server's");
    let good = |key: &SigningKey| signed(&Timestamp::new(4, at(NOW + 3 * DAY), &world.published, 5), &[key]);
    let refused = world.trust.timestamp(&good(&world.timestamp), NOW);
    assert!(matches!(refused, Err(Distrust::Older { role: Role::Timestamp, .. })));
    // It stops upgrades and brings none: what it names cannot be had.
    assert!(world.trust.targets(&world.published, NOW).is_err());
    let other = key(13);
    let next = signed(&root(2, &[&world.root], &[&world.targets], &other), &[&world.root]);
    world.trust.next_root(&next).expect("it follows");
    world.trust.timestamp(&good(&other), NOW).expect("what the lost key signed is forgotten");
    world.trust.targets(&world.published, NOW).expect("named");
    assert!(world.trust.target(wanted("2.0.0", &linux(), 1), NOW).is_ok());
    assert!(world.trust.timestamp(&signed(&ahead, &[&world.timestamp]), NOW).is_err(), "the lost key counts no more");
}

#[test]
fn a_delta_is_signed_with_what_comes_out_of_it_and_one_of_a_later_format_is_passed_over() {
    let root_key = key(1);
    let (targets_key, timestamp_key) = (key(2), key(3));
    let mut artifact = target("1.2.0", 3, linux(), b"new");
    let delta = serde_json::json!({
        "format": "landfall-delta-1", "version": "1.1.0", "base": sha256_hex(b"old"), "sha256": sha256_hex(b"delta"), "length": 5,
        "from": {"sha256": sha256_hex(b"old"), "length": 3}, "to": {"sha256": sha256_hex(b"new"), "length": 3},
        "more": "of a later version",
    });
    let mut later = delta.clone();
    later["format"] = "landfall-delta-2".into();
    let mut swollen = delta.clone();
    swollen["to"]["length"] = u64::MAX.into();
    let mut nameless = delta.clone();
    nameless["from"]["sha256"] = "../../etc/passwd".into();
    artifact.custom.deltas = vec![later, swollen, nameless, "of another shape".into(), delta];
    let believed = |artifact: &Target, change: fn(String) -> String| {
        let mut trust = Trust::begin(&signed(&root(1, &[&root_key], &[&targets_key], &timestamp_key), &[&root_key]))?;
        let published = signed(&targets(1, std::slice::from_ref(artifact)), &[&targets_key]);
        let published = change(String::from_utf8(published).expect("text")).into_bytes();
        trust.timestamp(&signed(&Timestamp::new(1, at(NOW + DAY), &published, 1), &[&timestamp_key]), NOW)?;
        trust.targets(&published, NOW)?;
        trust.target(wanted("1.2.0", &linux(), 0), NOW).cloned()
    };
    let found = believed(&artifact, |text| text).expect("signed");
    let deltas: Vec<_> = found.deltas().collect();
    assert_eq!(deltas.len(), 1, "{deltas:?}");
    assert_eq!((deltas[0].version.as_str(), deltas[0].own.length), ("1.1.0", 5));
    // Another digest of what comes out is another document, which the server cannot sign.
    let forged = believed(&artifact, |text| {
        text.replace("\"length\": 5", "\"length\": 6").replace("\"length\":5", "\"length\":6")
    });
    assert!(matches!(forged, Err(Distrust::Unsigned { .. })), "{forged:?}");
    // Metadata from before there were deltas says nothing of them, and is written as it was.
    let plain = target("1.2.0", 3, linux(), b"new");
    assert!(!serde_json::to_string(&plain).expect("JSON").contains("deltas"));
    assert_eq!(believed(&plain, |text| text).expect("signed").deltas().count(), 0);
}
