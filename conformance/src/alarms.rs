//! Charts rehearsed at their default values, and from their last tag to their head: a finding that is wrong there is a false
//! alarm, and so is a refusal that helm does not share.
//!
//! ```text
//! charts of LANDFALL_CORPUS, or our own ─► landfall rehearse CHART --from empty -o json ─┬► findings by rule
//!                                                                                        └► refused ─► helm template: so does helm?
//! repositories of LANDFALL_HISTORY ─► last tag → head ─► landfall rehearse BASE..HEAD ─► the code that a pipeline sees
//!        conformance/alarms.toml: each error looked at by a person ─► true, false, or not looked at ─┬► docs/evidence/alarms.json
//!        conformance/looked.toml: warnings and infos, a hundred of each, a sentence each ────────────┘  docs/evidence/upgrades.json
//! ```
//!
//! The suite fails on an error that nobody has looked at, on one that was judged false, on a chart that we refuse and helm
//! renders, and on a rehearsal that does not end. A chart that refuses its own default values is counted apart: there is
//! nothing to rehearse.

pub(crate) mod checkers;
pub(crate) mod commits;
mod judged;
mod looked;
mod rehearsal;
pub(crate) mod told;
mod upgrades;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use landfall_chart::Dialect;
use serde::Serialize;

use crate::dice::Dice;
use crate::evidence::{commit, write};
use crate::helm::{Helm, Outcome, cache};
use crate::parity::{Case, cases, say};
use crate::suite::{Material, Suite, Whole, corpus, root, said};
use crate::{listed, peers, workers};
use judged::Judged;
use looked::{Looked, Sentence, Sentences};
use rehearsal::{Alarm, Ending, Trial, ground};

/// What the command line asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only charts whose id holds this text; no evidence is written.
    only: Option<String>,
    #[command(flatten)]
    survey: Survey,
    /// Only so many of the charts, drawn by the commit's hash; no evidence is written.
    #[arg(long)]
    sample: Option<usize>,
    /// Each chart from its last tag to its head, of the repositories below LANDFALL_HISTORY; our own from their last change on
    #[arg(long)]
    upgrades: bool,
}

/// What every survey of charts is asked.
#[derive(Debug, clap::Args)]
struct Survey {
    /// The `landfall` to run; the one beside this program when not said.
    #[arg(long)]
    landfall: Option<PathBuf>,
    /// Tell all that is found, by case.
    #[arg(long)]
    list: bool,
}

/// What is written to `docs/evidence/alarms.json`.
#[derive(Debug, Serialize)]
struct Evidence {
    suite: &'static str,
    commit: String,
    oracle: String,
    /// Charts that were rehearsed, and those that only we refuse.
    planned: usize,
    /// Those without an error, or with errors that are true alone.
    passed: usize,
    failed: usize,
    /// Charts that refuse their own default values, and those of them of which helm says the same.
    refused: usize,
    refused_by_helm: usize,
    /// Rehearsals that ended with 0.
    clean: usize,
    /// By rule and severity: findings, and charts that have one.
    rules: BTreeMap<String, Count>,
    /// Each error with what a person says to it.
    errors: Vec<Looked>,
    /// Warnings and infos that a person has looked at, by severity.
    looked: BTreeMap<String, Vec<Looked>>,
    /// Each chart that we refuse, with what we say and what helm says.
    refusals: Vec<Refusal>,
}

#[derive(Debug, Default, Serialize)]
struct Count {
    findings: usize,
    charts: BTreeSet<String>,
}

