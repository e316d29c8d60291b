//! Requirement rows and the tests whose names carry their ids.
//!
//! `conformance/requirements.txt` has one line an owner: `owner: LP-01 LP-02 …`. A test carries a row's id in its name in lower case with
//! underscores (`lp_045_missing_key_refused` or `lp_45_…` for LP-45; `ez_022_ez_072_…` for two); a script of steps (`*.steps`) carries those that a comment of its own
//! names: `# rows: X-01 LP-04`.
#![allow(clippy::print_stdout, reason = "this is the command's own output")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::rust_source::without_literals;
use crate::tree;

/// A row's id: its series and number.
type Row = (String, u32);

/// Lists the rows; with `--strict`, empty ones are findings.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<Vec<String>, String> {
    let mut only_owner = None;
    let (mut only_empty, mut strict) = (false, false);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--owner" => only_owner = Some(rest.next().ok_or("--owner needs a name")?.clone()),
            "--empty" => only_empty = true,
            "--strict" => strict = true,
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    let path = root.join("conformance/requirements.txt");
    let text =
        std::fs::read_to_string(&path).map_err(|cause| format!("cannot read conformance/requirements.txt: {cause}"))?;
    let owners = parse(&text)?;
    let tests = tests(root)?;
    let mut findings = Vec::new();
    let known: BTreeSet<&Row> = owners.iter().flat_map(|(_, rows)| rows).collect();
    for (row, names) in &tests {
        if !known.contains(row) {
            findings.push(format!("{}: no row has the id {}", names.join(", "), shown(row)));
        }
    }
    for (owner, rows) in &owners {
        if only_owner.as_ref().is_some_and(|only| only != owner) {
            continue;
        }
        let covered = rows.iter().filter(|row| tests.contains_key(row)).count();
        println!("{owner}: {covered} of {} rows have tests", rows.len());
        for row in rows {
            match tests.get(row) {
                Some(_) if only_empty => {}
                Some(names) => println!("  {:<7} {}", shown(row), names.join(", ")),
                None => println!("  {:<7} empty", shown(row)),
            }
            if strict && !tests.contains_key(row) {
                findings.push(format!("{owner}: {} has no test", shown(row)));
            }
        }
    }
    Ok(findings)
}

fn shown((series, number): &Row) -> String {
    format!("{series}-{number:02}")
}

fn parse(text: &str) -> Result<Vec<(String, Vec<Row>)>, String> {
    let mut owners = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (owner, ids) = line.split_once(':').ok_or_else(|| format!("requirements.txt: no owner in {line:?}"))?;
        let rows =
            ids.split_whitespace().map(|id| row(id).ok_or_else(|| format!("requirements.txt: {id:?} is not an id")));
        owners.push((owner.trim().to_owned(), rows.collect::<Result<_, _>>()?));
    }
    Ok(owners)
}

fn row(id: &str) -> Option<Row> {
    let (series, number) = id.split_once('-')?;
    Some((series.to_owned(), number.parse().ok()?))
}

/// Every test function and script of steps of the workspace by the rows that they name.
fn tests(root: &Path) -> Result<BTreeMap<Row, Vec<String>>, String> {
    let mut found: BTreeMap<Row, Vec<String>> = BTreeMap::new();
    for file in tree::text_files(root)? {
        if file.path.ends_with(".steps") {
            let rows = file.text.lines().filter_map(|line| line.strip_prefix("# rows:"));
            for row in rows.flat_map(str::split_whitespace).filter_map(row) {
                found.entry(row).or_default().push(file.path.clone());
            }
        }
        if !file.path.ends_with(".rs") {
            continue;
        }
        let code = without_literals(&file.text);
        for after in code.split("fn ").skip(1) {
            let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            for row in rows_of_test(&name) {
                found.entry(row).or_default().push(name.clone());
            }
        }
    }
    Ok(found)
}

/// The rows that a test's name begins with: `ez_022_ez_072_three_hosts` has two.
fn rows_of_test(name: &str) -> Vec<Row> {
    let mut parts = name.split('_');
    let mut rows = Vec::new();
    while let Some(series) = parts.next().filter(|series| ["lp", "ez", "se", "x"].contains(series)) {
        let Some(number) = parts.next().and_then(|number| number.parse().ok()) else { break };
        rows.push((series.to_uppercase(), number));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_name_carries_its_row() {
        let row = |series: &str, number| (series.to_owned(), number);
        assert_eq!(rows_of_test("lp_045_missing_key_refused"), [row("LP", 45)]);
        assert_eq!(rows_of_test("x_02_renders"), [row("X", 2)]);
        assert_eq!(rows_of_test("ez_022_ez_072_three_hosts"), [row("EZ", 22), row("EZ", 72)]);
        assert_eq!(rows_of_test("render_lp_45"), []);
    }

    #[test]
    fn owners_and_ids_are_read() {
        let owners = parse("# comment\nspine: LP-01 X-01\n").expect("well formed");
        assert_eq!(owners, [("spine".to_owned(), vec![("LP".to_owned(), 1), ("X".to_owned(), 1)])]);
        assert!(parse("spine LP-01").is_err());
    }
}
