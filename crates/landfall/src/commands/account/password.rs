//! `landfall account password`.

use std::time::Instant;

use clap::Args;
use landfall_diag::Diagnose as _;
use landfall_host::Failure;
use landfall_server::accounts::password;
use landfall_store::AccountRow;
use serde_json::json;

use super::super::store::audited;
use super::{First, Given, Told, changed};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `account password`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AccountPasswordArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Read the password from standard input, one line, instead of making one
    #[arg(long)]
    pub(crate) stdin: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AccountPasswordArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let changed = changed(context, &self.name, async |store, row| {
            let failed = |error: landfall_store::Error| Failure::from(error.diagnose());
            let first = First::of(&row.name, Given::of(self.stdin))?;
            let kept = password::digest(first.text())?;
            let entry = audited(context, store, "account.password", &row.name, json!({})).await?;
            store.accounts.set_password(&row.name, &kept, true).await.map_err(failed)?;
            store.audit.end(entry, "done").await.map_err(failed)?;
            Ok((AccountRow { must_change: true, failed: 0, closed_until: None, ..row }, first))
        });
        let (row, first) = changed.await?;
        let said = format!("account {} has a new first password; whoever was signed in is signed out", row.name);
        context.report(&Told { row: &row, first: Some(&first), said: &[said] }, Exit::Done, started);
        Ok(Exit::Done)
    }
}
