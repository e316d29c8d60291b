//! Repositories change after change, as their CI would rehearse them: ordinary commits and those that mend something.
//!
//! ```text
//! repositories of conformance/commits.toml, below LANDFALL_HISTORY
//!    ├─► ordinary commits ─► rehearse PARENT..COMMIT ─► exit code, seconds, findings ─► true or false: conformance/commits.toml
//!    ├─► commits that say `fix` ─► rehearse PARENT, COMMIT alone ─► findings that are gone with it
//!    └─► faults that were written down from reading fixes ─► told at the parent, gone at the commit
//! ```
//!
//! The suite fails on an error that nobody has looked at or that was judged false, and on a rehearsal that does not end.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Survey;
use super::rehearsal::{Alarm, Ending, Trial, ground};
use super::upgrades::{Sides, charts, commit_sides, git, histories, is_below, shelf};
use crate::differential::glob::fits;
use crate::evidence::{commit, write};
use crate::parity::say;
use crate::parity::vendor::Shelf;
use crate::suite::{Material, Suite, Whole, root, said};
use crate::{listed, peers, workers};

/// What the command line asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only repositories whose name holds this text; no evidence is written.
    only: Option<String>,
    #[command(flatten)]
    survey: Survey,
}

/// `conformance/commits.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    #[serde(default)]
    pub(super) repository: Vec<Repository>,
    #[serde(default)]
    pub(super) fault: Vec<Fault>,
    #[serde(default)]
    judged: Vec<Judgement>,
}

/// A repository, and how many of its commits are rehearsed, the newest first.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repository {
    pub(super) name: String,
    set: Set,
    ordinary: usize,
    fixes: usize,
}

/// Whether rules were made after looking at a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Set {
    /// They were.
    Tuned,
    /// They were not.
    HeldOut,
}

/// A fault that a commit mends, as a person read it: seen at its parent, gone with it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    /// `repository@commit`.
    pub(super) change: String,
    /// The chart's directory.
    pub(super) path: String,
    /// What has to be set for it to show, as `--set` takes it.
    #[serde(default)]
    pub(super) values: Vec<String>,
    /// What a finding's message or the refusal of the rendering holds that tells it.
    says: String,
    /// What is wrong, in a few words.
    pub(super) what: String,
    /// Why nothing can tell it, where that is so.
    #[serde(default)]
    undecidable: String,
}

/// What a person says to new findings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Judgement {
    rule: String,
    /// `repository@commit`, with `*` for any run of characters.
    change: String,
    #[serde(default = "any")]
    message: String,
    holds: bool,
    why: String,
}

fn any() -> String {
    "*".to_owned()
}

/// One commit of one chart.
pub(super) struct Change {
    pub(super) repository: PathBuf,
    /// The chart's directory.
    pub(super) path: String,
    pub(super) sha: String,
    /// `repository@1a2b3c4`.
    pub(super) id: String,
    /// What the commit says of itself.
    pub(super) subject: String,
    pub(super) mends: bool,
}

/// What came of one.
enum Verdict {
    Ended { code: i32, milliseconds: u128, found: Vec<Alarm>, gone: Vec<Alarm> },
    Refused,
    Broken(String),
}

/// What is written to `docs/evidence/commits.json`.
#[derive(Debug, Default, Serialize)]
struct Evidence {
    suite: &'static str,
    commit: String,
    repositories: Vec<String>,
    planned: usize,
    passed: usize,
    failed: usize,
    /// Changes one side of which does not render at its default values.
    refused: usize,
    /// Exit codes of ordinary commits, and of those that mend something.
    ordinary: BTreeMap<String, usize>,
    fixes: BTreeMap<String, usize>,
    /// Fixes with which a warning or an error of their parent is gone.
    told: usize,
    /// New errors and warnings, and those of them that were judged false.
    errors: usize,
    false_errors: usize,
    warnings: usize,
    false_warnings: usize,
    /// Of all rehearsals, in milliseconds.
    median: u128,
    percentile_95: u128,
    /// Each new error or warning with what a person says.
    findings: Vec<Told>,
    /// What is gone with each fix.
    gone: Vec<Gone>,
    /// Faults that were written down, by whether rules were made after looking at their repository: told, of all.
    told_faults: BTreeMap<Set, [usize; 2]>,
    faults: Vec<Mended>,
}

