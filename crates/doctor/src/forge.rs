//! The forge: what its token may do, and whether the branch is guarded as the files say.

use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_diag::Severity;
use landfall_rules::place::FORGE;
use landfall_source::{Access, HttpClient, Network, Redirects, Reply, SourceError, SourceTree};
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::codeowners::owners;
use crate::{Area, Observation};

/// Most bytes an answer may have.
const MOST: u64 = 4 * 1024 * 1024;
/// Where forges look for the file.
const FILES: &[&str] =
    &["CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", ".gitea/CODEOWNERS", "docs/CODEOWNERS"];

/// Whose API a forge speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    /// GitHub, on its own servers or elsewhere.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
}

/// A repository on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forge {
    /// Whose API it speaks.
    pub kind: ForgeKind,
    /// The API's address, without a slash at its end.
    pub api: String,
    /// The repository: `owner/name`.
    pub repository: String,
    /// The branch that is delivered from.
    pub branch: String,
}

/// How a forge is asked.
pub struct ForgeAccess<'a> {
    /// The token; none to look at files alone.
    pub token: Option<&'a str>,
    /// Whether something is to be pushed with it.
    pub writes: bool,
    /// How long one request may take.
    pub patience: Duration,
}

impl ForgeKind {
    /// The kind of a word: `github`, `gitlab`, `gitea`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "github" => Some(ForgeKind::GitHub),
            "gitlab" => Some(ForgeKind::GitLab),
            "gitea" | "forgejo" => Some(ForgeKind::Gitea),
            _ => None,
        }
    }
}

impl Forge {
    /// The forge of a repository's address, as far as its host's name says whose it is.
    pub fn of(address: &str, branch: &str) -> Option<Self> {
        let (host, repository) = place(address)?;
        let kind = match host.as_str() {
            "github.com" => ForgeKind::GitHub,
            host if host.contains("gitlab") => ForgeKind::GitLab,
            host if host.contains("gitea") || host.contains("forgejo") || host == "codeberg.org" => ForgeKind::Gitea,
            _ => return None,
        };
        Some(Forge { kind, api: api_of(kind, &host), repository, branch: branch.to_owned() })
    }

    /// The repository that an address names: `owner/name`.
    pub fn repository_of(address: &str) -> Option<String> {
        place(address).map(|(_, repository)| repository)
    }
}

fn api_of(kind: ForgeKind, host: &str) -> String {
    match kind {
        ForgeKind::GitHub if host == "github.com" => "https://api.github.com".to_owned(),
        ForgeKind::GitHub => format!("https://{host}/api/v3"),
        ForgeKind::GitLab => format!("https://{host}/api/v4"),
        ForgeKind::Gitea => format!("https://{host}/api/v1"),
    }
}

/// Host and repository of `https://host/owner/name.git` and `git@host:owner/name.git`.
fn place(address: &str) -> Option<(String, String)> {
    let (host, path) = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?,
        None => address.split_once(':')?,
    };
    let host = host.rsplit('@').next()?.split(':').next()?.to_ascii_lowercase();
    let path = path.trim_matches('/').trim_end_matches(".git");
    path.contains('/').then(|| (host, path.to_owned()))
}

/// Looks at a repository's files and, with a token, at its forge; `guarded` are paths that need an owner's review.
#[boxed]
pub async fn forge(
    network: &Network,
    files: &SourceTree,
    forge: Option<&Forge>,
    access: &ForgeAccess<'_>,
    guarded: &[String],
) -> Vec<Observation> {
    let mut seen = owned(files, guarded);
    let Some(forge) = forge else {
        seen.push(
            Observation::not_checked(Area::Repo, "the forge", "whose API it speaks is not known")
                .help("landfall doctor repo --forge github|gitlab|gitea --api URL"),
        );
        return seen;
    };
    let what = format!("{} at {}", forge.branch, forge.repository);
    let Some(token) = access.token else {
        seen.push(
            Observation::not_checked(Area::Repo, what, "no token is given").help(
                "LANDFALL_FORGE_TOKEN=… landfall doctor repo; for a host of your own LANDFALL_FORGE_HOST=… as well",
            ),
        );
        return seen;
    };
    let asked = Asked {
        forge,
        access,
        token,
        client: network.client(Access {
            timeout: Some(access.patience),
            redirects: Redirects::Stop,
            ..Access::default()
        }),
    };
    seen.extend(asked.look().await);
    seen
}

