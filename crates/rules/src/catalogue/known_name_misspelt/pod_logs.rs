//! Patterns for the log files of pods that none of them fits.

use landfall_diag::Finding;

use super::super::value_printed_raw::visit;
use super::RULE;
use crate::subject::{Desired, Role};

/// Where the kubelet keeps them: `NAMESPACE_POD_UID/CONTAINER/NUMBER.log` below it.
// ORIGIN: Kubernetes v1.34 `pkg/kubelet/kuberuntime/helpers.go` (`buildContainerLogsPath`, `BuildPodLogsDirectory`).
const PODS: &str = "/var/log/pods/";

/// How many steps lie below that directory.
const STEPS: usize = 3;

/// Patterns in an object's texts that are of another depth than the files.
pub(super) fn pod_logs(desired: &Desired) -> Vec<Finding> {
    if desired.role == Role::Definition {
        return Vec::new();
    }
    let (kind, name) = (desired.object.kind(), desired.object.name());
    let mut told: Vec<&str> = Vec::new();
    let mut findings = Vec::new();
    visit(desired.object.value(), String::new(), &mut |path, text| {
        for pattern in astray(text) {
            if told.contains(&pattern) {
                continue;
            }
            told.push(pattern);
            findings.push(
                RULE.finding(format!("{kind} `{name}` takes the log files of pods by `{pattern}`, which fits none"))
                    .because("`*` ends at a `/`, and they are called NAMESPACE_POD_UID/CONTAINER/NUMBER.log there")
                    .help(format!("write as many steps as they have: `{PODS}shop_*/*/*.log`"))
                    .at(desired.spot_at(path)),
            );
        }
    });
    findings
}

/// The patterns of a text for the log files of pods that have too many or too few steps.
fn astray(text: &str) -> Vec<&str> {
    // Fluent Bit and Vector take `*` for slashes, too, in what they leave out.
    if !text.contains(PODS) || text.to_ascii_lowercase().contains("exclude_path") {
        return Vec::new();
    }
    let lines = text.lines().filter(|line| !line.trim_start().starts_with(['#', '/']) || *line == text);
    lines.flat_map(of_line).collect()
}

fn of_line(line: &str) -> Vec<&str> {
    // A script may search by names that reach past slashes, or by expressions.
    let is_search = line.split(|it: char| !it.is_ascii_alphanumeric() && it != '-').any(|word| {
        matches!(word, "find" | "grep" | "egrep" | "sed" | "awk" | "rm" | "ls" | "regex" | "expression" | "matches")
    });
    if is_search || line.contains('\\') {
        return Vec::new();
    }
    let line = line.split(" #").next().unwrap_or_default();
    let is_edge = |it: char| it.is_whitespace() || "\"'`,;[]()=".contains(it);
    let words: Vec<&str> = line.split(is_edge).filter(|word| !word.is_empty()).collect();
    // A directory's entries are asked for in scripts: only what stands for itself is a pattern of files then.
    let others = words.iter().filter(|word| !word.starts_with(PODS) && !word.ends_with(':') && **word != "-").count();
    let is_wrong = |word: &&str| {
        word.strip_prefix(PODS).is_some_and(|below| {
            below.contains('*')
                && !below.contains("**")
                && !below.contains(|it: char| "${}%?|+^".contains(it))
                && (below.ends_with(".log") || (below.ends_with('*') && others == 0))
                && below.split('/').count() != STEPS
        })
    };
    words.into_iter().filter(is_wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_as_deep_as_the_files() {
        for (text, found) in [
            ("include: [/var/log/pods/*/*/*.log]\nexclude:\n  - /var/log/pods/shop_*.log # own\n", 1),
            ("/var/log/pods/*/*.log", 1),
            ("exclude: [\"/var/log/pods/a_*\", '/var/log/pods/b_*/*/*']", 1),
            ("- /var/log/pods/a*/*/*/*.log", 1),
            ("- /var/log/pods/*_web*_*/*/*.log", 0),
            ("- /var/log/pods/**/*.log", 0),
            ("replacement: /var/log/pods/*$1/*.log", 0),
            ("# - /var/log/pods/a_*.log\n", 0),
            ("Exclude_Path /var/log/pods/a_*.log", 0),
            ("find /var/log/pods/ -path '/var/log/pods/a_*.log'", 0),
            ("for it in /var/log/pods/*; do", 0),
            ("- /var/log/pods/{{ .ns }}_*.log", 0),
            ("mountPath: /var/log/pods/a.log", 0),
            ("- /host/var/log/pods/*.log", 0),
        ] {
            assert_eq!(astray(text).len(), found, "{text}");
        }
    }
}
