//! The listener itself: ports, connections, answers.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use landfall_apiserver::{Backend, Containers, Plane, PortRequest, ServeLimits};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::backend::{self, Unavailable};
use super::matcher::Asked;
use super::middleware::{Passed, Passing, pass};
use super::{Entry, NOT_SIMULATED_HEADER, SIMULATED_HEADER, UNDECLARED_HEADER, rules, tls};
use crate::controllers::fields::{name, namespace, text};

/// How long a request's body may take.
const SENDING: Duration = Duration::from_secs(60);
/// The longest request body that is taken, in bytes.
const LONGEST_BODY: usize = 10 * 1024 * 1024;
/// How long a TLS handshake may take.
const HANDSHAKE: std::time::Duration = std::time::Duration::from_secs(10);

/// Where the ingress listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressOptions {
    /// The address.
    pub address: IpAddr,
    /// Ports for HTTP, the first that is free and allowed; 0 is any.
    pub http: Vec<u16>,
    /// Ports for HTTPS, likewise.
    pub https: Vec<u16>,
    /// Ports that are listened on beside those, for HTTP and for HTTPS, where they are free.
    pub beside: (Vec<u16>, Vec<u16>),
}

impl Default for IngressOptions {
    /// Loopback; 80 and 443, else 8080 and 8443, else whatever is free. Where the first two may be had, the others lead
    /// there as well: an address that somebody wrote down works for whoever may not have them, and for whoever may.
    fn default() -> Self {
        Self { beside: (vec![8080], vec![8443]), ..Self::on(vec![80, 8080, 0], vec![443, 8443, 0]) }
    }
}

impl IngressOptions {
    /// On loopback, at the first of these ports that is free and allowed, and at no other.
    pub fn on(http: Vec<u16>, https: Vec<u16>) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::LOCALHOST), http, https, beside: (Vec::new(), Vec::new()) }
    }
}

/// A listening ingress; it ends when dropped.
#[derive(Debug)]
pub struct IngressServer {
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where HTTPS is served.
    pub https: SocketAddr,
    _stop: DropGuard,
}

/// The ingress cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum IngressError {
    /// None of the ports could be had.
    #[error("no port for the ingress on {address}: tried {}", .ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NoPort {
        /// Where.
        address: IpAddr,
        /// Which ports were tried.
        ports: Vec<u16>,
        /// What the last one said.
        source: std::io::Error,
    },
    /// The TLS side cannot be set up.
    #[error("the ingress's TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// What all connections share.
struct Shared {
    plane: Arc<Plane>,
    turn: AtomicUsize,
    /// The port with TLS.
    tls_port: u16,
}

/// Listens until the server that it gives is dropped.
pub(crate) async fn serve(plane: Arc<Plane>, options: &IngressOptions) -> Result<IngressServer, IngressError> {
    let http = listen(options.address, &options.http).await?;
    let https = listen(options.address, &options.https).await?;
    let here = |listener: &TcpListener| listener.local_addr().unwrap_or(SocketAddr::new(options.address, 0));
    let (http_address, https_address) = (here(&http), here(&https));
    let acceptor = TlsAcceptor::from(Arc::new(tls::config(plane.clone())?));
    let shared = Arc::new(Shared { plane, turn: AtomicUsize::new(0), tls_port: https_address.port() });
    let stop = CancellationToken::new();
    for listener in beside(options.address, &options.beside.0).await {
        tokio::spawn(accept(listener, None, shared.clone(), stop.clone()));
    }
    for listener in beside(options.address, &options.beside.1).await {
        tokio::spawn(accept(listener, Some(acceptor.clone()), shared.clone(), stop.clone()));
    }
    tokio::spawn(accept(http, None, shared.clone(), stop.clone()));
    tokio::spawn(accept(https, Some(acceptor), shared, stop.clone()));
    Ok(IngressServer { http: http_address, https: https_address, _stop: stop.drop_guard() })
}

