//! The cluster in our pocket: who hosts it, how it is reached, and what its containers are declared to do.
//!
//! ```text
//! Hosting::Background ─► nobody hosts it? start `landfall cluster serve` ─► talk HTTP to it
//! Hosting::InProcess  ─► open it here (CI, --once); somebody hosts it already? talk HTTP to that one
//! Hosting::Served     ─► the same, and say where others find it
//! Hosting::Attach     ─► as it is: served, on disk, or empty in memory when there is nothing yet
//! ```
//!
//! This is the one place that knows whether a cluster is embedded; everything behind [`Connection`] does not.

mod process;
mod server;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, ListOptions};
use landfall_delivery::{Elsewhere, Offers, Progress, Routes, Session};
use landfall_diag::{Diagnose, Diagnostic, Ending, code};
use landfall_drydock::NodeSpec;
use landfall_object::{Gvk, unanswered};
use landfall_project::Environment;
use landfall_store::{Location, Store};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

pub use server::{ServeOptions, persisted, serve, spawn, stop_server};

use crate::cluster_choice::RemoteContext;
use crate::failure::{Failure, failed};
use crate::offers::Operators;
use crate::place::Place;
use crate::state::{Access, Endpoint, Fate, Lock, StateDir};
use crate::{Host, kubeconfig, play, probe};

/// Who hosts the embedded cluster while a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosting {
    /// A server that stays behind.
    Background,
    /// This process, for as long as it lives.
    InProcess,
    /// The same, and others reach the cluster where a server of its own would listen.
    Served,
    /// Whoever has it; a command that changes nothing starts nothing.
    Attach,
}

/// A cluster, whichever it is, and what a session needs beside it.
pub struct Connection {
    /// What to call it.
    pub name: String,
    /// The cluster.
    pub cluster: Cluster,
    /// How public host names are reached on it.
    pub routes: Routes,
    offers: Option<Arc<dyn Offers>>,
    store: Store,
    hosted: Option<Hosted>,
    endpoint: Option<(Endpoint, StateDir)>,
    /// Where journal and locks lie; nowhere for a cluster in memory.
    state: Option<StateDir>,
    simulated: bool,
    /// Ends the look-out for the death of the server that is talked to.
    closed: CancellationToken,
    /// Who started the server that is talked to.
    started: Started,
}

/// Who started a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Started {
    /// This command.
    Here,
    /// An earlier one; or there is no server.
    Before,
}

/// A server that stays behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The Kubernetes API.
    pub server: String,
    /// The process.
    pub pid: u32,
    /// What leads to it.
    pub kubeconfig: PathBuf,
}

/// How often it is looked whether the server that is talked to still lives.
const LOOK: Duration = Duration::from_millis(250);
/// How long after a lost connection it is known whether the embedded cluster's server has ended.
const SETTLING: Duration = Duration::from_secs(1);

/// How often an address may refuse while its process still holds the lock, and how long lies between.
const REFUSALS: u32 = 250;
const REFUSED: Duration = Duration::from_millis(20);

/// How long is waited for whoever holds the lock and does not say where it listens: where a server is wanted, and where not.
const SERVERS_PATIENCE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(6);
/// How long an address is waited for before it is looked whether the lock is free.
const HELD: Duration = Duration::from_millis(20);

/// A cluster that this process hosts.
struct Hosted {
    cluster: landfall_drydock::Cluster,
    ingress: Option<landfall_drydock::IngressServer>,
    served: Option<landfall_drydock::Served>,
    lock: Option<Lock>,
}

impl Host {
    /// Connects to the cluster of a place.
    #[boxed]
    pub async fn connect(&self, place: &Place, hosting: Hosting, faults: &[String]) -> Result<Connection, Failure> {
        if let Some(context) = place.cluster.remote() {
            if !faults.is_empty() {
                return Err(Failure::usage(
                    Diagnostic::error(code::FAULT_ELSEWHERE, "--fault works on the embedded cluster only")
                        .note(format!("this would go to `{}`", context.name)),
                ));
            }
            return self.remote(context, &place.state).await;
        }
        let play = play::declared_play(place.declared(), faults).map_err(|error| {
            Failure::usage(
                Diagnostic::error(code::UNREADABLE_PLAY, "what containers are declared to do cannot be read")
                    .note(error.to_string()),
            )
        })?;
        let mut connection = self.embedded(&place.state, hosting).await?;
        if hosting != Hosting::Attach {
            if let Err(failure) = play::publish(&connection.cluster, &play).await {
                if connection.lost_behind(failure.ending).await.is_none() {
                    return Err(failure);
                }
                // It died between its answer that it listens and the first request: nothing was begun yet.
                connection.close().await;
                connection = self.embedded(&place.state, hosting).await?;
                if let Err(failure) = play::publish(&connection.cluster, &play).await {
                    return Err(connection.lost_behind(failure.ending).await.unwrap_or(failure));
                }
            }
            connection.simulated = true;
            let asks_containers =
                |environment: &Environment| environment.checks.iter().any(|check| check.exec.is_some());
            if place.declared().is_some_and(asks_containers) {
                self.serve_api(&mut connection).await?;
            }
        }
        Ok(connection)
    }

