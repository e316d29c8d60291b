//! A server on loopback that answers what a stranger's would, and keeps what it was sent.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is answered below a path.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) manner: Manner,
}

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// At once, with its length.
    Whole,
    /// Its first line once and the rest so many times.
    Times(u32),
    /// Again and again, as long as somebody reads.
    Endless,
    /// A byte now and then, as long as somebody reads.
    Drip,
    /// A header line now and then, and never a body.
    DripHeaders,
    /// Nothing at all.
    Silent,
    /// A length that is not kept: the connection ends before.
    CutOff,
    /// A length beyond all measure, and then the body again and again.
    Boast,
    /// By git's own `http-backend`, of the bare repositories below the directory that the body names.
    Git,
}

impl Answer {
    pub(crate) fn new(body: impl Into<Vec<u8>>) -> Self {
        Answer { status: 200, headers: Vec::new(), body: body.into(), manner: Manner::Whole }
    }

    pub(crate) fn status(status: u16) -> Self {
        Answer { status, ..Answer::new("") }
    }

    /// A redirect.
    pub(crate) fn to(address: &str) -> Self {
        Answer::status(302).with("Location", address)
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn in_manner(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    /// The same with this run's places in it.
    pub(crate) fn told(&self, told: impl Fn(&str) -> String) -> Self {
        let mut answer = self.clone();
        for (_, value) in &mut answer.headers {
            *value = told(value);
        }
        if let Ok(text) = std::str::from_utf8(&answer.body) {
            answer.body = told(text).into_bytes();
        }
        answer
    }
}

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    address: String,
    answers: Mutex<BTreeMap<String, Answer>>,
    asked: Mutex<String>,
    closed: AtomicBool,
}

/// How long a slow sender waits before each byte: often enough that only a rate or a deadline ends it.
const DROP: Duration = Duration::from_millis(400);

impl Server {
    /// One that speaks plainly.
    pub(crate) fn open(host: &str) -> io::Result<Arc<Self>> {
        Server::open_as(host, None)
    }

    /// A proxy behind which every host is this server, with TLS.
    pub(crate) fn open_secure(host: &str, tls: Arc<ServerConfig>) -> io::Result<Arc<Self>> {
        Server::open_as(host, Some(tls))
    }

    fn open_as(host: &str, tls: Option<Arc<ServerConfig>>) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind((host, 0))?;
        let address = listener.local_addr()?.to_string();
        let server = Arc::new(Server {
            address,
            answers: Mutex::default(),
            asked: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let serving = Arc::clone(&server);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.closed.load(Ordering::Relaxed) {
                    return;
                }
                let (server, tls) = (Arc::clone(&serving), tls.clone());
                std::thread::spawn(move || server.accept(stream, tls).ok());
            }
        });
        Ok(server)
    }

    /// Listens no longer.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        // It notices when it is next asked.
        let _noticed = TcpStream::connect(&self.address);
    }

    /// `host:port`
    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// Answers so below a path; the longest path that fits is taken.
    pub(crate) fn put(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), answer);
    }

    /// What was sent here: requests with their headers.
    pub(crate) fn asked(&self) -> String {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn answer(&self, path: &str) -> Answer {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = answers.iter().filter(|(below, _)| path.starts_with(below.as_str()));
        fitting.max_by_key(|(below, _)| below.len()).map_or_else(|| Answer::status(404), |(_, answer)| answer.clone())
    }

    fn accept(&self, stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
        // A client that keeps its connection and says nothing is let go.
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        match tls {
            None => self.serve(stream),
            Some(tls) => {
                connected(&mut (&stream))?;
                self.serve(StreamOwned::new(ServerConnection::new(tls).map_err(io::Error::other)?, stream))
            }
        }
    }

    fn serve(&self, stream: impl io::Read + io::Write) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let (mut head, mut length, mut is_chunked) = (String::new(), 0, false);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if line.trim_end().is_empty() {
                    break;
                }
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                is_chunked |= lower.starts_with("transfer-encoding:") && lower.contains("chunked");
                head.push_str(&line);
            }
            let mut body = Vec::new();
            match is_chunked {
                true => chunked(&mut reader, &mut body)?,
                false => drop(reader.by_ref().take(length).read_to_end(&mut body)?),
            }
            self.note(&head, &body);
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = match self.answer(&path) {
                answer if answer.manner == Manner::Git => by_git(&answer, &head, &body)?,
                answer => answer,
            };
            if !send(reader.get_mut(), &answer, head.starts_with("HEAD "))? {
                return Ok(());
            }
        }
    }

    fn note(&self, head: &str, body: &[u8]) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push_str(head);
        asked.push_str(&String::from_utf8_lossy(body));
        // What a header hides in base64 is seen as well.
        for word in head.split_whitespace() {
            use base64::Engine as _;
            if let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(word) {
                asked.push_str(&String::from_utf8_lossy(&bytes));
                asked.push('\n');
            }
        }
    }
}

