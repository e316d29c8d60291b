//! `helm completion`: scripts by which a shell completes Helm's verbs and the flags that all of them take.

use std::io::Write as _;

use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;

use super::flags::{Flags, GLOBAL, Kind, Spec, Support, flag};
use super::verb::{Names, Verb};
use super::{Stop, VERBS, World, group, parse};

const FLAGS: &[Spec] = &[flag("no-descriptions", Kind::Bool, Support::NoEffect, "")];

const SHELLS: [(&str, &str); 4] = [
    ("bash", "print a completion script for bash"),
    ("fish", "print a completion script for fish"),
    ("powershell", "print a completion script for PowerShell"),
    ("zsh", "print a completion script for zsh"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["completion"],
    about: "generate completion scripts for the specified shell",
    parts: &["bash", "fish", "powershell", "zsh"],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let Some(flags) = parse(world, "completion [command]", &[FLAGS, GLOBAL], words)? else {
        return Ok(0);
    };
    let shell = match flags.arguments.first().map(String::as_str) {
        Some("bash") => Shell::Bash,
        Some("fish") => Shell::Fish,
        Some("powershell") => Shell::PowerShell,
        Some("zsh") => Shell::Zsh,
        other => return group(world, "completion", other, &SHELLS),
    };
    if flags.arguments.len() > 1 {
        return Err(Stop::Usage(format!(
            "\"helm completion {shell}\" accepts no arguments\n\nUsage:  helm completion {shell} [flags]"
        )));
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut grammar(&flags), "helm", &mut script);
    landfall_terminal::out().write_all(&script)?;
    Ok(0)
}

/// What can be typed, as far as a shell is told.
fn grammar(flags: &Flags) -> Command {
    let described = |about: &'static str| if flags.is("no-descriptions") { "" } else { about };
    let mut all = Command::new("helm").disable_help_subcommand(true).disable_version_flag(true);
    for spec in GLOBAL.iter().filter(|spec| spec.support == Support::Works && spec.name != "help") {
        let taken = if spec.kind == Kind::Bool { ArgAction::SetTrue } else { ArgAction::Set };
        let arg = Arg::new(spec.name).long(spec.name).action(taken).global(true).help(described(spec.about));
        all = all.arg(match spec.short {
            Some(letter) => arg.short(letter),
            None => arg,
        });
    }
    VERBS.iter().filter(|verb| !verb.about.is_empty()).fold(all, |all, verb| {
        let command = Command::new(verb.called[0]).about(described(verb.about)).disable_help_subcommand(true);
        all.subcommand(verb.parts.iter().fold(command, |command, name| command.subcommand(Command::new(*name))))
    })
}
