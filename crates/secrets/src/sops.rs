//! Files that SOPS has encrypted for age (`getsops/sops`): opened as values, and line for line where they were.
//!
//! ```text
//! a value       ENC[AES256_GCM,data:…,iv:…,tag:…,type:str]   under the data key, bound to its path
//! sops.age      the data key, for each recipient in a file of age's
//! sops.mac      SHA-512 of all values in their order, under the data key, bound to sops.lastmodified
//! ```
//!
//! Nothing is encrypted here, and nothing is opened whose values were changed, moved or taken away since.

mod gcm;
mod go;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_yaml::{Document, Kind, Node, ScalarStyle};
use serde_json::Value;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use crate::age::{self, AgeError, Identity};
use crate::masked::Masked;

/// What stands in front of all parts of a value.
const FRAME: &str = "ENC[AES256_GCM,";
/// What stands in front of a value, and behind it.
const VALUE: (&str, &str) = ("ENC[AES256_GCM,data:", "]");
/// How a comment among a list's items ends: SOPS makes an item of it.
const COMMENT: &str = ",type:comment]";
/// The entry that says for whom a file is encrypted.
const METADATA: &str = "sops";
/// Bytes of a data key.
const KEY: usize = 32;
/// The fewest bytes of a nonce.
const NONCE: usize = 12;
/// What an encrypted value is.
const KINDS: [&str; 7] = ["str", "int", "float", "bool", "bytes", "comment", "time"];
/// Recipients of a file that are tried.
const MOST_RECIPIENTS: usize = 1_000;
/// Those of them that are named where none of them is here.
const NAMED: usize = 3;
/// With what the digest begins where it is of encrypted values alone: SHA-256 of `sops`.
const ENCRYPTED_ONLY: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// Why a file does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SopsError {
    /// It is not as SOPS writes it.
    #[error("it is not as SOPS writes it: {0}")]
    Form(&'static str),
    /// A value is not as SOPS writes it.
    #[error("it is not as SOPS writes it: {0} {1}")]
    Value(Place, &'static str),
    /// It has encrypted values, and not what says for whom, and that they are all there.
    #[error(
        "{0} is encrypted, and what SOPS writes under `sops:` is missing or not whole (`age`, `lastmodified`, `mac`)"
    )]
    Unattested(Place),
    /// It names no recipient of age's.
    #[error("it is encrypted for nobody of age's, and other keys are not read")]
    NotAge,
    /// There is no identity to open it with.
    #[error("it is encrypted for {}, and there is no identity of age's here", .0.join(", "))]
    NoIdentity(Vec<String>),
    /// None of the identities is one of its recipients'.
    #[error("it is encrypted for {}, and no identity given is theirs", .0.join(", "))]
    Closed(Vec<String>),
    /// A value was changed or moved.
    #[error("the value of {0} was changed, or put elsewhere, after it was encrypted")]
    Changed(Place),
    /// Values were added, taken away or put elsewhere.
    #[error("it was changed after it was encrypted (MAC mismatch)")]
    Mac,
    /// The cryptography itself failed.
    #[error("the cryptographic library refused")]
    Failed,
}

/// What an encrypted file says.
#[derive(Debug, Clone)]
pub struct Clear {
    /// All of it.
    pub text: Masked,
    /// The values that were encrypted, as they are, each with its key: whoever goes on with them keeps them out of what is shown.
    pub values: Vec<(String, Masked)>,
}

/// A value's place in a file: its keys, and its line from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its keys, with points between them.
    pub key: String,
    /// Its line.
    pub line: usize,
}

impl Place {
    fn of(text: &str, node: Node<'_>, path: &[String]) -> Self {
        Place { key: path.join("."), line: text[..node.span().range().start].matches('\n').count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (line {})", self.key, self.line)
    }
}

/// The identities that files of SOPS are opened with, and where they come from.
#[derive(Clone, Default)]
pub struct SopsKeys {
    identities: Arc<Vec<Identity>>,
    /// Why there are none, where somebody named some.
    problem: Option<Arc<str>>,
}

impl SopsKeys {
    /// These.
    pub fn new(identities: Vec<Identity>) -> Self {
        SopsKeys { identities: Arc::new(identities), problem: None }
    }

