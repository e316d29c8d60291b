//! Which rules and traps have fixtures (`crates/rehearse/tests/fixtures`), which come later, and which are open.
#![allow(clippy::print_stdout, reason = "this is the command's own output")]

use std::collections::BTreeSet;
use std::path::Path;

use crate::tree;

/// Rules of the catalogue, by number.
const RULES: std::ops::RangeInclusive<u32> = 101..=159;
/// Traps, by number.
const TRAPS: std::ops::RangeInclusive<u32> = 1..=41;
/// Traps that are decided elsewhere, and with what they come.
const LATER: &[(&str, &[u32])] =
    &[("the controller", &[22, 23, 29, 30]), ("secrets and promotion", &[5, 6, 10, 14, 18, 19, 27, 28, 35, 36])];

/// Rules about the place have no rendering to look at: their faults and mended forms are tests named by their ids.
fn by_tests(text: &str) -> impl Iterator<Item = u32> + '_ {
    text.split("fn lf").skip(1).filter_map(|after| after.split('_').next()?.parse().ok())
}

/// Prints covered and total of rules and traps.
pub(crate) fn run(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("crates/rehearse/tests/fixtures");
    let (mut rules, mut traps) = (BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(&folder).map_err(|cause| format!("cannot read {}: {cause}", folder.display()))? {
        let path = entry.map_err(|cause| cause.to_string())?.path();
        let Some(name) = path.file_stem().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let text =
            std::fs::read_to_string(&path).map_err(|cause| format!("cannot read {}: {cause}", path.display()))?;
        let rule = text.lines().find_map(|line| line.strip_prefix("rule: LF")?.trim().parse::<u32>().ok());
        rules.extend(rule);
        traps.extend(name.strip_prefix("trap_t").and_then(|rest| rest.split('_').next()?.parse::<u32>().ok()));
    }
    for file in tree::text_files(root)?.into_iter().filter(|file| file.path.ends_with(".rs")) {
        rules.extend(by_tests(&file.text));
    }
    let open = |wanted: std::ops::RangeInclusive<u32>, covered: &BTreeSet<u32>, prefix: &str| {
        let open: Vec<String> =
            wanted.filter(|number| !covered.contains(number)).map(|number| format!("{prefix}{number}")).collect();
        if open.is_empty() { String::new() } else { format!("; open: {}", open.join(" ")) }
    };
    let later: BTreeSet<u32> = LATER.iter().flat_map(|(_, numbers)| numbers.iter().copied()).collect();
    let settled: BTreeSet<u32> = traps.union(&later).copied().collect();
    let total = TRAPS.count() - later.len();
    let covered = traps.difference(&later).count();
    println!(
        "rules: {} of {} have fixtures or tests by their ids{}",
        rules.iter().filter(|it| RULES.contains(it)).count(),
        RULES.count(),
        open(RULES, &rules, "LF")
    );
    println!("traps: {covered} of {total} have fixtures{}", open(TRAPS, &settled, "T"));
    for (what, numbers) in LATER {
        let numbers: Vec<String> = numbers.iter().map(|number| format!("T{number}")).collect();
        println!("later, with {what}: {}", numbers.join(" "));
    }
    Ok(Vec::new())
}
