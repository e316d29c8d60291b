//! `landfall app explain`.

use std::time::Instant;

use clap::Args;
use landfall_host::Failure;
use landfall_server::api::{Asked, Why};
use serde_json::{Value, json};

use super::counter::{CounterArgs, asking};
use super::list::{health_word, sync_word};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Style, Ui};
use crate::verb::Verb;

/// Arguments of `app explain`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppExplainArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppExplainArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let found: Result<Why, Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            counter.ask(Asked::Explain(name)).await
        });
        context.report(&Explained(&found?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// Why an Application stands as it does.
struct Explained<'a>(&'a Why);

impl Report for Explained<'_> {
    const KIND: &'static str = "ApplicationExplanation";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        for cause in &self.0.causes {
            cause.steps.last().into_iter().for_each(|step| ui.name(&format!("{} {}", step.level, step.name)));
        }
    }

    fn text(&self, ui: &Ui) {
        let Why { application, sync, health, causes } = self.0;
        let name = ui.out_style(Style::Strong, &application.to_string());
        ui.folded(&format!("{name}   {}   {}", sync_word(ui, sync), health_word(ui, health)));
        if causes.is_empty() {
            ui.line("  nothing is wrong with it");
        }
        for cause in causes {
            ui.line("");
            for (depth, step) in cause.steps.iter().enumerate() {
                let indent = "  ".repeat(depth + 1);
                let level = ui.out_style(Style::Muted, &step.level);
                let mut lines = step.says.lines();
                ui.folded(&format!("{indent}{level} {}: {}", step.name, lines.next().unwrap_or_default()));
                lines.for_each(|line| ui.folded(&format!("{indent}  {line}")));
            }
            for advice in &cause.advice {
                ui.folded(&format!("  → {advice}"));
            }
        }
    }
}
