//! Port-forward over `v4.channel.k8s.io`: for each port a data and an error channel.

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use super::conversation::Conversation;
use super::{Session, Socket};
use crate::api::query::Query;

pub(super) async fn run(session: Session, mut socket: Socket, query: &Query) {
    let ports: Vec<u16> =
        query.all("ports").flat_map(|text| text.split(',')).filter_map(|port| port.trim().parse().ok()).collect();
    let mut conversations: Vec<Conversation> = ports.iter().map(|port| Conversation::new(*port)).collect();
    for (index, port) in ports.iter().enumerate() {
        for channel in [index * 2, index * 2 + 1] {
            let Ok(channel) = u8::try_from(channel) else { return };
            let [low, high] = port.to_le_bytes();
            if socket.send(Message::Binary(Bytes::from(vec![channel, low, high]))).await.is_err() {
                return;
            }
        }
    }
    while let Some(Ok(message)) = socket.next().await {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Close(_) => break,
            _ => continue,
        };
        let Some((channel, data)) = bytes.split_first() else { continue };
        let Some(conversation) = conversations.get_mut(usize::from(*channel) / 2).filter(|_| channel % 2 == 0) else {
            continue;
        };
        let now = session.plane.world.lock().now();
        let containers = &*session.plane.containers;
        let Some(reply) = conversation.receive(containers, session.pod.value(), data, now) else { continue };
        let mut message = vec![*channel];
        message.extend_from_slice(&reply.bytes);
        if socket.send(Message::Binary(Bytes::from(message))).await.is_err() || reply.ends {
            break;
        }
    }
    let _ = socket.close(None).await;
}
