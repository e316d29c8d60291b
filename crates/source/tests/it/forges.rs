//! What forges are asked and how their answers are read: each answer retold from the forge's own published description, which
//! its test names, with the fields that matter here and some that do not.

mod described;

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use landfall_source::{
    CommitStatus, ForgeApi, ForgeClient, ForgeRepository, Network, Proposal, Proposed, Protection, RequestState,
    SourceError, StatusState,
};
use serde_json::{Value, json};

use self::described::Published;

const TOKEN: &str = "canary-of-a-token";
const COMMIT: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

/// A request as it came: method, target, the header with the token, and the body.
type Seen = Arc<Mutex<Vec<(String, String, String, Value)>>>;

/// A forge that answers each request with the next of these.
fn forge(api: ForgeApi, path: &str, answers: Vec<(u16, Value)>) -> (ForgeClient, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let seen = Seen::default();
    let (noted, mut answers) = (Arc::clone(&seen), VecDeque::from(answers));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let (mut line, mut length, mut token, mut version) = (String::new(), 0, String::new(), String::new());
            let _read = reader.read_line(&mut line);
            loop {
                let mut header = String::new();
                if reader.read_line(&mut header).is_err() || header.trim().is_empty() {
                    break;
                }
                let (name, value) = header.trim().split_once(": ").unwrap_or_default();
                match name.to_lowercase().as_str() {
                    "content-length" => length = value.parse().expect("a length"),
                    "x-github-api-version" => version = format!("; version {value}"),
                    "authorization" | "private-token" => token = format!("{}: {value}", name.to_lowercase()),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            let _read = reader.read_exact(&mut body);
            let mut words = line.split(' ');
            let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let body = serde_json::from_slice(&body).unwrap_or_default();
            noted.lock().expect("noted").push((method.to_owned(), target.to_owned(), token + &version, body));
            let (status, answer) = answers.pop_front().unwrap_or((500, Value::Null));
            let text = answer.to_string();
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
            let _gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(text.as_bytes()));
        }
    });
    let repository =
        ForgeRepository { forge: api, api: format!("{address}{path}"), repository: "acme/shop".to_owned() };
    (ForgeClient::new(&Network::default(), repository, TOKEN), seen)
}

fn proposal() -> Proposal {
    Proposal {
        head: "landfall/promote-production-0.5.0".to_owned(),
        base: "main".to_owned(),
        title: "production: 0.5.0".to_owned(),
        body: "what changes".to_owned(),
    }
}

fn lines(seen: &Seen) -> Vec<String> {
    seen.lock().expect("noted").iter().map(|(method, target, ..)| format!("{method} {target}")).collect()
}

/// GitHub: docs.github.com/en/rest/pulls/pulls ("List pull requests", "Create a pull request"), retold.
fn github_pull(state: &str, merged_at: Value) -> Value {
    json!({
        "url": "https://api.github.com/repos/acme/shop/pulls/1347", "id": 1, "number": 1347, "state": state, "locked": false,
        "html_url": "https://github.com/acme/shop/pull/1347", "title": "production: 0.5.0",
        "user": {"login": "octocat", "id": 1, "type": "User"}, "body": "what changes", "labels": [],
        "merged_at": merged_at, "merge_commit_sha": "e5bd3914e2e596debea16f433f57875b5b90bcd6", "draft": false,
        "head": {"label": "acme:landfall/promote-production-0.5.0", "ref": "landfall/promote-production-0.5.0", "sha": COMMIT},
        "base": {"label": "acme:main", "ref": "main", "sha": COMMIT},
    })
}

