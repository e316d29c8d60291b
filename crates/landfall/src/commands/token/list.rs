//! `landfall token list`.

use std::time::Instant;

use clap::Args;
use landfall_diag::Diagnose as _;
use landfall_host::Failure;
use landfall_store::TokenRow;
use serde_json::{Value, json};

use super::super::store::{has_store, now, state, store};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::{Report, ago};
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Arguments of `token list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TokenListArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for TokenListArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let state = state(context)?;
        let rows = if has_store(context, &state) {
            let store = store(context, &state).await?;
            let rows = store.tokens.all().await;
            store.close().await;
            rows.map_err(|error| Failure::from(error.diagnose()))?
        } else {
            Vec::new()
        };
        context.report(&Tokens(&rows), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// What is told of a token: never its digest.
pub(super) fn data(row: &TokenRow) -> Value {
    json!({
        "id": row.id, "name": row.name, "scopes": row.scopes, "projects": row.projects, "paths": row.paths, "role": row.role,
        "issued_at": row.issued_at, "issued_by": row.issued_by, "expires_at": row.expires_at,
        "revoked_at": row.revoked_at, "used_at": row.used_at, "state": standing(row),
    })
}

fn standing(row: &TokenRow) -> &'static str {
    let expired =
        row.expires_at.as_ref().is_some_and(|at| at.parse::<jiff::Timestamp>().map_or(true, |at| at <= now()));
    match (&row.revoked_at, expired) {
        (Some(_), _) => "revoked",
        (None, true) => "expired",
        (None, false) => "good",
    }
}

/// The tokens.
struct Tokens<'a>(&'a [TokenRow]);

impl Report for Tokens<'_> {
    const KIND: &'static str = "Tokens";

    fn data(&self) -> Value {
        self.0.iter().map(data).collect()
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|row| ui.name(&row.id));
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.status("there are no tokens · landfall token create NAME --scope read");
        }
        let mut table =
            Table::new(["NAME", "ID", "STATE", "ROLE", "SCOPES", "PROJECTS", "PATHS", "ISSUED", "USED", "EXPIRES"]);
        for row in self.0 {
            table.row([
                row.name.clone(),
                row.id.clone(),
                standing(row).to_owned(),
                if row.role.is_empty() { "-".to_owned() } else { row.role.clone() },
                row.scopes.join(", "),
                row.projects.join(", "),
                if row.paths.is_empty() { "-".to_owned() } else { row.paths.join(", ") },
                format!("{} by {}", ago(&row.issued_at), row.issued_by),
                row.used_at.as_deref().map_or("-".to_owned(), ago),
                row.expires_at.clone().unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        ui.table(&table);
    }
}
