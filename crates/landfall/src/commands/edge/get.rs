//! `landfall edge get` and `landfall edge explain`.

use std::time::Instant;

use clap::Args;

use super::counter::{ServerArgs, piece};
use super::told::{Edge, Explained, Told};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `edge get`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeGetArgs {
    /// The edge, by its device number or identifier
    #[arg(value_name = "EDGE")]
    pub(crate) edge: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `edge explain`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeExplainArgs {
    /// The edge, by its device number or identifier
    #[arg(value_name = "EDGE")]
    pub(crate) edge: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EdgeGetArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let target = format!("/api/v1/edge/edges/{}", piece(&self.edge));
        let answer = self.server.open(context).await?.get(&target).await?;
        context.report(&Told::<Edge>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl Verb for EdgeExplainArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let target = format!("/api/v1/edge/edges/{}/explain", piece(&self.edge));
        let answer = self.server.open(context).await?.get(&target).await?;
        context.report(&Told::<Explained>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}
