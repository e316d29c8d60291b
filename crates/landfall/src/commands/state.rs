//! `landfall state`.

use std::time::Instant;

use clap::Args;
use landfall_rehearse::{Conditions, Keeping, keepings};
use landfall_rules::{ClusterFacts, Inventory};
use serde_json::{Value, json};

use crate::arguments::{OutputArgs, RenderedArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::looked;
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::{Verb, Waits};

/// Arguments of `state`.
#[derive(Debug, Clone, Args)]
#[command(
    id = "state_args",
    before_help = "Examples:\n  landfall state --env prod       what holds data, what keeps it and what would lose it"
)]
pub(crate) struct StateArgs {
    #[command(flatten)]
    pub(crate) rendered: RenderedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for StateArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, &self)
    }
}

fn run(context: &Context, args: &StateArgs) -> Outcome {
    let started = Instant::now();
    let place = context.host.wait(context.host.place(args.rendered.target.as_deref(), &args.rendered.place.query()))?;
    let units = looked::units(context, &place, &args.rendered.place, &args.rendered.values, &Conditions::offline())?;
    let (before, cluster) = (Inventory::default(), ClusterFacts::assumed());
    let found = keepings(&looked::subject(&place, &units, &before, &cluster));
    context.report(&State(&found), Exit::Done, started);
    Ok(Exit::Done)
}

/// What holds data.
struct State<'a>(&'a [Keeping]);

impl Report for State<'_> {
    const KIND: &'static str = "State";

    fn data(&self) -> Value {
        json!({"keeps": self.0})
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.line("nothing that is delivered holds data");
            return;
        }
        let mut table = Table::new(["OBJECT", "HOLDS", "OWNER", "KEPT", "RISK", "LOST BY"]);
        for it in self.0 {
            table.row([
                format!("{}/{}", it.object.gvk.kind, it.object.name),
                it.holds.clone(),
                it.owner.clone(),
                it.guarantee.word().to_owned(),
                it.risk.to_owned(),
                it.lost_by.join("; "),
            ]);
        }
        ui.table(&table);
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|it| ui.name(&format!("{}/{}", it.object.gvk.kind, it.object.name)));
    }
}
