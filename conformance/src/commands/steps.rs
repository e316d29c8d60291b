//! Files of commands and of what they must say.

use std::path::Path;

use anyhow::{Context, bail};

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) line: String,
    /// The exit code that it must end with.
    pub(crate) code: i32,
    /// Whether it asks a container.
    pub(crate) simulated: bool,
    /// What its output must contain.
    pub(crate) wanted: Vec<String>,
}

/// Reads one file.
pub(crate) fn load(path: &Path) -> anyhow::Result<Vec<Step>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("in {}", path.display()))
}

fn parse(text: &str) -> anyhow::Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(wanted) = line.strip_prefix("  ") {
            steps.last_mut().context("a line of output before any command")?.wanted.push(wanted.to_owned());
            continue;
        }
        let (head, command) = line.split_once("$ ").with_context(|| format!("no command in {line:?}"))?;
        let mut step = Step { line: command.to_owned(), code: 0, simulated: false, wanted: Vec::new() };
        let mut words = head.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "~" => step.simulated = true,
                "!" => step.code = words.next().context("`!` without a code")?.parse()?,
                other => bail!("{other:?} before a command"),
            }
        }
        steps.push(step);
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read() {
        let steps = parse("# all\n\n$ a b\n  out\n  more\n! 3 $ c $ d\n~ $ e\n").expect("well formed");
        assert_eq!(steps.len(), 3);
        assert_eq!(steps[0].wanted, ["out", "more"]);
        assert_eq!((steps[1].line.as_str(), steps[1].code), ("c $ d", 3));
        assert!(steps[2].simulated);
        assert!(parse("  out\n").is_err());
    }
}
