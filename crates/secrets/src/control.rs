//! What the controller does with a SealedSecret (`pkg/controller/controller.go`), as values: the embedded cluster's twin and the
//! controller of `landfall serve` carry out what is decided here, and differ in nothing else.
//!
//! ```text
//! SealedSecret, keys ──► opened ──► the Secret that it stands for, or a Refusal
//! that, the Secret that is there ──► wanted ──► what is written, nothing to write, or a Refusal
//! a Refusal or none ──► status ──► the condition `Synced`, where it is not told yet
//! ```

mod adoption;
mod answer;

use jiff::{SignedDuration, Timestamp};
use landfall_diag::is_mutant;
use landfall_object::{Object, SIMULATED, mark_born, once_guard};
use landfall_sprig::{Context, Seeded};
use serde_json::{Value, json};

pub(crate) use adoption::leave;
pub use adoption::{Adoption, adopted, adoption, freed, is_shared, is_taken};
pub use answer::{Answer, MOST_BYTES, MOST_VALUES, answer};

use crate::key::Certificate;
use crate::keyring::Keyring;
use crate::unseal::{UnsealError, unseal};

/// Where the sealing keys are, as in the original's chart.
pub const KEY_NAMESPACE: &str = "kube-system";
/// Namespace and name of the service behind which kubeseal looks for the controller.
pub const SERVICE: (&str, &str) = (KEY_NAMESPACE, "sealed-secrets-controller");
/// The field manager of the embedded cluster's twin, which gives way to whoever else acts.
pub const TWIN: &str = "sealed-secrets-simulated";
/// The field manager of the controller of `landfall serve`.
pub const KEEPER: &str = "landfall-sealed-secrets";
/// How old the newest key may get: thirty days, as `--key-renew-period`.
pub const RENEWED: SignedDuration = SignedDuration::from_hours(720);
/// How the API server ends what it says of a Secret that may not be changed.
const IMMUTABLE: &str = "field is immutable when `immutable` is set";

/// How a twin marks a Secret whose values, all of them or some, stand in for what nobody has.
pub const STANDS_IN: &str = "~simulated";

/// The codes of answers that the same write gets again: it is malformed, forbidden, of no place, too large, or invalid.
const FINAL: [u16; 5] = [400, 403, 404, 413, 422];
/// How the condition of a Secret begins that could not be written, in our words and in the API server's: whoever changes or deletes
/// that Secret may have let it be.
const UNWRITTEN: [&str; 3] = ["failed update: ", "Secret \"", "secrets \""];

/// Why there is no Secret, or not the one that is sealed; in the original's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The event's reason.
    pub reason: &'static str,
    /// What the event says.
    pub said: String,
    /// What the condition says.
    pub message: String,
}

impl Refusal {
    /// It does not open.
    pub fn unopened(error: &UnsealError) -> Self {
        let why = error.to_string();
        Refusal { reason: "ErrUnsealFailed", said: format!("Failed to unseal: {why}"), message: why }
    }

    /// The Secret cannot be written.
    pub fn unwritten(why: String) -> Self {
        Refusal { reason: "ErrUpdateFailed", message: format!("failed update: {why}"), said: why }
    }

    /// The same, where the API server says so, with the code of its answer; nothing when the same write may be taken later.
    pub fn of_server(sealed: &Value, code: u16, words: &str) -> Option<Self> {
        FINAL.contains(&code).then(|| Self::given_up(sealed, words))
    }

    /// The same, in whichever words it was refused until nobody tried again.
    pub fn given_up(sealed: &Value, words: &str) -> Self {
        if !words.ends_with(IMMUTABLE) {
            return Refusal { reason: "ErrUpdateFailed", said: words.to_owned(), message: words.to_owned() };
        }
        let (namespace, name) = (text(sealed, "/metadata/namespace"), text(sealed, "/metadata/name"));
        let said = format!(
            "Error updating {namespace}/{name}: the target Secret is immutable. Once a Secret is marked as immutable, it is not possible to revert this change nor to mutate the contents of the data field. You can only delete and recreate the Secret."
        );
        Refusal { reason: "ErrUpdateFailed", said, message: words.to_owned() }
    }
}

