//! The doors by which a delivery can be left half-way, each at random moments: what a person, a second terminal or the
//! machine does beside it.
//!
//! ```text
//! undisturbed ─► how long it takes, what is left on the cluster, how much it writes
//! door, moment ─► `up`, and at that moment the other thing ─► both end in time, with a code and words of that door
//!                 └─► `up` again ─► the same is on the cluster, the history is whole
//!                       └─► `down` ─► no process, no port, no file
//! ```
//!
//! Everything is done with the binary, from outside. Moments come from a seed that is printed.

mod aftermath;
mod disk;
mod full;
mod planted;
mod system;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::dice::Dice;
use crate::evidence::CaseEvidence;
use crate::sample;
use crate::suite::{Asked, Material, Suite, Whole};
use aftermath::Undisturbed;
pub(crate) use disk::{Disk, can_be_made as can_make_disks};
use system::{Ended, System};

/// Resets, stops, kills, interrupts and starves deliveries, and looks at what is left.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// How many moments for each door.
    #[arg(long, default_value_t = 10)]
    runs: usize,
    /// The seed; from the commit's hash when not said, and printed.
    #[arg(long)]
    seed: Option<u64>,
}

/// How long a command may take however it is disturbed, beside what the delivery takes undisturbed.
const DEADLINE: Duration = Duration::from_secs(20);

/// What happens beside a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// `cluster reset --yes`.
    Reset,
    /// `cluster stop`.
    Stop,
    /// `down`.
    Down,
    /// The same `up` in another terminal.
    Second,
    /// `kill -9` of the server in the background.
    Kill,
    /// Ctrl-C.
    Interrupt,
    /// Being told to end.
    Terminate,
    /// The state directory is removed by hand.
    Remove,
    /// The disk is full from the beginning, at one write after another; then there is room again.
    Quota,
    /// The disk becomes full meanwhile; `down` has to do without room.
    Fill,
}

const DOORS: [(Door, &str); 10] = [
    (Door::Reset, "reset"),
    (Door::Stop, "stop"),
    (Door::Down, "down"),
    (Door::Second, "second delivery"),
    (Door::Kill, "kill -9 of the server"),
    (Door::Interrupt, "Ctrl-C"),
    (Door::Terminate, "SIGTERM"),
    (Door::Remove, "state removed"),
    (Door::Quota, "disk full at a write"),
    (Door::Fill, "disk filled meanwhile"),
];

/// When a delivery is disturbed.
#[derive(Debug, Clone, Copy)]
enum Moments {
    /// At moments that a seed draws: mostly while it is under way, sometimes just after.
    Drawn(u64),
    /// At equal distances, none near its beginning or its end, where a fault may have nothing to disturb.
    Spread,
}

