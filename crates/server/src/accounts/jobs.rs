//! CI jobs and whose rights they have. A forge's runner gives a job a token that its issuer has signed (GitHub, GitLab,
//! Forgejo); which jobs are let in is declared: the issuer, whom its tokens must be meant for, and what each claim has to say.
//! What comes of it is a token of our own that ends within the hour, with a role of the policy. Nothing is stored at the forge.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use landfall_diag::{Diagnostic, code};
use landfall_engine::Clock;
use landfall_project::Span;
use landfall_source::Network;
use landfall_store::Facts;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::keys::{IssuerKeys, checked, refused};
use crate::actor::{ALL_PROJECTS, Scope};

/// How long an identity lasts where nobody says, and the longest.
const LASTS: Duration = Duration::from_mins(15);
const LONGEST: Duration = Duration::from_hours(1);
/// How often a token of a forge may be exchanged where that is declared: a job has so many commands.
const MOST_EXCHANGES: u8 = 50;
/// Where the store has the tokens that were exchanged, each until its end.
const EXCHANGED: &str = "exchanged-ci-tokens";
/// The longest that a claim's text is read as, in bytes.
const LONGEST_CLAIM: usize = 1024;

/// Claims that name a repository as its forge alone can; without one of them any other one's jobs would be let in, too.
const OF_REPOSITORIES: [&str; 5] = ["repository", "repository_id", "project_path", "project_id", "sub"];
/// Claims that say what of a repository ran; without one of them every branch and pull request would be let in.
const OF_RUNS: [&str; 7] =
    ["ref_path", "ref_protected", "environment", "workflow_ref", "job_workflow_ref", "ci_config_ref_uri", "sub"];
/// Claims that are looked at in any case, and say nothing about a job.
const OF_TOKENS: [&str; 6] = ["iss", "aud", "exp", "iat", "nbf", "jti"];
/// Claims that the audit log has, as far as a token has them.
const TOLD: [&str; 11] = [
    "sub",
    "repository",
    "project_path",
    "ref",
    "ref_path",
    "sha",
    "workflow_ref",
    "run_id",
    "run_attempt",
    "job_id",
    "actor",
];

/// The file that declares them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Declared {
    api_version: String,
    kind: String,
    issuers: Vec<DeclaredIssuer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredIssuer {
    /// Its address, as its tokens have it.
    issuer: String,
    /// Whom its tokens must be meant for: this server's own address, say.
    audience: String,
    identities: Vec<JobIdentity>,
}

/// What a CI job becomes whose claims are as declared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobIdentity {
    /// What it is called: what is done with it is done by that name.
    pub(crate) name: String,
    /// Whose rights it has by the policy.
    pub(crate) role: String,
    /// What it is for; both when absent.
    #[serde(default = "both")]
    pub(crate) scopes: Vec<String>,
    /// The projects that it sees, as globs; all when absent.
    #[serde(default = "all")]
    pub(crate) projects: Vec<String>,
    /// The paths of repositories that it is for, as patterns; every one when absent.
    #[serde(default)]
    pub(crate) paths: Vec<String>,
    /// How long it lasts.
    #[serde(default)]
    lasts: Option<Span>,
    /// How often one token of the forge is good for one of ours: once where nobody says.
    #[serde(default = "once")]
    exchanges: u8,
    /// What its token's claims have to say.
    claims: BTreeMap<String, Wanted>,
}

/// What a claim has to say: one of these. `*` is any text without `/`, `:` and `@`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Wanted {
    One(String),
    OneOf(Vec<String>),
}

fn both() -> Vec<String> {
    Scope::ALL.iter().map(|scope| scope.word().to_owned()).collect()
}

fn all() -> Vec<String> {
    vec![ALL_PROJECTS.to_owned()]
}

fn once() -> u8 {
    1
}

/// A CI job that is let in.
#[derive(Debug)]
pub(crate) struct Job {
    /// Which token it brought, where that says so.
    brought: Option<Brought>,
    /// As what.
    pub(crate) identity: JobIdentity,
    /// Who vouches for it.
    pub(crate) issuer: String,
    /// What the audit log has of its claims.
    pub(crate) told: Value,
}

/// A token of a forge by its own number.
#[derive(Debug)]
struct Brought {
    /// A digest of issuer and number.
    name: String,
    /// Until when it would be believed, in seconds of the epoch.
    until: i64,
}

impl Brought {
    fn of(issuer: &str, claims: &Value) -> Option<Self> {
        let number = claims["jti"].as_str().filter(|number| !number.is_empty())?;
        let digest = Sha256::digest(format!("{issuer}\n{number}"));
        let until = claims["exp"].as_i64()?.saturating_add(super::keys::LEEWAY);
        Some(Brought { name: format!("{digest:x}"), until })
    }
}

