//! What can be typed: the whole tree of verbs, of which only what was asked for is built.

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::{Args, CommandFactory, FromArgMatches, Parser};

use crate::commands::Command;
use crate::ui::ColorChoice;

/// GitOps delivery as one binary: from a commit to a running, checked system.
#[derive(Debug, Parser)]
#[command(
    name = "landfall",
    version,
    disable_help_subcommand = true,
    help_template = "{about}\n\nExamples:\n  landfall up                      deliver the system of this directory\n  landfall up ./chart -n web       deliver a bare chart to the embedded cluster\n  landfall plan --env prod         what would change, and in which order\n  landfall rehearse main..HEAD     what a branch would break, tried before it is merged\n  landfall down                    take it all down again\n\n{usage-heading} {usage}\n\nCommands:\n{subcommands}\n\nHelm's own, with Helm's flags (`landfall helm --help`):\n  template lint show create package dependency\n  repo search pull push registry install upgrade uninstall list get test\n\nOptions:\n{options}\n"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// What was typed.
    ///
    /// Only the tree of the verb that is meant is built: all of it takes longer than most verbs.
    ///
    /// # Errors
    /// Clap's, as it would be with the whole tree: help that was asked for, or what is wrong.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let whole = || Self::from_arg_matches(&Self::whole().try_get_matches_from(arguments)?);
        let is_help = |argument: &OsString| argument == "-h" || argument == "--help";
        // What lists the verbs needs no more of them than their names and what they are for.
        if arguments.get(1).is_some_and(is_help) {
            return Self::try_parse_from(arguments);
        }
        // Other help is told from the whole tree in any case: the part would be built for nothing.
        if arguments.iter().any(is_help) {
            return whole();
        }
        Self::try_parse_from(arguments).or_else(|_| whole())
    }

    /// The whole tree of verbs and arguments.
    pub(crate) fn whole() -> clap::Command {
        let declared = Self::command();
        let mut tree = declared.clone();
        tree.build();
        introduced(&declared, tree)
    }
}

/// Verbs introduced as they are declared: what builds their arguments, later, brings words of its own.
fn introduced(declared: &clap::Command, tree: clap::Command) -> clap::Command {
    tree.mut_subcommands(|verb| match declared.find_subcommand(verb.get_name()) {
        Some(known) => {
            let about = Resettable::from(known.get_about().cloned());
            let long = Resettable::from(known.get_long_about().cloned());
            introduced(known, verb.about(about).long_about(long))
        }
        None => verb,
    })
}

/// Flags that every command of ours takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArgs {
    /// Where state lives (default: `.landfall` at the system's root)
    #[arg(long, global = true, value_name = "DIR", env = "LANDFALL_STATE")]
    pub(crate) state: Option<String>,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
    /// Say less: -q errors only, -qq nothing
    #[arg(short = 'q', long, global = true, action = clap::ArgAction::Count)]
    pub(crate) quiet: u8,
    /// Say more
    #[arg(short = 'v', long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use regex::Regex;

    use super::Cli;

    #[test]
    fn no_two_arguments_of_a_command_have_one_name() {
        Cli::whole().debug_assert();
    }

    /// Whether the words behind `landfall` begin a command: one of ours, with its own where it has some, or Helm's.
    fn is_command(words: &[&str]) -> bool {
        let Some((first, rest)) = words.split_first() else { return true };
        let tree = Cli::whole();
        let helm = landfall_helm::is_verb;
        match tree.find_subcommand(first) {
            Some(command) if command.has_subcommands() => {
                rest.first().is_none_or(|second| command.find_subcommand(second).is_some())
            }
            Some(_) => true,
            None if *first == "helm" => rest.first().is_none_or(|verb| helm(verb)),
            None => helm(first),
        }
    }

    /// The commands that a text tells to type: `landfall` at the beginning of what stands in quotes or on a line of its
    /// own, and the plain words behind it.
    fn commands(text: &str) -> Vec<(usize, Vec<&str>)> {
        let told = Regex::new(r#"(?m)(?:[`"]|\\n|^(?:    |\$ )?)\s*landfall((?: [a-z][a-z-]*)+)(?P<end>.?)"#)
            .expect("a pattern");
        let found = told.captures_iter(text).filter(|it| !matches!(&it["end"], "." | "/" | "=" | ":"));
        found
            .map(|it| (it.get(0).map_or(0, |all| all.start()), it[1].len(), it.get(1).map_or(0, |words| words.start())))
            .map(|(at, length, start)| {
                (at, text[start..start + length].split(' ').filter(|word| !word.is_empty()).collect())
            })
            .collect()
    }

    fn files(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "md") {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_command_that_is_advised_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut paths = vec![root.join("README.md")];
        files(&root.join("docs"), &mut paths);
        for room in std::fs::read_dir(root.join("crates")).expect("the rooms").flatten() {
            files(&room.path().join("src"), &mut paths);
        }
        let (mut seen, mut wrong) = (0, Vec::new());
        for path in paths {
            let text = std::fs::read_to_string(&path).expect("a file of ours");
            for (at, words) in commands(&text) {
                seen += 1;
                if !is_command(&words) {
                    let line = text[..at].lines().count() + 1;
                    wrong.push(format!("{}:{line}: landfall {}", path.display(), words.join(" ")));
                }
            }
        }
        assert!(seen > 100, "only {seen} commands were found: the search is broken");
        assert!(wrong.is_empty(), "commands that do not exist:\n{}", wrong.join("\n"));
    }

    #[test]
    fn a_command_that_does_not_exist_is_found() {
        // Not written out, because this file is searched, too.
        let text = "`L init` writes one\n    L cluster strat\n\"L up x\" `L helm lint` L is".replace('L', "landfall");
        let wrong: Vec<_> =
            commands(&text).into_iter().map(|(_, words)| words).filter(|words| !is_command(words)).collect();
        assert_eq!(wrong, [vec!["init"], vec!["cluster", "strat"]]);
    }
}
