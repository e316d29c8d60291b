//! A Secret that becomes a SealedSecret of the same name is handed over, not deleted: it keeps its uid and its pods keep running.
//!
//! A controller takes no Secret over that it has not made, unless the Secret says that it may. Deleting the Secret first would be a
//! moment without one, and deleting it afterwards would take away what the controller had just been refused to write.

use std::collections::BTreeSet;

use landfall_cluster::Propagation;
use landfall_object::{Object, ObjectKey, once_keys};
use serde_json::json;

use crate::desired::{Desired, Item, Method, Task, WaitFor};
use crate::planning::Live;

/// On a Secret: a SealedSecret of its name may take it over whole (sealed-secrets: `SealedSecretManagedAnnotation`).
const MANAGED: &str = "sealedsecrets.bitnami.com/managed";

/// The wish with such Secrets handed over, and with those that become plain ones again kept; nothing where there is none.
///
/// A Secret with keys that are generated once is not handed over: what is sealed may be another value.
pub(crate) fn handed_over(desired: &Desired, live: &Live) -> Option<Desired> {
    let back = handed_back(desired);
    let desired = back.as_ref().unwrap_or(desired);
    let items = || desired.phases.iter().flat_map(|phase| &phase.items);
    let sealed: BTreeSet<(Option<&str>, &str)> =
        items().filter_map(sealed_secret).map(|(object, _)| (object.namespace(), object.name())).collect();
    if sealed.is_empty() {
        return back;
    }
    let given: BTreeSet<ObjectKey> = items()
        .filter_map(|item| match &item.task {
            Task::Delete { key, .. } | Task::Keep { key } => Some(key),
            _ => None,
        })
        .filter(|key| key.gvk.group.is_empty() && key.gvk.kind == "Secret")
        .filter(|key| sealed.contains(&place_of(key)))
        .filter(|key| live.get(key).is_some_and(|secret| once_keys(secret).is_empty()))
        .cloned()
        .collect();
    if given.is_empty() {
        return back;
    }
    let mut changed = desired.clone();
    for phase in &mut changed.phases {
        phase
            .items
            .retain(|item| !matches!(&item.task, Task::Delete { key, .. } | Task::Keep { key } if given.contains(key)));
        let before = std::mem::take(&mut phase.items);
        for item in before {
            let for_it = sealed_secret(&item).and_then(|(object, method)| {
                let is_its = |key: &&ObjectKey| place_of(key) == (object.namespace(), object.name());
                given.iter().find(is_its).and_then(|key| handing(key, item.wave, method))
            });
            phase.items.extend(for_it);
            phase.items.push(item);
        }
    }
    Some(changed)
}

/// The wish with SealedSecrets that go without their Secrets, and before these are written, where those are wanted by themselves:
/// the way back.
fn handed_back(desired: &Desired) -> Option<Desired> {
    let items = || desired.phases.iter().flat_map(|phase| &phase.items);
    let plain: BTreeSet<(Option<&str>, &str)> = items()
        .filter_map(|item| match &item.task {
            Task::Apply { object, .. } if object.group().is_empty() && object.kind() == "Secret" => Some(object),
            _ => None,
        })
        .map(|object| (object.namespace(), object.name()))
        .collect();
    let is_back = |task: &Task| match task {
        Task::Delete { key, .. } if key.gvk.group == "bitnami.com" && key.gvk.kind == "SealedSecret" => {
            plain.contains(&place_of(key))
        }
        _ => false,
    };
    let going: Vec<Item> = items().filter(|item| is_back(&item.task)).cloned().collect();
    if going.is_empty() {
        return None;
    }
    let mut changed = desired.clone();
    for phase in &mut changed.phases {
        let before = std::mem::take(&mut phase.items);
        for item in before.into_iter().filter(|item| !is_back(&item.task)) {
            let its = match &item.task {
                Task::Apply { object, .. } if object.group().is_empty() && object.kind() == "Secret" => {
                    let place = (object.namespace(), object.name());
                    going.iter().find(|going| deleted(going).is_some_and(|key| place_of(key) == place))
                }
                _ => None,
            };
            phase.items.extend(its.into_iter().flat_map(|going| letting_go(going, item.wave, desired.timeout)));
            phase.items.push(item);
        }
    }
    Some(changed)
}

fn deleted(item: &Item) -> Option<&ObjectKey> {
    match &item.task {
        Task::Delete { key, .. } => Some(key),
        _ => None,
    }
}

fn place_of(key: &ObjectKey) -> (Option<&str>, &str) {
    (key.namespace.as_deref(), key.name.as_str())
}

/// The SealedSecret goes and leaves its Secret behind, and is waited for: as long as it is there its controller would put back
/// what the Secret is given now.
fn letting_go(going: &Item, wave: i32, timeout: u64) -> Vec<Item> {
    let Some(key) = deleted(going) else { return Vec::new() };
    let task = |task: Task| Item { wave, task, why: going.why.clone() };
    vec![
        task(Task::Delete { key: key.clone(), propagation: Propagation::Orphan }),
        task(Task::Wait { keys: vec![key.clone()], wait: WaitFor::Deletion, timeout }),
    ]
}

fn sealed_secret(item: &Item) -> Option<(&Object, &Method)> {
    let Task::Apply { object, method, .. } = &item.task else { return None };
    (object.group() == "bitnami.com" && object.kind() == "SealedSecret").then_some((object, method))
}

/// The Secret lets itself be taken over; nothing else of it changes.
fn handing(key: &ObjectKey, wave: i32, method: &Method) -> Option<Item> {
    let mut previous = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": key.name}});
    if let Some(namespace) = &key.namespace {
        previous["metadata"]["namespace"] = namespace.as_str().into();
    }
    let mut object = previous.clone();
    object["metadata"]["annotations"] = json!({MANAGED: "true"});
    let method = Method::ThreeWay { manager: method.manager().to_owned() };
    let (object, previous) = (Object::from_value(object).ok()?, Object::from_value(previous).ok());
    let why = format!("handed over to the SealedSecret {}", key.name);
    Some(Item { wave, task: Task::Apply { object, previous, method }, why })
}
