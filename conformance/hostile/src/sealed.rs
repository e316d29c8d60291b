//! What was sealed or encrypted for somebody: it opens as it was, or not at all.

use std::sync::OnceLock;

use landfall_secrets::age::{self, Audience, Identity};
use landfall_secrets::control::{self, RENEWED};
use landfall_secrets::sops::SopsKeys;
use landfall_secrets::{KeySize, Keyring, PrivateKey, SealingKey, open, seal_value};

const LABEL: &[u8] = b"shop/keys";
const VALUE: &[u8] = b"canary";

/// A key, a value sealed under it, and the same for whoever asks over HTTP.
struct Ground {
    key: PrivateKey,
    sealed: Vec<u8>,
    ring: Keyring,
    identity: Vec<Identity>,
    file: Vec<u8>,
}

fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let key = PrivateKey::generate(KeySize::Rsa2048).expect("a key");
        let sealed = seal_value(key.public(), VALUE, LABEL).expect("sealed");
        let epoch = jiff::Timestamp::UNIX_EPOCH.checked_add(RENEWED).expect("a time");
        let ring = Keyring::new([SealingKey::generate(KeySize::Rsa2048, epoch).expect("a key")]);
        let identity = Identity::generate().expect("random");
        let recipient = identity.recipient().expect("a key").expect("no passphrase");
        let file = age::encrypt(&Audience::Recipients(vec![recipient]), VALUE).expect("encrypted").into_bytes();
        Ground { key, sealed, ring, identity: vec![identity], file }
    })
}

/// The bytes with what the input says of them: a place of two bytes, and what is put over it.
fn changed(whole: &[u8], input: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for change in input.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % (bytes.len() + 1);
        match bytes.get_mut(at) {
            Some(byte) => *byte ^= change[2],
            // Behind the end something is added, or the last of it taken away.
            None if change[2] % 2 == 0 => bytes.push(change[2]),
            None => drop(bytes.pop()),
        }
    }
    bytes
}

/// A sealed value: nothing opens but what was sealed, under its own label.
pub(crate) fn blob(bytes: &[u8]) {
    let Ground { key, sealed, .. } = ground();
    assert!(open(key, bytes, LABEL).is_err(), "what nobody has sealed opens");
    let blob = changed(sealed, bytes);
    match open(key, &blob, LABEL) {
        Ok(value) => assert!(blob == *sealed && value.reveal() == VALUE, "what was changed opens"),
        Err(_) => assert!(blob != *sealed, "what was not changed does not open"),
    }
    let label: Vec<u8> = bytes.iter().copied().take(64).collect();
    assert!(label == LABEL || open(key, sealed, &label).is_err(), "it opens elsewhere");
}

/// A SealedSecret that somebody asks the controller about.
pub(crate) fn asked(bytes: &[u8]) {
    let now = jiff::Timestamp::UNIX_EPOCH;
    for path in ["/v1/verify", "/v1/rotate", "/v1/cert.pem", "/healthz"] {
        let answer = control::answer(path, bytes, &ground().ring, now);
        assert!(matches!(answer.status, 200 | 409 | 413 | 500), "{}", answer.status);
        assert!(path != "/v1/verify" || answer.body.is_empty(), "more than yes or no is told");
    }
}

/// A file of age's.
pub(crate) fn age_file(bytes: &[u8]) {
    let Ground { identity, file, .. } = ground();
    assert!(age::decrypt(identity, bytes).is_err(), "what nobody has encrypted opens");
    let other = changed(file, bytes);
    if let Ok(text) = age::decrypt(identity, &other) {
        // Its armor may be written in more than one way; what is in it may not.
        assert_eq!(text.reveal(), VALUE, "what was changed opens");
    }
}

/// A file that says that SOPS has encrypted it.
pub(crate) fn sops(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let opened = SopsKeys::default().open(text);
    assert!(!matches!(opened, Ok(Some(_))), "it opens without a key");
}
