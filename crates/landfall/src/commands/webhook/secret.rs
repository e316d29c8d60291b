//! `landfall webhook secret rotate`.

use std::time::Instant;

use clap::{Args, ValueEnum};
use landfall_diag::Diagnose as _;
use landfall_host::Failure;
use landfall_project::Span;
use landfall_server::{RotatedSecret, rotate_hook_secret};
use serde_json::{Value, json};

use crate::arguments::OutputArgs;
use crate::commands::store::{audited, now, state, store};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// What is done with the secret.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Deed {
    /// A new one takes the place of those before it.
    Rotate,
}

/// Arguments of `webhook secret`.
#[derive(Debug, Clone, Args)]
pub(crate) struct WebhookSecretArgs {
    /// What is done with it
    #[arg(value_enum, value_name = "rotate")]
    pub(crate) deed: Deed,
    /// How long the old ones are good beside it
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub(crate) overlap: Span,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for WebhookSecretArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let Deed::Rotate = self.deed;
        let state = state(context)?;
        let store = store(context, &state).await?;
        let rotated = async {
            let detail = json!({"overlap": self.overlap.to_string()});
            let entry = audited(context, &store, "webhook.secret.rotate", "webhook", detail).await?;
            let rotated = rotate_hook_secret(&state, now(), self.overlap.duration()).map_err(Failure::from);
            let outcome = if rotated.is_ok() { "done" } else { "failed" };
            store.audit.end(entry, outcome).await.map_err(|error| Failure::from(error.diagnose()))?;
            rotated
        };
        let rotated = rotated.await;
        store.close().await;
        context.report(&Shown(&rotated?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// A secret that was made, this once.
struct Shown<'a>(&'a RotatedSecret);

impl Report for Shown<'_> {
    const KIND: &'static str = "WebhookSecret";

    fn data(&self) -> Value {
        json!({"secret": self.0.secret, "formerUntil": self.0.former_until.to_string()})
    }

    fn text(&self, ui: &Ui) {
        ui.line(&self.0.secret);
        ui.status(
            "the forge signs with it from now on (content type application/json, pushes alone); it is not shown again",
        );
        let former = match self.0.has_former {
            true => "those before it are",
            false => "it is the first one made here; one from the server's environment is",
        };
        ui.status(&format!("{former} good until {}", self.0.former_until));
    }

    fn names(&self, ui: &Ui) {
        ui.name(&self.0.secret);
    }
}
