//! Version constraints as `Masterminds/semver` v3.5.0 reads and checks them.

use std::cmp::Ordering;

use crate::version::{Version, compare_prerelease, identifiers};

/// Longest constraint text accepted, in bytes.
const MAX_LENGTH: usize = 512;
/// Most alternatives (`||`) accepted.
const MAX_GROUPS: usize = 32;

/// A set of version ranges, such as `>=1.2 <2 || ^3.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    groups: Vec<Group>,
}

/// Comparisons that must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    comparisons: Vec<Comparison>,
    /// Whether some comparison names a pre-release; without one, pre-releases never match.
    prereleases: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    version: Version,
    /// As written, without operator.
    original: String,
    written: Written,
}

/// Which numbers of the version were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// All three.
    Full,
    /// The patch is missing or a wildcard.
    Minor,
    /// Minor and patch are.
    Major,
    /// All are.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// Why a text is no constraint; displays in the words of `Masterminds/semver`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// Not of the shape of a constraint.
    #[error("improper constraint: {}", landfall_gotemplate::format::quote(.0.as_bytes()))]
    Improper(String),
    /// The shape fits, the version does not.
    #[error("constraint parser error")]
    Version,
    /// More than 512 bytes.
    #[error("constraint string is too long (max 512 bytes)")]
    TooLong,
    /// More than 32 alternatives.
    #[error("too many constraint groups (max 32)")]
    TooManyGroups,
}

impl Constraint {
    /// Reads a constraint.
    ///
    /// # Errors
    /// As `Masterminds/semver` v3.5.0 refuses.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > MAX_LENGTH {
            return Err(ConstraintError::TooLong);
        }
        let text = rewrite_ranges(text);
        let alternatives: Vec<&str> = text.split("||").collect();
        if alternatives.len() > MAX_GROUPS {
            return Err(ConstraintError::TooManyGroups);
        }
        let groups = alternatives.into_iter().map(Group::parse).collect::<Result<_, _>>()?;
        Ok(Constraint { groups })
    }

    /// Whether a version satisfies the constraint.
    pub fn check(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| group.comparisons.iter().all(|it| it.check(version, group.prereleases).is_ok()))
    }

    /// Checks a version and says, for each comparison that fails, why.
    ///
    /// # Errors
    /// The reasons in order, in the words of `Masterminds/semver`.
    pub fn validate(&self, version: &Version) -> Result<(), Vec<String>> {
        let mut reasons = Vec::new();
        let mut told = false;
        for group in &self.groups {
            let mut holds = true;
            for comparison in &group.comparisons {
                if !group.prereleases && version.is_prerelease() {
                    if !told {
                        reasons.push(only_releases(version));
                        told = true;
                    }
                    holds = false;
                } else if let Err(reason) = comparison.check(version, group.prereleases) {
                    reasons.push(reason);
                    holds = false;
                }
            }
            if holds {
                return Ok(());
            }
        }
        Err(reasons)
    }
}

fn only_releases(version: &Version) -> String {
    format!("\"{version}\" is a prerelease version and the constraint is only looking for release versions")
}

impl Group {
    fn parse(text: &str) -> Result<Self, ConstraintError> {
        let improper = || ConstraintError::Improper(text.to_owned());
        let mut comparisons = Vec::new();
        let mut rest = skip_space(text);
        loop {
            let (operator, after) = operator(rest);
            let (partial, after) = partial(skip_space(after)).ok_or_else(improper)?;
            comparisons.push((operator, partial));
            let spaced = skip_space(after);
            if spaced.is_empty() {
                break;
            }
            rest = match spaced.strip_prefix(',') {
                Some(after) => skip_space(after),
                None if spaced.len() < after.len() => spaced,
                None => return Err(improper()),
            };
        }
        let comparisons: Vec<Comparison> = comparisons
            .into_iter()
            .map(|(operator, partial)| Comparison::new(operator, &partial))
            .collect::<Result<_, _>>()?;
        let prereleases = comparisons.iter().any(|it| it.version.is_prerelease());
        Ok(Group { comparisons, prereleases })
    }
}

impl Comparison {
    fn new(operator: Operator, partial: &Partial<'_>) -> Result<Self, ConstraintError> {
        let [major, minor, patch] = partial.numbers;
        let (written, numbers) = if is_wild(major) {
            (Written::Nothing, "0.0.0".to_owned())
        } else if is_wild(minor) {
            (Written::Major, format!("{major}.0.0"))
        } else if is_wild(patch) {
            (Written::Minor, format!("{major}.{minor}.0"))
        } else {
            (Written::Full, partial.core.to_owned())
        };
        let text = if written == Written::Full {
            partial.text.to_owned()
        } else if partial.pre.is_empty() {
            numbers
        } else {
            format!("{numbers}-{}", partial.pre)
        };
        let version = Version::parse(&text).map_err(|_| ConstraintError::Version)?;
        Ok(Comparison { operator, version, original: partial.text.to_owned(), written })
    }

