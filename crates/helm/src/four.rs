//! What Helm 4 alone says on standard error: lines of its log, and flags that it will drop.

use std::io::Write;

use landfall_chart::Dialect;
use landfall_diag::code;

use super::flags::{Flags, Valued};
use super::{Stop, World};

/// How much a line of the log weighs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Level {
    Warn,
    Error,
}

/// How Helm 4 tells of a refusal that Helm 3 tells otherwise.
#[derive(Debug)]
pub(super) struct Otherwise {
    words: String,
    /// A line of the log in front of it, and the error that it names.
    logged: Option<(String, Option<String>)>,
}

impl Otherwise {
    /// In other words.
    pub(super) fn said(words: impl Into<String>) -> Self {
        Otherwise { words: words.into(), logged: None }
    }

    /// In other words, which its log tells of too.
    pub(super) fn logged(words: impl Into<String>) -> Self {
        let words = words.into();
        Otherwise { logged: Some((words.clone(), None)), words }
    }

    /// One of an installation's first checks has failed.
    pub(super) fn check(check: &str, words: &str) -> Self {
        let failed = format!("{check} failed");
        Otherwise { words: format!("{failed}: {words}"), logged: Some((failed, Some(words.to_owned()))) }
    }

    /// What Helm 4 prints behind `Error: `, once its log has the line.
    pub(super) fn told(self) -> String {
        if let Some((line, error)) = &self.logged {
            let named: Vec<(&str, &str)> = error.iter().map(|words| ("error", words.as_str())).collect();
            log(Level::Error, line, &named);
        }
        self.words
    }
}

/// Flags that Helm 4 takes for the last time: of which verb, and what it says of them (pkg/cmd, `MarkDeprecated`).
const DEPRECATED: &[(&[&str], &str, &str)] = &[
    (&["install", "template", "upgrade"], "atomic", "use --rollback-on-failure instead"),
    (&["install", "template", "upgrade", "rollback"], "force", "use --force-replace instead"),
    (&["template"], "validate", "use '--dry-run=server' instead"),
    (&["template"], "hide-notes", NO_EFFECT),
    (&["template"], "render-subchart-notes", NO_EFFECT),
];

const NO_EFFECT: &str = "this flag has no effect for 'helm template' and will be removed in Helm 5";

/// Whether Helm 4's manner is kept.
pub(super) fn is_spoken(world: &World<'_>, flags: &Flags) -> bool {
    super::dialect(world, flags).is_ok_and(|dialect| dialect == Dialect::V4)
}

/// A line of the log with what it names, as Go's `slog` writes it for people.
pub(super) fn log(level: Level, message: &str, named: &[(&str, &str)]) {
    let level = match level {
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
    let named: String = named.iter().map(|(name, value)| format!(" {name}={}", quoted(value))).collect();
    let _nobody_listens = writeln!(landfall_terminal::err(), "level={level} msg={}{named}", quoted(message));
}

/// A value of the log: in quotes where it is not one plain word.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_graphic() && !matches!(letter, '"' | '=');
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { format!("{text:?}") }
}

/// What is said of flags as they are read, in their order.
///
/// # Errors
/// A way of waiting that Helm 4 does not know.
pub(super) fn heed(world: &World<'_>, verb: &str, flags: &Flags) -> Result<(), Stop> {
    if !is_spoken(world, flags) {
        return Ok(());
    }
    let waits = ["install", "template", "upgrade", "rollback", "uninstall"].contains(&verb);
    for (name, valued) in &flags.given {
        let deprecated = DEPRECATED.iter().find(|(verbs, flag, _)| flag == name && verbs.contains(&verb));
        if let Some((_, flag, words)) = deprecated {
            writeln!(landfall_terminal::err(), "Flag --{flag} has been deprecated, {words}")?;
        }
        if *name != "wait" || !waits || *valued == Valued::No {
            continue;
        }
        match flags.text("wait") {
            Some("true") => log(
                Level::Warn,
                "--wait=true is deprecated (boolean value) and can be replaced with --wait=watcher",
                &[],
            ),
            Some("false") => log(
                Level::Warn,
                "--wait=false is deprecated (boolean value) and can be replaced with --wait=hookOnly",
                &[],
            ),
            Some("watcher" | "hookOnly" | "legacy") | None => {}
            Some(other) => {
                return Err(Stop::Usage(format!(
                    "invalid argument {other:?} for \"--wait\" flag: invalid wait input {other:?}. Valid inputs are \
                     watcher, hookOnly, and legacy"
                )));
            }
        }
    }
    Ok(())
}

/// What is said of `--dry-run` before anything else is done (pkg/cmd/helpers.go, `cmdGetDryRunFlagStrategy`).
///
/// # Errors
/// A way of trying that Helm 4 does not know, or that `template` does not have.
pub(super) fn heed_dry_run(flags: &Flags, template: bool) -> Result<(), Stop> {
    let Some(given) = flags.text("dry-run") else { return Ok(()) };
    let valued = flags.given.iter().rfind(|(name, _)| *name == "dry-run").map(|(_, valued)| *valued);
    let refuse = |known: &str| {
        Err(Stop::words(code::BAD_HELM_ARGUMENT, format!("invalid dry-run value ({given:?}). Must be {known}")))
    };
    match given {
        _ if valued == Some(Valued::No) => {
            log(Level::Warn, "--dry-run is deprecated and should be replaced with '--dry-run=client'", &[]);
        }
        "client" | "server" => {}
        "none" | "false" if template => return refuse("\"server\" or \"client\""),
        "none" => {}
        "true" | "false" => {
            let means = if given == "true" { "client" } else { "none" };
            let words =
                format!("boolean '--dry-run={given}' flag is deprecated and must be replaced with '--dry-run={means}'");
            log(Level::Warn, &words, &[]);
        }
        _ => return refuse("\"none\", \"server\", or \"client\""),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_log_are_quoted_as_slog_quotes_them() {
        assert_eq!(quoted("word"), "word");
        assert_eq!(quoted("two words"), "\"two words\"");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted("a=b"), "\"a=b\"");
        assert_eq!(quoted("say \"x\""), "\"say \\\"x\\\"\"");
    }
}
