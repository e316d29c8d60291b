//! The process that speaks to the server: how the edge is, what is to run there, and carrying that out up to the switch.

mod offer;
mod voice;

use std::io::{BufRead as _, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use landfall_fleet::UpgradeStatus;
use landfall_fleet::protocol::{AGENT_PRODUCT, Direction, Progress, RuntimeState};
use landfall_terminal::out;

use crate::backoff;
use crate::carry::{self, Cancelled, Halt};
use crate::disk::{At, Disk, DiskError, RealDisk};
use crate::download::Download;
use crate::http::{Http, NoAnswer, NoTls};
use crate::journal::{Journal, Outcome, Phase, Report, Unit};
use crate::log::event;
use crate::settings::{Credentials, Home, NoHome, Protocol, Settings};
use crate::trusted::{Trusted, clock};
use crate::update::{self, Declined, Lasting};
use crate::watchdog::now;
use offer::{Offer, Wish};
use voice::{Heard, Voice};
pub(crate) use voice::{arch, platform};

/// How often a download may stumble without getting on before it is given up.
const STUMBLES: u32 = 10;
/// How long the watchdog may take to note that a version is well.
const NOTED: Duration = Duration::from_secs(20);

/// What a worker says to its watchdog, a line each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// It lives.
    Beat,
    /// It is a version that is being tried, and it is well.
    Well,
    /// The spare slot of the agent is ready.
    SwitchAgent,
    /// The spare slot of the payload is ready.
    SwitchPayload,
}

impl Word {
    const ALL: [(Self, &str); 4] = [
        (Self::Beat, "beat"),
        (Self::Well, "well"),
        (Self::SwitchAgent, "switch agent"),
        (Self::SwitchPayload, "switch payload"),
    ];

