//! The fields the API server fills in: rules by type, applied wherever the type occurs, outer types first.
//!
//! Sources: `pkg/apis/*/v1/defaults.go`, the conversions that mirror fields, and the defaults the schema itself
//! declares. Values that only a running cluster can choose (cluster IPs, node ports, admission's additions) are not
//! here.

mod core;
mod rest;
mod workload;

use serde_json::{Map, Value};

use crate::object::child_map;
use crate::schema::{Node, Schemas, Structure};
use crate::{Object, Quantity};

/// Fills in the defaults of a decoded object; kinds without a schema are left as they are.
pub fn apply(object: &mut Object, schemas: &Schemas) {
    let gvk = object.gvk();
    if let Some(node) = schemas.kind(&gvk) {
        let mut value = Value::Object(std::mem::take(object.map_mut()));
        if !schemas.default_custom(&gvk, &mut value) {
            walk(node, &mut value);
        }
        if let Value::Object(map) = value {
            *object.map_mut() = map;
        }
    }
}

/// Fills in the defaults of a value of that type.
pub fn apply_to(node: Node<'_>, value: &mut Value) {
    walk(node, value);
}

fn walk(node: Node<'_>, value: &mut Value) {
    match value {
        Value::Object(map) => {
            if node.ty().is_some() {
                if let Some(definition) = node.definition() {
                    rules(definition, map);
                }
                declared(node, map);
            } else if matches!(node.structure(), Structure::Scalar | Structure::Deduced) {
                return;
            }
            for (key, inner) in map.iter_mut() {
                if let Some(below) = node.field(key) {
                    if below.is_quantity() && node.ty().is_none() {
                        round_up(inner);
                    } else if inner.is_object() || inner.is_array() {
                        walk(below, inner);
                    }
                }
            }
        }
        Value::Array(items) if matches!(node.structure(), Structure::List(_)) => {
            let item = node.item();
            items.iter_mut().for_each(|inner| walk(item, inner));
        }
        _ => {}
    }
}

/// Every resource list is rounded up to thousandths.
fn round_up(value: &mut Value) {
    if let Ok(quantity) = Quantity::from_json(value) {
        *value = Value::String(quantity.rounded_up(-3).to_string());
    }
}

/// Defaults the published schema declares.
fn declared(node: Node<'_>, map: &mut Map<String, Value>) {
    let Some((_, ty)) = node.ty() else { return };
    for field in ty.fields() {
        let Some(default) = &field.default else { continue };
        let zero = matches!(default, Value::String(text) if text.is_empty())
            || default.as_i64() == Some(0)
            || default.as_bool() == Some(false);
        if field.pointer || !zero {
            set(map, &field.json, default.clone());
        }
    }
}

fn rules(definition: &str, map: &mut Map<String, Value>) {
    let Some(name) = definition.strip_prefix("io.k8s.") else { return };
    if let Some(name) = name.strip_prefix("api.core.v1.") {
        core::rules(name, map);
    } else if let Some(name) = name.strip_prefix("api.apps.v1.") {
        workload::apps(name, map);
    } else if let Some(name) = name.strip_prefix("api.batch.v1.") {
        workload::batch(name, map);
    } else {
        rest::rules(name, map);
    }
}

fn is_unset(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        _ => false,
    }
}

/// Sets a field that is absent, null or an empty string.
fn set(map: &mut Map<String, Value>, field: &str, value: impl Into<Value>) {
    if is_unset(map.get(field)) {
        map.insert(field.to_owned(), value.into());
    }
}

/// Sets a number that is absent or zero.
fn set_nonzero(map: &mut Map<String, Value>, field: &str, value: i64) {
    if map.get(field).and_then(Value::as_i64).unwrap_or(0) == 0 {
        map.insert(field.to_owned(), value.into());
    }
}

fn text<'a>(map: &'a Map<String, Value>, field: &str) -> &'a str {
    map.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a list or map is absent, null or empty.
fn is_empty(map: &Map<String, Value>, field: &str) -> bool {
    match map.get(field) {
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        _ => true,
    }
}

/// The map under a field, to be filled.
fn inner<'a>(map: &'a mut Map<String, Value>, field: &str) -> &'a mut Map<String, Value> {
    child_map(map, field)
}

