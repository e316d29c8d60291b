//! GitLab's REST API (docs.gitlab.com/api, v4).

use reqwest::Method;
use reqwest::header::HeaderName;
use serde_json::{Value, json};

use super::{Ask, CommitStatus, Dialect, ForgeRequest, PAGE, Proposal, RequestState, Review, StatusState, escaped};

pub(super) struct GitLab;

fn below(repository: &str) -> String {
    format!("/projects/{}", escaped(repository))
}

impl Dialect for GitLab {
    fn api_on(&self, origin: &str) -> String {
        format!("{origin}/api/v4")
    }

    fn login(&self, token: &str) -> (HeaderName, String) {
        (HeaderName::from_static("private-token"), token.to_owned())
    }

    fn open_from(&self, repository: &str, head: &str, base: &str, page: usize) -> Ask {
        let (below, head, base) = (below(repository), escaped(head), escaped(base));
        Ask::get(format!(
            "{below}/merge_requests?state=opened&source_branch={head}&target_branch={base}&per_page={PAGE}&page={page}"
        ))
    }

    fn propose(&self, repository: &str, proposal: &Proposal) -> Ask {
        let Proposal { head, base, title, body } = proposal;
        let said = json!({
            "source_branch": head, "target_branch": base, "title": title, "description": body,
            "remove_source_branch": true,
        });
        Ask::with(Method::POST, format!("{}/merge_requests", below(repository)), said)
    }

    fn revise(&self, repository: &str, number: u64, proposal: &Proposal) -> Ask {
        let said = json!({"title": proposal.title, "description": proposal.body});
        Ask::with(Method::PUT, format!("{}/merge_requests/{number}", below(repository)), said)
    }

    fn request(&self, repository: &str, number: u64) -> Ask {
        Ask::get(format!("{}/merge_requests/{number}", below(repository)))
    }

    fn read(&self, item: &Value) -> Option<ForgeRequest> {
        let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let merged_as = [text("/merge_commit_sha"), text("/squash_commit_sha")].into_iter().find(|it| !it.is_empty());
        let request = ForgeRequest {
            number: item["iid"].as_u64()?,
            url: text("/web_url"),
            state: match text("/state").as_str() {
                "merged" => RequestState::Merged,
                "opened" | "locked" => RequestState::Open,
                _ => RequestState::Closed,
            },
            head: text("/source_branch"),
            base: text("/target_branch"),
            head_commit: text("/sha"),
            merged_as,
            author: text("/author/username"),
        };
        (!request.head.is_empty() && !request.base.is_empty()).then_some(request)
    }

    fn reviews(&self, repository: &str, number: u64) -> Ask {
        Ask::get(format!("{}/merge_requests/{number}/approvals", below(repository)))
    }

    fn read_reviews(&self, answer: &Value) -> Vec<Review> {
        let approved = answer["approved_by"].as_array().into_iter().flatten();
        let by = approved.filter_map(|one| one.pointer("/user/username").and_then(Value::as_str));
        by.map(|by| Review { by: by.to_owned(), approves: true, commit: None }).collect()
    }

    fn status(&self, repository: &str, commit: &str, status: &CommitStatus) -> Ask {
        let state = match status.state {
            StatusState::Pending => "pending",
            StatusState::Success => "success",
            StatusState::Failure => "failed",
        };
        let said = json!({"state": state, "name": status.context, "description": status.description});
        Ask::with(Method::POST, format!("{}/statuses/{}", below(repository), escaped(commit)), said)
    }

    fn protection(&self, repository: &str, branch: &str) -> Ask {
        Ask::get(format!("{}/protected_branches/{}", below(repository), escaped(branch)))
    }

    fn wants_owner(&self, answer: &Value) -> bool {
        answer["code_owner_approval_required"] == true
    }

    fn read_account(&self, answer: &Value) -> Option<String> {
        answer["username"].as_str().filter(|_| answer["bot"] != true).map(str::to_owned)
    }
}
