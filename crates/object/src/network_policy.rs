//! Whether NetworkPolicies let a connection through: the rules alone, over objects as they are written.
//!
//! ```text
//! from ── egress of its namespace's policies ──► to:port ── ingress of its namespace's policies ──► through
//! ```
//!
//! A pod that no policy of a direction selects is open in that direction; one that is selected takes only what some
//! policy lets through (`networking.k8s.io/v1`). Nodes and the pod's own loopback are always let through by real
//! networks; callers do not ask about those.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::Object;

/// One end of a connection.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// A pod.
    Pod(PodEnd<'a>),
    /// Whatever else has an address: a client outside, a host.
    Address(IpAddr),
}

/// A pod as policies see it.
#[derive(Debug, Clone, Copy)]
pub struct PodEnd<'a> {
    /// The pod's namespace.
    pub namespace: &'a str,
    /// The namespace's labels; `kubernetes.io/metadata.name` is implied.
    pub namespace_labels: Option<&'a Map<String, Value>>,
    /// The pod's labels.
    pub labels: Option<&'a Map<String, Value>>,
    /// Its containers, for named ports: `spec.containers`.
    pub containers: &'a [Value],
}

/// The port that is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortAsked<'a> {
    /// The number on the pod, not on its Service.
    pub number: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: &'a str,
}

/// Whether a connection is let through, and by whose words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    /// No policy concerns it.
    Open,
    /// A policy lets it through: `namespace/name` for each direction that has one.
    Allowed(Vec<String>),
    /// These policies select the pod, and none of them lets it through.
    Blocked {
        /// The direction that is closed.
        direction: Direction,
        /// The policies, as `namespace/name`.
        by: Vec<String>,
    },
}

impl Passage {
    /// Whether the connection comes to be.
    pub fn is_through(&self) -> bool {
        !matches!(self, Passage::Blocked { .. })
    }
}

/// Which side's policies are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Into the pod.
    Ingress,
    /// Out of the pod.
    Egress,
}

/// Whether a connection from one end to a port of the other is let through by these policies, which may be of any
/// namespace; other kinds of objects among them are passed over.
pub fn passage<'o>(
    policies: impl IntoIterator<Item = &'o Object>,
    from: &End<'_>,
    to: &End<'_>,
    port: PortAsked<'_>,
) -> Passage {
    let policies: Vec<&Object> = policies
        .into_iter()
        .filter(|object| object.kind() == "NetworkPolicy" && object.group() == "networking.k8s.io")
        .collect();
    let mut allowed = Vec::new();
    for (direction, own, other) in [(Direction::Egress, from, to), (Direction::Ingress, to, from)] {
        let End::Pod(own) = own else { continue };
        // A named port is always one of the pod that is connected to.
        let target = if let End::Pod(pod) = to { pod.containers } else { &[] };
        let selecting: Vec<&&Object> = policies.iter().filter(|policy| selects(policy, direction, own)).collect();
        if selecting.is_empty() {
            continue;
        }
        let through = selecting.iter().find(|policy| lets_through(policy, direction, own, other, target, port));
        match through {
            Some(policy) => allowed.push(name(policy)),
            None => {
                return Passage::Blocked { direction, by: selecting.iter().map(|policy| name(policy)).collect() };
            }
        }
    }
    if allowed.is_empty() { Passage::Open } else { Passage::Allowed(allowed) }
}

fn name(policy: &Object) -> String {
    format!("{}/{}", policy.namespace().unwrap_or("default"), policy.name())
}

/// Whether a policy concerns a pod in this direction.
fn selects(policy: &Object, direction: Direction, pod: &PodEnd<'_>) -> bool {
    if policy.namespace().unwrap_or("default") != pod.namespace {
        return false;
    }
    let types = policy.list_at("/spec/policyTypes");
    let concerned = if types.is_empty() {
        // Ingress always; egress only where rules for it are written.
        direction == Direction::Ingress || policy.at("/spec/egress").is_some_and(|rules| !rules.is_null())
    } else {
        types.iter().any(|kind| kind == if direction == Direction::Ingress { "Ingress" } else { "Egress" })
    };
    concerned && fits(policy.at("/spec/podSelector"), pod.labels)
}

