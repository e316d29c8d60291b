//! What is asked of the server, as it goes over the wire.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

/// A connection to the server.
pub(crate) struct Connection {
    /// None while there is no server.
    stream: Option<TcpStream>,
    address: String,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> std::io::Result<Self> {
        let stream = Some(opened(address)?);
        Ok(Connection { stream, address: address.to_owned(), buffer: vec![0; 64 * 1024] })
    }

    /// Whether it is none any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.stream.is_none()
    }

    /// Tries to open it again.
    pub(crate) fn again(&mut self) {
        self.stream = opened(&self.address).ok();
    }

    /// Sends a request and gives the answer's status and body. One that broke is opened again for the next.
    pub(crate) fn ask(&mut self, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        if self.is_lost() {
            self.again();
        }
        let answer = self.answer(request);
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    fn answer(&mut self, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        let bad = || std::io::Error::other("this is no answer");
        let stream = self.stream.as_mut().ok_or_else(|| std::io::Error::other("there is no server"))?;
        stream.write_all(request)?;
        let (mut got, mut whole) = (0, None);
        loop {
            let read = stream.read(&mut self.buffer[got..])?;
            if read == 0 {
                return Err(bad());
            }
            got += read;
            if whole.is_none()
                && let Some(at) = self.buffer[..got].windows(4).position(|it| it == b"\r\n\r\n")
            {
                let head = String::from_utf8_lossy(&self.buffer[..at]).to_ascii_lowercase();
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
                let status = head.split(' ').nth(1).and_then(|it| it.parse::<u16>().ok()).ok_or_else(bad)?;
                whole = Some((status, at + 4, at + 4 + length.ok_or_else(bad)?));
            }
            if let Some((status, from, to)) = whole
                && got >= to
            {
                return Ok((status, self.buffer[from..to].to_vec()));
            }
        }
    }
}

fn opened(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn post(path: &str, bearer: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: edges\r\nauthorization: Bearer {bearer}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// Enrolls an edge of the existing agent, and gives the heartbeat that it sends from then on.
///
/// # Errors
/// It is refused, or the server does not answer.
pub(crate) fn enroll(connection: &mut Connection, token: &str, number: usize) -> Result<Vec<u8>, String> {
    let device = format!("edge-bench-{number:06}-{}", std::process::id());
    let body = json!({"deviceNumber": device, "displayName": device, "platform": "linux", "arch": "x64", "edgeVersion": "1.0.0"});
    let (status, answer) =
        connection.ask(&post("/internal/edges/register", token, &body)).map_err(|error| error.to_string())?;
    let told: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
    if status != 201 {
        return Err(format!("an edge is not enrolled: {told}"));
    }
    let beat = json!({
        "workerId": told["workerId"], "deviceNumber": device, "currentVersion": "1.0.0", "platform": "linux", "arch": "x64",
        "installType": "service", "activeTask": false, "runtimeState": "IDLE", "uptimeSeconds": 1,
    });
    let credential = told["credential"].as_str().unwrap_or_default();
    Ok(post("/internal/edges/connectivity", credential, &beat))
}