async fn listen(address: IpAddr, ports: &[u16]) -> Result<TcpListener, IngressError> {
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for port in ports {
        match TcpListener::bind(SocketAddr::new(address, *port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(IngressError::NoPort { address, ports: ports.to_vec(), source: last })
}

/// Those of some ports that are free and allowed.
async fn beside(address: IpAddr, ports: &[u16]) -> Vec<TcpListener> {
    let mut listeners = Vec::new();
    for port in ports {
        listeners.extend(TcpListener::bind(SocketAddr::new(address, *port)).await.ok());
    }
    listeners
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors: others must end first.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let (shared, tls, stop) = (shared.clone(), tls.clone(), stop.clone());
        tokio::spawn(async move {
            let work = async {
                match tls {
                    None => connection(TokioIo::new(stream), Entry::Web, shared).await,
                    Some(acceptor) => {
                        if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                            connection(TokioIo::new(stream), Entry::WebSecure, shared).await;
                        }
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }
}

async fn connection<S>(stream: TokioIo<S>, entry: Entry, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(&shared, entry, request).await) }
    });
    // A client that goes away in the middle is no error of ours.
    let mut builder = Builder::new(TokioExecutor::new());
    let ServeLimits { head, ping, .. } = ServeLimits::default();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(ping).keep_alive_timeout(ping);
    let _ = builder.serve_connection(stream, service).await;
}

type Answer = Response<Full<Bytes>>;

fn plain(status: StatusCode, simulated: &str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    insert(headers, SIMULATED_HEADER, simulated);
    response
}

/// Sets a header; one that cannot be sent is left out.
fn insert(headers: &mut http::HeaderMap, key: &str, value: &str) {
    if let (Ok(key), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
        if value.is_empty() {
            headers.remove(key);
        } else {
            headers.insert(key, value);
        }
    }
}

async fn answer(shared: &Shared, entry: Entry, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let authority = parts
        .uri
        .authority()
        .map(|a| a.as_str().to_owned())
        .or_else(|| parts.headers.get(HOST).and_then(|h| h.to_str().ok()).map(str::to_owned))
        .unwrap_or_default();
    let body = match tokio::time::timeout(SENDING, Limited::new(body, LONGEST_BODY).collect()).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let why = format!("the body is longer than {LONGEST_BODY} bytes\n");
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "none", why);
        }
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "none", "the body was not there in time\n"),
    };
    let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    respond(shared, entry, &parts, &authority, path, &body.to_bytes())
}

/// The host without its port, in lower case.
fn host_of(authority: &str) -> String {
    let without_port = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    without_port.trim_end_matches('.').to_ascii_lowercase()
}

fn respond(
    shared: &Shared,
    entry: Entry,
    parts: &http::request::Parts,
    authority: &str,
    path: &str,
    body: &[u8],
) -> Answer {
    let host = host_of(authority);
    let (plain_path, query) = path.split_once('?').unwrap_or((path, ""));
    let method = parts.method.as_str();
    let asked = Asked { host: &host, method, path: plain_path, query, headers: &parts.headers };
    let (route, found, now) = {
        let world = shared.plane.world.lock();
        let Some(route) = rules::find(&world, entry, &asked) else {
            return plain(StatusCode::NOT_FOUND, "none", "404 page not found\n");
        };
        let turn = shared.turn.fetch_add(1, Ordering::Relaxed);
        let found = backend::find(&world, &route, turn);
        (route, found, world.now())
    };
    let scheme = if entry == Entry::Web { "http" } else { "https" };
    let passing = Passing { scheme, host: authority, path, tls_port: Some(shared.tls_port) };
    let (path, more, mut not_simulated) = match pass(&route.middlewares, &passing) {
        Passed::On { path, headers, not_simulated } => (path, headers, not_simulated),
        Passed::Redirect { status, location, not_simulated } => {
            // As Traefik: GET gets the old codes, other methods those that keep the method.
            let status = match (method, status) {
                ("GET", 308) => 301,
                ("GET", 307) => 302,
                (_, status) => status,
            };
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
            let mut redirect = plain(status, "none", "");
            insert(redirect.headers_mut(), LOCATION.as_str(), &location);
            name_not_simulated(&mut redirect, &not_simulated);
            return redirect;
        }
        Passed::Refused(which) => {
            let why =
                format!("404 page not found\n\nlandfall: {}: middleware \"{which}\" does not exist\n", route.owner);
            return plain(StatusCode::NOT_FOUND, "none", why);
        }
    };
    if let Err(Unavailable::External(name)) = &found {
        not_simulated.push(format!("{name}, for which service {}/{} stands", route.namespace, route.service));
    }
    let mut response = match found {
        Err(why) => unavailable(&route, &why),
        Ok(backend) => answer_of(&*shared.plane.containers, &backend, &PortRequest { method, path: &path, body, now }),
    };
    for (key, value) in &more {
        insert(response.headers_mut(), key, value);
    }
    name_not_simulated(&mut response, &not_simulated);
    response
}

