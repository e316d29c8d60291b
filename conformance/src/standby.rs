//! Replicas of the server that share a database, and what becomes of their syncs when they are killed, stopped and cut off.
//!
//! ```text
//! git ─► three replicas of `landfall serve --database … --shards 4` ─wires─► API server (embedded, or the original's)
//!                                          └────────wires─► PostgreSQL
//! a round: a commit that changes every Application ─► within a moment a fault ─► who had the shards has lost them in time
//!          ─► the fault is mended ─► every Application is synced to that commit
//! afterwards: each sync has run its hook once and stands in the history once; by the audit log nobody has written for an
//!             Application but whoever had taken its shard last
//! ```
//!
//! Everything is done with the binary, from outside. Faults and moments come from the commit's hash, or a seed that is printed.

mod judge;
mod replica;
mod wire;
mod world;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::dice::Dice;
use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::sample;
use crate::suite::{Material, Suite, Whole, root};
use crate::workers;
use world::World;

/// Kills and cuts off replicas of the server during syncs.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The `landfall` to run; the one beside this program when not said.
    #[arg(long)]
    landfall: Option<std::path::PathBuf>,
    /// How many syncs at least, one a round and Application.
    #[arg(long, default_value_t = 100)]
    syncs: usize,
    /// Against a real API server.
    #[arg(long)]
    control: bool,
    /// The seed; from the commit's hash when not said, and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Show that a write past the holder of a shard is seen.
    #[arg(long)]
    selftest: bool,
    /// Write the suite's file in docs/evidence.
    #[arg(long)]
    evidence: bool,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of(
        "standby",
        Material::Oracles,
        &[&["standby", "--selftest"], &["standby", "--evidence"], &["standby", "--control", "--evidence"]],
    ));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

/// Replicas, shards and Applications.
const REPLICAS: usize = 3;
const SHARDS: u32 = 4;
const APPLICATIONS: usize = 12;
/// In how long a shard that was lost is kept by another replica.
const LOST: Duration = Duration::from_secs(20);
/// In how long one that is given back is, where each process gets a core when it wants one.
const GIVEN_BACK: Duration = Duration::from_secs(2);
/// In how long every Application is synced after a fault.
const SYNCED: Duration = Duration::from_secs(120);

/// What happens to a replica, or to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9`.
    Killed,
    /// SIGTERM.
    Terminated,
    /// SIGSTOP, and SIGCONT when another one has taken over: it goes on in the middle of what it did.
    Stopped,
    /// Cut off from the cluster.
    CutFromCluster,
    /// Cut off from the database.
    CutFromDatabase,
    /// Cut off from both.
    CutOff,
    /// The database dies and begins again.
    DatabaseDies,
    /// The database loses all that is in it.
    DatabaseLost,
}

impl Fault {
    const ALL: [Fault; 8] = [
        Fault::Killed,
        Fault::CutFromCluster,
        Fault::Stopped,
        Fault::DatabaseLost,
        Fault::Terminated,
        Fault::CutFromDatabase,
        Fault::DatabaseDies,
        Fault::CutOff,
    ];

    /// In how long another replica has the shards; nothing where nobody loses them. What is measured for evidence is held to what is
    /// promised, however busy the machine is.
    fn taken_over_in(self, is_measured: bool) -> Option<Duration> {
        match self {
            Fault::Terminated if is_measured => Some(GIVEN_BACK),
            Fault::Terminated => Some(GIVEN_BACK.mul_f64(wanting_a_core()).min(LOST / 3)),
            Fault::DatabaseDies | Fault::DatabaseLost => None,
            _ => Some(LOST),
        }
    }
}