fn lets_through(
    policy: &Object,
    direction: Direction,
    own: &PodEnd<'_>,
    other: &End<'_>,
    target: &[Value],
    port: PortAsked<'_>,
) -> bool {
    let (rules, peers) = match direction {
        Direction::Ingress => (policy.list_at("/spec/ingress"), "from"),
        Direction::Egress => (policy.list_at("/spec/egress"), "to"),
    };
    rules.iter().any(|rule| {
        let peers = rule.get(peers).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let ports = rule.get("ports").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let peer = peers.is_empty() || peers.iter().any(|peer| is_peer(peer, own.namespace, other));
        peer && (ports.is_empty() || ports.iter().any(|written| is_port(written, target, port)))
    })
}

fn is_peer(peer: &Value, own_namespace: &str, end: &End<'_>) -> bool {
    if let Some(block) = peer.get("ipBlock") {
        let End::Address(address) = end else { return false };
        let within = |range: &Value| range.as_str().is_some_and(|range| contains(range, *address));
        let except = block.get("except").and_then(Value::as_array);
        return block.get("cidr").is_some_and(within) && !except.is_some_and(|list| list.iter().any(within));
    }
    let End::Pod(pod) = end else { return false };
    let namespaces = peer.get("namespaceSelector").filter(|selector| !selector.is_null());
    let pods = peer.get("podSelector").filter(|selector| !selector.is_null());
    let namespace_fits = match namespaces {
        None => pod.namespace == own_namespace,
        Some(selector) => {
            let mut labels = pod.namespace_labels.cloned().unwrap_or_default();
            labels.entry("kubernetes.io/metadata.name").or_insert_with(|| pod.namespace.into());
            fits(Some(selector), Some(&labels))
        }
    };
    (namespaces.is_some() || pods.is_some()) && namespace_fits && pods.is_none_or(|it| fits(Some(it), pod.labels))
}

fn is_port(written: &Value, target: &[Value], asked: PortAsked<'_>) -> bool {
    if written.get("protocol").and_then(Value::as_str).unwrap_or("TCP") != asked.protocol {
        return false;
    }
    let number = match written.get("port") {
        None | Some(Value::Null) => return true,
        Some(Value::String(name)) => named(target, name, asked.protocol),
        Some(number) => number.as_u64(),
    };
    let Some(first) = number else { return false };
    let last = written.get("endPort").and_then(Value::as_u64).unwrap_or(first);
    (first..=last).contains(&u64::from(asked.number))
}

/// The number of a container's port of that name.
fn named(containers: &[Value], name: &str, protocol: &str) -> Option<u64> {
    let ports = containers.iter().filter_map(|container| container.get("ports")?.as_array()).flatten();
    let mut fitting = ports.filter(|port| {
        port.get("name").and_then(Value::as_str) == Some(name)
            && port.get("protocol").and_then(Value::as_str).unwrap_or("TCP") == protocol
    });
    fitting.find_map(|port| port.get("containerPort")?.as_u64())
}

