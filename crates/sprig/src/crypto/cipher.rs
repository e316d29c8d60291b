//! AES-256 in CBC mode, with a key cut or filled up to 32 bytes.

use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use landfall_gotemplate::FuncError;

use crate::context::Context;
use crate::encoding::decode_base64;

const BLOCK: usize = 16;

fn key(password: &[u8]) -> Result<UnboundCipherKey, FuncError> {
    let mut key = [0; 32];
    let len = password.len().min(key.len());
    key[..len].copy_from_slice(&password[..len]);
    UnboundCipherKey::new(&AES_256, &key).map_err(|_| failed())
}

fn failed() -> FuncError {
    FuncError::new("crypto/aes: cipher failed")
}

/// Base64 of a random start block and the encrypted text; nothing for nothing.
pub(super) fn encrypt(context: &Context, password: &[u8], text: &[u8]) -> Result<String, FuncError> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let mut start = [0; BLOCK];
    context.random.fill(&mut start);
    let mut sealed = text.to_vec();
    PaddedBlockEncryptingKey::cbc_pkcs7(key(password)?)
        .and_then(|key| key.less_safe_encrypt(&mut sealed, EncryptionContext::Iv128(FixedLength::from(&start))))
        .map_err(|_| failed())?;
    Ok(base64::engine::general_purpose::STANDARD.encode([&start[..], &sealed].concat()))
}

/// What [`encrypt`] was given. The padding is not checked, as in Sprig: a wrong key gives wrong bytes.
pub(super) fn decrypt(password: &[u8], sealed: &[u8]) -> Result<Vec<u8>, FuncError> {
    if sealed.is_empty() {
        return Ok(Vec::new());
    }
    let bytes =
        decode_base64(sealed).map_err(|at| FuncError::new(format!("illegal base64 data at input byte {at}")))?;
    if bytes.len() < BLOCK {
        // Go makes room for what so much base64 can hold.
        let capacity = sealed.len() / 4 * 3;
        let problem = format!("runtime error: slice bounds out of range [:{BLOCK}] with capacity {capacity}");
        return Err(FuncError::new(problem));
    }
    let (start, body) = bytes.split_at(BLOCK);
    if body.is_empty() {
        return Err(FuncError::new("runtime error: index out of range [-1]"));
    }
    if !body.len().is_multiple_of(BLOCK) {
        return Err(FuncError::new("crypto/cipher: input not full blocks"));
    }
    let start: [u8; BLOCK] = start.try_into().map_err(|_| failed())?;
    let mut text = body.to_vec();
    DecryptingKey::cbc(key(password)?)
        .and_then(|key| key.decrypt(&mut text, DecryptionContext::Iv128(FixedLength::from(&start))).map(|_| ()))
        .map_err(|_| failed())?;
    let padding = usize::from(text.last().copied().unwrap_or(0));
    match text.len().checked_sub(padding) {
        Some(len) => {
            text.truncate(len);
            Ok(text)
        }
        None => {
            let missing = padding - text.len();
            Err(FuncError::new(format!("runtime error: slice bounds out of range [:-{missing}]")))
        }
    }
}
