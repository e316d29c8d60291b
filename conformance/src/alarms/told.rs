//! Faults that people read out of the histories of charts without knowing what we tell, and which of them we tell.
//!
//! ```text
//! conformance/told/LIST.toml ─► repository (LANDFALL_HISTORY) at the parent of the commit that mends it, and at the commit
//!      ─► landfall rehearse CHART --from empty, both ─► findings that go with the commit ─► one names a word of the reader's: told
//! ```
//!
//! Which field, object or key any good explanation has to name was written down beforehand. That alone decides what counts: nobody
//! who wants a figure looks at the findings. A chart that does not render before the commit and does behind it is told, and counted
//! apart as well.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, anyhow, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rehearsal::{Trial, ground};
use super::upgrades::{histories, take_out};
use crate::evidence::{commit, write};
use crate::suite::{Material, Suite, Whole, root};
use crate::{listed, peers, workers};

/// Which faults.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only changes whose name holds this text.
    only: Option<String>,
    /// A list instead of those of `conformance/told`.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Print what goes with the commit of faults that are not told.
    #[arg(long)]
    beside: bool,
    /// The binary (default: `landfall` beside this program).
    #[arg(long, value_name = "FILE")]
    landfall: Option<PathBuf>,
    /// Write docs/evidence/told.json.
    #[arg(long, conflicts_with_all = ["only", "list"])]
    evidence: bool,
}

/// One reader's faults.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// What we have done with it.
    #[serde(default)]
    set: Set,
    #[serde(default)]
    fault: Vec<Fault>,
}

/// Whether rules were made after looking at these faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Set {
    /// They were.
    Tuned,
    /// They were not.
    #[default]
    HeldOut,
}

/// A fault that a commit mends: seen at its parent, gone with it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// `repository@commit`.
    change: String,
    /// The chart's directory.
    path: String,
    /// What has to be set for it to show, as `--set` takes it.
    #[serde(default)]
    values: Vec<String>,
    /// Any good explanation names one of these.
    words: Vec<String>,
    /// What is wrong, in one sentence.
    what: String,
}

/// How a fault came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// A finding that names it goes with the commit.
    Told,
    /// The chart does not render before the commit.
    NotRendered,
    /// Findings go with the commit, and none of them names it.
    Beside,
    Untold,
    /// It cannot be seen here: the repository is not at hand, or the chart renders at neither of the two.
    NotRehearsed,
}

/// What was found of a fault.
struct Found {
    verdict: Verdict,
    /// Whether it is told by the stricter measure, too: a message that is said no more, and names it by itself or by what it shows.
    is_strict: bool,
    /// What goes with the commit, `severity rule message`.
    gone: Vec<String>,
}

/// A finding, as far as two runs are compared.
struct Finding {
    rule: String,
    severity: String,
    message: String,
    /// What comes of it, and what to do.
    advice: String,
    spots: Vec<Spot>,
}

/// What one of a finding's spots shows.
struct Spot {
    /// Which object and container: a finding that is told of several may go from one of them.
    of: String,
    /// The object, container and field, and what stands on their lines.
    names: String,
}

impl Finding {
    fn is(&self, other: &Finding) -> bool {
        (&self.rule, &self.message) == (&other.rule, &other.message)
    }
}

/// How a rehearsal ended.
enum Ending {
    Rehearsed(Vec<Finding>),
    Refused(String),
}

