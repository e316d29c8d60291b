//! What an Application's object says, in the API's shapes.

use landfall_apps::{Pause, Pin, Source, stays_by_kind};
use landfall_object::Object;
use landfall_source::repository_key;
use serde_json::Value;

use super::shapes::{
    ConditionLine, Detail, HistoryEntry, Line, Name, ObjectLine, OperationLine, PauseLine, PinLine, ResourceLine,
    SourceLine,
};

/// The word for whom nobody but the Application's own policy asks.
const AUTOMATION: &str = "automation";

impl Name {
    /// That of an Application's object.
    pub fn of(application: &Object) -> Self {
        Name { namespace: application.namespace().unwrap_or_default().to_owned(), name: application.name().to_owned() }
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn perhaps(value: &Value, pointer: &str) -> Option<String> {
    Some(text(value, pointer)).filter(|text| !text.is_empty())
}

fn texts(value: &Value, pointer: &str) -> Vec<String> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

/// `revision` or `revisions` of a part of an Application.
pub(crate) fn revisions(value: &Value, within: &str) -> Vec<String> {
    let several = texts(value, &format!("{within}/revisions"));
    if several.is_empty() { perhaps(value, &format!("{within}/revision")).into_iter().collect() } else { several }
}

/// The sources of a part of an Application, as they are written there.
pub(super) fn sources<'v>(value: &'v Value, within: &str) -> Vec<&'v Value> {
    let several = value.pointer(&format!("{within}/sources")).and_then(Value::as_array).filter(|it| !it.is_empty());
    match several {
        Some(several) => several.iter().collect(),
        None => value.pointer(&format!("{within}/source")).into_iter().collect(),
    }
}

impl SourceLine {
    fn of(source: &Value) -> Self {
        SourceLine {
            repository: repository_key(&text(source, "/repoURL")),
            path: text(source, "/path"),
            chart: text(source, "/chart"),
            target_revision: text(source, "/targetRevision"),
            reference: text(source, "/ref"),
            value_files: texts(source, "/helm/valueFiles"),
        }
    }
}

impl Line {
    /// That of an Application's object.
    pub fn of(application: &Object) -> Self {
        let value = application.value();
        let status = |pointer: &str| perhaps(value, pointer).unwrap_or_else(|| "Unknown".to_owned());
        let first = sources(value, "/spec").first().map(|source| SourceLine::of(source)).unwrap_or_default();
        let automated = value.pointer("/spec/syncPolicy/automated").filter(|it| it.is_object());
        let project = perhaps(value, "/spec/project").unwrap_or_else(|| "default".to_owned());
        Line {
            namespace: application.namespace().unwrap_or_default().to_owned(),
            name: application.name().to_owned(),
            project,
            sync: status("/status/sync/status"),
            health: status("/status/health/status"),
            operation: under_way(application)
                .then(|| perhaps(value, "/status/operationState/phase").filter(|phase| is_open(phase)))
                .map(|phase| phase.unwrap_or_else(|| "Requested".to_owned())),
            repository: first.repository,
            path: if first.chart.is_empty() { first.path } else { first.chart },
            target_revision: first.target_revision,
            revisions: revisions(value, "/status/sync"),
            cluster: perhaps(value, "/spec/destination/server")
                .unwrap_or_else(|| text(value, "/spec/destination/name")),
            destination: text(value, "/spec/destination/namespace"),
            automated: automated.is_some_and(|it| it["enabled"].as_bool() != Some(false)),
            pinned: Pin::of(application).ok().flatten().map(|pin| pin.revisions).unwrap_or_default(),
            since: perhaps(value, "/status/health/lastTransitionTime"),
        }
    }
}

fn is_open(phase: &str) -> bool {
    matches!(phase, "Running" | "Terminating")
}

/// Whether an operation of an Application was asked for, or runs.
pub(super) fn under_way(application: &Object) -> bool {
    let asked = application.at("/operation").is_some_and(|operation| !operation.is_null());
    asked || application.str_at("/status/operationState/phase").is_some_and(is_open)
}

