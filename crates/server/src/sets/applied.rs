//! What a set generates, put on the cluster, and what is told of it.

use std::collections::BTreeSet;

use landfall_apps::Project;
use landfall_apps::machine::CASCADE;
use landfall_apps::sets::{
    ApplicationSet, Changes, Expansion, Failure, Outcome, Reason, changes, conditions, resources,
};
use landfall_cluster::{DeleteOptions, Error, ListOptions, Patch, WriteOptions};
use landfall_diag::without_passwords;
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};

use crate::errands::Work;
use crate::ground::application_kind;
use crate::news::note_set;

/// The field manager of Argo CD's own controller of sets: what it wrote goes on to be ours.
const MANAGER: &str = "argocd-applicationset-controller";

fn options() -> WriteOptions {
    WriteOptions { field_manager: Some(MANAGER.to_owned()), ..WriteOptions::default() }
}

/// Puts what a set generates on the cluster, and tells how that went; whether all is as it is generated.
pub(super) async fn apply(work: &Work, set: &ApplicationSet, expansion: Expansion) -> bool {
    let outcome = match expansion {
        Expansion::Generated(generated) => match generated_on(work, set, &generated).await {
            Ok(outcome) => outcome,
            Err(why) => Outcome::NotApplied(Failure { reason: Reason::Update, message: why }),
        },
        Expansion::Failed(failure) => Outcome::NotGenerated(failure),
        Expansion::Unanswered(_) => return false,
    };
    let told = tell(work, set, &outcome).await;
    if let Err(why) = &told {
        tracing::warn!("the status of {} cannot be written: {why}", set.key());
    }
    told.is_ok() && outcome == Outcome::UpToDate
}

async fn generated_on(work: &Work, set: &ApplicationSet, generated: &[Object]) -> Result<Outcome, String> {
    let current = applications(work, set).await?;
    let projects = projects(work).await;
    let Changes { created, changed, deleted, held, invalid } = changes(set, generated, &current, projects.as_ref());
    let cluster = work.once();
    let mut failures: Vec<(Reason, String)> = Vec::new();
    for application in created {
        if let Err(error) = cluster.create(&application, &options()).await {
            failures.push((Reason::Create, error.to_string()));
        }
    }
    for one in changed {
        match cluster.patch(&one.key, &Patch::Merge(one.patch), &options()).await {
            Ok(_) => {}
            // Somebody deleted it meanwhile: it is created at the next look.
            Err(error) if error.is_not_found() => {}
            Err(error) => failures.push((Reason::Update, error.to_string())),
        }
    }
    for key in deleted {
        // Of just the one that was looked at: one that was made anew meanwhile is another.
        let uid = current.iter().find(|live| live.key() == key).and_then(Object::uid).map(str::to_owned);
        match cluster.delete(&key, &DeleteOptions { uid, ..DeleteOptions::default() }).await {
            Ok(_) => {}
            Err(error) => failures.push((Reason::Delete, error.to_string())),
        }
    }
    // What is wrong comes before what is not done because of it.
    failures.extend(invalid.into_values().map(|why| (Reason::Validation, why)));
    failures.extend(held.map(|held| (Reason::Delete, held.to_string())));
    Ok(Outcome::of(failures))
}

/// All Applications of the set's namespace.
async fn applications(work: &Work, set: &ApplicationSet) -> Result<Vec<Object>, String> {
    let options = ListOptions { namespace: Some(set.namespace.clone()), ..ListOptions::default() };
    let found = work.session.cluster.list(&application_kind(), &options).await;
    found.map_err(|error| format!("error getting current applications: {error}"))
}

/// The projects that there are; nothing where that cannot be known.
async fn projects(work: &Work) -> Option<BTreeSet<String>> {
    let options = ListOptions { namespace: Some(Project::HOME.to_owned()), ..ListOptions::default() };
    let kind = Gvk::new("argoproj.io", "v1alpha1", "AppProject");
    let found = work.session.cluster.list(&kind, &options).await.ok()?;
    Some(found.iter().map(|project| project.name().to_owned()).collect())
}

