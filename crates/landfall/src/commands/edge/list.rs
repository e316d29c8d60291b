//! `landfall edge list`.

use std::time::Instant;

use clap::Args;

use super::counter::{ServerArgs, piece};
use super::told::{Edges, Told};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `edge list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeListArgs {
    /// Labels, platform, arch, version or name, as `site=berlin,version<1.2.0`
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// online, stale or offline
    #[arg(long, value_name = "HOW")]
    pub(crate) connectivity: Option<String>,
    /// The version that runs
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// How far an upgrade is: IDLE, DOWNLOADING, VERIFYING, RESTARTING, SUCCEEDED, FAILED, ROLLED_BACK
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<String>,
    /// A piece of the device number or name
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// The enrollment token, by its id, that enrolled them
    #[arg(long, value_name = "TOKEN")]
    pub(crate) enrolled_by: Option<String>,
    /// Those after this number: the next page
    #[arg(long, value_name = "NUMBER")]
    pub(crate) after: Option<i64>,
    /// How many at once
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EdgeListArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let mut target = format!("/api/v1/edge/edges?limit={}", self.limit);
        let after = self.after.map(|after| after.to_string());
        let asked = [
            ("selector", &self.selector),
            ("connectivity", &self.connectivity),
            ("version", &self.version),
            ("status", &self.status),
            ("search", &self.search),
            ("token", &self.enrolled_by),
            ("after", &after),
        ];
        for (name, value) in asked {
            if let Some(value) = value {
                target.push_str(&format!("&{name}={}", piece(value)));
            }
        }
        let answer = self.server.open(context).await?.get(&target).await?;
        context.report(&Told::<Edges>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}
