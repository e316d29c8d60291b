//! Forges: pull requests, what is said of a commit, and whether a branch is protected.
//!
//! ```text
//! Repository (whose API, where, owner/name) + token ─► ForgeClient ── find, propose, look, reviews, status, protection
//!                                                         └─ Dialect: one a forge; makes requests and reads answers, without I/O
//!                                                              ├─ github.rs   ├─ gitlab.rs   └─ gitea.rs (and Forgejo)
//! ```
//!
//! Invariants
//! - A token goes to the API that it was given for and follows no redirect.
//! - An answer has a size, a list has a length, and each request a time.
//! - What a forge says is foreign: a number is a number, an address one below the forge's own, a hash one of a commit.

mod gitea;
mod github;
mod gitlab;

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde_json::Value;

use crate::access::{Access, Redirects};
use crate::error::SourceError;
use crate::http::{HttpClient, Reply};
use crate::network::Network;

/// Most bytes of one answer.
const MOST_BYTES: u64 = 4 << 20;
/// Pull requests of one page, and most pages that are looked through for one of ours.
const PAGE: usize = 50;
const MOST_PAGES: usize = 20;
/// The longest text of a pull request that every forge takes, in bytes: GitHub's is 65,536 characters.
pub const LONGEST_BODY: usize = 60_000;
/// The longest sentence beside a status that every forge takes, in characters.
const LONGEST_DESCRIPTION: usize = 140;
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Whose API a forge speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForgeApi {
    /// GitHub, on its own servers or elsewhere.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
}

/// A repository on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeRepository {
    /// Whose API it speaks.
    pub forge: ForgeApi,
    /// The API's address, without a slash at its end.
    pub api: String,
    /// The repository: `owner/name`, at GitLab with as many groups as it has.
    pub repository: String,
}

/// What a pull request is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The branch that is to be merged; of the same repository.
    pub head: String,
    /// The branch that it is to be merged into.
    pub base: String,
    /// Its first line.
    pub title: String,
    /// What it says, Markdown; cut to [`LONGEST_BODY`].
    pub body: String,
}

/// A pull request, or a merge request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ForgeRequest {
    /// Its number.
    pub number: u64,
    /// Where people see it.
    pub url: String,
    /// Whether it waits, was merged or was closed.
    pub state: RequestState,
    /// The branch that is to be merged.
    pub head: String,
    /// The branch that it is to be merged into.
    pub base: String,
    /// The commit that the branch was at when the forge looked last.
    pub head_commit: String,
    /// The commit by which it was merged.
    pub merged_as: Option<String>,
    /// Who made it.
    pub author: String,
}

/// How a pull request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    /// It waits.
    Open,
    /// It was merged.
    Merged,
    /// It was closed and not merged.
    Closed,
}

/// What somebody said of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Who.
    pub by: String,
    /// Whether they approve it.
    pub approves: bool,
    /// The commit that they looked at, where the forge says it.
    pub commit: Option<String>,
}

/// What is said of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// What looked at it: `landfall/promotion`.
    pub context: String,
    /// What it found.
    pub state: StatusState,
    /// In a sentence; cut to what every forge takes.
    pub description: String,
}

/// What a check of a commit found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusState {
    /// Nothing yet.
    Pending,
    /// All is well.
    Success,
    /// It must not be merged.
    Failure,
}

/// Whether a branch is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Whoever may push, may push to it.
    Open,
    /// It is.
    Protected {
        /// Whether a merge needs the yes of an owner of what it changes (at Gitea: of anybody but its author).
        wants_owner: bool,
    },
    /// The account may not see it.
    Hidden,
}

/// A request as it is sent below the API's address.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ask {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl Ask {
    fn get(path: String) -> Self {
        Ask { method: Method::GET, path, body: None }
    }

    fn with(method: Method, path: String, body: Value) -> Self {
        Ask { method, path, body: Some(body) }
    }
}