    pub(crate) fn parse(line: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, text)| *text == line.trim_end()).map(|(word, _)| word)
    }

    /// Says it. Nobody listening means that the watchdog is gone, which standard input tells, too.
    fn say(self) {
        let text = Self::ALL.iter().find(|(word, _)| *word == self).map_or("", |(_, text)| text);
        let mut out = out();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

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
        unit.save(&RealDisk, &update::delivered(&journal))
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
        let floor = self.unit(wish).load(&RealDisk).ok()?.floor;
        Some(offer::of_targets(desired, wish, self.settings, &self.trusted, floor, clock()))
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

    /// Carries an offer on as far as it goes now.
    fn follow(&mut self, offer: Offer) -> Result<Next, Failed> {
        let unit = self.unit(offer.wish);
        let mut journal = unit.load(&RealDisk)?;
        if self.is_watchdogs(&journal) {
            return Ok(Next::Wait(self.spread()));
        }
        let target = match offer.target {
            Ok(target) => target,
            Err(offer::Refusal::Wait(reason)) => {
                self.voice.wrong(&reason);
                return Ok(Next::Wait(self.spread()));
            }
            Err(offer::Refusal::Never(reason)) => {
                let next = update::refused(&journal, &offer.version, offer.attempt.as_deref(), &reason);
                if next != journal {
                    event("edge.upgrade.refused", &[("version", &offer.version), ("reason", &reason)]);
                    unit.save(&RealDisk, &next)?;
                    return Ok(Next::Wait(Duration::from_millis(200)));
                }
                return Ok(Next::Wait(self.spread()));
            }
        };
        let another = journal
            .phase
            .target()
            .is_some_and(|under_way| under_way.sha256 != target.sha256 || under_way.attempt != target.attempt);
        if another {
            journal = carry::give_up(&RealDisk, &unit, &journal, &Halt::Cancelled, now())?;
        }
        if journal.phase == Phase::Idle {
            if self.is_busy() {
                return Ok(Next::Wait(self.spread()));
            }
            journal = match update::offered(&journal, &target, now()) {
                Ok(next) => {
                    event("edge.upgrade.begun", &[("version", &target.version)]);
                    self.stumbles = 0;
                    unit.save(&RealDisk, &next)?;
                    next
                }
                Err(Declined::Older { .. }) => {
                    let reason = update::offered(&journal, &target, now()).err().map(|why| why.to_string());
                    let next = update::refused(
                        &journal,
                        &target.version,
                        target.attempt.as_deref(),
                        &reason.unwrap_or_default(),
                    );
                    unit.save(&RealDisk, &next)?;
                    return Ok(Next::Wait(self.spread()));
                }
                Err(declined) => {
                    if let Declined::Failed { .. } = declined {
                        self.voice.wrong(&declined.to_string());
                    }
                    return Ok(Next::Wait(self.spread()));
                }
            };
            self.tell_progress(&unit);
        }
        while matches!(journal.phase, Phase::Fetching { .. } | Phase::Fetched { .. }) {
            journal = match self.advance(&unit, &journal, &offer.url, offer.bytes_per_second) {
                Ok(next) => next,
                Err(Halt::Cancelled) => {
                    carry::give_up(&RealDisk, &unit, &journal, &Halt::Cancelled, now())?;
                    return Ok(Next::Wait(Duration::from_millis(200)));
                }
                Err(halt) => return Ok(Next::Wait(self.stumble(&unit, &journal, &halt)?)),
            };
            self.stumbles = 0;
            if matches!(journal.phase, Phase::Fetched { .. }) {
                self.tell_progress(&unit);
            }
        }
        self.switch(offer.wish, &unit, offer.not_after)
    }

    /// One step, and a word to the server whenever it is time for one.
    fn advance(&mut self, unit: &Unit, journal: &Journal, url: &str, limit: Option<u64>) -> Result<Journal, Halt> {
        let mut journal = journal.clone();
        if let Phase::Fetching { target } = &mut journal.phase {
            url.clone_into(&mut target.url);
        }
        let http = self.voice.http().clone();
        let credential = self.voice.spoken();
        let (server, pace) = (self.settings.server.clone(), self.pace.min(Duration::from_secs(60)));
        let mut last = Instant::now();
        let trusted = &self.trusted;
        let voice = &mut self.voice;
        let attempt = journal.phase.target().and_then(|target| target.attempt.clone());
        let mut download = Download {
            http: &http,
            server: &server,
            credential: &credential,
            bytes_per_second: limit,
            told: |bytes| {
                if last.elapsed() < pace {
                    return Ok(());
                }
                last = Instant::now();
                Word::Beat.say();
                let progress = attempt.clone().map(|attempt| Progress {
                    attempt,
                    status: UpgradeStatus::Downloading,
                    reason: None,
                    failure: None,
                    bytes,
                });
                match voice.say(RuntimeState::Upgrading, progress, trusted) {
                    Ok(Heard::Direction(said)) if said.cancel.is_some() && said.cancel == attempt => Err(Cancelled),
                    _ => Ok(()),
                }
            },
        };
        carry::advance(&RealDisk, unit, &journal, &mut download)
    }

    /// Something went wrong: tried again if that may help, and given up when it did not.
    fn stumble(&mut self, unit: &Unit, journal: &Journal, halt: &Halt) -> Result<Duration, Failed> {
        event("edge.upgrade.stumbled", &[("error", &halt.to_string())]);
        self.voice.wrong(&halt.to_string());
        self.stumbles += 1;
        let passes = matches!(halt, Halt::Truncated { .. } | Halt::Fetch(_)) && halt.lasting() == Lasting::ForNow;
        if passes && self.stumbles < STUMBLES {
            return Ok(
                backoff::pause(self.pace, self.stumbles.min(5), None, backoff::random()).min(Duration::from_secs(60))
            );
        }
        self.stumbles = 0;
        carry::give_up(&RealDisk, unit, journal, halt, now())?;
        Ok(Duration::from_millis(200))
    }

    /// Tells how far it is, once. What is not heard is told by the next check-in.
    fn tell_progress(&mut self, unit: &Unit) {
        if let Some(progress) = under_way(unit)
            && let Err(error) = self.voice.say(RuntimeState::Upgrading, Some(progress), &self.trusted)
        {
            event("edge.heartbeat.failed", &[("error", &error.to_string())]);
        }
    }

    /// Hands over to the watchdog, if the server has heard of it and still wants it, the time is not over and nothing is in the way.
    fn switch(&mut self, wish: Wish, unit: &Unit, not_after: Option<i64>) -> Result<Next, Failed> {
        let journal = unit.load(&RealDisk)?;
        let Phase::Ready { target } = &journal.phase else { return Ok(Next::Wait(self.spread())) };
        if self.is_busy() || not_after.is_some_and(|end| clock() > end) {
            return Ok(Next::Wait(self.spread()));
        }
        let heard = self.voice.say(RuntimeState::Upgrading, under_way(unit), &self.trusted)?;
        let wanted = match &heard {
            Heard::Direction(direction) => {
                direction.cancel.is_none()
                    && direction
                        .desired
                        .as_ref()
                        .is_some_and(|desired| Some(&desired.attempt) == target.attempt.as_ref())
            }
            Heard::Intent(intent) => intent.target_version.is_some(),
        };
        if !wanted {
            return Ok(Next::Wait(self.spread()));
        }
        match wish {
            Wish::Agent => {
                Word::SwitchAgent.say();
                // The watchdog ends us; if it does not, it is gone.
                while self.listen(NOTED).is_some_and(|line| !line.is_empty()) {}
                Ok(Next::End)
            }
            Wish::Payload => {
                Word::SwitchPayload.say();
                // It is settled within the trial's time; from the journal's side nothing may be written until then.
                let until = Instant::now() + self.settings.confirm() + NOTED;
                loop {
                    let left = until.saturating_duration_since(Instant::now());
                    match self.listen(left.min(Duration::from_secs(5))) {
                        Some(line) if line == "payload settled" => break,
                        Some(_) if left.is_zero() => break,
                        Some(_) => {
                            Word::Beat.say();
                            // It goes on without an answer.
                            let _ = self.voice.say(RuntimeState::Upgrading, under_way(unit), &self.trusted);
                        }
                        None => return Ok(Next::End),
                    }
                }
                Ok(Next::Wait(Duration::from_millis(200)))
            }
        }
    }
}

/// How far a unit's update is, for the server.
fn under_way(unit: &Unit) -> Option<Progress> {
    let journal = unit.load(&RealDisk).ok()?;
    let (status, target) = match &journal.phase {
        Phase::Idle => return None,
        Phase::Fetching { target } => (UpgradeStatus::Downloading, target),
        Phase::Fetched { target } => (UpgradeStatus::Verifying, target),
        Phase::Ready { target } | Phase::Trying { target, .. } => (UpgradeStatus::Restarting, target),
    };
    let bytes = RealDisk.length(&unit.part(target)).ok().flatten().unwrap_or(target.size);
    Some(Progress { attempt: target.attempt.clone().unwrap_or_default(), status, reason: None, failure: None, bytes })
}

fn told(report: &Report) -> Progress {
    let status = match report.outcome {
        Outcome::Succeeded => UpgradeStatus::Succeeded,
        Outcome::Failed => UpgradeStatus::Failed,
        Outcome::RolledBack => UpgradeStatus::RolledBack,
    };
    Progress {
        attempt: report.attempt.clone().unwrap_or_default(),
        status,
        reason: report.reason.clone(),
        failure: report.failure,
        bytes: 0,
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
