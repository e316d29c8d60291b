//! What a simulated container says on a forwarded port: HTTP as declared, and otherwise that it is simulated.

use serde_json::Value;

use crate::containers::{Containers, PortRequest};

/// The largest request that is read.
const LIMIT: usize = 1024 * 1024;

/// One connection to a port of a pod.
pub(crate) struct Conversation {
    port: u16,
    received: Vec<u8>,
}

/// What is sent back, and whether the connection ends then.
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: bool,
}

impl Conversation {
    pub(crate) fn new(port: u16) -> Self {
        Self { port, received: Vec::new() }
    }

    /// Takes what the client sent; answers each request that is complete.
    pub(crate) fn receive(
        &mut self,
        containers: &dyn Containers,
        pod: &Value,
        bytes: &[u8],
        now: jiff::Timestamp,
    ) -> Option<Reply> {
        self.received.extend_from_slice(bytes);
        if self.received.len() > LIMIT {
            return Some(Reply { bytes: plain(413, "request too large for a simulated container\n"), ends: true });
        }
        let mut out = Vec::new();
        loop {
            match take_request(&mut self.received) {
                Taken::Incomplete if out.is_empty() => return None,
                Taken::Incomplete => return Some(Reply { bytes: out, ends: false }),
                Taken::NotHttp => return Some(Reply { bytes: out, ends: true }),
                Taken::Request { method, path, body, ends } => {
                    let request = PortRequest { method: &method, path: &path, body: &body, now };
                    out.extend(self.answer(containers, pod, &request));
                    if ends {
                        return Some(Reply { bytes: out, ends: true });
                    }
                }
            }
        }
    }

    fn answer(&self, containers: &dyn Containers, pod: &Value, request: &PortRequest<'_>) -> Vec<u8> {
        let PortRequest { method, path, .. } = request;
        let Some(answer) = containers.http(pod, self.port, request) else {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            let text =
                format!("~ pod {name} is simulated and declares no answer to {method} {path} on port {}\n", self.port);
            return plain(501, &text);
        };
        let mut out = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status)).into_bytes();
        for (name, value) in &answer.headers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", answer.body.len()).as_bytes());
        if *method != "HEAD" {
            out.extend_from_slice(&answer.body);
        }
        out
    }
}

fn plain(status: u16, text: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: text/plain; charset=utf-8\r\nX-Landfall-Simulated: true\r\nContent-Length: {}\r\n\r\n{text}",
        reason(status),
        text.len()
    )
    .into_bytes()
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("")
}

enum Taken {
    Incomplete,
    NotHttp,
    Request { method: String, path: String, body: Vec<u8>, ends: bool },
}

fn take_request(received: &mut Vec<u8>) -> Taken {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        // A request begins with its method.
        let mut method = received.iter().take(8).take_while(|byte| **byte != b' ');
        let plausible = method.all(u8::is_ascii_uppercase);
        return if plausible { Taken::Incomplete } else { Taken::NotHttp };
    };
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(path), Some(version)) = (first.next(), first.next(), first.next()) else {
        return Taken::NotHttp;
    };
    let (mut length, mut close) = (0usize, version == "HTTP/1.0");
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(usize::MAX);
        } else if name.eq_ignore_ascii_case("connection") {
            close = value.trim().eq_ignore_ascii_case("close");
        }
    }
    let Some(total) = (end + 4).checked_add(length).filter(|total| *total <= LIMIT) else { return Taken::NotHttp };
    if received.len() < total {
        return Taken::Incomplete;
    }
    let body = received[end + 4..total].to_vec();
    received.drain(..total);
    Taken::Request { method: method.to_owned(), path: path.to_owned(), body, ends: close }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::containers::Undeclared;

    #[test]
    fn an_undeclared_port_says_that_it_is_simulated() {
        let mut conversation = Conversation::new(80);
        let pod = json!({"metadata": {"name": "web"}});
        let now = jiff::Timestamp::UNIX_EPOCH;
        assert!(conversation.receive(&Undeclared, &pod, b"GET /x HTTP/1.1\r\nHost: a\r\n", now).is_none());
        let reply = conversation.receive(&Undeclared, &pod, b"\r\n", now).expect("complete");
        let text = String::from_utf8_lossy(&reply.bytes);
        assert!(text.starts_with("HTTP/1.1 501"));
        assert!(text.contains("pod web is simulated"));
        assert!(!reply.ends);
    }
}
