//! What is answered over HTTP: who may come in is asked of the gate before anything else is looked at, and what is asked of
//! Applications is answered by the desk.

mod session;
mod unsigned;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use landfall_diag::{Diagnostic, code};
use landfall_source::Hook;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use crate::accounts::{Issuer, Jobs};
use crate::actor::Actor;
use crate::alarms::Alarms;
use crate::api::{Asked, Desk, Kind, Name, named, problem, status_of};
use crate::board::Board;
use crate::feed::Since;
use crate::fleet::Control;
use crate::fleet::doorway::Peer;
use crate::gate::{Gate, Refused};
use crate::happened::Happened;
use crate::hook_secrets::HookSecrets;
use crate::listening;
use crate::options::UnsignedWebhooks;
use crate::routes::{Door, Inside, Open, ROUTES};
use crate::{metrics, openapi, page};

use self::unsigned::{Turn, Unsigned};

/// This version.
const VERSION: &str = landfall_host::VERSION;
const JSON: &str = "application/json";
/// Largest payload of a webhook that is read, in bytes: GitHub sends none that is larger.
const LARGEST: usize = 25 * 1024 * 1024;
/// What payloads of webhooks may take in memory before anybody knows whether they are signed, in bytes: all together, as far as each is
/// larger than [`SMALL`]; and how long one waits for room.
const PAYLOADS: usize = 64 * 1024 * 1024;
const SMALL: usize = 64 * 1024;
const ROOM: Duration = Duration::from_secs(2);
/// How long a client may take for a request's head, and how long for all of its body.
const HEAD: Duration = Duration::from_secs(10);
const BODY: Duration = Duration::from_secs(30);
/// Connections at once; whoever comes beyond them waits.
const CONNECTIONS: usize = 512;
/// How long answers may take that are under way when the server ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// Largest body of a request that asks something of an Application, in bytes.
const LARGEST_WISH: usize = 1024 * 1024;
/// Requests that render at once; more wait.
const RENDERING: usize = 4;
/// Seconds after which who listens to changes is told that nothing has happened, and looked at anew.
const BEAT: Duration = Duration::from_secs(15);

/// What every connection comes through.
pub(crate) struct Front {
    board: Arc<Board>,
    secrets: HookSecrets,
    /// What webhooks say that nobody has signed; none of them is let in when absent.
    unsigned: Option<Arc<Unsigned>>,
    /// Below which path a proxy sends requests, as `/landfall`; nothing where that is the root.
    root: String,
    told: Sender<Happened>,
    gate: Arc<Gate>,
    desk: Arc<Desk>,
    /// The edge's server; nothing where several servers share a database.
    fleet: Option<Arc<Control>>,
    alarms: Arc<Alarms>,
    issuer: Option<Issuer>,
    jobs: Option<Jobs>,
    stop: CancellationToken,
    rendering: Semaphore,
    /// Room for large payloads of webhooks, in KiB.
    payloads: Semaphore,
}

/// What edges are told by servers that share a database: what is known of edges is in the memory of one.
const NO_EDGES: &str = "servers that share a database serve no edges; `landfall serve --only fleet` does";

type Body = UnsyncBoxBody<Bytes, Infallible>;
type Answer = Response<Body>;

/// Answers until it is told to stop.
pub(crate) async fn serve(listener: TcpListener, front: Arc<Front>, stop: CancellationToken) {
    listening::accept(listener, CONNECTIONS, &stop, |stream| connection(stream, Arc::clone(&front), stop.clone()))
        .await;
}

