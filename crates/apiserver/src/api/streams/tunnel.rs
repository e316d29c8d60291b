//! Port-forward over SPDY: inside a WebSocket, or on the bare connection.

use std::collections::HashMap;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use super::conversation::Conversation;
use super::spdy::{Frame, Last, Reader, Writer};
use super::{Session, Socket};

/// The server's side of the tunnel: bytes in, bytes out.
struct Tunnel {
    session: Session,
    reader: Reader,
    writer: Writer,
    conversations: HashMap<u32, Conversation>,
    /// Error streams by request, closed when their request ends.
    errors: HashMap<String, u32>,
    requests: HashMap<u32, String>,
}

impl Tunnel {
    fn new(session: Session) -> Self {
        Self {
            session,
            reader: Reader::new(),
            writer: Writer::default(),
            conversations: HashMap::new(),
            errors: HashMap::new(),
            requests: HashMap::new(),
        }
    }

    /// What is to be sent for what came in; `None` ends the tunnel.
    fn receive(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for frame in self.reader.read(bytes).ok()? {
            match frame {
                Frame::Open { stream, headers, .. } => {
                    out.extend(self.writer.reply(stream));
                    let header = |name: &str| {
                        headers
                            .iter()
                            .find(|(key, _)| key.eq_ignore_ascii_case(name))
                            .map_or("", |(_, value)| value.as_str())
                    };
                    let request = header("requestid").to_owned();
                    match header("streamtype") {
                        "error" => {
                            self.errors.insert(request, stream);
                        }
                        _ => {
                            let port = header("port").parse().unwrap_or(0);
                            self.conversations.insert(stream, Conversation::new(port));
                            self.requests.insert(stream, request);
                        }
                    }
                }
                Frame::Data { stream, bytes, last } => {
                    let Some(conversation) = self.conversations.get_mut(&stream) else { continue };
                    let now = self.session.plane.world.lock().now();
                    let containers = &*self.session.plane.containers;
                    let reply = conversation.receive(containers, self.session.pod.value(), &bytes, now);
                    let ends = last || reply.as_ref().is_some_and(|reply| reply.ends);
                    let bytes = reply.map(|reply| reply.bytes).unwrap_or_default();
                    for chunk in bytes.chunks(16 * 1024) {
                        out.extend(Writer::data(stream, chunk, Last::No));
                    }
                    if ends {
                        out.extend(Writer::data(stream, &[], Last::Yes));
                        self.forget(stream, &mut out);
                    }
                }
                Frame::Reset { stream } => self.forget(stream, &mut out),
                Frame::Ping { id } => out.extend(Writer::ping(id)),
                Frame::GoAway | Frame::Other => {}
            }
        }
        Some(out)
    }

    fn forget(&mut self, stream: u32, out: &mut Vec<u8>) {
        self.conversations.remove(&stream);
        if let Some(error) = self.requests.remove(&stream).and_then(|request| self.errors.remove(&request)) {
            out.extend(Writer::data(error, &[], Last::Yes));
        }
    }
}

pub(super) async fn on_socket(session: Session, mut socket: Socket) {
    let mut tunnel = Tunnel::new(session);
    while let Some(Ok(message)) = socket.next().await {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Close(_) => break,
            _ => continue,
        };
        let Some(out) = tunnel.receive(&bytes) else { break };
        if !out.is_empty() && socket.send(Message::Binary(Bytes::from(out))).await.is_err() {
            return;
        }
    }
    let _ = socket.close(None).await;
}

pub(super) async fn on_connection<C: AsyncRead + AsyncWrite + Unpin>(session: Session, mut connection: C) {
    let mut tunnel = Tunnel::new(session);
    let mut buffer = vec![0u8; 16 * 1024];
    loop {
        let Ok(count) = connection.read(&mut buffer).await else { return };
        if count == 0 {
            return;
        }
        let Some(out) = tunnel.receive(&buffer[..count]) else { return };
        if !out.is_empty() && hand_over(&mut connection, &out).await.is_err() {
            return;
        }
    }
}

/// Sends on a connection that holds back what it took while its socket was full, as TLS does, until it is told that this is all.
async fn hand_over<C: AsyncWrite + Unpin>(connection: &mut C, bytes: &[u8]) -> std::io::Result<()> {
    connection.write_all(bytes).await?;
    connection.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_does_not_wait_for_the_next_question() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut held_back = tokio::io::BufWriter::new(ours);
        hand_over(&mut held_back, b"an answer").await.expect("sent");
        let mut seen = [0; 9];
        theirs.read_exact(&mut seen).await.expect("an answer");
        assert_eq!(&seen, b"an answer");
    }
}
