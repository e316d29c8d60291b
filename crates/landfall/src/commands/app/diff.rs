//! `landfall app diff`.

use std::time::Instant;

use clap::Args;
use landfall_host::Failure;
use landfall_server::api::{Asked, Diff, FieldDiff, ObjectDiff};
use serde_json::{Value, json};

use super::counter::{CounterArgs, asking};
use super::list::short;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::{Report, ago};
use crate::ui::{Output, Style, Ui};
use crate::verb::Verb;

/// Arguments of `app diff`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppDiffArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    /// At this revision instead of what it follows; once for each source
    #[arg(long, value_name = "REV")]
    pub(crate) revision: Vec<String>,
    /// Exit 3 when something differs
    #[arg(long)]
    pub(crate) exit_code: bool,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppDiffArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let found: Result<Diff, Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            counter.ask(Asked::Diff(name, self.revision.clone())).await
        });
        let found = found?;
        let exit = if self.exit_code && !found.objects.is_empty() { Exit::Differs } else { Exit::Done };
        context.report(&Differences(&found), exit, started);
        Ok(exit)
    }
}

/// In what an Application differs.
pub(super) struct Differences<'a>(pub(super) &'a Diff);

impl Report for Differences<'_> {
    const KIND: &'static str = "ApplicationDiff";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        self.0.objects.iter().for_each(|object| ui.name(&object.object.to_string()));
    }

    fn text(&self, ui: &Ui) {
        self.0.objects.iter().for_each(|object| print(ui, object));
        self.0.notes.iter().for_each(|note| ui.folded(&ui.out_style(Style::Muted, note)));
        if self.0.objects.is_empty() {
            ui.status(&format!("no differences from {}", short(&self.0.revisions)));
        }
    }
}

fn print(ui: &Ui, object: &ObjectDiff) {
    let namespace = object.object.namespace.as_deref().map(|it| format!(" ({it})")).unwrap_or_default();
    let head = format!("{} {}{namespace}", object.action, object.object);
    ui.folded(&format!("{}   {}", ui.out_style(Style::Strong, &head), ui.out_style(Style::Muted, &object.why)));
    object.fields.iter().for_each(|field| print_field(ui, field));
}

fn print_field(ui: &Ui, field: &FieldDiff) {
    if let Some(live) = &field.live {
        let owner = field.owner.as_ref().map(|owner| {
            let since = owner.since.as_deref().map(|at| format!(", {}", ago(at))).unwrap_or_default();
            format!("   written by {}{since}", owner.manager)
        });
        let owner = owner.unwrap_or_else(|| "   delivered so".to_owned());
        ui.folded(&format!(
            "{}{}",
            ui.out_style(Style::Removed, &format!("  - {}: {live}", field.path)),
            ui.out_style(Style::Muted, &owner)
        ));
    }
    if let Some(wanted) = &field.wanted {
        let wants: Vec<String> = field.wanted_by.iter().map(|want| format!("{} {}", want.at, want.value)).collect();
        let by = match (wants.is_empty(), &field.template) {
            (false, _) => format!("   wanted by {}", wants.join(", ")),
            (true, Some(template)) => format!("   wanted by {template}"),
            (true, None) => String::new(),
        };
        ui.folded(&format!(
            "{}{}",
            ui.out_style(Style::Added, &format!("  + {}: {wanted}", field.path)),
            ui.out_style(Style::Muted, &by)
        ));
    }
}
