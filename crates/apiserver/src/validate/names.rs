//! Names and identifiers: `apimachinery/pkg/util/validation` and `pkg/api/validate/content`, texts included.

use std::net::IpAddr;

pub(crate) use landfall_object::{is_label, is_subdomain};

fn is_alnum(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

fn too_long(most: usize) -> String {
    format!("must be no more than {most} characters")
}

/// Labels are measured in bytes.
fn too_many_bytes(most: usize) -> String {
    format!("must be no more than {most} bytes")
}

/// How Go says that a pattern does not match.
fn mismatch(message: &str, pattern: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{message} (regex used for validation is '{pattern}')");
    }
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{message} (e.g. {}regex used for validation is '{pattern}')", examples.join(" or "))
}

/// RFC 1123 label.
pub(super) fn dns_label(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > 63 {
        errors.push(too_long(63));
    }
    if !is_label(value) {
        errors.push(if is_subdomain(value) {
            "must not contain dots".to_owned()
        } else {
            let message = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
            mismatch(message, LABEL, &["my-name", "123-abc"])
        });
    }
    errors
}

/// RFC 1123 subdomain.
pub(super) fn dns_subdomain(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > 253 {
        errors.push(too_long(253));
    }
    if !is_subdomain(value) {
        let message = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
        errors.push(mismatch(message, SUBDOMAIN, &["example.com"]));
    }
    errors
}

/// RFC 1035 label.
pub(super) fn dns_1035_label(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > 63 {
        errors.push(too_long(63));
    }
    if !is_label(value) || !value.as_bytes()[0].is_ascii_lowercase() {
        let message = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
        errors.push(mismatch(message, "[a-z]([-a-z0-9]*[a-z0-9])?", &["my-name", "abc-123"]));
    }
    errors
}

/// `*.` and a subdomain.
pub(super) fn wildcard_subdomain(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > 253 {
        errors.push(too_long(253));
    }
    if !value.strip_prefix("*.").is_some_and(is_subdomain) {
        let message = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
        errors.push(mismatch(message, &format!("\\*\\.{SUBDOMAIN}"), &["*.example.com"]));
    }
    errors
}

/// What may stand in a URL's path.
pub(super) fn path_segment(value: &str) -> Vec<String> {
    if value == "." || value == ".." {
        return vec![format!("may not be '{value}'")];
    }
    ['/', '%'].into_iter().filter(|c| value.contains(*c)).map(|c| format!("may not contain '{c}'")).collect()
}

fn is_name_part(value: &str) -> bool {
    let bytes = value.as_bytes();
    let ends = matches!((bytes.first(), bytes.last()),
        (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric());
    ends && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

const NAME_PART: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const NAME_PART_MESSAGE: &str =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/// A label's key: an optional subdomain, `/`, and a name.
pub(crate) fn qualified_name(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let examples = ["MyName", "my.name", "123-abc"];
    let parts: Vec<&str> = value.split('/').collect();
    let name = match parts.as_slice() {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_owned());
            } else {
                errors.extend(dns_subdomain(prefix).into_iter().map(|message| format!("prefix part {message}")));
            }
            name
        }
        _ => {
            let text = mismatch(NAME_PART_MESSAGE, NAME_PART, &examples);
            return vec![format!(
                "a valid label key {text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        errors.push(format!("name part {}", too_many_bytes(63)));
    }
    if !is_name_part(name) {
        errors.push(format!("name part {}", mismatch(NAME_PART_MESSAGE, NAME_PART, &examples)));
    }
    errors
}

/// A label's value.
pub(super) fn label_value(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > 63 {
        errors.push(too_many_bytes(63));
    }
    if !value.is_empty() && !is_name_part(value) {
        let message = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
        errors.push(mismatch(message, &format!("({NAME_PART})?"), &["MyValue", "my_value", "12345"]));
    }
    errors
}

/// A named port.
pub(super) fn port_name(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > 15 {
        errors.push(too_long(15));
    }
    if value.is_empty() || !value.bytes().all(|byte| is_alnum(byte) || byte == b'-') {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !value.bytes().any(|byte| byte.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if value.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if value.starts_with('-') || value.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

/// An environment variable's name, in the relaxed form of recent versions.
pub(super) fn env_name(value: &str) -> Vec<String> {
    if value.chars().all(|c| (' '..='~').contains(&c) && c != '=') {
        return Vec::new();
    }
    let message = "a valid environment variable name must consist only of printable ASCII characters other than '='";
    vec![message.to_owned()]
}

/// A key of a ConfigMap or Secret.
pub(super) fn config_key(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > 253 {
        errors.push(too_long(253));
    }
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        let message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        errors.push(mismatch(message, "[-._a-zA-Z0-9]+", &["key.name", "KEY_NAME", "key-name"]));
    }
    match value {
        "." => errors.push("must not be '.'".to_owned()),
        ".." => errors.push("must not be '..'".to_owned()),
        _ if value.starts_with("..") => errors.push("must not start with '..'".to_owned()),
        _ => {}
    }
    errors
}

/// `25%`
pub(super) fn percent(value: &str) -> Vec<String> {
    let digits = value.strip_suffix('%').unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let message = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![mismatch(message, "[0-9]+%", &["1%", "93%"])]
}

/// A header of an HTTP probe.
pub(super) fn header_name(value: &str) -> Vec<String> {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Vec::new();
    }
    vec![mismatch(
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        "[-A-Za-z0-9]+",
        &["X-Header-Name"],
    )]
}

/// An IP address, strictly: no leading zeros, no IPv4 in the clothes of IPv6.
pub(super) fn ip(value: &str) -> Vec<String> {
    match value.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            vec!["must not be an IPv4-mapped IPv6 address".to_owned()]
        }
        Ok(_) => Vec::new(),
        Err(_) if sloppy(value).is_some() => vec!["must not have leading 0s".to_owned()],
        Err(_) => vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()],
    }
}

