//! `landfall diff`: what the cluster would have to change to be as git asks.

use std::time::Instant;

use landfall_delivery::UpOptions;
use landfall_engine::Action;
use serde_json::json;

use crate::cli::DiffArgs;
use crate::commands::shared;
use crate::context::Context;
use crate::embedded::Hosting;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::ui::{Output, Style};

pub(crate) async fn run(context: &Context, args: DiffArgs) -> Outcome {
    let started = Instant::now();
    let place = context.place(args.target.as_deref(), &args.place)?;
    let overrides = shared::overrides(context, &args.values)?;
    let selection = shared::selection(context, &place, &args.place)?;
    let candidates = place.target.units(&selection, &overrides, "default").map_err(Failure::from)?;
    let mut connection = context.connect(&place, Hosting::Attach, &[]).await?;
    let options = UpOptions::default();
    let plans = shared::with_progress(context, &mut connection, started, |session| {
        let (candidates, options) = (&candidates, &options);
        async move { session.plan(candidates, options).await }
    })
    .await;
    connection.close_before_result().await;
    let plans = plans.map_err(Failure::from)?;
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
                    ui.line(&ui.out_style(Style::Removed, &format!("  - {}: {from}", field.path)));
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
