//! Rows of services, ingresses, endpoints.

use serde_json::{Value, json};

use super::{Printer, age, int_or_string, joined, labels, list, name, selector, str_of, text, wide};

pub(super) const SERVICE: Printer = Printer {
    columns: &[
        text("Name"),
        text("Type"),
        text("Cluster-IP"),
        text("External-IP"),
        text("Port(s)"),
        text("Age"),
        wide("Selector"),
    ],
    row: |object, now| {
        let spec = &object["spec"];
        let internal = list(&spec["clusterIPs"]).first().map_or("<none>", |address| str_of(address));
        vec![
            name(object),
            spec["type"].clone(),
            json!(internal),
            json!(external(object)),
            json!(ports(list(&spec["ports"]))),
            age(object, now),
            json!(labels(&spec["selector"])),
        ]
    },
};

fn external(service: &Value) -> String {
    let spec = &service["spec"];
    let given = joined(list(&spec["externalIPs"]).iter().map(str_of));
    match str_of(&spec["type"]) {
        "LoadBalancer" => {
            let ingress = addresses(&service["status"]["loadBalancer"]);
            match (given.is_empty(), ingress.is_empty()) {
                (true, true) => "<pending>".to_owned(),
                (true, false) => ingress,
                (false, true) => given,
                (false, false) => format!("{ingress},{given}"),
            }
        }
        "ExternalName" => str_of(&spec["externalName"]).to_owned(),
        _ if given.is_empty() => "<none>".to_owned(),
        _ => given,
    }
}

fn addresses(balancer: &Value) -> String {
    joined(list(&balancer["ingress"]).iter().map(|ingress| match str_of(&ingress["ip"]) {
        "" => str_of(&ingress["hostname"]),
        address => address,
    }))
}

fn ports(ports: &[Value]) -> String {
    let shown = ports.iter().map(|port| {
        let (number, protocol) = (port["port"].as_i64().unwrap_or(0), str_of(&port["protocol"]));
        match port["nodePort"].as_i64() {
            Some(node) if node > 0 => format!("{number}:{node}/{protocol}"),
            _ => format!("{number}/{protocol}"),
        }
    });
    let text = shown.collect::<Vec<_>>().join(",");
    if text.is_empty() { "<none>".to_owned() } else { text }
}

pub(super) const INGRESS: Printer = Printer {
    columns: &[text("Name"), text("Class"), text("Hosts"), text("Address"), text("Ports"), text("Age")],
    row: |object, now| {
        let spec = &object["spec"];
        let class = spec["ingressClassName"]
            .as_str()
            .or_else(|| object["metadata"]["annotations"]["kubernetes.io/ingress.class"].as_str())
            .unwrap_or("<none>");
        let hosts: Vec<&str> =
            list(&spec["rules"]).iter().map(|rule| str_of(&rule["host"])).filter(|host| !host.is_empty()).collect();
        let shown = match hosts.len() {
            0 => "*".to_owned(),
            1..=3 => hosts.join(","),
            count => format!("{} + {} more...", hosts[..3].join(","), count - 3),
        };
        let ports = if list(&spec["tls"]).is_empty() { "80" } else { "80, 443" };
        vec![
            name(object),
            json!(class),
            json!(shown),
            json!(addresses(&object["status"]["loadBalancer"])),
            json!(ports),
            age(object, now),
        ]
    },
};

pub(super) const INGRESS_CLASS: Printer = Printer {
    columns: &[text("Name"), text("Controller"), text("Parameters"), text("Age")],
    row: |object, now| {
        let parameters = &object["spec"]["parameters"];
        let shown = if parameters.is_object() {
            let group = str_of(&parameters["apiGroup"]);
            let kind = str_of(&parameters["kind"]);
            let kind = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
            format!("{kind}/{}", str_of(&parameters["name"]))
        } else {
            "<none>".to_owned()
        };
        vec![name(object), object["spec"]["controller"].clone(), json!(shown), age(object, now)]
    },
};

pub(super) const NETWORK_POLICY: Printer = Printer {
    columns: &[text("Name"), text("Pod-Selector"), text("Age")],
    row: |object, now| vec![name(object), selector(&object["spec"]["podSelector"]), age(object, now)],
};

pub(super) const ENDPOINTS: Printer = Printer {
    columns: &[text("Name"), text("Endpoints"), text("Age")],
    row: |object, now| {
        let mut all = Vec::new();
        for subset in list(&object["subsets"]) {
            for port in list(&subset["ports"]) {
                for address in list(&subset["addresses"]) {
                    all.push(format!("{}:{}", str_of(&address["ip"]), port["port"]));
                }
            }
            if list(&subset["ports"]).is_empty() {
                all.extend(list(&subset["addresses"]).iter().map(|address| str_of(&address["ip"]).to_owned()));
            }
        }
        vec![name(object), json!(few(&all, "<none>")), age(object, now)]
    },
};

pub(super) const ENDPOINT_SLICE: Printer = Printer {
    columns: &[text("Name"), text("AddressType"), text("Ports"), text("Endpoints"), text("Age")],
    row: |object, now| {
        let ports: Vec<String> = list(&object["ports"])
            .iter()
            .map(|port| match (&port["port"], str_of(&port["name"])) {
                (Value::Null, "") => "*".to_owned(),
                (Value::Null, name) => name.to_owned(),
                (port, _) => int_or_string(port),
            })
            .collect();
        let endpoints: Vec<String> = list(&object["endpoints"])
            .iter()
            .flat_map(|endpoint| list(&endpoint["addresses"]).iter().map(|address| str_of(address).to_owned()))
            .collect();
        vec![
            name(object),
            object["addressType"].clone(),
            json!(few(&ports, "<unset>")),
            json!(few(&endpoints, "<unset>")),
            age(object, now),
        ]
    },
};

/// At most three, and how many more there are.
fn few(all: &[String], none: &str) -> String {
    match all.len() {
        0 => none.to_owned(),
        1..=3 => all.join(","),
        count => format!("{} + {} more...", all[..3].join(","), count - 3),
    }
}