    /// None, and why: told only where a file asks for them.
    pub fn unreadable(why: impl Into<Arc<str>>) -> Self {
        SopsKeys { identities: Arc::default(), problem: Some(why.into()) }
    }

    /// These, and others beside them.
    #[must_use]
    pub fn with(&self, others: Vec<Identity>) -> Self {
        SopsKeys { identities: Arc::new([self.identities.to_vec(), others].concat()), problem: self.problem.clone() }
    }

    /// Why there are none, where somebody named some.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// What a file says when it is opened; nothing where SOPS has not encrypted it.
    ///
    /// # Errors
    /// [`SopsError`]; none of them holds a value.
    pub fn open(&self, text: &str) -> Result<Option<Clear>, SopsError> {
        if !is_sealed(text) { Ok(None) } else { open(text, &self.identities).map(Some) }
    }
}

impl fmt::Debug for SopsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SopsKeys({})", self.identities.len())
    }
}

/// Whether SOPS has encrypted a file, or values of it: it says so by an entry of its own, or they have its form.
pub fn is_sealed(text: &str) -> bool {
    if !text.contains(VALUE.0) {
        return false;
    }
    let documents = landfall_yaml::parse(text).unwrap_or_default();
    documents.iter().any(|document| metadata(document).is_some())
        || documents.iter().any(|document| first_sealed(document.root(), &mut Vec::new(), text).is_some())
}

/// What a text is but for blanks around it, where that is one value as SOPS encrypts it: who reads it gets the ciphertext. A text that
/// speaks of one is none.
pub fn whole_ciphertext(text: &str) -> Option<&str> {
    let text = text.trim();
    let inner = text.strip_prefix(FRAME).filter(|_| is_value(text))?.strip_suffix(VALUE.1)?;
    let is_one = inner.split(',').all(|part| match part.split_once(':') {
        Some(("data" | "iv" | "tag", bytes)) => STANDARD.decode(bytes).is_ok(),
        Some(("type", _)) => true,
        _ => false,
    });
    is_one.then_some(text)
}

/// The first value in a text that SOPS has encrypted, whatever stands around it: `--token=ENC[…]`, a line of a file, an address. It is
/// one with all that SOPS needs to open it: what a text about one has is none, nor is what a whole file of SOPS has, which says for whom
/// it is encrypted: that is for whoever opens it where it is read.
pub fn ciphertext_within(text: &str) -> Option<&str> {
    if !text.contains(VALUE.0) || is_whole_file(text) {
        return None;
    }
    let starts = text.match_indices(VALUE.0).map(|(at, _)| at);
    starts.filter_map(|at| text.get(at..)).find_map(|rest| {
        let end = rest.find(VALUE.1)? + VALUE.1.len();
        rest.get(..end).filter(|value| is_openable(value))
    })
}

/// Whether a text is a file of SOPS with what says for whom: in YAML and JSON, or as it writes files of variables and INI.
fn is_whole_file(text: &str) -> bool {
    let has_line = |start: &str| text.lines().any(|line| line.trim_start().starts_with(start));
    has_line("sops_mac=")
        || has_line("[sops]") && has_line("mac")
        || landfall_yaml::parse(text).unwrap_or_default().iter().any(|document| metadata(document).is_some())
}

/// Whether a value has what is needed to open it: a nonce and a tag of the lengths that SOPS writes, and the kind of what it is.
fn is_openable(value: &str) -> bool {
    let Some(inner) = value.strip_prefix(FRAME).and_then(|rest| rest.strip_suffix(VALUE.1)) else { return false };
    let part = |name: &str| inner.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix(':'));
    let bytes = |name: &str| part(name).and_then(|text| STANDARD.decode(text).ok()).map(|bytes| bytes.len());
    let is_kind = |kind: &str| KINDS.contains(&kind);
    bytes("data").is_some()
        && bytes("iv").is_some_and(|it| it >= NONCE)
        && bytes("tag") == Some(gcm::TAG)
        && part("type").is_some_and(is_kind)
}

