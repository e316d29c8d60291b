//! An update carried on from wherever its journal says it is: bytes fetched, verified, unpacked; each step written down before the next
//! begins.
//!
//! ```text
//! fetch.rs   the artifact's bytes, resumed, held against their digest ◄─┐ where anything of it fails
//! made.rs    the same out of what runs here and a delta  ───────────────┘
//! ```

mod fetch;
mod made;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use landfall_fleet::protocol::FailureClass;

use crate::archive::{self, BadArchive};
use crate::disk::{At, Disk, DiskError, remove_tree};
use crate::journal::{Journal, Packing, Phase, Target, Unit};
use crate::update::{self, Lasting};

/// How much is read and written at once, in bytes.
const PIECE: usize = 64 * 1024;
/// What stays free beside the artifact and what it unpacks to, in bytes.
const SPARE: u64 = 16 * 1024 * 1024;

/// Bytes that are fetched: an artifact, or a delta.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: &'a str,
    /// How many, as was signed.
    pub size: u64,
    /// Where they are. Its host is trusted with nothing.
    pub url: &'a str,
}

impl<'a> From<&'a Target> for Wanted<'a> {
    fn from(target: &'a Target) -> Self {
        Self { sha256: &target.sha256, size: target.size, url: &target.url }
    }
}

/// Where bytes come from.
pub trait Source {
    /// Opens them from byte `from` on.
    ///
    /// # Errors
    /// When they cannot be had.
    fn open(&mut self, wanted: Wanted<'_>, from: u64) -> Result<Opened, NotFetched>;

    /// Told why the artifact is fetched whole, and not made of a delta.
    fn whole(&mut self, _why: &Halt) {}

    /// Told between pieces, with how many bytes are there.
    ///
    /// # Errors
    /// When the update is no longer wanted.
    fn progress(&mut self, _bytes: u64) -> Result<(), Cancelled> {
        Ok(())
    }
}

/// Bytes that come in.
pub struct Opened {
    /// From which byte on: the one asked for, or the first.
    pub from: u64,
    /// The bytes.
    pub body: Box<dyn Read>,
}

/// Nobody wants the update any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

/// Why an artifact cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct NotFetched {
    /// For a person.
    pub reason: String,
    /// Whether asking again can help.
    pub lasting: Lasting,
}

