//! `landfall diff`: what the cluster would have to change to be as git asks.

use landfall_engine::Action;
use serde_json::json;

use crate::cli::DiffArgs;
use crate::commands::shared;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::{Output, Style};

pub(crate) async fn run(context: &Context, args: DiffArgs) -> Outcome {
    let (_, _, plans) =
        shared::planned(context, args.rendered.target.as_deref(), &args.rendered.place, &args.rendered.values).await?;
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
