//! `landfall secrets restore`.

use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use landfall_delivery::life::{SealingController, check_restored, saved};
use landfall_delivery::{Restored, restore};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Connection, Failure, Hosting};
use landfall_secrets::Backup;
use serde_json::{Value, json};

use super::environments_at;
use super::keys::IdentityArgs;
use crate::arguments::{ClusterArgs, OutputArgs};
use crate::consent::{Question, given};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `secrets restore`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall secrets restore keys.age --identity key.txt\n  landfall secrets restore keys.age --env prod --identity key.txt --yes"
)]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    identity: IdentityArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: OutputArgs,
}

impl Verb for RestoreArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let backup = self.identity.open(context, &self.file)?;
        let place = context.host.cluster_place(None, &self.cluster.query()).await?;
        let name = place.cluster.shown().to_owned();
        let environments = environments_at(&place, self.cluster.env.is_some());
        for environment in &environments {
            check_restored(environment, &backup).map_err(Failure::from)?;
        }
        given(context, &place.permit(Act::Mend), || Question {
            yes: self.yes,
            ask: format!("Restore secrets to {name}"),
            deed: format!("restoring secrets to `{name}`"),
            undone: "not restored",
            instead: None,
        })
        .await?;
        let hosting = if context.host.env.is_ci() { Hosting::InProcess } else { Hosting::Background };
        let mut connection = context.host.connect(&place, hosting, &[]).await?;
        let restored = restore(&connection.cluster, &backup, &environments).await;
        if restored.is_ok() {
            remember(context, &connection, &backup).await;
        }
        connection.close().await;
        let restored = restored.map_err(Failure::from)?;
        context.report(&Done { cluster: &name, restored: &restored }, Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// LP-57: what came out of a backup is in one. It is put back without that being remembered.
async fn remember(context: &Context, connection: &Connection, backup: &Backup) {
    let (controller, keys) = (SealingController::default(), backup.saves());
    let remembered = saved(&connection.cluster, &controller.namespace, &keys, Timestamp::now());
    if let Err(diagnostic) = remembered.await {
        let text = "all is put back, but the cluster does not remember that a backup has it";
        let told = Diagnostic::warning(code::STILL_UNSAVED, text).note(diagnostic.message);
        context.ui.diagnostic(&told.help("protected environments refuse to seal until a backup is remembered"));
    }
}

/// What was put back.
struct Done<'a> {
    cluster: &'a str,
    restored: &'a Restored,
}

impl Report for Done<'_> {
    const KIND: &'static str = "Restored";

    fn data(&self) -> Value {
        let Restored { created, unchanged, left, withheld } = self.restored;
        json!({"cluster": self.cluster, "created": created, "unchanged": unchanged, "left": left, "withheld": withheld})
    }

    fn text(&self, ui: &Ui) {
        self.restored.created.iter().for_each(|key| ui.line(&format!("{key} restored")));
        self.restored
            .unchanged
            .iter()
            .for_each(|key| ui.line(&format!("{key} is there already, with the same values")));
        self.restored
            .left
            .iter()
            .for_each(|key| ui.line(&format!("{key} is marked as one that the SealedSecret of its name may take")));
        self.restored.withheld.iter().for_each(|key| {
            ui.line(&format!(
                "{key} is not left to its SealedSecret: another value of what is generated once is sealed there"
            ));
        });
    }

    fn names(&self, ui: &Ui) {
        self.restored.created.iter().for_each(|key| ui.name(&key.to_string()));
    }
}
