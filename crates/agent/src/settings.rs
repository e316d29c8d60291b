//! What an enrolled edge knows of itself: who it is, whom it speaks to, what it looks after. Files of its owner alone, below one directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_fleet::protocol::Label;
use serde::{Deserialize, Serialize};

use crate::disk::{At, Disk, DiskError, Mode, RealDisk, replace};
use crate::journal::Unit;

/// The longest file of settings, in bytes.
const LONGEST: u64 = 256 * 1024;

/// How the server is spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Landfall's own: signed metadata, resumable downloads, attempts.
    #[default]
    Landfall,
    /// The existing gateway's routes. It signs nothing but a checksum, so a key of its own must be trusted.
    Gateway,
}

/// A program that the agent looks after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// Of which product its releases are.
    pub product: String,
    /// How it is installed, as releases say it.
    #[serde(default = "service")]
    pub install_type: String,
    /// The program to start, as a path below the slot.
    pub program: String,
    /// What it is started with.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// A program of the slot that ends with code 0 when the payload is well, and its arguments.
    #[serde(default)]
    pub health_command: Vec<String>,
    /// An address on this machine that answers with 2xx when the payload is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_url: Option<String>,
    /// How long it must have been up to be well, in seconds.
    #[serde(default = "settle")]
    pub settle_seconds: u64,
}

fn service() -> String {
    "service".to_owned()
}

fn settle() -> u64 {
    10
}

fn confirm() -> u64 {
    40
}

/// What is known since enrollment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Where the server is, without a slash at its end.
    pub server: String,
    /// How it is spoken to.
    #[serde(default)]
    pub protocol: Protocol,
    /// The server's name for this edge.
    pub edge_id: String,
    /// This edge's own name for itself.
    pub device_number: String,
    /// A file of certificates that are trusted beside the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Whether the server may be spoken to without TLS.
    #[serde(default)]
    pub plain_http: bool,
    /// How it is selected.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// What it looks after beside itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// The PEM key that a gateway's checksums are signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_key: Option<String>,
    /// In how many seconds a new version must have said that it is well.
    #[serde(default = "confirm")]
    pub confirm_seconds: u64,
    /// In how many seconds to check in, until the server says otherwise.
    #[serde(default = "pace")]
    pub poll_seconds: u64,
}

fn pace() -> u64 {
    15
}

/// The credential, and the one before it as long as nobody knows that the new one works.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// What to speak with.
    pub current: String,
    /// What still may work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

/// Where everything of an edge is.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
}

