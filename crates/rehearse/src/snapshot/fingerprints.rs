use std::fmt;

use aws_lc_rs::hmac;
use landfall_diag::{Diagnostic, code};
use landfall_object::{Object, mask};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::masked;

/// What a fingerprint begins with.
const MARK: &str = "fingerprint:";
/// Bytes of a key and of a fingerprint.
const LENGTH: usize = 16;
/// Digits of a fingerprint that an earlier version made, which had no key.
const UNKEYED_DIGITS: usize = 8;

/// Makes the fingerprints of one snapshot: who has its key can say whether a value is the one that was there, nobody
/// else can, and those of two snapshots are never alike.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fingerprints {
    /// Absent in snapshots of earlier versions.
    key: Option<[u8; LENGTH]>,
}

impl fmt::Debug for Fingerprints {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.key.is_some() { "Fingerprints(keyed)" } else { "Fingerprints(unkeyed)" })
    }
}

impl Fingerprints {
    /// With a key of their own.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn random() -> Result<Self, Diagnostic> {
        let mut key = [0; LENGTH];
        aws_lc_rs::rand::fill(&mut key)
            .map_err(|_| Diagnostic::error(code::NO_RANDOMNESS, "there is no randomness for the key of a snapshot"))?;
        Ok(Fingerprints::keyed(key))
    }

    /// With that key.
    pub fn keyed(key: [u8; LENGTH]) -> Self {
        Fingerprints { key: Some(key) }
    }

    /// Whether there is no key, as in snapshots of earlier versions.
    pub(super) fn is_unkeyed(&self) -> bool {
        self.key.is_none()
    }

    /// Whether two states of a Secret have the same data, fingerprints on either side.
    pub(crate) fn have_same_data(&self, one: &Object, other: &Object) -> bool {
        let data = |object: &Object| masked(object.clone(), self).at("/data").cloned();
        data(one) == data(other)
    }

    /// Whether a key of two Secrets has the same value, fingerprints on either side; `None` where the first has none.
    pub(crate) fn have_same(&self, one: &Object, other: &Object, key: &str) -> Option<bool> {
        let value = |object: &Object| masked(object.clone(), self).at("/data").and_then(|data| data.get(key)).cloned();
        value(one).map(|one| Some(one) == value(other))
    }

    /// What `kubectl apply` wrote last by the one, when the other one's fingerprint says that it is the same there.
    pub(crate) fn have_same_copy<'a>(&self, one: &'a Object, other: &Object) -> Option<&'a str> {
        let copy = |object: &Object| masked(object.clone(), self).annotation(mask::LAST_APPLIED).map(str::to_owned);
        one.annotation(mask::LAST_APPLIED).filter(|_| copy(one) == copy(other))
    }

    /// Digits that say whether a value is the same as at another time; a fingerprint is its own.
    pub(super) fn of(&self, scope: &str, key: &str, plain: &[u8]) -> String {
        if let Some(text) = std::str::from_utf8(plain).ok().filter(|text| is_fingerprint(text)) {
            return text.to_owned();
        }
        let content = [scope.as_bytes(), &[0], key.as_bytes(), &[0], plain].concat();
        match &self.key {
            Some(key) => {
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &content);
                format!("{MARK}{}", hex(&tag.as_ref()[..LENGTH]))
            }
            None => format!("{MARK}{}", hex(&Sha256::digest(content)[..UNKEYED_DIGITS / 2])),
        }
    }
}

fn is_fingerprint(text: &str) -> bool {
    text.strip_prefix(MARK).is_some_and(|digits| {
        matches!(digits.len(), UNKEYED_DIGITS | 32) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Serialize for Fingerprints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.key.as_ref().map(|key| hex(key)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fingerprints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Value::String(text) = Value::deserialize(deserializer)? else { return Ok(Fingerprints::default()) };
        let byte = |at: usize| text.get(2 * at..2 * at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let mut key = [0; LENGTH];
        for (at, slot) in key.iter_mut().enumerate() {
            *slot = byte(at).ok_or_else(|| serde::de::Error::custom("`key` is not 32 hexadecimal digits"))?;
        }
        Ok(Fingerprints::keyed(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_not_shown() {
        let written = Fingerprints::keyed([0xa7; LENGTH]);
        let text = serde_json::to_string(&written).expect("JSON");
        assert_eq!(serde_json::from_str::<Fingerprints>(&text).expect("read"), written);
        assert!(serde_json::from_str::<Fingerprints>("\"a7\"").is_err());
        assert!(!format!("{written:?}").contains("a7"));
    }

    #[test]
    fn fingerprints_of_the_version_before_are_known_again() {
        let before = Fingerprints::default().of("shop/keys", "PASSWORD", b"hunter2");
        assert_eq!(before.len(), MARK.len() + UNKEYED_DIGITS);
        assert_eq!(Fingerprints::keyed([1; LENGTH]).of("shop/keys", "PASSWORD", before.as_bytes()), before);
    }
}
