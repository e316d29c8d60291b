//! Measurements against peers, paired in one run and reported as ratios.
//!
//! ```text
//! cargo run --release -p bench -- [--landfall FILE] [--helm FILE] [--engine FILE] [--runs N] [--write]
//! cargo run --release -p bench -- --warm CHART [--runs N]      # one chart in this process, for a profiler
//! ```
//!
//! A ratio is only given when both printed the same bytes for the same input. Runs alternate, so that both meet the
//! same noise; medians are reported, the peak of resident memory is the kernel's own count. `--write` puts the table
//! into `docs/benchmarks.md` and the figures into `docs/evidence/bench.json`. `--engine` is the oracle `helm-warm`,
//! helm's own code rendering again and again in one process.

mod chart;
mod made_of;
mod measure;
mod report;
mod repository;
mod warm;

use std::path::{Path, PathBuf};
use std::time::Duration;

// The allocator that `landfall` has, so that what is measured in this process is what it does; a debug build has the system's, which
// heap profilers see.
#[cfg(not(debug_assertions))]
use landfall_heap as _;

use measure::{Run, Sample};
use report::{Change, Delivery, Report, Row, Warmth};

fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            report::say(&format!("bench: {why}"));
            std::process::ExitCode::FAILURE
        }
    }
}

struct Options {
    landfall: PathBuf,
    helm: PathBuf,
    engine: PathBuf,
    warm: Option<PathBuf>,
    runs: usize,
    write: bool,
}

fn options() -> Result<Options, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cache = std::env::var("LANDFALL_CACHE")
        .map(PathBuf::from)
        .or_else(|_| std::env::var("HOME").map(|home| Path::new(&home).join(".cache/landfall")))
        .map_err(|_| "neither LANDFALL_CACHE nor HOME is set".to_owned())?;
    let mut options = Options {
        landfall: root.join("target/release/landfall"),
        helm: cache.join("bin/helm"),
        engine: cache.join("bin/helm-warm"),
        warm: None,
        runs: 21,
        write: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--landfall" => options.landfall = value()?.into(),
            "--helm" => options.helm = value()?.into(),
            "--engine" => options.engine = value()?.into(),
            "--warm" => options.warm = Some(value()?.into()),
            "--runs" => options.runs = value()?.parse().map_err(|_| "--runs needs a number".to_owned())?,
            "--write" => options.write = true,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    if options.warm.is_some() {
        return Ok(options);
    }
    for (what, file, how) in [
        ("landfall", &options.landfall, "cargo build --release"),
        ("helm", &options.helm, "cargo run -p conformance -- oracles helm"),
        ("helm's engine", &options.engine, "cargo run -p conformance -- oracles helm-warm"),
    ] {
        if !file.is_file() {
            return Err(format!("{what} is not at {}: {how}", file.display()));
        }
    }
    Ok(options)
}