/// The first value of a YAML or JSON text that SOPS has encrypted.
pub fn first_ciphertext(text: &str) -> Option<String> {
    fn first(node: Node<'_>) -> Option<String> {
        match node.kind() {
            Kind::Mapping(_) => node.entries().find_map(|(_, node)| first(node)),
            Kind::Sequence(_) => node.items().find_map(first),
            Kind::Alias => None,
            Kind::Scalar(_) => node.text().and_then(whole_ciphertext).map(str::to_owned),
        }
    }
    if !text.contains(VALUE.0) {
        return None;
    }
    landfall_yaml::parse(text).unwrap_or_default().iter().find_map(|document| first(document.root()))
}

/// Whether a text is a value as SOPS encrypts it: any other is what it says.
fn is_value(text: &str) -> bool {
    text.starts_with(VALUE.0) && text.ends_with(VALUE.1) && text.contains(",iv:") && text.contains(",type:")
}

/// The first value that is encrypted.
fn first_sealed(node: Node<'_>, path: &mut Vec<String>, text: &str) -> Option<Place> {
    match node.kind() {
        Kind::Mapping(_) => node.entries().find_map(|(key, node)| {
            path.push(key.text().unwrap_or_default().to_owned());
            let found = first_sealed(node, path, text);
            path.pop();
            found
        }),
        Kind::Sequence(_) => node.items().find_map(|item| first_sealed(item, path, text)),
        Kind::Alias => None,
        Kind::Scalar(_) => node.text().filter(|text| is_value(text)).map(|_| Place::of(text, node, path)),
    }
}

fn metadata<'d>(document: &'d Document<'_>) -> Option<Node<'d>> {
    let found = document.root().get(METADATA)?;
    (found.get("mac").is_some() && found.get("lastmodified").is_some()).then_some(found)
}

/// The whole text with its values in clear and without SOPS's own entry; every line is where it was.
fn open(text: &str, identities: &[Identity]) -> Result<Clear, SopsError> {
    let documents = landfall_yaml::parse(text).map_err(|_| SopsError::Form("it cannot be read"))?;
    let Some(found) = documents.iter().find_map(metadata) else {
        let first = documents.iter().find_map(|document| first_sealed(document.root(), &mut Vec::new(), text));
        return Err(first.map_or(SopsError::Form("it has no metadata"), SopsError::Unattested));
    };
    let said = |key: &str| found.get(key).and_then(|node| node.text()).unwrap_or_default();
    let key = data_key(found, identities)?;
    let only_encrypted = said("mac_only_encrypted") == "true";
    let mut hash = Sha512::new();
    if only_encrypted {
        hash.update(ENCRYPTED_ONLY);
    }
    let mut walk = Walk { text, key: &key, only_encrypted, hash, edits: Vec::new(), values: Vec::new() };
    for document in &documents {
        let values = landfall_yaml::document_to_json(document).map_err(|_| SopsError::Form("it cannot be read"))?;
        walk.entries(document.root(), &values, &mut Vec::new())?;
    }
    let Walk { hash, mut edits, values, .. } = walk;
    let told = value(said("mac"), &key, said("lastmodified")).ok_or(SopsError::Mac)?;
    let is_same =
        aws_lc_rs::constant_time::verify_slices_are_equal(told.text.reveal(), hex(&hash.finalize()).as_bytes());
    is_same.map_err(|_| SopsError::Mac)?;
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut at = 0;
    for (range, clear) in edits {
        if range.start < at {
            return Err(SopsError::Form("an entry stands in another"));
        }
        out.extend_from_slice(&text.as_bytes()[at..range.start]);
        out.extend_from_slice(clear.reveal());
        at = range.end;
    }
    out.extend_from_slice(&text.as_bytes()[at..]);
    Ok(Clear { text: Masked::new(out.to_vec()), values })
}

