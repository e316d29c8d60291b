//! Charts from their last tag to their head, as a pipeline rehearses a change: `landfall rehearse BASE..HEAD`.
//!
//! ```text
//! repository ─► charts of HEAD ─► each one's newest tag at which it was another one
//!    └─► a repository of two commits, dependencies in place ─► rehearse HEAD~1..HEAD ─► exit code, errors
//!                                                          └─► red? rehearse the base alone: which errors it had already
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::judged::{Judged, word};
use super::looked::Looked;
use super::rehearsal::{Alarm, Ending, Trial, ground};
use super::{Arguments, is_library};
use crate::evidence::{commit, write};
use crate::parity::vendor::{Shelf, copy_directory};
use crate::parity::{cases, say};
use crate::suite::corpus;
use crate::{listed, peers, workers};

/// How many tags back a chart is looked for at most.
const TAGS: usize = 60;

/// A chart's way from one state to another.
struct Upgrade {
    /// `repository/path`.
    id: String,
    /// The git directory.
    repository: PathBuf,
    /// The chart's directory in it.
    path: String,
    /// The tag or commit that it starts from.
    base: String,
}

/// How one upgrade ended.
enum Verdict {
    /// With this code; errors that the base alone has as well are old.
    Ended {
        code: i32,
        errors: Vec<(Alarm, Age)>,
        warnings: usize,
    },
    /// One side refuses its own default values.
    Refused(String),
    /// It says nothing of its chart: a library, or one that the corpus lacks a dependency of.
    LeftOut(String),
    Broken(String),
}

/// Whether the change brought an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Brought,
    Old,
}

/// What is written to `docs/evidence/upgrades.json`.
#[derive(Debug, Default, Serialize)]
struct Evidence {
    suite: &'static str,
    commit: String,
    /// Repositories whose history was read.
    repositories: usize,
    /// Their charts that have an earlier state, of which `planned + refused + left_out` were drawn by the commit's hash.
    charts: usize,
    /// Charts that were rehearsed from an earlier state to their head.
    planned: usize,
    /// Those that ended with 0, or with errors that are true alone.
    passed: usize,
    failed: usize,
    /// Charts one side of which refuses its own defaults.
    refused: usize,
    /// Libraries, and charts of which two versions of a dependency are wanted that the corpus has not both of.
    left_out: usize,
    /// Charts that no tag holds in another state.
    untagged: usize,
    /// The exit codes that a pipeline sees, and how often.
    exits: BTreeMap<String, usize>,
    /// Of those that ended with 1: all of whose errors their base had already.
    red_for_old_errors_alone: usize,
    /// Errors by rule: those that the change brought, and those that its base had.
    brought: BTreeMap<String, usize>,
    old: BTreeMap<String, usize>,
    /// Each upgrade that ended with 1, with what a person says to its errors.
    red: Vec<Red>,
}

#[derive(Debug, Serialize)]
struct Red {
    chart: String,
    from: String,
    errors: Vec<Looked>,
    old: usize,
}

/// Runs the survey and gives its last line; an error when a red upgrade was not looked at, or is red for nothing.
pub(super) fn run(root: &Path, arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let histories = histories(root)?;
    let is_own = std::env::var_os("LANDFALL_HISTORY").is_none();
    if is_own && arguments.sample.is_none() && !corpus().is_empty() {
        return Err("upgrades: skipped: no histories (LANDFALL_HISTORY is not set)".into());
    }
    let landfall = peers::landfall(arguments.survey.landfall.as_deref())?;
    let commit = commit(root);
    let shelf = shelf()?;
    let judged: Judged = listed::load(&root.join("conformance/alarms.toml"))?;
    let mut evidence =
        Evidence { suite: "upgrades", commit: commit.clone(), repositories: histories.len(), ..Evidence::default() };
    let found = workers::each(&histories, |_, (name, repository)| upgrades(name, repository, is_own));
    let mut all = Vec::new();
    for found in found {
        let (upgrades, untagged) = found.map_err(|why| why.to_string())?;
        all.extend(upgrades);
        evidence.untagged += untagged;
    }
    evidence.charts = all.len();
    arguments.choose(&mut all, &commit, |upgrade| &upgrade.id);
    let verdicts = workers::each(&all, |_, upgrade| {
        rehearse(upgrade, &landfall, &shelf).unwrap_or_else(|error| Verdict::Broken(error.to_string()))
    });
    for (upgrade, verdict) in all.iter().zip(verdicts) {
        evidence.add(upgrade, verdict, &judged);
    }
    evidence.passed = evidence.planned - evidence.failed;
    // A sample says of how many it is one.
    if !is_own && arguments.only.is_none() {
        write(root, evidence.suite, &evidence)?;
    }
    let line = format!(
        "upgrades: {} of {} charts (of {}) of {} repositories without a false alarm from their last {} to their head; exits {:?}, {} of the red ones for old errors alone; {} refuse their defaults, {} are libraries or want a dependency that is not at hand, {} have no earlier state",
        evidence.passed,
        evidence.planned,
        evidence.charts,
        evidence.repositories,
        if is_own { "change" } else { "tag" },
        evidence.exits,
        evidence.red_for_old_errors_alone,
        evidence.refused,
        evidence.left_out,
        evidence.untagged
    );
    if evidence.failed == 0 { Ok(line) } else { Err(line.into()) }
}

