//! Lifecycle hooks: what can be known of them without running them.

use landfall_object::ports::{Asker, UnknownPort, container_port, lost_ports};
use serde_json::Value;

/// Why a hook of the container can never be carried out: it asks for a port that the container does not have.
pub(super) fn lost(container: &Value, hook: Asker) -> Option<UnknownPort> {
    let lost = lost_ports(container).into_iter().find(|lost| lost.asker == hook)?;
    container_port(container, &Value::from(lost.name)).err()
}
