//! A running agent, and what ends it: itself, its own wish for another version, or a trial that takes too long.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use super::places::Places;
use crate::disk::{Disk, Mode, RealDisk};
use crate::log::event;
use crate::program::{Program, end, how};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);
/// How long the agent may take to end that was asked to.
const PATIENCE: Duration = Duration::from_secs(2);

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It named another version.
    Asked,
    /// By itself.
    Itself {
        /// While it was being tried.
        trial: bool,
    },
    /// It was tried, and never confirmed.
    Late,
}

/// An agent that runs.
pub(super) struct Watched<'a> {
    places: &'a Places,
    child: Child,
    version: String,
    until: Option<Instant>,
}

impl<'a> Watched<'a> {
    pub(super) fn start(
        places: &'a Places,
        program: Program,
        version: &str,
        confirm: Option<Duration>,
    ) -> std::io::Result<Self> {
        let child = program.start()?;
        let path = places.pid_file();
        // Without it, one that outlives us is found by nobody; that is no reason not to run it.
        let _ = RealDisk
            .create(&path, Mode::Private)
            .and_then(|()| RealDisk.append(&path, child.id().to_string().as_bytes()));
        Ok(Self { places, child, version: version.to_owned(), until: confirm.map(|confirm| Instant::now() + confirm) })
    }

    /// Stays with it to its end.
    pub(super) fn stay(&mut self) -> Ended {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    event("edge.program.ended", &[("version", &self.version), ("how", &how(status))]);
                    return if self.wants_another() { Ended::Asked } else { Ended::Itself { trial: self.is_trial() } };
                }
                Ok(None) => {}
                Err(error) => event("edge.program.lost", &[("error", &error.to_string())]),
            }
            // The last that it writes before it asks for its restart; what it did further would be of its next attempt.
            if self.wants_another() {
                self.end();
                return Ended::Asked;
            }
            if self.until.is_some() && !self.is_trial() {
                self.until = None;
            }
            if self.until.is_some_and(|until| Instant::now() >= until) {
                let _ = self.child.kill();
                let _ = self.child.wait();
                event("edge.program.ended", &[("version", &self.version), ("how", "it never reported itself")]);
                return Ended::Late;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn is_trial(&self) -> bool {
        self.places.recovery().is_some_and(|recovery| recovery.target_version == self.version)
    }

    fn wants_another(&self) -> bool {
        self.places.marked().is_some_and(|marked| marked != self.version)
    }

    fn end(&mut self) {
        if let Err(error) = end(&mut self.child, PATIENCE) {
            event("edge.program.stays", &[("error", &error.to_string())]);
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ends an agent that outlived the launcher before: two with one identity would take turns.
pub(super) fn end_orphan(places: &Places) {
    let Some(pid) = RealDisk
        .read(&places.pid_file(), 32)
        .ok()
        .and_then(|bytes| std::str::from_utf8(&bytes).ok()?.trim().parse::<i32>().ok())
    else {
        return;
    };
    let ours = || {
        std::fs::read(PathBuf::from(format!("/proc/{pid}/cmdline")))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains("dist/main.js"))
    };
    #[cfg(unix)]
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::KILL] {
        let Some(pid) = rustix::process::Pid::from_raw(pid).filter(|_| ours()) else { return };
        let _ = rustix::process::kill_process(pid, signal);
        let until = Instant::now() + PATIENCE;
        while ours() && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
    }
    #[cfg(not(unix))]
    let _ = ours;
}
