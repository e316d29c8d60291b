//! Disks that are full: from the beginning, so that one write after another is the first that finds no room, and from a
//! moment on. Where a small disk cannot be mounted, a limit of file sizes stands in for the first.

use std::time::Duration;

use anyhow::{Context, ensure};

use super::disk::{self, Disk};
use super::system::{Ended, System};

/// Enough for everything.
const ROOM: u64 = 64 * 1024 * 1024;

/// A delivery that finds room for so many bytes; what it leaves is for the next one, with room, to repair.
pub(super) fn at_a_write(system: &System, bytes: u64) -> anyhow::Result<()> {
    if !disk::can_be_made() {
        let up = system.start_limited(&["up"], bytes)?.end()?;
        let told = called_so(&up);
        // A server that may write no more would disturb the next one.
        system.kill_server();
        return told;
    }
    // Sizes of a file system in memory are pages.
    let disk = Disk::mount(&system.root().join("disk"), (bytes / 4096 + 1) * 4096)?;
    // A link in the place of `.landfall` would be nobody's of ours.
    system.keep_state_in(system.root().join("disk/state"));
    let up = system.run(&["up"])?;
    called_so(&up)?;
    disk.resize(ROOM)?;
    system.run(&["up"])?.is(&[0]).context("with room again the same command does not go on")?;
    system.run(&["down"])?.is(&[0])?;
    Ok(())
}

/// A delivery whose disk becomes full at a moment, and a `down` that has to do without room.
pub(super) fn meanwhile(system: &System, moment: Duration, written: u64) -> anyhow::Result<()> {
    let disk = Disk::mount(&system.root().join("disk"), (written / 4096 + 64) * 4096)?;
    system.keep_state_in(system.root().join("disk/state"));
    let up = system.start(&["up"])?;
    std::thread::sleep(moment);
    disk.fill();
    called_so(&up.end()?)?;
    let addresses = system.addresses();
    system.run(&["down"])?.is(&[0]).context("`down` on a full disk")?;
    disk.clear();
    super::aftermath::nothing_stays(system, &addresses)
}

/// Whether a delivery that found no room says so.
fn called_so(up: &Ended) -> anyhow::Result<()> {
    if up.code == 0 {
        return Ok(());
    }
    let fits = up.code == 1 && up.said.contains("the disk that holds") && up.said.contains("is full");
    ensure!(fits, "a full disk is told with exit {}:\n{}", up.code, up.said);
    Ok(())
}
