//! The embedded API, asked by somebody who may little, or who asks for too much.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base64::Engine as _;
use reqwest::Method;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::Pair;
use super::ground::Ground;
use super::scene::Scene;
use crate::http::{Endpoint, install_crypto};
use crate::testbed;

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = patches();
    all.extend(bodies());
    all.extend(connections());
    all.extend(rights());
    all.extend(identities());
    all.extend(tokens());
    all
}

/// The served cluster of a ground.
pub(super) struct Api {
    endpoint: Endpoint,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// What was answered: the status, and the body.
pub(super) type Answered = (u16, Value);

/// The process that serves a ground's cluster.
pub(super) fn pid(ground: &Ground) -> Option<u32> {
    let endpoint: Value = serde_json::from_slice(&fs::read(ground.path(".landfall/endpoint.json")).ok()?).ok()?;
    u32::try_from(endpoint["pid"].as_u64()?).ok()
}

impl Api {
    pub(super) fn of(ground: &Ground) -> anyhow::Result<Self> {
        let read = |name: &str| fs::read_to_string(ground.path(&format!(".landfall/{name}"))).context(name.to_owned());
        let endpoint: Value = serde_json::from_str(&read("endpoint.json")?)?;
        let kubeconfig = read("kubeconfig")?;
        let authority = kubeconfig.split_once("certificate-authority-data:").context("no authority")?.1;
        let authority = authority.trim_start().split(['"', '\n', ',', '}']).find(|text| !text.trim().is_empty());
        let authority = base64::engine::general_purpose::STANDARD.decode(authority.context("no authority")?.trim())?;
        let url = endpoint["server"].as_str().context("no server")?.to_owned();
        let endpoint = Endpoint { url, ca: String::from_utf8(authority)?, token: read("token")?.trim().to_owned() };
        Ok(Api { client: endpoint.client()?, endpoint, runtime: testbed::runtime()? })
    }

    /// Asks as the administrator.
    pub(super) fn admin(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Answered> {
        self.ask(method, path, body, &self.endpoint.token, &[])
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        token: &str,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Answered> {
        let kind = if method == Method::PATCH { "application/json-patch+json" } else { "application/json" };
        let mut request =
            self.client.request(method, format!("{}{path}", self.endpoint.url)).header("Content-Type", kind);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            let text = answer.text().await?;
            Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
        })
    }

    /// Makes what must be there first.
    fn made(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let (status, answer) = self.admin(Method::POST, path, body)?;
        ensure!(status < 300 || status == 409, "{path} cannot be prepared: {status} {answer}");
        Ok(())
    }

    /// A service account that may do this in the namespace `default`, and its token.
    fn somebody(&self, rules: &Value) -> anyhow::Result<String> {
        const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
        self.made("/api/v1/namespaces/default/serviceaccounts", &json!({"metadata": {"name": "somebody"}}))?;
        self.made(&format!("{RBAC}/clusterroles"), &json!({"metadata": {"name": "some"}, "rules": rules}))?;
        let subject = json!([{"kind": "ServiceAccount", "name": "somebody", "namespace": "default"}]);
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "some"});
        self.made(
            &format!("{RBAC}/clusterrolebindings"),
            &json!({"metadata": {"name": "some"}, "subjects": subject, "roleRef": role}),
        )?;
        self.token_for(&json!(null))
    }

    /// A token of that service account, for audiences.
    fn token_for(&self, audiences: &Value) -> anyhow::Result<String> {
        let path = "/api/v1/namespaces/default/serviceaccounts/somebody/token";
        let spec = if audiences.is_null() { json!({}) } else { json!({"audiences": audiences}) };
        let (status, answer) = self.admin(Method::POST, path, &json!({"spec": spec}))?;
        let token = answer["status"]["token"].as_str();
        Ok(token.with_context(|| format!("no token: {status} {answer}"))?.to_owned())
    }

    /// Whether it still answers.
    fn answers(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        let (status, _) = self.admin(Method::GET, "/api/v1/namespaces", &Value::Null)?;
        ensure!(status == 200, "it answers {status}");
        ensure!(began.elapsed() < Duration::from_secs(3), "it answers after {:?}", began.elapsed());
        Ok(())
    }

    /// A connection, with TLS.
    fn line(&self) -> anyhow::Result<rustls::StreamOwned<rustls::ClientConnection, TcpStream>> {
        install_crypto();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls::pki_types::CertificateDer::from_pem_slice(self.endpoint.ca.as_bytes())?)?;
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let address = self.endpoint.url.trim_start_matches("https://");
        let connection = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into()?)?;
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(4)))?;
        Ok(rustls::StreamOwned::new(connection, stream))
    }
}

