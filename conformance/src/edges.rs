//! Edges beside what is out there: our own agent against a reproduction of the original gateway, and the product's own agent,
//! unmodified, against both that and `landfall serve`, by hand and through `legacy-launcher`.
//!
//! ```text
//! conformance/edge/run.mjs               gateway.mjs ◄─ landfall-agent, the product's agent below the launcher
//! conformance/edges/systemd.sh           landfall serve --only fleet ◄─ landfall-agent, a service of a systemd of its own
//! conformance/edges/typescript-agent.sh  landfall serve --only fleet ◄─ the product's agent, by hand and below the launcher
//! ```
//!
//! The product's agent is no part of this repository: `LANDFALL_TYPESCRIPT_AGENT` names a checkout in which it was built
//! (`conformance/edges/typescript-agent.sh` says how). A systemd of its own takes root and control groups. Without either those steps
//! are open, and told so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::suite::{Material, Suite, Whole, root};
use crate::{limited, peers};

/// Names a checkout of the product in which its agent was built.
const TYPESCRIPT: &str = "LANDFALL_TYPESCRIPT_AGENT";
/// What the scripts are written for, and what they make certificates with.
pub(crate) const PROGRAMS: [&str; 2] = ["node", "openssl"];
/// How many steps each part has: one that is not told was not reached, and failed.
const OWN: usize = 12;
const GATEWAY: usize = 6;
const SERVE: usize = 6;
const SYSTEMD: usize = 7;
/// How a script ends that cannot be tried here; it has said why.
const UNTRIED: i32 = 77;
/// How long a script may take on a machine that does other things as well.
const LONGEST: Duration = Duration::from_secs(900);

/// Runs edges against what is out there.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The `landfall` to run; the one beside this program when not said, and `landfall-agent` beside it.
    #[arg(long)]
    landfall: Option<PathBuf>,
    /// Write the suite's file in docs/evidence.
    #[arg(long)]
    evidence: bool,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("edges", Material::Node, &[&["edges", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        if let Some(missing) = missing() {
            anyhow::bail!("{missing} is not on the search path: the edges' scripts need {}", PROGRAMS.join(" and "));
        }
        let landfall = peers::landfall(self.landfall.as_deref())?;
        let agent = landfall.with_file_name("landfall-agent");
        ensure!(agent.exists(), "{} is not there: cargo build -p landfall-agent", agent.display());
        let product = std::env::var_os(TYPESCRIPT).map(PathBuf::from);
        let text = |path: &Path| path.display().to_string();
        let mut own = vec![text(&root().join("conformance/edge/run.mjs")), "--agent".to_owned(), text(&agent)];
        own.extend(product.iter().flat_map(|product| ["--typescript".to_owned(), text(product)]));
        let (mut cases, mut open) = (Vec::new(), 0);
        let mut play = |program: &str, arguments: &[String], steps: usize| -> anyhow::Result<()> {
            match played(program, arguments, steps)? {
                Some(played) => cases.extend(played),
                None => open += steps,
            }
            Ok(())
        };
        play("node", &own, OWN + if product.is_some() { GATEWAY } else { 0 })?;
        let script = |name: &str| text(&root().join("conformance/edges").join(name));
        play("bash", &[script("systemd.sh"), text(&landfall), text(&agent)], SYSTEMD)?;
        match &product {
            Some(product) => {
                play("bash", &[script("typescript-agent.sh"), text(&landfall), text(product)], SERVE)?;
            }
            None => {
                println!("open    the product's own agent: {TYPESCRIPT} names no checkout in which it was built");
                open += GATEWAY + SERVE;
            }
        }
        let failed = cases.iter().filter(|case| case.verdict != "passed").count();
        let (planned, passed) = (cases.len() + open, cases.len() - failed);
        println!("edges: {planned} planned, {passed} passed, {failed} failed, {open} open");
        if self.evidence {
            let oracle = format!(
                "a reproduction of the product's gateway, and its own agent; {open} steps are open and not among the cases"
            );
            Evidence::of("edges", Cluster::Nothing, oracle, cases).write(root())?;
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Which program the scripts need and is not there.
pub(crate) fn missing() -> Option<&'static str> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| std::env::split_paths(&paths).any(|path| path.join(program).is_file());
    PROGRAMS.into_iter().find(|program| !is_there(program))
}

/// Runs a script and gives its steps; as many as there have to be. None where it cannot be tried here.
fn played(program: &str, arguments: &[String], steps: usize) -> anyhow::Result<Option<Vec<CaseEvidence>>> {
    let place = tempfile::Builder::new().prefix("landfall-edges-").tempdir()?;
    let (said, errors) = (place.path().join("said"), place.path().join("errors"));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(place.path()).stdin(Stdio::null());
    command.stdout(fs::File::create(&said)?).stderr(fs::File::create(&errors)?);
    let mut child = command.spawn().with_context(|| format!("{program} does not start"))?;
    let ended = limited::wait(&mut child, LONGEST)?;
    let said = fs::read_to_string(&said)?;
    print!("{said}");
    if ended == Some(UNTRIED) {
        return Ok(None);
    }
    let cases = told(&said, ended == Some(0), steps);
    if cases.iter().any(|case| case.verdict != "passed") {
        print!("{}", fs::read_to_string(&errors)?);
    }
    Ok(Some(cases))
}

/// The steps that a script told, and one that failed for each that it should have told, and where it did not end well.
fn told(said: &str, ended_well: bool, steps: usize) -> Vec<CaseEvidence> {
    let mut cases: Vec<CaseEvidence> = said
        .lines()
        .filter_map(|line| {
            let (rest, passed) = match line.strip_prefix("ok ") {
                Some(rest) => (rest, true),
                None => (line.strip_prefix("FAIL ")?, false),
            };
            // How long it took is another each time.
            let timed = rest.trim().strip_suffix(" s)").and_then(|rest| rest.rsplit_once(" ("));
            let title = timed.map_or(rest.trim(), |(title, _)| title);
            Some(CaseEvidence::judged(title.to_owned(), title, passed))
        })
        .collect();
    let all_passed = cases.len() >= steps && cases.iter().all(|case| case.verdict == "passed");
    for number in cases.len()..steps {
        cases.push(CaseEvidence::judged(format!("step {} of {steps}", number + 1), "not reached", false));
    }
    if all_passed && !ended_well {
        cases.push(CaseEvidence::judged("the script's end".to_owned(), "it did not end well", false));
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(said: &str, ended_well: bool, steps: usize) -> Vec<&'static str> {
        told(said, ended_well, steps).iter().map(|case| case.verdict).collect()
    }

    #[test]
    fn a_step_that_fails_one_that_is_not_reached_and_a_bad_end_are_seen() {
        let said = "nothing\nok    one (0.1 s)\nok    two (SUCCEEDED) (3.0 s)\n";
        assert_eq!(verdicts(said, true, 2), ["passed", "passed"]);
        assert_eq!(told(said, true, 2)[1].id, "two (SUCCEEDED)");
        assert_eq!(verdicts(said, false, 2), ["passed", "passed", "failed"]);
        assert_eq!(verdicts(said, true, 3), ["passed", "passed", "failed"]);
        assert_eq!(verdicts("ok    one (0.1 s)\nFAIL  two: it is not so\n", false, 2), ["passed", "failed"]);
        assert_eq!(verdicts("", false, 1), ["failed"]);
    }
}
