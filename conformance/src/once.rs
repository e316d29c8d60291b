//! Random sequences of everything that can write or delete an object, killed at random points: a key that is generated once keeps its
//! value, whatever comes in whatever order.
//!
//! ```text
//! seed ──► a namespace of its own ──► six to fourteen deeds ──► after each: the value and the uid are what they were
//!          deeds.rs   a plan of the engine (every task, every method, hooks) · a release (install, upgrade, rollback, uninstall, undone
//!                     and cleaned up) · a restore · a SealedSecret · a certificate · what a person does that is no writer of ours
//!          ground.rs  an embedded cluster in this process, on virtual time, for some dozens of them
//! ```
//!
//! Which calls these are is `docs/writers.md`'s; that none is missing there is `cargo xtask tidy`'s.

mod deeds;
mod ground;

use std::process::ExitCode;
use std::time::Instant;

use crate::evidence::CaseEvidence;
use crate::suite::{self, Asked, Material, Suite, Whole, Workers};
use crate::{sample, workers};
use ground::{Ground, Sequence};

/// Sequences of a whole run.
const ALL: usize = 10_000;
/// Sequences that share a cluster.
const TOGETHER: usize = 50;

/// Tries random sequences of writers at keys that are generated once.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Only so many sequences, drawn by the commit's hash; no evidence is written.
    #[arg(long)]
    sample: Option<usize>,
    /// The first sequence's number, to see one again.
    #[arg(long)]
    from: Option<u64>,
    /// Print what was done, and how it ended.
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    workers: Workers,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> =
        Some(Whole::of("once", Material::Oracles, &[&["once", "--selftest"], &["once", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

/// What a sequence has come to.
#[derive(Default)]
pub(crate) struct Course {
    /// What was done, and how it ended.
    pub(crate) told: Vec<String>,
    /// What was wrong.
    pub(crate) wrong: Option<String>,
    /// Deeds at a key that was guarded by then.
    pub(crate) guarded: usize,
    /// Those of them that were refused because of it.
    pub(crate) refused: usize,
    /// Those that were killed.
    pub(crate) killed: usize,
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.asked.selftest {
        return selftest();
    }
    let began = Instant::now();
    let first = arguments.from.unwrap_or_else(|| if arguments.sample.is_some() { sample::seed() << 16 } else { 0 });
    let count = arguments.sample.unwrap_or(ALL);
    if arguments.sample.is_some() && arguments.from.is_none() {
        println!("once: a sample of {count} of {ALL}, drawn by the commit's hash");
    }
    let seeds: Vec<u64> = (first..).take(count).collect();
    let batches: Vec<&[u64]> = seeds.chunks(TOGETHER).collect();
    let courses: Vec<(u64, Course)> = workers::several(arguments.workers.count(), &batches, |_, seeds| play(seeds))
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    let sum = |of: fn(&Course) -> usize| courses.iter().map(|(_, course)| of(course)).sum::<usize>();
    for (seed, course) in courses.iter().filter(|(_, course)| course.wrong.is_some()) {
        println!("FAILS {seed}: {}", course.wrong.as_deref().unwrap_or_default());
        course.told.iter().for_each(|line| println!("  {line}"));
        println!("  again: conformance once --sample 1 --from {seed}");
    }
    if arguments.verbose {
        courses.iter().flat_map(|(_, course)| &course.told).for_each(|line| println!("{line}"));
    }
    let failed = courses.iter().filter(|(_, course)| course.wrong.is_some()).count();
    let (guarded, refused, killed) = (sum(|it| it.guarded), sum(|it| it.refused), sum(|it| it.killed));
    println!(
        "once: {} sequences, {failed} failed; {guarded} deeds at guarded keys, {refused} refused, {killed} killed, {} s",
        courses.len(),
        began.elapsed().as_secs()
    );
    // What never comes to the guard shows nothing.
    let is_telling = count < TOGETHER || (refused * 10 > guarded && killed * 50 > guarded && guarded > count);
    if !is_telling {
        println!("once: too few deeds were guarded, refused or killed to show anything");
    }
    if arguments.sample.is_none() && arguments.from.is_none() {
        let cases = courses.iter().map(|(seed, course)| {
            CaseEvidence::judged(format!("once/{seed}"), &course.told.join("\n"), course.wrong.is_none())
        });
        arguments.asked.leave("once", "the value and the uid that a guarded key had before", cases.collect())?;
    }
    Ok(if failed == 0 && is_telling { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays sequences one after the other on a cluster of their own.
fn play(seeds: &[u64]) -> anyhow::Result<Vec<(u64, Course)>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let ground = Ground::new().await?;
        let mut courses = Vec::new();
        for seed in seeds {
            let mut sequence = Sequence::new(&ground, *seed).await?;
            courses.push((*seed, sequence.play().await));
        }
        ground.close();
        Ok(courses)
    })
}

/// Shows that a value that changes, a Secret that goes and one that is made anew are seen.
fn selftest() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let faults = runtime.block_on(async {
        let ground = Ground::new().await?;
        let mut faults = Vec::new();
        for (number, fault) in deeds::FAULTS.into_iter().enumerate() {
            let mut sequence = Sequence::new(&ground, u64::MAX - number as u64).await?;
            let wrong = sequence.with_fault(fault).await?;
            faults.push((fault, wrong.ok_or_else(|| "nothing was seen".to_owned())));
        }
        ground.close();
        anyhow::Ok(faults)
    })?;
    Ok(suite::selftest("once", faults, ""))
}
