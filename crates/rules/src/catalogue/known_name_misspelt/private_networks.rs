//! Lists of the private networks, in which one of the three is not whole.

use landfall_diag::Finding;

use super::super::value_printed_raw::visit;
use super::RULE;
use crate::subject::{Desired, Role};

/// The private networks, and how the addresses in each begin.
// ORIGIN: RFC 1918, section 3.
const PRIVATE: &[(&str, &str)] = &[("10.0.0.0/8", "10."), ("172.16.0.0/12", "172."), ("192.168.0.0/16", "192.168.")];

/// Two of the private networks as they are, and the third by another length beside them.
pub(super) fn private_networks(desired: &Desired) -> Vec<Finding> {
    if desired.role == Role::Definition {
        return Vec::new();
    }
    let (kind, name) = (desired.object.kind(), desired.object.name());
    let mut findings = Vec::new();
    for list in lists(desired) {
        let whole = list.iter().map(|(_, text)| *text).collect::<Vec<_>>().join("\n");
        let Some((written, meant)) = cut_short(&whole) else { continue };
        let place = list.iter().find(|(_, text)| text.contains(written)).or(list.first());
        let field = place.map_or("", |(path, _)| path.as_str());
        findings.push(
            RULE.finding(format!("{kind} `{name}` lists the private networks with `{written}` for `{meant}`"))
                .because(if is_shorter(written, meant) {
                    "addresses of others are taken for private ones"
                } else {
                    "the other private addresses of that network are taken for strangers'"
                })
                .help(format!("write `{meant}`"))
                .at(desired.spot_at(field)),
        );
    }
    findings
}

/// The texts of an object in which a private network begins, each with its field; those that follow each other in a list
/// are together.
fn lists(desired: &Desired) -> Vec<Vec<(String, &str)>> {
    let mut found: Vec<Vec<(String, &str)>> = Vec::new();
    visit(desired.object.value(), String::new(), &mut |path, text| {
        if !PRIVATE.iter().any(|(_, begin)| text.contains(begin) && text.contains('/')) {
            return;
        }
        let own = item(path);
        let before = found.last_mut().filter(|list| {
            let last = list.last().and_then(|(path, _)| item(path));
            last.zip(own).is_some_and(|(last, own)| last.0 == own.0 && last.1 + 1 == own.1)
        });
        match before {
            Some(list) => list.push((path.to_owned(), text)),
            None => found.push(vec![(path.to_owned(), text)]),
        }
    });
    found
}

/// The list that a path's last step is an item of, and which one: `spec.from[2]`.
fn item(path: &str) -> Option<(&str, usize)> {
    let (list, at) = path.strip_suffix(']')?.rsplit_once('[')?;
    Some((list, at.parse().ok()?))
}

/// The network that is written for a private one, and the private one, where the other two stand beside it.
fn cut_short(text: &str) -> Option<(&str, &'static str)> {
    let mut run: Vec<&str> = Vec::new();
    for word in text.split(|it: char| it.is_whitespace() || ",;".contains(it)).map(bare).filter(|it| !it.is_empty()) {
        // `networks=10.0.0.0/8` begins a list.
        let network = word.rsplit('=').next().unwrap_or(word);
        if network.len() != word.len() || !is_network(network) {
            if let Some(found) = of_run(&run) {
                return Some(found);
            }
            run.clear();
        }
        if is_network(network) {
            run.push(network);
        }
    }
    of_run(&run)
}

/// A word without quotes, brackets and the dash of an item.
fn bare(word: &str) -> &str {
    word.trim_matches(|it: char| "\"'[](){}-".contains(it))
}

/// Whether a word may be an address or a network.
fn is_network(word: &str) -> bool {
    word.bytes().all(|it| it.is_ascii_hexdigit() || b".:/".contains(&it)) && (word.contains('.') || word.contains("::"))
}

fn of_run<'t>(run: &[&'t str]) -> Option<(&'t str, &'static str)> {
    let missing: Vec<(&'static str, &'static str)> =
        PRIVATE.iter().filter(|(whole, _)| !run.contains(whole)).copied().collect();
    let [(meant, begin)] = missing.as_slice() else { return None };
    // What lists the network by its parts means them.
    let mut alike = run.iter().copied().filter(|it| it.starts_with(*begin));
    let (written, None) = (alike.next()?, alike.next()) else { return None };
    let (address, length) = written.split_once('/')?;
    (meant.split('/').next() == Some(address) && !length.is_empty()).then_some((written, *meant))
}

/// Whether a network is larger than another one.
fn is_shorter(one: &str, other: &str) -> bool {
    let length = |network: &str| network.split('/').nth(1).and_then(|it| it.parse::<u8>().ok());
    length(one).zip(length(other)).is_some_and(|(one, other)| one < other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_network_is_held_against_the_two_beside_it() {
        for (text, written) in [
            ("10.0.0.0/8 192.168.0.0/16 172.16.0.0/16", "172.16.0.0/16"),
            ("a: x\ntrusted:\n  - \"172.16.0.0/12\"\n  - 10.0.0.0/16\n  - 192.168.0.0/16\n", "10.0.0.0/16"),
            ("NETWORKS=127.0.0.1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/24,fd00::/8", "192.168.0.0/24"),
            ("[\"10.0.0.0/8\",\"192.168.0.0/16\",\"172.16.0.0/16\"]", "172.16.0.0/16"),
        ] {
            assert_eq!(cut_short(text).map(|it| it.0), Some(written), "{text}");
        }
        for fine in [
            "10.0.0.0/8 192.168.0.0/16 172.16.0.0/12",
            "172.16.0.0/16",
            "10.0.0.0/8 172.16.0.0/16",
            "10.0.0.0/8 192.168.0.0/16 172.16.0.0/16 172.17.0.0/16",
            "10.0.0.0/8 192.168.0.0/16 172.16.0.1",
            "pods: 10.0.0.0/8\nservices: 172.16.0.0/16\nnodes: 192.168.0.0/16\n",
            "",
        ] {
            assert_eq!(cut_short(fine), None, "{fine}");
        }
        assert!(is_shorter("172.16.0.0/8", "172.16.0.0/12"));
    }
}
