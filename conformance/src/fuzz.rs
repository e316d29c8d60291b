//! Fuzzing for as long as one likes: libFuzzer over the targets of `conformance/hostile`, on a stable compiler.
//!
//! ```text
//! fuzz/ built with coverage counters ─► one process a target, its stack as small as the product's threads have
//!    └─ crash, 10 s, 1 GiB ─► artifact, and on with the rest of the time ─► docs/evidence/fuzz.json
//! ```
//!
//! The ten seconds are the processor's: an input that took them by the clock is run once more by itself, because a process that
//! shares its machine waits as well. A process that does not end when its time is over is killed, which is a finding.
//!
//! The evidence is a sum over runs of one commit: each adds its time and its executions to what stands there, after every
//! target, so that what ends early is counted, too. Another commit or engine begins anew, and so does `--afresh`; a checkout
//! that is not clean leaves none. `cargo xtask evidence` says whether it is enough.
//!
//! `--blind` mutates without coverage instead, with the program `hostile` that lies beside this one: nothing has to be built.

use std::error::Error;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::evidence;
use crate::suite::{Material, Suite, Whole, Workers, root, said};
use crate::workers;

/// What counts edges; the linker's part of it is libFuzzer's runtime. Build scripts are left alone, because a target is named.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=16";
/// An input that takes longer hangs, in seconds of the processor.
const LONGEST_SECONDS: u32 = 10;
/// By the clock an input may take so many times as long.
const SHARED: u32 = 6;
/// A process that has not ended so long after its time hangs in libFuzzer itself, in seconds.
const GRACE_SECONDS: u64 = 180;
/// More memory than this is too much, in MiB.
const MOST_MEMORY: u32 = 1024;
/// The stack of the product's threads, in KiB.
const STACK: u32 = 2048;
/// The signal of `kill -9`.
const KILLED: i32 = 9;
/// A target with so many different ends is left alone until they are mended.
const MOST_FINDINGS: usize = 8;

/// How to fuzz.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each target runs, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this target
    #[arg(long)]
    only: Option<String>,
    /// The first run's seed
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Mutate without looking at coverage, with a program that is built already
    #[arg(long)]
    blind: bool,
    /// Forget what earlier runs have added up in docs/evidence/fuzz.json
    #[arg(long)]
    afresh: bool,
    /// Where inputs that cover something new are kept from run to run, and what was found
    #[arg(long, default_value = "target/fuzz")]
    keep: PathBuf,
    #[command(flatten)]
    workers: Workers,
}

/// All runs of one engine so far.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    suite: String,
    /// What was checked out at all of them.
    commit: String,
    compiler: String,
    /// `libFuzzer`, or `blind`: mutations that look at no coverage.
    engine: String,
    limits: String,
    hours: f64,
    executions: u64,
    targets: Vec<Line>,
}

/// All runs of one target so far.
#[derive(Debug, Serialize, Deserialize, Default, Clone, PartialEq, Eq)]
struct Line {
    target: String,
    /// What was checked out at its last run.
    commit: String,
    /// The seeds with which it was started; a run that found something goes on with the next one.
    seeds: Vec<u32>,
    seconds: u64,
    executions: u64,
    /// Inputs that are committed.
    committed: usize,
    /// Inputs at the end, each of which covers something that the others do not.
    corpus: usize,
    corpus_bytes: u64,
    edges: u64,
    /// Of the last run.
    findings: Vec<String>,
}

impl Record {
    /// What earlier runs of this engine and commit have added up.
    fn load(path: &Path, engine: &str, commit: &str) -> Self {
        let read = || serde_json::from_str::<Record>(&fs::read_to_string(path).ok()?).ok();
        let is_one = |line: &Line| line.commit == commit;
        read()
            .filter(|record| record.engine == engine && record.commit == commit && record.targets.iter().all(is_one))
            .unwrap_or_default()
    }

    /// Adds a run.
    fn add(&mut self, run: Line) {
        match self.targets.iter_mut().find(|line| line.target == run.target) {
            Some(line) => {
                let before = std::mem::take(line);
                *line = run;
                line.seconds += before.seconds;
                line.executions += before.executions;
                line.edges = line.edges.max(before.edges);
                line.seeds = before.seeds.into_iter().chain(line.seeds.iter().copied()).collect();
                line.seeds.sort_unstable();
                line.seeds.dedup();
            }
            None => self.targets.push(run),
        }
        let order = |name: &str| hostile::TARGETS.iter().position(|target| target.name == name);
        self.targets.sort_by_key(|line| order(&line.target));
        let seconds: u64 = self.targets.iter().map(|line| line.seconds).sum();
        self.hours = (seconds as f64 / 36.0).round() / 100.0;
        self.executions = self.targets.iter().map(|line| line.executions).sum();
    }

