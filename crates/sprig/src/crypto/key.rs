//! Private keys, in the forms that Go writes them in.

use landfall_gotemplate::FuncError;
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize,
    SignatureAlgorithm,
};
use rustls_pki_types::PrivateKeyDer;

use super::repeatable;
use crate::context::{Context, Random};
use crate::der;

/// A key that can sign, with its PEM text.
pub(super) struct PrivateKey {
    pair: KeyPair,
    pem: String,
}

/// Curves by the object identifier of their name, as DER.
const CURVES: [(&[u8], &SignatureAlgorithm); 2] = [
    (&[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07], &PKCS_ECDSA_P256_SHA256),
    (&[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22], &PKCS_ECDSA_P384_SHA384),
];

/// What `genPrivateKey` makes, or the words that it answers instead.
pub(super) fn generate(context: &Context, kind: &str) -> Result<PrivateKey, String> {
    let failed = |error: rcgen::Error| format!("failed to generate private key: {error}");
    let random = &*context.random;
    let read = |key: PrivateKeyDer<'_>, algorithm: &'static SignatureAlgorithm| {
        PrivateKey::of(KeyPair::from_der_and_sign_algo(&key, algorithm).map_err(failed)?)
    };
    match kind {
        "" | "rsa" if random.is_sequence() => {
            let key = repeated_rsa(random, 4_096).map_err(failed)?;
            read(key, &PKCS_RSA_SHA256)
        }
        "ecdsa" if random.is_sequence() => {
            read(PrivateKeyDer::Pkcs8(p256(&repeatable::p256(random)).into()), &PKCS_ECDSA_P256_SHA256)
        }
        "ed25519" if random.is_sequence() => {
            read(PrivateKeyDer::Pkcs8(repeatable::ed25519(random, &ED25519).into()), &PKCS_ED25519)
        }
        "" | "rsa" => {
            let size = if random.is_for_show() { RsaKeySize::_2048 } else { RsaKeySize::_4096 };
            PrivateKey::of(drawn_rsa(random, size).map_err(failed)?)
        }
        "ecdsa" => PrivateKey::of(drawn(random, &PKCS_ECDSA_P256_SHA256).map_err(failed)?),
        "ed25519" => PrivateKey::of(drawn(random, &PKCS_ED25519).map_err(failed)?),
        "dsa" => Err("failed to generate private key: DSA keys are not made any more; use ecdsa or ed25519".to_owned()),
        other => Err(format!("Unknown type {other}")),
    }
}

/// A key of the system's own randomness, of which the caller's hears.
fn drawn(random: &dyn Random, algorithm: &'static SignatureAlgorithm) -> Result<KeyPair, rcgen::Error> {
    random.passed_over();
    KeyPair::generate_for(algorithm)
}

/// As [`drawn`], an RSA key.
fn drawn_rsa(random: &dyn Random, size: RsaKeySize) -> Result<KeyPair, rcgen::Error> {
    random.passed_over();
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size)
}

/// An RSA key that is the same at the same place of a sequence. Where keys are kept, nobody uses what is printed: they have
/// 2,048 bits whatever was asked for, which costs a tenth.
fn repeated_rsa(random: &dyn Random, bits: usize) -> Result<PrivateKeyDer<'static>, rcgen::Error> {
    let Some(keys) = random.keys() else {
        return Ok(PrivateKeyDer::Pkcs1(repeatable::rsa(random, bits).into()));
    };
    let draw = random.key_draw();
    let short = RsaKeySize::_2048;
    let make = || KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, short).map(|pair| pair.serialized_der().to_vec());
    Ok(PrivateKeyDer::Pkcs8(keys.of((draw, bits), make)?.into()))
}

impl PrivateKey {
    /// An RSA key of 2,048 bits: from the system's randomness, unless what is random follows from a seed.
    pub(super) fn rsa(context: &Context) -> Result<Self, FuncError> {
        let failed = |problem: String| FuncError::new(format!("error generating rsa key: {problem}"));
        let random = &*context.random;
        let pair = if random.is_sequence() {
            repeated_rsa(random, 2_048).and_then(|key| KeyPair::from_der_and_sign_algo(&key, &PKCS_RSA_SHA256))
        } else {
            drawn_rsa(random, RsaKeySize::_2048)
        };
        Self::of(pair.map_err(|error| failed(error.to_string()))?).map_err(failed)
    }

