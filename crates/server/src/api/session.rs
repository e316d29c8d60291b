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
