//! exec, attach and port-forward.
//!
//! ```text
//! exec, attach    WebSocket, v4/v5.channel.k8s.io: the first byte of a message names the channel
//! port-forward    WebSocket, v4.channel.k8s.io (kube-rs): two channels a port
//!                 WebSocket, SPDY/3.1+portforward.k8s.io (kubectl): SPDY frames inside messages
//!                 Upgrade to SPDY/3.1 (older kubectl): the same frames on the bare connection
//! ```

mod channel;
mod conversation;
mod forward;
mod inflate;
mod spdy;
mod tunnel;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::Call;
use super::answer::full;
use super::logs::container;
use super::target::Target;
use crate::lines::Body;
use crate::places::Place;
use crate::plane::Plane;
use crate::status::Status;
use crate::world::Stored;

/// A WebSocket on a connection that hyper has given up.
pub(super) type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// What a stream is about.
struct Session {
    plane: Arc<Plane>,
    pod: Arc<Stored>,
    container: String,
    /// One of those that its user may have open.
    _place: Option<Place>,
}

pub(crate) fn open(
    plane: &Arc<Plane>,
    call: &Call,
    target: &Target<'_>,
    upgrade: Option<OnUpgrade>,
) -> Result<Response<Body>, Status> {
    let path = target.path;
    let pod = plane.world.lock().get("pods", &path.namespace, &path.name)?;
    if pod["spec"]["nodeName"].as_str().unwrap_or_default().is_empty() {
        return Err(Status::bad_request(format!("pod {} does not have a host assigned", path.name)));
    }
    let forward = path.subresource == "portforward";
    let container = if forward { String::new() } else { container(&pod, call.query.get("container"))? };
    if !forward && matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
        let phase = pod["status"]["phase"].as_str().unwrap_or_default();
        return Err(Status::bad_request(format!(
            "cannot {} a container in a completed pod; current phase is {phase}",
            path.subresource
        )));
    }
    let Some(upgrade) = upgrade else {
        return Err(Status::bad_request("you must specify a protocol to upgrade to: WebSocket or SPDY/3.1"));
    };
    let session = Session { plane: plane.clone(), pod, container, _place: call.stream()? };
    let asked = call.headers.get(header::UPGRADE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if asked.eq_ignore_ascii_case("websocket") {
        return websocket(call, session, path.subresource.clone(), upgrade);
    }
    if asked.eq_ignore_ascii_case("spdy/3.1") && forward {
        tokio::spawn(async move {
            if let Ok(connection) = upgrade.await {
                tunnel::on_connection(session, TokioIo::new(connection)).await;
            }
        });
        let mut response = switching("SPDY/3.1");
        response.headers_mut().insert("x-stream-protocol-version", HeaderValue::from_static("portforward.k8s.io"));
        return Ok(response);
    }
    Err(Status::bad_request(format!(
        "unable to upgrade to {asked:?}: only WebSocket is served for {}",
        path.subresource
    )))
}

fn switching(protocol: &'static str) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(protocol));
    response
}

/// The answer to who asks for a WebSocket.
pub(super) fn shake_hands(call: &Call) -> Result<Response<Body>, Status> {
    let Some(key) = call.headers.get(header::SEC_WEBSOCKET_KEY) else {
        return Err(Status::bad_request("unable to upgrade: missing Sec-WebSocket-Key"));
    };
    let mut response = switching("websocket");
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        response.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}

/// The server's end of a WebSocket.
pub(super) async fn socket(connection: hyper::upgrade::Upgraded) -> Socket {
    WebSocketStream::from_raw_socket(TokioIo::new(connection), Role::Server, None).await
}

/// Protocols in the order preferred.
const CHANNELS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

fn websocket(call: &Call, session: Session, part: String, upgrade: OnUpgrade) -> Result<Response<Body>, Status> {
    let text = |name: header::HeaderName| {
        call.headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(',').map(|word| word.trim().to_owned()))
            .collect::<Vec<String>>()
    };
    let offered = text(header::SEC_WEBSOCKET_PROTOCOL);
    let known: &[&'static str] = if part == "portforward" { &[TUNNEL, "v4.channel.k8s.io"] } else { &CHANNELS };
    let Some(protocol) = known.iter().find(|known| offered.iter().any(|offer| offer == *known)) else {
        return Err(Status::bad_request(format!(
            "unable to upgrade: none of the subprotocols {offered:?} is served; known: {}",
            known.join(", ")
        )));
    };
    let mut response = shake_hands(call)?;
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    let query = call.query.clone();
    let protocol = *protocol;
    tokio::spawn(async move {
        let Ok(connection) = upgrade.await else { return };
        let socket = socket(connection).await;
        match (part.as_str(), protocol) {
            ("portforward", TUNNEL) => tunnel::on_socket(session, socket).await,
            ("portforward", _) => forward::run(session, socket, &query).await,
            ("attach", _) => channel::attach(session, socket).await,
            _ => channel::exec(session, socket, &query).await,
        }
    });
    Ok(response)
}