    /// Whether the version satisfies the comparison, or why not.
    fn check(&self, v: &Version, prereleases: bool) -> Result<(), String> {
        if v.is_prerelease() && !prereleases {
            return Err(only_releases(v));
        }
        let c = &self.version;
        let (minor_dirty, patch_dirty) = (self.written == Written::Major, self.written == Written::Minor);
        let dirty = self.written != Written::Full;
        let order = v.precedence(c);
        let say = |holds: bool, how: &str| {
            if holds { Ok(()) } else { Err(format!("\"{v}\" {how} {:?}", self.original)) }
        };
        match self.operator {
            Operator::NotEqual => {
                if dirty {
                    if c.major != v.major || (c.minor != v.minor && !minor_dirty) {
                        return Ok(());
                    }
                    if minor_dirty {
                        return say(false, "is equal to");
                    }
                    if c.patch != v.patch && !patch_dirty {
                        return Ok(());
                    }
                    if patch_dirty {
                        let differs = (v.is_prerelease() || c.is_prerelease())
                            && compare_prerelease(&v.pre, &c.pre) != Ordering::Equal;
                        return say(differs, "is equal to");
                    }
                }
                say(order != Ordering::Equal, "is equal to")
            }
            Operator::Greater => {
                let holds = if !dirty || self.written == Written::Nothing && v.major == c.major {
                    order == Ordering::Greater
                } else if v.major != c.major {
                    v.major > c.major
                } else {
                    patch_dirty && v.minor > c.minor
                };
                say(holds, "is less than or equal to")
            }
            Operator::Less => say(order == Ordering::Less, "is greater than or equal to"),
            Operator::GreaterOrEqual => say(order != Ordering::Less, "is less than"),
            Operator::LessOrEqual => {
                let holds = if dirty {
                    v.major < c.major || v.major == c.major && (v.minor <= c.minor || minor_dirty)
                } else {
                    order != Ordering::Greater
                };
                say(holds, "is greater than")
            }
            Operator::Equal if !dirty => say(order == Ordering::Equal, "is not equal to"),
            Operator::Equal | Operator::Tilde => {
                say(order != Ordering::Less, "is less than")?;
                if (c.major, c.minor, c.patch) == (0, 0, 0) && !minor_dirty && !patch_dirty {
                    return Ok(());
                }
                say(v.major == c.major, "does not have same major version as")?;
                say(v.minor == c.minor || minor_dirty, "does not have same major and minor version as")
            }
            Operator::Caret => {
                say(order != Ordering::Less, "is less than")?;
                if c.major > 0 || minor_dirty {
                    return say(v.major == c.major, "does not have same major version as");
                }
                say(v.major == 0, "does not have same major version as")?;
                if c.minor > 0 || patch_dirty {
                    return say(v.minor == c.minor, "does not have same minor version as").map_err(|reason| {
                        reason + ". Expected minor versions to match when constraint major version is 0"
                    });
                }
                say(v.minor == 0, "does not have same minor version as")?;
                say(c.patch == v.patch, "does not equal").map_err(|reason| {
                    reason + ". Expect version and constraint to equal when major and minor versions are 0"
                })
            }
        }
    }
}

/// A version of which numbers may be missing or wildcards, as written.
struct Partial<'a> {
    text: &'a str,
    core: &'a str,
    numbers: [&'a str; 3],
    pre: &'a str,
}

fn is_wild(number: &str) -> bool {
    matches!(number, "" | "x" | "X" | "*")
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches(['\t', '\n', '\x0c', '\r', ' '])
}

fn operator(text: &str) -> (Operator, &str) {
    const OPERATORS: [(&str, Operator); 11] = [
        ("!=", Operator::NotEqual),
        (">=", Operator::GreaterOrEqual),
        ("=>", Operator::GreaterOrEqual),
        ("<=", Operator::LessOrEqual),
        ("=<", Operator::LessOrEqual),
        ("~>", Operator::Tilde),
        ("=", Operator::Equal),
        (">", Operator::Greater),
        ("<", Operator::Less),
        ("~", Operator::Tilde),
        ("^", Operator::Caret),
    ];
    OPERATORS
        .iter()
        .find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)))
        .unwrap_or((Operator::Equal, text))
}