    fn save(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        Ok(fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole {
        more: |given| Ok(vec!["--seconds".to_owned(), given.fuzz_seconds.to_string()]),
        ..Whole::of("fuzz", Material::Oracles, &[&["fuzz"]])
    });

    fn run(&self) -> anyhow::Result<ExitCode> {
        said(run(root(), self))
    }
}

/// Runs the targets and writes the evidence.
fn run(root: &Path, arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let keep = root.join(&arguments.keep);
    let program = if arguments.blind { beside("hostile")? } else { build(root, &keep)? };
    let path = root.join("docs/evidence/fuzz.json");
    let engine = if arguments.blind { "blind" } else { "libFuzzer" };
    let commit = evidence::commit(root);
    let is_clean = !commit.ends_with('+');
    if !is_clean {
        println!("the checkout is not clean: no evidence is left");
    }
    let mut record = if arguments.afresh { Record::default() } else { Record::load(&path, engine, &commit) };
    record.suite = "fuzz".to_owned();
    record.commit = commit;
    record.compiler = words(Command::new("rustc").arg("--version"))?;
    record.engine = engine.to_owned();
    record.limits = format!("{LONGEST_SECONDS} s, {MOST_MEMORY} MiB, {STACK} KiB of stack an input");
    let targets: Vec<&hostile::Target> = hostile::TARGETS
        .iter()
        .filter(|target| arguments.only.as_ref().is_none_or(|only| only == target.name))
        .collect();
    let shared = Mutex::new(record);
    let runs = workers::several(arguments.workers.count(), &targets, |_, target| {
        let line = fuzz(root, &keep, &program, target, arguments).map_err(|cause| cause.to_string())?;
        println!(
            "{:<16} {:>5} s {:>9} runs, {} inputs, {} edges, {} findings",
            line.target,
            line.seconds,
            line.executions,
            line.corpus,
            line.edges,
            line.findings.len()
        );
        line.findings.iter().for_each(|finding| println!("  {finding}"));
        let findings = line.findings.len();
        let mut record = shared.lock().unwrap_or_else(PoisonError::into_inner);
        record.add(line);
        if is_clean {
            record.save(&path).map_err(|cause| cause.to_string())?;
        }
        Ok::<usize, String>(findings)
    });
    let record = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let ran = runs.len();
    let findings: usize = runs.into_iter().sum::<Result<usize, String>>()?;
    let summary = format!(
        "fuzz: {ran} targets, {findings} findings; with earlier runs of this commit {} h, {} runs, {} inputs kept",
        record.hours,
        record.executions,
        record.targets.iter().map(|line| line.corpus).sum::<usize>()
    );
    if findings > 0 { Err(summary.into()) } else { Ok(summary) }
}

/// A program that was built with this one.
fn beside(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let program = std::env::current_exe()?.with_file_name(name);
    if program.is_file() { Ok(program) } else { Err(format!("build it first: cargo build -p {name}").into()) }
}

/// Builds the fuzzer, with the versions that the project itself is locked to.
fn build(root: &Path, keep: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let host = words(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let lock = root.join("fuzz/Cargo.lock");
    if !lock.exists() {
        fs::copy(root.join("Cargo.lock"), &lock)?;
    }
    let built = keep.join("build");
    let status = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--target", &host, "--manifest-path"])
        .arg(root.join("fuzz/Cargo.toml"))
        .env("RUSTFLAGS", COVERAGE)
        .env("CARGO_TARGET_DIR", &built)
        .status()?;
    if !status.success() {
        return Err("the fuzzer cannot be built".into());
    }
    Ok(built.join(host).join("release/hostile"))
}

fn fuzz(
    root: &Path,
    keep: &Path,
    program: &Path,
    target: &hostile::Target,
    arguments: &Arguments,
) -> Result<Line, Box<dyn Error>> {
    let (inputs, found) = (keep.join("corpus").join(target.name), keep.join("found").join(target.name));
    fs::create_dir_all(&inputs)?;
    fs::create_dir_all(&found)?;
    let committed = root.join("conformance/hostile/corpus").join(target.name);
    let mut line = Line {
        target: target.name.to_owned(),
        commit: evidence::commit(root),
        seeds: vec![arguments.seed],
        committed: count(&committed)?.0,
        ..Line::default()
    };
    let (began, limit) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let mut seed = arguments.seed;
    while began.elapsed() < limit && line.findings.len() < MOST_FINDINGS {
        let left = (limit - began.elapsed()).as_secs().max(1);
        let limits = format!("ulimit -s {STACK}");
        let mut command = limited(&limits, left + GRACE_SECONDS, program, target);
        command.arg(&inputs).arg(&committed);
        if let Some(dictionary) = dictionary(root, target.name) {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        command.args([
            format!("-max_total_time={left}"),
            format!("-timeout={}", LONGEST_SECONDS * if arguments.blind { 1 } else { SHARED }),
            format!("-rss_limit_mb={MOST_MEMORY}"),
            format!("-max_len={}", target.longest),
            format!("-seed={seed}"),
            format!("-artifact_prefix={}/", found.display()),
            "-print_final_stats=1".to_owned(),
        ]);
        let output = command.output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        line.executions += statistic(&told, "stat::number_of_executed_units:").unwrap_or_default();
        line.edges = line.edges.max(edges(&told));
        seed += 1;
        if !arguments.blind {
            for slow in took_long(&told) {
                match is_slow(program, target, Path::new(slow))? {
                    true => {
                        line.findings.push(format!("{}: more than {LONGEST_SECONDS} s of the processor", named(slow)))
                    }
                    false => println!("  {}: {} took long by the clock alone", target.name, named(slow)),
                }
            }
        }
        if output.status.success() || ended_at_a_timeout(&told) {
            continue;
        }
        let artifact =
            told.lines().rev().find_map(|line| line.split("Test unit written to ").nth(1)).map(str::to_owned);
        let current = found.join("current");
        let artifact = match artifact {
            None if current.exists() => {
                let kept = found.join(format!("died-{seed}"));
                fs::rename(&current, &kept)?;
                Some(kept.display().to_string())
            }
            artifact => artifact,
        };
        let why = told
            .lines()
            .find(|line| {
                ["panicked at", "ERROR: libFuzzer", "overflowed its stack"].iter().any(|word| line.contains(word))
            })
            .unwrap_or(if was_killed(output.status) { "it did not end" } else { "it ended without a word" });
        // Evidence names no machine's place.
        let why = why.replace(&format!("{}/", root.canonicalize()?.display()), "");
        line.findings.push(format!("{}: {why}", artifact.as_deref().map_or("none", named)));
    }
    line.seconds = began.elapsed().as_secs();
    (line.corpus, line.corpus_bytes) = count(&inputs)?;
    Ok(line)
}

/// A target's process under limits of a shell, killed after so many seconds.
fn limited(limits: &str, seconds: u64, program: &Path, target: &hostile::Target) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", &seconds.to_string(), "sh", "-c", &format!("{limits}; exec \"$@\""), "sh"]);
    command.arg(program).env("LANDFALL_FUZZ_TARGET", target.name).stdin(Stdio::null());
    command
}

