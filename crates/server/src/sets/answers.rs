//! What generators are answered with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfall_apps::Application;
use landfall_apps::machine::Freshness;
use landfall_apps::sets::{
    Answers, ApplicationSet, Cluster, Expansion, Files, PullRequestQuery, Question, Unanswered, expand,
};
use landfall_cluster::ListOptions;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_source::aside;
use serde_json::json;

use super::forges;
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

async fn pull_requests(
    work: &Work,
    set: &ApplicationSet,
    query: &PullRequestQuery,
) -> Result<Vec<landfall_apps::sets::PullRequest>, Unanswered> {
    let token = match &query.token {
        None => None,
        Some(reference) => {
            let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(&set.namespace), &*reference.name);
            let place = format!("{}/{}", set.namespace, reference.name);
            let failed = |why: &str| Unanswered::Failed(format!("error fetching Secret token: secret {place}: {why}"));
            let secret = work.session.cluster.get(&key).await.map_err(|error| failed(&error.to_string()))?;
            let secret = secret.ok_or_else(|| failed("it is not there"))?;
            let token = data(&secret, &reference.key);
            Some(token.ok_or_else(|| failed(&format!("it has no key {}", reference.key)))?.trim().to_owned())
        }
    };
    forges::pull_requests(&work.network, query, token.as_deref()).await
}