/// How a forge is spoken to: requests made and answers read, nothing sent.
trait Dialect: Sync {
    /// The API's address on a host of people's own.
    fn api_on(&self, origin: &str) -> String;
    /// The header that says which version of its API is meant, where it has several at one address.
    fn version(&self) -> Option<(HeaderName, &'static str)> {
        None
    }

    /// The header that a token goes in.
    fn login(&self, token: &str) -> (HeaderName, String);
    /// One page of open requests from a branch, or of all where the forge cannot look for one; pages count from 1.
    fn open_from(&self, repository: &str, head: &str, base: &str, page: usize) -> Ask;
    /// A new request.
    fn propose(&self, repository: &str, proposal: &Proposal) -> Ask;
    /// Another title and text of one.
    fn revise(&self, repository: &str, number: u64, proposal: &Proposal) -> Ask;
    /// One request.
    fn request(&self, repository: &str, number: u64) -> Ask;
    /// What stands in an answer about one request; nothing where it is none.
    fn read(&self, item: &Value) -> Option<ForgeRequest>;
    /// What was said of a request.
    fn reviews(&self, repository: &str, number: u64) -> Ask;
    /// The reviews of an answer.
    fn read_reviews(&self, answer: &Value) -> Vec<Review>;
    /// Something that is said of a commit.
    fn status(&self, repository: &str, commit: &str, status: &CommitStatus) -> Ask;
    /// Whether a branch is protected.
    fn protection(&self, repository: &str, branch: &str) -> Ask;
    /// Whether a protected branch wants an owner's yes.
    fn wants_owner(&self, answer: &Value) -> bool;
    /// The account that a token belongs to.
    fn account(&self) -> Ask {
        Ask::get("/user".to_owned())
    }
    /// The person of an answer about an account; nothing where it is a machine's.
    fn read_account(&self, answer: &Value) -> Option<String>;
}

impl ForgeApi {
    /// The forge of a word: `github`, `gitlab`, `gitea`, `forgejo`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "github" => Some(ForgeApi::GitHub),
            "gitlab" => Some(ForgeApi::GitLab),
            "gitea" | "forgejo" => Some(ForgeApi::Gitea),
            _ => None,
        }
    }

    /// As far as a host's name says whose it is.
    fn of_host(host: &str) -> Option<Self> {
        let named = |word: &str| host.split(['.', '-', ':']).any(|part| part == word);
        match host {
            "github.com" => Some(ForgeApi::GitHub),
            "codeberg.org" | "gitea.com" => Some(ForgeApi::Gitea),
            _ if named("gitlab") => Some(ForgeApi::GitLab),
            _ if named("gitea") || named("forgejo") => Some(ForgeApi::Gitea),
            _ => None,
        }
    }

    fn dialect(self) -> &'static dyn Dialect {
        match self {
            ForgeApi::GitHub => &github::GitHub,
            ForgeApi::GitLab => &gitlab::GitLab,
            ForgeApi::Gitea => &gitea::Gitea,
        }
    }
}

impl ForgeRepository {
    /// The one of a repository's address (`https://host/owner/name.git`, `git@host:owner/name.git`); `forge` and `api` are
    /// what was said of it, where its host's name does not say it. Nothing where it is no forge's.
    pub fn of(address: &str, forge: Option<ForgeApi>, api: Option<&str>) -> Option<Self> {
        let (scheme, rest) = match address.split_once("://") {
            Some((scheme @ ("http" | "https" | "ssh" | "git+ssh"), rest)) => (scheme, rest.to_owned()),
            Some(_) => return None,
            None => {
                // A single letter is a drive.
                let (host, path) = address.split_once(':').filter(|(host, _)| host.len() > 1 && !host.contains('/'))?;
                ("ssh", format!("{host}/{path}"))
            }
        };
        let (authority, path) = rest.split_once('/')?;
        let host = authority.rsplit('@').next()?.to_ascii_lowercase();
        let name = host.split(':').next()?.to_owned();
        let forge = forge.or_else(|| ForgeApi::of_host(&name))?;
        let repository = path.trim_matches('/').trim_end_matches(".git").to_owned();
        let is_name = repository.split('/').all(|part| {
            !part.is_empty() && part != ".." && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        });
        if !is_name || !repository.contains('/') {
            return None;
        }
        // What is reached by SSH has its API on the usual port.
        let origin = if scheme == "http" || scheme == "https" {
            format!("{scheme}://{host}")
        } else {
            format!("https://{name}")
        };
        let api = api.map_or_else(|| forge.dialect().api_on(&origin), str::to_owned);
        Some(ForgeRepository { forge, api: api.trim_end_matches('/').to_owned(), repository })
    }
}