    pub(super) fn pair(&self) -> &KeyPair {
        &self.pair
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// A key with the PEM form that Go writes: PKCS #1 for RSA, SEC 1 for curves, PKCS #8 for Ed25519.
    fn of(pair: KeyPair) -> Result<Self, String> {
        let bytes = pair.serialized_der();
        let pem = match der::pkcs8_parts(bytes) {
            None if pair.is_compatible(&PKCS_RSA_SHA256) => der::pem("RSA PRIVATE KEY", bytes),
            None => der::pem("EC PRIVATE KEY", bytes),
            Some((_, key)) if pair.is_compatible(&PKCS_RSA_SHA256) => der::pem("RSA PRIVATE KEY", key),
            Some((_, key)) if pair.is_compatible(&PKCS_ED25519) => {
                // Without the public key, which some writers append.
                let info = [der::write(der::INTEGER, &[0]), ED25519.to_vec(), der::write(der::OCTETS, key)].concat();
                der::pem("PRIVATE KEY", &der::write(der::SEQUENCE, &info))
            }
            Some((_, key)) => {
                let sec1 = sec1(key, &pair).ok_or("key has an unknown form")?;
                der::pem("EC PRIVATE KEY", &sec1)
            }
        };
        Ok(Self { pair, pem })
    }

    /// Reads a key.
    ///
    /// # Errors
    /// Sprig's words.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let Some((label, bytes)) = der::pem_block(text) else {
            return Err("no PEM data in input".to_owned());
        };
        let Some(kind) = label.strip_suffix("PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {label}"));
        };
        let all: &[&'static SignatureAlgorithm] =
            &[&PKCS_RSA_SHA256, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519];
        let (key, algorithms, words) = match kind.trim_end() {
            "" => (PrivateKeyDer::Pkcs8(bytes.into()), all, "decoding PEM as PKCS#8"),
            "RSA" => (PrivateKeyDer::Pkcs1(bytes.into()), &all[..1], "parsing RSA private key from PEM"),
            "EC" => (PrivateKeyDer::Sec1(bytes.into()), &all[1..3], "parsing EC private key from PEM"),
            "DSA" => return Err("parsing DSA private key from PEM: DSA keys are not supported".to_owned()),
            other => return Err(format!("invalid private key type {other}")),
        };
        let pair = algorithms.iter().find_map(|algorithm| KeyPair::from_der_and_sign_algo(&key, algorithm).ok());
        match pair {
            Some(pair) => Self::of(pair),
            None => Err(format!("{words}: asn1: structure error")),
        }
    }
}

/// `AlgorithmIdentifier` of Ed25519.
const ED25519: [u8; 7] = [0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70];

/// `AlgorithmIdentifier` of keys on P-256: elliptic curves in general, then this one.
const P256: [u8; 21] = [
    0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03,
    0x01, 0x07,
];

/// A secret number as a key on P-256, in PKCS #8.
fn p256(secret: &[u8]) -> Vec<u8> {
    let key = [der::write(der::INTEGER, &[1]), der::write(der::OCTETS, secret)].concat();
    let key = der::write(der::OCTETS, &der::write(der::SEQUENCE, &key));
    der::write(der::SEQUENCE, &[&der::write(der::INTEGER, &[0])[..], &P256, &key].concat())
}

/// A SEC 1 `ECPrivateKey` with its curve and public key, as Go writes it.
fn sec1(key: &[u8], pair: &KeyPair) -> Option<Vec<u8>> {
    let (der::SEQUENCE, body, _) = der::read(key)? else { return None };
    let (der::INTEGER, _, rest) = der::read(body)? else { return None };
    let (der::OCTETS, secret, _) = der::read(rest)? else { return None };
    let (curve, _) = CURVES.iter().find(|(_, algorithm)| pair.is_compatible(algorithm))?;
    let public = [&[0][..], pair.public_key_raw()].concat();
    let content = [
        der::write(der::INTEGER, &[1]),
        der::write(der::OCTETS, secret),
        der::write(0xA0, curve),
        der::write(0xA1, &der::write(der::BITS, &public)),
    ]
    .concat();
    Some(der::write(der::SEQUENCE, &content))
}