#[tokio::test]
async fn github_is_asked_as_its_reference_says_and_answers_are_read() {
    let answers = vec![
        (200, json!([])),
        (201, github_pull("open", Value::Null)),
        // docs.github.com/en/rest/commits/statuses ("Create a commit status").
        (201, json!({"id": 1, "state": "success", "context": "landfall/promotion", "creator": {"login": "octocat"}})),
        // docs.github.com/en/rest/branches/branch-protection ("Get branch protection").
        (
            200,
            json!({"enforce_admins": {"enabled": true}, "required_pull_request_reviews": {
            "dismiss_stale_reviews": true, "require_code_owner_reviews": true, "required_approving_review_count": 2}}),
        ),
        // docs.github.com/en/rest/pulls/reviews ("List reviews for a pull request").
        (
            200,
            json!([
                {"id": 80, "user": {"login": "octocat"}, "state": "APPROVED", "commit_id": "ecdd80bb57125d7ba9641ffaa4d7d2c19d3f3091"},
                {"id": 81, "user": {"login": "hubot"}, "state": "CHANGES_REQUESTED", "commit_id": COMMIT},
            ]),
        ),
        (200, github_pull("closed", json!("2026-01-26T19:01:12Z"))),
    ];
    let given = answers.clone();
    let (client, seen) = forge(ForgeApi::GitHub, "", answers);
    let (request, done) = client.propose(&proposal()).await.expect("proposed");
    assert_eq!((request.number, request.state, done), (1347, RequestState::Open, Proposed::Made));
    assert_eq!((request.head_commit.as_str(), request.merged_as.as_deref()), (COMMIT, None));
    let status = CommitStatus {
        context: "landfall/promotion".to_owned(),
        state: StatusState::Success,
        description: format!("all are there\n{}", "x".repeat(300)),
    };
    client.say(COMMIT, &status).await.expect("said");
    assert_eq!(client.protection("main").await.expect("looked"), Protection::Protected { wants_owner: true });
    let reviews = client.reviews(1347).await.expect("read");
    assert_eq!(reviews.iter().map(|it| it.approves).collect::<Vec<_>>(), [true, false]);
    assert_ne!(reviews[0].commit.as_deref(), Some(COMMIT), "it was for another commit");
    let merged = client.request(1347).await.expect("read");
    assert_eq!((merged.state, merged.merged_as.is_some()), (RequestState::Merged, true));
    assert_eq!(
        lines(&seen),
        [
            "GET /repos/acme/shop/pulls?state=open&head=acme%3Alandfall%2Fpromote-production-0.5.0&base=main&per_page=50&page=1",
            "POST /repos/acme/shop/pulls",
            &format!("POST /repos/acme/shop/statuses/{COMMIT}"),
            "GET /repos/acme/shop/branches/main/protection",
            "GET /repos/acme/shop/pulls/1347/reviews?per_page=100",
            "GET /repos/acme/shop/pulls/1347",
        ]
    );
    let seen = seen.lock().expect("noted");
    assert!(seen.iter().all(|(_, _, token, _)| *token == format!("authorization: Bearer {TOKEN}; version 2022-11-28")));
    // Both sides are as GitHub's own description has them.
    for ((method, target, _, body), (status, answer)) in seen.iter().zip(&given) {
        assert_eq!(described::request(Published::GitHub, method, target, body), [""; 0]);
        assert_eq!(described::answer(Published::GitHub, method, target, *status, answer), [""; 0], "{method} {target}");
    }
    assert_eq!(
        seen[1].3,
        json!({"head": "landfall/promote-production-0.5.0", "base": "main", "title": "production: 0.5.0", "body": "what changes"})
    );
    let said = seen[2].3["description"].as_str().expect("text");
    assert!(said.chars().count() == 140 && !said.contains('\n'), "{said}");
}

