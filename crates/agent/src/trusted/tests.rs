use std::collections::BTreeMap;
use std::path::Path;

use landfall_fleet::{Platform, Role, Root, Signed, SigningKey, Target, TargetCustom, Targets, Timestamp, Wanted};

use super::*;
use crate::disk::simulated::SimulatedDisk;

const NOW: i64 = BUILT + 30 * 86_400;
const DAY: i64 = 86_400;

/// The fleet's keys, and what they sign.
struct Fleet {
    offline: SigningKey,
    server: SigningKey,
    files: BTreeMap<String, Vec<u8>>,
}

fn key_of(seed: u8) -> SigningKey {
    SigningKey::of_seed([seed; 32]).expect("a key")
}

fn at(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(seconds).expect("a time")
}

fn signed<T: serde::Serialize>(document: &T, keys: &[&SigningKey]) -> Vec<u8> {
    let mut signed = Signed { signatures: Vec::new(), signed: serde_json::to_value(document).expect("JSON") };
    for key in keys {
        signed.sign(key).expect("canonical");
    }
    serde_json::to_vec(&signed).expect("JSON")
}

impl Fleet {
    fn new() -> Self {
        let mut fleet = Self { offline: key_of(1), server: key_of(2), files: BTreeMap::new() };
        let root = fleet.root(1);
        fleet.files.insert("root/1".to_owned(), root);
        fleet.publish(1, 1, NOW, &[("1.0.0", 1)]);
        fleet
    }

    fn root(&self, version: u64) -> Vec<u8> {
        let roles = [
            (Role::Root, vec![self.offline.public()], 1),
            (Role::Targets, vec![self.offline.public()], 1),
            (Role::Timestamp, vec![self.server.public()], 1),
        ];
        signed(&Root::new(version, at(NOW + 365 * DAY), &roles), &[&self.offline])
    }

    fn targets(&self, version: u64, now: i64, releases: &[(&str, u64)]) -> Targets {
        let mut targets = Targets::new(version, at(now + 180 * DAY));
        for (release, counter) in releases {
            let target = Target::new(
                &format!("{counter:064x}"),
                10,
                TargetCustom {
                    product: "kiosk".to_owned(),
                    version: (*release).to_owned(),
                    counter: *counter,
                    platform: Platform::new("linux", "x64", "service"),
                    file_name: "kiosk.tar.gz".to_owned(),
                    deltas: Vec::new(),
                },
            );
            targets.targets.insert(target.path(), target);
        }
        targets
    }

    fn publish(&mut self, timestamp: u64, targets: u64, now: i64, releases: &[(&str, u64)]) {
        let bytes = signed(&self.targets(targets, now, releases), &[&self.offline]);
        self.stamp(timestamp, targets, now, &bytes);
        self.files.insert("targets".to_owned(), bytes);
    }

    fn stamp(&mut self, version: u64, targets_version: u64, now: i64, targets: &[u8]) {
        let timestamp = Timestamp::new(version, at(now + 3 * DAY), targets, targets_version);
        self.files.insert("timestamp".to_owned(), signed(&timestamp, &[&self.server]));
    }
}

struct Served<'a>(&'a Fleet);

impl Shelf for Served<'_> {
    fn file(&mut self, name: &str, _: u64) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.files.get(name).cloned())
    }
}

fn enrolled<'a>(disk: &'a SimulatedDisk, fleet: &Fleet) -> Trusted<'a, SimulatedDisk> {
    disk.make_directory(Path::new("metadata")).expect("memory");
    let mut trusted = Trusted::load(disk, PathBuf::from("metadata")).expect("memory");
    trusted.begin(&fleet.files["root/1"]).expect("it holds by its own keys");
    trusted
}

fn reloaded(disk: &SimulatedDisk) -> Trusted<'_, SimulatedDisk> {
    Trusted::load(disk, PathBuf::from("metadata")).expect("memory")
}

fn find(trusted: &Trusted<'_, SimulatedDisk>, version: &str, floor: u64, clock: i64) -> Result<u64, Distrust> {
    let platform = Platform::new("linux", "x64", "service");
    let wanted = Wanted { product: "kiosk", version, platform: &platform, floor };
    trusted.trust().expect("begun").target(wanted, trusted.time(clock)).map(|target| target.custom.counter)
}

#[test]
fn what_was_believed_is_believed_after_a_restart_and_nothing_older() {
    let disk = SimulatedDisk::new();
    let mut fleet = Fleet::new();
    let old = fleet.files.clone();
    fleet.publish(2, 2, NOW, &[("1.0.0", 1), ("2.0.0", 2)]);
    enrolled(&disk, &fleet).refresh(&mut Served(&fleet), NOW, NOW).expect("signed");
    let mut trusted = reloaded(&disk);
    assert_eq!(find(&trusted, "2.0.0", 1, NOW), Ok(2));
    // Rolled back: the server serves what it served before, rightly signed.
    fleet.files = old;
    let error = trusted.refresh(&mut Served(&fleet), NOW, NOW).expect_err("older");
    assert!(matches!(&error, Untrusted::Distrust(why) if matches!(**why, Distrust::Older { .. })), "{error}");
    assert_eq!(find(&trusted, "2.0.0", 1, NOW), Ok(2));
    // And after its own files have run out, a restart does not make it forget either.
    let mut later = reloaded(&disk);
    assert!(later.refresh(&mut Served(&fleet), NOW + 400 * DAY, NOW + 400 * DAY).is_err());
    assert_eq!(later.versions().targets, 2);
}