fn initiator(by: Option<&Value>) -> String {
    let Some(by) = by else { return String::new() };
    if by["automated"].as_bool() == Some(true) { AUTOMATION.to_owned() } else { text(by, "/username") }
}

impl Detail {
    /// That of an Application's object.
    pub fn of(application: &Object) -> Self {
        let value = application.value();
        let automated = value.pointer("/spec/syncPolicy/automated");
        let is_on = |field: &str| automated.is_some_and(|it| it[field].as_bool() == Some(true));
        let line = Line::of(application);
        let automation = [("prune", "prune"), ("selfHeal", "self-heal"), ("allowEmpty", "allow-empty")]
            .into_iter()
            .filter(|(field, _)| line.automated && is_on(field))
            .map(|(_, word)| word.to_owned())
            .collect();
        let pin = Pin::of(application).ok().flatten().map(|pin| PinLine {
            revisions: pin.revisions,
            by: pin.by,
            at: pin.at,
            delivery: pin.delivery,
            why: pin.why,
        });
        let pause = Pause::of(application).map(|pause| PauseLine { by: pause.by, at: pause.at, reason: pause.reason });
        Detail {
            sources: sources(value, "/spec").into_iter().map(SourceLine::of).collect(),
            automation,
            sync_options: texts(value, "/spec/syncPolicy/syncOptions"),
            conditions: application.list_at("/status/conditions").iter().map(condition).collect(),
            resources: application.list_at("/status/resources").iter().map(resource).collect(),
            images: texts(value, "/status/summary/images"),
            last_operation: value.pointer("/status/operationState").filter(|it| it.is_object()).map(operation),
            under_way: under_way(application),
            refreshing: application.annotation(super::changing::REFRESH).is_some(),
            pin,
            pause,
            compared_at: perhaps(value, "/status/reconciledAt"),
            being_deleted: application.deletion_timestamp().is_some(),
            generated_by: application.controller().filter(|it| it.kind == "ApplicationSet").map(|it| it.name),
            checks: None,
            line,
        }
    }
}

fn condition(condition: &Value) -> ConditionLine {
    ConditionLine {
        kind: text(condition, "/type"),
        message: landfall_diag::without_passwords(&text(condition, "/message")).into_owned(),
        since: perhaps(condition, "/lastTransitionTime"),
    }
}

fn resource(entry: &Value) -> ResourceLine {
    // What is no longer wanted and in sync nevertheless is kept for good; Argo CD's status has no field that says why.
    let is_pruned = entry["requiresPruning"].as_bool().unwrap_or_default();
    let kept = (is_pruned && entry["status"] == "Synced").then(|| {
        let by_kind = stays_by_kind(&text(entry, "/group"), &text(entry, "/kind"));
        format!("no longer in the source, and {}", by_kind.unwrap_or("marked to stay"))
    });
    ResourceLine {
        object: ObjectLine {
            group: text(entry, "/group"),
            kind: text(entry, "/kind"),
            namespace: perhaps(entry, "/namespace"),
            name: text(entry, "/name"),
        },
        sync: text(entry, "/status"),
        health: perhaps(entry, "/health/status"),
        message: perhaps(entry, "/health/message"),
        requires_pruning: is_pruned && kept.is_none(),
        kept,
    }
}

fn operation(state: &Value) -> OperationLine {
    let of_result = revisions(state, "/syncResult");
    OperationLine {
        phase: text(state, "/phase"),
        message: landfall_diag::without_passwords(&text(state, "/message")).into_owned(),
        revisions: if of_result.is_empty() { revisions(state, "/operation/sync") } else { of_result },
        initiated_by: initiator(state.pointer("/operation/initiatedBy")),
        started_at: perhaps(state, "/startedAt"),
        finished_at: perhaps(state, "/finishedAt"),
        retries: state["retryCount"].as_u64().unwrap_or_default(),
    }
}

