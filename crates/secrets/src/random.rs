//! The one source of randomness: the system's, through aws-lc. It is no parameter, so that nobody can seal with a seed.

use zeroize::Zeroizing;

use crate::CryptoError;

/// So many random bytes.
///
/// # Errors
/// [`CryptoError`] when the system gives none.
pub(crate) fn bytes<const LEN: usize>() -> Result<Zeroizing<[u8; LEN]>, CryptoError> {
    let mut bytes = Zeroizing::new([0; LEN]);
    aws_lc_rs::rand::fill(&mut bytes[..]).map_err(|_| CryptoError::Failed)?;
    Ok(bytes)
}
