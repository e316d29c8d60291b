//! What is answered over HTTP: probes, metrics, the version, and webhooks of forges.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use landfall_source::{Hook, HookSecret};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::happened::Happened;
use crate::metrics;

/// Largest payload of a webhook that is read, in bytes: GitHub sends none that is larger.
const LARGEST: usize = 25 * 1024 * 1024;
/// How long a client may take for a request's head, and how long for all of its body.
const HEAD: Duration = Duration::from_secs(10);
const BODY: Duration = Duration::from_secs(30);
/// Connections at once; whoever comes beyond them waits.
const CONNECTIONS: usize = 512;
/// How long answers may take that are under way when the server ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// Who may ask for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Everybody: it tells nothing that is anybody's.
    Open,
    /// Whoever signs.
    Signed,
}

/// What is answered on a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Alive,
    Ready,
    Version,
    Metrics,
    Webhook,
}

/// Every route there is.
const ROUTES: [(&str, &str, Door, Page); 5] = [
    ("GET", "/healthz", Door::Open, Page::Alive),
    ("GET", "/readyz", Door::Open, Page::Ready),
    ("GET", "/version", Door::Open, Page::Version),
    ("GET", "/metrics", Door::Open, Page::Metrics),
    ("POST", "/api/webhook", Door::Signed, Page::Webhook),
];

/// What every connection comes through.
pub(crate) struct Front {
    pub(crate) board: Arc<Board>,
    pub(crate) secrets: Vec<HookSecret>,
    pub(crate) told: Sender<Happened>,
}

type Answer = Response<Full<Bytes>>;

/// Answers until it is told to stop.
pub(crate) async fn serve(listener: TcpListener, front: Arc<Front>, stop: CancellationToken) {
    let places = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
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
        let (front, stop) = (Arc::clone(&front), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            connection(stream, front, stop).await;
        });
    }
}

async fn connection(stream: TcpStream, front: Arc<Front>, stop: CancellationToken) {
    let _as_it_is = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _cut = tokio::time::timeout(FAREWELL, connection).await;
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let on_path = || ROUTES.iter().filter(|(_, known, ..)| *known == path);
        let method = if request.method() == Method::HEAD { "GET" } else { request.method().as_str() };
        let Some((_, _, door, page)) = on_path().find(|(known, ..)| *known == method) else {
            let status = match on_path().next() {
                Some(_) => StatusCode::METHOD_NOT_ALLOWED,
                None => StatusCode::NOT_FOUND,
            };
            return words(status, status.canonical_reason().unwrap_or_default());
        };
        match (door, page) {
            (Door::Open, Page::Alive) => words(StatusCode::OK, "ok"),
            (Door::Open, Page::Ready) if self.board.is_ready() => words(StatusCode::OK, "ok"),
            (Door::Open, Page::Ready) => {
                words(StatusCode::SERVICE_UNAVAILABLE, "the Applications of the cluster are not known yet")
            }
            (Door::Open, Page::Version) => {
                let version = json!({"name": "landfall", "version": env!("CARGO_PKG_VERSION")});
                typed(StatusCode::OK, "application/json", version.to_string())
            }
            (Door::Open, Page::Metrics) => {
                typed(StatusCode::OK, "text/plain; version=0.0.4", metrics::text(&self.board.read()))
            }
            (Door::Signed, _) | (_, Page::Webhook) => self.webhook(request).await,
        }
    }

    async fn webhook(&self, request: Request<Incoming>) -> Answer {
        let (outcome, answer) = self.heard(request).await;
        self.board.note(|told| *told.webhooks.entry(outcome).or_default() += 1);
        answer
    }

    async fn heard(&self, request: Request<Incoming>) -> (&'static str, Answer) {
        if self.secrets.is_empty() {
            let why = "no webhook is taken: this server knows no secret (LANDFALL_WEBHOOK_SECRET)";
            return ("refused", words(StatusCode::FORBIDDEN, why));
        }
        let (head, body) = request.into_parts();
        let read = tokio::time::timeout(BODY, Limited::new(body, LARGEST).collect()).await;
        let Ok(Ok(body)) = read else {
            return ("unread", words(StatusCode::PAYLOAD_TOO_LARGE, "the payload is too large, or comes too slowly"));
        };
        match Hook::read(&self.secrets, |name| text_of(&head.headers, name), &body.to_bytes()) {
            Err(error) => ("refused", words(StatusCode::UNAUTHORIZED, &error.to_string())),
            Ok(Hook::Ping) => ("ping", words(StatusCode::OK, "pong")),
            Ok(Hook::Other) => ("ignored", words(StatusCode::ACCEPTED, "nothing follows from that")),
            Ok(Hook::Pushed(pushed)) => {
                let happened = Happened::Moved(pushed.addresses, pushed.revision);
                match self.told.send(happened).await {
                    Ok(()) => ("push", words(StatusCode::OK, "the Applications of that repository are looked at")),
                    Err(_) => ("unread", words(StatusCode::SERVICE_UNAVAILABLE, "the server ends")),
                }
            }
        }
    }
}

fn text_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn words(status: StatusCode, text: &str) -> Answer {
    typed(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn typed(status: StatusCode, kind: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_something_is_behind_a_signature() {
        for (method, path, door, _) in ROUTES {
            assert_eq!(door == Door::Open, method == "GET", "{method} {path}");
        }
    }
}
