//! Values that are made: random bytes in a form, RSA keys, public halves.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use landfall_project::Alphabet;
use zeroize::Zeroizing;

use crate::compose::{self, ComposeError};
use crate::declared::{Key, Making};
use crate::hybrid::CryptoError;
use crate::key::{KeyError, PrivateKey};
use crate::masked::Masked;
use crate::random::system_random;

/// Fills bytes: with what cannot be foreseen, or with the sequence of a test in this file.
type Draw<'d> = &'d mut dyn FnMut(&mut [u8]) -> Result<(), CryptoError>;

/// Why a value was not made. No value is in any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MakeError {
    /// The cryptography refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// What should be an RSA key is none.
    #[error("`{0}` holds no RSA key, so that it has no public half")]
    NoKey(String),
    /// A part is not known.
    #[error("the value of `{0}` is not known here")]
    Part(String),
    /// It does not follow from its parts.
    #[error(transparent)]
    Composed(#[from] ComposeError),
    /// Nobody makes it: it is given.
    #[error("it is not made here: somebody gives it")]
    Given,
}

/// Makes the value of a key; parts are looked up in `known`.
///
/// # Errors
/// [`MakeError`]
pub fn make(name: &str, key: &Key, known: &BTreeMap<String, Masked>) -> Result<Masked, MakeError> {
    make_of(name, key, known, &mut system_random)
}

/// The same of what is drawn from, but for RSA keys, which are the system's in any case.
fn make_of(name: &str, key: &Key, known: &BTreeMap<String, Masked>, draw: Draw<'_>) -> Result<Masked, MakeError> {
    let part = |name: &str| known.get(name).ok_or_else(|| MakeError::Part(name.to_owned()));
    match &key.making {
        Making::Random { bytes, alphabet, prefix } => {
            let mut raw = Zeroizing::new(vec![0; usize::from(*bytes)]);
            draw(&mut raw)?;
            // Room for all of it: growing would leave a copy in clear behind.
            let mut text = Zeroizing::new(String::with_capacity(prefix.len() + 2 * raw.len() + 4));
            text.push_str(prefix);
            match alphabet {
                Alphabet::Base64 => STANDARD.encode_string(&*raw, &mut text),
                Alphabet::Url => URL_SAFE_NO_PAD.encode_string(&*raw, &mut text),
                Alphabet::Hex => {
                    for byte in raw.iter() {
                        for digit in [byte >> 4, byte & 15] {
                            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                        }
                    }
                }
            }
            Ok(Masked::from(text.as_bytes()))
        }
        Making::Rsa(size) => {
            let made = PrivateKey::generate(*size).map_err(|error| match error {
                KeyError::Crypto(error) => error,
                KeyError::None | KeyError::Unusable => CryptoError::Failed,
            });
            Ok(made?.pkcs8_pem())
        }
        Making::PublicOf(of) => {
            let private = PrivateKey::parse(part(of)?.reveal()).map_err(|_| MakeError::NoKey(of.clone()))?;
            Ok(Masked::new(private.public().pem().into_bytes()))
        }
        Making::Composed { template, parts } => {
            let mut values = BTreeMap::new();
            for name in parts {
                values.insert(name.clone(), part(name)?.clone());
            }
            Ok(compose::compose(name, template, &values)?)
        }
        Making::Given => Err(MakeError::Given),
    }
}

#[cfg(test)]
mod tests {
    use landfall_project::Secrets;

    use super::*;
    use crate::Declared;

    fn made(keys: &str) -> BTreeMap<String, String> {
        let text = format!("{{\"target\": \"app\", \"keys\": {keys}}}");
        let secrets: Secrets = serde_json::from_str(&text).expect("of the schema");
        let declared = Declared::of(&secrets).expect("fine");
        let mut known = BTreeMap::new();
        let mut next = 0_u8;
        let mut draw = |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(37);
            }
            Ok(())
        };
        for (name, key) in declared.in_order() {
            let value = make_of(name, key, &known, &mut draw).expect("made");
            known.insert(name.to_owned(), value);
        }
        known.iter().map(|(name, value)| (name.clone(), String::from_utf8_lossy(value.reveal()).into_owned())).collect()
    }

    #[test]
    fn random_bytes_are_written_with_their_alphabet_and_nothing_else_decides() {
        let made = made(
            r#"{"A": {"generate": {"random": 6}}, "B": {"generate": {"random": 6, "alphabet": "hex"}},
                "C": {"generate": {"random": 5, "alphabet": "url"}}, "D": {"generate": "once", "random": 32, "prefix": "base64:"}}"#,
        );
        assert_eq!(made["A"], "ACVKb5S5");
        assert_eq!(made["B"], "de03284d7297");
        assert_eq!(made["C"], "vOEGK1A");
        let key = made["D"].strip_prefix("base64:").expect("its form");
        assert_eq!(STANDARD.decode(key).map(|bytes| bytes.len()), Ok(32));
    }

    /// EZ-32: what the site's OAuth server reads.
    #[test]
    fn the_public_half_belongs_to_the_private_one_and_what_is_composed_to_its_parts() {
        let made = made(
            r#"{"k": {"generate": "once", "rsa": 2048}, "p": {"public-of": "k"}, "W": {"generate": {"random": 9, "alphabet": "url"}},
                "U": {"template": "db://x:{{ .W }}@h/{{ .W }}"}}"#,
        );
        assert!(
            made["k"].starts_with("-----BEGIN PRIVATE KEY-----\n")
                && made["k"].ends_with("-----END PRIVATE KEY-----\n")
        );
        assert!(made["p"].starts_with("-----BEGIN PUBLIC KEY-----\n"), "{}", made["p"]);
        let private = PrivateKey::parse(made["k"].as_bytes()).expect("an RSA key");
        assert_eq!(private.public().pem(), made["p"]);
        assert_eq!(made["U"], format!("db://x:{0}@h/{0}", made["W"]));
    }
}
