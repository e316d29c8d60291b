//! The one source of randomness: the system's, through aws-lc. Nothing takes it as a parameter, so that nobody can seal
//! with a seed or make a value of one.

use zeroize::Zeroizing;

use crate::CryptoError;

/// So many random bytes.
///
/// # Errors
/// [`CryptoError`] when the system gives none.
pub(crate) fn bytes<const LEN: usize>() -> Result<Zeroizing<[u8; LEN]>, CryptoError> {
    let mut bytes = Zeroizing::new([0; LEN]);
    system_random(&mut bytes[..])?;
    Ok(bytes)
}

/// The system's randomness, through aws-lc.
///
/// # Errors
/// [`CryptoError::Failed`]
pub(crate) fn system_random(bytes: &mut [u8]) -> Result<(), CryptoError> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| CryptoError::Failed)
}