    async fn remote(&self, context: &RemoteContext, state: &StateDir) -> Result<Connection, Failure> {
        let client = kubeconfig::connect(&self.env, &context.name, context.kubeconfig.as_deref()).await?;
        let cluster = self.cluster_of(client);
        if let Err(error) = cluster.version().await {
            let mut failure = failed(&error);
            failure.ending = Ending::Unreachable;
            failure.diagnostics.push(Diagnostic::new(
                landfall_diag::Severity::Info,
                code::NOTHING_CHANGED,
                "nothing was changed",
            ));
            return Err(failure);
        }
        state.create().map_err(Failure::from)?;
        let connection = Connection::new(&context.name, cluster, open_store(Some(state)).await?);
        Ok(Connection { state: Some(state.clone()), ..connection })
    }

    /// Connects to the embedded cluster of a state directory.
    #[boxed]
    pub async fn embedded(&self, state: &StateDir, hosting: Hosting) -> Result<Connection, Failure> {
        if hosting == Hosting::Attach && !state.has_cluster() {
            let hosted = server::open(None, &[]).await?;
            return Ok(self.in_process(hosted, None, None, open_store(None).await?));
        }
        state.create().map_err(Failure::from)?;
        // A server begins to listen in its own time. What else holds the lock is often a command of some milliseconds that never says
        // where it is: it is looked often whether that one has ended.
        let (patience, look) = match hosting {
            Hosting::Background => (SERVERS_PATIENCE, Duration::from_secs(10)),
            Hosting::InProcess | Hosting::Served | Hosting::Attach => (PATIENCE, HELD),
        };
        let deadline = Instant::now() + patience;
        let (mut refused, mut started) = (0, Started::Before);
        while Instant::now() < deadline && refused < REFUSALS {
            match state.try_lock().map_err(Failure::from)? {
                Some(lock) if hosting != Hosting::Background => {
                    // Each waits for a file of its own.
                    let (cluster, store) = tokio::join!(server::open(Some(state), &[]), open_store(Some(state)));
                    let mut connection = self.in_process(cluster?, Some(lock), Some(state), store?);
                    match hosting {
                        Hosting::InProcess => connection.serve_ingress().await?,
                        Hosting::Served => connection.serve(state).await?,
                        Hosting::Background | Hosting::Attach => {}
                    }
                    return Ok(connection);
                }
                Some(lock) => {
                    drop(lock);
                    server::spawn(state, None, &[]).await?;
                    started = Started::Here;
                }
                None => {}
            }
            // Whoever holds the lock is about to say where it listens, or about to end.
            match state.wait_for_endpoint(look).await {
                Some(endpoint) if endpoint.listens() => return self.served(state, endpoint, started).await,
                // A process that is killed loses its socket a moment before its lock.
                Some(_) => {
                    refused += 1;
                    tokio::time::sleep(REFUSED).await;
                }
                None => {}
            }
        }
        Err(Failure::from(
            Diagnostic::error(
                code::EMBEDDED_SILENT,
                "the embedded cluster is in use by a process that does not answer",
            )
            .note(format!("lock: {}", state.file("lock").display()))
            .help("`landfall cluster stop` ends it; its log is in server.log beside the lock"),
        ))
    }

    async fn served(&self, state: &StateDir, endpoint: Endpoint, started: Started) -> Result<Connection, Failure> {
        let client = state.access().map_err(Failure::from)?.client().await?;
        Ok(Connection {
            routes: Routes { http: endpoint.http, https: endpoint.https },
            endpoint: Some((endpoint, state.clone())),
            state: Some(state.clone()),
            started,
            ..Connection::embedded(self.cluster_of(client), open_store(Some(state)).await?)
        })
    }

    fn in_process(
        &self,
        cluster: landfall_drydock::Cluster,
        lock: Option<Lock>,
        state: Option<&StateDir>,
        store: Store,
    ) -> Connection {
        let connection = Connection::embedded(self.cluster_of(cluster.client()), store);
        let hosted = Some(Hosted { cluster, ingress: None, served: None, lock });
        Connection { hosted, state: state.cloned(), ..connection }
    }

