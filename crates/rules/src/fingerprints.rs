//! What stands for the values of Secrets where they were left behind.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::{Object, mask};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

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
    /// Bytes of a key.
    pub const KEY_LENGTH: usize = LENGTH;

    /// With that key, which nobody else has.
    pub fn keyed(key: [u8; LENGTH]) -> Self {
        Fingerprints { key: Some(key) }
    }

    /// Whether there is no key, as in snapshots of earlier versions.
    pub fn is_unkeyed(&self) -> bool {
        self.key.is_none()
    }

    /// A Secret, or what holds values like one, with fingerprints in place of its values; anything else as it is.
    pub fn mask(&self, mut object: Object) -> Object {
        if !mask::is_secret(&object) {
            return object;
        }
        let encoded = object.kind() != "ConfigMap";
        let scope = format!("{}/{}", object.namespace().unwrap_or_default(), object.name());
        let mut values = Vec::new();
        for field in ["data", "stringData"] {
            let Some(mut value) = object.map_mut().remove(field) else { continue };
            for (key, value) in value.as_object_mut().into_iter().flatten() {
                let text = value.as_str().unwrap_or_default();
                *value = Value::String(if field == "data" && encoded {
                    let plain = STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
                    STANDARD.encode(self.of(&scope, key, &plain))
                } else {
                    self.of(&scope, key, text.as_bytes())
                });
            }
            // What is no map holds no keys, and nothing that could be compared.
            if value.is_object() {
                values.push((field.to_owned(), value));
            }
        }
        let copy =
            object.annotation(mask::LAST_APPLIED).map(|copy| self.of(&scope, mask::LAST_APPLIED, copy.as_bytes()));
        mask::hide(Some(&mut object), None);
        if let Some(copy) = copy {
            object.set_annotation(mask::LAST_APPLIED, copy);
        }
        object.map_mut().extend(values);
        object
    }

    /// Whether a key of two Secrets has the same value, fingerprints on either side; `None` where the first has none.
    pub fn have_same(&self, one: &Object, other: &Object, key: &str) -> Option<bool> {
        let value = |object: &Object| self.mask(object.clone()).at("/data").and_then(|data| data.get(key)).cloned();
        value(one).map(|one| Some(one) == value(other))
    }

    /// Digits that say whether a value is the same as at another time; a fingerprint is its own.
    pub fn of(&self, scope: &str, key: &str, plain: &[u8]) -> String {
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
