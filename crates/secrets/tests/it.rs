//! What this room promises to who seals and who opens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use landfall_secrets::{
    Certificate, CertificateError, CryptoError, KeyError, KeySize, Keyring, Override, PlainSecret, PrivateKey, Scope,
    SealError, Sealing, SealingKey, UnsealError, is_key_secret, normalised, open, reseal, seal, seal_value, unseal,
};
use landfall_sprig::Context;
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).expect("a moment")
}

fn key(seconds: i64) -> SealingKey {
    SealingKey::generate(KeySize::Rsa2048, at(seconds)).expect("a key")
}

/// Making keys takes the longest; most tests need any.
static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(KeySize::Rsa2048).expect("a key"));

fn ring() -> Keyring {
    Keyring::new([SealingKey::bare(PrivateKey::parse(KEY.pem().reveal()).expect("its own text"))])
}

fn plain(document: Value) -> PlainSecret {
    PlainSecret::read(&document).expect("fine").expect("a Secret")
}

fn secret() -> PlainSecret {
    plain(json!({"kind": "Secret", "metadata": {"name": "a", "namespace": "n", "labels": {"x": "y"}},
        "type": "Opaque", "data": {"A": "Y2FuYXJ5", "EMPTY": "", "BIN": "AAEC/w=="}}))
}

fn sealed(scope: Scope) -> Value {
    seal(secret(), KEY.public(), &Sealing { scope, ..Sealing::default() }).expect("sealed")
}

fn context() -> Context {
    Context::repeatable(1)
}

fn value<'a>(opened: &'a landfall_secrets::Unsealed, key: &str) -> &'a [u8] {
    opened.secret.data[key].reveal()
}

#[test]
fn what_is_sealed_opens_again_in_every_scope() {
    for scope in Scope::ALL {
        let sealed = sealed(scope);
        assert!(!sealed.to_string().contains("Y2FuYXJ5"));
        let opened = unseal(&sealed, &ring(), &context()).expect("opens");
        assert_eq!((value(&opened, "A"), value(&opened, "EMPTY")), (&b"canary"[..], &b""[..]));
        assert_eq!(value(&opened, "BIN"), [0, 1, 2, 255]);
        let secret = opened.to_secret(&sealed);
        assert_eq!(secret["metadata"]["labels"], json!({"x": "y"}));
        assert_eq!(secret["metadata"]["ownerReferences"][0]["kind"], "SealedSecret");
        assert_eq!(secret["data"]["A"], "Y2FuYXJ5");
    }
}

/// A3: what is bound to a name or a namespace opens nowhere else, and nothing but the metadata decides.
#[test]
fn unseal_rejects_rename_and_foreign_namespace() {
    for (scope, renamed, moved) in
        [(Scope::Strict, false, false), (Scope::NamespaceWide, true, false), (Scope::ClusterWide, true, true)]
    {
        for (field, opens) in [("name", renamed), ("namespace", moved)] {
            let mut elsewhere = sealed(scope);
            elsewhere["metadata"][field] = "other".into();
            let outcome = unseal(&elsewhere, &ring(), &context());
            assert_eq!(outcome.is_ok(), opens, "{scope:?} {field}");
            if let Err(error) = outcome {
                assert_eq!(error.to_string(), "no key could decrypt secret (A, BIN, EMPTY)");
            }
        }
    }
    let mut widened = sealed(Scope::Strict);
    Scope::ClusterWide.write(&mut widened["metadata"]);
    assert!(unseal(&widened, &ring(), &context()).is_err());
}

/// A4: the scope is the metadata's; a template that claims a wider one is refused, when opening and when sealing anew.
#[test]
fn reseal_never_widens_scope() {
    let newest = key(0);
    let certificate = newest.certificate.clone().expect("its certificate");
    let keys = Keyring::new([newest, SealingKey::bare(PrivateKey::parse(KEY.pem().reveal()).expect("its text"))]);
    let mut claiming = sealed(Scope::Strict);
    Scope::ClusterWide.write(&mut claiming["spec"]["template"]["metadata"]);
    let refused = UnsealError::WiderTemplate { template: "cluster-wide", metadata: "strict" };
    assert_eq!(unseal(&claiming, &keys, &context()).map(drop), Err(refused.clone()));
    assert_eq!(reseal(&claiming, &keys, &certificate).map(drop), Err(refused));
    for scope in Scope::ALL {
        let before = sealed(scope);
        let after = reseal(&before, &keys, &certificate).expect("sealed anew");
        assert_eq!(Scope::of(&after["metadata"]), scope);
        assert_ne!(after["spec"]["encryptedData"], before["spec"]["encryptedData"]);
        assert_eq!(value(&unseal(&after, &keys, &context()).expect("opens"), "A"), b"canary");
        assert!(unseal(&after, &ring(), &context()).is_err(), "the old key does not open it");
        let again = reseal(&after, &keys, &certificate).expect("nothing to do");
        assert_eq!(again, normalised(&after).expect("its form"), "what is under the newest key keeps its bytes");
    }
}