/// How many processes wanted each core within the last minute, at least one: what is measured beside other suites takes as much longer.
fn wanting_a_core() -> f64 {
    let told = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let wanting: f64 = told.split(' ').next().and_then(|minute| minute.parse().ok()).unwrap_or_default();
    (wanting / workers::count(None) as f64).max(1.0)
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let seed = arguments.seed.unwrap_or_else(sample::seed);
    let mut dice = Dice::new(seed);
    let began = Instant::now();
    let mut world = World::start(arguments.landfall.as_deref(), arguments.control)?;
    println!(
        "standby: {REPLICAS} replicas, {SHARDS} shards, {APPLICATIONS} Applications on {}, seed {seed}",
        world.place()
    );
    let rounds = if arguments.selftest { 1 } else { arguments.syncs.div_ceil(APPLICATIONS).max(2) };
    world.commit(0)?;
    world.create_applications()?;
    world.all_synced(0, SYNCED)?;
    // Every kind of fault comes before one comes again.
    let first = dice.below(Fault::ALL.len());
    let (mut cases, mut slowest) = (Vec::new(), Duration::ZERO);
    for round in 1..=rounds {
        let fault = Fault::ALL[(first + round) % Fault::ALL.len()];
        let outcome =
            one_round(&mut world, round, (!arguments.selftest).then_some(fault), arguments.evidence, &mut dice);
        match &outcome {
            Ok(took) => {
                slowest = slowest.max(if fault == Fault::Terminated { Duration::ZERO } else { *took });
                println!("round {round}: {fault:?}, the shards were kept again after {:.1} s", took.as_secs_f64());
            }
            Err(error) => {
                println!("FAILS round {round}: {fault:?}: {error:#}");
                world.tell_logs();
            }
        }
        cases.push(CaseEvidence::judged(format!("{round} {fault:?}"), &format!("{fault:?}"), outcome.is_ok()));
        if outcome.is_err() {
            break;
        }
    }
    if arguments.selftest {
        world.write_past_the_holder()?;
    }
    let findings = world.judged()?;
    let twice = world.carried_out_otherwise_than_once(rounds)?;
    for fault in findings.faults.iter().chain(&twice).take(20) {
        println!("FAULT: {fault}");
    }
    if arguments.selftest {
        let seen = findings.faults.len() == 1 && twice.is_empty();
        println!("standby selftest: 1 planned, {} passed, {} failed", u8::from(seen), u8::from(!seen));
        return Ok(if seen { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    cases.push(CaseEvidence::judged("no object is written by two".to_owned(), "audit log", findings.faults.is_empty()));
    cases.push(CaseEvidence::judged("each sync is carried out once".to_owned(), "hooks, history", twice.is_empty()));
    let no_edges = world.nobody_serves_edges();
    if let Err(error) = &no_edges {
        println!("FAULT: {error:#}");
    }
    cases.push(CaseEvidence::judged("no replica serves edges".to_owned(), "/edges, /edge/v1", no_edges.is_ok()));
    let failed = cases.iter().filter(|case| case.verdict == "failed").count();
    println!(
        "standby: {} syncs in {rounds} rounds on {}, {} writes by {} hands of shards, slowest takeover {:.1} s; {} planned, {} passed, \
         {failed} failed, {} s",
        rounds * APPLICATIONS,
        world.place(),
        findings.writes,
        findings.handed_over,
        slowest.as_secs_f64(),
        cases.len(),
        cases.len() - failed,
        began.elapsed().as_secs()
    );
    if arguments.evidence && failed == 0 {
        let (suite, cluster) = match arguments.control {
            true => ("standby-control", Cluster::Real),
            false => ("standby", Cluster::Embedded),
        };
        Evidence::of(suite, cluster, world.oracle()?, cases).write(root())?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A commit, a fault within a moment, and all of it synced; how long the shards were without a holder that works.
fn one_round(
    world: &mut World,
    round: usize,
    fault: Option<Fault>,
    is_measured: bool,
    dice: &mut Dice,
) -> anyhow::Result<Duration> {
    world.commit(round)?;
    let Some(fault) = fault else {
        world.all_synced(round, SYNCED)?;
        return Ok(Duration::ZERO);
    };
    std::thread::sleep(Duration::from_millis(dice.below(1500) as u64));
    let holders = world.all_held()?;
    let (_, holder) = &holders[dice.below(holders.len())];
    let hit = World::replica_of(holder)?;
    let lost: Vec<u32> = holders.iter().filter(|(_, other)| other == holder).map(|(shard, _)| *shard).collect();
    let began = Instant::now();
    world.strike(hit, fault)?;
    let took = match fault.taken_over_in(is_measured) {
        Some(limit) => {
            let took = world.taken_over(&lost, holder, began)?;
            ensure!(
                took <= limit,
                "shards {lost:?} of {holder} were taken over after {:.1} s, not within {:.1}",
                took.as_secs_f64(),
                limit.as_secs_f64()
            );
            took
        }
        None => {
            std::thread::sleep(Duration::from_secs(2 + dice.below(9) as u64));
            Duration::ZERO
        }
    };
    world.mend(hit, fault)?;
    world.all_synced(round, SYNCED)?;
    Ok(took)
}
