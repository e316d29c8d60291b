//! Files that only their recipients open, as age writes them (`age-encryption.org/v1`): any `age` opens ours, and we theirs.
//!
//! ```text
//! age-encryption.org/v1
//! -> X25519 SHARE            the file's key, wrapped for a recipient `age1…`; a stanza each
//! BODY
//! -> scrypt SALT 18          or wrapped under a passphrase: then the only stanza
//! BODY
//! --- MAC                    over all above, under the file's key
//! NONCE, then 64 KiB pieces, each sealed; the last one says that it is
//! ```
//!
//! Written armored. The cryptography is aws-lc's: X25519, HKDF and HMAC of SHA-256, ChaCha20-Poly1305; scrypt is RustCrypto's.

mod bech32;
mod payload;

use std::fmt;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use crate::masked::Masked;
use crate::random;

const VERSION: &str = "age-encryption.org/v1";
const X25519_INFO: &[u8] = b"age-encryption.org/v1/X25519";
const SCRYPT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
const ARMOR: (&str, &str) = ("-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----");
/// Bytes of a file's key.
const FILE_KEY: usize = 16;
/// Bytes of a key or share on the curve.
const POINT: usize = 32;
/// Bytes of a wrapped file key.
const WRAPPED: usize = FILE_KEY + 16;
/// Letters of a line of a body.
const COLUMNS: usize = 64;
/// The work of a passphrase, as a power of two: 256 MiB and about a second, as age's own.
const WORK: u8 = 18;
/// More is not tried: a hostile file may ask for years.
const MOST_WORK: u8 = 22;
/// More stanzas than anybody has recipients.
const MOST_STANZAS: usize = 1_000;

/// Why a file is not encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    /// No `age1…`.
    #[error("this is no age recipient (`age1…`): it is of another kind, or a letter of it is wrong")]
    Recipient,
    /// No `AGE-SECRET-KEY-1…`.
    #[error("this is no age identity (`AGE-SECRET-KEY-1…`): it is of another kind, or a letter of it is wrong")]
    Identity,
    /// Nobody to encrypt to.
    #[error("there is no recipient")]
    Nobody,
    /// Not of the form.
    #[error("this is no age file, or it was cut off")]
    Form,
    /// None of the keys is one of its recipients'.
    #[error("no identity or passphrase opens it")]
    Closed,
    /// What is in it was changed or cut off.
    #[error("it was changed after it was written, or cut off")]
    Damaged,
    /// The work that it asks of a passphrase.
    #[error("it asks for more work than is done for a passphrase")]
    Work,
    /// The cryptography itself failed.
    #[error("the cryptographic library refused")]
    Failed,
}

/// Whom a file is for: the public half of an identity.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient([u8; POINT]);

impl Recipient {
    /// Reads `age1…`.
    ///
    /// # Errors
    /// [`AgeError::Recipient`]
    pub fn parse(text: &str) -> Result<Self, AgeError> {
        let bytes = bech32::read("age", text).ok_or(AgeError::Recipient)?;
        bytes.as_slice().try_into().map(Self).map_err(|_| AgeError::Recipient)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32::write("age", &self.0))
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Who opens a file.
#[derive(Clone)]
pub enum Identity {
    /// The private half of a recipient.
    Key(Zeroizing<[u8; POINT]>),
    /// A passphrase.
    Passphrase(Masked),
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Identity::Key(_) => "Identity::Key(***)",
            Identity::Passphrase(_) => "Identity::Passphrase(***)",
        })
    }
}

impl Identity {
    /// Makes a new identity.
    ///
    /// # Errors
    /// [`AgeError::Failed`]
    pub fn generate() -> Result<Self, AgeError> {
        random::bytes().map(Self::Key).map_err(|_| AgeError::Failed)
    }

    /// Reads `AGE-SECRET-KEY-1…`.
    ///
    /// # Errors
    /// [`AgeError::Identity`]
    pub fn parse(text: &str) -> Result<Self, AgeError> {
        let bytes = bech32::read("age-secret-key-", text).map(Zeroizing::new).ok_or(AgeError::Identity)?;
        bytes.as_slice().try_into().map(|key| Self::Key(Zeroizing::new(key))).map_err(|_| AgeError::Identity)
    }

