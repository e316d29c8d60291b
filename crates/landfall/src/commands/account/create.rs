//! `landfall account create`.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::Failure;
use landfall_server::accounts::{ADMIN, password};
use landfall_store::AccountRow;
use serde_json::json;

use super::super::store::{audited, now, person, state, store};
use super::{First, Given, Told};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// The account that may do everything.
const ADMINISTRATOR: &str = "admin";

/// Arguments of `account create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AccountCreateArgs {
    /// What it is called: what is done with it is done by that name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// A role that it has beside what the policy says of its name, `role:owner`; may stand several times
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub(crate) role: Vec<String>,
    /// Read the first password from standard input, one line, instead of making one
    #[arg(long)]
    pub(crate) stdin: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

fn role(text: &str) -> Result<String, String> {
    match text.strip_prefix("role:") {
        Some(name) if !name.is_empty() && !name.contains(':') => Ok(text.to_owned()),
        _ => Err("an account has roles, role:NAME; roles of projects are for groups and tokens".to_owned()),
    }
}

impl Verb for AccountCreateArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let name = self.name.as_str();
        let is_name = !name.is_empty()
            && name.len() <= 64
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c));
        if !is_name {
            let diagnostic = Diagnostic::error(code::BAD_ARGUMENTS, format!("an account cannot be called `{name}`"));
            return Err(Failure::usage(diagnostic.help("letters, digits and -_.@, at most 64 of them")));
        }
        let first = First::of(name, Given::of(self.stdin))?;
        let mut roles = self.role.clone();
        if name == ADMINISTRATOR {
            roles.push(ADMIN.to_owned());
        }
        roles.sort();
        roles.dedup();
        let row = AccountRow {
            name: name.to_owned(),
            password: password::digest(first.text())?,
            must_change: true,
            roles,
            created_at: now().to_string(),
            created_by: person(context),
            disabled_at: None,
            signed_in_at: None,
            failed: 0,
            closed_until: None,
        };
        let store = store(context, &state(context)?).await?;
        let created = async {
            let entry = audited(context, &store, "account.create", name, json!({"roles": row.roles})).await?;
            let is_new = store.accounts.create(&row).await.map_err(|error| Failure::from(error.diagnose()))?;
            let outcome = if is_new { "done" } else { "refused: there is one" };
            store.audit.end(entry, outcome).await.map_err(|error| Failure::from(error.diagnose()))?;
            if is_new {
                return Ok(());
            }
            let diagnostic = Diagnostic::error(code::ACCOUNT_EXISTS, format!("there is an account `{name}` already"));
            Err(Failure::from(
                diagnostic.help(format!("give it a new first password: landfall account password {name}")),
            ))
        };
        let created = created.await;
        store.close().await;
        created?;
        let of = if row.roles.is_empty() { "no role of its own".to_owned() } else { row.roles.join(", ") };
        let said = [
            format!("account {}: {of}", row.name),
            "the password is the first one: it has to be changed when somebody signs in with it".to_owned(),
        ];
        context.report(&Told { row: &row, first: Some(&first), said: &said }, Exit::Done, started);
        Ok(Exit::Done)
    }
}
