//! Keys of Secrets that are generated once and never replaced, and the guard over them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::{Diagnose, Diagnostic, code, is_mutant};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{Object, ObjectKey};

/// The annotation of a Secret that names its keys that are generated once and never replaced (design D6).
pub const ONCE_ANNOTATION: &str = "landfall.dev/once";
/// The annotation of a Secret that tells what such keys were when they came to be, as `KEY=PRINT,…`: whoever edits a value by hand has
/// it put back by what still has the one that was generated.
pub const BORN_ANNOTATION: &str = "landfall.dev/once-born";
/// Hexadecimal digits of a print.
const DIGITS: usize = 32;

/// The keys of a live Secret that are generated once and have a value.
pub fn once_keys(live: &Object) -> Vec<String> {
    if live.kind() != "Secret" || !live.group().is_empty() {
        return Vec::new();
    }
    // What is empty is yet to be filled, as what is not there.
    let has_value = |key: &&str| kept_value(live, key).is_some_and(|value| !value.is_empty());
    live.annotation(ONCE_ANNOTATION)
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|key| !key.is_empty() && has_value(key))
        .map(str::to_owned)
        .collect()
}

/// A step would change or remove a key that is generated once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} holds {} generated once, which {verb}", keys.join(", "))]
pub struct OnceViolation {
    /// The Secret.
    pub key: Box<ObjectKey>,
    /// Its keys; never their values.
    pub keys: Vec<String>,
    /// What would have happened: `would be changed`.
    pub verb: &'static str,
    /// Who says so.
    pub wanted: Wanted,
}

/// Where what would have been written comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// From what is delivered, which can be made to say something else.
    Delivered,
    /// From a revision of a release, which is recorded and stays as it is.
    Recorded {
        /// The release.
        release: String,
        /// Its namespace.
        namespace: String,
        /// Its revision.
        revision: i64,
    },
}

/// It would get another value, or none.
const CHANGED: &str = "would be changed";
/// It would go for a hook to run.
const REMADE: &str = "would be deleted to be made anew as a hook";
/// It would no longer be kept from that.
const UNPROTECTED: &str = "would lose their protection";

impl OnceViolation {
    /// The same for one that a hook would make anew.
    #[must_use]
    pub fn by_its_hook(self) -> Self {
        OnceViolation { verb: REMADE, ..self }
    }

    /// The same for one that goes back to a revision of a release.
    #[must_use]
    pub fn by_going_back(self, release: &str, namespace: &str, revision: i64) -> Self {
        let (release, namespace) = (release.to_owned(), namespace.to_owned());
        OnceViolation { wanted: Wanted::Recorded { release, namespace, revision }, ..self }
    }

    /// Where the value goes that lives, and how it is seen.
    fn putting_back(&self) -> String {
        format!(
            "give it the value that the cluster has, where the other one comes from ({} shows it; a template that draws one asks for \
             the one that lives with `lookup`)",
            self.showing()
        )
    }

    /// What shows the value that lives.
    fn showing(&self) -> String {
        showing(&self.key, self.keys.first().map(String::as_str).unwrap_or_default())
    }

    /// The way to an earlier revision that leaves the keys as they are.
    fn delivering(&self, release: &str, namespace: &str, revision: i64) -> String {
        let of = format!("{release} -n {namespace}");
        format!(
            "a revision stays as it was recorded: deliver what it was made of, `landfall upgrade {of} CHART -f values.yaml` with the chart \
             of revision {revision} (`landfall history {of}` names it) and its values \
             (`landfall get values {of} --revision {revision} -o yaml`); what a template draws stays as it lives where \
             `{ONCE_ANNOTATION}` names the key, and what is a value is given the one that the cluster has ({} shows it)",
            self.showing()
        )
    }

    /// What to type where a key is no longer needed.
    pub fn giving_up(&self) -> String {
        let (name, of) = (self.key.name.as_str(), of_namespace(&self.key));
        format!(
            "to give it up for good: `kubectl annotate secret {name}{of} {ONCE_ANNOTATION}- {BORN_ANNOTATION}-`, then the same again"
        )
    }
}

/// What shows a value that lives of a Secret.
pub fn showing(secret: &ObjectKey, key: &str) -> String {
    let (name, of) = (secret.name.as_str(), of_namespace(secret));
    format!("`kubectl get secret {name}{of} -o go-template='{{{{index .data \"{key}\" | base64decode}}}}'`")
}

fn of_namespace(secret: &ObjectKey) -> String {
    secret.namespace.as_deref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default()
}

impl Diagnose for OnceViolation {
    fn diagnose(&self) -> Diagnostic {
        let way = match (self.verb, &self.wanted) {
            (CHANGED | UNPROTECTED, Wanted::Recorded { release, namespace, revision }) => {
                Some(self.delivering(release, namespace, *revision))
            }
            (CHANGED, _) => Some(self.putting_back()),
            (REMADE, _) => {
                Some("let it be no hook: take `helm.sh/hook` off its template, then once `--take-ownership`".to_owned())
            }
            (UNPROTECTED, _) => Some(format!("leave the key in its annotation `{ONCE_ANNOTATION}`")),
            _ => None,
        };
        let refused = Diagnostic::refused(code::ONCE, self.to_string())
            .note("data made with the old value could never be read again");
        way.into_iter().chain([self.giving_up()]).fold(refused, Diagnostic::help)
    }
}

