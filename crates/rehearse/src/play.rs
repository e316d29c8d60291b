//! What containers are declared to do, and the operators that are simulated: how a project meets the embedded cluster.

use landfall_delivery::Offers;
use landfall_drydock::{Play, PlayError};
use landfall_object::schema::Schemas;
use landfall_object::{Gvk, Object, SIMULATED};
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
    let off: Vec<&str> = environment.iter().flat_map(|environment| environment.operators.off()).collect();
    let mut play = json!({"simulation": simulation, "faults": faults});
    if !off.is_empty() {
        play["operatorsOff"] = off.into();
    }
    Play::parse(&play)?;
    Ok(play)
}

/// The operators that the embedded cluster simulates.
#[derive(Debug, Clone, Copy, Default)]
pub struct Operators;

impl Offers for Operators {
    fn definitions(&self, gvk: &Gvk) -> Option<(String, Vec<Object>)> {
        landfall_object::operators::definition(&gvk.group, &gvk.kind)?;
        let definitions = landfall_object::operators::definitions(&gvk.group);
        let objects = definitions.into_iter().filter_map(|value| Object::from_value(value).ok()).collect();
        let operator = landfall_object::operators::operator(&gvk.group).unwrap_or(gvk.group.as_str());
        Some((operator.to_owned(), objects))
    }
}

/// The operators that are simulated, and for the kinds of any other a definition that is taken for granted: of a cluster
/// that nobody has read it is not known what is installed there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TakenForGranted;

impl Offers for TakenForGranted {
    fn definitions(&self, gvk: &Gvk) -> Option<(String, Vec<Object>)> {
        Operators.definitions(gvk).or_else(|| {
            let is_builtin = Schemas::builtin().group_versions().iter().any(|group| *group.group == *gvk.group);
            if is_builtin || !gvk.group.contains('.') {
                return None;
            }
            Some((gvk.group.clone(), vec![Object::from_value(open_definition(gvk)).ok()?]))
        })
    }
}

/// A definition that allows anything.
fn open_definition(gvk: &Gvk) -> Value {
    let singular = gvk.kind.to_lowercase();
    let plural = match singular.as_str() {
        word if word.ends_with(['s', 'x']) || word.ends_with("ch") || word.ends_with("sh") => format!("{word}es"),
        word if word.ends_with('y') && !word.ends_with("ey") && !word.ends_with("ay") => {
            format!("{}ies", &word[..word.len() - 1])
        }
        word => format!("{word}s"),
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{}", gvk.group), "annotations": {
            SIMULATED: "taken for granted",
            // Groups of Kubernetes itself ask for it.
            "api-approved.kubernetes.io": "unapproved, taken for granted",
        }},
        "spec": {
            "group": gvk.group,
            "names": {"kind": gvk.kind, "listKind": format!("{}List", gvk.kind), "plural": plural, "singular": singular},
            "scope": "Namespaced",
            "versions": [{"name": gvk.version, "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    })
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

    #[test]
    fn kinds_of_operators_are_taken_for_granted_and_removed_ones_are_not() {
        let offered = |group: &str, kind: &str| TakenForGranted.definitions(&Gvk::new(group, "v1", kind));
        let (who, made) = offered("kyverno.io", "ClusterPolicy").expect("an operator's");
        assert_eq!((who.as_str(), made[0].name()), ("kyverno.io", "clusterpolicies.kyverno.io"));
        assert_eq!(offered("cert-manager.io", "Certificate").expect("a known one").0, "cert-manager");
        assert!(offered("extensions", "Ingress").is_none());
        assert!(offered("policy", "PodSecurityPolicy").is_none());
    }
}
