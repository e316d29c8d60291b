//! Pull and merge requests of GitHub, GitLab, Gitea and Forgejo.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use landfall_apps::sets::{Forge, PullRequest, PullRequestQuery, Unanswered};
use landfall_source::{Access, Network, Redirects};
use serde_json::Value;

/// Requests of one page.
const PAGE: usize = 50;
/// The most pages: whoever has more is told so, and nothing of it is taken for all.
const PAGES: usize = 100;
/// The most bytes of one page.
const BYTES: u64 = 32 << 20;

/// What a query finds.
///
/// # Errors
/// The forge does not answer, refuses, says that there is no such repository, or says more than can be read.
pub(super) async fn pull_requests(
    network: &Network,
    query: &PullRequestQuery,
    token: Option<&str>,
) -> Result<Vec<PullRequest>, Unanswered> {
    // A token goes nowhere but where it was sent.
    let access = Access {
        redirects: Redirects::Stop,
        timeout: Some(Duration::from_secs(30)),
        patience: Some(Duration::from_secs(10)),
        ..Access::default()
    };
    let client = network.client(access);
    let mut found = Vec::new();
    for number in 1..=PAGES {
        let address = page(query, number);
        let headers = headers(query.forge, token)?;
        let reply = client.send(http::Method::GET, &address, headers, Vec::new(), BYTES).await;
        let reply = reply.map_err(|error| Unanswered::Failed(error.to_string()))?;
        let said = format!("{address}: {}", reply.status_line);
        match reply.status {
            200 => {}
            404 => return Err(Unanswered::NoRepository(said)),
            _ => return Err(Unanswered::Failed(said)),
        }
        let page: Value = serde_json::from_slice(&reply.body)
            .map_err(|error| Unanswered::Failed(format!("{address}: it answers with what is no JSON: {error}")))?;
        let items = page.as_array().ok_or_else(|| Unanswered::Failed(format!("{address}: it answers with no list")))?;
        for item in items {
            let one = read(query.forge, item);
            found
                .push(one.ok_or_else(|| Unanswered::Failed(format!("{address}: a request without number or branch")))?);
        }
        if items.len() < PAGE {
            found.retain(|one: &PullRequest| query.labels.iter().all(|label| one.labels.contains(label)));
            return Ok(found);
        }
    }
    Err(Unanswered::Failed(format!("{} has more than {} requests", query.project, PAGE * PAGES)))
}

