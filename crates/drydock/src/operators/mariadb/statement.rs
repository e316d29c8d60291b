//! Databases, users and grants: statements that the operator runs on a server once it is ready.

use landfall_apiserver::Status;
use serde_json::Value;

use super::{MARIADB_DATABASE, MARIADB_GRANT, MARIADB_USER, Verdict, secret_key, server_of, write_status};
use crate::controllers::desk::{Desk, EventType, Found, Outcome};
use crate::controllers::fields::{
    add_finalizer, deleting, has_finalizer, is_true, list, name, namespace, remove_finalizer, text,
};
use crate::controllers::kind::Kind;

/// One kind of statement.
pub(super) struct Statement {
    kind: Kind,
    finalizer: &'static str,
    /// Why it cannot be carried out, in the operator's words.
    obstacle: fn(&Desk<'_>, &Value) -> Option<String>,
    /// What is lost with it.
    undone: fn(&Value) -> String,
}

pub(super) const DATABASE: Statement = Statement {
    kind: MARIADB_DATABASE,
    finalizer: "database.k8s.mariadb.com/finalizer",
    obstacle: |_, _| None,
    undone: |database| format!("database {} dropped with all its tables", named(database)),
};

pub(super) const USER: Statement = Statement {
    kind: MARIADB_USER,
    finalizer: "user.k8s.mariadb.com/finalizer",
    obstacle: no_password,
    undone: |user| format!("user {} dropped", account(named(user), user)),
};

pub(super) const GRANT: Statement = Statement {
    kind: MARIADB_GRANT,
    finalizer: "grant.k8s.mariadb.com/finalizer",
    obstacle: no_user,
    undone: |grant| format!("privileges of {} revoked", account(text(grant, "/spec/username"), grant)),
};

/// Brings one statement up to date.
pub(super) fn reconcile(
    desk: &mut Desk<'_>,
    statement: &Statement,
    within: &str,
    name_: &str,
) -> Result<Outcome, Status> {
    let Some(object) = desk.get(&statement.kind, within, name_) else { return Ok(Outcome::done()) };
    if deleting(&object) {
        return finalize(desk, statement, &object);
    }
    let Some(server) = server_of(desk, &object) else {
        let verdict = Verdict::failed("MariaDB not found");
        return write_status(desk, &statement.kind, &object, &verdict, |_| {}).map(|()| Outcome::done());
    };
    if !is_true(&server, "Ready") {
        // The operator waits without a word.
        return Ok(Outcome::done());
    }
    if let Some(why) = (statement.obstacle)(desk, &object) {
        let verdict = Verdict::failed(format!("Error creating {name_}: {why}"));
        return write_status(desk, &statement.kind, &object, &verdict, |_| {}).map(|()| Outcome::done());
    }
    let mut marked = object.value().clone();
    let object =
        if add_finalizer(&mut marked, statement.finalizer) { desk.update(&statement.kind, marked)? } else { object };
    let verdict = Verdict { status: "True", reason: "Created", message: "Created".to_owned() };
    write_status(desk, &statement.kind, &object, &verdict, |status| {
        if let Some(privileges) = object.pointer("/spec/privileges") {
            status["currentPrivileges"] = privileges.clone();
        }
    })?;
    Ok(Outcome::done())
}

/// Undoes the statement unless it is to be kept or its server is gone, and lets the object go.
fn finalize(desk: &mut Desk<'_>, statement: &Statement, object: &Found) -> Result<Outcome, Status> {
    if !has_finalizer(object, statement.finalizer) {
        return Ok(Outcome::done());
    }
    if let Some(server) = server_of(desk, object).filter(|server| !deleting(server)) {
        if !is_true(&server, "Ready") {
            return Ok(Outcome::done());
        }
        if text(object, "/spec/cleanupPolicy") != "Skip" {
            // The operator says nothing here; somebody who tries a change out wants to know.
            let message = format!("{} (simulated)", (statement.undone)(object));
            desk.event(object, EventType::Normal, "CleanedUp", &message);
        }
    }
    let mut freed = object.value().clone();
    if remove_finalizer(&mut freed, statement.finalizer) {
        desk.update(&statement.kind, freed)?;
    }
    Ok(Outcome::done())
}

/// The name within the server: `spec.name`, else the object's.
fn named(object: &Value) -> &str {
    let written = text(object, "/spec/name");
    if written.is_empty() { name(object) } else { written }
}

fn host(object: &Value) -> &str {
    let written = text(object, "/spec/host");
    if written.is_empty() { "%" } else { written }
}

fn account(user: &str, object: &Value) -> String {
    format!("'{user}'@'{}'", host(object))
}

fn no_password(desk: &Desk<'_>, user: &Value) -> Option<String> {
    let within = namespace(user);
    let reference = |field: &str| user.pointer(&format!("/spec/{field}"));
    let (reference, what) = if let Some(plugin) = reference("passwordPlugin/pluginNameSecretKeyRef") {
        (plugin, "user password via secret")
    } else if let Some(hash) = reference("passwordHashSecretKeyRef") {
        (hash, "user password hash secret")
    } else {
        (reference("passwordSecretKeyRef")?, "user password secret")
    };
    secret_key(desk, within, reference).err().map(|why| format!("error reading {what}: {why}"))
}

/// A server that knows no such user refuses the grant; it knows root and those that ready `User`s made.
fn no_user(desk: &Desk<'_>, grant: &Value) -> Option<String> {
    if list(grant, "/spec/privileges").is_empty() {
        return Some("error granting privileges in MariaDB: no privileges".to_owned());
    }
    let (user, server) = (text(grant, "/spec/username"), server_of(desk, grant)?);
    let known = user == "root"
        || desk.list(&MARIADB_USER, "").iter().any(|made| {
            named(made) == user
                && host(made) == host(grant)
                && is_true(made, "Ready")
                && !deleting(made)
                && server_of(desk, made).is_some_and(|on| on.uid() == server.uid())
        });
    (!known).then(|| {
        "error granting privileges in MariaDB: Error 1133 (28000): Can't find any matching row in the user table"
            .to_owned()
    })
}
