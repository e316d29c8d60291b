//! `landfall app terminate`.

use std::time::Instant;

use clap::Args;
use landfall_host::{Act, Failure};
use landfall_server::api::{Accepted, Asked};

use super::counter::{CounterArgs, asking};
use super::refresh::Told;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `app terminate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppTerminateArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppTerminateArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        self.counter.agreed(context, Act::Deliver, self.yes, ("End the operation", "ending an operation")).await?;
        let accepted: Result<Accepted, Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            counter.is_acted_on()?;
            counter.ask(Asked::Terminate(name)).await
        });
        context.report(&Told(&[accepted?]), Exit::Done, started);
        Ok(Exit::Done)
    }
}
