//! The days in the life: scripts of commands as the README tells them, carried out unattended on copies of the examples.
//!
//! ```text
//! examples/NAME ─► a copy of its own ─► conformance/days/NAME.sh ─► a line a step: ok, failed, or open with why
//! ```
//!
//! A day has the steps that stand here by number: one that its script does not tell was not reached, and failed. What is open is
//! what no command can do yet, or what only a real cluster shows; it is counted apart and told by name.
//!
//! `--control` plays what a cluster decides about on a real API server, each day on one of its own, with evidence of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::limited;
use crate::peers;
use crate::suite::{Asked, Material, Suite, Whole, root};
use crate::testbed::{Layout, Running};

/// Plays the days.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Play what a cluster decides about, on a real API server.
    #[arg(long)]
    control: bool,
}

/// A day: its script, the example that it is about, and its steps.
struct Day {
    name: &'static str,
    example: &'static str,
    steps: &'static [&'static str],
    /// Whether some of it is played on a real control plane, whose kubeconfig the script finds in CONTROL_PLANE.
    real: bool,
}

const DAYS: [Day; 2] = [
    Day {
        name: "luckyplans",
        example: "luckyplans",
        steps: &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "12b", "13", "14", "20"],
        real: false,
    },
    Day {
        name: "ezscale",
        example: "ezscale-website",
        steps: &["1", "1b", "2", "3", "4", "5", "6", "7", "8", "9b", "9", "10", "10b", "11", "12", "13", "14", "14b"],
        real: true,
    },
];

/// What of the days a cluster decides about.
const CONTROL: [Day; 3] = [
    Day {
        name: "luckyplans-control",
        example: "luckyplans",
        steps: &["8a", "6", "8", "9", "10", "11", "12", "12b", "13", "14", "20"],
        real: true,
    },
    Day {
        name: "ezscale-control",
        example: "ezscale-website",
        steps: &["4", "5", "6", "7", "8", "9", "10", "10b", "11", "12", "13"],
        real: true,
    },
    Day {
        name: "sens-control",
        example: "sens-platform",
        steps: &["1", "5", "3", "9", "8", "10", "15", "12"],
        real: true,
    },
];

/// What shows that failures are seen.
const PLANTED: Day = Day { name: "selftest", example: "luckyplans", steps: &["1", "2", "3", "4", "5"], real: false };

/// How long a day may take on a machine that does other things as well.
const LONGEST: Duration = Duration::from_secs(900);

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    /// Nothing can do it yet.
    Open(String),
}

