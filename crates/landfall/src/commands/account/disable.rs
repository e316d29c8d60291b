//! `landfall account disable`.

use std::time::Instant;

use clap::Args;
use landfall_diag::Diagnose as _;
use landfall_host::Failure;
use landfall_store::{AccountRow, Store};
use serde_json::{Value, json};

use super::super::token::{audited, has_store, now, state, store};
use super::{found, none};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
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
        let state = state(context)?;
        if !has_store(context, &state) {
            return Err(none(&self.name, &[]));
        }
        let store = store(context, &state).await?;
        let changed = change(context, &store, &self.name).await;
        store.close().await;
        context.report(&Changed(&changed?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

async fn change(context: &Context, store: &Store, name: &str) -> Result<AccountRow, Failure> {
    let failed = |error: landfall_store::Error| Failure::from(error.diagnose());
    let row = found(store, name).await?;
    let entry = audited(context, store, "account.disable", name, json!({})).await?;
    let at = Some(now().to_string());
    store.accounts.disable(name, at.as_deref()).await.map_err(failed)?;
    store.audit.end(entry, "done").await.map_err(failed)?;
    Ok(AccountRow { disabled_at: at, ..row })
}

/// An account that was changed.
struct Changed<'a>(&'a AccountRow);

impl Report for Changed<'_> {
    const KIND: &'static str = "Account";

    fn data(&self) -> Value {
        super::list::data(self.0)
    }

    fn names(&self, ui: &Ui) {
        ui.name(&self.0.name);
    }

    fn text(&self, ui: &Ui) {
        ui.line(&format!("account {} is disabled; whoever was signed in with it is signed out", self.0.name));
    }
}