impl Evidence {
    fn add(&mut self, upgrade: &Upgrade, verdict: Verdict, judged: &Judged) {
        let (code, errors, warnings) = match verdict {
            Verdict::Ended { code, errors, warnings } => (code, errors, warnings),
            Verdict::Refused(why) => {
                say(&format!("refused  {} from {}: {why}", upgrade.id, upgrade.base));
                self.refused += 1;
                return;
            }
            Verdict::LeftOut(why) => {
                say(&format!("left out {} from {}: {why}", upgrade.id, upgrade.base));
                self.left_out += 1;
                return;
            }
            Verdict::Broken(why) => {
                say(&format!("BROKEN   {} from {}: {why}", upgrade.id, upgrade.base));
                self.planned += 1;
                self.failed += 1;
                return;
            }
        };
        self.planned += 1;
        *self.exits.entry(code.to_string()).or_default() += 1;
        if code == 0 {
            return;
        }
        let old = errors.iter().filter(|(_, age)| *age == Age::Old).count();
        self.red_for_old_errors_alone += usize::from(old == errors.len());
        let mut red = Red { chart: upgrade.id.clone(), from: upgrade.base.clone(), errors: Vec::new(), old };
        let mut wrong = false;
        for (alarm, age) in errors {
            let by = if age == Age::Old { &mut self.old } else { &mut self.brought };
            *by.entry(alarm.rule.clone()).or_default() += 1;
            let judgement = judged.of(&alarm.chart, &alarm.rule, &alarm.message);
            let verdict = judgement.map_or("not looked at", |it| word(it.holds));
            if verdict != word(true) {
                say(&format!(
                    "{verdict}  {} {} from {}: {} [{}]",
                    alarm.rule, alarm.chart, upgrade.base, alarm.message, alarm.line
                ));
                wrong = true;
            }
            let why = judgement.map(|it| it.why.clone()).unwrap_or_default();
            red.errors.push(Looked { alarm, verdict, why });
        }
        say(&format!(
            "red      {} from {}: {} errors, {old} of them old; {warnings} warnings",
            upgrade.id,
            upgrade.base,
            red.errors.len()
        ));
        self.failed += usize::from(wrong);
        self.red.push(red);
    }
}

/// The charts of the corpus, which lend each other dependencies.
pub(super) fn shelf() -> Result<Shelf, Box<dyn Error>> {
    let mut charts = Vec::new();
    for directory in corpus() {
        charts.extend(cases::charts_below(&directory)?);
    }
    Shelf::of(&charts)
}

/// The repositories: folders below LANDFALL_HISTORY that are git directories or hold one called `repo`; our own where that
/// is not set.
pub(super) fn histories(root: &Path) -> Result<Vec<(String, PathBuf)>, Box<dyn Error>> {
    let Some(folders) = std::env::var_os("LANDFALL_HISTORY") else {
        return Ok(vec![("landfall".to_owned(), root.join(".git"))]);
    };
    let mut found = Vec::new();
    for folder in std::env::split_paths(&folders) {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let places = [path.join("repo"), path.join(".git"), path.clone()];
            found.extend(places.into_iter().find(|place| place.join("HEAD").is_file()).map(|place| (name, place)));
        }
    }
    found.sort();
    Ok(found)
}

