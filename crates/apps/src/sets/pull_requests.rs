//! `pullRequest`: open pull and merge requests of a repository.

use landfall_sprig::go_expression;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::answers::{Forge, PullRequest, PullRequestQuery, Question, SecretRef, Unanswered};
use super::generators::{Run, Stop, unanswered};
use super::params::{Param, Params};
use super::slug::{Cut, slug};

/// The longest slug of a branch: 13 more letters fit into a name then.
const SLUG: usize = 50;

pub(crate) fn params(run: &mut Run<'_>, spec: &Value) -> Result<Vec<Params>, Stop> {
    let filters = filters(spec)?;
    let question = Question::PullRequests(query(spec)?);
    let found = match run.answers.requests_of(&question) {
        None => return Err(run.asks(question)),
        Some(Ok(found)) => found.clone(),
        Some(Err(Unanswered::NoRepository(_))) if spec["continueOnRepoNotFoundError"] == true => Vec::new(),
        Some(Err(why)) => return Err(unanswered(why).while_("error listing repos")),
    };
    let mut all = Vec::new();
    for one in found.iter().filter(|one| filters.is_empty() || filters.iter().any(|filter| filter.takes(one))) {
        let short = |most: usize| one.head_sha.get(..most).unwrap_or(&one.head_sha);
        let dashed = |branch: &str| slug(&branch.replace('_', "-"), SLUG, Cut::Words);
        let texts = [
            ("number", one.number.to_string()),
            ("title", one.title.clone()),
            ("branch", one.branch.clone()),
            ("branch_slug", dashed(&one.branch)),
            ("target_branch", one.target_branch.clone()),
            ("target_branch_slug", dashed(&one.target_branch)),
            ("head_sha", one.head_sha.clone()),
            ("head_short_sha", short(8).to_owned()),
            ("head_short_sha_7", short(7).to_owned()),
            ("author", one.author.clone()),
        ];
        let mut params: Params = texts.into_iter().map(|(key, text)| (key.to_owned(), Param::Text(text))).collect();
        if run.templates.is_go() {
            params.insert("labels".to_owned(), Param::List(one.labels.iter().map(Param::text).collect()));
        }
        run.add_values(spec, &mut params)?;
        all.push(params);
    }
    Ok(all)
}

fn query(spec: &Value) -> Result<PullRequestQuery, String> {
    let text = |at: &Value, field: &str| at[field].as_str().unwrap_or_default().to_owned();
    let texts = |at: &Value| at.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    for (name, forge) in [("github", Forge::GitHub), ("gitlab", Forge::GitLab), ("gitea", Forge::Gitea)] {
        let at = &spec[name];
        if !at.is_object() {
            continue;
        }
        if !text(at, "appSecretName").is_empty() {
            return Err("pullRequest.github.appSecretName is not acted on; name a token by tokenRef".to_owned());
        }
        let project = match forge {
            Forge::GitLab => match &at["project"] {
                Value::String(project) => project.clone(),
                other => other.to_string(),
            },
            Forge::GitHub | Forge::Gitea => format!("{}/{}", text(at, "owner"), text(at, "repo")),
        };
        let token = SecretRef { name: text(&at["tokenRef"], "secretName"), key: text(&at["tokenRef"], "key") };
        return Ok(PullRequestQuery {
            forge,
            api: text(at, "api"),
            project,
            labels: texts(&at["labels"]),
            state: text(at, "pullRequestState"),
            token: Some(token).filter(|token| !token.name.is_empty()),
        });
    }
    let named = ["bitbucketServer", "bitbucket", "azuredevops"].into_iter().find(|name| spec[*name].is_object());
    Err(match named {
        Some(name) => format!("pullRequest.{name} is not acted on"),
        None => "no Pull Request provider implementation configured".to_owned(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenFilter {
    branch_match: Option<String>,
    target_branch_match: Option<String>,
    title_match: Option<String>,
}

/// Requests that are meant: by all expressions of one of the filters.
struct Filter {
    branch: Option<Regex>,
    target_branch: Option<Regex>,
    title: Option<Regex>,
}

fn filters(spec: &Value) -> Result<Vec<Filter>, String> {
    let written = spec["filters"].as_array().map_or(&[][..], Vec::as_slice);
    let compiled = |what: &str, pattern: Option<String>| {
        let Some(pattern) = pattern else { return Ok(None) };
        let failed = |why: String| format!("error compiling {what} regexp {pattern:?}: {why}");
        let expression = go_expression(&pattern).map_err(failed)?;
        Regex::new(&expression).map(Some).map_err(|error| failed(error.to_string()))
    };
    let mut filters = Vec::new();
    for filter in written {
        let filter = WrittenFilter::deserialize(filter).map_err(|error| format!("pullRequest.filters: {error}"))?;
        filters.push(Filter {
            branch: compiled("BranchMatch", filter.branch_match)?,
            target_branch: compiled("TargetBranchMatch", filter.target_branch_match)?,
            title: compiled("TitleMatch", filter.title_match)?,
        });
    }
    Ok(filters)
}

impl Filter {
    fn takes(&self, one: &PullRequest) -> bool {
        let fits = |wanted: &Option<Regex>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted.is_match(text));
        fits(&self.branch, &one.branch)
            && fits(&self.target_branch, &one.target_branch)
            && fits(&self.title, &one.title)
    }
}
