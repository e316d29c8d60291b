//! A secret's value leaves the process only where it is asked for: canaries stand wherever one is written down, every
//! command of the binary runs, and all that leaves the process is searched for them.
//!
//! ```text
//! commands of the binary (its completion, its help) ─► a row of the table each, else red
//!   row × format × voice × manner (plain, -v, broken charts, no cluster, killed, panicking, another cluster)
//!     └─► output, arguments and environment of what it starts, every file written, the cluster's audit log
//!           └─► a canary: red, unless the row or the file is listed with its reason
//! each canary must be seen where it may be: what is not planted cannot leak
//! ```
//!
//! `--selftest` opens guards of the binary one after another (`landfall_diag::is_mutant`) and shows that this is seen.

mod ground;
mod mutants;
mod passes;
mod planted;
mod table;
mod tree;

use std::collections::BTreeSet;
use std::process::ExitCode;

use crate::evidence::CaseEvidence;
use crate::suite::{Asked, Material, Suite, Whole, Workers};
use crate::{sample, workers};
use passes::Pass;

/// Looks for planted secrets in all that leaves the binary.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Only the plain pass and so many of the others, drawn by the commit's hash; no evidence is written.
    #[arg(long)]
    sample: Option<usize>,
    /// Print each call with its exit code and how long it took.
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    workers: Workers,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> =
        Some(Whole::of("canary", Material::Oracles, &[&["canary", "--selftest"], &["canary", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let landfall = arguments.asked.landfall()?;
    let several = arguments.workers.count();
    if arguments.asked.selftest {
        return mutants::run(&landfall, several);
    }
    let commands = tree::of(&landfall)?;
    let mut wrong = table::differences(&commands);
    let rows = table::rows(&commands);
    let mut passes = vec![Pass::Plain];
    passes.extend(sample::draw("canary", Pass::disturbed(), arguments.sample));
    passes.retain(|pass| arguments.asked.wants(pass.name()));
    let played = workers::several(several, &passes, |_, pass| {
        passes::play(*pass, &landfall, &rows, arguments.verbose)
            .unwrap_or_else(|error| passes::Played { wrong: vec![format!("{error:#}")], ..passes::Played::default() })
    });
    let (mut seen, mut shown) = (BTreeSet::new(), BTreeSet::new());
    let mut cases = Vec::new();
    for (pass, played) in passes.iter().zip(&played) {
        println!("{}: {} calls in {:.1} s", pass.name(), played.calls, played.took.as_secs_f64());
        wrong.extend(played.wrong.iter().map(|what| format!("{}: {what}", pass.name())));
        seen.extend(played.seen.iter().copied());
        shown.extend(played.shown.iter().copied());
        cases.push(CaseEvidence::judged(pass.name().to_owned(), &played.made, played.wrong.is_empty()));
    }
    if arguments.asked.only.is_none() {
        // The plain pass sees each of them, so every sample does.
        let unseen = planted::CANARIES.iter().filter(|canary| !seen.contains(canary.name));
        wrong.extend(unseen.map(|canary| format!("{} is seen nowhere, so it was not planted", canary.name)));
        // What a call shows may be another pass's.
        let silent = rows.iter().map(|row| row.call).filter(|call| call.shows.is_some() && !shown.contains(call.words));
        let silent = silent.filter(|_| arguments.sample.is_none());
        wrong.extend(silent.map(|call| format!("landfall {} is listed as showing values, and shows none", call.words)));
    }
    wrong.iter().for_each(|what| println!("LEAKS {what}"));
    let calls: usize = played.iter().map(|played| played.calls).sum();
    println!(
        "canary: {} commands, {calls} calls in {} passes, {} canaries, {} faults",
        commands.len(),
        passes.len(),
        planted::CANARIES.len(),
        wrong.len()
    );
    if arguments.sample.is_none() {
        arguments.asked.leave("canary", "canaries of its own, every command of the binary", cases)?;
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
