//! What documents claim, held against the evidence that they name.
//!
//! A clause is about the suites that it names (`conformance SUITE`, `evidence/SUITE.json`), else about those that its
//! paragraph named last. It may say
//!
//! - that something is so on a real cluster: a file of that suite, or of its run with `--control`, must come from one;
//! - a figure of ten and more: a number of the file; bounds (`at least`, `limit`), exit codes and what has a unit are no
//!   figures, nor is what stands in backticks;
//! - a commit: the file's.
//!
//! A table's cell is about the suites that it names itself. A link to a place of a file, `[713](evidence/objects.json#/planned)`, must show what stands there, wherever it is.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::covered::COVERED;
use crate::tree;

/// Words for a cluster that is not ours.
const REAL: &[&str] =
    &["real api", "real control plane", "real kube-", "real controller-manager", "real cluster", "real server"];
/// Words beside numbers that are bounds and not results.
const BOUNDS: &[&str] = &["at least", "at most", "limit", "up to", "no more than"];
/// What makes a number a measure of time or room, which the machine decides, too.
const UNITS: &[&str] = &["s", "ms", "minutes", "hours", "days", "B", "kB", "KiB", "MB", "MiB", "GB", "GiB", "times"];
/// Words in front of what names something.
const CODES: &[&str] = &["commit", "exit", "exits", "code", "answers", "with"];
/// How the evidence of a run on a real control plane is called, behind the suite's name.
const CONTROL: &str = "-control";

/// All evidence by its suite.
type Files = BTreeMap<String, Value>;

/// What documents claim beyond the evidence.
pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let mut files = Files::new();
    let folder = root.join("docs/evidence");
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let text = std::fs::read_to_string(&path).map_err(|cause| format!("{}: {cause}", path.display()))?;
        let value = serde_json::from_str(&text).map_err(|cause| format!("{}: {cause}", path.display()))?;
        files.insert(path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), value);
    }
    let is_page = |path: &str| {
        (path.starts_with("docs/") || !path.contains('/')) && path.ends_with(".md") && path != "CHANGELOG.md"
    };
    let pages = tree::text_files(root)?.into_iter().filter(|file| is_page(&file.path));
    Ok(pages.flat_map(|page| beyond(&page.path, &page.text, &files)).collect())
}

/// What one page claims beyond the evidence.
fn beyond(path: &str, text: &str, files: &Files) -> Vec<String> {
    let mut findings = Vec::new();
    for (line, paragraph) in paragraphs(text) {
        let mut told = |what: String| findings.push(format!("{path}:{line}: {what}"));
        linked(&paragraph, files).into_iter().for_each(&mut told);
        if paragraph.starts_with('|') {
            for cell in paragraph.split('|') {
                let about = suites(cell);
                if !about.is_empty() {
                    claimed(cell, &about, files).into_iter().for_each(&mut told);
                }
            }
            continue;
        }
        let mut about = suites(&paragraph).into_iter().take(1).collect::<Vec<_>>();
        if about.is_empty() {
            continue;
        }
        for clause in clauses(&paragraph) {
            let named = suites(clause);
            if !named.is_empty() {
                about = named;
            }
            claimed(clause, &about, files).into_iter().for_each(&mut told);
        }
    }
    findings
}

/// What a clause says of its suites that no file of theirs says.
fn claimed(clause: &str, about: &[&str], files: &Files) -> Vec<String> {
    let mut findings = Vec::new();
    let plain = without_code(clause);
    let lower = plain.to_lowercase();
    if REAL.iter().any(|word| lower.contains(word)) {
        for suite in about {
            let of = of_suite(suite, files);
            if !of.iter().any(|(_, file)| is_real(file)) {
                let seen: Vec<String> = of.iter().map(|(name, _)| format!("docs/evidence/{name}.json")).collect();
                let seen = if seen.is_empty() {
                    "there is no evidence".to_owned()
                } else {
                    seen.join(" and ") + " is of none"
                };
                findings.push(format!("`{suite}` is said to run on a real cluster, but {seen}"));
            }
        }
    }
    if let Some(commit) = commit(&plain) {
        let is_theirs = |suite: &&&str| {
            of_suite(suite, files)
                .iter()
                .any(|(_, file)| file["commit"].as_str().unwrap_or_default().starts_with(commit))
        };
        if let Some(suite) = about.iter().find(|suite| !is_theirs(suite)) {
            findings.push(format!("`{suite}` is told of commit {commit}, which its evidence is not of"));
        }
    }
    if BOUNDS.iter().any(|word| lower.contains(word)) {
        return findings;
    }
    for number in numbers(&plain) {
        let holds = |suite: &&str| of_suite(suite, files).iter().any(|(_, file)| has_number(file, number));
        if !about.iter().any(holds) {
            findings.push(format!("{number} is no figure of the evidence of `{}`", about.join("`, `")));
        }
    }
    findings
}

