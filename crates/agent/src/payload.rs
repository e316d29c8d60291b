//! The program that an edge is there for: kept running by the watchdog, judged by its health when it is new.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::disk::{Disk, Mode, RealDisk};
use crate::http::Http;
use crate::journal::{Journal, Slot};
use crate::log::event;
use crate::program::Program;
use crate::settings::{Home, Payload, Settings};
use crate::watchdog::{Keeper, Turn};

/// How long a health check may take.
const CHECK: Duration = Duration::from_secs(5);
/// The pause between health checks of a version that is being tried.
const BETWEEN: Duration = Duration::from_secs(1);

/// The payload and what judges it.
pub(crate) struct Payloads<'a> {
    home: &'a Home,
    payload: &'a Payload,
    keeper: Keeper,
    http: Option<Http>,
    checked: Instant,
}

impl<'a> Payloads<'a> {
    pub(crate) fn new(home: &'a Home, payload: &'a Payload, settings: &Settings, http: Option<Http>) -> Self {
        let keeper = Keeper::new("payload", home.payload(), settings.confirm());
        Self { home, payload, keeper, http, checked: Instant::now() }
    }

    pub(crate) fn switch(&mut self) {
        self.keeper.switch();
    }

    pub(crate) fn stop(&mut self) {
        self.keeper.stop();
    }

    /// Looks once; whether a version that was tried has been confirmed or taken back.
    pub(crate) fn look(&mut self) -> bool {
        if !self.keeper.is_up() && !self.keeper.has_work() {
            return false;
        }
        let was_trial = self.keeper.is_trial();
        let (home, payload) = (self.home, self.payload);
        let turn = self.keeper.turn(|slot, journal| started(home, payload, slot, journal));
        if turn == Turn::Started {
            self.checked = Instant::now();
        }
        if self.keeper.is_trial() && self.keeper.is_up() && self.is_well() {
            self.keeper.well();
        }
        was_trial && !self.keeper.is_trial()
    }

    fn is_well(&mut self) -> bool {
        if self.keeper.up() < Duration::from_secs(self.payload.settle_seconds) || self.checked.elapsed() < BETWEEN {
            return false;
        }
        self.checked = Instant::now();
        let answers = match (&self.payload.health_url, &self.http) {
            (Some(address), Some(http)) => http.is_well(address, CHECK),
            _ => true,
        };
        answers && self.health_command()
    }

    fn health_command(&self) -> bool {
        let Some((program, arguments)) = self.payload.health_command.split_first() else { return true };
        // What is tried lies in the slot that is not active.
        let slot = self.home.payload().slot(self.keeper.journal().spare());
        let inside = slot.join(program);
        let program =
            if crate::archive::is_inside(program) && inside.exists() { inside } else { PathBuf::from(program) };
        match Program::new(program).args(arguments).directory(&slot).quiet().run(CHECK) {
            Ok(status) => status.is_some_and(|status| status.success()),
            Err(error) => {
                event("edge.health.unstartable", &[("error", &error.to_string())]);
                false
            }
        }
    }
}

fn started(home: &Home, payload: &Payload, slot: Option<Slot>, journal: &Journal) -> std::io::Result<Child> {
    let slot = slot.ok_or(std::io::ErrorKind::NotFound)?;
    let installed = journal.slot(slot).ok_or(std::io::ErrorKind::NotFound)?;
    let directory = home.payload().slot(slot);
    let child = Program::new(directory.join(&installed.program))
        .args(&payload.arguments)
        .directory(&directory)
        .variable("LANDFALL_VERSION", &installed.version)
        .variable("LANDFALL_DATA", home.data())
        .variable("LANDFALL_BUSY", home.busy())
        .start()?;
    let path = pid_file(home);
    let text = child.id().to_string();
    // Without it, one that outlives us is found by nobody; that is no reason not to run it.
    let _ = RealDisk.create(&path, Mode::Private).and_then(|()| RealDisk.append(&path, text.as_bytes()));
    Ok(child)
}

fn pid_file(home: &Home) -> PathBuf {
    home.root().join("payload.pid")
}

/// Ends a payload that outlived the watchdog before: two of them would write the same data.
#[cfg(target_os = "linux")]
pub(crate) fn end_orphan(home: &Home, _: &Payload) {
    use rustix::process::{Pid, Signal, kill_process};

    let Ok(text) = RealDisk.read(&pid_file(home), 32) else { return };
    let Some(pid) = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok()).and_then(Pid::from_raw)
    else {
        return;
    };
    let place = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    // The number may be somebody else's by now: only what runs out of our own slots is ours.
    let ours = || {
        let from_slot =
            std::fs::read_link(place.join("exe")).is_ok_and(|path| path.starts_with(home.payload().directory()));
        let in_slot =
            std::fs::read_link(place.join("cwd")).is_ok_and(|path| path.starts_with(home.payload().directory()));
        from_slot || in_slot
    };
    for signal in [Signal::TERM, Signal::KILL] {
        if !ours() {
            return;
        }
        event("edge.payload.orphan", &[("pid", std::str::from_utf8(&text).unwrap_or_default())]);
        let _ = kill_process(pid, signal);
        let until = Instant::now() + Duration::from_secs(10);
        while ours() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn end_orphan(_: &Home, _: &Payload) {
    // What a watchdog has started there ends with it, however it ends: one job holds them.
}
