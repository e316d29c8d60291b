//! `landfall graph` and `landfall state`.

use std::time::Instant;

use landfall_rehearse::{Conditions, Graph, keepings};
use landfall_rules::{ClusterFacts, Inventory};
use serde_json::json;

use crate::cli::{GraphArgs, GraphFormat, StateArgs};
use crate::commands::{looked, shared};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::{Output, Table};

pub(crate) fn run(context: &Context, args: &GraphArgs) -> Outcome {
    let started = Instant::now();
    let place = context.host.place(args.rendered.target.as_deref(), &args.rendered.place.query())?;
    let units = looked::units(context, &place, &args.rendered.place, &args.rendered.values, &Conditions::offline())?;
    let (before, cluster) = (Inventory::default(), ClusterFacts::assumed());
    let graph = Graph::of(&looked::subject(&place, &units, &before, &cluster));
    let ui = &context.ui;
    match args.output {
        GraphFormat::Text => ui.data(&graph.text()),
        GraphFormat::Dot => ui.bytes(graph.dot().as_bytes()),
        GraphFormat::Mermaid => ui.bytes(graph.mermaid().as_bytes()),
        GraphFormat::Json => {
            let data = serde_json::to_value(&graph).unwrap_or_default();
            ui.document(&shared::envelope("Graph", Exit::Done, data, started));
        }
    }
    Ok(Exit::Done)
}

pub(crate) fn state(context: &Context, args: &StateArgs) -> Outcome {
    let started = Instant::now();
    let place = context.host.place(args.rendered.target.as_deref(), &args.rendered.place.query())?;
    let units = looked::units(context, &place, &args.rendered.place, &args.rendered.values, &Conditions::offline())?;
    let (before, cluster) = (Inventory::default(), ClusterFacts::assumed());
    let found = keepings(&looked::subject(&place, &units, &before, &cluster));
    let ui = &context.ui;
    match ui.output {
        Output::Json | Output::Yaml => {
            ui.document(&shared::envelope("State", Exit::Done, json!({"keeps": found}), started));
        }
        Output::Name => found.iter().for_each(|it| ui.line(&format!("{}/{}", it.object.gvk.kind, it.object.name))),
        Output::Table => {
            let mut table = Table::new(["OBJECT", "HOLDS", "OWNER", "KEPT", "RISK", "LOST BY"]);
            for it in &found {
                table.row([
                    format!("{}/{}", it.object.gvk.kind, it.object.name),
                    it.holds.clone(),
                    it.owner.clone(),
                    it.guarantee.word().to_owned(),
                    it.risk.to_owned(),
                    it.lost_by.join("; "),
                ]);
            }
            if found.is_empty() { ui.line("nothing that is delivered holds data") } else { ui.table(&table) }
        }
    }
    Ok(Exit::Done)
}
