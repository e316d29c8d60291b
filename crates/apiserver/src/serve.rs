//! Serving the API on loopback over TLS, HTTP/1.1 and h2.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::api::{PeerCertificate, Service};
use crate::error::Error;
use crate::lines::{Line, Lines, ServeLimits};
use crate::plane::Plane;

/// An API that is being served; ends when dropped.
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    /// PEM of the authority that signed its certificate.
    pub authority: String,
    /// The admin's bearer token.
    pub token: String,
    _stop: DropGuard,
}

impl Served {
    /// A kubeconfig for this address.
    pub fn kubeconfig(&self) -> String {
        kubeconfig(&format!("https://{}", self.address), &self.authority, &self.token)
    }
}

/// A kubeconfig (JSON, which is YAML) with one context named `landfall`.
pub fn kubeconfig(server: &str, authority: &str, token: &str) -> String {
    use base64::Engine as _;
    let authority = base64::engine::general_purpose::STANDARD.encode(authority);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "landfall", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": "landfall-admin", "user": {"token": token}}],
        "contexts": [{"name": "landfall", "context": {"cluster": "landfall", "user": "landfall-admin", "namespace": "default"}}],
        "current-context": "landfall",
    });
    crate::yaml_text::emit(&config)
}

/// Serves the API over TLS until `stop` or until the answer is dropped; port 0 takes a free one.
///
/// # Errors
/// [`Error::Listen`] when the address cannot be bound.
#[boxed]
pub async fn serve(
    plane: &Arc<Plane>,
    address: SocketAddr,
    limits: ServeLimits,
    stop: CancellationToken,
) -> Result<Served, Error> {
    let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    let mut names: Vec<String> = names.map(str::to_owned).to_vec();
    names.push("127.0.0.1".to_owned());
    if !address.ip().is_unspecified() && !address.ip().is_loopback() {
        names.push(address.ip().to_string());
    }
    let [a, b] = plane.world.lock().settings().service_network;
    names.push(format!("{a}.{b}.0.1"));
    let (chain, key) = plane.credentials.server_certificate(names)?;
    let acceptor = TlsAcceptor::from(Arc::new(tls_config(&chain, &key, plane.credentials.authority())?));
    let listen = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let door = Door { acceptor, service: Service::served(plane.clone()), lines: Lines::new(limits) };
    tokio::spawn(accept(listener, door, stop.clone()));
    Ok(Served {
        address,
        authority: plane.credentials.authority().to_owned(),
        token: plane.credentials.token().to_owned(),
        _stop: stop.drop_guard(),
    })
}

fn tls_config(chain: &str, key: &str, authority: &str) -> Result<rustls::ServerConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(authority.as_bytes()).map_err(Error::certificate)?;
    roots.add(authority).map_err(Error::certificate)?;
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(Error::certificate)?;
    let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).map_err(Error::certificate)?];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(Error::certificate)?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::certificate)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(Error::certificate)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// What every connection comes through.
#[derive(Clone)]
struct Door {
    acceptor: TlsAcceptor,
    service: Service,
    lines: Arc<Lines>,
}

async fn accept(listener: TcpListener, door: Door, stop: CancellationToken) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, mostly: give others time to close some.
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let line = door.lines.open();
        tokio::spawn(answer(door.clone(), stream, line, stop.clone()));
    }
}

/// Watches have no end of their own; what is not done shortly after the cluster's end is cut.
const LAST_ANSWERS: Duration = Duration::from_millis(200);
/// How long a connection on which no further request is taken may need for the answers that are under way.
const FAREWELL: Duration = Duration::from_secs(10);
/// The same where none is: for a client that does not answer the end of its connection.
const QUIET_FAREWELL: Duration = Duration::from_secs(1);

/// One connection, from its first byte to its last.
async fn answer(door: Door, stream: TcpStream, line: Arc<Line>, stop: CancellationToken) {
    let limits = &door.lines.limits;
    let _ = stream.set_nodelay(true);
    let handshake = tokio::select! {
        () = stop.cancelled() => return,
        () = line.ended() => return,
        done = tokio::time::timeout(limits.handshake, door.acceptor.accept(stream)) => done,
    };
    let Ok(Ok(stream)) = handshake else { return };
    let peer = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let peer = peer.map(|certificate| PeerCertificate(certificate.to_vec()));
    let service = TowerToHyperService::new(door.service.clone().on(line.clone(), peer));
    let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.ping)
        .max_concurrent_streams(1000);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let patience = tokio::select! {
        _ = &mut connection => return,
        () = stop.cancelled() => LAST_ANSWERS,
        () = line.ended() => if line.is_quiet() { QUIET_FAREWELL } else { FAREWELL },
    };
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = tokio::time::timeout(patience, connection) => {}
        () = async { stop.cancelled().await; tokio::time::sleep(LAST_ANSWERS).await } => {}
    }
}
