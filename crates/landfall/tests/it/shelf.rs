//! A server on loopback: files as a chart repository has them, a part of them for those who know a password, and a
//! registry that speaks as much of the OCI distribution API as charts need.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};

/// `u:p`, as a header says it.
const PASSWORD: &str = "Basic dTpw";
/// What the registry gives to who knows the password.
pub(crate) const TOKEN: &str = "granted-c41e7";

/// What the server has and has seen.
#[derive(Default)]
pub(crate) struct Shelf {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    blobs: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Requests: method, path and `Authorization`.
    seen: Mutex<Vec<String>>,
    port: u16,
}

struct Request {
    method: String,
    path: String,
    authorization: String,
    body: Vec<u8>,
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

impl Shelf {
    /// A server, running until the test ends.
    pub(crate) fn open() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let shelf = Arc::new(Shelf { port, ..Shelf::default() });
        let serving = Arc::clone(&shelf);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = Arc::clone(&serving);
                std::thread::spawn(move || shelf.serve(&stream));
            }
        });
        shelf
    }

    /// `127.0.0.1` and the port.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    /// Puts a file on it.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        self.files.lock().expect("whole").insert(path.to_owned(), bytes.to_vec());
    }

    /// Changes every blob of the registry.
    pub(crate) fn tamper(&self) {
        self.blobs
            .lock()
            .expect("whole")
            .values_mut()
            .for_each(|blob| blob.last_mut().into_iter().for_each(|byte| *byte ^= 1));
    }

    /// The manifest under a tag.
    pub(crate) fn manifest(&self, name: &str, tag: &str) -> serde_json::Value {
        let files = self.files.lock().expect("whole");
        serde_json::from_slice(&files[&format!("manifest {name} {tag}")]).expect("JSON")
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("whole").clone()
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        // Who begins with TLS is told in plain words, as servers without it do.
        if reader.fill_buf().is_ok_and(|begun| begun.first() == Some(&0x16)) {
            let mut stream = stream;
            let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            return;
        }
        while let Some(request) = read(&mut reader) {
            let line = format!("{} {} {}", request.method, request.path, request.authorization);
            self.seen.lock().expect("whole").push(line);
            let (status, headers, body) = self.answer(&request);
            let mut text = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            text.push_str("\r\n");
            let mut stream = stream;
            let shown = if request.method == "HEAD" { &[][..] } else { &body };
            if stream.write_all(text.as_bytes()).and_then(|()| stream.write_all(shown)).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let plain = |status: u16| (status, Vec::new(), Vec::new());
        let path = request.path.split('?').next().unwrap_or_default();
        if let Some(elsewhere) = path.strip_prefix("/redirect/") {
            return (302, vec![("Location", format!("http://{elsewhere}"))], Vec::new());
        }
        if path == "/token" {
            let body = format!("{{\"token\":\"{TOKEN}\"}}").into_bytes();
            return if request.authorization == PASSWORD { (200, Vec::new(), body) } else { plain(401) };
        }
        if let Some(rest) = path.strip_prefix("/v2/") {
            if request.authorization != format!("Bearer {TOKEN}") {
                let challenge = format!("Bearer realm=\"{}/token\",service=\"shelf\"", self.url());
                return (401, vec![("WWW-Authenticate", challenge)], Vec::new());
            }
            return self.registry(request, rest);
        }
        if path.starts_with("/private/") && request.authorization != PASSWORD {
            return plain(401);
        }
        match self.files.lock().expect("whole").get(path.trim_start_matches('/')) {
            Some(bytes) => (200, Vec::new(), bytes.clone()),
            None => plain(404),
        }
    }

    fn registry(&self, request: &Request, rest: &str) -> Answer {
        let plain = |status: u16| (status, Vec::new(), Vec::new());
        let digest = |bytes: &[u8]| {
            Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
        };
        if rest.is_empty() {
            return plain(200);
        }
        if let Some(name) = rest.strip_suffix("/tags/list") {
            let files = self.files.lock().expect("whole");
            let prefix = format!("manifest {name} ");
            let tags: Vec<&str> = files.keys().filter_map(|key| key.strip_prefix(&prefix)).collect();
            let body = serde_json::json!({"name": name, "tags": tags}).to_string().into_bytes();
            return if tags.is_empty() { plain(404) } else { (200, Vec::new(), body) };
        }
        if let Some((name, tag)) = rest.split_once("/manifests/") {
            let key = format!("manifest {name} {tag}");
            if request.method == "PUT" {
                self.put(&key, &request.body);
                return plain(201);
            }
            return match self.files.lock().expect("whole").get(&key) {
                Some(bytes) => (200, Vec::new(), bytes.clone()),
                None => plain(404),
            };
        }
        if let Some((name, _)) = rest.split_once("/blobs/uploads/") {
            if request.method == "POST" {
                return (202, vec![("Location", format!("/v2/{name}/blobs/uploads/1"))], Vec::new());
            }
            self.blobs.lock().expect("whole").insert(digest(&request.body), request.body.clone());
            return plain(201);
        }
        let wanted = rest.split_once("/blobs/").map_or("", |(_, digest)| digest);
        match self.blobs.lock().expect("whole").get(wanted) {
            Some(bytes) => (200, Vec::new(), bytes.clone()),
            None => plain(404),
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => value.clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, authorization, body })
}
