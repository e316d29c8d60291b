//! The keys of a Secret as `landfall.yaml` declares them: how each comes to be, and what may become of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfall_project::{Alphabet, Generate, Lifecycle, RsaBits, SecretKey, Secrets};

use crate::compose;
use crate::fingerprint::Fingerprint;
use crate::key::KeySize;

/// The random bytes of a key that is generated once and says nothing else.
const BYTES: u16 = 32;

/// The keys of one Secret.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The Secret that the pods read.
    pub target: String,
    /// Its type; empty for none that is named.
    pub kind: String,
    /// Its keys by name.
    pub keys: BTreeMap<String, Key>,
    /// The keys, what is made from others behind them.
    order: Vec<String>,
}

/// One key.
#[derive(Debug, Clone)]
pub struct Key {
    /// How its value comes to be.
    pub making: Making,
    /// When it may change.
    pub permanence: Permanence,
    /// What becomes invalid when it changes.
    pub invalidates: Vec<String>,
    /// Where else it is entered by hand.
    pub copied_to: Vec<String>,
    /// After how long it is to be rotated.
    pub every: Option<Duration>,
    /// The key that keeps the value before it.
    pub previous: Option<String>,
    /// What it was at its birth.
    pub fingerprint: Option<Fingerprint>,
}

/// How a value comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Making {
    /// Random bytes, written with an alphabet.
    Random {
        /// How many.
        bytes: u16,
        /// With which letters.
        alphabet: Alphabet,
        /// What stands before them.
        prefix: String,
    },
    /// An RSA key: the private one, in PEM.
    Rsa(KeySize),
    /// The public half of another key, in PEM.
    PublicOf(String),
    /// A text over other keys.
    Composed {
        /// The template.
        template: String,
        /// The keys that it names.
        parts: BTreeSet<String>,
    },
    /// Somebody has it: a token of another service.
    Given,
}

/// When a value may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permanence {
    /// At any rotation.
    Rotates,
    /// Never: what was made with it could not be read again.
    Once,
    /// It takes effect only when its owner is first initialised; the step that changes it afterwards, where one is named.
    InitOnly(Option<String>),
}

/// A declaration that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The key.
    pub key: String,
    /// The field of it that is wrong.
    pub field: &'static str,
    /// What is wrong.
    pub problem: String,
}