/// Writes a set's status where it says something else.
async fn tell(work: &Work, set: &ApplicationSet, outcome: &Outcome) -> Result<(), String> {
    let now = landfall_object::whole_second(work.session.clock.now()).to_string();
    let entries = resources(set, &applications(work, set).await?);
    let count = entries.len();
    let conditions = conditions(set, outcome, &now);
    tell_people(work, &set.key(), conditions.as_array().map(Vec::as_slice).unwrap_or_default()).await;
    let status = json!({"conditions": conditions, "resources": entries, "resourcesCount": count});
    let same = status
        .as_object()
        .into_iter()
        .flatten()
        .all(|(field, value)| set.object.at(&format!("/status/{field}")) == Some(value));
    if same {
        return Ok(());
    }
    log(&set.object, &status["conditions"]);
    write_status(work, &set.key(), status).await
}

/// The error that conditions tell of.
pub(crate) fn error_in(conditions: &[Value]) -> Option<&str> {
    erring(conditions)?["message"].as_str()
}

fn erring(conditions: &[Value]) -> Option<&Value> {
    conditions.iter().find(|it| it["type"] == "ErrorOccurred" && it["status"] == "True")
}

/// Lets it be heard that a set errs, or does no more.
async fn tell_people(work: &Work, key: &ObjectKey, conditions: &[Value]) {
    let error = erring(conditions).map(|it| {
        let text = |field: &str| it[field].as_str().unwrap_or_default();
        (text("lastTransitionTime"), without_passwords(text("message")))
    });
    note_set(work, key, error.as_ref().map(|(since, why)| (*since, &**why))).await;
}

/// Logs what is wrong with a set from now on, and that it is well again.
fn log(before: &Object, conditions: &Value) {
    let name = format!("ApplicationSet {}/{}", before.namespace().unwrap_or_default(), before.name());
    let now = error_in(conditions.as_array().map(Vec::as_slice).unwrap_or_default());
    match (error_in(before.list_at("/status/conditions")), now) {
        (before, Some(now)) if before != Some(now) => tracing::warn!("{name}: {}", without_passwords(now)),
        (Some(_), None) => tracing::info!("{name} generates its Applications again"),
        _ => {}
    }
}

/// Says of a set that cannot be read why.
pub(super) async fn tell_unread(work: &Work, object: &Object, why: &str) {
    let condition =
        json!({"type": "ErrorOccurred", "status": "True", "reason": Reason::Validation.word(), "message": why});
    let same =
        |it: &&Value| ["type", "status", "reason", "message"].iter().all(|field| it[*field] == condition[*field]);
    if let Some(known) = object.list_at("/status/conditions").iter().find(same) {
        return tell_people(work, &object.key(), std::slice::from_ref(known)).await;
    }
    let now = work.session.clock.now();
    let mut dated = condition.clone();
    dated["lastTransitionTime"] = landfall_object::whole_second(now).to_string().into();
    tell_people(work, &object.key(), std::slice::from_ref(&dated)).await;
    log(object, &json!([&dated]));
    if let Err(error) = write_status(work, &object.key(), json!({"conditions": [dated]})).await {
        tracing::warn!("{}: {error}", object.key());
    }
}

async fn write_status(work: &Work, key: &ObjectKey, status: Value) -> Result<(), String> {
    let patch = Patch::Merge(json!({"status": status}));
    let cluster = work.once();
    match cluster.patch_status(key, &patch, &options()).await {
        Ok(_) => Ok(()),
        // Without a status of its own the kind's status is part of the object; or the object is gone.
        Err(error) if error.is_not_found() => match cluster.patch(key, &patch, &options()).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error.to_string()),
        },
        Err(error) => Err(error.to_string()),
    }
}

/// Lets a set go that is being deleted: Applications that it may not delete become their own.
pub(super) async fn let_go(work: &Work, set: &ApplicationSet) -> Result<(), String> {
    let cluster = work.once();
    let said = |error: Error| error.to_string();
    if !set.applications_sync().deletes() {
        for live in applications(work, set).await? {
            let references = live.list_at("/metadata/ownerReferences");
            let others: Vec<&Value> = references
                .iter()
                .filter(|it| it["kind"] != "ApplicationSet" || it["name"] != set.name.as_str())
                .collect();
            if others.len() < references.len() {
                let patch = Patch::Merge(json!({"metadata": {"ownerReferences": others}}));
                cluster.patch(&live.key(), &patch, &options()).await.map_err(said)?;
            }
        }
    }
    let finalizers: Vec<&str> = set.object.finalizers().filter(|it| *it != CASCADE).collect();
    if finalizers.len() == set.object.finalizers().count() {
        return Ok(());
    }
    let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    match cluster.patch(&set.key(), &patch, &options()).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(said(error)),
    }
}