    /// Talks over a connection to a cluster that this process hosts: a command in a container needs one.
    async fn serve_api(&self, connection: &mut Connection) -> Result<(), Failure> {
        let Some(hosted) = &mut connection.hosted else { return Ok(()) };
        // What others were told to find it at stays where it is.
        let served = match hosted.served.take() {
            Some(served) => served,
            None => hosted.cluster.serve((Ipv4Addr::LOCALHOST, 0).into()).await.map_err(|error| {
                Failure::from(
                    Diagnostic::error(code::NO_LISTENING, "the embedded cluster cannot be listened for on loopback")
                        .note(error.to_string()),
                )
            })?,
        };
        connection.cluster = self.cluster_of(Access::of(&served).client().await?);
        hosted.served = Some(served);
        Ok(())
    }

    fn cluster_of(&self, client: kube::Client) -> Cluster {
        Cluster::new(match &self.probe {
            Some(probe) => probe::around(client, Arc::clone(probe)),
            None => client,
        })
    }
}

impl Connection {
    /// To a cluster that others host, which offers and simulates nothing.
    fn new(name: &str, cluster: Cluster, store: Store) -> Self {
        Connection {
            name: name.to_owned(),
            cluster,
            routes: Routes::default(),
            offers: None,
            store,
            hosted: None,
            endpoint: None,
            state: None,
            simulated: false,
            closed: CancellationToken::new(),
            started: Started::Before,
        }
    }

    /// To an embedded one.
    fn embedded(cluster: Cluster, store: Store) -> Self {
        let offers: Arc<dyn Offers> = Arc::new(Operators);
        Connection { offers: Some(offers), simulated: true, ..Connection::new("embedded", cluster, store) }
    }

    /// What the cluster offers for kinds that it does not serve.
    pub fn offers(&self) -> Option<&dyn Offers> {
        self.offers.as_deref()
    }

    /// A session over this cluster.
    pub fn session(&self, host: &Host, progress: Sender<Progress>) -> Session {
        let mut session = Session::new(self.cluster.clone(), self.store.clone(), progress);
        session.routes = self.routes.clone();
        session.offers.clone_from(&self.offers);
        session.stop = host.stop.child_token();
        session.elsewhere = self.elsewhere(host);
        self.watch(&session.stop);
        if let Some(probe) = &host.probe {
            session.probe = Arc::clone(probe);
        }
        session
    }

    /// Whether another process delivers to this system now.
    fn elsewhere(&self, host: &Host) -> Elsewhere {
        let delivered_to = self.state.as_ref().is_some_and(StateDir::is_delivered_to);
        if delivered_to && !host.work.is_under_way() { Elsewhere::Somebody } else { Elsewhere::Nobody }
    }

    /// Ends what listens to `stop` as soon as the server that is talked to does not serve any more.
    pub fn watch(&self, stop: &CancellationToken) {
        let look = match (&self.endpoint, self.hosted.as_ref().and_then(|hosted| hosted.lock.as_ref()?.standing())) {
            (Some((endpoint, state)), _) => {
                let (endpoint, state) = (endpoint.clone(), state.clone());
                Look(Box::new(move || state.fate_of(&endpoint) == Fate::Serves))
            }
            (None, Some(standing)) => Look(Box::new(move || standing.holds())),
            (None, None) => return,
        };
        tokio::spawn(watch(look, stop.clone(), self.closed.clone()));
    }

    /// Why a command could not go on, when it is that the server has ended under it.
    pub fn lost(&self) -> Option<Failure> {
        if let (Some(lock), Some(state)) = (self.hosted.as_ref().and_then(|it| it.lock.as_ref()), &self.state) {
            return (!lock.stands()).then(|| Failure::from(removed(state)));
        }
        let (endpoint, state) = self.endpoint.as_ref()?;
        let pid = endpoint.pid;
        let diagnostic = match state.fate_of(endpoint) {
            Fate::Serves if endpoint.listens() => return None,
            // A process that is killed loses its socket a moment before its lock.
            Fate::Serves | Fate::Ended => Diagnostic::error(
                code::SERVER_GONE,
                format!("the embedded cluster's server has ended (it was pid {pid})"),
            )
            .note("what was done is written down; the same command starts a new server and goes on from there")
            .note(format!("its last words are in {}", state.file("server.log").display())),
            Fate::Replaced(other) => Diagnostic::error(
                code::SERVER_GONE,
                format!("the embedded cluster's server has ended (it was pid {pid}), and another serves (pid {other})"),
            )
            .note("what was done is written down; the same command goes on from there"),
            Fate::Forgotten => removed(state),
        };
        Some(Failure::from(diagnostic))
    }