impl Job {
    /// Uses up one exchange of the token that it brought; what was used stays known until the token's end, also to the next process
    /// and to other replicas.
    ///
    /// # Errors
    /// [`code::ISSUER_FAILED`]: it has been exchanged as often as is declared. The store cannot be read or written.
    pub(crate) async fn exchange(&self, facts: &Facts, now: Timestamp) -> Result<(), Diagnostic> {
        let Some(Brought { name, until }) = &self.brought else { return Ok(()) };
        let failed = |error: landfall_store::Error| landfall_diag::Diagnose::diagnose(&error);
        for (used, until) in facts.of(EXCHANGED).await.map_err(failed)? {
            if until.as_i64().is_none_or(|until| until <= now.as_second()) {
                facts.remove(EXCHANGED, &used).await.map_err(failed)?;
            }
        }
        for time in 1..=self.identity.exchanges {
            if facts.claim(EXCHANGED, &format!("{name}/{time}"), &Value::from(*until)).await.map_err(failed)? {
                return Ok(());
            }
        }
        let why = "the CI job's token has been exchanged before";
        Err(refused(why).note("each command wants a token of its own, or `exchanges:` in the file of --ci-identities"))
    }
}

/// Which CI jobs are let in.
pub(crate) struct Jobs(Vec<Trusted>);

struct Trusted {
    keys: IssuerKeys,
    declared: DeclaredIssuer,
}

impl Jobs {
    /// Reads what is declared.
    ///
    /// # Errors
    /// [`code::BAD_CI_IDENTITIES`]: it cannot be read, or would let in whom nobody means.
    pub(crate) fn parse(text: &str, network: &Network, clock: &Arc<dyn Clock>) -> Result<Self, Diagnostic> {
        let value = landfall_yaml::to_json_strict(text).map_err(|error| bad(error.to_string()))?;
        let declared: Declared = serde_json::from_value(value).map_err(|error| bad(error.to_string()))?;
        if (declared.api_version.as_str(), declared.kind.as_str()) != ("landfall.dev/v1", "CiIdentities") {
            return Err(bad("it begins with apiVersion: landfall.dev/v1 and kind: CiIdentities".to_owned()));
        }
        let mut trusted: Vec<Trusted> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for declared in declared.issuers {
            checked(&declared.issuer).map_err(|diagnostic| bad(diagnostic.message))?;
            if trusted.iter().any(|it| it.declared.issuer == declared.issuer) {
                return Err(bad(format!("the issuer {} is declared twice", declared.issuer)));
            }
            if declared.audience.trim().is_empty() {
                return Err(bad(format!("the tokens of {} must be meant for somebody: audience", declared.issuer)));
            }
            for identity in &declared.identities {
                identity.check().map_err(|why| bad(format!("{}: {why}", identity.name)))?;
                if names.contains(&identity.name) {
                    return Err(bad(format!("{} is declared twice", identity.name)));
                }
                names.push(identity.name.clone());
            }
            let keys = IssuerKeys::new(&declared.issuer, network, Arc::clone(clock))?;
            trusted.push(Trusted { keys, declared });
        }
        Ok(Jobs(trusted))
    }

    /// The job that a token is of, as the identity that is wanted, or the only one that it can be.
    ///
    /// # Errors
    /// [`code::ISSUER_FAILED`]: the token is not to be believed. [`code::NO_CI_IDENTITY`]: nothing is declared for that job.
    pub(crate) async fn job(&self, token: &str, wanted: Option<&str>) -> Result<Job, Diagnostic> {
        let claimed = claimed_issuer(token).ok_or_else(|| refused("the token is none of an issuer"))?;
        let Some(Trusted { keys, declared }) = self.0.iter().find(|it| it.declared.issuer == claimed) else {
            return Err(refused("the token is of an issuer that is not declared").note(help_of_file()));
        };
        let claims = keys.believed(token, &declared.audience).await?;
        let told: Map<String, Value> =
            TOLD.iter().filter_map(|name| Some(((*name).to_owned(), Value::String(text(&claims[*name])?)))).collect();
        let fitting: Vec<&JobIdentity> = declared
            .identities
            .iter()
            .filter(|identity| wanted.is_none_or(|wanted| wanted == identity.name) && identity.is_for(&claims))
            .collect();
        match fitting.as_slice() {
            [identity] => {
                let brought = Brought::of(&declared.issuer, &claims);
                let (identity, issuer) = ((*identity).clone(), declared.issuer.clone());
                Ok(Job { brought, identity, issuer, told: Value::Object(told) })
            }
            [] => {
                let subject = text(&claims["sub"]).unwrap_or_default();
                let refusal = Diagnostic::refused(code::NO_CI_IDENTITY, "nothing is declared for this CI job");
                Err(refusal.note(format!("it is {subject}")).help(help_of_file()))
            }
            several => {
                let names: Vec<&str> = several.iter().map(|identity| identity.name.as_str()).collect();
                let refusal = Diagnostic::refused(code::NO_CI_IDENTITY, "this CI job can be several identities");
                Err(refusal.listing("they are", names).help("say which one: LANDFALL_CI_IDENTITY"))
            }
        }
    }
}