/// The deliveries of an Application, newest last.
pub(super) fn history(application: &Object) -> Vec<HistoryEntry> {
    let entries = application.list_at("/status/history");
    let last = entries.last().and_then(|entry| entry["id"].as_i64());
    let read = |entry: &Value| {
        let id = entry["id"].as_i64()?;
        Some(HistoryEntry {
            id,
            revisions: revisions(entry, ""),
            deployed_at: text(entry, "/deployedAt"),
            initiated_by: initiator(entry.get("initiatedBy")),
            sources: sources(entry, "").into_iter().map(SourceLine::of).collect(),
            current: Some(id) == last,
        })
    };
    entries.iter().filter_map(read).collect()
}

/// Whether two sources are one but for the revision that they follow.
pub(super) fn same_but_revision(a: &Value, b: &Value) -> bool {
    let without = |source: &Value| {
        let mut source = source.clone();
        if let Some(map) = source.as_object_mut() {
            map.remove("targetRevision");
            map.retain(|_, value| !value.is_null());
        }
        source
    };
    without(a) == without(b)
}

/// Whether a source is a packed chart: its revision is a version.
pub(super) fn is_chart(source: &Source) -> bool {
    !source.chart.is_empty() || source.repo_url.starts_with("oci://")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn application() -> Object {
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd", "annotations": {
                "landfall.dev/pin": "{\"revisions\": [\"abc\"], \"by\": \"anna\", \"at\": \"then\"}"}},
            "spec": {
                "project": "shops", "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
                "source": {"repoURL": "https://me:hunter2@git.example.com/shop.git", "path": "chart",
                    "targetRevision": "main", "helm": {"valueFiles": ["values.prod.yaml"],
                        "parameters": [{"name": "password", "value": "hunter2"}], "values": "password: hunter2"}},
                "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
            },
            "status": {
                "sync": {"status": "Synced", "revision": "abc"}, "health": {"status": "Healthy"},
                "resources": [{"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop",
                    "name": "web", "status": "Synced", "health": {"status": "Healthy"}}],
                "operationState": {"phase": "Succeeded", "operation": {"initiatedBy": {"username": "anna"}},
                    "syncResult": {"revision": "abc"}},
                "history": [
                    {"id": 0, "revision": "old", "deployedAt": "t0", "initiatedBy": {"automated": true}},
                    {"id": 1, "revision": "abc", "deployedAt": "t1", "initiatedBy": {"username": "anna"}},
                ],
            },
        }))
        .expect("a map")
    }

    #[test]
    fn what_is_told_of_an_application_holds_no_value_and_no_password() {
        let detail = Detail::of(&application());
        let told = serde_json::to_string(&detail).expect("written");
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(detail.line.repository, "git.example.com/shop");
        assert_eq!(detail.sources[0].value_files, ["values.prod.yaml"]);
        assert_eq!(detail.line.pinned, ["abc"]);
        assert_eq!(detail.automation, ["prune", "self-heal"]);
        assert_eq!(
            detail.last_operation.map(|it| (it.initiated_by, it.revisions)),
            Some(("anna".into(), vec!["abc".into()]))
        );
        assert!(!detail.under_way && detail.line.operation.is_none());
    }

    #[test]
    fn an_operation_is_under_way_from_the_wish_to_its_end() {
        let mut object = application();
        object.map_mut().insert("operation".to_owned(), json!({"sync": {}}));
        assert_eq!(Line::of(&object).operation.as_deref(), Some("Requested"));
        *object.at_mut("/status/operationState/phase").expect("there") = json!("Running");
        assert_eq!(Line::of(&object).operation.as_deref(), Some("Running"));
        object.map_mut().remove("operation");
        assert!(under_way(&object));
    }

    #[test]
    fn the_last_delivery_is_the_present_one() {
        let told: Vec<_> = history(&application()).into_iter().map(|it| (it.id, it.initiated_by, it.current)).collect();
        assert_eq!(told, [(0, "automation".to_owned(), false), (1, "anna".to_owned(), true)]);
    }

    #[test]
    fn sources_are_compared_without_the_revision_they_follow() {
        let source = |revision: &str, path: &str| json!({"repoURL": "x", "targetRevision": revision, "path": path});
        assert!(same_but_revision(&source("main", "a"), &source("v1", "a")));
        assert!(!same_but_revision(&source("main", "a"), &source("main", "b")));
    }
}
