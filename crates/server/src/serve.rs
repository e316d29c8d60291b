//! Opens the server in an order in which what is wrong is found before anything is changed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use landfall_delivery::Session;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Connection, Failure, Host, Hosting, SHORT, patience};
use landfall_source::{SourceTree, aside};
use tokio::net::TcpListener;
use tokio::sync::mpsc::channel;

use crate::board::Board;
use crate::controller::Controller;
use crate::http::{self, Front};
use crate::options::{Options, StandInRepository};
use crate::repositories::Repositories;
use crate::{ground, rights};

/// What is told once the server answers.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Where.
    pub address: SocketAddr,
    /// What the cluster is called.
    pub cluster: String,
}

/// What may be under way between the watches and the controller.
const QUEUE: usize = 1024;
/// How long what is under way may take to end: less than the five seconds in which the whole process ends.
const ENDING: Duration = Duration::from_secs(4);

/// Keeps the Applications of a cluster in sync until the host is told to stop.
///
/// # Errors
/// An address that is taken, a repository that is none, a cluster that cannot be reached or on which too little is
/// allowed: nothing was changed then.
pub async fn serve(host: &Host, options: Options, ready: impl FnOnce(&Ready)) -> Result<(), Failure> {
    let Options { place, objects, listen, repositories, secrets } = options;
    for local in &repositories {
        check_repository(local).await?;
    }
    let listener = TcpListener::bind(listen.0).await.map_err(|error| {
        Diagnostic::error(code::NO_LISTENING, format!("{} cannot be listened on; nothing was changed", listen.0))
            .note(error.to_string())
            .help("give another address with --listen; port 0 takes a free one")
    })?;
    let address = listener.local_addr().map_err(|error| {
        Diagnostic::error(code::NO_LISTENING, format!("{} cannot be listened on", listen.0)).note(error.to_string())
    })?;
    // One process delivers to a system at a time: this one, for as long as it lives.
    let _delivering = host.deliver_alone(&place.state, "serve", SHORT).await?;
    let mut connection = host.connect(&place, Hosting::Served, &[]).await?;
    let served = async {
        if place.cluster.remote().is_some() {
            rights::check(&connection.cluster, &connection.name, &objects).await?;
        }
        ground::prepare(&connection.cluster, &objects).await?;
        let cache = place.state.create_cache()?;
        let patience = patience(&host.env);
        let repositories = Repositories::new(repositories, cache, host.network.clone(), patience);
        let charts = host.remote_charts(&place);
        let (told, happened) = channel(QUEUE);
        let board = Arc::new(Board::default());
        let session = session(host, &connection);
        let stop = session.stop.clone();
        let documents = host.schema_documents();
        let network = host.network.clone();
        let work = crate::errands::Work { session, repositories, charts, documents, network };
        let controller = Controller::new(work, told.clone(), happened, Arc::clone(&board));
        let front = Arc::new(Front { board, secrets, told });
        let answering = tokio::spawn(http::serve(listener, front, stop.clone()));
        ready(&Ready { address, cluster: connection.name.clone() });
        controller.run(ENDING).await;
        stop.cancel();
        let _ended = answering.await;
        match connection.lost() {
            Some(failure) if !host.stop.is_cancelled() => Err(failure),
            _ => Ok(()),
        }
    };
    let served = served.await;
    connection.close().await;
    served
}

fn session(host: &Host, connection: &Connection) -> Session {
    // Each errand listens for itself.
    let (progress, _unheard) = channel(1);
    connection.session(host, progress)
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