async fn connection(stream: TcpStream, front: Arc<Front>, stop: CancellationToken) {
    let _as_it_is = stream.set_nodelay(true);
    let peer = stream.peer_addr().ok().map(|peer| Peer(peer.ip()));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let front = Arc::clone(&front);
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
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
    pub(crate) fn new(
        board: Arc<Board>,
        (secrets, unsigned, root): (HookSecrets, UnsignedWebhooks, String),
        told: Sender<Happened>,
        (gate, issuer, jobs): (Gate, Option<Issuer>, Option<Jobs>),
        (desk, fleet): (Desk, Option<Arc<Control>>),
        stop: CancellationToken,
    ) -> Self {
        let (gate, desk) = (Arc::new(gate), Arc::new(desk));
        let (rendering, payloads) = (Semaphore::new(RENDERING), Semaphore::new(PAYLOADS / 1024));
        let alarms = desk.alarms();
        let unsigned = (unsigned == UnsignedWebhooks::Taken).then(Arc::default);
        Front {
            board,
            secrets,
            unsigned,
            root,
            told,
            gate,
            desk,
            fleet,
            alarms,
            issuer,
            jobs,
            stop,
            rendering,
            payloads,
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = below(&self.root, request.uri().path()).to_owned();
        if crate::fleet::is_ours(&path) {
            return match &self.fleet {
                Some(fleet) => fleet.answer(&self.gate, &path, request).await,
                None => words(StatusCode::SERVICE_UNAVAILABLE, NO_EDGES),
            };
        }
        let on_path = || ROUTES.iter().filter_map(|route| Some((route, named(route.path, &path)?)));
        let method = if request.method() == Method::HEAD { "GET" } else { request.method().as_str() };
        let Some((route, name)) = on_path().find(|(route, _)| route.method == method) else {
            let status = match on_path().next() {
                Some(_) => StatusCode::METHOD_NOT_ALLOWED,
                None => StatusCode::NOT_FOUND,
            };
            return words(status, status.canonical_reason().unwrap_or_default());
        };
        match route.door {
            Door::Open(open) => self.open(open),
            Door::Signed => self.webhook(request).await,
            Door::Entry(entry) => self.enter(entry, request).await,
            Door::Own(own) => self.own(own, request).await,
            Door::Token(need, inside) => match self.gate.admit(request.method(), request.headers(), need).await {
                Ok(actor) => self.inside(actor, inside, name, request).await,
                Err(refused) => self.turned_away(refused, inside, name).await,
            },
        }
    }

    fn open(&self, open: Open) -> Answer {
        match open {
            Open::Alive => words(StatusCode::OK, "ok"),
            Open::Ready if self.board.is_ready() => words(StatusCode::OK, "ok"),
            Open::Ready => words(StatusCode::SERVICE_UNAVAILABLE, "the Applications of the cluster are not known yet"),
            Open::Version => {
                let version = json!({"name": "landfall", "version": VERSION});
                typed(StatusCode::OK, JSON, version.to_string())
            }
        }
    }

    /// Says why somebody is not let in; who was known and wanted to change something stands in the audit log.
    async fn turned_away(&self, refused: Refused, inside: Inside, name: Option<Name>) -> Answer {
        if let (Some(actor), Inside::Asked(kind)) = (&refused.actor, inside)
            && kind.changes()
        {
            let target = name.map(|name| name.to_string()).unwrap_or_default();
            self.desk.turned_away(actor, kind, &target, &refused.diagnostic.message).await;
        }
        let mut answer = typed(refused.status, JSON, problem(&[*refused.diagnostic]).to_string());
        if refused.status == StatusCode::UNAUTHORIZED {
            // A browser asks its user only where there is a page.
            let asks = if inside == Inside::Status { "Basic realm=\"landfall\"" } else { "Bearer" };
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(asks));
        }
        private(answer)
    }

    /// Answers who has been let in.
    async fn inside(&self, actor: Actor, inside: Inside, name: Option<Name>, request: Request<Incoming>) -> Answer {
        private(match inside {
            Inside::Metrics => typed(
                StatusCode::OK,
                "text/plain; version=0.0.4",
                metrics::text(&self.board.read()) + &self.fleet.as_deref().map(Control::metrics).unwrap_or_default(),
            ),
            Inside::Status => {
                let lines: Vec<_> = self.board.lines().into_iter().filter(|line| actor.sees(line)).collect();
                let mut answer =
                    typed(StatusCode::OK, "text/html; charset=utf-8", page::of(&lines, &self.alarms.recent(), VERSION));
                let policy = HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'");
                answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
                answer
            }
            Inside::OpenApi => typed(StatusCode::OK, JSON, openapi::document(&self.root).to_string()),
            Inside::Stream => self.stream(actor, request.headers()),
            Inside::Asked(kind) => self.asked(actor, kind, name, request).await,
        })
    }

    async fn asked(&self, actor: Actor, kind: Kind, name: Option<Name>, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let body = match kind.changes() {
            false => Bytes::new(),
            true => match read(body, LARGEST_WISH).await {
                Some(body) => body,
                None => return words(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large, or comes too slowly"),
            },
        };
        let asked = match Asked::read(kind, name, head.uri.query().unwrap_or_default(), &body) {
            Ok(asked) => asked,
            Err(diagnostic) => return not_done(&[diagnostic]),
        };
        let renders =
            matches!(kind, Kind::Diff | Kind::Explain | Kind::Events | Kind::Logs | Kind::Rollback | Kind::Pin);
        let _place = if renders { self.rendering.acquire().await.ok() } else { None };
        let desk = Arc::clone(&self.desk);
        let work = async move { desk.answer(&actor, asked).await };
        let answered = match kind.changes() {
            false => Ok(work.await),
            // What was begun comes to its end, and into the audit log, whether anybody still waits for it or not.
            true => tokio::spawn(work).await,
        };
        match answered {
            Ok(Ok(value)) => {
                let status = if kind.changes() { StatusCode::ACCEPTED } else { StatusCode::OK };
                typed(status, JSON, value.to_string())
            }
            Ok(Err(diagnostics)) => not_done(&diagnostics),
            Err(broken) => {
                not_done(&[Diagnostic::error(code::BUG, "a request could not be answered").note(broken.to_string())])
            }
        }
    }

    /// Tells changes as they happen, from where the one stopped who asks.
    fn stream(&self, actor: Actor, headers: &HeaderMap) -> Answer {
        let feed = &self.board.feed;
        let last = text_of(headers, "last-event-id");
        let (at, first) = match last.map(|id| feed.number(id)) {
            Some(Some(number)) => (number, None),
            // What happened since cannot be told: how all stand has to be asked anew.
            Some(None) => (feed.last(), Some("reset")),
            None => (feed.last(), Some("ready")),
        };
        let heard = Hearer {
            board: Arc::clone(&self.board),
            gate: Arc::clone(&self.gate),
            newest: feed.listen(),
            stop: self.stop.clone(),
            actor,
            at,
            first,
        };
        let events = futures::stream::unfold(heard, |mut hearer| async move {
            let text = hearer.next().await?;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), hearer))
        });
        let mut answer = Response::new(StreamBody::new(events).boxed_unsync());
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        answer.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        answer
    }

    async fn webhook(&self, request: Request<Incoming>) -> Answer {
        let (outcome, answer) = self.pushed(request).await;
        self.board.note(|told| *told.webhooks.entry(outcome).or_default() += 1);
        answer
    }

    async fn pushed(&self, request: Request<Incoming>) -> (&'static str, Answer) {
        let secrets = self.secrets.known();
        if secrets.is_empty() && self.unsigned.is_none() {
            let why = "no webhook is taken: this server knows no secret (landfall webhook secret rotate, or LANDFALL_WEBHOOK_SECRET)";
            return ("refused", words(StatusCode::UNAUTHORIZED, why));
        }
        let (head, body) = request.into_parts();
        // Whoever does not say how much comes may send as much as anybody.
        let size = text_of(&head.headers, "content-length").and_then(|text| text.parse().ok()).unwrap_or(LARGEST);
        let large = u32::try_from(size.min(LARGEST) / 1024).unwrap_or(u32::MAX);
        let room = self.payloads.acquire_many(if size > SMALL { large } else { 0 });
        let Ok(Ok(_room)) = tokio::time::timeout(ROOM, room).await else {
            let why = "too many large payloads at once; the regular look finds what this one says";
            return ("unread", words(StatusCode::SERVICE_UNAVAILABLE, why));
        };
        let Some(body) = read(body, size.min(LARGEST)).await else {
            return ("unread", words(StatusCode::PAYLOAD_TOO_LARGE, "the payload is too large, or comes too slowly"));
        };
        let header = |name: &str| text_of(&head.headers, name);
        // Who signs and does it wrongly is somebody else, whoever else is let in.
        if let Some(unsigned) = &self.unsigned
            && (secrets.is_empty() || !Hook::claims(header))
        {
            return self.take_unsigned(unsigned, Hook::told(header, &body)).await;
        }
        match Hook::read(&secrets, header, &body) {
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

    /// Lets a webhook in that nobody has signed: as often as that is allowed, and what is told on is where to look alone.
    async fn take_unsigned(&self, unsigned: &Arc<Unsigned>, hook: Hook) -> (&'static str, Answer) {
        let addresses = match hook {
            Hook::Ping => return ("ping", words(StatusCode::OK, "pong")),
            Hook::Other => return ("ignored", words(StatusCode::ACCEPTED, "nothing follows from that")),
            Hook::Pushed(pushed) => pushed.addresses,
        };
        match unsigned.note(addresses, Instant::now()) {
            Turn::Now(addresses) => drop(self.told.send(Happened::Moved(addresses, None)).await),
            Turn::Awaited => {}
            Turn::After(wait) => {
                let (told, stop, unsigned) = (self.told.clone(), self.stop.clone(), Arc::clone(unsigned));
                tokio::spawn(async move {
                    let waited = stop.run_until_cancelled(tokio::time::sleep(wait)).await;
                    if waited.is_some() {
                        let _ending = told.send(Happened::Moved(unsigned.collected(Instant::now()), None)).await;
                    }
                });
            }
        }
        ("unsigned", words(StatusCode::OK, "the Applications of that repository are looked at, sooner or later"))
    }
}

/// Who listens to changes.
struct Hearer {
    board: Arc<Board>,
    gate: Arc<Gate>,
    newest: tokio::sync::watch::Receiver<u64>,
    stop: CancellationToken,
    actor: Actor,
    /// The number of what was told last.
    at: u64,
    /// What is told before anything else.
    first: Option<&'static str>,
}

impl Hearer {
    /// What is told next; nothing when it is over.
    async fn next(&mut self) -> Option<String> {
        if let Some(event) = self.first.take() {
            return Some(told(&self.board.feed.id(self.at), event, "{}"));
        }
        loop {
            let _looked_at = *self.newest.borrow_and_update();
            match self.board.feed.since(self.at) {
                Since::Lost => {
                    self.at = self.board.feed.last();
                    return Some(told(&self.board.feed.id(self.at), "reset", "{}"));
                }
                Since::Changes(changes) => {
                    let mut text = String::new();
                    for (number, change) in changes {
                        self.at = number;
                        if self.actor.sees(&change.application) {
                            let data = serde_json::to_string(&change).unwrap_or_default();
                            text.push_str(&told(&self.board.feed.id(number), "application", &data));
                        }
                    }
                    if !text.is_empty() {
                        return Some(text);
                    }
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                changed = self.newest.changed() => changed.ok()?,
                () = tokio::time::sleep(BEAT) => {
                    if !self.gate.is_still_good(&self.actor).await {
                        return None;
                    }
                    return Some(": nothing new\n\n".to_owned());
                }
            }
        }
    }
}

/// A body, if it is no larger and does not come too slowly.
async fn read(body: Incoming, largest: usize) -> Option<Bytes> {
    let read = tokio::time::timeout(BODY, Limited::new(body, largest).collect()).await;
    Some(read.ok()?.ok()?.to_bytes())
}

/// A path as it is below the root that a proxy sends requests to; probes come without it.
fn below<'p>(root: &str, path: &'p str) -> &'p str {
    match path.strip_prefix(root) {
        _ if root.is_empty() => path,
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// An event as a stream has it.
fn told(id: &str, event: &str, data: &str) -> String {
    format!("id: {id}\nevent: {event}\ndata: {data}\n\n")
}

/// Why something was not done.
fn not_done(diagnostics: &[Diagnostic]) -> Answer {
    let status = diagnostics.first().map_or(StatusCode::INTERNAL_SERVER_ERROR, status_of);
    typed(status, JSON, problem(diagnostics).to_string())
}

/// An answer that is for the one alone who asked.
fn private(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}

fn text_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn words(status: StatusCode, text: &str) -> Answer {
    typed(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn typed(status: StatusCode, kind: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    answer
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn lp_108_a_path_is_found_below_the_root_and_without_it() {
        for (root, path, found) in [
            ("", "/healthz", "/healthz"),
            ("/landfall", "/landfall", "/"),
            ("/landfall", "/landfall/", "/"),
            ("/landfall", "/landfall/api/v1/applications", "/api/v1/applications"),
            ("/landfall", "/healthz", "/healthz"),
            ("/landfall", "/landfallen", "/landfallen"),
        ] {
            assert_eq!(below(root, path), found, "{root} {path}");
        }
    }
}