/// Why a home cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NoHome {
    /// Nobody enrolled here.
    #[error("this machine is not enrolled: there is no {0}. Type `landfall-agent enroll --server URL`")]
    NotEnrolled(String),
    /// Others may write there.
    #[error(
        "{path} {why}: whoever writes there decides what this service runs. Type `chown root {path} && chmod 700 {path}`, or name another directory"
    )]
    Open {
        /// The directory.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Home {
    /// The home below this directory.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a service of Windows keeps what it says of itself.
    #[cfg(windows)]
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("landfall-agent.log")
    }

    /// The agent's own slots and journal.
    #[must_use]
    pub fn agent(&self) -> Unit {
        Unit::new(self.root.join("agent"))
    }

    /// The payload's.
    #[must_use]
    pub fn payload(&self) -> Unit {
        Unit::new(self.root.join("payload"))
    }

    /// Where signed metadata is kept.
    #[must_use]
    pub fn metadata(&self) -> PathBuf {
        self.root.join("metadata")
    }

    /// The file that a payload makes while it must not be interrupted.
    #[must_use]
    pub fn busy(&self) -> PathBuf {
        self.root.join("busy")
    }

    /// The payload's own directory, which no upgrade touches.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn settings_file(&self) -> PathBuf {
        self.root.join("agent.json")
    }

    fn credential_file(&self) -> PathBuf {
        self.root.join("credential.json")
    }

    /// Makes the directories, for their owner alone, and sees to it that nobody else may write there.
    ///
    /// # Errors
    /// When they cannot be made, or others may write there.
    pub fn prepare(&self) -> Result<(), NoHome> {
        let disk = RealDisk;
        if !self.root.exists() {
            if let Some(parent) = self.root.parent() {
                std::fs::create_dir_all(parent).at("make", parent)?;
            }
            disk.make_directory(&self.root).at("make", &self.root)?;
        }
        private(&self.root)?;
        for directory in [self.agent().directory(), self.payload().directory(), &self.metadata(), &self.data()] {
            disk.make_directory(directory).at("make", directory)?;
        }
        disk.sync_directory(&self.root).at("sync", &self.root)?;
        Ok(())
    }

    /// Whether somebody enrolled here.
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        self.settings_file().exists()
    }

    /// Reads the settings.
    ///
    /// # Errors
    /// When nobody enrolled here, or they cannot be read.
    pub fn settings(&self) -> Result<Settings, NoHome> {
        let path = self.settings_file();
        if !path.exists() {
            return Err(NoHome::NotEnrolled(path.display().to_string()));
        }
        private(&self.root)?;
        Ok(read(&path)?)
    }

    /// Reads the credential.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub fn credentials(&self) -> Result<Credentials, NoHome> {
        Ok(read(&self.credential_file())?)
    }

    /// Keeps the settings.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_settings(&self, settings: &Settings) -> Result<(), NoHome> {
        write(&self.settings_file(), settings)
    }

    /// Keeps the credential.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_credentials(&self, credentials: &Credentials) -> Result<(), NoHome> {
        write(&self.credential_file(), credentials)
    }
}

impl Settings {
    /// How often to check in until the server says otherwise.
    #[must_use]
    pub fn pace(&self) -> Duration {
        Duration::from_secs(self.poll_seconds.clamp(1, 24 * 3600))
    }

    /// In which time a new version must have said that it is well.
    #[must_use]
    pub fn confirm(&self) -> Duration {
        Duration::from_secs(self.confirm_seconds.clamp(1, 3600))
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, DiskError> {
    let bytes = RealDisk.read(path, LONGEST).at("read", path)?;
    serde_json::from_slice(&bytes).map_err(std::io::Error::from).at("understand", path)
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), NoHome> {
    let bytes = serde_json::to_vec_pretty(value).map_err(std::io::Error::from).at("write", path)?;
    Ok(replace(&RealDisk, path, &bytes, Mode::Private)?)
}

#[cfg(unix)]
fn private(path: &Path) -> Result<(), NoHome> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::symlink_metadata(path).at("look at", path)?;
    let why = if !found.is_dir() {
        "is no directory"
    } else if found.uid() != rustix::process::geteuid().as_raw() {
        "belongs to somebody else"
    } else if found.mode() & 0o022 != 0 {
        "can be written by others"
    } else {
        return Ok(());
    };
    Err(NoHome::Open { path: path.display().to_string(), why })
}

#[cfg(not(unix))]
fn private(_: &Path) -> Result<(), NoHome> {
    // %ProgramData% is made by the installer with rights for administrators and the system alone.
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_home_that_others_may_write_or_that_leads_elsewhere_is_refused() {
        let place = tempfile::tempdir().expect("a directory");
        let home = Home::new(place.path().join("edge"));
        home.prepare().expect("made");
        let mode = std::fs::metadata(home.root()).expect("made").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        for open in [0o720, 0o702] {
            std::fs::set_permissions(home.root(), std::fs::Permissions::from_mode(open)).expect("ours");
            assert!(matches!(home.prepare(), Err(NoHome::Open { why: "can be written by others", .. })), "{open:o}");
        }
        let link = Home::new(place.path().join("link"));
        std::os::unix::fs::symlink(place.path(), link.root()).expect("made");
        assert!(matches!(link.prepare(), Err(NoHome::Open { why: "is no directory", .. })));
    }
}
