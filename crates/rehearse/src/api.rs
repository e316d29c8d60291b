//! What a real cluster's API says of the objects: asked with `dryRun=All`, so that nothing is kept.

use async_recursion::async_recursion as boxed;
use landfall_chart::HookEvent;
use landfall_cluster::{Cluster, DryRun, Error, Patch, WriteOptions};
use landfall_diag::{Finding, Severity, Witness};
use landfall_object::{Object, ObjectKey};
use landfall_rules::{Desired, DesiredUnit, Role, Rule, rule};

/// What a cluster's API has said.
#[derive(Debug, Default)]
pub struct Asked {
    /// What it refuses, labelled with its name.
    pub findings: Vec<Finding>,
    /// What it could not be asked about, and what it said yes to, in a few words each.
    pub notes: Vec<String>,
}

/// Sends every object to a cluster with `dryRun=All`, so that its defaulting, validation, quotas and admission webhooks
/// judge it and nothing is kept.
///
/// Objects whose namespace or kind is only to come are passed over: a dry run keeps neither. What is deleted before it is
/// made anew (hooks, what is replaced by force) is asked for under another name where it is there.
#[boxed]
pub async fn ask_api(cluster: &Cluster, name: &str, units: &[DesiredUnit]) -> Asked {
    let mut asked = Asked::default();
    let Some(rule) = rule("LF100") else { return asked };
    let version = cluster.version().await.map(|version| version.git_version).unwrap_or_default();
    let api = format!("the API of {name} ({version}), asked with dryRun=All");
    let mut accepted = 0;
    let mut to_come: Vec<String> = Vec::new();
    let mut forbidden: Vec<(&Desired, String)> = Vec::new();
    for desired in units.iter().flat_map(|unit| &unit.objects).filter(|desired| !is_apart(desired)) {
        let Err(error) = ask(cluster, desired).await else {
            accepted += 1;
            continue;
        };
        if error.is_unreachable() {
            asked.findings.push(unanswered(rule, &api, &error));
            break;
        }
        if error.is_not_found() || matches!(error, Error::NoMatch { .. }) {
            to_come.push(desired.spot().name());
        } else if is_right(&error) {
            forbidden.push((desired, error.to_string()));
        } else {
            asked.findings.push(
                rule.finding(format!("{} is refused: {error}", desired.spot().name()))
                    .because("the same object would be refused on delivery")
                    .help("Change the object so that the cluster takes it, or the policy that refuses it.")
                    .said_by(Witness::Api(api.clone()))
                    .at(desired.spot()),
            );
        }
    }
    if let Some((_, said)) = forbidden.first() {
        let finding = rule
            .finding(format!("{} objects may not be sent to {name}: {said}", forbidden.len()))
            .keyed("forbidden")
            .weighing(Severity::Warning)
            .because("whoever rehearses has not the rights to deliver, so that their verdicts are missing here")
            .help("ask as somebody who may write there (with dryRun nothing is kept), or leave --ask-api out")
            .said_by(Witness::Api(api.clone()));
        asked.findings.push(forbidden.iter().fold(finding, |finding, (desired, _)| finding.at(desired.spot())));
    }
    asked.notes.push(format!("{api}: {accepted} objects are accepted"));
    if !to_come.is_empty() {
        asked.notes.push(format!("{api}: not asked for, their namespace or kind is to come: {}", to_come.join(", ")));
    }
    asked
}

/// Definitions would be kept by no dry run, and tests are not delivered.
fn is_apart(desired: &Desired) -> bool {
    match &desired.role {
        Role::Definition => true,
        Role::Hook { events, .. } => events.iter().all(|event| *event == HookEvent::Test),
        Role::Manifest => false,
    }
}

async fn ask(cluster: &Cluster, desired: &Desired) -> Result<(), Error> {
    let options =
        WriteOptions { field_manager: Some("landfall".to_owned()), dry_run: DryRun::Server, ..WriteOptions::default() };
    let key = desired.key();
    let (key, object) = match is_made_anew(desired) && cluster.get(&key).await?.is_some() {
        true => under_another_name(&desired.object),
        false => (key, desired.object.clone()),
    };
    cluster.patch(&key, &Patch::ForceApply(object.into_value()), &options).await.map(drop)
}

fn is_made_anew(desired: &Desired) -> bool {
    matches!(desired.role, Role::Hook { .. }) || desired.object.is_forced_by_argo()
}

fn under_another_name(object: &Object) -> (ObjectKey, Object) {
    let mut other = object.clone();
    // Names of objects whose pods bear them are at most 63 long.
    let short: String = object.name().chars().take(50).collect();
    let name = format!("{}-rehearsed", short.trim_end_matches(['-', '.']));
    other.metadata_mut().insert("name".to_owned(), name.into());
    (other.key(), other)
}

/// Whether it is who asks that is refused and not the object (`"deployments.apps \"web\" is forbidden: User \"ci\" cannot
/// patch resource …"`, staging/src/k8s.io/apiserver/pkg/endpoints/handlers/responsewriters).
fn is_right(error: &Error) -> bool {
    let said = error.to_string();
    error.code() == Some(401) || (error.code() == Some(403) && said.contains("User \"") && said.contains(" cannot "))
}

fn unanswered(rule: &'static Rule, api: &str, error: &Error) -> Finding {
    rule.finding(format!("the cluster does not answer: {error}"))
        .weighing(Severity::Warning)
        .because("what it would say of the objects is not known")
        .said_by(Witness::Api(api.to_owned()))
}
