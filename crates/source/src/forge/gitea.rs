//! Gitea's and Forgejo's API (their swagger.v1.json).

use reqwest::Method;
use reqwest::header::HeaderName;
use serde_json::{Value, json};

use super::github::word;
use super::{
    Ask, CommitStatus, Dialect, ForgeRequest, PAGE, Proposal, Review, authorization, escaped, read_pull,
    read_pull_reviews,
};

pub(super) struct Gitea;

impl Dialect for Gitea {
    fn api_on(&self, origin: &str) -> String {
        format!("{origin}/api/v1")
    }

    fn login(&self, token: &str) -> (HeaderName, String) {
        authorization("token", token)
    }

    fn open_from(&self, repository: &str, _head: &str, _base: &str, page: usize) -> Ask {
        // It cannot be asked for a branch with a slash in its name.
        Ask::get(format!("/repos/{repository}/pulls?state=open&limit={PAGE}&page={page}"))
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
        Ask::get(format!("/repos/{repository}/pulls/{number}/reviews?limit={PAGE}"))
    }

    fn read_reviews(&self, answer: &Value) -> Vec<Review> {
        read_pull_reviews(answer, "APPROVED")
    }

    fn status(&self, repository: &str, commit: &str, status: &CommitStatus) -> Ask {
        let said = json!({"state": word(status.state), "context": status.context, "description": status.description});
        Ask::with(Method::POST, format!("/repos/{repository}/statuses/{}", escaped(commit)), said)
    }

    fn protection(&self, repository: &str, branch: &str) -> Ask {
        Ask::get(format!("/repos/{repository}/branch_protections/{}", escaped(branch)))
    }

    fn wants_owner(&self, answer: &Value) -> bool {
        answer["required_approvals"].as_u64().unwrap_or(0) > 0
    }

    fn read_account(&self, answer: &Value) -> Option<String> {
        // A job's own token belongs to an account without a number of its own.
        let is_person = answer["id"].as_i64().is_none_or(|id| id > 0);
        answer["login"].as_str().filter(|_| is_person).map(str::to_owned)
    }
}