/// A client of one repository on a forge.
#[derive(Debug, Clone)]
pub struct ForgeClient {
    place: ForgeRepository,
    token: String,
    client: HttpClient,
}

impl ForgeClient {
    /// One that asks with a token; an empty one is sent to nobody.
    pub fn new(network: &Network, place: ForgeRepository, token: impl Into<String>) -> Self {
        let access = Access { redirects: Redirects::Stop, timeout: Some(TIMEOUT), ..Access::default() };
        ForgeClient { place, token: token.into(), client: network.client(access) }
    }

    /// Which repository it asks about.
    pub fn place(&self) -> &ForgeRepository {
        &self.place
    }

    /// The open pull request from a branch into another one.
    ///
    /// # Errors
    /// The forge does not answer, refuses, or answers with what is none of its answers.
    pub async fn find(&self, head: &str, base: &str) -> Result<Option<ForgeRequest>, SourceError> {
        let dialect = self.dialect();
        for page in 1..=MOST_PAGES {
            let ask = dialect.open_from(&self.place.repository, head, base, page);
            let answer = self.send(&ask, &[200]).await?;
            let items = answer.as_array().ok_or_else(|| self.strange(&ask, "no list"))?;
            let ours = items
                .iter()
                .filter_map(|item| dialect.read(item))
                .find(|request| request.state == RequestState::Open && request.head == head && request.base == base);
            if ours.is_some() || items.len() < PAGE {
                return Ok(ours);
            }
        }
        Ok(None)
    }

    /// Makes a pull request, or gives the one that is open from that branch another title and text; says which it was.
    ///
    /// # Errors
    /// As [`ForgeClient::find`].
    pub async fn propose(&self, proposal: &Proposal) -> Result<(ForgeRequest, Proposed), SourceError> {
        let proposal = &Proposal { body: cut(&proposal.body), ..proposal.clone() };
        let dialect = self.dialect();
        let (ask, statuses, done): (Ask, &[u16], Proposed) = match self.find(&proposal.head, &proposal.base).await? {
            Some(known) => {
                (dialect.revise(&self.place.repository, known.number, proposal), &[200, 201], Proposed::Revised)
            }
            None => (dialect.propose(&self.place.repository, proposal), &[200, 201], Proposed::Made),
        };
        let answer = match self.send(&ask, statuses).await {
            // Somebody made it in between, or an answer was lost.
            Err(error @ SourceError::Refused { status: 409 | 422, .. }) if done == Proposed::Made => {
                let found = self.find(&proposal.head, &proposal.base).await?;
                return found.map(|found| (found, Proposed::Revised)).ok_or(error);
            }
            answer => answer?,
        };
        let request = dialect.read(&answer).ok_or_else(|| self.strange(&ask, "no pull request"))?;
        Ok((request, done))
    }

    /// A pull request by its number.
    ///
    /// # Errors
    /// As [`ForgeClient::find`].
    pub async fn request(&self, number: u64) -> Result<ForgeRequest, SourceError> {
        let ask = self.dialect().request(&self.place.repository, number);
        let answer = self.send(&ask, &[200]).await?;
        self.dialect().read(&answer).ok_or_else(|| self.strange(&ask, "no pull request"))
    }

