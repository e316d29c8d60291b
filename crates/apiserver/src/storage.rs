//! Keeping the world on disk: what was written since is batched into one transaction after another.
//!
//! The writer follows the ring of events, so a burst of writes becomes one transaction; whoever wants to know that
//! a write is safe waits for [`crate::plane::Plane::persisted`].

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use landfall_store::{ClusterBatch, ClusterEventRow, ClusterObjectRow, ClusterState, Location, Pool, Purpose};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::error::Error;
use crate::plane::{Durable, Plane};
use crate::unwritable::Unwritable;
use crate::world::{Change, Event, ObjectRef, Past, Stored, World};

/// Events on disk: how far a watch may lie behind a restart.
const EVENTS_KEPT: u64 = 500;

/// An event as it is kept, and as [`event_body`] writes it. The object before is only kept where the event needs it.
#[derive(Deserialize)]
struct EventRow {
    change: String,
    resource: String,
    namespace: String,
    name: String,
    object: Value,
    #[serde(default)]
    previous: Option<Value>,
}

/// Opens the file, creating it when there is none.
pub(crate) async fn open(path: &Path) -> Result<ClusterState, Error> {
    let pool = Pool::open_for(Location::File(path.to_owned()), Purpose::Cluster).await;
    pool.map(|pool| ClusterState::over(&pool)).map_err(|source| Error::Store { doing: "opened", source })
}

