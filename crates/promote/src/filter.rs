//! Which tags of a repository a policy looks at, and what of each it compares.

use regex::{Regex, RegexBuilder};

/// Largest program that a pattern may become, in bytes.
const LARGEST: usize = 1 << 20;

/// Which tags are looked at.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    include: Option<Regex>,
    exclude: Option<Regex>,
    extract: Option<String>,
}

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is no regular expression: {why}")]
pub struct FilterError {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

/// A tag that is looked at, with what of it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filtered<'t> {
    /// The tag.
    pub tag: &'t str,
    /// What is compared.
    pub text: String,
}

impl Filter {
    /// Reads patterns (RE2's): which tags are looked at, which are not, and what of them is compared, as `$ts`.
    ///
    /// # Errors
    /// A pattern that is none, or would become too large.
    pub fn parse(include: Option<&str>, exclude: Option<&str>, extract: Option<&str>) -> Result<Self, FilterError> {
        let read = |pattern: &str| {
            let built = RegexBuilder::new(pattern).size_limit(LARGEST).build();
            built.map_err(|error| FilterError {
                pattern: pattern.to_owned(),
                why: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
            })
        };
        Ok(Filter {
            include: include.map(read).transpose()?,
            exclude: exclude.map(read).transpose()?,
            extract: extract.filter(|text| !text.is_empty()).map(str::to_owned),
        })
    }

    /// What of a tag is compared; nothing where it is not looked at.
    pub fn apply<'t>(&self, tag: &'t str) -> Option<Filtered<'t>> {
        if self.exclude.as_ref().is_some_and(|exclude| exclude.is_match(tag)) {
            return None;
        }
        let Some(include) = &self.include else { return Some(Filtered { tag, text: tag.to_owned() }) };
        let captures = include.captures(tag)?;
        let text = match &self.extract {
            Some(template) => {
                let mut text = String::new();
                captures.expand(template, &mut text);
                text
            }
            None => tag.to_owned(),
        };
        Some(Filtered { tag, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_compared_by_what_is_taken_out_of_it() {
        let filter =
            Filter::parse(Some(r"^main-[a-f0-9]+-(?P<ts>[0-9]+)$"), Some("^main-bad"), Some("$ts")).expect("read");
        let text = |tag| filter.apply(tag).map(|it| it.text);
        assert_eq!(text("main-0a1b-1606234201").as_deref(), Some("1606234201"));
        assert_eq!(text("main-bad-1"), None);
        assert_eq!(text("dev-0a1b-1"), None);
        assert_eq!(Filter::default().apply("x").map(|it| it.text).as_deref(), Some("x"));
        let numbered = Filter::parse(Some(r"^v(\d+)-(\d+)$"), None, Some("${2}.${1}")).expect("read");
        assert_eq!(numbered.apply("v1-2").map(|it| it.text).as_deref(), Some("2.1"));
    }

    #[test]
    fn b7_a_pattern_that_would_take_for_ever_does_not() {
        let filter = Filter::parse(Some("^(a+)+$"), None, None).expect("read");
        assert!(filter.apply(&format!("{}b", "a".repeat(100))).is_none());
        assert!(Filter::parse(Some("(a{1000}){1000}"), None, None).is_err(), "it is too large");
        let error = Filter::parse(Some("a("), None, None).expect_err("none");
        assert_eq!(error.pattern, "a(");
    }
}
