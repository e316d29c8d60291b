//! The process outside all that is upgraded: it starts the agent's worker and the payload from the slots that their journals name, and
//! takes a new version back that does not say in time that it is well, whatever way it fails to.

mod keeper;
mod notify;

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::disk::{At, Disk, DiskError, RealDisk};
use crate::http::{Http, NoTls};
use crate::journal::{Journal, Phase, Slot};
use crate::log::{self, event};
use crate::payload::{Payloads, end_orphan};
use crate::program::Program;
use crate::settings::{Home, NoHome};
use crate::worker::Word;
pub(crate) use keeper::{Keeper, Turn};

/// How often the watchdog looks.
const LOOK: Duration = Duration::from_millis(50);
/// How long a worker may be silent before it is taken for stuck.
const SILENCE: Duration = Duration::from_secs(900);

/// Why the watchdog cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum CannotRun {
    /// Where the edge lives.
    #[error(transparent)]
    Home(#[from] NoHome),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] NoTls),
    /// There is one already.
    #[error("another `landfall-agent run` looks after {0} already")]
    Another(String),
}

/// What the watchdog is at, for whoever manages services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It looks after what there is.
    Up,
    /// It still does.
    Alive,
    /// It ends what it looks after.
    Ending,
}

/// Runs until it is asked to end (SIGTERM, SIGINT), and ends what it looks after then. `own` is how the worker is started that came with this program: its path and first arguments.
///
/// # Errors
/// When it cannot begin. Once it has, it never ends by itself.
pub fn run(home: &Home, own: &[OsString]) -> Result<(), CannotRun> {
    run_until(home, own, &asked_to_end(), &|standing| {
        notify::say(match standing {
            Standing::Up => "READY=1",
            Standing::Alive => "WATCHDOG=1",
            Standing::Ending => "STOPPING=1",
        });
    })
}

/// Runs as [`run`] does, until `ended` says so, and says what it is at.
///
/// # Errors
/// When it cannot begin.
pub(crate) fn run_until(
    home: &Home,
    own: &[OsString],
    ended: &AtomicBool,
    say: &dyn Fn(Standing),
) -> Result<(), CannotRun> {
    let settings = home.settings()?;
    home.prepare()?;
    let _lock = alone(home)?;
    #[cfg(windows)]
    if let Err(error) = crate::windows::end_together() {
        event("edge.job.refused", &[("error", &error.to_string())]);
    }
    if let Some(payload) = &settings.payload {
        end_orphan(home, payload);
    }
    event(
        "edge.runtime.started",
        &[("edge", &settings.edge_id), ("device", &settings.device_number), ("version", crate::VERSION)],
    );
    // An address of this machine is asked without certificates; where there is none, there is nothing to be built.
    let asks = settings.payload.as_ref().is_some_and(|payload| payload.health_url.is_some());
    let http = asks.then(|| Http::new(None, true)).transpose()?;
    let mut pair = Pair {
        home,
        own,
        agent: Keeper::new("agent", home.agent(), settings.confirm()),
        worker: None,
        heard: Instant::now(),
        payload: settings.payload.as_ref().map(|payload| Payloads::new(home, payload, &settings, http)),
    };
    say(Standing::Up);
    let mut told = Instant::now();
    loop {
        if ended.load(Ordering::Relaxed) {
            say(Standing::Ending);
            pair.end();
            event("edge.runtime.stopped", &[("edge", &settings.edge_id)]);
            return Ok(());
        }
        pair.look();
        if told.elapsed() > Duration::from_secs(10) {
            say(Standing::Alive);
            told = Instant::now();
        }
        std::thread::sleep(LOOK);
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Becomes true once somebody asks this process to end. Where that cannot be heard it ends at once, and a next start ends what it left.
fn asked_to_end() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&ended)) {
            event("edge.signal.unheard", &[("error", &error.to_string())]);
        }
    }
    ended
}

