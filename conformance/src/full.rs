//! All that is proved on demand, beside `.ci/run`: every suite whole, each in a process of its own, its evidence written.
//!
//! ```text
//! SUITES ─► its material there? ─► conformance SUITE … --evidence ─► its closing lines ─► one table
//!                   └─ no ─► skipped, and the whole is not green
//! ```

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

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

/// What a suite cannot do without.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Material {
    /// Nothing but the oracles, which it builds itself.
    Oracles,
    /// Public charts, in the folders of LANDFALL_CORPUS.
    Corpus,
}

/// One suite.
struct Suite {
    name: &'static str,
    material: Material,
    /// The command lines of this program that are the whole of it.
    runs: &'static [&'static [&'static str]],
}

const SUITES: &[Suite] = &[
    Suite { name: "parity", material: Material::Corpus, runs: &[&["parity"], &["parity", "--dialect", "v4"]] },
    Suite {
        name: "objects",
        material: Material::Corpus,
        runs: &[&["objects", "--evidence"], &["objects", "--control"]],
    },
    Suite { name: "releases", material: Material::Oracles, runs: &[&["releases", "--all", "--evidence"]] },
    Suite { name: "distribution", material: Material::Oracles, runs: &[&["distribution", "--evidence"]] },
    Suite { name: "differential", material: Material::Oracles, runs: &[&["differential", "--evidence"]] },
    Suite { name: "admission", material: Material::Oracles, runs: &[&["admission", "--evidence"]] },
    Suite { name: "kubectl", material: Material::Oracles, runs: &[&["kubectl", "--evidence"]] },
    Suite { name: "kubectl-suite", material: Material::Oracles, runs: &[&["kubectl-suite", "--evidence"]] },
    Suite { name: "traces", material: Material::Oracles, runs: &[&["traces", "--count", "20", "--evidence"]] },
    Suite { name: "trials", material: Material::Oracles, runs: &[&["trials", "--evidence"]] },
    Suite { name: "explain", material: Material::Corpus, runs: &[&["explain", "--evidence"]] },
    Suite { name: "alarms", material: Material::Corpus, runs: &[&["alarms"]] },
    Suite { name: "fidelity", material: Material::Corpus, runs: &[&["fidelity", "--evidence"]] },
    Suite { name: "addons", material: Material::Corpus, runs: &[&["addons", "--evidence"]] },
    Suite { name: "doors", material: Material::Oracles, runs: &[&["doors", "--selftest"], &["doors", "--evidence"]] },
    Suite {
        name: "attack",
        material: Material::Oracles,
        runs: &[&["attack", "--selftest"], &["attack", "--evidence"]],
    },
    Suite {
        name: "canary",
        material: Material::Oracles,
        runs: &[&["canary", "--selftest"], &["canary", "--evidence"]],
    },
    Suite { name: "controllers", material: Material::Oracles, runs: &[&["controllers", "--evidence"]] },
    Suite { name: "fuzz", material: Material::Oracles, runs: &[&["fuzz"]] },
];

/// The three large charts of `explain`, in a corpus or among the vendored ones.
const LARGE: [&str; 3] = [
    "traefik+traefik-helm-chart/traefik",
    "prometheus-community+helm-charts/charts/prometheus",
    "prometheus-community+helm-charts/charts/kube-prometheus-stack",
];

/// Runs the suites and gives the last line; an error unless every one of them passed.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let corpus = std::env::var_os("LANDFALL_CORPUS");
    let corpus: Vec<PathBuf> = corpus.map(|paths| std::env::split_paths(&paths).collect()).unwrap_or_default();
    let (mut table, mut passed, mut failed, mut skipped) = (Vec::new(), 0, 0, 0);
    for suite in SUITES {
        if arguments.only.as_ref().is_some_and(|only| only != suite.name) {
            continue;
        }
        if suite.material == Material::Corpus && corpus.is_empty() {
            table.push(format!("{:<14} skipped: no corpus (LANDFALL_CORPUS is not set)", suite.name));
            skipped += 1;
            continue;
        }
        for run in suite.runs {
            let mut words: Vec<String> = run.iter().map(|word| (*word).to_owned()).collect();
            match suite.name {
                "explain" => words.extend(large(&corpus)?),
                "fuzz" => words.extend(["--seconds".to_owned(), arguments.fuzz_seconds.to_string()]),
                _ => {}
            }
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

/// Runs this program with other arguments, shows what it says, and gives whether it ended well and its last line.
fn child(root: &Path, words: &[String]) -> Result<(bool, String), Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
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

/// Where the large charts lie.
fn large(corpus: &[PathBuf]) -> Result<Vec<String>, Box<dyn Error>> {
    let vendored = crate::helm::cache().join("conformance/charts");
    let place = |chart: &str| {
        let mut places = std::iter::once(&vendored).chain(corpus).map(|folder| folder.join(chart));
        places.find(|place| place.join("Chart.yaml").is_file())
    };
    let found = LARGE.map(|chart| place(chart).map(|place| place.display().to_string()).ok_or(chart));
    found.into_iter().collect::<Result<_, _>>().map_err(|chart| format!("{chart} is not in the corpus").into())
}

fn known(name: &str) -> Result<String, String> {
    match SUITES.iter().any(|suite| suite.name == name) {
        true => Ok(name.to_owned()),
        false => {
            let names: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
            Err(format!("the suites are {}", names.join(", ")))
        }
    }
}
