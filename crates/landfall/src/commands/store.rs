//! The store of the server that works here, as verbs open it that change what the server goes by: accounts, tokens, hooks.

use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::{Failure, StateDir};
use landfall_store::{AuditEntry, BadDatabaseAddress, DatabaseAddress, Location, Store};
use serde_json::Value;

use crate::context::Context;

/// The database that replicas of the server share.
pub(crate) const DATABASE: &str = "LANDFALL_DATABASE";

/// The store of the server that works here, or of the replicas that share a database.
pub(crate) async fn store(context: &Context, state: &StateDir) -> Result<Store, Failure> {
    if let Some(url) = context.host.env.get(DATABASE).filter(|url| !url.is_empty()) {
        let address = read_database(url)?;
        return Store::open_database(&address).await.map_err(|error| Failure::from(error.diagnose()));
    }
    state.create().map_err(Failure::from)?;
    Store::open(Location::File(state.file("store.db"))).await.map_err(|error| Failure::from(error.diagnose()))
}

/// Whether there is one.
pub(crate) fn has_store(context: &Context, state: &StateDir) -> bool {
    context.host.env.get(DATABASE).is_some_and(|url| !url.is_empty()) || state.file("store.db").exists()
}

/// The database of an address.
pub(crate) fn read_database(url: &str) -> Result<DatabaseAddress, Failure> {
    url.parse().map_err(|bad: BadDatabaseAddress| {
        Failure::usage(Diagnostic::error(code::BAD_DATABASE, bad.to_string()).note("nothing was changed"))
    })
}

/// The state directory of the server that works here: of the working directory's system, or the one that `--state` names.
pub(crate) fn state(context: &Context) -> Result<StateDir, Failure> {
    context.host.state_here()
}

/// Who works here.
pub(crate) fn person(context: &Context) -> String {
    context.host.env.get("USER").filter(|name| !name.is_empty()).unwrap_or("local").to_owned()
}

pub(crate) fn now() -> jiff::Timestamp {
    landfall_object::whole_second(jiff::Timestamp::now())
}

/// Writes into the audit log what is about to be done.
pub(crate) async fn audited(
    context: &Context,
    store: &Store,
    action: &str,
    target: &str,
    detail: Value,
) -> Result<i64, Failure> {
    let (at, actor) = (now().to_string(), person(context));
    let entry = AuditEntry { at, actor, action: action.to_owned(), target: target.to_owned(), detail };
    store.audit.begin(&entry).await.map_err(|error| {
        Failure::from(
            Diagnostic::error(code::UNAUDITED, "the audit log cannot be written; nothing was changed")
                .note(error.to_string()),
        )
    })
}
