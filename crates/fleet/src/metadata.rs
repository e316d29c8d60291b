//! Signed metadata: who may say what, and until when. In the shape of The Update Framework, without its snapshot: the timestamp
//! names the one file of targets itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp as Instant;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hex::sha256_hex;
use crate::{KeyId, Platform, PublicKey, Signed};

/// Who may sign what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Says which keys the other roles have; its keys stay offline.
    Root,
    /// Says what may be installed; its keys stay offline.
    Targets,
    /// Says which targets are the newest; its key is the server's.
    Timestamp,
}

/// The keys of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKeys {
    /// Which.
    pub keyids: Vec<KeyId>,
    /// How many of them have to sign.
    pub threshold: usize,
}

/// What every kind of metadata has.
pub trait Metadata: Serialize + DeserializeOwned {
    /// Which role signs it.
    const ROLE: Role;
    /// What `_type` says.
    fn kind(&self) -> &str;
    /// Counts up with each that is published.
    fn version(&self) -> u64;
    /// RFC 3339; after it, nobody believes it.
    fn expires(&self) -> &str;
    /// Until when it is believed, in seconds since 1970; an unreadable time is long past.
    fn expires_at(&self) -> i64 {
        self.expires().parse::<Instant>().map_or(i64::MIN, Instant::as_second)
    }
}

/// Which keys there are, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    #[serde(rename = "_type")]
    kind: String,
    spec_version: String,
    consistent_snapshot: bool,
    /// Counts up.
    pub version: u64,
    /// RFC 3339.
    pub expires: String,
    /// By their names.
    pub keys: BTreeMap<KeyId, PublicKey>,
    /// Whose they are.
    pub roles: BTreeMap<Role, RoleKeys>,
}

/// Which targets are the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamp {
    #[serde(rename = "_type")]
    kind: String,
    spec_version: String,
    /// Counts up.
    pub version: u64,
    /// RFC 3339.
    pub expires: String,
    /// `targets.json` and what it is.
    pub meta: BTreeMap<String, Pointer>,
}

/// Names a file by its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The version it must have.
    pub version: u64,
    /// How many bytes.
    pub length: u64,
    /// `sha256` and its digits.
    pub hashes: BTreeMap<String, String>,
}

/// What may be installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    #[serde(rename = "_type")]
    kind: String,
    spec_version: String,
    /// Counts up.
    pub version: u64,
    /// RFC 3339.
    pub expires: String,
    /// By their paths, `product/version/file name`.
    pub targets: BTreeMap<String, Target>,
    /// To which older versions edges may go back.
    #[serde(default)]
    pub downgrades: Vec<Consent>,
}

/// One artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// How many bytes.
    pub length: u64,
    /// `sha256` and its digits.
    pub hashes: BTreeMap<String, String>,
    /// What they are.
    pub custom: TargetCustom,
}

/// What an artifact is: bound to its bytes by the same signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetCustom {
    /// Of which product.
    pub product: String,
    /// Which version of it.
    pub version: String,
    /// Counts up with each release of the product: an edge goes to no lower one without [`Consent`].
    pub counter: u64,
    /// For which machines.
    #[serde(flatten)]
    pub platform: Platform,
    /// The file's name.
    pub file_name: String,
    /// Of what else it can be made, each a [`Delta`] or what a later version has in its place: nobody has to take one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deltas: Vec<Value>,
}

/// Bytes by what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// How many.
    pub length: u64,
}

impl Content {
    /// What these bytes are.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: sha256_hex(bytes), length: bytes.len() as u64 }
    }

    fn is_plausible(&self) -> bool {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        self.sha256.len() == 64 && self.sha256.bytes().all(digit) && (1..=MOST_CONTENT).contains(&self.length)
    }
}

/// A way to an artifact for a machine that runs an earlier one. What comes out is signed as the artifact is: the delta itself may be
/// whatever it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delta {
    /// [`DELTA_FORMAT`].
    pub format: String,
    /// The version that the machine runs, for people.
    pub version: String,
    /// SHA-256 of the artifact that it runs.
    pub base: String,
    /// What the delta begins from: that artifact, unpacked where it is a `.tar.gz`.
    pub from: Content,
    /// What comes out: the artifact, unpacked where it is a `.tar.gz`.
    pub to: Content,
    /// The delta's own bytes.
    #[serde(flatten)]
    pub own: Content,
}

impl Delta {
    /// Reads one that this version knows; none of another format, and none that no honest one could be.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let delta: Self = serde_json::from_value(value.clone()).ok()?;
        let known = delta.format == DELTA_FORMAT;
        (known && [&delta.from, &delta.to, &delta.own].iter().all(|it| it.is_plausible())).then_some(delta)
    }
}

/// How the deltas of this version are written.
pub const DELTA_FORMAT: &str = "landfall-delta-1";
/// The most bytes that a delta begins from, or that come out of it.
pub const MOST_CONTENT: u64 = 128 * 1024 * 1024;
/// How many deltas of an artifact are looked at.
pub const MOST_DELTAS: usize = 8;

/// That edges may go back to an older version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// Of which product.
    pub product: String,
    /// To which version.
    pub version: String,
    /// Until when, RFC 3339.
    pub expires: String,
}

const SPEC_VERSION: &str = "1.0.31";