/// An IP address as it is written by everybody: where fields are new enough, no other way is let in.
pub(super) fn canonical_ip(value: &str) -> Vec<String> {
    let messages = ip(value);
    let written = value.parse::<IpAddr>().map(|address| address.to_string());
    match written {
        Ok(written) if messages.is_empty() && written != value => {
            vec![format!("must be in canonical form ({written:?})")]
        }
        _ => messages,
    }
}

/// An address whose IPv4 numbers may have leading zeros, as old Go versions read it.
fn sloppy(value: &str) -> Option<IpAddr> {
    let numbers: Vec<&str> = value.split('.').collect();
    if numbers.len() != 4 || !numbers.iter().all(|number| !number.is_empty()) {
        return value.parse().ok();
    }
    let plain = numbers.iter().map(|number| match number.trim_start_matches('0') {
        "" => "0",
        rest => rest,
    });
    plain.collect::<Vec<_>>().join(".").parse().ok()
}

/// Why an address cannot be an endpoint's.
pub(super) fn endpoint_ip(value: &str) -> Vec<String> {
    let Some(address) = sloppy(value) else { return vec!["must be a valid IP address".to_owned()] };
    let (link_local, link_local_multicast) = match address {
        IpAddr::V4(address) => {
            let octets = address.octets();
            (address.is_link_local(), octets[..3] == [224, 0, 0])
        }
        IpAddr::V6(address) => (address.is_unicast_link_local(), address.segments()[0] & 0xff0f == 0xff02),
    };
    let found = [
        (address.is_unspecified(), format!("may not be unspecified ({value})")),
        (address.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned()),
        (link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned()),
        (link_local_multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned()),
    ];
    found.into_iter().filter(|(is, _)| *is).map(|(_, message)| message).collect()
}

/// An address and the length of its prefix; `None` where the text is no such thing.
pub(super) fn prefix(value: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = value.split_once('/')?;
    let address = sloppy(address)?;
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let length: u8 = length.parse().ok().filter(|_| digits)?;
    (length <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, length))
}

/// Whether an address lies in a range.
pub(super) fn holds((range, length): (IpAddr, u8), address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    range.is_ipv4() == address.is_ipv4()
        && (bits(range) ^ bits(address)).checked_shr(128 - u32::from(length)).unwrap_or(0) == 0
}

/// A range of addresses, strictly: no leading zeros, no bits beyond the prefix.
pub(super) fn cidr(value: &str) -> Vec<String> {
    let Some((address, length)) = prefix(value) else {
        return vec!["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".to_owned()];
    };
    let (text, size) = value.split_once('/').unwrap_or_default();
    let message = if text.parse::<IpAddr>().is_err() || size.len() > 1 && size.starts_with('0') {
        "must not have leading 0s in IP or prefix length"
    } else if matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
        "must not have an IPv4-mapped IPv6 address"
    } else if rest_of(address, length) != 0 {
        "must not have bits set beyond the prefix length"
    } else {
        return Vec::new();
    };
    vec![message.to_owned()]
}

/// The bits of an address beyond a prefix.
fn rest_of(address: IpAddr, length: u8) -> u128 {
    let bits = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    bits.checked_shl(u32::from(length)).unwrap_or(0)
}

/// A domain of at least two labels; a dot at its end is allowed.
pub(super) fn domain(value: &str) -> Vec<String> {
    let name = value.strip_suffix('.').unwrap_or(value);
    let messages = dns_subdomain(name);
    if !messages.is_empty() {
        return vec![messages.join(",")];
    }
    if name.split('.').count() < 2 {
        return vec!["should be a domain with at least two segments separated by dots".to_owned()];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ranges_are_read_strictly() {
        let first = |messages: Vec<String>| messages.into_iter().next().unwrap_or_default();
        assert_eq!(first(ip("10.0.0.1")), "");
        assert_eq!(first(ip("010.0.0.1")), "must not have leading 0s");
        assert_eq!(first(ip("::ffff:10.0.0.1")), "must not be an IPv4-mapped IPv6 address");
        assert_eq!(first(cidr("10.0.0.0/8")), "");
        assert_eq!(first(cidr("10.0.0.1/8")), "must not have bits set beyond the prefix length");
        assert_eq!(first(cidr("fd00::/64")), "");
        assert!(first(cidr("10.0.0.0/33")).starts_with("must be a valid CIDR value"));
        assert!(first(endpoint_ip("127.0.0.1")).starts_with("may not be in the loopback range"));
        let range = |text: &str| prefix(text).expect("a range");
        assert!(holds(range("10.0.0.0/8"), range("10.1.0.0/16").0));
        assert!(!holds(range("10.0.0.0/8"), range("11.0.0.0/16").0));
        assert!(holds(range("0.0.0.0/0"), range("11.0.0.0/16").0));
    }
}
