//! Nodes to values: go-yaml v2's `decode.go`, decoding into `interface{}`, and the conversion of keys to strings that
//! `sigs.k8s.io/yaml` does after it.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::Engine as _;

use crate::document::{Document, Kind, MAX_DEPTH, MAX_NODES, Node};
use crate::error::{Duplicate, Error};
use crate::gosyntax::go_syntax;
use crate::number::float_g32;
use crate::resolve::{Resolved, Scalar, resolve, resolve_tagged};

/// Makes values of some kind out of a document.
///
/// Whoever has values of their own builds them directly, and learns from the [`Node`] where each one stands.
pub trait Build {
    /// A value.
    type Value;
    /// A mapping that is being filled.
    type Map: Default;

    /// A scalar; `at` is the node it comes from, the target for an alias.
    fn scalar(&mut self, scalar: Scalar<'_>, at: Node<'_>) -> Result<Self::Value, Error>;

    /// A sequence.
    fn sequence(&mut self, items: Vec<Self::Value>, at: Node<'_>) -> Self::Value;

    /// Sets a key, replacing the value that it may have.
    fn insert(&mut self, map: &mut Self::Map, key: Cow<'_, str>, value: Self::Value, at: Node<'_>);

    /// A mapping, filled.
    fn mapping(&mut self, map: Self::Map, at: Node<'_>) -> Self::Value;
}

/// How keys that occur twice are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeated {
    /// The last one counts, as in `yaml.Unmarshal`.
    #[default]
    LastWins,
    /// An error that names each of them, as in `yaml.UnmarshalStrict`.
    Refused,
}

/// Builds a document's value.
///
/// # Errors
/// What go-yaml refuses: aliases that contain themselves or expand without measure, tags that do not fit their value,
/// keys that are no scalars, merges of what is no mapping.
pub fn construct<B: Build>(document: &Document<'_>, repeated: Repeated, build: &mut B) -> Result<B::Value, Error> {
    match Constructor::new(build, repeated, Keys::Strings).document(document) {
        Err(Error::Json { problem, at }) => {
            // Go decodes everything, then makes strings of all keys, then writes JSON: errors come in this order.
            Constructor::new(&mut Nothing, repeated, Keys::Any).document(document)?;
            Constructor::new(&mut Nothing, repeated, Keys::Strings).document(document)?;
            Err(Error::Json { problem, at })
        }
        result => result,
    }
}

/// Builds nothing, to see what decoding alone refuses.
struct Nothing;

impl Build for Nothing {
    type Value = ();
    type Map = ();

    fn scalar(&mut self, _: Scalar<'_>, _: Node<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn sequence(&mut self, _: Vec<()>, _: Node<'_>) {}

    fn insert(&mut self, (): &mut (), _: Cow<'_, str>, (): (), _: Node<'_>) {}

    fn mapping(&mut self, (): (), _: Node<'_>) {}
}

/// Which keys are taken.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    /// Those that have a string form.
    Strings,
    /// All scalars.
    Any,
}

struct Constructor<'b, B> {
    build: &'b mut B,
    repeated: Repeated,
    keys: Keys,
    /// Aliases that are being followed.
    following: Vec<u32>,
    depth: usize,
    alias_depth: usize,
    decoded: u64,
    aliased: u64,
    duplicates: Vec<Duplicate>,
}

impl<'b, B: Build> Constructor<'b, B> {
    fn new(build: &'b mut B, repeated: Repeated, keys: Keys) -> Self {
        Self {
            build,
            repeated,
            keys,
            following: Vec::new(),
            depth: 0,
            alias_depth: 0,
            decoded: 0,
            aliased: 0,
            duplicates: Vec::new(),
        }
    }

    fn document(mut self, document: &Document<'_>) -> Result<B::Value, Error> {
        let value = self.value(document.root())?;
        if self.duplicates.is_empty() { Ok(value) } else { Err(Error::Duplicates(self.duplicates)) }
    }

