//! What a trial has shown, as a person reads it.

use std::collections::BTreeMap;

use landfall_cluster::{Cluster, ListOptions};
use landfall_diag::{Diagnostic, Place, Severity, code};
use landfall_engine::{Concluded, LEFT_OF_TRIAL, Objection, Refusal, Trial};
use landfall_object::{Gvk, ObjectKey};

/// The refusals of one plan, at the fields that are objected to; the same words about several objects are told once.
pub fn refusals(
    trial: &Trial,
    plan: usize,
    places: impl Fn(&ObjectKey, &str) -> Vec<(Place, String)>,
) -> Vec<Diagnostic> {
    let mut said: Vec<(&Objection, Vec<&Refusal>)> = Vec::new();
    for refusal in trial.refusals.iter().filter(|refusal| refusal.tried.plan == plan) {
        match said.iter_mut().find(|(objection, _)| **objection == refusal.objection) {
            Some((_, alike)) => alike.push(refusal),
            None => said.push((&refusal.objection, vec![refusal])),
        }
    }
    said.into_iter().map(|(objection, alike)| told_once(objection, &alike, &places)).collect()
}

/// One refusal, at the fields that are objected to.
pub fn refusal(refusal: &Refusal, places: impl Fn(&ObjectKey, &str) -> Vec<(Place, String)>) -> Diagnostic {
    told_once(&refusal.objection, &[refusal], &places)
}

fn told_once(
    objection: &Objection,
    alike: &[&Refusal],
    places: &impl Fn(&ObjectKey, &str) -> Vec<(Place, String)>,
) -> Diagnostic {
    let first = alike[0];
    let more = match alike.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let mut diagnostic =
        Diagnostic::error(code::WOULD_BE_REFUSED, format!("the cluster would refuse {}{more}", first.object()))
            .note(objection.to_string());
    for refusal in alike {
        let mut found: Vec<(Place, String)> = Vec::new();
        for (field, _) in &refusal.fields {
            found.extend(places(&refusal.tried.key, field));
        }
        if found.is_empty() {
            found = places(&refusal.tried.key, "metadata.name");
        }
        if alike.len() > 1 || found.is_empty() {
            diagnostic = diagnostic.note(format!("{}: {}", refusal.object(), refusal.why));
        }
        for (place, text) in found {
            if diagnostic.labels.iter().any(|label| label.place == place) {
                continue;
            }
            let is_first = diagnostic.labels.is_empty();
            diagnostic = if is_first { diagnostic.primary(place, text) } else { diagnostic.label(place, text) };
        }
    }
    match advice(objection, &first.tried.key) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// What to type, where the objection, or the server's words, leave only one thing.
fn advice(objection: &Objection, key: &ObjectKey) -> Option<String> {
    let namespace = key.namespace.as_deref().unwrap_or_default();
    let Objection::Said(message) = objection else {
        let kind = key.gvk.kind.to_lowercase();
        return Some(format!("`kubectl delete {kind} {} -n {namespace}`, or let its delete policy do it", key.name));
    };
    if message.contains("namespaces ") && message.ends_with("not found") {
        let name = message.split('"').nth(1).unwrap_or(namespace);
        return Some(format!("`kubectl create namespace {name}` first, or let the chart render it"));
    }
    if message.contains("field is immutable") || message.contains("updates to statefulset spec") {
        return Some(format!("what cannot be changed has to be made anew: delete {}/{} first", key.gvk.kind, key.name));
    }
    (message.contains("User \"") && message.contains(" cannot "))
        .then(|| "ask for the permission, or use another context".to_owned())
}

/// What is worth knowing of one plan's trial beside refusals: what could not be tried, and what was checked otherwise.
pub fn remarks(trial: &Trial, plan: usize) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    let mut untried: BTreeMap<&str, Vec<&ObjectKey>> = BTreeMap::new();
    for one in trial.untried.iter().filter(|one| one.tried.plan == plan) {
        untried.entry(&one.reason).or_default().push(&one.tried.key);
    }
    for (reason, keys) in untried {
        told.push(
            Diagnostic::new(
                Severity::Info,
                code::NOT_TRIED,
                format!("could not be tried before the delivery: {}", names(&keys)),
            )
            .note(reason),
        );
    }
    let by_definition: Vec<&ObjectKey> =
        trial.by_definition.iter().filter(|one| one.plan == plan).map(|one| &one.key).collect();
    if !by_definition.is_empty() {
        let text =
            format!("checked against the definition that is delivered, not by the cluster: {}", names(&by_definition));
        told.push(Diagnostic::new(Severity::Info, code::TRIED_BY_DEFINITION, text));
    }
    told
}

/// What has become of namespaces that were made for the trial: those that are gone again, and those that stay.
pub fn taken_back(concluded: &Concluded) -> Vec<Diagnostic> {
    let bare = |keys: &[ObjectKey]| keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(", ");
    let mut told = Vec::new();
    if !concluded.gone.is_empty() {
        let text = format!("made to try the objects in it, and taken back: namespace {}", bare(&concluded.gone));
        told.push(Diagnostic::new(Severity::Info, code::NAMESPACE_MADE_AHEAD, text));
    }
    if !concluded.left.is_empty() {
        let text = format!("made to try the objects in it, and not taken back: namespace {}", bare(&concluded.left));
        let told_left = Diagnostic::new(Severity::Warning, code::NAMESPACE_MADE_AHEAD, text).note(
            "somebody else has put something into it meanwhile, or delivers into it, or not all of it can be listed",
        );
        told.push(told_left.help(way_out(&bare(&concluded.left))));
    }
    told
}

/// What to do with a namespace that was left of a trial.
pub fn way_out(namespace: &str) -> String {
    format!(
        "`landfall up` delivers into it; `kubectl delete namespace {namespace}` takes it away, and all that is in it"
    )
}

/// The namespaces that trials have made and could not take back, and that nothing was delivered into since; none where one may
/// not list namespaces.
pub(crate) async fn left_behind(cluster: &Cluster) -> Vec<String> {
    let namespaces = cluster.list(&Gvk::new("", "v1", "Namespace"), &ListOptions::default()).await.unwrap_or_default();
    let left =
        namespaces.iter().filter(|it| it.annotation(LEFT_OF_TRIAL).is_some() && it.deletion_timestamp().is_none());
    left.map(|namespace| namespace.name().to_owned()).collect()
}

fn names(keys: &[&ObjectKey]) -> String {
    let mut names: Vec<String> = keys.iter().map(|key| format!("{}/{}", key.gvk.kind, key.name)).collect();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hooks_namesake_is_advised_to_be_deleted_not_what_words_like_that_are_said_of() {
        let key = ObjectKey::new(Gvk::new("batch", "v1", "Job"), Some("shop"), "seed");
        let in_the_way = Objection::InTheWay { resource: "jobs.batch".to_owned(), name: "seed".to_owned() };
        let words =
            "jobs.batch \"seed\" already exists, and the hook's delete policy does not take it away before".to_owned();
        assert_eq!(in_the_way.to_string(), words);
        let help = "`kubectl delete job seed -n shop`, or let its delete policy do it".to_owned();
        assert_eq!(advice(&in_the_way, &key), Some(help));
        assert_eq!(advice(&Objection::Said(words), &key), None);
    }
}
