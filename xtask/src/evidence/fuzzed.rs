//! Whether the hours of fuzzing are enough: all of one commit, so many in all, so many minutes a target.

use std::path::Path;

use serde_json::Value;

/// Hours in all.
const HOURS: f64 = 3.0;
/// Seconds a target.
const SECONDS: u64 = 600;

/// The targets that there are.
pub(super) fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("conformance/hostile/corpus");
    let entries = std::fs::read_dir(&folder).map_err(|cause| format!("cannot read {}: {cause}", folder.display()))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// What is missing in the evidence.
pub(super) fn short(evidence: &Value, targets: &[String]) -> Vec<String> {
    let lines = evidence["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut short = Vec::new();
    let seconds: u64 = lines.iter().filter_map(|line| line["seconds"].as_u64()).sum();
    let hours = seconds as f64 / 3600.0;
    if hours < HOURS {
        short.push(format!("{hours:.2} hours, wanted are {HOURS}"));
    }
    let others: Vec<&str> = lines
        .iter()
        .filter(|line| line["commit"] != evidence["commit"])
        .filter_map(|line| line["target"].as_str())
        .collect();
    if !others.is_empty() {
        short.push(format!("of other commits: {}", others.join(" ")));
    }
    let of = |name: &str| lines.iter().find(|line| line["target"] == name);
    let little: Vec<&str> = targets
        .iter()
        .filter(|name| of(name).and_then(|line| line["seconds"].as_u64()).unwrap_or(0) < SECONDS)
        .map(String::as_str)
        .collect();
    if !little.is_empty() {
        short.push(format!("less than {SECONDS} s: {}", little.join(" ")));
    }
    let found: usize = lines.iter().filter_map(|line| line["findings"].as_array()).map(Vec::len).sum();
    if found > 0 {
        short.push(format!("{found} findings"));
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hours_of_several_commits_or_too_few_minutes_of_a_target_are_not_enough() {
        let line = |target: &str, commit: &str, seconds: u64| json!({"target": target, "commit": commit, "seconds": seconds, "findings": []});
        let targets = ["a".to_owned(), "b".to_owned()];
        let enough = json!({"commit": "1", "targets": [line("a", "1", 6000), line("b", "1", 6000)]});
        assert_eq!(short(&enough, &targets), Vec::<String>::new());
        let mixed = json!({"commit": "1", "targets": [line("a", "1", 11000), line("b", "0", 599)]});
        assert_eq!(short(&mixed, &targets), ["of other commits: b", "less than 600 s: b"]);
        let one = json!({"commit": "1", "targets": [line("a", "1", 5000)]});
        assert_eq!(short(&one, &targets), ["1.39 hours, wanted are 3", "less than 600 s: b"]);
    }

    #[test]
    fn the_targets_are_those_that_have_a_corpus() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let targets = targets(root).expect("a corpus");
        assert!(targets.len() > 10 && targets.contains(&"yaml_read".to_owned()), "{targets:?}");
    }
}