    /// The same behind a failure: where the cluster could not be reached, a moment is waited for, because a server that is
    /// killed loses its connections before its place.
    pub async fn lost_behind(&self, ending: Ending) -> Option<Failure> {
        let settled = Instant::now() + SETTLING;
        loop {
            let lost = self.lost();
            let is_final = self.endpoint.is_none() || ending != Ending::Unreachable || Instant::now() >= settled;
            if lost.is_some() || is_final {
                return lost;
            }
            tokio::time::sleep(LOOK / 10).await;
        }
    }

    /// Whether the cluster lives in this process alone, so that no connection can be opened to its pods.
    pub fn is_in_process(&self) -> bool {
        self.hosted.is_some()
    }

    /// Keeps journal and history elsewhere from now on: in a database that several processes share.
    pub fn keep_in(&mut self, store: Store) {
        self.store = store;
    }

    /// The journal and history.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Serves the ingress of a cluster that this process hosts.
    async fn serve_ingress(&mut self) -> Result<(), Failure> {
        if let Some(hosted) = &mut self.hosted {
            let ingress = server::serve_ingress(&hosted.cluster).await?;
            self.routes = Routes { http: Some(ingress.http), https: Some(ingress.https) };
            hosted.ingress = Some(ingress);
        }
        Ok(())
    }

    /// Serves a cluster that this process hosts to everybody who finds its state directory.
    async fn serve(&mut self, state: &StateDir) -> Result<(), Failure> {
        if let Some(hosted) = &mut self.hosted
            && let Some(lock) = &hosted.lock
        {
            let (served, ingress) = server::listen(&hosted.cluster, state, lock, 0).await?;
            self.routes = Routes { http: Some(ingress.http), https: Some(ingress.https) };
            (hosted.served, hosted.ingress) = (Some(served), Some(ingress));
        }
        Ok(())
    }

    /// What is simulated on this cluster, one line each.
    #[boxed]
    pub async fn simulated(&self, builds: &[String]) -> Vec<String> {
        if !self.simulated {
            return Vec::new();
        }
        let mut lines = vec![
            "containers are simulated: they answer what `simulate:` in landfall.yaml declares, and nothing else"
                .to_owned(),
        ];
        lines.extend(builds.iter().cloned());
        let services = Gvk::new("apiregistration.k8s.io", "v1", "APIService");
        let services = self.cluster.list(&services, &ListOptions::default()).await.unwrap_or_default();
        lines.extend(unanswered(services.iter()));
        lines
    }

    /// What is to be known about a server that stays behind.
    pub fn announcement(&self) -> Option<Announcement> {
        let (endpoint, state) = self.endpoint.as_ref()?;
        let kubeconfig = state.file("kubeconfig");
        Some(Announcement { server: endpoint.server.clone(), pid: endpoint.pid, kubeconfig })
    }

    /// Ends what this process hosts, after all is on disk.
    #[boxed]
    pub async fn close(&mut self) {
        self.closed.cancel();
        if let Some(hosted) = self.hosted.take() {
            // Each write was answered once it was on disk, or refused; what is left are the controllers' own.
            let _rest = server::persisted(&hosted.cluster).await;
            drop((hosted.ingress, hosted.served));
            hosted.cluster.stop();
        }
        self.store.close().await;
    }

    /// The same, for a command that has changed nothing: a server that it started would stay unannounced, and for nothing.
    #[boxed]
    pub async fn close_unused(&mut self) -> Result<(), Failure> {
        self.close().await;
        if let (Some((_, state)), Started::Here) = (&self.endpoint, self.started) {
            server::stop_server(state).await?;
        }
        Ok(())
    }
}

fn removed(state: &StateDir) -> Diagnostic {
    let what =
        format!("the state directory `{}` was removed, and the embedded cluster with it", state.path().display());
    Diagnostic::error(code::SERVER_GONE, what).help("the same command starts a new cluster and begins afresh")
}

/// Whether the cluster that a session works on is still there.
struct Look(Box<dyn Fn() -> bool + Send>);

