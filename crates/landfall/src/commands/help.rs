//! `landfall help`: what `--help` prints, for a command by its name.

use std::ffi::OsString;

use clap::Args;

use crate::cli::Cli;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::{Verb, Waits};

/// Arguments of `help`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall help\n  landfall help cluster start\n  landfall help upgrade          one of Helm's verbs"
)]
pub(crate) struct HelpArgs {
    /// The command (default: all of them)
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

impl Verb for HelpArgs {
    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        let words = self.command.iter().map(String::as_str).chain(["--help"]);
        let arguments: Vec<OsString> = std::iter::once("landfall").chain(words).map(OsString::from).collect();
        if let Some((voice, verb)) = landfall_helm::asked(&arguments) {
            let code = crate::speak_helm(&context.host, &context.ui, voice, &arguments[verb..]);
            return Ok(if code == 0 { Exit::Done } else { Exit::Usage });
        }
        Ok(match Cli::read(&arguments) {
            Ok(_) => Exit::Done,
            Err(told) => crate::said_by_arguments(&context.host.env, &told),
        })
    }
}
