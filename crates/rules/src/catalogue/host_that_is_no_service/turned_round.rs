//! Names of Services in which `svc` stands in front of the namespace.

use landfall_diag::Finding;

use super::RULE;
use crate::catalogue::value_printed_raw::visit;
use crate::subject::{Desired, Role, Subject};

/// A name in which the namespace and `svc` have changed places.
#[derive(Debug, PartialEq, Eq)]
struct TurnedRound<'t> {
    host: &'t str,
    /// What stands in front: the Service, and one of its pods ahead of it.
    ahead: &'t str,
    namespace: &'t str,
}

/// The first such name of each Service that an object spells out, wherever that is.
pub(super) fn turned_round(subject: &Subject<'_>, desired: &Desired) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    if desired.role == Role::Definition {
        return findings;
    }
    let mut told: Vec<String> = Vec::new();
    visit(desired.object.value(), String::new(), &mut |path, text| {
        for TurnedRound { host, ahead, namespace } in hosts(text) {
            let service = ahead.rsplit('.').next().unwrap_or_default();
            let id = format!("{service}.{namespace}");
            // With a cluster's own domain it may be right: `web.shop.svc.eu.cluster.local`.
            let may_be_right = ahead.contains('.') && is_delivered_into(subject, service);
            if told.contains(&id) || may_be_right || !is_delivered_into(subject, namespace) {
                continue;
            }
            findings.push(
                RULE.finding(format!("`{host}` has `svc` in front of the namespace `{namespace}`"))
                    .keyed(id.clone())
                    .because("no name server knows such a name, and whoever calls it is refused")
                    .help(format!("write `{ahead}.{namespace}.svc.cluster.local`"))
                    .at(desired.spot_at(path)),
            );
            told.push(id);
        }
    });
    findings
}

/// The names of a text that are turned round: `db.svc.shop.cluster.local`, and `db-0.db.svc.shop.cluster.local`.
fn hosts(text: &str) -> Vec<TurnedRound<'_>> {
    if !text.contains(".svc.") {
        return Vec::new();
    }
    let is_edge = |it: char| !it.is_ascii_lowercase() && !it.is_ascii_digit() && it != '-' && it != '.';
    text.split(is_edge).filter_map(host).collect()
}

fn host(word: &str) -> Option<TurnedRound<'_>> {
    let host = word.trim_matches('.');
    let (ahead, behind) = host.split_once(".svc.")?;
    let namespace = behind.strip_suffix(".cluster.local")?;
    let is_one = !namespace.is_empty() && !namespace.contains('.') && namespace != "svc";
    let steps = ahead.split('.').filter(|it| !it.is_empty()).count();
    (is_one && matches!(steps, 1 | 2)).then_some(TurnedRound { host, ahead, namespace })
}

/// Whether anything is delivered into a namespace, or it is delivered itself.
fn is_delivered_into(subject: &Subject<'_>, namespace: &str) -> bool {
    subject.units.iter().any(|unit| unit.namespace == namespace)
        || subject.objects().any(|it| it.object.namespace() == Some(namespace))
        || subject.of_kind("", "Namespace").any(|it| it.object.name() == namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_the_namespace_behind_svc_are_told_from_those_with_it_in_front() {
        let of =
            |text: &str| hosts(text).into_iter().map(|it| format!("{} {}", it.ahead, it.namespace)).collect::<Vec<_>>();
        assert_eq!(of("db.svc.shop.cluster.local"), ["db shop"]);
        assert_eq!(of("a: [\"http://db-0.db.svc.shop.cluster.local:80/x\"]"), ["db-0.db shop"]);
        for text in [
            "db.shop.svc.cluster.local",
            "db-0.db.shop.svc.cluster.local",
            "shop.svc.cluster.local",
            "db.svc.shop",
            "a.b.c.svc.shop.cluster.local",
            "db.svc.eu.shop.cluster.local",
            "db.svc.shop.example.com",
        ] {
            assert_eq!(of(text), [""; 0], "{text}");
        }
    }
}
