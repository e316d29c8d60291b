use landfall_object::{BUILT_IN, Object, SIMULATED, once_keys};

use crate::Error;
use crate::error::Sought;
use crate::options::OwnershipCheck;

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const RELEASE_NAME: &str = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// Argo CD's mark of what belongs to an Application.
const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";

/// The annotation by which an object survives its release.
pub(crate) const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// Marks an object as the release's (pkg/action/validate.go, setMetadataVisitor).
pub fn mark(object: &mut Object, name: &str, namespace: &str) {
    object.set_label(MANAGED_BY, "Helm");
    object.set_annotation(RELEASE_NAME, name);
    object.set_annotation(RELEASE_NAMESPACE, namespace);
}

/// Whether an existing object is taken into a release of `namespace` unasked, whoever has made it.
pub(crate) fn is_taken(live: &Object, ownership: OwnershipCheck, namespace: &str) -> bool {
    match ownership {
        OwnershipCheck::Strict => false,
        OwnershipCheck::AdoptNamespace => {
            let is_marked = [RELEASE_NAME, TRACKING_ID].iter().any(|mark| live.annotation(mark).is_some());
            (live.group(), live.kind(), live.name()) == ("", "Namespace", namespace) && !is_marked
        }
        OwnershipCheck::Take => true,
    }
}

/// Whether an existing object may be taken into a release (pkg/action/validate.go, checkOwnership).
///
/// What a simulated cluster merely brings along, such as its ingress class, goes to the first release that delivers it.
pub(crate) fn check(live: &Object, verb: &'static str, name: &str, namespace: &str) -> Result<(), Error> {
    if live.annotation(SIMULATED) == Some(BUILT_IN) && live.annotation(RELEASE_NAME).is_none() {
        return Ok(());
    }
    let mut reasons = Vec::new();
    let mut require = |what: &str, actual: Option<&str>, key: &str, wanted: &str| match actual {
        None => reasons.push(format!("{what} validation error: missing key {key:?}: must be set to {wanted:?}")),
        Some(actual) if actual != wanted => reasons
            .push(format!("{what} validation error: key {key:?} must equal {wanted:?}: current value is {actual:?}")),
        Some(_) => {}
    };
    require("label", live.label(MANAGED_BY), MANAGED_BY, "Helm");
    require("annotation", live.annotation(RELEASE_NAME), RELEASE_NAME, name);
    require("annotation", live.annotation(RELEASE_NAMESPACE), RELEASE_NAMESPACE, namespace);
    if reasons.is_empty() {
        return Ok(());
    }
    let home = live.namespace().unwrap_or_default();
    let object = format!("{} {:?} in namespace {home:?}", live.kind(), live.name());
    let (release, namespace) = (name.to_owned(), namespace.to_owned());
    let sought = Box::new(Sought { object: live.key(), once: once_keys(live), release, namespace });
    Err(Error::Foreign { verb, object, reasons, sought })
}

/// Whether an object is to stay when its release no longer wants it.
pub(crate) fn is_kept(object: &Object) -> bool {
    object.annotation(RESOURCE_POLICY).is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"))
}

#[cfg(test)]
mod tests {
    use landfall_diag::Diagnose as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_of_somebody_else_is_refused_in_helms_words() {
        let live = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "y", "labels": {MANAGED_BY: "kustomize"}}});
        let live = Object::from_value(live).expect("a map");
        let error = check(&live, "install", "web", "y").expect_err("refused");
        assert_eq!(
            error.to_string(),
            "Unable to continue with install: ConfigMap \"x\" in namespace \"y\" exists and cannot be imported into the current release: invalid ownership metadata; label validation error: key \"app.kubernetes.io/managed-by\" must equal \"Helm\": current value is \"kustomize\"; annotation validation error: missing key \"meta.helm.sh/release-name\": must be set to \"web\"; annotation validation error: missing key \"meta.helm.sh/release-namespace\": must be set to \"y\""
        );
        let mut own = live.clone();
        mark(&mut own, "web", "y");
        assert!(check(&own, "install", "web", "y").is_ok());
    }

    /// LP-131: the way back of a Secret that a SealedSecret made, and that holds what is generated once.
    #[test]
    fn what_is_generated_once_is_told_with_the_value_that_lives_and_how_it_is_taken() {
        let live = json!({"apiVersion": "v1", "kind": "Secret", "data": {"PEPPER": "YQ=="},
            "metadata": {"name": "keys", "namespace": "y", "annotations": {"landfall.dev/once": "PEPPER"}}});
        let error = check(&Object::from_value(live).expect("a map"), "update", "web", "y").expect_err("refused");
        let told = error.diagnose();
        assert!(
            told.notes.iter().any(|note| note.contains("PEPPER generated once") && note.contains("deleted")),
            "{told:?}"
        );
        assert!(
            told.helps[0]
                .contains("`kubectl get secret keys -n y -o go-template='{{index .data \"PEPPER\" | base64decode}}'`"),
            "{told:?}"
        );
        assert!(told.helps[1].contains("`landfall upgrade web CHART -n y --take-ownership`"), "{told:?}");
    }

    #[test]
    fn what_a_simulated_cluster_brings_along_goes_to_the_first_that_delivers_it() {
        let live = json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "traefik", "annotations": {SIMULATED: BUILT_IN}}});
        let mut live = Object::from_value(live).expect("a map");
        assert!(check(&live, "install", "traefik", "y").is_ok());
        mark(&mut live, "traefik", "y");
        assert!(check(&live, "install", "another", "y").is_err());
    }
}
