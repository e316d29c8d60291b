//! What generators are answered with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfall_apps::Application;
use landfall_apps::machine::Freshness;
use landfall_apps::sets::{
    Answers, ApplicationSet, Cluster, Expansion, Files, PluginQuery, PullRequest, PullRequestQuery, Question,
    Unanswered, expand,
};
use landfall_cluster::ListOptions;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_source::aside;
use serde_json::json;

use super::{forges, plugins};
use crate::errands::{Work, words};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often one answer may lead to other questions: a matrix within a merge asks three times at most.
const ROUNDS: usize = 6;

/// Asks until a set can be expanded, or cannot be: what came of it, what was answered and what was asked.
pub(super) async fn expanded(
    work: &Work,
    set: &ApplicationSet,
    mut answers: Answers<'static>,
) -> (Expansion, Answers<'static>, BTreeSet<Question>) {
    let mut asked = BTreeSet::new();
    for _ in 0..ROUNDS {
        let questions = match expand(set, &answers) {
            Expansion::Unanswered(questions) => questions,
            other => {
                asked.extend(answers.questions());
                return (other, answers, asked);
            }
        };
        for question in questions {
            answer(work, set, &question, &mut answers).await;
            asked.insert(question);
        }
    }
    let failure = landfall_apps::sets::Failure {
        reason: landfall_apps::sets::Reason::ParamsGeneration,
        message: "its generators ask for ever more".to_owned(),
    };
    (Expansion::Failed(failure), answers, asked)
}

async fn answer(work: &Work, set: &ApplicationSet, question: &Question, answers: &mut Answers<'static>) {
    let late = |what: &str| Unanswered::Failed(format!("{what} did not answer within {} s", PATIENCE.as_secs()));
    match question {
        Question::Files { repository, revision } => {
            let found = tokio::time::timeout(PATIENCE, files(work, set, repository, revision)).await;
            let found = found.unwrap_or_else(|_| Err(late(repository)));
            answers.files(repository, revision, found);
        }
        Question::Clusters => {
            let found = tokio::time::timeout(PATIENCE, clusters(work, set)).await;
            answers.clusters(found.unwrap_or_else(|_| Err(late("the cluster"))));
        }
        Question::PullRequests(query) => {
            let found = tokio::time::timeout(PATIENCE, pull_requests(work, set, query)).await;
            answers.pull_requests(query.clone(), found.unwrap_or_else(|_| Err(late(&query.project))));
        }
        Question::Plugin(query) => {
            let found = tokio::time::timeout(PATIENCE, plugin(work, set, query)).await;
            answers.plugin(query.clone(), found.unwrap_or_else(|_| Err(late(&query.config_map))));
        }
    }
}

/// The files of a repository, found as those of an Application's source are.
async fn files(
    work: &Work,
    set: &ApplicationSet,
    repository: &str,
    revision: &str,
) -> Result<Files<'static>, Unanswered> {
    let failed = |why: String| Unanswered::Failed(why);
    let project = set.object.str_at("/spec/template/spec/project").filter(|project| !project.contains("{{"));
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": set.name, "namespace": set.namespace},
        "spec": {
            "project": project.unwrap_or_default(),
            "source": {"repoURL": repository, "targetRevision": revision, "path": "."},
            "destination": {},
        },
    });
    let object = Object::from_value(object).map_err(|error| failed(error.to_string()))?;
    let asking = Application::parse(&object).map_err(|error| failed(error.to_string()))?;
    let told = |diagnostic| failed(words(&[diagnostic]));
    let commits = work.repositories.resolve(&asking, &[], Freshness::Latest).await.map_err(told)?;
    let stand_ins = work.repositories.stand_ins(&asking, &commits).await.map_err(told)?;
    let one = stand_ins.into_iter().next().ok_or_else(|| failed(format!("{repository} has no files")))?;
    let listed = aside(move || Files::of(one.tree, &one.root)).await;
    listed.map_err(|error| failed(error.to_string()))?.map_err(failed)
}

