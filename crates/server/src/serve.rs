//! Opens the server in an order in which what is wrong is found before anything is changed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_delivery::{MissingProject, NetworkReach, Session};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_engine::{Clock, WallClock};
use landfall_host::{Audience, Connection, Failure, Host, Hosting, Place, SHORT, Serving};
use landfall_source::{RemoteCharts, SourceTree, aside};
use landfall_store::Store;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accounts::password::random_bytes;
use crate::accounts::{Accounts, Issuer, Jobs, Orders, Roles, digest};
use crate::admitted::Registries;
use crate::alarms::Alarms;
use crate::api::Desk;
use crate::board::Board;
use crate::connections::{Connections, KINDS};
use crate::controller::Controller;
use crate::errands::Work;
use crate::fleet::Control;
use crate::gate::{Gate, Token};
use crate::happened::Happened;
use crate::hook_secrets::HookSecrets;
use crate::http::{self, Front};
use crate::news::Sinks;
use crate::options::{Listen, Options, Replicas, Sealing, StandInRepository};
use crate::recents::Recents;
use crate::repositories::Repositories;
use crate::sealing::{self, Keeper};
use crate::settings::ArgoSettings;
use crate::shards::{self, Shards, Turn};
use crate::{ground, rights};

/// What is told once the server answers.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Where.
    pub address: SocketAddr,
    /// What the cluster is called.
    pub cluster: String,
    /// Where kubeseal is answered, if anywhere.
    pub sealing: Option<SocketAddr>,
    /// What `kubectl` is given to ask an embedded cluster.
    pub kubeconfig: Option<PathBuf>,
}

/// What may be under way between the watches and the controller.
const QUEUE: usize = 1024;
/// How long what is under way may take to end: less than the five seconds in which the whole process ends.
const ENDING: Duration = Duration::from_secs(4);
/// How often a replica looks whether it is its turn to open SealedSecrets.
const TURN: Duration = Duration::from_secs(1);

