//! Where the journal of one operation on a release lies: a file that is there only while the operation is under way.
//!
//! A process that dies leaves it behind; whoever works on that release next holds its lock, finds the operation open,
//! and brings it to its end first.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use landfall_diag::{Diagnose, code};
use landfall_host::{Delivering, LONGEST, StateDir, hold_file};
use landfall_source::make_private_directory;
use landfall_store::{Location, Store};
use sha2::{Digest, Sha256};

use super::{Stop, World};

/// Where journals of a cluster's releases lie.
pub(super) enum JournalPlace {
    /// A directory of the person's; one file a release.
    Personal(PathBuf),
    /// The store of an embedded cluster, which `up` uses too.
    Shared(Box<Store>, StateDir),
    /// Nowhere: a process that dies leaves a record that is pending, as Helm does.
    None,
}

/// The journal of one operation.
pub(super) struct Journal {
    /// The journal itself.
    pub(super) store: Store,
    /// Whether nobody else works with it, so that what is open in it was left by a process that is gone.
    pub(super) alone: bool,
    file: Option<PathBuf>,
    /// Held for as long as the operation runs.
    _lock: Option<Lock>,
}

/// What keeps others away from a journal.
enum Lock {
    /// The right to deliver to an embedded cluster.
    System { _delivering: Delivering },
    /// The journal's own file.
    File { _file: File },
}

impl JournalPlace {
    /// The directory for a server below the person's state directory.
    pub(super) fn personal(world: &World<'_>, server: &str) -> JournalPlace {
        let var = |name: &str| world.env(name).filter(|text| !text.is_empty());
        let base =
            var("XDG_STATE_HOME").map(PathBuf::from).or_else(|| Some(Path::new(&var("HOME")?).join(".local/state")));
        let Some(base) = base else { return JournalPlace::None };
        let digest: String = Sha256::digest(server).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        JournalPlace::Personal(base.join("landfall/releases").join(digest))
    }

    /// The store that an embedded cluster's state directory has anyway.
    pub(super) fn shared(store: Store, state: StateDir) -> JournalPlace {
        JournalPlace::Shared(Box::new(store), state)
    }

    /// The store whose audit log what goes past the guards is written into.
    ///
    /// # Errors
    /// There is none, or it cannot be opened; in words.
    pub(super) async fn audit(&self) -> Result<Store, String> {
        match self {
            JournalPlace::None => Err("neither XDG_STATE_HOME nor HOME says where it would lie".to_owned()),
            JournalPlace::Shared(store, _) => Ok(Store::clone(store)),
            JournalPlace::Personal(directory) => {
                make_private_directory(directory).map_err(|error| error.to_string())?;
                let store = Store::open(Location::File(directory.join("audit.db"))).await;
                store.map_err(|error| error.to_string())
            }
        }
    }

    /// Opens the journal for an operation on a release.
    pub(super) async fn open(&self, world: &World<'_>, namespace: &str, name: &str) -> Result<Journal, Stop> {
        match self {
            JournalPlace::None => in_memory().await,
            // Its own journal is the server's as long as it lives. In an emergency nobody waits for its end.
            JournalPlace::Shared(_, state) if state.is_served().await => in_memory().await,
            JournalPlace::Shared(store, state) => {
                let lock =
                    world.host.deliver_alone(state, "helm", LONGEST).await.map_err(|failure| {
                        Stop::of_host(failure, code::STATE_UNLOCKED, "the state cannot be locked")
                    })?;
                Ok(Journal {
                    store: Store::clone(store),
                    alone: true,
                    file: None,
                    _lock: Some(Lock::System { _delivering: lock }),
                })
            }
            JournalPlace::Personal(directory) => {
                let file = directory.join(format!("{namespace}.{name}.db"));
                // Where nothing can be written, an operation runs as Helm's does: without a journal.
                if make_private_directory(directory).is_err() {
                    return in_memory().await;
                }
                let Ok(lock) = hold_file(&file.with_extension("lock")) else { return in_memory().await };
                let Some(lock) = lock else { return in_memory().await };
                let store = Store::open(Location::File(file.clone())).await.map_err(failed)?;
                Ok(Journal { store, alone: true, file: Some(file), _lock: Some(Lock::File { _file: lock }) })
            }
        }
    }
}

impl Journal {
    /// Closes the journal and removes its file, when nothing is open in it.
    pub(super) async fn close(self, target: &str) {
        let Some(file) = &self.file else { return };
        let mut open = self.store.journal.running_operation(target).await;
        if matches!(open, Ok(None)) {
            open = self.store.journal.running_operation(&landfall_engine::Plan::trial_target(target)).await;
        }
        self.store.close().await;
        if matches!(open, Ok(None)) {
            for ending in ["db", "db-wal", "db-shm", "key", "lock"] {
                // What cannot be removed is empty and does no harm.
                let _left = fs::remove_file(file.with_extension(ending));
            }
        }
    }
}

async fn in_memory() -> Result<Journal, Stop> {
    let store = Store::open(Location::Memory).await.map_err(failed)?;
    Ok(Journal { store, alone: false, file: None, _lock: None })
}

fn failed(error: landfall_store::Error) -> Stop {
    Stop::said(error.to_string(), error.diagnose())
}
