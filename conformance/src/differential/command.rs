//! `conformance differential`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures::StreamExt as _;

use super::compare::{Difference, compare};
use super::known::Known;
use super::normalise::normalise;
use super::play::{Side, play, prepare};
use super::script::{self, Script};
use super::selftest::{Score, selftest};
use super::sides::{Other, Sides};
use super::{findings, glob};
use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::http::Endpoint;
use crate::suite::{Material, Suite, Whole};
use crate::{peers, testbed};

/// How many of the planted changes the selftest must catch.
const CAUGHT_AT_LEAST: f64 = 0.95;
const PLANTED_PER_ANSWER: usize = 3;
const SCRIPTS_AT_ONCE: usize = 1;

/// Sends the same requests to both and compares the answers.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Play only scripts whose name fits; `*` stands for any run of characters.
    scripts: Vec<String>,
    /// Compare a second real control plane instead of the embedded cluster: shows that the comparison is fair.
    #[arg(long)]
    control: bool,
    /// Plant changes in the real server's answers and count how many are caught.
    #[arg(long)]
    selftest: bool,
    /// Only so many scripts, drawn by the commit's hash
    #[arg(long, conflicts_with = "evidence")]
    sample: Option<usize>,
    /// Compare a server that runs already.
    #[arg(long, requires = "ca", requires = "token")]
    url: Option<String>,
    /// The file with that server's CA.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// A token of its administrator.
    #[arg(long)]
    token: Option<String>,
    /// Play the scripts in an order drawn from this seed instead of by name: no script may lean on another.
    #[arg(long)]
    shuffle: Option<u64>,
    /// Write all that differs to this file, as Markdown, the listed too.
    #[arg(long)]
    findings: Option<PathBuf>,
    /// Write docs/evidence/differential.json.
    #[arg(long)]
    evidence: bool,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("differential", Material::Oracles, &[&["differential", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential");
    let mut scripts = script::load(&folder.join("scripts"))?;
    if !arguments.scripts.is_empty() {
        scripts.retain(|script| arguments.scripts.iter().any(|pattern| glob::fits(pattern, &script.name)));
    }
    anyhow::ensure!(!scripts.is_empty(), "no script fits");
    scripts = crate::sample::draw("differential", scripts, arguments.sample);
    if let Some(seed) = arguments.shuffle {
        // By a hash of name and seed: the same seed gives the same order whatever else is played.
        scripts.sort_by_key(|script| crate::hash(&format!("{seed} {}", script.name)));
        let order: Vec<&str> = scripts.iter().map(|script| script.name.as_str()).collect();
        println!("order {seed}: {}", order.join(" "));
    }
    let runtime = testbed::runtime()?;
    if arguments.selftest {
        return selftest_all(&runtime, &scripts);
    }
    let other = arguments.other()?;
    let known = if arguments.control { Known::default() } else { Known::load(&folder.join("known.toml"))? };

    let mut outcome = Outcome::default();
    for controllers in [false, true] {
        let chosen: Vec<&Script> = scripts.iter().filter(|script| script.controllers == controllers).collect();
        if chosen.is_empty() {
            continue;
        }
        let sides = Sides::start(&other, controllers)?;
        runtime.block_on(play_all(&sides, &chosen, &mut outcome))?;
    }
    outcome.report(&scripts, &known, arguments)
}

impl Arguments {
    fn other(&self) -> anyhow::Result<Other> {
        if self.control {
            return Ok(Other::Real);
        }
        if let (Some(url), Some(ca), Some(token)) = (&self.url, &self.ca, &self.token) {
            let ca = std::fs::read_to_string(ca).with_context(|| format!("cannot read {}", ca.display()))?;
            return Ok(Other::Served(Endpoint { url: url.clone(), ca, token: token.clone() }));
        }
        Ok(Other::Embedded)
    }
}

/// What a run found.
#[derive(Default)]
struct Outcome {
    /// Script and step of every request, and whether its answers were equal.
    steps: Vec<(String, String, bool)>,
    differences: Vec<Difference>,
}

/// Plays every script on both sides.
async fn play_all(sides: &Sides, scripts: &[&Script], outcome: &mut Outcome) -> anyhow::Result<()> {
    for script in scripts {
        let (real, ours) = tokio::join!(prepare(&sides.real, script), prepare(&sides.other, script));
        real.with_context(|| format!("{}: the real server", script.name))?;
        if let Err(error) = ours {
            eprintln!("{}: our server: {error:#}", script.name);
        }
    }
    let played = futures::stream::iter(scripts.iter().map(|script| async move {
        let (real, ours) = tokio::join!(play(&sides.real, script), play(&sides.other, script));
        (script, normalise(&real), normalise(&ours))
    }));
    let mut played = played.buffered(SCRIPTS_AT_ONCE);
    while let Some((script, real, ours)) = played.next().await {
        for ((step, real), ours) in script.steps.iter().zip(real).zip(ours) {
            let found = compare(&script.name, &step.name, &real, &ours);
            outcome.steps.push((script.name.clone(), step.name.clone(), found.is_empty()));
            outcome.differences.extend(found);
        }
    }
    Ok(())
}

impl Outcome {
    fn report(&self, scripts: &[Script], known: &Known, arguments: &Arguments) -> anyhow::Result<ExitCode> {
        let fresh: Vec<&Difference> = self.differences.iter().filter(|difference| !known.covers(difference)).collect();
        let equal = self.steps.iter().filter(|(_, _, equal)| *equal).count();
        let unlisted =
            |script: &str, step: &str| fresh.iter().any(|found| found.script == script && found.step == step);
        let failed = self.steps.iter().filter(|(script, step, _)| unlisted(script, step)).count();
        let listed = self.steps.len() - equal - failed;
        let played: Vec<&str> = scripts.iter().map(|script| script.name.as_str()).collect();
        // A part of the scripts cannot show that an entry for all of them covers nothing.
        let whole = arguments.scripts.is_empty();
        let outdated: Vec<_> = known.outdated(&self.differences, &played).filter(|_| whole).collect();
        for difference in fresh.iter().take(60) {
            println!("{difference}");
        }
        if fresh.len() > 60 {
            println!("and {} more", fresh.len() - 60);
        }
        for (entry, path) in &outdated {
            println!("known.toml: {} / {} / {path} no longer differs: take it out", entry.script, entry.step);
        }
        if let Some(path) = &arguments.findings {
            std::fs::write(path, findings::markdown(&self.differences, known, equal, self.steps.len()))?;
        }
        if arguments.evidence {
            self.evidence(&unlisted)?.write(crate::root())?;
        }
        println!(
            "differential: {} requests in {} scripts, {equal} equal, {listed} listed ({} entries), {failed} failed, {} paths outdated",
            self.steps.len(),
            scripts.len(),
            known.len(),
            outdated.len()
        );
        Ok(if failed == 0 && outdated.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Outcome {
    fn evidence(&self, unlisted: &dyn Fn(&str, &str) -> bool) -> anyhow::Result<Evidence> {
        let verdict = |script: &str, step: &str, equal: bool| match equal {
            true => "equal",
            false if unlisted(script, step) => "differs",
            false => "listed",
        };
        let case = |(script, step, equal): &(String, String, bool)| {
            let verdict = verdict(script, step, *equal);
            CaseEvidence { id: format!("{script}/{step}"), hash: self.hash(script, step), verdict }
        };
        let cases: Vec<CaseEvidence> = self.steps.iter().map(case).collect();
        Ok(Evidence::of("differential", Cluster::Both, peers::versions("kube-apiserver")?, cases))
    }

    /// Hash of what differs in a step; of nothing where nothing does.
    fn hash(&self, script: &str, step: &str) -> String {
        let found = self.differences.iter().filter(|found| found.script == script && found.step == step);
        crate::hash(&found.map(Difference::to_string).collect::<String>())
    }
}

/// Plays on one real server and plants changes in what it answered.
async fn selftest_scripts(side: &Side, scripts: &[&Script], score: &mut Score) -> anyhow::Result<()> {
    for script in scripts {
        prepare(side, script).await?;
    }
    for (seed, script) in scripts.iter().enumerate() {
        let transcript = play(side, script).await;
        selftest(&script.name, &transcript, seed as u64 * 7919 + 1, PLANTED_PER_ANSWER, score);
    }
    Ok(())
}

fn selftest_all(runtime: &tokio::runtime::Runtime, scripts: &[Script]) -> anyhow::Result<ExitCode> {
    let mut score = Score::default();
    for controllers in [false, true] {
        let chosen: Vec<&Script> = scripts.iter().filter(|script| script.controllers == controllers).collect();
        if !chosen.is_empty() {
            let (side, _running) = super::sides::real(controllers)?;
            runtime.block_on(selftest_scripts(&side, &chosen, &mut score))?;
        }
    }
    for missed in &score.missed {
        println!("missed: {missed}");
    }
    let share = score.caught as f64 / score.planted.max(1) as f64;
    println!(
        "differential selftest: {} of {} planted changes caught ({:.1} %)",
        score.caught,
        score.planted,
        share * 100.0
    );
    Ok(if share >= CAUGHT_AT_LEAST { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
