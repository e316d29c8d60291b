//! mariadb-operator, simulated: servers become stateful sets, databases, users and grants get ready in their order.
//!
//! ```text
//! MariaDB ──► Secret, Service, StatefulSet ──► Ready ◄── Database
//!                                               ▲  ◄── User ◄── Secret key
//!                                               └───── Grant ◄── the User it names
//! ```
//!
//! No SQL runs. What a server would hold is what the objects that are Ready say, and no more: a grant to a user whom
//! no `User` made fails as on a server that does not know them.

mod server;
mod statement;

use landfall_apiserver::{ObjectRef, Status};
use serde_json::{Value, json};

use crate::controllers::conditions::{self, Condition};
use crate::controllers::desk::{Agent, Desk, Found, Outcome};
use crate::controllers::fields::{namespace, text};
use crate::controllers::kind::{Kind, SECRET, kinds};
use crate::operators::{DEFINITIONS, Twin, Wake, Within};

kinds! {
    MARIADB = "k8s.mariadb.com" "v1alpha1" "MariaDB" "mariadbs.k8s.mariadb.com" namespaced;
    MARIADB_DATABASE = "k8s.mariadb.com" "v1alpha1" "Database" "databases.k8s.mariadb.com" namespaced;
    MARIADB_USER = "k8s.mariadb.com" "v1alpha1" "User" "users.k8s.mariadb.com" namespaced;
    MARIADB_GRANT = "k8s.mariadb.com" "v1alpha1" "Grant" "grants.k8s.mariadb.com" namespaced;
}

/// mariadb-operator.
pub(crate) const TWIN: Twin = Twin {
    name: "mariadb-operator",
    agent: Agent::Operator("mariadb-operator-simulated"),
    kinds: &[MARIADB, MARIADB_DATABASE, MARIADB_USER, MARIADB_GRANT],
    leases: &["mariadb-operator.mmontes.io", "mariadb.mmontes.io"],
    queue: &[MARIADB, MARIADB_DATABASE, MARIADB_USER, MARIADB_GRANT],
    wakes: &[
        Wake { after: &["secrets"], queue: &[MARIADB, MARIADB_USER], within: Within::Namespace },
        // Whatever waits for a server or a user may stand in another namespace.
        Wake {
            after: &[MARIADB.id],
            queue: &[MARIADB_DATABASE, MARIADB_USER, MARIADB_GRANT],
            within: Within::Everywhere,
        },
        Wake { after: &[MARIADB_USER.id], queue: &[MARIADB_GRANT], within: Within::Everywhere },
        Wake { after: &[MARIADB_USER.id], queue: &[MARIADB], within: Within::Namespace },
        Wake {
            after: &[DEFINITIONS],
            queue: &[MARIADB, MARIADB_DATABASE, MARIADB_USER, MARIADB_GRANT],
            within: Within::Everywhere,
        },
    ],
    reconcile,
};

/// Looks at a server, a database, a user or a grant.
fn reconcile(desk: &mut Desk<'_>, object: &ObjectRef) -> Result<Outcome, Status> {
    let (within, name) = (object.namespace.as_str(), object.name.as_str());
    match &*object.resource {
        id if id == MARIADB.id => server::reconcile(desk, within, name),
        id if id == MARIADB_DATABASE.id => statement::reconcile(desk, &statement::DATABASE, within, name),
        id if id == MARIADB_USER.id => statement::reconcile(desk, &statement::USER, within, name),
        id if id == MARIADB_GRANT.id => statement::reconcile(desk, &statement::GRANT, within, name),
        _ => Ok(Outcome::done()),
    }
}

/// Whether an object is ready, with the operator's reason and words.
struct Verdict {
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Verdict {
    fn failed(message: impl Into<String>) -> Self {
        Self { status: "False", reason: "Failed", message: message.into() }
    }
}

/// Writes `Ready` and whatever else belongs to the status; nothing when nothing changed.
fn write_status(
    desk: &mut Desk<'_>,
    kind: &Kind,
    object: &Found,
    verdict: &Verdict,
    more: impl FnOnce(&mut Value),
) -> Result<(), Status> {
    let mut status = object.get("status").cloned().unwrap_or_else(|| json!({}));
    let ready = Condition { kind: "Ready", status: verdict.status, reason: verdict.reason, message: &verdict.message };
    conditions::set(&mut status, &ready, desk.now());
    more(&mut status);
    if object.get("status") != Some(&status) {
        let mut changed = object.value().clone();
        changed["status"] = status;
        desk.update_status(kind, changed)?;
    }
    Ok(())
}

/// The value of a secret's key, in base64; otherwise why it cannot be read, in the operator's words.
fn secret_key(desk: &Desk<'_>, within: &str, reference: &Value) -> Result<Value, String> {
    let (name, key) = (text(reference, "/name"), text(reference, "/key"));
    let Some(secret) = desk.get(&SECRET, within, name) else { return Err(format!("Secret \"{name}\" not found")) };
    let value = secret.get("data").and_then(|data| data.get(key)).cloned();
    value.ok_or_else(|| format!("secret key \"{key}\" not found"))
}

/// The server that a database, user or grant names.
fn server_of(desk: &Desk<'_>, object: &Value) -> Option<Found> {
    let written = text(object, "/spec/mariaDbRef/namespace");
    let within = if written.is_empty() { namespace(object) } else { written };
    desk.get(&MARIADB, within, text(object, "/spec/mariaDbRef/name"))
}
