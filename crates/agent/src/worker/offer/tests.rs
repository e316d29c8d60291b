use landfall_fleet::legacy::Release;
use landfall_fleet::{SigningKey, UpgradeStatus, legacy_signature};

use super::*;
use crate::settings::{Payload, Protocol};

fn key_of(seed: u8) -> SigningKey {
    SigningKey::of_seed([seed; 32]).expect("a key")
}

fn settings(key: &SigningKey) -> Settings {
    Settings {
        server: "https://gateway.example".to_owned(),
        protocol: Protocol::Gateway,
        edge_id: "c1".to_owned(),
        device_number: "edge-1".to_owned(),
        ca: None,
        plain_http: false,
        labels: Vec::new(),
        payload: Some(Payload {
            product: "kiosk".to_owned(),
            install_type: "service".to_owned(),
            program: "bin/kiosk".to_owned(),
            arguments: Vec::new(),
            health_command: Vec::new(),
            health_url: None,
            settle_seconds: 1,
        }),
        gateway_key: Some(key.public().to_pem()),
        confirm_seconds: 40,
        poll_seconds: 15,
    }
}

fn intent(key: &SigningKey, change: impl FnOnce(&mut Release)) -> Intent {
    let checksum = landfall_fleet::sha256_hex(b"bytes");
    let mut release = Release {
        version: "1.2.0".to_owned(),
        platform: platform().to_owned(),
        arch: arch().to_owned(),
        install_type: "service".to_owned(),
        url: "https://files.example/kiosk-1.2.0.tar.gz?e=1&s=2".to_owned(),
        signature: legacy_signature(key, &checksum),
        checksum,
        signature_algorithm: "ed25519".to_owned(),
        signing_key_id: None,
        size_bytes: Some(5),
    };
    change(&mut release);
    Intent {
        target_version: Some("1.2.0".to_owned()),
        release: Some(release),
        upgrade_status: UpgradeStatus::UpgradePending,
        upgrade_message: None,
    }
}

#[test]
fn a_gateways_release_is_taken_when_its_checksum_is_signed() {
    let key = key_of(7);
    let offer = of_gateway(&intent(&key, |_| {}), &settings(&key), Wish::Payload, Some("1.1.0")).expect("newer");
    let target = offer.target.expect("signed");
    assert_eq!((target.version.as_str(), target.packing, target.size), ("1.2.0", Packing::Archive, 5));
}

#[test]
fn a_gateways_release_is_refused_for_each_thing_that_is_wrong() {
    let key = key_of(7);
    type Change = fn(&mut Release);
    let changes: [(&str, Change); 8] = [
        ("another key's", |release| {
            release.signature = legacy_signature(&key_of(8), &release.checksum);
        }),
        ("another checksum", |release| release.checksum = landfall_fleet::sha256_hex(b"other")),
        ("no checksum", |release| release.checksum = "../../x".to_owned()),
        ("another algorithm", |release| release.signature_algorithm = "none".to_owned()),
        ("another machine", |release| release.platform = "darwin".to_owned()),
        ("old bytes under a new name", |release| release.version = "1.0.0".to_owned()),
        ("a zip", |release| release.url = "https://files.example/kiosk.zip".to_owned()),
        ("no size", |release| release.size_bytes = None),
    ];
    for (what, change) in changes {
        let offer = of_gateway(&intent(&key, change), &settings(&key), Wish::Payload, Some("1.1.0")).expect("newer");
        assert!(matches!(offer.target, Err(Refusal::Never(_))), "{what}: {:?}", offer.target);
    }
}

#[test]
fn a_candidate_is_followed_by_its_release_and_nothing_goes_down() {
    let key = key_of(7);
    let offered = |current| of_gateway(&intent(&key, |_| {}), &settings(&key), Wish::Payload, Some(current)).is_some();
    assert!(offered("1.2.0-rc.1"), "the existing agent never installs it");
    assert!(!offered("1.2.0") && !offered("1.10.0"));
}