    fn value(&mut self, node: Node<'_>) -> Result<B::Value, Error> {
        self.count(node)?;
        match node.kind() {
            Kind::Alias => self.follow(node, |this, target| this.value(target)),
            Kind::Scalar(_) => {
                let scalar = scalar(node)?;
                self.build.scalar(scalar, node)
            }
            Kind::Sequence(_) => {
                self.enter(node)?;
                let mut items = Vec::with_capacity(node.count());
                for item in node.items() {
                    items.push(self.value(item)?);
                }
                self.depth -= 1;
                Ok(self.build.sequence(items, node))
            }
            Kind::Mapping(_) => {
                let mut map = B::Map::default();
                let mut seen = HashSet::new();
                self.fill(&mut map, node, &mut seen)?;
                Ok(self.build.mapping(map, node))
            }
        }
    }

    /// Sets a mapping's entries in `map`, which has some already when the mapping is merged into another.
    fn fill(&mut self, map: &mut B::Map, node: Node<'_>, seen: &mut HashSet<String>) -> Result<(), Error> {
        self.enter(node)?;
        for (key, value) in node.entries() {
            if is_merge(key) {
                self.merge(map, value, seen)?;
                continue;
            }
            let name = self.key(key, value)?;
            if self.repeated == Repeated::Refused {
                let identity = go_syntax(key);
                if seen.contains(&identity) {
                    self.duplicates.push(Duplicate { key: identity, at: value.span().start });
                } else {
                    seen.insert(identity);
                }
            }
            let built = self.value(value)?;
            self.build.insert(map, name, built, key);
        }
        self.depth -= 1;
        Ok(())
    }

    fn merge(&mut self, map: &mut B::Map, node: Node<'_>, seen: &mut HashSet<String>) -> Result<(), Error> {
        match node.kind() {
            Kind::Mapping(_) => {
                self.count(node)?;
                self.fill(map, node, seen)
            }
            Kind::Alias if matches!(node.target().kind(), Kind::Mapping(_)) => {
                self.count(node)?;
                self.follow(node, |this, target| {
                    this.count(target)?;
                    this.fill(map, target, seen)
                })
            }
            Kind::Sequence(_) => {
                // From the last to the first, so that the first wins.
                let items: Vec<_> = node.items().collect();
                for item in items.into_iter().rev() {
                    match item.target().kind() {
                        Kind::Mapping(_) => self.merge(map, item, seen)?,
                        _ => return Err(not_a_map(item)),
                    }
                }
                Ok(())
            }
            _ => Err(not_a_map(node)),
        }
    }

    /// A key as the string that `sigs.k8s.io/yaml` makes of it.
    fn key<'n>(&mut self, key: Node<'n>, value: Node<'_>) -> Result<Cow<'n, str>, Error> {
        self.count(key)?;
        let target = key.target();
        if key.alias().is_some() {
            self.follow(key, |this, target| this.count(target))?;
        }
        if !matches!(target.kind(), Kind::Scalar(_)) {
            // The key is decoded first, with the errors that it has itself.
            self.value(key)?;
            return Err(Error::content(format!("invalid map key: {}", go_syntax(key)), key.span().start));
        }
        match key_string(scalar(target)?) {
            Ok(text) => Ok(text),
            Err(_) if self.keys == Keys::Any => Ok(Cow::Borrowed("")),
            Err(kind) => Err(Error::Json {
                problem: format!(
                    "unsupported map key of type: {kind}, key: {}, value: {}",
                    go_syntax(target),
                    go_syntax(value)
                ),
                at: Some(key.span().start),
            }),
        }
    }

    fn follow<T>(
        &mut self,
        alias: Node<'_>,
        mut then: impl FnMut(&mut Self, Node<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.following.contains(&alias.id()) {
            let name = alias.alias().unwrap_or_default();
            return Err(Error::content(format!("anchor '{name}' value contains itself"), alias.span().start));
        }
        self.following.push(alias.id());
        self.alias_depth += 1;
        let result = then(self, alias.target());
        self.alias_depth -= 1;
        self.following.pop();
        result
    }

    fn enter(&mut self, node: Node<'_>) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::content(format!("exceeded max depth of {MAX_DEPTH}"), node.span().start));
        }
        Ok(())
    }

