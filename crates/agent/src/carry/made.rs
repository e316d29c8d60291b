//! An artifact made here, of what runs and a delta. What comes out is held against what was signed, as what is fetched whole is; the
//! delta can make it come out or not, and nothing else of it. Where anything fails, the artifact is fetched whole.
//!
//! A program's own bytes lie in its slot. An archive is unpacked there and may have been written to, so its bytes are kept beside the
//! slots under its digest; nobody relies on them, for they are held against theirs whenever they are used.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use landfall_fleet::delta::{self, Ends, NotApplied};
use landfall_fleet::protocol::ARTIFACTS;
use landfall_fleet::{Content, Delta, MOST_CONTENT};

use super::{Halt, PIECE, SPARE, Source, Stored, Wanted, digest, discard_but, fetch, forget};
use crate::disk::{At, Disk, DiskError, Mode};
use crate::journal::{Installed, Journal, Packing, Target, Unit};

/// How the names of archives end that are kept.
pub(super) const KEPT: &str = "base";

/// Fetches a delta and makes the target's bytes of it, at the place where they would have been fetched to.
pub(super) fn make(
    disk: &impl Disk,
    unit: &Unit,
    (journal, target, delta): (&Journal, &Target, &Delta),
    source: &mut impl Source,
) -> Result<(), Halt> {
    let part = unit.part(&delta.own.sha256);
    discard_but(disk, unit, "part", std::slice::from_ref(&part))?;
    forget(disk, unit, journal)?;
    let base = base(disk, unit, journal, delta)?;
    let missing = delta.own.length - fetch::there(disk, &part, delta.own.length)?;
    let opened = if base.is_packed { delta.from.length } else { 0 };
    let needed = [missing, opened, delta.to.length, delta.to.length, SPARE].into_iter().fold(0, u64::saturating_add);
    fetch::room(disk, unit, needed)?;
    let url = format!("{ARTIFACTS}{}/delta", delta.own.sha256);
    fetch::bytes(disk, &part, Wanted { sha256: &delta.own.sha256, size: delta.own.length, url: &url }, source)?;
    let from = if base.is_packed { opened_base(disk, unit, &base.path, &delta.from)? } else { base.path };
    is_content(disk, &from, &delta.from)?;
    let result = unit.part(&target.sha256);
    disk.create(&result, Mode::Private).at("make", &result)?;
    let mut files = Files { disk, from: &from, to: &result };
    delta::apply(Stored::new(disk, &part), (delta.from.length, delta.to.length), &mut files).map_err(
        |why| match why {
            NotApplied::End(halt) => halt,
            why => Halt::Delta(why.to_string()),
        },
    )?;
    is_content(disk, &result, &delta.to)?;
    fetch::synced(disk, unit, &result)
}

/// Keeps an archive of which the next delta may begin, and none of which none will.
pub(super) fn keep(disk: &impl Disk, unit: &Unit, journal: &Journal, target: &Target) -> Result<(), DiskError> {
    keep_only(disk, unit, [&journal.a, &journal.b].into_iter().flatten())?;
    let (part, (_, length)) = (unit.part(&target.sha256), target.content());
    if target.packing == Packing::Archive && length <= MOST_CONTENT {
        let kept = unit.kept(&target.sha256);
        disk.rename(&part, &kept).at("rename", &part)?;
    }
    Ok(())
}

/// Takes away what is kept of anything else.
pub(super) fn keep_only<'a>(
    disk: &impl Disk,
    unit: &Unit,
    installed: impl Iterator<Item = &'a Installed>,
) -> Result<(), DiskError> {
    let kept: Vec<PathBuf> = installed.map(|it| unit.kept(&it.sha256)).collect();
    discard_but(disk, unit, KEPT, &kept)
}

/// What a delta begins from.
struct Base {
    path: PathBuf,
    is_packed: bool,
}

fn base(disk: &impl Disk, unit: &Unit, journal: &Journal, delta: &Delta) -> Result<Base, Halt> {
    let other = || Halt::Delta(format!("the bytes of {} that the delta begins from are not here", delta.version));
    let running = journal.running().filter(|it| it.sha256 == delta.base).ok_or_else(other)?;
    let kept = unit.kept(&running.sha256);
    if disk.length(&kept).at("look at", &kept)?.is_none() {
        let slot = journal.active.map(|slot| unit.slot(slot)).ok_or_else(other)?;
        return Ok(Base { path: slot.join(&running.program), is_packed: false });
    }
    let mut begins = [0; 2];
    let count = disk.read_at(&kept, 0, &mut begins).at("read", &kept)?;
    Ok(Base { path: kept, is_packed: count == begins.len() && begins == [0x1f, 0x8b] })
}

/// Unpacks what is kept as it was released: no further than it was signed to go.
fn opened_base(disk: &impl Disk, unit: &Unit, kept: &Path, from: &Content) -> Result<PathBuf, Halt> {
    let opened = unit.part(&from.sha256);
    disk.create(&opened, Mode::Private).at("make", &opened)?;
    let file = BufReader::with_capacity(PIECE, Stored::new(disk, kept));
    let mut bytes = GzDecoder::new(file).take(from.length.saturating_add(1));
    let mut piece = vec![0; PIECE];
    loop {
        match bytes.read(&mut piece) {
            Ok(0) => return Ok(opened),
            Ok(count) => disk.append(&opened, &piece[..count]).at("write", &opened)?,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(Halt::Delta(format!("what was kept of what runs cannot be unpacked: {cause}"))),
        }
    }
}

fn is_content(disk: &impl Disk, path: &Path, signed: &Content) -> Result<(), Halt> {
    if disk.length(path).at("look at", path)? != Some(signed.length) {
        return Err(Halt::OtherBytes { found: "of a file of another size".to_owned(), signed: signed.sha256.clone() });
    }
    let found = digest(disk, path)?;
    if found != signed.sha256 {
        return Err(Halt::OtherBytes { found, signed: signed.sha256.clone() });
    }
    Ok(())
}

/// The files that a delta reads from and writes to.
struct Files<'a, D> {
    disk: &'a D,
    from: &'a Path,
    to: &'a Path,
}

impl<D: Disk> Ends for Files<'_, D> {
    type Error = Halt;

    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<(), Halt> {
        let mut done = 0;
        while done < buffer.len() {
            let count = self.disk.read_at(self.from, at + done as u64, &mut buffer[done..]).at("read", self.from)?;
            if count == 0 {
                return Err(Halt::Delta("what the delta begins from became shorter".to_owned()));
            }
            done += count;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Halt> {
        Ok(self.disk.append(self.to, bytes).at("write", self.to)?)
    }
}

#[cfg(test)]
mod tests;
