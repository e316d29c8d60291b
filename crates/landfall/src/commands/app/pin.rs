//! `landfall app pin`.

use std::time::Instant;

use clap::Args;
use landfall_host::{Act, Failure};
use landfall_server::api::{Accepted, Asked, PinWish};

use super::counter::{CounterArgs, asking};
use super::refresh::Told;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `app pin`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppPinArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    /// To what, once for each source (default: what is delivered now)
    #[arg(long, value_name = "REV")]
    pub(crate) revision: Vec<String>,
    /// Let it go: it follows its sources again
    #[arg(long, conflicts_with = "revision")]
    pub(crate) release: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppPinArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        self.counter
            .agreed(context, Act::Deliver, self.yes, ("Change what it follows", "changing what it follows"))
            .await?;
        let wish = PinWish { revisions: self.revision.clone(), release: self.release, ..PinWish::default() };
        let accepted: Result<Accepted, Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            counter.ask(Asked::Pin(name, wish)).await
        });
        context.report(&Told(&[accepted?]), Exit::Done, started);
        Ok(Exit::Done)
    }
}
