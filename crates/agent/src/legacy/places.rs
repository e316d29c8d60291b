//! Where the existing agent keeps what, and what its files say. Nothing in them is believed that could lead elsewhere.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::archive::{self, BadArchive};
use crate::disk::{At, Disk, DiskError, Mode, RealDisk, remove_tree, replace};

/// The longest file that is read whole, in bytes.
const SMALL: u64 = 256 * 1024;

/// What the agent calls as `systemctl`. It does not come back before the launcher has seen what the agent wants and ended it, for the
/// agent would begin its next attempt; where it is not ended, it goes on.
const SHIM: &[u8] = b"#!/bin/sh\nexec sleep 3\n";

/// Directories and files.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The package that somebody installed by hand: `dist/main.js` is below it.
    pub(super) package: PathBuf,
    /// A directory a version, with the archive that the agent copied there.
    pub(super) releases: PathBuf,
    /// The version that is to run, as the agent says it.
    pub(super) marker: PathBuf,
    /// The agent's own settings.
    pub(super) config: PathBuf,
    /// What is the launcher's.
    pub(super) state: PathBuf,
    /// Modules for a release that was packed without them.
    pub(super) modules: Option<PathBuf>,
}

/// What the launcher knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// The version of the package that was installed by hand.
    pub(super) base: String,
    /// The version that last proved well.
    pub(super) confirmed: String,
}

/// What the agent writes before it asks to be restarted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recovery {
    pub(super) previous_version: String,
    pub(super) target_version: String,
}

/// Why a version cannot be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoVersion {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("the archive of {version} cannot be unpacked: {why}")]
    Archive { version: String, why: BadArchive },
    #[error("there is no dist/main.js in {0}")]
    NoMain(String),
    #[error("there is no archive (.tar.gz) in {0}")]
    NoArchive(String),
}

