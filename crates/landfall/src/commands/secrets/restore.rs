//! `landfall secrets restore`.

use std::time::Instant;

use clap::Args;
use landfall_delivery::life::check_restored;
use landfall_delivery::{Restored, restore};
use landfall_host::{Act, Failure, Hosting};
use landfall_project::Environment;
use serde_json::{Value, json};

use super::keys::IdentityArgs;
use crate::arguments::{ClusterArgs, OutputArgs};
use crate::consent::{Question, given};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::looked::{environment_of, project_of};
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
        // Of a context that was named, those that live there; else the one that was.
        let is_named = self.cluster.env.is_none() && place.cluster.remote().is_some();
        let lives_here = |it: &&Environment| it.cluster.remote().is_some_and(|remote| remote.context == name);
        let environments: Vec<&Environment> = match project_of(&place).filter(|_| is_named) {
            Some(file) => file.system.environments.values().filter(lives_here).collect(),
            None => environment_of(&place).into_iter().map(|(_, environment)| environment).collect(),
        };
        for environment in environments {
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
        let restored = restore(&connection.cluster, &backup).await;
        connection.close().await;
        let restored = restored.map_err(Failure::from)?;
        context.report(&Done { cluster: &name, restored: &restored }, Exit::Done, started);
        Ok(Exit::Done)
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
        json!({"cluster": self.cluster, "created": self.restored.created, "unchanged": self.restored.unchanged})
    }

    fn text(&self, ui: &Ui) {
        self.restored.created.iter().for_each(|key| ui.line(&format!("{key} restored")));
        self.restored
            .unchanged
            .iter()
            .for_each(|key| ui.line(&format!("{key} is there already, with the same values")));
    }

    fn names(&self, ui: &Ui) {
        self.restored.created.iter().for_each(|key| ui.name(&key.to_string()));
    }
}
