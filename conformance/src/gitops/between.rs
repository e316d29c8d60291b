//! A server between `landfall serve` and the cluster that hands everything on, and misbehaves as it is told.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::http::Endpoint;

/// Longer than any watch.
const LONG: Duration = Duration::from_secs(3600);

/// What somebody asks the cluster for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// With its query.
    pub(super) path: String,
    pub(super) at: Instant,
}

impl Asked {
    pub(super) fn is_watch(&self) -> bool {
        self.path.contains("watch=true")
    }

    /// Whether it changes something for good.
    pub(super) fn writes(&self) -> bool {
        self.method != Method::GET && !self.path.contains("dryRun") && !self.path.contains("reviews")
    }

    /// Whether it is about this namespace.
    pub(super) fn is_in(&self, namespace: &str) -> bool {
        self.path.contains(&format!("/namespaces/{namespace}/"))
    }
}

/// What becomes of a request instead of being handed on.
pub(super) enum Verdict {
    /// This is answered, with these headers.
    Answer(u16, &'static [(&'static str, &'static str)]),
    /// What the API server says where it cannot do it: its sentence, with the code 500.
    Failing(&'static str),
    /// It is handed on and done, and the answer is lost with the connection.
    Lost,
    /// A watch that begins with the event that says that its version is too old.
    Expired,
    /// A watch that tells everything twice.
    Twice,
    /// What is answered is JSON, and changed.
    Changed(fn(&mut Value)),
}

type Fault = Box<dyn FnMut(&Asked) -> Option<Verdict> + Send>;
type Body = BoxBody<Bytes, std::io::Error>;

struct Told {
    endpoint: Endpoint,
    client: reqwest::Client,
    fault: Mutex<Option<Fault>>,
    asked: Mutex<Vec<Asked>>,
    /// How often all that is followed fell silent.
    silence: watch::Sender<u64>,
    /// How often all connections were cut.
    cut: watch::Sender<u64>,
    /// Nobody is let in.
    closed: AtomicBool,
}

/// The server; it ends with its value.
pub(super) struct Between {
    address: SocketAddr,
    told: Arc<Told>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Between {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Between {
    pub(super) async fn open(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let told = Arc::new(Told {
            endpoint: endpoint.clone(),
            client: endpoint.client()?,
            fault: Mutex::default(),
            asked: Mutex::default(),
            silence: watch::Sender::new(0),
            cut: watch::Sender::new(0),
            closed: AtomicBool::new(false),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&told)));
        Ok(Between { address, told, task })
    }

    /// A kubeconfig whose only context leads here.
    pub(super) fn kubeconfig(&self) -> String {
        let (address, token) = (self.address, &self.told.endpoint.token);
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: gitops\nclusters:\n- name: gitops\n  cluster: {{server: \"http://{address}\"}}\nusers:\n- name: gitops\n  user: {{token: \"{token}\"}}\ncontexts:\n- name: gitops\n  context: {{cluster: gitops, user: gitops}}\n"
        )
    }

    /// Has it misbehave so from now on.
    pub(super) fn misbehave(&self, fault: impl FnMut(&Asked) -> Option<Verdict> + Send + 'static) {
        *self.told.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(fault));
    }

    /// Has it behave again.
    pub(super) fn behave(&self) {
        *self.told.fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Ends every connection that follows something.
    pub(super) fn cut(&self) {
        self.told.cut.send_modify(|times| *times += 1);
    }

    /// What is followed now tells nothing any more, although its connections stay; what is asked for later is answered.
    pub(super) fn fall_silent(&self) {
        self.told.silence.send_modify(|times| *times += 1);
    }

    /// Lets nobody in, or somebody again.
    pub(super) fn close(&self, is_closed: bool) {
        self.told.closed.store(is_closed, Ordering::SeqCst);
        self.cut();
    }

    /// What was asked for so far, and is forgotten here.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.told.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn accept(listener: TcpListener, told: Arc<Told>) {
    while let Ok((stream, _)) = listener.accept().await {
        if told.closed.load(Ordering::SeqCst) {
            continue;
        }
        let told = Arc::clone(&told);
        tokio::spawn(async move {
            let mut cut = told.cut.subscribe();
            cut.mark_unchanged();
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let service = hyper::service::service_fn(|request| answer(Arc::clone(&told), request));
            let serving = server.serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // Whoever asked hears of it.
                _ended = serving => {}
                _cut = cut.changed() => {}
            }
        });
    }
}

/// An answer; an error loses the connection.
async fn answer(told: Arc<Told>, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let asked = Asked { method: request.method().clone(), path, at: Instant::now() };
    told.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    let verdict = {
        let mut fault = told.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.as_mut().and_then(|fault| fault(&asked))
    };
    match verdict {
        Some(Verdict::Answer(code, headers)) => Ok(refusal(code, headers)),
        Some(Verdict::Failing(why)) => {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "InternalError",
                "message": format!("Internal error occurred: {why}"), "details": {"causes": [{"message": why}]}, "code": 500});
            Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, status.to_string().into()))
        }
        Some(Verdict::Expired) => {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired",
                "message": "too old resource version", "code": 410});
            let line = format!("{}\n", json!({"type": "ERROR", "object": status}));
            Ok(plain(StatusCode::OK, line.into()))
        }
        Some(Verdict::Lost) => {
            let answer = handed_on(&told, &asked, request).await?;
            let _lost = answer.into_body().collect().await;
            Err(std::io::Error::other("the answer is lost"))
        }
        Some(Verdict::Changed(change)) => {
            let answer = handed_on(&told, &asked, request).await?;
            let status = answer.status();
            let bytes = answer.into_body().collect().await?.to_bytes();
            let mut value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            change(&mut value);
            Ok(plain(status, value.to_string().into()))
        }
        Some(Verdict::Twice) => {
            let answer = handed_on(&told, &asked, request).await?;
            let (parts, body) = answer.into_parts();
            Ok(Response::from_parts(parts, BodyExt::boxed(StreamBody::new(Box::pin(twice(body))))))
        }
        None => handed_on(&told, &asked, request).await,
    }
}