    /// The identities of a file as `age-keygen` writes it: a line each, `#` before what is none.
    ///
    /// # Errors
    /// [`AgeError::Identity`], for any other line and for none.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, AgeError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let found: Vec<Self> = lines.map(Self::parse).collect::<Result<_, _>>()?;
        if found.is_empty() { Err(AgeError::Identity) } else { Ok(found) }
    }

    /// Whom files are encrypted to that it opens; nothing for a passphrase.
    ///
    /// # Errors
    /// [`AgeError::Failed`]
    pub fn recipient(&self) -> Result<Option<Recipient>, AgeError> {
        let Identity::Key(key) = self else { return Ok(None) };
        let public = private(key)?.compute_public_key().map_err(|_| AgeError::Failed)?;
        public.as_ref().try_into().map(|bytes| Some(Recipient(bytes))).map_err(|_| AgeError::Failed)
    }

    /// Its text, which opens everything: `AGE-SECRET-KEY-1…`; nothing for a passphrase.
    pub fn reveal(&self) -> Option<Masked> {
        let Identity::Key(key) = self else { return None };
        Some(Masked::new(bech32::write("age-secret-key-", &key[..]).to_ascii_uppercase().into_bytes()))
    }
}

/// To whom a file is encrypted.
#[derive(Debug, Clone)]
pub enum Audience {
    /// Each of these can open it.
    Recipients(Vec<Recipient>),
    /// Who knows the passphrase can.
    Passphrase(Masked),
}

fn private(key: &[u8; POINT]) -> Result<agreement::PrivateKey, AgeError> {
    agreement::PrivateKey::from_private_key(&X25519, key).map_err(|_| AgeError::Failed)
}

/// How many bytes HKDF is to give.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derived(secret: &[u8], salt: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; 32]>, AgeError> {
    let mut key = Zeroizing::new([0; 32]);
    let filled = hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], Length(32))
        .and_then(|okm| okm.fill(&mut key[..]));
    filled.map(|()| key).map_err(|_| AgeError::Failed)
}

fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, AgeError> {
    Ok(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| AgeError::Failed)?))
}

fn once() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn wrap(key: &[u8; 32], file_key: &[u8; FILE_KEY]) -> Result<Vec<u8>, AgeError> {
    let mut body = file_key.to_vec();
    cipher(key)?.seal_in_place_append_tag(once(), Aad::empty(), &mut body).map_err(|_| AgeError::Failed)?;
    Ok(body)
}

fn unwrap(key: &[u8; 32], body: &[u8]) -> Option<Zeroizing<[u8; FILE_KEY]>> {
    if body.len() != WRAPPED {
        return None;
    }
    let mut body = Zeroizing::new(body.to_vec());
    let opened = cipher(key).ok()?.open_in_place(once(), Aad::empty(), &mut body).ok()?;
    <[u8; FILE_KEY]>::try_from(&*opened).ok().map(Zeroizing::new)
}

/// The key that a share and a private key give, for the recipient whose it is.
fn agreed(own: &agreement::PrivateKey, peer: &[u8], share: &[u8], recipient: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let salt = [share, recipient].concat();
    agreement::agree(own, UnparsedPublicKey::new(&X25519, peer), (), |secret| {
        // A share without a point of its own would give a secret that everybody knows.
        if secret.iter().all(|byte| *byte == 0) { Err(()) } else { derived(secret, &salt, X25519_INFO).map_err(|_| ()) }
    })
    .ok()
}

fn stretched(passphrase: &Masked, salt: &[u8], work: u8) -> Result<Zeroizing<[u8; 32]>, AgeError> {
    let params = scrypt::Params::new(work, 8, 1, 32).map_err(|_| AgeError::Work)?;
    let mut key = Zeroizing::new([0; 32]);
    let salt = [SCRYPT_LABEL, salt].concat();
    scrypt::scrypt(passphrase.reveal(), &salt, &params, &mut key[..]).map_err(|_| AgeError::Failed)?;
    Ok(key)
}

fn stanza(kind: &str, arguments: &str, body: &[u8]) -> String {
    // 43 letters: one line, and a short one, which ends a body.
    format!("-> {kind} {arguments}\n{}\n", STANDARD_NO_PAD.encode(body))
}

fn mac(file_key: &[u8; FILE_KEY], header: &str) -> Result<hmac::Tag, AgeError> {
    let key = derived(file_key, &[], b"header")?;
    Ok(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key[..]), header.as_bytes()))
}

/// Encrypts to an audience; armored text.
///
/// # Errors
/// [`AgeError::Nobody`], [`AgeError::Failed`]
pub fn encrypt(audience: &Audience, content: &[u8]) -> Result<String, AgeError> {
    encrypt_with(audience, content, WORK)
}

