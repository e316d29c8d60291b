//! What an Application's objects have made: their events, their containers' logs.

use std::collections::{BTreeMap, BTreeSet};

use landfall_cluster::{Cluster, EventLine, ListOptions, LogOptions};
use landfall_diag::{Diagnostic, code};
use landfall_object::{Gvk, Object};

use super::desk::{Answer, Desk, one, told};
use super::reading::history;
use super::shapes::{Detail, EventEntry, LogEntry, LogQuery, Name, ObjectLine};
use crate::actor::Actor;

/// Events that are told at most, the newest.
const MOST_EVENTS: usize = 500;
/// Lines of each container where nobody says how many, and at most.
const LINES: u32 = 200;
const MOST_LINES: u32 = 10_000;
/// Containers whose logs are told at once.
const MOST_CONTAINERS: usize = 50;

/// Kinds by which objects make others, in the order in which they do.
const MADE: [(&str, &str, &str); 4] =
    [("apps", "v1", "ReplicaSet"), ("apps", "v1", "StatefulSet"), ("batch", "v1", "Job"), ("", "v1", "Pod")];

/// The objects of an Application in a namespace, and what they have made, each with the object that it comes from.
#[derive(Default)]
pub(super) struct Family {
    /// By kind and name: the object of the Application.
    members: BTreeMap<(String, String), ObjectLine>,
    /// The pods, with the object of the Application that each comes from.
    pub(super) pods: Vec<(Object, ObjectLine)>,
}

impl Desk {
    /// What belongs to some objects of a namespace.
    pub(super) async fn family(&self, cluster: &Cluster, namespace: &str, objects: &[ObjectLine]) -> Answer<Family> {
        let key = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
        let mut family = Family::default();
        let here = objects.iter().filter(|it| it.namespace.as_deref() == Some(namespace));
        family.members.extend(here.map(|it| (key(&it.kind, &it.name), it.clone())));
        for (group, version, kind) in MADE {
            let options = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
            let listed = cluster.list(&Gvk::new(group, version, kind), &options).await;
            for object in listed.map_err(|error| told(&error))? {
                let of_owner = object.controller().and_then(|it| family.members.get(&key(&it.kind, &it.name)).cloned());
                let of_own = family.members.get(&key(kind, object.name())).cloned();
                let Some(of) = of_owner.or(of_own) else { continue };
                family.members.insert(key(kind, object.name()), of.clone());
                if kind == "Pod" {
                    family.pods.push((object, of));
                }
            }
        }
        Ok(family)
    }

    pub(super) async fn events(&self, actor: &Actor, name: &Name) -> Answer<Vec<EventEntry>> {
        let object = self.object(actor, name).await?;
        let cluster = self.destination_of(&object)?;
        let detail = Detail::of(&object);
        let objects: Vec<ObjectLine> = detail.resources.into_iter().map(|it| it.object).collect();
        let mut found = Vec::new();
        for namespace in namespaces(&objects) {
            let family = self.family(&cluster, namespace, &objects).await?;
            for event in events_in(&cluster, namespace).await? {
                let text = |pointer: &str| event.str_at(pointer).unwrap_or_default().to_owned();
                let (kind, name) = (text("/involvedObject/kind"), text("/involvedObject/name"));
                if !family.members.contains_key(&(kind.clone(), name.clone())) {
                    continue;
                }
                let api_version = text("/involvedObject/apiVersion");
                let group = api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
                let EventLine { at, kind: weight, reason, message, count } = EventLine::of(&event);
                let object = ObjectLine { group, kind, namespace: Some(namespace.to_owned()), name };
                found.push(EventEntry { at, kind: weight, reason, object, message, count });
            }
        }
        found.extend(self.own_events(&object, name).await?);
        found.extend(deliveries(&object, name));
        found.sort_by(|a, b| a.at.cmp(&b.at));
        let surplus = found.len().saturating_sub(MOST_EVENTS);
        found.drain(..surplus);
        Ok(found)
    }