/// Keeps the Applications of a cluster in sync until the host is told to stop.
///
/// # Errors
/// An address that is taken, a repository that is none, a cluster that cannot be reached or on which too little is
/// allowed: nothing was changed then.
pub async fn serve(host: &Host, options: Options, ready: impl FnOnce(&Ready)) -> Result<(), Failure> {
    let Options {
        place,
        objects,
        listen,
        repositories,
        declared,
        sinks,
        secrets,
        unsigned,
        sealing,
        sealing_listen,
        policy,
        root,
        issuer,
        ci_identities,
        check_networks,
        fleet,
        semantics,
        replicas,
    } = options;
    let own_policy = policy.clone();
    let roles = Arc::new(Roles::new(policy)?);
    let issuer = issuer.map(|options| Issuer::new(options, &host.network, Arc::new(WallClock))).transpose()?;
    let clock: Arc<dyn Clock> = Arc::new(WallClock);
    let jobs = ci_identities.map(|text| Jobs::parse(&text, &host.network, &clock)).transpose()?;
    for local in &repositories {
        check_repository(local).await?;
    }
    let (listener, address) = bind(listen, "--listen").await?;
    let sealing = if place.cluster.remote().is_some() { sealing } else { Sealing::Off };
    let asking = match sealing_listen {
        Some(_) if sealing == Sealing::Off => {
            let text = "--sealing-listen has nobody who answers: SealedSecrets are not opened by this server";
            let help = "the embedded cluster opens its own, and kubeseal asks it through its kubeconfig";
            return Err(Failure::usage(Diagnostic::error(code::NO_LISTENING, text).help(help)));
        }
        Some(listen) => Some(bind(listen, "--sealing-listen").await?),
        None => None,
    };
    // Before anything is changed: whoever has no database begins nothing.
    let database = match &replicas {
        Some(replicas) => {
            Some(Store::open_database(&replicas.database).await.map_err(|error| Failure::from(error.diagnose()))?)
        }
        None => None,
    };
    // One process delivers to a system at a time: this one, for as long as it lives.
    let _delivering = host.deliver_alone(&place.state, "serve", SHORT).await?;
    let mut connection = host.connect(&place, Hosting::Served, &[]).await?;
    let served = async {
        if place.cluster.remote().is_some() {
            rights::check(&connection.cluster, &connection.name, &objects).await?;
        }
        let mut sharing = None;
        if let (Some(replicas), Some(store)) = (replicas, database) {
            let key = shards::journal_key(&connection.cluster, &replicas.namespace).await?;
            store.seal_with(&key).map_err(|error| Failure::from(error.diagnose()))?;
            connection.keep_in(store);
            sharing = Some(replicas);
        }
        ground::prepare(&connection.cluster, &objects).await?;
        let cache = place.state.create_cache()?.join("git");
        let (told, happened) = channel(QUEUE);
        let reach = NetworkReach::public(move |address| check_networks.iter().any(|network| network.holds(address)));
        let mut work = work(host, &place, &connection, (repositories, cache, reach), (&told, roles)).await?;
        work.session.semantics = semantics;
        work.session.missing_project = MissingProject::Refused;
        let settings = sharing.map(named).transpose()?;
        let shards = match &settings {
            Some((settings, shards)) => Arc::new(Shards::shared(*shards, settings.replica.clone())),
            None => Arc::new(Shards::alone()),
        };
        let origin = place.target.source.origin().or_else(|| host.origin());
        let (home, clock) = (work.session.cluster.clone(), Arc::clone(&work.session.clock));
        let turn = Arc::new(match &settings {
            Some((settings, _)) => Turn::of_replicas(home, &settings.namespace, clock),
            None => Turn::new(home, own_name(host, &place), clock),
        });
        let work = Arc::new(Work { declared, origin, sinks, shards, turn: Some(Arc::clone(&turn)), ..work });
        work.alarms.tell(work.sinks.clone());
        ground::accept(&work, &objects, &person(host)).await?;
        let now = work.session.clock.now();
        let board = Arc::new(Board::new(u64::try_from(now.as_millisecond()).unwrap_or_default()));
        let stop = work.session.stop.clone();
        let local = Token::random()?;
        let (tokens, clock) = (work.session.store.tokens.clone(), Arc::clone(&work.session.clock));
        let secrets = HookSecrets::new(secrets, &place.state, Arc::clone(&clock));
        let accounts = Arc::new(Accounts::new(work.session.store.accounts.clone(), Arc::clone(&clock)));
        let issuer = match issuer {
            Some(issuer) => Some(issuer.shared(&work.session.store.facts).await?),
            None => None,
        };
        let gate = Gate::new(tokens, clock, (accounts, Arc::clone(&work.roles)), (&local, &person(host)));
        let desk = Desk::new(Arc::clone(&work), Some(Arc::clone(&board)));
        let stores = (work.session.store.fleet.clone(), work.session.store.audit.clone());
        let clock = Arc::clone(&work.session.clock);
        let fleet = match &settings {
            None => Some(Control::open(stores, clock, place.state.file("fleet"), fleet, stop.clone()).await?),
            Some(_) => None,
        };
        let sealing_at = asking.as_ref().map(|(_, address)| *address);
        let asking = asking.map(|(listener, _)| listener);
        let opening = open_sealed(&work, sealing, asking, Arc::clone(&host.audience));
        let idle = CancellationToken::new();
        let leases = settings.map(|(settings, _)| take_turns(&work, settings, told.clone(), idle.clone()));
        let (collector, network, clock) =
            (work.sinks.traces.clone(), work.network.clone(), Arc::clone(&work.session.clock));
        let measuring = tokio::spawn(collector.take_metrics(network, Arc::clone(&board), clock));
        let controller = Controller::new(work, told.clone(), happened, Arc::clone(&board));
        let front = Arc::new(Front::new(
            board,
            (secrets, unsigned, root),
            told,
            (gate, issuer, jobs),
            (desk, fleet),
            stop.clone(),
        ));
        let answering = tokio::spawn(http::serve(listener, front, stop.clone()));
        let serving = place.state.say_serving(&Serving::now(reachable(address), local.revealed(), own_policy))?;
        let is_embedded = connection.is_in_process() || connection.announcement().is_some();
        let kubeconfig = is_embedded.then(|| place.state.file("kubeconfig"));
        ready(&Ready { address, cluster: connection.name.clone(), sealing: sealing_at, kubeconfig });
        controller.run(ENDING).await;
        drop(serving);
        measuring.abort();
        stop.cancel();
        idle.cancel();
        if let Some(leases) = leases {
            let _given_back = leases.await;
        }
        turn.give_back().await;
        let _ended = answering.await;
        if let Some(opening) = opening {
            let _ended = opening.await;
        }
        match connection.lost() {
            Some(failure) if !host.stop.is_cancelled() => Err(failure),
            _ => Ok(()),
        }
    };
    let served = served.await;
    connection.close().await;
    served
}

