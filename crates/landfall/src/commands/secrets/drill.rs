//! `landfall secrets drill`.

use std::time::Instant;

use clap::Args;
use landfall_delivery::{Drill, drill};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Hosting};
use serde_json::{Value, json};

use super::keys::IdentityArgs;
use crate::arguments::{ClusterArgs, OutputArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Arguments of `secrets drill`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall secrets drill keys.age --identity key.txt\n  landfall secrets drill keys.age --env prod --identity key.txt -o json"
)]
pub(crate) struct DrillArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    identity: IdentityArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Verb for DrillArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let backup = self.identity.open(context, &self.file)?;
        let place = context.host.cluster_place(None, &self.cluster.query()).await?;
        let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
        let drilled = drill(&connection.cluster, &backup).await;
        connection.close().await;
        let drilled = drilled.map_err(Failure::from)?;
        let exit = if drilled.succeeded() { Exit::Done } else { Exit::Failed };
        context.report(&Drilled { cluster: &connection.name, drill: &drilled }, exit, started);
        if exit == Exit::Failed {
            context.ui.diagnostic(
                &Diagnostic::error(code::DRILL_FAILED, "with this backup alone not everything could be opened again")
                    .help("save the cluster again: `landfall secrets backup NEW --recipient age1…`"),
            );
        }
        Ok(exit)
    }
}

/// What the backup could do.
struct Drilled<'a> {
    cluster: &'a str,
    drill: &'a Drill,
}

impl Report for Drilled<'_> {
    const KIND: &'static str = "Drill";

    fn data(&self) -> Value {
        json!({"cluster": self.cluster, "kept": self.drill.kept, "sealed": self.drill.sealed})
    }

    fn text(&self, ui: &Ui) {
        let mut table = Table::new(["OBJECT", "WHAT", "BACKUP"]);
        for kept in &self.drill.kept {
            let saved = if kept.saved { "saved" } else { "NOT SAVED" };
            table.row([kept.secret.to_string(), kept.what.clone(), saved.to_owned()]);
        }
        for sealed in &self.drill.sealed {
            let state =
                sealed.problem.clone().map_or_else(|| "opens".to_owned(), |problem| problem.replace('\n', "; "));
            table.row([sealed.sealed.to_string(), "sealed values".to_owned(), state]);
        }
        ui.table(&table);
    }

    fn names(&self, ui: &Ui) {
        let unsaved = self.drill.kept.iter().filter(|kept| !kept.saved).map(|kept| kept.secret.to_string());
        let closed = self.drill.sealed.iter().filter(|one| one.problem.is_some()).map(|one| one.sealed.to_string());
        unsaved.chain(closed).for_each(|name| ui.name(&name));
    }
}
