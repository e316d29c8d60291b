//! Semantic versions as `Masterminds/semver` v3 reads and compares them.

use std::cmp::Ordering;

/// Longest version text accepted, in bytes.
const MAX_LENGTH: usize = 256;

/// A semantic version, read loosely: a leading `v`, missing minor and patch, and leading zeros are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// First number.
    pub major: u64,
    /// Second number; 0 when not written.
    pub minor: u64,
    /// Third number; 0 when not written.
    pub patch: u64,
    /// What stands behind `-`; empty when nothing does.
    pub pre: String,
    /// What stands behind `+`; empty when nothing does.
    pub metadata: String,
    /// The text it was read from.
    pub original: String,
}

/// Why a text is no version; displays in the words of `Masterminds/semver`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not of the shape of a version.
    #[error("invalid semantic version")]
    Invalid,
    /// Nothing to read (strict parsing only).
    #[error("version string empty")]
    Empty,
    /// Something other than digits in a number (strict parsing only).
    #[error("invalid characters in version")]
    Characters,
    /// A number with a leading zero where that matters.
    #[error("version segment starts with 0")]
    LeadingZero,
    /// Bad text behind `-`.
    #[error("invalid prerelease string")]
    Prerelease,
    /// Bad text behind `+`.
    #[error("invalid metadata string")]
    Metadata,
    /// More than 256 bytes.
    #[error("version string is too long (max 256 bytes)")]
    TooLong,
    /// A number that does not fit into 64 bits.
    #[error("error parsing version segment: strconv.ParseUint: parsing {0:?}: value out of range")]
    OutOfRange(String),
}

impl Version {
    /// Reads a version loosely (`NewVersion` with its default coercion).
    ///
    /// # Errors
    /// As `Masterminds/semver` v3.5.0 refuses.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        if text.len() > MAX_LENGTH {
            return Err(VersionError::TooLong);
        }
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = ["0"; 3];
        for (index, number) in numbers.iter_mut().enumerate() {
            if index > 0 {
                match rest.strip_prefix('.') {
                    Some(after) if after.starts_with(|c: char| c.is_ascii_digit()) => rest = after,
                    _ => break,
                }
            }
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if end == 0 {
                return Err(VersionError::Invalid);
            }
            *number = &rest[..end];
            rest = &rest[end..];
        }
        let (pre, after) = identifiers(rest, '-').ok_or(VersionError::Invalid)?;
        let (metadata, after) = identifiers(after, '+').ok_or(VersionError::Invalid)?;
        if !after.is_empty() {
            return Err(VersionError::Invalid);
        }
        let number = |text: &str| text.parse().map_err(|_| VersionError::OutOfRange(text.to_owned()));
        let version = Version {
            major: number(numbers[0])?,
            minor: number(numbers[1])?,
            patch: number(numbers[2])?,
            pre: pre.to_owned(),
            metadata: metadata.to_owned(),
            original: text.to_owned(),
        };
        check_prerelease(pre)?;
        Ok(version)
    }

    /// Reads a version strictly: three numbers, no leading `v` or zeros (`StrictNewVersion`).
    ///
    /// # Errors
    /// As `Masterminds/semver` v3.5.0 refuses.
    pub fn parse_strict(text: &str) -> Result<Self, VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(VersionError::TooLong);
        }
        let parts: Vec<&str> = text.splitn(3, '.').collect();
        let [major, minor, last] = parts[..] else { return Err(VersionError::Invalid) };
        let (last, metadata) = last.split_once('+').map_or((last, None), |(last, metadata)| (last, Some(metadata)));
        if metadata.is_some_and(|text| text.split('.').any(|part| !is_identifier(part))) {
            return Err(VersionError::Metadata);
        }
        let (patch, pre) = last.split_once('-').map_or((last, None), |(patch, pre)| (patch, Some(pre)));
        if let Some(pre) = pre {
            if pre.is_empty() {
                return Err(VersionError::Prerelease);
            }
            check_prerelease(pre)?;
        }
        for number in [major, minor, patch] {
            if !number.bytes().all(|b| b.is_ascii_digit()) {
                return Err(VersionError::Characters);
            }
            if number.len() > 1 && number.starts_with('0') {
                return Err(VersionError::LeadingZero);
            }
        }
        let number = |text: &str| text.parse().map_err(|_| VersionError::OutOfRange(text.to_owned()));
        Ok(Version {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
            pre: pre.unwrap_or("").to_owned(),
            metadata: metadata.unwrap_or("").to_owned(),
            original: text.to_owned(),
        })
    }

    /// Compares by precedence; metadata does not count.
    pub fn precedence(&self, other: &Version) -> Ordering {
        (self.major, self.minor, self.patch).cmp(&(other.major, other.minor, other.patch)).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_prerelease(&self.pre, &other.pre),
            }
        })
    }

    /// Whether it says so itself that it is not a release.
    pub fn is_prerelease(&self) -> bool {
        !self.pre.is_empty()
    }
}

