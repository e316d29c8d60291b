//! `landfall completion`: scripts that ask the binary itself what can stand where the cursor is ([`super::offer`]).

use clap::Args;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::{Verb, Waits};

/// Arguments of `completion`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  source <(landfall completion bash)                                for this shell\n  landfall completion fish > ~/.config/fish/completions/landfall.fish"
)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(required_unless_present = "commands")]
    shell: Option<Shell>,
    /// Print all commands instead, a line each, those too that no help tells of
    #[arg(long, hide = true)]
    commands: bool,
}

impl Verb for CompletionArgs {
    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        if self.commands {
            let mut names = Vec::new();
            leaves(&Cli::whole(), "", &mut names);
            names.iter().for_each(|name| context.ui.line(name));
            return Ok(Exit::Done);
        }
        context.ui.bytes(self.shell.map_or("", script).as_bytes());
        Ok(Exit::Done)
    }
}

/// The commands that have none below them, as they are typed behind `landfall`.
fn leaves(command: &clap::Command, name: &str, found: &mut Vec<String>) {
    for inner in command.get_subcommands() {
        let name = format!("{name} {}", inner.get_name()).trim_start().to_owned();
        if inner.has_subcommands() { leaves(inner, &name, found) } else { found.push(name) }
    }
}

/// What makes a shell ask.
fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Elvish => include_str!("completion/landfall.elv"),
        Shell::Fish => include_str!("completion/landfall.fish"),
        Shell::PowerShell => include_str!("completion/landfall.ps1"),
        Shell::Zsh => include_str!("completion/landfall.zsh"),
        // All others have told nothing of themselves: bash's is the most widely understood.
        _ => include_str!("completion/landfall.bash"),
    }
}