/// What is written to `docs/evidence/told.json`.
#[derive(Serialize)]
struct Evidence {
    suite: &'static str,
    commit: String,
    planned: usize,
    passed: usize,
    failed: usize,
    skipped: usize,
    /// How many of those that passed are told by the stricter measure.
    strictly: usize,
    /// How many ended in which way, by set.
    verdicts: BTreeMap<Set, BTreeMap<Verdict, usize>>,
    faults: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    change: String,
    path: String,
    what: String,
    verdict: Verdict,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("told", Material::Corpus, &[&["told", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        let landfall = peers::landfall(self.landfall.as_deref())?;
        let histories = histories(root()).map_err(|error| anyhow!(error.to_string()))?;
        let is_wanted = |fault: &Fault| self.only.as_ref().is_none_or(|only| fault.change.contains(only.as_str()));
        let mut faults = Vec::new();
        for file in self.files()? {
            let list: List = listed::load(&file).with_context(|| file.display().to_string())?;
            faults.extend(list.fault.into_iter().filter(is_wanted).map(|fault| (list.set, fault)));
        }
        let found = workers::each(&faults, |_, (_, fault)| {
            look(fault, &histories, &landfall).map_err(|error| error.to_string())
        });
        let mut evidence = Evidence {
            suite: "told",
            commit: commit(root()),
            planned: faults.len(),
            passed: 0,
            failed: 0,
            skipped: 0,
            strictly: 0,
            verdicts: BTreeMap::new(),
            faults: Vec::new(),
        };
        for ((set, fault), found) in faults.into_iter().zip(found) {
            let found = found.map_err(|why| anyhow!("{} {}: {why}", fault.change, fault.path))?;
            if !matches!(found.verdict, Verdict::Told | Verdict::NotRendered) {
                println!("{:?}  {} {} {:?}: {}", found.verdict, fault.change, fault.path, fault.values, fault.what);
                if self.beside {
                    found.gone.iter().for_each(|gone| println!("    {gone}"));
                }
            }
            let count = match found.verdict {
                Verdict::Told | Verdict::NotRendered => &mut evidence.passed,
                Verdict::Beside | Verdict::Untold => &mut evidence.failed,
                Verdict::NotRehearsed => &mut evidence.skipped,
            };
            *count += 1;
            evidence.strictly += usize::from(found.is_strict);
            *evidence.verdicts.entry(set).or_default().entry(found.verdict).or_default() += 1;
            let Fault { change, path, what, .. } = fault;
            evidence.faults.push(Told { change, path, what, verdict: found.verdict });
        }
        if self.evidence {
            write(root(), evidence.suite, &evidence)?;
        }
        println!(
            "told: {} of {} faults that somebody read ({} by their message or what it shows alone); by set {:?}; {} could not be looked for",
            evidence.passed,
            evidence.passed + evidence.failed,
            evidence.strictly,
            evidence.verdicts,
            evidence.skipped
        );
        // What is untold is a figure and no failure: the list is of others' faults, and grows as they are read.
        Ok(if evidence.passed + evidence.failed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Arguments {
    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        if let Some(list) = &self.list {
            ensure!(list.is_file(), "{} is no file", list.display());
            return Ok(vec![list.clone()]);
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(root().join("conformance/told"))? {
            files.push(entry?.path());
        }
        files.retain(|file| file.extension().is_some_and(|it| it == "toml"));
        files.sort();
        Ok(files)
    }
}

/// Looks for a fault before the commit that mends it, and behind it.
fn look(fault: &Fault, histories: &[(String, PathBuf)], landfall: &Path) -> Result<Found, Box<dyn Error>> {
    let (name, sha) = fault.change.split_once('@').ok_or("a change is `repository@commit`")?;
    let unseen = |why: &str| Found { verdict: Verdict::NotRehearsed, is_strict: false, gone: vec![why.to_owned()] };
    let Some((_, repository)) = histories.iter().find(|(other, _)| other == name) else {
        return Ok(unseen("the repository is not at hand"));
    };
    let (_ground, ground) = ground()?;
    let mut endings = Vec::new();
    for (side, revision) in ["before", "behind"].into_iter().zip([format!("{sha}^"), sha.to_owned()]) {
        let tree = ground.join(side);
        if take_out((repository, &fault.path), &revision, &tree).is_err() {
            return Ok(unseen("the chart is not there"));
        }
        take_out_neighbours((repository, &fault.path), &revision, &tree, 0);
        // What lies beside a chart is read within a repository.
        let _silent = Command::new("git").args(["init", "--quiet"]).arg(&tree).status();
        endings.push(rehearse(fault, &tree.join(&fault.path), landfall)?);
    }
    Ok(match (endings.remove(0), endings.remove(0)) {
        (_, Ending::Refused(why)) => unseen(&why),
        (Ending::Refused(why), Ending::Rehearsed(_)) => {
            Found { verdict: Verdict::NotRendered, is_strict: true, gone: vec![why] }
        }
        (Ending::Rehearsed(before), Ending::Rehearsed(behind)) => compared(&before, &behind, &fault.words),
    })
}

/// Neighbours of neighbours of neighbours end here.
const DEEPEST: u8 = 4;

/// Puts what a chart has of its repository beside it: charts that it depends on by a path (`file://../common`), and what its links
/// lead to. What is not there is missed by the rehearsal, too.
fn take_out_neighbours((repository, path): (&Path, &str), side: &str, tree: &Path, depth: u8) {
    let chart = tree.join(path);
    let mut wanted: Vec<PathBuf> = Vec::new();
    for file in ["Chart.yaml", "requirements.yaml"] {
        let text = fs::read_to_string(chart.join(file)).unwrap_or_default();
        let places = text.lines().filter_map(|line| line.split_once("file://")).map(|(_, place)| place);
        wanted.extend(places.map(|place| Path::new(path).join(place.trim().trim_matches(['"', '\'']))));
    }
    links(&chart, Path::new(path), &mut wanted);
    for place in wanted.iter().filter_map(|place| within(place)).filter(|place| !tree.join(place).exists()) {
        if take_out((repository, &place), side, tree).is_ok() && depth < DEEPEST {
            take_out_neighbours((repository, &place), side, tree, depth + 1);
        }
    }
}

/// Where the links of a folder lead to.
fn links(folder: &Path, path: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_symlink() {
            found.extend(fs::read_link(entry.path()).map(|to| path.join(to)));
        } else if kind.is_dir() {
            links(&entry.path(), &path.join(entry.file_name()), found);
        }
    }
}

/// A path without its steps up; none where it leads out of the repository.
fn within(path: &Path) -> Option<String> {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.components() {
        match step {
            Component::Normal(step) => steps.push(step.to_str()?),
            Component::ParentDir => drop(steps.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!steps.is_empty()).then(|| steps.join("/"))
}

/// What goes from one run to the next, and whether it names one of the words.
fn compared(before: &[Finding], behind: &[Finding], words: &[String]) -> Found {
    let names = |said: String| {
        let said = said.to_lowercase();
        words.iter().any(|word| said.contains(&word.to_lowercase()))
    };
    let shown = |spots: &[&Spot]| spots.iter().map(|spot| spot.names.as_str()).collect::<Vec<_>>().join(" ");
    let (mut gone, mut is_told, mut is_strict) = (Vec::new(), false, false);
    for finding in before {
        let same: Vec<&Finding> = behind.iter().filter(|it| it.is(finding)).collect();
        let spots: Vec<&Spot> = finding.spots.iter().filter(|spot| is_gone(spot, finding, &same)).collect();
        if !same.is_empty() && spots.is_empty() {
            continue;
        }
        is_told |= names(format!("{} {} {}", finding.message, finding.advice, shown(&spots)));
        is_strict |= same.is_empty() && names(format!("{} {}", finding.message, shown(&spots)));
        gone.push(format!("{} {} {}", finding.severity, finding.rule, finding.message));
    }
    let verdict = match is_told {
        true => Verdict::Told,
        false if gone.is_empty() => Verdict::Untold,
        false => Verdict::Beside,
    };
    Found { verdict, is_strict, gone }
}

/// Whether the finding is told of fewer places in an object behind the commit than before it. One that has only moved is not gone.
fn is_gone(spot: &Spot, finding: &Finding, behind: &[&Finding]) -> bool {
    let places = |spots: &[Spot]| spots.iter().filter(|other| other.of == spot.of).count();
    behind.iter().map(|it| places(&it.spots)).sum::<usize>() < places(&finding.spots)
}

/// Rehearses a chart as something new.
fn rehearse(fault: &Fault, chart: &Path, landfall: &Path) -> Result<Ending, Box<dyn Error>> {
    let mut words = vec!["--from", "empty", "."];
    words.extend(fault.values.iter().flat_map(|value| ["--set", value.as_str()]));
    let output = Trial { id: &fault.change, chart, words: &words, directory: chart }.output(landfall)?;
    // Where the tree lies would hold every word of its own.
    let lies = chart.display().to_string();
    let complaint = String::from_utf8_lossy(&output.stderr).replace(&lies, "");
    match output.status.code() {
        Some(0 | 1) => {
            let answer: Value = serde_json::from_slice(&output.stdout)?;
            Ok(Ending::Rehearsed(findings(&answer["data"], &lies)))
        }
        Some(2) => {
            Ok(Ending::Refused(complaint.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned()))
        }
        other => Err(format!("ended with {other:?}: {complaint}").into()),
    }
}

/// The findings, and why a delivery fails of which none is told.
fn findings(data: &Value, lies: &str) -> Vec<Finding> {
    let text = |value: &Value| value.as_str().unwrap_or_default().replace(lies, "");
    let each = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let mut found: Vec<Finding> = each(&data["findings"])
        .iter()
        .map(|finding| Finding {
            rule: text(&finding["rule"]),
            severity: text(&finding["severity"]),
            message: text(&finding["message"]),
            advice: format!("{} {}", text(&finding["cause"]), text(&finding["help"])),
            spots: each(&finding["spots"]).iter().map(spot).collect(),
        })
        .collect();
    let fails = each(&data["trials"]).iter().flat_map(|trial| each(&trial["why"])).collect::<Vec<_>>();
    found.extend(fails.iter().map(|why| Finding {
        rule: "none".to_owned(),
        severity: "error".to_owned(),
        message: text(&why["message"]),
        advice: String::new(),
        spots: Vec::new(),
    }));
    found
}

fn spot(spot: &Value) -> Spot {
    let part = |pointer: &str| spot.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let of = ["/object/gvk/kind", "/object/name", "/container"].map(part).join("/");
    Spot { of, names: names(spot).join(" ") }
}

/// What a spot names. Not its files: a template is called like the kind that it writes, and every word fits one of them.
fn names(spot: &Value) -> Vec<String> {
    let pointers = ["/object/name", "/container", "/field", "/template/source", "/file/source"];
    let mut names: Vec<String> =
        pointers.iter().filter_map(|it| Some(spot.pointer(it)?.as_str()?.to_owned())).collect();
    let values = spot["values"].as_array().into_iter().flatten();
    names.extend(values.filter_map(|value| Some(value["place"]["source"].as_str()?.to_owned())));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(object: &str, names: &str) -> Spot {
        Spot { of: object.to_owned(), names: names.to_owned() }
    }

    fn finding(message: &str, spots: &[(&str, &str)]) -> Finding {
        let (rule, severity, advice) = ("LF100".to_owned(), "error".to_owned(), "Name the probe's port.".to_owned());
        let spots = spots.iter().map(|(object, names)| spot(object, names)).collect();
        Finding { rule, severity, message: message.to_owned(), advice, spots }
    }

    #[test]
    fn a_neighbour_is_within_the_repository() {
        let of = |path: &str| within(Path::new(path));
        assert_eq!(of("charts/web/../common").as_deref(), Some("charts/common"));
        assert_eq!(of("./charts/web/crds/../../../crds").as_deref(), Some("crds"));
        for path in ["charts/../..", "../x", "/etc", "a/.."] {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn told_is_what_names_a_word_and_goes_with_the_commit() {
        let words = ["targetPort".to_owned(), "web-metrics".to_owned()];
        let [named, other] = ["Service/Web-Metrics asks for 9000", "no limits"].map(|message| finding(message, &[]));
        let verdict = |before: &[Finding], behind: &[Finding]| compared(before, behind, &words).verdict;
        assert_eq!(verdict(&[named, other], &[]), Verdict::Told);
        let at = |object: &str| finding("x", &[(object, "spec.ports[0].targetPort")]);
        assert_eq!(verdict(&[at("Service/a")], &[]), Verdict::Told);
        assert_eq!(verdict(&[finding("targetPort", &[])], &[finding("targetPort", &[])]), Verdict::Untold);
        assert_eq!(verdict(&[finding("no limits", &[])], &[]), Verdict::Beside);
        assert_eq!(verdict(&[], &[finding("targetPort", &[])]), Verdict::Untold);
    }

    #[test]
    fn what_is_told_of_several_objects_is_told_where_it_goes_from_one() {
        let words = ["web-metrics".to_owned()];
        let both = finding("x", &[("Service/a", "web spec.x"), ("Service/b", "web-metrics spec.x")]);
        let compare = |behind: &[Finding]| compared(std::slice::from_ref(&both), behind, &words);
        let left = |object: &str| finding("x", &[(object, "web spec.y")]);
        assert_eq!(compare(&[left("Service/a")]).verdict, Verdict::Told);
        assert!(!compare(&[left("Service/a")]).is_strict && compare(&[]).is_strict);
        assert_eq!(compare(&[left("Service/b")]).verdict, Verdict::Beside, "it went from another one");
        let moved = finding("x", &[("Service/a", "web spec.y"), ("Service/b", "web-metrics spec.y")]);
        assert_eq!(compare(&[moved]).verdict, Verdict::Untold, "it has only moved");
    }

    #[test]
    fn the_advice_counts_and_not_for_the_stricter_measure() {
        let found = compared(&[finding("x", &[])], &[], &["PROBE".to_owned()]);
        assert_eq!((found.verdict, found.is_strict), (Verdict::Told, false));
    }

    #[test]
    fn every_list_is_read_and_names_each_fault_once() {
        let arguments = Arguments { only: None, list: None, beside: false, landfall: None, evidence: false };
        let mut names = Vec::new();
        for file in arguments.files().expect("a folder") {
            let list: List = listed::load(&file).expect("a list");
            for fault in list.fault {
                assert!(!fault.words.is_empty() && !fault.what.is_empty(), "{}", fault.change);
                names.push((fault.change, fault.path, fault.what));
            }
        }
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "a fault stands twice");
    }
}
