//! What containers are declared to do, and how it is put where the embedded cluster looks for it: a ConfigMap of its own.

use landfall_cluster::{Cluster, WriteOptions};
use landfall_diag::{Diagnostic, code};
use landfall_drydock::{Play, PlayError};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_project::Environment;
use serde_json::{Value, json};

use crate::failure::{Failure, failed};

/// Namespace and name of the ConfigMap.
pub const PLAY: (&str, &str) = (NAMESPACE, NAME);
const NAMESPACE: &str = "kube-system";
const NAME: &str = "landfall-play";
/// Where a play says since when it is on.
const SINCE: &str = "since";

/// The play that an environment declares, with faults, as the embedded cluster keeps it.
///
/// # Errors
/// What cannot be read, naming container and field, or the fault.
pub fn declared_play(environment: Option<&Environment>, faults: &[String]) -> Result<Value, PlayError> {
    let mut simulation = serde_json::Map::new();
    for (workload, declared) in environment.iter().flat_map(|environment| &environment.simulate) {
        let mut script = serde_json::to_value(declared).unwrap_or_default();
        let container = script.as_object_mut().and_then(|script| script.remove("container"));
        let name = match container.as_ref().and_then(Value::as_str) {
            Some(container) => format!("{workload}/{container}"),
            None => workload.clone(),
        };
        simulation.insert(name, script);
    }
    let off: Vec<&str> = environment.iter().flat_map(|environment| environment.operators.off()).collect();
    let mut play = json!({"simulation": simulation, "faults": faults});
    if !off.is_empty() {
        play["operatorsOff"] = off.into();
    }
    Play::parse(&play)?;
    Ok(play)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_file_switches_off_the_operators_that_are_simulated_and_no_others() {
        let named = landfall_project::Operators::default().each().map(|(name, _)| name);
        assert_eq!(landfall_drydock::simulated_operator_names().collect::<Vec<_>>(), named);
        let operators = landfall_project::Operators {
            cert_manager: Some(landfall_project::OperatorSwitch::Truth(false)),
            traefik: Some(landfall_project::OperatorSwitch::Truth(true)),
            ..Default::default()
        };
        let environment = Environment { operators, ..Environment::default() };
        let play = declared_play(Some(&environment), &[]).expect("a play");
        assert_eq!(play["operatorsOff"], json!(["cert-manager"]));
    }
}
