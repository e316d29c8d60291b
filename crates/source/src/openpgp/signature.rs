//! Signatures: over what, by whom, since when, for how long.

use aws_lc_rs::digest;

use super::packet::Reader;
use super::{OpenPgpError, malformed};

/// A digest that is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of(number: u8) -> Result<Self, OpenPgpError> {
        Ok(match number {
            2 => Hash::Sha1,
            8 => Hash::Sha256,
            9 => Hash::Sha384,
            10 => Hash::Sha512,
            other => return Err(OpenPgpError::Unsupported(format!("hash function {other}"))),
        })
    }

    pub(super) fn digest(self, bytes: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes)
    }
}

/// What a signature says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// About bytes as they are.
    Binary,
    /// About a text, its lines ended by CR and LF.
    Text,
    /// This name is this key's.
    Certification,
    /// This subkey is this key's.
    Subkey,
    /// This subkey agrees to that.
    Primary,
    /// This key is withdrawn.
    KeyRevocation,
    /// This subkey is withdrawn.
    SubkeyRevocation,
    /// This name is withdrawn.
    CertificationRevocation,
    /// Something else.
    Other(u8),
}

/// What keys are used for, by bits.
const MAY_SIGN: u8 = 2;
/// Signatures within signatures end here.
const MAX_DEPTH: u8 = 2;

/// A signature of version 4.
#[derive(Debug, Clone)]
pub(super) struct Signature {
    pub(super) kind: Kind,
    pub(super) algorithm: u8,
    pub(super) hash: Hash,
    /// What is signed behind the bytes it is about.
    pub(super) suffix: Vec<u8>,
    /// When it was made, in seconds.
    pub(super) created: u32,
    lifetime: Option<u32>,
    pub(super) key_lifetime: Option<u32>,
    pub(super) issuer: Option<u64>,
    flags: Option<u8>,
    pub(super) is_primary: bool,
    revocation_reason: Option<u8>,
    critical_notation: Option<String>,
    /// The subkey's own signature on a subkey's signature.
    pub(super) embedded: Option<Box<Signature>>,
    pub(super) numbers: Vec<Vec<u8>>,
}

impl Signature {
    pub(super) fn parse(body: &[u8]) -> Result<Self, OpenPgpError> {
        Self::parse_at(body, 0)
    }

    fn parse_at(body: &[u8], depth: u8) -> Result<Self, OpenPgpError> {
        let mut reader = Reader(body);
        let version = reader.byte()?;
        if version != 4 {
            return Err(OpenPgpError::Unsupported(format!("signature packet version {version}")));
        }
        let kind = match reader.byte()? {
            0x00 => Kind::Binary,
            0x01 => Kind::Text,
            0x10..=0x13 => Kind::Certification,
            0x18 => Kind::Subkey,
            0x19 => Kind::Primary,
            0x20 => Kind::KeyRevocation,
            0x28 => Kind::SubkeyRevocation,
            0x30 => Kind::CertificationRevocation,
            other => Kind::Other(other),
        };
        let algorithm = reader.byte()?;
        let hash = Hash::of(reader.byte()?)?;
        let length = reader.number(2)? as usize;
        let hashed = reader.take(length)?;
        let head = &body[..6 + length];
        let counted = u32::try_from(head.len()).map_err(|_| malformed("a signature is too large"))?;
        let mut signature = Signature {
            kind,
            algorithm,
            hash,
            suffix: [head, &[4, 0xFF], &counted.to_be_bytes()].concat(),
            created: 0,
            lifetime: None,
            key_lifetime: None,
            issuer: None,
            flags: None,
            is_primary: false,
            revocation_reason: None,
            critical_notation: None,
            embedded: None,
            numbers: Vec::new(),
        };
        signature.parts(hashed, Trust::Signed, depth)?;
        if signature.created == 0 {
            return Err(malformed("no creation time in signature"));
        }
        let length = reader.number(2)? as usize;
        let unhashed = reader.take(length)?;
        signature.parts(unhashed, Trust::Unsigned, depth)?;
        reader.take(2)?;
        let count = match algorithm {
            1 | 3 => 1,
            17 | 19 | 22 => 2,
            27 => {
                signature.numbers.push(reader.take(64)?.to_vec());
                0
            }
            other => return Err(OpenPgpError::Unsupported(format!("public key algorithm {other}"))),
        };
        for _ in 0..count {
            signature.numbers.push(reader.integer()?.to_vec());
        }
        Ok(signature)
    }

    /// Reads what a signature says beside its bytes; of what is not signed only who made it.
    fn parts(&mut self, bytes: &[u8], trust: Trust, depth: u8) -> Result<(), OpenPgpError> {
        let mut reader = Reader(bytes);
        while !reader.0.is_empty() {
            let length = reader.part_length()?;
            let [kind, part @ ..] = reader.take(length)? else {
                return Err(malformed("zero length signature subpacket"));
            };
            let (critical, kind) = (kind & 0x80 != 0, kind & 0x7F);
            if trust == Trust::Unsigned && !matches!(kind, 16 | 32 | 33) {
                continue;
            }
            let number = || match part {
                [a, b, c, d] => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
                _ => Err(malformed("a time in a signature is not four bytes")),
            };
            match kind {
                2 => self.created = number()?,
                3 => self.lifetime = Some(number()?),
                9 => self.key_lifetime = Some(number()?),
                16 if part.len() == 8 => self.issuer = Some(id(part)),
                20 if critical => {
                    self.critical_notation = Some(String::from_utf8_lossy(part.get(8..).unwrap_or_default()).into());
                }
                25 => self.is_primary = part.first().is_some_and(|byte| *byte > 0),
                27 => self.flags = Some(part.first().copied().unwrap_or_default()),
                29 => self.revocation_reason = part.first().copied(),
                32 if depth < MAX_DEPTH && self.embedded.is_none() => {
                    self.embedded = Some(Box::new(Signature::parse_at(part, depth + 1)?));
                }
                33 if part.len() == 21 && part[0] == 4 => self.issuer = Some(id(&part[13..])),
                // What is known and says nothing about who signed.
                4..=7 | 11 | 16 | 20..=24 | 26 | 28 | 30..=35 | 39 => {}
                _ if critical => {
                    return Err(OpenPgpError::Unsupported(format!("unknown critical signature subpacket type {kind}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether its key may sign, by what it says of it.
    pub(super) fn allows_signing(&self) -> bool {
        self.flags.is_some_and(|flags| flags & MAY_SIGN != 0)
    }

    /// Whether its time is over, or has not come.
    pub(super) fn is_expired(&self, now: i64) -> bool {
        let created = i64::from(self.created);
        created > now || self.lifetime.is_some_and(|seconds| seconds > 0 && now > created + i64::from(seconds))
    }

    /// Whether it withdraws something: a key that others have, always has been withdrawn.
    pub(super) fn revokes(&self, now: i64) -> bool {
        self.revocation_reason == Some(2) || !self.is_expired(now)
    }

    /// A remark that must be understood and is not.
    pub(super) fn critical_notation(&self) -> Option<&str> {
        self.critical_notation.as_deref()
    }
}

/// Whether a part is covered by the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Signed,
    Unsigned,
}

fn id(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte))
}
