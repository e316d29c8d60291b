//! `landfall account list`.

use std::time::Instant;

use clap::Args;
use landfall_diag::Diagnose as _;
use landfall_host::Failure;
use landfall_store::AccountRow;
use serde_json::{Value, json};

use super::super::store::{has_store, now, state, store};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::{Report, ago};
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Arguments of `account list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AccountListArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AccountListArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let state = state(context)?;
        let rows = if has_store(context, &state) {
            let store = store(context, &state).await?;
            let rows = store.accounts.all().await;
            store.close().await;
            rows.map_err(|error| Failure::from(error.diagnose()))?
        } else {
            Vec::new()
        };
        context.report(&Accounts(&rows), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// What is told of an account: never its password's digest.
pub(super) fn data(row: &AccountRow) -> Value {
    json!({
        "name": row.name, "roles": row.roles, "state": standing(row), "must_change": row.must_change,
        "created_at": row.created_at, "created_by": row.created_by, "signed_in_at": row.signed_in_at,
        "disabled_at": row.disabled_at, "failed": row.failed, "closed_until": row.closed_until,
    })
}

fn standing(row: &AccountRow) -> &'static str {
    let closed =
        row.closed_until.as_ref().is_some_and(|at| at.parse::<jiff::Timestamp>().map_or(true, |at| now() < at));
    match (&row.disabled_at, closed, row.must_change) {
        (Some(_), ..) => "disabled",
        (None, true, _) => "closed for a while",
        (None, false, true) => "first password",
        (None, false, false) => "good",
    }
}

/// The accounts.
pub(super) struct Accounts<'a>(pub(super) &'a [AccountRow]);

impl Report for Accounts<'_> {
    const KIND: &'static str = "Accounts";

    fn data(&self) -> Value {
        self.0.iter().map(data).collect()
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|row| ui.name(&row.name));
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.status("there are no accounts · landfall account create NAME --role role:readonly");
        }
        let mut table = Table::new(["NAME", "STATE", "ROLES", "CREATED", "SIGNED IN"]);
        for row in self.0 {
            table.row([
                row.name.clone(),
                standing(row).to_owned(),
                if row.roles.is_empty() { "-".to_owned() } else { row.roles.join(", ") },
                format!("{} by {}", ago(&row.created_at), row.created_by),
                row.signed_in_at.as_deref().map_or("-".to_owned(), ago),
            ]);
        }
        ui.table(&table);
    }
}
