//! What kubeseal asks, on an address of its own: whoever reaches the API server's proxy reaches it, so that nothing else is there,
//! and a network policy can tell it from the rest of the server.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use landfall_engine::Clock;
use landfall_secrets::control::{self, Answer, MOST_BYTES};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::pace::Pace;
use crate::listening;

/// Connections at once; whoever comes beyond them waits.
const CONNECTIONS: usize = 64;
/// How long a client may take for a request's head, and how long for its body.
const HEAD: Duration = Duration::from_secs(10);
const BODY: Duration = Duration::from_secs(30);
/// Questions whether something opens: two a second, as `--rate-limit`.
const VERIFIED: (u32, Duration) = (2, Duration::from_millis(500));
/// What is sealed again: a repository's worth at once, and twenty a second.
const ROTATED: (u32, Duration) = (100, Duration::from_millis(50));

struct Front {
    desk: Arc<Desk>,
    clock: Arc<dyn Clock>,
    verified: Pace,
    rotated: Pace,
}

/// Answers until it is told to stop.
pub(crate) async fn serve(listener: TcpListener, desk: Arc<Desk>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let verified = Pace::new(VERIFIED.0, VERIFIED.1, Instant::now());
    let rotated = Pace::new(ROTATED.0, ROTATED.1, Instant::now());
    let front = Arc::new(Front { desk, clock, verified, rotated });
    listening::accept(listener, CONNECTIONS, &stop, |stream| connection(stream, Arc::clone(&front), stop.clone()))
        .await;
}

async fn connection(stream: TcpStream, front: Arc<Front>, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ended = connection => {}
        () = stop.cancelled() => {}
    }
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let (asks, pace) = match path.as_str() {
            "/v1/verify" => (Method::POST, Some(&self.verified)),
            "/v1/rotate" => (Method::POST, Some(&self.rotated)),
            _ => (Method::GET, None),
        };
        if head.method != asks {
            return written(Answer::text(405, "Method Not Allowed\n"));
        }
        if pace.is_some_and(|pace| !pace.admits(Instant::now())) {
            return written(Answer::text(429, "Too Many Requests\n"));
        }
        if path == "/metrics" {
            return written(Answer {
                status: 200,
                kind: "text/plain; version=0.0.4",
                body: self.desk.metrics().into(),
            });
        }
        let body = match pace {
            None => Bytes::new(),
            Some(_) => match tokio::time::timeout(BODY, Limited::new(body, MOST_BYTES).collect()).await {
                Ok(Ok(body)) => body.to_bytes(),
                _ => return written(Answer { status: 413, kind: "text/plain", body: Vec::new() }),
            },
        };
        let (keyring, now) = (self.desk.keyring(), self.clock.now());
        let answered = tokio::task::spawn_blocking(move || control::answer(&path, &body, &keyring, now)).await;
        // A bug of ours tells nothing of what was asked.
        written(answered.unwrap_or(Answer { status: 500, kind: "text/plain", body: Vec::new() }))
    }
}

fn written(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