    /// Counts a visit and refuses a document of which too much is aliases.
    fn count(&mut self, node: Node<'_>) -> Result<(), Error> {
        self.decoded += 1;
        self.aliased += u64::from(self.alias_depth > 0);
        let ratio = || self.aliased as f64 / self.decoded as f64;
        if self.aliased > 100 && self.decoded > 1000 && ratio() > allowed_alias_ratio(self.decoded) {
            return Err(Error::content("document contains excessive aliasing", node.span().start));
        }
        if self.decoded > MAX_NODES as u64 + self.aliased.min(MAX_NODES as u64) {
            return Err(Error::content(format!("exceeded max size of {MAX_NODES} values"), node.span().start));
        }
        Ok(())
    }
}

/// How much of a document may come from aliases: 99 % of a small one, 10 % of a large one.
fn allowed_alias_ratio(decoded: u64) -> f64 {
    const LOW: u64 = 400_000;
    const HIGH: u64 = 4_000_000;
    match decoded {
        0..=LOW => 0.99,
        HIGH.. => 0.10,
        _ => 0.99 - 0.89 * ((decoded - LOW) as f64 / (HIGH - LOW) as f64),
    }
}

fn not_a_map(node: Node<'_>) -> Error {
    Error::content("map merge requires map or sequence of maps as the value", node.span().start)
}

fn is_merge(key: Node<'_>) -> bool {
    key.text() == Some("<<") && (key.is_implicit() || key.tag() == Some("tag:yaml.org,2002:merge"))
}

/// A scalar node's value.
pub(crate) fn scalar(node: Node<'_>) -> Result<Scalar<'_>, Error> {
    let text = node.text().unwrap_or_default();
    let string = || Ok(Scalar::Str(Cow::Borrowed(text)));
    let resolved = match node.tag() {
        None if !node.is_implicit() => return string(),
        None => resolve(text),
        Some("tag:yaml.org,2002:str") => return string(),
        Some("tag:yaml.org,2002:binary") => return binary(node, text),
        Some(tag) => match tag.strip_prefix("tag:yaml.org,2002:") {
            Some("bool" | "int" | "float" | "null" | "timestamp") => {
                resolve_tagged(text, tag).map_err(|problem| Error::content(problem, node.span().start))?
            }
            _ => return string(),
        },
    };
    Ok(match resolved {
        Resolved::Null => Scalar::Null,
        Resolved::Bool(value) => Scalar::Bool(value),
        Resolved::Int(value) => Scalar::Int(value),
        Resolved::Uint(value) => Scalar::Uint(value),
        Resolved::Float(value) => Scalar::Float(value),
        Resolved::Timestamp | Resolved::Str => Scalar::Str(Cow::Borrowed(text)),
    })
}

/// The bytes of a `!!binary` scalar as text: bytes that are no UTF-8 become U+FFFD one by one, as `encoding/json`
/// writes them.
fn binary<'n>(node: Node<'n>, text: &str) -> Result<Scalar<'n>, Error> {
    let packed: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\n' | b'\r')).collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(packed)
        .map_err(|_| Error::content("!!binary value contains invalid base64 data", node.span().start))?;
    Ok(Scalar::Str(Cow::Owned(replace_invalid(&bytes).into_owned())))
}

/// Text as Go's `encoding/json` sees it: each byte that is not part of a character becomes U+FFFD.
pub(crate) fn replace_invalid(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut text = String::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
            }
            Cow::Owned(text)
        }
    }
}

/// The string that a scalar key stands for, if it stands for one.
pub(crate) fn key_text(node: Node<'_>) -> Option<Cow<'_, str>> {
    key_string(scalar(node).ok()?).ok()
}

/// A key's string; for a type that has none, the type's name in Go.
fn key_string(key: Scalar<'_>) -> Result<Cow<'_, str>, &'static str> {
    Ok(match key {
        Scalar::Str(text) => text,
        Scalar::Int(value) => value.to_string().into(),
        Scalar::Float(value) => float_g32(value).into(),
        Scalar::Bool(value) => value.to_string().into(),
        Scalar::Uint(_) => return Err("uint64"),
        Scalar::Null => return Err("%!s(<nil>)"),
    })
}