/// A key's value of a Secret, in base64, as the server would keep it: `stringData` overrides `data` where both are written.
pub fn kept_value(secret: &Object, key: &str) -> Option<String> {
    let text = secret.at("/stringData").and_then(|data| data.get(key)).and_then(Value::as_str);
    let written = || secret.at("/data")?.get(key).and_then(Value::as_str).map(str::to_owned);
    text.map(|text| STANDARD.encode(text)).or_else(written)
}

/// What a value is known again by: what is generated is too long to be guessed, and who reads a Secret's annotations reads its values
/// as well.
fn print(value: &str) -> String {
    let bytes = STANDARD.decode(value).unwrap_or_else(|_| value.as_bytes().to_vec());
    let digest = Sha256::new().chain_update(b"landfall.dev/once\0").chain_update(&bytes).finalize();
    let mut text = String::with_capacity(DIGITS);
    for byte in &digest[..DIGITS / 2] {
        // A text takes whatever is written.
        let _written = write!(text, "{byte:02x}");
    }
    text
}

/// What a live Secret says that one of its keys was at its birth.
fn born<'a>(live: &'a Object, key: &str) -> Option<&'a str> {
    let mut entries = live.annotation(BORN_ANNOTATION)?.split(',').filter_map(|entry| entry.trim().split_once('='));
    entries.find(|(name, print)| *name == key && print.len() == DIGITS).map(|(_, print)| print)
}

/// What a key of a live Secret was at its birth, or is where it says nothing of that.
fn known(live: &Object, key: &str) -> Option<String> {
    born(live, key).map(str::to_owned).or_else(|| Some(print(&kept_value(live, key)?)))
}

/// Writes into a Secret what its keys that are generated once are known again by: what the live one tells of them, where that
/// protects them already, else the values that they come to be with.
///
/// What the Secret claims of that itself is not believed: it would be the value that a later write may put there.
pub fn mark_born(secret: &mut Object, live: Option<&Object>) {
    if secret.kind() != "Secret" || !secret.group().is_empty() {
        return;
    }
    let protected = live.map(once_keys).unwrap_or_default();
    let print_of = |name: &str| match live.filter(|_| protected.iter().any(|key| key == name)) {
        Some(live) => known(live, name),
        None => kept_value(secret, name).filter(|value| !value.is_empty()).map(|value| print(&value)),
    };
    let named = secret.annotation(ONCE_ANNOTATION).unwrap_or_default();
    let names = named.split(',').map(str::trim).filter(|name| !name.is_empty());
    let prints: Vec<String> = names.filter_map(|name| Some(format!("{name}={}", print_of(name)?))).collect();
    if !prints.is_empty() {
        secret.set_annotation(BORN_ANNOTATION, prints.join(","));
    } else if secret.annotation(BORN_ANNOTATION).is_some() {
        secret.remove_annotation(BORN_ANNOTATION);
    }
}

/// Whether a key of a live Secret would get another value, but for the one that it was born with, or another birth.
fn is_changed(live: &Object, next: &Object, key: &str) -> bool {
    let (before, after) = (kept_value(live, key), kept_value(next, key));
    let Some(known) = born(live, key) else { return before != after };
    let is_other = before != after && after.is_none_or(|after| print(&after) != known);
    is_other || born(next, key).is_some_and(|born| born != known)
}