pub(super) fn git(repository: &Path, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new("git").arg("--git-dir").arg(repository).args(arguments).output()?;
    if !output.status.success() {
        return Err(format!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What each of these names is, as `TAG:path`; nothing where it is not there.
fn ids(repository: &Path, names: &[String]) -> Result<Vec<Option<String>>, Box<dyn Error>> {
    let mut child = Command::new("git")
        .arg("--git-dir")
        .arg(repository)
        .args(["cat-file", "--batch-check=%(objectname)"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no input")?;
    let text = names.join("\n") + "\n";
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writer of names failed")??;
    let id = |line: &str| (!line.ends_with(" missing") && !line.contains(' ')).then(|| line.to_owned());
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(id).collect())
}

/// Where the charts of a repository lie, without those that lie in another one; nothing is its root.
pub(super) fn charts<'f>(files: impl Iterator<Item = &'f str>) -> Vec<&'f str> {
    let folder = |file: &'f str| {
        let path = file.strip_suffix("Chart.yaml")?;
        if path.is_empty() { Some(path) } else { path.strip_suffix('/') }
    };
    let all: BTreeSet<&str> = files.filter_map(folder).collect();
    let inside = |path: &str| all.iter().any(|other| path != *other && is_below(other, path));
    all.iter().copied().filter(|path| !inside(path)).collect()
}

/// Whether a path lies in a folder.
pub(super) fn is_below(folder: &str, path: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// A folder, as git takes it.
fn below(folder: &str) -> &str {
    if folder.is_empty() { "." } else { folder }
}

/// The charts of a repository, each from the newest tag that holds it in another state; how many have none.
fn upgrades(
    name: &str,
    repository: &Path,
    is_own: bool,
) -> Result<(Vec<Upgrade>, usize), Box<dyn Error + Send + Sync>> {
    let plain = |error: Box<dyn Error>| error.to_string();
    let files = git(repository, &["ls-tree", "-r", "--name-only", "HEAD"]).map_err(plain)?;
    // Beside the products we have charts that test single points, which nobody delivers.
    let paths = charts(files.lines().filter(|file| !is_own || file.starts_with("examples/")));
    let tags = git(repository, &["for-each-ref", "--sort=-creatordate", "--format=%(refname:short)", "refs/tags"]);
    let tags = tags.map_err(plain)?;
    let (mut found, mut untagged) = (Vec::new(), 0);
    for path in &paths {
        let chart = path.rsplit('/').next().unwrap_or(path);
        let earlier: Vec<String> = if is_own {
            let below = below(path);
            let commits =
                git(repository, &["log", "--format=%H", "--max-count=2", "HEAD", "--", below]).map_err(plain)?;
            commits.lines().skip(1).map(str::to_owned).collect()
        } else {
            // Repositories of many charts name tags by them.
            let own =
                |tag: &&str| tag.strip_prefix(chart).is_some_and(|rest| rest.starts_with(['-', '/', '_', '@', 'v']));
            let named: Vec<&str> = tags.lines().filter(own).collect();
            let from = if named.is_empty() { tags.lines().collect() } else { named };
            from.into_iter().take(TAGS).map(str::to_owned).collect()
        };
        let names: Vec<String> = std::iter::once("HEAD")
            .chain(earlier.iter().map(String::as_str))
            .map(|at| format!("{at}:{path}"))
            .collect();
        let ids = ids(repository, &names).map_err(plain)?;
        let base = earlier.iter().zip(ids.iter().skip(1)).find(|(_, id)| id.is_some() && **id != ids[0]);
        match base {
            Some((base, _)) => found.push(Upgrade {
                id: format!("{name}/{path}").trim_end_matches('/').to_owned(),
                repository: repository.to_owned(),
                path: (*path).to_owned(),
                base: base.clone(),
            }),
            None => untagged += 1,
        }
    }
    Ok((found, untagged))
}

/// A chart's two states as two commits of a repository of their own, below `ground`.
pub(super) struct Sides {
    /// The repository.
    pub(super) work: PathBuf,
    /// The chart in it.
    pub(super) chart: PathBuf,
}

/// Commits a chart as it is at two revisions of a repository, dependencies in place; why not, where it cannot be compared.
pub(super) fn commit_sides(
    (repository, path): (&Path, &str),
    sides: [&str; 2],
    shelf: &Shelf,
    ground: &Path,
) -> Result<Result<Sides, String>, Box<dyn Error>> {
    let work = ground.join("work");
    fs::create_dir_all(&work)?;
    let here = |arguments: &[&str]| -> Result<(), Box<dyn Error>> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&work).args(["-c", "user.name=survey", "-c", "user.email=survey@example.com"]);
        let output = command.args(["-c", "core.hooksPath=/dev/null"]).args(arguments).output()?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
    };
    here(&["init", "-q"])?;
    let chart = work.join("chart");
    let taken = [0, 1].map(|at| ground.join(format!("taken-{at}")));
    for (side, taken) in sides.into_iter().zip(&taken) {
        take_out((repository, path), side, taken)?;
    }
    let [before, after] = taken.each_ref().map(|taken| taken.join(path));
    if let Some(dependency) = shelf.changes_to_another([&before, &after]) {
        return Ok(Err(format!("the corpus has no {dependency}")));
    }
    for (at, (side, taken)) in sides.into_iter().zip(&taken).enumerate() {
        let ready = shelf.prepare(&taken.join(path), &ground.join(format!("ready-{at}")))?;
        if is_library(&ready) {
            return Ok(Err("a library".to_owned()));
        }
        let _ = fs::remove_dir_all(&chart);
        copy_directory(&ready, &chart)?;
        // What a repository ignores is the chart's nevertheless.
        here(&["add", "-A", "-f", "."])?;
        here(&["commit", "-q", "--allow-empty", "-m", side])?;
    }
    Ok(Ok(Sides { work, chart }))
}

