//! `landfall serve` where things go wrong: the failure table of GitOps, each row with the real binary.
//!
//! ```text
//! scene.rs     a repository that is pushed to · an embedded cluster in this process · `landfall serve` between them
//! between.rs   a server between it and the cluster: refuses, loses answers, falls silent, repeats itself
//! edges.rs     `kill -9` at every point at which a sync writes, and the next server goes on
//! api.rs · hooks.rs · state.rs · sources.rs · company.rs    the rows
//! ```
//!
//! Beside each row stand Applications that are none of its business: some that are well, one that cannot be rendered, one on a
//! repository that does not answer. They must be as before.

mod api;
mod between;
mod company;
mod edges;
mod hooks;
pub(crate) mod scene;
mod sources;
mod state;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crate::evidence::CaseEvidence;
use crate::suite::{Asked, Material, Suite, Whole, Workers, selftest as told};
use crate::{sample, workers};
use scene::Scene;

/// Has `landfall serve` go through the failure table.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Only so many points of each sync that is killed, drawn by the commit's hash, and no row that waits for more than a minute; no
    /// evidence is written.
    #[arg(long)]
    sample: Option<usize>,
    /// How many Applications that are well stand beside each row.
    #[arg(long, default_value_t = 100)]
    beside: usize,
    #[command(flatten)]
    workers: Workers,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> =
        Some(Whole::of("gitops", Material::Oracles, &[&["gitops", "--selftest"], &["gitops", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

/// A row of the table.
struct Row {
    name: &'static str,
    /// What must hold.
    holds: &'static str,
    /// Whether it waits for more than a minute.
    slow: bool,
    play: fn(&Ground) -> anyhow::Result<()>,
}

const fn row(name: &'static str, holds: &'static str, play: fn(&Ground) -> anyhow::Result<()>) -> Row {
    Row { name, holds, slow: false, play }
}

const fn slow(name: &'static str, holds: &'static str, play: fn(&Ground) -> anyhow::Result<()>) -> Row {
    Row { name, holds, slow: true, play }
}

/// What every row is given.
struct Ground {
    landfall: PathBuf,
    beside: usize,
}

impl Ground {
    /// A scene with those beside it.
    fn scene(&self) -> anyhow::Result<Scene> {
        self.with_faults(&[])
    }

    fn with_faults(&self, faults: &[&str]) -> anyhow::Result<Scene> {
        let mut scene = Scene::with_faults(&self.landfall, faults)?;
        scene.crowd(self.beside)?;
        Ok(scene)
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    [api::ROWS, hooks::ROWS, state::ROWS, sources::ROWS, company::ROWS].into_iter().flatten()
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let landfall = arguments.asked.landfall()?;
    if arguments.asked.selftest {
        return selftest(&landfall);
    }
    let began = Instant::now();
    let (several, is_sample) = (arguments.workers.count(), arguments.sample.is_some());
    let ground = Ground { landfall: landfall.clone(), beside: arguments.beside };
    let wanted: Vec<&Row> = rows().filter(|row| arguments.asked.wants(row.name) && !(is_sample && row.slow)).collect();
    let mut cases = workers::several(several, &wanted, |_, row| {
        let began = Instant::now();
        let outcome = (row.play)(&ground);
        match &outcome {
            Ok(()) => println!("{} ({:.1} s)", row.name, began.elapsed().as_secs_f64()),
            Err(error) => println!("FAILS {}: {}: {error:#}", row.name, row.holds),
        }
        CaseEvidence::judged(row.name.to_owned(), row.holds, outcome.is_ok())
    });
    let left_out = if is_sample { rows().filter(|row| row.slow).count() } else { 0 };
    let rows = cases.len();
    for course in edges::COURSES.iter().filter(|course| arguments.asked.wants(course.name)) {
        let recorded = course.recorded(&landfall)?;
        let points: Vec<&edges::Point> = recorded.points.iter().collect();
        println!("{}: {} points", course.name, points.len());
        let points = sample::draw(course.name, points, arguments.sample);
        cases.extend(workers::several(several, &points, |_, point| {
            let id = format!("{}/{point}", course.name);
            let outcome = course.kill_at(point, &recorded, &landfall);
            if let Err(error) = &outcome {
                println!("FAILS {id}: {error:#}");
            }
            CaseEvidence::judged(id, course.name, outcome.is_ok())
        }));
    }
    let failed = cases.iter().filter(|case| case.verdict == "failed").count();
    println!(
        "gitops: {rows} rows, {} kills, {} passed, {failed} failed, {left_out} left out for their time; {} Applications beside each, {} s",
        cases.len() - rows,
        cases.len() - failed,
        arguments.beside + 2,
        began.elapsed().as_secs()
    );
    let planned = cases.len();
    if !is_sample {
        arguments.asked.leave("gitops", "what the table says must hold; a sync that nobody killed", cases)?;
    }
    Ok(if failed == 0 && planned > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Faults in front of the binary, each of which must turn something red.
const FAULTS: [(&str, &str, &str); 3] = [
    (
        "a journal that is lost with the process",
        "edges",
        "case \"${LANDFALL_TEST_PROBE:-none}\" in none) rm -rf \"$LANDFALL_STATE\";; esac",
    ),
    ("a server that is not killed", "edges", "unset LANDFALL_TEST_PROBE"),
    (
        "a server that looks on",
        "branch_deleted",
        "set -- serve --yes --context gitops --kubeconfig kubeconfig --listen 127.0.0.1:0 --sealing off",
    ),
];

/// Shows that faults are seen.
fn selftest(landfall: &Path) -> anyhow::Result<ExitCode> {
    let place = tempfile::Builder::new().prefix("landfall-gitops-").tempdir()?;
    let course = &edges::COURSES[0];
    let recorded = course.recorded(landfall)?;
    let point = recorded.in_the_hook()?;
    course.kill_at(point, &recorded, landfall)?;
    let mut seen = Vec::new();
    for (index, (what, at, fault)) in FAULTS.iter().enumerate() {
        let wrapper = place.path().join(format!("landfall-{index}"));
        let text = format!("#!/bin/bash\n{fault}\nexec '{}' \"$@\"\n", landfall.display());
        crate::kills::write_program(&wrapper, &text)?;
        let outcome = match rows().find(|row| row.name == *at) {
            Some(row) => (row.play)(&Ground { landfall: wrapper, beside: 1 }),
            None => course.kill_at(point, &recorded, &wrapper),
        };
        seen.push((
            *what,
            match outcome {
                Err(error) => Ok(format!("{error:#}").lines().next().unwrap_or_default().to_owned()),
                Ok(()) => Err(String::new()),
            },
        ));
    }
    Ok(told("gitops", seen, ""))
}
