//! Schemes that are none, with a part of a name behind them, and two in front of one host.

use landfall_diag::Finding;

use super::RULE;
use crate::calls::{Said, said};
use crate::pods::pod_template;
use crate::subject::Desired;

/// Schemes behind which a dash begins a name.
const SCHEMES: &[&str] = &[
    "http",
    "https",
    "tcp",
    "tls",
    "udp",
    "grpc",
    "grpcs",
    "ws",
    "wss",
    "redis",
    "rediss",
    "amqp",
    "amqps",
    "postgres",
    "postgresql",
    "mysql",
    "mongodb",
];

/// What programs put behind a dash themselves: `redis-sentinel://`.
const WAYS: &[&str] = &["cluster", "sentinel", "socket", "unix", "web"];

/// What is wrong with the scheme of an address.
#[derive(Debug, PartialEq, Eq)]
enum Slip<'t> {
    /// More stands in it than its own: `http-internal`.
    Longer { scheme: &'t str, own: &'t str },
    /// One stands in front of another one.
    Twice { first: &'t str, second: &'t str },
}

/// The slips in the schemes of addresses that an object spells out.
pub(super) fn slips(desired: &Desired) -> Vec<Finding> {
    let template = pod_template(&desired.object);
    let all = said(&desired.object, template.as_ref());
    let told = all.iter().filter_map(|it| {
        let slip = slip_in(&it.text).filter(|slip| !slip.is_declared(&all))?;
        Some(slip.told(desired, it))
    });
    told.collect()
}

impl Slip<'_> {
    /// Whether the scheme is named beside its addresses, as a listener is: `--listener=http-internal=0.0.0.0:8200`.
    fn is_declared(&self, all: &[Said]) -> bool {
        let Slip::Longer { scheme, .. } = self else { return false };
        let is_part = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
        let names = |text: &str| {
            text.match_indices(*scheme).any(|(at, _)| {
                let (before, after) = (&text[..at], &text[at + scheme.len()..]);
                !before.ends_with(is_part) && !after.starts_with(is_part) && !after.starts_with("://")
            })
        };
        all.iter().any(|it| names(&it.text))
    }

    fn told(&self, desired: &Desired, said: &Said) -> Finding {
        let by = if said.by.is_empty() { "a script".to_owned() } else { format!("`{}`", said.by) };
        let (scheme, message, cause, help) = match self {
            Slip::Longer { scheme, own } => (
                (*scheme).to_owned(),
                format!("{by} has an address with the scheme `{scheme}://`, which there is not"),
                "whoever reads the address does not know how to call it",
                format!("did you mean `{own}://`?"),
            ),
            Slip::Twice { first, second } => (
                format!("{first} {second}"),
                format!("{by} has an address with two schemes (`{first}://{second}://`)"),
                "the second one is read as the name of a host",
                format!("leave one of them out: `{second}://` stands with the host already"),
            ),
        };
        RULE.finding(message)
            .keyed(format!("{} {scheme}", said.by))
            .because(cause)
            .help(help)
            .at(desired.spot_at(&said.field))
    }
}

/// The first slip of a text, its comments left out.
fn slip_in(text: &str) -> Option<Slip<'_>> {
    let spoken = text.lines().filter(|line| !is_remark(line)).filter_map(|line| line.split(" #").next());
    spoken.flat_map(|line| line.split(is_edge)).find_map(slip)
}

fn is_remark(line: &str) -> bool {
    let line = line.trim_start();
    ["#", "//", ";", "* ", "/*", "-- ", "<!--"].iter().any(|start| line.starts_with(start))
}

fn is_edge(letter: char) -> bool {
    letter.is_whitespace() || "\"'`,;<>()[]|".contains(letter)
}

/// What is wrong with a word that is an address, or gives one to a setting (`--url=…`).
fn slip(word: &str) -> Option<Slip<'_>> {
    let is_key = |key: &str| key.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.'));
    let address = word.split_once('=').filter(|(key, _)| is_key(key)).map_or(word, |(_, value)| value);
    let (scheme, rest) = address.split_once("://")?;
    if let Some((own, more)) = scheme.split_once('-') {
        let is_name = more.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-');
        let is_slip = SCHEMES.contains(&own) && !more.is_empty() && is_name && !WAYS.contains(&more);
        return is_slip.then_some(Slip::Longer { scheme, own });
    }
    let (second, host) = rest.split_once("://")?;
    let is_web = |scheme: &str| matches!(scheme, "http" | "https");
    let is_host = host.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '$');
    (is_web(scheme) && is_web(second) && is_host).then_some(Slip::Twice { first: scheme, second })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_scheme_is_no_part_of_it() {
        let longer = |scheme, own| Some(Slip::Longer { scheme, own });
        assert_eq!(slip_in("http-internal://$(POD_IP):8200"), longer("http-internal", "http"));
        assert_eq!(slip_in("a: 1\napi_addr=\"tls-2://x\""), longer("tls-2", "tls"));
        assert_eq!(slip_in("--addr=postgres-rw://db"), longer("postgres-rw", "postgres"));
        for right in [
            "http://web-internal:80",
            "chrome-extension://abc",
            "redis-sentinel://a",
            "http-://a",
            "# http-internal://x",
            "a: b # http-internal://x",
            "https://a?b=http-c://d",
        ] {
            assert_eq!(slip_in(right), None, "{right}");
        }
    }

    #[test]
    fn a_scheme_stands_once_in_front_of_a_host() {
        let twice = |first, second| Some(Slip::Twice { first, second });
        assert_eq!(slip_in("https://https://a.example.com"), twice("https", "https"));
        assert_eq!(slip_in("x\n--url=http://https://$(HOST)/"), twice("http", "https"));
        for right in ["https://a/https://b", "https://a?u=http://https://b", "http://https", "s#http://https://#x#"] {
            assert_eq!(slip_in(right), None, "{right}");
        }
    }

    #[test]
    fn a_scheme_that_is_named_beside_its_address_is_a_listeners() {
        let of = |text: &str| Said { text: text.to_owned(), field: String::new(), by: String::new() };
        let address = "http-internal://a:1";
        let slip = slip_in(address).expect("a slip");
        assert!(!slip.is_declared(&[of(address), of("x-http-internal=1")]));
        assert!(slip.is_declared(&[of(address), of("--listener=http-internal=0.0.0.0:1")]));
    }
}
