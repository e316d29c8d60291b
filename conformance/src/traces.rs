//! Random workloads before the real controller-manager and before ours, step by step.
//!
//! Neither side has a scheduler or a kubelet: the suite plays both, so that on both sides the same thing happens to the pods in the same order. A
//! [`scenario::Scenario`] is a workload drawn from a seed with actions on it: create, change, scale, let one pod get ready, fail or end one, take one
//! away. After each action both controllers come to rest, and a [`snapshot`] of all that they wrote (counts, conditions, revisions, pods by rank,
//! events since the step before) has to be the same. Jumping to the end shows at the first step.
//!
//! What has no meaning across clusters is left out: names and hashes become revisions and ranks, times and uids are not looked at.
//!
//! The real controllers go different ways themselves where two of their caches race. A scenario that differs is played again,
//! twice at most, and is equal only if it is equal then at every step; how many were is told.

mod act;
mod scenario;
pub(crate) mod side;
mod snapshot;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use crate::embedded::{Embedded, Shape};
use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::sample;
use crate::suite::{Material, Suite, Whole};
use crate::testbed::{self, Component, Layout, Running};
use crate::{peers, root};
use scenario::{Action, Kind, Scenario};
use side::Side;

/// How long both sides must show the same before that counts as rest.
const REST: Duration = Duration::from_millis(700);
const BETWEEN_LOOKS: Duration = Duration::from_millis(120);

/// How often a scenario that differs is played again.
const AGAIN: usize = 2;

/// Compares the steps of controllers with those of the real ones.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only these kinds: deployment, statefulset, daemonset, job, cronjob, autoscaler.
    kinds: Vec<String>,
    /// How many scenarios of each kind; of cron jobs there is always one, which takes up to a minute.
    #[arg(long, default_value_t = 3)]
    count: usize,
    /// The first seed; from the commit's hash when not said, and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Print every step that was compared.
    #[arg(long)]
    verbose: bool,
    /// Write docs/evidence/traces.json.
    #[arg(long)]
    evidence: bool,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> =
        Some(Whole::of("traces", Material::Oracles, &[&["traces", "--count", "20", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let seed = arguments.seed.unwrap_or_else(sample::seed);
    println!("traces: seed {seed}");
    let chosen = |kind: &Kind| arguments.kinds.is_empty() || arguments.kinds.iter().any(|name| name == kind.name());
    let mut scenarios: Vec<Scenario> = Kind::ALL
        .into_iter()
        .filter(chosen)
        .flat_map(|kind| {
            let count = if kind == Kind::CronJob { 1 } else { arguments.count };
            (0..count).map(move |at| Scenario::draw(kind, seed + at as u64))
        })
        .collect();
    anyhow::ensure!(!scenarios.is_empty(), "no such kind");
    let runtime = testbed::runtime()?;
    let layout = Layout::on_free_ports()?;
    let layout = layout.with(&[Component::Etcd, Component::ApiServer, Component::ControllerManager]);
    let running = Running::start(layout)?;
    let embedded = Embedded::start(Shape::ControllersOnly, 0)?;
    let sides = [Side::new(running.testbed().endpoint()?)?, Side::new(embedded.endpoint().clone())?];
    let (mut cases, mut raced) = (Vec::new(), 0);
    for scenario in &mut scenarios {
        let id = scenario.id();
        let mut outcome = runtime.block_on(play(&sides, scenario, arguments.verbose))?;
        while let Some(difference) = outcome.difference.as_ref().filter(|_| scenario.before < AGAIN) {
            println!("again {id}: after {} equal steps, at {difference}", outcome.steps);
            scenario.before += 1;
            outcome = runtime.block_on(play(&sides, scenario, arguments.verbose))?;
        }
        raced += usize::from(scenario.before > 0 && outcome.difference.is_none());
        match &outcome.difference {
            None => println!("equal {id}: {} steps", outcome.steps),
            Some(difference) => println!("DIFFERS {id} after {} equal steps, at {difference}", outcome.steps),
        }
        cases.push(CaseEvidence {
            hash: crate::hash(&scenario.object.to_string()),
            verdict: if outcome.difference.is_none() { "equal" } else { "differs" },
            id,
        });
    }
    let failed = cases.iter().filter(|case| case.verdict == "differs").count();
    println!(
        "traces: {} scenarios, {} equal ({raced} of them when played again), {failed} differ, seed {seed}",
        cases.len(),
        cases.len() - failed
    );
    if arguments.evidence {
        Evidence::of("traces", Cluster::Both, peers::versions("kube-controller-manager")?, cases).write(root())?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Outcome {
    /// Steps at which both sides showed the same.
    steps: usize,
    difference: Option<String>,
}

async fn play(sides: &[Side; 2], scenario: &Scenario, verbose: bool) -> anyhow::Result<Outcome> {
    for side in sides {
        act::prepare(side, scenario).await?;
    }
    let mut told: [Vec<String>; 2] = Default::default();
    let mut outcome = Outcome { steps: 0, difference: None };
    for (at, action) in scenario.actions.iter().enumerate() {
        for side in sides {
            act::carry_out(side, scenario, action).await?;
        }
        let seen = rest(sides, scenario, action, &told).await?;
        if seen[0] != seen[1] {
            outcome.difference = Some(format!("step {at}, {action:?}:\n{}", differences(&seen[0], &seen[1])));
            break;
        }
        outcome.steps += 1;
        if verbose {
            println!("  {at} {action:?}: {}", seen[0]);
        }
        for (told, seen) in told.iter_mut().zip(&seen) {
            told.extend(events(seen));
        }
    }
    for side in sides {
        act::clear(side, scenario).await?;
    }
    Ok(outcome)
}

fn events(seen: &Value) -> Vec<String> {
    let list = seen["events"].as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Looks at both sides until they have shown the same for a while, or time is up; what they showed last.
async fn rest(
    sides: &[Side; 2],
    scenario: &Scenario,
    action: &Action,
    told: &[Vec<String>; 2],
) -> anyhow::Result<[Value; 2]> {
    let begun = Instant::now();
    let mut last: Option<([Value; 2], Instant)> = None;
    loop {
        let (real, ours) =
            tokio::join!(snapshot::take(&sides[0], scenario, &told[0]), snapshot::take(&sides[1], scenario, &told[1]));
        let (real, ours) = (real?, ours?);
        let settled = real.settled && ours.settled && action.is_answered(&real.value);
        let seen = [real.value, ours.value];
        let since = match &last {
            Some((before, since)) if *before == seen => *since,
            _ => Instant::now(),
        };
        let at_rest = settled && seen[0] == seen[1] && since.elapsed() >= REST;
        if at_rest || begun.elapsed() > action.patience() {
            return Ok(seen);
        }
        last = Some((seen, since));
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// The fields in which two snapshots differ, one a line.
fn differences(real: &Value, ours: &Value) -> String {
    let fields = real.as_object().into_iter().flatten().map(|(name, _)| name);
    let different = fields.filter(|name| real[name.as_str()] != ours[name.as_str()]);
    let lines = different.map(|name| format!("  {name}\n    real {}\n    ours {}", real[name], ours[name]));
    lines.collect::<Vec<_>>().join("\n")
}