    /// What was said of a pull request, in order.
    ///
    /// # Errors
    /// As [`ForgeClient::find`].
    pub async fn reviews(&self, number: u64) -> Result<Vec<Review>, SourceError> {
        let ask = self.dialect().reviews(&self.place.repository, number);
        Ok(self.dialect().read_reviews(&self.send(&ask, &[200]).await?))
    }

    /// Says something of a commit.
    ///
    /// # Errors
    /// As [`ForgeClient::find`].
    pub async fn say(&self, commit: &str, status: &CommitStatus) -> Result<(), SourceError> {
        let description = status.description.chars().map(|c| if c.is_control() { ' ' } else { c });
        let status = CommitStatus { description: description.take(LONGEST_DESCRIPTION).collect(), ..status.clone() };
        let ask = self.dialect().status(&self.place.repository, commit, &status);
        self.send(&ask, &[200, 201]).await.map(drop)
    }

    /// Whether a branch is protected.
    ///
    /// # Errors
    /// As [`ForgeClient::find`].
    pub async fn protection(&self, branch: &str) -> Result<Protection, SourceError> {
        let ask = self.dialect().protection(&self.place.repository, branch);
        match self.send(&ask, &[200]).await {
            Ok(answer) => Ok(Protection::Protected { wants_owner: self.dialect().wants_owner(&answer) }),
            Err(SourceError::Refused { status: 404, .. }) => Ok(Protection::Open),
            Err(SourceError::Refused { status: 401 | 403, .. }) => Ok(Protection::Hidden),
            Err(error) => Err(error),
        }
    }

