//! Fields behind feature gates that are off in the served version: dropped, unless the object has them already (`pkg/api/*/util.go`,
//! `pkg/registry/*/strategy.go`).

use serde_json::Value;

use crate::resource::Resource;

/// Drops what no request may set.
pub(super) fn drop_disabled(resource: &Resource, object: &mut Value, live: Option<&Value>) {
    match &*resource.id {
        "leases.coordination.k8s.io" => drop_fields(object, live, "/spec", &["strategy", "preferredHolder"]),
        "statefulsets.apps" => drop_fields(object, live, "/spec/updateStrategy/rollingUpdate", &["maxUnavailable"]),
        "csidrivers.storage.k8s.io" => drop_fields(object, live, "/spec", &["preventPodSchedulingIfMissing"]),
        "nodes" => drop_fields(object, live, "/spec", &["configSource"]),
        "persistentvolumeclaims" => drop_foreign_source(object, live),
        _ => {}
    }
    let pod = match &*resource.id {
        "pods" => "/spec",
        "podtemplates" => "/template/spec",
        "cronjobs.batch" => "/spec/jobTemplate/spec/template/spec",
        "deployments.apps"
        | "replicasets.apps"
        | "statefulsets.apps"
        | "daemonsets.apps"
        | "jobs.batch"
        | "replicationcontrollers" => "/spec/template/spec",
        _ => return,
    };
    if let Some(spec) = object.pointer_mut(pod) {
        drop_of_pod(spec, live.and_then(|live| live.pointer(pod)));
    }
}

fn drop_fields(object: &mut Value, live: Option<&Value>, parent: &str, fields: &[&str]) {
    let had = |field: &str| live.and_then(|live| live.pointer(parent)).is_some_and(|parent| !parent[field].is_null());
    if let Some(map) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
        for field in fields.iter().filter(|field| !had(field)) {
            map.remove(*field);
        }
    }
}

/// A claim is not filled from another namespace.
fn drop_foreign_source(object: &mut Value, live: Option<&Value>) {
    let had = live.is_some_and(|live| !live["spec"]["dataSourceRef"].is_null());
    let foreign = object["spec"]["dataSourceRef"]["namespace"].as_str().is_some_and(|namespace| !namespace.is_empty());
    if let (false, true, Some(spec)) = (had, foreign, object["spec"].as_object_mut()) {
        spec.remove("dataSourceRef");
    }
}

fn drop_of_pod(spec: &mut Value, live: Option<&Value>) {
    let Some(map) = spec.as_object_mut() else { return };
    if live.is_none_or(|live| live["schedulingGroup"].is_null()) {
        map.remove("schedulingGroup");
    }
    let stops = |container: &Value| !container["lifecycle"]["stopSignal"].is_null();
    if !live.is_some_and(|live| containers(live).any(stops)) {
        for list in CONTAINERS {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                drop_stop_signal(container);
            }
        }
    }
    for field in ["clusterTrustBundle", "podCertificate"] {
        let had = live.is_some_and(|live| sources(live).any(|source| !source[field].is_null()));
        let volumes = spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten();
        let sources = volumes.filter_map(|volume| volume.pointer_mut("/projected/sources")?.as_array_mut()).flatten();
        for source in sources.filter(|_| !had).filter_map(Value::as_object_mut) {
            source.remove(field);
        }
    }
}

const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    CONTAINERS.into_iter().flat_map(|list| spec[list].as_array().into_iter().flatten())
}

fn sources(spec: &Value) -> impl Iterator<Item = &Value> {
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    volumes.flat_map(|volume| volume["projected"]["sources"].as_array().into_iter().flatten())
}

/// A lifecycle of nothing else goes with it.
fn drop_stop_signal(container: &mut Value) {
    let Some(lifecycle) = container.get_mut("lifecycle").and_then(Value::as_object_mut) else { return };
    if lifecycle.remove("stopSignal").is_some()
        && lifecycle.is_empty()
        && let Some(container) = container.as_object_mut()
    {
        container.remove("lifecycle");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_pod_may_not_say_is_dropped_unless_it_was_said_before() {
        let spec = json!({
            "schedulingGroup": {"podGroupName": "a"},
            "containers": [
                {"name": "a", "lifecycle": {"stopSignal": "SIGUSR1"}},
                {"name": "b", "lifecycle": {"stopSignal": "SIGUSR1", "preStop": {"sleep": {"seconds": 1}}}},
            ],
            "volumes": [{"name": "v", "projected": {"sources": [{"clusterTrustBundle": {"path": "p"}}, {"secret": {"name": "s"}}]}}],
        });
        let mut fresh = spec.clone();
        drop_of_pod(&mut fresh, None);
        assert_eq!(
            fresh,
            json!({
                "containers": [{"name": "a"}, {"name": "b", "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}],
                "volumes": [{"name": "v", "projected": {"sources": [{}, {"secret": {"name": "s"}}]}}],
            })
        );
        let mut kept = spec.clone();
        drop_of_pod(&mut kept, Some(&spec));
        assert_eq!(kept, spec);
    }

    #[test]
    fn a_claim_is_not_filled_from_another_namespace() {
        let claim =
            |namespace: &str| json!({"spec": {"dataSourceRef": {"kind": "K", "name": "n", "namespace": namespace}}});
        let mut foreign = claim("other");
        drop_foreign_source(&mut foreign, None);
        assert_eq!(foreign, json!({"spec": {}}));
        let mut own = claim("");
        drop_foreign_source(&mut own, None);
        assert_eq!(own, claim(""));
    }
}
