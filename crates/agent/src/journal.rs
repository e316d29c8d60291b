//! What is known of one unit that is kept up to date, and how far its update is: one file, replaced in one step.
//!
//! The journal alone says which slot starts. There is no link or marker beside it that could say something else after a power cut.

use std::path::{Path, PathBuf};

use landfall_fleet::Delta;
use landfall_fleet::protocol::FailureClass;
use serde::{Deserialize, Serialize};

use crate::disk::{At, Disk, DiskError, Mode, replace};

/// The longest journal there can be, in bytes; a real one has some two thousand.
const LONGEST: u64 = 64 * 1024;
/// How many reports wait for the server at most; the oldest go.
const REPORTS: usize = 16;

/// One of the two places of a unit: one runs while the other is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

impl Slot {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The other of the two.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Its directory's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// What an artifact's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// One program.
    Program,
    /// A `.tar.gz` or `.tar` with a program in it.
    Archive,
}

/// A version that is to be installed, as the verified manifest has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// As semantic versioning writes it.
    pub version: String,
    /// The release's counter: higher is newer, whatever the version says.
    pub counter: u64,
    /// SHA-256 of the artifact, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The artifact's length in bytes.
    pub size: u64,
    /// Where it is fetched from. Its host is trusted with nothing.
    pub url: String,
    /// What the bytes are.
    pub packing: Packing,
    /// The program to start, as a path below the slot.
    pub program: String,
    /// Whether the targets' keys allow that this is older than what runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub downgrade: bool,
    /// The server's name for this attempt, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<String>,
    /// What it is made of, where it is made of what runs here. An agent that knows of none fetches the artifact whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Delta>,
}

impl Target {
    /// What the bytes are that are unpacked, digest and length: the artifact's, or what comes out of a delta.
    #[must_use]
    pub fn content(&self) -> (&str, u64) {
        match &self.delta {
            Some(delta) => (&delta.to.sha256, delta.to.length),
            None => (&self.sha256, self.size),
        }
    }
}

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Installed {
    /// Its version.
    pub version: String,
    /// Its release's counter.
    pub counter: u64,
    /// The artifact that it was unpacked from.
    pub sha256: String,
    /// The program to start, as a path below the slot.
    pub program: String,
}

impl From<&Target> for Installed {
    fn from(target: &Target) -> Self {
        Self {
            version: target.version.clone(),
            counter: target.counter,
            sha256: target.sha256.clone(),
            program: target.program.clone(),
        }
    }
}

/// How far an update is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Phase {
    /// Nothing is under way.
    #[default]
    Idle,
    /// Bytes are coming in.
    Fetching {
        /// What is fetched.
        target: Target,
    },
    /// All bytes are there, synced and as signed; nothing of the slots was touched.
    Fetched {
        /// What was fetched.
        target: Target,
    },
    /// The inactive slot holds the new version, synced. It has not run.
    Ready {
        /// What was unpacked.
        target: Target,
    },
    /// The new version starts, and has not said that it is well.
    Trying {
        /// What is tried.
        target: Target,
        /// How often it was started, counted before each start.
        boots: u32,
    },
}

impl Phase {
    /// What is being installed.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::Idle => None,
            Self::Fetching { target }
            | Self::Fetched { target }
            | Self::Ready { target }
            | Self::Trying { target, .. } => Some(target),
        }
    }
}

/// How an update stands or ended, in the words of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// The new version runs and is well.
    Succeeded,
    /// It was given up before anything was touched.
    Failed,
    /// It was tried, and the version before it runs again.
    RolledBack,
}

/// What the server has not yet confirmed to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The version that it was about.
    pub version: String,
    /// The server's name for the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<String>,
    /// Why, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What kind of failure it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureClass>,
}

/// A version that did not work here, so that it is not tried for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The artifact.
    pub sha256: String,
    /// The server's name for the attempt; another one lifts the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<String>,
    /// How often it failed.
    pub times: u32,
    /// Not to be tried before, in milliseconds since 1970; `None`: not again in this attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    /// Why, for a person.
    pub reason: String,
}