/// As [`encrypt`], with another power of two as a passphrase's work.
fn encrypt_with(audience: &Audience, content: &[u8], work: u8) -> Result<String, AgeError> {
    let file_key = random::bytes::<FILE_KEY>().map_err(|_| AgeError::Failed)?;
    let mut header = format!("{VERSION}\n");
    match audience {
        Audience::Recipients(all) if all.is_empty() => return Err(AgeError::Nobody),
        Audience::Recipients(all) => {
            for recipient in all {
                let own = agreement::PrivateKey::generate(&X25519).map_err(|_| AgeError::Failed)?;
                let share = own.compute_public_key().map_err(|_| AgeError::Failed)?;
                let key = agreed(&own, &recipient.0, share.as_ref(), &recipient.0).ok_or(AgeError::Recipient)?;
                header += &stanza("X25519", &STANDARD_NO_PAD.encode(share.as_ref()), &wrap(&key, &file_key)?);
            }
        }
        Audience::Passphrase(passphrase) => {
            let salt = random::bytes::<16>().map_err(|_| AgeError::Failed)?;
            let key = stretched(passphrase, &salt[..], work)?;
            let arguments = format!("{} {work}", STANDARD_NO_PAD.encode(&salt[..]));
            header += &stanza("scrypt", &arguments, &wrap(&key, &file_key)?);
        }
    }
    header += "---";
    let mac = mac(&file_key, &header)?;
    let mut whole = format!("{header} {}\n", STANDARD_NO_PAD.encode(mac.as_ref())).into_bytes();
    payload::seal(&file_key, content, &mut whole)?;
    Ok(armored(&whole))
}

fn armored(bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    let mut out = format!("{}\n", ARMOR.0);
    for line in encoded.as_bytes().chunks(COLUMNS) {
        out.extend(line.iter().map(|letter| char::from(*letter)));
        out.push('\n');
    }
    out + ARMOR.1 + "\n"
}

/// The bytes of an armored file; those of any other as they are.
fn bare(file: &[u8]) -> Result<Vec<u8>, AgeError> {
    let Some(text) = std::str::from_utf8(file).ok().map(str::trim).filter(|text| text.starts_with(ARMOR.0)) else {
        return Ok(file.to_vec());
    };
    let inner = text.strip_prefix(ARMOR.0).and_then(|text| text.strip_suffix(ARMOR.1)).ok_or(AgeError::Form)?;
    let letters: Vec<u8> = inner.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    STANDARD.decode(letters).map_err(|_| AgeError::Form)
}

/// What a header says to one kind of recipient.
struct Stanza<'f> {
    arguments: Vec<&'f str>,
    body: Vec<u8>,
}

/// A file's header.
struct Header<'f> {
    stanzas: Vec<Stanza<'f>>,
    /// What the code is made over.
    text: &'f str,
    mac: Vec<u8>,
    payload: &'f [u8],
}

impl<'f> Header<'f> {
    fn read(file: &'f [u8]) -> Option<Self> {
        let end = file.windows(5).position(|window| window == b"\n--- ")? + 1;
        let line_end = end + file[end..].iter().position(|byte| *byte == b'\n')?;
        let text = std::str::from_utf8(&file[..end + 3]).ok()?;
        let mac = STANDARD_NO_PAD.decode(file.get(end + 4..line_end)?).ok()?;
        let mut lines = text.strip_suffix("---")?.lines();
        if lines.next() != Some(VERSION) {
            return None;
        }
        let mut stanzas = Vec::new();
        while let Some(line) = lines.next() {
            let arguments: Vec<&str> = line.strip_prefix("-> ")?.split(' ').collect();
            let mut body = String::new();
            loop {
                let line = lines.next()?;
                body.push_str(line);
                if line.len() < COLUMNS {
                    break;
                }
            }
            stanzas.push(Stanza { arguments, body: STANDARD_NO_PAD.decode(body).ok()? });
            if stanzas.len() > MOST_STANZAS {
                return None;
            }
        }
        Some(Self { stanzas, text, mac, payload: &file[line_end + 1..] })
    }

    /// The file's key, if one of the identities is among the recipients.
    fn file_key(&self, identities: &[Identity]) -> Result<Zeroizing<[u8; FILE_KEY]>, AgeError> {
        for stanza in &self.stanzas {
            for identity in identities {
                let found = match (stanza.arguments.as_slice(), identity) {
                    (["X25519", share], Identity::Key(key)) => {
                        let share = STANDARD_NO_PAD.decode(share).map_err(|_| AgeError::Form)?;
                        let own = private(key)?;
                        let public = own.compute_public_key().map_err(|_| AgeError::Failed)?;
                        agreed(&own, &share, &share, public.as_ref()).and_then(|key| unwrap(&key, &stanza.body))
                    }
                    (["scrypt", salt, work], Identity::Passphrase(passphrase)) => {
                        if self.stanzas.len() != 1 {
                            return Err(AgeError::Form);
                        }
                        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| AgeError::Form)?;
                        let work: u8 = work.parse().map_err(|_| AgeError::Form)?;
                        if work > MOST_WORK {
                            return Err(AgeError::Work);
                        }
                        unwrap(&*stretched(passphrase, &salt, work)?, &stanza.body)
                    }
                    _ => None,
                };
                if let Some(key) = found {
                    return Ok(key);
                }
            }
        }
        Err(AgeError::Closed)
    }
}