/// Says how it was answered, for the scene's words.
fn told((status, answer): Answered) -> String {
    let message = answer["message"].as_str().map_or_else(|| answer.to_string(), str::to_owned);
    format!("answered {status}: {}", super::ground::short(&message))
}

const CONFIGS: &str = "/api/v1/namespaces/default/configmaps";

/// Copies that double, or are many (a real server's `JSONPatchMaxCopyBytes`).
fn patches() -> Vec<Pair> {
    fn copies(ground: &Ground, size: usize, count: usize, from: fn(usize) -> String) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        api.made(CONFIGS, &json!({"metadata": {"name": "c"}, "data": {"k0": "x".repeat(size)}}))?;
        let operations: Vec<Value> =
            (1..=count).map(|at| json!({"op": "copy", "from": from(at), "path": format!("/data/k{at}")})).collect();
        let answered = api.admin(Method::PATCH, &format!("{CONFIGS}/c"), &Value::Array(operations))?;
        api.answers()?;
        Ok(told(answered))
    }
    fn doubling(ground: &Ground, count: usize) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        api.made(CONFIGS, &json!({"metadata": {"name": "c", "annotations": {"a": "x".repeat(1000)}}}))?;
        let operations: Vec<Value> = (0..count)
            .map(|at| json!({"op": "copy", "from": "/metadata", "path": format!("/metadata/m{at}")}))
            .collect();
        let answered = api.admin(Method::PATCH, &format!("{CONFIGS}/c"), &Value::Array(operations))?;
        api.answers()?;
        Ok(told(answered))
    }
    fn many(ground: &Ground, count: usize) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        api.made(CONFIGS, &json!({"metadata": {"name": "c"}, "data": {"k": "x"}}))?;
        let operations = vec![json!({"op": "test", "path": "/data/k", "value": "x"}); count];
        Ok(told(api.admin(Method::PATCH, &format!("{CONFIGS}/c"), &Value::Array(operations))?))
    }
    let well = |scene: Scene| scene.well(&["answered 200"]);
    let refused = |scene: Scene, words: &[&str]| scene.well(words).hides(&["answered 200"]);
    vec![
        (
            "patches that copy",
            "the same again and again",
            refused(Scene::talk(|ground| copies(ground, 500_000, 60, |_| "/data/k0".to_owned())), &["answered 422"]),
            well(Scene::talk(|ground| copies(ground, 1000, 4, |_| "/data/k0".to_owned()))),
        ),
        (
            "patches that copy",
            "what was copied",
            refused(
                Scene::talk(|ground| copies(ground, 500_000, 60, |at| format!("/data/k{}", at - 1))),
                &["answered 422"],
            ),
            well(Scene::talk(|ground| copies(ground, 1000, 4, |at| format!("/data/k{}", at - 1)))),
        ),
        (
            "patches that copy",
            "what holds the copies",
            refused(Scene::talk(|ground| doubling(ground, 60)), &["answered 422"]),
            well(Scene::talk(|ground| doubling(ground, 0))),
        ),
        (
            "patches that copy",
            "too many operations",
            refused(Scene::talk(|ground| many(ground, 20_000)), &["answered 413"]),
            well(Scene::talk(|ground| many(ground, 20))),
        ),
    ]
}

