//! A forge on loopback: git's own HTTP backend behind TLS, with a password for what lies below `private/`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// `deploy:t0ken-of-the-infra-repository`, as a header says it.
pub(super) const LOGIN: (&str, &str) = ("deploy", "t0ken-of-the-infra-repository");
const HEADER: &str = "Basic ZGVwbG95OnQwa2VuLW9mLXRoZS1pbmZyYS1yZXBvc2l0b3J5";

/// A server that has bare repositories below a directory.
pub(super) struct GitServer {
    root: PathBuf,
    tls: Option<Arc<rustls::ServerConfig>>,
    /// Where `/moved/…` leads.
    elsewhere: Mutex<String>,
    /// Requests: path and `Authorization`.
    seen: Mutex<Vec<(String, String)>>,
    port: u16,
    /// The authority that signed its certificate, PEM.
    pub(super) authority: String,
}

impl GitServer {
    /// One behind TLS, running until the test ends.
    pub(super) fn open(root: &Path) -> Arc<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("made");
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .expect("a certificate");
        GitServer::listen(root, Some(Arc::new(config)), made.cert.pem())
    }

    /// One without TLS.
    pub(super) fn plain(root: &Path) -> Arc<Self> {
        GitServer::listen(root, None, String::new())
    }

    fn listen(root: &Path, tls: Option<Arc<rustls::ServerConfig>>, authority: String) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (elsewhere, seen) = (Mutex::default(), Mutex::default());
        let server = Arc::new(GitServer { root: root.to_owned(), tls, elsewhere, seen, port, authority });
        let serving = Arc::clone(&server);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&serving);
                std::thread::spawn(move || server.connected(stream));
            }
        });
        server
    }

    /// The address of what lies at a path.
    pub(super) fn url(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/{path}", self.port)
    }

    /// Sends whoever asks below `moved/` to another server.
    pub(super) fn moves_to(&self, other: &GitServer) {
        *self.elsewhere.lock().expect("whole") = other.url("");
    }

    /// The requests so far: path and `Authorization`.
    pub(super) fn seen(&self) -> Vec<(String, String)> {
        self.seen.lock().expect("whole").clone()
    }

    fn connected(&self, stream: TcpStream) {
        match &self.tls {
            None => self.answer(stream),
            Some(config) => {
                let Ok(connection) = rustls::ServerConnection::new(Arc::clone(config)) else { return };
                self.answer(rustls::StreamOwned::new(connection, stream));
            }
        }
    }

    fn answer(&self, stream: impl Read + Write) {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split(' ');
        let (method, target) =
            (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                break;
            }
            if let Some((name, text)) = line.split_once(':') {
                headers.insert(name.to_lowercase(), text.trim().to_owned());
            }
        }
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let body = body(&mut reader, &header("transfer-encoding"), header("content-length").parse().unwrap_or(0));
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        self.seen.lock().expect("whole").push((path.to_owned(), header("authorization")));
        let mut stream = reader.into_inner();
        let mut say = |text: &str| drop(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()));
        if let Some(rest) = path.strip_prefix("/moved/") {
            let to = format!("{}{rest}?{query}", self.elsewhere.lock().expect("whole"));
            return say(&format!(
                "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            ));
        }
        if path.starts_with("/private/") && header("authorization") != HEADER {
            return say(
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
        let mut backend = Command::new("git");
        backend.arg("http-backend").env("GIT_PROJECT_ROOT", &self.root).env("GIT_HTTP_EXPORT_ALL", "1");
        backend.env("PATH_INFO", path).env("QUERY_STRING", query).env("REQUEST_METHOD", &method);
        backend.env("CONTENT_TYPE", header("content-type")).env("CONTENT_LENGTH", body.len().to_string());
        backend.env("GIT_PROTOCOL", header("git-protocol")).env("HTTP_CONTENT_ENCODING", header("content-encoding"));
        let child = backend.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("git runs");
        let mut stdin = child.stdin.take().expect("piped");
        let writing = std::thread::spawn(move || drop(stdin.write_all(&body)));
        let output = child.wait_with_output().expect("it ends").stdout;
        writing.join().expect("written");
        let at = output.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or(0);
        let head = String::from_utf8_lossy(&output[..at]).into_owned();
        let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
        let content = &output[(at + 4).min(output.len())..];
        let length = content.len();
        let _gone = stream
            .write_all(
                format!("HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
                    .as_bytes(),
            )
            .and_then(|()| stream.write_all(content))
            .and_then(|()| stream.flush());
    }
}

fn body(reader: &mut impl std::io::BufRead, encoding: &str, length: usize) -> Vec<u8> {
    let mut body = Vec::new();
    if !encoding.eq_ignore_ascii_case("chunked") {
        body.resize(length, 0);
        reader.read_exact(&mut body).expect("a body");
        return body;
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a chunk");
        let size = usize::from_str_radix(line.trim(), 16).expect("a size");
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).expect("a chunk");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