/// Each line of a body, twice.
fn twice(body: Body) -> impl futures::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send + Sync {
    let lines = stream::unfold((body, Vec::<u8>::new()), |(mut body, mut held)| async move {
        loop {
            if let Some(end) = held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = held.drain(..=end).collect();
                let both = [line.as_slice(), line.as_slice()].concat();
                return Some((Ok(Frame::data(Bytes::from(both))), (body, held)));
            }
            match body.frame().await? {
                Ok(frame) => held.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default()),
                Err(error) => return Some((Err(error), (body, held))),
            }
        }
    });
    shared(lines.boxed())
}

/// A body must be shareable; nobody shares it.
fn shared(
    stream: BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>,
) -> impl futures::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send + Sync {
    let stream = Arc::new(Mutex::new(stream));
    stream::poll_fn(move |context| stream.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context))
}

async fn handed_on(told: &Told, asked: &Asked, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let url = format!("{}{}", told.endpoint.url, asked.path);
    let headers = kept(request.headers());
    let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    let mut outgoing = told.client.request(asked.method.clone(), url).headers(headers).body(body);
    if asked.is_watch() {
        outgoing = outgoing.timeout(LONG);
    }
    let answer = outgoing.send().await.map_err(std::io::Error::other)?;
    let mut response = Response::builder().status(answer.status());
    if let Some(all) = response.headers_mut() {
        *all = kept(answer.headers());
    }
    let chunks = answer.bytes_stream().map(|chunk| chunk.map(Frame::data).map_err(std::io::Error::other)).boxed();
    let chunks = if asked.is_watch() { until_silence(chunks, told.silence.subscribe()).boxed() } else { chunks };
    response.body(BodyExt::boxed(StreamBody::new(shared(chunks)))).map_err(std::io::Error::other)
}

/// What a watch tells, until it falls silent; it does not end then.
fn until_silence(
    chunks: BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>,
    mut silence: watch::Receiver<u64>,
) -> impl futures::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send {
    silence.mark_unchanged();
    stream::unfold((chunks, silence), |(mut chunks, mut silence)| async move {
        tokio::select! {
            biased;
            _fell = silence.changed() => std::future::pending().await,
            chunk = chunks.next() => Some((chunk?, (chunks, silence))),
        }
    })
}

/// Headers that are handed on: none that is about one connection.
fn kept(headers: &HeaderMap) -> HeaderMap {
    let of_one = [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE];
    let mut kept = headers.clone();
    of_one.iter().for_each(|name| drop(kept.remove(name)));
    kept
}

fn plain(status: StatusCode, body: Bytes) -> Response<Body> {
    let body = Full::new(body).map_err(|never: Infallible| match never {});
    let mut response = Response::new(BodyExt::boxed(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn refusal(code: u16, headers: &[(&'static str, &'static str)]) -> Response<Body> {
    let reason = match code {
        410 => "Expired",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
        "message": format!("the suite says {code}"), "code": code});
    let mut response = plain(StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY), status.to_string().into());
    for (name, text) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(text));
    }
    response
}