/// A chart that we refuse at its own default values.
#[derive(Debug, Serialize)]
struct Refusal {
    chart: String,
    ours: String,
    /// What helm says; nothing when it renders the chart.
    helm: Option<String>,
    /// What a person says where helm renders it.
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("alarms", Material::Corpus, &[&["alarms"], &["alarms", "--upgrades"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        if self.upgrades { said(upgrades::run(root(), self)) } else { said(run(root(), self)) }
    }
}

impl Arguments {
    /// Whether this is all of it, so that it may leave evidence.
    fn is_whole(&self) -> bool {
        self.only.is_none() && self.sample.is_none()
    }

    /// Leaves what was asked for.
    fn choose<T>(&self, all: &mut Vec<T>, commit: &str, id: impl Fn(&T) -> &str) {
        if let Some(only) = &self.only {
            all.retain(|it| id(it).contains(only.as_str()));
        }
        let Some(sample) = self.sample else { return };
        let seed = u64::from_str_radix(commit.get(..12).unwrap_or_default(), 16).unwrap_or(1);
        let mut dice = Dice::new(seed);
        while all.len() > sample {
            all.remove(dice.below(all.len()));
        }
    }
}

/// Runs the suite and gives its last line; an error when an alarm is false or was not looked at.
fn run(root: &Path, arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let (commit, corpus) = (commit(root), corpus());
    let landfall = peers::landfall(arguments.survey.landfall.as_deref())?;
    let helm = Helm::find(Dialect::V3)?;
    let mut charts = match corpus.as_slice() {
        // Without a corpus there are our own, in every environment that they have values for.
        [] => cases::own(root, &cache().join("conformance"), &helm)?,
        corpus => cases::corpus(corpus, &cache().join("conformance/charts"))?,
    };
    let mut seen = BTreeSet::new();
    let is_new = |case: &Case| corpus.is_empty() || (case.values.is_empty() && seen.insert(case.content.clone()));
    charts.retain(|case| !is_library(&case.chart));
    let mut is_new = is_new;
    charts.retain(|case| is_new(case));
    arguments.choose(&mut charts, &commit, |case| &case.id);
    let judged: Judged = listed::load(&root.join("conformance/alarms.toml"))?;
    let sentences: Sentences = listed::load(&root.join("conformance/looked.toml"))?;
    let endings = workers::each(&charts, |_, case: &Case| {
        rehearse(&landfall, case).unwrap_or_else(|error| Ending::Broken(error.to_string()))
    });

    let mut evidence = Evidence {
        suite: "alarms",
        commit,
        oracle: helm.version.clone(),
        planned: 0,
        passed: 0,
        failed: 0,
        refused: 0,
        refused_by_helm: 0,
        clean: 0,
        rules: BTreeMap::new(),
        errors: Vec::new(),
        looked: BTreeMap::new(),
        refusals: Vec::new(),
    };
    for (case, ending) in charts.iter().zip(endings) {
        match ending {
            Ending::Rehearsed(_, alarms) => evidence.add(alarms, &judged, &sentences, arguments.survey.list),
            Ending::Refused(ours) => evidence.refuse(case, ours, &helm, &judged)?,
            Ending::Broken(why) => {
                say(&format!("BROKEN   {}: {why}", case.id));
                evidence.planned += 1;
                evidence.failed += 1;
            }
        }
    }
    evidence.passed = evidence.planned - evidence.failed;
    for (by, count) in &evidence.rules {
        say(&format!("{by:<16} {:>5} findings in {:>4} charts", count.findings, count.charts.len()));
    }
    if !corpus.is_empty() && arguments.is_whole() {
        let few = looked::too_few(&evidence.looked, |severity| evidence.count(severity));
        few.iter().for_each(|line| say(line));
        evidence.failed += few.len();
        write(root, evidence.suite, &evidence)?;
    }
    let line = format!(
        "alarms: {} of {} {} without a false alarm, {} without an error; {} refuse their own defaults, {} of them helm's too; {} warnings and {} infos looked at",
        evidence.passed,
        evidence.planned,
        if corpus.is_empty() { "own charts" } else { "public charts" },
        evidence.clean,
        evidence.refused,
        evidence.refused_by_helm,
        evidence.looked.get("warning").map_or(0, Vec::len),
        evidence.looked.get("info").map_or(0, Vec::len),
    );
    if evidence.failed == 0 && evidence.planned > 0 { Ok(line) } else { Err(line.into()) }
}

impl Evidence {
    /// How many findings of a severity there are.
    fn count(&self, severity: &str) -> usize {
        let of = self.rules.iter().filter(|(by, _)| by.ends_with(severity));
        of.map(|(_, count)| count.findings).sum()
    }

    fn add(&mut self, alarms: Vec<Alarm>, judged: &Judged, sentences: &Sentences, list: bool) {
        self.planned += 1;
        self.clean += usize::from(!alarms.iter().any(|alarm| alarm.severity == "error"));
        let mut wrong = false;
        for alarm in alarms {
            let count = self.rules.entry(format!("{} {}", alarm.rule, alarm.severity)).or_default();
            count.findings += 1;
            count.charts.insert(alarm.chart.clone());
            let (verdict, why) = match (sentences.of(&alarm), judged.of(&alarm.chart, &alarm.rule, &alarm.message)) {
                (Some(Sentence { holds, says, .. }), _) => (judged::word(*holds), says.clone()),
                (None, Some(judgement)) => (judgement.word(), judgement.why.clone()),
                (None, None) => ("not looked at", String::new()),
            };
            let is_error = alarm.severity == "error";
            if verdict == judged::word(false) || (is_error && verdict != judged::word(true)) {
                say(&format!("{verdict}  {} {} {}: {}", alarm.rule, alarm.chart, alarm.spot, alarm.message));
                wrong = true;
            }
            if list {
                let Alarm { chart, rule, severity, message, spot, line } = &alarm;
                say(&format!("{severity}\t{rule}\t{chart}\t{spot}\t{message}\t{line}\t{verdict}"));
            }
            if is_error {
                self.errors.push(Looked { alarm, verdict, why });
            } else if verdict != "not looked at" {
                self.looked.entry(alarm.severity.clone()).or_default().push(Looked { alarm, verdict, why });
            }
        }
        self.failed += usize::from(wrong);
    }

    fn refuse(&mut self, case: &Case, ours: String, helm: &Helm, judged: &Judged) -> std::io::Result<()> {
        self.refused += 1;
        let flags: Vec<String> =
            case.values.iter().flat_map(|(file, _)| ["-f".to_owned(), file.display().to_string()]).collect();
        let words = match helm.template(&case.chart, &flags, &case.content, 0)? {
            Outcome::Rendered(_) => None,
            Outcome::Refused(words) | Outcome::Died(words) => Some(words),
        };
        let lies = case.chart.display().to_string();
        let short = |words: String| -> String { words.replace(&lies, &case.id).chars().take(200).collect() };
        let judgement = judged.of(&case.id, "refused", &ours);
        let why = match (&words, judgement) {
            (None, Some(judgement)) => judgement.why.clone(),
            _ => String::new(),
        };
        match &words {
            Some(_) => self.refused_by_helm += 1,
            None => {
                self.planned += 1;
                let holds = judgement.is_some_and(|it| it.holds);
                self.failed += usize::from(!holds);
                if !holds {
                    say(&format!("REFUSED  {}: {ours}; helm renders it", case.id));
                }
            }
        }
        self.refusals.push(Refusal { chart: case.id.clone(), ours, helm: words.map(short), why });
        Ok(())
    }
}

pub(super) fn is_library(chart: &Path) -> bool {
    let text = fs::read_to_string(chart.join("Chart.yaml")).unwrap_or_default();
    landfall_yaml::to_json(&text).is_ok_and(|chart| chart["type"] == "library")
}

fn rehearse(landfall: &Path, case: &Case) -> Result<Ending, Box<dyn Error>> {
    let (_ground, directory) = ground()?;
    let (chart, files) =
        (case.chart.display().to_string(), case.values.iter().map(|(file, _)| file.display().to_string()));
    let files: Vec<String> = files.collect();
    let mut words = vec!["--from", "empty", &chart];
    words.extend(files.iter().flat_map(|file| ["-f", file]));
    Trial { id: &case.id, chart: &case.chart, words: &words, directory: &directory }.run(landfall)
}