/// The clusters that Secrets beside the set name.
async fn clusters(work: &Work, set: &ApplicationSet) -> Result<Vec<Cluster>, Unanswered> {
    let options = ListOptions {
        namespace: Some(set.namespace.clone()),
        label_selector: Some("argocd.argoproj.io/secret-type=cluster".to_owned()),
        ..ListOptions::default()
    };
    let secrets = work.session.cluster.list(&Gvk::new("", "v1", "Secret"), &options).await;
    let secrets = secrets.map_err(|error| Unanswered::Failed(error.to_string()))?;
    Ok(secrets.iter().map(cluster).collect())
}

fn cluster(secret: &Object) -> Cluster {
    let texts = |map: Option<&serde_json::Map<String, serde_json::Value>>| -> BTreeMap<String, String> {
        let entries = map.into_iter().flatten();
        entries.map(|(key, text)| (key.clone(), text.as_str().unwrap_or_default().to_owned())).collect()
    };
    Cluster {
        name: data(secret, "name").unwrap_or_default(),
        server: data(secret, "server").unwrap_or_default(),
        project: data(secret, "project").unwrap_or_default(),
        labels: texts(secret.labels()),
        annotations: texts(secret.annotations()),
    }
}

/// A key of a Secret as text.
fn data(secret: &Object, key: &str) -> Option<String> {
    use base64::Engine as _;
    let encoded = secret.at("/data")?.get(key)?.as_str()?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    String::from_utf8(bytes).ok()
}

/// A key of a Secret beside the set.
async fn secret(work: &Work, set: &ApplicationSet, name: &str, key: &str) -> Result<String, Unanswered> {
    let place = format!("{}/{name}", set.namespace);
    let failed = |why: &str| Unanswered::Failed(format!("error fetching Secret token: secret {place}: {why}"));
    let named = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(&set.namespace), name);
    let found = work.session.cluster.get(&named).await.map_err(|error| failed(&error.to_string()))?;
    let found = found.ok_or_else(|| failed("it is not there"))?;
    let token = data(&found, key).ok_or_else(|| failed(&format!("it has no key {key}")))?;
    Ok(token.trim().to_owned())
}

async fn pull_requests(
    work: &Work,
    set: &ApplicationSet,
    query: &PullRequestQuery,
) -> Result<Vec<PullRequest>, Unanswered> {
    let token = match &query.token {
        None => None,
        Some(reference) => Some(secret(work, set, &reference.name, &reference.key).await?),
    };
    forges::pull_requests(&work.network, query, token.as_deref()).await
}

/// What a service answers that a ConfigMap beside the set names; its token is `$key` of Argo CD's own Secret, or
/// `$secret:key`.
async fn plugin(
    work: &Work,
    set: &ApplicationSet,
    query: &PluginQuery,
) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, Unanswered> {
    let name = &query.config_map;
    let failed = |why: &str| Unanswered::Failed(format!("error fetching ConfigMap {}/{name}: {why}", set.namespace));
    let named = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(&set.namespace), &**name);
    let found = work.session.cluster.get(&named).await.map_err(|error| failed(&error.to_string()))?;
    let found = found.ok_or_else(|| failed("it is not there"))?;
    let text = |key: &str| found.at("/data").and_then(|data| data.get(key)?.as_str()).filter(|text| !text.is_empty());
    let address = text("baseUrl").ok_or_else(|| failed("baseUrl not found in ConfigMap"))?;
    let reference = text("token").and_then(|token| token.strip_prefix('$'));
    let reference = reference.ok_or_else(|| failed("token is empty, or does not name a Secret's key by `$`"))?;
    let (holder, key) = reference.split_once(':').unwrap_or(("argocd-secret", reference));
    let token = secret(work, set, holder, key).await?;
    let timeout = text("requestTimeout").and_then(|seconds| seconds.parse().ok()).filter(|seconds| *seconds > 0);
    let service = plugins::Service { address: address.to_owned(), token, timeout: timeout.map(Duration::from_secs) };
    plugins::parameters(&work.network, &service, &set.name, &query.parameters).await
}
