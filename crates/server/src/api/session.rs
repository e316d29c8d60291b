//! What is said by and to whoever signs in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A name and its password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The account.
    pub name: String,
    /// Its password.
    pub password: String,
}

/// What a CI job comes with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobCredentials {
    /// The token that its forge's issuer has signed.
    pub token: String,
    /// As which of the declared identities, where it can be several.
    #[serde(default)]
    pub identity: Option<String>,
}

/// A token for a CI job that was let in.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct JobToken {
    /// The token; it is shown this once.
    pub token: String,
    /// What the job is called in the audit log.
    pub name: String,
    /// Whose rights it has.
    pub role: String,
    /// Until when, RFC 3339.
    pub expires_at: String,
}

/// Another password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The one until now.
    pub old: String,
    /// The one from now on.
    pub new: String,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionLine {
    /// What it is called in the audit log.
    pub name: String,
    /// `account`, `issuer`, `token`, `machine`: by what it is known.
    pub by: String,
    /// Who says so, where an issuer of identities does.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub issuer: String,
    /// What an account is beside itself.
    pub roles: Vec<String>,
    /// The groups that an issuer says it is in.
    pub groups: Vec<String>,
    /// Whether nothing but a new password is taken from it.
    pub must_change: bool,
    /// Until when a session lasts, RFC 3339.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub ends_at: String,
}