/// Decrypts a file, armored or not, with whichever identity opens it.
///
/// # Errors
/// [`AgeError`]
pub fn decrypt(identities: &[Identity], file: &[u8]) -> Result<Masked, AgeError> {
    let file = bare(file)?;
    let header = Header::read(&file).ok_or(AgeError::Form)?;
    let file_key = header.file_key(identities)?;
    let key = derived(&file_key[..], &[], b"header")?;
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key[..]), header.text.as_bytes(), &header.mac)
        .map_err(|_| AgeError::Damaged)?;
    payload::open(&file_key, header.payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Little work, so that tests are quick.
    const LITTLE: u8 = 4;

    fn own() -> (Identity, Audience) {
        let identity = Identity::generate().expect("random");
        let recipient = identity.recipient().expect("a key").expect("no passphrase");
        (identity, Audience::Recipients(vec![recipient]))
    }

    #[test]
    fn what_is_encrypted_to_several_opens_for_each_and_for_nobody_else() {
        let (one, _) = own();
        let (two, _) = own();
        let (other, _) = own();
        let audience = Audience::Recipients(
            [&one, &two].map(|it| it.recipient().expect("a key").expect("no passphrase")).to_vec(),
        );
        for content in [0, 1, 65_535, 65_536, 65_537, 200_000].map(|len| vec![7; len]) {
            let file = encrypt(&audience, &content).expect("encrypted");
            for identity in [&one, &two] {
                let text = identity.reveal().expect("a key");
                let again = Identity::parse(std::str::from_utf8(text.reveal()).expect("text")).expect("an identity");
                assert_eq!(decrypt(&[again], file.as_bytes()).expect("opens").reveal(), content);
            }
            assert_eq!(decrypt(std::slice::from_ref(&other), file.as_bytes()).map(drop), Err(AgeError::Closed));
        }
    }

    #[test]
    fn a_passphrase_opens_what_it_closed_and_another_does_not() {
        let phrase = |text: &str| Masked::from(text.as_bytes());
        let file = encrypt_with(&Audience::Passphrase(phrase("correct horse")), b"canary", LITTLE).expect("encrypted");
        assert!(!file.contains("canary"));
        let open = |text: &str| decrypt(&[Identity::Passphrase(phrase(text))], file.as_bytes());
        assert_eq!(open("correct horse").expect("opens").reveal(), b"canary");
        assert_eq!(open("battery staple").map(drop), Err(AgeError::Closed));
        let greedy =
            String::from_utf8(bare(file.as_bytes()).expect("bytes").iter().map(|b| b & 0x7F).collect()).expect("text");
        let greedy = greedy.replacen(&format!(" {LITTLE}\n"), " 40\n", 1);
        assert_eq!(decrypt(&[Identity::Passphrase(phrase("x"))], greedy.as_bytes()).map(drop), Err(AgeError::Work));
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let (identity, audience) = own();
        let file = bare(encrypt(&audience, b"some content").expect("encrypted").as_bytes()).expect("bytes");
        let identities = [identity];
        assert!(decrypt(&identities, &file).is_ok());
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(decrypt(&identities, &changed).is_err(), "byte {at}");
            assert!(decrypt(&identities, &file[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn what_is_no_recipient_identity_or_file_is_refused() {
        assert_eq!(Recipient::parse("age1qqqq").map(drop), Err(AgeError::Recipient));
        assert_eq!(Recipient::parse("AGE-SECRET-KEY-1QQ").map(drop), Err(AgeError::Recipient));
        assert_eq!(Identity::parse_file("# nothing\n").map(drop), Err(AgeError::Identity));
        assert_eq!(encrypt(&Audience::Recipients(Vec::new()), b"").map(drop), Err(AgeError::Nobody));
        assert_eq!(decrypt(&[], b"age-encryption.org/v1\n--- x\n").map(drop), Err(AgeError::Form));
        assert_eq!(decrypt(&[], b"").map(drop), Err(AgeError::Form));
    }
}
