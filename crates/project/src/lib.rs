//! `landfall.yaml`: the file at a repository's root that names the system once.
//!
//! ```text
//! text ─► yaml nodes with spans ─► checked against the schema ─► System
//!              (unknown keys, wrong types: a diagnostic at the place, with the nearest known key)
//! ```
//!
//! Everything has a default; a bare chart or an Argo `Application` works without the file. The JSON Schema that
//! editors use ([`json_schema`]) is generated from the very types that are read, so the two cannot disagree.
//!
//! Invariants: pure, no I/O; a [`System`] that parsed is consistent (names are unique, references inside the file
//! resolve; each name, address, path and amount is one: [`Namespace`], [`Url`] and their like are read once and true
//! from then on); every section is read and checked even where no command acts on it yet, and
//! [`System::not_acted_on`] names those.

mod check;
mod environment;
mod operators;
mod parse;
mod place;
mod references;
mod schema;
mod secrets;
mod simulate;
mod smoke;
mod system;
mod twice;
mod word;

pub use environment::{
    AddonSpec, Build, Channel, Check, ClusterTarget, Environment, ExecCheck, Follow, Hosts, ImagePolicy, Images,
    OneOrMany, ReleaseSpec, RemoteCluster, Sync, SyncMode, TagOrder,
};
pub use operators::{OperatorSwitch, OperatorWord, Operators};
pub use parse::{MOST_BYTES, ProjectFile, parse, parse_bytes};
pub use place::{Components, Connections, Facts, Maturity};
pub use schema::json_schema;
pub use secrets::{Alphabet, Generate, GenerateOnce, Lifecycle, RsaBits, SecretKey, Secrets};
pub use simulate::{ExecAnswer, HttpAnswer, Simulated};
pub use smoke::{LoggedCheck, OnSmokeFailure, PrintsCheck, ROLLED_OUT, VersionCheck};
pub use system::{Gates, Person, PromotedVersion, Promotion, PromotionBy, ReportLevel, System, Waiver, Who};
pub use word::{
    Address, Amount, ContainerName, ContextName, Day, EnvironmentName, Glob, HeaderName, HostName, HostPattern,
    HttpMethod, ImageRepository, Namespace, ObjectName, ReleaseName, RepositoryUrl, RoutePath, RuleId, SecretKeyName,
    SimulatedName, Span, SystemName, TreePath, Unfit, Url, WorkloadRef,
};

/// The file's name at a repository's root.
pub const FILE_NAME: &str = "landfall.yaml";
