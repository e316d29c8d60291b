//! `landfall app logs`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use landfall_host::Failure;
use landfall_server::api::{Asked, LogEntry, LogQuery, Name};

use super::counter::{Counter, CounterArgs, asking};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::Verb;

/// How often it is looked for what is new.
const AGAIN: Duration = Duration::from_secs(1);

/// Arguments of `app logs`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall app logs shop\n  landfall app logs shop deployment/web --tail 50\n  landfall app logs shop web --previous\n  landfall app logs shop --hook smoke-test   a hook's\n  landfall app logs shop --hook checks       what the declared checks found"
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
    /// Follow
    #[arg(short = 'f', long, conflicts_with = "previous")]
    pub(crate) follow: bool,
    /// The last lines of each container
    #[arg(long, value_name = "LINES")]
    pub(crate) tail: Option<u32>,
    /// Of the containers' earlier run
    #[arg(short = 'p', long)]
    pub(crate) previous: bool,
    /// With times
    #[arg(long)]
    pub(crate) timestamps: bool,
    /// Of a hook, by its name; `checks` for what the declared checks found
    #[arg(long, value_name = "NAME", conflicts_with = "object")]
    pub(crate) hook: Option<String>,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
}

impl AppLogsArgs {
    fn query(&self) -> LogQuery {
        LogQuery {
            object: self.object.clone(),
            container: self.container.clone(),
            tail: self.tail,
            previous: self.previous,
            timestamps: self.timestamps || self.follow,
            hook: self.hook.clone(),
        }
    }
}

impl Verb for AppLogsArgs {
    async fn run(self, context: &Context) -> Outcome {
        let done: Result<(), Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            if self.follow {
                return follow(context, &counter, &name, &self).await;
            }
            let lines: Vec<LogEntry> = counter.ask(Asked::Logs(name, self.query())).await?;
            let several = is_several(&lines);
            lines.iter().for_each(|line| context.ui.log_line(&labelled(several, line, &line.line)));
            Ok(())
        });
        done.map(|()| Exit::Done)
    }
}

/// Prints what is new, again and again: the same through a server as from a cluster.
async fn follow(context: &Context, counter: &Counter, name: &Name, args: &AppLogsArgs) -> Result<(), Failure> {
    let mut told: BTreeMap<(String, String), Timestamp> = BTreeMap::new();
    loop {
        let lines: Vec<LogEntry> = counter.ask(Asked::Logs(name.clone(), args.query())).await?;
        let (several, before) = (is_several(&lines), told.clone());
        for line in &lines {
            // What has no time is told once, with the first of a container.
            let (at, text) = line.line.split_once(' ').unwrap_or((line.line.as_str(), ""));
            let (at, text) = match at.parse::<Timestamp>() {
                Ok(at) => (at, text),
                Err(_) => (Timestamp::MIN, line.line.as_str()),
            };
            let of = (line.pod.clone(), line.container.clone());
            let is_new = before.get(&of).is_none_or(|last| at > *last);
            let last = told.entry(of).or_insert(at);
            *last = at.max(*last);
            if is_new {
                let text = if args.timestamps { line.line.as_str() } else { text };
                context.ui.log_line(&labelled(several, line, text));
            }
        }
        if context.ui.nobody_reads() {
            return Ok(());
        }
        tokio::select! {
            () = context.host.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

fn is_several(lines: &[LogEntry]) -> bool {
    lines.windows(2).any(|pair| (&pair[0].pod, &pair[0].container) != (&pair[1].pod, &pair[1].container))
}

fn labelled(several: bool, line: &LogEntry, text: &str) -> String {
    if several { format!("{}/{}: {text}", line.pod, line.container) } else { text.to_owned() }
}