/// Ends a session when its cluster is not there any more; a connection alone would be tried again until time is up.
async fn watch(look: Look, session: CancellationToken, closed: CancellationToken) {
    loop {
        tokio::select! {
            () = session.cancelled() => return,
            () = closed.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        if !(look.0)() {
            session.cancel();
            return;
        }
    }
}

/// An empty cluster of this process, gone with it.
#[boxed]
pub async fn in_memory() -> Result<landfall_drydock::Cluster, Failure> {
    server::open(None, &[]).await
}

async fn open_store(state: Option<&StateDir>) -> Result<Store, Failure> {
    let opened = match state {
        Some(state) => Store::open(Location::File(state.file("store.db"))).await,
        None => Store::of_a_delivery().await,
    };
    opened.map_err(|error| match state {
        // SQLite's words for that are those for a broken disk.
        Some(state) if is_removed(state, &error) => Failure::from(removed(state)),
        _ => Failure::from(error.diagnose()),
    })
}

/// Whether a store could not be opened because its directory was removed, or is being removed, under this process.
fn is_removed(state: &StateDir, error: &landfall_store::Error) -> bool {
    !state.path().exists() || (error.is_of_the_disk() && !state.file("store.db").exists())
}

/// Opens the cluster of a state directory in this process.
#[boxed]
pub async fn open(state: &StateDir) -> Result<landfall_drydock::Cluster, Failure> {
    server::open(Some(state), &[]).await
}

/// Reads nodes as `CPU,MEMORY`.
pub fn nodes(texts: &[String]) -> Result<Vec<NodeSpec>, Failure> {
    let mut nodes = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let Some((cpu, memory)) = text.split_once(',') else {
            return Err(Failure::usage(
                Diagnostic::error(code::BAD_NODE, format!("--node {text} is not CPU,MEMORY"))
                    .help("as in --node 4,8Gi"),
            ));
        };
        nodes.push(NodeSpec::named(format!("landfall-{index}"), cpu.trim(), memory.trim()));
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::PlaceQuery;

    #[tokio::test]
    async fn a_store_whose_directory_was_removed_is_told_from_one_that_cannot_be_opened() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = StateDir::at(directory.path().join("state"));
        let told = |failure: Failure| failure.diagnostics[0].code;
        assert_eq!(told(open_store(Some(&state)).await.expect_err("there is none")), code::SERVER_GONE);
        state.create().expect("made");
        std::fs::create_dir(state.file("store.db")).expect("made");
        assert_ne!(told(open_store(Some(&state)).await.expect_err("it is no file")), code::SERVER_GONE);
    }

    struct Nobody;

    impl crate::Audience for Nobody {
        fn tell(&self, _: &crate::Notice) {}
    }

    /// Waiting for an address that nobody is about to write took each of them two seconds, and the fourth gave up after six.
    #[tokio::test]
    async fn commands_that_need_no_server_take_turns() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = StateDir::at(directory.path().join("state"));
        state.create().expect("made");
        open(&state).await.expect("a cluster lies there").stop();
        let host = Host::new(&crate::Env::of([]), directory.path().to_owned(), None, Arc::new(Nobody));
        let looking = async || {
            let mut connection = host.embedded(&state, Hosting::Attach).await?;
            tokio::time::sleep(LOOK).await;
            connection.close().await;
            Ok::<_, Failure>(())
        };
        let looked = tokio::join!(looking(), looking(), looking(), looking(), looking());
        for looked in [looked.0, looked.1, looked.2, looked.3, looked.4] {
            looked.expect("each had its turn");
        }
    }

    fn is_shared<T: Send + Sync>(_: &T) {}

    fn is_send<T: Send>(_: &T) {}

    /// Never called: what it says is said by its being compiled.
    fn all_of_it(host: &Host, state: &StateDir, place: &Place, query: &PlaceQuery, connection: &mut Connection) {
        is_shared(&(host, state, place, query));
        is_send(&host.place(None, query));
        is_send(&host.place_before(None, query, place));
        is_send(&host.declared_place(None, query));
        is_send(&host.cluster_place(None, query));
        is_send(&host.deliver_alone(state, "", LOOK));
        is_send(&host.connect(place, Hosting::Background, &[]));
        is_send(&host.embedded(state, Hosting::Served));
        is_send(&connection.close());
        is_send(&connection.close_unused());
        is_send(&state.wait_for_lock(LOOK));
        is_send(&state.wait_for_endpoint(LOOK));
        is_send(&spawn(state, None, &[]));
        is_send(&stop_server(state));
        is_send(&serve(host, state, ServeOptions { port: 0, nodes: Vec::new(), idle: None }));
    }

    /// A server does all this on threads that it shares: what could not go from one to another does not compile.
    #[test]
    fn whatever_a_place_is_asked_for_may_be_asked_on_any_thread() {
        let _compiled: fn(&_, &_, &_, &_, &mut _) = all_of_it;
    }
}
