use std::net::SocketAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api as Kube, ListParams, PostParams};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use base64::Engine as _;
use landfall_drydock::{Authority, Authorization, Clock, Cluster, Options};
use serde_json::json;

use crate::api::{Api, MAPS, map, options};

#[tokio::test]
async fn a_typed_client_works_in_process() {
    let api = Api::open().await;
    let maps: Kube<ConfigMap> = Kube::namespaced(api.0.client(), "default");
    let created: ConfigMap = serde_json::from_value(map("a")).expect("a map");
    maps.create(&PostParams::default(), &created).await.expect("created");
    assert_eq!(maps.list(&ListParams::default()).await.expect("listed").items.len(), 1);
    assert!(maps.get_opt("b").await.expect("asked").is_none());
}

/// A connection over TLS that speaks one protocol.
pub(crate) async fn connect(
    api: &Api,
    address: SocketAddr,
    identity: Option<(String, String)>,
    protocol: &[u8],
) -> Connection {
    let stream = tokio::net::TcpStream::connect(address).await.expect("connects");
    shake_hands(api, stream, identity, protocol).await.expect("a handshake")
}

pub(crate) type Connection = tokio_rustls::client::TlsStream<tokio::net::TcpStream>;

/// The same on a connection that is there already.
pub(crate) async fn shake_hands(
    api: &Api,
    stream: tokio::net::TcpStream,
    identity: Option<(String, String)>,
    protocol: &[u8],
) -> std::io::Result<Connection> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(api.0.authority().as_bytes()).expect("PEM")).expect("an authority");
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM"),
            )
            .expect("an identity"),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = "127.0.0.1".try_into().expect("a name");
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// One request over TLS; the answer's head and body.
async fn ask(api: &Api, address: SocketAddr, head: &str, identity: Option<(String, String)>) -> String {
    ask_with(api, address, head, identity, &[]).await
}

