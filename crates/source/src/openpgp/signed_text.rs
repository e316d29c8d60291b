//! A text with its signature behind it (RFC 9580, section 7).

use base64::Engine as _;

use super::packet::Reader;
use super::signature::{Kind, Signature};
use super::{OpenPgpError, malformed};

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";
/// Names of digests that a head may give.
const HASHES: [&str; 7] = ["SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "SHA3-256", "SHA3-512"];

/// A signed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedText {
    text: String,
    canonical: String,
    armored: Vec<u8>,
}

impl SignedText {
    /// Finds the first signed text; `None` when there is none, or none that is whole.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let all = std::str::from_utf8(bytes).ok()?;
        let from = if all.starts_with(BEGIN) { 0 } else { all.find(&format!("\n{BEGIN}"))? + 1 };
        let mut lines = all[from..].split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        if lines.next() != Some(BEGIN) {
            return None;
        }
        loop {
            let line = lines.next()?;
            if line.trim().is_empty() {
                break;
            }
            // No other header has a meaning, and an unsigned one might be taken for part of the text.
            let names = line.strip_prefix("Hash:")?;
            if !names.split(',').all(|name| HASHES.contains(&name.trim().to_ascii_uppercase().as_str())) {
                return None;
            }
        }
        let mut signed: Vec<&str> = Vec::new();
        loop {
            let line = lines.next()?;
            if line == SIGNATURE {
                break;
            }
            let line = line.strip_prefix("- ").unwrap_or(line);
            signed.push(line.trim_end_matches([' ', '\t']));
        }
        let mut armored = String::new();
        let mut head = true;
        loop {
            let line = lines.next()?.trim();
            if line == END {
                break;
            }
            match line {
                "" => head = false,
                _ if head && line.contains(':') => {}
                checksum if checksum.len() == 5 && checksum.starts_with('=') => {}
                line => {
                    head = false;
                    armored.push_str(line);
                }
            }
        }
        let armored = base64::engine::general_purpose::STANDARD.decode(armored).ok()?;
        Some(SignedText { text: signed.join("\n"), canonical: signed.join("\r\n"), armored })
    }

    /// The text, without what was escaped to sign it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes a signature of that kind is about.
    pub(super) fn signed_bytes(&self, signature: &Signature) -> Result<&[u8], OpenPgpError> {
        match signature.kind {
            Kind::Binary | Kind::Text => Ok(self.canonical.as_bytes()),
            kind => Err(OpenPgpError::Unsupported(format!("unsupported signature type: {kind:?}"))),
        }
    }

    /// Its signatures, one after the other; those that are not read are left out.
    pub(super) fn signatures(&self) -> Result<Vec<Signature>, OpenPgpError> {
        let mut reader = Reader(&self.armored);
        let mut signatures = Vec::new();
        while let Some(packet) = reader.packet()? {
            if packet.tag != 2 {
                return Err(malformed("non signature packet found"));
            }
            match Signature::parse(packet.body) {
                Ok(signature) => signatures.push(signature),
                Err(OpenPgpError::Unsupported(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(signatures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(text: &str, head: &str) -> String {
        format!("{BEGIN}\n{head}\n{text}\n{SIGNATURE}\n\nwsA=\n=abcd\n{END}\n")
    }

    #[test]
    fn a_text_is_read_without_what_was_escaped() {
        let found = SignedText::find(signed("name: a  \n- -x\n\nend", "Hash: SHA512\n").as_bytes()).expect("a text");
        assert_eq!(found.text(), "name: a\n-x\n\nend");
        assert_eq!(found.canonical, "name: a\r\n-x\r\n\r\nend");
        assert_eq!(found.armored, [0xC2, 0xC0]);
    }

    #[test]
    fn what_is_not_whole_is_not_found() {
        for broken in ["", BEGIN, "x", &signed("a", "Comment: hidden\n"), &signed("a", "Hash: MD5\n")] {
            assert_eq!(SignedText::find(broken.as_bytes()), None, "{broken}");
        }
        let whole = signed("a", "");
        assert!(SignedText::find(whole.as_bytes()).is_some());
        assert_eq!(SignedText::find(whole.trim_end_matches("-----\n").as_bytes()), None);
    }
}
