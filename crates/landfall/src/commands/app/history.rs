//! `landfall app history`.

use std::time::Instant;

use clap::Args;
use landfall_host::Failure;
use landfall_server::api::{Asked, HistoryEntry};
use serde_json::{Value, json};

use super::counter::{CounterArgs, asking};
use super::list::short;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::{Report, ago};
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Arguments of `app history`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppHistoryArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppHistoryArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let found: Result<Vec<HistoryEntry>, Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            counter.ask(Asked::History(name)).await
        });
        context.report(&Deliveries(&found?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// What was delivered, newest last.
struct Deliveries<'a>(&'a [HistoryEntry]);

impl Report for Deliveries<'_> {
    const KIND: &'static str = "ApplicationHistory";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|entry| ui.name(&entry.id.to_string()));
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.status("nothing was delivered yet");
        }
        let mut table = Table::new(["ID", "WHEN", "REVISION", "BY", "FROM"]);
        for entry in self.0 {
            let from: Vec<String> = entry
                .sources
                .iter()
                .map(|source| format!("{} {}", source.repository, source.target_revision))
                .collect();
            let current = if entry.current { " (now)" } else { "" };
            table.row([
                format!("{}{current}", entry.id),
                ago(&entry.deployed_at),
                short(&entry.revisions),
                if entry.initiated_by.is_empty() { "-".to_owned() } else { entry.initiated_by.clone() },
                from.join(", "),
            ]);
        }
        ui.table(&table);
    }
}
