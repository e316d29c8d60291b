use std::collections::BTreeSet;

use landfall_engine::{Desired, Live, Task, WaitFor, once_keys};
use landfall_object::{Gvk, ObjectKey};

use crate::course::Verb;
use crate::options::OwnershipCheck;
use crate::ownership::{self, is_kept};
use crate::{Error, Record};

/// Settles what depends on the live objects: whose they are, marks of the release, and what is kept.
pub(crate) fn settle(
    desired: &mut Desired,
    live: &Live,
    record: &Record,
    ownership: OwnershipCheck,
    verb: Verb,
) -> Result<(), Error> {
    let mut kept = Vec::new();
    let unsealed = unsealed(desired, live);
    for item in desired.phases.iter_mut().flat_map(|phase| &mut phase.items) {
        match &mut item.task {
            Task::Apply { object, previous, .. } => {
                if object.name().is_empty() {
                    let namespace = object.namespace().unwrap_or_default().to_owned();
                    return Err(Error::Nameless { verb: verb.continued(), kind: object.kind().to_owned(), namespace });
                }
                if let Some(current) = live.get(&object.key())
                    && previous.is_none()
                    && !ownership::is_taken(current, ownership, &record.namespace)
                    && !unsealed.contains(&object.key())
                {
                    ownership::check(current, verb.continued(), &record.name, &record.namespace)?;
                }
                ownership::mark(object, &record.name, &record.namespace);
            }
            Task::Delete { key, .. } => {
                let Some(current) = live.get(key) else { continue };
                let why = if is_kept(current) {
                    "kept due to the resource policy".to_owned()
                } else if matches!(verb, Verb::Uninstall | Verb::Rollback) && !once_keys(current).is_empty() {
                    // A way back that could not be taken would leave an operation undone by half.
                    format!("kept: {} generated once", once_keys(current).join(", "))
                } else {
                    continue;
                };
                kept.push(key.clone());
                item.task = Task::Keep { key: key.clone() };
                item.why = why;
            }
            _ => {}
        }
    }
    // What is kept will not go: it is not waited for.
    for item in desired.phases.iter_mut().flat_map(|phase| &mut phase.items) {
        if let Task::Wait { keys, wait: WaitFor::Deletion, .. } = &mut item.task {
            keys.retain(|key| !kept.contains(key));
        }
    }
    for phase in &mut desired.phases {
        phase.items.retain(|item| !matches!(&item.task, Task::Wait { keys, .. } if keys.is_empty()));
    }
    Ok(())
}

/// The Secrets that live as what SealedSecrets of this release have made, which go: the release has had them all along, and has them
/// again by themselves.
fn unsealed(desired: &Desired, live: &Live) -> BTreeSet<ObjectKey> {
    let tasks = desired.phases.iter().flat_map(|phase| &phase.items).map(|item| &item.task);
    let gone = tasks.filter_map(|task| match task {
        Task::Delete { key, .. } if key.gvk.group == "bitnami.com" && key.gvk.kind == "SealedSecret" => live.get(key),
        _ => None,
    });
    let made = gone.filter(|sealed| !is_kept(sealed)).filter_map(|sealed| {
        let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), sealed.namespace(), sealed.name());
        let owners = live.get(&key)?.list_at("/metadata/ownerReferences");
        owners.iter().any(|owner| owner["uid"].as_str() == sealed.uid()).then_some(key)
    });
    made.collect()
}