impl Root {
    /// A root in which each role has these keys.
    #[must_use]
    pub fn new(version: u64, expires: Instant, roles: &[(Role, Vec<PublicKey>, usize)]) -> Self {
        let keys = roles.iter().flat_map(|(_, keys, _)| keys).map(|key| (key.id(), key.clone())).collect();
        let roles = roles
            .iter()
            .map(|(role, keys, threshold)| {
                (*role, RoleKeys { keyids: keys.iter().map(PublicKey::id).collect(), threshold: *threshold })
            })
            .collect();
        Self {
            kind: "root".to_owned(),
            spec_version: SPEC_VERSION.to_owned(),
            consistent_snapshot: false,
            version,
            expires: expires.to_string(),
            keys,
            roles,
        }
    }

    /// A role's key of this name.
    #[must_use]
    pub fn key_of(&self, role: Role, id: &KeyId) -> Option<&PublicKey> {
        let keys = self.roles.get(&role)?;
        // A key under another's name would count twice.
        keys.keyids.contains(id).then(|| self.keys.get(id)).flatten().filter(|key| key.id() == *id)
    }

    /// A role's keys.
    #[must_use]
    pub fn keys_of(&self, role: Role) -> Vec<PublicKey> {
        let ids = self.roles.get(&role).into_iter().flat_map(|keys| &keys.keyids);
        ids.filter_map(|id| self.key_of(role, id)).cloned().collect()
    }

    /// Whether as many of a role's keys as have to sign can.
    #[must_use]
    pub fn has_quorum(&self, role: Role) -> bool {
        let ids: BTreeSet<KeyId> = self.keys_of(role).iter().map(PublicKey::id).collect();
        (1..=ids.len()).contains(&self.threshold(role))
    }

    /// How many of a role's keys have to sign; none for a role that has no keys.
    #[must_use]
    pub fn threshold(&self, role: Role) -> usize {
        self.roles.get(&role).map_or(0, |keys| keys.threshold)
    }
}

impl Timestamp {
    /// A timestamp that names these targets.
    #[must_use]
    pub fn new(version: u64, expires: Instant, targets: &[u8], targets_version: u64) -> Self {
        let pointer = Pointer {
            version: targets_version,
            length: targets.len() as u64,
            hashes: BTreeMap::from([("sha256".to_owned(), sha256_hex(targets))]),
        };
        Self {
            kind: "timestamp".to_owned(),
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires: expires.to_string(),
            meta: BTreeMap::from([("targets.json".to_owned(), pointer)]),
        }
    }

    /// What it names.
    #[must_use]
    pub fn targets(&self) -> Option<&Pointer> {
        self.meta.get("targets.json")
    }
}

impl Targets {
    /// Targets without any artifact.
    #[must_use]
    pub fn new(version: u64, expires: Instant) -> Self {
        Self {
            kind: "targets".to_owned(),
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires: expires.to_string(),
            targets: BTreeMap::new(),
            downgrades: Vec::new(),
        }
    }
}

impl Target {
    /// An artifact of its digest (64 hexadecimal digits) and size.
    #[must_use]
    pub fn new(sha256: &str, length: u64, custom: TargetCustom) -> Self {
        let hashes = BTreeMap::from([("sha256".to_owned(), sha256.to_ascii_lowercase())]);
        Self { length, hashes, custom }
    }

    /// The digest, 64 lower-case hexadecimal digits; empty when it was not said.
    #[must_use]
    pub fn sha256(&self) -> &str {
        self.hashes.get("sha256").map_or("", String::as_str)
    }

    /// The deltas that lead to it, those of them that this version knows.
    pub fn deltas(&self) -> impl Iterator<Item = Delta> {
        self.custom.deltas.iter().take(MOST_DELTAS).filter_map(Delta::read)
    }

    /// Under which path it stands among the targets.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}/{}", self.custom.product, self.custom.version, self.custom.file_name)
    }
}

impl Signed {
    /// What was signed, as one kind of metadata; its signatures are not looked at.
    ///
    /// # Errors
    /// When it is of another kind or shape.
    pub fn read<T: Metadata>(&self) -> Result<T, crate::Unsigned> {
        let unreadable = |text: String| crate::Unsigned::Unreadable(text);
        let document: T = serde_json::from_value(self.signed.clone()).map_err(|error| unreadable(error.to_string()))?;
        let wanted = match T::ROLE {
            Role::Root => "root",
            Role::Targets => "targets",
            Role::Timestamp => "timestamp",
        };
        if document.kind() == wanted {
            Ok(document)
        } else {
            Err(unreadable(format!("it is {:?}, not {wanted:?}", document.kind())))
        }
    }
}

impl Metadata for Root {
    const ROLE: Role = Role::Root;
    fn kind(&self) -> &str {
        &self.kind
    }
    fn version(&self) -> u64 {
        self.version
    }
    fn expires(&self) -> &str {
        &self.expires
    }
}

impl Metadata for Timestamp {
    const ROLE: Role = Role::Timestamp;
    fn kind(&self) -> &str {
        &self.kind
    }
    fn version(&self) -> u64 {
        self.version
    }
    fn expires(&self) -> &str {
        &self.expires
    }
}

impl Metadata for Targets {
    const ROLE: Role = Role::Targets;
    fn kind(&self) -> &str {
        &self.kind
    }
    fn version(&self) -> u64 {
        self.version
    }
    fn expires(&self) -> &str {
        &self.expires
    }
}