/// The Secret that a SealedSecret stands for, as the keys open it.
///
/// # Errors
/// It does not open.
pub fn opened(sealed: &Value, keyring: &Keyring, now: Timestamp) -> Result<Value, Refusal> {
    let context = Context::new(now, Seeded::new(seed(sealed)));
    let opened = unseal(sealed, keyring, &context).map_err(|error| Refusal::unopened(&error))?;
    Ok(opened.to_secret(sealed))
}

/// A number for what a template draws: the same for the same object, so that nothing changes because it was looked at again.
fn seed(sealed: &Value) -> u64 {
    let generation = sealed.pointer("/metadata/generation").and_then(Value::as_u64).unwrap_or_default();
    text(sealed, "/metadata/uid").bytes().fold(generation, |seed, byte| seed.rotate_left(8) ^ u64::from(byte))
}

/// What is to be written; nothing where the Secret that is there is as it should be. `agent` is the controller's field manager.
///
/// What holds a key that is generated once gets no owner, whoever protected it: the template, or a person on the Secret alone.
///
/// # Errors
/// The Secret is somebody else's, or holds a key that is generated once and would lose it.
pub fn wanted(sealed: &Value, there: Option<&Value>, made: Value, agent: &str) -> Result<Option<Value>, Refusal> {
    let Some(secret) = there else { return Ok(Some(marked(adoption::unowned(made), None))) };
    let Some(adoption) = adoption(secret, sealed, agent) else {
        let name = text(sealed, "/metadata/name");
        let why = format!("Resource {name:?} already exists and is not managed by SealedSecret");
        return Err(Refusal::unwritten(why));
    };
    let mut wanted = adoption::unowned(adopted(secret, made, adoption));
    adoption::keep_known(&mut wanted, sealed, agent);
    let wanted = marked(wanted, Some(secret));
    if let Some(why) = guarded(secret, &wanted) {
        return Err(Refusal::unwritten(why));
    }
    Ok((*secret != wanted).then_some(wanted))
}

/// With what its keys are known again by that are generated once.
fn marked(secret: Value, there: Option<&Value>) -> Value {
    let there = there.and_then(|there| Object::from_value(there.clone()).ok());
    match Object::from_value(secret.clone()) {
        Ok(mut object) => {
            mark_born(&mut object, there.as_ref());
            object.into_value()
        }
        Err(_) => secret,
    }
}

/// Why a Secret may not become what is sealed: it holds a key that is generated once, and would lose it.
fn guarded(there: &Value, wanted: &Value) -> Option<String> {
    let there = Object::from_value(there.clone()).ok()?;
    let wanted = Object::from_value(wanted.clone()).ok()?;
    let violation = once_guard(Some(&there), Some(&wanted)).err().filter(|_| !is_mutant("once-sealed"));
    violation.map(|violation| violation.to_string())
}

/// The status that tells how it stands; nothing where it is told already. `message` is empty where all is well.
///
/// The original tells a changed reason only when the condition flips.
pub fn status(sealed: &Value, message: &str, now: Timestamp) -> Option<Value> {
    let synced = if message.is_empty() { "True" } else { "False" };
    let known = condition(sealed);
    let generation = sealed.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    let is_current =
        sealed.pointer("/status/observedGeneration").and_then(Value::as_i64).unwrap_or_default() == generation;
    if is_current && known.is_some_and(|it| text(it, "/status") == synced && text(it, "/message") == message) {
        return None;
    }
    let now = seconds(now);
    let since = known
        .filter(|it| text(it, "/status") == synced)
        .map_or_else(|| now.clone().into(), |it| it["lastTransitionTime"].clone());
    let mut condition = json!({"type": "Synced", "status": synced, "lastTransitionTime": since, "lastUpdateTime": now});
    if !message.is_empty() {
        condition["message"] = message.into();
    }
    Some(json!({"observedGeneration": generation, "conditions": [condition]}))
}

/// The condition `Synced` of a SealedSecret.
pub fn condition(sealed: &Value) -> Option<&Value> {
    let all = sealed.pointer("/status/conditions").and_then(Value::as_array);
    all.into_iter().flatten().find(|condition| text(condition, "/type") == "Synced")
}