/// The key that values are under, out of the first file of age's that an identity opens.
fn data_key(metadata: Node<'_>, identities: &[Identity]) -> Result<Zeroizing<[u8; KEY]>, SopsError> {
    let age = metadata.get("age").filter(|node| matches!(node.kind(), Kind::Sequence(_)));
    let entries: Vec<Node<'_>> = age.into_iter().flat_map(|node| node.items()).take(MOST_RECIPIENTS + 1).collect();
    if entries.is_empty() {
        return Err(SopsError::NotAge);
    }
    if entries.len() > MOST_RECIPIENTS {
        return Err(SopsError::Form("it has more than 1,000 recipients"));
    }
    let recipients = || {
        let texts = entries.iter().filter_map(|it| it.get("recipient")?.text());
        let mut named: Vec<String> = texts.take(NAMED).map(|text| text.chars().take(80).collect()).collect();
        if entries.len() > NAMED {
            named.push(format!("{} more", entries.len() - NAMED));
        }
        named
    };
    if identities.is_empty() {
        return Err(SopsError::NoIdentity(recipients()));
    }
    for entry in &entries {
        let file = entry.get("enc").and_then(|node| node.text()).ok_or(SopsError::Form("a recipient has no key"))?;
        match age::decrypt(identities, file.as_bytes()) {
            Ok(key) => {
                let key = key.reveal().try_into().map_err(|_| SopsError::Form("the data key is none"))?;
                return Ok(Zeroizing::new(key));
            }
            Err(AgeError::Failed) => return Err(SopsError::Failed),
            Err(_) => {}
        }
    }
    Err(SopsError::Closed(recipients()))
}

/// What is done while all values are gone through in their order.
struct Walk<'k> {
    text: &'k str,
    key: &'k [u8; KEY],
    only_encrypted: bool,
    hash: Sha512,
    /// What stands where in the opened text.
    edits: Vec<(Range<usize>, Masked)>,
    values: Vec<(String, Masked)>,
}

