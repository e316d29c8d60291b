//! The arithmetic of a rollout: how many pods a replica set may have at this moment.
//!
//! Follows `pkg/controller/deployment/util/deployment_util.go`; pure numbers, no cluster.

use serde_json::Value;

use super::fields::{count, int, text};

/// How far a rolling update may go above and below the wanted number of replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    /// Pods above the wanted number.
    pub(crate) surge: i64,
    /// Pods that may be missing.
    pub(crate) unavailable: i64,
}

/// The absolute value of a count or percentage of `total`.
pub(crate) fn scaled(value: Option<&Value>, total: i64, default: i64, rounding: Rounding) -> i64 {
    match value {
        Some(Value::Number(n)) => n.as_i64().unwrap_or(default),
        Some(Value::String(s)) => match s.strip_suffix('%').and_then(|p| p.parse::<i64>().ok()) {
            Some(percent) => {
                let product = percent.saturating_mul(total);
                match rounding {
                    Rounding::Up => product.saturating_add(99).div_euclid(100),
                    Rounding::Down => product.div_euclid(100),
                }
            }
            None => s.parse().unwrap_or(default),
        },
        _ => default,
    }
}

/// Which way a percentage that is not whole goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// To the next larger number.
    Up,
    /// To the next smaller number.
    Down,
}

/// Wanted replicas of a workload; 1 when not written.
pub(crate) fn wanted(workload: &Value) -> i64 {
    int(workload, "/spec/replicas").unwrap_or(1)
}

/// Whether the deployment replaces pods gradually.
pub(crate) fn is_rolling(deployment: &Value) -> bool {
    text(deployment, "/spec/strategy/type") != "Recreate"
}

impl Fence {
    /// The fence of a deployment (`ResolveFenceposts`): both zero makes one unavailable.
    pub(crate) fn of(deployment: &Value) -> Self {
        if !is_rolling(deployment) {
            return Self { surge: 0, unavailable: 0 };
        }
        let replicas = wanted(deployment);
        let rolling = |field| deployment.pointer(field);
        let surge = scaled(rolling("/spec/strategy/rollingUpdate/maxSurge"), replicas, 0, Rounding::Up);
        let unavailable = scaled(rolling("/spec/strategy/rollingUpdate/maxUnavailable"), replicas, 0, Rounding::Down);
        if surge == 0 && unavailable == 0 {
            return Self { surge, unavailable: 1 };
        }
        Self { surge, unavailable }
    }

    /// How many pods may be missing: never more than wanted, none of none (`MaxUnavailable`).
    pub(crate) fn max_unavailable(deployment: &Value) -> i64 {
        let replicas = wanted(deployment);
        if !is_rolling(deployment) || replicas == 0 {
            return 0;
        }
        Self::of(deployment).unavailable.min(replicas)
    }
}

/// Replicas the new replica set should have now, given those of all sets together (`NewRSNewReplicas`).
pub(crate) fn new_set_replicas(deployment: &Value, all: i64, new: i64) -> i64 {
    let replicas = wanted(deployment);
    if !is_rolling(deployment) {
        return replicas;
    }
    let most = replicas + Fence::of(deployment).surge;
    if all >= most {
        return new;
    }
    new + (most - all).min(replicas - new)
}

/// A replica set's share when a deployment is scaled in the middle of a rollout (`GetReplicaSetProportion`).
pub(crate) fn proportion(deployment: &Value, set: &Value, to_add: i64, added: i64) -> i64 {
    let size = wanted(set);
    if size == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let fraction = fraction(deployment, set);
    let allowed = to_add - added;
    if to_add > 0 { fraction.min(allowed) } else { fraction.max(allowed) }
}

fn fraction(deployment: &Value, set: &Value) -> i64 {
    let size = wanted(set);
    if wanted(deployment) == 0 {
        return -size;
    }
    let most = wanted(deployment) + Fence::of(deployment).surge;
    let before = super::fields::annotation(set, super::revision::MAX_REPLICAS)
        .and_then(|v| v.parse::<i64>().ok())
        .filter(|n| *n > 0)
        .unwrap_or_else(|| count(deployment, "/status/replicas"));
    if before <= 0 {
        return 0;
    }
    rounded_quotient(size * most, before) - size
}

/// `a / b` to the nearest whole number, halves away from zero.
fn rounded_quotient(a: i64, b: i64) -> i64 {
    (2 * a + a.signum() * b) / (2 * b)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(replicas: i64, surge: Value, unavailable: Value) -> Value {
        json!({"spec": {"replicas": replicas, "strategy": {"type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}})
    }

    #[test]
    fn surge_rounds_up_and_unavailable_down() {
        let quarter = deployment(2, json!("25%"), json!("25%"));
        assert_eq!(Fence::of(&quarter), Fence { surge: 1, unavailable: 0 });
        assert_eq!(Fence::of(&deployment(10, json!("25%"), json!("25%"))), Fence { surge: 3, unavailable: 2 });
        assert_eq!(Fence::of(&deployment(3, json!(0), json!("10%"))), Fence { surge: 0, unavailable: 1 });
    }

    #[test]
    fn the_new_set_grows_only_into_the_room_there_is() {
        let d = deployment(2, json!("25%"), json!("25%"));
        assert_eq!(new_set_replicas(&d, 2, 0), 1);
        assert_eq!(new_set_replicas(&d, 3, 1), 1);
        assert_eq!(new_set_replicas(&d, 2, 1), 2);
        assert_eq!(new_set_replicas(&d, 0, 0), 2);
    }

    #[test]
    fn scaling_amid_a_rollout_keeps_proportions() {
        let d = deployment(20, json!(3), json!(2));
        let set = |replicas: i64| {
            json!({"metadata": {"annotations": {"deployment.kubernetes.io/max-replicas": "13"}},
                   "spec": {"replicas": replicas}})
        };
        assert_eq!(proportion(&d, &set(8), 10, 0), 6);
        assert_eq!(proportion(&d, &set(5), 10, 6), 4);
    }

    #[test]
    fn quotients_round_to_the_nearest() {
        assert_eq!(rounded_quotient(7, 2), 4);
        assert_eq!(rounded_quotient(184, 13), 14);
        assert_eq!(rounded_quotient(-5, 3), -2);
    }
}