/// Reads a partial version from the front of a text.
fn partial(text: &str) -> Option<(Partial<'_>, &str)> {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '|' | 'x' | 'X' | '*');
    let run = |text: &str| text.find(|c| !is_number(c)).unwrap_or(text.len());
    let mut rest = text.strip_prefix('v').unwrap_or(text);
    let start = text.len() - rest.len();
    let mut numbers = [""; 3];
    for (index, number) in numbers.iter_mut().enumerate() {
        let after = if index == 0 { rest } else { rest.strip_prefix('.').unwrap_or("") };
        let length = run(after);
        if length == 0 {
            if index == 0 {
                return None;
            }
            break;
        }
        *number = &after[..length];
        rest = &after[length..];
    }
    let core = &text[start..text.len() - rest.len()];
    let (pre, rest) = identifiers(rest, '-').unwrap_or(("", rest));
    let (_metadata, rest) = identifiers(rest, '+').unwrap_or(("", rest));
    let text = &text[..text.len() - rest.len()];
    Some((Partial { text, core, numbers, pre }, rest))
}

/// Rewrites `1.2 - 1.4` into `>= 1.2, <= 1.4 `.
fn rewrite_ranges(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    'text: while !rest.is_empty() {
        if let Some((low, high, after)) = range(rest) {
            out.push_str(&format!(">= {low}, <= {high} "));
            rest = after;
            continue 'text;
        }
        let next = rest.chars().next().map_or(1, char::len_utf8);
        out.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    out
}

fn range(text: &str) -> Option<(&str, &str, &str)> {
    let (low, after) = partial(skip_space(text))?;
    let spaced = skip_space(after);
    let dash = spaced.strip_prefix('-').filter(|_| spaced.len() < after.len())?;
    let second = skip_space(dash);
    if second.len() == dash.len() {
        return None;
    }
    let (high, after) = partial(second)?;
    Some((low.text, high.text, skip_space(after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_accept_what_masterminds_accepts() {
        let rows = [
            (">=1.19", "v1.33.0-gke.1", false),
            (">=1.19-0", "v1.33.0-gke.1", true),
            ("*", "1.0.0-a", false),
            ("*", "1.0.0", true),
            ("^0.2.3", "0.2.9", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.4", false),
            ("^0", "0.9.0", true),
            ("^0", "1.0.0", false),
            ("~1", "1.9.0", true),
            ("~1", "2.0.0", false),
            ("~1.2", "1.3.0", false),
            (">11", "11.1.0", false),
            (">11", "12.0.0", true),
            (">11.1", "11.1.5", false),
            (">11.1", "11.2.0", true),
            ("!=1.2", "1.2.7", false),
            ("!=1.2", "1.3.0", true),
            ("<=11", "11.9.0", true),
            ("<=11", "12.0.0", false),
            ("1.2 - 1.4", "1.4.9", true),
            ("1.2 - 1.4", "1.5.0", false),
            ("1.2.3 - 1.4.5", "1.4.6", false),
            (">=1.2, <2 || ^3.1", "3.5.0", true),
            (">=1.2 <2", "2.0.0", false),
            ("1.2", "1.2.8", true),
            ("1.2.3", "1.2.4", false),
            ("=>1.0", "1.0.0", true),
            ("v1.2.x", "1.2.9", true),
            (">*", "1.0.0", true),
            (">*", "0.1.0", true),
            ("~0.0.0", "5.0.0", true),
            ("1.0.0-0 - 2.0.0", "1.5.0-beta", true),
            ("1.2.3+meta", "1.2.3", true),
        ];
        for (constraint, version, expected) in rows {
            let parsed = Constraint::parse(constraint).expect(constraint);
            let version = Version::parse(version).expect("a version");
            assert_eq!(parsed.check(&version), expected, "{constraint} on {version}");
            assert_eq!(parsed.validate(&version).is_ok(), expected, "{constraint} on {version}");
        }
    }

    #[test]
    fn what_is_no_constraint_is_refused_in_the_same_words() {
        for (text, message) in [
            ("", "improper constraint: \"\""),
            (">= foo", "improper constraint: \">= foo\""),
            (">=1.2<2", "improper constraint: \">=1.2<2\""),
            ("1.2.3.4", "improper constraint: \"1.2.3.4\""),
            ("1.2.3-01", "constraint parser error"),
        ] {
            assert_eq!(Constraint::parse(text).expect_err(text).to_string(), message);
        }
    }

    #[test]
    fn reasons_are_given_in_the_same_words() {
        let reasons = |constraint: &str, version: &str| {
            Constraint::parse(constraint)
                .expect("a constraint")
                .validate(&Version::parse(version).expect("a version"))
                .expect_err("does not hold")
        };
        assert_eq!(reasons(">0.0.0-0", "0.0.0-0"), ["\"0.0.0-0\" is less than or equal to \"0.0.0-0\""]);
        assert_eq!(reasons("^1.2", "2.0.0"), ["\"2.0.0\" does not have same major version as \"1.2\""]);
    }
}
