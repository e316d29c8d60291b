//! `landfall app policy`.

use std::time::Instant;

use clap::Args;
use landfall_host::{Act, Failure};
use landfall_server::api::{Accepted, Asked, AutomatedWish, PolicyWish};

use super::counter::{CounterArgs, asking};
use super::refresh::Told;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `app policy`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppPolicyArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    /// It syncs by itself from now on
    #[arg(long, required_unless_present_any = ["manual", "accept"])]
    pub(crate) automated: bool,
    /// And deletes what its source no longer names
    #[arg(long, requires = "automated")]
    pub(crate) prune: bool,
    /// And puts drift right
    #[arg(long, requires = "automated")]
    pub(crate) self_heal: bool,
    /// It syncs when somebody asks, and not by itself
    #[arg(long, conflicts_with_all = ["automated", "accept"])]
    pub(crate) manual: bool,
    /// It is right as it is declared now: of a protected project's, nothing else counts
    #[arg(long, conflicts_with = "automated")]
    pub(crate) accept: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppPolicyArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        self.counter.agreed(context, Act::Deliver, self.yes, ("Change how it syncs", "changing how it syncs")).await?;
        let automated = match (self.automated, self.manual) {
            (true, _) => AutomatedWish::On,
            (false, true) => AutomatedWish::Off,
            (false, false) => AutomatedWish::Accept,
        };
        let wish = PolicyWish { automated, prune: self.prune, self_heal: self.self_heal };
        let accepted: Result<Accepted, Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            counter.ask(Asked::Policy(name, wish)).await
        });
        context.report(&Told(&[accepted?]), Exit::Done, started);
        Ok(Exit::Done)
    }
}