/// A1: each value has a session key of its own, so that nothing is ever sealed twice under one nonce.
#[test]
fn seal_never_reuses_session_key() {
    let blobs: BTreeSet<Vec<u8>> =
        (0..10_000).map(|_| seal_value(KEY.public(), b"same", b"n/a").expect("sealed")).collect();
    let bodies: BTreeSet<&[u8]> = blobs.iter().map(|blob| &blob[2 + 256..]).collect();
    let blocks: BTreeSet<&[u8]> = blobs.iter().map(|blob| &blob[2..2 + 256]).collect();
    assert_eq!((blobs.len(), bodies.len(), blocks.len()), (10_000, 10_000, 10_000));
    assert!(blobs.iter().all(|blob| blob.len() == 2 + 256 + 4 + 16));
}

#[test]
fn a_secret_without_values_name_or_namespace_is_refused_in_kubeseals_words() {
    let said = |document: Value, how: Sealing| seal(plain(document), KEY.public(), &how).expect_err("refused");
    assert_eq!(said(json!({"kind": "Secret", "metadata": {"name": "a"}}), Sealing::default()), SealError::Empty);
    let data = json!({"kind": "Secret", "data": {"a": "YQ=="}});
    assert_eq!(said(data.clone(), Sealing::default()), SealError::Nameless);
    assert_eq!(said(data.clone(), Sealing { name: "x".into(), ..Sealing::default() }), SealError::Nowhere);
    let elsewhere = Sealing { namespace: Override::Asked("other".into()), ..Sealing::default() };
    let mut here = data;
    here["metadata"] = json!({"name": "a", "namespace": "n"});
    assert_eq!(
        said(here.clone(), elsewhere.clone()).to_string(),
        "namespace mismatch: input secret is in namespace \"n\" but \"other\" was specified"
    );
    let wide = Sealing { scope: Scope::ClusterWide, ..elsewhere };
    assert!(seal(plain(here), KEY.public(), &wide).is_ok(), "nobody asks where what opens everywhere is");
}

/// sealed-secrets #600: whoever deletes a SealedSecret, or the definition of all of them, deletes what it owns.
#[test]
fn what_is_generated_once_has_no_owner_that_it_would_go_with() {
    let mut sealed = sealed(Scope::Strict);
    for (annotation, owned) in [
        (json!({}), true),
        (json!({"landfall.dev/once": "A"}), false),
        (json!({"sealedsecrets.bitnami.com/skip-set-owner-references": "true"}), false),
        (json!({"sealedsecrets.bitnami.com/skip-set-owner-references": "false"}), true),
    ] {
        sealed["spec"]["template"]["metadata"]["annotations"] = annotation.clone();
        let opened = unseal(&sealed, &ring(), &context()).expect("opens");
        assert_eq!(opened.to_secret(&sealed)["metadata"].get("ownerReferences").is_some(), owned, "{annotation}");
    }
}

/// What is no map of texts would be an empty map to upstream, and would empty the live Secret.
#[test]
fn encrypted_data_of_another_form_never_empties_a_secret() {
    for wrong in [json!("text"), json!(["a"]), json!({"A": 1}), json!({"A": null})] {
        let mut sealed = sealed(Scope::Strict);
        sealed["spec"]["encryptedData"] = wrong.clone();
        let refused = unseal(&sealed, &ring(), &context()).map(drop);
        assert_eq!(refused, Err(UnsealError::InvalidEncryptedData), "{wrong}");
    }
}

#[test]
fn templates_are_filled_with_what_opened_and_say_what_is_wrong_with_them() {
    let mut sealed = sealed(Scope::Strict);
    sealed["spec"]["template"]["data"] = json!({"A": "over {{ .A | upper }}", "T": "{{ .A }} {{ .nope }}"});
    let opened = unseal(&sealed, &ring(), &context()).expect("opens");
    assert_eq!((value(&opened, "A"), value(&opened, "T")), (&b"over CANARY"[..], &b"canary <no value>"[..]));
    // A12: nothing of the surroundings, and an end.
    for hostile in [
        "{{ env \"HOME\" }}",
        "{{ getHostByName \"a\" }}",
        "{{ toYaml . }}",
        "{{ repeat 1000000000 \"x\" }}",
        "{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
    ] {
        sealed["spec"]["template"]["data"] = json!({"T": hostile});
        let refused = unseal(&sealed, &ring(), &context()).expect_err(hostile).to_string();
        assert!(refused.ends_with("(T)") && !refused.contains("canary"), "{refused}");
    }
    sealed["spec"]["template"]["data"] = json!({"T": "{{ fail (printf \"%s is weak\" .A) }}"});
    let refused = unseal(&sealed, &ring(), &context()).expect_err("refused").to_string();
    assert!(refused.contains("*** is weak") && !refused.contains("canary"), "{refused}");
    sealed["spec"]["template"]["data"] = json!({"U": "{{ "});
    let refused = unseal(&sealed, &ring(), &context()).expect_err("refused").to_string();
    assert_eq!(refused, "template: U:1: unclosed action (U)");
}

