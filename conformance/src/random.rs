//! Random charts rendered by helm and by Landfall: outputs must be the same bytes, refusals the same words.

mod body;
mod chart;
mod expression;
mod tree;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use landfall_chart::Dialect;
use sha2::{Digest as _, Sha256};

use crate::compare::{Verdict, judge};
use crate::helm::{Helm, Outcome, cache, hex};
use crate::ours;
use crate::parity::exclusions::Exclusions;
use crate::parity::say;
use crate::suite::{Suite, root, said};
use crate::{kept, listed, sample};
use chart::{RandomChart, Template};
use expression::Expressions;

/// Templates in one chart: few enough that one refusal does not hide many others.
const TEMPLATES_IN_A_CHART: usize = 10;
/// Trials that the shrinking of one failure may take.
const SHRINK_TRIALS: usize = 150;
/// Failures that are shrunk; behind them it is enough to know that there are more.
const SHRUNK_FAILURES: usize = 12;

struct Trial<'h> {
    helm: &'h Helm,
    directory: PathBuf,
}

/// A chart's verdict with the words of helm's refusal.
struct Judged {
    verdict: Verdict,
    helm: Outcome,
    ours: Outcome,
}

impl Trial<'_> {
    fn run(&self, files: &BTreeMap<String, String>) -> std::io::Result<Judged> {
        let _ = fs::remove_dir_all(&self.directory);
        let mut hash = Sha256::new();
        for (path, text) in files {
            let file = self.directory.join(path);
            if let Some(parent) = file.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&file, text)?;
            hash.update(path.as_bytes());
            hash.update([0]);
            hash.update(text.as_bytes());
            hash.update([0]);
        }
        let content = hex(&hash.finalize());
        let first = self.helm.template(&self.directory, &[], &content, 1)?;
        let location = self.directory.display().to_string();
        let tree = ours::read_tree(&self.directory)?;
        let ours = std::panic::catch_unwind(|| ours::template(&location, &tree, &[], self.helm.dialect))
            .unwrap_or_else(|_| Outcome::Refused("PANIC".to_owned()));
        let mut verdict = judge(&first, &first, &ours);
        if !matches!(verdict, Verdict::Identical | Verdict::RefusedAlike | Verdict::OracleDied) {
            // Only where we differ does it matter whether helm is of one mind.
            let second = self.helm.template(&self.directory, &[], &content, 2)?;
            verdict = judge(&first, &second, &ours);
        }
        Ok(Judged { verdict, helm: first, ours })
    }
}

fn is_failure(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Differs(_) | Verdict::RefusedOtherwise | Verdict::OracleDied)
}

/// Which templates.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many templates.
    #[arg(default_value_t = 300)]
    count: usize,
    /// The seed; from the commit's hash when not said, and printed.
    seed: Option<u64>,
    /// Which Helm is followed: v3 or v4.
    #[arg(long, default_value = "v3", value_parser = crate::helm::dialect)]
    dialect: Dialect,
}

impl Suite for Arguments {
    fn run(&self) -> anyhow::Result<ExitCode> {
        said(run(root(), self.count, self.seed.unwrap_or_else(sample::seed), self.dialect))
    }
}

/// Renders so many random templates from a seed.
fn run(root: &Path, count: usize, seed: u64, dialect: Dialect) -> Result<String, Box<dyn Error>> {
    let helm = Helm::find(dialect)?;
    let exclusions: Exclusions = listed::load(&root.join("conformance/exclusions.toml"))?;
    let directory = cache().join("conformance/random").join(std::process::id().to_string());
    let trial = Trial { helm: &helm, directory: directory.join("chart") };
    let expressions = Expressions::new(dialect);
    say(&format!("random: seed {seed}, {count} templates"));
    let mut passed = 0;
    let mut refused = 0;
    let mut excluded = 0;
    let mut failures = Vec::new();
    let found = kept::folder(root, "random", dialect);
    let again = kept_charts(&found)?;
    for (name, files) in &again {
        let judged = trial.run(files)?;
        let is_excluded = exclusions.reason(&format!("random/{name}"), &judged.helm, &judged.verdict).is_some();
        if is_failure(&judged.verdict) && !is_excluded {
            say(&format!("FAILED again {name}: {}", describe(&judged)));
            failures.push(name.clone());
        }
    }
    let mut made = 0;
    let mut chart_seed = seed;
    while made < count {
        let mut chart = RandomChart::new(chart_seed, TEMPLATES_IN_A_CHART.min(count - made), &expressions);
        made += chart.templates.len();
        while !chart.templates.is_empty() {
            let judged = trial.run(&chart.files())?;
            if !is_failure(&judged.verdict) {
                if let Outcome::Refused(words) = &judged.helm {
                    // This one is done; the others get their turn.
                    let Some(name) = named(words, &chart) else {
                        passed += chart.templates.len();
                        refused += chart.templates.len();
                        break;
                    };
                    chart.templates.remove(&name);
                    passed += 1;
                    refused += 1;
                    continue;
                }
                passed += chart.templates.len();
                break;
            }
            let Some((name, template, alone)) = culprit(&trial, &chart)? else {
                if exclusions.reason(&format!("random/{chart_seed}"), &judged.helm, &judged.verdict).is_some() {
                    excluded += chart.templates.len();
                    break;
                }
                say(&format!("FAILED seed {chart_seed}: only as a whole: {}", describe(&judged)));
                keep(&found, &chart.name, &chart.files(), &judged)?;
                failures.push(format!("seed {chart_seed}"));
                break;
            };
            chart.templates.remove(&name);
            let is_excluded = |judged: &Judged| {
                exclusions.reason(&format!("random/{chart_seed}/{name}"), &judged.helm, &judged.verdict).is_some()
            };
            if is_excluded(&alone) {
                excluded += 1;
                continue;
            }
            let chance = by_chance(&alone.verdict);
            let fails = |judged: &Judged| {
                is_failure(&judged.verdict) && (chance || !by_chance(&judged.verdict)) && !is_excluded(judged)
            };
            let small = if failures.len() < SHRUNK_FAILURES {
                shrink(&trial, &chart, &name, template, fails)?
            } else {
                template
            };
            let only = chart.with_only(BTreeMap::from([(name.clone(), small.clone())]));
            let judged = trial.run(&only.files())?;
            say(&format!("FAILED seed {chart_seed} {name}: {}\n  {}", small.body.source(), describe(&judged)));
            keep(&found, &format!("{}-{name}", chart.name), &only.files(), &judged)?;
            failures.push(format!("seed {chart_seed} {name}"));
        }
        chart_seed = chart_seed.wrapping_add(1);
    }
    let _ = fs::remove_dir_all(&directory);
    let line = format!(
        "random: {passed} of {} templates as helm {} ({refused} refused alike, {excluded} excluded), seed {seed}; {} kept cases",
        made - excluded,
        helm.version,
        again.len()
    );
    if failures.is_empty() { Ok(line) } else { Err(format!("{line}; {} failures", failures.len()).into()) }
}

