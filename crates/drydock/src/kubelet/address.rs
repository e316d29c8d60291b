//! Addresses of pods, from the cluster's pod network.

use std::net::Ipv4Addr;

use serde_json::json;

use super::Work;
use crate::controllers::fields::{list, text, truth};
use crate::controllers::kind::NODE;

impl Work<'_, '_> {
    /// Gives the pod its address once, and says that its containers can be started.
    pub(super) fn settle_sandbox(&mut self) {
        if !text(&self.status, "/podIP").is_empty() {
            return;
        }
        let ip =
            if truth(self.pod, "/spec/hostNetwork") { self.host_address() } else { self.free_address().to_string() };
        self.status["podIP"] = json!(ip);
        self.status["podIPs"] = json!([{"ip": ip}]);
    }

    /// The node's internal address.
    pub(super) fn host_address(&self) -> String {
        let node = self.desk.get(&NODE, "", text(self.pod, "/spec/nodeName"));
        let addresses = node.as_ref().map_or(&[][..], |n| list(n, "/status/addresses"));
        let internal = addresses.iter().find(|a| text(a, "/type") == "InternalIP");
        internal.map_or_else(|| "10.0.0.1".to_owned(), |a| text(a, "/address").to_owned())
    }

    fn free_address(&mut self) -> Ipv4Addr {
        let [a, b] = self.desk.world().settings().pod_network;
        let network = u32::from(Ipv4Addr::new(a, b, 0, 0));
        // Addresses are not given again at once, so that nobody takes a new pod for an old one.
        let mut offset = self.memory.last_address;
        for _ in 0..=u16::MAX {
            offset = if offset >= 0xFFFD { 2 } else { offset.max(1) + 1 };
            if !self.census.has_address(network + offset) {
                break;
            }
        }
        self.memory.last_address = offset;
        Ipv4Addr::from(network + offset)
    }
}
