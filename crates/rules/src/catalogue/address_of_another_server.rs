mod slip;
mod tls_to_plain;

use landfall_diag::{Finding, Severity};

use self::slip::slips;
use self::tls_to_plain::tls_to_plain;
use crate::decoded::texts;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF364",
    title: "an address has one scheme, that of the server that its variable is called after",
    severity: Severity::Warning,
    why: "`POSTGRES_URL` that begins with `mongodb://` was copied from another chart: the program speaks one protocol, reads the \
          other's scheme, and ends when it starts. `http-internal://` is nobody's scheme, `https://https://` has a host \
          that is called `https`, and at a port of plain HTTP nobody answers `https://`.",
    advice: "Write the scheme of the server that the variable is for, once.",
    check,
};

/// Servers, by the words that variables are called after them, and by the schemes of their addresses.
const SERVERS: &[(&str, &[&str], &[&str])] = &[
    ("PostgreSQL", &["POSTGRES", "POSTGRESQL", "PGSQL"], &["postgres", "postgresql", "pgsql", "jdbc:postgresql"]),
    ("MySQL", &["MYSQL", "MARIADB"], &["mysql", "mysql2", "mariadb", "jdbc:mysql", "jdbc:mariadb"]),
    ("MongoDB", &["MONGO", "MONGODB"], &["mongodb", "mongodb+srv"]),
    ("Redis", &["REDIS", "VALKEY"], &["redis", "rediss", "valkey"]),
    ("AMQP", &["AMQP", "RABBITMQ"], &["amqp", "amqps"]),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            for (at, name, variable) in container.env() {
                let field = format!("{}.env[{at}].value", container.path);
                findings.extend(variable["value"].as_str().and_then(|value| told(desired, name, value, &field)));
            }
        }
    }
    for desired in subject.objects().filter(|it| matches!(it.object.kind(), "ConfigMap" | "Secret")) {
        let data = texts(&desired.object);
        findings.extend(data.iter().filter_map(|(key, text, field)| told(desired, key, text, field)));
    }
    findings.extend(subject.objects().flat_map(slips));
    findings.extend(tls_to_plain(subject));
    findings
}

/// An address of which nothing is left: `:`, `://`, `@:`.
fn is_empty_address(value: &str) -> bool {
    let value = value.trim();
    value.contains(':') && value.bytes().all(|it| matches!(it, b':' | b'/' | b'@'))
}

/// Whether a name is that of a sign which stands between others.
fn is_separator(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["sep", "delim", "prefix", "suffix", "split", "char", "join", "ifs"].iter().any(|it| name.contains(it))
}

fn told(desired: &Desired, name: &str, value: &str, field: &str) -> Option<Finding> {
    if is_empty_address(value) && !is_separator(name) {
        return Some(
            RULE.finding(format!("`{name}` is `{}`, an address without host and port", value.trim()))
                .keyed(format!("{name} empty"))
                .because("what it is put together from is empty, and the program that reads it finds no server")
                .help("set host and port, or leave the variable out where there are none")
                .at(desired.spot_at(field)),
        );
    }
    let (scheme, _) = value.trim().split_once("://")?;
    let upper = name.to_ascii_uppercase();
    let is_called_after =
        |words: &[&str]| upper.split(|it: char| !it.is_ascii_alphanumeric()).any(|it| words.contains(&it));
    let mut called_after = SERVERS.iter().filter(|(_, words, _)| is_called_after(words));
    let (server, _, own) = called_after.next()?;
    let (other, _, _) = SERVERS.iter().find(|(_, _, schemes)| schemes.contains(&scheme))?;
    // What is called after two of them is of either.
    (called_after.next().is_none() && !own.contains(&scheme)).then(|| {
        RULE.finding(format!("`{name}` is called after {server}, and has an address of {other} (`{scheme}://`)"))
            .keyed(format!("{name} {scheme}"))
            .because("the program that reads it speaks the other protocol")
            .help(format!("did you mean `{}://`?", own[0]))
            .at(desired.spot_at(field))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_which_nothing_is_left_is_told_and_a_sign_is_not() {
        for empty in [":", "://", " : ", "@:"] {
            assert!(is_empty_address(empty), "{empty}");
        }
        for well in ["", "/", "a:", ":8080", "@", "//"] {
            assert!(!is_empty_address(well), "{well}");
        }
        assert!(is_separator("PATH_SEPARATOR") && !is_separator("MEMCACHE_SERVER"));
    }
}