/// Whether a live object may become `next`, or go when there is none: the one guard, which all writers of Secrets ask.
///
/// A value that somebody has edited may become the one again that was generated, and no other.
///
/// # Errors
/// [`OnceViolation`] when a key generated once would be changed, removed, or lose its protection.
pub fn once_guard(live: Option<&Object>, next: Option<&Object>) -> Result<(), OnceViolation> {
    let Some(live) = live else { return Ok(()) };
    let keys = once_keys(live);
    if keys.is_empty() || is_mutant("once-values") {
        return Ok(());
    }
    let violation =
        |keys: Vec<String>, verb| OnceViolation { key: Box::new(live.key()), keys, verb, wanted: Wanted::Delivered };
    let Some(next) = next else {
        return Err(violation(keys, "would be deleted"));
    };
    let changed: Vec<String> = keys.iter().filter(|key| is_changed(live, next, key)).cloned().collect();
    if !changed.is_empty() {
        return Err(violation(changed, CHANGED));
    }
    let still = once_keys(next);
    let unprotected: Vec<String> = keys.into_iter().filter(|key| !still.contains(key)).collect();
    if unprotected.is_empty() { Ok(()) } else { Err(violation(unprotected, UNPROTECTED)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(annotation: &str, data: Value) -> Object {
        Object::from_value(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n", "annotations": {ONCE_ANNOTATION: annotation}}, "data": data})).expect("a map")
    }

    #[test]
    fn a_key_generated_once_can_be_created_but_neither_changed_nor_removed() {
        let live = secret("PEPPER", json!({"PEPPER": "YQ==", "OTHER": "Yg=="}));
        assert!(once_guard(None, Some(&live)).is_ok());
        assert!(once_guard(Some(&live), Some(&secret("PEPPER", json!({"PEPPER": "YQ==", "OTHER": "eA=="})))).is_ok());
        for next in [json!({"PEPPER": "eA=="}), json!({"OTHER": "Yg=="})] {
            let refused = once_guard(Some(&live), Some(&secret("PEPPER", next))).expect_err("refused");
            assert_eq!(refused.to_string(), "Secret n/s holds PEPPER generated once, which would be changed");
        }
        assert!(once_guard(Some(&live), None).is_err());
        assert!(once_guard(Some(&live), Some(&secret("", json!({"PEPPER": "YQ=="})))).is_err());
    }

    #[test]
    fn a_declared_key_without_a_value_may_still_be_generated() {
        let live = secret("PEPPER", json!({}));
        assert!(once_guard(Some(&live), Some(&secret("PEPPER", json!({"PEPPER": "YQ=="})))).is_ok());
    }

    #[test]
    fn an_empty_value_is_yet_to_be_filled() {
        let live = secret("PEPPER", json!({"PEPPER": ""}));
        assert!(once_keys(&live).is_empty());
        let mut filled = secret("PEPPER", json!({"PEPPER": "YQ=="}));
        assert!(once_guard(Some(&live), Some(&filled)).is_ok());
        mark_born(&mut filled, Some(&live));
        assert!(once_guard(Some(&filled), Some(&live)).is_err(), "and once filled it stays");
        let mut empty = live.clone();
        mark_born(&mut empty, None);
        assert_eq!(empty.annotation(BORN_ANNOTATION), None, "nothing has been born yet");
    }

    /// A manifest that claims it, or was copied with it out of another cluster.
    #[test]
    fn a_birth_that_a_secret_claims_is_not_believed() {
        let claims = |annotation: &str, value: &str| {
            let mut claiming = secret(annotation, json!({"PEPPER": value}));
            claiming.set_annotation(BORN_ANNOTATION, format!("PEPPER={}", print("ZXZpbA==")));
            claiming
        };
        let evil = secret("PEPPER", json!({"PEPPER": "ZXZpbA=="}));
        let mut first = claims("PEPPER", "b25l");
        mark_born(&mut first, None);
        assert!(once_guard(Some(&first), Some(&evil)).is_err());
        // Nor from a Secret that did not protect it yet, nor for one that does not itself.
        let mut later = claims("PEPPER", "b25l");
        mark_born(&mut later, Some(&claims("", "b25l")));
        assert_eq!(later.annotation(BORN_ANNOTATION), first.annotation(BORN_ANNOTATION));
        let mut plain = claims("", "b25l");
        mark_born(&mut plain, None);
        assert_eq!(plain.annotation(BORN_ANNOTATION), None);
        // What lives knows better, and a stale claim is no reason to refuse.
        let mut again = claims("PEPPER", "b25l");
        mark_born(&mut again, Some(&first));
        assert!(once_guard(Some(&first), Some(&again)).is_ok());
    }

    /// What a person has edited past every guard goes back to what was generated, and to nothing else.
    #[test]
    fn a_value_that_was_edited_becomes_the_one_again_that_was_generated_and_no_other() {
        let mut first = secret("PEPPER", json!({"PEPPER": "b25l", "OTHER": "Yg=="}));
        mark_born(&mut first, None);
        assert!(first.annotation(BORN_ANNOTATION).is_some_and(|text| text.starts_with("PEPPER=") && text.len() == 39));
        let mut edited = first.clone();
        *edited.at_mut("/data/PEPPER").expect("there") = "dHdv".into();
        let wanted = |value: &str| secret("PEPPER", json!({"PEPPER": value}));
        assert!(once_guard(Some(&edited), Some(&wanted("b25l"))).is_ok());
        for other in ["dHdv", "dGhyZWU="] {
            let mut wanted = wanted(other);
            mark_born(&mut wanted, None);
            assert!(once_guard(Some(&edited), Some(&wanted)).is_err(), "{other} would be taken for what was generated");
        }
        // Whoever writes something else is not kept from it.
        let mut beside = edited.clone();
        *beside.at_mut("/data/OTHER").expect("there") = "eA==".into();
        mark_born(&mut beside, Some(&edited));
        assert!(once_guard(Some(&edited), Some(&beside)).is_ok());
        assert!(once_guard(Some(&edited), None).is_err());
        // What nobody has edited stays as it is.
        assert!(once_guard(Some(&first), Some(&wanted("b25l"))).is_ok());
        assert!(once_guard(Some(&first), Some(&wanted("dHdv"))).is_err());
        // The text form is the same value.
        let mut text = secret("PEPPER", json!({}));
        text.map_mut().insert("stringData".to_owned(), json!({"PEPPER": "one"}));
        mark_born(&mut text, None);
        assert_eq!(text.annotation(BORN_ANNOTATION), first.annotation(BORN_ANNOTATION));
    }
}