/// Why an update does not go on.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// The artifact cannot be had.
    #[error(transparent)]
    Fetch(#[from] NotFetched),
    /// The transfer ended early. What came is kept, and the next try goes on behind it.
    #[error("the download ended after {got} of {size} bytes{}", .cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default())]
    Truncated {
        /// How many bytes are there.
        got: u64,
        /// How many there are to be.
        size: u64,
        /// What the network said.
        cause: Option<io::Error>,
    },
    /// More bytes came than were signed for.
    #[error("the server sent more than the {size} bytes that were signed: stopped there")]
    Endless {
        /// How many there were to be.
        size: u64,
    },
    /// Other bytes came than were signed for.
    #[error("the bytes are not those that were signed: their SHA-256 is {found}, not {signed}")]
    OtherBytes {
        /// What came.
        found: String,
        /// What was signed.
        signed: String,
    },
    /// There is not enough room.
    #[error("the disk has no room: {needed} bytes are needed in {path}, {free} are free")]
    NoRoom {
        /// How many are needed.
        needed: u64,
        /// How many there are.
        free: u64,
        /// Where.
        path: String,
    },
    /// The archive is not one that may be unpacked.
    #[error(transparent)]
    Archive(#[from] BadArchive),
    /// Nothing can be made of a delta: what that is, the reason says.
    #[error("{0}")]
    Delta(String),
    /// Nobody wants it any more.
    #[error("the server no longer wants this version here")]
    Cancelled,
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Halt {
    /// Whether the network stumbled, and may get on where it did.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::Fetch(NotFetched { lasting: Lasting::ForNow, .. }))
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn lasting(&self) -> Lasting {
        match self {
            Self::Fetch(not_fetched) => not_fetched.lasting,
            Self::Truncated { .. } | Self::NoRoom { .. } | Self::Disk(_) => Lasting::ForNow,
            Self::Archive(BadArchive::Disk(_)) => Lasting::ForNow,
            Self::Endless { .. } | Self::OtherBytes { .. } | Self::Archive(_) | Self::Delta(_) | Self::Cancelled => {
                Lasting::ForGood
            }
        }
    }
}

impl Halt {
    /// What kind of failure it is, in the protocol's words.
    #[must_use]
    pub fn failure(&self) -> FailureClass {
        match self {
            Self::Fetch(_) | Self::Truncated { .. } => FailureClass::Network,
            Self::NoRoom { .. } | Self::Disk(_) | Self::Archive(BadArchive::Disk(_)) => FailureClass::Disk,
            Self::Endless { .. } | Self::OtherBytes { .. } | Self::Archive(_) | Self::Delta(_) => {
                FailureClass::Verification
            }
            Self::Cancelled => FailureClass::Refused,
        }
    }
}

/// Carries an update on by one step and writes down that it was done: Fetching becomes Fetched, Fetched becomes Ready. Where a delta
/// leads nowhere, Fetching goes on without it. In any other phase nothing is to be done.
///
/// # Errors
/// When the step cannot be done. The journal then says what it said before.
pub fn advance(disk: &impl Disk, unit: &Unit, journal: &Journal, source: &mut impl Source) -> Result<Journal, Halt> {
    let next = match &journal.phase {
        Phase::Fetching { target } => {
            let made = target.delta.as_ref().map(|delta| made::make(disk, unit, (journal, target, delta), source));
            match made {
                Some(Ok(())) => update::fetched(journal, target),
                Some(Err(halt)) if halt.passes() || matches!(halt, Halt::Cancelled) => return Err(halt),
                Some(Err(halt)) => {
                    source.whole(&halt);
                    discard(disk, unit)?;
                    update::whole(journal)
                }
                None => {
                    fetch::whole(disk, unit, (journal, target), source)?;
                    update::fetched(journal, target)
                }
            }
        }
        Phase::Fetched { target } => match unpack(disk, unit, journal, target) {
            Err(Halt::OtherBytes { .. }) => {
                // What was synced and verified is no more what it was: the disk lost it. From the beginning.
                discard(disk, unit)?;
                let mut again = journal.clone();
                again.phase = Phase::Fetching { target: target.clone() };
                again
            }
            Err(halt) => return Err(halt),
            Ok(()) => update::unpacked(journal, target),
        },
        _ => return Ok(journal.clone()),
    };
    unit.save(disk, &next)?;
    if let Phase::Ready { target } = &next.phase {
        // It is whole without: what fails here costs a longer download one day.
        let _ = made::keep(disk, unit, &next, target);
        discard(disk, unit)?;
    }
    Ok(next)
}

/// Takes away what was fetched, of whatever.
///
/// # Errors
/// When it cannot be taken away.
pub fn discard(disk: &impl Disk, unit: &Unit) -> Result<(), DiskError> {
    discard_but(disk, unit, "part", &[])
}

/// Takes away what else was kept than what runs.
///
/// # Errors
/// When it cannot be taken away.
pub fn forget(disk: &impl Disk, unit: &Unit, journal: &Journal) -> Result<(), DiskError> {
    made::keep_only(disk, unit, journal.running().into_iter())
}

fn discard_but(disk: &impl Disk, unit: &Unit, ending: &str, kept: &[PathBuf]) -> Result<(), DiskError> {
    for (name, is_directory) in disk.list(unit.directory()).at("list", unit.directory())? {
        let path = unit.directory().join(&name);
        if !is_directory && name.extension().is_some_and(|it| it == ending) && !kept.contains(&path) {
            disk.remove_file(&path).at("remove", &path)?;
        }
    }
    Ok(())
}

/// Gives an update up before its version ever ran: frees its room, and writes down why.
///
/// # Errors
/// When that cannot be written.
pub fn give_up(disk: &impl Disk, unit: &Unit, journal: &Journal, halt: &Halt, now: u64) -> Result<Journal, DiskError> {
    let next = update::given_up(journal, &halt.to_string(), halt.failure(), halt.lasting(), now);
    let written = unit.save(disk, &next);
    if written.as_ref().err().is_some_and(|failed| !failed.is_full()) {
        return written.map(|()| next);
    }
    // What only takes room now. Where it is that which the journal needs, the journal comes after.
    if !matches!(halt, Halt::Truncated { .. } | Halt::Fetch(NotFetched { lasting: Lasting::ForNow, .. })) {
        discard(disk, unit)?;
    }
    if journal.slot(journal.spare()).is_none() {
        remove_tree(disk, &unit.slot(journal.spare()))?;
    }
    if written.is_err() {
        discard_but(disk, unit, made::KEPT, &[])?;
        unit.save(disk, &next)?;
    }
    Ok(next)
}

/// A file's SHA-256, 64 lower-case hexadecimal digits.
fn digest(disk: &impl Disk, path: &Path) -> Result<String, Halt> {
    let mut file = Stored::new(disk, path);
    io::copy(&mut file, &mut io::sink()).at("read", path)?;
    Ok(file.digest())
}

/// Fills the spare slot. The bytes are held against their digest once more while they are read, so that what runs is what was signed
/// even if the disk gave back something else than it was given.
fn unpack(disk: &impl Disk, unit: &Unit, journal: &Journal, target: &Target) -> Result<(), Halt> {
    let part = unit.part(&target.sha256);
    let (sha256, size) = target.content();
    if disk.length(&part).at("look at", &part)? != Some(size) {
        return Err(Halt::OtherBytes { found: "that of an incomplete file".to_owned(), signed: sha256.to_owned() });
    }
    let slot = unit.slot(journal.spare());
    remove_tree(disk, &slot)?;
    disk.make_directory(&slot).at("make", &slot)?;
    let mut file = Stored::new(disk, &part);
    let unpacked = match target.packing {
        Packing::Program => archive::place(disk, &mut file, &slot, &target.program),
        Packing::Archive => archive::unpack(disk, &mut file, &slot, &target.program, size),
    };
    // Whatever stands behind the archive's end belongs to what was signed, too.
    let rest = io::copy(&mut file, &mut io::sink()).at("read", &part);
    if unpacked.is_ok() || !matches!(unpacked, Err(BadArchive::Disk(_))) {
        rest?;
        let found = file.digest();
        if found != sha256 {
            return Err(Halt::OtherBytes { found, signed: sha256.to_owned() });
        }
    }
    unpacked?;
    disk.sync_directory(unit.directory()).at("sync", unit.directory())?;
    Ok(())
}

/// A file of a disk, read from its beginning and hashed on the way.
struct Stored<'a, D> {
    disk: &'a D,
    path: &'a Path,
    offset: u64,
    hash: Context,
}

impl<'a, D: Disk> Stored<'a, D> {
    fn new(disk: &'a D, path: &'a Path) -> Self {
        Self { disk, path, offset: 0, hash: Context::new(&SHA256) }
    }

    fn digest(self) -> String {
        landfall_fleet::hex(self.hash.finish().as_ref())
    }
}

impl<D: Disk> Read for Stored<'_, D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.disk.read_at(self.path, self.offset, buffer)?;
        self.hash.update(&buffer[..count]);
        self.offset += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod power;
#[cfg(test)]
mod tests;
