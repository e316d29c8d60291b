//! `landfall edge import`.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use serde_json::Value;

use super::counter::ServerArgs;
use super::told::{Imported, Told};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `edge import`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeImportArgs {
    /// A JSON file with the rows of workers, worker_credentials and edge_enrollment_tokens (docs/edge.md says how it is made)
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EdgeImportArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let bad = |why: String| {
            let text = format!("`{}` does not hold the product's tables", self.file);
            Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, text).note(why).note("nothing was changed"))
        };
        let text =
            std::fs::read_to_string(context.host.directory.join(&self.file)).map_err(|error| bad(error.to_string()))?;
        let tables: Value = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if !tables["workers"].is_array() {
            return Err(bad("there is no list `workers` in it".to_owned()));
        }
        let answer = self.server.open(context).await?.post("/api/v1/edge/import", &tables).await?;
        context.report(&Told::<Imported>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}