/// A step that was told.
#[derive(Debug)]
struct Told {
    outcome: Outcome,
    title: String,
    seconds: String,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of(
        "days",
        Material::Oracles,
        &[&["days", "--selftest"], &["days", "--evidence"], &["days", "--control", "--evidence"]],
    ));

    fn run(&self) -> anyhow::Result<ExitCode> {
        let landfall = self.asked.landfall()?;
        if self.asked.selftest {
            return selftest(&landfall);
        }
        let (mut cases, mut passed, mut failed, mut open) = (Vec::new(), 0, 0, Vec::new());
        let days: &[Day] = if self.control { &CONTROL } else { &DAYS };
        for day in days.iter().filter(|day| self.asked.wants(day.name)) {
            let told = play(day, &landfall)?;
            for step in day.steps {
                let name = format!("{} {step}", day.name);
                let Some(told) = told.get(*step) else {
                    failed += 1;
                    println!("FAILED  {name}: it was not reached");
                    cases.push(CaseEvidence::judged(name, "not reached", false));
                    continue;
                };
                let Told { outcome, title, seconds } = told;
                match outcome {
                    Outcome::Passed => {
                        passed += 1;
                        println!("ok      {name} ({seconds} s): {title}");
                        cases.push(CaseEvidence::judged(name, title, true));
                    }
                    Outcome::Failed(why) => {
                        failed += 1;
                        println!("FAILED  {name} ({seconds} s): {title}\n          {why}");
                        cases.push(CaseEvidence::judged(name, title, false));
                    }
                    Outcome::Open(why) => {
                        open.push(step);
                        println!("open    {name}: {title}: {why}");
                    }
                }
            }
        }
        let planned = passed + failed + open.len();
        let suite = if self.control { "days-control" } else { "days" };
        println!("{suite}: {planned} planned, {passed} passed, {failed} failed, {} open", open.len());
        let oracle = format!("what each step asserts; {} steps are open and not among the cases", open.len());
        if self.asked.leaves() {
            Evidence::of(suite, Cluster::controlled(self.control), oracle, cases).write(root())?;
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Plays a day on a copy of its example; gives what it told of its steps.
fn play(day: &Day, landfall: &Path) -> anyhow::Result<BTreeMap<String, Told>> {
    let place = tempfile::Builder::new().prefix("landfall-day-").tempdir()?;
    let (system, programs) = (place.path().join("system"), place.path().join("programs"));
    copied(&root().join("examples").join(day.example), &system)?;
    fs::create_dir(&programs)?;
    std::os::unix::fs::symlink(landfall, programs.join("landfall"))?;
    std::os::unix::fs::symlink(peers::binary("kubectl")?, programs.join("kubectl"))?;
    let control_plane = if day.real { Some(Running::start(Layout::on_free_ports()?)?) } else { None };
    let script = root().join("conformance/days").join(format!("{}.sh", day.name));
    let mut command = Command::new("bash");
    command.arg(&script).current_dir(&system).env_clear().stdin(Stdio::null());
    command.env("HOME", place.path()).env("DAY", place.path());
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display()));
    command.env("PORT", free_port()?.to_string());
    if let Some(control_plane) = &control_plane {
        command.env("CONTROL_PLANE", control_plane.testbed().kubeconfig());
    }
    let (said, errors) = (place.path().join("said.tsv"), place.path().join("errors"));
    command.stdout(fs::File::create(&said)?).stderr(fs::File::create(&errors)?);
    let mut child = command.spawn().context("bash does not start")?;
    if limited::wait(&mut child, LONGEST)?.is_none() {
        println!("the day of {} took longer than {} s: {}", day.name, LONGEST.as_secs(), fs::read_to_string(&errors)?);
    }
    Ok(fs::read_to_string(&said)?.lines().filter_map(told).collect())
}

/// A line that tells of a step.
fn told(line: &str) -> Option<(String, Told)> {
    let mut words = line.strip_prefix("step\t")?.splitn(5, '\t');
    let (number, word, seconds, title) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let why = words.next().unwrap_or_default().trim().to_owned();
    let outcome = match word {
        "ok" => Outcome::Passed,
        "open" => Outcome::Open(why),
        _ => Outcome::Failed(why),
    };
    Some((number.to_owned(), Told { outcome, title: title.to_owned(), seconds: seconds.to_owned() }))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn copied(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), to.join(entry.file_name()));
        if name == ".landfall" || name == ".git" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copied(&entry.path(), &path)?;
        } else {
            fs::copy(entry.path(), &path)?;
        }
    }
    Ok(())
}

/// Shows that a step that fails, one that is open and one that is never reached are told as that.
fn selftest(landfall: &Path) -> anyhow::Result<ExitCode> {
    let told = play(&PLANTED, landfall)?;
    ensure!(told.len() == PLANTED.steps.len() - 1, "{told:?}");
    let of = |step: &str| told.get(step).map(|told| told.outcome.clone());
    let seen = |is: bool| if is { Ok(String::new()) } else { Err(format!("{told:?}")) };
    let is_failed = |step: &str, word: &str| matches!(of(step), Some(Outcome::Failed(why)) if why.contains(word));
    Ok(crate::suite::selftest(
        "days",
        [
            ("a step that passes", seen(of("1") == Some(Outcome::Passed))),
            ("a command that ends otherwise", seen(is_failed("2", "exit 0, not 1"))),
            ("a text that is not said", seen(is_failed("3", "it does not say"))),
            ("a step that nothing can do", seen(matches!(of("4"), Some(Outcome::Open(_))))),
            ("a step that is not reached", seen(of("5").is_none())),
        ],
        "",
    ))
}
