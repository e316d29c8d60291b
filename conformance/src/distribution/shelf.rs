//! A chart repository, a registry and a proxy on loopback, for one side of a comparison.
//!
//! ```text
//! plain  ─┐
//! tls    ─┼─► files, those below `private/` for `u` with password `p`; `/v2/`: a registry, open below `open/`
//! mutual ─┘   (tls: the suite's own authority; mutual: clients show a certificate, too)
//! proxy  ───► whatever host is asked for, it is this server
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// `u:p`, as a header says it.
const PASSWORD: &str = "Basic dTpw";
/// Most of a body that is read.
const MOST: u64 = 64 << 20;

/// Configurations of both TLS ports.
#[derive(Debug, Clone)]
pub(super) struct Certificates {
    pub(super) tls: Arc<ServerConfig>,
    pub(super) mutual: Arc<ServerConfig>,
}

/// Where a shelf listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) plain: u16,
    pub(crate) tls: u16,
    pub(crate) mutual: u16,
    pub(crate) proxy: u16,
}

#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<String, Vec<u8>>,
    /// Manifests by repository and tag or digest, with their media types.
    manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    blobs: BTreeMap<String, Vec<u8>>,
    /// What was asked for since it was last looked at.
    asked: BTreeSet<String>,
}

/// A server of charts; it runs until the program ends.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) ports: Ports,
    content: Mutex<Content>,
}

struct Request {
    method: String,
    target: String,
    authorization: String,
    content_type: String,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn plain(status: u16) -> Self {
        Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A refusal in the registry's form.
    fn refused(status: u16, code: &str, message: &str) -> Self {
        let body = json!({"errors": [{"code": code, "message": message}]}).to_string().into_bytes();
        Answer { status, headers: vec![("Content-Type", "application/json".to_owned())], body }
    }
}

/// How a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Plain,
    Tls,
    Mutual,
    Proxy,
}

