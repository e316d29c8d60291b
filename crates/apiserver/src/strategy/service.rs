//! Addresses and ports of Services (`pkg/registry/core/service/storage/alloc.go`).

use std::collections::HashSet;

use landfall_object::Gvk;
use serde_json::{Value, json};

use crate::status::{FieldError, Status};
use crate::validate;
use crate::world::World;

const NODE_PORTS: std::ops::RangeInclusive<u64> = 30_000..=32_767;

pub(super) fn create(world: &mut World, service: &mut Value) -> Result<(), Status> {
    service["status"] = json!({"loadBalancer": {}});
    let name = service["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    allocate(world, service, &name)
}

pub(super) fn update(world: &mut World, service: &mut Value, live: &Value) -> Result<(), Status> {
    let name = live["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let external = service["spec"]["type"] == "ExternalName";
    if !external && live["spec"]["type"] != "ExternalName" {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if is_unset(&service["spec"][field]) && !is_unset(&live["spec"][field]) {
                service["spec"][field] = live["spec"][field].clone();
            }
        }
    }
    if external {
        remove_fields(service, &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"], live);
    }
    keep_node_ports(service, live);
    drop_what_no_longer_applies(service, live);
    if external != (live["spec"]["type"] == "ExternalName") || service["spec"]["clusterIP"] == live["spec"]["clusterIP"]
    {
        return allocate(world, service, &name);
    }
    // Validation refuses another address; none is taken before.
    Ok(())
}

/// Fields that a change of type leaves behind are dropped when the client only echoes the old values.
fn remove_fields(service: &mut Value, fields: &[&str], live: &Value) {
    let Some(spec) = service["spec"].as_object_mut() else { return };
    for field in fields {
        if spec.get(*field) == live["spec"].get(*field) {
            spec.remove(*field);
        }
    }
}

fn keep_node_ports(service: &mut Value, live: &Value) {
    let wants = needs_node_ports(service);
    let old: Vec<Value> = live["spec"]["ports"].as_array().cloned().unwrap_or_default();
    for port in service["spec"]["ports"].as_array_mut().into_iter().flatten() {
        let same = old.iter().find(|old| old["port"] == port["port"] && old["protocol"] == port["protocol"]);
        let Some(node_port) = same.map(|old| old["nodePort"].clone()).filter(|port| !port.is_null()) else { continue };
        if wants && port.get("nodePort").is_none() {
            port["nodePort"] = node_port;
        } else if !wants
            && port["nodePort"] == node_port
            && let Some(map) = port.as_object_mut()
        {
            map.remove("nodePort");
        }
    }
}

/// Keeps the port of health checks while there are any; what only another type had goes with the type unless the client
/// changed it, too (`patchAllocatedValues`, `dropTypeDependentFields`).
fn drop_what_no_longer_applies(service: &mut Value, live: &Value) {
    const HEALTH: &str = "healthCheckNodePort";
    let balanced = |service: &Value| service["spec"]["type"] == "LoadBalancer";
    if checks_health(live) && checks_health(service) && service["spec"][HEALTH].as_u64().unwrap_or(0) == 0 {
        service["spec"][HEALTH] = live["spec"][HEALTH].clone();
    }
    let mut gone: Vec<&str> = Vec::new();
    if checks_health(live) && !checks_health(service) {
        gone.push(HEALTH);
    }
    if balanced(live) && !balanced(service) {
        gone.extend(["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
        service["status"]["loadBalancer"] = json!({});
    }
    if is_reached_from_outside(live) && !is_reached_from_outside(service) {
        gone.push("externalTrafficPolicy");
    }
    let named = |service: &Value| service["spec"]["type"] == "ExternalName";
    if named(service) && !named(live) {
        gone.push("internalTrafficPolicy");
    }
    remove_fields(service, &gone, live);
}

fn checks_health(service: &Value) -> bool {
    service["spec"]["type"] == "LoadBalancer" && service["spec"]["externalTrafficPolicy"] == "Local"
}

fn is_reached_from_outside(service: &Value) -> bool {
    match service["spec"]["type"].as_str() {
        Some("LoadBalancer" | "NodePort") => true,
        Some("ClusterIP") => !is_unset(&service["spec"]["externalIPs"]),
        _ => false,
    }
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn needs_node_ports(service: &Value) -> bool {
    match service["spec"]["type"].as_str() {
        Some("NodePort") => true,
        Some("LoadBalancer") => service["spec"]["allocateLoadBalancerNodePorts"] != false,
        _ => false,
    }
}

fn allocate(world: &mut World, service: &mut Value, name: &str) -> Result<(), Status> {
    if service["spec"]["type"] == "ExternalName" {
        return Ok(());
    }
    let own = service["metadata"]["uid"].clone();
    let others: Vec<_> =
        world.list("services", None).filter(|other| other["metadata"]["uid"] != own).cloned().collect();
    let taken: HashSet<&str> = others.iter().filter_map(|other| other["spec"]["clusterIP"].as_str()).collect();
    let [a, b] = world.settings().service_network;
    let given = service["spec"]["clusterIP"]
        .as_str()
        .or_else(|| service["spec"]["clusterIPs"][0].as_str())
        .unwrap_or_default()
        .to_owned();
    let invalid = |errors| Err(Status::invalid("", "Service", name, errors));
    let readable = given == "None" || given.parse::<std::net::IpAddr>().is_ok();
    if !given.is_empty() && (!readable || !is_valid(service)) {
        // What validation refuses is refused by it, before anything is allocated.
        mirror(service, &given);
        return Ok(());
    }
    let address = if given.is_empty() {
        let is_first = taken.is_empty() && name == "kubernetes";
        if is_first { format!("{a}.{b}.0.1") } else { free_address(world, [a, b], &taken) }
    } else {
        if given != "None" && taken.contains(given.as_str()) {
            return invalid(vec![FieldError::invalid(
                "spec.clusterIPs",
                json!([given]),
                format!("failed to allocate IP {given}: provided IP is already allocated"),
            )]);
        }
        let inside = given.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.octets()[..2] == [a, b]);
        if given != "None" && given.parse::<std::net::IpAddr>().is_ok() && !inside {
            return invalid(vec![FieldError::invalid(
                "spec.clusterIPs",
                json!([given]),
                format!("failed to allocate IP {given}: the provided network does not match the current range"),
            )]);
        }
        given
    };
    mirror(service, &address);
    let spec = &mut service["spec"];
    if is_unset(&spec["ipFamilies"]) {
        spec["ipFamilies"] = json!(["IPv4"]);
    }
    if is_unset(&spec["ipFamilyPolicy"]) {
        spec["ipFamilyPolicy"] = json!("SingleStack");
    }
    let checked = checks_health(service);
    if !needs_node_ports(service) && !checked {
        return Ok(());
    }
    let mut ports: HashSet<u64> = others.iter().flat_map(|other| node_ports(other)).collect();
    if checked && service["spec"]["healthCheckNodePort"].as_u64().unwrap_or(0) == 0 {
        service["spec"]["healthCheckNodePort"] = json!(free_node_port(world, &ports)?);
    }
    ports.extend(service["spec"]["healthCheckNodePort"].as_u64());
    if !needs_node_ports(service) {
        return Ok(());
    }
    let count = service["spec"]["ports"].as_array().map_or(0, Vec::len);
    for index in 0..count {
        let given = service["spec"]["ports"][index]["nodePort"].as_u64().filter(|port| *port != 0);
        let port = match given {
            Some(port) if !NODE_PORTS.contains(&port) => {
                return invalid(vec![FieldError::invalid(
                    format!("spec.ports[{index}].nodePort"),
                    port,
                    "provided port is not in the valid range. The range of valid ports is 30000-32767",
                )]);
            }
            Some(port) if ports.contains(&port) => {
                return invalid(vec![FieldError::invalid(
                    format!("spec.ports[{index}].nodePort"),
                    port,
                    "provided port is already allocated",
                )]);
            }
            Some(port) => port,
            None => free_node_port(world, &ports)?,
        };
        ports.insert(port);
        service["spec"]["ports"][index]["nodePort"] = json!(port);
    }
    Ok(())
}

/// The node ports that a service holds.
fn node_ports(service: &Value) -> Vec<u64> {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten().filter_map(|port| port["nodePort"].as_u64());
    ports.chain(service["spec"]["healthCheckNodePort"].as_u64()).collect()
}

fn free_node_port(world: &mut World, taken: &HashSet<u64>) -> Result<u64, Status> {
    let size = NODE_PORTS.end() - NODE_PORTS.start() + 1;
    let start = world.random().below(size);
    let free = (0..size).map(|step| NODE_PORTS.start() + (start + step) % size).find(|port| !taken.contains(port));
    free.ok_or_else(|| Status::internal("failed to allocate a nodePort: range is full"))
}

/// The first address stands in both fields.
fn mirror(service: &mut Value, address: &str) {
    let spec = &mut service["spec"];
    spec["clusterIP"] = json!(address);
    if is_unset(&spec["clusterIPs"]) {
        spec["clusterIPs"] = json!([address]);
    }
}

fn is_valid(service: &Value) -> bool {
    validate::of_create(&Gvk::new("", "v1", "Service"), service).is_empty()
}

fn free_address(world: &mut World, [a, b]: [u8; 2], taken: &HashSet<&str>) -> String {
    // The first 16 are left to those who choose their own, as the real allocator prefers.
    for _ in 0..1_000_000 {
        let number = 16 + world.random().below(65_518 - 16);
        let address = format!("{a}.{b}.{}.{}", number >> 8, number & 0xFF);
        if !taken.contains(address.as_str()) {
            return address;
        }
    }
    format!("{a}.{b}.255.254")
}
