//! Charts rendered by helm and by Landfall: our own examples, helm's scaffold, and with a corpus at hand public charts.
//!
//! ```text
//! charts found ─► dependencies filled in from the corpus ─► cases (default values, each ci/*values.yaml)
//!              ─► helm, twice where we differ, Landfall once ─► verdict ─► docs/evidence/parity.json
//! ```

pub(crate) mod cases;
pub(crate) mod exclusions;
pub(crate) mod vendor;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use landfall_chart::Dialect;

use crate::compare::{Verdict, judge};
use crate::evidence::{CaseEvidence, Cluster, Evidence, commit};
use crate::helm::{Helm, Outcome, cache};
use crate::suite::{Material, Suite, Whole, corpus, root, said};
use crate::{listed, ours, workers};
pub(crate) use cases::Case;

/// What the command line asked for.
#[derive(Debug, Default)]
struct Options {
    /// Only cases whose id holds this text.
    only: Option<String>,
    /// Public charts too, of these directories of repositories.
    corpus: Vec<PathBuf>,
    /// Which Helm is followed.
    dialect: Dialect,
    /// Plant one wrong byte in one of our answers.
    plant: bool,
}

/// Which charts, and as which Helm renders them.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only cases whose id holds this text.
    only: Option<String>,
    /// Which Helm is followed: v3 or v4.
    #[arg(long, default_value = "v3", value_parser = crate::helm::dialect)]
    dialect: Dialect,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> =
        Some(Whole::of("parity", Material::Corpus, &[&["parity"], &["parity", "--dialect", "v4"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        let options = Options { only: self.only.clone(), corpus: corpus(), dialect: self.dialect, plant: false };
        said(run(root(), &options))
    }
}

/// Shows that a planted byte is seen.
#[derive(clap::Args)]
pub(crate) struct Selftest {}

impl Suite for Selftest {
    fn run(&self) -> anyhow::Result<ExitCode> {
        said(selftest(root()))
    }
}

/// Runs the suite and gives its last line; an error when a case failed.
fn run(root: &Path, options: &Options) -> Result<String, Box<dyn Error>> {
    let helm = Helm::find(options.dialect)?;
    let mut cases = cases::own(root, &cache().join("conformance/scaffold"), &helm)?;
    if options.corpus.is_empty() {
        say("public charts: skipped: no corpus (LANDFALL_CORPUS is not set)");
    } else {
        cases.extend(cases::corpus(&options.corpus, &cache().join("conformance/charts"))?);
    }
    if let Some(only) = &options.only {
        cases.retain(|case| case.id.contains(only.as_str()));
    }
    let results = judge_all(&helm, &cases, options.plant)?;
    let exclusions: exclusions::Exclusions = listed::load(&root.join("conformance/exclusions.toml"))?;
    let suite = match options.dialect {
        Dialect::V3 => "parity",
        Dialect::V4 => "parity-v4",
    };
    let failures = cache().join("conformance/failures").join(suite);
    let _ = fs::remove_dir_all(&failures);
    let mut verdicts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut evidence = Vec::new();
    let mut failed = Vec::new();
    let mut excluded = 0;
    for (case, result) in cases.iter().zip(&results) {
        if let Some(reason) = exclusions.reason(&case.id, &result.helm, &result.verdict) {
            say(&format!("excluded {}: {reason}", case.id));
            excluded += 1;
            continue;
        }
        *verdicts.entry(result.verdict.word()).or_default() += 1;
        evidence.push(CaseEvidence {
            id: case.id.clone(),
            hash: case.content[..16].to_owned(),
            verdict: result.verdict.word(),
        });
        if let Verdict::RefusedOtherwise = result.verdict {
            keep(&failures.join("words"), case, result)?;
        }
        let place = match &result.verdict {
            Verdict::Differs(place) => Some(place.as_str()),
            Verdict::OracleDied => Some("helm dies and no rule excludes it"),
            _ => None,
        };
        if let Some(place) = place {
            say(&format!("FAILED {}: {}", case.id, place.chars().take(400).collect::<String>()));
            keep(&failures, case, result)?;
            failed.push(case.id.clone());
        }
    }
    let planned = cases.len() - excluded;
    let evidence = Evidence {
        suite,
        commit: commit(root),
        cluster: Cluster::Nothing,
        oracle: helm.version.clone(),
        planned,
        passed: planned - failed.len(),
        failed: failed.len(),
        skipped: excluded,
        verdicts: verdicts.clone(),
        cases: evidence,
    };
    // Evidence of the whole suite only: a run without the public charts must not stand for it.
    if options.only.is_none() && !options.corpus.is_empty() && !options.plant {
        evidence.write(root)?;
    }
    let line = format!("{suite}: {} of {planned} cases as helm {}; {verdicts:?}", evidence.passed, helm.version);
    if failed.is_empty() { Ok(line) } else { Err(format!("{line}; see {}", failures.display()).into()) }
}

/// Plants one wrong byte and expects the suite to see it.
fn selftest(root: &Path) -> Result<String, Box<dyn Error>> {
    match run(root, &Options { plant: true, ..Options::default() }) {
        Err(error) if error.to_string().starts_with("parity") => Ok("selftest: a planted byte was seen".to_owned()),
        Err(error) => Err(error),
        Ok(line) => Err(format!("selftest: a planted byte was not seen: {line}").into()),
    }
}

/// What both sides made of a case.
pub(crate) struct Judged {
    pub(crate) helm: Outcome,
    pub(crate) ours: Outcome,
    pub(crate) verdict: Verdict,
}

/// Renders all cases on all cores.
pub(crate) fn judge_all(helm: &Helm, cases: &[Case], plant: bool) -> Result<Vec<Judged>, Box<dyn Error>> {
    let judged = workers::each(cases, |at, case| {
        judge_one(helm, case, plant && at == 0).map_err(|error| format!("{}: {error}", case.id))
    });
    Ok(judged.into_iter().collect::<Result<Vec<_>, _>>()?)
}

fn judge_one(helm: &Helm, case: &Case, plant: bool) -> std::io::Result<Judged> {
    let flags: Vec<String> =
        case.values.iter().flat_map(|(path, _)| ["-f".to_owned(), path.display().to_string()]).collect();
    let first = helm.template(&case.chart, &flags, &case.content, 1)?;
    let tree = ours::read_tree(&case.chart)?;
    let location = case.chart.display().to_string();
    let mut ours = std::panic::catch_unwind(|| ours::template(&location, &tree, &case.values, helm.dialect))
        .unwrap_or_else(|_| Outcome::Refused("PANIC".to_owned()));
    if plant
        && let Outcome::Rendered(output) = &mut ours
        && let Some(byte) = output.last_mut()
    {
        *byte = b'!';
    }
    let mut verdict = judge(&first, &first, &ours);
    if !matches!(verdict, Verdict::Identical | Verdict::RefusedAlike | Verdict::OracleDied) {
        // Only where we differ does it matter whether helm is of one mind.
        let second = helm.template(&case.chart, &flags, &case.content, 2)?;
        verdict = judge(&first, &second, &ours);
    }
    if !verdict.passes() && verdict != Verdict::OracleDied {
        // Two runs within one second agree about the time; a later one does not. Answers are kept, from yesterday perhaps, when the
        // date was another one than in ours: this one is kept for the present minute alone.
        let minute = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() / 60);
        let later = helm.template(&case.chart, &flags, &format!("{} {minute}", case.content), 3)?;
        verdict = judge(&first, &later, &ours);
    }
    if ours == Outcome::Refused("PANIC".to_owned()) {
        verdict = Verdict::Differs("we panic".to_owned());
    }
    Ok(Judged { helm: first, ours, verdict })
}

/// Keeps both answers of a case for a person to look at.
fn keep(directory: &Path, case: &Case, result: &Judged) -> std::io::Result<()> {
    let directory = directory.join(case.id.replace(['/', ':'], "_"));
    fs::create_dir_all(&directory)?;
    for (name, outcome) in [("helm", &result.helm), ("ours", &result.ours)] {
        match outcome {
            Outcome::Rendered(output) => fs::write(directory.join(name), output)?,
            Outcome::Refused(words) => fs::write(directory.join(name), format!("Error: {words}\n"))?,
            Outcome::Died(words) => fs::write(directory.join(name), format!("{words}\n"))?,
        }
    }
    Ok(())
}

/// Tells the developer something.
pub(crate) fn say(line: &str) {
    #[allow(clippy::print_stderr, reason = "a command for developers")]
    {
        eprintln!("{line}");
    }
}