impl Shelf {
    /// Opens one, empty.
    pub(super) fn open(certificates: &Certificates) -> io::Result<Arc<Self>> {
        let bind = || TcpListener::bind("127.0.0.1:0");
        let listeners = [bind()?, bind()?, bind()?, bind()?];
        let port = |at: usize| listeners[at].local_addr().map(|address| address.port());
        let ports = Ports { plain: port(0)?, tls: port(1)?, mutual: port(2)?, proxy: port(3)? };
        let shelf = Arc::new(Shelf { ports, content: Mutex::default() });
        for (listener, door) in listeners.into_iter().zip([Door::Plain, Door::Tls, Door::Mutual, Door::Proxy]) {
            let (shelf, certificates) = (Arc::clone(&shelf), certificates.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (shelf, certificates) = (Arc::clone(&shelf), certificates.clone());
                    // A client that goes away ends its own connection and nothing else.
                    std::thread::spawn(move || shelf.serve(stream, door, &certificates).ok());
                }
            });
        }
        Ok(shelf)
    }

    /// Opens one, empty, of whose authority nobody is told.
    pub(crate) fn open_alone() -> anyhow::Result<Arc<Self>> {
        let folder = tempfile::tempdir()?;
        Ok(Self::open(&super::certificates::write(folder.path())?)?)
    }

    /// Puts a file on it.
    pub(super) fn put(&self, path: &str, bytes: Vec<u8>) {
        self.content().files.insert(path.to_owned(), bytes);
    }

    /// What was asked for since this was last called, each thing once, in order of the alphabet.
    pub(super) fn asked(&self) -> String {
        let asked = std::mem::take(&mut self.content().asked);
        asked.iter().map(|line| format!("{line}\n")).collect()
    }

    /// The registry's manifests, for comparison: their layers, which stand in the order of digests, by media type.
    pub(super) fn manifests(&self) -> Vec<(String, String)> {
        let content = self.content();
        let tagged = content.manifests.iter().filter(|((_, tag), _)| !tag.starts_with("sha256:"));
        tagged
            .map(|((name, tag), (_, bytes))| {
                let mut manifest: Value = serde_json::from_slice(bytes).unwrap_or_default();
                if let Some(layers) = manifest.get_mut("layers").and_then(Value::as_array_mut) {
                    layers.sort_by_key(|layer| layer["mediaType"].to_string());
                }
                let bytes = if manifest["layers"].as_array().is_some_and(|layers| layers.len() > 1) {
                    manifest.to_string()
                } else {
                    String::from_utf8_lossy(bytes).into_owned()
                };
                (format!("{name}:{tag}"), bytes)
            })
            .collect()
    }

    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream, door: Door, certificates: &Certificates) -> io::Result<()> {
        let tls = |config: &Arc<ServerConfig>, stream| {
            let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            self.converse(&mut BufReader::new(StreamOwned::new(connection, stream)), door)
        };
        match door {
            Door::Tls => tls(&certificates.tls, stream),
            Door::Mutual => tls(&certificates.mutual, stream),
            Door::Plain => {
                let mut first = [0];
                if stream.peek(&mut first)? == 1 && first[0] == 0x16 {
                    // Who begins with TLS is told in plain words, as servers without it do.
                    return (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
                }
                self.converse(&mut BufReader::new(stream), door)
            }
            Door::Proxy => {
                let mut reader = BufReader::new(stream);
                let Some(request) = read(&mut reader)? else { return Ok(()) };
                if request.method == "CONNECT" {
                    self.content().asked.insert(format!("proxy CONNECT {}", request.target));
                    reader.get_mut().write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
                    return tls(&certificates.tls, reader.into_inner());
                }
                self.content().asked.insert(format!("proxy {} {}", request.method, request.target));
                let path = request.target.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
                let answer = self.answer(&Request { target: path, ..request }, door);
                write(reader.get_mut(), &answer, Answering::Whole)
            }
        }
    }

    fn converse(&self, stream: &mut BufReader<impl Read + Write>, door: Door) -> io::Result<()> {
        while let Some(request) = read(stream)? {
            let answer = self.answer(&request, door);
            let answering = if request.method == "HEAD" { Answering::HeadersOnly } else { Answering::Whole };
            write(stream.get_mut(), &answer, answering)?;
        }
        Ok(())
    }

    fn answer(&self, request: &Request, door: Door) -> Answer {
        let path = request.target.split('?').next().unwrap_or_default();
        if let Some(rest) = path.strip_prefix("/v2/") {
            return self.registry(request, rest, door);
        }
        let known = if request.authorization.is_empty() { "nobody" } else { "somebody" };
        self.content().asked.insert(format!("{} {path} {known}", request.method));
        if path.starts_with("/private/") && request.authorization != PASSWORD {
            return Answer::plain(401);
        }
        match self.content().files.get(path.trim_start_matches('/')) {
            Some(bytes) => Answer { status: 200, headers: Vec::new(), body: bytes.clone() },
            None => Answer::plain(404),
        }
    }

    fn registry(&self, request: &Request, rest: &str, door: Door) -> Answer {
        if !rest.starts_with("open/") && request.authorization != PASSWORD {
            return Answer::refused(401, "UNAUTHORIZED", "authentication required")
                .with("WWW-Authenticate", "Basic realm=\"shelf\"");
        }
        if rest.is_empty() {
            return Answer::plain(200);
        }
        let mut content = self.content();
        if let Some(name) = rest.strip_suffix("/tags/list") {
            let tags = content.manifests.keys().filter(|(of, tag)| of == name && !tag.starts_with("sha256:"));
            let tags: Vec<&String> = tags.map(|(_, tag)| tag).collect();
            if tags.is_empty() {
                return Answer::refused(404, "NAME_UNKNOWN", "repository name not known to registry");
            }
            let body = json!({"name": name, "tags": tags}).to_string().into_bytes();
            return Answer { body, ..Answer::plain(200) }.with("Content-Type", "application/json");
        }
        if let Some((name, reference)) = rest.split_once("/manifests/") {
            let key = |reference: &str| (name.to_owned(), reference.to_owned());
            if request.method == "PUT" {
                let digest = digest(&request.body);
                let manifest = (request.content_type.clone(), request.body.clone());
                content.manifests.insert(key(&digest), manifest.clone());
                content.manifests.insert(key(reference), manifest);
                return Answer::plain(201)
                    .with("Location", format!("/v2/{name}/manifests/{digest}"))
                    .with("Docker-Content-Digest", digest);
            }
            return match content.manifests.get(&key(reference)) {
                Some((kind, bytes)) => Answer { body: bytes.clone(), ..Answer::plain(200) }
                    .with("Content-Type", kind.as_str())
                    .with("Docker-Content-Digest", digest(bytes)),
                None => Answer::refused(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            };
        }
        if let Some((name, _)) = rest.split_once("/blobs/uploads/") {
            if request.method == "POST" {
                let place = match door {
                    Door::Plain | Door::Proxy => format!("http://127.0.0.1:{}", self.ports.plain),
                    Door::Tls => format!("https://127.0.0.1:{}", self.ports.tls),
                    Door::Mutual => format!("https://127.0.0.1:{}", self.ports.mutual),
                };
                return Answer::plain(202).with("Location", format!("{place}/v2/{name}/blobs/uploads/1"));
            }
            let digest = digest(&request.body);
            content.blobs.insert(digest.clone(), request.body.clone());
            return Answer::plain(201)
                .with("Location", format!("/v2/{name}/blobs/{digest}"))
                .with("Docker-Content-Digest", digest);
        }
        let wanted = rest.split_once("/blobs/").map_or("", |(_, digest)| digest);
        match content.blobs.get(wanted) {
            Some(bytes) => Answer { body: bytes.clone(), ..Answer::plain(200) }
                .with("Content-Type", "application/octet-stream")
                .with("Docker-Content-Digest", wanted),
            None => Answer::refused(404, "BLOB_UNKNOWN", "blob unknown to registry"),
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The next request; `None` at the connection's end.
fn read(reader: &mut BufReader<impl Read>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut request =
        Request { method, target, authorization: String::new(), content_type: String::new(), body: Vec::new() };
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            "authorization" => value.clone_into(&mut request.authorization),
            "content-type" => value.clone_into(&mut request.content_type),
            _ => {}
        }
    }
    if !chunked {
        reader.take(u64::min(length, MOST)).read_to_end(&mut request.body)?;
        return Ok(Some(request));
    }
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        reader.take(u64::min(size, MOST)).read_to_end(&mut request.body)?;
        reader.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(Some(request));
        }
    }
}

/// How much of an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answering {
    Whole,
    HeadersOnly,
}

fn write(stream: &mut impl Write, answer: &Answer, answering: Answering) -> io::Result<()> {
    let words = match answer.status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        401 => "Unauthorized",
        404 => "Not Found",
        _ => "Unknown",
    };
    let mut text = format!("HTTP/1.1 {} {words}\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes())?;
    if answering == Answering::Whole {
        stream.write_all(&answer.body)?;
    }
    stream.flush()
}