#[tokio::test]
async fn gitlab_is_asked_as_its_reference_says_and_answers_are_read() {
    // docs.gitlab.com/api/merge_requests ("List project merge requests", "Update MR"), retold.
    let merge = |state: &str| {
        json!({
            "id": 1, "iid": 3, "project_id": 3, "title": "production: 0.5.0", "state": state, "sha": COMMIT,
            "source_branch": "landfall/promote-production-0.5.0", "target_branch": "main",
            "author": {"id": 1, "username": "admin"}, "web_url": "https://gitlab.com/acme/shop/-/merge_requests/3",
            "merge_commit_sha": null, "squash_commit_sha": null, "detailed_merge_status": "mergeable",
        })
    };
    let answers = vec![
        (200, json!([merge("opened")])),
        (200, merge("opened")),
        // docs.gitlab.com/api/commits ("Set commit pipeline status").
        (200, json!({"id": 93, "status": "failed", "name": "landfall/promotion", "sha": COMMIT})),
        // docs.gitlab.com/api/protected_branches ("Get a single protected branch").
        (
            200,
            json!({"id": 1, "name": "main", "push_access_levels": [{"access_level": 0}], "code_owner_approval_required": false}),
        ),
        // docs.gitlab.com/api/merge_request_approvals ("Get approvals of a merge request").
        (200, json!({"approved": true, "approved_by": [{"user": {"username": "root"}}]})),
        (404, json!({"message": "404 Not Found"})),
    ];
    let given = answers.clone();
    let (client, seen) = forge(ForgeApi::GitLab, "/api/v4", answers);
    let (request, done) = client.propose(&proposal()).await.expect("proposed");
    assert_eq!((request.number, done, request.author.as_str()), (3, Proposed::Revised, "admin"));
    let status = CommitStatus {
        context: "landfall/promotion".to_owned(),
        state: StatusState::Failure,
        description: "no".to_owned(),
    };
    client.say(COMMIT, &status).await.expect("said");
    assert_eq!(client.protection("main").await.expect("looked"), Protection::Protected { wants_owner: false });
    assert_eq!(client.reviews(3).await.expect("read")[0].by, "root");
    assert_eq!(client.protection("main").await.expect("looked"), Protection::Open);
    let branch = "landfall%2Fpromote-production-0.5.0";
    assert_eq!(
        lines(&seen),
        [
            &format!(
                "GET /api/v4/projects/acme%2Fshop/merge_requests?state=opened&source_branch={branch}&target_branch=main&per_page=50&page=1"
            ),
            "PUT /api/v4/projects/acme%2Fshop/merge_requests/3",
            &format!("POST /api/v4/projects/acme%2Fshop/statuses/{COMMIT}"),
            "GET /api/v4/projects/acme%2Fshop/protected_branches/main",
            "GET /api/v4/projects/acme%2Fshop/merge_requests/3/approvals",
            "GET /api/v4/projects/acme%2Fshop/protected_branches/main",
        ]
    );
    let seen = seen.lock().expect("noted");
    assert!(seen.iter().all(|(_, _, token, _)| *token == format!("private-token: {TOKEN}")));
    // Both sides are as GitLab's own description has them; what it answers where nothing is there is described nowhere.
    for ((method, target, _, body), (status, answer)) in seen.iter().zip(&given) {
        assert_eq!(described::request(Published::GitLab, method, target, body), [""; 0]);
        if *status < 400 {
            let wrong = described::answer(Published::GitLab, method, target, *status, answer);
            assert_eq!(wrong, [""; 0], "{method} {target}");
        }
    }
    assert_eq!(
        (seen[1].3["description"].as_str(), seen[2].3["state"].as_str()),
        (Some("what changes"), Some("failed"))
    );
}