/// Bodies that are too large, of nobody, or never end.
fn bodies() -> Vec<Pair> {
    fn post(ground: &Ground, token: &str, length: &str, sent: usize) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        let token = if token == "admin" { api.endpoint.token.clone() } else { token.to_owned() };
        let mut line = api.line()?;
        let head = format!(
            "POST {CONFIGS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
        );
        line.write_all(head.as_bytes())?;
        let block = vec![b' '; 64 << 10];
        let mut left = sent;
        // Who is refused may be cut off while it still sends.
        while left > 0 && line.write_all(&block).is_ok() {
            left = left.saturating_sub(block.len());
        }
        let mut answer = [0; 400];
        let read = line.read(&mut answer).unwrap_or(0);
        api.answers()?;
        let first = String::from_utf8_lossy(&answer[..read]).lines().next().unwrap_or("nothing").to_owned();
        Ok(format!("answered {}", first.trim_start_matches("HTTP/1.1 ")))
    }
    fn proper(ground: &Ground) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        Ok(told(api.admin(
            Method::POST,
            CONFIGS,
            &json!({"metadata": {"name": "c"}, "data": {"k": "x".repeat(900_000)}}),
        )?))
    }
    let twin = || Scene::talk(proper).well(&["answered 201"]);
    let hidden = |scene: Scene, words: &[&str]| scene.well(words).hides(&["answered 20"]);
    vec![
        (
            "bodies",
            "of nobody",
            hidden(Scene::talk(|ground| post(ground, "nobodys", "Content-Length: 2000000000", 0)), &["answered 401"]),
            twin(),
        ),
        (
            "bodies",
            "of nobody, sent",
            hidden(Scene::talk(|ground| post(ground, "nobodys", "Content-Length: 200000000", 40 << 20)), &["answered"]),
            twin(),
        ),
        (
            "bodies",
            "too large",
            hidden(Scene::talk(|ground| post(ground, "admin", "Content-Length: 200000000", 4 << 20)), &["answered"]),
            twin(),
        ),
        (
            "bodies",
            "without an end",
            hidden(
                Scene::talk(|ground| post(ground, "admin", "Transfer-Encoding: chunked\r\n\r\nfffffff", 40 << 20)),
                &["answered"],
            ),
            twin(),
        ),
    ]
}

/// Lines on which nobody says who they are, and watches without number.
fn connections() -> Vec<Pair> {
    fn lines(ground: &Ground, count: usize, sent: &[u8]) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        let address = api.endpoint.url.trim_start_matches("https://");
        let mut plain = Vec::new();
        for _ in 0..count {
            let mut stream = TcpStream::connect(address)?;
            // The other side may have had enough of us.
            let _cut = stream.write_all(sent);
            plain.push(stream);
        }
        api.answers()?;
        Ok(format!("answered beside {} lines", plain.len()))
    }
    fn heads(ground: &Ground, count: usize) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        let mut lines = Vec::new();
        for _ in 0..count {
            let mut line = api.line()?;
            let _cut = line.write_all(b"GET /api/v1/pods HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
            lines.push(line);
        }
        api.answers()?;
        Ok(format!("answered beside {} lines", lines.len()))
    }
    fn watches(ground: &Ground, count: usize) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        let url = format!("{}/api/v1/configmaps?watch=1&fieldSelector=metadata.name=nothing", api.endpoint.url);
        // A connection carries so many at once.
        let clients: Vec<reqwest::Client> =
            (0..count.div_ceil(100)).map(|_| api.endpoint.client()).collect::<anyhow::Result<_>>()?;
        let answers = api.runtime.block_on(async {
            let asked = (0..count).map(|at| {
                let request = clients[at / 100].get(&url).bearer_auth(&api.endpoint.token).send();
                async { request.await.map(|answer| (answer.status().as_u16(), answer)) }
            });
            futures::future::join_all(asked).await
        });
        let open = answers.iter().flatten().filter(|(status, _)| *status == 200).count();
        api.answers()?;
        Ok(format!("answered with {open} of {count} watches"))
    }
    vec![
        (
            "lines that say nothing",
            "without a handshake",
            Scene::talk(|ground| lines(ground, 300, b"")).well(&["answered beside"]),
            Scene::talk(|ground| lines(ground, 3, b"")).well(&["answered beside 3"]),
        ),
        (
            "lines that say nothing",
            "with half a handshake",
            Scene::talk(|ground| lines(ground, 300, &[0x16, 3, 1, 2, 0])).well(&["answered beside"]),
            Scene::talk(|ground| lines(ground, 3, b"")).well(&["answered beside 3"]),
        ),
        (
            "lines that say nothing",
            "with half a head",
            Scene::talk(|ground| heads(ground, 120)).well(&["answered beside"]),
            Scene::talk(|ground| heads(ground, 3)).well(&["answered beside 3"]),
        ),
        (
            "watches without number",
            "of one token",
            Scene::talk(|ground| watches(ground, 4500)).well(&["answered with"]).hides(&["4500 of"]),
            Scene::talk(|ground| watches(ground, 50)).well(&["answered with 50 of 50"]),
        ),
    ]
}

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const ALL: &str = "*";

