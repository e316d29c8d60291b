//! All that is proved on demand, beside `.ci/run`: every suite whole, each in a process of its own, its evidence written.
//!
//! ```text
//! suites ─► its material there? ─► conformance SUITE … --evidence ─► its closing lines ─► one table
//!                   └─ no ─► skipped, and the whole is not green
//! ```

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::suite::{Given, Material, Suite, corpus, root, said};

/// Which suites.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this suite
    #[arg(long, value_parser = known)]
    only: Option<String>,
    /// How long each fuzz target runs, in seconds
    #[arg(long, default_value_t = 900)]
    fuzz_seconds: u64,
}

impl Suite for Arguments {
    fn run(&self) -> anyhow::Result<ExitCode> {
        said(run(root(), self))
    }
}

/// Runs the suites and gives the last line; an error unless every one of them passed.
fn run(root: &Path, arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let corpus = corpus();
    let given = Given { corpus: &corpus, fuzz_seconds: arguments.fuzz_seconds };
    let (mut table, mut passed, mut failed, mut skipped) = (Vec::new(), 0, 0, 0);
    for suite in crate::wholes() {
        if arguments.only.as_ref().is_some_and(|only| only != suite.name) {
            continue;
        }
        if suite.material == Material::Corpus && corpus.is_empty() {
            table.push(format!("{:<14} skipped: no corpus (LANDFALL_CORPUS is not set)", suite.name));
            skipped += 1;
            continue;
        }
        if suite.material == Material::Node
            && let Some(missing) = crate::edges::missing()
        {
            table.push(format!("{:<14} skipped: {missing} is not on the search path", suite.name));
            skipped += 1;
            continue;
        }
        for run in suite.runs {
            let mut words: Vec<String> = run.iter().map(|word| (*word).to_owned()).collect();
            words.extend((suite.more)(&given)?);
            println!("> conformance {}", words.join(" "));
            let began = Instant::now();
            let (is_green, last) = child(root, &words)?;
            let seconds = began.elapsed().as_secs();
            let verdict = if is_green { "passed" } else { "FAILED" };
            table.push(format!("{:<14} {verdict} {seconds:>5} s  {last}", suite.name));
            if is_green { passed += 1 } else { failed += 1 }
        }
    }
    table.iter().for_each(|line| println!("{line}"));
    let line = format!("full: {passed} passed, {failed} failed, {skipped} skipped; evidence in docs/evidence");
    if failed + skipped > 0 { Err(line.into()) } else { Ok(line) }
}

/// The program that makes a run: this one. A selftest has guards stand open, which only builds with debug assertions can be told: a
/// release build leaves those to the one of the tests' profile beside it.
///
/// # Errors
/// That one is not built.
fn program(words: &[String]) -> Result<PathBuf, Box<dyn Error>> {
    let this = std::env::current_exe()?;
    if cfg!(debug_assertions) || !words.iter().any(|word| word == "--selftest") {
        return Ok(this);
    }
    let profiles = this.parent().and_then(Path::parent).ok_or("the program lies in no directory of a profile")?;
    let program = profiles.join("ci").join(this.file_name().unwrap_or_default());
    if program.is_file() {
        Ok(program)
    } else {
        Err("selftests take a build with debug assertions: cargo build --profile ci -p conformance -p landfall".into())
    }
}

/// Runs a program of ours with arguments, shows what it says, and gives whether it ended well and its last line.
fn child(root: &Path, words: &[String]) -> Result<(bool, String), Box<dyn Error>> {
    let mut command = Command::new(program(words)?);
    let mut child = command.args(words).current_dir(root).stdout(Stdio::piped()).spawn()?;
    let mut last = String::new();
    if let Some(said) = child.stdout.take() {
        for line in BufReader::new(said).lines() {
            let line = line?;
            println!("{line}");
            if !line.trim().is_empty() {
                last = line;
            }
        }
    }
    Ok((child.wait()?.success(), last))
}

fn known(name: &str) -> Result<String, String> {
    let names: Vec<&str> = crate::wholes().iter().map(|suite| suite.name).collect();
    if names.contains(&name) { Ok(name.to_owned()) } else { Err(format!("the suites are {}", names.join(", "))) }
}
