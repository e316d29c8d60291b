//! The same delivery onto the embedded cluster and onto a real control plane: does it end in the same objects, in the same
//! order?
//!
//! ```text
//! conformance/fidelity.toml ─► a copy of the example or chart
//!     ├─► landfall up, embedded cluster (twice) ─┐
//!     └─► landfall up, by kubeconfig, testbed ───┴─► watches of everything ─► keys, specs, order ─► equal, or listed
//! ```
//!
//! The testbed is a real kube-apiserver with its controller-manager and scheduler, and kwok as the kubelet. What a whole
//! cluster has beside them and the testbed does not (a volume provisioner, a load balancer, the operators whose kinds the
//! examples use) is played by [`stand_in`], which only makes ready what was asked for; what the embedded cluster's own
//! operators make is not compared, and the evidence says how much that was.
//!
//! Only what has no meaning on another cluster is left out of the comparison ([`scene`]): ids, versions, times, generated
//! name endings, addresses, node names. What differs between two deliveries onto the embedded cluster (drawn passwords) is
//! compared by its length alone. The order is compared as a set of edges that must hold on both sides ([`order`]): the
//! plan's phases, waves, waits and hooks, owners before what they own, and readiness after what it depends on.

mod asking;
mod cases;
mod compare;
mod delivery;
mod order;
mod recorder;
mod scene;
mod stand_in;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use crate::evidence::{Cluster, commit, write};
use crate::http::Endpoint;
use crate::suite::{Material, Suite, Whole, corpus};
use crate::testbed::{Layout, Running};
use crate::traces::side::Side;
use crate::{helm, parity, peers, root, testbed};
use cases::{Case, List};
use compare::Comparison;
use delivery::{Delivery, Place};
use recorder::Recorder;

/// Compares deliveries onto the embedded cluster with those onto a real control plane.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only cases whose id holds this text; no evidence is written.
    only: Option<String>,
    /// The `landfall` to run; the one beside this program when not said.
    #[arg(long)]
    landfall: Option<PathBuf>,
    /// Write docs/evidence/fidelity.json.
    #[arg(long)]
    evidence: bool,
}

/// What is written to `docs/evidence/fidelity.json`.
#[derive(Debug, Serialize)]
struct Evidence {
    suite: &'static str,
    commit: String,
    cluster: Cluster,
    oracle: String,
    planned: usize,
    passed: usize,
    failed: usize,
    skipped: usize,
    /// Differences that were decided, with how often each was met.
    decided: BTreeMap<String, usize>,
    /// A rehearsal from a live cluster with its API asked: the requests in that API's audit log.
    asked: Asked,
    cases: Vec<CaseEvidence>,
}

