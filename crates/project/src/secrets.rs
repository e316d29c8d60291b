use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Namespace, ObjectName, OneOrMany, SecretKeyName, Span, TreePath};

/// The keys an environment needs and how each comes to be. No value ever stands in this file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secrets {
    /// The Secret that the pods read.
    pub target: ObjectName,
    /// Where it is to be, where what is delivered does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The values file that holds the sealed keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<TreePath>,
    /// The path of the sealed keys in that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub path: Option<String>,
    /// The Secret's type, where it is another than `Opaque`: `kubernetes.io/dockerconfigjson`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub kind: Option<String>,
    /// The keys by name.
    #[serde(default)]
    #[schemars(extend("propertyNames" = SecretKeyName::shape()))]
    pub keys: BTreeMap<String, SecretKey>,
    /// Further Secrets of the environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Secrets>,
}

impl Secrets {
    /// This one and those beside it, each with its place among them.
    pub fn all(&self) -> impl Iterator<Item = (Option<usize>, &Secrets)> {
        std::iter::once((None, self)).chain(self.also.iter().enumerate().map(|(index, other)| (Some(index), other)))
    }
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
    /// With `generate: once`: the bits of an RSA key; its value is the private key in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsa: Option<RsaBits>,
    /// What stands before a generated value, as Laravel's `base64:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub prefix: Option<String>,
    /// The key whose RSA key this is the public half of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_of: Option<SecretKeyName>,
    /// How often it is rotated, as `90d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<Span>,
    /// What else becomes invalid when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidates: Option<OneOrMany>,
    /// When a change takes effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// With `lifecycle: init-only`: the step that really changes it, as whoever operates the place types it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub step: Option<String>,
    /// Where else its value is entered by hand: a change is pending until that is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_to: Option<OneOrMany>,
    /// The key that keeps the value before it, while both are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<SecretKeyName>,
    /// What a value that is generated once was at its birth, as `secrets init` writes it: no other value takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub fingerprint: Option<String>,
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
    /// An RSA key, made anew at each rotation.
    Rsa {
        /// Its bits.
        rsa: RsaBits,
    },
}

/// The size of an RSA key, in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u16", into = "u16")]
#[schemars(with = "u16", extend("enum" = [2048, 4096]))]
pub enum RsaBits {
    /// 2,048.
    Bits2048,
    /// 4,096.
    Bits4096,
}

impl TryFrom<u16> for RsaBits {
    type Error = String;

    fn try_from(bits: u16) -> Result<Self, String> {
        match bits {
            2048 => Ok(RsaBits::Bits2048),
            4096 => Ok(RsaBits::Bits4096),
            _ => Err("an RSA key has 2048 or 4096 bits".to_owned()),
        }
    }
}

impl From<RsaBits> for u16 {
    fn from(bits: RsaBits) -> u16 {
        match bits {
            RsaBits::Bits2048 => 2048,
            RsaBits::Bits4096 => 4096,
        }
    }
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
