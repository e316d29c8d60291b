//! `kill -9` at every point at which the binary writes: its journal, the cluster, its records.
//!
//! ```text
//! course: what was delivered before ─► a command
//!   recorded once (LANDFALL_TEST_PROBE=record:…) ─► its points, and how it ends when nobody kills it
//!   for each point: a copy ─► the command, killed there ─► the same command ─► it ends as if it had not been killed
//! ```
//!
//! In a course without a server the embedded cluster dies with the command; beside one it goes on, as a real one would.
//! The tests of the binary kill at a sample of the points (`landfall/tests/it/kills.rs`), this at all of them.

mod course;
mod left;
mod place;

use std::process::ExitCode;
use std::time::Instant;

use crate::evidence::CaseEvidence;
use crate::suite::{Asked, Material, Suite, Whole, Workers};
use crate::{sample, workers};
use course::{Course, Recorded};
pub(crate) use place::write_program;

/// Kills the binary at every point at which it writes, and gives the command again.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Only so many points of each course, drawn by the commit's hash; no evidence is written.
    #[arg(long)]
    sample: Option<usize>,
    #[command(flatten)]
    workers: Workers,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> =
        Some(Whole::of("kills", Material::Oracles, &[&["kills", "--selftest"], &["kills", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let landfall = arguments.asked.landfall()?;
    if arguments.asked.selftest {
        return course::selftest(&landfall);
    }
    let began = Instant::now();
    let several = arguments.workers.count();
    let (mut cases, mut courses) = (Vec::new(), 0);
    for course in course::COURSES.iter().filter(|course| arguments.asked.wants(course.name)) {
        courses += 1;
        let recorded = course.recorded(&landfall)?;
        let points: Vec<(usize, &String)> = recorded.points.iter().enumerate().collect();
        println!("{}: {} points", course.name, points.len());
        let points = sample::draw(course.name, points, arguments.sample);
        cases.extend(killed(course, &recorded, &points, several, &landfall));
    }
    let failed = cases.iter().filter(|case| case.verdict == "failed").count();
    let (planned, seconds) = (cases.len(), began.elapsed().as_secs());
    println!("kills: {planned} points of {courses} courses, {} passed, {failed} failed, {seconds} s", planned - failed);
    if arguments.sample.is_none() {
        arguments.asked.leave("kills", "the same command, which nobody kills", cases)?;
    }
    Ok(if failed == 0 && planned > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Kills a course's command at these points, by their numbers from 0.
fn killed(
    course: &Course,
    recorded: &Recorded,
    points: &[(usize, &String)],
    several: usize,
    landfall: &std::path::Path,
) -> Vec<CaseEvidence> {
    workers::several(several, points, |_, (index, point)| {
        let id = format!("{}/{} {point}", course.name, index + 1);
        let outcome = course.kill_at(index + 1, recorded, landfall);
        if let Err(error) = &outcome {
            println!("FAILS {id}: {error:#}");
        }
        CaseEvidence::judged(id, &format!("{:?} {point}", course.command), outcome.is_ok())
    })
}
