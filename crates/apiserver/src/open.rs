//! Opening: what is kept is loaded, or a new cluster's beginnings are made.

use std::path::PathBuf;
use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bootstrap;
use crate::clock::Clock;
use crate::containers::Containers;
use crate::credentials::{Authority, Credentials};
use crate::error::Error;
use crate::plane::{Durable, Plane};
use crate::randomness::Randomness;
use crate::status::Status;
use crate::storage;
use crate::world::{Settings, World};

/// Where a cluster's state lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// In memory, gone with the cluster.
    #[default]
    Memory,
    /// In an SQLite file; what was acknowledged survives the death of the process.
    Sqlite(PathBuf),
}

/// How an API is opened.
pub struct Opening {
    /// Where the state lives.
    pub storage: Storage,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where suffixes, UIDs and addresses come from.
    pub randomness: Randomness,
    /// Address ranges, history, admission.
    pub settings: Settings,
    /// The admin's bearer token; without one, the kept or a new random one.
    pub token: Option<String>,
    /// Who signs certificates of the server and of clients; without one, the kept or a new authority.
    pub authority: Option<Authority>,
    /// Who answers for containers.
    pub containers: Arc<dyn Containers>,
}

/// Writes what changes to disk; without it running nothing is kept.
pub struct Writer {
    store: landfall_store::ClusterState,
    from: u64,
    written: watch::Sender<Durable>,
}

impl Writer {
    /// Writes until `stop`, then closes the store.
    #[boxed]
    pub async fn run(self, plane: Arc<Plane>, stop: CancellationToken) {
        // On the way out, what is in memory is written first: write_behind ends a batch before it waits.
        tokio::select! {
            () = storage::write_behind(plane, self.store.clone(), self.from, self.written) => {}
            () = stop.cancelled() => {}
        }
        self.store.close().await;
    }
}

/// Loads what is kept, or makes a new cluster with the system's namespaces and roles and what `furnish` adds; beside
/// it the writer that is to run, where anything is kept.
///
/// # Errors
/// [`Error`]; nothing runs then.
pub async fn open(
    opening: Opening,
    furnish: impl FnOnce(&mut World) -> Result<(), Status>,
) -> Result<(Plane, Option<Writer>), Error> {
    let Opening { storage, clock, randomness, mut settings, token, authority, containers } = opening;
    let store = match &storage {
        Storage::Memory => None,
        Storage::Sqlite(path) => Some(storage::open(path).await?),
    };
    let mut loaded = None;
    let mut world = World::new(clock, randomness, Settings::default());
    if let Some(store) = &store {
        loaded = Some(storage::load(store, &mut world).await?);
    }
    let kept = loaded.as_ref().and_then(|meta| Credentials::from_parts(|name| meta.get(name).cloned()));
    let credentials = match kept {
        Some(credentials) => credentials,
        None => {
            let credentials = Credentials::generate()?;
            if let Some(store) = &store {
                let parts = credentials.parts().map(|(name, text)| (name.to_owned(), text.to_owned()));
                storage::save_meta(store, parts.to_vec()).await?;
            }
            credentials
        }
    };
    let credentials = match token {
        Some(token) => credentials.with_token(token),
        None => credentials,
    };
    let credentials = Arc::new(match authority {
        Some(authority) => credentials.with_authority(authority)?,
        None => credentials,
    });
    settings.authority = credentials.authority().to_owned();
    world.configure(settings);
    let from = world.version();
    if world.find("namespaces", "", "kube-system").is_none() {
        bootstrap::prepare(&mut world)?;
        furnish(&mut world)?;
    }
    let (written, durable) = watch::channel(Durable { written: from, failing: None });
    let durable = store.is_some().then_some(durable);
    let plane = Plane::over(Mutex::new(world), credentials, containers, durable);
    Ok((plane, store.map(|store| Writer { store, from, written })))
}
