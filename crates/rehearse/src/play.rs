//! What containers are declared to do, and the operators that are simulated: how a project meets the embedded cluster.

use landfall_delivery::Offers;
use landfall_drydock::{Play, PlayError};
use landfall_object::{Gvk, Object};
use landfall_project::Environment;
use serde_json::{Value, json};

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
    let play = json!({"simulation": simulation, "faults": faults});
    Play::parse(&play)?;
    Ok(play)
}

/// The operators that the embedded cluster simulates.
#[derive(Debug, Clone, Copy, Default)]
pub struct Operators;

impl Offers for Operators {
    fn definitions(&self, gvk: &Gvk) -> Option<(String, Vec<Object>)> {
        landfall_drydock::definition(&gvk.group, &gvk.kind)?;
        let definitions = landfall_drydock::definitions(&gvk.group);
        let objects = definitions.into_iter().filter_map(|value| Object::from_value(value).ok()).collect();
        let operator = landfall_drydock::operator(&gvk.group).unwrap_or(gvk.group.as_str());
        Some((operator.to_owned(), objects))
    }
}
