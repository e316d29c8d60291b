//! `landfall account disable`.

use std::time::Instant;

use clap::Args;
use landfall_diag::Diagnose as _;
use landfall_host::Failure;
use landfall_store::AccountRow;
use serde_json::json;

use super::super::store::{audited, now};
use super::{Told, changed};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `account disable`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AccountDisableArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AccountDisableArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let row = changed(context, &self.name, async |store, row| {
            let at = Some(now().to_string());
            let entry = audited(context, store, "account.disable", &row.name, json!({})).await?;
            store.accounts.disable(&row.name, at.as_deref()).await.map_err(|error| Failure::from(error.diagnose()))?;
            store.audit.end(entry, "done").await.map_err(|error| Failure::from(error.diagnose()))?;
            Ok(AccountRow { disabled_at: at, ..row })
        });
        let row = row.await?;
        let said = format!("account {} is disabled; whoever was signed in with it is signed out", row.name);
        context.report(&Told { row: &row, first: None, said: &[said] }, Exit::Done, started);
        Ok(Exit::Done)
    }
}
