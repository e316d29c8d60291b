//! Requirement rows and the tests whose names carry their ids.
//!
//! `conformance/requirements.txt` has one line an owner: `owner: LP-01 LP-02 …`, one with the owners whose work is done
//! (`done: OWNER …`) and one with the rows that nobody is to do (`out of scope: …`). A test carries a row's id in its name in lower case with
//! underscores (`lp_045_missing_key_refused` or `lp_45_…` for LP-45; `ez_022_ez_072_…` for two); a script of steps (`*.steps`) carries those that a comment of its own
//! names: `# rows: X-01 LP-04`.
#![allow(clippy::print_stdout, reason = "this is the command's own output")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::rust_source::without_literals;
use crate::tree;

/// A row's id: its series and number.
type Row = (String, u32);

/// What `requirements.txt` says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    owners: Vec<(String, Vec<Row>)>,
    /// Whose rows must have tests.
    done: Vec<String>,
    /// Rows that nobody is to do.
    out_of_scope: BTreeSet<Row>,
}

/// Lists the rows; with `--strict`, empty ones are findings. With `--gate` it prints a line an owner, and findings are the
/// empty rows of the owners whose work is done.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<Vec<String>, String> {
    let mut only_owner = None;
    let (mut only_empty, mut strict, mut gate) = (false, false, false);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--owner" => only_owner = Some(rest.next().ok_or("--owner needs a name")?.clone()),
            "--empty" => only_empty = true,
            "--strict" => strict = true,
            "--gate" => gate = true,
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    let path = root.join("conformance/requirements.txt");
    let text =
        std::fs::read_to_string(&path).map_err(|cause| format!("cannot read conformance/requirements.txt: {cause}"))?;
    let table = parse(&text)?;
    let tests = tests(root)?;
    let mut findings = Vec::new();
    let known: BTreeSet<&Row> = table.owners.iter().flat_map(|(_, rows)| rows).collect();
    for (row, names) in &tests {
        if !known.contains(row) {
            findings.push(format!("{}: no row has the id {}", names.join(", "), shown(row)));
        }
    }
    if gate {
        findings.extend(gated(&table, &tests));
        return Ok(findings);
    }
    for (owner, rows) in &table.owners {
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

/// Prints how many rows of each owner have tests; gives those without one whose owner's work is done.
fn gated(table: &Table, tests: &BTreeMap<Row, Vec<String>>) -> Vec<String> {
    let mut findings = Vec::new();
    let (mut covered, mut total) = (0, 0);
    for (owner, rows) in &table.owners {
        let wanted: Vec<&Row> = rows.iter().filter(|row| !table.out_of_scope.contains(row)).collect();
        let (tested, empty): (Vec<&Row>, Vec<&Row>) = wanted.iter().partition(|row| tests.contains_key(row));
        let is_done = table.done.contains(owner);
        println!(
            "requirements {owner:<10} {:>3} of {:>3} rows have tests{}",
            tested.len(),
            wanted.len(),
            if is_done { "" } else { "; not done yet" }
        );
        covered += tested.len();
        total += wanted.len();
        if is_done {
            findings
                .extend(empty.iter().map(|row| format!("{owner}: {} has no test, and its work is done", shown(row))));
        }
    }
    println!("requirements in all     {covered:>3} of {total:>3}; {} out of scope", table.out_of_scope.len());
    findings
}

fn shown((series, number): &Row) -> String {
    format!("{series}-{number:02}")
}

fn parse(text: &str) -> Result<Table, String> {
    let mut table = Table::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (owner, ids) = line.split_once(':').ok_or_else(|| format!("requirements.txt: no owner in {line:?}"))?;
        if owner == "done" {
            table.done = ids.split_whitespace().map(str::to_owned).collect();
            continue;
        }
        let rows =
            ids.split_whitespace().map(|id| row(id).ok_or_else(|| format!("requirements.txt: {id:?} is not an id")));
        if owner == "out of scope" {
            table.out_of_scope = rows.collect::<Result<_, _>>()?;
        } else {
            table.owners.push((owner.trim().to_owned(), rows.collect::<Result<_, _>>()?));
        }
    }
    match table.done.iter().find(|done| !table.owners.iter().any(|(owner, _)| owner == *done)) {
        Some(unknown) => Err(format!("requirements.txt: {unknown} is done, and owns no rows")),
        None => Ok(table),
    }
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
        for name in names_of_tests(&without_literals(&file.text)) {
            for row in rows_of_test(&name) {
                found.entry(row).or_default().push(name.clone());
            }
        }
    }
    Ok(found)
}

/// The functions that are run as tests: an ignored one proves nothing. Takes code without literals.
fn names_of_tests(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut from = 0;
    for (at, _) in code.match_indices("fn ") {
        // Attributes stand behind the end of what comes before.
        let before = &code[from..at];
        let attributes = &before[before.rfind(['}', ';', '{']).map_or(0, |end| end + 1)..];
        from = at;
        let is_test = ["#[test]", "::test]", "::test("].iter().any(|mark| attributes.contains(mark));
        if is_test && !attributes.contains("#[ignore") {
            names.push(code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    names
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
        let text = "# comment\nspine: LP-01 X-01\nhelm: LP-07 LP-08\ndone: spine\nout of scope: LP-08\n";
        let table = parse(text).expect("well formed");
        assert_eq!(table.owners[0], ("spine".to_owned(), vec![("LP".to_owned(), 1), ("X".to_owned(), 1)]));
        assert_eq!(table.out_of_scope, [("LP".to_owned(), 8)].into());
        assert!(parse("spine: LP-01\ndone: helm\n").is_err());
        assert!(parse("spine LP-01").is_err());
    }

    #[test]
    fn a_row_without_a_test_is_found_where_its_owner_is_done_and_nowhere_else() {
        let table =
            parse("spine: LP-01 LP-02 LP-03\nhelm: LP-07\ndone: spine\nout of scope: LP-03\n").expect("well formed");
        let tests = [(("LP".to_owned(), 1), vec!["lp_01_is_so".to_owned()])].into();
        assert_eq!(gated(&table, &tests), ["spine: LP-02 has no test, and its work is done"]);
    }

    #[test]
    fn what_is_no_test_or_is_ignored_covers_nothing() {
        let code = "#[test]\nfn lp_01_a() { fn x_01_b() {} }\nfn lp_02_c() {}\n#[tokio::test(flavor = x)]\nasync fn lp_03_d() {}\n#[test]\n#[ignore =  ]\nfn lp_04_e() {}\nconst X: i32 = 1;\n#[test]\nfn lp_05_f() {}";
        assert_eq!(names_of_tests(code), ["lp_01_a", "lp_03_d", "lp_05_f"]);
    }
}