impl Walk<'_> {
    /// A document, whose own entry of SOPS's is left out.
    fn entries(&mut self, root: Node<'_>, values: &Value, path: &mut Vec<String>) -> Result<(), SopsError> {
        if !matches!(root.kind(), Kind::Mapping(_)) {
            return self.node(root, values, path);
        }
        for (key, node) in root.entries() {
            let name = key.text().ok_or(SopsError::Form("a key is no text"))?;
            if name == METADATA {
                let range = whole_entry(self.text, key.span().range().start..node.span().range().end);
                let lines = self.text[range.clone()].matches('\n').count();
                self.edits.push((range, Masked::new(vec![b'\n'; lines])));
                continue;
            }
            path.push(name.to_owned());
            self.node(node, values.get(name).unwrap_or(&Value::Null), path)?;
            path.pop();
        }
        Ok(())
    }

    fn node(&mut self, node: Node<'_>, value: &Value, path: &mut Vec<String>) -> Result<(), SopsError> {
        match node.kind() {
            Kind::Mapping(_) => {
                for (key, node) in node.entries() {
                    let name = key.text().ok_or(SopsError::Form("a key is no text"))?;
                    path.push(name.to_owned());
                    self.node(node, value.get(name).unwrap_or(&Value::Null), path)?;
                    path.pop();
                }
                Ok(())
            }
            // The places in a list are no part of a path.
            Kind::Sequence(_) => {
                let mut left = node.items().filter(|item| !is_comment(*item)).count();
                for (at, item) in node.items().enumerate() {
                    match is_comment(item) {
                        true => self.comment(item, std::mem::replace(&mut left, 1), path)?,
                        false => self.node(item, value.get(at).unwrap_or(&Value::Null), path)?,
                    }
                }
                Ok(())
            }
            Kind::Alias => Err(SopsError::Value(Place::of(self.text, node, path), "is an alias")),
            Kind::Scalar(_) => self.scalar(node, value, path),
        }
    }

    /// An item that was a comment: it is one again, is in no digest, and leaves an empty list where all items were.
    fn comment(&mut self, node: Node<'_>, left: usize, path: &[String]) -> Result<(), SopsError> {
        self.opened(node.text().unwrap_or_default(), node, path)?;
        let mut range = node.span().range();
        let before = self.text[..range.start].trim_end_matches(' ');
        let clear: &[u8] = match before.ends_with('-') {
            true => {
                range.start = before.len() - 1;
                if left == 0 { b" []" } else { b"#" }
            }
            false => {
                range = whole_entry(self.text, range);
                b""
            }
        };
        self.edits.push((range, Masked::from(clear)));
        Ok(())
    }

    fn opened<'t>(&self, text: &'t str, node: Node<'_>, path: &[String]) -> Result<Opened<'t>, SopsError> {
        let bound = format!("{}:", path.join(":"));
        value(text, self.key, &bound).ok_or_else(|| SopsError::Changed(Place::of(self.text, node, path)))
    }

    fn scalar(&mut self, node: Node<'_>, value: &Value, path: &[String]) -> Result<(), SopsError> {
        let text = node.text().unwrap_or_default();
        if is_value(text) {
            let opened = self.opened(text, node, path)?;
            self.hash.update(opened.text.reveal());
            let clear = opened.written();
            let clear =
                clear.ok_or_else(|| SopsError::Value(Place::of(self.text, node, path), "is not of its type"))?;
            self.edits.push((node.span().range(), clear));
            self.values.push((path.last().cloned().unwrap_or_default(), opened.text));
            return Ok(());
        }
        if !self.only_encrypted {
            match value {
                // Under a key that is no text to everybody, as `on`, its value is not found by it.
                Value::Null if !matches!(text, "" | "~" | "null" | "Null" | "NULL") => self.hash.update(text),
                Value::Null | Value::Array(_) | Value::Object(_) => {}
                Value::Bool(true) => self.hash.update("True"),
                Value::Bool(false) => self.hash.update("False"),
                Value::Number(number) => self.hash.update(go_number(number)),
                Value::String(text) => {
                    match go::moment(text).filter(|_| matches!(node.kind(), Kind::Scalar(ScalarStyle::Plain))) {
                        Some(moment) => self.hash.update(moment),
                        None => self.hash.update(text),
                    }
                }
            }
        }
        Ok(())
    }
}

/// A number as Go writes it without an exponent.
fn go_number(number: &serde_json::Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => format!("{float}"),
        None => number.to_string(),
    }
}

/// Whether an item of a list was a comment.
fn is_comment(item: Node<'_>) -> bool {
    item.text().is_some_and(|text| is_value(text) && text.ends_with(COMMENT))
}

/// An entry of a mapping or list in flow style with one of the commas around it; one in block style as it is.
fn whole_entry(text: &str, entry: Range<usize>) -> Range<usize> {
    let before = text[..entry.start].trim_end();
    if before.ends_with(',') {
        return before.len() - 1..entry.end;
    }
    let behind = text[entry.end..].trim_start();
    if before.ends_with(['{', '[']) && behind.starts_with(',') {
        return entry.start..text.len() - behind.len() + 1;
    }
    entry
}

/// A value in clear, and what it is.
struct Opened<'t> {
    text: Masked,
    kind: &'t str,
}

