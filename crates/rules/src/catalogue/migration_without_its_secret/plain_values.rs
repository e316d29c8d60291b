//! A migration that is given in plain values what its program takes from a Secret.

use landfall_diag::Finding;

use super::{Placed, RULE, called, from_keys, is_before_others, is_named, is_server, is_with, migrates};
use crate::decoded::text_of;
use crate::subject::Subject;

/// So many variables of one Secret are given in plain values.
const SEVERAL: usize = 2;

/// A variable of a container that comes from a Secret.
struct Taken<'s> {
    name: &'s str,
    secret: &'s str,
    key: &'s str,
}

/// Migrations that have a password in plain, and the Secrets that their programs take it from.
pub(super) fn in_plain_values(subject: &Subject<'_>, all: &[Placed<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in all.iter().filter(|it| is_before_others(it) && migrates(&it.container, it.desired)) {
        let servers = all.iter().filter(|it| is_server(it) && is_with(it, one));
        let mut told = servers.flat_map(|server| {
            let taken = from_keys(server.container.value).filter_map(|(name, from)| {
                Some(Taken { name, secret: from["name"].as_str()?, key: from["key"].as_str()? })
            });
            let taken: Vec<Taken<'_>> = taken.collect();
            given_in_plain(subject, one, &taken).map(|(name, secret)| (server, name, secret))
        });
        let Some((server, name, secret)) = told.next() else { continue };
        findings.push(
            RULE.finding(format!(
                "{} migrates with a `{name}` that stands in plain, and its program takes it from Secret `{secret}`",
                called(one)
            ))
            .because(format!("{} is given another one than the migration", called(server)))
            .help(format!("take what is in Secret `{secret}` from there, in both of them"))
            .at(one.desired.spot_at(&one.container.path)),
        );
    }
    findings
}

/// The password that a migration has in plain, and the Secret of its program that has it otherwise, with more of its variables.
fn given_in_plain<'s>(subject: &Subject<'_>, one: &Placed<'_>, taken: &[Taken<'s>]) -> Option<(&'s str, &'s str)> {
    let plain = |name: &str| {
        let mut all = one.container.env().filter(|(_, own, _)| *own == name);
        all.find_map(|(_, _, variable)| variable["value"].as_str())
    };
    let is_of_it = |it: &&Taken<'_>, secret: &str| it.secret == secret && plain(it.name).is_some();
    let told = taken.iter().filter(|it| is_password(it.name)).find(|it| {
        // What stands for another variable is filled in when it starts.
        let Some(value) = plain(it.name).filter(|value| !value.contains("$(")) else { return false };
        let count = taken.iter().filter(|other| is_of_it(other, it.secret)).count();
        let delivered = subject.desired("", "Secret", one.desired.object.namespace(), it.secret);
        let is_same = delivered.and_then(|secret| text_of(&secret.object, it.key)).is_some_and(|text| text == value);
        count >= SEVERAL && !is_same && !is_named(one, "Secret", it.secret)
    });
    told.map(|it| (it.name, it.secret))
}

/// Whether a variable is called as a password is: `DB_PASSWORD`, `PGPASSWORD`.
fn is_password(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["PASSWORD", "PASSWD", "_PASS", "_PWD"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_the_end_of_its_name() {
        for name in ["DB_PASSWORD", "PGPASSWORD", "db_passwd", "MAIL_PASS"] {
            assert!(is_password(name), "{name}");
        }
        for name in ["DB_PASSWORD_FILE", "BYPASS", "DB_USER", "PWD"] {
            assert!(!is_password(name), "{name}");
        }
    }
}
