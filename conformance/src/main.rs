//! Compares Landfall with its peers: oracles, a real control plane on loopback, and the suites that run against both.
//!
//! ```text
//!   oracles ──► helm ──► parity of rendered charts
//!      │
//!      └──► testbed (etcd, kube-apiserver, …) ──┐
//!                                               ├──► differential requests ──► equal, or listed
//!           embedded cluster ───────────────────┤
//!                                               └──► kubectl and helm suites
//! ```
//!
//! Every suite counts what it planned, prints one closing line, and can write its evidence to `docs/evidence`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this program's output is its report")]

mod addons;
mod admission;
mod alarms;
mod attack;
mod canary;
mod commands;
mod compare;
mod controllers;
mod dice;
mod differential;
mod distribution;
mod doors;
mod embedded;
mod evidence;
mod explain;
mod fidelity;
mod full;
mod fuzz;
mod groups;
mod helm;
mod http;
mod invocations;
mod limited;
mod objects;
mod ours;
mod parity;
mod peers;
mod random;
mod record;
mod releases;
mod schema;
mod testbed;
mod traces;
mod trials;
mod workers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use landfall_chart::Dialect;

/// Oracles and the suites that compare Landfall with them.
#[derive(Parser)]
#[command(name = "conformance")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs all suites whole, or one of them, and writes their evidence: what is proved on demand.
    Full(full::Arguments),
    /// Builds the peers' binaries into the cache: helm, kubectl, control-plane, all, or a binary's name.
    Oracles {
        /// What to build; everything when not said.
        names: Vec<String>,
    },
    /// A real control plane on loopback.
    Testbed(testbed::command::Arguments),
    /// The embedded cluster, served on loopback.
    Embedded(embedded::command::Arguments),
    /// Sends the same requests to a real API server and to the embedded one and compares the answers.
    Differential(differential::command::Arguments),
    /// Sends the Pod Security Standards' table, as pods, to a real API server and to the embedded one and compares what they say.
    Admission(admission::command::Arguments),
    /// Runs kubectl and helm, as published, against the served embedded cluster.
    Kubectl(commands::command::Arguments),
    /// Runs kubectl's own published shell suite against the embedded cluster.
    KubectlSuite(groups::Arguments),
    /// Installs, upgrades, rolls back and uninstalls with helm and with us, and lets releases change hands.
    Releases(releases::command::Arguments),
    /// Packs, signs, pushes, finds, pulls and verifies charts with helm 3, helm 4 and with us, each what the others made.
    Distribution(distribution::command::Arguments),
    /// Resets, stops, kills, interrupts and starves deliveries at random moments: each ends in time, and the next one repairs it.
    Doors(doors::Arguments),
    /// Attacks the binary as the authors of repositories, charts, archives and servers might: nothing runs, nothing leaks, nothing fills up.
    Attack(attack::Arguments),
    /// Plants canaries wherever secrets stand, runs every command in every format, killed and failing, and looks for them in all that leaves the process.
    Canary(canary::Arguments),
    /// Compares controllers step by step with the real ones, on random workloads.
    Traces(traces::Arguments),
    /// Installs charts that would be refused, on a real API server and the embedded cluster: all is told, nothing is written.
    Trials(trials::Arguments),
    /// Renders charts with helm and with us and compares the bytes; public charts where LANDFALL_CORPUS names folders of repositories (separated as in PATH).
    Parity {
        /// Only cases whose id holds this text.
        only: Option<String>,
        /// Which Helm is followed: v3 or v4.
        #[arg(long, default_value = "v3", value_parser = dialect)]
        dialect: Dialect,
    },
    /// Delivers charts by helm 3, by helm 4 and through each of our doors, and compares every stored object; public charts where LANDFALL_CORPUS names folders of repositories.
    Objects(objects::Arguments),
    /// Renders random templates with helm and with us: the same bytes, or refusals in the same words.
    Random {
        /// How many templates.
        #[arg(default_value_t = 300)]
        count: usize,
        /// The seed; from the clock when not said, and printed.
        seed: Option<u64>,
        /// Which Helm is followed: v3 or v4.
        #[arg(long, default_value = "v3", value_parser = dialect)]
        dialect: Dialect,
    },
    /// Runs random command lines of `helm template` with helm and with our binary: exit code, output, errors and files.
    Invocations {
        /// How many command lines.
        #[arg(default_value_t = 300)]
        count: usize,
        /// The seed; from the clock when not said, and printed.
        seed: Option<u64>,
        /// Which Helm is followed: v3 or v4.
        #[arg(long, default_value = "v3", value_parser = dialect)]
        dialect: Dialect,
        /// Our binary; the one beside this program when not said.
        #[arg(long)]
        landfall: Option<PathBuf>,
    },
    /// Changes each value of charts, one at a time, and compares what changes in their objects with what was said to
    /// depend on it.
    Explain {
        /// Directories of charts, dependencies in place.
        #[arg(required = true)]
        charts: Vec<PathBuf>,
        /// Only every so many-th value.
        #[arg(long, default_value_t = 1)]
        every: usize,
        /// Write docs/evidence/explain.json.
        #[arg(long)]
        evidence: bool,
    },
    /// Fuzzes every reader of hostile input (`conformance/hostile`) with libFuzzer, for so long.
    Fuzz(fuzz::Arguments),
    /// Delivers examples and public charts onto the embedded cluster and onto a real control plane, and compares what is left and in which order it came.
    Fidelity(fidelity::Arguments),
    /// Installs the addons (charts of LANDFALL_CORPUS) twice on a real API server: the second time nothing is written.
    Addons(addons::Arguments),
    /// Runs Flux's controllers, cert-manager and the sealed-secrets controller, as published, against the served embedded cluster, and applies Argo CD's example Applications.
    Controllers(controllers::Arguments),
    /// Rehearses public charts at their default values (of LANDFALL_CORPUS) and holds each error against what a person says to it.
    Alarms(alarms::Arguments),
    /// Shows that parity sees one planted byte.
    Selftest,
    /// Records a real API server's answers to request scripts (LANDFALL_API, LANDFALL_API_TOKEN, LANDFALL_API_CA).
    Record {
        /// The scripts.
        cases: PathBuf,
        /// The golden to write.
        golden: PathBuf,
    },
    /// Generates the schema tables of `landfall-object` from a Go module cache.
    SchemaTables {
        /// The Go module cache.
        cache: PathBuf,
        /// The file to write.
        out: PathBuf,
        /// The version of Kubernetes.
        #[arg(default_value = "1.36.3")]
        version: String,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Oracles { names } => return oracles::command(&names),
        Command::Full(arguments) => said(full::run(root(), &arguments)),
        Command::Testbed(arguments) => testbed::command::run(&arguments),
        Command::Embedded(arguments) => embedded::command::run(&arguments),
        Command::Differential(arguments) => differential::command::run(&arguments),
        Command::Admission(arguments) => admission::command::run(&arguments),
        Command::KubectlSuite(arguments) => groups::run(&arguments),
        Command::Traces(arguments) => traces::run(&arguments),
        Command::Trials(arguments) => trials::run(&arguments),
        Command::Releases(arguments) => releases::command::run(&arguments),
        Command::Distribution(arguments) => distribution::command::run(&arguments),
        Command::Doors(arguments) => doors::run(&arguments),
        Command::Attack(arguments) => attack::run(&arguments),
        Command::Canary(arguments) => canary::run(&arguments),
        Command::Kubectl(arguments) => commands::command::run(&arguments),
        Command::Parity { only, dialect } => {
            let corpus = std::env::var_os("LANDFALL_CORPUS");
            let corpus = corpus.map(|paths| std::env::split_paths(&paths).collect()).unwrap_or_default();
            said(parity::run(root(), &parity::Options { only, corpus, dialect, ..parity::Options::default() }))
        }
        Command::Explain { charts, every, evidence } => {
            said(explain::run(root(), &explain::Options { charts, every, evidence }))
        }
        Command::Fuzz(arguments) => said(fuzz::run(root(), &arguments)),
        Command::Fidelity(arguments) => fidelity::run(&arguments),
        Command::Addons(arguments) => addons::run(&arguments),
        Command::Controllers(arguments) => controllers::run(&arguments),
        Command::Alarms(arguments) => said(alarms::run(root(), &arguments)),
        Command::Objects(arguments) => objects::run(&arguments),
        Command::Selftest => said(parity::selftest(root())),
        Command::Record { cases, golden } => {
            said(record::record(&cases, &golden).map(|requests| format!("{}: {requests} answers", golden.display())))
        }
        Command::SchemaTables { cache, out, version } => said(
            schema::generate(&cache, &out, &version)
                .map(|(text, bytes)| format!("{}: {text} bytes of table in {bytes} bytes", out.display())),
        ),
        Command::Random { count, seed, dialect } => said(random::run(root(), count, seed.unwrap_or_else(now), dialect)),
        Command::Invocations { count, seed, dialect, landfall } => {
            said(invocations::run(count, seed.unwrap_or_else(now), dialect, landfall))
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Reads `--dialect`.
fn dialect(word: &str) -> Result<Dialect, String> {
    match word {
        "v3" => Ok(Dialect::V3),
        "v4" => Ok(Dialect::V4),
        _ => Err("it is v3 or v4".to_owned()),
    }
}

/// A seed: the seconds since 1970.
fn now() -> u64 {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    clock.map_or(1, |time| time.as_secs())
}

/// Prints a suite's closing line.
fn said(outcome: Result<String, Box<dyn std::error::Error>>) -> anyhow::Result<ExitCode> {
    match outcome {
        Ok(line) => println!("{line}"),
        Err(error) => anyhow::bail!("{error}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The repository that this program was built from.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// A short hash, for evidence.
fn hash(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(text)[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}