impl Opened<'_> {
    /// As it stands in YAML and in JSON.
    fn written(&self) -> Option<Masked> {
        let text = std::str::from_utf8(self.text.reveal()).ok()?;
        let written = match self.kind {
            "str" | "bytes" => quoted(text),
            "int" => text.parse::<i128>().ok()?.to_string(),
            "float" => match text.parse::<f64>().ok()? {
                float if float.is_nan() => ".nan".to_owned(),
                float if float.is_infinite() => if float > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
                _ => text.to_owned(),
            },
            // As SOPS writes it: YAML reads a moment of it, and who wants a text gets this one.
            "time" => go::moment(text).filter(|moment| moment == text)?,
            "bool" => text.to_ascii_lowercase().parse::<bool>().ok()?.to_string(),
            _ => return None,
        };
        Some(Masked::new(written.into_bytes()))
    }
}

/// A text between quotes that YAML and JSON read alike.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // What YAML lets nobody write as it is.
            letter
                if letter.is_control()
                    || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                out.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// Opens one value, which is bound to a text beside it; nothing where it does not open.
fn value<'t>(text: &'t str, key: &[u8; KEY], bound: &str) -> Option<Opened<'t>> {
    let inner = text.strip_prefix(FRAME)?.strip_suffix(VALUE.1)?;
    let (mut data, mut start, mut tag, mut kind) = (None, None, None, None);
    for part in inner.split(',') {
        let (name, rest) = part.split_once(':')?;
        match name {
            "data" => data = STANDARD.decode(rest).ok(),
            "iv" => start = STANDARD.decode(rest).ok(),
            "tag" => tag = <[u8; gcm::TAG]>::try_from(STANDARD.decode(rest).ok()?).ok(),
            "type" => kind = Some(rest),
            _ => return None,
        }
    }
    let text = gcm::open(key, &start?, bound.as_bytes(), &data?, &tag?)?;
    Some(Opened { text, kind: kind? })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::Audience;

    /// Encrypts as SOPS does, for tests alone: values that are marked `(str)x` and so on.
    fn sealed(plain: &str, identity: &Identity, only_encrypted: bool) -> String {
        let key = [7; KEY];
        let documents = landfall_yaml::parse(plain).expect("YAML");
        let (mut hash, mut out, mut at) = (Sha512::new(), String::new(), 0);
        if only_encrypted {
            hash.update(ENCRYPTED_ONLY);
        }
        let under = |text: &str, bound: &str, kind: &str| {
            let start = [u8::try_from(text.len() % 251).expect("small"); 32];
            let (data, tag) = gcm::seal(&key, &start, bound.as_bytes(), text.as_bytes()).expect("sealed");
            let [data, start, tag] = [&data[..], &start, &tag].map(|bytes| STANDARD.encode(bytes));
            format!("ENC[AES256_GCM,data:{data},iv:{start},tag:{tag},type:{kind}]")
        };
        let mut open: Vec<(String, Node<'_>)> = Vec::new();
        for (name, node) in documents[0].root().entries() {
            open.push((format!("{}:", name.text().expect("text")), node));
        }
        open.reverse();
        while let Some((path, node)) = open.pop() {
            match node.kind() {
                Kind::Mapping(_) => {
                    let mut inner: Vec<_> = node.entries().collect();
                    inner.reverse();
                    open.extend(
                        inner.into_iter().map(|(name, node)| (format!("{path}{}:", name.text().expect("text")), node)),
                    );
                }
                Kind::Sequence(_) => {
                    let mut inner: Vec<_> = node.items().collect();
                    inner.reverse();
                    open.extend(inner.into_iter().map(|node| (path.clone(), node)));
                }
                _ => {
                    let text = node.text().expect("a scalar");
                    match text.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
                        None => {
                            if !only_encrypted {
                                hash.update(text);
                            }
                        }
                        Some((kind, text)) => {
                            if kind != "comment" {
                                hash.update(text);
                            }
                            let range = node.span().range();
                            out.push_str(&plain[at..range.start]);
                            out.push_str(&under(text, &path, kind));
                            at = range.end;
                        }
                    }
                }
            }
        }
        out.push_str(&plain[at..]);
        let recipient = identity.recipient().expect("a key").expect("no passphrase");
        let file = age::encrypt(&Audience::Recipients(vec![recipient.clone()]), &key).expect("encrypted");
        let file = file.lines().map(|line| format!("            {line}\n")).collect::<String>();
        let mac = under(&hex(&hash.finalize()), "2026-01-01T00:00:00Z", "str");
        let only = if only_encrypted { "    mac_only_encrypted: true\n" } else { "" };
        format!(
            "{out}sops:\n    age:\n        - recipient: {recipient}\n          enc: |\n{file}    lastmodified: \"2026-01-01T00:00:00Z\"\n    mac: {mac}\n{only}    version: 3.9.0\n"
        )
    }

    const PLAIN: &str = "# kept\nname: shop\ndb:\n  password: (str)it's \"q\"\n  port: (int)5432\n  hosts:\n  - (str)a\n  - b\nrate: (float)0.25\non: (bool)True\n";

    fn keys(identity: &Identity) -> SopsKeys {
        let text = identity.reveal().expect("a key");
        SopsKeys::new(vec![Identity::parse(std::str::from_utf8(text.reveal()).expect("text")).expect("a key")])
    }

    #[test]
    fn what_is_opened_has_its_values_their_types_and_every_line_where_it_was() {
        let identity = Identity::generate().expect("random");
        for only_encrypted in [false, true] {
            let file = sealed(PLAIN, &identity, only_encrypted);
            assert!(is_sealed(&file) && !file.contains("5432"));
            let opened = keys(&identity).open(&file).expect("opens").expect("is sealed");
            let opened = std::str::from_utf8(opened.text.reveal()).expect("text");
            let wanted = "# kept\nname: shop\ndb:\n  password: \"it's \\\"q\\\"\"\n  port: 5432\n  hosts:\n  - \"a\"\n  - b\nrate: 0.25\non: true\n";
            assert_eq!(opened.trim_end_matches('\n'), wanted.trim_end());
            assert_eq!(opened.lines().count(), file.lines().count());
        }
        assert_eq!(keys(&identity).open("name: shop\nsops: a word\n").map(|it| it.is_none()), Ok(true));
    }

    /// Whoever reads `--token=ENC[…]` gets the ciphertext; a manual that speaks of one, and a file for a program that opens it, are none.
    #[test]
    fn a_ciphertext_is_found_within_a_text_and_a_text_about_one_is_none() {
        let plain = "token: abcdefgh\n";
        let file = sealed(plain, &Identity::generate().expect("random"), false);
        let start = file.find(VALUE.0).expect("encrypted");
        let end = start + file[start..].find(VALUE.1).expect("its end") + 1;
        let one = &file[start..end];
        for text in
            [one.to_owned(), format!("--token={one}"), format!("a = 1\ntoken = {one}\n"), format!("db://u:{one}@h/d")]
        {
            assert_eq!(ciphertext_within(&text), Some(one), "{text}");
        }
        let cut = one.replacen(",iv:", ",iv:AA", 1);
        for text in [
            "see ENC[AES256_GCM,data:abc] in the manual",
            "ENC[AES256_GCM,data:…,iv:…,tag:…,type:str]",
            "ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]",
            &cut,
            &file,
            &format!("a={one}\nsops_mac={one}\n"),
        ] {
            assert_eq!(ciphertext_within(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_opens_that_was_changed_moved_added_or_taken_away() {
        let identity = Identity::generate().expect("random");
        let file = sealed(PLAIN, &identity, false);
        let open = |file: &str| keys(&identity).open(file).map(|_| ()).expect_err("refused");
        assert_eq!(open(&file.replace("name: shop", "name: shop2")), SopsError::Mac);
        assert_eq!(open(&file.replace("name: shop\n", "")), SopsError::Mac);
        assert_eq!(open(&file.replace("name: shop\n", "name: shop\nmore: x\n")), SopsError::Mac);
        let changed = |key: &str| SopsError::Changed(Place { key: key.to_owned(), line: 4 });
        assert_eq!(open(&file.replace("  password:", "  passwort:")), changed("db.passwort"));
        let at = file.find("data:").expect("there") + 5;
        let mut broken = file.clone();
        broken.replace_range(at..=at, if &file[at..=at] == "A" { "B" } else { "A" });
        assert_eq!(open(&broken), changed("db.password"));
        // Without its digest, or with none of SOPS's entry left, what is encrypted is no value.
        let unattested = SopsError::Unattested(Place { key: "db.password".to_owned(), line: 4 });
        let without_mac: String =
            file.lines().filter(|line| !line.starts_with("    mac:")).map(|it| format!("{it}\n")).collect();
        assert_eq!(open(&without_mac), unattested);
        assert_eq!(open(&file[..file.find("\nsops:").expect("there")]), unattested);
        let stranger = Identity::generate().expect("random");
        assert!(matches!(keys(&stranger).open(&file), Err(SopsError::Closed(_))));
        let told = SopsKeys::default().open(&file).expect_err("refused").to_string();
        assert!(told.starts_with("it is encrypted for age1") && told.ends_with("no identity of age's here"), "{told}");
    }

    /// A comment in a list is an item to SOPS; dates and numbers are what Go's YAML takes them for.
    #[test]
    fn comments_in_lists_dates_and_odd_numbers_open_as_sops_opens_them() {
        let identity = Identity::generate().expect("random");
        let opened = |plain: &str| {
            let file = sealed(plain, &identity, true);
            let opened = keys(&identity).open(&file).expect("opens").expect("is sealed");
            let text = String::from_utf8(opened.text.reveal().to_vec()).expect("text");
            text.trim_end().to_owned()
        };
        assert_eq!(opened("list:\n- (comment)said\n- (str)a\n"), "list:\n#\n- \"a\"");
        assert_eq!(opened("list:\n- (comment)said\nb: (str)c\n"), "list:\n []\nb: \"c\"");
        assert_eq!(opened("on: (time)2024-01-02T00:00:00Z\n"), "on: 2024-01-02T00:00:00Z");
        assert_eq!(opened("a: (float)+Inf\nb: (float)NaN\nc: (float)-0\n"), "a: .inf\nb: .nan\nc: -0");
        // What only begins like a value is a text.
        assert_eq!(opened("a: (str)x\nb: ENC[AES256_GCM,x]\n"), "a: \"x\"\nb: ENC[AES256_GCM,x]");
    }

    /// Attack: a refusal is no longer than a person reads.
    #[test]
    fn of_many_recipients_some_are_named_and_of_too_many_none_is_tried() {
        let identity = Identity::generate().expect("random");
        let file = sealed(PLAIN, &identity, false);
        let with = |count: usize| {
            let more = "        - recipient: age1x\n          enc: x\n".repeat(count);
            file.replace("    age:\n", &format!("    age:\n{more}"))
        };
        let stranger = Identity::generate().expect("random");
        let told = keys(&stranger).open(&with(50)).expect_err("refused").to_string();
        assert_eq!(told, "it is encrypted for age1x, age1x, age1x, 48 more, and no identity given is theirs");
        assert!(keys(&identity).open(&with(50)).is_ok_and(|opened| opened.is_some()));
        assert!(matches!(keys(&identity).open(&with(1_000)), Err(SopsError::Form(_))));
    }

    #[test]
    fn an_entry_goes_with_one_of_its_commas() {
        for (text, wanted) in [
            (r#"{"a": 1, "sops": 2}"#, r#"{"a": 1}"#),
            (r#"{"sops": 2, "a": 1}"#, r#"{ "a": 1}"#),
            (r#"{"sops": 2}"#, "{}"),
        ] {
            let start = text.find("\"sops\"").expect("there");
            let mut left = text.to_owned();
            left.replace_range(whole_entry(text, start..start + 9), "");
            assert_eq!(left, wanted);
        }
    }
}