/// The same with a body, which is sent whole before anything is read.
pub(crate) async fn ask_with(
    api: &Api,
    address: SocketAddr,
    head: &str,
    identity: Option<(String, String)>,
    body: &[u8],
) -> String {
    let mut stream = connect(api, address, identity, b"http/1.1").await;
    stream.write_all(format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.expect("sent");
    stream.write_all(body).await.expect("sent");
    // What the connection's own buffer took while the socket was full is not on its way yet.
    stream.flush().await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered_not_cut_off() {
    let api = Api::open().await;
    let served = api.0.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("served");
    let body = vec![b'x'; 12 * 1024 * 1024];
    let head = format!(
        "POST {MAPS} HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}",
        served.token,
        body.len()
    );
    let answer = ask_with(&api, served.address, &head, None, &body).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("Request entity too large: limit is 3145728"), "{answer}");
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused_in_the_servers_words() {
    let api = Api::open().await;
    let log = "/api/v1/namespaces/default/pods/p/log?tailLines=-1&limitBytes=0&sinceSeconds=0";
    api.get(log).await.refused(
        422,
        "PodLogOptions \"p\" is invalid: [tailLines: Invalid value: -1: must be greater than or equal to 0, limitBytes: Invalid value: 0: must be greater than 0, sinceSeconds: Invalid value: 0: must be greater than 0]",
    );
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
    api.post(accounts, account).await.expect(201);
    let token = format!("{accounts}/robot/token");
    let wanted = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": i64::MAX}});
    let told = "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 9223372036854775807: may not specify a duration larger than 2^32 seconds";
    api.post(&token, wanted).await.refused(422, told);
}

#[tokio::test]
async fn the_served_api_knows_who_asks() {
    let api = Api::open().await;
    let served = api.0.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("served");
    let get = format!("GET {MAPS} HTTP/1.1");
    let anonymous = ask(&api, served.address, &get, None).await;
    assert!(anonymous.starts_with("HTTP/1.1 403"), "{anonymous}");
    let token = format!("{get}\r\nAuthorization: Bearer {}", served.token);
    assert!(ask(&api, served.address, &token, None).await.starts_with("HTTP/1.1 200"));
    let wrong = format!("{get}\r\nAuthorization: Bearer no");
    assert!(ask(&api, served.address, &wrong, None).await.starts_with("HTTP/1.1 401"));
    let identity = api.0.client_certificate("admin", &["system:masters"]).expect("a certificate");
    assert!(ask(&api, served.address, &get, Some(identity)).await.starts_with("HTTP/1.1 200"));
    let version = ask(&api, served.address, "GET /version HTTP/1.1", None).await;
    assert!(version.contains("gitVersion"), "{version}");
}

#[tokio::test]
async fn a_watch_is_served_over_a_websocket_to_who_asks_for_one() {
    let api = Api::open().await;
    let served = api.0.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("served");
    api.post(MAPS, map("first")).await.expect(201);
    let mut stream = connect(&api, served.address, None, b"http/1.1").await;
    let head = format!(
        "GET {MAPS}?watch=true HTTP/1.1\r\nHost: x\r\nOrigin: https://x\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        served.token
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.flush().await.expect("sent");
    let answer = read_until(&mut stream, "\"name\":\"first\"").await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    api.post(MAPS, map("second")).await.expect(201);
    let event = read_until(&mut stream, "\"name\":\"second\"").await;
    assert!(event.contains("{\"type\":\"ADDED\""), "{event}");
}

/// What comes until a text is among it.
async fn read_until(stream: &mut Connection, text: &str) -> String {
    let mut received = Vec::new();
    loop {
        let read = stream.read_buf(&mut received).await.expect("goes on");
        let so_far = String::from_utf8_lossy(&received).into_owned();
        if so_far.contains(text) {
            return so_far;
        }
        assert!(read > 0, "it ended with {so_far}");
    }
}

#[tokio::test]
async fn where_all_is_allowed_nobody_is_anonymous() {
    let mut options = options();
    options.settings.authorization = Authorization::AlwaysAllow;
    let api = Api(Cluster::open(options).await.expect("opens"));
    let served = api.0.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("served");
    let get = format!("GET {MAPS} HTTP/1.1");
    assert!(ask(&api, served.address, &get, None).await.starts_with("HTTP/1.1 401"));
    let basic = format!("{get}\r\nAuthorization: Basic YmFkOndyb25n");
    assert!(ask(&api, served.address, &basic, None).await.starts_with("HTTP/1.1 401"));
    let identity = api.0.client_certificate("jane", &[]).expect("a certificate");
    assert!(ask(&api, served.address, &get, Some(identity)).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_certificate_signed_on_request_by_an_authority_of_ones_own_opens_the_door() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "our authority");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("signed").pem();
    let authority = Authority { certificate: certificate.clone(), key: key.serialize_pem() };
    let api = Api(Cluster::open(Options { authority: Some(authority), clock: Clock::Real, ..options() })
        .await
        .expect("opens"));
    assert_eq!(api.0.authority(), certificate);

    let own = rcgen::KeyPair::generate().expect("a key");
    let mut asked = rcgen::CertificateParams::default();
    asked.distinguished_name.push(rcgen::DnType::CommonName, "jane");
    asked.distinguished_name.push(rcgen::DnType::OrganizationName, "dev");
    let request = asked.serialize_request(&own).expect("a request").pem().expect("text");
    let encoder = base64::engine::general_purpose::STANDARD;
    let requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let spec = json!({
        "request": encoder.encode(request), "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"], "expirationSeconds": 3600,
    });
    api.post(requests, json!({"metadata": {"name": "jane"}, "spec": spec})).await.expect(201);
    let approved = json!({"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Test"}]}});
    api.patch("merge-patch+json", &format!("{requests}/jane/approval"), approved).await.expect(200);
    api.0.settle();
    let answer = api.get(&format!("{requests}/jane")).await.expect(200);
    let signed = encoder.decode(answer["status"]["certificate"].as_str().expect("signed")).expect("base64");
    let identity = (String::from_utf8(signed).expect("PEM"), own.serialize_pem());
    let binding = json!({
        "metadata": {"name": "dev"}, "subjects": [{"kind": "Group", "name": "dev"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    });
    api.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding).await.expect(201);
    let served = api.0.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("served");
    let get = format!("GET {MAPS} HTTP/1.1");
    assert!(ask(&api, served.address, &get, Some(identity)).await.starts_with("HTTP/1.1 200"));
}
