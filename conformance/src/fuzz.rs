//! Fuzzing for as long as one likes: libFuzzer over the targets of `conformance/hostile`, on a stable compiler.
//!
//! ```text
//! fuzz/ built with coverage counters ─► one process a target, its stack as small as the product's threads have
//!    └─ crash, 10 s, 1 GiB ─► artifact, and on with the rest of the time ─► docs/evidence/fuzz.json
//! ```
//!
//! `--blind` mutates without coverage instead, with the program `hostile` that lies beside this one: nothing has to be built.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::evidence;

/// What counts edges; the linker's part of it is libFuzzer's runtime. Build scripts are left alone, because a target is named.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=16";
/// An input that takes longer hangs, in seconds.
const LONGEST_SECONDS: u32 = 10;
/// More memory than this is too much, in MiB.
const MOST_MEMORY: u32 = 1024;
/// The stack of the product's threads, in KiB.
const STACK: u32 = 2048;
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
    /// Where inputs that cover something new are kept from run to run, and what was found
    #[arg(long, default_value = "target/fuzz")]
    keep: PathBuf,
}

#[derive(Serialize)]
struct Record {
    suite: &'static str,
    commit: String,
    compiler: String,
    /// `libFuzzer`, or `blind`: mutations that look at no coverage.
    engine: &'static str,
    limits: String,
    targets: Vec<Line>,
}

#[derive(Serialize, Default)]
struct Line {
    target: String,
    seed: u32,
    seconds: u64,
    executions: u64,
    /// Inputs that were there at the start: committed, or kept from earlier runs.
    seeds: usize,
    /// Inputs at the end, each of which covers something that the others do not.
    corpus: usize,
    corpus_bytes: u64,
    edges: u64,
    findings: Vec<String>,
}

/// Runs the targets and writes the evidence.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let keep = root.join(&arguments.keep);
    let program = if arguments.blind { beside("hostile")? } else { build(root, &keep)? };
    let mut targets = Vec::new();
    for target in hostile::TARGETS {
        if arguments.only.as_ref().is_some_and(|only| only != target.name) {
            continue;
        }
        let line = fuzz(root, &keep, &program, target, arguments)?;
        println!(
            "{:<16} {:>5} s {:>9} runs, {} inputs, {} edges, {} findings",
            line.target,
            line.seconds,
            line.executions,
            line.corpus,
            line.edges,
            line.findings.len()
        );
        targets.push(line);
    }
    let findings: usize = targets.iter().map(|line| line.findings.len()).sum();
    let summary = format!(
        "fuzz: {} targets, {} s, {} runs, {} inputs kept, {findings} findings",
        targets.len(),
        targets.iter().map(|line| line.seconds).sum::<u64>(),
        targets.iter().map(|line| line.executions).sum::<u64>(),
        targets.iter().map(|line| line.corpus).sum::<usize>()
    );
    if arguments.only.is_none() {
        let record = Record {
            suite: "fuzz",
            commit: evidence::commit(root),
            compiler: words(Command::new("rustc").arg("--version"))?,
            engine: if arguments.blind { "blind" } else { "libFuzzer" },
            limits: format!("{LONGEST_SECONDS} s, {MOST_MEMORY} MiB, {STACK} KiB of stack an input"),
            targets,
        };
        let text = serde_json::to_string_pretty(&record)?;
        fs::write(root.join("docs/evidence/fuzz.json"), text + "\n")?;
    }
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
        seed: arguments.seed,
        seeds: count(&inputs)?.0 + count(&committed)?.0,
        ..Line::default()
    };
    let (began, limit) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let mut seed = arguments.seed;
    while began.elapsed() < limit && line.findings.len() < MOST_FINDINGS {
        let left = (limit - began.elapsed()).as_secs().max(1);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -s {STACK}; exec \"$@\""), "sh"]).arg(program);
        command.arg(&inputs).arg(&committed);
        if let Some(dictionary) = dictionary(root, target.name) {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        command.args([
            format!("-max_total_time={left}"),
            format!("-timeout={LONGEST_SECONDS}"),
            format!("-rss_limit_mb={MOST_MEMORY}"),
            format!("-max_len={}", target.longest),
            format!("-seed={seed}"),
            format!("-artifact_prefix={}/", found.display()),
            "-print_final_stats=1".to_owned(),
        ]);
        command.env("LANDFALL_FUZZ_TARGET", target.name).stdin(Stdio::null());
        let output = command.output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        line.executions += statistic(&told, "stat::number_of_executed_units:").unwrap_or_default();
        line.edges = line.edges.max(edges(&told));
        seed += 1;
        if output.status.success() {
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
            .unwrap_or("it ended without a word");
        line.findings
            .push(format!("{}: {why}", artifact.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or("none")));
    }
    line.seconds = began.elapsed().as_secs();
    (line.corpus, line.corpus_bytes) = count(&inputs)?;
    Ok(line)
}

/// Words that a target's inputs are made of.
fn dictionary(root: &Path, target: &str) -> Option<PathBuf> {
    let name = match target {
        "template" | "chart" => "template",
        "yaml_read" | "yaml_round_trip" | "yaml_edit" | "values" | "project" => "yaml",
        "set" => "set",
        "api" | "patch" => "api",
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
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let told = "#2\tINITED cov: 10 ft: 11 corp: 1/1b\n#99\tDONE   cov: 120 ft: 300 corp: 9/99b\nstat::number_of_executed_units: 4711\n";
        assert_eq!(edges(told), 120);
        assert_eq!(statistic(told, "stat::number_of_executed_units:"), Some(4711));
        assert_eq!(edges("nothing"), 0);
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
