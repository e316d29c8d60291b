//! Keys that change: roots that follow one another, thresholds, and who believes what then.

use landfall_fleet::protocol::MetadataVersions;
use landfall_fleet::{PublicKey, Role, Root, Signed, SigningKey, Trust};

use super::*;

impl Fleet {
    fn metadata(&self, name: &str) -> Option<Vec<u8>> {
        let answer = self.ask("GET", &format!("/edge/v1/metadata/{name}"), &[], "");
        (answer.status == 200).then_some(answer.body)
    }

    /// What an edge that was there before believes after it has looked once more, as the agent does it.
    fn believed(&self, trust: &mut Trust) -> MetadataVersions {
        while let Some(root) = self.metadata(&format!("root/{}", trust.versions().root + 1)) {
            trust.next_root(&root).expect("a root that follows");
        }
        let now = jiff::Timestamp::now().as_second();
        trust.timestamp(&self.metadata("timestamp").expect("signed"), now).expect("believed");
        trust.targets(&self.metadata("targets").expect("signed"), now).expect("believed");
        trust.versions()
    }
}

fn read(sandbox: &Sandbox, name: &str) -> String {
    std::fs::read_to_string(sandbox.root().join(name)).unwrap_or_else(|_| panic!("no {name}"))
}

fn renew<'w>(words: &[&'w str]) -> Vec<&'w str> {
    [&["edge", "keys", "renew"][..], words].concat()
}

#[test]
fn an_edge_of_the_first_root_follows_to_other_keys_and_thresholds() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&renew(&["--targets-key", "none"])).exits(2);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.1.0");
    let mut trust = Trust::begin(&fleet.metadata("root/1").expect("published")).expect("a root");
    assert_eq!(fleet.believed(&mut trust), MetadataVersions { root: 1, timestamp: 2, targets: 2 });

    // The targets alone, for another 180 days.
    sandbox
        .run(&renew(&["--targets-key", "keys/targets.pem"]))
        .exits(0)
        .says("the targets metadata expires in 180 days");
    assert_eq!(fleet.believed(&mut trust), MetadataVersions { root: 1, timestamp: 3, targets: 3 });

    // Other keys for targets, one of today's beside them, and two of three sign.
    let more = ["--targets", "keys/targets.pem", "--new-targets", "keys/second.pem", "--new-targets", "keys/third.pem"];
    let two = ["--targets-threshold", "2", "--expires", "30d"];
    let told = sandbox.run(&renew(&[&["--key-file", "keys/root.pem"][..], &more, &two].concat())).exits(0);
    told.says("the root metadata expires in 30 days").says("landfall edge keys renew --key-file root.pem");
    assert_eq!(fleet.believed(&mut trust), MetadataVersions { root: 2, timestamp: 4, targets: 4 });
    assert_eq!((trust.root().threshold(Role::Targets), trust.root().keys_of(Role::Targets).len()), (2, 3));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(sandbox.root().join("keys/second.pem")).expect("made").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // What was signed before is named still, and one key alone signs nothing more.
    let consent = ["edge", "release", "consent", "1.1.0", "--key-file", "keys/targets.pem"];
    sandbox.run(&consent).exits(2).says("it has 1 valid signatures of keys that may sign it, and needs 2");
    sandbox.run(&[&consent[..], &["--key-file", "keys/third.pem"]].concat()).exits(0);
    assert_eq!(fleet.believed(&mut trust).targets, 5);
    assert!(trust.known_targets().expect("believed").targets.keys().any(|path| path.contains("1.1.0")));

    // The root's key itself, and then the old one is worth nothing.
    let other = ["--key-file", "keys/root.pem", "--new-root", "keys/root-2.pem"];
    sandbox.run(&renew(&other)).exits(0);
    assert_eq!(fleet.believed(&mut trust).root, 3);
    sandbox.run(&renew(&["--key-file", "keys/root.pem"])).exits(2).says("too few of the keys of today's root");
    // Two have to sign a root from now on, of which one is known by its public half alone.
    let public = SigningKey::of_pem(&read(&sandbox, "keys/root.pem")).expect("a key").public().to_pem();
    sandbox.write("first.pub.pem", &public);
    let both = ["--key-file", "keys/root-2.pem", "--root", "keys/root-2.pem", "--root", "first.pub.pem"];
    let words = renew(&[&both[..], &["--root-threshold", "2"]].concat());
    sandbox.run(&words).exits(2).says("too few of the keys of the new root");
    sandbox.run(&[&words[..], &["--key-file", "keys/root.pem"]].concat()).exits(0);
    assert_eq!(fleet.believed(&mut trust).root, 4);
    sandbox.run(&renew(&["--key-file", "keys/root.pem"])).exits(2).says("needs 2");
    let thrice = ["--key-file", "keys/root.pem", "--key-file", "keys/root-2.pem", "--root-threshold", "3"];
    sandbox.run(&renew(&thrice)).exits(2).says("too few keys for the role Root");
    // All of it stands after a restart, and whoever comes new begins where the others are.
    drop(fleet);
    let fleet = serve(&sandbox);
    let shown = sandbox.run(&["edge", "keys", "show", "-o", "json"]).exits(0).json()["data"].clone();
    assert_eq!((&shown["versions"]["root"], &shown["versions"]["targets"]), (&json!(4), &json!(5)));
    assert!(fleet.believed(&mut trust).timestamp >= 5);
}

#[test]
fn a_root_that_too_few_have_signed_is_refused_by_the_server_and_by_an_edge() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    let first = fleet.metadata("root/1").expect("published");
    let trust = Trust::begin(&first).expect("a root");
    let (root, other) = (
        SigningKey::of_pem(&read(&sandbox, "keys/root.pem")).expect("a key"),
        SigningKey::of_seed([7; 32]).expect("a key"),
    );
    let until = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(24)).expect("a time");
    let next = |version: u64, keys: Vec<PublicKey>, threshold: usize, until: jiff::Timestamp| {
        let today = trust.root();
        let roles = [
            (Role::Root, keys, threshold),
            (Role::Targets, today.keys_of(Role::Targets), 1),
            (Role::Timestamp, today.keys_of(Role::Timestamp), 1),
        ];
        Root::new(version, until, &roles)
    };
    let both = || vec![root.public(), other.public()];
    let believed = [
        ("by nobody whom today's root names", next(2, both(), 1, until), vec![&other], false),
        ("by one of two", next(2, both(), 2, until), vec![&root], false),
        ("of a version after the next", next(3, both(), 1, until), vec![&root], false),
        ("of today's version", next(1, both(), 1, until), vec![&root], false),
        ("by both", next(2, both(), 2, until), vec![&root, &other], true),
    ];
    for (which, root, keys, is_believed) in believed {
        let text = Signed::by(&root, &keys).expect("canonical").to_text();
        let answer = fleet.operator(&sandbox, "/api/v1/edge/metadata", &json!({"root": text}));
        assert_eq!((answer.status == 200, answer.status == 422), (is_believed, !is_believed), "{which}");
        assert_eq!(trust.clone().next_root(text.as_bytes()).is_ok(), is_believed, "{which}");
    }
    // What nobody could ever follow, or that is over, is not published, whoever has signed it.
    let past = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(1)).expect("a time");
    for root_of in [next(3, both(), 2, past), next(3, Vec::new(), 0, until)] {
        let text = Signed::by(&root_of, &[&root, &other]).expect("canonical").to_text();
        let answer = fleet.operator(&sandbox, "/api/v1/edge/metadata", &json!({"root": text}));
        assert_eq!(answer.status, 422, "{}", answer.json());
    }
}
