use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ImageRepository, Namespace, ObjectName, SecretKeyName, WorkloadRef};

/// The kinds of workloads that roll out.
pub const ROLLED_OUT: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// What follows from a check that fails after a sync of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnSmokeFailure {
    /// It is told, and nothing else.
    #[default]
    Alert,
    /// The Application stays where it is: it is pinned, so that nothing further is delivered until it is released.
    Hold,
    /// The delivery before is delivered again, and the Application pinned to it.
    Revert,
}

/// The version that an answer must tell: the tag that an image has where it is delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VersionCheck {
    /// The image's repository, or how it ends: `api-gateway` is `ghcr.io/acme/api-gateway`.
    pub image: ImageRepository,
    /// The field of an answer in JSON that tells the version: `version` when absent. Other answers tell it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub field: Option<String>,
}

/// A line that a request must leave in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoggedCheck {
    /// The workload: `NAME`, `KIND/NAME` or `NAMESPACE/KIND/NAME`.
    pub workload: WorkloadRef,
    /// The text that a line must contain which is newer than the request.
    #[schemars(length(min = 1))]
    pub contains: String,
}

/// A value of a Secret that a command must print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrintsCheck {
    /// The Secret.
    pub secret: ObjectName,
    /// The Secret's namespace; that of the workload when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Its key.
    pub key: SecretKeyName,
}
