//! Random sequences of everything that can write or delete an object, killed at random points: a key that is generated once keeps its
//! value, whatever comes in whatever order.
//!
//! ```text
//! seed ──► a namespace of its own ──► six to fourteen deeds ──► after each: the value and the uid are what they were
//!          deeds.rs    a plan of the engine (every task, every method, hooks) · a release (install, upgrade, rollback, uninstall, undone
//!                      and cleaned up) · a restore · a SealedSecret · a certificate · what a person does that is no writer of ours
//!          argo.rs     an Application: synced with Argo CD's options and hooks, pruned, deleted
//!          tried.rs    a trial that is refused, and in whose namespace somebody has put the Secret meanwhile
//!          written.rs  the server's controller of SealedSecrets · a secret's declared life · a database that generates a password
//!          ground.rs   an embedded cluster in this process, on virtual time, for some dozens of them
//!          paths.rs    each way that a user could go, by the binary and kubectl, on the embedded cluster and on a real API server
//!          mutants.rs  guards that are opened one after another: each is to be seen
//! ```
//!
//! Which calls these are is `docs/writers.md`'s; that none is missing there is `cargo xtask tidy`'s, and which deed drives which of
//! them stands in `covered.rs`.

mod covered;
mod deeds;
mod ground;
mod mutants;
mod paths;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::evidence::{CaseEvidence, Cluster, Evidence};
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
    /// Walk each way by which such a key could be lost, by the binary and kubectl.
    #[arg(long)]
    paths: bool,
    /// The same on a real API server.
    #[arg(long, requires = "paths")]
    control: bool,
    /// End with the first sequence that fails.
    #[arg(long)]
    until_red: bool,
    #[command(flatten)]
    workers: Workers,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of(
        "once",
        Material::Oracles,
        &[
            &["once", "--selftest"],
            &["once", "--evidence"],
            &["once", "--paths", "--evidence"],
            &["once", "--paths", "--control", "--evidence"],
        ],
    ));

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
    /// Which deeds they were.
    pub(crate) deeds: BTreeSet<&'static str>,
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.asked.selftest {
        return selftest();
    }
    if arguments.paths {
        return paths::walk(arguments.control, arguments.asked.leaves());
    }
    let began = Instant::now();
    let first = arguments.from.unwrap_or_else(|| if arguments.sample.is_some() { sample::seed() << 16 } else { 0 });
    let count = arguments.sample.unwrap_or(ALL);
    if arguments.sample.is_some() && arguments.from.is_none() {
        println!("once: a sample of {count} of {ALL}, drawn by the commit's hash");
    }
    let seeds: Vec<u64> = (first..).take(count).collect();
    let batches: Vec<&[u64]> = seeds.chunks(TOGETHER).collect();
    let is_over = AtomicBool::new(false);
    let played = |_, seeds: &&[u64]| play(seeds, &is_over, arguments.until_red);
    let courses: Vec<(u64, Course)> = workers::several(arguments.workers.count(), &batches, played)
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
    let driven: BTreeSet<&str> = courses.iter().flat_map(|(_, course)| course.deeds.iter().copied()).collect();
    let idle = covered::idle(&driven);
    covered::by_tests()
        .filter(|_| count >= ALL)
        .for_each(|(file, why)| println!("once: {file} by its test alone: {why}"));
    let is_whole = count < ALL || idle.is_empty();
    if !is_whole {
        println!("once: never driven at a guarded key: {}", idle.join(", "));
    }
    if arguments.sample.is_none() && arguments.from.is_none() && arguments.asked.leaves() {
        evidence(&courses, failed).write(suite::root())?;
    }
    Ok(if failed == 0 && is_telling && is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a whole run leaves behind: a case for the sequences that shared a cluster, so that the file can be read.
fn evidence(courses: &[(u64, Course)], failed: usize) -> Evidence {
    let of_cluster = |batch: &[(u64, Course)]| {
        let told: String = batch.iter().flat_map(|(_, course)| &course.told).map(|line| format!("{line}\n")).collect();
        let (first, last) = (batch.first().map_or(0, |it| it.0), batch.last().map_or(0, |it| it.0));
        CaseEvidence::judged(format!("once/{first}-{last}"), &told, batch.iter().all(|it| it.1.wrong.is_none()))
    };
    let cases = courses.chunks(TOGETHER).map(of_cluster).collect();
    let oracle = "the value and the uid that a guarded key had before".to_owned();
    let evidence = Evidence::of("once", Cluster::Embedded, oracle, cases);
    Evidence { planned: courses.len(), passed: courses.len() - failed, failed, ..evidence }
}

/// Plays sequences one after the other on a cluster of their own; none any more once it is over.
fn play(seeds: &[u64], is_over: &AtomicBool, until_red: bool) -> anyhow::Result<Vec<(u64, Course)>> {
    if is_over.load(Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let ground = Ground::new().await?;
        let mut courses = Vec::new();
        for seed in seeds {
            let mut sequence = Sequence::new(&ground, *seed).await?;
            let course = sequence.play().await;
            let is_red = course.wrong.is_some();
            courses.push((*seed, course));
            if until_red && (is_red || is_over.load(Ordering::Relaxed)) {
                is_over.store(true, Ordering::Relaxed);
                break;
            }
        }
        ground.close();
        Ok(courses)
    })
}

/// Shows that a value that changes, a Secret that goes and one that is made anew are seen, and each guard that stands open.
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
    let mut seen: Vec<(&str, Result<String, String>)> = faults;
    seen.extend(mutants::opened()?);
    Ok(suite::selftest("once", seen, ""))
}
