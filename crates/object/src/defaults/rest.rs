//! Defaults of the remaining groups, by definition name without `io.k8s.`.

use serde_json::{Map, Value, json};

use super::{inner, is_empty, set, text};

type Fields = Map<String, Value>;

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn rules(name: &str, map: &mut Fields) {
    match name {
        "api.autoscaling.v1.HorizontalPodAutoscaler" => set(inner(map, "spec"), "minReplicas", 1),
        "api.autoscaling.v2.HorizontalPodAutoscaler" => autoscaler(inner(map, "spec")),
        "api.networking.v1.NetworkPolicyPort" => set(map, "protocol", "TCP"),
        "api.networking.v1.NetworkPolicy" => {
            let spec = inner(map, "spec");
            if is_empty(spec, "policyTypes") {
                let egress = !is_empty(spec, "egress");
                let types = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
                spec.insert("policyTypes".into(), types);
            }
        }
        "api.networking.v1.IngressClassParametersReference" => set(map, "scope", "Cluster"),
        "api.rbac.v1.RoleBinding" | "api.rbac.v1.ClusterRoleBinding" => set(inner(map, "roleRef"), "apiGroup", RBAC),
        "api.rbac.v1.Subject" if matches!(text(map, "kind"), "User" | "Group") => set(map, "apiGroup", RBAC),
        "api.storage.v1.StorageClass" => {
            set(map, "reclaimPolicy", "Delete");
            set(map, "volumeBindingMode", "Immediate");
        }
        "api.storage.v1.CSIDriver" => csi_driver(inner(map, "spec")),
        "api.admissionregistration.v1.ValidatingWebhook" | "api.admissionregistration.v1.MutatingWebhook" => {
            set(map, "failurePolicy", "Fail");
            match_resources(map);
            set(map, "timeoutSeconds", 10);
            if name.ends_with("MutatingWebhook") {
                set(map, "reinvocationPolicy", "Never");
            }
        }
        "api.admissionregistration.v1.RuleWithOperations"
        | "api.admissionregistration.v1.Rule"
        | "api.admissionregistration.v1.NamedRuleWithOperations" => set(map, "scope", "*"),
        "api.admissionregistration.v1.ServiceReference"
        | "apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference"
        | "kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference" => set(map, "port", 443),
        "api.admissionregistration.v1.ValidatingAdmissionPolicySpec"
        | "api.admissionregistration.v1.MutatingAdmissionPolicySpec" => set(map, "failurePolicy", "Fail"),
        "api.admissionregistration.v1.MatchResources" => match_resources(map),
        "api.scheduling.v1.PriorityClass" => set(map, "preemptionPolicy", "PreemptLowerPriority"),
        "api.discovery.v1.EndpointPort" => {
            if map.get("name").is_none_or(Value::is_null) {
                map.insert("name".into(), "".into());
            }
            set(map, "protocol", "TCP");
        }
        "apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition" => definition(map),
        _ => {}
    }
}

fn match_resources(map: &mut Fields) {
    set(map, "matchPolicy", "Equivalent");
    set(map, "namespaceSelector", json!({}));
    set(map, "objectSelector", json!({}));
}

fn autoscaler(spec: &mut Fields) {
    set(spec, "minReplicas", 1);
    if is_empty(spec, "metrics") {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        spec.insert("metrics".into(), json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]));
    }
    let Some(Value::Object(behavior)) = spec.get_mut("behavior") else { return };
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let up = inner(behavior, "scaleUp");
    set(up, "stabilizationWindowSeconds", 0);
    set(up, "selectPolicy", "Max");
    if up.get("policies").is_none_or(Value::is_null) {
        let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
        up.insert("policies".into(), json!([pods, percent]));
    }
    let down = inner(behavior, "scaleDown");
    set(down, "selectPolicy", "Max");
    if down.get("policies").is_none_or(Value::is_null) {
        down.insert("policies".into(), json!([percent]));
    }
}

fn csi_driver(spec: &mut Fields) {
    set(spec, "attachRequired", true);
    for field in ["podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount"] {
        set(spec, field, false);
    }
    set(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    if is_empty(spec, "volumeLifecycleModes") {
        spec.insert("volumeLifecycleModes".into(), json!(["Persistent"]));
    }
}

fn definition(map: &mut Fields) {
    let spec = inner(map, "spec");
    let names = inner(spec, "names");
    let kind = text(names, "kind").to_owned();
    set(names, "singular", kind.to_lowercase());
    if !kind.is_empty() {
        set(names, "listKind", format!("{kind}List"));
    }
    set(spec, "conversion", json!({"strategy": "None"}));
    let stored = spec.get("versions").and_then(Value::as_array).into_iter().flatten();
    let stored = stored.filter(|version| version.get("storage").and_then(Value::as_bool) == Some(true));
    let stored = stored.filter_map(|version| version.get("name").cloned()).next();
    let status = inner(map, "status");
    if is_empty(status, "storedVersions")
        && let Some(stored) = stored
    {
        status.insert("storedVersions".into(), json!([stored]));
    }
}
