//! Our own agent's protocol: enroll once, then check in; whatever is to run there is told in the answer.
//!
//! ```text
//! POST /edge/v1/enroll      Enroll ─► 201 Enrolled          the token is used up in the same transaction; 401, 409
//! POST /edge/v1/check-in    CheckIn ─► 200 Direction        authorization: Bearer wk_live_…; a report is durable when it is answered
//! GET  /edge/v1/metadata/root/N · /edge/v1/metadata/timestamp · /edge/v1/metadata/targets     signed JSON; 404 when there is none
//! GET  /edge/v1/artifacts/SHA256/NAME                       ranges, `etag: "SHA256"`, no redirect, no content encoding
//! ```
//!
//! Whatever is refused is answered with [`Refused`]: 400, 401 (the credential is not, or no longer, good), 403 (disabled or quarantined),
//! 409, 413, 429 and 503 with `retry-after`. Fields are only ever added: a reader passes over those it does not know.
//!
//! Bytes are never trusted for where they came from: a [`Direction`] names a version, and the agent finds what that is in the signed
//! targets (`product/version/file name`), which bind product, version, counter, platform, size and digest together.

use serde::{Deserialize, Serialize};

use crate::UpgradeStatus;

/// `POST`: an edge comes into being.
pub const ENROLL: &str = "/edge/v1/enroll";
/// `POST`: an edge says how it is, and hears what is to run there.
pub const CHECK_IN: &str = "/edge/v1/check-in";
/// `GET`: what the paths of signed metadata begin with; `root/N`, `timestamp` or `targets` follows.
pub const METADATA: &str = "/edge/v1/metadata/";
/// `GET`: what the paths of artifacts begin with; the digest (64 hexadecimal digits), `/` and the file's name follow.
pub const ARTIFACTS: &str = "/edge/v1/artifacts/";
/// The product that the agent itself is. Its own releases are artifacts of this product.
pub const AGENT_PRODUCT: &str = "landfall-agent";
/// The product of an edge that names none: what the existing agent is.
pub const DEFAULT_PRODUCT: &str = "edge-agent";

/// What enrolls an edge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Enroll {
    /// The enrollment token, `etr_live_…`.
    pub token: String,
    /// Under which the device knows itself: letters, digits, `.`, `_`, `-`, at most 128.
    pub device_number: String,
    /// For people.
    pub display_name: String,
    /// `linux`, `win32`, `darwin`, or another spelling of them.
    pub platform: String,
    /// `x64`, `arm64`, `arm`, or another spelling of them.
    pub arch: String,
    /// What runs there.
    pub installed: Vec<Installed>,
    /// By which campaigns select it.
    pub labels: Vec<Label>,
}

/// A label of an edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Label {
    /// At most 63 of letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// As the name, or empty.
    pub value: String,
}

/// A program that an edge looks after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Installed {
    /// Of which product.
    pub product: String,
    /// In which version; empty while there is none.
    #[serde(default)]
    pub version: String,
    /// How it is installed; `service` if not said.
    #[serde(default)]
    pub install_type: String,
}

/// An edge that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Enrolled {
    /// The edge's own identifier.
    pub edge_id: String,
    /// Its credential, told this once.
    pub credential: String,
    /// As it was given.
    pub device_number: String,
    /// The signed root in its newest version, as text, to be trusted from now on; none while the fleet has no keys.
    pub root: Option<String>,
    /// In how many seconds to check in next.
    pub poll_seconds: u32,
    /// Seconds since 1970, as the server has it.
    pub server_time: i64,
}

/// What the machine is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RuntimeState {
    /// Nothing that must not be interrupted.
    #[default]
    Idle,
    /// Something that must not be interrupted: nothing is upgraded.
    Busy,
    /// An upgrade.
    Upgrading,
    /// Nothing, for something is wrong.
    Error,
}

