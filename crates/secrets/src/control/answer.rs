//! What the controller answers over HTTP (`pkg/controller/server.go`).

use jiff::Timestamp;
use landfall_sprig::{Context, Seeded};
use serde_json::Value;

use super::text;
use crate::KIND;
use crate::keyring::Keyring;
use crate::unseal::{reseal, unseal};

/// Bytes of a SealedSecret that is asked about.
pub const MOST_BYTES: usize = 1 << 20;
/// Values in it: each costs an operation with a private key.
pub const MOST_VALUES: usize = 256;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's status.
    pub status: u16,
    /// The media type.
    pub kind: &'static str,
    /// What is said.
    pub body: Vec<u8>,
}

impl Answer {
    /// A status and a text.
    pub fn text(status: u16, body: &str) -> Self {
        Answer { status, kind: "text/plain; charset=utf-8", body: body.as_bytes().to_vec() }
    }
}

/// Answers one request: `path` is what is asked for, without what follows a question mark.
///
/// It never tells what a value is: `verify` says whether all of it opens and not which part does not, `rotate` gives back what is
/// sealed again.
pub fn answer(path: &str, body: &[u8], keyring: &Keyring, now: Timestamp) -> Answer {
    let bare = |status: u16| Answer { status, kind: "text/plain", body: Vec::new() };
    match path {
        "/healthz" => Answer { status: 200, kind: "text/plain", body: b"ok\n".to_vec() },
        "/v1/cert.pem" => match keyring.newest() {
            Some(newest) => {
                Answer { status: 200, kind: "application/x-pem-file", body: newest.pem().as_bytes().to_vec() }
            }
            None => Answer::text(500, "cannot get certificate\n"),
        },
        "/v1/verify" | "/v1/rotate" if body.len() > MOST_BYTES => bare(413),
        "/v1/verify" => match sealed(body) {
            None => bare(500),
            Some(sealed) if is_large(&sealed) => bare(413),
            Some(sealed) => {
                let context = Context::new(now, Seeded::new(0));
                bare(if unseal(&sealed, keyring, &context).is_ok() { 200 } else { 409 })
            }
        },
        "/v1/rotate" => match sealed(body) {
            Some(sealed) if is_large(&sealed) => bare(413),
            sealed => {
                let again = sealed.and_then(|sealed| reseal(&sealed, keyring, keyring.newest()?).ok());
                again.map_or(bare(500), |again| Answer {
                    status: 200,
                    kind: "application/json",
                    body: again.to_string().into_bytes(),
                })
            }
        },
        _ => Answer::text(404, "404 page not found\n"),
    }
}

fn is_large(sealed: &Value) -> bool {
    sealed.pointer("/spec/encryptedData").and_then(Value::as_object).is_some_and(|values| values.len() > MOST_VALUES)
}

/// The one SealedSecret of a body, in JSON or YAML.
fn sealed(body: &[u8]) -> Option<Value> {
    let body = std::str::from_utf8(body).ok()?;
    let mut documents = landfall_yaml::documents(body);
    let first = documents.next()?.ok()?.to_json().ok()?;
    let is_one = documents.all(|part| part.is_ok_and(|part| part.to_json().is_ok_and(|it| it.is_null())));
    (is_one && text(&first, "/kind") == KIND).then_some(first)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{KeySize, PlainSecret, Scope, Sealing, SealingKey, seal};

    /// Attack A8: what is asked tells yes or no, in one way, and costs no more than so much.
    #[test]
    fn verifying_is_uniform_and_bounded() {
        let now = Timestamp::UNIX_EPOCH;
        let key = SealingKey::generate(KeySize::Rsa2048, now).expect("a key");
        let secret = json!({"kind": "Secret", "stringData": {"A": "one", "B": "two"}, "metadata": {"name": "s", "namespace": "n"}});
        let secret = PlainSecret::read(&secret).expect("fine").expect("a Secret");
        let sealing = Sealing { scope: Scope::Strict, ..Sealing::default() };
        let sealed = seal(secret, key.private.public(), &sealing).expect("sealed");
        let ring = Keyring::new([key]);
        let asked = |sealed: &Value| answer("/v1/verify", sealed.to_string().as_bytes(), &ring, now);
        assert_eq!(asked(&sealed).status, 200);
        let broken: Vec<Answer> = [
            ("/metadata/name", json!("t")),
            ("/spec/encryptedData/A", json!("AgB")),
            ("/spec/encryptedData", json!("x")),
        ]
        .into_iter()
        .map(|(at, wrong)| {
            let mut broken = sealed.clone();
            *broken.pointer_mut(at).expect("there") = wrong;
            asked(&broken)
        })
        .collect();
        assert!(broken.iter().all(|it| it.status == 409 && it.body.is_empty() && *it == broken[0]), "{broken:?}");
        let many: serde_json::Map<String, Value> =
            (0..=MOST_VALUES).map(|at| (at.to_string(), "AgB=".into())).collect();
        let mut large = sealed.clone();
        large["spec"]["encryptedData"] = many.into();
        assert_eq!(asked(&large).status, 413);
        assert_eq!(answer("/v1/rotate", large.to_string().as_bytes(), &ring, now).status, 413);
        assert_eq!(answer("/v1/verify", &vec![b' '; MOST_BYTES + 1], &ring, now).status, 413);
        assert_eq!(answer("/v1/verify", b"kind: Secret", &ring, now).status, 500);
        assert_eq!(answer("/v1/cert.pem", b"", &Keyring::default(), now).status, 500);
    }
}