fn rehearse(upgrade: &Upgrade, landfall: &Path, shelf: &Shelf) -> Result<Verdict, Box<dyn Error>> {
    let (_ground, ground) = ground()?;
    let sides = commit_sides((&upgrade.repository, &upgrade.path), [&upgrade.base, "HEAD"], shelf, &ground)?;
    let Sides { work, chart } = match sides {
        Ok(sides) => sides,
        Err(why) => return Ok(Verdict::LeftOut(why)),
    };
    let trial = |words: &[&str]| Trial { id: &upgrade.id, chart: &chart, words, directory: &work }.run(landfall);
    let (code, alarms) = match trial(&["HEAD~1..HEAD", "./chart"])? {
        Ending::Rehearsed(code, alarms) => (code, alarms),
        Ending::Refused(why) => return Ok(Verdict::Refused(why)),
        Ending::Broken(why) => return Ok(Verdict::Broken(why)),
    };
    let warnings = alarms.iter().filter(|alarm| alarm.severity == "warning").count();
    let errors: Vec<Alarm> = alarms.into_iter().filter(|alarm| alarm.severity == "error").collect();
    let mut before: Vec<(String, String)> = Vec::new();
    if code == 1
        && let Ending::Rehearsed(_, alarms) = trial(&["--ref", "HEAD~1", "--from", "empty", "./chart"])?
    {
        before = alarms.into_iter().map(|alarm| (alarm.rule, alarm.message)).collect();
    }
    let aged = errors.into_iter().map(|alarm| {
        let is_old = before.iter().any(|(rule, message)| (rule, message) == (&alarm.rule, &alarm.message));
        (alarm, if is_old { Age::Old } else { Age::Brought })
    });
    Ok(Verdict::Ended { code, errors: aged.collect(), warnings })
}

/// Takes a chart out of a repository, as it was there.
pub(super) fn take_out((repository, path): (&Path, &str), side: &str, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    let mut archive = Command::new("git")
        .arg("--git-dir")
        .arg(repository)
        .args(["archive", side, "--", below(path)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let stream = archive.stdout.take().ok_or("no output")?;
    let unpacked = Command::new("tar").arg("-x").arg("-C").arg(to).stdin(stream).status()?;
    let packed = archive.wait()?;
    if packed.success() && unpacked.success() { Ok(()) } else { Err(format!("{side} cannot be taken out").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_lie_in_folders_or_at_the_root_of_a_repository() {
        let found = |files: &[&'static str]| charts(files.iter().copied());
        assert_eq!(found(&["a/Chart.yaml", "a/charts/b/Chart.yaml", "ab/Chart.yaml", "a/values.yaml"]), ["a", "ab"]);
        assert_eq!(found(&["Chart.yaml", "charts/b/Chart.yaml"]), [""]);
        assert!(found(&["a/MyChart.yaml", "values.yaml"]).is_empty());
    }
}
