//! `/proxy` of pods and services: a request to a simulated container, answered as far as answers are declared
//! (`pkg/registry/core/pod/strategy.go` and `service/storage/storage.go`, `ResourceLocation`).

use std::sync::Arc;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};

use super::Call;
use super::answer::Answer;
use super::target::Target;
use crate::containers::{Backend, Containers, HttpAnswer, PortRequest, ServiceRequest};
use crate::lines::Body;
use crate::plane::Plane;
use crate::status::Status;
use crate::world::World;

/// Where HTTP is spoken when neither the request nor the pod names a port.
const HTTP: u16 = 80;

pub(crate) fn open(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Response<Body>, Status> {
    let Some(path) = behind(&call.path) else {
        // Pages link relative to where they are.
        let mut answer = Answer::text(301, "");
        answer.code = StatusCode::MOVED_PERMANENTLY;
        if let Ok(there) = HeaderValue::from_str(&with_query(&format!("{}/", call.path), call)) {
            answer.headers.insert(LOCATION, there);
        }
        return Ok(answer.into_response(&call.headers));
    };
    let (namespace, id) = (target.path.namespace.as_str(), target.path.name.as_str());
    let asked = with_query(&path, call);
    if &*target.resource.id == "services"
        && let Some((name, _)) = name_and_port(id)
    {
        let (method, agent) = (call.method.as_str(), call.agent());
        let request = ServiceRequest { namespace, name, method, path: &asked, agent, body: &call.body };
        if let Some(answer) = plane.containers.stands_behind(&plane.world, &request) {
            return passed_on(answer);
        }
    }
    let (backend, now) = {
        let world = plane.world.lock();
        let backend = match &*target.resource.id {
            "services" => of_service(&world, &*plane.containers, namespace, id)?,
            _ => of_pod(&world, namespace, id)?,
        };
        (backend, world.now())
    };
    let request = PortRequest { method: call.method.as_str(), path: &asked, body: &call.body, now };
    let answer = plane.containers.pass(&backend, &request);
    Ok(answer.map(|body| body.map_err(|never| match never {}).boxed_unsync()))
}

/// An answer as it goes out.
fn passed_on(answer: HttpAnswer) -> Result<Response<Body>, Status> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = Full::new(Bytes::from(answer.body)).map_err(|never| match never {}).boxed_unsync();
    response.body(body).map_err(Status::internal)
}

/// What follows `/api/v1/namespaces/NAMESPACE/RESOURCE/NAME/proxy`, as it was sent; none without a slash after it.
fn behind(path: &str) -> Option<String> {
    let rest = path.trim_start_matches('/').splitn(8, '/').nth(7)?;
    Some(format!("/{rest}"))
}

fn with_query(path: &str, call: &Call) -> String {
    if call.raw_query.is_empty() { path.to_owned() } else { format!("{path}?{}", call.raw_query) }
}

/// `[SCHEME:]NAME[:PORT]`; name and port.
fn name_and_port(id: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = id.split(':').collect();
    match parts.as_slice() {
        [name] => Some((*name, "")),
        [name, port] => Some((*name, *port)),
        ["" | "http" | "https", name, port] => Some((*name, *port)),
        _ => None,
    }
    .filter(|(name, _)| !name.is_empty())
}

fn of_service(world: &World, containers: &dyn Containers, namespace: &str, id: &str) -> Result<Backend, Status> {
    let Some((name, wanted)) = name_and_port(id) else {
        return Err(Status::bad_request(format!("invalid service request {id:?}")));
    };
    let service = world.get("services", namespace, name)?;
    let ports = service["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let port =
        match wanted.parse::<i64>() {
            Ok(number) => {
                let port = ports.iter().find(|port| port["port"] == number);
                Some(port.ok_or_else(|| {
                    Status::unavailable(format!("no service port {number} found for service {name:?}"))
                })?)
            }
            Err(_) => ports.iter().find(|port| port["name"].as_str().unwrap_or_default() == wanted),
        };
    let none = || Status::unavailable(format!("no endpoints available for service {id:?}"));
    let ready = containers.ready(world, &service, port.ok_or_else(none)?);
    ready.into_iter().next().ok_or_else(none)
}

fn of_pod(world: &World, namespace: &str, id: &str) -> Result<Backend, Status> {
    let Some((name, wanted)) = name_and_port(id) else {
        return Err(Status::bad_request(format!("invalid pod request {id:?}")));
    };
    let pod = world.get("pods", namespace, name)?;
    if pod["status"]["podIP"].as_str().unwrap_or_default().is_empty() {
        return Err(Status::bad_request("address not allowed"));
    }
    let first = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .find_map(|container| container["ports"].get(0).and_then(|port| port["containerPort"].as_u64()));
    let port = match wanted {
        "" => first.and_then(|port| u16::try_from(port).ok()).unwrap_or(HTTP),
        wanted => wanted.parse().map_err(|_| Status::bad_request(format!("invalid pod request {id:?}")))?,
    };
    Ok(Backend { pod, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_proxy_is_the_containers() {
        let place = "/api/v1/namespaces/proxy/services/proxy/proxy";
        assert_eq!(behind(place), None);
        assert_eq!(behind(&format!("{place}/")).as_deref(), Some("/"));
        assert_eq!(behind(&format!("{place}/a/b%20c")).as_deref(), Some("/a/b%20c"));
    }

    #[test]
    fn names_may_have_a_scheme_and_a_port() {
        assert_eq!(name_and_port("web"), Some(("web", "")));
        assert_eq!(name_and_port("web:http"), Some(("web", "http")));
        assert_eq!(name_and_port("https:web:443"), Some(("web", "443")));
        assert_eq!(name_and_port("http:web:"), Some(("web", "")));
        for wrong in ["", ":80", "ftp:web:21", "a:b:c:d"] {
            assert_eq!(name_and_port(wrong), None, "{wrong}");
        }
    }
}
