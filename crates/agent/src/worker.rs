//! The process that speaks to the server: how the edge is, what is to run there, and carrying that out up to the switch.

mod follow;
mod offer;
mod progress;
mod voice;
mod word;

use std::io::BufRead as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use landfall_fleet::protocol::{AGENT_PRODUCT, Direction, Progress, RuntimeState};

use crate::backoff;
use crate::carry::{self, Halt};
use crate::disk::{At, DiskError, RealDisk};
use crate::http::{Http, NoAnswer, NoTls};
use crate::journal::{Journal, Outcome, Phase, Report, Unit};
use crate::log::event;
use crate::settings::{Credentials, Home, NoHome, Protocol, Settings};
use crate::trusted::{Trusted, clock};
use crate::update;
use crate::watchdog::now;
use offer::{Offer, Wish};
use progress::{told, under_way};
use voice::{Heard, Voice};
pub(crate) use voice::{arch, platform};
pub(crate) use word::Word;

/// How long the watchdog may take to note that a version is well.
const NOTED: Duration = Duration::from_secs(20);

/// Why a worker cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum CannotWork {
    /// Where the edge lives.
    #[error(transparent)]
    Home(#[from] NoHome),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] NoTls),
    /// This is another version than the one that was installed.
    #[error(
        "this program says that it is {found}, and was released as {released}: it does not run under another's name"
    )]
    OtherVersion {
        /// What it says.
        found: String,
        /// What it should be.
        released: String,
    },
}

/// Works until the watchdog is gone or this version is to be replaced; as a `trial` it has to show first that it is well.
///
/// # Errors
/// When it cannot begin.
pub fn work(home: &Home, trial: bool) -> Result<(), CannotWork> {
    let settings = home.settings()?;
    let lines = listening();
    // One that has outlived its watchdog ends at once; until it has, the journals are its.
    let path = home.root().join("worker.lock");
    let lock = std::fs::OpenOptions::new().create(true).append(true).open(&path).at("open", &path)?;
    lock.lock().at("lock", &path)?;
    let credentials = home.credentials()?;
    let http = Http::new(settings.ca.as_deref(), settings.plain_http)?;
    let agent = home.agent().load(&RealDisk)?;
    if let Phase::Trying { target, .. } = &agent.phase
        && trial
        && target.version.trim_start_matches('v') != crate::VERSION
    {
        return Err(CannotWork::OtherVersion { found: crate::VERSION.to_owned(), released: target.version.clone() });
    }
    let trusted = Trusted::load(&RealDisk, home.metadata())?;
    let mut worker = Worker {
        home,
        voice: Voice::new(home, &settings, credentials, http),
        settings: &settings,
        trusted,
        lines,
        pace: settings.pace(),
        failures: 0,
        stumbles: 0,
        trial,
    };
    worker.base()?;
    if trial {
        worker.prove();
    } else {
        let pause = backoff::first(worker.pace, backoff::random());
        if worker.listen(pause).is_none() {
            return Ok(());
        }
    }
    event("edge.daemon.started", &[("version", crate::VERSION), ("trial", if trial { "yes" } else { "no" })]);
    loop {
        Word::Beat.say();
        let pause = match worker.turn() {
            Ok(Next::Wait(pause)) => pause,
            Ok(Next::End) => return Ok(()),
            Err(error) => {
                worker.failures += 1;
                worker.voice.wrong(&error.to_string());
                event("edge.daemon.iteration_failed", &[("error", &error.to_string())]);
                backoff::pause(worker.pace, worker.failures, error.retry_after(), backoff::random())
            }
        };
        if worker.listen(pause).is_none() {
            event("edge.daemon.stopped", &[]);
            return Ok(());
        }
    }
}

/// What the watchdog says. Its end ends us at once, whatever is under way: nobody would take us back, and the next watchdog starts
/// another worker. Anything may be cut off anywhere; that is what the journal is for.
fn listening() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
        event("edge.daemon.stopped", &[]);
        #[expect(clippy::exit, reason = "no step may be finished beside another worker's")]
        std::process::exit(0);
    });
    receiver
}

/// What follows from a turn.
enum Next {
    Wait(Duration),
    End,
}

/// Why a turn came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Server(#[from] NoAnswer),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Home(#[from] NoHome),
}

impl Failed {
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Server(why) => why.retry_after(),
            _ => None,
        }
    }
}