/// Loads what is kept into an empty world; gives the settings kept beside it.
pub(crate) async fn load(
    store: &ClusterState,
    world: &mut World,
) -> Result<std::collections::BTreeMap<String, String>, Error> {
    let state = store.read().await.map_err(|source| Error::Store { doing: "read", source })?;
    // Definitions first: they say which resources there are.
    let (definitions, others): (Vec<_>, Vec<_>) =
        state.objects.into_iter().partition(|row| row.key.starts_with("customresourcedefinitions."));
    for row in definitions.into_iter().chain(others) {
        let object: Value =
            landfall_object::read_json(&row.body).map_err(|source| Error::Damaged { key: row.key.clone(), source })?;
        let resource = row.key.split('/').next().unwrap_or_default();
        let reference = ObjectRef {
            resource: Arc::from(resource),
            namespace: object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned(),
            name: object["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        };
        world.load(&reference, Arc::new(Stored::new(object, row.revision)));
    }
    let version = state.meta.get("version").and_then(|text| text.parse().ok()).unwrap_or(1);
    let past = state.events.into_iter().map(|row| (row.revision, row.body)).collect();
    world.resume(version, Past::new(past, read_event));
    Ok(state.meta)
}

/// An event from the text that [`event_body`] wrote.
fn read_event(version: u64, text: &[u8]) -> Option<Event> {
    let EventRow { change, resource, namespace, name, object, previous } = serde_json::from_slice(text).ok()?;
    let version_of = |object: &Value| object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok());
    Some(Event {
        version,
        change: match change.as_str() {
            "ADDED" => Change::Added,
            "DELETED" => Change::Deleted,
            _ => Change::Modified,
        },
        object_ref: ObjectRef { resource: Arc::from(resource), namespace, name },
        previous: previous.map(|object| {
            let version = version_of(&object).unwrap_or(version);
            Arc::new(Stored::new(object, version))
        }),
        object: Arc::new(Stored::new(object, version)),
    })
}

/// Keeps settings such as keys.
pub(crate) async fn save_meta(store: &ClusterState, meta: Vec<(String, String)>) -> Result<(), Error> {
    store
        .write(&ClusterBatch { meta, ..ClusterBatch::default() })
        .await
        .map_err(|source| Error::Store { doing: "written", source })
}

/// How often it is looked whether a full disk has room again.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(200);

/// Writes what has happened after `from`, for as long as the plane lives; `durable` shows how far it has come.
///
/// While the disk is full nothing is lost and nobody is told that a write is safe: it is tried again, and until then
/// `durable` says why. Any other failure of the store ends it, with that word as its last.
pub(crate) async fn write_behind(plane: Arc<Plane>, store: ClusterState, from: u64, durable: watch::Sender<Durable>) {
    let mut changed = plane.world.lock().subscribe();
    let mut done = from;
    loop {
        let batch = {
            let world = plane.world.lock();
            let version = world.version();
            if version == done { None } else { Some((version, collect(&world, done))) }
        };
        if let Some((version, batch)) = batch {
            let why = match batch {
                Err(words) => Unwritable::Otherwise(Arc::from(words)),
                Ok(batch) => match store.write(&serialise(batch, version)).await {
                    Ok(()) => {
                        done = version;
                        durable.send_replace(Durable { written: version, failing: None });
                        continue;
                    }
                    Err(error) => Unwritable::of(&error),
                },
            };
            tracing::error!("the embedded cluster's state cannot be written: {why}");
            let passes = matches!(why, Unwritable::Full { .. });
            durable.send_modify(|now| now.failing = Some(why));
            if !passes {
                return;
            }
            tokio::time::sleep(LOOK_FOR_ROOM).await;
            continue;
        }
        if changed.changed().await.is_err() {
            return;
        }
    }
}

fn collect(world: &World, from: u64) -> Result<Vec<Arc<Event>>, String> {
    world.events_since(from).map(|events| events.cloned().collect()).map_err(|status| status.message)
}

/// Serialising happens outside the world's lock.
fn serialise(events: Vec<Arc<Event>>, version: u64) -> ClusterBatch {
    let mut batch = ClusterBatch {
        meta: vec![("version".to_owned(), version.to_string())],
        forget_events_to: version.checked_sub(EVENTS_KEPT).filter(|_| version.is_multiple_of(64) || events.len() > 64),
        ..ClusterBatch::default()
    };
    let mut last: HashMap<&ObjectRef, &Arc<Event>> = HashMap::new();
    for event in &events {
        last.insert(&event.object_ref, event);
        batch.events.push(ClusterEventRow { revision: event.version, body: event_body(event) });
    }
    for (reference, event) in last {
        let key = format!("{}/{}", reference.resource, crate::world::key(&reference.namespace, &reference.name));
        if event.change == Change::Deleted {
            batch.delete.push(key);
        } else {
            let mut body = Vec::new();
            write_object(&event.object, &mut body);
            batch.put.push(ClusterObjectRow { key, revision: event.version, body });
        }
    }
    batch
}

/// An object's text, of which the greater part was written when it was answered.
fn write_object(object: &Stored, out: &mut Vec<u8>) {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    object.write_json(version, out);
}

/// The text that [`EventRow`] reads.
fn event_body(event: &Event) -> Vec<u8> {
    let reference = &event.object_ref;
    let mut out = Vec::with_capacity(256 + 2 * event.object.rest().len());
    let names = [
        ("{\"change\":", event.change.as_str()),
        (",\"resource\":", &*reference.resource),
        (",\"namespace\":", reference.namespace.as_str()),
        (",\"name\":", reference.name.as_str()),
    ];
    for (key, text) in names {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(Value::from(text).to_string().as_bytes());
    }
    out.extend_from_slice(b",\"object\":");
    write_object(&event.object, &mut out);
    if let Some(previous) = &event.previous {
        out.extend_from_slice(b",\"previous\":");
        write_object(previous, &mut out);
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_back_as_it_was() {
        let stored = |data: &str| {
            let object =
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a \"b\""}, "data": {"k": data}});
            Arc::new(Stored::new(object, 7))
        };
        let reference = ObjectRef { resource: "configmaps".into(), namespace: "n".into(), name: "a \"b\"".into() };
        let (object, previous) = (stored("new"), stored("old"));
        let event = Event {
            version: 7,
            change: Change::Modified,
            object_ref: reference,
            object: object.clone(),
            previous: Some(previous.clone()),
        };
        let read = read_event(7, &event_body(&event)).expect("is an event");
        assert_eq!((read.version, read.change, &read.object_ref), (7, Change::Modified, &event.object_ref));
        assert_eq!(read.object.value(), object.value());
        assert_eq!(read.previous.as_deref().map(Stored::value), Some(previous.value()));
    }
}
