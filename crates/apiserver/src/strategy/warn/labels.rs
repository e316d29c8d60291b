//! Labels of nodes that are called otherwise by now (`pkg/api/node/util.go`, `pkg/api/{storage,nodeapi}/util.go`).

use serde_json::Value;

use crate::remarks::Remarks;

/// What is said of a label of nodes; nothing where it is still in use.
pub(super) fn deprecated(label: &str) -> Option<&'static str> {
    Some(match label {
        "beta.kubernetes.io/arch" => r#"deprecated since v1.14; use "kubernetes.io/arch" instead"#,
        "beta.kubernetes.io/os" => r#"deprecated since v1.14; use "kubernetes.io/os" instead"#,
        "failure-domain.beta.kubernetes.io/region" => {
            r#"deprecated since v1.17; use "topology.kubernetes.io/region" instead"#
        }
        "failure-domain.beta.kubernetes.io/zone" => {
            r#"deprecated since v1.17; use "topology.kubernetes.io/zone" instead"#
        }
        "beta.kubernetes.io/instance-type" => {
            r#"deprecated since v1.17; use "node.kubernetes.io/instance-type" instead"#
        }
        "node-role.kubernetes.io/master" => r#"use "node-role.kubernetes.io/control-plane" instead"#,
        _ => return None,
    })
}

/// Warns of the keys of a term that selects nodes; `path` is the term's.
pub(super) fn of_term(term: &Value, path: &str, remarks: &Remarks) {
    for (index, expression) in term["matchExpressions"].as_array().into_iter().flatten().enumerate() {
        let key = expression["key"].as_str().unwrap_or_default();
        if let Some(message) = deprecated(key) {
            remarks.warn(format!("{path}.matchExpressions[{index}].key: {key} is {message}"));
        }
    }
}

/// Warns of the places that a StorageClass allows.
pub(super) fn of_class(class: &Value, remarks: &Remarks) {
    for (index, term) in class["allowedTopologies"].as_array().into_iter().flatten().enumerate() {
        for (number, expression) in term["matchLabelExpressions"].as_array().into_iter().flatten().enumerate() {
            if let Some(message) = expression["key"].as_str().and_then(deprecated) {
                remarks.warn(format!("allowedTopologies[{index}].matchLabelExpressions[{number}].key: {message}"));
            }
        }
    }
}

/// Warns of the nodes that a RuntimeClass asks for.
pub(super) fn of_runtime(class: &Value, remarks: &Remarks) {
    for key in class["scheduling"]["nodeSelector"].as_object().into_iter().flatten().map(|(key, _)| key) {
        if let Some(message) = deprecated(key) {
            remarks.warn(format!("scheduling.nodeSelector: {message}"));
        }
    }
}
