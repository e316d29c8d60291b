//! What controllers may report.

use super::at::{At, Errors};

/// The kind's rules on `status`.
pub(super) fn validate(errors: &mut Errors, kind: &str, status: &At<'_>, old: &At<'_>) {
    match kind {
        "Deployment" => deployment(errors, status, old),
        "ReplicaSet" | "ReplicationController" => {
            counts(
                errors,
                status,
                &["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"],
            );
            not_above(errors, status, "fullyLabeledReplicas", "replicas", "cannot be greater than status.replicas");
            not_above(errors, status, "readyReplicas", "replicas", "cannot be greater than status.replicas");
            not_above(errors, status, "availableReplicas", "replicas", "cannot be greater than status.replicas");
            not_above(errors, status, "availableReplicas", "readyReplicas", "cannot be greater than readyReplicas");
        }
        "StatefulSet" => {
            counts(
                errors,
                status,
                &[
                    "replicas",
                    "readyReplicas",
                    "currentReplicas",
                    "updatedReplicas",
                    "observedGeneration",
                    "collisionCount",
                ],
            );
            for field in ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"] {
                not_above(errors, status, field, "replicas", "cannot be greater than status.replicas");
            }
            not_above(
                errors,
                status,
                "availableReplicas",
                "readyReplicas",
                "cannot be greater than status.readyReplicas",
            );
        }
        "DaemonSet" => counts(
            errors,
            status,
            &[
                "currentNumberScheduled",
                "numberMisscheduled",
                "desiredNumberScheduled",
                "numberReady",
                "observedGeneration",
                "updatedNumberScheduled",
                "numberAvailable",
                "numberUnavailable",
                "collisionCount",
            ],
        ),
        "Job" => counts(errors, status, &["active", "succeeded", "failed"]),
        "HorizontalPodAutoscaler" => counts(errors, status, &["currentReplicas", "desiredReplicas"]),
        "PodDisruptionBudget" => {
            counts(errors, status, &["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"]);
        }
        "Pod" => pod(errors, status, old),
        _ => {}
    }
}

fn deployment(errors: &mut Errors, status: &At<'_>, old: &At<'_>) {
    counts(
        errors,
        status,
        &[
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "collisionCount",
        ],
    );
    for field in ["updatedReplicas", "readyReplicas", "availableReplicas"] {
        not_above(errors, status, field, "replicas", "cannot be greater than status.replicas");
    }
    not_above(errors, status, "availableReplicas", "readyReplicas", "cannot be greater than readyReplicas");
    let count = |status: &At<'_>| status.get("collisionCount").int().unwrap_or(0);
    if count(status) < count(old) {
        errors.invalid(&status.get("collisionCount"), "cannot be decremented");
    }
}

/// The node that a pod was nominated for must be a node's name.
fn pod(errors: &mut Errors, status: &At<'_>, _: &At<'_>) {
    let nominated = status.get("nominatedNodeName");
    if !nominated.is_empty() {
        errors.each(&nominated, super::names::dns_subdomain(nominated.text()));
    }
    for (at, ip) in status.get("podIPs").items().enumerate() {
        let address = ip.get("ip");
        if address.text().parse::<std::net::IpAddr>().is_err() {
            errors.push(landfall_object::FieldError::invalid(
                format!("{}[{at}]", status.child("podIPs")),
                address.value.clone(),
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            ));
        }
    }
}

fn counts(errors: &mut Errors, status: &At<'_>, fields: &[&str]) {
    for field in fields {
        errors.nonnegative(&status.get(field));
    }
}

fn not_above(errors: &mut Errors, status: &At<'_>, field: &str, most: &str, detail: &str) {
    let count = |field: &str| status.get(field).int().unwrap_or(0);
    if count(field) > count(most) {
        errors.invalid(&status.get(field), detail);
    }
}
