//! exec and attach: `v4.channel.k8s.io` and `v5.channel.k8s.io`.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use landfall_object::UNDECLARED;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::{Session, Socket};
use crate::api::query::Query;
use crate::containers::Life;

const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;

/// Runs a command: what is declared is answered, else that the container is simulated.
pub(super) async fn exec(session: Session, mut socket: Socket, query: &Query) {
    let argv: Vec<String> = query.all("command").map(str::to_owned).collect();
    let outcome = session.plane.containers.exec(&session.pod, &session.container, &argv);
    let status = match outcome {
        Some(outcome) => {
            send(&mut socket, STDOUT, outcome.stdout.as_bytes()).await;
            send(&mut socket, STDERR, outcome.stderr.as_bytes()).await;
            exit_status(outcome.code)
        }
        None => {
            let text = format!(
                "~ container {} is simulated and declares no answer to: {}\n",
                session.container,
                argv.join(" ")
            );
            send(&mut socket, if query.flag("tty") { STDOUT } else { STDERR }, text.as_bytes()).await;
            undeclared(exit_status(126))
        }
    };
    finish(&mut socket, &status).await;
}

/// Shows the log from now on, until the container ends or the client goes.
pub(super) async fn attach(session: Session, mut socket: Socket) {
    let Session { plane, pod, container, _place } = session;
    let mut seen = 0;
    let mut changed = plane.world.lock().subscribe();
    loop {
        let (current, now) = {
            let world = plane.world.lock();
            (world.find("pods", pod.namespace(), pod.name()), world.now())
        };
        let Some(current) = current.filter(|current| current.uid() == pod.uid()) else { break };
        let lines = plane.containers.logs(&current, &container, Life::Current, now);
        let text: String = lines.iter().skip(seen).map(|line| format!("{}\n", line.text)).collect();
        seen = seen.max(lines.len());
        if !text.is_empty() && !send(&mut socket, STDOUT, text.as_bytes()).await {
            return;
        }
        let ended = matches!(current["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        if ended {
            break;
        }
        tokio::select! {
            message = socket.next() => if !matches!(message, Some(Ok(_))) { return },
            _ = changed.changed() => {}
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    }
    finish(&mut socket, &exit_status(0)).await;
}

/// What the error channel says at the end.
fn exit_status(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

/// The same status, saying that nobody declares what the command answers.
fn undeclared(mut status: Value) -> Value {
    if let Some(causes) = status.pointer_mut("/details/causes").and_then(Value::as_array_mut) {
        causes.push(json!({"reason": UNDECLARED, "message": "the container is simulated"}));
    }
    status
}

async fn send(socket: &mut Socket, channel: u8, bytes: &[u8]) -> bool {
    if bytes.is_empty() {
        return true;
    }
    for chunk in bytes.chunks(32 * 1024) {
        let mut message = Vec::with_capacity(chunk.len() + 1);
        message.push(channel);
        message.extend_from_slice(chunk);
        if socket.send(Message::Binary(Bytes::from(message))).await.is_err() {
            return false;
        }
    }
    true
}

async fn finish(socket: &mut Socket, status: &Value) {
    send(socket, ERROR, status.to_string().as_bytes()).await;
    // Only a normal closure is an end to clients; without a code it is an error.
    let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
    let _ = socket.close(Some(frame)).await;
    // The client closes too; what it still sends is read away, so that the connection ends cleanly.
    let _ =
        tokio::time::timeout(Duration::from_secs(1), async { while let Some(Ok(_)) = socket.next().await {} }).await;
}
