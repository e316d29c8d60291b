//! What a forge tells of a push, and whether it is that forge: GitHub, GitLab, Gitea, Forgejo, Bitbucket.
//!
//! The bytes are looked at only after their signature: who does not know the secret is told nothing and costs a digest.

use aws_lc_rs::{constant_time, hmac};
use serde_json::Value;

/// The secret that a forge signs with, or sends along.
#[derive(Clone)]
pub struct HookSecret(Vec<u8>);

impl std::fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookSecret(***)")
    }
}

impl HookSecret {
    /// From its bytes, blanks and line breaks around it left out; none when nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| HookSecret(text.as_bytes().to_vec()))
    }

    fn signed(&self, body: &[u8], signature: &str) -> bool {
        let hex = signature.strip_prefix("sha256=").unwrap_or(signature);
        let Some(tag) = bytes_of(hex) else { return false };
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), body, &tag).is_ok()
    }

    fn is(&self, token: &str) -> bool {
        constant_time::verify_slices_are_equal(&self.0, token.as_bytes()).is_ok()
    }
}

/// A request that nobody who knows the secret has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request has no signature that is known")]
pub struct NotSigned;

/// What a forge tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hook {
    /// References of a repository have moved.
    Pushed(Pushed),
    /// It tries whether somebody listens.
    Ping,
    /// Something else, or nothing that can be read.
    Other,
}

/// Where references have moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The repository, by each of its addresses.
    pub addresses: Vec<String>,
    /// The branch or tag; absent where several have moved, or it is not said.
    pub revision: Option<String>,
}

/// Headers in which a forge names its event.
const EVENTS: [&str; 5] = ["x-gitea-event", "x-forgejo-event", "x-github-event", "x-gitlab-event", "x-event-key"];
/// Headers that hold an HMAC of the body, SHA-256, hexadecimal.
const SIGNATURES: [&str; 4] = ["x-hub-signature-256", "x-gitea-signature", "x-forgejo-signature", "x-hub-signature"];
/// The header in which GitLab sends its secret along.
const TOKEN: &str = "x-gitlab-token";
/// Where a payload has its repository's addresses.
const ADDRESSES: [&str; 12] = [
    "/repository/clone_url",
    "/repository/html_url",
    "/repository/ssh_url",
    "/repository/git_url",
    "/repository/url",
    "/repository/git_http_url",
    "/repository/git_ssh_url",
    "/repository/links/html/href",
    "/project/git_http_url",
    "/project/git_ssh_url",
    "/project/web_url",
    "/project/http_url",
];

impl Hook {
    /// Reads a request; `header` answers a header by its name in lower case. Any of the secrets will do: while one takes
    /// another's place, both are known.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn read<'h>(
        secrets: &[HookSecret],
        header: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
    ) -> Result<Self, NotSigned> {
        let signatures: Vec<&str> = SIGNATURES.iter().filter_map(|name| header(name)).collect();
        let token = header(TOKEN);
        let known = |secret: &HookSecret| {
            signatures.iter().any(|signature| secret.signed(body, signature))
                || token.is_some_and(|token| secret.is(token))
        };
        if !secrets.iter().any(known) {
            return Err(NotSigned);
        }
        Ok(Hook::told(header, body))
    }

    /// Whether a request claims to be signed, rightly or not.
    pub fn claims<'h>(header: impl Fn(&str) -> Option<&'h str>) -> bool {
        SIGNATURES.iter().chain(&[TOKEN]).any(|name| header(name).is_some_and(|text| !text.is_empty()))
    }

    /// What a request tells, whoever has sent it.
    pub fn told<'h>(header: impl Fn(&str) -> Option<&'h str>, body: &[u8]) -> Self {
        let event = EVENTS.iter().find_map(|name| header(name)).unwrap_or_default().to_lowercase();
        match event.as_str() {
            "ping" | "diagnostics:ping" => Hook::Ping,
            "push" | "create" | "push hook" | "tag push hook" | "repo:push" | "repo:refs_changed" => {
                pushed(body).map_or(Hook::Other, Hook::Pushed)
            }
            _ => Hook::Other,
        }
    }
}