/// Whether an address lies in a range such as `10.0.0.0/8`; one that cannot be read holds none.
fn contains(range: &str, address: IpAddr) -> bool {
    let Some((network, bits)) = range.split_once('/') else { return false };
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(network) & mask == u32::from(address) & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(network) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

/// Whether a label selector takes labels in; an empty one takes in all, none takes in nothing.
fn fits(selector: Option<&Value>, labels: Option<&Map<String, Value>>) -> bool {
    let Some(selector) = selector.filter(|selector| selector.is_object()) else { return false };
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    let equal = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let mut equal = equal.map(|(key, value)| value.as_str().is_some_and(|value| label(key) == Some(value)));
    let expressions = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    let mut expressions = expressions.map(|expression| {
        let there = label(expression.get("key").and_then(Value::as_str).unwrap_or_default());
        let values = expression.get("values").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let listed = || there.is_some_and(|there| values.iter().any(|value| value == there));
        match expression.get("operator").and_then(Value::as_str) {
            Some("In") => listed(),
            Some("NotIn") => !listed(),
            Some("Exists") => there.is_some(),
            Some("DoesNotExist") => there.is_none(),
            _ => false,
        }
    });
    equal.all(|fits| fits) && expressions.all(|fits| fits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TCP_6379: PortAsked<'static> = PortAsked { number: 6379, protocol: "TCP" };

    fn policy(name: &str, spec: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": "shop"}, "spec": spec,
        }))
        .expect("an object")
    }

    fn ask(policies: &[Object], from: (&str, &Value), to: (&str, &Value)) -> Passage {
        let containers = [json!({"ports": [{"name": "redis", "containerPort": 6379}]})];
        let from = PodEnd { namespace: from.0, namespace_labels: None, labels: from.1.as_object(), containers: &[] };
        let to = PodEnd { namespace: to.0, namespace_labels: None, labels: to.1.as_object(), containers: &containers };
        passage(policies, &End::Pod(from), &End::Pod(to), TCP_6379)
    }

    #[test]
    fn a_selected_pod_takes_only_what_is_let_in() {
        let policies = [policy(
            "redis",
            json!({"podSelector": {"matchLabels": {"app": "redis"}}, "policyTypes": ["Ingress"],
                   "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "api"}}}],
                                "ports": [{"port": "redis"}]}]}),
        )];
        let (redis, api, web) = (json!({"app": "redis"}), json!({"app": "api"}), json!({"app": "web"}));
        assert_eq!(ask(&policies, ("shop", &api), ("shop", &redis)), Passage::Allowed(vec!["shop/redis".into()]));
        let blocked = Passage::Blocked { direction: Direction::Ingress, by: vec!["shop/redis".into()] };
        assert_eq!(ask(&policies, ("shop", &web), ("shop", &redis)), blocked);
        assert_eq!(ask(&policies, ("other", &api), ("shop", &redis)), blocked, "of its own namespace only");
        assert_eq!(ask(&policies, ("shop", &redis), ("shop", &api)), Passage::Open);
    }

    #[test]
    fn several_policies_add_up_and_namespaces_are_known_by_their_name() {
        let redis = json!({"app": "redis"});
        let closed = policy("closed", json!({"podSelector": {}}));
        let from_monitoring = policy(
            "monitoring",
            json!({"podSelector": {}, "ingress": [{"from": [{"namespaceSelector":
                {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]}]}),
        );
        let both = [closed, from_monitoring];
        assert!(!ask(&both[..1], ("monitoring", &redis), ("shop", &redis)).is_through());
        assert!(ask(&both, ("monitoring", &redis), ("shop", &redis)).is_through());
        assert!(!ask(&both, ("shop", &redis), ("shop", &redis)).is_through());
    }

    #[test]
    fn egress_is_closed_only_where_it_is_spoken_of() {
        let (web, redis) = (json!({"app": "web"}), json!({"app": "redis"}));
        let only_ingress = [policy("in", json!({"podSelector": {"matchLabels": {"app": "web"}}}))];
        assert_eq!(ask(&only_ingress, ("shop", &web), ("shop", &redis)), Passage::Open);
        let dns = [policy(
            "dns",
            json!({"podSelector": {}, "policyTypes": ["Egress"],
                   "egress": [{"ports": [{"port": 53, "protocol": "UDP"}, {"port": 8000, "endPort": 9000}]}]}),
        )];
        let blocked = Passage::Blocked { direction: Direction::Egress, by: vec!["shop/dns".into()] };
        assert_eq!(ask(&dns, ("shop", &web), ("shop", &redis)), blocked);
    }

    #[test]
    fn addresses_are_judged_by_their_ranges() {
        let policies = [policy(
            "out",
            json!({"podSelector": {}, "policyTypes": ["Egress"],
                   "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]}),
        )];
        let labels = json!({});
        let pod = PodEnd { namespace: "shop", namespace_labels: None, labels: labels.as_object(), containers: &[] };
        let through = |address: &str| {
            let to = End::Address(address.parse().expect("an address"));
            passage(&policies, &End::Pod(pod), &to, TCP_6379).is_through()
        };
        assert!(through("10.2.3.4"));
        assert!(!through("10.1.3.4") && !through("192.0.2.1") && !through("::1"));
    }

    #[test]
    fn what_cannot_be_read_lets_nothing_through_and_does_no_harm() {
        let labels = json!({"app": "x"});
        for spec in [
            json!({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "x/y"}}, {}], "ports": [{"port": {}}]}]}),
            json!({"podSelector": {}, "ingress": "all"}),
            json!({"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "ingress": [{"from": [{"podSelector": 3, "namespaceSelector": 4}], "ports": [{"port": 70000}]}]}),
        ] {
            assert!(!ask(&[policy("odd", spec)], ("shop", &labels), ("shop", &labels)).is_through());
        }
    }
}
