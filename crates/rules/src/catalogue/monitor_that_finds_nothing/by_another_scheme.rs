//! Monitors that ask by another scheme than the probes of the same port do.

use landfall_diag::Finding;
use serde_json::Value;

use super::{OF_A_MESH, RULE};
use crate::pods::{Container, PodTemplate};
use crate::subject::Desired;

/// The endpoints of a monitor that ask by TLS where all probes ask in plain HTTP, or the other way round. `targets` says which
/// port of which pods an endpoint measures.
pub(super) fn by_another_scheme<'p, T>(monitor: &Desired, field: &str, targets: T) -> Vec<Finding>
where
    T: Fn(&Value) -> Vec<(Value, &'p [PodTemplate<'p>])>,
{
    let endpoints = monitor.object.list_at(&format!("/spec/{field}")).iter().enumerate();
    let plain = endpoints.filter(|(_, it)| !is_told_how(it));
    plain
        .filter_map(|(at, endpoint)| {
            let probed: Vec<Probed<'_>> =
                targets(endpoint).iter().filter_map(|(port, pods)| probed(pods, port)).collect();
            let is_secure = is_tls(&endpoint["scheme"]);
            let first = probed.first().filter(|_| probed.iter().all(|it| it.is_secure != is_secure))?;
            Some(other_than(monitor, field, at, endpoint, first))
        })
        .collect()
}

fn other_than(monitor: &Desired, field: &str, at: usize, endpoint: &Value, probed: &Probed<'_>) -> Finding {
    let (kind, name, container) = (monitor.object.kind(), monitor.object.name(), probed.container);
    let (asked, other) = if probed.is_secure { ("http", "https") } else { ("https", "http") };
    let place = if endpoint["scheme"].is_null() { "" } else { ".scheme" };
    RULE.finding(format!(
        "{kind} `{name}` asks by the scheme `{asked}`, and the probes of container `{container}` by `{other}` at the same port"
    ))
    .because("what listens there does not understand it, so nothing is measured")
    .help(format!("write `scheme: {other}`"))
    .at(monitor.spot_at(&format!("spec.{field}[{at}]{place}")))
}

/// Whether an endpoint says more of TLS, or changes by itself whom it asks and how.
fn is_told_how(endpoint: &Value) -> bool {
    let steps = endpoint["relabelings"].as_array().into_iter().flatten();
    let mut labels = steps.filter_map(|step| step["targetLabel"].as_str());
    !endpoint["tlsConfig"].is_null() || labels.any(|label| matches!(label, "__scheme__" | "__address__"))
}

fn is_tls(scheme: &Value) -> bool {
    scheme.as_str().is_some_and(|it| it.eq_ignore_ascii_case("https"))
}

/// How the probes of a container ask at a port.
struct Probed<'p> {
    container: &'p str,
    is_secure: bool,
}

/// How the probes of pods ask at a port; none where no probe does, they do not agree, or a mesh stands in front of them.
fn probed<'p>(pods: &[PodTemplate<'p>], port: &Value) -> Option<Probed<'p>> {
    if pods.iter().any(is_meshed) {
        return None;
    }
    let mut all = Vec::new();
    for container in pods.iter().flat_map(PodTemplate::containers) {
        let secure = schemes(&container, port);
        all.extend(secure.into_iter().map(|is_secure| Probed { container: container.name, is_secure }));
    }
    let is_one = all.iter().all(|it| Some(it.is_secure) == all.first().map(|first| first.is_secure));
    all.into_iter().next().filter(|_| is_one)
}

/// Whether each probe of a container that asks over HTTP at a port of its own does so by TLS.
fn schemes(container: &Container<'_>, port: &Value) -> Vec<bool> {
    let Some(own) = container.ports().find(|own| is_it(port, *own)) else { return Vec::new() };
    let get = |probe: &&str| container.value.get(*probe)?.get("httpGet");
    let asking = ["startupProbe", "readinessProbe", "livenessProbe"].iter().filter_map(get);
    asking.filter(|get| is_it(&get["port"], own)).map(|get| is_tls(&get["scheme"])).collect()
}

/// Whether a port is said by a number or a name that a container's port has.
fn is_it(said: &Value, (number, name): (u64, &str)) -> bool {
    match said.as_str() {
        Some(text) => (!name.is_empty() && text == name) || text.parse::<u64>() == Ok(number),
        None => said.as_u64() == Some(number),
    }
}

/// Whether a mesh is to put its proxy into pods: what asks them from outside may have to speak otherwise than the kubelet.
fn is_meshed(template: &PodTemplate<'_>) -> bool {
    let mut marks = template.annotations().into_iter().chain(template.labels()).flat_map(|map| map.keys());
    marks.any(|key| OF_A_MESH.iter().any(|mesh| key.contains(mesh)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pods::ContainerRole;

    #[test]
    fn probes_ask_at_a_port_by_its_name_or_number() {
        let value = json!({
            "ports": [{"name": "http", "containerPort": 8080}, {"name": "tls", "containerPort": 8443}],
            "startupProbe": {"tcpSocket": {"port": "http"}},
            "readinessProbe": {"httpGet": {"port": "http"}},
            "livenessProbe": {"httpGet": {"port": 8443, "scheme": "HTTPS"}},
        });
        let container = Container { name: "web", path: String::new(), role: ContainerRole::Main, value: &value };
        for port in [json!("http"), json!(8080), json!("8080")] {
            assert_eq!(schemes(&container, &port), [false], "{port}");
        }
        assert_eq!(schemes(&container, &json!("tls")), [true]);
        assert_eq!(schemes(&container, &json!("metrics")), [false; 0]);
    }

    #[test]
    fn who_says_more_of_tls_knows_how_to_ask() {
        assert!(!is_told_how(&json!({"scheme": "https", "relabelings": [{"targetLabel": "pod"}]})));
        assert!(is_told_how(&json!({"tlsConfig": {"insecureSkipVerify": true}})));
        assert!(is_told_how(&json!({"relabelings": [{"targetLabel": "__scheme__"}]})));
    }
}