/// Holds the home's lock for as long as the file is open.
fn alone(home: &Home) -> Result<File, CannotRun> {
    let path = home.root().join("lock");
    RealDisk.create(&path, crate::disk::Mode::Private).at("make", &path)?;
    let file = File::open(&path).at("open", &path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(CannotRun::Another(home.root().display().to_string())),
    }
}

/// The worker and the payload.
struct Pair<'a> {
    home: &'a Home,
    own: &'a [OsString],
    agent: Keeper,
    worker: Option<Voice>,
    heard: Instant,
    payload: Option<Payloads<'a>>,
}

/// How a running worker is spoken to.
struct Voice {
    says: Receiver<String>,
    hears: ChildStdin,
}

impl Pair<'_> {
    fn look(&mut self) {
        let mut said = Vec::new();
        if let Some(voice) = &self.worker {
            loop {
                match voice.says.try_recv() {
                    Ok(line) => said.push(line),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        self.worker = None;
                        break;
                    }
                }
            }
        }
        for line in said {
            self.heard = Instant::now();
            match Word::parse(&line) {
                Some(Word::Well) => {
                    self.agent.well();
                    self.tell("agent settled");
                }
                Some(Word::SwitchAgent) => self.agent.switch(),
                Some(Word::SwitchPayload) => {
                    if let Some(payload) = &mut self.payload {
                        payload.switch();
                    }
                }
                Some(Word::Beat) | None => {}
            }
        }
        if self.agent.is_up() && self.heard.elapsed() > SILENCE {
            self.agent.stuck(SILENCE);
            self.heard = Instant::now();
        }
        let (home, own) = (self.home, self.own);
        let mut started = None;
        let turn = self.agent.turn(|slot, journal| {
            let (child, voice) = worker(home, own, slot, journal)?;
            started = Some(voice);
            Ok(child)
        });
        if let Some(voice) = started {
            self.worker = Some(voice);
            self.heard = Instant::now();
        }
        if turn == Turn::Ended {
            self.worker = None;
        }
        let settled = self.payload.as_mut().is_some_and(Payloads::look);
        if settled {
            self.tell("payload settled");
        }
    }

    /// Ends both: a payload that nobody looks after would be in the way of the next one.
    fn end(&mut self) {
        self.worker = None;
        self.agent.stop();
        if let Some(payload) = &mut self.payload {
            payload.stop();
        }
    }

    /// A worker that does not listen reads its journals at its next start.
    fn tell(&mut self, line: &str) {
        if let Some(voice) = &mut self.worker {
            let _ = writeln!(voice.hears, "{line}").and_then(|()| voice.hears.flush());
        }
    }
}

fn worker(home: &Home, own: &[OsString], slot: Option<Slot>, journal: &Journal) -> std::io::Result<(Child, Voice)> {
    let (path, first): (PathBuf, &[OsString]) = match slot.and_then(|slot| Some((slot, journal.slot(slot)?))) {
        Some((slot, installed)) => (home.agent().slot(slot).join(&installed.program), &[]),
        None => {
            let (path, first) = own.split_first().ok_or(std::io::ErrorKind::NotFound)?;
            (PathBuf::from(path), first)
        }
    };
    let mut arguments = vec![OsString::from("work"), OsString::from("--root"), home.root().as_os_str().to_owned()];
    if matches!(journal.phase, Phase::Trying { .. }) {
        arguments.push(OsString::from("--trial"));
    }
    let mut program = Program::new(path).args(first).args(arguments).talking();
    if let Some(kept) = log::kept() {
        program = program.variable(log::KEPT, kept);
    }
    let mut child = program.start()?;
    let (Some(hears), Some(says)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::ErrorKind::BrokenPipe.into());
    };
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        // A line of ours is short; what is not is nothing of ours.
        for line in BufReader::with_capacity(256, says).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok((child, Voice { says: receiver, hears }))
}