/// The maps in the list under a field.
fn items<'a>(map: &'a mut Map<String, Value>, field: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    map.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Gvk;

    fn defaulted(api_version: &str, kind: &str, mut value: Value) -> Value {
        let schemas = Schemas::builtin();
        value["apiVersion"] = api_version.into();
        value["kind"] = kind.into();
        let decoded = schemas.decode(&Gvk::from_api_version(api_version, kind), &value).expect("decodes");
        let mut object = Object::from_value(decoded.value).expect("a map");
        apply(&mut object, &schemas);
        let once = object.clone();
        apply(&mut object, &schemas);
        assert_eq!(object, once, "defaulting twice changes nothing");
        object.into_value()
    }

    #[test]
    fn a_deployment_gets_what_the_server_gives_it() {
        let value = defaulted(
            "apps/v1",
            "Deployment",
            json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
                "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx",
                    "ports": [{"containerPort": 80}], "readinessProbe": {"httpGet": {"port": "http"}},
                    "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}}}],
                    "volumes": [{"name": "e"}, {"name": "s", "secret": {"secretName": "x"}}]}}}}),
        );
        assert_eq!(
            value["spec"],
            json!({"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
                    "containers": [{"name": "c", "image": "nginx", "imagePullPolicy": "Always",
                        "ports": [{"containerPort": 80, "protocol": "TCP"}],
                        "readinessProbe": {"httpGet": {"path": "/", "port": "http", "scheme": "HTTP"}, "timeoutSeconds": 1,
                            "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
                        "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}},
                        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}],
                    "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
                    "securityContext": {}, "terminationGracePeriodSeconds": 30,
                    "volumes": [{"name": "e", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "x", "defaultMode": 420}}]}}})
        );
    }

    #[test]
    fn a_pods_requests_follow_its_limits_and_both_account_names_agree() {
        let value = defaulted(
            "v1",
            "Pod",
            json!({"spec": {"serviceAccount": "sa", "hostNetwork": true, "containers": [{"name": "c", "image": "a:1",
                "ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}}}]}}),
        );
        assert_eq!(value.pointer("/spec/containers/0/resources/requests"), Some(&json!({"cpu": "1", "memory": "1Gi"})));
        assert_eq!(value.pointer("/spec/containers/0/ports/0/hostPort"), Some(&json!(80)));
        assert_eq!(value.pointer("/spec/containers/0/imagePullPolicy"), Some(&json!("IfNotPresent")));
        assert_eq!(value.pointer("/spec/serviceAccountName"), Some(&json!("sa")));
        assert_eq!(value.pointer("/spec/enableServiceLinks"), Some(&json!(true)));
    }

    #[test]
    fn a_nodes_range_and_the_first_of_its_list_agree() {
        let spec = |spec| defaulted("v1", "Node", json!({"spec": spec}))["spec"].clone();
        let both = json!({"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]});
        assert_eq!(spec(json!({"podCIDR": "10.1.0.0/24"})), both);
        assert_eq!(spec(json!({"podCIDRs": ["10.1.0.0/24"]})), both);
        assert_eq!(spec(json!({"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.2.0.0/24", "fd00::/64"]})), both);
    }

    #[test]
    fn services_jobs_and_autoscalers_are_completed() {
        let service = defaulted("v1", "Service", json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}));
        assert_eq!(
            service["spec"],
            json!({"type": "LoadBalancer", "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
                "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "externalTrafficPolicy": "Cluster",
                "allocateLoadBalancerNodePorts": true})
        );
        let job = defaulted("batch/v1", "Job", json!({"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}));
        assert_eq!(job.pointer("/spec/backoffLimit"), Some(&json!(6)));
        assert_eq!(job.pointer("/metadata/labels"), Some(&json!({"a": "b"})));
        let autoscaler = defaulted("autoscaling/v2", "HorizontalPodAutoscaler", json!({"spec": {"maxReplicas": 3}}));
        assert_eq!(autoscaler.pointer("/spec/metrics/0/resource/target/averageUtilization"), Some(&json!(80)));
        // No policies are refused later, not given by the server.
        let behavior = json!({"scaleUp": {"policies": []}, "scaleDown": {"selectPolicy": "Min"}});
        let spec = json!({"spec": {"maxReplicas": 3, "behavior": behavior}});
        let autoscaler = defaulted("autoscaling/v2", "HorizontalPodAutoscaler", spec);
        assert_eq!(autoscaler.pointer("/spec/behavior/scaleUp/policies"), Some(&json!([])));
        assert_eq!(autoscaler.pointer("/spec/behavior/scaleDown/policies/0/value"), Some(&json!(100)));
        let secret = defaulted("v1", "Secret", json!({"stringData": {"a": "b"}}));
        assert_eq!(secret["data"], json!({"a": "Yg=="}));
        assert_eq!(secret["type"], json!("Opaque"));
    }
}