#[test]
fn what_is_wrong_is_told_by_key_and_never_with_a_value() {
    let mut sealed = sealed(Scope::Strict);
    sealed["spec"]["encryptedData"]["A"] = "!".into();
    sealed["spec"]["encryptedData"]["BIN"] = STANDARD.encode("short").into();
    let refused = unseal(&sealed, &ring(), &context()).expect_err("refused").to_string();
    assert_eq!(refused, "illegal base64 data at input byte 0 (A)\nno key could decrypt secret (BIN)");
}

/// A10: a key Secret that cannot be read is told of and passed over; upstream panics.
#[test]
fn bad_key_secret_is_skipped() {
    let good = key(0).to_secret("kube-system");
    assert!(is_key_secret(&good));
    let mut bad = good.clone();
    bad["metadata"]["name"] = "bad".into();
    bad["data"]["tls.key"] = STANDARD.encode("nonsense").into();
    let mut without = bad.clone();
    without["metadata"]["name"] = "without".into();
    without["data"] = Value::Null;
    let mut retired = good.clone();
    retired["metadata"]["labels"]["sealedsecrets.bitnami.com/sealed-secrets-key"] = "compromised".into();
    let (ring, unusable) = Keyring::of_secrets(&[bad, without, retired.clone(), good]);
    assert_eq!(ring.keys().len(), 1);
    assert_eq!(unusable, [("bad".to_owned(), KeyError::None), ("without".to_owned(), KeyError::None)]);
    let (ring, _) = Keyring::of_secrets([&retired]);
    assert!(ring.newest().is_none());
}

#[test]
fn the_newest_key_is_published_and_all_open() {
    let keys = [key(0), key(100), key(50)];
    let published = keys[1].certificate.as_ref().expect("its certificate").pem().to_owned();
    let sealed: Vec<Vec<u8>> =
        keys.iter().map(|key| seal_value(key.private.public(), b"x", b"n/a").expect("sealed")).collect();
    let secrets: Vec<Value> = keys.iter().map(|key| key.to_secret("kube-system")).collect();
    let (ring, _) = Keyring::of_secrets(&secrets);
    assert_eq!(ring.newest().expect("one").pem(), published);
    for blob in &sealed {
        assert_eq!(ring.open(blob, b"n/a").expect("opens").0.reveal(), b"x");
    }
    let twice: Vec<Value> = secrets.iter().chain(&secrets).cloned().collect();
    assert_eq!(Keyring::of_secrets(&twice).0.keys().len(), 3);
}

#[test]
fn a_certificate_is_read_in_kubeseals_words() {
    let certificate = KEY.certificate(at(0), SignedDuration::from_hours(24), "cn").expect("signed");
    assert_eq!((certificate.not_before, certificate.not_after), (at(0), at(24 * 3600)));
    assert_eq!(certificate.key.fingerprint(), KEY.public().fingerprint());
    assert!(certificate.check(at(0)).is_ok());
    let expired = certificate.check(at(25 * 3600)).expect_err("over").to_string();
    assert_eq!(expired, "failed to encrypt using an expired certificate on January 16, 2027");
    assert_eq!(Certificate::parse(b"").map(drop), Err(CertificateError::None));
    assert_eq!(Certificate::parse(KEY.pem().reveal()).map(drop), Err(CertificateError::None));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(Certificate::parse(broken.as_bytes()).map(drop), Err(CertificateError::Malformed));
}

/// A14: nothing that holds a value or a key shows it.
#[test]
fn no_value_is_in_any_debug_text() {
    let opened = unseal(&sealed(Scope::Strict), &ring(), &context()).expect("opens");
    let shown = format!("{:?} {:?} {opened:?} {:?}", secret(), *KEY, ring());
    assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5") && !shown.contains("PRIVATE"), "{shown}");
}

