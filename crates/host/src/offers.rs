//! Whose kinds the embedded cluster takes without their definitions: of the operators that are simulated, and, where nobody
//! knows what is installed, of all others.

use landfall_delivery::Offers;
use landfall_object::schema::Schemas;
use landfall_object::{Gvk, Object, SIMULATED};
use serde_json::{Value, json};

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
pub struct TakenForGranted;

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
    fn kinds_of_operators_are_taken_for_granted_and_removed_ones_are_not() {
        let offered = |group: &str, kind: &str| TakenForGranted.definitions(&Gvk::new(group, "v1", kind));
        let (who, made) = offered("kyverno.io", "ClusterPolicy").expect("an operator's");
        assert_eq!((who.as_str(), made[0].name()), ("kyverno.io", "clusterpolicies.kyverno.io"));
        assert_eq!(offered("cert-manager.io", "Certificate").expect("a known one").0, "cert-manager");
        assert!(offered("extensions", "Ingress").is_none());
        assert!(offered("policy", "PodSecurityPolicy").is_none());
    }
}
