use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Day, Environment, EnvironmentName, RuleId, SystemName};

/// A whole system: its environments and how a version moves between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct System {
    /// Always `landfall.dev/v1`.
    pub api_version: ApiVersion,
    /// Always `System`.
    pub kind: Kind,
    /// The system's name; also the default prefix of what it is called in listings.
    pub name: SystemName,
    /// Where the system runs, by name.
    #[serde(default)]
    #[schemars(extend("propertyNames" = EnvironmentName::shape()))]
    pub environments: BTreeMap<String, Environment>,
    /// How versions move between environments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promotion: Vec<Promotion>,
    /// Findings of rules that are accepted for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<Waiver>,
}

/// A finding that is accepted, why, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Waiver {
    /// The rule, as `LF117`.
    pub rule: RuleId,
    /// Only for objects of this name: `Deployment/cache`, `Deployment/*` or `*/cache`; every object when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub object: Option<String>,
    /// Only in this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// Why the finding is accepted.
    #[schemars(length(min = 1))]
    pub reason: String,
    /// The last day on which it is, as `2027-03-31`.
    pub until: Day,
}

/// The file's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first stable one.
    #[serde(rename = "landfall.dev/v1")]
    V1,
}

/// The file's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// A system of environments and releases.
    System,
}

/// One step by which a version moves from one environment to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Promotion {
    /// The environment that has proved the version.
    pub from: EnvironmentName,
    /// The environment that receives it.
    pub to: EnvironmentName,
    /// How the change is made.
    #[serde(default)]
    pub by: PromotionBy,
    /// Who may approve it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// What happens to the version on the way: `same` or `strip-prerelease`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<PromotedVersion>,
}

/// How a promotion's change reaches the receiving environment's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PromotionBy {
    /// A pull request that a person merges.
    #[default]
    PullRequest,
    /// A commit on the base branch.
    Commit,
}

/// What happens to a version when it is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PromotedVersion {
    /// It stays as it is.
    Same,
    /// `0.5.0-alpha.3` becomes `0.5.0`.
    StripPrerelease,
}

impl System {
    /// The environment that commands act on when none is named: `local`, else the only one.
    pub fn default_environment(&self) -> Option<&str> {
        if self.environments.contains_key("local") {
            return Some("local");
        }
        match self.environments.len() {
            1 => self.environments.keys().next().map(String::as_str),
            _ => None,
        }
    }

    /// The sections of an environment (and of the file) that this version checks but does not act on yet.
    pub fn not_acted_on(&self, environment: &str) -> Vec<&'static str> {
        let mut sections = Vec::new();
        if let Some(environment) = self.environments.get(environment) {
            if environment.images.is_some() {
                sections.push("images");
            }
            if environment.secrets.is_some() {
                sections.push("secrets");
            }
        }
        if !self.promotion.is_empty() {
            sections.push("promotion");
        }
        sections
    }
}
