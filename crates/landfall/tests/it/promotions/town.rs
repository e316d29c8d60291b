//! A registry, a forge with Gitea's API, and git over HTTP, on one port of loopback.
//!
//! The registry keeps manifests by tag and digest and lets anybody in; the forge's answers have the fields that Gitea's
//! swagger.v1.json names (`PullRequest`, `CommitStatus`, `BranchProtection`); git is git's own `http-backend`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The forge's token.
pub(super) const TOKEN: &str = "canary-of-a-forge";

#[derive(Default)]
struct Content {
    /// Manifests by repository, and tag or digest.
    manifests: BTreeMap<(String, String), Vec<u8>>,
    blobs: BTreeMap<String, Vec<u8>>,
    pulls: Vec<Value>,
    statuses: Vec<Value>,
    protection: Option<Value>,
    /// Whose token it is, where the forge says it.
    owner: Option<String>,
    asked: Vec<String>,
    /// How often the list of tags is asked for too soon.
    busy: usize,
    /// How often a status is not taken.
    deaf: usize,
    /// What happens elsewhere just before a tag is given.
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
}

pub(super) struct Town {
    port: u16,
    /// Bare repositories lie below it.
    root: PathBuf,
    content: Mutex<Content>,
}

pub(super) fn sha(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

struct Request {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

fn plain(status: u16) -> Answer {
    (status, Vec::new(), Vec::new())
}

fn document(status: u16, value: &Value) -> Answer {
    (status, vec![("Content-Type", "application/json".to_owned())], value.to_string().into_bytes())
}

impl Town {
    pub(super) fn open(root: PathBuf) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let town = Arc::new(Town { port, root, content: Mutex::default() });
        let serving = Arc::clone(&town);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let town = Arc::clone(&serving);
                std::thread::spawn(move || town.serve(&stream));
            }
        });
        town
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.host())
    }

    /// Publishes an image built from a commit; gives its digest.
    pub(super) fn publish(&self, name: &str, tag: &str, commit: &str) -> String {
        let config =
            json!({"config": {"Labels": {"org.opencontainers.image.revision": commit}}, "of": tag}).to_string();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha(config.as_bytes()), "size": config.len()},
            "layers": [],
        });
        self.blob(config.into_bytes());
        self.put(name, tag, manifest.to_string().into_bytes())
    }

    pub(super) fn blob(&self, bytes: Vec<u8>) -> String {
        let digest = sha(&bytes);
        self.content.lock().expect("whole").blobs.insert(digest.clone(), bytes);
        digest
    }

    /// Puts a manifest under a tag, whatever was there.
    pub(super) fn put(&self, name: &str, tag: &str, manifest: Vec<u8>) -> String {
        let digest = sha(&manifest);
        let mut content = self.content.lock().expect("whole");
        content.manifests.insert((name.to_owned(), digest.clone()), manifest.clone());
        content.manifests.insert((name.to_owned(), tag.to_owned()), manifest);
        digest
    }

    /// Takes a tag out of the registry.
    pub(super) fn remove(&self, name: &str, tag: &str) {
        self.content.lock().expect("whole").manifests.remove(&(name.to_owned(), tag.to_owned()));
    }

    /// Lets the list of tags be asked for too soon that often.
    pub(super) fn is_busy(&self, times: usize) {
        self.content.lock().expect("whole").busy = times;
    }

    /// Lets it take no status that often.
    pub(super) fn is_deaf(&self, times: usize) {
        self.content.lock().expect("whole").deaf = times;
    }

    /// Lets something happen elsewhere just before the next tag is given.
    pub(super) fn meanwhile(&self, happens: impl FnOnce() + Send + 'static) {
        self.content.lock().expect("whole").meanwhile = Some(Box::new(happens));
    }

    pub(super) fn digest(&self, name: &str, tag: &str) -> Option<String> {
        let content = self.content.lock().expect("whole");
        content.manifests.get(&(name.to_owned(), tag.to_owned())).map(|bytes| sha(bytes))
    }

    pub(super) fn pulls(&self) -> Vec<Value> {
        self.content.lock().expect("whole").pulls.clone()
    }

    /// Says that a pull request was merged.
    pub(super) fn merge(&self, number: usize, commit: &str) {
        let pull = &mut self.content.lock().expect("whole").pulls[number - 1];
        pull["merged"] = json!(true);
        pull["state"] = json!("closed");
        pull["merge_commit_sha"] = json!(commit);
    }

    pub(super) fn statuses(&self) -> Vec<Value> {
        self.content.lock().expect("whole").statuses.clone()
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.content.lock().expect("whole").asked.clone()
    }

    pub(super) fn protect(&self, approvals: u64) {
        self.content.lock().expect("whole").protection =
            Some(json!({"branch_name": "main", "enable_push": false, "required_approvals": approvals}));
    }

    pub(super) fn belongs_to(&self, login: &str) {
        self.content.lock().expect("whole").owner = Some(login.to_owned());
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        // Who begins with TLS is told in plain words, as servers without it do.
        if reader.fill_buf().is_ok_and(|begun| begun.first() == Some(&0x16)) {
            let mut stream = stream;
            let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        }
        while let Some(request) = read(&mut reader) {
            let (status, headers, body) = self.answer(&request);
            let mut text = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            text.push_str("\r\n");
            let shown = if request.method == "HEAD" { &[][..] } else { &body };
            let mut stream = stream;
            if stream.write_all(text.as_bytes()).and_then(|()| stream.write_all(shown)).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        if let Some(rest) = path.strip_prefix("/v2/") {
            return self.registry(request, rest);
        }
        if path == "/api/v1/user" {
            return match &self.content.lock().expect("whole").owner {
                Some(login) => document(200, &json!({"id": 7, "login": login})),
                None => document(403, &json!({"message": "token does not have at least one of required scope(s)"})),
            };
        }
        if let Some(rest) = path.strip_prefix("/api/v1/repos/acme/shop") {
            return self.forge(request, rest);
        }
        if let Some(rest) = path.strip_prefix("/api/v1/repos/") {
            self.content.lock().expect("whole").asked.push(format!("{} {rest}", request.method));
            return plain(404);
        }
        self.git(request, path, query)
    }

    fn registry(&self, request: &Request, rest: &str) -> Answer {
        if let Some((name, reference)) = rest.split_once("/manifests/") {
            if request.method == "PUT" {
                let happens = self.content.lock().expect("whole").meanwhile.take();
                if let Some(happens) = happens {
                    happens();
                }
                let digest = self.put(name, reference, request.body.clone());
                return (201, vec![("Docker-Content-Digest", digest)], Vec::new());
            }
            let content = self.content.lock().expect("whole");
            return match content.manifests.get(&(name.to_owned(), reference.to_owned())) {
                Some(bytes) => (200, vec![("Docker-Content-Digest", sha(bytes))], bytes.clone()),
                None => plain(404),
            };
        }
        if let Some(name) = rest.strip_suffix("/tags/list") {
            let mut content = self.content.lock().expect("whole");
            if content.busy > 0 {
                content.busy -= 1;
                return (429, vec![("Retry-After", "0".to_owned())], Vec::new());
            }
            let tags = content.manifests.keys().filter(|(of, tag)| of == name && !tag.contains(':'));
            return document(200, &json!({"name": name, "tags": tags.map(|(_, tag)| tag).collect::<Vec<_>>()}));
        }
        let digest = rest.split_once("/blobs/").map_or("", |(_, digest)| digest);
        match self.content.lock().expect("whole").blobs.get(digest) {
            Some(bytes) => (200, Vec::new(), bytes.clone()),
            None => plain(404),
        }
    }

    fn forge(&self, request: &Request, rest: &str) -> Answer {
        if request.headers.get("authorization").map(String::as_str) != Some(&format!("token {TOKEN}")) {
            return document(401, &json!({"message": "token is required"}));
        }
        let mut content = self.content.lock().expect("whole");
        content.asked.push(format!("{} {rest}", request.method));
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["pulls"]) => document(200, &json!(content.pulls)),
            // Of a branch there is one open request at a time: who asks for a second is refused, as Gitea does.
            ("POST", ["pulls"])
                if content.pulls.iter().any(|it| {
                    it["state"] == "open" && it["head"]["ref"] == body["head"] && it["base"]["ref"] == body["base"]
                }) =>
            {
                document(409, &json!({"message": "pull request already exists for these targets"}))
            }
            ("POST", ["pulls"]) => {
                let number = content.pulls.len() + 1;
                let pull = json!({
                    "number": number, "state": "open", "title": body["title"], "body": body["body"], "merged": false,
                    "html_url": self.url(&format!("acme/shop/pulls/{number}")),
                    "head": {"ref": body["head"], "sha": ""}, "base": {"ref": body["base"]}, "user": {"login": "bot"},
                });
                content.pulls.push(pull.clone());
                document(201, &pull)
            }
            ("GET", ["pulls", number]) => {
                let at = number.parse::<usize>().expect("a number") - 1;
                document(200, &content.pulls[at])
            }
            ("PATCH", ["pulls", number]) => {
                let at = number.parse::<usize>().expect("a number") - 1;
                for key in ["title", "body"] {
                    content.pulls[at][key] = body[key].clone();
                }
                document(201, &content.pulls[at])
            }
            ("POST", ["statuses", _]) if content.deaf > 0 => {
                content.deaf -= 1;
                plain(503)
            }
            ("POST", ["statuses", commit]) => {
                let mut status = body;
                status["commit"] = json!(commit);
                content.statuses.push(status.clone());
                document(201, &status)
            }
            ("GET", ["branch_protections", "main"]) => match &content.protection {
                Some(protection) => document(200, protection),
                None => document(404, &json!({"message": "not found"})),
            },
            _ => plain(404),
        }
    }

    fn git(&self, request: &Request, path: &str, query: &str) -> Answer {
        let pushes = path.ends_with("git-receive-pack") || query.contains("git-receive-pack");
        if pushes && !request.headers.contains_key("authorization") {
            return (401, vec![("WWW-Authenticate", "Basic realm=\"git\"".to_owned())], Vec::new());
        }
        let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
        let mut backend = Command::new("git");
        backend.arg("http-backend").stdin(Stdio::piped()).stdout(Stdio::piped());
        backend.env("GIT_PROJECT_ROOT", &self.root).env("GIT_HTTP_EXPORT_ALL", "1").env("REMOTE_USER", "bot");
        backend.env("PATH_INFO", path).env("QUERY_STRING", query).env("REQUEST_METHOD", &request.method);
        backend.env("CONTENT_TYPE", header("content-type")).env("CONTENT_LENGTH", request.body.len().to_string());
        backend.env("GIT_PROTOCOL", header("git-protocol")).env("HTTP_CONTENT_ENCODING", header("content-encoding"));
        let mut child = backend.spawn().expect("git runs");
        let mut stdin = child.stdin.take().expect("piped");
        let _read = stdin.write_all(&request.body);
        drop(stdin);
        let output = child.wait_with_output().expect("ended").stdout;
        let Some(at) = output.windows(4).position(|four| four == b"\r\n\r\n") else { return plain(500) };
        let head = String::from_utf8_lossy(&output[..at]).into_owned();
        let line = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let status = line("Status: ").and_then(|it| it.split(' ').next()?.parse().ok()).unwrap_or(200);
        let kind = line("Content-Type: ").unwrap_or_default();
        (status, vec![("Content-Type", kind), ("Cache-Control", "no-cache".to_owned())], output[at + 4..].to_vec())
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|it| it == "chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut part = vec![0; size + 2];
            reader.read_exact(&mut part).ok()?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&part[..size]);
        }
    } else if let Some(length) = headers.get("content-length") {
        body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
    }
    Some(Request { method, target, headers, body })
}
