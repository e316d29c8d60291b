//! Who delivers to a system: one at a time, and whoever else comes is told who it is.
//!
//! ```text
//! delivery.lock   held by the process that delivers, removes or resets; free as soon as it is gone, however it went
//! delivery.json   who that is, for people: pid, command, since when
//! ```
//!
//! It comes before the cluster's own lock ([`crate::state::Lock`]) wherever both are taken.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_recursion::async_recursion as boxed;
use landfall_diag::{Diagnostic, code, seconds};

use crate::deliverer::Deliverer;
use crate::failure::Failure;
use crate::notice::Notice;
use crate::state::{StateDir, private_file};
use crate::work::{AtWork, Work};
use crate::{Host, lock_file};

/// How long a delivery waits for another one when nobody says otherwise: as long as that one may take.
pub const LONGEST: Duration = Duration::from_secs(15 * 60);

/// How long what would end a delivery waits for its end when nobody says otherwise: somebody sits there.
pub const SHORT: Duration = Duration::from_secs(15);

/// How often it is looked whether the other one has ended.
const LOOK: Duration = Duration::from_millis(50);

/// How long somebody who has just taken the lock may take to say who it is.
const SAYING: Duration = Duration::from_millis(500);

/// The right to deliver to a system; given back when dropped.
#[derive(Debug)]
pub struct Delivering {
    file: File,
    lock: PathBuf,
    said: PathBuf,
    /// An interrupted delivery gets the time to end.
    _work: AtWork,
}

impl StateDir {
    /// Takes the right to deliver, or `None` when another process has it.
    fn try_deliver(&self, command: &str, work: &Work) -> Result<Option<Delivering>, Diagnostic> {
        self.create()?;
        let lock = self.file("delivery.lock");
        let file = lock_file::hold(&lock).map_err(|error| self.unlockable(&lock, &error))?;
        let Some(file) = file else { return Ok(None) };
        let deliverer = Deliverer {
            pid: std::process::id(),
            command: command.to_owned(),
            since: jiff::Timestamp::now().to_string(),
        };
        // Only for people, and not worth a refusal: on a full disk the holder stays without a name.
        let said = serde_json::to_vec(&deliverer).unwrap_or_default();
        let _unsaid = private_file(&self.file("delivery.json")).and_then(|mut file| file.write_all(&said));
        Ok(Some(Delivering { file, lock, said: self.file("delivery.json"), _work: work.begin() }))
    }

    /// Whether somebody delivers now.
    pub(crate) fn is_delivered_to(&self) -> bool {
        lock_file::is_held(&self.file("delivery.lock"))
    }

    /// Who delivers now, when that was said.
    pub(crate) async fn deliverer(&self) -> Option<Deliverer> {
        let deadline = Instant::now() + SAYING;
        while self.is_delivered_to() {
            let said = std::fs::read(self.file("delivery.json")).ok();
            if let Some(deliverer) = said.and_then(|text| serde_json::from_slice(&text).ok()) {
                return Some(deliverer);
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }
}

/// The command of a server, which has the right for as long as it lives.
const SERVE: &str = "serve";

impl StateDir {
    /// Whether a server has the right to deliver: waiting for its end would be in vain.
    pub async fn is_served(&self) -> bool {
        self.is_delivered_to() && self.deliverer().await.is_some_and(|who| who.command == SERVE)
    }
}

impl Drop for Delivering {
    fn drop(&mut self) {
        // The name goes first, and only with the lock that it belongs to: a reset has removed both.
        if lock_file::stands_at(&self.file, &self.lock) {
            let _gone = std::fs::remove_file(&self.said);
        }
        let _unlocked = self.file.unlock();
    }
}

impl Host {
    /// Takes the right to deliver to a system, for what `command` names; waits for whoever has it, at most `patience`,
    /// and says so.
    ///
    /// # Errors
    /// Refused, with who it is, when it still has it then; interrupted.
    #[boxed]
    pub async fn deliver_alone(
        &self,
        state: &StateDir,
        command: &str,
        patience: Duration,
    ) -> Result<Delivering, Failure> {
        if let Some(delivering) = state.try_deliver(command, &self.work).map_err(Failure::from)? {
            return Ok(delivering);
        }
        let began = Instant::now();
        self.tell(&Notice::Waits { who: state.deliverer().await, patience });
        loop {
            if self.stop.is_cancelled() {
                return Err(Failure::from(Diagnostic::error(
                    code::INTERRUPTED_BEFORE,
                    "interrupted; nothing was changed",
                )));
            }
            if let Some(delivering) = state.try_deliver(command, &self.work).map_err(Failure::from)? {
                return Ok(delivering);
            }
            if began.elapsed() >= patience {
                return Err(under_way(state, patience).await.into());
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

/// Why nothing is begun: somebody delivers, and goes on doing so.
async fn under_way(state: &StateDir, patience: Duration) -> Diagnostic {
    let who = state.deliverer().await;
    let told = who.as_ref().map(|who| format!(" ({})", who.shown())).unwrap_or_default();
    let message = format!("a delivery of this system is under way{told} and did not end within {}", seconds(patience));
    let refused = Diagnostic::refused(code::ANOTHER_DELIVERS, message).note("nothing was changed");
    match who {
        Some(who) => refused.help(format!("wait for its end, or interrupt it: kill -INT {}", who.pid)),
        None => refused.help(format!("wait for its end; it holds {}", state.file("delivery.lock").display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_delivers_is_known_as_long_as_it_does() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = StateDir::at(directory.path().join("state"));
        assert!(!state.is_delivered_to());
        let delivering = state.try_deliver("up", &Work::default()).expect("asks").expect("nobody delivers");
        assert!(state.try_deliver("down", &Work::default()).expect("asks").is_none());
        let who = state.deliverer().await.expect("is said");
        assert_eq!((who.pid, who.command.as_str()), (std::process::id(), "up"));
        drop(delivering);
        assert_eq!(state.deliverer().await, None);
        assert!(!state.file("delivery.json").exists());
    }

    #[tokio::test]
    async fn a_name_that_a_dead_process_left_is_nobodys() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = StateDir::at(directory.path().join("state"));
        state.create().expect("made");
        state.write_private("delivery.json", br#"{"pid": 1, "command": "up", "since": ""}"#).expect("written");
        assert_eq!(state.deliverer().await, None);
    }

    #[tokio::test]
    async fn a_reset_takes_the_right_of_the_next_one_from_nobody() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = StateDir::at(directory.path().join("state"));
        let first = state.try_deliver("cluster reset", &Work::default()).expect("asks").expect("nobody delivers");
        std::fs::remove_dir_all(state.path()).expect("removed");
        let second = state.try_deliver("up", &Work::default()).expect("asks").expect("the removed one excludes nobody");
        drop(first);
        assert_eq!(state.deliverer().await.map(|who| who.command).as_deref(), Some("up"));
        drop(second);
    }
}