fn run() -> Result<(), String> {
    let options = options()?;
    if let Some(chart) = &options.warm {
        let warm = warm::ours(chart, options.runs)?;
        report::say(&format!("{:?} for {} bytes", warm.wall, warm.text.len()));
        return Ok(());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let example = root.join("examples/luckyplans/infrastructure/helm");
    let mut charts = vec![
        ("LuckyPlans".to_owned(), example.join("luckyplans")),
        ("its observability".to_owned(), example.join("observability")),
    ];
    for (name, templates) in [("100 templates", 100), ("1,000 templates", 1000), ("4,000 templates", 4000)] {
        let directory = scratch.path().join(format!("chart-{templates}"));
        chart::write(&directory, templates).map_err(|error| error.to_string())?;
        charts.push((name.to_owned(), directory));
    }
    let mut rows = Vec::new();
    for (name, chart) in &charts {
        rows.push(compare(name, chart, &options)?);
    }
    let delivery = deliver(&root.join("examples/luckyplans"), scratch.path(), &options)?;
    let changes = changes(&root.join("examples/luckyplans"), scratch.path(), &options)?;
    let report = Report {
        suite: "bench",
        commit: made_of::commit(&root)?,
        oracle: made_of::oracle(&options.helm)?,
        rows,
        delivery,
        changes,
        runs: options.runs,
    };
    report::say(&report.table());
    if options.write {
        report.write(&root).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// `template` of one chart by both, alternating.
fn compare(name: &str, directory: &Path, options: &Options) -> Result<Row, String> {
    let chart = directory.display().to_string();
    let arguments = ["template", "release-name", chart.as_str()];
    let ours = Run::new(&options.landfall, &arguments);
    let theirs = Run::new(&options.helm, &arguments);
    let (a, b) = (ours.output()?, theirs.output()?);
    if a != b {
        return Err(format!(
            "{name}: outputs differ ({} bytes against helm's {}); no ratio is given",
            a.len(),
            b.len()
        ));
    }
    let (mut mine, mut peers) = (Vec::new(), Vec::new());
    let first = theirs.sample()?;
    // What takes long spreads little.
    let runs = if first.wall > Duration::from_secs(1) { options.runs.min(7) } else { options.runs };
    for _ in 0..runs {
        mine.push(ours.sample()?);
        peers.push(theirs.sample()?);
    }
    Ok(Row {
        name: name.to_owned(),
        bytes: a.len(),
        landfall: Sample::median(&mine),
        helm: Sample::median(&peers),
        warm: compare_warm(name, directory, &a, runs, options)?,
    })
}

/// The same in one process each, after the output has been compared with what the commands printed.
fn compare_warm(name: &str, chart: &Path, printed: &[u8], runs: usize, options: &Options) -> Result<Warmth, String> {
    let ours = warm::ours(chart, runs)?;
    let theirs = warm::theirs(&options.engine, chart, runs)?;
    for (who, text) in [("ours", &ours.text), ("helm's", &theirs.text)] {
        if text.as_bytes() != printed {
            return Err(format!("{name}: {who} in process prints {} bytes, not what the command prints", text.len()));
        }
    }
    Ok(Warmth { landfall: ours.wall, helm: theirs.wall })
}

/// `up` of the example, from nothing and again, in a process of its own without a server left behind.
fn deliver(example: &Path, scratch: &Path, options: &Options) -> Result<Delivery, String> {
    let copy = scratch.join("luckyplans");
    measure::copy(example, &copy).map_err(|error| error.to_string())?;
    let (mut cold, mut again) = (Vec::new(), Vec::new());
    for _ in 0..options.runs.min(7) {
        let up = Run::new(&options.landfall, &["up", "--once", "-q"]).within(&copy);
        cold.push(up.sample()?);
        again.push(up.sample()?);
        Run::new(&options.landfall, &["down", "--yes", "-q"]).within(&copy).sample()?;
    }
    Ok(Delivery { cold: Sample::median(&cold), again: Sample::median(&again) })
}

/// What a change is asked before it is merged: the example's upgrade rehearsed, 100 applications previewed.
fn changes(example: &Path, scratch: &Path, options: &Options) -> Result<Vec<Change>, String> {
    let (upgrade, hundred) = (scratch.join("upgrade"), scratch.join("hundred"));
    repository::example(example, &upgrade)?;
    repository::hundred(&hundred)?;
    let whole = [
        ("`rehearse` of the LuckyPlans example's upgrade, base and all rules included", upgrade, "rehearse"),
        ("`preview` of 100 applications of 20 objects, all rules included", hundred, "preview"),
    ];
    let measured = |(name, directory, command): (&str, PathBuf, &str)| {
        let run = Run::new(&options.landfall, &[command, "HEAD~1..HEAD"]).within(&directory);
        let samples = (0..options.runs.min(7)).map(|_| run.sample()).collect::<Result<Vec<_>, _>>()?;
        Ok(Change { name: name.to_owned(), sample: Sample::median(&samples) })
    };
    whole.into_iter().map(measured).collect()
}
