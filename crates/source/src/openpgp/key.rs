//! Public keys, and whether one made a signature.

use aws_lc_rs::digest;
use aws_lc_rs::signature as algorithms;
use aws_lc_rs::signature::{RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};

use super::packet::Reader;
use super::signature::{Hash, Signature};
use super::{OpenPgpError, malformed};

/// A public key with what is signed when it is signed.
#[derive(Debug, Clone)]
pub(super) struct PublicKey {
    /// Its packet's body; of a secret key's the public part.
    body: Vec<u8>,
    /// When it was made, in seconds.
    pub(super) created: u32,
    algorithm: u8,
    parameters: Parameters,
    pub(super) fingerprint: [u8; 20],
}

#[derive(Debug, Clone)]
enum Parameters {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    Ecdsa {
        curve: Curve,
        point: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    /// A key that only encrypts, or one that is not read.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
}

/// Curves by their object identifiers.
const CURVES: [(&[u8], Curve); 3] = [
    (&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07], Curve::P256),
    (&[0x2B, 0x81, 0x04, 0x00, 0x22], Curve::P384),
    (&[0x2B, 0x81, 0x04, 0x00, 0x23], Curve::P521),
];
/// Ed25519 as it was called before it had an algorithm of its own.
const ED25519_LEGACY: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01];

impl PublicKey {
    /// Reads a key's packet, public or secret.
    pub(super) fn parse(packet: &[u8]) -> Result<Self, OpenPgpError> {
        let mut reader = Reader(packet);
        let version = reader.byte()?;
        if version != 4 {
            return Err(OpenPgpError::Unsupported(format!("public key version {version}")));
        }
        let created = reader.number(4)?;
        let algorithm = reader.byte()?;
        let parameters = match algorithm {
            1 | 3 => {
                let modulus = reader.integer()?.to_vec();
                Parameters::Rsa { modulus, exponent: reader.integer()?.to_vec() }
            }
            19 => {
                let curve = identifier(&mut reader)?;
                let point = reader.integer()?.to_vec();
                match CURVES.iter().find(|(known, _)| *known == curve) {
                    Some((_, curve)) => Parameters::Ecdsa { curve: *curve, point },
                    None => Parameters::Other,
                }
            }
            22 => {
                let curve = identifier(&mut reader)?;
                match (curve == ED25519_LEGACY, reader.integer()?) {
                    (true, [0x40, key @ ..]) => Parameters::Ed25519(key.to_vec()),
                    _ => Parameters::Other,
                }
            }
            27 => Parameters::Ed25519(reader.take(32)?.to_vec()),
            // RSA and ElGamal for encryption, DSA: so many numbers.
            2 => skip(&mut reader, 2)?,
            16 => skip(&mut reader, 3)?,
            17 => skip(&mut reader, 4)?,
            18 => {
                identifier(&mut reader)?;
                reader.integer()?;
                identifier(&mut reader)?;
                Parameters::Other
            }
            25 => {
                reader.take(32)?;
                Parameters::Other
            }
            other => return Err(OpenPgpError::Unsupported(format!("public key type: {other}"))),
        };
        let body = packet[..packet.len() - reader.0.len()].to_vec();
        let mut key = PublicKey { body, created, algorithm, parameters, fingerprint: [0; 20] };
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &key.signed_form()?);
        key.fingerprint.copy_from_slice(digest.as_ref());
        Ok(key)
    }

    /// The number by which signatures name it.
    pub(super) fn id(&self) -> u64 {
        self.fingerprint[12..].iter().fold(0, |id, byte| id << 8 | u64::from(*byte))
    }

    /// Whether it is one that can sign.
    pub(super) fn signs(&self) -> bool {
        !matches!(self.algorithm, 2 | 16 | 18 | 25)
    }

    /// The bytes that stand for it where it is signed.
    pub(super) fn signed_form(&self) -> Result<Vec<u8>, OpenPgpError> {
        let length = u16::try_from(self.body.len()).map_err(|_| malformed("a key is too large"))?;
        Ok([&[0x99][..], &length.to_be_bytes(), &self.body].concat())
    }

    /// Whether its time is over, as the signature on it says.
    pub(super) fn is_expired(&self, lifetime: Option<u32>, now: i64) -> bool {
        let created = i64::from(self.created);
        created > now || lifetime.is_some_and(|seconds| seconds > 0 && now > created + i64::from(seconds))
    }

    /// Checks a signature over some bytes.
    pub(super) fn verify(&self, signed: &[u8], signature: &Signature) -> Result<(), OpenPgpError> {
        if self.algorithm != signature.algorithm {
            return Err(malformed("public key and signature use different algorithms"));
        }
        let message = [signed, &signature.suffix].concat();
        match &self.parameters {
            Parameters::Rsa { modulus, exponent } => {
                let [number] = signature.numbers.as_slice() else { return Err(malformed("RSA signature")) };
                let parameters: &RsaParameters = match signature.hash {
                    Hash::Sha1 => &algorithms::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                    Hash::Sha256 => &algorithms::RSA_PKCS1_2048_8192_SHA256,
                    Hash::Sha384 => &algorithms::RSA_PKCS1_2048_8192_SHA384,
                    Hash::Sha512 => &algorithms::RSA_PKCS1_2048_8192_SHA512,
                };
                let number = padded(number, modulus.len())?;
                let key = RsaPublicKeyComponents { n: modulus.as_slice(), e: exponent.as_slice() };
                key.verify(parameters, &message, &number).map_err(|_| failed("RSA"))
            }
            Parameters::Ecdsa { curve, point } => {
                let [r, s] = signature.numbers.as_slice() else { return Err(malformed("ECDSA signature")) };
                let algorithm: &'static dyn VerificationAlgorithm = match (curve, signature.hash) {
                    (Curve::P256, Hash::Sha256) => &algorithms::ECDSA_P256_SHA256_ASN1,
                    (Curve::P256, Hash::Sha384) => &algorithms::ECDSA_P256_SHA384_ASN1,
                    (Curve::P256, Hash::Sha512) => &algorithms::ECDSA_P256_SHA512_ASN1,
                    (Curve::P384, Hash::Sha256) => &algorithms::ECDSA_P384_SHA256_ASN1,
                    (Curve::P384, Hash::Sha384) => &algorithms::ECDSA_P384_SHA384_ASN1,
                    (Curve::P384, Hash::Sha512) => &algorithms::ECDSA_P384_SHA512_ASN1,
                    (Curve::P521, Hash::Sha256) => &algorithms::ECDSA_P521_SHA256_ASN1,
                    (Curve::P521, Hash::Sha384) => &algorithms::ECDSA_P521_SHA384_ASN1,
                    (Curve::P521, Hash::Sha512) => &algorithms::ECDSA_P521_SHA512_ASN1,
                    (_, Hash::Sha1) => return Err(OpenPgpError::Unsupported("ECDSA over SHA-1".to_owned())),
                };
                let key = UnparsedPublicKey::new(algorithm, point);
                key.verify(&message, &sequence_of(r, s)?).map_err(|_| failed("ECDSA"))
            }
            Parameters::Ed25519(point) => {
                let both = match signature.numbers.as_slice() {
                    [r, s] => [padded(r, 32)?, padded(s, 32)?].concat(),
                    [both] => both.clone(),
                    _ => return Err(malformed("EdDSA signature")),
                };
                let digest = signature.hash.digest(&message);
                let key = UnparsedPublicKey::new(&algorithms::ED25519, point);
                key.verify(digest.as_ref(), &both).map_err(|_| failed("EdDSA"))
            }
            Parameters::Other => Err(OpenPgpError::Unsupported(format!("public key algorithm {}", self.algorithm))),
        }
    }
}

