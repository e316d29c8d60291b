//! Every rule's fixtures in all the ways in which the same fault can be written, and how many of them each has taken.
//!
//! The ways and the fixtures are tests of `crates/rehearse`, and every run of them makes most; this makes all, those that are
//! delivered each time, too, and writes each fixture's number to `docs/evidence/mutations.json`.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::suite::{Material, Suite, Whole, root};

/// The test that makes them.
const TEST: &str = "every_fixture_is_found_however_it_is_written_and_silent_when_mended";
/// How many each fixture has to take.
const FLOOR: usize = 5;

/// Which fixtures.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only fixtures whose name holds this text; no evidence is written.
    only: Option<String>,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("mutations", Material::Oracles, &[&["mutations"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        let root = root();
        let output = Command::new("cargo")
            .args(["test", "--profile", "ci", "--locked", "-p", "landfall-rehearse", "--test", "it", "--", TEST])
            .env("MUTATIONS", "all")
            .env("FIXTURE", self.only.as_deref().unwrap_or_default())
            .current_dir(root)
            .output()
            .context("cargo does not start")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let is_green = output.status.success();
        let cases: Vec<CaseEvidence> = text.lines().filter_map(|line| case(root, line, is_green)).collect();
        if !is_green {
            print!("{text}{}", String::from_utf8_lossy(&output.stderr));
        }
        let line = text.lines().find(|line| line.starts_with("mutations: ")).context("nothing was counted")?;
        anyhow::ensure!(!cases.is_empty(), "no fixture was mutated");
        if self.only.is_none() {
            Evidence::of("mutations", Cluster::Embedded, line.to_owned(), cases).write(root)?;
        }
        println!("{line}");
        Ok(if is_green { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A fixture with the number of mutations that it took, from a line `mutated NAME COUNT`.
fn case(root: &Path, line: &str, is_green: bool) -> Option<CaseEvidence> {
    let (name, count) = line.strip_prefix("mutated ")?.split_once(' ')?;
    let taken: usize = count.parse().ok()?;
    let text = fs::read_to_string(root.join(format!("crates/rehearse/tests/fixtures/{name}.fixture"))).ok()?;
    Some(CaseEvidence::judged(format!("{name}: {taken}"), &text, is_green && taken >= FLOOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixture_that_takes_fewer_than_five_has_failed() {
        let verdict = |line: &str, is_green| case(root(), line, is_green).map(|it| it.verdict);
        assert_eq!(verdict("mutated LF121-replicas 5", true), Some("passed"));
        assert_eq!(verdict("mutated LF121-replicas 4", true), Some("failed"));
        assert_eq!(verdict("mutated LF121-replicas 9", false), Some("failed"));
        assert_eq!(verdict("test result: ok", true), None);
    }
}