/// A suite's files: its own, and the one of a real control plane.
fn of_suite<'f>(suite: &str, files: &'f Files) -> Vec<(&'f String, &'f Value)> {
    let control = format!("{suite}{CONTROL}");
    files.iter().filter(|(name, _)| *name == suite || **name == control).collect()
}

/// Whether a run was on a real cluster. Files of before name their cluster beside the oracles only.
fn is_real(file: &Value) -> bool {
    let cluster = file["cluster"].as_str().or_else(|| file["oracle"].as_str()).unwrap_or_default();
    cluster.contains("kube-apiserver") || cluster.contains("kube-controller-manager")
}

fn has_number(file: &Value, number: f64) -> bool {
    match file {
        Value::Number(it) => it.as_f64().is_some_and(|it| (it - number).abs() < 1e-9),
        Value::Array(items) => items.iter().any(|item| has_number(item, number)),
        Value::Object(map) => map.values().any(|value| has_number(value, number)),
        _ => false,
    }
}

/// Links to places of evidence that show something else.
fn linked(paragraph: &str, files: &Files) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, _) in paragraph.match_indices("evidence/") {
        let before = &paragraph[..at];
        let after = &paragraph[at + "evidence/".len()..];
        let Some(target) = after.split(')').next().filter(|target| target.contains(".json#")) else { continue };
        let Some((name, place)) = target.split_once(".json#") else { continue };
        let shown = before.rsplit_once("](").and_then(|(text, _)| text.rsplit_once('[')).map_or("", |(_, text)| text);
        match files.get(name).and_then(|file| file.pointer(place)) {
            None => findings.push(format!("docs/evidence/{name}.json has nothing at {place}")),
            Some(value) => {
                let is_so = match value {
                    Value::String(text) => text.contains(shown) && !shown.is_empty(),
                    other => read(shown).is_some_and(|number| has_number(other, number)),
                };
                if !is_so {
                    findings.push(format!("[{shown}] is {value} at {place} of docs/evidence/{name}.json"));
                }
            }
        }
    }
    findings
}

/// Blocks between empty lines, items and rows, each with the line that it begins at.
fn paragraphs(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut is_code, mut is_open) = (false, false);
    for (number, line) in text.lines().enumerate() {
        let start = line.trim_start();
        if start.starts_with("```") {
            is_code = !is_code;
        }
        if is_code || start.is_empty() || start.starts_with("```") {
            is_open = false;
            continue;
        }
        let begins = ["- ", "* ", "|", "#"].iter().any(|mark| start.starts_with(mark));
        match found.last_mut().filter(|_| is_open && !begins) {
            Some((_, block)) => {
                block.push(' ');
                block.push_str(start);
            }
            None => found.push((number + 1, start.to_owned())),
        }
        is_open = true;
    }
    found
}

fn clauses(paragraph: &str) -> impl Iterator<Item = &str> {
    paragraph.split("; ").flat_map(|part| part.split(". "))
}