proptest! {
    /// A11: hostile bytes end in an error, whatever they say of lengths.
    #[test]
    fn no_bytes_make_opening_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let outcome = open(&KEY, &bytes, b"n/a").map(drop);
        prop_assert!(matches!(outcome, Err(CryptoError::TooShort | CryptoError::Closed)));
    }

    #[test]
    fn any_value_opens_to_itself(value in proptest::collection::vec(any::<u8>(), 0..2000), label in "[a-z/]{0,20}") {
        let sealed = seal_value(KEY.public(), &value, label.as_bytes()).expect("sealed");
        let opened = open(&KEY, &sealed, label.as_bytes()).expect("opens");
        prop_assert_eq!(opened.reveal(), &value[..]);
        prop_assert!(open(&KEY, &sealed, b"x/other").is_err());
    }

    #[test]
    fn a_changed_byte_closes_it(at in 0usize..278, bit in 0u8..8) {
        let mut sealed = seal_value(KEY.public(), b"same", b"n/a").expect("sealed");
        sealed[at] ^= 1 << bit;
        prop_assert!(open(&KEY, &sealed, b"n/a").is_err());
    }
}

/// A2: whoever seals or makes a value is asked for no randomness, by the types of all that others can call, and there is one
/// place in this room that has any.
#[test]
#[expect(clippy::type_complexity, reason = "the types are what is tested")]
fn seal_rng_not_injectable() {
    use landfall_secrets::age::{AgeError, Audience, Identity, encrypt};
    use landfall_secrets::{Certificate, CertificateError, Fingerprint, Key, MakeError, Masked, PublicKey, make};

    // As they are written here or not at all: one more parameter, or one that is generic, is no such function.
    let _: fn(&PublicKey, &[u8], &[u8]) -> Result<Vec<u8>, CryptoError> = seal_value;
    let _: fn(PlainSecret, &PublicKey, &Sealing) -> Result<Value, SealError> = seal;
    let _: fn(KeySize) -> Result<PrivateKey, KeyError> = PrivateKey::generate;
    let _: fn(&PrivateKey, Timestamp, SignedDuration, &str) -> Result<Certificate, CertificateError> =
        PrivateKey::certificate;
    let _: fn(&Audience, &[u8]) -> Result<String, AgeError> = encrypt;
    let _: fn() -> Result<Identity, AgeError> = Identity::generate;
    let _: fn(&str, &Key, &BTreeMap<String, Masked>) -> Result<Masked, MakeError> = make;
    let _: fn(&Masked) -> Result<Fingerprint, CryptoError> = Fingerprint::of;

    let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(room.join("Cargo.toml")).expect("there");
    let mut faults = others_randomness("Cargo.toml", &manifest);
    let mut directories = vec![room.join("src")];
    let mut seen = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            let name = path.strip_prefix(room).expect("in it").display().to_string();
            faults.extend(others_randomness(&name, text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default()));
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} files");
    assert_eq!(faults, Vec::<String>::new());

    // What it would find.
    for (file, text) in [
        ("Cargo.toml", "[dependencies]\nrand_chacha.workspace = true\n"),
        ("Cargo.toml", "[dependencies]\ngetrandom = \"0.3\"\n"),
        ("src/hybrid.rs", "use aws_lc_rs::rand::SystemRandom;\n"),
        ("src/hybrid.rs", "let session = aws_lc_rs::rand::fill(&mut session);\n"),
        ("src/making.rs", "pub fn make(draw: &mut dyn FnMut(&mut [u8])) {}\n"),
        ("src/making.rs", "pub fn make<R: CryptoRng>(random: &mut R) {}\n"),
        ("src/key.rs", "    pub(crate) fn of_seed(seed: [u8; 32]) -> Self {\n"),
        ("src/random.rs", "pub fn bytes(seed: u64) {}\n"),
    ] {
        assert_eq!(others_randomness(file, text).len(), 1, "{file}: {text}");
    }
}

/// Where a file of this room has randomness of its own, or takes somebody else's.
fn others_randomness(file: &str, text: &str) -> Vec<String> {
    if file == "Cargo.toml" {
        let crates = text.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        let is_source = |name: &&str| {
            name.starts_with("rand") || ["getrandom", "fastrand", "oorandom", "nanorand", "uuid", "ulid"].contains(name)
        };
        return crates.filter(is_source).map(|name| format!("{file}: {name}")).collect();
    }
    let is_fault = |line: &&str| {
        let code = line.trim_start();
        if code.starts_with("//") {
            return false;
        }
        let has_own = ["rand::", "SystemRandom", "OsRng", "RandomState"].iter().any(|it| code.contains(it));
        // A function of this file alone may take a sequence, as its tests need one: others see no type of it.
        let is_open = code.starts_with("pub ") || code.starts_with("pub(");
        let takes = ["FnMut(&mut [u8])", "Rng", "SecureRandom", "seed", "Draw"].iter().any(|it| code.contains(it));
        has_own && file != "src/random.rs" || is_open && takes
    };
    text.lines().filter(is_fault).map(|line| format!("{file}: {line}")).collect()
}
