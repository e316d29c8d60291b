//! AES-256-GCM with a start value of any length (NIST SP 800-38D): SOPS takes 32 bytes, and aws-lc's own interface 12 alone.
//!
//! The cipher is aws-lc's; what is added up here is the hash, without a branch or an index that depends on a secret.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use zeroize::Zeroizing;

use crate::masked::Masked;

/// Bytes of a tag.
pub(super) const TAG: usize = 16;
const BLOCK: usize = 16;

/// Opens a text that is bound to another beside it; nothing where anything was changed.
pub(super) fn open(key: &[u8; 32], start: &[u8], beside: &[u8], sealed: &[u8], tag: &[u8; TAG]) -> Option<Masked> {
    let state = State::new(key, start)?;
    let own = state.tag(beside, sealed)?;
    aws_lc_rs::constant_time::verify_slices_are_equal(&own, tag).ok()?;
    state.masked(sealed)
}

/// What [`open`] opens; for tests alone.
#[cfg(test)]
pub(super) fn seal(key: &[u8; 32], start: &[u8], beside: &[u8], text: &[u8]) -> Option<(Vec<u8>, [u8; TAG])> {
    let state = State::new(key, start)?;
    let sealed = state.masked(text)?.reveal().to_vec();
    let tag = state.tag(beside, &sealed)?;
    Some((sealed, tag))
}

struct State {
    cipher: EncryptingKey,
    /// By what is multiplied.
    factor: u128,
    /// The first counter.
    first: u128,
}

impl State {
    fn new(key: &[u8; 32], start: &[u8]) -> Option<Self> {
        let cipher = EncryptingKey::ecb(UnboundCipherKey::new(&AES_256, key).ok()?).ok()?;
        let factor = u128::from_be_bytes(block(&cipher, 0)?);
        let first = match <[u8; 12]>::try_from(start) {
            Ok(short) => {
                let mut bytes = [0; BLOCK];
                bytes[..12].copy_from_slice(&short);
                u128::from_be_bytes(bytes) | 1
            }
            Err(_) => hash(factor, &[], start),
        };
        Some(State { cipher, factor, first })
    }

    /// The text with the key's stream over it, which goes both ways.
    fn masked(&self, text: &[u8]) -> Option<Masked> {
        let blocks = text.len().div_ceil(BLOCK);
        let mut stream = Zeroizing::new(Vec::with_capacity(blocks * BLOCK));
        let mut counter = self.first;
        for _ in 0..blocks {
            // Only the last 32 bits count.
            let low = u32::try_from(counter & u128::from(u32::MAX)).unwrap_or_default().wrapping_add(1);
            counter = (counter & !u128::from(u32::MAX)) | u128::from(low);
            stream.extend_from_slice(&counter.to_be_bytes());
        }
        if !stream.is_empty() {
            self.cipher.less_safe_encrypt(&mut stream, EncryptionContext::None).ok()?;
        }
        Some(Masked::new(text.iter().zip(stream.iter()).map(|(one, other)| one ^ other).collect()))
    }

    fn tag(&self, beside: &[u8], sealed: &[u8]) -> Option<[u8; TAG]> {
        let sum = hash(self.factor, beside, sealed);
        Some((sum ^ u128::from_be_bytes(block(&self.cipher, self.first)?)).to_be_bytes())
    }
}

/// One block under the cipher.
fn block(cipher: &EncryptingKey, block: u128) -> Option<[u8; BLOCK]> {
    let mut bytes = block.to_be_bytes();
    cipher.less_safe_encrypt(&mut bytes, EncryptionContext::None).ok()?;
    Some(bytes)
}

/// GHASH of two texts and of their lengths.
fn hash(factor: u128, one: &[u8], two: &[u8]) -> u128 {
    let mut sum = 0;
    for chunk in one.chunks(BLOCK).chain(two.chunks(BLOCK)) {
        let mut bytes = [0; BLOCK];
        bytes[..chunk.len()].copy_from_slice(chunk);
        sum = multiplied(sum ^ u128::from_be_bytes(bytes), factor);
    }
    let bits = |text: &[u8]| u128::try_from(text.len()).unwrap_or_default() * 8;
    multiplied(sum ^ ((bits(one) << 64) | bits(two)), factor)
}

/// A product in GF(2¹²⁸), whose bits go from the highest to the lowest.
fn multiplied(one: u128, two: u128) -> u128 {
    const REDUCED: u128 = 0xe1 << 120;
    let (mut product, mut factor) = (0, two);
    for bit in (0..128).rev() {
        product ^= factor & 0u128.wrapping_sub((one >> bit) & 1);
        factor = (factor >> 1) ^ (REDUCED & 0u128.wrapping_sub(factor & 1));
    }
    product
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

    use super::*;

    #[test]
    fn with_twelve_bytes_it_is_what_aws_lc_does() {
        let key = [3; 32];
        let start = [9; 12];
        for (text, beside) in
            [("", ""), ("a", "x"), ("exactly sixteen!", "path:"), ("somewhat longer than one block is", "a:b:")]
        {
            let (sealed, tag) = seal(&key, &start, beside.as_bytes(), text.as_bytes()).expect("sealed");
            let theirs = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("a key"));
            let mut body = text.as_bytes().to_vec();
            let nonce = Nonce::assume_unique_for_key(start);
            theirs.seal_in_place_append_tag(nonce, Aad::from(beside.as_bytes()), &mut body).expect("sealed");
            assert_eq!([&sealed[..], &tag].concat(), body, "{text}");
        }
    }

    #[test]
    fn with_more_bytes_it_opens_what_it_was_and_nothing_else() {
        let (key, start) = ([3; 32], [9; 32]);
        let (sealed, tag) = seal(&key, &start, b"a:", b"canary").expect("sealed");
        let opened = |start: &[u8], beside: &[u8], sealed: &[u8]| open(&key, start, beside, sealed, &tag);
        assert_eq!(opened(&start, b"a:", &sealed).expect("opens").reveal(), b"canary");
        assert!(opened(&start, b"b:", &sealed).is_none());
        assert!(opened(&start[1..], b"a:", &sealed).is_none());
        assert!(opened(&start, b"a:", &sealed[1..]).is_none());
    }
}
