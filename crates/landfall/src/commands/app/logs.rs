//! `landfall app logs`.

use clap::Args;
use landfall_host::Failure;
use landfall_server::api::{Asked, LogEntry, LogQuery};

use super::counter::{CounterArgs, asking};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::Verb;

/// Arguments of `app logs`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall app logs shop\n  landfall app logs shop deployment/web --tail 50\n  landfall app logs shop web --previous"
)]
pub(crate) struct AppLogsArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    /// One of its workloads or pods: `web`, `deployment/web` (default: all)
    #[arg(value_name = "OBJECT")]
    pub(crate) object: Option<String>,
    /// The container (default: all)
    #[arg(short = 'c', long)]
    pub(crate) container: Option<String>,
    /// The last lines of each container
    #[arg(long, value_name = "LINES")]
    pub(crate) tail: Option<u32>,
    /// Of the containers' earlier run
    #[arg(short = 'p', long)]
    pub(crate) previous: bool,
    /// With times
    #[arg(long)]
    pub(crate) timestamps: bool,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
}

impl Verb for AppLogsArgs {
    async fn run(self, context: &Context) -> Outcome {
        let query = LogQuery {
            object: self.object.clone(),
            container: self.container.clone(),
            tail: self.tail,
            previous: self.previous,
            timestamps: self.timestamps,
        };
        let lines: Result<Vec<LogEntry>, Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            counter.ask(Asked::Logs(name, query)).await
        });
        let lines = lines?;
        let several =
            lines.windows(2).any(|pair| (&pair[0].pod, &pair[0].container) != (&pair[1].pod, &pair[1].container));
        for LogEntry { pod, container, line } in &lines {
            let text = if several { format!("{pod}/{container}: {line}") } else { line.clone() };
            context.ui.log_line(&text);
        }
        Ok(Exit::Done)
    }
}