/// All that is known of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Journal {
    /// The slot that starts; `None`: what the unit came with.
    pub active: Option<Slot>,
    /// The version that the unit came with, where it came with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// What the first slot holds; `None` while it is filled or emptied.
    pub a: Option<Installed>,
    /// What the second slot holds.
    pub b: Option<Installed>,
    /// How far an update is.
    pub phase: Phase,
    /// The highest counter that ever proved well here: nothing below it is installed without the targets' consent.
    pub floor: u64,
    /// What did not work.
    pub refused: Option<Refused>,
    /// What the server does not know yet, oldest first.
    pub reports: Vec<Report>,
}

impl Journal {
    /// What a slot holds.
    #[must_use]
    pub fn slot(&self, slot: Slot) -> Option<&Installed> {
        match slot {
            Slot::A => self.a.as_ref(),
            Slot::B => self.b.as_ref(),
        }
    }

    pub(crate) fn put(&mut self, slot: Slot, installed: Option<Installed>) {
        match slot {
            Slot::A => self.a = installed,
            Slot::B => self.b = installed,
        }
    }

    /// What runs when no update is being tried.
    #[must_use]
    pub fn running(&self) -> Option<&Installed> {
        self.active.and_then(|slot| self.slot(slot))
    }

    /// The version that runs, or nothing where nothing does.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        match self.active {
            Some(slot) => self.slot(slot).map(|installed| installed.version.as_str()),
            None => self.base.as_deref(),
        }
    }

    /// The slot that the next version goes to.
    #[must_use]
    pub fn spare(&self) -> Slot {
        self.active.map_or(Slot::A, Slot::other)
    }

    /// Adds what the server is to know.
    pub(crate) fn report(&mut self, report: Report) {
        if self.reports.last() != Some(&report) {
            self.reports.push(report);
        }
        let surplus = self.reports.len().saturating_sub(REPORTS);
        self.reports.drain(..surplus);
    }
}

/// Where a unit's files are.
#[derive(Debug, Clone)]
pub struct Unit {
    directory: PathBuf,
}

impl Unit {
    /// The unit whose files are below `directory`.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Where all of it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The journal's file.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.directory.join("journal.json")
    }

    /// A slot's directory.
    #[must_use]
    pub fn slot(&self, slot: Slot) -> PathBuf {
        self.directory.join(slot.name())
    }

    /// Where bytes of this digest come in.
    #[must_use]
    pub fn part(&self, sha256: &str) -> PathBuf {
        self.directory.join(format!("{sha256}.part"))
    }

    /// Where the archive of this digest is kept that runs unpacked.
    #[must_use]
    pub fn kept(&self, sha256: &str) -> PathBuf {
        self.directory.join(format!("{sha256}.base"))
    }

    /// Reads the journal; where there is none yet, nothing was ever installed.
    ///
    /// # Errors
    /// When there is one and it cannot be read. Our own writes never leave such a one.
    pub fn load(&self, disk: &impl Disk) -> Result<Journal, DiskError> {
        let path = self.journal();
        if disk.length(&path).at("look at", &path)?.is_none() {
            return Ok(Journal::default());
        }
        let bytes = disk.read(&path, LONGEST).at("read", &path)?;
        serde_json::from_slice(&bytes).map_err(std::io::Error::from).at("understand", &path)
    }

    /// Puts the journal in place of the one before, synced.
    ///
    /// # Errors
    /// When it cannot be written; the one before then still stands.
    pub fn save(&self, disk: &impl Disk, journal: &Journal) -> Result<(), DiskError> {
        let bytes = serde_json::to_vec_pretty(journal).map_err(std::io::Error::from).at("write", &self.journal())?;
        replace(disk, &self.journal(), &bytes, Mode::Private)
    }
}
