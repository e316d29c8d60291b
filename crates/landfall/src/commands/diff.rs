//! `landfall diff`: what the cluster would have to change to be as git asks.

use clap::Args;
use landfall_delivery::{Change, Deed};
use landfall_engine::Action;
use serde_json::{Value, json};

use crate::arguments::{OutputArgs, RenderedArgs};
use crate::commands::plan;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Style, Ui};
use crate::verb::Verb;

/// Arguments of `diff`.
#[derive(Debug, Clone, Args)]
#[command(before_help = "Examples:\n  landfall diff\n  landfall diff --env prod --exit-code")]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) rendered: RenderedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Exit 3 when something differs
    #[arg(long)]
    pub(crate) exit_code: bool,
}

impl Verb for DiffArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: DiffArgs) -> Outcome {
    let RenderedArgs { target, place, values } = &args.rendered;
    let (_, _, plans) = plan::planned(context, target.as_deref(), place, values).await?;
    let changes = plans.iter().flat_map(|plan| plan.changes.iter().map(|change| (plan.name.as_str(), change)));
    let changes: Vec<_> = changes.filter(|(_, change)| change.action != Deed::Step(Action::Hook)).collect();
    let differs = !changes.is_empty();
    let exit = if args.exit_code && differs { Exit::Differs } else { Exit::Done };
    context.answer(&Diff(changes), exit);
    Ok(exit)
}

/// What would have to change, and of which unit it is.
struct Diff<'a>(Vec<(&'a str, &'a Change)>);

impl Report for Diff<'_> {
    const KIND: &'static str = "Diff";

    fn data(&self) -> Value {
        self.0.iter().map(|(unit, change)| json!({"unit": unit, "change": change})).collect()
    }

    fn text(&self, ui: &Ui) {
        self.0.iter().for_each(|(_, change)| print(ui, change));
        if self.0.is_empty() {
            ui.status("no differences");
        }
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|(_, change)| ui.name(&named(change)));
    }
}

fn named(change: &Change) -> String {
    format!("{}/{}", change.object.gvk.kind, change.object.name)
}

fn print(ui: &Ui, change: &Change) {
    let name = named(change);
    let namespace = change.object.namespace.as_deref().map(|ns| format!(" ({ns})")).unwrap_or_default();
    ui.line(&ui.out_style(Style::Strong, &format!("{} {name}{namespace}", change.action)));
    for field in &change.fields {
        if let Some(from) = &field.from {
            let by = field.by.as_ref().map(|by| format!("   (written by {by})")).unwrap_or_default();
            ui.line(&ui.out_style(Style::Removed, &format!("  - {}: {from}{by}", field.path)));
        }
        if let Some(to) = &field.to {
            ui.line(&ui.out_style(Style::Added, &format!("  + {}: {to}", field.path)));
        }
    }
}
