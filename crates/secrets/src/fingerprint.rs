//! What a value is known again by, without telling it: stretched and salted, so that it can stand in git.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::hybrid::CryptoError;
use crate::masked::Masked;
use crate::random;

/// The form of a fingerprint: `scrypt14.SALT.TAG`: no letter that YAML would want quotes for.
const FORM: &str = "scrypt14";
/// The work, as a power of two: 16 MiB and some hundredths of a second for whoever tries one value.
const WORK: u8 = 14;
/// Bytes of the salt and of what comes out.
const BYTES: usize = 16;

/// What a value is known again by.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    salt: [u8; BYTES],
    tag: [u8; BYTES],
}

impl Fingerprint {
    /// The fingerprint of a value, under a salt of its own.
    ///
    /// # Errors
    /// [`CryptoError::Failed`]
    pub fn of(value: &Masked) -> Result<Self, CryptoError> {
        let salt = *random::bytes()?;
        Ok(Self { salt, tag: stretched(value, &salt)? })
    }

    /// Whether it is that of a value.
    ///
    /// # Errors
    /// [`CryptoError::Failed`]
    pub fn is_of(&self, value: &Masked) -> Result<bool, CryptoError> {
        let tag = stretched(value, &self.salt)?;
        Ok(aws_lc_rs::constant_time::verify_slices_are_equal(&tag, &self.tag).is_ok())
    }

    /// What two values are told apart by in one report: four bytes of each in hexadecimal, under one salt that nobody keeps, so
    /// that whoever reads the report can try no value.
    ///
    /// # Errors
    /// [`CryptoError::Failed`]
    pub fn apart(one: &Masked, other: &Masked) -> Result<[String; 2], CryptoError> {
        let salt = *random::bytes()?;
        let shown = |value| Ok(stretched(value, &salt)?[..4].iter().map(|byte| format!("{byte:02x}")).collect());
        Ok([shown(one)?, shown(other)?])
    }

    /// Reads one as it is written; nothing for another text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (FORM, salt, tag, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
        let bytes = |text: &str| <[u8; BYTES]>::try_from(URL_SAFE_NO_PAD.decode(text).ok()?).ok();
        Some(Self { salt: bytes(salt)?, tag: bytes(tag)? })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORM}.{}.{}", URL_SAFE_NO_PAD.encode(self.salt), URL_SAFE_NO_PAD.encode(self.tag))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn stretched(value: &Masked, salt: &[u8; BYTES]) -> Result<[u8; BYTES], CryptoError> {
    let params = scrypt::Params::new(WORK, 8, 1, BYTES).map_err(|_| CryptoError::Failed)?;
    let mut tag = [0; BYTES];
    scrypt::scrypt(value.reveal(), salt, &params, &mut tag).map_err(|_| CryptoError::Failed)?;
    Ok(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_are_told_apart_by_what_differs_from_report_to_report() {
        let (value, other) = (Masked::from(&b"canary"[..]), Masked::from(&b"canarz"[..]));
        let apart = |one, other| Fingerprint::apart(one, other).expect("made");
        let [one, two] = apart(&value, &other);
        assert!(
            one != two && [&one, &two].iter().all(|it| it.len() == 8 && it.bytes().all(|it| it.is_ascii_hexdigit()))
        );
        let [again, same] = apart(&value, &value);
        assert!(again == same && again != one);
    }

    #[test]
    fn a_fingerprint_knows_its_value_again_and_no_other_and_differs_each_time() {
        let (value, other) = (Masked::from(&b"canary"[..]), Masked::from(&b"canarz"[..]));
        let first = Fingerprint::of(&value).expect("made");
        let again = Fingerprint::of(&value).expect("made");
        assert_ne!(first, again);
        let read = Fingerprint::parse(&first.to_string()).expect("its own form");
        assert_eq!((read.is_of(&value), read.is_of(&other)), (Ok(true), Ok(false)));
        for text in
            ["", "scrypt14..", "scrypt15.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA", "scrypt14.AA.AA", "a.b.c.d"]
        {
            assert_eq!(Fingerprint::parse(text), None, "{text}");
        }
    }
}