fn headers(forge: Forge, token: Option<&str>) -> Result<HeaderMap, Unanswered> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static("landfall"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(token) = token {
        let (name, text) = match forge {
            Forge::GitHub => (AUTHORIZATION, format!("Bearer {token}")),
            Forge::Gitea => (AUTHORIZATION, format!("token {token}")),
            Forge::GitLab => (HeaderName::from_static("private-token"), token.to_owned()),
        };
        let value = HeaderValue::from_str(&text);
        let mut value = value.map_err(|_| Unanswered::Failed("the token has letters that no header has".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The address of one page, from 1.
fn page(query: &PullRequestQuery, number: usize) -> String {
    let own = |usual: &str| match query.api.trim_end_matches('/') {
        "" => usual.to_owned(),
        api => api.to_owned(),
    };
    let project = &query.project;
    match query.forge {
        Forge::GitHub => {
            let api = own("https://api.github.com");
            // As Argo CD's client: an enterprise's own server has its API below a path.
            let is_api = api.contains("://api.") || api.contains(".api.") || api.ends_with("/api/v3");
            let below = if is_api { "" } else { "/api/v3" };
            format!("{api}{below}/repos/{project}/pulls?state=open&per_page={PAGE}&page={number}")
        }
        Forge::GitLab => {
            let api = own("https://gitlab.com");
            let api = api.strip_suffix("/api/v4").unwrap_or(&api);
            let project = escaped(project);
            let state =
                if query.state.is_empty() { String::new() } else { format!("&state={}", escaped(&query.state)) };
            format!("{api}/api/v4/projects/{project}/merge_requests?per_page={PAGE}&page={number}{state}")
        }
        Forge::Gitea => {
            let api = own("https://gitea.com");
            format!("{api}/api/v1/repos/{project}/pulls?state=open&limit={PAGE}&page={number}")
        }
    }
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

/// A request as a forge says it; nothing where it says no number or branch.
fn read(forge: Forge, item: &Value) -> Option<PullRequest> {
    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let labels = item["labels"].as_array().into_iter().flatten();
    let labels = labels.filter_map(|label| label["name"].as_str().or(label.as_str())).map(str::to_owned).collect();
    let one = match forge {
        Forge::GitHub | Forge::Gitea => PullRequest {
            number: item["number"].as_u64()?,
            title: text("/title"),
            branch: text("/head/ref"),
            target_branch: text("/base/ref"),
            head_sha: text("/head/sha"),
            labels,
            author: text("/user/login"),
        },
        Forge::GitLab => PullRequest {
            number: item["iid"].as_u64()?,
            title: text("/title"),
            branch: text("/source_branch"),
            target_branch: text("/target_branch"),
            head_sha: text("/sha"),
            labels,
            author: text("/author/username"),
        },
    };
    (!one.branch.is_empty()).then_some(one)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;

    /// A forge that answers each request with the next of these, and tells what was asked.
    fn forge(answers: Vec<(u16, Value)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let served = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().expect("somebody asks");
                let mut lines = BufReader::new(stream.try_clone().expect("the same")).lines();
                let mut head = Vec::new();
                while let Some(Ok(line)) = lines.next().filter(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
                {
                    head.push(line);
                }
                let told = |wanted: &str| head.iter().find(|line| line.to_lowercase().starts_with(wanted)).cloned();
                asked.push(format!(
                    "{} {}",
                    head[0],
                    told("authorization").or(told("private-token")).unwrap_or_default()
                ));
                let body = body.to_string();
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
                    .expect("answered");
            }
            asked
        });
        (address, served)
    }

    fn query(forge: Forge, api: &str, project: &str) -> PullRequestQuery {
        PullRequestQuery {
            forge,
            api: api.to_owned(),
            project: project.to_owned(),
            labels: Vec::new(),
            state: String::new(),
            token: None,
        }
    }

    fn github(number: usize, label: &str) -> Value {
        json!({"number": number, "title": "t", "head": {"ref": format!("b{number}"), "sha": "abc"}, "base": {"ref": "main"}, "user": {"login": "ada"}, "labels": [{"name": label}]})
    }

    #[tokio::test]
    async fn all_pages_are_read_and_labels_must_all_be_there() {
        let first: Vec<Value> = (0..PAGE).map(|number| github(number, "other")).collect();
        let (address, served) = forge(vec![(200, first.into()), (200, json!([github(77, "preview")]))]);
        let query =
            PullRequestQuery { labels: vec!["preview".to_owned()], ..query(Forge::GitHub, &address, "team/shop") };
        let found = pull_requests(&Network::default(), &query, Some("secret")).await.expect("found");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].number, found[0].branch.as_str(), found[0].author.as_str()), (77, "b77", "ada"));
        let asked = served.join().expect("served");
        assert!(asked[0].starts_with("GET /api/v3/repos/team/shop/pulls?state=open&per_page=50&page=1 "), "{asked:?}");
        assert!(
            asked[1].contains("page=2") && asked[1].to_lowercase().ends_with("authorization: bearer secret"),
            "{asked:?}"
        );
    }

    #[tokio::test]
    async fn gitlab_and_gitea_say_the_same_in_their_words() {
        let merge = json!([{"iid": 3, "title": "t", "source_branch": "b", "target_branch": "main", "sha": "abc", "labels": ["x"], "author": {"username": "eve"}}]);
        let (address, served) = forge(vec![(200, merge)]);
        let query_ =
            PullRequestQuery { state: "opened".to_owned(), ..query(Forge::GitLab, &address, "group/deep/shop") };
        let found = pull_requests(&Network::default(), &query_, Some("secret")).await.expect("found");
        assert_eq!(
            (found[0].number, found[0].labels.as_slice(), found[0].author.as_str()),
            (3, &["x".to_owned()][..], "eve")
        );
        let asked = served.join().expect("served").remove(0);
        assert!(
            asked.contains("/api/v4/projects/group%2Fdeep%2Fshop/merge_requests?per_page=50&page=1&state=opened"),
            "{asked}"
        );
        assert!(asked.to_lowercase().ends_with("private-token: secret"), "{asked}");
        let (address, served) = forge(vec![(200, json!([github(1, "x")]))]);
        let found =
            pull_requests(&Network::default(), &query(Forge::Gitea, &address, "team/shop"), None).await.expect("found");
        assert_eq!(found[0].target_branch, "main");
        assert!(served.join().expect("served")[0].contains("/api/v1/repos/team/shop/pulls?state=open&limit=50&page=1"));
    }

    #[tokio::test]
    async fn part_of_an_answer_is_none() {
        let full: Vec<Value> = (0..PAGE).map(|number| github(number, "x")).collect();
        for (second, words) in [
            ((502, json!("bad")), "502"),
            ((200, json!({"message": "slow down"})), "no list"),
            ((302, json!([])), "302"),
        ] {
            let (address, served) = forge(vec![(200, full.clone().into()), second]);
            let told = pull_requests(&Network::default(), &query(Forge::GitHub, &address, "a/b"), None)
                .await
                .expect_err("failed");
            assert!(matches!(&told, Unanswered::Failed(why) if why.contains(words)), "{told:?}");
            drop(served.join());
        }
        let (address, served) = forge(vec![(404, json!({}))]);
        let told =
            pull_requests(&Network::default(), &query(Forge::GitHub, &address, "a/b"), None).await.expect_err("failed");
        assert!(matches!(told, Unanswered::NoRepository(_)), "{told:?}");
        drop(served.join());
    }
}
