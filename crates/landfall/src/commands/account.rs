//! `landfall account …`: accounts of the server's own. They lie in the state directory of the server, their passwords as slow
//! digests.

mod create;
mod disable;
mod enable;
mod list;
mod password;

use std::io::Read as _;

use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::Failure;
use landfall_server::accounts::password as passwords;
use landfall_store::{AccountRow, Store};
use serde_json::{Value, json};

use super::store::{has_store, state, store};
use crate::context::Context;
use crate::report::Report;
use crate::ui::Ui;
use crate::verb::verbs;

verbs! {
    /// `landfall account …`
    pub(crate) enum AccountCommand {
        /// Make an account; its first password is shown once and has to be changed
        #[command(
            before_help = "Examples:\n  landfall account create sebastian --role role:owner\n  landfall account create admin        may do everything; its sign-in is announced"
        )]
        Create(create::AccountCreateArgs),
        /// List the accounts: what they are, who signed in when, which take no tries now
        #[command(before_help = "Examples:\n  landfall account list")]
        List(list::AccountListArgs),
        /// Disable an account; whoever is signed in with it is signed out
        #[command(before_help = "Examples:\n  landfall account disable sebastian")]
        Disable(disable::AccountDisableArgs),
        /// Open a disabled account again
        #[command(before_help = "Examples:\n  landfall account enable sebastian")]
        Enable(enable::AccountEnableArgs),
        /// Give an account a new first password; whoever is signed in with it is signed out
        #[command(
            before_help = "Examples:\n  landfall account password sebastian\n  pass show landfall | landfall account password sebastian --stdin"
        )]
        Password(password::AccountPasswordArgs),
    }
}

/// Longest password that is read, in bytes.
const LONGEST: u64 = 4096;

/// A first password: made here, or the one line that stands on standard input.
enum First {
    Made(String),
    Given(String),
}

impl First {
    /// It, as somebody wants it.
    fn of(account: &str, given: Given) -> Result<Self, Failure> {
        match given {
            Given::Nothing => Ok(First::Made(passwords::random()?)),
            Given::OnInput => {
                let mut text = String::new();
                let read = std::io::stdin().lock().take(LONGEST).read_to_string(&mut text);
                read.map_err(|error| {
                    Failure::usage(
                        Diagnostic::error(code::BAD_ARGUMENTS, "the password on standard input cannot be read")
                            .note(error.to_string()),
                    )
                })?;
                let line = text.lines().next().unwrap_or_default().to_owned();
                passwords::acceptable(account, &line).map_err(Failure::usage)?;
                Ok(First::Given(line))
            }
        }
    }

    fn text(&self) -> &str {
        match self {
            First::Made(text) | First::Given(text) => text,
        }
    }

    /// What is shown of it: only what nobody else knows yet.
    fn shown(&self) -> Option<&str> {
        match self {
            First::Made(text) => Some(text),
            First::Given(_) => None,
        }
    }
}

/// Where a first password comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Nothing,
    OnInput,
}

impl Given {
    fn of(stdin: bool) -> Self {
        if stdin { Given::OnInput } else { Given::Nothing }
    }
}

/// What has become of an account: as it is listed, its first password where there is a new one, and what that means.
struct Told<'a> {
    row: &'a AccountRow,
    first: Option<&'a First>,
    said: &'a [String],
}

impl Report for Told<'_> {
    const KIND: &'static str = "Account";

    fn data(&self) -> Value {
        let mut data = list::data(self.row);
        if let Some(password) = self.first.and_then(First::shown) {
            data["password"] = json!(password);
        }
        data
    }

    fn names(&self, ui: &Ui) {
        ui.name(self.first.and_then(First::shown).unwrap_or(&self.row.name));
    }

    fn text(&self, ui: &Ui) {
        if let Some(password) = self.first.and_then(First::shown) {
            ui.name(password);
        }
        // A password stands alone on standard output, so that it can be handed on.
        for line in self.said {
            if self.first.is_some() { ui.status(line) } else { ui.line(line) }
        }
    }
}

/// Has an account of the server's own store changed, where there is one of that name.
async fn changed<T>(
    context: &Context,
    name: &str,
    change: impl AsyncFnOnce(&Store, AccountRow) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let state = state(context)?;
    if !has_store(context, &state) {
        return Err(none(name, &[]));
    }
    let store = store(context, &state).await?;
    let changed = async { change(&store, found(&store, name).await?).await }.await;
    store.close().await;
    changed
}

/// An account of a name; or which there are.
async fn found(store: &Store, name: &str) -> Result<AccountRow, Failure> {
    let all = store.accounts.all().await.map_err(|error| Failure::from(error.diagnose()))?;
    if let Some(row) = all.iter().find(|row| row.name == name) {
        return Ok(row.clone());
    }
    Err(none(name, &all))
}

fn none(name: &str, all: &[AccountRow]) -> Failure {
    let names = || all.iter().map(|row| row.name.as_str());
    let diagnostic = Diagnostic::error(code::NO_SUCH_ACCOUNT, format!("there is no account `{name}`"));
    let diagnostic = diagnostic.listing("there are", names());
    Failure::from(match landfall_diag::nearest(name, names()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("landfall account create {name}")),
    })
}
