//! `landfall app pause`.

use std::time::Instant;

use clap::Args;
use landfall_host::{Act, Failure};
use landfall_server::api::{Accepted, Asked, PauseWish};

use super::counter::{CounterArgs, asking};
use super::refresh::Told;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `app pause`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppPauseArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    /// Let it go on
    #[arg(long, conflicts_with = "reason")]
    pub(crate) release: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppPauseArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let deed = ("Change whether it syncs by itself", "changing whether it syncs by itself");
        self.counter.agreed(context, Act::Deliver, self.yes, deed).await?;
        let wish = PauseWish { reason: self.reason.clone(), release: self.release };
        let accepted: Result<Accepted, Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            counter.ask(Asked::Pause(name, wish)).await
        });
        context.report(&Told(&[accepted?]), Exit::Done, started);
        Ok(Exit::Done)
    }
}