    /// What was told of an Application itself.
    async fn own_events(&self, application: &Object, name: &Name) -> Answer<Vec<EventEntry>> {
        let events = events_in(self.home(), &name.namespace).await?;
        let is_its = |event: &&Object| {
            let is = |pointer: &str, text: &str| event.str_at(pointer) == Some(text);
            is("/involvedObject/kind", application.kind()) && is("/involvedObject/name", application.name())
        };
        let entry = |event: &Object| {
            let EventLine { at, kind, reason, message, count } = EventLine::of(event);
            EventEntry { at, kind, reason, object: itself(name), message, count }
        };
        Ok(events.iter().filter(is_its).map(entry).collect())
    }

    pub(super) async fn logs(&self, actor: &Actor, name: &Name, query: &LogQuery) -> Answer<Vec<LogEntry>> {
        let object = self.object(actor, name).await?;
        let cluster = self.destination_of(&object)?;
        let objects: Vec<ObjectLine> = match query.hook.as_deref() {
            Some(CHECKS) => return self.said_by_checks(&object, name).await,
            // A hook is none of its objects.
            Some(hook) => hook_called(&object, hook),
            None => Detail::of(&object).resources.into_iter().map(|it| it.object).collect(),
        };
        let tail = query.tail.unwrap_or(LINES).min(MOST_LINES);
        let (mut lines, mut read, mut known) = (Vec::new(), 0, BTreeSet::new());
        for namespace in namespaces(&objects) {
            for (pod, of) in self.family(&cluster, namespace, &objects).await?.pods {
                known.insert(of.to_string().to_lowercase());
                if !query.object.as_deref().is_none_or(|wanted| is_meant(wanted, &pod, &of)) {
                    continue;
                }
                for container in pod.list_at("/spec/containers") {
                    let container = container["name"].as_str().unwrap_or_default();
                    if query.container.as_deref().is_some_and(|wanted| wanted != container) || read == MOST_CONTAINERS {
                        continue;
                    }
                    read += 1;
                    let options = LogOptions {
                        container: Some(container.to_owned()),
                        previous: query.previous,
                        tail_lines: Some(tail),
                        since_seconds: None,
                        timestamps: query.timestamps,
                    };
                    let text = cluster.logs(namespace, pod.name(), &options).await;
                    let text = text.map_err(|error| told(&error))?;
                    lines.extend(text.lines().map(|line| LogEntry {
                        pod: pod.name().to_owned(),
                        container: container.to_owned(),
                        line: line.to_owned(),
                    }));
                }
            }
        }
        if read == 0 {
            let what = query.object.as_deref().map(|it| format!(" called `{it}`")).unwrap_or_default();
            let of = query.hook.as_deref().map(|it| format!(" of a hook `{it}`")).unwrap_or_default();
            let diagnostic =
                Diagnostic::error(code::NOTHING_CALLED_SO, format!("{name} has no container{what}{of} with a log"));
            return Err(one(diagnostic.listing("there are", &known).help(format!("landfall app get {name}"))));
        }
        Ok(lines)
    }

    /// What the checks after the last delivery found, as lines; with what was found before, where they have not ended.
    async fn said_by_checks(&self, application: &Object, name: &Name) -> Answer<Vec<LogEntry>> {
        let open = self.work.open_checks(application).await;
        let open = open.map(|it| format!("the checks after delivery {} ({}) have not ended", it.id, it.at));
        let Some(checks) = self.checks(name).await else {
            let (what, help) = match open {
                Some(what) => {
                    (format!("{name}: {what}"), format!("they begin when it has started: landfall app get {name}"))
                }
                None => (
                    format!("no checks of {name} were made here"),
                    "declare `checks:` in the environment of landfall.yaml".to_owned(),
                ),
            };
            return Err(one(Diagnostic::error(code::NOTHING_CALLED_SO, what).help(help)));
        };
        let entry = |container: &str, line: String| LogEntry {
            pod: CHECKS.to_owned(),
            container: container.to_owned(),
            line: format!("{} {line}", checks.at),
        };
        let mut lines: Vec<LogEntry> = open.into_iter().map(|what| entry("-", format!("{what}; before:"))).collect();
        lines.extend(checks.results.iter().map(|it| {
            let why = it.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            entry(&it.name, format!("{} {}{why}", it.verdict, it.address))
        }));
        lines.extend(checks.error.iter().map(|why| entry("-", format!("the checks cannot be made: {why}"))));
        lines.extend(checks.followed.iter().map(|what| entry("-", what.clone())));
        Ok(lines)
    }
}

