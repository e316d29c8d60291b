use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ObjectName, OneOrMany, SecretKeyName, Span, TreePath};

/// The keys an environment needs and how each comes to be. No value ever stands in this file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secrets {
    /// The Secret that the pods read.
    pub target: ObjectName,
    /// The values file that holds the sealed keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<TreePath>,
    /// The path of the sealed keys in that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub path: Option<String>,
    /// The keys by name.
    #[serde(default)]
    #[schemars(extend("propertyNames" = SecretKeyName::shape()))]
    pub keys: BTreeMap<String, SecretKey>,
}

/// How one key comes to be and what may happen to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretKey {
    /// How its value is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generate>,
    /// With `generate: once`: how many random bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub random: Option<u16>,
    /// The characters a generated value uses: `base64`, `url`, `hex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alphabet: Option<Alphabet>,
    /// How often it is rotated, as `90d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<Span>,
    /// What else becomes invalid when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidates: Option<OneOrMany>,
    /// When a change takes effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// A template over the other keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// How a key's value is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Generate {
    /// The word `once`: made when absent, never replaced.
    Once(GenerateOnce),
    /// Random bytes, made anew at each rotation.
    Random {
        /// How many random bytes.
        #[schemars(range(min = 1))]
        random: u16,
        /// The characters used: `base64`, `url`, `hex`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alphabet: Option<Alphabet>,
    },
}

/// The characters that a generated value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Alphabet {
    /// Those of base64.
    Base64,
    /// Those that need no escape in a URL.
    Url,
    /// `0`–`9` and `a`–`f`.
    Hex,
}

/// The word `once`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GenerateOnce {
    /// Made when absent, never replaced.
    Once,
}

/// When a changed key takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// Only when its owner is first initialised (a database's first start).
    InitOnly,
    /// At the next restart of the pods that read it.
    Restart,
}
