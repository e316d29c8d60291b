//! `landfall account password`.

use std::time::Instant;

use clap::Args;
use landfall_diag::Diagnose as _;
use landfall_host::Failure;
use landfall_server::accounts::password;
use landfall_store::{AccountRow, Store};
use serde_json::{Value, json};

use super::super::token::{audited, has_store, state, store};
use super::{First, Given, found, none};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
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
        let state = state(context)?;
        if !has_store(context, &state) {
            return Err(none(&self.name, &[]));
        }
        let store = store(context, &state).await?;
        let changed = change(context, &store, &self).await;
        store.close().await;
        let (row, first) = changed?;
        context.report(&Changed { row: &row, first: &first }, Exit::Done, started);
        Ok(Exit::Done)
    }
}

async fn change(context: &Context, store: &Store, args: &AccountPasswordArgs) -> Result<(AccountRow, First), Failure> {
    let failed = |error: landfall_store::Error| Failure::from(error.diagnose());
    let row = found(store, &args.name).await?;
    let first = First::of(&row.name, Given::of(args.stdin))?;
    let kept = password::digest(first.text())?;
    let entry = audited(context, store, "account.password", &row.name, json!({})).await?;
    store.accounts.set_password(&row.name, &kept, true).await.map_err(failed)?;
    store.audit.end(entry, "done").await.map_err(failed)?;
    Ok((AccountRow { must_change: true, failed: 0, closed_until: None, ..row }, first))
}

/// An account with another password.
struct Changed<'a> {
    row: &'a AccountRow,
    first: &'a First,
}

impl Report for Changed<'_> {
    const KIND: &'static str = "Account";

    fn data(&self) -> Value {
        let mut data = super::list::data(self.row);
        if let Some(password) = self.first.shown() {
            data["password"] = json!(password);
        }
        data
    }

    fn names(&self, ui: &Ui) {
        ui.name(self.first.shown().unwrap_or(&self.row.name));
    }

    fn text(&self, ui: &Ui) {
        if let Some(password) = self.first.shown() {
            ui.name(password);
        }
        ui.status(&format!("account {} has a new first password; whoever was signed in is signed out", self.row.name));
    }
}
