//! One unit kept running: its journal says what is started, the clock says when it is given up.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::disk::{Disk, RealDisk};
use crate::journal::{Journal, Phase, Slot, Unit};
use crate::log::event;
use crate::program::{end, how};
use crate::update;

/// How long a program may take to end that was asked to.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two starts of a version that is being tried.
const TRIAL_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between starts of what crashes.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a look brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing.
    Quiet,
    /// It was started.
    Started,
    /// It ended.
    Ended,
}

/// A unit, and the program that runs of it.
pub(crate) struct Keeper {
    name: &'static str,
    unit: Unit,
    confirm: Duration,
    child: Option<Child>,
    since: Instant,
    next: Instant,
    crashes: u32,
    /// Until when the version that is tried must have said that it is well.
    trial: Option<Instant>,
    /// Whether what is ready was handed over.
    handed_over: bool,
}

impl Keeper {
    pub(crate) fn new(name: &'static str, unit: Unit, confirm: Duration) -> Self {
        let now = Instant::now();
        Self { name, unit, confirm, child: None, since: now, next: now, crashes: 0, trial: None, handed_over: false }
    }

    /// Whether there is something to be started.
    pub(crate) fn has_work(&self) -> bool {
        let journal = self.journal();
        journal.active.is_some() || self.handed_over || matches!(journal.phase, Phase::Trying { .. })
    }

    pub(crate) fn is_up(&self) -> bool {
        self.child.is_some()
    }

    pub(crate) fn is_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// How long the program has been up.
    pub(crate) fn up(&self) -> Duration {
        if self.child.is_some() { self.since.elapsed() } else { Duration::ZERO }
    }

    pub(crate) fn journal(&self) -> Journal {
        match self.unit.load(&RealDisk) {
            Ok(journal) => journal,
            Err(error) => {
                // Ours never are: something else wrote there. What the unit came with still starts.
                event("edge.journal.unreadable", &[("unit", self.name), ("error", &error.to_string())]);
                let bad = self.unit.directory().join("journal.bad");
                let _ = RealDisk.rename(&self.unit.journal(), &bad);
                Journal::default()
            }
        }
    }

    fn save(&self, journal: &Journal) -> bool {
        match self.unit.save(&RealDisk, journal) {
            Ok(()) => true,
            Err(error) => {
                event("edge.journal.unwritable", &[("unit", self.name), ("error", &error.to_string())]);
                false
            }
        }
    }

    /// The version that is tried says that it is well.
    pub(crate) fn well(&mut self) {
        let journal = self.journal();
        if !matches!(journal.phase, Phase::Trying { .. }) {
            return;
        }
        if self.save(&update::well(&journal)) {
            self.trial = None;
            let version = journal.phase.target().map_or("", |target| target.version.as_str());
            event("edge.upgrade.confirmed", &[("unit", self.name), ("version", version)]);
        }
    }

    /// Ends what runs, and starts what is ready.
    pub(crate) fn switch(&mut self) {
        self.stop();
        self.handed_over = true;
        self.next = Instant::now();
        self.crashes = 0;
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take()
            && let Err(error) = end(&mut child, PATIENCE)
        {
            event("edge.program.stays", &[("unit", self.name), ("error", &error.to_string())]);
        }
    }

    /// A program that says nothing for so long is ended; it is started again as if it had crashed.
    pub(crate) fn stuck(&mut self, silence: Duration) {
        event("edge.program.stuck", &[("unit", self.name), ("seconds", &silence.as_secs().to_string())]);
        if let Some(child) = &mut self.child {
            let _ = child.kill();
        }
    }

    /// Looks once: what ended is started again, what is tried too long is taken back.
    pub(crate) fn turn(&mut self, start: impl FnMut(Option<Slot>, &Journal) -> std::io::Result<Child>) -> Turn {
        if let Some(child) = &mut self.child {
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => {
                    event("edge.program.ended", &[("unit", self.name), ("how", &how(status))]);
                    self.child = None;
                    self.pause();
                    return Turn::Ended;
                }
                Err(error) => event("edge.program.lost", &[("unit", self.name), ("error", &error.to_string())]),
            }
        }
        if self.trial.is_some_and(|until| Instant::now() >= until) {
            let seconds = self.confirm.as_secs();
            self.revert(&format!("it did not say within {seconds} seconds that it was well"));
            return Turn::Ended;
        }
        if self.child.is_some() || Instant::now() < self.next {
            return Turn::Quiet;
        }
        self.begin(start)
    }

    fn pause(&mut self) {
        if self.trial.is_some() {
            self.next = Instant::now() + TRIAL_PAUSE;
            return;
        }
        if self.since.elapsed() > LONGEST_PAUSE {
            self.crashes = 0;
        }
        let pause = Duration::from_secs(1).saturating_mul(1 << self.crashes.min(6)).min(LONGEST_PAUSE);
        self.crashes += 1;
        self.next = Instant::now() + pause;
    }

    /// Takes the version back that is tried. Where even that cannot be written, it is not started again in this life, and counted
    /// starts end it in the next.
    pub(crate) fn revert(&mut self, reason: &str) {
        if let Some(mut child) = self.child.take() {
            // No asking: it had its time.
            let _ = child.kill();
            let _ = child.wait();
        }
        self.trial = None;
        let journal = self.journal();
        let version = journal.phase.target().map_or("", |target| target.version.as_str()).to_owned();
        self.save(&update::reverted(&journal, reason, super::now()));
        event("edge.upgrade.reverted", &[("unit", self.name), ("version", &version), ("reason", reason)]);
        self.next = Instant::now();
    }

    fn begin(&mut self, mut start: impl FnMut(Option<Slot>, &Journal) -> std::io::Result<Child>) -> Turn {
        let journal = self.journal();
        let handed_over = std::mem::take(&mut self.handed_over);
        let begin = if handed_over { update::start } else { update::start_again };
        let (mut next, mut chosen) = begin(&journal, super::now());
        if next != journal && !self.save(&next) {
            // What cannot be counted is not tried.
            next = Journal { phase: Phase::Idle, ..journal.clone() };
            chosen = update::Start { slot: journal.active, trial: false };
        }
        if matches!(journal.phase, Phase::Trying { .. })
            && matches!(next.phase, Phase::Idle)
            && next.reports.len() > journal.reports.len()
        {
            let reason = next.reports.last().and_then(|report| report.reason.as_deref()).unwrap_or_default();
            event("edge.upgrade.reverted", &[("unit", self.name), ("reason", reason)]);
        }
        self.trial = match (chosen.trial, self.trial) {
            (true, Some(until)) => Some(until),
            (true, None) => Some(Instant::now() + self.confirm),
            (false, _) => None,
        };
        self.since = Instant::now();
        match start(chosen.slot, &next) {
            Ok(child) => {
                let version = chosen.slot.and_then(|slot| next.slot(slot)).map_or("", |installed| &installed.version);
                event(
                    "edge.program.started",
                    &[
                        ("unit", self.name),
                        ("slot", chosen.slot.map_or("-", Slot::name)),
                        ("version", version),
                        ("trial", if chosen.trial { "yes" } else { "no" }),
                    ],
                );
                self.child = Some(child);
                Turn::Started
            }
            Err(error) => {
                event("edge.program.unstartable", &[("unit", self.name), ("error", &error.to_string())]);
                self.pause();
                Turn::Quiet
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}