/// Rights that somebody gives himself (`escalate`, `bind`).
fn rights() -> Vec<Pair> {
    fn role(ground: &Ground, verbs: &[&str]) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        let token = api.somebody(&json!([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "clusterroles"], "verbs": verbs}]))?;
        let body =
            json!({"metadata": {"name": "more"}, "rules": [{"apiGroups": [ALL], "resources": [ALL], "verbs": [ALL]}]});
        Ok(told(api.ask(Method::POST, &format!("{RBAC}/namespaces/default/roles"), &body, &token, &[])?))
    }
    fn aggregated(ground: &Ground, verbs: &[&str]) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        let token = api.somebody(&json!([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "clusterroles"], "verbs": verbs}]))?;
        let body = json!({"metadata": {"name": "more"}, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}, "rules": []});
        Ok(told(api.ask(Method::POST, &format!("{RBAC}/clusterroles"), &body, &token, &[])?))
    }
    fn binding(ground: &Ground, rules: &Value) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        let token = api.somebody(rules)?;
        let body = json!({
            "metadata": {"name": "more"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "somebody", "namespace": "default"}],
        });
        Ok(told(api.ask(Method::POST, &format!("{RBAC}/clusterrolebindings"), &body, &token, &[])?))
    }
    fn widened(ground: &Ground, verbs: &[&str]) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        let token = api.somebody(&json!([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "clusterroles"], "verbs": verbs}]))?;
        let patch = json!([{"op": "add", "path": "/rules/0/verbs/-", "value": "*"}, {"op": "replace", "path": "/rules/0/resources", "value": ["*"]}]);
        Ok(told(api.ask(Method::PATCH, &format!("{RBAC}/clusterroles/some"), &patch, &token, &[])?))
    }
    let forbidden = |scene: Scene| scene.well(&["answered 403"]);
    vec![
        ("rights that are given to oneself", "a role", forbidden(Scene::talk(|ground| role(ground, &["create"]))), Scene::talk(|ground| role(ground, &["create", "escalate"])).well(&["answered 201"])),
        ("rights that are given to oneself", "an aggregated role", forbidden(Scene::talk(|ground| aggregated(ground, &["create"]))), Scene::talk(|ground| aggregated(ground, &["create", "escalate"])).well(&["answered 201"])),
        ("rights that are given to oneself", "one's own role", forbidden(Scene::talk(|ground| widened(ground, &["get", "patch"]))), Scene::talk(|ground| widened(ground, &["get", "patch", "escalate"])).well(&["answered 200"])),
        (
            "rights that are given to oneself",
            "a binding",
            forbidden(Scene::talk(|ground| binding(ground, &json!([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterrolebindings"], "verbs": ["create"]}])))),
            Scene::talk(|ground| binding(ground, &json!([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterrolebindings"], "verbs": ["create"]}, {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["bind"], "resourceNames": ["cluster-admin"]}]))).well(&["answered 201"]),
        ),
    ]
}

/// Acting as somebody else: each name, group, uid and extra is asked for.
fn identities() -> Vec<Pair> {
    fn acting(ground: &Ground, rules: &Value, headers: &[(&str, &str)]) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        let token = api.somebody(rules)?;
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        Ok(told(api.ask(Method::POST, path, &json!({}), &token, headers)?))
    }
    fn users() -> Value {
        json!([{"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["jane"]}])
    }
    fn more(group: &str, resource: &str) -> Value {
        json!([
            {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["jane"]},
            {"apiGroups": [group], "resources": [resource], "verbs": ["impersonate"]},
        ])
    }
    const JANE: (&str, &str) = ("Impersonate-User", "jane");
    const MASTERS: (&str, &str) = ("Impersonate-Group", "system:masters");
    const UID: (&str, &str) = ("Impersonate-Uid", "7");
    const EXTRA: (&str, &str) = ("Impersonate-Extra-Scopes", "all");
    let forbidden = |scene: Scene| scene.well(&["answered 403"]);
    vec![
        (
            "acting as somebody else",
            "a user",
            forbidden(Scene::talk(|ground| acting(ground, &users(), &[("Impersonate-User", "root")]))),
            Scene::talk(|ground| acting(ground, &users(), &[JANE])).well(&["jane"]),
        ),
        (
            "acting as somebody else",
            "a group",
            forbidden(Scene::talk(|ground| acting(ground, &users(), &[JANE, MASTERS]))),
            Scene::talk(|ground| acting(ground, &more("", "groups"), &[JANE, MASTERS])).well(&["system:masters"]),
        ),
        (
            "acting as somebody else",
            "a uid",
            forbidden(Scene::talk(|ground| acting(ground, &users(), &[JANE, UID]))),
            Scene::talk(|ground| acting(ground, &more("authentication.k8s.io", "uids"), &[JANE, UID])).well(&["jane"]),
        ),
        (
            "acting as somebody else",
            "an extra",
            forbidden(Scene::talk(|ground| acting(ground, &users(), &[JANE, EXTRA]))),
            Scene::talk(|ground| acting(ground, &more("authentication.k8s.io", "userextras/scopes"), &[JANE, EXTRA]))
                .well(&["jane"]),
        ),
    ]
}

/// Tokens for others, changed tokens, and no token.
fn tokens() -> Vec<Pair> {
    fn with(ground: &Ground, audiences: &Value, change: fn(String) -> String) -> anyhow::Result<String> {
        let api = Api::of(ground)?;
        api.somebody(&json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]))?;
        let token = change(api.token_for(audiences)?);
        Ok(told(api.ask(Method::GET, CONFIGS, &Value::Null, &token, &[])?))
    }
    fn unsigned(token: String) -> String {
        let coded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}");
        let payload = token.split('.').nth(1).unwrap_or_default();
        format!("{coded}.{payload}.")
    }
    fn changed(token: String) -> String {
        let mut parts = token.split('.').map(str::to_owned).collect::<Vec<_>>();
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&parts[1]).unwrap_or_default();
        let payload = String::from_utf8_lossy(&payload).replace("somebody", "default");
        parts[1] = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(payload);
        parts.join(".")
    }
    let twin = || Scene::talk(|ground| with(ground, &Value::Null, |token| token)).well(&["answered 200"]);
    let nobody = |scene: Scene| scene.well(&["answered 401"]);
    vec![
        (
            "tokens of others",
            "another audience",
            nobody(Scene::talk(|ground| with(ground, &json!(["vault"]), |token| token))),
            twin(),
        ),
        ("tokens of others", "unsigned", nobody(Scene::talk(|ground| with(ground, &Value::Null, unsigned))), twin()),
        ("tokens of others", "changed", nobody(Scene::talk(|ground| with(ground, &Value::Null, changed))), twin()),
        (
            "tokens of others",
            "none",
            Scene::talk(|ground| with(ground, &Value::Null, |_| String::new()))
                .well(&["answered 40"])
                .hides(&["answered 404"]),
            twin(),
        ),
    ]
}