struct Worker<'a> {
    home: &'a Home,
    settings: &'a Settings,
    voice: Voice,
    trusted: Trusted<'a, RealDisk>,
    lines: Receiver<String>,
    pace: Duration,
    failures: u32,
    stumbles: u32,
    trial: bool,
}

impl Worker<'_> {
    /// Writes down what the agent came with, so that a version that is tried can say what ran before.
    fn base(&self) -> Result<(), DiskError> {
        let unit = self.home.agent();
        let journal = unit.load(&RealDisk)?;
        if self.trial || journal.active.is_some() || journal.base.as_deref() == Some(crate::VERSION) {
            return Ok(());
        }
        unit.save(&RealDisk, &Journal { base: Some(crate::VERSION.to_owned()), ..journal })
    }

    /// Waits so long for what the watchdog says; `None` when it is gone.
    fn listen(&self, longest: Duration) -> Option<String> {
        match self.lines.recv_timeout(longest) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => Some(String::new()),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// A version that is tried shows that it can read what is there and that the server takes its word; then it is well.
    fn prove(&mut self) {
        loop {
            let progress = self.progress();
            match self.voice.say(RuntimeState::Upgrading, progress, &self.trusted) {
                Ok(_) => break,
                Err(error) => {
                    event("edge.heartbeat.failed", &[("error", &error.to_string())]);
                    // The watchdog's patience ends this.
                    std::thread::sleep(Duration::from_secs(1).mul_f64(0.5 + backoff::random()));
                }
            }
        }
        Word::Well.say();
        let until = Instant::now() + NOTED;
        while Instant::now() < until {
            match self.listen(until.saturating_duration_since(Instant::now())) {
                Some(line) if line == "agent settled" => break,
                Some(_) => {}
                None => return,
            }
        }
        self.trial = false;
    }

    fn unit(&self, wish: Wish) -> Unit {
        match wish {
            Wish::Agent => self.home.agent(),
            Wish::Payload => self.home.payload(),
        }
    }

    fn wishes(&self) -> Vec<Wish> {
        let mut wishes = vec![Wish::Agent];
        if self.settings.payload.is_some() {
            wishes.push(Wish::Payload);
        }
        wishes
    }

    /// What the server is to know: an end that it has not confirmed, or else how far what is under way is.
    fn progress(&self) -> Option<Progress> {
        for wish in self.wishes() {
            let journal = self.unit(wish).load(&RealDisk).ok()?;
            if let Some(report) = journal.reports.first() {
                return Some(told(report));
            }
        }
        self.wishes().into_iter().find_map(|wish| under_way(&self.unit(wish)))
    }

    fn state(&self) -> RuntimeState {
        let upgrading = self
            .wishes()
            .into_iter()
            .any(|wish| self.unit(wish).load(&RealDisk).is_ok_and(|journal| journal.phase != Phase::Idle));
        if upgrading {
            RuntimeState::Upgrading
        } else if self.is_busy() {
            RuntimeState::Busy
        } else if self.failures > 0 {
            RuntimeState::Error
        } else {
            RuntimeState::Idle
        }
    }

    fn is_busy(&self) -> bool {
        self.home.busy().exists()
    }

    fn turn(&mut self) -> Result<Next, Failed> {
        let report = self.oldest_report()?;
        let progress = self.progress();
        let heard = match self.voice.say(self.state(), progress, &self.trusted) {
            Ok(heard) => heard,
            Err(error) => {
                event("edge.heartbeat.failed", &[("error", &error.to_string())]);
                self.voice.maybe_old_credential(&error, self.home)?;
                return Err(error.into());
            }
        };
        self.failures = 0;
        if let Some((wish, report)) = report {
            self.delivered(wish, &report)?;
        }
        let offer = self.heard(&heard)?;
        self.cancelled(&heard)?;
        if let Some(offer) = offer {
            return self.follow(offer);
        }
        // More to tell is told at once.
        let more = self.oldest_report()?.is_some();
        Ok(Next::Wait(if more { Duration::from_millis(200) } else { self.spread() }))
    }

    fn spread(&self) -> Duration {
        backoff::pause(self.pace, 0, None, backoff::random())
    }

    fn oldest_report(&self) -> Result<Option<(Wish, Report)>, DiskError> {
        for wish in self.wishes() {
            if let Some(report) = self.unit(wish).load(&RealDisk)?.reports.first() {
                return Ok(Some((wish, report.clone())));
            }
        }
        Ok(None)
    }

    /// The server has it, durably: that is what its answer means.
    fn delivered(&self, wish: Wish, report: &Report) -> Result<(), DiskError> {
        let unit = self.unit(wish);
        let journal = unit.load(&RealDisk)?;
        if journal.reports.first() != Some(report) || self.is_watchdogs(&journal) {
            return Ok(());
        }
        event(
            "edge.upgrade.status_reported",
            &[
                ("status", &format!("{:?}", report.outcome)),
                ("version", &report.version),
                ("reason", report.reason.as_deref().unwrap_or_default()),
            ],
        );
        let next = update::delivered(&journal);
        unit.save(&RealDisk, &next)?;
        if next.phase == Phase::Idle && report.outcome == Outcome::Succeeded {
            // What ran before needs no shorter way from it any more.
            carry::forget(&RealDisk, &unit, &next)?;
        }
        Ok(())
    }

    /// While a version is tried, its journal is the watchdog's.
    fn is_watchdogs(&self, journal: &Journal) -> bool {
        matches!(journal.phase, Phase::Trying { .. })
    }

    /// Takes what else an answer brings: pace, credential, signed metadata; and gives what is to run.
    fn heard(&mut self, heard: &Heard) -> Result<Option<Offer>, Failed> {
        match heard {
            Heard::Direction(direction) => {
                self.pace = Duration::from_secs(u64::from(direction.poll_seconds.clamp(1, 24 * 3600)));
                self.voice.credential(direction, self.home)?;
                let known = self.trusted.versions();
                let offered = direction.metadata;
                let newer =
                    offered.root > known.root || offered.timestamp > known.timestamp || offered.targets > known.targets;
                if newer || direction.desired.is_some() {
                    self.refresh(direction);
                }
                Ok(self.offered(direction))
            }
            Heard::Intent(intent) => {
                let journal = self.unit(self.wish_of_gateway()).load(&RealDisk)?;
                Ok(offer::of_gateway(intent, self.settings, self.wish_of_gateway(), journal.version()))
            }
        }
    }

    fn wish_of_gateway(&self) -> Wish {
        if self.settings.payload.is_some() { Wish::Payload } else { Wish::Agent }
    }

    fn refresh(&mut self, direction: &Direction) {
        if self.trusted.trust().is_none() {
            return;
        }
        let mut server = self.voice.server();
        match self.trusted.refresh(&mut server, clock(), direction.server_time) {
            Ok(()) => self.voice.right(),
            Err(error) => {
                event("edge.metadata.refused", &[("error", &error.to_string())]);
                self.voice.wrong(&error.to_string());
            }
        }
    }

    fn offered(&self, direction: &Direction) -> Option<Offer> {
        let desired = direction.desired.as_ref()?;
        let payload = self.settings.payload.as_ref().filter(|payload| payload.product == desired.product);
        let wish = if desired.product == AGENT_PRODUCT {
            Wish::Agent
        } else if payload.is_some() {
            Wish::Payload
        } else {
            return Some(Offer::refused(desired, Wish::Agent, offer::not_ours(desired, self.settings)));
        };
        let journal = self.unit(wish).load(&RealDisk).ok()?;
        Some(offer::of_targets(desired, wish, self.settings, &self.trusted, &journal, clock()))
    }

    fn cancelled(&self, heard: &Heard) -> Result<(), DiskError> {
        let Heard::Direction(direction) = heard else { return Ok(()) };
        let Some(attempt) = &direction.cancel else { return Ok(()) };
        for wish in self.wishes() {
            let unit = self.unit(wish);
            let journal = unit.load(&RealDisk)?;
            let this = journal.phase.target().is_some_and(|target| target.attempt.as_ref() == Some(attempt));
            if this && !self.is_watchdogs(&journal) {
                carry::give_up(&RealDisk, &unit, &journal, &Halt::Cancelled, now())?;
            }
        }
        Ok(())
    }
}

/// Whether the existing gateway is spoken to.
fn is_gateway(settings: &Settings) -> bool {
    settings.protocol == Protocol::Gateway
}

/// A credential as it is spoken.
fn spoken(credentials: &Credentials) -> &str {
    &credentials.current
}
