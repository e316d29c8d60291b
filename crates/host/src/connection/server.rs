//! Hosting: opening the cluster, serving it, starting and stopping the process that does.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use async_recursion::async_recursion as boxed;
use landfall_diag::{Diagnostic, code};
use landfall_drydock::{Cluster, ControlPlane, IngressOptions, IngressServer, NodeSpec, Options, Served, Storage};

use super::process::{self, Process};
use crate::Host;
use crate::failure::Failure;
use crate::state::{Endpoint, Lock, StateDir};

/// A background server ends after so many idle seconds: a working day.
const IDLE: u64 = 8 * 60 * 60;

/// How long somebody may have the cluster open without saying who it is.
const SILENT: Duration = Duration::from_secs(5);

/// How long a server may take to end.
const ENDING: Duration = Duration::from_secs(15);

/// How long the disk may take for what was written last.
const WRITTEN: Duration = Duration::from_secs(10);

/// How often a server looks whether its state directory is still there.
const LOOK: Duration = Duration::from_secs(1);

/// Opens the cluster of a state directory, or an empty one in memory.
pub(crate) async fn open(state: Option<&StateDir>, nodes: &[NodeSpec]) -> Result<Cluster, Failure> {
    let mut control_plane = ControlPlane::default();
    if !nodes.is_empty() {
        control_plane.nodes = nodes.to_vec();
    }
    let storage = state.map_or(Storage::Memory, |state| Storage::Sqlite(state.file("cluster.db")));
    let options = Options { storage, control_plane, ..Options::default() };
    Cluster::open(options).await.map_err(|error| unopened(&error))
}

fn unopened(error: &landfall_drydock::Error) -> Failure {
    const WHAT: &str = "the embedded cluster cannot be opened";
    Failure::from(match error.full_disk() {
        Some(full) => full.note(WHAT),
        None => {
            let mut diagnostic = Diagnostic::error(code::EMBEDDED_UNOPENED, WHAT).note(error.to_string());
            let mut cause = std::error::Error::source(error);
            while let Some(inner) = cause {
                diagnostic = diagnostic.note(inner.to_string());
                cause = inner.source();
            }
            diagnostic.help("`landfall cluster reset` forgets its state")
        }
    })
}

/// Waits until what a cluster holds is on disk, for as long as somebody may be expected to wait for its end.
///
/// # Errors
/// When it cannot be written: the disk is full, mostly.
#[boxed]
pub async fn persisted(cluster: &Cluster) -> Result<(), Failure> {
    match tokio::time::timeout(WRITTEN, cluster.persisted()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let full = error.full_disk();
            Err(Failure::from(full.unwrap_or_else(|| {
                Diagnostic::error(code::EMBEDDED_UNWRITTEN, "the embedded cluster's state cannot be written")
                    .note(error.to_string())
            })))
        }
        Err(_) => Err(Failure::from(
            Diagnostic::error(code::EMBEDDED_UNWRITTEN, "the embedded cluster's state cannot be written")
                .note(format!("the disk took longer than {} s", WRITTEN.as_secs())),
        )),
    }
}

/// Serves the cluster's Ingress rules, on 80 and 443 when that is allowed.
pub(crate) async fn serve_ingress(cluster: &Cluster) -> Result<IngressServer, Failure> {
    cluster.serve_ingress(&IngressOptions::default()).await.map_err(|error| {
        Failure::from(Diagnostic::error(code::INGRESS, "the ingress cannot listen").note(error.to_string()))
    })
}

