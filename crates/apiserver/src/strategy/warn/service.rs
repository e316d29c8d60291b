//! What is told of Services (`pkg/api/service/warnings.go`).

use serde_json::Value;

use super::addresses;
use crate::remarks::Remarks;

/// Warns of what is written and read by nobody.
pub(super) fn warn(service: &Value, remarks: &Remarks) {
    const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
    if !service["metadata"]["annotations"][HINTS].is_null() {
        remarks
            .warn(format!("annotation {HINTS} is deprecated, please use service.kubernetes.io/topology-mode instead"));
    }
    let spec = &service["spec"];
    let is_external = spec["type"] == "ExternalName";
    let has = |field: &str| match &spec[field] {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if !is_external && spec["clusterIP"] == "None" {
        let sticky = spec["sessionAffinity"].as_str().is_some_and(|kind| kind != "None");
        for (is_so, field) in [
            (has("loadBalancerIP"), "loadBalancerIP"),
            (has("externalIPs"), "externalIPs"),
            (sticky, "SessionAffinity"),
        ] {
            if is_so {
                remarks.warn(format!("spec.{field} is ignored for headless services"));
            }
        }
    }
    if is_external && has("externalIPs") {
        remarks.warn(r#"spec.externalIPs is ignored when spec.type is "ExternalName""#);
    }
    for (index, address) in spec["externalIPs"].as_array().into_iter().flatten().enumerate() {
        addresses::warn(address.as_str().unwrap_or_default(), &format!("spec.externalIPs[{index}]"), remarks);
    }
    if let Some(address) = spec["loadBalancerIP"].as_str() {
        addresses::warn(address, "spec.loadBalancerIP", remarks);
    }
}
