//! `landfall agent …`: the edge agent's own verbs, which the small binary `landfall-agent` has as well. Edges run that one; here they
//! are for trying it out, and where the one binary is at hand already.

use std::ffi::OsString;

use clap::Args;
use landfall_diag::{Diagnostic, code};

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::{Verb, Waits};

/// Arguments of `agent`: a verb of its own.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct AgentArgs {
    #[command(subcommand)]
    verb: landfall_agent::command::Verb,
}

impl Verb for AgentArgs {
    /// It waits with threads of its own, and ends as any program does.
    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, _: &Context) -> Outcome {
        let program = std::env::current_exe().map_or_else(|_| OsString::from("landfall"), OsString::from);
        match self.verb.run(&[program, OsString::from("agent")]) {
            Ok(()) => Ok(Exit::Done),
            Err(failure) => {
                let code = if failure.code == 2 { code::AGENT_ASKED_WRONGLY } else { code::AGENT_FAILED };
                Err(Diagnostic::error(code, failure.message).into())
            }
        }
    }
}
