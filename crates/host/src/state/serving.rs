//! Where the GitOps server of a state directory listens, and the token with which whoever runs it comes in.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use landfall_diag::{Diagnostic, code};
use serde::{Deserialize, Serialize};

use super::StateDir;

/// The file's name.
const FILE: &str = "serve.json";
/// How long a server of this machine may take to take a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// A GitOps server that runs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// The serving process.
    pub pid: u32,
    /// Where it is reached from this machine.
    pub address: SocketAddr,
    /// The token with which it lets in whoever reads this file: good for as long as it runs.
    pub token: String,
    /// Lines of a `policy.csv` by which it lets people in, where that is not what its cluster says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("pid", &self.pid).field("address", &self.address).finish_non_exhaustive()
    }
}

impl Serving {
    /// This process.
    pub fn now(address: SocketAddr, token: String, policy: Option<String>) -> Self {
        Serving { pid: std::process::id(), address, token, policy }
    }
}

/// What a server has said of itself; taken back when dropped.
#[derive(Debug)]
pub struct Said {
    path: PathBuf,
}

impl Drop for Said {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}

impl StateDir {
    /// Says where the server listens, to whoever may read this directory.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn say_serving(&self, serving: &Serving) -> Result<Said, Diagnostic> {
        let text = serde_json::to_vec_pretty(serving).map_err(|error| {
            Diagnostic::error(code::STATE_UNWRITTEN, "the server's address cannot be written").note(error.to_string())
        })?;
        Ok(Said { path: self.write_private(FILE, &text)? })
    }

    /// The server that runs; nothing where none does, or what is left is of one that was killed.
    pub fn serving(&self) -> Option<Serving> {
        let serving: Serving = serde_json::from_slice(&std::fs::read(self.file(FILE)).ok()?).ok()?;
        TcpStream::connect_timeout(&serving.address, PATIENCE).is_ok().then_some(serving)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_while_it_listens_and_has_not_taken_it_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = StateDir::at(directory.path().join("state"));
        state.create().expect("made");
        assert_eq!(state.serving(), None);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let serving = Serving::now(listener.local_addr().expect("bound"), "lf_a_b".to_owned(), None);
        let said = state.say_serving(&serving).expect("written");
        assert_eq!(state.serving(), Some(serving.clone()));
        assert!(!format!("{serving:?}").contains("lf_a_b"));
        drop(listener);
        assert_eq!(state.serving(), None, "it was killed");
        drop(said);
        assert!(!state.file(FILE).exists());
    }
}
