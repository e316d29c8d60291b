//! A value that must not be seen.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes in clear: wiped when they go, and never in a `Debug`.
#[derive(Clone, Default)]
pub struct Masked(Zeroizing<Vec<u8>>);

impl Masked {
    /// Takes bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes; who calls this answers for where they go.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Masked {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masked(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_value_is_not_in_its_debug_text() {
        let masked = Masked::from(&b"canary"[..]);
        assert_eq!(format!("{masked:?} {:?}", std::slice::from_ref(&masked)), "Masked(***) [Masked(***)]");
        assert_eq!(masked.reveal(), b"canary");
    }
}