/// What a variable's name has in it that lets somebody in, or says where that is.
const OPENS: [&str; 9] =
    ["TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "CREDENTIAL", "APIKEY", "_KEY", "SOPS_AGE"];

/// Whether a variable is for those who open something: an identity, a login, a passphrase.
fn opens(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    OPENS.iter().any(|word| name.contains(word))
}

/// Starts a process that hosts the cluster and stays.
#[boxed]
pub async fn spawn(state: &StateDir, port: Option<u16>, nodes: &[String]) -> Result<(), Failure> {
    let failed = |why: String| {
        Failure::from(
            Diagnostic::error(code::SERVER_NOT_STARTED, "the embedded cluster's server did not start")
                .note(why)
                .help("`--once` hosts it in this process instead"),
        )
    };
    let exe = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let log = state.write_private("server.log", b"").map_err(Failure::from)?;
    let log = std::fs::OpenOptions::new().append(true).open(log).map_err(|error| failed(error.to_string()))?;
    let errors = log.try_clone().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(exe);
    command.args(["cluster", "serve", "--idle", &IDLE.to_string(), "--state"]).arg(state.path());
    if let Some(port) = port {
        command.args(["--port", &port.to_string()]);
    }
    for node in nodes {
        command.args(["--node", node]);
    }
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    // It outlives who started it, and opens nothing: what opens things stays behind.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(opens) {
            command.env_remove(name);
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // Its own group: a Ctrl-C at the terminal is for the command, not for the server it leaves behind.
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if state.endpoint().is_some() {
            return Ok(());
        }
        if let Ok(Some(status)) = child.try_wait() {
            // Another process may have been quicker: then that one serves.
            if state.wait_for_endpoint(Duration::from_millis(500)).await.is_some() {
                return Ok(());
            }
            let said_full = status.code() == Some(landfall_diag::DISK_FULL_EXIT.into());
            if let Some(full) = state.full().or_else(|| said_full.then(|| landfall_diag::disk_full(state.path()))) {
                return Err(full.note("the embedded cluster's server did not start").into());
            }
            let log = std::fs::read_to_string(state.file("server.log")).unwrap_or_default();
            return Err(failed(format!("it ended with {status}; it said:\n{log}")));
        }
        if Instant::now() >= deadline {
            return Err(failed("it did not say where it listens within 20 s".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What a server is told to do.
pub struct ServeOptions {
    /// The API's port; 0 for a free one.
    pub port: u16,
    /// Nodes, when the cluster is new.
    pub nodes: Vec<NodeSpec>,
    /// Ends after so long without requests; never when absent.
    pub idle: Option<Duration>,
}

/// Hosts the cluster until it is asked to end.
#[boxed]
pub async fn serve(host: &Host, state: &StateDir, options: ServeOptions) -> Result<(), Failure> {
    let _work = host.work.begin();
    let Some(lock) = state.wait_for_lock(Duration::from_secs(2)).await.map_err(Failure::from)? else {
        return Err(Failure::from(
            Diagnostic::error(code::SERVED_ALREADY, "another process hosts this embedded cluster already")
                .help("`landfall cluster status` says where"),
        ));
    };
    let cluster = open(Some(state), &options.nodes).await?;
    let (served, ingress) = listen(&cluster, state, &lock, options.port).await?;
    wait_for_end(host, &cluster, &lock, options.idle).await;
    let written = persisted(&cluster).await;
    drop(ingress);
    drop(served);
    cluster.stop();
    // Who waits for the lock waits for the process: it goes with it.
    lock.keep();
    written
}

/// Serves a cluster's API and ingress, and says in its state directory where they are.
pub(crate) async fn listen(
    cluster: &Cluster,
    state: &StateDir,
    lock: &Lock,
    port: u16,
) -> Result<(Served, IngressServer), Failure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let served = cluster.serve(address).await.map_err(|error| {
        Failure::from(
            Diagnostic::error(code::NO_LISTENING, format!("{address} cannot be listened on"))
                .note(error.to_string())
                .help("give another with --port, or leave it out for a free one"),
        )
    })?;
    let ingress = serve_ingress(cluster).await?;
    state.write_private("kubeconfig", served.kubeconfig().as_bytes()).map_err(Failure::from)?;
    state.write_private("token", served.token.as_bytes()).map_err(Failure::from)?;
    let endpoint = Endpoint {
        pid: std::process::id(),
        server: format!("https://{}", served.address),
        http: Some(ingress.http),
        https: Some(ingress.https),
        version: crate::VERSION.to_owned(),
        started: jiff::Timestamp::now().to_string(),
    };
    lock.publish(state, &endpoint)?;
    Ok((served, ingress))
}

async fn wait_for_end(host: &Host, cluster: &Cluster, lock: &Lock, idle: Option<Duration>) {
    // A server whose state was removed serves what nobody can find any more.
    let forgotten = async {
        while lock.stands() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let idle = async {
        let Some(idle) = idle else { return std::future::pending().await };
        let mut seen = cluster.requests();
        loop {
            tokio::time::sleep(idle).await;
            let now = cluster.requests();
            if now == seen {
                return;
            }
            seen = now;
        }
    };
    tokio::select! {
        () = host.stop.cancelled() => {}
        () = forgotten => {}
        () = idle => {}
    }
}

/// Ends the process that hosts the cluster, when there is one, and waits until it is gone.
#[boxed]
pub async fn stop_server(state: &StateDir) -> Result<bool, Failure> {
    if !state.exists() {
        return Ok(false);
    }
    // A command that only looks has the cluster open for a moment, without serving it.
    let deadline = Instant::now() + SILENT;
    let endpoint = loop {
        if !state.is_open() {
            return Ok(false);
        }
        if let Some(endpoint) = state.endpoint() {
            break endpoint;
        }
        if Instant::now() >= deadline {
            return Err(Failure::from(
                Diagnostic::error(
                    code::EMBEDDED_IN_USE,
                    "the embedded cluster is in use by a process that does not say which it is",
                )
                .note(format!("lock: {}", state.file("lock").display())),
            ));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    match process::look(endpoint.pid, state.path()).await {
        Process::Server => terminate(endpoint.pid),
        Process::Gone => {}
        Process::Other => {
            return Err(Failure::from(
                Diagnostic::error(
                    code::SERVER_NOT_ENDED,
                    format!("pid {} is not a server of this embedded cluster", endpoint.pid),
                )
                .note(format!("`{}` names it, and somebody holds the lock", state.file("endpoint.json").display()))
                .note("no process was signalled")
                .help(format!("look who holds it: fuser {}", crate::shell_word(&state.file("lock")))),
            ));
        }
    }
    let deadline = Instant::now() + ENDING;
    while state.is_open() {
        if Instant::now() >= deadline {
            return Err(Failure::from(
                Diagnostic::error(
                    code::SERVER_NOT_ENDED,
                    format!("the embedded cluster's server (pid {}) does not end", endpoint.pid),
                )
                .help(format!("end it yourself: kill -9 {}", endpoint.pid)),
            ));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(true)
}

#[cfg(unix)]
fn terminate(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // A process that is gone already has done what was asked.
        let _gone = kill_process(pid, Signal::TERM);
    }
}

#[cfg(not(unix))]
fn terminate(pid: u32) {
    let _ended = Command::new("taskkill").args(["/PID", &pid.to_string()]).status();
}
