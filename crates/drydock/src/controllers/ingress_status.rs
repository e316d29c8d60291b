//! Ingresses get the address under which they are served, as Traefik gives it on k3s.

use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::desk::{Desk, Found, Outcome};
use super::fields::{child, deleting, list, text};
use super::kind::{INGRESS, INGRESS_CLASS, NODE, SERVICE};
use super::loops::{After, Loop, Wake};
use super::queue::Role;
use crate::operators::standing::class;

/// Whether an ingress is served here: it names no class, or one that there is.
pub(crate) fn is_served(ingress: &Value, class_exists: impl Fn(&str) -> bool) -> bool {
    let class = class(ingress);
    class.is_empty() || class == "traefik" || class_exists(class)
}

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::Ingress,
    kinds: &[INGRESS],
    wakes: &[
        Wake {
            after: After::These(&[SERVICE.id]),
            queue: |call| {
                if call.states().any(|state| text(state, "/spec/type") == "LoadBalancer") {
                    call.look_at_all(&INGRESS, call.object().namespace());
                }
            },
        },
        Wake { after: After::These(&[INGRESS_CLASS.id]), queue: |call| call.look_at_all(&INGRESS, "") },
    ],
};

/// Writes one ingress's address.
pub(super) fn reconcile(desk: &mut Desk<'_>, namespace: &str, name: &str) -> Result<Outcome, Status> {
    let Some(ingress) = desk.get(&INGRESS, namespace, name).filter(|i| !deleting(i)) else {
        return Ok(Outcome::done());
    };
    let served = is_served(&ingress, |class| desk.get(&INGRESS_CLASS, "", class).is_some());
    let address = |node: &Found| {
        let addresses = list(node, "/status/addresses");
        addresses.iter().find(|a| text(a, "/type") == "InternalIP").map(|a| text(a, "/address").to_owned())
    };
    let points: Vec<Value> = if served {
        desk.list(&NODE, "").iter().filter_map(address).map(|ip| json!({"ip": ip})).collect()
    } else {
        Vec::new()
    };
    let wanted = if points.is_empty() { json!({}) } else { json!({"ingress": points}) };
    if ingress.pointer("/status/loadBalancer").unwrap_or(&json!({})) == &wanted {
        return Ok(Outcome::done());
    }
    let mut changed = ingress.value().clone();
    child(&mut changed, "status")["loadBalancer"] = wanted;
    desk.update_status(&INGRESS, changed)?;
    Ok(Outcome::done())
}