    /// The person that the token belongs to, as the forge calls them; nothing where it is a machine's, or may not ask.
    ///
    /// # Errors
    /// As [`ForgeClient::find`].
    pub async fn account(&self) -> Result<Option<String>, SourceError> {
        match self.send(&self.dialect().account(), &[200]).await {
            Ok(answer) => Ok(self.dialect().read_account(&answer)),
            Err(SourceError::Refused { status: 401 | 403 | 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn dialect(&self) -> &'static dyn Dialect {
        self.place.forge.dialect()
    }

    async fn send(&self, ask: &Ask, statuses: &[u16]) -> Result<Value, SourceError> {
        let url = format!("{}{}", self.place.api, ask.path);
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static("landfall"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some((name, version)) = self.dialect().version() {
            headers.insert(name, HeaderValue::from_static(version));
        }
        if !self.token.is_empty() {
            let (name, text) = self.dialect().login(&self.token);
            let mut value = HeaderValue::from_str(&text).map_err(|_| SourceError::Exchange {
                url: url.clone(),
                why: "the token has characters that no token has".to_owned(),
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let body = ask.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
        if ask.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let reply = self.client.send(ask.method.clone(), &url, headers, body, MOST_BYTES).await?;
        if !statuses.contains(&reply.status) {
            return Err(refused(&ask.method, &url, &reply));
        }
        serde_json::from_slice(&reply.body).map_err(|_| self.strange(ask, "no JSON"))
    }

    fn strange(&self, ask: &Ask, what: &str) -> SourceError {
        SourceError::Exchange { url: format!("{}{}", self.place.api, ask.path), why: format!("it answers with {what}") }
    }
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proposed {
    /// There was none, and now there is.
    Made,
    /// There was one, which says something else now.
    Revised,
}

/// A refusal with the forge's own words, cut and in one line.
fn refused(method: &Method, url: &str, reply: &Reply) -> SourceError {
    let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let said = ["message", "error", "error_description"].iter().find_map(|key| match &json[*key] {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    });
    let said = said.unwrap_or_default();
    let said: String = landfall_diag::without_known(&said).chars().filter(|c| !c.is_control()).take(300).collect();
    let said = if said.is_empty() { reply.status_line.clone() } else { format!("{}: {said}", reply.status_line) };
    SourceError::Refused { doing: "", method: method.to_string(), url: url.to_owned(), status: reply.status, said }
}

/// A text that every forge takes: too much of it is cut at a line, with a word about it.
fn cut(text: &str) -> String {
    let text = &*landfall_diag::without_known(text);
    if text.len() <= LONGEST_BODY {
        return text.to_owned();
    }
    let mut end = LONGEST_BODY - 64;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = text[..end].rfind('\n').unwrap_or(end);
    let open = text[..end].lines().filter(|line| line.starts_with("```")).count() % 2 == 1;
    let close = if open { "\n```" } else { "" };
    format!("{}{close}\n\nThere is more than a pull request holds.\n", &text[..end])
}

/// A text as one part of an address.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// `Authorization` with a word in front of the token.
fn authorization(word: &str, token: &str) -> (HeaderName, String) {
    (AUTHORIZATION, format!("{word} {token}"))
}

/// What GitHub says of a pull request, and Gitea after it.
fn read_pull(item: &Value) -> Option<ForgeRequest> {
    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let merged = item["merged"] == true || item["merged_at"].is_string();
    let request = ForgeRequest {
        number: item["number"].as_u64()?,
        url: text("/html_url"),
        state: match (text("/state").as_str(), merged) {
            (_, true) => RequestState::Merged,
            ("open", false) => RequestState::Open,
            _ => RequestState::Closed,
        },
        head: text("/head/ref"),
        base: text("/base/ref"),
        head_commit: text("/head/sha"),
        merged_as: Some(text("/merge_commit_sha")).filter(|it| merged && !it.is_empty()),
        author: text("/user/login"),
    };
    (!request.head.is_empty() && !request.base.is_empty()).then_some(request)
}

/// What GitHub says of reviews, and Gitea after it.
fn read_pull_reviews(answer: &Value, approves: &str) -> Vec<Review> {
    let one = |item: &Value| {
        let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Some(Review {
            by: text("/user/login")?,
            approves: text("/state").as_deref() == Some(approves) && item["dismissed"] != true,
            commit: text("/commit_id").filter(|it| !it.is_empty()),
        })
    };
    answer.as_array().into_iter().flatten().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Option<(ForgeApi, String, String)> {
        ForgeRepository::of(address, None, None).map(|it| (it.forge, it.api, it.repository))
    }

    #[test]
    fn a_repositorys_address_says_whose_api_is_asked_and_where() {
        let api = |text: &str| of(text).map(|(_, api, _)| api);
        assert_eq!(api("https://github.com/acme/shop.git").as_deref(), Some("https://api.github.com"));
        assert_eq!(api("git@github.com:acme/shop.git").as_deref(), Some("https://api.github.com"));
        assert_eq!(api("https://gitlab.com/a/b/c.git").as_deref(), Some("https://gitlab.com/api/v4"));
        assert_eq!(api("ssh://git@gitea.example.com:2222/a/b").as_deref(), Some("https://gitea.example.com/api/v1"));
        assert_eq!(api("https://codeberg.org/a/b").as_deref(), Some("https://codeberg.org/api/v1"));
        assert_eq!(of("https://gitlab.com/a/b/c.git").map(|it| it.2).as_deref(), Some("a/b/c"));
        let named = ForgeRepository::of("http://127.0.0.1:3000/a/b.git", Some(ForgeApi::Gitea), None).expect("named");
        assert_eq!(named.api, "http://127.0.0.1:3000/api/v1");
        let named = ForgeRepository::of("https://git.example.com/a/b", Some(ForgeApi::GitHub), None).expect("named");
        assert_eq!(named.api, "https://git.example.com/api/v3");
        for text in [
            "https://git.example.com/a/b",
            "file:///srv/shop.git",
            "../shop.git",
            "https://github.com/a",
            "https://github.com/../x/y",
            "C:/a/b",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_line_and_leaves_no_fence_open() {
        let text = format!("```\n{}", "a line\n".repeat(20_000));
        let cut = cut(&text);
        assert!(cut.len() <= LONGEST_BODY && cut.contains("more than a pull request holds"));
        assert_eq!(cut.lines().filter(|line| line.starts_with("```")).count(), 2);
        assert_eq!(super::cut("short"), "short");
    }
}
