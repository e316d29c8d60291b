//! A server of the fleet alone: no cluster, no Applications.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_engine::WallClock;
use landfall_host::{Failure, Host, SHORT, Serving, StateDir};
use landfall_store::{DatabaseAddress, Location, Sole, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::answers::{Answer, refused, typed};
use super::doorway::Peer;
use super::{Control, FleetOptions, routes};
use crate::accounts::{Accounts, Roles};
use crate::gate::{Gate, Token};
use crate::options::Listen;
use crate::serve::{Ready, person, reachable};

/// Connections at once; whoever comes beyond them waits.
const CONNECTIONS: usize = 50_000;
/// How long a connection may be idle, or take for a request's head.
const IDLE: Duration = Duration::from_secs(75);
/// How long answers may take that are under way when the server ends.
const FAREWELL: Duration = Duration::from_millis(500);
/// How many connections may wait to be taken.
const BACKLOG: u32 = 65_535;

/// What a server of the fleet alone is asked for.
#[derive(Debug)]
pub struct OnlyFleet {
    /// Where it keeps what it knows.
    pub state: StateDir,
    /// Where it listens.
    pub listen: Listen,
    /// Lines of a `policy.csv`.
    pub policy: Option<String>,
    /// A PostgreSQL that keeps what it knows, and not a file of the state directory.
    pub database: Option<DatabaseAddress>,
    /// The fleet's own.
    pub fleet: FleetOptions,
}

struct Front {
    control: Arc<Control>,
    gate: Arc<Gate>,
}

/// Serves the fleet until the host is told to stop.
///
/// # Errors
/// An address that is taken, a state directory that cannot be used: nothing was changed then.
pub async fn serve_fleet(host: &Host, options: OnlyFleet, ready: impl FnOnce(&Ready)) -> Result<(), Failure> {
    let OnlyFleet { state, listen, policy, database, fleet } = options;
    let own_policy = policy.clone();
    let roles = Arc::new(Roles::new(policy)?);
    let stop = host.stop.clone();
    // Before anything is changed: whoever has no database begins nothing.
    let held = match database {
        Some(address) => {
            let sole = sole(&address, &stop).await?;
            let store = Store::open_database(&address).await.map_err(|error| error.diagnose())?;
            Some((sole, address, store))
        }
        None => None,
    };
    state.create().map_err(Failure::from)?;
    let listener = bind(listen)?;
    let address = listener.local_addr().map_err(|error| unbound(listen, &error))?;
    let _alone = host.deliver_alone(&state, "serve --only fleet", SHORT).await?;
    let store = match held {
        Some((sole, address, store)) => {
            tokio::spawn(keep(sole, address, stop.clone()));
            store
        }
        None => Store::open(Location::File(state.file("store.db"))).await.map_err(|error| error.diagnose())?,
    };
    let clock = Arc::new(WallClock);
    let stores = (store.fleet.clone(), store.audit.clone());
    let closing = CancellationToken::new();
    let control = Control::open(stores, clock.clone(), state.file("fleet"), fleet, closing.clone()).await?;
    let local = Token::random()?;
    let accounts = Arc::new(Accounts::new(store.accounts.clone(), clock.clone()));
    let gate = Arc::new(Gate::new(store.tokens.clone(), clock, (accounts, roles), (&local, &person(host))));
    let front = Arc::new(Front { control: Arc::clone(&control), gate });
    let serving = state.say_serving(&Serving::now(reachable(address), local.revealed(), own_policy))?;
    ready(&Ready { address, cluster: String::new(), sealing: None, kubeconfig: None });
    accept(listener, front, stop).await;
    drop(serving);
    control.flush_presence().await;
    control.ledger.close().await;
    closing.cancel();
    store.close().await;
    Ok(())
}

/// What is known of edges is in the memory of one server: there is no second one at the same database.
const EDGES: &str = "landfall: the edges";
/// How long is waited for the one before, which was killed perhaps, and how often it is looked.
const HANDED_OVER: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(500);
/// How often it is looked whether the right lasts.
const LASTS: Duration = Duration::from_secs(2);

/// The right to serve a database's edges.
async fn sole(address: &DatabaseAddress, stop: &CancellationToken) -> Result<Sole, Diagnostic> {
    let deadline = tokio::time::Instant::now() + HANDED_OVER;
    loop {
        if let Some(sole) = address.sole(EDGES).await.map_err(|error| error.diagnose())? {
            return Ok(sole);
        }
        if stop.is_cancelled() || tokio::time::Instant::now() >= deadline {
            let text = format!("another server serves the edges of {}", address.shown());
            return Err(Diagnostic::error(code::BUSY, text)
                .note("nothing was changed")
                .help("end that one first, or give this one a database of its own"));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Keeps that right through a restart of the database, and ends this server where another one has it then.
async fn keep(mut sole: Sole, address: DatabaseAddress, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LASTS) => {}
        }
        if sole.lasts().await {
            continue;
        }
        match address.sole(EDGES).await {
            Ok(Some(again)) => sole = again,
            Ok(None) => {
                tracing::error!("another server serves the edges of {} now: this one ends", address.shown());
                return stop.cancel();
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }
}

fn unbound(listen: Listen, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(code::NO_LISTENING, format!("{} cannot be listened on; nothing was changed", listen.0))
        .note(error.to_string())
        .help("give another address with --listen; port 0 takes a free one")
}

fn bind(listen: Listen) -> Result<TcpListener, Diagnostic> {
    let socket = if listen.0.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() };
    let bound = socket.and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(listen.0)?;
        socket.listen(BACKLOG)
    });
    bound.map_err(|error| unbound(listen, &error))
}

async fn accept(listener: TcpListener, front: Arc<Front>, stop: CancellationToken) {
    let places = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
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
    let peer = stream.peer_addr().ok().map(|peer| Peer(peer.ip()));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let front = Arc::clone(&front);
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(16 * 1024);
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
    /// An answer for who may have it.
    async fn admitted(
        &self,
        request: &Request<Incoming>,
        (_, _, _, need): routes::Described,
        answer: impl FnOnce() -> Answer,
    ) -> Answer {
        let Some(need) = need else { return answer() };
        match self.gate.admit(request.method(), request.headers(), need).await {
            Ok(_) => answer(),
            Err(refusal) => super::answers::not_done(&refusal.diagnostic),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        let mut answer = if routes::is_ours(&path) {
            self.control.answer(&self.gate, &path, request).await
        } else {
            match path.as_str() {
                "/healthz" | "/readyz" => typed(StatusCode::OK, "text/plain; charset=utf-8", "ok\n"),
                // What the gateway of the existing agents answers.
                "/health" => typed(StatusCode::OK, "application/json; charset=utf-8", "{\"status\":\"ok\"}"),
                "/metrics" => {
                    let told = || typed(StatusCode::OK, "text/plain; version=0.0.4", self.control.metrics());
                    self.admitted(&request, routes::METRICS, told).await
                }
                crate::routes::DOCUMENT => {
                    let told = || super::answers::json(StatusCode::OK, &crate::openapi::document_of_fleet());
                    self.admitted(&request, routes::DOCUMENT, told).await
                }
                _ => refused(404, "not_found", "this server is the fleet's alone"),
            }
        };
        // A connection that is kept spares its edge a handshake at each check-in; the existing agent closes it without this word.
        answer
            .headers_mut()
            .insert(header::HeaderName::from_static("keep-alive"), HeaderValue::from_static("timeout=65"));
        answer
    }
}
