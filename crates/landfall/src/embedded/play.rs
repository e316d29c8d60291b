//! What containers are declared to do, put where the embedded cluster looks for it: a ConfigMap of its own.

use landfall_cluster::{Cluster, WriteOptions};
use landfall_diag::{Diagnostic, code};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_project::Environment;
use serde_json::{Value, json};

use crate::failure::{Failure, failed};

/// Namespace and name of the ConfigMap.
pub(crate) const PLAY: (&str, &str) = (NAMESPACE, NAME);
const NAMESPACE: &str = "kube-system";
const NAME: &str = "landfall-play";
/// Where a play says since when it is on.
const SINCE: &str = "since";

/// The play that an environment declares, with faults; what cannot be read is said at once.
pub(crate) fn declared_play(environment: Option<&Environment>, faults: &[String]) -> Result<Value, Failure> {
    landfall_rehearse::declared_play(environment, faults).map_err(|error| {
        Failure::usage(
            Diagnostic::error(code::UNREADABLE_PLAY, "what containers are declared to do cannot be read")
                .note(error.to_string()),
        )
    })
}

/// Puts a play on, when it is not on already.
pub(crate) async fn publish(cluster: &Cluster, play: &Value) -> Result<(), Failure> {
    let key = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(NAMESPACE), NAME);
    let live = cluster.get(&key).await.map_err(|error| failed(&error))?;
    let on = live.as_ref().and_then(|live| serde_json::from_str::<Value>(live.str_at("/data/play")?).ok());
    if let Some(mut on) = on {
        on.as_object_mut().map(|on| on.remove(SINCE));
        if on == *play {
            return Ok(());
        }
    }
    let mut dated = play.clone();
    dated[SINCE] = jiff::Timestamp::now().to_string().into();
    let wanted = Object::from_value(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "data": {"play": dated.to_string()},
    }))
    .map_err(|error| {
        Failure::from(Diagnostic::error(code::UNWRITTEN_SETTING, "the play cannot be written").note(error.to_string()))
    })?;
    let options = WriteOptions::default();
    match live {
        Some(_) => cluster.replace(&wanted, &options).await.map(|_| ()).map_err(|error| failed(&error)),
        None => cluster.create(&wanted, &options).await.map(|_| ()).map_err(|error| failed(&error)),
    }
}
