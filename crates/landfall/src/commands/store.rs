//! The store of the server that works here, as verbs open it that change what the server goes by: accounts, tokens, hooks.

use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::{Failure, StateDir};
use landfall_store::{AuditEntry, Location, Store};
use serde_json::Value;

use crate::context::Context;

/// The store of the server that works here.
pub(crate) async fn store(state: &StateDir) -> Result<Store, Failure> {
    state.create().map_err(Failure::from)?;
    Store::open(Location::File(state.file("store.db"))).await.map_err(|error| Failure::from(error.diagnose()))
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
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Second).unwrap_or(now)
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