/// Whether paths have owners whose review a forge can ask for.
fn owned(files: &SourceTree, guarded: &[String]) -> Vec<Observation> {
    if guarded.is_empty() {
        return Vec::new();
    }
    let found = FILES.iter().find_map(|path| {
        let bytes = files.read(path).ok().flatten()?;
        Some((*path, String::from_utf8_lossy(&bytes).into_owned()))
    });
    let Some((file, text)) = found else {
        return vec![
            Observation::wrong(
                Area::Repo,
                &FORGE,
                Severity::Warning,
                "CODEOWNERS",
                "is not there",
                "nobody in particular is asked to review what goes to a protected environment",
            )
            .help(format!("CODEOWNERS: /{} @OWNER", guarded[0])),
        ];
    };
    guarded
        .iter()
        .map(|path| match owners(&text, path) {
            names if names.is_empty() => Observation::wrong(
                Area::Repo,
                &FORGE,
                Severity::Warning,
                path.as_str(),
                format!("has no owner in {file}"),
                "it goes to a protected environment, and anybody may approve it",
            )
            .help(format!("{file}: /{path} @OWNER")),
            names => Observation::fine(Area::Repo, path.as_str(), format!("is owned by {}", names.join(" "))),
        })
        .collect()
}

struct Asked<'a> {
    forge: &'a Forge,
    access: &'a ForgeAccess<'a>,
    token: &'a str,
    client: HttpClient,
}

