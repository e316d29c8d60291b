//! Which edges are meant: requirements on labels, platform, version and name, all of which must hold.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Version;
use crate::protocol::Label;

/// Requirements, such as `site=berlin,arch!=arm64,version<1.2.0`; none means every edge. Stored as the text it was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    field: String,
    relation: Relation,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Is,
    IsNot,
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// A selector that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no requirement; write NAME=VALUE, NAME!=VALUE or version<1.2.3, with commas between them")]
pub struct BadSelector(String);

/// An edge as a selector looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Selected<'a> {
    /// Under which the device knows itself.
    pub device_number: &'a str,
    /// `linux`, `win32`, `darwin`.
    pub platform: &'a str,
    /// `x64`, `arm64`, `arm`.
    pub arch: &'a str,
    /// Which version of the product in question runs; empty for none.
    pub version: &'a str,
    /// By which it can be selected.
    pub labels: &'a [Label],
}

impl Selector {
    /// Reads requirements; a blank text means every edge.
    ///
    /// # Errors
    /// When a piece of it is no requirement, or compares with what is no version.
    pub fn parse(text: &str) -> Result<Self, BadSelector> {
        let pieces = text.split(',').map(str::trim).filter(|piece| !piece.is_empty());
        let requirements = pieces.map(requirement).collect::<Result<_, _>>()?;
        Ok(Self { requirements })
    }

    /// Whether an edge is meant. A version that cannot be read is below every other.
    #[must_use]
    pub fn selects(&self, edge: Selected<'_>) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(edge))
    }
}

impl Requirement {
    fn holds(&self, edge: Selected<'_>) -> bool {
        let found = match self.field.as_str() {
            "platform" => Some(edge.platform),
            "arch" => Some(edge.arch),
            "version" => Some(edge.version),
            "name" => Some(edge.device_number),
            name => edge.labels.iter().find(|label| label.name == name).map(|label| label.value.as_str()),
        };
        let order = || match (Version::parse(found.unwrap_or("")), Version::parse(&self.value)) {
            (Ok(found), Ok(value)) => found.precedence(&value),
            _ => std::cmp::Ordering::Less,
        };
        match self.relation {
            Relation::Is => found == Some(self.value.as_str()),
            Relation::IsNot => found != Some(self.value.as_str()),
            Relation::Below => order().is_lt(),
            Relation::AtMost => order().is_le(),
            Relation::Above => order().is_gt(),
            Relation::AtLeast => order().is_ge(),
        }
    }
}

fn requirement(piece: &str) -> Result<Requirement, BadSelector> {
    const RELATIONS: [(&str, Relation); 7] = [
        ("!=", Relation::IsNot),
        ("<=", Relation::AtMost),
        (">=", Relation::AtLeast),
        ("==", Relation::Is),
        ("=", Relation::Is),
        ("<", Relation::Below),
        (">", Relation::Above),
    ];
    let bad = || BadSelector(piece.to_owned());
    let (at, mark, relation) = RELATIONS
        .iter()
        .filter_map(|(mark, relation)| Some((piece.find(mark)?, *mark, *relation)))
        .min_by_key(|(at, mark, _)| (*at, usize::MAX - mark.len()))
        .ok_or_else(bad)?;
    let (field, value) = (piece[..at].trim(), piece[at + mark.len()..].trim());
    let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/+".contains(&byte));
    let orders = !matches!(relation, Relation::Is | Relation::IsNot);
    if field.is_empty()
        || !word(field)
        || !word(value)
        || (orders && (field != "version" || Version::parse(value).is_err()))
    {
        return Err(bad());
    }
    Ok(Requirement { field: field.to_owned(), relation, value: value.to_owned() })
}

impl fmt::Display for Selector {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let mark = match requirement.relation {
                Relation::Is => "=",
                Relation::IsNot => "!=",
                Relation::Below => "<",
                Relation::AtMost => "<=",
                Relation::Above => ">",
                Relation::AtLeast => ">=",
            };
            let comma = if index > 0 { "," } else { "" };
            write!(to, "{comma}{}{mark}{}", requirement.field, requirement.value)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Selector {
    type Error = BadSelector;
    fn try_from(text: String) -> Result<Self, BadSelector> {
        Self::parse(&text)
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_must_all_hold() {
        let labels = [Label { name: "site".to_owned(), value: "berlin".to_owned() }];
        let edge = Selected {
            device_number: "edge-a",
            platform: "linux",
            arch: "x64",
            version: "1.2.0-rc.1",
            labels: &labels,
        };
        for (text, selects) in [
            ("", true),
            ("site=berlin", true),
            ("site==berlin, arch!=arm64", true),
            ("site=munich", false),
            ("zone!=a", true),
            ("version<1.2.0", true),
            ("version>=1.2.0", false),
            ("version<=1.2.0-rc.1,name=edge-a", true),
        ] {
            let selector = Selector::parse(text).expect("a selector");
            assert_eq!(selector.selects(edge), selects, "{text}");
            assert_eq!(Selector::parse(&selector.to_string()), Ok(selector), "{text} comes back");
        }
        for text in ["site", "=a", "arch<x64", "version<latest", "a b=c"] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }
}