impl std::fmt::Display for Version {
    /// Normalised: three numbers, no leading `v`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// Compares two texts behind `-`: numbers by value and below words, fewer parts below more.
pub(crate) fn compare_prerelease(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => compare_part(a.unwrap_or(""), b.unwrap_or("")),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare_part(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    match (a.is_empty(), b.is_empty()) {
        (true, _) => return Ordering::Less,
        (_, true) => return Ordering::Greater,
        _ => {}
    }
    let number = |text: &str| {
        if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse::<u64>().ok() } else { None }
    };
    match (number(a), number(b)) {
        (None, None) => a.cmp(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(a), Some(b)) => a.cmp(&b).then(Ordering::Less),
    }
}

fn is_identifier(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Reads `-a.b.c` or `+a.b.c` from the front; gives what stands behind the mark and the rest.
///
/// `None` when the mark is there and no identifier follows.
pub(crate) fn identifiers(text: &str, mark: char) -> Option<(&str, &str)> {
    let Some(after) = text.strip_prefix(mark) else { return Some(("", text)) };
    let word = |text: &str| text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(text.len());
    let mut end = word(after);
    if end == 0 {
        return None;
    }
    while let Some(more) = after[end..].strip_prefix('.') {
        let length = word(more);
        if length == 0 {
            break;
        }
        end += 1 + length;
    }
    Some((&after[..end], &after[end..]))
}

/// Numbers behind `-` must not start with a zero.
fn check_prerelease(pre: &str) -> Result<(), VersionError> {
    for part in pre.split('.').filter(|_| !pre.is_empty()) {
        if !is_identifier(part) {
            return Err(VersionError::Prerelease);
        }
        if part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()) {
            return Err(VersionError::LeadingZero);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_loosely_and_printed_normalised() {
        for (text, printed) in [
            ("1.2", "1.2.0"),
            ("v1", "1.0.0"),
            ("1.02.3-a.b+c", "1.2.3-a.b+c"),
            ("1.2-beta", "1.2.0-beta"),
            ("1.2.3+meta", "1.2.3+meta"),
        ] {
            assert_eq!(Version::parse(text).expect(text).to_string(), printed);
        }
        for text in ["", "a", "1.", "1.2.3.4", "1.2.3-", "v", "1.2.beta", "1.2.3 "] {
            assert_eq!(Version::parse(text), Err(VersionError::Invalid), "{text}");
        }
        assert_eq!(Version::parse("1.2.3-01"), Err(VersionError::LeadingZero));
        assert_eq!(Version::parse_strict("1.2"), Err(VersionError::Invalid));
        assert_eq!(Version::parse_strict("v1.2.3"), Err(VersionError::Characters));
    }

    #[test]
    fn precedence_follows_the_specification() {
        let order = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.1.0",
            "2.0.0",
        ];
        for pair in order.windows(2) {
            let (low, high) = (Version::parse(pair[0]).expect("valid"), Version::parse(pair[1]).expect("valid"));
            assert_eq!(low.precedence(&high), Ordering::Less, "{pair:?}");
            assert_eq!(high.precedence(&low), Ordering::Greater, "{pair:?}");
        }
    }
}
