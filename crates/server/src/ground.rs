//! What is put on a cluster before anything is kept in sync there: kinds, namespaces, and the targets that were named.

use std::collections::BTreeSet;
use std::time::Duration;

use landfall_apps::SECRET_TYPE;
use landfall_cluster::{Cluster, Patch, WriteOptions};
use landfall_delivery::Offers as _;
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::{Failure, Operators};
use landfall_object::{Gvk, Object, ObjectKey, SIMULATED, once_keys};
use serde_json::json;

use crate::errands::Work;

/// The field manager of what this server puts on a cluster.
pub(crate) const MANAGER: &str = "landfall-server";

/// The kind of Applications.
pub(crate) fn application_kind() -> Gvk {
    Gvk::new("argoproj.io", "v1alpha1", "Application")
}

/// How often it is looked whether a kind is served that was just defined, and how long lies between.
const LOOKS: u32 = 100;
const LOOK: Duration = Duration::from_millis(50);

/// Puts it there.
pub(crate) async fn prepare(cluster: &Cluster, objects: &[Object]) -> Result<(), Failure> {
    let failed = |error: landfall_cluster::Error| Failure::from(error.diagnose());
    define(cluster).await?;
    let namespaces: BTreeSet<&str> = objects.iter().filter_map(Object::namespace).collect();
    for name in namespaces {
        let key = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, name);
        match cluster.create(&Object::new(&key), &WriteOptions::default()).await {
            Ok(_) => {}
            Err(error) if error.is_already_exists() => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let options = WriteOptions { field_manager: Some(MANAGER.to_owned()), ..WriteOptions::default() };
    for object in objects {
        let mut wanted = object.clone();
        // What a controller writes is no part of what is wanted.
        wanted.map_mut().remove("status");
        wanted.map_mut().remove("operation");
        if wanted.kind() == "Secret"
            && let Some(live) = cluster.get(&wanted.key()).await.map_err(failed)?
        {
            replaceable(&live)?;
            let version = live.resource_version().map(str::to_owned);
            wanted.metadata_mut().insert("resourceVersion".to_owned(), json!(version));
        }
        let patch = Patch::ForceApply(wanted.value().clone());
        cluster.patch(&wanted.key(), &patch, &options).await.map_err(failed)?;
    }
    Ok(())
}

/// Fails where a Secret that is there is no credential, or has a value that is made once: that of a target does not take its place.
fn replaceable(live: &Object) -> Result<(), Failure> {
    let name = live.name();
    let why = match (live.label(SECRET_TYPE), once_keys(live).as_slice()) {
        (None, _) => format!("Secret {name} is there and says nothing of repositories or clusters ({SECRET_TYPE})"),
        (Some(_), []) => return Ok(()),
        (Some(_), keys) => format!("Secret {name} is there and holds {}, generated once", keys.join(", ")),
    };
    Err(Failure::from(
        Diagnostic::refused(code::CREDENTIALS_TAKEN, why)
            .note("it was left as it is")
            .help("call the one beside your Applications otherwise"),
    ))
}

/// Accepts how the targets are declared that somebody has just put there: whoever starts the server owns it.
pub(crate) async fn accept(work: &Work, objects: &[Object], person: &str) -> Result<(), Failure> {
    let is_ours = |object: &&Object| object.gvk() == application_kind() || object.gvk() == crate::sets::set_kind();
    for object in objects.iter().filter(is_ours) {
        let live = work.session.cluster.get(&object.key()).await.map_err(|error| Failure::from(error.diagnose()))?;
        // What somebody else has written into it meanwhile is not what was put there.
        let Some(live) = live.filter(|live| live.spec() == object.spec()) else { continue };
        work.orders.accept(&live, person).await?;
    }
    Ok(())
}

/// Defines Argo CD's kinds where the cluster does not know them, and defines them anew where an earlier version has.
async fn define(cluster: &Cluster) -> Result<(), Failure> {
    let failed = |error: landfall_cluster::Error| Failure::from(error.diagnose());
    let kind = application_kind();
    let (_, mut definitions) = Operators.definitions(&kind).unwrap_or_default();
    // They are real here: this server acts on them.
    definitions.iter_mut().for_each(|definition| drop(definition.remove_annotation(SIMULATED)));
    if cluster.resource(&kind).await.is_ok() {
        renew(cluster, &definitions).await;
        return Ok(());
    }
    for definition in &definitions {
        cluster.apply(definition, MANAGER).await.map_err(failed)?;
    }
    for _ in 0..LOOKS {
        cluster.forget_discovery();
        if cluster.resource(&kind).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    cluster.resource(&kind).await.map(drop).map_err(failed)
}

/// Brings definitions up to date that this server has put there, in an earlier version perhaps; those of others, Argo CD's own
/// among them, and what somebody has changed in ours, stay as they are.
async fn renew(cluster: &Cluster, definitions: &[Object]) {
    for definition in definitions {
        let renewed = match cluster.get(&definition.key()).await {
            Ok(Some(live)) if is_ours(&live) => cluster.apply(definition, MANAGER).await.map(drop),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        // It serves as it is: nothing waits for that.
        if let Err(error) = renewed {
            tracing::info!("{} stays as it is: {error}", definition.key());
        }
    }
}

fn is_ours(live: &Object) -> bool {
    let mut writers = live.list_at("/metadata/managedFields").iter();
    writers.any(|writer| writer["manager"] == MANAGER && writer["operation"] == "Apply")
}