async fn bind(listen: Listen, flag: &str) -> Result<(TcpListener, SocketAddr), Failure> {
    let failed = |error: std::io::Error| {
        Diagnostic::error(code::NO_LISTENING, format!("{} cannot be listened on; nothing was changed", listen.0))
            .note(error.to_string())
            .help(format!("give another address with {flag}; port 0 takes a free one"))
    };
    let listener = TcpListener::bind(listen.0).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Begins to open SealedSecrets, and to answer kubeseal where that is wanted.
fn open_sealed(
    work: &Arc<Work>,
    mode: Sealing,
    asking: Option<TcpListener>,
    audience: Arc<dyn Audience>,
) -> Option<JoinHandle<()>> {
    if mode == Sealing::Off {
        return None;
    }
    let known = Arc::new(sealing::Desk::default());
    if let Some(listener) = asking {
        let Session { clock, stop, .. } = &work.session;
        tokio::spawn(sealing::serve(listener, Arc::clone(&known), Arc::clone(clock), stop.clone()));
    }
    let work = Arc::clone(work);
    Some(tokio::spawn(async move {
        let stop = work.session.stop.clone();
        // Of several replicas one opens them: whoever keeps the first shard, as long as it does.
        while !stop.is_cancelled() {
            let is_others = || work.turn.as_ref().is_some_and(|turn| turn.other().is_some());
            if !work.shards.is_first() || is_others() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(TURN) => continue,
                }
            }
            let leave = work.shards.leave_of_first();
            let keeper = Keeper::new((&work.session, work.once()), mode, Arc::clone(&known), Arc::clone(&audience));
            tokio::select! {
                () = keeper.run() => return,
                () = leave.over() => {}
                () = async { while !is_others() { tokio::time::sleep(TURN).await } } => {}
            }
        }
    }))
}

/// Begins to take turns with other replicas.
fn take_turns(
    work: &Arc<Work>,
    settings: shards::Settings,
    told: Sender<Happened>,
    idle: CancellationToken,
) -> JoinHandle<()> {
    let Session { cluster, clock, stop, store, .. } = &work.session;
    tokio::spawn(shards::hear(Arc::clone(work), told.clone()));
    let (cluster, rows) = (cluster.clone(), store.shards.clone());
    let keeper = shards::Keeper::new((cluster, rows), settings, Arc::clone(&work.shards), told, Arc::clone(clock));
    tokio::spawn(keeper.run(stop.clone(), idle))
}

/// What a server is called that shares with nobody: by its machine and where its state lies, so that it is the same one when it is started
/// again there.
fn own_name(host: &Host, place: &Place) -> String {
    let read = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let named = read("/proc/sys/kernel/hostname").or_else(|| host.env.get("HOSTNAME").map(str::to_owned));
    let machine = named.filter(|name| !name.is_empty()).unwrap_or_else(|| "landfall".to_owned());
    let state = place.state.file("");
    let path = state.canonicalize().unwrap_or(state).display().to_string();
    // Machines may be called alike.
    let id = read("/etc/machine-id").unwrap_or_default();
    let suffix: String = digest(&format!("{id} {path}")).chars().take(8).collect();
    format!("{machine}-{suffix}")
}

/// What this process is called among its replicas, as no other one is, nor itself when it is started again.
fn named(replicas: Replicas) -> Result<(shards::Settings, u32), Diagnostic> {
    let random: [u8; 4] = random_bytes()?;
    let suffix: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let name: String = replicas.name.chars().map(plain).take(40).collect();
    let replica = format!("{}-{suffix}", name.trim_matches('-')).trim_start_matches('-').to_owned();
    Ok((shards::Settings { namespace: replicas.namespace, replica }, replicas.shards))
}

