//! Whether a value that a name has is a secret, and no stand-in for one.

use landfall_rules::{is_credential, is_placeholder, password_in};

use super::{is_made_up, token};

/// Fewer letters of a value are told from no other.
const SHORTEST: usize = 12;
/// Fewer letters of a password in an address stand for one.
const SHORTEST_IN_ADDRESS: usize = 6;
/// Words of values that somebody is to replace.
const STAND_INS: [&str; 18] = [
    "example",
    "placeholder",
    "changeme",
    "change-me",
    "change_me",
    "replace",
    "your-",
    "your_",
    "yours",
    "_here",
    "-here",
    "xxxx",
    "dummy",
    "redacted",
    "insert",
    "...",
    "***",
    "<",
];
/// What a value begins with that is filled in later, or is encrypted.
const FILLED_IN: [&str; 6] = ["$", "{{", "ENC[", "%(", "%{", "#{"];
/// Whole names, or words of them, that announce a secret in files of variables though they are not named like a password.
const NAMES: [&str; 9] =
    ["jwt", "pgpass", "pgpassword", "hmac", "credential", "credentials", "dsn", "salt", "htpasswd"];
/// Words of names whose values everybody sees.
const PUBLIC: [&str; 3] = ["public", "publishable", "vite"];
/// What a key is of that opens nothing.
const NO_LOCKS: [&str; 5] = ["site", "sort", "cache", "partition", "foreign"];
/// Ends of the names of files that a secret lies in.
const FILES: [&str; 8] = [".pem", ".key", ".crt", ".p12", ".jks", ".json", ".txt", ".yaml"];
/// Hosts of one's own machine.
const OWN: [&str; 5] = ["localhost", "127.", "0.0.0.0", "[::1]", "host.docker.internal"];
/// The ends of names that nobody has (RFC 2606).
const NOBODYS: [&str; 7] = ["example.com", "example.org", "example.net", ".example", ".test", ".invalid", ".localhost"];

/// Whether a value was made up to be kept: what a name announces, a text that nobody writes, or one with a password in it.
pub(super) fn is_value(name: &str, value: &str) -> bool {
    if value.contains("{{") || FILLED_IN.iter().any(|beginning| value.starts_with(beginning)) {
        return false;
    }
    if token(value).is_some() || opens_an_address(value) || opens_a_connection(value) {
        return true;
    }
    if value.len() < SHORTEST || is_placeholder(value) || stands_for_one(value) || !is_made_up(value) {
        return false;
    }
    is_credential(name) && !value.contains("://") && !names_a_file(value)
        || announces(name) && !value.contains("://")
        || is_key(name) && is_mixed(value)
        || is_random(value) && !is_public(name)
}

fn names_a_file(value: &str) -> bool {
    value.starts_with('/') || FILES.iter().any(|end| value.ends_with(end))
}

/// Whether a text is there to be replaced.
pub(super) fn stands_for_one(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    STAND_INS.iter().any(|word| text.contains(word))
}

fn words(name: &str) -> Vec<String> {
    name.split(|letter: char| !letter.is_ascii_alphanumeric()).map(str::to_ascii_lowercase).collect()
}

fn announces(name: &str) -> bool {
    words(name).last().is_some_and(|word| NAMES.contains(&word.as_str()))
}

fn is_public(name: &str) -> bool {
    words(name).iter().any(|word| PUBLIC.contains(&word.as_str()))
}

/// Whether a name is a key's that is not everybody's.
fn is_key(name: &str) -> bool {
    let words = words(name);
    let opens = !words.iter().any(|word| NO_LOCKS.contains(&word.as_str()));
    words.last().is_some_and(|word| word == "key") && opens && !is_public(name)
}

/// Whether a text is one of letters and digits as nobody writes them.
fn is_mixed(value: &str) -> bool {
    let has = |of: fn(&char) -> bool| value.chars().filter(of).count() >= 2;
    has(char::is_ascii_digit) && has(char::is_ascii_alphabetic) && !value.contains(char::is_whitespace)
}

/// Whether a line of settings has an address with the password of a host that is not one's own.
pub(super) fn opens_an_address_within(line: &str) -> bool {
    let ends = |letter: char| letter.is_whitespace() || "\"'`<>,;()|".contains(letter);
    line.split(ends).any(|word| {
        // Behind a name, `url=https://…`.
        let begins = word.find("://").map(|at| {
            let is_scheme = |letter: char| letter.is_ascii_alphanumeric() || "+.-".contains(letter);
            word[..at].rfind(|letter| !is_scheme(letter)).map_or(0, |before| before + 1)
        });
        begins.and_then(|at| word.get(at..)).is_some_and(|address| {
            let is_filled_in = FILLED_IN.iter().any(|beginning| address.contains(beginning));
            !is_filled_in && opens_an_address(address)
        })
    })
}

/// Whether a value is an address with the password of a host that is not one's own.
fn opens_an_address(value: &str) -> bool {
    let Some(password) = password_in(value) else { return false };
    let authority = value.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, host)) = authority.rsplit_once('@') else { return false };
    let (user, host) = (user.split(':').next().unwrap_or_default(), host.to_ascii_lowercase());
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    if OWN.iter().any(|own| host.starts_with(own)) || NOBODYS.iter().any(|end| name.ends_with(end)) {
        return false;
    }
    // A name without a dot is a neighbour's in a set of containers: a word is its default there.
    is_password(user, password) && (name.contains('.') || password.len() >= SHORTEST && is_mixed(password))
}

/// Whether a value is what a connection is opened with, `Server=…;Password=…`.
fn opens_a_connection(value: &str) -> bool {
    let parts = || {
        value
            .split(';')
            .filter_map(|part| part.split_once('='))
            .map(|(name, it)| (name.trim().to_ascii_lowercase(), it))
    };
    let said = |wanted: &[&str]| parts().find(|(name, _)| wanted.contains(&name.as_str())).map(|(_, it)| it.trim());
    let Some(server) = said(&["server", "data source", "host", "address", "addr"]) else { return false };
    let server = server.trim_start_matches("tcp:").to_ascii_lowercase();
    let user = said(&["user id", "uid", "user", "username"]).unwrap_or_default();
    !OWN.iter().any(|own| server.starts_with(own))
        && said(&["password", "pwd"]).is_some_and(|password| is_password(user, password) && is_mixed(password))
}

fn is_password(user: &str, password: &str) -> bool {
    let is_filled_in = FILLED_IN.iter().any(|beginning| password.starts_with(beginning));
    password.len() >= SHORTEST_IN_ADDRESS
        && password != user
        && !is_filled_in
        && !is_placeholder(password)
        && !stands_for_one(password)
        && is_made_up(password)
}

/// Whether a text is one of letters and digits in no order, behind a prefix such as `base64:`.
fn is_random(value: &str) -> bool {
    let value = value.strip_prefix("base64:").unwrap_or(value);
    let has = |of: fn(&char) -> bool| value.chars().filter(of).count() >= 2;
    value.len() >= 16
        && value.chars().all(|letter| letter.is_ascii_alphanumeric() || "+/=_-".contains(letter))
        && has(char::is_ascii_digit)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_uppercase)
}
