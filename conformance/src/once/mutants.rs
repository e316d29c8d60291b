//! Guards that are opened one after another: each time a sequence must lose its value that had it before.

use std::process::Command;

use anyhow::Context as _;

/// The guards by their names in `LANDFALL_MUTANT`, and with which sequence it is begun: for what a hook leaves behind with one that is
/// staged for it. That of what a failed upgrade has created and takes back (`once-undone`) is not among them, because fewer than one
/// sequence in some thousand comes to it.
const GUARDS: [(&str, &str); 10] = [
    ("once-values", "0"),
    ("once-write", "0"),
    ("once-followers", "0"),
    ("once-delete", "0"),
    ("once-recreate", "0"),
    ("once-hook-anew", "1360"),
    ("once-hook-gone", "250"),
    ("once-sealed", "0"),
    ("once-life", "0"),
    ("trial-bare", "0"),
];
/// How many sequences a guard may stand open unseen.
const ENOUGH: &str = "1500";

/// Plays sequences by this very program, each guard open in turn, until one is red.
pub(super) fn opened() -> anyhow::Result<Vec<(&'static str, Result<String, String>)>> {
    let own = std::env::current_exe().context("this program's own path")?;
    let played = |(guard, first): (&'static str, &'static str)| -> anyhow::Result<_> {
        let words = ["once", "--sample", ENOUGH, "--from", first, "--until-red", "--workers", "1"];
        let ended = Command::new(&own).args(words).env("LANDFALL_MUTANT", guard).output()?;
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        let red = said.lines().find(|line| line.starts_with("FAILS ")).map(str::to_owned);
        Ok((guard, red.ok_or_else(|| format!("{ENOUGH} sequences keep their values without it"))))
    };
    GUARDS.into_iter().map(played).collect()
}