/// How an edge is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CheckIn {
    /// Another with each start of the agent. Two that take turns are two machines with one identity.
    pub boot_id: String,
    /// Counts up from 1 within one boot; what is not above the last one changes nothing.
    pub sequence: u64,
    /// `linux`, `win32`, `darwin`.
    pub platform: String,
    /// `x64`, `arm64`, `arm`.
    pub arch: String,
    /// What runs there, confirmed: after an upgrade this alone is its success.
    pub installed: Vec<Installed>,
    /// What it is at.
    pub state: RuntimeState,
    /// Which task it must not be interrupted in, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_task: Option<String>,
    /// Since when the agent runs, in seconds.
    pub uptime_seconds: u64,
    /// What went wrong last, one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The slot that is active, for people: `a` or `b`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// How far an upgrade is; sent again until it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Which versions of the signed metadata it has; 0 for none.
    pub metadata: MetadataVersions,
    /// Whether the credential of the last [`Direction::credential`] is kept: the one that this request came with is.
    pub credential_kept: bool,
}

/// How far an upgrade is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Which attempt: [`Desired::attempt`].
    pub attempt: String,
    /// How far. `SUCCEEDED` counts only with the version in `installed`.
    pub status: UpgradeStatus,
    /// Why, of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What kind of failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureClass>,
    /// Bytes that are there.
    #[serde(default)]
    pub bytes: u64,
}

/// What kind of failure ended an attempt: it decides whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureClass {
    /// The bytes did not come.
    Network,
    /// There was no room for them, or they could not be written.
    Disk,
    /// They are not what was signed.
    Verification,
    /// The new version did not confirm itself.
    Boot,
    /// The edge refuses: an older version without signed consent, metadata that has run out, a product it does not look after.
    Refused,
    /// Nothing was heard in time.
    Timeout,
    /// Somebody has to go there, or do something that the server cannot.
    NeedsOperator,
    /// None of these.
    Other,
}

/// Versions of signed metadata; 0 where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetadataVersions {
    /// Of the root.
    pub root: u64,
    /// Of the timestamp.
    pub timestamp: u64,
    /// Of the targets.
    pub targets: u64,
}

/// What an edge hears when it checks in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Direction {
    /// Seconds since 1970, as the server has it. No expiry is judged by it.
    pub server_time: i64,
    /// In how many seconds to check in next; the agent spreads it by a fifth either way.
    pub poll_seconds: u32,
    /// What is to run there, when that is something else than does.
    pub desired: Option<Desired>,
    /// An attempt that is no longer wanted: it stops if nothing was switched yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<String>,
    /// A new credential. The old one is good until `oldExpiresAt`, and ends when the new one is first used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Rotated>,
    /// What signed metadata there is to be fetched.
    pub metadata: MetadataVersions,
}

/// What is to run on an edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    /// By which progress is reported. The same attempt is told until it ends; a new one after a failure is a new try.
    pub attempt: String,
    /// Which product.
    pub product: String,
    /// Which version.
    pub version: String,
    /// Its path in the signed targets: `product/version/file name`.
    pub target: String,
    /// Where the bytes are, a path of this server or a whole URL; digest and size are the signed targets' to say.
    pub url: String,
    /// No faster than so many bytes a second; no limit if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// Not to be switched to after this time (seconds since 1970): the end of a maintenance window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// Whether this is a version before the one that runs. The agent takes it only with the consent in the signed targets.
    #[serde(default)]
    pub downgrade: bool,
}

/// A credential that follows another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotated {
    /// `wk_live_…`.
    pub credential: String,
    /// Until when the old one is good, in seconds since 1970.
    pub old_expires_at: i64,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What.
    pub error: RefusedError,
}

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedError {
    /// A word for programs: `bad_request`, `unauthorized`, `forbidden`, `conflict`, `too_large`, `busy`, `unavailable`, `not_found`.
    pub code: String,
    /// For people: what, why, what to type.
    pub message: String,
}

impl Refused {
    /// A refusal.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { error: RefusedError { code: code.to_owned(), message: message.into() } }
    }
}