/// Says of an answer what of the way to it is not simulated: who asks has learnt nothing.
fn name_not_simulated(answer: &mut Answer, which: &[String]) {
    if which.is_empty() {
        return;
    }
    // A header that cannot be sent would be left out.
    let visible = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    let named: String = which.join(", ").chars().map(visible).collect();
    insert(answer.headers_mut(), NOT_SIMULATED_HEADER, &named);
}

fn unavailable(route: &rules::Route, why: &Unavailable) -> Answer {
    let service = format!("service {}/{}", route.namespace, route.service);
    let (status, why) = match why {
        Unavailable::NoService => (StatusCode::SERVICE_UNAVAILABLE, format!("{service} does not exist")),
        Unavailable::NoPort => (StatusCode::SERVICE_UNAVAILABLE, format!("{service} has no port {}", route.port)),
        Unavailable::External(name) => {
            (StatusCode::NOT_IMPLEMENTED, format!("{service} stands for {name}, which is not called"))
        }
        Unavailable::NoneReady(0) => (StatusCode::SERVICE_UNAVAILABLE, format!("{service} has no pods")),
        Unavailable::NoneReady(pods) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("none of the {pods} pods of {service} is ready"))
        }
    };
    plain(status, "none", format!("no available server\n\nlandfall: {}: {why}\n", route.owner))
}

/// What the container behind a port answers, and otherwise how to declare it.
pub(crate) fn answer_of(containers: &dyn Containers, backend: &Backend, request: &PortRequest<'_>) -> Answer {
    let PortRequest { method, path, .. } = request;
    let pod = &backend.pod;
    let container = crate::kubelet::container_of_port(pod, backend.port).map_or("", |c| text(c, "/name"));
    let who = format!("{}/{}/{container}", namespace(pod), name(pod));
    let Some(declared) = containers.http(pod, backend.port, request) else {
        let why = format!(
            "simulated: container {container} of pod {}/{} answers nothing to {method} {path}.\n\
             No process runs on the embedded cluster; declare the answer in landfall.yaml:\n\n\
             simulate:\n  {container}:\n    http: [{{method: {method}, path: {path:?}, body: ...}}]\n",
            namespace(pod),
            name(pod),
        );
        let mut undeclared = plain(StatusCode::NOT_IMPLEMENTED, &who, why);
        insert(undeclared.headers_mut(), UNDECLARED_HEADER, &who);
        return undeclared;
    };
    let mut response = Response::new(Full::new(Bytes::from(declared.body)));
    *response.status_mut() = StatusCode::from_u16(declared.status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (key, value) in &declared.headers {
        insert(response.headers_mut(), key, value);
    }
    insert(response.headers_mut(), SIMULATED_HEADER, &who);
    response
}