/// Whether a process was ended by `kill -9`, or the `timeout` before it was that sent it.
fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(KILLED) || status.code() == Some(128 + KILLED)
}

/// Inputs that took long by the clock: those that ended their process and those that were only told.
fn took_long(told: &str) -> impl Iterator<Item = &str> {
    let written = told.lines().filter_map(|line| line.split("Test unit written to ").nth(1));
    written.filter(|path| ["timeout-", "slow-unit-"].iter().any(|kind| named(path).starts_with(kind)))
}

/// Whether libFuzzer ended because an input took too long by the clock, and has written it: one that is not at hand cannot be run
/// once more, and stays a finding.
fn ended_at_a_timeout(told: &str) -> bool {
    told.lines().any(|line| line.contains("ERROR: libFuzzer: timeout"))
        && took_long(told).any(|path| named(path).starts_with("timeout-"))
}

/// Whether an input by itself takes more of the processor than it may.
fn is_slow(program: &Path, target: &hostile::Target, input: &Path) -> Result<bool, Box<dyn Error>> {
    let limits = format!("ulimit -s {STACK}; ulimit -t {LONGEST_SECONDS}");
    Ok(!limited(&limits, 60 * u64::from(LONGEST_SECONDS), program, target).arg(input).output()?.status.success())
}

/// The last part of a path.
fn named(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Words that a target's inputs are made of.
fn dictionary(root: &Path, target: &str) -> Option<PathBuf> {
    let name = match target {
        "template" | "chart" => "template",
        "yaml_read" | "yaml_round_trip" | "yaml_edit" | "values" | "project" | "index" => "yaml",
        "set" => "set",
        "api" | "patch" | "json_patch" => "api",
        "git_tree" => "git",
        _ => return None,
    };
    Some(root.join(format!("conformance/hostile/dictionaries/{name}.dict")))
}

/// How many files a folder holds, and how large they are together.
fn count(folder: &Path) -> Result<(usize, u64), Box<dyn Error>> {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder)? {
        files += 1;
        bytes += entry?.metadata()?.len();
    }
    Ok((files, bytes))
}

