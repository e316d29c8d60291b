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
mod applications;
mod attack;
mod canary;
mod commands;
mod compare;
mod controllers;
mod database;
mod day_of_sens;
mod days;
mod dice;
mod differential;
mod distribution;
mod doors;
mod edges;
mod edits;
mod embedded;
mod evidence;
mod explain;
mod fidelity;
mod full;
mod fuzz;
mod gitea;
mod gitops;
mod groups;
mod helm;
mod http;
mod invocations;
mod kept;
mod kills;
mod limited;
mod listed;
mod mutations;
mod objects;
mod once;
mod operators;
mod ours;
mod pace;
mod parity;
mod peers;
mod random;
mod record;
mod releases;
mod sample;
mod schema;
mod standby;
mod suite;
mod testbed;
mod traces;
mod trials;
mod workers;
mod workshop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use suite::{Suite, Whole, root};

/// Oracles and the suites that compare Landfall with them.
#[derive(Parser)]
#[command(name = "conformance")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The table of suites: a line each, with the type of its arguments.
macro_rules! suites {
    ($($(#[$doc:meta])* $name:ident($arguments:ty),)+) => {
        #[derive(Subcommand)]
        enum Command {
            $($(#[$doc])* $name($arguments),)+
        }

        impl Command {
            fn run(&self) -> anyhow::Result<ExitCode> {
                match self {
                    $(Command::$name(suite) => suite.run(),)+
                }
            }
        }

        /// What `full` runs, in this order.
        fn wholes() -> Vec<Whole> {
            [$(<$arguments as Suite>::WHOLE),+].into_iter().flatten().collect()
        }
    };
}

suites! {
    /// Runs all suites whole, or one of them, and writes their evidence: what is proved on demand.
    Full(full::Arguments),
    /// Builds the peers' binaries into the cache: helm, kubectl, control-plane, all, or a binary's name.
    Oracles(peers::Arguments),
    /// A real control plane on loopback.
    Testbed(testbed::command::Arguments),
    /// The embedded cluster, served on loopback.
    Embedded(embedded::command::Arguments),
    /// Renders charts with helm and with us and compares the bytes; public charts where LANDFALL_CORPUS names folders of repositories (separated as in PATH).
    Parity(parity::Arguments),
    /// Delivers charts by helm 3, by helm 4 and through each of our doors, and compares every stored object; public charts where LANDFALL_CORPUS names folders of repositories.
    Objects(objects::Arguments),
    /// Installs, upgrades, rolls back and uninstalls with helm and with us, and lets releases change hands.
    Releases(releases::command::Arguments),
    /// The same on a real API server.
    ReleasesControl(releases::command::Control),
    /// Packs, signs, pushes, finds, pulls and verifies charts with helm 3, helm 4 and with us, each what the others made.
    Distribution(distribution::command::Arguments),
    /// The day in the life of SENS, unattended: promotions from a build to production.
    DayOfSens(day_of_sens::Arguments),
    /// Sends the same requests to a real API server and to the embedded one and compares the answers.
    Differential(differential::command::Arguments),
    /// Sends the Pod Security Standards' table, as pods, to a real API server and to the embedded one and compares what they say.
    Admission(admission::command::Arguments),
    /// Runs kubectl and helm, as published, against the served embedded cluster.
    Kubectl(commands::command::Arguments),
    /// Runs kubectl's own published shell suite against the embedded cluster.
    KubectlSuite(groups::Arguments),
    /// Compares controllers step by step with the real ones, on random workloads.
    Traces(traces::Arguments),
    /// Installs charts that would be refused, on a real API server and the embedded cluster: all is told, nothing is written.
    Trials(trials::Arguments),
    /// Changes each value of charts, one at a time, and compares what changes in their objects with what was said to
    /// depend on it.
    Explain(explain::Arguments),
    /// Sets values of values files (public ones of LANDFALL_CORPUS, else our own and hostile ones) in place, and compares every other byte.
    Edits(edits::Arguments),
    /// Writes every rule's fixtures in all the ways in which the same fault can be written, and counts them.
    Mutations(mutations::Arguments),
    /// Rehearses charts at their default values, and from their last tag to their head (public ones of LANDFALL_CORPUS and LANDFALL_HISTORY, else our own), holds each finding against what a person says to it, and asks helm about each chart that is refused.
    Alarms(alarms::Arguments),
    /// Rehearses public repositories change after change, as their CI would (LANDFALL_HISTORY), and holds each new finding against what a person says to it.
    Commits(alarms::commits::Arguments),
    /// Rehearses the faults that readers of histories wrote down (LANDFALL_HISTORY), before and behind the commits that mend them: which are told.
    Told(alarms::told::Arguments),
    /// Rehearses, beside `helm lint`, kube-score, kubeconform and a dry run on a real API server, the fixtures of our rules and the commits of public repositories (LANDFALL_HISTORY): who tells what.
    Checkers(alarms::checkers::Arguments),
    /// Reads the Applications and ApplicationSets of public repositories (folders of LANDFALL_APPLICATIONS), expands the sets, and counts and names the fields that are not acted on.
    Applications(applications::Arguments),
    /// Delivers examples and public charts onto the embedded cluster and onto a real control plane, and compares what is left and in which order it came.
    Fidelity(fidelity::Arguments),
    /// Installs the addons (charts of LANDFALL_CORPUS) twice on a real API server: the second time nothing is written.
    Addons(addons::Arguments),
    /// Resets, stops, kills, interrupts and starves deliveries at random moments: each ends in time, and the next one repairs it.
    Doors(doors::Arguments),
    /// Plays the days in the life of LuckyPlans and EZSCALE from commands of the README, each step asserted.
    Days(days::Arguments),
    /// Runs our edge agent against a reproduction of the product's gateway, and the product's own agent (LANDFALL_TYPESCRIPT_AGENT names a checkout in which it was built) against that and against `landfall serve`.
    Edges(edges::Arguments),
    /// Kills the binary at every point at which it writes, and gives the command again: it ends as if it had not been killed.
    Kills(kills::Arguments),
    /// Has `landfall serve` go through the failure table of GitOps: refusals and silence of the API, kills at every write, lost state, repositories that go away, neighbours.
    Gitops(gitops::Arguments),
    /// Pushes to a real Gitea (`cargo run -p oracles -- gitea`), whose webhook leads to `landfall serve`: LuckyPlans and SENS side by side.
    Gitea(gitea::Arguments),
    /// Runs a command beside a server of PostgreSQL, whose address LANDFALL_TEST_DATABASE says.
    Database(database::Arguments),
    /// Kills, stops and cuts off replicas of the server that share a database, during syncs.
    Standby(standby::Arguments),
    /// Measures `landfall serve`: cold start, first sync, push to synced, memory, back after `kill -9`.
    Pace(pace::Arguments),
    /// Tries random sequences of everything that writes, with kills, at keys that are generated once.
    Once(once::Arguments),
    /// Attacks the binary as the authors of repositories, charts, archives and servers might: nothing runs, nothing leaks, nothing fills up.
    Attack(attack::Arguments),
    /// Plants canaries wherever secrets stand, runs every command in every format, killed and failing, and looks for them in all that leaves the process.
    Canary(canary::Arguments),
    /// Runs Flux's controllers, cert-manager and the sealed-secrets controller, as published, against the served embedded cluster, and applies Argo CD's example Applications.
    Controllers(controllers::Arguments),
    /// Fuzzes every reader of hostile input (`conformance/hostile`) with libFuzzer, for so long.
    Fuzz(fuzz::Arguments),
    /// Renders random templates with helm and with us: the same bytes, or refusals in the same words.
    Random(random::Arguments),
    /// Runs random command lines of `helm template` with helm and with our binary: exit code, output, errors and files.
    Invocations(invocations::Arguments),
    /// Shows that parity sees one planted byte.
    Selftest(parity::Selftest),
    /// Records a real API server's answers to request scripts (LANDFALL_API, LANDFALL_API_TOKEN, LANDFALL_API_CA).
    Record(record::Arguments),
    /// Generates the schema tables of `landfall-object` from a Go module cache.
    SchemaTables(schema::Arguments),
    /// Generates the table of operators' kinds from clones of their repositories.
    OperatorTables(operators::Arguments),
}

fn main() -> ExitCode {
    // Evidence is of what was checked out when the run began.
    evidence::commit(root());
    Arguments::parse().command.run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// A short hash, for evidence.
fn hash(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(text)[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}