impl JobIdentity {
    /// How long it lasts.
    pub(crate) fn lasts(&self) -> Duration {
        self.lasts.as_ref().map_or(LASTS, Span::duration)
    }

    fn check(&self) -> Result<(), String> {
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= 64
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c))
        };
        let parts: Vec<&str> = self.role.split(':').collect();
        let is_role = matches!(parts.as_slice(), ["role", a] if !a.is_empty())
            || matches!(parts.as_slice(), ["proj", a, b] if !a.is_empty() && !b.is_empty());
        if !is_name(&self.name) {
            return Err("a name has letters, digits and -_.@, at most 64 of them".to_owned());
        }
        if !is_role {
            return Err(format!("`{}` is no role: they are role:NAME and proj:PROJECT:NAME", self.role));
        }
        if let Some(scope) = self.scopes.iter().find(|scope| Scope::parse(scope).is_none()) {
            return Err(format!("there is no scope `{scope}`: they are read and sync"));
        }
        if self.lasts() > LONGEST || self.lasts().is_zero() {
            return Err("lasts is at most 1h, and more than nothing".to_owned());
        }
        if !(1..=MOST_EXCHANGES).contains(&self.exchanges) {
            return Err(format!("exchanges is a number from 1 to {MOST_EXCHANGES}"));
        }
        if let Some(claim) = self.claims.keys().find(|claim| OF_TOKENS.contains(&claim.as_str())) {
            return Err(format!("the claim {claim} is looked at in any case, and says nothing about a job"));
        }
        if let Some((claim, _)) = self.claims.iter().find(|(_, wanted)| {
            let mut texts = wanted.texts();
            texts.len() == 0 || texts.any(|text| text.is_empty() || text.bytes().all(|byte| byte == b'*'))
        }) {
            return Err(format!("the claim {claim} is declared to say anything"));
        }
        let exact = |claim: &&str| self.claims.get(*claim).is_some_and(Wanted::is_exact);
        if !OF_REPOSITORIES.iter().any(exact) {
            return Err(format!("no repository is named: one of {} in full", OF_REPOSITORIES.join(", ")));
        }
        // A tag may be called as a branch is: GitLab's `ref` has no more than the name.
        let refs = self.claims.get("ref").is_some_and(|wanted| {
            self.claims.contains_key("ref_type") || wanted.texts().all(|text| text.starts_with("refs/"))
        });
        if !refs && !OF_RUNS.iter().any(|claim| self.claims.contains_key(*claim)) {
            let names = OF_RUNS.join(", ");
            return Err(format!(
                "every branch and pull request of the repository would be let in: say ref (refs/…, or with ref_type), or one of {names}"
            ));
        }
        Ok(())
    }

    fn is_for(&self, claims: &Value) -> bool {
        self.claims.iter().all(|(claim, wanted)| {
            text(&claims[claim.as_str()]).is_some_and(|text| wanted.texts().any(|pattern| fits(pattern, &text)))
        })
    }
}

impl Wanted {
    fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        match self {
            Wanted::One(text) => std::slice::from_ref(text),
            Wanted::OneOf(list) => list.as_slice(),
        }
        .iter()
        .map(String::as_str)
    }

    fn is_exact(&self) -> bool {
        self.texts().all(|text| !text.contains('*'))
    }
}

/// A claim's text: of a list there is none, because one of several things says nothing about a job.
fn text(claim: &Value) -> Option<String> {
    let text = match claim {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(is) => is.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(text).filter(|text| text.len() <= LONGEST_CLAIM)
}

/// Whether a text fits a pattern: `*` stays within a part of a path, a subject or a version of a workflow.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((front, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(behind) = text.strip_prefix(front) else { return false };
    let ends = behind.find(['/', ':', '@']).unwrap_or(behind.len());
    (0..=ends).filter(|at| behind.is_char_boundary(*at)).any(|at| fits(rest, &behind[at..]))
}

/// Which issuer a token says it is of: it says where its keys are looked for, and nothing is believed by it.
fn claimed_issuer(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims["iss"].as_str().map(str::to_owned)
}

fn help_of_file() -> &'static str {
    "the file of landfall serve --ci-identities says which jobs are let in"
}

fn bad(why: String) -> Diagnostic {
    Diagnostic::error(code::BAD_CI_IDENTITIES, "what is declared of CI jobs cannot be used")
        .note(why)
        .note("nothing was changed")
}

#[cfg(test)]
mod tests;
