//! Pods that nobody controls, and who may adopt them.

use serde_json::Value;

use super::fields::controller_of;
use super::kind::{Kind, REPLICATION_CONTROLLER};
use super::loops::Call;
use super::selector;

/// Looks at the objects of a kind that select a pod which nobody controls.
pub(super) fn adopting(call: &mut Call<'_>, kind: &Kind) {
    let pod = call.object();
    if controller_of(pod).is_some() {
        return;
    }
    for adopter in call.world.list(kind.qualified(), Some(pod.namespace())) {
        let wanted = adopter.pointer("/spec/selector");
        let fits = if *kind == REPLICATION_CONTROLLER {
            selector::map_matches(wanted.and_then(Value::as_object), pod)
        } else {
            selector::matches(wanted, pod)
        };
        if fits {
            call.look_at(kind, pod.namespace(), adopter.name());
        }
    }
}
