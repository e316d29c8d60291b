//! Ports of a container that others ask for by name: probes and lifecycle hooks.

use std::fmt;

use serde_json::Value;

/// Who asks a container for an answer at one of its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// `startupProbe`: until it passes, the container has not started.
    Startup,
    /// `readinessProbe`: until it passes, the container gets no traffic.
    Readiness,
    /// `livenessProbe`: when it fails, the container is started again.
    Liveness,
    /// `lifecycle.postStart`: when it fails, the container is killed.
    PostStart,
    /// `lifecycle.preStop`: when it fails, the container is stopped all the same.
    PreStop,
}

/// A port's name that no port of the container has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostPort<'a> {
    /// Who asks for it.
    pub asker: Asker,
    /// Where the name stands in the container: `readinessProbe.httpGet.port`.
    pub field: &'static str,
    /// The name.
    pub name: &'a str,
}

/// Everywhere that a container names one of its ports. A `tcpSocket` of a lifecycle hook never runs.
const NAMED: [(Asker, &str, &str); 8] = [
    (Asker::Startup, "/startupProbe/httpGet/port", "startupProbe.httpGet.port"),
    (Asker::Startup, "/startupProbe/tcpSocket/port", "startupProbe.tcpSocket.port"),
    (Asker::Readiness, "/readinessProbe/httpGet/port", "readinessProbe.httpGet.port"),
    (Asker::Readiness, "/readinessProbe/tcpSocket/port", "readinessProbe.tcpSocket.port"),
    (Asker::Liveness, "/livenessProbe/httpGet/port", "livenessProbe.httpGet.port"),
    (Asker::Liveness, "/livenessProbe/tcpSocket/port", "livenessProbe.tcpSocket.port"),
    (Asker::PostStart, "/lifecycle/postStart/httpGet/port", "lifecycle.postStart.httpGet.port"),
    (Asker::PreStop, "/lifecycle/preStop/httpGet/port", "lifecycle.preStop.httpGet.port"),
];

impl Asker {
    /// As a person calls it: `readiness probe`, `postStart hook`.
    pub fn word(self) -> &'static str {
        match self {
            Asker::Startup => "startup probe",
            Asker::Readiness => "readiness probe",
            Asker::Liveness => "liveness probe",
            Asker::PostStart => "postStart hook",
            Asker::PreStop => "preStop hook",
        }
    }

    /// Whether a container whose port this one does not find can never become ready. A liveness probe that finds none is
    /// thrown away, and so is a `preStop` hook (`pkg/kubelet/prober/worker.go`, `kuberuntime_container.go`).
    pub fn holds_up(self) -> bool {
        matches!(self, Asker::Startup | Asker::Readiness | Asker::PostStart)
    }
}

/// The port names in a container's probes and lifecycle hooks that none of its ports has, in the order in which they are asked.
///
/// A number written as text is a number, as for the kubelet (`pkg/probe/util.go`).
pub fn lost_ports(container: &Value) -> Vec<LostPort<'_>> {
    let named = NAMED.iter().filter_map(|(asker, pointer, field)| {
        let name = container.pointer(pointer)?.as_str()?;
        port_named(container, name).is_err().then_some(LostPort { asker: *asker, field, name })
    });
    named.collect()
}

/// The names of a container's ports.
pub fn port_names(container: &Value) -> impl Iterator<Item = &str> {
    let ports = container.get("ports").and_then(Value::as_array).into_iter().flatten();
    ports.filter_map(|port| port.get("name")?.as_str()).filter(|name| !name.is_empty())
}

/// The number of a container's port by number, by name, or by a number written as text (`ResolveContainerPort`).
///
/// # Errors
/// What the kubelet says when there is none.
pub fn container_port(container: &Value, port: &Value) -> Result<u16, UnknownPort> {
    match port {
        Value::String(name) => port_named(container, name),
        number => in_range(number.as_i64().unwrap_or(-1)),
    }
}

fn port_named(container: &Value, name: &str) -> Result<u16, UnknownPort> {
    let mut ports = container.get("ports").and_then(Value::as_array).into_iter().flatten();
    if let Some(port) = ports.find(|port| port.get("name").and_then(Value::as_str) == Some(name)) {
        return in_range(port.get("containerPort").and_then(Value::as_i64).unwrap_or(0));
    }
    match name.parse() {
        Ok(number) => in_range(number),
        Err(_) => Err(UnknownPort::Name(name.to_owned())),
    }
}

fn in_range(number: i64) -> Result<u16, UnknownPort> {
    u16::try_from(number).ok().filter(|port| *port > 0).ok_or(UnknownPort::Number(number))
}

/// Why a container has no such port; prints as the kubelet's error does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownPort {
    /// No port has that name, and it is no number.
    Name(String),
    /// No port number.
    Number(i64),
}

impl fmt::Display for UnknownPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnknownPort::Name(name) => write!(f, "strconv.Atoi: parsing {}: invalid syntax", crate::go_quote(name)),
            UnknownPort::Number(number) => write!(f, "invalid port number: {number}"),
        }
    }
}

impl std::error::Error for UnknownPort {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_port_is_found_by_number_by_name_and_by_a_number_as_text() {
        let container = json!({"ports": [{"name": "http", "containerPort": 8080}, {"containerPort": 9}]});
        let found = |port: Value| container_port(&container, &port).map_err(|error| error.to_string());
        assert_eq!(found(json!("http")), Ok(8080));
        assert_eq!(found(json!(7)), Ok(7));
        assert_eq!(found(json!("81")), Ok(81));
        assert_eq!(found(json!("web")), Err("strconv.Atoi: parsing \"web\": invalid syntax".to_owned()));
        assert_eq!(found(json!("0")), Err("invalid port number: 0".to_owned()));
        assert_eq!(found(json!(70_000)), Err("invalid port number: 70000".to_owned()));
    }

    #[test]
    fn names_that_no_port_has_are_told_with_their_askers() {
        let container = json!({
            "ports": [{"name": "http", "containerPort": 8080}],
            "startupProbe": {"httpGet": {"port": "http"}},
            "readinessProbe": {"tcpSocket": {"port": "web"}},
            "livenessProbe": {"grpc": {"port": 9}},
            "lifecycle": {"preStop": {"httpGet": {"port": "admin"}}, "postStart": {"httpGet": {"port": "8081"}}},
        });
        let lost = lost_ports(&container);
        let told: Vec<_> = lost.iter().map(|it| (it.asker.word(), it.field, it.name, it.asker.holds_up())).collect();
        assert_eq!(
            told,
            [
                ("readiness probe", "readinessProbe.tcpSocket.port", "web", true),
                ("preStop hook", "lifecycle.preStop.httpGet.port", "admin", false),
            ]
        );
        assert_eq!(port_names(&container).collect::<Vec<_>>(), ["http"]);
    }
}
