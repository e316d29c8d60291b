use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Day, Environment, EnvironmentName, RuleId, Span, SystemName, TreePath};

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
    /// Who somebody is at the forge, by the name that `owners` and the server have: `sebastian: {forge: SensSebastian}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub people: BTreeMap<String, Person>,
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
    /// Who may ask for it; anybody who may write to the repository where nobody is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// What happens to the version on the way: `same` or `strip-prerelease`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<PromotedVersion>,
    /// The branch that gets it; the one that is checked out when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub branch: Option<String>,
    /// Paths of the receiving environment's values that get the version, as `platformApi.version`: what an image was built
    /// as is not what it is released as.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inject: Vec<String>,
    /// What must have been seen of the images before.
    #[serde(default, skip_serializing_if = "Gates::is_usual")]
    pub gates: Gates,
}

/// What must have been seen of images before they are promoted. That they ran well, and that every check declared where
/// they ran has passed, is always asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Gates {
    /// The checks that must have passed, by name; all that are declared where the images ran when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<String>>,
    /// How long they must have run well without a failure in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Span>,
    /// Findings of this level and above in a report (SARIF) that is handed in refuse it; without a report it is refused, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<ReportLevel>,
    /// The public key that must have signed each image, as cosign does: a PEM file of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<TreePath>,
    /// What must be attested of each image and signed by that key, by its predicate's type, as
    /// `https://slsa.dev/provenance/v1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<String>,
    /// Whether everything under `maturity` of the receiving environment must be `done`; what is open is told otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub data_ready: bool,
}

impl Gates {
    fn is_usual(&self) -> bool {
        *self == Gates::default()
    }
}

/// How bad a finding of a report is, in SARIF's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportLevel {
    /// It may be worth a look.
    Note,
    /// It may be wrong.
    Warning,
    /// It is wrong.
    Error,
}

/// Somebody who is called otherwise elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Person {
    /// The name at the forge.
    #[schemars(length(min = 1))]
    pub forge: String,
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

    /// The sections of an environment that `up` and `plan` do not act on: other commands do.
    pub fn not_acted_on(&self, environment: &str) -> Vec<&'static str> {
        let mut sections = Vec::new();
        if self.environments.get(environment).is_some_and(|environment| environment.secrets.is_some()) {
            sections.push("secrets");
        }
        sections
    }

    /// What somebody is called here, and at the forge where both names are bound. What the forge calls somebody is a name there and
    /// nothing else: an account that happens to be called as somebody here is, who has another one, is a stranger, and is called so
    /// that no owner is.
    pub fn person(&self, who: &Who) -> (String, Option<String>) {
        let at_forge = |name: &str| self.people.iter().find(|(_, person)| person.forge.eq_ignore_ascii_case(name));
        let (name, bound) = match who {
            Who::Here(name) => (name, self.people.get_key_value(name).or_else(|| at_forge(name))),
            Who::AtForge(login) => (login, at_forge(login)),
        };
        match (bound, who) {
            (Some((own, person)), _) => (own.clone(), Some(person.forge.clone())),
            (None, Who::AtForge(login)) if self.people.contains_key(login) => {
                (format!("{login} of the forge"), Some(login.clone()))
            }
            (None, _) => (name.clone(), None),
        }
    }
}

/// Somebody, by the name that is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// As they call themselves where the command is run.
    Here(String),
    /// As the forge calls their account.
    AtForge(String),
}

impl Who {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Who::Here(name) | Who::AtForge(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn se_43_an_account_of_the_forge_is_whom_it_is_bound_to_and_nobody_who_is_called_like_it_here() {
        let text = "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments: {test: {cluster: embedded}}\npeople: {sebastian: {forge: SensSebastian}, ada: {forge: grace}, grace: {forge: gh}}\n";
        let system = crate::parse_bytes(crate::FILE_NAME, text.as_bytes()).expect("it is one").system;
        let at_forge = |login: &str| system.person(&Who::AtForge(login.to_owned()));
        let here = |name: &str| system.person(&Who::Here(name.to_owned()));
        let told = |own: &str, forge: Option<&str>| (own.to_owned(), forge.map(str::to_owned));
        assert_eq!(at_forge("senssebastian"), told("sebastian", Some("SensSebastian")));
        assert_eq!(at_forge("sebastian"), told("sebastian of the forge", Some("sebastian")), "another one's account");
        assert_eq!(at_forge("grace"), told("ada", Some("grace")), "an account is looked for among accounts");
        assert_eq!(at_forge("eve"), told("eve", None));
        assert_eq!(here("grace"), told("grace", Some("gh")), "and a name here among those here first");
        assert_eq!(here("SensSebastian"), told("sebastian", Some("SensSebastian")));
        assert_eq!((here("eve"), Who::Here("eve".to_owned()).name()), (told("eve", None), "eve"));
    }
}
