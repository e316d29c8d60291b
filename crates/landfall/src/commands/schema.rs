//! `landfall schema`.

use clap::Args;

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::{Verb, Waits};

/// Arguments of `schema`: none.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {}

impl Verb for SchemaArgs {
    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        context.ui.document(&landfall_project::json_schema());
        Ok(Exit::Done)
    }
}
