//! The commands of the binary, as it tells a shell that completes them, and the formats in which each prints, as its help
//! tells a person: a command that is added is in there by itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Known {
    /// `plan`, `cluster start`, `helm get values`.
    pub(super) name: String,
    /// What `-o` takes, if it is taken.
    pub(super) formats: Vec<String>,
    /// Whether it takes `--context`.
    pub(super) takes_context: bool,
}

/// All commands that can be called.
pub(super) fn of(landfall: &Path) -> anyhow::Result<Vec<Known>> {
    let mut all = Vec::new();
    for (words, voice) in [(&["completion", "--commands"][..], ""), (&["helm", "completion", "bash"], "helm ")] {
        let listed = said(landfall, words)?;
        let names: Vec<String> = match voice {
            "" => listed.lines().map(str::to_owned).collect(),
            _ => leaves(&listed),
        };
        ensure!(names.len() > 20, "landfall {} names {} commands", words.join(" "), names.len());
        // A verb with verbs below it may be one by itself: `version` and `version check`.
        let above: BTreeSet<&str> = names.iter().filter_map(|name| Some(name.split_once(' ')?.0)).collect();
        let mut by_themselves = Vec::new();
        for verb in above.into_iter().filter(|_| voice.is_empty()) {
            let help = said(landfall, &[verb, "--help"])?;
            if help.lines().any(|line| line.starts_with("Usage: ") && !line.contains("<COMMAND>")) {
                by_themselves.push(verb.to_owned());
            }
        }
        for name in names.iter().chain(&by_themselves) {
            let name = format!("{voice}{name}");
            let words: Vec<&str> = name.split(' ').chain(["--help"]).collect();
            let help = said(landfall, &words)?;
            all.push(Known { name, formats: formats(&help), takes_context: help.contains("--context <") });
        }
    }
    Ok(all)
}

fn said(landfall: &Path, words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(landfall).args(words).env("COLUMNS", "400").output()?;
    ensure!(output.status.success(), "landfall {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).with_context(|| words.join(" "))
}

/// The commands of a completion script that have none below them: its labels are `landfall__subcmd__env__subcmd__diff)`.
fn leaves(script: &str) -> Vec<String> {
    let labels = script.lines().filter_map(|line| line.trim().strip_suffix(')')).filter(|label| !label.contains(','));
    let named =
        labels.filter_map(|label| label.split_once("__subcmd__").map(|(_, path)| path.replace("__subcmd__", " ")));
    // A script writes `-` in a name as `__`, and says so of no command of ours.
    let all: BTreeSet<String> = named.filter(|name| !name.split(' ').any(|word| word == "help")).collect();
    let has_inner = |name: &String| {
        all.iter().any(|other| other.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(' ')))
    };
    all.iter().filter(|name| !has_inner(name)).cloned().collect()
}

/// What `--output` takes, by a help's text: `[possible values: table, json]`, a list of its own below it, or Helm's
/// `prints the output in the specified format: table, json, yaml`.
fn formats(help: &str) -> Vec<String> {
    let words =
        |text: &str| text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let Some((_, rest)) = help.split_once("--output") else { return Vec::new() };
    // Up to the next option.
    let ends = ["\n  -", "\n      --"].map(|option| rest.find(option).unwrap_or(rest.len()));
    let rest = &rest[..ends[0].min(ends[1])];
    if let Some((_, listed)) = rest.split_once("[possible values:") {
        return words(listed.split(']').next().unwrap_or_default());
    }
    if let Some((_, listed)) = rest.split_once("specified format:") {
        return words(listed.lines().next().unwrap_or_default());
    }
    let items = rest.lines().filter_map(|line| line.trim().strip_prefix("- "));
    items.filter_map(|item| item.split([':', ' ']).next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_the_labels_that_no_other_goes_on_from() {
        let script = "case x in\n    landfall,env)\n        landfall__subcmd__env,list)\n        landfall__subcmd__env)\n        landfall__subcmd__env__subcmd__list)\n        landfall__subcmd__up)\n";
        assert_eq!(leaves(script), ["env list", "up"]);
    }

    #[test]
    fn formats_are_read_in_each_manner_of_help() {
        let long = "  -o, --output <FORMAT>\n          Print as\n\n          Possible values:\n          - table: For people\n          - json\n\n      --color <A>\n          Possible values:\n          - auto\n\n  -h\n";
        assert_eq!(formats(long), ["table", "json"]);
        assert_eq!(
            formats("  -o, --output <F>  Print as [default: text] [possible values: text, dot]\n  -h"),
            ["text", "dot"]
        );
        assert_eq!(
            formats("  -o, --output   prints the output in the specified format: table, json\n"),
            ["table", "json"]
        );
        assert!(formats("  -h, --help").is_empty());
    }
}
