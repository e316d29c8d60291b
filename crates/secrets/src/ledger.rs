//! What is remembered of secrets beside their values: which sealing keys are saved, when a key changed, what is still to be done.
//!
//! It lies on the cluster that the secrets are for, so that everybody who works on it sees the same. No value is in it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;
use crate::hybrid::CryptoError;
use crate::masked::Masked;

/// How many values before the present one a key is known by.
const BEFORE: usize = 8;

/// What is remembered of a cluster's secrets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// What a backup has: sealing keys by their fingerprint, and since when.
    pub saved: BTreeMap<String, Timestamp>,
    /// Secrets by `NAMESPACE/NAME`.
    pub secrets: BTreeMap<String, Recorded>,
}

/// What is remembered of a Secret.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recorded {
    /// When a key was last given a new value.
    pub changed: BTreeMap<String, Timestamp>,
    /// When the value that a key was given last came to the cluster's Secret, once somebody has seen it there.
    pub arrived: BTreeMap<String, Timestamp>,
    /// What is to be done after a change, until somebody says that it is.
    pub pending: Vec<Pending>,
    /// What values are known again by, key by key.
    pub prints: BTreeMap<String, Prints>,
    /// New values that somebody has set out to write, key by key: who is killed on the way leaves them here, and what has come of them is
    /// found by the value.
    pub intended: BTreeMap<String, Intended>,
    /// Values that came to the cluster's Secret past us: sealed or written elsewhere.
    pub moved: BTreeMap<String, Moved>,
    /// The state of the cluster's Secret in which its values were last held against those that were given.
    pub seen: String,
}

/// A value that came to the cluster past us.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Moved {
    /// What it is known again by.
    pub print: String,
    /// When it came, or no later than that.
    pub at: Timestamp,
}

/// A new value of a key that is about to be written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Intended {
    /// What the value is known again by.
    pub print: String,
    /// What is to be done once it is written.
    pub tasks: Vec<Task>,
    /// When.
    pub at: Timestamp,
}

/// What the values of a key are known again by, without telling them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prints {
    /// The present one.
    pub now: String,
    /// Those before it, the newest first.
    pub before: Vec<String>,
}

/// What a value is known as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognised {
    /// Nobody here has given it.
    Unknown,
    /// It is the one that the key was given last.
    Present,
    /// It is one that the key had before: sealed values of git's history open as long as their sealing key does.
    Retired,
    /// It is the one of another key: nothing in a sealed value says which key it was sealed for.
    Of(String),
}

/// Something that is to be done by hand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pending {
    /// The key whose change wants it.
    pub key: String,
    /// What.
    pub task: Task,
    /// Since when.
    pub since: Timestamp,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// The value is entered there, too.
    Copy(String),
    /// The step that really changes it.
    Step(String),
    /// What no longer holds is made anew.
    Renew(String),
    /// The key with the value before it goes.
    Drop(String),
}

impl Task {
    /// In a sentence.
    pub fn words(&self) -> String {
        match self {
            Task::Copy(place) => format!("enter the new value there, too: {place}"),
            Task::Step(step) => format!("change it where it was initialised: {step}"),
            Task::Renew(what) => format!("make anew what is no longer valid: {what}"),
            Task::Drop(key) => format!("drop `{key}` when nothing uses the value before any more"),
        }
    }
}

impl Ledger {
    /// Reads what is remembered; a text of another form is nothing.
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As it is kept.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What is remembered of a Secret.
    pub fn of(&self, namespace: &str, name: &str) -> Option<&Recorded> {
        self.secrets.get(&format!("{namespace}/{name}"))
    }

    /// What is remembered of a Secret, to be added to.
    pub fn of_mut(&mut self, namespace: &str, name: &str) -> &mut Recorded {
        self.secrets.entry(format!("{namespace}/{name}")).or_default()
    }

    /// Those of the fingerprints that no backup has.
    pub fn unsaved<'f>(&self, fingerprints: impl IntoIterator<Item = &'f str>) -> Vec<&'f str> {
        fingerprints.into_iter().filter(|fingerprint| !self.saved.contains_key(*fingerprint)).collect()
    }
}

impl Recorded {
    /// Remembers that a key has a new value, and what is to be done for it; what was to be done for the value before is
    /// done with it.
    pub fn change(&mut self, key: &str, tasks: impl IntoIterator<Item = Task>, at: Timestamp) {
        self.changed.insert(key.to_owned(), at);
        self.arrived.remove(key);
        self.moved.remove(key);
        self.intended.remove(key);
        self.pending.retain(|pending| pending.key != key);
        self.pending.extend(tasks.into_iter().map(|task| Pending { key: key.to_owned(), task, since: at }));
        self.pending.sort();
    }

    /// The keys with an intended value that is one of these: it was written, whatever became of who wrote it.
    ///
    /// # Errors
    /// [`CryptoError::Failed`]
    pub fn written(&self, values: &[&BTreeMap<String, Masked>]) -> Result<BTreeSet<String>, CryptoError> {
        let mut written = BTreeSet::new();
        for (key, intended) in &self.intended {
            let Some(print) = Fingerprint::parse(&intended.print) else { continue };
            for value in values.iter().filter_map(|values| values.get(key)) {
                if print.is_of(value)? {
                    written.insert(key.clone());
                    break;
                }
            }
        }
        Ok(written)
    }