impl Asked<'_> {
    async fn get(&self, path: &str) -> Result<(Reply, Value), SourceError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let (name, value) = match self.forge.kind {
            ForgeKind::GitHub => (AUTHORIZATION, format!("Bearer {}", self.token)),
            ForgeKind::GitLab => (HeaderName::from_static("private-token"), self.token.to_owned()),
            ForgeKind::Gitea => (AUTHORIZATION, format!("token {}", self.token)),
        };
        if let Ok(mut value) = HeaderValue::from_str(&value) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let url = format!("{}{path}", self.forge.api);
        let reply = self.client.send(Method::GET, &url, headers, Vec::new(), MOST).await?;
        let body = serde_json::from_slice(&reply.body).unwrap_or_default();
        Ok((reply, body))
    }

    async fn look(&self) -> Vec<Observation> {
        let (repository, branch) = (&self.forge.repository, &self.forge.branch);
        let path = match self.forge.kind {
            ForgeKind::GitHub | ForgeKind::Gitea => format!("/repos/{repository}"),
            ForgeKind::GitLab => format!("/projects/{}", repository.replace('/', "%2F")),
        };
        let (reply, body) = match self.get(&path).await {
            Ok(answer) => answer,
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                return vec![Observation::not_checked(Area::Repo, repository.as_str(), format!("{error}{cause}"))];
            }
        };
        let wrong = |what: &str, seen: String, cause: &str| {
            Observation::wrong(Area::Repo, &FORGE, Severity::Error, what, seen, cause)
        };
        match reply.status {
            200 => {}
            401 => {
                return vec![wrong(
                    "token",
                    "the forge does not know it (401)".to_owned(),
                    "nothing can be read or pushed with it",
                )];
            }
            403 | 404 => {
                let seen = format!("it may not read {repository} ({})", reply.status);
                return vec![
                    wrong("token", seen, "the repository cannot be fetched")
                        .help("give it the scope to read the repository (GitHub: `repo` or Contents: read)"),
                ];
            }
            _ => return vec![Observation::not_checked(Area::Repo, repository.as_str(), reply.status_line)],
        }
        let mut seen = vec![Observation::fine(Area::Repo, "token", format!("reads {repository}"))];
        seen.extend(self.scopes(&reply));
        if self.access.writes {
            let may = match self.forge.kind {
                ForgeKind::GitHub | ForgeKind::Gitea => body.pointer("/permissions/push").and_then(Value::as_bool),
                ForgeKind::GitLab => ["project_access", "group_access"]
                    .iter()
                    .filter_map(|who| body.pointer(&format!("/permissions/{who}/access_level"))?.as_u64())
                    .max()
                    .map(|level| level >= 30),
            };
            seen.push(match may {
                Some(true) => Observation::fine(Area::Repo, "token", format!("may push to {repository}")),
                Some(false) => {
                    wrong("token", format!("may not push to {repository}"), "what is written back is refused")
                        .help("give it the scope to write (GitHub: Contents: read and write)")
                }
                None => Observation::not_checked(Area::Repo, "token", "the forge does not say whether it may push"),
            });
        }
        seen.extend(self.protection(branch).await);
        seen
    }

    /// The scopes that GitHub says of a classic token.
    fn scopes(&self, reply: &Reply) -> Option<Observation> {
        let listed = reply.headers.get("x-oauth-scopes")?.to_str().ok()?;
        let scopes: Vec<&str> = listed.split(',').map(str::trim).filter(|scope| !scope.is_empty()).collect();
        let has = |scope: &str| scopes.contains(&scope);
        let mut missing = Vec::new();
        if !has("repo") {
            missing.push("repo");
        }
        if !has("read:packages") && !has("write:packages") {
            missing.push("read:packages");
        }
        Some(match missing.is_empty() {
            true => Observation::fine(Area::Repo, "token scopes", listed.to_owned()),
            false => Observation::wrong(
                Area::Repo,
                &FORGE,
                Severity::Error,
                "token scopes",
                format!("lacks {}", missing.join(", ")),
                "private images or the repository cannot be read with it",
            )
            .help("make a token with `repo` and `read:packages`"),
        })
    }

    async fn protection(&self, branch: &str) -> Vec<Observation> {
        let repository = &self.forge.repository;
        let path = match self.forge.kind {
            ForgeKind::GitHub => format!("/repos/{repository}/branches/{branch}/protection"),
            ForgeKind::Gitea => format!("/repos/{repository}/branch_protections/{branch}"),
            ForgeKind::GitLab => format!("/projects/{}/protected_branches/{branch}", repository.replace('/', "%2F")),
        };
        let what = format!("branch {branch}");
        let (reply, body) = match self.get(&path).await {
            Ok(answer) => answer,
            Err(error) => return vec![Observation::not_checked(Area::Repo, what, error.to_string())],
        };
        let wrong = |seen: &str, cause: &str| {
            Observation::wrong(Area::Repo, &FORGE, Severity::Error, what.clone(), seen, cause)
        };
        match reply.status {
            200 => {}
            404 => {
                return vec![
                    wrong("is not protected", "CODEOWNERS is only documentation: whoever may push, may deliver")
                        .help("protect the branch, and require a review of code owners"),
                ];
            }
            401 | 403 => {
                return vec![
                    Observation::not_checked(Area::Repo, what, "the token may not read the branch's protection")
                        .help("ask with a token of an administrator (GitHub: Administration: read)"),
                ];
            }
            _ => return vec![Observation::not_checked(Area::Repo, what, reply.status_line)],
        }
        let asks_owners = match self.forge.kind {
            ForgeKind::GitHub => {
                body.pointer("/required_pull_request_reviews/require_code_owner_reviews") == Some(&Value::Bool(true))
            }
            ForgeKind::GitLab => body["code_owner_approval_required"] == true,
            // Gitea asks the owners of changed files for a review; whether one is needed is its own setting.
            ForgeKind::Gitea => body["required_approvals"].as_u64().unwrap_or(0) > 0,
        };
        let mut seen = vec![match asks_owners {
            true => Observation::fine(Area::Repo, what.clone(), "is protected, with a review of owners"),
            false => wrong("is protected without a review of owners", "whoever may merge, may deliver")
                .help("require a review of code owners"),
        }];
        if self.access.writes {
            let pushes = match self.forge.kind {
                ForgeKind::GitHub => body.get("restrictions").is_none_or(Value::is_null) && !asks_owners,
                ForgeKind::GitLab => body["push_access_levels"].as_array().is_some_and(|levels| {
                    levels.iter().any(|level| level["access_level"].as_u64().is_some_and(|level| level > 0))
                }),
                ForgeKind::Gitea => body["enable_push"] == true,
            };
            seen.push(match pushes {
                true => Observation::fine(Area::Repo, "write-back", format!("{branch} takes pushes")),
                false => wrong(
                    "takes no pushes",
                    "what is written back needs a pull request, or an identity that is let past",
                )
                .help("let the write-back's own token past the protection, or write back by pull request"),
            });
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use landfall_chart::Tree;

    use super::*;
    use crate::State;

    /// A forge on loopback that answers what a test says: path, status, headers, body.
    fn serving(answers: &'static [(&'static str, u16, &'static str, &'static str)]) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let here = format!("http://{}", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
                let first = lines.next().and_then(Result::ok).unwrap_or_default();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let path = first.split(' ').nth(1).unwrap_or_default();
                let (status, headers, body) = answers
                    .iter()
                    .find(|(known, ..)| *known == path)
                    .map_or((404, "", "{}"), |(_, status, headers, body)| (*status, *headers, *body));
                let _sent = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
                    body.len()
                );
            }
        });
        here
    }

    fn look(
        kind: ForgeKind,
        writes: bool,
        answers: &'static [(&'static str, u16, &'static str, &'static str)],
    ) -> Vec<Observation> {
        let files = SourceTree::from_tree("memory", Tree::default());
        let forge = Forge { kind, api: serving(answers), repository: "team/shop".into(), branch: "main".into() };
        let access = ForgeAccess { token: Some("t0ken-of-a-test"), writes, patience: Duration::from_secs(5) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(super::forge(&Network::default(), &files, Some(&forge), &access, &[]))
    }

    #[test]
    fn lp_033_a_scope_that_is_missing_is_named_and_the_token_is_not() {
        let seen = look(
            ForgeKind::GitHub,
            false,
            &[
                ("/repos/team/shop", 200, "x-oauth-scopes: repo\r\n", "{}"),
                (
                    "/repos/team/shop/branches/main/protection",
                    200,
                    "",
                    r#"{"required_pull_request_reviews":{"require_code_owner_reviews":true}}"#,
                ),
            ],
        );
        let text = format!("{seen:?}");
        assert!(seen.iter().any(|it| it.seen == "lacks read:packages" && it.state == State::Wrong), "{text}");
        assert!(!text.contains("t0ken"), "{text}");
    }

    #[test]
    fn lp_034_a_protected_branch_takes_no_pushes_and_says_what_is_needed() {
        let seen = look(
            ForgeKind::GitHub,
            true,
            &[
                ("/repos/team/shop", 200, "", r#"{"permissions":{"push":true}}"#),
                (
                    "/repos/team/shop/branches/main/protection",
                    200,
                    "",
                    r#"{"required_pull_request_reviews":{"require_code_owner_reviews":true}}"#,
                ),
            ],
        );
        let refused = seen.iter().find(|it| it.seen == "takes no pushes").expect("told");
        assert!(refused.help[0].contains("token"), "{refused:?}");
        let open = look(
            ForgeKind::Gitea,
            true,
            &[
                ("/repos/team/shop", 200, "", r#"{"permissions":{"push":true}}"#),
                ("/repos/team/shop/branch_protections/main", 200, "", r#"{"required_approvals":1,"enable_push":true}"#),
            ],
        );
        assert!(open.iter().all(|it| it.state == State::Fine), "{open:?}");
    }

    #[test]
    fn a_branch_without_protection_makes_owners_a_mere_word() {
        for kind in [ForgeKind::GitHub, ForgeKind::GitLab, ForgeKind::Gitea] {
            let seen =
                look(kind, false, &[("/repos/team/shop", 200, "", "{}"), ("/projects/team%2Fshop", 200, "", "{}")]);
            assert!(seen.iter().any(|it| it.seen == "is not protected"), "{kind:?} {seen:?}");
        }
        let refused = look(ForgeKind::GitLab, false, &[("/projects/team%2Fshop", 401, "", "{}")]);
        assert!(refused[0].seen.contains("does not know it"), "{refused:?}");
    }

    #[test]
    fn lf134_a_branch_that_anybody_may_push_to_is_found_in_each_forge_and_a_guarded_one_is_not() {
        for kind in [ForgeKind::GitHub, ForgeKind::GitLab, ForgeKind::Gitea] {
            let open =
                look(kind, false, &[("/repos/team/shop", 200, "", "{}"), ("/projects/team%2Fshop", 200, "", "{}")]);
            let found: Vec<_> = open.iter().filter_map(|it| it.finding.as_deref()).collect();
            assert!(
                found.iter().any(|it| it.rule == "LF134" && it.message.contains("not protected")),
                "{kind:?} {open:?}"
            );
        }
        const REVIEWED: &str = r#"{"required_pull_request_reviews":{"require_code_owner_reviews":true}}"#;
        let guarded = [
            (
                ForgeKind::GitHub,
                &[
                    ("/repos/team/shop", 200, "", "{}"),
                    ("/repos/team/shop/branches/main/protection", 200, "", REVIEWED),
                ][..],
            ),
            (
                ForgeKind::Gitea,
                &[
                    ("/repos/team/shop", 200, "", "{}"),
                    ("/repos/team/shop/branch_protections/main", 200, "", r#"{"required_approvals":1}"#),
                ],
            ),
        ];
        for (kind, answers) in guarded {
            let seen = look(kind, false, answers);
            assert!(seen.iter().all(|it| it.finding.is_none()), "{kind:?} {seen:?}");
        }
    }

    #[test]
    fn addresses_say_whose_forge_it_is() {
        let forge = |address: &str| Forge::of(address, "main").map(|forge| (forge.kind, forge.api, forge.repository));
        let hub = (ForgeKind::GitHub, "https://api.github.com".to_owned(), "a/b".to_owned());
        assert_eq!(forge("git@github.com:a/b.git"), Some(hub.clone()));
        assert_eq!(forge("https://x-access-token:t@github.com/a/b"), Some(hub));
        assert!(forge("ssh://git@gitlab.example.com:22/a/g/b.git").is_some_and(|it| it.2 == "a/g/b"));
        assert_eq!(forge("https://git.example.com/a/b"), None);
    }

    #[tokio::test]
    async fn lp_050_what_goes_to_a_protected_environment_has_an_owner() {
        let tree: Tree = [("CODEOWNERS", &b"/values.prod.yaml @ops\n"[..])].into_iter().collect();
        let files = SourceTree::from_tree("memory", tree);
        let access = ForgeAccess { token: None, writes: false, patience: Duration::from_secs(1) };
        let guarded = ["values.prod.yaml".to_owned(), "chart/values.prod.yaml".to_owned()];
        let seen = super::forge(&Network::default(), &files, None, &access, &guarded).await;
        assert_eq!(seen.iter().map(|it| it.state).collect::<Vec<_>>(), [State::Fine, State::Wrong, State::NotChecked]);
    }
}
