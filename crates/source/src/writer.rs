//! The one writer of git: commits that say what somebody wants, put on the tip of a branch of a repository elsewhere.
//!
//! ```text
//! Write (branch, paths it may change, change) ─► queue of the branch ─► the branch's desk, one at a time
//!     tip ── change.on(tip) ─► files ─► blobs, trees, commit in a bare repository of ours ─► push: from this tip or not at all
//!      ▲                                                                                     │
//!      └── somebody else was first: read again, ask the change again ◄───────────────────────┘
//! ```
//!
//! Invariants
//! - Nothing is checked out, merged, rebased or forced: a commit's parent is the tip that its change has read.
//! - A branch that starts at another one has one commit of ours on the tip of that one, whatever lay there under its name: it is
//!   made anew from the commit that was seen there or not at all, and not where anything on it is somebody else's.
//! - What a change wants outside the paths that it was given is refused, whatever it says; links and submodules are not
//!   followed.
//! - What became of a push is told from where the branch stands afterwards, not from what a server says in words: a
//!   reply that was lost leads to no second commit.
//! - Whoever waits for the same branch goes with the first of them, whoever comes while that one reads the branch among
//!   them: a commit each, one push for all.

mod carried;
mod commit;
mod desk;
mod write;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::account::GitRemote;
use crate::network::Network;
use crate::remote::{Mirror, repository_key};
use desk::Desk;

pub use carried::{Carried, Carry};
pub use commit::{Person, Signing};
pub use write::{AllowedPaths, Builds, Change, Edited, Edits, Landing, Reads, Write, WriteError};

/// The line at a commit's end that says that Landfall has made it.
pub const CHANGE_TRAILER: &str = "Landfall-Change";

/// Writes commits onto branches of repositories elsewhere. Clones share their queues; a process has one.
#[derive(Debug, Clone)]
pub struct GitWriter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    network: Network,
    below: PathBuf,
    patience: Option<Duration>,
    rooms: Mutex<HashMap<RoomKey, Arc<Room>>>,
}

/// Whose room it is: two accounts never go together, because one may not be allowed what the other is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RoomKey {
    repository: String,
    branch: String,
    account: String,
}

/// Where those wait who write to one branch.
#[derive(Debug)]
struct Room {
    queue: Mutex<Vec<Waiting>>,
    desk: tokio::sync::Mutex<Desk>,
}

/// Who waits.
#[derive(Debug)]
struct Waiting {
    write: Write,
    answer: oneshot::Sender<Result<Landing, WriteError>>,
}

impl Room {
    /// Takes out whoever waits, and still wants it.
    fn waiting(&self) -> Vec<Waiting> {
        self.queue.lock().drain(..).filter(|waiting| !waiting.answer.is_closed()).collect()
    }
}

impl GitWriter {
    /// One whose bare repositories lie below a directory of ours; `patience`: how long a server may be silent.
    pub fn new(network: &Network, below: PathBuf, patience: Option<Duration>) -> Self {
        GitWriter(Arc::new(Shared { network: network.clone(), below, patience, rooms: Mutex::default() }))
    }

    /// Puts a commit on a branch; whoever drops the future withdraws it, unless it is under way.
    ///
    /// # Errors
    /// [`WriteError`]: the server cannot be reached, the change itself fails or leaves its paths, others move the branch
    /// without end.
    #[boxed]
    pub async fn write(&self, remote: &GitRemote, write: Write) -> Result<Landing, WriteError> {
        let room = self.room(remote, &write.branch);
        loop {
            let (sender, mut answer) = oneshot::channel();
            room.queue.lock().push(Waiting { write: write.clone(), answer: sender });
            let mut desk = tokio::select! {
                biased;
                answered = &mut answer => match answered {
                    Ok(answered) => return answered,
                    // Whoever took it along was stopped on the way; what they may have sent is found there.
                    Err(_) => continue,
                },
                desk = room.desk.lock() => desk,
            };
            match answer.try_recv() {
                Ok(answered) => return answered,
                Err(oneshot::error::TryRecvError::Closed) => continue,
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            desk.serve(remote, || room.waiting()).await;
            if let Ok(answered) = answer.try_recv() {
                return answered;
            }
        }
    }

    fn room(&self, remote: &GitRemote, branch: &str) -> Arc<Room> {
        let key = RoomKey {
            repository: repository_key(&remote.address),
            branch: branch.to_owned(),
            account: format!("{}/{}", remote.account.project.as_deref().unwrap_or_default(), remote.account.name),
        };
        let mut rooms = self.0.rooms.lock();
        // A room that nobody is in goes, with its repository.
        rooms.retain(|known, room| *known == key || Arc::strong_count(room) > 1);
        let made = || {
            let mirror = Mirror::new(&self.0.network, self.0.below.clone(), self.0.patience);
            Arc::new(Room { queue: Mutex::default(), desk: tokio::sync::Mutex::new(Desk::new(mirror)) })
        };
        Arc::clone(rooms.entry(key).or_insert_with(made))
    }
}