    /// Takes what was intended for a key for done.
    pub fn carry_out(&mut self, key: &str) {
        if let Some(intended) = self.intended.remove(key) {
            self.change(key, intended.tasks, intended.at);
            self.know_again(key, intended.print);
        }
    }

    /// Remembers that a key with the value before another was dropped.
    pub fn drop(&mut self, key: &str, at: Timestamp) {
        self.changed.entry(key.to_owned()).or_insert(at);
    }

    /// Remembers what a key's new value is known again by.
    pub fn know(&mut self, key: &str, print: &Fingerprint) {
        self.know_again(key, print.to_string());
    }

    fn know_again(&mut self, key: &str, print: String) {
        let prints = self.prints.entry(key.to_owned()).or_default();
        let before = std::mem::replace(&mut prints.now, print);
        if !before.is_empty() {
            prints.before.insert(0, before);
            prints.before.truncate(BEFORE);
        }
    }

    /// What the value of a key is known as.
    ///
    /// # Errors
    /// [`CryptoError::Failed`]
    pub fn recognise(&self, key: &str, value: &Masked) -> Result<Recognised, CryptoError> {
        let is = |text: &str| Fingerprint::parse(text).map_or(Ok(false), |print| print.is_of(value));
        let Some(own) = self.prints.get(key) else { return Ok(Recognised::Unknown) };
        if is(&own.now)? {
            return Ok(Recognised::Present);
        }
        for before in &own.before {
            if is(before)? {
                return Ok(Recognised::Retired);
            }
        }
        for (other, prints) in self.prints.iter().filter(|(other, _)| *other != key) {
            if is(&prints.now)? {
                return Ok(Recognised::Of(other.clone()));
            }
        }
        Ok(Recognised::Unknown)
    }

    /// Whether a value is the one that a key was given last; also where nothing is known of what it was given.
    ///
    /// # Errors
    /// [`CryptoError::Failed`]
    pub fn is_latest(&self, key: &str, value: &Masked) -> Result<bool, CryptoError> {
        let print = self.prints.get(key).and_then(|prints| Fingerprint::parse(&prints.now));
        print.map_or(Ok(true), |print| print.is_of(value))
    }

    /// The keys whose last value nobody has seen on the cluster yet.
    pub fn awaited(&self) -> impl Iterator<Item = &str> {
        self.changed.keys().filter(|key| !self.arrived.contains_key(*key)).map(String::as_str)
    }

    /// The keys that have another value on the cluster than the one that was seen there last: somebody has sealed or written it
    /// elsewhere.
    ///
    /// # Errors
    /// [`CryptoError::Failed`]
    pub fn came_otherwise(&self, live: &BTreeMap<String, Masked>) -> Result<BTreeSet<String>, CryptoError> {
        let mut found = BTreeSet::new();
        for key in self.arrived.keys() {
            let given = || self.prints.get(key).map(|prints| &prints.now);
            let print = self.moved.get(key).map(|moved| &moved.print).or_else(given);
            if let (Some(print), Some(value)) = (print.and_then(|print| Fingerprint::parse(print)), live.get(key))
                && !print.is_of(value)?
            {
                found.insert(key.clone());
            }
        }
        Ok(found)
    }

    /// Remembers a value that came to the cluster at this time without having been given here. It is not taken for the one that
    /// was given.
    ///
    /// # Errors
    /// [`CryptoError::Failed`]
    pub fn meet(&mut self, key: &str, value: &Masked, at: Timestamp) -> Result<(), CryptoError> {
        let print = Fingerprint::of(value)?.to_string();
        self.moved.insert(key.to_owned(), Moved { print, at });
        Ok(())
    }

