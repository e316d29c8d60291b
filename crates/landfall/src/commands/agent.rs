//! `landfall agent …`: the edge agent's own verbs, which the small binary `landfall-agent` has as well. Edges run that one; here they
//! are for trying it out, and where the one binary is at hand already.

use std::ffi::OsString;

use clap::Args;
use landfall_agent::command::{Format, Verb as AgentVerb};
use landfall_agent::status::Status;
use landfall_host::Failure;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::{Verb, Waits};

/// Arguments of `agent`: a verb of its own.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct AgentArgs {
    #[command(subcommand)]
    verb: AgentVerb,
}

impl Verb for AgentArgs {
    fn output(&self) -> Output {
        match self.verb.format() {
            Format::Table => Output::Table,
            Format::Json => Output::Json,
            Format::Yaml => Output::Yaml,
            Format::Name => Output::Name,
        }
    }

    /// It waits with threads of its own, and ends as any program does.
    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        let failed = |failure: landfall_agent::command::Failure| Failure::from(failure.diagnostic());
        if let AgentVerb::Status(args) = &self.verb {
            context.answer(&args.status().map_err(failed)?, Exit::Done);
            return Ok(Exit::Done);
        }
        let program = std::env::current_exe().map_or_else(|_| OsString::from("landfall"), OsString::from);
        self.verb.run(&[program, OsString::from("agent")]).map_err(failed)?;
        Ok(Exit::Done)
    }
}

impl Report for Status {
    const KIND: &'static str = Status::KIND;

    fn data(&self) -> Value {
        json!(self)
    }

    fn names(&self, ui: &Ui) {
        ui.name(&self.device_number);
    }

    fn text(&self, ui: &Ui) {
        self.lines().iter().for_each(|line| ui.folded(line));
    }
}