#[tokio::test]
async fn gitea_is_asked_as_its_swagger_says_and_answers_are_read() {
    // gitea: templates/swagger/v1_json.tmpl (PullRequest, CommitStatus, BranchProtection), retold.
    let pull = |number: u64, head: &str, merged: bool| {
        json!({
            "id": number, "number": number, "state": if merged { "closed" } else { "open" }, "title": "t", "body": "b",
            "html_url": format!("https://gitea.com/acme/shop/pulls/{number}"), "mergeable": true, "merged": merged,
            "merge_commit_sha": if merged { json!(COMMIT) } else { Value::Null }, "user": {"id": 1, "login": "bot"},
            "head": {"label": head, "ref": head, "sha": COMMIT}, "base": {"label": "main", "ref": "main"},
        })
    };
    let full: Vec<Value> = (0..50).map(|number| pull(number + 10, "other", false)).collect();
    let ours = "landfall/promote-production-0.5.0";
    let answers = vec![
        (200, json!(full)),
        (200, json!([pull(9, ours, false)])),
        (201, pull(9, ours, false)),
        (201, json!({"id": 1, "status": "pending", "context": "landfall/promotion"})),
        (200, json!({"branch_name": "main", "enable_push": false, "required_approvals": 1})),
        (
            200,
            json!([{"id": 1, "user": {"login": "eve"}, "state": "APPROVED", "dismissed": true, "commit_id": COMMIT}]),
        ),
        (200, pull(9, ours, true)),
        (403, json!({"message": "token does not have at least one of required scope(s)"})),
    ];
    let (client, seen) = forge(ForgeApi::Gitea, "/api/v1", answers);
    let (request, done) = client.propose(&proposal()).await.expect("proposed");
    assert_eq!((request.number, done), (9, Proposed::Revised), "found on the second page");
    let status = CommitStatus {
        context: "landfall/promotion".to_owned(),
        state: StatusState::Pending,
        description: "soon".to_owned(),
    };
    client.say(COMMIT, &status).await.expect("said");
    assert_eq!(client.protection("main").await.expect("looked"), Protection::Protected { wants_owner: true });
    assert!(!client.reviews(9).await.expect("read")[0].approves, "it was dismissed");
    assert_eq!(client.request(9).await.expect("read").state, RequestState::Merged);
    assert_eq!(client.protection("main").await.expect("looked"), Protection::Hidden);
    let asked = lines(&seen);
    assert_eq!(asked[0], "GET /api/v1/repos/acme/shop/pulls?state=open&limit=50&page=1");
    assert_eq!(asked[1], "GET /api/v1/repos/acme/shop/pulls?state=open&limit=50&page=2");
    assert_eq!(asked[2], "PATCH /api/v1/repos/acme/shop/pulls/9");
    assert_eq!(asked[4], "GET /api/v1/repos/acme/shop/branch_protections/main");
    assert!(
        seen.lock().expect("noted").iter().all(|(_, _, token, _)| *token == format!("authorization: token {TOKEN}"))
    );
}

#[tokio::test]
async fn what_is_lost_or_hostile_is_told_and_leads_to_no_second_request() {
    // Somebody made it in between: GitHub says 422, Gitea 409.
    for (api, path, status) in [(ForgeApi::GitHub, "", 422), (ForgeApi::Gitea, "/api/v1", 409)] {
        let made = json!([github_pull("open", Value::Null)]);
        let answers =
            vec![(200, json!([])), (status, json!({"message": "A pull request already exists"})), (200, made)];
        let (client, _) = forge(api, path, answers);
        let (request, done) = client.propose(&proposal()).await.expect("found");
        assert_eq!((request.number, done), (1347, Proposed::Revised));
    }
    for answer in [json!({"message": "slow down"}), json!("text"), Value::Null] {
        let (client, _) = forge(ForgeApi::GitHub, "", vec![(200, answer)]);
        assert!(matches!(client.find("a", "main").await, Err(SourceError::Exchange { .. })));
    }
    // A list of others' requests without an end has one.
    let full: Vec<Value> = (0..50).map(|_| github_pull("closed", Value::Null)).collect();
    let (client, seen) = forge(ForgeApi::GitHub, "", (0..30).map(|_| (200, json!(full.clone()))).collect());
    assert_eq!(client.find("a", "main").await.expect("looked"), None);
    assert_eq!(lines(&seen).len(), 20);
    // A refusal's words are one line, and hold no token.
    let (client, _) = forge(ForgeApi::GitHub, "", vec![(401, json!({"message": "Bad\ncredentials\u{1b}[31m"}))]);
    let error = client.find("a", "main").await.expect_err("refused").to_string();
    assert!(!error.contains(TOKEN) && !error.contains('\u{1b}') && !error.contains("d\nc"), "{error}");
}