fn pushed(body: &[u8]) -> Option<Pushed> {
    let payload: Value = serde_json::from_slice(body).ok()?;
    let text = |pointer: &&str| payload.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let mut addresses: Vec<String> = ADDRESSES.iter().filter_map(text).filter(|address| !address.is_empty()).collect();
    // Bitbucket Data Center has a list, one address a protocol.
    for clone in payload.pointer("/repository/links/clone").and_then(Value::as_array).into_iter().flatten() {
        addresses.extend(clone["href"].as_str().map(str::to_owned));
    }
    addresses.sort();
    addresses.dedup();
    let name = |text: &str| {
        let text = text.strip_prefix("refs/heads/").or_else(|| text.strip_prefix("refs/tags/")).unwrap_or(text);
        text.to_owned()
    };
    let revision = payload["ref"].as_str().map(name);
    (!addresses.is_empty()).then_some(Pushed { addresses, revision })
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if hex.len() % 2 == 1 || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"ref": "refs/heads/main", "repository": {"clone_url": "https://git.example.com/shop.git"}}"#;

    fn secret(text: &str) -> HookSecret {
        HookSecret::new(text).expect("not empty")
    }

    fn signature(secret: &HookSecret, body: &str) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret.0), body.as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn read(headers: &[(&str, &str)], body: &str) -> Result<Hook, NotSigned> {
        let known = [secret("old secret"), secret("It's a Secret to Everybody\n")];
        Hook::read(&known, |name| headers.iter().find(|(own, _)| *own == name).map(|(_, text)| *text), body.as_bytes())
    }

    #[test]
    fn a_signature_is_checked_as_github_makes_it() {
        // docs.github.com, "Validating webhook deliveries": the values to test an implementation with.
        let told = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let headers = [("x-hub-signature-256", told), ("x-github-event", "ping")];
        assert_eq!(read(&headers, "Hello, World!"), Ok(Hook::Ping));
        assert_eq!(read(&headers, "Hello, World?"), Err(NotSigned));
    }

    #[test]
    fn a_push_is_read_of_every_forge_that_signs_or_sends_its_token() {
        let signed = signature(&secret("old secret"), BODY);
        let hub = format!("sha256={signed}");
        let pushed = Pushed {
            addresses: vec!["https://git.example.com/shop.git".to_owned()],
            revision: Some("main".to_owned()),
        };
        for headers in [
            [("x-hub-signature-256", hub.as_str()), ("x-github-event", "push")],
            [("x-gitea-signature", signed.as_str()), ("x-gitea-event", "push")],
            [("x-hub-signature", hub.as_str()), ("x-event-key", "repo:push")],
            [("x-gitlab-token", "old secret"), ("x-gitlab-event", "Push Hook")],
        ] {
            assert_eq!(read(&headers, BODY), Ok(Hook::Pushed(pushed.clone())), "{headers:?}");
        }
    }

    #[test]
    fn nobody_is_let_in_without_a_signature_by_a_wrong_one_or_where_no_secret_is_known() {
        for headers in [
            vec![("x-github-event", "push")],
            vec![("x-github-event", "push"), ("x-hub-signature-256", "sha256=")],
            vec![("x-github-event", "push"), ("x-hub-signature-256", "sha256=é0")],
            vec![("x-gitlab-event", "Push Hook"), ("x-gitlab-token", "")],
            vec![("x-gitlab-event", "Push Hook"), ("x-gitlab-token", "old secre")],
        ] {
            assert_eq!(read(&headers, BODY), Err(NotSigned), "{headers:?}");
        }
        let token = [("x-gitlab-token", "")];
        assert_eq!(Hook::read(&[], |_| Some(token[0].1), BODY.as_bytes()), Err(NotSigned));
        assert!(HookSecret::new(" \n").is_none());
    }

    #[test]
    fn what_is_no_push_is_something_else() {
        let signed = signature(&secret("old secret"), "[]");
        for event in ["issues", "push"] {
            assert_eq!(read(&[("x-gitea-signature", &signed), ("x-gitea-event", event)], "[]"), Ok(Hook::Other));
        }
    }
}
