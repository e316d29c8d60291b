//! EndpointSlices and Endpoints (`pkg/apis/discovery/validation`, `pkg/apis/core/validation`).

use std::net::IpAddr;

use landfall_object::FieldError;

use super::at::{At, Errors};
use super::{metadata, names};

const MOST_ENDPOINTS: usize = 1000;
const MOST_PORTS: usize = 20_000;
const MOST_ADDRESSES: usize = 100;
const MOST_TOPOLOGY_LABELS: usize = 16;
const MOST_HINTS: usize = 8;

pub(super) fn validate(errors: &mut Errors, kind: &str, object: &At<'_>, old: Option<&At<'_>>) {
    let unchanged = |field: &str| old.is_some_and(|old| old.get(field).value == object.get(field).value);
    match kind {
        "EndpointSlice" => {
            let family = object.get("addressType");
            errors.one_of(&family, &["FQDN", "IPv4", "IPv6"]);
            slice_ports(errors, &object.get("ports"));
            // What an older server let in stays as long as nobody touches it.
            if !unchanged("endpoints") {
                endpoints(errors, &object.get("endpoints"), family.text());
            }
            if let Some(old) = old {
                errors.immutable(&family, &old.get("addressType"));
            }
        }
        "Endpoints" if !unchanged("subsets") => {
            for subset in object.get("subsets").items() {
                self::subset(errors, &subset);
            }
        }
        _ => {}
    }
}

fn slice_ports(errors: &mut Errors, ports: &At<'_>) {
    let count = ports.items().count();
    if count > MOST_PORTS {
        errors.push(FieldError::too_many(ports.path.clone(), count, MOST_PORTS));
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for port in ports.items() {
        let name = port.get("name");
        if !name.is_empty() {
            errors.each(&name, names::dns_label(name.text()));
        }
        if seen.contains(&name.text()) {
            errors.push(FieldError::duplicate(name.path.clone(), name.text()));
        } else {
            seen.push(name.text());
        }
        protocol_of(errors, &port);
    }
}

fn protocol_of(errors: &mut Errors, port: &At<'_>) {
    errors.one_of(&port.get("protocol"), &["SCTP", "TCP", "UDP"]);
    let app = port.get("appProtocol");
    if app.is_set() {
        errors.each(&app, names::qualified_name(app.text()));
    }
}

fn endpoints(errors: &mut Errors, endpoints: &At<'_>, family: &str) {
    let count = endpoints.items().count();
    if count > MOST_ENDPOINTS {
        errors.push(FieldError::too_many(endpoints.path.clone(), count, MOST_ENDPOINTS));
        return;
    }
    for endpoint in endpoints.items() {
        let addresses = endpoint.get("addresses");
        let count = addresses.items().count();
        if count == 0 {
            errors.required(addresses.path.clone(), "must contain at least 1 address");
        } else if count > MOST_ADDRESSES {
            errors.push(FieldError::too_many(addresses.path.clone(), count, MOST_ADDRESSES));
        }
        for address in addresses.items() {
            slice_address(errors, &addresses, &address, family);
        }
        let node = endpoint.get("nodeName");
        if node.is_set() {
            errors.each(&node, names::dns_subdomain(node.text()));
        }
        let topology = endpoint.get("deprecatedTopology");
        let labels = topology.entries().count();
        if labels > MOST_TOPOLOGY_LABELS {
            errors.push(FieldError::too_many(topology.path.clone(), labels, MOST_TOPOLOGY_LABELS));
        }
        metadata::labels(errors, &topology);
        let host = endpoint.get("hostname");
        if host.is_set() {
            errors.each(&host, names::dns_label(host.text()));
        }
        hints(errors, &endpoint.dig("hints.forZones"), names::label_value);
        hints(errors, &endpoint.dig("hints.forNodes"), names::dns_subdomain);
    }
}

fn slice_address(errors: &mut Errors, addresses: &At<'_>, address: &At<'_>, family: &str) {
    let text = address.text();
    let (is_family, name): (fn(&IpAddr) -> bool, &str) = match family {
        "IPv4" => (IpAddr::is_ipv4, "an IPv4"),
        "IPv6" => (IpAddr::is_ipv6, "an IPv6"),
        "FQDN" => {
            errors.each(address, names::domain(text));
            return;
        }
        _ => return,
    };
    let messages = names::canonical_ip(text);
    if messages.is_empty() {
        if text.parse().is_ok_and(|ip: IpAddr| !is_family(&ip)) {
            errors.push(FieldError::invalid(addresses.path.clone(), text, format!("must be {name} address")));
        }
        errors.each(address, names::endpoint_ip(text));
    } else {
        errors.each(address, messages);
    }
}

fn hints(errors: &mut Errors, hints: &At<'_>, rule: fn(&str) -> Vec<String>) {
    let count = hints.items().count();
    if count > MOST_HINTS {
        errors.push(FieldError::too_many(hints.path.clone(), count, MOST_HINTS));
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for hint in hints.items() {
        let name = hint.get("name");
        if seen.contains(&name.text()) {
            errors.duplicate(&name);
        } else {
            seen.push(name.text());
        }
        errors.each(&name, rule(name.text()));
    }
}

fn subset(errors: &mut Errors, subset: &At<'_>) {
    let (ready, other) = (subset.get("addresses"), subset.get("notReadyAddresses"));
    if ready.is_empty() && other.is_empty() {
        errors.required(subset.path.clone(), "must specify `addresses` or `notReadyAddresses`");
    }
    for address in ready.items().chain(other.items()) {
        let (ip, host, node) = (address.get("ip"), address.get("hostname"), address.get("nodeName"));
        let ip = At::new(ip.value, ip.path);
        for message in names::ip(ip.text()) {
            errors.push(FieldError::invalid(ip.path.clone(), ip.text(), message));
        }
        if !host.is_empty() {
            errors.each(&host, names::dns_label(host.text()));
        }
        if node.is_set() {
            errors.each(&node, names::dns_subdomain(node.text()));
        }
        for message in names::endpoint_ip(ip.text()) {
            errors.push(FieldError::invalid(ip.path.clone(), ip.text(), message));
        }
    }
    let ports = subset.get("ports");
    let several = ports.items().count() > 1;
    for port in ports.items() {
        let (name, number) = (port.get("name"), port.get("port"));
        if !name.is_empty() {
            errors.each(&name, names::dns_label(name.text()));
        } else if several {
            errors.required(name.path, "");
        }
        if !(1..=65_535).contains(&number.int().unwrap_or(0)) {
            let value = number.int().unwrap_or(0);
            errors.push(FieldError::invalid(number.path, value, "must be between 1 and 65535, inclusive"));
        }
        protocol_of(errors, &port);
    }
}