#[test]
fn a_server_that_holds_back_what_is_new_is_noticed_when_the_timestamp_runs_out() {
    let disk = SimulatedDisk::new();
    let fleet = Fleet::new();
    let mut trusted = enrolled(&disk, &fleet);
    trusted.refresh(&mut Served(&fleet), NOW, NOW).expect("signed");
    assert_eq!(find(&trusted, "1.0.0", 0, NOW + 2 * DAY), Ok(1));
    assert!(matches!(find(&trusted, "1.0.0", 0, NOW + 4 * DAY), Err(Distrust::Expired { role: Role::Timestamp, .. })));
    let error = trusted.refresh(&mut Served(&fleet), NOW + 4 * DAY, NOW + 4 * DAY).expect_err("frozen");
    assert!(matches!(&error, Untrusted::Distrust(why) if matches!(**why, Distrust::Expired { .. })), "{error}");
}

#[test]
fn a_server_without_the_offline_keys_cannot_sign_a_release() {
    let disk = SimulatedDisk::new();
    let mut fleet = Fleet::new();
    let mut trusted = enrolled(&disk, &fleet);
    // All that the server's own key can do: new targets, stamped by it, signed by it.
    let forged = signed(&fleet.targets(2, NOW, &[("9.9.9", 9)]), &[&fleet.server]);
    fleet.stamp(2, 2, NOW, &forged);
    fleet.files.insert("targets".to_owned(), forged);
    let error = trusted.refresh(&mut Served(&fleet), NOW, NOW).expect_err("forged");
    assert!(
        matches!(&error, Untrusted::Distrust(why) if matches!(**why, Distrust::Unsigned { role: Role::Targets, .. })),
        "{error}"
    );
    assert!(find(&trusted, "9.9.9", 0, NOW).is_err());
    // Nor a root that gives it the role.
    let thief = key_of(9);
    let roles = [Role::Root, Role::Targets, Role::Timestamp].map(|role| (role, vec![thief.public()], 1));
    let root = Root::new(2, at(NOW + DAY), &roles);
    fleet.files.insert("root/2".to_owned(), signed(&root, &[&thief]));
    assert!(trusted.refresh(&mut Served(&fleet), NOW, NOW).is_err());
    assert_eq!(trusted.versions().root, 1);
}

#[test]
fn keys_that_are_replaced_in_order_are_followed() {
    let disk = SimulatedDisk::new();
    let mut fleet = Fleet::new();
    let mut trusted = enrolled(&disk, &fleet);
    trusted.refresh(&mut Served(&fleet), NOW, NOW).expect("signed");
    let old = std::mem::replace(&mut fleet.offline, key_of(3));
    let roles = [
        (Role::Root, vec![fleet.offline.public()], 1),
        (Role::Targets, vec![fleet.offline.public()], 1),
        (Role::Timestamp, vec![fleet.server.public()], 1),
    ];
    let root = Root::new(2, at(NOW + 365 * DAY), &roles);
    fleet.files.insert("root/2".to_owned(), signed(&root, &[&old, &fleet.offline]));
    fleet.publish(2, 2, NOW, &[("2.0.0", 2)]);
    trusted.refresh(&mut Served(&fleet), NOW, NOW).expect("it follows");
    assert_eq!(find(&reloaded(&disk), "2.0.0", 0, NOW), Ok(2));
}

#[test]
fn bytes_of_one_version_are_not_believed_under_another() {
    let disk = SimulatedDisk::new();
    let fleet = Fleet::new();
    let mut trusted = enrolled(&disk, &fleet);
    trusted.refresh(&mut Served(&fleet), NOW, NOW).expect("signed");
    assert!(matches!(find(&trusted, "9.9.9", 0, NOW), Err(Distrust::NoArtifact { .. })));
    let elsewhere = Platform::new("win32", "x64", "service");
    let wanted = Wanted { product: "kiosk", version: "1.0.0", platform: &elsewhere, floor: 0 };
    assert!(trusted.trust().expect("begun").target(wanted, NOW).is_err());
    assert!(matches!(find(&trusted, "1.0.0", 2, NOW), Err(Distrust::Downgrade { .. })));
}

#[test]
fn clock_of_1970_can_upgrade_and_clock_of_2100_is_told() {
    let disk = SimulatedDisk::new();
    let fleet = Fleet::new();
    let mut trusted = enrolled(&disk, &fleet);
    trusted.refresh(&mut Served(&fleet), 0, NOW).expect("the floor is the time of the build");
    assert_eq!(find(&trusted, "1.0.0", 0, 0), Ok(1));
    let far = NOW + 75 * 365 * DAY;
    let error = trusted.refresh(&mut Served(&fleet), far, NOW).expect_err("all has run out by then");
    assert!(matches!(error, Untrusted::Clock { .. }), "{error}");
    assert!(error.to_string().contains("Set the clock"), "{error}");
    // A clock that was wrong once has moved nothing.
    assert_eq!(find(&reloaded(&disk), "1.0.0", 0, NOW), Ok(1));
}

#[test]
fn an_edge_without_a_root_believes_nothing() {
    let disk = SimulatedDisk::new();
    disk.make_directory(Path::new("metadata")).expect("memory");
    let fleet = Fleet::new();
    let mut trusted = Trusted::load(&disk, PathBuf::from("metadata")).expect("memory");
    assert!(matches!(trusted.refresh(&mut Served(&fleet), NOW, NOW), Err(Untrusted::NoRoot)));
}