/// A fault that was written down, and what came of it.
#[derive(Debug, Serialize)]
struct Mended {
    change: String,
    set: Set,
    what: String,
    /// `told`, `untold`, `undecidable`, or `not rehearsed`.
    verdict: &'static str,
    why: String,
}

#[derive(Debug, Serialize)]
struct Told {
    change: String,
    rule: String,
    severity: String,
    message: String,
    verdict: &'static str,
    why: String,
}

#[derive(Debug, Serialize)]
struct Gone {
    change: String,
    findings: Vec<String>,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("commits", Material::Corpus, &[&["commits"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        said(run(root(), self))
    }
}

fn run(root: &Path, arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    if std::env::var_os("LANDFALL_HISTORY").is_none() {
        return Err("commits: skipped: no histories (LANDFALL_HISTORY is not set)".into());
    }
    let list: List = listed::load(&root.join("conformance/commits.toml"))?;
    let landfall = peers::landfall(arguments.survey.landfall.as_deref())?;
    let shelf = shelf()?;
    let mut evidence = Evidence { suite: "commits", commit: commit(root), ..Evidence::default() };
    let mut changes = Vec::new();
    let histories = histories(root)?;
    for wanted in &list.repository {
        if arguments.only.as_ref().is_some_and(|only| !wanted.name.contains(only.as_str())) {
            continue;
        }
        let Some((_, place)) = histories.iter().find(|(name, _)| *name == wanted.name) else {
            say(&format!("missing  {}", wanted.name));
            continue;
        };
        evidence.repositories.push(wanted.name.clone());
        changes.extend(mined(wanted, place)?);
    }
    let verdicts = workers::each(&changes, |_, change| {
        rehearse(change, &landfall, &shelf).unwrap_or_else(|error| Verdict::Broken(error.to_string()))
    });
    let wanted = |fault: &&Fault| arguments.only.as_ref().is_none_or(|only| fault.change.contains(only.as_str()));
    let faults: Vec<&Fault> = list.fault.iter().filter(wanted).collect();
    let mended = workers::each(&faults, |_, fault| {
        mended(fault, &list.repository, &histories, (landfall.as_path(), &shelf)).map_err(|error| error.to_string())
    });
    for (fault, mended) in faults.iter().zip(mended) {
        let Some(mended) = mended.map_err(|why| say(&format!("BROKEN   {}: {why}", fault.change))).ok() else {
            (evidence.planned, evidence.failed) = (evidence.planned + 1, evidence.failed + 1);
            continue;
        };
        let of = evidence.told_faults.entry(mended.set).or_default();
        of[0] += usize::from(mended.verdict == "told");
        of[1] += usize::from(mended.verdict != "not rehearsed");
        if arguments.survey.list || mended.verdict != "told" {
            say(&format!("{}  {}: {}", mended.verdict, mended.change, mended.what));
        }
        evidence.faults.push(mended);
    }
    let mut times = Vec::new();
    for (change, verdict) in changes.iter().zip(verdicts) {
        evidence.add(change, verdict, (&list.judged, &mut times), arguments.survey.list);
    }
    times.sort_unstable();
    let share = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied();
    (evidence.median, evidence.percentile_95) = (share(50).unwrap_or(0), share(95).unwrap_or(0));
    evidence.passed = evidence.planned - evidence.failed;
    if arguments.only.is_none() {
        write(root, evidence.suite, &evidence)?;
    }
    let line = format!(
        "commits: {} of {} changes of {} repositories without a false or unknown error; exits of ordinary ones {:?}, of fixes {:?}; {} fixes told; {} errors ({} false), {} warnings ({} false); {} ms, 95 % within {} ms; {} do not render; faults told, of all: {:?}",
        evidence.passed,
        evidence.planned,
        evidence.repositories.len(),
        evidence.ordinary,
        evidence.fixes,
        evidence.told,
        evidence.errors,
        evidence.false_errors,
        evidence.warnings,
        evidence.false_warnings,
        evidence.median,
        evidence.percentile_95,
        evidence.refused,
        evidence.told_faults
    );
    if evidence.failed == 0 { Ok(line) } else { Err(line.into()) }
}

impl Evidence {
    fn add(&mut self, change: &Change, verdict: Verdict, (judged, times): (&[Judgement], &mut Vec<u128>), list: bool) {
        let (code, milliseconds, found, gone) = match verdict {
            Verdict::Ended { code, milliseconds, found, gone } => (code, milliseconds, found, gone),
            Verdict::Refused => {
                self.refused += 1;
                return;
            }
            Verdict::Broken(why) => {
                say(&format!("BROKEN   {}: {why}", change.id));
                (self.planned, self.failed) = (self.planned + 1, self.failed + 1);
                return;
            }
        };
        self.planned += 1;
        times.push(milliseconds);
        let exits = if change.mends { &mut self.fixes } else { &mut self.ordinary };
        *exits.entry(code.to_string()).or_default() += 1;
        let mut wrong = false;
        for alarm in found.iter().filter(|it| matches!(it.severity.as_str(), "error" | "warning")) {
            let judgement = judged
                .iter()
                .find(|it| it.rule == alarm.rule && fits(&it.change, &change.id) && fits(&it.message, &alarm.message));
            let is_false = judgement.is_some_and(|it| !it.holds);
            let (all, wrongs) = match alarm.severity.as_str() {
                "error" => (&mut self.errors, &mut self.false_errors),
                _ => (&mut self.warnings, &mut self.false_warnings),
            };
            (*all, *wrongs) = (*all + 1, *wrongs + usize::from(is_false));
            wrong |= alarm.severity == "error" && judgement.is_none_or(|it| !it.holds);
            let verdict = judgement.map_or("not looked at", |it| super::judged::word(it.holds));
            if list || (verdict != super::judged::word(true) && alarm.severity == "error") {
                say(&format!(
                    "{verdict}  {} {} {}: {} [{}]",
                    alarm.severity, alarm.rule, change.id, alarm.message, alarm.line
                ));
            }
            self.findings.push(Told {
                change: change.id.clone(),
                rule: alarm.rule.clone(),
                severity: alarm.severity.clone(),
                message: alarm.message.clone(),
                verdict,
                why: judgement.map(|it| it.why.clone()).unwrap_or_default(),
            });
        }
        self.failed += usize::from(wrong);
        if !gone.is_empty() {
            self.told += 1;
            let findings = gone.iter().map(|it| format!("{} {} {}", it.severity, it.rule, it.message)).collect();
            self.gone.push(Gone { change: change.id.clone(), findings });
        }
    }
}

/// The newest commits of a repository that change the templates or values of one chart, ordinary ones and fixes.
pub(super) fn mined(wanted: &Repository, place: &Path) -> Result<Vec<Change>, Box<dyn Error>> {
    let files = git(place, &["ls-tree", "-r", "--name-only", "HEAD"])?;
    let charts = charts(files.lines());
    // Looking for renames reads files, and a snapshot may lack its largest ones.
    let log = git(place, &["log", "--no-merges", "--no-renames", "--name-only", "--format=%x00%H %s", "HEAD"])?;
    let (mut ordinary, mut fixes) = (Vec::new(), Vec::new());
    for entry in log.split('\0').filter(|entry| !entry.is_empty()) {
        let (head, files) = entry.split_once('\n').unwrap_or((entry, ""));
        let Some((sha, subject)) = head.split_once(' ') else { continue };
        let is_of = |chart: &str, file: &str| {
            let rest = file.get(chart.len()..).unwrap_or_default().trim_start_matches('/');
            is_below(chart, file)
                && (rest.starts_with("templates/") || rest.contains("/templates/") || rest.contains("values"))
        };
        let touched: Vec<&&str> = charts.iter().filter(|chart| files.lines().any(|file| is_of(chart, file))).collect();
        let [path] = touched.as_slice() else { continue };
        let mends = subject.to_ascii_lowercase().contains("fix");
        let (list, most) = if mends { (&mut fixes, wanted.fixes) } else { (&mut ordinary, wanted.ordinary) };
        if list.len() < most {
            list.push(Change {
                repository: place.to_owned(),
                path: (**path).to_owned(),
                sha: sha.to_owned(),
                id: format!("{}@{}", wanted.name, sha.get(..7).unwrap_or(sha)),
                subject: subject.to_owned(),
                mends,
            });
        }
    }
    ordinary.extend(fixes);
    Ok(ordinary)
}

/// Looks for a fault at the parent of the commit that mends it, and at the commit.
fn mended(
    fault: &Fault,
    repositories: &[Repository],
    histories: &[(String, PathBuf)],
    (landfall, shelf): (&Path, &Shelf),
) -> Result<Mended, Box<dyn Error>> {
    let (name, sha) = fault.change.split_once('@').ok_or("a change is `repository@commit`")?;
    let set =
        repositories.iter().find(|it| it.name == name).map(|it| it.set).ok_or("no [[repository]] of that name")?;
    let told = |verdict: &'static str| Mended {
        change: fault.change.clone(),
        set,
        what: fault.what.clone(),
        verdict,
        why: fault.undecidable.clone(),
    };
    let Some((_, place)) = histories.iter().find(|(other, _)| other == name) else { return Ok(told("not rehearsed")) };
    let (_ground, ground) = ground()?;
    let parent = format!("{sha}^");
    let Ok(Ok(Sides { work, chart })) = commit_sides((place, &fault.path), [&parent, sha], shelf, &ground) else {
        return Ok(told("not rehearsed"));
    };
    let says = |revision: &str| -> Result<bool, Box<dyn Error>> {
        let mut words = vec!["--ref", revision, "--from", "empty", "./chart"];
        words.extend(fault.values.iter().flat_map(|value| ["--set", value.as_str()]));
        let told = Trial { id: &fault.change, chart: &chart, words: &words, directory: &work }.run(landfall)?;
        Ok(match told {
            Ending::Rehearsed(_, found) => found.iter().any(|it| it.message.contains(&fault.says)),
            Ending::Refused(why) => why.contains(&fault.says) || fault.says == "does not render",
            Ending::Broken(why) => return Err(why.into()),
        })
    };
    let is_told = says("HEAD~1")? && !says("HEAD")?;
    Ok(told(match (is_told, fault.undecidable.is_empty()) {
        (true, _) => "told",
        (false, true) => "untold",
        (false, false) => "undecidable",
    }))
}

fn rehearse(change: &Change, landfall: &Path, shelf: &Shelf) -> Result<Verdict, Box<dyn Error>> {
    let (_ground, ground) = ground()?;
    let parent = format!("{}^", change.sha);
    let at = (&*change.repository, &*change.path);
    let Ok(Ok(Sides { work, chart })) = commit_sides(at, [&parent, &change.sha], shelf, &ground) else {
        return Ok(Verdict::Refused);
    };
    let trial = |words: &[&str]| Trial { id: &change.id, chart: &chart, words, directory: &work }.run(landfall);
    let began = Instant::now();
    let (code, found) = match trial(&["HEAD~1..HEAD", "./chart"])? {
        Ending::Rehearsed(code, found) => (code, found),
        Ending::Refused(_) => return Ok(Verdict::Refused),
        Ending::Broken(why) => return Ok(Verdict::Broken(why)),
    };
    let milliseconds = began.elapsed().as_millis();
    let alone = |revision: &str| -> Result<Vec<Alarm>, Box<dyn Error>> {
        Ok(match trial(&["--ref", revision, "--from", "empty", "./chart"])? {
            Ending::Rehearsed(_, found) => found,
            Ending::Refused(_) | Ending::Broken(_) => Vec::new(),
        })
    };
    let mut gone = Vec::new();
    if change.mends {
        let after = alone("HEAD")?;
        let is_left = |alarm: &Alarm| after.iter().any(|it| it.rule == alarm.rule && it.message == alarm.message);
        gone = alone("HEAD~1")?;
        gone.retain(|alarm| matches!(alarm.severity.as_str(), "error" | "warning") && !is_left(alarm));
    }
    Ok(Verdict::Ended { code, milliseconds, found, gone })
}
