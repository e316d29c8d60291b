//! What a file holds: pieces of 64 KiB, each sealed under its number; the last one says that it is.

use aws_lc_rs::aead::{Aad, Nonce};
use zeroize::Zeroizing;

use super::{AgeError, FILE_KEY, cipher, derived};
use crate::masked::Masked;
use crate::random;

/// Bytes of a piece.
const PIECE: usize = 64 << 10;
/// Bytes of a tag.
const TAG: usize = 16;
/// Bytes in front of the pieces, of which their key is made.
const SALT: usize = 16;

/// The number of a piece, and whether it is the last.
fn nonce(number: u64, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    Nonce::assume_unique_for_key(nonce)
}

/// Seals content behind a header.
pub(super) fn seal(file_key: &[u8; FILE_KEY], content: &[u8], out: &mut Vec<u8>) -> Result<(), AgeError> {
    let salt = random::bytes::<SALT>().map_err(|_| AgeError::Failed)?;
    let cipher = cipher(&*derived(file_key, &salt[..], b"payload")?)?;
    out.extend_from_slice(&salt[..]);
    // Content of no bytes is one empty piece.
    let pieces: Vec<&[u8]> = if content.is_empty() { vec![content] } else { content.chunks(PIECE).collect() };
    let count = pieces.len();
    for (at, piece) in pieces.into_iter().enumerate() {
        let mut sealed = Vec::with_capacity(piece.len() + TAG);
        sealed.extend_from_slice(piece);
        cipher
            .seal_in_place_append_tag(nonce(at as u64, at + 1 == count), Aad::empty(), &mut sealed)
            .map_err(|_| AgeError::Failed)?;
        out.append(&mut sealed);
    }
    Ok(())
}

/// Opens what [`seal`] wrote.
pub(super) fn open(file_key: &[u8; FILE_KEY], sealed: &[u8]) -> Result<Masked, AgeError> {
    let (salt, sealed) = sealed.split_at_checked(SALT).ok_or(AgeError::Damaged)?;
    let cipher = cipher(&*derived(file_key, salt, b"payload")?)?;
    if sealed.is_empty() {
        return Err(AgeError::Damaged);
    }
    let mut content = Zeroizing::new(Vec::with_capacity(sealed.len()));
    let pieces = sealed.chunks(PIECE + TAG);
    let count = pieces.len();
    for (at, piece) in pieces.enumerate() {
        // Only content of no bytes may end with an empty piece.
        if piece.len() == TAG && count > 1 {
            return Err(AgeError::Damaged);
        }
        let mut piece = Zeroizing::new(piece.to_vec());
        let opened = cipher
            .open_in_place(nonce(at as u64, at + 1 == count), Aad::empty(), &mut piece)
            .map_err(|_| AgeError::Damaged)?;
        content.extend_from_slice(opened);
    }
    Ok(Masked::new(std::mem::take(&mut *content)))
}
