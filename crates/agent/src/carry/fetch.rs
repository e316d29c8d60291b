//! Bytes fetched: resumed where they broke off, never past what was signed, held against their digest whole.

use std::io;
use std::path::Path;

use super::{Cancelled, Halt, NotFetched, PIECE, SPARE, Source, Wanted, digest, discard_but, forget, made};
use crate::disk::{At, Disk, DiskError, Mode};
use crate::journal::{Journal, Target, Unit};
use crate::update::Lasting;

/// Fetches an artifact as it was released.
pub(super) fn whole(
    disk: &impl Disk,
    unit: &Unit,
    (journal, target): (&Journal, &Target),
    source: &mut impl Source,
) -> Result<(), Halt> {
    let part = unit.part(&target.sha256);
    discard_but(disk, unit, "part", std::slice::from_ref(&part))?;
    forget(disk, unit, journal)?;
    let missing = target.size - there(disk, &part, target.size)?;
    let needed = missing.saturating_add(target.size).saturating_add(SPARE);
    if room(disk, unit, needed).is_err() {
        // What is kept for a shorter download takes the room of this one.
        discard_but(disk, unit, made::KEPT, &[])?;
        room(disk, unit, needed)?;
    }
    bytes(disk, &part, Wanted::from(target), source)?;
    synced(disk, unit, &part)
}

/// How many bytes are there already of so many.
pub(super) fn there(disk: &impl Disk, part: &Path, size: u64) -> Result<u64, DiskError> {
    Ok(disk.length(part).at("look at", part)?.filter(|there| *there <= size).unwrap_or(0))
}

/// Whether so many bytes may be written.
pub(super) fn room(disk: &impl Disk, unit: &Unit, needed: u64) -> Result<(), Halt> {
    let free = disk.free(unit.directory()).at("look at", unit.directory())?;
    if free < needed {
        return Err(Halt::NoRoom { needed, free, path: unit.directory().display().to_string() });
    }
    Ok(())
}

/// Makes a file's bytes and its name last.
pub(super) fn synced(disk: &impl Disk, unit: &Unit, part: &Path) -> Result<(), Halt> {
    disk.sync_file(part).at("sync", part)?;
    disk.sync_directory(unit.directory()).at("sync", unit.directory())?;
    Ok(())
}

/// Fetches what of the bytes is not there yet. They are what was signed, or gone.
pub(super) fn bytes(disk: &impl Disk, part: &Path, wanted: Wanted<'_>, source: &mut impl Source) -> Result<(), Halt> {
    let begun = there(disk, part, wanted.size)?;
    if begun == 0 {
        disk.create(part, Mode::Private).at("make", part)?;
    }
    if begun < wanted.size {
        receive(disk, part, wanted, begun, source)?;
    }
    let found = digest(disk, part)?;
    if found == wanted.sha256 {
        return Ok(());
    }
    disk.remove_file(part).at("remove", part)?;
    if begun > 0 {
        // Some of it was of another file, or was lost with the power. Once more, from the first byte.
        disk.create(part, Mode::Private).at("make", part)?;
        receive(disk, part, wanted, 0, source)?;
        if digest(disk, part)? == wanted.sha256 {
            return Ok(());
        }
        disk.remove_file(part).at("remove", part)?;
    }
    Err(Halt::OtherBytes { found, signed: wanted.sha256.to_owned() })
}

fn receive(disk: &impl Disk, part: &Path, wanted: Wanted<'_>, from: u64, source: &mut impl Source) -> Result<(), Halt> {
    let mut opened = source.open(wanted, from)?;
    if opened.from != from {
        // The server does not go on where we are: it begins anew, and so do we.
        if opened.from != 0 {
            return Err(NotFetched {
                reason: format!("the server sent bytes from {} on, where {from} was asked for", opened.from),
                lasting: Lasting::ForNow,
            }
            .into());
        }
        disk.truncate(part, 0).at("cut", part)?;
    }
    let mut got = opened.from;
    let mut piece = vec![0; PIECE];
    loop {
        let count = match opened.body.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => return Err(Halt::Truncated { got, size: wanted.size, cause: Some(cause) }),
        };
        if got + count as u64 > wanted.size {
            return Err(Halt::Endless { size: wanted.size });
        }
        disk.append(part, &piece[..count]).at("write", part)?;
        got += count as u64;
        source.progress(got).map_err(|Cancelled| Halt::Cancelled)?;
    }
    if got < wanted.size {
        return Err(Halt::Truncated { got, size: wanted.size, cause: None });
    }
    Ok(())
}
