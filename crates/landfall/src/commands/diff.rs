//! `landfall diff`: what the cluster would have to change to be as git asks.

use clap::Args;
use landfall_engine::Action;
use serde_json::json;

use crate::arguments::{OutputArgs, RenderedArgs};
use crate::commands::plan;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::{Output, Style};
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
    let (_, _, plans) =
        plan::planned(context, args.rendered.target.as_deref(), &args.rendered.place, &args.rendered.values).await?;
    let ui = &context.ui;
    let mut differs = false;
    let mut documents = Vec::new();
    for plan in &plans {
        for change in plan.changes.iter().filter(|change| change.action != Action::Hook.word()) {
            differs = true;
            if matches!(ui.output, Output::Json | Output::Yaml) {
                documents.push(json!({"unit": plan.name, "change": change}));
                continue;
            }
            let name = format!("{}/{}", change.object.gvk.kind, change.object.name);
            let namespace = change.object.namespace.as_deref().map(|ns| format!(" ({ns})")).unwrap_or_default();
            ui.line(&ui.out_style(Style::Strong, &format!("{} {name}{namespace}", change.action)));
            for field in &change.fields {
                let text = |value: Option<&serde_json::Value>| value.map(ToString::to_string);
                if let Some(from) = text(field.from.as_ref()) {
                    let by = field.by.as_ref().map(|by| format!("   (written by {by})")).unwrap_or_default();
                    ui.line(&ui.out_style(Style::Removed, &format!("  - {}: {from}{by}", field.path)));
                }
                if let Some(to) = text(field.to.as_ref()) {
                    ui.line(&ui.out_style(Style::Added, &format!("  + {}: {to}", field.path)));
                }
            }
        }
    }
    if matches!(ui.output, Output::Json | Output::Yaml) {
        ui.document(&json!({"schema": "landfall.dev/v1/Diff", "ok": true, "data": documents}));
    } else if !differs {
        ui.status("no differences");
    }
    Ok(if args.exit_code && differs { Exit::Differs } else { Exit::Done })
}