/// Where everything about the Applications of a cluster is asked without a server: by a command of this process.
///
/// # Errors
/// The directory for what is fetched cannot be made.
#[boxed]
pub async fn desk(
    host: &Host,
    place: &Place,
    connection: &Connection,
    repositories: Vec<StandInRepository>,
) -> Result<Desk, Failure> {
    let is_nowhere = place.cluster.is_kept_in_state() && !place.state.has_cluster();
    // For what is not there no directory is made.
    let cache = if is_nowhere { place.state.file("cache") } else { place.state.create_cache()? };
    // A store that is kept nowhere was opened for a delivery alone, which asks nothing of Applications.
    session(host, connection).store.shards.prepare().await.map_err(|error| Failure::from(error.diagnose()))?;
    // Nobody listens: what is asked is asked once. The server that may run here has a directory of its own.
    let (told, _unheard) = channel(QUEUE);
    let roles = Arc::new(Roles::new(None)?);
    let work =
        work(host, place, connection, (repositories, cache.join("asked"), NetworkReach::Anywhere), (&told, roles))
            .await?;
    Ok(Desk::new(Arc::new(work), None))
}

/// What errands work with: stand-ins for repositories, and the directory of those that are fetched.
async fn work(
    host: &Host,
    place: &Place,
    connection: &Connection,
    (local, below, reach): (Vec<StandInRepository>, PathBuf, NetworkReach),
    (told, roles): (&Sender<Happened>, Arc<Roles>),
) -> Result<Work, Failure> {
    let session = session(host, connection);
    let stop = session.stop.clone();
    // Whoever is let in before that would be measured by nothing.
    tokio::spawn(Arc::clone(&roles).keep(session.cluster.clone(), stop.clone()).await);
    let orders = Orders::load(session.store.orders.clone(), Arc::clone(&session.clock)).await?;
    let alarms =
        Arc::new(Alarms::new((session.store.audit.clone(), session.store.news.clone()), Arc::clone(&session.clock)));
    let connections = Arc::new(Connections::new(session.cluster.clone(), &stop));
    // Known before the first Application is looked at.
    tokio::spawn(Arc::clone(&connections).keep(told.clone()).await);
    let listening = (told.clone(), stop);
    let charts = RemoteCharts { named_by_charts: reach.clone(), ..host.remote_charts(place) };
    let repositories = Repositories::new(local, charts, below, Arc::clone(&connections), listening);
    let documents = host.schema_documents_within(reach.clone());
    let (sops, network) = (host.sops_keys(), host.network.clone());
    let (declared, sinks, orders) = (Vec::new(), Sinks::default(), Arc::new(orders));
    let (stands_back, shards) = (AtomicBool::default(), Arc::new(Shards::alone()));
    let registries = Registries::new(network.clone(), Vec::from_iter(landfall_host::docker_credentials(&host.env)));
    Ok(Work {
        session,
        repositories,
        connections,
        documents,
        sops,
        network,
        declared,
        origin: None,
        sinks,
        reach,
        roles,
        settings: ArgoSettings::default(),
        orders,
        alarms,
        registries,
        shards,
        stands_back,
        turn: None,
        recents: Recents::default(),
    })
}

/// Whose server it is, as far as the environment says.
pub(crate) fn person(host: &Host) -> String {
    host.env.get("USER").filter(|name| !name.is_empty()).unwrap_or("local").to_owned()
}

/// Where this machine reaches an address that is listened on.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(loopback, address.port())
}

fn session(host: &Host, connection: &Connection) -> Session {
    // Each errand listens for itself.
    let (progress, _unheard) = channel(1);
    let mut session = connection.session(host, progress);
    session.cluster = session.cluster.remembering(KINDS);
    session.home = session.cluster.clone();
    session
}

async fn check_repository(local: &StandInRepository) -> Result<(), Failure> {
    let directory = local.directory.clone();
    let opened = aside(move || SourceTree::open_commit(&directory, "HEAD").map(drop)).await;
    let Ok(Err(error)) = opened else { return Ok(()) };
    match error {
        // A repository without a commit gets its first one by a push.
        landfall_source::SourceError::Revision { .. } => Ok(()),
        error => Err(landfall_host::failed(&error)),
    }
}
