//! A small disk of its own, for whoever may mount one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::ensure;

/// A file system in memory, unmounted with its value.
pub(crate) struct Disk {
    at: PathBuf,
}

/// Whether one can be made here: tried once.
pub(crate) fn can_be_made() -> bool {
    static TRIED: OnceLock<bool> = OnceLock::new();
    *TRIED.get_or_init(|| {
        let place = tempfile::tempdir().ok();
        place.is_some_and(|place| Disk::mount(place.path(), 64 * 1024).is_ok())
    })
}

impl Disk {
    /// Mounts one of that many bytes over an empty directory.
    pub(crate) fn mount(at: &Path, bytes: u64) -> anyhow::Result<Self> {
        std::fs::create_dir_all(at)?;
        mount(&format!("size={bytes},mode=0700"), at)?;
        Ok(Disk { at: at.to_owned() })
    }

    /// Gives it another size.
    pub(crate) fn resize(&self, bytes: u64) -> anyhow::Result<()> {
        mount(&format!("remount,size={bytes}"), &self.at)
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        // It ends when there is no room, which is what is wanted.
        let filler = self.at.join("filler");
        let _full = Command::new("dd")
            .args(["if=/dev/zero", "bs=4096"])
            .arg(format!("of={}", filler.display()))
            .stderr(Stdio::null())
            .status();
    }

    /// Gives that room back.
    pub(crate) fn clear(&self) {
        let _gone = std::fs::remove_file(self.at.join("filler"));
    }
}

fn mount(options: &str, at: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("mount");
    let status = command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "a small disk cannot be mounted here");
    Ok(())
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _left = Command::new("umount").arg("--lazy").arg(&self.at).stderr(Stdio::null()).status();
    }
}
