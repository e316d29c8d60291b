//! `landfall help`: what `--help` prints, for a command by its name.

mod manual;

use std::ffi::OsString;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;

use crate::cli::{self, Cli};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::{Verb, Waits};

/// Arguments of `help`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall help\n  landfall help cluster start\n  landfall help upgrade          one of Helm's verbs\n  landfall help --man up | man -l -"
)]
pub(crate) struct HelpArgs {
    /// The command (default: all of them)
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// Print its manual page instead, as `man -l -` reads it; Helm's verbs have none
    #[arg(long)]
    pub(crate) man: bool,
}

impl Verb for HelpArgs {
    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        if self.man {
            return self.page(context);
        }
        let words = self.command.iter().map(String::as_str).chain(["--help"]);
        let arguments: Vec<OsString> = std::iter::once("landfall").chain(words).map(OsString::from).collect();
        if let Some(helm) = cli::of_helm(&arguments) {
            let code = crate::speak_helm(&context.host, &context.ui, helm.voice, helm.arguments);
            return Ok(if code == 0 { Exit::Done } else { Exit::Usage });
        }
        Ok(match Cli::read(&arguments) {
            Ok(_) => Exit::Done,
            Err(told) => crate::said_by_arguments(&context.host.env, &told),
        })
    }
}

impl HelpArgs {
    /// Prints the manual page.
    fn page(&self, context: &Context) -> Outcome {
        let wanted = self.command.join(" ");
        let failed = |text: String| {
            Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, text).help("landfall help --man COMMAND"))
        };
        let page = manual::page(&Cli::whole(), &self.command)
            .ok_or_else(|| failed(format!("`{wanted}` is no command of ours, and has no manual page")))?
            .map_err(|error| failed(format!("the manual page of `{wanted}` cannot be written: {error}")))?;
        context.ui.bytes(&page);
        Ok(Exit::Done)
    }
}
