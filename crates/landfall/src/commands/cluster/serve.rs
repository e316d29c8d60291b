//! `landfall cluster serve`: hosts it in this process.

use std::time::Duration;

use clap::Args;
use landfall_diag::code;
use landfall_host::{self as host, ServeOptions};

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::Verb;

/// Arguments of `cluster serve`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServeArgs {
    /// The port of the Kubernetes API; 0 for a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub(crate) port: u16,
    /// A file with what containers are declared to do
    #[arg(long, value_name = "FILE")]
    pub(crate) simulate: Option<String>,
    /// Nodes as CPU cores and memory, as `4,8Gi`
    #[arg(long = "node", value_name = "CPU,MEMORY")]
    pub(crate) nodes: Vec<String>,
    /// End after so many idle seconds; 0 for never
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub(crate) idle: u64,
}

impl Verb for ServeArgs {
    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: ServeArgs) -> Outcome {
    let state = context.host.state_here()?;
    let options = ServeOptions {
        port: args.port,
        nodes: host::nodes(&args.nodes)?,
        idle: (args.idle > 0).then(|| Duration::from_secs(args.idle)),
    };
    match host::serve(&context.host, &state, options).await {
        // Who started the server tells by the code, not by the words in its log.
        Err(failure) if failure.diagnostics.iter().any(|it| it.code == code::DISK_FULL) => {
            failure.diagnostics.iter().for_each(|diagnostic| context.ui.diagnostic(diagnostic));
            Ok(Exit::DiskFull)
        }
        served => served.map(|()| Exit::Done),
    }
}
