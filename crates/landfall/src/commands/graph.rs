//! `landfall graph`.

use std::time::Instant;

use clap::Args;
use landfall_rehearse::{Conditions, Graph};
use landfall_rules::{ClusterFacts, Inventory};

use crate::arguments::RenderedArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::looked;
use crate::report;
use crate::ui::Output;
use crate::verb::{Verb, Waits};

/// How a graph is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum GraphFormat {
    /// For people.
    #[default]
    Text,
    /// For Graphviz.
    Dot,
    /// For Markdown pages.
    Mermaid,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// Arguments of `graph`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall graph --env prod\n  landfall graph ./chart -o dot | dot -Tsvg > graph.svg"
)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) rendered: RenderedArgs,
    /// Print as
    #[arg(short = 'o', long = "output", value_enum, default_value_t = GraphFormat::Text, value_name = "FORMAT")]
    pub(crate) output: GraphFormat,
}

impl Verb for GraphArgs {
    fn output(&self) -> Output {
        match self.output {
            GraphFormat::Json => Output::Json,
            GraphFormat::Yaml => Output::Yaml,
            GraphFormat::Text | GraphFormat::Dot | GraphFormat::Mermaid => Output::Table,
        }
    }

    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, &self)
    }
}

fn run(context: &Context, args: &GraphArgs) -> Outcome {
    let started = Instant::now();
    let place = context.host.wait(context.host.place(args.rendered.target.as_deref(), &args.rendered.place.query()))?;
    let units = looked::units(context, &place, &args.rendered.place, &args.rendered.values, &Conditions::offline())?;
    let (before, cluster) = (Inventory::default(), ClusterFacts::assumed());
    let graph = Graph::of(&looked::subject(&place, &units, &before, &cluster));
    let ui = &context.ui;
    match args.output {
        GraphFormat::Text => ui.folded(&graph.text()),
        GraphFormat::Dot => ui.bytes(graph.dot().as_bytes()),
        GraphFormat::Mermaid => ui.bytes(graph.mermaid().as_bytes()),
        GraphFormat::Json | GraphFormat::Yaml => {
            let data = serde_json::to_value(&graph).unwrap_or_default();
            ui.document(&report::envelope("Graph", Exit::Done, data, started));
        }
    }
    Ok(Exit::Done)
}
