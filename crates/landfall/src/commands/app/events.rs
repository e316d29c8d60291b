//! `landfall app events`.

use std::time::Instant;

use clap::Args;
use landfall_host::Failure;
use landfall_server::api::{Asked, EventEntry};
use serde_json::{Value, json};

use super::counter::{CounterArgs, asking};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::{Report, ago};
use crate::ui::{Output, Style, Table, Ui};
use crate::verb::Verb;

/// Arguments of `app events`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppEventsArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppEventsArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let found: Result<Vec<EventEntry>, Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            counter.ask(Asked::Events(name)).await
        });
        context.report(&Events(&found?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// What happened, oldest first.
struct Events<'a>(&'a [EventEntry]);

impl Report for Events<'_> {
    const KIND: &'static str = "ApplicationEvents";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|event| ui.name(&format!("{} {}", event.object, event.reason)));
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.status("nothing has happened that is still known");
        }
        let mut table = Table::new(["WHEN", "OBJECT", "REASON", "MESSAGE"]);
        for event in self.0 {
            let times = if event.count > 1 { format!(" (×{})", event.count) } else { String::new() };
            let style = if event.kind == "Warning" { Style::Warning } else { Style::Muted };
            table.row([
                ago(&event.at),
                event.object.to_string(),
                ui.out_style(style, &event.reason),
                format!("{}{times}", event.message),
            ]);
        }
        ui.table(&table);
    }
}