#[derive(Debug, Default, Serialize)]
struct Asked {
    requests: usize,
    /// What did not hold.
    differences: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CaseEvidence {
    id: String,
    verdict: &'static str,
    /// Objects that both sides have and that were compared, field by field.
    objects: usize,
    fields: usize,
    /// Fields that are another value with each delivery, compared by length alone.
    drawn: usize,
    /// Objects that the embedded cluster's operators made, or the testbed's stand-in: not compared.
    played: usize,
    /// Edges of the order, by what they come from.
    edges: BTreeMap<&'static str, usize>,
    /// Differences that were decided.
    decided: usize,
    differences: Vec<String>,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("fidelity", Material::Corpus, &[&["fidelity", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let list = List::load(&root().join("conformance/fidelity.toml"))?;
    let landfall = peers::landfall(arguments.landfall.as_deref())?;
    let chosen = |case: &&Case| arguments.only.as_ref().is_none_or(|only| case.id.contains(only.as_str()));
    let corpus = corpus();
    let charts = match corpus.is_empty() {
        true => Vec::new(),
        false => parity::cases::corpus(&corpus, &helm::cache().join("conformance/charts"))
            .map_err(|error| anyhow::anyhow!("the corpus cannot be read: {error}"))?,
    };
    let runtime = testbed::runtime()?;
    let mut evidence = Evidence {
        suite: "fidelity",
        commit: commit(root()),
        cluster: Cluster::Both,
        oracle: peers::versions("kube-apiserver")?,
        planned: 0,
        passed: 0,
        failed: 0,
        skipped: 0,
        decided: BTreeMap::new(),
        asked: Asked::default(),
        cases: Vec::new(),
    };
    for case in list.cases.iter().filter(chosen) {
        let source = match (&case.example, &case.chart) {
            (Some(example), _) => Some(root().join(example)),
            (None, Some(chart)) => charts.iter().find(|it| it.id == *chart).map(|it| it.chart.clone()),
            (None, None) => None,
        };
        let Some(source) = source else {
            println!("skipped {}: not in the corpus (LANDFALL_CORPUS)", case.id);
            evidence.skipped += 1;
            continue;
        };
        let started = Instant::now();
        let place = Place { landfall: &landfall, case, source: &source };
        let compared = play(&runtime, &place, &list).unwrap_or_else(|error| Comparison {
            differences: vec![format!("it could not be played: {error:#}")],
            ..Comparison::default()
        });
        let seconds = started.elapsed().as_secs();
        evidence.planned += 1;
        let same = compared.differences.is_empty();
        if same {
            evidence.passed += 1;
        } else {
            evidence.failed += 1;
        }
        println!(
            "{} {}: {} objects, {} fields, {} edges, {} decided, {seconds} s",
            if same { "equal" } else { "DIFFERS" },
            case.id,
            compared.objects,
            compared.fields,
            compared.edges.values().sum::<usize>(),
            compared.decided.len(),
        );
        for difference in &compared.differences {
            println!("  {difference}");
        }
        for reason in &compared.decided {
            *evidence.decided.entry(reason.clone()).or_default() += 1;
        }
        evidence.cases.push(CaseEvidence {
            id: case.id.clone(),
            verdict: if same { "equal" } else { "differs" },
            objects: compared.objects,
            fields: compared.fields,
            drawn: compared.drawn,
            played: compared.played,
            edges: compared.edges,
            decided: compared.decided.len(),
            differences: compared.differences,
        });
    }
    const ASKING: &str = "rehearse --from live --ask-api";
    if arguments.only.as_ref().is_none_or(|only| ASKING.contains(only.as_str())) {
        let (requests, differences) = runtime.block_on(asking::ask(&landfall))?;
        let well = differences.is_empty();
        println!("{} {ASKING}: {requests} requests, reads and dry runs alone", if well { "holds" } else { "FAILS" });
        differences.iter().for_each(|difference| println!("  {difference}"));
        evidence.planned += 1;
        *if well { &mut evidence.passed } else { &mut evidence.failed } += 1;
        evidence.asked = Asked { requests, differences };
    }
    // A reason that nothing needs any more is taken off the list.
    let whole = arguments.only.is_none() && evidence.skipped == 0;
    let idle: Vec<&str> = list
        .decided
        .iter()
        .filter(|decided| whole && !evidence.decided.contains_key(&decided.reason))
        .map(|decided| decided.reason.as_str())
        .collect();
    for reason in &idle {
        println!("not met any more: {reason}");
    }
    println!(
        "fidelity: {} cases, {} end alike in the same order, {} differ, {} skipped",
        evidence.planned, evidence.passed, evidence.failed, evidence.skipped
    );
    if arguments.evidence && arguments.only.is_none() {
        write(root(), evidence.suite, &evidence)?;
    }
    let well = evidence.failed == 0 && evidence.planned > 0 && idle.is_empty();
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Gives a testbed what a k3s has, and plays on it what its operators and its provisioner would do until the runtime ends.
pub(crate) async fn play_the_rest(endpoint: &Endpoint) -> anyhow::Result<()> {
    let side = Side::new(endpoint.clone())?;
    stand_in::furnish(&side, &[]).await?;
    let recorder = Recorder::start(endpoint).await?;
    tokio::spawn(async move { stand_in::play(&side, &recorder).await });
    Ok(())
}

/// Delivers one case everywhere and compares.
fn play(runtime: &tokio::runtime::Runtime, place: &Place<'_>, list: &List) -> anyhow::Result<Comparison> {
    let first = runtime.block_on(Delivery::embedded(place))?;
    let second = runtime.block_on(Delivery::embedded(place))?;
    let running = Running::start(Layout::on_free_ports()?)?;
    let real = runtime.block_on(Delivery::testbed(place, running.testbed(), &first))?;
    drop(running);
    Ok(compare::compare(&place.case.id, [&first, &second], &real, list))
}