/// The suites that a text names.
fn suites(text: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for mark in ["conformance ", "conformance -- ", "evidence/"] {
        for (at, _) in text.match_indices(mark) {
            let word: String =
                text[at + mark.len()..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            if mark == "conformance " && word.starts_with("--") {
                continue;
            }
            let suite = COVERED.iter().find(|covered| covered.suite == word).map(|covered| covered.suite);
            found.extend(suite.map(|suite| (at, suite.trim_end_matches(CONTROL))));
        }
    }
    found.sort_unstable();
    let mut names = Vec::new();
    for (_, suite) in found {
        if !names.contains(&suite) {
            names.push(suite);
        }
    }
    names
}

/// The text without what stands in backticks and where links lead.
fn without_code(clause: &str) -> String {
    let text: String = clause.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("](") {
        plain.push_str(before);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

/// The commit that a text names.
fn commit(text: &str) -> Option<&str> {
    let after = text.split("commit ").nth(1)?;
    let end = after.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(after.len());
    (end >= 7).then(|| &after[..end])
}

/// Numbers of ten and more that count something.
fn numbers(text: &str) -> Vec<f64> {
    let bare = |word: &str| word.trim_end_matches(['.', ',', ':', ';', '%']).to_owned();
    let split = text.split(|c: char| c.is_whitespace() || "()[]*".contains(c));
    let words: Vec<String> = split.filter(|word| !word.is_empty()).map(bare).collect();
    let is = |at: Option<usize>, list: &[&str]| {
        at.and_then(|at| words.get(at)).is_some_and(|word| list.contains(&word.as_str()))
    };
    let counts = |at: usize| !is(Some(at + 1), UNITS) && !is(at.checked_sub(1), CODES);
    let found = words.iter().enumerate().filter(|(at, _)| counts(*at)).filter_map(|(_, word)| read(word));
    found.filter(|number| *number >= 10.0).collect()
}

fn read(word: &str) -> Option<f64> {
    let is_number = word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || c == ',' || c == '.');
    is_number.then(|| word.replace(',', "").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn files() -> Files {
        let releases = json!({"suite": "releases", "commit": "ae7023e9", "cluster": "embedded", "planned": 58});
        let trials = json!({"suite": "trials", "commit": "e79159b9", "oracle": "kube-apiserver 841f", "planned": 14});
        [("releases".to_owned(), releases), ("trials".to_owned(), trials)].into()
    }

    fn found(text: &str) -> Vec<String> {
        beyond("docs/page.md", text, &files())
    }

    #[test]
    fn a_page_that_says_real_of_what_ran_on_the_embedded_cluster_is_found() {
        let text = "Measured by `conformance trials`, in order; by `conformance releases` on the\nembedded cluster and on a real API server.\n";
        assert_eq!(
            found(text),
            ["docs/page.md:1: `releases` is said to run on a real cluster, but docs/evidence/releases.json is of none"]
        );
        assert_eq!(found("`conformance trials` on a real API server.\n"), Vec::<String>::new());
        let mut files = files();
        files.insert("releases-control".to_owned(), json!({"cluster": "kube-apiserver 841f"}));
        assert_eq!(beyond("docs/page.md", text, &files), Vec::<String>::new());
    }

    #[test]
    fn what_a_paragraph_says_later_is_about_the_suite_that_it_named_last() {
        let text = "`conformance releases` types them. Its expectations hold against a real control plane.\n\nAnother real cluster.\n";
        assert_eq!(found(text).len(), 1);
        assert_eq!(
            found("`conformance traces` plays on a real control plane.\n"),
            ["docs/page.md:1: `traces` is said to run on a real cluster, but there is no evidence"]
        );
    }

    #[test]
    fn a_figure_or_commit_that_the_file_does_not_hold_is_found() {
        assert_eq!(found("`conformance releases` has 58 cases, within a second.\n"), Vec::<String>::new());
        assert_eq!(found("At commit ae7023e `conformance releases` had 58 cases.\n"), Vec::<String>::new());
        assert_eq!(
            found("At commit 34697e0 `conformance releases` had 60 cases, each of `99`.\n"),
            [
                "docs/page.md:1: `releases` is told of commit 34697e0, which its evidence is not of",
                "docs/page.md:1: 60 is no figure of the evidence of `releases`"
            ]
        );
        for none in ["at least 99 of 100", "within 10 s and 512 MB", "it ends with exit 130", "of a version 1.36.3"] {
            assert_eq!(found(&format!("`conformance releases`: {none}.\n")), Vec::<String>::new());
        }
        assert_eq!(found("| 403 | `conformance releases` | 100000 |\n"), Vec::<String>::new());
        assert_eq!(found("| 403 | `conformance releases` of 60 cases |\n").len(), 1);
    }

    #[test]
    fn a_link_shows_what_stands_where_it_leads() {
        assert_eq!(found("In all [58](evidence/releases.json#/planned) cases.\n"), Vec::<String>::new());
        assert_eq!(
            found("In all [57](evidence/releases.json#/planned) cases, [embedded](evidence/releases.json#/nothing).\n"),
            [
                "docs/page.md:1: [57] is 58 at /planned of docs/evidence/releases.json",
                "docs/page.md:1: docs/evidence/releases.json has nothing at /nothing",
                "docs/page.md:1: 57 is no figure of the evidence of `releases`"
            ]
        );
        assert_eq!(found("On the [embedded](evidence/releases.json#/cluster) one.\n"), Vec::<String>::new());
    }
}