/// Whether nothing has happened to a SealedSecret since its condition was written, so that nothing has to be opened; `keys` are
/// the Secrets of the sealing keys.
///
/// The original compares `spec` alone and misses that a scope was changed by its annotation; here a write of anything but the
/// status counts, and a new key does where one was missing.
pub fn is_settled(sealed: &Value, there: Option<&Value>, keys: &[&Value], agent: &str) -> bool {
    let number = |pointer: &str| sealed.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let Some(known) =
        condition(sealed).filter(|_| number("/status/observedGeneration") == number("/metadata/generation"))
    else {
        return false;
    };
    let last = text(known, "/lastUpdateTime");
    // Times are of whole seconds: what is of the same one may have come after.
    let is_later = |time: &str| time >= last;
    let fields = sealed.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut writes = fields.into_iter().flatten().filter(|entry| text(entry, "/subresource") != "status");
    if writes.any(|entry| is_later(text(entry, "/time"))) {
        return false;
    }
    if text(known, "/status") == "True" {
        let Some(secret) = there else { return false };
        let has = |key: &String| secret.pointer("/data").and_then(|data| data.get(key)).is_some();
        let mut wanted = ["/spec/encryptedData", "/spec/template/data"]
            .into_iter()
            .filter_map(|part| sealed.pointer(part).and_then(Value::as_object))
            .flat_map(|part| part.keys());
        let is_true = keys.is_empty() || !is_stand_in(secret);
        return is_true && adoption(secret, sealed, agent).is_some() && wanted.all(has);
    }
    let newer = keys.iter().any(|key| is_later(text(key, "/metadata/creationTimestamp")));
    !newer && !UNWRITTEN.iter().any(|words| text(known, "/message").starts_with(words))
}

/// Whether values of a Secret stand in for true ones. Values that a twin has made, a certificate's say, are marked in other words.
pub fn is_stand_in(secret: &Value) -> bool {
    annotation(secret, SIMULATED).is_some_and(|words| words.contains(STANDS_IN))
}

/// Whether a new key is to be made: there is none to seal with, or the newest is thirty days old.
pub fn is_key_due(newest: Option<&Certificate>, now: Timestamp) -> bool {
    newest.is_none_or(|newest| now >= newest.not_before.checked_add(RENEWED).unwrap_or(Timestamp::MAX))
}

/// An instant as the API writes it.
fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_reason_is_told_and_what_is_told_is_not_told_again() {
        let at = |second: i64| Timestamp::from_second(second).expect("a time");
        let mut sealed = json!({"metadata": {"generation": 2}});
        sealed["status"] = status(&sealed, "one", at(0)).expect("new");
        assert_eq!(sealed["status"]["conditions"][0]["status"], "False");
        assert_eq!(status(&sealed, "one", at(9)), None);
        let next = status(&sealed, "two", at(9)).expect("another reason");
        assert_eq!(next["conditions"][0]["lastTransitionTime"], "1970-01-01T00:00:00Z");
        assert_eq!(next["conditions"][0]["lastUpdateTime"], "1970-01-01T00:00:09Z");
        let well = status(&sealed, "", at(9)).expect("it flips");
        assert_eq!(well["conditions"][0]["lastTransitionTime"], "1970-01-01T00:00:09Z");
        assert_eq!(well["conditions"][0].get("message"), None);
        sealed["metadata"]["generation"] = 3.into();
        assert!(status(&sealed, "one", at(9)).is_some(), "what was observed is another one");
    }

    #[test]
    fn a_key_is_due_where_there_is_none_and_after_thirty_days() {
        let key = crate::PrivateKey::generate(crate::KeySize::Rsa2048).expect("a key");
        let made = Timestamp::from_second(1_700_000_000).expect("a time");
        let certificate = key.certificate(made, SignedDuration::from_hours(24 * 3650), "").expect("signed");
        let after = |hours: i64| made.checked_add(SignedDuration::from_hours(hours)).expect("a time");
        assert!(is_key_due(None, made));
        assert!(!is_key_due(Some(&certificate), after(719)));
        assert!(is_key_due(Some(&certificate), after(720)));
    }
}
