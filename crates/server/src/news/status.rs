//! News as the status of the commit that they are about, at its forge.

use landfall_source::{Access, Network, Redirects};
use serde_json::json;

use super::Commit;
use super::outbox::{PATIENCE, ask};
use super::sinks::{Forge, ForgeApi};

/// The longest description that every forge takes, in characters.
const LONGEST: usize = 140;

/// Tells it, where the commit is one of that forge's and a hash.
///
/// # Errors
/// Why it was not taken.
pub(super) async fn post(
    network: &Network,
    forge: &Forge,
    context: &str,
    title: &str,
    commit: &Commit,
) -> Result<(), String> {
    let Some(path) = forge.repository(&commit.repository) else { return Ok(()) };
    if commit.hash.len() < 40 || !commit.hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    let state = match (forge.kind, commit.is_well) {
        (_, true) => "success",
        (ForgeApi::GitLab, false) => "failed",
        (ForgeApi::GitHub | ForgeApi::Gitea, false) => "failure",
    };
    let description = landfall_diag::beginning(title, LONGEST);
    let (address, body) = match forge.kind {
        ForgeApi::GitHub | ForgeApi::Gitea => (
            format!("{}/repos/{path}/statuses/{}", forge.api, commit.hash),
            json!({"state": state, "context": context, "description": description}),
        ),
        ForgeApi::GitLab => (
            format!("{}/projects/{}/statuses/{}", forge.api, path.replace('/', "%2F"), commit.hash),
            json!({"state": state, "name": context, "description": description}),
        ),
    };
    let (name, value) = match forge.kind {
        ForgeApi::GitHub => ("authorization", format!("Bearer {}", forge.token)),
        ForgeApi::Gitea => ("authorization", format!("token {}", forge.token)),
        ForgeApi::GitLab => ("private-token", forge.token.clone()),
    };
    // A token goes nowhere but where it was sent.
    let access = Access { redirects: Redirects::Stop, timeout: Some(PATIENCE), ..Access::default() };
    let headers = [("content-type", "application/json"), ("user-agent", "landfall"), (name, value.as_str())];
    ask(network, access, &address, &headers, &body).await
}