/// Reads a body that comes in parts.
fn chunked(reader: &mut impl io::BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        reader.by_ref().take(size).read_to_end(body)?;
        reader.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(());
        }
    }
}

/// What git's own `http-backend` answers.
fn by_git(answer: &Answer, head: &str, body: &[u8]) -> io::Result<Answer> {
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
        found.next().unwrap_or_default().to_owned()
    };
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut backend = Command::new("git");
    backend.arg("http-backend").stdin(Stdio::piped()).stdout(Stdio::piped());
    backend.env("GIT_PROJECT_ROOT", String::from_utf8_lossy(&answer.body).as_ref());
    backend.env("GIT_HTTP_EXPORT_ALL", "1").env("REMOTE_USER", "somebody");
    backend.env("PATH_INFO", path).env("QUERY_STRING", query).env("REQUEST_METHOD", method);
    backend.env("CONTENT_TYPE", header("content-type")).env("CONTENT_LENGTH", body.len().to_string());
    backend.env("GIT_PROTOCOL", header("git-protocol")).env("HTTP_CONTENT_ENCODING", header("content-encoding"));
    let mut child = backend.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may have read enough.
        let _cut = stdin.write_all(body);
    }
    let output = child.wait_with_output()?.stdout;
    let Some(at) = output.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(Answer::status(500)) };
    let said = String::from_utf8_lossy(&output[..at]).into_owned();
    let line = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    let status = line("Status: ").split(' ').next().and_then(|status| status.parse().ok()).unwrap_or(200);
    Ok(Answer { status, ..Answer::new(&output[at + 4..]) }.with("Content-Type", &line("Content-Type: ")))
}

/// Takes a request to be connected with a host, and says that this is done.
fn connected(stream: &mut (impl io::Read + io::Write)) -> io::Result<()> {
    let mut head = Vec::new();
    // Byte by byte: what follows is not for us to read.
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")
}

/// Sends an answer; says whether the connection goes on.
fn send(stream: &mut impl io::Write, answer: &Answer, is_head: bool) -> io::Result<bool> {
    let mut text = format!("HTTP/1.1 {} Answered\r\n", answer.status);
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = |length: usize| format!("Content-Length: {length}\r\n\r\n");
    match answer.manner {
        Manner::Whole => {
            stream.write_all(format!("{text}{}", length(answer.body.len())).as_bytes())?;
            if !is_head {
                stream.write_all(&answer.body)?;
            }
            stream.flush()?;
            return Ok(true);
        }
        Manner::Times(count) => {
            let first = answer.body.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let (head, rest) = answer.body.split_at(first);
            stream.write_all(format!("{text}{}", length(head.len() + rest.len() * count as usize)).as_bytes())?;
            stream.write_all(head)?;
            for _ in 0..count {
                stream.write_all(rest)?;
            }
            return Ok(true);
        }
        Manner::CutOff => {
            stream.write_all(format!("{text}{}", length(answer.body.len() + 1000)).as_bytes())?;
            stream.write_all(&answer.body)?;
        }
        Manner::Endless => {
            stream.write_all(format!("{text}Connection: close\r\n\r\n").as_bytes())?;
            loop {
                stream.write_all(&answer.body)?;
            }
        }
        Manner::Boast => {
            stream.write_all(format!("{text}{}", length(1 << 40)).as_bytes())?;
            loop {
                stream.write_all(&answer.body)?;
            }
        }
        Manner::Drip => {
            stream.write_all(format!("{text}Connection: close\r\n\r\n").as_bytes())?;
            for byte in answer.body.iter().cycle() {
                stream.write_all(&[*byte])?;
                std::thread::sleep(DROP);
            }
        }
        Manner::DripHeaders => {
            stream.write_all(text.as_bytes())?;
            loop {
                stream.write_all(b"X-More: x\r\n")?;
                std::thread::sleep(DROP);
            }
        }
        Manner::Silent => std::thread::sleep(Duration::from_secs(20)),
        // What git has answered was whole.
        Manner::Git => {}
    }
    Ok(false)
}

/// A server's certificate for hosts, and the authority that a client trusts for it, in PEM.
pub(crate) fn certificate(hosts: &[&str]) -> anyhow::Result<(Arc<ServerConfig>, String)> {
    crate::http::install_crypto();
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "attack-ca");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let trusted = authority.self_signed(&key)?.pem();
    let issuer = Issuer::new(authority, key);
    let server = CertificateParams::new(hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>())?;
    let key = KeyPair::generate()?;
    let chain = vec![server.signed_by(&key, &issuer)?.der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    Ok((Arc::new(config), trusted))
}
