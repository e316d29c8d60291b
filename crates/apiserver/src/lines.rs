//! The connections to a served API: how long each may wait, and how many there may be.
//!
//! ```text
//! connects ─► stranger ─► asks as somebody ─► theirs ─► no request for a while ─► ends
//!               │  no whole request in time, or one of nobody's: ends after its answer
//!               └─ too many strangers: the oldest gives way
//! ```

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Frame;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::places::{Place, Places};
use crate::status::Status;

/// The body of every answer.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the head of a request may take: the real server's `ReadHeaderTimeout`.
pub(crate) const HEAD: Duration = Duration::from_secs(32);
/// How long a connection may be there between requests: the real server's `IdleTimeout`.
const IDLE: Duration = Duration::from_secs(90);
/// How often an HTTP/2 client is asked whether it is still there: as often as Go's clients ask.
pub(crate) const PING: Duration = Duration::from_secs(30);
/// Connections at once on which nobody has shown yet who they are.
const MOST_STRANGERS: usize = 512;
/// Connections of one user at once. A client holds one or two, and everybody may use the administrator's token.
const MOST_CONNECTIONS: usize = 1024;
/// Watches and the like of one user at once. A controller of many kinds in many namespaces opens hundreds.
const MOST_STREAMS: usize = 4096;

/// How long clients of a served API are waited for, and how much of what stays open they may have.
#[derive(Clone, Debug)]
pub struct ServeLimits {
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long the head of a request may take, and how long a connection may be there without one.
    pub head: Duration,
    /// How long a connection may be there between requests.
    pub idle: Duration,
    /// How often an HTTP/2 client is asked whether it is still there; it has as long to answer.
    pub ping: Duration,
    /// Connections at once on which nobody has shown yet who they are.
    pub strangers: usize,
    /// Connections of one user at once.
    pub connections: usize,
    /// Watches, followed logs, commands and forwarded ports of one user at once.
    pub streams: usize,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            handshake: HANDSHAKE,
            head: HEAD,
            idle: IDLE,
            ping: PING,
            strangers: MOST_STRANGERS,
            connections: MOST_CONNECTIONS,
            streams: MOST_STREAMS,
        }
    }
}

/// All connections of one listener.
pub(crate) struct Lines {
    pub(crate) limits: ServeLimits,
    connections: Arc<Places>,
    streams: Arc<Places>,
    /// Connections of strangers, the oldest first.
    strangers: Mutex<BTreeMap<u64, CancellationToken>>,
    next: AtomicU64,
}

/// One connection.
pub(crate) struct Line {
    lines: Arc<Lines>,
    id: u64,
    /// Whose it is; several where a proxy asks for several.
    owners: Mutex<Vec<Place>>,
    /// Requests that are not answered to their end.
    running: AtomicUsize,
    changed: Notify,
    over: CancellationToken,
}

impl Lines {
    pub(crate) fn new(limits: ServeLimits) -> Arc<Self> {
        Arc::new(Self {
            connections: Places::new("connections", limits.connections),
            streams: Places::new("watches and other streams", limits.streams),
            strangers: Mutex::default(),
            next: AtomicU64::default(),
            limits,
        })
    }

    /// A new connection, a stranger's. When there are too many of those, the oldest ends.
    pub(crate) fn open(self: &Arc<Self>) -> Arc<Line> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let over = CancellationToken::new();
        let mut strangers = self.strangers.lock();
        strangers.insert(id, over.clone());
        if strangers.len() > self.limits.strangers
            && let Some((_, oldest)) = strangers.pop_first()
        {
            oldest.cancel();
        }
        drop(strangers);
        Arc::new(Line {
            lines: Arc::clone(self),
            id,
            owners: Mutex::default(),
            running: AtomicUsize::default(),
            changed: Notify::default(),
            over,
        })
    }
}

impl Line {
    /// A request has come; it lasts as long as the guard.
    pub(crate) fn begin(self: &Arc<Self>) -> Asking {
        self.running.fetch_add(1, Ordering::AcqRel);
        self.changed.notify_one();
        Asking(Arc::clone(self))
    }

    /// Somebody has shown who they are; 429 when they have too many connections.
    pub(crate) fn belongs_to(&self, user: &str) -> Result<(), Status> {
        let mut owners = self.owners.lock();
        if !owners.iter().any(|place| place.user() == user) {
            match self.lines.connections.take(user) {
                Ok(place) => owners.push(place),
                Err(status) => {
                    drop(owners);
                    self.is_nobodys();
                    return Err(status);
                }
            }
            self.lines.strangers.lock().remove(&self.id);
        }
        Ok(())
    }

    /// Nobody has shown who they are, or none who may come in. Unless it is somebody's already, no further request is
    /// taken on it.
    pub(crate) fn is_nobodys(&self) {
        if self.owners.lock().is_empty() {
            self.over.cancel();
        }
    }

    /// A place for something that stays open; 429 when there are too many.
    pub(crate) fn stream(&self, user: &str) -> Result<Place, Status> {
        self.lines.streams.take(user)
    }

    /// Waits until no further request is to be taken.
    pub(crate) async fn ended(&self) {
        tokio::select! {
            () = self.over.cancelled() => {}
            () = self.idle() => {}
        }
    }

    /// Whether no request is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.running.load(Ordering::Acquire) == 0
    }

    /// Waits until the connection has been without a request for too long.
    async fn idle(&self) {
        loop {
            let limits = &self.lines.limits;
            let changed = self.changed.notified();
            if !self.is_quiet() {
                changed.await;
                continue;
            }
            let limit = if self.owners.lock().is_empty() { limits.head } else { limits.idle };
            if tokio::time::timeout(limit, changed).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.lines.strangers.lock().remove(&self.id);
    }
}

/// A request that is not answered to its end.
pub(crate) struct Asking(Arc<Line>);

impl Asking {
    /// The same for as long as the answer's body is not through.
    pub(crate) fn until_sent(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| Sending { body, _asking: self }.boxed_unsync())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_one();
    }
}

/// A body that keeps its request alive.
struct Sending {
    body: Body,
    _asking: Asking,
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