fn describe(judged: &Judged) -> String {
    let words = |outcome: &Outcome| match outcome {
        Outcome::Rendered(_) => "renders".to_owned(),
        Outcome::Refused(words) | Outcome::Died(words) => words.lines().next().unwrap_or_default().to_owned(),
    };
    match &judged.verdict {
        Verdict::Differs(place) => place.clone(),
        _ => format!("helm: {}\n  ours: {}", words(&judged.helm), words(&judged.ours)),
    }
}

/// The template that a refusal names.
fn named(words: &str, chart: &RandomChart) -> Option<String> {
    let mut places = chart.templates.keys().filter_map(|name| {
        let at = words.find(&format!("templates/{name}.yaml"))?;
        Some((at, name))
    });
    let first = places.next()?;
    Some(places.fold(first, |best, next| if next.0 < best.0 { next } else { best }).1.clone())
}

/// The first template that fails alone.
fn culprit(trial: &Trial<'_>, chart: &RandomChart) -> std::io::Result<Option<(String, Template, Judged)>> {
    for (name, template) in &chart.templates {
        let alone = chart.with_only(BTreeMap::from([(name.clone(), template.clone())]));
        let judged = trial.run(&alone.files())?;
        if is_failure(&judged.verdict) {
            return Ok(Some((name.clone(), template.clone(), judged)));
        }
    }
    Ok(None)
}

/// Whether helm differs from itself too.
fn by_chance(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Differs(place) if place.contains("\" or \""))
}

/// Makes a failing template smaller as long as it fails in a way that counts: not where helm itself gives this now and that then,
/// and not where what is left is excluded.
fn shrink(
    trial: &Trial<'_>,
    chart: &RandomChart,
    name: &str,
    template: Template,
    fails: impl Fn(&Judged) -> bool,
) -> std::io::Result<Template> {
    let mut best = template;
    let mut trials = 0;
    'smaller: loop {
        for body in best.body.smaller() {
            if body.source().len() >= best.body.source().len() || trials >= SHRINK_TRIALS {
                continue;
            }
            trials += 1;
            let candidate = best.with_body(body);
            let alone = chart.with_only(BTreeMap::from([(name.to_owned(), candidate.clone())]));
            if fails(&trial.run(&alone.files())?) {
                best = candidate;
                continue 'smaller;
            }
        }
        return Ok(best);
    }
}

/// Writes a chart that failed to where every later run finds it, and both answers beside helm's.
fn keep(found: &Path, name: &str, files: &BTreeMap<String, String>, judged: &Judged) -> std::io::Result<()> {
    kept::write(&found.join(name), files.iter().map(|(path, text)| (path.as_str(), text.as_str())))?;
    let directory = cache().join("conformance/failures/random").join(name);
    fs::create_dir_all(&directory)?;
    for (name, outcome) in [("helm.out", &judged.helm), ("ours.out", &judged.ours)] {
        let bytes = match outcome {
            Outcome::Rendered(output) => output.clone(),
            Outcome::Refused(words) | Outcome::Died(words) => words.clone().into_bytes(),
        };
        fs::write(directory.join(name), bytes)?;
    }
    Ok(())
}

/// Charts that once failed, each a directory of its own, by its name.
fn kept_charts(found: &Path) -> std::io::Result<Vec<(String, BTreeMap<String, String>)>> {
    let mut charts = Vec::new();
    for path in kept::entries(found)? {
        let files = ours::read_tree(&path)?
            .iter()
            .map(|(path, bytes)| (path.to_owned(), String::from_utf8_lossy(bytes).into_owned()))
            .collect();
        charts.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), files));
    }
    Ok(charts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_that_failed_is_found_again_by_the_next_run() {
        let root = tempfile::tempdir().expect("a directory");
        let found = kept::folder(root.path(), "random", Dialect::V3);
        assert!(kept_charts(&found).expect("readable").is_empty());
        let chart = RandomChart::new(7, 2, &Expressions::new(Dialect::V3));
        let files = chart.files();
        kept::write(&found.join(&chart.name), files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
            .expect("written");
        assert_eq!(kept_charts(&found).expect("readable"), [(chart.name, files)]);
        assert!(kept_charts(&kept::folder(root.path(), "random", Dialect::V4)).expect("readable").is_empty());
    }
}
