//! Signed metadata as it was believed, kept over restarts: the root, the timestamp and the targets, a file each.
//!
//! A server that lost nothing but its own key can hold back what is new, and no more: what was once known is never unlearned.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_fleet::protocol::MetadataVersions;
use landfall_fleet::{Distrust, Trust};

use crate::disk::{At, Disk, DiskError, Mode, replace};

/// How many roots may follow one another in one look; the next look goes on.
const ROOTS: usize = 64;
/// The longest files, in bytes.
const ROOT: u64 = 1 << 20;
const TARGETS: u64 = 10 << 20;
/// This source's time, in seconds since 1970: no machine that runs it lives before it.
const BUILT: i64 = 1_795_305_600;

/// Where signed metadata comes from.
pub trait Shelf {
    /// The file of this name below the metadata's address (`root/2`, `timestamp`, `targets`); `None` where there is none.
    ///
    /// # Errors
    /// When nobody answers.
    fn file(&mut self, name: &str, longest: u64) -> Result<Option<Vec<u8>>, String>;
}

/// Why signed metadata cannot be had or believed.
#[derive(Debug, thiserror::Error)]
pub enum Untrusted {
    /// No root was ever handed over.
    #[error(
        "this edge was enrolled without a root of keys, so it believes no release. Enroll it anew, or put one there with `landfall-agent enroll --root FILE`"
    )]
    NoRoot,
    /// It does not hold.
    #[error("{0}")]
    Distrust(Box<Distrust>),
    /// It ran out by a clock that seems to be wrong.
    #[error("{distrust}; but this machine's clock says {here}, and the server's {there}. Set the clock")]
    Clock {
        /// What was refused.
        distrust: Box<Distrust>,
        /// This machine's time.
        here: String,
        /// The server's.
        there: String,
    },
    /// Nobody answers.
    #[error("signed metadata cannot be fetched: {0}")]
    Fetch(String),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

fn distrusted(distrust: Distrust) -> Untrusted {
    Untrusted::Distrust(Box::new(distrust))
}

/// What is believed, and where it is kept.
pub struct Trusted<'a, D> {
    disk: &'a D,
    directory: PathBuf,
    trust: Option<Trust>,
    /// The latest time that was ever certain.
    floor: i64,
}

impl<'a, D: Disk> Trusted<'a, D> {
    /// Reads what was believed before. A file that does not hold any more says nothing.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn load(disk: &'a D, directory: PathBuf) -> Result<Self, DiskError> {
        let mut trusted = Self { disk, directory, trust: None, floor: BUILT };
        let Some(root) = trusted.kept("root.json", ROOT)? else { return Ok(trusted) };
        let Ok(mut trust) = Trust::begin(&root) else { return Ok(trusted) };
        // What has run out since is still what is known: nothing older is taken.
        if let Some(timestamp) = trusted.kept("timestamp.json", ROOT)? {
            let _ = trust.timestamp(&timestamp, i64::MIN);
        }
        if let Some(targets) = trusted.kept("targets.json", TARGETS)? {
            let _ = trust.targets(&targets, i64::MIN);
        }
        trusted.trust = Some(trust);
        if let Some(floor) = trusted.kept("clock", 32)? {
            let known = std::str::from_utf8(&floor).ok().and_then(|text| text.trim().parse().ok());
            trusted.floor = known.unwrap_or(BUILT).max(BUILT);
        }
        Ok(trusted)
    }

    fn kept(&self, name: &str, longest: u64) -> Result<Option<Vec<u8>>, DiskError> {
        let path = self.directory.join(name);
        if self.disk.length(&path).at("look at", &path)?.is_none() {
            return Ok(None);
        }
        self.disk.read(&path, longest).at("read", &path).map(Some)
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        replace(self.disk, &self.directory.join(name), bytes, Mode::Private)
    }

    /// Begins with a root that is trusted for where it came from.
    ///
    /// # Errors
    /// When it does not hold by its own keys, or cannot be kept.
    pub fn begin(&mut self, root: &[u8]) -> Result<(), Untrusted> {
        let trust = Trust::begin(root).map_err(distrusted)?;
        self.keep("root.json", root)?;
        self.trust = Some(trust);
        Ok(())
    }

    /// Which versions are believed; 0 where there is none.
    #[must_use]
    pub fn versions(&self) -> MetadataVersions {
        self.trust.as_ref().map(Trust::versions).unwrap_or_default()
    }

    /// What is believed.
    #[must_use]
    pub fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    /// The time by which expiry is judged: the clock's, or the latest that was certain where the clock lives before it.
    #[must_use]
    pub fn time(&self, clock: i64) -> i64 {
        clock.max(self.floor)
    }

    /// Fetches what follows: roots one by one, the timestamp, and the targets that it names; each is kept before the next is asked for.
    ///
    /// # Errors
    /// When something cannot be had, or is not to be believed. What was believed before still is.
    pub fn refresh(&mut self, shelf: &mut impl Shelf, clock: i64, server_time: i64) -> Result<(), Untrusted> {
        let now = self.time(clock);
        let mut trust = self.trust.clone().ok_or(Untrusted::NoRoot)?;
        for _ in 0..ROOTS {
            let next = trust.versions().root + 1;
            let Some(bytes) = shelf.file(&format!("root/{next}"), ROOT).map_err(Untrusted::Fetch)? else { break };
            trust.next_root(&bytes).map_err(distrusted)?;
            self.keep("root.json", &bytes)?;
            self.trust = Some(trust.clone());
        }
        let judged = |distrust: Distrust| match distrust {
            Distrust::Expired { .. } if clock.abs_diff(server_time) > 3600 => {
                Untrusted::Clock { distrust: Box::new(distrust), here: said(clock), there: said(server_time) }
            }
            distrust => distrusted(distrust),
        };
        let Some(timestamp) = shelf.file("timestamp", ROOT).map_err(Untrusted::Fetch)? else { return Ok(()) };
        trust.timestamp(&timestamp, now).map_err(judged)?;
        self.keep("timestamp.json", &timestamp)?;
        self.trust = Some(trust.clone());
        // The same targets under a newer timestamp are not fetched again: that they are the same, their bytes show.
        let targets = if self.names_kept(&trust, now)? {
            self.kept("targets.json", TARGETS)?
        } else {
            shelf.file("targets", TARGETS).map_err(Untrusted::Fetch)?
        };
        if let Some(targets) = targets {
            trust.targets(&targets, now).map_err(judged)?;
            self.keep("targets.json", &targets)?;
            self.trust = Some(trust);
        }
        // Nothing that had run out was believed, so a clock that is ahead of all signatures has moved nothing.
        if now > self.floor {
            self.keep("clock", now.to_string().as_bytes())?;
            self.floor = now;
        }
        Ok(())
    }

    fn names_kept(&self, trust: &Trust, now: i64) -> Result<bool, DiskError> {
        let Some(kept) = self.kept("targets.json", TARGETS)? else { return Ok(false) };
        Ok(trust.clone().targets(&kept, now).is_ok())
    }
}

/// The clock, in seconds since 1970; before that it is 0.
#[must_use]
pub fn clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

fn said(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("{seconds} seconds since 1970"), |time| time.to_string())
}

#[cfg(test)]
mod tests;
