//! Watches over a WebSocket: one message an event. Java's clients ask for them so, and wait for ever for the end of an answer in another form.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http::{Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::Watch;
use crate::api::Call;
use crate::api::answer::full;
use crate::api::streams;
use crate::lines::Body;
use crate::status::Status;

/// How long the client's own farewell is waited for.
const PARTING: Duration = Duration::from_secs(1);

/// True where a WebSocket is asked for.
pub(super) fn is_asked_for(call: &Call) -> bool {
    let asked = call.headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    asked.is_some_and(|asked| asked.eq_ignore_ascii_case("websocket"))
}

/// Switches protocols; the events follow.
pub(super) fn open(call: &Call, watch: Watch, upgrade: OnUpgrade) -> Result<Response<Body>, Status> {
    // As Go's package does: whoever says nothing of where they come from is refused, one protocol that is offered is taken, several are not.
    if !call.headers.contains_key(header::ORIGIN) {
        return Ok(refused(StatusCode::FORBIDDEN));
    }
    let mut response = streams::shake_hands(call)?;
    if let Some(protocol) = call.headers.get(header::SEC_WEBSOCKET_PROTOCOL) {
        if protocol.as_bytes().contains(&b',') {
            return Ok(refused(StatusCode::BAD_REQUEST));
        }
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol.clone());
    }
    tokio::spawn(async move {
        if let Ok(connection) = upgrade.await {
            send(watch, streams::socket(connection).await).await;
        }
    });
    Ok(response)
}

/// A refusal without a word.
fn refused(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = code;
    response
}

/// Sends what happens until the watch ends or the client goes; what the client says is read away.
async fn send(mut watch: Watch, mut socket: streams::Socket) {
    loop {
        tokio::select! {
            received = socket.next() => if !matches!(received, Some(Ok(_))) { return },
            line = watch.next() => {
                let Some(line) = line.and_then(|line| Utf8Bytes::try_from(line).ok()) else { break };
                if socket.send(Message::Text(line)).await.is_err() {
                    return;
                }
            }
        }
    }
    let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
    let _ = socket.close(Some(frame)).await;
    // The client closes too, so that the connection ends cleanly.
    let _ = tokio::time::timeout(PARTING, async { while let Some(Ok(_)) = socket.next().await {} }).await;
}