    /// Takes out what is to be done for these keys; how much that was.
    pub fn confirm(&mut self, keys: &BTreeSet<String>) -> usize {
        let before = self.pending.len();
        self.pending.retain(|pending| !keys.contains(&pending.key));
        before - self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_done_stays_until_it_is_confirmed() {
        let mut ledger = Ledger::default();
        let at = Timestamp::UNIX_EPOCH;
        let recorded = ledger.of_mut("shop", "keys");
        recorded.change("OIDC", [Task::Copy("the console".to_owned()), Task::Renew("sessions".to_owned())], at);
        recorded.change("PEPPER", [Task::Drop("PEPPER_BEFORE".to_owned())], at);
        recorded.change("OIDC", [Task::Copy("the console".to_owned())], at);
        assert_eq!(recorded.pending.len(), 2);
        let read = Ledger::read(&ledger.text());
        assert_eq!(read, ledger);
        assert_eq!(ledger.of_mut("shop", "keys").confirm(&BTreeSet::from(["OIDC".to_owned()])), 1);
        assert_eq!(ledger.of("shop", "keys").map(|it| it.pending.len()), Some(1));
        assert_eq!(Ledger::read("x"), Ledger::default());
    }

    /// T18: a backup of the first key says nothing of the second one.
    #[test]
    fn a_newer_key_is_unsaved() {
        let mut ledger = Ledger::default();
        ledger.saved.insert("SHA256:a".to_owned(), Timestamp::UNIX_EPOCH);
        assert_eq!(ledger.unsaved(["SHA256:a", "SHA256:b"]), ["SHA256:b"]);
    }

    /// Who writes a value is killed: what is to be done for it is known by the value, wherever that is found.
    #[test]
    fn what_was_intended_is_done_where_its_value_is_found_and_nowhere_else() {
        let (old, new) = (Masked::from(&b"old"[..]), Masked::from(&b"new"[..]));
        let mut recorded = known(&[("DB", "old")]);
        let print = Fingerprint::of(&new).expect("made").to_string();
        let tasks = vec![Task::Step("ALTER USER".to_owned())];
        recorded.intended.insert("DB".to_owned(), Intended { print, tasks, at: Timestamp::UNIX_EPOCH });
        let recorded = Ledger::read(
            &Ledger { secrets: BTreeMap::from([("a/b".to_owned(), recorded)]), ..Ledger::default() }.text(),
        );
        let mut recorded = recorded.of("a", "b").expect("there").clone();
        let of = |value: &Masked| BTreeMap::from([("DB".to_owned(), value.clone())]);
        assert_eq!(recorded.written(&[&of(&old)]), Ok(BTreeSet::new()));
        assert_eq!(recorded.written(&[&of(&old), &of(&new)]), Ok(BTreeSet::from(["DB".to_owned()])));
        assert!(recorded.pending.is_empty());
        recorded.carry_out("DB");
        assert_eq!((recorded.pending.len(), recorded.intended.len()), (1, 0));
        assert_eq!(recorded.recognise("DB", &new), Ok(Recognised::Present));
        assert_eq!(recorded.recognise("DB", &old), Ok(Recognised::Retired));
    }

    #[test]
    fn what_came_past_us_is_met_once_each_way_and_what_is_awaited_is_no_such() {
        let live = |text: &str| BTreeMap::from([("DB".to_owned(), Masked::from(text.as_bytes()))]);
        let mut recorded = known(&[("DB", "old"), ("DB", "now")]);
        assert_eq!(recorded.came_otherwise(&live("old")), Ok(BTreeSet::new()), "nobody has seen the new one there yet");
        recorded.arrived.insert("DB".to_owned(), Timestamp::UNIX_EPOCH);
        let mut before = "now";
        for next in ["theirs", "old", "now"] {
            assert_eq!(recorded.came_otherwise(&live(before)), Ok(BTreeSet::new()), "{before}");
            assert_eq!(recorded.came_otherwise(&live(next)), Ok(BTreeSet::from(["DB".to_owned()])), "{next}");
            recorded.meet("DB", &Masked::from(next.as_bytes()), Timestamp::UNIX_EPOCH).expect("met");
            before = next;
        }
        // It is not taken for what was given.
        assert_eq!(recorded.recognise("DB", &Masked::from(&b"now"[..])), Ok(Recognised::Present));
        recorded.change("DB", [], Timestamp::UNIX_EPOCH);
        assert!(recorded.moved.is_empty());
    }

    fn known(values: &[(&str, &str)]) -> Recorded {
        let mut recorded = Recorded::default();
        for (key, value) in values {
            let print = Fingerprint::of(&Masked::from(value.as_bytes()));
            recorded.know(key, &print.expect("made"));
        }
        recorded
    }

    /// Attack A6: an old value of the same key and name, out of git's history.
    #[test]
    fn ledger_flags_value_rollback() {
        let recorded = known(&[("TOKEN", "first"), ("TOKEN", "second")]);
        let is = |value: &str| recorded.recognise("TOKEN", &Masked::from(value.as_bytes())).expect("computed");
        assert_eq!((is("second"), is("first")), (Recognised::Present, Recognised::Retired));
        assert_eq!(is("third"), Recognised::Unknown);
        assert_eq!(recorded.recognise("OTHER", &Masked::from(&b"first"[..])), Ok(Recognised::Unknown));
        let text = serde_json::to_string(&recorded).expect("text");
        assert!(!text.contains("first") && !text.contains("second"), "{text}");
        let many: Vec<(&str, &str)> = (0..=BEFORE + 1).map(|_| ("TOKEN", "same")).collect();
        assert_eq!(known(&many).prints["TOKEN"].before.len(), BEFORE);
    }

    /// Attack A7: two sealed values of one Secret change places.
    #[test]
    fn ledger_flags_key_swap() {
        let recorded = known(&[("USER", "one"), ("PASSWORD", "two")]);
        let is = |key: &str, value: &str| recorded.recognise(key, &Masked::from(value.as_bytes())).expect("computed");
        assert_eq!(is("USER", "one"), Recognised::Present);
        assert_eq!(is("USER", "two"), Recognised::Of("PASSWORD".to_owned()));
        assert_eq!(is("PASSWORD", "one"), Recognised::Of("USER".to_owned()));
    }
}
