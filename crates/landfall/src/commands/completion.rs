//! `landfall completion`.

use clap::Args;

use crate::cli::Cli;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::{Verb, Waits};

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    shell: clap_complete::Shell,
}

impl Verb for CompletionArgs {
    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::whole(), "landfall", &mut script);
        context.ui.bytes(&script);
        Ok(Exit::Done)
    }
}
