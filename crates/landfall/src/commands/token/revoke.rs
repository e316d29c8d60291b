//! `landfall token revoke`.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::Failure;
use landfall_store::{Store, TokenRow};
use serde_json::{Value, json};

use super::super::store::{audited, has_store, now, state, store};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `token revoke`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TokenRevokeArgs {
    /// Its name or id; of several with one name all are revoked
    #[arg(value_name = "NAME|ID")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for TokenRevokeArgs {
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
        let revoked = revoke(context, &store, &self.name).await;
        store.close().await;
        context.report(&Revoked(&revoked?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

async fn revoke(context: &Context, store: &Store, name: &str) -> Result<Vec<TokenRow>, Failure> {
    let failed = |error: landfall_store::Error| Failure::from(error.diagnose());
    let all = store.tokens.all().await.map_err(failed)?;
    let meant = |row: &&TokenRow| row.revoked_at.is_none() && (row.id == name || row.name == name);
    let mut revoked = Vec::new();
    for row in all.iter().filter(meant) {
        let entry = audited(context, store, "token.revoke", &format!("{} ({})", row.name, row.id), json!({})).await?;
        store.tokens.revoke(&row.id, &now().to_string()).await.map_err(failed)?;
        store.audit.end(entry, "done").await.map_err(failed)?;
        revoked.push(row.clone());
    }
    if revoked.is_empty() { Err(none(name, &all)) } else { Ok(revoked) }
}

fn none(name: &str, all: &[TokenRow]) -> Failure {
    let good = || all.iter().filter(|row| row.revoked_at.is_none()).map(|row| row.name.as_str());
    let diagnostic = Diagnostic::error(code::NO_SUCH_TOKEN, format!("there is no token `{name}` to be revoked"));
    let diagnostic = diagnostic.listing("there are", good());
    Failure::from(match landfall_diag::nearest(name, good()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("landfall token list"),
    })
}

/// Tokens that were revoked.
struct Revoked<'a>(&'a [TokenRow]);

impl Report for Revoked<'_> {
    const KIND: &'static str = "Tokens";

    fn data(&self) -> Value {
        let data = |row: &TokenRow| json!({"id": row.id, "name": row.name, "state": "revoked"});
        self.0.iter().map(data).collect()
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|row| ui.name(&row.id));
    }

    fn text(&self, ui: &Ui) {
        self.0.iter().for_each(|row| ui.line(&format!("token {} ({}) is revoked", row.name, row.id)));
    }
}
