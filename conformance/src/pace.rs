//! How fast the server is, and what it takes, beside Argo CD's: cold start, first sync, push to synced, memory, back after `kill -9`.
//!
//! ```text
//! git ─► `landfall serve --repo` ─► API server (the original's, or the embedded one)
//! each number of Applications, of twenty objects each:
//!   start ─► all created: all synced ─► one pushed, again and again ─► all pushed at once
//!         ─► kill -9, one object of each changed by hand ─► start: every verdict is told
//! ```
//!
//! Everything is done with the binary, from outside, and seen as a client of the API sees it: a watch of the Applications. A
//! measurement and no test: nothing fails for being slow. `docs/benchmarks.md` has what was measured.

mod argo_cd;
mod ground;
mod seen;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::suite::Suite;
use ground::{Ground, Shape};

/// Measures `landfall serve` with so many Applications.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The `landfall` to run, a release build; the one beside this program when not said.
    #[arg(long)]
    landfall: Option<PathBuf>,
    /// How many Applications, once each.
    #[arg(default_values_t = [1, 100])]
    applications: Vec<usize>,
    /// How often one Application is pushed.
    #[arg(long, default_value_t = 20)]
    pushes: usize,
    /// On the embedded cluster, in place of a real API server.
    #[arg(long)]
    embedded: bool,
    /// Measure Argo CD's own controller and repository server (`cargo run -p oracles -- argo-cd`, and Debian's `redis-server`) as well, each in turn with Landfall.
    #[arg(long, conflicts_with_all = ["embedded", "requests"])]
    argo_cd: bool,
    /// Print what the API server was asked until all were synced, and again after `kill -9`, and how often. It logs that meanwhile, and is slower.
    #[arg(long, conflicts_with = "embedded")]
    requests: bool,
}

/// The longest that is waited for anything.
const PATIENCE: Duration = Duration::from_secs(1200);
/// How long nothing is done before memory is looked at.
const REST: Duration = Duration::from_secs(5);

impl Suite for Arguments {
    fn run(&self) -> anyhow::Result<ExitCode> {
        for applications in &self.applications {
            for is_argo_cd in [false, true].into_iter().take(1 + usize::from(self.argo_cd)) {
                println!("{}", measured(self, *applications, is_argo_cd)?);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// One run; where it comes to nothing, what was logged stays to be looked at.
fn measured(arguments: &Arguments, applications: usize, is_argo_cd: bool) -> anyhow::Result<Value> {
    let Arguments { embedded: is_embedded, requests: is_counted, .. } = *arguments;
    let shape = Shape { applications, is_embedded, is_counted, is_argo_cd };
    let mut ground = Ground::lay(arguments.landfall.as_deref(), shape)?;
    measured_on(&mut ground, arguments, shape)
        .map_err(|error| error.context(format!("what was logged is in {}", ground.keep_folder().display())))
}

/// Times in milliseconds, memory in MB.
fn measured_on(ground: &mut Ground, arguments: &Arguments, shape: Shape) -> anyhow::Result<Value> {
    let Shape { applications, is_argo_cd, .. } = shape;
    let ready = ground.start()?;
    let bare = ground.memory()?;
    let first = ground.create(PATIENCE)?;
    std::thread::sleep(REST);
    for (request, count) in ground.requests()? {
        println!("{count:6} {request}");
    }
    let steady = ground.memory()?;
    let mut one: Vec<Duration> = Vec::new();
    for push in 1..=arguments.pushes {
        one.push(ground.push(&[push % applications], push, PATIENCE)?);
    }
    one.sort();
    let everyone: Vec<usize> = (0..applications).collect();
    let all = ground.push(&everyone, arguments.pushes + 1, PATIENCE)?;
    std::thread::sleep(REST);
    let after = ground.memory()?;
    ground.kill()?;
    ground.change_by_hand()?;
    let before = ground.requests()?;
    let (again, verdicts) = ground.start_until_all_are_out_of_sync(PATIENCE)?;
    std::thread::sleep(REST);
    for (request, count) in ground.requests()? {
        let again = count - before.get(&request).copied().unwrap_or_default();
        if again > 0 {
            println!("{again:6} {request} (after `kill -9`)");
        }
    }
    let restarted = ground.memory()?;
    let at = |share: f64| one.get(((one.len() as f64 * share).ceil() as usize).saturating_sub(1)).map(millis);
    Ok(json!({
        "of": if is_argo_cd { "argo-cd" } else { "landfall" },
        "applications": applications,
        "objects": applications * ground::OBJECTS,
        "api": ground.place(),
        "ready_ms": millis(&ready),
        "first_sync_ms": millis(&first),
        "push_one_ms": {"p50": at(0.5), "p99": at(0.99), "pushes": one.len()},
        "push_all_ms": millis(&all),
        "ready_again_ms": millis(&again),
        "verdicts_back_ms": millis(&verdicts),
        "memory_mb": {
            "without_applications": bare.now, "synced": steady.now, "after_pushes": after.now, "peak": after.peak,
            "after_restart": restarted.now, "peak_after_restart": restarted.peak,
        },
        "own_memory_mb": {
            "without_applications": bare.own, "synced": steady.own, "after_pushes": after.own, "after_restart": restarted.own,
        },
    }))
}

fn millis(time: &Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