impl Declared {
    /// Reads what a project declares.
    ///
    /// # Errors
    /// All contradictions.
    pub fn of(secrets: &Secrets) -> Result<Self, Vec<Contradiction>> {
        let mut wrong = Vec::new();
        for other in secrets.also.iter().filter(|other| !other.also.is_empty()) {
            let problem = "the Secrets of an environment stand beside each other, not in each other".to_owned();
            wrong.push(Contradiction { key: other.target.to_string(), field: "also", problem });
        }
        let names: BTreeSet<&str> = secrets.keys.keys().map(String::as_str).collect();
        let mut keys = BTreeMap::new();
        for (name, declared) in &secrets.keys {
            let mut told = |field: &'static str, problem: String| {
                wrong.push(Contradiction { key: name.clone(), field, problem });
            };
            if let Some(key) = read(name, declared, secrets, &names, &mut told) {
                keys.insert(name.clone(), key);
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let order = match ordered(&keys) {
            Ok(order) => order,
            Err(key) => {
                let problem = "it is made from itself, by way of others".to_owned();
                return Err(vec![Contradiction { key, field: "template", problem }]);
            }
        };
        // The public half of a key that never changes never changes either.
        let once: Vec<String> = keys
            .iter()
            .filter(|(_, key)| match &key.making {
                Making::PublicOf(of) => keys.get(of).is_some_and(|of| of.permanence == Permanence::Once),
                _ => false,
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in once {
            if let Some(key) = keys.get_mut(&name) {
                key.permanence = Permanence::Once;
            }
        }
        let wrong = changing(&keys);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let kind = secrets.kind.clone().unwrap_or_default();
        Ok(Self { target: secrets.target.to_string(), kind, keys, order })
    }

    /// The keys, each behind those that it is made from.
    pub fn in_order(&self) -> impl Iterator<Item = (&str, &Key)> {
        self.order.iter().filter_map(|name| Some((name.as_str(), self.keys.get(name)?)))
    }

    /// The keys that are made from a key, by way of others as well, in order.
    pub fn followers(&self, of: &str) -> Vec<&str> {
        let mut changed = BTreeSet::from([of.to_owned()]);
        let mut found = Vec::new();
        for (name, key) in self.in_order() {
            if key.making.parts().iter().any(|part| changed.contains(*part)) && name != of {
                changed.insert(name.to_owned());
                found.push(name);
            }
        }
        found
    }

    /// Whether a key holds what another one was before, so that there is nothing to hold at first.
    pub fn is_former(&self, name: &str) -> bool {
        self.keys.values().any(|key| key.previous.as_deref() == Some(name))
    }

    /// The keys that are generated once.
    pub fn once(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter(|(_, key)| key.permanence == Permanence::Once).map(|(name, _)| name.as_str())
    }
}

impl Making {
    /// The keys that it is made from.
    pub fn parts(&self) -> Vec<&str> {
        match self {
            Making::PublicOf(of) => vec![of],
            Making::Composed { parts, .. } => parts.iter().map(String::as_str).collect(),
            Making::Random { .. } | Making::Rsa(_) | Making::Given => Vec::new(),
        }
    }

    /// Whether it follows from others, so that nobody gives it.
    pub fn follows(&self) -> bool {
        matches!(self, Making::PublicOf(_) | Making::Composed { .. })
    }

    /// Whether Landfall makes it from nothing.
    pub fn is_generated(&self) -> bool {
        matches!(self, Making::Random { .. } | Making::Rsa(_))
    }

    /// In a few words.
    pub fn words(&self) -> String {
        match self {
            Making::Random { bytes, alphabet, .. } => {
                let alphabet = match alphabet {
                    Alphabet::Base64 => "base64",
                    Alphabet::Url => "url",
                    Alphabet::Hex => "hex",
                };
                format!("{bytes} random bytes, {alphabet}")
            }
            Making::Rsa(KeySize::Rsa2048) => "RSA key, 2048 bits".to_owned(),
            Making::Rsa(KeySize::Rsa4096) => "RSA key, 4096 bits".to_owned(),
            Making::PublicOf(of) => format!("public half of {of}"),
            Making::Composed { parts, .. } => {
                format!("made from {}", parts.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
            Making::Given => "given".to_owned(),
        }
    }
}

fn read(
    name: &str,
    declared: &SecretKey,
    secrets: &Secrets,
    names: &BTreeSet<&str>,
    told: &mut dyn FnMut(&'static str, String),
) -> Option<Key> {
    let is_once = matches!(declared.generate, Some(Generate::Once(_)));
    let making = making(name, declared, secrets, names, told)?;
    let has_form = declared.prefix.is_some() || declared.alphabet.is_some();
    if has_form && !matches!(making, Making::Random { .. }) {
        let field = if declared.prefix.is_some() { "prefix" } else { "alphabet" };
        told(field, "it is of no use where no random bytes are made".to_owned());
    }
    if is_once && declared.lifecycle == Some(Lifecycle::InitOnly) {
        told("lifecycle", "what is generated once never changes, so that it needs no lifecycle".to_owned());
    }
    if is_once && declared.rotate.is_some() {
        told("rotate", "what is generated once is never rotated".to_owned());
    }
    if declared.step.is_some() && declared.lifecycle != Some(Lifecycle::InitOnly) {
        told("step", "a step belongs to `lifecycle: init-only`".to_owned());
    }
    if let Some(previous) = declared.previous.as_ref()
        && (!names.contains(previous.as_str()) || previous.as_str() == name)
    {
        told("previous", format!("`{previous}` is no other key of this Secret"));
    }
    let permanence = match declared.lifecycle {
        _ if is_once => Permanence::Once,
        Some(Lifecycle::InitOnly) => Permanence::InitOnly(declared.step.clone()),
        Some(Lifecycle::Restart) | None => Permanence::Rotates,
    };
    let fingerprint = match declared.fingerprint.as_deref().map(Fingerprint::parse) {
        None => None,
        Some(Some(fingerprint)) => Some(fingerprint),
        Some(None) => {
            told("fingerprint", "it is none that `landfall secrets init` has written".to_owned());
            None
        }
    };
    let all = |some: &Option<landfall_project::OneOrMany>| {
        some.iter().flat_map(|some| some.iter()).map(str::to_owned).collect::<Vec<_>>()
    };
    Some(Key {
        making,
        permanence,
        invalidates: all(&declared.invalidates),
        copied_to: all(&declared.copied_to),
        every: declared.rotate.as_ref().map(landfall_project::Span::duration),
        previous: declared.previous.as_ref().map(ToString::to_string),
        fingerprint,
    })
}

fn making(
    name: &str,
    declared: &SecretKey,
    secrets: &Secrets,
    names: &BTreeSet<&str>,
    told: &mut dyn FnMut(&'static str, String),
) -> Option<Making> {
    let prefix = declared.prefix.clone().unwrap_or_default();
    let random = |bytes: u16, alphabet: Option<Alphabet>| Making::Random {
        bytes,
        alphabet: alphabet.or(declared.alphabet).unwrap_or(Alphabet::Base64),
        prefix: prefix.clone(),
    };
    let loose = |told: &mut dyn FnMut(&'static str, String)| {
        for (field, is_there) in [("random", declared.random.is_some()), ("rsa", declared.rsa.is_some())] {
            if is_there {
                told(field, "it belongs to `generate: once`".to_owned());
            }
        }
    };
    match (&declared.generate, &declared.public_of, &declared.template) {
        (Some(Generate::Once(_)), None, None) => match (declared.random, declared.rsa) {
            (Some(_), Some(_)) => {
                told("rsa", "it is either random bytes or an RSA key".to_owned());
                None
            }
            (_, Some(bits)) => Some(Making::Rsa(size(bits))),
            (bytes, None) => Some(random(bytes.unwrap_or(BYTES), None)),
        },
        (Some(Generate::Random { random: bytes, alphabet }), None, None) => {
            loose(told);
            Some(random(*bytes, *alphabet))
        }
        (Some(Generate::Rsa { rsa }), None, None) => {
            loose(told);
            Some(Making::Rsa(size(*rsa)))
        }
        // `once` beside it says no more than what its other half says.
        (None | Some(Generate::Once(_)), Some(of), None) => {
            loose(told);
            let is_key = secrets
                .keys
                .get(of.as_str())
                .is_some_and(|other| other.rsa.is_some() || matches!(other.generate, Some(Generate::Rsa { .. })));
            if !is_key {
                told("public-of", format!("`{of}` is no RSA key of this Secret"));
                return None;
            }
            Some(Making::PublicOf(of.to_string()))
        }
        (None, None, Some(template)) => {
            loose(told);
            match compose::parts(name, template, names) {
                Ok(parts) => Some(Making::Composed { template: template.clone(), parts }),
                Err(problem) => {
                    told("template", problem.to_string());
                    None
                }
            }
        }
        (None, None, None) => {
            loose(told);
            Some(Making::Given)
        }
        _ => {
            let field = if declared.template.is_some() { "template" } else { "public-of" };
            told(field, "a value is generated, or follows from others: one of the two".to_owned());
            None
        }
    }
}

fn size(bits: RsaBits) -> KeySize {
    match bits {
        RsaBits::Bits2048 => KeySize::Rsa2048,
        RsaBits::Bits4096 => KeySize::Rsa4096,
    }
}

/// What would change a key by way of another one, although it is declared that it never changes.
fn changing(keys: &BTreeMap<String, Key>) -> Vec<Contradiction> {
    let mut wrong = Vec::new();
    for (name, key) in keys {
        let mut told = |field: &'static str, problem: String| {
            wrong.push(Contradiction { key: name.clone(), field, problem });
        };
        let is_once = |key: &Key| key.permanence == Permanence::Once;
        let may_change = |part: &&str| keys.get(*part).is_some_and(|part| !is_once(part));
        if let Some(part) = key.making.parts().into_iter().find(may_change).filter(|_| is_once(key)) {
            told("generate", format!("it follows from `{part}`, which may change: say `generate: once` of that"));
        }
        let Some((previous, former)) = key.previous.as_ref().and_then(|name| Some((name, keys.get(name)?))) else {
            continue;
        };
        if is_once(former) {
            told("previous", format!("`{previous}` is generated once, and never changes"));
        } else if former.making.follows() {
            told("previous", format!("`{previous}` follows from other keys, and keeps nothing"));
        }
    }
    wrong
}

/// The keys, each behind its parts; else one that is made from itself.
fn ordered(keys: &BTreeMap<String, Key>) -> Result<Vec<String>, String> {
    let mut order: Vec<String> = Vec::new();
    let mut left: Vec<&String> = keys.keys().collect();
    while !left.is_empty() {
        let before = left.len();
        left.retain(|name| {
            let is_ready = keys[*name].making.parts().iter().all(|part| order.iter().any(|done| done == part));
            if is_ready {
                order.push((*name).clone());
            }
            !is_ready
        });
        if left.len() == before {
            return Err(left[0].clone());
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(keys: &str) -> Result<Declared, Vec<String>> {
        let text = format!("{{\"target\": \"app\", \"keys\": {keys}}}");
        let secrets: Secrets = serde_json::from_str(&text).expect("of the schema");
        Declared::of(&secrets)
            .map_err(|wrong| wrong.into_iter().map(|it| format!("{} {}: {}", it.key, it.field, it.problem)).collect())
    }

    #[test]
    fn a_value_is_made_as_it_is_declared() {
        let declared = declared(
            r#"{"A": {"generate": {"random": 48}, "rotate": "90d"}, "B": {"generate": "once", "random": 32, "prefix": "base64:"},
                "C.key": {"generate": "once", "rsa": 4096}, "C.pub": {"public-of": "C.key"}, "D": {},
                "E": {"template": "x://{{ .A }}@{{ index . \"F\" }}"}, "F": {"template": "{{ .D | urlquery }}"},
                "G": {"generate": {"random": 24, "alphabet": "url"}, "lifecycle": "init-only", "step": "ALTER USER"}}"#,
        )
        .expect("fine");
        let words: Vec<String> =
            declared.in_order().map(|(name, key)| format!("{name} {}", key.making.words())).collect();
        assert_eq!(
            words,
            [
                "A 48 random bytes, base64",
                "B 32 random bytes, base64",
                "C.key RSA key, 4096 bits",
                "C.pub public half of C.key",
                "D given",
                "F made from D",
                "G 24 random bytes, url",
                "E made from A, F"
            ]
        );
        assert_eq!(declared.followers("D"), ["F", "E"]);
        assert_eq!(declared.once().collect::<Vec<_>>(), ["B", "C.key", "C.pub"]);
        assert_eq!(declared.keys["G"].permanence, Permanence::InitOnly(Some("ALTER USER".to_owned())));
        assert_eq!(declared.keys["A"].every, Some(Duration::from_secs(90 * 86_400)));
    }

    /// LP-44: while a program accepts two peppers.
    #[test]
    fn what_keeps_the_value_before_holds_nothing_at_first() {
        let declared = declared(r#"{"P": {"generate": {"random": 48}, "previous": "Q"}, "Q": {}}"#).expect("fine");
        assert!(declared.is_former("Q") && !declared.is_former("P"));
    }

    #[test]
    fn what_contradicts_itself_is_told_whole() {
        let told = |keys: &str| declared(keys).map(drop).expect_err("contradicts itself").join("; ");
        for (keys, wanted) in [
            (r#"{"A": {"template": "{{ .B }}"}, "B": {"template": "{{ .A }}"}}"#, "A template: it is made from itself"),
            (r#"{"A": {"template": "{{ .NOPE }}"}}"#, "A template: `NOPE` is no key of this Secret"),
            (r#"{"A": {"template": "{{ .A"}}"#, "A template: "),
            (r#"{"A": {"public-of": "B"}, "B": {}}"#, "A public-of: `B` is no RSA key"),
            (r#"{"A": {"generate": "once", "random": 3, "rsa": 2048}}"#, "A rsa: it is either"),
            (r#"{"A": {"generate": {"random": 3}, "template": "x"}}"#, "A template: a value is generated, or follows"),
            (r#"{"A": {"prefix": "x"}}"#, "A prefix: it is of no use"),
            (r#"{"A": {"generate": "once", "rotate": "1d"}}"#, "A rotate: what is generated once"),
            (r#"{"A": {"step": "x"}}"#, "A step: a step belongs"),
            (r#"{"A": {"previous": "A"}}"#, "A previous: `A` is no other key"),
            (r#"{"A": {"generate": "once", "fingerprint": "x"}}"#, "A fingerprint: "),
            (r#"{"A": {"random": 3}}"#, "A random: it belongs to `generate: once`"),
            (
                r#"{"A": {"generate": {"rsa": 2048}}, "B": {"public-of": "A", "generate": "once"}}"#,
                "B generate: it follows from `A`, which may change",
            ),
            (
                r#"{"A": {"generate": {"random": 48}, "previous": "B"}, "B": {"generate": "once"}}"#,
                "A previous: `B` is generated once",
            ),
            (
                r#"{"A": {"generate": {"random": 48}, "previous": "C"}, "B": {"generate": "once", "rsa": 2048}, "C": {"public-of": "B"}}"#,
                "A previous: `C` is generated once",
            ),
            (
                r#"{"A": {"generate": {"random": 48}, "previous": "B"}, "B": {"template": "{{ .C }}"}, "C": {}}"#,
                "A previous: `B` follows from other keys",
            ),
            (
                r#"{"A": {"generate": {"random": 48}}, "B": {"generate": "once", "template": "{{ .A }}"}}"#,
                "B template: a value is generated, or follows",
            ),
        ] {
            let said = told(keys);
            assert!(said.contains(wanted), "{keys}: {said}");
        }
    }
}
