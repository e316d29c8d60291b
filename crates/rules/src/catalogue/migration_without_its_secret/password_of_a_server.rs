//! The password of a server that two containers of one image are told of by the same ConfigMap, and that one of them lacks.

use std::collections::BTreeSet;

use landfall_diag::Finding;
use landfall_object::Object;
use landfall_object::references::references;
use serde_json::Value;

use super::{Placed, RULE, called, from_keys, is_before_others, is_server, migrates};
use crate::subject::{Role, Subject};

/// What the variable of a secret ends with.
const SECRETS: &[&str] = &["PASSWORD", "SECRET", "TOKEN", "KEY"];

/// What the variables end with that tell of a server: where it is, and as whom it is opened.
const MATES: &[&str] = &["HOST", "USER", "NAME", "URL"];

/// A variable of a container that comes from a Secret and that has a server's other settings for mates.
#[derive(Debug, PartialEq, Eq)]
struct Password<'s> {
    /// `DB_PASSWORD`.
    name: &'s str,
    /// What it has in common with its mates: `DB`.
    family: &'s str,
    secret: &'s str,
    key: &'s str,
}

/// Programs that are told of a server and not given its password, where one of the same image is.
pub(super) fn without_its_password(subject: &Subject<'_>, all: &[Placed<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in all.iter().filter(|it| opens_servers(it)) {
        let Some(own) = variables(subject, one) else { continue };
        let mut told = BTreeSet::new();
        for giver in all.iter().filter(|it| is_server(it) && is_alike(it, one)) {
            for password in passwords(giver.container.value) {
                let name = password.name;
                let is_there = own.contains(name) || own.contains(&format!("{name}_FILE"));
                if is_there || is_given_otherwise(one, &password) {
                    continue;
                }
                let Some(map) = common_map(subject, one, giver, password.family).filter(|_| told.insert(name)) else {
                    continue;
                };
                findings.push(
                    RULE.finding(format!(
                        "{} has no `{name}`, and ConfigMap `{map}` tells it of that server",
                        called(one)
                    ))
                    .because(format!(
                        "{} runs the same image with it, from Secret `{}`",
                        called(giver),
                        password.secret
                    ))
                    .help(format!("print `{name}` into the `env` of the container, too"))
                    .at(one.desired.spot_at(&one.container.path)),
                );
            }
        }
    }
    findings
}

/// Whether a container is a program that stays with its release, or migrates for one.
fn opens_servers(it: &Placed<'_>) -> bool {
    let migrates = || is_before_others(it) && migrates(&it.container, it.desired);
    it.desired.role == Role::Manifest && (is_server(it) || migrates())
}

/// Whether two run the very same image for one release.
fn is_alike(giver: &Placed<'_>, one: &Placed<'_>) -> bool {
    !one.container.image().is_empty()
        && giver.container.image() == one.container.image()
        && giver.desired.unit == one.desired.unit
        && giver.desired.object.namespace() == one.desired.object.namespace()
}

/// The names of a container's variables; none where what it takes as a whole is not delivered, so that they are not seen.
fn variables(subject: &Subject<'_>, one: &Placed<'_>) -> Option<BTreeSet<String>> {
    let mut names: BTreeSet<String> = one.container.env().map(|(_, name, _)| name.to_owned()).collect();
    for from in one.container.env_from() {
        let source = subject.desired("", from.kind, one.desired.object.namespace(), from.name)?;
        names.extend(keys(&source.object).map(|key| format!("{}{key}", from.prefix)));
    }
    Some(names)
}

/// The keys of a Secret or ConfigMap.
fn keys(object: &Object) -> impl Iterator<Item = &String> {
    let maps = ["/data", "/stringData", "/binaryData"].into_iter().filter_map(move |map| object.at(map)?.as_object());
    maps.flat_map(|map| map.keys())
}

/// The variables of a container that come from Secrets which have to be there, as far as they are passwords and the like.
fn passwords(container: &Value) -> Vec<Password<'_>> {
    let needed = from_keys(container).filter(|(_, from)| from["optional"] != true);
    let all = needed.filter_map(|(name, from)| {
        let (family, _) = name.rsplit_once('_').filter(|(_, word)| SECRETS.contains(word))?;
        Some(Password { name, family, secret: from["name"].as_str()?, key: from["key"].as_str()? })
    });
    all.collect()
}

/// What the variables end with that may have a password in them.
const WHOLE: &[&str] = &["URL", "URI", "DSN", "STRING"];

/// Whether a container has a password by another way: as a file, under another name, or within the address of the server.
fn is_given_otherwise(one: &Placed<'_>, password: &Password<'_>) -> bool {
    let is_mounted = || {
        let all = references(&one.desired.object);
        all.iter().any(|it| it.kind == "Secret" && it.name == password.secret && it.path.contains(".volumes["))
    };
    let is_given = |name: &str, from: &Value| {
        let is_same = from["name"] == password.secret && from["key"] == password.key;
        is_same || (name.starts_with(password.family) && WHOLE.iter().any(|end| name.ends_with(end)))
    };
    from_keys(one.container.value).any(|(name, from)| is_given(name, from)) || is_mounted()
}

/// The ConfigMap that both containers take as a whole, where it tells of the server of a password.
fn common_map<'s>(subject: &Subject<'_>, one: &Placed<'s>, giver: &Placed<'_>, family: &str) -> Option<&'s str> {
    let namespace = one.desired.object.namespace();
    one.container.env_from().filter(|it| it.kind == "ConfigMap").find_map(|it| {
        let is_common = |other: &str, prefix: &str| other == it.name && prefix == it.prefix;
        let mut taken = giver.container.env_from().filter(|other| other.kind == it.kind);
        if !taken.any(|other| is_common(other.name, other.prefix)) {
            return None;
        }
        let map = subject.desired("", it.kind, namespace, it.name)?;
        let is_mate = |key: &String| {
            let name = format!("{}{key}", it.prefix);
            let rest = name.strip_prefix(family).and_then(|rest| rest.strip_prefix('_'));
            rest.is_some_and(|word| MATES.contains(&word))
        };
        keys(&map.object).any(is_mate).then_some(it.name)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_password_is_a_variable_of_a_secret_that_has_to_be_there() {
        let from = |name: &str, optional: bool| {
            let from = json!({"name": "store", "key": "a", "optional": optional});
            json!({"name": name, "valueFrom": {"secretKeyRef": from}})
        };
        let all = [
            from("DB_PASSWORD", false),
            from("MAIN_DB_TOKEN", false),
            from("CACHE_PASSWORD", true),
            from("PASSWORD", false),
            from("DB_USER", false),
            json!({"name": "MAIL_PASSWORD", "value": "a"}),
        ];
        let container = json!({"env": all});
        let found: Vec<_> = passwords(&container).into_iter().map(|it| (it.name, it.family, it.secret)).collect();
        assert_eq!(found, [("DB_PASSWORD", "DB", "store"), ("MAIN_DB_TOKEN", "MAIN_DB", "store")]);
    }
}