fn failed(algorithm: &str) -> OpenPgpError {
    OpenPgpError::Invalid(format!("{algorithm} verification failure"))
}

fn skip<'a>(reader: &mut Reader<'a>, numbers: usize) -> Result<Parameters, OpenPgpError> {
    for _ in 0..numbers {
        reader.integer()?;
    }
    Ok(Parameters::Other)
}

/// Bytes with their length in front.
fn identifier<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], OpenPgpError> {
    let length = reader.byte()?;
    reader.take(usize::from(length))
}

/// A number with zeros in front up to a length.
fn padded(number: &[u8], length: usize) -> Result<Vec<u8>, OpenPgpError> {
    let zeros = length.checked_sub(number.len()).ok_or_else(|| malformed("a signature is too large"))?;
    Ok([&vec![0; zeros], number].concat())
}

/// Two numbers as ASN.1 has them.
fn sequence_of(r: &[u8], s: &[u8]) -> Result<Vec<u8>, OpenPgpError> {
    let write = |tag: u8, content: &[u8]| -> Result<Vec<u8>, OpenPgpError> {
        let length = u8::try_from(content.len()).map_err(|_| malformed("a signature is too large"))?;
        let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
        Ok([head, content.to_vec()].concat())
    };
    let number = |bytes: &[u8]| {
        let positive = bytes.first().is_none_or(|first| first & 0x80 != 0);
        write(0x02, &[if positive { &[0][..] } else { &[] }, bytes].concat())
    };
    write(0x30, &[number(r)?, number(s)?].concat())
}
