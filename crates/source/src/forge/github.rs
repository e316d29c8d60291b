//! GitHub's REST API (docs.github.com/rest, version 2022-11-28).

use reqwest::Method;
use reqwest::header::HeaderName;
use serde_json::{Value, json};

use super::{
    Ask, CommitStatus, Dialect, ForgeRequest, PAGE, Proposal, Review, StatusState, authorization, escaped, read_pull,
    read_pull_reviews,
};

pub(super) struct GitHub;

impl Dialect for GitHub {
    fn api_on(&self, origin: &str) -> String {
        match origin.strip_suffix("://github.com") {
            Some(_) => "https://api.github.com".to_owned(),
            None => format!("{origin}/api/v3"),
        }
    }

    // The one after it says of no pull request any more as which commit it was merged.
    fn version(&self) -> Option<(HeaderName, &'static str)> {
        Some((HeaderName::from_static("x-github-api-version"), "2022-11-28"))
    }

    fn login(&self, token: &str) -> (HeaderName, String) {
        authorization("Bearer", token)
    }

    fn open_from(&self, repository: &str, head: &str, base: &str, page: usize) -> Ask {
        let owner = repository.split('/').next().unwrap_or_default();
        let (head, base) = (escaped(&format!("{owner}:{head}")), escaped(base));
        Ask::get(format!("/repos/{repository}/pulls?state=open&head={head}&base={base}&per_page={PAGE}&page={page}"))
    }

    fn propose(&self, repository: &str, proposal: &Proposal) -> Ask {
        let Proposal { head, base, title, body } = proposal;
        let said = json!({"head": head, "base": base, "title": title, "body": body});
        Ask::with(Method::POST, format!("/repos/{repository}/pulls"), said)
    }

    fn revise(&self, repository: &str, number: u64, proposal: &Proposal) -> Ask {
        let said = json!({"title": proposal.title, "body": proposal.body});
        Ask::with(Method::PATCH, format!("/repos/{repository}/pulls/{number}"), said)
    }

    fn request(&self, repository: &str, number: u64) -> Ask {
        Ask::get(format!("/repos/{repository}/pulls/{number}"))
    }

    fn read(&self, item: &Value) -> Option<ForgeRequest> {
        read_pull(item)
    }

    fn reviews(&self, repository: &str, number: u64) -> Ask {
        Ask::get(format!("/repos/{repository}/pulls/{number}/reviews?per_page=100"))
    }

    fn read_reviews(&self, answer: &Value) -> Vec<Review> {
        read_pull_reviews(answer, "APPROVED")
    }

    fn status(&self, repository: &str, commit: &str, status: &CommitStatus) -> Ask {
        let said = json!({"state": word(status.state), "context": status.context, "description": status.description});
        Ask::with(Method::POST, format!("/repos/{repository}/statuses/{}", escaped(commit)), said)
    }

    fn protection(&self, repository: &str, branch: &str) -> Ask {
        Ask::get(format!("/repos/{repository}/branches/{}/protection", escaped(branch)))
    }

    fn wants_owner(&self, answer: &Value) -> bool {
        answer.pointer("/required_pull_request_reviews/require_code_owner_reviews") == Some(&Value::Bool(true))
    }

    fn read_account(&self, answer: &Value) -> Option<String> {
        answer["login"].as_str().filter(|_| answer["type"] != "Bot").map(str::to_owned)
    }
}

/// The word of a state, at GitHub and Gitea.
pub(super) fn word(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Success => "success",
        StatusState::Failure => "failure",
    }
}
