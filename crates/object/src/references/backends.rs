//! References of routes of the kinds that gateways read to the Services behind them.

use serde_json::Value;

use super::{Collector, Need, port_text};
use crate::Object;

/// Where a kind of route names its Services. Facts: the projects' published CustomResourceDefinitions (Gateway API 1.x, Contour
/// `projectcontour.io/v1`, APISIX `apisix.apache.org/v2`, Kong `configuration.konghq.com/v1beta1`).
struct Backends {
    group: &'static str,
    kinds: &'static [&'static str],
    /// The lists to go through, one within the other; the last one holds what names a Service.
    lists: &'static [&'static str],
    /// The field of an entry that holds name and port; empty for the entry itself.
    within: &'static str,
    name: &'static str,
    port: &'static str,
}

const GATEWAY: &str = "gateway.networking.k8s.io";

const BACKENDS: &[Backends] = &[
    Backends {
        group: GATEWAY,
        kinds: &["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"],
        lists: &["rules", "backendRefs"],
        within: "",
        name: "name",
        port: "port",
    },
    Backends {
        group: GATEWAY,
        kinds: &["HTTPRoute", "GRPCRoute"],
        lists: &["rules", "filters"],
        within: "requestMirror.backendRef",
        name: "name",
        port: "port",
    },
    Backends {
        group: "projectcontour.io",
        kinds: &["HTTPProxy"],
        lists: &["routes", "services"],
        within: "",
        name: "name",
        port: "port",
    },
    Backends {
        group: "projectcontour.io",
        kinds: &["HTTPProxy"],
        lists: &["tcpproxy.services"],
        within: "",
        name: "name",
        port: "port",
    },
    Backends {
        group: "apisix.apache.org",
        kinds: &["ApisixRoute"],
        lists: &["http", "backends"],
        within: "",
        name: "serviceName",
        port: "servicePort",
    },
    Backends {
        group: "configuration.konghq.com",
        kinds: &["TCPIngress", "UDPIngress"],
        lists: &["rules"],
        within: "backend",
        name: "serviceName",
        port: "servicePort",
    },
];

pub(super) fn references(found: &mut Collector, object: &Object) {
    let of_kind = |it: &&Backends| it.group == object.group() && it.kinds.contains(&object.kind());
    for backends in BACKENDS.iter().filter(of_kind) {
        let mut entries = vec![("spec".to_owned(), object.at("/spec").unwrap_or(&Value::Null))];
        for list in backends.lists {
            entries = entries.into_iter().flat_map(|(path, value)| below(&path, value, list)).collect();
        }
        for (path, entry) in entries {
            let Some(entry) = at(entry, backends.within) else { continue };
            let path = joined(&path, backends.within);
            let text = |field: &str| entry.get(field).and_then(Value::as_str);
            // What is no Service is somebody else's kind.
            if text("kind").is_some_and(|kind| kind != "Service")
                || text("group").is_some_and(|group| !group.is_empty())
            {
                continue;
            }
            let namespace = text("namespace").map(str::to_owned).or_else(|| found.namespace.clone());
            let port = port_text(entry.get(backends.port));
            found.add("", "Service", namespace, entry.get(backends.name), port, path, Need::Later);
        }
    }
}

/// The entries of a list below a value, each with its path.
fn below<'v>(path: &str, value: &'v Value, list: &str) -> Vec<(String, &'v Value)> {
    let entries = at(value, list).and_then(Value::as_array).into_iter().flatten().enumerate();
    entries.map(|(index, entry)| (format!("{}[{index}]", joined(path, list)), entry)).collect()
}

fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').filter(|step| !step.is_empty()).try_fold(value, |value, step| value.get(step))
}

fn joined(path: &str, field: &str) -> String {
    if field.is_empty() { path.to_owned() } else { format!("{path}.{field}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Object;
    use crate::references::references;

    fn told(api: &str, kind: &str, spec: &serde_json::Value) -> Vec<String> {
        let object =
            json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": "n"}, "spec": spec});
        let found = references(&Object::from_value(object).expect("a map"));
        let line = |it: &crate::references::Reference| {
            let port = it.key.as_deref().unwrap_or("-");
            format!("{} {}/{}:{port} {}", it.kind, it.namespace.as_deref().unwrap_or_default(), it.name, it.path)
        };
        found.iter().map(line).collect()
    }

    #[test]
    fn routes_of_gateways_name_services_by_their_own_fields() {
        let api = "gateway.networking.k8s.io/v1";
        let spec = json!({"rules": [{"backendRefs": [{"name": "web", "port": 80}, {"name": "b", "kind": "Bucket"},
            {"name": "far", "namespace": "m", "port": 81}],
            "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "copy", "port": 82}}}]}]});
        assert_eq!(
            told(api, "HTTPRoute", &spec),
            [
                "Service n/web:80 spec.rules[0].backendRefs[0]",
                "Service m/far:81 spec.rules[0].backendRefs[2]",
                "Service n/copy:82 spec.rules[0].filters[0].requestMirror.backendRef",
            ]
        );
        assert_eq!(told(api, "Gateway", &spec), [""; 0]);
        let proxy = json!({"routes": [{"services": [{"name": "web", "port": 80}]}], "tcpproxy": {"services": [{"name": "t", "port": 1}]}});
        assert_eq!(
            told("projectcontour.io/v1", "HTTPProxy", &proxy),
            ["Service n/web:80 spec.routes[0].services[0]", "Service n/t:1 spec.tcpproxy.services[0]"]
        );
        let http = json!({"http": [{"backends": [{"serviceName": "web", "servicePort": "http"}]}]});
        assert_eq!(told("apisix.apache.org/v2", "ApisixRoute", &http), ["Service n/web:http spec.http[0].backends[0]"]);
        let tcp = json!({"rules": [{"backend": {"serviceName": "db", "servicePort": 5432}}]});
        assert_eq!(
            told("configuration.konghq.com/v1beta1", "TCPIngress", &tcp),
            ["Service n/db:5432 spec.rules[0].backend"]
        );
    }
}