fn statistic(told: &str, name: &str) -> Option<u64> {
    told.lines().rev().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// The edges that libFuzzer last said it covers.
fn edges(told: &str) -> u64 {
    told.lines().rev().find_map(|line| line.split(" cov: ").nth(1)?.split(' ').next()?.parse().ok()).unwrap_or_default()
}

fn words(command: &mut Command) -> Result<String, Box<dyn Error>> {
    Ok(String::from_utf8(command.output()?.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let told = "#2\tINITED cov: 10 ft: 11 corp: 1/1b\n#99\tDONE   cov: 120 ft: 300 corp: 9/99b\nstat::number_of_executed_units: 4711\n";
        assert_eq!(edges(told), 120);
        assert_eq!(statistic(told, "stat::number_of_executed_units:"), Some(4711));
        assert_eq!(edges("nothing"), 0);
    }

    #[test]
    fn what_took_long_is_found_in_what_libfuzzer_says() {
        let told = "artifact_prefix='f/'; Test unit written to f/slow-unit-1\n#9\tpulse\n==7== ERROR: libFuzzer: timeout after 61 seconds\nartifact_prefix='f/'; Test unit written to f/timeout-2\nartifact_prefix='f/'; Test unit written to f/crash-3\n";
        assert_eq!(took_long(told).collect::<Vec<_>>(), ["f/slow-unit-1", "f/timeout-2"]);
        assert!(ended_at_a_timeout(told));
        assert!(!ended_at_a_timeout("==7== ERROR: libFuzzer: deadly signal\n"));
        assert!(!ended_at_a_timeout("==7== ERROR: libFuzzer: timeout after 61 seconds\n"), "its input was not written");
    }

    #[test]
    fn the_processors_time_of_an_input_is_limited_and_not_the_clocks() {
        let directory = tempfile::tempdir().expect("a directory");
        let program = |text: &str| {
            let path = directory.path().join("program");
            fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
            path
        };
        let target = &hostile::TARGETS[0];
        let ended =
            |limits: &str, text: &str| limited(limits, 20, &program(text), target).status().expect("run").success();
        assert!(ended("ulimit -t 1", "sleep 2"));
        assert!(!ended("ulimit -t 1", "while :; do :; done"));
        assert!(was_killed(limited("true", 1, &program("sleep 15"), target).status().expect("run")));
    }

    #[test]
    fn runs_add_up_and_findings_are_those_of_the_last() {
        let run = |seed, found: &[&str]| Line {
            target: "set".to_owned(),
            seeds: vec![seed],
            seconds: 1800,
            executions: 10,
            corpus: 3,
            findings: found.iter().map(|text| (*text).to_owned()).collect(),
            ..Line::default()
        };
        let mut record = Record::default();
        record.add(run(1, &["a hang"]));
        record.add(run(2, &[]));
        let line = &record.targets[0];
        assert_eq!((line.seconds, line.executions, line.corpus, line.seeds.clone()), (3600, 20, 3, vec![1, 2]));
        assert_eq!((record.hours, record.executions, line.findings.len()), (1.0, 20, 0));
    }

    #[test]
    fn what_another_commit_or_engine_has_added_up_does_not_count() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("fuzz.json");
        let mut record = Record { commit: "a".to_owned(), engine: "libFuzzer".to_owned(), ..Record::default() };
        record.add(Line { target: "set".to_owned(), commit: "a".to_owned(), seconds: 60, ..Line::default() });
        record.save(&path).expect("written");
        let seconds = |engine, commit| Record::load(&path, engine, commit).targets.first().map(|line| line.seconds);
        assert_eq!(seconds("libFuzzer", "a"), Some(60));
        assert_eq!((seconds("libFuzzer", "b"), seconds("blind", "a")), (None, None));
        record.add(Line { target: "api".to_owned(), commit: "b".to_owned(), seconds: 60, ..Line::default() });
        record.save(&path).expect("written");
        assert_eq!(seconds("libFuzzer", "a"), None);
    }

    #[test]
    fn every_dictionary_is_there() {
        for target in hostile::TARGETS {
            if let Some(file) = dictionary(crate::root(), target.name) {
                assert!(file.is_file(), "{}", file.display());
            }
        }
    }
}