/// The name by which the declared checks are asked for, as a hook is.
const CHECKS: &str = "checks";

/// The Job or Pod of that name in the namespace that an Application delivers to.
fn hook_called(application: &Object, name: &str) -> Vec<ObjectLine> {
    let namespace = application.str_at("/spec/destination/namespace").map(str::to_owned);
    let of = |group: &str, kind: &str| ObjectLine {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.clone(),
        name: name.to_owned(),
    };
    vec![of("batch", "Job"), of("", "Pod")]
}

/// The namespaces of objects.
pub(super) fn namespaces(objects: &[ObjectLine]) -> BTreeSet<&str> {
    objects.iter().filter_map(|it| it.namespace.as_deref()).collect()
}

/// Whether a word, `web` or `deployment/web`, means a pod or what it comes from.
fn is_meant(wanted: &str, pod: &Object, of: &ObjectLine) -> bool {
    match wanted.split_once('/') {
        Some((kind, name)) => {
            let is = |known: &str, other: &str| known.eq_ignore_ascii_case(kind) && other == name;
            is(&of.kind, &of.name) || is("Pod", pod.name())
        }
        None => of.name == wanted || pod.name() == wanted,
    }
}

/// The events of a namespace.
async fn events_in(cluster: &Cluster, namespace: &str) -> Answer<Vec<Object>> {
    let options = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
    cluster.list(&Gvk::new("", "v1", "Event"), &options).await.map_err(|error| told(&error))
}

/// An Application as one of its own objects.
fn itself(name: &Name) -> ObjectLine {
    ObjectLine {
        group: "argoproj.io".to_owned(),
        kind: "Application".to_owned(),
        namespace: Some(name.namespace.clone()),
        name: name.name.clone(),
    }
}

/// What was delivered, as events beside those of its objects.
fn deliveries(application: &Object, name: &Name) -> Vec<EventEntry> {
    let object = || itself(name);
    let delivered = history(application).into_iter().map(|entry| EventEntry {
        at: entry.deployed_at,
        kind: "Normal".to_owned(),
        reason: "Delivered".to_owned(),
        object: object(),
        message: format!("{} as delivery {}{}", entry.revisions.join(", "), entry.id, by(&entry.initiated_by)),
        count: 1,
    });
    let failed = Detail::of(application).last_operation.filter(|it| matches!(it.phase.as_str(), "Failed" | "Error"));
    let failed = failed.map(|operation| EventEntry {
        at: operation.finished_at.unwrap_or_default(),
        kind: "Warning".to_owned(),
        reason: "SyncFailed".to_owned(),
        object: object(),
        message: operation.message,
        count: 1,
    });
    delivered.chain(failed).collect()
}

fn by(initiator: &str) -> String {
    if initiator.is_empty() { String::new() } else { format!(", asked for by {initiator}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_a_workload_its_pods_or_both() {
        let pod = Object::new(&landfall_object::ObjectKey::new(Gvk::new("", "v1", "Pod"), Some("shop"), "web-1"));
        let of = ObjectLine { kind: "Deployment".to_owned(), name: "web".to_owned(), ..ObjectLine::default() };
        for (wanted, expected) in [
            ("web", true),
            ("deployment/web", true),
            ("pod/web-1", true),
            ("web-1", true),
            ("job/web", false),
            ("we", false),
        ] {
            assert_eq!(is_meant(wanted, &pod, &of), expected, "{wanted}");
        }
    }
}