/// Whether a text is a version that can be a directory's name, as the agent makes it one.
pub(super) fn is_version(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && !text.starts_with('.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
}

impl Places {
    pub(super) fn recovery_file(&self) -> PathBuf {
        self.state.join("recovery.json")
    }

    pub(super) fn failed_file(&self) -> PathBuf {
        self.state.join("failed-target.json")
    }

    pub(super) fn staging(&self) -> PathBuf {
        self.state.join("staging")
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.state.join("agent.pid")
    }

    fn known_file(&self) -> PathBuf {
        self.state.join("launcher.json")
    }

    /// The directory that stands before the system's programs.
    pub(super) fn programs(&self) -> PathBuf {
        self.state.join("bin")
    }

    /// Makes what is the launcher's own; what an interrupted attempt staged goes, for the agent never tries a version again whose file
    /// is still there.
    pub(super) fn prepare(&self) -> Result<(), DiskError> {
        std::fs::create_dir_all(&self.state).at("make", &self.state)?;
        remove_tree(&RealDisk, &self.staging())?;
        for directory in [self.staging(), self.programs()] {
            RealDisk.make_directory(&directory).at("make", &directory)?;
        }
        // The agent ends its attempt by `systemctl restart luckyplans-edge-agent`. The launcher sees by the marker what it wants.
        let shim = self.programs().join("systemctl");
        replace(&RealDisk, &shim, SHIM, Mode::Program)
    }

    /// What the marker says; nothing when it is not there, or says nothing that could be a version (a power cut leaves it empty).
    pub(super) fn marked(&self) -> Option<String> {
        let bytes = RealDisk.read(&self.marker, 256).ok()?;
        let text = String::from_utf8(bytes).ok()?.trim().to_owned();
        is_version(&text).then_some(text)
    }

    pub(super) fn mark(&self, version: &str) -> Result<(), DiskError> {
        replace(&RealDisk, &self.marker, format!("{version}\n").as_bytes(), Mode::Private)
    }

    /// The attempt that waits to be confirmed.
    pub(super) fn recovery(&self) -> Option<Recovery> {
        let bytes = RealDisk.read(&self.recovery_file(), SMALL).ok()?;
        let recovery: Recovery = serde_json::from_slice(&bytes).ok()?;
        (is_version(&recovery.previous_version) && is_version(&recovery.target_version)).then_some(recovery)
    }

    pub(super) fn known(&self) -> Result<Known, DiskError> {
        let read = RealDisk.read(&self.known_file(), SMALL).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(known) = read {
            return Ok(known);
        }
        // The first start: what runs by hand is what the settings say.
        let base = self.current_version()?;
        let known = Known { confirmed: base.clone(), base };
        self.keep(&known)?;
        Ok(known)
    }

    pub(super) fn keep(&self, known: &Known) -> Result<(), DiskError> {
        let path = self.known_file();
        let bytes = serde_json::to_vec_pretty(known).map_err(std::io::Error::from).at("write", &path)?;
        replace(&RealDisk, &path, &bytes, Mode::Private)
    }

    fn config(&self) -> Result<Map<String, Value>, DiskError> {
        let bytes = RealDisk.read(&self.config, SMALL).at("read", &self.config)?;
        serde_json::from_slice(&bytes).map_err(std::io::Error::from).at("understand", &self.config)
    }

    fn current_version(&self) -> Result<String, DiskError> {
        let config = self.config()?;
        Ok(config
            .get("currentVersion")
            .and_then(Value::as_str)
            .filter(|text| is_version(text))
            .unwrap_or("0.0.0")
            .to_owned())
    }

    /// Says in the agent's settings which version it is: it never does that itself. Every other key stays as it is.
    pub(super) fn say_version(&self, version: &str) -> Result<(), DiskError> {
        let mut config = self.config()?;
        if config.get("currentVersion").and_then(Value::as_str) == Some(version) {
            return Ok(());
        }
        config.insert("currentVersion".to_owned(), Value::from(version));
        let bytes = serde_json::to_vec_pretty(&config).map_err(std::io::Error::from).at("write", &self.config)?;
        replace(&RealDisk, &self.config, &bytes, Mode::Private)
    }

    /// The script of a version, unpacked if it is not yet.
    pub(super) fn script(&self, version: &str, base: &str) -> Result<PathBuf, NoVersion> {
        if version == base {
            return main_below(&self.package);
        }
        let directory = self.releases.join(version);
        let package = directory.join("pkg");
        if !package.exists() {
            self.unpack(version, &directory, &package)?;
        }
        let script = main_below(&package)?;
        self.link_modules(&script)?;
        Ok(script)
    }

    fn unpack(&self, version: &str, directory: &Path, package: &Path) -> Result<(), NoVersion> {
        let names = RealDisk.list(directory).at("list", directory)?;
        let archive = names
            .iter()
            .filter(|(_, is_directory)| !is_directory)
            .map(|(name, _)| directory.join(name))
            .find(|path| {
                let name = path.to_string_lossy().to_ascii_lowercase();
                name.ends_with(".tar.gz") || name.ends_with(".tgz")
            })
            .ok_or_else(|| NoVersion::NoArchive(directory.display().to_string()))?;
        let size = RealDisk.length(&archive).at("look at", &archive)?.unwrap_or(0);
        let half = directory.join("pkg.new");
        remove_tree(&RealDisk, &half)?;
        RealDisk.make_directory(&half).at("make", &half)?;
        let mut file = std::fs::File::open(&archive).at("open", &archive)?;
        archive::unpack_all(&RealDisk, &mut file, &half, size)
            .map_err(|why| NoVersion::Archive { version: version.to_owned(), why })?;
        RealDisk.rename(&half, package).at("rename", &half)?;
        RealDisk.sync_directory(directory).at("sync", directory)?;
        Ok(())
    }

    /// A release is packed without the workspace's own modules, and does not start: those of the package that was installed by hand, or
    /// those that were named, are put within its reach.
    fn link_modules(&self, script: &Path) -> Result<(), NoVersion> {
        let Some(package) = script.parent().and_then(Path::parent) else { return Ok(()) };
        let place = package.join("node_modules");
        if std::fs::symlink_metadata(&place).is_ok() {
            return Ok(());
        }
        let mut found =
            self.modules.iter().cloned().chain(self.package.ancestors().map(|above| above.join("node_modules")));
        if let Some(modules) = found.find(|modules| modules.is_dir()) {
            RealDisk.link(&modules, &place).at("link", &place)?;
        }
        Ok(())
    }
}

/// `dist/main.js` of a package, which an archive may hold below one directory of its own.
fn main_below(package: &Path) -> Result<PathBuf, NoVersion> {
    let direct = package.join("dist/main.js");
    if direct.is_file() {
        return Ok(direct);
    }
    for (name, is_directory) in RealDisk.list(package).at("list", package)? {
        let script = package.join(name).join("dist/main.js");
        if is_directory && script.is_file() {
            return Ok(script);
        }
    }
    Err(NoVersion::NoMain(package.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_that_leads_elsewhere_is_no_version() {
        for bad in ["", "..", "../1.0.0", "/etc", ".hidden", "a/b", "1.0.0\n2"] {
            assert!(!is_version(bad), "{bad:?}");
        }
        for good in ["1.2.3", "1.2.3-rc.1", "1.2.3+5"] {
            assert!(is_version(good), "{good}");
        }
    }
}