/// What a door's runs share.
struct Walk {
    landfall: PathBuf,
    undisturbed: Undisturbed,
    deadline: Duration,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> =
        Some(Whole::of("doors", Material::Oracles, &[&["doors", "--selftest"], &["doors", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let landfall = arguments.asked.landfall()?;
    let seed = arguments.seed.unwrap_or_else(sample::seed);
    if arguments.asked.selftest {
        return planted::run(&landfall);
    }
    let (cases, skipped) = Walk::open(landfall, DEADLINE)?
        .through(arguments.runs, Moments::Drawn(seed), |name| arguments.asked.wants(name))?;
    let failed = cases.iter().filter(|case| case.verdict == "failed").count();
    let passed = cases.len() - failed;
    let skipped_too = if skipped.is_empty() { String::new() } else { format!("; skipped: {}", skipped.join(", ")) };
    println!("doors: {} planned, {passed} passed, {failed} failed (seed {seed}){skipped_too}", cases.len());
    if arguments.runs >= 10 && skipped.is_empty() {
        arguments.asked.leave("doors", &format!("an undisturbed run of the same binary; seed {seed}"), cases)?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Walk {
    /// Delivers once undisturbed.
    fn open(landfall: PathBuf, deadline: Duration) -> anyhow::Result<Self> {
        let undisturbed = Undisturbed::observe(&landfall).context("the undisturbed run")?;
        println!(
            "undisturbed: {:.1} s, {} objects, {} KiB of state",
            undisturbed.took.as_secs_f64(),
            undisturbed.left.len(),
            undisturbed.written / 1024
        );
        let deadline = deadline + undisturbed.took;
        Ok(Walk { landfall, undisturbed, deadline })
    }

    /// Goes through each door at so many moments; gives the cases, and the doors that are not there.
    fn through(
        &self,
        runs: usize,
        moments: Moments,
        wants: impl Fn(&str) -> bool,
    ) -> anyhow::Result<(Vec<CaseEvidence>, Vec<String>)> {
        let (mut cases, mut skipped) = (Vec::new(), Vec::new());
        for (index, (door, name)) in DOORS.iter().enumerate() {
            if !wants(name) {
                continue;
            }
            if matches!(door, Door::Fill) && !disk::can_be_made() {
                skipped.push(format!("{name} (only root can make a small disk)"));
                continue;
            }
            for (run, moment) in self.moments(moments, index, runs).into_iter().enumerate() {
                let outcome = self.pass(*door, moment, (run, runs));
                let id = format!("{name}/{}", run + 1);
                let what = format!("{name} {} ms", moment.as_millis());
                if let Err(error) = &outcome {
                    println!("{id} at {} ms: {error:#}", moment.as_millis());
                }
                cases.push(CaseEvidence::judged(id, &what, outcome.is_ok()));
            }
        }
        Ok((cases, skipped))
    }

    /// So many moments of a delivery for one door. Each door has moments of its own, so that one alone sees the same as
    /// all of them.
    fn moments(&self, moments: Moments, door: usize, runs: usize) -> Vec<Duration> {
        let whole = usize::try_from(self.undisturbed.took.as_millis()).unwrap_or(usize::MAX);
        let milliseconds: Vec<usize> = match moments {
            Moments::Drawn(seed) => {
                let mut dice = Dice::new(seed.wrapping_add(door as u64));
                (0..runs).map(|_| dice.below(whole + whole / 10)).collect()
            }
            Moments::Spread => (1..=runs).map(|run| whole * run / (runs + 1)).collect(),
        };
        milliseconds.into_iter().map(|it| Duration::from_millis(it as u64)).collect()
    }

    /// One run; an error says what was not as it should be.
    fn pass(&self, door: Door, moment: Duration, (run, runs): (usize, usize)) -> anyhow::Result<()> {
        let system = System::new(&self.landfall, self.deadline)?;
        let walked = match door {
            Door::Quota => full::at_a_write(&system, self.undisturbed.written * (run as u64 + 1) / (runs as u64 + 1)),
            Door::Fill => full::meanwhile(&system, moment, self.undisturbed.written),
            _ => self.beside(&system, door, moment),
        };
        let judged = walked.and_then(|()| aftermath::whole(&system, &self.undisturbed));
        // Whatever was wrong, nothing outlives its run.
        let ended = system.end();
        judged?;
        ended
    }

    fn beside(&self, system: &System, door: Door, moment: Duration) -> anyhow::Result<()> {
        let up = system.start(&["up"])?;
        std::thread::sleep(moment);
        let other = match door {
            Door::Reset => Some(system.run(&["cluster", "reset", "--yes", "--timeout", "10s"])?),
            Door::Stop => Some(system.run(&["cluster", "stop", "--timeout", "10s"])?),
            Door::Down => Some(system.run(&["down", "--timeout", "10s"])?),
            Door::Second => Some(system.run(&["up"])?),
            Door::Kill => {
                system.kill_server();
                None
            }
            Door::Interrupt => {
                up.signal("INT")?;
                None
            }
            Door::Terminate => {
                up.signal("TERM")?;
                None
            }
            Door::Remove => {
                system.remove_state();
                None
            }
            Door::Quota | Door::Fill => None,
        };
        let up = up.end()?;
        judge_up(door, &up)?;
        // One that was removed early is made anew by the same delivery, and its server stays.
        if door == Door::Remove && !system.state().exists() {
            system.is_quiet_soon()?;
        }
        if let Some(other) = other {
            judge_other(door, &other)?;
        }
        Ok(())
    }
}

/// Whether a delivery has ended as it may beside that door.
fn judge_up(door: Door, up: &Ended) -> anyhow::Result<()> {
    let told = ["done in", "no changes"].iter().any(|words| up.said.contains(words));
    ensure!(up.code != 0 || told, "an `up` that ends well and does not say so:\n{}", up.said);
    match door {
        // What would disturb it waits, or is refused.
        Door::Reset | Door::Stop | Door::Down | Door::Second => up.is(&[0]),
        // It may have ended before.
        Door::Kill => up.is_or_says(&[(6, &["the embedded cluster's server has ended", "did not start"])]),
        Door::Interrupt | Door::Terminate => up.is_or_says(&[(130, &["interrupted"]), (System::BY_SIGNAL, &[""])]),
        Door::Remove => {
            up.is_or_says(&[(6, &["was removed", "has ended"]), (1, &["No such file", "cannot be", "did not start"])])
        }
        Door::Quota | Door::Fill => Ok(()),
    }
}

/// Whether what was done beside a delivery has ended as it may.
fn judge_other(door: Door, other: &Ended) -> anyhow::Result<()> {
    other.is_or_says(&[(5, &["is under way"])])?;
    if other.code == 0 && door == Door::Reset {
        let told = ["are gone", "nothing to forget"].iter().any(|words| other.said.contains(words));
        ensure!(told, "a reset that does not say what it did: {}", other.said);
    }
    Ok(())
}
