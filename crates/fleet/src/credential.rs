//! What enrollment tokens and credentials look like, and what is kept of them: never the secret itself.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};

use crate::hex::{hex, unhex};

/// How many random bytes make the prefix by which a row is found.
pub const PREFIX_BYTES: usize = 4;
/// How many random bytes make the secret.
pub const SECRET_BYTES: usize = 24;

/// Whether something enrolls an edge or is an edge's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// `etr_live_…`: enrolls.
    Enrollment,
    /// `wk_live_…`: is an edge's own.
    Edge,
}

impl CredentialKind {
    fn head(self) -> &'static str {
        match self {
            Self::Enrollment => "etr_live_",
            Self::Edge => "wk_live_",
        }
    }
}

/// A token or credential whose shape is right.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Of which kind.
    pub kind: CredentialKind,
    /// Eight characters by which the row is found; no secret.
    pub prefix: String,
    secret: String,
}

/// A text that is no token or credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is neither an enrollment token (etr_live_…) nor an edge's credential (wk_live_…)")]
pub struct BadCredential;

/// The key under which digests of secrets are kept (`WORKER_CREDENTIAL_PEPPER`); its bytes are the text's, nothing is decoded.
#[derive(Clone)]
pub struct Pepper(hmac::Key);

impl Credential {
    /// A new one of random bytes that the caller drew.
    #[must_use]
    pub fn of_random(kind: CredentialKind, prefix: [u8; PREFIX_BYTES], secret: [u8; SECRET_BYTES]) -> Self {
        Self { kind, prefix: hex(&prefix), secret: hex(&secret) }
    }

    /// Reads one: eight of `[a-z0-9]`, an underscore, 48 of `[a-f0-9]`.
    ///
    /// # Errors
    /// When the text has another shape, or is of the other kind.
    pub fn parse(kind: CredentialKind, text: &str) -> Result<Self, BadCredential> {
        let (prefix, secret) =
            text.strip_prefix(kind.head()).and_then(|rest| rest.split_once('_')).ok_or(BadCredential)?;
        let fits = prefix.len() == PREFIX_BYTES * 2
            && prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && secret.len() == SECRET_BYTES * 2
            && secret.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self { kind, prefix: prefix.to_owned(), secret: secret.to_owned() }) } else { Err(BadCredential) }
    }

    /// The whole text, to be handed out once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{}{}_{}", self.kind.head(), self.prefix, self.secret)
    }

    /// What is kept of it: HMAC-SHA-256 of the secret's 48 characters, as hexadecimal text.
    #[must_use]
    pub fn digest(&self, pepper: &Pepper) -> String {
        hex(hmac::sign(&pepper.0, self.secret.as_bytes()).as_ref())
    }

    /// Whether this is the one that the digest was kept of; takes as long whatever is wrong.
    #[must_use]
    pub fn matches(&self, pepper: &Pepper, digest: &str) -> bool {
        let kept = unhex(digest).unwrap_or_default();
        let own = hmac::sign(&pepper.0, self.secret.as_bytes());
        constant_time::verify_slices_are_equal(own.as_ref(), &kept).is_ok()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}{}_…", self.kind.head(), self.prefix)
    }
}

impl Pepper {
    /// A pepper of its text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Pepper(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest that Node's crypto made of the same pepper and secret.
    #[test]
    fn the_digest_is_the_one_of_the_existing_gateway() {
        let text = format!("wk_live_0a1b2c3z_{}", "0123456789abcdef".repeat(3));
        let credential = Credential::parse(CredentialKind::Edge, &text).expect("its shape is right");
        let pepper = Pepper::new("test-pepper");
        let digest = "86e2dcc8df608f1ae4c85b3e0961abfcfcd2e0f1f63d0b1d996823b33215829a";
        assert_eq!(credential.digest(&pepper), digest);
        assert!(credential.matches(&pepper, digest) && !credential.matches(&Pepper::new("another"), digest));
        assert!(!credential.matches(&pepper, "no digest"));
        assert_eq!(credential.reveal(), text);
        assert!(!format!("{credential:?}").contains("0123456789"));
    }

    #[test]
    fn other_shapes_are_refused() {
        let secret = "a".repeat(48);
        for text in [
            format!("etr_live_0a1b2c3d_{secret}"),
            format!("wk_live_0a1b2c3_{secret}"),
            format!("wk_live_0A1b2c3d_{secret}"),
            format!("wk_live_0a1b2c3d_{}", "g".repeat(48)),
            format!("wk_live_0a1b2c3d_{secret}0"),
            format!(" wk_live_0a1b2c3d_{secret}"),
            String::new(),
        ] {
            assert_eq!(Credential::parse(CredentialKind::Edge, &text), Err(BadCredential), "{text}");
        }
    }
}
